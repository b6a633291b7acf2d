/* method list, enable, disable, remove: the second factors that an account has.
 * Apart from totp.c, sms.c and push.c, which add them. */
#include "command.h"
#include "db.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum ctl_exit ctl_method_list(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;

	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	return ctl_print_rows(
		c, ctl_query(c,
			     "SELECT id, kind, label, confirmed_at, last_used_at, disabled_at FROM wsmfa.authenticator"
			     " WHERE account_id = $1 AND removed_at IS NULL ORDER BY id",
			     1, account.id));
}

/* One statement about one authenticator of an account: $1 the account, $2 the authenticator. It returns a row if there is such a one. */
static enum ctl_exit method_change(struct ctl *c, struct ctl_args const *a, char const *sql, char const *done)
{
	char const *id = ctl_operand(a, 1);
	struct ctl_account account;
	bool touched;
	PGresult *res;

	if (strspn(id, "0123456789") != strlen(id) || strlen(id) > 18 || !*id)
		return ctl_misuse("\"%.40s\" is no id; wsmfactl method list %s shows them", id, ctl_operand(a, 0));
	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	res = ctl_query(c, sql, 2, account.id, id);
	if (!res)
		return CTL_FAILED;
	touched = PQntuples(res) == 1;
	PQclear(res);
	if (!touched)
		return ctl_fail("account %s has no authenticator %s; wsmfactl method list %s shows them", account.name,
				id, account.name);
	if (c->json)
		return ctl_print_done(json_pack("{s:s, s:I, s:s}", "account", account.name, "id",
						(json_int_t)strtoll(id, NULL, 10), "done", done));
	printf("authenticator %s of %s %s\n", id, account.name, done);
	return CTL_OK;
}

enum ctl_exit ctl_method_remove(struct ctl *c, struct ctl_args const *a)
{
	/* The row stays for the record, the key does not. */
	return method_change(c, a,
			     "UPDATE wsmfa.authenticator SET removed_at = statement_timestamp(),"
			     " sealed = CASE WHEN sealed IS NOT NULL THEN '\\x00'::bytea END"
			     " WHERE account_id = $1 AND id = $2 AND removed_at IS NULL RETURNING id",
			     "removed");
}

enum ctl_exit ctl_method_disable(struct ctl *c, struct ctl_args const *a)
{
	return method_change(
		c, a,
		"UPDATE wsmfa.authenticator SET disabled_at = coalesce(disabled_at, statement_timestamp()),"
		" disabled_reason = coalesce(disabled_reason, 'administrator')"
		" WHERE account_id = $1 AND id = $2 AND removed_at IS NULL RETURNING id",
		"disabled");
}

enum ctl_exit ctl_method_enable(struct ctl *c, struct ctl_args const *a)
{
	return method_change(c, a, "SELECT WHERE wsmfa.authenticator_enable($1, $2)", "enabled");
}
