/* An answer that comes twice, and what changes between a question and its answer.
 * Apart from the ways of the methods, since each of these is tried at many of them. */
#include "unit.h"

#include "login_world.h"

#define PHONE  "+358401000001"
#define UNSENT "unsent"

static struct login_world w;

/* ---- an answer that is repeated at another server ---- */

/* A dialogue, each of whose answers comes twice: the second time the same end, State and text, nothing sent, counted or told. */
static struct dialogue {
	char const *person;
	char const *from;
	char const *setting[2]; // UNSENT: from the second packet on, nothing gets to a phone
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
	{ "totp sms=" PHONE, NULL, { UNSENT }, { "{password}", "sms", "sms", "{totp}" }, "accept" },
	{ "totp push", NULL, { UNSENT }, { "{password}", "totp", "push", "{totp}" }, "accept" },
	{ "push sms=" PHONE, NULL, { UNSENT }, { "{password}", "sms", "push", "x" }, "challenge *" },
	{ "push recovery", NULL, { UNSENT }, { "{password}", "push", "push", "recovery", "{recovery}" }, "accept *" },
	{ "push", NULL, { UNSENT }, { "{password}", "push" }, "reject Your way to confirm does not work*" },
	{ "phone=" PHONE, NULL, { UNSENT }, { "{password}", "sms", "{shown}" }, "accept" },
	{ "sms=" PHONE, NULL, { UNSENT }, { "{password}", "sms" }, "reject Your way to confirm does not work*" },
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
	assert_int_equal(w.again, first.kind == WSMFA_REPLY_ACCEPT); // for the event of then, should it be lost
	assert_int_equal(w.jobs_len, jobs);
	assert_int_equal(w.notices_len, notices);
}

static void every_answer_twice(void **state)
{
	struct dialogue const *d = *state;
	bool const unsent = d->setting[0] && strcmp(d->setting[0], UNSENT) == 0;

	login_begin(&w);
	login_person(&w, d->person);
	login_ticket(&w);
	if (d->from)
		login_from(&w, d->from);
	if (d->setting[0] && !unsent)
		assert_true(login_setting(&w, d->setting[0], d->setting[1]));
	for (size_t i = 0; i < LENGTH(d->say) && d->say[i]; i++) {
		w.delivery = unsent && i > 0 ? WSMFA_DELIVERY_FAILED : WSMFA_DELIVERY_SENT;
		answer_twice(d->say[i]);
	}
	login_expect(&w, d->end);
	login_end(&w);
}

/* A code of a phone that is ahead: right by the time it is repeated, and still what it was. */
static void wrong_and_then_in_time(void **state)
{
	static char const *const attempts[] = { "3", "1" };

	(void)state;
	for (size_t i = 0; i < LENGTH(attempts); i++) {
		struct wsmfa_reply first;

		login_begin(&w);
		login_setting(&w, "max_attempts", attempts[i]);
		login_person(&w, "totp");
		w.now += 30 * WSMFA_SECOND - w.now % (30 * WSMFA_SECOND) - WSMFA_SECOND;
		login_say(&w, "{password}");
		login_say(&w, "{totp+2}");
		login_expect(&w, i ? "reject Too many wrong*" : "challenge That code is not right. Enter the code*");
		first = w.reply;
		w.now += WSMFA_SECOND;
		login_again(&w);
		assert_int_equal(w.reply.kind, first.kind);
		assert_string_equal(w.reply.text, first.text);
		assert_string_equal(w.reply.state, first.state);
		assert_int_equal(login_failures(&w, w.person.totp[0]), 1);
		if (i == 0) {
			login_say(&w, "{totp+1}"); // the control: it is right now
			login_expect(&w, "accept");
		}
		login_end(&w);
	}
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
		login_expect(&w, i == 8 ? "accept You have one recovery code left." : "accept");
	}
	login_anew(&w, "{password}");
	login_say(&w, "{recovery+9}");
	login_expect(&w, "accept You have no recovery codes left.");
	login_again(&w);
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
	assert_non_null(strstr(w.reply.text, "Try again in a minute"));
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
	{ "totp", NULL, { "{password}" }, lock, "{totp}", "reject Too many wrong codes. Try again in a minute." },
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
	/* codes of a set alone are no second factor */
	{ "totp recovery", NULL, { "{password}", "recovery" }, remove_totp, "{recovery}", "reject None of your ways*" },
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

static void what_is_gone_gives_no_attempts(void **state)
{
	(void)state;
	login_person(&w, "totp recovery");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_say(&w, "{wrong}");
	disable_totp();
	login_say(&w, "{totp}");
	login_expect(&w, "challenge That way is not available.*");
	login_say(&w, "what");
	login_expect(&w, "reject Too many wrong codes.*");
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

/* Nor is it worth anything once pushes are forbidden, or the account is in an organization where they are. */
static void forbidden_while_it_waits(void **state)
{
	(void)state;
	for (int waits = 0; waits < 2; waits++) {
		login_person(&w, "push");
		if (waits)
			login_from(&w, "127.0.0.3");
		login_anew(&w, "{password}");
		if (!waits)
			login_say(&w, "");
		login_expect(&w, "park");
		wsmfa_mem_organization(w.store, w.person.organization, 1U << WSMFA_KIND_TOTP, WSMFA_TIME_NONE,
				       WSMFA_TIME_NONE);
		assert_true(login_phone(&w, true, w.jobs[w.jobs_len - (waits ? 1 : 2)].message.number));
		login_expect(&w, "reject None of your ways*");
		login_event(&w, "denied no_usable_method");
	}
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		cmocka_unit_test(wrong_and_then_in_time),
		ONE(the_last_recovery_code_twice),
		ONE(not_the_same_answer),
		ONE(enabled_again_it_would_be_accepted),
		ONE(disabled_while_it_waits),
		ONE(what_is_gone_gives_no_attempts),
		ONE(forbidden_while_it_waits),
	};
	enum { LISTED = LENGTH(dialogues) + LENGTH(changes) + LENGTH(accepted) };
	static struct CMUnitTest tests[LENGTH(single) + LISTED];
	static char names[LISTED][96];
	size_t n = 0;

	LIST(every_answer_twice, dialogues, person)
	LIST(changed_in_between, changes, reply)
	LIST(accepted_then_changed, accepted, reply)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow again", tests, LENGTH(tests), NULL, NULL);
}
