/* The connection and its queries: parameters only, never text pasted into SQL.
 * Apart from the subcommands so that connecting, schema versions and refusals have one wording. */
#ifndef WSMFACTL_DB_H
#define WSMFACTL_DB_H

#include "ctl.h"

#define CTL_PARAMETERS_MAX 16

/**
 * Connects as libpq's environment says and checks that the schema is one this program knows. Does nothing when connected.
 *
 * @return false after a complaint.
 */
bool ctl_db_open(struct ctl *c);
/** Connects without looking at the schema: for doctor and setup. The complaint goes to why. */
bool ctl_db_connect(struct ctl *c, char *why, size_t why_size);
/** Whether the schema is one that this program knows; says in why what it found. */
bool ctl_schema_check(struct ctl *c, char *why, size_t why_size);
void ctl_db_close(struct ctl *c);

/**
 * Runs one statement with text parameters, NULL for SQL's NULL. Opens the connection when it is not yet.
 *
 * @param n how many `char const *` follow.
 * @return the result (PQclear is the caller's), NULL after a complaint.
 */
PGresult *ctl_query(struct ctl *c, char const *sql, int n, ...);
/** The same, with the parameters in an array. */
PGresult *ctl_query_array(struct ctl *c, char const *sql, int n, char const *const *values);
/** The same, without a complaint: the caller looks at the status. NULL only without memory. */
PGresult *ctl_query_quiet(struct ctl *c, char const *sql, int n, char const *const *values);
/** Runs constant statements, several if separated by ";", whose rows nobody wants. false after a complaint. */
bool ctl_exec(struct ctl *c, char const *sql);

/** Complains about a result in a sentence: a named constraint, a missing right, a missing schema. Never with a row's values. */
enum ctl_exit ctl_refused(struct ctl *c, PGresult const *res);

/** A value of a row, "" for NULL. */
char const *ctl_value(PGresult const *res, int row, char const *column);
bool ctl_null(PGresult const *res, int row, char const *column);

#endif
