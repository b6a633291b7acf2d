/*
 * The growing delay of wrong passwords, and the small memory of who had how many.
 * It stands apart because it is a table of bounded size, and time is an argument: no lock-out can come of it.
 */
#ifndef WSMFA_CORE_DELAY_H
#define WSMFA_CORE_DELAY_H

#include <stdint.h>

#include "core/types.h"

#define WSMFA_DELAY_FIRST       (WSMFA_SECOND / 4)
#define WSMFA_DELAY_HALF_LIFE   (2 * WSMFA_MINUTE) //!< of a count, without a new failure.
#define WSMFA_DELAY_BUCKETS     1024               //!< a power of two.
#define WSMFA_DELAY_BUCKET_SIZE 4

/**
 * Delay of a reject in microseconds.
 * @param[in] failures before this one: 0 waits not at all, 1 waits 0.25 s, each further one twice as long.
 * @param[in] max      the longest, microseconds; 0 or less for none at all.
 */
wsmfa_time_t wsmfa_delay(uint32_t failures, wsmfa_time_t max);

struct wsmfa_delay_entry {
	uint64_t name; //!< keyed hash of the name.
	wsmfa_time_t at;
	uint32_t failures; //!< 0: the entry is free.
};

/**
 * Failures by name, 96 KiB by value. When a bucket is full, the entry that matters least makes place: a flood of names
 * can make it forget, never grow. It knows no account from a name that is none. The caller locks.
 */
struct wsmfa_delay_table {
	uint8_t key[16];
	struct wsmfa_delay_entry entries[WSMFA_DELAY_BUCKETS][WSMFA_DELAY_BUCKET_SIZE];
};

/** An empty table; the key is random, so that nobody can choose names that meet. */
void wsmfa_delay_table_init(struct wsmfa_delay_table *table, uint8_t const key[16]);

/** Counts a failure of this name (folded, as wsmfa_account_name makes it) and returns how many there were before it. */
uint32_t wsmfa_delay_table_fail(struct wsmfa_delay_table *table, char const *name, wsmfa_time_t at);

/** A right password: forgets the name. */
void wsmfa_delay_table_forget(struct wsmfa_delay_table *table, char const *name);

#endif
