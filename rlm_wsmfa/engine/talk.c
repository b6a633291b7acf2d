/* Runs conversations: a provider says what comes next, this sends, waits, retries and keeps the deadline.
 * Apart from providers, which do no I/O, and from HTTP, which knows no conversation. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "engine/inside.h"
#include "engine/wall.h"

#define TIMEOUT_MS   10000 //!< of a request, where neither provider nor request says
#define RETRY_MS     250   //!< first pause before what was not sent is tried again; doubles
#define RETRY_MAX_MS 4000

struct wsmfa_talk {
	LIST_ENTRY(wsmfa_talk) link;
	struct wsmfa_engine *engine;
	struct wsmfa_outlet *outlet;
	struct wsmfa_talk_owner const *owner;
	int64_t id;
	uint64_t deadline_ms;
	uint64_t begun_ms;
	wsmfa_time_t begun_at;
	struct wsmfa_timer timer;
	struct wsmfa_http_call *call;
	struct wsmfa_step *step; //!< while there is something to send: large
	int32_t tries;
	bool started;
	bool asked; //!< a request that makes the phone ring may be out
	struct wsmfa_conversation conversation;
};

static void talk_run(struct wsmfa_talk *t);

struct wsmfa_outlet *wsmfa_outlet_find(struct wsmfa_engine *e, enum wsmfa_kind channel, char const *name)
{
	for (size_t i = 0; i < e->outlets_len; i++) {
		struct wsmfa_outlet *o = &e->outlets[i];

		if (o->provider->ops->channel == channel && strcmp(o->provider->name, name) == 0)
			return o;
	}
	return NULL;
}

struct wsmfa_outlet *wsmfa_outlet_of(struct wsmfa_engine *e, struct wsmfa_job const *job)
{
	if (job->kind == WSMFA_JOB_WAIT)
		return NULL;
	return wsmfa_outlet_find(e, job->kind == WSMFA_JOB_SMS ? WSMFA_KIND_SMS : WSMFA_KIND_PUSH, job->provider);
}

/** The wall clock as it runs since the beginning: steps of it do not reach a conversation. */
static wsmfa_time_t talk_at(struct wsmfa_talk const *t)
{
	return t->begun_at + (wsmfa_time_t)(wsmfa_engine_now(t->engine) - t->begun_ms) * 1000;
}

static void step_free(struct wsmfa_talk *t)
{
	if (t->step)
		OPENSSL_cleanse(t->step, sizeof(*t->step));
	free(t->step);
	t->step = NULL;
}

static bool step_clear(struct wsmfa_talk *t)
{
	if (!t->step)
		t->step = malloc(sizeof(*t->step));
	if (t->step)
		memset(t->step, 0, sizeof(*t->step));
	return t->step != NULL;
}

static void talk_report(struct wsmfa_talk *t, bool worked)
{
	struct wsmfa_outlet *o = t->outlet;

	switch (wsmfa_breaker_report(&o->breaker, worked, wsmfa_engine_now(t->engine))) {
	case WSMFA_BREAKER_OPENED:
		wsmfa_engine_log(t->engine, 'e', "provider %s: down, messages are refused for %d s, then one is tried",
				 o->provider->name, (int)(o->breaker.open_ms / 1000));
		break;
	case WSMFA_BREAKER_HAS_CLOSED:
		wsmfa_engine_log(t->engine, 'i', "provider %s: works again", o->provider->name);
		break;
	case WSMFA_BREAKER_SAME: break;
	}
}

static void talk_free(struct wsmfa_talk *t)
{
	wsmfa_timer_clear(&t->engine->timers, &t->timer);
	if (t->call)
		wsmfa_http_cancel(t->call);
	step_free(t);
	LIST_REMOVE(t, link);
	t->engine->talks_len--;
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

static void talk_end(struct wsmfa_talk *t, enum wsmfa_delivery delivery, bool elsewhere)
{
	struct wsmfa_engine *e = t->engine;
	struct wsmfa_talk_owner const *owner = t->owner;
	char const *name = t->outlet->provider->name;
	char const *note = t->step && t->step->note[0] ? t->step->note : "no reason given";
	int64_t id = t->id;

	switch (delivery) {
	case WSMFA_DELIVERY_FAILED:
		if (elsewhere)
			break;
		wsmfa_engine_log(e, 'w', "provider %s: not sent: %s", name, note);
		talk_report(t, false);
		break;
	case WSMFA_DELIVERY_UNKNOWN:
		wsmfa_engine_log(e, 'w', "provider %s: may not have arrived: %s", name, note);
		talk_report(t, false);
		break;
	case WSMFA_DELIVERY_REFUSED:
		wsmfa_engine_log(e, 'i', "provider %s: refused: %s", name, note);
		talk_report(t, true);
		break;
	default: talk_report(t, true);
	}
	talk_free(t);
	owner->ended(e, id, delivery, elsewhere);
}

/** The deadline has come. */
static void talk_expire(struct wsmfa_talk *t)
{
	if (t->call && wsmfa_http_is_out(t->call) && t->step->request.asks_person)
		t->asked = true;
	if (t->started)
		talk_end(t, WSMFA_DELIVERY_EXPIRED, false);
	else
		talk_end(t, t->asked ? WSMFA_DELIVERY_UNKNOWN : WSMFA_DELIVERY_FAILED, false);
}

static uint64_t talk_left_ms(struct wsmfa_talk const *t)
{
	uint64_t now = wsmfa_engine_now(t->engine);

	return t->deadline_ms > now ? t->deadline_ms - now : 0;
}

static void talk_on_deadline(struct wsmfa_timer *timer)
{
	talk_expire(WSMFA_CONTAINER(timer, struct wsmfa_talk, timer));
}

static void talk_on_answer(void *ctx, struct wsmfa_http_answer const *answer);

static void talk_send(struct wsmfa_talk *t)
{
	struct wsmfa_engine *e = t->engine;
	struct wsmfa_provider const *p = t->outlet->provider;
	struct wsmfa_http_request *request = &t->step->request;
	int64_t timeout = request->timeout_ms ? request->timeout_ms : p->timeout_ms ? p->timeout_ms : TIMEOUT_MS;
	int64_t left = (int64_t)talk_left_ms(t);

	if (left <= 0) {
		talk_expire(t);
		return;
	}
	e->count.http_requests++;
	wsmfa_timer_set(&e->timers, &t->timer, t->deadline_ms + 100, talk_on_deadline);
	t->call = wsmfa_http_send(e->http, p, request, timeout < left ? timeout : left, talk_on_answer, t);
	if (!t->call)
		talk_end(t, WSMFA_DELIVERY_FAILED, false);
}

static void talk_on_retry(struct wsmfa_timer *timer)
{
	talk_send(WSMFA_CONTAINER(timer, struct wsmfa_talk, timer));
}

/** What certainly did not leave us is sent again, after a pause, as often as the provider's settings allow. */
static bool talk_retry(struct wsmfa_talk *t, struct wsmfa_http_answer const *answer)
{
	struct wsmfa_engine *e = t->engine;
	uint64_t pause = RETRY_MS;

	if (answer->how != WSMFA_HTTP_UNSENT || t->tries >= t->outlet->provider->retry_max)
		return false;
	for (int32_t i = 0; i < t->tries && pause < RETRY_MAX_MS; i++)
		pause *= 2;
	if (pause >= talk_left_ms(t))
		return false;
	t->tries++;
	e->count.http_retries++;
	wsmfa_timer_set(&e->timers, &t->timer, wsmfa_engine_now(e) + pause, talk_on_retry);
	return true;
}

static void talk_on_answer(void *ctx, struct wsmfa_http_answer const *got)
{
	struct wsmfa_talk *t = ctx;
	struct wsmfa_http_answer answer = *got;

	t->call = NULL;
	wsmfa_timer_clear(&t->engine->timers, &t->timer);
	if (talk_retry(t, &answer))
		return;
	if (answer.how != WSMFA_HTTP_UNSENT && t->step->request.asks_person)
		t->asked = true;
	t->tries = 0;
	answer.at = talk_at(t);
	step_clear(t);
	t->outlet->provider->ops->answer(t->outlet->provider, &t->conversation, &answer, t->step);
	talk_run(t);
}

static void talk_on_resume(struct wsmfa_timer *timer)
{
	struct wsmfa_talk *t = WSMFA_CONTAINER(timer, struct wsmfa_talk, timer);

	if (talk_left_ms(t) == 0) {
		talk_expire(t);
	} else if (!step_clear(t)) {
		talk_end(t, WSMFA_DELIVERY_FAILED, false);
	} else {
		t->outlet->provider->ops->resume(t->outlet->provider, &t->conversation, talk_at(t), t->step);
		talk_run(t);
	}
}

static void talk_pause(struct wsmfa_talk *t)
{
	uint64_t pause = t->step->pause_ms > 0 ? (uint64_t)t->step->pause_ms : 1;
	uint64_t left = talk_left_ms(t);

	step_free(t);
	wsmfa_timer_set(&t->engine->timers, &t->timer, wsmfa_engine_now(t->engine) + (pause < left ? pause : left),
			talk_on_resume);
}

static void talk_run(struct wsmfa_talk *t)
{
	struct wsmfa_step *step = t->step;

	if (step->started && !t->started) {
		t->started = true;
		talk_report(t, true);
		if (t->owner->started)
			t->owner->started(t->engine, t->id, step->show);
	}
	switch (step->kind) {
	case WSMFA_STEP_REQUEST: talk_send(t); break;
	case WSMFA_STEP_PAUSE: talk_pause(t); break;
	case WSMFA_STEP_ELSEWHERE: talk_end(t, WSMFA_DELIVERY_FAILED, true); break;
	case WSMFA_STEP_DONE: talk_end(t, step->delivery, false); break;
	}
}

bool wsmfa_talk_begin(struct wsmfa_engine *e, struct wsmfa_outlet *outlet, struct wsmfa_message const *message,
		      uint64_t deadline_ms, struct wsmfa_talk_owner const *owner, int64_t id)
{
	struct wsmfa_talk *t = calloc(1, sizeof(*t));
	uint8_t random[16];

	if (!t)
		return false;
	if (!step_clear(t) || RAND_bytes(random, sizeof(random)) != 1) {
		free(t->step);
		free(t);
		return false;
	}
	t->engine = e;
	t->outlet = outlet;
	t->owner = owner;
	t->id = id;
	t->deadline_ms = deadline_ms;
	t->begun_ms = wsmfa_engine_now(e);
	t->begun_at = wsmfa_wall_now();
	t->conversation.message = *message;
	t->conversation.deadline = t->begun_at + (wsmfa_time_t)talk_left_ms(t) * 1000;
	LIST_INSERT_HEAD(&e->talks, t, link);
	e->talks_len++;
	outlet->provider->ops->begin(outlet->provider, &t->conversation, t->begun_at, random, t->step);
	talk_run(t);
	return true;
}

void wsmfa_talk_end_all(struct wsmfa_engine *e)
{
	while (!LIST_EMPTY(&e->talks))
		talk_free(LIST_FIRST(&e->talks)); // NOLINT(clang-analyzer-unix.Malloc): LIST_REMOVE, which it can't follow
}
