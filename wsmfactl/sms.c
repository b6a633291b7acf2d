/* sms add: a phone number that codes are sent to.
 * Apart from account.c, whose --phone is the number on file: for notices and for enrolling at the prompt. */
#include "command.h"
#include "db.h"
#include "out.h"

#include <stdio.h>

#include "core/name.h"

enum ctl_exit ctl_sms_add(struct ctl *c, struct ctl_args const *a)
{
	char const *phone = ctl_operand(a, 1);
	struct ctl_account account;
	PGresult *res;

	if (!wsmfa_phone_valid(phone))
		return ctl_fail("\"%.40s\" is no number like +358401234567", phone);
	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	res = ctl_query(
		c,
		"INSERT INTO wsmfa.authenticator (account_id, kind, label, confirmed_at, phone)"
		" SELECT $1, 'sms', coalesce($3, ''), statement_timestamp(), $2"
		" WHERE NOT EXISTS (SELECT FROM wsmfa.authenticator WHERE account_id = $1 AND kind = 'sms' AND phone = $2"
		" AND removed_at IS NULL)"
		" RETURNING id, $4::text AS account, kind, phone",
		4, account.id, phone, ctl_option(a, "--label"), account.name);
	if (res && !PQntuples(res)) {
		PQclear(res);
		return ctl_fail("account %s has an authenticator for %s already", account.name, phone);
	}
	if (!res || c->json)
		return ctl_print_row(c, res);
	printf("authenticator %s added: codes go to %s\n", ctl_value(res, 0, "id"), phone);
	PQclear(res);
	return CTL_OK;
}
