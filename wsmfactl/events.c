/* events: how logins ended, and with -f how they go on ending.
 * Apart from status.c, which counts people and not logins. */
#include "command.h"
#include "db.h"
#include "out.h"
#include "when.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS 8

/* Events have no number, so a row is known by its whole text. $7 the beginning, $8 how many. */
#define EVENTS                                                                                                                         \
	"SELECT * FROM (SELECT at, account, organization, client, calling_station, service, region, stage, decision, method, outcome," \
	" reason, count, e::text AS whole, (extract(epoch FROM at) * 1000000)::bigint AS microsecond FROM wsmfa.login_event e"         \
	" WHERE ($1::text IS NULL OR account = $1) AND ($2::text IS NULL OR organization = $2) AND ($3::text IS NULL OR region = $3)"  \
	" AND ($4::text IS NULL OR outcome = $4) AND ($5::text IS NULL OR reason = $5) AND ($6::text IS NULL OR method = $6)"          \
	" AND at >= coalesce($7::timestamptz, '-infinity') ORDER BY at DESC, whole DESC LIMIT $8::bigint) e ORDER BY at, whole"

/* Events are written up to 2 s after their reply, and servers' clocks differ: what may still come in between. */
#define LATE "statement_timestamp() - interval '60 s'"

static void event_print(struct ctl *c, PGresult const *res, int row)
{
	char const *outcome = ctl_value(res, row, "outcome");
	enum ctl_style style = strcmp(outcome, "accepted") == 0     ? CTL_GREEN
			       : strcmp(outcome, "challenged") == 0 ? CTL_CYAN
			       : strcmp(outcome, "error") == 0      ? CTL_RED
								    : CTL_YELLOW;
	static char const *const rest[] = { "account", "reason", "method", "service",
					    "region",  "stage",  "client", "calling_station" };

	printf("%.19s  %s%-20s%s", ctl_value(res, row, "at"), ctl_style(c, style), outcome, ctl_style(c, CTL_PLAIN));
	for (size_t i = 0; i < CTL_LENGTH(rest); i++) {
		char const *value = ctl_value(res, row, rest[i]);

		fputs("  ", stdout);
		ctl_put_clean(stdout, *value ? value : "-");
	}
	if (strcmp(ctl_value(res, row, "count"), "1") != 0)
		printf("  %s times", ctl_value(res, row, "count"));
	fputc('\n', stdout);
}

static void event_json(PGresult const *res, int row)
{
	json_t *object = ctl_row_json(res, row);

	json_object_del(object, "whole");
	json_object_del(object, "microsecond");
	json_dumpf(object, stdout, 0);
	json_decref(object);
}

static long long microsecond(PGresult const *res, int row)
{
	return strtoll(ctl_value(res, row, "microsecond"), NULL, 10);
}

/*
 * Whether the row was shown before: both results are in the order of time. Not of its text, which goes back with the clocks in autumn.
 */
static bool shown_before(PGresult const *before, int *at, PGresult const *res, int row)
{
	char const *whole = ctl_value(res, row, "whole");
	long long when = microsecond(res, row);

	for (int i = *at; before && i < PQntuples(before); i++) {
		if (strcmp(ctl_value(before, i, "whole"), whole) == 0) {
			*at = i + 1;
			return true;
		}
		if (microsecond(before, i) > when)
			break;
	}
	return false;
}

/* Waits for a second, or until the server says something: then the connection is going. */
static bool second_wait(struct ctl *c)
{
	struct pollfd fd = { .fd = PQsocket(c->db), .events = POLLIN };
	int ready = poll(&fd, 1, 1000);

	return ready >= 0 || errno == EINTR ? !(ready > 0 && !PQconsumeInput(c->db)) : false;
}

/* In the transaction that the caller began: between what was shown and what follows, nothing is missed. */
static enum ctl_exit follow(struct ctl *c, char const **values)
{
	PGresult *before = NULL, *res;
	PGresult *now = ctl_query(c, "SELECT " LATE, 0);

	/* What was there when we began is not news. */
	if (!now)
		return CTL_FAILED;
	values[6] = PQgetvalue(now, 0, 0);
	values[7] = "100000";
	before = ctl_query_array(c, EVENTS, PARAMETERS, values);
	PQclear(now);
	if (!before || !ctl_exec(c, "COMMIT")) {
		PQclear(before);
		return CTL_FAILED;
	}
	while (before) {
		int at = 0;

		fflush(stdout);
		if (ferror(stdout) || !second_wait(c))
			break;
		now = ctl_query(c, "SELECT " LATE, 0);
		if (!now)
			break;
		values[6] = PQgetvalue(now, 0, 0);
		res = ctl_query_array(c, EVENTS, PARAMETERS, values);
		for (int row = 0; res && row < PQntuples(res); row++) {
			if (shown_before(before, &at, res, row))
				continue;
			if (c->json) {
				event_json(res, row);
				fputc('\n', stdout);
			} else {
				event_print(c, res, row);
			}
		}
		PQclear(now);
		PQclear(before);
		before = res;
	}
	PQclear(before);
	return ctl_fail("following ended: the connection to PostgreSQL or the output is gone");
}

enum ctl_exit ctl_events(struct ctl *c, struct ctl_args const *a)
{
	char since[CTL_WHEN_MAX], limit_text[16], name[WSMFA_NAME_MAX];
	char const *values[PARAMETERS] = { ctl_option(a, "--account"),
					   ctl_option(a, "--org"),
					   ctl_option(a, "--region"),
					   ctl_option(a, "--outcome"),
					   ctl_option(a, "--reason"),
					   ctl_option(a, "--method"),
					   since,
					   limit_text };
	PGresult *res;
	long limit;

	if (!ctl_option_when(a, "--since", since) || !ctl_option_number(a, "--limit", 1, 10000000, 50, &limit))
		return CTL_USAGE;
	if (values[0]) {
		if (!ctl_account_fold(values[0], name))
			return CTL_FAILED;
		values[0] = name;
	}
	snprintf(limit_text, sizeof(limit_text), "%ld", limit);
	if (!since[0])
		values[6] = NULL;
	if (ctl_option(a, "-f") && !ctl_exec(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
		return CTL_FAILED;
	res = ctl_query_array(c, EVENTS, PARAMETERS, values);
	if (!res)
		return CTL_FAILED;
	/* Followed, an array would have no end: then it is an object a line. */
	if (c->json && !ctl_option(a, "-f"))
		fputc('[', stdout);
	for (int row = 0; row < PQntuples(res); row++) {
		if (!c->json) {
			event_print(c, res, row);
			continue;
		}
		if (!ctl_option(a, "-f"))
			fputs(row ? ",\n " : "\n ", stdout);
		event_json(res, row);
		if (ctl_option(a, "-f"))
			fputc('\n', stdout);
	}
	if (c->json && !ctl_option(a, "-f"))
		fputs(PQntuples(res) ? "\n]\n" : "]\n", stdout);
	PQclear(res);
	return ctl_option(a, "-f") ? follow(c, values) : CTL_OK;
}
