/* HTTP by libcurl's multi interface on the engine's loop. It says whether a request may have arrived; what to make of
 * an answer is the provider's. Apart from conversations, to be tried against a hostile server without any. */
#ifndef WSMFA_ENGINE_HTTP_H
#define WSMFA_ENGINE_HTTP_H

#include <uv.h>

#include "engine/timers.h"
#include "provider/provider.h"

struct wsmfa_http;
struct wsmfa_http_call;

/** The answer and its body live for the time of the call. */
typedef void wsmfa_http_done(void *ctx, struct wsmfa_http_answer const *answer);

/** NULL without memory. The timers must outlive it. */
struct wsmfa_http *wsmfa_http_open(uv_loop_t *, struct wsmfa_timers *);
/** Sends a request, which must live until `done` or cancel; it is sent at most once. `done` is called later on the loop's
 * thread. NULL without memory, and for a URL that the provider may not use. */
struct wsmfa_http_call *wsmfa_http_send(struct wsmfa_http *, struct wsmfa_provider const *,
					struct wsmfa_http_request const *, int64_t timeout_ms, wsmfa_http_done *done,
					void *ctx);
/** Has any of the request left us? */
bool wsmfa_http_is_out(struct wsmfa_http_call const *);
/** Ends a call; `done` is not called. */
void wsmfa_http_cancel(struct wsmfa_http_call *);
/** Ends all calls without calling `done`; frees itself in the loop's next rounds. */
void wsmfa_http_close(struct wsmfa_http *);

#endif
