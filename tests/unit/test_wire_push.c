/* Push providers against the scripted one, through the whole engine: what each vendor may say, and that no phone rings twice.
 * Apart from test_steps_push.c, which needs no server: here connections break and polls take time. */
#include "unit.h"

#include <sched.h>

#include "fake_db.h"
#include "wire_world.h"

static char const *const auth0[] = { "url",           "URL",  "client_id", "client", "client_secret",
				     "client-secret", "poll", "0.2",       NULL };

static void push_auth0(void **state)
{
	char const *const wrong[] = { "url", "URL", "client_id", "client", "client_secret", "x", NULL };
	struct wire_way const ways[] = {
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
	struct wire_way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/", 1, 0 } };

	(void)state;
	WIRE_TRY(WSMFA_KIND_PUSH, "auth0", auth0, ways);
	WIRE_TRY(WSMFA_KIND_PUSH, "auth0", wrong, denied);
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
	struct wsmfa_provider *p = wire_configure(WSMFA_KIND_PUSH, "auth0", auth0);
	struct wsmfa_engine *e = wire_engine(&p);

	(void)state;
	fake_provider_reset(&wire_vendor);
	fake_provider_default(&wire_vendor, "{\"push\":\"wait\"}");
	for (size_t i = 0; i < LENGTH(ends) + 1; i++) {
		struct wsmfa_job job = wire_job(p, (int64_t)i + 1, i < LENGTH(ends) ? 60000 : 2500);
		size_t polls = fake_provider_count(&wire_vendor, "/oauth/token");
		struct wsmfa_woken woken;

		assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
		while (fake_provider_count(&wire_vendor, "/mfa/challenge") < i + 1)
			sched_yield();
		if (i < LENGTH(ends)) {
			fake_provider_script(&wire_vendor, "/oauth/token", actions[i]);
			fake_provider_script(&wire_vendor, "/oauth/token", ends[i].action);
			if (i == LENGTH(ends) - 1)
				fake_provider_default(&wire_vendor, "{\"push\":\"approve\"}");
		} else {
			fake_provider_default(&wire_vendor, "{\"push\":\"wait\"}");
		}
		woken = wire_outcome(e, job.ticket);
		if (i == LENGTH(ends)) {
			assert_true(woken.timed_out);
			assert_int_equal(woken.delivery, WSMFA_DELIVERY_EXPIRED);
			continue;
		}
		if (woken.delivery != ends[i].delivery)
			print_message("# %s, then %s: %d\n", actions[i], ends[i].action, woken.delivery);
		assert_int_equal(woken.delivery, ends[i].delivery);
		assert_int_equal(fake_provider_count(&wire_vendor, "/oauth/token") - polls, 3);
	}
	assert_int_equal(fake_provider_count(&wire_vendor, "/mfa/challenge"), LENGTH(ends) + 1);
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
	struct wire_way const ways[] = {
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
	struct wire_way const denied[] = { { { NULL }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 } };

	(void)state;
	WIRE_TRY(WSMFA_KIND_PUSH, "duo", duo, ways);
	WIRE_TRY(WSMFA_KIND_PUSH, "duo", wrong, denied);
}

/** Asks for a push of a client that can or can't show a code, and returns what the prompt gets. */
static void duo_show(char const *preauth, char const *status, bool can_show, char const *expected)
{
	struct wsmfa_provider *p = wire_configure(WSMFA_KIND_PUSH, "duo", duo);
	struct wsmfa_engine *e = wire_engine(&p);
	struct wsmfa_job job = wire_job(p, 1, 60000);
	struct wsmfa_woken woken;

	job.wait = false;
	job.message.can_show = can_show;
	fake_provider_reset(&wire_vendor);
	fake_provider_default(&wire_vendor, "{\"push\":\"wait\"}");
	fake_provider_script(&wire_vendor, "/preauth", preauth);
	fake_provider_script(&wire_vendor, "/auth_status", status);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	woken = wire_outcome(e, 1);
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
	struct fake_provider here = wire_vendor;
	struct wire_way const ways[] = {
		{ { NULL }, WSMFA_DELIVERY_APPROVED, "/auth/v2/auth", 2, 0 },
		{ { "/ping", "close" }, WSMFA_DELIVERY_FAILED, "/auth/v2/auth", 0, 0 },
	};

	(void)state;
	fake_provider_start(&wire_vendor, (char const *const[]) { "--duo-offset", "4000", NULL });
	WIRE_TRY(WSMFA_KIND_PUSH, "duo", duo, ways);
	fake_provider_stop(&wire_vendor);
	wire_vendor = here;
}

static void push_http(void **state)
{
	char const *const settings[] = { "url",  "URL/push", "status_url", "URL/push/{id}", "token", "push-token",
					 "poll", "0.2",      NULL };
	struct wire_way const ways[] = {
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
	WIRE_TRY(WSMFA_KIND_PUSH, "http", settings, ways);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(push_auth0),
		cmocka_unit_test(push_auth0_polls),
		cmocka_unit_test(push_duo),
		cmocka_unit_test(push_duo_shows_its_code),
		cmocka_unit_test(push_duo_with_another_clock),
		cmocka_unit_test(push_http),
	};

	return cmocka_run_group_tests(tests, wire_set_up, wire_tear_down);
}
