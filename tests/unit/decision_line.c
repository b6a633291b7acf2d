/*
 * The reader of decision_line.h: strict, so that a misspelt case fails instead of testing something else.
 */
#include "decision_line.h"

#include <stdlib.h>
#include <string.h>

static bool read_time(char const *text, wsmfa_time_t *out)
{
	char *end;

	if (strcmp(text, "infinity") == 0) {
		*out = WSMFA_TIME_FOREVER;
		return true;
	}
	*out = strtoll(text, &end, 10);
	return *text && *end == '\0';
}

static bool read_yes(char const *text, bool *out)
{
	*out = strcmp(text, "yes") == 0;
	return *out || strcmp(text, "no") == 0;
}

static bool read_kinds(char *text, uint32_t *out)
{
	char *save = NULL;

	*out = 0;
	for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		enum wsmfa_kind kind;

		if (strcmp(word, "none") == 0) continue;
		if (!wsmfa_kind_parse(word, &kind)) return false;
		*out |= 1U << (unsigned)kind;
	}
	return true;
}

static bool read_authenticator(char *text, struct wsmfa_authenticator *a)
{
	char *save = NULL;
	char *word = strtok_r(text, ":", &save);

	memset(a, 0, sizeof(*a));
	a->confirmed_at = 1;
	a->disabled_at = WSMFA_TIME_NONE;
	a->codes_left = 10;
	if (!word || !wsmfa_kind_parse(word, &a->kind)) return false;
	while ((word = strtok_r(NULL, ":", &save))) {
		if (strcmp(word, "unconfirmed") == 0) {
			a->confirmed_at = WSMFA_TIME_NONE;
		} else if (strcmp(word, "disabled") == 0) {
			a->disabled_at = 1;
		} else if (strcmp(word, "unreachable") == 0) {
			a->unreachable = true;
		} else if (strncmp(word, "failures=", 9) == 0) {
			a->failures = atoi(word + 9);
		} else if (strncmp(word, "codes=", 6) == 0) {
			a->codes_left = atoi(word + 6);
		} else {
			return false;
		}
	}
	return true;
}

static bool read_authenticators(char *text, struct wsmfa_account *account)
{
	char *save = NULL;

	for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (account->authenticators_len == WSMFA_AUTHENTICATORS_MAX) return false;
		if (!read_authenticator(word, &account->authenticators[account->authenticators_len++])) return false;
	}
	return true;
}

struct login {
	struct wsmfa_account account;
	struct wsmfa_policy policy;
	struct wsmfa_reach reach;
	wsmfa_time_t at;
};

static bool read_stage(char const *text, enum wsmfa_stage *out)
{
	*out = wsmfa_stage_parse(text); /* an unknown word is enforce: that is a case too */
	return *text != '\0';
}

static bool read_word(char const *name, char *value, struct login *l)
{
	if (strcmp(name, "known") == 0) return read_yes(value, &l->account.known);
	if (strcmp(name, "at") == 0) return read_time(value, &l->at);
	if (strcmp(name, "disabled") == 0) return read_time(value, &l->account.disabled_at);
	if (strcmp(name, "locked") == 0) return read_time(value, &l->account.locked_until);
	if (strcmp(name, "scope") == 0) return read_yes(value, &l->account.in_scope);
	if (strcmp(name, "stage") == 0) return read_stage(value, &l->account.stage);
	if (strcmp(name, "exempt") == 0) return read_time(value, &l->account.exempt_until);
	if (strcmp(name, "allowed") == 0) return read_kinds(value, &l->account.allowed_kinds);
	if (strcmp(name, "auth") == 0) return read_authenticators(value, &l->account);
	if (strcmp(name, "reach") == 0) return read_kinds(value, &l->reach.kinds);
	if (strcmp(name, "challenge") == 0) return read_yes(value, &l->reach.can_challenge);
	if (strcmp(name, "enroll") == 0) return read_yes(value, &l->reach.may_enroll);
	if (strcmp(name, "budget") == 0) {
		l->policy.failure_budget = atoi(value);
		return l->policy.failure_budget > 0;
	}
	return false;
}

int decision_line(char *line, struct wsmfa_ruling *out, char const **bad)
{
	struct login l;
	char *save = NULL;

	memset(&l, 0, sizeof(l));
	l.account.known = true;
	l.account.disabled_at = l.account.locked_until = l.account.exempt_until = WSMFA_TIME_NONE;
	l.account.allowed_kinds = UINT32_MAX;
	l.policy.failure_budget = 30;
	l.reach = (struct wsmfa_reach){ .can_challenge = true, .may_enroll = true };
	l.reach.kinds = (1U << WSMFA_KIND_TOTP) | (1U << WSMFA_KIND_SMS) | (1U << WSMFA_KIND_PUSH) |
			(1U << WSMFA_KIND_RECOVERY);

	for (char *word = strtok_r(line, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
		char *value = strchr(word, '=');

		*bad = word;
		if (!value) return -1;
		*value++ = '\0';
		if (!read_word(word, value, &l)) return -1;
	}
	*out = wsmfa_decide(&l.account, &l.policy, &l.reach, l.at);
	return 0;
}
