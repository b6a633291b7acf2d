-- The functions that end in _many: who is among those answered, and who is passed by. That they do what a call alone does is in together.t.
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP TABLE a AS SELECT t.account('p' || i) AS id, i FROM generate_series(1, 8) i;
CREATE TEMP TABLE x AS SELECT t.totp(a.id) AS x, a.id, a.i FROM a;
CREATE FUNCTION pg_temp.id(integer) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM a WHERE i = $1 $$;
CREATE FUNCTION pg_temp.x(integer) RETURNS bigint LANGUAGE sql AS $$ SELECT x FROM x WHERE i = $1 $$;
CREATE FUNCTION pg_temp.same(v anyelement, n integer) RETURNS anyarray LANGUAGE sql AS $$ SELECT array_fill(v, ARRAY[n]) $$;
CREATE FUNCTION pg_temp.settle(people integer[], steps bigint[], challenges bigint[] DEFAULT NULL, station text DEFAULT 'st-1') RETURNS integer[] LANGUAGE sql AS $$
	SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM wsmfa.challenge_settle_many(pg_temp.same(t.t0(), cardinality(people)),
		ARRAY(SELECT pg_temp.id(p) FROM unnest(people) p), pg_temp.same('192.0.2.1'::text, cardinality(people)), pg_temp.same(station, cardinality(people)),
		coalesce(challenges, pg_temp.same(0::bigint, cardinality(people))), ARRAY(SELECT pg_temp.x(p) FROM unnest(people) p), steps,
		pg_temp.same(0, cardinality(people)), 30) $$;
CREATE FUNCTION pg_temp.take(states text[], people text[], client text DEFAULT '192.0.2.1', station text DEFAULT 'st-1', at timestamptz DEFAULT t.t0()) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(m.n || ' ' || m.status || ' ' || m.name, ', ' ORDER BY m.n), '') FROM wsmfa.challenge_take_many(
		ARRAY(SELECT t.h(s) FROM unnest(states) s), people, pg_temp.same(client, cardinality(people)), pg_temp.same(station, cardinality(people)),
		pg_temp.same('elements'::text, cardinality(people)), pg_temp.same(at, cardinality(people)), ARRAY(SELECT t.h('m' || s) FROM unnest(states) s),
		ARRAY(SELECT t.h('d' || s) FROM unnest(states) s), 30) m $$;

-- reading
SELECT is((SELECT string_agg(l.n || ' ' || l.name, ', ' ORDER BY l.n) FROM wsmfa.login_load_many(ARRAY['p2', 'nobody', 'p1', 'p2'], pg_temp.same('192.0.2.1'::text, 4),
	pg_temp.same('st-1'::text, 4), pg_temp.same('elements'::text, 4), pg_temp.same(t.t0(), 4), 30) l), '1 p2, 3 p1, 4 p2', 'each at its place, one that is asked for twice too; who is unknown has no row');

-- opening and taking
CREATE TEMP TABLE o AS SELECT m.* FROM wsmfa.challenge_open_many(pg_temp.same(t.t0(), 4), ARRAY[pg_temp.id(1), pg_temp.id(2), -1, pg_temp.id(3)], pg_temp.same('192.0.2.1'::text, 4),
	pg_temp.same('st-1'::text, 4), pg_temp.same('elements'::text, 4), ARRAY[t.h('s1'), t.h('s2'), t.h('s3'), t.h('s4')], ARRAY[t.h('l1'), t.h('l2'), t.h('l3'), t.h('l4')], ARRAY[1, 2, 3, 4],
	pg_temp.same(t.t0('120 s'), 4), ARRAY[0, pg_temp.x(2), 0, 0], ARRAY[NULL, t.h('d2'), NULL, NULL]) m;
SELECT results_eq('SELECT n FROM o ORDER BY n', 'VALUES (1), (2), (4)', 'an account that is not there is passed by');
SELECT results_eq('SELECT c.kind, c.account_id, c.attempt, c.authenticator_id, c.digest, c.opened_at, c.expires_at FROM wsmfa.challenge c JOIN o ON o.challenge_id = c.id ORDER BY o.n',
	$$ VALUES ('totp', pg_temp.id(1), 1, NULL::bigint, NULL::bytea, t.t0(), t.t0('120 s')), ('totp', pg_temp.id(2), 2, pg_temp.x(2), t.h('d2'), t.t0(), t.t0('120 s')),
	('totp', pg_temp.id(3), 4, NULL, NULL, t.t0(), t.t0('120 s')) $$, 'questions as asked for');
UPDATE wsmfa.account SET disabled_at = t.t0() WHERE name = 'p3';
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge_open_many(ARRAY[t.t0()], ARRAY[pg_temp.id(3)], ARRAY['192.0.2.1'], ARRAY['st-1'], ARRAY['elements'], ARRAY[t.h('s5')],
	ARRAY[t.h('l5')], ARRAY[1], ARRAY[t.t0('120 s')], ARRAY[0::bigint], ARRAY[NULL::bytea])), 0, 'so is one that is disabled');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE state_hash = t.h('s5')), 0, 'and nothing is opened');
SELECT is(pg_temp.take('{s1,s2,nope,s4}', '{p2,p1,p1,p3}'), '4 taken p3', 'who answers another''s question, or none, is passed by');
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge WHERE answered_at IS NOT NULL), 1, 'and takes nothing');
SELECT is(pg_temp.take('{s1}', '{p1}', client => '192.0.2.2'), '', 'another client');
SELECT is(pg_temp.take('{s1}', '{p1}', station => 'st-2'), '', 'another station');
SELECT is(pg_temp.take('{s1}', '{p1}', at => t.t0('120 s')), '', 'too late');
SELECT is(pg_temp.take('{s1,s1}', '{p1,p1}') ~ '^[12] taken p1$', true, 'a State that comes twice is taken once');
SELECT is(pg_temp.take('{s1}', '{p1}'), '', 'and not again');
SELECT is(pg_temp.take('{s2}', '{p2}', station => ''), '1 taken p2', 'a packet that names no station');

-- settling
SELECT is(pg_temp.settle('{4,5,6}', '{10,10,10}'), '{1,2,3}', 'right codes of three');
SELECT results_eq('SELECT c.last_step, c.last_used_at FROM wsmfa.authenticator c JOIN x ON x.x = c.id WHERE x.i IN (4, 5, 6)', $$ SELECT 10::bigint, t.t0() FROM generate_series(1, 3) $$, 'are burnt');
SELECT is(pg_temp.settle('{4,5,6}', '{11,10,9}'), '{1}', 'who comes with a used step is passed by');
SELECT is(cardinality(pg_temp.settle('{4,4}', '{20,20}')), 1, 'a code that comes twice counts once');
SELECT is(pg_temp.settle('{4}', '{20}'), '{}', 'and is burnt');
SELECT is(pg_temp.settle('{5,6}', '{30,30}', ARRAY[(SELECT challenge_id FROM o WHERE n = 1), (SELECT challenge_id FROM o WHERE n = 2)]), '{}', 'a question of somebody else');
SELECT is(pg_temp.settle('{1}', '{30}', ARRAY[(SELECT challenge_id FROM o WHERE n = 1)]), '{1}', 'one''s own');
SELECT results_eq('SELECT settled_at, settled_as, outcome, reason FROM wsmfa.challenge WHERE state_hash = t.h(''s1'')', $$ VALUES (t.t0(), 'right', 'accepted', 'proven') $$, 'is settled with it');
SELECT is(pg_temp.settle('{1}', '{31}', ARRAY[(SELECT challenge_id FROM o WHERE n = 1)]), '{}', 'once');
UPDATE wsmfa.challenge SET answered_at = NULL WHERE state_hash = t.h('s2');
SELECT is(pg_temp.settle('{2}', '{30}', ARRAY[(SELECT challenge_id FROM o WHERE n = 2)]), '{}', 'one that nobody has answered');
SELECT is(pg_temp.settle('{2}', '{30}', ARRAY[-1]), '{}', 'one that is not there');
UPDATE wsmfa.authenticator SET confirmed_at = NULL WHERE id = pg_temp.x(6);
SELECT is(pg_temp.settle('{6}', '{35}'), '{}', 'an authenticator that was never confirmed');
UPDATE wsmfa.authenticator SET confirmed_at = t.t0() WHERE id = pg_temp.x(6);
SELECT is(pg_temp.settle('{6}', '{35}'), '{1}', 'with the same code once it is');
UPDATE wsmfa.account SET disabled_at = t.t0() WHERE name = 'p4';
SELECT is(pg_temp.settle('{4}', '{40}'), '{}', 'a disabled account');
UPDATE wsmfa.authenticator SET disabled_at = t.t0() WHERE id = pg_temp.x(5);
SELECT is(pg_temp.settle('{5}', '{40}'), '{}', 'a disabled authenticator');
UPDATE wsmfa.authenticator SET disabled_at = NULL, removed_at = t.t0() WHERE id = pg_temp.x(5);
SELECT is(pg_temp.settle('{5}', '{40}'), '{}', 'a removed one');
SELECT t.settle(pg_temp.id(6), NULL, 'wrong', 'totp', ARRAY[pg_temp.x(6)], guess => 'g');
SELECT is(pg_temp.settle('{6}', '{40}', station => 'st-9'), '{}', 'who failed lately goes alone');
INSERT INTO wsmfa.station_wait VALUES (pg_temp.id(7), 'st-1', 1, 1, t.t0('1 min'), t.t0());
SELECT is(pg_temp.settle('{7}', '{40}'), '{}', 'so does who waits');
SELECT is(pg_temp.settle('{7}', '{40}', station => 'st-2'), '{1}', 'not at another station');
UPDATE x SET x = pg_temp.x(7) WHERE i = 8;
SELECT is(pg_temp.settle('{8}', '{50}'), '{}', 'an authenticator of somebody else');
SELECT is(pg_temp.settle('{}', '{}'), '{}', 'nobody');
SELECT * FROM finish();
ROLLBACK;
