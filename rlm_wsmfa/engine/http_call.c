/* One HTTP request as libcurl sees it; see http_call.h.
 * Apart from http.c: here is every rule of safety, TLS to size limits. */
#include "engine/http_call.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/wall.h"
#include "engine/retry_after.h"
#include "provider/out.h"
#include "provider/settings.h"

#define HEADERS_SEEN_MAX 65536 //!< octets of an answer's headers
#define IDLE_SECONDS     20L   //!< a connection that was idle for longer is not used again
#define LIFE_SECONDS     300L

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct wsmfa_http_call *call = ctx;
	size_t len = size * n;

	if (len > WSMFA_HTTP_ANSWER_MAX - call->body_len) {
		call->oversized = true;
		return 0;
	}
	if (call->body_len + len + 1 > call->body_size) {
		size_t want = call->body_len + len + 1 > 4096 ? WSMFA_HTTP_ANSWER_MAX + 1 : 4096;
		char *body = malloc(want);

		if (!body)
			return 0;
		/* Not realloc: it would leave what came so far, which may be a token, where it was. */
		if (call->body) {
			memcpy(body, call->body, call->body_len);
			OPENSSL_cleanse(call->body, call->body_size);
			free(call->body);
		}
		call->body = body;
		call->body_size = want;
	}
	memcpy(call->body + call->body_len, data, len);
	call->body_len += len;
	call->body[call->body_len] = '\0';
	return len;
}

/** Takes a header's value if it has this name (with its colon). */
static void header_take(char const *line, size_t len, char const *name, char *out, size_t size)
{
	size_t n = strlen(name);

	if (len > n && strncasecmp(line, name, n) == 0)
		wsmfa_foreign_clean(out, size, line + n, len - n);
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct wsmfa_http_call *call = ctx;
	size_t len = size * n;

	call->headers_seen += len;
	if (call->headers_seen > HEADERS_SEEN_MAX) {
		call->oversized = true;
		return 0;
	}
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		call->retry_after[0] = call->date[0] = '\0';
	header_take(line, len, "Retry-After:", call->retry_after, sizeof(call->retry_after));
	header_take(line, len, "X-Retry-After:", call->retry_after, sizeof(call->retry_after));
	header_take(line, len, "Date:", call->date, sizeof(call->date));
	return len;
}

/**
 * A connection is there and the request goes out now. libcurl sends a request once more, whatever its method, when a
 * kept connection turns out to be closed; the first may have arrived, so only a poll may go out again.
 */
static int on_ready(void *ctx, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
	struct wsmfa_http_call *call = ctx;

	(void)primary_ip;
	(void)local_ip;
	(void)primary_port;
	(void)local_port;
	wsmfa_gate_leave(&call->gate);
	if (call->out && !call->request->repeatable)
		return CURL_PREREQFUNC_ABORT;
	call->out = true;
	return CURL_PREREQFUNC_OK;
}

/** Adds "Name: value" lines to the list. */
static bool headers_make(struct wsmfa_http_call *call)
{
	char const *line = call->request->headers;
	char copy[WSMFA_HEADERS_MAX];
	struct curl_slist *list;
	bool ok = true;

	/* No waiting for 100 Continue. Not where libcurl signs the headers: it signs this line, too, and does not send it. */
	if (!call->request->aws_sigv4[0]) {
		call->headers = curl_slist_append(NULL, "Expect:");
		ok = call->headers != NULL;
	}
	while (*line && ok) {
		size_t len = strcspn(line, "\n");

		snprintf(copy, sizeof(copy), "%.*s", (int)len, line);
		list = curl_slist_append(call->headers, copy);
		ok = list != NULL;
		if (ok)
			call->headers = list;
		line += len + (line[len] == '\n');
	}
	OPENSSL_cleanse(copy, sizeof(copy));
	return ok;
}

static void headers_free(struct curl_slist *list)
{
	for (struct curl_slist *i = list; i; i = i->next)
		OPENSSL_cleanse(i->data, strlen(i->data));
	curl_slist_free_all(list);
}

#define SET(_option, _value) (ok = curl_easy_setopt(call->easy, (_option), (_value)) == CURLE_OK && ok)

static bool set_method(struct wsmfa_http_call *call)
{
	struct wsmfa_http_request const *r = call->request;
	bool ok = true;

	if (strcmp(r->method, "GET") == 0) {
		SET(CURLOPT_HTTPGET, 1L);
	} else {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE, (long)r->body_len);
		SET(CURLOPT_POSTFIELDS, r->body);
		if (strcmp(r->method, "POST") != 0)
			SET(CURLOPT_CUSTOMREQUEST, r->method);
	}
	if (r->userpwd[0]) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(CURLOPT_USERPWD, r->userpwd);
	}
	if (r->aws_sigv4[0])
		SET(CURLOPT_AWS_SIGV4, r->aws_sigv4);
	return ok;
}

/** http only where the URL says so, and that was allowed before. */
static bool set_protocols(struct wsmfa_http_call *call)
{
	bool plain = strncasecmp(call->request->url, "http:", 5) == 0;
	bool ok = true;

#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
#else
	SET(CURLOPT_PROTOCOLS, plain ? (long)CURLPROTO_HTTP : (long)CURLPROTO_HTTPS);
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, call->provider->proxy);
	return ok;
}

static bool set_tls(struct wsmfa_http_call *call)
{
	bool ok = true;

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (call->provider->ca_file[0])
		SET(CURLOPT_CAINFO, call->provider->ca_file);
	return ok;
}

static bool set_callbacks(struct wsmfa_http_call *call)
{
	bool ok = true;

	SET(CURLOPT_PRIVATE, (void *)call);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, (void *)call);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, (void *)call);
	SET(CURLOPT_PREREQFUNCTION, on_ready);
	SET(CURLOPT_PREREQDATA, (void *)call);
	SET(CURLOPT_ERRORBUFFER, call->error);
	return ok;
}

bool wsmfa_http_call_prepare(struct wsmfa_http_call *call)
{
	bool ok = true;

	call->easy = curl_easy_init();
	if (!call->easy || !headers_make(call))
		return false;
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_URL, call->request->url);
	SET(CURLOPT_USERAGENT, "rlm_wsmfa/" WSMFA_VERSION);
	SET(CURLOPT_HTTPHEADER, call->headers);
	SET(CURLOPT_MAXAGE_CONN, IDLE_SECONDS);
	SET(CURLOPT_MAXLIFETIME_CONN, LIFE_SECONDS);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* The end of a call must not wait for a name server. */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	ok = set_callbacks(call) && ok;
	ok = set_protocols(call) && ok;
	ok = set_tls(call) && ok;
	return set_method(call) && ok;
}

void wsmfa_http_call_limit(struct wsmfa_http_call *call, int64_t timeout_ms)
{
	int64_t connect = call->provider->connect_timeout_ms;

	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(connect > 0 && connect < timeout_ms ? connect : timeout_ms));
}

void wsmfa_http_call_result(struct wsmfa_http_call *call, CURLcode code, struct wsmfa_http_answer *out, char *problem,
			    size_t size)
{
	char const *text = call->oversized  ? "the answer is too large"
			   : call->error[0] ? call->error
					    : curl_easy_strerror(code);

	memset(out, 0, sizeof(*out));
	out->how = code == CURLE_OK ? WSMFA_HTTP_ANSWERED : call->out ? WSMFA_HTTP_LOST : WSMFA_HTTP_UNSENT;
	out->body = "";
	out->retry_after = -1;
	out->at = wsmfa_wall_now();
	out->problem = problem;
	problem[0] = '\0';
	if (out->how != WSMFA_HTTP_ANSWERED) {
		wsmfa_foreign_clean(problem, size, text, strlen(text));
		return;
	}
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &out->status);
	if (call->body) {
		out->body = call->body;
		out->body_len = call->body_len;
	}
	if (call->retry_after[0])
		out->retry_after = wsmfa_retry_after(call->retry_after, call->date, out->at / WSMFA_SECOND);
}

void wsmfa_http_call_release(struct wsmfa_http_call *call)
{
	curl_easy_cleanup(call->easy);
	headers_free(call->headers);
	if (call->body)
		OPENSSL_cleanse(call->body, call->body_size);
	free(call->body);
	free(call);
}
