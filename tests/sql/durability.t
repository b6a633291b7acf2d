#!/bin/bash
# What waits for the disk: pg_stat_wal counts. Taking a question and opening one that sends nothing never do; what is counted, burnt or sent always does.
n=0 times=100
if [ "$(psql -X -A -t -c 'SELECT current_setting($$server_version_num$$)::integer >= 140000')" != t ]; then
	echo '1..0 # SKIP pg_stat_wal needs PostgreSQL 14'
	exit 0
fi
createdb -T "$PGDATABASE" wsmfa_durability
export PGDATABASE=wsmfa_durability
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }
# the ids below are counted from 1, whatever other tests took before
sql 'ALTER SEQUENCE wsmfa.account_id_seq RESTART; ALTER SEQUENCE wsmfa.authenticator_id_seq RESTART; ALTER SEQUENCE wsmfa.challenge_id_seq RESTART'
# nobody else may write: the writer in the background would add its own
for setting in "autovacuum = off" "wal_writer_delay = '10s'" "wal_writer_flush_after = '1GB'" "checkpoint_timeout = '1h'"; do sql "ALTER SYSTEM SET $setting"; done
sql 'SELECT pg_reload_conf()' >/dev/null
sql "SELECT t.account('a' || i) FROM generate_series(1, $times) i; SELECT t.totp(id) FROM wsmfa.account; SELECT t.push(id) FROM wsmfa.account; GRANT USAGE ON SCHEMA t TO wsmfa_radius; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO wsmfa_radius;
	SELECT t.open(id, 'push', 'push ' || name, statement_timestamp(), waiter => 1, authenticator_id => (SELECT x.id FROM wsmfa.authenticator x WHERE x.account_id = a.id AND kind = 'push')) FROM wsmfa.account a ORDER BY id;
	SELECT t.open(id, 'totp', 'take ' || name) FROM wsmfa.account ORDER BY id; SELECT t.taken(id, 'totp', 'settle ' || name) FROM wsmfa.account ORDER BY id; SELECT t.taken(id, 'totp', 'wrong ' || name) FROM wsmfa.account ORDER BY id" >/dev/null
sql "SELECT t.account('new' || i) FROM generate_series(1, $times) i" >/dev/null
sql 'VACUUM ANALYZE' ; sql 'CHECKPOINT'
syncs() {
	# a backend reports when it goes
	until [ "$(psql -X -q -A -t -U postgres -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")" = 0 ]; do :; done
	psql -X -q -A -t -U postgres -c 'SELECT wal_sync FROM pg_stat_wal'
}
# cost TEXT LEAST MOST RESULT STATEMENT: runs the statement once for each account, $1 its id, $2 its name, each in a transaction; each must give
# that result, and the syncs must be in between
cost() {
	local before after text=$1 least=$2 most=$3 result=$4 statement=$5
	sql "SELECT replace(replace(\$x\$$statement\$x\$, '\$1', id::text), '\$2', name) || ';' FROM wsmfa.account WHERE name ~ '^a' ORDER BY id" >"$script"
	before=$(syncs)
	psql -X -q -A -t -v ON_ERROR_STOP=1 -U wsmfa_radius -f "$script" >"$script.out" 2>&1 || cat "$script.out"
	after=$(syncs)
	n=$((n + 1))
	if [ $((after - before)) -ge "$least" ] && [ $((after - before)) -le "$most" ] && [ "$(grep -cx "$result" "$script.out")" = "$times" ]; then
		echo "ok $n - $text"
	else
		echo "not ok $n - $text: $((after - before)) for $times"
		sort "$script.out" | uniq -c | sed 's/^/# /'
	fi
}
script=$(mktemp)
trap 'rm -f "$script" "$script.out"' EXIT
cost 'loading a login' 0 2 2 "SELECT count(*) FROM wsmfa.login_load('\$2', '192.0.2.1', 'st-1', 'elements', t.t0())"
cost 'loading one that may enrol, which takes an id' 0 2 t "SELECT spare_authenticator_id > 0 FROM wsmfa.login_load('new\$1', '192.0.2.1', 'st-1', 'elements', t.t0())"
cost 'opening a question' 0 2 opened "SELECT status FROM wsmfa.challenge_open(t.t0(), \$1, '192.0.2.1', 'st-1', 'elements', 'totp', t.h('open \$2'), '\x00', 1, t.t0('1 min'), NULL, false, NULL, NULL, '', '', '', NULL, 0, NULL, false, 5, 5, 10, 0, 0)"
cost 'taking one' 0 2 taken "SELECT min(status) FROM wsmfa.challenge_take(t.h('take \$2'), '\$2', '192.0.2.1', 'st-1', 'elements', t.t0(), t.h('x'), NULL)"
cost 'a banner' 0 2 opened "SELECT status FROM wsmfa.challenge_open(t.t0(), \$1, '192.0.2.1', 'st-1', 'elements', 'banner', t.h('banner \$2'), '\x00', 1, t.t0('1 min'), NULL, false, NULL, NULL, '', '', '', NULL, 0, NULL, true, 5, 5, 10, 0, 0)"
cost 'waiting for a push' 0 2 pending "SELECT status FROM wsmfa.push_wait(t.t0(), (regexp_replace('\$2', 'a', ''))::bigint, 2)"
settle="SELECT status FROM wsmfa.challenge_settle(t.t0(), \$1, '192.0.2.1', 'st-1', 'elements'"
limits="10, 30, 30, 3, 5, 5, 10, 0, 0"
cost 'loading together' 0 2 1 "SELECT n FROM wsmfa.login_load_many(ARRAY['\$2'], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY['elements'], ARRAY[t.t0()], 30) WHERE auth_kind = 'totp'"
cost 'opening together' 0 2 1 "SELECT n FROM wsmfa.challenge_open_many(ARRAY[t.t0()], ARRAY[\$1::bigint], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY['elements'], ARRAY[t.h('many \$2')], ARRAY['\x00'::bytea], ARRAY[1], ARRAY[t.t0('1 min')], ARRAY[0::bigint], ARRAY[NULL::bytea])"
cost 'taking together' 0 2 1 "SELECT n FROM wsmfa.challenge_take_many(ARRAY[t.h('many \$2')], ARRAY['\$2'], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY['elements'], ARRAY[t.t0()], ARRAY[t.h('x')], ARRAY[NULL::bytea], 30) WHERE auth_kind = 'totp'"
cost 'settling together is durable' "$times" $((times + 2)) 1 "SELECT n FROM wsmfa.challenge_settle_many(ARRAY[t.t0()], ARRAY[\$1::bigint], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY[0::bigint], ARRAY[(regexp_replace('\$2', 'a', ''))::bigint], ARRAY[5::bigint], ARRAY[0], 30)"
PGOPTIONS='-c synchronous_commit=off' cost 'whatever the session says' "$times" $((times + 2)) 1 "SELECT n FROM wsmfa.challenge_settle_many(ARRAY[t.t0()], ARRAY[\$1::bigint], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY[0::bigint], ARRAY[(regexp_replace('\$2', 'a', ''))::bigint], ARRAY[6::bigint], ARRAY[0], 30)"
cost 'control: a right answer is one durable commit' "$times" $((times + 2)) right "$settle, 2 * $times + (regexp_replace('\$2', 'a', ''))::bigint, 'right', 'totp', ARRAY[(regexp_replace('\$2', 'a', ''))::bigint], 7, 0, NULL, false, NULL, NULL, false, NULL, '', 'accepted', 'proven', $limits)"
cost 'a wrong one too' "$times" $((times + 2)) wrong "$settle, 3 * $times + (regexp_replace('\$2', 'a', ''))::bigint, 'wrong', 'totp', ARRAY[(regexp_replace('\$2', 'a', ''))::bigint], 7, 0, t.h('g'), false, NULL, NULL, false, NULL, '', 'failed_second_factor', 'wrong_code', $limits)"
cost 'an SMS is counted before it is sent' "$times" $((times + 2)) opened "SELECT status FROM wsmfa.challenge_open(t.t0(), \$1, '192.0.2.1', 'st-1', 'elements', 'sms', t.h('sms \$2'), '\x00', 1, t.t0('1 min'), NULL, false, t.h('c'), t.t0('5 min'), '', '+358400\$1111', '', NULL, 0, NULL, false, 5, 5, 10, 0, 0)"
cost 'a push too' "$times" $((times + 2)) opened "SELECT status FROM wsmfa.challenge_open(statement_timestamp() + interval '1 h', \$1, '192.0.2.1', 'st-1', 'elements', 'push', t.h('push2 \$2'), '\x00', 1, t.t0('1 min'), NULL, false, NULL, statement_timestamp() + interval '2 h', '', '', 'local', NULL, 0, NULL, false, 5, 5, 10, 0, 0)"
# a session that does not want to wait has to
PGOPTIONS='-c synchronous_commit=off' cost 'a session with synchronous_commit = off: opening' 0 2 opened "SELECT status FROM wsmfa.challenge_open(t.t0(), \$1, '192.0.2.1', 'st-1', 'elements', 'totp', t.h('off \$2'), '\x00', 1, t.t0('1 min'), NULL, false, NULL, NULL, '', '', '', NULL, 0, NULL, false, 5, 5, 10, 0, 0)"
sql "SELECT t.taken(id, 'totp', 'settle off ' || name) FROM wsmfa.account WHERE name ~ '^a'" >/dev/null
sql "CREATE TABLE t.q AS SELECT c.id, c.account_id FROM wsmfa.challenge c JOIN wsmfa.account a ON a.id = c.account_id WHERE c.state_hash = t.h('settle off ' || a.name); GRANT SELECT ON t.q TO wsmfa_radius"
sql CHECKPOINT
PGOPTIONS='-c synchronous_commit=off' cost 'settling is durable even so' "$times" $((times + 2)) right "$settle, (SELECT id FROM t.q WHERE account_id = \$1), 'right', 'totp', ARRAY[(regexp_replace('\$2', 'a', ''))::bigint], 8, 0, NULL, false, NULL, NULL, false, NULL, '', 'accepted', 'proven', $limits)"
for setting in autovacuum wal_writer_delay wal_writer_flush_after checkpoint_timeout; do sql "ALTER SYSTEM RESET $setting"; done
sql 'SELECT pg_reload_conf()' >/dev/null
PGDATABASE=wsmfa_test dropdb wsmfa_durability
echo "1..$n"
