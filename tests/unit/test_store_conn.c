/* Connections of the store in PostgreSQL: deadlines, the breaker, what is tried again and what never is.
 * Apart from the decoders: here a server of our own misbehaves. */
#include "unit.h"

#include <poll.h>
#include <stdlib.h>

#include "fake_pg.h"
#include "store/pg_store.h"

static void breaker_opens_and_probes(void **state)
{
	struct pg_breaker b;
	int64_t open_for;
	bool probe;

	(void)state;
	assert_true(wsmfa_pg_breaker_init(&b, 3, 1000, 3000));
	for (int i = 0; i < 2; i++) {
		assert_true(wsmfa_pg_breaker_enter(&b, 0, &probe));
		assert_int_equal(wsmfa_pg_breaker_leave(&b, 0, probe, WSMFA_STORE_DOWN, &open_for), PG_BREAKER_SAME);
	}
	assert_int_equal(wsmfa_pg_breaker_leave(&b, 0, false, WSMFA_STORE_BROKEN, &open_for), PG_BREAKER_SAME);
	for (int i = 0; i < 3; i++) { // they must follow each other
		assert_true(wsmfa_pg_breaker_enter(&b, 0, &probe));
		assert_false(probe);
		assert_int_equal(wsmfa_pg_breaker_leave(&b, 0, probe, WSMFA_STORE_DOWN, &open_for),
				 i == 2 ? PG_BREAKER_OPENED : PG_BREAKER_SAME);
	}
	assert_int_equal(open_for, 1000000);
	assert_int_equal(wsmfa_pg_breaker_leave(&b, 0, false, WSMFA_STORE_DOWN, &open_for), PG_BREAKER_SAME);
	assert_false(wsmfa_pg_breaker_enter(&b, 999999, &probe));
	assert_true(wsmfa_pg_breaker_enter(&b, 1000000, &probe));
	assert_true(probe);
	assert_false(wsmfa_pg_breaker_enter(&b, 1000000, &probe)); // one at a time
	assert_int_equal(wsmfa_pg_breaker_leave(&b, 1000000, true, WSMFA_STORE_DOWN, &open_for), PG_BREAKER_SAME);
	assert_int_equal(open_for, 2000000);
	assert_false(wsmfa_pg_breaker_enter(&b, 2999999, &probe));
	assert_true(wsmfa_pg_breaker_enter(&b, 3000000, &probe));
	(void)wsmfa_pg_breaker_leave(&b, 3000000, true, WSMFA_STORE_DOWN, &open_for);
	assert_int_equal(open_for, 3000000); // the most
	assert_true(wsmfa_pg_breaker_enter(&b, 6000000, &probe));
	assert_int_equal(wsmfa_pg_breaker_leave(&b, 6000000, true, WSMFA_STORE_OK, &open_for), PG_BREAKER_CLOSED);
	assert_true(wsmfa_pg_breaker_enter(&b, 6000000, &probe));
	assert_false(probe);
	wsmfa_pg_breaker_end(&b);
}

static void *breaker_user(void *arg)
{
	struct pg_breaker *b = arg;
	int64_t open_for;
	bool probe;

	for (int64_t now = 0; now < 20000; now++) {
		if (wsmfa_pg_breaker_enter(b, now, &probe))
			(void)wsmfa_pg_breaker_leave(b, now, probe, now % 5 ? WSMFA_STORE_DOWN : WSMFA_STORE_OK,
						     &open_for);
	}
	return NULL;
}

static void breaker_is_for_all_threads(void **state)
{
	struct pg_breaker b;
	pthread_t threads[4];
	bool probe;

	(void)state;
	assert_true(wsmfa_pg_breaker_init(&b, 3, 1, 1));
	for (size_t i = 0; i < LENGTH(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, breaker_user, &b), 0);
	for (size_t i = 0; i < LENGTH(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(b.probing); // no probe was lost: it would stay open for ever
	assert_true(wsmfa_pg_breaker_enter(&b, INT64_MAX, &probe));
	wsmfa_pg_breaker_end(&b);
}

static void errors_have_meanings(void **state)
{
	static struct {
		char const *sqlstate;
		enum pg_how how;
	} const cases[] = {
		{ NULL, PG_HOW_LOST },           { "08006", PG_HOW_LOST },  { "57P01", PG_HOW_LOST },
		{ "57P03", PG_HOW_LOST },        { "53300", PG_HOW_DOWN },  { "25006", PG_HOW_DOWN },
		{ "58030", PG_HOW_DOWN },        { "57014", PG_HOW_DOWN },  { "40001", PG_HOW_ROLLED_BACK },
		{ "40P01", PG_HOW_ROLLED_BACK }, { "26000", PG_HOW_STALE }, { "42501", PG_HOW_BROKEN },
		{ "23514", PG_HOW_BROKEN },      { "", PG_HOW_BROKEN },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(wsmfa_pg_error(cases[i].sqlstate), cases[i].how);
}

/* A store over a pool of one connection, and a server that does what it is told. */
struct fixture {
	struct fake_pg fake;
	struct wsmfa_pg_config config;
	struct wsmfa_store *store;
	struct wsmfa_pg_conn *conn;
	int connects, discards;
	char logged[2048];
};

static void log_keep(void *ctx, char level, char const *text)
{
	struct fixture *x = ctx;
	size_t len = strlen(x->logged);

	(void)snprintf(x->logged + len, sizeof(x->logged) - len, "%c %s\n", level, text);
}

static struct wsmfa_pg_conn *pool_get(void *ctx)
{
	struct fixture *x = ctx;
	struct wsmfa_pg_conn *conn = x->conn;

	x->conn = NULL;
	if (conn)
		return conn;
	x->connects++;
	return wsmfa_pg_connect(&x->config);
}

static void pool_release(void *ctx, struct wsmfa_pg_conn *conn)
{
	struct fixture *x = ctx;

	x->conn = conn;
}

static void pool_discard(void *ctx, struct wsmfa_pg_conn *conn)
{
	struct fixture *x = ctx;

	x->discards++;
	wsmfa_pg_close(conn);
}

static int fixture_begin(void **state)
{
	static struct fixture x;
	struct wsmfa_pg_pool pool = { pool_get, pool_release, pool_discard, &x };

	memset(&x, 0, sizeof(x));
	x.fake.schema = WSMFA_SCHEMA_NEWEST;
	fake_pg_start(&x.fake);
	x.config = (struct wsmfa_pg_config) {
		.conninfo = x.fake.conninfo, .store_timeout_ms = 5000, .log = log_keep, .log_ctx = &x
	};
	x.store = wsmfa_pg_new(&x.config, &pool);
	*state = &x;
	return 0;
}

static int fixture_end(void **state)
{
	struct fixture *x = *state;

	x->store->ops->free(x->store);
	wsmfa_pg_close(x->conn);
	fake_pg_stop(&x->fake);
	if (strstr(x->logged, "hush") || strstr(x->logged, "secret") || strstr(x->logged, "host="))
		fail_msg("a secret in the log: %s", x->logged);
	return 0;
}

/* A store with another timeout. */
static void fixture_timeout(struct fixture *x, int ms)
{
	struct wsmfa_pg_pool pool = { pool_get, pool_release, pool_discard, x };

	x->store->ops->free(x->store);
	x->config.store_timeout_ms = ms;
	x->store = wsmfa_pg_new(&x->config, &pool);
}

static struct wsmfa_account account;
static struct wsmfa_settled settled;
static struct wsmfa_origin const origin = { .at = 1, .account = "a", .client = "c", .station = "s", .service = "v" };

/* push_wait, which writes. */
static enum wsmfa_store_result call(struct fixture *x)
{
	return x->store->ops->wait(x->store, &origin, 1, 2, &settled);
}

/* login_load, which reads; the fake's answer to it is nonsense. */
static enum wsmfa_store_result call_reading(struct fixture *x)
{
	return x->store->ops->load(x->store, &origin, &account);
}

static void a_call_works(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(call(x), WSMFA_STORE_OK);
	assert_int_equal(settled.status, WSMFA_SETTLE_GONE);
	assert_int_equal(call(x), WSMFA_STORE_OK);
	assert_int_equal(x->connects, 1);
	assert_string_equal(x->logged, "");
}

static void nonsense_is_broken(void **state)
{
	struct fixture *x = *state;

	account.known = true;
	assert_int_equal(call_reading(x), WSMFA_STORE_BROKEN);
	assert_false(account.known);
	assert_string_equal(x->logged,
			    "e database: wsmfa_loads: column n of the answer is not what it should be\n");
}

static void a_refusal_is_broken_and_names_no_detail(void **state)
{
	struct fixture *x = *state;

	x->fake.acts[0] = FAKE_ERROR;
	x->fake.sqlstate = "42501";
	assert_int_equal(call(x), WSMFA_STORE_BROKEN);
	assert_string_equal(x->logged, "e database: wsmfa_wait: 42501 no\n");
	assert_int_equal(call(x), WSMFA_STORE_OK);
}

static void a_failed_commit_is_no_answer(void **state)
{
	struct fixture *x = *state;

	x->fake.acts[0] = FAKE_ERROR_COMMIT;
	x->fake.sqlstate = "58030";
	settled.status = WSMFA_SETTLE_PENDING;
	assert_int_equal(call(x), WSMFA_STORE_DOWN);
	assert_int_equal(settled.status, WSMFA_SETTLE_PENDING); // untouched
}

static void conflicts_are_tried_again_once(void **state)
{
	struct fixture *x = *state;

	x->fake.acts[0] = FAKE_ERROR;
	x->fake.sqlstate = "40P01";
	assert_int_equal(call(x), WSMFA_STORE_OK);
	assert_int_equal(x->fake.executions, 2);
	assert_int_equal(x->connects, 1);
	x->fake.acts[2] = x->fake.acts[3] = FAKE_ERROR;
	assert_int_equal(call(x), WSMFA_STORE_BROKEN);
	assert_int_equal(x->fake.executions, 4);
}

static void what_may_have_run_is_not_sent_again(void **state)
{
	struct fixture *x = *state;

	x->fake.acts[0] = FAKE_HANG_UP;
	assert_int_equal(call(x), WSMFA_STORE_DOWN);
	assert_int_equal(x->fake.executions, 1);
	assert_int_equal(x->discards, 1);
	assert_int_equal(call(x), WSMFA_STORE_OK);
	x->fake.acts[2] = FAKE_HANG_UP; // but what only reads is
	assert_int_equal(call_reading(x), WSMFA_STORE_BROKEN);
	assert_int_equal(x->fake.executions, 4);
}

/* The server is restarted between two calls. */
static void call_over_a_goodbye(struct fixture *x)
{
	struct pollfd fd = { .events = POLLIN };

	x->fake.acts[0] = FAKE_LEAVE;
	assert_int_equal(call(x), WSMFA_STORE_OK);
	fd.fd = PQsocket(x->conn->pg);
	while (wsmfa_pg_alive(x->conn)) // until its goodbye is here
		assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_int_equal(call(x), WSMFA_STORE_OK);
	assert_int_equal(x->fake.executions, 2);
	assert_int_equal(x->connects, 2);
	assert_int_equal(x->discards, 1);
	assert_string_equal(x->logged, "");
}

static void a_connection_left_behind_costs_nothing(void **state)
{
	call_over_a_goodbye(*state);
}

static void a_goodbye_is_understood_before_the_end(void **state)
{
	struct fixture *x = *state;

	x->fake.linger = true; // its words are here, the end of the connection is not
	call_over_a_goodbye(x);
}

static void a_prepared_statement_that_is_gone_is_prepared_again(void **state)
{
	struct fixture *x = *state;

	x->fake.acts[0] = FAKE_ERROR;
	x->fake.sqlstate = "26000";
	assert_int_equal(call(x), WSMFA_STORE_OK);
	assert_int_equal(x->connects, 2);
}

static int64_t took_ms(struct fixture *x, enum wsmfa_store_result expected)
{
	int64_t begin = wsmfa_pg_clock();

	assert_int_equal(call(x), expected);
	return (wsmfa_pg_clock() - begin) / 1000;
}

static void a_silent_server_costs_the_timeout(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(call(x), WSMFA_STORE_OK);
	x->fake.acts[1] = FAKE_SILENT;
	fixture_timeout(x, 200);
	assert_in_range(took_ms(x, WSMFA_STORE_DOWN), 200, 1500);
	assert_string_equal(x->logged, "e database: wsmfa_wait: no answer in time\n");
	assert_int_equal(x->discards, 1);
}

static void a_silent_listener_costs_the_timeout(void **state)
{
	struct fixture *x = *state;

	x->fake.silent_start = true;
	fixture_timeout(x, 200);
	for (int i = 0; i < 3; i++)
		assert_in_range(took_ms(x, WSMFA_STORE_DOWN), 200, 1500);
	assert_non_null(strstr(x->logged, "e database: connect: no answer in time\n"));
	assert_non_null(strstr(x->logged, "e database: not usable, breaker open: next try in 1000 ms\n"));
	x->logged[0] = '\0';
	for (int i = 0; i < 1000; i++) // turned away at once, without a line each
		assert_int_equal(call(x), WSMFA_STORE_DOWN);
	assert_string_equal(x->logged, "");
	assert_int_equal(x->connects, 3);
	x->fake.silent_start = false;
	while (call(x) != WSMFA_STORE_OK) // until the probe
		;
	assert_string_equal(x->logged, "w database: usable again, breaker closed\n");
	assert_int_equal(x->connects, 4);
}

static void a_connection_spends_the_budget_of_the_call(void **state)
{
	struct fixture *x = *state;

	x->fake.silent_start = true;
	x->config.store_timeout_ms = 60000; // the pool's own patience
	{
		struct wsmfa_pg_pool pool = { pool_get, pool_release, pool_discard, x };
		struct wsmfa_pg_config short_config = x->config;

		short_config.store_timeout_ms = 200;
		x->store->ops->free(x->store);
		x->store = wsmfa_pg_new(&short_config, &pool);
	}
	assert_in_range(took_ms(x, WSMFA_STORE_DOWN), 200, 1500);
}

static void a_schema_that_does_not_fit_is_refused(void **state)
{
	struct fixture *x = *state;

	x->fake.schema = WSMFA_SCHEMA_OLDEST - 1;
	assert_int_equal(call(x), WSMFA_STORE_DOWN);
	assert_non_null(strstr(x->logged, "run sql/migrate"));
	x->fake.schema = WSMFA_SCHEMA_NEWEST + 1;
	assert_int_equal(call(x), WSMFA_STORE_DOWN);
	assert_non_null(strstr(x->logged, "install a newer module"));
	x->fake.schema = WSMFA_SCHEMA_NEWEST;
	assert_int_equal(call(x), WSMFA_STORE_OK);
}

static void a_connection_string_is_not_quoted(void **state)
{
	struct fixture *x = *state;
	struct wsmfa_pg_config config = x->config;

	config.conninfo = "password=hush host=/x nonsense";
	assert_null(wsmfa_pg_connect(&config));
	config.conninfo = "host=/nowhere password=nowhere";
	assert_null(wsmfa_pg_connect(&config));
	assert_string_equal(x->logged, "e database: the connection string is not one that libpq understands\n"
				       "e database: connect: refused\n");
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, fixture_begin, fixture_end)

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(breaker_opens_and_probes),
		cmocka_unit_test(breaker_is_for_all_threads),
		cmocka_unit_test(errors_have_meanings),
		WITH_FAKE(a_call_works),
		WITH_FAKE(nonsense_is_broken),
		WITH_FAKE(a_refusal_is_broken_and_names_no_detail),
		WITH_FAKE(a_failed_commit_is_no_answer),
		WITH_FAKE(conflicts_are_tried_again_once),
		WITH_FAKE(what_may_have_run_is_not_sent_again),
		WITH_FAKE(a_connection_left_behind_costs_nothing),
		WITH_FAKE(a_goodbye_is_understood_before_the_end),
		WITH_FAKE(a_prepared_statement_that_is_gone_is_prepared_again),
		WITH_FAKE(a_silent_server_costs_the_timeout),
		WITH_FAKE(a_silent_listener_costs_the_timeout),
		WITH_FAKE(a_connection_spends_the_budget_of_the_call),
		WITH_FAKE(a_schema_that_does_not_fit_is_refused),
		WITH_FAKE(a_connection_string_is_not_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
