-- Push: one login, one push, one approval, one Accept.
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP TABLE a AS SELECT t.account('alice') AS alice, t.account('bob') AS bob;
CREATE TEMP TABLE x AS SELECT t.push(alice) AS push, t.totp(alice) AS totp, t.push(bob) AS bobs FROM a;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM wsmfa.account WHERE account.name = $1 $$;
-- a push opened and answered by who waits for it; any push that was open before is over
CREATE FUNCTION pg_temp.pushed(state text, at timestamptz DEFAULT t.t0(), number text DEFAULT '', waiter bigint DEFAULT 1, digest text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	UPDATE wsmfa.challenge SET settled_at = at WHERE kind = 'push' AND settled_at IS NULL;
	SELECT o.challenge_id INTO id FROM t.open(pg_temp.id('alice'), 'push', state, at, number => number, waiter => waiter, digest => digest,
		authenticator_id => (SELECT push FROM x), push_max => 1000) o;
	RETURN id;
END $$;
CREATE FUNCTION pg_temp.state(id bigint) RETURNS text LANGUAGE sql AS $$ SELECT push_state FROM wsmfa.challenge WHERE challenge.id = $1 $$;
CREATE FUNCTION pg_temp.report(id bigint, state text, at timestamptz DEFAULT t.t0('5 s')) RETURNS boolean LANGUAGE sql AS $$ SELECT wsmfa.push_report($1, $2, $3) $$;

-- approved
CREATE TEMP TABLE p AS SELECT pg_temp.pushed('p1') AS id;
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('1 s'))).status, 'pending', 'not answered yet');
SELECT results_eq('SELECT status FROM wsmfa.push_wait(t.t0(''1 s''), (SELECT id FROM p), 2)', $$ VALUES ('pending') $$, 'a newer packet waits');
SELECT ok(pg_temp.report((SELECT id FROM p), 'approved'), 'the phone approves');
SELECT ok(NOT pg_temp.report((SELECT id FROM p), 'denied'), 'only once');
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('6 s'))).status, 'superseded', 'the older packet gets nothing');
SELECT is((SELECT last_used_at FROM wsmfa.authenticator WHERE id = (SELECT push FROM x)), NULL, 'and changes nothing');
SELECT results_eq('SELECT status, outcome, reason, first, authenticator_id FROM t.push_settle((SELECT id FROM p), 2, t.t0(''6 s''))', $$ SELECT 'right', 'accepted', 'approved', true, push FROM x $$, 'the newest gets in');
SELECT results_eq('SELECT status, outcome, first FROM t.push_settle((SELECT id FROM p), 2, t.t0(''6 s''))', $$ VALUES ('repeat', 'accepted', false) $$, 'asked again: as it was');
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('6 s'))).status, 'superseded', 'the older one still nothing');
SELECT is((t.push_settle((SELECT id FROM p), NULL, t.t0('6 s'))).status, 'superseded', 'nor nobody');
SELECT is((SELECT last_used_at FROM wsmfa.authenticator WHERE id = (SELECT push FROM x)), t.t0('6 s'), 'it was used');
SELECT is((SELECT count(*)::integer FROM wsmfa.sent WHERE answered), 1, 'and is an answered one');
SELECT results_eq('SELECT status, outcome FROM wsmfa.push_wait(t.t0(''7 s''), (SELECT id FROM p), 3)', $$ VALUES ('repeat', 'accepted') $$, 'a repeat of the packet hears how it ended');
SELECT is((t.push_settle((SELECT id FROM p), 3, t.t0('8 s'))).status, 'superseded', 'but settles nothing');
SELECT is((t.push_settle(999999, 1)).status, 'gone', 'a push that is not there');
SELECT results_eq('SELECT status FROM wsmfa.push_wait(t.t0(), 999999, 1)', $$ VALUES ('gone') $$, 'nor can it be waited for');
SELECT is((t.push_settle((t.open(pg_temp.id('alice'), 'totp', 'no push', waiter => 1)).challenge_id, 1)).status, 'gone', 'a question that is no push');
SELECT is((t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'push', 'other way', digest => 'd', authenticator_id => push), 'right', 'push', ARRAY[push])).status, 'gone', 'a push is right only by push_settle') FROM x;

-- too late, given up
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('p2', t.t0('1 h'));
SELECT ok(NOT pg_temp.report((SELECT id FROM p), 'approved', t.t0('1 h 45 s')), 'an approval at its end is too late');
SELECT ok(pg_temp.report((SELECT id FROM p), 'approved', t.t0('1 h 44.999999 s')), 'a microsecond before it is not');
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('1 h 50 s'))).status, 'right', 'even if it is heard of later');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('p3', t.t0('2 h'));
SELECT results_eq('SELECT status, outcome, reason, first FROM t.push_settle((SELECT id FROM p), 1, t.t0(''2 h 30 s''), true)', $$ VALUES ('expired', 'expired', 'timeout', true) $$, 'given up');
SELECT ok(NOT pg_temp.report((SELECT id FROM p), 'approved', t.t0('2 h 31 s')), 'an approval after its login is over is void');
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('2 h 31 s'))).status, 'repeat', 'settled once');
SELECT is((SELECT count(*)::integer FROM wsmfa.sent WHERE NOT answered AND at = t.t0('2 h')), 1, 'it stays an unanswered one');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('p4', t.t0('3 h'));
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('3 h 45 s'))).status, 'expired', 'over by itself');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('p5', t.t0('4 h'));
SELECT results_eq('SELECT status, next_status FROM t.push_settle((SELECT id FROM p), 1, t.t0(''4 h 45 s''), false, ''totp'', ''p5 next'')', $$ VALUES ('expired', 'opened') $$, 'then another way is asked');
SELECT is(t.take('p5 next', 'alice', t.t0('4 h 46 s')), 'taken', 'which can be answered');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('p6', t.t0('5 h'));
SELECT results_eq('SELECT status, next_status FROM t.push_settle((SELECT id FROM p), 1, t.t0(''5 h 10 s''), true, ''push'', ''p6 next'')', $$ VALUES ('expired', 'opened') $$, 'also another push: the old one is not in its way');

-- failed, denied
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('f1', t.t0('6 h'));
SELECT ok(pg_temp.report((SELECT id FROM p), 'failed'), 'the provider could not ask');
SELECT is((SELECT count(*)::integer FROM wsmfa.sent WHERE NOT answered AND at = t.t0('6 h')), 1, 'that answers nothing');
SELECT results_eq('SELECT status, outcome, reason, next_status FROM t.push_settle((SELECT id FROM p), 1, t.t0(''6 h 6 s''), false, ''totp'', ''f1 next'')', $$ VALUES ('failed', 'error', 'provider_down', 'opened') $$, 'then another way is asked');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('d1', t.t0('7 h'));
SELECT ok(pg_temp.report((SELECT id FROM p), 'denied'), 'that was not me');
SELECT results_eq('SELECT status, outcome, reason, first, next_id FROM t.push_settle((SELECT id FROM p), 1, t.t0(''7 h 6 s''), false, ''totp'', ''d1 next'')', $$ VALUES ('denied', 'denied', 'suspicious', true, NULL::bigint) $$, 'denied: nothing follows');
SELECT is((SELECT count(*)::integer FROM wsmfa.failure WHERE authenticator_id = (SELECT push FROM x)), 1, 'it counts as a failure');
SELECT is((SELECT consecutive FROM wsmfa.station_wait WHERE station = 'st-1'), 1, 'at the station');
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('7 h 6 s'))).status, 'repeat', 'once');
SELECT is((SELECT count(*)::integer FROM wsmfa.failure), 1, 'and is counted once');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('d2', t.t0('7 h 1 min'));
SELECT pg_temp.report((SELECT id FROM p), 'denied');
SELECT is((t.push_settle((SELECT id FROM p), 1, t.t0('7 h 2 min'), lock_after => 2)).locked_until, t.t0('7 h 3 min'), 'denials begin a wait like wrong codes');
-- what stands in the way of an approval
CREATE FUNCTION pg_temp.approved(state text, at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id bigint := pg_temp.pushed(state, at);
BEGIN
	PERFORM wsmfa.push_report(id, 'approved', at + interval '1 s');
	RETURN id;
END $$;
ALTER TABLE x ADD organization_id bigint;
UPDATE x SET organization_id = (SELECT organization_id FROM wsmfa.account WHERE name = 'alice');
CREATE FUNCTION pg_temp.forbidden(state text, allowed text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	UPDATE wsmfa.organization o SET allowed_methods = NULL FROM x WHERE o.id = x.organization_id;
	id := pg_temp.approved(state, t.t0('8 h'));
	UPDATE wsmfa.organization o SET allowed_methods = allowed FROM x WHERE o.id = x.organization_id;
	RETURN id;
END $$;
SELECT is((t.push_settle(pg_temp.approved('b1', t.t0('7 h 2 min')), 1, t.t0('7 h 2 min 30 s'))).status, 'locked', 'approved while the station waits');
SELECT is((t.push_settle(pg_temp.approved('b2', t.t0('8 h')), 1, t.t0('8 h'), budget => 2)).status, 'exhausted', 'with the budget used up');
UPDATE wsmfa.authenticator SET disabled_at = now() WHERE id = (SELECT push FROM x);
SELECT is((t.push_settle(pg_temp.approved('b3', t.t0('8 h')), 1, t.t0('8 h'))).status, 'gone', 'its authenticator disabled');
UPDATE wsmfa.authenticator SET disabled_at = NULL, removed_at = now() WHERE id = (SELECT push FROM x);
SELECT is((t.push_settle(pg_temp.approved('b4', t.t0('8 h')), 1, t.t0('8 h'))).status, 'gone', 'removed');
UPDATE wsmfa.authenticator SET removed_at = NULL, confirmed_at = NULL WHERE id = (SELECT push FROM x);
SELECT is((t.push_settle(pg_temp.approved('b4a', t.t0('8 h')), 1, t.t0('8 h'))).status, 'gone', 'never confirmed');
UPDATE wsmfa.authenticator SET confirmed_at = t.t0() WHERE id = (SELECT push FROM x);
CREATE TEMP TABLE b AS SELECT pg_temp.approved('b5', t.t0('8 h')) AS id;
UPDATE wsmfa.account SET disabled_at = now() WHERE name = 'alice';
SELECT results_eq('SELECT status, reason FROM t.push_settle((SELECT id FROM b), 1, t.t0(''8 h''))', $$ VALUES ('gone', 'disabled') $$, 'its account disabled');
UPDATE wsmfa.account SET disabled_at = NULL WHERE name = 'alice';
SELECT is((t.push_settle((SELECT id FROM b), 1, t.t0('8 h'))).status, 'repeat', 'and no second chance');
-- the policy of now, not that of when the phone began to ring
SELECT results_eq(format('SELECT status, outcome, reason FROM t.push_settle(%s, 1, t.t0(''8 h''))', pg_temp.forbidden('b7', '{totp}')), $$ VALUES ('gone', 'denied', 'no_usable_method') $$, 'its organization forbids pushes');
SELECT is((t.push_settle(pg_temp.forbidden('b8', '{}'), 1, t.t0('8 h'))).status, 'gone', 'or allows nothing');
SELECT is((t.push_settle(pg_temp.forbidden('b9', '{push,totp}'), 1, t.t0('8 h'))).status, 'right', 'control: or allows them');
INSERT INTO wsmfa.organization (name, allowed_methods) VALUES ('elsewhere', '{totp}');
UPDATE b SET id = pg_temp.forbidden('b10', NULL);
UPDATE wsmfa.account SET organization_id = (SELECT id FROM wsmfa.organization WHERE name = 'elsewhere') WHERE name = 'alice';
SELECT is((t.push_settle((SELECT id FROM b), 1, t.t0('8 h'))).status, 'gone', 'its account moved to such an organization');
UPDATE wsmfa.account SET organization_id = (SELECT organization_id FROM x) WHERE name = 'alice';
UPDATE wsmfa.organization o SET allowed_methods = NULL FROM x WHERE o.id = x.organization_id;
SELECT is((t.push_settle(pg_temp.approved('b6', t.t0('8 h')), 1, t.t0('8 h'))).status, 'right', 'control: nothing in the way');
SELECT is((SELECT count(*)::integer FROM wsmfa.station_wait), 0, 'which ends the station''s row of failures');

-- another way or more of the same at the push's prompt
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('h1', t.t0('9 h'));
SELECT is(t.take('h1', 'alice', t.t0('9 h 1 s'), answer => '?'), 'taken', 'a question mark');
SELECT results_eq($$ SELECT status, next_id, next_status FROM t.settle(pg_temp.id('alice'), (SELECT id FROM p), 'aside', 'push', at => t.t0('9 h 1 s'), next => 'push', next_state => 'h2', keep => true) $$,
	$$ SELECT 'aside', id, 'opened' FROM p $$, 'the push goes on, with its id');
SELECT is(pg_temp.state((SELECT id FROM p)), 'pending', 'pending');
SELECT is(t.take('h1', 'alice', t.t0('9 h 2 s'), answer => '?'), 'repeat', 'the spent State is known for a repeat');
SELECT results_eq($$ SELECT s.status, s.reason, s.next_id FROM t.settle(pg_temp.id('alice'), (SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('h1')), 'aside', 'push', at => t.t0('9 h 2 s'), next => 'push', next_state => 'h2', keep => true) s $$,
	$$ SELECT 'repeat', 'switched', id FROM p $$, 'which leads to the same question');
SELECT is(t.take('h2', 'alice', t.t0('9 h 3 s'), answer => ''), 'taken', 'the new State is its question''s');
SELECT pg_temp.report((SELECT id FROM p), 'approved', t.t0('9 h 4 s'));
SELECT results_eq('SELECT status FROM wsmfa.push_wait(t.t0(''9 h 5 s''), (SELECT id FROM p), 9)', $$ VALUES ('right') $$, 'answered already: to be settled');
SELECT is((t.push_settle((SELECT id FROM p), 9, t.t0('9 h 5 s'))).status, 'right', 'and right');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('w1', t.t0('10 h'));
SELECT t.take('w1', 'alice', t.t0('10 h 1 s'), answer => 'totp');
SELECT is((t.settle(pg_temp.id('alice'), (SELECT id FROM p), 'aside', 'push', at => t.t0('10 h 1 s'), next => 'totp', next_state => 'w2')).next_status, 'opened', 'a switch to another way');
SELECT is(pg_temp.state((SELECT id FROM p)), 'void', 'voids the push');
SELECT ok(NOT pg_temp.report((SELECT id FROM p), 'approved', t.t0('10 h 2 s')), 'its approval is nothing any more');
SELECT is((t.open(pg_temp.id('alice'), 'push', 'w3', t.t0('10 h 3 s'), push_max => 100)).status, 'opened', 'and it is not in the way of another');

-- answer_push, by the clock of the database
CREATE FUNCTION pg_temp.as_push(sql text) RETURNS text LANGUAGE sql AS $$ SELECT t.as_user('wsmfa_push_test', $1) $$;
CREATE ROLE wsmfa_push_test LOGIN IN ROLE wsmfa_push;
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('n1', statement_timestamp(), '42');
SELECT results_eq('SELECT id, account, client, expires_at > opened_at, provider, device, needs_number FROM wsmfa.push_pending', $$ SELECT id, 'alice', '192.0.2.1', true, 'local', 'phone-1', true FROM p $$, 'push_pending lists it');
SELECT is(pg_temp.as_push(format('SELECT count(*) FROM wsmfa.push_pending')), '1', 'to wsmfa_push');
SELECT matches(pg_temp.as_push('SELECT number FROM wsmfa.challenge'), '42501', 'which does not see the number');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true)', (SELECT id FROM p))), format('ERROR 22023: push %s needs the number that the prompt shows', (SELECT id FROM p)), 'a number is needed');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true, '' '')', (SELECT id FROM p))), format('ERROR 22023: push %s needs the number that the prompt shows', (SELECT id FROM p)), 'a blank is none');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true, ''41'')', (SELECT id FROM p))), 'wrong_number', 'a wrong one');
SELECT is(pg_temp.state((SELECT id FROM p)), 'pending', 'approves nothing');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, NULL, ''42'')', (SELECT id FROM p))), 'ERROR 22004: approve or deny: null is no answer', 'neither yes nor no');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(challenge_id => %s, approve => true, number => ''42'')', (SELECT id FROM p))), 'approved', 'the right one, by the names of the interface');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true, ''42'')', (SELECT id FROM p))), format('ERROR 55000: push %s was answered already: approved', (SELECT id FROM p)), 'only once');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, false)', (SELECT id FROM p))), format('ERROR 55000: push %s was answered already: approved', (SELECT id FROM p)), 'no change of mind');
SELECT is((SELECT count(*)::integer FROM wsmfa.push_pending), 0, 'no longer pending');
SELECT is(pg_temp.as_push('SELECT wsmfa.answer_push(999999, true)'), 'ERROR P0002: there is no push 999999', 'an unknown one');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('n2', statement_timestamp() - interval '45 s');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true)', (SELECT id FROM p))), format('ERROR 55000: push %s has expired', (SELECT id FROM p)), 'an expired one');
SELECT is((SELECT count(*)::integer FROM wsmfa.push_pending), 0, 'is not listed');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('n3', statement_timestamp());
SELECT t.push_settle((SELECT id FROM p), 1, statement_timestamp(), true);
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true)', (SELECT id FROM p))), format('ERROR 55000: push %s is over: its login has ended', (SELECT id FROM p)), 'one whose login is over');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('n4', statement_timestamp(), '42');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, false)', (SELECT id FROM p))), 'denied', 'a denial needs no number');
SELECT is((t.push_settle((SELECT id FROM p), 1, statement_timestamp())).status, 'denied', 'and denies');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('n5', statement_timestamp(), '42');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true, ''0%s'')', (SELECT id FROM p), i)), 'wrong_number', 'wrong number ' || i) FROM generate_series(1, 3) i;
SELECT is(pg_temp.state((SELECT id FROM p)), 'denied', 'the third one denies it');
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true, ''42'')', (SELECT id FROM p))), format('ERROR 55000: push %s was answered already: denied', (SELECT id FROM p)), 'now the right one is too late');
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('n6', statement_timestamp());
SELECT is(pg_temp.as_push(format('SELECT wsmfa.answer_push(%s, true, ''99'')', (SELECT id FROM p))), 'approved', 'where none was shown, one does no harm');

-- the catch-up after a lost LISTEN
TRUNCATE p;
INSERT INTO p SELECT pg_temp.pushed('c1', t.t0('20 h'));
SELECT set_eq(format('SELECT wsmfa.push_answered(ARRAY[%s, 999999, %s])', (SELECT id FROM p), (SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('n4'))),
	$$ VALUES (999999::bigint), ((SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('n4'))) $$, 'which pushes are no longer pending');
SELECT is(t.try('SELECT wsmfa.push_report(1, ''pending'', now())'), 'P0001: a push ends as approved, denied or failed, not as pending', 'a report of nonsense');
SELECT is(t.try('SELECT wsmfa.push_report(1, NULL, now())'), 'P0001: a push ends as approved, denied or failed, not as <NULL>', 'of nothing');

SELECT * FROM finish();
ROLLBACK;
