/*
 * Carries out what the flow says: one store call for what it opens or settles, a job for the engine, an event, a reply.
 * It stands apart from the flow because it acts, and from the glue because it knows no host.
 */
#include "login/visit_inner.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"

struct wsmfa_visit *wsmfa_visit_new(void)
{
	struct wsmfa_visit *v = calloc(1, sizeof(*v));

	if (v)
		v->size = sizeof(*v);
	return v;
}

void wsmfa_visit_free(struct wsmfa_visit *visit)
{
	if (!visit)
		return;
	OPENSSL_cleanse(visit, visit->size);
	free(visit);
}

/** Moves a visit to a block of this size, with what points into itself. */
static struct wsmfa_visit *moved(struct wsmfa_visit *v, size_t size)
{
	struct wsmfa_authenticator const *chosen = v->plan.ask.authenticator;
	struct wsmfa_visit *to = calloc(1, size);

	if (!to)
		return NULL;
	memcpy(to, v, size < v->size ? size : v->size);
	to->size = size;
	to->login.account = &to->account;
	to->login.client = &to->client;
	to->login.random = &to->random;
	if (chosen)
		to->plan.ask.authenticator = to->account.authenticators + (chosen - v->account.authenticators);
	wsmfa_visit_free(v);
	return to;
}

struct wsmfa_visit *wsmfa_visit_rest(struct wsmfa_visit *v)
{
	size_t const size = offsetof(struct wsmfa_visit, account.authenticators) +
			    v->account.authenticators_len * sizeof(v->account.authenticators[0]);
	struct wsmfa_visit *rests = moved(v, size);

	return rests ? rests : v;
}

struct wsmfa_visit *wsmfa_visit_wake(struct wsmfa_visit *v)
{
	return moved(v, sizeof(*v));
}

/* ---- the login of this packet ---- */

static bool push_carrier(void *ctx, char const *provider, bool *matches)
{
	struct wsmfa_service const *s = ctx;
	bool up;
	struct wsmfa_provider_ops const *ops = s->outside.push(s->outside.ctx, provider, &up);

	if (!ops)
		return false;
	*matches = ops->matches_number;
	return true;
}

/** What is shown after an answer must be the same, whichever server gets the answer when it is repeated. */
static bool draw_again(struct wsmfa_service const *s, struct wsmfa_visit *v)
{
	uint8_t key[WSMFA_HASH_LEN];
	uint8_t number[WSMFA_HASH_LEN];
	bool const drawn = wsmfa_state_octets(key, &s->macs, v->state, "key") &&
			   wsmfa_state_octets(number, &s->macs, v->state, "number");

	_Static_assert(sizeof(v->random.key) <= WSMFA_HASH_LEN && sizeof(v->random.number) <= WSMFA_HASH_LEN, "room");
	memcpy(v->random.key, key, sizeof(v->random.key));
	memcpy(v->random.number, number, sizeof(v->random.number));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(number, sizeof(number));
	return drawn;
}

/** Finds out what is within reach, and decides: once a packet. False, and nothing is decided: no random octets. */
static bool prepare(struct wsmfa_service const *s, struct wsmfa_visit *v)
{
	struct wsmfa_carriers carriers = { .sms = s->sms_provider != NULL, .park = s->park, .push = push_carrier };

	carriers.ctx = (void *)(uintptr_t)s;
	v->login = (struct wsmfa_login) {
		.account = &v->account,
		.client = &v->client,
		.set = &s->set,
		.ring = s->ring,
		.macs = &s->macs,
		.random = &v->random,
		.at = v->at,
		.typed = v->typed,
		.repeat = v->taken == WSMFA_TAKE_REPEAT,
	};
	if (!s->outside.random(s->outside.ctx, &v->random, sizeof(v->random)))
		return false;
	if (v->answering && !draw_again(s, v))
		return false;
	wsmfa_login_prepare(&v->login, &carriers);
	return true;
}

/* ---- authorize ---- */

bool wsmfa_visit_load(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);

	memset(reply, 0, sizeof(*reply));
	if (s->store->ops->load(s->store, &origin, &v->account) != WSMFA_STORE_OK) {
		wsmfa_visit_store_failed(s, v, reply);
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
	enum wsmfa_text const text = WSMFA_TEXT_REFUSE_EXPIRED;
	struct wsmfa_text_args const args = { .url = s->set.enroll_url };

	/* The first factor is not known to be right here: nothing is told but that time is over, and not in whose language. */
	wsmfa_text_reply(reply->text, &s->texts, "en", v->client.utf8, &text, 1, &args);
	v->plan.outcome = outcome;
	v->plan.reason = reason_of[v->taken];
	wsmfa_visit_event(s, v, outcome, reason_of[v->taken], WSMFA_KIND_NONE);
}

bool wsmfa_visit_take(struct wsmfa_service const *s, struct wsmfa_visit *v, uint8_t const *state, size_t state_len,
		      uint8_t const *answer, size_t answer_len, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
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
	if (s->store->ops->take(s->store, &origin, hash, mac, v->has_digest && v->joinable ? v->digest : NULL,
				&v->taken, &v->question, &v->account) != WSMFA_STORE_OK) {
		wsmfa_visit_store_failed(s, v, reply);
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

/** The reply is made: what it was made of need not wait, as the visit does, until the host is done with the request. */
static void forget_secrets(struct wsmfa_visit *v, struct wsmfa_reply const *reply)
{
	if (reply->kind == WSMFA_REPLY_PARK)
		return;
	OPENSSL_cleanse(&v->random, sizeof(v->random));
	OPENSSL_cleanse(&v->appended, sizeof(v->appended));
	OPENSSL_cleanse(v->password, sizeof(v->password));
	wsmfa_answer_wipe(&v->answer);
	OPENSSL_cleanse(v->plan.ask.code, sizeof(v->plan.ask.code));
	OPENSSL_cleanse(v->plan.ask.key, sizeof(v->plan.ask.key));
}

void wsmfa_visit_begin(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	if (prepare(s, v)) {
		memcpy(v->next_state, v->random.state, sizeof(v->next_state));
		wsmfa_flow_start(&v->login, &v->appended, &v->plan);
		act(s, v, reply);
	} else {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
	}
	forget_secrets(v, reply);
}

void wsmfa_visit_answer(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	v->typed = true; /* only those were asked; what comes with a State is typed text */
	if (prepare(s, v) && (v->taken == WSMFA_TAKE_TAKEN || v->taken == WSMFA_TAKE_REPEAT)) {
		wsmfa_flow_answer(&v->login, &v->question, &v->answer, &v->plan);
		act(s, v, reply);
	} else {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
	}
	forget_secrets(v, reply);
}

/** A push that can't be sent at the moment: another way's question takes its place behind the same judgement, or none. */
static void replace_push(struct wsmfa_visit *v)
{
	struct wsmfa_plan *plan = &v->plan;
	struct wsmfa_judgement const judgement = plan->judgement;

	wsmfa_flow_detour(&v->login, WSMFA_KIND_PUSH, WSMFA_TROUBLE_PROVIDER, plan->ask.attempt, plan);
	plan->judgement = judgement;
	plan->move = WSMFA_MOVE_JUDGE;
}

static struct wsmfa_settlement settlement_of(struct wsmfa_visit const *v)
{
	struct wsmfa_judgement const *j = &v->plan.judgement;

	return (struct wsmfa_settlement) {
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
		.needs_ticket = j->needs_ticket,
		.sealed = j->sealed_len ? j->sealed : NULL,
		.sealed_len = j->sealed_len,
		.phone = "",
		.outcome = v->plan.outcome,
		.reason = v->plan.reason,
	};
}

/** The answer is settled: the plan says what comes of it. */
static void settled_now(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_settled const *settled,
			int64_t ticket, struct wsmfa_reply *reply)
{
	bool const repeat = settled->status == WSMFA_SETTLE_REPEAT;

	wsmfa_flow_judged(&v->login, settled, &v->plan);
	if (settled->next_id)
		v->challenge_id = settled->next_id;
	/* as in wsmfa_visit_send_failed: what was asked instead has the next State */
	if (settled->next_status == WSMFA_OPEN_UNSENT &&
	    !wsmfa_state_successor(v->next_state, &s->macs, v->next_state)) {
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		return;
	}
	if (v->plan.move != WSMFA_MOVE_ASK || repeat)
		wsmfa_visit_conclude(s, v, NULL, repeat, reply);
	else if (settled->next_id == 0)
		wsmfa_visit_open(s, v, reply); // a limit met the way that was chosen: another, which takes its State
	else
		wsmfa_visit_deliver(s, v, ticket, reply);
}

/** Settles the judgement of the plan, and opens what follows it in the same call. */
static void settle(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	struct wsmfa_origin const origin = wsmfa_visit_origin(v);
	struct wsmfa_plan *plan = &v->plan;
	struct wsmfa_opening_room room;
	struct wsmfa_opening next;
	struct wsmfa_settled settled;
	struct wsmfa_settlement settlement;
	int64_t ticket = 0;

	if (plan->asks && plan->ask.send == WSMFA_SEND_PUSH) {
		if (wsmfa_visit_push_provider(s, &plan->ask))
			ticket = wsmfa_visit_new_ticket(v);
		else
			replace_push(v);
	}
	settlement = settlement_of(v);
	if (plan->asks) {
		if (!wsmfa_visit_opening(v, &plan->ask, true, ticket, &room, &next)) {
			wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR,
					   reply);
			return;
		}
		settlement.next = &next;
	}
	if (s->store->ops->settle(s->store, &origin, &s->set.limits, &settlement, &settled) != WSMFA_STORE_OK) {
		wsmfa_visit_store_failed(s, v, reply);
		return;
	}
	settled_now(s, v, &settled, ticket, reply);
}

static void act(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply)
{
	switch (v->plan.move) {
	case WSMFA_MOVE_ASK:
	case WSMFA_MOVE_TELL: wsmfa_visit_open(s, v, reply); return;
	case WSMFA_MOVE_JUDGE: settle(s, v, reply); return;
	case WSMFA_MOVE_WAIT: wsmfa_visit_wait_push(s, v, reply); return;
	default: // refused, or let in, without a settlement: of a repeat the event is written
		wsmfa_visit_conclude(s, v, NULL, v->login.repeat, reply);
		return;
	}
}

void wsmfa_visit_resume(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_woken const *woken,
			wsmfa_time_t at, struct wsmfa_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	v->at = at;
	v->login.at = at;
	v->unheard = !woken;
	switch (v->waits) {
	case WSMFA_VISIT_SENDING:
	case WSMFA_VISIT_SENDING_APPEND: wsmfa_visit_resume_sending(s, v, woken, reply); break;
	case WSMFA_VISIT_PHONE:
		wsmfa_visit_settle_push(s, v, v->ticket, WSMFA_TROUBLE_NO_ANSWER, woken ? woken->newer : 0, reply);
		break;
	default:
		wsmfa_visit_refuse(s, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_INTERNAL, WSMFA_TEXT_REFUSE_ERROR, reply);
		break;
	}
	v->waits = WSMFA_VISIT_NOT_PARKED;
	forget_secrets(v, reply);
}
