/* Resolves the host names of a libpq connection string in libuv's thread pool; see db_address.h.
 * Apart from db.c: it knows parameters, and nothing of a connection. */
#include "engine/db_address.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "provider/out.h"

#define LIST_MAX    2048
#define OPTIONS_MAX 64

struct wsmfa_db_address {
	uv_getaddrinfo_t req;
	wsmfa_db_address_done *done;
	void *ctx;
	PQconninfoOption *options;
	char hosts[LIST_MAX], ports[LIST_MAX]; //!< as configured
	char *host, *port;                     //!< the next ones of them
	char out_hosts[LIST_MAX], out_addresses[LIST_MAX], out_ports[LIST_MAX];
	struct wsmfa_out host_list, address_list, port_list;
	size_t found;
	char current[256], current_port[16];
	char problem[256];
};

static void address_next(struct wsmfa_db_address *a);

static char const *option_value(PQconninfoOption const *options, char const *name)
{
	for (; options && options->keyword; options++) {
		if (strcmp(options->keyword, name) == 0)
			return options->val;
	}
	return NULL;
}

static void list_add(struct wsmfa_out *list, bool first, char const *item)
{
	if (!first)
		wsmfa_out_put(list, ",");
	wsmfa_out_put(list, item);
}

/** One place to connect to. libpq takes `host` itself where the address is empty. */
static void found(struct wsmfa_db_address *a, char const *address)
{
	bool first = a->found++ == 0;

	list_add(&a->host_list, first, a->current);
	list_add(&a->address_list, first, address);
	list_add(&a->port_list, first, a->current_port);
}

/** What libpq is given, ended by NULL. */
struct parameters {
	char const *keywords[OPTIONS_MAX + 8], *values[OPTIONS_MAX + 8];
	size_t len;
};

static void parameter_add(struct parameters *p, char const *keyword, char const *value)
{
	p->keywords[p->len] = keyword;
	p->values[p->len++] = value;
}

/** Hands over the parameters and ends. */
static void address_finish(struct wsmfa_db_address *a)
{
	struct parameters p = { .len = 0 };
	bool resolved = a->found > 0;
	bool full = a->host_list.full || a->address_list.full || a->port_list.full;

	for (PQconninfoOption *o = a->options; o && o->keyword && p.len < OPTIONS_MAX; o++) {
		if (o->val && !(resolved && (strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "port") == 0)))
			parameter_add(&p, o->keyword, o->val);
	}
	if (resolved) {
		parameter_add(&p, "host", a->out_hosts);
		parameter_add(&p, "hostaddr", a->out_addresses);
		parameter_add(&p, "port", a->out_ports);
	}
	parameter_add(&p, "client_encoding", "UTF8");
	parameter_add(&p, "fallback_application_name", "wsmfa engine");
	if (a->done) {
		if (full)
			a->done(a->ctx, NULL, NULL, "too many addresses");
		else
			a->done(a->ctx, p.keywords, p.values, a->problem[0] && !resolved ? a->problem : NULL);
	}
	PQconninfoFree(a->options);
	free(a);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct wsmfa_db_address *a = req->data;

	if (status != 0)
		wsmfa_foreign_clean(a->problem, sizeof(a->problem), uv_strerror(status), strlen(uv_strerror(status)));
	for (struct addrinfo *i = list; status == 0 && i; i = i->ai_next) {
		char text[INET6_ADDRSTRLEN] = "";

		if (i->ai_family == AF_INET)
			uv_ip4_name((struct sockaddr_in *)(void *)i->ai_addr, text, sizeof(text));
		else if (i->ai_family == AF_INET6)
			uv_ip6_name((struct sockaddr_in6 *)(void *)i->ai_addr, text, sizeof(text));
		if (*text)
			found(a, text);
	}
	uv_freeaddrinfo(list);
	address_next(a);
}

static bool is_numeric(char const *host)
{
	uint8_t octets[16];

	return inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
}

/** The next item of a comma list; a list of one item repeats it. */
static void list_item(char **list, char const *whole, char *out, size_t size)
{
	char *item = strsep(list, ",");

	wsmfa_foreign_utf8(out, size, item ? item : whole);
}

/** Resolves the next host, or ends. */
static void address_next(struct wsmfa_db_address *a)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	while (a->host && a->done) {
		list_item(&a->host, a->hosts, a->current, sizeof(a->current));
		list_item(&a->port, a->ports, a->current_port, sizeof(a->current_port));
		if (!*a->current || *a->current == '/' || *a->current == '@') {
			found(a, "");
			continue;
		}
		if (is_numeric(a->current)) {
			found(a, a->current);
			continue;
		}
		a->req.data = a;
		if (uv_getaddrinfo(a->req.loop, &a->req, on_resolved, a->current, NULL, &hints) == 0)
			return;
		strcpy(a->problem, "name resolution failed");
	}
	address_finish(a);
}

bool wsmfa_db_address_find(uv_loop_t *loop, char const *conninfo, wsmfa_db_address_done *done, void *ctx,
			   struct wsmfa_db_address **out)
{
	struct wsmfa_db_address *a = calloc(1, sizeof(*a));
	char const *host, *port;
	char *err = NULL;

	if (!a)
		return false;
	*out = a;
	a->done = done;
	a->ctx = ctx;
	a->req.loop = loop;
	wsmfa_out_init(&a->host_list, a->out_hosts, sizeof(a->out_hosts));
	wsmfa_out_init(&a->address_list, a->out_addresses, sizeof(a->out_addresses));
	wsmfa_out_init(&a->port_list, a->out_ports, sizeof(a->out_ports));
	a->options = PQconninfoParse(conninfo, &err);
	if (!a->options) {
		/* libpq's sentence quotes the string, which may hold a password. */
		strcpy(a->problem, "the connection string is malformed");
		PQfreemem(err);
		address_finish(a);
		return true;
	}
	host = option_value(a->options, "host");
	port = option_value(a->options, "port");
	if (!host)
		host = getenv("PGHOST");
	if (!port)
		port = getenv("PGPORT");
	if (host && *host && strlen(host) < LIST_MAX && !option_value(a->options, "hostaddr") &&
	    !getenv("PGHOSTADDR")) {
		wsmfa_foreign_utf8(a->hosts, sizeof(a->hosts), host);
		wsmfa_foreign_utf8(a->ports, sizeof(a->ports), port && *port ? port : "5432");
		a->host = a->hosts;
		a->port = a->ports;
	}
	address_next(a);
	return true;
}

void wsmfa_db_address_cancel(struct wsmfa_db_address *a)
{
	a->done = NULL;
	uv_cancel((uv_req_t *)&a->req);
}
