/* Codes by SMS: sent, right, wrong, sent again, too many of them, and a gateway that fails.
 * Apart from push: a code is typed, so that everything but sending it happens at the prompt. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

static struct login_world w;

static void a_code_is_sent_and_lets_in(void **state)
{
	struct wsmfa_job const *job = &w.jobs[0];
	char code[16], text[96];

	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	login_expect(&w, "challenge Enter the code sent to *****01 (? for other ways):");
	assert_int_equal(w.reply.session_timeout, 120);
	assert_int_equal(job->kind, WSMFA_JOB_SMS);
	assert_string_equal(job->provider, "file");
	assert_string_equal(job->message.phone, PHONE);
	assert_int_equal(job->message.lifetime, 300);
	assert_true(job->wake_at == w.now + 2 * WSMFA_SECOND);
	login_fill(&w, "{sms}", code, sizeof(code));
	assert_int_equal(strlen(code), 6);
	snprintf(text, sizeof(text), "Your login code is %s. Never tell it to anybody.", code);
	assert_string_equal(job->message.text, text);
	login_say(&w, " {sms} ");
	login_expect(&w, "accept");
	login_event(&w, "accepted proven");
	assert_int_equal(w.events[1].method, WSMFA_KIND_SMS);
}

static void a_wrong_answer_keeps_the_code(void **state)
{
	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge That code is not right. Enter the code sent to *****01*:");
	login_say(&w, "nonsense");
	login_expect(&w, "challenge That code is not right.*01*:");
	assert_int_equal(w.jobs_len, 1);
	assert_int_equal(login_failures(&w, w.person.sms), 2);
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
}

static void three_wrong_answers_end_it(void **state)
{
	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "111111");
	login_say(&w, "222222");
	login_say(&w, "333333");
	login_expect(&w, "reject Too many wrong codes. Log in again.");
	login_event(&w, "failed_second_factor too_many_attempts");
	assert_int_equal(login_failures(&w, w.person.sms), 3);
}

static void an_old_code_is_nothing(void **state)
{
	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	w.now += 119 * WSMFA_SECOND;
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge");
	w.now += 119 * WSMFA_SECOND;
	login_say(&w, "{wrong}");
	login_expect(&w, "challenge");
	/* the third question lives no longer than the code: 300 s from the beginning */
	assert_int_equal(w.reply.session_timeout, 300 - 2 * 119);
	w.now += 62 * WSMFA_SECOND;
	login_say(&w, "{sms}");
	login_expect(&w, "reject The time to answer is over. Log in again.");
	login_event(&w, "expired expired_state");
}

/* The rules ask so that it can't: but a question is a row, and a row may say anything. */
static void a_question_that_outlives_its_code(void **state)
{
	static struct {
		char const *person;
		enum wsmfa_question_kind kind;
	} const cases[] = { { "sms=" PHONE, WSMFA_ASK_SMS }, { "phone=" PHONE, WSMFA_ASK_ENROLL_SMS } };

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct wsmfa_question question = { .kind = cases[i].kind, .attempt = 1 };
		struct wsmfa_answer answer;
		struct wsmfa_plan plan;

		login_person(&w, cases[i].person);
		login_anew(&w, "{password}");
		question.authenticator_id = w.person.sms ? w.person.sms : 1;
		question.opened_at = w.now;
		question.expires_at = w.now + 600 * WSMFA_SECOND;
		question.code_expires_at = w.now + 300 * WSMFA_SECOND;
		assert_true(wsmfa_code_mac(question.code_mac, &w.service.macs, w.person.id, PHONE, "123456"));
		wsmfa_answer_parse(&answer, (uint8_t const *)"123456", 6);
		w.visit->login.at = question.code_expires_at - 1;
		wsmfa_flow_answer(&w.visit->login, &question, &answer, &plan);
		assert_int_equal(plan.move, WSMFA_MOVE_JUDGE);
		assert_int_equal(plan.judgement.verdict, WSMFA_VERDICT_RIGHT);
		w.visit->login.at = question.code_expires_at;
		wsmfa_flow_answer(&w.visit->login, &question, &answer, &plan);
		assert_int_equal(plan.move, WSMFA_MOVE_REFUSE);
		assert_int_equal(plan.outcome, WSMFA_OUTCOME_EXPIRED);
	}
}

static void sent_again_the_old_code_is_void(void **state)
{
	char old[16];

	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	login_fill(&w, "{sms}", old, sizeof(old));
	login_say(&w, "{wrong}");
	login_say(&w, "sms");
	login_expect(&w, "challenge Enter the code sent to*01*:");
	assert_int_equal(w.jobs_len, 2);
	assert_int_equal(w.visit->plan.ask.attempt, 2); // a resend resets no counter
	assert_true(memcmp(w.jobs[0].message.text, w.jobs[1].message.text, sizeof(w.jobs[0].message.text)) != 0);
	login_say(&w, old);
	login_expect(&w, "challenge That code is not right.*");
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
}

static void a_code_works_once(void **state)
{
	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
	login_anew(&w, "{password}");
	login_expect(&w, "challenge");
	assert_int_equal(w.jobs_len, 2);
	w.jobs_len = 1; // {sms} is the one of the first login
	login_say(&w, "{sms}");
	login_expect(&w, "challenge That code is not right.*");
}

static void an_identical_packet_sends_nothing(void **state)
{
	char first[WSMFA_STATE_TEXT + 1];
	wsmfa_time_t const opened = w.now;

	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	memcpy(first, w.reply.state, sizeof(first));
	w.now += 9 * WSMFA_SECOND;
	login_again(&w);
	login_expect(&w, "challenge Enter the code sent to*01*:");
	assert_int_equal(w.jobs_len, 1);
	assert_true(w.now + w.reply.session_timeout * WSMFA_SECOND == opened + 120 * WSMFA_SECOND);
	assert_string_not_equal(w.reply.state, first);
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
	/* after 10 s it is another login */
	w.now += 11 * WSMFA_SECOND;
	login_anew(&w, "{password}");
	assert_int_equal(w.jobs_len, 2);
}

static void the_limit_of_an_hour(void **state)
{
	(void)state;
	login_person(&w, "totp sms=" PHONE);
	login_setting(&w, "sms_max", "2");
	login_say(&w, "{password}");
	login_say(&w, "sms");
	login_say(&w, "sms");
	login_expect(&w, "challenge Enter the code sent to*:");
	login_say(&w, "sms");
	login_expect(&w, "challenge Too many codes were sent; use another way or wait. Enter the code from*:");
	login_event(&w, "challenged sms_limit");
	assert_int_equal(w.jobs_len, 2);
	login_say(&w, "{totp}");
	login_expect(&w, "accept");
	w.now += WSMFA_HOUR;
	login_anew(&w, "{password}");
	login_say(&w, "sms");
	login_expect(&w, "challenge Enter the code sent to*:");
}

static void the_limit_without_another_way(void **state)
{
	(void)state;
	login_person(&w, "sms=" PHONE);
	login_setting(&w, "sms_max", "1");
	login_say(&w, "{password}");
	login_anew(&w, "{password}");
	login_expect(&w, "reject Too many codes were sent. Wait.");
	login_event(&w, "denied sms_limit");
	assert_int_equal(w.jobs_len, 1);
}

/* ---- append mode ---- */

static void append_sms_then_the_code(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.2");
	login_person(&w, "totp sms=" PHONE);
	login_say(&w, "{password},sms");
	login_expect(&w, "reject A code was sent to *****01. Log in again with password,code.");
	login_event(&w, "challenged sent");
	login_anew(&w, "{password},{sms}");
	login_expect(&w, "accept");
	login_event(&w, "accepted proven");
	assert_int_equal(w.events[w.events_len - 1].method, WSMFA_KIND_SMS);
	/* some clients send what they keep again and again: refused, and nothing is counted */
	for (int i = 0; i < 2; i++) {
		w.now += WSMFA_MINUTE;
		login_anew(&w, "{password},{sms}");
		login_expect(&w, "reject That code was used before.*");
		login_event(&w, "failed_second_factor replayed_code");
	}
	assert_int_equal(login_failures(&w, w.person.sms), 0);
	login_anew(&w, "{password},{wrong}");
	login_expect(&w, "reject That code is not right.");
}

static void append_sms_from_elsewhere(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.2");
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password},sms");
	snprintf(w.station, sizeof(w.station), "elsewhere");
	login_anew(&w, "{password},{sms}");
	login_expect(&w, "reject That code is not right.");
	assert_int_equal(login_failures(&w, w.person.sms), 1);
}

static void append_sms_has_attempts_of_its_own(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.2");
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password},sms");
	login_anew(&w, "{password},111111");
	login_anew(&w, "{password},222222");
	login_anew(&w, "{password},333333");
	login_expect(&w, "reject That code is not right.");
	login_anew(&w, "{password},{sms}");
	login_expect(&w, "reject That code is not right.");
	assert_int_equal(login_failures(&w, w.person.sms), 4);
}

static void append_sms_expires(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.2");
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password},sms");
	w.now += 299 * WSMFA_SECOND;
	login_anew(&w, "{password},{wrong}");
	w.now += WSMFA_SECOND;
	login_anew(&w, "{password},{sms}");
	login_expect(&w, "reject That code is not right.");
}

/* ---- a gateway that fails ---- */

static struct fault {
	char const *person;
	enum wsmfa_park_status park;
	enum wsmfa_delivery delivery;
	char const *reply;
	char const *event;
} const faults[] = {
	/* it did not arrive: another way, or the end */
	{ "totp", WSMFA_PARK_OK, WSMFA_DELIVERY_FAILED,
	  "challenge That way does not work at the moment. Enter the code from*:", "challenged provider_down" },
	{ "totp", WSMFA_PARK_OK, WSMFA_DELIVERY_REFUSED,
	  "challenge That way does not work at the moment. Enter the code from*:", "challenged provider_down" },
	{ "totp", WSMFA_PARK_BREAKER, WSMFA_DELIVERY_SENT,
	  "challenge That way does not work at the moment. Enter the code from*:", "challenged provider_down" },
	{ "recovery", WSMFA_PARK_OK, WSMFA_DELIVERY_FAILED,
	  "challenge That way does not work at the moment. How do you want*2 recovery:", "challenged provider_down" },
	{ "", WSMFA_PARK_OK, WSMFA_DELIVERY_FAILED, "reject Your way to confirm does not work at the moment*",
	  "error provider_down" },
	{ "", WSMFA_PARK_BREAKER, WSMFA_DELIVERY_SENT, "reject Your way to confirm does not work at the moment*",
	  "error provider_down" },
	/* it may have arrived: the question is asked, and nothing is sent again */
	{ "totp", WSMFA_PARK_OK, WSMFA_DELIVERY_UNKNOWN, "challenge Enter the code sent to*", "challenged switched" },
	/* it can't be parked */
	{ "totp", WSMFA_PARK_FULL, WSMFA_DELIVERY_SENT, "reject Too many logins wait*", "denied park_limit" },
	{ "totp", WSMFA_PARK_ACCOUNT_FULL, WSMFA_DELIVERY_SENT, "reject Too many logins wait*", "denied park_limit" },
	{ "totp", WSMFA_PARK_DEAD, WSMFA_DELIVERY_SENT, "reject The login service does not work*", "error internal" },
};

static void a_gateway_that_fails(void **state)
{
	struct fault const *f = *state;
	char person[64];

	login_begin(&w);
	snprintf(person, sizeof(person), "%s sms=" PHONE, f->person);
	login_person(&w, person);
	w.park = f->park;
	w.delivery = f->delivery;
	login_say(&w, "{password}");
	if (w.person.totp[0])
		login_say(&w, "sms");
	login_expect(&w, f->reply);
	login_event(&w, f->event);
	assert_int_equal(w.jobs_len, 1);
	if (w.reply.kind == WSMFA_REPLY_CHALLENGE) {
		login_say(&w, login_asked(&w) == WSMFA_ASK_SMS    ? "{sms}"
			      : login_asked(&w) == WSMFA_ASK_TOTP ? "{totp}"
								  : "2");
		if (login_asked(&w) == WSMFA_ASK_RECOVERY)
			login_say(&w, "{recovery}");
		login_expect(&w, "accept");
	}
	login_end(&w);
}

/* Only the waiting room's answer is missing: nothing is known of the code, and the host can only reject. */
static void the_waiting_room_is_silent(void **state)
{
	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	w.visit->waits = WSMFA_VISIT_SENDING;
	login_wake(&w, &w.visit, NULL);
	login_expect(&w, "reject The login service does not work*");
	/* a visit is woken once */
	login_wake(&w, &w.visit, NULL);
	login_expect(&w, "reject");
	login_event(&w, "error internal");
}

static void a_gateway_that_is_slow(void **state)
{
	struct wsmfa_woken const late = { .kind = WSMFA_JOB_SMS, .timed_out = true };

	(void)state;
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	w.visit->waits = WSMFA_VISIT_SENDING; // as if it had not been woken yet
	w.now += 2 * WSMFA_SECOND;
	login_wake(&w, &w.visit, &late);
	login_expect(&w, "challenge Enter the code sent to*:");
	assert_int_equal(w.reply.session_timeout, 118);
	login_say(&w, "{sms}");
	login_expect(&w, "accept");
}

static void a_number_that_may_not_be_written_to(void **state)
{
	(void)state;
	login_setting(&w, "sms_prefixes", "+46, +1");
	login_person(&w, "sms=" PHONE);
	login_say(&w, "{password}");
	login_expect(&w, "reject None of your ways*");
	login_person(&w, "sms=+15551000009");
	login_anew(&w, "{password}");
	login_expect(&w, "challenge *09*:");
	w.service.sms_provider = NULL;
	login_anew(&w, "{password}");
	login_expect(&w, "reject None of your ways*");
}

int main(void)
{
	static struct CMUnitTest const single[] = {
		ONE(a_code_is_sent_and_lets_in),
		ONE(a_wrong_answer_keeps_the_code),
		ONE(three_wrong_answers_end_it),
		ONE(an_old_code_is_nothing),
		ONE(a_question_that_outlives_its_code),
		ONE(sent_again_the_old_code_is_void),
		ONE(a_code_works_once),
		ONE(an_identical_packet_sends_nothing),
		ONE(the_limit_of_an_hour),
		ONE(the_limit_without_another_way),
		ONE(append_sms_then_the_code),
		ONE(append_sms_from_elsewhere),
		ONE(append_sms_has_attempts_of_its_own),
		ONE(append_sms_expires),
		ONE(the_waiting_room_is_silent),
		ONE(a_gateway_that_is_slow),
		ONE(a_number_that_may_not_be_written_to),
	};
	static struct CMUnitTest tests[LENGTH(single) + LENGTH(faults)];

	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < LENGTH(faults); i++) {
		tests[LENGTH(single) + i] = (struct CMUnitTest) { .name = faults[i].reply,
								  .test_func = a_gateway_that_fails,
								  .initial_state = (void *)(uintptr_t)&faults[i] };
	}
	return _cmocka_run_group_tests("flow sms", tests, LENGTH(tests), NULL, NULL);
}
