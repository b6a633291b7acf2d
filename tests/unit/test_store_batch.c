/* Calls that travel together: who leads, who waits for how long, and what becomes of whom when one of them is bad.
 * Apart from the store over a server: here a statement is a function, which answers when the test says so. */
#include "unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "store/pg_store.h"

/* What the statement does with the call of this number. */
enum { ANSWERED = 0, PASSED_BY = 100, CULPRIT = 200, BAD_COLUMN = 300 };

struct number_call {
	struct pg_call call;
	int number, got;
};

static struct wsmfa_pg pg;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; // held by the test: statements don't come back
static atomic_int statements, lengths[16], logged, downs;
static _Atomic int64_t late_by; // what calls that begin now have lost of their time
static enum wsmfa_store_result server_says;
static bool nobodys_row;
static size_t put_len;
static int put_numbers[PG_BATCH_MAX];
static pthread_mutex_t putting = PTHREAD_MUTEX_INITIALIZER;

/* The store's own side, instead of store_pg.c. */

bool wsmfa_pg_enter(struct wsmfa_pg *p, int64_t now, bool *probe)
{
	(void)p;
	(void)now;
	*probe = false;
	return true;
}

void wsmfa_pg_leave(struct wsmfa_pg *p, bool probe, enum wsmfa_store_result r)
{
	(void)p;
	(void)probe;
	if (r == WSMFA_STORE_DOWN)
		(void)atomic_fetch_add(&downs, 1);
}

int64_t wsmfa_pg_deadline(struct wsmfa_pg const *p)
{
	return wsmfa_pg_clock() + p->config.store_timeout_ms * INT64_C(1000) - late_by;
}

enum wsmfa_store_result wsmfa_pg_decoded(struct wsmfa_pg *p, char const *statement, struct pg_row const *row,
					 PGresult *result)
{
	(void)p;
	(void)statement;
	assert_null(result);
	if (row->bad)
		(void)atomic_fetch_add(&logged, 1);
	return row->bad ? WSMFA_STORE_BROKEN : WSMFA_STORE_OK;
}

/* A row for each call that is not passed by: n and its number. */
static PGresult *rows_of(int const *numbers, size_t len)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc attributes[2] = { { .name = (char *)(uintptr_t) "n", .typid = PG_INT4, .format = 1 },
				       { .name = (char *)(uintptr_t) "number", .typid = PG_INT4, .format = 1 } };
	int row = 0;

	assert_true(PQsetResultAttrs(r, 2, attributes));
	for (size_t i = 0; i < len; i++) {
		uint32_t n = htonl((uint32_t)i + (nobodys_row ? 2 : 1)), number = htonl((uint32_t)numbers[i]);

		if (numbers[i] >= PASSED_BY && numbers[i] < CULPRIT)
			continue;
		assert_true(PQsetvalue(r, row, 0, (char *)&n, 4));
		assert_true(PQsetvalue(r, row++, 1, (char *)&number, 4));
	}
	return r;
}

enum wsmfa_store_result wsmfa_pg_run(struct wsmfa_pg *p, char const *statement, struct pg_params const *params,
				     bool reads_only, int64_t deadline, PGresult **result)
{
	int numbers[PG_BATCH_MAX];
	size_t len = put_len;
	int n = atomic_fetch_add(&statements, 1);

	(void)p;
	(void)statement;
	(void)reads_only;
	assert_int_equal(params->len, 1);
	memcpy(numbers, put_numbers, sizeof(numbers));
	assert_int_equal(pthread_mutex_unlock(&putting), 0);
	lengths[n % 16] = (int)len;
	assert_int_equal(pthread_mutex_lock(&gate), 0);
	assert_int_equal(pthread_mutex_unlock(&gate), 0);
	if (wsmfa_pg_clock() >= deadline)
		return WSMFA_STORE_DOWN;
	if (server_says != WSMFA_STORE_OK)
		return server_says;
	for (size_t i = 0; i < len; i++) {
		if (numbers[i] >= CULPRIT && numbers[i] < BAD_COLUMN)
			return WSMFA_STORE_BROKEN;
	}
	*result = rows_of(numbers, len);
	return WSMFA_STORE_OK;
}

static void numbers_put(struct wsmfa_pg *p, struct pg_params *params, struct pg_call *const *calls, size_t len)
{
	(void)p;
	assert_int_equal(pthread_mutex_lock(&putting), 0); // until wsmfa_pg_run has read it
	put_len = len;
	wsmfa_pg_put_array(params, PG_INT4, len);
	for (size_t i = 0; i < len; i++) {
		put_numbers[i] = ((struct number_call *)calls[i])->number;
		wsmfa_pg_put_element_int4(params, put_numbers[i]);
	}
}

static bool numbers_get(struct pg_rows const *rows, struct pg_call *call, struct pg_row *row)
{
	struct number_call *x = (struct number_call *)call;

	call->done = rows->len > 0;
	if (!call->done)
		return true;
	*row = wsmfa_pg_row_of(rows, 0, 1);
	x->got = (int)wsmfa_pg_get_int(row, 0, INT32_MAX);
	if (x->got >= BAD_COLUMN)
		wsmfa_pg_bad(row);
	return !row->bad;
}

static struct pg_batch_kind const writes = { .statement = "writes", .put = numbers_put, .get = numbers_get };
static struct pg_batch_kind const reads = {
	.statement = "reads", .reads_only = true, .put = numbers_put, .get = numbers_get
};

/* Threads that make a call each. */
struct caller {
	pthread_t thread;
	struct pg_batch *batch;
	struct number_call x;
	enum wsmfa_store_result r;
};

static struct wsmfa_origin const origin = { .account = "anna" };

static void *call_made(void *arg)
{
	struct caller *c = arg;

	c->r = wsmfa_pg_batch_call(&pg, c->batch, &c->x.call);
	return NULL;
}

static void call_begins(struct caller *c, struct pg_batch *b, int number)
{
	*c = (struct caller) { .batch = b, .x = { .call.origin = &origin, .number = number } };
	assert_int_equal(pthread_create(&c->thread, NULL, call_made, c), 0);
}

static void call_ends(struct caller *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
}

static void until(bool (*holds)(struct pg_batch *, int), struct pg_batch *b, int n)
{
	for (;;) {
		bool is;

		assert_int_equal(pthread_mutex_lock(&b->road->lock), 0);
		is = holds(b, n);
		assert_int_equal(pthread_mutex_unlock(&b->road->lock), 0);
		if (is)
			return;
		(void)nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	}
}

static bool wait_for(struct pg_batch *b, int n)
{
	return b->road->waiting == n;
}

static bool under_way(struct pg_batch *b, int n)
{
	return b->road->under_way == n && statements == n;
}

static void begin(struct pg_batch *b, struct pg_batch_kind const *kind)
{
	static struct pg_road road;

	road = (struct pg_road) { 0 };
	*b = (struct pg_batch) { .kind = kind, .road = &road };
	assert_true(wsmfa_pg_road_init(&road));
	pg.config.store_timeout_ms = 60000;
	statements = logged = downs = 0;
	late_by = 0;
	server_says = WSMFA_STORE_OK;
	nobodys_row = false;
}

/* One call is under way and holds the others up; `numbers` wait, and then all come back. */
static void go(struct pg_batch *b, struct caller *callers, int const *numbers, int len)
{
	struct caller first;

	assert_int_equal(pthread_mutex_lock(&gate), 0);
	call_begins(&first, b, 1);
	until(under_way, b, 1);
	for (int i = 0; i < len; i++) {
		call_begins(&callers[i], b, numbers[i]);
		until(wait_for, b, i + 1);
	}
	assert_int_equal(pthread_mutex_unlock(&gate), 0);
	call_ends(&first);
	for (int i = 0; i < len; i++)
		call_ends(&callers[i]);
	assert_int_equal(lengths[0], 1);
	assert_int_equal(b->road->waiting, 0);
	assert_int_equal(b->road->under_way, 0);
	wsmfa_pg_road_end(b->road);
}

static void one_call_goes_at_once(void **state)
{
	struct pg_batch b;
	struct caller c;

	(void)state;
	begin(&b, &writes);
	call_begins(&c, &b, 7);
	call_ends(&c);
	assert_int_equal(c.r, WSMFA_STORE_OK);
	assert_int_equal(c.x.got, 7);
	assert_true(c.x.call.done);
	assert_false(c.x.call.shared);
	wsmfa_pg_road_end(b.road);
}

static void who_waits_travels_together(void **state)
{
	static int const numbers[] = { 11, PASSED_BY, 13, BAD_COLUMN, 15 };
	struct pg_batch b;
	struct caller c[5];

	(void)state;
	begin(&b, &writes);
	go(&b, c, numbers, 5);
	assert_int_equal(statements, 2);
	assert_int_equal(lengths[1], 5);
	for (int i = 0; i < 5; i += 2) {
		assert_int_equal(c[i].r, WSMFA_STORE_OK);
		assert_int_equal(c[i].x.got, numbers[i]);
		assert_false(wsmfa_pg_batch_left(&c[i].x.call, c[i].r));
	}
	assert_true(wsmfa_pg_batch_left(&c[1].x.call, c[1].r)); // passed by: to be asked for alone
	assert_int_equal(c[3].r, WSMFA_STORE_BROKEN);           // its own row is bad, and nobody else's
	assert_int_equal(logged, 1);
}

static void one_bad_call_spoils_no_reading(void **state)
{
	static int const numbers[] = { 11, CULPRIT, 13 };
	struct pg_batch b;
	struct caller c[3];

	(void)state;
	begin(&b, &reads);
	go(&b, c, numbers, 3);
	assert_int_equal(statements, 2 + 3); // and then each alone
	assert_int_equal(c[0].r, WSMFA_STORE_OK);
	assert_int_equal(c[0].x.got, 11);
	assert_int_equal(c[1].r, WSMFA_STORE_BROKEN);
	assert_int_equal(c[2].x.got, 13);
}

static void one_bad_call_leaves_the_others_to_write_alone(void **state)
{
	static int const numbers[] = { 11, CULPRIT };
	struct pg_batch b;
	struct caller c[2];

	(void)state;
	begin(&b, &writes);
	go(&b, c, numbers, 2);
	assert_int_equal(statements, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(c[i].r, WSMFA_STORE_BROKEN);
		assert_true(wsmfa_pg_batch_left(&c[i].x.call, c[i].r));
	}
}

static void a_server_that_is_down_is_down_for_all(void **state)
{
	static int const numbers[] = { 11, 12 };
	struct pg_batch b;
	struct caller c[2];

	(void)state;
	begin(&b, &reads);
	server_says = WSMFA_STORE_DOWN;
	go(&b, c, numbers, 2);
	assert_int_equal(statements, 2);
	assert_int_equal(downs, 2); // the breaker hears of statements
	for (int i = 0; i < 2; i++) {
		assert_int_equal(c[i].r, WSMFA_STORE_DOWN);
		assert_false(wsmfa_pg_batch_left(&c[i].x.call, c[i].r)); // nobody knows what ran: never again
	}
}

static void a_row_of_nobody_spoils_all(void **state)
{
	static int const numbers[] = { 11, 12 };
	struct pg_batch b;
	struct caller c[2];

	(void)state;
	begin(&b, &writes);
	nobodys_row = true;
	go(&b, c, numbers, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(c[i].r, WSMFA_STORE_BROKEN);
		assert_false(c[i].x.call.done);
		assert_int_equal(c[i].x.got, 0);
	}
}

static void nobody_waits_longer_than_the_timeout(void **state)
{
	struct pg_batch b;
	struct caller first, late;

	(void)state;
	begin(&b, &writes);
	assert_int_equal(pthread_mutex_lock(&gate), 0);
	call_begins(&first, &b, 1);
	until(under_way, &b, 1);
	pg.config.store_timeout_ms = 20;
	call_begins(&late, &b, 2);
	call_ends(&late); // though the first is still under way
	assert_int_equal(late.r, WSMFA_STORE_DOWN);
	assert_int_equal(b.road->waiting, 0);
	assert_int_equal(pthread_mutex_unlock(&gate), 0);
	call_ends(&first);
	assert_int_equal(first.r, WSMFA_STORE_OK);
	assert_int_equal(statements, 1);
	wsmfa_pg_road_end(b.road);
}

static void who_has_little_time_left_goes_alone(void **state)
{
	struct pg_batch b;
	struct caller first, late, c[3];

	(void)state;
	begin(&b, &writes);
	assert_int_equal(pthread_mutex_lock(&gate), 0);
	call_begins(&first, &b, 1);
	until(under_way, &b, 1);
	call_begins(&c[0], &b, 11);
	until(wait_for, &b, 1);
	late_by = 40000000; // of 60 s
	call_begins(&late, &b, 12);
	until(wait_for, &b, 2);
	late_by = 0;
	for (int i = 1; i < 3; i++) {
		call_begins(&c[i], &b, 12 + i);
		until(wait_for, &b, 2 + i);
	}
	assert_int_equal(pthread_mutex_unlock(&gate), 0);
	call_ends(&first);
	call_ends(&late);
	for (int i = 0; i < 3; i++)
		call_ends(&c[i]);
	assert_int_equal(late.x.got, 12);
	assert_int_equal(statements, 3);
	assert_int_equal(lengths[1], 3); // past the late one, whose time is not theirs
	assert_int_equal(lengths[2], 1);
	assert_int_equal(b.road->waiting, 0);
	wsmfa_pg_road_end(b.road);
}

static void kinds_go_by_one_road_and_do_not_mix(void **state)
{
	struct pg_batch b, other, third;
	struct caller w[3], r[2], t;

	(void)state;
	begin(&b, &writes);
	other = (struct pg_batch) { .kind = &reads, .road = b.road };
	third = (struct pg_batch) { .kind = &writes, .road = b.road };
	assert_int_equal(pthread_mutex_lock(&gate), 0);
	call_begins(&w[0], &b, 1);
	until(under_way, &b, 1);
	call_begins(&r[0], &other, 2);
	until(under_way, &b, PG_BATCHES_FREE); // nobody of its kind is, and there is room
	call_begins(&t, &third, 3);
	until(wait_for, &b, 1); // nobody of its kind is, but there is no room
	call_begins(&w[1], &b, 4);
	until(wait_for, &b, 2);
	call_begins(&r[1], &other, 5);
	until(wait_for, &b, 3);
	call_begins(&w[2], &b, 6);
	until(wait_for, &b, 4);
	assert_int_equal(pthread_mutex_unlock(&gate), 0);
	for (int i = 0; i < 3; i++)
		call_ends(&w[i]);
	for (int i = 0; i < 2; i++)
		call_ends(&r[i]);
	call_ends(&t);
	/* Two that went at once, the third kind's, and one of each kind that waited. Who leads takes along who waits when it comes to
	   that: the last one may have got a place of its own before. */
	assert_in_range(statements, 5, 6);
	assert_int_equal(w[1].x.got + w[2].x.got, 10);
	assert_int_equal(w[1].x.call.shared, statements == 5);
	assert_int_equal(w[2].x.call.shared, statements == 5);
	assert_int_equal(r[1].x.got, 5);
	assert_int_equal(t.x.got, 3);
	assert_false(r[1].x.call.shared || t.x.call.shared);
	assert_int_equal(b.under_way + other.under_way + third.under_way + b.road->under_way, 0);
	wsmfa_pg_road_end(b.road);
}

static void a_crowd_gets_more_statements(void **state)
{
	enum { CROWD = PG_BATCH_ENOUGH * PG_BATCHES_MAX + PG_BATCH_MAX };
	static struct caller c[CROWD];
	struct pg_batch b;
	int done = 0;

	(void)state;
	begin(&b, &writes);
	assert_int_equal(pthread_mutex_lock(&gate), 0);
	for (int i = 0; i < CROWD; i++) {
		call_begins(&c[i], &b, i % 50 + 1);
		while (atomic_load(&statements) == 0)
			(void)nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	}
	until(under_way, &b, PG_BATCHES_MAX); // and no more of them
	assert_int_equal(pthread_mutex_unlock(&gate), 0);
	for (int i = 0; i < CROWD; i++) {
		call_ends(&c[i]);
		done += c[i].r == WSMFA_STORE_OK && c[i].x.got == i % 50 + 1;
	}
	assert_int_equal(done, CROWD);
	assert_int_equal(b.road->under_way, 0);
	for (int i = 0; i < 16 && i < statements; i++)
		assert_in_range(lengths[i], 1, PG_BATCH_MAX);
	wsmfa_pg_road_end(b.road);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(one_call_goes_at_once),
		cmocka_unit_test(who_waits_travels_together),
		cmocka_unit_test(one_bad_call_spoils_no_reading),
		cmocka_unit_test(one_bad_call_leaves_the_others_to_write_alone),
		cmocka_unit_test(a_server_that_is_down_is_down_for_all),
		cmocka_unit_test(a_row_of_nobody_spoils_all),
		cmocka_unit_test(nobody_waits_longer_than_the_timeout),
		cmocka_unit_test(who_has_little_time_left_goes_alone),
		cmocka_unit_test(kinds_go_by_one_road_and_do_not_mix),
		cmocka_unit_test(a_crowd_gets_more_statements),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
