/* A hash table of records by 64-bit key, which are linked through themselves: nothing is allocated per record.
 * Apart from its users, because tickets, accounts and challenges are all looked up this way. */
#ifndef WSMFA_ENGINE_TABLE_H
#define WSMFA_ENGINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The record that holds `member` at ptr. */
#define WSMFA_CONTAINER(_ptr, _type, _member) ((_type *)(void *)((char *)(_ptr)-offsetof(_type, _member)))

struct wsmfa_node {
	struct wsmfa_node *next;
	int64_t key;
};

struct wsmfa_table {
	struct wsmfa_node **buckets;
	size_t mask;
	size_t len;
};

/** False without memory. */
bool wsmfa_table_init(struct wsmfa_table *);
/** Frees the buckets; the records are their owner's. */
void wsmfa_table_free(struct wsmfa_table *);
struct wsmfa_node *wsmfa_table_find(struct wsmfa_table const *, int64_t key);
/** The key must not be in the table. Grows; without memory for that it only gets slower. */
void wsmfa_table_add(struct wsmfa_table *, struct wsmfa_node *, int64_t key);
/** Takes the record out; it must be in the table. */
void wsmfa_table_remove(struct wsmfa_table *, struct wsmfa_node *);
/** Takes any record out, NULL from an empty table. */
struct wsmfa_node *wsmfa_table_pop(struct wsmfa_table *);

#endif
