/* Requests, notes, JSON and pauses for the backends; see step.h.
 * Apart from the backends; everything here is pure. */
#include "provider/step.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define THROTTLE_MAX_MS 32000
#define THROTTLE_TIMES  6

void wsmfa_step_request(struct wsmfa_step *step, char const *method, char const *url)
{
	struct wsmfa_http_request *r = &step->request;

	step->kind = WSMFA_STEP_REQUEST;
	snprintf(r->method, sizeof(r->method), "%s", method);
	if (strlen(url) >= sizeof(r->url)) {
		wsmfa_step_done(step, WSMFA_DELIVERY_FAILED, "the URL is too long");
		return;
	}
	snprintf(r->url, sizeof(r->url), "%s", url);
}

void wsmfa_step_header(struct wsmfa_step *step, char const *name, char const *value)
{
	struct wsmfa_http_request *r = &step->request;
	size_t len = strlen(r->headers);
	struct wsmfa_out out = { .out = r->headers, .size = sizeof(r->headers), .len = len };

	wsmfa_out_put(&out, name);
	wsmfa_out_put(&out, ": ");
	wsmfa_out_put_header(&out, value);
	wsmfa_out_put(&out, "\n");
	if (out.full)
		wsmfa_step_done(step, WSMFA_DELIVERY_FAILED, "the headers are too long");
}

struct wsmfa_out wsmfa_step_body(struct wsmfa_step *step)
{
	struct wsmfa_out out;

	wsmfa_out_init(&out, step->request.body, sizeof(step->request.body));
	return out;
}

void wsmfa_step_seal(struct wsmfa_step *step, struct wsmfa_out const *body)
{
	step->request.body_len = body->len;
	if (body->full)
		wsmfa_step_done(step, WSMFA_DELIVERY_FAILED, "the request is too long");
}

void wsmfa_form_put(struct wsmfa_out *out, char const *name, char const *value)
{
	if (out->len)
		wsmfa_out_put(out, "&");
	wsmfa_out_put_url(out, name);
	wsmfa_out_put(out, "=");
	wsmfa_out_put_url(out, value);
}

void wsmfa_step_done(struct wsmfa_step *step, enum wsmfa_delivery delivery, char const *fmt, ...)
{
	char note[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	step->kind = WSMFA_STEP_DONE;
	step->delivery = delivery;
	wsmfa_foreign_clean(step->note, sizeof(step->note), note, strlen(note));
}

bool wsmfa_step_lost(struct wsmfa_step *step, struct wsmfa_http_answer const *a, char const *what)
{
	if (a->how == WSMFA_HTTP_UNSENT)
		wsmfa_step_done(step, WSMFA_DELIVERY_FAILED, "%s: %s", what, a->problem);
	else if (a->how == WSMFA_HTTP_LOST)
		wsmfa_step_done(step, WSMFA_DELIVERY_UNKNOWN, "%s: no answer: %s", what, a->problem);
	else if (a->status >= 500)
		wsmfa_step_done(step, WSMFA_DELIVERY_UNKNOWN, "%s: status %ld", what, a->status);
	else if (a->status >= 300 && a->status < 400)
		wsmfa_step_done(step, WSMFA_DELIVERY_FAILED, "%s: it redirects, which is not followed: check the URL",
				what);
	else if (a->status < 200)
		wsmfa_step_done(step, WSMFA_DELIVERY_UNKNOWN, "%s: status %ld", what, a->status);
	else
		return false;
	return true;
}

void wsmfa_step_throttled(struct wsmfa_step *step, struct wsmfa_throttle *t, struct wsmfa_conversation const *c,
			  struct wsmfa_http_answer const *a, char const *what)
{
	int64_t left_ms = (c->deadline - a->at) / 1000, pause;

	if (a->retry_after >= 0)
		pause = (int64_t)a->retry_after * 1000;
	else
		pause = (INT64_C(1000) << t->times) + t->random[t->times % sizeof(t->random)] * 1000 / 256;
	if (pause < 100)
		pause = 100;
	if (t->times >= THROTTLE_TIMES || pause > THROTTLE_MAX_MS || pause >= left_ms) {
		wsmfa_step_done(step, WSMFA_DELIVERY_FAILED, "%s: too busy, wait %lld s", what,
				(long long)(pause / 1000));
		return;
	}
	t->times++;
	step->kind = WSMFA_STEP_PAUSE;
	step->pause_ms = (int32_t)pause;
}

json_t *wsmfa_answer_json(struct wsmfa_http_answer const *a)
{
	/* A NUL in a text ends it for us; it must not make the rest unreadable. */
	return json_loadb(a->body, a->body_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

char const *wsmfa_json_text(json_t const *object, char const *name)
{
	char const *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int64_t wsmfa_json_number(json_t const *object, char const *name, int64_t otherwise)
{
	json_t const *n = json_object_get(object, name);

	return json_is_integer(n) ? (int64_t)json_integer_value(n) : otherwise;
}

json_t *wsmfa_json_object(json_t const *object, char const *name)
{
	json_t *o = json_object_get(object, name);

	return json_is_object(o) ? o : NULL;
}
