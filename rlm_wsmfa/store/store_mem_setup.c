/* What tests set up in the store in memory: schedules, accounts, authenticators, what a phone says, faults and hooks.
 * Apart from the calls of a login, as administration is in SQL. */
#include <stdlib.h>

#include "store/store_mem_private.h"

static struct wsmfa_mem *setup(struct wsmfa_store *s)
{
	struct wsmfa_mem *m = (struct wsmfa_mem *)s;

	pthread_mutex_lock(&m->lock);
	return m;
}

static void schedule_set(struct mem_schedule **list, int64_t id, char const *code, struct mem_schedule const *values)
{
	struct mem_schedule *row = *list, *next;

	while (row && (row->id != id || strcmp(row->code, code) != 0))
		row = row->next;
	if (!row)
		row = MEM_PUSH(*list, struct mem_schedule);
	next = row->next;
	*row = *values;
	row->next = next;
	row->id = id;
	MEM_COPY(row->code, code);
}

void wsmfa_mem_region(struct wsmfa_store *s, char const *code, wsmfa_time_t announce_from, wsmfa_time_t enforce_from)
{
	struct wsmfa_mem *m = setup(s);

	schedule_set(&m->regions, 0, code,
		     &(struct mem_schedule) { .announce_from = announce_from, .enforce_from = enforce_from });
	wsmfa_mem_leave(m);
}

void wsmfa_mem_organization(struct wsmfa_store *s, int64_t id, uint32_t allowed_kinds, wsmfa_time_t announce_from,
			    wsmfa_time_t enforce_from)
{
	struct wsmfa_mem *m = setup(s);

	schedule_set(&m->organizations, id, "",
		     &(struct mem_schedule) { .allowed_kinds = allowed_kinds,
					      .announce_from = announce_from,
					      .enforce_from = enforce_from });
	wsmfa_mem_leave(m);
}

void wsmfa_mem_service(struct wsmfa_store *s, char const *code, wsmfa_time_t requires_from)
{
	struct wsmfa_mem *m = setup(s);

	schedule_set(&m->services, 0, code, &(struct mem_schedule) { .enforce_from = requires_from });
	wsmfa_mem_leave(m);
}

static int64_t id_take(struct wsmfa_mem *m, int64_t id)
{
	if (id == 0)
		return ++m->last_id;
	if (id > m->last_id)
		m->last_id = id;
	return id;
}

int64_t wsmfa_mem_account(struct wsmfa_store *s, struct wsmfa_account const *a, char const *services)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account *row = MEM_PUSH(m->accounts, struct mem_account);

	row->a = *a;
	row->a.id = id_take(m, a->id);
	row->a.locked_until = row->a.exempt_until = WSMFA_TIME_NONE;
	row->a.has_ticket = false;
	row->a.authenticators_len = 0;
	while (*services && row->services_len < MEM_SERVICES_MAX) {
		char *to = row->services[row->services_len++];
		size_t len = strcspn(services, ",");

		wsmfa_mem_copy(to, len < WSMFA_CODE_MAX ? len + 1 : WSMFA_CODE_MAX, services);
		services += len + (services[len] == ',');
	}
	wsmfa_mem_leave(m);
	return row->a.id;
}

int64_t wsmfa_mem_authenticator(struct wsmfa_store *s, int64_t account_id, struct wsmfa_authenticator const *a)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account *account = wsmfa_mem_account_find(m, account_id);
	struct mem_authenticator *row;

	if (!account || account->authenticators_len == WSMFA_AUTHENTICATORS_MAX)
		abort();
	row = &account->authenticators[account->authenticators_len++];
	memset(row, 0, sizeof(*row));
	row->a = *a;
	row->a.id = id_take(m, a->id);
	wsmfa_mem_leave(m);
	return row->a.id;
}

static struct mem_authenticator *authenticator_owner(struct wsmfa_mem *m, int64_t id, struct mem_account **owner)
{
	for (*owner = m->accounts; *owner; *owner = (*owner)->next) {
		struct mem_authenticator *found = wsmfa_mem_authenticator_find(*owner, id);

		if (found)
			return found;
	}
	abort(); // a test's mistake
}

void wsmfa_mem_recovery_code(struct wsmfa_store *s, int64_t authenticator_id, uint8_t const *hash)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account *owner;
	struct mem_authenticator *a = authenticator_owner(m, authenticator_id, &owner);

	if (a->codes_len == MEM_CODES_MAX)
		abort();
	memcpy(a->codes[a->codes_len++].hash, hash, WSMFA_HASH_LEN);
	wsmfa_mem_leave(m);
}

void wsmfa_mem_ticket(struct wsmfa_store *s, int64_t account_id, uint8_t const *hash, wsmfa_time_t expires_at)
{
	struct wsmfa_mem *m = setup(s);

	memcpy(wsmfa_mem_mark(m, MEM_TICKET, expires_at, account_id, 0)->mac, hash, WSMFA_HASH_LEN);
	wsmfa_mem_leave(m);
}

void wsmfa_mem_exempt(struct wsmfa_store *s, int64_t account_id, wsmfa_time_t until)
{
	struct wsmfa_mem *m = setup(s);

	wsmfa_mem_account_find(m, account_id)->a.exempt_until = until;
	wsmfa_mem_leave(m);
}

void wsmfa_mem_disable_account(struct wsmfa_store *s, int64_t account_id, wsmfa_time_t at)
{
	struct wsmfa_mem *m = setup(s);

	wsmfa_mem_account_find(m, account_id)->a.disabled_at = at;
	wsmfa_mem_leave(m);
}

void wsmfa_mem_delete_account(struct wsmfa_store *s, int64_t account_id)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account **at = &m->accounts, *gone;

	while ((*at)->a.id != account_id)
		at = &(*at)->next;
	gone = *at;
	*at = gone->next;
	free(gone);
	wsmfa_mem_leave(m);
}

void wsmfa_mem_move_account(struct wsmfa_store *s, int64_t account_id, char const *region)
{
	struct wsmfa_mem *m = setup(s);

	MEM_COPY(wsmfa_mem_account_find(m, account_id)->a.region, region);
	wsmfa_mem_leave(m);
}

void wsmfa_mem_replace_phone(struct wsmfa_store *s, int64_t account_id, char const *phone)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account *a = wsmfa_mem_account_find(m, account_id);

	MEM_COPY(a->a.phone, phone);
	for (size_t i = 0; i < a->authenticators_len; i++) {
		if (a->authenticators[i].a.kind == WSMFA_KIND_SMS)
			MEM_COPY(a->authenticators[i].a.phone, phone);
	}
	wsmfa_mem_leave(m);
}

void wsmfa_mem_leave_services(struct wsmfa_store *s, int64_t account_id)
{
	struct wsmfa_mem *m = setup(s);

	wsmfa_mem_account_find(m, account_id)->services_len = 0;
	wsmfa_mem_leave(m);
}

void wsmfa_mem_disable_authenticator(struct wsmfa_store *s, int64_t id, wsmfa_time_t at)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account *owner;

	authenticator_owner(m, id, &owner)->a.disabled_at = at;
	wsmfa_mem_leave(m);
}

void wsmfa_mem_remove_authenticator(struct wsmfa_store *s, int64_t id)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_account *owner;
	struct mem_authenticator *a = authenticator_owner(m, id, &owner);
	struct mem_authenticator *last = &owner->authenticators[--owner->authenticators_len];

	memmove(a, a + 1, (size_t)(last - a) * sizeof(*a));
	wsmfa_mem_leave(m);
}

bool wsmfa_mem_answer_push(struct wsmfa_store *s, int64_t challenge_id, bool approve, char const *number,
			   wsmfa_time_t at)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_challenge *c = wsmfa_mem_challenge_find(m, challenge_id);
	bool answered = c && wsmfa_mem_push_pending(c, at) &&
			(!approve || !*c->q.number || (number && strcmp(number, c->q.number) == 0));

	if (answered) {
		MEM_COPY(c->q.push_state, approve ? "approved" : "denied");
		c->push_answered = true;
	}
	wsmfa_mem_leave(m);
	return answered;
}

bool wsmfa_mem_fail_push(struct wsmfa_store *s, int64_t challenge_id)
{
	struct wsmfa_mem *m = setup(s);
	struct mem_challenge *c = wsmfa_mem_challenge_find(m, challenge_id);
	bool pending = c && !c->settled && strcmp(c->q.push_state, "pending") == 0;

	if (pending)
		MEM_COPY(c->q.push_state, "failed");
	wsmfa_mem_leave(m);
	return pending;
}

void wsmfa_mem_fault(struct wsmfa_store *s, enum wsmfa_mem_call call, enum wsmfa_store_result result)
{
	struct wsmfa_mem *m = setup(s);

	m->calls[call].has_fault = true;
	m->calls[call].fault = result;
	wsmfa_mem_leave(m);
}

void wsmfa_mem_hook(struct wsmfa_store *s, enum wsmfa_mem_call call, void (*hook)(struct wsmfa_store *, void *),
		    void *ctx)
{
	struct wsmfa_mem *m = setup(s);

	m->calls[call].hook = hook;
	m->calls[call].hook_ctx = ctx;
	wsmfa_mem_leave(m);
}

unsigned wsmfa_mem_calls(struct wsmfa_store *s, enum wsmfa_mem_call call)
{
	struct wsmfa_mem *m = setup(s);
	unsigned n = m->calls[call].count;

	wsmfa_mem_leave(m);
	return n;
}
