/* SMS by Twilio's Messages resource.
 * Apart from sms_http.c, because its error codes tell a bad number from a bad account. */
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/step.h"

struct sms_twilio {
	struct wsmfa_provider base;
	char account_sid[64];
	char key_sid[64];
	char auth_token[160];
	char from[64];
	char messaging_service_sid[64];
	char base_url[512];
};

struct talk {
	struct wsmfa_throttle throttle;
};

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(TEXT, "account_sid", sms_twilio, account_sid), .required = true,
	  .help = "the Account SID of the Twilio console, AC..." },
	{ WSMFA_FIELD(TEXT, "key_sid", sms_twilio, key_sid), .help = "the SID of an API key, SK..." },
	{ WSMFA_FIELD(SECRET, "auth_token", sms_twilio, auth_token), .required = true,
	  .help = "the Auth Token, or with key_sid the key's secret; or use auth_token_file" },
	{ WSMFA_FIELD(TEXT, "from", sms_twilio, from), .help = "a number or name of yours" },
	{ WSMFA_FIELD(TEXT, "messaging_service_sid", sms_twilio, messaging_service_sid),
	  .help = "the SID of a Messaging Service, MG..." },
	{ WSMFA_FIELD(URL, "base_url", sms_twilio, base_url), .value = "https://api.twilio.com",
	  .help = "an https:// URL" },
};

static void twilio_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct sms_twilio));
}

static struct wsmfa_provider *twilio_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					       char *err, size_t errlen)
{
	struct sms_twilio *t = wsmfa_provider_read(&wsmfa_sms_twilio, sizeof(*t), name, fields,
						   sizeof(fields) / sizeof(*fields), true, settings, n, err, errlen);

	if (!t || !t->from[0] != !t->messaging_service_sid[0])
		return t ? &t->base : NULL;
	wsmfa_setting_error(err, errlen, &t->base, wsmfa_setting_find(settings, n, "from"),
			    "set one of `from` and `messaging_service_sid`");
	twilio_free(&t->base);
	return NULL;
}

static void twilio_request(struct sms_twilio const *p, struct wsmfa_conversation const *c, struct wsmfa_step *out)
{
	struct wsmfa_message const *m = &c->message;
	struct wsmfa_http_request *r = &out->request;
	char url[700], seconds[16];
	struct wsmfa_out body;

	snprintf(url, sizeof(url), "%s/2010-04-01/Accounts/%s/Messages.json", p->base_url, p->account_sid);
	wsmfa_step_request(out, "POST", url);
	wsmfa_step_header(out, "Content-Type", "application/x-www-form-urlencoded");
	snprintf(r->userpwd, sizeof(r->userpwd), "%s:%s", p->key_sid[0] ? p->key_sid : p->account_sid, p->auth_token);
	r->asks_person = true;
	/* A code that has expired is not worth delivering. */
	snprintf(seconds, sizeof(seconds), "%d", m->lifetime < 1 ? 1 : m->lifetime > 36000 ? 36000 : (int)m->lifetime);
	body = wsmfa_step_body(out);
	wsmfa_form_put(&body, "To", m->phone);
	if (p->from[0])
		wsmfa_form_put(&body, "From", p->from);
	else
		wsmfa_form_put(&body, "MessagingServiceSid", p->messaging_service_sid);
	wsmfa_form_put(&body, "Body", m->text);
	wsmfa_form_put(&body, "ValidityPeriod", seconds);
	wsmfa_step_seal(out, &body);
}

static void twilio_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			 uint8_t const *random, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	memcpy(t->throttle.random, random, sizeof(t->throttle.random));
	if (!wsmfa_phone_valid(c->message.phone))
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "the number is not E.164");
	else
		twilio_request((struct sms_twilio const *)p, c, out);
}

/** Codes about the number: the account works. */
static bool is_about_number(int64_t code)
{
	return code == 21211 || code == 21214 || code == 21217 || code == 21408 || code == 21608 || code == 21610 ||
	       code == 21612 || code == 21614 || code == 30003 || code == 30005;
}

/** 201: taken, unless the status says that it ended at once. */
static void created(json_t const *json, struct wsmfa_step *out)
{
	char const *status = wsmfa_json_text(json, "status");

	if (strcmp(status, "failed") == 0 || strcmp(status, "undelivered") == 0 || strcmp(status, "canceled") == 0)
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "twilio: status %s, error %lld", status,
				(long long)wsmfa_json_number(json, "error_code", 0));
	else if (!wsmfa_json_text(json, "sid")[0])
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "twilio: 201 without a message");
	else
		wsmfa_step_done(out, WSMFA_DELIVERY_SENT, "%s", "");
}

static void twilio_answer(struct wsmfa_provider const *p, struct wsmfa_conversation *c,
			  struct wsmfa_http_answer const *a, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	json_t *json;
	int64_t code;

	(void)p;
	if (wsmfa_step_lost(out, a, "twilio"))
		return;
	json = wsmfa_answer_json(a);
	code = wsmfa_json_number(json, "code", 0);
	if (a->status == 201)
		created(json, out);
	else if (a->status < 300)
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "twilio: status %ld", a->status);
	else if (a->status == 429) /* "never processed and always safe to retry" */
		wsmfa_step_throttled(out, &t->throttle, c, a, "twilio");
	else
		wsmfa_step_done(out, is_about_number(code) ? WSMFA_DELIVERY_REFUSED : WSMFA_DELIVERY_FAILED,
				"twilio: status %ld, error %lld%s", a->status, (long long)code,
				a->status == 401 ? ": check account_sid and auth_token" : "");
	json_decref(json);
}

static void twilio_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			  struct wsmfa_step *out)
{
	(void)at;
	twilio_request((struct sms_twilio const *)p, c, out);
}

struct wsmfa_provider_ops const wsmfa_sms_twilio = {
	.type = "twilio",
	.channel = WSMFA_KIND_SMS,
	.configure = twilio_configure,
	.begin = twilio_begin,
	.answer = twilio_answer,
	.resume = twilio_resume,
	.free = twilio_free,
};
