/*
 * The engine: one thread with an event loop that waits for everything a worker thread must not wait for.
 * It stands apart because it alone has threads and sockets: parked requests, HTTP, LISTEN, timers, event batches.
 *
 * Workers call the functions below from any thread; none of them blocks on I/O. Jobs are taken by value: nothing of a
 * request is kept. The engine never decides about access: its answer on the parking socket always means "woken".
 */
#ifndef WSMFA_ENGINE_ENGINE_H
#define WSMFA_ENGINE_ENGINE_H

#include "core/seal.h"
#include "provider/provider.h"
#include "store/store.h"

struct wsmfa_engine;

struct wsmfa_engine_config {
	char const *conninfo; //!< libpq; the engine has one connection of its own
	int32_t store_timeout_ms;
	char const *server_name; //!< of the heartbeat row
	int32_t failure_budget;	 //!< told to SQL by the heartbeat
	int32_t failure_days;
	struct wsmfa_keyring const *ring; //!< borrowed; the heartbeat tells the ids of its keys. NULL: none
	char const *park_address; //!< loopback address of the parking home server, NULL: nothing can be parked
	uint16_t park_port;
	char const *park_secret; //!< RADIUS secret of the home server
	int32_t park_max;
	int32_t park_account_max;	    //!< 2
	struct wsmfa_provider **providers; //!< borrowed; live until wsmfa_engine_free returns
	size_t providers_len;
	char const *notify_url; //!< hook for notices, "" for none
	/** Log sink, called from the engine's thread: 'e' error, 'w' warning, 'i' info, 'd' debug. Text has no secrets. */
	void (*log)(void *ctx, char level, char const *text);
	void *log_ctx;
};

/** Starts the thread (all signals blocked). On failure NULL and one sentence in err. */
struct wsmfa_engine *wsmfa_engine_start(struct wsmfa_engine_config const *, char *err, size_t errlen);

/** Wakes what is parked, writes the last events, ends the thread, frees all. */
void wsmfa_engine_free(struct wsmfa_engine *);

/** Queues an event; written within a second. When the queue is full it is counted, and the loss becomes an event. */
void wsmfa_engine_event(struct wsmfa_engine *, struct wsmfa_event const *);

enum wsmfa_job_kind {
	WSMFA_JOB_SMS = 1, //!< send message; wakes when the gateway has accepted or failed, or at wake_at
	WSMFA_JOB_PUSH,	   //!< start a push; wakes when it has started (wait: when it is answered) or at wake_at
	WSMFA_JOB_WAIT,	   //!< wait for the answer to a push asked before; wakes when it is answered, or at wake_at
};

struct wsmfa_job {
	enum wsmfa_job_kind kind;
	int64_t ticket; //!< random, 63 bits; what pre-proxy puts into the parked packet
	int64_t account_id;
	int64_t challenge_id;
	char provider[WSMFA_LABEL_MAX];
	wsmfa_time_t wake_at;	 //!< the latest time of the answer
	wsmfa_time_t expires_at; //!< of the challenge: after it polling ends
	bool wait;		 //!< WSMFA_JOB_PUSH: wake only when the person has answered
	struct wsmfa_message message;
};

enum wsmfa_park_status {
	WSMFA_PARK_DEAD = 0,
	WSMFA_PARK_OK,
	WSMFA_PARK_FULL,
	WSMFA_PARK_ACCOUNT_FULL,
	WSMFA_PARK_BREAKER,
};

/** Begins a job for a request that is about to be parked under job->ticket. Copies *job; the caller wipes its own. */
enum wsmfa_park_status wsmfa_engine_park(struct wsmfa_engine *, struct wsmfa_job const *job);

/** Is there a place for one more: OK, FULL or DEAD. A hint, asked before something is counted that could then not be sent. */
enum wsmfa_park_status wsmfa_engine_room(struct wsmfa_engine *);

/** What the engine knows of a woken request. A hint: access is decided from the row. */
struct wsmfa_woken {
	enum wsmfa_job_kind kind;
	int64_t challenge_id;
	bool timed_out; //!< wake_at came first
	bool finished;	//!< delivery is final
	enum wsmfa_delivery delivery;
	int64_t newer;	//!< the ticket of the newest request that waits for the same push, 0: none does
	char show[128]; //!< a provider's text for the prompt
};

/** Takes a ticket's result out of the table: true once, false for an unknown ticket or one collected before. */
bool wsmfa_engine_collect(struct wsmfa_engine *, int64_t ticket, struct wsmfa_woken *out);

/** Drops a request that the host gave up before it was parked. */
void wsmfa_engine_forget(struct wsmfa_engine *, int64_t ticket);

/** Tells a person out of band, without a request that waits for it. */
void wsmfa_engine_notice(struct wsmfa_engine *, char const *sms_provider, struct wsmfa_message const *);

/** Does the provider's breaker let messages pass? A provider that is down is not offered. */
bool wsmfa_engine_provider_up(struct wsmfa_engine *, char const *provider);

#endif
