/* Login events on their way to the database: packed by worker threads, written in batches by the engine.
 * Apart from the login, which must not wait for them; kept while the database is down, as far as the queue reaches. */
#ifndef WSMFA_ENGINE_EVENTS_H
#define WSMFA_ENGINE_EVENTS_H

#include <pthread.h>

#include "engine/db.h"
#include "engine/timers.h"
#include "store/store.h"

#define WSMFA_EVENTS_MAX      65536
#define WSMFA_EVENTS_BATCH    256
#define WSMFA_EVENTS_FLUSH_MS 100
#define WSMFA_EVENTS_AGAIN_MS 1500 //!< those of an answer that was settled before wait so long

struct wsmfa_packed_event;

struct wsmfa_events {
	/* under the lock */
	pthread_mutex_t lock;
	struct wsmfa_packed_event *first, **end;
	size_t len;
	uint64_t lost; //!< since the last report of it
	/* the engine's thread */
	struct wsmfa_packed_event *batch; //!< on its way
	size_t batch_max;                 //!< shrinks to find the one event that the database refuses
	bool in_flight;
	bool ends; //!< nothing waits any more
	uint64_t written, lost_total;
	struct wsmfa_timer timer;
	struct wsmfa_timers *timers;
	struct wsmfa_db_ops const *db_ops;
	struct wsmfa_db *db;
	void (*log)(void *ctx, char level, char const *text);
	void *log_ctx;
};

void wsmfa_events_init(struct wsmfa_events *);
void wsmfa_events_free(struct wsmfa_events *);
/** Any thread. True when the engine should be woken for a full batch. */
bool wsmfa_events_add(struct wsmfa_events *, struct wsmfa_event const *);
/** Engine: starts flushing. `db`, `timers` and `log` are set. */
void wsmfa_events_start(struct wsmfa_events *);
/** Engine: writes a batch now, if none is on its way and the database is up. */
void wsmfa_events_flush(struct wsmfa_events *);
/** How many wait, without those on their way. */
size_t wsmfa_events_queued(struct wsmfa_events *);
/** Engine: nothing is left to write. */
bool wsmfa_events_empty(struct wsmfa_events *);

#endif
