/* The store's contract, scenario by scenario: logins. In memory, and with WSMFA_STORE=pg in PostgreSQL.
 * Apart from the tests of either store: what both must do is said once. */
#include "store_scenario.h"

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
		cmocka_unit_test(recovery_codes_are_used_up),
		cmocka_unit_test(next_question_follows),
		cmocka_unit_test(banner_is_stamped),
		cmocka_unit_test(enrolment_happens_once),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
