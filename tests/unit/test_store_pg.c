/* The store in PostgreSQL without one: decoders on hand-made results, the breaker, deadlines, what is tried again.
 * Apart from the contract, which a real database keeps. */
#include "unit.h"

#include <endian.h>
#include <poll.h>
#include <stdlib.h>

#include "fake_pg.h"
#include "store/pg_store.h"

#define EPOCH INT64_C(946684800000000)

/* One column of a hand-made row: octets in PostgreSQL's binary format, NULL for null. */
struct column {
	char const *name;
	Oid type;
	char const *octets;
	int len;
	bool nullable;
};

#define TEXT(name, value)                                     \
	{                                                     \
		name, PG_TEXT, value, sizeof(value) - 1, true \
	}
#define WORD(name, value)                                      \
	{                                                      \
		name, PG_TEXT, value, sizeof(value) - 1, false \
	}
#define INT8(name, last)                                       \
	{                                                      \
		name, PG_INT8, "\0\0\0\0\0\0\0" last, 8, false \
	}
#define INT4(name, last)                               \
	{                                              \
		name, PG_INT4, "\0\0\0" last, 4, false \
	}
#define INT2(name, last)                           \
	{                                          \
		name, PG_INT2, "\0" last, 2, false \
	}
#define TIME(name)                                                \
	{                                                         \
		name, PG_TIMESTAMPTZ, "\0\0\0\0\0\0\0\1", 8, true \
	}
#define BOOL(name, value)                      \
	{                                      \
		name, PG_BOOL, value, 1, false \
	}
#define HASH(name)                                                           \
	{                                                                    \
		name, PG_BYTEA, "0123456789abcdef0123456789abcdef", 32, true \
	}

/* clang-format off */
static struct column const account_row[] = {
	{ "account_id", PG_INT8, "\0\0\0\0\0\0\0\7", 8, true }, // null: unknown
	TEXT("name", "anna"), INT8("organization_id", "\3"),
	{ "allowed_kinds", PG_INT4, "\xff\xff\xff\xff", 4, false }, TEXT("region", "EMEA"), TEXT("language", "fi"),
	TEXT("phone", "+358401"), TEXT("password", "{clear}x"), TEXT("preferred", "totp"), TIME("created_at"),
	TIME("disabled_at"), TIME("locked_until"), INT4("failures", "\2"), BOOL("in_scope", "\1"), TIME("in_scope_from"),
	TEXT("stage", "announce"), TIME("announce_from"), TIME("enforce_from"), TEXT("enforce_on", "2024-04-22"),
	TIME("exempt_until"), TIME("banner_shown_at"), HASH("ticket_hash"),
	{ "spare_authenticator_id", PG_INT8, "\0\0\0\0\0\0\0\x09", 8, true },
	{ "auth_id", PG_INT8, "\0\0\0\0\0\0\0\5", 8, true }, // null: none
	WORD("auth_kind", "totp"), TEXT("auth_label", "phone"), TIME("auth_confirmed_at"), TIME("auth_disabled_at"),
	INT4("auth_failures", "\1"), { "auth_sealed", PG_BYTEA, "\0seal", 5, true }, WORD("auth_algorithm", "sha512"),
	INT2("auth_digits", "\10"), INT2("auth_period", "\36"), INT8("auth_last_step", "\x63"),
	{ "auth_drift", PG_INT4, "\xff\xff\xff\xfe", 4, false }, TEXT("auth_provider", ""), TEXT("auth_device", ""),
	TEXT("auth_phone", ""), { "auth_salt", PG_BYTEA, "0123456789abcdef", 16, true },
	{ "auth_iterations", PG_INT4, "\0\0\4\0", 4, true }, INT4("auth_codes_left", "\0"),
};

static struct column const question_row[] = {
	WORD("status", "taken"), INT8("question_id", "\1"), WORD("question_kind", "sms"),
	{ "question_login", PG_BYTEA, "fedcba9876543210", 16, false }, INT4("question_attempt", "\2"),
	TIME("question_opened_at"), TIME("question_expires_at"),
	{ "question_authenticator_id", PG_INT8, "\0\0\0\0\0\0\0\5", 8, true }, HASH("question_code_mac"),
	TIME("question_code_expires_at"), TEXT("question_number", "42"), TEXT("question_provider", "local"),
	{ "question_sealed", PG_BYTEA, "\1\2", 2, true }, TEXT("question_push_state", "pending"),
};

static struct column const opened_row[] = {
	WORD("status", "joined"), { "challenge_id", PG_INT8, "\0\0\0\0\0\0\0\1", 8, true }, TEXT("number", "42"),
	TIME("expires_at"),
};

static struct column const settled_row[] = {
	WORD("status", "repeat"), TEXT("outcome", "accepted"), TEXT("reason", "proven"), BOOL("first", "\0"),
	TIME("locked_until"), BOOL("disabled", "\1"), { "next_id", PG_INT8, "\0\0\0\0\0\0\0\1", 8, true },
	TEXT("next_status", "opened"), INT4("codes_left", "\x09"),
};
/* clang-format on */

enum spoil { SPOIL_NOTHING, SPOIL_TYPE, SPOIL_NULL, SPOIL_LONGER, SPOIL_FORMAT };

/* A result of one row of these columns; column `which` is spoilt. */
static PGresult *result_of(struct column const *columns, size_t len, size_t which, enum spoil spoil)
{
	static char longer[1024];
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc attributes[64];

	memset(longer, 'x', sizeof(longer));
	memset(attributes, 0, sizeof(attributes));
	for (size_t i = 0; i < len; i++) {
		attributes[i].name = (char *)(uintptr_t)columns[i].name;
		attributes[i].typid = i == which && spoil == SPOIL_TYPE ? 1700 : columns[i].type;
		attributes[i].format = i == which && spoil == SPOIL_FORMAT ? 0 : 1;
	}
	assert_true(PQsetResultAttrs(r, (int)len, attributes));
	for (size_t i = 0; i < len; i++) {
		char *octets = (char *)(uintptr_t)columns[i].octets;
		int octets_len = columns[i].len;

		if (i == which && spoil == SPOIL_NULL) {
			octets = NULL;
			octets_len = -1;
		} else if (i == which && spoil == SPOIL_LONGER) {
			octets = longer;
			octets_len = sizeof(longer);
		}
		assert_true(PQsetvalue(r, 0, (int)i, octets, octets_len));
	}
	return r;
}

static struct wsmfa_account account;
static struct wsmfa_question question;
static enum wsmfa_take_status status;
static struct wsmfa_opened opened;
static struct wsmfa_settled settled;

static bool decode_load(PGresult const *r, struct pg_row *row)
{
	return wsmfa_pg_decode_load(r, &account, row);
}

static bool decode_take(PGresult const *r, struct pg_row *row)
{
	return wsmfa_pg_decode_take(r, &status, &question, &account, row);
}

static bool decode_opened(PGresult const *r, struct pg_row *row)
{
	return wsmfa_pg_decode_opened(r, &opened, row);
}

static bool decode_settled(PGresult const *r, struct pg_row *row)
{
	return wsmfa_pg_decode_settled(r, &settled, row);
}

/* Each column in turn of another type, null, too long, in text format: refused by its name; and a column too few. */
static void each_column_is_checked(struct column const *columns, size_t len,
				   bool (*decode)(PGresult const *, struct pg_row *))
{
	struct pg_row row;
	PGresult *r;

	r = result_of(columns, len, len, SPOIL_NOTHING);
	assert_true(decode(r, &row));
	assert_null(row.bad);
	wsmfa_pg_clear(r);
	r = result_of(columns, len - 1, len, SPOIL_NOTHING);
	assert_false(decode(r, &row));
	assert_non_null(row.bad);
	wsmfa_pg_clear(r);
	for (size_t i = 0; i < len; i++) {
		for (enum spoil spoil = SPOIL_TYPE; spoil <= SPOIL_FORMAT; spoil++) {
			bool good = spoil == SPOIL_NULL && columns[i].nullable;

			r = result_of(columns, len, i, spoil);
			if (decode(r, &row) != good)
				fail_msg("%s, spoilt in way %d: decoded %d", columns[i].name, spoil, !good);
			if (!good)
				assert_string_equal(row.bad, columns[i].name);
			wsmfa_pg_clear(r);
		}
	}
}

static void decodes_an_account(void **state)
{
	struct pg_row row;
	PGresult *r;

	(void)state;
	each_column_is_checked(account_row, LENGTH(account_row), decode_load);
	r = result_of(account_row, LENGTH(account_row), LENGTH(account_row), SPOIL_NOTHING);
	assert_true(decode_load(r, &row));
	assert_true(account.known);
	assert_int_equal(account.id, 7);
	assert_int_equal(account.organization_id, 3);
	assert_int_equal(account.allowed_kinds, UINT32_MAX);
	assert_string_equal(account.password, "{clear}x");
	assert_int_equal(account.preferred, WSMFA_KIND_TOTP);
	assert_int_equal(account.created_at, EPOCH + 1);
	assert_int_equal(account.stage, WSMFA_STAGE_ANNOUNCE);
	assert_string_equal(account.enforce_on, "2024-04-22");
	assert_true(account.has_ticket);
	assert_int_equal(account.spare_authenticator_id, 9);
	assert_int_equal(account.authenticators_len, 1);
	assert_int_equal(account.authenticators[0].algorithm, WSMFA_SHA512);
	assert_int_equal(account.authenticators[0].digits, 8);
	assert_int_equal(account.authenticators[0].period, 30);
	assert_int_equal(account.authenticators[0].drift, -2);
	assert_memory_equal(account.authenticators[0].sealed, "\0seal", 5);
	wsmfa_pg_clear(r);
	r = result_of(account_row, LENGTH(account_row), 23, SPOIL_NULL); // no authenticator
	assert_true(decode_load(r, &row));
	assert_int_equal(account.authenticators_len, 0);
	wsmfa_pg_clear(r);
}

static void decodes_a_question(void **state)
{
	struct column columns[LENGTH(question_row) + LENGTH(account_row)];
	struct pg_row row;
	PGresult *r;

	(void)state;
	memcpy(columns, question_row, sizeof(question_row));
	memcpy(columns + LENGTH(question_row), account_row, sizeof(account_row));
	each_column_is_checked(columns, LENGTH(columns), decode_take);
	r = result_of(columns, LENGTH(columns), LENGTH(columns), SPOIL_NOTHING);
	assert_true(decode_take(r, &row));
	assert_int_equal(status, WSMFA_TAKE_TAKEN);
	assert_int_equal(question.kind, WSMFA_ASK_SMS);
	assert_memory_equal(question.login, "fedcba9876543210", 16);
	assert_int_equal(question.authenticator_id, 5);
	assert_string_equal(question.push_state, "pending");
	assert_true(account.known);
	wsmfa_pg_clear(r);
	r = result_of(columns, LENGTH(columns), LENGTH(question_row), SPOIL_TYPE);
	assert_false(decode_take(r, &row)); // nothing of a bad answer is left
	assert_int_equal(status, WSMFA_TAKE_UNKNOWN);
	assert_int_equal(question.id, 0);
	assert_false(account.known);
	wsmfa_pg_clear(r);
}

static void decodes_what_was_written(void **state)
{
	struct column columns[LENGTH(settled_row)];
	struct pg_row row;
	PGresult *r;

	(void)state;
	each_column_is_checked(opened_row, LENGTH(opened_row), decode_opened);
	each_column_is_checked(settled_row, LENGTH(settled_row), decode_settled);
	r = result_of(settled_row, LENGTH(settled_row), LENGTH(settled_row), SPOIL_NOTHING);
	assert_true(decode_settled(r, &row));
	assert_int_equal(settled.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(settled.outcome, WSMFA_OUTCOME_ACCEPTED);
	assert_int_equal(settled.reason, WSMFA_REASON_PROVEN);
	assert_int_equal(settled.next_status, WSMFA_OPEN_OPENED);
	assert_int_equal(settled.codes_left, 9);
	wsmfa_pg_clear(r);
	memcpy(columns, settled_row, sizeof(columns));
	columns[0].octets = "rightly";
	columns[0].len = 7;
	r = result_of(columns, LENGTH(columns), LENGTH(columns), SPOIL_NOTHING);
	assert_false(decode_settled(r, &row)); // a word that nobody knows is not taken for another
	assert_int_equal(settled.status, WSMFA_SETTLE_GONE);
	wsmfa_pg_clear(r);
}

static wsmfa_time_t time_of(int64_t wire)
{
	uint64_t octets = htobe64((uint64_t)wire);
	struct column column = { "t", PG_TIMESTAMPTZ, (char const *)&octets, 8, true };
	PGresult *r = result_of(&column, 1, 1, SPOIL_NOTHING);
	struct pg_row row = wsmfa_pg_row(r, 0, 1);
	wsmfa_time_t t = wsmfa_pg_get_time(&row);

	assert_null(row.bad);
	wsmfa_pg_clear(r);
	return t;
}

static int64_t wire_of(wsmfa_time_t t)
{
	struct pg_params p = { .len = 0 };
	uint64_t wire;

	wsmfa_pg_put_time(&p, t);
	memcpy(&wire, p.values[0], sizeof(wire));
	return (int64_t)be64toh(wire);
}

static void times_keep_their_ends(void **state)
{
	struct pg_params p = { .len = 0 };

	(void)state;
	assert_int_equal(time_of(0), EPOCH);
	assert_int_equal(time_of(-EPOCH), 0);
	assert_int_equal(time_of(INT64_MAX), WSMFA_TIME_FOREVER);
	assert_int_equal(time_of(INT64_MAX - EPOCH + 1), WSMFA_TIME_FOREVER);
	assert_int_equal(time_of(INT64_MIN), -WSMFA_TIME_FOREVER);
	assert_true(time_of(INT64_MIN) != WSMFA_TIME_NONE);
	assert_int_equal(wire_of(EPOCH), 0);
	assert_int_equal(wire_of(WSMFA_TIME_FOREVER), INT64_MAX);
	assert_int_equal(wire_of(-WSMFA_TIME_FOREVER), INT64_MIN);
	wsmfa_pg_put_time(&p, WSMFA_TIME_NONE);
	assert_null(p.values[0]);
}

static void text_with_a_nul_is_bad(void **state)
{
	struct column column = { "t", PG_TEXT, "a\0b", 3, true };
	PGresult *r = result_of(&column, 1, 1, SPOIL_NOTHING);
	struct pg_row row = wsmfa_pg_row(r, 0, 1);
	char out[8] = "x";

	(void)state;
	wsmfa_pg_get_text(&row, out, sizeof(out));
	assert_string_equal(row.bad, "t");
	assert_string_equal(out, "");
	wsmfa_pg_clear(r);
}

static void arrays_are_what_the_server_reads(void **state)
{
	static int64_t const ids[2] = { 1, -2 };
	struct pg_params p = { .len = 0 };

	(void)state;
	wsmfa_pg_put_int8s(&p, ids, 2);
	assert_hex((uint8_t const *)p.values[0], (size_t)p.lengths[0],
		   "00000001"
		   "00000000"
		   "00000014"
		   "00000002"
		   "00000001"
		   "00000008"
		   "0000000000000001"
		   "00000008"
		   "fffffffffffffffe");
	wsmfa_pg_put_int8s(&p, NULL, 0);
	assert_hex((uint8_t const *)p.values[1], (size_t)p.lengths[1],
		   "00000000"
		   "00000000"
		   "00000014");
}

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
			    "e database: wsmfa_load: column (their number) of the answer is not what it should be\n");
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

/* Without it a new migration would be refused by every server. */
static void newest_schema_is_the_newest_migration(void **state)
{
	char command[512], number[16] = "";
	FILE *p;

	(void)state;
	(void)snprintf(command, sizeof(command),
		       "cd '%s/sql' && ls | sed -n 's/^\\([0-9]\\{4\\}\\)_.*sql$/\\1/p' | tail -1",
		       getenv("WSMFA_SRCDIR") ? getenv("WSMFA_SRCDIR") : ".");
	p = popen(command, "r");
	assert_non_null(p);
	assert_non_null(fgets(number, sizeof(number), p));
	assert_int_equal(pclose(p), 0);
	assert_int_equal(atoi(number), WSMFA_SCHEMA_NEWEST);
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, fixture_begin, fixture_end)

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(decodes_an_account),
		cmocka_unit_test(decodes_a_question),
		cmocka_unit_test(decodes_what_was_written),
		cmocka_unit_test(times_keep_their_ends),
		cmocka_unit_test(text_with_a_nul_is_bad),
		cmocka_unit_test(arrays_are_what_the_server_reads),
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
		cmocka_unit_test(newest_schema_is_the_newest_migration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
