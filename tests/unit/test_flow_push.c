/* Push at a client that is asked: approved, denied, forgotten, given up for another way, and too many of them.
 * Apart from SMS: the answer comes from elsewhere, while the packet waits. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

static struct login_world w;

static void approved_while_it_waits(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_expect(&w,
		     "challenge Enter {number} in the app on your phone, then press Enter here (? for other ways):");
	login_event(&w, "challenged enrolled");
	assert_int_equal(w.jobs[0].kind, WSMFA_JOB_PUSH);
	assert_false(w.jobs[0].wait);
	assert_true(w.jobs[0].wake_at == w.now + 2 * WSMFA_SECOND);
	assert_true(w.jobs[0].expires_at == w.now + 45 * WSMFA_SECOND);
	assert_string_equal(w.jobs[0].message.device, "phone");
	assert_string_equal(w.jobs[0].message.client, "127.0.0.1");
	assert_int_equal(strlen(login_number(&w)), 2);
	w.now += 5 * WSMFA_SECOND;
	login_say(&w, "");
	login_expect(&w, "park");
	assert_int_equal(w.jobs[1].kind, WSMFA_JOB_WAIT);
	assert_true(w.jobs[1].wake_at == w.jobs[0].expires_at);
	assert_int_equal(w.events_len, 1);
	w.now += 5 * WSMFA_SECOND;
	assert_true(login_phone(&w, true, w.jobs[0].message.number));
	login_expect(&w, "accept");
	login_event(&w, "accepted approved");
	assert_int_equal(w.events_len, 2);
	assert_int_equal(w.events[1].method, WSMFA_KIND_PUSH);
	assert_true(w.events[1].at == w.now);
}

static void approved_before_enter(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	assert_false(login_phone(&w, true, "00")); // not the number that is shown
	assert_false(login_phone(&w, true, NULL));
	assert_true(login_phone(&w, true, login_number(&w)));
	login_say(&w, "  ");
	login_expect(&w, "accept");
	assert_int_equal(w.jobs_len, 1);
}

static void denied(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	login_say(&w, "");
	assert_true(login_phone(&w, false, NULL));
	login_expect(&w, "reject The login was refused on your phone.");
	login_event(&w, "failed_second_factor suspicious");
	assert_int_equal(login_failures(&w, w.person.push), 1);
	login_assert_free(&w);
}

static void nobody_answers(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	w.now += 10 * WSMFA_SECOND;
	login_say(&w, "");
	login_nobody(&w);
	login_expect(&w, "challenge No answer came from your phone. Enter the code from your authenticator app*:");
	login_event(&w, "challenged timeout");
	assert_true(w.now == w.jobs[0].expires_at);
	assert_false(login_phone(&w, true, w.jobs[0].message.number));
	assert_int_equal(login_failures(&w, w.person.push), 0);
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
}

static void who_waited_has_no_more_attempts_than_before(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	login_say(&w, "what");
	login_say(&w, "what");
	login_expect(&w, "challenge");
	assert_int_equal(login_asked(&w), WSMFA_ASK_PUSH);
	login_say(&w, "");
	login_nobody(&w);
	login_expect(&w, "challenge No answer came from your phone. Enter the code*:");
	login_say(&w, "{wrong}");
	login_expect(&w, "reject Too many wrong codes. Log in again.");
}

static void nobody_answers_and_there_is_no_other_way(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	login_nobody(&w);
	login_expect(&w, "reject No answer came from your phone.");
	login_event(&w, "expired timeout");
}

static void enter_comes_too_late(void **state)
{
	(void)state;
	login_person(&w, "push recovery");
	login_say(&w, "{password}");
	w.now += 46 * WSMFA_SECOND;
	assert_false(login_phone(&w, true, login_number(&w)));
	login_say(&w, "");
	login_expect(&w, "challenge No answer came from your phone. How do you want*1 push, 2 recovery:");
	login_say(&w, "2");
	login_say(&w, "{recovery}");
	login_expect(&w, "accept");
}

/* An approval within its time counts when Enter comes after it: the question lives longer than the push. */
static void approved_in_time_entered_late(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	w.now += 44 * WSMFA_SECOND;
	assert_true(login_phone(&w, true, login_number(&w)));
	w.now += 60 * WSMFA_SECOND;
	login_say(&w, "");
	login_expect(&w, "accept");
}

static void the_provider_fails_while_it_waits(void **state)
{
	struct wsmfa_woken const failed = { .kind = WSMFA_JOB_WAIT, .finished = true };

	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	login_say(&w, "");
	assert_true(wsmfa_mem_fail_push(w.store, w.jobs[0].challenge_id));
	login_wake(&w, &w.visit, &failed);
	login_expect(&w, "challenge That way does not work at the moment. Enter the code*:");
	login_event(&w, "challenged provider_down");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");

	login_person(&w, "push");
	login_anew(&w, "{password}");
	assert_true(wsmfa_mem_fail_push(w.store, w.jobs[w.jobs_len - 1].challenge_id));
	login_say(&w, "");
	login_expect(&w, "reject Your way to confirm does not work*");
	login_event(&w, "error provider_down");
}

static void a_typed_code_at_the_push(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	assert_int_equal(w.events[1].method, WSMFA_KIND_TOTP);
	assert_false(login_phone(&w, true, login_number(&w)));
	login_assert_free(&w);
}

static void a_wrong_code_at_the_push_asks_for_codes(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge That code is not right. Enter the code from your authenticator app*:");
	assert_false(login_phone(&w, true, login_number(&w)));
	assert_int_equal(login_failures(&w, w.person.totp[0]), 1);
	assert_int_equal(login_failures(&w, w.person.push), 0);
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
}

static void a_code_where_there_is_none_to_type(void **state)
{
	(void)state;
	login_person(&w, "push recovery");
	login_say(&w, "{password}");
	login_say(&w, "123456");
	login_expect(&w, "challenge You can type 1 push, 2 recovery. Enter * in the app*:");
	assert_int_equal(login_failures(&w, w.person.push), 0);
	assert_true(login_phone(&w, true, w.jobs[0].message.number));
	login_say(&w, "");
	login_expect(&w, "accept");
}

static void another_way_voids_the_push(void **state)
{
	static char const *const said[] = { "sms", "totp", "2", "push" };

	(void)state;
	for (size_t i = 0; i < LENGTH(said); i++) {
		struct wsmfa_job first;

		login_person(&w, "push totp sms=" PHONE);
		login_anew(&w, "{password}");
		first = w.jobs[w.jobs_len - 1];
		login_say(&w, said[i]);
		login_expect(&w, "challenge");
		assert_false(wsmfa_mem_answer_push(w.store, first.challenge_id, true, first.message.number, w.now));
		assert_false(wsmfa_mem_answer_push(w.store, first.challenge_id, false, NULL, w.now));
		if (login_asked(&w) != WSMFA_ASK_PUSH)
			login_assert_free(&w);
	}
}

static void help_leaves_the_push_alone(void **state)
{
	char shown[8];

	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	memcpy(shown, login_number(&w), sizeof(shown));
	login_say(&w, "?");
	login_expect(&w, "challenge You can type 1 push, 2 totp. Enter * in the app*:");
	assert_non_null(strstr(w.reply.text, shown));
	assert_int_equal(w.jobs_len, 1);
	assert_true(login_phone(&w, true, shown));
	login_say(&w, "");
	login_expect(&w, "accept");
}

static void what_the_provider_shows(void **state)
{
	(void)state;
	login_person(&w, "push");
	w.push_ops.matches_number = false;
	snprintf(w.show, sizeof(w.show), "Enter 837 in Duo Mobile.");
	login_say(&w, "{password}");
	login_expect(&w, "challenge Enter 837 in Duo Mobile. Then press Enter here*:");
	assert_string_equal(login_number(&w), "");
	w.show[0] = '\0';
	snprintf(w.station, sizeof(w.station), "other");
	login_phone(&w, false, NULL);
	login_anew(&w, "{password}");
	login_expect(&w, "challenge Approve the request on your phone, then press Enter here*:");
}

static void five_unanswered_an_hour(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	for (int i = 0; i < 5; i++) {
		login_anew(&w, "{password}");
		login_expect(&w, "challenge Enter {number} in the app*:");
		login_say(&w, "totp"); // leaves it unanswered
	}
	login_anew(&w, "{password}");
	login_expect(&w,
		     "challenge Too many requests were sent to your phone; use another way or wait. Enter the code*:");
	login_event(&w, "challenged push_limit");
	login_say(&w, "push");
	login_expect(&w, "challenge Too many requests were sent*");
	assert_int_equal(w.jobs_len, 5);
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	w.now += WSMFA_HOUR + WSMFA_SECOND;
	login_anew(&w, "{password}");
	login_expect(&w, "challenge Enter {number} in the app*:");
}

static void the_limit_without_another_way(void **state)
{
	(void)state;
	login_setting(&w, "push_max", "1");
	login_from(&w, "127.0.0.3");
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_nobody(&w);
	login_anew(&w, "{password}");
	login_expect(&w, "reject Too many requests were sent to your phone. Wait.");
	login_event(&w, "denied push_limit");
}

static void what_is_answered_does_not_count(void **state)
{
	(void)state;
	login_setting(&w, "push_max", "1");
	login_person(&w, "push");
	for (int i = 0; i < 4; i++) {
		login_anew(&w, "{password}");
		login_expect(&w, "challenge");
		assert_true(login_phone(&w, i % 2, login_number(&w)));
		login_say(&w, "");
		login_expect(&w, i % 2 ? "accept" : "reject");
	}
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(approved_while_it_waits),
		ONE(approved_before_enter),
		ONE(denied),
		ONE(nobody_answers),
		ONE(who_waited_has_no_more_attempts_than_before),
		ONE(nobody_answers_and_there_is_no_other_way),
		ONE(enter_comes_too_late),
		ONE(approved_in_time_entered_late),
		ONE(the_provider_fails_while_it_waits),
		ONE(a_typed_code_at_the_push),
		ONE(a_wrong_code_at_the_push_asks_for_codes),
		ONE(a_code_where_there_is_none_to_type),
		ONE(another_way_voids_the_push),
		ONE(help_leaves_the_push_alone),
		ONE(what_the_provider_shows),
		ONE(five_unanswered_an_hour),
		ONE(the_limit_without_another_way),
		ONE(what_is_answered_does_not_count),
	};

	return _cmocka_run_group_tests("flow push", tests, LENGTH(tests), NULL, NULL);
}
