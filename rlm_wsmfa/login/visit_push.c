/*
 * A request that waited: for a person's answer to a push, or for what was sent to be taken.
 * It stands apart because it goes on in another packet's time, when only the row knows what happened.
 */
#include "login/visit_inner.h"

#include <string.h>

/* ---- a push ---- */

/** Settles the push that was waited for; when nobody answered, another way is asked for in the same call. */
void wsmfa_visit_settle_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, bool give_up,
			     struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	struct wsmfa_plan next;
	struct wsmfa_opening_room room;
	struct wsmfa_opening opening;
	struct wsmfa_settled settled;
	bool asks;

	wsmfa_flow_detour(&v->login, WSMFA_KIND_PUSH, v->answering ? v->question.attempt : 1, WSMFA_TEXT_NOTE_TIMEOUT,
			  WSMFA_TEXT_REFUSE_TIMEOUT, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, &next);
	asks = next.move == WSMFA_MOVE_ASK && wsmfa_visit_opening(v, &next.ask, true, 0, &room, &opening);
	if (s->store->ops->settle_push(s->store, &origin, &s->set.limits, v->challenge_id, ticket, give_up,
				       asks ? &opening : NULL, &settled) != WSMFA_STORE_OK) {
		wsmfa_plan_wipe(&next);
		wsmfa_visit_store_failed(s, v, reply);
		return;
	}
	wsmfa_flow_push_ended(&v->login, &settled, asks ? &next : NULL, &v->plan);
	if (settled.status == WSMFA_SETTLE_FAILED && v->plan.move == WSMFA_MOVE_ASK) {
		v->plan.note = WSMFA_TEXT_NOTE_PROVIDER_DOWN;
		v->plan.outcome = WSMFA_OUTCOME_ERROR;
		v->plan.reason = WSMFA_REASON_PROVIDER_DOWN;
	}
	wsmfa_plan_wipe(&next);
	wsmfa_visit_conclude(s, v, NULL, settled.status == WSMFA_SETTLE_REPEAT, reply);
}

/** The answer to a push's question is empty: "I have answered on the phone", or "I am about to". */
void wsmfa_visit_wait_push(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	int64_t const ticket = wsmfa_visit_new_ticket(v);
	wsmfa_time_t const until = v->question.code_expires_at;
	struct wsmfa_settled settled;

	if (s->store->ops->wait(s->store, &origin, v->challenge_id, ticket, &settled) != WSMFA_STORE_OK) {
		wsmfa_visit_store_failed(s, v, reply);
		return;
	}
	switch (settled.status) {
	case WSMFA_SETTLE_PENDING: wsmfa_visit_wait_for_phone(s, v, ticket, until, reply); return;
	case WSMFA_SETTLE_SUPERSEDED:
	case WSMFA_SETTLE_REPEAT:
	case WSMFA_SETTLE_GONE:
		wsmfa_flow_push_ended(&v->login, &settled, NULL, &v->plan);
		wsmfa_visit_conclude(s, v, NULL, settled.status == WSMFA_SETTLE_REPEAT, reply);
		return;
	default: wsmfa_visit_settle_push(s, v, ticket, until <= v->at, reply); return;
	}
}

/* ---- post-proxy ---- */

/** What was to be sent could not be: the question that waits for it makes way for another. */
static void send_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	enum wsmfa_kind const kind = v->plan.method;
	struct wsmfa_plan *plan = &v->plan;

	memcpy(v->random.state, v->next_state, sizeof(v->random.state));
	wsmfa_flow_detour(&v->login, kind, plan->ask.attempt, WSMFA_TEXT_NOTE_PROVIDER_DOWN,
			  WSMFA_TEXT_REFUSE_PROVIDER_DOWN, WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN, plan);
	if (plan->move != WSMFA_MOVE_ASK) {
		wsmfa_visit_conclude(s, v, NULL, false, reply);
		return;
	}
	/* The question that was opened for it gives its place: the State that goes out is its successor. */
	if (!wsmfa_state_successor(v->random.state, &s->macs, v->next_state)) {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	wsmfa_visit_open(s, v, reply);
}

void wsmfa_visit_resume_sending(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_woken const *woken,
				struct wsmfa_reply *reply)
{
	bool const failed = woken->finished &&
			    (woken->delivery == WSMFA_DELIVERY_FAILED || woken->delivery == WSMFA_DELIVERY_REFUSED);

	if (failed) {
		send_failed(s, v, reply);
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
