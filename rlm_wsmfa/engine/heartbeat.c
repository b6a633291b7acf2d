/* The server's heartbeat row: that it lives, what waits, which providers work. `wsmfactl doctor` and metrics read it.
 * Apart from the loop, because it looks into every part and changes none. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "provider/out.h"

#define BEAT_MS 5000

static void set_number(json_t *o, char const *name, uint64_t n)
{
	json_object_set_new(o, name, json_integer((json_int_t)n));
}

static char *breakers_json(struct wsmfa_engine *e)
{
	json_t *o = json_object();
	char *text;

	for (size_t i = 0; i < e->outlets_len; i++)
		json_object_set_new(o, e->outlets[i].provider->name,
				    json_string(wsmfa_breaker_word(&e->outlets[i].breaker)));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static char *counters_json(struct wsmfa_engine *e)
{
	struct wsmfa_engine_counters *c = &e->count;
	json_t *o = json_object();
	char *text;

	set_number(o, "woken", c->woken);
	set_number(o, "timed_out", c->timed_out);
	set_number(o, "never_came", c->never_came);
	set_number(o, "uncollected", c->uncollected);
	set_number(o, "notified", c->notified);
	set_number(o, "caught_up", c->caught_up);
	set_number(o, "park_refused_full", c->refused_full);
	set_number(o, "park_refused_dead", c->refused_dead);
	set_number(o, "park_refused_account", c->refused_account);
	set_number(o, "park_refused_breaker", c->refused_breaker);
	set_number(o, "packets", e->park.count.received);
	set_number(o, "packets_malformed", e->park.count.malformed);
	set_number(o, "packets_forged", e->park.count.forged);
	set_number(o, "packets_strange", e->park.count.strange);
	set_number(o, "packets_unknown", e->park.count.unknown);
	set_number(o, "answers", e->park.count.answered);
	set_number(o, "answers_unsent", e->park.count.unsent);
	set_number(o, "sms_sent", c->sms_sent);
	set_number(o, "sms_failed", c->sms_failed);
	set_number(o, "push_started", c->push_started);
	set_number(o, "push_failed", c->push_failed);
	set_number(o, "push_reports", c->reports);
	set_number(o, "notices", c->notices);
	set_number(o, "notices_failed", c->notices_failed);
	set_number(o, "notices_lost", c->notices_lost);
	set_number(o, "http_requests", c->http_requests);
	set_number(o, "http_retries", c->http_retries);
	set_number(o, "talks", e->talks_len);
	set_number(o, "events_queued", wsmfa_events_queued(&e->events));
	set_number(o, "events_written", e->events.written);
	set_number(o, "events_lost", e->events.lost_total);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* Ids only, as PostgreSQL writes an array of text. Quoted, since one may be called null; none has a quote in it. */
static char const *key_ids(struct wsmfa_keyring const *ring, char *out, size_t size)
{
	size_t n = ring ? wsmfa_keyring_size(ring) : 0, len = 1;

	out[0] = '{';
	for (size_t place = 0; place < n; place++)
		len += (size_t)snprintf(out + len, size - len, "%s\"%s\"", place ? "," : "",
					wsmfa_keyring_id(ring, place));
	out[len] = '}';
	out[len + 1] = '\0';
	return out;
}

static void on_written(void *ctx, enum wsmfa_db_result result, int64_t const *ids, size_t ids_len)
{
	struct wsmfa_engine *e = ctx;

	(void)result;
	(void)ids;
	(void)ids_len;
	e->beating = false;
}

void wsmfa_heartbeat_write(struct wsmfa_engine *e)
{
	char const *state = atomic_load(&e->stopping) ? "stopped" : "running";
	char started[WSMFA_TIME_TEXT], at[WSMFA_TIME_TEXT], parked[24], budget[16], days[16];
	char keys[WSMFA_KEYRING_MAX * (WSMFA_KEY_ID_MAX + 2) + 3];
	char *breakers, *counters;

	if (e->beating || !e->db_ops->up(e->db))
		return;
	breakers = breakers_json(e);
	counters = counters_json(e);
	if (breakers && counters) {
		char const *params[] = { e->config.server_name,
					 WSMFA_VERSION,
					 started,
					 at,
					 state,
					 parked,
					 breakers,
					 counters,
					 budget,
					 days,
					 key_ids(e->config.ring, keys, sizeof(keys)) };

		wsmfa_time_text(e->started_at, started);
		wsmfa_time_text(wsmfa_wall_now(), at);
		snprintf(parked, sizeof(parked), "%zu", wsmfa_waiters_waiting(&e->waiters));
		snprintf(budget, sizeof(budget), "%d", (int)e->config.failure_budget);
		snprintf(days, sizeof(days), "%d", (int)e->config.failure_days);
		e->beating = true;
		e->db_ops->query(e->db,
				 "SELECT wsmfa.heartbeat($1, $2, $3::timestamptz, $4::timestamptz, $5, $6::integer,"
				 " $7::jsonb, $8::jsonb, $9::integer, $10::integer, $11::text[])",
				 params, (int)(sizeof(params) / sizeof(*params)), on_written, e);
	}
	free(breakers);
	free(counters);
}

static void on_beat(struct wsmfa_timer *timer)
{
	struct wsmfa_engine *e = WSMFA_CONTAINER(timer, struct wsmfa_engine, beat);

	wsmfa_heartbeat_write(e);
	wsmfa_timer_set(&e->timers, &e->beat, wsmfa_engine_now(e) + BEAT_MS, on_beat);
}

void wsmfa_heartbeat_start(struct wsmfa_engine *e)
{
	wsmfa_timer_set(&e->timers, &e->beat, wsmfa_engine_now(e) + BEAT_MS, on_beat);
}
