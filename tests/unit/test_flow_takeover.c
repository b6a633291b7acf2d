/* Who is enrolled, in whatever state, is never enrolled anew: by the password, in each stage, with a ticket too.
 * Apart from enrolling, because this is what an attacker with a password would like best. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000020"

static struct login_world w;

static char const *const stages[] = { "", "exempt", "announced", "observed" };
static char const *const from[] = { "127.0.0.1", "127.0.0.6", "127.0.0.8" };

enum spoilt { DISABLED, BUDGET, FORBIDDEN, KEY_LOST, PROVIDER_GONE, ACCOUNT_DISABLED, WAITING, SPOILTS };

static char const *const spoilt_person[SPOILTS] = {
	[DISABLED] = "totp", [BUDGET] = "totp",        [FORBIDDEN] = "totp allowed=push",
	[KEY_LOST] = "totp", [PROVIDER_GONE] = "push", [ACCOUNT_DISABLED] = "disabled",
	[WAITING] = "totp",
};

static char const *const spoilt_names[SPOILTS] = {
	[DISABLED] = "its authenticator is disabled",
	[BUDGET] = "its failure budget is used up",
	[FORBIDDEN] = "its method is forbidden",
	[KEY_LOST] = "its key does not open",
	[PROVIDER_GONE] = "its provider is not configured",
	[ACCOUNT_DISABLED] = "it is disabled",
	[WAITING] = "it waits after failures",
};

static void spoil(enum spoilt spoilt)
{
	char const *const other = "other QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";
	struct wsmfa_settled settled;
	char err[128];

	if (spoilt == DISABLED)
		wsmfa_mem_disable_authenticator(w.store, w.person.totp[0], w.now);
	if (spoilt == PROVIDER_GONE)
		w.push_known = false;
	if (spoilt == KEY_LOST) {
		wsmfa_keyring_free(w.ring);
		assert_true(wsmfa_keyring_parse(other, strlen(other), &w.ring, err, sizeof(err)));
		w.service.ring = w.ring;
	}
	for (int i = 0; (spoilt == BUDGET && i < 30) || (spoilt == WAITING && i < 10); i++) {
		struct wsmfa_origin const origin = { w.now, w.person.name, "127.0.0.9",
						     spoilt == WAITING ? "station" : "other", "elements" };
		struct wsmfa_settlement const wrong = { .account_id = w.person.id,
							.kind = WSMFA_ASK_TOTP,
							.authenticators = w.person.totp,
							.authenticators_len = 1,
							.phone = "" };

		assert_int_equal(w.store->ops->settle(w.store, &origin, &w.service.set.limits, &wrong, &settled),
				 WSMFA_STORE_OK);
	}
}

/* Nothing a person with the password and even a ticket can say leads to a new authenticator, or past the old one. */
static void nobody_is_taken_over(void **state)
{
	enum spoilt const spoilt = (enum spoilt)(uintptr_t)*state;
	static char const *const said[] = { "{password}", "{password}", "", "enroll", "totp", "{ticket}", "123456" };

	for (size_t stage = 0; stage < LENGTH(stages); stage++) {
		for (size_t i = 0; i < LENGTH(from); i++) {
			char person[96];

			login_begin(&w);
			login_from(&w, from[i]);
			snprintf(person, sizeof(person), "%s %s phone=" PHONE, spoilt_person[spoilt], stages[stage]);
			login_person(&w, person);
			login_ticket(&w);
			if (spoilt == BUDGET)
				login_setting(&w, "lock_after", "50");
			spoil(spoilt);
			for (size_t j = 0; j < LENGTH(said); j++) {
				if (j == 0 || w.reply.kind == WSMFA_REPLY_CHALLENGE)
					login_say(&w, said[j]);
				else
					login_anew(&w, "{password}");
				login_expect(&w, "reject");
			}
			assert_int_equal(login_enrolled(&w), spoilt != ACCOUNT_DISABLED);
			assert_int_equal(w.jobs_len, 0);
			login_end(&w);
		}
	}
}

/* The control: with its authenticator removed, by an administrator, the account enrols like a new one. */
static void removed_is_not_disabled(void **state)
{
	(void)state;
	login_person(&w, "totp");
	wsmfa_mem_remove_authenticator(w.store, w.person.totp[0]);
	login_say(&w, "{password}");
	login_expect(&w, "challenge Add this key*");
	login_say(&w, "{shown}");
	login_expect(&w, "accept");
}

int main(void)
{
	static struct CMUnitTest tests[SPOILTS + 1] = {
		[SPOILTS] = ONE(removed_is_not_disabled),
	};

	for (int i = 0; i < SPOILTS; i++) {
		tests[i] = (struct CMUnitTest) { .name = spoilt_names[i],
						 .test_func = nobody_is_taken_over,
						 .initial_state = (void *)(uintptr_t)i };
	}
	return _cmocka_run_group_tests("flow takeover", tests, LENGTH(tests), NULL, NULL);
}
