/* Setting up SMS at the prompt: the number on file, its code, another method in its place, limits, a gateway that fails.
 * Apart from test_flow_sms.c, where the number is proven already. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000020"

static struct login_world w;

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

/* A code proves the number that it went to. One that was replaced meanwhile is neither enrolled nor a way in. */
static void the_number_is_replaced(void **state)
{
	char const *const people[] = { "phone=" PHONE, "sms=" PHONE };

	(void)state;
	for (size_t i = 0; i < LENGTH(people); i++) {
		char old[16];

		login_person(&w, people[i]);
		login_anew(&w, "{password}");
		if (i == 0)
			login_say(&w, "sms");
		login_expect(&w, "challenge *code sent to *20*");
		login_fill(&w, "{sms}", old, sizeof(old));
		wsmfa_mem_replace_phone(w.store, w.person.id, "+358401000099");
		login_say(&w, old);
		login_expect(&w, "challenge That code is not right.*99*");
		login_say(&w, "sms");
		login_say(&w, "{sms}");
		login_expect(&w, "accept");
		assert_string_equal(w.jobs[w.jobs_len - 1].message.phone, "+358401000099");
		login_anew(&w, "{password}");
		login_expect(&w, "challenge Enter the code sent to *99*");
		assert_string_equal(w.jobs[w.jobs_len - 1].message.phone, "+358401000099");
	}
	login_from(&w, "127.0.0.2"); // and behind a password
	login_person(&w, "sms=" PHONE);
	login_anew(&w, "{password},sms");
	wsmfa_mem_replace_phone(w.store, w.person.id, "+358401000099");
	login_anew(&w, "{password},{sms}");
	login_expect(&w, "reject That code is not right.");
	wsmfa_mem_replace_phone(w.store, w.person.id, PHONE);
	login_anew(&w, "{password},{sms}");
	login_expect(&w, "accept");
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

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(the_number_on_file),
		ONE(the_code_of_an_enrolment_expires),
		ONE(changing_the_method_keeps_the_attempts),
		ONE(sent_again),
		ONE(the_limit_without_an_app),
		ONE(the_number_is_replaced),
		ONE(a_gateway_that_fails),
	};

	return _cmocka_run_group_tests("flow enroll sms", tests, LENGTH(tests), NULL, NULL);
}
