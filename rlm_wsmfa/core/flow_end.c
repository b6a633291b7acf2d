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
	out->note2 = WSMFA_TEXT_NONE;
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

/** What was to be asked next could not be opened: a limit was met, or another login's push is pending. False: neither. */
static bool judged_limit(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	int32_t const attempt = plan->ask.attempt;

	switch (settled->next_status) {
	case WSMFA_OPEN_SMS_LIMIT:
		wsmfa_flow_detour(login, WSMFA_KIND_SMS, WSMFA_TROUBLE_SMS_LIMIT, attempt, plan);
		return true;
	case WSMFA_OPEN_PUSH_LIMIT:
		wsmfa_flow_detour(login, WSMFA_KIND_PUSH, WSMFA_TROUBLE_PUSH_LIMIT, attempt, plan);
		return true;
	case WSMFA_OPEN_BUSY:
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_BUSY, WSMFA_TEXT_REFUSE_BUSY);
		return true;
	default: return false;
	}
}

static void judged_aside(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	if (plan->admits_aside) {
		wsmfa_plan_admit(login, plan);
		if (plan->move == WSMFA_MOVE_ADMIT)
			plan->note = WSMFA_TEXT_NONE; /* it was just read */
	} else if (!plan->asks) {
		plan->move = WSMFA_MOVE_REFUSE;
	} else if (settled->next_id) {
		asked(plan);
	} else if (!judged_limit(login, settled, plan)) {
		wsmfa_plan_error(plan);
	}
}

/* ---- an answer that was settled before ---- */

/** What is said again of an end that was recorded as this reason; WSMFA_TEXT_NONE where the plan knows better. */
static enum wsmfa_text const said_of[WSMFA_REASONS] = {
	[WSMFA_REASON_DISABLED] = WSMFA_TEXT_REFUSE_DISABLED,
	[WSMFA_REASON_LOCKED] = WSMFA_TEXT_REFUSE_LOCKED,
	[WSMFA_REASON_NO_USABLE_METHOD] = WSMFA_TEXT_REFUSE_NO_METHOD,
	[WSMFA_REASON_REPLAYED_CODE] = WSMFA_TEXT_REFUSE_REPLAYED,
	[WSMFA_REASON_TOO_MANY_ATTEMPTS] = WSMFA_TEXT_REFUSE_ATTEMPTS,
	[WSMFA_REASON_SUSPICIOUS] = WSMFA_TEXT_REFUSE_DENIED,
	[WSMFA_REASON_TIMEOUT] = WSMFA_TEXT_REFUSE_EXPIRED,
	[WSMFA_REASON_PROVIDER_DOWN] = WSMFA_TEXT_REFUSE_PROVIDER_DOWN,
	[WSMFA_REASON_ENROLLED_ELSEWHERE] = WSMFA_TEXT_REFUSE_ELSEWHERE,
};

/** It was let in: only the proof of a second factor, or a banner that the ruling of now would let pass too, does so again. */
static void repeat_accepted(struct wsmfa_login const *login, struct wsmfa_settled const *settled,
			    struct wsmfa_plan *plan)
{
	enum wsmfa_kind const method = wsmfa_ask_kind(plan->judgement.kind);

	if (plan->admits_aside) {
		judged_aside(login, settled, plan);
	} else if (method != WSMFA_KIND_NONE) {
		prove(method, settled->reason, plan);
	} else {
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_SPENT_STATE, WSMFA_TEXT_REFUSE_EXPIRED);
	}
}

/** What was chosen could not be sent: the way that was asked for instead, unless the plan has gone there by itself. */
static void repeat_unsent(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	if (plan->asks && settled->next_id && plan->ask.send == WSMFA_SEND_NOTHING)
		asked(plan);
	else if (plan->asks && settled->next_id)
		wsmfa_flow_detour(login, wsmfa_ask_kind(plan->ask.kind), WSMFA_TROUBLE_PROVIDER, plan->ask.attempt,
				  plan);
	else
		wsmfa_plan_refuse(plan, WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN,
				  WSMFA_TEXT_REFUSE_PROVIDER_DOWN);
}

/** The same answer was judged before, perhaps by another server: the same end, decided again. */
static void judged_repeat(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	enum wsmfa_text said = said_of[settled->reason];

	if (settled->outcome == WSMFA_OUTCOME_ACCEPTED) {
		repeat_accepted(login, settled, plan);
		return;
	}
	if (plan->judgement.kind == WSMFA_ASK_ENROLL_TICKET && plan->judgement.verdict == WSMFA_VERDICT_WRONG &&
	    settled->reason == WSMFA_REASON_ENROLLING) {
		/* it was right then, and is used up now: the dialogue has gone on */
		plan->asks = wsmfa_ask_enroll(login, true, 1, &plan->ask);
		plan->note = WSMFA_TEXT_NONE;
	}
	if (settled->next_status == WSMFA_OPEN_UNSENT) {
		repeat_unsent(login, settled, plan);
		return;
	}
	if (plan->asks && settled->next_id) {
		plan->outcome = settled->outcome;
		plan->reason = settled->reason;
		asked(plan);
		return;
	}
	if (plan->asks && judged_limit(login, settled, plan))
		return;
	if (said == WSMFA_TEXT_NONE)
		said = plan->asks ? WSMFA_TEXT_REFUSE_WRONG_CODE : plan->note;
	wsmfa_plan_refuse(plan, settled->outcome == WSMFA_OUTCOME_CHALLENGED ? WSMFA_OUTCOME_DENIED : settled->outcome,
			  settled->reason, said);
}

/* ---- the rest ---- */

static void judged_right(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan)
{
	enum wsmfa_kind const method = wsmfa_ask_kind(plan->judgement.kind);

	switch (plan->judgement.kind) {
	case WSMFA_ASK_ENROLL_TICKET:
		if (plan->asks && settled->next_id) {
			plan->outcome = WSMFA_OUTCOME_CHALLENGED;
			plan->reason = WSMFA_REASON_ENROLLING;
			asked(plan);
		} else if (!judged_limit(login, settled, plan)) {
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
	case WSMFA_SETTLE_RIGHT: judged_right(login, settled, plan); return;
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
		if (settled->reason == WSMFA_REASON_DISABLED) {
			wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_DISABLED,
					  WSMFA_TEXT_REFUSE_DISABLED);
			return;
		}
		if (plan->judgement.needs_ticket) {
			wsmfa_plan_refuse(plan, WSMFA_OUTCOME_DENIED, WSMFA_REASON_ENROLLMENT_REQUIRED,
					  WSMFA_TEXT_REFUSE_ENROLL);
			return;
		}
		/* fall through */
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

/* ---- what did not work ---- */

static struct {
	enum wsmfa_text note;    //!< before the question for another way
	enum wsmfa_text refusal; //!< where there is none
	enum wsmfa_outcome outcome;
	enum wsmfa_reason reason;
} const troubles[] = {
	[WSMFA_TROUBLE_PROVIDER] = { WSMFA_TEXT_NOTE_PROVIDER_DOWN, WSMFA_TEXT_REFUSE_PROVIDER_DOWN,
				     WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN },
	[WSMFA_TROUBLE_NO_ANSWER] = { WSMFA_TEXT_NOTE_TIMEOUT, WSMFA_TEXT_REFUSE_TIMEOUT, WSMFA_OUTCOME_EXPIRED,
				      WSMFA_REASON_TIMEOUT },
	[WSMFA_TROUBLE_SMS_LIMIT] = { WSMFA_TEXT_NOTE_SMS_LIMIT, WSMFA_TEXT_REFUSE_SMS_LIMIT, WSMFA_OUTCOME_DENIED,
				      WSMFA_REASON_SMS_LIMIT },
	[WSMFA_TROUBLE_PUSH_LIMIT] = { WSMFA_TEXT_NOTE_PUSH_LIMIT, WSMFA_TEXT_REFUSE_PUSH_LIMIT, WSMFA_OUTCOME_DENIED,
				       WSMFA_REASON_PUSH_LIMIT },
};

static void end_in_trouble(enum wsmfa_trouble why, struct wsmfa_plan *out)
{
	wsmfa_plan_refuse(out, troubles[why].outcome, troubles[why].reason, troubles[why].refusal);
}

void wsmfa_flow_push_ended(struct wsmfa_login const *login, struct wsmfa_settled const *settled, enum wsmfa_trouble why,
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
	case WSMFA_SETTLE_FAILED: why = WSMFA_TROUBLE_PROVIDER; /* fall through */
	case WSMFA_SETTLE_EXPIRED:
		if (next && settled->next_id) {
			*out = *next;
			out->note = troubles[why].note;
			out->reason = troubles[why].reason;
			asked(out);
		} else {
			end_in_trouble(why, out);
		}
		return;
	case WSMFA_SETTLE_SUPERSEDED:
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_SUPERSEDED, WSMFA_TEXT_NONE);
		return;
	default: wsmfa_flow_judged(login, settled, out); return;
	}
}

/** Another way that sends nothing: what costs money or rings is the user's choice, not ours. False: there is none. */
static bool detour_ask(struct wsmfa_login const *login, enum wsmfa_kind failed, int32_t attempt, struct wsmfa_ask *out)
{
	bool const enrolled = wsmfa_account_enrolled(login->account);
	uint32_t const kinds = (enrolled ? login->usable : login->enrollable) & ~KIND_BIT(failed);

	if (!login->reach.can_challenge || !kinds)
		return false;
	if (!enrolled) // a code by SMS did not reach them: an app can be enrolled instead
		return (kinds & KIND_BIT(WSMFA_KIND_TOTP)) &&
		       wsmfa_ask_enroll_kind(login, WSMFA_KIND_TOTP, attempt, out);
	if (kinds & KIND_BIT(WSMFA_KIND_TOTP))
		return wsmfa_ask_second_factor(login, WSMFA_KIND_TOTP, attempt, out);
	wsmfa_ask_method(login, attempt, out);
	return true;
}

void wsmfa_flow_detour(struct wsmfa_login const *login, enum wsmfa_kind failed, enum wsmfa_trouble why, int32_t attempt,
		       struct wsmfa_plan *out)
{
	wsmfa_plan_begin(out);
	if (detour_ask(login, failed, attempt, &out->ask)) {
		wsmfa_plan_ask(true, troubles[why].reason, out);
		out->note = troubles[why].note;
		return;
	}
	out->method = failed;
	end_in_trouble(why, out);
}
