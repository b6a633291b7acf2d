/* What happens to an account while it sets up a second factor: another does too, it is deleted or moved, rules change, time ends.
 * Apart from test_flow_enroll.c, where nobody else does anything. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000020"

static struct login_world w;

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
		wsmfa_mem_organization(w.store, w.person.organization, left[i], w.now - 2 * WSMFA_DAY,
				       w.now - WSMFA_DAY);
		login_say(&w, proofs[i]);
		login_expect(&w, "reject A second factor is needed to log in*");
		assert_false(login_enrolled(&w));
		login_anew(&w, "{password}");
		login_say(&w, proofs[1 - i]);
		login_expect(&w, "accept");
		login_end(&w);
	}
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

/* Enforcement moves back, or the account to where it began long ago: what was begun without a ticket proves nothing now. */
static void grace_was_over_all_along(void **state)
{
	(void)state;
	for (int moves = 0; moves < 2; moves++) {
		login_begin(&w);
		login_person(&w, "created=-1000");
		wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - 60 * WSMFA_DAY, w.now - WSMFA_DAY);
		login_say(&w, "{password}");
		login_expect(&w, "challenge Add this key*");
		wsmfa_mem_region(w.store, "long ago", w.now - 90 * WSMFA_DAY, w.now - 60 * WSMFA_DAY);
		if (moves)
			wsmfa_mem_move_account(w.store, w.person.id, "long ago");
		wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - 90 * WSMFA_DAY,
				       w.now - 60 * WSMFA_DAY);
		login_say(&w, "{shown}");
		login_expect(&w, "reject A second factor is needed to log in*");
		login_event(&w, "denied enrollment_required");
		assert_false(login_enrolled(&w));
		login_again(&w);
		login_expect(&w, "reject *");
		login_anew(&w, "{password}");
		login_expect(&w, "challenge *ticket*:");
		login_ticket(&w);
		login_say(&w, "{ticket}");
		login_say(&w, "{shown}");
		login_expect(&w, "accept");
		login_end(&w);
	}
}

/* A ticket that another login gave is not this one's. */
static void the_ticket_of_another_login(void **state)
{
	struct wsmfa_reply first;
	char shown[16];

	(void)state;
	login_person(&w, "created=-1000");
	wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - 60 * WSMFA_DAY, w.now - WSMFA_DAY);
	login_say(&w, "{password}");
	first = w.reply;
	login_fill(&w, "{shown}", shown, sizeof(shown));
	wsmfa_mem_organization(w.store, w.person.organization, ~0U, w.now - 90 * WSMFA_DAY, w.now - 60 * WSMFA_DAY);
	login_ticket(&w);
	login_anew(&w, "{password}");
	login_say(&w, "{ticket}");
	login_expect(&w, "challenge Add this key*");
	w.reply = first;
	login_say(&w, shown);
	login_expect(&w, "reject A second factor is needed to log in*");
	assert_false(login_enrolled(&w));
}

/* "?" costs no attempt, but the password is good for an hour only: it may have been changed since. */
static void an_hour_is_enough(void **state)
{
	(void)state;
	login_person(&w, "");
	login_say(&w, "{password}");
	for (int i = 0; i < 59; i++) {
		w.now += WSMFA_MINUTE;
		w.events_len = 0;
		login_say(&w, "?");
		login_expect(&w, "challenge Add this key*");
	}
	w.now += WSMFA_MINUTE;
	login_say(&w, "{shown}");
	login_expect(&w, "reject The time to answer is over. Log in again.");
	assert_false(login_enrolled(&w));
}

/* Nor is it longer where each answer meets a limit, so that another question takes the place of the one that was chosen. */
static void an_hour_is_enough_at_a_limit(void **state)
{
	(void)state;
	login_setting(&w, "sms_max", "0");
	login_person(&w, "totp sms=" PHONE);
	login_say(&w, "{password}");
	for (int i = 0; i < 59; i++) {
		w.now += WSMFA_MINUTE;
		w.events_len = 0;
		login_say(&w, "sms");
		login_expect(&w, "challenge Too many codes were sent; use another way or wait. Enter the code*");
	}
	w.now += WSMFA_MINUTE;
	login_say(&w, "{totp}");
	login_expect(&w, "reject The time to answer is over. Log in again.");
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(two_at_once),
		ONE(two_in_the_same_moment),
		ONE(deleted_in_the_middle),
		ONE(moved_in_the_middle),
		cmocka_unit_test(forbidden_in_the_middle),
		cmocka_unit_test(grace_ends_in_the_middle),
		cmocka_unit_test(grace_was_over_all_along),
		ONE(the_ticket_of_another_login),
		ONE(an_hour_is_enough),
		ONE(an_hour_is_enough_at_a_limit),
	};

	return _cmocka_run_group_tests("flow enroll meanwhile", tests, LENGTH(tests), NULL, NULL);
}
