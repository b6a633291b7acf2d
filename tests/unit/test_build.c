/* The build itself: C11, and the version that every part reports.
 * Apart from the tests of our code, to be the smallest example of one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void build_is_c11(void **state)
{
	(void)state;
	assert_true(__STDC_VERSION__ >= 201112L);
}

static void build_has_version(void **state)
{
	(void)state;
	assert_true(sizeof(WSMFA_VERSION) > sizeof("0.0"));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(build_is_c11),
		cmocka_unit_test(build_has_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
