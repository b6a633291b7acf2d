/*
 * What a packet is told, and what is written down of it: texts, events, notices.
 * It stands apart because every way of a visit ends here.
 */
#include "login/visit_inner.h"

#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "core/name.h"

struct wsmfa_origin wsmfa_visit_origin(struct wsmfa_visit const *v)
{
	return (struct wsmfa_origin) {
		.at = v->at,
		.account = v->name,
		.client = v->client.address,
		.station = v->station,
		.service = v->client.service,
	};
}

/* ---- events and texts ---- */

static void visit_event(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_outcome outcome,
			enum wsmfa_reason reason, enum wsmfa_kind method, bool again)
{
	struct wsmfa_event e;

	memset(&e, 0, sizeof(e));
	e.at = v->at;
	e.account_id = v->account.known ? v->account.id : 0;
	snprintf(e.account, sizeof(e.account), "%s", v->name);
	snprintf(e.client, sizeof(e.client), "%s", v->client.address);
	snprintf(e.station, sizeof(e.station), "%s", v->station);
	snprintf(e.service, sizeof(e.service), "%s", v->client.service);
	snprintf(e.region, sizeof(e.region), "%s", v->account.region);
	e.stage = v->account.stage;
	e.has_decision = v->login.account != NULL;
	e.decision = v->login.ruling.decision;
	e.method = method;
	e.outcome = outcome;
	e.reason = reason;
	e.again = again;
	v->ended = true;
	s->outside.event(s->outside.ctx, &e);
}

void wsmfa_visit_event(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_outcome outcome,
		       enum wsmfa_reason reason, enum wsmfa_kind method)
{
	visit_event(s, v, outcome, reason, method, false);
}

void wsmfa_visit_failed(struct wsmfa_service const *s, struct wsmfa_visit *v)
{
	if (v->ended)
		return;
	v->plan.outcome = WSMFA_OUTCOME_FAILED_FIRST_FACTOR;
	v->plan.reason = WSMFA_REASON_WRONG_PASSWORD;
	if (!v->account.known) {
		/* row 0 stands whatever the first factor said, and asks for nothing but the account */
		v->login.account = &v->account;
		v->login.ruling = wsmfa_decide(&v->account, &s->set.policy, NULL, v->at);
		v->plan.reason = v->login.ruling.reason;
	}
	wsmfa_visit_event(s, v, v->plan.outcome, v->plan.reason, WSMFA_KIND_NONE);
}

static void reply_text(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_plan const *plan,
		       char const *show, struct wsmfa_reply *reply)
{
	enum wsmfa_text const ids[] = { plan->note, plan->note2,
					plan->move == WSMFA_MOVE_ASK ? plan->ask.text : WSMFA_TEXT_NONE };
	struct wsmfa_text_room room;
	struct wsmfa_text_args args;

	wsmfa_flow_text_args(&v->login, plan, &room, &args);
	args.show = show;
	wsmfa_text_reply(reply->text, &s->texts, v->account.language, v->client.utf8, ids, sizeof(ids) / sizeof(ids[0]),
			 &args);
}

void wsmfa_visit_message_text(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_text id,
			      struct wsmfa_text_args const *args, struct wsmfa_message *out)
{
	wsmfa_text_render(out->text, sizeof(out->text), wsmfa_text_template(&s->texts, v->account.language, id), args);
}

void wsmfa_visit_message(struct wsmfa_visit const *v, struct wsmfa_message *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->account, sizeof(out->account), "%s", v->account.name);
	snprintf(out->client, sizeof(out->client), "%s", v->client.address);
	snprintf(out->station, sizeof(out->station), "%s", v->station);
	snprintf(out->service, sizeof(out->service), "%s", v->client.service);
	out->lifetime = 60;
}

/** Tells the person what was done to the account, where it can be told. */
static void notice(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_text text)
{
	struct wsmfa_text_args const args = { .account = v->account.name };
	struct wsmfa_message m;

	if (text == WSMFA_TEXT_NONE)
		return;
	wsmfa_visit_message(v, &m);
	if (wsmfa_phone_allowed(v->account.phone, s->set.sms_prefixes))
		snprintf(m.phone, sizeof(m.phone), "%s", v->account.phone);
	wsmfa_visit_message_text(s, v, text, &args, &m);
	s->outside.notice(s->outside.ctx, &m);
}

/* ---- replies ---- */

void wsmfa_visit_store_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	v->plan.move = WSMFA_MOVE_REFUSE;
	v->plan.outcome = WSMFA_OUTCOME_ERROR;
	v->plan.reason = WSMFA_REASON_STORE_DOWN;
	v->plan.note = WSMFA_TEXT_REFUSE_ERROR;
	v->plan.note2 = WSMFA_TEXT_NONE;
	wsmfa_visit_event(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_STORE_DOWN, WSMFA_KIND_NONE);
	reply->kind = WSMFA_REPLY_STORE;
	if (v->login.account)
		reply_text(s, v, &v->plan, NULL, reply);
}

void wsmfa_visit_conclude(struct wsmfa_service const *s, struct wsmfa_visit *v, char const *show, bool quiet,
			  struct wsmfa_reply *reply)
{
	struct wsmfa_plan const *plan = &v->plan;

	reply_text(s, v, plan, show, reply);
	switch (plan->move) {
	case WSMFA_MOVE_ADMIT:
		reply->kind = WSMFA_REPLY_ACCEPT;
		if (plan->session_end != WSMFA_TIME_NONE && plan->session_end != WSMFA_TIME_FOREVER) {
			int64_t const left = wsmfa_time_span(v->at, plan->session_end) / WSMFA_SECOND;

			reply->session_timeout = left > 0 ? left : 1;
			if (reply->session_timeout > UINT32_MAX)
				reply->session_timeout = UINT32_MAX;
		}
		break;
	case WSMFA_MOVE_ASK:
		reply->kind = WSMFA_REPLY_CHALLENGE;
		reply->echo = plan->ask.echo;
		reply->session_timeout = wsmfa_time_span(v->at, plan->ask.expires_at) / WSMFA_SECOND;
		wsmfa_state_encode(reply->state, v->next_state);
		break;
	default: reply->kind = WSMFA_REPLY_REJECT; break;
	}
	/* nobody gets in without an event: the outcome may have been lost on its way to who settled it */
	if (!quiet || plan->move == WSMFA_MOVE_ADMIT)
		visit_event(s, v, plan->outcome, plan->reason, plan->method, quiet);
	if (!quiet)
		notice(s, v, plan->person);
	v->ended = true;
}

void wsmfa_visit_refuse(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_outcome outcome,
			enum wsmfa_reason reason, enum wsmfa_text text, struct wsmfa_reply *reply)
{
	v->plan.move = WSMFA_MOVE_REFUSE;
	v->plan.outcome = outcome;
	v->plan.reason = reason;
	v->plan.note = text;
	v->plan.note2 = WSMFA_TEXT_NONE;
	wsmfa_visit_conclude(s, v, NULL, false, reply);
}
