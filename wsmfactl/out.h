/* Everything that goes to stdout: aligned tables and key-value lists for people, JSON for programs.
 * Apart from the subcommands so that a result has one form, whoever asked for it. */
#ifndef WSMFACTL_OUT_H
#define WSMFACTL_OUT_H

#include <jansson.h>

#include "ctl.h"
#include "screen.h"

#define CTL_COLUMNS_MAX 24

/** A list that is printed as its rows arrive. */
struct ctl_list {
	struct ctl *c;
	size_t rows;
	int width[CTL_COLUMNS_MAX];
};

/** Begins a list: with --json, an array. */
void ctl_list_begin(struct ctl_list *list, struct ctl *c);
/** Prints rows. The column names are the keys and, in upper case, the titles; widths are those of the first call. */
void ctl_list_rows(struct ctl_list *list, PGresult const *res);
void ctl_list_end(struct ctl_list *list);

/** Prints a whole result as a list, and clears it. */
enum ctl_exit ctl_print_rows(struct ctl *c, PGresult *res);
/** Runs a query with n parameters behind a cursor and prints its rows as they come: it may have a million. */
enum ctl_exit ctl_print_cursor(struct ctl *c, char const *sql, int n, ...);
/** Prints the first row, a line a column, and clears the result. */
enum ctl_exit ctl_print_row(struct ctl *c, PGresult *res);
/** Prints a JSON value with a newline, and releases it. */
enum ctl_exit ctl_print_json(json_t *value);
/** Prints what a command did: an array, as all print, with this one object; releases it. */
enum ctl_exit ctl_print_done(json_t *object);

/** A row as a JSON object by the types of its columns; times as ISO 8601. */
json_t *ctl_row_json(PGresult const *res, int row);

/** The end of every run: what could not be written is a failure. */
enum ctl_exit ctl_flush(enum ctl_exit so_far);

#endif
