/*
 * Codes from random octets.
 * Apart from the random source, so that the same octets always give the same code.
 */
#include "core/code.h"

#include <string.h>

/* Crockford's base32: no I, L, O and U. */
static char const letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool wsmfa_code_digits(char out[WSMFA_CODE_TEXT], uint8_t const *random, size_t len, unsigned digits)
{
	uint32_t count = 1, limit;

	memset(out, 0, WSMFA_CODE_TEXT);
	if (digits < 6 || digits > 8)
		return false;
	for (unsigned i = 0; i < digits; i++)
		count *= 10;
	/* The last whole multiple of count in 2^32. */
	limit = UINT32_MAX - UINT32_MAX % count;
	for (; len >= 4; random += 4, len -= 4) {
		uint32_t value = (uint32_t)random[0] << 24 | (uint32_t)random[1] << 16 | (uint32_t)random[2] << 8 |
				 (uint32_t)random[3];

		if (value >= limit)
			continue;
		value %= count;
		for (unsigned i = digits; i > 0; i--) {
			out[i - 1] = (char)('0' + value % 10);
			value /= 10;
		}
		return true;
	}
	return false;
}

bool wsmfa_code_number(char out[WSMFA_NUMBER_TEXT], uint8_t const *random, size_t len)
{
	memset(out, 0, WSMFA_NUMBER_TEXT);
	for (size_t i = 0; i < len; i++) {
		unsigned value = random[i];

		if (value >= 180) /* 2 * 90 */
			continue;
		value = 10 + value % 90;
		out[0] = (char)('0' + value / 10);
		out[1] = (char)('0' + value % 10);
		return true;
	}
	return false;
}

/* 256 is a multiple of 32, so the low five bits of an octet are as random as it. */
static void word(char *out, uint8_t const *random, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && i % 4 == 0)
			out[n++] = '-';
		out[n++] = letters[random[i] & 31];
	}
	out[n] = '\0';
}

void wsmfa_code_recovery(char out[WSMFA_RECOVERY_TEXT], uint8_t const random[WSMFA_RECOVERY_LEN])
{
	word(out, random, WSMFA_RECOVERY_LEN);
}

void wsmfa_code_ticket(char out[WSMFA_TICKET_TEXT], uint8_t const random[WSMFA_TICKET_LEN])
{
	word(out, random, WSMFA_TICKET_LEN);
}

size_t wsmfa_code_normalise(char *out, size_t outlen, char const *in, size_t len)
{
	size_t n = 0;

	if (outlen == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == ' ' || c == '-')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) || n + 1 >= outlen) {
			memset(out, 0, outlen);
			return 0;
		}
		if (c == 'O')
			c = '0';
		if (c == 'I' || c == 'L')
			c = '1';
		out[n++] = c;
	}
	out[n] = '\0';
	return n;
}
