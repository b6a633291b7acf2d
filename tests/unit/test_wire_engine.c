/* What the engine does around a provider on the wire: the breaker, a job that ends before its request, notices.
 * Apart from test_wire_sms.c and test_wire_push.c: one gateway stands for all. */
#include "unit.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "fake_db.h"
#include "wire_world.h"

/** After enough failures in a row nobody waits, and one probe finds the way back. */
static void breaker_opens_probes_closes(void **state)
{
	char const *const settings[] = {
		"url", "URL/plain?{text}", "breaker_failures", "3", "breaker_seconds", "1", "retry_max", "1", NULL
	};
	struct wsmfa_provider *p = wire_configure(WSMFA_KIND_SMS, "http", settings);
	struct wsmfa_engine *e = wire_engine(&p);
	struct wsmfa_job job;

	(void)state;
	fake_provider_reset(&wire_vendor);
	for (int64_t i = 1; i <= 3; i++) {
		assert_true(wsmfa_engine_provider_up(e, "x"));
		fake_provider_script(&wire_vendor, "/plain", "status:500");
		job = wire_job(p, i, 10000);
		assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
		wire_outcome(e, i);
	}
	assert_false(wsmfa_engine_provider_up(e, "x"));
	job = wire_job(p, 4, 10000);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_BREAKER);
	while (!wsmfa_engine_provider_up(e, "x"))
		sched_yield();
	fake_provider_script(&wire_vendor, "/plain", "slow:0.3");
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	assert_false(wsmfa_engine_provider_up(e, "x"));
	job = wire_job(p, 5, 10000);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_BREAKER);
	assert_int_equal(wire_outcome(e, 4).delivery, WSMFA_DELIVERY_SENT);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	assert_int_equal(wire_outcome(e, 5).delivery, WSMFA_DELIVERY_SENT);
	wsmfa_engine_free(e);
	p->ops->free(p);
}

/** A port at which nobody listens: what certainly was not sent is tried again, as often as the settings say. */
static void what_was_not_sent_is_tried_again(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int const fd = socket(AF_INET, SOCK_STREAM, 0);
	char url[64];
	char const *const settings[] = { "url", url, "retry_max", "2", NULL };
	struct wsmfa_provider *p;
	struct wsmfa_engine *e;
	struct wsmfa_job job;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/{text}", ntohs(at.sin_port));
	p = wire_configure(WSMFA_KIND_SMS, "http", settings);
	e = wire_engine(&p);
	job = wire_job(p, 1, 10000);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	assert_int_equal(wire_outcome(e, 1).delivery, WSMFA_DELIVERY_FAILED);
	assert_int_equal(e->count.http_requests, 3);
	assert_int_equal(e->count.http_retries, 2);
	wsmfa_engine_free(e);
	p->ops->free(p);
	close(fd);
}

/** Waiting longer than the job allows: the request goes on, and the result stays with the message. */
static void sms_slower_than_its_job(void **state)
{
	char const *const settings[] = { "url", "URL/plain?{text}", NULL };
	struct wsmfa_provider *p = wire_configure(WSMFA_KIND_SMS, "http", settings);
	struct wsmfa_engine *e = wire_engine(&p);
	struct wsmfa_job job = wire_job(p, 1, 10000);
	struct wsmfa_woken woken;

	(void)state;
	fake_provider_reset(&wire_vendor);
	fake_provider_script(&wire_vendor, "/plain", "slow:0.6");
	job.wake_at = wsmfa_wall_now() + WSMFA_SECOND / 5;
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
	woken = wire_outcome(e, 1);
	assert_true(woken.timed_out);
	assert_false(woken.finished);
	while (e->count.sms_sent == 0)
		nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	assert_int_equal(fake_provider_count(&wire_vendor, "/plain"), 1);
	wsmfa_engine_free(e);
	p->ops->free(p);
}

/** Nothing is said to somebody with another name's certificate: neither code nor password, by any provider. */
static void no_provider_talks_to_a_stranger(void **state)
{
	static char const *const sms_http[] = { "url", "URL/plain?{text}", NULL };
	static char const *const twilio[] = { "account_sid", "AC00000000000000000000000000000001",
					      "auth_token",  "x",
					      "from",        "+15005550006",
					      "base_url",    "URL",
					      NULL };
	static char const *const sns[] = { "region", "eu-west-1", "access_key", "x", "secret_key",
					   "x",      "url",       "URL/",       NULL };
	static char const *const push_http[] = { "url", "URL/push", "status_url", "URL/push/{id}", NULL };
	static char const *const auth0[] = { "url", "URL", "client_id", "client", "client_secret", "x", NULL };
	static char const *const duo[] = {
		"host", "api.example.test", "ikey", "DIEXAMPLEIKEY0000001", "skey", "x", "url", "URL", NULL
	};
	static struct {
		enum wsmfa_kind channel;
		char const *type, *const *settings;
	} const all[] = {
		{ WSMFA_KIND_SMS, "http", sms_http }, { WSMFA_KIND_SMS, "twilio", twilio },
		{ WSMFA_KIND_SMS, "aws_sns", sns },   { WSMFA_KIND_PUSH, "http", push_http },
		{ WSMFA_KIND_PUSH, "auth0", auth0 },  { WSMFA_KIND_PUSH, "duo", duo },
	};
	struct fake_provider here = wire_vendor;

	(void)state;
	for (int stranger = 1; stranger >= 0; stranger--) {
		fake_provider_start(
			&wire_vendor,
			(char const *const[]) { "--tls", "--name", stranger ? "example.test" : "127.0.0.1", NULL });
		for (size_t i = 0; i < LENGTH(all); i++) {
			struct wsmfa_provider *p = wire_configure(all[i].channel, all[i].type, all[i].settings);
			struct wsmfa_engine *e;
			struct wsmfa_job job = wire_job(p, 1, 3000);

			snprintf(p->ca_file, sizeof(p->ca_file), "%s", wire_vendor.ca);
			e = wire_engine(&p);
			fake_provider_reset(&wire_vendor);
			assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
			if (stranger)
				assert_int_equal(wire_outcome(e, 1).delivery, WSMFA_DELIVERY_FAILED);
			else
				wire_outcome(e, 1);
			// control: with a name that is its own, each of them talks
			if (stranger != (fake_provider_count(&wire_vendor, "/") == 0))
				fail_msg("%s: %zu requests", all[i].type, fake_provider_count(&wire_vendor, "/"));
			wsmfa_engine_free(e);
			p->ops->free(p);
		}
		fake_provider_stop(&wire_vendor);
	}
	wire_vendor = here;
}

static void notices_reach_the_hook(void **state)
{
	char const *const settings[] = { "url", "URL/plain?{text}", NULL };
	struct wsmfa_provider *p = wire_configure(WSMFA_KIND_SMS, "http", settings);
	struct wsmfa_engine_config config = { .conninfo = "",
					      .store_timeout_ms = 2000,
					      .server_name = "test",
					      .providers = &p,
					      .providers_len = 1,
					      .log = wire_log };
	struct wsmfa_message message = { .phone = "+358401234567",
					 .account = "jane",
					 .text = "A new method was added." };
	struct wsmfa_engine *e;
	char err[256], url[160];
	json_t *list;

	(void)state;
	fake_provider_reset(&wire_vendor);
	snprintf(url, sizeof(url), "%s/notify", wire_vendor.url);
	config.notify_url = url;
	e = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_non_null(e);
	fake_provider_script(&wire_vendor, "/notify", "429:0"); // a hook that is too busy is asked again
	wsmfa_engine_notice(e, "x", &message);
	while (fake_provider_count(&wire_vendor, "/notify") < 2)
		sched_yield();
	list = fake_provider_requests(&wire_vendor);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "body")),
			    "{\"account\":\"jane\",\"text\":\"A new method was added.\"}");
	json_decref(list);
	wsmfa_engine_free(e);
	/* Without a hook, by SMS. */
	config.notify_url = "";
	e = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_non_null(e);
	wsmfa_engine_notice(e, "x", &message);
	while (fake_provider_count(&wire_vendor, "/plain") == 0)
		sched_yield();
	wsmfa_engine_free(e);
	config.notify_url = "http://192.0.2.1/";
	assert_null(wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err)));
	assert_non_null(strstr(err, "https://"));
	p->ops->free(p);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(breaker_opens_probes_closes),
		cmocka_unit_test(what_was_not_sent_is_tried_again),
		cmocka_unit_test(sms_slower_than_its_job),
		cmocka_unit_test(no_provider_talks_to_a_stranger),
		cmocka_unit_test(notices_reach_the_hook),
	};

	return cmocka_run_group_tests(tests, wire_set_up, wire_tear_down);
}
