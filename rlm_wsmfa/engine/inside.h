/* The engine from inside: its one struct, and what its files call of each other. All on the loop's thread unless said.
 * Apart from engine.h, which is all that workers see. */
#ifndef WSMFA_ENGINE_INSIDE_H
#define WSMFA_ENGINE_INSIDE_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "engine/breaker.h"
#include "engine/db.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "engine/http.h"
#include "engine/park.h"
#include "engine/timers.h"
#include "engine/waiters.h"

#define WSMFA_REMEMBER_MS  65000  //!< late copies of a woken request are answered for so long
#define WSMFA_REMEMBER_MAX 262144 //!< and so many requests are remembered
#define WSMFA_DEAD_MS      5000   //!< a loop that did not turn for so long is dead to the workers

/** A provider, and whether it works. */
struct wsmfa_outlet {
	struct wsmfa_provider *provider;
	struct wsmfa_breaker breaker;
};

/** A push that is pending or talked about, by challenge id. */
struct wsmfa_push {
	struct wsmfa_node node;
	TAILQ_ENTRY(wsmfa_push) link;   //!< in catch-up order: least recently checked first
	TAILQ_ENTRY(wsmfa_push) report; //!< to be reported
	struct wsmfa_waiter *waiters;   //!< newest first
	uint64_t checked_at_ms;
	uint64_t expires_at_ms;
	wsmfa_time_t ended_at;
	enum wsmfa_delivery delivery;
	bool talking;   //!< a conversation with the provider goes on
	bool reporting; //!< its end is on the way to the database
	bool in_flight; //!< that statement is out
	bool held;      //!< in use: not to be freed
	bool told;      //!< a notification of it has come
};
TAILQ_HEAD(wsmfa_push_list, wsmfa_push);

struct wsmfa_talk;

/** Numbers since the start, for the heartbeat. */
struct wsmfa_engine_counters {
	wsmfa_counter woken, timed_out, never_came, uncollected, notified, caught_up, reports;
	wsmfa_counter sms_sent, sms_failed, push_started, push_failed, notices, notices_failed, notices_lost;
	wsmfa_counter http_requests, http_retries;
	wsmfa_counter refused_full, refused_dead, refused_account, refused_breaker;
};

struct wsmfa_engine {
	/* constant once the thread runs */
	struct wsmfa_engine_config config;
	char *strings[5]; //!< copies that config points to
	struct wsmfa_db_ops const *db_ops;
	struct wsmfa_outlet *outlets;
	size_t outlets_len;
	struct wsmfa_provider *hook; //!< for notices; NULL without
	wsmfa_time_t started_at;
	pthread_t thread;
	/* any thread */
	uv_async_t async;
	wsmfa_counter alive_ms; //!< when the loop last turned
	atomic_bool stopping;
	struct wsmfa_waiters waiters;
	struct wsmfa_events events;
	struct wsmfa_engine_counters count;
	pthread_mutex_t notices_lock;
	struct wsmfa_notice *notices;
	size_t notices_len;
	/* the engine's thread */
	uv_loop_t loop;
	uv_check_t check;
	struct wsmfa_timers timers;
	struct wsmfa_timer tick, sums, beat, stop;
	struct wsmfa_park park;
	struct wsmfa_db *db;
	struct wsmfa_http *http;
	struct wsmfa_table pushes;
	struct wsmfa_push_list waited_for; //!< those with waiters
	struct wsmfa_push_list reports;
	uint64_t up_at_ms; //!< when the database came (back): what was checked before must be checked again
	bool checking;
	LIST_HEAD(, wsmfa_talk) talks;
	size_t talks_len;
	LIST_HEAD(, wsmfa_waiter) parked;
	struct wsmfa_waiter *woken, **woken_end; //!< remembered ones, oldest first
	size_t woken_len;
	uint64_t logged_never_came, logged_strangers;
	bool beating;
	bool farewell; //!< the heartbeat that says "stopped" was begun
	uint64_t stop_at_ms;
	bool stopped;
};

/* loop.c */
struct wsmfa_engine *wsmfa_engine_start_with(struct wsmfa_engine_config const *, struct wsmfa_db_ops const *, char *err,
					     size_t errlen);
/** Where the parking socket is bound; of interest with park_port 0. */
uint16_t wsmfa_engine_park_port(struct wsmfa_engine const *);
uint64_t wsmfa_engine_now(struct wsmfa_engine const *);

/* log.c */
void wsmfa_engine_log(struct wsmfa_engine *, char level, char const *fmt, ...) __attribute__((format(printf, 3, 4)));

/* wake.c */
/** Begins everything in the inbox. */
void wsmfa_inbox_take(struct wsmfa_engine *);
/** Ends a request's waiting, if it has not ended, and answers its copies. */
void wsmfa_wake(struct wsmfa_waiter *, struct wsmfa_woken const *result);
void wsmfa_wake_all(struct wsmfa_engine *);
/** Frees woken requests that need no longer be remembered; all of them at the end. */
void wsmfa_forget_woken(struct wsmfa_engine *, bool all);

/* push.c */
/** The waiter asks or waits for its challenge's push. Takes the job's message, if any. */
void wsmfa_push_join(struct wsmfa_waiter *);
void wsmfa_push_leave(struct wsmfa_waiter *);
/** The row of this challenge may have changed: it is looked up. */
void wsmfa_push_notified(struct wsmfa_engine *, int64_t challenge_id);
/** Asks the database about what is waited for, and tells it what ended. */
void wsmfa_push_tick(struct wsmfa_engine *);
void wsmfa_push_free_all(struct wsmfa_engine *);

/* talk.c */
/** Who is told of a conversation's course; `id` is its own. */
struct wsmfa_talk_owner {
	void (*started)(struct wsmfa_engine *, int64_t id, char const *show);
	/** elsewhere: it has asked, and the answer comes through the database. */
	void (*ended)(struct wsmfa_engine *, int64_t id, enum wsmfa_delivery delivery, bool elsewhere);
};
/** Begins a conversation; the owner may be called before it returns. False without memory: the owner is not called. */
bool wsmfa_talk_begin(struct wsmfa_engine *, struct wsmfa_outlet *, struct wsmfa_message const *, uint64_t deadline_ms,
		      struct wsmfa_talk_owner const *, int64_t id);
void wsmfa_talk_end_all(struct wsmfa_engine *);
/** The outlet of a job that sends something, NULL for one that only waits, or of an unknown provider. */
struct wsmfa_outlet *wsmfa_outlet_of(struct wsmfa_engine *, struct wsmfa_job const *);
/** NULL when there is none of that name. */
struct wsmfa_outlet *wsmfa_outlet_find(struct wsmfa_engine *, enum wsmfa_kind channel, char const *name);

/* heartbeat.c */
void wsmfa_heartbeat_start(struct wsmfa_engine *);
/** Writes the row now, unless one is on its way. */
void wsmfa_heartbeat_write(struct wsmfa_engine *);

/* notice.c */
void wsmfa_notices_send(struct wsmfa_engine *);
void wsmfa_notices_free(struct wsmfa_engine *);

#endif
