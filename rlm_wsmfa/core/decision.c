/*
 * The decision table as code, a row a statement, in the table's order.
 * It stands apart from the flow: the flow asks here before every packet that could end in an Access-Accept.
 */
#include "core/decision.h"

#define KIND_BIT(k) (1U << (unsigned)(k))

bool wsmfa_authenticator_usable(struct wsmfa_account const *account, struct wsmfa_authenticator const *a,
				struct wsmfa_policy const *policy, struct wsmfa_reach const *reach)
{
	uint32_t const bit = KIND_BIT(a->kind);

	if (a->confirmed_at == WSMFA_TIME_NONE)
		return false;
	if (a->disabled_at != WSMFA_TIME_NONE)
		return false;
	if (a->failures >= policy->failure_budget)
		return false;
	if (a->unreachable)
		return false;
	if (!(account->allowed_kinds & bit))
		return false;
	if (a->kind == WSMFA_KIND_RECOVERY && a->codes_left <= 0)
		return false;

	return (reach->kinds & bit) != 0;
}

bool wsmfa_account_enrolled(struct wsmfa_account const *account)
{
	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &account->authenticators[i];

		if (a->kind != WSMFA_KIND_RECOVERY && a->confirmed_at != WSMFA_TIME_NONE)
			return true;
	}
	return false;
}

uint32_t wsmfa_usable_kinds(struct wsmfa_account const *account, struct wsmfa_policy const *policy,
			    struct wsmfa_reach const *reach)
{
	uint32_t kinds = 0;

	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &account->authenticators[i];

		if (wsmfa_authenticator_usable(account, a, policy, reach))
			kinds |= KIND_BIT(a->kind);
	}
	return kinds;
}

static struct wsmfa_ruling ruling(enum wsmfa_decision decision, enum wsmfa_reason reason)
{
	return (struct wsmfa_ruling) { .decision = decision, .reason = reason };
}

struct wsmfa_ruling wsmfa_decide(struct wsmfa_account const *account, struct wsmfa_policy const *policy,
				 struct wsmfa_reach const *reach, wsmfa_time_t at)
{
	/* 0 */
	if (!account->known)
		return ruling(WSMFA_DECISION_DENY, WSMFA_REASON_UNKNOWN_ACCOUNT);

	/* 1 */
	if (account->disabled_at != WSMFA_TIME_NONE)
		return ruling(WSMFA_DECISION_DENY, WSMFA_REASON_DISABLED);
	if (account->locked_until != WSMFA_TIME_NONE && account->locked_until > at) {
		return ruling(WSMFA_DECISION_DENY, WSMFA_REASON_LOCKED);
	}

	/* 2, 3 */
	if (wsmfa_account_enrolled(account)) {
		if (wsmfa_usable_kinds(account, policy, reach) != 0) {
			return ruling(WSMFA_DECISION_CHALLENGE, WSMFA_REASON_ENROLLED);
		}
		return ruling(WSMFA_DECISION_DENY, WSMFA_REASON_NO_USABLE_METHOD);
	}

	/* 4 */
	if (!account->in_scope)
		return ruling(WSMFA_DECISION_ACCEPT, WSMFA_REASON_NOT_IN_SCOPE);

	/* 5, 6 */
	if (account->stage == WSMFA_STAGE_OBSERVE)
		return ruling(WSMFA_DECISION_ACCEPT, WSMFA_REASON_OBSERVE);
	if (account->stage == WSMFA_STAGE_ANNOUNCE) {
		return ruling(WSMFA_DECISION_ACCEPT_WITH_BANNER, WSMFA_REASON_ANNOUNCE);
	}

	/* 7: whatever is left is enforce, known or not */
	if (account->exempt_until != WSMFA_TIME_NONE && account->exempt_until > at) {
		return ruling(WSMFA_DECISION_ACCEPT_WITH_BANNER, WSMFA_REASON_EXEMPT);
	}

	/* 8, 9 */
	if (reach->can_challenge && reach->may_enroll) {
		return ruling(WSMFA_DECISION_ENROLL, WSMFA_REASON_ENROLL);
	}
	return ruling(WSMFA_DECISION_DENY, WSMFA_REASON_ENROLLMENT_REQUIRED);
}
