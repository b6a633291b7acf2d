/* What a login was made of is wiped as soon as its reply is: the visit lies in memory until the host is done with the request.
 * Apart from the ways of a login, all of which end so. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000030"

static struct login_world w;

/* Nothing that lets in, or from which it could be made, is left in the visit of the last packet. */
static void assert_forgotten(char const *after)
{
	static struct wsmfa_visit const none;
	struct wsmfa_visit const *v = w.visit;
	struct {
		char const *what;
		void const *at, *zero;
		size_t len;
	} const secrets[] = {
#define SECRET(field) { #field, &v->field, &none.field, sizeof(v->field) }
		SECRET(random), SECRET(appended),      SECRET(password),
		SECRET(answer), SECRET(plan.ask.code), SECRET(plan.ask.key),
#undef SECRET
	};

	for (size_t i = 0; i < LENGTH(secrets); i++) {
		if (memcmp(secrets[i].at, secrets[i].zero, secrets[i].len) != 0)
			fail_msg("%s is left after \"%s\"", secrets[i].what, after);
	}
}

static struct way {
	char const *person, *from;
	char const *said[3]; // the last of them ends as `expected`
	char const *expected;
} const ways[] = {
	{ "totp", NULL, { "{password}" }, "challenge" },
	{ "totp", NULL, { "{password}", "{totp}" }, "accept" },
	{ "totp", NULL, { "{password}", "{wrong}" }, "challenge" },
	{ "totp recovery", NULL, { "{password}", "recovery", "{recovery}" }, "accept" },
	{ "totp", "127.0.0.2", { "{password},{totp}" }, "accept" },
	{ "totp", "127.0.0.2", { "{password},{wrong}" }, "reject" },
	{ "totp disabled", NULL, { "{password}" }, "reject" },
	{ "sms=" PHONE, NULL, { "{password}" }, "challenge" },
	{ "sms=" PHONE, NULL, { "{password}", "{sms}" }, "accept" },
	{ "sms=" PHONE, "127.0.0.2", { "{password},sms" }, "reject" },
	{ "", NULL, { "{password}" }, "challenge" }, // a key is shown
	{ "", NULL, { "{password}", "{shown}" }, "accept" },
	{ "push", NULL, { "{password}" }, "challenge" },
	{ "services=community", "127.0.0.7", { "{password}" }, "reject" },
	{ "observed", NULL, { "{password}" }, "accept" },
};

static void a_reply_leaves_no_secret(void **state)
{
	struct way const *way = *state;

	login_begin(&w);
	w.push_ops.needs_password = true;
	if (way->from)
		login_from(&w, way->from);
	login_person(&w, way->person);
	for (size_t i = 0; i < LENGTH(way->said) && way->said[i]; i++) {
		login_say(&w, way->said[i]);
		assert_forgotten(way->said[i]);
	}
	login_expect(&w, way->expected);
	login_end(&w);
}

static void who_waited_leaves_none_either(void **state)
{
	(void)state;
	login_from(&w, "127.0.0.3");
	w.push_ops.needs_password = true;
	login_person(&w, "push");
	login_say(&w, "{password}");
	login_expect(&w, "park");
	assert_string_equal(w.jobs[0].message.password, w.person.password); // control: it was there
	assert_true(login_phone(&w, true, login_number(&w)));
	login_expect(&w, "accept");
	assert_forgotten("yes");
}

static void without_random_octets(void **state)
{
	(void)state;
	login_person(&w, "push");
	w.push_ops.needs_password = w.random_fails = true;
	login_say(&w, "{password}");
	login_expect(&w, "reject");
	assert_forgotten("{password}");
}

int main(void)
{
	static struct CMUnitTest const single[] = { ONE(who_waited_leaves_none_either), ONE(without_random_octets) };
	static struct CMUnitTest tests[LENGTH(single) + LENGTH(ways)];
	static char names[LENGTH(ways)][128];
	size_t n = 0;

	for (size_t i = 0; i < LENGTH(ways); i++) {
		struct way const *way = &ways[i];

		snprintf(names[i], sizeof(names[i]), "%s from %s: %s %s %s", way->person,
			 way->from ? way->from : "127.0.0.1", way->said[0], way->said[1] ? way->said[1] : "",
			 way->said[2] ? way->said[2] : "");
		tests[n++] =
			(struct CMUnitTest) { names[i], a_reply_leaves_no_secret, NULL, NULL, (void *)(uintptr_t)way };
	}
	memcpy(tests + n, single, sizeof(single));
	return _cmocka_run_group_tests("flow secrets", tests, LENGTH(tests), NULL, NULL);
}
