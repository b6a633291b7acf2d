/* Push at clients that are asked nothing: one packet waits for the phone, at one server or at two.
 * Apart from test_flow_push.c: there is no prompt, so no number and no other way. */
#include "unit.h"

#include "login_world.h"

static struct login_world w;

static struct silent {
	char const *from;
	char const *say;
} const silents[] = { { "127.0.0.3", "{password}" }, { "127.0.0.2", "{password},push" } };

static void one_packet_waits(void **state)
{
	struct silent const *s = *state;

	login_begin(&w);
	login_from(&w, s->from);
	login_person(&w, "push totp");
	login_say(&w, s->say);
	login_expect(&w, "park");
	assert_true(w.jobs[0].wait);
	assert_string_equal(login_number(&w), "");
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
	login_end(&w);
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

static void the_same_login_waits_at_two_servers(void **state)
{
	struct silent const *s = *state;
	struct wsmfa_visit *older;
	struct wsmfa_woken const hint = { .kind = WSMFA_JOB_PUSH };

	login_begin(&w);
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
	login_wake(&w, &older, &hint);
	login_expect(&w, "reject");
	login_event(&w, "denied superseded");
	assert_true(wsmfa_mem_answer_push(w.store, w.jobs[0].challenge_id, true, NULL, w.now));
	login_wake(&w, &w.visit, &hint);
	login_expect(&w, "accept");
	login_event(&w, "accepted approved");
	wsmfa_visit_free(older);
	login_end(&w);
}

/* Of two packets of one moment the row may have taken the first for the newest, and the engine the second: no answer is lost. */
static void the_engine_has_another_order(void **state)
{
	struct silent const *s = *state;
	struct wsmfa_visit *first;
	struct wsmfa_woken const hint = { .kind = WSMFA_JOB_PUSH };
	struct wsmfa_woken superseded = { .kind = WSMFA_JOB_WAIT };

	login_begin(&w);
	login_from(&w, s->from);
	login_person(&w, "push");
	login_say(&w, s->say);
	first = login_keep(&w);
	superseded.newer = first->ticket;
	login_again(&w);
	login_expect(&w, "park");
	login_wake(&w, &w.visit, &superseded);
	login_expect(&w, "reject");
	login_event(&w, "denied superseded");
	assert_true(wsmfa_mem_answer_push(w.store, w.jobs[0].challenge_id, true, NULL, w.now));
	login_wake(&w, &first, &hint);
	login_expect(&w, "accept");
	wsmfa_visit_free(first);
	login_end(&w);
}

/* Thousands may wait: what waits holds no room for authenticators that the account has not. */
static void what_waits_is_small(void **state)
{
	struct wsmfa_visit *v;
	struct wsmfa_authenticator kept[2];

	(void)state;
	login_person(&w, "totp push");
	w.client.mode = WSMFA_MODE_WAIT;
	login_say(&w, "{password}");
	v = w.visit;
	assert_int_equal(v->waits, WSMFA_VISIT_PHONE);
	assert_int_equal(v->account.authenticators_len, 2);
	assert_true(v->size <= 6144);
	memcpy(kept, v->account.authenticators, sizeof(kept));

	w.visit = v = wsmfa_visit_wake(v);
	assert_non_null(v);
	assert_int_equal(v->size, sizeof(*v));
	assert_memory_equal(v->account.authenticators, kept, sizeof(kept));
	assert_ptr_equal(v->login.account, &v->account);
	assert_ptr_equal(v->login.client, &v->client);
	assert_ptr_equal(v->login.random, &v->random);
	assert_ptr_equal(v->plan.ask.authenticator,
			 &v->account.authenticators[v->account.authenticators[0].kind != WSMFA_KIND_PUSH]);
	assert_true(login_phone(&w, true, NULL));
	login_expect(&w, "accept");
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		ONE(number_matching_needs_a_prompt),
		ONE(what_waits_is_small),
	};
	enum { LISTED = 3 * LENGTH(silents) };
	static struct CMUnitTest tests[LENGTH(single) + LISTED];
	static char names[LISTED][96];
	size_t n = 0;

	LIST(one_packet_waits, silents, say)
	LIST(the_same_login_waits_at_two_servers, silents, say)
	LIST(the_engine_has_another_order, silents, say)
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow push silent", tests, LENGTH(tests), NULL, NULL);
}
