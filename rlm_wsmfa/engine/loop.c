/* The engine's thread: start, loop, stop; and what workers call that needs nothing but a lock.
 * Apart from what the loop does: each of that is a file of its own. */
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "provider/backends.h"

#define TICK_MS 100
#define LOG_MS  10000 //!< what is counted is logged in sums

uint64_t wsmfa_engine_now(struct wsmfa_engine const *e)
{
	return uv_now(&e->loop);
}

uint16_t wsmfa_engine_park_port(struct wsmfa_engine const *e)
{
	return e->park.port;
}

/* ---- what workers call ---- */

static bool engine_alive(struct wsmfa_engine *e)
{
	return !atomic_load(&e->stopping) && wsmfa_monotonic_ms() < atomic_load(&e->alive_ms) + WSMFA_DEAD_MS;
}

enum wsmfa_park_status wsmfa_engine_park(struct wsmfa_engine *e, struct wsmfa_job const *job)
{
	uint64_t now = wsmfa_monotonic_ms();
	struct wsmfa_outlet *outlet = wsmfa_outlet_of(e, job);
	enum wsmfa_park_status status;

	if (!e->config.park_address || job->ticket <= 0 || !engine_alive(e)) {
		atomic_fetch_add(&e->count.refused_dead, 1);
		return WSMFA_PARK_DEAD;
	}
	if (job->kind != WSMFA_JOB_WAIT && (!outlet || !wsmfa_breaker_pass(&outlet->breaker, now))) {
		atomic_fetch_add(&e->count.refused_breaker, 1);
		return WSMFA_PARK_BREAKER;
	}
	status = wsmfa_waiters_add(&e->waiters, e, job, now, wsmfa_wall_now(), (size_t)e->config.park_max,
				   (size_t)e->config.park_account_max);
	if (status == WSMFA_PARK_OK) {
		uv_async_send(&e->async);
		return status;
	}
	if (outlet)
		wsmfa_breaker_return(&outlet->breaker, now);
	atomic_fetch_add(status == WSMFA_PARK_ACCOUNT_FULL ? &e->count.refused_account : &e->count.refused_full, 1);
	return status;
}

enum wsmfa_park_status wsmfa_engine_room(struct wsmfa_engine *e)
{
	if (!engine_alive(e)) {
		atomic_fetch_add(&e->count.refused_dead, 1);
		return WSMFA_PARK_DEAD;
	}
	if (wsmfa_waiters_waiting(&e->waiters) < (size_t)e->config.park_max)
		return WSMFA_PARK_OK;
	atomic_fetch_add(&e->count.refused_full, 1);
	return WSMFA_PARK_FULL;
}

bool wsmfa_engine_collect(struct wsmfa_engine *e, int64_t ticket, struct wsmfa_woken *out)
{
	return wsmfa_waiters_collect(&e->waiters, ticket, out);
}

void wsmfa_engine_forget(struct wsmfa_engine *e, int64_t ticket)
{
	wsmfa_waiters_forget(&e->waiters, ticket);
}

void wsmfa_engine_event(struct wsmfa_engine *e, struct wsmfa_event const *event)
{
	if (wsmfa_events_add(&e->events, event))
		uv_async_send(&e->async);
}

bool wsmfa_engine_provider_up(struct wsmfa_engine *e, char const *provider)
{
	bool found = false;

	for (size_t i = 0; i < e->outlets_len; i++) {
		if (strcmp(e->outlets[i].provider->name, provider) != 0)
			continue;
		if (!wsmfa_breaker_up(&e->outlets[i].breaker, wsmfa_monotonic_ms()))
			return false;
		found = true;
	}
	return found;
}

/* ---- the loop ---- */

static void on_async(uv_async_t *async)
{
	struct wsmfa_engine *e = async->data;

	wsmfa_inbox_take(e);
	wsmfa_notices_send(e);
	wsmfa_events_flush(&e->events);
}

static void on_check(uv_check_t *check)
{
	struct wsmfa_engine *e = check->data;

	atomic_store(&e->alive_ms, wsmfa_monotonic_ms());
}

static void on_tick(struct wsmfa_timer *timer)
{
	struct wsmfa_engine *e = WSMFA_CONTAINER(timer, struct wsmfa_engine, tick);

	wsmfa_push_tick(e);
	wsmfa_forget_woken(e, false);
	wsmfa_timer_set(&e->timers, &e->tick, wsmfa_engine_now(e) + TICK_MS, on_tick);
}

/** Sums of what went wrong since the last line about it. */
static void log_sums(struct wsmfa_engine *e)
{
	struct wsmfa_park_counters const *c = &e->park.count;
	uint64_t strangers = c->malformed + c->forged + c->strange + c->unknown;

	if (e->count.never_came > e->logged_never_came)
		wsmfa_engine_log(e, 'w',
				 "%llu requests were to wait but were never parked: are wsmfa in pre-proxy and the "
				 "parking home server configured, and is it alive?",
				 (unsigned long long)(e->count.never_came - e->logged_never_came));
	if (strangers > e->logged_strangers)
		wsmfa_engine_log(e, 'w',
				 "%llu packets at the parking port were ignored (so far %llu malformed, %llu with a "
				 "wrong secret, %llu without a ticket, %llu with an unknown one)",
				 (unsigned long long)(strangers - e->logged_strangers),
				 (unsigned long long)c->malformed, (unsigned long long)c->forged,
				 (unsigned long long)c->strange, (unsigned long long)c->unknown);
	e->logged_never_came = e->count.never_came;
	e->logged_strangers = strangers;
}

static void on_log(struct wsmfa_timer *timer)
{
	struct wsmfa_engine *e = WSMFA_CONTAINER(timer, struct wsmfa_engine, sums);

	log_sums(e);
	wsmfa_timer_set(&e->timers, &e->sums, wsmfa_engine_now(e) + LOG_MS, on_log);
}

static void on_db_up(void *ctx)
{
	struct wsmfa_engine *e = ctx;

	e->up_at_ms = wsmfa_engine_now(e);
	/* What people wait for goes first: if somebody has locked what the others write, we are here again and again. */
	wsmfa_push_tick(e);
	wsmfa_heartbeat_write(e);
	wsmfa_events_flush(&e->events);
}

static void on_db_notify(void *ctx, int64_t challenge_id)
{
	struct wsmfa_engine *e = ctx;

	e->count.notified++;
	wsmfa_push_notified(e, challenge_id);
}

static void on_db_log(void *ctx, char level, char const *text)
{
	wsmfa_engine_log(ctx, level, "%s", text);
}

/** Ends when all is written, or the time for it is over. */
static void on_stop(struct wsmfa_timer *timer)
{
	struct wsmfa_engine *e = WSMFA_CONTAINER(timer, struct wsmfa_engine, stop);
	uint64_t now = wsmfa_engine_now(e);
	bool written;

	if (!e->farewell && !e->beating) {
		e->farewell = true;
		wsmfa_heartbeat_write(e);
	}
	written = wsmfa_events_empty(&e->events) && TAILQ_EMPTY(&e->reports) && e->farewell && !e->beating;
	if (now < e->stop_at_ms && !written && e->db_ops->up(e->db)) {
		wsmfa_events_flush(&e->events);
		wsmfa_timer_set(&e->timers, &e->stop, now + 5, on_stop);
		return;
	}
	if (!wsmfa_events_empty(&e->events))
		wsmfa_engine_log(e, 'e', "%zu login events could not be written before the end",
				 wsmfa_events_queued(&e->events));
	e->stopped = true;
}

/** Everybody who waits is woken; the host answers them as it ends. */
static void engine_stop(struct wsmfa_engine *e)
{
	wsmfa_inbox_take(e);
	wsmfa_wake_all(e);
	wsmfa_talk_end_all(e);
	log_sums(e);
	e->events.ends = true;
	e->stop_at_ms = wsmfa_engine_now(e) + (uint64_t)e->config.store_timeout_ms;
	on_stop(&e->stop);
}

static void engine_close(struct wsmfa_engine *e)
{
	if (e->db)
		e->db_ops->close(e->db);
	if (e->http)
		wsmfa_http_close(e->http);
	wsmfa_park_close(&e->park);
	wsmfa_timers_close(&e->timers);
	uv_close((uv_handle_t *)&e->check, NULL);
	uv_close((uv_handle_t *)&e->async, NULL);
	uv_run(&e->loop, UV_RUN_DEFAULT);
}

static void *engine_main(void *ctx)
{
	struct wsmfa_engine *e = ctx;
	bool stopping = false;

	pthread_setname_np(pthread_self(), "wsmfa-engine");
	while (!e->stopped) {
		uv_run(&e->loop, UV_RUN_ONCE);
		if (!stopping && atomic_load(&e->stopping)) {
			stopping = true;
			engine_stop(e);
		}
	}
	engine_close(e);
	return NULL;
}

/* ---- start and end ---- */

static void engine_release(struct wsmfa_engine *e)
{
	wsmfa_forget_woken(e, true);
	wsmfa_waiters_free(&e->waiters);
	wsmfa_push_free_all(e);
	wsmfa_table_free(&e->pushes);
	wsmfa_notices_free(e);
	wsmfa_events_free(&e->events);
	wsmfa_park_free(&e->park);
	for (size_t i = 0; i < e->outlets_len; i++)
		wsmfa_breaker_free(&e->outlets[i].breaker);
	free(e->outlets);
	if (e->hook)
		e->hook->ops->free(e->hook);
	for (size_t i = 0; i < sizeof(e->strings) / sizeof(*e->strings); i++) {
		if (e->strings[i])
			OPENSSL_cleanse(e->strings[i], strlen(e->strings[i]));
		free(e->strings[i]);
	}
	pthread_mutex_destroy(&e->notices_lock);
	free(e);
}

static void outlet_add(struct wsmfa_engine *e, struct wsmfa_provider *p)
{
	struct wsmfa_outlet *o = &e->outlets[e->outlets_len++];

	o->provider = p;
	wsmfa_breaker_init(&o->breaker, p->breaker_failures, p->breaker_seconds);
}

/** The administrator's hook for notices is a provider of our own. */
static bool hook_add(struct wsmfa_engine *e, char *err, size_t errlen)
{
	struct wsmfa_setting const url = { .name = "notify", .value = e->config.notify_url };

	if (!url.value || !url.value[0])
		return true;
	e->hook = wsmfa_notify.configure("notify", &url, 1, err, errlen);
	if (e->hook)
		outlet_add(e, e->hook);
	return e->hook != NULL;
}

static char const *keep(struct wsmfa_engine *e, size_t i, char const *text, bool *ok)
{
	if (!text)
		return NULL;
	e->strings[i] = strdup(text);
	*ok = *ok && e->strings[i];
	return e->strings[i];
}

/** The parts that need no loop. */
static bool engine_prepare(struct wsmfa_engine *e, struct wsmfa_engine_config const *config)
{
	bool ok = wsmfa_waiters_init(&e->waiters);

	pthread_mutex_init(&e->notices_lock, NULL);
	wsmfa_events_init(&e->events);
	ok = wsmfa_table_init(&e->pushes) && ok;
	LIST_INIT(&e->parked);
	LIST_INIT(&e->talks);
	TAILQ_INIT(&e->waited_for);
	TAILQ_INIT(&e->reports);
	e->woken_end = &e->woken;
	e->config = *config;
	e->config.conninfo = keep(e, 0, config->conninfo, &ok);
	e->config.server_name = keep(e, 1, config->server_name, &ok);
	e->config.park_address = keep(e, 2, config->park_address, &ok);
	e->config.park_secret = keep(e, 3, config->park_secret, &ok);
	e->config.notify_url = keep(e, 4, config->notify_url, &ok);
	e->outlets = calloc(config->providers_len + 1, sizeof(*e->outlets));
	ok = ok && e->outlets;
	for (size_t i = 0; ok && i < config->providers_len; i++)
		outlet_add(e, config->providers[i]);
	return ok;
}

/** The loop and what lives on it. On failure the caller closes the loop. */
static bool engine_open(struct wsmfa_engine *e, char *err, size_t errlen)
{
	struct wsmfa_db_config const db = {
		.conninfo = e->config.conninfo,
		.timeout_ms = e->config.store_timeout_ms,
		.ctx = e,
		.on_up = on_db_up,
		.on_notify = on_db_notify,
		.log = on_db_log,
	};

	uv_async_init(&e->loop, &e->async, on_async);
	uv_check_init(&e->loop, &e->check);
	wsmfa_timers_init(&e->timers, &e->loop);
	e->async.data = e->check.data = e;
	uv_check_start(&e->check, on_check);
	if (e->config.park_address && !wsmfa_park_open(&e->park, &e->loop, &e->waiters, e->config.park_address,
						       e->config.park_port, e->config.park_secret, err, errlen))
		return false;
	snprintf(err, errlen, "no memory for the engine");
	e->http = wsmfa_http_open(&e->loop, &e->timers);
	e->db = e->db_ops->open(&e->loop, &db);
	if (!e->http || !e->db)
		return false;
	e->events.timers = &e->timers;
	e->events.db_ops = e->db_ops;
	e->events.db = e->db;
	e->events.log = on_db_log;
	e->events.log_ctx = e;
	wsmfa_events_start(&e->events);
	on_tick(&e->tick);
	on_log(&e->sums);
	wsmfa_heartbeat_start(e);
	return true;
}

/** Signals are the host's: the new thread, and those that libraries start from it, get none. */
static int engine_spawn(struct wsmfa_engine *e)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&e->thread, NULL, engine_main, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct wsmfa_engine *wsmfa_engine_start_with(struct wsmfa_engine_config const *config,
					     struct wsmfa_db_ops const *db_ops, char *err, size_t errlen)
{
	struct wsmfa_engine *e = calloc(1, sizeof(*e));
	int r;

	snprintf(err, errlen, "no memory for the engine");
	if (!e)
		return NULL;
	e->db_ops = db_ops;
	e->started_at = wsmfa_wall_now();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !engine_prepare(e, config) || !hook_add(e, err, errlen) ||
	    uv_loop_init(&e->loop) != 0) {
		engine_release(e);
		return NULL;
	}
	if (!engine_open(e, err, errlen))
		goto fail;
	atomic_store(&e->alive_ms, wsmfa_monotonic_ms());
	r = engine_spawn(e);
	if (r == 0)
		return e;
	snprintf(err, errlen, "no thread for the engine: %s", strerror(r));
fail:
	engine_close(e);
	uv_loop_close(&e->loop);
	engine_release(e);
	return NULL;
}

struct wsmfa_engine *wsmfa_engine_start(struct wsmfa_engine_config const *config, char *err, size_t errlen)
{
	return wsmfa_engine_start_with(config, &wsmfa_db_pg, err, errlen);
}

void wsmfa_engine_free(struct wsmfa_engine *e)
{
	if (!e)
		return;
	atomic_store(&e->stopping, true);
	uv_async_send(&e->async);
	pthread_join(e->thread, NULL);
	uv_loop_close(&e->loop);
	engine_release(e);
}
