/* The store in PostgreSQL: its calls over pooled connections, retried only where nothing was done, behind a breaker.
 * Apart from what the calls carry (pg_load.c, pg_settle.c) and from one connection (pg_conn.c). */
#include <stdlib.h>
#include <string.h>

#include "store/pg_store.h"

/* Takes connections until one runs the statement. Those that a restart of the server left behind cost nothing. */
#define PG_STALE_MAX 100

static enum wsmfa_store_result pg_try(struct wsmfa_pg *pg, char const *statement, struct pg_params const *params,
				      bool reads_only, int64_t deadline, PGresult **result)
{
	bool again = true;

	for (int stale = 0; stale < PG_STALE_MAX && wsmfa_pg_clock() < deadline;) {
		struct wsmfa_pg_conn *conn = pg->pool.get(pg->pool.ctx);
		enum pg_how how;

		if (!conn)
			return WSMFA_STORE_DOWN;
		how = wsmfa_pg_execute(conn, statement, params, deadline, result);
		if (how == PG_HOW_DONE || how == PG_HOW_ROLLED_BACK)
			pg->pool.release(pg->pool.ctx, conn);
		else
			pg->pool.discard(pg->pool.ctx, conn);
		switch (how) {
		case PG_HOW_DONE: return WSMFA_STORE_OK;
		case PG_HOW_BROKEN: return WSMFA_STORE_BROKEN;
		case PG_HOW_STALE: stale++; continue;
		case PG_HOW_ROLLED_BACK:
			if (!again)
				return WSMFA_STORE_BROKEN;
			break;
		case PG_HOW_LOST:
			// never again what may have run: an answer would be judged twice
			if (!again || !reads_only)
				return WSMFA_STORE_DOWN;
			break;
		case PG_HOW_TIMEOUT:
		case PG_HOW_DOWN: return WSMFA_STORE_DOWN;
		}
		again = false;
	}
	return WSMFA_STORE_DOWN;
}

enum wsmfa_store_result wsmfa_pg_run(struct wsmfa_pg *pg, char const *statement, struct pg_params const *params,
				     bool reads_only, int64_t deadline, PGresult **result)
{
	enum wsmfa_store_result r;

	wsmfa_pg_deadline_set(deadline);
	r = pg_try(pg, statement, params, reads_only, deadline, result);
	wsmfa_pg_deadline_set(0);
	return r;
}

bool wsmfa_pg_enter(struct wsmfa_pg *pg, int64_t now, bool *probe)
{
	return wsmfa_pg_breaker_enter(&pg->breaker, now, probe);
}

void wsmfa_pg_leave(struct wsmfa_pg *pg, bool probe, enum wsmfa_store_result r)
{
	int64_t open_for;

	switch (wsmfa_pg_breaker_leave(&pg->breaker, wsmfa_pg_clock(), probe, r, &open_for)) {
	case PG_BREAKER_SAME: break;
	case PG_BREAKER_OPENED:
		wsmfa_pg_log(&pg->config, 'e', "database: not usable, breaker open: next try in %d ms",
			     (int)(open_for / 1000));
		break;
	case PG_BREAKER_CLOSED: wsmfa_pg_log(&pg->config, 'w', "database: usable again, breaker closed"); break;
	}
}

int64_t wsmfa_pg_deadline(struct wsmfa_pg const *pg)
{
	return wsmfa_pg_clock() + pg->config.store_timeout_ms * INT64_C(1000);
}

enum wsmfa_store_result wsmfa_pg_call(struct wsmfa_pg *pg, char const *statement, struct pg_params const *params,
				      bool reads_only, int64_t deadline, PGresult **result)
{
	enum wsmfa_store_result r;
	bool probe;

	if (!wsmfa_pg_enter(pg, wsmfa_pg_clock(), &probe))
		return WSMFA_STORE_DOWN;
	r = wsmfa_pg_run(pg, statement, params, reads_only, deadline, result);
	wsmfa_pg_leave(pg, probe, r);
	return r;
}

enum wsmfa_store_result wsmfa_pg_decoded(struct wsmfa_pg *pg, char const *statement, struct pg_row const *row,
					 PGresult *result)
{
	enum wsmfa_store_result r = WSMFA_STORE_OK;

	if (row->bad) {
		wsmfa_pg_log(&pg->config, 'e', "database: %s: column %s of the answer is not what it should be",
			     statement, row->bad);
		r = WSMFA_STORE_BROKEN;
	}
	wsmfa_pg_clear(result);
	return r;
}

static struct pg_batch_kind const *const batch_kinds[PG_BATCHES] = {
	[PG_LOADS] = &wsmfa_pg_loads,
	[PG_TAKES] = &wsmfa_pg_takes,
	[PG_OPENS] = &wsmfa_pg_opens,
	[PG_SETTLES] = &wsmfa_pg_settles,
};

static void pg_free(struct wsmfa_store *s)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;

	wsmfa_pg_road_end(&pg->road);
	wsmfa_pg_breaker_end(&pg->breaker);
	free(pg);
}

static struct wsmfa_store_ops const pg_ops = {
	.load = wsmfa_pg_load,
	.take = wsmfa_pg_take,
	.open = wsmfa_pg_open,
	.settle = wsmfa_pg_settle,
	.wait = wsmfa_pg_wait,
	.settle_push = wsmfa_pg_settle_push,
	.free = pg_free,
};

struct wsmfa_store *wsmfa_pg_new(struct wsmfa_pg_config const *config, struct wsmfa_pg_pool const *pool)
{
	struct wsmfa_pg *pg = calloc(1, sizeof(*pg));

	if (!pg)
		return NULL;
	if (!wsmfa_pg_breaker_init(&pg->breaker, config->breaker_failures, config->breaker_open_ms,
				   config->breaker_open_max_ms)) {
		free(pg);
		return NULL;
	}
	if (!wsmfa_pg_road_init(&pg->road)) {
		wsmfa_pg_breaker_end(&pg->breaker);
		free(pg);
		return NULL;
	}
	for (int i = 0; i < PG_BATCHES; i++)
		pg->batches[i] = (struct pg_batch) { .kind = batch_kinds[i], .road = &pg->road };
	pg->store.ops = &pg_ops;
	pg->config = *config;
	pg->pool = *pool;
	return &pg->store;
}
