/*
 * The store in PostgreSQL from inside: what its files share.
 * Apart from store_pg.h, which is all that its user sees.
 */
#ifndef WSMFA_STORE_PG_STORE_H
#define WSMFA_STORE_PG_STORE_H

#include "store/pg_batch.h"
#include "store/pg_breaker.h"
#include "store/pg_conn.h"

/* What nearly every login calls. */
enum { PG_LOADS, PG_TAKES, PG_OPENS, PG_SETTLES, PG_BATCHES };

struct wsmfa_pg {
	struct wsmfa_store store; // first: a wsmfa_store * is a wsmfa_pg *
	struct wsmfa_pg_config config;
	struct wsmfa_pg_pool pool;
	struct pg_breaker breaker;
	struct pg_road road;
	struct pg_batch batches[PG_BATCHES];
};

extern struct pg_batch_kind const wsmfa_pg_loads, wsmfa_pg_takes, wsmfa_pg_opens, wsmfa_pg_settles;

/** When a call that begins now must have ended: monotonic, microseconds. */
int64_t wsmfa_pg_deadline(struct wsmfa_pg const *pg);
/**
 * Runs a statement until `deadline`. `reads_only`: it may be run again when nobody knows whether it ran.
 * *result only with WSMFA_STORE_OK.
 */
enum wsmfa_store_result wsmfa_pg_call(struct wsmfa_pg *pg, char const *statement, struct pg_params const *params,
				      bool reads_only, int64_t deadline, PGresult **result);
/** As wsmfa_pg_call, past the breaker: for whoever has entered it. */
enum wsmfa_store_result wsmfa_pg_run(struct wsmfa_pg *pg, char const *statement, struct pg_params const *params,
				     bool reads_only, int64_t deadline, PGresult **result);
/** The breaker's door: false turns the call away. Who enters leaves with its result. */
bool wsmfa_pg_enter(struct wsmfa_pg *pg, int64_t now, bool *probe);
void wsmfa_pg_leave(struct wsmfa_pg *pg, bool probe, enum wsmfa_store_result r);
/** What failures are counted of: the setting, or its default. */
int32_t wsmfa_pg_failure_days(struct wsmfa_pg const *pg);
/** Was the row all right? Logs if not; clears the result. */
enum wsmfa_store_result wsmfa_pg_decoded(struct wsmfa_pg *pg, char const *statement, struct pg_row const *row,
					 PGresult *result);

/* Decoders of whole answers, for their tests too. False: *row says which column is wrong. */
bool wsmfa_pg_decode_load(struct pg_rows const *rows, struct wsmfa_account *out, struct pg_row *row);
bool wsmfa_pg_decode_take(struct pg_rows const *rows, enum wsmfa_take_status *status, struct wsmfa_question *question,
			  struct wsmfa_account *account, struct pg_row *row);
bool wsmfa_pg_decode_opened(PGresult const *result, struct wsmfa_opened *out, struct pg_row *row);
bool wsmfa_pg_decode_settled(PGresult const *result, struct wsmfa_settled *out, struct pg_row *row);

enum wsmfa_store_result wsmfa_pg_load(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      struct wsmfa_account *out);
enum wsmfa_store_result wsmfa_pg_take(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      uint8_t const *state_hash, uint8_t const *answer_mac, uint8_t const *digest,
				      enum wsmfa_take_status *status, struct wsmfa_question *question,
				      struct wsmfa_account *account);
enum wsmfa_store_result wsmfa_pg_open(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      struct wsmfa_limits const *limits, int64_t account_id,
				      struct wsmfa_opening const *opening, struct wsmfa_opened *out);
enum wsmfa_store_result wsmfa_pg_settle(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					struct wsmfa_limits const *limits, struct wsmfa_settlement const *settlement,
					struct wsmfa_settled *out);
enum wsmfa_store_result wsmfa_pg_wait(struct wsmfa_store *s, struct wsmfa_origin const *origin, int64_t challenge_id,
				      int64_t waiter, struct wsmfa_settled *out);
enum wsmfa_store_result wsmfa_pg_settle_push(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					     struct wsmfa_limits const *limits, int64_t challenge_id, int64_t waiter,
					     bool give_up, struct wsmfa_opening const *next, struct wsmfa_settled *out);

#endif
