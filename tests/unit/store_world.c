/* The world of the store's scenarios, twice: helpers of the store in memory, and the owner's SQL.
 * Apart from the scenarios, which do not know which of the two they run in. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_world.h"

/* Runs a statement as the owner; its first value as a number. A failed setup ends the program: no scenario means anything then. */
__attribute__((format(printf, 2, 3))) static int64_t sql(struct store_world *w, char const *format, ...)
{
	char text[1024];
	PGresult *r;
	int64_t n = 0;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r = PQexec(w->admin, text);
	if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s\n%s", text, PQerrorMessage(w->admin));
		exit(1);
	}
	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0)
		n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return n;
}

/* A time as SQL, good for one use in a statement each of four. */
static char const *sql_time(wsmfa_time_t t)
{
	static char text[4][80];
	static unsigned next;
	char *out = text[next++ % 4];

	(void)snprintf(out, sizeof(text[0]), "(timestamptz 'epoch' + %lld * interval '1 us')", (long long)t);
	return out;
}

static char const *sql_hash(uint8_t const *hash)
{
	static char text[2 * WSMFA_HASH_LEN + 1];

	for (size_t i = 0; i < WSMFA_HASH_LEN; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return text;
}

static struct wsmfa_pg_conn *pool_get(void *ctx)
{
	struct store_world *w = ctx;
	struct wsmfa_pg_conn *conn = w->conn ? w->conn : wsmfa_pg_connect(&w->config);

	w->conn = NULL;
	return conn;
}

static void pool_release(void *ctx, struct wsmfa_pg_conn *conn)
{
	struct store_world *w = ctx;

	w->conn = conn;
}

static void pool_discard(void *ctx, struct wsmfa_pg_conn *conn)
{
	(void)ctx;
	wsmfa_pg_close(conn);
}

static void world_log(void *ctx, char level, char const *text)
{
	struct store_world *w = ctx;

	(void)snprintf(w->logged, sizeof(w->logged), "%c %s", level, text);
	fprintf(stderr, "# %s\n", w->logged);
}

static bool pg_begin(struct store_world *w, char const *conninfo)
{
	static char radius[512];
	struct wsmfa_pg_pool pool = { pool_get, pool_release, pool_discard, w };
	static char const *const regions[] = { "world-off", "world-soon", "world-on" };
	wsmfa_time_t times[][2] = { { WORLD_ENFORCE, WORLD_ENFORCE },
				    { WORLD_ANNOUNCE, WORLD_ENFORCE },
				    { WORLD_ANNOUNCE, WORLD_ANNOUNCE + WSMFA_DAY } };

	(void)snprintf(radius, sizeof(radius), "%s user=wsmfa_radius", conninfo);
	w->config = (struct wsmfa_pg_config) {
		.conninfo = radius, .store_timeout_ms = 20000, .log = world_log, .log_ctx = w
	};
	w->admin = PQconnectdb(conninfo);
	if (PQstatus(w->admin) != CONNECTION_OK)
		return false;
	(void)sql(w, "SET client_min_messages = warning");
	for (size_t i = 0; i < 3; i++)
		(void)sql(w, "INSERT INTO wsmfa.region VALUES ('%s', '%s', 'UTC', %s, %s) ON CONFLICT DO NOTHING",
			  regions[i], regions[i], sql_time(times[i][0]), sql_time(times[i][1]));
	(void)sql(w,
		  "INSERT INTO wsmfa.service VALUES ('world-mfa', 'MFA', %s), ('world-free', 'free', NULL) "
		  "ON CONFLICT DO NOTHING",
		  sql_time(WORLD_ANNOUNCE));
	w->store = wsmfa_pg_new(&w->config, &pool);
	return w->store != NULL;
}

bool world_begin(struct store_world *w, char const *conninfo)
{
	memset(w, 0, sizeof(*w));
	if (conninfo)
		return pg_begin(w, conninfo);
	w->store = wsmfa_mem_new();
	wsmfa_mem_region(w->store, "world-off", WORLD_ENFORCE, WORLD_ENFORCE);
	wsmfa_mem_region(w->store, "world-soon", WORLD_ANNOUNCE, WORLD_ENFORCE);
	wsmfa_mem_region(w->store, "world-on", WORLD_ANNOUNCE, WORLD_ANNOUNCE + WSMFA_DAY);
	wsmfa_mem_service(w->store, "world-mfa", WORLD_ANNOUNCE);
	wsmfa_mem_service(w->store, "world-free", WSMFA_TIME_NONE);
	return true;
}

void world_end(struct store_world *w)
{
	if (w->store)
		w->store->ops->free(w->store);
	wsmfa_pg_close(w->conn);
	PQfinish(w->admin);
}

static void mem_account(struct store_world *w, struct world_person const *p, struct world_who *who)
{
	struct wsmfa_account a = { .created_at = WORLD_NOW - 50 * WSMFA_DAY,
				   .disabled_at = WSMFA_TIME_NONE,
				   .banner_shown_at = WSMFA_TIME_NONE,
				   .language = "en" };

	who->organization = w->serial;
	a.organization_id = who->organization;
	wsmfa_mem_organization(w->store, a.organization_id, p->allowed_kinds ? p->allowed_kinds : ~0u,
			       p->enforce_from ? p->announce_from : WSMFA_TIME_NONE,
			       p->enforce_from ? p->enforce_from : WSMFA_TIME_NONE);
	(void)snprintf(a.name, sizeof(a.name), "%s", who->name);
	(void)snprintf(a.region, sizeof(a.region), "%s", p->region ? p->region : "world-on");
	(void)snprintf(a.phone, sizeof(a.phone), "%s", p->phone ? p->phone : "");
	(void)snprintf(a.password, sizeof(a.password), "%s", p->password ? p->password : "");
	who->id = wsmfa_mem_account(w->store, &a, p->service ? p->service : "world-mfa");
}

struct world_who world_account(struct store_world *w, struct world_person const *p)
{
	static struct world_person const nobody = { .region = NULL };
	struct world_who who = { .id = 0 };
	char const *methods = "NULL";

	if (!p)
		p = &nobody;
	(void)snprintf(who.name, sizeof(who.name), "world-%d-%u", (int)getpid(), ++w->serial);
	if (!w->admin) {
		mem_account(w, p, &who);
		return who;
	}
	if (p->allowed_kinds == 1u << WSMFA_KIND_TOTP)
		methods = "'{totp}'";
	who.organization =
		sql(w, "INSERT INTO wsmfa.organization (name, allowed_methods) VALUES ('%s', %s) RETURNING id",
		    who.name, methods);
	if (p->enforce_from)
		(void)sql(w, "INSERT INTO wsmfa.organization_schedule VALUES (%lld, %s, %s)",
			  (long long)who.organization, sql_time(p->announce_from), sql_time(p->enforce_from));
	who.id = sql(w,
		     "INSERT INTO wsmfa.account (name, organization_id, region, phone, password, created_at) "
		     "VALUES ('%s', %lld, '%s', nullif('%s', ''), nullif('%s', ''), %s) RETURNING id",
		     who.name, (long long)who.organization, p->region ? p->region : "world-on",
		     p->phone ? p->phone : "", p->password ? p->password : "", sql_time(WORLD_NOW - 50 * WSMFA_DAY));
	(void)sql(w, "INSERT INTO wsmfa.account_service VALUES (%lld, '%s', %s)", (long long)who.id,
		  p->service ? p->service : "world-mfa", sql_time(WORLD_NOW - 50 * WSMFA_DAY));
	return who;
}

static int64_t sql_authenticator(struct store_world *w, int64_t account_id, enum wsmfa_kind kind, bool confirmed)
{
	static struct {
		char const *columns;
		char const *values;
	} const of[WSMFA_KINDS] = {
		[WSMFA_KIND_RECOVERY] = { "salt, iterations", "'\\x0102030405060708090a0b0c0d0e0f10', 20000" },
		[WSMFA_KIND_SMS] = { "phone", "'+358401234567'" },
		[WSMFA_KIND_TOTP] = { "sealed, algorithm, digits, period", "'\\xabcd', 'sha256', 8, 60" },
		[WSMFA_KIND_PUSH] = { "provider, device", "'local', 'phone-1'" },
	};

	return sql(w,
		   "INSERT INTO wsmfa.authenticator (account_id, kind, label, confirmed_at, %s) "
		   "VALUES (%lld, '%s', 'l', %s, %s) RETURNING id",
		   of[kind].columns, (long long)account_id, wsmfa_kind_word(kind),
		   confirmed ? sql_time(WORLD_NOW - 20 * WSMFA_DAY) : "NULL", of[kind].values);
}

static int64_t mem_authenticator(struct store_world *w, int64_t account_id, enum wsmfa_kind kind, bool confirmed)
{
	struct wsmfa_authenticator a = { .kind = kind,
					 .label = "l",
					 .confirmed_at = confirmed ? WORLD_NOW - 20 * WSMFA_DAY : WSMFA_TIME_NONE,
					 .disabled_at = WSMFA_TIME_NONE,
					 .last_step = -1 };

	switch (kind) {
	case WSMFA_KIND_TOTP:
		a.sealed_len = 2;
		memcpy(a.sealed, "\xab\xcd", a.sealed_len);
		a.algorithm = WSMFA_SHA256;
		a.digits = 8;
		a.period = 60;
		break;
	case WSMFA_KIND_SMS: (void)snprintf(a.phone, sizeof(a.phone), "+358401234567"); break;
	case WSMFA_KIND_PUSH:
		(void)snprintf(a.provider, sizeof(a.provider), "local");
		(void)snprintf(a.device, sizeof(a.device), "phone-1");
		break;
	case WSMFA_KIND_RECOVERY:
		for (size_t i = 0; i < sizeof(a.salt); i++)
			a.salt[i] = (uint8_t)(i + 1);
		a.iterations = 20000;
		break;
	default: abort();
	}
	return wsmfa_mem_authenticator(w->store, account_id, &a);
}

int64_t world_authenticator(struct store_world *w, int64_t account_id, enum wsmfa_kind kind, bool confirmed)
{
	return w->admin ? sql_authenticator(w, account_id, kind, confirmed)
			: mem_authenticator(w, account_id, kind, confirmed);
}

void world_recovery_code(struct store_world *w, int64_t id, uint8_t const *hash)
{
	if (w->admin)
		(void)sql(w, "INSERT INTO wsmfa.recovery_code VALUES (%lld, '\\x%s')", (long long)id, sql_hash(hash));
	else
		wsmfa_mem_recovery_code(w->store, id, hash);
}

void world_ticket(struct store_world *w, int64_t account_id, uint8_t const *hash, wsmfa_time_t expires_at)
{
	if (w->admin)
		(void)sql(w, "INSERT INTO wsmfa.ticket (account_id, hash, expires_at) VALUES (%lld, '\\x%s', %s)",
			  (long long)account_id, sql_hash(hash), sql_time(expires_at));
	else
		wsmfa_mem_ticket(w->store, account_id, hash, expires_at);
}

void world_exempt(struct store_world *w, int64_t account_id, wsmfa_time_t until)
{
	if (w->admin)
		(void)sql(w, "INSERT INTO wsmfa.exemption (account_id, until, reason) VALUES (%lld, %s, 'test')",
			  (long long)account_id, sql_time(until));
	else
		wsmfa_mem_exempt(w->store, account_id, until);
}

void world_account_disable(struct store_world *w, int64_t id)
{
	if (w->admin)
		(void)sql(w, "UPDATE wsmfa.account SET disabled_at = %s WHERE id = %lld", sql_time(WORLD_NOW),
			  (long long)id);
	else
		wsmfa_mem_disable_account(w->store, id, WORLD_NOW);
}

void world_authenticator_disable(struct store_world *w, int64_t id)
{
	if (w->admin)
		(void)sql(w, "UPDATE wsmfa.authenticator SET disabled_at = %s WHERE id = %lld", sql_time(WORLD_NOW),
			  (long long)id);
	else
		wsmfa_mem_disable_authenticator(w->store, id, WORLD_NOW);
}

void world_authenticator_remove(struct store_world *w, int64_t id)
{
	if (w->admin)
		(void)sql(w, "UPDATE wsmfa.authenticator SET removed_at = %s WHERE id = %lld", sql_time(WORLD_NOW),
			  (long long)id);
	else
		wsmfa_mem_remove_authenticator(w->store, id);
}

void world_allow_apps(struct store_world *w, struct world_who const *who)
{
	if (w->admin)
		(void)sql(w, "UPDATE wsmfa.organization SET allowed_methods = '{totp}' WHERE id = %lld",
			  (long long)who->organization);
	else
		wsmfa_mem_organization(w->store, who->organization, 1u << WSMFA_KIND_TOTP, WSMFA_TIME_NONE,
				       WSMFA_TIME_NONE);
}

bool world_answer(struct store_world *w, int64_t challenge_id, char const *state, wsmfa_time_t at)
{
	if (w->admin)
		return sql(w, "SELECT wsmfa.push_report(%lld, '%s', %s)::integer", (long long)challenge_id, state,
			   sql_time(at)) == 1;
	if (strcmp(state, "failed") == 0)
		return wsmfa_mem_fail_push(w->store, challenge_id);
	return wsmfa_mem_answer_push(w->store, challenge_id, strcmp(state, "approved") == 0, "42", at);
}
