/* Names and numbers: what is taken, as what, and what is refused.
 * Apart from the store's tests, which get names that are well formed. */
#include "unit.h"

#include "core/name.h"

static void names(void **state)
{
	static struct {
		uint8_t const *octets;
		size_t len;
		char const *name; /* NULL: refused */
	} const cases[] = {
		{ OCTETS("alice"), "alice" },
		{ OCTETS("Alice.SMITH@Example.COM"), "alice.smith@example.com" },
		{ OCTETS("DOM\\name"), "dom\\name" },
		{ OCTETS("o'brien \"x\""), "o'brien \"x\"" },
		{ OCTETS("%{User-Name} `id` $(id) %s"), "%{user-name} `id` $(id) %s" },
		{ OCTETS("alice "), "alice " }, /* another name */
		{ OCTETS(" alice"), " alice" },
		{ OCTETS(" "), " " },
		{ OCTETS("\xC3\x84ngstr\xC3\xB6m"), "\xC3\x84ngstr\xC3\xB6m" }, /* only ASCII is folded */
		{ OCTETS("\xEF\xBC\xA1"), "\xEF\xBC\xA1" },                     /* a full-width A stays */
		{ OCTETS("\xC2\xA0"), "\xC2\xA0" },
		{ OCTETS("[@Z`{"), "[@z`{" },
		{ OCTETS(""), NULL },
		{ OCTETS("\0"), NULL },
		{ OCTETS("alice\0"), NULL },
		{ OCTETS("ali\0ce"), NULL },
		{ OCTETS("alice\n"), NULL },
		{ OCTETS("ali\tce"), NULL },
		{ OCTETS("\x1F"), NULL },
		{ OCTETS("alice\x7F"), NULL },
		{ OCTETS("\xC2\x80"), NULL }, /* C1 */
		{ OCTETS("alice\xC2\x9F"), NULL },
		{ OCTETS("alice\xC3"), NULL },
		{ OCTETS("\xE9lise"), NULL },     /* Latin-1 */
		{ OCTETS("\xC1\xA1lice"), NULL }, /* overlong a */
		{ OCTETS("\xED\xA0\x80"), NULL },
	};
	char name[WSMFA_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		memset(name, 'x', sizeof(name));
		if (wsmfa_account_name(name, cases[i].octets, cases[i].len) != (cases[i].name != NULL))
			fail_msg("case %zu", i);
		assert_string_equal(name, cases[i].name ? cases[i].name : "");
	}
}

static void names_of_any_length(void **state)
{
	uint8_t octets[300];
	char name[WSMFA_NAME_MAX];

	(void)state;
	memset(octets, 'A', sizeof(octets));
	for (size_t len = 0; len <= sizeof(octets); len++) {
		assert_int_equal(wsmfa_account_name(name, octets, len), len >= 1 && len <= 253);
		assert_int_equal(strlen(name), len >= 1 && len <= 253 ? len : 0);
	}
}

static void phones(void **state)
{
	static char const *const good[] = { "+1234567", "+358401234567", "+123456789012345", "+16505550100" };
	static char const *const bad[] = { "",
					   "+",
					   "1234567",
					   "+123456",
					   "+1234567890123456",
					   "+0123456789",
					   "+35840 1234567",
					   "+358-401234567",
					   "00358401234567",
					   "+358401234567 ",
					   " +358401234567",
					   "+35840123456a",
					   "++358401234567",
					   ("+\xEF\xBC\x93"
					    "58401234") };
	char masked[WSMFA_PHONE_MASKED];

	(void)state;
	for (size_t i = 0; i < LENGTH(good); i++) {
		assert_true(wsmfa_phone_valid(good[i]));
		wsmfa_phone_mask(masked, good[i]);
		assert_int_equal(strlen(masked), WSMFA_PHONE_MASKED - 1); /* as long for any number */
		assert_int_equal(strspn(masked, "*"), WSMFA_PHONE_MASKED - 3);
		assert_string_equal(masked + WSMFA_PHONE_MASKED - 3, good[i] + strlen(good[i]) - 2);
	}
	for (size_t i = 0; i < LENGTH(bad); i++) {
		assert_false(wsmfa_phone_valid(bad[i]));
		wsmfa_phone_mask(masked, bad[i]);
		assert_string_equal(masked, "");
	}
}

static void prefixes(void **state)
{
	static char const *const bad[] = {
		"", " ", ",", "ALL", "all,+1", "358", "+", "+0", "+358;+46", "+358,+", "+1234567890123456", "+3x"
	};
	static struct {
		char const *prefixes;
		bool allowed;
	} const cases[] = {
		{ "all", true },           { "+358", true },        { "+3", true },
		{ "+46,+358", true },      { "+46 , +358 ", true }, { " +358 +46", true },
		{ "+358401234567", true }, { "+46", false },        { "+3584012345678", false },
		{ "+46,+45", false },      { "+358,x", false },     { "", false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++) {
		assert_false(wsmfa_prefixes_valid(bad[i]));
		assert_false(wsmfa_phone_allowed("+358401234567", bad[i]));
	}
	for (size_t i = 0; i < LENGTH(cases); i++) {
		if (wsmfa_phone_allowed("+358401234567", cases[i].prefixes) != cases[i].allowed)
			fail_msg("%s", cases[i].prefixes);
		if (cases[i].allowed)
			assert_true(wsmfa_prefixes_valid(cases[i].prefixes));
	}
	assert_false(wsmfa_phone_allowed("358401234567", "all"));
	assert_false(wsmfa_phone_allowed("", "all"));
	assert_true(wsmfa_phone_allowed("+12425550100", "+1"));
	assert_false(wsmfa_phone_allowed("+16505550100", "+1242"));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(names_of_any_length),
		cmocka_unit_test(phones),
		cmocka_unit_test(prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
