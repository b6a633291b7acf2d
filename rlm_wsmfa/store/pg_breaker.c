/* The circuit breaker, shared by all threads.
 * Apart from the calls it guards, so that its times are tested without a database. */
#include "store/pg_breaker.h"

bool wsmfa_pg_breaker_init(struct pg_breaker *b, int32_t failures_max, int32_t open_ms, int32_t open_max_ms)
{
	*b = (struct pg_breaker) { .failures_max = failures_max > 0 ? failures_max : 3,
				   .open_first = (open_ms > 0 ? open_ms : 1000) * INT64_C(1000),
				   .open_max = (open_max_ms > 0 ? open_max_ms : 30000) * INT64_C(1000) };
	return pthread_mutex_init(&b->lock, NULL) == 0;
}

void wsmfa_pg_breaker_end(struct pg_breaker *b)
{
	pthread_mutex_destroy(&b->lock);
}

bool wsmfa_pg_breaker_enter(struct pg_breaker *b, int64_t now, bool *probe)
{
	bool enter;

	pthread_mutex_lock(&b->lock);
	enter = !b->open || (!b->probing && now >= b->until);
	*probe = enter && b->open;
	if (*probe)
		b->probing = true;
	pthread_mutex_unlock(&b->lock);
	return enter;
}

enum pg_breaker_event wsmfa_pg_breaker_leave(struct pg_breaker *b, int64_t now, bool probe,
					     enum wsmfa_store_result result, int64_t *open_for)
{
	enum pg_breaker_event event = PG_BREAKER_SAME;

	pthread_mutex_lock(&b->lock);
	if (probe)
		b->probing = false;
	if (result != WSMFA_STORE_DOWN) { // an error is an answer too
		if (b->open)
			event = PG_BREAKER_CLOSED;
		b->open = false;
		b->failures = 0;
	} else if (!b->open && ++b->failures >= b->failures_max) {
		b->open = true;
		b->open_for = b->open_first;
		b->until = now + b->open_for;
		event = PG_BREAKER_OPENED;
	} else if (probe && b->open) {
		b->open_for = b->open_for < b->open_max / 2 ? b->open_for * 2 : b->open_max;
		b->until = now + b->open_for;
	}
	*open_for = b->open_for;
	pthread_mutex_unlock(&b->lock);
	return event;
}
