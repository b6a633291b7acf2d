/* The store in memory: how a question is opened, and the limits of what goes to a phone.
 * Apart from settling, because a settlement opens questions too. */
#include "store/store_mem_private.h"

static bool opening_sends(struct wsmfa_opening const *o)
{
	return o->phone && *o->phone && o->code_mac && !o->keep_code;
}

/* The same packet again: account, client, station and digest are equal. */
static bool is_same_packet(struct mem_challenge const *c, struct wsmfa_origin const *origin, int64_t account_id,
			   struct wsmfa_opening const *o)
{
	return o->digest && c->has_digest && c->account_id == account_id && c->q.kind == o->kind &&
	       memcmp(c->digest, o->digest, WSMFA_HASH_LEN) == 0 && strcmp(c->client, origin->client) == 0 &&
	       strcmp(c->station, origin->station) == 0;
}

/* The newest packet holds the question, whichever server answered the older one. */
static void state_move(struct mem_challenge *c, struct wsmfa_opening const *o)
{
	c->has_state = o->state_hash != NULL;
	if (o->state_hash)
		memcpy(c->state_hash, o->state_hash, WSMFA_HASH_LEN);
}

static bool sms_reused(struct wsmfa_mem *m, struct wsmfa_origin const *origin, int64_t account_id,
		       struct wsmfa_opening const *o, struct wsmfa_opened *out)
{
	struct mem_challenge *c;

	if (o->attempt != 1 || !opening_sends(o))
		return false;
	for (c = m->challenges; c; c = c->next) {
		if (is_same_packet(c, origin, account_id, o) && !c->taken && !c->settled &&
		    origin->at - c->q.opened_at <= MEM_REPEAT_WITHIN && origin->at < c->q.code_expires_at)
			break;
	}
	if (!c)
		return false;
	state_move(c, o);
	*out = (struct wsmfa_opened) { WSMFA_OPEN_REUSED, c->q.id, "", c->q.expires_at };
	return true;
}

static bool sms_within_limits(struct wsmfa_mem *m, wsmfa_time_t at, struct wsmfa_limits const *limits,
			      struct mem_account const *a, char const *phone)
{
	int32_t account = 0, number = 0, organization = 0, total = 0;

	for (struct mem_mark *k = m->marks; k; k = k->next) {
		bool hour = k->at > at - WSMFA_HOUR;

		if (k->kind != MEM_SMS)
			continue;
		account += hour && k->account_id == a->a.id;
		organization += hour && k->of == a->a.organization_id;
		total += hour;
		number += k->at > at - WSMFA_DAY && strcmp(k->phone, phone) == 0;
	}
	return account < limits->sms_max && number < limits->sms_number_max &&
	       (limits->sms_organization_max == 0 || organization < limits->sms_organization_max) &&
	       (limits->sms_total_max == 0 || total < limits->sms_total_max);
}

static enum wsmfa_open_status push_status(struct wsmfa_mem *m, struct wsmfa_origin const *origin,
					  struct wsmfa_limits const *limits, int64_t account_id,
					  struct wsmfa_opening const *o, struct wsmfa_opened *out)
{
	int32_t unanswered = 0;

	for (struct mem_challenge *c = m->challenges; c; c = c->next) {
		if (c->account_id != account_id || c->q.kind != WSMFA_ASK_PUSH)
			continue;
		if (mem_push_pending(c, origin->at)) {
			if (!*origin->station || !is_same_packet(c, origin, account_id, o))
				return WSMFA_OPEN_BUSY;
			state_move(c, o);
			c->waiter = o->waiter;
			out->challenge_id = c->q.id;
			out->expires_at = c->q.expires_at;
			MEM_COPY(out->number, c->q.number);
			return WSMFA_OPEN_JOINED;
		}
		unanswered += c->q.opened_at > origin->at - WSMFA_HOUR && strcmp(c->q.push_state, "approved") != 0 &&
			      strcmp(c->q.push_state, "denied") != 0;
	}
	return unanswered >= limits->push_max ? WSMFA_OPEN_PUSH_LIMIT : WSMFA_OPEN_OPENED;
}

static void code_keep(struct wsmfa_question *to, struct wsmfa_question const *from)
{
	memcpy(to->code_mac, from->code_mac, sizeof(to->code_mac));
	memcpy(to->number, from->number, sizeof(to->number));
	memcpy(to->provider, from->provider, sizeof(to->provider));
	memcpy(to->sealed, from->sealed, sizeof(to->sealed));
	to->code_expires_at = from->code_expires_at;
	to->sealed_len = from->sealed_len;
}

static struct mem_challenge *challenge_add(struct wsmfa_mem *m, struct wsmfa_origin const *origin, int64_t account_id,
					   struct mem_challenge const *before, struct wsmfa_opening const *o)
{
	struct mem_challenge *c = MEM_PUSH(m->challenges, struct mem_challenge);

	c->q.id = ++m->last_id;
	c->q.kind = o->kind;
	memcpy(c->q.login, o->login, sizeof(c->q.login));
	c->q.attempt = o->attempt;
	c->q.opened_at = origin->at;
	c->q.expires_at = o->expires_at;
	c->q.authenticator_id = o->authenticator_id;
	c->q.code_expires_at = WSMFA_TIME_NONE;
	if (o->keep_code && before) {
		code_keep(&c->q, &before->q);
	} else {
		if (o->code_mac)
			memcpy(c->q.code_mac, o->code_mac, WSMFA_HASH_LEN);
		if (o->code_mac || o->kind == WSMFA_ASK_PUSH)
			c->q.code_expires_at = o->code_expires_at;
		MEM_COPY(c->q.number, o->number ? o->number : "");
		MEM_COPY(c->q.provider, o->provider ? o->provider : "");
		c->q.sealed_len = o->sealed ? o->sealed_len : 0;
		if (c->q.sealed_len)
			memcpy(c->q.sealed, o->sealed, c->q.sealed_len);
	}
	if (o->kind == WSMFA_ASK_PUSH)
		MEM_COPY(c->q.push_state, "pending");
	state_move(c, o);
	c->account_id = account_id;
	MEM_COPY(c->client, origin->client);
	MEM_COPY(c->station, origin->station);
	c->has_digest = o->digest != NULL;
	if (o->digest)
		memcpy(c->digest, o->digest, WSMFA_HASH_LEN);
	c->waiter = o->waiter;
	return c;
}

void mem_open(struct wsmfa_mem *m, struct wsmfa_origin const *origin, struct wsmfa_limits const *limits,
	      int64_t account_id, struct mem_challenge const *before, struct wsmfa_opening const *o,
	      struct wsmfa_opened *out)
{
	struct mem_account *a = mem_account_find(m, account_id);

	memset(out, 0, sizeof(*out));
	if (!a || a->a.disabled_at != WSMFA_TIME_NONE || o->sealed_len > WSMFA_SEALED_MAX)
		return;
	if (sms_reused(m, origin, account_id, o, out))
		return;
	if (opening_sends(o) && !sms_within_limits(m, origin->at, limits, a, o->phone)) {
		out->status = WSMFA_OPEN_SMS_LIMIT;
		return;
	}
	if (o->kind == WSMFA_ASK_PUSH && !o->keep_code) {
		out->status = push_status(m, origin, limits, account_id, o, out);
		if (out->status != WSMFA_OPEN_OPENED)
			return;
	}
	if (opening_sends(o)) {
		struct mem_mark *sent = mem_mark(m, MEM_SMS, origin->at, account_id, a->a.organization_id);

		MEM_COPY(sent->phone, o->phone);
	}
	if (o->shows_banner)
		a->a.banner_shown_at = origin->at;
	out->status = WSMFA_OPEN_OPENED;
	out->challenge_id = challenge_add(m, origin, account_id, before, o)->q.id;
	out->expires_at = o->expires_at;
}

enum wsmfa_store_result mem_op_open(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				    struct wsmfa_limits const *limits, int64_t account_id,
				    struct wsmfa_opening const *opening, struct wsmfa_opened *out)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;
	struct mem_challenge *before;
	enum wsmfa_store_result r;

	if (!mem_enter(m, WSMFA_MEM_OPEN, &r))
		return r;
	before = m->challenges; // newest first: the question before of the same login
	while (before && (before->account_id != account_id || memcmp(before->q.login, opening->login, 16) != 0))
		before = before->next;
	mem_open(m, origin, limits, account_id, before, opening, out);
	mem_leave(m);
	return WSMFA_STORE_OK;
}
