/* The engine's PostgreSQL connection over libpq's asynchronous calls; see db.h.
 * Apart from db_address.c, which only finds where to connect to. One statement is on its way at a time. */
#include "engine/db.h"

#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/db_address.h"
#include "provider/out.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define LOG_AGAIN_MS   60000 //!< the same trouble is logged once in this time
#define IDS_MAX        65536

enum db_state { DB_OFF = 0, DB_RESOLVING, DB_CONNECTING, DB_SETTING_UP, DB_READY };

struct statement {
	struct statement *next;
	wsmfa_db_done *done;
	void *ctx;
	char const *sql; //!< a literal
	int params_len;
	char *params[WSMFA_DB_PARAMS_MAX];
};

struct wsmfa_db {
	uv_loop_t *loop;
	struct wsmfa_db_config config;
	char *conninfo;
	enum db_state state;
	PGconn *conn;
	uv_poll_t *poll;  //!< of the connection's socket; closed and made new with each socket
	uv_timer_t timer; //!< deadline of what is on its way, or the back-off
	uint64_t backoff_ms;
	struct wsmfa_db_address *address; //!< being resolved
	struct statement *first, **end;
	bool sent; //!< `first` is on its way
	bool busy; //!< in a callback: the queue is served when it returns
	bool closing;
	enum wsmfa_db_result result; //!< of `first`
	int64_t *ids;
	size_t ids_len;
	char said[256]; //!< the last trouble logged
	uint64_t said_at_ms;
	bool troubled;
};

static void db_connect(struct wsmfa_db *db);
static void db_on_poll(uv_poll_t *poll, int status, int events);

static void db_trouble(struct wsmfa_db *db, char const *what, char const *detail)
{
	char text[256], clean[200];
	uint64_t now = uv_now(db->loop);

	wsmfa_foreign_clean(clean, sizeof(clean), detail, strlen(detail));
	snprintf(text, sizeof(text), "database: %s: %s", what, clean);
	if (strcmp(text, db->said) == 0 && now - db->said_at_ms < LOG_AGAIN_MS)
		return;
	memcpy(db->said, text, sizeof(text));
	db->said_at_ms = now;
	db->config.log(db->config.ctx, 'w', text);
}

static void poll_closed(uv_handle_t *handle)
{
	free(handle);
}

/** Before libpq may close its socket: epoll must not keep a number that the next socket gets again. */
static void db_unwatch(struct wsmfa_db *db)
{
	if (!db->poll)
		return;
	uv_poll_stop(db->poll);
	uv_close((uv_handle_t *)db->poll, poll_closed);
	db->poll = NULL;
}

static bool db_watch(struct wsmfa_db *db, int events)
{
	if (!db->poll) {
		db->poll = malloc(sizeof(*db->poll));
		if (!db->poll)
			return false;
		if (uv_poll_init(db->loop, db->poll, PQsocket(db->conn)) != 0) {
			free(db->poll);
			db->poll = NULL;
			return false;
		}
		db->poll->data = db;
	}
	return uv_poll_start(db->poll, events, db_on_poll) == 0;
}

static void statement_free(struct statement *s)
{
	for (int i = 0; i < s->params_len; i++)
		free(s->params[i]);
	free(s);
}

/** Ends the first statement. */
static void statement_end(struct wsmfa_db *db, enum wsmfa_db_result result)
{
	struct statement *s = db->first;
	int64_t *ids = db->ids;
	size_t n = db->ids_len;

	db->first = s->next;
	if (!db->first)
		db->end = &db->first;
	db->sent = false;
	db->ids = NULL;
	db->ids_len = 0;
	s->done(s->ctx, result, ids, n);
	free(ids);
	statement_free(s);
}

static void db_on_backoff(uv_timer_t *timer)
{
	db_connect(timer->data);
}

/** The connection is gone, or was never there: all that is queued is DOWN, and we try again later. */
static void db_lost(struct wsmfa_db *db, char const *what, char const *detail)
{
	db_trouble(db, what, detail);
	db->troubled = true;
	db_unwatch(db);
	PQfinish(db->conn);
	db->conn = NULL;
	db->state = DB_OFF;
	uv_timer_start(&db->timer, db_on_backoff, db->backoff_ms, 0);
	db->backoff_ms = db->backoff_ms * 2 < BACKOFF_MAX_MS ? db->backoff_ms * 2 : BACKOFF_MAX_MS;
	while (db->first)
		statement_end(db, WSMFA_DB_DOWN);
}

static void db_on_timeout(uv_timer_t *timer)
{
	struct wsmfa_db *db = timer->data;

	db_lost(db, db->state == DB_READY ? "no answer to a statement" : "no connection", "timeout");
}

static void db_deadline(struct wsmfa_db *db)
{
	uv_timer_start(&db->timer, db_on_timeout, (uint64_t)db->config.timeout_ms, 0);
}

/** Puts libpq's output on the wire; false when the connection is gone. */
static bool db_flush(struct wsmfa_db *db)
{
	int r = PQflush(db->conn);

	return r >= 0 && db_watch(db, r == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void db_send(struct wsmfa_db *db)
{
	struct statement *s = db->first;

	if (db->state != DB_READY || db->busy || db->sent || !s)
		return;
	db->sent = true;
	db->result = WSMFA_DB_OK;
	db_deadline(db);
	if (!PQsendQueryParams(db->conn, s->sql, s->params_len, NULL, (char const *const *)s->params, NULL, NULL, 0) ||
	    !db_flush(db))
		db_lost(db, "a statement could not be sent", PQerrorMessage(db->conn));
}

/** Are the values of a statement wrong, so that trying again is in vain? Class 22 data, 23 integrity. */
static bool is_final(PGresult const *res)
{
	char const *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state && state[0] == '2' && (state[1] == '2' || state[1] == '3');
}

static void result_ids(struct wsmfa_db *db, PGresult const *res)
{
	int n = PQntuples(res);

	if (n <= 0 || n > IDS_MAX || PQnfields(res) < 1)
		return;
	free(db->ids);
	db->ids_len = 0;
	db->ids = calloc((size_t)n, sizeof(*db->ids));
	for (int i = 0; db->ids && i < n; i++) {
		if (!PQgetisnull(res, i, 0))
			db->ids[db->ids_len++] = strtoll(PQgetvalue(res, i, 0), NULL, 10);
	}
}

static void db_take_result(struct wsmfa_db *db, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE: result_ids(db, res); break;
	case PGRES_COMMAND_OK: break;
	default:
		db->result = is_final(res) ? WSMFA_DB_REFUSED : WSMFA_DB_DOWN;
		db_trouble(db, "a statement failed", PQresultErrorMessage(res));
	}
	PQclear(res);
}

static void db_is_ready(struct wsmfa_db *db)
{
	uv_timer_stop(&db->timer);
	if (db->result != WSMFA_DB_OK) {
		db_lost(db, "LISTEN was refused", PQerrorMessage(db->conn));
		return;
	}
	db->state = DB_READY;
	db->backoff_ms = BACKOFF_MIN_MS;
	if (db->troubled)
		db->config.log(db->config.ctx, 'i', "database: connected again");
	db->troubled = false;
	db->said[0] = '\0';
	db->busy = true;
	db->config.on_up(db->config.ctx);
	db->busy = false;
}

static void db_read(struct wsmfa_db *db)
{
	PGnotify *notify;

	if (!PQconsumeInput(db->conn)) {
		db_lost(db, "connection lost", PQerrorMessage(db->conn));
		return;
	}
	db->busy = true;
	while ((notify = PQnotifies(db->conn))) {
		char *end;
		long long id = strtoll(notify->extra, &end, 10);

		if (*notify->extra && !*end && strcmp(notify->relname, "wsmfa_answer") == 0)
			db->config.on_notify(db->config.ctx, id);
		PQfreemem(notify);
	}
	db->busy = false;
	while ((db->sent || db->state == DB_SETTING_UP) && !PQisBusy(db->conn)) {
		PGresult *res = PQgetResult(db->conn);

		if (res) {
			db_take_result(db, res);
			continue;
		}
		if (PQstatus(db->conn) != CONNECTION_OK) {
			db_lost(db, "connection lost", PQerrorMessage(db->conn));
			return;
		}
		if (db->state == DB_SETTING_UP) {
			db_is_ready(db);
			if (db->state != DB_READY)
				return;
			break;
		}
		uv_timer_stop(&db->timer);
		db->busy = true;
		statement_end(db, db->result);
		db->busy = false;
	}
	db_send(db);
}

/** statement_timeout: what we gave up must not go on at the server. */
static void db_set_up(struct wsmfa_db *db)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SET statement_timeout = %d; LISTEN wsmfa_answer", (int)db->config.timeout_ms);
	db->state = DB_SETTING_UP;
	db->result = WSMFA_DB_OK;
	if (PQsetnonblocking(db->conn, 1) != 0 || !PQsendQuery(db->conn, sql) || !db_flush(db))
		db_lost(db, "connection lost", PQerrorMessage(db->conn));
}

/** A step of the connection; libpq may have another socket after it. */
static void db_connect_step(struct wsmfa_db *db)
{
	PostgresPollingStatusType status;

	db_unwatch(db);
	status = PQconnectPoll(db->conn);
	if (status == PGRES_POLLING_OK)
		db_set_up(db);
	else if (status == PGRES_POLLING_FAILED ||
		 !db_watch(db, status == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
		db_lost(db, "no connection", PQerrorMessage(db->conn));
}

static void db_on_poll(uv_poll_t *poll, int status, int events)
{
	struct wsmfa_db *db = poll->data;

	(void)status; /* an error of the socket shows in libpq's own calls */
	if (db->state == DB_CONNECTING) {
		db_connect_step(db);
		return;
	}
	if ((events & UV_WRITABLE) && !db_flush(db)) {
		db_lost(db, "connection lost", PQerrorMessage(db->conn));
		return;
	}
	db_read(db);
}

/** libpq would write them to stderr. */
static void ignore_notice(void *ctx, char const *text)
{
	(void)ctx;
	(void)text;
}

static void db_on_address(void *ctx, char const *const *keywords, char const *const *values, char const *problem)
{
	struct wsmfa_db *db = ctx;

	db->address = NULL;
	if (db->closing)
		return;
	if (problem) {
		db_lost(db, "no connection", problem);
		return;
	}
	db->conn = PQconnectStartParams(keywords, values, 0);
	if (!db->conn || PQstatus(db->conn) == CONNECTION_BAD) {
		db_lost(db, "no connection", db->conn ? PQerrorMessage(db->conn) : "no memory");
		return;
	}
	PQsetNoticeProcessor(db->conn, ignore_notice, NULL);
	db->state = DB_CONNECTING;
	db_deadline(db);
	if (!db_watch(db, UV_WRITABLE))
		db_lost(db, "no connection", "no socket");
}

static void db_connect(struct wsmfa_db *db)
{
	db->state = DB_RESOLVING;
	if (!wsmfa_db_address_find(db->loop, db->conninfo, db_on_address, db, &db->address))
		db_lost(db, "no connection", "no memory");
}

static struct wsmfa_db *pg_open(uv_loop_t *loop, struct wsmfa_db_config const *config)
{
	struct wsmfa_db *db = calloc(1, sizeof(*db));

	if (!db)
		return NULL;
	db->conninfo = strdup(config->conninfo);
	if (!db->conninfo) {
		free(db);
		return NULL;
	}
	db->loop = loop;
	db->config = *config;
	db->config.conninfo = db->conninfo;
	db->end = &db->first;
	db->backoff_ms = BACKOFF_MIN_MS;
	uv_timer_init(loop, &db->timer);
	db->timer.data = db;
	uv_timer_start(&db->timer, db_on_backoff, 0, 0);
	return db;
}

static bool pg_up(struct wsmfa_db const *db)
{
	return db->state == DB_READY;
}

static void pg_query(struct wsmfa_db *db, char const *sql, char const *const *params, int params_len,
		     wsmfa_db_done *done, void *ctx)
{
	struct statement *s = params_len > WSMFA_DB_PARAMS_MAX ? NULL : calloc(1, sizeof(*s));

	for (int i = 0; s && i < params_len; i++) {
		s->params[i] = strdup(params[i]);
		s->params_len = i + 1;
		if (!s->params[i]) {
			statement_free(s);
			s = NULL;
		}
	}
	if (!s || db->state != DB_READY) {
		if (s)
			statement_free(s);
		done(ctx, WSMFA_DB_DOWN, NULL, 0);
		return;
	}
	s->sql = sql;
	s->done = done;
	s->ctx = ctx;
	*db->end = s;
	db->end = &s->next;
	db_send(db);
}

static void db_closed(uv_handle_t *handle)
{
	struct wsmfa_db *db = handle->data;

	free(db->ids);
	OPENSSL_cleanse(db->conninfo, strlen(db->conninfo)); /* it may hold a password */
	free(db->conninfo);
	free(db);
}

static void pg_close(struct wsmfa_db *db)
{
	db->closing = true;
	db->state = DB_OFF;
	db->busy = true;
	while (db->first)
		statement_end(db, WSMFA_DB_DOWN);
	db_unwatch(db);
	PQfinish(db->conn);
	db->conn = NULL;
	if (db->address)
		wsmfa_db_address_cancel(db->address);
	uv_close((uv_handle_t *)&db->timer, db_closed);
}

struct wsmfa_db_ops const wsmfa_db_pg = {
	.open = pg_open,
	.up = pg_up,
	.query = pg_query,
	.close = pg_close,
};
