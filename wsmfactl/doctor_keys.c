/* doctor's look at keys: the key file, what is sealed with it, and what the servers hold.
 * Apart from doctor.c, because only this opens secrets. */
#include "doctor.h"
#include "db.h"
#include "keyfile.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#define SAMPLE "1000"

/* Opens the newest sealed keys, and looks for key ids that the file lacks among all. */
static void seals_check(struct ctl_doctor *d, struct wsmfa_keyring const *ring)
{
	PGresult *res =
		ctl_doctor_ask(d, "sealed keys", "SELECT " CTL_SEALED_BY " AS id, count(*)" CTL_SEALED " GROUP BY 1");
	long total = 0, lacking = 0, broken = 0;

	for (int i = 0; res && i < PQntuples(res); i++) {
		long n = strtol(PQgetvalue(res, i, 1), NULL, 10);

		total += n;
		if (*PQgetvalue(res, i, 0) && !wsmfa_keyring_has(ring, PQgetvalue(res, i, 0))) {
			lacking += n;
			ctl_found(d, CTL_BAD, "sealed keys",
				  "%ld rows are sealed with key %s, which the key file lacks; restore that line", n,
				  PQgetvalue(res, i, 0));
		}
	}
	PQclear(res);
	if (!res)
		return;
	res = ctl_doctor_ask(
		d, "sealed keys",
		"SELECT id, account_id, sealed FROM wsmfa.authenticator WHERE kind = 'totp' AND removed_at IS NULL"
		" ORDER BY id DESC LIMIT " SAMPLE);
	for (int i = 0; res && i < PQntuples(res); i++) {
		struct wsmfa_secret key;
		size_t len;
		unsigned char *sealed = PQunescapeBytea((unsigned char const *)PQgetvalue(res, i, 2), &len);

		if (!sealed ||
		    wsmfa_unseal(ring, strtoll(PQgetvalue(res, i, 1), NULL, 10),
				 strtoll(PQgetvalue(res, i, 0), NULL, 10), sealed, len, &key) != WSMFA_UNSEALED_OK)
			broken++;
		else
			wsmfa_secret_wipe(&key);
		PQfreemem(sealed);
	}
	if (res && broken > lacking)
		ctl_found(d, CTL_BAD, "sealed keys",
			  "%ld of the newest %d rows do not open: they are damaged, or were sealed by another key of "
			  "the same id or for another account",
			  broken, PQntuples(res));
	else if (res && !lacking)
		ctl_found(d, CTL_GOOD, "sealed keys", "%ld, by keys that the file has; the newest %d open", total,
			  PQntuples(res));
	PQclear(res);
}

/* What the servers that live told of their keys: each must open every row, and should seal as this file does. */
static void held_check(struct ctl_doctor *d, struct wsmfa_keyring const *ring)
{
	PGresult *res =
		ctl_doctor_ask(d, "held keys",
			       "SELECT s.name, k.id, k.count FROM wsmfa.server s, (SELECT " CTL_SEALED_BY
			       " AS id, count(*)" CTL_SEALED " GROUP BY 1) k"
			       " WHERE " CTL_SERVER_LIVES " AND k.id <> '' AND k.id <> ALL (s.keys) ORDER BY 1, 2");
	bool good = res && !PQntuples(res);

	for (int i = 0; res && i < PQntuples(res); i++)
		ctl_found(d, CTL_BAD, "held keys",
			  "%s can't open %s of the rows: it lacks key %s; copy the key file there and restart it",
			  PQgetvalue(res, i, 0), PQgetvalue(res, i, 2), PQgetvalue(res, i, 1));
	PQclear(res);
	res = ctl_doctor_ask(d, "held keys",
			     "SELECT s.name, s.keys[1] FROM wsmfa.server s WHERE " CTL_SERVER_LIVES
			     " AND s.keys[1] IS NOT NULL ORDER BY 1");
	for (int i = 0; res && ring && i < PQntuples(res); i++) {
		if (strcmp(PQgetvalue(res, i, 1), wsmfa_keyring_id(ring, 0)) == 0)
			continue;
		good = false;
		ctl_found(d, CTL_WARN, "held keys",
			  "%s seals with %s and this key file with %s; copy the newer file to the other and restart",
			  PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), wsmfa_keyring_id(ring, 0));
	}
	if (good && res && PQntuples(res))
		ctl_found(d, CTL_GOOD, "held keys", "%d server%s can open every row", PQntuples(res),
			  PQntuples(res) == 1 ? "" : "s");
	PQclear(res);
}

void ctl_doctor_keys(struct ctl_doctor *d, bool rows)
{
	char text[CTL_KEY_FILE_MAX], why[512] = "", wrong[256] = "";
	struct wsmfa_keyring *ring = NULL;
	size_t len;

	if (!d->c->key_file || !*d->c->key_file)
		ctl_found(d, CTL_WARN, "key file", "not looked at: name it with --key-file or WSMFA_KEY_FILE");
	else if (!ctl_keyfile_read(d->c->key_file, text, &len, why, sizeof(why)))
		ctl_found(d, CTL_BAD, "key file", "%s", why);
	else if (!wsmfa_keyring_parse(text, len, &ring, wrong, sizeof(wrong)))
		ctl_found(d, CTL_BAD, "key file", "%s is not right: %s", d->c->key_file, wrong);
	OPENSSL_cleanse(text, sizeof(text));
	if (ring)
		ctl_found(d, CTL_GOOD, "key file", "%s has %zu key%s, %s seals", d->c->key_file,
			  wsmfa_keyring_size(ring), wsmfa_keyring_size(ring) == 1 ? "" : "s",
			  wsmfa_keyring_id(ring, 0));
	if (ring && rows)
		seals_check(d, ring);
	if (rows)
		held_check(d, ring);
	wsmfa_keyring_free(ring);
}
