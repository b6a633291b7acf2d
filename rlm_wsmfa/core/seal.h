/*
 * The key ring and what it seals: TOTP keys at rest, AES-256-GCM (NIST SP 800-38D) by OpenSSL.
 * It stands apart because it is the only code that holds key material of the installation.
 *
 * Sealed form: version octet 1, length of the key's id, the id, 12 octets nonce, ciphertext, 16 octets tag. Associated data:
 * version, length and id, account id and authenticator id (8 octets each, big-endian), the words "rlm_wsmfa totp key". A row
 * that was copied to another account or authenticator does not open.
 *
 * A ring never changes once parsed, so any number of threads may use it.
 */
#ifndef WSMFA_CORE_SEAL_H
#define WSMFA_CORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/secret.h"

#define WSMFA_KEY_LEN       32 //!< octets of a key of the ring.
#define WSMFA_KEY_ID_MAX    33 //!< with the NUL: 1 to 32 of A-Z a-z 0-9 . _ -
#define WSMFA_NONCE_LEN     12
#define WSMFA_TAG_LEN       16
#define WSMFA_SEAL_OVERHEAD (2 + (WSMFA_KEY_ID_MAX - 1) + WSMFA_NONCE_LEN + WSMFA_TAG_LEN) //!< at most, in octets.
#define WSMFA_KEYRING_MAX   64                                                             //!< keys in a ring.

struct wsmfa_keyring;

/**
 * Reads a key file's text: lines `id base64`, 32 octets each; blank lines and lines that begin with # are skipped. The first
 * key seals, all open. An id or a key that comes twice is refused, and so is a ring without a key.
 * @param[in]  text need not end in NUL; the caller wipes it.
 * @param[out] out  the ring, to be freed with wsmfa_keyring_free; NULL on failure.
 * @param[out] err  what is wrong and in which line, never with a part of a key.
 */
bool wsmfa_keyring_parse(char const *text, size_t len, struct wsmfa_keyring **out, char *err, size_t errlen);

/** Wipes and frees; NULL is allowed. */
void wsmfa_keyring_free(struct wsmfa_keyring *ring);

/** Number of keys, at least 1. */
size_t wsmfa_keyring_size(struct wsmfa_keyring const *ring);
/** Id of the key at this place, 0 is the one that seals; NULL behind the last. Lives as long as the ring. */
char const *wsmfa_keyring_id(struct wsmfa_keyring const *ring, size_t place);
/** True if the ring has a key of this id. */
bool wsmfa_keyring_has(struct wsmfa_keyring const *ring, char const *id);

/**
 * Seals with the ring's first key.
 * @param[in]  nonce  from the system's random source, never twice: 96 random bits are good for 2^32 seals of a key.
 * @param[in]  plain  1 to WSMFA_SECRET_MAX octets.
 * @param[out] len    octets written to out. WSMFA_SEALED_MAX octets of room are always enough.
 * @return false if out is too small, plain is empty, or OpenSSL failed.
 */
bool wsmfa_seal(struct wsmfa_keyring const *ring, int64_t account_id, int64_t authenticator_id,
		uint8_t const nonce[WSMFA_NONCE_LEN], struct wsmfa_secret const *plain, uint8_t *out, size_t outlen,
		size_t *len);

enum wsmfa_unsealed {
	WSMFA_UNSEALED_DAMAGED = 0, //!< malformed, altered, or sealed for another account or authenticator.
	WSMFA_UNSEALED_NO_KEY,      //!< well formed, but the ring lacks the key of its id.
	WSMFA_UNSEALED_OK,
};

/** Opens what wsmfa_seal made for the same two ids. plain is wiped unless WSMFA_UNSEALED_OK; then the caller wipes it. */
enum wsmfa_unsealed wsmfa_unseal(struct wsmfa_keyring const *ring, int64_t account_id, int64_t authenticator_id,
				 uint8_t const *sealed, size_t sealed_len, struct wsmfa_secret *plain);

/** Id of the key that sealed it, for `key rotate` and log lines; false if it is malformed. Proves nothing else. */
bool wsmfa_sealed_key_id(uint8_t const *sealed, size_t sealed_len, char id[WSMFA_KEY_ID_MAX]);

/**
 * A key for one purpose, derived from the ring's FIRST key by HKDF-SHA-256 (RFC 5869), the purpose as its info. All servers
 * with the same first line derive the same. A new first line changes all derived keys: questions and codes that are
 * open at that moment can't be answered any more, and neither can a fail-over while servers differ in their first
 * line. People log in again; nothing that is stored for longer depends on a derived key.
 * @return false if OpenSSL failed; out is then wiped.
 */
bool wsmfa_keyring_derive(struct wsmfa_keyring const *ring, char const *purpose, uint8_t out[WSMFA_KEY_LEN]);

#endif
