/* key add, key list, key rotate: a new key for the key file, and everything sealed with it.
 * Apart from key.c, which makes the first one.
 *
 * A server reads the key file when it starts. So a new key first only opens: it stands last in the file, below a line "# next", until
 * every server that runs has told, by its heartbeat, that it holds it. Only then it goes first and seals. */
#include "command.h"
#include "copy.h"
#include "db.h"
#include "keyfile.h"
#include "out.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#define NEXT  "# next: opens, does not seal yet; wsmfactl key rotate puts it first\n"
#define BATCH "1000"

/* The key file as text: with remarks, as its owner wrote it. */
struct file {
	char text[CTL_KEY_FILE_MAX + 1];
	size_t len;
	struct wsmfa_keyring *ring;
};

static bool file_load(struct ctl *c, struct file *f)
{
	char why[512];

	f->ring = ctl_keyring_load(c);
	if (!f->ring)
		return false;
	if (!ctl_keyfile_read(c->key_file, f->text, &f->len, why, sizeof(why))) {
		ctl_fail("%s", why);
		return false;
	}
	f->text[f->len] = '\0';
	return true;
}

static void file_wipe(struct file *f)
{
	OPENSSL_cleanse(f->text, sizeof(f->text));
	wsmfa_keyring_free(f->ring);
}

/* Replaces the text and what is parsed of it, if the new one is right. */
static bool file_store(struct ctl *c, struct file *f, char const *text)
{
	struct wsmfa_keyring *ring;
	char wrong[256];

	if (strlen(text) > CTL_KEY_FILE_MAX || !wsmfa_keyring_parse(text, strlen(text), &ring, wrong, sizeof(wrong))) {
		ctl_fail("the key file %s can take no further key; take out those that seal nothing any more",
			 c->key_file);
		return false;
	}
	if (!ctl_keyfile_replace(c->key_file, text)) {
		ctl_fail("the key file %s can't be replaced: %s", c->key_file, strerror(errno));
		wsmfa_keyring_free(ring);
		return false;
	}
	wsmfa_keyring_free(f->ring);
	f->ring = ring;
	snprintf(f->text, sizeof(f->text), "%s", text);
	f->len = strlen(f->text);
	return true;
}

/* A new key as the last line, marked. */
static bool next_add(struct ctl *c, struct file *f)
{
	char line[128], id[WSMFA_KEY_ID_MAX], text[sizeof(f->text) + sizeof(line) + sizeof(NEXT)];
	bool done = ctl_key_make(f->ring, line, sizeof(line), id, sizeof(id));

	if (!done)
		ctl_fail("OpenSSL has no random octets to give");
	else
		snprintf(text, sizeof(text), "%s%s" NEXT "%s", f->text,
			 f->len && f->text[f->len - 1] != '\n' ? "\n" : "", line);
	done = done && file_store(c, f, text);
	OPENSSL_cleanse(line, sizeof(line));
	OPENSSL_cleanse(text, sizeof(text));
	return done;
}

/* The marked key becomes the first line. */
static bool next_promote(struct ctl *c, struct file *f)
{
	char text[sizeof(f->text) + 2];
	char *mark = strstr(f->text, NEXT);
	char *line = mark + strlen(NEXT);
	size_t len = strcspn(line, "\n");
	bool done;

	snprintf(text, sizeof(text), "%.*s\n%.*s%s", (int)len, line, (int)(mark - f->text), f->text,
		 line + len + (line[len] == '\n'));
	done = file_store(c, f, text);
	OPENSSL_cleanse(text, sizeof(text));
	return done;
}

/* Servers that live and have not told that they hold a key. -1 after a complaint. */
static int servers_behind(struct ctl *c, char const *id)
{
	PGresult *res = ctl_query(c,
				  "SELECT s.name FROM wsmfa.server s WHERE " CTL_SERVER_LIVES
				  " AND coalesce($1 <> ALL (s.keys), true) ORDER BY 1",
				  1, id);
	int n = res ? PQntuples(res) : -1;

	for (int i = 0; i < n; i++)
		ctl_note("note: the server %s has not told that it holds key %s", PQgetvalue(res, i, 0), id);
	PQclear(res);
	return n;
}

/* How many rows are sealed by another key than this. -1 after a complaint. */
static long rows_behind(struct ctl *c, char const *id)
{
	PGresult *res = ctl_query(c, "SELECT count(*)" CTL_SEALED " AND " CTL_SEALED_BY " <> $1", 1, id);
	long n = res ? strtol(PQgetvalue(res, 0, 0), NULL, 10) : -1;

	PQclear(res);
	return n;
}

/* One row of a batch: opened and sealed anew into the COPY. false when it does not open. */
static bool row_reseal(struct wsmfa_keyring const *ring, PGresult const *res, int row, struct ctl_copy *copy)
{
	int64_t id = strtoll(PQgetvalue(res, row, 0), NULL, 10), account = strtoll(PQgetvalue(res, row, 1), NULL, 10);
	char const *old = PQgetvalue(res, row, 2);
	struct wsmfa_secret key;
	char sealed[CTL_SEALED_HEX];
	size_t len;
	unsigned char *octets = PQunescapeBytea((unsigned char const *)old, &len);
	bool done = octets && wsmfa_unseal(ring, account, id, octets, len, &key) == WSMFA_UNSEALED_OK;

	if (done) {
		done = ctl_seal_hex(ring, account, id, &key, sealed, sizeof(sealed));
		wsmfa_secret_wipe(&key);
	}
	PQfreemem(octets);
	if (!done)
		return false;
	ctl_copy_value(copy, PQgetvalue(res, row, 0));
	ctl_copy_value(copy, old);
	ctl_copy_value(copy, sealed);
	ctl_copy_row(copy);
	return true;
}

/* The batch after an id, each in a transaction of its own. *last moves on; false after a complaint or at the end, *more tells which. */
static bool batch_reseal(struct ctl *c, struct wsmfa_keyring const *ring, char *last, size_t last_size, long *done,
			 long *broken, bool *more)
{
	static struct ctl_copy copy;
	PGresult *res = ctl_query(c,
				  "SELECT id, account_id, sealed" CTL_SEALED " AND id > $1 AND " CTL_SEALED_BY
				  " <> $2 ORDER BY id LIMIT " BATCH,
				  2, last, wsmfa_keyring_id(ring, 0));
	bool good;

	*more = false;
	if (!res || !PQntuples(res)) {
		good = res != NULL;
		PQclear(res);
		return good;
	}
	good = ctl_exec(c, "BEGIN; TRUNCATE pg_temp.resealed") && ctl_copy_begin(&copy, c, "pg_temp.resealed");
	for (int row = 0; good && row < PQntuples(res); row++) {
		if (!row_reseal(ring, res, row, &copy)) {
			(*broken)++;
			ctl_note("note: authenticator %s does not open with this key file, and stays as it is",
				 PQgetvalue(res, row, 0));
		}
	}
	/* A row that changed meanwhile is left to the next run. */
	good = good && ctl_copy_end(&copy) &&
	       ctl_exec(c, "UPDATE wsmfa.authenticator a SET sealed = n.new FROM pg_temp.resealed n"
			   " WHERE a.id = n.id AND a.sealed = n.old; COMMIT");
	snprintf(last, last_size, "%s", PQgetvalue(res, PQntuples(res) - 1, 0));
	*done += PQntuples(res);
	*more = good;
	PQclear(res);
	return good;
}

static enum ctl_exit rows_reseal(struct ctl *c, struct wsmfa_keyring const *ring)
{
	long total = rows_behind(c, wsmfa_keyring_id(ring, 0)), done = 0, broken = 0;
	char last[24] = "0";
	bool good, more = true;

	if (total < 0 ||
	    !ctl_exec(c,
		      "CREATE TEMPORARY TABLE resealed (id bigint NOT NULL, old bytea NOT NULL, new bytea NOT NULL)"))
		return CTL_FAILED;
	ctl_progress_begin("re-sealing");
	do {
		good = batch_reseal(c, ring, last, sizeof(last), &done, &broken, &more);
		ctl_progress((size_t)done, (size_t)(total > done ? total : done));
	} while (good && more);
	ctl_progress_end();
	if (!good)
		return ctl_fail("%ld rows were re-sealed; run it again to go on", done - broken);
	if (broken)
		return ctl_fail("%ld rows were re-sealed, %ld do not open: their key is not in the file", done - broken,
				broken);
	if (c->json)
		return ctl_print_done(
			json_pack("{s:s, s:I}", "key", wsmfa_keyring_id(ring, 0), "resealed", (json_int_t)done));
	printf("%ld rows re-sealed; all are sealed with %s. Copy the key file to every server; keys below the first line are needed\n"
	       "for backups from before only.\n",
	       done, wsmfa_keyring_id(ring, 0));
	return CTL_OK;
}

static enum ctl_exit rotate(struct ctl *c, struct file *f, bool force)
{
	long behind = rows_behind(c, wsmfa_keyring_id(f->ring, 0));
	bool marked = strstr(f->text, NEXT) != NULL;
	/* A run before this one was interrupted: go on where it was. */
	bool resumed = behind && !marked;
	char const *id;
	int servers;

	if (behind < 0 || (!marked && !resumed && !next_add(c, f)))
		return CTL_FAILED;
	id = wsmfa_keyring_id(f->ring, resumed ? 0 : wsmfa_keyring_size(f->ring) - 1);
	servers = force ? 0 : servers_behind(c, id);
	if (servers < 0)
		return CTL_FAILED;
	if (servers && c->json)
		return ctl_print_done(
			json_pack("{s:s, s:I, s:i}", "key", id, "resealed", (json_int_t)0, "servers_behind", servers));
	if (servers) {
		printf("Key %s is in the file and seals nothing yet. Copy the file to every server, restart them, and run this again:\n"
		       "a server that does not have it could open nothing that it sealed.\n",
		       id);
		return CTL_OK;
	}
	if (!resumed && !next_promote(c, f))
		return CTL_FAILED;
	return rows_reseal(c, f->ring);
}

/* Two at a time would each put a key of its own into the file, and one of them would be lost with all that it sealed. */
static bool rotate_alone(struct ctl *c)
{
	PGresult *res = ctl_query(c, "SELECT pg_try_advisory_lock(hashtextextended('wsmfa.key_rotate', 0))", 0);
	bool alone = res && PQgetvalue(res, 0, 0)[0] == 't';

	if (res && !alone)
		ctl_fail("another key rotate is at work on this database; run it again when that has ended");
	PQclear(res);
	return alone;
}

enum ctl_exit ctl_key_rotate(struct ctl *c, struct ctl_args const *a)
{
	static struct file f;
	enum ctl_exit code = CTL_FAILED;

	if (ctl_db_open(c) && rotate_alone(c) && file_load(c, &f))
		code = rotate(c, &f, ctl_option(a, "--force") != NULL);
	file_wipe(&f);
	return code;
}

enum ctl_exit ctl_key_list(struct ctl *c, struct ctl_args const *a)
{
	static struct file f;
	PGresult *res = NULL;
	json_t *keys = json_array();
	size_t n;

	(void)a;
	if (file_load(c, &f))
		res = ctl_query(
			c, "SELECT " CTL_SEALED_BY " AS id, count(*) AS rows" CTL_SEALED " GROUP BY 1 ORDER BY 1", 0);
	n = res ? wsmfa_keyring_size(f.ring) : 0;
	for (size_t place = 0; place < n; place++) {
		bool next = place + 1 == n && strstr(f.text, NEXT);
		char const *id = wsmfa_keyring_id(f.ring, place), *rows = "0";

		for (int i = 0; i < PQntuples(res); i++)
			rows = strcmp(PQgetvalue(res, i, 0), id) == 0 ? PQgetvalue(res, i, 1) : rows;
		json_array_append_new(keys, json_pack("{s:s, s:s, s:I}", "id", id, "use",
						      !place ? "seals"
						      : next ? "next"
							     : "opens",
						      "rows", (json_int_t)strtoll(rows, NULL, 10)));
	}
	for (int i = 0; res && i < PQntuples(res); i++) {
		if (!wsmfa_keyring_has(f.ring, PQgetvalue(res, i, 0)))
			json_array_append_new(keys, json_pack("{s:s, s:s, s:I}", "id", PQgetvalue(res, i, 0), "use",
							      "missing", "rows",
							      (json_int_t)strtoll(PQgetvalue(res, i, 1), NULL, 10)));
	}
	file_wipe(&f);
	if (!res) {
		json_decref(keys);
		return CTL_FAILED;
	}
	PQclear(res);
	if (c->json)
		return ctl_print_json(keys);
	for (size_t i = 0; i < json_array_size(keys); i++) {
		json_t *key = json_array_get(keys, i);

		printf("%-32s  %-7s  %lld row%s\n", json_string_value(json_object_get(key, "id")),
		       json_string_value(json_object_get(key, "use")),
		       (long long)json_integer_value(json_object_get(key, "rows")),
		       json_integer_value(json_object_get(key, "rows")) == 1 ? "" : "s");
	}
	json_decref(keys);
	return CTL_OK;
}
