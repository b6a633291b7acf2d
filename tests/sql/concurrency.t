#!/bin/bash
# Two hundred at once: what is counted is counted exactly, what is good once is good once, and nobody waits for ever.
n=0 step=0 round=0
createdb -T "$PGDATABASE" wsmfa_concurrency
export PGDATABASE=wsmfa_concurrency
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }
script=$(mktemp)
trap 'rm -f "$script"' EXIT
sql "CREATE TABLE t.result (status text); CREATE SEQUENCE t.n; CREATE TABLE t.q (n bigint PRIMARY KEY, id bigint)" >/dev/null
# all STATEMENT: two hundred times, twenty at once; its value is kept
all() {
	sql "TRUNCATE t.result; ALTER SEQUENCE t.n RESTART"
	echo "INSERT INTO t.result $1;" >"$script"
	pgbench -n -c 20 -j 4 -t 10 -f "$script" >"$script.out" 2>&1 || sed 's/^/# /' "$script.out"
	rm -f "$script.out"
}
is() { # TEXT WANTED STATEMENT
	local have
	n=$((n + 1))
	have=$(sql "$3")
	if [ "$have" = "$2" ]; then echo "ok $n - $1"; else echo "not ok $n - $1: $have, not $2"; fi
}
results="SELECT string_agg(status || ' ' || count, ', ' ORDER BY status) FROM (SELECT status, count(*) FROM t.result GROUP BY 1) r"
# questions NAME: two hundred of an account, taken
questions() {
	round=$((round + 1))
	sql "TRUNCATE t.q; INSERT INTO t.q SELECT i, t.taken(a.id, '$2', 'round $round ' || i) FROM wsmfa.account a, generate_series(1, 200) i WHERE name = '$1'"
}
q='(SELECT id FROM t.q WHERE n = (SELECT nextval($$t.n$$)))' i='currval($$t.n$$)'
sql "SELECT t.account(x) FROM unnest('{alice,bob,carol,dave,eve,frank,grace,heidi}'::text[]) x; SELECT t.totp(id) FROM wsmfa.account WHERE name < 'eve'" >/dev/null
id() { sql "SELECT id FROM wsmfa.account WHERE name = '$1'"; }
auth() { sql "SELECT x.id FROM wsmfa.authenticator x JOIN wsmfa.account a ON a.id = account_id WHERE name = '$1'"; }
count() { echo "SELECT count(*) FROM wsmfa.failure f JOIN wsmfa.account a ON a.id = f.account_id WHERE name = '$1'"; }

# wrong guesses
questions alice totp
all "SELECT status FROM t.settle($(id alice), $q, 'wrong', 'totp', ARRAY[$(auth alice)]::bigint[], guess => 'g' || $i)"
is 'ten wrong guesses of two hundred are judged, then the station waits' 'locked 190, wrong 10' "$results"
is 'ten are counted' 10 "$(count alice)"
questions bob totp
all "SELECT status FROM t.settle($(id bob), $q, 'wrong', 'totp', ARRAY[$(auth bob)]::bigint[], guess => 'g' || $i, lock_after => 1000)"
is 'without a wait the budget of thirty ends it' 'exhausted 170, wrong 30' "$results"
is 'thirty are counted' 30 "$(count bob)"
questions carol totp
all "SELECT status FROM t.settle($(id carol), $q, 'wrong', 'totp', ARRAY[$(auth carol)]::bigint[], guess => 'g' || $i, lock_after => 1000, budget => 1000)"
is 'without a budget the hundredth in a row disables' 'gone 100, wrong 100' "$results"
is 'a hundred are counted' 100 "$(count carol)"
questions dave totp
all "SELECT status FROM t.settle($(id dave), $q, 'wrong', 'totp', ARRAY[$(auth dave)]::bigint[], guess => 'the same')"
is 'the same guess two hundred times' 'wrong 200' "$results"
is 'counts once' 1 "$(count dave)"
sql "SELECT t.totp(id) FROM wsmfa.account WHERE name = 'heidi'" >/dev/null
questions heidi totp
all "SELECT status FROM t.settle($(id heidi), $q, 'wrong', 'totp', ARRAY[$(auth heidi)]::bigint[], guess => 'g' || $i, station => 'st ' || $i, lock_after => 10, budget => 1000)"
is 'from two hundred stations each has its own row of failures' 'gone 100, wrong 100' "$results"

# control: without the account's lock too many are judged
locked=$(sql "SELECT pg_get_functiondef('wsmfa.challenge_settle'::regproc)")
sql "${locked//FOR NO KEY UPDATE/}"
sql "SELECT t.account('ivan'); SELECT t.totp(id) FROM wsmfa.account WHERE name = 'ivan'" >/dev/null
questions ivan totp
all "SELECT status FROM t.settle($(id ivan), $q, 'wrong', 'totp', ARRAY[$(auth ivan)]::bigint[], guess => 'g' || $i)"
is 'control: without the account'"'"'s lock it is more than ten' t "SELECT count(*) > 10 FROM t.result WHERE status = 'wrong'"
sql "$locked"

# right ones
sql "UPDATE wsmfa.account SET disabled_at = NULL; DELETE FROM wsmfa.failure; DELETE FROM wsmfa.station_wait; UPDATE wsmfa.authenticator SET disabled_at = NULL, disabled_reason = NULL, consecutive = 0, last_failure_at = NULL"
questions alice totp
all "SELECT status FROM t.settle($(id alice), $q, 'right', 'totp', ARRAY[$(auth alice)]::bigint[], step => 7)"
is 'two hundred right answers with one code accept one' 'replayed 199, right 1' "$results"
all "SELECT status FROM t.settle($(id alice), 0, 'right', 'totp', ARRAY[$(auth alice)]::bigint[], step => 8)"
is 'in append mode too' 'replayed 199, right 1' "$results"
one=$(sql "SELECT t.taken($(id alice), 'totp', 'one')")
all "SELECT status || CASE WHEN first THEN ' first' ELSE '' END FROM t.settle($(id alice), $one, 'right', 'totp', ARRAY[$(auth alice)]::bigint[], step => 9)"
is 'one question settled two hundred times' 'repeat 199, right first 1' "$results"
sql "SELECT t.recovery($(id grace), 3)" >/dev/null
questions grace recovery
all "SELECT status FROM t.settle($(id grace), $q, 'right', 'recovery', ARRAY[$(auth grace)]::bigint[], recovery => 'code 1', guess => 'r')"
is 'one recovery code' 'replayed 199, right 1' "$results"
sql "INSERT INTO wsmfa.ticket (account_id, hash, expires_at) VALUES ($(id eve), t.h('ticket'), t.t0('1 h'))"
questions eve enroll_ticket
all "SELECT status FROM t.settle($(id eve), $q, 'right', 'enroll_ticket', ticket => 'ticket')"
is 'one ticket' 'gone 199, right 1' "$results"
sql "TRUNCATE t.q; INSERT INTO t.q SELECT i, t.taken($(id eve), 'enroll_totp', 'enroll ' || i, authenticator_id => 1000 + i, sealed => '\x01') FROM generate_series(1, 200) i"
all "SELECT status FROM t.settle($(id eve), $q, 'right', 'enroll_totp', step => 7, enroll => true)"
is 'two hundred enrolments of one account' 'enrolled 199, right 1' "$results"
is 'leave one authenticator' 1 "SELECT count(*) FROM wsmfa.authenticator WHERE account_id = $(id eve)"

# taking
sql "SELECT t.open($(id alice), 'totp', 'take me')" >/dev/null
all "SELECT t.take('take me', 'alice', answer => nextval('t.n')::text)"
is 'two hundred answers to one question' 'spent 199, taken 1' "$results"
sql "SELECT t.open($(id alice), 'totp', 'take me again')" >/dev/null
all "SELECT t.take('take me again', 'alice')"
is 'the same answer two hundred times' 'repeat 199, taken 1' "$results"

# sending
all "SELECT status FROM t.open($(id frank), 'sms', 'sms ' || nextval('t.n'), code => 'c', sms_max => 5)"
is 'five SMS an account and hour' 'opened 5, sms_limit 195' "$results"
sql "SELECT t.account('many ' || i, 'Many') FROM generate_series(1, 50) i; DELETE FROM wsmfa.sent" >/dev/null
any="(SELECT id FROM wsmfa.account WHERE name = 'many ' || (SELECT nextval('t.n') % 50 + 1))"
all "SELECT status FROM t.open($any, 'sms', 'number ' || $i, code => 'c', phone => '+358400000000')"
is 'ten a number and day, whoever asks' 'opened 10, sms_limit 190' "$results"
all "SELECT status FROM t.open($any, 'sms', 'organization ' || $i, code => 'c', phone => '+35850' || $i || '000', sms_organization_max => 37)"
is 'as many an organization and hour as are left' 'opened 27, sms_limit 173' "$results"
sql "DELETE FROM wsmfa.sent"
all "SELECT status FROM t.open($any, 'sms', 'total ' || $i, code => 'c', phone => '+35860' || $i || '000', sms_total_max => 42)"
is 'of all and hour' 'opened 42, sms_limit 158' "$results"
all "SELECT status FROM t.open($(id alice), 'push', 'push ' || nextval('t.n'))"
is 'one push is pending' 'busy 199, opened 1' "$results"
sql "UPDATE wsmfa.challenge SET settled_at = now() WHERE kind = 'push'"
all "SELECT status FROM t.open($(id alice), 'push', 'join ' || nextval('t.n'), digest => 'd', waiter => $i)"
is 'the same login''s join it' 'joined 199, opened 1' "$results"
push=$(sql "SELECT max(id) FROM wsmfa.challenge WHERE kind = 'push'")
sql "SELECT wsmfa.push_report($push, 'approved', t.t0('1 s'))" >/dev/null
all "SELECT status FROM t.push_settle($push, nextval('t.n'), t.t0('2 s'))"
is 'one approval, one Accept: the newest''s' 'gone 1, superseded 199' "$results" # it was asked of no authenticator
sql "UPDATE wsmfa.challenge SET settled_at = NULL, push_state = 'approved', authenticator_id = (SELECT t.push($(id alice))), waiter = 77 WHERE id = $push"
all "SELECT status FROM t.push_settle($push, nextval('t.n'), t.t0('2 s'))"
is 'with one' 'right 1, superseded 199' "$results"

# wrong passwords of two accounts, in either order
all "SELECT wsmfa.events_add(jsonb_build_array(jsonb_build_object('at', 1717405200000000, 'account', x, 'client', 'c', 'outcome', 'failed_first_factor'), jsonb_build_object('at', 1717405200000000, 'account', y, 'client', 'c', 'outcome', 'failed_first_factor')))::text FROM (SELECT CASE nextval('t.n') % 2 WHEN 0 THEN 'mallory' ELSE 'trudy' END AS x) a, LATERAL (SELECT CASE x WHEN 'trudy' THEN 'mallory' ELSE 'trudy' END AS y) b"
is 'wrong passwords add up to one event each' 'mallory 200, trudy 200' "SELECT string_agg(account || ' ' || count, ', ' ORDER BY account) FROM wsmfa.event WHERE outcome = 'failed_first_factor'"

# beside FIRST SECOND: one transaction is open while the other begins, and ends when that waits or has ended
beside() {
	local other
	coproc first { psql -X -q -A -t; }
	echo "BEGIN; $1;" >&"${first[1]}"
	read -r -u "${first[0]}"
	sql "$2" >/dev/null &
	other=$!
	while [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")" = 0 ] && kill -0 $other 2>/dev/null; do :; done
	echo 'COMMIT; \q' >&"${first[1]}"
	wait $other
	wait "$first_PID"
}
sql "SELECT t.account('leaver 1'), t.account('leaver 2')" >/dev/null
event() { echo "SELECT wsmfa.events_add('[{\"at\": 1717405200000000, \"account_id\": $(id "$1"), \"account\": \"$1\", \"station\": \"st\", \"client\": \"$1\", \"outcome\": \"accepted\"}]')"; }
beside "$(event 'leaver 1')" "SELECT wsmfa.account_erase('leaver 1')"
is 'who is erased while an event is written' '1 0' "SELECT count(*) || ' ' || count(coalesce(account, station)) FROM wsmfa.event WHERE client = 'leaver 1'"
beside "SELECT wsmfa.account_erase('leaver 2')" "$(event 'leaver 2')"
is 'and an event of who is being erased leave no name' '1 0' "SELECT count(*) || ' ' || count(coalesce(account, station)) FROM wsmfa.event WHERE client = 'leaver 2'"

# settled together: what another transaction holds is passed by, not waited for
together() { echo "wsmfa.challenge_settle_many(ARRAY[t.t0()], ARRAY[$1], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY[0::bigint], ARRAY[(SELECT x.id FROM wsmfa.authenticator x WHERE x.account_id = $1 AND x.kind = 'totp' ORDER BY x.id LIMIT 1)], ARRAY[$2::bigint], ARRAY[0], 30)"; }
sql "SELECT t.totp(t.account('held'))" >/dev/null
all "SELECT coalesce((SELECT 'right' FROM $(together "$(id held)" 5)), 'passed by')"
is 'one of many right ones together' 'passed by 199, right 1' "$results"
for table in "account WHERE name = 'held'" "authenticator WHERE account_id = $(id held)"; do
	sql 'DROP TABLE IF EXISTS t.seen' >/dev/null
	beside "SELECT id FROM wsmfa.$table FOR UPDATE" "CREATE TABLE t.seen AS SELECT count(*) FROM $(together "$(id held)" "$((++step + 10))")"
	is "a held row: ${table%% *}" 0 'SELECT count FROM t.seen'
done
beside 'SELECT 1' "CREATE TABLE t.seen2 AS SELECT count(*) FROM $(together "$(id held)" 20)"
is 'control: one that nobody holds' 1 'SELECT count FROM t.seen2'

# everything at once: no deadlock, no error
sql "UPDATE wsmfa.region SET announce_from = announce_from" # an audit row among it
sql "INSERT INTO wsmfa.account_service SELECT id, 'community' FROM wsmfa.account" >/dev/null
cat >"$script" <<'SQL'
\set a random(1, 50)
\set s random(1, 1000000000)
SELECT id FROM wsmfa.account WHERE name = 'many ' || :a \gset
SELECT coalesce(challenge_id, 0) AS q FROM t.open(:id, (ARRAY['totp', 'push', 'sms', 'banner'])[1 + :s % 4], 's' || :s, statement_timestamp(), code => CASE WHEN :s % 4 = 2 THEN 'c' END, digest => CASE WHEN :s % 3 = 0 THEN 'd' END, waiter => :s, banner => :s % 4 = 3, sms_max => 1000000, sms_number_max => 1000000, sms_organization_max => 1000000, sms_total_max => 1000000, push_max => 1000000) \gset
SELECT t.take('s' || :s, 'many ' || :a, statement_timestamp());
SELECT status FROM wsmfa.push_wait(statement_timestamp(), :q, :s);
SELECT wsmfa.push_report(:q, 'denied', statement_timestamp()) WHERE :s % 5 = 0;
SELECT count(*) FROM wsmfa.challenge_settle_many(array_fill(statement_timestamp(), ARRAY[50]), ARRAY(SELECT id FROM wsmfa.account WHERE name ~ '^many' ORDER BY random() LIMIT 50), array_fill('c'::text, ARRAY[50]), array_fill('st'::text, ARRAY[50]), array_fill(0::bigint, ARRAY[50]), ARRAY(SELECT id FROM wsmfa.authenticator ORDER BY random() LIMIT 50), array_fill(:s::bigint, ARRAY[50]), array_fill(0, ARRAY[50]), 30);
SELECT status FROM t.settle(:id, :q, (ARRAY['right', 'wrong', 'aside'])[1 + :s % 3], 'totp', ARRAY(SELECT x.id FROM wsmfa.authenticator x WHERE x.account_id = :id ORDER BY random()), statement_timestamp(), step => :s, guess => 'g' || :s, lock_after => 1000000, next => (ARRAY['totp', 'push', 'sms'])[1 + :s % 3], next_state => 'n' || :s, code => CASE WHEN :s % 3 = 2 THEN 'c2' END, sms_max => 1000000);
SELECT status FROM t.push_settle(:q, :s, statement_timestamp(), :s % 2 = 0, next => 'totp', next_state => 'm' || :s);
SELECT wsmfa.events_add(jsonb_agg(jsonb_build_object('account_id', id, 'outcome', 'accepted'))) FROM (SELECT id FROM wsmfa.account ORDER BY random() LIMIT 20) x;
SQL
printf '%s\n' '\set a random(1, 50)' "SELECT wsmfa.account_unlock('many ' || :a);" 'SELECT count(*) FROM wsmfa.sweep();' 'SELECT count(*) FROM wsmfa.mfa_status;' >"$script.admin"
sql "SELECT t.totp(id), t.totp(id), t.push(id) FROM wsmfa.account WHERE name ~ '^many'" >/dev/null
before=$(grep -c 'ERROR:' "$WSMFA_CLUSTER/log")
pgbench -n -c 16 -j 4 -T "${WSMFA_SQL_SECONDS:-5}" -f "$script@20" -f "$script.admin@1" >"$script.out" 2>&1
status=$?
rm -f "$script.admin"
is 'everything at once: no deadlock, no error' '0 0' "SELECT '$status ' || $(($(grep -c 'ERROR:' "$WSMFA_CLUSTER/log") - before))"
grep -E 'processed|latency|tps' "$script.out" | sed 's/^/# /'
rm -f "$script.out"
grep -A3 'ERROR:' "$WSMFA_CLUSTER/log" | tail -n +$((4 * before + 1)) | head -20 | sed 's/^/# /'
is 'and it did something' t "SELECT count(*) > 5 FROM wsmfa.failure"
PGDATABASE=wsmfa_test dropdb wsmfa_concurrency
echo "1..$n"
