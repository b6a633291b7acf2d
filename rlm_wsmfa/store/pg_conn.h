/*
 * One connection to PostgreSQL, never waiting longer than its deadline.
 * It stands apart from the statements: this is libpq's protocol and SQLSTATEs, those are ours.
 */
#ifndef WSMFA_STORE_PG_CONN_H
#define WSMFA_STORE_PG_CONN_H

#include <libpq-fe.h>

#include "store/pg_value.h"
#include "store/store_pg.h"

struct wsmfa_pg_conn {
	PGconn *pg;
	struct wsmfa_pg_config const *config;
	bool lost; //!< the server said that it goes away.
};

/** How a statement went, and so what may be done next. */
enum pg_how {
	PG_HOW_BROKEN = 0, //!< the server refused it for good.
	PG_HOW_DONE,
	PG_HOW_ROLLED_BACK, //!< for a conflict: it did nothing and may be tried again.
	PG_HOW_STALE,       //!< it certainly did not run; a fresh connection may run it.
	PG_HOW_LOST,        //!< the connection broke; nobody knows whether it ran.
	PG_HOW_TIMEOUT,     //!< as lost, and the time is over.
	PG_HOW_DOWN,        //!< the server can't serve now; it did nothing.
};

/** Monotonic, microseconds. */
int64_t wsmfa_pg_clock(void);
/** Connections made on this thread keep to this deadline too; 0 for none. */
void wsmfa_pg_deadline_set(int64_t deadline);
/** One line, cleaned and bounded. */
void wsmfa_pg_log(struct wsmfa_pg_config const *config, char level, char const *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Runs a prepared statement until the server is idle again, so that what it did is durable. *result (the caller clears it)
 * only with PG_HOW_DONE; every other value was logged, but STALE.
 */
enum pg_how wsmfa_pg_execute(struct wsmfa_pg_conn *conn, char const *statement, struct pg_params const *params,
			     int64_t deadline, PGresult **result);
/** What an error result means; for wsmfa_pg_execute and its tests. `sqlstate` NULL: the connection broke. */
enum pg_how wsmfa_pg_error(char const *sqlstate);

/** The text that prepares all statements, for connections: PREPARE commands, separated by semicolons. */
extern char const wsmfa_pg_prepare[];

#endif
