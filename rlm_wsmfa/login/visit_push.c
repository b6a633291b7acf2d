/*
 * A request that waited: for a person's answer to a push, or for what was sent to be taken.
 * It stands apart because it goes on in another packet's time, when only the row knows what happened.
 */
#include "login/visit_inner.h"

/* ---- a push ---- */

/** Of the question that is given up: a switch of method must not give anybody more attempts. */
static int32_t attempt_of(struct wsmfa_visit const *v)
{
	return v->plan.move == WSMFA_MOVE_WAIT ? v->question.attempt : v->plan.ask.attempt;
}

/** Of two packets of one moment the row took this one for the newest, the engine the other, which waits on: the row follows. */
static void hand_on(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t newer, struct wsmfa_settled *settled)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);

	/* Where the store does not hear it, the other one is refused when the phone has answered. */
	(void)s->store->ops->wait(s->store, &origin, v->challenge_id, newer, settled);
	*settled = (struct wsmfa_settled) { .status = WSMFA_SETTLE_SUPERSEDED };
}

void wsmfa_visit_settle_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket,
			     enum wsmfa_trouble why, int64_t newer, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	struct wsmfa_plan next;
	struct wsmfa_opening_room room;
	struct wsmfa_opening opening;
	struct wsmfa_settled settled;
	bool asks;

	wsmfa_flow_detour(&v->login, WSMFA_KIND_PUSH, why, attempt_of(v), &next);
	asks = !v->unheard && next.move == WSMFA_MOVE_ASK &&
	       wsmfa_visit_opening(v, &next.ask, true, 0, &room, &opening);
	if (s->store->ops->settle_push(s->store, &origin, &s->set.limits, v->challenge_id, ticket, newer == 0,
				       asks ? &opening : NULL, &settled) != WSMFA_STORE_OK) {
		wsmfa_plan_wipe(&next);
		wsmfa_visit_store_failed(s, v, reply);
		return;
	}
	if (settled.status == WSMFA_SETTLE_PENDING)
		hand_on(s, v, newer, &settled);
	wsmfa_flow_push_ended(&v->login, &settled, why, asks ? &next : NULL, &v->plan);
	wsmfa_plan_wipe(&next);
	if (v->unheard && v->plan.move == WSMFA_MOVE_ADMIT) {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	wsmfa_visit_conclude(s, v, NULL, settled.status == WSMFA_SETTLE_REPEAT, reply);
}

void wsmfa_visit_void_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	struct wsmfa_settled settled;

	/* Where the store does not hear it, the push ends by itself: nobody waits for it. */
	(void)s->store->ops->settle_push(s->store, &origin, &s->set.limits, v->challenge_id, ticket, true, NULL,
					 &settled);
}

/** The same answer was settled before: what it became comes again, and the question that followed it. */
static void push_repeated(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_settled const *settled,
			  struct wsmfa_reply *reply)
{
	enum wsmfa_trouble const why =
		settled->reason == WSMFA_REASON_PROVIDER_DOWN ? WSMFA_TROUBLE_PROVIDER : WSMFA_TROUBLE_NO_ANSWER;

	if (settled->outcome == WSMFA_OUTCOME_EXPIRED || settled->outcome == WSMFA_OUTCOME_ERROR)
		wsmfa_flow_detour(&v->login, WSMFA_KIND_PUSH, why, v->question.attempt, &v->plan);
	else
		wsmfa_flow_push_ended(&v->login, settled, why, NULL, &v->plan);
	wsmfa_visit_conclude(s, v, NULL, true, reply);
}

void wsmfa_visit_wait_push(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	int64_t const ticket = wsmfa_visit_new_ticket(v);
	struct wsmfa_settled settled;

	if (s->store->ops->wait(s->store, &origin, v->challenge_id, ticket, &settled) != WSMFA_STORE_OK) {
		wsmfa_visit_store_failed(s, v, reply);
		return;
	}
	switch (settled.status) {
	case WSMFA_SETTLE_PENDING: wsmfa_visit_wait_for_phone(s, v, ticket, v->question.code_expires_at, reply); return;
	case WSMFA_SETTLE_REPEAT: push_repeated(s, v, &settled, reply); return;
	case WSMFA_SETTLE_SUPERSEDED:
	case WSMFA_SETTLE_GONE:
		wsmfa_flow_push_ended(&v->login, &settled, WSMFA_TROUBLE_NO_ANSWER, NULL, &v->plan);
		wsmfa_visit_conclude(s, v, NULL, false, reply);
		return;
	default: wsmfa_visit_settle_push(s, v, ticket, WSMFA_TROUBLE_NO_ANSWER, 0, reply); return;
	}
}

/* ---- what was sent ---- */

void wsmfa_visit_send_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket,
			     struct wsmfa_reply *reply)
{
	/* The question that was opened for it keeps its State: the one that goes out instead has the next. */
	if (!wsmfa_state_successor(v->next_state, &s->macs, v->next_state)) {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
	} else if (v->plan.ask.send == WSMFA_SEND_PUSH) {
		wsmfa_visit_settle_push(s, v, ticket, WSMFA_TROUBLE_PROVIDER, 0, reply);
	} else {
		v->unsent = v->challenge_id;
		wsmfa_visit_detour(s, v, WSMFA_KIND_SMS, WSMFA_TROUBLE_PROVIDER, reply);
	}
}

void wsmfa_visit_resume_sending(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_woken const *woken,
				struct wsmfa_reply *reply)
{
	if (!woken) {
		if (v->plan.ask.send == WSMFA_SEND_PUSH)
			wsmfa_visit_void_push(s, v, v->ticket);
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	if (woken->finished &&
	    (woken->delivery == WSMFA_DELIVERY_FAILED || woken->delivery == WSMFA_DELIVERY_REFUSED)) {
		wsmfa_visit_send_failed(s, v, v->ticket, reply);
		return;
	}
	if (woken->show[0] && v->plan.ask.kind == WSMFA_ASK_PUSH)
		v->plan.ask.text = WSMFA_TEXT_ASK_PUSH_SHOW;
	if (v->waits == WSMFA_VISIT_SENDING_APPEND) {
		v->plan.move = WSMFA_MOVE_REFUSE;
		v->plan.outcome = WSMFA_OUTCOME_CHALLENGED;
		v->plan.reason = WSMFA_REASON_SENT;
	}
	wsmfa_visit_conclude(s, v, woken->show, false, reply);
}
