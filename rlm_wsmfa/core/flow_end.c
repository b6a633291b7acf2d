/*
 * How a packet ends: refused, let in, or with a question, by the rules and by what the store made of a judgement.
 * It stands apart because every path that ends in ADMIT is here: wsmfa_plan_admit (by the rules) and prove (by a second factor).
 */
#include <openssl/crypto.h>
#include <string.h>

#include "core/flow_inner.h"

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
	default: wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR); return;
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
	if (banner)
		out->note = exempt ? WSMFA_TEXT_BANNER_EXEMPT : WSMFA_TEXT_BANNER;
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

void wsmfa_plan_begin(struct wsmfa_plan *out)
{
	memset(out, 0, sizeof(*out));
	out->session_end = WSMFA_TIME_NONE;
	out->until = WSMFA_TIME_NONE;
	out->ask.code_expires_at = WSMFA_TIME_NONE;
}

void wsmfa_plan_error(struct wsmfa_plan *out)
{
	wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR);
}

void wsmfa_plan_ask(bool made, enum wsmfa_reason reason, struct wsmfa_plan *out)
{
	if (!made) {
		wsmfa_plan_error(out);
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
	if (settled->disabled)
		plan->person = WSMFA_TEXT_NOTICE_DISABLED;
	if (settled->locked_until != WSMFA_TIME_NONE && settled->locked_until > login->at) {
		plan->until = settled->locked_until;
		wsmfa_plan_refuse(plan, plan->outcome, WSMFA_REASON_LOCKED, WSMFA_TEXT_REFUSE_LOCKED);
		return;
	}
	if (plan->asks && settled->next_id) {
		asked(plan);
		return;
	}
	if (plan->note == WSMFA_TEXT_NONE || plan->asks)
		plan->note = WSMFA_TEXT_REFUSE_WRONG_CODE;
	if (plan->note == WSMFA_TEXT_REFUSE_ATTEMPTS)
		plan->reason = WSMFA_REASON_TOO_MANY_ATTEMPTS;
	plan->move = WSMFA_MOVE_REFUSE;
}

static void judged_aside(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	if (plan->admits_aside) {
		wsmfa_plan_admit(login, plan);
		if (plan->move == WSMFA_MOVE_ADMIT)
			plan->note = WSMFA_TEXT_NONE; /* it was just read */
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
		wsmfa_plan_error(plan);
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
			wsmfa_plan_error(plan);
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
	default: wsmfa_plan_error(plan); return;
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
	default: wsmfa_plan_error(plan); return;
	}
}

void wsmfa_flow_push_ended(struct wsmfa_login const *login, struct wsmfa_settled const *settled,
			   struct wsmfa_plan const *next, struct wsmfa_plan *out)
{
	wsmfa_plan_begin(out);
	out->method = WSMFA_KIND_PUSH;
	out->judgement.kind = WSMFA_ASK_PUSH;

	switch (settled->status) {
	case WSMFA_SETTLE_RIGHT: prove(WSMFA_KIND_PUSH, WSMFA_REASON_APPROVED, out); return;
	case WSMFA_SETTLE_DENIED:
		if (settled->disabled)
			out->person = WSMFA_TEXT_NOTICE_DISABLED;
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

	wsmfa_plan_begin(out);
	rest.usable &= ~KIND_BIT(failed);
	if (login->reach.can_challenge && rest.usable) {
		/* Another kind that costs money or rings is the user's choice, not ours. */
		if ((rest.usable & KIND_BIT(WSMFA_KIND_TOTP)) != 0) {
			wsmfa_plan_ask(wsmfa_ask_second_factor(&rest, WSMFA_KIND_TOTP, attempt, &out->ask), reason,
				       out);
		} else {
			wsmfa_ask_method(&rest, attempt, &out->ask);
			wsmfa_plan_ask(true, reason, out);
		}
		out->note = note;
		if (out->move == WSMFA_MOVE_ASK)
			return;
	}
	out->method = failed;
	wsmfa_plan_refuse(out, outcome, reason, refusal);
}
