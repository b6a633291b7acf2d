/* One connection to PostgreSQL: opened, made ready, and each statement run within a deadline.
 * Apart from the statements, because how a connection fails has nothing to do with what it carries. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/pg_conn.h"

/* A pool makes connections inside a call: they spend that call's budget. */
static _Thread_local int64_t thread_deadline;

int64_t wsmfa_pg_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t wsmfa_pg_time_left(void)
{
	int64_t left = thread_deadline - wsmfa_pg_clock();

	return thread_deadline && left > 0 ? left : 0;
}

void wsmfa_pg_deadline_set(int64_t deadline)
{
	thread_deadline = deadline;
}

void wsmfa_pg_log(struct wsmfa_pg_config const *config, char level, char const *format, ...)
{
	char text[512];
	va_list args;

	if (!config->log)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = c[1] ? ' ' : '\0';
	}
	config->log(config->log_ctx, level, text);
}

/* False when the deadline came first. */
static bool pg_poll(PGconn *pg, short events, int64_t deadline)
{
	struct pollfd fd = { .fd = PQsocket(pg), .events = events };

	for (;;) {
		int64_t left = deadline - wsmfa_pg_clock();
		int n;

		if (left <= 0)
			return false;
		n = poll(&fd, 1, (int)((left + 999) / 1000));
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return true; // libpq meets the same error and names it
	}
}

enum pg_how wsmfa_pg_error(char const *sqlstate)
{
	static struct {
		char const *prefix;
		enum pg_how how;
	} const meaning[] = {
		{ "08", PG_HOW_LOST },           // connection exception
		{ "57P", PG_HOW_LOST },          // shut down by the administrator, crashed, starting
		{ "40001", PG_HOW_ROLLED_BACK }, // serialization failure
		{ "40P01", PG_HOW_ROLLED_BACK }, // deadlock
		{ "26000", PG_HOW_STALE },       // the prepared statement is gone
		{ "0A000", PG_HOW_STALE },       // a cached plan must not change its result: the schema is newer
		{ "25006", PG_HOW_DOWN },        // read only: a standby
		{ "53", PG_HOW_DOWN },           // insufficient resources
		{ "57014", PG_HOW_DOWN },        // statement_timeout
		{ "58", PG_HOW_DOWN },           // system error
	};

	if (!sqlstate)
		return PG_HOW_LOST;
	for (size_t i = 0; i < sizeof(meaning) / sizeof(meaning[0]); i++) {
		if (strncmp(sqlstate, meaning[i].prefix, strlen(meaning[i].prefix)) == 0)
			return meaning[i].how;
	}
	return PG_HOW_BROKEN;
}

/* SQLSTATE and the primary message only: details may hold data. */
static enum pg_how pg_error_result(struct wsmfa_pg_conn *conn, char const *what, PGresult const *result)
{
	char const *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char const *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	enum pg_how how = PQstatus(conn->pg) == CONNECTION_BAD ? PG_HOW_LOST : wsmfa_pg_error(state);

	if (how != PG_HOW_STALE)
		wsmfa_pg_log(conn->config, how == PG_HOW_ROLLED_BACK ? 'i' : 'e', "database: %s: %s %s", what,
			     state ? state : "", message ? message : "the connection was lost");
	return how;
}

/* Collects what was sent for, until the server is idle: only then is it committed. Keeps the first error, else the last. */
static enum pg_how pg_collect(struct wsmfa_pg_conn *conn, char const *what, int64_t deadline, PGresult **out)
{
	enum pg_how how = PG_HOW_DONE;
	PGresult *kept = NULL, *r;
	int flush = PQflush(conn->pg);

	for (;;) {
		while (PQisBusy(conn->pg)) {
			if (!pg_poll(conn->pg, flush > 0 ? POLLIN | POLLOUT : POLLIN, deadline)) {
				wsmfa_pg_log(conn->config, 'e', "database: %s: no answer in time", what);
				wsmfa_pg_clear(kept);
				return PG_HOW_TIMEOUT;
			}
			if (!PQconsumeInput(conn->pg))
				break; // PQgetResult tells
			if (flush > 0)
				flush = PQflush(conn->pg);
		}
		r = PQgetResult(conn->pg);
		if (!r)
			break;
		if (how != PG_HOW_DONE) {
			wsmfa_pg_clear(r);
			continue;
		}
		wsmfa_pg_clear(kept);
		kept = r;
		if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
			how = pg_error_result(conn, what, r);
	}
	if (how == PG_HOW_DONE && (!kept || PQstatus(conn->pg) == CONNECTION_BAD))
		how = PG_HOW_LOST;
	if (how != PG_HOW_DONE) {
		wsmfa_pg_clear(kept);
		kept = NULL;
	}
	*out = kept;
	return how;
}

bool wsmfa_pg_alive(struct wsmfa_pg_conn *conn)
{
	struct pollfd fd = { .fd = PQsocket(conn->pg), .events = POLLIN };

	if (fd.fd < 0 || (poll(&fd, 1, 0) != 0 && !PQconsumeInput(conn->pg)))
		return false;
	// An idle server says little else but that it goes away. PQisBusy reads it, as a notice.
	return !PQisBusy(conn->pg) && PQstatus(conn->pg) == CONNECTION_OK && !conn->lost;
}

enum pg_how wsmfa_pg_execute(struct wsmfa_pg_conn *conn, char const *statement, struct pg_params const *params,
			     int64_t deadline, PGresult **result)
{
	*result = NULL;
	if (!wsmfa_pg_alive(conn))
		return PG_HOW_STALE;
	// One packet of a few hundred octets: libpq sends nothing of it when it says no.
	if (!PQsendQueryPrepared(conn->pg, statement, params->len, params->values, params->lengths, params->formats, 1))
		return PG_HOW_STALE;
	return pg_collect(conn, statement, deadline, result);
}

static bool pg_open(struct wsmfa_pg_conn *conn, int64_t deadline)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	char const *message, *password;

	while (PQstatus(conn->pg) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
		if (!pg_poll(conn->pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
			wsmfa_pg_log(conn->config, 'e', "database: connect: no answer in time");
			return false;
		}
		next = PQconnectPoll(conn->pg);
	}
	if (next == PGRES_POLLING_OK)
		return PQsetnonblocking(conn->pg, 1) == 0;
	message = PQerrorMessage(conn->pg);
	password = PQpass(conn->pg);
	if (password && *password && strstr(message, password))
		message = "refused";
	wsmfa_pg_log(conn->config, 'e', "database: connect: %s", message);
	return false;
}

/* Simple statements, the last one's first column as a number, 0 without one. False after a line of log. */
static bool pg_run(struct wsmfa_pg_conn *conn, char const *what, char const *sql, int64_t deadline, int *number)
{
	PGresult *result = NULL;
	enum pg_how how = PG_HOW_LOST;

	if (PQsendQuery(conn->pg, sql))
		how = pg_collect(conn, what, deadline, &result);
	*number = how == PG_HOW_DONE && PQntuples(result) == 1 ? atoi(PQgetvalue(result, 0, 0)) : 0;
	PQclear(result);
	return how == PG_HOW_DONE;
}

static bool pg_make_ready(struct wsmfa_pg_conn *conn, int64_t deadline)
{
	char settings[400];
	int number, schema = -1;

	// The last ones are about plans. Every statement here finds a few rows by an index, from table to table as it is written: one plan
	// is right for whatever is asked, also for a table that was empty when it was made. Else a new connection plans each one five times
	// over.
	snprintf(settings, sizeof(settings),
		 "SET statement_timeout = %d; SET idle_in_transaction_session_timeout = %d; "
		 "SET client_min_messages = error; "
		 "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
		 "SET enable_hashjoin = off; SET enable_mergejoin = off; SET join_collapse_limit = 1; SET jit = off",
		 conn->config->store_timeout_ms, conn->config->store_timeout_ms);
	if (!pg_run(conn, "settings", settings, deadline, &number) ||
	    !pg_run(conn, "schema", "SELECT wsmfa.schema_check()", deadline, &schema)) {
		if (!schema)
			wsmfa_pg_log(
				conn->config, 'e',
				"database: it does not say which schema it has: run sql/migrate, and look at the role's grants");
		return false;
	}
	if (schema < WSMFA_SCHEMA_OLDEST || schema > WSMFA_SCHEMA_NEWEST) {
		wsmfa_pg_log(conn->config, 'e', "database: its schema is number %d and this module knows %d to %d: %s",
			     schema, WSMFA_SCHEMA_OLDEST, WSMFA_SCHEMA_NEWEST,
			     schema < WSMFA_SCHEMA_OLDEST ? "run sql/migrate" : "install a newer module");
		return false;
	}
	return pg_run(conn, "prepare", wsmfa_pg_prepare, deadline, &number);
}

/* libpq quotes what it can't parse, and that may be the password. */
static bool conninfo_check(struct wsmfa_pg_config const *config)
{
	PQconninfoOption *options = PQconninfoParse(config->conninfo, NULL);

	if (!options)
		wsmfa_pg_log(config, 'e', "database: the connection string is not one that libpq understands");
	PQconninfoFree(options);
	return options != NULL;
}

/* Notices are not for the log: they may hold data. */
static void notice_read(void *ctx, PGresult const *notice)
{
	struct wsmfa_pg_conn *conn = ctx;
	char const *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		conn->lost = true;
}

struct wsmfa_pg_conn *wsmfa_pg_connect(struct wsmfa_pg_config const *config)
{
	char const *const keywords[] = { "dbname", "fallback_application_name", "client_encoding", NULL };
	char const *const values[] = { config->conninfo, "rlm_wsmfa", "UTF8", NULL };
	int64_t deadline = wsmfa_pg_clock() + config->store_timeout_ms * INT64_C(1000);
	struct wsmfa_pg_conn *conn;

	if (thread_deadline && thread_deadline < deadline)
		deadline = thread_deadline;
	if (!conninfo_check(config))
		return NULL;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	conn->config = config;
	conn->pg = PQconnectStartParams(keywords, values, 1);
	if (conn->pg && pg_open(conn, deadline)) {
		(void)PQsetNoticeReceiver(conn->pg, notice_read, conn);
		if (pg_make_ready(conn, deadline))
			return conn;
	}
	wsmfa_pg_close(conn);
	return NULL;
}

void wsmfa_pg_close(struct wsmfa_pg_conn *conn)
{
	if (!conn)
		return;
	PQfinish(conn->pg);
	free(conn);
}
