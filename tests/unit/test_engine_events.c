/* The queue of login events: a database that is slow, down or refuses one loses no other, and what is lost is told.
 * Apart from test_engine.c: the database answers when the test says so. */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/db.h"
#include "engine/events.h"
#include "engine/wall.h"

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

/* Every octet of an event may need another before it; a batch of them must still fit, or it would wait for ever. */
static void the_longest_event_is_written(void **state)
{
	struct wsmfa_event event = { .at = INT64_MIN,
				     .account_id = INT64_MIN,
				     .has_decision = true,
				     .stage = WSMFA_STAGE_ANNOUNCE,
				     .decision = WSMFA_DECISION_ACCEPT_WITH_BANNER,
				     .method = WSMFA_KIND_RECOVERY,
				     .outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR,
				     .reason = WSMFA_REASON_ENROLLMENT_REQUIRED };
	struct wsmfa_events es;
	json_t *array;

	(void)state;
	memset(event.account, '"', sizeof(event.account) - 1);
	memset(event.client, '\\', sizeof(event.client) - 1);
	memset(event.station, '"', sizeof(event.station) - 1);
	memset(event.service, '\\', sizeof(event.service) - 1);
	memset(event.region, '"', sizeof(event.region) - 1);
	wsmfa_events_init(&es);
	es.db_ops = &queue_db;
	queue_up = true;
	for (int i = 0; i < 3; i++)
		wsmfa_events_add(&es, &event);
	assert_int_equal(drain(&es), 1);
	assert_true(wsmfa_events_empty(&es));
	array = json_loads(queue_said, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_array_size(array), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(array, 2), "account")), event.account);
	assert_string_equal(json_string_value(json_object_get(json_array_get(array, 2), "station")), event.station);
	json_decref(array);
	wsmfa_events_free(&es);
}

/** Of an answer that was settled before: maybe another server has yet to write the event of then. Others do not wait for it. */
static void a_repeats_event_waits(void **state)
{
	wsmfa_time_t const now = wsmfa_wall_now();
	struct wsmfa_event event = { .at = now, .account_id = 1, .outcome = WSMFA_OUTCOME_ACCEPTED, .again = true };
	struct wsmfa_events es;

	(void)state;
	wsmfa_events_init(&es);
	es.db_ops = &queue_db;
	queue_up = true;
	wsmfa_events_add(&es, &event);
	assert_int_equal(drain(&es), 0);
	assert_int_equal(wsmfa_events_queued(&es), 1);
	event.account_id = 2;
	event.again = false;
	wsmfa_events_add(&es, &event);
	assert_int_equal(drain(&es), 1);
	assert_non_null(strstr(queue_said, "\"account_id\":2,"));
	assert_null(strstr(queue_said, "again"));
	event.again = true;
	for (int i = 0; i < 2; i++) { // before long, or by a clock that was set back
		event.account_id = 3 + i;
		event.at = i ? now + 3600 * WSMFA_SECOND : now - WSMFA_EVENTS_AGAIN_MS * (WSMFA_SECOND / 1000);
		wsmfa_events_add(&es, &event);
	}
	assert_int_equal(drain(&es), 1);
	assert_non_null(strstr(queue_said, "\"account_id\":3,"));
	assert_non_null(strstr(queue_said, "\"account_id\":4,"));
	assert_non_null(strstr(queue_said, "\"again\":true}"));
	assert_int_equal(wsmfa_events_queued(&es), 1);
	event.account_id = 5; // behind the one that waits
	event.again = false;
	wsmfa_events_add(&es, &event);
	assert_int_equal(drain(&es), 1);
	assert_int_equal(wsmfa_events_queued(&es), 1);
	es.ends = true;
	assert_int_equal(drain(&es), 1);
	assert_true(wsmfa_events_empty(&es));
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

#define ADDERS     4
#define ADDED_EACH 50000

static void *adder(void *ctx)
{
	struct wsmfa_event const event = { .at = 1, .outcome = WSMFA_OUTCOME_DENIED };

	for (int i = 0; i < ADDED_EACH; i++)
		wsmfa_events_add(ctx, &event);
	return NULL;
}

/** Workers find the queue full while the engine is refused one event after another: none is lost uncounted, none is counted twice. */
static void threads_lose_no_count(void **state)
{
	struct wsmfa_event const event = { .at = 1, .outcome = WSMFA_OUTCOME_DENIED };
	pthread_t threads[ADDERS];
	struct wsmfa_events es;

	(void)state;
	wsmfa_events_init(&es);
	es.db_ops = &queue_db;
	es.log = log_last;
	es.batch_max = 1;
	queue_up = true;
	for (int i = 0; i < WSMFA_EVENTS_MAX; i++)
		wsmfa_events_add(&es, &event);
	for (int i = 0; i < ADDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, adder, &es), 0);
	for (int i = 0; i < WSMFA_EVENTS_MAX / 2; i++) {
		wsmfa_events_flush(&es);
		queue_done(queue_ctx, WSMFA_DB_REFUSED, NULL, 0);
	}
	for (int i = 0; i < ADDERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(es.lost > WSMFA_EVENTS_MAX / 2);
	assert_int_equal(es.len + es.lost, WSMFA_EVENTS_MAX + ADDERS * ADDED_EACH);
	wsmfa_events_free(&es);
	free(queue_said);
	queue_said = NULL;
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(a_full_queue_tells_its_loss),
		cmocka_unit_test(the_longest_event_is_written),
		cmocka_unit_test(a_repeats_event_waits),
		cmocka_unit_test(a_refused_event_is_found),
		cmocka_unit_test(threads_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
