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
static struct pg_call *batch_pick(struct pg_batch *b, struct pg_call **at)
{
	struct pg_call *call = *at;

	*at = call->next;
	if (!*at)
		b->last = at;
	b->waiting--;
	return call;
}

/* With little time left nobody has company: the statement would end with that time, for all. */
static bool call_is_late(struct wsmfa_pg const *pg, struct pg_call const *call, int64_t now)
{
	return call->deadline - now < pg->config.store_timeout_ms * INT64_C(500);
}

/* The place of one that is under way goes to the oldest who waits. */
static void batch_hand_on(struct pg_batch *b)
{
	struct pg_call *call;

	if (!b->first) {
		b->under_way--;
		return;
	}
	call = batch_pick(b, &b->first);
	call->at = PG_CALL_LEADS;
	(void)pthread_cond_signal(&call->changed);
}

static void batch_lead(struct wsmfa_pg *pg, struct pg_batch *b, struct pg_call *self)
{
	struct pg_call *calls[PG_BATCH_MAX] = { self };
	int64_t now = wsmfa_pg_clock();
	size_t len = 1;

	for (struct pg_call **at = &b->first; *at && len < PG_BATCH_MAX && !call_is_late(pg, self, now);) {
		if (call_is_late(pg, *at, now)) {
			at = &(*at)->next;
			continue;
		}
		calls[len] = batch_pick(b, at);
		calls[len++]->at = PG_CALL_TRAVELS;
	}
	(void)pthread_mutex_unlock(&b->lock);
	batch_run(pg, b->kind, calls, len);
	(void)pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < len; i++) {
		calls[i]->at = PG_CALL_BACK;
		(void)pthread_cond_signal(&calls[i]->changed);
	}
	batch_hand_on(b);
}

/* False: nobody led in time, and it is in nobody's hands any more. */
static bool batch_wait(struct pg_batch *b, struct pg_call *call)
{
	struct timespec until = { call->deadline / 1000000, call->deadline % 1000000 * 1000 };

	while (call->at == PG_CALL_WAITS) {
		if (pthread_cond_timedwait(&call->changed, &b->lock, &until) != ETIMEDOUT || call->at != PG_CALL_WAITS)
			continue;
		for (struct pg_call **at = &b->first; *at; at = &(*at)->next) {
			if (*at == call) {
				(void)batch_pick(b, at);
				break;
			}
		}
		return false;
	}
	while (call->at == PG_CALL_TRAVELS) // its leader has a deadline
		(void)pthread_cond_wait(&call->changed, &b->lock);
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
	return made;
}

static enum wsmfa_store_result batch_do(struct wsmfa_pg *pg, struct pg_batch *b, struct pg_call *call)
{
	enum wsmfa_store_result r = WSMFA_STORE_DOWN;

	if (!call_init(call))
		return r;
	(void)pthread_mutex_lock(&b->lock);
	if (b->under_way < PG_BATCHES_MAX && b->waiting >= b->under_way * PG_BATCH_ENOUGH) {
		b->under_way++;
		call->at = PG_CALL_LEADS;
	} else {
		*b->last = call;
		b->last = &call->next;
		b->waiting++;
	}
	call->leads = true; // speaks for itself, unless it comes back with others
	if (batch_wait(b, call)) {
		if (call->at == PG_CALL_LEADS)
			batch_lead(pg, b, call);
		else
			call->leads = false;
		r = call->result;
	}
	(void)pthread_mutex_unlock(&b->lock);
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

bool wsmfa_pg_batch_init(struct pg_batch *b, struct pg_batch_kind const *kind)
{
	b->kind = kind;
	b->last = &b->first;
	return pthread_mutex_init(&b->lock, NULL) == 0;
}

void wsmfa_pg_batch_end(struct pg_batch *b)
{
	(void)pthread_mutex_destroy(&b->lock);
}
