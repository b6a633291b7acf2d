/* SMS through any gateway that speaks HTTP: templates say what is sent, patterns say what its answer means.
 * Apart from the vendors with a backend of their own; recipes for Kannel and Vonage are settings of this one. */
#include <openssl/crypto.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/step.h"
#include "provider/template.h"

#define MATCHED_MAX 4096 //!< octets of an answer that patterns see

enum pattern { RETRY = 0, REFUSED, FAILURE, SUCCESS, PATTERNS };

struct sms_http {
	struct wsmfa_provider base;
	char url[1024];
	char method[8];
	char headers[2048];
	char body[4096];
	char body_type[8];
	char user[128], password[256], from[64];
	bool basic_auth;
	char texts[PATTERNS][512];
	enum wsmfa_escape escape;
	regex_t patterns[PATTERNS];
	bool compiled[PATTERNS];
};

struct talk {
	struct wsmfa_throttle throttle;
};

static char const *const names[] = { "to",          "to_digits", "text", "account",  "from",
				     "user",        "password",  "id",   "lifetime", "lifetime_minutes",
				     "lifetime_ms", "coding",    "type" };
#define NAMES (sizeof(names) / sizeof(*names))

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(URL, "url", sms_http, url), .required = true, .help = "the gateway's URL, with placeholders" },
	{ WSMFA_FIELD(TEXT, "method", sms_http, method), .help = "GET, POST or PUT" },
	{ WSMFA_FIELD(LINES, "header", sms_http, headers), .help = "one line `Name: value`" },
	{ WSMFA_FIELD(TEXT, "body", sms_http, body), .help = "what is sent, with placeholders" },
	{ WSMFA_FIELD(TEXT, "body_type", sms_http, body_type), .value = "form", .help = "form, json, xml or text" },
	{ WSMFA_FIELD(TEXT, "user", sms_http, user), .help = "the value of {user}" },
	{ WSMFA_FIELD(SECRET, "password", sms_http, password),
	  .help = "the value of {password}, or use password_file" },
	{ WSMFA_FIELD(TEXT, "from", sms_http, from), .help = "the value of {from}" },
	{ WSMFA_FIELD(FLAG, "basic_auth", sms_http, basic_auth), .value = "no", .help = "yes or no" },
	{ WSMFA_FIELD(PATTERN, "retry", sms_http, texts[RETRY]), .value = "^429 ",
	  .help = "a regular expression for `STATUS BODY` of an answer after which the message is sent again" },
	{ WSMFA_FIELD(PATTERN, "refused", sms_http, texts[REFUSED]),
	  .help = "a regular expression for answers that refuse this message only" },
	{ WSMFA_FIELD(PATTERN, "failure", sms_http, texts[FAILURE]),
	  .help = "a regular expression for answers that say it was not sent" },
	{ WSMFA_FIELD(PATTERN, "success", sms_http, texts[SUCCESS]), .value = "^2[0-9][0-9] ",
	  .help = "a regular expression for answers that say it was taken" },
};

static void http_free(struct wsmfa_provider *p)
{
	struct sms_http *h = (struct sms_http *)p;

	for (int i = 0; i < PATTERNS; i++) {
		if (h->compiled[i])
			regfree(&h->patterns[i]);
	}
	wsmfa_provider_release(p, sizeof(*h));
}

static bool set_escape(struct sms_http *h)
{
	if (strcmp(h->body_type, "form") == 0)
		h->escape = WSMFA_ESCAPE_URL;
	else if (strcmp(h->body_type, "json") == 0)
		h->escape = WSMFA_ESCAPE_JSON;
	else if (strcmp(h->body_type, "xml") == 0)
		h->escape = WSMFA_ESCAPE_XML;
	else if (strcmp(h->body_type, "text") == 0)
		h->escape = WSMFA_ESCAPE_NONE;
	else
		return false;
	return true;
}

/** What no field by itself can tell. NULL, or the name of the wrong setting with a sentence. */
static char const *http_check(struct sms_http *h, char *sentence, size_t size)
{
	struct {
		char const *name, *text;
	} const templates[] = { { "url", h->url }, { "header", h->headers }, { "body", h->body } };
	char unknown[64];

	for (size_t i = 0; i < sizeof(templates) / sizeof(*templates); i++) {
		wsmfa_template_unknown(templates[i].text, names, NAMES, unknown, sizeof(unknown));
		if (unknown[0]) {
			snprintf(sentence, size,
				 "{%s} is unknown: placeholders are {to} {to_digits} {text} {account} {from} {user} "
				 "{password} {id} {lifetime} {lifetime_minutes} {lifetime_ms} {coding} {type}",
				 unknown);
			return templates[i].name;
		}
	}
	if (!h->method[0])
		snprintf(h->method, sizeof(h->method), h->body[0] ? "POST" : "GET");
	if (strcmp(h->method, "GET") != 0 && strcmp(h->method, "POST") != 0 && strcmp(h->method, "PUT") != 0) {
		snprintf(sentence, size, "%s is not possible: set it to GET, POST or PUT", h->method);
		return "method";
	}
	if (!set_escape(h)) {
		snprintf(sentence, size, "%s is unknown: set it to form, json, xml or text", h->body_type);
		return "body_type";
	}
	if (h->basic_auth && strchr(h->user, ':')) {
		snprintf(sentence, size, "a user with a colon can't be sent by basic_auth");
		return "user";
	}
	if (!strstr(h->url, "{text}") && !strstr(h->body, "{text}") && !strstr(h->headers, "{text}")) {
		snprintf(sentence, size, "no {text} is sent: put it into `url` or `body`");
		return "url";
	}
	for (int i = 0; i < PATTERNS; i++) {
		if (h->texts[i][0])
			h->compiled[i] = regcomp(&h->patterns[i], h->texts[i], REG_EXTENDED | REG_NOSUB) == 0;
	}
	return NULL;
}

static struct wsmfa_provider *http_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					     char *err, size_t errlen)
{
	struct sms_http *h = wsmfa_provider_read(&wsmfa_sms_http, sizeof(*h), name, fields,
						 sizeof(fields) / sizeof(*fields), true, settings, n, err, errlen);
	char sentence[300];
	char const *wrong;

	if (!h)
		return NULL;
	wrong = http_check(h, sentence, sizeof(sentence));
	if (!wrong)
		return &h->base;
	wsmfa_setting_error(err, errlen, &h->base, wsmfa_setting_find(settings, n, wrong), "`%s`: %s", wrong, sentence);
	http_free(&h->base);
	return NULL;
}

static bool is_ascii(char const *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text >= 0x80)
			return false;
	}
	return true;
}

/** Headers of the template, one by one. */
static void put_headers(struct sms_http const *h, struct wsmfa_step *out, struct wsmfa_value const *values)
{
	struct wsmfa_http_request *r = &out->request;
	struct wsmfa_out lines;

	wsmfa_out_init(&lines, r->headers, sizeof(r->headers));
	wsmfa_template_put(&lines, h->headers, WSMFA_ESCAPE_HEADER, values, NAMES);
	if (lines.full)
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "the headers are too long");
}

static void put_content_type(struct sms_http const *h, struct wsmfa_step *out)
{
	static char const *const types[] = { "text/plain; charset=utf-8", "application/x-www-form-urlencoded",
					     "application/json", "application/xml; charset=utf-8" };

	if (h->body[0] && !strcasestr(h->headers, "content-type:"))
		wsmfa_step_header(out, "Content-Type", types[h->escape]);
}

static void http_request(struct sms_http const *h, struct wsmfa_conversation const *c, struct wsmfa_step *out)
{
	struct wsmfa_message const *m = &c->message;
	char id[24], seconds[16], minutes[16], ms[24], url[WSMFA_URL_MAX];
	bool ascii = is_ascii(m->text);
	int32_t lifetime = m->lifetime > 20 ? m->lifetime : 20;
	struct wsmfa_value const values[NAMES] = {
		{ names[0], m->phone },
		{ names[1], m->phone + 1 },
		{ names[2], m->text },
		{ names[3], m->account },
		{ names[4], h->from },
		{ names[5], h->user },
		{ names[6], h->password },
		{ names[7], id },
		{ names[8], seconds },
		{ names[9], minutes },
		{ names[10], ms },
		{ names[11], ascii ? "0" : "2" },
		{ names[12], ascii ? "text" : "unicode" },
	};
	struct wsmfa_out text;

	snprintf(id, sizeof(id), "%lld", (long long)m->challenge_id);
	snprintf(seconds, sizeof(seconds), "%d", (int)lifetime);
	snprintf(minutes, sizeof(minutes), "%d", (int)(lifetime + 59) / 60);
	snprintf(ms, sizeof(ms), "%lld", (long long)lifetime * 1000);
	wsmfa_out_init(&text, url, sizeof(url));
	wsmfa_template_put(&text, h->url, WSMFA_ESCAPE_URL, values, NAMES);
	wsmfa_step_request(out, h->method, url);
	put_headers(h, out, values);
	put_content_type(h, out);
	if (h->basic_auth)
		snprintf(out->request.userpwd, sizeof(out->request.userpwd), "%s:%s", h->user, h->password);
	out->request.asks_person = true;
	if (text.full)
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "the URL is too long");
	text = wsmfa_step_body(out);
	wsmfa_template_put(&text, h->body, h->escape, values, NAMES);
	wsmfa_step_seal(out, &text);
	OPENSSL_cleanse(url, sizeof(url));
}

static void http_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		       uint8_t const *random, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	memcpy(t->throttle.random, random, sizeof(t->throttle.random));
	if (!wsmfa_phone_valid(c->message.phone))
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "the number is not E.164");
	else
		http_request((struct sms_http const *)p, c, out);
}

static bool matches(struct sms_http const *h, enum pattern which, char const *text)
{
	return h->compiled[which] && regexec(&h->patterns[which], text, 0, NULL, 0) == 0;
}

/** The answer itself is not logged: gateways repeat the text. */
static void http_answer(struct wsmfa_provider const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
			struct wsmfa_step *out)
{
	struct sms_http const *h = (struct sms_http const *)p;
	struct talk *t = WSMFA_MEMORY(c, talk);
	char text[MATCHED_MAX + 32];

	snprintf(text, sizeof(text), "%ld %.*s", a->status, MATCHED_MAX, a->body);
	if (a->how != WSMFA_HTTP_ANSWERED)
		wsmfa_step_lost(out, a, "gateway");
	else if (matches(h, RETRY, text))
		wsmfa_step_throttled(out, &t->throttle, c, a, "gateway");
	else if (matches(h, REFUSED, text))
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "gateway: refused with status %ld", a->status);
	else if (matches(h, FAILURE, text))
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "gateway: status %ld", a->status);
	else if (matches(h, SUCCESS, text))
		wsmfa_step_done(out, WSMFA_DELIVERY_SENT, "%s", "");
	else if (!wsmfa_step_lost(out, a, "gateway"))
		wsmfa_step_done(out, a->status >= 400 ? WSMFA_DELIVERY_FAILED : WSMFA_DELIVERY_UNKNOWN,
				"gateway: status %ld", a->status);
}

static void http_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			struct wsmfa_step *out)
{
	(void)at;
	http_request((struct sms_http const *)p, c, out);
}

struct wsmfa_provider_ops const wsmfa_sms_http = {
	.type = "http",
	.channel = WSMFA_KIND_SMS,
	.configure = http_configure,
	.begin = http_begin,
	.answer = http_answer,
	.resume = http_resume,
	.free = http_free,
};
