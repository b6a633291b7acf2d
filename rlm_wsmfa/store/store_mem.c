/* The store in memory: its rows, how a login is loaded and a question taken, faults and hooks.
 * Apart from store_mem_setup.c, which tests call, and from the other calls, because every one of them stands on this. */
#include <stdlib.h>

#include "store/store_mem_private.h"

void *wsmfa_mem_push(void **list, size_t size)
{
	void **row = calloc(1, size);

	if (!row)
		abort();
	*row = *list; // every row's first member is its `next`
	*list = row;
	return row;
}

void wsmfa_mem_copy(char *to, size_t size, char const *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

bool wsmfa_mem_enter(struct wsmfa_mem *m, enum wsmfa_mem_call call, enum wsmfa_store_result *result)
{
	void (*hook)(struct wsmfa_store *, void *);
	void *ctx;

	pthread_mutex_lock(&m->lock);
	m->calls[call].count++;
	hook = m->calls[call].hook;
	ctx = m->calls[call].hook_ctx;
	m->calls[call].hook = NULL;
	if (hook) {
		pthread_mutex_unlock(&m->lock);
		hook(&m->store, ctx);
		pthread_mutex_lock(&m->lock);
	}
	if (!m->calls[call].has_fault)
		return true;
	m->calls[call].has_fault = false;
	*result = m->calls[call].fault;
	pthread_mutex_unlock(&m->lock);
	return false;
}

void wsmfa_mem_leave(struct wsmfa_mem *m)
{
	pthread_mutex_unlock(&m->lock);
}

struct mem_account *wsmfa_mem_account_find(struct wsmfa_mem *m, int64_t id)
{
	struct mem_account *a = m->accounts;

	while (a && a->a.id != id)
		a = a->next;
	return a;
}

struct mem_authenticator *wsmfa_mem_authenticator_find(struct mem_account *a, int64_t id)
{
	for (size_t i = 0; i < a->authenticators_len; i++) {
		if (a->authenticators[i].a.id == id)
			return &a->authenticators[i];
	}
	return NULL;
}

struct mem_challenge *wsmfa_mem_challenge_find(struct wsmfa_mem *m, int64_t id)
{
	struct mem_challenge *c = m->challenges;

	while (c && c->q.id != id)
		c = c->next;
	return c;
}

struct mem_pair *wsmfa_mem_pair_get(struct wsmfa_mem *m, int64_t account_id, char const *client, char const *station)
{
	struct mem_pair *p = m->pairs;
	char key[sizeof(p->station)] = "client:";

	if (*station)
		MEM_COPY(key, station);
	else
		wsmfa_mem_copy(key + strlen(key), sizeof(key) - strlen(key), client);
	while (p && (p->account_id != account_id || strcmp(p->station, key) != 0))
		p = p->next;
	if (!p) {
		p = MEM_PUSH(m->pairs, struct mem_pair);
		p->account_id = account_id;
		p->until = WSMFA_TIME_NONE;
		MEM_COPY(p->station, key);
	}
	return p;
}

struct mem_mark *wsmfa_mem_mark(struct wsmfa_mem *m, enum mem_mark_kind kind, wsmfa_time_t at, int64_t account_id,
				int64_t of)
{
	struct mem_mark *mark = MEM_PUSH(m->marks, struct mem_mark);

	mark->kind = kind;
	mark->at = at;
	mark->account_id = account_id;
	mark->of = of;
	return mark;
}

int32_t wsmfa_mem_failures(struct wsmfa_mem *m, int64_t account_id, int64_t id, int32_t days, wsmfa_time_t at)
{
	int32_t n = 0;

	for (struct mem_mark *k = m->marks; k; k = k->next)
		n += k->kind == MEM_FAILURE && k->account_id == account_id && k->of == id &&
		     k->at > at - days * WSMFA_DAY;
	return n;
}

bool wsmfa_mem_enrolled(struct mem_account const *a)
{
	for (size_t i = 0; i < a->authenticators_len; i++) {
		struct wsmfa_authenticator const *k = &a->authenticators[i].a;

		if (k->kind != WSMFA_KIND_RECOVERY && k->confirmed_at != WSMFA_TIME_NONE)
			return true;
	}
	return false;
}

bool wsmfa_mem_is_near(wsmfa_time_t a, wsmfa_time_t b, wsmfa_time_t within)
{
	return a - b <= within && b - a <= within; // two servers' clocks
}

bool wsmfa_mem_push_pending(struct mem_challenge const *c, wsmfa_time_t at)
{
	return c->q.kind == WSMFA_ASK_PUSH && !c->settled && strcmp(c->q.push_state, "pending") == 0 &&
	       at < c->q.code_expires_at;
}

static struct mem_schedule *schedule_find(struct mem_schedule *list, int64_t id, char const *code)
{
	while (list && (list->id != id || strcmp(list->code, code) != 0))
		list = list->next;
	return list;
}

/* The earliest time from which one of the services requires MFA of the account; a service that nobody knows always has. */
static void service_scope(struct wsmfa_mem *m, char const *code, wsmfa_time_t at, struct wsmfa_account *out)
{
	struct mem_schedule *service = schedule_find(m->services, 0, code);
	wsmfa_time_t from = service ? service->enforce_from : -WSMFA_TIME_FOREVER;

	if (from == WSMFA_TIME_NONE || at < from)
		return;
	if (from < out->created_at)
		from = out->created_at;
	if (!out->in_scope || from < out->in_scope_from)
		out->in_scope_from = from;
	out->in_scope = true;
}

static uint32_t allowed_kinds(struct wsmfa_mem *m, int64_t organization_id)
{
	struct mem_schedule *org = schedule_find(m->organizations, organization_id, "");

	return org ? org->allowed_kinds : ~0u;
}

bool wsmfa_mem_allows(struct wsmfa_mem *m, struct mem_account const *a, enum wsmfa_kind kind)
{
	return allowed_kinds(m, a->a.organization_id) & (1U << (unsigned)kind);
}

static void stage_load(struct wsmfa_mem *m, wsmfa_time_t at, struct wsmfa_account *out)
{
	struct mem_schedule *org = schedule_find(m->organizations, out->organization_id, "");
	struct mem_schedule *s = org;

	out->allowed_kinds = allowed_kinds(m, out->organization_id);
	if (!s || (s->announce_from == WSMFA_TIME_NONE && s->enforce_from == WSMFA_TIME_NONE))
		s = schedule_find(m->regions, 0, out->region);
	out->announce_from = s ? s->announce_from : WSMFA_TIME_NONE;
	out->enforce_from = s ? s->enforce_from : WSMFA_TIME_NONE;
	if (!s || at >= s->enforce_from)
		out->stage = WSMFA_STAGE_ENFORCE;
	else
		out->stage = at >= s->announce_from ? WSMFA_STAGE_ANNOUNCE : WSMFA_STAGE_OBSERVE;
}

static void authenticators_load(struct wsmfa_mem *m, struct mem_account const *a, wsmfa_time_t at,
				struct wsmfa_account *out)
{
	out->authenticators_len = 0;
	for (size_t i = 0; i < a->authenticators_len; i++) {
		struct mem_authenticator const *from = &a->authenticators[i];
		struct wsmfa_authenticator *to = &out->authenticators[out->authenticators_len];

		if (from->a.confirmed_at == WSMFA_TIME_NONE)
			continue;
		out->authenticators_len++;
		*to = from->a;
		to->failures = wsmfa_mem_failures(m, a->a.id, from->a.id, 30, at);
		to->codes_left = 0;
		for (size_t j = 0; j < from->codes_len; j++)
			to->codes_left += !from->codes[j].used;
	}
}

void wsmfa_mem_load(struct wsmfa_mem *m, struct wsmfa_origin const *origin, struct wsmfa_account *out)
{
	struct mem_account const *a = m->accounts;
	wsmfa_time_t at = origin->at, until;

	memset(out, 0, sizeof(*out));
	while (a && strcmp(a->a.name, origin->account) != 0)
		a = a->next;
	if (!a)
		return;
	*out = a->a;
	out->known = true;
	until = wsmfa_mem_pair_get(m, out->id, origin->client, origin->station)->until;
	out->locked_until = until > at ? until : WSMFA_TIME_NONE;
	out->failures = wsmfa_mem_failures(m, out->id, 0, 30, at);
	out->in_scope = false;
	out->in_scope_from = WSMFA_TIME_NONE;
	for (size_t i = 0; i < a->services_len; i++)
		service_scope(m, a->services[i], at, out);
	service_scope(m, origin->service, at, out);
	stage_load(m, at, out);
	for (struct mem_mark *t = m->marks; t; t = t->next) {
		if (t->kind != MEM_TICKET || t->account_id != out->id || t->used || at >= t->at || out->has_ticket ||
		    wsmfa_mem_enrolled(a))
			continue;
		out->has_ticket = true;
		memcpy(out->ticket_hash, t->mac, WSMFA_HASH_LEN);
	}
	authenticators_load(m, a, at, out);
	if (!wsmfa_mem_enrolled(a))
		out->spare_authenticator_id = ++m->last_id;
}

static enum wsmfa_store_result mem_op_load(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					   struct wsmfa_account *out)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;
	enum wsmfa_store_result r;

	if (!wsmfa_mem_enter(m, WSMFA_MEM_LOAD, &r))
		return r;
	wsmfa_mem_load(m, origin, out);
	wsmfa_mem_leave(m);
	return WSMFA_STORE_OK;
}

static bool take_is_foreign(struct wsmfa_mem *m, struct mem_challenge const *c, struct wsmfa_origin const *origin)
{
	struct mem_account const *a = wsmfa_mem_account_find(m, c->account_id);

	return !a || strcmp(a->a.name, origin->account) != 0 || strcmp(c->client, origin->client) != 0 ||
	       (*c->station && *origin->station && strcmp(c->station, origin->station) != 0);
}

static enum wsmfa_take_status take(struct wsmfa_mem *m, struct mem_challenge *c, struct wsmfa_origin const *origin,
				   uint8_t const *answer_mac, uint8_t const *digest)
{
	if (take_is_foreign(m, c, origin))
		return WSMFA_TAKE_FOREIGN;
	if (c->taken) {
		bool same = memcmp(c->answer_mac, answer_mac, WSMFA_HASH_LEN) == 0 &&
			    strcmp(c->station, origin->station) == 0;
		bool joins = digest && c->has_answer_digest && memcmp(c->answer_digest, digest, WSMFA_HASH_LEN) == 0;

		if (same && (wsmfa_mem_is_near(origin->at, c->taken_at, MEM_REPEAT_WITHIN) ||
			     (joins && wsmfa_mem_push_pending(c, origin->at))))
			return WSMFA_TAKE_REPEAT;
		return WSMFA_TAKE_SPENT;
	}
	if (origin->at >= c->q.expires_at)
		return WSMFA_TAKE_EXPIRED;
	c->taken = true;
	c->taken_at = origin->at;
	memcpy(c->answer_mac, answer_mac, WSMFA_HASH_LEN);
	c->has_answer_digest = digest != NULL;
	if (digest)
		memcpy(c->answer_digest, digest, WSMFA_HASH_LEN);
	return WSMFA_TAKE_TAKEN;
}

static enum wsmfa_store_result mem_op_take(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					   uint8_t const *state_hash, uint8_t const *answer_mac, uint8_t const *digest,
					   enum wsmfa_take_status *status, struct wsmfa_question *question,
					   struct wsmfa_account *account)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;
	struct mem_challenge *c;
	enum wsmfa_store_result r;

	if (!wsmfa_mem_enter(m, WSMFA_MEM_TAKE, &r))
		return r;
	c = m->challenges;
	while (c && (!c->has_state || memcmp(c->state_hash, state_hash, WSMFA_HASH_LEN) != 0))
		c = c->next;
	*status = c ? take(m, c, origin, answer_mac, digest) : WSMFA_TAKE_UNKNOWN;
	memset(question, 0, sizeof(*question));
	if (*status == WSMFA_TAKE_TAKEN || *status == WSMFA_TAKE_REPEAT)
		*question = c->q;
	wsmfa_mem_load(m, origin, account);
	wsmfa_mem_leave(m);
	return WSMFA_STORE_OK;
}

static void list_free(void *list)
{
	while (list) {
		void *next = *(void **)list;

		free(list);
		list = next;
	}
}

static void mem_op_free(struct wsmfa_store *s)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;

	list_free(m->regions);
	list_free(m->organizations);
	list_free(m->services);
	list_free(m->accounts);
	list_free(m->pairs);
	list_free(m->marks);
	list_free(m->challenges);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static struct wsmfa_store_ops const mem_ops = {
	.load = mem_op_load,
	.take = mem_op_take,
	.open = wsmfa_mem_op_open,
	.settle = wsmfa_mem_op_settle,
	.wait = wsmfa_mem_op_wait,
	.settle_push = wsmfa_mem_op_settle_push,
	.free = mem_op_free,
};

struct wsmfa_store *wsmfa_mem_new(void)
{
	struct wsmfa_mem *m = calloc(1, sizeof(*m));

	if (!m || pthread_mutex_init(&m->lock, NULL) != 0)
		abort();
	m->store.ops = &mem_ops;
	return &m->store;
}
