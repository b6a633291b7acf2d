/* metrics: the Prometheus text form, for a scraper's textfile or a small web server in front.
 * Apart from status.c, whose figures are for people. */
#include "command.h"
#include "db.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

/* A family: the last column of the query is the value, the columns before it are labels by their names. */
struct family {
	char const *name, *type, *help, *sql;
	bool slow; //!< counts over all accounts
};

static struct family const families[] = {
	{ "wsmfa_logins_total", "counter", "Replies to logins since midnight UTC, by what the events say.",
	  "SELECT outcome, coalesce(reason, '') AS reason, coalesce(stage, '') AS stage, coalesce(method, '') AS method,"
	  " coalesce(region, '') AS region, sum(count) FROM wsmfa.login_event"
	  " WHERE at >= date_trunc('day', statement_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
	  false },
	{ "wsmfa_parked", "gauge", "Requests that wait for a phone.",
	  "SELECT name AS server, parked FROM wsmfa.server ORDER BY 1", false },
	{ "wsmfa_breaker", "gauge", "A provider's circuit breaker: 1 in the state it is in.",
	  "SELECT s.name AS server, b.key AS provider, w.state, (b.value = w.state)::integer FROM wsmfa.server s,"
	  " jsonb_each_text(s.breakers) b, unnest('{closed,open,probing}'::text[]) w(state) ORDER BY 1, 2, 3",
	  false },
	{ "wsmfa_heartbeat_age_seconds", "gauge", "Seconds since a server's last heartbeat; it beats every 5.",
	  "SELECT name AS server, round(extract(epoch FROM clock_timestamp() - at)::numeric, 3) FROM wsmfa.server ORDER BY 1",
	  false },
	{ "wsmfa_server_started_timestamp_seconds", "gauge", "When a server started.",
	  "SELECT name AS server, round(extract(epoch FROM started_at)::numeric, 3) FROM wsmfa.server ORDER BY 1",
	  false },
	{ "wsmfa_engine_total", "counter", "What a server's engine counted since it started.",
	  "SELECT s.name AS server, c.key AS what, c.value FROM wsmfa.server s, jsonb_each_text(s.counters) c ORDER BY 1, 2",
	  false },
	{ "wsmfa_enforce_timestamp_seconds", "gauge", "When a region is enforced; +Inf for never, -Inf for always.",
	  "SELECT code AS region, CASE enforce_from WHEN 'infinity' THEN '+Inf' WHEN '-infinity' THEN '-Inf'"
	  " ELSE extract(epoch FROM enforce_from)::bigint::text END"
	  " FROM wsmfa.region ORDER BY 1",
	  false },
	{ "wsmfa_accounts", "gauge",
	  "Accounts that are not disabled: all, in scope, enrolled, compliant, by SMS only, exempt.",
	  "SELECT region, w.what, w.n FROM wsmfa.region_compliance r, LATERAL (VALUES ('all', r.accounts), ('in_scope', r.in_scope),"
	  " ('enrolled', r.enrolled), ('compliant', r.compliant), ('sms_only', r.sms_only), ('exempt', r.exempt)) w(what, n) ORDER BY 1, 2",
	  true },
};

/* A label's value: backslash, quote and newline are escaped. */
static void label_put(char const *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else
			fputc(*text, stdout);
	}
}

static bool family_print(struct ctl *c, struct family const *f)
{
	PGresult *res = ctl_query(c, f->sql, 0);
	int labels;

	if (!res)
		return false;
	labels = PQnfields(res) - 1;
	printf("# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
	for (int row = 0; row < PQntuples(res); row++) {
		printf("%s{", f->name);
		for (int i = 0; i < labels; i++) {
			printf("%s%s=\"", i ? "," : "", PQfname(res, i));
			label_put(PQgetvalue(res, row, i));
			fputc('"', stdout);
		}
		printf("} %s\n", PQgetvalue(res, row, labels));
	}
	PQclear(res);
	return true;
}

enum ctl_exit ctl_metrics(struct ctl *c, struct ctl_args const *a)
{
	for (size_t i = 0; i < CTL_LENGTH(families); i++) {
		if (families[i].slow && ctl_option(a, "--no-accounts"))
			continue;
		if (!family_print(c, &families[i]))
			return CTL_FAILED;
	}
	return CTL_OK;
}
