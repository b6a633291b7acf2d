/* Retry-After and Date of any octets: seconds within bounds, or none. The first line of the input is the one, the rest the other.
 * Apart from fuzz_provider, where the number is given.
 */
#include "fuzz.h"

#include "engine/retry_after.h"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	uint8_t const *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t len = end ? (size_t)(end - data) : size;
	char *value = fuzz_text(data, len), *date = fuzz_text(end ? end + 1 : data, end ? size - len - 1 : 0);
	int32_t seconds = wsmfa_retry_after(value, date, 1788264000);

	FUZZ_CHECK(seconds >= -1 && seconds <= WSMFA_RETRY_AFTER_MAX);
	if (*value && strspn(value, "0123456789") == strlen(value))
		FUZZ_CHECK(seconds >= 0 && (strlen(value) > 4 || seconds == atoi(value)));
	free(value);
	free(date);
	return 0;
}
