/* account set, account erase, sweep: what changes or removes what is stored of people.
 * Apart from account.c, which is about letting them in. */
#include "command.h"
#include "db.h"
#include "out.h"
#include "password.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>

#include "core/name.h"

/* Services are replaced, in the transaction that the caller began. */
static bool services_set(struct ctl *c, char const *account_id, char const *services)
{
	PGresult *res = ctl_query(
		c,
		"WITH d AS (DELETE FROM wsmfa.account_service WHERE account_id = $1"
		" AND service <> ALL (SELECT trim(w) FROM unnest(string_to_array($2, ',')) w))"
		" INSERT INTO wsmfa.account_service (account_id, service)"
		" SELECT DISTINCT $1::bigint, trim(w) FROM unnest(string_to_array($2, ',')) w ON CONFLICT DO NOTHING",
		2, account_id, services);

	PQclear(res);
	return res != NULL;
}

static bool organization_make(struct ctl *c, char const *name)
{
	PGresult *res = ctl_query(c, "INSERT INTO wsmfa.organization (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
				  1, name);

	PQclear(res);
	return res != NULL;
}

static enum ctl_exit account_update(struct ctl *c, struct ctl_args const *a, struct ctl_account const *account,
				    char const *password)
{
	char const *org = ctl_option(a, "--org"), *services = ctl_option(a, "--service");
	PGresult *res;

	if (!ctl_exec(c, "BEGIN") || (org && !organization_make(c, org)) ||
	    (services && !services_set(c, account->id, services)))
		return CTL_FAILED;
	res = ctl_query(
		c,
		"UPDATE wsmfa.account a SET"
		" organization_id = coalesce((SELECT id FROM wsmfa.organization WHERE name = $2), organization_id),"
		" region = coalesce($3, region), password = coalesce($4, password), language = coalesce($5, language),"
		" phone = CASE WHEN $6::text IS NULL THEN phone ELSE nullif($6, 'none') END,"
		" preferred = CASE WHEN $7::text IS NULL THEN preferred ELSE nullif($7, 'none') END WHERE id = $1"
		" RETURNING a.name AS account, (SELECT name FROM wsmfa.organization o WHERE o.id = a.organization_id)"
		" AS organization, region, (SELECT array_agg(service::text ORDER BY service) FROM wsmfa.account_service s"
		" WHERE s.account_id = a.id) AS services, phone, language, preferred",
		7, account->id, org, ctl_option(a, "--region"), password, ctl_option(a, "--language"),
		ctl_option(a, "--phone"), ctl_option(a, "--prefer"));
	if (!res || !ctl_exec(c, "COMMIT")) {
		PQclear(res);
		return CTL_FAILED;
	}
	return ctl_print_row(c, res);
}

enum ctl_exit ctl_account_set(struct ctl *c, struct ctl_args const *a)
{
	char const *phone = ctl_option(a, "--phone"), *services = ctl_option(a, "--service");
	char stored[WSMFA_PASSWORD_MAX + 1];
	struct ctl_account account;
	enum ctl_exit code;
	long iterations;
	bool password = ctl_option(a, "--password-stdin") != NULL;

	if (!ctl_option_number(a, "--iterations", CTL_ITERATIONS_MIN, 10000000, CTL_ITERATIONS, &iterations))
		return CTL_USAGE;
	if (phone && strcmp(phone, "none") != 0 && !wsmfa_phone_valid(phone))
		return ctl_fail("--phone \"%.40s\" is no number like +358401234567", phone);
	if (services && !services[0])
		return ctl_fail("--service is empty; wsmfactl service list shows those there are");
	if (!ctl_account_find(c, ctl_operand(a, 0), &account) || (password && !ctl_password_take(iterations, stored)))
		return CTL_FAILED;
	code = account_update(c, a, &account, password ? stored : NULL);
	OPENSSL_cleanse(stored, sizeof(stored));
	return code;
}

/* On a terminal somebody may have meant another name. */
static bool erase_meant(char const *name)
{
	char line[WSMFA_NAME_MAX + 2];

	if (!isatty(STDIN_FILENO))
		return true;
	fprintf(stderr, "This can't be undone. Type the account's name to erase %s: ", name);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, name) == 0;
}

enum ctl_exit ctl_account_erase(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;
	PGresult *res;

	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	if (!ctl_option(a, "--yes") && !erase_meant(account.name))
		return ctl_fail("nothing was erased");
	res = ctl_query(c, "SELECT wsmfa.account_erase($1) AS erased", 1, account.name);
	if (!res)
		return CTL_FAILED;
	PQclear(res);
	if (c->json)
		return ctl_print_done(json_pack("{s:s, s:s}", "account", account.name, "done", "erased"));
	printf("account %s erased; its events stay, without its name\n", account.name);
	return CTL_OK;
}

enum ctl_exit ctl_sweep(struct ctl *c, struct ctl_args const *a)
{
	char text[16];
	long months;
	PGresult *res;
	bool held = false;

	if (!ctl_option_number(a, "--months", 1, 1200, 13, &months))
		return CTL_USAGE;
	snprintf(text, sizeof(text), "%ld", months);
	res = ctl_query(c, "SELECT * FROM wsmfa.sweep(statement_timestamp(), $1)", 1, text);
	for (int row = 0; res && row < PQntuples(res); row++)
		held = held || ctl_null(res, row, "rows");
	if (held)
		ctl_note(
			"note: somebody is reading events and was not waited for; partitions that are due stay until the next sweep");
	return ctl_print_rows(c, res);
}
