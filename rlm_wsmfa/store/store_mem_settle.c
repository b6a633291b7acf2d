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
	struct mem_challenge *challenge; // NULL in append mode, until a sent code is found
	struct mem_challenge before;     // the challenge as it was
	struct mem_pair *pair;
	bool is_sent; // append mode: the challenge is a code that was sent
	struct wsmfa_settled *out;
};

static bool is_exhausted(struct settling *x, int64_t id)
{
	return wsmfa_mem_failures(x->m, x->account->a.id, id, x->limits->failure_days, x->origin->at) >=
	       x->limits->failure_budget;
}

/* Did this guess count against it within the last minute? Clients retry. */
static bool is_repeated(struct settling *x, int64_t id)
{
	struct mem_mark *k = x->s->guess_mac ? x->m->marks : NULL;

	while (k && !(k->kind == MEM_FAILURE && k->account_id == x->account->a.id && k->of == id && k->has_mac &&
		      memcmp(k->mac, x->s->guess_mac, WSMFA_HASH_LEN) == 0 &&
		      wsmfa_mem_is_near(x->origin->at, k->at, MEM_GUESS_WITHIN - 1)))
		k = k->next;
	return k != NULL;
}

/* What a wrong answer found in all that it was tried on. */
struct tried {
	bool live;    // one is enabled
	bool left;    // one has budget left
	bool counted; // it counted against one
};

static void failure_count(struct settling *x, int64_t id, struct tried *t)
{
	struct mem_authenticator *a = id ? wsmfa_mem_authenticator_find(x->account, id) : NULL;
	struct mem_mark *k;

	if (id && (!a || a->a.confirmed_at == WSMFA_TIME_NONE || a->a.disabled_at != WSMFA_TIME_NONE))
		return;
	t->live = true;
	if (is_exhausted(x, id))
		return;
	t->left = true;
	if (is_repeated(x, id))
		return;
	t->counted = true;
	k = wsmfa_mem_mark(x->m, MEM_FAILURE, x->origin->at, x->account->a.id, id);
	k->has_mac = x->s->guess_mac != NULL;
	if (k->has_mac)
		memcpy(k->mac, x->s->guess_mac, WSMFA_HASH_LEN);
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

static enum wsmfa_settle_status settle_wrong(struct settling *x, int64_t const *ids, size_t len, int64_t sent_id)
{
	struct tried t = { .live = false };

	for (size_t i = 0; i < len; i++)
		failure_count(x, ids[i], &t);
	if (sent_id || len == 0)
		failure_count(x, sent_id, &t);
	if (!t.live)
		return WSMFA_SETTLE_GONE;
	if (!t.left)
		return WSMFA_SETTLE_EXHAUSTED;
	if (t.counted)
		pair_fail(x);
	return WSMFA_SETTLE_WRONG;
}

/* A code that was sent: is it still good? It is used up in whatever question it stands. */
static enum wsmfa_settle_status settle_code(struct settling *x, enum wsmfa_question_kind kind)
{
	struct mem_challenge *q = x->challenge;

	if (!q || q->q.kind != kind || x->origin->at >= q->q.code_expires_at)
		return WSMFA_SETTLE_GONE;
	if (q->code_used)
		return WSMFA_SETTLE_REPLAYED;
	for (struct mem_challenge *c = x->m->challenges; c; c = c->next) {
		if (c->account_id == q->account_id && memcmp(c->q.code_mac, q->q.code_mac, WSMFA_HASH_LEN) == 0)
			c->code_used = true;
	}
	return WSMFA_SETTLE_RIGHT;
}

static bool same_login(struct mem_challenge const *a, struct mem_challenge const *b)
{
	return a->account_id == b->account_id && memcmp(a->q.login, b->q.login, sizeof(a->q.login)) == 0;
}

static bool has_ticket(struct settling *x)
{
	struct mem_challenge *c = x->m->challenges;

	while (c && !(c->ticket_given && same_login(c, x->challenge)))
		c = c->next;
	return c != NULL;
}

static enum wsmfa_settle_status settle_enroll(struct settling *x)
{
	struct mem_challenge *q = x->challenge;
	struct wsmfa_authenticator a = { .disabled_at = WSMFA_TIME_NONE, .last_step = -1 };
	enum wsmfa_settle_status status;

	if (!q || !q->q.authenticator_id || x->account->authenticators_len == WSMFA_AUTHENTICATORS_MAX)
		return WSMFA_SETTLE_GONE;
	if (x->s->needs_ticket && !has_ticket(x))
		return WSMFA_SETTLE_GONE;
	if (wsmfa_mem_enrolled(x->account))
		return WSMFA_SETTLE_ENROLLED;
	a.id = q->q.authenticator_id;
	a.confirmed_at = x->origin->at;
	MEM_COPY(a.label, "enrolled at login");
	if (q->q.kind == WSMFA_ASK_ENROLL_SMS) {
		status = settle_code(x, WSMFA_ASK_ENROLL_SMS);
		if (status != WSMFA_SETTLE_RIGHT)
			return status;
		a.kind = WSMFA_KIND_SMS;
		MEM_COPY(a.phone, x->s->phone && *x->s->phone ? x->s->phone : q->phone);
	} else if (q->q.kind == WSMFA_ASK_ENROLL_TOTP) {
		a.kind = WSMFA_KIND_TOTP;
		a.digits = 6;
		a.period = 30;
		a.last_step = x->s->step;
		a.drift = x->s->drift;
		a.sealed_len = x->s->sealed ? x->s->sealed_len : q->q.sealed_len;
		memcpy(a.sealed, x->s->sealed ? x->s->sealed : q->q.sealed, a.sealed_len);
	} else {
		return WSMFA_SETTLE_GONE;
	}
	x->account->authenticators[x->account->authenticators_len++] = (struct mem_authenticator) { .a = a };
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

/* What it was for could not be asked. */
static void ticket_keep(struct settling *x)
{
	for (struct mem_mark *k = x->m->marks; k; k = k->next) {
		if (k->kind == MEM_TICKET && k->account_id == x->account->a.id && x->s->ticket_hash &&
		    memcmp(k->mac, x->s->ticket_hash, WSMFA_HASH_LEN) == 0)
			k->used = false;
	}
}

static enum wsmfa_settle_status settle_recovery(struct settling *x, struct mem_authenticator *a)
{
	enum wsmfa_settle_status status = WSMFA_SETTLE_REPLAYED;
	int32_t left = 0;

	for (size_t i = 0; i < a->codes_len; i++) {
		if (!a->codes[i].used && memcmp(a->codes[i].hash, x->s->recovery_hash, WSMFA_HASH_LEN) == 0) {
			status = WSMFA_SETTLE_RIGHT;
			a->codes[i].used = true;
		}
		left += !a->codes[i].used;
	}
	if (status == WSMFA_SETTLE_RIGHT)
		x->out->codes_left = left;
	return status;
}

/* Whether a recovery code is right is known only here. */
static bool is_recovery_code(struct settling *x)
{
	struct mem_authenticator *a =
		x->s->authenticators_len ? wsmfa_mem_authenticator_find(x->account, x->s->authenticators[0]) : NULL;

	for (size_t i = 0; a && i < a->codes_len; i++) {
		if (memcmp(a->codes[i].hash, x->s->recovery_hash, WSMFA_HASH_LEN) == 0)
			return true;
	}
	return false;
}

static enum wsmfa_settle_status settle_totp(struct settling *x, struct mem_authenticator *a)
{
	if (x->s->step <= a->a.last_step)
		return WSMFA_SETTLE_REPLAYED;
	a->a.last_step = x->s->step;
	a->a.drift = x->s->drift;
	return WSMFA_SETTLE_RIGHT;
}

static enum wsmfa_settle_status settle_authenticator(struct settling *x, int64_t id, enum wsmfa_kind kind)
{
	struct mem_authenticator *a = wsmfa_mem_authenticator_find(x->account, id);
	enum wsmfa_settle_status status;

	if (!a || a->a.kind != kind || a->a.confirmed_at == WSMFA_TIME_NONE || a->a.disabled_at != WSMFA_TIME_NONE)
		return WSMFA_SETTLE_GONE;
	if (is_exhausted(x, id))
		return WSMFA_SETTLE_EXHAUSTED;
	switch (kind) {
	case WSMFA_KIND_TOTP: status = settle_totp(x, a); break;
	case WSMFA_KIND_SMS: status = settle_code(x, WSMFA_ASK_SMS); break;
	case WSMFA_KIND_RECOVERY: status = x->s->recovery_hash ? settle_recovery(x, a) : WSMFA_SETTLE_REPLAYED; break;
	case WSMFA_KIND_PUSH: status = WSMFA_SETTLE_RIGHT; break; // its row said so
	default: return WSMFA_SETTLE_GONE;
	}
	if (status == WSMFA_SETTLE_RIGHT)
		a->consecutive = 0;
	return status;
}

static enum wsmfa_kind asked_kind(enum wsmfa_question_kind ask)
{
	switch (ask) {
	case WSMFA_ASK_TOTP: return WSMFA_KIND_TOTP;
	case WSMFA_ASK_SMS: return WSMFA_KIND_SMS;
	case WSMFA_ASK_RECOVERY: return WSMFA_KIND_RECOVERY;
	default: return WSMFA_KIND_NONE; // a push is settled by settle_push, the others prove nothing
	}
}

static enum wsmfa_settle_status settle_right(struct settling *x, int64_t id, enum wsmfa_kind kind)
{
	enum wsmfa_settle_status status;

	if ((x->s->ticket_hash || x->s->enroll) && is_exhausted(x, 0))
		return WSMFA_SETTLE_EXHAUSTED;
	if (x->s->ticket_hash)
		status = settle_ticket(x);
	else if (x->s->enroll)
		status = settle_enroll(x);
	else
		status = settle_authenticator(x, id, kind);
	if (status == WSMFA_SETTLE_RIGHT) {
		x->pair->failures = 0;
		x->pair->until = WSMFA_TIME_NONE;
	}
	return status;
}

/* Is the guess this code, which let somebody in before? Some clients send it again. */
static bool is_used_code(struct settling *x, struct mem_challenge const *c)
{
	return c->code_used && x->s->guess_mac && memcmp(c->q.code_mac, x->s->guess_mac, WSMFA_HASH_LEN) == 0;
}

/* Append mode: is the guess the code that was sent to this client and station? Wrong ones void it in the end. */
static enum wsmfa_settle_status settle_sent(struct settling *x)
{
	enum wsmfa_settle_status status;
	struct mem_challenge *c = x->m->challenges;

	while (c && (c->has_state || (c->settled && !is_used_code(x, c)) || c->q.kind != WSMFA_ASK_SMS ||
		     c->account_id != x->account->a.id || x->origin->at >= c->q.code_expires_at ||
		     strcmp(c->client, x->origin->client) != 0 || strcmp(c->station, x->origin->station) != 0))
		c = c->next;
	if (!c)
		return settle_wrong(x, x->s->authenticators, x->s->authenticators_len, 0);
	x->challenge = c;
	x->is_sent = true;
	if (x->s->guess_mac && memcmp(c->q.code_mac, x->s->guess_mac, WSMFA_HASH_LEN) == 0)
		return settle_right(x, c->q.authenticator_id, WSMFA_KIND_SMS);
	status = settle_wrong(x, x->s->authenticators, x->s->authenticators_len, c->q.authenticator_id);
	if (++c->guesses >= x->limits->max_attempts)
		c->settled = true;
	return status;
}

static enum wsmfa_settle_status settle_judge(struct settling *x)
{
	if (x->account->a.disabled_at != WSMFA_TIME_NONE)
		return WSMFA_SETTLE_GONE;
	if (x->s->verdict == WSMFA_VERDICT_ASIDE)
		return WSMFA_SETTLE_ASIDE;
	if (x->pair->until > x->origin->at) {
		x->out->locked_until = x->pair->until;
		return WSMFA_SETTLE_LOCKED;
	}
	if (x->s->verdict == WSMFA_VERDICT_RIGHT && (!x->s->recovery_hash || is_recovery_code(x)))
		return settle_right(x, x->s->authenticators_len ? x->s->authenticators[0] : 0, asked_kind(x->s->kind));
	if (x->s->verdict == WSMFA_VERDICT_WRONG && x->s->guess_may_be_sent)
		return settle_sent(x);
	return settle_wrong(x, x->s->authenticators, x->s->authenticators_len, 0);
}

static void settle_next(struct settling *x, struct wsmfa_opening const *next)
{
	struct wsmfa_opened opened;

	if (!next)
		return;
	wsmfa_mem_open(x->m, x->origin, x->limits, x->account->a.id, x->challenge, next, &opened);
	x->out->next_status = opened.status;
	x->out->next_id = opened.challenge_id;
	if (!opened.challenge_id && x->out->status == WSMFA_SETTLE_RIGHT)
		ticket_keep(x);
}

/* What the answer became, unless it became what the caller said. */
static void settle_meaning(struct settling *x)
{
	static struct {
		enum wsmfa_outcome outcome;
		enum wsmfa_reason reason;
	} const meaning[] = {
		[WSMFA_SETTLE_GONE] = { WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD },
		[WSMFA_SETTLE_RIGHT] = { WSMFA_OUTCOME_ACCEPTED, WSMFA_REASON_PROVEN },
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

	x->out->outcome = x->s->outcome;
	x->out->reason = x->s->reason;
	if (x->out->status == own[x->s->verdict])
		return;
	x->out->outcome = meaning[x->out->status].outcome;
	x->out->reason = meaning[x->out->status].reason;
	if (x->out->status == WSMFA_SETTLE_GONE && x->account->a.disabled_at != WSMFA_TIME_NONE)
		x->out->reason = WSMFA_REASON_DISABLED;
}

/* A push that is given up is not pending any more; an approval that comes to nothing is void. */
static void push_void(struct settling *x, struct wsmfa_opening const *next)
{
	struct mem_challenge *c = x->challenge;
	bool goes_on = x->out->status == WSMFA_SETTLE_ASIDE && next && next->kind == WSMFA_ASK_PUSH && next->keep_code;

	if (c && strcmp(c->q.push_state, "pending") == 0 && !goes_on)
		MEM_COPY(c->q.push_state, "void");
}

/* A repeat of the answer is told what it became. A push that goes on keeps its row; the spent State gets one of its own. */
static void settle_record(struct settling *x, int64_t by)
{
	struct mem_challenge *c = x->challenge;

	if (!c || (x->is_sent && x->out->status != WSMFA_SETTLE_RIGHT))
		return;
	if (x->out->next_id == c->q.id) {
		struct mem_challenge *spent = MEM_PUSH(x->m->challenges, struct mem_challenge);
		struct mem_challenge *next = spent->next;

		*spent = x->before;
		spent->next = next;
		spent->q.id = ++x->m->last_id;
		spent->push_answered = true; // it is the same push: it counts once
		MEM_COPY(spent->q.push_state, "void");
		c = spent;
	}
	if (!c->taken && !x->is_sent && x->s->kind != WSMFA_ASK_PUSH)
		wsmfa_mem_unsent(x->m, c->account_id, c->q.id, x->out->next_id);
	c->ticket_given = x->s->kind == WSMFA_ASK_ENROLL_TICKET && x->out->status == WSMFA_SETTLE_RIGHT;
	c->settled = true;
	c->settled_by = by;
	c->result = (struct wsmfa_settled) { .status = WSMFA_SETTLE_REPEAT,
					     .outcome = x->out->outcome,
					     .reason = x->out->reason,
					     .locked_until = WSMFA_TIME_NONE,
					     .next_id = x->out->next_id,
					     .next_status = x->out->next_status };
	if (strcmp(c->q.push_state, "approved") == 0 && x->out->status != WSMFA_SETTLE_RIGHT &&
	    x->s->kind == WSMFA_ASK_PUSH && x->s->verdict == WSMFA_VERDICT_RIGHT)
		MEM_COPY(c->q.push_state, "void");
}

static void settled_clear(struct wsmfa_settled *out)
{
	memset(out, 0, sizeof(*out));
	out->locked_until = WSMFA_TIME_NONE;
}

/* Finds what is to be settled. False: *out says already how it ended. */
static bool settle_begin(struct settling *x)
{
	settled_clear(x->out);
	x->out->outcome = x->s->outcome;
	x->out->reason = x->s->reason;
	x->account = wsmfa_mem_account_find(x->m, x->s->account_id);
	if (!x->account)
		return false;
	if (x->s->challenge_id) {
		x->challenge = wsmfa_mem_challenge_find(x->m, x->s->challenge_id);
		if (!x->challenge || x->challenge->account_id != x->s->account_id ||
		    (!x->challenge->taken && x->s->verdict != WSMFA_VERDICT_ASIDE))
			return false;
		if (x->challenge->settled) {
			*x->out = x->challenge->result;
			return false;
		}
		x->before = *x->challenge;
	}
	x->out->first = true;
	x->pair = wsmfa_mem_pair_get(x->m, x->account->a.id, x->origin->client, x->origin->station);
	return true;
}

enum wsmfa_store_result wsmfa_mem_op_settle(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					    struct wsmfa_limits const *limits,
					    struct wsmfa_settlement const *settlement, struct wsmfa_settled *out)
{
	struct settling x = {
		.m = (struct wsmfa_mem *)s, .origin = origin, .limits = limits, .s = settlement, .out = out
	};
	enum wsmfa_store_result r;

	if (!wsmfa_mem_enter(x.m, WSMFA_MEM_SETTLE, &r))
		return r;
	if (settle_begin(&x)) {
		out->status = settle_judge(&x);
		settle_meaning(&x);
		push_void(&x, settlement->next);
		if (out->status == WSMFA_SETTLE_ASIDE ||
		    (out->status == WSMFA_SETTLE_WRONG && out->locked_until == WSMFA_TIME_NONE && !out->disabled) ||
		    (out->status == WSMFA_SETTLE_RIGHT && settlement->kind == WSMFA_ASK_ENROLL_TICKET))
			settle_next(&x, settlement->next);
		settle_record(&x, 0);
	}
	wsmfa_mem_leave(x.m);
	return WSMFA_STORE_OK;
}

/* What a push's row says. */
static enum wsmfa_settle_status push_status(struct mem_challenge const *c, wsmfa_time_t at)
{
	if (strcmp(c->q.push_state, "approved") == 0)
		return WSMFA_SETTLE_RIGHT;
	if (strcmp(c->q.push_state, "denied") == 0)
		return WSMFA_SETTLE_DENIED;
	if (strcmp(c->q.push_state, "failed") == 0)
		return WSMFA_SETTLE_FAILED;
	return wsmfa_mem_push_pending(c, at) ? WSMFA_SETTLE_PENDING : WSMFA_SETTLE_EXPIRED;
}

/* The push, if it can still be settled; else *out says how it ended. */
static struct mem_challenge *push_find(struct wsmfa_mem *m, int64_t id, struct wsmfa_settled *out)
{
	struct mem_challenge *c = wsmfa_mem_challenge_find(m, id);

	settled_clear(out);
	if (!c || c->q.kind != WSMFA_ASK_PUSH)
		return NULL;
	if (!c->settled)
		return c;
	*out = c->result;
	return NULL;
}

enum wsmfa_store_result wsmfa_mem_op_wait(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					  int64_t challenge_id, int64_t waiter, struct wsmfa_settled *out)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;
	struct mem_challenge *c;
	enum wsmfa_store_result r;

	if (!wsmfa_mem_enter(m, WSMFA_MEM_WAIT, &r))
		return r;
	c = push_find(m, challenge_id, out);
	out->next_id = 0;
	out->next_status = WSMFA_OPEN_REFUSED;
	if (c) {
		c->waiter = waiter;
		out->status = push_status(c, origin->at);
	}
	wsmfa_mem_leave(m);
	return WSMFA_STORE_OK;
}

static void settle_pushed(struct settling *x, int64_t waiter, bool give_up, struct wsmfa_opening const *next)
{
	struct mem_challenge *c = x->challenge;
	int64_t id = c->q.authenticator_id;
	enum wsmfa_settle_status status = push_status(c, x->origin->at);

	if (status == WSMFA_SETTLE_PENDING && give_up)
		status = WSMFA_SETTLE_EXPIRED;
	x->out->status = status;
	if (status == WSMFA_SETTLE_PENDING)
		return;
	x->out->first = true;
	if (status == WSMFA_SETTLE_DENIED)
		(void)settle_wrong(x, &id, 1, 0);
	else if (status == WSMFA_SETTLE_RIGHT &&
		 (x->account->a.disabled_at != WSMFA_TIME_NONE || !wsmfa_mem_allows(x->m, x->account, WSMFA_KIND_PUSH)))
		x->out->status = WSMFA_SETTLE_GONE;
	else if (status == WSMFA_SETTLE_RIGHT && x->pair->until > x->origin->at)
		x->out->status = WSMFA_SETTLE_LOCKED;
	else if (status == WSMFA_SETTLE_RIGHT)
		x->out->status = settle_right(x, id, WSMFA_KIND_PUSH);
	if (x->out->status == WSMFA_SETTLE_LOCKED)
		x->out->locked_until = x->pair->until;
	settle_meaning(x);
	push_void(x, NULL);
	if ((status == WSMFA_SETTLE_EXPIRED || status == WSMFA_SETTLE_FAILED) &&
	    x->account->a.disabled_at == WSMFA_TIME_NONE)
		settle_next(x, next);
	settle_record(x, waiter);
	if (!c->taken)
		wsmfa_mem_unsent(x->m, c->account_id, c->q.id, x->out->next_id);
}

enum wsmfa_store_result wsmfa_mem_op_settle_push(struct wsmfa_store *s, struct wsmfa_origin const *origin,
						 struct wsmfa_limits const *limits, int64_t challenge_id,
						 int64_t waiter, bool give_up, struct wsmfa_opening const *next,
						 struct wsmfa_settled *out)
{
	struct wsmfa_settlement const push = { .challenge_id = challenge_id,
					       .verdict = WSMFA_VERDICT_RIGHT,
					       .kind = WSMFA_ASK_PUSH,
					       .outcome = WSMFA_OUTCOME_ACCEPTED,
					       .reason = WSMFA_REASON_APPROVED };
	struct settling x = { .m = (struct wsmfa_mem *)s, .origin = origin, .limits = limits, .s = &push, .out = out };
	enum wsmfa_store_result r;

	if (!wsmfa_mem_enter(x.m, WSMFA_MEM_SETTLE_PUSH, &r))
		return r;
	x.challenge = push_find(x.m, challenge_id, out);
	if (out->status == WSMFA_SETTLE_REPEAT && wsmfa_mem_challenge_find(x.m, challenge_id)->settled_by != waiter)
		out->status = WSMFA_SETTLE_SUPERSEDED;
	if (x.challenge)
		x.account = wsmfa_mem_account_find(x.m, x.challenge->account_id);
	if (x.account) {
		x.pair = wsmfa_mem_pair_get(x.m, x.account->a.id, x.challenge->client, x.challenge->station);
		if (x.challenge->waiter != waiter)
			out->status = WSMFA_SETTLE_SUPERSEDED;
		else
			settle_pushed(&x, waiter, give_up, next);
	}
	wsmfa_mem_leave(x.m);
	return WSMFA_STORE_OK;
}
