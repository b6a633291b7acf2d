/* Push: asked, answered, denied, forgotten, at each kind of client; one push, one approval, one accept for one login.
 * Apart from SMS: the answer comes from elsewhere, while the packet waits. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

static struct login_world w;

static int begin(void **state)
{
	(void)state;
	login_begin(&w);
	return 0;
}

static int end(void **state)
{
	(void)state;
	login_end(&w);
	return 0;
}

static char const *number(void)
{
	return w.jobs[w.jobs_len - 1].message.number;
}

/* Is a push of this account still to be answered? Another login is refused then. */
static void assert_free(void)
{
	char station[sizeof(w.station)];

	memcpy(station, w.station, sizeof(station));
	snprintf(w.station, sizeof(w.station), "free?");
	w.park = WSMFA_PARK_OK;
	login_anew(&w, "{password}");
	login_expect(&w, w.client.mode == WSMFA_MODE_WAIT ? "park" : "challenge");
	memcpy(w.station, station, sizeof(station));
}

/* ---- at a client that is asked ---- */

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
	assert_int_equal(strlen(number()), 2);
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
	assert_true(login_phone(&w, true, number()));
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
	assert_free();
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
	assert_false(login_phone(&w, true, number()));
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
	assert_true(login_phone(&w, true, number()));
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
	login_wake(&w, w.visit, &failed);
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
	assert_false(login_phone(&w, true, number()));
	assert_free();
}

static void a_wrong_code_at_the_push_asks_for_codes(void **state)
{
	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge That code is not right. Enter the code from your authenticator app*:");
	assert_false(login_phone(&w, true, number()));
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
			assert_free();
	}
}

static void help_leaves_the_push_alone(void **state)
{
	char shown[8];

	(void)state;
	login_person(&w, "push totp");
	login_say(&w, "{password}");
	memcpy(shown, number(), sizeof(shown));
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
	assert_string_equal(number(), "");
	w.show[0] = '\0';
	snprintf(w.station, sizeof(w.station), "other");
	login_phone(&w, false, NULL);
	login_anew(&w, "{password}");
	login_expect(&w, "challenge Approve the request on your phone, then press Enter here*:");
}

/* ---- at clients that are not asked ---- */

static struct silent {
	char const *from;
	char const *say;
} const silents[] = { { "127.0.0.3", "{password}" }, { "127.0.0.2", "{password},push" } };

static void one_packet_waits(void **state)
{
	struct silent const *s = *state;

	begin(NULL);
	login_from(&w, s->from);
	login_person(&w, "push totp");
	login_say(&w, s->say);
	login_expect(&w, "park");
	assert_true(w.jobs[0].wait);
	assert_string_equal(number(), "");
	assert_true(w.jobs[0].wake_at == w.now + 45 * WSMFA_SECOND);
	assert_int_equal(w.events_len, 0);
	assert_true(login_phone(&w, true, NULL));
	login_expect(&w, "accept");
	login_event(&w, "accepted approved");
	assert_int_equal(w.events_len, 1);

	login_anew(&w, s->say);
	assert_true(login_phone(&w, false, NULL));
	login_expect(&w, "reject The login was refused on your phone.");

	login_anew(&w, s->say);
	login_nobody(&w);
	login_expect(&w, "reject No answer came from your phone.");
	login_event(&w, "expired timeout");
	assert_false(login_phone(&w, true, NULL));

	w.delivery = WSMFA_DELIVERY_REFUSED;
	login_anew(&w, s->say);
	login_expect(&w, "reject Your way to confirm does not work*");
	login_event(&w, "error provider_down");

	w.push_up = false;
	login_anew(&w, s->say);
	login_expect(&w, "reject Your way to confirm does not work*");
	end(NULL);
}

static void number_matching_needs_a_prompt(void **state)
{
	(void)state;
	login_setting(&w, "push_require_number", "yes");
	login_from(&w, "127.0.0.3");
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_expect(&w, "reject None of your ways*");
	login_from(&w, "127.0.0.1");
	login_anew(&w, "{password}");
	login_expect(&w, "challenge Enter {number} in the app*:");
}

/* ---- a provider that fails, and no room to wait in ---- */

static struct fault {
	char const *person;
	enum wsmfa_park_status park;
	enum wsmfa_delivery delivery;
	char const *reply;
	char const *event;
} const faults[] = {
	{ "push totp", WSMFA_PARK_OK, WSMFA_DELIVERY_FAILED,
	  "challenge That way does not work at the moment. Enter the code*:", "challenged provider_down" },
	{ "push totp", WSMFA_PARK_OK, WSMFA_DELIVERY_REFUSED,
	  "challenge That way does not work*code*:", "challenged provider_down" },
	{ "push totp", WSMFA_PARK_BREAKER, WSMFA_DELIVERY_SENT,
	  "challenge That way does not work*code*:", "challenged provider_down" },
	{ "push", WSMFA_PARK_OK, WSMFA_DELIVERY_FAILED, "reject Your way to confirm does not work*",
	  "error provider_down" },
	{ "push", WSMFA_PARK_BREAKER, WSMFA_DELIVERY_SENT, "reject Your way to confirm does not work*",
	  "error provider_down" },
	{ "push totp", WSMFA_PARK_FULL, WSMFA_DELIVERY_SENT, "reject Too many logins wait for a phone*",
	  "denied park_limit" },
	{ "push totp", WSMFA_PARK_ACCOUNT_FULL, WSMFA_DELIVERY_SENT, "reject Too many logins wait*",
	  "denied park_limit" },
	{ "push totp", WSMFA_PARK_DEAD, WSMFA_DELIVERY_SENT, "reject The login service does not work*",
	  "error internal" },
};

static void a_push_that_is_not_sent(void **state)
{
	struct fault const *f = *state;

	begin(NULL);
	login_person(&w, f->person);
	w.park = f->park;
	w.delivery = f->delivery;
	login_say(&w, "{password}");
	login_expect(&w, f->reply);
	login_event(&w, f->event);
	assert_int_equal(w.events_len, 1);
	if (w.reply.kind == WSMFA_REPLY_CHALLENGE) {
		login_say(&w, "{totp}");
		login_expect(&w, "accept");
	}
	/* nothing of it is left pending: the next login is not told to wait */
	assert_false(login_phone(&w, true, number()));
	w.delivery = WSMFA_DELIVERY_SENT;
	assert_free();
	end(NULL);
}

static void no_room_to_wait_for_the_answer(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	w.park = WSMFA_PARK_FULL;
	login_say(&w, "");
	login_expect(&w, "reject Too many logins wait for a phone*");
	assert_false(login_phone(&w, true, w.jobs[0].message.number));
	assert_free();
}

/* A wake-up is only a hint: the row decides. */
static void woken_for_nothing(void **state)
{
	struct wsmfa_woken const hint = { .kind = WSMFA_JOB_WAIT, .delivery = WSMFA_DELIVERY_APPROVED };

	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	login_wake(&w, w.visit, &hint);
	login_expect(&w, "reject No answer came from your phone.");
	assert_false(login_phone(&w, true, w.jobs[0].message.number));
	assert_free();
}

/* The host got no answer from the waiting room: it can only reject, so nothing may be counted as accepted. */
static void the_waiting_room_is_silent(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	assert_true(wsmfa_mem_answer_push(w.store, w.jobs[0].challenge_id, true, w.jobs[0].message.number, w.now));
	login_wake(&w, w.visit, NULL);
	login_expect(&w, "reject");
	login_event(&w, "error timeout");
	assert_free();
}

/* ---- one login, one push, one approval, one accept ---- */

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
	memcpy(shown, number(), sizeof(shown));
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

static void the_same_login_waits_at_two_servers(void **state)
{
	struct silent const *s = *state;
	struct wsmfa_visit *older;
	struct wsmfa_woken const hint = { .kind = WSMFA_JOB_PUSH };

	begin(NULL);
	login_from(&w, s->from);
	login_person(&w, "push");
	login_say(&w, s->say);
	login_expect(&w, "park");
	older = login_keep(&w);
	w.now += 8 * WSMFA_SECOND;
	login_again(&w);
	login_expect(&w, "park");
	assert_int_equal(w.jobs_len, 2);
	assert_int_equal(w.jobs[1].kind, WSMFA_JOB_WAIT);
	login_wake(&w, older, &hint);
	login_expect(&w, "reject");
	login_event(&w, "denied superseded");
	assert_true(wsmfa_mem_answer_push(w.store, w.jobs[0].challenge_id, true, NULL, w.now));
	login_wake(&w, w.visit, &hint);
	login_expect(&w, "accept");
	login_event(&w, "accepted approved");
	wsmfa_visit_free(older);
	end(NULL);
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
	login_wake(&w, older, &hint);
	login_expect(&w, "reject");
	login_wake(&w, w.visit, &hint);
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
	assert_true(login_phone(&w, true, number()));
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

/* ---- limits ---- */

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
		assert_true(login_phone(&w, i % 2, number()));
		login_say(&w, "");
		login_expect(&w, i % 2 ? "accept" : "reject");
	}
}

#define LIST(function, table, word)                                                                      \
	for (size_t i = 0; i < LENGTH(table); i++) {                                                     \
		(void)snprintf(names[n], sizeof(names[0]), "%s %zu: %s", #function, i, (table)[i].word); \
		tests[n] = (struct CMUnitTest) { .name = names[n],                                       \
						 .test_func = function,                                  \
						 .initial_state = (void *)(uintptr_t) & (table)[i] };    \
		n++;                                                                                     \
	}

int main(void)
{
#define ONE(function) cmocka_unit_test_setup_teardown(function, begin, end)
	static struct CMUnitTest const single[] = {
		ONE(approved_while_it_waits),
		ONE(approved_before_enter),
		ONE(denied),
		ONE(nobody_answers),
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
		ONE(number_matching_needs_a_prompt),
		ONE(no_room_to_wait_for_the_answer),
		ONE(woken_for_nothing),
		ONE(the_waiting_room_is_silent),
		ONE(another_login_while_one_is_pending),
		ONE(the_same_login_at_two_servers),
		ONE(enter_comes_to_two_servers),
		ONE(enter_again_after_it_is_settled),
		ONE(enter_again_after_nobody_answered),
		ONE(a_denial_said_again),
		ONE(five_unanswered_an_hour),
		ONE(the_limit_without_another_way),
		ONE(what_is_answered_does_not_count),
	};
	enum { LISTED = 2 * LENGTH(silents) + LENGTH(faults) };
	static struct CMUnitTest tests[LENGTH(single) + LISTED];
	static char names[LISTED][96];
	size_t n = 0;

	LIST(one_packet_waits, silents, say)
	LIST(the_same_login_waits_at_two_servers, silents, say)
	LIST(a_push_that_is_not_sent, faults, reply)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow push", tests, LENGTH(tests), NULL, NULL);
}
