/* The state machine of a login as a table: what each form of answer leads to at each question, with attempts left and without.
 * Apart from the other tests of the flow: this one knows that no pair is forgotten. */
#include "unit.h"

#include "login_world.h"

#define PHONE "+358401000001"

/* How a person comes to each question. */
static struct {
	char const *person;
	char const *from;
	char const *settings[2]; // a name and a value
	char const *say[2];
} const ways[WSMFA_ASKS] = {
	[WSMFA_ASK_TOTP] = { "totp recovery sms=" PHONE, .say = { "{password}" } },
	[WSMFA_ASK_SMS] = { "totp recovery sms=" PHONE, .say = { "{password}", "sms" } },
	[WSMFA_ASK_PUSH] = { "push totp", .say = { "{password}" } },
	[WSMFA_ASK_RECOVERY] = { "totp recovery sms=" PHONE, .say = { "{password}", "recovery" } },
	[WSMFA_ASK_METHOD] = { "totp recovery sms=" PHONE, .say = { "{password}" } }, // its totp is disabled
	[WSMFA_ASK_BANNER] = { "announced phone=" PHONE, "127.0.0.6", .say = { "{password}" } },
	[WSMFA_ASK_ENROLL_TICKET] = { "phone=" PHONE, NULL, { "enroll_ticket", "required" }, { "{password}" } },
	[WSMFA_ASK_ENROLL_METHOD] = { "phone=" PHONE, .say = { "{password}" } },
	[WSMFA_ASK_ENROLL_TOTP] = { "phone=" PHONE, .say = { "{password}", "totp" } },
	[WSMFA_ASK_ENROLL_SMS] = { "phone=" PHONE, .say = { "{password}", "sms" } },
};

static void arrive(struct login_world *w, enum wsmfa_question_kind state)
{
	login_begin(w);
	login_person(w, ways[state].person);
	if (ways[state].from)
		login_from(w, ways[state].from);
	if (ways[state].settings[0])
		assert_true(login_setting(w, ways[state].settings[0], ways[state].settings[1]));
	if (state == WSMFA_ASK_METHOD)
		wsmfa_mem_disable_authenticator(w->store, w->person.totp[0], w->now);
	for (size_t i = 0; i < LENGTH(ways[state].say) && ways[state].say[i]; i++)
		login_say(w, ways[state].say[i]);
	assert_int_equal(login_asked(w), state);
}

/* What a cell costs: nothing, an attempt of this login, or an attempt and a failure that is counted. */
enum cost { FREE, TRY, FAILURE };

#define BAD    "\t"
#define EMPTY  " "
#define HELP   " HELP "
#define CODE   "{wrong}"
#define WORD   "nonsense"

#define SAME   WSMFA_ASK_NONE // the same question again
#define ACCEPT "accept"
#define PARK   "park"
#define ASKS   "challenge"

static struct cell {
	enum wsmfa_question_kind state;
	enum wsmfa_answer_class input;
	char const *say;
	char const *reply;
	enum wsmfa_question_kind next;
	enum cost cost;
} const cells[] = {
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_KEYWORD, " Sms ", ASKS, WSMFA_ASK_SMS, FREE },
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_CHOICE, "2", ASKS, WSMFA_ASK_SMS, FREE },
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_TOTP, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, FAILURE },

	{ WSMFA_ASK_SMS, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_SMS, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_SMS, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_SMS, WSMFA_ANSWER_KEYWORD, "TOTP", ASKS, WSMFA_ASK_TOTP, FREE },
	{ WSMFA_ASK_SMS, WSMFA_ANSWER_CHOICE, " 1", ASKS, WSMFA_ASK_TOTP, FREE },
	{ WSMFA_ASK_SMS, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_SMS, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, FAILURE },

	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, TRY },
	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_EMPTY, EMPTY, PARK, SAME, FREE },
	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_KEYWORD, "totp", ASKS, WSMFA_ASK_TOTP, FREE },
	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_CHOICE, "2", ASKS, WSMFA_ASK_TOTP, FREE },
	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_CODE, CODE, ASKS, WSMFA_ASK_TOTP, FAILURE },
	{ WSMFA_ASK_PUSH, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, TRY },

	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_KEYWORD, "totp", ASKS, WSMFA_ASK_TOTP, FREE },
	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_CHOICE, "1", ASKS, WSMFA_ASK_TOTP, FREE },
	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_RECOVERY, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, FAILURE },

	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, TRY },
	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_KEYWORD, "sms", ASKS, WSMFA_ASK_SMS, FREE },
	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_CHOICE, "2", ASKS, WSMFA_ASK_RECOVERY, FREE },
	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, TRY },
	{ WSMFA_ASK_METHOD, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, TRY },

	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, TRY },
	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_EMPTY, EMPTY, ACCEPT, SAME, FREE },
	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, TRY },
	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_KEYWORD, "Enroll", ASKS, WSMFA_ASK_ENROLL_METHOD, FREE },
	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_CHOICE, "1", ASKS, SAME, TRY },
	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, TRY },
	{ WSMFA_ASK_BANNER, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, TRY },

	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_KEYWORD, "sms", ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_CHOICE, "1", ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_TICKET, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, FAILURE },

	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_KEYWORD, "totp", ASKS, WSMFA_ASK_ENROLL_TOTP, FREE },
	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_CHOICE, "2", ASKS, WSMFA_ASK_ENROLL_SMS, FREE },
	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_METHOD, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, TRY },

	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_KEYWORD, "sms", ASKS, WSMFA_ASK_ENROLL_SMS, FREE },
	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_CHOICE, "2", ASKS, WSMFA_ASK_ENROLL_SMS, FREE },
	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_TOTP, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, FAILURE },

	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_BAD, BAD, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_EMPTY, EMPTY, ASKS, SAME, TRY },
	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_HELP, HELP, ASKS, SAME, FREE },
	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_KEYWORD, "totp", ASKS, WSMFA_ASK_ENROLL_TOTP, FREE },
	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_CHOICE, "1", ASKS, WSMFA_ASK_ENROLL_TOTP, FREE },
	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_CODE, CODE, ASKS, SAME, FAILURE },
	{ WSMFA_ASK_ENROLL_SMS, WSMFA_ANSWER_WORD, WORD, ASKS, SAME, FAILURE },
};

static void every_pair_has_an_entry(void **state)
{
	(void)state;
	for (int ask = WSMFA_ASK_NONE + 1; ask < WSMFA_ASKS; ask++) {
		for (int input = 0; input < WSMFA_ANSWER_CLASSES; input++) {
			size_t found = 0;

			for (size_t i = 0; i < LENGTH(cells); i++)
				found += (int)cells[i].state == ask && (int)cells[i].input == input;
			assert_int_equal(found, 1);
			assert_true(
				wsmfa_flow_has_entry((enum wsmfa_question_kind)ask, (enum wsmfa_answer_class)input));
		}
	}
	assert_false(wsmfa_flow_has_entry(WSMFA_ASK_NONE, WSMFA_ANSWER_CODE));
	assert_false(wsmfa_flow_has_entry(WSMFA_ASKS, WSMFA_ANSWER_CODE));
	assert_false(wsmfa_flow_has_entry(WSMFA_ASK_TOTP, WSMFA_ANSWER_CLASSES));
}

static int32_t failures(struct login_world *w)
{
	struct login_person const *p = &w->person;
	int32_t n = login_failures(w, 0);

	for (size_t i = 0; i < p->keys; i++)
		n += login_failures(w, p->totp[i]);
	n += p->sms ? login_failures(w, p->sms) : 0;
	n += p->push ? login_failures(w, p->push) : 0;
	n += p->recovery ? login_failures(w, p->recovery) : 0;
	return n;
}

static void a_cell(void **state)
{
	struct cell const *cell = *state;
	enum wsmfa_question_kind const next = cell->next == SAME ? cell->state : cell->next;
	struct login_world w;
	struct wsmfa_answer answer;
	char said[64];
	size_t events;

	arrive(&w, cell->state);
	login_fill(&w, cell->say, said, sizeof(said));
	wsmfa_answer_parse(&answer, (uint8_t const *)said, strlen(said));
	assert_int_equal(answer.class, cell->input);
	events = w.events_len;
	login_say(&w, said);
	login_expect(&w, cell->reply);
	if (w.reply.kind == WSMFA_REPLY_CHALLENGE) {
		assert_int_equal(login_asked(&w), next);
		assert_int_equal(w.visit->plan.ask.attempt, cell->cost == FREE ? 1 : 2);
	}
	assert_int_equal(failures(&w), cell->cost == FAILURE);
	/* a packet that is answered leaves one event, one that waits leaves none yet */
	assert_int_equal(w.events_len - events, w.reply.kind != WSMFA_REPLY_PARK);
	login_end(&w);
}

/* The same with the login's last attempt: what costs one ends it. */
static void a_last_cell(void **state)
{
	struct cell const *cell = *state;
	struct login_world w;

	arrive(&w, cell->state);
	login_setting(&w, "max_attempts", "1");
	login_say(&w, cell->say);
	if (cell->cost == FREE) {
		login_expect(&w, cell->reply);
	} else if (cell->state == WSMFA_ASK_BANNER) {
		login_expect(&w, "accept"); // the last one skips
	} else {
		login_expect(&w, "reject Too many wrong codes*");
		login_event(&w, "failed_second_factor too_many_attempts");
		assert_int_equal(failures(&w), cell->cost == FAILURE);
	}
	login_end(&w);
}

/* A row may hold any word: what is no question of ours is answered by nobody. */
static void a_question_of_no_kind(void **state)
{
	static int const kinds[] = { WSMFA_ASK_NONE, WSMFA_ASKS, WSMFA_ASKS + 1 };
	struct login_world w;

	(void)state;
	arrive(&w, WSMFA_ASK_TOTP);
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		struct wsmfa_question const question = { .kind = (enum wsmfa_question_kind)kinds[i],
							 .attempt = 1,
							 .opened_at = w.now };
		struct wsmfa_answer answer;
		struct wsmfa_plan plan;

		wsmfa_answer_parse(&answer, NULL, 0);
		wsmfa_flow_answer(&w.visit->login, &question, &answer, &plan);
		assert_int_equal(plan.move, WSMFA_MOVE_REFUSE);
		assert_int_equal(plan.outcome, WSMFA_OUTCOME_ERROR);
	}
	login_end(&w);
}

int main(void)
{
	static struct CMUnitTest tests[2 * LENGTH(cells) + 2];
	static char names[2 * LENGTH(cells)][96];
	size_t n = 0;

	for (size_t i = 0; i < 2 * LENGTH(cells); i++) {
		struct cell const *cell = &cells[i / 2];

		snprintf(names[i], sizeof(names[i]), "%s: \"%s\"%s", wsmfa_ask_word(cell->state),
			 strcmp(cell->say, BAD) == 0 ? "\\t" : cell->say, i % 2 ? " at the last attempt" : "");
		tests[n++] = (struct CMUnitTest) { .name = names[i],
						   .test_func = i % 2 ? a_last_cell : a_cell,
						   .initial_state = (void *)(uintptr_t)cell };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_pair_has_an_entry);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_question_of_no_kind);
	return _cmocka_run_group_tests("flow table", tests, n, NULL, NULL);
}
