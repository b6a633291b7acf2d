/* The engine's parts one by one: tables, deadlines, the breaker, the parking packets, the queue of events, the connection.
 * Apart from test_engine.c: no thread, and only loops that end by themselves. */
#include "unit.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/breaker.h"
#include "engine/db.h"
#include "engine/db_address.h"
#include "engine/events.h"
#include "engine/http_gate.h"
#include "engine/radius.h"
#include "engine/table.h"
#include "engine/timers.h"
#include "engine/wall.h"

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

/* ---- packets ---- */

/** An Access-Request with these attributes. */
static void packet_set(uint8_t *p, char const *attributes, size_t len)
{
	memset(p, 0, 20);
	p[0] = 1;
	p[1] = 7;
	for (size_t i = 4; i < 20; i++)
		p[i] = (uint8_t)i;
	memcpy(p + 20, attributes, len);
	p[2] = (uint8_t)((20 + len) >> 8);
	p[3] = (uint8_t)(20 + len);
}

#define NAME       \
	"\x01\x12" \
	"00000000000004d2"

static enum wsmfa_packet_status decode(char const *attributes, size_t len, struct wsmfa_parked_packet *out)
{
	uint8_t p[4200];

	packet_set(p, attributes, len);
	return wsmfa_parked_decode(p, 20 + len, "s", out);
}

#define DECODE(_literal, _out) decode(_literal, sizeof(_literal) - 1, _out)

static void packets_are_read(void **state)
{
	struct wsmfa_parked_packet out;
	uint8_t p[100];

	(void)state;
	assert_int_equal(DECODE(NAME, &out), WSMFA_PACKET_OK);
	assert_int_equal(out.ticket, 1234);
	assert_int_equal(out.id, 7);
	assert_int_equal(out.authenticator[15], 19);
	assert_int_equal(DECODE("\x21\x03x" NAME "\x05\x02", &out), WSMFA_PACKET_OK);
	/* What comes after the length is padding. */
	packet_set(p, NAME, 18);
	assert_int_equal(wsmfa_parked_decode(p, 60, "s", &out), WSMFA_PACKET_OK);
}

static void malformed_packets_are_refused(void **state)
{
	struct wsmfa_parked_packet out;
	uint8_t p[5000] = { 0 };

	(void)state;
	assert_int_equal(DECODE("", &out), WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE("\x01\x00", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE("\x01\x01", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE("\x01\x13"
				"00000000000004d2",
				&out),
			 WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE(NAME NAME, &out), WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"00000000000004D2",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"0000000000000000",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"8000000000000000",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"ffffffffffffffff",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				" 000000000004d2 ",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x11"
				"0000000000004d2",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x02", &out), WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE(NAME "\x50\x12"
				     "0123456789abcdef",
				&out),
			 WSMFA_PACKET_FORGED);
	assert_int_equal(DECODE(NAME "\x50\x11"
				     "0123456789abcde",
				&out),
			 WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE(NAME "\x50\x12"
				     "0123456789abcdef"
				     "\x50\x12"
				     "0123456789abcdef",
				&out),
			 WSMFA_PACKET_MALFORMED);
	for (size_t len = 0; len < 38; len++) {
		packet_set(p, NAME, 18);
		assert_int_equal(wsmfa_parked_decode(p, len, "s", &out), WSMFA_PACKET_MALFORMED);
	}
	packet_set(p, NAME, 18);
	p[0] = 2;
	assert_int_equal(wsmfa_parked_decode(p, 38, "s", &out), WSMFA_PACKET_MALFORMED);
	packet_set(p, NAME, 18);
	p[3] = 19;
	assert_int_equal(wsmfa_parked_decode(p, 38, "s", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(wsmfa_parked_decode(p, sizeof(p), "s", &out), WSMFA_PACKET_MALFORMED);
}

static void tickets_are_written_as_read(void **state)
{
	char text[WSMFA_TICKET_DIGITS + 1];

	(void)state;
	wsmfa_ticket_text(1234, text);
	assert_string_equal(text, "00000000000004d2");
	wsmfa_ticket_text(INT64_MAX, text);
	assert_string_equal(text, "7fffffffffffffff");
}

/* ---- events ---- */

static bool queue_up;
static char *queue_said;
static size_t queue_batches;

static bool queue_is_up(struct wsmfa_db const *db)
{
	(void)db;
	return queue_up;
}

static wsmfa_db_done *queue_done;
static void *queue_ctx;

static void queue_query(struct wsmfa_db *db, char const *sql, char const *const *params, int n, wsmfa_db_done *done,
			void *ctx)
{
	(void)db;
	(void)sql;
	(void)n;
	free(queue_said);
	queue_said = strdup(params[0]);
	queue_batches++;
	queue_done = done;
	queue_ctx = ctx;
}

static struct wsmfa_db_ops const queue_db = { .up = queue_is_up, .query = queue_query };

static char logged[128];

static void log_last(void *ctx, char level, char const *text)
{
	(void)ctx;
	snprintf(logged, sizeof(logged), "%c %s", level, text);
}

/** Answers what is on its way, until nothing is. */
static size_t drain(struct wsmfa_events *es)
{
	size_t before = queue_batches;

	wsmfa_events_flush(es);
	while (es->in_flight)
		queue_done(queue_ctx, WSMFA_DB_OK, NULL, 0);
	return queue_batches - before;
}

static void a_full_queue_tells_its_loss(void **state)
{
	struct wsmfa_event event = { .at = 1, .outcome = WSMFA_OUTCOME_DENIED };
	struct wsmfa_events es;

	(void)state;
	wsmfa_events_init(&es);
	es.db_ops = &queue_db;
	es.log = log_last;
	for (int i = 0; i < WSMFA_EVENTS_MAX + 100; i++)
		assert_int_equal(wsmfa_events_add(&es, &event), i == WSMFA_EVENTS_BATCH - 1);
	assert_false(wsmfa_events_empty(&es));
	wsmfa_events_flush(&es);
	assert_int_equal(queue_batches, 0);
	queue_up = true;
	assert_int_equal(drain(&es), WSMFA_EVENTS_MAX / WSMFA_EVENTS_BATCH + 1);
	assert_true(wsmfa_events_empty(&es));
	assert_string_equal(logged, "e 100 login events were lost");
	assert_non_null(strstr(queue_said, "\"outcome\":\"error\",\"count\":100,\"reason\":\"events_lost\""));
	assert_int_equal(es.written, WSMFA_EVENTS_MAX + 1);
	wsmfa_events_free(&es);
}

/** One event that the server will never take costs itself and no other. */
static void a_refused_event_is_found(void **state)
{
	struct wsmfa_event event = { .at = 1, .outcome = WSMFA_OUTCOME_DENIED };
	struct wsmfa_events es;
	size_t tries = 0;

	(void)state;
	wsmfa_events_init(&es);
	es.db_ops = &queue_db;
	es.log = log_last;
	queue_up = true;
	for (int i = 0; i < 300; i++) {
		event.account_id = i + 1;
		wsmfa_events_add(&es, &event);
	}
	for (wsmfa_events_flush(&es); es.in_flight || !wsmfa_events_empty(&es); wsmfa_events_flush(&es)) {
		assert_true(tries++ < 100);
		queue_done(queue_ctx, strstr(queue_said, "\"account_id\":77,") ? WSMFA_DB_REFUSED : WSMFA_DB_OK, NULL,
			   0);
	}
	assert_int_equal(es.written, 300);
	assert_int_equal(es.lost_total, 1);
	/* While it is down nothing is lost, and nothing tried. */
	wsmfa_events_add(&es, &event);
	wsmfa_events_flush(&es);
	queue_up = false;
	queue_done(queue_ctx, WSMFA_DB_DOWN, NULL, 0);
	tries = queue_batches;
	wsmfa_events_flush(&es);
	assert_int_equal(queue_batches, tries);
	queue_up = true;
	drain(&es);
	assert_int_equal(es.written, 301);
	assert_int_equal(es.lost_total, 1);
	wsmfa_events_free(&es);
	free(queue_said);
	queue_said = NULL;
}

/* ---- the connection, with nobody there ---- */

static int db_logs, db_ups;
static char db_said[256];

static void db_log(void *ctx, char level, char const *text)
{
	(void)ctx;
	(void)level;
	db_logs++;
	snprintf(db_said, sizeof(db_said), "%s", text);
}

static void db_up(void *ctx)
{
	(void)ctx;
	db_ups++;
}

static void db_notify(void *ctx, int64_t id)
{
	(void)ctx;
	(void)id;
}

static enum wsmfa_db_result db_result;

static void db_done(void *ctx, enum wsmfa_db_result r, int64_t const *ids, size_t n)
{
	(void)ids;
	(void)n;
	db_result = r;
	(*(int *)ctx)++;
}

/** Runs until the connection has said something, then closes it, and returns how often it spoke within that time. */
static void db_fails(char const *conninfo, char const *wanted)
{
	struct wsmfa_db_config const config = {
		.conninfo = conninfo, .timeout_ms = 200, .on_up = db_up, .on_notify = db_notify, .log = db_log
	};
	char const *const params[] = { "1" };
	struct wsmfa_db *db;
	uint64_t until;
	int done = 0;

	db_logs = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	db = wsmfa_db_pg.open(&loop, &config);
	assert_non_null(db);
	assert_false(wsmfa_db_pg.up(db));
	wsmfa_db_pg.query(db, "SELECT $1", params, 1, db_done, &done);
	assert_int_equal(done, 1);
	assert_int_equal(db_result, WSMFA_DB_DOWN);
	while (!db_logs)
		uv_run(&loop, UV_RUN_ONCE);
	if (!strstr(db_said, wanted))
		print_message("# %s\n", db_said);
	assert_non_null(strstr(db_said, wanted));
	/* The same trouble is not logged at each try. */
	uv_update_time(&loop);
	for (until = uv_now(&loop) + 500; uv_now(&loop) < until;)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(db_logs, 1);
	wsmfa_db_pg.close(db);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(db_ups, 0);
}

static void nobody_listens(void **state)
{
	(void)state;
	db_fails("host=127.0.0.1 port=1", "refused");
	db_fails("host=localhost port=1", "refused");
	db_fails("host=127.0.0.1,localhost port=1,2", "refused");
	db_fails("host=/nonexistent", "No such file");
	db_fails("host=nobody.invalid", "no connection");
	db_fails("host=127.0.0.1 password=hush nonsense", "the connection string is malformed");
}

static void a_server_that_says_nothing(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char conninfo[64];

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d", ntohs(at.sin_port));
	db_fails(conninfo, "timeout");
	close(fd);
}

/** Names become addresses, each with its port; what libpq finds itself stays as it is. */
static char found[512];

static void on_address(void *ctx, char const *const *keywords, char const *const *values, char const *problem)
{
	(void)ctx;
	found[0] = '\0';
	if (problem)
		snprintf(found, sizeof(found), "problem");
	for (size_t i = 0; !problem && keywords[i]; i++) {
		if (strcmp(keywords[i], "host") == 0 || strcmp(keywords[i], "hostaddr") == 0 ||
		    strcmp(keywords[i], "port") == 0)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s=%s;", keywords[i],
				 values[i]);
	}
	if (!found[0])
		snprintf(found, sizeof(found), "none");
}

static void assert_address(char const *conninfo, char const *expected)
{
	struct wsmfa_db_address *a;

	found[0] = '\0';
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_true(wsmfa_db_address_find(&loop, conninfo, on_address, NULL, &a));
	while (!found[0])
		uv_run(&loop, UV_RUN_ONCE);
	assert_string_equal(found, expected);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void addresses_of_databases(void **state)
{
	(void)state;
	unsetenv("PGHOST");
	unsetenv("PGHOSTADDR");
	unsetenv("PGPORT");
	assert_address("dbname=x", "none");
	assert_address("host=127.0.0.1", "host=127.0.0.1;hostaddr=127.0.0.1;port=5432;");
	assert_address("host=/run/pg,127.0.0.1 port=1,2", "host=/run/pg,127.0.0.1;hostaddr=,127.0.0.1;port=1,2;");
	assert_address("host=::1,127.0.0.2 port=7", "host=::1,127.0.0.2;hostaddr=::1,127.0.0.2;port=7,7;");
	assert_address("postgresql://u:p@127.0.0.1:9/d", "host=127.0.0.1;hostaddr=127.0.0.1;port=9;");
	assert_address("host=nobody.invalid hostaddr=127.0.0.3", "host=nobody.invalid;hostaddr=127.0.0.3;");
	assert_address("host=nobody.invalid,127.0.0.4", "host=127.0.0.4;hostaddr=127.0.0.4;port=5432;");
	assert_address("host=nobody.invalid", "problem");
	setenv("PGHOST", "127.0.0.5", 1);
	setenv("PGPORT", "8", 1);
	assert_address("dbname=x", "host=127.0.0.5;hostaddr=127.0.0.5;port=8;");
	unsetenv("PGHOST");
	unsetenv("PGPORT");
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

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(table_finds_adds_removes),
		cmocka_unit_test(deadlines_fire_in_order),
		cmocka_unit_test(an_earlier_deadline_counts),
		cmocka_unit_test(breaker_counts_failures_in_a_row),
		cmocka_unit_test(breaker_probes_with_one),
		cmocka_unit_test(packets_are_read),
		cmocka_unit_test(malformed_packets_are_refused),
		cmocka_unit_test(tickets_are_written_as_read),
		cmocka_unit_test(a_full_queue_tells_its_loss),
		cmocka_unit_test(a_refused_event_is_found),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_server_that_says_nothing),
		cmocka_unit_test(addresses_of_databases),
		cmocka_unit_test(gates_let_some_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
