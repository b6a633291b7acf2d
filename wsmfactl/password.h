/* Stored passwords: what rlm_pap reads as Password-With-Header, and how a clear one becomes {x-pbkdf2}.
 * Apart from account.c and import.c, which both store them; pure but for the random source. */
#ifndef WSMFACTL_PASSWORD_H
#define WSMFACTL_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_PASSWORD_CLEAR_MAX  128 //!< octets of a User-Password (RFC 2865 section 5.2)
#define CTL_PASSWORD_STORED_MAX 128 //!< of what ctl_password_hash writes, with its NUL
#define CTL_PASSWORD_SALT       16
#define CTL_ITERATIONS          100000 //!< default; 22 ms on the machine the design was measured on
#define CTL_ITERATIONS_MIN      1000   //!< NIST SP 800-132 section 5.2

/** Whether rlm_pap takes a password as already stored: it begins with a {header} that rlm_pap knows, in any case. */
bool ctl_password_is_stored(char const *text);

/**
 * Hashes a clear password as "{x-pbkdf2}HMACSHA2+256:ITERATIONS:SALT:HASH", all three in base64, iterations as 32 bits big-endian
 * (rlm_pap.c, pap_auth_pbkdf2).
 *
 * @param salt CTL_PASSWORD_SALT octets.
 * @param out at least CTL_PASSWORD_STORED_MAX octets.
 * @return false when OpenSSL fails.
 */
bool ctl_password_hash(char const *clear, uint32_t iterations, uint8_t const *salt, char *out);

#endif
