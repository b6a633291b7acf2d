/*
 * A key in the clear: its type and its wipe.
 * It stands apart so that a key is never a bare pointer that somebody may print, keep or forget to wipe.
 */
#ifndef WSMFA_CORE_SECRET_H
#define WSMFA_CORE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#define WSMFA_SECRET_MAX 128 //!< octets; sealed, it fits into WSMFA_SEALED_MAX.

/** A secret of len octets, held by value. Who declares one wipes it. There is no format for it, on purpose. */
struct wsmfa_secret {
	uint8_t octets[WSMFA_SECRET_MAX];
	size_t len;
};

/** Overwrites the whole of it, also what is behind len. NULL is allowed. */
void wsmfa_secret_wipe(struct wsmfa_secret *secret);

#endif
