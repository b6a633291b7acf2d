/* Points in time as an administrator writes them: ISO 8601 with a zone, nothing less.
 * Apart from the rest because it is pure; SQL would take much looser forms and guess the zone. */
#ifndef WSMFACTL_WHEN_H
#define WSMFACTL_WHEN_H

#include "core/types.h"

#define CTL_WHEN_MAX 64

/**
 * Parses "2024-04-22T00:00:00+02:00", "2024-04-22 00:00Z" and what lies between.
 *
 * @param out microseconds since 1970 UTC.
 * @return NULL, or what is wrong with the text and how to write it, as the rest of a sentence about it.
 */
char const *ctl_when_parse(char const *text, wsmfa_time_t *out);

/**
 * Parses a date, "2024-04-22", or a date and time, "2024-04-22 08:30", without a zone: of a place whose zone is known.
 *
 * @param out at least CTL_WHEN_MAX octets: as "2024-04-22 08:30:00", for SQL's timestamp without time zone.
 * @return NULL, or what is wrong, as above.
 */
char const *ctl_when_parse_local(char const *text, char *out);

/** Writes a time as "2024-04-22T00:00:00.000000+00:00". @param out at least CTL_WHEN_MAX octets. */
void ctl_when_format(wsmfa_time_t t, char *out);

#endif
