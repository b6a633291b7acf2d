/* The engine's connection against a real PostgreSQL, and requests that wait for its rows; tests/sql/engine.t runs it.
 * Apart from test_engine.c, whose database is a few variables: here it notifies, refuses, hangs and cuts by itself. */
#include "unit.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "fake_host.h"

#define WITHIN_MS  15000 //!< what comes, comes within this
#define TIMEOUT_MS 1000	 //!< of connect and statements

static PGconn *owner;

/** Runs a statement as the owner; its first value as a number. */
__attribute__((format(printf, 1, 2))) static int64_t sql(char const *format, ...)
{
	char text[1024];
	PGresult *r;
	int64_t n = 0;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r = PQexec(owner, text);
	if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", text, PQerrorMessage(owner));
	if (PQntuples(r) > 0)
		n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return n;
}

static void sql_wait(char const *query)
{
	uint64_t until = wsmfa_monotonic_ms() + WITHIN_MS;

	while (!sql("%s", query))
		assert_true(wsmfa_monotonic_ms() < until);
}

#define RADIUS "FROM pg_stat_activity WHERE usename = 'wsmfa_radius' AND datname = current_database()"

/* ---- the connection by itself ---- */

static uv_loop_t loop;
static struct wsmfa_db *db;
static char said[4096];
static int ups, notified;
static int64_t notified_sum;

static void on_log(void *ctx, char level, char const *text)
{
	size_t len = strlen(said);

	(void)ctx;
	snprintf(said + len, sizeof(said) - len, "%c %s\n", level, text);
}

static void on_up(void *ctx)
{
	(void)ctx;
	ups++;
}

static void on_notify(void *ctx, int64_t id)
{
	(void)ctx;
	notified++;
	notified_sum += id;
}

/** One statement and what became of it. */
struct asked {
	int done;
	enum wsmfa_db_result result;
	int64_t ids[16];
	size_t ids_len;
};

static void on_done(void *ctx, enum wsmfa_db_result result, int64_t const *ids, size_t n)
{
	static int order;
	struct asked *a = ctx;

	a->done = ++order;
	a->result = result;
	a->ids_len = n;
	for (size_t i = 0; i < n && i < LENGTH(a->ids); i++)
		a->ids[i] = ids[i];
}

#define LOOP_UNTIL(condition)                                                \
	do {                                                                 \
		uint64_t until_ms = wsmfa_monotonic_ms() + WITHIN_MS;        \
		while (!(condition)) {                                       \
			if (wsmfa_monotonic_ms() > until_ms)                 \
				fail_msg("never: %s\n%s", #condition, said); \
			uv_run(&loop, UV_RUN_NOWAIT);                        \
		}                                                            \
	} while (0)

static struct asked ask(char const *text, char const *param)
{
	struct asked a = { .done = 0 };

	wsmfa_db_pg.query(db, text, &param, param ? 1 : 0, on_done, &a);
	LOOP_UNTIL(a.done);
	return a;
}

static int db_begin(void **state)
{
	struct wsmfa_db_config const config = { .conninfo = "user=wsmfa_radius",
						.timeout_ms = TIMEOUT_MS,
						.on_up = on_up,
						.on_notify = on_notify,
						.log = on_log };

	(void)state;
	said[0] = '\0';
	ups = notified = 0;
	notified_sum = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	db = wsmfa_db_pg.open(&loop, &config);
	assert_non_null(db);
	LOOP_UNTIL(ups == 1 && wsmfa_db_pg.up(db));
	return 0;
}

static int db_end(void **state)
{
	(void)state;
	wsmfa_db_pg.close(db);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void statements_in_their_order(void **state)
{
	char const *const params[3][2] = { { "7", "9" }, { "1", "0" }, { "-5", "10" } };
	struct asked a[3];

	(void)state;
	memset(a, 0, sizeof(a));
	for (size_t i = 0; i < 3; i++)
		wsmfa_db_pg.query(db, "SELECT generate_series($1::bigint, $2::bigint)", params[i], 2, on_done, &a[i]);
	LOOP_UNTIL(a[2].done);
	assert_true(a[0].done < a[1].done && a[1].done < a[2].done);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(a[i].result, WSMFA_DB_OK);
	assert_int_equal(a[0].ids_len, 3);
	assert_int_equal(a[0].ids[2], 9);
	assert_int_equal(a[1].ids_len, 0);
	assert_int_equal(a[2].ids_len, 16);
	assert_int_equal(a[2].ids[0], -5);
}

static void wrong_values_are_not_a_wrong_time(void **state)
{
	(void)state;
	assert_int_equal(ask("SELECT $1::bigint", "no number").result, WSMFA_DB_REFUSED);
	assert_int_equal(ask("SELECT wsmfa.no_such_function($1)", "1").result, WSMFA_DB_DOWN);
	assert_int_equal(ask("SELECT count(*) FROM wsmfa.account", NULL).result, WSMFA_DB_DOWN);
	assert_non_null(strstr(said, "permission denied"));
	assert_int_equal(ask("SELECT $1::bigint", "1").result, WSMFA_DB_OK);
	assert_int_equal(ups, 1);
}

static void a_statement_that_hangs(void **state)
{
	(void)state;
	assert_int_equal(ask("SELECT 1 FROM pg_sleep(60)", NULL).result, WSMFA_DB_DOWN);
	sql_wait("SELECT (count(*) = 0)::int " RADIUS " AND state = 'active' AND query LIKE '%pg_sleep%'");
	LOOP_UNTIL(wsmfa_db_pg.up(db));
	assert_int_equal(ask("SELECT 1", NULL).result, WSMFA_DB_OK);
}

static void notifications(void **state)
{
	(void)state;
	sql("SELECT pg_notify('wsmfa_answer', x) FROM unnest(array['', 'x', '7x', '77']) x");
	sql("SELECT pg_notify('elsewhere', '78')");
	LOOP_UNTIL(notified);
	assert_int_equal(notified_sum, 77);
	sql("SELECT pg_notify('wsmfa_answer', n::text) FROM generate_series(1, 5000) n");
	LOOP_UNTIL(notified == 5001);
	assert_int_equal(notified_sum, 77 + INT64_C(5000) * 5001 / 2);
	/* Between question and answer as well. */
	sql("SELECT pg_notify('wsmfa_answer', '1')");
	assert_int_equal(ask("SELECT 1", NULL).result, WSMFA_DB_OK);
	LOOP_UNTIL(notified == 5002);
}

static void a_connection_that_is_cut(void **state)
{
	struct asked a[3];

	(void)state;
	memset(a, 0, sizeof(a));
	wsmfa_db_pg.query(db, "SELECT 1 FROM pg_sleep(60)", NULL, 0, on_done, &a[0]);
	wsmfa_db_pg.query(db, "SELECT 2", NULL, 0, on_done, &a[1]);
	sql("SELECT pg_terminate_backend(pid) " RADIUS);
	LOOP_UNTIL(a[1].done);
	assert_int_equal(a[0].result, WSMFA_DB_DOWN);
	assert_int_equal(a[1].result, WSMFA_DB_DOWN);
	assert_false(wsmfa_db_pg.up(db));
	wsmfa_db_pg.query(db, "SELECT 3", NULL, 0, on_done, &a[2]);
	assert_int_equal(a[2].result, WSMFA_DB_DOWN);
	LOOP_UNTIL(ups == 2);
	assert_true(wsmfa_db_pg.up(db));
	assert_non_null(strstr(said, "connection lost"));
	assert_non_null(strstr(said, "connected again"));
	sql("SELECT pg_notify('wsmfa_answer', '5')");
	LOOP_UNTIL(notified == 1);
}

/* ---- requests that wait for rows ---- */

static struct wsmfa_engine *engine;
static struct fake_host host;
static int64_t next_ticket = 1;

static int engine_begin(void **state)
{
	struct wsmfa_engine_config const config = { .conninfo = "user=wsmfa_radius",
						    .store_timeout_ms = TIMEOUT_MS,
						    .server_name = "engine_pg",
						    .failure_budget = 30,
						    .failure_days = 30,
						    .park_address = "127.0.0.1",
						    .park_secret = FAKE_HOST_SECRET,
						    .park_max = 100,
						    .park_account_max = 2,
						    .log = on_log };
	char err[256] = "";

	(void)state;
	said[0] = '\0';
	sql("DELETE FROM wsmfa.server");
	engine = wsmfa_engine_start(&config, err, sizeof(err));
	assert_string_equal(err[0] && !engine ? err : "", "");
	fake_host_open(&host, wsmfa_engine_park_port(engine));
	sql_wait("SELECT count(*) FROM wsmfa.server WHERE name = 'engine_pg' AND engine = 'running'");
	return 0;
}

static int engine_end(void **state)
{
	(void)state;
	fake_host_close(&host);
	wsmfa_engine_free(engine);
	assert_int_equal(sql("SELECT count(*) FROM wsmfa.server WHERE name = 'engine_pg' AND engine = 'stopped'"), 1);
	return 0;
}

static int64_t push_open(void)
{
	return sql("INSERT INTO wsmfa.challenge (account_id, kind, client, station, service, login, attempt, opened_at, expires_at,"
		   " code_expires_at, provider, push_state) VALUES (1, 'push', 'c', 's', 'x', '', 1, now(), now() + interval '1 h',"
		   " now() + interval '1 h', 'local', 'pending') RETURNING id");
}

/** Parks a request that waits for this push. */
static struct fake_request waits(int64_t challenge_id)
{
	struct wsmfa_job job = { .kind = WSMFA_JOB_WAIT, .ticket = next_ticket++, .challenge_id = challenge_id };

	job.account_id = job.ticket;
	job.wake_at = job.expires_at = wsmfa_wall_now() + INT64_C(300000000);
	assert_int_equal(wsmfa_engine_park(engine, &job), WSMFA_PARK_OK);
	return fake_host_park(&host, (uint8_t)job.ticket, job.ticket);
}

static void woken(struct fake_request const *request)
{
	struct wsmfa_woken result;

	assert_int_equal(fake_host_answer(&host, request, 1, WITHIN_MS), 0);
	assert_true(wsmfa_engine_collect(engine, next_ticket - 1, &result));
	assert_false(result.timed_out);
}

static void an_answer_wakes(void **state)
{
	int64_t id = push_open();
	struct fake_request request = waits(id);

	(void)state;
	assert_int_equal(fake_host_answer(&host, NULL, 0, 300), -1);
	sql("SELECT wsmfa.answer_push(%lld, false)", (long long)id);
	woken(&request);
	assert_int_equal(engine->count.notified, 1);
}

static void an_answer_that_came_before(void **state)
{
	int64_t id = push_open();
	struct fake_request request;

	(void)state;
	sql("SELECT wsmfa.answer_push(%lld, true)", (long long)id);
	request = waits(id);
	woken(&request);
	request = waits(INT64_MAX); // a row that a crash has taken
	woken(&request);
	assert_true(engine->count.caught_up > 0);
}

/** The engine's connection is cut, and an answer comes while nobody listens. */
static void an_answer_while_nobody_listens(void **state)
{
	int64_t id = push_open();
	struct fake_request request = waits(id);

	(void)state;
	assert_int_equal(fake_host_answer(&host, NULL, 0, 300), -1);
	sql("ALTER ROLE wsmfa_radius CONNECTION LIMIT 0");
	sql("SELECT pg_terminate_backend(pid) " RADIUS);
	sql_wait("SELECT (count(*) = 0)::int " RADIUS);
	sql("SELECT wsmfa.answer_push(%lld, true)", (long long)id);
	assert_int_equal(fake_host_answer(&host, NULL, 0, 300), -1);
	sql("ALTER ROLE wsmfa_radius CONNECTION LIMIT -1");
	woken(&request);
	assert_int_equal(engine->count.caught_up, 1);
	assert_int_equal(engine->count.notified, 0);
}

/** Somebody holds the heartbeat's table: what people wait for is looked up before it is written. */
static void an_answer_behind_a_lock(void **state)
{
	int64_t id = push_open();
	struct fake_request request = waits(id);
	PGconn *holder = PQconnectdb("");

	(void)state;
	assert_int_equal(fake_host_answer(&host, NULL, 0, 300), -1);
	PQclear(PQexec(holder, "BEGIN; LOCK TABLE wsmfa.server"));
	sql("SELECT pg_terminate_backend(pid) " RADIUS);
	sql_wait("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'wsmfa.server'::regclass");
	sql("SELECT wsmfa.answer_push(%lld, true)", (long long)id);
	woken(&request);
	PQfinish(holder);
}

static void events_are_written(void **state)
{
	struct wsmfa_event event = { .at = wsmfa_wall_now(), .outcome = WSMFA_OUTCOME_ACCEPTED };

	(void)state;
	snprintf(event.account, sizeof(event.account), "engine_pg");
	for (int i = 0; i < 300; i++)
		wsmfa_engine_event(engine, &event);
	sql_wait("SELECT (count(*) = 300)::int FROM wsmfa.event e WHERE e.account = 'engine_pg'");
	sql("SELECT pg_terminate_backend(pid) " RADIUS);
	for (int i = 0; i < 300; i++)
		wsmfa_engine_event(engine, &event);
	sql_wait("SELECT (count(*) >= 600)::int FROM wsmfa.event e WHERE e.account = 'engine_pg'");
}

int main(void)
{
#define DB(test) cmocka_unit_test_setup_teardown(test, db_begin, db_end)
#define ENGINE(test) cmocka_unit_test_setup_teardown(test, engine_begin, engine_end)
	struct CMUnitTest const tests[] = {
		DB(statements_in_their_order), DB(wrong_values_are_not_a_wrong_time), DB(a_statement_that_hangs),
		DB(notifications), DB(a_connection_that_is_cut), ENGINE(an_answer_wakes), ENGINE(an_answer_that_came_before),
		ENGINE(an_answer_while_nobody_listens), ENGINE(an_answer_behind_a_lock), ENGINE(events_are_written),
	};
	int failed;

	owner = PQconnectdb("");
	if (PQstatus(owner) != CONNECTION_OK) {
		fprintf(stderr, "%s", PQerrorMessage(owner));
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	PQfinish(owner);
	return failed;
}
