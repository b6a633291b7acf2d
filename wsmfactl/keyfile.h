/* The key file: who may read it, what is in it, how it is replaced.
 * Apart from key.c, because every command that seals or opens reads it. */
#ifndef WSMFACTL_KEYFILE_H
#define WSMFACTL_KEYFILE_H

#include "ctl.h"
#include "core/seal.h"
#include "core/types.h"

#define CTL_SEALED_HEX   (2 * WSMFA_SEALED_MAX + 3) //!< a sealed key as SQL's bytea, with its NUL.
#define CTL_KEY_FILE_MAX 16384                      //!< octets: room for the 64 keys of a ring with remarks.

/**
 * Reads the key file that --key-file or WSMFA_KEY_FILE names; it must be a file that nobody but owner and group may read or write.
 *
 * @return the ring, to be freed with wsmfa_keyring_free; NULL after a complaint.
 */
struct wsmfa_keyring *ctl_keyring_load(struct ctl *c);

/**
 * Reads the text as it is.
 *
 * @param text CTL_KEY_FILE_MAX octets; the caller wipes them.
 * @param why what is wrong, without a complaint.
 */
bool ctl_keyfile_read(char const *path, char *text, size_t *len, char *why, size_t why_size);

/** Writes all and makes it durable: a key that is lost takes every sealed row with it. false with errno. */
bool ctl_keyfile_fill(int fd, char const *text, size_t len);
/** Makes a new or replaced file's entry in its folder durable. false with errno. */
bool ctl_keyfile_settle(char const *path);
/** Replaces the file in one step, with the owner and the mode it had. false with errno. */
bool ctl_keyfile_replace(char const *path, char const *text);

/**
 * Makes a key: a line `id base64` with its newline.
 *
 * @param line at least 128 octets; a secret.
 */
bool ctl_key_make(struct wsmfa_keyring const *ring, char *line, size_t size, char *id, size_t id_size);

/**
 * Seals a key as a text for a bytea parameter.
 *
 * @param out CTL_SEALED_HEX octets.
 */
bool ctl_seal_hex(struct wsmfa_keyring const *ring, int64_t account_id, int64_t authenticator_id,
		  struct wsmfa_secret const *key, char *out, size_t size);

/** Rows that hold a key, and the id of the key that sealed them (core/seal.h: version, length, id). */
#define CTL_SEALED    " FROM wsmfa.authenticator WHERE kind = 'totp' AND removed_at IS NULL AND octet_length(sealed) > 2"
#define CTL_SEALED_BY "encode(substring(sealed FROM 3 FOR get_byte(sealed, 1)), 'escape')"
/** A server s that runs: its heartbeat comes every 5 s. */
#define CTL_SERVER_LIVES "s.engine <> 'stopped' AND s.at > clock_timestamp() - interval '60 s'"

#endif
