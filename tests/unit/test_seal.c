/* Key ring and seal: what opens, what does not, and why.
 * Apart from the tests of TOTP, which begin where a key is open. */
#include "unit.h"

#include "core/seal.h"
#include "core/types.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* octets 0 to 31 */
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=" /* octets 32 to 63 */

static struct wsmfa_keyring *ring_of(char const *text)
{
	struct wsmfa_keyring *ring = NULL;
	char err[128] = "";

	if (!wsmfa_keyring_parse(text, strlen(text), &ring, err, sizeof(err)))
		fail_msg("%s", err);
	return ring;
}

static void ring_parses(void **state)
{
	struct wsmfa_keyring *ring;

	(void)state;
	ring = ring_of("# made in 2024\r\n\r\n  2024-01 \t " KEY_A "  \r\n\n# older\nold_key.1 " KEY_B);
	assert_int_equal(wsmfa_keyring_size(ring), 2);
	assert_string_equal(wsmfa_keyring_id(ring, 0), "2024-01");
	assert_string_equal(wsmfa_keyring_id(ring, 1), "old_key.1");
	assert_null(wsmfa_keyring_id(ring, 2));
	assert_true(wsmfa_keyring_has(ring, "old_key.1"));
	assert_false(wsmfa_keyring_has(ring, "old_key"));
	wsmfa_keyring_free(ring);
	wsmfa_keyring_free(NULL);
}

static void ring_refuses(void **state)
{
	static struct {
		char const *text;
		char const *err;
	} const cases[] = {
		{ "", "no key" },
		{ "# only a comment\n\n", "no key" },
		{ "a " KEY_A "\nb\n", "line 2: no key behind the id" },
		{ "a " KEY_A "\n\nb ICEiIyQl\n", "line 3: key \"b\" is not 32 octets in base64" },
		{ "a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", "line 1: key \"a\" is not 32 octets in base64" },
		{ "a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n", "line 1: key \"a\" is not 32 octets in base64" },
		{ "a " KEY_A " b\n", "line 1: key \"a\" is not 32 octets in base64" },
		{ "a " KEY_A "\na " KEY_B "\n", "line 2: id \"a\" comes twice" },
		{ "a " KEY_A "\nb " KEY_A "\n", "line 2: \"b\" is the same key as \"a\"" },
		{ "a/b " KEY_A "\n", "line 1: the id must be 1 to 32 of A-Z a-z 0-9 . _ -" },
		{ "123456789012345678901234567890123 " KEY_A "\n",
		  "line 1: the id must be 1 to 32 of A-Z a-z 0-9 . _ -" },
		{ KEY_A "\n", "line 1: the id must be 1 to 32 of A-Z a-z 0-9 . _ -" },
	};
	struct wsmfa_keyring *ring;
	char err[128];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		ring = (struct wsmfa_keyring *)&ring;
		err[0] = '\0';
		assert_false(wsmfa_keyring_parse(cases[i].text, strlen(cases[i].text), &ring, err, sizeof(err)));
		assert_null(ring);
		assert_string_equal(err, cases[i].err);
		assert_null(strstr(err, "AAEC")); /* no part of a key */
	}
	assert_false(wsmfa_keyring_parse("a\0 " KEY_A, sizeof("a\0 " KEY_A) - 1, &ring, err, sizeof(err)));
	assert_false(wsmfa_keyring_parse("", 0, &ring, err, 0));
}

static void ring_is_bounded(void **state)
{
	static char text[(WSMFA_KEYRING_MAX + 1) * 64];
	struct wsmfa_keyring *ring;
	char err[128];
	size_t n = 0, bound = 0;

	(void)state;
	for (unsigned i = 0; i <= WSMFA_KEYRING_MAX; i++) {
		if (i == WSMFA_KEYRING_MAX)
			bound = n;
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "k%u %02uECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", i, i);
	}
	assert_true(wsmfa_keyring_parse(text, bound, &ring, err, sizeof(err)));
	assert_int_equal(wsmfa_keyring_size(ring), WSMFA_KEYRING_MAX);
	wsmfa_keyring_free(ring);
	assert_false(wsmfa_keyring_parse(text, n, &ring, err, sizeof(err)));
	assert_string_equal(err, "line 65: more than 64 keys");
}

static uint8_t const nonce[WSMFA_NONCE_LEN] = {
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab
};
static struct wsmfa_secret const key = { "12345678901234567890", 20 };

/* Made by another implementation of AES-GCM, from the form as the header states it. */
#define SEALED \
	"01026b31a0a1a2a3a4a5a6a7a8a9aaabd72a4f1970fd35875b55b6e1344ef5e8479460206040c02b24563ded4740412255ed0cfe"

static void seal_has_its_form(void **state)
{
	struct wsmfa_keyring *ring = ring_of("k1 " KEY_A "\nk2 " KEY_B "\n");
	struct wsmfa_secret plain;
	uint8_t sealed[WSMFA_SEALED_MAX];
	char id[WSMFA_KEY_ID_MAX];
	size_t len = 0;

	(void)state;
	assert_true(wsmfa_seal(ring, 42, 7, nonce, &key, sealed, sizeof(sealed), &len));
	assert_hex(sealed, len, SEALED);
	assert_true(wsmfa_sealed_key_id(sealed, len, id));
	assert_string_equal(id, "k1");
	assert_int_equal(wsmfa_unseal(ring, 42, 7, sealed, len, &plain), WSMFA_UNSEALED_OK);
	assert_int_equal(plain.len, key.len);
	assert_memory_equal(plain.octets, key.octets, key.len);
	wsmfa_keyring_free(ring);
}

static void seal_of_every_size(void **state)
{
	struct wsmfa_keyring *ring = ring_of("12345678901234567890123456789012 " KEY_A);
	struct wsmfa_secret secret, plain;
	uint8_t sealed[WSMFA_SEALED_MAX];
	size_t len = 0;

	(void)state;
	memset(&secret, 0x5A, sizeof(secret));
	for (secret.len = 1; secret.len <= WSMFA_SECRET_MAX; secret.len++) {
		assert_true(wsmfa_seal(ring, INT64_MAX, -1, nonce, &secret, sealed, sizeof(sealed), &len));
		assert_int_equal(len, secret.len + WSMFA_SEAL_OVERHEAD);
		assert_int_equal(wsmfa_unseal(ring, INT64_MAX, -1, sealed, len, &plain), WSMFA_UNSEALED_OK);
		assert_int_equal(plain.len, secret.len);
		assert_memory_equal(plain.octets, secret.octets, secret.len);
		assert_true(wsmfa_seal(ring, INT64_MAX, -1, nonce, &secret, sealed, len, &len));
		assert_false(wsmfa_seal(ring, INT64_MAX, -1, nonce, &secret, sealed, len - 1, &len));
	}
	assert_false(wsmfa_seal(ring, 1, 1, nonce, &secret, sealed, sizeof(sealed), &len)); /* one too long */
	secret.len = 0;
	assert_false(wsmfa_seal(ring, 1, 1, nonce, &secret, sealed, sizeof(sealed), &len));
	wsmfa_keyring_free(ring);
}

static void unseal_after_rotation(void **state)
{
	struct wsmfa_keyring *before = ring_of("k1 " KEY_A), *after = ring_of("k2 " KEY_B "\nk1 " KEY_A);
	struct wsmfa_keyring *gone = ring_of("k2 " KEY_B), *other = ring_of("k1 " KEY_B);
	struct wsmfa_secret plain, zero;
	uint8_t sealed[WSMFA_SEALED_MAX];
	size_t len = 0;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	assert_true(wsmfa_seal(before, 42, 7, nonce, &key, sealed, sizeof(sealed), &len));
	assert_int_equal(wsmfa_unseal(after, 42, 7, sealed, len, &plain), WSMFA_UNSEALED_OK);
	assert_int_equal(wsmfa_unseal(gone, 42, 7, sealed, len, &plain), WSMFA_UNSEALED_NO_KEY);
	assert_memory_equal(&plain, &zero, sizeof(zero));
	assert_int_equal(wsmfa_unseal(other, 42, 7, sealed, len, &plain), WSMFA_UNSEALED_DAMAGED);
	wsmfa_keyring_free(before);
	wsmfa_keyring_free(after);
	wsmfa_keyring_free(gone);
	wsmfa_keyring_free(other);
}

/* Another account or authenticator, any flipped bit, any other length: nothing opens, and nothing of the key is left. */
static void unseal_refuses_what_was_altered(void **state)
{
	struct wsmfa_keyring *ring = ring_of("k1 " KEY_A);
	struct wsmfa_secret plain, zero;
	uint8_t sealed[WSMFA_SEALED_MAX + 1];
	size_t len = 0;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	memset(sealed, 0, sizeof(sealed));
	assert_true(wsmfa_seal(ring, 42, 7, nonce, &key, sealed, WSMFA_SEALED_MAX, &len));
	assert_int_equal(wsmfa_unseal(ring, 43, 7, sealed, len, &plain), WSMFA_UNSEALED_DAMAGED);
	assert_int_equal(wsmfa_unseal(ring, 42, 8, sealed, len, &plain), WSMFA_UNSEALED_DAMAGED);
	assert_int_equal(wsmfa_unseal(ring, 7, 42, sealed, len, &plain), WSMFA_UNSEALED_DAMAGED);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(&plain, 0xA5, sizeof(plain));
		assert_int_not_equal(wsmfa_unseal(ring, 42, 7, sealed, len, &plain), WSMFA_UNSEALED_OK);
		assert_memory_equal(&plain, &zero, sizeof(zero));
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t other = 0; other <= sizeof(sealed); other++) {
		if (other != len)
			assert_int_equal(wsmfa_unseal(ring, 42, 7, sealed, other, &plain), WSMFA_UNSEALED_DAMAGED);
	}
	assert_int_equal(wsmfa_unseal(ring, 42, 7, sealed, len, &plain), WSMFA_UNSEALED_OK); /* control */
	wsmfa_keyring_free(ring);
}

/* RFC 5869, worked out by another implementation. */
static void derived_keys(void **state)
{
	struct wsmfa_keyring *ring = ring_of("k1 " KEY_A "\nk2 " KEY_B), *rotated = ring_of("k2 " KEY_B "\nk1 " KEY_A);
	uint8_t out[WSMFA_KEY_LEN];

	(void)state;
	assert_true(wsmfa_keyring_derive(ring, "state", out));
	assert_hex(out, sizeof(out), "ee0967945f7a80ed14a08b72d2629a45b47e1f72a6946825ad449b8589d1ff30");
	assert_true(wsmfa_keyring_derive(ring, "code", out));
	assert_hex(out, sizeof(out), "daae937a0adef9964f9b5179c07987364f848ac20e8da097b254e841801261b6");
	assert_true(wsmfa_keyring_derive(rotated, "code", out));
	assert_int_not_equal(out[0], 0xda);
	assert_false(wsmfa_keyring_derive(ring, "", out));
	wsmfa_keyring_free(ring);
	wsmfa_keyring_free(rotated);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(ring_parses),        cmocka_unit_test(ring_refuses),
		cmocka_unit_test(ring_is_bounded),    cmocka_unit_test(seal_has_its_form),
		cmocka_unit_test(seal_of_every_size), cmocka_unit_test(unseal_after_rotation),
		cmocka_unit_test(derived_keys),       cmocka_unit_test(unseal_refuses_what_was_altered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
