/* SMS by Amazon SNS: Publish, signed by libcurl (signature version 4).
 * Apart from sms_http.c, because of the signature and of error codes in XML. */
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/step.h"

struct sms_aws_sns {
	struct wsmfa_provider base;
	char region[32];
	char access_key[128];
	char secret_key[120];
	char session_token[2048];
	char sender_id[16];
	char url[512];
};

struct talk {
	struct wsmfa_throttle throttle;
};

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(TEXT, "region", sms_aws_sns, region), .required = true, .help = "a region, such as eu-west-1" },
	{ WSMFA_FIELD(TEXT, "access_key", sms_aws_sns, access_key), .required = true,
	  .help = "the id of an access key that may sns:Publish" },
	{ WSMFA_FIELD(SECRET, "secret_key", sms_aws_sns, secret_key), .required = true,
	  .help = "that key's secret, or use secret_key_file" },
	{ WSMFA_FIELD(SECRET, "session_token", sms_aws_sns, session_token),
	  .help = "the token of temporary credentials, or use session_token_file" },
	{ WSMFA_FIELD(TEXT, "sender_id", sms_aws_sns, sender_id), .help = "a name of up to 11 letters and digits" },
	{ WSMFA_FIELD(URL, "url", sms_aws_sns, url), .help = "an https:// URL in place of the region's" },
};

static void sns_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct sms_aws_sns));
}

static struct wsmfa_provider *sns_configure(char const *name, struct wsmfa_setting const *settings, size_t n, char *err,
					    size_t errlen)
{
	struct sms_aws_sns *s = wsmfa_provider_read(&wsmfa_sms_aws_sns, sizeof(*s), name, fields,
						    sizeof(fields) / sizeof(*fields), true, settings, n, err, errlen);

	if (!s)
		return NULL;
	if (strspn(s->region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s->region)) {
		if (!s->url[0])
			snprintf(s->url, sizeof(s->url), "https://sns.%s.amazonaws.com/", s->region);
		return &s->base;
	}
	wsmfa_setting_error(err, errlen, &s->base, wsmfa_setting_find(settings, n, "region"),
			    "`region` can't be used: set it to a region, such as eu-west-1");
	sns_free(&s->base);
	return NULL;
}

static void put_attribute(struct wsmfa_out *body, int index, char const *name, char const *value)
{
	char field[64];

	snprintf(field, sizeof(field), "MessageAttributes.entry.%d.Name", index);
	wsmfa_form_put(body, field, name);
	snprintf(field, sizeof(field), "MessageAttributes.entry.%d.Value.DataType", index);
	wsmfa_form_put(body, field, "String");
	snprintf(field, sizeof(field), "MessageAttributes.entry.%d.Value.StringValue", index);
	wsmfa_form_put(body, field, value);
}

static void sns_request(struct sms_aws_sns const *p, struct wsmfa_conversation const *c, struct wsmfa_step *out)
{
	struct wsmfa_http_request *r = &out->request;
	struct wsmfa_out body;

	wsmfa_step_request(out, "POST", p->url);
	wsmfa_step_header(out, "Content-Type", "application/x-www-form-urlencoded");
	if (p->session_token[0])
		wsmfa_step_header(out, "X-Amz-Security-Token", p->session_token);
	snprintf(r->aws_sigv4, sizeof(r->aws_sigv4), "aws:amz:%s:sns", p->region);
	snprintf(r->userpwd, sizeof(r->userpwd), "%s:%s", p->access_key, p->secret_key);
	r->asks_person = true;
	body = wsmfa_step_body(out);
	wsmfa_form_put(&body, "Action", "Publish");
	wsmfa_form_put(&body, "Version", "2010-03-31");
	wsmfa_form_put(&body, "PhoneNumber", c->message.phone);
	wsmfa_form_put(&body, "Message", c->message.text);
	put_attribute(&body, 1, "AWS.SNS.SMS.SMSType", "Transactional");
	if (p->sender_id[0])
		put_attribute(&body, 2, "AWS.SNS.SMS.SenderID", p->sender_id);
	wsmfa_step_seal(out, &body);
}

static void sns_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		      uint8_t const *random, struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);

	(void)at;
	memcpy(t->throttle.random, random, sizeof(t->throttle.random));
	if (!wsmfa_phone_valid(c->message.phone))
		wsmfa_step_done(out, WSMFA_DELIVERY_REFUSED, "the number is not E.164");
	else
		sns_request((struct sms_aws_sns const *)p, c, out);
}

/** The text of the first such element, cleaned; "" without one. */
static void xml_text(char const *body, char const *element, char *out, size_t size)
{
	char open[32];
	char const *at, *end;

	out[0] = '\0';
	snprintf(open, sizeof(open), "<%s>", element);
	at = strstr(body, open);
	if (!at)
		return;
	at += strlen(open);
	end = strchr(at, '<');
	if (end)
		wsmfa_foreign_clean(out, size, at, (size_t)(end - at));
}

static bool is_throttled(char const *code)
{
	return strncmp(code, "Throttl", 7) == 0 || strcmp(code, "TooManyRequestsException") == 0 ||
	       strcmp(code, "RequestLimitExceeded") == 0;
}

static void sns_answer(struct wsmfa_provider const *p, struct wsmfa_conversation *c, struct wsmfa_http_answer const *a,
		       struct wsmfa_step *out)
{
	struct talk *t = WSMFA_MEMORY(c, talk);
	char code[64], id[64];

	(void)p;
	xml_text(a->body, "Code", code, sizeof(code));
	if (a->how == WSMFA_HTTP_ANSWERED && a->status >= 400 && (a->status == 429 || is_throttled(code))) {
		wsmfa_step_throttled(out, &t->throttle, c, a, "sns");
		return;
	}
	if (wsmfa_step_lost(out, a, "sns"))
		return;
	xml_text(a->body, "MessageId", id, sizeof(id));
	if (a->status >= 400)
		wsmfa_step_done(out,
				strcmp(code, "InvalidParameter") == 0 || strcmp(code, "OptedOut") == 0
					? WSMFA_DELIVERY_REFUSED
					: WSMFA_DELIVERY_FAILED,
				"sns: status %ld, %s", a->status, code[0] ? code : "no code");
	else if (a->status == 200 && id[0])
		wsmfa_step_done(out, WSMFA_DELIVERY_SENT, "%s", "");
	else
		wsmfa_step_done(out, WSMFA_DELIVERY_UNKNOWN, "sns: status %ld without a message id", a->status);
}

static void sns_resume(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		       struct wsmfa_step *out)
{
	(void)at;
	sns_request((struct sms_aws_sns const *)p, c, out);
}

struct wsmfa_provider_ops const wsmfa_sms_aws_sns = {
	.type = "aws_sns",
	.channel = WSMFA_KIND_SMS,
	.configure = sns_configure,
	.begin = sns_begin,
	.answer = sns_answer,
	.resume = sns_resume,
	.free = sns_free,
};
