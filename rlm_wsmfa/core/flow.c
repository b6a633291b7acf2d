/*
 * The state machine of a login: the table of state and input, and what the store's verdict makes of a plan.
 * It stands apart from flow_ask.c, which makes questions, and flow_enroll.c, which has the states of an enrolment.
 *
 * Every path that ends in ADMIT is in this file: wsmfa_plan_admit (by the rules) and prove (by a second factor).
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/flow_inner.h"
#include "core/totp.h"

void wsmfa_plan_wipe(struct wsmfa_plan *plan)
{
	OPENSSL_cleanse(plan, sizeof(*plan));
}

/* ---- ends ---- */

void wsmfa_plan_refuse(struct wsmfa_plan *out, enum wsmfa_outcome outcome, enum wsmfa_reason reason,
		       enum wsmfa_text text)
{
	out->move = WSMFA_MOVE_REFUSE;
	out->outcome = outcome;
	out->reason = reason;
	out->note = text;
	out->asks = false;
}

void wsmfa_flow_refuse(struct wsmfa_login const *login, struct wsmfa_plan *out)
{
	enum wsmfa_reason const reason = login->ruling.reason;

	switch (reason) {
	case WSMFA_REASON_UNKNOWN_ACCOUNT:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_FAILED_FIRST_FACTOR, reason, WSMFA_TEXT_NONE);
		return;
	case WSMFA_REASON_DISABLED:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, reason, WSMFA_TEXT_REFUSE_DISABLED);
		return;
	case WSMFA_REASON_LOCKED:
		out->until = login->account->locked_until;
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, reason, WSMFA_TEXT_REFUSE_LOCKED);
		return;
	case WSMFA_REASON_NO_USABLE_METHOD:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, reason, WSMFA_TEXT_REFUSE_NO_METHOD);
		return;
	case WSMFA_REASON_ENROLLMENT_REQUIRED:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, reason, WSMFA_TEXT_REFUSE_ENROLL);
		return;
	default:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR);
		return;
	}
}

void wsmfa_plan_admit(struct wsmfa_login const *login, struct wsmfa_plan *out)
{
	bool const banner = login->ruling.decision == WSMFA_DECISION_ACCEPT_WITH_BANNER;
	bool const exempt = login->ruling.reason == WSMFA_REASON_EXEMPT;

	if (login->ruling.decision != WSMFA_DECISION_ACCEPT && !banner) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR);
		return;
	}
	out->move = WSMFA_MOVE_ADMIT;
	out->outcome = WSMFA_OUTCOME_ACCEPTED;
	out->reason = login->ruling.reason;
	out->method = WSMFA_KIND_NONE;
	out->note = WSMFA_TEXT_NONE;
	out->note2 = WSMFA_TEXT_NONE;
	out->asks = false;
	if (banner) out->note = exempt ? WSMFA_TEXT_BANNER_EXEMPT : WSMFA_TEXT_BANNER;
	if (login->set->cap_session && login->account->in_scope) {
		out->session_end = exempt ? login->account->exempt_until : login->account->enforce_from;
	}
}

/** The second factor, or a new one, stands proven in the store: the one way past a question for one. */
static void prove(enum wsmfa_kind method, enum wsmfa_reason reason, struct wsmfa_plan *out)
{
	out->move = WSMFA_MOVE_ADMIT;
	out->outcome = WSMFA_OUTCOME_ACCEPTED;
	out->reason = reason;
	out->method = method;
	out->note = WSMFA_TEXT_NONE;
	out->note2 = WSMFA_TEXT_NONE;
	out->asks = false;
}

static void plan_begin(struct wsmfa_plan *out)
{
	memset(out, 0, sizeof(*out));
	out->session_end = WSMFA_TIME_NONE;
	out->until = WSMFA_TIME_NONE;
	out->ask.code_expires_at = WSMFA_TIME_NONE;
}

static void plan_error(struct wsmfa_plan *out)
{
	wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR);
}

static void plan_ask(bool made, enum wsmfa_reason reason, struct wsmfa_plan *out)
{
	if (!made) {
		plan_error(out);
		return;
	}
	out->move = WSMFA_MOVE_ASK;
	out->asks = true;
	out->outcome = WSMFA_OUTCOME_CHALLENGED;
	out->reason = reason;
	out->method = wsmfa_ask_kind(out->ask.kind);
}

void wsmfa_plan_aside(struct wsmfa_plan *out, enum wsmfa_reason reason)
{
	out->move = WSMFA_MOVE_JUDGE;
	out->asks = true;
	out->outcome = WSMFA_OUTCOME_CHALLENGED;
	out->reason = reason;
	out->method = wsmfa_ask_kind(out->ask.kind);
	out->judgement.verdict = WSMFA_VERDICT_ASIDE;
}

/* ---- judging ---- */

static void judge(enum wsmfa_verdict verdict, enum wsmfa_question_kind kind, struct wsmfa_plan *out)
{
	out->move = WSMFA_MOVE_JUDGE;
	out->judgement.verdict = verdict;
	out->judgement.kind = kind;
	out->method = wsmfa_ask_kind(kind);
	if (verdict == WSMFA_VERDICT_RIGHT) {
		out->outcome = WSMFA_OUTCOME_ACCEPTED;
		out->reason = WSMFA_REASON_PROVEN;
	} else {
		out->outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
		out->reason = WSMFA_REASON_WRONG_CODE;
	}
}

static void judge_on(struct wsmfa_plan *out, int64_t authenticator_id)
{
	if (out->judgement.authenticators_len >= WSMFA_AUTHENTICATORS_MAX) return;
	out->judgement.authenticators[out->judgement.authenticators_len++] = authenticator_id;
}

/** The guess as the store may see it, so that a client that repeats a wrong code does not lock its user out. */
static void judge_guess(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (answer->text[0] == '\0') return;
	out->judgement.has_guess_mac = wsmfa_code_mac(out->judgement.guess_mac, login->macs, login->account->id,
						      answer->text);
}

/** Asks the same once more, if this login has an attempt left. */
static void ask_same(struct wsmfa_login const *login, struct wsmfa_question const *question, enum wsmfa_text note,
		     struct wsmfa_plan *out)
{
	out->note = note;
	if (question->attempt >= login->set->max_attempts) {
		out->asks = false;
		out->note = WSMFA_TEXT_REFUSE_ATTEMPTS;
		return;
	}
	out->asks = true;
	wsmfa_ask_again(login, question, question->attempt + 1, &out->ask);
}

/** Every usable authenticator of a kind is what a wrong guess counts on. */
static void count_on_kind(struct wsmfa_login const *login, enum wsmfa_kind kind, struct wsmfa_plan *out)
{
	struct wsmfa_account const *account = login->account;

	out->judgement.authenticators_len = 0;
	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &account->authenticators[i];

		if (a->kind != kind) continue;
		if (!wsmfa_authenticator_usable(account, a, &login->set->policy, &login->reach)) continue;
		judge_on(out, a->id);
	}
}

static struct wsmfa_totp_result totp_try(struct wsmfa_login const *login, struct wsmfa_authenticator const *a,
					 char const *code)
{
	struct wsmfa_totp_result result = { .match = WSMFA_TOTP_BROKEN };
	struct wsmfa_secret key;

	if (wsmfa_unseal(login->ring, login->account->id, a->id, a->sealed, a->sealed_len, &key) == WSMFA_UNSEALED_OK) {
		struct wsmfa_totp const totp = {
			.key = &key, .algorithm = a->algorithm, .digits = a->digits, .period = a->period
		};

		result = wsmfa_totp_check(&totp, login->set->totp_window, a->drift, a->last_step, login->at, code);
	}
	wsmfa_secret_wipe(&key);
	return result;
}

/** Tries a code on every usable TOTP authenticator: right on one of them is right. @return false if wrong. */
static bool judge_totp(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	struct wsmfa_account const *account = login->account;
	bool replayed = false;

	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &account->authenticators[i];
		struct wsmfa_totp_result result;

		if (a->kind != WSMFA_KIND_TOTP) continue;
		if (!wsmfa_authenticator_usable(account, a, &login->set->policy, &login->reach)) continue;
		result = totp_try(login, a, answer->text);
		if (result.match == WSMFA_TOTP_REPLAYED) replayed = true;
		if (result.match != WSMFA_TOTP_FRESH) continue;

		judge(WSMFA_VERDICT_RIGHT, WSMFA_ASK_TOTP, out);
		judge_on(out, a->id);
		out->judgement.step = result.step;
		out->judgement.drift = result.drift;
		return true;
	}
	if (replayed) {
		judge(WSMFA_VERDICT_ASIDE, WSMFA_ASK_TOTP, out);
		out->reason = WSMFA_REASON_REPLAYED_CODE;
		return true;
	}
	judge(WSMFA_VERDICT_WRONG, WSMFA_ASK_TOTP, out);
	judge_guess(login, answer, out);
	count_on_kind(login, WSMFA_KIND_TOTP, out);
	return false;
}

static struct wsmfa_authenticator const *judge_recovery(struct wsmfa_login const *login,
							struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	struct wsmfa_authenticator const *a = wsmfa_usable_find(login, WSMFA_KIND_RECOVERY, 0);

	if (!a) return NULL;
	out->judgement.has_recovery_hash =
		wsmfa_recovery_hash(out->judgement.recovery_hash, a->salt, a->iterations, answer->text);
	judge(out->judgement.has_recovery_hash ? WSMFA_VERDICT_RIGHT : WSMFA_VERDICT_WRONG, WSMFA_ASK_RECOVERY, out);
	judge_guess(login, answer, out);
	judge_on(out, a->id);
	return a;
}

/* ---- cells of the table: questions for a second factor ---- */

static void cell_again(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)answer;
	wsmfa_plan_aside(out, WSMFA_REASON_WRONG_CODE);
	out->outcome = WSMFA_OUTCOME_CHALLENGED;
	ask_same(login, question, WSMFA_TEXT_NONE, out);
	out->method = wsmfa_ask_kind(question->kind);
	if (!out->asks) {
		out->outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
		out->reason = WSMFA_REASON_TOO_MANY_ATTEMPTS;
	}
}

/** The list of ways, and the same question: costs no attempt. */
static void cell_list(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)answer;
	wsmfa_ask_again(login, question, question->attempt, &out->ask);
	wsmfa_plan_aside(out, WSMFA_REASON_SWITCHED);
	if (question->kind != WSMFA_ASK_METHOD) out->note = WSMFA_TEXT_NOTE_METHODS;
}

static void cell_switch(struct wsmfa_login const *login, struct wsmfa_question const *question,
			struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	enum wsmfa_kind const kind = wsmfa_answer_kind(answer, login->usable);

	if (kind == WSMFA_KIND_NONE || !wsmfa_ask_second_factor(login, kind, question->attempt, &out->ask)) {
		cell_list(login, question, answer, out);
		out->note2 = out->note;
		out->note = WSMFA_TEXT_NOTE_NOT_AVAILABLE;
		return;
	}
	wsmfa_plan_aside(out, WSMFA_REASON_SWITCHED);
}

static void cell_wrong(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	judge(WSMFA_VERDICT_WRONG, question->kind, out);
	judge_guess(login, answer, out);
	if (question->authenticator_id) {
		judge_on(out, question->authenticator_id);
	} else {
		count_on_kind(login, wsmfa_ask_kind(question->kind), out);
	}
	ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

static void cell_totp(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (judge_totp(login, answer, out)) {
		if (out->judgement.verdict == WSMFA_VERDICT_ASIDE) {
			ask_same(login, question, WSMFA_TEXT_NOTE_REPLAYED, out);
		}
		return;
	}
	ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

/** At a question where nothing was typed yet: a code is welcome if one can be had. */
static void cell_totp_here(struct wsmfa_login const *login, struct wsmfa_question const *question,
			   struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (login->usable & KIND_BIT(WSMFA_KIND_TOTP)) {
		cell_totp(login, question, answer, out);
	} else {
		cell_again(login, question, answer, out);
		if (out->asks && question->kind != WSMFA_ASK_METHOD) out->note = WSMFA_TEXT_NOTE_METHODS;
	}
}

static void cell_sms(struct wsmfa_login const *login, struct wsmfa_question const *question,
		     struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	uint8_t mac[WSMFA_HASH_LEN];

	if (question->code_expires_at == WSMFA_TIME_NONE || question->code_expires_at <= login->at) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_EXPIRED);
		return;
	}
	if (!wsmfa_usable_find(login, WSMFA_KIND_SMS, question->authenticator_id)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD, WSMFA_TEXT_REFUSE_NO_METHOD);
		return;
	}
	if (wsmfa_code_mac(mac, login->macs, login->account->id, answer->text) &&
	    wsmfa_hash_equal(mac, question->code_mac)) {
		judge(WSMFA_VERDICT_RIGHT, WSMFA_ASK_SMS, out);
		judge_on(out, question->authenticator_id);
		return;
	}
	cell_wrong(login, question, answer, out);
}

static void cell_recovery(struct wsmfa_login const *login, struct wsmfa_question const *question,
			  struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (!judge_recovery(login, answer, out)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD, WSMFA_TEXT_REFUSE_NO_METHOD);
		return;
	}
	ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

static void cell_wait(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)answer;
	if (!wsmfa_usable_find(login, WSMFA_KIND_PUSH, question->authenticator_id)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD, WSMFA_TEXT_REFUSE_NO_METHOD);
		return;
	}
	out->move = WSMFA_MOVE_WAIT;
	out->method = WSMFA_KIND_PUSH;
}

/* ---- the banner's question ---- */

/** By the ruling of now: who may go on without a second factor does, and nobody else. */
static void cell_skip(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)question;
	(void)answer;
	wsmfa_plan_admit(login, out);
	if (out->move != WSMFA_MOVE_ADMIT) return;
	out->move = WSMFA_MOVE_JUDGE;
	out->judgement.verdict = WSMFA_VERDICT_ASIDE;
	out->judgement.kind = WSMFA_ASK_BANNER;
	out->admits_aside = true;
}

static void cell_banner(struct wsmfa_login const *login, struct wsmfa_question const *question,
			struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (answer->keyword == WSMFA_KEYWORD_ENROLL && wsmfa_ask_enroll(login, false, 1, &out->ask)) {
		wsmfa_plan_aside(out, WSMFA_REASON_ENROLLING);
		return;
	}
	if (question->attempt >= login->set->max_attempts) {
		cell_skip(login, question, answer, out);
		return;
	}
	wsmfa_ask_again(login, question, question->attempt + 1, &out->ask);
	wsmfa_plan_aside(out, WSMFA_REASON_ANNOUNCE);
}

/* ---- the table ---- */

static wsmfa_cell_t *const table[WSMFA_ASKS][WSMFA_ANSWER_CLASSES] = {
#define ROW(bad, empty, help, keyword, choice, code, word) \
	{ [WSMFA_ANSWER_BAD] = bad, [WSMFA_ANSWER_EMPTY] = empty, [WSMFA_ANSWER_HELP] = help, \
	  [WSMFA_ANSWER_KEYWORD] = keyword, [WSMFA_ANSWER_CHOICE] = choice, [WSMFA_ANSWER_CODE] = code, \
	  [WSMFA_ANSWER_WORD] = word }
	/* clang-format off */
	/*                               bad          empty        help       keyword      choice       code            word */
	[WSMFA_ASK_TOTP]     = ROW(cell_wrong,  cell_again,  cell_list, cell_switch, cell_switch, cell_totp,      cell_wrong),
	[WSMFA_ASK_SMS]      = ROW(cell_wrong,  cell_again,  cell_list, cell_switch, cell_switch, cell_sms,       cell_wrong),
	[WSMFA_ASK_PUSH]     = ROW(cell_again,  cell_wait,   cell_list, cell_switch, cell_switch, cell_totp_here, cell_again),
	[WSMFA_ASK_RECOVERY] = ROW(cell_wrong,  cell_again,  cell_list, cell_switch, cell_switch, cell_recovery,  cell_recovery),
	[WSMFA_ASK_METHOD]   = ROW(cell_again,  cell_again,  cell_list, cell_switch, cell_switch, cell_totp_here, cell_again),
	[WSMFA_ASK_BANNER]   = ROW(cell_banner, cell_skip,   cell_banner, cell_banner, cell_banner, cell_banner,  cell_banner),
	[WSMFA_ASK_ENROLL_TICKET] = ROW(wsmfa_enroll_wrong, wsmfa_enroll_again, wsmfa_enroll_again, wsmfa_enroll_again,
					wsmfa_enroll_wrong, wsmfa_enroll_wrong, wsmfa_enroll_ticket),
	[WSMFA_ASK_ENROLL_METHOD] = ROW(wsmfa_enroll_again, wsmfa_enroll_again, wsmfa_enroll_again, wsmfa_enroll_choose,
					wsmfa_enroll_choose, wsmfa_enroll_again, wsmfa_enroll_again),
	[WSMFA_ASK_ENROLL_TOTP]   = ROW(wsmfa_enroll_wrong, wsmfa_enroll_again, wsmfa_enroll_again, wsmfa_enroll_choose,
					wsmfa_enroll_wrong, wsmfa_enroll_totp, wsmfa_enroll_wrong),
	[WSMFA_ASK_ENROLL_SMS]    = ROW(wsmfa_enroll_wrong, wsmfa_enroll_again, wsmfa_enroll_again, wsmfa_enroll_choose,
					wsmfa_enroll_wrong, wsmfa_enroll_sms, wsmfa_enroll_wrong),
	/* clang-format on */
#undef ROW
};

bool wsmfa_flow_has_entry(enum wsmfa_question_kind state, enum wsmfa_answer_class input)
{
	return state > WSMFA_ASK_NONE && state < WSMFA_ASKS && input < WSMFA_ANSWER_CLASSES && table[state][input];
}

/** Is the ruling of now, at the answer, one under which this question may still be answered? Else *out ends or moves on. */
static bool still_stands(struct wsmfa_login const *login, enum wsmfa_question_kind kind, struct wsmfa_plan *out)
{
	enum wsmfa_reason const reason = login->ruling.reason;

	if (reason == WSMFA_REASON_UNKNOWN_ACCOUNT || reason == WSMFA_REASON_DISABLED || reason == WSMFA_REASON_LOCKED) {
		wsmfa_flow_refuse(login, out);
		return false;
	}
	switch (kind) {
	case WSMFA_ASK_BANNER:
		if (login->ruling.decision == WSMFA_DECISION_ACCEPT ||
		    login->ruling.decision == WSMFA_DECISION_ACCEPT_WITH_BANNER) {
			return true;
		}
		/* Enforcement began, or a second factor was enrolled: what a first packet would lead to now. */
		wsmfa_flow_start(login, NULL, out);
		if (out->move != WSMFA_MOVE_ASK) return false;
		wsmfa_plan_aside(out, login->ruling.reason);
		return false;

	case WSMFA_ASK_ENROLL_TICKET:
	case WSMFA_ASK_ENROLL_METHOD:
	case WSMFA_ASK_ENROLL_TOTP:
	case WSMFA_ASK_ENROLL_SMS:
		if (wsmfa_account_enrolled(login->account)) {
			wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_ENROLLED_ELSEWHERE,
					  WSMFA_TEXT_REFUSE_ELSEWHERE);
			return false;
		}
		if (login->enrollable) return true;
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_ENROLLMENT_REQUIRED, WSMFA_TEXT_REFUSE_ENROLL);
		return false;

	default:
		if (wsmfa_account_enrolled(login->account) && login->usable) return true;
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD, WSMFA_TEXT_REFUSE_NO_METHOD);
		return false;
	}
}

void wsmfa_flow_answer(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	plan_begin(out);
	out->judgement.kind = question->kind;
	if (!wsmfa_flow_has_entry(question->kind, answer->class)) {
		plan_error(out);
		return;
	}
	if (!still_stands(login, question->kind, out)) {
		out->judgement.kind = question->kind;
		return;
	}
	table[question->kind][answer->class](login, question, answer, out);
}

/* ---- the first packet ---- */

/** The code, keyword or recovery code that came with the password. */
static void start_appended(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (answer->keyword == WSMFA_KEYWORD_PUSH && (login->usable & KIND_BIT(WSMFA_KIND_PUSH))) {
		plan_ask(wsmfa_ask_second_factor(login, WSMFA_KIND_PUSH, 1, &out->ask), WSMFA_REASON_ENROLLED, out);
		return;
	}
	if (answer->keyword == WSMFA_KEYWORD_SMS && (login->usable & KIND_BIT(WSMFA_KIND_SMS))) {
		plan_ask(wsmfa_ask_second_factor(login, WSMFA_KIND_SMS, 1, &out->ask), WSMFA_REASON_SENT, out);
		if (out->move == WSMFA_MOVE_ASK) {
			out->move = WSMFA_MOVE_TELL;
			out->note = WSMFA_TEXT_REFUSE_SMS_SENT;
		}
		return;
	}
	switch (answer->class) {
	case WSMFA_ANSWER_EMPTY:
	case WSMFA_ANSWER_HELP:
	case WSMFA_ANSWER_KEYWORD:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_CODE_MISSING, WSMFA_TEXT_REFUSE_CODE_MISSING);
		return;
	case WSMFA_ANSWER_WORD:
		if (judge_recovery(login, answer, out)) break;
		/* fall through */
	default:
		judge_totp(login, answer, out);
		if (out->judgement.verdict == WSMFA_VERDICT_WRONG && (login->usable & KIND_BIT(WSMFA_KIND_SMS))) {
			out->judgement.guess_may_be_sent = out->judgement.has_guess_mac;
			if (out->judgement.authenticators_len == 0) {
				count_on_kind(login, WSMFA_KIND_SMS, out);
				out->method = WSMFA_KIND_SMS;
			}
		}
		if (out->judgement.verdict == WSMFA_VERDICT_WRONG && out->judgement.authenticators_len == 0) {
			wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_CODE_MISSING,
					  WSMFA_TEXT_REFUSE_CODE_MISSING);
			return;
		}
		break;
	}
	out->note = out->reason == WSMFA_REASON_REPLAYED_CODE ? WSMFA_TEXT_REFUSE_REPLAYED : WSMFA_TEXT_REFUSE_WRONG_CODE;
}

static bool banner_due(struct wsmfa_login const *login)
{
	wsmfa_time_t const shown = login->account->banner_shown_at;

	return login->ruling.reason == WSMFA_REASON_ANNOUNCE && login->client->banner_question &&
	       login->reach.can_challenge &&
	       (shown == WSMFA_TIME_NONE || login->at - shown >= login->set->banner_every);
}

void wsmfa_flow_start(struct wsmfa_login const *login, struct wsmfa_appended const *appended, struct wsmfa_plan *out)
{
	plan_begin(out);

	switch (login->ruling.decision) {
	case WSMFA_DECISION_CHALLENGE:
		if (appended && appended->present) {
			start_appended(login, &appended->answer, out);
		} else if (login->client->mode == WSMFA_MODE_APPEND && login->typed) {
			wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_CODE_MISSING,
					  WSMFA_TEXT_REFUSE_CODE_MISSING);
		} else {
			plan_ask(wsmfa_ask_first(login, login->usable, 1, &out->ask), login->ruling.reason, out);
		}
		return;

	case WSMFA_DECISION_ENROLL:
		if (wsmfa_ask_enroll(login, false, 1, &out->ask)) {
			plan_ask(true, login->ruling.reason, out);
		} else {
			plan_error(out);
		}
		return;

	case WSMFA_DECISION_ACCEPT_WITH_BANNER:
		if (banner_due(login)) {
			wsmfa_ask_banner(login, 1, &out->ask);
			plan_ask(true, login->ruling.reason, out);
			return;
		}
		wsmfa_plan_admit(login, out);
		return;

	case WSMFA_DECISION_ACCEPT: wsmfa_plan_admit(login, out); return;

	default: wsmfa_flow_refuse(login, out); return;
	}
}

/* ---- what the store said ---- */

static void asked(struct wsmfa_plan *plan)
{
	plan->move = WSMFA_MOVE_ASK;
}

static void judged_wrong(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	bool const ticket = plan->judgement.kind == WSMFA_ASK_ENROLL_TICKET;

	plan->outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
	plan->reason = ticket ? WSMFA_REASON_WRONG_TICKET : WSMFA_REASON_WRONG_CODE;
	if (settled->disabled) plan->person = WSMFA_TEXT_NOTICE_DISABLED;
	if (settled->locked_until != WSMFA_TIME_NONE && settled->locked_until > login->at) {
		plan->until = settled->locked_until;
		wsmfa_plan_refuse(plan, plan->outcome, WSMFA_REASON_LOCKED, WSMFA_TEXT_REFUSE_LOCKED);
		return;
	}
	if (plan->asks && settled->next_id) {
		asked(plan);
		return;
	}
	if (plan->note == WSMFA_TEXT_NONE || plan->asks) plan->note = WSMFA_TEXT_REFUSE_WRONG_CODE;
	if (plan->note == WSMFA_TEXT_REFUSE_ATTEMPTS) plan->reason = WSMFA_REASON_TOO_MANY_ATTEMPTS;
	plan->move = WSMFA_MOVE_REFUSE;
}

static void judged_aside(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	if (plan->admits_aside) {
		wsmfa_plan_admit(login, plan);
		if (plan->move == WSMFA_MOVE_ADMIT) plan->note = WSMFA_TEXT_NONE; /* it was just read */
		return;
	}
	if (plan->asks && settled->next_id) {
		asked(plan);
		return;
	}
	if (plan->asks && settled->next_status == WSMFA_OPEN_SMS_LIMIT) {
		wsmfa_flow_detour(login, WSMFA_KIND_SMS, plan->ask.attempt, WSMFA_TEXT_NOTE_SMS_LIMIT,
				  WSMFA_TEXT_REFUSE_SMS_LIMIT, WSMFA_OUTCOME_DENIED, WSMFA_REASON_SMS_LIMIT, plan);
	} else if (plan->asks && settled->next_status == WSMFA_OPEN_PUSH_LIMIT) {
		wsmfa_flow_detour(login, WSMFA_KIND_PUSH, plan->ask.attempt, WSMFA_TEXT_NOTE_PUSH_LIMIT,
				  WSMFA_TEXT_REFUSE_PUSH_LIMIT, WSMFA_OUTCOME_DENIED, WSMFA_REASON_PUSH_LIMIT, plan);
	} else if (plan->asks && settled->next_status == WSMFA_OPEN_BUSY) {
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_BUSY, WSMFA_TEXT_REFUSE_BUSY);
	} else if (plan->asks) {
		plan_error(plan);
	} else {
		plan->move = WSMFA_MOVE_REFUSE;
	}
}

/** The same answer was judged before, perhaps by another server: the same end, decided again. */
static void judged_repeat(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	if (settled->outcome == WSMFA_OUTCOME_ACCEPTED) {
		if (plan->admits_aside) {
			judged_aside(login, settled, plan);
		} else {
			prove(plan->method, settled->reason, plan);
		}
	} else if (settled->next_id && plan->asks) {
		plan->outcome = settled->outcome;
		plan->reason = settled->reason;
		asked(plan);
	} else {
		wsmfa_plan_refuse(plan, settled->outcome, settled->reason, WSMFA_TEXT_REFUSE_WRONG_CODE);
	}
}

static void judged_right(struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	enum wsmfa_kind const method = wsmfa_ask_kind(plan->judgement.kind);

	switch (plan->judgement.kind) {
	case WSMFA_ASK_ENROLL_TICKET:
		if (plan->asks && settled->next_id) {
			plan->outcome = WSMFA_OUTCOME_CHALLENGED;
			plan->reason = WSMFA_REASON_ENROLLING;
			asked(plan);
		} else {
			plan_error(plan);
		}
		return;
	case WSMFA_ASK_ENROLL_TOTP:
	case WSMFA_ASK_ENROLL_SMS:
		prove(method, WSMFA_REASON_CONFIRMED, plan);
		plan->person = WSMFA_TEXT_NOTICE_ENROLLED;
		return;
	case WSMFA_ASK_RECOVERY:
		prove(method, WSMFA_REASON_PROVEN, plan);
		plan->person = WSMFA_TEXT_NOTICE_RECOVERY;
		plan->note = WSMFA_TEXT_RECOVERY_LEFT;
		plan->count = settled->codes_left;
		return;
	case WSMFA_ASK_TOTP:
	case WSMFA_ASK_SMS:
		/* append: a guess that was wrong as TOTP was the code that was sent */
		prove(plan->judgement.guess_may_be_sent ? WSMFA_KIND_SMS : method, WSMFA_REASON_PROVEN, plan);
		return;
	default: plan_error(plan); return;
	}
}

void wsmfa_flow_judged(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	switch (settled->status) {
	case WSMFA_SETTLE_RIGHT: judged_right(settled, plan); return;
	case WSMFA_SETTLE_WRONG: judged_wrong(login, settled, plan); return;
	case WSMFA_SETTLE_ASIDE: judged_aside(login, settled, plan); return;
	case WSMFA_SETTLE_REPEAT: judged_repeat(login, settled, plan); return;
	case WSMFA_SETTLE_REPLAYED:
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_FAILED_SECOND_FACTOR, WSMFA_REASON_REPLAYED_CODE,
				  WSMFA_TEXT_REFUSE_REPLAYED);
		return;
	case WSMFA_SETTLE_LOCKED:
		plan->until = settled->locked_until;
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_LOCKED, WSMFA_TEXT_REFUSE_LOCKED);
		return;
	case WSMFA_SETTLE_ENROLLED:
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_ENROLLED_ELSEWHERE,
				  WSMFA_TEXT_REFUSE_ELSEWHERE);
		return;
	case WSMFA_SETTLE_GONE:
	case WSMFA_SETTLE_EXHAUSTED:
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD,
				  WSMFA_TEXT_REFUSE_NO_METHOD);
		return;
	case WSMFA_SETTLE_EXPIRED:
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_EXPIRED);
		return;
	default: plan_error(plan); return;
	}
}

void wsmfa_flow_push_ended(struct wsmfa_login const *login, struct wsmfa_settled const *settled,
			   struct wsmfa_plan const *next, struct wsmfa_plan *out)
{
	plan_begin(out);
	out->method = WSMFA_KIND_PUSH;
	out->judgement.kind = WSMFA_ASK_PUSH;

	switch (settled->status) {
	case WSMFA_SETTLE_RIGHT: prove(WSMFA_KIND_PUSH, WSMFA_REASON_APPROVED, out); return;
	case WSMFA_SETTLE_DENIED:
		if (settled->disabled) out->person = WSMFA_TEXT_NOTICE_DISABLED;
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_FAILED_SECOND_FACTOR, WSMFA_REASON_SUSPICIOUS,
				  WSMFA_TEXT_REFUSE_DENIED);
		return;
	case WSMFA_SETTLE_EXPIRED:
	case WSMFA_SETTLE_FAILED:
		if (next && settled->next_id) {
			*out = *next;
			asked(out);
			return;
		}
		if (settled->status == WSMFA_SETTLE_EXPIRED) {
			wsmfa_plan_refuse(out, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_TIMEOUT);
		} else {
			wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN,
					  WSMFA_TEXT_REFUSE_PROVIDER_DOWN);
		}
		return;
	case WSMFA_SETTLE_SUPERSEDED:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_SUPERSEDED, WSMFA_TEXT_NONE);
		return;
	default: wsmfa_flow_judged(login, settled, out); return;
	}
}

void wsmfa_flow_detour(struct wsmfa_login const *login, enum wsmfa_kind failed, int32_t attempt, enum wsmfa_text note,
		       enum wsmfa_text refusal, enum wsmfa_outcome outcome, enum wsmfa_reason reason,
		       struct wsmfa_plan *out)
{
	struct wsmfa_login rest = *login;

	plan_begin(out);
	rest.usable &= ~KIND_BIT(failed);
	if (login->reach.can_challenge && rest.usable) {
		/* Another kind that costs money or rings is the user's choice, not ours. */
		if ((rest.usable & KIND_BIT(WSMFA_KIND_TOTP)) != 0) {
			plan_ask(wsmfa_ask_second_factor(&rest, WSMFA_KIND_TOTP, attempt, &out->ask), reason, out);
		} else {
			wsmfa_ask_method(&rest, attempt, &out->ask);
			plan_ask(true, reason, out);
		}
		out->note = note;
		if (out->move == WSMFA_MOVE_ASK) return;
	}
	out->method = failed;
	wsmfa_plan_refuse(out, outcome, reason, refusal);
}

void wsmfa_flow_text_args(struct wsmfa_login const *login, struct wsmfa_plan const *plan, struct wsmfa_text_room *room,
			  struct wsmfa_text_args *out)
{
	bool const enroll = plan->ask.kind == WSMFA_ASK_ENROLL_METHOD;
	struct wsmfa_account const *account = login->account;
	wsmfa_time_t const left = plan->until == WSMFA_TIME_NONE ? 0 : plan->until - login->at;

	wsmfa_flow_methods(login, enroll, room->methods, sizeof(room->methods));
	wsmfa_phone_mask(room->phone, plan->ask.phone);
	*out = (struct wsmfa_text_args){
		.account = account->name,
		.client = login->client->address,
		.date = account->enforce_on,
		.key = plan->ask.key,
		.methods = room->methods,
		.number = plan->ask.number,
		.phone = room->phone,
		.url = login->set->enroll_url,
		.count = plan->count,
		.minutes = left > 0 ? (left + WSMFA_MINUTE - 1) / WSMFA_MINUTE : 0,
	};
	if (account->exempt_until != WSMFA_TIME_NONE && account->exempt_until != WSMFA_TIME_FOREVER &&
	    account->exempt_until > login->at) {
		out->days = (account->exempt_until - login->at) / WSMFA_DAY;
	}
}
