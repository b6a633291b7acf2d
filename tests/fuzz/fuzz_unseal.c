/* Sealed keys of any octets: nothing opens that was not sealed here, and what does not open leaves nothing.
 * The input is tried as a sealed key, then sealed itself and damaged at a place that it names. */
#include "fuzz.h"

#include "core/seal.h"
#include "core/types.h"

static struct wsmfa_keyring *ring_make(void)
{
	static char const text[] = "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
				   "k2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n";
	struct wsmfa_keyring *ring = NULL;
	char err[80];

	FUZZ_CHECK(wsmfa_keyring_parse(text, sizeof(text) - 1, &ring, err, sizeof(err)));
	return ring;
}

static void check_foreign(struct wsmfa_keyring const *ring, uint8_t const *data, size_t size)
{
	static struct wsmfa_secret const zero;
	struct wsmfa_secret plain;
	uint8_t again[WSMFA_SEALED_MAX];
	char id[WSMFA_KEY_ID_MAX] = "";
	size_t len = 0;

	memset(&plain, 0xA5, sizeof(plain));
	if (wsmfa_unseal(ring, 42, 7, data, size, &plain) != WSMFA_UNSEALED_OK) {
		FUZZ_CHECK(memcmp(&plain, &zero, sizeof(zero)) == 0);
		return;
	}
	FUZZ_CHECK(wsmfa_sealed_key_id(data, size, id));
	FUZZ_CHECK(wsmfa_seal(ring, 42, 7, data + 2 + strlen(id), &plain, again, sizeof(again), &len));
	FUZZ_CHECK(strcmp(id, "k1") != 0 || (len == size && memcmp(again, data, len) == 0));
}

static void check_damage(struct wsmfa_keyring const *ring, uint8_t const *data, size_t size)
{
	struct wsmfa_secret key, plain;
	uint8_t sealed[WSMFA_SEALED_MAX];
	size_t len = 0;

	if (size < WSMFA_NONCE_LEN + 3 || size - WSMFA_NONCE_LEN - 2 > WSMFA_SECRET_MAX)
		return;
	memset(&key, 0, sizeof(key));
	key.len = size - WSMFA_NONCE_LEN - 2;
	memcpy(key.octets, data + WSMFA_NONCE_LEN + 2, key.len);
	FUZZ_CHECK(wsmfa_seal(ring, 42, 7, data + 2, &key, sealed, sizeof(sealed), &len));
	FUZZ_CHECK(wsmfa_unseal(ring, 42, 7, sealed, len, &plain) == WSMFA_UNSEALED_OK);
	FUZZ_CHECK(memcmp(&plain, &key, sizeof(key)) == 0);
	FUZZ_CHECK(wsmfa_unseal(ring, 42, 8, sealed, len, &plain) == WSMFA_UNSEALED_DAMAGED);
	sealed[data[0] % len] ^= (uint8_t)(1 << data[1] % 8);
	FUZZ_CHECK(wsmfa_unseal(ring, 42, 7, sealed, len, &plain) != WSMFA_UNSEALED_OK);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	static struct wsmfa_keyring *ring;

	if (!ring)
		ring = ring_make();
	check_foreign(ring, data, size);
	check_damage(ring, data, size);
	return 0;
}
