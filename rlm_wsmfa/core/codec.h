/*
 * Octets as text and back: hex, base64url, base64, base32, UTF-8, and foreign text made fit for a log.
 * It stands apart since these forms come from outside, and every decoder takes one spelling of a value and no other.
 *
 * Encoders write a terminating NUL and return the number of characters before it, 0 when out is too small (it then holds "").
 * Decoders return false for anything but the exact form; what out then holds is undefined.
 */
#ifndef WSMFA_CORE_CODEC_H
#define WSMFA_CORE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/secret.h"
#include "core/types.h"

/** Lower-case hexadecimal: needs 2 * len + 1 characters. */
size_t wsmfa_hex_encode(char *out, size_t outlen, uint8_t const *in, size_t len);
/** Exactly 2 * outlen digits of either case into outlen octets. */
bool wsmfa_hex_decode(uint8_t *out, size_t outlen, char const *in, size_t len);

/** base64url without padding (RFC 4648 section 5): needs (4 * len + 2) / 3 + 1 characters. */
size_t wsmfa_base64url_encode(char *out, size_t outlen, uint8_t const *in, size_t len);
/** Exactly the characters of outlen octets; unused bits must be zero (RFC 4648 section 3.5), no padding, no blanks. */
bool wsmfa_base64url_decode(uint8_t *out, size_t outlen, char const *in, size_t len);

/** A State as it goes over the wire. */
void wsmfa_state_encode(char out[WSMFA_STATE_TEXT + 1], uint8_t const state[WSMFA_STATE_LEN]);
/** A State as it came: false unless it is one that wsmfa_state_encode can make. in may hold any octets. */
bool wsmfa_state_decode(uint8_t state[WSMFA_STATE_LEN], uint8_t const *in, size_t len);

/** base64 with padding (RFC 4648 section 4): needs 4 * ((len + 2) / 3) + 1 characters. */
size_t wsmfa_base64_encode(char *out, size_t outlen, uint8_t const *in, size_t len);
/** Exactly outlen octets (at most 128), padded, canonical, no blanks. */
bool wsmfa_base64_decode(uint8_t *out, size_t outlen, char const *in, size_t len);

/** base32 in upper case without padding (RFC 4648 section 6), as authenticator apps take it. The text is a secret too. */
size_t wsmfa_base32_encode(char *out, size_t outlen, struct wsmfa_secret const *secret);
/**
 * base32 as people type it: either case, blanks and dashes between, padding or none. False for any other character, an
 * impossible length, no octet at all or more than WSMFA_SECRET_MAX. secret is wiped when it fails.
 */
bool wsmfa_base32_decode(struct wsmfa_secret *secret, char const *in, size_t len);

/** text in groups of `size` characters with `between` between them, to be read aloud and typed. */
size_t wsmfa_text_group(char *out, size_t outlen, char const *text, size_t size, char between);

/** UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above U+10FFFF, nothing cut off. NUL is valid here. */
bool wsmfa_utf8_valid(uint8_t const *in, size_t len);

/**
 * Foreign octets for a log line: printable ASCII stays, but `%`, `\`, `"` and all else become \xNN, so that neither
 * a terminal nor a later expansion sees them. What does not fit is cut and ends in "...". outlen at least 1.
 */
size_t wsmfa_clean(char *out, size_t outlen, uint8_t const *in, size_t len);

#endif
