/* Decoders over any octets: what decodes is encoded to the same text again, so every value has one spelling.
 * Apart from the unit tests, which have the vectors. */
#include "fuzz.h"

#include "core/codec.h"

static void check_hex(char const *text, size_t len)
{
	uint8_t octets[256];
	char again[2 * sizeof(octets) + 1];

	if (len / 2 > sizeof(octets) || !wsmfa_hex_decode(octets, len / 2, text, len))
		return;
	FUZZ_CHECK(len % 2 == 0 && wsmfa_hex_encode(again, sizeof(again), octets, len / 2) == len);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK(again[i] == text[i] || again[i] == text[i] + ('a' - 'A'));
}

static void check_base64(char const *text, size_t len)
{
	uint8_t octets[WSMFA_SECRET_MAX];
	char again[4 * ((WSMFA_SECRET_MAX + 2) / 3) + 1];

	for (size_t n = len / 4 * 3; n + 3 > len / 4 * 3 && n > 0 && n <= sizeof(octets); n--) {
		if (!wsmfa_base64_decode(octets, n, text, len))
			continue;
		FUZZ_CHECK(wsmfa_base64_encode(again, sizeof(again), octets, n) == len &&
			   memcmp(again, text, len) == 0);
	}
	if (len * 3 / 4 <= sizeof(octets) && wsmfa_base64url_decode(octets, len * 3 / 4, text, len)) {
		FUZZ_CHECK(wsmfa_base64url_encode(again, sizeof(again), octets, len * 3 / 4) == len);
		FUZZ_CHECK(memcmp(again, text, len) == 0);
	}
}

static void check_state(uint8_t const *data, size_t size)
{
	uint8_t state[WSMFA_STATE_LEN];
	char again[WSMFA_STATE_TEXT + 1];

	if (!wsmfa_state_decode(state, data, size))
		return;
	wsmfa_state_encode(again, state);
	FUZZ_CHECK(size == WSMFA_STATE_TEXT && memcmp(again, data, size) == 0);
}

static void check_base32(char const *text, size_t len)
{
	struct wsmfa_secret secret, back;
	char again[256];
	size_t n;

	if (!wsmfa_base32_decode(&secret, text, len)) {
		FUZZ_CHECK(secret.len == 0);
		return;
	}
	FUZZ_CHECK(secret.len > 0 && secret.len <= WSMFA_SECRET_MAX && secret.len <= len * 5 / 8);
	n = wsmfa_base32_encode(again, sizeof(again), &secret);
	FUZZ_CHECK(n > 0 && strspn(again, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == n);
	FUZZ_CHECK(wsmfa_base32_decode(&back, again, n) && memcmp(&back, &secret, sizeof(back)) == 0);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	char const *text = (char const *)data;

	check_hex(text, size);
	check_base64(text, size);
	check_state(data, size);
	check_base32(text, size);
	(void)wsmfa_utf8_valid(data, size);
	return 0;
}
