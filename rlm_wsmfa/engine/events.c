/* The queue of login events and its batches; see events.h.
 * Apart from the other statements of the engine: it alone must survive hours without a database. */
#include "engine/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/table.h"
#include "engine/wall.h"
#include "provider/out.h"

/** An event without its empty room: five strings one after another, each with its NUL. */
struct wsmfa_packed_event {
	struct wsmfa_packed_event *next;
	wsmfa_time_t at;
	int64_t account_id;
	uint64_t count;
	bool is_loss; //!< stands for `count` events that are lost
	uint8_t stage, has_decision, decision, method, outcome, reason, again;
	size_t text_len;
	char text[];
};

static void events_on_timer(struct wsmfa_timer *);

void wsmfa_events_init(struct wsmfa_events *es)
{
	memset(es, 0, sizeof(*es));
	pthread_mutex_init(&es->lock, NULL);
	es->end = &es->first;
	es->batch_max = WSMFA_EVENTS_BATCH;
}

static void list_free(struct wsmfa_packed_event *e)
{
	while (e) {
		struct wsmfa_packed_event *next = e->next;

		free(e);
		e = next;
	}
}

void wsmfa_events_free(struct wsmfa_events *es)
{
	list_free(es->batch);
	list_free(es->first);
	pthread_mutex_destroy(&es->lock);
}

static struct wsmfa_packed_event *event_pack(struct wsmfa_event const *event)
{
	char const *texts[] = { event->account, event->client, event->station, event->service, event->region };
	size_t len = 0;
	struct wsmfa_packed_event *e;
	char *at;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		len += strlen(texts[i]) + 1;
	e = malloc(sizeof(*e) + len);
	if (!e)
		return NULL;
	e->next = NULL;
	e->at = event->at;
	e->account_id = event->account_id;
	e->count = 1;
	e->is_loss = false;
	e->stage = (uint8_t)event->stage;
	e->has_decision = event->has_decision;
	e->decision = (uint8_t)event->decision;
	e->method = (uint8_t)event->method;
	e->outcome = (uint8_t)event->outcome;
	e->reason = (uint8_t)event->reason;
	e->again = event->again;
	e->text_len = len;
	at = e->text;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		size_t n = strlen(texts[i]) + 1;

		memcpy(at, texts[i], n);
		at += n;
	}
	return e;
}

/** Takes `e`; a loss when the queue is full or `e` is NULL. True when a full batch waits. */
static bool queue_add(struct wsmfa_events *es, struct wsmfa_packed_event *e)
{
	bool full_batch;

	pthread_mutex_lock(&es->lock);
	if (!e || es->len >= WSMFA_EVENTS_MAX) {
		es->lost++;
	} else {
		*es->end = e;
		es->end = &e->next;
		es->len++;
		e = NULL;
	}
	full_batch = es->len == WSMFA_EVENTS_BATCH;
	pthread_mutex_unlock(&es->lock);
	free(e);
	return full_batch;
}

bool wsmfa_events_add(struct wsmfa_events *es, struct wsmfa_event const *event)
{
	return queue_add(es, event_pack(event));
}

/** Of an answer that was settled before: the event of then, maybe another server's, shall be there first. */
static bool event_waits(struct wsmfa_events const *es, struct wsmfa_packed_event const *e, wsmfa_time_t now)
{
	wsmfa_time_t const since = wsmfa_time_span(e->at, now);

	return e->again && !es->ends && since >= 0 && since < WSMFA_EVENTS_AGAIN_MS * (WSMFA_SECOND / 1000);
}

/** Moves the oldest events from the queue to `batch`. */
static void batch_take(struct wsmfa_events *es)
{
	struct wsmfa_packed_event **end = &es->batch, **at;
	wsmfa_time_t const now = wsmfa_wall_now();
	size_t n = 0;

	pthread_mutex_lock(&es->lock);
	for (at = &es->first; n < es->batch_max && *at;) {
		if (event_waits(es, *at, now)) {
			at = &(*at)->next;
			continue;
		}
		*end = *at;
		end = &(*end)->next;
		*at = (*at)->next;
		es->len--;
		n++;
	}
	if (!*at)
		es->end = at;
	*end = NULL;
	pthread_mutex_unlock(&es->lock);
}

/** Puts `batch` back before the queue. */
static void batch_return(struct wsmfa_events *es)
{
	struct wsmfa_packed_event *last = es->batch;
	size_t n = 1;

	if (!last)
		return;
	for (; last->next; last = last->next)
		n++;
	pthread_mutex_lock(&es->lock);
	last->next = es->first;
	if (!es->first)
		es->end = &last->next;
	es->first = es->batch;
	es->len += n;
	es->batch = NULL;
	pthread_mutex_unlock(&es->lock);
}

/** Room that any event's object takes: constants, numbers and words; its texts come on top, at most doubled by escaping. */
#define EVENT_JSON_MAX 512

static void put_text(struct wsmfa_out *out, char const *name, char const *value)
{
	char clean[WSMFA_NAME_MAX + 8];

	if (!value || !*value)
		return;
	wsmfa_foreign_utf8(clean, sizeof(clean), value);
	wsmfa_out_put(out, ",\"");
	wsmfa_out_put(out, name);
	wsmfa_out_put(out, "\":\"");
	wsmfa_out_put_json(out, clean);
	wsmfa_out_put(out, "\"");
}

static void put_number(struct wsmfa_out *out, char const *before, int64_t n)
{
	wsmfa_out_put(out, before);
	wsmfa_out_put_number(out, n);
}

static void put_event(struct wsmfa_out *out, struct wsmfa_packed_event const *e)
{
	static char const *const names[] = { "account", "client", "station", "service", "region" };
	char const *text = e->text;

	put_number(out, "{\"at\":", e->at);
	if (e->account_id)
		put_number(out, ",\"account_id\":", e->account_id);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		put_text(out, names[i], text);
		text += strlen(text) + 1;
	}
	if (e->has_decision) {
		put_text(out, "stage", wsmfa_stage_word((enum wsmfa_stage)e->stage));
		put_text(out, "decision", wsmfa_decision_word((enum wsmfa_decision)e->decision));
	}
	if (e->method != WSMFA_KIND_NONE)
		put_text(out, "method", wsmfa_kind_word((enum wsmfa_kind)e->method));
	put_text(out, "outcome", wsmfa_outcome_word((enum wsmfa_outcome)e->outcome));
	if (e->count > 1)
		put_number(out, ",\"count\":", (int64_t)e->count);
	if (e->is_loss)
		put_text(out, "reason", "events_lost");
	else if (e->reason != WSMFA_REASON_NONE)
		put_text(out, "reason", wsmfa_reason_word((enum wsmfa_reason)e->reason));
	wsmfa_out_put(out, e->again ? ",\"again\":true}" : "}");
}

/** The list as an array of JSON, to be freed; NULL without memory. */
static char *list_json(struct wsmfa_packed_event const *list)
{
	struct wsmfa_out out;
	size_t size = sizeof("[]");
	char *text;

	for (struct wsmfa_packed_event const *e = list; e; e = e->next)
		size += EVENT_JSON_MAX + 2 * e->text_len;
	text = malloc(size);
	if (!text)
		return NULL;
	wsmfa_out_init(&out, text, size);
	for (struct wsmfa_packed_event const *e = list; e; e = e->next) {
		wsmfa_out_put(&out, e == list ? "[" : ",");
		put_event(&out, e);
	}
	wsmfa_out_put(&out, "]");
	if (!out.full)
		return text;
	free(text);
	return NULL;
}

static size_t list_len(struct wsmfa_packed_event const *e)
{
	size_t n = 0;

	for (; e; e = e->next)
		n++;
	return n;
}

/** A loss becomes an event itself, so that an auditor sees the gap. */
static void report_lost(struct wsmfa_events *es)
{
	struct wsmfa_event const event = { .at = wsmfa_wall_now(), .outcome = WSMFA_OUTCOME_ERROR };
	struct wsmfa_packed_event *e;
	char text[64];
	uint64_t lost;

	pthread_mutex_lock(&es->lock);
	lost = es->len < WSMFA_EVENTS_MAX ? es->lost : 0;
	es->lost -= lost;
	pthread_mutex_unlock(&es->lock);
	if (!lost)
		return;
	es->lost_total += lost;
	snprintf(text, sizeof(text), "%llu login events were lost", (unsigned long long)lost);
	es->log(es->log_ctx, 'e', text);
	e = event_pack(&event);
	if (e) {
		e->is_loss = true;
		e->count = lost < INT32_MAX ? lost : INT32_MAX;
	}
	queue_add(es, e);
}

static void events_done(void *ctx, enum wsmfa_db_result result, int64_t const *ids, size_t ids_len)
{
	struct wsmfa_events *es = ctx;
	size_t n = list_len(es->batch);

	(void)ids;
	(void)ids_len;
	es->in_flight = false;
	if (result == WSMFA_DB_OK) {
		es->written += n;
		es->batch_max = es->batch_max * 2 < WSMFA_EVENTS_BATCH ? es->batch_max * 2 : WSMFA_EVENTS_BATCH;
		list_free(es->batch);
		es->batch = NULL;
		report_lost(es);
		wsmfa_events_flush(es);
	} else if (result == WSMFA_DB_REFUSED && n == 1) {
		/* The server refuses this one whatever is tried: the others must not wait behind it. */
		list_free(es->batch);
		es->batch = NULL;
		pthread_mutex_lock(&es->lock);
		es->lost++;
		pthread_mutex_unlock(&es->lock);
	} else {
		if (result == WSMFA_DB_REFUSED)
			es->batch_max = n / 2;
		batch_return(es);
	}
}

void wsmfa_events_flush(struct wsmfa_events *es)
{
	char const *params[1];
	char *text;

	if (es->in_flight || !es->db_ops->up(es->db))
		return;
	batch_take(es);
	if (!es->batch) {
		report_lost(es);
		return;
	}
	text = list_json(es->batch);
	if (!text) {
		batch_return(es);
		return;
	}
	es->in_flight = true;
	params[0] = text;
	es->db_ops->query(es->db, "SELECT wsmfa.events_add($1::jsonb)", params, 1, events_done, es);
	free(text);
}

static void events_on_timer(struct wsmfa_timer *timer)
{
	struct wsmfa_events *es = WSMFA_CONTAINER(timer, struct wsmfa_events, timer);

	wsmfa_events_flush(es);
	wsmfa_timer_set(es->timers, &es->timer, uv_now(es->timers->uv.loop) + WSMFA_EVENTS_FLUSH_MS, events_on_timer);
}

void wsmfa_events_start(struct wsmfa_events *es)
{
	wsmfa_timer_set(es->timers, &es->timer, uv_now(es->timers->uv.loop) + WSMFA_EVENTS_FLUSH_MS, events_on_timer);
}

size_t wsmfa_events_queued(struct wsmfa_events *es)
{
	size_t len;

	pthread_mutex_lock(&es->lock);
	len = es->len;
	pthread_mutex_unlock(&es->lock);
	return len;
}

bool wsmfa_events_empty(struct wsmfa_events *es)
{
	return wsmfa_events_queued(es) == 0 && !es->batch;
}
