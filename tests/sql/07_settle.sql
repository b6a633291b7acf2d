-- challenge_settle: right, wrong, and everything in between, once.
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP TABLE a AS SELECT t.account('alice', phone => '+358401234567') AS alice, t.account('bob') AS bob, t.account('carol') AS carol, t.account('dave') AS dave;
CREATE TEMP TABLE x AS SELECT t.totp(alice) AS totp, t.totp(alice) AS totp2, t.sms(alice) AS sms, t.recovery(alice, 3) AS recovery, t.totp(bob) AS bobs FROM a;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM wsmfa.account WHERE account.name = $1 $$;
CREATE FUNCTION pg_temp.x(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT (to_jsonb(x) ->> $1)::bigint FROM x $$;
CREATE FUNCTION pg_temp.failures(name text) RETURNS integer LANGUAGE sql AS $$ SELECT count(*)::integer FROM wsmfa.failure WHERE authenticator_id = pg_temp.x($1) $$;
CREATE SEQUENCE pg_temp.n;
-- a question opened, taken and settled in one
CREATE FUNCTION pg_temp.answer(name text, verdict text, kind text, authenticators bigint[], at timestamptz DEFAULT t.t0(), station text DEFAULT 'st-1',
	step bigint DEFAULT 0, guess text DEFAULT NULL, recovery text DEFAULT NULL, lock_after integer DEFAULT 10, budget integer DEFAULT 30, ticket text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
	SELECT s.status FROM t.settle(pg_temp.id(name), t.taken(pg_temp.id(name), kind, 'answer ' || nextval('pg_temp.n'), at, station), verdict, kind, authenticators,
		at, station, step, guess, recovery => recovery, lock_after => lock_after, budget => budget, ticket => ticket) s $$;

-- right
CREATE TEMP TABLE q AS SELECT t.taken(pg_temp.id('alice'), 'totp', 's1') AS id;
SELECT results_eq($$ SELECT status, outcome, reason, first, next_id, authenticator_id FROM t.settle(pg_temp.id('alice'), (SELECT id FROM q), 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 100) $$,
	$$ VALUES ('right', 'accepted', 'proven', true, NULL::bigint, pg_temp.x('totp')) $$, 'a right code');
SELECT results_eq($$ SELECT last_step, last_used_at, drift FROM wsmfa.authenticator WHERE id = pg_temp.x('totp') $$, $$ VALUES (100::bigint, t.t0(), 0) $$, 'burns its step');
SELECT results_eq($$ SELECT status, outcome, reason, first FROM t.settle(pg_temp.id('alice'), (SELECT id FROM q), 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 100) $$,
	$$ VALUES ('repeat', 'accepted', 'proven', false) $$, 'settled again: as it was, and not the first');
SELECT results_eq($$ SELECT status, outcome FROM t.settle(pg_temp.id('alice'), (SELECT id FROM q), 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'g') $$,
	$$ VALUES ('repeat', 'accepted') $$, 'whatever is said now');
SELECT is(pg_temp.failures('totp'), 0, 'and nothing is counted');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 100), 'replayed', 'the same step');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 99), 'replayed', 'an earlier one');
SELECT is(pg_temp.failures('totp'), 0, 'a replay is not counted');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp2')], step => 100), 'right', 'another authenticator has its own steps');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 101), 'right', 'the next step');
CREATE TEMP TABLE qr AS SELECT t.taken(pg_temp.id('alice'), 'totp', 'replay') AS id;
SELECT t.settle(pg_temp.id('alice'), (SELECT id FROM qr), 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 101);
SELECT results_eq($$ SELECT status, outcome, reason FROM t.settle(pg_temp.id('alice'), (SELECT id FROM qr), 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 101) $$,
	$$ VALUES ('repeat', 'failed_second_factor', 'replayed_code') $$, 'a repeat of a replay hears that, not what its caller hoped for');
CREATE TEMP TABLE qp AS SELECT t.taken(pg_temp.id('bob'), 'push', 'p1') AS id;
SELECT is((t.settle(pg_temp.id('bob'), (SELECT id FROM qp), 'right', 'totp', ARRAY[pg_temp.x('bobs')], step => 150)).status, 'right', 'a code where a push was asked');
SELECT is((SELECT push_state FROM wsmfa.challenge WHERE id = (SELECT id FROM qp)), 'void', 'and the push is over');
-- what can't be right
SELECT is((t.settle(pg_temp.id('alice'), 999999, 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 200)).status, 'gone', 'a question that is not there');
SELECT is((t.settle(pg_temp.id('bob'), t.taken(pg_temp.id('alice'), 'totp', 's2'), 'right', 'totp', ARRAY[pg_temp.x('bobs')], step => 200)).status, 'gone', 'one of somebody else');
SELECT is((t.settle(pg_temp.id('alice'), (t.open(pg_temp.id('alice'), 'totp', 's3')).challenge_id, 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 200)).status, 'gone', 'one that was not taken');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('bobs')], step => 200), 'gone', 'an authenticator of somebody else');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('sms')], step => 200), 'gone', 'one of another kind');
SELECT is(pg_temp.answer('alice', 'right', kind, ARRAY[pg_temp.x('totp')], step => 200), 'gone', 'not as ' || kind || ' either') FROM unnest('{sms,recovery,push}'::text[]) kind;
SELECT is((t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'enroll_sms', 'k1', code => 'k'), 'right', 'sms', ARRAY[pg_temp.x('sms')])).status, 'gone', 'the code of an enrolment as that of a login');
SELECT is(pg_temp.answer('alice', 'right', 'totp', '{}', step => 200), 'gone', 'no authenticator');
SELECT is(pg_temp.answer('alice', 'right', 'totp', NULL, step => 200), 'gone', 'null');
SELECT is(pg_temp.answer('alice', 'maybe', 'totp', ARRAY[pg_temp.x('totp')], step => 200), 'gone', 'an unknown verdict');
UPDATE wsmfa.authenticator SET disabled_at = now() WHERE id = pg_temp.x('totp');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 200), 'gone', 'a disabled one');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'g'), 'gone', 'wrong for a disabled one');
UPDATE wsmfa.authenticator SET disabled_at = NULL, removed_at = now() WHERE id = pg_temp.x('totp');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 200), 'gone', 'a removed one');
UPDATE wsmfa.authenticator SET removed_at = NULL, confirmed_at = NULL WHERE id = pg_temp.x('totp');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 200), 'gone', 'one that was never confirmed');
UPDATE wsmfa.authenticator SET confirmed_at = t.t0() WHERE id = pg_temp.x('totp');
CREATE TEMP TABLE qd AS SELECT t.taken(pg_temp.id('alice'), 'totp', 'd1') AS a, t.taken(pg_temp.id('alice'), 'totp', 'd2') AS b, t.taken(pg_temp.id('alice'), 'banner', 'd3') AS c;
UPDATE wsmfa.account SET disabled_at = now() WHERE name = 'alice';
SELECT results_eq($$ SELECT status, reason FROM t.settle(pg_temp.id('alice'), (SELECT a FROM qd), 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 200) $$, $$ VALUES ('gone', 'disabled') $$, 'an account disabled meanwhile');
SELECT is((t.settle(pg_temp.id('alice'), (SELECT b FROM qd), 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'g')).status, 'gone', 'also when wrong');
SELECT is((t.settle(pg_temp.id('alice'), (SELECT c FROM qd), 'aside', 'banner', next => 'totp', next_state => 'd4')).status, 'gone', 'also a skipped banner');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE state_hash = t.h('d4')), 0, 'nothing follows');
UPDATE wsmfa.account SET disabled_at = NULL WHERE name = 'alice';
SELECT is((SELECT last_step FROM wsmfa.authenticator WHERE id = pg_temp.x('totp')), 101::bigint, 'none of these burnt a step');
SELECT is((SELECT count(*)::integer FROM wsmfa.failure), 0, 'or was counted');

-- wrong
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp'), pg_temp.x('totp2')], guess => 'g1'), 'wrong', 'a wrong code');
SELECT results_eq($$ SELECT authenticator_id, guess_mac, at FROM wsmfa.failure ORDER BY 1 $$, $$ VALUES (pg_temp.x('totp'), t.h('g1'), t.t0()), (pg_temp.x('totp2'), t.h('g1'), t.t0()) $$,
	'counts once on each it was tried on');
SELECT results_eq($$ SELECT consecutive, last_failure_at FROM wsmfa.authenticator WHERE id IN (pg_temp.x('totp'), pg_temp.x('totp2')) $$, $$ VALUES (1, t.t0()), (1, t.t0()) $$, 'and in a row');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'g1', at => t.t0('59.999999 s')), 'wrong', 'the same within 60 s');
SELECT is(pg_temp.failures('totp'), 1, 'counts once');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'g1', at => t.t0('60 s')), 'wrong', 'at 60 s');
SELECT is(pg_temp.failures('totp'), 2, 'it counts again');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'g2', at => t.t0('60 s')), 'wrong', 'another code');
SELECT is(pg_temp.failures('totp'), 3, 'counts');
SELECT is((SELECT consecutive FROM wsmfa.station_wait WHERE account_id = pg_temp.id('alice')), 3, 'three in a row at the station');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 300, at => t.t0('61 s')), 'right', 'then a right one');
SELECT is((SELECT consecutive FROM wsmfa.authenticator WHERE id = pg_temp.x('totp')), 0, 'ends the row');
SELECT is((SELECT count(*)::integer FROM wsmfa.station_wait), 0, 'and the station''s');
SELECT is(pg_temp.failures('totp'), 3, 'but not the budget');
SELECT is((SELECT consecutive FROM wsmfa.authenticator WHERE id = pg_temp.x('totp2')), 1, 'another authenticator''s row goes on');

-- waits of a station
SELECT results_eq($$ SELECT (s.s).status, (s.s).locked_until, (s.s).next_id IS NOT NULL FROM (SELECT t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'w' || i, t.t0('1 h')), 'wrong', 'totp',
	ARRAY[pg_temp.x('totp')], t.t0('1 h'), guess => 'w' || i, lock_after => 3, next => 'totp', next_state => 'wn' || i) AS s FROM generate_series(1, 3) i OFFSET 0) s $$,
	$$ VALUES ('wrong', NULL::timestamptz, true), ('wrong', NULL, true), ('wrong', t.t0('1 h 1 min'), false) $$, 'the third in a row begins a wait of 1 minute, and nothing follows it');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 400, at => t.t0('1 h 59.999999 s'), lock_after => 3), 'locked', 'in it a right one is refused');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'w4', at => t.t0('1 h 1 s'), lock_after => 3), 'locked', 'and a wrong one');
SELECT is(pg_temp.failures('totp'), 6, 'neither is judged nor counted');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE settled_as = 'locked' AND reason = 'locked' AND outcome = 'denied'), 2, 'a repeat will hear of the wait');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp2')], step => 400, at => t.t0('1 h 1 s'), station => 'st-2', lock_after => 3), 'right', 'another station is free');
SELECT is((SELECT locked_until FROM wsmfa.station_wait WHERE station = 'st-1'), t.t0('1 h 1 min'), 'its success does not end this one''s wait');
INSERT INTO wsmfa.station_wait (account_id, station, consecutive, waits, locked_until, at) VALUES (pg_temp.id('bob'), 'st-1', 10, 1, t.t0('1 h 1 min'), t.t0('1 h'));
SELECT is(pg_temp.answer('bob', 'right', 'totp', ARRAY[pg_temp.x('bobs')], step => 400, at => t.t0('1 h')), 'locked', 'in a wait that began with another method''s answers, too');
DELETE FROM wsmfa.station_wait WHERE account_id = pg_temp.id('bob');
SELECT results_eq($$ SELECT (s.s).locked_until - s.at FROM (SELECT at, t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'v' || i, at), 'wrong', 'totp',
	ARRAY[pg_temp.x('totp')], at, guess => 'v' || i, lock_after => 3, budget => 1000) AS s FROM generate_series(1, 8) i, LATERAL (SELECT t.t0(make_interval(hours => i + 1)) AS at) z OFFSET 0) s $$,
	$$ VALUES (interval '2 min'), ('4 min'), ('8 min'), ('16 min'), ('32 min'), ('1 h'), ('1 h'), ('1 h') $$, 'each further one doubles it, to 1 hour');
SELECT is((SELECT waits FROM wsmfa.station_wait WHERE station = 'st-1'), 9, 'nine waits');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 500, at => t.t0('11 h'), lock_after => 3), 'right', 'after it a right one');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'u1', at => t.t0('11 h'), lock_after => 3), 'wrong', 'begins anew');
SELECT is((SELECT consecutive FROM wsmfa.station_wait WHERE station = 'st-1'), 1, 'from the first');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'u2', at => t.t0('11 h'), station => ''), 'wrong', 'no station');
SELECT is((SELECT consecutive FROM wsmfa.station_wait WHERE station = 'client:192.0.2.1'), 1, 'is the client''s');

-- the budget
DELETE FROM wsmfa.failure;
DELETE FROM wsmfa.station_wait;
INSERT INTO wsmfa.failure (account_id, authenticator_id, at) SELECT pg_temp.id('alice'), pg_temp.x('totp'), t.t0('1 day') - i * interval '1 h' FROM generate_series(1, 29) i;
UPDATE wsmfa.authenticator SET last_failure_at = t.t0('23 h') WHERE id = pg_temp.x('totp');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 600, at => t.t0('1 day')), 'right', '29 failures in 30 days');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'z', at => t.t0('1 day')), 'wrong', 'the 30th');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 700, at => t.t0('1 day')), 'exhausted', 'uses it up');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 700, at => t.t0('1 day'), station => 'st-9'), 'exhausted', 'at a station where nobody failed, too');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp')], guess => 'z2', at => t.t0('1 day')), 'exhausted', 'what is tried then is not judged');
SELECT is(pg_temp.answer('alice', 'wrong', 'totp', ARRAY[pg_temp.x('totp'), pg_temp.x('totp2')], guess => 'z3', at => t.t0('1 day')), 'wrong', 'with another one that has some left');
SELECT is(pg_temp.failures('totp'), 30, 'only that one counts');
SELECT is(pg_temp.failures('totp2'), 1, 'this one');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 700, at => t.t0('720 h') - interval '5 h 1 us'), 'exhausted', 'until the oldest is 30 days old');
SELECT is(pg_temp.answer('alice', 'right', 'totp', ARRAY[pg_temp.x('totp')], step => 700, at => t.t0('720 h') - interval '5 h'), 'right', 'then it is usable again');

-- 100 in a row
UPDATE wsmfa.authenticator SET consecutive = 98 WHERE id = pg_temp.x('totp2');
SELECT results_eq($$ SELECT (s.s).status, (s.s).disabled, (s.s).next_id IS NOT NULL FROM (SELECT t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'h' || i, t.t0('90 days')), 'wrong', 'totp',
	ARRAY[pg_temp.x('totp'), pg_temp.x('totp2')], t.t0('90 days'), guess => 'h' || i, lock_after => 1000, next => 'totp', next_state => 'hn' || i) AS s FROM generate_series(1, 3) i OFFSET 0) s $$,
	$$ VALUES ('wrong', false, true), ('wrong', true, false), ('wrong', false, true) $$, 'the hundredth in a row disables, and nothing follows it');
SELECT results_eq($$ SELECT disabled_at, disabled_reason FROM wsmfa.authenticator WHERE id = pg_temp.x('totp2') $$, $$ VALUES (t.t0('90 days'), 'failures') $$, 'that one');
SELECT is((SELECT disabled_at FROM wsmfa.authenticator WHERE id = pg_temp.x('totp')), NULL, 'no other');

-- recovery codes
SELECT results_eq($$ SELECT status, codes_left FROM t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'recovery', 'r1'), 'right', 'recovery', ARRAY[pg_temp.x('recovery')], recovery => 'code 1') $$,
	$$ VALUES ('right', 2) $$, 'a recovery code');
SELECT is(pg_temp.answer('alice', 'right', 'recovery', ARRAY[pg_temp.x('recovery')], recovery => 'code 1', guess => 'r'), 'replayed', 'a second time');
SELECT is(pg_temp.failures('recovery'), 0, 'is not counted');
SELECT results_eq($$ SELECT status, outcome, reason, next_id IS NOT NULL FROM t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'recovery', 'r2'), 'right', 'recovery', ARRAY[pg_temp.x('recovery')],
	recovery => 'no such code', guess => 'r', next => 'recovery', next_state => 'r3') $$, $$ VALUES ('wrong', 'failed_second_factor', 'wrong_code', true) $$, 'an unknown one is wrong');
SELECT is(pg_temp.failures('recovery'), 1, 'and counts');
SELECT is(pg_temp.answer('alice', 'right', 'recovery', ARRAY[pg_temp.x('recovery')]), 'replayed', 'no code at all is no code');
SELECT is((SELECT count(*)::integer FROM wsmfa.recovery_code WHERE used_at IS NULL), 2, 'two are left');

-- codes sent by SMS
CREATE FUNCTION pg_temp.sms(state text, at timestamptz DEFAULT t.t0('100 days'), code text DEFAULT 'c1') RETURNS bigint LANGUAGE sql AS $$
	SELECT t.taken(pg_temp.id('alice'), 'sms', $1, $2, code => $3, authenticator_id => pg_temp.x('sms')) $$;
CREATE TEMP TABLE m AS SELECT pg_temp.sms('m1') AS a;
SELECT results_eq($$ SELECT status, next_status FROM t.settle(pg_temp.id('alice'), (SELECT a FROM m), 'wrong', 'sms', ARRAY[pg_temp.x('sms')], t.t0('100 days'), guess => 'g', next => 'sms', next_state => 'm2', keep => true) $$,
	$$ VALUES ('wrong', 'opened') $$, 'a wrong one');
SELECT results_eq($$ SELECT code_mac, code_expires_at, phone, authenticator_id, login, attempt FROM wsmfa.challenge WHERE state_hash = t.h('m2') $$,
	$$ VALUES (t.h('c1'), t.t0('100 days 300 s'), '+358401234567', pg_temp.x('sms'), substr(t.h('m1'), 1, 16), 2) $$, 'keeps the code');
SELECT is((SELECT count(*)::integer FROM wsmfa.sent WHERE at >= t.t0('100 days')), 1, 'and sends nothing');
SELECT is(t.take('m2', 'alice', t.t0('100 days')), 'taken', 'the next question');
SELECT is((t.settle(pg_temp.id('alice'), (SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('m2')), 'right', 'sms', ARRAY[pg_temp.x('sms')], t.t0('100 days 1 s'))).status, 'right', 'the right one');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE code_mac = t.h('c1') AND code_used_at IS NULL), 0, 'the code is used up wherever it stands');
UPDATE wsmfa.challenge SET settled_at = NULL WHERE id = (SELECT a FROM m);
SELECT is((t.settle(pg_temp.id('alice'), (SELECT a FROM m), 'right', 'sms', ARRAY[pg_temp.x('sms')], t.t0('100 days 1 s'))).status, 'replayed', 'also in a question that is still open');
SELECT is((t.settle(pg_temp.id('alice'), pg_temp.sms('m3', code => 'c3'), 'right', 'sms', ARRAY[pg_temp.x('sms')], t.t0('100 days 300 s'))).status, 'gone', 'a code that is over');
SELECT is((t.settle(pg_temp.id('alice'), pg_temp.sms('m4', code => 'c4'), 'right', 'sms', ARRAY[pg_temp.x('sms')], t.t0('100 days 299.999999 s'))).status, 'right', 'a microsecond before');
SELECT is(pg_temp.answer('alice', 'right', 'sms', ARRAY[pg_temp.x('sms')]), 'gone', 'a question without a code');
SELECT is((t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'm5'), 'right', 'sms', ARRAY[pg_temp.x('sms')])).status, 'gone', 'a question for something else');

-- aside, and what follows
SELECT results_eq($$ SELECT status, first, next_status FROM t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'k1', t.t0('200 days')), 'aside', 'totp', at => t.t0('200 days'), next => 'recovery', next_state => 'k2') $$,
	$$ VALUES ('aside', true, 'opened') $$, 'aside: counts nothing, asks on');
SELECT results_eq($$ SELECT o.status, o.reason, o.next_id = c.id, o.next_status FROM wsmfa.challenge k, wsmfa.challenge c, LATERAL t.settle(pg_temp.id('alice'), k.id, 'aside', 'totp', at => t.t0('200 days'), next => 'recovery', next_state => 'k2') o
	WHERE k.state_hash = t.h('k1') AND c.state_hash = t.h('k2') $$, $$ VALUES ('repeat', 'switched', true, 'opened') $$, 'a repeat is led to the same question');
SELECT results_eq($$ SELECT status, next_status FROM t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'k3', t.t0('200 days')), 'aside', 'totp', at => t.t0('200 days'), next => 'sms', next_state => 'k4', code => 'c9') $$,
	$$ VALUES ('aside', 'opened') $$, 'a switch to SMS sends one');
SELECT results_eq($$ SELECT status, next_status, next_id FROM t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'k5', t.t0('200 days')), 'aside', 'totp', at => t.t0('200 days'), next => 'sms', next_state => 'k6', code => 'c9', sms_max => 1) $$,
	$$ VALUES ('aside', 'sms_limit', NULL::bigint) $$, 'within the limits');

-- append mode: no question; the code may be one that was sent
CREATE FUNCTION pg_temp.append(guess text, at timestamptz DEFAULT t.t0('300 days'), station text DEFAULT 'st-1', client text DEFAULT '192.0.2.1') RETURNS text LANGUAGE sql AS $$
	SELECT s.status FROM t.settle(pg_temp.id('alice'), 0, 'wrong', 'totp', ARRAY[pg_temp.x('totp')], at, station, guess => guess, sent => true, client => client, lock_after => 100) s $$;
SELECT results_eq($$ SELECT status, first FROM t.settle(pg_temp.id('alice'), 0, 'right', 'totp', ARRAY[pg_temp.x('totp')], t.t0('300 days'), step => 9000) $$, $$ VALUES ('right', true) $$, 'a right code with the password');
SELECT is((t.settle(pg_temp.id('alice'), NULL, 'right', 'totp', ARRAY[pg_temp.x('totp')], t.t0('300 days'), step => 9000)).status, 'replayed', 'only once');
SELECT is(pg_temp.append('1'), 'wrong', 'nothing was sent');
DELETE FROM wsmfa.failure;
SELECT t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('300 days'), code => 'sent', authenticator_id => pg_temp.x('sms'));
SELECT is(pg_temp.append('sent', station => 'st-2'), 'wrong', 'the code from another station');
SELECT is(pg_temp.append('sent', client => '192.0.2.2'), 'wrong', 'from another client');
SELECT is(pg_temp.failures('sms'), 0, 'counts on what it was tried on, which the SMS is not');
SELECT is(pg_temp.append('2'), 'wrong', 'a wrong one from the right station');
SELECT is(pg_temp.failures('sms'), 1, 'counts on the SMS too');
SELECT is(pg_temp.append('sent', t.t0('300 days 300 s')), 'wrong', 'too late');
SELECT results_eq($$ SELECT status, outcome, reason, authenticator_id, first FROM t.settle(pg_temp.id('alice'), 0, 'wrong', 'totp', ARRAY[pg_temp.x('totp')], t.t0('300 days 1 s'), guess => 'sent', sent => true, lock_after => 100) $$,
	$$ VALUES ('right', 'accepted', 'proven', pg_temp.x('sms'), true) $$, 'the sent code');
SELECT set_config('t.failures', (SELECT count(*)::text FROM wsmfa.failure), true);
SELECT is(pg_temp.append('sent', t.t0('300 days 61 s')), 'replayed', 'a second time');
SELECT is((SELECT count(*)::text FROM wsmfa.failure), current_setting('t.failures'), 'is not counted');
SELECT is(pg_temp.append('5', t.t0('300 days 61 s')), 'wrong', 'another code is wrong');
SELECT is(pg_temp.append('sent', t.t0('300 days 300 s')), 'wrong', 'and so is it when its time is over');
SELECT t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('301 days'), code => 'sent2', authenticator_id => pg_temp.x('sms'));
SELECT is(pg_temp.append('3' || i, t.t0('301 days')), 'wrong', 'attempt ' || i) FROM generate_series(1, 3) i;
SELECT is(pg_temp.append('sent2', t.t0('301 days')), 'wrong', 'three wrong guesses void it');
SELECT t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('302 days'), code => 'sent3', authenticator_id => pg_temp.x('sms'));
SELECT is(pg_temp.append('4' || i, t.t0('302 days')), 'wrong', 'attempt ' || i) FROM generate_series(1, 2) i;
SELECT is(pg_temp.append('sent3', t.t0('302 days')), 'right', 'two do not');

-- tickets
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) VALUES (pg_temp.id('carol'), t.h('ticket'), t.t0('1 h')), (pg_temp.id('carol'), t.h('over'), t.t0()), (pg_temp.id('dave'), t.h('daves'), t.t0('1 h'));
SELECT is(pg_temp.answer('carol', 'right', 'enroll_ticket', '{}', ticket => 'over'), 'gone', 'a ticket that is over');
SELECT is(pg_temp.answer('carol', 'right', 'enroll_ticket', '{}', ticket => 'daves'), 'gone', 'one of somebody else');
SELECT is(pg_temp.answer('carol', 'wrong', 'enroll_ticket', '{}', guess => 'nonsense'), 'wrong', 'a wrong one');
SELECT is((SELECT count(*)::integer FROM wsmfa.failure WHERE account_id = pg_temp.id('carol') AND authenticator_id IS NULL), 1, 'counts on the account');
SELECT results_eq($$ SELECT status, next_status FROM t.settle(pg_temp.id('carol'), t.taken(pg_temp.id('carol'), 'enroll_ticket', 't1'), 'right', 'enroll_ticket', ticket => 'ticket', next => 'enroll_method', next_state => 't2') $$,
	$$ VALUES ('right', 'opened') $$, 'a right one leads on');
SELECT is(pg_temp.answer('carol', 'right', 'enroll_ticket', '{}', ticket => 'ticket'), 'gone', 'once');
-- the ticket is for what follows it: where that can't be asked, it is kept
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) VALUES (pg_temp.id('carol'), t.h('kept'), t.t0('1 h'));
SELECT results_eq($$ SELECT status, next_status, next_id FROM t.settle(pg_temp.id('carol'), t.taken(pg_temp.id('carol'), 'enroll_ticket', 't3'), 'right', 'enroll_ticket', ticket => 'kept', next => 'enroll_sms', next_state => 't4', code => 'c10', sms_max => 0) $$,
	$$ VALUES ('right', 'sms_limit', NULL::bigint) $$, 'a right ticket, and no SMS may be sent');
SELECT is((SELECT count(*)::integer FROM wsmfa.ticket WHERE hash = t.h('kept') AND used_at IS NULL), 1, 'is not used up');

-- a login ends an hour after its first question, whatever was asked in it
SELECT t.taken(pg_temp.id('alice'), 'totp', 'h1', t.t0('400 days'));
SELECT t.taken(pg_temp.id('alice'), 'totp', 'h2', t.t0('400 days 59 min'));
UPDATE wsmfa.challenge SET login = t.h('long') WHERE state_hash IN (t.h('h1'), t.h('h2'));
SELECT t.settle(pg_temp.id('alice'), (SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('h1')), 'aside', 'totp', at => t.t0('400 days 58 min'), next => 'totp', next_state => 'h3');
SELECT t.settle(pg_temp.id('alice'), (SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('h2')), 'aside', 'totp', at => t.t0('400 days 59 min'), next => 'totp', next_state => 'h4');
SELECT results_eq($$ SELECT expires_at - t.t0('400 days') FROM wsmfa.challenge WHERE state_hash IN (t.h('h3'), t.h('h4')) ORDER BY state_hash = t.h('h4') $$,
	$$ VALUES (interval '1 h'), (interval '1 h') $$, 'the last question of a login ends with it');

SELECT is((t.open(pg_temp.id('alice'), 'recovery', 'h5', t.t0('400 days 59 min'), login => 'long one')).expires_at, t.t0('400 days 61 min'), 'a first question has its time');
SELECT is((t.open(pg_temp.id('alice'), 'recovery', 'h6', t.t0('400 days 118 min'), login => 'long one')).expires_at, t.t0('400 days 119 min'), 'one that takes the place of another does not begin it anew');

-- what could not be sent, and nothing in its place
SELECT set_config('t.unsent', (SELECT next_id::text FROM t.settle(pg_temp.id('alice'), t.taken(pg_temp.id('alice'), 'totp', 'n1', t.t0('410 days')), 'aside', 'totp', at => t.t0('410 days'), next => 'sms', next_state => 'n2', code => 'n', sms_max => 100)), true);
UPDATE wsmfa.challenge SET digest = t.h('packet') WHERE state_hash = t.h('n2');
SELECT is((t.settle(pg_temp.id('alice'), current_setting('t.unsent')::bigint, 'aside', 'sms', at => t.t0('410 days'))).status, 'aside', 'a code that did not get to the phone');
SELECT results_eq($$ SELECT o.status, o.next_status, o.next_id FROM wsmfa.challenge k, LATERAL t.settle(pg_temp.id('alice'), k.id, 'aside', 'totp', at => t.t0('410 days')) o WHERE k.state_hash = t.h('n1') $$,
	$$ VALUES ('repeat', 'unsent', NULL::bigint) $$, 'a repeat of the answer before it hears that');
SELECT is((SELECT digest FROM wsmfa.challenge WHERE state_hash = t.h('n2')), NULL, 'and an identical first packet does not wait for it');

-- enrolment
CREATE FUNCTION pg_temp.enroll(name text, state text, id bigint, kind text DEFAULT 'enroll_totp', code text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	SELECT t.taken(pg_temp.id($1), $4, $2, sealed => CASE WHEN $4 = 'enroll_totp' THEN '\x0709'::bytea END, authenticator_id => $3, code => $5) $$;
CREATE TEMP TABLE e AS SELECT pg_temp.enroll('carol', 'e1', 100001) AS one, pg_temp.enroll('carol', 'e2', 100002) AS two, pg_temp.enroll('carol', 'e3', 100003) AS three;
SELECT is((t.settle(pg_temp.id('carol'), (SELECT three FROM e), 'wrong', 'enroll_totp', '{100003}', guess => 'x')).status, 'gone', 'a wrong proof counts on the account, not on what is not there yet');
SELECT is((t.settle(pg_temp.id('carol'), pg_temp.enroll('carol', 'e4', 100004), 'wrong', 'enroll_totp', guess => 'x')).status, 'wrong', 'a wrong proof');
SELECT is((SELECT count(*)::integer FROM wsmfa.authenticator WHERE account_id = pg_temp.id('carol')), 0, 'leaves nothing');
SELECT results_eq($$ SELECT status, authenticator_id FROM t.settle(pg_temp.id('carol'), (SELECT one FROM e), 'right', 'enroll_totp', '{100001}', step => 77, enroll => true) $$, $$ VALUES ('right', 100001::bigint) $$, 'a right one');
SELECT results_eq($$ SELECT id, kind, sealed, algorithm, digits, period, last_step, confirmed_at, last_used_at FROM wsmfa.authenticator WHERE account_id = pg_temp.id('carol') $$,
	$$ VALUES (100001::bigint, 'totp', '\x0709'::bytea, 'sha1', 6::smallint, 30::smallint, 77::bigint, t.t0(), t.t0()) $$, 'creates it, confirmed, its step burnt');
SELECT results_eq($$ SELECT status, outcome, reason FROM t.settle(pg_temp.id('carol'), (SELECT two FROM e), 'right', 'enroll_totp', '{100002}', step => 78, enroll => true) $$,
	$$ VALUES ('enrolled', 'denied', 'enrolled_elsewhere') $$, 'a second one at the same time has lost');
-- behind a ticket, where the password alone is not enough
CREATE TEMP TABLE et AS SELECT t.account('tess') AS tess;
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) VALUES (pg_temp.id('tess'), t.h('tess'), t.t0('1 h'));
SELECT is((t.settle(pg_temp.id('tess'), t.taken(pg_temp.id('tess'), 'enroll_ticket', 'et1'), 'right', 'enroll_ticket', ticket => 'tess')).status, 'right', 'a ticket');
SELECT t.taken(pg_temp.id('tess'), 'enroll_ticket', 'et2');
SELECT t.settle(pg_temp.id('tess'), (SELECT id FROM wsmfa.challenge WHERE state_hash = t.h('et2')), 'wrong', 'enroll_ticket', guess => 'y');
CREATE TEMP TABLE ew AS SELECT pg_temp.enroll('tess', 'ew1', 100021) AS none, pg_temp.enroll('tess', 'ew2', 100022) AS wrong, pg_temp.enroll('tess', 'ew3', 100023) AS given;
UPDATE wsmfa.challenge SET login = substr(t.h('et2'), 1, 16) WHERE state_hash = t.h('ew2');
UPDATE wsmfa.challenge SET login = substr(t.h('et1'), 1, 16) WHERE state_hash = t.h('ew3');
SELECT is((t.settle(pg_temp.id('tess'), (SELECT none FROM ew), 'right', 'enroll_totp', '{100021}', step => 77, enroll => true, needs_ticket => true)).status, 'gone', 'of another login is none');
SELECT is((t.settle(pg_temp.id('tess'), (SELECT wrong FROM ew), 'right', 'enroll_totp', '{100022}', step => 77, enroll => true, needs_ticket => true)).status, 'gone', 'a wrong one is none');
SELECT is((t.settle(pg_temp.id('tess'), (SELECT given FROM ew), 'right', 'enroll_totp', '{100023}', step => 77, enroll => true, needs_ticket => true)).status, 'right', 'one of the same login is one');
UPDATE wsmfa.authenticator SET disabled_at = now() WHERE account_id = pg_temp.id('carol');
SELECT is((t.settle(pg_temp.id('carol'), pg_temp.enroll('carol', 'e5', 100005), 'right', 'enroll_totp', '{100005}', step => 78, enroll => true)).status, 'enrolled', 'a disabled one is still an enrolment: nobody takes it over');
SELECT is((t.settle(pg_temp.id('dave'), t.taken(pg_temp.id('dave'), 'totp', 'e6', authenticator_id => 100006), 'right', 'enroll_totp', '{100006}', step => 78, enroll => true)).status, 'gone', 'only from a question of an enrolment');
SELECT is((t.settle(pg_temp.id('dave'), 0, 'right', 'enroll_totp', '{100006}', step => 78, enroll => true, sealed => '\x01')).status, 'gone', 'not without one');
CREATE TEMP TABLE es AS SELECT pg_temp.enroll('dave', 'e7', 100007, 'enroll_sms', 'proof') AS id;
SELECT results_eq($$ SELECT status, authenticator_id FROM t.settle(pg_temp.id('dave'), (SELECT id FROM es), 'right', 'enroll_sms', '{100007}', enroll => true) $$, $$ VALUES ('right', 100007::bigint) $$, 'SMS');
SELECT results_eq($$ SELECT kind, phone, confirmed_at FROM wsmfa.authenticator WHERE id = 100007 $$, $$ VALUES ('sms', '+358401234567', t.t0()) $$, 'the number that the code went to');
CREATE TEMP TABLE em AS SELECT t.account('mary') AS mary;
CREATE TEMP TABLE eo AS SELECT pg_temp.enroll('mary', 'eo1', 100011, 'enroll_sms', 'old') AS late, pg_temp.enroll('mary', 'eo2', 100012, 'enroll_sms', 'same') AS one, pg_temp.enroll('mary', 'eo3', 100013, 'enroll_sms', 'same') AS two;
SELECT is((t.settle(pg_temp.id('mary'), (SELECT late FROM eo), 'right', 'enroll_sms', '{100011}', t.t0('300 s'), enroll => true)).status, 'gone', 'a code whose time is over enrols nothing');
SELECT is((t.settle(pg_temp.id('mary'), (SELECT one FROM eo), 'right', 'enroll_sms', '{100012}', t.t0('299.999999 s'), enroll => true)).status, 'right', 'in its last moment it does');
UPDATE wsmfa.authenticator SET removed_at = t.t0() WHERE id = 100012;
SELECT is((t.settle(pg_temp.id('mary'), (SELECT two FROM eo), 'right', 'enroll_sms', '{100013}', enroll => true)).status, 'replayed', 'once, though it stands in another question and what it enrolled is removed');
INSERT INTO wsmfa.failure (account_id, at) SELECT pg_temp.id('bob'), t.t0('-1 h') FROM generate_series(1, 30);
UPDATE wsmfa.account SET last_failure_at = t.t0('-1 h') WHERE name = 'bob';
DELETE FROM wsmfa.authenticator WHERE account_id = pg_temp.id('bob');
SELECT is((t.settle(pg_temp.id('bob'), pg_temp.enroll('bob', 'e8', 100008), 'right', 'enroll_totp', '{100008}', step => 78, enroll => true)).status, 'exhausted', 'an account whose budget is used up');
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) VALUES (pg_temp.id('bob'), t.h('bobs'), t.t0('1 h'));
SELECT is(pg_temp.answer('bob', 'right', 'enroll_ticket', '{}', ticket => 'bobs'), 'exhausted', 'with a ticket too');
SELECT is((SELECT count(*)::integer FROM wsmfa.ticket WHERE hash = t.h('bobs') AND used_at IS NULL), 1, 'which is not used up');

-- an account deleted in the middle
CREATE TEMP TABLE g AS SELECT pg_temp.id('dave') AS dave, t.taken(pg_temp.id('dave'), 'totp', 'g1') AS q;
DELETE FROM wsmfa.account WHERE name = 'dave';
SELECT results_eq('SELECT status, first FROM g, t.settle(dave, q, ''right'', ''totp'', ''{1}'')', $$ VALUES ('gone', false) $$, 'an account that is gone');

SELECT * FROM finish();
ROLLBACK;
