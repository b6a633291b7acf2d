/* What a Retry-After header asks for (RFC 9110 section 10.2.3): seconds, or a date.
 * Apart from HTTP, because it is pure and foreign. */
#ifndef WSMFA_ENGINE_RETRY_AFTER_H
#define WSMFA_ENGINE_RETRY_AFTER_H

#include <stdint.h>

#define WSMFA_RETRY_AFTER_MAX 86400

/**
 * Seconds to wait, 0 to WSMFA_RETRY_AFTER_MAX; -1 for a value that is neither.
 * @param value the header's, NUL-terminated
 * @param date the answer's Date header: against it a date is measured, so that its clock and ours may differ; "" without
 * @param now our clock in seconds since 1970, used without one
 */
int32_t wsmfa_retry_after(char const *value, char const *date, int64_t now);

#endif
