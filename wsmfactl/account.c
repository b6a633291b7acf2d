/* account add, show, list, disable, enable, unlock, exempt: who logs in.
 * Apart from import.c, which does the first of these for a file of people. */
#include "command.h"
#include "db.h"
#include "out.h"
#include "password.h"
#include "when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/name.h"

bool ctl_option_when(struct ctl_args const *a, char const *name, char *out)
{
	char const *text = ctl_option(a, name);
	char const *why;
	wsmfa_time_t t;

	out[0] = '\0';
	if (!text)
		return true;
	why = ctl_when_parse(text, &t);
	if (why) {
		ctl_misuse("%s: \"%.60s\" %s", name, text, why);
		return false;
	}
	ctl_when_format(t, out);
	return true;
}

bool ctl_option_number(struct ctl_args const *a, char const *name, long least, long most, long otherwise, long *out)
{
	char const *text = ctl_option(a, name);
	char *end;

	*out = otherwise;
	if (!text)
		return true;
	errno = 0;
	*out = strtol(text, &end, 10);
	if (errno || end == text || *end || *text == ' ' || *out < least || *out > most) {
		ctl_misuse("%s is a whole number from %ld to %ld", name, least, most);
		return false;
	}
	return true;
}

bool ctl_account_fold(char const *name, char *out)
{
	if (wsmfa_account_name(out, (uint8_t const *)name, strlen(name)))
		return true;
	ctl_fail("that is no account name: 1 to 253 octets of UTF-8 without control characters are");
	return false;
}

bool ctl_account_find(struct ctl *c, char const *name, struct ctl_account *out)
{
	PGresult *res;
	bool found;

	if (!ctl_account_fold(name, out->name))
		return false;
	res = ctl_query(c,
			"SELECT a.id, o.name AS organization, a.phone"
			" FROM wsmfa.account a JOIN wsmfa.organization o ON o.id = a.organization_id WHERE a.name = $1",
			1, out->name);
	if (!res)
		return false;
	found = PQntuples(res) == 1;
	if (found) {
		snprintf(out->id, sizeof(out->id), "%s", ctl_value(res, 0, "id"));
		snprintf(out->organization, sizeof(out->organization), "%s", ctl_value(res, 0, "organization"));
		snprintf(out->phone, sizeof(out->phone), "%s", ctl_value(res, 0, "phone"));
	} else {
		ctl_fail("there is no account %s; wsmfactl account list shows those there are", out->name);
	}
	PQclear(res);
	return found;
}

/* A password from standard input, without its final newline. One octet more than is allowed is read, to see that it is too long. */
static bool password_read(char *clear)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = read(STDIN_FILENO, clear + len, WSMFA_PASSWORD_MAX - len);
		len += got > 0 ? (size_t)got : 0;
	} while (len < WSMFA_PASSWORD_MAX && (got > 0 || (got < 0 && errno == EINTR)));
	if (got < 0) {
		ctl_fail("the password can't be read from standard input: %s", strerror(errno));
		return false;
	}
	if (len == WSMFA_PASSWORD_MAX) {
		ctl_fail("the password on standard input is too long");
		return false;
	}
	if (len && clear[len - 1] == '\n')
		len--;
	if (len && clear[len - 1] == '\r')
		len--;
	clear[len] = '\0';
	if (!len || memchr(clear, '\0', len)) {
		ctl_fail("the password on standard input is empty or has a NUL octet");
		return false;
	}
	return true;
}

bool ctl_password_take(long iterations, char *stored)
{
	char clear[WSMFA_PASSWORD_MAX + 1];
	uint8_t salt[CTL_PASSWORD_SALT];
	bool done = false;

	if (password_read(clear)) {
		if (ctl_password_is_stored(clear)) {
			memcpy(stored, clear, strlen(clear) + 1);
			done = true;
		} else if (strlen(clear) > CTL_PASSWORD_CLEAR_MAX) {
			ctl_fail("the password has more than %d octets: RADIUS can't carry it", CTL_PASSWORD_CLEAR_MAX);
		} else {
			done = RAND_bytes(salt, sizeof(salt)) == 1 &&
			       ctl_password_hash(clear, (uint32_t)iterations, salt, stored);
			if (!done)
				ctl_fail("OpenSSL could not hash the password");
		}
	}
	OPENSSL_cleanse(clear, sizeof(clear));
	return done;
}

/* In one transaction: the organization, if it is new, the account and its services. */
static enum ctl_exit account_insert(struct ctl *c, struct ctl_args const *a, char const *name, char const *password)
{
	PGresult *res;
	bool done;

	if (!ctl_exec(c, "BEGIN"))
		return CTL_FAILED;
	res = ctl_query(c, "INSERT INTO wsmfa.organization (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", 1,
			ctl_option(a, "--org"));
	done = res != NULL;
	PQclear(res);
	res = !done ? NULL
		    : ctl_query(
			      c,
			      "WITH a AS (INSERT INTO wsmfa.account (name, organization_id, region, password, phone, language)"
			      " SELECT $1, o.id, $3, $4, $5, coalesce($6, 'en') FROM wsmfa.organization o WHERE o.name = $2"
			      " RETURNING id, name, region),"
			      " s AS (INSERT INTO wsmfa.account_service (account_id, service)"
			      " SELECT DISTINCT a.id, trim(w) FROM a, string_to_array($7, ',') l, unnest(l) w RETURNING service)"
			      " SELECT a.id, a.name AS account, $2 AS organization, a.region,"
			      " (SELECT array_agg(service ORDER BY service) FROM s) AS services FROM a",
			      7, name, ctl_option(a, "--org"), ctl_option(a, "--region"), password,
			      ctl_option(a, "--phone"), ctl_option(a, "--language"), ctl_option(a, "--service"));
	if (!res || !ctl_exec(c, "COMMIT")) {
		PQclear(res);
		return CTL_FAILED;
	}
	if (c->json)
		return ctl_print_row(c, res);
	printf("account %s added\n", ctl_value(res, 0, "account"));
	PQclear(res);
	return CTL_OK;
}

enum ctl_exit ctl_account_add(struct ctl *c, struct ctl_args const *a)
{
	char name[WSMFA_NAME_MAX], stored[WSMFA_PASSWORD_MAX + 1];
	char const *phone = ctl_option(a, "--phone");
	char const *password = NULL;
	enum ctl_exit code;
	long iterations;

	if (!ctl_option_number(a, "--iterations", CTL_ITERATIONS_MIN, 10000000, CTL_ITERATIONS, &iterations))
		return CTL_USAGE;
	if (!ctl_account_fold(ctl_operand(a, 0), name))
		return CTL_FAILED;
	if (!ctl_option(a, "--service")[0])
		return ctl_fail("--service is empty; wsmfactl service list shows those there are");
	if (phone && !wsmfa_phone_valid(phone))
		return ctl_fail("--phone \"%.40s\" is no number like +358401234567", phone);
	if (ctl_option(a, "--password-stdin")) {
		if (!ctl_password_take(iterations, stored))
			return CTL_FAILED;
		password = stored;
	}
	code = account_insert(c, a, name, password);
	OPENSSL_cleanse(stored, sizeof(stored));
	return code;
}

enum ctl_exit ctl_account_show(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;
	enum ctl_exit code;
	PGresult *res;

	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	res = ctl_query(c,
			"SELECT s.*, t.phone, t.language, t.preferred, t.created_at"
			" FROM wsmfa.mfa_status s JOIN wsmfa.account t ON t.name = s.account WHERE s.account = $1",
			1, account.name);
	if (!res || !c->json)
		return ctl_print_row(c, res);
	code = ctl_print_json(ctl_row_json(res, 0));
	PQclear(res);
	return code;
}

/* One statement about one account, and what it did in a word. */
static enum ctl_exit account_change(struct ctl *c, struct ctl_args const *a, char const *sql, char const *done)
{
	struct ctl_account account;
	PGresult *res;

	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	res = ctl_query(c, sql, 1, account.id);
	if (!res)
		return CTL_FAILED;
	PQclear(res);
	if (c->json)
		return ctl_print_done(json_pack("{s:s, s:s}", "account", account.name, "done", done));
	printf("account %s %s\n", account.name, done);
	return CTL_OK;
}

enum ctl_exit ctl_account_disable(struct ctl *c, struct ctl_args const *a)
{
	return account_change(
		c, a,
		"UPDATE wsmfa.account SET disabled_at = statement_timestamp() WHERE id = $1 AND disabled_at IS NULL",
		"disabled");
}

enum ctl_exit ctl_account_enable(struct ctl *c, struct ctl_args const *a)
{
	return account_change(c, a,
			      "UPDATE wsmfa.account SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
			      "enabled");
}

enum ctl_exit ctl_account_unlock(struct ctl *c, struct ctl_args const *a)
{
	return account_change(c, a, "SELECT wsmfa.account_unlock((SELECT name FROM wsmfa.account WHERE id = $1))",
			      "unlocked");
}

static enum ctl_exit exemption_revoke(struct ctl *c, struct ctl_args const *a)
{
	if (ctl_option(a, "--until") || ctl_option(a, "--reason"))
		return ctl_misuse("account exempt: --revoke stands alone");
	return account_change(c, a,
			      "UPDATE wsmfa.exemption SET revoked_at = statement_timestamp()"
			      " WHERE account_id = $1 AND revoked_at IS NULL AND until > statement_timestamp()",
			      "no longer exempt");
}

enum ctl_exit ctl_account_exempt(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;
	char until[CTL_WHEN_MAX];
	PGresult *res;

	if (ctl_option(a, "--revoke"))
		return exemption_revoke(c, a);
	if (!ctl_option(a, "--until") || !ctl_option(a, "--reason"))
		return ctl_misuse("account exempt: --until TIME and --reason TEXT are both needed");
	if (!ctl_option_when(a, "--until", until))
		return CTL_USAGE;
	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	res = ctl_query(c,
			"INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT $1, $2, $3"
			" WHERE $2::timestamptz > statement_timestamp() RETURNING $4::text AS account, until, reason",
			4, account.id, until, ctl_option(a, "--reason"), account.name);
	if (res && !PQntuples(res)) {
		PQclear(res);
		return ctl_fail("--until %s is past already", ctl_option(a, "--until"));
	}
	if (res && !c->json) {
		printf("account %s is exempt until %s\n", account.name, ctl_value(res, 0, "until"));
		PQclear(res);
		return CTL_OK;
	}
	return ctl_print_row(c, res);
}

enum ctl_exit ctl_account_list(struct ctl *c, struct ctl_args const *a)
{
	char const *org = ctl_option(a, "--org"), *region = ctl_option(a, "--region");
	char at[CTL_WHEN_MAX];

	if (!ctl_option_when(a, "--at", at))
		return CTL_USAGE;
	return ctl_print_cursor(
		c,
		"SELECT account, organization, region, services, stage, methods, compliant, next_login, exempt_until,"
		" locked_until, disabled_at, last_login"
		" FROM wsmfa.compliance_at(coalesce($1::timestamptz, statement_timestamp()))"
		" WHERE ($2::text IS NULL OR organization = $2) AND ($3::text IS NULL OR region = $3)"
		" AND ($4::text IS NULL OR $4 = ANY (services)) AND ($5::text IS NULL OR next_login = $5)"
		" AND ($6::text IS NULL OR stage = $6) AND ($7::text IS NULL OR $7 = ANY (methods))"
		" AND ($8::text IS NULL OR NOT compliant) AND ($9::text IS NULL OR disabled_at IS NOT NULL)"
		" AND ($10::text IS NULL OR locked_until IS NOT NULL) ORDER BY account",
		10, at[0] ? at : NULL, org, region, ctl_option(a, "--service"), ctl_option(a, "--next-login"),
		ctl_option(a, "--stage"), ctl_option(a, "--method"), ctl_option(a, "--not-ready"),
		ctl_option(a, "--disabled"), ctl_option(a, "--locked"));
}
