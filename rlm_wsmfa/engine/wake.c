/* From the inbox to the answer: a parked request's way through the engine.
 * Apart from pushes and conversations: these end, and then this wakes. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "engine/inside.h"

/** Keeps an ended request for late copies; beyond the bound the oldest one goes. */
static void remember(struct wsmfa_engine *e, struct wsmfa_waiter *w)
{
	w->remember_until_ms = wsmfa_engine_now(e) + WSMFA_REMEMBER_MS;
	w->next = NULL;
	*e->woken_end = w;
	e->woken_end = &w->next;
	e->woken_len++;
}

void wsmfa_forget_woken(struct wsmfa_engine *e, bool all)
{
	uint64_t now = wsmfa_engine_now(e);

	while (e->woken && (all || e->woken_len > WSMFA_REMEMBER_MAX || e->woken->remember_until_ms <= now)) {
		struct wsmfa_waiter *w = e->woken;

		e->woken = w->next;
		if (!e->woken)
			e->woken_end = &e->woken;
		e->woken_len--;
		if (wsmfa_waiter_free(&e->waiters, w))
			e->count.uncollected++;
	}
}

void wsmfa_wake(struct wsmfa_waiter *w, struct wsmfa_woken const *result)
{
	struct wsmfa_engine *e = w->engine;
	struct wsmfa_copy copies[WSMFA_COPIES_MAX];
	bool ended;
	size_t n;

	if (!w->parked)
		return;
	w->parked = false;
	LIST_REMOVE(w, parked_link);
	wsmfa_push_leave(w);
	wsmfa_timer_clear(&e->timers, &w->timer);
	n = wsmfa_waiter_end(&e->waiters, w, result, copies, &ended);
	for (size_t i = 0; i < n; i++)
		wsmfa_park_answer(&e->park, &copies[i]);
	if (ended) {
		e->count.woken++;
		if (result->timed_out) {
			e->count.timed_out++;
			if (n == 0)
				e->count.never_came++;
		}
	}
	remember(e, w);
}

static void on_wake_at(struct wsmfa_timer *timer)
{
	static struct wsmfa_woken const timed_out = { .timed_out = true };

	wsmfa_wake(WSMFA_CONTAINER(timer, struct wsmfa_waiter, timer), &timed_out);
}

void wsmfa_wake_all(struct wsmfa_engine *e)
{
	while (!LIST_EMPTY(&e->parked))
		on_wake_at(&LIST_FIRST(&e->parked)->timer);
}

static void sms_ended(struct wsmfa_engine *e, int64_t ticket, enum wsmfa_delivery delivery, bool elsewhere)
{
	struct wsmfa_woken const result = { .finished = true, .delivery = delivery };
	struct wsmfa_waiter *w = wsmfa_waiters_find(&e->waiters, ticket);

	(void)elsewhere;
	if (delivery == WSMFA_DELIVERY_SENT)
		e->count.sms_sent++;
	else
		e->count.sms_failed++;
	if (w)
		wsmfa_wake(w, &result);
}

static struct wsmfa_talk_owner const sms_owner = { .ended = sms_ended };

static void sms_begin(struct wsmfa_waiter *w)
{
	struct wsmfa_engine *e = w->engine;
	struct wsmfa_outlet *outlet = wsmfa_outlet_of(e, w->job);

	if (!outlet || !wsmfa_talk_begin(e, outlet, &w->job->message, w->expires_at_ms, &sms_owner, w->node.key))
		sms_ended(e, w->node.key, WSMFA_DELIVERY_FAILED, false);
}

/** The message goes into the conversation; the waiting record keeps no secret. */
static void job_drop(struct wsmfa_waiter *w)
{
	if (w->job)
		OPENSSL_cleanse(w->job, sizeof(*w->job));
	free(w->job);
	w->job = NULL;
}

static void waiter_begin(struct wsmfa_waiter *w)
{
	struct wsmfa_engine *e = w->engine;

	w->next = NULL;
	w->parked = true;
	LIST_INSERT_HEAD(&e->parked, w, parked_link);
	if (!wsmfa_waiter_waits(&e->waiters, w)) {
		struct wsmfa_outlet *outlet = w->job ? wsmfa_outlet_of(e, w->job) : NULL;

		if (outlet)
			wsmfa_breaker_return(&outlet->breaker, wsmfa_engine_now(e));
		on_wake_at(&w->timer);
		return;
	}
	wsmfa_timer_set(&e->timers, &w->timer, w->wake_at_ms, on_wake_at);
	if (w->kind == WSMFA_JOB_SMS)
		sms_begin(w);
	else
		wsmfa_push_join(w);
}

void wsmfa_inbox_take(struct wsmfa_engine *e)
{
	struct wsmfa_waiter *w = wsmfa_waiters_take(&e->waiters), *next;

	for (; w; w = next) {
		next = w->next;
		waiter_begin(w);
		job_drop(w);
	}
}
