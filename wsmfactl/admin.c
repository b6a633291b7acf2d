/* org, region, service: list, add, set. The lists that accounts refer to, and the schedules in them.
 * Together, because they differ in their columns only. */
#include "command.h"
#include "db.h"
#include "out.h"
#include "when.h"

#include <stdio.h>
#include <string.h>

/*
 * A time of a schedule as a parameter: with a zone; "never"; or, with --local, a local one, which SQL then reads in the region's zone.
 * "" when the option was not given.
 */
static bool schedule_option(struct ctl_args const *a, char const *name, char *out)
{
	char const *text = ctl_option(a, name);
	char const *why;

	out[0] = '\0';
	if (text && strcmp(text, "never") == 0) {
		snprintf(out, CTL_WHEN_MAX, "infinity");
		return true;
	}
	if (!text || !ctl_option(a, "--local"))
		return ctl_option_when(a, name, out);
	why = ctl_when_parse_local(text, out);
	if (why) {
		ctl_misuse("%s: \"%.60s\" %s", name, text, why);
		return false;
	}
	return true;
}

static char const *null_if_empty(char const *text)
{
	return text[0] ? text : NULL;
}

/* Prints the row that a statement returned; where it returned none, what it did not find. */
static enum ctl_exit changed(struct ctl *c, PGresult *res, char const *what, char const *name)
{
	if (res && !PQntuples(res)) {
		PQclear(res);
		return ctl_fail("there is no %s %s; wsmfactl %s list shows those there are", what, name,
				strcmp(what, "organization") == 0 ? "org" : what);
	}
	return ctl_print_row(c, res);
}

enum ctl_exit ctl_org_list(struct ctl *c, struct ctl_args const *a)
{
	(void)a;
	return ctl_print_rows(
		c,
		ctl_query(
			c,
			"SELECT o.id, o.name, o.allowed_methods, s.announce_from, s.enforce_from"
			" FROM wsmfa.organization o LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = o.id"
			" ORDER BY o.name",
			0));
}

/* --methods all is NULL, no policy; none is an empty list. */
#define METHODS(_n, _else)                                                                                           \
	"CASE WHEN " _n "::text IS NULL THEN " _else " WHEN " _n " = 'all' THEN NULL WHEN " _n " = 'none' THEN '{}'" \
	" ELSE string_to_array(" _n ", ',') END"

enum ctl_exit ctl_org_add(struct ctl *c, struct ctl_args const *a)
{
	return ctl_print_row(c, ctl_query(c,
					  "INSERT INTO wsmfa.organization (name, allowed_methods)"
					  " VALUES ($1, " METHODS("$2", "NULL") ") RETURNING id, name, allowed_methods",
					  2, ctl_operand(a, 0), ctl_option(a, "--methods")));
}

/* Its own schedule, in the transaction that the caller began. */
static bool org_schedule_set(struct ctl *c, struct ctl_args const *a, char const *announce, char const *enforce)
{
	PGresult *res;
	bool done;

	if (ctl_option(a, "--no-schedule"))
		res = ctl_query(c,
				"DELETE FROM wsmfa.organization_schedule"
				" WHERE organization_id = (SELECT id FROM wsmfa.organization WHERE name = $1)",
				1, ctl_operand(a, 0));
	else
		res = ctl_query(
			c,
			"INSERT INTO wsmfa.organization_schedule (organization_id, announce_from, enforce_from)"
			" SELECT o.id, coalesce($2::timestamptz, s.announce_from), coalesce($3::timestamptz, s.enforce_from)"
			" FROM wsmfa.organization o LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = o.id"
			" WHERE o.name = $1 ON CONFLICT (organization_id) DO UPDATE SET announce_from = excluded.announce_from,"
			" enforce_from = excluded.enforce_from",
			3, ctl_operand(a, 0), null_if_empty(announce), null_if_empty(enforce));
	done = res != NULL;
	PQclear(res);
	return done;
}

enum ctl_exit ctl_org_set(struct ctl *c, struct ctl_args const *a)
{
	char announce[CTL_WHEN_MAX], enforce[CTL_WHEN_MAX];
	bool schedule = ctl_option(a, "--announce-from") || ctl_option(a, "--enforce-from");
	PGresult *res;
	enum ctl_exit code;

	if (schedule && ctl_option(a, "--no-schedule"))
		return ctl_misuse("org set: --no-schedule and a schedule exclude each other");
	if (!schedule_option(a, "--announce-from", announce) || !schedule_option(a, "--enforce-from", enforce))
		return CTL_USAGE;
	if (!ctl_exec(c, "BEGIN"))
		return CTL_FAILED;
	if ((schedule || ctl_option(a, "--no-schedule")) && !org_schedule_set(c, a, announce, enforce))
		return CTL_FAILED;
	res = ctl_query(
		c,
		"WITH o AS (UPDATE wsmfa.organization SET name = coalesce($2, name),"
		" allowed_methods = " METHODS(
			"$3",
			"allowed_methods") " WHERE name = $1 RETURNING id, name, allowed_methods)"
					   " SELECT o.id, o.name, o.allowed_methods, s.announce_from, s.enforce_from"
					   " FROM o LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = o.id",
		3, ctl_operand(a, 0), ctl_option(a, "--name"), ctl_option(a, "--methods"));
	if (res && !ctl_exec(c, "COMMIT")) {
		PQclear(res);
		return CTL_FAILED;
	}
	code = changed(c, res, "organization", ctl_operand(a, 0));
	return code;
}

enum ctl_exit ctl_region_list(struct ctl *c, struct ctl_args const *a)
{
	(void)a;
	return ctl_print_rows(
		c, ctl_query(c,
			     "SELECT r.code, r.name, r.time_zone, r.announce_from, r.enforce_from,"
			     " wsmfa.stage_of(r.announce_from, r.enforce_from, statement_timestamp()) AS stage"
			     " FROM wsmfa.region r ORDER BY r.enforce_from, r.code",
			     0));
}

#define REGION_ROW " RETURNING code, name, time_zone, announce_from, enforce_from"
/*
 * A time of the schedule: $1 the code, $2 and $3 the times, $4 whether they are local to the zone. Casting a text to timestamp would
 * drop its zone, so each is cast as what it is.
 */
#define ZONED(_n, _zone)                                                                                        \
	"CASE WHEN $4::boolean AND " _n "::text <> 'infinity' THEN " _n "::text::timestamp AT TIME ZONE " _zone \
	" ELSE " _n "::text::timestamptz END"

static char const region_insert[] =
	"INSERT INTO wsmfa.region (code, name, time_zone, announce_from, enforce_from)"
	" VALUES ($1, coalesce($5, $1), $6::text, " ZONED("$2", "$6") ", " ZONED("$3", "$6") ")" REGION_ROW;
/* clang-format off */
static char const region_update[] =
	"UPDATE wsmfa.region SET name = coalesce($5, name), time_zone = coalesce($6, time_zone),"
	" announce_from = coalesce(" ZONED("$2", "coalesce($6, time_zone)") ", announce_from),"
	" enforce_from = coalesce(" ZONED("$3", "coalesce($6, time_zone)") ", enforce_from) WHERE code = $1" REGION_ROW;
static char const region_backwards[] =
	"SELECT " ZONED("$2", "r.time_zone") " > " ZONED("$3", "r.time_zone") " FROM wsmfa.region r WHERE r.code = $1";
/* Without a date of its own the announcement stays, but for a schedule that would begin before it. */
static char const region_proposed[] =
	"SELECT w.account, w.organization, w.stage, w.next_login, w.proposed_stage, w.proposed_next_login FROM wsmfa.region r"
	" CROSS JOIN LATERAL (SELECT " ZONED("$2", "r.time_zone") " AS announce, " ZONED("$3", "r.time_zone") " AS enforce) p"
	" CROSS JOIN LATERAL wsmfa.what_if(r.code, coalesce(p.announce, least(r.announce_from, p.enforce)), p.enforce,"
	" coalesce($5::timestamptz, statement_timestamp())) w"
	" WHERE r.code = $1 AND w.next_login <> w.proposed_next_login ORDER BY w.organization, w.account";
/* clang-format on */

/* Reads the two times of a schedule. false after a complaint. */
static bool schedule_read(struct ctl_args const *a, char *announce, char *enforce)
{
	return schedule_option(a, "--announce-from", announce) && schedule_option(a, "--enforce-from", enforce);
}

enum ctl_exit ctl_region_add(struct ctl *c, struct ctl_args const *a)
{
	char announce[CTL_WHEN_MAX], enforce[CTL_WHEN_MAX];

	if (!schedule_read(a, announce, enforce))
		return CTL_USAGE;
	return ctl_print_row(c, ctl_query(c, region_insert, 6, ctl_operand(a, 0), announce, enforce,
					  ctl_option(a, "--local") ? "t" : "f", ctl_option(a, "--name"),
					  ctl_option(a, "--time-zone")));
}

enum ctl_exit ctl_region_set(struct ctl *c, struct ctl_args const *a)
{
	char announce[CTL_WHEN_MAX], enforce[CTL_WHEN_MAX];

	if (!schedule_read(a, announce, enforce))
		return CTL_USAGE;
	return changed(c,
		       ctl_query(c, region_update, 6, ctl_operand(a, 0), null_if_empty(announce),
				 null_if_empty(enforce), ctl_option(a, "--local") ? "t" : "f", ctl_option(a, "--name"),
				 ctl_option(a, "--time-zone")),
		       "region", ctl_operand(a, 0));
}

enum ctl_exit ctl_region_what_if(struct ctl *c, struct ctl_args const *a)
{
	char announce[CTL_WHEN_MAX], enforce[CTL_WHEN_MAX], at[CTL_WHEN_MAX];
	char const *local = ctl_option(a, "--local") ? "t" : "f";
	PGresult *res;
	bool backwards;

	if (!schedule_read(a, announce, enforce) || !ctl_option_when(a, "--at", at))
		return CTL_USAGE;
	if (!ctl_names_check(c, NULL, ctl_operand(a, 0)))
		return CTL_FAILED;
	res = ctl_query(c, region_backwards, 4, ctl_operand(a, 0), null_if_empty(announce), enforce, local);
	if (!res)
		return CTL_FAILED;
	backwards = PQgetvalue(res, 0, 0)[0] == 't';
	PQclear(res);
	if (backwards)
		return ctl_fail("enforcement can't begin before the announcement");
	return ctl_print_cursor(c, region_proposed, 5, ctl_operand(a, 0), null_if_empty(announce), enforce, local,
				null_if_empty(at));
}

enum ctl_exit ctl_service_list(struct ctl *c, struct ctl_args const *a)
{
	(void)a;
	return ctl_print_rows(c, ctl_query(c,
					   "SELECT s.code, s.name, s.requires_mfa_from"
					   " FROM wsmfa.service s ORDER BY s.code",
					   0));
}

#define SERVICE_ROW " RETURNING code, name, requires_mfa_from"

enum ctl_exit ctl_service_add(struct ctl *c, struct ctl_args const *a)
{
	char from[CTL_WHEN_MAX];

	if (!schedule_option(a, "--requires-mfa-from", from))
		return CTL_USAGE;
	return ctl_print_row(
		c, ctl_query(c,
			     "INSERT INTO wsmfa.service (code, name, requires_mfa_from)"
			     " VALUES ($1, coalesce($2, $1), nullif($3::timestamptz, 'infinity'))" SERVICE_ROW,
			     3, ctl_operand(a, 0), ctl_option(a, "--name"), null_if_empty(from)));
}

enum ctl_exit ctl_service_set(struct ctl *c, struct ctl_args const *a)
{
	char from[CTL_WHEN_MAX];

	if (!schedule_option(a, "--requires-mfa-from", from))
		return CTL_USAGE;
	return changed(
		c,
		ctl_query(
			c,
			"UPDATE wsmfa.service SET name = coalesce($2, name), requires_mfa_from = CASE WHEN $3::timestamptz IS NULL"
			" THEN requires_mfa_from ELSE nullif($3, 'infinity') END WHERE code = $1" SERVICE_ROW,
			3, ctl_operand(a, 0), ctl_option(a, "--name"), null_if_empty(from)),
		"service", ctl_operand(a, 0));
}
