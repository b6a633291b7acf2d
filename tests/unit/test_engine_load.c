/* The engine under load: many threads park, collect and write events while copies and answers arrive; and 30,000 wait at once.
 * Apart from test_engine.c: what is looked for here are races (ThreadSanitizer) and memory. WSMFA_LOAD_SECONDS makes it longer. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/inside.h"
#include "engine/wall.h"
#include "fake_db.h"
#include "fake_host.h"

#define WORKERS    8
#define THOUSANDS  30000
#define SOCKET_IDS 256 //!< requests a socket, as the host has it
#define SOCKETS    (THOUSANDS / SOCKET_IDS + 1)

static struct wsmfa_engine *engine;
static struct wsmfa_provider *providers[2];
static atomic_int_fast64_t next_id = 1;
static atomic_bool over;
static atomic_long parked, woken_count, timed_out, mistakes;

static void log_line(void *ctx, char level, char const *text)
{
	(void)ctx;
	if (getenv("WSMFA_TEST_LOG"))
		print_message("# %c %s\n", level, text);
}

static void start(int32_t max)
{
	char outbox[64];
	struct wsmfa_setting path = { "path", outbox, "test", 1 };
	struct wsmfa_engine_config config = {
		.conninfo = "",
		.store_timeout_ms = 2000,
		.server_name = "test",
		.park_address = "127.0.0.1",
		.park_secret = FAKE_HOST_SECRET,
		.park_max = max,
		.park_account_max = 2,
		.providers = providers,
		.providers_len = 2,
		.log = log_line,
	};
	char err[256] = "";

	snprintf(outbox, sizeof(outbox), "/dev/null");
	providers[0] = wsmfa_provider_find(WSMFA_KIND_SMS, "file")->configure("file", &path, 1, err, sizeof(err));
	providers[1] = wsmfa_provider_find(WSMFA_KIND_PUSH, "local")->configure("local", NULL, 0, err, sizeof(err));
	assert_true(providers[0] && providers[1]);
	fake_db_reset();
	engine = wsmfa_engine_start_with(&config, &fake_db, err, sizeof(err));
	assert_string_equal(engine ? "" : err, "");
}

static void stop(void)
{
	wsmfa_engine_free(engine);
	for (size_t i = 0; i < LENGTH(providers); i++)
		providers[i]->ops->free(providers[i]);
}

static void job_set(struct wsmfa_job *job, int64_t id, int64_t ms)
{
	memset(job, 0, sizeof(*job));
	job->ticket = job->challenge_id = job->account_id = id;
	switch (id % 4) {
	case 0: job->kind = WSMFA_JOB_SMS; break;
	case 1:
	case 2: job->kind = WSMFA_JOB_PUSH; break;
	default: job->kind = WSMFA_JOB_WAIT;
	}
	job->wait = id % 4 == 2;
	strcpy(job->provider, job->kind == WSMFA_JOB_SMS ? "file" : "local");
	strcpy(job->message.phone, "+358401234567");
	job->wake_at = wsmfa_wall_now() + ms * 1000;
	job->expires_at = job->wake_at;
}

/** What a worker thread of the host does: parks, sends copies, is answered, collects, writes an event. */
static void *worker(void *ctx)
{
	struct fake_host host;
	struct wsmfa_event event = { .outcome = WSMFA_OUTCOME_ACCEPTED };
	struct wsmfa_job job;
	struct wsmfa_woken result, again;
	uint8_t serial = 0;

	(void)ctx;
	fake_host_open(&host, wsmfa_engine_park_port(engine));
	while (!atomic_load(&over)) {
		int64_t id = atomic_fetch_add(&next_id, 1);
		struct fake_request requests[2];
		int copies = 1 + (int)(id % 2);

		job_set(&job, id, 50);
		if (wsmfa_engine_park(engine, &job) != WSMFA_PARK_OK) {
			atomic_fetch_add(&mistakes, 1);
			continue;
		}
		atomic_fetch_add(&parked, 1);
		if (id % 16 == 5) {
			wsmfa_engine_forget(engine, id);
			if (wsmfa_engine_collect(engine, id, &result))
				atomic_fetch_add(&mistakes, 1);
			continue;
		}
		for (int i = 0; i < copies; i++)
			requests[i] = fake_host_park(&host, serial++, id);
		if (id % 3 == 0)
			fake_db_notify(id);
		for (int i = 0; i < copies; i++) {
			if (fake_host_answer(&host, requests, (size_t)copies, 10000) < 0)
				atomic_fetch_add(&mistakes, 1);
		}
		if (!wsmfa_engine_collect(engine, id, &result) || wsmfa_engine_collect(engine, id, &again))
			atomic_fetch_add(&mistakes, 1);
		atomic_fetch_add(&woken_count, 1);
		atomic_fetch_add(&timed_out, result.timed_out);
		event.at = wsmfa_wall_now();
		event.account_id = id;
		wsmfa_engine_event(engine, &event);
		(void)wsmfa_engine_provider_up(engine, "local");
		if (id % 64 == 0)
			wsmfa_engine_notice(engine, "file", &job.message);
	}
	fake_host_close(&host);
	return NULL;
}

static void nap(long ms)
{
	nanosleep(&(struct timespec) { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void many_threads(void **state)
{
	pthread_t threads[WORKERS];
	char const *seconds = getenv("WSMFA_LOAD_SECONDS");
	uint64_t until = wsmfa_monotonic_ms() + (uint64_t)(seconds ? atoi(seconds) : 2) * 1000;
	bool up = true;

	(void)state;
	start(10000);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, NULL), 0);
	/* Meanwhile the database comes and goes. */
	while (wsmfa_monotonic_ms() < until) {
		nap(100);
		fake_db_set_up(up = !up);
	}
	fake_db_set_up(true);
	atomic_store(&over, true);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	stop();
	print_message("# %ld parked, %ld woken, %ld of them timed out\n", atomic_load(&parked),
		      atomic_load(&woken_count), atomic_load(&timed_out));
	assert_int_equal(atomic_load(&mistakes), 0);
	assert_true(atomic_load(&woken_count) > 0);
}

/* ---- 30,000 at once ---- */

static long resident_kib(void)
{
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
	(void)fclose(f);
	return resident * sysconf(_SC_PAGESIZE) / 1024;
}

/** Copies until the engine has seen so many packets: the socket's buffer may be small where nobody is root. */
static void drain(uint64_t packets)
{
	uint64_t until = wsmfa_monotonic_ms() + 10000;

	while (engine->park.count.received < packets && wsmfa_monotonic_ms() < until)
		nap(1);
}

static size_t answers(struct fake_host *hosts, int wait_ms)
{
	static struct pollfd fds[SOCKETS];
	size_t n = 0;
	uint8_t data[64];

	for (size_t i = 0; i < SOCKETS; i++)
		fds[i] = (struct pollfd) { .fd = hosts[i].fd, .events = POLLIN };
	if (poll(fds, SOCKETS, wait_ms) <= 0)
		return 0;
	for (size_t i = 0; i < SOCKETS; i++) {
		while (fds[i].revents && recv(hosts[i].fd, data, sizeof(data), MSG_DONTWAIT) == 38)
			n++;
	}
	return n;
}

static void thirty_thousand_wait(void **state)
{
	static struct fake_host hosts[SOCKETS];
	struct wsmfa_job *job = calloc(1, sizeof(*job));
	uint64_t begun;
	long before, after;
	size_t got = 0, n;

	(void)state;
	start(THOUSANDS);
	for (size_t i = 0; i < SOCKETS; i++)
		fake_host_open(&hosts[i], wsmfa_engine_park_port(engine));
	before = resident_kib();
	begun = wsmfa_monotonic_ms();
	for (int64_t i = 0; i < THOUSANDS; i++) {
		job_set(job, i + 1, 120000);
		job->kind = i % 2 ? WSMFA_JOB_WAIT : WSMFA_JOB_PUSH;
		job->wait = true;
		strcpy(job->provider, "local");
		assert_int_equal(wsmfa_engine_park(engine, job), WSMFA_PARK_OK);
		fake_host_park(&hosts[i / SOCKET_IDS], (uint8_t)(i % SOCKET_IDS), i + 1);
		if (i % 100 == 99)
			drain((uint64_t)i);
	}
	drain(THOUSANDS);
	after = resident_kib();
	assert_int_equal(wsmfa_waiters_waiting(&engine->waiters), THOUSANDS);
	job_set(job, THOUSANDS + 1, 1000);
	assert_int_equal(wsmfa_engine_park(engine, job), WSMFA_PARK_FULL);
	print_message("# parked in %llu ms, %ld octets each\n", (unsigned long long)(wsmfa_monotonic_ms() - begun),
		      (after - before) * 1024 / THOUSANDS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_in_range((after - before) * 1024 / THOUSANDS, 0, 4096);
#endif
	begun = wsmfa_monotonic_ms();
	for (int64_t i = 0; i < THOUSANDS; i++)
		fake_db_notify(i + 1);
	while (got < THOUSANDS && (n = answers(hosts, 5000)))
		got += n;
	print_message("# %zu woken in %llu ms\n", got, (unsigned long long)(wsmfa_monotonic_ms() - begun));
	assert_int_equal(got, THOUSANDS);
	assert_int_equal(wsmfa_waiters_waiting(&engine->waiters), 0);
	for (size_t i = 0; i < SOCKETS; i++)
		fake_host_close(&hosts[i]);
	stop();
	free(job);
}

/** Deadlines of as many, none of which ever gets an answer or even a ticket. */
static void ten_thousand_expire(void **state)
{
	struct wsmfa_job *job = calloc(1, sizeof(*job));
	struct wsmfa_woken result;
	uint64_t begun, late;

	(void)state;
	start(10000);
	for (int64_t i = 0; i < 10000; i++) {
		job_set(job, i + 1, 1000 + i / 20);
		job->kind = WSMFA_JOB_WAIT;
		assert_int_equal(wsmfa_engine_park(engine, job), WSMFA_PARK_OK);
	}
	begun = wsmfa_monotonic_ms();
	while (wsmfa_waiters_waiting(&engine->waiters)) {
		assert_true(wsmfa_monotonic_ms() < begun + 30000);
		nap(5);
	}
	late = wsmfa_monotonic_ms() - begun;
	print_message("# the last of 10,000 after %llu ms\n", (unsigned long long)late);
	for (int64_t i = 0; i < 10000; i++) {
		assert_true(wsmfa_engine_collect(engine, i + 1, &result));
		assert_true(result.timed_out);
	}
	stop();
	free(job);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(many_threads),
		cmocka_unit_test(thirty_thousand_wait),
		cmocka_unit_test(ten_thousand_expire),
	};
	struct rlimit files = { 4096, 4096 };

	setrlimit(RLIMIT_NOFILE, &files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
