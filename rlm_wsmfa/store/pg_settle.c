/* What a packet writes to PostgreSQL: questions opened, answers settled, pushes waited for.
 * Apart from the calls: here are only parameters, in the order in which pg_statements.c names them. */
#include <string.h>

#include "store/pg_store.h"

#define OPEN            "wsmfa_open"
#define SETTLE          "wsmfa_settle"
#define WAIT            "wsmfa_wait"
#define SETTLE_PUSH     "wsmfa_settle_push"

#define LOGIN_LEN       sizeof(((struct wsmfa_question *)0)->login)
#define OPENED_COLUMNS  5
#define SETTLED_COLUMNS 9
#define WAITED_COLUMNS  3

static char const *const open_words[] = {
	[WSMFA_OPEN_REFUSED] = "refused",     [WSMFA_OPEN_OPENED] = "opened", [WSMFA_OPEN_REUSED] = "reused",
	[WSMFA_OPEN_JOINED] = "joined",       [WSMFA_OPEN_BUSY] = "busy",     [WSMFA_OPEN_PUSH_LIMIT] = "push_limit",
	[WSMFA_OPEN_SMS_LIMIT] = "sms_limit", [WSMFA_OPEN_UNSENT] = "unsent",
};

static char const *const settle_words[] = {
	[WSMFA_SETTLE_GONE] = "gone",
	[WSMFA_SETTLE_RIGHT] = "right",
	[WSMFA_SETTLE_WRONG] = "wrong",
	[WSMFA_SETTLE_ASIDE] = "aside",
	[WSMFA_SETTLE_REPLAYED] = "replayed",
	[WSMFA_SETTLE_LOCKED] = "locked",
	[WSMFA_SETTLE_EXHAUSTED] = "exhausted",
	[WSMFA_SETTLE_REPEAT] = "repeat",
	[WSMFA_SETTLE_ENROLLED] = "enrolled",
	[WSMFA_SETTLE_PENDING] = "pending",
	[WSMFA_SETTLE_DENIED] = "denied",
	[WSMFA_SETTLE_FAILED] = "failed",
	[WSMFA_SETTLE_SUPERSEDED] = "superseded",
	[WSMFA_SETTLE_EXPIRED] = "expired",
};

#define WORDS(words) words, sizeof(words) / sizeof(words[0])

/* The value whose word the next column holds; an unknown word and null spoil the row. */
static int word_get(struct pg_row *r, char const *const *words, size_t len)
{
	char word[32];

	wsmfa_pg_get_text(r, word, sizeof(word));
	for (size_t i = 0; i < len && !r->bad; i++) {
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	}
	wsmfa_pg_bad(r);
	return 0;
}

static enum wsmfa_outcome outcome_get(struct pg_row *r)
{
	char word[32];

	wsmfa_pg_get_text(r, word, sizeof(word));
	if (*word == '\0')
		return WSMFA_OUTCOME_ERROR;
	for (int o = 0; o < WSMFA_OUTCOMES; o++) {
		if (strcmp(word, wsmfa_outcome_word((enum wsmfa_outcome)o)) == 0)
			return (enum wsmfa_outcome)o;
	}
	wsmfa_pg_bad(r);
	return WSMFA_OUTCOME_ERROR;
}

static enum wsmfa_reason reason_get(struct pg_row *r)
{
	enum wsmfa_reason reason = WSMFA_REASON_NONE;
	char word[32];

	wsmfa_pg_get_text(r, word, sizeof(word));
	if (*word && !wsmfa_reason_parse(word, &reason))
		wsmfa_pg_bad(r);
	return reason;
}

bool wsmfa_pg_decode_opened(PGresult const *result, struct wsmfa_opened *out, struct pg_row *r)
{
	memset(out, 0, sizeof(*out));
	*r = wsmfa_pg_row(result, 0, OPENED_COLUMNS);
	out->status = (enum wsmfa_open_status)word_get(r, WORDS(open_words));
	out->challenge_id = wsmfa_pg_get_int_or(r, 1, INT64_MAX, 0);
	wsmfa_pg_get_text(r, out->number, sizeof(out->number));
	out->expires_at = wsmfa_pg_get_time(r);
	out->code_expires_at = wsmfa_pg_get_time(r);
	if (!r->bad)
		return true;
	memset(out, 0, sizeof(*out));
	return false;
}

bool wsmfa_pg_decode_settled(PGresult const *result, struct wsmfa_settled *out, struct pg_row *r)
{
	memset(out, 0, sizeof(*out));
	*r = wsmfa_pg_row(result, 0, SETTLED_COLUMNS);
	out->status = (enum wsmfa_settle_status)word_get(r, WORDS(settle_words));
	out->outcome = outcome_get(r);
	out->reason = reason_get(r);
	out->first = wsmfa_pg_get_bool(r);
	out->locked_until = wsmfa_pg_get_time(r);
	out->disabled = wsmfa_pg_get_bool(r);
	out->next_id = wsmfa_pg_get_int_or(r, 1, INT64_MAX, 0);
	if (wsmfa_pg_is_null(r))
		wsmfa_pg_skip(r, 1);
	else
		out->next_status = (enum wsmfa_open_status)word_get(r, WORDS(open_words));
	out->codes_left = (int32_t)wsmfa_pg_get_int(r, 0, INT32_MAX);
	if (!r->bad)
		return true;
	memset(out, 0, sizeof(*out));
	return false;
}

static void put_place(struct pg_params *p, struct wsmfa_origin const *origin)
{
	wsmfa_pg_put_text(p, origin->client);
	wsmfa_pg_put_text(p, origin->station);
	wsmfa_pg_put_text(p, origin->service);
}

static void put_opening(struct pg_params *p, struct wsmfa_opening const *o)
{
	bool sends = o->code_mac || o->kind == WSMFA_ASK_PUSH;

	wsmfa_pg_put_text(p, wsmfa_ask_word(o->kind));
	wsmfa_pg_put_octets(p, o->state_hash, WSMFA_HASH_LEN);
	wsmfa_pg_put_octets(p, o->login, LOGIN_LEN);
	wsmfa_pg_put_int4(p, o->attempt);
	wsmfa_pg_put_time(p, o->expires_at);
	wsmfa_pg_put_int8(p, o->authenticator_id);
	wsmfa_pg_put_bool(p, o->keep_code);
	wsmfa_pg_put_octets(p, o->code_mac, WSMFA_HASH_LEN);
	wsmfa_pg_put_time(p, sends ? o->code_expires_at : WSMFA_TIME_NONE);
	wsmfa_pg_put_text(p, o->number ? o->number : "");
	wsmfa_pg_put_text(p, o->phone ? o->phone : "");
	wsmfa_pg_put_text(p, o->provider ? o->provider : "");
	wsmfa_pg_put_octets(p, o->digest, WSMFA_HASH_LEN);
	wsmfa_pg_put_int8(p, o->waiter);
	wsmfa_pg_put_octets(p, o->sealed, o->sealed_len);
	wsmfa_pg_put_bool(p, o->shows_banner);
}

static void put_next(struct pg_params *p, struct wsmfa_opening const *next)
{
	if (next) {
		put_opening(p, next);
		return;
	}
	for (int i = 0; i < 16; i++)
		wsmfa_pg_put_null(p);
}

static void put_opening_limits(struct pg_params *p, struct wsmfa_limits const *l)
{
	wsmfa_pg_put_int4(p, l->push_max);
	wsmfa_pg_put_int4(p, l->sms_max);
	wsmfa_pg_put_int4(p, l->sms_number_max);
	wsmfa_pg_put_int4(p, l->sms_organization_max);
	wsmfa_pg_put_int4(p, l->sms_total_max);
}

static void put_failure_limits(struct pg_params *p, struct wsmfa_limits const *l)
{
	wsmfa_pg_put_int4(p, l->lock_after);
	wsmfa_pg_put_int4(p, l->failure_budget);
	wsmfa_pg_put_int4(p, l->failure_days);
}

struct open_call {
	struct pg_call call; // first: a pg_call * is an open_call *
	int64_t account_id;
	struct wsmfa_opening const *opening;
	struct wsmfa_opened *out;
};

/* Elements of `type` by PUT, of what IN names in each call. */
#define PUT_EACH(p, type, put, calls, len, call_type, ...)                   \
	do {                                                                 \
		wsmfa_pg_put_array((p), (type), (len));                      \
		for (size_t i_ = 0; i_ < (len); i_++) {                      \
			call_type const *x = (call_type const *)(calls)[i_]; \
			put((p), __VA_ARGS__);                               \
		}                                                            \
	} while (0)

static void opens_put(struct wsmfa_pg *pg, struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	(void)pg;
	wsmfa_pg_put_ats(p, calls, len);
	PUT_EACH(p, PG_INT8, wsmfa_pg_put_element_int8, calls, len, struct open_call, x->account_id);
	wsmfa_pg_put_places(p, calls, len);
	PUT_EACH(p, PG_BYTEA, wsmfa_pg_put_element, calls, len, struct open_call, x->opening->state_hash,
		 WSMFA_HASH_LEN);
	PUT_EACH(p, PG_BYTEA, wsmfa_pg_put_element, calls, len, struct open_call, x->opening->login, LOGIN_LEN);
	PUT_EACH(p, PG_INT4, wsmfa_pg_put_element_int4, calls, len, struct open_call, x->opening->attempt);
	PUT_EACH(p, PG_TIMESTAMPTZ, wsmfa_pg_put_element_time, calls, len, struct open_call, x->opening->expires_at);
	PUT_EACH(p, PG_INT8, wsmfa_pg_put_element_int8, calls, len, struct open_call, x->opening->authenticator_id);
	PUT_EACH(p, PG_BYTEA, wsmfa_pg_put_element, calls, len, struct open_call, x->opening->digest, WSMFA_HASH_LEN);
}

static bool opens_get(struct pg_rows const *rows, struct pg_call *call, struct pg_row *row)
{
	struct open_call *x = (struct open_call *)call;

	call->done = rows->len > 0;
	if (!call->done)
		return true;
	*row = wsmfa_pg_row_of(rows, 0, 1);
	memset(x->out, 0, sizeof(*x->out));
	x->out->challenge_id = wsmfa_pg_get_int(row, 1, INT64_MAX);
	if (row->bad)
		return false;
	x->out->status = WSMFA_OPEN_OPENED;
	x->out->expires_at = x->opening->expires_at;
	return true;
}

struct pg_batch_kind const wsmfa_pg_opens = { .statement = "wsmfa_opens", .put = opens_put, .get = opens_get };

/* A question for a TOTP code: nothing is sent or shown with it, and no other is reused. */
static bool opening_is_plain(struct wsmfa_opening const *o)
{
	return o->kind == WSMFA_ASK_TOTP && !o->follows && o->state_hash && o->login && !o->keep_code && !o->code_mac &&
	       !o->shows_banner && !o->waiter && o->sealed_len == 0 && !(o->number && *o->number) &&
	       !(o->phone && *o->phone) && !(o->provider && *o->provider) && !o->instead_of;
}

enum wsmfa_store_result wsmfa_pg_open(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      struct wsmfa_limits const *limits, int64_t account_id,
				      struct wsmfa_opening const *opening, struct wsmfa_opened *out)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct pg_params params = { .len = 0 };
	struct pg_row row;
	PGresult *result;
	enum wsmfa_store_result r;
	int64_t deadline = wsmfa_pg_deadline(pg);

	if (opening_is_plain(opening)) {
		struct open_call x = {
			.call.origin = origin, .account_id = account_id, .opening = opening, .out = out
		};

		r = wsmfa_pg_batch_call(pg, &pg->batches[PG_OPENS], &x.call);
		if (!wsmfa_pg_batch_left(&x.call, r))
			return r;
	}
	wsmfa_pg_put_time(&params, origin->at);
	wsmfa_pg_put_int8(&params, account_id);
	put_place(&params, origin);
	put_opening(&params, opening);
	put_opening_limits(&params, limits);
	if (opening->instead_of)
		wsmfa_pg_put_int8(&params, opening->instead_of);
	else
		wsmfa_pg_put_null(&params);
	r = wsmfa_pg_call(pg, OPEN, &params, false, deadline, &result);
	if (r != WSMFA_STORE_OK)
		return r;
	(void)wsmfa_pg_decode_opened(result, out, &row);
	return wsmfa_pg_decoded(pg, OPEN, &row, result);
}

struct settle_call {
	struct pg_call call;
	struct wsmfa_settlement const *settlement;
	struct wsmfa_settled *out;
};

static void settles_put(struct wsmfa_pg *pg, struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	wsmfa_pg_put_ats(p, calls, len);
	PUT_EACH(p, PG_INT8, wsmfa_pg_put_element_int8, calls, len, struct settle_call, x->settlement->account_id);
	PUT_EACH(p, PG_TEXT, wsmfa_pg_put_element_text, calls, len, struct settle_call, x->call.origin->client);
	PUT_EACH(p, PG_TEXT, wsmfa_pg_put_element_text, calls, len, struct settle_call, x->call.origin->station);
	PUT_EACH(p, PG_INT8, wsmfa_pg_put_element_int8, calls, len, struct settle_call, x->settlement->challenge_id);
	PUT_EACH(p, PG_INT8, wsmfa_pg_put_element_int8, calls, len, struct settle_call,
		 x->settlement->authenticators[0]);
	PUT_EACH(p, PG_INT8, wsmfa_pg_put_element_int8, calls, len, struct settle_call, x->settlement->step);
	PUT_EACH(p, PG_INT4, wsmfa_pg_put_element_int4, calls, len, struct settle_call, x->settlement->drift);
	wsmfa_pg_put_int4(p, wsmfa_pg_failure_days(pg));
}

static bool settles_get(struct pg_rows const *rows, struct pg_call *call, struct pg_row *row)
{
	struct settle_call *x = (struct settle_call *)call;

	call->done = rows->len > 0;
	if (!call->done)
		return true;
	*row = wsmfa_pg_row_of(rows, 0, 0);
	if (row->bad)
		return false;
	*x->out = (struct wsmfa_settled) { .status = WSMFA_SETTLE_RIGHT,
					   .outcome = WSMFA_OUTCOME_ACCEPTED,
					   .reason = WSMFA_REASON_PROVEN,
					   .first = true,
					   .locked_until = WSMFA_TIME_NONE };
	return true;
}

struct pg_batch_kind const wsmfa_pg_settles = { .statement = "wsmfa_settles", .put = settles_put, .get = settles_get };

/* The right TOTP code of somebody who is let in with it. */
static bool settlement_is_plain(struct wsmfa_settlement const *x)
{
	return x->verdict == WSMFA_VERDICT_RIGHT && x->kind == WSMFA_ASK_TOTP && x->authenticators_len == 1 &&
	       !x->recovery_hash && !x->ticket_hash && !x->enroll && x->outcome == WSMFA_OUTCOME_ACCEPTED &&
	       x->reason == WSMFA_REASON_PROVEN;
}

enum wsmfa_store_result wsmfa_pg_settle(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					struct wsmfa_limits const *limits, struct wsmfa_settlement const *x,
					struct wsmfa_settled *out)
{
	static char const *const verdicts[] = {
		[WSMFA_VERDICT_WRONG] = "wrong",
		[WSMFA_VERDICT_RIGHT] = "right",
		[WSMFA_VERDICT_ASIDE] = "aside",
	};
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct pg_params params = { .len = 0 };
	struct pg_row row;
	PGresult *result;
	enum wsmfa_store_result r;
	int64_t deadline = wsmfa_pg_deadline(pg);

	if (x->authenticators_len > WSMFA_AUTHENTICATORS_MAX)
		return WSMFA_STORE_BROKEN;
	if (settlement_is_plain(x)) {
		struct settle_call plain = { .call.origin = origin, .settlement = x, .out = out };

		r = wsmfa_pg_batch_call(pg, &pg->batches[PG_SETTLES], &plain.call);
		if (!wsmfa_pg_batch_left(&plain.call, r))
			return r;
	}
	wsmfa_pg_put_time(&params, origin->at);
	wsmfa_pg_put_int8(&params, x->account_id);
	put_place(&params, origin);
	wsmfa_pg_put_int8(&params, x->challenge_id);
	wsmfa_pg_put_text(&params, verdicts[x->verdict]);
	wsmfa_pg_put_text(&params, wsmfa_ask_word(x->kind));
	wsmfa_pg_put_int8s(&params, x->authenticators, x->authenticators_len);
	wsmfa_pg_put_int8(&params, x->step);
	wsmfa_pg_put_int4(&params, x->drift);
	wsmfa_pg_put_octets(&params, x->guess_mac, WSMFA_HASH_LEN);
	wsmfa_pg_put_bool(&params, x->guess_may_be_sent);
	wsmfa_pg_put_octets(&params, x->recovery_hash, WSMFA_HASH_LEN);
	wsmfa_pg_put_octets(&params, x->ticket_hash, WSMFA_HASH_LEN);
	wsmfa_pg_put_bool(&params, x->enroll);
	wsmfa_pg_put_octets(&params, x->sealed, x->sealed_len);
	wsmfa_pg_put_text(&params, x->phone);
	wsmfa_pg_put_text(&params, wsmfa_outcome_word(x->outcome));
	wsmfa_pg_put_text(&params, wsmfa_reason_word(x->reason));
	put_failure_limits(&params, limits);
	wsmfa_pg_put_int4(&params, limits->max_attempts);
	put_opening_limits(&params, limits);
	put_next(&params, x->next);
	wsmfa_pg_put_bool(&params, x->needs_ticket);
	r = wsmfa_pg_call(pg, SETTLE, &params, false, deadline, &result);
	if (r != WSMFA_STORE_OK)
		return r;
	(void)wsmfa_pg_decode_settled(result, out, &row);
	return wsmfa_pg_decoded(pg, SETTLE, &row, result);
}

enum wsmfa_store_result wsmfa_pg_wait(struct wsmfa_store *s, struct wsmfa_origin const *origin, int64_t challenge_id,
				      int64_t waiter, struct wsmfa_settled *out)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct pg_params params = { .len = 0 };
	struct pg_row row;
	PGresult *result;
	enum wsmfa_store_result r;

	wsmfa_pg_put_time(&params, origin->at);
	wsmfa_pg_put_int8(&params, challenge_id);
	wsmfa_pg_put_int8(&params, waiter);
	r = wsmfa_pg_call(pg, WAIT, &params, false, wsmfa_pg_deadline(pg), &result);
	if (r != WSMFA_STORE_OK)
		return r;
	memset(out, 0, sizeof(*out));
	out->locked_until = WSMFA_TIME_NONE;
	row = wsmfa_pg_row(result, 0, WAITED_COLUMNS);
	out->status = (enum wsmfa_settle_status)word_get(&row, WORDS(settle_words));
	out->outcome = outcome_get(&row);
	out->reason = reason_get(&row);
	return wsmfa_pg_decoded(pg, WAIT, &row, result);
}

enum wsmfa_store_result wsmfa_pg_settle_push(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					     struct wsmfa_limits const *limits, int64_t challenge_id, int64_t waiter,
					     bool give_up, struct wsmfa_opening const *next, struct wsmfa_settled *out)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct pg_params params = { .len = 0 };
	struct pg_row row;
	PGresult *result;
	enum wsmfa_store_result r;

	wsmfa_pg_put_time(&params, origin->at);
	put_place(&params, origin);
	wsmfa_pg_put_int8(&params, challenge_id);
	wsmfa_pg_put_int8(&params, waiter);
	wsmfa_pg_put_bool(&params, give_up);
	put_failure_limits(&params, limits);
	put_opening_limits(&params, limits);
	put_next(&params, next);
	r = wsmfa_pg_call(pg, SETTLE_PUSH, &params, false, wsmfa_pg_deadline(pg), &result);
	if (r != WSMFA_STORE_OK)
		return r;
	(void)wsmfa_pg_decode_settled(result, out, &row);
	return wsmfa_pg_decoded(pg, SETTLE_PUSH, &row, result);
}
