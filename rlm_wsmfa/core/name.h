/*
 * Account names and phone numbers as they come from outside: what is taken, and as what.
 * It stands apart so that module, wsmfactl and SQL mean the same by a name.
 */
#ifndef WSMFA_CORE_NAME_H
#define WSMFA_CORE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/types.h"

/**
 * The name that accounts are looked up by: ASCII capitals become small, nothing else is changed, nothing is trimmed (a trailing
 * blank makes another name, thus an unknown one). Blanks, quotes, backslash, % and letters of any script are kept.
 * @return false, and out "", for no octet, more than 253, NUL, control characters (C0, DEL, C1) and malformed UTF-8.
 */
bool wsmfa_account_name(char out[WSMFA_NAME_MAX], uint8_t const *octets, size_t len);

/** E.164: "+", then 7 to 15 digits of which the first is not 0. */
bool wsmfa_phone_valid(char const *phone);

/** A list of prefixes: "all", or "+" and 1 to 15 digits each, separated by blanks or commas, at least one. */
bool wsmfa_prefixes_valid(char const *prefixes);

/**
 * True if the number may get an SMS: the list is "all", or a prefix of it begins the number. "+1" allows every number of +1, also
 * of "+1242". False for an invalid number or list.
 */
bool wsmfa_phone_allowed(char const *phone, char const *prefixes);

#define WSMFA_PHONE_MASKED 8 //!< with the NUL.

/** The number as a user may see it before the second factor: its last two digits only, "*****67". "" for an invalid one. */
void wsmfa_phone_mask(char out[WSMFA_PHONE_MASKED], char const *phone);

#endif
