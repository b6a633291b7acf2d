/* Tickets, and what guesses before any second factor cost.
 * Apart from test_flow_enroll.c, where the password alone is enough. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000020"

static struct login_world w;

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
	login_expect(&w, "reject Too many wrong codes. Try again in a minute.");
	login_anew(&w, "{password}");
	login_expect(&w, "reject Too many wrong codes. Try again in a minute.");
	login_event(&w, "denied locked");
}

/* What the ticket is for can't be asked: it is good for another time. */
static void a_ticket_that_leads_nowhere(void **state)
{
	(void)state;
	login_setting(&w, "enroll_ticket", "required");
	login_setting(&w, "enroll_methods", "sms");
	login_setting(&w, "sms_max", "1");
	login_person(&w, "phone=" PHONE);
	for (int i = 0; i < 2; i++) {
		login_ticket(&w);
		login_anew(&w, "{password}");
		login_say(&w, "{ticket}");
		if (i == 0)
			login_expect(&w, "challenge Set up codes by SMS*");
	}
	login_expect(&w, "reject Too many codes were sent. Wait.");
	login_event(&w, "denied sms_limit");
	login_again(&w);
	login_expect(&w, "reject Too many codes were sent. Wait.");
	w.now += WSMFA_HOUR;
	login_anew(&w, "{password}");
	login_say(&w, "{ticket}");
	login_expect(&w, "challenge Set up codes by SMS*");
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(a_ticket_is_asked_first),         ONE(a_ticket_works_once_and_for_one),
		ONE(a_ticket_is_read_as_people_type), ONE(the_budget_of_the_account),
		ONE(wrong_proofs_wait_too),           ONE(a_ticket_that_leads_nowhere),
	};

	return _cmocka_run_group_tests("flow enroll ticket", tests, LENGTH(tests), NULL, NULL);
}
