/*
 * The store: what a login reads and writes, as one struct of functions over values of core/types.h.
 * It stands apart so that the login runs the same over PostgreSQL (store_pg.c) and in memory (store_mem.c).
 *
 * The store loads, opens, takes and settles; the rules are in core/. Every function may be called by any thread.
 * Each takes the login's time as an argument and never reads a clock for a rule.
 * A packet makes at most two calls, three when it is parked.
 */
#ifndef WSMFA_STORE_STORE_H
#define WSMFA_STORE_STORE_H

#include "core/effects.h"

/** How a call went. Only WSMFA_STORE_OK carries results; every other value must end in a refusal. */
enum wsmfa_store_result {
	WSMFA_STORE_BROKEN = 0, //!< the database refused or answered nonsense; logged where it happened.
	WSMFA_STORE_DOWN,       //!< not reachable, timed out, or the breaker is open.
	WSMFA_STORE_OK,
};

struct wsmfa_store;

/** What a store can do. All return wsmfa_store_result and write *out only with WSMFA_STORE_OK. */
struct wsmfa_store_ops {
	/** Account, stage, schedule, password hash, authenticators. An unknown account is OK with out->known false. */
	enum wsmfa_store_result (*load)(struct wsmfa_store *, struct wsmfa_origin const *, struct wsmfa_account *out);
	/** Consumes the question with this SHA-256(State), if it is open and bound to the origin, and loads as above. */
	enum wsmfa_store_result (*take)(struct wsmfa_store *, struct wsmfa_origin const *, uint8_t const *state_hash,
					uint8_t const *answer_mac, uint8_t const *digest,
					enum wsmfa_take_status *status, struct wsmfa_question *question,
					struct wsmfa_account *account);
	/** Opens a question; of what goes to a phone the limits are checked and the count is durable before it returns. */
	enum wsmfa_store_result (*open)(struct wsmfa_store *, struct wsmfa_origin const *, struct wsmfa_limits const *,
					int64_t account_id, struct wsmfa_opening const *, struct wsmfa_opened *out);
	/** Judges once, in one transaction, durable before it returns. */
	enum wsmfa_store_result (*settle)(struct wsmfa_store *, struct wsmfa_origin const *,
					  struct wsmfa_limits const *, struct wsmfa_settlement const *,
					  struct wsmfa_settled *out);
	/** Makes `waiter` the newest request that waits for a push; tells at once if it is answered already. */
	enum wsmfa_store_result (*wait)(struct wsmfa_store *, struct wsmfa_origin const *, int64_t challenge_id,
					int64_t waiter, struct wsmfa_settled *out);
	/** Settles a push by what its row says; `give_up` ends a pending one as expired. `next` (or NULL) is opened in the
	 *  same transaction when the result is EXPIRED or FAILED. */
	enum wsmfa_store_result (*settle_push)(struct wsmfa_store *, struct wsmfa_origin const *,
					       struct wsmfa_limits const *, int64_t challenge_id, int64_t waiter,
					       bool give_up, struct wsmfa_opening const *next,
					       struct wsmfa_settled *out);
	void (*free)(struct wsmfa_store *);
};

struct wsmfa_store {
	struct wsmfa_store_ops const *ops;
};

#endif
