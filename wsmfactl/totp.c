/* totp add: a key for an authenticator app, shown this once as a QR code, a URI or JSON.
 * Apart from the other methods, because only this one seals. */
#include "command.h"
#include "db.h"
#include "keyfile.h"
#include "out.h"
#include "qr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/codec.h"
#include "core/totp.h"

#define BASE32_MAX (WSMFA_SECRET_MAX * 8 / 5 + 2)

/* What was asked for; the key is wiped by ctl_totp_add. */
struct request {
	struct ctl_account account;
	struct wsmfa_secret key;
	enum wsmfa_algorithm algorithm;
	long digits, period;
	bool confirmed;
	char id[24]; //!< of the authenticator
};

static bool key_take(struct ctl_args const *a, struct request *r)
{
	char const *given = ctl_option(a, "--secret");

	if (!given) {
		r->key.len = wsmfa_totp_key_len(r->algorithm);
		if (RAND_bytes(r->key.octets, (int)r->key.len) == 1)
			return true;
		ctl_fail("OpenSSL has no random octets to give");
		return false;
	}
	if (!wsmfa_base32_decode(&r->key, given, strlen(given))) {
		ctl_fail("--secret is no base32: letters and the digits 2 to 7");
		return false;
	}
	if (r->key.len < WSMFA_TOTP_KEY_LEAST) {
		ctl_fail("--secret has %zu bits; at least %d are wanted", r->key.len * 8, WSMFA_TOTP_KEY_LEAST * 8);
		return false;
	}
	if (r->key.len < WSMFA_TOTP_KEY_GOOD)
		ctl_note("note: the key has %zu bits; RFC 4226 asks for 128", r->key.len * 8);
	return true;
}

/* An id first, since the seal is bound to it. */
static bool id_draw(struct ctl *c, char *id, size_t size)
{
	PGresult *res = ctl_query(c, "SELECT nextval(pg_get_serial_sequence('wsmfa.authenticator', 'id')) AS id", 0);

	if (!res)
		return false;
	snprintf(id, size, "%s", ctl_value(res, 0, "id"));
	PQclear(res);
	return true;
}

static bool row_insert(struct ctl *c, struct ctl_args const *a, struct wsmfa_keyring const *ring, struct request *r)
{
	char sealed[CTL_SEALED_HEX], digits[8], period[8];
	PGresult *res;

	if (!id_draw(c, r->id, sizeof(r->id)))
		return false;
	if (!ctl_seal_hex(ring, strtoll(r->account.id, NULL, 10), strtoll(r->id, NULL, 10), &r->key, sealed,
			  sizeof(sealed))) {
		ctl_fail("OpenSSL could not seal the key");
		return false;
	}
	snprintf(digits, sizeof(digits), "%ld", r->digits);
	snprintf(period, sizeof(period), "%ld", r->period);
	res = ctl_query(
		c,
		"INSERT INTO wsmfa.authenticator (id, account_id, kind, label, confirmed_at, sealed, algorithm, digits, period)"
		" VALUES ($1, $2, 'totp', coalesce($3, ''), CASE WHEN $4::boolean THEN statement_timestamp() END,"
		" $5::bytea, $6, $7, $8)",
		8, r->id, r->account.id, ctl_option(a, "--label"), r->confirmed ? "t" : "f", sealed,
		wsmfa_algorithm_word(r->algorithm), digits, period);
	PQclear(res);
	return res != NULL;
}

static enum ctl_exit qr_show(struct ctl const *c, struct request const *r, char const *secret, char const *uri)
{
	enum ctl_qr_form form = !ctl_utf8() ? CTL_QR_ASCII : c->color ? CTL_QR_COLOR : CTL_QR_BLOCKS;
	char grouped[2 * BASE32_MAX];

	if (!ctl_qr_print(stdout, uri, form))
		return ctl_fail(
			"the URI does not fit into a QR code; authenticator %s was added, remove it and use a shorter key",
			r->id);
	wsmfa_text_group(grouped, sizeof(grouped), secret, 4, ' ');
	printf("key  %s\nid   %s%s\n", grouped, r->id, r->confirmed ? "" : ", not confirmed yet");
	OPENSSL_cleanse(grouped, sizeof(grouped));
	return CTL_OK;
}

static enum ctl_exit key_show(struct ctl const *c, struct ctl_args const *a, struct request const *r)
{
	struct wsmfa_totp const totp = {
		.key = &r->key, .algorithm = r->algorithm, .digits = (unsigned)r->digits, .period = (unsigned)r->period
	};
	char const *format = ctl_option(a, "--format");
	char const *issuer = ctl_option(a, "--issuer");
	char secret[BASE32_MAX], uri[WSMFA_TOTP_URI_MAX];
	enum ctl_exit code = CTL_OK;

	if (!issuer)
		issuer = strlen(r->account.organization) <= 64 ? r->account.organization : "RADIUS";
	if (!wsmfa_base32_encode(secret, sizeof(secret), &r->key) ||
	    !wsmfa_totp_uri(uri, sizeof(uri), &totp, issuer, r->account.name))
		code = ctl_fail("the URI can't be made; authenticator %s was added", r->id);
	else if (c->json || (format && strcmp(format, "json") == 0))
		code = ctl_print_json(json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:i, s:b}", "id",
						(json_int_t)strtoll(r->id, NULL, 10), "account", r->account.name,
						"secret", secret, "uri", uri, "algorithm",
						wsmfa_algorithm_word(r->algorithm), "digits", (int)r->digits, "period",
						(int)r->period, "confirmed", r->confirmed));
	else if (format && strcmp(format, "uri") == 0)
		printf("%s\n", uri);
	else
		code = qr_show(c, r, secret, uri);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(uri, sizeof(uri));
	return code;
}

enum ctl_exit ctl_totp_add(struct ctl *c, struct ctl_args const *a)
{
	struct request r = { .algorithm = WSMFA_SHA1, .confirmed = !ctl_option(a, "--unconfirmed") };
	struct wsmfa_keyring *ring;
	enum ctl_exit code = CTL_FAILED;

	if (ctl_option(a, "--issuer") && (!ctl_option(a, "--issuer")[0] || strlen(ctl_option(a, "--issuer")) > 64))
		return ctl_misuse("--issuer is 1 to 64 octets long");
	if (!ctl_option_number(a, "--digits", 6, 8, 6, &r.digits) ||
	    !ctl_option_number(a, "--period", 15, 60, 30, &r.period))
		return CTL_USAGE;
	if (ctl_option(a, "--algorithm"))
		(void)wsmfa_algorithm_parse(ctl_option(a, "--algorithm"), &r.algorithm);
	ring = ctl_keyring_load(c);
	if (!ring)
		return CTL_FAILED;
	if (key_take(a, &r) && ctl_account_find(c, ctl_operand(a, 0), &r.account) && row_insert(c, a, ring, &r))
		code = key_show(c, a, &r);
	wsmfa_secret_wipe(&r.key);
	wsmfa_keyring_free(ring);
	return code;
}
