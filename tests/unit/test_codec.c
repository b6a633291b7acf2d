/* Codecs: the vectors of RFC 4648 and RFC 3629, and every other spelling refused.
 * Apart from seal and names, which rely on it. */
#include "unit.h"

#include "core/codec.h"

static void hex_both_ways(void **state)
{
	uint8_t const octets[] = { 0x00, 0x7f, 0x80, 0xff };
	uint8_t back[4];
	char text[9];

	(void)state;
	assert_int_equal(wsmfa_hex_encode(text, sizeof(text), octets, 4), 8);
	assert_string_equal(text, "007f80ff");
	assert_int_equal(wsmfa_hex_encode(text, 8, octets, 4), 0);
	assert_string_equal(text, "");
	assert_true(wsmfa_hex_decode(back, 4, "007F80ff", 8));
	assert_memory_equal(back, octets, 4);
	assert_false(wsmfa_hex_decode(back, 4, "007F80f", 7));
	assert_false(wsmfa_hex_decode(back, 4, "007F80fg", 8));
	assert_false(wsmfa_hex_decode(back, 4, "007F80ff0", 9));
	assert_false(wsmfa_hex_decode(back, 4, "0x7F80ff", 8));
}

/* RFC 4648 section 10, without padding. */
static void base64url_vectors(void **state)
{
	static char const *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
	uint8_t const foobar[] = "foobar";
	uint8_t back[6];
	char text[9];

	(void)state;
	for (size_t len = 0; len < LENGTH(texts); len++) {
		assert_int_equal(wsmfa_base64url_encode(text, sizeof(text), foobar, len), strlen(texts[len]));
		assert_string_equal(text, texts[len]);
		assert_true(wsmfa_base64url_decode(back, len, text, strlen(text)));
		assert_memory_equal(back, foobar, len);
	}
	assert_int_equal(wsmfa_base64url_encode(text, 8, foobar, 6), 0);
	/* unused bits, padding, the other alphabet */
	assert_false(wsmfa_base64url_decode(back, 1, "Zh", 2));
	assert_false(wsmfa_base64url_decode(back, 2, "Zm9", 3));
	assert_false(wsmfa_base64url_decode(back, 1, "Zg==", 4));
	assert_false(wsmfa_base64url_decode(back, 3, "++++", 4));
	assert_true(wsmfa_base64url_decode(back, 3, "--__", 4));
}

#define STATE_TEXT "8PHy8_T19vf4-fr7_P3-_w"

static void state_has_one_spelling(void **state)
{
	uint8_t octets[WSMFA_STATE_LEN], back[WSMFA_STATE_LEN];
	uint8_t longest[253];
	char text[WSMFA_STATE_TEXT + 1];

	(void)state;
	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(0xF0 + i);
	wsmfa_state_encode(text, octets);
	assert_string_equal(text, STATE_TEXT);
	assert_true(wsmfa_state_decode(back, OCTETS(STATE_TEXT)));
	assert_memory_equal(back, octets, sizeof(octets));

	/* The last character has four unused bits: of 16 that decode to the same octets one is taken. */
	for (char const *last = "wxyz0123456789-_"; *last; last++) {
		text[WSMFA_STATE_TEXT - 1] = *last;
		assert_int_equal(wsmfa_state_decode(back, (uint8_t const *)text, WSMFA_STATE_TEXT), *last == 'w');
	}
	assert_false(wsmfa_state_decode(back, OCTETS("")));
	assert_false(wsmfa_state_decode(back, OCTETS("8")));
	assert_false(wsmfa_state_decode(back, OCTETS("8PHy8_T19vf4-fr7_P3-_")));
	assert_false(wsmfa_state_decode(back, OCTETS("8PHy8_T19vf4-fr7_P3-_w\0")));
	assert_false(wsmfa_state_decode(back, OCTETS("8PHy8_T19vf4\0fr7_P3-_w")));
	assert_false(wsmfa_state_decode(back, OCTETS("8PHy8/T19vf4+fr7/P3+/w")));
	assert_false(wsmfa_state_decode(back, OCTETS(" PHy8_T19vf4-fr7_P3-_w")));
	assert_false(wsmfa_state_decode(back, OCTETS("\xC3\xA9y8_T19vf4-fr7_P3-_w")));
	memset(longest, 'A', sizeof(longest));
	assert_false(wsmfa_state_decode(back, longest, sizeof(longest)));
}

static void base64_is_canonical(void **state)
{
	uint8_t octets[WSMFA_SECRET_MAX], back[WSMFA_SECRET_MAX];
	char text[4 * ((WSMFA_SECRET_MAX + 2) / 3) + 1];

	(void)state;
	for (size_t len = 1; len <= sizeof(octets); len++) {
		memset(octets, (int)(len ^ 0xA5), len);
		assert_int_equal(wsmfa_base64_encode(text, sizeof(text), octets, len), 4 * ((len + 2) / 3));
		assert_true(wsmfa_base64_decode(back, len, text, strlen(text)));
		assert_memory_equal(back, octets, len);
		assert_int_equal(wsmfa_base64_encode(text, 4 * ((len + 2) / 3), octets, len), 0);
	}
	assert_true(wsmfa_base64_decode(back, 4, "Zm9vYg==", 8));
	assert_memory_equal(back, "foob", 4);
	assert_false(wsmfa_base64_decode(back, 4, "Zm9vYh==", 8)); /* unused bits */
	assert_false(wsmfa_base64_decode(back, 4, "Zm9vYg=A", 8));
	assert_false(wsmfa_base64_decode(back, 6, "Zm9vYg==", 8)); /* padding instead of octets */
	assert_false(wsmfa_base64_decode(back, 4, "Zm9vYg", 6));
	assert_false(wsmfa_base64_decode(back, 3, " Zm9", 4));
	assert_false(wsmfa_base64_decode(back, 3, "Zm9\n", 4));
	assert_false(wsmfa_base64_decode(back, 3, "Zm_v", 4));
	assert_false(wsmfa_base64_decode(back, 3, "Zm\0v", 4));
	assert_false(wsmfa_base64_decode(back, 0, "", 0));
}

static struct wsmfa_secret secret_of(char const *text)
{
	struct wsmfa_secret secret = { .len = strlen(text) };

	memcpy(secret.octets, text, secret.len);
	return secret;
}

/* RFC 4648 section 10, without padding. */
static void base32_vectors(void **state)
{
	static char const *const texts[] = { "MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI" };
	char text[16];

	(void)state;
	for (size_t len = 1; len <= LENGTH(texts); len++) {
		struct wsmfa_secret secret = secret_of("foobar"), back;

		secret.len = len;
		assert_int_equal(wsmfa_base32_encode(text, sizeof(text), &secret), strlen(texts[len - 1]));
		assert_string_equal(text, texts[len - 1]);
		assert_true(wsmfa_base32_decode(&back, text, strlen(text)));
		assert_int_equal(back.len, len);
		assert_memory_equal(back.octets, "foobar", len);
		assert_int_equal(wsmfa_base32_encode(text, strlen(texts[len - 1]), &secret), 0);
	}
}

static void base32_as_people_type_it(void **state)
{
	static char const *const good[] = { "MZXW6YTBOI======", "mzxw6ytboi", "mzxw 6ytb oi", " MZXW-6YTB-OI ",
					    "MZXW6YTBOI==  ==" };
	static char const *const bad[] = {
		"",
		" ",
		"====",
		"M",
		"MZX",
		"MZXW6Y",
		"MZXW6YTB0I",
		"MZXW6YTB1I",
		"MZXW=6YTBOI",
		"MZXW6YTBO\xC3\x89",
		"MZXW6\tYTBOI",
	};
	struct wsmfa_secret secret, zero;
	char text[512];

	(void)state;
	memset(&zero, 0, sizeof(zero));
	for (size_t i = 0; i < LENGTH(good); i++) {
		assert_true(wsmfa_base32_decode(&secret, good[i], strlen(good[i])));
		assert_int_equal(secret.len, 6);
		assert_memory_equal(secret.octets, "foobar", 6);
	}
	for (size_t i = 0; i < LENGTH(bad); i++) {
		memset(&secret, 0xA5, sizeof(secret));
		assert_false(wsmfa_base32_decode(&secret, bad[i], strlen(bad[i])));
		assert_memory_equal(&secret, &zero, sizeof(zero));
	}
	assert_false(wsmfa_base32_decode(&secret, "MZ\0W6YTBOI", 10));

	memset(secret.octets, 0x5A, sizeof(secret.octets));
	secret.len = WSMFA_SECRET_MAX;
	assert_int_equal(wsmfa_base32_encode(text, sizeof(text), &secret), 205);
	assert_true(wsmfa_base32_decode(&zero, text, 205));
	assert_int_equal(zero.len, WSMFA_SECRET_MAX);
	assert_memory_equal(zero.octets, secret.octets, WSMFA_SECRET_MAX);
	memset(text, 'A', sizeof(text));
	assert_false(wsmfa_base32_decode(&secret, text, 208));
	assert_false(wsmfa_base32_decode(&secret, text, sizeof(text)));
	secret.len = 0;
	assert_int_equal(wsmfa_base32_encode(text, sizeof(text), &secret), 0);
}

static void text_in_groups(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(wsmfa_text_group(out, sizeof(out), "ABCDEFGHIJ", 4, ' '), 12);
	assert_string_equal(out, "ABCD EFGH IJ");
	assert_int_equal(wsmfa_text_group(out, 13, "ABCDEFGHIJ", 4, '-'), 12);
	assert_int_equal(wsmfa_text_group(out, 12, "ABCDEFGHIJ", 4, '-'), 0);
	assert_string_equal(out, "");
	assert_int_equal(wsmfa_text_group(out, sizeof(out), "ABCDEFGH", 4, ' '), 9);
	assert_string_equal(out, "ABCD EFGH");
	assert_int_equal(wsmfa_text_group(out, sizeof(out), "", 4, ' '), 0);
}

static void utf8_strict(void **state)
{
	static struct {
		uint8_t const *octets;
		size_t len;
		bool valid;
	} const cases[] = {
		{ OCTETS(""), true },
		{ OCTETS("a\0b"), true },
		{ OCTETS("\x7F"), true },
		{ OCTETS("\xC2\x80"), true },
		{ OCTETS("\xDF\xBF"), true },
		{ OCTETS("\xE0\xA0\x80"), true },
		{ OCTETS("\xED\x9F\xBF"), true },
		{ OCTETS("\xEE\x80\x80"), true },
		{ OCTETS("\xEF\xBF\xBF"), true },
		{ OCTETS("\xF0\x90\x80\x80"), true },
		{ OCTETS("\xF4\x8F\xBF\xBF"), true },
		{ OCTETS("\x80"), false },
		{ OCTETS("a\xBF"), false },
		{ OCTETS("\xC0\xAF"), false }, /* overlong / */
		{ OCTETS("\xC1\xBF"), false },
		{ OCTETS("\xE0\x9F\xBF"), false },     /* overlong */
		{ OCTETS("\xF0\x8F\xBF\xBF"), false }, /* overlong */
		{ OCTETS("\xED\xA0\x80"), false },     /* surrogate */
		{ OCTETS("\xED\xBF\xBF"), false },
		{ OCTETS("\xF4\x90\x80\x80"), false }, /* above U+10FFFF */
		{ OCTETS("\xF5\x80\x80\x80"), false },
		{ OCTETS("\xFF"), false },
		{ OCTETS("\xC3"), false }, /* cut off */
		{ OCTETS("\xE2\x82"), false },
		{ OCTETS("\xF0\x9F\x98"), false },
		{ OCTETS("\xC3\x28"), false },
		{ OCTETS("\xE2\x28\xA1"), false },
		{ OCTETS("\xE2\x82\x28"), false },
		{ OCTETS("\xF0\x9F\x98\x28"), false },
		{ OCTETS("\xC3\xC3\xA9"), false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		if (wsmfa_utf8_valid(cases[i].octets, cases[i].len) != cases[i].valid)
			fail_msg("case %zu", i);
	}
}

/* Every code point there is, encoded here by hand, and none besides. */
static void utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110800; c++) {
		bool valid = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
		uint8_t u[4];
		size_t len;

		if (c < 0x80) {
			u[0] = (uint8_t)c;
			len = 1;
		} else if (c < 0x800) {
			u[0] = (uint8_t)(0xC0 | c >> 6);
			len = 2;
		} else if (c < 0x10000) {
			u[0] = (uint8_t)(0xE0 | c >> 12);
			len = 3;
		} else {
			u[0] = (uint8_t)(0xF0 | c >> 18);
			len = 4;
		}
		for (size_t i = 1; i < len; i++)
			u[i] = (uint8_t)(0x80 | (c >> 6 * (len - 1 - i) & 0x3F));
		if (wsmfa_utf8_valid(u, len) != valid)
			fail_msg("U+%04X", (unsigned)c);
	}
}

static void clean_for_logs(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(wsmfa_clean(out, sizeof(out), OCTETS("plain name'")), 11);
	assert_string_equal(out, "plain name'");
	wsmfa_clean(out, sizeof(out), OCTETS("a\nb%\\\""));
	assert_string_equal(out, "a\\x0Ab\\x25...");
	wsmfa_clean(out, sizeof(out), OCTETS("\0\x7F\x1B"));
	assert_string_equal(out, "\\x00\\x7F\\x1B");
	wsmfa_clean(out, sizeof(out), OCTETS("\xC3\xA9"));
	assert_string_equal(out, "\\xC3\\xA9");
	wsmfa_clean(out, sizeof(out), OCTETS("123456789012345"));
	assert_string_equal(out, "123456789012345");
	wsmfa_clean(out, sizeof(out), OCTETS("1234567890123456"));
	assert_string_equal(out, "123456789012...");
	/* An escape is whole or not there at all. */
	wsmfa_clean(out, sizeof(out), OCTETS("1234567890\n\n"));
	assert_string_equal(out, "1234567890...");
	assert_int_equal(wsmfa_clean(out, 1, OCTETS("abc")), 0);
	assert_string_equal(out, "");
	assert_int_equal(wsmfa_clean(out, 3, OCTETS("abc")), 2);
	assert_string_equal(out, "..");
	assert_int_equal(wsmfa_clean(out, sizeof(out), NULL, 0), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(hex_both_ways),          cmocka_unit_test(base64url_vectors),
		cmocka_unit_test(state_has_one_spelling), cmocka_unit_test(base64_is_canonical),
		cmocka_unit_test(base32_vectors),         cmocka_unit_test(base32_as_people_type_it),
		cmocka_unit_test(text_in_groups),         cmocka_unit_test(utf8_strict),
		cmocka_unit_test(utf8_every_code_point),  cmocka_unit_test(clean_for_logs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
