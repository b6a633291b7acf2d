/* Wrong codes: what they count on, who waits, what is used up, and codes that were right before.
 * Apart from the methods: the limits are the same for all of them. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

static struct login_world w;

static void ten_in_a_row_wait(void **state)
{
	wsmfa_time_t waits[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	char text[96];

	(void)state;
	login_setting(&w, "failure_budget", "100");
	login_person(&w, "totp");
	for (int i = 0; i < 9; i++) {
		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "9%05d", i);
		login_say(&w, text);
	}
	login_expect(&w, "challenge");
	for (size_t i = 0; i < LENGTH(waits); i++) {
		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "8%05zu", i);
		login_say(&w, text);
		snprintf(text, sizeof(text), "reject Too many wrong codes. Try again in %lld minutes.",
			 (long long)waits[i]);
		if (waits[i] == 1)
			snprintf(text, sizeof(text), "reject Too many wrong codes. Try again in a minute.");
		login_expect(&w, text);
		login_event(&w, "failed_second_factor locked");
		login_anew(&w, "{password}");
		login_expect(&w, text);
		login_event(&w, "denied locked");
		/* elsewhere nobody waits */
		snprintf(w.station, sizeof(w.station), "elsewhere");
		login_anew(&w, "{password}");
		login_expect(&w, "challenge");
		snprintf(w.station, sizeof(w.station), "station");
		w.now += waits[i] * WSMFA_MINUTE;
	}
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	login_anew(&w, "{password}");
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge"); // a success ends the row
}

/* An answer that no code can be is a guess like any other, on each app that a code would have been tried on. */
static void what_is_no_code_counts_on_every_app(void **state)
{
	static char const *const said[] = { "nonsense", "\001" };

	(void)state;
	login_person(&w, "totp totp");
	login_say(&w, "{password}");
	for (size_t i = 0; i < LENGTH(said); i++) {
		login_say(&w, said[i]);
		login_expect(&w, "challenge That code is not right.*");
		assert_int_equal(login_failures(&w, w.person.totp[0]), i + 1);
		assert_int_equal(login_failures(&w, w.person.totp[1]), i + 1);
		assert_int_equal(login_failures(&w, 0), 0);
	}
}

static void the_wait_is_told_only_behind_the_password(void **state)
{
	(void)state;
	login_setting(&w, "lock_after", "1");
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_anew(&w, "not the password");
	login_expect(&w, "reject");
	assert_string_equal(w.reply.text, "");
	login_event(&w, "failed_first_factor wrong_password");
}

static void the_budget_outlives_a_success(void **state)
{
	char text[16];

	(void)state;
	login_setting(&w, "lock_after", "50");
	login_person(&w, "totp sms=" PHONE);
	for (int i = 0; i < 29; i++) {
		login_anew(&w, "{password}");
		snprintf(text, sizeof(text), "9%05d", i);
		login_say(&w, text);
	}
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	w.now += WSMFA_MINUTE;
	login_anew(&w, "{password}");
	login_say(&w, "900100"); // the thirtieth
	w.now += WSMFA_MINUTE;
	login_anew(&w, "{password}");
	assert_int_equal(login_asked(&w), WSMFA_ASK_METHOD); // sms is another method, and not sent unasked
	login_say(&w, "{totp}");
	login_expect(&w, "challenge");
	assert_int_equal(login_asked(&w), WSMFA_ASK_METHOD);
	login_say(&w, "sms");
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
	w.now += 30 * WSMFA_DAY;
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
}

/* The budget is used up by another login while this question is open: the store refuses what the load still allowed. */
static void use_up(struct wsmfa_store *store, void *ctx)
{
	struct wsmfa_origin const origin = { w.now, w.person.name, "127.0.0.9", "other", "elements" };
	struct wsmfa_settled settled;

	(void)ctx;
	for (int i = 0; i < 10; i++) {
		struct wsmfa_settlement const wrong = { .account_id = w.person.id,
							.kind = WSMFA_ASK_TOTP,
							.authenticators = w.person.totp,
							.authenticators_len = 1,
							.phone = "" };

		assert_int_equal(store->ops->settle(store, &origin, &w.service.set.limits, &wrong, &settled),
				 WSMFA_STORE_OK);
	}
}

static void used_up_in_the_same_moment(void **state)
{
	(void)state;
	login_setting(&w, "failure_budget", "10");
	login_setting(&w, "lock_after", "50");
	login_person(&w, "totp");
	login_say(&w, "{password}");
	wsmfa_mem_hook(w.store, WSMFA_MEM_SETTLE, use_up, NULL);
	login_say(&w, "{totp}");
	login_expect(&w, "reject None of your ways*");
	login_event(&w, "denied no_usable_method");
}

static void a_hundred_in_a_row_disable(void **state)
{
	char text[16];

	(void)state;
	login_setting(&w, "failure_budget", "1000");
	login_setting(&w, "lock_after", "1000");
	login_setting(&w, "max_attempts", "1");
	login_person(&w, "totp phone=" PHONE);
	for (int i = 0; i < 100; i++) {
		w.events_len = 0;
		w.now += WSMFA_MINUTE;
		login_anew(&w, "{password}");
		assert_int_equal(w.notices_len, 0);
		snprintf(text, sizeof(text), "9%05d", i);
		login_say(&w, text);
		login_expect(&w, "reject");
	}
	assert_int_equal(w.notices_len, 1);
	assert_string_equal(w.notices[0].phone, PHONE);
	assert_non_null(strstr(w.notices[0].text, "was disabled after too many wrong codes"));
	login_anew(&w, "{password}");
	login_expect(&w, "reject None of your ways*");
}

static void the_same_wrong_code_counts_once_a_minute(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "123123");
	login_say(&w, "123 123");
	login_say(&w, "123123");
	login_expect(&w, "reject Too many wrong codes. Log in again."); // but uses up the attempts of its login
	assert_int_equal(login_failures(&w, w.person.totp[0]), 1);
	w.now += WSMFA_MINUTE;
	login_anew(&w, "{password}");
	login_say(&w, "123123");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 2);
}

static void a_code_that_was_accepted_before(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	login_say(&w, "{totp}");
	login_anew(&w, "{password}");
	login_say(&w, "{totp}");
	login_expect(&w, "challenge That code was used before; wait for the next one. Enter the code*:");
	login_event(&w, "failed_second_factor replayed_code");
	login_say(&w, "{totp-1}");
	login_expect(&w, "challenge That code was used before*");
	assert_int_equal(login_failures(&w, w.person.totp[0]), 0);
	login_say(&w, "{totp+1}");
	login_expect(&w, "accept");
}

/* Two logins take the same step at once: the store lets one in. */
static void take_the_step(struct wsmfa_store *store, void *ctx)
{
	struct wsmfa_origin const origin = { w.now, w.person.name, "127.0.0.9", "other", "elements" };
	struct wsmfa_settlement const right = { .account_id = w.person.id,
						.verdict = WSMFA_VERDICT_RIGHT,
						.kind = WSMFA_ASK_TOTP,
						.authenticators = w.person.totp,
						.authenticators_len = 1,
						.step = w.now / WSMFA_SECOND / 30,
						.phone = "",
						.outcome = WSMFA_OUTCOME_ACCEPTED };
	struct wsmfa_settled settled;

	(void)ctx;
	assert_int_equal(store->ops->settle(store, &origin, &w.service.set.limits, &right, &settled), WSMFA_STORE_OK);
	assert_int_equal(settled.status, WSMFA_SETTLE_RIGHT);
}

static void one_step_one_login(void **state)
{
	(void)state;
	login_person(&w, "totp");
	login_say(&w, "{password}");
	wsmfa_mem_hook(w.store, WSMFA_MEM_SETTLE, take_the_step, NULL);
	login_say(&w, "{totp}");
	login_expect(&w, "reject That code was used before. Log in again with the next one.");
	login_event(&w, "failed_second_factor replayed_code");
}

static void recovery_codes(void **state)
{
	(void)state;
	login_person(&w, "totp recovery phone=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "recovery");
	login_expect(&w, "challenge Enter one of your recovery codes*:");
	login_say(&w, "{recovery+3}");
	login_expect(&w, "accept You have 9 recovery codes left.");
	login_event(&w, "accepted proven");
	assert_int_equal(w.events[w.events_len - 1].method, WSMFA_KIND_RECOVERY);
	assert_int_equal(w.notices_len, 1);
	assert_string_equal(w.notices[0].phone, PHONE);
	login_anew(&w, "{password}");
	login_say(&w, "RECOVERY");
	login_say(&w, "{recovery+3}");
	login_expect(&w, "reject That code was used before.*");
	assert_int_equal(login_failures(&w, w.person.recovery), 0);
	login_anew(&w, "{password}");
	login_say(&w, "2");
	login_say(&w, "ABCD EFGH JKMN");
	login_expect(&w, "challenge That code is not right. Enter one of your recovery codes*:");
	assert_int_equal(login_failures(&w, w.person.recovery), 1);
	login_say(&w, "{recovery+4}");
	login_expect(&w, "accept You have 8 recovery codes left.");
	assert_int_equal(w.notices_len, 2);
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		ONE(ten_in_a_row_wait),
		ONE(what_is_no_code_counts_on_every_app),
		ONE(the_wait_is_told_only_behind_the_password),
		ONE(the_budget_outlives_a_success),
		ONE(used_up_in_the_same_moment),
		ONE(a_hundred_in_a_row_disable),
		ONE(the_same_wrong_code_counts_once_a_minute),
		ONE(a_code_that_was_accepted_before),
		ONE(one_step_one_login),
		ONE(recovery_codes),
	};
	return _cmocka_run_group_tests("flow limits", tests, LENGTH(tests), NULL, NULL);
}
