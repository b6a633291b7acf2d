/*
 * Time-based one-time passwords: RFC 6238 over liboath, with window, remembered drift and no second use.
 * It stands apart because time, key and last step are all arguments: the answer is the same at any hour.
 */
#ifndef WSMFA_CORE_TOTP_H
#define WSMFA_CORE_TOTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/secret.h"
#include "core/types.h"

#define WSMFA_TOTP_WINDOW_MAX 10 //!< steps each side.
#define WSMFA_TOTP_DRIFT_MAX  10 //!< steps: what is remembered of a device's clock; RFC 6238 section 6 asks for a bound.
#define WSMFA_TOTP_KEY_LEAST  10 //!< octets of a key made elsewhere: many apps and examples use 80 bits.
#define WSMFA_TOTP_KEY_GOOD   16 //!< below it RFC 4226 section 4 R6 is broken: worth a warning.

/** What makes a code. The key is borrowed and stays the caller's to wipe. */
struct wsmfa_totp {
	struct wsmfa_secret const *key; //!< at least one octet.
	enum wsmfa_algorithm algorithm;
	unsigned digits; //!< 6 to 8; settings allow 6 and 8.
	unsigned period; //!< seconds, 15 to 60.
};

enum wsmfa_totp_match {
	WSMFA_TOTP_BROKEN =
		0,       //!< a parameter out of range, a time before 1970, or the library failed: refuse, do not count.
	WSMFA_TOTP_NONE, //!< wrong.
	WSMFA_TOTP_REPLAYED, //!< right, but of a step at or before the last accepted one: refuse, do not count.
	WSMFA_TOTP_FRESH,    //!< right, if the store's compare-and-set of the step says so too.
};

struct wsmfa_totp_result {
	enum wsmfa_totp_match match;
	int64_t step;  //!< of FRESH and REPLAYED: the step it belongs to.
	int32_t drift; //!< of FRESH: how far the device is ahead (+) or behind (-), to be remembered; bounded.
};

/**
 * Tries a code on the steps at + drift - window .. at + drift + window, all of them, compared in constant time.
 * A remembered drift beyond WSMFA_TOTP_DRIFT_MAX is taken as that bound, so no code is right that is more than DRIFT_MAX + WINDOW_MAX
 * steps away. Of several matches a fresh one wins, then the one nearest to the drift.
 * @param[in] window    steps each side, at most WSMFA_TOTP_WINDOW_MAX.
 * @param[in] last_step the last accepted step, -1 for none.
 * @param[in] code      exactly `digits` ASCII digits, NUL-terminated; anything else is WSMFA_TOTP_NONE.
 */
struct wsmfa_totp_result wsmfa_totp_check(struct wsmfa_totp const *totp, unsigned window, int32_t drift,
					  int64_t last_step, wsmfa_time_t at, char const *code);

/** The code of a step, which counts periods since 1970. For tests, demonstrations and wsmfactl; out is a secret. */
bool wsmfa_totp_generate(char out[9], struct wsmfa_totp const *totp, int64_t step);

/** The step at a time; -1 for a time before 1970 or a period out of range. */
int64_t wsmfa_totp_step(wsmfa_time_t at, unsigned period);

/** Octets of a new key: as long as the hash, 20, 32 or 64 (RFC 6238 section 5.1); 0 for an unknown algorithm. */
size_t wsmfa_totp_key_len(enum wsmfa_algorithm algorithm);

#define WSMFA_TOTP_URI_MAX 1536 //!< enough for any issuer of 64 octets and any account and key.

/**
 * otpauth://totp/ISSUER:ACCOUNT?secret=...&issuer=...&algorithm=...&digits=...&period=... as authenticator apps read it (the
 * "Key Uri Format" of Google Authenticator); issuer and account percent-encoded. The text is a secret: wipe it.
 * @return its length, 0 if it does not fit, issuer or account is empty or a parameter out of range.
 */
size_t wsmfa_totp_uri(char *out, size_t outlen, struct wsmfa_totp const *totp, char const *issuer, char const *account);

#endif
