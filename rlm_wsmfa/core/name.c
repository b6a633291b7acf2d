/*
 * Account names and phone numbers.
 * Apart from the store, so that what it gets is well formed.
 */
#include "core/name.h"

#include <string.h>

#include "core/codec.h"

/* A control character at this place of valid UTF-8: C0, DEL, or C1, which is C2 80 to C2 9F. */
static bool control_at(uint8_t const *octets, size_t at)
{
	return octets[at] < 0x20 || octets[at] == 0x7F || (octets[at] == 0xC2 && octets[at + 1] < 0xA0);
}

bool wsmfa_account_name(char out[WSMFA_NAME_MAX], uint8_t const *octets, size_t len)
{
	memset(out, 0, WSMFA_NAME_MAX);
	if (len == 0 || len >= WSMFA_NAME_MAX || !wsmfa_utf8_valid(octets, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (control_at(octets, i)) {
			memset(out, 0, WSMFA_NAME_MAX);
			return false;
		}
		out[i] = (char)(octets[i] >= 'A' && octets[i] <= 'Z' ? octets[i] - 'A' + 'a' : octets[i]);
	}
	return true;
}

/* Length of "+" and digits, `least` to 15 of them, the first not 0, up to one of the characters of `end` or NUL; 0 for none. */
static size_t number_length(char const *text, size_t least, char const *end)
{
	size_t digits = 0;

	if (text[0] != '+' || text[1] == '0')
		return 0;
	while (digits <= 15 && text[1 + digits] >= '0' && text[1 + digits] <= '9')
		digits++;
	if (digits < least || digits > 15)
		return 0;
	return text[1 + digits] == '\0' || strchr(end, text[1 + digits]) ? 1 + digits : 0;
}

bool wsmfa_phone_valid(char const *phone)
{
	return number_length(phone, 7, "") > 0;
}

#define BETWEEN " ,"

/* Walks a valid list; with a phone, true if a prefix begins it; without, true if the list is valid. */
static bool prefixes_walk(char const *prefixes, char const *phone)
{
	bool any = false, match = false;

	for (prefixes += strspn(prefixes, BETWEEN); *prefixes; prefixes += strspn(prefixes, BETWEEN)) {
		size_t len = number_length(prefixes, 1, BETWEEN);

		if (len == 0)
			return false;
		any = true;
		if (phone && strncmp(phone, prefixes, len) == 0)
			match = true;
		prefixes += len;
	}
	return phone ? match : any;
}

bool wsmfa_prefixes_valid(char const *prefixes)
{
	return strcmp(prefixes, "all") == 0 || prefixes_walk(prefixes, NULL);
}

bool wsmfa_phone_allowed(char const *phone, char const *prefixes)
{
	if (!wsmfa_phone_valid(phone))
		return false;
	return strcmp(prefixes, "all") == 0 || prefixes_walk(prefixes, phone);
}

void wsmfa_phone_mask(char out[WSMFA_PHONE_MASKED], char const *phone)
{
	memset(out, 0, WSMFA_PHONE_MASKED);
	if (!wsmfa_phone_valid(phone))
		return;
	memset(out, '*', WSMFA_PHONE_MASKED - 3);
	memcpy(out + WSMFA_PHONE_MASKED - 3, phone + strlen(phone) - 2, 2);
}
