/*
 * Opens the question of a plan and sends what it says to a phone.
 * It stands apart because all that costs money or rings is here, behind the store's count of it.
 */
#include "login/visit_inner.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

int64_t wsmfa_visit_new_ticket(struct wsmfa_visit const *v)
{
	int64_t ticket;

	memcpy(&ticket, v->random.ticket, sizeof(ticket));
	ticket &= INT64_MAX;
	return ticket ? ticket : 1;
}

struct wsmfa_provider_ops const *wsmfa_visit_push_provider(struct wsmfa_service const *s, struct wsmfa_ask *ask)
{
	bool up = false;
	struct wsmfa_provider_ops const *ops = s->outside.push(s->outside.ctx, ask->authenticator->provider, &up);

	if (!ops || !up)
		return NULL;
	if (!ops->matches_number)
		ask->number[0] = '\0';
	if (ask->number[0])
		ask->text = WSMFA_TEXT_ASK_PUSH_NUMBER;
	return ops;
}

bool wsmfa_visit_opening(struct wsmfa_visit *v, struct wsmfa_ask const *ask, bool with_state, int64_t waiter,
			 struct wsmfa_opening_room *room, struct wsmfa_opening *out)
{
	bool const first = !v->answering && ask->attempt == 1;

	*out = (struct wsmfa_opening) {
		.state_hash = with_state ? room->state_hash : NULL,
		.kind = ask->kind,
		.login = v->answering ? v->question.login : v->random.login,
		.attempt = ask->attempt,
		.follows = v->answering,
		.expires_at = ask->expires_at,
		.authenticator_id = ask->authenticator_id,
		.keep_code = ask->keep_code,
		.code_mac = ask->has_code_mac ? ask->code_mac : NULL,
		.code_expires_at = ask->code_expires_at,
		.number = ask->number,
		.phone = ask->phone,
		.provider = ask->send == WSMFA_SEND_PUSH && ask->authenticator ? ask->authenticator->provider : "",
		.digest = first && v->has_digest && (v->joinable || ask->send == WSMFA_SEND_SMS) ? v->digest : NULL,
		.waiter = waiter,
		.sealed = ask->sealed_len ? ask->sealed : NULL,
		.sealed_len = ask->sealed_len,
		.shows_banner = ask->shows_banner,
		.instead_of = v->unsent,
	};
	return !with_state || wsmfa_state_hash(room->state_hash, v->next_state);
}

/* ---- sending ---- */

static void no_place(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_park_status status,
		     struct wsmfa_reply *reply)
{
	if (status == WSMFA_PARK_FULL || status == WSMFA_PARK_ACCOUNT_FULL)
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_DENIED, WSMFA_REASON_PARK_LIMIT, WSMFA_TEXT_REFUSE_FULL, reply);
	else
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
}

static void park_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_job const *job,
			enum wsmfa_park_status status, struct wsmfa_reply *reply)
{
	if (status == WSMFA_PARK_BREAKER && job->kind != WSMFA_JOB_WAIT) {
		wsmfa_visit_send_failed(s, v, job->ticket, reply);
		return;
	}
	if (job->kind != WSMFA_JOB_SMS)
		wsmfa_visit_void_push(s, v, job->ticket);
	no_place(s, v, status, reply);
}

static void park(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_job *job,
		 enum wsmfa_visit_wait waits, struct wsmfa_reply *reply)
{
	enum wsmfa_park_status status;

	job->account_id = v->account.id;
	job->challenge_id = v->challenge_id;
	status = s->outside.park(s->outside.ctx, job);
	OPENSSL_cleanse(job->message.password, sizeof(job->message.password));
	OPENSSL_cleanse(job->message.text, sizeof(job->message.text));
	if (status != WSMFA_PARK_OK) {
		park_failed(s, v, job, status, reply);
		return;
	}
	v->waits = waits;
	v->ticket = job->ticket;
	reply->kind = WSMFA_REPLY_PARK;
}

/** The question is open: its code goes to the gateway, the request waits for it to be taken. */
static void send_sms(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_ask const *ask = &v->plan.ask;
	struct wsmfa_text_args const args = { .number = ask->code, .account = v->account.name };
	struct wsmfa_job job = {
		.kind = WSMFA_JOB_SMS,
		.ticket = wsmfa_visit_new_ticket(v),
		.wake_at = v->at + s->sms_wait,
		.expires_at = ask->code_expires_at,
	};

	snprintf(job.provider, sizeof(job.provider), "%s", s->sms_provider);
	wsmfa_visit_message(v, &job.message);
	job.message.challenge_id = v->challenge_id;
	job.message.lifetime = (int32_t)((ask->code_expires_at - v->at) / WSMFA_SECOND);
	snprintf(job.message.phone, sizeof(job.message.phone), "%s", ask->phone);
	wsmfa_visit_message_text(s, v, WSMFA_TEXT_SMS_CODE, &args, &job.message);
	park(s, v, &job, v->plan.move == WSMFA_MOVE_TELL ? WSMFA_VISIT_SENDING_APPEND : WSMFA_VISIT_SENDING, reply);
}

static void send_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, struct wsmfa_reply *reply)
{
	struct wsmfa_ask const *ask = &v->plan.ask;
	struct wsmfa_text_args const args = { .account = v->account.name, .client = v->client.address };
	bool const asked = v->login.reach.can_challenge;
	struct wsmfa_job job = {
		.kind = WSMFA_JOB_PUSH,
		.ticket = ticket,
		.wake_at = asked ? v->at + s->sms_wait : ask->code_expires_at,
		.expires_at = ask->code_expires_at,
		.wait = !asked,
	};

	snprintf(job.provider, sizeof(job.provider), "%s", ask->authenticator->provider);
	wsmfa_visit_message(v, &job.message);
	job.message.challenge_id = v->challenge_id;
	job.message.lifetime = (int32_t)((ask->code_expires_at - v->at) / WSMFA_SECOND);
	snprintf(job.message.device, sizeof(job.message.device), "%s", ask->authenticator->device);
	snprintf(job.message.number, sizeof(job.message.number), "%s", ask->number);
	job.message.can_show = asked;
	snprintf(job.message.password, sizeof(job.message.password), "%s", v->password);
	wsmfa_visit_message_text(s, v, WSMFA_TEXT_PUSH_TITLE, &args, &job.message);
	park(s, v, &job, asked ? WSMFA_VISIT_SENDING : WSMFA_VISIT_PHONE, reply);
}

void wsmfa_visit_wait_for_phone(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket,
				wsmfa_time_t until, struct wsmfa_reply *reply)
{
	struct wsmfa_job job = {
		.kind = WSMFA_JOB_WAIT, .ticket = ticket, .wake_at = until, .expires_at = until, .wait = true
	};

	park(s, v, &job, WSMFA_VISIT_PHONE, reply);
}

void wsmfa_visit_deliver(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket,
			 struct wsmfa_reply *reply)
{
	switch (v->plan.ask.send) {
	case WSMFA_SEND_SMS: send_sms(s, v, reply); return;
	case WSMFA_SEND_PUSH: send_push(s, v, ticket, reply); return;
	default: wsmfa_visit_conclude(s, v, NULL, false, reply); return;
	}
}

/* ---- opening ---- */

/** What could not be sent has no question in its place: a repeat of the answer before it gets the same refusal. */
static void nothing_instead(struct wsmfa_service const *s, struct wsmfa_visit const *v)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	struct wsmfa_settlement const unsent = {
		.challenge_id = v->unsent,
		.account_id = v->account.id,
		.verdict = WSMFA_VERDICT_ASIDE,
		.kind = WSMFA_ASK_SMS,
		.phone = "",
		.outcome = v->plan.outcome,
		.reason = v->plan.reason,
	};
	struct wsmfa_settled settled;

	/* Where the store does not hear it, a repeat is asked for a code that nobody got. */
	if (v->unsent)
		(void)s->store->ops->settle(s->store, &origin, &s->set.limits, &unsent, &settled);
}

void wsmfa_visit_detour(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_kind failed,
			enum wsmfa_trouble why, struct wsmfa_reply *reply)
{
	int32_t const attempt = v->plan.ask.attempt;

	wsmfa_flow_detour(&v->login, failed, why, attempt, &v->plan);
	if (v->plan.move == WSMFA_MOVE_ASK) {
		wsmfa_visit_open(s, v, reply);
		return;
	}
	nothing_instead(s, v);
	wsmfa_visit_conclude(s, v, NULL, false, reply);
}

/** Another packet of the same login has asked already: this one holds the question, or waits, from now on. */
static void joined(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_opened const *opened,
		   int64_t ticket, struct wsmfa_reply *reply)
{
	struct wsmfa_ask *ask = &v->plan.ask;

	if (v->login.reach.can_challenge) {
		snprintf(ask->number, sizeof(ask->number), "%s", opened->number);
		ask->text = ask->number[0] ? WSMFA_TEXT_ASK_PUSH_NUMBER : WSMFA_TEXT_ASK_PUSH;
		wsmfa_visit_conclude(s, v, NULL, true, reply);
	} else {
		wsmfa_visit_wait_for_phone(s, v, ticket, opened->code_expires_at, reply);
	}
}

void wsmfa_visit_open(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	struct wsmfa_ask *ask = &v->plan.ask;
	bool const with_state = v->plan.move == WSMFA_MOVE_ASK && v->login.reach.can_challenge;
	int64_t const ticket = ask->send == WSMFA_SEND_PUSH ? wsmfa_visit_new_ticket(v) : 0;
	struct wsmfa_opening_room room;
	struct wsmfa_opening opening;
	struct wsmfa_opened opened;

	/* Before anything is counted, or joined: whom a server can't serve, it must cost neither limits nor a push that rings. */
	if (ask->send != WSMFA_SEND_NOTHING) {
		enum wsmfa_park_status const room_left = s->outside.room(s->outside.ctx);

		if (room_left != WSMFA_PARK_OK) {
			no_place(s, v, room_left, reply);
			return;
		}
	}
	if (ask->send == WSMFA_SEND_PUSH && !wsmfa_visit_push_provider(s, ask)) {
		wsmfa_visit_detour(s, v, WSMFA_KIND_PUSH, WSMFA_TROUBLE_PROVIDER, reply);
		return;
	}
	if (!wsmfa_visit_opening(v, ask, with_state, ticket, &room, &opening)) {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	if (s->store->ops->open(s->store, &origin, &s->set.limits, v->account.id, &opening, &opened) !=
	    WSMFA_STORE_OK) {
		wsmfa_visit_store_failed(s, v, reply);
		return;
	}
	v->challenge_id = opened.challenge_id;
	if (opened.status == WSMFA_OPEN_REUSED || opened.status == WSMFA_OPEN_JOINED)
		ask->expires_at = opened.expires_at;
	switch (opened.status) {
	case WSMFA_OPEN_OPENED: wsmfa_visit_deliver(s, v, ticket, reply); return;
	case WSMFA_OPEN_REUSED: wsmfa_visit_conclude(s, v, NULL, false, reply); return;
	case WSMFA_OPEN_JOINED: joined(s, v, &opened, ticket, reply); return;
	case WSMFA_OPEN_BUSY:
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_DENIED, WSMFA_REASON_BUSY, WSMFA_TEXT_REFUSE_BUSY, reply);
		return;
	case WSMFA_OPEN_SMS_LIMIT: wsmfa_visit_detour(s, v, WSMFA_KIND_SMS, WSMFA_TROUBLE_SMS_LIMIT, reply); return;
	case WSMFA_OPEN_PUSH_LIMIT: wsmfa_visit_detour(s, v, WSMFA_KIND_PUSH, WSMFA_TROUBLE_PUSH_LIMIT, reply); return;
	default:
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
}
