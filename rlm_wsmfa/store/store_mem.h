/*
 * The store in memory: the fake that unit tests of a login run on, and what they set up in it.
 * It stands apart from store.h because only tests see these helpers; the rules are those of the SQL functions.
 */
#ifndef WSMFA_STORE_STORE_MEM_H
#define WSMFA_STORE_STORE_MEM_H

#include "store/store.h"

/** The calls of a store, for faults and hooks. */
enum wsmfa_mem_call {
	WSMFA_MEM_LOAD = 0,
	WSMFA_MEM_TAKE,
	WSMFA_MEM_OPEN,
	WSMFA_MEM_SETTLE,
	WSMFA_MEM_WAIT,
	WSMFA_MEM_SETTLE_PUSH,
	WSMFA_MEM_CALLS
};

/** A new, empty store: no region, organization, service or account. Aborts without memory. Ended by its ops->free. */
struct wsmfa_store *wsmfa_mem_new(void);

/*
 * What an administrator would set up. Strings are copied. A second call with the same code or id replaces.
 * An account of a region that is not here is in stage enforce; a service that is not here requires MFA.
 */
void wsmfa_mem_region(struct wsmfa_store *s, char const *code, wsmfa_time_t announce_from, wsmfa_time_t enforce_from);
/** `allowed_kinds` as in struct wsmfa_account. Without a schedule of its own, both times are WSMFA_TIME_NONE. */
void wsmfa_mem_organization(struct wsmfa_store *s, int64_t id, uint32_t allowed_kinds, wsmfa_time_t announce_from,
			    wsmfa_time_t enforce_from);
/** `requires_from` WSMFA_TIME_NONE: the service does not require MFA. */
void wsmfa_mem_service(struct wsmfa_store *s, char const *code, wsmfa_time_t requires_from);

/**
 * An account that uses `services` ("elements,community"). Of `a` count id (0: a new one), name, organization_id,
 * region, language, phone, password, preferred, created_at, disabled_at and banner_shown_at; the store computes the rest.
 * Returns its id.
 */
int64_t wsmfa_mem_account(struct wsmfa_store *s, struct wsmfa_account const *a, char const *services);
/** An authenticator of an account. Id 0: a new one. `failures` and `codes_left` are computed. Returns its id. */
int64_t wsmfa_mem_authenticator(struct wsmfa_store *s, int64_t account_id, struct wsmfa_authenticator const *a);
/** One code of a set of recovery codes: WSMFA_HASH_LEN octets. */
void wsmfa_mem_recovery_code(struct wsmfa_store *s, int64_t authenticator_id, uint8_t const *hash);
void wsmfa_mem_ticket(struct wsmfa_store *s, int64_t account_id, uint8_t const *hash, wsmfa_time_t expires_at);
void wsmfa_mem_exempt(struct wsmfa_store *s, int64_t account_id, wsmfa_time_t until);
/** `at` WSMFA_TIME_NONE enables again. */
void wsmfa_mem_disable_account(struct wsmfa_store *s, int64_t account_id, wsmfa_time_t at);
/** The account goes, with all that is its own. */
void wsmfa_mem_delete_account(struct wsmfa_store *s, int64_t account_id);
void wsmfa_mem_move_account(struct wsmfa_store *s, int64_t account_id, char const *region);
/** The number on file, and of each of its SMS authenticators. */
void wsmfa_mem_replace_phone(struct wsmfa_store *s, int64_t account_id, char const *phone);
void wsmfa_mem_leave_services(struct wsmfa_store *s, int64_t account_id);
void wsmfa_mem_disable_authenticator(struct wsmfa_store *s, int64_t id, wsmfa_time_t at);
void wsmfa_mem_remove_authenticator(struct wsmfa_store *s, int64_t id);

/** What the phone says, as wsmfa.answer_push. False when nothing is pending or the number is not the one shown. */
bool wsmfa_mem_answer_push(struct wsmfa_store *s, int64_t challenge_id, bool approve, char const *number,
			   wsmfa_time_t at);
/** The provider could not ask, as wsmfa.push_report. False when nothing is pending. */
bool wsmfa_mem_fail_push(struct wsmfa_store *s, int64_t challenge_id);

/*
 * What happens in between. One fault and one hook are kept for each call; both are used up by the next such call. A hook
 * runs first, without the store's lock, and may call the helpers above; then the fault answers instead of the store.
 */
void wsmfa_mem_fault(struct wsmfa_store *s, enum wsmfa_mem_call call, enum wsmfa_store_result result);
void wsmfa_mem_hook(struct wsmfa_store *s, enum wsmfa_mem_call call, void (*hook)(struct wsmfa_store *, void *),
		    void *ctx);
/** How many calls of a kind were made so far, faults included. */
unsigned wsmfa_mem_calls(struct wsmfa_store *s, enum wsmfa_mem_call call);

#endif
