/*
 * Append mode: a password field that holds the password and, behind a separator, the second factor.
 * It stands apart because it is the one place that cuts a password, and must be right for any octets.
 */
#ifndef WSMFA_CORE_APPEND_H
#define WSMFA_CORE_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSMFA_SEPARATOR_MAX 8 //!< octets.

/**
 * Splits at the LAST occurrence of the separator, so that a password may contain it. Nothing is copied.
 * @param[in]  octets       the field as decrypted, any octets, NUL included.
 * @param[in]  separator    1 to WSMFA_SEPARATOR_MAX octets, NUL-terminated.
 * @param[out] password_len octets before the separator, may be 0.
 * @param[out] response     points into octets; may be empty.
 * @return false, with the outputs untouched, if there is no separator in it or the separator is out of range: all is password.
 */
bool wsmfa_append_split(uint8_t const *octets, size_t len, char const *separator, size_t *password_len,
			uint8_t const **response, size_t *response_len);

#endif
