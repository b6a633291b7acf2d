/* Push where something fails: the provider, the waiting room, a wake-up for nothing. Nobody gets in, and nothing stays pending.
 * Apart from test_flow_faults.c, where the store, the clock and the random source fail. */
#include "unit.h"

#include "login_world.h"

static struct login_world w;

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

	login_begin(&w);
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
	assert_false(login_phone(&w, true, login_number(&w)));
	w.delivery = WSMFA_DELIVERY_SENT;
	login_assert_free(&w);
	login_end(&w);
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
	login_assert_free(&w);
}

/* A wake-up is only a hint: the row decides. */
static void woken_for_nothing(void **state)
{
	struct wsmfa_woken const hint = { .kind = WSMFA_JOB_WAIT, .delivery = WSMFA_DELIVERY_APPROVED };

	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	login_wake(&w, &w.visit, &hint);
	login_expect(&w, "reject No answer came from your phone.");
	assert_false(login_phone(&w, true, w.jobs[0].message.number));
	login_assert_free(&w);
}

/* The host got no answer from the waiting room: it can only reject, so nothing may be counted as accepted. */
static void the_waiting_room_is_silent(void **state)
{
	(void)state;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_say(&w, "");
	assert_true(wsmfa_mem_answer_push(w.store, w.jobs[0].challenge_id, true, w.jobs[0].message.number, w.now));
	login_wake(&w, &w.visit, NULL);
	login_expect(&w, "reject");
	login_event(&w, "error timeout");
	login_assert_free(&w);
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		ONE(no_room_to_wait_for_the_answer),
		ONE(woken_for_nothing),
		ONE(the_waiting_room_is_silent),
	};
	enum { LISTED = LENGTH(faults) };
	static struct CMUnitTest tests[LENGTH(single) + LISTED];
	static char names[LISTED][96];
	size_t n = 0;

	LIST(a_push_that_is_not_sent, faults, reply)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow push faults", tests, LENGTH(tests), NULL, NULL);
}
