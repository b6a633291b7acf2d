/* The store's contract, scenario by scenario: what goes to a phone. In memory, and with WSMFA_STORE=pg in PostgreSQL.
 * Apart from the logins: limits, codes and pushes have rules of their own. */
#include "store_scenario.h"

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
	assert_int_equal(append(w, &who, &totp, 1, STATION).status, WSMFA_SETTLE_REPLAYED);
	assert_int_equal(append(w, &who, &totp, 2, STATION).status, WSMFA_SETTLE_WRONG);

	x = sms_of(&who, 5, sms, WORLD_NOW); // as many wrong ones as a dialogue has void it
	x.state_hash = NULL;
	assert_int_equal(open_at(w, &who, &x, WORLD_NOW).status, WSMFA_OPEN_OPENED);
	for (int i = 6; i < 6 + limits.max_attempts; i++)
		assert_int_equal(append(w, &who, &totp, i, STATION).status, WSMFA_SETTLE_WRONG);
	assert_int_equal(append(w, &who, &totp, 5, STATION).status, WSMFA_SETTLE_WRONG);
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

/* A push that rings when its organization forbids pushes is worth nothing. */
static void push_is_judged_by_the_policy_of_now(void **state)
{
	struct store_world *w = *state;

	for (int allowed = 0; allowed < 2; allowed++) {
		struct world_who who = world_account(w, NULL);
		int64_t id = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true), q;
		struct wsmfa_opening x = push_of(&who, 1, id, WORLD_NOW);
		struct wsmfa_settled r;

		x.waiter = 3;
		q = open_at(w, &who, &x, WORLD_NOW).challenge_id;
		assert_true(world_answer(w, q, "approved", WORLD_NOW));
		if (!allowed)
			world_allow_apps(w, &who);
		r = settle_push(w, &who, q, 3, false, NULL, WORLD_NOW);
		assert_int_equal(r.status, allowed ? WSMFA_SETTLE_RIGHT : WSMFA_SETTLE_GONE);
		assert_int_equal(r.outcome, allowed ? WSMFA_OUTCOME_ACCEPTED : WSMFA_OUTCOME_DENIED);
		assert_int_equal(r.reason, allowed ? WSMFA_REASON_APPROVED : WSMFA_REASON_NO_USABLE_METHOD);
	}
}

/* A switch to a phone that can't be reached: a repeat of it is led to what was asked instead. */
static void what_is_not_sent_is_not_asked_again(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t sms = world_authenticator(w, who.id, WSMFA_KIND_SMS, true);
	int64_t push = world_authenticator(w, who.id, WSMFA_KIND_PUSH, true);
	struct wsmfa_opening x = opening_of(&who, 1, WSMFA_ASK_METHOD, WORLD_NOW),
			     next = sms_of(&who, 2, sms, WORLD_NOW),
			     instead = opening_of(&who, 3, WSMFA_ASK_TOTP, WORLD_NOW);
	struct wsmfa_settlement aside = { .verdict = WSMFA_VERDICT_ASIDE,
					  .kind = WSMFA_ASK_METHOD,
					  .outcome = WSMFA_OUTCOME_CHALLENGED,
					  .reason = WSMFA_REASON_SWITCHED,
					  .next = &next };
	struct wsmfa_settled r;
	int64_t q;

	aside.challenge_id = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take(w, &who, 1, WORLD_NOW), WSMFA_TAKE_TAKEN);
	q = settle(w, &who, aside, WORLD_NOW).next_id;
	r = settle(w, &who, aside, WORLD_NOW);
	assert_int_equal(r.next_id, q);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
	instead.instead_of = q;
	q = open_at(w, &who, &instead, WORLD_NOW).challenge_id;
	r = settle(w, &who, aside, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(r.next_id, q);
	assert_int_equal(r.next_status, WSMFA_OPEN_UNSENT);

	aside.challenge_id = q; // from there to a push, whose provider is down too; then nothing is left
	assert_int_equal(take(w, &who, 3, WORLD_NOW), WSMFA_TAKE_TAKEN);
	next = push_of(&who, 4, push, WORLD_NOW);
	next.waiter = 8;
	q = settle(w, &who, aside, WORLD_NOW).next_id;
	assert_int_equal(settle_push(w, &who, q, 8, true, NULL, WORLD_NOW).status, WSMFA_SETTLE_EXPIRED);
	r = settle(w, &who, aside, WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_REPEAT);
	assert_int_equal(r.next_id, 0);
	assert_int_equal(r.next_status, WSMFA_OPEN_UNSENT);

	/* control: a push that was put and answered leads where it led */
	x = opening_of(&who, 5, WSMFA_ASK_METHOD, WORLD_NOW);
	aside.challenge_id = open_at(w, &who, &x, WORLD_NOW).challenge_id;
	assert_int_equal(take(w, &who, 5, WORLD_NOW), WSMFA_TAKE_TAKEN);
	next = push_of(&who, 6, push, WORLD_NOW);
	q = settle(w, &who, aside, WORLD_NOW).next_id;
	assert_int_equal(take(w, &who, 6, WORLD_NOW), WSMFA_TAKE_TAKEN);
	assert_int_equal(wait_for(w, &who, q, 9, WORLD_NOW).status, WSMFA_SETTLE_PENDING);
	assert_int_equal(settle_push(w, &who, q, 9, true, NULL, WORLD_NOW).status, WSMFA_SETTLE_EXPIRED);
	r = settle(w, &who, aside, WORLD_NOW);
	assert_int_equal(r.next_id, q);
	assert_int_equal(r.next_status, WSMFA_OPEN_OPENED);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(sms_is_good_once),
		cmocka_unit_test(sms_code_expires),
		cmocka_unit_test(sms_is_limited),
		cmocka_unit_test(append_takes_a_sent_code),
		cmocka_unit_test(next_question_keeps_the_code),
		cmocka_unit_test(enrolment_of_a_phone),
		cmocka_unit_test(push_has_one_waiter),
		cmocka_unit_test(push_joins_or_is_busy),
		cmocka_unit_test(push_is_limited),
		cmocka_unit_test(push_denied_counts),
		cmocka_unit_test(push_given_up_is_void),
		cmocka_unit_test(push_switched_away_from_is_void),
		cmocka_unit_test(push_is_judged_by_the_policy_of_now),
		cmocka_unit_test(what_is_not_sent_is_not_asked_again),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
