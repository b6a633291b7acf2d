#include "engine/http.h"
#include <stdlib.h>
struct wsmfa_http {
	int x;
};
struct wsmfa_http *wsmfa_http_open(uv_loop_t *l)
{
	(void)l;
	return calloc(1, sizeof(struct wsmfa_http));
}
struct wsmfa_http_call *wsmfa_http_send(struct wsmfa_http *h, struct wsmfa_provider const *p,
					struct wsmfa_http_request const *r, int64_t t, wsmfa_http_done *d, void *c)
{
	(void)h;
	(void)p;
	(void)r;
	(void)t;
	(void)d;
	(void)c;
	return NULL;
}
bool wsmfa_http_is_out(struct wsmfa_http_call const *c)
{
	(void)c;
	return false;
}
void wsmfa_http_cancel(struct wsmfa_http_call *c)
{
	(void)c;
}
void wsmfa_http_close(struct wsmfa_http *h)
{
	free(h);
}
