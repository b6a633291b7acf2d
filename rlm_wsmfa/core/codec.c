/*
 * Octets as text and back.
 * Apart from those who use it, since each decoder here is a border.
 */
#include "core/codec.h"

#include <stdlib.h>
#include <string.h>

#include <liboath/oath.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

static char const url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What does not fit becomes "". */
static size_t refuse(char *out, size_t outlen)
{
	if (outlen > 0)
		out[0] = '\0';
	return 0;
}

size_t wsmfa_hex_encode(char *out, size_t outlen, uint8_t const *in, size_t len)
{
	static char const digits[] = "0123456789abcdef";

	if (len > (SIZE_MAX - 1) / 2 || outlen < 2 * len + 1)
		return refuse(out, outlen);
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * len] = '\0';
	return 2 * len;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool wsmfa_hex_decode(uint8_t *out, size_t outlen, char const *in, size_t len)
{
	if (outlen > SIZE_MAX / 2 || len != 2 * outlen)
		return false;
	for (size_t i = 0; i < outlen; i++) {
		int high = hex_value(in[2 * i]), low = hex_value(in[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Characters of base64url for so many octets: whole groups, then none, 2 or 3. */
static size_t url_length(size_t len)
{
	return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

size_t wsmfa_base64url_encode(char *out, size_t outlen, uint8_t const *in, size_t len)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (len > SIZE_MAX / 2 || outlen < url_length(len) + 1)
		return refuse(out, outlen);
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		have += 8;
		while (have >= 6) {
			have -= 6;
			out[n++] = url_digits[bits >> have & 63];
		}
	}
	if (have > 0)
		out[n++] = url_digits[bits << (6 - have) & 63];
	out[n] = '\0';
	return n;
}

bool wsmfa_base64url_decode(uint8_t *out, size_t outlen, char const *in, size_t len)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (outlen > SIZE_MAX / 2 || len != url_length(outlen))
		return false;
	for (size_t i = 0; i < len; i++) {
		char const *digit = in[i] == '\0' ? NULL : strchr(url_digits, in[i]);

		if (!digit)
			return false;
		bits = bits << 6 | (uint32_t)(digit - url_digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return n == outlen && (bits & ((1U << have) - 1)) == 0;
}

void wsmfa_state_encode(char out[WSMFA_STATE_TEXT + 1], uint8_t const state[WSMFA_STATE_LEN])
{
	(void)wsmfa_base64url_encode(out, WSMFA_STATE_TEXT + 1, state, WSMFA_STATE_LEN);
}

bool wsmfa_state_decode(uint8_t state[WSMFA_STATE_LEN], uint8_t const *in, size_t len)
{
	return wsmfa_base64url_decode(state, WSMFA_STATE_LEN, (char const *)in, len);
}

#define BASE64_OCTETS_MAX 128
#define BASE64_TEXT_MAX   (4 * ((BASE64_OCTETS_MAX + 2) / 3))

size_t wsmfa_base64_encode(char *out, size_t outlen, uint8_t const *in, size_t len)
{
	if (len > INT32_MAX / 2 || outlen < 4 * ((len + 2) / 3) + 1)
		return refuse(out, outlen);
	if (len == 0)
		return refuse(out, outlen);
	return (size_t)EVP_EncodeBlock((unsigned char *)out, in, (int)len);
}

/* EVP_DecodeBlock skips blanks and takes any last bits, so what it made is encoded again and must be the same text. */
bool wsmfa_base64_decode(uint8_t *out, size_t outlen, char const *in, size_t len)
{
	uint8_t octets[BASE64_TEXT_MAX];
	char again[BASE64_TEXT_MAX + 1];
	bool ok = false;

	if (outlen == 0 || outlen > BASE64_OCTETS_MAX || len != 4 * ((outlen + 2) / 3))
		return false;
	if (EVP_DecodeBlock(octets, (unsigned char const *)in, (int)len) < (int)outlen)
		goto done;
	if (wsmfa_base64_encode(again, sizeof(again), octets, outlen) != len || CRYPTO_memcmp(again, in, len) != 0)
		goto done;
	memcpy(out, octets, outlen);
	ok = true;
done:
	OPENSSL_cleanse(octets, sizeof(octets));
	OPENSSL_cleanse(again, sizeof(again));
	return ok;
}

size_t wsmfa_base32_encode(char *out, size_t outlen, struct wsmfa_secret const *secret)
{
	char *text = NULL;
	size_t len = 0, n = 0;

	if (secret->len == 0 || secret->len > sizeof(secret->octets) ||
	    oath_base32_encode((char const *)secret->octets, secret->len, &text, &len) != OATH_OK)
		return refuse(out, outlen);
	while (n < len && text[n] != '=')
		n++;
	if (outlen > n) {
		memcpy(out, text, n);
		out[n] = '\0';
	} else {
		n = refuse(out, outlen);
	}
	OPENSSL_cleanse(text, len);
	free(text);
	return n;
}

/* Digits of base32 in capitals without what people put between; false for anything else. Lengths are RFC 4648's. */
static bool base32_digits(char *digits, size_t size, size_t *count, char const *in, size_t len)
{
	size_t n = 0;

	while (len > 0 && (in[len - 1] == '=' || in[len - 1] == ' '))
		len--;
	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == ' ' || c == '-')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!((c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7')) || n == size)
			return false;
		digits[n++] = c;
	}
	*count = n;
	return n > 0 && n % 8 != 1 && n % 8 != 3 && n % 8 != 6;
}

bool wsmfa_base32_decode(struct wsmfa_secret *secret, char const *in, size_t len)
{
	char digits[(WSMFA_SECRET_MAX + 4) / 5 * 8];
	char *octets = NULL;
	size_t count = 0, n = 0;
	bool ok = false;

	wsmfa_secret_wipe(secret);
	if (!base32_digits(digits, sizeof(digits), &count, in, len))
		goto done;
	if (oath_base32_decode(digits, count, &octets, &n) != OATH_OK || n == 0 || n > sizeof(secret->octets))
		goto done;
	memcpy(secret->octets, octets, n);
	secret->len = n;
	ok = true;
done:
	OPENSSL_cleanse(digits, sizeof(digits));
	if (octets) {
		OPENSSL_cleanse(octets, n);
		free(octets);
	}
	return ok;
}

size_t wsmfa_text_group(char *out, size_t outlen, char const *text, size_t size, char between)
{
	size_t len = strlen(text), n = 0;

	if (size == 0 || len == 0 || outlen < len + (len - 1) / size + 1)
		return refuse(out, outlen);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && i % size == 0)
			out[n++] = between;
		out[n++] = text[i];
	}
	out[n] = '\0';
	return n;
}

bool wsmfa_utf8_valid(uint8_t const *in, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint8_t first = in[i++];
		uint8_t low = 0x80, high = 0xBF; /* bounds of the second octet, RFC 3629 section 4 */
		unsigned more;

		if (first < 0x80)
			continue;
		if (first >= 0xC2 && first <= 0xDF)
			more = 1;
		else if (first >= 0xE0 && first <= 0xEF)
			more = 2;
		else if (first >= 0xF0 && first <= 0xF4)
			more = 3;
		else
			return false;
		if (first == 0xE0)
			low = 0xA0;
		else if (first == 0xED)
			high = 0x9F;
		else if (first == 0xF0)
			low = 0x90;
		else if (first == 0xF4)
			high = 0x8F;
		for (; more > 0; more--) {
			if (i == len || in[i] < low || in[i] > high)
				return false;
			low = 0x80;
			high = 0xBF;
			i++;
		}
	}
	return true;
}

size_t wsmfa_clean(char *out, size_t outlen, uint8_t const *in, size_t len)
{
	static char const digits[] = "0123456789ABCDEF";
	size_t n = 0, cut = 0; /* cut: the last place where "..." still fits behind whole characters */

	if (outlen == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		bool plain = in[i] >= 0x20 && in[i] < 0x7F && in[i] != '%' && in[i] != '\\' && in[i] != '"';
		size_t need = plain ? 1 : 4;

		if (n + 4 <= outlen)
			cut = n;
		if (n + need + 1 > outlen) {
			n = cut;
			for (unsigned dots = 0; dots < 3 && n + 1 < outlen; dots++)
				out[n++] = '.';
			break;
		}
		if (plain) {
			out[n++] = (char)in[i];
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = digits[in[i] >> 4];
		out[n++] = digits[in[i] & 15];
	}
	out[n] = '\0';
	return n;
}
