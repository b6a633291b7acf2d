/*
 * Decides logins, a line each, from standard input: `decision reason`. It stands apart from test_decision because the
 * property test runs it beside SQL over thousands of accounts.
 */
#include <stdio.h>

#include "decision_line.h"

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		struct wsmfa_ruling ruling;
		char const *bad = "";

		if (decision_line(line, &ruling, &bad) < 0) {
			fprintf(stderr, "decide: can't read \"%s\"\n", bad);
			return 2;
		}
		printf("%s %s\n", wsmfa_decision_word(ruling.decision), wsmfa_reason_word(ruling.reason));
	}
	return 0;
}
