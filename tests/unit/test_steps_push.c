/* Push providers step by step: a conversation of each from the first request to the approval, and Duo's signatures.
 * Apart from test_wire_push.c: here the test is the vendor, and no time passes. */
#include "unit.h"

#include "provider/backends.h"
#include "provider/duo_sign.h"
#include "steps_world.h"

static void auth0_conversation(void **state)
{
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_push_auth0, steps_auth0);
	steps_assert_request(&w, "POST", "https://t.eu.auth0.com/oauth/token");
	assert_string_equal(w.step.request.body,
			    "grant_type=http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2Fpassword-realm&username="
			    "jane%20doe&password=p%26ss%20w%C3%B6rd&realm=db&scope=openid&client_id=c&client_secret=s");
	assert_false(w.step.request.asks_person);
	steps_answer(&w, 403, "{\"error\":\"mfa_required\",\"error_description\":\"d\",\"mfa_token\":\"Fe26.Ha\"}");
	assert_string_equal(w.c.message.password, "");
	steps_assert_request(&w, "GET", "https://t.eu.auth0.com/mfa/authenticators");
	assert_string_equal(w.step.request.headers, "Authorization: Bearer Fe26.Ha\n");
	steps_answer(&w, 200,
		     "[{\"id\":\"totp|dev_1\",\"authenticator_type\":\"otp\",\"active\":true},{\"id\":\"push|dev_2\","
		     "\"authenticator_type\":\"oob\",\"active\":true,\"oob_channel\":\"auth0\",\"name\":\"x\"}]");
	steps_assert_request(&w, "POST", "https://t.eu.auth0.com/mfa/challenge");
	assert_string_equal(w.step.request.body,
			    "{\"client_id\":\"c\",\"client_secret\":\"s\",\"mfa_token\":\"Fe26.Ha\","
			    "\"challenge_type\":\"oob\",\"authenticator_id\":\"push|dev_2\"}");
	assert_true(w.step.request.asks_person);
	steps_answer(&w, 200, "{\"challenge_type\":\"oob\",\"oob_code\":\"Fe26.Go\"}");
	assert_true(w.step.started);
	assert_int_equal(w.step.pause_ms, 5000);
	steps_resume(&w);
	steps_assert_request(&w, "POST", "https://t.eu.auth0.com/oauth/token");
	assert_string_equal(w.step.request.body,
			    "grant_type=http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2Fmfa-oob&client_id=c&"
			    "client_secret=s&mfa_token=Fe26.Ha&oob_code=Fe26.Go");
	assert_true(w.step.request.repeatable);
	steps_answer(&w, 400, "{\"error\":\"authorization_pending\"}");
	assert_int_equal(w.step.pause_ms, 5000);
	steps_resume(&w);
	steps_answer(&w, 429, "{\"error\":\"slow_down\"}");
	assert_int_equal(w.step.pause_ms, 10000);
	steps_resume(&w);
	steps_lose(&w, WSMFA_HTTP_LOST);
	assert_int_equal(w.step.pause_ms, 20000);
	steps_resume(&w);
	steps_answer(&w, 200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}");
	steps_assert_ends(&w, WSMFA_DELIVERY_APPROVED);
	steps_end(&w);
}

/** What cannot be a token is none: it would end up in a header. */
static void auth0_tokens(void **state)
{
	static char body[4096];
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_push_auth0, steps_auth0);
	steps_answer(&w, 403, "{\"error\":\"mfa_required\",\"mfa_token\":\"a\\r\\nX-Evil: 1\"}");
	steps_assert_ends(&w, WSMFA_DELIVERY_FAILED);
	steps_end(&w);
	steps_begin(&w, &wsmfa_push_auth0, steps_auth0);
	snprintf(body, sizeof(body), "{\"error\":\"mfa_required\",\"mfa_token\":\"%01791d\"}", 7);
	steps_answer(&w, 403, body);
	assert_int_equal(w.step.kind, WSMFA_STEP_REQUEST);
	steps_end(&w);
	steps_begin(&w, &wsmfa_push_auth0, steps_auth0);
	snprintf(body, sizeof(body), "{\"error\":\"mfa_required\",\"mfa_token\":\"%01792d\"}", 7);
	steps_answer(&w, 403, body);
	steps_assert_ends(&w, WSMFA_DELIVERY_FAILED);
	steps_end(&w);
	/* The error is about the token we sent, not what the person said. */
	steps_begin(&w, &wsmfa_push_auth0, steps_auth0);
	steps_answer(&w, 403, "{\"error\":\"mfa_required\",\"mfa_token\":\"Fe26\"}");
	steps_answer(&w, 200,
		     "[{\"id\":\"push|d\",\"authenticator_type\":\"oob\",\"active\":true,\"oob_channel\":\"auth0\"}]");
	steps_answer(&w, 200, "{\"challenge_type\":\"oob\",\"oob_code\":\"Go\"}");
	steps_resume(&w);
	steps_answer(&w, 403, "{\"error\":\"invalid_grant\",\"error_description\":\"Malformed mfa_token\"}");
	steps_assert_ends(&w, WSMFA_DELIVERY_UNKNOWN);
	steps_end(&w);
	steps_begin(&w, &wsmfa_push_auth0, steps_auth0);
	w.c.message.password[0] = '\0';
	w.p->ops->begin(w.p, &w.c, STEPS_NOW, (uint8_t const[16]) { 0 }, &w.step);
	steps_assert_ends(&w, WSMFA_DELIVERY_REFUSED);
	steps_end(&w);
}

static void duo_vectors(void **state)
{
	char const *const skey = "k3yForTestsOnly000000000000000000000000000", *const host = "api-standin.example.test";
	char date[WSMFA_DUO_DATE], hex[WSMFA_DUO_HEX];

	(void)state;
	wsmfa_duo_date(STEPS_NOW, date);
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
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_push_duo, steps_duo);
	w.c.message.can_show = true;
	strcpy(w.c.message.service, "vpn");
	strcpy(w.c.message.station, "192.0.2.7");
	steps_assert_request(&w, "GET", "https://api-standin.example.test/auth/v2/ping");
	assert_string_equal(w.step.request.userpwd, "");
	steps_answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"time\":1788264060}}");
	steps_assert_request(&w, "POST", "https://api-standin.example.test/auth/v2/preauth");
	assert_string_equal(w.step.request.body, "client_supports_verified_push=1&text_prompt=1&username=jane%20doe");
	assert_non_null(strstr(w.step.request.headers, "X-Duo-Date: Tue, 01 Sep 2026 12:01:00 -0000\n"));
	steps_answer(
		&w, 200,
		"{\"stat\":\"OK\",\"response\":{\"result\":\"auth\",\"txid\":\"T1\",\"prompt\":{\"text\":\"t\",\"factors\":"
		"{\"default\":\"sms1\",\"1\":\"verified_push1\"}}}}");
	steps_assert_request(&w, "POST", "https://api-standin.example.test/auth/v2/auth");
	assert_string_equal(w.step.request.body,
			    "async=1&factor=prompt&prompt=verified_push1&pushinfo=Service%3Dvpn%26From%3D192.0.2.7&"
			    "txid=T1&username=jane%20doe");
	assert_true(w.step.request.asks_person);
	steps_answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"txid\":\"a b&c\"}}");
	assert_false(w.step.started);
	steps_assert_request(&w, "GET", "https://api-standin.example.test/auth/v2/auth_status?txid=a%20b%26c");
	steps_answer(
		&w, 200,
		"{\"response\":{\"auth_delayed\":false,\"result\":\"waiting\",\"status\":\"pushed\",\"status_msg\":"
		"\"Please enter verification code 708 into Duo Mobile...\"},\"stat\":\"OK\"}");
	assert_true(w.step.started);
	assert_string_equal(w.step.show, "Please enter verification code 708 into Duo Mobile...");
	assert_int_equal(w.step.kind, WSMFA_STEP_REQUEST);
	steps_answer(
		&w, 200,
		"{\"stat\":\"OK\",\"response\":{\"result\":\"waiting\",\"status\":\"pushed\",\"status_msg\":\"m\"}}");
	assert_false(w.step.started);
	steps_resume(&w);
	steps_answer(
		&w, 200,
		"{\"stat\":\"OK\",\"response\":{\"result\":\"allow\",\"status\":\"allow\",\"status_msg\":\"ok\"}}");
	steps_assert_ends(&w, WSMFA_DELIVERY_APPROVED);
	steps_end(&w);
	/* A device is named: no prompt, so no code. */
	steps_begin(&w, &wsmfa_push_duo, steps_duo);
	w.c.message.can_show = true;
	strcpy(w.c.message.device, "DP1");
	steps_answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"time\":99999999999}}");
	assert_string_equal(w.step.request.body, "username=jane%20doe");
	assert_non_null(strstr(w.step.request.headers, "12:00:00"));
	steps_answer(&w, 200, "{\"stat\":\"OK\",\"response\":{\"result\":\"auth\",\"devices\":[]}}");
	assert_string_equal(w.step.request.body, "async=1&device=DP1&factor=push&username=jane%20doe");
	steps_end(&w);
}

static void push_http_conversation(void **state)
{
	char const *const settings[] = {
		"url", "https://p.test/push", "status_url", "https://p.test/push/{id}/state", "token", "t", NULL
	};
	char const *const elsewhere[] = { "url", "https://p.test/push", "number_matching", "yes", NULL };
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_push_http, settings);
	steps_assert_request(&w, "POST", "https://p.test/push");
	assert_string_equal(
		w.step.request.body,
		"{\"challenge\":\"0\",\"account\":\"jane doe\",\"device\":\"\",\"number\":\"\",\"client\":\"\","
		"\"station\":\"\",\"service\":\"\",\"text\":\"Code 123456\",\"lifetime\":300}");
	assert_non_null(strstr(w.step.request.headers, "Authorization: Bearer t\n"));
	steps_answer(&w, 201, "{\"id\":\"a/b\",\"result\":\"waiting\",\"show\":\"Enter\\u001b[1m 42\\n\"}");
	assert_true(w.step.started);
	assert_string_equal(w.step.show, "Enter [1m 42");
	steps_resume(&w);
	steps_assert_request(&w, "GET", "https://p.test/push/a%2Fb/state");
	steps_answer(&w, 200, "{\"result\":\"denied\"}");
	steps_assert_ends(&w, WSMFA_DELIVERY_DENIED);
	steps_end(&w);
	steps_begin(&w, &wsmfa_push_http, elsewhere);
	assert_true(w.p->ops->matches_number);
	steps_answer(&w, 200, "{}");
	assert_int_equal(w.step.kind, WSMFA_STEP_ELSEWHERE);
	assert_true(w.step.started);
	steps_end(&w);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(auth0_conversation),
		cmocka_unit_test(auth0_tokens),
		cmocka_unit_test(duo_vectors),
		cmocka_unit_test(duo_conversation),
		cmocka_unit_test(push_http_conversation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
