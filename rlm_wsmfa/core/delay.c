/*
 * The delay of wrong passwords.
 * Apart from the host's delaying of a reply: here is only how long.
 */
#include "core/delay.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define COUNT_MAX 1000

_Static_assert((WSMFA_DELAY_BUCKETS & (WSMFA_DELAY_BUCKETS - 1)) == 0, "buckets are chosen by a mask");

wsmfa_time_t wsmfa_delay(uint32_t failures, wsmfa_time_t max)
{
	wsmfa_time_t delay = WSMFA_DELAY_FIRST;

	if (failures == 0 || max <= 0)
		return 0;
	for (uint32_t i = 1; i < failures && delay < max; i++) {
		if (delay > max / 2)
			return max;
		delay *= 2;
	}
	return delay < max ? delay : max;
}

void wsmfa_delay_table_init(struct wsmfa_delay_table *table, uint8_t const key[16])
{
	memset(table, 0, sizeof(*table));
	memcpy(table->key, key, sizeof(table->key));
}

/* 0 only if OpenSSL fails: all names then share an entry, which delays and locks nobody out. */
static uint64_t name_hash(struct wsmfa_delay_table const *table, char const *name)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	uint64_t hash = 0;

	if (!HMAC(EVP_sha256(), table->key, sizeof(table->key), (unsigned char const *)name, strlen(name), mac, &len))
		return 0;
	for (unsigned i = 0; i < 8; i++)
		hash = hash << 8 | mac[i];
	return hash;
}

/* What is left of a count: half for each half-life. A clock that went back forgets nothing. */
static uint32_t left_of(struct wsmfa_delay_entry const *entry, wsmfa_time_t at)
{
	wsmfa_time_t halves;

	if (entry->failures == 0 || at <= entry->at)
		return entry->failures;
	/* Unsigned: the two may lie further apart than a signed number holds. */
	halves = (wsmfa_time_t)(((uint64_t)at - (uint64_t)entry->at) / (uint64_t)WSMFA_DELAY_HALF_LIFE);
	return halves >= 32 ? 0 : entry->failures >> halves;
}

static struct wsmfa_delay_entry *find(struct wsmfa_delay_table *table, uint64_t hash)
{
	struct wsmfa_delay_entry *bucket = table->entries[hash & (WSMFA_DELAY_BUCKETS - 1)];

	for (size_t i = 0; i < WSMFA_DELAY_BUCKET_SIZE; i++) {
		if (bucket[i].failures > 0 && bucket[i].name == hash)
			return &bucket[i];
	}
	return NULL;
}

/* A free entry of the bucket, else the one with the smallest count, of these the oldest. */
static struct wsmfa_delay_entry *make_room(struct wsmfa_delay_table *table, uint64_t hash, wsmfa_time_t at)
{
	struct wsmfa_delay_entry *bucket = table->entries[hash & (WSMFA_DELAY_BUCKETS - 1)], *least = &bucket[0];

	for (size_t i = 1; i < WSMFA_DELAY_BUCKET_SIZE; i++) {
		uint32_t left = left_of(&bucket[i], at), least_left = left_of(least, at);

		if (left < least_left || (left == least_left && bucket[i].at < least->at))
			least = &bucket[i];
	}
	return least;
}

uint32_t wsmfa_delay_table_fail(struct wsmfa_delay_table *table, char const *name, wsmfa_time_t at)
{
	uint64_t hash = name_hash(table, name);
	struct wsmfa_delay_entry *entry = find(table, hash);
	uint32_t before = 0;

	if (entry)
		before = left_of(entry, at);
	else
		entry = make_room(table, hash, at);
	entry->name = hash;
	entry->at = at;
	entry->failures = before < COUNT_MAX ? before + 1 : COUNT_MAX;
	return before;
}

void wsmfa_delay_table_forget(struct wsmfa_delay_table *table, char const *name)
{
	struct wsmfa_delay_entry *entry = find(table, name_hash(table, name));

	if (entry)
		memset(entry, 0, sizeof(*entry));
}
