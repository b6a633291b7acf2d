/*
 * The decision table against decision.cases, a line a login. Whoever knows the rules can add a line without knowing C.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decision_line.h"

struct one_case {
	char name[4200];
	char line[4096];
	char expected[64];
};

static void test_case(void **state)
{
	struct one_case *c = *state;
	struct wsmfa_ruling ruling;
	char const *bad = "";
	char got[64];

	if (decision_line(c->line, &ruling, &bad) < 0) fail_msg("can't read \"%s\"", bad);
	snprintf(got, sizeof(got), "%s %s", wsmfa_decision_word(ruling.decision), wsmfa_reason_word(ruling.reason));
	assert_string_equal(got, c->expected);
}

/* The control: the reader refuses what it does not know, and a wrong expectation is seen. */
static void test_control(void **state)
{
	char misspelt[] = "known=no stagge=observe";
	char line[] = "scope=yes stage=observe";
	struct wsmfa_ruling ruling;
	char const *bad = "";

	(void)state;
	assert_int_equal(decision_line(misspelt, &ruling, &bad), -1);
	assert_int_equal(decision_line(line, &ruling, &bad), 0);
	assert_int_not_equal(ruling.decision, WSMFA_DECISION_DENY);
}

/* Nothing forgotten lets anybody in. */
static void test_zero_values(void **state)
{
	struct wsmfa_account account;
	struct wsmfa_policy policy = { 0 };
	struct wsmfa_reach reach = { 0 };
	struct wsmfa_ruling ruling;

	(void)state;
	memset(&account, 0, sizeof(account));
	ruling = wsmfa_decide(&account, &policy, &reach, 0);
	assert_int_equal(ruling.decision, WSMFA_DECISION_DENY);
	assert_int_equal((enum wsmfa_decision)0, WSMFA_DECISION_DENY);
	assert_int_equal((enum wsmfa_stage)0, WSMFA_STAGE_ENFORCE);
	assert_int_equal((enum wsmfa_outcome)0, WSMFA_OUTCOME_ERROR);
}

static size_t read_cases(struct one_case *cases, struct CMUnitTest *tests, size_t most)
{
	char path[4096];
	char line[4096];
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/decision.cases", getenv("WSMFA_SRCDIR") ? getenv("WSMFA_SRCDIR") : ".");
	file = fopen(path, "r");
	if (!file) {
		perror(path);
		exit(99);
	}
	while (fgets(line, sizeof(line), file)) {
		char *arrow = strstr(line, "=> ");

		if (line[0] == '#' || line[0] == '\n') continue;
		if (!arrow || n == most) {
			fprintf(stderr, "%s: a line without \"=> decision reason\": %s", path, line);
			exit(99);
		}
		line[strcspn(line, "\n")] = '\0';
		snprintf(cases[n].name, sizeof(cases[n].name), "%s", line);
		*arrow = '\0';
		snprintf(cases[n].line, sizeof(cases[n].line), "%s", line);
		snprintf(cases[n].expected, sizeof(cases[n].expected), "%s", arrow + 3);
		tests[n] = (struct CMUnitTest){ .name = cases[n].name, .test_func = test_case, .initial_state = &cases[n] };
		n++;
	}
	fclose(file);
	return n;
}

int main(void)
{
	enum { MOST = 400 };
	struct one_case *cases = calloc(MOST, sizeof(*cases));
	struct CMUnitTest *tests = calloc(MOST + 2, sizeof(*tests));
	size_t n;
	int failed;

	if (!cases || !tests) return 99;
	n = read_cases(cases, tests, MOST);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_control);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_zero_values);
	failed = _cmocka_run_group_tests("decision", tests, n, NULL, NULL);
	free(tests);
	free(cases);
	return failed;
}
