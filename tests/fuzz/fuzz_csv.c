/* CSV of any octets: rows that are taken, written again with quotes, are the same rows; a bad one says why and is passed.
 * Apart from the unit tests, which have RFC 4180's own cases.
 */
#include "fuzz.h"

#include "wsmfactl/csv.h"

#define FIELDS 9

/** Appends a field in quotes. */
static size_t put_quoted(char *out, char const *field)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *field; field++) {
		if (*field == '"')
			out[n++] = '"';
		out[n++] = *field;
	}
	out[n++] = '"';
	return n;
}

static void check_again(char *const *fields, size_t n)
{
	char *again[FIELDS + 1], *text;
	size_t len = 0, room = 1, m;
	char const *why;
	struct ctl_csv csv;

	for (size_t i = 0; i < n; i++)
		room += 2 * strlen(fields[i]) + 3;
	text = malloc(room + 1);
	FUZZ_CHECK(text);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			text[len++] = ',';
		len += put_quoted(text + len, fields[i]);
	}
	FUZZ_CHECK(len <= room);
	ctl_csv_begin(&csv, text, len);
	FUZZ_CHECK(ctl_csv_row(&csv, again, FIELDS + 1, &m, &why) == CTL_CSV_ROW && m == n);
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(strcmp(again[i], fields[i]) == 0);
	FUZZ_CHECK(ctl_csv_row(&csv, again, FIELDS + 1, &m, &why) == CTL_CSV_END);
	free(text);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	char *text = fuzz_text(data, size), *fields[FIELDS];
	size_t n, line = 0, rows = 0;
	char const *why = NULL;
	struct ctl_csv csv;
	enum ctl_csv_status status;

	ctl_csv_begin(&csv, text, size);
	while ((status = ctl_csv_row(&csv, fields, FIELDS, &n, &why)) != CTL_CSV_END) {
		FUZZ_CHECK(csv.line > line && ++rows <= size);
		line = csv.line;
		if (status == CTL_CSV_BAD) {
			FUZZ_CHECK(why && *why);
			continue;
		}
		FUZZ_CHECK(n >= 1 && n <= FIELDS);
		for (size_t i = 0; i < n; i++)
			FUZZ_CHECK(fields[i] >= text && fields[i] + strlen(fields[i]) <= text + size);
		check_again(fields, n);
	}
	free(text);
	return 0;
}
