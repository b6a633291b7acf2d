#!/bin/bash
# The engine's connection on this cluster, and requests that wait for its rows.
# Apart from store.t: this one is asynchronous, listens, and is cut.
set -u
build=${WSMFA_BUILD:-$WSMFA_SQL_TESTS/../../build}
make -C "$build" -s --no-print-directory tests/unit/engine_pg >&2 || { echo 'Bail out! not built: build-aux/build'; exit 1; }
cd "$build" && CMOCKA_MESSAGE_OUTPUT=TAP exec tests/unit/engine_pg
