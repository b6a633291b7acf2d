/* wsmfactl's CSV parser: RFC 4180, byte order mark, both line ends, and every way to be wrong.
 * Apart from the import's tests, which need a database. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "wsmfactl/csv.h"

#define FIELDS 4

/* Parses a text and renders it: fields in [], rows ended by ";", a bad row as "!LINE". */
static char const *rendered(char const *text, size_t len)
{
	static char out[1024];
	/* Exactly as big as it must be, for the sanitizer to see a step beyond. */
	char *copy = malloc(len + 1);
	char *fields[FIELDS];
	size_t n, at = 0;
	char const *why;
	struct ctl_csv csv;
	enum ctl_csv_status status;

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = 'x';
	out[0] = '\0';
	ctl_csv_begin(&csv, copy, len);
	while ((status = ctl_csv_row(&csv, fields, FIELDS, &n, &why)) != CTL_CSV_END) {
		if (status == CTL_CSV_BAD) {
			assert_non_null(why);
			at += (size_t)snprintf(out + at, sizeof(out) - at, "!%zu;", csv.line);
			continue;
		}
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%zu", csv.line);
		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(out + at, sizeof(out) - at, "[%s]", fields[i]);
		at += (size_t)snprintf(out + at, sizeof(out) - at, ";");
	}
	free(copy);
	return out;
}

#define RENDERED(_text) rendered(_text, sizeof(_text) - 1)

static void csv_reads_plain_rows(void **state)
{
	(void)state;
	assert_string_equal(RENDERED(""), "");
	assert_string_equal(RENDERED("a,b\nc,d\n"), "1[a][b];2[c][d];");
	assert_string_equal(RENDERED("a,b\nc,d"), "1[a][b];2[c][d];");
	assert_string_equal(RENDERED("a,b\r\nc,d\r\n"), "1[a][b];2[c][d];");
	assert_string_equal(RENDERED(",\n"), "1[][];");
	assert_string_equal(RENDERED("a,"), "1[a][];");
	assert_string_equal(RENDERED("a\n\n\r\nb\n"), "1[a];4[b];");
	assert_string_equal(RENDERED(" a , b \n"), "1[ a ][ b ];");
}

static void csv_skips_a_byte_order_mark(void **state)
{
	(void)state;
	assert_string_equal(RENDERED("\xef\xbb\xbf"), "");
	assert_string_equal(RENDERED("\xef\xbb\xbf\"a\",b\r\n"), "1[a][b];");
	/* Only at the beginning: a second one is text. */
	assert_string_equal(RENDERED("\xef\xbb\xbf\xef\xbb\xbf"
				     "a\n"),
			    "1[\xef\xbb\xbf"
			    "a];");
}

static void csv_reads_quotes(void **state)
{
	(void)state;
	assert_string_equal(RENDERED("\"\"\n"), "1[];");
	assert_string_equal(RENDERED("\"a,b\",c\n"), "1[a,b][c];");
	assert_string_equal(RENDERED("\"say \"\"hi\"\"\",c\n"), "1[say \"hi\"][c];");
	assert_string_equal(RENDERED("\"two\nlines\",b\nc,d\n"), "1[two\nlines][b];3[c][d];");
	assert_string_equal(RENDERED("\"two\r\nlines\",b\r\nc,d\r\n"), "1[two\r\nlines][b];3[c][d];");
	assert_string_equal(RENDERED("\"\"\"\"\n"), "1[\"];");
	assert_string_equal(RENDERED("a,\"b\""), "1[a][b];");
}

static void csv_tells_every_bad_row(void **state)
{
	(void)state;
	assert_string_equal(RENDERED("a\nb\"c\nd\n"), "1[a];!2;3[d];");
	assert_string_equal(RENDERED("\"a\"b,c\nd\n"), "!1;2[d];");
	assert_string_equal(RENDERED("a\rb\nc\n"), "!1;2[c];");
	assert_string_equal(RENDERED("a\0b\nc\n"), "!1;2[c];");
	assert_string_equal(RENDERED("\"a\0b\"\nc\n"), "!1;2[c];");
	assert_string_equal(RENDERED("1,2,3,4\n1,2,3,4,5\nx\n"), "1[1][2][3][4];!2;3[x];");
	/* A quote that never closes spoils its own line, not the rest of the file. */
	assert_string_equal(RENDERED("a\n\"b\nc\nd\n"), "1[a];!2;3[c];4[d];");
	assert_string_equal(RENDERED("a\n\"b\"\"\nc"), "1[a];!2;3[c];");
	assert_string_equal(RENDERED("\"a\nb\0c\"\nd\n"), "!1;3[d];");
	assert_string_equal(RENDERED("\""), "!1;");
	assert_string_equal(RENDERED("\"\"\""), "!1;");
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(csv_reads_plain_rows),
		cmocka_unit_test(csv_skips_a_byte_order_mark),
		cmocka_unit_test(csv_reads_quotes),
		cmocka_unit_test(csv_tells_every_bad_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
