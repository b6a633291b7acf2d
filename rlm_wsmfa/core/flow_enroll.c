/*
 * The states of an enrolment at the prompt: ticket, method, proof. It stands apart from flow.c because nothing here
 * admits: a right proof is judged like any second factor, and the store creates the authenticator in the same transaction.
 */
#include <string.h>

#include "core/flow_inner.h"
#include "core/totp.h"

/** No proof, and nothing that counts as a guess: asks again while the login has attempts left. */
void wsmfa_enroll_again(struct wsmfa_login const *login, struct wsmfa_question const *question,
			struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	(void)answer;
	wsmfa_plan_aside(out, WSMFA_REASON_ENROLLING);
	wsmfa_ask_same(login, question, WSMFA_TEXT_NONE, out);
	out->method = wsmfa_ask_kind(question->kind);
	if (!out->asks) {
		out->outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
		out->reason = WSMFA_REASON_TOO_MANY_ATTEMPTS;
	}
}

/** What can be typed, and the same question: costs no attempt. */
void wsmfa_enroll_list(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	bool const choice = (login->enrollable & (login->enrollable - 1)) != 0;

	(void)answer;
	wsmfa_ask_again(login, question, question->attempt, &out->ask);
	wsmfa_plan_aside(out, WSMFA_REASON_ENROLLING);
	if (choice && question->kind != WSMFA_ASK_ENROLL_METHOD)
		out->note = WSMFA_TEXT_NOTE_METHODS;
}

/** A wrong proof or ticket counts on the account: it has no authenticator yet. */
void wsmfa_enroll_wrong(struct wsmfa_login const *login, struct wsmfa_question const *question,
			struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	bool const ticket = question->kind == WSMFA_ASK_ENROLL_TICKET;

	out->move = WSMFA_MOVE_JUDGE;
	out->outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
	out->reason = ticket ? WSMFA_REASON_WRONG_TICKET : WSMFA_REASON_WRONG_CODE;
	out->method = wsmfa_ask_kind(question->kind);
	out->judgement.verdict = WSMFA_VERDICT_WRONG;
	out->judgement.kind = question->kind;
	if (answer->text[0]) {
		out->judgement.has_guess_mac =
			wsmfa_code_mac(out->judgement.guess_mac, login->macs, login->account->id, "", answer->text);
	}
	wsmfa_ask_same(login, question, ticket ? WSMFA_TEXT_NOTE_WRONG_TICKET : WSMFA_TEXT_NOTE_WRONG_CODE, out);
}

static void right(struct wsmfa_login const *login, struct wsmfa_question const *question, struct wsmfa_plan *out)
{
	out->move = WSMFA_MOVE_JUDGE;
	out->outcome = WSMFA_OUTCOME_ACCEPTED;
	out->reason = WSMFA_REASON_CONFIRMED;
	out->method = wsmfa_ask_kind(question->kind);
	out->judgement.verdict = WSMFA_VERDICT_RIGHT;
	out->judgement.kind = question->kind;
	out->judgement.authenticators[0] = question->authenticator_id;
	out->judgement.authenticators_len = 1;
	out->judgement.enroll = true;
	out->judgement.needs_ticket = wsmfa_ticket_needed(login); // schedule or region may have changed meanwhile
}

void wsmfa_enroll_ticket(struct wsmfa_login const *login, struct wsmfa_question const *question,
			 struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	uint8_t hash[WSMFA_HASH_LEN];

	if (!login->account->has_ticket || !wsmfa_ticket_hash(hash, answer->text) ||
	    !wsmfa_hash_equal(hash, login->account->ticket_hash)) {
		wsmfa_enroll_wrong(login, question, answer, out);
		return;
	}
	if (!wsmfa_ask_enroll(login, true, 1, &out->ask)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR);
		return;
	}
	out->move = WSMFA_MOVE_JUDGE;
	out->asks = true;
	out->outcome = WSMFA_OUTCOME_CHALLENGED;
	out->reason = WSMFA_REASON_ENROLLING;
	out->judgement.verdict = WSMFA_VERDICT_RIGHT;
	out->judgement.kind = WSMFA_ASK_ENROLL_TICKET;
	out->judgement.uses_ticket = true;
}

/** A method by keyword or number: at its own question, or instead of the proof that is asked for. */
void wsmfa_enroll_choose(struct wsmfa_login const *login, struct wsmfa_question const *question,
			 struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	enum wsmfa_kind const kind = wsmfa_answer_kind(answer, login->enrollable);
	int32_t const attempt = question->kind == WSMFA_ASK_ENROLL_METHOD ? 1 : question->attempt;

	/* a code by SMS may be sent again; a key stays the same */
	if (kind == WSMFA_KIND_NONE || (kind == WSMFA_KIND_TOTP && question->kind == WSMFA_ASK_ENROLL_TOTP)) {
		wsmfa_enroll_again(login, question, answer, out);
		if (out->asks && kind == WSMFA_KIND_NONE)
			out->note = WSMFA_TEXT_NOTE_NOT_AVAILABLE;
		return;
	}
	if (!wsmfa_ask_enroll_kind(login, kind, attempt, &out->ask)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR);
		return;
	}
	wsmfa_plan_aside(out, WSMFA_REASON_ENROLLING);
}

void wsmfa_enroll_totp(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	struct wsmfa_totp_result result = { .match = WSMFA_TOTP_BROKEN };
	struct wsmfa_secret key;

	if (wsmfa_question_key(login, question, &key)) {
		struct wsmfa_totp const totp = { .key = &key, .algorithm = WSMFA_SHA1, .digits = 6, .period = 30 };

		result = wsmfa_totp_check(&totp, login->set->totp_window, 0, -1, login->at, answer->text);
	}
	wsmfa_secret_wipe(&key);

	if (result.match == WSMFA_TOTP_BROKEN) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_KEY_UNAVAILABLE, WSMFA_TEXT_REFUSE_ERROR);
		return;
	}
	if (result.match != WSMFA_TOTP_FRESH) {
		wsmfa_enroll_wrong(login, question, answer, out);
		return;
	}
	right(login, question, out);
	out->judgement.step = result.step;
	out->judgement.drift = result.drift;
	memcpy(out->judgement.sealed, question->sealed, question->sealed_len);
	out->judgement.sealed_len = question->sealed_len;
}

void wsmfa_enroll_sms(struct wsmfa_login const *login, struct wsmfa_question const *question,
		      struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	uint8_t mac[WSMFA_HASH_LEN];

	if (!login->repeat &&
	    (question->code_expires_at == WSMFA_TIME_NONE || question->code_expires_at <= login->at)) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_EXPIRED);
		return;
	}
	/* the number on file now: a code that went to another proves nothing of it */
	if (!wsmfa_code_mac(mac, login->macs, login->account->id, login->account->phone, answer->text) ||
	    !wsmfa_hash_equal(mac, question->code_mac)) {
		wsmfa_enroll_wrong(login, question, answer, out);
		return;
	}
	right(login, question, out); /* the number is the one the code was sent to: the store has it */
}
