/* report: one page for people without a terminal, from the views and the template report.html.
 * Apart from status.c, which says less and says it in a terminal. */
#include "command.h"
#include "db.h"
#include "out.h"
#include "page.h"
#include "when.h"
#include "wsmfactl/report_page.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEOPLE_MAX 5000
#define WEEKS      52

struct report {
	struct ctl *c;
	char const *org, *region;
	char at[CTL_WHEN_MAX];
	long in_scope; //!< for the chart's upper end
};

/* Everything below counts rows of this table: the rules are applied once, and all figures agree. */
#define TABLE                                                                                                                                \
	"CREATE TEMPORARY TABLE report (account text NOT NULL, organization text NOT NULL, region text NOT NULL, in_scope boolean NOT NULL," \
	" stage text NOT NULL, enforce_from timestamptz, days_left integer, methods text[] NOT NULL, enrolled boolean NOT NULL,"             \
	" compliant boolean NOT NULL, exempt_until timestamptz, next_login text NOT NULL)"
#define FILL                                                                                                                            \
	"INSERT INTO pg_temp.report SELECT account, organization, region, in_scope, stage, enforce_from, days_left, methods, enrolled," \
	" compliant, exempt_until, next_login FROM wsmfa.compliance_at(coalesce($3::timestamptz, statement_timestamp()))"               \
	" WHERE disabled_at IS NULL AND ($1::text IS NULL OR organization = $1) AND ($2::text IS NULL OR region = $2)"

#define READY "count(*) FILTER (WHERE in_scope AND compliant)"
#define SCOPE "count(*) FILTER (WHERE in_scope)"
#define SHARE "trunc(100.0 * " READY " / nullif(" SCOPE ", 0), 1)"
/* The date as people of a region know it. */
#define ON \
	"CASE WHEN isfinite(r.enforce_from) THEN to_char(r.enforce_from AT TIME ZONE z.time_zone, 'YYYY-MM-DD')" \
	" WHEN r.enforce_from = '-infinity' THEN 'always' ELSE 'never' END"

static char const *share_class(PGresult const *res, int row)
{
	double share = strtod(ctl_value(res, row, "share"), NULL);

	return share >= 95 ? "good" : share >= 80 ? "fair" : "poor";
}

static void cell(FILE *f, char const *element, char const *text)
{
	fprintf(f, "<%s>", element);
	ctl_page_text(f, text);
	fprintf(f, "</%.2s>", element);
}

/* A number cell that on a narrow screen, where the head is hidden, says of what it is. */
static void number_cell(FILE *f, char const *of, char const *text)
{
	fprintf(f, "<td class=\"n\" data-of=\"%s\">", of);
	ctl_page_text(f, *text ? text : "–");
	fputs("</td>", f);
}

static void bar_cell(FILE *f, PGresult const *res, int row)
{
	fprintf(f,
		"<td><svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
		"<rect class=\"track\" width=\"100\" height=\"8\"/><rect class=\"%s\" width=\"%s\" height=\"8\"/></svg></td>",
		share_class(res, row), ctl_null(res, row, "share") ? "0" : ctl_value(res, row, "share"));
}

static void share_cell(FILE *f, PGresult const *res, int row)
{
	if (ctl_null(res, row, "share"))
		fputs("<td class=\"n\">nobody in scope</td>", f);
	else
		fprintf(f, "<td class=\"n\"><strong class=\"%s\">%s %%</strong></td>", share_class(res, row),
			ctl_value(res, row, "share"));
}

static bool tiles_fill(struct report *r, FILE *f)
{
	static struct {
		char const *column, *text;
	} const tiles[] = { { "in_scope", "accounts in scope" },
			    { "share", "of them ready" },
			    { "stopped", "would be stopped now" },
			    { "announced", "would be told, and let in" },
			    { "exempt", "exempt" } };
	PGresult *res = ctl_query(
		r->c,
		"SELECT " SCOPE " AS in_scope, " SHARE " AS share,"
		" count(*) FILTER (WHERE in_scope AND NOT compliant AND next_login IN ('enroll', 'deny')) AS stopped,"
		" count(*) FILTER (WHERE in_scope AND NOT compliant AND next_login = 'accept_with_banner') AS announced,"
		" count(*) FILTER (WHERE in_scope AND exempt_until IS NOT NULL) AS exempt FROM pg_temp.report",
		0);

	if (!res)
		return false;
	r->in_scope = strtol(ctl_value(res, 0, "in_scope"), NULL, 10);
	for (size_t i = 0; i < CTL_LENGTH(tiles); i++)
		fprintf(f, "<li><b>%s%s</b> <span>%s</span></li>\n",
			ctl_null(res, 0, tiles[i].column) ? "–" : ctl_value(res, 0, tiles[i].column),
			strcmp(tiles[i].column, "share") == 0 && !ctl_null(res, 0, "share") ? " %" : "", tiles[i].text);
	PQclear(res);
	return true;
}

static bool regions_fill(struct report *r, FILE *f)
{
	PGresult *res = ctl_query(r->c,
				  "SELECT z.code, z.name, " ON
				  " AS enforce_on, r.days_left, s.in_scope, s.ready, s.share FROM wsmfa.region z"
				  " CROSS JOIN LATERAL (SELECT z.enforce_from, wsmfa.days_left(z.enforce_from,"
				  " coalesce($1::timestamptz, statement_timestamp())) AS days_left) r"
				  " JOIN (SELECT region, " SCOPE " AS in_scope, " READY " AS ready, " SHARE
				  " AS share FROM pg_temp.report"
				  " GROUP BY region) s ON s.region = z.code ORDER BY z.enforce_from, z.code",
				  1, r->at[0] ? r->at : NULL);

	if (!res)
		return false;
	fputs("<table class=\"wide\"><thead><tr><th scope=\"col\">Region</th><th scope=\"col\">Enforced from</th><th scope=\"col\" class=\"n\">"
	      "Days left</th><th scope=\"col\" class=\"n\">In scope</th><th scope=\"col\" class=\"n\">Ready</th><th scope=\"col\" class=\"n\">"
	      "Share</th><th scope=\"col\">Picture</th></tr></thead><tbody>\n",
	      f);
	for (int row = 0; row < PQntuples(res); row++) {
		fputs("<tr><th scope=\"row\">", f);
		ctl_page_text(f, ctl_value(res, row, "code"));
		fputs(" <span class=\"soft\">", f);
		ctl_page_text(f, ctl_value(res, row, "name"));
		fputs("</span></th>", f);
		fprintf(f, "<td data-of=\"enforced from\">%s</td>", ctl_value(res, row, "enforce_on"));
		number_cell(f, "days left", ctl_value(res, row, "days_left"));
		number_cell(f, "in scope", ctl_value(res, row, "in_scope"));
		number_cell(f, "ready", ctl_value(res, row, "ready"));
		share_cell(f, res, row);
		bar_cell(f, res, row);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
	PQclear(res);
	return true;
}

/* How many accounts had enrolled by the end of each week. Counts what is still there: whoever left takes their past along. */
#define ADOPTION                                                                                                                     \
	"WITH first AS (SELECT e.enrolled_at AS at FROM wsmfa.enrolled_since e"                                                      \
	" JOIN pg_temp.report r ON r.account = e.account WHERE r.in_scope),"                                                         \
	" week AS (SELECT greatest(0, $1::integer - floor(extract(epoch FROM statement_timestamp() - at) / 604800)::integer) AS n,"  \
	" count(*) AS accounts FROM first GROUP BY 1)"                                                                               \
	" SELECT to_char(statement_timestamp() - make_interval(weeks => $1::integer - g.n), 'YYYY-MM-DD') AS on_day,"                \
	" (sum(coalesce(w.accounts, 0)) OVER (ORDER BY g.n))::bigint AS accounts"                                                    \
	" FROM generate_series(0, $1::integer) AS g(n) LEFT JOIN week w ON w.n = g.n ORDER BY g.n"

static void curve_print(FILE *f, PGresult const *res, double most)
{
	int last = PQntuples(res) - 1;

	for (int row = 0; row <= last; row++)
		fprintf(f, "%s%.2f %.2f", row ? " L" : "M", 100.0 * row / last,
			100 - 100 * strtod(PQgetvalue(res, row, 1), NULL) / most);
}

static bool adoption_fill(struct report *r, FILE *f)
{
	char weeks[8];
	PGresult *res;
	long most;
	int last;

	snprintf(weeks, sizeof(weeks), "%d", WEEKS);
	res = ctl_query(r->c, ADOPTION, 1, weeks);
	if (!res)
		return false;
	last = PQntuples(res) - 1;
	most = strtol(PQgetvalue(res, last, 1), NULL, 10);
	most = r->in_scope > most ? r->in_scope : most;
	most = most ? most : 1;
	fprintf(f,
		"<figure class=\"chart\"><div class=\"y\" aria-hidden=\"true\"><span>%ld</span><span>%ld</span><span>0</span></div>"
		"<svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Accounts in scope that are enrolled: "
		"%s on %s, %s on %s, of %ld in scope\">\n",
		most, most / 2, PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 0), PQgetvalue(res, last, 1),
		PQgetvalue(res, last, 0), r->in_scope);
	fputs("<path class=\"rule\" d=\"M0 50 H100\"/>", f);
	fprintf(f, "<path class=\"goal\" d=\"M0 %.2f H100\"/>", 100 - 100.0 * (double)r->in_scope / (double)most);
	fputs("<path class=\"area\" d=\"", f);
	curve_print(f, res, (double)most);
	fputs(" L100 100 L0 100 Z\"/><path class=\"curve\" d=\"", f);
	curve_print(f, res, (double)most);
	fprintf(f, "\"/></svg><div class=\"x\" aria-hidden=\"true\"><span>%s</span><span>%s</span></div></figure>\n",
		PQgetvalue(res, 0, 0), PQgetvalue(res, last, 0));
	fputs("<p class=\"soft\">Accounts in scope that are enrolled, by week; the dashed line is all in scope.</p>\n",
	      f);
	PQclear(res);
	return true;
}

static bool methods_fill(struct report *r, FILE *f)
{
	PGresult *res = ctl_query(
		r->c,
		"SELECT m.method, count(r.account) AS accounts, count(*) FILTER (WHERE array_remove(r.methods, 'recovery')"
		" = ARRAY[m.method]) AS sole, round(100.0 * count(r.account) / nullif(max(t.n), 0), 1) AS share"
		" FROM unnest('{fido2,push,totp,sms,recovery}'::text[]) WITH ORDINALITY m(method, place)"
		" CROSS JOIN (SELECT count(*) AS n FROM pg_temp.report) t"
		" LEFT JOIN pg_temp.report r ON m.method = ANY (r.methods) GROUP BY m.method, m.place ORDER BY m.place",
		0);

	if (!res)
		return false;
	fputs("<table><thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Accounts</th><th scope=\"col\" class=\"n\">Their only one</th>"
	      "<th scope=\"col\">Of all</th></tr></thead><tbody>\n",
	      f);
	for (int row = 0; row < PQntuples(res); row++) {
		fputs("<tr>", f);
		cell(f, "th scope=\"row\"", ctl_value(res, row, "method"));
		number_cell(f, "accounts", ctl_value(res, row, "accounts"));
		number_cell(f, "only one", ctl_value(res, row, "sole"));
		fprintf(f,
			"<td><svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" "
			"width=\"100\" height=\"8\"/><rect class=\"accent\" width=\"%s\" height=\"8\"/></svg></td></tr>\n",
			ctl_null(res, row, "share") ? "0" : ctl_value(res, row, "share"));
	}
	fputs("</tbody></table>\n", f);
	PQclear(res);
	return true;
}

static bool organizations_fill(struct report *r, FILE *f)
{
	PGresult *res = ctl_query(
		r->c,
		"SELECT organization, " SCOPE " AS in_scope, " READY " AS ready, " SHARE " AS share FROM pg_temp.report"
		" GROUP BY organization HAVING " SCOPE " > 0 ORDER BY share, in_scope DESC, organization LIMIT 50",
		0);

	if (!res)
		return false;
	fputs("<table class=\"wide\"><thead><tr><th scope=\"col\">Organization</th><th scope=\"col\" class=\"n\">In scope</th><th scope=\"col\" "
	      "class=\"n\">Ready</th><th scope=\"col\" class=\"n\">Share</th><th scope=\"col\">Picture</th></tr></thead><tbody>\n",
	      f);
	for (int row = 0; row < PQntuples(res); row++) {
		fputs("<tr>", f);
		cell(f, "th scope=\"row\"", ctl_value(res, row, "organization"));
		number_cell(f, "in scope", ctl_value(res, row, "in_scope"));
		number_cell(f, "ready", ctl_value(res, row, "ready"));
		share_cell(f, res, row);
		bar_cell(f, res, row);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
	PQclear(res);
	return true;
}

static bool people_fill(struct report *r, FILE *f)
{
	char most[16];
	PGresult *res;

	snprintf(most, sizeof(most), "%d", PEOPLE_MAX);
	res = ctl_query(
		r->c,
		"SELECT r.account, r.organization, r.region, " ON " AS enforce_on, r.days_left,"
		" CASE r.next_login WHEN 'enroll' THEN 'must enrol' WHEN 'deny' THEN 'refused' WHEN 'accept_with_banner' THEN"
		" CASE WHEN r.exempt_until IS NULL THEN 'told' ELSE 'exempt' END ELSE 'let in' END AS next,"
		" count(*) OVER () AS total FROM pg_temp.report r JOIN wsmfa.region z ON z.code = r.region"
		" WHERE r.in_scope AND NOT r.compliant ORDER BY r.enforce_from, r.organization, r.account LIMIT $1",
		1, most);
	if (!res)
		return false;
	if (!PQntuples(res)) {
		fputs("<p>Everybody in scope is.</p>\n", f);
		PQclear(res);
		return true;
	}
	if (strtol(ctl_value(res, 0, "total"), NULL, 10) > PEOPLE_MAX)
		fprintf(f,
			"<p class=\"soft\">The first %d of %s; <code>wsmfactl account list --not-ready</code> has them all.</p>\n",
			PEOPLE_MAX, ctl_value(res, 0, "total"));
	fputs("<table class=\"wide\"><thead><tr><th scope=\"col\">Account</th><th scope=\"col\">Organization</th><th scope=\"col\">Region</th>"
	      "<th scope=\"col\">Enforced from</th><th scope=\"col\" class=\"n\">Days left</th><th scope=\"col\">Next login</th></tr></thead><tbody>\n",
	      f);
	for (int row = 0; row < PQntuples(res); row++) {
		fputs("<tr>", f);
		cell(f, "th scope=\"row\"", ctl_value(res, row, "account"));
		cell(f, "td", ctl_value(res, row, "organization"));
		cell(f, "td", ctl_value(res, row, "region"));
		cell(f, "td data-of=\"enforced from\"", ctl_value(res, row, "enforce_on"));
		number_cell(f, "days left", ctl_value(res, row, "days_left"));
		cell(f, "td data-of=\"next login\"", ctl_value(res, row, "next"));
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
	PQclear(res);
	return true;
}

static bool subtitle_fill(struct report *r, FILE *f)
{
	PGresult *res = ctl_query(
		r->c,
		"SELECT to_char(coalesce($1::timestamptz, statement_timestamp()) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')",
		1, r->at[0] ? r->at : NULL);

	if (!res)
		return false;
	fprintf(f, "%s %s UTC", r->at[0] ? "As it will be on" : "As of", PQgetvalue(res, 0, 0));
	PQclear(res);
	fputs(". ", f);
	ctl_page_text(f, r->org ? r->org : "All organizations");
	fputs(r->region ? ", region " : ", all regions", f);
	ctl_page_text(f, r->region ? r->region : "");
	fputs(".", f);
	return true;
}

static bool title_fill(struct report *r, FILE *f)
{
	ctl_page_text(f, r->org ? r->org : "all organizations");
	if (r->region) {
		fputs(", ", f);
		ctl_page_text(f, r->region);
	}
	return true;
}

static bool fill(void *ctx, FILE *f, char const *name)
{
	static struct {
		char const *name;
		bool (*fill)(struct report *, FILE *);
	} const parts[] = {
		{ "title", title_fill },
		{ "subtitle", subtitle_fill },
		{ "tiles", tiles_fill },
		{ "regions", regions_fill },
		{ "adoption", adoption_fill },
		{ "methods", methods_fill },
		{ "organizations", organizations_fill },
		{ "people", people_fill },
	};

	for (size_t i = 0; i < CTL_LENGTH(parts); i++) {
		if (strcmp(parts[i].name, name) == 0)
			return parts[i].fill(ctx, f);
	}
	ctl_fail("the template asks for an unknown part, %s", name);
	return false;
}

/* Writes the page and closes the file. false after a complaint. */
static bool page_fill(struct report *r, FILE *f, char const *name)
{
	bool done = ctl_page_write(f, ctl_report_page, fill, r);
	bool lost = ferror(f) != 0;
	int saved;

	/* Why a write failed some queries ago is forgotten: it fails again. */
	errno = EIO;
	if (lost) {
		clearerr(f);
		fputc('\n', f);
	}
	lost = fflush(f) != 0 || lost;
	saved = errno;
	if (f != stdout && fclose(f) != 0 && !lost) {
		lost = true;
		saved = errno;
	}
	if (lost)
		ctl_fail("%s can't be written: %s", name, strerror(saved));
	return done && !lost;
}

/*
 * The page goes to a file beside it first, with the rights of the one it replaces: who serves it never sees half of it. What is no
 * plain file (a pipe, a device, a link) is not replaced but written to.
 */
static enum ctl_exit page_write(struct report *r, char const *path)
{
	char fresh[PATH_MAX];
	struct stat st;
	FILE *f;
	bool there = lstat(path, &st) == 0;
	bool beside = !there || S_ISREG(st.st_mode);
	char const *name = beside ? fresh : path;

	if (strcmp(path, "-") == 0)
		return page_fill(r, stdout, "standard output") ? CTL_OK : CTL_FAILED;
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
		return ctl_fail("%s is too long a name", path);
	f = fopen(name, "w");
	if (!f)
		return ctl_fail("%s can't be written: %s", name, strerror(errno));
	if (there && beside && fchmod(fileno(f), st.st_mode & 0777) != 0)
		ctl_note("note: %s does not keep its rights: %s", path, strerror(errno));
	if (!page_fill(r, f, name)) {
		if (beside)
			unlink(fresh);
		return CTL_FAILED;
	}
	if (beside && rename(fresh, path) != 0) {
		ctl_fail("%s can't be written: %s", path, strerror(errno));
		unlink(fresh);
		return CTL_FAILED;
	}
	return CTL_OK;
}

enum ctl_exit ctl_report(struct ctl *c, struct ctl_args const *a)
{
	struct report r = { .c = c, .org = ctl_option(a, "--org"), .region = ctl_option(a, "--region") };
	PGresult *res;

	if (!ctl_option_when(a, "--at", r.at))
		return CTL_USAGE;
	if (!ctl_names_check(c, r.org, r.region) || !ctl_exec(c, TABLE))
		return CTL_FAILED;
	res = ctl_query(c, FILL, 3, r.org, r.region, r.at[0] ? r.at : NULL);
	if (!res)
		return CTL_FAILED;
	PQclear(res);
	if (!ctl_exec(c, "ANALYZE pg_temp.report"))
		return CTL_FAILED;
	return page_write(&r, ctl_option(a, "--html"));
}
