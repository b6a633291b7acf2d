/*
 * Hashes and MACs, each for one purpose.
 * Apart from the flow, so that what is hashed and with which key can be read in one place.
 */
#include "core/mac.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/answer.h"
#include "core/code.h"

bool wsmfa_mac_keys_derive(struct wsmfa_mac_keys *out, struct wsmfa_keyring const *ring)
{
	if (wsmfa_keyring_derive(ring, "state", out->state) && wsmfa_keyring_derive(ring, "answer", out->answer) &&
	    wsmfa_keyring_derive(ring, "code", out->code))
		return true;
	wsmfa_mac_keys_wipe(out);
	return false;
}

void wsmfa_mac_keys_wipe(struct wsmfa_mac_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

static bool sha256(uint8_t out[WSMFA_HASH_LEN], void const *in, size_t len)
{
	unsigned n = 0;

	if (EVP_Digest(in, len, out, &n, EVP_sha256(), NULL) == 1 && n == WSMFA_HASH_LEN)
		return true;
	OPENSSL_cleanse(out, WSMFA_HASH_LEN);
	return false;
}

static bool hmac(uint8_t out[WSMFA_HASH_LEN], uint8_t const key[WSMFA_KEY_LEN], uint8_t const *in, size_t len)
{
	unsigned n = 0;

	if (HMAC(EVP_sha256(), key, WSMFA_KEY_LEN, in, len, out, &n) && n == WSMFA_HASH_LEN)
		return true;
	OPENSSL_cleanse(out, WSMFA_HASH_LEN);
	return false;
}

bool wsmfa_state_hash(uint8_t out[WSMFA_HASH_LEN], uint8_t const state[WSMFA_STATE_LEN])
{
	return sha256(out, state, WSMFA_STATE_LEN);
}

bool wsmfa_state_successor(uint8_t out[WSMFA_STATE_LEN], struct wsmfa_mac_keys const *keys,
			   uint8_t const spent[WSMFA_STATE_LEN])
{
	uint8_t mac[WSMFA_HASH_LEN];
	bool ok = hmac(mac, keys->state, spent, WSMFA_STATE_LEN);

	memcpy(out, mac, WSMFA_STATE_LEN);
	OPENSSL_cleanse(mac, sizeof(mac));
	return ok;
}

bool wsmfa_state_octets(uint8_t out[WSMFA_HASH_LEN], struct wsmfa_mac_keys const *keys,
			uint8_t const spent[WSMFA_STATE_LEN], char const *purpose)
{
	uint8_t in[WSMFA_STATE_LEN + 16];
	size_t const len = strlen(purpose);

	/* longer than the successor's input, so that neither can be taken for the other */
	if (len == 0 || len > 16) {
		OPENSSL_cleanse(out, WSMFA_HASH_LEN);
		return false;
	}
	memcpy(in, spent, WSMFA_STATE_LEN);
	memcpy(in + WSMFA_STATE_LEN, purpose, len); // NOLINT(bugprone-not-null-terminated-result): octets to hash
	return hmac(out, keys->state, in, WSMFA_STATE_LEN + len);
}

bool wsmfa_answer_mac(uint8_t out[WSMFA_HASH_LEN], struct wsmfa_mac_keys const *keys,
		      uint8_t const state[WSMFA_STATE_LEN], uint8_t const *answer, size_t len)
{
	uint8_t digest[WSMFA_STATE_LEN + WSMFA_HASH_LEN];
	bool ok = false;

	memcpy(digest, state, WSMFA_STATE_LEN);
	/* An answer may be of any length, so it goes in as a digest; the empty one too. */
	if (sha256(digest + WSMFA_STATE_LEN, len > 0 ? answer : (uint8_t const *)"", len))
		ok = hmac(out, keys->answer, digest, sizeof(digest));
	else
		OPENSSL_cleanse(out, WSMFA_HASH_LEN);
	OPENSSL_cleanse(digest, sizeof(digest));
	return ok;
}

bool wsmfa_code_mac(uint8_t out[WSMFA_HASH_LEN], struct wsmfa_mac_keys const *keys, int64_t account_id,
		    char const *phone, char const *code)
{
	uint8_t octets[8 + WSMFA_ANSWER_MAX + 1 + WSMFA_PHONE_MAX];
	size_t len = strnlen(code, WSMFA_ANSWER_MAX + 1);
	size_t const to = strnlen(phone, WSMFA_PHONE_MAX);
	uint64_t id = (uint64_t)account_id;
	bool ok = false;

	if (len == 0 || len > WSMFA_ANSWER_MAX || to == WSMFA_PHONE_MAX)
		goto done;
	for (unsigned i = 0; i < 8; i++)
		octets[i] = (uint8_t)(id >> (56 - 8 * i));
	memcpy(octets + 8, code, len);
	if (to > 0) {
		octets[8 + len++] = '\0'; // neither has one, so that no code runs into a number
		memcpy(octets + 8 + len, phone, to);
	}
	ok = hmac(out, keys->code, octets, 8 + len + to);
	OPENSSL_cleanse(octets, sizeof(octets));
done:
	if (!ok)
		OPENSSL_cleanse(out, WSMFA_HASH_LEN);
	return ok;
}

/* The normalised form, if it has just this length. text holds any that has. */
static bool shaped(char *text, size_t size, char const *code, size_t wanted)
{
	size_t len = strnlen(code, WSMFA_ANSWER_MAX + 1);

	return len <= WSMFA_ANSWER_MAX && wsmfa_code_normalise(text, size, code, len) == wanted;
}

bool wsmfa_ticket_hash(uint8_t out[WSMFA_HASH_LEN], char const *ticket)
{
	char text[WSMFA_TICKET_LEN + 1];
	bool ok = false;

	if (shaped(text, sizeof(text), ticket, WSMFA_TICKET_LEN))
		ok = sha256(out, text, WSMFA_TICKET_LEN);
	if (!ok)
		OPENSSL_cleanse(out, WSMFA_HASH_LEN);
	OPENSSL_cleanse(text, sizeof(text));
	return ok;
}

bool wsmfa_recovery_hash(uint8_t out[WSMFA_HASH_LEN], uint8_t const salt[WSMFA_SALT_LEN], int32_t iterations,
			 char const *code)
{
	char text[WSMFA_RECOVERY_LEN + 1];
	bool ok = false;

	if (iterations >= WSMFA_RECOVERY_ITERATIONS_LEAST && iterations <= WSMFA_RECOVERY_ITERATIONS_MOST &&
	    shaped(text, sizeof(text), code, WSMFA_RECOVERY_LEN))
		ok = PKCS5_PBKDF2_HMAC(text, WSMFA_RECOVERY_LEN, salt, WSMFA_SALT_LEN, iterations, EVP_sha256(),
				       WSMFA_HASH_LEN, out) == 1;
	if (!ok)
		OPENSSL_cleanse(out, WSMFA_HASH_LEN);
	OPENSSL_cleanse(text, sizeof(text));
	return ok;
}

bool wsmfa_hash_equal(uint8_t const a[WSMFA_HASH_LEN], uint8_t const b[WSMFA_HASH_LEN])
{
	return CRYPTO_memcmp(a, b, WSMFA_HASH_LEN) == 0;
}
