/* Gates before connections; see http_gate.h.
 * Apart from http.c: lists only. */
#include "engine/http_gate.h"

#include <stdlib.h>

static struct wsmfa_gate *gate_of(struct wsmfa_gates *gates, void const *key)
{
	struct wsmfa_gate *gate;

	SLIST_FOREACH(gate, gates, link)
	{
		if (gate->key == key)
			return gate;
	}
	gate = calloc(1, sizeof(*gate));
	if (gate) {
		gate->key = key;
		TAILQ_INIT(&gate->line);
		SLIST_INSERT_HEAD(gates, gate, link);
	}
	return gate;
}

bool wsmfa_gate_enter(struct wsmfa_gates *gates, void const *key, struct wsmfa_gate_entry *entry)
{
	entry->gate = gate_of(gates, key);
	entry->passing = false;
	if (entry->gate)
		TAILQ_INSERT_TAIL(&entry->gate->line, entry, link);
	return entry->gate != NULL;
}

struct wsmfa_gate_entry *wsmfa_gate_next(struct wsmfa_gates *gates)
{
	struct wsmfa_gate *gate;

	SLIST_FOREACH(gate, gates, link)
	{
		struct wsmfa_gate_entry *entry = TAILQ_FIRST(&gate->line);

		if (!entry || gate->passing >= WSMFA_GATE_MAX)
			continue;
		TAILQ_REMOVE(&gate->line, entry, link);
		entry->passing = true;
		gate->passing++;
		return entry;
	}
	return NULL;
}

void wsmfa_gate_leave(struct wsmfa_gate_entry *entry)
{
	if (!entry->gate)
		return;
	if (entry->passing)
		entry->gate->passing--;
	else
		TAILQ_REMOVE(&entry->gate->line, entry, link);
	entry->gate = NULL;
}

void wsmfa_gates_free(struct wsmfa_gates *gates)
{
	while (!SLIST_EMPTY(gates)) {
		struct wsmfa_gate *gate = SLIST_FIRST(gates);

		SLIST_REMOVE_HEAD(gates, link);
		free(gate);
	}
}
