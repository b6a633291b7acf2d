/* The dialogues of tests/server/dialogues without a server: the same files, over the store in memory.
 * Apart from the tests in C, because a person who writes none adds a dialogue; tests/server/dialogue.py has the form. */
#include "unit.h"

#include <glob.h>
#include <stdlib.h>

#include "login_world.h"
#include "shipped.h"

#define FOLDER "tests/server/dialogues/"

enum { DIALOGUES = 400, STEPS = 64 };

struct step {
	int line;
	char mark[3];
	char text[400];
};

struct dialogue {
	char name[192]; // "totp: TITLE"
	struct step steps[STEPS];
	size_t len;
};

static struct login_world w;
static struct shipped_texts texts[2];
static struct dialogue const *dialogue;
static struct step const *step;

#define FAIL(what) fail_msg("%s, line %d: " what ": %s %s", dialogue->name, step->line, step->mark, step->text)

/* ---- what happens meanwhile ---- */

static void all_methods(void (*change)(struct wsmfa_store *, int64_t))
{
	struct login_person const *p = &w.person;
	int64_t const ids[] = { p->totp[0], p->totp[1], p->sms, p->push, p->recovery };

	for (size_t i = 0; i < LENGTH(ids); i++) {
		if (ids[i])
			change(w.store, ids[i]);
	}
}

static void disable_method(struct wsmfa_store *s, int64_t id)
{
	wsmfa_mem_disable_authenticator(s, id, w.now);
}

static void disable_account(void)
{
	wsmfa_mem_disable_account(w.store, w.person.id, w.now);
}

static void delete_account(void)
{
	wsmfa_mem_delete_account(w.store, w.person.id);
}

static void move_account(void)
{
	wsmfa_mem_move_account(w.store, w.person.id, "APAC");
}

static void leave_scope(void)
{
	wsmfa_mem_leave_services(w.store, w.person.id);
}

/* In memory an account is in scope since its creation: created= says the same. */
static void nothing(void)
{
}

static void disable_methods(void)
{
	all_methods(disable_method);
}

static void disable_app(void)
{
	wsmfa_mem_disable_authenticator(w.store, w.person.totp[0], w.now);
}

static void remove_methods(void)
{
	all_methods(wsmfa_mem_remove_authenticator);
}

static void enroll(void)
{
	struct wsmfa_authenticator const a = { .kind = WSMFA_KIND_SMS,
					       .confirmed_at = w.now,
					       .disabled_at = WSMFA_TIME_NONE,
					       .last_step = -1,
					       .phone = "+358401000021" };

	w.person.sms = wsmfa_mem_authenticator(w.store, w.person.id, &a);
}

static void exempt(void)
{
	wsmfa_mem_exempt(w.store, w.person.id, w.now + WSMFA_DAY);
}

static void revoke(void)
{
	wsmfa_mem_exempt(w.store, w.person.id, WSMFA_TIME_NONE);
}

static void schedule(wsmfa_time_t announce_from, wsmfa_time_t enforce_from)
{
	wsmfa_mem_organization(w.store, w.person.organization, ~0U, announce_from, enforce_from);
}

static void enforce(void)
{
	schedule(w.now - WSMFA_DAY, w.now - WSMFA_SECOND);
}

static void postpone(void)
{
	schedule(w.now + WSMFA_DAY, w.now + 2 * WSMFA_DAY);
}

static struct {
	char const *words;
	void (*change)(void);
} const changes[] = {
	{ "account disabled", disable_account },
	{ "account deleted", delete_account },
	{ "account renamed", delete_account }, // nobody has the old name
	{ "moved to APAC", move_account },
	{ "out of scope", leave_scope },
	{ "in scope for 100 days", nothing },
	{ "methods disabled", disable_methods },
	{ "app disabled", disable_app },
	{ "methods removed", remove_methods },
	{ "enrolled elsewhere", enroll },
	{ "exempted", exempt },
	{ "exemption revoked", revoke },
	{ "enforcement begins", enforce },
	{ "enforcement moves to the day after tomorrow", postpone },
};

/* ---- the marks ---- */

static void change(char const *text)
{
	for (size_t i = 0; i < LENGTH(changes); i++) {
		if (strcmp(changes[i].words, text) == 0) {
			changes[i].change();
			return;
		}
	}
	FAIL("no such change");
}

static void setup(char const *text)
{
	size_t const len = strcspn(text, " ");
	char const *rest = text[len] ? text + len + 1 : "";
	char copy[256];
	char *save = NULL;

	if (strncmp(text, "person", len) == 0) {
		login_person(&w, rest);
	} else if (strncmp(text, "from", len) == 0) {
		login_from(&w, rest);
	} else if (strncmp(text, "station", len) == 0) {
		snprintf(w.station, sizeof(w.station), "%s", rest);
	} else if (strncmp(text, "server", len) == 0) {
		snprintf(copy, sizeof(copy), "%s", rest);
		for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			char *value = strchr(word, '=');

			assert_non_null(value);
			*value++ = '\0';
			if (!login_setting(&w, word, value))
				FAIL("no such setting");
		}
	} else {
		FAIL("not understood");
	}
}

/* What waits for a phone waits until its time is over: the phone answers before, or not at all. */
static void patience(void)
{
	if (w.reply.kind == WSMFA_REPLY_PARK)
		login_nobody(&w);
}

static void say(char const *text)
{
	login_say(&w, text);
	patience();
}

static void begin(char const *text)
{
	login_anew(&w, text);
	patience();
}

static void expect(char const *text)
{
	login_expect_at(&w, text, dialogue->name, step->line);
}

/* An event of the account, not only the last one. */
static void event(char const *text)
{
	for (size_t i = 0; i < w.events_len; i++) {
		struct wsmfa_event const *e = &w.events[i];
		char const *outcome = wsmfa_outcome_word(e->outcome);
		size_t const len = strlen(outcome);

		if (strcmp(e->account, w.person.name) == 0 && strncmp(text, outcome, len) == 0 &&
		    (text[len] == '\0' || strcmp(text + len + 1, wsmfa_reason_word(e->reason)) == 0))
			return;
	}
	FAIL("no such event");
}

static void control(char const *text)
{
	if (strcmp(text, "account ticket {name} --json") != 0)
		FAIL("not understood");
	login_ticket(&w);
}

static void phone(char const *text)
{
	char filled[128];
	char const *number;

	login_fill(&w, text, filled, sizeof(filled));
	number = strstr(filled, "--number ");
	if (strcmp(filled, "forget") == 0)
		return;
	if (strncmp(filled, "approve", 7) != 0 && strcmp(filled, "deny") != 0)
		FAIL("not understood");
	if (!login_phone(&w, filled[0] == 'a', number ? number + 9 : NULL))
		FAIL("nothing to answer");
}

static struct {
	char const *mark;
	void (*play)(char const *text);
} const marks[] = { { "@", setup }, { ">", say },    { ">>", begin },  { "<", expect },
		    { "=", event }, { "!", change }, { "$", control }, { "~", phone } };

static void a_dialogue(void **state)
{
	dialogue = *state;
	login_begin(&w);
	w.station[0] = '\0';
	w.service.texts = (struct wsmfa_texts) { .list = &texts[1].language, .len = 1 };
	for (step = dialogue->steps; step < dialogue->steps + dialogue->len; step++) {
		for (size_t i = 0; i < LENGTH(marks); i++) {
			if (strcmp(marks[i].mark, step->mark) == 0)
				marks[i].play(step->text);
		}
	}
	login_end(&w);
}

/* ---- reading ---- */

static bool is_mark(char const *word, size_t len)
{
	for (size_t i = 0; i < LENGTH(marks); i++) {
		if (strlen(marks[i].mark) == len && memcmp(marks[i].mark, word, len) == 0)
			return true;
	}
	return false;
}

/* Strict: a line that is not understood stops everything. */
static bool read_line(char *line, int number, struct dialogue *d)
{
	size_t const len = strcspn(line, " ");
	struct step *next = d ? &d->steps[d->len] : NULL;

	if (!d || d->len == STEPS || !is_mark(line, len))
		return false;
	next->line = number;
	snprintf(next->mark, sizeof(next->mark), "%.*s", (int)len, line);
	snprintf(next->text, sizeof(next->text), "%s", line[len] ? line + len + 1 : "");
	d->len++;
	return true;
}

static size_t read_file(char const *path, struct dialogue *dialogues, size_t n)
{
	char const *base = strrchr(path, '/') + 1;
	FILE *file = fopen(path, "r");
	struct dialogue *d = NULL;
	char line[512];
	int number = 0;

	while (file && fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "== ", 3) == 0 && n < DIALOGUES) {
			char const *title = line + 3;

			d = &dialogues[n++];
			snprintf(d->name, sizeof(d->name), "%.*s: %.120s", (int)strcspn(base, "."), base, title);
		} else if (line[0] != '#' && line[strspn(line, " \t")] && !read_line(line, number, d)) {
			fprintf(stderr, "%s:%d: not understood: %s\n", path, number, line);
			exit(99);
		}
	}
	if (!file || number == 0) {
		fprintf(stderr, "%s: nothing read\n", path);
		exit(99);
	}
	fclose(file);
	return n;
}

/* The control: a dialogue that expects what does not happen is seen. */
static void a_wrong_expectation_is_seen(void **state)
{
	(void)state;
	login_begin(&w);
	login_person(&w, "totp");
	login_say(&w, "{password}");
	assert_true(login_fits("Enter the code*: ", w.reply.text));
	assert_false(login_fits("Enter the code*", "Approve it: "));
	assert_false(login_fits("", w.reply.text));
	assert_false(login_fits("*Enter", w.reply.text));
	login_end(&w);
}

int main(void)
{
	static struct CMUnitTest tests[DIALOGUES + 1];
	struct dialogue *dialogues = calloc(DIALOGUES, sizeof(*dialogues));
	char const *top = getenv("WSMFA_SRCDIR");
	char pattern[4096];
	glob_t files;
	size_t n = 0;
	int failed;

	snprintf(pattern, sizeof(pattern), "%s/" FOLDER "*.txt", top ? top : ".");
	if (!dialogues || glob(pattern, 0, NULL, &files) != 0) {
		fprintf(stderr, "no dialogues: %s\n", pattern);
		return 99;
	}
	for (size_t i = 0; i < files.gl_pathc; i++)
		n = read_file(files.gl_pathv[i], dialogues, n);
	globfree(&files);
	for (size_t i = 0; i < n; i++) {
		tests[i] = (struct CMUnitTest) { .name = dialogues[i].name,
						 .test_func = a_dialogue,
						 .initial_state = &dialogues[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_wrong_expectation_is_seen);
	shipped_texts_read("en", &texts[0]);
	shipped_texts_read("fi", &texts[1]);
	failed = _cmocka_run_group_tests("dialogues", tests, n, NULL, NULL);
	free(dialogues);
	return failed;
}
