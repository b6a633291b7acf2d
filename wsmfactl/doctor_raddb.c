/* doctor --raddb: site, timers, clients, key file of the server's configuration.
 * Apart from doctor.c, which looks at the database; and only for what start-up of the server can't say, or says too late. */
#include "db.h"
#include "doctor.h"
#include "keyfile.h"
#include "raddb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>

#define SITES_MAX   64
#define MODULE_NAME 64

struct site {
	char name[80];
	bool listens; //!< for logins
	bool asks;    //!< wsmfa in authorize
	bool gate;    //!< wsmfa first and bare in post-auth
	bool began;   //!< something stood in post-auth
};

/* What the configuration says, as far as it matters here. Defaults are the server's and the module's. */
struct seen {
	struct ctl_doctor *d;
	char module[MODULE_NAME]; //!< the instance's name; "" without one
	char key_file[PATH_MAX];
	char default_service[64];
	long push_timeout, park_max, max_request_time, max_requests, reject_delay;
	bool proxy, providers;
	struct site sites[SITES_MAX];
	size_t sites_len;
	struct {
		char name[80], secret_problem[48], mode[32], service[64];
		bool signed_only;
		long window;
	} client; //!< the one being read
	size_t clients, clients_unsigned;
	bool judging; //!< the second reading: clients are judged by what the first one found
};

static struct site *site_find(struct seen *s, char const *path)
{
	size_t len = strcspn(path, CTL_RADDB_WITHIN);
	char const *name = strncmp(path, "server", 6) == 0 && (path[6] == ' ' || len == 6) ? path + 6 : NULL;

	if (!name)
		return NULL;
	name += *name == ' ';
	len -= (size_t)(name - path);
	for (size_t i = 0; i < s->sites_len; i++) {
		if (strlen(s->sites[i].name) == len && memcmp(s->sites[i].name, name, len) == 0)
			return &s->sites[i];
	}
	if (s->sites_len == SITES_MAX || len >= sizeof(s->sites->name))
		return NULL;
	memcpy(s->sites[s->sites_len].name, name, len);
	return &s->sites[s->sites_len++];
}

/* The path within "server x", "" for the server itself. */
static char const *inside(char const *path)
{
	path += strcspn(path, CTL_RADDB_WITHIN);
	return *path ? path + 1 : path;
}

static void site_seen(struct seen *s, struct site *site, struct ctl_raddb_item const *item)
{
	char const *in = inside(item->path);
	bool ours = strcmp(item->name, s->module[0] ? s->module : "wsmfa") == 0;

	if (item->kind == CTL_RADDB_PAIR && strcmp(in, "listen") == 0 && strcmp(item->name, "type") == 0)
		site->listens = site->listens || strncmp(item->value, "auth", 4) == 0;
	if (item->kind == CTL_RADDB_WORD && strncmp(in, "authorize", 9) == 0 && ours)
		site->asks = true;
	if (item->kind == CTL_RADDB_WORD && strcmp(in, "post-auth") == 0 && ours && !site->began)
		site->gate = true;
	if (strncmp(in, "post-auth", 9) == 0 && (item->kind == CTL_RADDB_WORD || strstr(in, CTL_RADDB_WITHIN)))
		site->began = true;
}

static void module_seen(struct seen *s, struct ctl_raddb_item const *item)
{
	char const *in = inside(item->path);
	char const *name = in + strcspn(in, " " CTL_RADDB_WITHIN);

	if (strncmp(in, "wsmfa", 5) != 0 || (in[5] && in[5] != ' ' && in[5] != CTL_RADDB_WITHIN[0]))
		return;
	if (item->kind == CTL_RADDB_BEGIN && !strstr(in, CTL_RADDB_WITHIN))
		snprintf(s->module, sizeof(s->module), "%s", *name == ' ' ? name + 1 : "wsmfa");
	if (item->kind == CTL_RADDB_BEGIN && strstr(in, CTL_RADDB_WITHIN) &&
	    (strncmp(item->name, "sms ", 4) == 0 || strncmp(item->name, "push ", 5) == 0))
		s->providers = true;
	if (item->kind != CTL_RADDB_PAIR || strstr(in, CTL_RADDB_WITHIN))
		return;
	if (strcmp(item->name, "key_file") == 0)
		snprintf(s->key_file, sizeof(s->key_file), "%s", item->value);
	else if (strcmp(item->name, "default_service") == 0)
		snprintf(s->default_service, sizeof(s->default_service), "%s", item->value);
	else if (strcmp(item->name, "push_timeout") == 0)
		s->push_timeout = strtol(item->value, NULL, 10);
	else if (strcmp(item->name, "park_max") == 0)
		s->park_max = strtol(item->value, NULL, 10);
}

static bool service_exists(struct ctl_doctor *d, char const *code)
{
	PGresult *res = d->c->db ? ctl_query_quiet(d->c, "SELECT FROM wsmfa.service WHERE code = $1", 1, &code) : NULL;
	/* What can't be asked is not held against it. */
	bool exists = PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) > 0;

	PQclear(res);
	return exists;
}

static void client_judge(struct seen *s)
{
	char const *name = s->client.name, *mode = s->client.mode;

	s->clients++;
	s->clients_unsigned += !s->client.signed_only;
	if (s->client.secret_problem[0])
		ctl_found(s->d, CTL_BAD, "clients", "%s: its secret %s; make a long random one", name,
			  s->client.secret_problem);
	if (!s->client.signed_only)
		ctl_found(s->d, CTL_WARN, "clients",
			  "%s need not send Message-Authenticator (CVE-2024-3596); set "
			  "require_message_authenticator = yes if it can",
			  name);
	if (mode[0] && strcmp(mode, "challenge") != 0 && strcmp(mode, "append") != 0 && strcmp(mode, "wait") != 0)
		ctl_found(s->d, CTL_BAD, "clients", "%s: wsmfa_mode is challenge, append or wait, not %s", name, mode);
	if (!s->client.service[0] && !s->default_service[0])
		ctl_found(s->d, CTL_BAD, "clients", "%s has no wsmfa_service, and there is no default_service", name);
	else if (s->client.service[0] && !service_exists(s->d, s->client.service))
		ctl_found(s->d, CTL_WARN, "clients",
			  "%s: there is no service %s, so every login there requires MFA; wsmfactl service add", name,
			  s->client.service);
	if (s->client.window > 0 && s->client.window < s->push_timeout + 5)
		ctl_found(s->d, CTL_BAD, "clients", "%s: response_window = %ld cuts off pushes of %ld s; set it to %ld",
			  name, s->client.window, s->push_timeout, s->push_timeout + 5);
}

static void client_seen(struct seen *s, struct ctl_raddb_item const *item, char const *header)
{
	bool below = strstr(header, CTL_RADDB_WITHIN) != NULL;

	if (item->kind == CTL_RADDB_BEGIN && !below) {
		memset(&s->client, 0, sizeof(s->client));
		snprintf(s->client.name, sizeof(s->client.name), "%s", header);
	} else if (item->kind == CTL_RADDB_END && !below) {
		client_judge(s);
	} else if (item->kind == CTL_RADDB_PAIR && !below) {
		if (strcmp(item->name, "secret") == 0)
			snprintf(s->client.secret_problem, sizeof(s->client.secret_problem), "%s",
				 strcmp(item->value, "testing123") == 0 ? "is the one of every example"
				 : strlen(item->value) < 16             ? "is shorter than 16 characters"
									: "");
		else if (strcmp(item->name, "require_message_authenticator") == 0)
			s->client.signed_only =
				strcasecmp(item->value, "yes") == 0 || strcasecmp(item->value, "true") == 0;
		else if (strcmp(item->name, "wsmfa_mode") == 0)
			snprintf(s->client.mode, sizeof(s->client.mode), "%s", item->value);
		else if (strcmp(item->name, "wsmfa_service") == 0)
			snprintf(s->client.service, sizeof(s->client.service), "%s", item->value);
		else if (strcmp(item->name, "response_window") == 0)
			s->client.window = strtol(item->value, NULL, 10);
	}
}

static void item_seen(void *ctx, struct ctl_raddb_item const *item)
{
	struct seen *s = ctx;
	struct site *site = site_find(s, item->path);
	char const *client =
		strncmp(item->path, "client ", 7) == 0 ? item->path : strstr(item->path, CTL_RADDB_WITHIN "client ");

	if (client && !s->judging)
		return;
	if (client && (client == item->path || strncmp(item->path, "clients", 7) == 0 || site))
		client_seen(s, item, client + (*client == CTL_RADDB_WITHIN[0]));
	else if (s->judging)
		return;
	else if (site)
		site_seen(s, site, item);
	else if (strncmp(item->path, "modules" CTL_RADDB_WITHIN, 8) == 0)
		module_seen(s, item);
	else if (item->path[0] == '\0' && item->kind == CTL_RADDB_PAIR) {
		if (strcmp(item->name, "max_request_time") == 0)
			s->max_request_time = strtol(item->value, NULL, 10);
		else if (strcmp(item->name, "max_requests") == 0)
			s->max_requests = strtol(item->value, NULL, 10);
		else if (strcmp(item->name, "proxy_requests") == 0)
			s->proxy = strcasecmp(item->value, "no") != 0;
	} else if (strcmp(item->path, "security") == 0 && strcmp(item->name, "reject_delay") == 0) {
		s->reject_delay = strtol(item->value, NULL, 10);
	}
}

static void sites_judge(struct seen const *s)
{
	size_t good = 0;

	for (size_t i = 0; i < s->sites_len; i++) {
		struct site const *site = &s->sites[i];
		char const *name = site->name[0] ? site->name : "(without a name)";

		if (!site->listens)
			continue;
		if (!site->asks)
			ctl_found(s->d, CTL_BAD, "site",
				  "the server %s answers logins without a second factor; unlink it in sites-enabled",
				  name);
		else if (!site->gate)
			ctl_found(s->d, CTL_BAD, "site",
				  "in the server %s the gate does not stand first and bare in post-auth", name);
		else
			good++;
	}
	if (!good)
		ctl_found(s->d, CTL_BAD, "site",
			  "no server asks for a second factor; link sites-available/wsmfa into sites-enabled");
	else
		ctl_found(s->d, CTL_GOOD, "site", "%zu server%s behind the gate", good, good == 1 ? "" : "s");
}

static void timers_judge(struct seen const *s)
{
	struct ctl_doctor *d = s->d;
	bool good = true;

	if (!s->providers) {
		ctl_found(d, CTL_GOOD, "timers", "nothing waits for a phone: no provider is set up");
		return;
	}
	if (!s->proxy) {
		good = false;
		ctl_found(d, CTL_BAD, "timers", "proxy_requests = no: no request can wait for a phone; set it to yes");
	}
	if (s->max_request_time < s->push_timeout + 5) {
		good = false;
		ctl_found(d, CTL_BAD, "timers", "max_request_time = %ld cuts off pushes of %ld s; set it to %ld",
			  s->max_request_time, s->push_timeout, s->push_timeout + 5);
	}
	if (s->max_requests <= s->park_max) {
		good = false;
		ctl_found(d, CTL_BAD, "timers",
			  "max_requests = %ld, but park_max = %ld requests may wait; raise max_requests",
			  s->max_requests, s->park_max);
	}
	if (good)
		ctl_found(d, CTL_GOOD, "timers", "max_request_time %ld s, pushes %ld s, at most %ld parked",
			  s->max_request_time, s->push_timeout, s->park_max);
	if (!s->reject_delay)
		ctl_found(d, CTL_WARN, "timers", "reject_delay = 0, so wrong passwords are not delayed");
}

/* The server's key file, and whether it is the one that this command seals with. */
static void key_file_judge(struct seen const *s)
{
	static char theirs[CTL_KEY_FILE_MAX], ours[CTL_KEY_FILE_MAX];
	char why[512], wrong[256];
	size_t theirs_len, ours_len;
	struct wsmfa_keyring *ring = NULL;

	if (!s->key_file[0]) {
		ctl_found(s->d, CTL_BAD, "server key", "the module has no key_file");
	} else if (!ctl_keyfile_read(s->key_file, theirs, &theirs_len, why, sizeof(why))) {
		ctl_found(s->d, CTL_BAD, "server key", "%s", why);
	} else if (!wsmfa_keyring_parse(theirs, theirs_len, &ring, wrong, sizeof(wrong))) {
		ctl_found(s->d, CTL_BAD, "server key", "%s is not right: %s", s->key_file, wrong);
	} else if (s->d->c->key_file && ctl_keyfile_read(s->d->c->key_file, ours, &ours_len, why, sizeof(why)) &&
		   (ours_len != theirs_len || CRYPTO_memcmp(ours, theirs, ours_len) != 0)) {
		ctl_found(s->d, CTL_BAD, "server key",
			  "%s and %s differ; copy one over the other and restart the server", s->key_file,
			  s->d->c->key_file);
	} else {
		ctl_found(s->d, CTL_GOOD, "server key", "%s has %zu key%s", s->key_file, wsmfa_keyring_size(ring),
			  wsmfa_keyring_size(ring) == 1 ? "" : "s");
	}
	wsmfa_keyring_free(ring);
	OPENSSL_cleanse(theirs, sizeof(theirs));
	OPENSSL_cleanse(ours, sizeof(ours));
}

static bool dictionary_includes(char const *folder)
{
	char path[PATH_MAX + 32], line[1024];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/dictionary", folder);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		found = found || (line[strspn(line, " \t")] == '$' && strstr(line, "dictionary.wsmfa"));
	if (f)
		fclose(f);
	return found;
}

void ctl_doctor_raddb(struct ctl_doctor *d, char const *folder)
{
	static struct seen s;
	char why[1024] = "", absolute[PATH_MAX];

	s = (struct seen) { .d = d,
			    .push_timeout = 45,
			    .park_max = 10000,
			    .max_request_time = 30,
			    .max_requests = 1024,
			    .reject_delay = 1,
			    .proxy = true };
	/* Absolute, since what a file includes may be relative to that file. */
	folder = realpath(folder, absolute) ? absolute : folder;
	if (!ctl_raddb_read(folder, item_seen, &s, why, sizeof(why))) {
		ctl_found(d, CTL_BAD, "raddb", "%s", why);
		return;
	}
	s.judging = true;
	(void)ctl_raddb_read(folder, item_seen, &s, why, sizeof(why));
	if (!s.module[0])
		ctl_found(d, CTL_BAD, "module", "it is not enabled; link mods-available/wsmfa into mods-enabled");
	else
		ctl_found(d, CTL_GOOD, "module", "%s is enabled, default_service %s", s.module,
			  s.default_service[0] ? s.default_service : "not set");
	if (s.default_service[0] && !service_exists(d, s.default_service))
		ctl_found(d, CTL_WARN, "module",
			  "there is no service %s, so it requires MFA of everybody; wsmfactl service add",
			  s.default_service);
	if (!dictionary_includes(folder))
		ctl_found(d, CTL_BAD, "dictionary", "%s/dictionary lacks the line $INCLUDE dictionary.wsmfa", folder);
	if (s.module[0])
		key_file_judge(&s);
	sites_judge(&s);
	timers_judge(&s);
	if (!s.clients)
		ctl_found(d, CTL_BAD, "clients", "there is none; add them to clients.conf");
	else
		ctl_found(d, CTL_GOOD, "clients", "%zu, %zu of them must send Message-Authenticator", s.clients,
			  s.clients - s.clients_unsigned);
}
