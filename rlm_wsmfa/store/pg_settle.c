/* What a packet writes to PostgreSQL: questions opened, answers settled, pushes waited for.
 * Apart from the calls: here are only parameters, in the order in which pg_statements.c names them. */
#include <string.h>

#include "store/pg_store.h"

#define OPEN            "wsmfa_open"
#define SETTLE          "wsmfa_settle"
#define WAIT            "wsmfa_wait"
#define SETTLE_PUSH     "wsmfa_settle_push"

#define OPENED_COLUMNS  4
#define SETTLED_COLUMNS 9
#define WAITED_COLUMNS  3

static char const *const open_words[] = {
	[WSMFA_OPEN_REFUSED] = "refused",     [WSMFA_OPEN_OPENED] = "opened", [WSMFA_OPEN_REUSED] = "reused",
	[WSMFA_OPEN_JOINED] = "joined",       [WSMFA_OPEN_BUSY] = "busy",     [WSMFA_OPEN_PUSH_LIMIT] = "push_limit",
	[WSMFA_OPEN_SMS_LIMIT] = "sms_limit",
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
	wsmfa_pg_put_octets(p, o->login, sizeof(((struct wsmfa_question *)0)->login));
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

enum wsmfa_store_result wsmfa_pg_open(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      struct wsmfa_limits const *limits, int64_t account_id,
				      struct wsmfa_opening const *opening, struct wsmfa_opened *out)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct pg_params params = { .len = 0 };
	struct pg_row row;
	PGresult *result;
	enum wsmfa_store_result r;

	wsmfa_pg_put_time(&params, origin->at);
	wsmfa_pg_put_int8(&params, account_id);
	put_place(&params, origin);
	put_opening(&params, opening);
	put_opening_limits(&params, limits);
	r = wsmfa_pg_call(pg, OPEN, &params, false, &result);
	if (r != WSMFA_STORE_OK)
		return r;
	(void)wsmfa_pg_decode_opened(result, out, &row);
	return wsmfa_pg_decoded(pg, OPEN, &row, result);
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

	if (x->authenticators_len > WSMFA_AUTHENTICATORS_MAX)
		return WSMFA_STORE_BROKEN;
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
	r = wsmfa_pg_call(pg, SETTLE, &params, false, &result);
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
	r = wsmfa_pg_call(pg, WAIT, &params, false, &result);
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
	r = wsmfa_pg_call(pg, SETTLE_PUSH, &params, false, &result);
	if (r != WSMFA_STORE_OK)
		return r;
	(void)wsmfa_pg_decode_settled(result, out, &row);
	return wsmfa_pg_decoded(pg, SETTLE_PUSH, &row, result);
}
