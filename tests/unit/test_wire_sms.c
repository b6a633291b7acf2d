/* SMS gateways and shipped recipes against the scripted provider, through the whole engine: what each vendor may say, and how often
 * it is asked. Apart from test_steps_sms.c, which needs no server: here signatures are verified and connections break. */
#include "unit.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "wire_world.h"

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
	struct wire_way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_SENT, "Messages.json", 1, 0 },
		{ { "/", "21211" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "21610" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "20003" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "20429" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "undelivered" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		SMS_HOSTILE("/"),
		SMS_JSON("/"),
	};
	struct wire_way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	WIRE_TRY(WSMFA_KIND_SMS, "twilio", settings, ways);
	WIRE_TRY(WSMFA_KIND_SMS, "twilio", wrong, denied);
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
	struct wire_way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_SENT, "/sns/", 1, 0 },
		{ { "/", "Throttling" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "InvalidParameter" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "AuthorizationError" }, WSMFA_DELIVERY_FAILED, "/", 1, 0 },
		{ { "/", "InternalError" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		{ { "/", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		{ { "/", "truncated" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		SMS_HOSTILE("/"),
	};
	struct wire_way const good[] = { { { NULL }, WSMFA_DELIVERY_SENT, "/sns/", 1, 0 } };
	struct wire_way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/sns/", 1, 0 } };

	(void)state;
	WIRE_TRY(WSMFA_KIND_SMS, "aws_sns", settings, ways);
	WIRE_TRY(WSMFA_KIND_SMS, "aws_sns", session, good);
	WIRE_TRY(WSMFA_KIND_SMS, "aws_sns", wrong, denied);
}

static void sms_http(void **state)
{
	char const *const settings[] = { "url",       "URL/plain", "body",    "{\"to\":\"{to}\",\"text\":\"{text}\"}",
					 "body_type", "json",      "success", "^200 OK id=",
					 NULL };
	struct wire_way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_SENT, "/plain", 1, 0 },
		{ { "/plain", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/plain", 1, 0 },
		{ { "/plain", "429:date:1" }, WSMFA_DELIVERY_SENT, "/plain", 2, 0 },
		{ { "/plain", "429:none" }, WSMFA_DELIVERY_SENT, "/plain", 2, 0 },
		SMS_HOSTILE("/plain"),
	};
	json_t *list;

	(void)state;
	WIRE_TRY(WSMFA_KIND_SMS, "http", settings, ways);
	list = fake_provider_requests(&wire_vendor);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "body")),
			    "{\"to\":\"+358401234567\",\"text\":\"Your code: 123456 & more <\\\"\xc3\xa9\\\">\"}");
	json_decref(list);
}

/** Reads a shipped recipe as FreeRADIUS would, with the test's gateway in the URL. */
static struct wsmfa_provider *recipe(char const *file, char const *user, char const *password)
{
	static char names[WIRE_SETTINGS_MAX][64], values[WIRE_SETTINGS_MAX][512];
	struct wsmfa_setting settings[WIRE_SETTINGS_MAX];
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
			snprintf(values[n], sizeof(values[n]), "%s%s", wire_vendor.url,
				 strchr(strstr(word, "//") + 2, '/'));
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
	json_t *list = fake_provider_requests(&wire_vendor);
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
	struct wire_way const ways[] = {
		{ { "/", "queued" }, WSMFA_DELIVERY_SENT, "/", 1, 0 },
		{ { "/", "unroutable" }, WSMFA_DELIVERY_REFUSED, "/", 1, 0 },
		{ { "/", "temporal" }, WSMFA_DELIVERY_SENT, "/", 2, 0 },
		{ { "/", "status:503", "/", "status:503" }, WSMFA_DELIVERY_FAILED, "/", 2, 3000 },
		{ { "/", "notjson" }, WSMFA_DELIVERY_UNKNOWN, "/", 1, 0 },
		SMS_HOSTILE("/"),
		{ { NULL }, WSMFA_DELIVERY_SENT, "/cgi-bin/sendsms", 1, 0 },
	};
	struct wire_way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	wire_try(recipe("sms-kannel.conf", "kannel", "pass&word"), ways, LENGTH(ways));
	assert_parameter("query", "to", "+358401234567");
	assert_parameter("query", "text", "Your code: 123456 & more <\"\xc3\xa9\">");
	assert_parameter("query", "coding", "2");
	assert_parameter("query", "validity", "5");
	wire_try(recipe("sms-kannel.conf", "kannel", "wrong"), denied, LENGTH(denied));
}

static void recipe_for_vonage(void **state)
{
	struct wire_way const ways[] = {
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
	struct wire_way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	wire_try(recipe("sms-vonage.conf", "key", "secret"), ways, LENGTH(ways));
	assert_parameter("body", "to", "358401234567");
	assert_parameter("body", "type", "unicode");
	assert_parameter("body", "ttl", "300000");
	wire_try(recipe("sms-vonage.conf", "key", "wrong"), denied, LENGTH(denied));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(sms_twilio),        cmocka_unit_test(sms_aws_sns),       cmocka_unit_test(sms_http),
		cmocka_unit_test(recipe_for_kannel), cmocka_unit_test(recipe_for_vonage),
	};

	return cmocka_run_group_tests(tests, wire_set_up, wire_tear_down);
}
