/* One login, one push, one approval, one accept: other logins meanwhile, packets at two servers, packets again.
 * Apart from test_flow_again.c, which repeats the answers that are typed. */
#include "unit.h"

#include "login_world.h"

static struct login_world w;

static void another_login_while_one_is_pending(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	snprintf(w.station, sizeof(w.station), "stranger");
	login_anew(&w, "{password}");
	login_expect(&w, "reject Another login waits for your phone*");
	login_event(&w, "denied busy");
	assert_int_equal(w.jobs_len, 1);
	snprintf(w.station, sizeof(w.station), "station");
	login_anew(&w, "{password}"); // the same station, but another session
	login_expect(&w, "reject Another login waits*");
	w.unidentified = true;
	login_anew(&w, "{password}"); // one that does not say which login it is
	login_expect(&w, "reject Another login waits*");
	assert_int_equal(w.jobs_len, 1);
}

static void the_same_login_at_two_servers(void **state)
{
	char first[WSMFA_STATE_TEXT + 1], shown[8];

	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	memcpy(first, w.reply.state, sizeof(first));
	memcpy(shown, login_number(&w), sizeof(shown));
	w.now += 8 * WSMFA_SECOND;
	login_again(&w);
	login_expect(&w, "challenge Enter {number} in the app*:");
	assert_non_null(strstr(w.reply.text, shown));
	assert_string_not_equal(w.reply.state, first);
	assert_int_equal(w.jobs_len, 1);
	assert_int_equal(w.events_len, 1);
	login_say(&w, "");
	assert_true(login_phone(&w, true, shown));
	login_expect(&w, "accept");
	assert_int_equal(w.events_len, 2);
}

/** A client that asks anew waits as long as the phone may ring, and no longer. */
static void the_same_login_waits_no_longer(void **state)
{
	struct wsmfa_visit *older;

	(void)state;
	login_person(&w, "push");
	w.client.mode = WSMFA_MODE_WAIT;
	login_say(&w, "{password}");
	login_expect(&w, "park");
	older = login_keep(&w);
	w.now += 20 * WSMFA_SECOND;
	login_again(&w);
	login_expect(&w, "park");
	assert_int_equal(w.jobs_len, 2);
	assert_int_equal(w.jobs[1].kind, WSMFA_JOB_WAIT);
	assert_int_equal(w.jobs[1].challenge_id, w.jobs[0].challenge_id);
	assert_int_equal(w.jobs[1].wake_at, w.jobs[0].wake_at);
	assert_int_equal(w.jobs[1].expires_at, w.jobs[0].expires_at);
	wsmfa_visit_free(older);
}

static void enter_comes_to_two_servers(void **state)
{
	struct wsmfa_visit *older;
	struct wsmfa_woken const hint = { .kind = WSMFA_JOB_WAIT };
	size_t accepts = 0;

	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	older = login_keep(&w);
	w.now += 20 * WSMFA_SECOND; // a pending push may be repeated until it ends
	login_again(&w);
	login_expect(&w, "park");
	assert_true(wsmfa_mem_answer_push(w.store, w.jobs[0].challenge_id, true, w.jobs[0].message.number, w.now));
	login_wake(&w, &older, &hint);
	login_expect(&w, "reject");
	login_wake(&w, &w.visit, &hint);
	login_expect(&w, "accept");
	wsmfa_visit_free(older);
	for (size_t i = 0; i < w.events_len; i++)
		accepts += w.events[i].outcome == WSMFA_OUTCOME_ACCEPTED;
	assert_int_equal(accepts, 1);
}

static void enter_again_after_it_is_settled(void **state)
{
	size_t events;

	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	assert_true(login_phone(&w, true, login_number(&w)));
	login_say(&w, "");
	login_expect(&w, "accept");
	events = w.events_len;
	login_again(&w);
	login_expect(&w, "accept");
	assert_int_equal(w.events_len, events);
	w.now += 11 * WSMFA_SECOND;
	login_again(&w);
	login_expect(&w, "reject The time to answer is over*");
	login_event(&w, "denied spent_state");
}

static void enter_again_after_nobody_answered(void **state)
{
	char next[WSMFA_STATE_TEXT + 1];
	size_t events;

	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	w.now += 40 * WSMFA_SECOND;
	login_say(&w, "");
	login_nobody(&w);
	login_expect(&w, "challenge No answer came from your phone. Enter the code*:");
	memcpy(next, w.reply.state, sizeof(next));
	events = w.events_len;
	login_again(&w);
	login_expect(&w, "challenge No answer came from your phone. Enter the code*:");
	assert_string_equal(w.reply.state, next);
	assert_int_equal(w.events_len, events);
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
}

static void a_denial_said_again(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	assert_true(login_phone(&w, false, NULL));
	login_say(&w, "");
	login_expect(&w, "reject The login was refused on your phone.");
	login_again(&w);
	login_expect(&w, "reject The login was refused on your phone.");
	assert_int_equal(login_failures(&w, w.person.push), 1);
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(another_login_while_one_is_pending),
		ONE(the_same_login_at_two_servers),
		ONE(the_same_login_waits_no_longer),
		ONE(enter_comes_to_two_servers),
		ONE(enter_again_after_it_is_settled),
		ONE(enter_again_after_nobody_answered),
		ONE(a_denial_said_again),
	};

	return _cmocka_run_group_tests("flow push once", tests, LENGTH(tests), NULL, NULL);
}
