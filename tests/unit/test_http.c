/* HTTP on the loop, against a server that misbehaves: what may have arrived is never called unsent, and nothing goes out twice.
 * Apart from the providers' tests: here no answer means anything. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "engine/http.h"
#include "engine/http_gate.h"
#include "engine/retry_after.h"
#include "engine/wall.h"
#include "fake_provider.h"

static struct fake_provider plain, tls, wrong_name;
static uv_loop_t loop;
static struct wsmfa_timers timers;
static struct wsmfa_http *http;

struct result {
	int times;
	enum wsmfa_http_how how;
	long status;
	int32_t retry_after;
	char body[64];
	size_t body_len;
	char problem[128];
};

static void on_done(void *ctx, struct wsmfa_http_answer const *a)
{
	struct result *r = ctx;

	r->times++;
	r->how = a->how;
	r->status = a->status;
	r->retry_after = a->retry_after;
	r->body_len = a->body_len;
	snprintf(r->body, sizeof(r->body), "%s", a->body);
	snprintf(r->problem, sizeof(r->problem), "%s", a->problem);
}

static struct wsmfa_http_request request_of(char const *method, char const *base, char const *path)
{
	static struct wsmfa_http_request request;

	memset(&request, 0, sizeof(request));
	snprintf(request.method, sizeof(request.method), "%s", method);
	snprintf(request.url, sizeof(request.url), "%s%s", base, path);
	if (strcmp(method, "GET") != 0)
		request.body_len = (size_t)snprintf(request.body, sizeof(request.body), "a=1");
	request.asks_person = true;
	return request;
}

static struct result send_request(struct wsmfa_provider const *p, struct wsmfa_http_request const *request,
				  int timeout_ms)
{
	struct result result = { 0 };

	uv_update_time(&loop);
	assert_non_null(wsmfa_http_send(http, p, request, timeout_ms, on_done, &result));
	while (!result.times)
		uv_run(&loop, UV_RUN_ONCE);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(result.times, 1);
	return result;
}

static struct result post(char const *action, int timeout_ms)
{
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 1000 };
	struct wsmfa_http_request request = request_of("POST", plain.url, "/plain");

	fake_provider_reset(&plain);
	if (action)
		fake_provider_script(&plain, "/plain", action);
	return send_request(&p, &request, timeout_ms);
}

static void answers_are_read(void **state)
{
	struct result r = post(NULL, 5000);

	(void)state;
	assert_int_equal(r.how, WSMFA_HTTP_ANSWERED);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "OK id=m00000001");
	r = post("full", 5000);
	assert_int_equal(r.how, WSMFA_HTTP_ANSWERED);
	assert_int_equal(r.body_len, WSMFA_HTTP_ANSWER_MAX);
	r = post("status:503", 5000);
	assert_int_equal(r.status, 503);
	r = post("redirect", 5000);
	assert_int_equal(r.status, 302);
	assert_int_equal(fake_provider_count(&plain, "/"), 1);
	r = post("slow:0.5", 5000);
	assert_int_equal(r.status, 200);
}

static void lost_is_never_sent_again(void **state)
{
	char const *const actions[] = {
		"silent:3", "close", "cut", "reset", "malformed", "oversized", "headers", "drip"
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(actions); i++) {
		struct result r = post(actions[i], 1000);

		if (r.how != WSMFA_HTTP_LOST)
			print_message("# %s: %d %ld %s\n", actions[i], r.how, r.status, r.problem);
		assert_int_equal(r.how, WSMFA_HTTP_LOST);
		assert_true(r.problem[0]);
		assert_int_equal(fake_provider_count(&plain, "/"), 1);
	}
}

/** The server closes a kept connection after it has read the second request: libcurl alone would send it again. */
static void kept_connections_do_not_repeat(void **state)
{
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 1000 };
	struct wsmfa_http_request request = request_of("POST", plain.url, "/plain");
	struct result r;
	json_t *list;

	(void)state;
	fake_provider_reset(&plain);
	assert_int_equal(send_request(&p, &request, 5000).status, 200);
	fake_provider_script(&plain, "/plain", "close");
	r = send_request(&p, &request, 5000);
	assert_int_equal(r.how, WSMFA_HTTP_LOST);
	list = fake_provider_requests(&plain);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "connection")),
			 json_integer_value(json_object_get(json_array_get(list, 1), "connection")));
	json_decref(list);
	/* The control: a poll may be repeated, and is. */
	assert_int_equal(send_request(&p, &request, 5000).status, 200);
	fake_provider_script(&plain, "/plain", "close");
	request = request_of("GET", plain.url, "/plain");
	request.repeatable = true;
	assert_int_equal(send_request(&p, &request, 5000).status, 200);
	assert_int_equal(fake_provider_count(&plain, "/plain"), 5);
}

/** A server that accepts nobody. */
static int listening(char *url, size_t size, char const *scheme)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(url, size, "%s://127.0.0.1:%d", scheme, ntohs(at.sin_port));
	return fd;
}

static void unsent_is_known(void **state)
{
	struct wsmfa_provider p = { .name = "x", .connect_timeout_ms = 300 };
	struct wsmfa_http_request request;
	struct result r;
	char url[64];
	int fd;

	(void)state;
	close(listening(url, sizeof(url), "http"));
	request = request_of("POST", url, "/");
	r = send_request(&p, &request, 5000);
	assert_int_equal(r.how, WSMFA_HTTP_UNSENT);
	assert_true(r.problem[0]);
	/* TLS that never answers. */
	fd = listening(url, sizeof(url), "https");
	request = request_of("POST", url, "/");
	r = send_request(&p, &request, 5000);
	assert_int_equal(r.how, WSMFA_HTTP_UNSENT);
	close(fd);
	/* A name that does not exist. */
	request = request_of("POST", "https://nobody.invalid", "/");
	r = send_request(&p, &request, 5000);
	assert_int_equal(r.how, WSMFA_HTTP_UNSENT);
}

static void certificates_are_verified(void **state)
{
	struct wsmfa_provider p = { .name = "x", .connect_timeout_ms = 5000 };
	struct wsmfa_http_request request = request_of("POST", tls.url, "/plain");

	(void)state;
	fake_provider_reset(&tls);
	assert_int_equal(send_request(&p, &request, 5000).how, WSMFA_HTTP_UNSENT);
	snprintf(p.ca_file, sizeof(p.ca_file), "%s", tls.ca);
	assert_int_equal(send_request(&p, &request, 5000).status, 200);
	assert_int_equal(fake_provider_count(&tls, "/"), 1);
	/* The right signer, another name. */
	fake_provider_reset(&wrong_name);
	snprintf(p.ca_file, sizeof(p.ca_file), "%s", wrong_name.ca);
	request = request_of("POST", wrong_name.url, "/plain");
	assert_int_equal(send_request(&p, &request, 5000).how, WSMFA_HTTP_UNSENT);
	assert_int_equal(fake_provider_count(&wrong_name, "/"), 0);
}

static void urls_are_refused(void **state)
{
	struct wsmfa_provider const p = { .name = "x" };
	char const *const urls[] = { "http://192.0.2.1/",           "ftp://127.0.0.1/",
				     "file:///etc/passwd",          "",
				     "http://localhost.evil.test/", "http://127.0.0.1.evil.test/" };

	(void)state;
	for (size_t i = 0; i < LENGTH(urls); i++) {
		struct wsmfa_http_request request = request_of("POST", urls[i], "");

		assert_null(wsmfa_http_send(http, &p, &request, 1000, on_done, NULL));
	}
}

static void retry_after_in_each_form(void **state)
{
	(void)state;
	assert_int_equal(post("429:7", 5000).retry_after, 7);
	assert_int_equal(post("x429:8", 5000).retry_after, 8);
	assert_in_range(post("429:date:20", 5000).retry_after, 18, 21);
	assert_int_equal(post("429:none", 5000).retry_after, -1);
	assert_int_equal(post(NULL, 5000).retry_after, -1);
	assert_int_equal(wsmfa_retry_after("0", "", 0), 0);
	assert_int_equal(wsmfa_retry_after("99999999999999999999999", "", 0), WSMFA_RETRY_AFTER_MAX);
	assert_int_equal(wsmfa_retry_after("", "", 0), -1);
	assert_int_equal(wsmfa_retry_after("-5", "", 0), -1);
	assert_int_equal(wsmfa_retry_after("5.5", "", 0), -1);
	assert_int_equal(wsmfa_retry_after("soon", "", 0), -1);
	assert_int_equal(wsmfa_retry_after("Tue, 01 Sep 2026 12:00:30 GMT", "Tue, 01 Sep 2026 12:00:00 GMT", 0), 30);
	assert_int_equal(wsmfa_retry_after("Tue, 01 Sep 2026 12:00:30 GMT", "", 1788264025), 5);
	assert_int_equal(wsmfa_retry_after("Tue, 01 Sep 2026 11:00:00 GMT", "Tue, 01 Sep 2026 12:00:00 GMT", 0), 0);
}

/** Many at once: all are answered, and never more than the gate allows are on the way to a connection. */
static void many_at_once(void **state)
{
	static struct wsmfa_http_request request;
	static struct result results[300];
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 5000 };
	size_t done = 0;

	(void)state;
	fake_provider_reset(&plain);
	request = request_of("POST", plain.url, "/plain");
	memset(results, 0, sizeof(results));
	for (size_t i = 0; i < LENGTH(results); i++)
		assert_non_null(wsmfa_http_send(http, &p, &request, 20000, on_done, &results[i]));
	while (done < LENGTH(results)) {
		uv_run(&loop, UV_RUN_ONCE);
		done = 0;
		for (size_t i = 0; i < LENGTH(results); i++)
			done += (size_t)results[i].times;
	}
	for (size_t i = 0; i < LENGTH(results); i++)
		assert_int_equal(results[i].status, 200);
	assert_int_equal(fake_provider_count(&plain, "/plain"), LENGTH(results));
}

static void a_full_gate_times_out_unsent(void **state)
{
	static struct wsmfa_http_request request;
	static struct result results[WSMFA_GATE_MAX + 5];
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 600 };
	char url[64];
	size_t done = 0;
	int fd = listening(url, sizeof(url), "https");

	(void)state;
	request = request_of("POST", url, "/");
	memset(results, 0, sizeof(results));
	uv_update_time(&loop);
	for (size_t i = 0; i < LENGTH(results); i++)
		assert_non_null(wsmfa_http_send(http, &p, &request, 300, on_done, &results[i]));
	while (done < LENGTH(results)) {
		uv_run(&loop, UV_RUN_ONCE);
		done = 0;
		for (size_t i = 0; i < LENGTH(results); i++)
			done += (size_t)results[i].times;
	}
	for (size_t i = 0; i < LENGTH(results); i++)
		assert_int_equal(results[i].how, WSMFA_HTTP_UNSENT);
	close(fd);
}

static void on_patience(struct wsmfa_timer *timer)
{
	(void)timer; /* that it has fired is all */
}

/** An octet comes in the last millisecond of a call, then nothing: some libcurl forget its timeout (if it is 200 ms or more). */
static void a_late_octet_stops_no_clock(void **state)
{
	enum { timeout_ms = 220, tries = 12, step_us = 120 };
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 1000 };
	char url[64];

	(void)state;
	for (int i = 0; i < tries; i++) {
		int fd = listening(url, sizeof(url), "http"), peer = -1;
		struct wsmfa_http_request const request = request_of("GET", url, "/");
		struct wsmfa_timer patience = { 0 };
		struct result r = { 0 };
		struct wsmfa_http_call *call;
		uint64_t sent;

		uv_update_time(&loop);
		wsmfa_timer_set(&timers, &patience, uv_now(&loop) + 10000, on_patience);
		call = wsmfa_http_send(http, &p, &request, timeout_ms, on_done, &r);
		assert_non_null(call);
		sent = uv_hrtime();
		while (!r.times && !wsmfa_http_is_out(call))
			uv_run(&loop, UV_RUN_ONCE);
		if (!r.times)
			peer = accept(fd, NULL, NULL);
		while (!r.times &&
		       uv_hrtime() < sent + timeout_ms * 1000000ULL - (uint64_t)(tries - i) * step_us * 1000)
			uv_run(&loop, UV_RUN_NOWAIT);
		if (!r.times)
			assert_int_equal(send(peer, "H", 1, MSG_NOSIGNAL), 1);
		while (!r.times && patience.fire)
			uv_run(&loop, UV_RUN_ONCE);
		assert_int_equal(r.times, 1);
		assert_int_not_equal(r.how, WSMFA_HTTP_ANSWERED);
		wsmfa_timer_clear(&timers, &patience);
		close(peer);
		close(fd);
	}
}

static void cancelled_calls_are_silent(void **state)
{
	static struct wsmfa_http_request request;
	struct result r = { 0 };
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 1000 };
	struct wsmfa_http_call *call;

	(void)state;
	fake_provider_reset(&plain);
	fake_provider_script(&plain, "/plain", "silent:5");
	request = request_of("POST", plain.url, "/plain");
	call = wsmfa_http_send(http, &p, &request, 5000, on_done, &r);
	assert_non_null(call);
	assert_false(wsmfa_http_is_out(call));
	while (!wsmfa_http_is_out(call))
		uv_run(&loop, UV_RUN_ONCE);
	wsmfa_http_cancel(call);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(r.times, 0);
}

static int set_up(void **state)
{
	(void)state;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	fake_provider_start(&plain, NULL);
	fake_provider_start(&tls, (char const *const[]) { "--tls", NULL });
	fake_provider_start(&wrong_name, (char const *const[]) { "--tls", "--name", "example.test", NULL });
	uv_loop_init(&loop);
	wsmfa_timers_init(&timers, &loop);
	http = wsmfa_http_open(&loop, &timers);
	return http ? 0 : -1;
}

static int tear_down(void **state)
{
	static struct wsmfa_http_request request;
	struct wsmfa_provider const p = { .name = "x", .connect_timeout_ms = 1000 };

	(void)state;
	/* Closing with a call under way. */
	request = request_of("POST", plain.url, "/plain");
	wsmfa_http_send(http, &p, &request, 5000, on_done, NULL);
	wsmfa_http_close(http);
	wsmfa_timers_close(&timers);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	fake_provider_stop(&plain);
	fake_provider_stop(&tls);
	fake_provider_stop(&wrong_name);
	return 0;
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(lost_is_never_sent_again),
		cmocka_unit_test(kept_connections_do_not_repeat),
		cmocka_unit_test(unsent_is_known),
		cmocka_unit_test(certificates_are_verified),
		cmocka_unit_test(urls_are_refused),
		cmocka_unit_test(retry_after_in_each_form),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(a_full_gate_times_out_unsent),
		cmocka_unit_test(a_late_octet_stops_no_clock),
		cmocka_unit_test(cancelled_calls_are_silent),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
