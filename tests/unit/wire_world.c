/* Providers against the scripted one; see wire_world.h. */
#include "unit.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <time.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "fake_db.h"
#include "wire_world.h"

struct fake_provider wire_vendor;

void wire_log(void *ctx, char level, char const *text)
{
	(void)ctx;
	/* No secret of any backend here may get into the log. */
	assert_null(strstr(text, "123456"));
	assert_null(strstr(text, "right & wrong"));
	assert_null(strstr(text, "Fe26"));
	if (getenv("WSMFA_TEST_LOG"))
		print_message("# %c %s\n", level, text);
}

struct wsmfa_provider *wire_configure(enum wsmfa_kind channel, char const *type, char const *const *pairs)
{
	struct wsmfa_setting settings[WIRE_SETTINGS_MAX];
	static char values[WIRE_SETTINGS_MAX][512];
	char err[512] = "";
	size_t n = 0;
	struct wsmfa_provider *p;

	for (; *pairs; pairs += 2, n++) {
		char const *url = strstr(pairs[1], "URL");

		settings[n] = (struct wsmfa_setting) { pairs[0], values[n], "test", (int)n + 1 };
		if (url)
			snprintf(values[n], sizeof(values[n]), "%.*s%s%s", (int)(url - pairs[1]), pairs[1],
				 wire_vendor.url, url + 3);
		else
			snprintf(values[n], sizeof(values[n]), "%s", pairs[1]);
	}
	p = wsmfa_provider_find(channel, type)->configure("x", settings, n, err, sizeof(err));
	assert_string_equal(p ? "" : err, "");
	return p;
}

struct wsmfa_engine *wire_engine(struct wsmfa_provider **p)
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
		.log = wire_log,
	};
	char err[256] = "";
	struct wsmfa_engine *e;

	fake_db_reset();
	e = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_string_equal(e ? "" : err, "");
	return e;
}

struct wsmfa_job wire_job(struct wsmfa_provider const *p, int64_t id, int ms)
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

struct wsmfa_woken wire_outcome(struct wsmfa_engine *e, int64_t ticket)
{
	struct wsmfa_waiter *w = wsmfa_waiters_find(&e->waiters, ticket);
	struct wsmfa_woken woken;

	assert_non_null(w);
	while (wsmfa_waiter_waits(&e->waiters, w))
		nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	assert_true(wsmfa_engine_collect(e, ticket, &woken));
	return woken;
}

void wire_try(struct wsmfa_provider *p, struct wire_way const *ways, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct wire_way const *way = &ways[i];
		struct wsmfa_engine *e = wire_engine(&p);
		struct wsmfa_job job = wire_job(p, (int64_t)i + 1, way->ms ? way->ms : 60000);
		struct wsmfa_woken woken;
		size_t count;

		fake_provider_reset(&wire_vendor);
		for (char const *const *s = way->script; *s; s += 2)
			fake_provider_script(&wire_vendor, s[0], s[1]);
		assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_OK);
		woken = wire_outcome(e, job.ticket);
		count = fake_provider_count(&wire_vendor, way->counted);
		if (woken.delivery != way->delivery || count != way->count)
			print_message("# %s, way %zu (%s): delivery %d, %zu requests\n", p->ops->type, i,
				      way->script[1], woken.delivery, count);
		assert_int_equal(woken.delivery, way->delivery);
		assert_int_equal(count, way->count);
		wsmfa_engine_free(e);
	}
	p->ops->free(p);
}

int wire_set_up(void **state)
{
	(void)state;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	fake_provider_start(&wire_vendor, NULL);
	return 0;
}

int wire_tear_down(void **state)
{
	(void)state;
	fake_provider_stop(&wire_vendor);
	return 0;
}
