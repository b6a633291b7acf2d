/*
 * What the scenarios of the store's contract are told in: hashes, openings and settlements in one line, in either world.
 * Apart from the scenarios, which are two programs: logins, and what goes to a phone.
 */
#ifndef WSMFA_TESTS_STORE_SCENARIO_H
#define WSMFA_TESTS_STORE_SCENARIO_H

#include "unit.h"

#include <stdlib.h>

#include "store_world.h"

#define STATION "02-00-5e-10-00-01"

static struct wsmfa_limits const limits = { .lock_after = 10,
					    .failure_budget = 30,
					    .failure_days = 30,
					    .max_attempts = 3,
					    .push_max = 5,
					    .sms_max = 5,
					    .sms_number_max = 10 };

/* 32 octets of a name and a number: State hashes, MACs, digests. */
struct hash {
	uint8_t octets[WSMFA_HASH_LEN];
};

static inline struct hash hash_of(struct world_who const *who, char const *what, int n)
{
	struct hash h;
	char text[80] = "";

	(void)snprintf(text, sizeof(text), "%.3d %.8s %.40s", n, what, who ? who->name : "");
	memcpy(h.octets, text, sizeof(h.octets));
	return h;
}

static inline struct wsmfa_origin origin_of(struct world_who const *who, wsmfa_time_t at)
{
	return (struct wsmfa_origin) {
		.at = at, .account = who->name, .client = "192.0.2.1", .station = STATION, .service = "world-mfa"
	};
}

static inline struct wsmfa_account load(struct store_world *w, struct world_who const *who, wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_account a;

	memset(&a, 0xee, sizeof(a));
	assert_int_equal(w->store->ops->load(w->store, &o, &a), WSMFA_STORE_OK);
	return a;
}

static inline enum wsmfa_take_status take_from(struct store_world *w, struct wsmfa_origin const *o, struct hash state,
					       struct hash answer, struct hash const *digest, struct wsmfa_question *q)
{
	struct wsmfa_account a;
	struct wsmfa_question question;
	enum wsmfa_take_status status = WSMFA_TAKE_UNKNOWN;

	assert_int_equal(w->store->ops->take(w->store, o, state.octets, answer.octets, digest ? digest->octets : NULL,
					     &status, &question, &a),
			 WSMFA_STORE_OK);
	assert_true(a.known);
	if (q)
		*q = question;
	return status;
}

static inline enum wsmfa_take_status take(struct store_world *w, struct world_who const *who, int n, wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);

	return take_from(w, &o, hash_of(who, "state", n), hash_of(who, "answer", n), NULL, NULL);
}

/* An opening number n of an account: its State and login follow from n. Keeps what it points to until the next but seven. */
static inline struct wsmfa_opening opening_of(struct world_who const *who, int n, enum wsmfa_question_kind kind,
					      wsmfa_time_t at)
{
	static struct {
		struct hash state, login;
	} kept[8];
	static unsigned next;
	unsigned i = next++ % 8;

	kept[i].state = hash_of(who, "state", n);
	kept[i].login = hash_of(NULL, "login", n);
	return (struct wsmfa_opening) { .state_hash = kept[i].state.octets,
					.kind = kind,
					.login = kept[i].login.octets,
					.attempt = 1,
					.expires_at = at + 120 * WSMFA_SECOND };
}

static inline struct wsmfa_opened open_at(struct store_world *w, struct world_who const *who,
					  struct wsmfa_opening const *x, wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_opened out;

	memset(&out, 0xee, sizeof(out));
	assert_int_equal(w->store->ops->open(w->store, &o, &limits, who->id, x, &out), WSMFA_STORE_OK);
	return out;
}

/* Opens question n and takes it. */
static inline int64_t asked(struct store_world *w, struct world_who const *who, int n, enum wsmfa_question_kind kind,
			    wsmfa_time_t at)
{
	struct wsmfa_opening x = opening_of(who, n, kind, at);
	struct wsmfa_opened opened = open_at(w, who, &x, at);

	assert_int_equal(opened.status, WSMFA_OPEN_OPENED);
	assert_int_equal(take(w, who, n, at), WSMFA_TAKE_TAKEN);
	return opened.challenge_id;
}

static inline struct wsmfa_settled settle(struct store_world *w, struct world_who const *who, struct wsmfa_settlement x,
					  wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_settled out;

	x.account_id = who->id;
	if (x.verdict == WSMFA_VERDICT_RIGHT && x.outcome == WSMFA_OUTCOME_ERROR) {
		x.outcome = WSMFA_OUTCOME_ACCEPTED;
		x.reason = WSMFA_REASON_PROVEN;
	} else if (x.verdict == WSMFA_VERDICT_WRONG) {
		x.outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
		x.reason = WSMFA_REASON_WRONG_CODE;
	}
	memset(&out, 0xee, sizeof(out));
	assert_int_equal(w->store->ops->settle(w->store, &o, &limits, &x, &out), WSMFA_STORE_OK);
	return out;
}

static inline struct wsmfa_settlement right_totp(int64_t challenge, int64_t const *id, int64_t step)
{
	return (struct wsmfa_settlement) { .challenge_id = challenge,
					   .verdict = WSMFA_VERDICT_RIGHT,
					   .kind = WSMFA_ASK_TOTP,
					   .authenticators = id,
					   .authenticators_len = 1,
					   .step = step,
					   .drift = -1 };
}

static inline struct wsmfa_settlement wrong_totp(int64_t challenge, int64_t const *id, uint8_t const *guess)
{
	return (struct wsmfa_settlement) { .challenge_id = challenge,
					   .verdict = WSMFA_VERDICT_WRONG,
					   .kind = WSMFA_ASK_TOTP,
					   .authenticators = id,
					   .authenticators_len = 1,
					   .guess_mac = guess };
}

/* The world that WSMFA_STORE names: in memory, or with "pg" on the database of libpq's environment. */
static inline int world_setup(void **state)
{
	static struct store_world w;
	char const *which = getenv("WSMFA_STORE");

	*state = &w;
	return world_begin(&w, which && strcmp(which, "pg") == 0 ? "application_name=test" : NULL) ? 0 : -1;
}

static inline int world_teardown(void **state)
{
	world_end(*state);
	return 0;
}

#endif
