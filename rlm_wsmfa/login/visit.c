/*
 * Carries out what the flow says: one store call for what it opens or settles, a job for the engine, an event, a reply.
 * It stands apart from the flow because it acts, and from the glue because it knows no host.
 */
#include "login/visit.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"

struct wsmfa_visit *wsmfa_visit_new(void)
{
	return calloc(1, sizeof(struct wsmfa_visit));
}

void wsmfa_visit_free(struct wsmfa_visit *visit)
{
	if (!visit) return;
	OPENSSL_cleanse(visit, sizeof(*visit));
	free(visit);
}

static struct wsmfa_origin origin_of(struct wsmfa_visit const *v)
{
	return (struct wsmfa_origin){
		.at = v->at,
		.account = v->name,
		.client = v->client.address,
		.station = v->station,
		.service = v->client.service,
	};
}

/* ---- events and texts ---- */

void wsmfa_visit_event(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_outcome outcome,
		       enum wsmfa_reason reason, enum wsmfa_kind method)
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
	v->ended = true;
	s->outside.event(s->outside.ctx, &e);
}

void wsmfa_visit_failed(struct wsmfa_service const *s, struct wsmfa_visit *v)
{
	if (v->ended) return;
	wsmfa_visit_event(s, v, WSMFA_OUTCOME_FAILED_FIRST_FACTOR,
			  v->account.known ? WSMFA_REASON_WRONG_PASSWORD : WSMFA_REASON_UNKNOWN_ACCOUNT,
			  WSMFA_KIND_NONE);
}

static void reply_text(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_plan const *plan,
		       char const *show, struct wsmfa_reply *reply)
{
	enum wsmfa_text const ids[] = {
		plan->note, plan->note2, plan->move == WSMFA_MOVE_ASK ? plan->ask.text : WSMFA_TEXT_NONE
	};
	struct wsmfa_text_room room;
	struct wsmfa_text_args args;

	wsmfa_flow_text_args(&v->login, plan, &room, &args);
	args.show = show;
	wsmfa_text_reply(reply->text, &s->texts, v->account.language, v->client.utf8, ids, sizeof(ids) / sizeof(ids[0]),
			 &args);
}

static void message_text(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_text id,
			 struct wsmfa_text_args const *args, struct wsmfa_message *out)
{
	wsmfa_text_render(out->text, sizeof(out->text), wsmfa_text_template(&s->texts, v->account.language, id), args);
}

static void message_begin(struct wsmfa_visit const *v, struct wsmfa_message *out)
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

	if (text == WSMFA_TEXT_NONE) return;
	message_begin(v, &m);
	snprintf(m.phone, sizeof(m.phone), "%s", v->account.phone);
	message_text(s, v, text, &args, &m);
	s->outside.notice(s->outside.ctx, &m);
}

/* ---- replies ---- */

static void store_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	v->plan.move = WSMFA_MOVE_REFUSE;
	v->plan.note = WSMFA_TEXT_REFUSE_ERROR;
	v->plan.note2 = WSMFA_TEXT_NONE;
	wsmfa_visit_event(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_STORE_DOWN, WSMFA_KIND_NONE);
	reply->kind = WSMFA_REPLY_STORE;
	if (v->login.account) reply_text(s, v, &v->plan, NULL, reply);
}

/** Turns a plan that needs nothing more into the reply, and writes its event. */
static void conclude(struct wsmfa_service const *s, struct wsmfa_visit *v, char const *show, bool quiet,
		     struct wsmfa_reply *reply)
{
	struct wsmfa_plan const *plan = &v->plan;

	reply_text(s, v, plan, show, reply);
	switch (plan->move) {
	case WSMFA_MOVE_ADMIT:
		reply->kind = WSMFA_REPLY_ACCEPT;
		if (plan->session_end != WSMFA_TIME_NONE && plan->session_end != WSMFA_TIME_FOREVER) {
			int64_t const left = (plan->session_end - v->at) / WSMFA_SECOND;

			reply->session_timeout = left > 0 ? left : 1;
			if (reply->session_timeout > UINT32_MAX) reply->session_timeout = UINT32_MAX;
		}
		break;
	case WSMFA_MOVE_ASK:
		reply->kind = WSMFA_REPLY_CHALLENGE;
		reply->echo = plan->ask.echo;
		reply->session_timeout = (plan->ask.expires_at - v->at) / WSMFA_SECOND;
		wsmfa_state_encode(reply->state, v->next_state);
		break;
	default: reply->kind = WSMFA_REPLY_REJECT; break;
	}
	if (!quiet) {
		wsmfa_visit_event(s, v, plan->outcome, plan->reason, plan->method);
		notice(s, v, plan->person);
	}
	v->ended = true;
}

static void refuse(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_outcome outcome,
		   enum wsmfa_reason reason, enum wsmfa_text text, struct wsmfa_reply *reply)
{
	v->plan.move = WSMFA_MOVE_REFUSE;
	v->plan.outcome = outcome;
	v->plan.reason = reason;
	v->plan.note = text;
	v->plan.note2 = WSMFA_TEXT_NONE;
	conclude(s, v, NULL, false, reply);
}

/* ---- the login of this packet ---- */

static bool push_carrier(void *ctx, char const *provider, bool *matches)
{
	struct wsmfa_service const *s = ctx;
	bool up;
	struct wsmfa_provider_ops const *ops = s->outside.push(s->outside.ctx, provider, &up);

	if (!ops) return false;
	*matches = ops->matches_number;
	return true;
}

/** Finds out what is within reach, and decides: once a packet. */
static bool prepare(struct wsmfa_service const *s, struct wsmfa_visit *v)
{
	struct wsmfa_carriers carriers = { .sms = s->sms_provider != NULL, .park = s->park, .push = push_carrier };

	carriers.ctx = (void *)(uintptr_t)s;
	if (!s->outside.random(s->outside.ctx, &v->random, sizeof(v->random))) return false;
	v->login = (struct wsmfa_login){
		.account = &v->account,
		.client = &v->client,
		.set = &s->set,
		.ring = s->ring,
		.macs = &s->macs,
		.random = &v->random,
		.at = v->at,
		.typed = v->typed,
	};
	wsmfa_login_prepare(&v->login, &carriers);
	return true;
}

static int64_t new_ticket(struct wsmfa_visit const *v)
{
	int64_t ticket;

	memcpy(&ticket, v->random.ticket, sizeof(ticket));
	ticket &= INT64_MAX;
	return ticket ? ticket : 1;
}

/** Looks at the push provider of a question: drops a number it can't match. NULL while it is down or unknown. */
static struct wsmfa_provider_ops const *push_provider(struct wsmfa_service const *s, struct wsmfa_ask *ask)
{
	bool up = false;
	struct wsmfa_provider_ops const *ops = s->outside.push(s->outside.ctx, ask->authenticator->provider, &up);

	if (!ops || !up) return NULL;
	if (!ops->matches_number) ask->number[0] = '\0';
	if (ask->number[0]) ask->text = WSMFA_TEXT_ASK_PUSH_NUMBER;
	return ops;
}

struct opening_room {
	uint8_t state_hash[WSMFA_HASH_LEN];
};

/** The question of an ask as the store takes it. */
static bool opening_of(struct wsmfa_visit *v, struct wsmfa_ask const *ask, bool with_state, int64_t waiter,
		       struct opening_room *room, struct wsmfa_opening *out)
{
	bool const first = !v->answering && ask->attempt == 1;

	*out = (struct wsmfa_opening){
		.state_hash = with_state ? room->state_hash : NULL,
		.kind = ask->kind,
		.login = v->answering ? v->question.login : v->random.login,
		.attempt = ask->attempt,
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
	};
	return !with_state || wsmfa_state_hash(room->state_hash, v->next_state);
}

/* ---- sending ---- */

static void park_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_park_status status,
			struct wsmfa_reply *reply)
{
	if (status == WSMFA_PARK_BREAKER) {
		refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN, WSMFA_TEXT_REFUSE_PROVIDER_DOWN, reply);
	} else if (status == WSMFA_PARK_DEAD) {
		refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
	} else {
		refuse(s, v, WSMFA_OUTCOME_DENIED, WSMFA_REASON_PARK_LIMIT, WSMFA_TEXT_REFUSE_FULL, reply);
	}
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
		park_failed(s, v, status, reply);
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
		.ticket = new_ticket(v),
		.wake_at = v->at + s->sms_wait,
		.expires_at = ask->code_expires_at,
	};

	snprintf(job.provider, sizeof(job.provider), "%s", s->sms_provider);
	message_begin(v, &job.message);
	job.message.challenge_id = v->challenge_id;
	job.message.lifetime = (int32_t)((ask->code_expires_at - v->at) / WSMFA_SECOND);
	snprintf(job.message.phone, sizeof(job.message.phone), "%s", ask->phone);
	message_text(s, v, WSMFA_TEXT_SMS_CODE, &args, &job.message);
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
	message_begin(v, &job.message);
	job.message.challenge_id = v->challenge_id;
	job.message.lifetime = (int32_t)((ask->code_expires_at - v->at) / WSMFA_SECOND);
	snprintf(job.message.device, sizeof(job.message.device), "%s", ask->authenticator->device);
	snprintf(job.message.number, sizeof(job.message.number), "%s", ask->number);
	snprintf(job.message.password, sizeof(job.message.password), "%s", v->password);
	message_text(s, v, WSMFA_TEXT_PUSH_TITLE, &args, &job.message);
	park(s, v, &job, asked ? WSMFA_VISIT_SENDING : WSMFA_VISIT_PHONE, reply);
}

/** The request waits for a push that is on its way. */
static void wait_for_phone(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, wsmfa_time_t until,
			   struct wsmfa_reply *reply)
{
	struct wsmfa_job job = {
		.kind = WSMFA_JOB_WAIT, .ticket = ticket, .wake_at = until, .expires_at = until, .wait = true
	};

	park(s, v, &job, WSMFA_VISIT_PHONE, reply);
}

/** Sends what an open question says, or concludes. */
static void deliver(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, struct wsmfa_reply *reply)
{
	switch (v->plan.ask.send) {
	case WSMFA_SEND_SMS: send_sms(s, v, reply); return;
	case WSMFA_SEND_PUSH: send_push(s, v, ticket, reply); return;
	default: conclude(s, v, NULL, false, reply); return;
	}
}

/* ---- opening ---- */

static void open_ask(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply);

/** A limit, or a provider that is down: another way, which sends nothing, or the end. */
static void detour(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_kind failed, enum wsmfa_text note,
		   enum wsmfa_text refusal, enum wsmfa_outcome outcome, enum wsmfa_reason reason,
		   struct wsmfa_reply *reply)
{
	int32_t const attempt = v->plan.ask.attempt;

	wsmfa_flow_detour(&v->login, failed, attempt, note, refusal, outcome, reason, &v->plan);
	if (v->plan.move == WSMFA_MOVE_ASK) {
		open_ask(s, v, reply);
	} else {
		conclude(s, v, NULL, false, reply);
	}
}

static void provider_down(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_kind kind,
			  struct wsmfa_reply *reply)
{
	detour(s, v, kind, WSMFA_TEXT_NOTE_PROVIDER_DOWN, WSMFA_TEXT_REFUSE_PROVIDER_DOWN, WSMFA_OUTCOME_ERROR,
	       WSMFA_REASON_PROVIDER_DOWN, reply);
}

/** Another packet of the same login has asked already: this one holds the question, or waits, from now on. */
static void joined(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_opened const *opened,
		   int64_t ticket, struct wsmfa_reply *reply)
{
	struct wsmfa_ask *ask = &v->plan.ask;

	v->challenge_id = opened->challenge_id;
	ask->expires_at = opened->expires_at;
	if (v->login.reach.can_challenge) {
		snprintf(ask->number, sizeof(ask->number), "%s", opened->number);
		ask->text = ask->number[0] ? WSMFA_TEXT_ASK_PUSH_NUMBER : WSMFA_TEXT_ASK_PUSH;
		conclude(s, v, NULL, true, reply);
	} else {
		wait_for_phone(s, v, ticket, v->at + s->set.push_timeout, reply);
	}
}

/** Opens the question of the plan, as the first of its packet. */
static void open_ask(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = origin_of(v);
	struct wsmfa_ask *ask = &v->plan.ask;
	bool const with_state = v->plan.move == WSMFA_MOVE_ASK && v->login.reach.can_challenge;
	int64_t const ticket = ask->send == WSMFA_SEND_PUSH ? new_ticket(v) : 0;
	struct opening_room room;
	struct wsmfa_opening opening;
	struct wsmfa_opened opened;

	if (ask->send == WSMFA_SEND_PUSH && !push_provider(s, ask)) {
		provider_down(s, v, WSMFA_KIND_PUSH, reply);
		return;
	}
	memcpy(v->next_state, v->random.state, sizeof(v->next_state));
	if (!opening_of(v, ask, with_state, ticket, &room, &opening)) {
		refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	if (s->store->ops->open(s->store, &origin, &s->set.limits, v->account.id, &opening, &opened) != WSMFA_STORE_OK) {
		store_failed(s, v, reply);
		return;
	}
	v->challenge_id = opened.challenge_id;
	switch (opened.status) {
	case WSMFA_OPEN_OPENED: deliver(s, v, ticket, reply); return;
	case WSMFA_OPEN_REUSED: conclude(s, v, NULL, false, reply); return;
	case WSMFA_OPEN_JOINED: joined(s, v, &opened, ticket, reply); return;
	case WSMFA_OPEN_BUSY:
		refuse(s, v, WSMFA_OUTCOME_DENIED, WSMFA_REASON_BUSY, WSMFA_TEXT_REFUSE_BUSY, reply);
		return;
	case WSMFA_OPEN_SMS_LIMIT:
		detour(s, v, WSMFA_KIND_SMS, WSMFA_TEXT_NOTE_SMS_LIMIT, WSMFA_TEXT_REFUSE_SMS_LIMIT, WSMFA_OUTCOME_DENIED,
		       WSMFA_REASON_SMS_LIMIT, reply);
		return;
	case WSMFA_OPEN_PUSH_LIMIT:
		detour(s, v, WSMFA_KIND_PUSH, WSMFA_TEXT_NOTE_PUSH_LIMIT, WSMFA_TEXT_REFUSE_PUSH_LIMIT,
		       WSMFA_OUTCOME_DENIED, WSMFA_REASON_PUSH_LIMIT, reply);
		return;
	default: refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply); return;
	}
}

/* ---- authorize ---- */

bool wsmfa_visit_load(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = origin_of(v);

	memset(reply, 0, sizeof(*reply));
	if (s->store->ops->load(s->store, &origin, &v->account) != WSMFA_STORE_OK) {
		store_failed(s, v, reply);
		return false;
	}
	return true;
}

static void untaken(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	static enum wsmfa_reason const reason_of[] = {
		[WSMFA_TAKE_UNKNOWN] = WSMFA_REASON_UNKNOWN_STATE,
		[WSMFA_TAKE_SPENT] = WSMFA_REASON_SPENT_STATE,
		[WSMFA_TAKE_EXPIRED] = WSMFA_REASON_EXPIRED_STATE,
		[WSMFA_TAKE_FOREIGN] = WSMFA_REASON_FOREIGN_STATE,
	};
	enum wsmfa_outcome const outcome =
		v->taken == WSMFA_TAKE_EXPIRED ? WSMFA_OUTCOME_EXPIRED : WSMFA_OUTCOME_DENIED;

	/* The first factor is not known to be right here: nothing is told but that time is over. */
	snprintf(reply->text, sizeof(reply->text), "%s",
		 wsmfa_text_template(&s->texts, "en", WSMFA_TEXT_REFUSE_EXPIRED));
	v->plan.outcome = outcome;
	v->plan.reason = reason_of[v->taken];
	wsmfa_visit_event(s, v, outcome, reason_of[v->taken], WSMFA_KIND_NONE);
}

bool wsmfa_visit_take(struct wsmfa_service const *s, struct wsmfa_visit *v, uint8_t const *state, size_t state_len,
		      uint8_t const *answer, size_t answer_len, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = origin_of(v);
	uint8_t hash[WSMFA_HASH_LEN];
	uint8_t mac[WSMFA_HASH_LEN];

	memset(reply, 0, sizeof(*reply));
	v->answering = true;
	v->taken = WSMFA_TAKE_UNKNOWN;
	wsmfa_answer_parse(&v->answer, answer, answer_len);
	if (!wsmfa_state_decode(v->state, state, state_len) || !wsmfa_state_hash(hash, v->state) ||
	    !wsmfa_answer_mac(mac, &s->macs, v->state, answer, answer_len) ||
	    !wsmfa_state_successor(v->next_state, &s->macs, v->state)) {
		untaken(s, v, reply);
		return false;
	}
	if (s->store->ops->take(s->store, &origin, hash, mac, v->has_digest && v->joinable ? v->digest : NULL, &v->taken, &v->question,
				&v->account) != WSMFA_STORE_OK) {
		store_failed(s, v, reply);
		return false;
	}
	if (v->taken != WSMFA_TAKE_TAKEN && v->taken != WSMFA_TAKE_REPEAT) {
		untaken(s, v, reply);
		return false;
	}
	v->challenge_id = v->question.id;
	return true;
}

/* ---- authenticate ---- */

static void act(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply);

void wsmfa_visit_begin(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	if (!prepare(s, v)) {
		refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_NONE, reply);
		return;
	}
	wsmfa_flow_start(&v->login, &v->appended, &v->plan);
	act(s, v, reply);
}

void wsmfa_visit_answer(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	v->typed = true; /* only those were asked; what comes with a State is typed text */
	if ((v->taken != WSMFA_TAKE_TAKEN && v->taken != WSMFA_TAKE_REPEAT) || !prepare(s, v)) {
		refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_NONE, reply);
		return;
	}
	wsmfa_flow_answer(&v->login, &v->question, &v->answer, &v->plan);
	act(s, v, reply);
}

/** Settles the judgement of the plan, and opens what follows it in the same call. */
static void settle(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = origin_of(v);
	struct wsmfa_plan *plan = &v->plan;
	struct wsmfa_judgement const *j = &plan->judgement;
	int64_t const ticket = plan->asks && plan->ask.send == WSMFA_SEND_PUSH ? new_ticket(v) : 0;
	struct opening_room room;
	struct wsmfa_opening next;
	struct wsmfa_settled settled;
	struct wsmfa_settlement settlement = {
		.challenge_id = v->answering ? v->question.id : 0,
		.account_id = v->account.id,
		.verdict = j->verdict,
		.kind = j->kind,
		.authenticators = j->authenticators,
		.authenticators_len = j->authenticators_len,
		.step = j->step,
		.drift = j->drift,
		.guess_mac = j->has_guess_mac ? j->guess_mac : NULL,
		.guess_may_be_sent = j->guess_may_be_sent,
		.recovery_hash = j->has_recovery_hash ? j->recovery_hash : NULL,
		.ticket_hash = j->uses_ticket ? v->account.ticket_hash : NULL,
		.enroll = j->enroll,
		.sealed = j->sealed_len ? j->sealed : NULL,
		.sealed_len = j->sealed_len,
		.phone = "",
		.outcome = plan->outcome,
		.reason = plan->reason,
	};

	if (plan->asks && plan->ask.send == WSMFA_SEND_PUSH && !push_provider(s, &plan->ask)) {
		/* the next way's question takes the place of the push */
		wsmfa_flow_detour(&v->login, WSMFA_KIND_PUSH, plan->ask.attempt, WSMFA_TEXT_NOTE_PROVIDER_DOWN,
				  WSMFA_TEXT_REFUSE_PROVIDER_DOWN, WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN, plan);
		if (plan->move != WSMFA_MOVE_ASK) {
			conclude(s, v, NULL, false, reply);
			return;
		}
		plan->move = WSMFA_MOVE_JUDGE;
		settlement.outcome = plan->outcome;
		settlement.reason = plan->reason;
	}
	if (plan->asks) {
		if (!opening_of(v, &plan->ask, true, ticket, &room, &next)) {
			refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
			return;
		}
		settlement.next = &next;
	}
	if (s->store->ops->settle(s->store, &origin, &s->set.limits, &settlement, &settled) != WSMFA_STORE_OK) {
		store_failed(s, v, reply);
		return;
	}
	wsmfa_flow_judged(&v->login, &settled, plan);
	if (plan->move == WSMFA_MOVE_ASK && settled.next_id == 0) {
		open_ask(s, v, reply); /* a limit met the way that was chosen: another question, of its own State */
		return;
	}
	if (settled.next_id) v->challenge_id = settled.next_id;
	if (plan->move == WSMFA_MOVE_ASK && settled.first && settled.next_status == WSMFA_OPEN_OPENED) {
		deliver(s, v, ticket, reply);
	} else {
		conclude(s, v, NULL, !settled.first, reply);
	}
}

/* ---- a push ---- */

/** Settles the push that was waited for; when nobody answered, another way is asked for in the same call. */
static void settle_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, bool give_up,
			struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = origin_of(v);
	struct wsmfa_plan next;
	struct opening_room room;
	struct wsmfa_opening opening;
	struct wsmfa_settled settled;
	bool asks;

	wsmfa_flow_detour(&v->login, WSMFA_KIND_PUSH, v->answering ? v->question.attempt : 1, WSMFA_TEXT_NOTE_TIMEOUT,
			  WSMFA_TEXT_REFUSE_TIMEOUT, WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT, &next);
	asks = next.move == WSMFA_MOVE_ASK && opening_of(v, &next.ask, true, 0, &room, &opening);
	if (s->store->ops->settle_push(s->store, &origin, &s->set.limits, v->challenge_id, ticket, give_up,
				       asks ? &opening : NULL, &settled) != WSMFA_STORE_OK) {
		wsmfa_plan_wipe(&next);
		store_failed(s, v, reply);
		return;
	}
	wsmfa_flow_push_ended(&v->login, &settled, asks ? &next : NULL, &v->plan);
	if (settled.status == WSMFA_SETTLE_FAILED && v->plan.move == WSMFA_MOVE_ASK) {
		v->plan.note = WSMFA_TEXT_NOTE_PROVIDER_DOWN;
		v->plan.outcome = WSMFA_OUTCOME_ERROR;
		v->plan.reason = WSMFA_REASON_PROVIDER_DOWN;
	}
	wsmfa_plan_wipe(&next);
	conclude(s, v, NULL, settled.status == WSMFA_SETTLE_REPEAT, reply);
}

/** The answer to a push's question is empty: "I have answered on the phone", or "I am about to". */
static void wait_push(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = origin_of(v);
	int64_t const ticket = new_ticket(v);
	wsmfa_time_t const until = v->question.code_expires_at;
	struct wsmfa_settled settled;

	if (s->store->ops->wait(s->store, &origin, v->challenge_id, ticket, &settled) != WSMFA_STORE_OK) {
		store_failed(s, v, reply);
		return;
	}
	switch (settled.status) {
	case WSMFA_SETTLE_PENDING: wait_for_phone(s, v, ticket, until, reply); return;
	case WSMFA_SETTLE_SUPERSEDED:
	case WSMFA_SETTLE_REPEAT:
	case WSMFA_SETTLE_GONE:
		wsmfa_flow_push_ended(&v->login, &settled, NULL, &v->plan);
		conclude(s, v, NULL, settled.status == WSMFA_SETTLE_REPEAT, reply);
		return;
	default: settle_push(s, v, ticket, until <= v->at, reply); return;
	}
}

static void act(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	switch (v->plan.move) {
	case WSMFA_MOVE_ASK:
	case WSMFA_MOVE_TELL: open_ask(s, v, reply); return;
	case WSMFA_MOVE_JUDGE: settle(s, v, reply); return;
	case WSMFA_MOVE_WAIT: wait_push(s, v, reply); return;
	default: conclude(s, v, NULL, false, reply); return;
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
		conclude(s, v, NULL, false, reply);
		return;
	}
	/* The question that was opened for it gives its place: the State that goes out is its successor. */
	if (!wsmfa_state_successor(v->random.state, &s->macs, v->next_state)) {
		refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	open_ask(s, v, reply);
}

static void resume_sending(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_woken const *woken,
			   struct wsmfa_reply *reply)
{
	bool const failed = woken->finished && (woken->delivery == WSMFA_DELIVERY_FAILED ||
						woken->delivery == WSMFA_DELIVERY_REFUSED);

	if (failed) {
		send_failed(s, v, reply);
		return;
	}
	if (woken->show[0] && v->plan.ask.kind == WSMFA_ASK_PUSH) v->plan.ask.text = WSMFA_TEXT_ASK_PUSH_SHOW;
	if (v->waits == WSMFA_VISIT_SENDING_APPEND) {
		v->plan.move = WSMFA_MOVE_REFUSE;
		v->plan.outcome = WSMFA_OUTCOME_CHALLENGED;
		v->plan.reason = WSMFA_REASON_SENT;
	}
	conclude(s, v, woken->show, false, reply);
}

void wsmfa_visit_resume(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_woken const *woken,
			wsmfa_time_t at, struct wsmfa_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	v->at = at;
	v->login.at = at;
	switch (v->waits) {
	case WSMFA_VISIT_SENDING:
	case WSMFA_VISIT_SENDING_APPEND:
		if (woken) {
			resume_sending(s, v, woken, reply);
		} else {
			refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_TIMEOUT, WSMFA_TEXT_REFUSE_ERROR, reply);
		}
		break;
	case WSMFA_VISIT_PHONE: settle_push(s, v, v->ticket, !woken || woken->timed_out, reply); break;
	default: refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply); break;
	}
	v->waits = WSMFA_VISIT_NOT_PARKED;
}
