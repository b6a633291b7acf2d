/* libcurl's multi interface on libuv: sockets, timers, and who is told when a request has ended; see http.h.
 * Apart from http_call.c, which knows what a request is. */
#include "engine/http.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <string.h>

#include "engine/http_call.h"
#include "engine/table.h"
#include "provider/settings.h"

#define CONNECTIONS_KEPT 256L
#define RUNNING_MAX      8192U
#define LIBCURL_FIRST_MS 100U //!< its own timeout says how far a call came

struct wsmfa_http {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;            //!< libcurl's
	struct wsmfa_timers *timers; //!< one a call
	struct wsmfa_gates gates;
	LIST_HEAD(, wsmfa_http_call) calls;
	unsigned running, running_max; //!< calls that libcurl has; each may need a descriptor
};

static void http_pump(struct wsmfa_http *http);

/** libcurl lets go of it. */
static void call_take_back(struct wsmfa_http_call *call)
{
	if (!call->added)
		return;
	curl_multi_remove_handle(call->http->multi, call->easy);
	call->http->running--;
	call->added = false;
}

static void call_free(struct wsmfa_http_call *call)
{
	struct wsmfa_http *http = call->http;

	wsmfa_timer_clear(http->timers, &call->timer);
	wsmfa_gate_leave(&call->gate);
	call_take_back(call);
	LIST_REMOVE(call, link);
	wsmfa_http_call_release(call);
}

static void call_finish(struct wsmfa_http_call *call, CURLcode code)
{
	struct wsmfa_http_answer answer;
	char problem[128];
	wsmfa_http_done *done = call->done;
	void *ctx = call->ctx;

	wsmfa_http_call_result(call, code, &answer, problem, sizeof(problem));
	/* libcurl lets go of the request first: what `done` does to it is no longer its business. */
	call_take_back(call);
	done(ctx, &answer);
	call_free(call);
}

/** Tells who has ended, and lets the next ones in line go. */
static void http_reap(struct wsmfa_http *http)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(http->multi, &left))) {
		struct wsmfa_http_call *call = NULL;

		if (msg->msg == CURLMSG_DONE &&
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call) == CURLE_OK)
			call_finish(call, msg->data.result);
	}
	http_pump(http);
}

/** In line, or with a libcurl before 8.4, which forgets a timeout when something happens in the millisecond before it. */
static void on_timeout(struct wsmfa_timer *timer)
{
	struct wsmfa_http_call *call = WSMFA_CONTAINER(timer, struct wsmfa_http_call, timer);
	struct wsmfa_http *http = call->http;

	call_finish(call, CURLE_OPERATION_TIMEDOUT);
	http_pump(http);
}

static void http_pump(struct wsmfa_http *http)
{
	struct wsmfa_gate_entry *entry;

	while (http->running < http->running_max && (entry = wsmfa_gate_next(&http->gates))) {
		struct wsmfa_http_call *call = WSMFA_CONTAINER(entry, struct wsmfa_http_call, gate);
		int64_t left = (int64_t)(call->until_ms - uv_now(http->loop));

		wsmfa_http_call_limit(call, left > 0 ? left : 1);
		call->added = curl_multi_add_handle(http->multi, call->easy) == CURLM_OK;
		if (!call->added) {
			wsmfa_gate_leave(&call->gate); /* its timer ends it, unsent */
			continue;
		}
		http->running++;
		wsmfa_timer_set(http->timers, &call->timer, call->until_ms + LIBCURL_FIRST_MS, on_timeout);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct wsmfa_http *http = poll->data;
	uv_os_fd_t fd;
	int flags = 0, running;

	if (uv_fileno((uv_handle_t *)poll, &fd) != 0)
		return;
	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, fd, flags, &running);
	http_reap(http);
}

static void poll_closed(uv_handle_t *handle)
{
	free(handle);
}

/** libcurl says what it waits for on a socket; called before it closes one. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct wsmfa_http *http = ctx;
	uv_poll_t *poll = socket_ctx;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (poll) {
			curl_multi_assign(http->multi, fd, NULL);
			uv_poll_stop(poll);
			uv_close((uv_handle_t *)poll, poll_closed);
		}
		return 0;
	}
	if (!poll) {
		poll = calloc(1, sizeof(*poll));
		if (!poll)
			return -1;
		if (uv_poll_init_socket(http->loop, poll, fd) != 0) {
			free(poll);
			return -1;
		}
		poll->data = http;
		curl_multi_assign(http->multi, fd, poll);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
	struct wsmfa_http *http = timer->data;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_reap(http);
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *ctx)
{
	struct wsmfa_http *http = ctx;

	(void)multi;
	if (uv_is_closing((uv_handle_t *)&http->timer))
		return 0;
	if (timeout_ms < 0)
		uv_timer_stop(&http->timer);
	else
		uv_timer_start(&http->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

/** Half of the descriptors that this process may have; the host needs the others. */
static unsigned running_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 2 > RUNNING_MAX)
		return RUNNING_MAX;
	return (unsigned)files.rlim_cur / 2;
}

struct wsmfa_http *wsmfa_http_open(uv_loop_t *loop, struct wsmfa_timers *timers)
{
	struct wsmfa_http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->multi = curl_multi_init();
	if (!http->multi) {
		free(http);
		return NULL;
	}
	http->loop = loop;
	http->running_max = running_max();
	LIST_INIT(&http->calls);
	SLIST_INIT(&http->gates);
	uv_timer_init(loop, &http->timer);
	http->timers = timers;
	http->timer.data = http;
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, (void *)http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, (void *)http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	return http;
}

struct wsmfa_http_call *wsmfa_http_send(struct wsmfa_http *http, struct wsmfa_provider const *provider,
					struct wsmfa_http_request const *request, int64_t timeout_ms,
					wsmfa_http_done *done, void *ctx)
{
	struct wsmfa_http_call *call;

	if (!wsmfa_url_allowed(provider, request->url))
		return NULL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->http = http;
	call->provider = provider;
	call->request = request;
	call->done = done;
	call->ctx = ctx;
	call->until_ms = uv_now(http->loop) + (uint64_t)timeout_ms;
	LIST_INSERT_HEAD(&http->calls, call, link);
	if (!wsmfa_http_call_prepare(call) || !wsmfa_gate_enter(&http->gates, provider, &call->gate)) {
		call_free(call);
		return NULL;
	}
	wsmfa_timer_set(http->timers, &call->timer, call->until_ms, on_timeout);
	http_pump(http);
	return call;
}

bool wsmfa_http_is_out(struct wsmfa_http_call const *call)
{
	return call->out;
}

void wsmfa_http_cancel(struct wsmfa_http_call *call)
{
	struct wsmfa_http *http = call->http;

	call_free(call);
	http_pump(http);
}

static void http_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void wsmfa_http_close(struct wsmfa_http *http)
{
	while (!LIST_EMPTY(&http->calls))
		call_free(LIST_FIRST(&http->calls));
	curl_multi_cleanup(http->multi);
	wsmfa_gates_free(&http->gates);
	uv_close((uv_handle_t *)&http->timer, http_closed);
}
