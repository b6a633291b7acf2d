/* Which method is asked for, and how a person chooses another: preference, keywords, numbers, policies, kinds of client.
 * Apart from the table of cells, which knows one answer at each question. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

/* ---- keywords and numbers ---- */

static struct {
	char const *say;
	enum wsmfa_question_kind asked;
} const choices[] = {
	{ "push", WSMFA_ASK_PUSH },         { " PUSH ", WSMFA_ASK_PUSH },        { "1", WSMFA_ASK_PUSH },
	{ "totp", WSMFA_ASK_TOTP },         { "ToTp", WSMFA_ASK_TOTP },          { " 2", WSMFA_ASK_TOTP },
	{ "sms", WSMFA_ASK_SMS },           { "  sMS", WSMFA_ASK_SMS },          { "3 ", WSMFA_ASK_SMS },
	{ "recovery", WSMFA_ASK_RECOVERY }, { "RECOVERY ", WSMFA_ASK_RECOVERY }, { "04", WSMFA_ASK_RECOVERY },
};

static void any_method_at_any_question(void **state)
{
	(void)state;
	for (size_t from = 0; from < LENGTH(choices); from += 3) {
		for (size_t to = 0; to < LENGTH(choices); to++) {
			struct login_world w;

			login_begin(&w);
			login_person(&w, "push totp recovery sms=" PHONE);
			login_say(&w, "{password}");
			assert_int_equal(login_asked(&w), WSMFA_ASK_PUSH);
			login_say(&w, choices[from].say);
			assert_int_equal(login_asked(&w), choices[from].asked);
			login_say(&w, choices[to].say);
			assert_int_equal(login_asked(&w), choices[to].asked);
			login_event(&w, "challenged switched");
			login_end(&w);
		}
	}
}

static void what_is_not_there_is_said(void **state)
{
	static char const *const said[] = { "0", "3", "99", "push", "SMS", "enroll" };

	(void)state;
	for (size_t i = 0; i < LENGTH(said); i++) {
		struct login_world w;

		login_begin(&w);
		login_person(&w, "totp recovery");
		login_say(&w, "{password}");
		login_say(&w, said[i]);
		login_expect(&w,
			     "challenge That way is not available. You can type 1 totp, 2 recovery. Enter the code*:");
		assert_int_equal(w.visit->plan.ask.attempt, 1);
		assert_int_equal(w.jobs_len, 0);
		login_say(&w, "{totp}");
		login_expect(&w, "accept");
		login_end(&w);
	}
}

static void the_list_is_strongest_first(void **state)
{
	struct login_world w;

	(void)state;
	login_begin(&w);
	login_person(&w, "recovery push totp sms=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "?");
	login_expect(&w, "challenge You can type 1 push, 2 totp, 3 sms, 4 recovery. *:");
	login_end(&w);
}

/* ---- the first question ---- */

enum spoilt { SOUND, TOTP_DISABLED, TOTP_REMOVED, PUSH_UNKNOWN, PUSH_DOWN, NUMBER_REQUIRED, KEY_LOST };

static struct first {
	char const *person;
	enum spoilt spoilt;
	enum wsmfa_question_kind asked; // WSMFA_ASK_NONE: refused
} const firsts[] = {
	{ "totp", SOUND, WSMFA_ASK_TOTP },
	{ "totp push recovery sms=" PHONE, SOUND, WSMFA_ASK_PUSH },
	{ "totp push preferred=totp", SOUND, WSMFA_ASK_TOTP },
	{ "totp push preferred=push", SOUND, WSMFA_ASK_PUSH },
	/* a preference can't choose what is weak, nor what is not there */
	{ "totp preferred=sms sms=" PHONE, SOUND, WSMFA_ASK_TOTP },
	{ "totp recovery preferred=recovery", SOUND, WSMFA_ASK_TOTP },
	{ "recovery preferred=recovery sms=" PHONE, SOUND, WSMFA_ASK_SMS },
	{ "push preferred=totp", SOUND, WSMFA_ASK_PUSH },
	{ "totp push preferred=fido2", SOUND, WSMFA_ASK_PUSH },
	{ "totp push preferred=totp", TOTP_DISABLED, WSMFA_ASK_PUSH },
	/* sms is not sent unasked when something stronger is enrolled, usable or not */
	{ "sms=" PHONE, SOUND, WSMFA_ASK_SMS },
	{ "totp sms=" PHONE, SOUND, WSMFA_ASK_TOTP },
	{ "totp sms=" PHONE, TOTP_DISABLED, WSMFA_ASK_METHOD },
	{ "totp preferred=sms sms=" PHONE, TOTP_DISABLED, WSMFA_ASK_METHOD },
	{ "totp sms=" PHONE, TOTP_REMOVED, WSMFA_ASK_SMS },
	{ "totp allowed=sms sms=" PHONE, SOUND, WSMFA_ASK_METHOD },
	{ "totp sms=" PHONE, KEY_LOST, WSMFA_ASK_METHOD },
	{ "push sms=" PHONE, PUSH_UNKNOWN, WSMFA_ASK_METHOD },
	{ "push sms=" PHONE, PUSH_DOWN, WSMFA_ASK_METHOD },
	{ "totp recovery", TOTP_DISABLED, WSMFA_ASK_RECOVERY },
	/* policies, providers and keys */
	{ "totp push allowed=totp,sms", SOUND, WSMFA_ASK_TOTP },
	{ "totp push", PUSH_UNKNOWN, WSMFA_ASK_TOTP },
	{ "totp push", PUSH_DOWN, WSMFA_ASK_TOTP },
	{ "totp push", NUMBER_REQUIRED, WSMFA_ASK_TOTP },
	{ "push", NUMBER_REQUIRED, WSMFA_ASK_NONE },
	{ "push", PUSH_UNKNOWN, WSMFA_ASK_NONE },
	{ "push", PUSH_DOWN, WSMFA_ASK_NONE },
	{ "totp", KEY_LOST, WSMFA_ASK_NONE },
	{ "totp totp", TOTP_DISABLED, WSMFA_ASK_TOTP },
	{ "totp allowed=push", SOUND, WSMFA_ASK_NONE },
	{ "totp", TOTP_DISABLED, WSMFA_ASK_NONE },
};

static void spoil(struct login_world *w, enum spoilt spoilt)
{
	char const *const other = "other QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";
	char err[128];

	switch (spoilt) {
	case TOTP_DISABLED: wsmfa_mem_disable_authenticator(w->store, w->person.totp[0], w->now); break;
	case TOTP_REMOVED: wsmfa_mem_remove_authenticator(w->store, w->person.totp[0]); break;
	case PUSH_UNKNOWN: w->push_known = false; break;
	case PUSH_DOWN: w->push_up = false; break;
	case NUMBER_REQUIRED:
		w->push_ops.matches_number = false;
		login_setting(w, "push_require_number", "yes");
		break;
	case KEY_LOST:
		wsmfa_keyring_free(w->ring);
		assert_true(wsmfa_keyring_parse(other, strlen(other), &w->ring, err, sizeof(err)));
		w->service.ring = w->ring;
		break;
	default: break;
	}
}

static void the_first_question(void **state)
{
	struct first const *f = *state;
	struct login_world w;

	login_begin(&w);
	login_person(&w, f->person);
	spoil(&w, f->spoilt);
	login_say(&w, "{password}");
	assert_int_equal(login_asked(&w), f->asked);
	if (f->asked == WSMFA_ASK_NONE)
		login_expect(&w, "reject");
	assert_int_equal(w.jobs_len, f->asked == WSMFA_ASK_SMS || f->asked == WSMFA_ASK_PUSH);
	login_end(&w);
}

/* A provider that is down is an outcome of its own: the rules still say challenge. */
static void a_provider_that_is_down(void **state)
{
	struct login_world w;

	(void)state;
	login_begin(&w);
	login_person(&w, "push");
	w.push_up = false;
	login_say(&w, "{password}");
	login_expect(&w, "reject Your way to confirm does not work at the moment*");
	login_event(&w, "error provider_down");
	assert_int_equal(w.events[0].decision, WSMFA_DECISION_CHALLENGE);

	login_person(&w, "push totp");
	login_anew(&w, "{password}");
	login_expect(&w, "challenge That way does not work at the moment. Enter the code*:");
	login_event(&w, "challenged provider_down");
	login_say(&w, "push");
	login_expect(&w, "challenge That way does not work at the moment. Enter the code*:");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	login_end(&w);
}

/* ---- several of one kind ---- */

static void a_code_of_either_authenticator(void **state)
{
	struct login_world w;

	(void)state;
	login_begin(&w);
	login_person(&w, "totp totp");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 1);
	assert_int_equal(login_failures(&w, w.person.totp[1]), 1);
	login_say(&w, "{other}");
	login_expect(&w, "accept");
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	/* one that is disabled is tried no more */
	wsmfa_mem_disable_authenticator(w.store, w.person.totp[1], w.now);
	login_anew(&w, "{password}");
	login_say(&w, "{other+1}");
	login_expect(&w, "challenge That code is not right.*");
	assert_int_equal(login_failures(&w, w.person.totp[1]), 1);
	login_end(&w);
}

static void what_the_policy_forbids_is_not_offered(void **state)
{
	struct login_world w;

	(void)state;
	login_begin(&w);
	login_person(&w, "totp push recovery allowed=totp,recovery sms=" PHONE);
	login_say(&w, "{password}");
	assert_int_equal(login_asked(&w), WSMFA_ASK_TOTP);
	login_say(&w, "?");
	login_expect(&w, "challenge You can type 1 totp, 2 recovery. *:");
	login_say(&w, "push");
	login_expect(&w, "challenge That way is not available.*");
	login_say(&w, "sms");
	login_expect(&w, "challenge That way is not available.*");
	assert_int_equal(w.jobs_len, 0);
	login_end(&w);
}

/* ---- kinds of client ---- */

/* CHAP and MS-CHAP: nothing can be typed, so only a push is left, without a number that nobody would see. */
static void a_password_that_was_not_typed(void **state)
{
	static char const *const from[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.6" };

	(void)state;
	for (size_t i = 0; i < LENGTH(from); i++) {
		struct login_world w;

		login_begin(&w);
		login_from(&w, from[i]);
		w.chap = true;
		login_person(&w, "totp recovery sms=" PHONE);
		login_say(&w, "{password}");
		login_expect(&w, "reject None of your ways*");
		login_event(&w, "denied no_usable_method");

		login_person(&w, "totp push");
		login_anew(&w, "{password}");
		login_expect(&w, "park");
		assert_string_equal(w.jobs[0].message.number, "");
		login_phone(&w, true, NULL);
		login_expect(&w, "accept");
		login_event(&w, "accepted approved");

		/* it can't enrol either */
		login_person(&w, "");
		login_anew(&w, "{password}");
		login_expect(&w, "reject *{url}");
		login_event(&w, "denied enrollment_required");

		/* and is not asked about a banner */
		login_person(&w, "announced");
		login_anew(&w, "{password}");
		login_expect(&w, "accept *{url}");
		login_end(&w);
	}
}

static void a_client_that_waits(void **state)
{
	static char const *const persons[] = { "totp", "totp recovery sms=" PHONE, "sms=" PHONE };

	(void)state;
	for (size_t i = 0; i < LENGTH(persons); i++) {
		struct login_world w;

		login_begin(&w);
		login_from(&w, "127.0.0.3");
		login_person(&w, persons[i]);
		login_say(&w, "{password}");
		login_expect(&w, "reject None of your ways*");
		assert_int_equal(w.jobs_len, 0);
		login_end(&w);
	}
}

static struct appended {
	char const *person;
	char const *say;
	char const *reply;
	char const *event;
	int32_t totp, recovery; // failures that are counted
} const appendeds[] = {
	{ "totp", "{password},{totp}", "accept", "accepted proven", 0, 0 },
	{ "totp", "{password}, {totp} ", "accept", "accepted proven", 0, 0 },
	{ "totp", "{password}", "reject Enter your password, a comma and your code*", "denied code_missing", 0, 0 },
	{ "totp", "{password},", "reject Enter your password*", "denied code_missing", 0, 0 },
	{ "totp", "{password},?", "reject Enter your password*", "denied code_missing", 0, 0 },
	{ "totp", "{password},totp", "reject Enter your password*", "denied code_missing", 0, 0 },
	{ "totp", "{password},push", "reject Enter your password*", "denied code_missing", 0, 0 },
	{ "totp", "{password},SMS", "reject Enter your password*", "denied code_missing", 0, 0 },
	{ "totp", "{password},{wrong}", "reject That code is not right.", "failed_second_factor wrong_code", 1, 0 },
	{ "totp", "{password},nonsense", "reject That code is not right.", "failed_second_factor wrong_code", 1, 0 },
	{ "totp", "{password},\t", "reject That code is not right.", "failed_second_factor wrong_code", 1, 0 },
	{ "totp recovery", "{password},{recovery}", "accept *9*", "accepted proven", 0, 0 },
	{ "totp recovery", "{password},ABCD-EFGH-JKMN", "reject That code*", "failed_second_factor wrong_code", 0, 1 },
	{ "totp recovery", "{password},nonsense", "reject That code*", "failed_second_factor wrong_code", 0, 1 },
	{ "totp recovery", "{password},{wrong}", "reject That code*", "failed_second_factor wrong_code", 1, 0 },
	{ "push", "{password},123456", "reject Enter your password*", "denied code_missing", 0, 0 },
	{ "push", "{password},PUSH", "park", NULL, 0, 0 },
	{ "sms=" PHONE, "{password},Sms", "reject A code was sent to *****01.*password,code.", "challenged sent", 0,
	  0 },
};

static void append_mode(void **state)
{
	struct appended const *a = *state;
	struct login_world w;

	login_begin(&w);
	login_from(&w, "127.0.0.2");
	login_person(&w, a->person);
	login_say(&w, a->say);
	login_expect(&w, a->reply);
	if (a->event)
		login_event(&w, a->event);
	if (w.person.keys)
		assert_int_equal(login_failures(&w, w.person.totp[0]), a->totp);
	if (w.person.recovery)
		assert_int_equal(login_failures(&w, w.person.recovery), a->recovery);
	login_end(&w);
}

static void append_mode_takes_a_code_once(void **state)
{
	struct login_world w;

	(void)state;
	login_begin(&w);
	login_from(&w, "127.0.0.2");
	login_person(&w, "totp");
	login_say(&w, "{password},{totp}");
	login_expect(&w, "accept");
	login_again(&w); // a fail-over has no State here: it is a second use
	login_expect(&w, "reject That code was used before.*");
	login_event(&w, "failed_second_factor replayed_code");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 0);
	login_end(&w);
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		cmocka_unit_test(any_method_at_any_question),
		cmocka_unit_test(what_is_not_there_is_said),
		cmocka_unit_test(the_list_is_strongest_first),
		cmocka_unit_test(a_provider_that_is_down),
		cmocka_unit_test(a_code_of_either_authenticator),
		cmocka_unit_test(what_the_policy_forbids_is_not_offered),
		cmocka_unit_test(a_password_that_was_not_typed),
		cmocka_unit_test(a_client_that_waits),
		cmocka_unit_test(append_mode_takes_a_code_once),
	};
	static struct CMUnitTest tests[LENGTH(single) + LENGTH(firsts) + LENGTH(appendeds)];
	static char names[LENGTH(firsts) + LENGTH(appendeds)][96];
	size_t n = 0;

	LIST(the_first_question, firsts, person)
	LIST(append_mode, appendeds, person)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow choice", tests, LENGTH(tests), NULL, NULL);
}
