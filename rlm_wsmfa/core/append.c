/*
 * The split of append mode.
 * Apart from the flow, which decides whether a field is split at all.
 */
#include "core/append.h"

#include <string.h>

bool wsmfa_append_split(uint8_t const *octets, size_t len, char const *separator, size_t *password_len,
			uint8_t const **response, size_t *response_len)
{
	size_t size = strnlen(separator, WSMFA_SEPARATOR_MAX + 1);

	if (size == 0 || size > WSMFA_SEPARATOR_MAX || len < size)
		return false;
	for (size_t at = len - size + 1; at-- > 0;) {
		if (memcmp(octets + at, separator, size) != 0)
			continue;
		*password_len = at;
		*response = octets + at + size;
		*response_len = len - at - size;
		return true;
	}
	return false;
}
