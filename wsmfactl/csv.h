/* Comma-separated values by RFC 4180, with LF or CRLF and with or without a byte order mark.
 * Apart from import.c because it is pure: it works in the buffer it is given. */
#ifndef WSMFACTL_CSV_H
#define WSMFACTL_CSV_H

#include <stddef.h>

struct ctl_csv {
	char *p;     //!< private: what is still to be read
	char *end;   //!< private
	size_t next; //!< private: the line that p is on
	size_t line; //!< where the last row began; the first line of the file is 1
};

enum ctl_csv_status { CTL_CSV_END = 0, CTL_CSV_ROW, CTL_CSV_BAD };

/**
 * Begins to read a text, past its byte order mark.
 *
 * @param text len octets and one more that may be written. Rows are unquoted in it: it belongs to the parser from now on.
 */
void ctl_csv_begin(struct ctl_csv *csv, char *text, size_t len);

/**
 * Reads a row. Empty lines are passed over.
 *
 * @param fields up to max strings in the text, NUL-terminated; on CTL_CSV_ROW *n of them.
 * @param why on CTL_CSV_BAD, what is wrong. Reading may go on: with the line after.
 */
enum ctl_csv_status ctl_csv_row(struct ctl_csv *csv, char **fields, size_t max, size_t *n, char const **why);

#endif
