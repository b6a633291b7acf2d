/* Providers step by step, without a server: what is sent, what every answer makes of it, hostile bodies, settings.
 * Apart from test_provider_wire.c: here an answer can be anything, and nothing takes time. */
#include "unit.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provider/backends.h"
#include "provider/duo_sign.h"
#include "provider/out.h"
#include "provider/settings.h"
#include "provider/step.h"
#include "provider/template.h"

#define NOW      (1788264000 * WSMFA_SECOND) /* Tue, 01 Sep 2026 12:00:00 UTC */
#define LIFETIME 300

/** A conversation that a test leads by hand. */
struct world {
	struct wsmfa_provider *p;
	struct wsmfa_conversation c;
	struct wsmfa_step step;
};

static struct wsmfa_provider *make(struct wsmfa_provider_ops const *ops, char const *const *pairs, char *err,
				   size_t size)
{
	struct wsmfa_setting settings[24];
	size_t n = 0;

	for (; *pairs; pairs += 2, n++)
		settings[n] = (struct wsmfa_setting) { pairs[0], pairs[1], "raddb/mods-enabled/wsmfa", (int)n + 10 };
	return ops->configure("mine", settings, n, err, size);
}

static void begin(struct world *w, struct wsmfa_provider_ops const *ops, char const *const *pairs)
{
	static uint8_t const random[16] = { 0 };
	char err[512] = "";

	memset(w, 0, sizeof(*w));
	w->p = make(ops, pairs, err, sizeof(err));
	assert_string_equal(w->p ? "" : err, "");
	strcpy(w->c.message.account, "jane doe");
	strcpy(w->c.message.phone, "+358401234567");
	strcpy(w->c.message.text, "Code 123456");
	strcpy(w->c.message.password, "p&ss w\xc3\xb6rd");
	w->c.message.lifetime = LIFETIME;
	w->c.deadline = NOW + LIFETIME * WSMFA_SECOND;
	ops->begin(w->p, &w->c, NOW, random, &w->step);
}

static void end(struct world *w)
{
	w->p->ops->free(w->p);
}

static void answer_octets(struct world *w, long status, char const *body, size_t len)
{
	struct wsmfa_http_answer const a = {
		.how = WSMFA_HTTP_ANSWERED,
		.status = status,
		.body = body,
		.body_len = len,
		.retry_after = -1,
		.at = NOW,
		.problem = "",
	};

	memset(&w->step, 0, sizeof(w->step));
	w->p->ops->answer(w->p, &w->c, &a, &w->step);
}

static void answer(struct world *w, long status, char const *body)
{
	answer_octets(w, status, body, strlen(body));
}

static void lose(struct world *w, enum wsmfa_http_how how)
{
	struct wsmfa_http_answer const a = {
		.how = how, .body = "", .retry_after = -1, .at = NOW, .problem = "trouble"
	};

	memset(&w->step, 0, sizeof(w->step));
	w->p->ops->answer(w->p, &w->c, &a, &w->step);
}

static void resume(struct world *w)
{
	assert_int_equal(w->step.kind, WSMFA_STEP_PAUSE);
	memset(&w->step, 0, sizeof(w->step));
	w->p->ops->resume(w->p, &w->c, NOW, &w->step);
}

static void assert_request(struct world *w, char const *method, char const *url)
{
	assert_int_equal(w->step.kind, WSMFA_STEP_REQUEST);
	assert_string_equal(w->step.request.method, method);
	assert_string_equal(w->step.request.url, url);
}

static void assert_ends(struct world *w, enum wsmfa_delivery delivery)
{
	assert_int_equal(w->step.kind, WSMFA_STEP_DONE);
	assert_int_equal(w->step.delivery, delivery);
}

/* ---- each backend's requests ---- */

static char const *const twilio[] = { "account_sid", "AC1", "auth_token", "t", "messaging_service_sid", "MG1", NULL };

static void twilio_request(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &wsmfa_sms_twilio, twilio);
	assert_request(&w, "POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
	assert_string_equal(w.step.request.body,
			    "To=%2B358401234567&MessagingServiceSid=MG1&Body=Code%20123456&ValidityPeriod=300");
	assert_string_equal(w.step.request.userpwd, "AC1:t");
	assert_true(w.step.request.asks_person);
	assert_false(w.step.request.repeatable);
	answer(&w, 201, "{\"sid\":\"SM1\",\"status\":\"queued\",\"error_code\":null}");
	assert_ends(&w, WSMFA_DELIVERY_SENT);
	end(&w);
}

static void sns_request(void **state)
{
	char const *const settings[] = { "region",    "eu-west-1", "access_key",    "AK", "secret_key", "s/+",
					 "sender_id", "ME",        "session_token", "t=", NULL };
	struct world w;

	(void)state;
	begin(&w, &wsmfa_sms_aws_sns, settings);
	assert_request(&w, "POST", "https://sns.eu-west-1.amazonaws.com/");
	assert_string_equal(w.step.request.aws_sigv4, "aws:amz:eu-west-1:sns");
	assert_string_equal(w.step.request.userpwd, "AK:s/+");
	assert_non_null(strstr(w.step.request.headers, "X-Amz-Security-Token: t=\n"));
	assert_non_null(strstr(w.step.request.body,
			       "Action=Publish&Version=2010-03-31&PhoneNumber=%2B358401234567&Message=Code%20123456&"
			       "MessageAttributes.entry.1.Name=AWS.SNS.SMS.SMSType&"
			       "MessageAttributes.entry.1.Value.DataType=String&"
			       "MessageAttributes.entry.1.Value.StringValue=Transactional&"
			       "MessageAttributes.entry.2.Name=AWS.SNS.SMS.SenderID"));
	answer(&w, 200, "<PublishResponse><PublishResult><MessageId>id</MessageId></PublishResult></PublishResponse>");
	assert_ends(&w, WSMFA_DELIVERY_SENT);
	end(&w);
}

static void http_contexts(void **state)
{
	char const *const form[] = {
		"url",    "https://g.test/{account}?t={text}",
		"header", "X-To: {to}",
		"header", "X-Text: {text}",
		"body",   "to={to_digits}&text={text}&id={id}&ttl={lifetime_ms}&c={coding}&y={type}",
		NULL
	};
	char const *const xml[] = { "url",  "https://g.test/",         "body_type", "xml",
				    "body", "<m to='{to}'>{text}</m>", "method",    "PUT",
				    NULL };
	struct world w;

	(void)state;
	begin(&w, &wsmfa_sms_http, form);
	assert_request(&w, "POST", "https://g.test/jane%20doe?t=Code%20123456");
	assert_string_equal(w.step.request.headers, "X-To: +358401234567\nX-Text: Code 123456\n"
						    "Content-Type: application/x-www-form-urlencoded\n");
	assert_string_equal(w.step.request.body, "to=358401234567&text=Code%20123456&id=0&ttl=300000&c=0&y=text");
	end(&w);
	begin(&w, &wsmfa_sms_http, xml);
	assert_request(&w, "PUT", "https://g.test/");
	assert_string_equal(w.step.request.body, "<m to='+358401234567'>Code 123456</m>");
	end(&w);
}

/** Nothing in a message can leave its place in a request. */
static void http_injection(void **state)
{
	char const *const settings[] = {
		"url",  "https://g.test/?t={text}",    "header", "X-Text: {text}", "body_type", "json",
		"body", "{\"t\":\"{text}\",\"n\":{}}", NULL
	};
	static uint8_t const random[16] = { 0 };
	struct world w;

	(void)state;
	begin(&w, &wsmfa_sms_http, settings);
	strcpy(w.c.message.text, "a\r\nX-Evil: 1\"},{to}&\x7f%");
	memset(&w.step, 0, sizeof(w.step));
	w.p->ops->begin(w.p, &w.c, NOW, random, &w.step);
	assert_string_equal(w.step.request.url, "https://g.test/?t=a%0D%0AX-Evil%3A%201%22%7D%2C%7Bto%7D%26%7F%25");
	assert_string_equal(w.step.request.headers, "X-Text: aX-Evil: 1\"},{to}&%\nContent-Type: application/json\n");
	assert_string_equal(w.step.request.body, "{\"t\":\"a\\u000d\\u000aX-Evil: 1\\\"},{to}&\\u007f%\",\"n\":{}}");
	/* A number that is none is nobody's. */
	strcpy(w.c.message.phone, "+35840 1234567");
	memset(&w.step, 0, sizeof(w.step));
	w.p->ops->begin(w.p, &w.c, NOW, random, &w.step);
	assert_ends(&w, WSMFA_DELIVERY_REFUSED);
	end(&w);
}

static char const *const auth0[] = { "domain", "t.eu.auth0.com", "client_id", "c", "client_secret",
				     "s",      "realm",          "db",        NULL };

static void auth0_conversation(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &wsmfa_push_auth0, auth0);
	assert_request(&w, "POST", "https://t.eu.auth0.com/oauth/token");
	assert_string_equal(w.step.request.body,
			    "grant_type=http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2Fpassword-realm&username="
			    "jane%20doe&password=p%26ss%20w%C3%B6rd&realm=db&scope=openid&client_id=c&client_secret=s");
	assert_false(w.step.request.asks_person);
	answer(&w, 403, "{\"error\":\"mfa_required\",\"error_description\":\"d\",\"mfa_token\":\"Fe26.Ha\"}");
	assert_string_equal(w.c.message.password, "");
	assert_request(&w, "GET", "https://t.eu.auth0.com/mfa/authenticators");
	assert_string_equal(w.step.request.headers, "Authorization: Bearer Fe26.Ha\n");
	answer(&w, 200,
	       "[{\"id\":\"totp|dev_1\",\"authenticator_type\":\"otp\",\"active\":true},{\"id\":\"push|dev_2\","
	       "\"authenticator_type\":\"oob\",\"active\":true,\"oob_channel\":\"auth0\",\"name\":\"x\"}]");
	assert_request(&w, "POST", "https://t.eu.auth0.com/mfa/challenge");
	assert_string_equal(w.step.request.body,
			    "{\"client_id\":\"c\",\"client_secret\":\"s\",\"mfa_token\":\"Fe26.Ha\","
			    "\"challenge_type\":\"oob\",\"authenticator_id\":\"push|dev_2\"}");
	assert_true(w.step.request.asks_person);
	answer(&w, 200, "{\"challenge_type\":\"oob\",\"oob_code\":\"Fe26.Go\"}");
	assert_true(w.step.started);
	assert_int_equal(w.step.pause_ms, 5000);
	resume(&w);
	assert_request(&w, "POST", "https://t.eu.auth0.com/oauth/token");
	assert_string_equal(w.step.request.body,
			    "grant_type=http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2Fmfa-oob&client_id=c&"
			    "client_secret=s&mfa_token=Fe26.Ha&oob_code=Fe26.Go");
	assert_true(w.step.request.repeatable);
	answer(&w, 400, "{\"error\":\"authorization_pending\"}");
	assert_int_equal(w.step.pause_ms, 5000);
	resume(&w);
	answer(&w, 429, "{\"error\":\"slow_down\"}");
	assert_int_equal(w.step.pause_ms, 10000);
	resume(&w);
	lose(&w, WSMFA_HTTP_LOST);
	assert_int_equal(w.step.pause_ms, 20000);
	resume(&w);
	answer(&w, 200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}");
	assert_ends(&w, WSMFA_DELIVERY_APPROVED);
	end(&w);
}

/** What cannot be a token is none: it would end up in a header. */
static void auth0_tokens(void **state)
{
	static char body[4096];
	struct world w;

	(void)state;
	begin(&w, &wsmfa_push_auth0, auth0);
	answer(&w, 403, "{\"error\":\"mfa_required\",\"mfa_token\":\"a\\r\\nX-Evil: 1\"}");
	assert_ends(&w, WSMFA_DELIVERY_FAILED);
	end(&w);
	begin(&w, &wsmfa_push_auth0, auth0);
	snprintf(body, sizeof(body), "{\"error\":\"mfa_required\",\"mfa_token\":\"%01791d\"}", 7);
	answer(&w, 403, body);
	assert_int_equal(w.step.kind, WSMFA_STEP_REQUEST);
	end(&w);
	begin(&w, &wsmfa_push_auth0, auth0);
	snprintf(body, sizeof(body), "{\"error\":\"mfa_required\",\"mfa_token\":\"%01792d\"}", 7);
	answer(&w, 403, body);
	assert_ends(&w, WSMFA_DELIVERY_FAILED);
	end(&w);
	/* The error is about the token we sent, not what the person said. */
	begin(&w, &wsmfa_push_auth0, auth0);
	answer(&w, 403, "{\"error\":\"mfa_required\",\"mfa_token\":\"Fe26\"}");
	answer(&w, 200,
	       "[{\"id\":\"push|d\",\"authenticator_type\":\"oob\",\"active\":true,\"oob_channel\":\"auth0\"}]");
	answer(&w, 200, "{\"challenge_type\":\"oob\",\"oob_code\":\"Go\"}");
	resume(&w);
	answer(&w, 403, "{\"error\":\"invalid_grant\",\"error_description\":\"Malformed mfa_token\"}");
	assert_ends(&w, WSMFA_DELIVERY_UNKNOWN);
	end(&w);
	begin(&w, &wsmfa_push_auth0, auth0);
	w.c.message.password[0] = '\0';
	w.p->ops->begin(w.p, &w.c, NOW, (uint8_t const[16]) { 0 }, &w.step);
	assert_ends(&w, WSMFA_DELIVERY_REFUSED);
	end(&w);
}

static char const *const duo[] = { "host", "api-standin.example.test",
				   "ikey", "DIEXAMPLEIKEY0000001",
				   "skey", "k3yForTestsOnly000000000000000000000000000",
				   NULL };

static void duo_vectors(void **state)
{
	char const *const skey = "k3yForTestsOnly000000000000000000000000000", *const host = "api-standin.example.test";
	char date[WSMFA_DUO_DATE], hex[WSMFA_DUO_HEX];

	(void)state;
	wsmfa_duo_date(NOW, date);
	assert_string_equal(date, "Tue, 01 Sep 2026 12:00:00 -0000");
	assert_true(wsmfa_duo_sign(skey, date, "POST", host, "/auth/v2/auth",
				   "async=1&device=auto&factor=push&ipaddr=192.0.2.7&username=jane%20doe", hex));
	assert_string_equal(hex, "a61ce5faf90c9d21a473cc4020f18ed5283e8dc516255b07a3062a009d94e8c4"
				 "9e84471dad71783d5e1786ccbb36a792fbdf4de9270897ba958e8260848497d2");
	assert_true(wsmfa_duo_sign(skey, date, "GET", host, "/auth/v2/auth_status",
				   "txid=45f7c92b-f45f-4862-8545-e0f58e78075a", hex));
	assert_string_equal(hex, "00650da7fee28f2ec11dd2c356633e2d93c6301d6708bfb1f085451a508a348e"
				 "4296b9d6ee15be9831b3b1cae531686411fa844b679a3d3b144c76553b2cb721");
	wsmfa_duo_date(0, date);
	assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 -0000");
}

static void duo_conversation(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &wsmfa_push_duo, duo);
	w.c.message.can_show = true;
	strcpy(w.c.message.service, "vpn");
	strcpy(w.c.message.station, "192.0.2.7");
	assert_request(&w, "GET", "https://api-standin.example.test/auth/v2/ping");
	assert_string_equal(w.step.request.userpwd, "");
	answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"time\":1788264060}}");
	assert_request(&w, "POST", "https://api-standin.example.test/auth/v2/preauth");
	assert_string_equal(w.step.request.body, "client_supports_verified_push=1&text_prompt=1&username=jane%20doe");
	assert_non_null(strstr(w.step.request.headers, "X-Duo-Date: Tue, 01 Sep 2026 12:01:00 -0000\n"));
	answer(&w, 200,
	       "{\"stat\":\"OK\",\"response\":{\"result\":\"auth\",\"txid\":\"T1\",\"prompt\":{\"text\":\"t\",\"factors\":"
	       "{\"default\":\"sms1\",\"1\":\"verified_push1\"}}}}");
	assert_request(&w, "POST", "https://api-standin.example.test/auth/v2/auth");
	assert_string_equal(w.step.request.body,
			    "async=1&factor=prompt&prompt=verified_push1&pushinfo=Service%3Dvpn%26From%3D192.0.2.7&"
			    "txid=T1&username=jane%20doe");
	assert_true(w.step.request.asks_person);
	answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"txid\":\"a b&c\"}}");
	assert_false(w.step.started);
	assert_request(&w, "GET", "https://api-standin.example.test/auth/v2/auth_status?txid=a%20b%26c");
	answer(&w, 200,
	       "{\"response\":{\"auth_delayed\":false,\"result\":\"waiting\",\"status\":\"pushed\",\"status_msg\":"
	       "\"Please enter verification code 708 into Duo Mobile...\"},\"stat\":\"OK\"}");
	assert_true(w.step.started);
	assert_string_equal(w.step.show, "Please enter verification code 708 into Duo Mobile...");
	assert_int_equal(w.step.kind, WSMFA_STEP_REQUEST);
	answer(&w, 200,
	       "{\"stat\":\"OK\",\"response\":{\"result\":\"waiting\",\"status\":\"pushed\",\"status_msg\":\"m\"}}");
	assert_false(w.step.started);
	resume(&w);
	answer(&w, 200,
	       "{\"stat\":\"OK\",\"response\":{\"result\":\"allow\",\"status\":\"allow\",\"status_msg\":\"ok\"}}");
	assert_ends(&w, WSMFA_DELIVERY_APPROVED);
	end(&w);
	/* A device is named: no prompt, so no code. */
	begin(&w, &wsmfa_push_duo, duo);
	w.c.message.can_show = true;
	strcpy(w.c.message.device, "DP1");
	answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"time\":99999999999}}");
	assert_string_equal(w.step.request.body, "username=jane%20doe");
	assert_non_null(strstr(w.step.request.headers, "12:00:00"));
	answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"result\":\"auth\",\"devices\":[]}}");
	assert_string_equal(w.step.request.body, "async=1&device=DP1&factor=push&username=jane%20doe");
	end(&w);
}

static void push_http_conversation(void **state)
{
	char const *const settings[] = {
		"url", "https://p.test/push", "status_url", "https://p.test/push/{id}/state", "token", "t", NULL
	};
	char const *const elsewhere[] = { "url", "https://p.test/push", "number_matching", "yes", NULL };
	struct world w;

	(void)state;
	begin(&w, &wsmfa_push_http, settings);
	assert_request(&w, "POST", "https://p.test/push");
	assert_string_equal(
		w.step.request.body,
		"{\"challenge\":\"0\",\"account\":\"jane doe\",\"device\":\"\",\"number\":\"\",\"client\":\"\","
		"\"station\":\"\",\"service\":\"\",\"text\":\"Code 123456\",\"lifetime\":300}");
	assert_non_null(strstr(w.step.request.headers, "Authorization: Bearer t\n"));
	answer(&w, 201, "{\"id\":\"a/b\",\"result\":\"waiting\",\"show\":\"Enter\\u001b[1m 42\\n\"}");
	assert_true(w.step.started);
	assert_string_equal(w.step.show, "Enter [1m 42");
	resume(&w);
	assert_request(&w, "GET", "https://p.test/push/a%2Fb/state");
	answer(&w, 200, "{\"result\":\"denied\"}");
	assert_ends(&w, WSMFA_DELIVERY_DENIED);
	end(&w);
	begin(&w, &wsmfa_push_http, elsewhere);
	assert_true(w.p->ops->matches_number);
	answer(&w, 200, "{}");
	assert_int_equal(w.step.kind, WSMFA_STEP_ELSEWHERE);
	assert_true(w.step.started);
	end(&w);
}

/* ---- hostile answers ---- */

struct backend {
	struct wsmfa_provider_ops const *ops;
	char const *const *settings;
};

static char const *const sns[] = { "region", "eu-west-1", "access_key", "AK", "secret_key", "s", NULL };
static char const *const http[] = { "url", "https://g.test/", "body", "{text}", "success", "^200 OK$", NULL };
static char const *const push[] = { "url", "https://p.test/push", "status_url", "https://p.test/{id}", NULL };

static struct backend const backends[] = {
	{ &wsmfa_sms_twilio, twilio }, { &wsmfa_sms_aws_sns, sns }, { &wsmfa_sms_http, http },
	{ &wsmfa_push_auth0, auth0 },  { &wsmfa_push_duo, duo },    { &wsmfa_push_http, push },
};

/** Answers that bring each backend to its last phase, a step each. */
static char const *const onward[] = {
	"{\"stat\":\"OK\",\"response\":{\"time\":1788264060}}",
	"{\"error\":\"mfa_required\",\"mfa_token\":\"Fe26\",\"stat\":\"OK\",\"response\":{\"result\":\"auth\"}}",
	"[{\"id\":\"push|d\",\"authenticator_type\":\"oob\",\"active\":true,\"oob_channel\":\"auth0\"}]",
	"{\"oob_code\":\"Go\",\"id\":\"i\",\"stat\":\"OK\",\"response\":{\"txid\":\"T\"}}",
};

static bool is_good(enum wsmfa_delivery d)
{
	return d == WSMFA_DELIVERY_SENT || d == WSMFA_DELIVERY_APPROVED;
}

/** A note and a text to show are one line of ASCII, whatever came. */
static void assert_clean(struct world *w)
{
	for (char const *const *text = (char const *const[]) { w->step.note, w->step.show, NULL }; *text; text++) {
		for (char const *c = *text; *c; c++)
			assert_in_range(*c, 0x20, 0x7e);
	}
}

/** In each phase of each backend: the body makes no approval, and no crash. */
static void hostile(long status, char const *body, size_t len)
{
	for (size_t b = 0; b < LENGTH(backends); b++) {
		for (size_t phase = 0; phase <= LENGTH(onward); phase++) {
			struct world w;

			begin(&w, backends[b].ops, backends[b].settings);
			for (size_t i = 0; i < phase; i++) {
				if (w.step.kind == WSMFA_STEP_PAUSE)
					resume(&w);
				if (w.step.kind == WSMFA_STEP_REQUEST)
					answer(&w, 200, onward[i]);
			}
			if (w.step.kind == WSMFA_STEP_PAUSE)
				resume(&w);
			if (w.step.kind == WSMFA_STEP_REQUEST)
				answer_octets(&w, status, body, len);
			if (w.step.kind == WSMFA_STEP_DONE)
				assert_false(is_good(w.step.delivery));
			assert_clean(&w);
			end(&w);
		}
	}
}

static void hostile_bodies(void **state)
{
	static long const statuses[] = { 0,   100, 200, 201, 204, 301, 400, 401,
					 403, 404, 429, 500, 503, 999, -1,  LONG_MAX };
	static char const *const bodies[] = {
		"",
		"{",
		"[",
		"{}",
		"[]",
		"null",
		"true",
		"7",
		"\"OK\"",
		"{\"stat\":\"OK\"}",
		"{\"stat\":\"OK\",\"response\":null}",
		"{\"stat\":\"OK\",\"response\":[]}",
		"{\"stat\":\"OK\",\"response\":{\"result\":7,\"txid\":{},\"time\":\"x\"}}",
		"{\"access_token\":7}",
		"{\"access_token\":null}",
		"{\"sid\":7,\"status\":[]}",
		"{\"error\":{},\"code\":\"x\"}",
		"{\"stat\":\"OK\",\"response\":{\"time\":1e999,\"result\":\"\\u0000allow\"}}",
		"{\"code\":99999999999999999999999}",
		"{\"result\":\"APPROVED\"}",
		"{\"result\":\"approved\\u0001\"}",
		"{\"result\":\"deny\",\"result\":\"approved\"}",
		"<MessageId>",
		"<MessageId></MessageId>",
		"<Code><<<<",
		"<Code>\x1b[31m\r\n</Code>",
		"\xff\xfe\x00",
		"200 OK",
		"{\"id\":\"\\r\\nX-Evil: 1\",\"oob_code\":\"\\r\\nX\",\"mfa_token\":\"\\r\\n\",\"error\":\"mfa_required\"}",
		"{\"error\":\"\\u001b[2J\\u0007\",\"message\":\"\\u202e\",\"show\":\"\\u001b]0;x\\u0007\",\"id\":\"i\"}",
	};

	(void)state;
	for (size_t s = 0; s < LENGTH(statuses); s++) {
		for (size_t b = 0; b < LENGTH(bodies); b++)
			hostile(statuses[s], bodies[b], strlen(bodies[b]));
	}
}

static void large_bodies(void **state)
{
	static char body[WSMFA_HTTP_ANSWER_MAX + 1];

	(void)state;
	memset(body, '[', WSMFA_HTTP_ANSWER_MAX);
	hostile(200, body, WSMFA_HTTP_ANSWER_MAX);
	memset(body, 'x', WSMFA_HTTP_ANSWER_MAX);
	hostile(200, body, WSMFA_HTTP_ANSWER_MAX);
	memcpy(body, "{\"id\":\"", 7);
	memcpy(body + WSMFA_HTTP_ANSWER_MAX - 2, "\"}", 2);
	hostile(201, body, WSMFA_HTTP_ANSWER_MAX);
	memcpy(body, "<Code>", 6);
	hostile(400, body, WSMFA_HTTP_ANSWER_MAX);
	memset(body, '<', WSMFA_HTTP_ANSWER_MAX);
	hostile(400, body, WSMFA_HTTP_ANSWER_MAX);
	memset(body, 0, WSMFA_HTTP_ANSWER_MAX);
	hostile(200, body, WSMFA_HTTP_ANSWER_MAX);
}

/** Every good answer, cut anywhere, approves nothing. */
static void truncated_bodies(void **state)
{
	static char const *const good[] = {
		"{\"access_token\":\"a\",\"token_type\":\"Bearer\"}",
		"{\"stat\":\"OK\",\"response\":{\"result\":\"allow\",\"status\":\"allow\"}}",
		"{\"result\":\"approved\"}",
		"{\"sid\":\"SM1\",\"status\":\"queued\"}",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(good); i++) {
		for (size_t cut = 0; cut < strlen(good[i]); cut++)
			hostile(i == 3 ? 201 : 200, good[i], cut);
	}
}

static void lost_and_unsent(void **state)
{
	(void)state;
	for (size_t b = 0; b < LENGTH(backends); b++) {
		struct world w;

		begin(&w, backends[b].ops, backends[b].settings);
		lose(&w, WSMFA_HTTP_UNSENT);
		assert_ends(&w, WSMFA_DELIVERY_FAILED);
		assert_non_null(strstr(w.step.note, "trouble"));
		end(&w);
		begin(&w, backends[b].ops, backends[b].settings);
		lose(&w, WSMFA_HTTP_LOST);
		/* Where the request makes a phone ring, it may have rung. */
		if (backends[b].ops->channel == WSMFA_KIND_SMS || backends[b].ops == &wsmfa_push_http)
			assert_ends(&w, WSMFA_DELIVERY_UNKNOWN);
		end(&w);
	}
}

/* ---- settings ---- */

static void refused(struct wsmfa_provider_ops const *ops, char const *const *pairs, char const *sentence)
{
	char err[512] = "";
	struct wsmfa_provider *p = make(ops, pairs, err, sizeof(err));

	if (p || !strstr(err, sentence))
		print_message("# wanted: %s\n# got: %s\n", sentence, err);
	assert_null(p);
	assert_non_null(strstr(err, sentence));
}

#define REFUSED(_ops, _sentence, ...) refused(_ops, (char const *const[]) { __VA_ARGS__, NULL }, _sentence)

static void settings_are_strict(void **state)
{
	(void)state;
	REFUSED(&wsmfa_sms_file, "raddb/mods-enabled/wsmfa[10]: sms mine: `pth` is unknown: a file section has path",
		"pth", "x");
	REFUSED(&wsmfa_push_local, "`a` is unknown", "a", "b");
	REFUSED(&wsmfa_sms_twilio, "`account_sid` is missing: set it to the Account SID", "auth_token", "t", "from",
		"x");
	REFUSED(&wsmfa_sms_twilio, "[11]: sms mine: `account_sid` is set twice", "account_sid", "a", "account_sid",
		"b");
	REFUSED(&wsmfa_sms_twilio, "set one of `from` and", "account_sid", "a", "auth_token", "t");
	REFUSED(&wsmfa_sms_twilio, "set one of `from` and", "account_sid", "a", "auth_token", "t", "from", "x",
		"messaging_service_sid", "y");
	REFUSED(&wsmfa_sms_twilio, "`base_url` can't be used: set it to an https:// URL", "account_sid", "a",
		"auth_token", "t", "from", "x", "base_url", "http://api.twilio.com");
	REFUSED(&wsmfa_sms_twilio, "`timeout = 0.01` can't be used: set it to seconds from 0.1", "account_sid", "a",
		"auth_token", "t", "from", "x", "timeout", "0.01");
	REFUSED(&wsmfa_sms_twilio, "`timeout = 1s` can't", "account_sid", "a", "auth_token", "t", "from", "x",
		"timeout", "1s");
	REFUSED(&wsmfa_sms_twilio, "`retry_max = -1` can't", "account_sid", "a", "auth_token", "t", "from", "x",
		"retry_max", "-1");
	REFUSED(&wsmfa_sms_twilio, "`retry_max = 1.5` can't", "account_sid", "a", "auth_token", "t", "from", "x",
		"retry_max", "1.5");
	REFUSED(&wsmfa_sms_twilio, "`retry_max = 99999999999` can't", "account_sid", "a", "auth_token", "t", "from",
		"x", "retry_max", "99999999999");
	REFUSED(&wsmfa_sms_twilio, "`insecure_http = true` can't be used: set it to yes or no", "account_sid", "a",
		"auth_token", "t", "from", "x", "insecure_http", "true");
	REFUSED(&wsmfa_sms_http, "{too} is unknown", "url", "https://g.test/", "body", "{too}{text}");
	REFUSED(&wsmfa_sms_http, "no {text} is sent", "url", "https://g.test/", "body", "{to}");
	REFUSED(&wsmfa_sms_http, "`success = (` can't be used", "url", "https://g.test/{text}", "success", "(");
	REFUSED(&wsmfa_sms_http, "DELETE is not possible", "url", "https://g.test/{text}", "method", "DELETE");
	REFUSED(&wsmfa_sms_http, "yaml is unknown", "url", "https://g.test/{text}", "body_type", "yaml");
	REFUSED(&wsmfa_sms_http, "`url` can't be used", "url", "https://{account}/{text}");
	REFUSED(&wsmfa_sms_aws_sns, "`region` can't be used", "region", "eu west", "access_key", "a", "secret_key",
		"b");
	REFUSED(&wsmfa_push_auth0, "set `domain` to the tenant", "client_id", "a", "client_secret", "b");
	REFUSED(&wsmfa_push_duo, "`host` can't be used", "host", "https://api", "ikey", "a", "skey", "b");
	REFUSED(&wsmfa_push_http, "needs the placeholder {id}", "url", "https://p.test/", "status_url",
		"https://p.test/");
	/* A secret's value is never repeated. */
	REFUSED(&wsmfa_push_duo, "`skey` can't be used: set it to the Secret key", "host", "api", "ikey", "a", "skey",
		"hush\x01hush");
}

static void http_where_it_is_safe(void **state)
{
	char const *const loopback[] = { "url", "http://127.0.0.1:13013/?{text}", NULL };
	char const *const far_off[] = { "url", "http://192.0.2.1/?{text}", "insecure_http", "yes", NULL };
	char err[512];
	struct wsmfa_provider *p;

	(void)state;
	p = make(&wsmfa_sms_http, loopback, err, sizeof(err));
	assert_non_null(p);
	assert_true(wsmfa_url_allowed(p, "http://[::1]/"));
	assert_true(wsmfa_url_allowed(p, "https://g.test/"));
	assert_false(wsmfa_url_allowed(p, "http://g.test/"));
	assert_false(wsmfa_url_allowed(p, "http://127.0.0.1@g.test/"));
	assert_false(wsmfa_url_allowed(p, "gopher://127.0.0.1/"));
	p->ops->free(p);
	p = make(&wsmfa_sms_http, far_off, err, sizeof(err));
	assert_non_null(p);
	p->ops->free(p);
}

static void secrets_from_files(void **state)
{
	char path[64], err[512] = "";
	char const *const settings[] = { "account_sid", "a", "auth_token_file", path, "from", "x", NULL };
	char const *const both[] = {
		"account_sid", "a", "auth_token_file", path, "auth_token", "t", "from", "x", NULL
	};
	struct world w;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "test_provider_steps.%ld", (long)getpid());
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs("from the file\nnot this\n", f);
	(void)fclose(f);
	assert_int_equal(chmod(path, 0644), 0);
	refused(&wsmfa_sms_twilio, settings, "everybody may read it; take that away with chmod o-rwx");
	assert_int_equal(chmod(path, 0640), 0);
	begin(&w, &wsmfa_sms_twilio, settings);
	assert_string_equal(w.step.request.userpwd, "a:from the file");
	end(&w);
	refused(&wsmfa_sms_twilio, both, "are both set");
	f = fopen(path, "w");
	(void)fclose(f);
	refused(&wsmfa_sms_twilio, settings, "it is empty");
	unlink(path);
	refused(&wsmfa_sms_twilio, settings, "No such file");
	assert_null(make(&wsmfa_sms_twilio,
			 (char const *const[]) { "account_sid", "a", "auth_token_file", "/", "from", "x", NULL }, err,
			 sizeof(err)));
}

/* ---- texts ---- */

static void cleaning(void **state)
{
	char out[32];

	(void)state;
	wsmfa_foreign_clean(out, sizeof(out), "  a\r\n\tb\0c\xc3\xa4\x1b[1m ", 15);
	assert_string_equal(out, "a b c?? [1m");
	wsmfa_foreign_clean(out, 4, "abcdef", 6);
	assert_string_equal(out, "abc");
	wsmfa_foreign_utf8(out, sizeof(out), "h\xc3\xa4\x01\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xc2\x85z");
	assert_string_equal(out, "h\xc3\xa4"
				 "?"
				 "?"
				 "??"
				 "???"
				 "????"
				 "?z");
	wsmfa_foreign_utf8(out, 4, "ab\xe2\x82\xac");
	assert_string_equal(out, "ab");
	wsmfa_foreign_utf8(out, sizeof(out), "\xe2\x82");
	assert_string_equal(out, "??");
}

static void times(void **state)
{
	char out[WSMFA_TIME_TEXT];

	(void)state;
	wsmfa_time_text(NOW + 1, out);
	assert_string_equal(out, "2026-09-01T12:00:00.000001Z");
	wsmfa_time_text(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999999Z");
	wsmfa_time_text(WSMFA_TIME_NONE, out);
	assert_string_equal(out, "-infinity");
	wsmfa_time_text(WSMFA_TIME_FOREVER, out);
	assert_string_equal(out, "infinity");
}

static void bounded_text(void **state)
{
	char buffer[8];
	struct wsmfa_out out;

	(void)state;
	wsmfa_out_init(&out, buffer, sizeof(buffer));
	wsmfa_out_put(&out, "1234567");
	assert_false(out.full);
	wsmfa_out_put(&out, "8");
	assert_true(out.full);
	assert_string_equal(buffer, "1234567");
}

static void throttling(void **state)
{
	struct wsmfa_throttle t = { 0 };
	struct wsmfa_conversation c = { .deadline = NOW + 60 * WSMFA_SECOND };
	struct wsmfa_http_answer a = {
		.how = WSMFA_HTTP_ANSWERED, .status = 429, .body = "", .retry_after = -1, .at = NOW
	};
	struct wsmfa_step step;
	int32_t wait = 1000;

	(void)state;
	for (int i = 0; i < 6; i++, wait *= 2) {
		memset(&step, 0, sizeof(step));
		wsmfa_step_throttled(&step, &t, &c, &a, "x");
		assert_int_equal(step.kind, WSMFA_STEP_PAUSE);
		assert_in_range(step.pause_ms, wait, wait + 1000);
	}
	memset(&step, 0, sizeof(step));
	wsmfa_step_throttled(&step, &t, &c, &a, "x");
	assert_int_equal(step.kind, WSMFA_STEP_DONE);
	assert_int_equal(step.delivery, WSMFA_DELIVERY_FAILED);
	t.times = 0;
	a.retry_after = 33;
	wsmfa_step_throttled(&step, &t, &c, &a, "x");
	assert_int_equal(step.kind, WSMFA_STEP_DONE);
	a.retry_after = 10;
	c.deadline = NOW + 9 * WSMFA_SECOND;
	wsmfa_step_throttled(&step, &t, &c, &a, "x");
	assert_int_equal(step.kind, WSMFA_STEP_DONE);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(twilio_request),
		cmocka_unit_test(sns_request),
		cmocka_unit_test(http_contexts),
		cmocka_unit_test(http_injection),
		cmocka_unit_test(auth0_conversation),
		cmocka_unit_test(auth0_tokens),
		cmocka_unit_test(duo_vectors),
		cmocka_unit_test(duo_conversation),
		cmocka_unit_test(push_http_conversation),
		cmocka_unit_test(hostile_bodies),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(truncated_bodies),
		cmocka_unit_test(lost_and_unsent),
		cmocka_unit_test(settings_are_strict),
		cmocka_unit_test(http_where_it_is_safe),
		cmocka_unit_test(secrets_from_files),
		cmocka_unit_test(cleaning),
		cmocka_unit_test(times),
		cmocka_unit_test(bounded_text),
		cmocka_unit_test(throttling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
