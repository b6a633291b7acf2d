#!/bin/bash
# The schema as it is against schema.snapshot: a change that nobody meant shows. After one that was: tests/sql/run --snapshot
here=$WSMFA_SQL_TESTS
echo 1..2
if difference=$(diff -u "$here/schema.snapshot" <("$here/schema")); then
	echo 'ok 1 - the schema is that of schema.snapshot'
else
	echo 'not ok 1 - the schema is that of schema.snapshot (after a change that was meant: tests/sql/run --snapshot)'
	sed 's/^/# /' <<<"$difference"
fi
# control: it would notice a column, a default, a function's body
createdb -T "$PGDATABASE" wsmfa_snapshot
PGDATABASE=wsmfa_snapshot psql -X -q -c 'ALTER TABLE wsmfa.sent ALTER channel SET DEFAULT $$sms$$' \
	-c 'CREATE OR REPLACE FUNCTION wsmfa.fold(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT lower($1) $$' \
	-c 'ALTER TABLE wsmfa.ticket ADD note text'
changes=$(diff "$here/schema.snapshot" <(PGDATABASE=wsmfa_snapshot "$here/schema") | grep -c '^>')
dropdb wsmfa_snapshot
if [ "$changes" = 3 ]; then echo 'ok 2 - control: three changes show'; else echo "not ok 2 - control: three changes show, not $changes"; fi
