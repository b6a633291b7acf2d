#!/bin/bash
# The store's contract, the same scenarios as in make check, on this cluster: what libpq sends and the functions answer.
# Apart from the pgTAP files, which call the functions as nobody but psql does.
set -u
build=${WSMFA_BUILD:-$WSMFA_SQL_TESTS/../../build}
make -C "$build" -s --no-print-directory tests/unit/test_store_contract >&2 || { echo 'Bail out! not built: build-aux/build'; exit 1; }
cd "$build" && exec env WSMFA_STORE=pg CMOCKA_MESSAGE_OUTPUT=TAP tests/unit/test_store_contract
