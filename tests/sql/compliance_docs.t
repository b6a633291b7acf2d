#!/bin/bash
# The queries of docs/compliance.md on this cluster. Apart from the tests of the views, which know what is behind them.
exec /usr/bin/python3 -B "$WSMFA_SQL_TESTS/../docs/compliance"
