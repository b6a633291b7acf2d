/* The parser of CSV.
 * Apart from import.c because it is pure and tested alone. */
#include "csv.h"

#include <stdbool.h>
#include <string.h>

void ctl_csv_begin(struct ctl_csv *csv, char *text, size_t len)
{
	*csv = (struct ctl_csv) { .p = text, .end = text + len, .next = 1 };
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		csv->p += 3;
}

static bool at_break(struct ctl_csv const *csv)
{
	return *csv->p == '\n' || (*csv->p == '\r' && csv->p + 1 < csv->end && csv->p[1] == '\n');
}

static void break_skip(struct ctl_csv *csv)
{
	csv->p += *csv->p == '\r' ? 2 : 1;
	csv->next++;
}

/* Goes to the line after, so that every bad line can be told and not only the first. */
static enum ctl_csv_status row_bad(struct ctl_csv *csv, char const **why, char const *text)
{
	*why = text;
	while (csv->p < csv->end && !at_break(csv))
		csv->p++;
	if (csv->p < csv->end)
		break_skip(csv);
	return CTL_CSV_BAD;
}

/* Whether a quote at p is one of two, which stand for one. */
static bool quote_twice(struct ctl_csv const *csv, char const *p)
{
	return p + 1 < csv->end && p[0] == '"' && p[1] == '"';
}

/*
 * A field in quotes, its opening one passed; unquoted in place, once its end is known: what is not closed is read again, as lines. On
 * failure p is where it went wrong.
 */
static char const *quoted_take(struct ctl_csv *csv, char **end)
{
	char *to = csv->p;
	char *close = csv->p;

	for (; close < csv->end && *close != '\0' && (*close != '"' || quote_twice(csv, close)); close++)
		close += *close == '"';
	if (close == csv->end)
		return "a quote is opened and never closed";
	for (; csv->p < close; csv->p++) {
		csv->p += *csv->p == '"';
		csv->next += *csv->p == '\n';
		*to++ = *csv->p;
	}
	if (*close == '\0')
		return "a NUL octet";
	csv->p++;
	*end = to;
	if (csv->p < csv->end && *csv->p != ',' && !at_break(csv))
		return "text after a closing quote; a quote inside a field is written twice";
	return NULL;
}

static char const *plain_take(struct ctl_csv *csv, char **end)
{
	for (; csv->p < csv->end && *csv->p != ',' && !at_break(csv); csv->p++) {
		if (*csv->p == '"')
			return "a quote inside a field without quotes around it";
		if (*csv->p == '\r')
			return "a carriage return without a line feed; lines end in LF or CRLF";
		if (*csv->p == '\0')
			return "a NUL octet";
	}
	*end = csv->p;
	return NULL;
}

enum ctl_csv_status ctl_csv_row(struct ctl_csv *csv, char **fields, size_t max, size_t *n, char const **why)
{
	while (csv->p < csv->end && at_break(csv))
		break_skip(csv);
	csv->line = csv->next;
	*n = 0;
	if (csv->p == csv->end)
		return CTL_CSV_END;
	for (;;) {
		char *begin, *end;
		char const *wrong;
		bool more;

		if (*n == max)
			return row_bad(csv, why, "more fields than the header has");
		if (csv->p < csv->end && *csv->p == '"') {
			begin = ++csv->p;
			wrong = quoted_take(csv, &end);
		} else {
			begin = csv->p;
			wrong = plain_take(csv, &end);
		}
		if (wrong)
			return row_bad(csv, why, wrong);
		fields[(*n)++] = begin;
		more = csv->p < csv->end && *csv->p == ',';
		if (more)
			csv->p++;
		else if (csv->p < csv->end)
			break_skip(csv);
		/* Last, because it may overwrite the comma or the break just passed. */
		*end = '\0';
		if (!more)
			return CTL_CSV_ROW;
	}
}
