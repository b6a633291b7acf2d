/* push add, pending, answer: a device that is asked, and the provider `local`, whose questions are answered here.
 * Apart from the other methods, because only this one has something to answer. */
#include "command.h"
#include "db.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum ctl_exit ctl_push_add(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;
	PGresult *res;

	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	res = ctl_query(
		c,
		"INSERT INTO wsmfa.authenticator (account_id, kind, label, confirmed_at, provider, device)"
		" SELECT $1, 'push', coalesce($4, ''), statement_timestamp(), $2, $3"
		" WHERE NOT EXISTS (SELECT FROM wsmfa.authenticator WHERE account_id = $1 AND kind = 'push' AND provider = $2"
		" AND device = $3 AND removed_at IS NULL)"
		" RETURNING id, $5::text AS account, kind, provider, device",
		5, account.id, ctl_option(a, "--provider"), ctl_option(a, "--device"), ctl_option(a, "--label"),
		account.name);
	if (res && !PQntuples(res)) {
		PQclear(res);
		return ctl_fail("account %s has that device already", account.name);
	}
	if (!res || c->json)
		return ctl_print_row(c, res);
	printf("authenticator %s added: %s asks the device %s\n", ctl_value(res, 0, "id"),
	       ctl_value(res, 0, "provider"), ctl_value(res, 0, "device"));
	PQclear(res);
	return CTL_OK;
}

enum ctl_exit ctl_push_pending(struct ctl *c, struct ctl_args const *a)
{
	(void)a;
	return ctl_print_rows(
		c, ctl_query(c,
			     "SELECT id, account, client, opened_at, expires_at, provider, device, needs_number"
			     " FROM wsmfa.push_pending ORDER BY id",
			     0));
}

enum ctl_exit ctl_push_answer(struct ctl *c, struct ctl_args const *a)
{
	char const *id = ctl_operand(a, 0);
	bool approve = strcmp(ctl_operand(a, 1), "approve") == 0;
	char const *answered;
	PGresult *res;
	enum ctl_exit code = CTL_OK;

	if (!*id || strspn(id, "0123456789") != strlen(id) || strlen(id) > 18)
		return ctl_misuse("\"%.40s\" is no id; wsmfactl push pending shows them", id);
	res = ctl_query(c, "SELECT wsmfa.answer_push($1, $2, $3) AS answered", 3, id, approve ? "t" : "f",
			ctl_option(a, "--number"));
	if (!res)
		return CTL_FAILED;
	answered = ctl_value(res, 0, "answered");
	if (strcmp(answered, approve ? "approved" : "denied") != 0)
		code = ctl_fail("that is not the number that the prompt shows; the third wrong one denies the push");
	else if (c->json)
		code = ctl_print_done(
			json_pack("{s:I, s:s}", "id", (json_int_t)strtoll(id, NULL, 10), "answered", answered));
	else
		printf("push %s %s\n", id, answered);
	PQclear(res);
	return code;
}
