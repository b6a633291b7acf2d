/* status: how ready regions and organizations are, with bars and dates.
 * Apart from report.c, which says the same to people who have no terminal. */
#include "command.h"
#include "db.h"
#include "out.h"
#include "when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_MAX    40
#define BAR_MIN    10
#define SHARE_MORE 8 /* of the percentage beside the bar */

/* The share of compliant accounts, in eighths of a column where the terminal has them. */
static void bar_print(struct ctl const *c, double percent, int width)
{
	static char const *const eighths[] = {
		"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"
	};
	int filled = (int)(percent / 100 * width * 8 + 0.5);
	int blank = width - filled / 8 - (filled % 8 != 0);

	fputs(ctl_style(c, percent >= 95 ? CTL_GREEN : percent >= 80 ? CTL_YELLOW : CTL_RED), stdout);
	for (int i = 0; i < filled / 8; i++)
		fputs(ctl_utf8() ? "\u2588" : "#", stdout);
	if (filled % 8)
		fputs(ctl_utf8() ? eighths[filled % 8] : "-", stdout);
	fputs(ctl_style(c, CTL_PLAIN), stdout);
	fputs(ctl_style(c, CTL_DIM), stdout);
	for (int i = 0; i < blank; i++)
		fputs(ctl_utf8() ? "\u2591" : ".", stdout);
	fputs(ctl_style(c, CTL_PLAIN), stdout);
}

static char const *plural(char const *count)
{
	return strcmp(count, "1") == 0 ? "" : "s";
}

/* When enforcement begins, as people say it. */
static enum ctl_style when_text(PGresult const *res, int row, char *out, size_t size)
{
	char const *date = ctl_value(res, row, "enforce_on");
	char const *days = ctl_value(res, row, "days_left");

	if (!ctl_null(res, row, "days_left")) {
		snprintf(out, size, "enforced from %s, %s day%s left", date, days, plural(days));
		return CTL_YELLOW;
	}
	snprintf(out, size, *date ? "enforced since %s" : "not to be enforced", date);
	return *date ? CTL_BOLD : CTL_DIM;
}

static void counts_text(PGresult const *res, int row, char *out, size_t size)
{
	char const *accounts = ctl_value(res, row, "accounts");
	char const *sms = ctl_value(res, row, "sms_only"), *exempt = ctl_value(res, row, "exempt");
	bool some_sms = strcmp(sms, "0") != 0, some_exempt = strcmp(exempt, "0") != 0;

	snprintf(out, size, "%s of %s in scope ready, %s account%s%s%s%s%s%s%s", ctl_value(res, row, "compliant"),
		 ctl_value(res, row, "in_scope"), accounts, plural(accounts), some_sms ? ", " : "", some_sms ? sms : "",
		 some_sms ? " by SMS only" : "", some_exempt ? ", " : "", some_exempt ? exempt : "",
		 some_exempt ? " exempt" : "");
}

static void share_print(struct ctl const *c, PGresult const *res, int row, int bar_width)
{
	double percent = strtod(ctl_value(res, row, "percent"), NULL);

	if (ctl_null(res, row, "percent")) {
		printf("%-*s", bar_width + SHARE_MORE, "nobody in scope");
	} else {
		bar_print(c, percent, bar_width);
		printf(" %5.1f %%", percent);
	}
}

/* A line with name, bar and date, and one with the counts; where that is too wide, one below the other. */
static void row_print(struct ctl const *c, PGresult const *res, int row, int name_width, int bar_width, int columns)
{
	char const *name = PQgetvalue(res, row, 0);
	char when[128], counts[256];
	enum ctl_style style = when_text(res, row, when, sizeof(when));
	bool beside = bar_width >= BAR_MIN;

	counts_text(res, row, counts, sizeof(counts));
	if (beside) {
		fputs("  ", stdout);
		ctl_put_clean(stdout, name);
		printf("%*s", name_width - ctl_text_width(name) + 2, "");
		share_print(c, res, row, bar_width);
		printf("  %s%s%s\n", ctl_style(c, style), when, ctl_style(c, CTL_PLAIN));
		ctl_put_wrapped(counts, name_width + 4, columns);
		return;
	}
	ctl_put_wrapped(name, 2, columns);
	fputs("    ", stdout);
	bar_width = columns - 4 - SHARE_MORE;
	share_print(c, res, row, bar_width < 1 ? 1 : bar_width > BAR_MAX ? BAR_MAX : bar_width);
	fputs("\n", stdout);
	fputs(ctl_style(c, style), stdout);
	ctl_put_wrapped(when, 4, columns);
	fputs(ctl_style(c, CTL_PLAIN), stdout);
	ctl_put_wrapped(counts, 4, columns);
}

static void section_print(struct ctl const *c, char const *title, PGresult const *res)
{
	int name_width = 8, when_width = 0, columns = ctl_columns(), bar_width;
	char when[128];

	for (int row = 0; row < PQntuples(res); row++) {
		int width = ctl_text_width(PQgetvalue(res, row, 0));

		name_width = width > name_width ? width : name_width;
		when_text(res, row, when, sizeof(when));
		when_width = ctl_text_width(when) > when_width ? ctl_text_width(when) : when_width;
	}
	bar_width = columns - 2 - name_width - 2 - SHARE_MORE - 2 - when_width;
	fputs(ctl_style(c, CTL_BOLD), stdout);
	ctl_put_wrapped(title, 0, columns);
	fputs(ctl_style(c, CTL_PLAIN), stdout);
	for (int row = 0; row < PQntuples(res); row++)
		row_print(c, res, row, name_width, bar_width > BAR_MAX ? BAR_MAX : bar_width, columns);
	if (!PQntuples(res))
		puts("  (nobody)");
}

#define AT "coalesce($3::timestamptz, statement_timestamp())"
/* The date as people know it: of a region in its own zone, of an organization in that of the region whose date it has. */
#define DATE(_zone)                                                                       \
	" CASE WHEN isfinite(enforce_from) THEN to_char(enforce_from AT TIME ZONE " _zone \
	", 'YYYY-MM-DD') WHEN enforce_from = '-infinity' THEN 'the beginning' END AS enforce_on"
#define REGION_DATE DATE("(SELECT z.time_zone FROM wsmfa.region z WHERE z.code = s.region)")
#define ORG_DATE                                                                                             \
	DATE("coalesce((SELECT min(z.time_zone) FROM wsmfa.region z WHERE z.enforce_from = s.enforce_from)," \
	     " current_setting('TimeZone'))")
#define COUNT(_condition) "count(*) FILTER (WHERE in_scope AND " _condition ")"

/* Counted anew for a choice of accounts, by the same rules as region_compliance and org_compliance. */
#define COUNTED(_by, _more)                                                                                                                                                                                                                                      \
	" (SELECT " _by "," _more                                                                                                                                                                                                                                \
	" count(*) AS accounts, " COUNT("true") " AS in_scope, " COUNT("enrolled") " AS enrolled, " COUNT("compliant") " AS compliant, trunc(100.0 * " COUNT("compliant") " / nullif(" COUNT(                                                                    \
		"true") ", 0), 1) AS percent, " COUNT("array_remove(methods, 'recovery') = '{sms}'") " AS sms_only, " COUNT("exempt_until > " AT) " AS exempt,"                                                                                                  \
																		  " coalesce(min(enforce_from) FILTER (WHERE days_left IS NOT NULL), max(enforce_from)) AS enforce_from,"        \
																		  " min(days_left) AS days_left FROM wsmfa.compliance_at(" AT                                                    \
																		  ")"                                                                                                            \
																		  " WHERE ($1::text IS NULL OR organization = $1) AND ($2::text IS NULL OR region = $2) AND disabled_at IS NULL" \
																		  " GROUP BY " _by                                                                                               \
																		  ") s"

static char const *const regions_of_org =
	"SELECT s.*," REGION_DATE
	" FROM" COUNTED("region", " $1::text AS organization,") " ORDER BY enforce_from, region";
static char const *const orgs_of_region =
	"SELECT s.*," ORG_DATE " FROM" COUNTED("organization", "") " ORDER BY percent NULLS LAST, organization";
static char const *const regions_all =
	"SELECT s.*," REGION_DATE " FROM wsmfa.region_compliance_at(" AT ") s"
	" WHERE ($2::text IS NULL OR region = $2) AND $1::text IS NULL ORDER BY enforce_from, region";
static char const *const orgs_all = "SELECT s.*," ORG_DATE " FROM wsmfa.org_compliance_at(" AT ") s"
				    " WHERE ($1::text IS NULL OR organization = $1) AND $2::text IS NULL"
				    " ORDER BY percent NULLS LAST, organization LIMIT 20";

bool ctl_names_check(struct ctl *c, char const *org, char const *region)
{
	PGresult *res = ctl_query(
		c,
		"SELECT EXISTS (SELECT FROM wsmfa.account_fact WHERE organization = $1) OR $1::text IS NULL AS org,"
		" EXISTS (SELECT FROM wsmfa.region WHERE code = $2) OR $2::text IS NULL AS region",
		2, org, region);
	bool known = false;

	if (!res)
		return false;
	if (*ctl_value(res, 0, "org") != 't')
		ctl_fail("there is no organization %s with accounts", org);
	else if (*ctl_value(res, 0, "region") != 't')
		ctl_fail("there is no region %s; wsmfactl region list shows those there are", region);
	else
		known = true;
	PQclear(res);
	return known;
}

enum ctl_exit ctl_status(struct ctl *c, struct ctl_args const *a)
{
	char const *org = ctl_option(a, "--org"), *region = ctl_option(a, "--region");
	char at[CTL_WHEN_MAX];
	PGresult *res;

	if (!ctl_option_when(a, "--at", at))
		return CTL_USAGE;
	if (!ctl_names_check(c, org, region))
		return CTL_FAILED;
	res = ctl_query(c, org ? regions_of_org : regions_all, 3, org, region, at[0] ? at : NULL);
	if (c->json || !res)
		return ctl_print_rows(c, res);
	if (at[0])
		printf("as of %s\n\n", ctl_option(a, "--at"));
	section_print(c, "Regions", res);
	PQclear(res);
	res = ctl_query(c, region ? orgs_of_region : orgs_all, 3, org, region, at[0] ? at : NULL);
	if (!res)
		return CTL_FAILED;
	fputs("\n", stdout);
	section_print(c, org || region ? "Organizations" : "Organizations, the least ready first", res);
	PQclear(res);
	return CTL_OK;
}
