/* setup: database, roles, key file and site in a fresh installation, in one go; undone when a step fails.
 * Apart from journal.c, which does and undoes a single step. */
#include "command.h"
#include "db.h"
#include "journal.h"
#include "keyfile.h"
#include "out.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/codec.h"

#define SUPERUSER "postgres"
#define OPERATOR  "root"
#define PATHS_MAX 400

struct setup {
	struct ctl *c;
	struct ctl_args const *a;
	struct ctl_journal j;
	char raddb[PATH_MAX], sql[PATH_MAX], key_file[600];
	char database[64];
	char connection[1024]; //!< what the module shall connect by
	char const *as;        //!< whom PostgreSQL's programs are run as; NULL: oneself, as libpq's environment says
	char const *server_user;
	char output[CTL_OUTPUT_MAX];
};

static bool file_exists(char const *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static void path_in(struct setup const *s, char const *name, char *out)
{
	snprintf(out, PATH_MAX, "%.*s/%s", PATHS_MAX, s->raddb, name);
}

#define PSQL_ON(_database)                                                      \
	{                                                                       \
		"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", _database, NULL \
	}

/* Runs psql on a database with a script; what it prints is in s->output. */
static bool psql(struct setup *s, char const *database, char const *script)
{
	char const *const command[] = PSQL_ON(database);

	return ctl_run(s->as, script, s->output, command);
}

static bool names_ready(struct setup *s)
{
	static char const *const wanted[] = { "radiusd.conf", "dictionary", "mods-available/wsmfa",
					      "sites-available/wsmfa", "mods-config/wsmfa/proxy-wsmfa.conf" };
	static char const *const users[] = { "freerad", "radiusd" };
	char path[PATH_MAX];

	for (size_t i = 0; i < CTL_LENGTH(wanted); i++) {
		path_in(s, wanted[i], path);
		if (!file_exists(path))
			return ctl_step_failed(
				&s->j,
				"%s is not there; install FreeRADIUS and rlm_wsmfa first, or name the folder with --raddb",
				path);
	}
	snprintf(path, sizeof(path), "%.*s/migrate", PATHS_MAX, s->sql);
	if (!file_exists(path))
		return ctl_step_failed(&s->j, "%s is not there; name its folder with --sql", path);
	for (size_t i = 0; i < CTL_LENGTH(users) && !s->server_user; i++)
		s->server_user = getpwnam(users[i]) ? users[i] : NULL;
	for (char const *p = s->database; *p; p++) {
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
			return ctl_step_failed(&s->j, "--database is small letters, digits and _");
	}
	return true;
}

/* Roles belong to the cluster: only those that were not there before are taken back, after the database that grants them rights. */
static bool database_new(struct setup *s, char const *before)
{
	static char const *const roles[] = { "wsmfa_radius", "wsmfa_push", "wsmfa_admin", "wsmfa_auditor",
					     "wsmfa_org_admin" };
	char const *const create[] = { "createdb", "-E", "UTF8", "-T", "template0", s->database, NULL };
	char const *const drop[] = { "dropdb", "--if-exists", "--force", s->database, NULL };
	bool done = ctl_run(s->as, NULL, s->output, create);

	/* A signal may have ended the program after the database was made. */
	if (!done && !ctl_journal_stopped())
		return ctl_step_failed(&s->j, "the database %s can't be made: %.300s", s->database, s->output);
	for (size_t i = 0; i < CTL_LENGTH(roles); i++) {
		char const *const drop_role[] = { "dropuser", "--if-exists", roles[i], NULL };

		if (!strstr(before, roles[i]))
			ctl_step_undo_by(&s->j, s->as, NULL, drop_role);
	}
	ctl_step_undo_by(&s->j, s->as, NULL, drop);
	return done || ctl_step_failed(&s->j, "making the database %s was stopped", s->database);
}

/* The database, if it is new, and the schema. */
static bool database_make(struct setup *s)
{
	static char const operator_make[] =
		"BEGIN; CREATE ROLE " OPERATOR " LOGIN; GRANT wsmfa_admin TO " OPERATOR "; COMMIT";
	char const *const drop_operator[] = { "dropuser", "--if-exists", OPERATOR, NULL };
	char script[512], before[CTL_OUTPUT_MAX], migrate[600];
	char const *const apply[] = { "env", script, migrate, "--quiet", NULL };

	/* Exactly these, so that neither a long list nor a longer name can hide one. */
	if (!psql(s, SUPERUSER,
		  "SELECT rolname FROM pg_roles"
		  " WHERE rolname ~ '^(wsmfa_(radius|push|admin|auditor|org_admin)|" OPERATOR ")$'"))
		return ctl_step_failed(&s->j, "PostgreSQL can't be asked as %s: %.300s",
				       s->as ? s->as : "its superuser", s->output);
	snprintf(before, sizeof(before), "%s", s->output);
	snprintf(script, sizeof(script), "SELECT 1 FROM pg_database WHERE datname = '%s'", s->database);
	if (!psql(s, SUPERUSER, script))
		return ctl_step_failed(&s->j, "PostgreSQL does not answer: %.300s", s->output);
	if (!s->output[0] && !database_new(s, before))
		return false;
	snprintf(script, sizeof(script), "PGDATABASE=%s", s->database);
	snprintf(migrate, sizeof(migrate), "%.*s/migrate", PATHS_MAX, s->sql);
	if (!ctl_run(s->as, NULL, s->output, apply))
		return ctl_step_failed(&s->j, "the schema could not be made: %.400s", s->output);
	/* Whoever runs setup goes on with wsmfactl. Where PostgreSQL's own user was asked, peer lets nobody else in. */
	if (s->as && !strstr(before, OPERATOR)) {
		ctl_step_undo_by(&s->j, s->as, NULL, drop_operator);
		if (!psql(s, s->database, operator_make))
			return ctl_step_failed(&s->j, OPERATOR " can't be made an administrator: %.300s", s->output);
	}
	return true;
}

/* Gives the server's role its password. What it had before comes back when a later step fails, where that may be read. */
static bool password_set(struct setup *s, char const *password)
{
	static char const had[] =
		"SELECT format('ALTER ROLE wsmfa_radius %s PASSWORD %L', CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,"
		" rolpassword) FROM pg_catalog.pg_authid WHERE rolname = 'wsmfa_radius'";
	char const *const command[] = PSQL_ON(SUPERUSER);
	char script[256];
	bool done;

	if (psql(s, SUPERUSER, had) && s->output[0])
		ctl_step_undo_by(&s->j, s->as, s->output, command);
	OPENSSL_cleanse(s->output, sizeof(s->output));
	snprintf(script, sizeof(script),
		 "SET password_encryption = 'scram-sha-256'; ALTER ROLE wsmfa_radius LOGIN PASSWORD '%s'", password);
	done = psql(s, SUPERUSER, script);
	OPENSSL_cleanse(script, sizeof(script));
	return done || ctl_step_failed(&s->j, "wsmfa_radius can't be given a password: %.300s", s->output);
}

/* A password for the server's role, in a file that only the server reads. */
static bool password_make(struct setup *s)
{
	uint8_t random[24];
	char password[40], path[PATH_MAX], text[256], port[16];
	bool done;

	path_in(s, "wsmfa.pgpass", path);
	if (!psql(s, SUPERUSER, "SHOW port"))
		return ctl_step_failed(&s->j, "PostgreSQL does not answer: %.300s", s->output);
	snprintf(port, sizeof(port), "%.10s", s->output);
	snprintf(s->connection, sizeof(s->connection),
		 "host=127.0.0.1 port=%s dbname=%s user=wsmfa_radius passfile=%.*s/wsmfa.pgpass", port, s->database,
		 PATHS_MAX, s->raddb);
	/* The same installation once more: the password stays, and so does whoever uses it. */
	if (ctl_step_made(path))
		return true;
	if (RAND_bytes(random, sizeof(random)) != 1)
		return ctl_step_failed(&s->j, "OpenSSL has no random octets to give");
	(void)wsmfa_base64url_encode(password, sizeof(password), random, sizeof(random));
	snprintf(text, sizeof(text), "127.0.0.1:%s:%s:wsmfa_radius:%s\n", port, s->database, password);
	/* The file comes last: where it is, the role has its password, even if setup was killed in between. */
	done = password_set(s, password) && ctl_step_create(&s->j, path, text, s->server_user);
	OPENSSL_cleanse(password, sizeof(password));
	OPENSSL_cleanse(text, sizeof(text));
	return done;
}

/* The module's way to the database, tried before it is written down. */
static bool connection_try(struct setup *s)
{
	PGconn *db = PQconnectdb(s->connection);
	PGresult *res = PQstatus(db) == CONNECTION_OK ? PQexec(db, "SELECT wsmfa.schema_check()") : NULL;
	bool done = PQresultStatus(res) == PGRES_TUPLES_OK;

	if (!done)
		ctl_step_failed(
			&s->j,
			"the server's role can't connect; is 127.0.0.1 allowed in pg_hba.conf? Name another way with --connection: %.300s",
			PQerrorMessage(db));
	PQclear(res);
	PQfinish(db);
	return done;
}

static bool key_make(struct setup *s)
{
	char line[128], id[WSMFA_KEY_ID_MAX];
	bool done;

	if (ctl_step_made(s->key_file))
		return true;
	if (!ctl_key_make(NULL, line, sizeof(line), id, sizeof(id)))
		return ctl_step_failed(&s->j, "OpenSSL has no random octets to give");
	done = ctl_step_create(&s->j, s->key_file, line, s->server_user);
	OPENSSL_cleanse(line, sizeof(line));
	return done;
}

/*
 * Sets an item `name = value` of a configuration file: the first one of that name, also one behind a "#". The rest stays as its owner
 * wrote it.
 */
static bool item_set(struct setup *s, char const *file, char const *name, char const *value)
{
	char path[PATH_MAX];
	char *text, *fresh = NULL, *line = NULL;
	size_t indent = 0, size;
	bool done;

	path_in(s, file, path);
	text = ctl_step_read(&s->j, path);
	if (!text)
		return false;
	for (char *p = text; *p && !line; p += strcspn(p, "\n"), p += *p == '\n') {
		indent = strspn(p, "# \t");
		if (strncmp(p + indent, name, strlen(name)) == 0 &&
		    p[indent + strlen(name) + strspn(p + indent + strlen(name), " \t")] == '=')
			line = p;
	}
	size = strlen(text) + strlen(name) + strlen(value) + 16;
	fresh = line ? malloc(size) : NULL;
	if (!fresh) {
		free(text);
		return ctl_step_failed(&s->j, "%s has no item %s to set", path, name);
	}
	snprintf(fresh, size, "%.*s%s%s = %s%s", (int)(line - text), text,
		 indent && line[indent - 1] == '\t' ? "\t" : "", name, value, line + strcspn(line, "\n"));
	done = ctl_step_write(&s->j, path, fresh);
	free(fresh);
	free(text);
	return done;
}

static bool item_set_quoted(struct setup *s, char const *file, char const *name, char const *value)
{
	char quoted[1100];

	if (strpbrk(value, "\"\\\n"))
		return ctl_step_failed(&s->j, "%s may hold no quote and no backslash", name);
	snprintf(quoted, sizeof(quoted), "\"%s\"", value);
	return item_set(s, file, name, quoted);
}

static bool dictionary_extend(struct setup *s)
{
	static char const line[] = "$INCLUDE dictionary.wsmfa";
	char path[PATH_MAX];
	char *text, *fresh;
	size_t size;
	bool done;

	path_in(s, "dictionary", path);
	text = ctl_step_read(&s->j, path);
	if (!text)
		return false;
	size = strlen(text) + sizeof(line) + 2;
	fresh = strstr(text, line) ? NULL : malloc(size);
	if (fresh)
		snprintf(fresh, size, "%s%s%s\n", text, text[0] && text[strlen(text) - 1] != '\n' ? "\n" : "", line);
	done = !fresh || ctl_step_write(&s->j, path, fresh);
	free(fresh);
	free(text);
	return done;
}

static bool raddb_change(struct setup *s)
{
	static char const *const unlinked[] = { "sites-enabled/default", "sites-enabled/inner-tunnel",
						"mods-enabled/eap" };
	char path[PATH_MAX], secret[32];
	uint8_t random[16];
	char const *service = ctl_option(s->a, "--default-service"), *url = ctl_option(s->a, "--enroll-url");

	if (RAND_bytes(random, sizeof(random)) != 1)
		return ctl_step_failed(&s->j, "OpenSSL has no random octets to give");
	(void)wsmfa_base64url_encode(secret, sizeof(secret), random, sizeof(random));
	if (!item_set_quoted(s, "mods-available/wsmfa", "connection", s->connection) ||
	    !item_set_quoted(s, "mods-available/wsmfa", "key_file", s->key_file) ||
	    (service && !item_set_quoted(s, "mods-available/wsmfa", "default_service", service)) ||
	    (url && !item_set_quoted(s, "mods-available/wsmfa", "enroll_url", url)) ||
	    !item_set(s, "mods-config/wsmfa/proxy-wsmfa.conf", "secret", secret) ||
	    !item_set(s, "radiusd.conf", "max_request_time", "60") ||
	    !item_set(s, "radiusd.conf", "suppress_secrets", "yes") || !dictionary_extend(s))
		return false;
	path_in(s, "mods-enabled/wsmfa", path);
	if (!ctl_step_link(&s->j, path, "../mods-available/wsmfa"))
		return false;
	path_in(s, "sites-enabled/wsmfa", path);
	if (!ctl_step_link(&s->j, path, "../sites-available/wsmfa"))
		return false;
	/* The two sites would answer logins without a second factor; eap does not start without a site that calls it. */
	for (size_t i = 0; i < CTL_LENGTH(unlinked); i++) {
		path_in(s, unlinked[i], path);
		if (!ctl_step_unlink(&s->j, path))
			return false;
	}
	return true;
}

/* The server judges the whole, and the module with it; nothing is started. */
static bool server_check(struct setup *s)
{
	char const *program = access("/usr/sbin/freeradius", X_OK) == 0 ? "freeradius" : "radiusd";
	char const *const command[] = { program, "-C", "-l", "stdout", "-d", s->raddb, NULL };
	char *line;

	if (ctl_run(NULL, NULL, s->output, command))
		return true;
	/* The first error is the cause, those after it say what fell over it. */
	line = strstr(s->output, "Error: ");
	line = line ? line + strlen("Error: ") : s->output;
	return ctl_step_failed(&s->j, "%s does not accept the configuration: %.*s", program, (int)strcspn(line, "\n"),
			       line);
}

static bool setup_do(struct setup *s)
{
	char const *connection = ctl_option(s->a, "--connection");

	if (!names_ready(s) || !ctl_journal_alone(&s->j, s->raddb) || !database_make(s))
		return false;
	if (connection)
		snprintf(s->connection, sizeof(s->connection), "%s", connection);
	else if (!password_make(s) || !connection_try(s))
		return false;
	return key_make(s) && raddb_change(s) && server_check(s);
}

static char const *option_or(struct ctl_args const *a, char const *name, char const *otherwise)
{
	char const *value = ctl_option(a, name);

	return value ? value : otherwise;
}

enum ctl_exit ctl_setup(struct ctl *c, struct ctl_args const *a)
{
	static struct setup s;

	s = (struct setup) { .c = c, .a = a };
	/* Absolute: they go into files, and programs are run in another folder. */
	if (!realpath(option_or(a, "--raddb", WSMFA_RADDBDIR), s.raddb))
		return ctl_fail("%s can't be read: %s", option_or(a, "--raddb", WSMFA_RADDBDIR), strerror(errno));
	if (!realpath(option_or(a, "--sql", WSMFA_PKGDATADIR "/sql"), s.sql))
		return ctl_fail("%s can't be read: %s", option_or(a, "--sql", WSMFA_PKGDATADIR "/sql"),
				strerror(errno));
	if (strlen(s.raddb) > PATHS_MAX || strlen(s.sql) > PATHS_MAX)
		return ctl_fail("the names of the folders are too long");
	snprintf(s.database, sizeof(s.database), "%s", option_or(a, "--database", "wsmfa"));
	if (c->key_file && *c->key_file)
		snprintf(s.key_file, sizeof(s.key_file), "%s", c->key_file);
	else
		snprintf(s.key_file, sizeof(s.key_file), "%.*s/wsmfa.key", PATHS_MAX, s.raddb);
	if (geteuid() != 0)
		return ctl_fail("setup writes the server's configuration and makes a database: run it as root");
	/* Whoever says where PostgreSQL is, says also as whom; else its own system user is its superuser. */
	s.as = getenv("PGHOST") || getenv("PGUSER") || getenv("PGSERVICE") ? NULL : SUPERUSER;
	ctl_journal_signals();
	if (!setup_do(&s)) {
		ctl_journal_undo(&s.j);
		return ctl_fail("%s. Everything is as it was before", s.j.why);
	}
	ctl_journal_free(&s.j);
	if (c->json)
		return ctl_print_done(
			json_pack("{s:s, s:s, s:s}", "database", s.database, "raddb", s.raddb, "key_file", s.key_file));
	printf("Ready: database %s, %s, key file %s (keep a copy in a safe place).\nNext:\n"
	       "  write your RADIUS clients into %s/clients.conf, and restart the server\n"
	       "  export PGDATABASE=%s WSMFA_KEY_FILE=%s\n"
	       "  wsmfactl account add NAME --org ORG --region CODE --service S --password-stdin\n"
	       "  wsmfactl totp add NAME\n"
	       "  wsmfactl doctor --raddb %s\n",
	       s.database, s.raddb, s.key_file, s.raddb, s.database, s.key_file, s.raddb);
	return CTL_OK;
}
