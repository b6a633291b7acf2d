/* The administrator's hook for notices to a person: a JSON object by POST.
 * Apart from the SMS gateways: it is told whom to tell, and finds the way itself. */
#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/step.h"

struct notify {
	struct wsmfa_provider base;
	char url[1024];
};

struct talk {
	struct wsmfa_throttle throttle;
};

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(URL, "notify", notify, url), .required = true, .help = "an https:// URL" },
};

static struct wsmfa_provider *notify_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					       char *err, size_t errlen)
{
	return wsmfa_provider_read(&wsmfa_notify, sizeof(struct notify), name, fields, sizeof(fields) / sizeof(*fields),
				   true, settings, n, err, errlen);
}

static void put_member(struct wsmfa_out *body, char const *name, char const *value)
{
	wsmfa_out_put(body, body->len > 1 ? ",\"" : "\"");
	wsmfa_out_put(body, name);
	wsmfa_out_put(body, "\":\"");
	wsmfa_out_put_json(body, value);
	wsmfa_out_put(body, "\"");
}

static void notify_request(struct wsmfa_provider const *p, struct wsmfa_conversation const *c, struct wsmfa_step *out)
{
	struct wsmfa_out body;

	wsmfa_step_request(out, "POST", ((struct notify const *)p)->url);
	wsmfa_step_header(out, "Content-Type", "application/json");
	out->request.asks_person = true;
	body = wsmfa_step_body(out);
	wsmfa_out_put(&body, "{");
	put_member(&body, "account", c->message.account);
	put_member(&body, "text", c->message.text);
	wsmfa_out_put(&body, "}");
	wsmfa_step_seal(out, &body);
}

static void notify_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			 uint8_t const *random, struct wsmfa_step *out)
{
	(void)at;
	(void)random;
	notify_request(p, c, out);
}

static void notify_answer(struct wsmfa_provider const *p, struct wsmfa_conversation *c,
			  struct wsmfa_http_answer const *a, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)p;
	if (a->how == WSMFA_HTTP_ANSWERED && a->status == 429)
		wsmfa_step_throttled(out, &t->throttle, c, a, "hook");
	else if (wsmfa_step_lost(out, a, "hook"))
		;
	else if (a->status < 300)
		wsmfa_step_done(out, WSMFA_DELIVERY_SENT, "%s", "");
	else
		wsmfa_step_done(out, WSMFA_DELIVERY_FAILED, "hook: status %ld", a->status);
}

static void notify_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			  struct wsmfa_step *out)
{
	(void)at;
	notify_request(p, c, out);
}

static void notify_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct notify));
}

struct wsmfa_provider_ops const wsmfa_notify = {
	.type = "notify",
	.channel = WSMFA_KIND_NONE,
	.configure = notify_configure,
	.begin = notify_begin,
	.answer = notify_answer,
	.resume = notify_resume,
	.free = notify_free,
};
