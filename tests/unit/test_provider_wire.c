/* Every provider against the scripted one, through the whole engine: what each vendor may say, and how often it is asked.
 * Apart from the steps' tests, which need no server: here signatures are verified and connections break. */
#include "unit.h"

#include <curl/curl.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "fake_db.h"
#include "fake_provider.h"

#define SETTINGS_MAX 16

static struct fake_provider vendor;

/** One way of a conversation: what the vendor does, what comes of it, how many requests reach a path. */
struct way {
	char const *script[8]; //!< path, action, path, action ...
	enum wsmfa_delivery delivery;
	char const *counted;
	size_t count;
	int ms; //!< until the challenge expires, 0 for plenty
};

static void log_line(void *ctx, char level, char const *text)
{
	(void)ctx;
	/* No secret of any backend here may get into the log. */
	assert_null(strstr(text, "123456"));
	assert_null(strstr(text, "right & wrong"));
	assert_null(strstr(text, "Fe26"));
	if (getenv("WSMFA_TEST_LOG"))
		print_message("# %c %s\n", level, text);
}

static struct wsmfa_provider *configure(enum wsmfa_kind channel, char const *type, char const *const *pairs)
{
	struct wsmfa_setting settings[SETTINGS_MAX];
	static char values[SETTINGS_MAX][512];
	char err[512] = "";
	size_t n = 0;
	struct wsmfa_provider *p;

	for (; *pairs; pairs += 2, n++) {
		char const *url = strstr(pairs[1], "URL");

		settings[n] = (struct wsmfa_setting) { pairs[0], values[n], "test", (int)n + 1 };
		if (url)
			snprintf(values[n], sizeof(values[n]), "%.*s%s%s", (int)(url - pairs[1]), pairs[1], vendor.url,
				 url + 3);
		else
			snprintf(values[n], sizeof(values[n]), "%s", pairs[1]);
	}
	p = wsmfa_provider_find(channel, type)->configure("x", settings, n, err, sizeof(err));
	assert_string_equal(p ? "" : err, "");
	return p;
}

static struct wsmfa_engine *engine_of(struct wsmfa_provider **p)
{
	struct wsmfa_engine_config config = {
		.conninfo = "",
		.store_timeout_ms = 2000,
		.server_name = "test",
		.park_address = "127.0.0.1",
		.park_secret = "x",
		.park_max = 1000,
		.park_account_max = 1000,
		.providers = p,
		.providers_len = 1,
		.log = log_line,
	};
	char err[256] = "";
	struct wsmfa_engine *e;

	fake_db_reset();
	e = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_string_equal(e ? "" : err, "");
	return e;
}

static struct wsmfa_job job_of(struct wsmfa_provider const *p, int64_t id, int ms)
{
	struct wsmfa_job job = { .ticket = id, .challenge_id = id, .account_id = 1, .provider = "x", .wait = true };

	job.kind = p->ops->channel == WSMFA_KIND_SMS ? WSMFA_JOB_SMS : WSMFA_JOB_PUSH;
	job.expires_at = wsmfa_wall_now() + (wsmfa_time_t)ms * 1000;
	job.wake_at = job.expires_at + 5 * WSMFA_SECOND;
	strcpy(job.message.phone, "+358401234567");
	strcpy(job.message.text, "Your code: 123456 & more <\"\xc3\xa9\">");
	strcpy(job.message.account, "jane doe");
	strcpy(job.message.password, "right & wrong");
	strcpy(job.message.service, "vpn");
	strcpy(job.message.client, "192.0.2.1");
	job.message.lifetime = 300;
	return job;
}

/** Waits until the engine has woken it; that it has is no secret to us. */
static struct wsmfa_woken outcome(struct wsmfa_engine *e, int64_t ticket)
{
	struct wsmfa_waiter *w = wsmfa_waiters_find(&e->waiters, ticket);
	struct wsmfa_woken woken;

	assert_non_null(w);
	while (wsmfa_waiter_waits(&e->waiters, w))
		nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	assert_true(wsmfa_engine_collect(e, ticket, &woken));
	return woken;
}

/** Goes every way; frees the provider. */
static void try_provider(struct wsmfa_provider *p, struct way const *ways, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct way const *way = &ways[i];
		struct wsmfa_engine *e = engine_of(&p);
		struct wsmfa_job job = job_of(p, (int64_t)i + 1, way->ms ? way->ms : 60000);
		struct wsmfa_woken woken;
		size_t count;

		fake_provider_reset(&vendor);
		for (char const *const *s = way->script; *s; s += 2)
			fake_provider_script(&vendor, s[0], s[1]);
		assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
		woken = outcome(e, job.ticket);
		count = fake_provider_count(&vendor, way->counted);
		if (woken.delivery != way->delivery || count != way->count)
			print_message("# %s, way %zu (%s): delivery %d, %zu requests\n", p->ops->type, i,
				      way->script[1], woken.delivery, count);
		assert_int_equal(woken.delivery, way->delivery);
		assert_int_equal(count, way->count);
		wsmfa_engine_free(e);
	}
	p->ops->free(p);
}

#define WAYS(_channel, _type, _settings, _ways) \
	try_provider(configure(_channel, _type, _settings), _ways, LENGTH(_ways))

/* What every SMS gateway may do to us. Oversized, malformed, lost: it may have been sent, so never again. */
#define SMS_HOSTILE(_path)                                                        \
	{ { _path, "close" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },              \
		{ { _path, "cut" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },        \
		{ { _path, "reset" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },      \
		{ { _path, "silent:5" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 700 }, \
		{ { _path, "malformed" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },  \
		{ { _path, "oversized" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },  \
		{ { _path, "headers" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },    \
		{ { _path, "status:500" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 }, \
		{ { _path, "redirect" }, WSMFA_DELIVERY_FAILED, _path, 1, 0 },    \
		{ { _path, "status:401" }, WSMFA_DELIVERY_FAILED, _path, 1, 0 },  \
		{ { _path, "status:404" }, WSMFA_DELIVERY_FAILED, _path, 1, 0 },  \
		{ { _path, "control" }, WSMFA_DELIVERY_FAILED, _path, 1, 0 },     \
		{ { _path, "429:0" }, WSMFA_DELIVERY_SENT, _path, 2, 0 },         \
		{ { _path, "x429:0" }, WSMFA_DELIVERY_SENT, _path, 2, 0 },        \
		{ { _path, "429:33" }, WSMFA_DELIVERY_FAILED, _path, 1, 0 },      \
		{ { _path, "429:5" }, WSMFA_DELIVERY_FAILED, _path, 1, 3000 },    \
	{                                                                         \
		{ _path, "slow:0.3" }, WSMFA_DELIVERY_SENT, _path, 1, 0           \
	}

#define SMS_JSON(_path)                                                           \
	{ { _path, "notjson" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },            \
		{ { _path, "truncated" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },  \
		{ { _path, "wrongtypes" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 }, \
		{ { _path, "numbers" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0 },    \
	{                                                                         \
		{ _path, "full" }, WSMFA_DELIVERY_UNKNOWN, _path, 1, 0            \
	}

static void sms_twilio(void **state)
{
	char const *const settings[] = { "account_sid", "AC00000000000000000000000000000001",
					 "auth_token",  "twilio-token",
					 "from",        "+15005550006",
					 "base_url",    "URL",
					 NULL };
	char const *const wrong[] = { "account_sid", "AC00000000000000000000000000000001",
				      "auth_token",  "other",
				      "from",        "+15005550006",
				      "base_url",    "URL",
				      NULL };
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_SENT, "Messages.json", 1, 0 },
		{ { "/", "21211" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "21610" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "20003" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "20429" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "undelivered" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		SMS_HOSTILE("/"),
		SMS_JSON("/"),
	};
	struct way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	WAYS(WSMFA_KIND_SMS, "twilio", settings, ways);
	WAYS(WSMFA_KIND_SMS, "twilio", wrong, denied);
}

static void sms_aws_sns(void **state)
{
	char const *const settings[] = { "region",      "eu-west-1",  "access_key",
					 "AKIDEXAMPLE", "secret_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
					 "sender_id",   "WSMFA",      "url",
					 "URL/sns/",    NULL };
	char const *const session[] = { "region",        "eu-west-1",  "access_key",
					"AKIDEXAMPLE",   "secret_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
					"session_token", "a/b+c==",    "url",
					"URL/sns/",      NULL };
	char const *const wrong[] = { "region", "eu-west-1", "access_key", "AKIDEXAMPLE", "secret_key",
				      "x",      "url",       "URL/sns/",   NULL };
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_SENT, "/sns/", 1, 0 },
		{ { "/", "Throttling" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "InvalidParameter" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "AuthorizationError" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "InternalError" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		{ { "/", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		{ { "/", "truncated" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		SMS_HOSTILE("/"),
	};
	struct way const good[] = { { { NULL }, WSMFA_DELIVERY_SENT, "/sns/", 1, 0 } };
	struct way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/sns/", 1, 0 } };

	(void)state;
	WAYS(WSMFA_KIND_SMS, "aws_sns", settings, ways);
	WAYS(WSMFA_KIND_SMS, "aws_sns", session, good);
	WAYS(WSMFA_KIND_SMS, "aws_sns", wrong, denied);
}

static void sms_http(void **state)
{
	char const *const settings[] = { "url",       "URL/plain", "body",    "{\"to\":\"{to}\",\"text\":\"{text}\"}",
					 "body_type", "json",      "success", "^200 OK id=",
					 NULL };
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_SENT, "/plain", 1, 0 },
		{ { "/plain", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/plain", 1, 0 },
		{ { "/plain", "429:date:1" }, WSMFA_DELIVERY_SENT, "/plain", 2, 0 },
		{ { "/plain", "429:none" }, WSMFA_DELIVERY_SENT, "/plain", 2, 0 },
		SMS_HOSTILE("/plain"),
	};
	json_t *list;

	(void)state;
	WAYS(WSMFA_KIND_SMS, "http", settings, ways);
	list = fake_provider_requests(&vendor);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "body")),
			    "{\"to\":\"+358401234567\",\"text\":\"Your code: 123456 & more <\\\"\xc3\xa9\\\">\"}");
	json_decref(list);
}

/** Reads a shipped recipe as FreeRADIUS would, with the test's gateway in the URL. */
static struct wsmfa_provider *recipe(char const *file, char const *user, char const *password)
{
	static char names[SETTINGS_MAX][64], values[SETTINGS_MAX][512];
	struct wsmfa_setting settings[SETTINGS_MAX];
	char path[512], line[512], err[512] = "";
	struct wsmfa_provider *p;
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/raddb/mods-config/wsmfa/%s", getenv("WSMFA_SRCDIR"), file);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char word[500];

		if (sscanf(line, " %63[a-z_] = '%499[^']'", names[n], word) != 2 &&
		    sscanf(line, " %63[a-z_] = %499[a-zA-Z]", names[n], word) != 2)
			continue;
		if (strcmp(names[n], "type") == 0)
			continue;
		if (strcmp(names[n], "url") == 0)
			snprintf(values[n], sizeof(values[n]), "%s%s", vendor.url, strchr(strstr(word, "//") + 2, '/'));
		else if (strcmp(names[n], "user") == 0)
			snprintf(values[n], sizeof(values[n]), "%s", user);
		else if (strcmp(names[n], "password") == 0)
			snprintf(values[n], sizeof(values[n]), "%s", password);
		else
			snprintf(values[n], sizeof(values[n]), "%s", word);
		settings[n] = (struct wsmfa_setting) { names[n], values[n], file, (int)n };
		n++;
	}
	(void)fclose(f);
	p = wsmfa_provider_find(WSMFA_KIND_SMS, "http")->configure("x", settings, n, err, sizeof(err));
	assert_string_equal(p ? "" : err, "");
	return p;
}

/** One parameter of what came first, decoded. */
static void assert_parameter(char const *where, char const *name, char const *expected)
{
	json_t *list = fake_provider_requests(&vendor);
	char const *text = json_string_value(json_object_get(json_array_get(list, 0), where));
	char find[64], *at, *decoded;

	snprintf(find, sizeof(find), "%s=", name);
	at = strstr(text, find);
	assert_non_null(at);
	at += strlen(find);
	decoded = curl_easy_unescape(NULL, at, (int)strcspn(at, "&"), NULL);
	assert_string_equal(decoded, expected);
	curl_free(decoded);
	json_decref(list);
}

static void recipe_for_kannel(void **state)
{
	struct way const ways[] = {
		{ { "/", "queued" }, WSMFA_DELIVERY_SENT, "/", 1, 0 },
		{ { "/", "unroutable" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "temporal" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "status:503", "/", "status:503" }, WSMFA_DELIVERY_FAILED, "/", 2, 3000 },
		{ { "/", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		SMS_HOSTILE("/"),
		{ { NULL }, WSMFA_DELIVERY_SENT, "/cgi-bin/sendsms", 1, 0 },
	};
	struct way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	try_provider(recipe("sms-kannel.conf", "kannel", "pass&word"), ways, LENGTH(ways));
	assert_parameter("query", "to", "+358401234567");
	assert_parameter("query", "text", "Your code: 123456 & more <\"\xc3\xa9\">");
	assert_parameter("query", "coding", "2");
	assert_parameter("query", "validity", "5");
	try_provider(recipe("sms-kannel.conf", "kannel", "wrong"), denied, LENGTH(denied));
}

static void recipe_for_vonage(void **state)
{
	struct way const ways[] = {
		{ { "/", "1" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "5" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "10" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "2" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "9" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "11" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "15" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "7" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		SMS_HOSTILE("/"),
		SMS_JSON("/"),
		{ { NULL }, WSMFA_DELIVERY_SENT, "/sms/json", 1, 0 },
	};
	struct way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	try_provider(recipe("sms-vonage.conf", "key", "secret"), ways, LENGTH(ways));
	assert_parameter("body", "to", "358401234567");
	assert_parameter("body", "type", "unicode");
	assert_parameter("body", "ttl", "300000");
	try_provider(recipe("sms-vonage.conf", "key", "wrong"), denied, LENGTH(denied));
}

static char const *const auth0[] = { "url",           "URL",  "client_id", "client", "client_secret",
				     "client-secret", "poll", "0.2",       NULL };

static void push_auth0(void **state)
{
	char const *const wrong[] = { "url", "URL", "client_id", "client", "client_secret", "x", NULL };
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_APPROVED, "/mfa/challenge", 1, 0 },
		{ { "/oauth/token", "invalid_grant" }, WSMFA_DELIVERY_REFUSED, "/mfa/challenge", 0, 0 },
		{ { "/oauth/token", "nomfa" }, WSMFA_DELIVERY_REFUSED, "/mfa/challenge", 0, 0 },
		{ { "/oauth/token", "429:0" }, WSMFA_DELIVERY_APPROVED, "/mfa/challenge", 1, 0 },
		{ { "/oauth/token", "status:500" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/oauth/token", "close" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/oauth/token", "notjson" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/oauth/token", "wrongtypes" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/oauth/token", "numbers" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/oauth/token", "control" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/oauth/token", "redirect" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/mfa/authenticators", "none" }, WSMFA_DELIVERY_REFUSED, "/mfa/challenge", 0, 0 },
		{ { "/mfa/authenticators", "sms" }, WSMFA_DELIVERY_REFUSED, "/mfa/challenge", 0, 0 },
		{ { "/mfa/authenticators", "status:401" }, WSMFA_DELIVERY_FAILED, "/mfa/challenge", 0, 0 },
		{ { "/mfa/authenticators", "full" }, WSMFA_DELIVERY_FAILED, "/mfa/challenge", 0, 0 },
		{ { "/mfa/challenge", "prompt" }, WSMFA_DELIVERY_REFUSED, "/mfa/challenge", 1, 0 },
		{ { "/mfa/challenge", "unsupported_challenge_type" }, WSMFA_DELIVERY_REFUSED, "/mfa/challenge", 1, 0 },
		{ { "/mfa/challenge", "silent:5" }, WSMFA_DELIVERY_UNKNOWN, "/mfa/challenge", 1, 700 },
		{ { "/mfa/challenge", "status:502" }, WSMFA_DELIVERY_UNKNOWN, "/mfa/challenge", 1, 0 },
		{ { "/mfa/challenge", "close" }, WSMFA_DELIVERY_UNKNOWN, "/mfa/challenge", 1, 0 },
		{ { "/mfa/challenge", "oversized" }, WSMFA_DELIVERY_UNKNOWN, "/mfa/challenge", 1, 0 },
		{ { "/mfa/challenge", "429:0" }, WSMFA_DELIVERY_APPROVED, "/mfa/challenge", 2, 0 },
		{ { "/mfa/challenge", "429:50" }, WSMFA_DELIVERY_FAILED, "/mfa/challenge", 1, 0 },
	};
	struct way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	WAYS(WSMFA_KIND_PUSH, "auth0", auth0, ways);
	WAYS(WSMFA_KIND_PUSH, "auth0", wrong, denied);
}

/** Polling begins when the phone rings; whatever happens to a poll, the phone is not rung again. */
static void push_auth0_polls(void **state)
{
	static char const *const actions[] = {
		"authorization_pending", "429:1", "status:503", "close", "notjson", "oversized", "reset"
	};
	static struct {
		char const *action;
		enum wsmfa_delivery delivery;
	} const ends[] = {
		{ "invalid_grant", WSMFA_DELIVERY_DENIED },    { "expired_token", WSMFA_DELIVERY_EXPIRED },
		{ "access_denied", WSMFA_DELIVERY_DENIED },    { "transaction_expired", WSMFA_DELIVERY_EXPIRED },
		{ "invalid_request", WSMFA_DELIVERY_UNKNOWN }, { "ok", WSMFA_DELIVERY_APPROVED },
	};
	struct wsmfa_provider *p = configure(WSMFA_KIND_PUSH, "auth0", auth0);
	struct wsmfa_engine *e = engine_of(&p);

	(void)state;
	fake_provider_reset(&vendor);
	fake_provider_default(&vendor, "{\"push\":\"wait\"}");
	for (size_t i = 0; i < LENGTH(ends) + 1; i++) {
		struct wsmfa_job job = job_of(p, (int64_t)i + 1, i < LENGTH(ends) ? 60000 : 2500);
		size_t polls = fake_provider_count(&vendor, "/oauth/token");
		struct wsmfa_woken woken;

		assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
		while (fake_provider_count(&vendor, "/mfa/challenge") < i + 1)
			sched_yield();
		if (i < LENGTH(ends)) {
			fake_provider_script(&vendor, "/oauth/token", actions[i]);
			fake_provider_script(&vendor, "/oauth/token", ends[i].action);
			if (i == LENGTH(ends) - 1)
				fake_provider_default(&vendor, "{\"push\":\"approve\"}");
		} else {
			fake_provider_default(&vendor, "{\"push\":\"wait\"}");
		}
		woken = outcome(e, job.ticket);
		if (i == LENGTH(ends)) {
			assert_true(woken.timed_out);
			assert_int_equal(woken.delivery, WSMFA_DELIVERY_EXPIRED);
			continue;
		}
		if (woken.delivery != ends[i].delivery)
			print_message("# %s, then %s: %d\n", actions[i], ends[i].action, woken.delivery);
		assert_int_equal(woken.delivery, ends[i].delivery);
		assert_int_equal(fake_provider_count(&vendor, "/oauth/token") - polls, 3);
	}
	assert_int_equal(fake_provider_count(&vendor, "/mfa/challenge"), LENGTH(ends) + 1);
	assert_int_equal(fake_db_count("push_report($1::bigint, $2, $3::timestamptz)|1|denied|"), 1);
	assert_int_equal(fake_db_count("|6|approved|"), 1);
	assert_int_equal(fake_db_count("|5|failed|"), 1);
	assert_int_equal(fake_db_count("wsmfa.push_report("), 4);
	wsmfa_engine_free(e);
	p->ops->free(p);
}

static char const *const duo[] = { "host", "API-standin.example.test",
				   "ikey", "DIEXAMPLEIKEY0000001",
				   "skey", "k3yForTestsOnly000000000000000000000000000",
				   "url",  "URL",
				   NULL };

static void push_duo(void **state)
{
	char const *const wrong[] = {
		"host", "api-standin.example.test", "ikey", "DIEXAMPLEIKEY0000001", "skey", "x", "url", "URL", NULL
	};
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/ping", "status:500" }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/ping", "close" }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/ping", "numbers" }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/preauth", "allow" }, WSMFA_DELIVERY_REFUSED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "deny" }, WSMFA_DELIVERY_REFUSED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "enroll" }, WSMFA_DELIVERY_REFUSED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "40103" }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "40002" }, WSMFA_DELIVERY_REFUSED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "missing" }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "wrongtypes" }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 },
		{ { "/preauth", "429:0" }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/preauth", "x429:0" }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/preauth", "429:none" }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/auth/v2/auth", "silent:5" }, WSMFA_DELIVERY_UNKNOWN, "/auth/v2/auth", 1, 700 },
		{ { "/auth/v2/auth", "close" }, WSMFA_DELIVERY_UNKNOWN, "/auth/v2/auth", 1, 0 },
		{ { "/auth/v2/auth", "status:500" }, WSMFA_DELIVERY_UNKNOWN, "/auth/v2/auth", 1, 0 },
		{ { "/auth/v2/auth", "missing" }, WSMFA_DELIVERY_UNKNOWN, "/auth/v2/auth", 1, 0 },
		{ { "/auth/v2/auth", "numbers" }, WSMFA_DELIVERY_UNKNOWN, "/auth/v2/auth", 1, 0 },
		{ { "/auth/v2/auth", "40301" }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 1, 0 },
		{ { "/auth_status", "waiting" }, WSMFA_DELIVERY_APPROVED, "/auth_status", 2, 0 },
		{ { "/auth_status", "deny" }, WSMFA_DELIVERY_DENIED, "/auth_status", 1, 0 },
		{ { "/auth_status", "fraud" }, WSMFA_DELIVERY_DENIED, "/auth_status", 1, 0 },
		{ { "/auth_status", "timeout" }, WSMFA_DELIVERY_EXPIRED, "/auth_status", 1, 0 },
		{ { "/auth_status", "push_failed" }, WSMFA_DELIVERY_REFUSED, "/auth_status", 1, 0 },
		{ { "/auth_status", "strange" }, WSMFA_DELIVERY_UNKNOWN, "/auth_status", 1, 0 },
		{ { "/auth_status", "status:500" }, WSMFA_DELIVERY_APPROVED, "/auth_status", 2, 0 },
		{ { "/auth_status", "429:0" }, WSMFA_DELIVERY_APPROVED, "/auth_status", 2, 0 },
		{ { "/auth_status", "reset" }, WSMFA_DELIVERY_APPROVED, "/auth_status", 2, 0 },
		{ { "/auth_status", "oversized" }, WSMFA_DELIVERY_APPROVED, "/auth_status", 2, 0 },
		{ { "/auth_status", "40401" }, WSMFA_DELIVERY_UNKNOWN, "/auth_status", 1, 0 },
	};
	struct way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 } };

	(void)state;
	WAYS(WSMFA_KIND_PUSH, "duo", duo, ways);
	WAYS(WSMFA_KIND_PUSH, "duo", wrong, denied);
}

/** Asks for a push of a client that can or can't show a code, and returns what the prompt gets. */
static void duo_show(char const *preauth, char const *status, bool can_show, char const *expected)
{
	struct wsmfa_provider *p = configure(WSMFA_KIND_PUSH, "duo", duo);
	struct wsmfa_engine *e = engine_of(&p);
	struct wsmfa_job job = job_of(p, 1, 60000);
	struct wsmfa_woken woken;

	job.wait = false;
	job.message.can_show = can_show;
	fake_provider_reset(&vendor);
	fake_provider_default(&vendor, "{\"push\":\"wait\"}");
	fake_provider_script(&vendor, "/preauth", preauth);
	fake_provider_script(&vendor, "/auth_status", status);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	woken = outcome(e, 1);
	assert_false(woken.finished);
	assert_false(woken.timed_out);
	assert_string_equal(woken.show, expected);
	wsmfa_engine_free(e);
	p->ops->free(p);
}

/** The code to enter is in the first status; the prompt gets it, cleaned. */
static void push_duo_shows_its_code(void **state)
{
	(void)state;
	duo_show("verified", "waiting", true, "Please enter verification code 708 into Duo Mobile...");
	/* Escape sequences stay outside, and a NUL ends a text. */
	duo_show("verified", "control", true, "text [31m");
	duo_show("ok", "waiting", true, "");
	/* A client that can't show it is asked without. */
	duo_show("verified", "waiting", false, "");
}

/** Duo refuses a date that is off by more than five minutes: the ping tells by how much. */
static void push_duo_with_another_clock(void **state)
{
	struct fake_provider here = vendor;
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/ping", "close" }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 },
	};

	(void)state;
	fake_provider_start(&vendor, (char const *const[]) { "--duo-offset", "4000", NULL });
	WAYS(WSMFA_KIND_PUSH, "duo", duo, ways);
	fake_provider_stop(&vendor);
	vendor = here;
}

static void push_http(void **state)
{
	char const *const settings[] = { "url",  "URL/push", "status_url", "URL/push/{id}", "token", "push-token",
					 "poll", "0.2",      NULL };
	struct way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_APPROVED, "/push", 2, 0 },
		{ { "/push/", "denied" }, WSMFA_DELIVERY_DENIED, "/push", 2, 0 },
		{ { "/push/", "expired" }, WSMFA_DELIVERY_EXPIRED, "/push", 2, 0 },
		{ { "/push/", "waiting" }, WSMFA_DELIVERY_APPROVED, "/push", 3, 0 },
		{ { "/push/", "close" }, WSMFA_DELIVERY_APPROVED, "/push", 3, 0 },
		{ { "/push/", "status:500" }, WSMFA_DELIVERY_APPROVED, "/push", 3, 0 },
		{ { "/push/", "notjson" }, WSMFA_DELIVERY_APPROVED, "/push", 3, 0 },
		{ { "/push/", "status:404" }, WSMFA_DELIVERY_UNKNOWN, "/push", 2, 0 },
		{ { "/push", "approved" }, WSMFA_DELIVERY_APPROVED, "/push", 1, 0 },
		{ { "/push", "refused" }, WSMFA_DELIVERY_REFUSED, "/push", 1, 0 },
		{ { "/push", "noid" }, WSMFA_DELIVERY_UNKNOWN, "/push", 1, 0 },
		{ { "/push", "status:404" }, WSMFA_DELIVERY_REFUSED, "/push", 1, 0 },
		{ { "/push", "status:401" }, WSMFA_DELIVERY_FAILED, "/push", 1, 0 },
		{ { "/push", "status:500" }, WSMFA_DELIVERY_UNKNOWN, "/push", 1, 0 },
		{ { "/push", "close" }, WSMFA_DELIVERY_UNKNOWN, "/push", 1, 0 },
		{ { "/push", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/push", 1, 0 },
		{ { "/push", "numbers" }, WSMFA_DELIVERY_UNKNOWN, "/push", 1, 0 },
		{ { "/push", "429:0" }, WSMFA_DELIVERY_APPROVED, "/push", 3, 0 },
	};

	(void)state;
	WAYS(WSMFA_KIND_PUSH, "http", settings, ways);
}

/** What was not sent is sent again; after enough failures in a row nobody waits, and one probe finds the way back. */
static void breaker_opens_probes_closes(void **state)
{
	char const *const settings[] = {
		"url", "URL/plain?{text}", "breaker_failures", "3", "breaker_seconds", "1", "retry_max", "1", NULL
	};
	struct wsmfa_provider *p = configure(WSMFA_KIND_SMS, "http", settings);
	struct wsmfa_engine *e = engine_of(&p);
	struct wsmfa_job job;

	(void)state;
	fake_provider_reset(&vendor);
	for (int64_t i = 1; i <= 3; i++) {
		assert_true(wsmfa_engine_provider_up(e, "x"));
		fake_provider_script(&vendor, "/plain", "status:500");
		job = job_of(p, i, 10000);
		assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
		outcome(e, i);
	}
	assert_false(wsmfa_engine_provider_up(e, "x"));
	job = job_of(p, 4, 10000);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_BREAKER);
	while (!wsmfa_engine_provider_up(e, "x"))
		sched_yield();
	fake_provider_script(&vendor, "/plain", "slow:0.3");
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	assert_false(wsmfa_engine_provider_up(e, "x"));
	job = job_of(p, 5, 10000);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_BREAKER);
	assert_int_equal(outcome(e, 4).delivery, WSMFA_DELIVERY_SENT);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	assert_int_equal(outcome(e, 5).delivery, WSMFA_DELIVERY_SENT);
	wsmfa_engine_free(e);
	p->ops->free(p);
}

/** Waiting longer than the job allows: the request goes on, and the result stays with the message. */
static void sms_slower_than_its_job(void **state)
{
	char const *const settings[] = { "url", "URL/plain?{text}", NULL };
	struct wsmfa_provider *p = configure(WSMFA_KIND_SMS, "http", settings);
	struct wsmfa_engine *e = engine_of(&p);
	struct wsmfa_job job = job_of(p, 1, 10000);
	struct wsmfa_woken woken;

	(void)state;
	fake_provider_reset(&vendor);
	fake_provider_script(&vendor, "/plain", "slow:0.6");
	job.wake_at = wsmfa_wall_now() + WSMFA_SECOND / 5;
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	woken = outcome(e, 1);
	assert_true(woken.timed_out);
	assert_false(woken.finished);
	while (e->count.sms_sent == 0)
		nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	assert_int_equal(fake_provider_count(&vendor, "/plain"), 1);
	wsmfa_engine_free(e);
	p->ops->free(p);
}

static void notices_reach_the_hook(void **state)
{
	char const *const settings[] = { "url", "URL/plain?{text}", NULL };
	struct wsmfa_provider *p = configure(WSMFA_KIND_SMS, "http", settings);
	struct wsmfa_engine_config config = { .conninfo = "",
					      .store_timeout_ms = 2000,
					      .server_name = "test",
					      .providers = &p,
					      .providers_len = 1,
					      .log = log_line };
	struct wsmfa_message message = { .phone = "+358401234567",
					 .account = "jane",
					 .text = "A new method was added." };
	struct wsmfa_engine *e;
	char err[256], url[160];
	json_t *list;

	(void)state;
	fake_provider_reset(&vendor);
	snprintf(url, sizeof(url), "%s/notify", vendor.url);
	config.notify_url = url;
	e = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_non_null(e);
	wsmfa_engine_notice(e, "x", &message);
	while (fake_provider_count(&vendor, "/notify") == 0)
		sched_yield();
	list = fake_provider_requests(&vendor);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "body")),
			    "{\"account\":\"jane\",\"text\":\"A new method was added.\"}");
	json_decref(list);
	wsmfa_engine_free(e);
	/* Without a hook, by SMS. */
	config.notify_url = "";
	e = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_non_null(e);
	wsmfa_engine_notice(e, "x", &message);
	while (fake_provider_count(&vendor, "/plain") == 0)
		sched_yield();
	wsmfa_engine_free(e);
	config.notify_url = "http://192.0.2.1/";
	assert_null(wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err)));
	assert_non_null(strstr(err, "https://"));
	p->ops->free(p);
}

static int set_up(void **state)
{
	(void)state;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	fake_provider_start(&vendor, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_provider_stop(&vendor);
	return 0;
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(sms_twilio),
		cmocka_unit_test(sms_aws_sns),
		cmocka_unit_test(sms_http),
		cmocka_unit_test(recipe_for_kannel),
		cmocka_unit_test(recipe_for_vonage),
		cmocka_unit_test(push_auth0),
		cmocka_unit_test(push_auth0_polls),
		cmocka_unit_test(push_duo),
		cmocka_unit_test(push_duo_shows_its_code),
		cmocka_unit_test(push_duo_with_another_clock),
		cmocka_unit_test(push_http),
		cmocka_unit_test(breaker_opens_probes_closes),
		cmocka_unit_test(sms_slower_than_its_job),
		cmocka_unit_test(notices_reach_the_hook),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
