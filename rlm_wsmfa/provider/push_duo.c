/* Push by Duo's Auth API v2: ping for the clock, preauth, an asynchronous auth, then long polls for its status.
 * Apart from the others, because each request is signed with its date. */
#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "provider/backends.h"
#include "provider/duo_sign.h"
#include "provider/settings.h"
#include "provider/step.h"

#define LONG_POLL_MS  60000 //!< Duo holds a poll while nothing changes
#define POLL_PAUSE_MS 1000  //!< after one that was lost, or answered at once

struct push_duo {
	struct wsmfa_provider base;
	char host[256];
	char ikey[64];
	char skey[128];
	char url[512];
};

enum phase { PING = 0, PREAUTH, AUTH, STATUS };

struct talk {
	struct wsmfa_throttle throttle;
	enum phase phase;
	int64_t offset_s; //!< Duo's clock less ours
	bool verified;    //!< the person enters a code that the prompt shows
	bool started;
	char factor[64]; //!< of a prompt, "" for a plain push
	char preauth_txid[128];
	char txid[128];
};

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(TEXT, "host", push_duo, host), .required = true,
	  .help = "the API hostname, such as api-12345678.duosecurity.com" },
	{ WSMFA_FIELD(TEXT, "ikey", push_duo, ikey), .required = true, .help = "the Integration key, DI..." },
	{ WSMFA_FIELD(SECRET, "skey", push_duo, skey), .required = true, .help = "the Secret key, or use skey_file" },
	{ WSMFA_FIELD(URL, "url", push_duo, url), .help = "an https:// URL in place of the host's" },
};

static void duo_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct push_duo));
}

static struct wsmfa_provider *duo_configure(char const *name, struct wsmfa_setting const *settings, size_t n, char *err,
					    size_t errlen)
{
	struct push_duo *p = wsmfa_provider_read(&wsmfa_push_duo, sizeof(*p), name, fields,
						 sizeof(fields) / sizeof(*fields), true, settings, n, err, errlen);

	if (!p)
		return NULL;
	for (char *c = p->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strspn(p->host, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(p->host)) {
		if (!p->url[0])
			snprintf(p->url, sizeof(p->url), "https://%s", p->host);
		return &p->base;
	}
	wsmfa_setting_error(err, errlen, &p->base, wsmfa_setting_find(settings, n, "host"),
			    "`host` can't be used: set it to the API hostname alone");
	duo_free(&p->base);
	return NULL;
}

/** Signs what is in `params` and makes it a query or a form. */
static void seal(struct push_duo const *p, struct talk const *t, wsmfa_time_t at, char const *method, char const *path,
		 struct wsmfa_out const *params, struct wsmfa_step *out)
{
	struct wsmfa_http_request *r = &out->request;
	char date[WSMFA_DUO_DATE], hex[WSMFA_DUO_HEX], url[WSMFA_URL_MAX];
	bool get = strcmp(method, "GET") == 0;
	struct wsmfa_out text;

	wsmfa_out_init(&text, url, sizeof(url));
	wsmfa_out_put(&text, p->url);
	wsmfa_out_put(&text, path);
	if (get && params->len) {
		wsmfa_out_put(&text, "?");
		wsmfa_out_put(&text, params->out);
	}
	wsmfa_step_request(out, method, url);
	wsmfa_duo_date(at + t->offset_s * WSMFA_SECOND, date);
	if (text.full || params->full || !wsmfa_duo_sign(p->skey, date, method, p->host, path, params->out, hex)) {
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "duo: the request is too long");
		return;
	}
	wsmfa_step_header(out, "X-Duo-Date", date);
	wsmfa_step_header(out, "Host", p->host);
	snprintf(r->userpwd, sizeof(r->userpwd), "%s:%s", p->ikey, hex);
	if (!get) {
		wsmfa_step_header(out, "Content-Type", "application/x-www-form-urlencoded");
		text = wsmfa_step_body(out);
		wsmfa_out_put(&text, params->out);
		wsmfa_step_seal(out, &text);
	}
}

static void ask_ping(struct push_duo const *p, struct wsmfa_step *out)
{
	char url[sizeof(p->url) + 16];

	snprintf(url, sizeof(url), "%s/auth/v2/ping", p->url);
	wsmfa_step_request(out, "GET", url);
	wsmfa_step_header(out, "Host", p->host);
	out->request.repeatable = true;
}

/** May the person be asked for a code that the prompt shows? Only a prompt's factor says so, and it names no device. */
static bool may_verify(struct wsmfa_message const *m)
{
	return m->can_show && (!m->device[0] || strcmp(m->device, "auto") == 0);
}

/* Parameters are put in the order of their names: that is what is signed. */

static void ask_preauth(struct push_duo const *p, struct talk const *t, struct wsmfa_message const *m, wsmfa_time_t at,
			struct wsmfa_step *out)
{
	char buffer[2048];
	struct wsmfa_out params;

	wsmfa_out_init(&params, buffer, sizeof(buffer));
	if (may_verify(m)) {
		wsmfa_form_put(&params, "client_supports_verified_push", "1");
		wsmfa_form_put(&params, "text_prompt", "1");
	}
	wsmfa_form_put(&params, "username", m->account);
	seal(p, t, at, "POST", "/auth/v2/preauth", &params, out);
}

/** What the phone shows besides: pairs in a form of their own. */
static void put_pushinfo(struct wsmfa_message const *m, struct wsmfa_out *params)
{
	char buffer[1024];
	struct wsmfa_out info;

	wsmfa_out_init(&info, buffer, sizeof(buffer));
	if (m->service[0])
		wsmfa_form_put(&info, "Service", m->service);
	if (m->station[0])
		wsmfa_form_put(&info, "From", m->station);
	if (info.len && !info.full)
		wsmfa_form_put(params, "pushinfo", buffer);
}

static void ask_auth(struct push_duo const *p, struct talk const *t, struct wsmfa_message const *m, wsmfa_time_t at,
		     struct wsmfa_step *out)
{
	char buffer[4096];
	struct wsmfa_out params;

	wsmfa_out_init(&params, buffer, sizeof(buffer));
	wsmfa_form_put(&params, "async", "1");
	if (!t->factor[0])
		wsmfa_form_put(&params, "device", m->device[0] ? m->device : "auto");
	wsmfa_form_put(&params, "factor", t->factor[0] ? "prompt" : "push");
	if (t->factor[0])
		wsmfa_form_put(&params, "prompt", t->factor);
	put_pushinfo(m, &params);
	if (t->verified && t->preauth_txid[0])
		wsmfa_form_put(&params, "txid", t->preauth_txid);
	wsmfa_form_put(&params, "username", m->account);
	seal(p, t, at, "POST", "/auth/v2/auth", &params, out);
	out->request.asks_person = true;
}

static void ask_status(struct push_duo const *p, struct talk const *t, wsmfa_time_t at, struct wsmfa_step *out)
{
	char buffer[512];
	struct wsmfa_out params;

	wsmfa_out_init(&params, buffer, sizeof(buffer));
	wsmfa_form_put(&params, "txid", t->txid);
	seal(p, t, at, "GET", "/auth/v2/auth_status", &params, out);
	out->request.repeatable = true;
	out->request.timeout_ms = LONG_POLL_MS;
}

static void next(struct push_duo const *p, struct wsmfa_conversation *c, enum phase phase, wsmfa_time_t at,
		 struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	t->phase = phase;
	switch (phase) {
	case PING: ask_ping(p, out); break;
	case PREAUTH: ask_preauth(p, t, &c->message, at, out); break;
	case AUTH: ask_auth(p, t, &c->message, at, out); break;
	case STATUS: ask_status(p, t, at, out); break;
	}
}

static void duo_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		      uint8_t const *random, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	memcpy(t->throttle.random, random, sizeof(t->throttle.random));
	next((struct push_duo const *)p, c, PING, at, out);
}

static void on_ping(struct push_duo const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		    json_t const *response, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	int64_t now = a->at / WSMFA_SECOND, time = wsmfa_json_number(response, "time", now);

	/* A clock that is years off is not believed. */
	if (time > now - 86400 && time < now + 86400)
		t->offset_s = time - now;
	next(p, c, PREAUTH, a->at, out);
}

/** The prompt's factor for a push: the default if it is one, else the first. */
static void choose_factor(struct talk *t, json_t const *response)
{
	json_t *factors = wsmfa_json_object(wsmfa_json_object(response, "prompt"), "factors");
	char const *factor = wsmfa_json_text(factors, "default"), *name;
	json_t *value;

	if (strncmp(factor, "push", 4) != 0 && strncmp(factor, "verified_push", 13) != 0) {
		factor = "";
		json_object_foreach (factors, name, value) {
			char const *text = json_string_value(value);

			if (text && !factor[0] &&
			    (strncmp(text, "push", 4) == 0 || strncmp(text, "verified_push", 13) == 0))
				factor = text;
		}
	}
	if (strlen(factor) >= sizeof(t->factor))
		return;
	snprintf(t->factor, sizeof(t->factor), "%s", factor);
	t->verified = strncmp(factor, "verified_push", 13) == 0;
	snprintf(t->preauth_txid, sizeof(t->preauth_txid), "%s", wsmfa_json_text(response, "txid"));
}

static void on_preauth(struct push_duo const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		       json_t const *response, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char const *result = wsmfa_json_text(response, "result");

	if (strcmp(result, "auth") == 0) {
		choose_factor(t, response);
		next(p, c, AUTH, a->at, out);
	} else if (strcmp(result, "allow") == 0) {
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "duo: the account bypasses Duo, which proves nothing");
	} else if (strcmp(result, "deny") == 0 || strcmp(result, "enroll") == 0) {
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "duo: preauth says %s", result);
	} else {
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "duo: preauth says nothing usable");
	}
}

static void on_auth(struct push_duo const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		    json_t const *response, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char const *txid = wsmfa_json_text(response, "txid");

	if (!txid[0] || strlen(txid) >= sizeof(t->txid)) {
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "duo: auth gave no txid");
		return;
	}
	snprintf(t->txid, sizeof(t->txid), "%s", txid);
	next(p, c, STATUS, a->at, out);
	/* A code to show comes with the first status, and only then is there something to announce. */
	out->started = t->started = !t->verified;
}

static void poll_again(struct talk *t, int32_t pause_ms, struct wsmfa_step *out)
{
	t->phase = STATUS;
	out->kind = WSMFA_STEP_PAUSE;
	out->pause_ms = pause_ms;
}

static void on_waiting(struct push_duo const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		       json_t const *response, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char const *text = wsmfa_json_text(response, "status_msg");

	if (t->started) {
		/* Duo holds the poll; a server that does not must not be asked in a circle. */
		poll_again(t, POLL_PAUSE_MS, out);
		return;
	}
	next(p, c, STATUS, a->at, out);
	out->started = t->started = true;
	wsmfa_foreign_clean(out->show, sizeof(out->show), text, strlen(text));
}

static void on_status(struct push_duo const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		      json_t const *response, struct wsmfa_step *out)
{
	char const *result = wsmfa_json_text(response, "result"), *status = wsmfa_json_text(response, "status");

	if (strcmp(result, "waiting") == 0)
		on_waiting(p, c, a, response, out);
	else if (strcmp(result, "allow") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_APPROVED, "%s", "");
	else if (strcmp(result, "deny") != 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "duo: status says nothing usable");
	else if (strcmp(status, "timeout") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_EXPIRED, "%s", "");
	else if (strcmp(status, "push_failed") == 0 || strcmp(status, "locked_out") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "duo: %s", status);
	else
		wsmfa_step_done(out, WSMFA_DELIVERY_DENIED, "%s", "");
}

/** An answer that is no answer to the question. True when it was dealt with. */
static bool duo_lost(struct wsmfa_conversation *c, struct wsmfa_http_answer const *a, json_t const *json,
		     struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	bool answered = a->how == WSMFA_HTTP_ANSWERED;

	if (t->phase == STATUS && (!answered || !json || a->status >= 500 || a->status == 429)) {
		int32_t pause = a->retry_after > 0 && a->retry_after < 60 ? a->retry_after * 1000 : POLL_PAUSE_MS;

		poll_again(t, pause, out);
	} else if (answered && a->status == 429) {
		wsmfa_step_throttled(out, &t->throttle, c, a, "duo");
	} else if (wsmfa_step_lost(out, a, "duo")) {
		if (t->phase != AUTH)
			out->delivery = WSMFA_DELIVERY_FAILED;
	} else if (a->status != 200 || strcmp(wsmfa_json_text(json, "stat"), "OK") != 0) {
		int64_t code = wsmfa_json_number(json, "code", 0);
		bool this_one = code / 100 == 400 && code != 40001;

		wsmfa_step_done(out,
				t->phase == STATUS || (t->phase == AUTH && a->status == 200) ? WSMFA_DELIVERY_UNKNOWN
				: this_one                                                   ? WSMFA_DELIVERY_REFUSED
											     : WSMFA_DELIVERY_FAILED,
				"duo: status %ld, code %lld%s", a->status, (long long)code,
				a->status == 401 ? ": check host, ikey, skey and the clock" : "");
	} else {
		return false;
	}
	return true;
}

static void duo_answer(struct wsmfa_provider const *provider, struct wsmfa_conversation *c,
		       struct wsmfa_http_answer const *a, struct wsmfa_step *out)
{
	struct push_duo const *p = (struct push_duo const *)provider;
	struct talk *t = WSMFA_MEMORY(c, talk);
	json_t *json = wsmfa_answer_json(a);
	json_t *response = wsmfa_json_object(json, "response");

	/* A ping that says nothing only leaves the clock as it is. */
	if (t->phase == PING && a->how != WSMFA_HTTP_UNSENT)
		on_ping(p, c, a, response, out);
	else if (duo_lost(c, a, json, out))
		;
	else if (t->phase == PREAUTH)
		on_preauth(p, c, a, response, out);
	else if (t->phase == AUTH)
		on_auth(p, c, a, response, out);
	else
		on_status(p, c, a, response, out);
	json_decref(json);
}

static void duo_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		       struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	next((struct push_duo const *)p, c, t->phase, at, out);
}

struct wsmfa_provider_ops const wsmfa_push_duo = {
	.type = "duo",
	.channel = WSMFA_KIND_PUSH,
	.configure = duo_configure,
	.begin = duo_begin,
	.answer = duo_answer,
	.resume = duo_resume,
	.free = duo_free,
};
