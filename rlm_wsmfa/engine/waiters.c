/* The requests that wait; see waiters.h.
 * Apart from the engine's loop: it is what worker threads call, so it does nothing but look up, link and copy. */
#include "engine/waiters.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/** How many requests of an account wait. */
struct account_count {
	struct wsmfa_node node;
	size_t waiting;
	LIST_HEAD(, wsmfa_waiter) waiters; //!< the newest first
};

bool wsmfa_waiters_init(struct wsmfa_waiters *ws)
{
	memset(ws, 0, sizeof(*ws));
	ws->inbox_end = &ws->inbox;
	if (!wsmfa_table_init(&ws->by_ticket))
		return false;
	if (!wsmfa_table_init(&ws->accounts)) {
		wsmfa_table_free(&ws->by_ticket);
		return false;
	}
	pthread_mutex_init(&ws->lock, NULL);
	return true;
}

static void waiter_release(struct wsmfa_waiter *w)
{
	if (w->job)
		OPENSSL_cleanse(w->job, sizeof(*w->job));
	free(w->job);
	free(w->more);
	free(w->show);
	free(w);
}

void wsmfa_waiters_free(struct wsmfa_waiters *ws)
{
	struct wsmfa_node *node;

	while ((node = wsmfa_table_pop(&ws->by_ticket)))
		waiter_release(WSMFA_CONTAINER(node, struct wsmfa_waiter, node));
	while ((node = wsmfa_table_pop(&ws->accounts)))
		free(WSMFA_CONTAINER(node, struct account_count, node));
	wsmfa_table_free(&ws->by_ticket);
	wsmfa_table_free(&ws->accounts);
	pthread_mutex_destroy(&ws->lock);
}

/** What is left until a time of the wall clock, on the monotonic one: a step of the clock moves no deadline. */
static uint64_t monotonic(wsmfa_time_t at, wsmfa_time_t now, uint64_t now_ms)
{
	if (at <= now)
		return now_ms;
	if (at - now > WSMFA_DAY)
		return now_ms + (uint64_t)(WSMFA_DAY / 1000);
	return now_ms + (uint64_t)((at - now) / 1000);
}

static struct wsmfa_waiter *waiter_new(struct wsmfa_engine *engine, struct wsmfa_job const *job, uint64_t now_ms,
				       wsmfa_time_t now)
{
	struct wsmfa_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->engine = engine;
	w->kind = (uint8_t)job->kind;
	w->wait = job->wait;
	w->account_id = job->account_id;
	w->challenge_id = job->challenge_id;
	w->wake_at_ms = monotonic(job->wake_at, now, now_ms);
	w->expires_at_ms = monotonic(job->expires_at, now, now_ms);
	if (job->kind == WSMFA_JOB_WAIT)
		return w;
	w->job = malloc(sizeof(*w->job));
	if (!w->job) {
		free(w);
		return NULL;
	}
	*w->job = *job;
	return w;
}

/** The account's number, made where it has none; NULL without memory. Called with the lock. */
static struct account_count *account_get(struct wsmfa_waiters *ws, int64_t account_id)
{
	struct wsmfa_node *node = wsmfa_table_find(&ws->accounts, account_id);
	struct account_count *a;

	if (node)
		return WSMFA_CONTAINER(node, struct account_count, node);
	a = calloc(1, sizeof(*a));
	if (a)
		wsmfa_table_add(&ws->accounts, &a->node, account_id);
	return a;
}

/** No longer among those of its account. Called with the lock. */
static void account_leave(struct account_count *a, struct wsmfa_waiter *w)
{
	LIST_REMOVE(w, account_link);
	w->counted = false;
	a->waiting--;
}

/** Counts one more request of an account. Called with the lock. */
static enum wsmfa_park_status account_enter(struct wsmfa_waiters *ws, struct wsmfa_waiter *w, size_t account_max)
{
	struct account_count *a = account_get(ws, w->account_id);
	struct wsmfa_waiter *other, *oldest = NULL;

	if (!a)
		return WSMFA_PARK_FULL;
	if (a->waiting >= account_max) {
		LIST_FOREACH(other, &a->waiters, account_link)
		{
			if (other->challenge_id == w->challenge_id)
				oldest = other;
		}
		if (!oldest)
			return WSMFA_PARK_ACCOUNT_FULL;
		account_leave(a, oldest);
	}
	LIST_INSERT_HEAD(&a->waiters, w, account_link);
	w->counted = true;
	a->waiting++;
	return WSMFA_PARK_OK;
}

/** A request no longer waits. Called with the lock. */
static void waiter_leave(struct wsmfa_waiters *ws, struct wsmfa_waiter *w, enum wsmfa_waiter_state state)
{
	struct account_count *a;

	if (w->counted) {
		a = WSMFA_CONTAINER(wsmfa_table_find(&ws->accounts, w->account_id), struct account_count, node);
		account_leave(a, w);
		if (a->waiting == 0) {
			wsmfa_table_remove(&ws->accounts, &a->node);
			free(a);
		}
	}
	if (w->state == WSMFA_WAITER_WAITING)
		ws->waiting--;
	w->state = (uint8_t)state;
}

enum wsmfa_park_status wsmfa_waiters_add(struct wsmfa_waiters *ws, struct wsmfa_engine *engine,
					 struct wsmfa_job const *job, uint64_t now_ms, wsmfa_time_t now, size_t max,
					 size_t account_max)
{
	struct wsmfa_waiter *w = waiter_new(engine, job, now_ms, now);
	enum wsmfa_park_status status = WSMFA_PARK_FULL;

	if (!w)
		return WSMFA_PARK_FULL;
	pthread_mutex_lock(&ws->lock);
	if (ws->waiting < max && !wsmfa_table_find(&ws->by_ticket, job->ticket))
		status = account_enter(ws, w, account_max);
	if (status == WSMFA_PARK_OK) {
		wsmfa_table_add(&ws->by_ticket, &w->node, job->ticket);
		ws->waiting++;
		*ws->inbox_end = w;
		ws->inbox_end = &w->next;
		w = NULL;
	}
	pthread_mutex_unlock(&ws->lock);
	if (w)
		waiter_release(w);
	return status;
}

struct wsmfa_waiter *wsmfa_waiters_take(struct wsmfa_waiters *ws)
{
	struct wsmfa_waiter *first;

	pthread_mutex_lock(&ws->lock);
	first = ws->inbox;
	ws->inbox = NULL;
	ws->inbox_end = &ws->inbox;
	pthread_mutex_unlock(&ws->lock);
	return first;
}

struct wsmfa_waiter *wsmfa_waiters_find(struct wsmfa_waiters *ws, int64_t ticket)
{
	struct wsmfa_node *node;

	pthread_mutex_lock(&ws->lock);
	node = wsmfa_table_find(&ws->by_ticket, ticket);
	pthread_mutex_unlock(&ws->lock);
	return node ? WSMFA_CONTAINER(node, struct wsmfa_waiter, node) : NULL;
}

bool wsmfa_waiter_waits(struct wsmfa_waiters *ws, struct wsmfa_waiter const *w)
{
	bool waits;

	pthread_mutex_lock(&ws->lock);
	waits = w->state == WSMFA_WAITER_WAITING;
	pthread_mutex_unlock(&ws->lock);
	return waits;
}

static bool copy_same(struct wsmfa_copy const *a, struct wsmfa_copy const *b)
{
	if (a->id != b->id || memcmp(a->authenticator, b->authenticator, sizeof(a->authenticator)) != 0 ||
	    a->from.any.sa_family != b->from.any.sa_family)
		return false;
	if (a->from.any.sa_family == AF_INET6)
		return a->from.v6.sin6_port == b->from.v6.sin6_port;
	return a->from.v4.sin_port == b->from.v4.sin_port;
}

/** Keeps a copy; of more than the maximum the oldest goes. Called with the lock. */
static void waiter_keep(struct wsmfa_waiter *w, struct wsmfa_copy const *copy)
{
	struct wsmfa_copy *list = w->more ? w->more : &w->copy;

	for (size_t i = 0; i < w->copies_len; i++) {
		if (copy_same(&list[i], copy)) {
			if (list[i].times < UINT8_MAX)
				list[i].times++;
			return;
		}
	}
	if (w->copies_len == 1 && !w->more) {
		w->more = calloc(WSMFA_COPIES_MAX, sizeof(*w->more));
		if (!w->more) {
			w->copy = *copy;
			return;
		}
		w->more[0] = w->copy;
		list = w->more;
	}
	if (w->copies_len == WSMFA_COPIES_MAX) {
		memmove(list, list + 1, (WSMFA_COPIES_MAX - 1) * sizeof(*list));
		w->copies_len--;
	}
	list[w->copies_len++] = *copy;
}

enum wsmfa_copy_status wsmfa_waiters_copy(struct wsmfa_waiters *ws, int64_t ticket, struct wsmfa_copy const *copy)
{
	enum wsmfa_copy_status status = WSMFA_COPY_UNKNOWN;
	struct wsmfa_node *node;

	pthread_mutex_lock(&ws->lock);
	node = wsmfa_table_find(&ws->by_ticket, ticket);
	if (node) {
		struct wsmfa_waiter *w = WSMFA_CONTAINER(node, struct wsmfa_waiter, node);

		w->seen = true;
		status = WSMFA_COPY_ANSWER;
		if (w->state == WSMFA_WAITER_WAITING) {
			waiter_keep(w, copy);
			status = WSMFA_COPY_KEPT;
		}
	}
	pthread_mutex_unlock(&ws->lock);
	return status;
}

size_t wsmfa_waiter_end(struct wsmfa_waiters *ws, struct wsmfa_waiter *w, struct wsmfa_woken const *result,
			struct wsmfa_copy out[WSMFA_COPIES_MAX], bool *ended)
{
	size_t n;
	struct wsmfa_copy *more;

	pthread_mutex_lock(&ws->lock);
	*ended = w->state == WSMFA_WAITER_WAITING;
	if (*ended) {
		w->timed_out = result->timed_out;
		w->finished = result->finished;
		w->delivery = (uint8_t)result->delivery;
		if (result->show[0])
			w->show = strdup(result->show);
		waiter_leave(ws, w, WSMFA_WAITER_WOKEN);
	}
	/* One that a worker gave up may still have copies: they are answered too, so that the host is done with it. */
	n = w->copies_len;
	if (n)
		memcpy(out, w->more ? w->more : &w->copy, n * sizeof(*out));
	w->copies_len = 0;
	more = w->more;
	w->more = NULL;
	pthread_mutex_unlock(&ws->lock);
	free(more);
	return n;
}

bool wsmfa_waiter_free(struct wsmfa_waiters *ws, struct wsmfa_waiter *w)
{
	bool uncollected;

	pthread_mutex_lock(&ws->lock);
	uncollected = w->seen && w->state != WSMFA_WAITER_GONE;
	waiter_leave(ws, w, WSMFA_WAITER_GONE);
	wsmfa_table_remove(&ws->by_ticket, &w->node);
	pthread_mutex_unlock(&ws->lock);
	waiter_release(w);
	return uncollected;
}

/** The newest that waits for this question, 0: nobody does. Called with the lock. */
static int64_t newest_of(struct wsmfa_waiters *ws, int64_t account_id, int64_t challenge_id)
{
	struct wsmfa_node *node = wsmfa_table_find(&ws->accounts, account_id);
	struct wsmfa_waiter *w;

	if (!node)
		return 0;
	LIST_FOREACH(w, &WSMFA_CONTAINER(node, struct account_count, node)->waiters, account_link)
	{
		if (w->challenge_id == challenge_id)
			return w->node.key;
	}
	return 0;
}

bool wsmfa_waiters_collect(struct wsmfa_waiters *ws, int64_t ticket, struct wsmfa_woken *out)
{
	struct wsmfa_node *node;
	bool found = false;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&ws->lock);
	node = wsmfa_table_find(&ws->by_ticket, ticket);
	if (node) {
		struct wsmfa_waiter *w = WSMFA_CONTAINER(node, struct wsmfa_waiter, node);

		if (w->state != WSMFA_WAITER_GONE) {
			found = true;
			out->kind = (enum wsmfa_job_kind)w->kind;
			out->challenge_id = w->challenge_id;
			/* The host may give a request up before we do. */
			out->timed_out = w->timed_out || w->state == WSMFA_WAITER_WAITING;
			out->finished = w->finished;
			out->delivery = (enum wsmfa_delivery)w->delivery;
			if (w->show)
				strncat(out->show, w->show, sizeof(out->show) - 1);
			free(w->show);
			w->show = NULL;
			waiter_leave(ws, w, WSMFA_WAITER_GONE);
			if (!out->timed_out && !out->finished)
				out->newer = newest_of(ws, w->account_id, w->challenge_id);
		}
	}
	pthread_mutex_unlock(&ws->lock);
	return found;
}

void wsmfa_waiters_forget(struct wsmfa_waiters *ws, int64_t ticket)
{
	struct wsmfa_node *node;

	pthread_mutex_lock(&ws->lock);
	node = wsmfa_table_find(&ws->by_ticket, ticket);
	if (node)
		waiter_leave(ws, WSMFA_CONTAINER(node, struct wsmfa_waiter, node), WSMFA_WAITER_GONE);
	pthread_mutex_unlock(&ws->lock);
}

size_t wsmfa_waiters_waiting(struct wsmfa_waiters *ws)
{
	size_t n;

	pthread_mutex_lock(&ws->lock);
	n = ws->waiting;
	pthread_mutex_unlock(&ws->lock);
	return n;
}
