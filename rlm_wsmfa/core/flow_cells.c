/*
 * The cells of the table for a second factor and for the announcement: what an answer is judged as, and what is asked next.
 * It stands apart from the table because nothing here admits: a right answer is a judgement that the store has to settle.
 */
#include <string.h>

#include "core/flow_inner.h"
#include "core/totp.h"

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
	if (out->judgement.authenticators_len >= WSMFA_AUTHENTICATORS_MAX)
		return;
	out->judgement.authenticators[out->judgement.authenticators_len++] = authenticator_id;
}

/** The guess as the store may see it, so that a client that repeats a wrong code does not lock its user out. */
static void judge_guess(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (answer->text[0] == '\0')
		return;
	out->judgement.has_guess_mac =
		wsmfa_code_mac(out->judgement.guess_mac, login->macs, login->account->id, "", answer->text);
}

/** Asks the same once more, if this login has an attempt left. */
void wsmfa_ask_same(struct wsmfa_login const *login, struct wsmfa_question const *question, enum wsmfa_text note,
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

		if (a->kind != kind)
			continue;
		if (!wsmfa_authenticator_usable(account, a, &login->set->policy, &login->reach))
			continue;
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

		if (a->kind != WSMFA_KIND_TOTP)
			continue;
		if (!wsmfa_authenticator_usable(account, a, &login->set->policy, &login->reach))
			continue;
		result = totp_try(login, a, answer->text);
		if (result.match == WSMFA_TOTP_REPLAYED)
			replayed = true;
		if (result.match != WSMFA_TOTP_FRESH)
			continue;

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

	if (!a)
		return NULL;
	out->judgement.has_recovery_hash =
		wsmfa_recovery_hash(out->judgement.recovery_hash, a->salt, a->iterations, answer->text);
	judge(out->judgement.has_recovery_hash ? WSMFA_VERDICT_RIGHT : WSMFA_VERDICT_WRONG, WSMFA_ASK_RECOVERY, out);
	judge_guess(login, answer, out);
	judge_on(out, a->id);
	return a;
}

/* ---- cells of the table: questions for a second factor ---- */

void wsmfa_cell_again(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)answer;
	wsmfa_plan_aside(out, WSMFA_REASON_WRONG_CODE);
	out->outcome = WSMFA_OUTCOME_CHALLENGED;
	wsmfa_ask_same(login, question, WSMFA_TEXT_NONE, out);
	out->method = wsmfa_ask_kind(question->kind);
	if (!out->asks) {
		out->outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
		out->reason = WSMFA_REASON_TOO_MANY_ATTEMPTS;
	}
}

/** The list of ways, and the same question: costs no attempt. */
void wsmfa_cell_list(struct wsmfa_login const *login, struct wsmfa_question const *question,
		     struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (wsmfa_method_gone(login, question)) {
		wsmfa_cell_gone(login, question, answer, out);
		return;
	}
	wsmfa_ask_again(login, question, question->attempt, &out->ask);
	wsmfa_plan_aside(out, WSMFA_REASON_SWITCHED);
	if (question->kind != WSMFA_ASK_METHOD)
		out->note = WSMFA_TEXT_NOTE_METHODS;
}

/** What was asked for can't be used any more: another way, and nothing to count a guess on. */
void wsmfa_cell_gone(struct wsmfa_login const *login, struct wsmfa_question const *question,
		     struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)answer;
	wsmfa_ask_method(login, question->attempt, &out->ask);
	wsmfa_plan_aside(out, WSMFA_REASON_NO_USABLE_METHOD);
	out->judgement.kind = WSMFA_ASK_METHOD; // what the answer once proved, it does not prove now
	out->note = WSMFA_TEXT_NOTE_NOT_AVAILABLE;
}

void wsmfa_cell_switch(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	enum wsmfa_kind const kind = wsmfa_answer_kind(answer, login->usable);

	if (kind == WSMFA_KIND_NONE || !wsmfa_ask_second_factor(login, kind, question->attempt, &out->ask)) {
		wsmfa_cell_list(login, question, answer, out);
		if (out->note != WSMFA_TEXT_NOTE_NOT_AVAILABLE)
			out->note2 = out->note;
		out->note = WSMFA_TEXT_NOTE_NOT_AVAILABLE;
		return;
	}
	wsmfa_plan_aside(out, WSMFA_REASON_SWITCHED);
}

void wsmfa_cell_wrong(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	judge(WSMFA_VERDICT_WRONG, question->kind, out);
	judge_guess(login, answer, out);
	if (question->authenticator_id) {
		judge_on(out, question->authenticator_id);
	} else {
		count_on_kind(login, wsmfa_ask_kind(question->kind), out);
	}
	wsmfa_ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

void wsmfa_cell_totp(struct wsmfa_login const *login, struct wsmfa_question const *question,
		     struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (judge_totp(login, answer, out)) {
		if (out->judgement.verdict == WSMFA_VERDICT_ASIDE) {
			wsmfa_ask_same(login, question, WSMFA_TEXT_NOTE_REPLAYED, out);
		}
		return;
	}
	wsmfa_ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

/** At a question where nothing was typed yet: a code is welcome if one can be had, and is what is asked for from then on. */
void wsmfa_cell_totp_here(struct wsmfa_login const *login, struct wsmfa_question const *question,
			  struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (!(login->usable & KIND_BIT(WSMFA_KIND_TOTP))) {
		wsmfa_cell_again(login, question, answer, out);
		if (out->asks && question->kind != WSMFA_ASK_METHOD)
			out->note = WSMFA_TEXT_NOTE_METHODS;
		return;
	}
	wsmfa_cell_totp(login, question, answer, out);
	if (out->asks) {
		out->asks = wsmfa_ask_second_factor(login, WSMFA_KIND_TOTP, question->attempt + 1, &out->ask);
	}
}

void wsmfa_cell_sms(struct wsmfa_login const *login, struct wsmfa_question const *question,
		    struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	struct wsmfa_authenticator const *a = wsmfa_usable_find(login, WSMFA_KIND_SMS, question->authenticator_id);
	uint8_t mac[WSMFA_HASH_LEN];

	/* of a repeat the store says what it was in time for */
	if (!login->repeat &&
	    (question->code_expires_at == WSMFA_TIME_NONE || question->code_expires_at <= login->at)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_EXPIRED);
		return;
	}
	if (a && wsmfa_code_mac(mac, login->macs, login->account->id, a->phone, answer->text) &&
	    wsmfa_hash_equal(mac, question->code_mac)) {
		judge(WSMFA_VERDICT_RIGHT, WSMFA_ASK_SMS, out);
		judge_on(out, question->authenticator_id);
		return;
	}
	wsmfa_cell_wrong(login, question, answer, out);
}

void wsmfa_cell_recovery(struct wsmfa_login const *login, struct wsmfa_question const *question,
			 struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)judge_recovery(login, answer, out);
	wsmfa_ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

void wsmfa_cell_wait(struct wsmfa_login const *login, struct wsmfa_question const *question,
		     struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)login;
	(void)question;
	(void)answer;
	out->move = WSMFA_MOVE_WAIT;
	out->method = WSMFA_KIND_PUSH;
}

/* ---- the banner's question ---- */

/** By the ruling of now: who may go on without a second factor does, and nobody else. */
void wsmfa_cell_skip(struct wsmfa_login const *login, struct wsmfa_question const *question,
		     struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)question;
	(void)answer;
	wsmfa_plan_admit(login, out);
	if (out->move != WSMFA_MOVE_ADMIT)
		return;
	out->move = WSMFA_MOVE_JUDGE;
	out->judgement.verdict = WSMFA_VERDICT_ASIDE;
	out->judgement.kind = WSMFA_ASK_BANNER;
	out->admits_aside = true;
}

void wsmfa_cell_banner(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (answer->keyword == WSMFA_KEYWORD_ENROLL && wsmfa_ask_enroll(login, false, 1, &out->ask)) {
		wsmfa_plan_aside(out, WSMFA_REASON_ENROLLING);
		return;
	}
	if (question->attempt >= login->set->max_attempts) {
		wsmfa_cell_skip(login, question, answer, out);
		return;
	}
	wsmfa_ask_again(login, question, question->attempt + 1, &out->ask);
	wsmfa_plan_aside(out, WSMFA_REASON_ANNOUNCE);
}

/* ---- append mode ---- */

/** The guess may be the code that was sent last: to whom wsmfa_ask_second_factor sends. */
static void judge_sent(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	struct wsmfa_authenticator const *a = wsmfa_usable_find(login, WSMFA_KIND_SMS, 0);

	out->judgement.has_guess_mac =
		a && wsmfa_code_mac(out->judgement.guess_mac, login->macs, login->account->id, a->phone, answer->text);
	out->judgement.guess_may_be_sent = out->judgement.has_guess_mac;
}

/** The code, keyword or recovery code that came with the password. */
void wsmfa_flow_appended(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	if (answer->keyword == WSMFA_KEYWORD_PUSH && (login->usable & KIND_BIT(WSMFA_KIND_PUSH))) {
		wsmfa_plan_ask(wsmfa_ask_second_factor(login, WSMFA_KIND_PUSH, 1, &out->ask), WSMFA_REASON_ENROLLED,
			       out);
		return;
	}
	if (answer->keyword == WSMFA_KEYWORD_SMS && (login->usable & KIND_BIT(WSMFA_KIND_SMS))) {
		wsmfa_plan_ask(wsmfa_ask_second_factor(login, WSMFA_KIND_SMS, 1, &out->ask), WSMFA_REASON_SENT, out);
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
		if (judge_recovery(login, answer, out))
			break;
		/* fall through */
	default:
		judge_totp(login, answer, out);
		if (out->judgement.verdict == WSMFA_VERDICT_WRONG && (login->usable & KIND_BIT(WSMFA_KIND_SMS))) {
			judge_sent(login, answer, out);
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
	out->note =
		out->reason == WSMFA_REASON_REPLAYED_CODE ? WSMFA_TEXT_REFUSE_REPLAYED : WSMFA_TEXT_REFUSE_WRONG_CODE;
}
