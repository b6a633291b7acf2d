/* The parts of the engine that know no network: table, deadlines, breaker, gates, who waits.
 * Apart from test_engine.c: no thread, and only loops that end by themselves. */
#include "unit.h"

#include <openssl/rand.h>

#include "engine/breaker.h"
#include "engine/engine.h"
#include "engine/http_gate.h"
#include "engine/inside.h"
#include "engine/table.h"
#include "engine/timers.h"
#include "engine/waiters.h"

/* ---- table ---- */

static void table_finds_adds_removes(void **state)
{
	static struct wsmfa_node nodes[10000];
	struct wsmfa_table t;
	size_t n = 0;

	(void)state;
	assert_true(wsmfa_table_init(&t));
	assert_null(wsmfa_table_find(&t, 1));
	for (size_t i = 0; i < LENGTH(nodes); i++)
		wsmfa_table_add(&t, &nodes[i], (int64_t)i * 4096);
	assert_int_equal(t.len, LENGTH(nodes));
	for (size_t i = 0; i < LENGTH(nodes); i++)
		assert_ptr_equal(wsmfa_table_find(&t, (int64_t)i * 4096), &nodes[i]);
	assert_null(wsmfa_table_find(&t, 1));
	for (size_t i = 0; i < LENGTH(nodes); i += 2)
		wsmfa_table_remove(&t, &nodes[i]);
	for (size_t i = 0; i < LENGTH(nodes); i++)
		assert_ptr_equal(wsmfa_table_find(&t, (int64_t)i * 4096), i % 2 ? &nodes[i] : NULL);
	while (wsmfa_table_pop(&t))
		n++;
	assert_int_equal(n, LENGTH(nodes) / 2);
	wsmfa_table_free(&t);
}

/* ---- deadlines ---- */

static uv_loop_t loop;
static struct wsmfa_timers timers;
static struct wsmfa_timer many[3000];
static uint64_t last_at;
static size_t fired;

static void on_fire(struct wsmfa_timer *t)
{
	assert_true(t->at_ms >= last_at);
	assert_false(wsmfa_timer_is_set(t));
	last_at = t->at_ms;
	fired++;
	/* One that is set in a callback is no exception to anything. */
	if (fired % 100 == 0)
		wsmfa_timer_set(&timers, t, t->at_ms, on_fire);
	/* Another one is taken away by each tenth. */
	if (fired % 10 == 0)
		wsmfa_timer_clear(&timers, &many[(size_t)(t - many + 1) % LENGTH(many)]);
}

static void deadlines_fire_in_order(void **state)
{
	uint64_t now;
	uint16_t random[LENGTH(many)];
	size_t set = 0;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(wsmfa_timers_init(&timers, &loop), 0);
	assert_int_equal(RAND_bytes((uint8_t *)random, sizeof(random)), 1);
	now = uv_now(&loop);
	for (size_t i = 0; i < LENGTH(many); i++)
		wsmfa_timer_set(&timers, &many[i], now + random[i] % 50, on_fire);
	for (size_t i = 0; i < LENGTH(many); i += 3)
		wsmfa_timer_clear(&timers, &many[i]);
	for (size_t i = 1; i < LENGTH(many); i += 3)
		wsmfa_timer_set(&timers, &many[i], now + random[i] % 20, on_fire);
	wsmfa_timer_clear(&timers, &many[0]);
	for (size_t i = 0; i < LENGTH(many); i++)
		set += wsmfa_timer_is_set(&many[i]);
	assert_int_equal(set, LENGTH(many) / 3 * 2);
	while (timers.root)
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(fired > 1000);
	wsmfa_timers_close(&timers);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/** Set again to an earlier time, the only one that is set does not wait for the later one. */
static void an_earlier_deadline_counts(void **state)
{
	uint64_t begun;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(wsmfa_timers_init(&timers, &loop), 0);
	begun = uv_now(&loop);
	fired = 0;
	last_at = 0;
	memset(many, 0, sizeof(many));
	wsmfa_timer_set(&timers, &many[0], begun + 60000, on_fire);
	wsmfa_timer_set(&timers, &many[0], begun + 10, on_fire);
	while (!fired)
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(uv_now(&loop) < begun + 30000);
	wsmfa_timers_close(&timers);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- breaker ---- */

static void breaker_counts_failures_in_a_row(void **state)
{
	struct wsmfa_breaker b;

	(void)state;
	wsmfa_breaker_init(&b, 3, 10);
	assert_int_equal(wsmfa_breaker_report(&b, false, 0), WSMFA_BREAKER_SAME);
	assert_int_equal(wsmfa_breaker_report(&b, false, 0), WSMFA_BREAKER_SAME);
	assert_int_equal(wsmfa_breaker_report(&b, true, 0), WSMFA_BREAKER_SAME);
	assert_int_equal(wsmfa_breaker_report(&b, false, 0), WSMFA_BREAKER_SAME);
	assert_int_equal(wsmfa_breaker_report(&b, false, 0), WSMFA_BREAKER_SAME);
	assert_true(wsmfa_breaker_pass(&b, 0));
	assert_int_equal(wsmfa_breaker_report(&b, false, 1000), WSMFA_BREAKER_OPENED);
	assert_string_equal(wsmfa_breaker_word(&b), "open");
	assert_false(wsmfa_breaker_pass(&b, 10999));
	assert_false(wsmfa_breaker_up(&b, 10999));
	/* What was on its way when it opened changes nothing. */
	assert_int_equal(wsmfa_breaker_report(&b, false, 5000), WSMFA_BREAKER_SAME);
	assert_true(wsmfa_breaker_up(&b, 11000));
	wsmfa_breaker_free(&b);
}

static void breaker_probes_with_one(void **state)
{
	struct wsmfa_breaker b;

	(void)state;
	wsmfa_breaker_init(&b, 1, 10);
	assert_int_equal(wsmfa_breaker_report(&b, false, 0), WSMFA_BREAKER_OPENED);
	assert_true(wsmfa_breaker_pass(&b, 10000));
	assert_string_equal(wsmfa_breaker_word(&b), "probing");
	assert_false(wsmfa_breaker_pass(&b, 10001));
	assert_int_equal(wsmfa_breaker_report(&b, false, 12000), WSMFA_BREAKER_SAME);
	assert_false(wsmfa_breaker_pass(&b, 21999));
	assert_true(wsmfa_breaker_pass(&b, 22000));
	/* The probe was refused elsewhere: the next one tries. */
	wsmfa_breaker_return(&b, 22001);
	assert_true(wsmfa_breaker_pass(&b, 22001));
	/* A probe that never reports makes room. */
	assert_false(wsmfa_breaker_pass(&b, 32000));
	assert_true(wsmfa_breaker_pass(&b, 32001));
	assert_int_equal(wsmfa_breaker_report(&b, true, 33000), WSMFA_BREAKER_HAS_CLOSED);
	assert_string_equal(wsmfa_breaker_word(&b), "closed");
	wsmfa_breaker_return(&b, 33000);
	assert_true(wsmfa_breaker_pass(&b, 33000));
	assert_true(wsmfa_breaker_pass(&b, 33000));
	wsmfa_breaker_free(&b);
}

/* ---- gates ---- */

static void gates_let_some_pass(void **state)
{
	struct wsmfa_gates gates = SLIST_HEAD_INITIALIZER(gates);
	static struct wsmfa_gate_entry a[WSMFA_GATE_MAX + 3], b[2];
	int one, two;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(a); i++)
		assert_true(wsmfa_gate_enter(&gates, &one, &a[i]));
	while (wsmfa_gate_next(&gates))
		n++;
	assert_int_equal(n, WSMFA_GATE_MAX);
	/* Another provider's do not stand behind them. */
	assert_true(wsmfa_gate_enter(&gates, &two, &b[0]));
	assert_ptr_equal(wsmfa_gate_next(&gates), &b[0]);
	wsmfa_gate_leave(&a[WSMFA_GATE_MAX]); /* still in line */
	wsmfa_gate_leave(&a[0]);
	wsmfa_gate_leave(&a[0]);
	assert_ptr_equal(wsmfa_gate_next(&gates), &a[WSMFA_GATE_MAX + 1]);
	assert_null(wsmfa_gate_next(&gates));
	wsmfa_gates_free(&gates);
}

/* Copies of one login come faster than the engine wakes the older ones: the newest has its place at once, and nobody else loses one. */
static void the_newest_of_a_login_takes_a_place(void **state)
{
	struct wsmfa_job job = { .kind = WSMFA_JOB_WAIT, .account_id = 1, .challenge_id = 7 };
	struct wsmfa_waiters ws;
	struct wsmfa_waiter *taken;
	size_t n = 0;

	(void)state;
	assert_true(wsmfa_waiters_init(&ws));
	for (job.ticket = 1; job.ticket <= 5; job.ticket++)
		assert_int_equal(wsmfa_waiters_add(&ws, NULL, &job, 0, 0, 100, 2), WSMFA_PARK_OK);
	job.challenge_id = 8;
	assert_int_equal(wsmfa_waiters_add(&ws, NULL, &job, 0, 0, 100, 2), WSMFA_PARK_ACCOUNT_FULL);
	/* one that had given its place away gives none back */
	wsmfa_waiters_forget(&ws, 1);
	assert_int_equal(wsmfa_waiters_add(&ws, NULL, &job, 0, 0, 100, 2), WSMFA_PARK_ACCOUNT_FULL);
	wsmfa_waiters_forget(&ws, 5);
	assert_int_equal(wsmfa_waiters_add(&ws, NULL, &job, 0, 0, 100, 2), WSMFA_PARK_OK);
	assert_int_equal(wsmfa_waiters_waiting(&ws), 4);
	for (taken = wsmfa_waiters_take(&ws); taken; taken = taken->next)
		n++;
	assert_int_equal(n, 6);
	for (int64_t ticket = 1; ticket <= 6; ticket++)
		wsmfa_waiters_forget(&ws, ticket);
	assert_int_equal(wsmfa_waiters_waiting(&ws), 0);
	wsmfa_waiters_free(&ws);
}

/* ---- log ---- */

static void keep_line(void *ctx, char level, char const *text)
{
	snprintf(ctx, 64, "%c %s", level, text);
}

/** Whatever a service or the database says stays one line of printable text. */
static void log_lines_are_clean(void **state)
{
	static struct wsmfa_engine e;
	char kept[64] = "";

	(void)state;
	wsmfa_engine_log(&e, 'e', "nobody listens");
	e.config.log = keep_line;
	e.config.log_ctx = kept;
	wsmfa_engine_log(&e, 'w', "it says %s", "one\r\n\ttwo\x1b[31m\xc3\xa4%n");
	assert_string_equal(kept, "w it says one two [31m??%n");
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(table_finds_adds_removes),
		cmocka_unit_test(deadlines_fire_in_order),
		cmocka_unit_test(an_earlier_deadline_counts),
		cmocka_unit_test(breaker_counts_failures_in_a_row),
		cmocka_unit_test(breaker_probes_with_one),
		cmocka_unit_test(gates_let_some_pass),
		cmocka_unit_test(the_newest_of_a_login_takes_a_place),
		cmocka_unit_test(log_lines_are_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
