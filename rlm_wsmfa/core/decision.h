/*
 * The rules: what a login leads to, from what is known of it. It stands apart because it is the one place that decides,
 * and it is short enough to be read whole beside the table in docs/design.md.
 */
#ifndef WSMFA_CORE_DECISION_H
#define WSMFA_CORE_DECISION_H

#include "core/types.h"

/** What is fixed for the server and bears on the rules. */
struct wsmfa_policy {
	int32_t failure_budget; //!< counted failures of an authenticator after which it is no longer usable
	uint32_t enroll_kinds;	//!< bits (1 << kind) of methods that may be enrolled at the prompt
};

/**
 * What this login's client and server can carry, as bits (1 << kind) of kinds, each bit set only when a challenge of
 * that kind could really be put: the client can be asked that way, a provider is configured, a key opens.
 */
struct wsmfa_reach {
	uint32_t kinds;
	bool can_challenge; //!< the client shows a question and sends an answer
	bool may_enroll;    //!< wsmfa_enroll, and the first factor can be followed by a dialogue
};

struct wsmfa_ruling {
	enum wsmfa_decision decision;
	enum wsmfa_reason reason;
};

/** Is the kind worth asking for here and now? Confirmed, enabled, within its budget, allowed, and within reach. */
bool wsmfa_authenticator_usable(struct wsmfa_account const *, struct wsmfa_authenticator const *,
				struct wsmfa_policy const *, struct wsmfa_reach const *);

/** Has an authenticator, other than recovery codes, that was ever confirmed. Disabled and unusable ones count. */
bool wsmfa_account_enrolled(struct wsmfa_account const *);

/** Bits (1 << kind) of the kinds of which at least one authenticator is usable. */
uint32_t wsmfa_usable_kinds(struct wsmfa_account const *, struct wsmfa_policy const *, struct wsmfa_reach const *);

/**
 * The decision table of docs/design.md, first match wins. Pure: the same arguments give the same ruling.
 * @param at the login's time; the stage in *account is of the same time.
 */
struct wsmfa_ruling wsmfa_decide(struct wsmfa_account const *account, struct wsmfa_policy const *policy,
				 struct wsmfa_reach const *reach, wsmfa_time_t at);

#endif
