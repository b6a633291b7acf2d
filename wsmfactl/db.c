/* The connection to PostgreSQL, as libpq's environment names it.
 * Apart from the subcommands so that a refusal is worded in one place. */
#include "db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_pg.h"

/* Constraints that an administrator can run into, and what they mean. The rest is named by its own name. */
static struct {
	char const *constraint;
	char const *sentence;
} const sentences[] = {
	{ "account_name_key", "there is an account of that name already; upper and lower case do not count" },
	{ "account_language_check", "that is no language; write it like en or pt-BR" },
	{ "account_password_check", "the password is too long, or is no {header}value" },
	{ "organization_name_check", "an organization's name has 1 to 200 octets and no control characters" },
	{ "organization_name_key", "there is an organization of that name already" },
	{ "organization_allowed_methods_check", "methods are fido2, push, totp, sms and recovery" },
	{ "region_time_zone_check", "there is no such time zone; write it like Europe/Helsinki" },
	{ "region_pkey", "there is a region of that code already; wsmfactl region set changes it" },
	{ "region_code_check", "a code has 1 to 32 octets and no control characters" },
	{ "region_name_check", "a region's name has 1 to 200 octets and no control characters" },
	{ "region_schedule_check", "enforcement can't begin before the announcement" },
	{ "organization_schedule_check", "enforcement can't begin before the announcement" },
	{ "service_pkey", "there is a service of that code already; wsmfactl service set changes it" },
	{ "service_code_check", "a code has 1 to 32 octets and no control characters" },
	{ "service_name_check", "a service's name has 1 to 200 octets and no control characters" },
	{ "exemption_reason_check", "a reason has 1 to 500 octets" },
	{ "authenticator_label_check", "a label has at most 64 octets and no control characters" },
	{ "authenticator_push_check",
	  "a provider's name has 1 to 64 octets, a device's 1 to 128 without control characters" },
	{ "authenticator_limit", "the account has 32 authenticators already; remove one first" },
};

/* Constraints whose refusal names the value that was not found: of several services, the one. */
static struct {
	char const *constraint;
	char const *what;
} const lists[] = {
	{ "account_region_fkey", "region" },
	{ "account_service_service_fkey", "service" },
};

static void notice_drop(void *arg, PGresult const *res)
{
	(void)arg;
	(void)res;
}

/* The first line of a message of libpq, without its newline. */
static void first_line(char const *text, char *out, size_t size)
{
	size_t len = strcspn(text, "\n");

	snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), text);
}

bool ctl_db_connect(struct ctl *c, char *why, size_t why_size)
{
	char const *const keys[] = { "fallback_application_name", "client_encoding",
				     getenv("PGCONNECT_TIMEOUT") ? NULL : "connect_timeout", NULL };
	char const *const values[] = { "wsmfactl", "UTF8", "10", NULL };
	PGresult *res;
	bool done;

	c->db = PQconnectdbParams(keys, values, 0);
	if (PQstatus(c->db) != CONNECTION_OK) {
		first_line(PQerrorMessage(c->db), why, why_size);
		return false;
	}
	PQsetNoticeReceiver(c->db, notice_drop, NULL);
	/* Programs get every time in UTC; people get the zone that PostgreSQL or PGTZ says. */
	res = PQexec(c->db, c->json ? "SET search_path = pg_catalog; SET datestyle = ISO; SET timezone = 'UTC'"
				    : "SET search_path = pg_catalog; SET datestyle = ISO");
	done = PQresultStatus(res) == PGRES_COMMAND_OK;
	if (!done)
		first_line(PQerrorMessage(c->db), why, why_size);
	PQclear(res);
	return done;
}

/* The schema's number, 0 where there is none. */
static int schema_number(struct ctl *c)
{
	PGresult *res = ctl_query_quiet(c, "SELECT wsmfa.schema_check()", 0, NULL);
	int number = PQresultStatus(res) == PGRES_TUPLES_OK ? atoi(PQgetvalue(res, 0, 0)) : 0;

	PQclear(res);
	return number;
}

bool ctl_schema_check(struct ctl *c, char *why, size_t why_size)
{
	int number = schema_number(c);

	if (number >= WSMFA_SCHEMA_OLDEST && number <= WSMFA_SCHEMA_NEWEST) {
		snprintf(why, why_size, "schema %d", number);
		return true;
	}
	if (!number)
		snprintf(why, why_size, "the database %s has no schema wsmfa that %s may use; run sql/migrate",
			 PQdb(c->db), PQuser(c->db));
	else if (number < WSMFA_SCHEMA_OLDEST)
		snprintf(why, why_size, "the database has schema %d and this wsmfactl needs %d; run sql/migrate",
			 number, WSMFA_SCHEMA_OLDEST);
	else
		snprintf(
			why, why_size,
			"the database has schema %d and this wsmfactl knows no newer than %d; install the newer wsmfactl",
			number, WSMFA_SCHEMA_NEWEST);
	return false;
}

bool ctl_db_open(struct ctl *c)
{
	char why[512] = "";

	if (c->db)
		return true;
	if (!ctl_db_connect(c, why, sizeof(why))) {
		ctl_fail("no connection to PostgreSQL; check PGHOST, PGPORT, PGDATABASE and PGUSER: %s", why);
		ctl_db_close(c);
		return false;
	}
	if (!ctl_schema_check(c, why, sizeof(why))) {
		ctl_fail("%s", why);
		ctl_db_close(c);
		return false;
	}
	return true;
}

void ctl_db_close(struct ctl *c)
{
	PQfinish(c->db);
	c->db = NULL;
}

PGresult *ctl_query_quiet(struct ctl *c, char const *sql, int n, char const *const *values)
{
	return PQexecParams(c->db, sql, n, NULL, values, NULL, NULL, 0);
}

PGresult *ctl_query_array(struct ctl *c, char const *sql, int n, char const *const *values)
{
	PGresult *res;
	ExecStatusType status;

	if (!ctl_db_open(c))
		return NULL;
	res = ctl_query_quiet(c, sql, n, values);
	status = PQresultStatus(res);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return res;
	(void)ctl_refused(c, res);
	PQclear(res);
	return NULL;
}

PGresult *ctl_query(struct ctl *c, char const *sql, int n, ...)
{
	char const *values[CTL_PARAMETERS_MAX];
	va_list list;

	va_start(list, n);
	for (int i = 0; i < n && i < CTL_PARAMETERS_MAX; i++)
		values[i] = va_arg(list, char const *);
	va_end(list);
	return ctl_query_array(c, sql, n, values);
}

bool ctl_exec(struct ctl *c, char const *sql)
{
	PGresult *res;
	bool done;

	if (!ctl_db_open(c))
		return false;
	res = PQexec(c->db, sql);
	done = PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK;
	if (!done)
		(void)ctl_refused(c, res);
	PQclear(res);
	return done;
}

/* States that the schema's own functions raise, with a sentence. */
static bool sentence_itself(char const *state)
{
	static char const *const states[] = { "P0001", "P0002", "55000", "22023", "22004" };

	for (size_t i = 0; i < CTL_LENGTH(states); i++) {
		if (strcmp(states[i], state) == 0)
			return true;
	}
	return false;
}

/*
 * ": VALUE" out of the detail of a foreign key of one column, like: Key (region)=(NOPE) is not present in table "region". "" if there
 * is none: who may not read the other table gets no detail.
 */
static void missing_key(PGresult const *res, char *out, size_t size)
{
	char const *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	char const *from = detail ? strstr(detail, ")=(") : NULL;
	char const *to = from ? strrchr(from, ')') : NULL;

	out[0] = '\0';
	if (to && to >= from + 3)
		snprintf(out, size, ": \"%.*s\"", (int)(to - from - 3), from + 3);
}

enum ctl_exit ctl_refused(struct ctl *c, PGresult const *res)
{
	char const *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	char const *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
	char const *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	char const *table = PQresultErrorField(res, PG_DIAG_TABLE_NAME);
	char line[512];

	if (!state) {
		first_line(PQerrorMessage(c->db), line, sizeof(line));
		return ctl_fail("the connection to PostgreSQL was lost: %s", line);
	}
	for (size_t i = 0; constraint && i < CTL_LENGTH(lists); i++) {
		if (strcmp(lists[i].constraint, constraint) != 0)
			continue;
		missing_key(res, line, sizeof(line));
		return ctl_fail("there is no such %s%s; wsmfactl %s list shows those there are", lists[i].what, line,
				lists[i].what);
	}
	for (size_t i = 0; constraint && i < CTL_LENGTH(sentences); i++) {
		if (strcmp(sentences[i].constraint, constraint) == 0)
			return ctl_fail("%s", sentences[i].sentence);
	}
	/* Nothing guesses the half of a schedule that was not given. */
	if (strcmp(state, "23502") == 0 && table && strcmp(table, "organization_schedule") == 0)
		return ctl_fail("a first schedule of its own needs both --announce-from and --enforce-from");
	if (strcmp(state, "42501") == 0)
		return ctl_fail("the database role %s may not do that (%s); connect as a member of wsmfa_admin",
				PQuser(c->db), primary ? primary : state);
	if (strcmp(state, "3F000") == 0 || strcmp(state, "42P01") == 0)
		return ctl_fail("the database %s lacks the schema or a part of it (%s); run sql/migrate", PQdb(c->db),
				primary ? primary : state);
	if (sentence_itself(state))
		return ctl_fail("%s", primary ? primary : state);
	/* Only the primary message: the detail of a failed check shows the whole row. */
	return ctl_fail("the database refused: %s", primary ? primary : state);
}

char const *ctl_value(PGresult const *res, int row, char const *column)
{
	int i = PQfnumber(res, column);

	return i < 0 ? "" : PQgetvalue(res, row, i);
}

bool ctl_null(PGresult const *res, int row, char const *column)
{
	int i = PQfnumber(res, column);

	return i < 0 || PQgetisnull(res, row, i);
}
