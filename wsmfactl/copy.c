/* COPY in its text form: tabs between values, the five characters that mean something escaped.
 * Apart from db.c, because only what brings many rows needs it. */
#include "copy.h"
#include "db.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>

static void flush(struct ctl_copy *copy)
{
	if (copy->len && PQputCopyData(copy->c->db, copy->buffer, (int)copy->len) != 1)
		copy->failed = true;
	copy->len = 0;
}

static void put(struct ctl_copy *copy, char c)
{
	if (copy->len == sizeof(copy->buffer))
		flush(copy);
	copy->buffer[copy->len++] = c;
}

bool ctl_copy_begin(struct ctl_copy *copy, struct ctl *c, char const *target)
{
	char sql[256];
	PGresult *res;
	bool done;

	copy->c = c;
	copy->len = 0;
	copy->failed = copy->began = false;
	snprintf(sql, sizeof(sql), "COPY %s FROM STDIN", target);
	res = PQexec(c->db, sql);
	done = PQresultStatus(res) == PGRES_COPY_IN;
	if (!done)
		(void)ctl_refused(c, res);
	PQclear(res);
	return done;
}

void ctl_copy_value(struct ctl_copy *copy, char const *value)
{
	if (copy->began)
		put(copy, '\t');
	copy->began = true;
	if (!value) {
		put(copy, '\\');
		put(copy, 'N');
		return;
	}
	for (; *value; value++) {
		switch (*value) {
		case '\\':
			put(copy, '\\');
			put(copy, '\\');
			break;
		case '\t':
			put(copy, '\\');
			put(copy, 't');
			break;
		case '\n':
			put(copy, '\\');
			put(copy, 'n');
			break;
		case '\r':
			put(copy, '\\');
			put(copy, 'r');
			break;
		default: put(copy, *value);
		}
	}
}

void ctl_copy_row(struct ctl_copy *copy)
{
	put(copy, '\n');
	copy->began = false;
}

bool ctl_copy_end(struct ctl_copy *copy)
{
	PGresult *res;
	bool done = true;

	flush(copy);
	OPENSSL_cleanse(copy->buffer, sizeof(copy->buffer));
	if (PQputCopyEnd(copy->c->db, copy->failed ? "the data could not be sent" : NULL) != 1)
		copy->failed = true;
	while ((res = PQgetResult(copy->c->db))) {
		if (PQresultStatus(res) != PGRES_COMMAND_OK && done) {
			done = false;
			(void)ctl_refused(copy->c, res);
		}
		PQclear(res);
	}
	return done && !copy->failed;
}
