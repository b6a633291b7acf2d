/* account import: a file of people becomes accounts, all rows or none.
 * Apart from people.c, which reads the file; here is what the database says and does. */
#include "command.h"
#include "copy.h"
#include "db.h"
#include "keyfile.h"
#include "out.h"
#include "password.h"
#include "people.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

/*
 * Tables of the session alone, so that no transaction is open while passwords are hashed. Every statement below works on all rows
 * at once: a row at a time would be 100,000 round trips.
 */
#define TABLES                                                                                                                          \
	"CREATE TEMPORARY TABLE people (line bigint NOT NULL, name text COLLATE \"C\" NOT NULL, organization text NOT NULL,"            \
	" region text COLLATE \"C\" NOT NULL, services text NOT NULL, phone text, password text, push_provider text, push_device text," \
	" totp boolean NOT NULL);"                                                                                                      \
	"CREATE TEMPORARY TABLE people_password (line bigint NOT NULL, password text NOT NULL);"                                        \
	"CREATE TEMPORARY TABLE people_key (id bigint NOT NULL, account_id bigint NOT NULL, sealed bytea NOT NULL)"

/* What only the database can judge. $1: existing accounts are updated. */
#define CHECKS                                                                                                            \
	"SELECT line, 'the name is that of line ' || first || ' too; upper and lower case do not count' AS reason"        \
	" FROM (SELECT line, min(line) OVER (PARTITION BY name) AS first FROM pg_temp.people) p WHERE line > first"       \
	" UNION ALL SELECT p.line, 'there is an account of that name already; --update would change it'"                  \
	" FROM pg_temp.people p JOIN wsmfa.account a ON a.name = p.name WHERE NOT $1::boolean"                            \
	" UNION ALL SELECT p.line, 'there is no region ' || left(p.region, 60) FROM pg_temp.people p"                     \
	" WHERE NOT EXISTS (SELECT FROM wsmfa.region r WHERE r.code = p.region)"                                          \
	" UNION ALL SELECT DISTINCT p.line, CASE WHEN trim(s) = '' THEN 'a service is empty' ELSE 'there is no service '" \
	" || left(trim(s), 60) END FROM pg_temp.people p, string_to_array(p.services, ';') l, unnest(l) s"                \
	" WHERE NOT EXISTS (SELECT FROM wsmfa.service r WHERE r.code = trim(s)) ORDER BY 1, 2"

/* In one transaction, in this order. */
static char const *const steps[] = {
	"UPDATE pg_temp.people p SET password = h.password FROM pg_temp.people_password h WHERE h.line = p.line",
	"INSERT INTO wsmfa.organization (name) SELECT DISTINCT organization FROM pg_temp.people ON CONFLICT (name) DO NOTHING",
	"UPDATE wsmfa.account a SET organization_id = o.id, region = p.region, password = coalesce(p.password, a.password),"
	" phone = coalesce(p.phone, a.phone) FROM pg_temp.people p JOIN wsmfa.organization o ON o.name = p.organization"
	" WHERE a.name = p.name AND (a.organization_id, a.region, a.password, a.phone) IS DISTINCT FROM"
	" (o.id, p.region, coalesce(p.password, a.password), coalesce(p.phone, a.phone))",
	"INSERT INTO wsmfa.account (name, organization_id, region, password, phone)"
	" SELECT p.name, o.id, p.region, p.password, p.phone FROM pg_temp.people p"
	" JOIN wsmfa.organization o ON o.name = p.organization"
	" WHERE NOT EXISTS (SELECT FROM wsmfa.account a WHERE a.name = p.name) ORDER BY p.line",
	"DELETE FROM wsmfa.account_service x USING pg_temp.people p, wsmfa.account a WHERE a.name = p.name AND x.account_id = a.id"
	" AND x.service <> ALL (SELECT trim(s) FROM unnest(string_to_array(p.services, ';')) s)",
	"INSERT INTO wsmfa.account_service (account_id, service) SELECT DISTINCT a.id, trim(s) FROM pg_temp.people p"
	" JOIN wsmfa.account a ON a.name = p.name, unnest(string_to_array(p.services, ';')) s ON CONFLICT DO NOTHING",
	"INSERT INTO wsmfa.authenticator (account_id, kind, confirmed_at, provider, device)"
	" SELECT a.id, 'push', statement_timestamp(), p.push_provider, p.push_device FROM pg_temp.people p"
	" JOIN wsmfa.account a ON a.name = p.name WHERE p.push_provider IS NOT NULL AND NOT EXISTS"
	" (SELECT FROM wsmfa.authenticator x WHERE x.account_id = a.id AND x.kind = 'push' AND x.provider = p.push_provider"
	" AND x.device = p.push_device AND x.removed_at IS NULL)",
};
enum { STEP_UPDATE = 2, STEP_INSERT = 3, STEP_PUSH = 6 };

static char const *null_if_empty(char const *text)
{
	return text[0] ? text : NULL;
}

static bool people_copy(struct ctl *c, struct ctl_people const *people)
{
	static struct ctl_copy copy;
	char line[24];

	if (!ctl_exec(c, TABLES) || !ctl_copy_begin(&copy, c, "pg_temp.people"))
		return false;
	for (size_t i = 0; i < people->rows_len; i++) {
		struct ctl_person const *p = &people->rows[i];

		ctl_progress(i + 1, people->rows_len);
		if (p->wrong)
			continue;
		snprintf(line, sizeof(line), "%zu", p->line);
		ctl_copy_value(&copy, line);
		ctl_copy_value(&copy, p->name);
		ctl_copy_value(&copy, p->field[CTL_ORGANIZATION]);
		ctl_copy_value(&copy, p->field[CTL_REGION]);
		ctl_copy_value(&copy, p->field[CTL_SERVICES]);
		ctl_copy_value(&copy, null_if_empty(p->field[CTL_PHONE]));
		ctl_copy_value(&copy, p->clear ? NULL : null_if_empty(p->field[CTL_PASSWORD]));
		ctl_copy_value(&copy, null_if_empty(p->field[CTL_PUSH_PROVIDER]));
		ctl_copy_value(&copy, null_if_empty(p->field[CTL_PUSH_DEVICE]));
		ctl_copy_value(&copy, p->field[CTL_TOTP_SECRET][0] ? "t" : "f");
		ctl_copy_row(&copy);
	}
	return ctl_copy_end(&copy) && ctl_exec(c, "ANALYZE pg_temp.people");
}

/* Asks the database what is wrong, beside what people.c found. */
static bool people_check(struct ctl *c, struct ctl_people *people, bool update)
{
	PGresult *res = ctl_query(c, CHECKS, 1, update ? "t" : "f");

	if (!res)
		return false;
	for (int i = 0; i < PQntuples(res); i++)
		ctl_people_wrong(people, strtoul(PQgetvalue(res, i, 0), NULL, 10), "%s", PQgetvalue(res, i, 1));
	PQclear(res);
	return true;
}

static int wrong_compare(void const *a, void const *b)
{
	struct ctl_wrong const *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

static enum ctl_exit wrong_tell(struct ctl_people *people, char const *path)
{
	size_t rows = 0;

	qsort(people->wrong, people->wrong_len, sizeof(*people->wrong), wrong_compare);
	for (size_t i = 0; i < people->wrong_len; i++) {
		rows += i == 0 || people->wrong[i].line != people->wrong[i - 1].line;
		fprintf(stderr, "%s:%zu: ", strcmp(path, "-") == 0 ? "standard input" : path, people->wrong[i].line);
		ctl_put_clean(stderr, people->wrong[i].reason);
		fputc('\n', stderr);
	}
	return ctl_fail("nothing was imported: %zu line%s of the file %s wrong", rows, rows == 1 ? "" : "s",
			rows == 1 ? "is" : "are");
}

static bool passwords_copy(struct ctl *c, struct ctl_people *people, uint32_t iterations)
{
	static struct ctl_copy copy;
	char line[24];
	bool done;

	ctl_progress_begin("hashing");
	done = ctl_people_hash(people, iterations, ctl_progress);
	ctl_progress_end();
	if (!done) {
		ctl_fail("OpenSSL could not hash the passwords");
		return false;
	}
	if (!ctl_copy_begin(&copy, c, "pg_temp.people_password"))
		return false;
	for (size_t i = 0; i < people->rows_len; i++) {
		if (!people->rows[i].hash)
			continue;
		snprintf(line, sizeof(line), "%zu", people->rows[i].line);
		ctl_copy_value(&copy, line);
		ctl_copy_value(&copy, people->rows[i].hash);
		ctl_copy_row(&copy);
	}
	return ctl_copy_end(&copy) && ctl_exec(c, "ANALYZE pg_temp.people_password");
}

/* Whether one of an account's keys, rows first to last of a result, is this one already. */
static bool key_known(struct wsmfa_keyring const *ring, PGresult const *old, int *row, char const *account_id,
		      struct wsmfa_secret const *key)
{
	bool known = false;

	/* Both results are in the order of account ids. */
	while (*row < PQntuples(old) && strtoll(PQgetvalue(old, *row, 0), NULL, 10) < strtoll(account_id, NULL, 10))
		(*row)++;
	for (int i = *row; i < PQntuples(old) && strcmp(PQgetvalue(old, i, 0), account_id) == 0; i++) {
		struct wsmfa_secret have;
		size_t len;
		unsigned char *sealed = PQunescapeBytea((unsigned char const *)PQgetvalue(old, i, 2), &len);

		if (sealed &&
		    wsmfa_unseal(ring, strtoll(account_id, NULL, 10), strtoll(PQgetvalue(old, i, 1), NULL, 10), sealed,
				 len, &have) == WSMFA_UNSEALED_OK) {
			known = known ||
				(have.len == key->len && CRYPTO_memcmp(have.octets, key->octets, key->len) == 0);
			wsmfa_secret_wipe(&have);
		}
		PQfreemem(sealed);
	}
	return known;
}

static int line_compare(void const *key, void const *person)
{
	size_t line = *(size_t const *)key, other = ((struct ctl_person const *)person)->line;

	return line < other ? -1 : line > other;
}

/* Seals the keys for ids drawn by the database. fresh: line, account, id; old: account, id, sealed; both by account. */
static bool keys_copy(struct ctl *c, struct ctl_people *people, struct wsmfa_keyring const *ring, PGresult const *fresh,
		      PGresult const *old)
{
	static struct ctl_copy copy;
	char sealed[CTL_SEALED_HEX];
	int row = 0;
	bool done = true;

	if (!ctl_copy_begin(&copy, c, "pg_temp.people_key"))
		return false;
	for (int i = 0; i < PQntuples(fresh) && done; i++) {
		size_t line = strtoul(PQgetvalue(fresh, i, 0), NULL, 10);
		char const *account_id = PQgetvalue(fresh, i, 1), *id = PQgetvalue(fresh, i, 2);
		struct ctl_person const *person =
			bsearch(&line, people->rows, people->rows_len, sizeof(*people->rows), line_compare);
		struct wsmfa_secret key;

		if (!person || !ctl_person_key(person, &key))
			continue;
		if (!key_known(ring, old, &row, account_id, &key)) {
			done = ctl_seal_hex(ring, strtoll(account_id, NULL, 10), strtoll(id, NULL, 10), &key, sealed,
					    sizeof(sealed));
			ctl_copy_value(&copy, id);
			ctl_copy_value(&copy, account_id);
			ctl_copy_value(&copy, sealed);
			ctl_copy_row(&copy);
		}
		wsmfa_secret_wipe(&key);
	}
	if (!done)
		copy.failed = true;
	return ctl_copy_end(&copy) && done;
}

static bool keys_insert(struct ctl *c, struct ctl_people *people, struct wsmfa_keyring const *ring, long *count)
{
	PGresult *fresh =
		ctl_query(c,
			  "SELECT p.line, a.id, nextval(pg_get_serial_sequence('wsmfa.authenticator', 'id'))"
			  " FROM pg_temp.people p JOIN wsmfa.account a ON a.name = p.name WHERE p.totp ORDER BY a.id",
			  0);
	PGresult *old =
		fresh ? ctl_query(
				c,
				"SELECT x.account_id, x.id, x.sealed FROM pg_temp.people p JOIN wsmfa.account a ON a.name = p.name"
				" JOIN wsmfa.authenticator x ON x.account_id = a.id WHERE p.totp AND x.kind = 'totp'"
				" AND x.removed_at IS NULL ORDER BY x.account_id",
				0)
		      : NULL;
	PGresult *res = NULL;

	if (old && keys_copy(c, people, ring, fresh, old))
		res = ctl_query(
			c,
			"INSERT INTO wsmfa.authenticator (id, account_id, kind, confirmed_at, sealed, algorithm, digits, period)"
			" SELECT id, account_id, 'totp', statement_timestamp(), sealed, 'sha1', 6, 30 FROM pg_temp.people_key",
			0);
	if (res)
		*count += strtol(PQcmdTuples(res), NULL, 10);
	PQclear(fresh);
	PQclear(old);
	PQclear(res);
	return res != NULL;
}

static enum ctl_exit people_store(struct ctl *c, struct ctl_people *people, struct wsmfa_keyring const *ring)
{
	long count[CTL_LENGTH(steps)] = { 0 }, authenticators;

	if (!ctl_exec(c, "BEGIN"))
		return CTL_FAILED;
	ctl_progress_begin("storing");
	for (size_t i = 0; i < CTL_LENGTH(steps); i++) {
		PGresult *res = ctl_query(c, steps[i], 0);

		if (!res)
			return CTL_FAILED;
		count[i] = strtol(PQcmdTuples(res), NULL, 10);
		PQclear(res);
		ctl_progress(i + 1, CTL_LENGTH(steps) + 1);
	}
	authenticators = count[STEP_PUSH];
	if (ring && !keys_insert(c, people, ring, &authenticators))
		return CTL_FAILED;
	if (!ctl_exec(c, "COMMIT"))
		return CTL_FAILED;
	ctl_progress_end();
	if (c->json)
		return ctl_print_done(json_pack("{s:I, s:I, s:I}", "added", (json_int_t)count[STEP_INSERT], "updated",
						(json_int_t)count[STEP_UPDATE], "authenticators",
						(json_int_t)authenticators));
	printf("%ld accounts added, %ld updated, %ld authenticators added\n", count[STEP_INSERT], count[STEP_UPDATE],
	       authenticators);
	return CTL_OK;
}

static enum ctl_exit people_import(struct ctl *c, struct ctl_people *people, char const *path, bool update,
				   uint32_t iterations)
{
	struct wsmfa_keyring *ring = NULL;
	enum ctl_exit code = CTL_FAILED;
	bool keys = false;

	if (!ctl_db_open(c))
		return CTL_FAILED;
	for (size_t i = 0; i < people->rows_len; i++)
		keys = keys || people->rows[i].field[CTL_TOTP_SECRET][0];
	/* Before the long work: a missing key file would undo it all. */
	if (keys && !(ring = ctl_keyring_load(c)))
		return CTL_FAILED;
	ctl_progress_begin("sending");
	if (people_copy(c, people) && people_check(c, people, update)) {
		ctl_progress_end();
		if (people->wrong_len)
			code = wrong_tell(people, path);
		else if (passwords_copy(c, people, iterations))
			code = people_store(c, people, ring);
	}
	ctl_progress_end();
	wsmfa_keyring_free(ring);
	return code;
}

enum ctl_exit ctl_account_import(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_people people;
	char why[512];
	enum ctl_exit code;
	long iterations;

	if (!ctl_option_number(a, "--iterations", CTL_ITERATIONS_MIN, 10000000, CTL_ITERATIONS, &iterations))
		return CTL_USAGE;
	if (!ctl_people_read(ctl_operand(a, 0), &people, why, sizeof(why)))
		code = ctl_fail("%s", why);
	else
		code = people_import(c, &people, ctl_operand(a, 0), ctl_option(a, "--update") != NULL,
				     (uint32_t)iterations);
	ctl_people_free(&people);
	return code;
}
