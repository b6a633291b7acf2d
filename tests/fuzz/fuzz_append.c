/* The append split: the parts and the separator are the field again, and behind the split there is no further separator.
 * The first octet of the input is the separator's length, then come separator and field. */
#include "fuzz.h"

#include "core/append.h"

static bool holds(uint8_t const *octets, size_t len, char const *separator)
{
	size_t size = strlen(separator);

	for (size_t i = 0; i + size <= len; i++) {
		if (memcmp(octets + i, separator, size) == 0)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	uint8_t const *response = NULL, *field;
	size_t password_len = 0, response_len = 0, sep_len, field_len;
	char *separator;
	bool split;

	if (size == 0 || (size_t)data[0] % 11 + 1 > size)
		return 0;
	sep_len = data[0] % 11;
	separator = fuzz_text(data + 1, sep_len);
	sep_len = strlen(separator);
	field = data + 1 + data[0] % 11;
	field_len = size - 1 - data[0] % 11;

	split = wsmfa_append_split(field, field_len, separator, &password_len, &response, &response_len);
	if (sep_len == 0 || sep_len > WSMFA_SEPARATOR_MAX) {
		FUZZ_CHECK(!split);
	} else {
		FUZZ_CHECK(split == holds(field, field_len, separator));
	}
	if (split) {
		FUZZ_CHECK(password_len + sep_len + response_len == field_len);
		FUZZ_CHECK(response == field + password_len + sep_len);
		FUZZ_CHECK(memcmp(field + password_len, separator, sep_len) == 0);
		FUZZ_CHECK(!holds(field + password_len + 1, field_len - password_len - 1, separator));
	}
	free(separator);
	return 0;
}
