/* Answers sorted by form: one table, one row for each form that people and attackers send.
 * Apart from the flow's tests, which begin with a class. */
#include "unit.h"

#include "core/answer.h"

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define B10  "          "
#define B100 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10

static struct {
	uint8_t const *octets;
	size_t len;
	enum wsmfa_answer_class class;
	unsigned value; /* keyword or choice */
	char const *text;
} const cases[] = {
	{ NULL, 0, WSMFA_ANSWER_EMPTY, 0, "" },
	{ OCTETS(""), WSMFA_ANSWER_EMPTY, 0, "" },
	{ OCTETS(" "), WSMFA_ANSWER_EMPTY, 0, "" },
	{ OCTETS(B100), WSMFA_ANSWER_EMPTY, 0, "" },
	{ OCTETS(B100 B10 B10 "        "), WSMFA_ANSWER_EMPTY, 0, "" }, /* 128 */
	{ OCTETS(B100 B10 B10 "         "), WSMFA_ANSWER_BAD, 0, "" },  /* 129 */

	{ OCTETS("?"), WSMFA_ANSWER_HELP, 0, "" },
	{ OCTETS(" ? "), WSMFA_ANSWER_HELP, 0, "" },
	{ OCTETS("HELP"), WSMFA_ANSWER_HELP, 0, "" },
	{ OCTETS("??"), WSMFA_ANSWER_BAD, 0, "" },

	{ OCTETS("push"), WSMFA_ANSWER_KEYWORD, WSMFA_KEYWORD_PUSH, "" },
	{ OCTETS("  PuSH "), WSMFA_ANSWER_KEYWORD, WSMFA_KEYWORD_PUSH, "" },
	{ OCTETS("SMS"), WSMFA_ANSWER_KEYWORD, WSMFA_KEYWORD_SMS, "" },
	{ OCTETS("totp"), WSMFA_ANSWER_KEYWORD, WSMFA_KEYWORD_TOTP, "" },
	{ OCTETS("Recovery"), WSMFA_ANSWER_KEYWORD, WSMFA_KEYWORD_RECOVERY, "" },
	{ OCTETS("enroll"), WSMFA_ANSWER_KEYWORD, WSMFA_KEYWORD_ENROLL, "" },
	{ OCTETS("pu sh"), WSMFA_ANSWER_WORD, 0, "PUSH" },
	{ OCTETS("push1"), WSMFA_ANSWER_WORD, 0, "PUSH1" },

	{ OCTETS("1"), WSMFA_ANSWER_CHOICE, 1, "" },
	{ OCTETS(" 7 "), WSMFA_ANSWER_CHOICE, 7, "" },
	{ OCTETS("0"), WSMFA_ANSWER_CHOICE, 0, "" },
	{ OCTETS("07"), WSMFA_ANSWER_CHOICE, 7, "" },
	{ OCTETS("99"), WSMFA_ANSWER_CHOICE, 99, "" },
	{ OCTETS("1a"), WSMFA_ANSWER_WORD, 0, "1A" },
	{ OCTETS("1."), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("-1"), WSMFA_ANSWER_WORD, 0, "1" },

	{ OCTETS("123456"), WSMFA_ANSWER_CODE, 0, "123456" },
	{ OCTETS("123 456"), WSMFA_ANSWER_CODE, 0, "123456" },
	{ OCTETS(" 123-456 "), WSMFA_ANSWER_CODE, 0, "123456" },
	{ OCTETS("000000"), WSMFA_ANSWER_CODE, 0, "000000" },
	{ OCTETS("1234567"), WSMFA_ANSWER_CODE, 0, "1234567" },
	{ OCTETS("1234 5678"), WSMFA_ANSWER_CODE, 0, "12345678" },
	{ OCTETS("12345"), WSMFA_ANSWER_WORD, 0, "12345" },
	{ OCTETS("123"), WSMFA_ANSWER_WORD, 0, "123" },
	{ OCTETS("123456789"), WSMFA_ANSWER_WORD, 0, "123456789" },
	{ OCTETS("123456789012"), WSMFA_ANSWER_WORD, 0, "123456789012" }, /* may be a recovery code */
	{ OCTETS("12345a"), WSMFA_ANSWER_WORD, 0, "12345A" },
	{ OCTETS("12,3456"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("+123456"), WSMFA_ANSWER_BAD, 0, "" },

	{ OCTETS("0123-4567-89ab"), WSMFA_ANSWER_WORD, 0, "0123456789AB" },
	{ OCTETS("o123 4567 89AL"), WSMFA_ANSWER_WORD, 0, "0123456789A1" },
	{ OCTETS("x"), WSMFA_ANSWER_WORD, 0, "X" },
	{ OCTETS(X100), WSMFA_ANSWER_WORD, 0, NULL },
	{ OCTETS(X100 X10 X10 "xxxxxxxx"), WSMFA_ANSWER_WORD, 0, NULL }, /* 128 */
	{ OCTETS(X100 X10 X10 "xxxxxxxxx"), WSMFA_ANSWER_BAD, 0, "" },   /* 129 */
	{ OCTETS(X100 X100 X10 X10 X10 X10 X10 "xxx"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("-"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("- -"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("12_34"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("%{User-Password}"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("'; drop"), WSMFA_ANSWER_BAD, 0, "" },

	{ OCTETS("\0"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("123456\0"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("\0"
		 "123456"),
	  WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("123456\n"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("\t123456"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("123456\x7F"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("123456\x1B[A"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x93\xEF\xBC\x94\xEF\xBC\x95\xEF\xBC\x96"), WSMFA_ANSWER_BAD, 0,
	  "" },                                                                                  /* full-width */
	{ OCTETS("\xD9\xA1\xD9\xA2\xD9\xA3\xD9\xA4\xD9\xA5\xD9\xA6"), WSMFA_ANSWER_BAD, 0, "" }, /* Arabic-Indic */
	{ OCTETS("123\xC2\xA0"
		 "456"),
	  WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("\xC3"), WSMFA_ANSWER_BAD, 0, "" },
	{ OCTETS("\xFF\xFE"
		 "123456"),
	  WSMFA_ANSWER_BAD, 0, "" },
};

static void answers_are_sorted(void **state)
{
	struct wsmfa_answer answer;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		memset(&answer, 0xA5, sizeof(answer));
		wsmfa_answer_parse(&answer, cases[i].octets, cases[i].len);
		if (answer.class != cases[i].class)
			fail_msg("case %zu: class %d instead of %d", i, (int)answer.class, (int)cases[i].class);
		assert_int_equal(answer.keyword, answer.class == WSMFA_ANSWER_KEYWORD ? cases[i].value : 0);
		assert_int_equal(answer.choice, answer.class == WSMFA_ANSWER_CHOICE ? cases[i].value : 0);
		assert_int_equal(answer.len, strlen(answer.text));
		if (cases[i].text)
			assert_string_equal(answer.text, cases[i].text);
		else
			assert_int_equal(answer.len, cases[i].len);
	}
}

static void every_class_has_a_row(void **state)
{
	(void)state;
	for (int class = 0; class < WSMFA_ANSWER_CLASSES; class ++) {
		size_t i = 0;

		while (i < LENGTH(cases) && (int)cases[i].class != class)
			i++;
		assert_true(i < LENGTH(cases));
	}
}

static void keywords_have_words(void **state)
{
	struct wsmfa_answer answer;

	(void)state;
	for (int k = WSMFA_KEYWORD_NONE + 1; k < WSMFA_KEYWORDS; k++) {
		char const *word = wsmfa_keyword_word((enum wsmfa_keyword)k);

		wsmfa_answer_parse(&answer, (uint8_t const *)word, strlen(word));
		assert_int_equal(answer.class, WSMFA_ANSWER_KEYWORD);
		assert_int_equal(answer.keyword, k);
	}
	assert_null(wsmfa_keyword_word(WSMFA_KEYWORD_NONE));
	assert_null(wsmfa_keyword_word(WSMFA_KEYWORDS));
}

static void wipe_leaves_nothing(void **state)
{
	struct wsmfa_answer answer, zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	wsmfa_answer_parse(&answer, OCTETS("123456"));
	wsmfa_answer_wipe(&answer);
	assert_memory_equal(&answer, &zero, sizeof(zero));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(answers_are_sorted),
		cmocka_unit_test(every_class_has_a_row),
		cmocka_unit_test(keywords_have_words),
		cmocka_unit_test(wipe_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
