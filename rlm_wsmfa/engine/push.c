/* Pushes by challenge: who asks, who waits, what the database says and what it must be told.
 * Apart from the requests that wait: several may wait for one push, and one may be answered with nobody waiting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "provider/out.h"

#define CHECK_MS     5000  //!< what is waited for is looked up this often: a wake-up may have been lost
#define CHECK_MAX    1000  //!< ids a statement
#define REPORT_MAX   32    //!< statements that may be out at once
#define REPORT_TO_MS 60000 //!< after its expiry a report is given up

static struct wsmfa_push *push_find(struct wsmfa_engine *e, int64_t challenge_id)
{
	struct wsmfa_node *node = wsmfa_table_find(&e->pushes, challenge_id);

	return node ? WSMFA_CONTAINER(node, struct wsmfa_push, node) : NULL;
}

static struct wsmfa_push *push_get(struct wsmfa_engine *e, int64_t challenge_id, uint64_t expires_at_ms)
{
	struct wsmfa_push *push = push_find(e, challenge_id);

	if (push)
		return push;
	push = calloc(1, sizeof(*push));
	if (!push)
		return NULL;
	push->expires_at_ms = expires_at_ms;
	wsmfa_table_add(&e->pushes, &push->node, challenge_id);
	return push;
}

/** Frees a push that nobody waits for, talks about or reports. */
static void push_settle(struct wsmfa_engine *e, struct wsmfa_push *push)
{
	if (push->waiters || push->talking || push->reporting || push->held)
		return;
	wsmfa_table_remove(&e->pushes, &push->node);
	free(push);
}

/** Wakes everybody who waits for it, and lets go of it. */
static void push_wake(struct wsmfa_engine *e, struct wsmfa_push *push, struct wsmfa_woken const *result)
{
	push->held = true;
	while (push->waiters)
		wsmfa_wake(push->waiters, result);
	push->held = false;
	push_settle(e, push);
}

void wsmfa_push_leave(struct wsmfa_waiter *w)
{
	struct wsmfa_push *push = w->push;
	struct wsmfa_waiter **at;

	if (!push)
		return;
	for (at = &push->waiters; *at != w; at = &(*at)->push_next)
		;
	*at = w->push_next;
	w->push = NULL;
	if (!push->waiters) {
		TAILQ_REMOVE(&w->engine->waited_for, push, link);
		push_settle(w->engine, push);
	}
}

/** Its end has to be in the database before anybody is woken: the row decides. */
static void push_report(struct wsmfa_engine *e, struct wsmfa_push *push, enum wsmfa_delivery delivery)
{
	push->delivery = delivery;
	push->ended_at = wsmfa_wall_now();
	push->reporting = true;
	TAILQ_INSERT_TAIL(&e->reports, push, report);
	wsmfa_push_tick(e);
}

static void push_started(struct wsmfa_engine *e, int64_t challenge_id, char const *show)
{
	struct wsmfa_push *push = push_find(e, challenge_id);
	struct wsmfa_woken result = { .delivery = WSMFA_DELIVERY_FAILED };
	struct wsmfa_waiter *w, *next;

	if (!push)
		return;
	e->count.push_started++;
	snprintf(result.show, sizeof(result.show), "%s", show);
	for (w = push->waiters; w; w = next) {
		next = w->push_next;
		if (w->kind == WSMFA_JOB_PUSH && !w->wait)
			wsmfa_wake(w, &result);
	}
}

static void push_ended(struct wsmfa_engine *e, int64_t challenge_id, enum wsmfa_delivery delivery, bool elsewhere)
{
	static struct wsmfa_woken const expired = { .timed_out = true,
						    .finished = true,
						    .delivery = WSMFA_DELIVERY_EXPIRED };
	struct wsmfa_push *push = push_find(e, challenge_id);

	if (!push)
		return;
	push->talking = false;
	if (elsewhere) {
		push_settle(e, push);
	} else if (delivery == WSMFA_DELIVERY_EXPIRED) {
		push_wake(e, push, &expired);
	} else {
		if (delivery != WSMFA_DELIVERY_APPROVED && delivery != WSMFA_DELIVERY_DENIED)
			e->count.push_failed++;
		push_report(e, push, delivery);
	}
}

static struct wsmfa_talk_owner const push_owner = { .started = push_started, .ended = push_ended };

/** Asks the person, unless this push asks already. */
static void push_ask(struct wsmfa_push *push, struct wsmfa_waiter *w)
{
	struct wsmfa_engine *e = w->engine;
	struct wsmfa_outlet *outlet = wsmfa_outlet_of(e, w->job);

	if (push->talking || push->reporting)
		return;
	push->talking = true;
	if (!outlet || !wsmfa_talk_begin(e, outlet, &w->job->message, w->expires_at_ms, &push_owner, push->node.key))
		push_ended(e, push->node.key, WSMFA_DELIVERY_FAILED, false);
}

/** Its row is looked up before all others. */
static void push_check_first(struct wsmfa_engine *e, struct wsmfa_push *push)
{
	push->checked_at_ms = 0;
	TAILQ_REMOVE(&e->waited_for, push, link);
	TAILQ_INSERT_HEAD(&e->waited_for, push, link);
}

void wsmfa_push_join(struct wsmfa_waiter *w)
{
	static struct wsmfa_woken const failed = { .finished = true };
	static struct wsmfa_woken const superseded = { .delivery = WSMFA_DELIVERY_FAILED };
	struct wsmfa_engine *e = w->engine;
	struct wsmfa_push *push = push_get(e, w->challenge_id, w->expires_at_ms);

	if (!push) {
		wsmfa_wake(w, &failed);
		return;
	}
	if (!push->waiters)
		TAILQ_INSERT_HEAD(&e->waited_for, push, link);
	w->push = push;
	w->push_next = push->waiters;
	push->waiters = w;
	/* Only the newest request of a login gets the answer; the host needs not keep the others. */
	while (w->push_next)
		wsmfa_wake(w->push_next, &superseded);
	/* The answer may have come between the row's last look and now. */
	push_check_first(e, push);
	if (w->kind == WSMFA_JOB_PUSH)
		push_ask(push, w);
}

static void push_check(struct wsmfa_engine *e);

/** Whoever may connect to the database may say so: the row is asked before anybody's waiting ends. */
void wsmfa_push_notified(struct wsmfa_engine *e, int64_t challenge_id)
{
	struct wsmfa_push *push = push_find(e, challenge_id);

	if (!push || !push->waiters)
		return;
	push->told = true;
	push_check_first(e, push);
	push_check(e);
}

static void on_checked(void *ctx, enum wsmfa_db_result result, int64_t const *ids, size_t ids_len)
{
	static struct wsmfa_woken const answered = { .delivery = WSMFA_DELIVERY_FAILED };
	struct wsmfa_engine *e = ctx;

	e->checking = false;
	if (result != WSMFA_DB_OK)
		return;
	for (size_t i = 0; i < ids_len; i++) {
		struct wsmfa_push *push = push_find(e, ids[i]);

		/* Of what is reported, the end of the report wakes, and says more. */
		if (!push || push->reporting)
			continue;
		e->count.caught_up += !push->told;
		push_wake(e, push, &answered);
	}
	push_check(e);
}

/** Looks up the ones that were not looked up for a while, or never, or not since the connection came back. */
static void push_check(struct wsmfa_engine *e)
{
	static char text[CHECK_MAX * 21 + 3];
	char const *params[1] = { text };
	uint64_t now = wsmfa_engine_now(e);
	struct wsmfa_out list;
	struct wsmfa_push *push;

	if (e->checking || !e->db_ops->up(e->db))
		return;
	wsmfa_out_init(&list, text, sizeof(text));
	for (int n = 0; n < CHECK_MAX && (push = TAILQ_FIRST(&e->waited_for)); n++) {
		if (push->checked_at_ms + CHECK_MS > now && push->checked_at_ms >= e->up_at_ms && push->checked_at_ms)
			break;
		wsmfa_out_put(&list, n ? "," : "{");
		wsmfa_out_put_number(&list, push->node.key);
		push->checked_at_ms = now;
		TAILQ_REMOVE(&e->waited_for, push, link);
		TAILQ_INSERT_TAIL(&e->waited_for, push, link);
	}
	if (!list.len)
		return;
	wsmfa_out_put(&list, "}");
	e->checking = true;
	e->db_ops->query(e->db, "SELECT wsmfa.push_answered($1::bigint[])", params, 1, on_checked, e);
}

struct report {
	struct wsmfa_engine *engine;
	int64_t challenge_id;
};

/** Everybody is woken, now that the row says how it ended (or can't be told any more). */
static void report_finish(struct wsmfa_engine *e, struct wsmfa_push *push)
{
	struct wsmfa_woken const done = { .finished = true, .delivery = push->delivery };

	e->count.reports++;
	push->reporting = false;
	TAILQ_REMOVE(&e->reports, push, report);
	push_wake(e, push, &done);
}

static void on_reported(void *ctx, enum wsmfa_db_result result, int64_t const *ids, size_t ids_len)
{
	struct report *r = ctx;
	struct wsmfa_engine *e = r->engine;
	struct wsmfa_push *push = push_find(e, r->challenge_id);

	(void)ids;
	(void)ids_len;
	free(r);
	push->in_flight = false;
	/* While the database is down it stays in the list. */
	if (result != WSMFA_DB_DOWN)
		report_finish(e, push);
}

static char const *report_word(enum wsmfa_delivery delivery)
{
	switch (delivery) {
	case WSMFA_DELIVERY_APPROVED: return "approved";
	case WSMFA_DELIVERY_DENIED: return "denied";
	default: return "failed";
	}
}

static void report_send(struct wsmfa_engine *e, struct wsmfa_push *push)
{
	char id[24], at[WSMFA_TIME_TEXT];
	char const *params[3] = { id, report_word(push->delivery), at };
	struct report *r = malloc(sizeof(*r));

	if (!r)
		return;
	r->engine = e;
	r->challenge_id = push->node.key;
	snprintf(id, sizeof(id), "%lld", (long long)push->node.key);
	wsmfa_time_text(push->ended_at, at);
	push->in_flight = true;
	e->db_ops->query(e->db, "SELECT wsmfa.push_report($1::bigint, $2, $3::timestamptz)", params, 3, on_reported, r);
}

void wsmfa_push_tick(struct wsmfa_engine *e)
{
	struct wsmfa_push *push, *next;
	uint64_t now = wsmfa_engine_now(e);
	int out = 0;

	for (push = TAILQ_FIRST(&e->reports); push && out < REPORT_MAX; push = next) {
		next = TAILQ_NEXT(push, report);
		if (push->in_flight)
			out++;
		else if (now > push->expires_at_ms + REPORT_TO_MS)
			report_finish(e, push);
		else if (e->db_ops->up(e->db) && ++out)
			report_send(e, push);
	}
	push_check(e);
}

void wsmfa_push_free_all(struct wsmfa_engine *e)
{
	struct wsmfa_node *node;

	while ((node = wsmfa_table_pop(&e->pushes)))
		free(WSMFA_CONTAINER(node, struct wsmfa_push, node));
}
