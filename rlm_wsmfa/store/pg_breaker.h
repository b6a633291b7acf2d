/*
 * The circuit breaker: a database that hangs must not hold every thread for a timeout each.
 * It stands apart because it knows no database: results and a clock go in, and whether to try comes out.
 */
#ifndef WSMFA_STORE_PG_BREAKER_H
#define WSMFA_STORE_PG_BREAKER_H

#include <pthread.h>

#include "store/store.h"

/** Closed, it lets calls through. Open, it turns them away until `until`, and then lets one through: the probe. */
struct pg_breaker {
	pthread_mutex_t lock;
	int32_t failures_max;
	int64_t open_first; //!< microseconds, as all times here
	int64_t open_max;
	int32_t failures; //!< consecutive
	bool open;
	bool probing;
	int64_t until;
	int64_t open_for;
};

enum pg_breaker_event { PG_BREAKER_SAME = 0, PG_BREAKER_OPENED, PG_BREAKER_CLOSED };

bool wsmfa_pg_breaker_init(struct pg_breaker *b, int32_t failures_max, int32_t open_ms, int32_t open_max_ms);
void wsmfa_pg_breaker_end(struct pg_breaker *b);
/** May a call be made at `now` (monotonic)? If so, it must be left. *probe is true for the one that tries again. */
bool wsmfa_pg_breaker_enter(struct pg_breaker *b, int64_t now, bool *probe);
/** How the call went. The event is for the log; *open_for is how long it is open. */
enum pg_breaker_event wsmfa_pg_breaker_leave(struct pg_breaker *b, int64_t now, bool probe,
					     enum wsmfa_store_result result, int64_t *open_for);

#endif
