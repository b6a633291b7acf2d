/* A file of people, as it is read and judged before the database sees it.
 * Apart from import.c, which asks the database: this half is I/O free but for the file itself. */
#ifndef WSMFACTL_PEOPLE_H
#define WSMFACTL_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/secret.h"
#include "core/types.h"

/** The columns of the file; the header names them, in any order. */
enum ctl_column {
	CTL_NAME,
	CTL_ORGANIZATION,
	CTL_REGION,
	CTL_SERVICES,
	CTL_PASSWORD,
	CTL_PHONE,
	CTL_TOTP_SECRET,
	CTL_PUSH_PROVIDER,
	CTL_PUSH_DEVICE,
	CTL_PEOPLE_COLUMNS
};

/** A row. Its strings are in the file's text. */
struct ctl_person {
	size_t line;
	char const *field[CTL_PEOPLE_COLUMNS]; //!< "" where the file has no such column
	char name[WSMFA_NAME_MAX];             //!< folded
	char *hash;                            //!< of a clear password, once made: owned, a secret
	bool clear;                            //!< the password is to be hashed
	bool wrong;                            //!< not fit for the database
};

/** A file: its text, its rows, what is wrong with it. */
struct ctl_people {
	char *text;
	size_t text_len;
	struct ctl_person *rows;
	size_t rows_len;
	struct ctl_wrong {
		size_t line;
		char reason[192];
	} * wrong;
	size_t wrong_len;
};

/**
 * Reads a file, "-" for standard input, and judges every row by itself.
 *
 * @param why a sentence when there is nothing to judge: no such file, no header.
 * @return false only then; wrong rows are in out->wrong.
 */
bool ctl_people_read(char const *path, struct ctl_people *out, char *why, size_t why_size);
/** Adds a bad line. A line that comes twice is told twice. */
void ctl_people_wrong(struct ctl_people *people, size_t line, char const *format, ...)
	__attribute__((format(printf, 3, 4)));
/** Hashes all clear passwords, on all processors. @param progress called with what is done, from the calling thread. */
bool ctl_people_hash(struct ctl_people *people, uint32_t iterations, void (*progress)(size_t done, size_t total));
/** Wipes and frees. */
void ctl_people_free(struct ctl_people *people);
/** The key of a row's totp_secret. false when it has none. */
bool ctl_person_key(struct ctl_person const *person, struct wsmfa_secret *key);

#endif
