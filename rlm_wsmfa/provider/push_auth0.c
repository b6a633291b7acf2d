/* Push by Auth0 Guardian through the MFA API: password grant, authenticators, challenge, then polling for a token.
 * Apart from the others, because it needs the first factor's password to begin. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/step.h"

#define GRANT_REALM  "http://auth0.com/oauth/grant-type/password-realm"
#define GRANT_OOB    "http://auth0.com/oauth/grant-type/mfa-oob"
#define TOKEN_MAX    1792
#define SLOW_DOWN_MS 5000 //!< RFC 8628 section 3.5: so much is added at each slow_down
#define POLL_MAX_MS  60000

struct push_auth0 {
	struct wsmfa_provider base;
	char domain[256];
	char url[512];
	char client_id[128];
	char client_secret[256];
	char audience[256];
	char scope[128];
	char realm[128];
	int32_t poll_ms;
};

enum phase { PASSWORD = 0, LIST, CHALLENGE, POLL };

struct talk {
	struct wsmfa_throttle throttle;
	enum phase phase;
	int32_t poll_ms;
	char mfa_token[TOKEN_MAX];
	char oob_code[TOKEN_MAX];
	char authenticator[128];
};

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(TEXT, "domain", push_auth0, domain), .help = "the tenant, such as example.eu.auth0.com" },
	{ WSMFA_FIELD(URL, "url", push_auth0, url), .help = "an https:// URL in place of the tenant's" },
	{ WSMFA_FIELD(TEXT, "client_id", push_auth0, client_id), .required = true,
	  .help = "the application's Client ID" },
	{ WSMFA_FIELD(SECRET, "client_secret", push_auth0, client_secret), .required = true,
	  .help = "the application's Client Secret, or use client_secret_file" },
	{ WSMFA_FIELD(TEXT, "audience", push_auth0, audience), .help = "an API's identifier" },
	{ WSMFA_FIELD(TEXT, "scope", push_auth0, scope), .value = "openid", .help = "scopes, separated by blanks" },
	{ WSMFA_FIELD(TEXT, "realm", push_auth0, realm), .help = "the connection that holds the users" },
	{ WSMFA_FIELD(SECONDS, "poll", push_auth0, poll_ms), .min = 200, .max = POLL_MAX_MS, .value = "5",
	  .help = "seconds from 0.2 to 60 between polls" },
};

static void auth0_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct push_auth0));
}

static struct wsmfa_provider *auth0_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					      char *err, size_t errlen)
{
	struct push_auth0 *p = wsmfa_provider_read(&wsmfa_push_auth0, sizeof(*p), name, fields,
						   sizeof(fields) / sizeof(*fields), true, settings, n, err, errlen);

	if (!p)
		return NULL;
	if (p->domain[0] && !p->url[0])
		snprintf(p->url, sizeof(p->url), "https://%s", p->domain);
	else if (!p->domain[0] == !p->url[0])
		p->url[0] = '\0';
	if (p->url[0] && wsmfa_url_allowed(&p->base, p->url))
		return &p->base;
	wsmfa_setting_error(err, errlen, &p->base, wsmfa_setting_find(settings, n, "domain"),
			    "set `domain` to the tenant, such as example.eu.auth0.com");
	auth0_free(&p->base);
	return NULL;
}

static void request(struct push_auth0 const *p, char const *method, char const *path, char const *type,
		    struct wsmfa_step *out)
{
	char url[sizeof(p->url) + 64];

	snprintf(url, sizeof(url), "%s%s", p->url, path);
	wsmfa_step_request(out, method, url);
	if (type)
		wsmfa_step_header(out, "Content-Type", type);
}

static void put_client(struct push_auth0 const *p, struct wsmfa_out *body)
{
	wsmfa_form_put(body, "client_id", p->client_id);
	wsmfa_form_put(body, "client_secret", p->client_secret);
}

static void ask_password(struct push_auth0 const *p, struct wsmfa_conversation const *c, struct wsmfa_step *out)
{
	struct wsmfa_out body;

	request(p, "POST", "/oauth/token", "application/x-www-form-urlencoded", out);
	body = wsmfa_step_body(out);
	wsmfa_form_put(&body, "grant_type", p->realm[0] ? GRANT_REALM : "password");
	wsmfa_form_put(&body, "username", c->message.account);
	wsmfa_form_put(&body, "password", c->message.password);
	if (p->realm[0])
		wsmfa_form_put(&body, "realm", p->realm);
	if (p->audience[0])
		wsmfa_form_put(&body, "audience", p->audience);
	wsmfa_form_put(&body, "scope", p->scope);
	put_client(p, &body);
	wsmfa_step_seal(out, &body);
}

static void ask_list(struct push_auth0 const *p, struct talk const *t, struct wsmfa_step *out)
{
	char value[TOKEN_MAX + 8];

	request(p, "GET", "/mfa/authenticators", NULL, out);
	snprintf(value, sizeof(value), "Bearer %s", t->mfa_token);
	wsmfa_step_header(out, "Authorization", value);
	OPENSSL_cleanse(value, sizeof(value));
}

static void put_json(struct wsmfa_out *body, char const *name, char const *value)
{
	wsmfa_out_put(body, body->len ? ",\"" : "{\"");
	wsmfa_out_put(body, name);
	wsmfa_out_put(body, "\":\"");
	wsmfa_out_put_json(body, value);
	wsmfa_out_put(body, "\"");
}

static void ask_challenge(struct push_auth0 const *p, struct talk const *t, struct wsmfa_step *out)
{
	struct wsmfa_out body;

	request(p, "POST", "/mfa/challenge", "application/json", out);
	body = wsmfa_step_body(out);
	put_json(&body, "client_id", p->client_id);
	put_json(&body, "client_secret", p->client_secret);
	put_json(&body, "mfa_token", t->mfa_token);
	put_json(&body, "challenge_type", "oob");
	put_json(&body, "authenticator_id", t->authenticator);
	wsmfa_out_put(&body, "}");
	wsmfa_step_seal(out, &body);
	out->request.asks_person = true;
}

static void ask_result(struct push_auth0 const *p, struct talk const *t, struct wsmfa_step *out)
{
	struct wsmfa_out body;

	request(p, "POST", "/oauth/token", "application/x-www-form-urlencoded", out);
	body = wsmfa_step_body(out);
	wsmfa_form_put(&body, "grant_type", GRANT_OOB);
	put_client(p, &body);
	wsmfa_form_put(&body, "mfa_token", t->mfa_token);
	wsmfa_form_put(&body, "oob_code", t->oob_code);
	wsmfa_step_seal(out, &body);
	out->request.repeatable = true;
}

static void next(struct push_auth0 const *p, struct talk *t, struct wsmfa_conversation const *c, enum phase phase,
		 struct wsmfa_step *out)
{
	t->phase = phase;
	switch (phase) {
	case PASSWORD: ask_password(p, c, out); break;
	case LIST: ask_list(p, t, out); break;
	case CHALLENGE: ask_challenge(p, t, out); break;
	case POLL: ask_result(p, t, out); break;
	}
}

static void auth0_begin(struct wsmfa_provider const *provider, struct wsmfa_conversation *c, wsmfa_time_t at,
			uint8_t const *random, struct wsmfa_step *out)
{
	struct push_auth0 const *p = (struct push_auth0 const *)provider;
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	memcpy(t->throttle.random, random, sizeof(t->throttle.random));
	t->poll_ms = p->poll_ms;
	if (!c->message.password[0])
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "auth0: there is no password to begin with");
	else
		next(p, t, c, PASSWORD, out);
}

/** Takes a token that goes into headers and bodies: visible ASCII, not too long. */
static bool take_token(char const *from, char *out)
{
	size_t len = strlen(from);

	for (size_t i = 0; i < len; i++) {
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	}
	if (len == 0 || len >= TOKEN_MAX)
		return false;
	memcpy(out, from, len + 1);
	return true;
}

static void failed(struct wsmfa_step *out, struct wsmfa_http_answer const *a, json_t const *json, char const *what)
{
	wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "auth0: %s: status %ld, %.40s", what, a->status,
			wsmfa_json_text(json, "error"));
}

static void on_password(struct push_auth0 const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
			json_t const *json, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char const *error = wsmfa_json_text(json, "error");

	if (strcmp(error, "mfa_required") == 0 && take_token(wsmfa_json_text(json, "mfa_token"), t->mfa_token))
		next(p, t, c, LIST, out);
	else if (a->status == 200 && wsmfa_json_text(json, "access_token")[0])
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED,
				"auth0: the tenant asks this account for no second factor");
	else if (strcmp(error, "invalid_grant") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "auth0: the tenant does not accept the password");
	else
		failed(out, a, json, "password grant");
}

/** The wanted authenticator, or the first one that gets pushes. */
static bool choose(struct talk *t, char const *wanted, json_t const *list)
{
	size_t i;
	json_t const *one;

	json_array_foreach (list, i, one) {
		char const *id = wsmfa_json_text(one, "id");
		bool active = json_is_true(json_object_get(one, "active"));

		if (!active || strcmp(wsmfa_json_text(one, "authenticator_type"), "oob") != 0 ||
		    strcmp(wsmfa_json_text(one, "oob_channel"), "auth0") != 0 || !id[0] ||
		    strlen(id) >= sizeof(t->authenticator))
			continue;
		if (!wanted[0] || strcmp(wanted, "auto") == 0 || strcmp(wanted, id) == 0) {
			snprintf(t->authenticator, sizeof(t->authenticator), "%s", id);
			return true;
		}
	}
	return false;
}

static void on_list(struct push_auth0 const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		    json_t const *json, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	if (a->status != 200 || !json_is_array(json))
		failed(out, a, json, "authenticators");
	else if (!choose(t, c->message.device, json))
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "auth0: no such device gets pushes");
	else
		next(p, t, c, CHALLENGE, out);
}

static void on_challenge(struct wsmfa_conversation *c, struct wsmfa_http_answer const *a, json_t const *json,
			 struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char const *error = wsmfa_json_text(json, "error");

	if (a->status == 200 && strcmp(wsmfa_json_text(json, "binding_method"), "prompt") == 0) {
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "auth0: that device gets codes, not pushes");
	} else if (a->status == 200 && take_token(wsmfa_json_text(json, "oob_code"), t->oob_code)) {
		t->phase = POLL;
		out->started = true;
		out->kind = WSMFA_STEP_PAUSE;
		out->pause_ms = t->poll_ms;
	} else if (a->status == 200) {
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "auth0: challenge without a code");
	} else if (strcmp(error, "unsupported_challenge_type") == 0 || strcmp(error, "association_required") == 0 ||
		   strcmp(error, "not_enrolled") == 0 || strcmp(error, "too_many_pn") == 0) {
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "auth0: challenge: %.40s", error);
	} else {
		failed(out, a, json, "challenge");
	}
}

static void again(struct talk *t, struct wsmfa_http_answer const *a, int32_t pause_ms, struct wsmfa_step *out)
{
	if (a->retry_after > 0)
		pause_ms = a->retry_after < POLL_MAX_MS / 1000 ? a->retry_after * 1000 : POLL_MAX_MS;
	t->phase = POLL;
	out->kind = WSMFA_STEP_PAUSE;
	out->pause_ms = pause_ms < POLL_MAX_MS ? pause_ms : POLL_MAX_MS;
}

/** The error decides, never the status. */
static void on_poll(struct wsmfa_conversation *c, struct wsmfa_http_answer const *a, json_t const *json,
		    struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char const *error = wsmfa_json_text(json, "error");
	char const *description = wsmfa_json_text(json, "error_description");

	if (a->how != WSMFA_HTTP_ANSWERED || a->status >= 500) {
		again(t, a, t->poll_ms * 2, out);
	} else if (a->status == 200 && wsmfa_json_text(json, "access_token")[0]) {
		wsmfa_step_done(out, WSMFA_DELIVERY_APPROVED, "%s", "");
	} else if (strcmp(error, "authorization_pending") == 0) {
		again(t, a, t->poll_ms, out);
	} else if (strcmp(error, "slow_down") == 0) {
		t->poll_ms = t->poll_ms + SLOW_DOWN_MS < POLL_MAX_MS ? t->poll_ms + SLOW_DOWN_MS : POLL_MAX_MS;
		again(t, a, t->poll_ms, out);
	} else if (a->status == 429) {
		again(t, a, t->poll_ms * 2, out);
	} else if (strcmp(error, "expired_token") == 0 || strcmp(error, "transaction_expired") == 0 ||
		   strcmp(error, "login_transaction_not_found") == 0) {
		wsmfa_step_done(out, WSMFA_DELIVERY_EXPIRED, "auth0: %.40s", error);
	} else if (strcmp(error, "access_denied") == 0 ||
		   (strcmp(error, "invalid_grant") == 0 && !strstr(description, "mfa_token"))) {
		wsmfa_step_done(out, WSMFA_DELIVERY_DENIED, "%s", "");
	} else if (!json) {
		again(t, a, t->poll_ms * 2, out);
	} else {
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "auth0: poll: status %ld, %.40s", a->status, error);
	}
}

/** Nobody is asked before the challenge: what is lost until then was certainly not sent. */
static bool lost_before(struct talk const *t, struct wsmfa_http_answer const *a, struct wsmfa_step *out)
{
	if (!wsmfa_step_lost(out, a, "auth0"))
		return false;
	if (t->phase != CHALLENGE)
		out->delivery = WSMFA_DELIVERY_FAILED;
	return true;
}

static void auth0_answer(struct wsmfa_provider const *provider, struct wsmfa_conversation *c,
			 struct wsmfa_http_answer const *a, struct wsmfa_step *out)
{
	struct push_auth0 const *p = (struct push_auth0 const *)provider;
	struct talk *t = WSMFA_MEMORY(c, talk);
	bool throttled = t->phase != POLL && a->how == WSMFA_HTTP_ANSWERED && a->status == 429;
	json_t *json = wsmfa_answer_json(a);

	if (t->phase == PASSWORD && !throttled)
		OPENSSL_cleanse(c->message.password, sizeof(c->message.password));
	if (throttled)
		wsmfa_step_throttled(out, &t->throttle, c, a, "auth0");
	else if (t->phase == POLL)
		on_poll(c, a, json, out);
	else if (lost_before(t, a, out))
		;
	else if (t->phase == PASSWORD)
		on_password(p, c, a, json, out);
	else if (t->phase == LIST)
		on_list(p, c, a, json, out);
	else
		on_challenge(c, a, json, out);
	json_decref(json);
}

static void auth0_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			 struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	next((struct push_auth0 const *)p, t, c, t->phase, out);
}

struct wsmfa_provider_ops const wsmfa_push_auth0 = {
	.type = "auth0",
	.channel = WSMFA_KIND_PUSH,
	.needs_password = true,
	.configure = auth0_configure,
	.begin = auth0_begin,
	.answer = auth0_answer,
	.resume = auth0_resume,
	.free = auth0_free,
};
