/* Many deadlines on one libuv timer: a pairing heap that is linked through its records.
 * Apart from libuv's own timers, which are 152 octets each and must be closed one by one: 30,000 requests wait at once. */
#ifndef WSMFA_ENGINE_TIMERS_H
#define WSMFA_ENGINE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct wsmfa_timer {
	uint64_t at_ms;                     //!< on uv_now()'s monotonic clock
	void (*fire)(struct wsmfa_timer *); //!< NULL while it is not set
	struct wsmfa_timer *child;
	struct wsmfa_timer *sibling;
	struct wsmfa_timer *before; //!< the sibling before, or the parent of a first child; NULL at the root
};

struct wsmfa_timers {
	uv_timer_t uv;
	struct wsmfa_timer *root;
};

/** Negative on failure, as libuv. */
int wsmfa_timers_init(struct wsmfa_timers *, uv_loop_t *);
/** (Re)sets a timer; it fires once, on the loop's thread, with the record no longer set. A zeroed record is not set. */
void wsmfa_timer_set(struct wsmfa_timers *, struct wsmfa_timer *, uint64_t at_ms, void (*fire)(struct wsmfa_timer *));
void wsmfa_timer_clear(struct wsmfa_timers *, struct wsmfa_timer *);
static inline bool wsmfa_timer_is_set(struct wsmfa_timer const *t)
{
	return t->fire != NULL;
}
/** Closes libuv's timer; what is set never fires. */
void wsmfa_timers_close(struct wsmfa_timers *);

#endif
