/* Push through a service of one's own: a JSON question, and an answer by polling or through PostgreSQL.
 * Apart from the vendors; docs say what such a service must speak.
 *
 * POST url   {"challenge","account","device","number","client","station","service","text","lifetime"}
 *            200..202 {"id": "...", "result": "waiting", "show": "..."}
 * GET status_url with {id}
 *            200 {"result": "waiting" | "approved" | "denied" | "expired" | "refused"}
 * Without status_url the service answers with wsmfa.answer_push(challenge, ...).
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/step.h"
#include "provider/template.h"

struct push_http {
	struct wsmfa_provider base;
	char url[1024];
	char status_url[1024];
	char token[1024];
	int32_t poll_ms;
	bool number_matching;
};

struct talk {
	struct wsmfa_throttle throttle;
	bool asked;
	char id[512];
};

static char const *const names[] = { "id" };

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(URL, "url", push_http, url), .required = true, .help = "where a push is asked for, by POST" },
	{ WSMFA_FIELD(URL, "status_url", push_http, status_url),
	  .help = "where its state is read, by GET, with the placeholder {id}" },
	{ WSMFA_FIELD(SECRET, "token", push_http, token), .help = "a bearer token, or use token_file" },
	{ WSMFA_FIELD(SECONDS, "poll", push_http, poll_ms), .min = 200, .max = 60000, .value = "2",
	  .help = "seconds from 0.2 to 60 between polls" },
	{ WSMFA_FIELD(FLAG, "number_matching", push_http, number_matching), .value = "no",
	  .help = "yes if the service makes the person enter or pick the number, else no" },
};

static void push_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct push_http));
}

static struct wsmfa_provider *push_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					     char *err, size_t errlen)
{
	struct push_http *p = wsmfa_provider_read(&wsmfa_push_http, sizeof(*p), name, fields,
						  sizeof(fields) / sizeof(*fields), true, settings, n, err, errlen);
	char unknown[64];

	if (!p)
		return NULL;
	if (p->number_matching)
		p->base.ops = &wsmfa_push_http_number;
	wsmfa_template_unknown(p->status_url, names, 1, unknown, sizeof(unknown));
	if (!p->status_url[0] || (!unknown[0] && strstr(p->status_url, "{id}")))
		return &p->base;
	wsmfa_setting_error(err, errlen, &p->base, wsmfa_setting_find(settings, n, "status_url"),
			    "`status_url` needs the placeholder {id}, and knows no other");
	push_free(&p->base);
	return NULL;
}

static void put_token(struct push_http const *p, struct wsmfa_step *out)
{
	char value[sizeof(p->token) + 8];

	if (!p->token[0])
		return;
	snprintf(value, sizeof(value), "Bearer %s", p->token);
	wsmfa_step_header(out, "Authorization", value);
	OPENSSL_cleanse(value, sizeof(value));
}

static void put_member(struct wsmfa_out *body, char const *name, char const *value)
{
	wsmfa_out_put(body, body->len > 1 ? ",\"" : "\"");
	wsmfa_out_put(body, name);
	wsmfa_out_put(body, "\":\"");
	wsmfa_out_put_json(body, value);
	wsmfa_out_put(body, "\"");
}

static void ask(struct push_http const *p, struct wsmfa_conversation const *c, struct wsmfa_step *out)
{
	struct wsmfa_message const *m = &c->message;
	struct wsmfa_out body;
	char number[24];

	wsmfa_step_request(out, "POST", p->url);
	wsmfa_step_header(out, "Content-Type", "application/json");
	put_token(p, out);
	out->request.asks_person = true;
	body = wsmfa_step_body(out);
	wsmfa_out_put(&body, "{");
	snprintf(number, sizeof(number), "%lld", (long long)m->challenge_id);
	put_member(&body, "challenge", number);
	put_member(&body, "account", m->account);
	put_member(&body, "device", m->device);
	put_member(&body, "number", m->number);
	put_member(&body, "client", m->client);
	put_member(&body, "station", m->station);
	put_member(&body, "service", m->service);
	put_member(&body, "text", m->text);
	wsmfa_out_put(&body, ",\"lifetime\":");
	wsmfa_out_put_number(&body, m->lifetime);
	wsmfa_out_put(&body, "}");
	wsmfa_step_seal(out, &body);
}

static void poll_status(struct push_http const *p, struct talk const *t, struct wsmfa_step *out)
{
	struct wsmfa_value const value = { names[0], t->id };
	char url[WSMFA_URL_MAX];
	struct wsmfa_out text;

	wsmfa_out_init(&text, url, sizeof(url));
	wsmfa_template_put(&text, p->status_url, WSMFA_ESCAPE_URL, &value, 1);
	wsmfa_step_request(out, "GET", text.full ? p->url : url);
	put_token(p, out);
	out->request.repeatable = true;
}

static void push_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		       uint8_t const *random, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	memcpy(t->throttle.random, random, sizeof(t->throttle.random));
	ask((struct push_http const *)p, c, out);
}

/** A final word ends it. */
static bool ended(char const *result, struct wsmfa_step *out)
{
	if (strcmp(result, "approved") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_APPROVED, "%s", "");
	else if (strcmp(result, "denied") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_DENIED, "%s", "");
	else if (strcmp(result, "expired") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_EXPIRED, "%s", "");
	else if (strcmp(result, "refused") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "push: the service refuses this account or device");
	else
		return false;
	return true;
}

static void asked(struct push_http const *p, struct talk *t, json_t const *json, struct wsmfa_step *out)
{
	char const *id = wsmfa_json_text(json, "id"), *show = wsmfa_json_text(json, "show");

	out->started = true;
	wsmfa_foreign_clean(out->show, sizeof(out->show), show, strlen(show));
	if (ended(wsmfa_json_text(json, "result"), out))
		return;
	if (!p->status_url[0]) {
		out->kind = WSMFA_STEP_ELSEWHERE;
	} else if (!id[0] || strlen(id) >= sizeof(t->id)) {
		out->started = false;
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "push: the answer has no usable id");
	} else {
		t->asked = true;
		snprintf(t->id, sizeof(t->id), "%s", id);
		out->kind = WSMFA_STEP_PAUSE;
		out->pause_ms = p->poll_ms;
	}
}

/** A poll says nothing final: later again. */
static void polled(struct push_http const *p, struct wsmfa_http_answer const *a, json_t const *json,
		   struct wsmfa_step *out)
{
	bool usable = a->how == WSMFA_HTTP_ANSWERED && a->status == 200;

	if (usable && ended(wsmfa_json_text(json, "result"), out))
		return;
	if (a->how == WSMFA_HTTP_ANSWERED && a->status >= 400 && a->status < 500 && a->status != 429 &&
	    a->status != 408) {
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "push: polling ended with status %ld", a->status);
		return;
	}
	out->kind = WSMFA_STEP_PAUSE;
	out->pause_ms = a->retry_after > 0 ? (a->retry_after < 60 ? a->retry_after : 60) * 1000
			: usable           ? p->poll_ms
					   : p->poll_ms * 2;
}

static void push_answer(struct wsmfa_provider const *provider, struct wsmfa_conversation *c,
			struct wsmfa_http_answer const *a, struct wsmfa_step *out)
{
	struct push_http const *p = (struct push_http const *)provider;
	struct talk *t = WSMFA_MEMORY(c, talk);
	json_t *json = wsmfa_answer_json(a);

	if (t->asked)
		polled(p, a, json, out);
	else if (a->how == WSMFA_HTTP_ANSWERED && a->status == 429)
		wsmfa_step_throttled(out, &t->throttle, c, a, "push");
	else if (wsmfa_step_lost(out, a, "push"))
		;
	else if (a->status == 404 || a->status == 422)
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "push: status %ld", a->status);
	else if (a->status >= 300)
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "push: status %ld", a->status);
	else if (!json)
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "push: the answer is not JSON");
	else
		asked(p, t, json, out);
	json_decref(json);
}

static void push_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	if (t->asked)
		poll_status((struct push_http const *)p, t, out);
	else
		ask((struct push_http const *)p, c, out);
}

struct wsmfa_provider_ops const wsmfa_push_http = {
	.type = "http",
	.channel = WSMFA_KIND_PUSH,
	.configure = push_configure,
	.begin = push_begin,
	.answer = push_answer,
	.resume = push_resume,
	.free = push_free,
};

/* The same, of a service that matches numbers. */
struct wsmfa_provider_ops const wsmfa_push_http_number = {
	.type = "http",
	.channel = WSMFA_KIND_PUSH,
	.matches_number = true,
	.configure = push_configure,
	.begin = push_begin,
	.answer = push_answer,
	.resume = push_resume,
	.free = push_free,
};
