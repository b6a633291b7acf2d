/*
 * Codes, numbers, recovery codes and tickets, made from random octets that the caller brings.
 * It stands apart because it draws nothing itself, so that its distribution can be tested.
 */
#ifndef WSMFA_CORE_CODE_H
#define WSMFA_CORE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSMFA_CODE_TEXT      9  //!< with the NUL: up to 8 digits.
#define WSMFA_CODE_RANDOM    64 //!< octets that are enough but once in 10^26 calls.
#define WSMFA_NUMBER_TEXT    3
#define WSMFA_RECOVERY_CODES 10 //!< of a set.
#define WSMFA_RECOVERY_LEN   12 //!< characters of five bits: 60 bits.
#define WSMFA_RECOVERY_TEXT  15 //!< XXXX-XXXX-XXXX with the NUL.
#define WSMFA_TICKET_LEN     16 //!< 80 bits: a ticket has no slow hash and no owner who could lock.
#define WSMFA_TICKET_TEXT    20 //!< XXXX-XXXX-XXXX-XXXX with the NUL.

/**
 * A code of 6 to 8 digits, each equally likely: of every 4 octets, values above the last whole multiple are thrown away.
 * @return false if the octets are used up (draw again and repeat) or digits is out of range; out is then "".
 */
bool wsmfa_code_digits(char out[WSMFA_CODE_TEXT], uint8_t const *random, size_t len, unsigned digits);

/** A number to match, 10 to 99, each equally likely. 32 octets are enough but once in 10^17 calls. False as above. */
bool wsmfa_code_number(char out[WSMFA_NUMBER_TEXT], uint8_t const *random, size_t len);

/** A recovery code as it is shown: digits and capitals without I, L, O, U (Crockford's base32), in groups of four. */
void wsmfa_code_recovery(char out[WSMFA_RECOVERY_TEXT], uint8_t const random[WSMFA_RECOVERY_LEN]);

/** A ticket as it is shown, in the same letters. */
void wsmfa_code_ticket(char out[WSMFA_TICKET_TEXT], uint8_t const random[WSMFA_TICKET_LEN]);

/**
 * A recovery code or ticket as it is hashed: blanks and dashes dropped, capitals, O read as 0, I and L as 1. Idempotent.
 * @param[in] outlen len + 1 is always enough.
 * @return the number of characters; 0, and out "", if anything but letters, digits, blanks and dashes is in it or it does not fit.
 */
size_t wsmfa_code_normalise(char *out, size_t outlen, char const *in, size_t len);

#endif
