/* Many logins at once through the store, over a database that nobody has analysed: each gets its own answer, and it is right.
 * Apart from test_store_contract, where one login comes after the other and nobody travels with anybody. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "store/store_pg.h"

enum { PEOPLE = 16, ROUNDS = 20 };

static struct wsmfa_pg_conn *idle[PEOPLE];
static int idle_len;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together;
static struct wsmfa_store *store;
static int64_t ids[PEOPLE], totps[PEOPLE], base;
static char logged[1024];

static void log_line(void *ctx, char level, char const *text)
{
	size_t at = strlen(logged);

	(void)ctx;
	(void)snprintf(logged + at, sizeof(logged) - at, "%c %s\n", level, text);
}

static struct wsmfa_pg_config const config = {
	.conninfo = "user=wsmfa_radius", .store_timeout_ms = 20000, .failure_days = 30, .log = log_line
};

static struct wsmfa_pg_conn *pool_get(void *ctx)
{
	struct wsmfa_pg_conn *conn = NULL;

	(void)ctx;
	(void)pthread_mutex_lock(&pool_lock);
	if (idle_len > 0)
		conn = idle[--idle_len];
	(void)pthread_mutex_unlock(&pool_lock);
	return conn ? conn : wsmfa_pg_connect(&config);
}

static void pool_release(void *ctx, struct wsmfa_pg_conn *conn)
{
	(void)ctx;
	(void)pthread_mutex_lock(&pool_lock);
	if (idle_len < PEOPLE) {
		idle[idle_len++] = conn;
		conn = NULL;
	}
	(void)pthread_mutex_unlock(&pool_lock);
	wsmfa_pg_close(conn);
}

static void pool_discard(void *ctx, struct wsmfa_pg_conn *conn)
{
	(void)ctx;
	wsmfa_pg_close(conn);
}

struct person {
	pthread_t thread;
	int number;
	int wrong[6]; //!< what was not as it must be, a place each
};

/* A login by challenge. The last made comes first: no order of the tables is the order of the calls. */
static void login(struct person *p, int round)
{
	static struct wsmfa_limits const limits = { .lock_after = 5,
						    .failure_budget = 30,
						    .failure_days = 30,
						    .max_attempts = 3,
						    .push_max = 5,
						    .sms_max = 5,
						    .sms_number_max = 5 };
	static _Thread_local struct wsmfa_account account;
	int who = PEOPLE - 1 - p->number;
	char name[32];
	struct wsmfa_origin const origin = { .at = base + round * INT64_C(30000000),
					     .account = name,
					     .client = "192.0.2.1",
					     .station = "st-1",
					     .service = "elements" };
	uint8_t const state[WSMFA_HASH_LEN] = { 0x70, (uint8_t)round, (uint8_t)p->number }, login[16] = { 1 };
	struct wsmfa_opening const opening = { .state_hash = state,
					       .kind = WSMFA_ASK_TOTP,
					       .login = login,
					       .attempt = 1,
					       .expires_at = origin.at + 120000000,
					       .number = "",
					       .phone = "",
					       .provider = "" };
	struct wsmfa_settlement settlement = { .account_id = ids[who],
					       .verdict = WSMFA_VERDICT_RIGHT,
					       .kind = WSMFA_ASK_TOTP,
					       .authenticators = &totps[who],
					       .authenticators_len = 1,
					       .step = round + 1,
					       .phone = "",
					       .outcome = WSMFA_OUTCOME_ACCEPTED,
					       .reason = WSMFA_REASON_PROVEN };
	enum wsmfa_take_status status = WSMFA_TAKE_UNKNOWN;
	struct wsmfa_question question = { 0 };
	struct wsmfa_opened opened = { 0 };
	struct wsmfa_settled settled = { 0 };

	(void)snprintf(name, sizeof(name), "together %d", who);
	(void)pthread_barrier_wait(&together);
	p->wrong[0] += store->ops->load(store, &origin, &account) != WSMFA_STORE_OK || account.id != ids[who] ||
		       account.authenticators_len != 1 || account.authenticators[0].id != totps[who];
	(void)pthread_barrier_wait(&together);
	p->wrong[1] += store->ops->open(store, &origin, &limits, ids[who], &opening, &opened) != WSMFA_STORE_OK ||
		       opened.status != WSMFA_OPEN_OPENED;
	(void)pthread_barrier_wait(&together);
	p->wrong[2] +=
		store->ops->take(store, &origin, state, state, NULL, &status, &question, &account) != WSMFA_STORE_OK ||
		status != WSMFA_TAKE_TAKEN || question.id != opened.challenge_id || account.id != ids[who];
	settlement.challenge_id = question.id;
	(void)pthread_barrier_wait(&together);
	p->wrong[3] += store->ops->settle(store, &origin, &limits, &settlement, &settled) != WSMFA_STORE_OK ||
		       settled.status != WSMFA_SETTLE_RIGHT || !settled.first;
	(void)pthread_barrier_wait(&together);
	p->wrong[4] += store->ops->settle(store, &origin, &limits, &settlement, &settled) != WSMFA_STORE_OK ||
		       settled.status != WSMFA_SETTLE_REPEAT || settled.first;
	settlement.challenge_id = 0;
	(void)pthread_barrier_wait(&together);
	p->wrong[5] += store->ops->settle(store, &origin, &limits, &settlement, &settled) != WSMFA_STORE_OK ||
		       settled.status != WSMFA_SETTLE_REPLAYED;
}

static void *logins(void *arg)
{
	for (int round = 0; round < ROUNDS; round++)
		login(arg, round);
	return NULL;
}

static int64_t value(PGconn *admin, char const *sql)
{
	PGresult *r = PQexec(admin, sql);
	int64_t n;

	assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
	n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return n;
}

static void each_gets_its_own_answer(void **state)
{
	struct wsmfa_pg_pool const pool = { .get = pool_get, .release = pool_release, .discard = pool_discard };
	static char const *const what[] = { "loaded", "opened", "taken", "settled", "a repeat", "a replay" };
	static struct person people[PEOPLE];
	PGconn *admin = PQconnectdb("");
	char sql[128];

	(void)state;
	base = value(admin, "SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint");
	for (int i = 0; i < PEOPLE; i++) {
		(void)snprintf(sql, sizeof(sql), "SELECT t.account('together %d')", i);
		ids[i] = value(admin, sql);
		(void)snprintf(sql, sizeof(sql), "SELECT t.totp(%lld)", (long long)ids[i]);
		totps[i] = value(admin, sql);
	}
	store = wsmfa_pg_new(&config, &pool);
	assert_non_null(store);
	assert_int_equal(pthread_barrier_init(&together, NULL, PEOPLE), 0);
	for (int i = 0; i < PEOPLE; i++) {
		people[i].number = i;
		assert_int_equal(pthread_create(&people[i].thread, NULL, logins, &people[i]), 0);
	}
	for (int i = 0; i < PEOPLE; i++)
		assert_int_equal(pthread_join(people[i].thread, NULL), 0);
	for (int i = 0; i < PEOPLE; i++) {
		for (size_t k = 0; k < sizeof(what) / sizeof(what[0]); k++) {
			if (people[i].wrong[k])
				print_message("# person %d: %d times not %s\n", i, people[i].wrong[k], what[k]);
			assert_int_equal(people[i].wrong[k], 0);
		}
	}
	assert_string_equal(logged, "");
	store->ops->free(store);
	while (idle_len > 0)
		wsmfa_pg_close(idle[--idle_len]);
	PQfinish(admin);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(each_gets_its_own_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
