/* The store in memory: how a question is opened, and the limits of what goes to a phone.
 * Apart from settling, because a settlement opens questions too. */
#include "store/store_mem_private.h"

static bool opening_is_sms(struct wsmfa_opening const *o)
{
	return (o->kind == WSMFA_ASK_SMS || o->kind == WSMFA_ASK_ENROLL_SMS) && o->code_mac && !o->keep_code;
}

static bool opening_is_push(struct wsmfa_opening const *o)
{
	return o->kind == WSMFA_ASK_PUSH && !o->keep_code;
}

/* The same packet again: account, client, station and digest are equal. */
static bool is_same_packet(struct mem_challenge const *c, struct wsmfa_origin const *origin, int64_t account_id,
			   struct wsmfa_opening const *o)
{
	return o->digest && c->has_digest && c->account_id == account_id && c->q.kind == o->kind &&
	       memcmp(c->digest, o->digest, WSMFA_HASH_LEN) == 0 && strcmp(c->client, origin->client) == 0 &&
	       strcmp(c->station, origin->station) == 0;
}

static void state_set(struct mem_challenge *c, uint8_t const *state_hash)
{
	c->has_state = state_hash != NULL;
	if (state_hash)
		memcpy(c->state_hash, state_hash, WSMFA_HASH_LEN);
}

/* The question whose code still stands for an identical packet, NULL for none. */
static struct mem_challenge *sms_reused(struct wsmfa_mem *m, struct wsmfa_origin const *origin, int64_t account_id,
					struct wsmfa_opening const *o)
{
	struct mem_challenge *c = m->challenges;

	for (; c; c = c->next) {
		if (is_same_packet(c, origin, account_id, o) && !c->code_used && origin->at < c->q.code_expires_at &&
		    wsmfa_mem_is_near(origin->at, c->q.opened_at, MEM_REPEAT_WITHIN) &&
		    strcmp(c->phone, o->phone) == 0 && c->has_state == (o->state_hash != NULL) &&
		    (c->has_state || !c->settled))
			break;
	}
	return c;
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
		bool approved = strcmp(c->q.push_state, "approved") == 0;
		bool joins = *origin->station && is_same_packet(c, origin, account_id, o);

		if (c->account_id != account_id || c->q.kind != WSMFA_ASK_PUSH)
			continue;
		if (wsmfa_mem_push_pending(c, origin->at) ||
		    (approved && joins && !c->settled && origin->at < c->q.code_expires_at)) {
			if (!joins || (c->taken && o->state_hash))
				return WSMFA_OPEN_BUSY;
			if (o->state_hash)
				state_set(c, o->state_hash);
			if (o->waiter)
				c->waiter = o->waiter;
			out->challenge_id = c->q.id;
			out->expires_at = c->q.expires_at;
			out->code_expires_at = c->q.code_expires_at;
			MEM_COPY(out->number, c->q.number);
			return WSMFA_OPEN_JOINED;
		}
		unanswered += c->q.opened_at > origin->at - WSMFA_HOUR && !c->push_answered;
	}
	return unanswered >= limits->push_max ? WSMFA_OPEN_PUSH_LIMIT : WSMFA_OPEN_OPENED;
}

static void code_set(struct mem_challenge *c, struct wsmfa_opening const *o)
{
	if (o->code_mac)
		memcpy(c->q.code_mac, o->code_mac, WSMFA_HASH_LEN);
	if (o->code_mac || o->kind == WSMFA_ASK_PUSH)
		c->q.code_expires_at = o->code_expires_at;
	MEM_COPY(c->q.number, o->number ? o->number : "");
	MEM_COPY(c->q.provider, o->provider ? o->provider : "");
	MEM_COPY(c->phone, o->phone ? o->phone : "");
	c->q.sealed_len = o->sealed ? o->sealed_len : 0;
	if (c->q.sealed_len)
		memcpy(c->q.sealed, o->sealed, c->q.sealed_len);
}

static void code_keep(struct mem_challenge *to, struct mem_challenge const *from)
{
	memcpy(to->q.code_mac, from->q.code_mac, sizeof(to->q.code_mac));
	memcpy(to->q.number, from->q.number, sizeof(to->q.number));
	memcpy(to->q.provider, from->q.provider, sizeof(to->q.provider));
	memcpy(to->q.sealed, from->q.sealed, sizeof(to->q.sealed));
	memcpy(to->phone, from->phone, sizeof(to->phone));
	to->q.code_expires_at = from->q.code_expires_at;
	to->q.sealed_len = from->q.sealed_len;
}

/* `keep` is the question whose code it keeps or reuses, NULL for none. */
static struct mem_challenge *challenge_add(struct wsmfa_mem *m, struct wsmfa_origin const *origin, int64_t account_id,
					   struct mem_challenge const *keep, struct wsmfa_opening const *o)
{
	struct mem_challenge *c = MEM_PUSH(m->challenges, struct mem_challenge);

	c->q.id = ++m->last_id;
	c->q.kind = o->kind;
	memcpy(c->q.login, keep && o->keep_code ? keep->q.login : o->login, sizeof(c->q.login));
	c->q.attempt = o->attempt;
	c->q.opened_at = origin->at;
	c->q.expires_at = o->expires_at;
	c->q.authenticator_id =
		keep && o->keep_code && keep->q.authenticator_id ? keep->q.authenticator_id : o->authenticator_id;
	c->q.code_expires_at = WSMFA_TIME_NONE;
	if (keep)
		code_keep(c, keep);
	else
		code_set(c, o);
	if (o->kind == WSMFA_ASK_PUSH)
		MEM_COPY(c->q.push_state, "pending");
	state_set(c, o->state_hash);
	c->account_id = account_id;
	MEM_COPY(c->client, origin->client);
	MEM_COPY(c->station, origin->station);
	c->has_digest = o->digest != NULL;
	if (o->digest)
		memcpy(c->digest, o->digest, WSMFA_HASH_LEN);
	c->waiter = o->waiter;
	return c;
}

/* A push that is on its way keeps its row, since the phone knows its id: the row is asked anew. */
static void push_ask_anew(struct mem_challenge *c, struct wsmfa_opening const *o, struct wsmfa_opened *out)
{
	if (c->q.kind != WSMFA_ASK_PUSH || c->settled ||
	    (strcmp(c->q.push_state, "pending") != 0 && strcmp(c->q.push_state, "approved") != 0))
		return;
	state_set(c, o->state_hash);
	c->q.attempt = o->attempt;
	c->q.expires_at = o->expires_at;
	c->taken = false;
	if (o->waiter)
		c->waiter = o->waiter;
	out->status = WSMFA_OPEN_OPENED;
	out->challenge_id = c->q.id;
	out->expires_at = c->q.expires_at;
	MEM_COPY(out->number, c->q.number);
}

/* One code sent in append mode at a time. */
static void sent_forget(struct wsmfa_mem *m, struct wsmfa_origin const *origin, int64_t account_id)
{
	for (struct mem_challenge *c = m->challenges; c; c = c->next) {
		if (!c->has_state && c->q.kind == WSMFA_ASK_SMS && c->account_id == account_id &&
		    strcmp(c->client, origin->client) == 0 && strcmp(c->station, origin->station) == 0)
			c->settled = true;
	}
}

/* What goes to a phone: joined, reused, refused, or counted. False: *out says how it ended. */
static bool phone_allows(struct wsmfa_mem *m, struct wsmfa_origin const *origin, struct wsmfa_limits const *limits,
			 struct mem_account *a, struct wsmfa_opening const *o, struct mem_challenge **keep,
			 struct wsmfa_opened *out)
{
	if (opening_is_push(o)) {
		out->status = push_status(m, origin, limits, a->a.id, o, out);
		return out->status == WSMFA_OPEN_OPENED;
	}
	*keep = sms_reused(m, origin, a->a.id, o);
	out->status = *keep ? WSMFA_OPEN_REUSED : WSMFA_OPEN_SMS_LIMIT;
	if (*keep && !(*keep)->taken && !(*keep)->settled) { // the newest packet holds the question
		state_set(*keep, o->state_hash);
		out->challenge_id = (*keep)->q.id;
		out->expires_at = (*keep)->q.expires_at;
		return false;
	}
	if (*keep)
		return true;
	if (!sms_within_limits(m, origin->at, limits, a, o->phone))
		return false;
	out->status = WSMFA_OPEN_OPENED;
	MEM_COPY(wsmfa_mem_mark(m, MEM_SMS, origin->at, a->a.id, a->a.organization_id)->phone, o->phone);
	return true;
}

/* A login ends an hour after its first question. */
static struct wsmfa_opening opening_in_time(struct wsmfa_mem *m, int64_t account_id, struct wsmfa_opening const *o)
{
	struct wsmfa_opening in_time = *o;

	for (struct mem_challenge *c = m->challenges; c; c = c->next) {
		if (c->account_id == account_id && memcmp(c->q.login, o->login, sizeof(c->q.login)) == 0 &&
		    in_time.expires_at > c->q.opened_at + WSMFA_HOUR)
			in_time.expires_at = c->q.opened_at + WSMFA_HOUR;
	}
	return in_time;
}

void wsmfa_mem_open(struct wsmfa_mem *m, struct wsmfa_origin const *origin, struct wsmfa_limits const *limits,
		    int64_t account_id, struct mem_challenge *before, struct wsmfa_opening const *opening,
		    struct wsmfa_opened *out)
{
	struct mem_account *a = wsmfa_mem_account_find(m, account_id);
	struct wsmfa_opening const in_time = opening_in_time(m, account_id, opening);
	struct wsmfa_opening const *o = &in_time;
	struct mem_challenge *keep = o->keep_code ? before : NULL;

	memset(out, 0, sizeof(*out));
	if (!a || a->a.disabled_at != WSMFA_TIME_NONE || o->sealed_len > WSMFA_SEALED_MAX || (o->keep_code && !before))
		return;
	if (keep && o->kind == WSMFA_ASK_PUSH) {
		push_ask_anew(keep, o, out);
		return;
	}
	if ((opening_is_sms(o) || opening_is_push(o)) && !phone_allows(m, origin, limits, a, o, &keep, out))
		return;
	if (!o->state_hash)
		sent_forget(m, origin, account_id);
	if (o->shows_banner)
		a->a.banner_shown_at = origin->at;
	if (out->status != WSMFA_OPEN_REUSED)
		out->status = WSMFA_OPEN_OPENED;
	out->challenge_id = challenge_add(m, origin, account_id, keep, o)->q.id;
	out->expires_at = o->expires_at;
	MEM_COPY(out->number, m->challenges->q.number);
}

void wsmfa_mem_unsent(struct wsmfa_mem *m, int64_t account_id, int64_t unsent, int64_t instead)
{
	for (struct mem_challenge *c = m->challenges; c; c = c->next) {
		if (c->q.id == unsent)
			c->has_digest = false; // an identical first packet does not wait for a code that nobody got
		if (!c->settled || c->account_id != account_id || c->result.next_id != unsent)
			continue;
		c->result.next_id = instead;
		c->result.next_status = WSMFA_OPEN_UNSENT;
	}
}

enum wsmfa_store_result wsmfa_mem_op_open(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					  struct wsmfa_limits const *limits, int64_t account_id,
					  struct wsmfa_opening const *opening, struct wsmfa_opened *out)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;
	struct mem_challenge *before;
	enum wsmfa_store_result r;

	if (!wsmfa_mem_enter(m, WSMFA_MEM_OPEN, &r))
		return r;
	before = m->challenges; // newest first
	while (before && (before->account_id != account_id || memcmp(before->q.login, opening->login, 16) != 0))
		before = before->next;
	wsmfa_mem_open(m, origin, limits, account_id, before, opening, out);
	if (opening->instead_of)
		wsmfa_mem_unsent(m, account_id, opening->instead_of, out->challenge_id);
	wsmfa_mem_leave(m);
	return WSMFA_STORE_OK;
}
