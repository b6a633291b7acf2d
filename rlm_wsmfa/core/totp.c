/*
 * RFC 6238 over liboath.
 * Apart from the store, which alone can say whether a step was used before.
 */
#include "core/totp.h"

#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <time.h>

#include <liboath/oath.h>
#include <openssl/crypto.h>

#include "core/codec.h"

static once_flag library_ready = ONCE_FLAG_INIT;

static void library_init(void)
{
	/* If it fails, so does every generation. */
	(void)oath_init();
}

static bool period_valid(unsigned period)
{
	return period >= 15 && period <= 60;
}

static bool parameters_valid(struct wsmfa_totp const *totp)
{
	return totp->key && totp->key->len > 0 && totp->key->len <= sizeof(totp->key->octets) && totp->digits >= 6 &&
	       totp->digits <= 8 && period_valid(totp->period) && wsmfa_totp_key_len(totp->algorithm) > 0;
}

int64_t wsmfa_totp_step(wsmfa_time_t at, unsigned period)
{
	if (at < 0 || !period_valid(period))
		return -1;
	return at / (WSMFA_SECOND * (int64_t)period);
}

size_t wsmfa_totp_key_len(enum wsmfa_algorithm algorithm)
{
	switch (algorithm) {
	case WSMFA_SHA1: return 20;
	case WSMFA_SHA256: return 32;
	case WSMFA_SHA512: return 64;
	case WSMFA_ALGORITHMS: break;
	}
	return 0;
}

bool wsmfa_totp_generate(char out[9], struct wsmfa_totp const *totp, int64_t step)
{
	static int const flags[] = {
		[WSMFA_SHA1] = 0, [WSMFA_SHA256] = OATH_TOTP_HMAC_SHA256, [WSMFA_SHA512] = OATH_TOTP_HMAC_SHA512
	};

	memset(out, 0, 9);
	if (!parameters_valid(totp) || step < 0 || step > INT64_MAX / (int64_t)totp->period)
		return false;
	call_once(&library_ready, library_init);
	if (oath_totp_generate2((char const *)totp->key->octets, totp->key->len, (time_t)(step * (int64_t)totp->period),
				totp->period, OATH_TOTP_DEFAULT_START_TIME, totp->digits, flags[totp->algorithm],
				out) != OATH_OK) {
		OPENSSL_cleanse(out, 9);
		return false;
	}
	return true;
}

static bool digits_exact(char const *code, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++) {
		if (code[i] < '0' || code[i] > '9')
			return false;
	}
	return code[digits] == '\0';
}

static int64_t distance(int64_t a, int64_t b)
{
	return a < b ? b - a : a - b;
}

struct wsmfa_totp_result wsmfa_totp_check(struct wsmfa_totp const *totp, unsigned window, int32_t drift,
					  int64_t last_step, wsmfa_time_t at, char const *code)
{
	struct wsmfa_totp_result result = { .match = WSMFA_TOTP_BROKEN };
	enum wsmfa_totp_match best = WSMFA_TOTP_NONE;
	char candidate[9];
	int64_t now, middle, found = 0;

	if (!parameters_valid(totp) || window > WSMFA_TOTP_WINDOW_MAX)
		return result;
	now = wsmfa_totp_step(at, totp->period);
	if (now < 0)
		return result;
	if (!digits_exact(code, totp->digits)) {
		result.match = WSMFA_TOTP_NONE;
		return result;
	}
	if (drift > WSMFA_TOTP_DRIFT_MAX)
		drift = WSMFA_TOTP_DRIFT_MAX;
	if (drift < -WSMFA_TOTP_DRIFT_MAX)
		drift = -WSMFA_TOTP_DRIFT_MAX;
	middle = now + drift;

	for (int64_t step = middle - (int64_t)window; step <= middle + (int64_t)window; step++) {
		enum wsmfa_totp_match match = step > last_step ? WSMFA_TOTP_FRESH : WSMFA_TOTP_REPLAYED;

		if (step < 0)
			continue;
		if (!wsmfa_totp_generate(candidate, totp, step))
			return result;
		if (CRYPTO_memcmp(candidate, code, totp->digits) != 0)
			continue;
		if (match > best || (match == best && distance(step, middle) < distance(found, middle))) {
			best = match;
			found = step;
		}
	}
	OPENSSL_cleanse(candidate, sizeof(candidate));

	result.match = best;
	if (best == WSMFA_TOTP_NONE)
		return result;
	result.step = found;
	if (best == WSMFA_TOTP_FRESH) {
		int64_t ahead = found - now;

		if (ahead > WSMFA_TOTP_DRIFT_MAX)
			ahead = WSMFA_TOTP_DRIFT_MAX;
		if (ahead < -WSMFA_TOTP_DRIFT_MAX)
			ahead = -WSMFA_TOTP_DRIFT_MAX;
		result.drift = (int32_t)ahead;
	}
	return result;
}

/* Appends text, percent-encoded but for RFC 3986's unreserved characters; false when it does not fit. */
static bool put_encoded(char *out, size_t outlen, size_t *n, char const *text)
{
	static char const digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;
		bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			     c == '.' || c == '_' || c == '~';

		if (*n + (plain ? 1 : 3) >= outlen)
			return false;
		if (plain) {
			out[(*n)++] = (char)c;
			continue;
		}
		out[(*n)++] = '%';
		out[(*n)++] = digits[c >> 4];
		out[(*n)++] = digits[c & 15];
	}
	out[*n] = '\0';
	return true;
}

static bool put_plain(char *out, size_t outlen, size_t *n, char const *text)
{
	size_t len = strlen(text);

	if (len >= outlen - *n)
		return false;
	memcpy(out + *n, text, len + 1);
	*n += len;
	return true;
}

size_t wsmfa_totp_uri(char *out, size_t outlen, struct wsmfa_totp const *totp, char const *issuer, char const *account)
{
	static char const *const names[] = {
		[WSMFA_SHA1] = "SHA1", [WSMFA_SHA256] = "SHA256", [WSMFA_SHA512] = "SHA512"
	};
	char secret[(WSMFA_SECRET_MAX + 4) / 5 * 8 + 1];
	char numbers[64];
	size_t n = 0;
	bool ok = false;

	if (outlen == 0)
		return 0;
	if (!parameters_valid(totp) || !issuer[0] || !account[0] ||
	    wsmfa_base32_encode(secret, sizeof(secret), totp->key) == 0)
		goto done;
	snprintf(numbers, sizeof(numbers), "&algorithm=%s&digits=%u&period=%u", names[totp->algorithm], totp->digits,
		 totp->period);
	ok = put_plain(out, outlen, &n, "otpauth://totp/") && put_encoded(out, outlen, &n, issuer) &&
	     put_plain(out, outlen, &n, ":") && put_encoded(out, outlen, &n, account) &&
	     put_plain(out, outlen, &n, "?secret=") && put_plain(out, outlen, &n, secret) &&
	     put_plain(out, outlen, &n, "&issuer=") && put_encoded(out, outlen, &n, issuer) &&
	     put_plain(out, outlen, &n, numbers);
done:
	OPENSSL_cleanse(secret, sizeof(secret));
	if (!ok) {
		OPENSSL_cleanse(out, outlen);
		return 0;
	}
	return n;
}
