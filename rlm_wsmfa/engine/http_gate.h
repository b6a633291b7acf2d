/* How many requests to one provider may be on the way to a connection at once; the others stand in line.
 * Apart from http.c: a thousand users at nine o'clock are then not a thousand name lookups and TLS handshakes. */
#ifndef WSMFA_ENGINE_HTTP_GATE_H
#define WSMFA_ENGINE_HTTP_GATE_H

#include <stdbool.h>
#include <sys/queue.h>

#define WSMFA_GATE_MAX 32 //!< of one provider without a connection yet

struct wsmfa_gate_entry {
	TAILQ_ENTRY(wsmfa_gate_entry) link;
	struct wsmfa_gate *gate; //!< while in line, or passing
	bool passing;
};
TAILQ_HEAD(wsmfa_gate_list, wsmfa_gate_entry);

/** One a provider; never freed before the end. */
struct wsmfa_gate {
	SLIST_ENTRY(wsmfa_gate) link;
	void const *key;
	unsigned passing;
	struct wsmfa_gate_list line;
};
SLIST_HEAD(wsmfa_gates, wsmfa_gate);

/** Puts an entry in line. False without memory. */
bool wsmfa_gate_enter(struct wsmfa_gates *, void const *key, struct wsmfa_gate_entry *);
/** The next entry that may pass, now passing; NULL when all gates are full or empty. */
struct wsmfa_gate_entry *wsmfa_gate_next(struct wsmfa_gates *);
/** It has a connection, or needs none any more. Harmless when it is through already. */
void wsmfa_gate_leave(struct wsmfa_gate_entry *);
void wsmfa_gates_free(struct wsmfa_gates *);

#endif
