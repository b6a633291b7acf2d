/* What any answer makes of a conversation, in each phase of each provider: hostile, cut, too large, lost, throttled.
 * Apart from the conversations that go well: nothing here may approve or crash. */
#include "unit.h"

#include <limits.h>

#include "provider/backends.h"
#include "provider/step.h"
#include "steps_world.h"

struct backend {
	struct wsmfa_provider_ops const *ops;
	char const *const *settings;
};

static char const *const sns[] = { "region", "eu-west-1", "access_key", "AK", "secret_key", "s", NULL };
static char const *const http[] = { "url", "https://g.test/", "body", "{text}", "success", "^200 OK$", NULL };
static char const *const push[] = { "url", "https://p.test/push", "status_url", "https://p.test/{id}", NULL };

static struct backend const backends[] = {
	{ &wsmfa_sms_twilio, steps_twilio }, { &wsmfa_sms_aws_sns, sns },    { &wsmfa_sms_http, http },
	{ &wsmfa_push_auth0, steps_auth0 },  { &wsmfa_push_duo, steps_duo }, { &wsmfa_push_http, push },
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
static void assert_clean(struct steps_world *w)
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
			struct steps_world w;

			steps_begin(&w, backends[b].ops, backends[b].settings);
			for (size_t i = 0; i < phase; i++) {
				if (w.step.kind == WSMFA_STEP_PAUSE)
					steps_resume(&w);
				if (w.step.kind == WSMFA_STEP_REQUEST)
					steps_answer(&w, 200, onward[i]);
			}
			if (w.step.kind == WSMFA_STEP_PAUSE)
				steps_resume(&w);
			if (w.step.kind == WSMFA_STEP_REQUEST)
				steps_answer_octets(&w, status, body, len);
			if (w.step.kind == WSMFA_STEP_DONE)
				assert_false(is_good(w.step.delivery));
			assert_clean(&w);
			steps_end(&w);
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
		struct steps_world w;

		steps_begin(&w, backends[b].ops, backends[b].settings);
		steps_lose(&w, WSMFA_HTTP_UNSENT);
		steps_assert_ends(&w, WSMFA_DELIVERY_FAILED);
		assert_non_null(strstr(w.step.note, "trouble"));
		steps_end(&w);
		steps_begin(&w, backends[b].ops, backends[b].settings);
		steps_lose(&w, WSMFA_HTTP_LOST);
		/* Where the request makes a phone ring, it may have rung. */
		if (backends[b].ops->channel == WSMFA_KIND_SMS || backends[b].ops == &wsmfa_push_http)
			steps_assert_ends(&w, WSMFA_DELIVERY_UNKNOWN);
		steps_end(&w);
	}
}

static void throttling(void **state)
{
	struct wsmfa_throttle t = { 0 };
	struct wsmfa_conversation c = { .deadline = STEPS_NOW + 60 * WSMFA_SECOND };
	struct wsmfa_http_answer a = {
		.how = WSMFA_HTTP_ANSWERED, .status = 429, .body = "", .retry_after = -1, .at = STEPS_NOW
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
	c.deadline = STEPS_NOW + 9 * WSMFA_SECOND;
	wsmfa_step_throttled(&step, &t, &c, &a, "x");
	assert_int_equal(step.kind, WSMFA_STEP_DONE);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(hostile_bodies),  cmocka_unit_test(large_bodies), cmocka_unit_test(truncated_bodies),
		cmocka_unit_test(lost_and_unsent), cmocka_unit_test(throttling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
