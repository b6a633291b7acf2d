/* The engine's connection to PostgreSQL with nobody there, and the addresses it tries.
 * Apart from test_engine.c, whose database is a fake: this one opens sockets. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/db.h"
#include "engine/db_address.h"

static uv_loop_t loop;

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

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_server_that_says_nothing),
		cmocka_unit_test(addresses_of_databases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
