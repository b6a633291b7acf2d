/* The circuit breaker's three states; see breaker.h.
 * Apart from conversations; time is an argument. */
#include "engine/breaker.h"

void wsmfa_breaker_init(struct wsmfa_breaker *b, int32_t failures_max, int32_t open_seconds)
{
	pthread_mutex_init(&b->lock, NULL);
	b->state = WSMFA_BREAKER_CLOSED;
	b->failures = 0;
	b->failures_max = failures_max > 0 ? failures_max : 1;
	b->open_ms = (uint64_t)(open_seconds > 0 ? open_seconds : 1) * 1000;
	b->try_at_ms = 0;
}

void wsmfa_breaker_free(struct wsmfa_breaker *b)
{
	pthread_mutex_destroy(&b->lock);
}

bool wsmfa_breaker_pass(struct wsmfa_breaker *b, uint64_t now_ms)
{
	bool pass = true;

	pthread_mutex_lock(&b->lock);
	if (b->state != WSMFA_BREAKER_CLOSED) {
		pass = now_ms >= b->try_at_ms;
		if (pass) {
			/* A probe that never reports (the server stopped it) makes room for another. */
			b->state = WSMFA_BREAKER_PROBING;
			b->try_at_ms = now_ms + b->open_ms;
		}
	}
	pthread_mutex_unlock(&b->lock);
	return pass;
}

void wsmfa_breaker_return(struct wsmfa_breaker *b, uint64_t now_ms)
{
	pthread_mutex_lock(&b->lock);
	if (b->state == WSMFA_BREAKER_PROBING) {
		b->state = WSMFA_BREAKER_OPEN;
		b->try_at_ms = now_ms;
	}
	pthread_mutex_unlock(&b->lock);
}

bool wsmfa_breaker_up(struct wsmfa_breaker *b, uint64_t now_ms)
{
	bool up;

	pthread_mutex_lock(&b->lock);
	up = b->state == WSMFA_BREAKER_CLOSED || now_ms >= b->try_at_ms;
	pthread_mutex_unlock(&b->lock);
	return up;
}

enum wsmfa_breaker_change wsmfa_breaker_report(struct wsmfa_breaker *b, bool worked, uint64_t now_ms)
{
	enum wsmfa_breaker_change change = WSMFA_BREAKER_SAME;

	pthread_mutex_lock(&b->lock);
	if (worked) {
		if (b->state != WSMFA_BREAKER_CLOSED)
			change = WSMFA_BREAKER_HAS_CLOSED;
		b->state = WSMFA_BREAKER_CLOSED;
		b->failures = 0;
	} else if (b->state == WSMFA_BREAKER_PROBING) {
		b->state = WSMFA_BREAKER_OPEN;
		b->try_at_ms = now_ms + b->open_ms;
	} else if (b->state == WSMFA_BREAKER_CLOSED && ++b->failures >= b->failures_max) {
		b->state = WSMFA_BREAKER_OPEN;
		b->try_at_ms = now_ms + b->open_ms;
		change = WSMFA_BREAKER_OPENED;
	}
	pthread_mutex_unlock(&b->lock);
	return change;
}

char const *wsmfa_breaker_word(struct wsmfa_breaker *b)
{
	static char const *const words[] = { "closed", "open", "probing" };
	enum wsmfa_breaker_state state;

	pthread_mutex_lock(&b->lock);
	state = b->state;
	pthread_mutex_unlock(&b->lock);
	return words[state];
}
