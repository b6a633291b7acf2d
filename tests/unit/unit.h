/* What every unit test includes: cmocka with its prelude, tables of octets, and cases by the rows of a table.
 * Apart from the tests, so that each begins with what it tests. */
#ifndef WSMFA_TESTS_UNIT_H
#define WSMFA_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))

/** Octets of a literal that may hold NUL, as two arguments. */
#define OCTETS(literal) (uint8_t const *)("" literal), sizeof(literal) - 1

/** In main: adds a case for each row of a table to tests[n], with a name in names[n]: function, number, and this word of the row. */
#define LIST(function, table, word)                                                                      \
	for (size_t i = 0; i < LENGTH(table); i++) {                                                     \
		(void)snprintf(names[n], sizeof(names[0]), "%s %zu: %s", #function, i, (table)[i].word); \
		tests[n] = (struct CMUnitTest) { .name = names[n],                                       \
						 .test_func = function,                                  \
						 .initial_state = (void *)(uintptr_t) & (table)[i] };    \
		n++;                                                                                     \
	}

/** Fails unless the octets are these hexadecimal digits. */
static inline void assert_hex(uint8_t const *octets, size_t len, char const *hex)
{
	char text[2 * 256 + 1];

	assert_in_range(len, 1, 256);
	for (size_t i = 0; i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", octets[i]);
	assert_string_equal(text, hex);
}

#endif
