/* What fails under a login: the store at each call, the random source, the clock, a State that is none. Nobody gets in by it.
 * Apart from the ways of a login, since each fault is tried at many of them. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

static struct login_world w;

/* ---- the store ---- */

static struct fault {
	char const *person;
	char const *say[3];
	enum wsmfa_mem_call call; // of the last packet
} const faults[] = {
	{ "totp", { "{password}" }, WSMFA_MEM_LOAD },
	{ "totp", { "{password}" }, WSMFA_MEM_OPEN },
	{ "totp", { "{password}", "{totp}" }, WSMFA_MEM_TAKE },
	{ "totp", { "{password}", "{totp}" }, WSMFA_MEM_SETTLE },
	{ "totp", { "{password}", "{wrong}" }, WSMFA_MEM_SETTLE },
	{ "sms=" PHONE, { "{password}" }, WSMFA_MEM_OPEN },
	{ "sms=" PHONE, { "{password}", "{sms}" }, WSMFA_MEM_SETTLE },
	{ "push", { "{password}" }, WSMFA_MEM_OPEN },
	{ "push", { "{password}", "" }, WSMFA_MEM_TAKE },
	{ "push", { "{password}", "" }, WSMFA_MEM_WAIT },
	{ "recovery totp", { "{password}", "recovery", "{recovery}" }, WSMFA_MEM_SETTLE },
	{ "", { "{password}" }, WSMFA_MEM_OPEN },
	{ "", { "{password}", "{shown}" }, WSMFA_MEM_SETTLE },
	{ "announced", { "{password}" }, WSMFA_MEM_LOAD },
};

static void the_store_fails(void **state)
{
	struct fault const *f = *state;

	for (int result = WSMFA_STORE_BROKEN; result <= WSMFA_STORE_DOWN; result++) {
		login_begin(&w);
		login_person(&w, f->person);
		for (size_t i = 0; i < LENGTH(f->say) && f->say[i]; i++) {
			if (i + 1 == LENGTH(f->say) || !f->say[i + 1])
				wsmfa_mem_fault(w.store, f->call, (enum wsmfa_store_result)result);
			login_say(&w, f->say[i]);
		}
		login_expect(&w, "store");
		login_event(&w, "error store_down");
		if (f->call != WSMFA_MEM_LOAD && f->call != WSMFA_MEM_TAKE) // the password is right
			assert_string_equal(w.reply.text,
					    "The login service does not work at the moment. Try again later.");
		login_end(&w);
	}
}

static void the_store_fails_at_the_banner(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.6");
	login_person(&w, "announced");
	wsmfa_mem_fault(w.store, WSMFA_MEM_OPEN, WSMFA_STORE_DOWN);
	login_say(&w, "{password}");
	login_expect(&w, "store");
	login_anew(&w, "{password}");
	wsmfa_mem_fault(w.store, WSMFA_MEM_SETTLE, WSMFA_STORE_DOWN);
	login_say(&w, "");
	login_expect(&w, "store");
	login_again(&w); // it was taken and not settled: the repeat settles it
	login_expect(&w, "accept");
}

static void the_store_fails_when_a_push_is_settled(void **state)
{
	(void)state;
	login_person(&w, "push");
	for (int result = WSMFA_STORE_BROKEN; result <= WSMFA_STORE_DOWN; result++) {
		login_anew(&w, "{password}");
		login_say(&w, "");
		login_expect(&w, "park");
		wsmfa_mem_fault(w.store, WSMFA_MEM_SETTLE_PUSH, (enum wsmfa_store_result)result);
		login_phone(&w, true, w.jobs[w.jobs_len - 2].message.number);
		login_expect(&w, "store");
		login_event(&w, "error store_down");
	}
}

static void an_answer_is_settled_by_its_repeat(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	wsmfa_mem_fault(w.store, WSMFA_MEM_SETTLE, WSMFA_STORE_DOWN);
	login_say(&w, "{totp}");
	login_expect(&w, "store");
	login_again(&w);
	login_expect(&w, "accept");
	login_event(&w, "accepted proven");
}

/* ---- random octets, clocks, States ---- */

static void no_random_octets(void **state)
{
	static struct {
		char const *person, *from;
		char const *say;
	} const cases[] = {
		{ "totp", "127.0.0.1", "{totp}" },
		{ "", "127.0.0.1", "{shown}" },
		{ "push", "127.0.0.1", "" },
		{ "observed", "127.0.0.1", NULL },
		{ "announced", "127.0.0.6", "" },
		{ "recovery totp", "127.0.0.1", "recovery" },
		{ "services=community", "127.0.0.4", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		login_from(&w, cases[i].from);
		login_person(&w, cases[i].person);
		w.random_fails = true;
		login_anew(&w, "{password}");
		login_expect(&w, "reject The login service does not work at the moment*");
		login_event(&w, "error internal");
		w.random_fails = false;
		login_anew(&w, "{password}");
		if (!cases[i].say)
			continue;
		w.random_fails = true;
		login_say(&w, cases[i].say);
		login_expect(&w, "reject The login service does not work at the moment*");
		w.random_fails = false;
	}
}

static void the_clock_steps(void **state)
{
	static wsmfa_time_t const steps[] = { -WSMFA_HOUR, WSMFA_HOUR };

	(void)state;
	for (size_t i = 0; i < LENGTH(steps); i++) {
		login_person(&w, "totp sms=" PHONE);
		login_anew(&w, "{password}");
		w.now += steps[i];
		login_say(&w, "{totp}");
		/* backwards: a question from the future is still one; forwards: it has expired */
		login_expect(&w, steps[i] < 0 ? "accept" : "reject The time to answer is over*");
		login_anew(&w, "{password}");
		login_say(&w, "{totp+1}");
		login_expect(&w, "accept");
	}
}

static void a_question_ends_with_its_time(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	assert_int_equal(w.reply.session_timeout, 120);
	w.now += 120 * WSMFA_SECOND - 1;
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge");
	w.now += 120 * WSMFA_SECOND;
	login_say(&w, "{totp}");
	login_expect(&w, "reject The time to answer is over. Log in again.");
	login_event(&w, "expired expired_state");
}

static void a_state_that_is_none(void **state)
{
	static char const *const states[] = { "A", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA",
					      "!!!!!!!!!!!!!!!!!!!!!!" };

	(void)state;
	for (size_t i = 0; i < LENGTH(states); i++) {
		login_person(&w, i % 2 ? "totp" : "observed"); // never taken for a first packet
		memset(&w.reply, 0, sizeof(w.reply));
		w.reply.kind = WSMFA_REPLY_CHALLENGE;
		snprintf(w.reply.state, sizeof(w.reply.state), "%.22s", states[i]);
		login_say(&w, "{password}");
		login_expect(&w, "reject The time to answer is over. Log in again.");
		login_event(&w, "denied unknown_state");
	}
}

/* Judging what was never taken is a bug of the caller's: it is refused, not believed. */
static void an_answer_that_was_not_taken(void **state)
{
	struct wsmfa_visit *v = wsmfa_visit_new();
	struct wsmfa_reply reply;

	(void)state;
	login_person(&w, "observed");
	assert_non_null(v);
	v->at = w.now;
	v->client = w.client;
	snprintf(v->name, sizeof(v->name), "%s", w.person.name);
	assert_true(wsmfa_visit_load(&w.service, v, &reply));
	wsmfa_visit_answer(&w.service, v, &reply);
	assert_int_equal(reply.kind, WSMFA_REPLY_REJECT);
	wsmfa_visit_free(v);
}

static void a_session_ends_with_the_announcement(void **state)
{
	(void)state;
	login_setting(&w, "cap_session", "yes");
	login_person(&w, "announced");
	login_say(&w, "{password}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 20 * 86400);
	login_person(&w, "observed");
	login_anew(&w, "{password}");
	assert_int_equal(w.reply.session_timeout, 20 * 86400);
	login_person(&w, "exempt");
	login_anew(&w, "{password}");
	login_expect(&w, "accept You are exempt from the second factor for one more day*");
	assert_int_equal(w.reply.session_timeout, 86400);
	w.now += 23 * WSMFA_HOUR; // a day that has begun is one
	login_anew(&w, "{password}");
	login_expect(&w, "accept You are exempt from the second factor for one more day*");
	assert_int_equal(w.reply.session_timeout, 3600);
	w.now -= 23 * WSMFA_HOUR;
	w.now += WSMFA_DAY - WSMFA_SECOND / 2; // a session of no time would be one of any time
	login_anew(&w, "{password}");
	assert_int_equal(w.reply.session_timeout, 1);
	/* with a second factor, out of scope, or without the setting there is no end */
	login_person(&w, "announced totp");
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 0);
	login_from(&w, "127.0.0.4");
	login_person(&w, "services=community");
	login_anew(&w, "{password}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 0);
	login_setting(&w, "cap_session", "no");
	login_from(&w, "127.0.0.1");
	login_person(&w, "announced");
	login_anew(&w, "{password}");
	login_expect(&w, "accept");
	assert_int_equal(w.reply.session_timeout, 0);
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		ONE(the_store_fails_at_the_banner),
		ONE(the_store_fails_when_a_push_is_settled),
		ONE(an_answer_is_settled_by_its_repeat),
		ONE(no_random_octets),
		ONE(the_clock_steps),
		ONE(a_question_ends_with_its_time),
		ONE(a_state_that_is_none),
		ONE(an_answer_that_was_not_taken),
		ONE(a_session_ends_with_the_announcement),
	};
	static struct CMUnitTest tests[LENGTH(single) + LENGTH(faults)];
	static char names[LENGTH(faults)][96];
	size_t n = 0;

	LIST(the_store_fails, faults, person)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow faults", tests, LENGTH(tests), NULL, NULL);
}
