/* The engine whole: real threads, a real UDP socket and timers; the database is a fake.
 * Apart from the tests of its parts, because here the order of things is tried. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "fake_db.h"
#include "fake_host.h"

#define WITHIN_MS 5000 //!< what should happen has happened by then
#define NOT_MS    150  //!< and what should not, has not

struct world {
	struct wsmfa_engine *engine;
	struct fake_host host;
	struct wsmfa_provider *providers[2];
	struct wsmfa_keyring *ring;
	char outbox[64];
};

static void log_line(void *ctx, char level, char const *text)
{
	(void)ctx;
	if (getenv("WSMFA_TEST_LOG"))
		fprintf(stderr, "# %c %s\n", level, text);
}

static int64_t next_ticket = 0x1000;

/* Two keys: what the heartbeat tells is their ids. */
#define KEYS "second AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nnull AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n"

static void world_start(struct world *w)
{
	struct wsmfa_setting path = { "path", w->outbox, "test", 1 };
	struct wsmfa_engine_config config = {
		.conninfo = "",
		.store_timeout_ms = 2000,
		.server_name = "test",
		.failure_budget = 30,
		.failure_days = 30,
		.park_address = "127.0.0.1",
		.park_secret = FAKE_HOST_SECRET,
		.park_max = 50,
		.park_account_max = 2,
		.providers = w->providers,
		.providers_len = 2,
		.log = log_line,
	};
	char err[256] = "";

	snprintf(w->outbox, sizeof(w->outbox), "test_engine.%ld.outbox", (long)getpid());
	w->providers[0] = wsmfa_provider_find(WSMFA_KIND_SMS, "file")->configure("file", &path, 1, err, sizeof(err));
	w->providers[1] = wsmfa_provider_find(WSMFA_KIND_PUSH, "local")->configure("local", NULL, 0, err, sizeof(err));
	assert_non_null(w->providers[0]);
	assert_non_null(w->providers[1]);
	assert_true(wsmfa_keyring_parse(KEYS, strlen(KEYS), &w->ring, err, sizeof(err)));
	config.ring = w->ring;
	fake_db_reset();
	w->engine = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_string_equal(w->engine ? "" : err, "");
	fake_host_open(&w->host, wsmfa_engine_park_port(w->engine));
}

static void world_end(struct world *w)
{
	wsmfa_engine_free(w->engine);
	wsmfa_keyring_free(w->ring);
	fake_host_close(&w->host);
	for (size_t i = 0; i < 2; i++)
		w->providers[i]->ops->free(w->providers[i]);
	unlink(w->outbox);
}

static struct wsmfa_job job_of(enum wsmfa_job_kind kind, int64_t challenge_id, int ms)
{
	struct wsmfa_job job = { .kind = kind, .ticket = next_ticket++, .challenge_id = challenge_id };

	job.account_id = job.ticket;
	job.wake_at = wsmfa_wall_now() + (wsmfa_time_t)ms * 1000;
	job.expires_at = job.wake_at;
	snprintf(job.provider, sizeof(job.provider), "%s", kind == WSMFA_JOB_SMS ? "file" : "local");
	snprintf(job.message.phone, sizeof(job.message.phone), "+358401234567");
	snprintf(job.message.text, sizeof(job.message.text), "Your code is 123456");
	return job;
}

static void answered(struct world *w, struct fake_request const *request)
{
	assert_int_equal(fake_host_answer(&w->host, request, 1, WITHIN_MS), 0);
}

static void not_answered(struct world *w)
{
	assert_int_equal(fake_host_answer(&w->host, NULL, 0, NOT_MS), -1);
}

static void push_starts_and_wakes(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct wsmfa_woken woken;
	struct fake_request request;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_PUSH, 7, 10000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 1, job.ticket);
	answered(&w, &request);
	assert_true(wsmfa_engine_collect(w.engine, job.ticket, &woken));
	assert_int_equal(woken.kind, WSMFA_JOB_PUSH);
	assert_int_equal(woken.challenge_id, 7);
	assert_false(woken.timed_out);
	assert_false(woken.finished);
	assert_false(wsmfa_engine_collect(w.engine, job.ticket, &woken));
	world_end(&w);
}

static void notification_wakes_who_waits(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct wsmfa_woken woken;
	struct fake_request request;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 10000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 2, job.ticket);
	not_answered(&w);
	fake_db_notify(9);
	not_answered(&w);
	fake_db_notify(8);
	answered(&w, &request);
	assert_true(wsmfa_engine_collect(w.engine, job.ticket, &woken));
	assert_false(woken.timed_out);
	world_end(&w);
}

/** Any role of the database may send one: the row says whether the phone has answered. */
static void notification_that_lies_wakes_nobody(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request request;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 2, job.ticket);
	assert_true(fake_db_wait("{8}", 1));
	for (size_t i = 2; i < 5; i++) {
		fake_db_lie(8);
		assert_true(fake_db_wait("{8}", i));
	}
	not_answered(&w);
	fake_db_notify(8);
	answered(&w, &request);
	assert_int_equal(w.engine->count.caught_up, 0);
	world_end(&w);
}

static void outcome_before_the_ticket(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request request;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 10000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	assert_true(fake_db_wait("push_answered", 1));
	fake_db_notify(8);
	while (wsmfa_waiters_waiting(&w.engine->waiters))
		sched_yield();
	request = fake_host_park(&w.host, 2, job.ticket);
	answered(&w, &request);
	world_end(&w);
}

/** The host counts answers: a copy that came twice gets two. */
static void every_copy_is_answered(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request requests[4];
	int seen[3] = { 0 };

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 10000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	for (uint8_t i = 0; i < 3; i++)
		requests[i] = fake_host_park(&w.host, i, job.ticket);
	fake_host_repeat(&w.host, &requests[1], job.ticket);
	not_answered(&w);
	fake_db_notify(8);
	for (int i = 0; i < 4; i++) {
		int which = fake_host_answer(&w.host, requests, 3, WITHIN_MS);

		assert_in_range(which, 0, 2);
		seen[which]++;
	}
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 2);
	assert_int_equal(seen[2], 1);
	not_answered(&w);
	/* A late one, after the request was collected. */
	requests[3] = fake_host_park(&w.host, 9, job.ticket);
	answered(&w, &requests[3]);
	world_end(&w);
}

static void the_newest_copies_are_kept(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request requests[WSMFA_COPIES_MAX + 2];

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 10000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	for (uint8_t i = 0; i < LENGTH(requests); i++)
		requests[i] = fake_host_park(&w.host, i, job.ticket);
	not_answered(&w);
	fake_db_notify(8);
	for (size_t i = 0; i < WSMFA_COPIES_MAX; i++)
		assert_in_range(fake_host_answer(&w.host, requests, LENGTH(requests), WITHIN_MS), 2, LENGTH(requests));
	not_answered(&w);
	world_end(&w);
}

static void wake_at_comes_first(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct wsmfa_woken woken;
	struct fake_request request;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 200);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 2, job.ticket);
	answered(&w, &request);
	assert_true(wsmfa_engine_collect(w.engine, job.ticket, &woken));
	assert_true(woken.timed_out);
	world_end(&w);
}

static void an_answer_without_notification_is_found(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request request;

	(void)state;
	world_start(&w);
	fake_db_answer(8);
	job = job_of(WSMFA_JOB_WAIT, 8, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 2, job.ticket);
	answered(&w, &request);
	/* While the connection was away. */
	job = job_of(WSMFA_JOB_WAIT, 9, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 3, job.ticket);
	assert_true(fake_db_wait("{9}", 1));
	fake_db_set_up(false);
	fake_db_answer(9);
	not_answered(&w);
	fake_db_set_up(true);
	answered(&w, &request);
	world_end(&w);
}

static void a_newer_request_takes_over(void **state)
{
	struct world w;
	struct wsmfa_job first, second;
	struct wsmfa_woken woken;
	struct fake_request requests[2];

	(void)state;
	world_start(&w);
	first = job_of(WSMFA_JOB_WAIT, 8, 60000);
	second = job_of(WSMFA_JOB_WAIT, 8, 60000);
	second.account_id = first.account_id;
	assert_int_equal(wsmfa_engine_park(w.engine, &first), WSMFA_PARK_OK);
	requests[0] = fake_host_park(&w.host, 1, first.ticket);
	not_answered(&w);
	assert_int_equal(wsmfa_engine_park(w.engine, &second), WSMFA_PARK_OK);
	requests[1] = fake_host_park(&w.host, 2, second.ticket);
	answered(&w, &requests[0]);
	not_answered(&w);
	assert_true(wsmfa_engine_collect(w.engine, first.ticket, &woken));
	assert_false(woken.timed_out);
	assert_int_equal(woken.newer, second.ticket);
	fake_db_notify(8);
	answered(&w, &requests[1]);
	assert_true(wsmfa_engine_collect(w.engine, second.ticket, &woken));
	assert_int_equal(woken.newer, 0);
	world_end(&w);
}

static void strange_packets_are_ignored(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request request;
	uint8_t packet[300];
	char name[24];
	size_t len;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_WAIT, 8, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	snprintf(name, sizeof(name), "%016llx", (unsigned long long)job.ticket);
	len = fake_host_packet(packet, &request, 1, name, "wrong secret");
	fake_host_send(&w.host, packet, len);
	len = fake_host_packet(packet, &request, 1, name, FAKE_HOST_SECRET);
	for (size_t cut = 0; cut < len; cut++)
		fake_host_send(&w.host, packet, cut);
	fake_host_park(&w.host, 2, 0x7777777777777777);
	len = fake_host_packet(packet, &request, 1, "no ticket", FAKE_HOST_SECRET);
	fake_host_send(&w.host, packet, len);
	fake_db_notify(8);
	not_answered(&w);
	/* The control: the right one is answered, and without Message-Authenticator too. */
	len = fake_host_packet(packet, &request, 1, name, NULL);
	fake_host_send(&w.host, packet, len);
	answered(&w, &request);
	assert_int_equal(w.engine->park.count.forged, 1);
	world_end(&w);
}

static void sms_line_is_there_before_the_wake(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct wsmfa_woken woken;
	struct fake_request request;
	char line[512] = "";
	struct stat st;
	int fd;

	(void)state;
	world_start(&w);
	job = job_of(WSMFA_JOB_SMS, 8, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	request = fake_host_park(&w.host, 2, job.ticket);
	answered(&w, &request);
	fd = open(w.outbox, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	assert_non_null(strstr(line, "\",\"to\":\"+358401234567\",\"text\":\"Your code is 123456\"}\n"));
	assert_true(wsmfa_engine_collect(w.engine, job.ticket, &woken));
	assert_true(woken.finished);
	assert_int_equal(woken.delivery, WSMFA_DELIVERY_SENT);
	world_end(&w);
}

static void limits_hold(void **state)
{
	struct world w;
	struct wsmfa_job job, jobs[50];
	struct wsmfa_woken woken;

	(void)state;
	world_start(&w);
	for (size_t i = 0; i < LENGTH(jobs); i++) {
		jobs[i] = job_of(WSMFA_JOB_WAIT, (int64_t)i + 1, 60000);
		if (i < 3)
			jobs[i].account_id = 1;
		assert_int_equal(wsmfa_engine_park(w.engine, &jobs[i]),
				 i == 2 ? WSMFA_PARK_ACCOUNT_FULL : WSMFA_PARK_OK);
	}
	job = job_of(WSMFA_JOB_WAIT, 100, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	job = job_of(WSMFA_JOB_WAIT, 101, 60000);
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_FULL);
	/* What is forgotten, or given up by the host, makes room. */
	wsmfa_engine_forget(w.engine, jobs[0].ticket);
	assert_false(wsmfa_engine_collect(w.engine, jobs[0].ticket, &woken));
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
	assert_true(wsmfa_engine_collect(w.engine, jobs[1].ticket, &woken));
	assert_true(woken.timed_out);
	jobs[2].ticket = next_ticket++;
	assert_int_equal(wsmfa_engine_park(w.engine, &jobs[2]), WSMFA_PARK_OK);
	/* The same ticket twice is nobody's. */
	wsmfa_engine_forget(w.engine, jobs[5].ticket);
	assert_int_equal(wsmfa_engine_park(w.engine, &jobs[2]), WSMFA_PARK_FULL);
	job = job_of(WSMFA_JOB_PUSH, 200, 1000);
	strcpy(job.provider, "nobody");
	assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_BREAKER);
	assert_false(wsmfa_engine_provider_up(w.engine, "nobody"));
	assert_true(wsmfa_engine_provider_up(w.engine, "local"));
	world_end(&w);
}

static void the_end_wakes_everybody(void **state)
{
	struct world w;
	struct wsmfa_job job;
	struct fake_request requests[20];
	struct wsmfa_event event = { .at = 1, .outcome = WSMFA_OUTCOME_ACCEPTED };

	(void)state;
	world_start(&w);
	for (uint8_t i = 0; i < LENGTH(requests); i++) {
		job = job_of(WSMFA_JOB_WAIT, i + 1, 60000);
		assert_int_equal(wsmfa_engine_park(w.engine, &job), WSMFA_PARK_OK);
		requests[i] = fake_host_park(&w.host, i, job.ticket);
	}
	not_answered(&w);
	strcpy(event.account, "last");
	wsmfa_engine_event(w.engine, &event);
	wsmfa_engine_free(w.engine);
	w.engine = NULL;
	for (size_t i = 0; i < LENGTH(requests); i++)
		assert_in_range(fake_host_answer(&w.host, requests, LENGTH(requests), WITHIN_MS), 0, LENGTH(requests));
	assert_int_equal(fake_db_count("\"account\":\"last\""), 1);
	assert_int_equal(fake_db_count("|stopped|"), 1);
	world_end(&w);
}

static void events_are_written(void **state)
{
	struct world w;
	struct wsmfa_event event = {
		.at = 1700000000123456,
		.account_id = 5,
		.stage = WSMFA_STAGE_ANNOUNCE,
		.has_decision = true,
		.decision = WSMFA_DECISION_CHALLENGE,
		.method = WSMFA_KIND_TOTP,
		.outcome = WSMFA_OUTCOME_ACCEPTED,
		.reason = WSMFA_REASON_PROVEN,
	};

	(void)state;
	world_start(&w);
	strcpy(event.account, "a\"b\001\xff");
	strcpy(event.client, "192.0.2.1");
	strcpy(event.region, "EMEA");
	wsmfa_engine_event(w.engine, &event);
	assert_true(fake_db_wait("events_add", 1));
	assert_int_equal(
		fake_db_count("[{\"at\":1700000000123456,\"account_id\":5,\"account\":\"a\\\"b??\",\"client\":"
			      "\"192.0.2.1\",\"region\":\"EMEA\",\"stage\":\"announce\",\"decision\":"
			      "\"challenge\",\"method\":\"totp\",\"outcome\":\"accepted\",\"reason\":\"proven\"}]"),
		1);
	/* Kept while the database is down. */
	fake_db_set_up(false);
	strcpy(event.account, "later");
	for (int i = 0; i < 300; i++)
		wsmfa_engine_event(w.engine, &event);
	assert_int_equal(fake_db_count("later"), 0);
	fake_db_set_up(true);
	assert_true(fake_db_wait("later", 2));
	/* One that the server refuses for ever is found, counted as lost, and told. */
	fake_db_result(WSMFA_DB_REFUSED);
	strcpy(event.account, "refused");
	wsmfa_engine_event(w.engine, &event);
	assert_true(fake_db_wait("refused", 1));
	fake_db_result(WSMFA_DB_OK);
	assert_true(fake_db_wait("events_lost", 1));
	world_end(&w);
}

static void heartbeat_is_written(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	assert_true(fake_db_wait("wsmfa.heartbeat", 1));
	assert_int_equal(fake_db_count("|running|0|{\"file\":\"closed\",\"local\":\"closed\"}|{\"woken\":0"), 1);
	assert_int_equal(fake_db_count("|30|30|{\"second\",\"null\"}"), 1);
	world_end(&w);
}

/** The engine starts without a database, and without anything to park. */
static void starts_alone(void **state)
{
	struct wsmfa_engine_config config = {
		.conninfo = "host=127.0.0.1 port=1", .store_timeout_ms = 500, .server_name = "test", .log = log_line
	};
	struct wsmfa_job job = job_of(WSMFA_JOB_WAIT, 1, 1000);
	struct wsmfa_engine *e;
	char err[256] = "";

	(void)state;
	e = wsmfa_engine_start(&config, err, sizeof(err));
	assert_non_null(e);
	assert_int_equal(wsmfa_engine_park(e, &job), WSMFA_PARK_DEAD);
	wsmfa_engine_free(e);
	config.park_address = "192.0.2.1";
	config.park_secret = "x";
	assert_null(wsmfa_engine_start(&config, err, sizeof(err)));
	assert_non_null(strstr(err, "not a loopback address"));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(push_starts_and_wakes),
		cmocka_unit_test(notification_wakes_who_waits),
		cmocka_unit_test(notification_that_lies_wakes_nobody),
		cmocka_unit_test(outcome_before_the_ticket),
		cmocka_unit_test(every_copy_is_answered),
		cmocka_unit_test(the_newest_copies_are_kept),
		cmocka_unit_test(wake_at_comes_first),
		cmocka_unit_test(an_answer_without_notification_is_found),
		cmocka_unit_test(a_newer_request_takes_over),
		cmocka_unit_test(strange_packets_are_ignored),
		cmocka_unit_test(sms_line_is_there_before_the_wake),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(the_end_wakes_everybody),
		cmocka_unit_test(events_are_written),
		cmocka_unit_test(heartbeat_is_written),
		cmocka_unit_test(starts_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
