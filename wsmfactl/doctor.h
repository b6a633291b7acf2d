/* What doctor finds: a list of checks, each with a verdict and a sentence.
 * Apart from doctor.c, because doctor_keys.c and doctor_raddb.c add to the same list. */
#ifndef WSMFACTL_DOCTOR_H
#define WSMFACTL_DOCTOR_H

#include <jansson.h>
#include <libpq-fe.h>

#include "ctl.h"

enum ctl_verdict { CTL_GOOD, CTL_WARN, CTL_BAD };

struct ctl_doctor {
	struct ctl *c;
	json_t *found; //!< array of objects: check, status, detail
	bool bad;
};

/** Adds a finding. `check` is a word or two; the sentence says what was found and, unless it is good, the way out. */
void ctl_found(struct ctl_doctor *d, enum ctl_verdict verdict, char const *check, char const *format, ...)
	CTL_PRINTF(4, 5);

/** A query that a check needs; its failure is a finding, and NULL. */
PGresult *ctl_doctor_ask(struct ctl_doctor *d, char const *check, char const *sql);

/** The key file and, with rows, what it opens and what the servers hold. */
void ctl_doctor_keys(struct ctl_doctor *d, bool rows);

/** The server's configuration folder: site, timers, clients, key file. */
void ctl_doctor_raddb(struct ctl_doctor *d, char const *folder);

#endif
