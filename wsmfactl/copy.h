/* COPY into a table, a value at a time.
 * Apart from db.h, because only what brings many rows needs it. */
#ifndef WSMFACTL_COPY_H
#define WSMFACTL_COPY_H

#include "ctl.h"

/** A running COPY. Its buffer may hold secrets: ctl_copy_end wipes it. */
struct ctl_copy {
	struct ctl *c;
	size_t len;
	bool failed;
	bool began; //!< the row has a value already
	char buffer[65536];
};

/** Begins `COPY target FROM STDIN`, whose text is the caller's own, never foreign. false after a complaint. */
bool ctl_copy_begin(struct ctl_copy *copy, struct ctl *c, char const *target);
/** The next value of the row, NULL for NULL. */
void ctl_copy_value(struct ctl_copy *copy, char const *value);
/** The end of the row. */
void ctl_copy_row(struct ctl_copy *copy);
/** Ends the COPY. false after a complaint. */
bool ctl_copy_end(struct ctl_copy *copy);

#endif
