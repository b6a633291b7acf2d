/*
 * Hashes and MACs of States, answers, codes, tickets and recovery codes: what the database sees in their place.
 * It stands apart so that each purpose has one function and one key, and no caller builds its own.
 *
 * All functions return false when OpenSSL failed or an argument is out of range, with out wiped: the caller must then refuse.
 */
#ifndef WSMFA_CORE_MAC_H
#define WSMFA_CORE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/seal.h"
#include "core/types.h"

#define WSMFA_SALT_LEN                  16
#define WSMFA_RECOVERY_ITERATIONS       20000 //!< for new sets: 60 random bits of a code and 2^14 rounds.
#define WSMFA_RECOVERY_ITERATIONS_LEAST 1000
#define WSMFA_RECOVERY_ITERATIONS_MOST  1000000 //!< a guess must not hold a thread for seconds.

/** Keys for HMAC-SHA-256 (RFC 2104), derived once from the ring: wsmfa_keyring_derive says what a rotation does to them. */
struct wsmfa_mac_keys {
	uint8_t state[WSMFA_KEY_LEN];
	uint8_t answer[WSMFA_KEY_LEN];
	uint8_t code[WSMFA_KEY_LEN];
};

/** The keys of a ring; the ring may be freed afterwards. */
bool wsmfa_mac_keys_derive(struct wsmfa_mac_keys *out, struct wsmfa_keyring const *ring);
void wsmfa_mac_keys_wipe(struct wsmfa_mac_keys *keys);

/** SHA-256 of a State: the only form of it that is stored. A State is random, so no key is needed. */
bool wsmfa_state_hash(uint8_t out[WSMFA_HASH_LEN], uint8_t const state[WSMFA_STATE_LEN]);

/** State of the question that follows a spent one: any server that gets the repeated answer gives the same. */
bool wsmfa_state_successor(uint8_t out[WSMFA_STATE_LEN], struct wsmfa_mac_keys const *keys,
			   uint8_t const spent[WSMFA_STATE_LEN]);

/**
 * Octets for the question that follows a spent State, one set for each purpose ("key", "number"): whoever gets the repeated
 * answer shows the same key and the same number. Secret as long as the keys are, whoever saw the State.
 */
bool wsmfa_state_octets(uint8_t out[WSMFA_HASH_LEN], struct wsmfa_mac_keys const *keys,
			uint8_t const spent[WSMFA_STATE_LEN], char const *purpose);

/** MAC of an answer's octets as they came, to know a repeat. Bound to the State: equal answers do not look equal. */
bool wsmfa_answer_mac(uint8_t out[WSMFA_HASH_LEN], struct wsmfa_mac_keys const *keys,
		      uint8_t const state[WSMFA_STATE_LEN], uint8_t const *answer, size_t len);

/**
 * MAC of a code sent out of band, and of a guess (to count the same one once): equal for the same account, number and normalised
 * text. A code that went to a number proves that number and no other, whatever is on file by then.
 * @param[in] phone where the code went; "" of a guess that is no such code.
 * @param[in] code text of a wsmfa_answer, or as wsmfa_code_digits makes it.
 */
bool wsmfa_code_mac(uint8_t out[WSMFA_HASH_LEN], struct wsmfa_mac_keys const *keys, int64_t account_id,
		    char const *phone, char const *code);

/** SHA-256 of a normalised ticket; its 80 random bits need no key and no salt. False unless it is shaped as one. */
bool wsmfa_ticket_hash(uint8_t out[WSMFA_HASH_LEN], char const *ticket);

/**
 * PBKDF2-HMAC-SHA-256 (RFC 8018 section 5.2) of a normalised recovery code, with the salt of its set.
 * False unless it is shaped as one (so a guess that can't be right costs nothing) and iterations are within bounds.
 */
bool wsmfa_recovery_hash(uint8_t out[WSMFA_HASH_LEN], uint8_t const salt[WSMFA_SALT_LEN], int32_t iterations,
			 char const *code);

/** Compares two hashes in constant time (CRYPTO_memcmp). */
bool wsmfa_hash_equal(uint8_t const a[WSMFA_HASH_LEN], uint8_t const b[WSMFA_HASH_LEN]);

#endif
