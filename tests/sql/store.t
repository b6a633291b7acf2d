#!/bin/bash
# The store's contract, the same scenarios as in make check, on this cluster: what libpq sends and the functions answer.
# Apart from the pgTAP files, which call the functions as nobody but psql does.
set -u
build=${WSMFA_BUILD:-$WSMFA_SQL_TESTS/../../build}
programs='tests/unit/test_store_contract tests/unit/test_store_phones tests/unit/together_pg'
# shellcheck disable=SC2086 # a list
make -C "$build" -s --no-print-directory $programs >&2 || { echo 'Bail out! not built: build-aux/build'; exit 1; }
cd "$build" || exit 1
# one plan for both, at the end: cases are numbered through
for program in $programs; do
	WSMFA_STORE=pg CMOCKA_MESSAGE_OUTPUT=TAP $program || echo "not ok $program ended with $?"
done | awk '/^(not )?ok / { n++; sub(/^(not ok|ok) [0-9]*/, ($1 == "not" ? "not ok " : "ok ") n " "); gsub(/  +/, " ") } !/^(1\.\.[0-9]+$|TAP version )/ { print } END { print "1.." n }'
