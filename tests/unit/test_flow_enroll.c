/* Setting up a second factor at the prompt.
 * Apart from the methods: here nothing is enrolled yet, and that is what an attacker with a password would like best. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000020"

static struct login_world w;

/* ---- which question comes first ---- */

static struct first {
	char const *person;
	char const *from;
	char const *setting[2];
	enum wsmfa_question_kind asked; // WSMFA_ASK_NONE: refused, with the link
} const firsts[] = {
	/* a method is asked for only where more than one is possible */
	{ "", NULL, { 0 }, WSMFA_ASK_ENROLL_TOTP },
	{ "phone=" PHONE, NULL, { 0 }, WSMFA_ASK_ENROLL_METHOD },
	{ "phone=" PHONE, NULL, { "enroll_methods", "totp" }, WSMFA_ASK_ENROLL_TOTP },
	{ "phone=" PHONE, NULL, { "enroll_methods", "sms" }, WSMFA_ASK_ENROLL_SMS },
	{ "phone=" PHONE, NULL, { "sms_prefixes", "+46" }, WSMFA_ASK_ENROLL_TOTP },
	{ "allowed=totp phone=" PHONE, NULL, { 0 }, WSMFA_ASK_ENROLL_TOTP },
	{ "allowed=sms,push phone=" PHONE, NULL, { 0 }, WSMFA_ASK_ENROLL_SMS },
	{ "phone=12345", NULL, { 0 }, WSMFA_ASK_ENROLL_TOTP },
	/* recovery codes are no enrolment */
	{ "recovery", NULL, { 0 }, WSMFA_ASK_ENROLL_TOTP },
	/* none is possible */
	{ "", NULL, { "enroll_methods", "sms" }, WSMFA_ASK_NONE },
	{ "allowed=push phone=" PHONE, NULL, { 0 }, WSMFA_ASK_NONE },
	{ "allowed=sms", NULL, { 0 }, WSMFA_ASK_NONE },
	{ "phone=" PHONE, NULL, { "enroll_methods", "" }, WSMFA_ASK_NONE },
	/* not here */
	{ "", "127.0.0.5", { 0 }, WSMFA_ASK_NONE },
	{ "", "127.0.0.2", { 0 }, WSMFA_ASK_NONE },
	{ "", "127.0.0.3", { 0 }, WSMFA_ASK_NONE },
	{ "services=community", "127.0.0.7", { 0 }, WSMFA_ASK_NONE },
	/* a ticket, where one is needed */
	{ "created=-29", NULL, { 0 }, WSMFA_ASK_ENROLL_TOTP },
	{ "created=-30", NULL, { 0 }, WSMFA_ASK_ENROLL_TICKET },
	{ "created=-1000", NULL, { 0 }, WSMFA_ASK_ENROLL_TICKET },
	{ "created=-1000", NULL, { "enroll_grace", "3650" }, WSMFA_ASK_ENROLL_TOTP },
	{ "", NULL, { "enroll_grace", "0" }, WSMFA_ASK_ENROLL_TICKET },
	{ "", NULL, { "enroll_ticket", "required" }, WSMFA_ASK_ENROLL_TICKET },
	{ "allowed=push", NULL, { "enroll_ticket", "required" }, WSMFA_ASK_NONE },
};

static void the_first_question(void **state)
{
	struct first const *f = *state;

	login_begin(&w);
	login_person(&w, f->person);
	if (f->from)
		login_from(&w, f->from);
	if (f->setting[0])
		assert_true(login_setting(&w, f->setting[0], f->setting[1]));
	login_say(&w, "{password}");
	assert_int_equal(login_asked(&w), f->asked);
	if (f->asked == WSMFA_ASK_NONE) {
		login_expect(&w, "reject A second factor is needed to log in. Set it up at {url}");
		login_event(&w, "denied enrollment_required");
	}
	login_end(&w);
}

/* Grace counts from enforcement where that is latest: an old account of a region that enforces since yesterday. */
static void grace_begins_with_enforcement(void **state)
{
	(void)state;
	login_person(&w, "created=-1000");
	wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - 60 * WSMFA_DAY, w.now - 30 * WSMFA_DAY + 1);
	login_say(&w, "{password}");
	assert_int_equal(login_asked(&w), WSMFA_ASK_ENROLL_TOTP);
	w.now++;
	login_anew(&w, "{password}");
	assert_int_equal(login_asked(&w), WSMFA_ASK_ENROLL_TICKET);
	/* and from coming into scope */
	wsmfa_mem_service(w.store, "elements", w.now - WSMFA_DAY);
	login_anew(&w, "{password}");
	assert_int_equal(login_asked(&w), WSMFA_ASK_ENROLL_TOTP);
}

/* ---- an app ---- */

static void the_key_can_be_typed(void **state)
{
	char key[64], pattern[160];

	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	login_fill(&w, "{key}", key, sizeof(key));
	/* 160 bits in upper-case groups of four: after ": " and before "." */
	assert_int_equal(strlen(key), 8 * 4 + 7);
	for (size_t i = 0; i < strlen(key); i++) {
		if (i % 5 == 4)
			assert_int_equal(key[i], ' ');
		else
			assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", key[i]));
	}
	snprintf(pattern, sizeof(pattern),
		 "challenge Add this key to your authenticator app: %s. Then enter the code it shows:", key);
	login_expect(&w, pattern);
	assert_false(w.reply.echo);
}

static void the_first_code_confirms(void **state)
{
	(void)state;
	login_person(&w, "phone=" PHONE);
	login_setting(&w, "enroll_methods", "totp");
	login_say(&w, "{password}");
	login_event(&w, "challenged enroll");
	/* the key has to be kept for the next login */
	login_fill(&w, "{key}", w.said, sizeof(w.said));
	assert_false(login_enrolled(&w));
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
	login_event(&w, "accepted confirmed");
	assert_int_equal(w.events[w.events_len - 1].method, WSMFA_KIND_TOTP);
	assert_true(login_enrolled(&w));
	/* the person is told */
	assert_int_equal(w.notices_len, 1);
	assert_string_equal(w.notices[0].phone, PHONE);
	assert_non_null(strstr(w.notices[0].text, "A second factor was added to your account."));
	/* and its step is burnt: that code opens nothing else */
	login_anew(&w, "{password}");
	login_expect(&w, "challenge Enter the code from your authenticator app*:");
}

/* What is told goes to no number that no code would go to; the hook, where there is one, is told all the same. */
static void no_notice_to_a_number_that_may_not_be_written_to(void **state)
{
	(void)state;
	login_person(&w, "phone=" PHONE);
	login_setting(&w, "sms_prefixes", "+46");
	login_say(&w, "{password}");
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
	assert_int_equal(w.notices_len, 1);
	assert_string_equal(w.notices[0].phone, "");
}

static void the_step_of_the_proof_is_burnt(void **state)
{
	char code[16];

	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	login_fill(&w, "{shown}", code, sizeof(code));
	login_say(&w, code);
	login_expect(&w, "accept");
	login_anew(&w, "{password}");
	login_say(&w, code);
	login_expect(&w, "challenge That code was used before*:");
}

static void a_wrong_proof_keeps_the_key(void **state)
{
	char key[64], again[64];

	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	login_fill(&w, "{key}", key, sizeof(key));
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge That code is not right. Add this key to your authenticator app: *");
	login_fill(&w, "{key}", again, sizeof(again));
	assert_string_equal(again, key);
	login_say(&w, "12345678"); // eight digits are no code of this key
	login_expect(&w, "challenge That code is not right.*");
	login_fill(&w, "{key}", again, sizeof(again));
	assert_string_equal(again, key);
	assert_int_equal(login_failures(&w, 0), 2);
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
}

static void three_wrong_proofs_leave_nothing(void **state)
{
	char key[64], fresh[64];

	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	login_fill(&w, "{key}", key, sizeof(key));
	login_say(&w, "111111");
	login_say(&w, "222222");
	login_say(&w, "333333");
	login_expect(&w, "reject Too many wrong codes. Log in again.");
	login_event(&w, "failed_second_factor too_many_attempts");
	assert_false(login_enrolled(&w));
	assert_int_equal(w.notices_len, 0);
	login_anew(&w, "{password}");
	login_fill(&w, "{key}", fresh, sizeof(fresh));
	assert_string_not_equal(fresh, key);
}

static void an_abandoned_enrolment_leaves_nothing(void **state)
{
	struct wsmfa_reply first;
	char code[16];

	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	login_fill(&w, "{shown}", code, sizeof(code));
	first = w.reply;
	login_anew(&w, "{password}");
	login_say(&w, code); // of the first key
	login_expect(&w, "challenge That code is not right.*");
	assert_false(login_enrolled(&w));
	/* the first question is open still: whoever comes first wins */
	w.reply = first;
	login_say(&w, code);
	login_expect(&w, "accept");
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		ONE(grace_begins_with_enforcement),    ONE(the_key_can_be_typed),
		ONE(the_first_code_confirms),          ONE(no_notice_to_a_number_that_may_not_be_written_to),
		ONE(the_step_of_the_proof_is_burnt),   ONE(a_wrong_proof_keeps_the_key),
		ONE(three_wrong_proofs_leave_nothing), ONE(an_abandoned_enrolment_leaves_nothing),
	};
	static struct CMUnitTest tests[LENGTH(single) + LENGTH(firsts)];
	static char names[LENGTH(firsts)][96];
	size_t n = 0;

	LIST(the_first_question, firsts, person)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow enroll", tests, LENGTH(tests), NULL, NULL);
}
