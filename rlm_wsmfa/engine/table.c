/* Chained hash table over intrusive nodes; see table.h.
 * Apart from its users: keys are mixed here once, since tickets are random but challenge ids are consecutive. */
#include "engine/table.h"

#include <stdlib.h>

#define BUCKETS_MIN 64

/** Finalizer of MurmurHash3: every bit of the key reaches the low bits. */
static size_t bucket_of(int64_t key, size_t mask)
{
	uint64_t h = (uint64_t)key;

	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return (size_t)h & mask;
}

bool wsmfa_table_init(struct wsmfa_table *t)
{
	t->buckets = calloc(BUCKETS_MIN, sizeof(*t->buckets));
	t->mask = BUCKETS_MIN - 1;
	t->len = 0;
	return t->buckets != NULL;
}

void wsmfa_table_free(struct wsmfa_table *t)
{
	free(t->buckets);
	t->buckets = NULL;
	t->len = 0;
}

struct wsmfa_node *wsmfa_table_find(struct wsmfa_table const *t, int64_t key)
{
	struct wsmfa_node *node = t->buckets[bucket_of(key, t->mask)];

	while (node && node->key != key)
		node = node->next;
	return node;
}

static void table_grow(struct wsmfa_table *t)
{
	size_t mask = t->mask * 2 + 1;
	struct wsmfa_node **buckets = calloc(mask + 1, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i <= t->mask; i++) {
		struct wsmfa_node *node = t->buckets[i];

		while (node) {
			struct wsmfa_node *next = node->next;
			size_t b = bucket_of(node->key, mask);

			node->next = buckets[b];
			buckets[b] = node;
			node = next;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->mask = mask;
}

void wsmfa_table_add(struct wsmfa_table *t, struct wsmfa_node *node, int64_t key)
{
	size_t b;

	if (t->len > t->mask)
		table_grow(t);
	b = bucket_of(key, t->mask);
	node->key = key;
	node->next = t->buckets[b];
	t->buckets[b] = node;
	t->len++;
}

void wsmfa_table_remove(struct wsmfa_table *t, struct wsmfa_node *node)
{
	struct wsmfa_node **at = &t->buckets[bucket_of(node->key, t->mask)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
	t->len--;
}

struct wsmfa_node *wsmfa_table_pop(struct wsmfa_table *t)
{
	for (size_t i = 0; t->len && i <= t->mask; i++) {
		if (t->buckets[i]) {
			struct wsmfa_node *node = t->buckets[i];

			wsmfa_table_remove(t, node);
			return node;
		}
	}
	return NULL;
}
