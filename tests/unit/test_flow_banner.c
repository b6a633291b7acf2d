/* The announcement: as a text of the accept, or as a question that an empty answer skips.
 * Apart from enrolling, which it can lead to: without an answer everybody is let in. */
#include "unit.h"

#include "login_world.h"

static struct login_world w;

static void a_banner_is_skipped_once_a_day(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced");
	login_say(&w, "{password}");
	login_expect(
		&w,
		"challenge From 2026-01-25 a second factor is needed to log in. Type enroll to set it up now, or press "
		"Enter to go on. {url} :");
	login_event(&w, "challenged announce");
	assert_true(w.reply.echo);
	login_say(&w, "");
	login_expect(&w, "accept");
	assert_string_equal(w.reply.text, "");
	login_event(&w, "accepted announce");
	login_anew(&w, "{password}");
	login_expect(&w, "accept From 2026-01-25 a second factor is needed to log in. Set it up at {url}");
	w.now += WSMFA_DAY - 1;
	login_anew(&w, "{password}");
	login_expect(&w, "accept");
	w.now++;
	login_anew(&w, "{password}");
	login_expect(&w, "challenge");
	login_setting(&w, "banner_every", "0");
	login_anew(&w, "{password}");
	login_expect(&w, "challenge");
}

static void other_answers_to_the_banner(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced");
	login_say(&w, "{password}");
	login_say(&w, "what");
	login_expect(&w, "challenge From 2026-01-25*:");
	login_say(&w, "\t");
	login_expect(&w, "challenge From 2026-01-25*:");
	login_say(&w, "123456"); // the last one skips
	login_expect(&w, "accept");
	assert_int_equal(login_failures(&w, 0), 0);
}

static void enroll_at_the_banner(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced created=-1000");
	login_say(&w, "{password}");
	login_say(&w, "what");
	login_say(&w, " ENROLL");
	login_expect(&w, "challenge Add this key*"); // no ticket: enforcement has not even begun
	assert_int_equal(w.visit->plan.ask.attempt, 1);
	login_say(&w, "");
	login_expect(&w, "challenge Add this key*"); // once begun, it ends by a right answer only
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
	login_event(&w, "accepted confirmed");

	login_setting(&w, "enroll_ticket", "required");
	login_person(&w, "announced");
	login_anew(&w, "{password}");
	login_say(&w, "enroll");
	login_expect(&w, "challenge *ticket*:");
}

static void the_banner_where_nothing_can_be_enrolled(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced allowed=push");
	login_say(&w, "{password}");
	login_expect(&w,
		     "challenge From 2026-01-25 a second factor is needed*Set it up at {url} . Press Enter to go on:");
	login_say(&w, "enroll");
	login_expect(&w, "challenge From 2026-01-25*Press Enter to go on:");
	login_say(&w, "");
	login_expect(&w, "accept");
}

static void who_gets_no_banner_to_answer(void **state)
{
	static struct {
		char const *from, *person, *reply;
	} const cases[] = {
		{ "127.0.0.1", "announced", "accept From 2026-01-25 a second factor is needed*" },
		{ "127.0.0.2", "announced", "accept From 2026-01-25*" },
		{ "127.0.0.3", "announced", "accept From 2026-01-25*" },
		{ "127.0.0.6", "exempt",
		  "accept You are exempt from the second factor for one more day. Set it up at {url}" },
		{ "127.0.0.6", "observed", "accept" },
		{ "127.0.0.6", "announced exempt", "challenge From*" },
		{ "127.0.0.6", "announced totp", "challenge Enter the code*" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		login_from(&w, cases[i].from);
		login_person(&w, cases[i].person);
		login_anew(&w, "{password}");
		login_expect(&w, cases[i].reply);
	}
}

/* Only an accept of the rules admits without a second factor, whatever led to asking them. */
static void a_skipped_banner_admits_by_the_rules_alone(void **state)
{
	static struct {
		enum wsmfa_decision decision;
		enum wsmfa_move move;
	} const cases[] = {
		{ WSMFA_DECISION_ACCEPT, WSMFA_MOVE_ADMIT },
		{ WSMFA_DECISION_ACCEPT_WITH_BANNER, WSMFA_MOVE_ADMIT },
		{ WSMFA_DECISION_CHALLENGE, WSMFA_MOVE_REFUSE },
		{ WSMFA_DECISION_ENROLL, WSMFA_MOVE_REFUSE },
		{ WSMFA_DECISION_DENY, WSMFA_MOVE_REFUSE },
	};

	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced");
	login_say(&w, "{password}");
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct wsmfa_settled const settled = { .status = WSMFA_SETTLE_ASIDE };
		struct wsmfa_plan plan = { .move = WSMFA_MOVE_JUDGE, .admits_aside = true };

		w.visit->login.ruling.decision = cases[i].decision;
		wsmfa_flow_judged(&w.visit->login, &settled, &plan);
		assert_int_equal(plan.move, cases[i].move);
	}
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(a_banner_is_skipped_once_a_day), ONE(other_answers_to_the_banner),
		ONE(enroll_at_the_banner),           ONE(the_banner_where_nothing_can_be_enrolled),
		ONE(who_gets_no_banner_to_answer),   ONE(a_skipped_banner_admits_by_the_rules_alone),
	};
	return _cmocka_run_group_tests("flow banner", tests, LENGTH(tests), NULL, NULL);
}
