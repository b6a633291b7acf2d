/* What comes twice, what changes between a question and its answer, and what fails: the store, the random source, the clock.
 * Apart from the ways of the methods, since each of these is tried at many of them. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

static struct login_world w;

static int begin(void **state)
{
	(void)state;
	login_begin(&w);
	return 0;
}

static int end(void **state)
{
	(void)state;
	login_end(&w);
	return 0;
}

/* ---- an answer that is repeated at another server ---- */

/* A dialogue, each of whose answers comes twice: the second time the same end, State and text, nothing sent, counted or told. */
static struct dialogue {
	char const *person;
	char const *from;
	char const *setting[2];
	char const *say[6];
	char const *end;
} const dialogues[] = {
	{ "totp", NULL, { 0 }, { "{password}", "{totp}" }, "accept" },
	{ "totp", NULL, { 0 }, { "{password}", "{wrong}", "nonsense", "{totp}" }, "accept" },
	{ "totp", NULL, { 0 }, { "{password}", "111111", "222222", "333333" }, "reject Too many wrong codes*" },
	{ "totp", NULL, { 0 }, { "{password}", "", "?", "\t", "{totp}" }, "accept" },
	{ "totp recovery", NULL, { 0 }, { "{password}", "recovery", "{recovery}" }, "accept *" },
	{ "totp sms=" PHONE, NULL, { 0 }, { "{password}", "sms", "{wrong}", "{sms}" }, "accept" },
	{ "totp sms=" PHONE, NULL, { "sms_max", "1" }, { "{password}", "sms", "sms", "{totp}" }, "accept" },
	{ "sms=" PHONE, NULL, { "sms_max", "1" }, { "{password}", "sms" }, "reject Too many codes*" },
	{ "totp push", NULL, { 0 }, { "{password}", "totp", "push", "2", "{totp}" }, "accept" },
	{ "totp push", NULL, { "push_max", "1" }, { "{password}", "totp", "push", "{totp}" }, "accept" },
	{ "totp push", NULL, { 0 }, { "{password}", "?", "{wrong}", "{totp}" }, "accept" },
	{ "totp push", NULL, { 0 }, { "{password}", "{totp}" }, "accept" },
	{ "announced", "127.0.0.6", { 0 }, { "{password}", "what", "" }, "accept" },
	{ "announced", "127.0.0.6", { 0 }, { "{password}", "what", "is", "this" }, "accept" },
	{ "announced", "127.0.0.6", { 0 }, { "{password}", "enroll", "{wrong}", "{shown}" }, "accept" },
	{ "", NULL, { 0 }, { "{password}", "{wrong}", "?", "{shown}" }, "accept" },
	{ "phone=" PHONE, NULL, { 0 }, { "{password}", "totp", "{shown}" }, "accept" },
	{ "phone=" PHONE, NULL, { 0 }, { "{password}", "sms", "{sms}" }, "accept" },
	{ "phone=" PHONE, NULL, { 0 }, { "{password}", "sms", "totp", "{shown}" }, "accept" },
	{ "phone=" PHONE, NULL, { "sms_max", "1" }, { "{password}", "sms", "sms", "{shown}" }, "accept" },
	{ "phone=" PHONE,
	  NULL,
	  { "enroll_ticket", "required" },
	  { "{password}", "x", "{ticket}", "1", "{shown}" },
	  "accept" },
	{ "", NULL, { "enroll_ticket", "required" }, { "{password}", "{ticket}", "{shown}" }, "accept" },
	{ "", NULL, { "enroll_ticket", "required" }, { "{password}", "x", "y", "z" }, "reject Too many wrong*" },
};

static void answer_twice(char const *text)
{
	struct wsmfa_reply first;
	size_t events, jobs, notices;

	login_say(&w, text);
	first = w.reply;
	events = w.events_len;
	jobs = w.jobs_len;
	notices = w.notices_len;
	if (w.answered[0] == '\0')
		return; // a first packet is another matter
	w.now += 5 * WSMFA_SECOND;
	login_again(&w);
	assert_int_equal(w.reply.kind, first.kind);
	assert_string_equal(w.reply.state, first.state);
	if (first.kind != WSMFA_REPLY_ACCEPT)
		assert_string_equal(w.reply.text, first.text);
	assert_int_equal(w.events_len, events);
	assert_int_equal(w.jobs_len, jobs);
	assert_int_equal(w.notices_len, notices);
}

static void every_answer_twice(void **state)
{
	struct dialogue const *d = *state;

	login_begin(&w);
	login_person(&w, d->person);
	login_ticket(&w);
	if (d->from)
		login_from(&w, d->from);
	if (d->setting[0])
		assert_true(login_setting(&w, d->setting[0], d->setting[1]));
	for (size_t i = 0; i < LENGTH(d->say) && d->say[i]; i++)
		answer_twice(d->say[i]);
	login_expect(&w, d->end);
	login_end(&w);
}

static void the_last_recovery_code_twice(void **state)
{
	(void)state;
	login_person(&w, "totp recovery");
	wsmfa_mem_disable_authenticator(w.store, w.person.totp[0], w.now);
	for (int i = 0; i < 9; i++) {
		char text[32];

		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "{recovery+%d}", i);
		login_say(&w, text);
		login_expect(&w, "accept");
	}
	login_anew(&w, "{password}");
	answer_twice("{recovery+9}");
	login_expect(&w, "accept");
	assert_int_equal(w.notices_len, 10);
	login_anew(&w, "{password}");
	login_expect(&w, "reject None of your ways*");
}

static void not_the_same_answer(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	/* other octets, even if they mean the same */
	strcat(w.said, " ");
	login_again(&w);
	login_expect(&w, "reject The time to answer is over*");
	login_event(&w, "denied spent_state");
	/* from elsewhere */
	w.said[strlen(w.said) - 1] = '\0';
	snprintf(w.station, sizeof(w.station), "elsewhere");
	login_again(&w);
	login_event(&w, "denied foreign_state");
	snprintf(w.station, sizeof(w.station), "station");
	login_from(&w, "127.0.0.5");
	login_again(&w);
	login_event(&w, "denied foreign_state");
	login_from(&w, "127.0.0.1");
	login_again(&w);
	login_expect(&w, "challenge That code is not right.*");
	w.now += 11 * WSMFA_SECOND;
	login_again(&w);
	login_event(&w, "denied spent_state");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 1);
}

/* ---- decided again: never less strict ---- */

static void disable_account(void)
{
	wsmfa_mem_disable_account(w.store, w.person.id, w.now);
}

static void disable_totp(void)
{
	wsmfa_mem_disable_authenticator(w.store, w.person.totp[0], w.now);
}

static void disable_all(void)
{
	struct wsmfa_account account;
	struct wsmfa_origin const origin = { w.now, w.person.name, "127.0.0.1", "station", "elements" };

	assert_int_equal(w.store->ops->load(w.store, &origin, &account), WSMFA_STORE_OK);
	for (size_t i = 0; i < account.authenticators_len; i++)
		wsmfa_mem_disable_authenticator(w.store, account.authenticators[i].id, w.now);
}

static void forbid(void)
{
	wsmfa_mem_organization(w.store, w.person.organization, 1U << WSMFA_KIND_PUSH, WSMFA_TIME_NONE, WSMFA_TIME_NONE);
}

static void enforce(void)
{
	wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - WSMFA_DAY, w.now);
}

static void enroll_elsewhere(void)
{
	struct wsmfa_authenticator const a = { .kind = WSMFA_KIND_SMS,
					       .confirmed_at = w.now,
					       .disabled_at = WSMFA_TIME_NONE,
					       .last_step = -1,
					       .phone = PHONE };

	w.person.sms = wsmfa_mem_authenticator(w.store, w.person.id, &a);
}

static void observe(void)
{
	wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now + WSMFA_DAY, w.now + 2 * WSMFA_DAY);
}

static void exempt(void)
{
	wsmfa_mem_exempt(w.store, w.person.id, w.now + WSMFA_DAY);
}

static void remove_totp(void)
{
	wsmfa_mem_remove_authenticator(w.store, w.person.totp[0]);
}

static void lock(void)
{
	struct login_person const person = w.person;
	char const *said = "{wrong}";
	struct wsmfa_reply const reply = w.reply;

	login_setting(&w, "lock_after", "1");
	login_anew(&w, "{password}");
	login_say(&w, said);
	assert_non_null(strstr(w.reply.text, "Try again in 1 minutes"));
	w.person = person;
	w.reply = reply;
}

static struct change {
	char const *person;
	char const *from;
	char const *say[3]; // until the question that is open
	void (*change)(void);
	char const *answer;
	char const *reply;
} const changes[] = {
	{ "totp", NULL, { "{password}" }, disable_account, "{totp}", "reject This account is disabled." },
	{ "totp", NULL, { "{password}" }, disable_totp, "{totp}", "reject None of your ways*" },
	{ "totp", NULL, { "{password}" }, remove_totp, "{totp}", "reject None of your ways*" },
	{ "totp", NULL, { "{password}" }, forbid, "{totp}", "reject None of your ways*" },
	{ "totp", NULL, { "{password}" }, lock, "{totp}", "reject Too many wrong codes. Try again in 1 minutes." },
	/* not spared by what would spare a first packet */
	{ "totp", NULL, { "{password}" }, observe, "{wrong}", "challenge That code*" },
	{ "totp", NULL, { "{password}" }, observe, "{totp}", "accept" },
	{ "totp", NULL, { "{password}" }, exempt, "", "challenge Enter the code*" },
	/* another way is left when the one that was asked for is gone, and nothing is counted */
	{ "totp recovery",
	  NULL,
	  { "{password}" },
	  disable_totp,
	  "{totp}",
	  "challenge That way is not available. How do you*1 recovery:" },
	{ "totp recovery",
	  NULL,
	  { "{password}" },
	  disable_totp,
	  "?",
	  "challenge That way is not available. How do you*1 recovery:" },
	{ "totp recovery", NULL, { "{password}" }, disable_totp, "1", "challenge Enter one of your recovery codes*" },
	{ "totp push",
	  NULL,
	  { "{password}", "totp" },
	  forbid,
	  "{totp}",
	  "challenge That way is not available.*1 push:" },
	{ "totp sms=" PHONE, NULL, { "{password}", "sms" }, forbid, "{sms}", "reject None of your ways*" },
	{ "recovery sms=" PHONE, NULL, { "{password}" }, disable_all, "{sms}", "reject None of your ways*" },
	{ "push totp", NULL, { "{password}" }, disable_all, "", "reject None of your ways*" },
	/* the announcement */
	{ "announced", "127.0.0.6", { "{password}" }, enforce, "", "challenge Add this key*" },
	{ "announced", "127.0.0.6", { "{password}" }, enforce, "what", "challenge Add this key*" },
	{ "announced phone=" PHONE,
	  "127.0.0.6",
	  { "{password}" },
	  enroll_elsewhere,
	  "",
	  "challenge Enter the code sent to*01*" },
	{ "announced", "127.0.0.6", { "{password}" }, disable_account, "", "reject This account is disabled." },
	{ "announced",
	  "127.0.0.6",
	  { "{password}", "enroll" },
	  disable_account,
	  "{shown}",
	  "reject This account is disabled." },
	{ "announced", "127.0.0.6", { "{password}", "enroll" }, observe, "", "challenge Add this key*" },
	/* an enrolment */
	{ "", NULL, { "{password}" }, enroll_elsewhere, "{shown}", "reject A second factor was set up elsewhere*" },
	{ "", NULL, { "{password}" }, enroll_elsewhere, "", "reject A second factor was set up elsewhere*" },
	{ "", NULL, { "{password}" }, disable_account, "{shown}", "reject This account is disabled." },
	{ "", NULL, { "{password}" }, forbid, "{shown}", "reject A second factor is needed*" },
	{ "", NULL, { "{password}" }, observe, "", "challenge Add this key*" },
	{ "", NULL, { "{password}" }, exempt, "", "challenge Add this key*" },
	{ "", NULL, { "{password}" }, exempt, "{shown}", "accept" },
	{ "phone=" PHONE,
	  NULL,
	  { "{password}", "sms" },
	  enroll_elsewhere,
	  "{sms}",
	  "reject A second factor was set up*" },
};

static void changed_in_between(void **state)
{
	struct change const *c = *state;
	int32_t failures;

	login_begin(&w);
	login_person(&w, c->person);
	if (c->from)
		login_from(&w, c->from);
	for (size_t i = 0; i < LENGTH(c->say) && c->say[i]; i++)
		login_say(&w, c->say[i]);
	assert_int_equal(w.reply.kind, WSMFA_REPLY_CHALLENGE);
	c->change();
	failures = login_failures(&w, 0);
	login_say(&w, c->answer);
	login_expect(&w, c->reply);
	assert_int_equal(login_failures(&w, 0), failures); // nothing of it counts on the account itself
	login_end(&w);
}

/* What was accepted is not accepted again when the rules of now would not. */
static struct change const accepted[] = {
	{ "totp", NULL, { "{password}", "{totp}" }, disable_account, NULL, "reject This account is disabled." },
	{ "totp", NULL, { "{password}", "{totp}" }, disable_totp, NULL, "reject None of your ways*" },
	{ "totp recovery", NULL, { "{password}", "{totp}" }, disable_totp, NULL, "challenge*" },
	{ "totp", NULL, { "{password}", "{totp}" }, lock, NULL, "reject Too many wrong codes. Try again*" },
	{ "announced", "127.0.0.6", { "{password}", "" }, enforce, NULL, "reject The time to answer is over*" },
	{ "announced phone=" PHONE,
	  "127.0.0.6",
	  { "{password}", "" },
	  enroll_elsewhere,
	  NULL,
	  "reject The time to answer is over*" },
	{ "announced", "127.0.0.6", { "{password}", "" }, disable_account, NULL, "reject This account is disabled." },
	{ "", NULL, { "{password}", "{shown}" }, disable_account, NULL, "reject This account is disabled." },
	{ "", NULL, { "{password}", "{shown}" }, disable_all, NULL, "reject *" },
};

static void accepted_then_changed(void **state)
{
	struct change const *c = *state;
	char answered[sizeof(w.answered)], said[sizeof(w.said)];

	login_begin(&w);
	login_person(&w, c->person);
	if (c->from)
		login_from(&w, c->from);
	for (size_t i = 0; i < LENGTH(c->say) && c->say[i]; i++)
		login_say(&w, c->say[i]);
	login_expect(&w, "accept");
	memcpy(answered, w.answered, sizeof(answered));
	memcpy(said, w.said, sizeof(said));
	c->change();
	memcpy(w.answered, answered, sizeof(answered));
	memcpy(w.said, said, sizeof(said));
	login_again(&w);
	if (w.reply.kind == WSMFA_REPLY_ACCEPT)
		fail_msg("accepted again: %s", w.reply.text);
	if (strcmp(c->reply, "challenge*") != 0)
		login_expect(&w, c->reply);
	login_end(&w);
}

static void enabled_again_it_would_be_accepted(void **state)
{
	(void)state;
	/* the control of the test above */
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	disable_account();
	wsmfa_mem_disable_account(w.store, w.person.id, WSMFA_TIME_NONE);
	login_again(&w);
	login_expect(&w, "accept");
}

/* The rules of a push are asked again before it waits; the store asks once more when it is settled. */
static void disabled_while_it_waits(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	login_expect(&w, "park");
	disable_account();
	login_phone(&w, true, w.jobs[0].message.number);
	login_expect(&w, "reject This account is disabled.");
	login_event(&w, "denied disabled");
}

/* ---- limits ---- */

static void ten_in_a_row_wait(void **state)
{
	wsmfa_time_t waits[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	char text[96];

	(void)state;
	login_setting(&w, "failure_budget", "100");
	login_person(&w, "totp");
	for (int i = 0; i < 9; i++) {
		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "9%05d", i);
		login_say(&w, text);
	}
	login_expect(&w, "challenge");
	for (size_t i = 0; i < LENGTH(waits); i++) {
		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "8%05zu", i);
		login_say(&w, text);
		snprintf(text, sizeof(text), "reject Too many wrong codes. Try again in %lld minutes.",
			 (long long)waits[i]);
		login_expect(&w, text);
		login_event(&w, "failed_second_factor locked");
		login_anew(&w, "{password}");
		login_expect(&w, text);
		login_event(&w, "denied locked");
		/* elsewhere nobody waits */
		snprintf(w.station, sizeof(w.station), "elsewhere");
		login_anew(&w, "{password}");
		login_expect(&w, "challenge");
		snprintf(w.station, sizeof(w.station), "station");
		w.now += waits[i] * WSMFA_MINUTE;
	}
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	login_anew(&w, "{password}");
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge"); // a success ends the row
}

static void the_wait_is_told_only_behind_the_password(void **state)
{
	(void)state;
	login_setting(&w, "lock_after", "1");
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_anew(&w, "not the password");
	login_expect(&w, "reject");
	assert_string_equal(w.reply.text, "");
	login_event(&w, "failed_first_factor wrong_password");
}

static void the_budget_outlives_a_success(void **state)
{
	char text[16];

	(void)state;
	login_setting(&w, "lock_after", "50");
	login_person(&w, "totp sms=" PHONE);
	for (int i = 0; i < 29; i++) {
		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "9%05d", i);
		login_say(&w, text);
	}
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	w.now += WSMFA_MINUTE;
	login_anew(&w, "{password}");
	login_say(&w, "900100"); // the thirtieth
	w.now += WSMFA_MINUTE;
	login_anew(&w, "{password}");
	assert_int_equal(login_asked(&w), WSMFA_ASK_METHOD); // sms is another method, and not sent unasked
	login_say(&w, "{totp}");
	login_expect(&w, "challenge");
	assert_int_equal(login_asked(&w), WSMFA_ASK_METHOD);
	login_say(&w, "sms");
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
	w.now += 30 * WSMFA_DAY;
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
}

/* The budget is used up by another login while this question is open: the store refuses what the load still allowed. */
static void use_up(struct wsmfa_store *store, void *ctx)
{
	struct wsmfa_origin const origin = { w.now, w.person.name, "127.0.0.9", "other", "elements" };
	struct wsmfa_settled settled;

	(void)ctx;
	for (int i = 0; i < 10; i++) {
		struct wsmfa_settlement const wrong = { .account_id = w.person.id,
							.kind = WSMFA_ASK_TOTP,
							.authenticators = w.person.totp,
							.authenticators_len = 1,
							.phone = "" };

		assert_int_equal(store->ops->settle(store, &origin, &w.service.set.limits, &wrong, &settled),
				 WSMFA_STORE_OK);
	}
}

static void used_up_in_the_same_moment(void **state)
{
	(void)state;
	login_setting(&w, "failure_budget", "10");
	login_setting(&w, "lock_after", "50");
	login_person(&w, "totp");
	login_say(&w, "{password}");
	wsmfa_mem_hook(w.store, WSMFA_MEM_SETTLE, use_up, NULL);
	login_say(&w, "{totp}");
	login_expect(&w, "reject None of your ways*");
	login_event(&w, "denied no_usable_method");
}

static void a_hundred_in_a_row_disable(void **state)
{
	char text[16];

	(void)state;
	login_setting(&w, "failure_budget", "1000");
	login_setting(&w, "lock_after", "1000");
	login_setting(&w, "max_attempts", "1");
	login_person(&w, "totp phone=" PHONE);
	for (int i = 0; i < 100; i++) {
		w.events_len = 0;
		w.now += WSMFA_MINUTE;
		login_anew(&w, "{password}");
		assert_int_equal(w.notices_len, 0);
		snprintf(text, sizeof(text), "9%05d", i);
		login_say(&w, text);
		login_expect(&w, "reject");
	}
	assert_int_equal(w.notices_len, 1);
	assert_string_equal(w.notices[0].phone, PHONE);
	assert_non_null(strstr(w.notices[0].text, "was disabled after too many wrong codes"));
	login_anew(&w, "{password}");
	login_expect(&w, "reject None of your ways*");
}

static void the_same_wrong_code_counts_once_a_minute(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "123123");
	login_say(&w, "123 123");
	login_say(&w, "123123");
	login_expect(&w, "reject Too many wrong codes. Log in again."); // but uses up the attempts of its login
	assert_int_equal(login_failures(&w, w.person.totp[0]), 1);
	w.now += WSMFA_MINUTE;
	login_anew(&w, "{password}");
	login_say(&w, "123123");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 2);
}

static void a_code_that_was_accepted_before(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "{totp}");
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "challenge That code was used before; wait for the next one. Enter the code*:");
	login_event(&w, "failed_second_factor replayed_code");
	login_say(&w, "{totp-1}");
	login_expect(&w, "challenge That code was used before*");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 0);
	login_say(&w, "{totp+1}");
	login_expect(&w, "accept");
}

/* Two logins take the same step at once: the store lets one in. */
static void take_the_step(struct wsmfa_store *store, void *ctx)
{
	struct wsmfa_origin const origin = { w.now, w.person.name, "127.0.0.9", "other", "elements" };
	struct wsmfa_settlement const right = { .account_id = w.person.id,
						.verdict = WSMFA_VERDICT_RIGHT,
						.kind = WSMFA_ASK_TOTP,
						.authenticators = w.person.totp,
						.authenticators_len = 1,
						.step = w.now / WSMFA_SECOND / 30,
						.phone = "",
						.outcome = WSMFA_OUTCOME_ACCEPTED };
	struct wsmfa_settled settled;

	(void)ctx;
	assert_int_equal(store->ops->settle(store, &origin, &w.service.set.limits, &right, &settled), WSMFA_STORE_OK);
	assert_int_equal(settled.status, WSMFA_SETTLE_RIGHT);
}

static void one_step_one_login(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	wsmfa_mem_hook(w.store, WSMFA_MEM_SETTLE, take_the_step, NULL);
	login_say(&w, "{totp}");
	login_expect(&w, "reject That code was used before. Log in again with the next one.");
	login_event(&w, "failed_second_factor replayed_code");
}

static void recovery_codes(void **state)
{
	(void)state;
	login_person(&w, "totp recovery phone=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "recovery");
	login_expect(&w, "challenge Enter one of your recovery codes*:");
	login_say(&w, "{recovery+3}");
	login_expect(&w, "accept You have 9 recovery codes left.");
	login_event(&w, "accepted proven");
	assert_int_equal(w.events[w.events_len - 1].method, WSMFA_KIND_RECOVERY);
	assert_int_equal(w.notices_len, 1);
	assert_string_equal(w.notices[0].phone, PHONE);
	login_anew(&w, "{password}");
	login_say(&w, "RECOVERY");
	login_say(&w, "{recovery+3}");
	login_expect(&w, "reject That code was used before.*");
	assert_int_equal(login_failures(&w, w.person.recovery), 0);
	login_anew(&w, "{password}");
	login_say(&w, "2");
	login_say(&w, "ABCD EFGH JKMN");
	login_expect(&w, "challenge That code is not right. Enter one of your recovery codes*:");
	assert_int_equal(login_failures(&w, w.person.recovery), 1);
	login_say(&w, "{recovery+4}");
	login_expect(&w, "accept You have 8 recovery codes left.");
	assert_int_equal(w.notices_len, 2);
}

/* ---- the store ---- */

static struct fault {
	char const *person;
	char const *say[3];
	enum wsmfa_mem_call call; // of the last packet
} const faults[] = {
	{ "totp", { "{password}" }, WSMFA_MEM_LOAD },
	{ "totp", { "{password}" }, WSMFA_MEM_OPEN },
	{ "totp", { "{password}", "{totp}" }, WSMFA_MEM_TAKE },
	{ "totp", { "{password}", "{totp}" }, WSMFA_MEM_SETTLE },
	{ "totp", { "{password}", "{wrong}" }, WSMFA_MEM_SETTLE },
	{ "sms=" PHONE, { "{password}" }, WSMFA_MEM_OPEN },
	{ "sms=" PHONE, { "{password}", "{sms}" }, WSMFA_MEM_SETTLE },
	{ "push", { "{password}" }, WSMFA_MEM_OPEN },
	{ "push", { "{password}", "" }, WSMFA_MEM_TAKE },
	{ "push", { "{password}", "" }, WSMFA_MEM_WAIT },
	{ "recovery totp", { "{password}", "recovery", "{recovery}" }, WSMFA_MEM_SETTLE },
	{ "", { "{password}" }, WSMFA_MEM_OPEN },
	{ "", { "{password}", "{shown}" }, WSMFA_MEM_SETTLE },
	{ "announced", { "{password}" }, WSMFA_MEM_LOAD },
};

static void the_store_fails(void **state)
{
	struct fault const *f = *state;

	for (int result = WSMFA_STORE_BROKEN; result <= WSMFA_STORE_DOWN; result++) {
		login_begin(&w);
		login_person(&w, f->person);
		for (size_t i = 0; i < LENGTH(f->say) && f->say[i]; i++) {
			if (i + 1 == LENGTH(f->say) || !f->say[i + 1])
				wsmfa_mem_fault(w.store, f->call, (enum wsmfa_store_result)result);
			login_say(&w, f->say[i]);
		}
		login_expect(&w, "store");
		login_event(&w, "error store_down");
		if (f->call != WSMFA_MEM_LOAD && f->call != WSMFA_MEM_TAKE) // the password is right
			assert_string_equal(w.reply.text,
					    "The login service does not work at the moment. Try again later.");
		login_end(&w);
	}
}

static void the_store_fails_at_the_banner(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced");
	wsmfa_mem_fault(w.store, WSMFA_MEM_OPEN, WSMFA_STORE_DOWN);
	login_say(&w, "{password}");
	login_expect(&w, "store");
	login_anew(&w, "{password}");
	wsmfa_mem_fault(w.store, WSMFA_MEM_SETTLE, WSMFA_STORE_DOWN);
	login_say(&w, "");
	login_expect(&w, "store");
	login_again(&w); // it was taken and not settled: the repeat settles it
	login_expect(&w, "accept");
}

static void the_store_fails_when_a_push_is_settled(void **state)
{
	(void)state;
	login_person(&w, "push");
	for (int result = WSMFA_STORE_BROKEN; result <= WSMFA_STORE_DOWN; result++) {
		login_anew(&w, "{password}");
		login_say(&w, "");
		login_expect(&w, "park");
		wsmfa_mem_fault(w.store, WSMFA_MEM_SETTLE_PUSH, (enum wsmfa_store_result)result);
		login_phone(&w, true, w.jobs[w.jobs_len - 2].message.number);
		login_expect(&w, "store");
		login_event(&w, "error store_down");
	}
}

static void an_answer_is_settled_by_its_repeat(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	wsmfa_mem_fault(w.store, WSMFA_MEM_SETTLE, WSMFA_STORE_DOWN);
	login_say(&w, "{totp}");
	login_expect(&w, "store");
	login_again(&w);
	login_expect(&w, "accept");
	login_event(&w, "accepted proven");
}

/* ---- random octets, clocks, States ---- */

static void no_random_octets(void **state)
{
	static struct {
		char const *person, *from;
		char const *say;
	} const cases[] = {
		{ "totp", "127.0.0.1", "{totp}" },
		{ "", "127.0.0.1", "{shown}" },
		{ "push", "127.0.0.1", "" },
		{ "observed", "127.0.0.1", NULL },
		{ "announced", "127.0.0.6", "" },
		{ "recovery totp", "127.0.0.1", "recovery" },
		{ "services=community", "127.0.0.4", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		login_from(&w, cases[i].from);
		login_person(&w, cases[i].person);
		w.random_fails = true;
		login_anew(&w, "{password}");
		login_expect(&w, "reject The login service does not work at the moment*");
		login_event(&w, "error internal");
		w.random_fails = false;
		login_anew(&w, "{password}");
		if (!cases[i].say)
			continue;
		w.random_fails = true;
		login_say(&w, cases[i].say);
		login_expect(&w, "reject The login service does not work at the moment*");
		w.random_fails = false;
	}
}

static void the_clock_steps(void **state)
{
	static wsmfa_time_t const steps[] = { -WSMFA_HOUR, WSMFA_HOUR };

	(void)state;
	for (size_t i = 0; i < LENGTH(steps); i++) {
		login_person(&w, "totp sms=" PHONE);
		login_anew(&w, "{password}");
		w.now += steps[i];
		login_say(&w, "{totp}");
		/* backwards: a question from the future is still one; forwards: it has expired */
		login_expect(&w, steps[i] < 0 ? "accept" : "reject The time to answer is over*");
		login_anew(&w, "{password}");
		login_say(&w, "{totp+1}");
		login_expect(&w, "accept");
	}
}

static void a_question_ends_with_its_time(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	assert_int_equal(w.reply.session_timeout, 120);
	w.now += 120 * WSMFA_SECOND - 1;
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge");
	w.now += 120 * WSMFA_SECOND;
	login_say(&w, "{totp}");
	login_expect(&w, "reject The time to answer is over. Log in again.");
	login_event(&w, "expired expired_state");
}

static void a_state_that_is_none(void **state)
{
	static char const *const states[] = { "A", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA",
					      "!!!!!!!!!!!!!!!!!!!!!!" };

	(void)state;
	for (size_t i = 0; i < LENGTH(states); i++) {
		login_person(&w, i % 2 ? "totp" : "observed"); // never taken for a first packet
		memset(&w.reply, 0, sizeof(w.reply));
		w.reply.kind = WSMFA_REPLY_CHALLENGE;
		snprintf(w.reply.state, sizeof(w.reply.state), "%.22s", states[i]);
		login_say(&w, "{password}");
		login_expect(&w, "reject The time to answer is over. Log in again.");
		login_event(&w, "denied unknown_state");
	}
}

/* Judging what was never taken is a bug of the caller's: it is refused, not believed. */
static void an_answer_that_was_not_taken(void **state)
{
	struct wsmfa_visit *v = wsmfa_visit_new();
	struct wsmfa_reply reply;

	(void)state;
	login_person(&w, "observed");
	assert_non_null(v);
	v->at = w.now;
	v->client = w.client;
	snprintf(v->name, sizeof(v->name), "%s", w.person.name);
	assert_true(wsmfa_visit_load(&w.service, v, &reply));
	wsmfa_visit_answer(&w.service, v, &reply);
	assert_int_equal(reply.kind, WSMFA_REPLY_REJECT);
	wsmfa_visit_free(v);
}

static void a_session_ends_with_the_announcement(void **state)
{
	(void)state;
	login_setting(&w, "cap_session", "yes");
	login_person(&w, "announced");
	login_say(&w, "{password}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 20 * 86400);
	login_person(&w, "observed");
	login_anew(&w, "{password}");
	assert_int_equal(w.reply.session_timeout, 20 * 86400);
	login_person(&w, "exempt");
	login_anew(&w, "{password}");
	login_expect(&w, "accept You are exempt from the second factor for 1 more days*");
	assert_int_equal(w.reply.session_timeout, 86400);
	w.now += WSMFA_DAY - WSMFA_SECOND / 2; // a session of no time would be one of any time
	login_anew(&w, "{password}");
	assert_int_equal(w.reply.session_timeout, 1);
	/* with a second factor, out of scope, or without the setting there is no end */
	login_person(&w, "announced totp");
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 0);
	login_from(&w, "127.0.0.4");
	login_person(&w, "services=community");
	login_anew(&w, "{password}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 0);
	login_setting(&w, "cap_session", "no");
	login_from(&w, "127.0.0.1");
	login_person(&w, "announced");
	login_anew(&w, "{password}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 0);
}

#define LIST(function, table, word)                                                                      \
	for (size_t i = 0; i < LENGTH(table); i++) {                                                     \
		(void)snprintf(names[n], sizeof(names[0]), "%s %zu: %s", #function, i, (table)[i].word); \
		tests[n] = (struct CMUnitTest) { .name = names[n],                                       \
						 .test_func = function,                                  \
						 .initial_state = (void *)(uintptr_t) & (table)[i] };    \
		n++;                                                                                     \
	}

int main(void)
{
#define ONE(function) cmocka_unit_test_setup_teardown(function, begin, end)
	static struct CMUnitTest const single[] = {
		ONE(the_last_recovery_code_twice),
		ONE(not_the_same_answer),
		ONE(enabled_again_it_would_be_accepted),
		ONE(disabled_while_it_waits),
		ONE(ten_in_a_row_wait),
		ONE(the_wait_is_told_only_behind_the_password),
		ONE(the_budget_outlives_a_success),
		ONE(used_up_in_the_same_moment),
		ONE(a_hundred_in_a_row_disable),
		ONE(the_same_wrong_code_counts_once_a_minute),
		ONE(a_code_that_was_accepted_before),
		ONE(one_step_one_login),
		ONE(recovery_codes),
		ONE(the_store_fails_at_the_banner),
		ONE(the_store_fails_when_a_push_is_settled),
		ONE(an_answer_is_settled_by_its_repeat),
		ONE(no_random_octets),
		ONE(the_clock_steps),
		ONE(a_question_ends_with_its_time),
		ONE(a_state_that_is_none),
		ONE(an_answer_that_was_not_taken),
		ONE(a_session_ends_with_the_announcement),
	};
	enum { LISTED = LENGTH(dialogues) + LENGTH(changes) + LENGTH(accepted) + LENGTH(faults) };
	static struct CMUnitTest tests[LENGTH(single) + LISTED];
	static char names[LISTED][96];
	size_t n = 0;

	LIST(every_answer_twice, dialogues, person)
	LIST(changed_in_between, changes, reply)
	LIST(accepted_then_changed, accepted, reply)
	LIST(the_store_fails, faults, person)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow again", tests, LENGTH(tests), NULL, NULL);
}
