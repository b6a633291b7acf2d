#!/bin/bash
# What a login does for all logins of one moment (the functions that end in _many) is what it does alone: the tests of taking, opening and settling
# hold when each call is tried together first, and the reading of all accounts at once is the reading of each.
n=0 failed=0
createdb -T wsmfa_clean wsmfa_together
export PGDATABASE=wsmfa_together
trap 'PGDATABASE=wsmfa_test dropdb wsmfa_together' EXIT
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
sql <<'SQL' || exit 1
ALTER FUNCTION t.open RENAME TO open_alone;
ALTER FUNCTION t.take RENAME TO take_alone;
ALTER FUNCTION t.settle RENAME TO settle_alone;
CREATE SEQUENCE t.together;
DO $do$
BEGIN
	EXECUTE format($f$ CREATE FUNCTION t.open(%s) LANGUAGE plpgsql AS $$
	BEGIN
		IF kind = 'totp' AND state IS NOT NULL AND code IS NULL AND number = '' AND waiter = 0 AND sealed IS NULL AND NOT banner AND NOT keep THEN
			SELECT 'opened', m.challenge_id, '', at + lifetime INTO status, challenge_id, number_, expires_at
			FROM wsmfa.challenge_open_many(ARRAY[at], ARRAY[account_id], ARRAY[client], ARRAY[station], ARRAY['elements'], ARRAY[t.h(state)],
				ARRAY[substr(t.h(coalesce(login, state)), 1, 16)], ARRAY[1], ARRAY[at + lifetime], ARRAY[coalesce(authenticator_id, 0)],
				ARRAY[CASE WHEN digest IS NOT NULL THEN t.h(digest) END]) m;
			IF FOUND THEN
				PERFORM nextval('t.together');
				RETURN;
			END IF;
		END IF;
		SELECT o.* INTO status, challenge_id, number_, expires_at, code_expires_at FROM t.open_alone(account_id, kind, state, at, client, station, code, digest,
			phone, authenticator_id, number, waiter, sealed, banner, push_max, sms_max, sms_number_max, sms_organization_max, sms_total_max, lifetime,
			code_lifetime, keep, login) o;
	END $$ $f$, pg_get_function_arguments('t.open_alone'::regproc));
	EXECUTE format($f$ CREATE FUNCTION t.take(%s) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r text;
	BEGIN
		SELECT min(m.status) INTO r FROM wsmfa.challenge_take_many(ARRAY[t.h(state)], ARRAY[account], ARRAY[client], ARRAY[station], ARRAY['elements'],
			ARRAY[at], ARRAY[t.h('answer ' || answer)], ARRAY[CASE WHEN digest IS NOT NULL THEN t.h(digest) END], 30) m;
		IF r IS NOT NULL THEN
			PERFORM nextval('t.together');
			RETURN r;
		END IF;
		RETURN t.take_alone(state, account, at, client, station, answer, digest);
	END $$ $f$, pg_get_function_arguments('t.take_alone'::regproc));
	EXECUTE format($f$ CREATE FUNCTION t.settle(%s) LANGUAGE plpgsql AS $$
	BEGIN
		IF verdict = 'right' AND kind = 'totp' AND cardinality(authenticators) = 1 AND recovery IS NULL AND ticket IS NULL AND NOT enroll THEN
			PERFORM FROM wsmfa.challenge_settle_many(ARRAY[at], ARRAY[account_id], ARRAY[client], ARRAY[station], ARRAY[coalesce(challenge_id, 0)],
				authenticators, ARRAY[step], ARRAY[0], 30);
			IF FOUND THEN
				PERFORM nextval('t.together');
				SELECT 'right', 'accepted', 'proven', true, false, 0, authenticators[1]
				INTO status, outcome, reason, first, disabled, codes_left, authenticator_id;
				RETURN;
			END IF;
		END IF;
		SELECT s.* INTO status, outcome, reason, first, locked_until, disabled, next_id, next_status, codes_left, authenticator_id
		FROM t.settle_alone(account_id, challenge_id, verdict, kind, authenticators, at, station, step, guess, sent, recovery, ticket, enroll, sealed,
			lock_after, budget, next, next_state, keep, client, code, sms_max, next_authenticator_id, needs_ticket) s;
	END $$ $f$, pg_get_function_arguments('t.settle_alone'::regproc));
END $do$;
SQL
ok() {
	n=$((n + 1))
	echo "$1ok $n - $2"
}
for file in 05_take 06_open 07_settle 08_push; do
	before=$(sql -c "SELECT nextval('t.together')")
	while IFS= read -r line; do
		case $line in
		'ok '*) ok '' "together: $file: ${line#* - }" ;;
		'not ok '*) ok 'not ' "together: $file: ${line#* - }" ;;
		'# '*) echo "$line" ;;
		*ERROR*) ok 'not ' "$file: $line" ;;
		esac
	done < <(psql -X -q -A -t -v ON_ERROR_STOP=1 -f "$(dirname "$0")/$file.sql" 2>&1)
	# a sequence keeps what a transaction took that is rolled back
	if [ $(($(sql -c "SELECT nextval('t.together')") - before)) -gt 1 ]; then ok '' "$file: some of it was done together"; else ok 'not ' "$file: nothing was done together"; fi
done

# accounts of every kind that the rules know, read at once and each by itself, at several times
sql <<'SQL' >/dev/null || { echo "Bail out! accounts"; exit 1; }
SELECT t.account('plain'), t.account('scope', services => '{community}'), t.account('apac', 'Apac Ltd', 'APAC'), t.account('none', services => '{}'),
	t.account('many'), t.account('failed'), t.account('waits'), t.account('exempt'), t.account('ticket'), t.account('disabled'), t.account('codes'),
	t.account('own', 'Own Ltd'), t.account('policy', 'Strict Ltd');
SELECT t.totp(id), t.sms(id), t.push(id), t.recovery(id), t.totp(id, NULL) FROM wsmfa.account WHERE name IN ('many', 'failed', 'waits', 'disabled', 'policy');
SELECT t.totp(id) FROM wsmfa.account WHERE name = 'plain';
SELECT t.recovery(id, 3) FROM wsmfa.account WHERE name = 'codes';
UPDATE wsmfa.authenticator SET removed_at = t.t0() WHERE kind = 'sms' AND account_id = (SELECT id FROM wsmfa.account WHERE name = 'many');
UPDATE wsmfa.authenticator SET disabled_at = t.t0() WHERE kind = 'push' AND account_id = (SELECT id FROM wsmfa.account WHERE name = 'many');
UPDATE wsmfa.recovery_code SET used_at = t.t0() WHERE hash = t.h('code 2');
UPDATE wsmfa.account SET disabled_at = t.t0() WHERE name = 'disabled';
UPDATE wsmfa.organization SET allowed_methods = '{totp,push}' WHERE name = 'Strict Ltd';
UPDATE wsmfa.account SET password = '{clear}geheim', preferred = 'push', language = 'fi', banner_shown_at = t.t0(), phone = '+358401234567' WHERE name = 'many';
INSERT INTO wsmfa.organization_schedule SELECT organization_id, t.t0('-1 d'), 'infinity' FROM wsmfa.account WHERE name = 'own';
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, t.t0('5 d'), 'travels' FROM wsmfa.account WHERE name = 'exempt';
INSERT INTO wsmfa.ticket (account_id, hash, created_at, expires_at) SELECT id, t.h('ticket'), t.t0('-1 h'), t.t0('1 h') FROM wsmfa.account WHERE name = 'ticket';
SELECT t.settle_alone(a.id, NULL, 'wrong', 'totp', ARRAY[x.id], guess => 'guess ' || i, lock_after => CASE a.name WHEN 'waits' THEN 2 ELSE 10 END)
FROM wsmfa.account a JOIN wsmfa.authenticator x ON x.account_id = a.id AND x.kind = 'totp' AND x.confirmed_at IS NOT NULL, generate_series(1, 3) i WHERE a.name IN ('failed', 'waits');
SQL
for case in "st-1 elements 0" "st-2 community 0" " nope 0" "st-1 elements 40d" "st-1 elements -200d" "st-1 elements 2h"; do
	IFS=' ' read -r station service plus <<<"${case/# /- }"
	[ "$station" != - ] || station=
	differ=$(sql <<SQL
WITH people AS (SELECT array_agg(name ORDER BY md5(name)) || ARRAY['nobody'] AS names FROM wsmfa.account),
	one AS (SELECT u.n::integer, (to_jsonb(l) - 'spare_authenticator_id') || jsonb_build_object('spare', l.spare_authenticator_id IS NOT NULL) AS it
		FROM people, unnest(names) WITH ORDINALITY u (name, n), wsmfa.login_load(u.name, '192.0.2.1', '$station', '$service', t.t0('$plus')) l),
	many AS (SELECT l.n, (to_jsonb(l) - 'spare_authenticator_id' - 'n') || jsonb_build_object('spare', l.spare_authenticator_id IS NOT NULL) AS it
		FROM people, wsmfa.login_load_many(names, array_fill('192.0.2.1'::text, ARRAY[cardinality(names)]), array_fill('$station'::text, ARRAY[cardinality(names)]),
		array_fill('$service'::text, ARRAY[cardinality(names)]), array_fill(t.t0('$plus'), ARRAY[cardinality(names)]), 30) l)
SELECT (SELECT count(*) FROM many) || ' ' || (SELECT count(*) FROM ((TABLE one EXCEPT ALL TABLE many) UNION ALL (TABLE many EXCEPT ALL TABLE one)) d)
SQL
	)
	if [ "${differ#* }" = 0 ] && [ "${differ%% *}" -gt 20 ]; then ok '' "all accounts at once are each by itself: '$station' $service $plus"; else ok 'not ' "all accounts at once differ: '$station' $service $plus: $differ"; fi
done
echo "1..$n"
