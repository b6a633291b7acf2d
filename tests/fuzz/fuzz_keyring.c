/* Key files of any octets: a ring that parses can seal, open and derive; a refusal has a printable reason.
 * Apart from fuzz_unseal, whose ring is good and whose seals are not. */
#include "fuzz.h"

#include "core/seal.h"
#include "core/types.h"

static void check_ring(struct wsmfa_keyring *ring)
{
	static uint8_t const nonce[WSMFA_NONCE_LEN] = "nonce";
	struct wsmfa_secret key = { "12345678901234567890", 20 }, plain;
	uint8_t sealed[WSMFA_SEALED_MAX], derived[WSMFA_KEY_LEN];
	char id[WSMFA_KEY_ID_MAX];
	size_t len = 0, keys = wsmfa_keyring_size(ring);

	FUZZ_CHECK(keys >= 1 && keys <= WSMFA_KEYRING_MAX);
	FUZZ_CHECK(wsmfa_keyring_id(ring, keys) == NULL);
	for (size_t i = 0; i < keys; i++)
		FUZZ_CHECK(wsmfa_keyring_has(ring, wsmfa_keyring_id(ring, i)));
	FUZZ_CHECK(wsmfa_seal(ring, 1, 2, nonce, &key, sealed, sizeof(sealed), &len));
	FUZZ_CHECK(wsmfa_sealed_key_id(sealed, len, id) && strcmp(id, wsmfa_keyring_id(ring, 0)) == 0);
	FUZZ_CHECK(wsmfa_unseal(ring, 1, 2, sealed, len, &plain) == WSMFA_UNSEALED_OK);
	FUZZ_CHECK(plain.len == key.len && memcmp(plain.octets, key.octets, key.len) == 0);
	FUZZ_CHECK(wsmfa_keyring_derive(ring, "state", derived));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	struct wsmfa_keyring *ring = NULL;
	char err[64] = "", *text = malloc(size > 0 ? size : 1);

	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, data, size);
	if (wsmfa_keyring_parse(text, size, &ring, err, sizeof(err))) {
		check_ring(ring);
	} else {
		FUZZ_CHECK(!ring && err[0] != '\0' && memchr(err, '\0', sizeof(err)));
		for (char const *p = err; *p; p++)
			FUZZ_CHECK(*p >= 0x20 && *p < 0x7F);
	}
	wsmfa_keyring_free(ring);
	free(text);
	return 0;
}
