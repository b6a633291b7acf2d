/* The store in PostgreSQL without one: decoders of answers and encoders of parameters, on hand-made results.
 * Apart from the contract, which a real database keeps: no real one sends what is refused here. */
#include "unit.h"

#include <endian.h>
#include <stdlib.h>

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
	TIME("expires_at"), TIME("code_expires_at"),
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
	struct pg_rows rows = wsmfa_pg_all_rows(r);

	return wsmfa_pg_decode_load(&rows, &account, row);
}

static bool decode_take(PGresult const *r, struct pg_row *row)
{
	struct pg_rows rows = wsmfa_pg_all_rows(r);

	return wsmfa_pg_decode_take(&rows, &status, &question, &account, row);
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
	struct column columns[LENGTH(account_row)];
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
	memcpy(columns, account_row, sizeof(columns));
	columns[LENGTH(columns) - 1].octets = "\x7f\xff\xff\xff"; // one more, and it would be negative
	r = result_of(columns, LENGTH(columns), LENGTH(columns), SPOIL_NOTHING);
	assert_false(decode_load(r, &row));
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

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(decodes_an_account),
		cmocka_unit_test(decodes_a_question),
		cmocka_unit_test(decodes_what_was_written),
		cmocka_unit_test(times_keep_their_ends),
		cmocka_unit_test(text_with_a_nul_is_bad),
		cmocka_unit_test(arrays_are_what_the_server_reads),
		cmocka_unit_test(newest_schema_is_the_newest_migration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
