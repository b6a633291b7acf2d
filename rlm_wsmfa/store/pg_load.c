/* What a packet reads from PostgreSQL: the account with all that the rules need, and the question it answers.
 * Apart from the calls: here are only columns, in the order in which pg_statements.c names them. */
#include <string.h>

#include "store/pg_store.h"

#define TAKE                  "wsmfa_take"

#define QUESTION_COLUMNS      13
#define ACCOUNT_COLUMNS       23
#define AUTHENTICATOR_COLUMNS 18
#define LOAD_COLUMNS          (ACCOUNT_COLUMNS + AUTHENTICATOR_COLUMNS)
#define TAKE_COLUMNS          (1 + QUESTION_COLUMNS + LOAD_COLUMNS)

/* A word that nobody knows spoils the row; so does null where `parse` has no word for nothing. */
#define GET_WORD(r, parse, out)                               \
	do {                                                  \
		char word_[32];                               \
		wsmfa_pg_get_text((r), word_, sizeof(word_)); \
		if (!parse(word_, (out)))                     \
			wsmfa_pg_bad(r);                      \
	} while (0)

static void account_get(struct pg_row *r, struct wsmfa_account *a)
{
	char word[32];

	a->id = wsmfa_pg_get_int(r, 1, INT64_MAX);
	wsmfa_pg_get_text(r, a->name, sizeof(a->name));
	a->organization_id = wsmfa_pg_get_int(r, 1, INT64_MAX);
	a->allowed_kinds = (uint32_t)wsmfa_pg_get_int(r, INT32_MIN, INT32_MAX);
	wsmfa_pg_get_text(r, a->region, sizeof(a->region));
	wsmfa_pg_get_text(r, a->language, sizeof(a->language));
	wsmfa_pg_get_text(r, a->phone, sizeof(a->phone));
	wsmfa_pg_get_text(r, a->password, sizeof(a->password));
	a->preferred = WSMFA_KIND_NONE;
	if (wsmfa_pg_is_null(r))
		wsmfa_pg_skip(r, 1);
	else
		GET_WORD(r, wsmfa_kind_parse, &a->preferred);
	a->created_at = wsmfa_pg_get_time(r);
	a->disabled_at = wsmfa_pg_get_time(r);
	a->locked_until = wsmfa_pg_get_time(r);
	a->failures = (int32_t)wsmfa_pg_get_int(r, 0, INT32_MAX);
	a->in_scope = wsmfa_pg_get_bool(r);
	a->in_scope_from = wsmfa_pg_get_time(r);
	wsmfa_pg_get_text(r, word, sizeof(word));
	a->stage = wsmfa_stage_parse(word);
	a->announce_from = wsmfa_pg_get_time(r);
	a->enforce_from = wsmfa_pg_get_time(r);
	wsmfa_pg_get_text(r, a->enforce_on, sizeof(a->enforce_on));
	a->exempt_until = wsmfa_pg_get_time(r);
	a->banner_shown_at = wsmfa_pg_get_time(r);
	a->has_ticket = wsmfa_pg_get_octets(r, a->ticket_hash, WSMFA_HASH_LEN, WSMFA_HASH_LEN) > 0;
	a->spare_authenticator_id = wsmfa_pg_get_int_or(r, 1, INT64_MAX, 0);
	a->known = true;
}

static void authenticator_get(struct pg_row *r, struct wsmfa_authenticator *k)
{
	k->id = wsmfa_pg_get_int(r, 1, INT64_MAX);
	GET_WORD(r, wsmfa_kind_parse, &k->kind);
	wsmfa_pg_get_text(r, k->label, sizeof(k->label));
	k->confirmed_at = wsmfa_pg_get_time(r);
	k->disabled_at = wsmfa_pg_get_time(r);
	k->failures = (int32_t)wsmfa_pg_get_int(r, 0, INT32_MAX);
	k->sealed_len = wsmfa_pg_get_octets(r, k->sealed, 1, WSMFA_SEALED_MAX);
	k->algorithm = WSMFA_SHA1;
	if (k->kind != WSMFA_KIND_TOTP) {
		wsmfa_pg_skip(r, 3);
	} else {
		GET_WORD(r, wsmfa_algorithm_parse, &k->algorithm);
		k->digits = (uint8_t)wsmfa_pg_get_int(r, 6, 8);
		k->period = (uint8_t)wsmfa_pg_get_int(r, 15, 60);
	}
	k->last_step = wsmfa_pg_get_int(r, -1, INT64_MAX);
	k->drift = (int32_t)wsmfa_pg_get_int(r, INT32_MIN, INT32_MAX);
	wsmfa_pg_get_text(r, k->provider, sizeof(k->provider));
	wsmfa_pg_get_text(r, k->device, sizeof(k->device));
	wsmfa_pg_get_text(r, k->phone, sizeof(k->phone));
	(void)wsmfa_pg_get_octets(r, k->salt, sizeof(k->salt), sizeof(k->salt));
	k->iterations = (int32_t)wsmfa_pg_get_int_or(r, 1, 1000000, 0);
	k->codes_left = (int32_t)wsmfa_pg_get_int(r, 0, INT16_MAX);
}

/* The account, `before` columns into each row, and a row an authenticator; one row with nulls for none. */
static bool load_get(struct pg_rows const *rows, int before, struct wsmfa_account *out, struct pg_row *r)
{
	int columns = before + LOAD_COLUMNS;

	*r = wsmfa_pg_row_of(rows, 0, columns);
	wsmfa_pg_skip(r, before);
	if (rows->len > WSMFA_AUTHENTICATORS_MAX)
		wsmfa_pg_bad(r);
	if (!r->bad && wsmfa_pg_is_null(r))
		return true; // unknown
	account_get(r, out);
	if (!r->bad && rows->len == 1 && wsmfa_pg_is_null(r))
		return true;
	for (int i = 0; i < rows->len && !r->bad; i++) {
		*r = wsmfa_pg_row_of(rows, i, columns);
		wsmfa_pg_skip(r, before + ACCOUNT_COLUMNS);
		authenticator_get(r, &out->authenticators[i]);
		out->authenticators_len++;
	}
	return !r->bad;
}

bool wsmfa_pg_decode_load(struct pg_rows const *rows, struct wsmfa_account *out, struct pg_row *r)
{
	memset(out, 0, sizeof(*out));
	if (PQresultStatus(rows->result) == PGRES_TUPLES_OK && rows->len == 0) {
		*r = (struct pg_row) { .result = rows->result };
		if (PQnfields(rows->result) != rows->before + LOAD_COLUMNS)
			wsmfa_pg_bad(r);
		return !r->bad;
	}
	if (load_get(rows, 0, out, r))
		return true;
	wsmfa_account_wipe(out);
	return false;
}

static bool take_status_parse(char const *word, enum wsmfa_take_status *out)
{
	static char const *const words[] = {
		[WSMFA_TAKE_UNKNOWN] = "unknown", [WSMFA_TAKE_TAKEN] = "taken",     [WSMFA_TAKE_REPEAT] = "repeat",
		[WSMFA_TAKE_SPENT] = "spent",     [WSMFA_TAKE_EXPIRED] = "expired", [WSMFA_TAKE_FOREIGN] = "foreign",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*out = (enum wsmfa_take_status)i;
			return true;
		}
	}
	return false;
}

static void question_get(struct pg_row *r, struct wsmfa_question *q)
{
	q->id = wsmfa_pg_get_int(r, 1, INT64_MAX);
	GET_WORD(r, wsmfa_ask_parse, &q->kind);
	if (wsmfa_pg_get_octets(r, q->login, sizeof(q->login), sizeof(q->login)) == 0)
		wsmfa_pg_bad(r);
	q->attempt = (int32_t)wsmfa_pg_get_int(r, 1, INT32_MAX);
	q->opened_at = wsmfa_pg_get_time(r);
	q->expires_at = wsmfa_pg_get_time(r);
	q->authenticator_id = wsmfa_pg_get_int_or(r, 1, INT64_MAX, 0);
	(void)wsmfa_pg_get_octets(r, q->code_mac, WSMFA_HASH_LEN, WSMFA_HASH_LEN);
	q->code_expires_at = wsmfa_pg_get_time(r);
	wsmfa_pg_get_text(r, q->number, sizeof(q->number));
	wsmfa_pg_get_text(r, q->provider, sizeof(q->provider));
	q->sealed_len = wsmfa_pg_get_octets(r, q->sealed, 1, WSMFA_SEALED_MAX);
	wsmfa_pg_get_text(r, q->push_state, sizeof(q->push_state));
}

bool wsmfa_pg_decode_take(struct pg_rows const *rows, enum wsmfa_take_status *status, struct wsmfa_question *question,
			  struct wsmfa_account *account, struct pg_row *r)
{
	memset(question, 0, sizeof(*question));
	memset(account, 0, sizeof(*account));
	*status = WSMFA_TAKE_UNKNOWN;
	*r = wsmfa_pg_row_of(rows, 0, TAKE_COLUMNS);
	GET_WORD(r, take_status_parse, status);
	if (!r->bad && (*status == WSMFA_TAKE_TAKEN || *status == WSMFA_TAKE_REPEAT))
		question_get(r, question);
	if (!r->bad && load_get(rows, 1 + QUESTION_COLUMNS, account, r))
		return true;
	*status = WSMFA_TAKE_UNKNOWN;
	memset(question, 0, sizeof(*question));
	wsmfa_account_wipe(account);
	return false;
}

static void put_origin(struct pg_params *p, struct wsmfa_origin const *origin)
{
	wsmfa_pg_put_text(p, origin->account);
	wsmfa_pg_put_text(p, origin->client);
	wsmfa_pg_put_text(p, origin->station);
	wsmfa_pg_put_text(p, origin->service);
	wsmfa_pg_put_time(p, origin->at);
}

int32_t wsmfa_pg_failure_days(struct wsmfa_pg const *pg)
{
	return pg->config.failure_days ? pg->config.failure_days : 30;
}

/* Arrays of what all origins have, `at` last. */
static void put_origins(struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	wsmfa_pg_put_array(p, PG_TEXT, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element_text(p, calls[i]->origin->account);
	wsmfa_pg_put_places(p, calls, len);
	wsmfa_pg_put_ats(p, calls, len);
}

struct load_call {
	struct pg_call call; // first: a pg_call * is a load_call *
	struct wsmfa_account *out;
};

static void loads_put(struct wsmfa_pg *pg, struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	put_origins(p, calls, len);
	wsmfa_pg_put_int4(p, wsmfa_pg_failure_days(pg));
}

static bool loads_get(struct pg_rows const *rows, struct pg_call *call, struct pg_row *row)
{
	call->done = true; // an account without a row is unknown
	return wsmfa_pg_decode_load(rows, ((struct load_call *)call)->out, row);
}

struct pg_batch_kind const wsmfa_pg_loads = {
	.statement = "wsmfa_loads", .reads_only = true, .put = loads_put, .get = loads_get
};

enum wsmfa_store_result wsmfa_pg_load(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      struct wsmfa_account *out)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct load_call x = { .call.origin = origin, .out = out };

	memset(out, 0, sizeof(*out)); // whatever happens, nothing old is taken for what was read
	return wsmfa_pg_batch_call(pg, &pg->batches[PG_LOADS], &x.call);
}

struct take_call {
	struct pg_call call;
	uint8_t const *state_hash, *answer_mac, *digest; // WSMFA_HASH_LEN octets each
	enum wsmfa_take_status *status;
	struct wsmfa_question *question;
	struct wsmfa_account *account;
};

static void takes_put(struct wsmfa_pg *pg, struct pg_params *p, struct pg_call *const *calls, size_t len)
{
	wsmfa_pg_put_array(p, PG_BYTEA, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element(p, ((struct take_call *)calls[i])->state_hash, WSMFA_HASH_LEN);
	put_origins(p, calls, len);
	wsmfa_pg_put_array(p, PG_BYTEA, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element(p, ((struct take_call *)calls[i])->answer_mac, WSMFA_HASH_LEN);
	wsmfa_pg_put_array(p, PG_BYTEA, len);
	for (size_t i = 0; i < len; i++)
		wsmfa_pg_put_element(p, ((struct take_call *)calls[i])->digest, WSMFA_HASH_LEN);
	wsmfa_pg_put_int4(p, wsmfa_pg_failure_days(pg));
}

static bool takes_get(struct pg_rows const *rows, struct pg_call *call, struct pg_row *row)
{
	struct take_call *x = (struct take_call *)call;

	call->done = rows->len > 0;
	return !call->done || wsmfa_pg_decode_take(rows, x->status, x->question, x->account, row);
}

struct pg_batch_kind const wsmfa_pg_takes = { .statement = "wsmfa_takes", .put = takes_put, .get = takes_get };

enum wsmfa_store_result wsmfa_pg_take(struct wsmfa_store *s, struct wsmfa_origin const *origin,
				      uint8_t const *state_hash, uint8_t const *answer_mac, uint8_t const *digest,
				      enum wsmfa_take_status *status, struct wsmfa_question *question,
				      struct wsmfa_account *account)
{
	struct wsmfa_pg *pg = (struct wsmfa_pg *)s;
	struct take_call x = { .call.origin = origin,
			       .state_hash = state_hash,
			       .answer_mac = answer_mac,
			       .digest = digest,
			       .status = status,
			       .question = question,
			       .account = account };
	struct pg_params params = { .len = 0 };
	struct pg_rows rows;
	struct pg_row row;
	PGresult *result;
	enum wsmfa_store_result r = wsmfa_pg_batch_call(pg, &pg->batches[PG_TAKES], &x.call);

	if (!wsmfa_pg_batch_left(&x.call, r))
		return r;
	wsmfa_pg_put_octets(&params, state_hash, WSMFA_HASH_LEN);
	put_origin(&params, origin);
	wsmfa_pg_put_octets(&params, answer_mac, WSMFA_HASH_LEN);
	wsmfa_pg_put_octets(&params, digest, WSMFA_HASH_LEN);
	wsmfa_pg_put_int4(&params, wsmfa_pg_failure_days(pg));
	r = wsmfa_pg_call(pg, TAKE, &params, false, x.call.deadline, &result);
	if (r != WSMFA_STORE_OK)
		return r;
	rows = wsmfa_pg_all_rows(result);
	(void)wsmfa_pg_decode_take(&rows, status, question, account, &row);
	return wsmfa_pg_decoded(pg, TAKE, &row, result);
}
