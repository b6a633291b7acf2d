/* The requests that wait, by ticket: shared by the worker threads and the engine's, under one lock that is never held over I/O.
 * Apart from the socket and from pushes: this is the only memory that both sides touch. */
#ifndef WSMFA_ENGINE_WAITERS_H
#define WSMFA_ENGINE_WAITERS_H

#include <netinet/in.h>
#include <pthread.h>
#include <sys/queue.h>

#include "engine/engine.h"
#include "engine/radius.h"
#include "engine/table.h"
#include "engine/timers.h"

#define WSMFA_COPIES_MAX 8 //!< distinct copies of a request that are answered, the newest

/** One copy of a parked request, and where its answer goes. */
struct wsmfa_copy {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} from;
	uint8_t times; //!< so many identical ones came: the host counts answers, so each gets one
	uint8_t id;
	uint8_t authenticator[WSMFA_AUTHENTICATOR_LEN];
};

enum wsmfa_waiter_state {
	WSMFA_WAITER_WAITING = 0,
	WSMFA_WAITER_WOKEN, //!< by the engine; its result waits for collect
	WSMFA_WAITER_GONE,  //!< collected, or forgotten by a worker
};

/** A request that waits. Small: thousands wait at once. Freed by the engine's thread only. */
struct wsmfa_waiter {
	struct wsmfa_node node; //!< key: the ticket
	/* constant */
	int64_t account_id;
	int64_t challenge_id;
	uint64_t wake_at_ms;
	uint64_t expires_at_ms;
	uint8_t kind; //!< enum wsmfa_job_kind
	bool wait;
	/* under the lock */
	uint8_t state;
	bool counted; //!< among those of its account
	bool seen;    //!< a copy came
	bool timed_out;
	bool finished;
	uint8_t delivery;
	uint8_t copies_len;
	char *show;
	struct wsmfa_copy copy;
	struct wsmfa_copy *more; //!< WSMFA_COPIES_MAX of them, once there is a second one
	LIST_ENTRY(wsmfa_waiter) account_link;
	/* the engine's thread */
	struct wsmfa_timer timer;
	struct wsmfa_job *job; //!< until it is begun; carries secrets
	struct wsmfa_engine *engine;
	struct wsmfa_push *push;
	struct wsmfa_waiter *push_next;
	struct wsmfa_waiter *next; //!< in the inbox, later in the memory of woken ones
	bool parked;               //!< begun, and not woken yet: in the engine's list
	LIST_ENTRY(wsmfa_waiter) parked_link;
	uint64_t remember_until_ms;
};

struct wsmfa_waiters {
	pthread_mutex_t lock;
	struct wsmfa_table by_ticket;
	struct wsmfa_table accounts; //!< how many of each wait
	size_t waiting;
	struct wsmfa_waiter *inbox, **inbox_end;
};

bool wsmfa_waiters_init(struct wsmfa_waiters *);
/** Frees what is left of them all. */
void wsmfa_waiters_free(struct wsmfa_waiters *);

/**
 * Worker: a new one, which takes `job`'s values; it is in the inbox and no longer ours. Where its account has no place left, it takes
 * that of an older one of the same question, which the engine is about to wake for it.
 */
enum wsmfa_park_status wsmfa_waiters_add(struct wsmfa_waiters *, struct wsmfa_engine *, struct wsmfa_job const *job,
					 uint64_t now_ms, wsmfa_time_t now, size_t max, size_t account_max);
/** Engine: the inbox, linked by `next`, oldest first. */
struct wsmfa_waiter *wsmfa_waiters_take(struct wsmfa_waiters *);
/** Engine: the request of a ticket, NULL for none; only this thread frees one. */
struct wsmfa_waiter *wsmfa_waiters_find(struct wsmfa_waiters *, int64_t ticket);
/** Is it still to be woken? */
bool wsmfa_waiter_waits(struct wsmfa_waiters *, struct wsmfa_waiter const *);

enum wsmfa_copy_status {
	WSMFA_COPY_UNKNOWN = 0, //!< no such ticket
	WSMFA_COPY_KEPT,        //!< answered when the request is woken
	WSMFA_COPY_ANSWER,      //!< woken already: answer it now
};

/** Engine: a copy of a request came. */
enum wsmfa_copy_status wsmfa_waiters_copy(struct wsmfa_waiters *, int64_t ticket, struct wsmfa_copy const *);

/** Engine: ends the waiting, with `result` for collect. Returns how many copies are to be answered, 0 also if it did not wait
 * any more.
 * *ended: it was waiting until now. */
size_t wsmfa_waiter_end(struct wsmfa_waiters *, struct wsmfa_waiter *, struct wsmfa_woken const *result,
			struct wsmfa_copy out[WSMFA_COPIES_MAX], bool *ended);
/** Engine: frees it. True if it was never collected although a copy came. */
bool wsmfa_waiter_free(struct wsmfa_waiters *, struct wsmfa_waiter *);

/** Worker; see engine.h. */
bool wsmfa_waiters_collect(struct wsmfa_waiters *, int64_t ticket, struct wsmfa_woken *out);
void wsmfa_waiters_forget(struct wsmfa_waiters *, int64_t ticket);
size_t wsmfa_waiters_waiting(struct wsmfa_waiters *);

#endif
