/* recovery new and account ticket: codes on paper, shown this once and kept only as hashes.
 * Apart from the other methods, because these two are made of letters and have no device. */
#include "command.h"
#include "db.h"
#include "out.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/code.h"
#include "core/codec.h"
#include "core/mac.h"

#define HASH_HEX   (2 * WSMFA_HASH_LEN + 3)
#define HASHES_MAX (WSMFA_RECOVERY_CODES * (2 * WSMFA_HASH_LEN + 6) + 3)

/* A set of codes: the texts, and their hashes as an array of bytea. */
struct set {
	char text[WSMFA_RECOVERY_CODES][WSMFA_RECOVERY_TEXT];
	char hashes[HASHES_MAX];
	char salt[2 * WSMFA_SALT_LEN + 3];
};

static bool hash_hex(uint8_t const *hash, char *out)
{
	memcpy(out, "\\x", 2);
	return wsmfa_hex_encode(out + 2, HASH_HEX - 2, hash, WSMFA_HASH_LEN) > 0;
}

static bool set_make(struct set *set)
{
	uint8_t salt[WSMFA_SALT_LEN], random[WSMFA_RECOVERY_LEN], hash[WSMFA_HASH_LEN];
	size_t len = 1;

	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return false;
	memcpy(set->salt, "\\x", 2);
	(void)wsmfa_hex_encode(set->salt + 2, sizeof(set->salt) - 2, salt, sizeof(salt));
	set->hashes[0] = '{';
	for (int i = 0; i < WSMFA_RECOVERY_CODES; i++) {
		char normal[WSMFA_RECOVERY_TEXT], hex[HASH_HEX];
		bool done = RAND_bytes(random, sizeof(random)) == 1;

		wsmfa_code_recovery(set->text[i], random);
		(void)wsmfa_code_normalise(normal, sizeof(normal), set->text[i], strlen(set->text[i]));
		done = done && wsmfa_recovery_hash(hash, salt, WSMFA_RECOVERY_ITERATIONS, normal) &&
		       hash_hex(hash, hex);
		OPENSSL_cleanse(normal, sizeof(normal));
		OPENSSL_cleanse(random, sizeof(random));
		if (!done)
			return false;
		/* In an array's text a backslash is written twice, in quotes. */
		len += (size_t)snprintf(set->hashes + len, sizeof(set->hashes) - len, "%s\"\\%s\"", i ? "," : "", hex);
	}
	snprintf(set->hashes + len, sizeof(set->hashes) - len, "}");
	return true;
}

/* The old set goes in the same transaction: there is never none, and never two. */
static bool set_store(struct ctl *c, char const *account_id, struct set const *set)
{
	char iterations[16];
	PGresult *res;
	bool done;

	snprintf(iterations, sizeof(iterations), "%d", WSMFA_RECOVERY_ITERATIONS);
	if (!ctl_exec(c, "BEGIN"))
		return false;
	res = ctl_query(c,
			"UPDATE wsmfa.authenticator SET removed_at = statement_timestamp()"
			" WHERE account_id = $1 AND kind = 'recovery' AND removed_at IS NULL",
			1, account_id);
	done = res != NULL;
	PQclear(res);
	if (!done)
		return false;
	res = ctl_query(
		c,
		"WITH a AS (INSERT INTO wsmfa.authenticator (account_id, kind, confirmed_at, salt, iterations)"
		" VALUES ($1, 'recovery', statement_timestamp(), $2::bytea, $3) RETURNING id)"
		" INSERT INTO wsmfa.recovery_code (authenticator_id, hash) SELECT a.id, h FROM a, unnest($4::bytea[]) h",
		4, account_id, set->salt, iterations, set->hashes);
	done = res != NULL;
	PQclear(res);
	return done && ctl_exec(c, "COMMIT");
}

static enum ctl_exit set_show(struct ctl const *c, char const *account, struct set const *set)
{
	json_t *codes;

	if (!c->json) {
		printf("Recovery codes of %s. Each lets in once; older ones are void. They are not shown again.\n\n",
		       account);
		for (int i = 0; i < WSMFA_RECOVERY_CODES; i++)
			printf("  %s\n", set->text[i]);
		return CTL_OK;
	}
	codes = json_array();
	for (int i = 0; i < WSMFA_RECOVERY_CODES; i++)
		json_array_append_new(codes, json_string(set->text[i]));
	return ctl_print_json(json_pack("{s:s, s:o}", "account", account, "codes", codes));
}

enum ctl_exit ctl_recovery_new(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;
	struct set set;
	enum ctl_exit code = CTL_FAILED;

	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	if (!set_make(&set))
		ctl_fail("OpenSSL could not make recovery codes");
	else if (set_store(c, account.id, &set))
		code = set_show(c, account.name, &set);
	OPENSSL_cleanse(&set, sizeof(set));
	return code;
}

enum ctl_exit ctl_account_ticket(struct ctl *c, struct ctl_args const *a)
{
	struct ctl_account account;
	uint8_t random[WSMFA_TICKET_LEN], hash[WSMFA_HASH_LEN];
	char ticket[WSMFA_TICKET_TEXT], normal[WSMFA_TICKET_TEXT], hex[HASH_HEX], hours_text[16];
	PGresult *res = NULL;
	long hours;
	enum ctl_exit code = CTL_FAILED;

	if (!ctl_option_number(a, "--hours", 1, 720, 24, &hours))
		return CTL_USAGE;
	if (!ctl_account_find(c, ctl_operand(a, 0), &account))
		return CTL_FAILED;
	snprintf(hours_text, sizeof(hours_text), "%ld", hours);
	if (RAND_bytes(random, sizeof(random)) != 1)
		return ctl_fail("OpenSSL has no random octets to give");
	wsmfa_code_ticket(ticket, random);
	(void)wsmfa_code_normalise(normal, sizeof(normal), ticket, strlen(ticket));
	if (!wsmfa_ticket_hash(hash, normal) || !hash_hex(hash, hex))
		ctl_fail("OpenSSL could not hash the ticket");
	else
		res = ctl_query(
			c,
			"WITH older AS (UPDATE wsmfa.ticket SET expires_at = statement_timestamp() WHERE account_id = $1"
			" AND used_at IS NULL AND expires_at > statement_timestamp())"
			" INSERT INTO wsmfa.ticket (account_id, hash, expires_at)"
			" VALUES ($1, $2::bytea, statement_timestamp() + make_interval(hours => $3)) RETURNING expires_at",
			3, account.id, hex, hours_text);
	if (res) {
		json_t *row = ctl_row_json(res, 0);

		if (c->json)
			code = ctl_print_done(json_pack("{s:s, s:s, s:O}", "account", account.name, "ticket", ticket,
							"expires_at", json_object_get(row, "expires_at")));
		else
			code = printf("Ticket of %s: %s\nIt enrols once, until %.19s; older ones are void. It is not shown again.\n",
				      account.name, ticket, ctl_value(res, 0, "expires_at")) > 0
				       ? CTL_OK
				       : CTL_FAILED;
		json_decref(row);
		PQclear(res);
	}
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(ticket, sizeof(ticket));
	OPENSSL_cleanse(normal, sizeof(normal));
	return code;
}
