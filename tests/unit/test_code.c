/* Codes from random octets: their form, their distribution, and what happens when the octets run out.
 * Apart from the tests of answers, which read codes back. */
#include "unit.h"

#include "core/code.h"

/* A stream of octets that is the same at every run (xorshift64*). */
static uint64_t stream_state;

static void stream_fill(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		stream_state ^= stream_state >> 12;
		stream_state ^= stream_state << 25;
		stream_state ^= stream_state >> 27;
		out[i] = (uint8_t)(stream_state * UINT64_C(0x2545F4914F6CDD1D) >> 56);
	}
}

/* Pearson's statistic over equally likely cells. */
static double chi_square(unsigned const *counts, size_t cells, unsigned total)
{
	double expected = (double)total / (double)cells, sum = 0;

	for (size_t i = 0; i < cells; i++)
		sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
	return sum;
}

static void digits_have_their_form(void **state)
{
	uint8_t const random[] = { 0, 0, 0, 7 };
	char code[WSMFA_CODE_TEXT];

	(void)state;
	assert_true(wsmfa_code_digits(code, random, 4, 6));
	assert_string_equal(code, "000007");
	assert_true(wsmfa_code_digits(code, random, 4, 7));
	assert_string_equal(code, "0000007");
	assert_true(wsmfa_code_digits(code, random, 4, 8));
	assert_string_equal(code, "00000007");
	assert_false(wsmfa_code_digits(code, random, 4, 5));
	assert_string_equal(code, "");
	assert_false(wsmfa_code_digits(code, random, 4, 9));
	assert_false(wsmfa_code_digits(code, random, 3, 6));
	assert_false(wsmfa_code_digits(code, random, 0, 6));
	assert_string_equal(code, "");
}

/* 2^32 = 4294967296: the last whole multiple of 10^6 is 4294000000, of 10^7 4290000000, of 10^8 4200000000. */
static void digits_reject_without_bias(void **state)
{
	static struct {
		unsigned digits;
		uint32_t first_rejected;
		char const *last;
	} const cases[] = { { 6, 4294000000U, "999999" },
			    { 7, 4290000000U, "9999999" },
			    { 8, 4200000000U, "99999999" } };

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		uint32_t v = cases[i].first_rejected, below = v - 1;
		uint8_t random[8] = {
			(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v, 0, 0, 0, 9
		};
		uint8_t accepted[4] = { (uint8_t)(below >> 24), (uint8_t)(below >> 16), (uint8_t)(below >> 8),
					(uint8_t)below };
		char code[WSMFA_CODE_TEXT];

		assert_false(wsmfa_code_digits(code, random, 4, cases[i].digits));
		assert_false(wsmfa_code_digits(code, random, 7, cases[i].digits));
		assert_true(wsmfa_code_digits(code, random, 8, cases[i].digits));
		assert_int_equal(code[cases[i].digits - 1], '9');
		assert_true(wsmfa_code_digits(code, accepted, 4, cases[i].digits));
		assert_string_equal(code, cases[i].last);
	}
}

/* Each digit of each place, and the first three together: chi-square below the quantile of 1 in 10^6. */
static void digits_are_evenly_spread(void **state)
{
	enum { DRAWS = 300000 };
	static unsigned places[8][10], heads[1000];
	uint8_t random[WSMFA_CODE_RANDOM];
	char code[WSMFA_CODE_TEXT];

	(void)state;
	stream_state = 1;
	for (unsigned digits = 6; digits <= 8; digits++) {
		memset(places, 0, sizeof(places));
		memset(heads, 0, sizeof(heads));
		for (unsigned i = 0; i < DRAWS; i++) {
			stream_fill(random, sizeof(random));
			assert_true(wsmfa_code_digits(code, random, sizeof(random), digits));
			assert_int_equal(strspn(code, "0123456789"), digits);
			for (unsigned p = 0; p < digits; p++)
				places[p][code[p] - '0']++;
			heads[(code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0')]++;
		}
		for (unsigned p = 0; p < digits; p++)
			assert_true(chi_square(places[p], 10, DRAWS) < 46); /* 9 degrees */
		assert_true(chi_square(heads, 1000, DRAWS) < 1230);         /* 999 degrees */
	}
}

/* Control of the statistic: a plain remainder of 16 bits would be seen. */
static void bias_would_be_seen(void **state)
{
	enum { DRAWS = 300000 };
	static unsigned counts[1000];

	(void)state;
	stream_state = 1;
	for (unsigned i = 0; i < DRAWS; i++) {
		uint8_t two[2];

		stream_fill(two, sizeof(two));
		counts[(two[0] << 8 | two[1]) % 50000 / 50]++;
	}
	assert_true(chi_square(counts, 1000, DRAWS) > 1230);
}

static void numbers_are_two_digits(void **state)
{
	static unsigned counts[90];
	char number[WSMFA_NUMBER_TEXT];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		uint8_t octet = (uint8_t)i;

		if (!wsmfa_code_number(number, &octet, 1)) {
			assert_in_range(i, 180, 255);
			assert_string_equal(number, "");
			continue;
		}
		assert_int_equal(strlen(number), 2);
		assert_in_range(number[0], '1', '9');
		assert_in_range(number[1], '0', '9');
		counts[(number[0] - '0') * 10 + (number[1] - '0') - 10]++;
	}
	for (unsigned i = 0; i < 90; i++)
		assert_int_equal(counts[i], 2);
	assert_true(wsmfa_code_number(number, (uint8_t const[]) { 255, 200, 89 }, 3));
	assert_string_equal(number, "99");
	assert_false(wsmfa_code_number(number, NULL, 0));
}

static void words_have_their_form(void **state)
{
	uint8_t random[WSMFA_TICKET_LEN];
	char recovery[WSMFA_RECOVERY_TEXT], ticket[WSMFA_TICKET_TEXT];

	(void)state;
	for (unsigned i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)(0xE0 + i);
	wsmfa_code_recovery(recovery, random);
	assert_string_equal(recovery, "0123-4567-89AB");
	wsmfa_code_ticket(ticket, random);
	assert_string_equal(ticket, "0123-4567-89AB-CDEF");
	for (unsigned i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)(16 + i);
	wsmfa_code_ticket(ticket, random);
	assert_string_equal(ticket, "GHJK-MNPQ-RSTV-WXYZ");
	assert_true(5 * WSMFA_TICKET_LEN >= 80);
}

static void normalise(void **state)
{
	static struct {
		char const *in;
		char const *out; /* NULL: refused */
	} const cases[] = {
		{ "0123-4567-89AB", "0123456789AB" },
		{ " 0123 4567-89ab ", "0123456789AB" },
		{ "oOiIlLuU", "001111UU" },
		{ "0123456789AB", "0123456789AB" },
		{ "", "" },
		{ " - ", "" },
		{ "0123_4567", NULL },
		{ "0123\t4567", NULL },
		{ "\xC3\xA9", NULL },
	};
	char out[32], again[32];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		char const *expected = cases[i].out ? cases[i].out : "";

		assert_int_equal(wsmfa_code_normalise(out, sizeof(out), cases[i].in, strlen(cases[i].in)),
				 strlen(expected));
		assert_string_equal(out, expected);
		wsmfa_code_normalise(again, sizeof(again), out, strlen(out));
		assert_string_equal(again, out);
	}
	assert_int_equal(wsmfa_code_normalise(out, sizeof(out), "ab\0cd", 5), 0);
	assert_int_equal(wsmfa_code_normalise(out, 5, "a-bcd", 5), 4);
	assert_int_equal(wsmfa_code_normalise(out, 4, "a-bcd", 5), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(digits_have_their_form),
		cmocka_unit_test(digits_reject_without_bias),
		cmocka_unit_test(digits_are_evenly_spread),
		cmocka_unit_test(bias_would_be_seen),
		cmocka_unit_test(numbers_are_two_digits),
		cmocka_unit_test(words_have_their_form),
		cmocka_unit_test(normalise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
