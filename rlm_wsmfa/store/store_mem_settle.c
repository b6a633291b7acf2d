/* The store in memory: how an answer is settled, counted and burnt, once.
 * Apart from opening: these are the rules of failures, waits, budgets and of pushes. */
#include "store/store_mem_private.h"

/* What a settlement works on. */
struct settling {
	struct wsmfa_mem *m;
	struct wsmfa_origin const *origin;
	struct wsmfa_limits const *limits;
	struct wsmfa_settlement const *s;
	struct mem_account *account;
	struct mem_challenge *challenge; // NULL in append mode
	struct mem_pair *pair;
	struct wsmfa_settled *out;
};

static void failure_count(struct settling *x, int64_t id)
{
	struct mem_authenticator *a = id ? mem_authenticator_find(x->account, id) : NULL;

	if (id && (!a || a->a.disabled_at != WSMFA_TIME_NONE))
		return;
	(void)mem_mark(x->m, MEM_FAILURE, x->origin->at, x->account->a.id, id);
	if (!a || ++a->consecutive < MEM_CONSECUTIVE_MAX)
		return;
	a->a.disabled_at = x->origin->at;
	x->out->disabled = true;
}

/* 1 minute from the lock_after-th consecutive failure on, doubling to 1 hour. */
static void pair_fail(struct settling *x)
{
	int32_t over = ++x->pair->failures - x->limits->lock_after;

	if (over < 0)
		return;
	x->pair->until = x->origin->at + (over > 5 ? WSMFA_HOUR : WSMFA_MINUTE << over);
	x->out->locked_until = x->pair->until;
}

/* Did this guess count within the last minute already? Else it does now. */
static bool guess_repeats(struct settling *x)
{
	struct mem_mark *k = x->m->marks;

	if (!x->s->guess_mac)
		return false;
	for (; k; k = k->next) {
		if (k->kind == MEM_GUESS && k->account_id == x->account->a.id &&
		    memcmp(k->mac, x->s->guess_mac, WSMFA_HASH_LEN) == 0 && x->origin->at - k->at < MEM_GUESS_WITHIN)
			return true;
	}
	k = mem_mark(x->m, MEM_GUESS, x->origin->at, x->account->a.id, 0);
	memcpy(k->mac, x->s->guess_mac, WSMFA_HASH_LEN);
	return false;
}

static enum wsmfa_settle_status settle_wrong(struct settling *x)
{
	if (guess_repeats(x))
		return WSMFA_SETTLE_WRONG;
	for (size_t i = 0; i < x->s->authenticators_len; i++)
		failure_count(x, x->s->authenticators[i]);
	if (x->s->authenticators_len == 0)
		failure_count(x, 0);
	pair_fail(x);
	return WSMFA_SETTLE_WRONG;
}

static bool is_exhausted(struct settling *x, int64_t id)
{
	return mem_failures(x->m, x->account->a.id, id, x->limits->failure_days, x->origin->at) >=
	       x->limits->failure_budget;
}

static enum wsmfa_settle_status settle_enrolled(struct settling *x)
{
	struct mem_authenticator *a;

	if (mem_enrolled(x->account))
		return WSMFA_SETTLE_ENROLLED;
	if (is_exhausted(x, 0))
		return WSMFA_SETTLE_EXHAUSTED;
	if (!x->challenge || x->account->authenticators_len == WSMFA_AUTHENTICATORS_MAX)
		return WSMFA_SETTLE_GONE;
	a = &x->account->authenticators[x->account->authenticators_len++];
	memset(a, 0, sizeof(*a));
	a->a.id = x->challenge->q.authenticator_id;
	a->a.kind = x->s->kind == WSMFA_ASK_ENROLL_SMS ? WSMFA_KIND_SMS : WSMFA_KIND_TOTP;
	a->a.confirmed_at = x->origin->at;
	a->a.disabled_at = WSMFA_TIME_NONE;
	a->a.last_step = -1;
	if (a->a.kind == WSMFA_KIND_SMS) {
		MEM_COPY(a->a.phone, x->s->phone ? x->s->phone : "");
	} else {
		a->a.digits = 6;
		a->a.period = 30;
		a->a.last_step = x->s->step;
		a->a.drift = x->s->drift;
		a->a.sealed_len = x->s->sealed_len < WSMFA_SEALED_MAX ? x->s->sealed_len : WSMFA_SEALED_MAX;
		memcpy(a->a.sealed, x->s->sealed, a->a.sealed_len);
	}
	return WSMFA_SETTLE_RIGHT;
}

static enum wsmfa_settle_status settle_ticket(struct settling *x)
{
	for (struct mem_mark *k = x->m->marks; k; k = k->next) {
		if (k->kind != MEM_TICKET || k->account_id != x->account->a.id || k->used || x->origin->at >= k->at ||
		    memcmp(k->mac, x->s->ticket_hash, WSMFA_HASH_LEN) != 0)
			continue;
		k->used = true;
		return WSMFA_SETTLE_RIGHT;
	}
	return WSMFA_SETTLE_GONE;
}

static enum wsmfa_settle_status settle_recovery(struct settling *x, struct mem_authenticator *a)
{
	enum wsmfa_settle_status status = WSMFA_SETTLE_WRONG;

	for (size_t i = 0; i < a->codes_len; i++) {
		if (memcmp(a->codes[i].hash, x->s->recovery_hash, WSMFA_HASH_LEN) == 0) {
			status = a->codes[i].used ? WSMFA_SETTLE_REPLAYED : WSMFA_SETTLE_RIGHT;
			a->codes[i].used = true;
		}
		x->out->codes_left += !a->codes[i].used;
	}
	return status == WSMFA_SETTLE_WRONG ? settle_wrong(x) : status;
}

static enum wsmfa_settle_status settle_authenticator(struct settling *x, int64_t id)
{
	struct mem_authenticator *a = mem_authenticator_find(x->account, id);
	enum wsmfa_settle_status status = WSMFA_SETTLE_RIGHT;

	if (!a || a->a.disabled_at != WSMFA_TIME_NONE)
		return WSMFA_SETTLE_GONE;
	if (is_exhausted(x, id))
		return WSMFA_SETTLE_EXHAUSTED;
	if (a->a.kind == WSMFA_KIND_TOTP) {
		if (x->s->step <= a->a.last_step)
			return WSMFA_SETTLE_REPLAYED;
		a->a.last_step = x->s->step;
		a->a.drift = x->s->drift;
	} else if (a->a.kind == WSMFA_KIND_RECOVERY) {
		status = x->s->recovery_hash ? settle_recovery(x, a) : WSMFA_SETTLE_GONE;
	}
	if (status == WSMFA_SETTLE_RIGHT)
		a->consecutive = 0;
	return status;
}

static enum wsmfa_settle_status settle_right(struct settling *x, int64_t const *authenticator)
{
	enum wsmfa_settle_status status;

	if (x->s->ticket_hash)
		return settle_ticket(x);
	if (x->s->enroll)
		status = settle_enrolled(x);
	else if (authenticator)
		status = settle_authenticator(x, *authenticator);
	else
		return WSMFA_SETTLE_RIGHT; // nothing was proven: nothing is reset
	if (status == WSMFA_SETTLE_RIGHT) {
		x->pair->failures = 0;
		x->pair->until = WSMFA_TIME_NONE;
	}
	return status;
}

/* Append mode: is the guess the code that was sent to this client and station? Wrong ones void it in the end. */
static enum wsmfa_settle_status settle_sent(struct settling *x)
{
	for (struct mem_challenge *c = x->m->challenges; c; c = c->next) {
		if (c->has_state || c->settled || c->q.kind != WSMFA_ASK_SMS || c->account_id != x->account->a.id ||
		    x->origin->at >= c->q.code_expires_at || c->guesses >= x->limits->max_attempts ||
		    strcmp(c->client, x->origin->client) != 0 || strcmp(c->station, x->origin->station) != 0)
			continue;
		if (x->s->guess_mac && memcmp(c->q.code_mac, x->s->guess_mac, WSMFA_HASH_LEN) == 0) {
			c->settled = true;
			return settle_right(x, &c->q.authenticator_id);
		}
		c->guesses++;
	}
	return settle_wrong(x);
}

static enum wsmfa_settle_status settle_judge(struct settling *x)
{
	if (x->s->verdict == WSMFA_VERDICT_ASIDE)
		return WSMFA_SETTLE_ASIDE;
	if (x->pair->until > x->origin->at)
		return WSMFA_SETTLE_LOCKED;
	if (x->s->verdict == WSMFA_VERDICT_RIGHT)
		return settle_right(x, x->s->authenticators_len ? x->s->authenticators : NULL);
	return x->s->guess_may_be_sent ? settle_sent(x) : settle_wrong(x);
}

static void settle_next(struct settling *x, struct wsmfa_opening const *next)
{
	struct wsmfa_opened opened;

	if (!next)
		return;
	mem_open(x->m, x->origin, x->limits, x->account->a.id, x->challenge, next, &opened);
	x->out->next_status = opened.status;
	x->out->next_id = opened.challenge_id;
}

/* What a repeat of the answer is told: as the caller said if the verdict stood, else what the status means. */
static void settle_record(struct settling *x)
{
	static struct {
		enum wsmfa_outcome outcome;
		enum wsmfa_reason reason;
	} const meaning[] = {
		[WSMFA_SETTLE_GONE] = { WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD },
		[WSMFA_SETTLE_WRONG] = { WSMFA_OUTCOME_FAILED_SECOND_FACTOR, WSMFA_REASON_WRONG_CODE },
		[WSMFA_SETTLE_REPLAYED] = { WSMFA_OUTCOME_FAILED_SECOND_FACTOR, WSMFA_REASON_REPLAYED_CODE },
		[WSMFA_SETTLE_LOCKED] = { WSMFA_OUTCOME_DENIED, WSMFA_REASON_LOCKED },
		[WSMFA_SETTLE_EXHAUSTED] = { WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD },
		[WSMFA_SETTLE_ENROLLED] = { WSMFA_OUTCOME_DENIED, WSMFA_REASON_ENROLLED_ELSEWHERE },
		[WSMFA_SETTLE_DENIED] = { WSMFA_OUTCOME_DENIED, WSMFA_REASON_SUSPICIOUS },
		[WSMFA_SETTLE_FAILED] = { WSMFA_OUTCOME_ERROR, WSMFA_REASON_PROVIDER_DOWN },
		[WSMFA_SETTLE_EXPIRED] = { WSMFA_OUTCOME_EXPIRED, WSMFA_REASON_TIMEOUT },
	};
	static enum wsmfa_settle_status const own[] = {
		[WSMFA_VERDICT_WRONG] = WSMFA_SETTLE_WRONG,
		[WSMFA_VERDICT_RIGHT] = WSMFA_SETTLE_RIGHT,
		[WSMFA_VERDICT_ASIDE] = WSMFA_SETTLE_ASIDE,
	};
	struct mem_challenge *c = x->challenge;

	if (!c)
		return;
	c->settled = true;
	c->result = *x->out;
	if (x->out->status == own[x->s->verdict]) {
		c->result.outcome = x->s->outcome;
		c->result.reason = x->s->reason;
	} else {
		c->result.outcome = meaning[x->out->status].outcome;
		c->result.reason = meaning[x->out->status].reason;
	}
	c->result.status = WSMFA_SETTLE_REPEAT;
	c->result.first = false;
	if (c->q.kind == WSMFA_ASK_PUSH && strcmp(c->q.push_state, "pending") == 0)
		MEM_COPY(c->q.push_state, "void");
}

/* Finds what is to be settled. False: *out says already how it ended. */
static bool settle_begin(struct settling *x, int64_t account_id, int64_t challenge_id)
{
	memset(x->out, 0, sizeof(*x->out));
	x->out->locked_until = WSMFA_TIME_NONE;
	x->account = mem_account_find(x->m, account_id);
	x->challenge = challenge_id ? mem_challenge_find(x->m, challenge_id) : NULL;
	if (x->challenge && x->challenge->settled) {
		*x->out = x->challenge->result;
		return false;
	}
	x->out->first = true;
	if (!x->account || x->account->a.disabled_at != WSMFA_TIME_NONE)
		return false;
	x->pair = mem_pair_get(x->m, account_id, x->origin->station);
	return challenge_id == 0 || (x->challenge && x->challenge->account_id == account_id);
}

enum wsmfa_store_result mem_op_settle(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      struct wsmfa_limits const *limits, struct wsmfa_settlement const *settlement,
				      struct wsmfa_settled *out)
{
	struct settling x = { .m = (struct wsmfa_mem *)s,
			      .origin = origin,
			      .limits = limits,
			      .s = settlement,
			      .out = out };
	enum wsmfa_store_result r;

	if (!mem_enter(x.m, WSMFA_MEM_SETTLE, &r))
		return r;
	if (settle_begin(&x, settlement->account_id, settlement->challenge_id)) {
		out->status = settle_judge(&x);
		if (out->status == WSMFA_SETTLE_ASIDE ||
		    (out->status == WSMFA_SETTLE_WRONG && out->locked_until == WSMFA_TIME_NONE && !out->disabled) ||
		    (out->status == WSMFA_SETTLE_RIGHT && settlement->kind == WSMFA_ASK_ENROLL_TICKET)) {
			if (x.challenge)
				x.challenge->settled = true; // a push it gives up is not pending any more
			settle_next(&x, settlement->next);
		}
		settle_record(&x);
	}
	mem_leave(x.m);
	return WSMFA_STORE_OK;
}

/* What a push's row says, and who may hear it. */
static enum wsmfa_settle_status push_status(struct mem_challenge const *c, wsmfa_time_t at)
{
	if (strcmp(c->q.push_state, "approved") == 0)
		return WSMFA_SETTLE_RIGHT;
	if (strcmp(c->q.push_state, "denied") == 0)
		return WSMFA_SETTLE_DENIED;
	if (strcmp(c->q.push_state, "failed") == 0)
		return WSMFA_SETTLE_FAILED;
	return mem_push_pending(c, at) ? WSMFA_SETTLE_PENDING : WSMFA_SETTLE_EXPIRED;
}

enum wsmfa_store_result mem_op_wait(struct wsmfa_store *s, struct wsmfa_origin const *origin, int64_t challenge_id,
				    int64_t waiter, struct wsmfa_settled *out)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;
	struct mem_challenge *c;
	enum wsmfa_store_result r;

	if (!mem_enter(m, WSMFA_MEM_WAIT, &r))
		return r;
	memset(out, 0, sizeof(*out));
	out->locked_until = WSMFA_TIME_NONE;
	c = mem_challenge_find(m, challenge_id);
	if (c && c->settled) {
		*out = c->result;
	} else if (c && c->q.kind == WSMFA_ASK_PUSH) {
		c->waiter = waiter;
		out->status = push_status(c, origin->at);
	}
	mem_leave(m);
	return WSMFA_STORE_OK;
}

static void settle_pushed(struct settling *x, bool give_up, struct wsmfa_opening const *next)
{
	int64_t id = x->challenge->q.authenticator_id;
	enum wsmfa_settle_status status = push_status(x->challenge, x->origin->at);

	if (status == WSMFA_SETTLE_PENDING && give_up)
		status = WSMFA_SETTLE_EXPIRED;
	x->out->status = status;
	if (status == WSMFA_SETTLE_PENDING) {
		x->out->first = false;
		return;
	}
	if (status == WSMFA_SETTLE_DENIED) {
		failure_count(x, id);
		pair_fail(x);
	} else if (status == WSMFA_SETTLE_RIGHT) {
		x->out->status = x->pair->until > x->origin->at ? WSMFA_SETTLE_LOCKED : settle_right(x, &id);
	}
	x->challenge->settled = true;
	if (status == WSMFA_SETTLE_EXPIRED || status == WSMFA_SETTLE_FAILED)
		settle_next(x, next);
	settle_record(x);
}

enum wsmfa_store_result mem_op_settle_push(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					   struct wsmfa_limits const *limits, int64_t challenge_id, int64_t waiter,
					   bool give_up, struct wsmfa_opening const *next, struct wsmfa_settled *out)
{
	struct wsmfa_settlement const push = { .challenge_id = challenge_id,
					       .verdict = WSMFA_VERDICT_RIGHT,
					       .kind = WSMFA_ASK_PUSH,
					       .outcome = WSMFA_OUTCOME_ACCEPTED,
					       .reason = WSMFA_REASON_APPROVED };
	struct settling x = { .m = (struct wsmfa_mem *)s,
			      .origin = origin,
			      .limits = limits,
			      .s = &push,
			      .out = out };
	struct mem_challenge *c;
	enum wsmfa_store_result r;

	if (!mem_enter(x.m, WSMFA_MEM_SETTLE_PUSH, &r))
		return r;
	c = mem_challenge_find(x.m, challenge_id);
	if (c && c->waiter != waiter)
		*out = (struct wsmfa_settled) { .status = WSMFA_SETTLE_SUPERSEDED, .locked_until = WSMFA_TIME_NONE };
	else if (settle_begin(&x, c ? c->account_id : 0, challenge_id))
		settle_pushed(&x, give_up, next);
	mem_leave(x.m);
	return WSMFA_STORE_OK;
}
