/* doctor: is everything there that a login needs? It reads, and changes nothing.
 * Apart from doctor_keys.c, which looks at what is sealed, and doctor_raddb.c, which looks at the server's configuration. */
#include "doctor.h"
#include "command.h"
#include "db.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char const *const words[] = { "ok", "warning", "failed" };

void ctl_found(struct ctl_doctor *d, enum ctl_verdict verdict, char const *check, char const *format, ...)
{
	static enum ctl_style const styles[] = { CTL_GREEN, CTL_YELLOW, CTL_RED };
	char detail[512];
	va_list list;

	va_start(list, format);
	vsnprintf(detail, sizeof(detail), format, list);
	va_end(list);
	d->bad = d->bad || verdict == CTL_BAD;
	json_array_append_new(
		d->found, json_pack("{s:s, s:s, s:s*}", "check", check, "status", words[verdict], "detail", detail));
	if (d->c->json)
		return;
	printf("%s%-8s%s  %-12s  ", ctl_style(d->c, styles[verdict]), words[verdict], ctl_style(d->c, CTL_PLAIN),
	       check);
	ctl_put_clean(stdout, detail);
	fputc('\n', stdout);
}

PGresult *ctl_doctor_ask(struct ctl_doctor *d, char const *check, char const *sql)
{
	PGresult *res = ctl_query_quiet(d->c, sql, 0, NULL);
	char const *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		return res;
	ctl_found(d, CTL_WARN, check, "can't be looked at as %s: %s", PQuser(d->c->db),
		  primary ? primary : "the connection is gone");
	PQclear(res);
	return NULL;
}

static bool connection_check(struct ctl_doctor *d)
{
	char why[512] = "";
	PGconn *db;
	char const *host, *address;
	int version;

	if (!ctl_db_connect(d->c, why, sizeof(why))) {
		ctl_found(d, CTL_BAD, "connection", "%s; check PGHOST, PGPORT, PGDATABASE and PGUSER", why);
		ctl_db_close(d->c);
		return false;
	}
	db = d->c->db;
	host = PQhost(db);
	address = PQhostaddr(db);
	version = PQserverVersion(db);
	ctl_found(d, version >= 130000 ? CTL_GOOD : CTL_BAD, "connection",
		  "PostgreSQL %s, database %s at %s port %s, as %s%s", PQparameterStatus(db, "server_version"),
		  PQdb(db), host ? host : "?", PQport(db), PQuser(db),
		  version >= 130000 ? "" : "; version 13 or later is needed");
	if (PQsslInUse(db))
		ctl_found(d, CTL_GOOD, "TLS", "%s, %s", PQsslAttribute(db, "protocol"), PQsslAttribute(db, "cipher"));
	else if (host && host[0] == '/')
		ctl_found(d, CTL_GOOD, "TLS", "not needed: a Unix socket");
	else if (address && (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0))
		ctl_found(d, CTL_GOOD, "TLS", "not needed: the connection stays on this machine");
	else
		ctl_found(d, CTL_BAD, "TLS",
			  "the connection goes over the network in clear; set PGSSLMODE=verify-full");
	return true;
}

static void role_check(struct ctl_doctor *d)
{
	PGresult *res = ctl_doctor_ask(
		d, "role",
		"SELECT r.rolname, pg_has_role(session_user, r.oid, 'MEMBER') AS member FROM pg_roles r"
		" WHERE r.rolname IN ('wsmfa_radius', 'wsmfa_push', 'wsmfa_admin', 'wsmfa_auditor', 'wsmfa_org_admin')");
	bool admin = false;
	int found = res ? PQntuples(res) : 0;

	if (!res)
		return;
	for (int i = 0; i < found; i++)
		admin = admin || (strcmp(PQgetvalue(res, i, 0), "wsmfa_admin") == 0 && PQgetvalue(res, i, 1)[0] == 't');
	PQclear(res);
	if (found < 5)
		ctl_found(d, CTL_BAD, "role", "%d of the 5 roles wsmfa_* are missing; run sql/migrate", 5 - found);
	else if (!admin)
		ctl_found(d, CTL_WARN, "role", "%s is no member of wsmfa_admin: it can look, and change little",
			  PQuser(d->c->db));
	else
		ctl_found(d, CTL_GOOD, "role", "%s may do what wsmfa_admin may", PQuser(d->c->db));
}

static bool schema_check(struct ctl_doctor *d)
{
	char why[512];
	bool good = ctl_schema_check(d->c, why, sizeof(why));

	ctl_found(d, good ? CTL_GOOD : CTL_BAD, "schema", "%s", why);
	return good;
}

/* The clocks of here and of the database, half a round trip taken off: what is seconds apart spoils TOTP. */
static void clock_check(struct ctl_doctor *d)
{
	struct timespec before, after;
	PGresult *res;
	double there, here, apart;

	clock_gettime(CLOCK_REALTIME, &before);
	res = ctl_doctor_ask(d, "clock", "SELECT extract(epoch FROM clock_timestamp())::float8");
	clock_gettime(CLOCK_REALTIME, &after);
	if (!res)
		return;
	there = strtod(PQgetvalue(res, 0, 0), NULL);
	PQclear(res);
	here = ((double)before.tv_sec + (double)after.tv_sec) / 2 +
	       ((double)before.tv_nsec + (double)after.tv_nsec) / 2e9;
	apart = there > here ? there - here : here - there;
	ctl_found(d,
		  apart < 2    ? CTL_GOOD
		  : apart < 15 ? CTL_WARN
			       : CTL_BAD,
		  "clock", "this machine and the database are %.3f s apart%s", apart,
		  apart < 2 ? "" : "; run NTP on both: TOTP codes live for 30 s");
}

static void servers_check(struct ctl_doctor *d)
{
	PGresult *res = ctl_doctor_ask(
		d, "servers",
		"SELECT name, version, engine, parked, round(extract(epoch FROM clock_timestamp() - at)::numeric, 1) AS age,"
		" (SELECT string_agg(b.key || ' ' || b.value, ', ' ORDER BY b.key) FROM jsonb_each_text(breakers) b"
		" WHERE b.value <> 'closed') AS breakers FROM wsmfa.server ORDER BY name");
	bool alive = false;

	for (int i = 0; res && i < PQntuples(res); i++) {
		char const *name = PQgetvalue(res, i, 0), *engine = PQgetvalue(res, i, 2);
		double age = strtod(PQgetvalue(res, i, 4), NULL);

		if (strcmp(engine, "stopped") == 0)
			ctl_found(d, CTL_GOOD, "servers", "%s was stopped %.0f s ago", name, age);
		else if (age > 30)
			ctl_found(d, CTL_BAD, "servers",
				  "%s is silent for %.0f s; is it running, and does it reach the database?", name, age);
		else if (!PQgetisnull(res, i, 5))
			ctl_found(d, CTL_WARN, "servers",
				  "%s lives, %s parked, but a breaker is not closed: %s; look at that provider", name,
				  PQgetvalue(res, i, 3), PQgetvalue(res, i, 5));
		else
			ctl_found(d, CTL_GOOD, "servers", "%s lives: version %s, engine %s, %s parked, breakers closed",
				  name, PQgetvalue(res, i, 1), engine, PQgetvalue(res, i, 3));
		alive = alive || age <= 30;
	}
	if (res && !PQntuples(res))
		ctl_found(d, CTL_WARN, "servers", "none has sent a heartbeat yet");
	PQclear(res);
}

/* Events must have a partition to go to, and what is old must be swept. */
static void events_check(struct ctl_doctor *d)
{
	PGresult *res = ctl_doctor_ask(
		d, "events",
		"SELECT to_regclass('wsmfa.event_' || to_char(date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC')"
		" + interval '1 month', 'YYYY_MM')) IS NOT NULL AS ahead,"
		" EXISTS (SELECT FROM wsmfa.event_default WHERE at >= date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC')"
		" AT TIME ZONE 'UTC') AS stray");

	if (!res)
		return;
	if (PQgetvalue(res, 0, 0)[0] != 't')
		ctl_found(d, CTL_WARN, "events",
			  "next month has no partition yet; let cron run wsmfactl sweep every day");
	else if (PQgetvalue(res, 0, 1)[0] == 't')
		ctl_found(d, CTL_WARN, "events", "some are in the default partition; wsmfactl sweep moves them");
	else
		ctl_found(d, CTL_GOOD, "events", "partitions are made ahead");
	PQclear(res);
}

enum ctl_exit ctl_doctor(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_doctor d = { .c = c, .found = json_array() };

	if (connection_check(&d) && schema_check(&d)) {
		role_check(&d);
		clock_check(&d);
		ctl_doctor_keys(&d, true);
		servers_check(&d);
		events_check(&d);
	} else {
		ctl_doctor_keys(&d, false);
	}
	if (ctl_option(a, "--raddb"))
		ctl_doctor_raddb(&d, ctl_option(a, "--raddb"));
	if (c->json)
		ctl_print_json(d.found);
	else
		json_decref(d.found);
	return d.bad ? CTL_FAILED : CTL_OK;
}
