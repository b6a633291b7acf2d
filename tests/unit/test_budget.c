/* What guessing is worth: from the shipped settings' values, and as a year of logins that an attacker with the password makes.
 * Apart from the limits' own tests, because this is the promise that all of them together keep. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "login_world.h"
#include "shipped.h"

#define DAYS    365
#define PROMISE 0.002 // at most 0.2 % in a year
#define AGAIN   60    // seconds in which the same wrong code is counted once
#define PERIOD  30    // of the app's codes, in seconds

static struct login_world w;

/* ---- the shipped settings ---- */

static double shipped_number(char const *name)
{
	char value[64];

	shipped_setting(name, value);
	return atof(value);
}

/* The tests of the flow run under the settings that are shipped. */
static void the_world_has_the_shipped_settings(void **state)
{
	static char const *const names[] = {
		"max_attempts", "challenge_lifetime",  "code_lifetime",        "code_digits",    "totp_window",
		"lock_after",   "failure_budget",      "failure_days",         "push_timeout",   "push_max",
		"sms_max",      "sms_number_max",      "sms_organization_max", "sms_total_max",  "sms_wait",
		"banner_every", "enroll_grace",        "enroll_ticket",        "enroll_methods", "sms_prefixes",
		"cap_session",  "push_require_number",
	};
	struct wsmfa_flow_settings before;
	wsmfa_time_t sms_wait;

	(void)state;
	login_begin(&w);
	before = w.service.set;
	sms_wait = w.service.sms_wait;
	for (size_t i = 0; i < LENGTH(names); i++) {
		char value[64];

		shipped_setting(names[i], value);
		if (!login_setting(&w, names[i], value))
			fail_msg("no login reads %s", names[i]);
	}
	assert_string_equal(w.service.set.sms_prefixes, before.sms_prefixes);
	before.sms_prefixes = w.service.set.sms_prefixes; // the same words in another place
	assert_memory_equal(&w.service.set, &before, sizeof(before));
	assert_true(w.service.sms_wait == sms_wait);
	login_end(&w);
}

/* ---- as a formula ---- */

/* Guesses in a year: the budget is full again failure_days after it was used up, and the last days have one more. */
static double guesses_a_year(void)
{
	return shipped_number("failure_budget") * ceil(DAYS / shipped_number("failure_days"));
}

static double chance(double guesses, double right, double digits)
{
	return 1 - pow(1 - right / pow(10, digits), guesses);
}

static void the_promise(void **state)
{
	double const steps = 1 + 2 * shipped_number("totp_window");
	/* the same guess again, uncounted, when the window has moved on: a_guess_is_tried_on_five_steps */
	double const tried = steps + (double)AGAIN / PERIOD;
	double const app = chance(guesses_a_year(), tried, 6);
	/* and again at another message */
	double const sms = chance(guesses_a_year(), shipped_number("sms_max"), shipped_number("code_digits"));

	(void)state;
	print_message("# %.0f guesses a year: app %.4f %%; SMS, where there is any, %.4f %%\n", guesses_a_year(),
		      100 * app, 100 * sms);
	assert_true(steps == 3);
	assert_true(app > 0 && app <= PROMISE);
	assert_true(sms > 0 && sms <= PROMISE);
	/* the control: twice the budget would break it */
	assert_true(chance(2 * guesses_a_year(), steps, 6) > PROMISE);
}

/* What one counted guess is worth at most: the code of two steps more than a window has, at other times of its minute. */
static void a_guess_is_tried_on_five_steps(void **state)
{
	static char const *const in_time[] = { "{totp-1}", "{totp}", "{totp+1}", "{totp+2}", "{totp+3}" };
	int const steps = 3 + AGAIN / PERIOD;

	(void)state;
	for (int step = 0; step <= steps; step++) {
		char guess[16];
		bool right = false;

		login_begin(&w);
		login_setting(&w, "max_attempts", "10");
		login_person(&w, "totp");
		w.now -= w.now % (PERIOD * WSMFA_SECOND);
		w.now += WSMFA_SECOND * (PERIOD - 1);
		login_fill(&w, step < steps ? in_time[step] : "{wrong}", guess, sizeof(guess));
		for (int again = 0; again < 3 && !right; again++) {
			login_anew(&w, "{password}");
			login_say(&w, guess);
			right = w.reply.kind == WSMFA_REPLY_ACCEPT;
			w.now += again ? (AGAIN - 2) * WSMFA_SECOND : WSMFA_SECOND;
		}
		assert_int_equal(right, step < steps);
		assert_int_equal(login_failures(&w, w.person.totp[0]), step < 3 ? 0 : 1);
		login_end(&w);
	}
}

/* ---- as it is ---- */

/* One login of the attacker, from a station of its own each time. Guesses judged, 0 when the account is not asked any more. */
static unsigned attack(unsigned *serial)
{
	unsigned judged = 0;
	char guess[16];

	w.events_len = w.jobs_len = w.notices_len = 0;
	snprintf(w.station, sizeof(w.station), "attacker %u", *serial);
	login_anew(&w, "{password}");
	while (login_asked(&w) == WSMFA_ASK_TOTP) {
		do {
			snprintf(guess, sizeof(guess), "%06u", ++*serial);
			login_fill(&w, "{totp}{totp+1}{totp-1}", w.said, sizeof(w.said));
		} while (strstr(w.said, guess));
		login_say(&w, guess);
		assert_int_not_equal(w.reply.kind, WSMFA_REPLY_ACCEPT);
		judged++;
	}
	return judged;
}

/* An owner who logs in every day, and an attacker who never stops: no more guesses are judged than the formula has. */
static void a_year_of_guessing(void **state)
{
	unsigned guesses = 0, serial = 0, logins = 0;

	(void)state;
	login_begin(&w);
	login_person(&w, "totp sms=+358401000001");
	for (int day = 0; day < DAYS; day++) {
		unsigned judged;

		w.events_len = w.jobs_len = w.notices_len = 0;
		snprintf(w.station, sizeof(w.station), "owner");
		login_anew(&w, "{password}");
		login_say(&w, login_asked(&w) == WSMFA_ASK_TOTP ? "{totp}" : "sms");
		if (login_asked(&w) == WSMFA_ASK_SMS)
			login_say(&w, "{sms}");
		login_expect(&w, "accept");
		logins++;
		while ((judged = attack(&serial)) > 0)
			guesses += judged;
		w.now += WSMFA_DAY;
	}
	assert_int_equal(logins, DAYS); // the other method helps, and nobody is locked out by whom they do not know
	print_message("# %u guesses judged, %u logins of the owner\n", guesses, logins);
	assert_in_range(guesses, 1, (unsigned)guesses_a_year());
	assert_int_equal(guesses, (unsigned)guesses_a_year()); // and the formula is no higher than need be
	login_end(&w);
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		cmocka_unit_test(the_world_has_the_shipped_settings),
		cmocka_unit_test(the_promise),
		cmocka_unit_test(a_guess_is_tried_on_five_steps),
		cmocka_unit_test(a_year_of_guessing),
	};
	return _cmocka_run_group_tests("budget", tests, LENGTH(tests), NULL, NULL);
}
