/* Calls of one kind gathered into one statement, and its rows handed out.
 * Apart from store_pg.c, which runs a statement and knows nobody who waits for it. */
#include <errno.h>
#include <time.h>

#include "store/pg_store.h"

/* Whose row it is: the place of its call, from 1. 0: nobody's. */
static int64_t call_of_row(PGresult const *result, int row)
{
	struct pg_row r = { .result = result, .row = row };

	return wsmfa_pg_get_int(&r, 1, PG_BATCH_MAX);
}

/* Rows come in the order of the calls. If one is nobody's, nothing is believed. */
static bool rows_are_ours(PGresult const *result, size_t len)
{
	int64_t last = 1;

	for (int row = 0; row < PQntuples(result); row++) {
		int64_t n = call_of_row(result, row);

		if (n < last || n > (int64_t)len)
			return false;
		last = n;
	}
	return true;
}

static void hand_out(struct wsmfa_pg *pg, struct pg_batch_kind const *kind, struct pg_call *const *calls, size_t len,
		     PGresult const *result)
{
	struct pg_rows rows = { .result = result, .before = 1 };

	for (size_t i = 0; i < len; i++) {
		struct pg_row row = { .bad = NULL };

		rows.first += rows.len;
		rows.len = 0;
		while (rows.first + rows.len < PQntuples(result) &&
		       call_of_row(result, rows.first + rows.len) == (int64_t)i + 1)
			rows.len++;
		(void)kind->get(&rows, calls[i], &row);
		calls[i]->result = wsmfa_pg_decoded(pg, kind->statement, &row, NULL);
	}
}

static void batch_run(struct wsmfa_pg *pg, struct pg_batch_kind const *kind, struct pg_call *const *calls, size_t len)
{
	struct pg_params params = { .len = 0 };
	PGresult *result = NULL;
	enum wsmfa_store_result r = WSMFA_STORE_DOWN;
	int64_t deadline = calls[0]->deadline;

	for (size_t i = 1; i < len; i++)
		deadline = calls[i]->deadline < deadline ? calls[i]->deadline : deadline;
	kind->put(pg, &params, calls, len);
	if (!params.out_of_memory)
		r = wsmfa_pg_run(pg, kind->statement, &params, kind->reads_only, deadline, &result);
	wsmfa_pg_params_free(&params);
	if (r == WSMFA_STORE_OK && !rows_are_ours(result, len))
		r = wsmfa_pg_decoded(pg, kind->statement, &(struct pg_row) { .bad = "n" }, NULL);
	if (r == WSMFA_STORE_OK)
		hand_out(pg, kind, calls, len, result);
	wsmfa_pg_clear(result);
	for (size_t i = 0; i < len; i++) {
		calls[i]->shared = len > 1;
		if (r != WSMFA_STORE_OK) {
			calls[i]->done = false;
			calls[i]->result = r;
		}
	}
}

/* Takes one who waits out of the queue: what *at points to. */
static struct pg_call *road_pick(struct pg_road *road, struct pg_call **at)
{
	struct pg_call *call = *at;

	*at = call->next;
	if (!*at)
		road->last = at;
	road->waiting--;
	return call;
}

/* With little time left nobody has company: the statement would end with that time, for all. */
static bool call_is_late(struct wsmfa_pg const *pg, struct pg_call const *call, int64_t now)
{
	return call->deadline - now < pg->config.store_timeout_ms * INT64_C(500);
}

/* Its caller may be gone as soon as it is unlocked. */
static void call_wake(struct pg_call *call)
{
	(void)pthread_mutex_lock(&call->lock);
	call->woken = true;
	(void)pthread_cond_signal(&call->changed);
	(void)pthread_mutex_unlock(&call->lock);
}

/* The place of one that is under way goes to the oldest who waits, if any. */
static struct pg_call *road_hand_on(struct pg_road *road)
{
	struct pg_call *call;

	if (!road->first) {
		road->under_way--;
		return NULL;
	}
	call = road_pick(road, &road->first);
	call->at = PG_CALL_LEADS;
	call->batch->under_way++;
	return call;
}

static void batch_lead(struct wsmfa_pg *pg, struct pg_batch *b, struct pg_call *self)
{
	struct pg_call *calls[PG_BATCH_MAX] = { self }, *next;
	struct pg_road *road = b->road;
	int64_t now = wsmfa_pg_clock();
	size_t len = 1;

	(void)pthread_mutex_lock(&road->lock);
	for (struct pg_call **at = &road->first; *at && len < PG_BATCH_MAX && !call_is_late(pg, self, now);) {
		if ((*at)->batch != b || call_is_late(pg, *at, now)) {
			at = &(*at)->next;
			continue;
		}
		calls[len] = road_pick(road, at);
		calls[len++]->at = PG_CALL_TRAVELS;
	}
	(void)pthread_mutex_unlock(&road->lock);
	batch_run(pg, b->kind, calls, len);
	(void)pthread_mutex_lock(&road->lock);
	b->under_way--;
	next = road_hand_on(road);
	(void)pthread_mutex_unlock(&road->lock);
	if (next)
		call_wake(next);
	for (size_t i = 1; i < len; i++)
		call_wake(calls[i]);
}

/* True: it leads, or is back from another's statement. False: nobody led in time, and it is in nobody's hands any more. */
static bool batch_wait(struct pg_road *road, struct pg_call *call)
{
	struct timespec until = { call->deadline / 1000000, call->deadline % 1000000 * 1000 };
	bool waits = true;

	(void)pthread_mutex_lock(&call->lock);
	while (!call->woken && waits)
		waits = pthread_cond_timedwait(&call->changed, &call->lock, &until) != ETIMEDOUT;
	(void)pthread_mutex_unlock(&call->lock);
	if (waits)
		return true;
	(void)pthread_mutex_lock(&road->lock);
	for (struct pg_call **at = &road->first; *at && call->at == PG_CALL_WAITS; at = &(*at)->next) {
		if (*at == call) {
			(void)road_pick(road, at);
			(void)pthread_mutex_unlock(&road->lock);
			return false;
		}
	}
	(void)pthread_mutex_unlock(&road->lock);
	(void)pthread_mutex_lock(&call->lock);
	while (!call->woken) // its leader has a deadline
		(void)pthread_cond_wait(&call->changed, &call->lock);
	(void)pthread_mutex_unlock(&call->lock);
	return true;
}

static bool call_init(struct pg_call *call)
{
	pthread_condattr_t monotonic;
	bool made;

	if (pthread_condattr_init(&monotonic) != 0)
		return false;
	made = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
	       pthread_cond_init(&call->changed, &monotonic) == 0;
	(void)pthread_condattr_destroy(&monotonic);
	if (!made)
		return false;
	if (pthread_mutex_init(&call->lock, NULL) == 0)
		return true;
	(void)pthread_cond_destroy(&call->changed);
	return false;
}

/* Leads at once, or stands in the queue. */
static void batch_join(struct pg_batch *b, struct pg_call *call)
{
	struct pg_road *road = b->road;
	bool free;

	call->batch = b;
	(void)pthread_mutex_lock(&road->lock);
	free = b->under_way == 0 && road->under_way < PG_BATCHES_FREE;
	if (free || (road->under_way < PG_BATCHES_MAX && road->waiting >= road->under_way * PG_BATCH_ENOUGH)) {
		road->under_way++;
		b->under_way++;
		call->at = PG_CALL_LEADS;
		call->woken = true;
	} else {
		*road->last = call;
		road->last = &call->next;
		road->waiting++;
	}
	(void)pthread_mutex_unlock(&road->lock);
}

static enum wsmfa_store_result batch_do(struct wsmfa_pg *pg, struct pg_batch *b, struct pg_call *call)
{
	enum wsmfa_store_result r = WSMFA_STORE_DOWN;

	if (!call_init(call))
		return r;
	batch_join(b, call);
	call->leads = true; // speaks for itself, unless it comes back with others
	if (batch_wait(b->road, call)) {
		call->leads = call->at == PG_CALL_LEADS;
		if (call->leads)
			batch_lead(pg, b, call);
		r = call->result;
	}
	(void)pthread_mutex_destroy(&call->lock);
	(void)pthread_cond_destroy(&call->changed);
	return r;
}

enum wsmfa_store_result wsmfa_pg_batch_call(struct wsmfa_pg *pg, struct pg_batch *b, struct pg_call *call)
{
	enum wsmfa_store_result r;
	bool probe;

	call->deadline = wsmfa_pg_deadline(pg);
	if (!wsmfa_pg_enter(pg, wsmfa_pg_clock(), &probe))
		return WSMFA_STORE_DOWN;
	r = batch_do(pg, b, call);
	if (r == WSMFA_STORE_BROKEN && call->shared && b->kind->reads_only) {
		batch_run(pg, b->kind, &call, 1); // the fault may be another's
		r = call->result;
	}
	if (call->leads || probe)
		wsmfa_pg_leave(pg, probe, r);
	return r;
}

bool wsmfa_pg_batch_left(struct pg_call const *call, enum wsmfa_store_result r)
{
	return r == WSMFA_STORE_OK ? !call->done : r == WSMFA_STORE_BROKEN && call->shared;
}

void wsmfa_pg_put_ats(struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	wsmfa_pg_put_array(p, PG_TIMESTAMPTZ, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element_time(p, calls[i]->origin->at);
}

void wsmfa_pg_put_places(struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	wsmfa_pg_put_array(p, PG_TEXT, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element_text(p, calls[i]->origin->client);
	wsmfa_pg_put_array(p, PG_TEXT, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element_text(p, calls[i]->origin->station);
	wsmfa_pg_put_array(p, PG_TEXT, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element_text(p, calls[i]->origin->service);
}

bool wsmfa_pg_road_init(struct pg_road *road)
{
	road->last = &road->first;
	return pthread_mutex_init(&road->lock, NULL) == 0;
}

void wsmfa_pg_road_end(struct pg_road *road)
{
	(void)pthread_mutex_destroy(&road->lock);
}
