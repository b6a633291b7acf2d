-- challenge_open: questions, and the limits of what goes to a phone.
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP TABLE a AS SELECT t.account('alice') AS alice, t.account('bob') AS bob, t.account('carol', 'Other') AS carol, t.account('dave') AS dave;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM wsmfa.account WHERE account.name = $1 $$;
CREATE FUNCTION pg_temp.sent(channel text) RETURNS integer LANGUAGE sql AS $$ SELECT count(*)::integer FROM wsmfa.sent WHERE sent.channel = $1 $$;

SELECT is((t.open(pg_temp.id('alice'), 'totp', 's1')).status, 'opened', 'a question that sends nothing');
SELECT is((SELECT count(*)::integer FROM wsmfa.sent), 0, 'nothing is counted');
SELECT is((t.open(-1, 'totp', 's2')).status, 'refused', 'an unknown account');
UPDATE wsmfa.account SET disabled_at = now() WHERE name = 'dave';
SELECT is((t.open(pg_temp.id('dave'), k, 'dave ' || k, code => CASE k WHEN 'sms' THEN 'c' END)).status, 'refused', 'a disabled account: ' || k) FROM unnest('{totp,sms,push}'::text[]) k;
SELECT is(pg_temp.sent('sms') + pg_temp.sent('push'), 0, 'nothing is sent to it');
SELECT is((SELECT banner_shown_at FROM wsmfa.account WHERE name = 'alice'), NULL, 'no banner yet');
SELECT t.open(pg_temp.id('alice'), 'banner', 'b', banner => true);
SELECT is((SELECT banner_shown_at FROM wsmfa.account WHERE name = 'alice'), t.t0(), 'a banner stamps the account');
SELECT results_eq($$ SELECT service, station, client, attempt, expires_at FROM wsmfa.challenge WHERE state_hash = t.h('b') $$,
	$$ VALUES ('elements', 'st-1', '192.0.2.1', 1, t.t0('120 s')) $$, 'what a question is bound to');

-- an identical first packet
SELECT results_eq($$ SELECT status, expires_at, code_expires_at FROM t.open(pg_temp.id('alice'), 'sms', 'm1', code => 'c1', digest => 'd') $$,
	$$ VALUES ('opened', t.t0('120 s'), t.t0('300 s')) $$, 'an SMS');
CREATE TEMP TABLE m1 AS SELECT * FROM wsmfa.challenge WHERE state_hash = t.h('m1');
SELECT results_eq($$ SELECT status, challenge_id, expires_at, code_expires_at FROM t.open(pg_temp.id('alice'), 'sms', 'm2', t.t0('9.999999 s'), code => 'c2', digest => 'd') $$,
	$$ SELECT 'reused', id, t.t0('120 s'), t.t0('300 s') FROM m1 $$, 'the same packet within 10 s: its code stands');
SELECT is(pg_temp.sent('sms'), 1, 'one SMS');
SELECT is(t.take('m1', 'alice'), 'unknown', 'the older State is void');
SELECT is(t.take('m2', 'alice'), 'taken', 'the newest packet holds the question');
SELECT results_eq($$ SELECT o.status, c.code_mac FROM t.open(pg_temp.id('alice'), 'sms', 'm3', t.t0('5 s'), code => 'c3', digest => 'd') o, wsmfa.challenge c WHERE c.state_hash = t.h('m2') $$,
	$$ VALUES ('reused', t.h('c1')) $$, 'answered already: the code stands, too');
SELECT is((SELECT code_mac FROM wsmfa.challenge WHERE state_hash = t.h('m3')), t.h('c1'), 'in a question of its own');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'm4', t.t0('5 s'), code => 'c', digest => 'other')).status, 'opened', 'another packet');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'm5', t.t0('5 s'), code => 'c', digest => 'd', station => 'st-2')).status, 'opened', 'another station');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'm6', t.t0('16 s'), code => 'c', digest => 'd')).status, 'opened', 'later');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'm7', t.t0('16 s'), code => 'c')).status, 'opened', 'one that can''t be joined');
SELECT is(pg_temp.sent('sms'), 5, 'each sent an SMS');

-- limits of SMS
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'l1', t.t0('17 s'), code => 'c')).status, 'sms_limit', 'five an account and hour');
SELECT is((t.open(pg_temp.id('alice'), 'enroll_sms', 'l2', t.t0('17 s'), code => 'c')).status, 'sms_limit', 'of an enrolment, too');
SELECT is(pg_temp.sent('sms'), 5, 'what is refused is not counted');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE state_hash = t.h('l1')), 0, 'and opens nothing');
SELECT is((t.open(pg_temp.id('alice'), 'totp', 'l3', t.t0('17 s'))).status, 'opened', 'what sends nothing has no limit');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'l4', t.t0('3600 s'), code => 'c')).status, 'opened', 'the first is an hour old');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'l5', t.t0('3600 s'), code => 'c')).status, 'sms_limit', 'the second is not');
SELECT is((t.open(pg_temp.id('bob'), 'sms', 'n' || i, t.t0('1 h'), code => 'c', sms_max => 100)).status, CASE WHEN i <= 4 THEN 'opened' ELSE 'sms_limit' END,
	format('ten a number and day, whoever asks: %s more', i)) FROM generate_series(1, 5) i;
SELECT is((t.open(pg_temp.id('bob'), 'sms', 'n9', t.t0('1 h'), code => 'c', sms_max => 100, phone => '+358409999999')).status, 'opened', 'another number');
SELECT is((t.open(pg_temp.id('bob'), 'sms', 'n10', t.t0('86399.999999 s'), code => 'c', sms_max => 100)).status, 'sms_limit', 'a day is not over');
SELECT is((t.open(pg_temp.id('bob'), 'sms', 'n11', t.t0('86400 s'), code => 'c', sms_max => 100)).status, 'opened', 'now it is');
SELECT is((t.open(pg_temp.id('carol'), 'sms', 'o1', t.t0('3 days'), code => 'c', phone => '+4611111111', sms_organization_max => 1)).status, 'opened', 'one an organization and hour');
SELECT is((t.open(pg_temp.id('carol'), 'sms', 'o2', t.t0('3 days'), code => 'c', phone => '+4622222222', sms_organization_max => 1)).status, 'sms_limit', 'no second');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'o3', t.t0('3 days'), code => 'c', phone => '+4633333333', sms_organization_max => 1)).status, 'opened', 'another organization''s own');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'o4', t.t0('3 days'), code => 'c', phone => '+4644444444', sms_total_max => 2)).status, 'sms_limit', 'two of all and hour');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'o5', t.t0('3 days'), code => 'c', phone => '+4644444444', sms_total_max => 3)).status, 'opened', 'a third');
DELETE FROM wsmfa.account WHERE name = 'carol';
SELECT is((SELECT count(*)::integer FROM wsmfa.sent WHERE phone = '+4611111111'), 1, 'a deleted account''s SMS still count on their number');

-- append mode: one sent code for a client and station
SELECT is((t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('5 days'), code => 'a1', digest => 'da')).status, 'opened', 'append,sms');
SELECT is((t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('5 days 1 s'), code => 'a2', digest => 'da')).status, 'reused', 'the same packet');
SELECT is((t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('5 days 2 s'), code => 'a3', digest => 'db')).status, 'opened', 'a new one');
SELECT is((t.open(pg_temp.id('alice'), 'sms', NULL, t.t0('5 days 2 s'), code => 'a4', station => 'st-2')).status, 'opened', 'another station''s');
SELECT results_eq('SELECT station, code_mac FROM wsmfa.challenge WHERE state_hash IS NULL ORDER BY id', $$ VALUES ('st-1', t.h('a3')), ('st-2', t.h('a4')) $$, 'takes the place of the old one');
SELECT is((t.open(pg_temp.id('alice'), 'sms', phone, t.t0('20 days'), code => phone, digest => 'same', phone => phone)).status, 'opened', 'the same packet, but another number: ' || phone)
	FROM unnest('{+4655555555,+4666666666}'::text[]) phone;
UPDATE wsmfa.challenge SET code_used_at = t.t0('20 days 1 s') WHERE state_hash = t.h('+4666666666');
SELECT is((t.open(pg_temp.id('alice'), 'sms', 'u', t.t0('20 days 2 s'), code => 'u', digest => 'same', phone => '+4666666666')).status, 'opened', 'or once the code is used up');

-- push
CREATE TEMP TABLE p AS SELECT t.push(alice) AS push FROM a;
SELECT results_eq($$ SELECT status, number_, expires_at, code_expires_at FROM t.open(pg_temp.id('alice'), 'push', 'p1', digest => 'd', number => '42', waiter => 1) $$,
	$$ VALUES ('opened', '42', t.t0('120 s'), t.t0('45 s')) $$, 'a push');
CREATE TEMP TABLE p1 AS SELECT * FROM wsmfa.challenge WHERE state_hash = t.h('p1');
SELECT results_eq($$ SELECT status, challenge_id, number_, expires_at FROM t.open(pg_temp.id('alice'), 'push', 'p2', t.t0('20 s'), digest => 'd', number => '43', waiter => 2) $$,
	$$ SELECT 'joined', id, '42', t.t0('120 s') FROM p1 $$, 'the same packet while it is pending joins it');
SELECT results_eq('SELECT waiter, state_hash FROM wsmfa.challenge WHERE id = (SELECT id FROM p1)', $$ VALUES (2::bigint, t.h('p2')) $$, 'the newest waits, and holds the State');
SELECT is((t.open(pg_temp.id('alice'), 'push', 'p3', t.t0('20 s'), digest => 'other', waiter => 3)).status, 'busy', 'another packet');
SELECT is((t.open(pg_temp.id('alice'), 'push', 'p4', t.t0('20 s'), waiter => 3)).status, 'busy', 'one that can''t be joined');
SELECT is((t.open(pg_temp.id('alice'), 'push', 'p5', t.t0('20 s'), digest => 'd', station => 'st-2', waiter => 3)).status, 'busy', 'another station');
SELECT is((t.open(pg_temp.id('alice'), 'push', 'p5', t.t0('20 s'), digest => 'd', client => '192.0.2.2', waiter => 3)).status, 'busy', 'another client');
SELECT is((SELECT waiter FROM wsmfa.challenge WHERE id = (SELECT id FROM p1)), 2::bigint, 'none of them takes its place');
SELECT is(pg_temp.sent('push'), 1, 'one push');
SELECT t.take('p2', 'alice', t.t0('21 s'));
SELECT is((t.open(pg_temp.id('alice'), 'push', 'p6', t.t0('22 s'), digest => 'd', waiter => 4)).status, 'busy', 'its question is answered: a late copy of the first packet does not take it');
SELECT is((t.open(pg_temp.id('alice'), 'push', 'p7', t.t0('45 s'), digest => 'd', waiter => 5)).status, 'opened', 'when it is over, a new one');
SELECT is((t.open(pg_temp.id('bob'), 'push', 'q1', station => '', digest => 'd', waiter => 6)).status, 'opened', 'without a station');
SELECT is((t.open(pg_temp.id('bob'), 'push', 'q2', station => '', digest => 'd', waiter => 7)).status, 'busy', 'nothing can be joined');

-- limits of push: alice has two unanswered ones
CREATE FUNCTION pg_temp.next_push(at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE wsmfa.challenge SET settled_at = at WHERE kind = 'push';
	RETURN (t.open(pg_temp.id('alice'), 'push', 'at ' || at, at)).status;
END $$;
SELECT is(pg_temp.next_push(t.t0('1 min')), 'opened', 'five unanswered pushes an hour: the third');
SELECT is(pg_temp.next_push(t.t0('2 min')), 'opened', 'the fourth');
SELECT is(pg_temp.next_push(t.t0('3 min')), 'opened', 'the fifth');
SELECT is(pg_temp.next_push(t.t0('4 min')), 'push_limit', 'no sixth');
SELECT is(pg_temp.sent('push'), 6, 'what is refused is not counted'); -- one is bob's
UPDATE wsmfa.sent SET answered = true WHERE at = t.t0('3 min');
SELECT is(pg_temp.next_push(t.t0('5 min')), 'opened', 'an answered one does not count');
SELECT is(pg_temp.next_push(t.t0('3600 s')), 'opened', 'an hour after the first');
SELECT is(pg_temp.next_push(t.t0('3601 s')), 'push_limit', 'but not after the second');
UPDATE wsmfa.challenge SET push_state = 'approved' WHERE state_hash = t.h('p7');
SELECT is((t.open(pg_temp.id('bob'), 'push', 'q3', t.t0('1 min'), digest => 'd', waiter => 7)).status, 'opened', 'each account has its own');

-- old questions of the account go
SELECT t.open(pg_temp.id('bob'), 'totp', 'old', t.t0('-2 h'));
SELECT t.open(pg_temp.id('bob'), 'totp', 'new', t.t0());
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE state_hash = t.h('old')), 0, 'a question that is over for an hour makes way');

SELECT * FROM finish();
ROLLBACK;
