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

/* It ends for a dialogue that began in it too, which "?" could keep open for ever: from then on a ticket is asked for, once. */
static void grace_ends_in_the_middle(void **state)
{
	static char const *const said[] = { "{shown}", "?", "totp", "" };

	(void)state;
	for (size_t i = 0; i < LENGTH(said); i++) {
		login_begin(&w);
		login_person(&w, "created=-1000 phone=" PHONE);
		wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - 60 * WSMFA_DAY,
				       w.now - 30 * WSMFA_DAY + WSMFA_SECOND);
		login_say(&w, "{password}");
		login_say(&w, "totp");
		assert_int_equal(login_asked(&w), WSMFA_ASK_ENROLL_TOTP);
		w.now += WSMFA_SECOND;
		login_say(&w, said[i]);
		login_expect(&w, "challenge *ticket*:");
		assert_false(login_enrolled(&w));
		login_ticket(&w);
		login_say(&w, "{ticket}");
		login_say(&w, "totp");
		login_expect(&w, "challenge Add this key*");
		login_say(&w, "{shown}");
		login_expect(&w, "accept");
		login_end(&w);
	}
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

static void two_at_once(void **state)
{
	struct wsmfa_reply first, second;
	char code[2][16];

	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	first = w.reply;
	login_fill(&w, "{shown}", code[0], sizeof(code[0]));
	snprintf(w.station, sizeof(w.station), "two");
	login_anew(&w, "{password}");
	second = w.reply;
	login_fill(&w, "{shown}", code[1], sizeof(code[1]));
	w.reply = second;
	login_say(&w, code[1]);
	login_expect(&w, "accept");
	snprintf(w.station, sizeof(w.station), "station");
	w.reply = first;
	login_say(&w, code[0]);
	login_expect(&w, "reject A second factor was set up elsewhere meanwhile. Log in again.");
	login_event(&w, "denied enrolled_elsewhere");
	assert_int_equal(w.notices_len, 1);
}

static void enroll_now(struct wsmfa_store *store, void *ctx)
{
	struct wsmfa_authenticator const a = { .kind = WSMFA_KIND_SMS,
					       .confirmed_at = w.now,
					       .disabled_at = WSMFA_TIME_NONE,
					       .last_step = -1,
					       .phone = PHONE };

	(void)ctx;
	(void)wsmfa_mem_authenticator(store, w.person.id, &a);
}

static void two_in_the_same_moment(void **state)
{
	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	wsmfa_mem_hook(w.store, WSMFA_MEM_SETTLE, enroll_now, NULL);
	login_say(&w, "{shown}");
	login_expect(&w, "reject A second factor was set up elsewhere*");
	login_event(&w, "denied enrolled_elsewhere");
}

static void deleted_in_the_middle(void **state)
{
	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	login_fill(&w, "{shown}", w.person.password, sizeof(w.person.password));
	wsmfa_mem_delete_account(w.store, w.person.id);
	login_say(&w, "{password}");
	login_expect(&w, "reject The time to answer is over. Log in again.");
	login_event(&w, "denied foreign_state");
	login_anew(&w, "{password}");
	login_event(&w, "failed_first_factor unknown_account");
	assert_string_equal(w.reply.text, "");
}

static void moved_in_the_middle(void **state)
{
	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	wsmfa_mem_region(w.store, "later", w.now + WSMFA_DAY, w.now + 2 * WSMFA_DAY);
	wsmfa_mem_move_account(w.store, w.person.id, "later");
	wsmfa_mem_leave_services(w.store, w.person.id);
	login_say(&w, "");
	login_expect(&w, "challenge Add this key*"); // an open question ends by a right answer only
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge That code is not right.*");
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
	assert_true(login_enrolled(&w));
}

/* ---- SMS ---- */

static void the_number_on_file(void **state)
{
	(void)state;
	login_person(&w, "phone=" PHONE);
	login_say(&w, "{password}");
	login_expect(&w, "challenge A second factor must be set up. Type 1 totp, 2 sms:");
	assert_true(w.reply.echo);
	login_say(&w, "SMS");
	login_expect(&w, "challenge Set up codes by SMS: enter the code sent to *****20:");
	assert_string_equal(w.jobs[0].message.phone, PHONE);
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge That code is not right. Set up codes by SMS: enter the code sent to *****20:");
	assert_int_equal(login_failures(&w, 0), 1);
	assert_int_equal(w.jobs_len, 1);
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
	login_event(&w, "accepted confirmed");
	assert_int_equal(w.events[w.events_len - 1].method, WSMFA_KIND_SMS);
	login_anew(&w, "{password}");
	login_expect(&w, "challenge Enter the code sent to *****20*:");
	assert_string_equal(w.jobs[1].message.phone, PHONE);
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
}

/* A method that the organization forbids in the middle is not enrolled by its proof; the one that is left can be. */
static void forbidden_in_the_middle(void **state)
{
	static char const *const methods[] = { "sms", "totp" };
	static char const *const proofs[] = { "{sms}", "{shown}" };
	static uint32_t const left[] = { 1U << WSMFA_KIND_TOTP, 1U << WSMFA_KIND_SMS };

	(void)state;
	for (size_t i = 0; i < LENGTH(methods); i++) {
		login_begin(&w);
		login_person(&w, "phone=" PHONE);
		login_say(&w, "{password}");
		login_say(&w, methods[i]);
		login_expect(&w, "challenge *:");
		wsmfa_mem_organization(w.store, w.person.organization, left[i], w.now - 2 * WSMFA_DAY, w.now - WSMFA_DAY);
		login_say(&w, proofs[i]);
		login_expect(&w, "reject A second factor is needed to log in*");
		assert_false(login_enrolled(&w));
		login_anew(&w, "{password}");
		login_say(&w, proofs[1 - i]);
		login_expect(&w, "accept");
		login_end(&w);
	}
}

static void the_code_of_an_enrolment_expires(void **state)
{
	(void)state;
	login_person(&w, "phone=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "sms");
	for (int i = 0; i < 2; i++) {
		w.now += 110 * WSMFA_SECOND;
		login_say(&w, "");
		login_expect(&w, "challenge Set up codes by SMS*");
	}
	assert_int_equal(w.reply.session_timeout, 80);
	w.now += 80 * WSMFA_SECOND;
	login_say(&w, "{sms}");
	login_expect(&w, "reject The time to answer is over*");
	assert_false(login_enrolled(&w));
}

static void changing_the_method_keeps_the_attempts(void **state)
{
	(void)state;
	login_person(&w, "phone=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "totp");
	login_say(&w, "111111");
	login_say(&w, " sms");
	assert_int_equal(login_asked(&w), WSMFA_ASK_ENROLL_SMS);
	login_say(&w, "222222");
	login_say(&w, "1");
	assert_int_equal(login_asked(&w), WSMFA_ASK_ENROLL_TOTP);
	login_say(&w, "?");
	login_expect(&w, "challenge You can type 1 totp, 2 sms. Add this key*");
	login_say(&w, "333333");
	login_expect(&w, "reject Too many wrong codes*");
	assert_int_equal(login_failures(&w, 0), 3);
}

static void sent_again(void **state)
{
	char old[16];

	(void)state;
	login_person(&w, "phone=" PHONE);
	login_setting(&w, "sms_max", "2");
	login_say(&w, "{password}");
	login_say(&w, "sms");
	login_fill(&w, "{sms}", old, sizeof(old));
	login_say(&w, "sms");
	login_expect(&w, "challenge Set up codes by SMS*");
	assert_int_equal(w.jobs_len, 2);
	login_say(&w, old);
	login_expect(&w, "challenge That code is not right. Set up codes by SMS*");
	login_say(&w, "sms");
	login_expect(&w, "challenge Too many codes were sent; use another way or wait. Add this key*");
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
}

static void the_limit_without_an_app(void **state)
{
	(void)state;
	login_person(&w, "phone=" PHONE);
	login_setting(&w, "sms_max", "1");
	login_setting(&w, "enroll_methods", "sms");
	login_say(&w, "{password}");
	login_anew(&w, "{password}");
	login_expect(&w, "reject Too many codes were sent. Wait.");
	login_event(&w, "denied sms_limit");
}

static void a_gateway_that_fails(void **state)
{
	(void)state;
	w.delivery = WSMFA_DELIVERY_FAILED;
	login_person(&w, "phone=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "sms");
	login_expect(&w, "challenge That way does not work at the moment. Add this key*");
	login_event(&w, "challenged provider_down");
	login_say(&w, "{shown}");
	login_expect(&w, "accept");

	login_setting(&w, "enroll_ticket", "required");
	login_setting(&w, "enroll_methods", "sms");
	login_person(&w, "recovery phone=" PHONE);
	login_ticket(&w);
	login_anew(&w, "{password}");
	login_say(&w, "{ticket}");
	login_expect(&w,
		     "reject Your way to confirm does not work at the moment*"); // recovery codes are no way in here
	login_event(&w, "error provider_down");
}

/* ---- tickets ---- */

static void a_ticket_is_asked_first(void **state)
{
	(void)state;
	login_setting(&w, "enroll_ticket", "required");
	login_person(&w, "phone=" PHONE);
	login_ticket(&w);
	login_say(&w, "{password}");
	login_expect(&w, "challenge *ticket*:");
	login_say(&w, "nonsense");
	login_expect(&w, "challenge That ticket is not valid. A second factor must be set up. Enter the ticket*:");
	login_event(&w, "failed_second_factor wrong_ticket");
	assert_int_equal(login_failures(&w, 0), 1);
	login_say(&w, "{ticket}");
	login_expect(&w, "challenge A second factor must be set up. Type 1 totp, 2 sms:");
	login_event(&w, "challenged enrolling");
	login_say(&w, "totp");
	login_say(&w, "111111");
	login_say(&w, "222222");
	login_expect(&w, "challenge"); // proofs have attempts of their own
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
}

static void a_ticket_works_once_and_for_one(void **state)
{
	char ticket[WSMFA_TICKET_TEXT];

	(void)state;
	login_setting(&w, "enroll_ticket", "required");
	login_person(&w, "");
	login_ticket(&w);
	memcpy(ticket, w.person.ticket, sizeof(ticket));
	login_person(&w, "");
	login_say(&w, "{password}");
	login_say(&w, ticket); // of somebody else
	login_expect(&w, "challenge That ticket is not valid.*");
	login_ticket(&w);
	login_anew(&w, "{password}");
	login_say(&w, "{ticket}");
	login_expect(&w, "challenge Add this key*");
	login_anew(&w, "{password}");
	login_say(&w, "{ticket}"); // used up, although nothing came of it
	login_expect(&w, "challenge That ticket is not valid.*");
	login_ticket(&w);
	w.now += WSMFA_DAY;
	login_anew(&w, "{password}");
	login_say(&w, "{ticket}");
	login_expect(&w, "challenge That ticket is not valid.*");
}

static void a_ticket_is_read_as_people_type(void **state)
{
	char small[32];
	size_t n = 0;

	(void)state;
	login_setting(&w, "enroll_ticket", "required");
	login_person(&w, "");
	login_ticket(&w);
	for (char const *p = w.person.ticket; *p; p++) {
		if (*p != '-')
			small[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
	}
	small[n] = '\0';
	login_say(&w, "{password}");
	login_say(&w, small);
	login_expect(&w, "challenge Add this key*");
}

/* Guessing tickets, or proofs, uses up the account's own budget: then nothing can be enrolled, whatever is known. */
static void the_budget_of_the_account(void **state)
{
	char text[24];

	(void)state;
	login_setting(&w, "lock_after", "50");
	login_setting(&w, "enroll_ticket", "required");
	login_person(&w, "");
	login_ticket(&w);
	for (int i = 0; i < 30; i++) {
		if (i % 3 == 0)
			login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "guess%d", i);
		login_say(&w, text);
	}
	assert_int_equal(login_failures(&w, 0), 30);
	login_anew(&w, "{password}");
	login_expect(&w, "reject A second factor is needed to log in. Set it up at {url}");
	login_event(&w, "denied enrollment_required");
	w.now += 31 * WSMFA_DAY;
	login_anew(&w, "{password}");
	login_expect(&w, "challenge *ticket*:");
}

static void wrong_proofs_wait_too(void **state)
{
	(void)state;
	login_setting(&w, "lock_after", "3");
	login_setting(&w, "max_attempts", "10");
	login_person(&w, "");
	login_say(&w, "{password}");
	login_say(&w, "111111");
	login_say(&w, "222222");
	login_say(&w, "333333");
	login_expect(&w, "reject Too many wrong codes. Try again in 1 minutes.");
	login_anew(&w, "{password}");
	login_expect(&w, "reject Too many wrong codes. Try again in 1 minutes.");
	login_event(&w, "denied locked");
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		ONE(grace_begins_with_enforcement),
		cmocka_unit_test(grace_ends_in_the_middle),
		ONE(the_key_can_be_typed),
		ONE(the_first_code_confirms),
		ONE(the_step_of_the_proof_is_burnt),
		ONE(a_wrong_proof_keeps_the_key),
		ONE(three_wrong_proofs_leave_nothing),
		ONE(an_abandoned_enrolment_leaves_nothing),
		ONE(two_at_once),
		ONE(two_in_the_same_moment),
		ONE(deleted_in_the_middle),
		ONE(moved_in_the_middle),
		ONE(the_number_on_file),
		cmocka_unit_test(forbidden_in_the_middle),
		ONE(the_code_of_an_enrolment_expires),
		ONE(changing_the_method_keeps_the_attempts),
		ONE(sent_again),
		ONE(the_limit_without_an_app),
		ONE(a_gateway_that_fails),
		ONE(a_ticket_is_asked_first),
		ONE(a_ticket_works_once_and_for_one),
		ONE(a_ticket_is_read_as_people_type),
		ONE(the_budget_of_the_account),
		ONE(wrong_proofs_wait_too),
	};
	static struct CMUnitTest tests[LENGTH(single) + LENGTH(firsts)];
	static char names[LENGTH(firsts)][96];
	size_t n = 0;

	LIST(the_first_question, firsts, person)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow enroll", tests, LENGTH(tests), NULL, NULL);
}
