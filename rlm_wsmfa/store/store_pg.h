/*
 * The store in PostgreSQL: how it is made, and the connections that the caller pools for it.
 * It stands apart from store.h, which says nothing of a database. No host header: the glue brings its own pool.
 */
#ifndef WSMFA_STORE_STORE_PG_H
#define WSMFA_STORE_STORE_PG_H

#include "store/store.h"

/* The schemas that the statements fit, as the numbers of their newest migrations. A test holds the newest against sql/. */
#define WSMFA_SCHEMA_OLDEST 21
#define WSMFA_SCHEMA_NEWEST 21

/** Borrowed, strings included, by every connection and store made from it. */
struct wsmfa_pg_config {
	char const *conninfo;        //!< libpq's; secret. An application_name in it stands.
	int32_t store_timeout_ms;    //!< a call's budget, a connection made for it included.
	int32_t failure_days;        //!< what a load counts failures of, as in struct wsmfa_limits; 0: 30.
	int32_t breaker_failures;    //!< consecutive calls that ended DOWN before it opens; 0: 3.
	int32_t breaker_open_ms;     //!< the first time it opens, doubling with each probe that fails; 0: 1000.
	int32_t breaker_open_max_ms; //!< 0: 30000.
	/** Log sink, called from any thread: 'e' error, 'w' warning, 'i' info, 'd' debug. Text has no secrets. */
	void (*log)(void *ctx, char level, char const *text);
	void *log_ctx;
};

/** One connection with its statements prepared. One thread at a time. */
struct wsmfa_pg_conn;

/**
 * Connects, checks the schema's version and prepares the statements, within store_timeout_ms; less when a store's call on
 * this thread waits for it, which it does when the caller's pool makes connections in `get`. NULL after one line of log.
 * A server's name is looked up by libpq without a time limit: give an address or a socket's folder.
 */
struct wsmfa_pg_conn *wsmfa_pg_connect(struct wsmfa_pg_config const *config);
void wsmfa_pg_close(struct wsmfa_pg_conn *conn);
/** False once it is known to be lost. Sends nothing. */
bool wsmfa_pg_alive(struct wsmfa_pg_conn *conn);

/** What the store's call on this thread has left, in microseconds, for a pool that waits; 0 outside of a call. */
int64_t wsmfa_pg_time_left(void);

/** The caller's pool. Called by any thread, without a lock. */
struct wsmfa_pg_pool {
	struct wsmfa_pg_conn *(*get)(void *ctx); //!< NULL: none to be had now; logged by the pool.
	void (*release)(void *ctx, struct wsmfa_pg_conn *conn);
	void (*discard)(void *ctx,
			struct wsmfa_pg_conn *conn); //!< to be closed: it is lost, or nobody knows what it does.
	void *ctx;
};

/**
 * A store over a pool. NULL without memory. May be made before the pool has connections; a call that needs one gets it.
 * A call that ends DOWN or BROKEN has logged why, once; but calls that an open breaker turns away log nothing.
 */
struct wsmfa_store *wsmfa_pg_new(struct wsmfa_pg_config const *config, struct wsmfa_pg_pool const *pool);

#endif
