/* The texts that providers write and are written to: bounded, times, foreign octets cleaned.
 * Apart from the steps, which only use them. */
#include "unit.h"

#include "provider/out.h"
#include "steps_world.h"

static void cleaning(void **state)
{
	char out[32];

	(void)state;
	wsmfa_foreign_clean(out, sizeof(out), "  a\r\n\tb\0c\xc3\xa4\x1b[1m ", 15);
	assert_string_equal(out, "a b c?? [1m");
	wsmfa_foreign_clean(out, 4, "abcdef", 6);
	assert_string_equal(out, "abc");
	wsmfa_foreign_utf8(out, sizeof(out), "h\xc3\xa4\x01\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xc2\x85z");
	assert_string_equal(out, "h\xc3\xa4"
				 "?"
				 "?"
				 "??"
				 "???"
				 "????"
				 "?z");
	wsmfa_foreign_utf8(out, 4, "ab\xe2\x82\xac");
	assert_string_equal(out, "ab");
	wsmfa_foreign_utf8(out, sizeof(out), "\xe2\x82");
	assert_string_equal(out, "??");
}

static void times(void **state)
{
	char out[WSMFA_TIME_TEXT];

	(void)state;
	wsmfa_time_text(STEPS_NOW + 1, out);
	assert_string_equal(out, "2026-09-01T12:00:00.000001Z");
	wsmfa_time_text(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999999Z");
	wsmfa_time_text(WSMFA_TIME_NONE, out);
	assert_string_equal(out, "-infinity");
	wsmfa_time_text(WSMFA_TIME_FOREVER, out);
	assert_string_equal(out, "infinity");
}

static void bounded_text(void **state)
{
	char buffer[8];
	struct wsmfa_out out;

	(void)state;
	wsmfa_out_init(&out, buffer, sizeof(buffer));
	wsmfa_out_put(&out, "1234567");
	assert_false(out.full);
	wsmfa_out_put(&out, "8");
	assert_true(out.full);
	assert_string_equal(buffer, "1234567");
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(cleaning),
		cmocka_unit_test(times),
		cmocka_unit_test(bounded_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
