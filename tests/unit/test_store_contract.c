/* The store's contract, scenario by scenario: in memory, and with WSMFA_STORE=pg on the database of libpq's environment.
 * Apart from the tests of either store: what both must do is said once. */
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

static struct hash hash_of(struct world_who const *who, char const *what, int n)
{
	struct hash h = { { 0 } };

	(void)snprintf((char *)h.octets, sizeof(h.octets), "%.17s %.8s %d", who ? who->name : "", what, n);
	return h;
}

static struct wsmfa_origin origin_of(struct world_who const *who, wsmfa_time_t at)
{
	return (struct wsmfa_origin) {
		.at = at, .account = who->name, .client = "192.0.2.1", .station = STATION, .service = "world-mfa"
	};
}

static struct wsmfa_account load(struct store_world *w, struct world_who const *who, wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_account a;

	memset(&a, 0xee, sizeof(a));
	assert_int_equal(w->store->ops->load(w->store, &o, &a), WSMFA_STORE_OK);
	return a;
}

static enum wsmfa_take_status take_from(struct store_world *w, struct wsmfa_origin const *o, struct hash state,
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

static enum wsmfa_take_status take(struct store_world *w, struct world_who const *who, int n, wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);

	return take_from(w, &o, hash_of(who, "state", n), hash_of(who, "answer", n), NULL, NULL);
}

/* An opening number n of an account: its State and login follow from n. Keeps what it points to until the next but seven. */
static struct wsmfa_opening opening_of(struct world_who const *who, int n, enum wsmfa_question_kind kind,
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

static struct wsmfa_opened open_at(struct store_world *w, struct world_who const *who, struct wsmfa_opening const *x,
				   wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_opened out;

	memset(&out, 0xee, sizeof(out));
	assert_int_equal(w->store->ops->open(w->store, &o, &limits, who->id, x, &out), WSMFA_STORE_OK);
	return out;
}

/* Opens question n and takes it. */
static int64_t asked(struct store_world *w, struct world_who const *who, int n, enum wsmfa_question_kind kind,
		     wsmfa_time_t at)
{
	struct wsmfa_opening x = opening_of(who, n, kind, at);
	struct wsmfa_opened opened = open_at(w, who, &x, at);

	assert_int_equal(opened.status, WSMFA_OPEN_OPENED);
	assert_int_equal(take(w, who, n, at), WSMFA_TAKE_TAKEN);
	return opened.challenge_id;
}

static struct wsmfa_settled settle(struct store_world *w, struct world_who const *who, struct wsmfa_settlement x,
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

static struct wsmfa_settlement right_totp(int64_t challenge, int64_t const *id, int64_t step)
{
	return (struct wsmfa_settlement) { .challenge_id = challenge,
					   .verdict = WSMFA_VERDICT_RIGHT,
					   .kind = WSMFA_ASK_TOTP,
					   .authenticators = id,
					   .authenticators_len = 1,
					   .step = step,
					   .drift = -1 };
}

static struct wsmfa_settlement wrong_totp(int64_t challenge, int64_t const *id, uint8_t const *guess)
{
	return (struct wsmfa_settlement) { .challenge_id = challenge,
					   .verdict = WSMFA_VERDICT_WRONG,
					   .kind = WSMFA_ASK_TOTP,
					   .authenticators = id,
					   .authenticators_len = 1,
					   .guess_mac = guess };
}

static void loads(void **state)
{
	struct store_world *w = *state;
	struct world_person const p = { .phone = "+358409999999", .password = "{clear}h\xc3\xa4ly" };
	struct world_who who = world_account(w, &p), stranger = { .name = "nobody-of-that-name" };
	struct wsmfa_account a;
	struct hash ticket = hash_of(&who, "ticket", 1);

	assert_false(load(w, &stranger, WORLD_NOW).known);

	world_ticket(w, who.id, ticket.octets, WORLD_NOW + 1);
	(void)world_authenticator(w, who.id, WSMFA_KIND_SMS, false);
	a = load(w, &who, WORLD_NOW);
	assert_true(a.known);
	assert_int_equal(a.id, who.id);
	assert_int_equal(a.organization_id, who.organization);
	assert_string_equal(a.name, who.name);
	assert_string_equal(a.region, "world-on");
	assert_string_equal(a.language, "en");
	assert_string_equal(a.phone, p.phone);
	assert_string_equal(a.password, p.password);
	assert_int_equal(a.allowed_kinds, UINT32_MAX);
	assert_int_equal(a.preferred, WSMFA_KIND_NONE);
	assert_int_equal(a.created_at, WORLD_NOW - 50 * WSMFA_DAY);
	assert_int_equal(a.disabled_at, WSMFA_TIME_NONE);
	assert_int_equal(a.locked_until, WSMFA_TIME_NONE);
	assert_int_equal(a.exempt_until, WSMFA_TIME_NONE);
	assert_int_equal(a.banner_shown_at, WSMFA_TIME_NONE);
	assert_int_equal(a.failures, 0);
	assert_true(a.in_scope);
	assert_int_equal(a.in_scope_from, WORLD_NOW - 50 * WSMFA_DAY);
	assert_int_equal(a.stage, WSMFA_STAGE_ENFORCE);
	assert_int_equal(a.announce_from, WORLD_ANNOUNCE);
	assert_int_equal(a.enforce_from, WORLD_ANNOUNCE + WSMFA_DAY);
	assert_int_equal(a.authenticators_len, 0);
	assert_true(a.has_ticket);
	assert_memory_equal(a.ticket_hash, ticket.octets, WSMFA_HASH_LEN);
	assert_true(a.spare_authenticator_id > 0);
	assert_true(load(w, &who, WORLD_NOW).spare_authenticator_id != a.spare_authenticator_id);
	assert_false(load(w, &who, WORLD_NOW + 1).has_ticket);
}

static void loads_authenticators(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t totp = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true);
	int64_t sms = world_authenticator(w, who.id, WSMFA_KIND_SMS, true);
	int64_t push = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true);
	int64_t recovery = world_authenticator(w, who.id, WSMFA_KIND_RECOVERY, true);
	struct hash code = hash_of(&who, "code", 1);
	struct wsmfa_account a;

	world_recovery_code(w, recovery, code.octets);
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.authenticators_len, 4);
	assert_int_equal(a.spare_authenticator_id, 0);
	assert_int_equal(a.authenticators[0].id, totp);
	assert_int_equal(a.authenticators[0].kind, WSMFA_KIND_TOTP);
	assert_string_equal(a.authenticators[0].label, "l");
	assert_int_equal(a.authenticators[0].confirmed_at, WORLD_NOW - 20 * WSMFA_DAY);
	assert_int_equal(a.authenticators[0].disabled_at, WSMFA_TIME_NONE);
	assert_int_equal(a.authenticators[0].sealed_len, 2);
	assert_memory_equal(a.authenticators[0].sealed, "\xab\xcd", 2);
	assert_int_equal(a.authenticators[0].algorithm, WSMFA_SHA256);
	assert_int_equal(a.authenticators[0].digits, 8);
	assert_int_equal(a.authenticators[0].period, 60);
	assert_int_equal(a.authenticators[0].last_step, -1);
	assert_int_equal(a.authenticators[1].id, sms);
	assert_string_equal(a.authenticators[1].phone, "+358401234567");
	assert_int_equal(a.authenticators[2].id, push);
	assert_string_equal(a.authenticators[2].provider, "local");
	assert_string_equal(a.authenticators[2].device, "phone-1");
	assert_int_equal(a.authenticators[3].id, recovery);
	assert_int_equal(a.authenticators[3].salt[15], 16);
	assert_int_equal(a.authenticators[3].iterations, 20000);
	assert_int_equal(a.authenticators[3].codes_left, 1);
	world_authenticator_remove(w, totp);
	world_authenticator_disable(w, sms);
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.authenticators_len, 3);
	assert_int_equal(a.authenticators[0].id, sms);
	assert_int_equal(a.authenticators[0].disabled_at, WORLD_NOW);
}

static void loads_scope_and_stage(void **state)
{
	struct store_world *w = *state;
	struct world_person const quiet = { .region = "world-off", .service = "world-free" };
	struct world_person const early = { .region = "world-off",
					    .announce_from = WORLD_NOW - 2,
					    .enforce_from = WORLD_NOW,
					    .allowed_kinds = 1u << WSMFA_KIND_TOTP };
	struct world_who who = world_account(w, &quiet);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW);
	struct wsmfa_account a;

	o.service = "world-free";
	assert_int_equal(w->store->ops->load(w->store, &o, &a), WSMFA_STORE_OK);
	assert_false(a.in_scope);
	assert_int_equal(a.in_scope_from, WSMFA_TIME_NONE);
	assert_int_equal(a.stage, WSMFA_STAGE_OBSERVE);
	o.service = "world-of-no-such-name"; // an unknown service requires MFA
	assert_int_equal(w->store->ops->load(w->store, &o, &a), WSMFA_STORE_OK);
	assert_true(a.in_scope);
	assert_int_equal(a.in_scope_from, a.created_at);
	world_exempt(w, who.id, WORLD_NOW + 5);
	world_account_disable(w, who.id);
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.exempt_until, WORLD_NOW + 5);
	assert_int_equal(a.disabled_at, WORLD_NOW);

	who = world_account(w, &early); // the organization's schedule stands
	assert_int_equal(load(w, &who, WORLD_NOW - 3).stage, WSMFA_STAGE_OBSERVE);
	assert_int_equal(load(w, &who, WORLD_NOW - 1).stage, WSMFA_STAGE_ANNOUNCE);
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.stage, WSMFA_STAGE_ENFORCE);
	assert_int_equal(a.enforce_from, WORLD_NOW);
	assert_int_equal(a.allowed_kinds, 1u << WSMFA_KIND_TOTP);
}

static void takes_once(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL), other = world_account(w, NULL);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW + 1), foreign;
	struct hash s = hash_of(&who, "state", 1), answer = hash_of(&who, "answer", 1), guess = hash_of(&who, "x", 1);
	struct wsmfa_opening x = opening_of(&who, 1, WSMFA_ASK_TOTP, WORLD_NOW);
	struct wsmfa_opened opened;
	struct wsmfa_question q;

	x.attempt = 2;
	x.authenticator_id = 77;
	opened = open_at(w, &who, &x, WORLD_NOW);
	assert_int_equal(opened.status, WSMFA_OPEN_OPENED);
	assert_int_equal(opened.expires_at, x.expires_at);
	assert_int_equal(take(w, &who, 2, WORLD_NOW), WSMFA_TAKE_UNKNOWN);
	foreign = origin_of(&other, WORLD_NOW);
	assert_int_equal(take_from(w, &foreign, s, answer, NULL, NULL), WSMFA_TAKE_FOREIGN);
	foreign = o;
	foreign.client = "192.0.2.2";
	assert_int_equal(take_from(w, &foreign, s, answer, NULL, NULL), WSMFA_TAKE_FOREIGN);
	foreign = o;
	foreign.station = "02-00-5e-10-00-02";
	assert_int_equal(take_from(w, &foreign, s, answer, NULL, NULL), WSMFA_TAKE_FOREIGN);

	assert_int_equal(take_from(w, &o, s, answer, NULL, &q), WSMFA_TAKE_TAKEN);
	assert_int_equal(q.id, opened.challenge_id);
	assert_int_equal(q.kind, WSMFA_ASK_TOTP);
	assert_memory_equal(q.login, x.login, 16);
	assert_int_equal(q.attempt, 2);
	assert_int_equal(q.opened_at, WORLD_NOW);
	assert_int_equal(q.expires_at, x.expires_at);
	assert_int_equal(q.authenticator_id, 77);
	assert_int_equal(q.code_expires_at, WSMFA_TIME_NONE);
	assert_string_equal(q.number, "");
	assert_int_equal(q.sealed_len, 0);

	assert_int_equal(take_from(w, &o, s, guess, NULL, NULL), WSMFA_TAKE_SPENT);
	o.at = WORLD_NOW + 1 + 10 * WSMFA_SECOND;
	assert_int_equal(take_from(w, &o, s, answer, NULL, &q), WSMFA_TAKE_REPEAT);
	assert_int_equal(q.id, opened.challenge_id);
	o.at++;
	assert_int_equal(take_from(w, &o, s, answer, NULL, NULL), WSMFA_TAKE_SPENT);
}

static void takes_until_it_expires(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	struct wsmfa_opening x = opening_of(&who, 1, WSMFA_ASK_TOTP, WORLD_NOW);

	(void)open_at(w, &who, &x, WORLD_NOW);
	assert_int_equal(take(w, &who, 1, x.expires_at), WSMFA_TAKE_EXPIRED);
	assert_int_equal(take(w, &who, 1, x.expires_at - 1), WSMFA_TAKE_TAKEN);
}

static void totp_burns_a_step(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true),
		q = asked(w, &who, 1, WSMFA_ASK_TOTP, WORLD_NOW);
	struct wsmfa_settled r = settle(w, &who, right_totp(q, &id, 100), WORLD_NOW);
	struct wsmfa_account a;

	assert_int_equal(r.status, WSMFA_SETTLE_RIGHT);
	assert_true(r.first);
	assert_int_equal(r.next_id, 0);
	r = settle(w, &who, right_totp(q, &id, 100), WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(r.outcome, WSMFA_OUTCOME_ACCEPTED);
	assert_int_equal(r.reason, WSMFA_REASON_PROVEN);
	assert_false(r.first);
	for (int64_t step = 99; step <= 100; step++) {
		q = asked(w, &who, (int)step, WSMFA_ASK_TOTP, WORLD_NOW);
		assert_int_equal(settle(w, &who, right_totp(q, &id, step), WORLD_NOW).status, WSMFA_SETTLE_REPLAYED);
		r = settle(w, &who, right_totp(q, &id, 200), WORLD_NOW);
		assert_int_equal(r.status, WSMFA_SETTLE_REPEAT);
		assert_int_equal(r.outcome, WSMFA_OUTCOME_FAILED_SECOND_FACTOR);
		assert_int_equal(r.reason, WSMFA_REASON_REPLAYED_CODE);
	}
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.authenticators[0].last_step, 100);
	assert_int_equal(a.authenticators[0].drift, -1);
	assert_int_equal(a.authenticators[0].failures, 0);
	// append mode has no question
	assert_int_equal(settle(w, &who, right_totp(0, &id, 101), WORLD_NOW).status, WSMFA_SETTLE_RIGHT);
	assert_int_equal(settle(w, &who, right_totp(0, &id, 101), WORLD_NOW).status, WSMFA_SETTLE_REPLAYED);
}

static void settles_only_what_is_there(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL), other = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true);
	int64_t theirs = world_authenticator(w, other.id, WSMFA_KIND_TOTP, true), q;
	struct wsmfa_opening x = opening_of(&who, 1, WSMFA_ASK_TOTP, WORLD_NOW);

	q = open_at(w, &who, &x, WORLD_NOW).challenge_id; // not taken
	assert_int_equal(settle(w, &who, right_totp(q, &id, 1), WORLD_NOW).status, WSMFA_SETTLE_GONE);
	q = asked(w, &who, 2, WSMFA_ASK_TOTP, WORLD_NOW);
	assert_int_equal(settle(w, &other, right_totp(q, &theirs, 1), WORLD_NOW).status, WSMFA_SETTLE_GONE);
	assert_int_equal(settle(w, &who, right_totp(q, &theirs, 1), WORLD_NOW).status, WSMFA_SETTLE_GONE);
	world_authenticator_disable(w, id);
	q = asked(w, &who, 3, WSMFA_ASK_TOTP, WORLD_NOW);
	assert_int_equal(settle(w, &who, right_totp(q, &id, 1), WORLD_NOW).status, WSMFA_SETTLE_GONE);
	q = asked(w, &other, 4, WSMFA_ASK_TOTP, WORLD_NOW);
	world_account_disable(w, other.id);
	assert_int_equal(settle(w, &other, right_totp(q, &theirs, 1), WORLD_NOW).status, WSMFA_SETTLE_GONE);
}

static void failures_count(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t ids[2] = { world_authenticator(w, who.id, WSMFA_KIND_TOTP, true),
			   world_authenticator(w, who.id, WSMFA_KIND_TOTP, true) };
	struct hash guess = hash_of(&who, "guess", 1), other = hash_of(&who, "guess", 2);
	struct wsmfa_settlement x = wrong_totp(0, ids, guess.octets);
	struct wsmfa_account a;

	x.authenticators_len = 2;
	assert_int_equal(settle(w, &who, x, WORLD_NOW).status, WSMFA_SETTLE_WRONG);
	assert_int_equal(settle(w, &who, x, WORLD_NOW + 60 * WSMFA_SECOND - 1).status, WSMFA_SETTLE_WRONG);
	assert_int_equal(load(w, &who, WORLD_NOW).authenticators[1].failures, 1);
	assert_int_equal(settle(w, &who, x, WORLD_NOW + 60 * WSMFA_SECOND).status, WSMFA_SETTLE_WRONG);
	assert_int_equal(load(w, &who, WORLD_NOW + WSMFA_DAY).authenticators[1].failures, 2);
	x.guess_mac = other.octets;
	x.authenticators_len = 1;
	(void)settle(w, &who, x, WORLD_NOW + 60 * WSMFA_SECOND);
	x.authenticators_len = 0; // the proof of an enrolment counts on the account
	x.kind = WSMFA_ASK_ENROLL_TOTP;
	(void)settle(w, &who, x, WORLD_NOW + 60 * WSMFA_SECOND);
	a = load(w, &who, WORLD_NOW + WSMFA_DAY);
	assert_int_equal(a.authenticators[0].failures, 3);
	assert_int_equal(a.authenticators[1].failures, 2);
	assert_int_equal(a.failures, 1);
	a = load(w, &who, WORLD_NOW + 31 * WSMFA_DAY);
	assert_int_equal(a.authenticators[0].failures, 0);
	assert_int_equal(a.failures, 0);
}

static void failures_make_wait(void **state)
{
	static int const minutes[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true);
	struct wsmfa_origin elsewhere;
	struct wsmfa_settled r;
	struct wsmfa_account a;
	wsmfa_time_t at = WORLD_NOW;

	for (int i = 1; i < limits.lock_after; i++)
		assert_int_equal(settle(w, &who, wrong_totp(0, &id, NULL), at).locked_until, WSMFA_TIME_NONE);
	for (size_t i = 0; i < LENGTH(minutes); i++) {
		r = settle(w, &who, wrong_totp(0, &id, NULL), at);
		assert_int_equal(r.status, WSMFA_SETTLE_WRONG);
		assert_int_equal(r.locked_until, at + minutes[i] * WSMFA_MINUTE);
		assert_int_equal(load(w, &who, at).locked_until, r.locked_until);
		at = r.locked_until;
		assert_int_equal(settle(w, &who, right_totp(0, &id, 1), at - 1).status, WSMFA_SETTLE_LOCKED);
		assert_int_equal(load(w, &who, at).locked_until, WSMFA_TIME_NONE);
	}
	elsewhere = origin_of(&who, at - 1);
	elsewhere.station = "";
	assert_int_equal(w->store->ops->load(w->store, &elsewhere, &a), WSMFA_STORE_OK);
	assert_int_equal(a.locked_until, WSMFA_TIME_NONE);
	assert_int_equal(settle(w, &who, right_totp(0, &id, 1), at).status, WSMFA_SETTLE_RIGHT);
	assert_int_equal(settle(w, &who, wrong_totp(0, &id, NULL), at).locked_until, WSMFA_TIME_NONE);
}

static void failures_end_in_budget_and_disabling(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true);
	struct wsmfa_settled r;
	wsmfa_time_t at = WORLD_NOW;

	for (int i = 1; i <= 100; i++) {
		if (i % 30 == 1 && i > 1) {
			r = settle(w, &who, wrong_totp(0, &id, NULL), at);
			assert_int_equal(r.status, WSMFA_SETTLE_EXHAUSTED);
			r = settle(w, &who, right_totp(0, &id, 1), at);
			assert_int_equal(r.status, WSMFA_SETTLE_EXHAUSTED);
			assert_int_equal(load(w, &who, at).authenticators[0].failures, 30);
			at += 31 * WSMFA_DAY;
		}
		r = settle(w, &who, wrong_totp(0, &id, NULL), at);
		assert_int_equal(r.status, WSMFA_SETTLE_WRONG);
		assert_int_equal(r.disabled, i == 100);
		if (r.locked_until != WSMFA_TIME_NONE)
			at = r.locked_until;
	}
	assert_int_equal(load(w, &who, at).authenticators[0].disabled_at, at - WSMFA_HOUR);
	assert_int_equal(settle(w, &who, right_totp(0, &id, 1), at).status, WSMFA_SETTLE_GONE);
	assert_int_equal(settle(w, &who, wrong_totp(0, &id, NULL), at).status, WSMFA_SETTLE_GONE);
}

static struct wsmfa_opening sms_of(struct world_who const *who, int n, int64_t id, wsmfa_time_t at)
{
	static struct hash codes[8];
	static char phones[8][WSMFA_PHONE_MAX];
	static unsigned next;
	unsigned i = next++ % 8;
	struct hash *code = &codes[i];
	struct wsmfa_opening x = opening_of(who, n, WSMFA_ASK_SMS, at);

	*code = hash_of(who, "code", n);
	x.authenticator_id = id;
	x.code_mac = code->octets;
	x.code_expires_at = at + 300 * WSMFA_SECOND;
	(void)snprintf(phones[i], sizeof(phones[i]), "+35840%010u",
		       (unsigned)(who->id % 1000000000)); // limits are a number's
	x.phone = phones[i];
	return x;
}

static struct wsmfa_settlement right_sms(int64_t challenge, int64_t const *id)
{
	return (struct wsmfa_settlement) { .challenge_id = challenge,
					   .verdict = WSMFA_VERDICT_RIGHT,
					   .kind = WSMFA_ASK_SMS,
					   .authenticators = id,
					   .authenticators_len = 1 };
}

static void sms_is_good_once(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_SMS, true);
	struct hash digest = hash_of(&who, "digest", 1);
	struct wsmfa_opening x = sms_of(&who, 1, id, WORLD_NOW), again = sms_of(&who, 2, id, WORLD_NOW);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW + 2);
	struct wsmfa_opened first, second;
	struct wsmfa_question q;

	x.digest = again.digest = digest.octets;
	first = open_at(w, &who, &x, WORLD_NOW);
	assert_int_equal(first.status, WSMFA_OPEN_OPENED);
	second = open_at(w, &who, &again, WORLD_NOW + 1); // the same packet again: the first code stands
	assert_int_equal(second.status, WSMFA_OPEN_REUSED);
	assert_int_equal(second.expires_at, x.expires_at);
	assert_int_equal(take_from(w, &o, hash_of(&who, "state", 2), hash_of(&who, "a", 1), NULL, &q),
			 WSMFA_TAKE_TAKEN);
	assert_int_equal(q.id, second.challenge_id);
	assert_memory_equal(q.code_mac, x.code_mac, WSMFA_HASH_LEN);
	assert_int_equal(q.code_expires_at, x.code_expires_at);
	assert_int_equal(settle(w, &who, right_sms(q.id, &id), WORLD_NOW + 2).status, WSMFA_SETTLE_RIGHT);
	again = sms_of(&who, 3, id, WORLD_NOW + 3); // its code is used up: this one is sent
	again.digest = digest.octets;
	assert_int_equal(open_at(w, &who, &again, WORLD_NOW + 3).status, WSMFA_OPEN_OPENED);
	assert_int_equal(take(w, &who, 3, WORLD_NOW + 3), WSMFA_TAKE_TAKEN);
	again = sms_of(&who, 4, id, WORLD_NOW + 20 * WSMFA_SECOND); // too late for a repeat
	again.digest = digest.octets;
	assert_int_equal(open_at(w, &who, &again, WORLD_NOW + 20 * WSMFA_SECOND).status, WSMFA_OPEN_OPENED);
	assert_int_equal(take(w, &who, 4, WORLD_NOW + 20 * WSMFA_SECOND), WSMFA_TAKE_TAKEN);
}

static void sms_code_expires(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_SMS, true), q;
	struct wsmfa_opening x = sms_of(&who, 1, id, WORLD_NOW);

	q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take(w, &who, 1, WORLD_NOW), WSMFA_TAKE_TAKEN);
	assert_int_equal(settle(w, &who, right_sms(q, &id), x.code_expires_at).status, WSMFA_SETTLE_GONE);
}

static void sms_is_limited(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_SMS, true);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW);
	struct wsmfa_limits tight = limits;
	struct wsmfa_opening x;
	struct wsmfa_opened out;

	for (int i = 1; i <= 7; i++) {
		x = sms_of(&who, i, id, WORLD_NOW);
		assert_int_equal(open_at(w, &who, &x, WORLD_NOW).status,
				 i <= limits.sms_max ? WSMFA_OPEN_OPENED : WSMFA_OPEN_SMS_LIMIT);
	}
	tight.sms_number_max = 5; // an hour later only the number's limit of a day holds
	o.at += WSMFA_HOUR;
	x = sms_of(&who, 8, id, o.at);
	assert_int_equal(w->store->ops->open(w->store, &o, &tight, who.id, &x, &out), WSMFA_STORE_OK);
	assert_int_equal(out.status, WSMFA_OPEN_SMS_LIMIT);
	tight.sms_number_max = 6;
	assert_int_equal(w->store->ops->open(w->store, &o, &tight, who.id, &x, &out), WSMFA_STORE_OK);
	assert_int_equal(out.status, WSMFA_OPEN_OPENED);
	tight.sms_number_max = 100;
	tight.sms_organization_max = 1;
	x = sms_of(&who, 9, id, o.at);
	assert_int_equal(w->store->ops->open(w->store, &o, &tight, who.id, &x, &out), WSMFA_STORE_OK);
	assert_int_equal(out.status, WSMFA_OPEN_SMS_LIMIT);
	tight.sms_organization_max = 0;
	tight.sms_total_max = 1;
	assert_int_equal(w->store->ops->open(w->store, &o, &tight, who.id, &x, &out), WSMFA_STORE_OK);
	assert_int_equal(out.status, WSMFA_OPEN_SMS_LIMIT);
}

static struct wsmfa_settled append(struct store_world *w, struct world_who const *who, int64_t const *id, int code,
				   char const *station)
{
	struct hash guess = hash_of(who, "code", code);
	struct wsmfa_origin o = origin_of(who, WORLD_NOW + code);
	struct wsmfa_settlement x = wrong_totp(0, id, guess.octets);
	struct wsmfa_settled out;

	x.account_id = who->id;
	x.authenticators_len = id ? 1 : 0;
	x.guess_may_be_sent = true;
	x.outcome = WSMFA_OUTCOME_FAILED_SECOND_FACTOR;
	x.reason = WSMFA_REASON_WRONG_CODE;
	o.station = station;
	assert_int_equal(w->store->ops->settle(w->store, &o, &limits, &x, &out), WSMFA_STORE_OK);
	return out;
}

static void append_takes_a_sent_code(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t sms = world_authenticator(w, who.id, WSMFA_KIND_SMS, true);
	int64_t totp = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true);
	struct wsmfa_opening x = sms_of(&who, 1, sms, WORLD_NOW);
	struct wsmfa_settled r;

	x.state_hash = NULL;
	assert_int_equal(open_at(w, &who, &x, WORLD_NOW).status, WSMFA_OPEN_OPENED);
	assert_int_equal(append(w, &who, &totp, 1, "02-00-5e-10-00-02").status, WSMFA_SETTLE_WRONG);
	assert_int_equal(append(w, &who, &totp, 2, STATION).status, WSMFA_SETTLE_WRONG);
	r = append(w, &who, &totp, 1, STATION);
	assert_int_equal(r.status, WSMFA_SETTLE_RIGHT);
	assert_int_equal(r.outcome, WSMFA_OUTCOME_ACCEPTED);
	assert_int_equal(append(w, &who, &totp, 1, STATION).status, WSMFA_SETTLE_WRONG);

	x = sms_of(&who, 5, sms, WORLD_NOW); // as many wrong ones as a dialogue has void it
	x.state_hash = NULL;
	assert_int_equal(open_at(w, &who, &x, WORLD_NOW).status, WSMFA_OPEN_OPENED);
	for (int i = 6; i < 6 + limits.max_attempts; i++)
		assert_int_equal(append(w, &who, &totp, i, STATION).status, WSMFA_SETTLE_WRONG);
	assert_int_equal(append(w, &who, &totp, 5, STATION).status, WSMFA_SETTLE_WRONG);
}

static void recovery_codes_are_used_up(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_RECOVERY, true);
	struct hash codes[2] = { hash_of(&who, "code", 1), hash_of(&who, "code", 2) },
		    unknown = hash_of(&who, "code", 3);
	struct wsmfa_settlement x = { .verdict = WSMFA_VERDICT_RIGHT,
				      .kind = WSMFA_ASK_RECOVERY,
				      .authenticators = &id,
				      .authenticators_len = 1,
				      .recovery_hash = codes[0].octets };
	struct wsmfa_settled r;

	world_recovery_code(w, id, codes[0].octets);
	world_recovery_code(w, id, codes[1].octets);
	x.challenge_id = asked(w, &who, 1, WSMFA_ASK_RECOVERY, WORLD_NOW);
	r = settle(w, &who, x, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_RIGHT);
	assert_int_equal(r.codes_left, 1);
	x.challenge_id = asked(w, &who, 2, WSMFA_ASK_RECOVERY, WORLD_NOW);
	assert_int_equal(settle(w, &who, x, WORLD_NOW).status, WSMFA_SETTLE_REPLAYED);
	x.challenge_id = asked(w, &who, 3, WSMFA_ASK_RECOVERY, WORLD_NOW);
	x.recovery_hash = unknown.octets;
	r = settle(w, &who, x, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_WRONG);
	assert_int_equal(r.outcome, WSMFA_OUTCOME_FAILED_SECOND_FACTOR);
	assert_int_equal(load(w, &who, WORLD_NOW).authenticators[0].failures, 1);
	assert_int_equal(load(w, &who, WORLD_NOW).authenticators[0].codes_left, 1);
}

static void next_question_follows(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true), q;
	struct wsmfa_opening next = opening_of(&who, 2, WSMFA_ASK_TOTP, WORLD_NOW);
	struct wsmfa_settlement x;
	struct wsmfa_settled r, repeat;

	q = asked(w, &who, 1, WSMFA_ASK_TOTP, WORLD_NOW);
	x = wrong_totp(q, &id, NULL);
	x.next = &next;
	r = settle(w, &who, x, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_WRONG);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
	assert_true(r.next_id > 0);
	repeat = settle(w, &who, x, WORLD_NOW);
	assert_int_equal(repeat.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(repeat.next_id, r.next_id);
	assert_int_equal(repeat.next_status, WSMFA_OPEN_OPENED);
	assert_int_equal(take(w, &who, 2, WORLD_NOW), WSMFA_TAKE_TAKEN);

	next = opening_of(&who, 3, WSMFA_ASK_METHOD, WORLD_NOW);
	x = (struct wsmfa_settlement) { .challenge_id = r.next_id,
					.verdict = WSMFA_VERDICT_ASIDE,
					.kind = WSMFA_ASK_TOTP };
	x.outcome = WSMFA_OUTCOME_CHALLENGED;
	x.reason = WSMFA_REASON_SWITCHED;
	x.next = &next;
	r = settle(w, &who, x, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_ASIDE);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
	repeat = settle(w, &who, x, WORLD_NOW);
	assert_int_equal(repeat.outcome, WSMFA_OUTCOME_CHALLENGED);
	assert_int_equal(repeat.reason, WSMFA_REASON_SWITCHED);

	q = asked(w, &who, 4, WSMFA_ASK_TOTP, WORLD_NOW); // a right answer ends the login
	x = right_totp(q, &id, 9);
	next = opening_of(&who, 5, WSMFA_ASK_TOTP, WORLD_NOW);
	x.next = &next;
	assert_int_equal(settle(w, &who, x, WORLD_NOW).next_id, 0);
	assert_int_equal(take(w, &who, 5, WORLD_NOW), WSMFA_TAKE_UNKNOWN);
}

static void next_question_keeps_the_code(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_SMS, true);
	struct wsmfa_opening x = sms_of(&who, 1, id, WORLD_NOW),
			     next = opening_of(&who, 2, WSMFA_ASK_SMS, WORLD_NOW + 1);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW + 2);
	struct wsmfa_settlement wrong;
	struct wsmfa_question q;
	int64_t first = open_at(w, &who, &x, WORLD_NOW).challenge_id;

	assert_int_equal(take(w, &who, 1, WORLD_NOW + 1), WSMFA_TAKE_TAKEN);
	next.keep_code = true;
	next.attempt = 2;
	wrong = wrong_totp(first, &id, NULL);
	wrong.kind = WSMFA_ASK_SMS;
	wrong.next = &next;
	assert_int_equal(settle(w, &who, wrong, WORLD_NOW + 1).next_status, WSMFA_OPEN_OPENED);
	assert_int_equal(take_from(w, &o, hash_of(&who, "state", 2), hash_of(&who, "a", 2), NULL, &q),
			 WSMFA_TAKE_TAKEN);
	assert_int_equal(q.attempt, 2);
	assert_int_equal(q.authenticator_id, id);
	assert_memory_equal(q.code_mac, x.code_mac, WSMFA_HASH_LEN);
	assert_int_equal(q.code_expires_at, x.code_expires_at);
	assert_memory_equal(q.login, x.login, 16);
	assert_int_equal(settle(w, &who, right_sms(q.id, &id), WORLD_NOW + 2).status, WSMFA_SETTLE_RIGHT);
}

static void banner_is_stamped(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	struct wsmfa_opening x = opening_of(&who, 1, WSMFA_ASK_BANNER, WORLD_NOW);

	x.shows_banner = true;
	assert_int_equal(open_at(w, &who, &x, WORLD_NOW).status, WSMFA_OPEN_OPENED);
	assert_int_equal(load(w, &who, WORLD_NOW).banner_shown_at, WORLD_NOW);
	world_account_disable(w, who.id);
	x = opening_of(&who, 2, WSMFA_ASK_TOTP, WORLD_NOW);
	assert_int_equal(open_at(w, &who, &x, WORLD_NOW).status, WSMFA_OPEN_REFUSED);
}

static void enrolment_happens_once(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	struct hash ticket = hash_of(&who, "ticket", 1);
	struct wsmfa_opening next = opening_of(&who, 2, WSMFA_ASK_ENROLL_METHOD, WORLD_NOW), x;
	struct wsmfa_settlement s = { .verdict = WSMFA_VERDICT_RIGHT,
				      .kind = WSMFA_ASK_ENROLL_TICKET,
				      .ticket_hash = ticket.octets,
				      .next = &next };
	struct wsmfa_account a;
	struct wsmfa_settled r;
	int64_t ids[2], qs[2];

	world_ticket(w, who.id, ticket.octets, WORLD_NOW + 1);
	s.challenge_id = asked(w, &who, 1, WSMFA_ASK_ENROLL_TICKET, WORLD_NOW);
	r = settle(w, &who, s, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_RIGHT);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
	s.challenge_id = asked(w, &who, 3, WSMFA_ASK_ENROLL_TICKET, WORLD_NOW);
	next = opening_of(&who, 4, WSMFA_ASK_ENROLL_METHOD, WORLD_NOW);
	r = settle(w, &who, s, WORLD_NOW); // used up
	assert_int_equal(r.status, WSMFA_SETTLE_GONE);
	assert_int_equal(r.next_id, 0);

	for (int i = 0; i < 2; i++) { // two dialogues at once
		ids[i] = load(w, &who, WORLD_NOW).spare_authenticator_id;
		x = opening_of(&who, 10 + i, WSMFA_ASK_ENROLL_TOTP, WORLD_NOW);
		x.authenticator_id = ids[i];
		x.sealed = (uint8_t const *)"sealed";
		x.sealed_len = 6;
		qs[i] = open_at(w, &who, &x, WORLD_NOW).challenge_id;
		assert_int_equal(take(w, &who, 10 + i, WORLD_NOW), WSMFA_TAKE_TAKEN);
	}
	s = (struct wsmfa_settlement) { .challenge_id = qs[0],
					.verdict = WSMFA_VERDICT_RIGHT,
					.kind = WSMFA_ASK_ENROLL_TOTP,
					.step = 55,
					.enroll = true };
	assert_int_equal(settle(w, &who, s, WORLD_NOW).status, WSMFA_SETTLE_RIGHT);
	s.challenge_id = qs[1];
	assert_int_equal(settle(w, &who, s, WORLD_NOW).status, WSMFA_SETTLE_ENROLLED);
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.authenticators_len, 1);
	assert_int_equal(a.spare_authenticator_id, 0);
	assert_int_equal(a.authenticators[0].id, ids[0]);
	assert_int_equal(a.authenticators[0].kind, WSMFA_KIND_TOTP);
	assert_int_equal(a.authenticators[0].confirmed_at, WORLD_NOW);
	assert_int_equal(a.authenticators[0].sealed_len, 6);
	assert_int_equal(a.authenticators[0].last_step, 55);
	assert_int_equal(a.authenticators[0].digits, 6);
}

static void enrolment_of_a_phone(void **state)
{
	struct store_world *w = *state;
	struct world_person const p = { .phone = "+358401234567" };
	struct world_who who = world_account(w, &p);
	int64_t id = load(w, &who, WORLD_NOW).spare_authenticator_id;
	struct wsmfa_opening x = sms_of(&who, 1, id, WORLD_NOW);
	struct wsmfa_settlement s = {
		.verdict = WSMFA_VERDICT_RIGHT, .kind = WSMFA_ASK_ENROLL_SMS, .enroll = true, .phone = "+358401234567"
	};
	struct wsmfa_account a;

	x.kind = WSMFA_ASK_ENROLL_SMS;
	s.challenge_id = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take(w, &who, 1, WORLD_NOW), WSMFA_TAKE_TAKEN);
	assert_int_equal(settle(w, &who, s, WORLD_NOW).status, WSMFA_SETTLE_RIGHT);
	a = load(w, &who, WORLD_NOW);
	assert_int_equal(a.authenticators_len, 1);
	assert_int_equal(a.authenticators[0].id, id);
	assert_int_equal(a.authenticators[0].kind, WSMFA_KIND_SMS);
	assert_string_equal(a.authenticators[0].phone, "+358401234567");
}

static struct wsmfa_opening push_of(struct world_who const *who, int n, int64_t id, wsmfa_time_t at)
{
	struct wsmfa_opening x = opening_of(who, n, WSMFA_ASK_PUSH, at);

	x.authenticator_id = id;
	x.code_expires_at = at + 45 * WSMFA_SECOND;
	x.number = "42";
	x.provider = "local";
	return x;
}

static struct wsmfa_settled wait_for(struct store_world *w, struct world_who const *who, int64_t q, int64_t waiter,
				     wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_settled out;

	assert_int_equal(w->store->ops->wait(w->store, &o, q, waiter, &out), WSMFA_STORE_OK);
	return out;
}

static struct wsmfa_settled settle_push(struct store_world *w, struct world_who const *who, int64_t q, int64_t waiter,
					bool give_up, struct wsmfa_opening const *next, wsmfa_time_t at)
{
	struct wsmfa_origin o = origin_of(who, at);
	struct wsmfa_settled out;

	memset(&out, 0xee, sizeof(out));
	assert_int_equal(w->store->ops->settle_push(w->store, &o, &limits, q, waiter, give_up, next, &out),
			 WSMFA_STORE_OK);
	return out;
}

static void push_has_one_waiter(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true), q;
	struct wsmfa_opening x = push_of(&who, 1, id, WORLD_NOW);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW + 1);
	struct wsmfa_question question;
	struct wsmfa_settled r;
	wsmfa_time_t at = WORLD_NOW + 20 * WSMFA_SECOND;

	q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take_from(w, &o, hash_of(&who, "state", 1), hash_of(&who, "a", 1), NULL, &question),
			 WSMFA_TAKE_TAKEN);
	assert_string_equal(question.push_state, "pending");
	assert_string_equal(question.number, "42");
	assert_string_equal(question.provider, "local");
	assert_int_equal(question.code_expires_at, x.code_expires_at);
	assert_int_equal(wait_for(w, &who, q, 1001, at).status, WSMFA_SETTLE_PENDING);
	assert_int_equal(settle_push(w, &who, q, 1001, false, NULL, at).status, WSMFA_SETTLE_PENDING);
	assert_int_equal(wait_for(w, &who, q, 1002, at).status, WSMFA_SETTLE_PENDING);
	assert_true(world_answer(w, q, "approved", at));
	assert_false(world_answer(w, q, "denied", at));
	assert_int_equal(settle_push(w, &who, q, 1001, false, NULL, at).status, WSMFA_SETTLE_SUPERSEDED);
	r = settle_push(w, &who, q, 1002, true, NULL, at); // the row decides, not who gives up
	assert_int_equal(r.status, WSMFA_SETTLE_RIGHT);
	assert_true(r.first);
	r = settle_push(w, &who, q, 1002, false, NULL, at);
	assert_int_equal(r.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(r.outcome, WSMFA_OUTCOME_ACCEPTED);
	assert_int_equal(r.reason, WSMFA_REASON_APPROVED);
	assert_false(r.first);
	assert_int_equal(settle_push(w, &who, q, 1001, false, NULL, at).status, WSMFA_SETTLE_SUPERSEDED);
	assert_int_equal(settle_push(w, &who, INT64_MAX, 1, false, NULL, at).status, WSMFA_SETTLE_GONE);
}

static void push_joins_or_is_busy(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true);
	struct hash digest = hash_of(&who, "digest", 1);
	struct wsmfa_opening x = push_of(&who, 1, id, WORLD_NOW), again = push_of(&who, 2, id, WORLD_NOW + 1);
	struct wsmfa_opened first, second;

	x.digest = digest.octets;
	x.waiter = 11;
	first = open_at(w, &who, &x, WORLD_NOW);
	assert_int_equal(first.status, WSMFA_OPEN_OPENED);
	assert_int_equal(open_at(w, &who, &again, WORLD_NOW + 1).status, WSMFA_OPEN_BUSY);
	again.digest = digest.octets;
	again.waiter = 12;
	second = open_at(w, &who, &again, WORLD_NOW + 1);
	assert_int_equal(second.status, WSMFA_OPEN_JOINED);
	assert_int_equal(second.challenge_id, first.challenge_id);
	assert_int_equal(second.expires_at, x.expires_at);
	assert_string_equal(second.number, "42");
	assert_int_equal(settle_push(w, &who, first.challenge_id, 11, false, NULL, WORLD_NOW + 2).status,
			 WSMFA_SETTLE_SUPERSEDED);
	assert_int_equal(settle_push(w, &who, first.challenge_id, 12, false, NULL, WORLD_NOW + 2).status,
			 WSMFA_SETTLE_PENDING);
	assert_int_equal(take(w, &who, 1, WORLD_NOW + 2), WSMFA_TAKE_UNKNOWN); // the newest packet holds the State
	assert_int_equal(take(w, &who, 2, WORLD_NOW + 2), WSMFA_TAKE_TAKEN);
}

static void push_is_limited(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true);
	struct wsmfa_opening x;
	wsmfa_time_t at = WORLD_NOW;

	for (int i = 1; i <= limits.push_max; i++, at += WSMFA_MINUTE) {
		x = push_of(&who, i, id, at);
		assert_int_equal(open_at(w, &who, &x, at).status, WSMFA_OPEN_OPENED);
	}
	x = push_of(&who, 20, id, at);
	assert_int_equal(open_at(w, &who, &x, at).status, WSMFA_OPEN_PUSH_LIMIT);
	at = WORLD_NOW + WSMFA_HOUR; // the first one is an hour ago
	x = push_of(&who, 21, id, at);
	x.waiter = 5;
	assert_int_equal(open_at(w, &who, &x, at).status, WSMFA_OPEN_OPENED);
}

static void push_denied_counts(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true), q;
	struct wsmfa_opening x = push_of(&who, 1, id, WORLD_NOW);
	struct wsmfa_settled r;

	x.waiter = 5;
	q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_true(world_answer(w, q, "denied", WORLD_NOW));
	r = settle_push(w, &who, q, 5, false, NULL, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_DENIED);
	assert_int_equal(r.reason, WSMFA_REASON_SUSPICIOUS);
	assert_true(r.first);
	assert_int_equal(load(w, &who, WORLD_NOW).authenticators[0].failures, 1);
	r = settle_push(w, &who, q, 5, false, NULL, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(load(w, &who, WORLD_NOW).authenticators[0].failures, 1);
}

static void push_given_up_is_void(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true), q;
	struct wsmfa_opening x = push_of(&who, 1, id, WORLD_NOW),
			     next = opening_of(&who, 2, WSMFA_ASK_METHOD, WORLD_NOW);
	struct wsmfa_settled r;

	x.waiter = 5;
	q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	r = settle_push(w, &who, q, 5, true, &next, WORLD_NOW + 1);
	assert_int_equal(r.status, WSMFA_SETTLE_EXPIRED);
	assert_int_equal(r.outcome, WSMFA_OUTCOME_EXPIRED);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
	assert_int_equal(take(w, &who, 2, WORLD_NOW + 1), WSMFA_TAKE_TAKEN);
	assert_false(world_answer(w, q, "approved", WORLD_NOW + 2));

	x = push_of(&who, 3, id, WORLD_NOW);
	x.waiter = 6;
	q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_false(world_answer(w, q, "approved", x.code_expires_at));
	assert_int_equal(wait_for(w, &who, q, 6, x.code_expires_at).status, WSMFA_SETTLE_EXPIRED);
	assert_int_equal(settle_push(w, &who, q, 6, false, NULL, x.code_expires_at).status, WSMFA_SETTLE_EXPIRED);

	x = push_of(&who, 4, id, WORLD_NOW);
	x.waiter = 7;
	q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_true(world_answer(w, q, "failed", WORLD_NOW));
	next = opening_of(&who, 5, WSMFA_ASK_METHOD, WORLD_NOW);
	r = settle_push(w, &who, q, 7, false, &next, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_FAILED);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
}

static void push_switched_away_from_is_void(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true), q;
	struct wsmfa_opening x = push_of(&who, 1, id, WORLD_NOW), next = opening_of(&who, 2, WSMFA_ASK_TOTP, WORLD_NOW);
	struct wsmfa_settlement aside = { .verdict = WSMFA_VERDICT_ASIDE,
					  .kind = WSMFA_ASK_PUSH,
					  .outcome = WSMFA_OUTCOME_CHALLENGED,
					  .reason = WSMFA_REASON_SWITCHED,
					  .next = &next };

	q = aside.challenge_id = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take(w, &who, 1, WORLD_NOW), WSMFA_TAKE_TAKEN);
	assert_int_equal(settle(w, &who, aside, WORLD_NOW).next_status, WSMFA_OPEN_OPENED);
	assert_false(world_answer(w, q, "approved", WORLD_NOW));

	x = push_of(&who, 3, id, WORLD_NOW); // help is shown, and the push goes on under its id
	q = aside.challenge_id = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take(w, &who, 3, WORLD_NOW), WSMFA_TAKE_TAKEN);
	next = push_of(&who, 4, id, WORLD_NOW);
	next.keep_code = true;
	assert_int_equal(settle(w, &who, aside, WORLD_NOW).next_id, q);
	assert_int_equal(take(w, &who, 3, WORLD_NOW), WSMFA_TAKE_REPEAT);
	assert_int_equal(take(w, &who, 4, WORLD_NOW), WSMFA_TAKE_TAKEN);
	assert_int_equal(wait_for(w, &who, q, 9, WORLD_NOW).status, WSMFA_SETTLE_PENDING);
	assert_true(world_answer(w, q, "approved", WORLD_NOW));
	world_authenticator_disable(w, id);
	assert_int_equal(settle_push(w, &who, q, 9, false, NULL, WORLD_NOW).status, WSMFA_SETTLE_GONE);
}

static int world_setup(void **state)
{
	static struct store_world w;
	char const *which = getenv("WSMFA_STORE");

	*state = &w;
	return world_begin(&w, which && strcmp(which, "pg") == 0 ? "application_name=test" : NULL) ? 0 : -1;
}

static int world_teardown(void **state)
{
	world_end(*state);
	return 0;
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(loads),
		cmocka_unit_test(loads_authenticators),
		cmocka_unit_test(loads_scope_and_stage),
		cmocka_unit_test(takes_once),
		cmocka_unit_test(takes_until_it_expires),
		cmocka_unit_test(totp_burns_a_step),
		cmocka_unit_test(settles_only_what_is_there),
		cmocka_unit_test(failures_count),
		cmocka_unit_test(failures_make_wait),
		cmocka_unit_test(failures_end_in_budget_and_disabling),
		cmocka_unit_test(sms_is_good_once),
		cmocka_unit_test(sms_code_expires),
		cmocka_unit_test(sms_is_limited),
		cmocka_unit_test(append_takes_a_sent_code),
		cmocka_unit_test(recovery_codes_are_used_up),
		cmocka_unit_test(next_question_follows),
		cmocka_unit_test(next_question_keeps_the_code),
		cmocka_unit_test(banner_is_stamped),
		cmocka_unit_test(enrolment_happens_once),
		cmocka_unit_test(enrolment_of_a_phone),
		cmocka_unit_test(push_has_one_waiter),
		cmocka_unit_test(push_joins_or_is_busy),
		cmocka_unit_test(push_is_limited),
		cmocka_unit_test(push_denied_counts),
		cmocka_unit_test(push_given_up_is_void),
		cmocka_unit_test(push_switched_away_from_is_void),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
