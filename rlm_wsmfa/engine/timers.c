/* The pairing heap of deadlines; see timers.h.
 * Apart from the loop, so that its order is tested without any waiting. */
#include "engine/timers.h"

/** Deadlines a round of the loop: sockets get their turn between thousands that are due at once. */
#define FIRES_MAX 1024

static void on_uv_timer(uv_timer_t *uv);

int wsmfa_timers_init(struct wsmfa_timers *ts, uv_loop_t *loop)
{
	ts->root = NULL;
	ts->uv.data = ts;
	return uv_timer_init(loop, &ts->uv);
}

/** The earlier of two roots becomes the parent of the other. Either may be NULL. */
static struct wsmfa_timer *heap_meld(struct wsmfa_timer *a, struct wsmfa_timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->at_ms < a->at_ms) {
		struct wsmfa_timer *t = a;

		a = b;
		b = t;
	}
	b->before = a;
	b->sibling = a->child;
	if (b->sibling)
		b->sibling->before = b;
	a->child = b;
	a->before = NULL;
	a->sibling = NULL;
	return a;
}

/** Melds a list of siblings into one heap: in pairs first, then from the last pair back. Never recursive. */
static struct wsmfa_timer *heap_meld_siblings(struct wsmfa_timer *first)
{
	struct wsmfa_timer *pairs = NULL, *root = NULL;

	while (first) {
		struct wsmfa_timer *a = first, *b = a->sibling;

		first = b ? b->sibling : NULL;
		a->sibling = a->before = NULL;
		if (b)
			b->sibling = b->before = NULL;
		a = heap_meld(a, b);
		a->sibling = pairs;
		pairs = a;
	}
	while (pairs) {
		struct wsmfa_timer *next = pairs->sibling;

		pairs->sibling = NULL;
		root = heap_meld(root, pairs);
		pairs = next;
	}
	return root;
}

static void heap_remove(struct wsmfa_timers *ts, struct wsmfa_timer *t)
{
	struct wsmfa_timer *children = heap_meld_siblings(t->child);

	if (t == ts->root) {
		ts->root = children;
	} else {
		if (t->before->child == t)
			t->before->child = t->sibling;
		else
			t->before->sibling = t->sibling;
		if (t->sibling)
			t->sibling->before = t->before;
		ts->root = heap_meld(ts->root, children);
	}
	t->child = t->sibling = t->before = NULL;
	t->fire = NULL;
}

/** Points libuv's timer at the first deadline. */
static void timers_arm(struct wsmfa_timers *ts)
{
	uint64_t now = uv_now(ts->uv.loop);

	if (uv_is_closing((uv_handle_t *)&ts->uv))
		return;
	if (!ts->root)
		uv_timer_stop(&ts->uv);
	else
		uv_timer_start(&ts->uv, on_uv_timer, ts->root->at_ms > now ? ts->root->at_ms - now : 0, 0);
}

static void on_uv_timer(uv_timer_t *uv)
{
	struct wsmfa_timers *ts = uv->data;
	uint64_t now = uv_now(uv->loop);

	for (int i = 0; i < FIRES_MAX && ts->root && ts->root->at_ms <= now; i++) {
		struct wsmfa_timer *t = ts->root;
		void (*fire)(struct wsmfa_timer *) = t->fire;

		heap_remove(ts, t);
		fire(t);
	}
	timers_arm(ts);
}

void wsmfa_timer_set(struct wsmfa_timers *ts, struct wsmfa_timer *t, uint64_t at_ms, void (*fire)(struct wsmfa_timer *))
{
	struct wsmfa_timer *first = ts->root;

	if (t->fire)
		heap_remove(ts, t);
	t->at_ms = at_ms;
	t->fire = fire;
	t->child = t->sibling = t->before = NULL;
	ts->root = heap_meld(ts->root, t);
	if (ts->root == t || ts->root != first)
		timers_arm(ts);
}

void wsmfa_timer_clear(struct wsmfa_timers *ts, struct wsmfa_timer *t)
{
	if (t->fire)
		heap_remove(ts, t);
}

void wsmfa_timers_close(struct wsmfa_timers *ts)
{
	if (!uv_is_closing((uv_handle_t *)&ts->uv))
		uv_close((uv_handle_t *)&ts->uv, NULL);
}
