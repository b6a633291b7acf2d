/* One HTTP request as libcurl sees it: its options, what comes back, and whether it may have arrived.
 * Apart from http.c, which only moves sockets and timers. */
#ifndef WSMFA_ENGINE_HTTP_CALL_H
#define WSMFA_ENGINE_HTTP_CALL_H

#include <curl/curl.h>

#include "engine/http.h"
#include "engine/http_gate.h"
#include "engine/timers.h"

struct wsmfa_http_call {
	LIST_ENTRY(wsmfa_http_call) link;
	struct wsmfa_gate_entry gate;
	struct wsmfa_timer timer; //!< its end, if libcurl does not see to it
	struct wsmfa_http *http;
	struct wsmfa_provider const *provider;
	struct wsmfa_http_request const *request;
	wsmfa_http_done *done;
	void *ctx;
	uint64_t until_ms;
	CURL *easy;
	bool added; //!< to the multi handle
	struct curl_slist *headers;
	bool out; //!< the request is being sent, or was
	bool oversized;
	char *body;
	size_t body_len, body_size;
	size_t headers_seen; //!< octets
	char retry_after[64], date[64];
	char error[CURL_ERROR_SIZE];
};

/** Makes the easy handle. False without memory or where libcurl lacks an option. */
bool wsmfa_http_call_prepare(struct wsmfa_http_call *);
/** Sets what is left of its time, before it is added. */
void wsmfa_http_call_limit(struct wsmfa_http_call *, int64_t timeout_ms);
/** Reads the result into *out, which points into the call. */
void wsmfa_http_call_result(struct wsmfa_http_call *, CURLcode code, struct wsmfa_http_answer *out, char *problem,
			    size_t size);
/** Frees the easy handle, wipes what we hold. */
void wsmfa_http_call_release(struct wsmfa_http_call *);

#endif
