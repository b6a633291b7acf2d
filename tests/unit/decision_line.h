/*
 * One login as a line of text, decided. It stands apart because the table of cases (test_decision) and the property test
 * against SQL (decide) read the same lines.
 */
#ifndef TESTS_UNIT_DECISION_LINE_H
#define TESTS_UNIT_DECISION_LINE_H

#include <stddef.h>

#include "core/decision.h"

/**
 * Reads words `name=value`, separated by blanks; what is not said is: a known account, enabled, not waiting, not in scope,
 * stage enforce, no exemption, no policy, no authenticator, a client that reaches everything and may enrol.
 *
 *	known=no  at=T  disabled=T  locked=T  scope=yes  stage=WORD  exempt=T  allowed=KIND,...
 *	auth=KIND[:unconfirmed][:disabled][:unreachable][:failures=N][:codes=N],...
 *	reach=KIND,...  challenge=no  enroll=no  budget=N
 *
 * T is in microseconds since 1970, or "infinity". Returns 0, or -1 with *bad at the word that can't be read.
 */
int decision_line(char *line, struct wsmfa_ruling *out, char const **bad);

#endif
