-- challenge_take: which packet may answer a question.
BEGIN;
SELECT * FROM no_plan();

SELECT t.account('alice'), t.account('bob');
SELECT t.totp(id) FROM wsmfa.account WHERE name = 'alice';
CREATE FUNCTION pg_temp.alice() RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM wsmfa.account WHERE name = 'alice' $$;
CREATE FUNCTION pg_temp.untouched(state text) RETURNS boolean LANGUAGE sql AS $$ SELECT answered_at IS NULL FROM wsmfa.challenge WHERE state_hash = t.h($1) $$;

SELECT t.open(pg_temp.alice(), 'totp', 's1');
SELECT is(t.take('no such', 'alice'), 'unknown', 'an unknown State');
SELECT is(t.take('s1', 'bob'), 'foreign', 'another account');
SELECT is(t.take('s1', 'nobody'), 'foreign', 'an account that is not there');
SELECT is(t.take('s1', 'alice', client => '192.0.2.2'), 'foreign', 'another client');
SELECT is(t.take('s1', 'alice', client => NULL), 'foreign', 'no client');
SELECT is(t.take('s1', 'alice', station => 'st-2'), 'foreign', 'another station');
SELECT ok(pg_temp.untouched('s1'), 'none of them consumed it');
SELECT is(t.take('s1', 'alice', t.t0('120 s')), 'expired', 'at its expiry');
SELECT ok(pg_temp.untouched('s1'), 'an expired one is not consumed either');
SELECT is(t.take('s1', 'alice', t.t0('119.999999 s')), 'taken', 'the microsecond before');
SELECT is(t.take('s1', 'alice', t.t0('129.999999 s')), 'repeat', 'the same answer within 10 s');
SELECT is(t.take('s1', 'alice', t.t0('130 s')), 'spent', 'later');
SELECT is(t.take('s1', 'alice', t.t0('120 s'), answer => '654321'), 'spent', 'another answer');
SELECT is(t.take('s1', 'alice', t.t0('120 s'), station => ''), 'spent', 'without the station');
SELECT is(t.take('s1', 'alice', t.t0('120 s'), client => '192.0.2.2'), 'foreign', 'a repeat from another client');
SELECT is(t.take('s1', 'alice', t.t0('110 s')), 'repeat', 'a server whose clock is a little behind');
SELECT is(t.take('s1', 'alice', t.t0('100 s')), 'spent', 'far behind');

SELECT t.open(pg_temp.alice(), 'totp', 's2', station => '');
SELECT is(t.take('s2', 'alice', station => 'st-9'), 'taken', 'a question without a station is bound to none');
SELECT t.open(pg_temp.alice(), 'totp', 's3');
SELECT is(t.take('s3', 'alice', station => ''), 'taken', 'an answer without one fits');

-- what comes with it
SELECT t.open(pg_temp.alice(), 'enroll_totp', 's4', authenticator_id => 77, sealed => '\x0102');
SELECT results_eq($$ SELECT status, question_kind, question_login, question_attempt, question_opened_at, question_expires_at, question_authenticator_id,
		question_code_mac, question_code_expires_at, question_number, question_provider, question_sealed, question_push_state, name, auth_kind
	FROM wsmfa.challenge_take(t.h('s4'), 'alice', '192.0.2.1', 'st-1', 'elements', t.t0('1 s'), t.h('x'), NULL) $$,
	$$ VALUES ('taken', 'enroll_totp', substr(t.h('s4'), 1, 16), 1, t.t0(), t.t0('120 s'), 77::bigint, NULL::bytea, NULL::timestamptz, '', '', '\x0102'::bytea, NULL::text,
		'alice', 'totp') $$, 'question and account');
SELECT results_eq($$ SELECT status, question_id, question_sealed, name, auth_kind
	FROM wsmfa.challenge_take(t.h('s4'), 'bob', '192.0.2.1', 'st-1', 'elements', t.t0('1 s'), t.h('x'), NULL) $$,
	$$ VALUES ('foreign', NULL::bigint, NULL::bytea, 'bob', NULL::text) $$, 'a foreign question is not shown, the account is');
SELECT results_eq($$ SELECT status, question_id, name FROM wsmfa.challenge_take(t.h('s4'), 'nobody', '192.0.2.1', 'st-1', 'elements', t.t0('1 s'), t.h('x'), NULL) $$,
	$$ VALUES ('foreign', NULL::bigint, NULL::text) $$, 'a row comes even for an unknown account');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge_take(NULL, 'alice', '192.0.2.1', 'st-1', 'elements', t.t0(), t.h('x'), NULL) WHERE status = 'unknown'), 1, 'no State at all');

-- a pending push: a new packet of the same login is a repeat until it ends
SELECT t.push(pg_temp.alice());
SELECT t.open(pg_temp.alice(), 'push', 'p1', digest => 'd0');
SELECT is(t.take('p1', 'alice', t.t0('1 s'), digest => 'd1'), 'taken', 'a push''s question');
SELECT is(t.take('p1', 'alice', t.t0('44.9 s'), digest => 'd1'), 'repeat', 'the same packet while it is pending');
SELECT is(t.take('p1', 'alice', t.t0('44.9 s'), digest => 'd2'), 'spent', 'another packet');
SELECT is(t.take('p1', 'alice', t.t0('44.9 s')), 'spent', 'one that can''t be joined');
SELECT is(t.take('p1', 'alice', t.t0('45 s'), digest => 'd1'), 'spent', 'when the push is over');
UPDATE wsmfa.challenge SET push_state = 'approved' WHERE state_hash = t.h('p1');
SELECT is(t.take('p1', 'alice', t.t0('20 s'), digest => 'd1'), 'spent', 'when it is answered');
SELECT is(t.take('p1', 'alice', t.t0('10 s'), digest => 'd1'), 'repeat', 'but within 10 s as with any question');

-- who was asked for a ticket may give it, though out of scope by now; nobody else gets to see one
SELECT t.account('dave', services => '{community}');
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) SELECT id, t.h('ticket'), t.t0('1 h') FROM wsmfa.account WHERE name = 'dave';
SELECT t.open(id, 'enroll_ticket', 's8'), t.open(id, 'enroll_method', 's9') FROM wsmfa.account WHERE name = 'dave';
SELECT results_eq($$ SELECT in_scope, ticket_hash FROM wsmfa.challenge_take(t.h('s8'), 'dave', '192.0.2.1', 'st-1', 'community', t.t0('1 s'), t.h('x'), NULL) $$,
	$$ VALUES (false, t.h('ticket')) $$, 'the ticket of who was asked for it');
SELECT results_eq($$ SELECT in_scope, ticket_hash FROM wsmfa.challenge_take(t.h('s9'), 'dave', '192.0.2.1', 'st-1', 'community', t.t0('1 s'), t.h('x'), NULL) $$,
	$$ VALUES (false, NULL::bytea) $$, 'none for another question');

SELECT * FROM finish();
ROLLBACK;
