/*
 * The words of types.h, once, as tables.
 * They stand apart from the types so that there is one list a word is added to; the test finds a value without one.
 */
#include "core/types.h"

#include <string.h>

#include <openssl/crypto.h>

static char const *const kinds[] = {
	[WSMFA_KIND_NONE] = "none", [WSMFA_KIND_RECOVERY] = "recovery", [WSMFA_KIND_SMS] = "sms",
	[WSMFA_KIND_TOTP] = "totp", [WSMFA_KIND_PUSH] = "push",         [WSMFA_KIND_FIDO2] = "fido2",
};

static char const *const stages[] = {
	[WSMFA_STAGE_ENFORCE] = "enforce",
	[WSMFA_STAGE_ANNOUNCE] = "announce",
	[WSMFA_STAGE_OBSERVE] = "observe",
};

static char const *const decisions[] = {
	[WSMFA_DECISION_DENY] = "deny",     [WSMFA_DECISION_CHALLENGE] = "challenge",
	[WSMFA_DECISION_ENROLL] = "enroll", [WSMFA_DECISION_ACCEPT_WITH_BANNER] = "accept_with_banner",
	[WSMFA_DECISION_ACCEPT] = "accept",
};

static char const *const outcomes[] = {
	[WSMFA_OUTCOME_ERROR] = "error",
	[WSMFA_OUTCOME_ACCEPTED] = "accepted",
	[WSMFA_OUTCOME_CHALLENGED] = "challenged",
	[WSMFA_OUTCOME_DENIED] = "denied",
	[WSMFA_OUTCOME_FAILED_FIRST_FACTOR] = "failed_first_factor",
	[WSMFA_OUTCOME_FAILED_SECOND_FACTOR] = "failed_second_factor",
	[WSMFA_OUTCOME_EXPIRED] = "expired",
};

static char const *const reasons[] = {
	[WSMFA_REASON_NONE] = "none",
	[WSMFA_REASON_UNKNOWN_ACCOUNT] = "unknown_account",
	[WSMFA_REASON_DISABLED] = "disabled",
	[WSMFA_REASON_LOCKED] = "locked",
	[WSMFA_REASON_ENROLLED] = "enrolled",
	[WSMFA_REASON_NO_USABLE_METHOD] = "no_usable_method",
	[WSMFA_REASON_NOT_IN_SCOPE] = "not_in_scope",
	[WSMFA_REASON_OBSERVE] = "observe",
	[WSMFA_REASON_ANNOUNCE] = "announce",
	[WSMFA_REASON_EXEMPT] = "exempt",
	[WSMFA_REASON_ENROLL] = "enroll",
	[WSMFA_REASON_ENROLLMENT_REQUIRED] = "enrollment_required",
	[WSMFA_REASON_PROVEN] = "proven",
	[WSMFA_REASON_WRONG_CODE] = "wrong_code",
	[WSMFA_REASON_REPLAYED_CODE] = "replayed_code",
	[WSMFA_REASON_TOO_MANY_ATTEMPTS] = "too_many_attempts",
	[WSMFA_REASON_UNKNOWN_STATE] = "unknown_state",
	[WSMFA_REASON_SPENT_STATE] = "spent_state",
	[WSMFA_REASON_EXPIRED_STATE] = "expired_state",
	[WSMFA_REASON_FOREIGN_STATE] = "foreign_state",
	[WSMFA_REASON_CODE_MISSING] = "code_missing",
	[WSMFA_REASON_BAD_REQUEST] = "bad_request",
	[WSMFA_REASON_WRONG_PASSWORD] = "wrong_password",
	[WSMFA_REASON_SWITCHED] = "switched",
	[WSMFA_REASON_SENT] = "sent",
	[WSMFA_REASON_APPROVED] = "approved",
	[WSMFA_REASON_SUSPICIOUS] = "suspicious",
	[WSMFA_REASON_TIMEOUT] = "timeout",
	[WSMFA_REASON_BUSY] = "busy",
	[WSMFA_REASON_SUPERSEDED] = "superseded",
	[WSMFA_REASON_PUSH_LIMIT] = "push_limit",
	[WSMFA_REASON_SMS_LIMIT] = "sms_limit",
	[WSMFA_REASON_PARK_LIMIT] = "park_limit",
	[WSMFA_REASON_PROVIDER_DOWN] = "provider_down",
	[WSMFA_REASON_ENROLLING] = "enrolling",
	[WSMFA_REASON_CONFIRMED] = "confirmed",
	[WSMFA_REASON_WRONG_TICKET] = "wrong_ticket",
	[WSMFA_REASON_ENROLLED_ELSEWHERE] = "enrolled_elsewhere",
	[WSMFA_REASON_STORE_DOWN] = "store_down",
	[WSMFA_REASON_KEY_UNAVAILABLE] = "key_unavailable",
	[WSMFA_REASON_BYPASS] = "bypass",
	[WSMFA_REASON_INTERNAL] = "internal",
};

static char const *const asks[] = {
	[WSMFA_ASK_NONE] = "none",
	[WSMFA_ASK_TOTP] = "totp",
	[WSMFA_ASK_SMS] = "sms",
	[WSMFA_ASK_PUSH] = "push",
	[WSMFA_ASK_RECOVERY] = "recovery",
	[WSMFA_ASK_METHOD] = "method",
	[WSMFA_ASK_BANNER] = "banner",
	[WSMFA_ASK_ENROLL_TICKET] = "enroll_ticket",
	[WSMFA_ASK_ENROLL_METHOD] = "enroll_method",
	[WSMFA_ASK_ENROLL_TOTP] = "enroll_totp",
	[WSMFA_ASK_ENROLL_SMS] = "enroll_sms",
};

static char const *const modes[] = {
	[WSMFA_MODE_CHALLENGE] = "challenge",
	[WSMFA_MODE_APPEND] = "append",
	[WSMFA_MODE_WAIT] = "wait",
};

static char const *const algorithms[] = {
	[WSMFA_SHA1] = "sha1",
	[WSMFA_SHA256] = "sha256",
	[WSMFA_SHA512] = "sha512",
};

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))

_Static_assert(LENGTH(kinds) == WSMFA_KINDS, "a word for every kind");
_Static_assert(LENGTH(stages) == WSMFA_STAGES, "a word for every stage");
_Static_assert(LENGTH(decisions) == WSMFA_DECISIONS, "a word for every decision");
_Static_assert(LENGTH(outcomes) == WSMFA_OUTCOMES, "a word for every outcome");
_Static_assert(LENGTH(reasons) == WSMFA_REASONS, "a word for every reason");
_Static_assert(LENGTH(asks) == WSMFA_ASKS, "a word for every question");
_Static_assert(LENGTH(modes) == WSMFA_MODES, "a word for every mode");
_Static_assert(LENGTH(algorithms) == WSMFA_ALGORITHMS, "a word for every algorithm");

static char const *word_of(char const *const *words, size_t len, size_t value)
{
	return value < len ? words[value] : NULL;
}

static bool value_of(char const *const *words, size_t len, char const *word, size_t *value)
{
	if (!word)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (words[i] && strcmp(words[i], word) == 0) {
			*value = i;
			return true;
		}
	}
	return false;
}

char const *wsmfa_kind_word(enum wsmfa_kind k)
{
	return word_of(kinds, LENGTH(kinds), (size_t)k);
}

char const *wsmfa_stage_word(enum wsmfa_stage s)
{
	return word_of(stages, LENGTH(stages), (size_t)s);
}

char const *wsmfa_decision_word(enum wsmfa_decision d)
{
	return word_of(decisions, LENGTH(decisions), (size_t)d);
}

char const *wsmfa_outcome_word(enum wsmfa_outcome o)
{
	return word_of(outcomes, LENGTH(outcomes), (size_t)o);
}

char const *wsmfa_reason_word(enum wsmfa_reason r)
{
	return word_of(reasons, LENGTH(reasons), (size_t)r);
}

char const *wsmfa_ask_word(enum wsmfa_question_kind k)
{
	return word_of(asks, LENGTH(asks), (size_t)k);
}

char const *wsmfa_mode_word(enum wsmfa_mode m)
{
	return word_of(modes, LENGTH(modes), (size_t)m);
}

char const *wsmfa_algorithm_word(enum wsmfa_algorithm a)
{
	return word_of(algorithms, LENGTH(algorithms), (size_t)a);
}

bool wsmfa_kind_parse(char const *word, enum wsmfa_kind *out)
{
	size_t value;

	if (!value_of(kinds, LENGTH(kinds), word, &value))
		return false;
	*out = (enum wsmfa_kind)value;
	return true;
}

enum wsmfa_stage wsmfa_stage_parse(char const *word)
{
	size_t value;

	if (!value_of(stages, LENGTH(stages), word, &value))
		return WSMFA_STAGE_ENFORCE;
	return (enum wsmfa_stage)value;
}

bool wsmfa_decision_parse(char const *word, enum wsmfa_decision *out)
{
	size_t value;

	if (!value_of(decisions, LENGTH(decisions), word, &value))
		return false;
	*out = (enum wsmfa_decision)value;
	return true;
}

bool wsmfa_reason_parse(char const *word, enum wsmfa_reason *out)
{
	size_t value;

	if (!value_of(reasons, LENGTH(reasons), word, &value))
		return false;
	*out = (enum wsmfa_reason)value;
	return true;
}

bool wsmfa_ask_parse(char const *word, enum wsmfa_question_kind *out)
{
	size_t value;

	if (!value_of(asks, LENGTH(asks), word, &value))
		return false;
	*out = (enum wsmfa_question_kind)value;
	return true;
}

bool wsmfa_mode_parse(char const *word, enum wsmfa_mode *out)
{
	size_t value;

	if (!value_of(modes, LENGTH(modes), word, &value))
		return false;
	*out = (enum wsmfa_mode)value;
	return true;
}

bool wsmfa_algorithm_parse(char const *word, enum wsmfa_algorithm *out)
{
	size_t value;

	if (!value_of(algorithms, LENGTH(algorithms), word, &value))
		return false;
	*out = (enum wsmfa_algorithm)value;
	return true;
}

wsmfa_time_t wsmfa_time_span(wsmfa_time_t from, wsmfa_time_t to)
{
	wsmfa_time_t span;

	if (__builtin_sub_overflow(to, from, &span))
		return to < from ? -WSMFA_TIME_FOREVER : WSMFA_TIME_FOREVER;
	return span;
}

void wsmfa_account_wipe(struct wsmfa_account *a)
{
	if (a)
		OPENSSL_cleanse(a, sizeof(*a));
}
