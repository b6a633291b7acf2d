/* Names, numbers and log lines from any octets: what is taken is well formed, what is not leaves nothing.
 * Apart from the unit tests, which know the cases that people thought of. */
#include "fuzz.h"

#include "core/codec.h"
#include "core/name.h"

static void check_name(uint8_t const *data, size_t size)
{
	char name[WSMFA_NAME_MAX], again[WSMFA_NAME_MAX];

	if (!wsmfa_account_name(name, data, size)) {
		FUZZ_CHECK(name[0] == '\0');
		return;
	}
	FUZZ_CHECK(strlen(name) == size);
	FUZZ_CHECK(wsmfa_utf8_valid((uint8_t const *)name, size));
	for (size_t i = 0; i < size; i++) {
		FUZZ_CHECK((uint8_t)name[i] >= 0x20 && name[i] != 0x7F && !(name[i] >= 'A' && name[i] <= 'Z'));
		FUZZ_CHECK((uint8_t)name[i] == data[i] || (data[i] >= 'A' && data[i] <= 'Z'));
	}
	FUZZ_CHECK(wsmfa_account_name(again, (uint8_t const *)name, size) && strcmp(again, name) == 0);
}

static void check_clean(uint8_t const *data, size_t size)
{
	char line[64];

	for (size_t room = 1; room <= sizeof(line); room += 9) {
		size_t len = wsmfa_clean(line, room, data, size);

		FUZZ_CHECK(len < room && strlen(line) == len);
		for (size_t i = 0; i < len; i++)
			FUZZ_CHECK(line[i] >= 0x20 && line[i] < 0x7F && line[i] != '%' && line[i] != '"');
	}
}

static void check_phone(char const *text)
{
	char masked[WSMFA_PHONE_MASKED];

	wsmfa_phone_mask(masked, text);
	FUZZ_CHECK((masked[0] == '\0') == !wsmfa_phone_valid(text));
	FUZZ_CHECK(wsmfa_phone_allowed(text, "all") == wsmfa_phone_valid(text));
	if (wsmfa_phone_valid(text))
		FUZZ_CHECK(strlen(text) < WSMFA_PHONE_MAX && wsmfa_phone_allowed(text, text));
	if (wsmfa_phone_allowed("+358401234567", text))
		FUZZ_CHECK(wsmfa_prefixes_valid(text));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	char *text = fuzz_text(data, size);

	check_name(data, size);
	check_clean(data, size);
	check_phone(text);
	free(text);
	return 0;
}
