/* A PostgreSQL that does what it is told, one connection at a time, in a thread of its own.
 * Apart from the tests, because it speaks the protocol and they do not. */
#include <endian.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_pg.h"

static void check(bool ok, char const *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

/* False when the test ends or the other side has gone. */
static bool read_all(struct fake_pg *f, int fd, void *to, size_t len)
{
	while (len > 0) {
		struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = f->wake[0], .events = POLLIN } };
		ssize_t n;

		check(poll(fds, 2, -1) > 0, "poll");
		if (fds[1].revents)
			return false;
		n = read(fd, to, len);
		if (n <= 0)
			return false;
		to = (char *)to + n;
		len -= (size_t)n;
	}
	return true;
}

static void say(int fd, char type, void const *body, size_t len)
{
	uint32_t wire = htobe32((uint32_t)(len + 4));
	char out[512];

	check(len + 5 <= sizeof(out), "message");
	out[0] = type;
	memcpy(out + 1, &wire, 4);
	memcpy(out + 5, body, len);
	(void)!send(fd, out, len + 5, MSG_NOSIGNAL);
}

static void say_ready(int fd)
{
	say(fd, 'Z', "I", 1);
}

static void say_error(int fd, char const *sqlstate)
{
	char body[64];
	char const *severity = strncmp(sqlstate, "57P", 3) == 0 ? "FATAL" : "ERROR";
	int n = snprintf(body, sizeof(body), "S%s%cV%s%cC%s%cMno%cDsecret%c", severity, 0, severity, 0, sqlstate, 0, 0,
			 0);

	say(fd, 'E', body, (size_t)n + 1);
}

/* A column of type text: name, table, column, type, size, modifier, format. */
static size_t put_column(char *to, char const *name, uint16_t format)
{
	size_t n = strlen(name) + 1;
	uint32_t type = htobe32(25);

	memcpy(to, name, n);
	memset(to + n, 0, 18);
	memcpy(to + n + 6, &type, 4);
	to[n + 17] = (char)format;
	return n + 18;
}

/* One row of text, NULL for null. */
static void say_row(int fd, size_t columns, char const *const *names, char const *const *values, uint16_t format)
{
	char body[256] = { 0, (char)columns };
	size_t n = 2;

	for (size_t i = 0; i < columns; i++)
		n += put_column(body + n, names[i], format);
	say(fd, 'T', body, n);
	for (size_t i = 0, at = n = 2; i < columns; i++, at = n) {
		uint32_t len = values[i] ? (uint32_t)strlen(values[i]) : UINT32_MAX, wire = htobe32(len);

		memcpy(body + at, &wire, 4);
		if (values[i])
			memcpy(body + at + 4, values[i], len);
		n = at + 4 + (values[i] ? len : 0);
	}
	say(fd, 'D', body, n);
	say(fd, 'C', "SELECT 1", 9);
}

/* False: hang up. */
static bool execute(struct fake_pg *f, int fd)
{
	static char const *const names[] = { "status", "outcome", "reason" }, *const values[] = { "gone", NULL, NULL };
	int n = atomic_fetch_add(&f->executions, 1);
	enum fake_act act = n < 8 ? f->acts[n] : FAKE_GONE;
	char rest;

	switch (act) {
	case FAKE_HANG_UP: return false;
	case FAKE_SILENT: return read_all(f, fd, &rest, 1) && false;
	case FAKE_ERROR: say_error(fd, f->sqlstate); break;
	case FAKE_GONE:
	case FAKE_ERROR_COMMIT:
	case FAKE_LEAVE:
		say(fd, '2', "", 0);
		say_row(fd, 3, names, values, 1);
		if (act == FAKE_ERROR_COMMIT)
			say_error(fd, f->sqlstate);
		break;
	}
	say_ready(fd);
	if (act == FAKE_LEAVE) {
		say_error(fd, "57P01");
		return f->linger ? read_all(f, fd, &rest, 1) && false : false;
	}
	return true;
}

static void answer_query(struct fake_pg *f, int fd, char const *sql)
{
	static char const *const names[] = { "schema_check" };
	char number[16];
	char const *const values[] = { number };

	(void)snprintf(number, sizeof(number), "%d", f->schema);
	if (strstr(sql, "schema_check"))
		say_row(fd, 1, names, values, 0);
	else
		say(fd, 'C', "SET", 4);
	say_ready(fd);
}

static void serve(struct fake_pg *f, int fd)
{
	uint32_t len;
	char type, body[8192];

	if (f->silent_start) {
		(void)(read_all(f, fd, body, 4) && read_all(f, fd, body, sizeof(body)));
		return;
	}
	if (!read_all(f, fd, &len, 4) || !read_all(f, fd, body, be32toh(len) - 4))
		return;
	say(fd, 'R', "\0\0\0", 4);
	say_ready(fd);
	while (read_all(f, fd, &type, 1) && read_all(f, fd, &len, 4)) {
		len = be32toh(len) - 4;
		check(len < sizeof(body), "request");
		if (!read_all(f, fd, body, len))
			return;
		body[len] = '\0';
		if (type == 'Q')
			answer_query(f, fd, body);
		else if (type == 'S' && !execute(f, fd))
			return;
	}
}

static void *run(void *arg)
{
	struct fake_pg *f = arg;

	for (;;) {
		struct pollfd fds[2] = { { .fd = f->listening, .events = POLLIN },
					 { .fd = f->wake[0], .events = POLLIN } };
		int fd;

		check(poll(fds, 2, -1) > 0, "poll");
		if (fds[1].revents)
			return NULL;
		fd = accept(f->listening, NULL, NULL);
		check(fd >= 0, "accept");
		(void)atomic_fetch_add(&f->connections, 1);
		serve(f, fd);
		(void)close(fd);
	}
}

void fake_pg_start(struct fake_pg *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/wsmfa-fake-pg.XXXXXX");
	check(mkdtemp(f->dir) != NULL, "mkdtemp");
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.60s/.s.PGSQL.5432", f->dir);
	(void)snprintf(f->conninfo, sizeof(f->conninfo), "host=%s port=5432 user=u dbname=d password=hush", f->dir);
	f->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(f->listening >= 0 && bind(f->listening, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		      listen(f->listening, 64) == 0,
	      "listen");
	check(pipe(f->wake) == 0, "pipe");
	check(pthread_create(&f->thread, NULL, run, f) == 0, "thread");
}

void fake_pg_stop(struct fake_pg *f)
{
	char path[sizeof(f->dir) + 20];

	check(write(f->wake[1], "", 1) == 1, "wake");
	check(pthread_join(f->thread, NULL) == 0, "join");
	(void)close(f->listening);
	(void)close(f->wake[0]);
	(void)close(f->wake[1]);
	(void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", f->dir);
	(void)unlink(path);
	(void)rmdir(f->dir);
}
