/* The split of append mode: where, and that nothing is lost.
 * Apart from the flow's tests, which decide what is split. */
#include "unit.h"

#include "core/append.h"

static void splits_at_the_last(void **state)
{
	static struct {
		uint8_t const *field;
		size_t len;
		char const *separator;
		int password_len; /* -1: no split */
		char const *response;
	} const cases[] = {
		{ OCTETS("password,123456"), ",", 8, "123456" },
		{ OCTETS("pass,word,push"), ",", 9, "push" },
		{ OCTETS("password"), ",", -1, NULL },
		{ OCTETS(""), ",", -1, NULL },
		{ OCTETS(","), ",", 0, "" },
		{ OCTETS(",123456"), ",", 0, "123456" },
		{ OCTETS("password,"), ",", 8, "" },
		{ OCTETS("pass\0,word,1"), ",", 10, "1" },
		{ OCTETS("password::123456"), "::", 8, "123456" },
		{ OCTETS("password:::123456"), "::", 9, "123456" },
		{ OCTETS("password:123456"), "::", -1, NULL },
		{ OCTETS(":"), "::", -1, NULL },
		{ OCTETS("p\xC3\xA9,w\xE2\x82\xAC"
			 "654321"),
		  "\xE2\x82\xAC", 5, "654321" },
		{ OCTETS("password<<otp>>1"), "<<otp>>", 8, "1" },
		{ OCTETS("password12345678x"), "12345678", 8, "x" },
		{ OCTETS("password123456789x"), "123456789", -1, NULL }, /* longer than a separator may be */
		{ OCTETS("password,123456"), "", -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		uint8_t const *response = NULL;
		size_t password_len = 77, response_len = 77;
		bool split = wsmfa_append_split(cases[i].field, cases[i].len, cases[i].separator, &password_len,
						&response, &response_len);

		assert_int_equal(split, cases[i].password_len >= 0);
		if (!split) {
			assert_null(response);
			assert_int_equal(password_len, 77);
			assert_int_equal(response_len, 77);
			continue;
		}
		assert_int_equal(password_len, cases[i].password_len);
		assert_ptr_equal(response + response_len, cases[i].field + cases[i].len);
		assert_int_equal(response_len, strlen(cases[i].response));
		assert_memory_equal(response, cases[i].response, response_len);
		assert_int_equal(password_len + strlen(cases[i].separator) + response_len, cases[i].len);
	}
}

int main(void)
{
	struct CMUnitTest const tests[] = { cmocka_unit_test(splits_at_the_last) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
