-- Events: batches, partitions that make themselves and go, when accounts were last seen, heartbeats.
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP TABLE a AS SELECT t.account('alice') AS alice, t.account('bob') AS bob;
CREATE FUNCTION pg_temp.us(timestamptz) RETURNS bigint LANGUAGE sql AS $$ SELECT (extract(epoch FROM date_trunc('second', $1)) * 1000000)::bigint + extract(microseconds FROM $1)::bigint % 1000000 $$;
CREATE FUNCTION pg_temp.add(variadic jsonb[]) RETURNS bigint LANGUAGE sql AS $$ SELECT wsmfa.events_add(to_jsonb($1)) $$;

SELECT is(pg_temp.add(jsonb_build_object('at', pg_temp.us('2024-06-03 09:00:00.123457+00'), 'account_id', alice, 'account', 'alice', 'client', '192.0.2.1', 'station', 'st-1',
	'service', 'elements', 'region', 'EMEA', 'stage', 'enforce', 'decision', 'challenge', 'method', 'totp', 'outcome', 'accepted', 'reason', 'proven')), 1::bigint, 'an event') FROM a;
SELECT results_eq('SELECT at, account, organization, client, calling_station, service, region, stage, decision, method, outcome, reason, count FROM wsmfa.login_event',
	$$ VALUES (timestamptz '2024-06-03 09:00:00.123457+00', 'alice', 'Acme', '192.0.2.1', 'st-1', 'elements', 'EMEA', 'enforce', 'challenge', 'totp', 'accepted', 'proven', 1) $$, 'as it is read');
SELECT is(wsmfa.events_add('[]'), 0::bigint, 'none');
SELECT is(pg_temp.add('{"at": 1717405200000000, "account_id": 0, "account": "nobody", "outcome": "failed_first_factor", "count": 7}', '{}', '{"account": "", "outcome": "", "count": 0, "at": 1717405200000000}'), 3::bigint, 'incomplete ones are written too');
SELECT results_eq('SELECT account, outcome, count FROM wsmfa.event WHERE at = ''2024-06-03 09:00+00'' ORDER BY count', $$ VALUES (NULL, 'error', 1), ('nobody', 'failed_first_factor', 7) $$, 'what is missing is null, an outcome is never');
SELECT is((SELECT count(*)::integer FROM wsmfa.event WHERE at = statement_timestamp()), 0, 'control: a time of its own');
SELECT is((SELECT count(*)::integer FROM wsmfa.event WHERE at > now() - interval '1 min'), 1, 'without a time it is now');
SELECT is(wsmfa.events_add(jsonb_build_array(jsonb_build_object('station', repeat('x', 300), 'reason', repeat('y', 99), 'outcome', 'denied'))), 1::bigint, 'too long ones');
SELECT is((SELECT max(length(station)) FROM wsmfa.event), 253, 'are cut');
SELECT is(t.try($$ SELECT wsmfa.events_add('{"at": 1}') $$), '22023: cannot call jsonb_to_recordset on a non-array', 'an object is no array');

-- wrong passwords: one event an account, client and minute, visible at once
CREATE FUNCTION pg_temp.wrong(name text, client text, at timestamptz) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('at', pg_temp.us($3), 'account', $1, 'client', $2, 'outcome', 'failed_first_factor', 'reason', 'wrong_password') $$;
SELECT pg_temp.add(pg_temp.wrong('mallory', 'c1', '2024-06-03 10:00:05+00'), pg_temp.wrong('mallory', 'c1', '2024-06-03 10:00:59.999999+00'), pg_temp.wrong('mallory', 'c1', '2024-06-03 10:01:00+00'), pg_temp.wrong('mallory', 'c2', '2024-06-03 10:00:05+00'));
SELECT pg_temp.add(pg_temp.wrong('mallory', 'c1', '2024-06-03 10:00:30+00'), pg_temp.wrong('eve', 'c1', '2024-06-03 10:00:30+00'));
SELECT results_eq($$ SELECT account, client, at, count FROM wsmfa.login_event WHERE outcome = 'failed_first_factor' AND at BETWEEN '2024-06-03 10:00+00' AND '2024-06-03 11:00+00' ORDER BY 1, 2, 3 $$,
	$$ VALUES ('eve', 'c1', timestamptz '2024-06-03 10:00:30+00', 1), ('mallory', 'c1', '2024-06-03 10:00:05+00', 3), ('mallory', 'c1', '2024-06-03 10:01:00+00', 1), ('mallory', 'c2', '2024-06-03 10:00:05+00', 1) $$, 'wrong passwords add up');
SELECT pg_temp.add(jsonb_build_object('at', pg_temp.us('2024-06-03 10:00:05+00'), 'account', 'mallory', 'client', 'c1', 'outcome', 'denied'), jsonb_build_object('at', pg_temp.us('2024-06-03 10:00:06+00'), 'account', 'mallory', 'client', 'c1', 'outcome', 'denied'));
SELECT is((SELECT count(*)::integer FROM wsmfa.event WHERE account = 'mallory' AND outcome = 'denied'), 2, 'control: others do not');

SELECT pg_temp.add(pg_temp.wrong('mallory', 'c3', '2024-06-03 10:00:05+00') || '{"reason": "unknown_account", "decision": "deny"}', pg_temp.wrong('mallory', 'c3', '2024-06-03 10:00:06+00') || '{"reason": "unknown_account", "decision": "deny"}');
SELECT results_eq($$ SELECT DISTINCT reason, decision, count FROM wsmfa.login_event WHERE account = 'mallory' AND outcome = 'failed_first_factor' AND client IN ('c2', 'c3') ORDER BY 1 $$,
	$$ VALUES ('unknown_account', 'deny', 2), ('wrong_password', NULL, 1) $$, 'an unknown name is decided on, a wrong password is not');

-- an answer that was settled before: its event stands where the first one was lost
CREATE FUNCTION pg_temp.got_in(account_id bigint, second text, again boolean DEFAULT false, outcome text DEFAULT 'accepted') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('at', pg_temp.us(('2024-06-04 10:00:' || $2 || '+00')::timestamptz), 'account_id', $1, 'outcome', $4) || CASE WHEN $3 THEN '{"again": true}' ELSE '{}' END::jsonb $$;
INSERT INTO wsmfa.account (id, name, organization_id, region) SELECT 900 + n, 'got-in-' || n, min(o.id), 'EMEA' FROM wsmfa.organization o, generate_series(1, 4) n GROUP BY n;
SELECT pg_temp.add(pg_temp.got_in(901, '00'), pg_temp.got_in(902, '00', outcome => 'error'));
SELECT is(pg_temp.add(pg_temp.got_in(901, '10', true), pg_temp.got_in(902, '10', true), pg_temp.got_in(902, '10.5', true), pg_temp.got_in(903, '10', true)), 2::bigint, 'a repeat in one batch with another');
SELECT is(pg_temp.add(pg_temp.got_in(902, '12', true)), 0::bigint, 'and after it');
SELECT is(pg_temp.add(pg_temp.got_in(901, '10.000001', true), pg_temp.got_in(903, '21'), pg_temp.got_in(903, '31.1', true)), 3::bigint, 'nothing of more than 10 s ago counts');
SELECT is(pg_temp.add(pg_temp.got_in(903, '15', true), pg_temp.got_in(904, '05', true), pg_temp.got_in(904, '15')), 1::bigint, 'but what another clock calls later');
SELECT results_eq($$ SELECT account_id, extract(second FROM at)::numeric(9, 6) FROM wsmfa.event WHERE account_id BETWEEN 901 AND 904 AND outcome = 'accepted' ORDER BY 1, 2 $$,
	$$ VALUES (901::bigint, 0.0), (901, 10.000001), (902, 10.0), (903, 10.0), (903, 21.0), (903, 31.1), (904, 15.0) $$, 'those are there');
SELECT pg_temp.add(pg_temp.got_in(901, '40') || '{"client": "c1"}', pg_temp.got_in(902, '40') || '{"client": "c1", "station": "st-1"}');
SELECT is(pg_temp.add(pg_temp.got_in(901, '41', true) || '{"client": "c1"}', pg_temp.got_in(902, '41', true) || '{"client": "c1", "station": "st-1"}', pg_temp.got_in(902, '42', true) || '{"client": "c1"}'), 0::bigint, 'a repeat comes by the same client and station, if it tells that');
SELECT is(pg_temp.add(pg_temp.got_in(901, '42', true) || '{"client": "c2"}', pg_temp.got_in(902, '42', true) || '{"client": "c1", "station": "st-2"}'), 2::bigint, 'another login of the account is not the event of then');
SELECT is(pg_temp.add(pg_temp.got_in(903, '40') || '{"client": "c1"}', pg_temp.got_in(903, '41', true) || '{"client": "c2"}', pg_temp.got_in(903, '41', true) || '{"client": "c1"}'), 2::bigint, 'in one batch neither');
DELETE FROM wsmfa.account WHERE id BETWEEN 901 AND 904;

-- written after its account was erased: neither name nor station comes back
SELECT pg_temp.add(jsonb_build_object('at', pg_temp.us('2024-05-03 10:00:05+00'), 'account_id', 987654, 'account', 'erased', 'station', 'st-9', 'client', 'c1', 'outcome', o), jsonb_build_object('at', pg_temp.us('2024-05-03 10:00:06+00'), 'account_id', 0, 'account', 'typed', 'station', 'st-9', 'client', 'c1', 'outcome', o)) FROM unnest('{denied,failed_first_factor}'::text[]) o;
SELECT results_eq($$ SELECT outcome, account_id, account, station, client, count FROM wsmfa.event WHERE at BETWEEN '2024-05-03' AND '2024-05-04' ORDER BY outcome, at $$,
	$$ VALUES ('denied', NULL::bigint, NULL, NULL, 'c1', 1), ('denied', NULL, 'typed', 'st-9', 'c1', 1), ('failed_first_factor', NULL, NULL, NULL, 'c1', 1), ('failed_first_factor', NULL, 'typed', 'st-9', 'c1', 1) $$, 'of an account that is no more only the count is kept; a name that never was one is');

-- last seen
SELECT results_eq('SELECT last_login, last_mfa_login FROM wsmfa.account_seen', $$ VALUES (timestamptz '2024-06-03 09:00:00.123457+00', timestamptz '2024-06-03 09:00:00.123457+00') $$, 'seen');
SELECT pg_temp.add(jsonb_build_object('at', pg_temp.us('2024-06-04 00:00+00'), 'account_id', alice, 'outcome', 'accepted'), jsonb_build_object('at', pg_temp.us('2024-06-02 00:00+00'), 'account_id', alice, 'outcome', 'accepted', 'method', 'sms'),
	jsonb_build_object('at', pg_temp.us('2024-06-05 00:00+00'), 'account_id', alice, 'outcome', 'denied', 'method', 'sms'), jsonb_build_object('at', pg_temp.us('2024-06-05 00:00+00'), 'account_id', 987654, 'outcome', 'accepted')) FROM a;
SELECT results_eq('SELECT last_login, last_mfa_login FROM wsmfa.account_seen', $$ VALUES (timestamptz '2024-06-04 00:00+00', timestamptz '2024-06-03 09:00:00.123457+00') $$, 'only an accept counts, only later ones, with a method or without');
SELECT pg_temp.add(jsonb_build_object('at', pg_temp.us('2024-06-05 00:00+00'), 'account_id', bob, 'outcome', 'accepted', 'method', 'none')) FROM a;
SELECT is((SELECT last_mfa_login FROM wsmfa.account_seen WHERE account_id = (SELECT bob FROM a)), NULL, 'none is no method');

-- partitions
SELECT is((SELECT tableoid::regclass::text FROM wsmfa.event WHERE at > now() - interval '1 min' LIMIT 1), 'wsmfa.event_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'), 'this month''s partition is there');
SELECT is((SELECT tableoid::regclass::text FROM wsmfa.event WHERE account = 'alice'), 'wsmfa.event_default', 'what has none goes to the default');
SELECT is(wsmfa.event_partitions('2024-05-31 23:00:00-02', 1), 2, 'two months are missing: UTC decides which');
SELECT is((SELECT tableoid::regclass::text FROM wsmfa.event WHERE account = 'alice'), 'wsmfa.event_2024_06', 'events move out of the default');
SELECT has_table('wsmfa', 'event_2024_07', 'and the next is ready');
SELECT is(wsmfa.event_partitions('2024-05-31 23:00:00-02', 1), 0, 'nothing to do twice');
SELECT is((SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'event_2024_07'), $$FOR VALUES FROM ('2024-07-01 05:45:00+05:45') TO ('2024-08-01 05:45:00+05:45')$$, 'its bounds are UTC''s');
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL timezone = 'Asia/Kolkata';
SELECT isnt('2024-09-01 00:00+00'::timestamptz::text::timestamptz, '2024-09-01 00:00+00', 'control: a time is not read as it was written');
SELECT is(wsmfa.event_partitions('2024-09-15 00:00+00', 0), 1, 'whatever the session''s forms of time are');
RESET datestyle;
RESET timezone;
SELECT is((SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'event_2024_09'), $$FOR VALUES FROM ('2024-09-01 05:45:00+05:45') TO ('2024-10-01 05:45:00+05:45')$$, 'its bounds are the same');
SELECT is((SELECT count(*)::integer FROM pg_index WHERE indrelid = 'wsmfa.event_2024_06'::regclass), 4, 'with the indexes');
SELECT isnt(obj_description('wsmfa.event_2024_06'::regclass), NULL, 'and a comment');
DO $$ BEGIN EXECUTE 'DROP TABLE wsmfa.event_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM'); END $$;
SELECT wsmfa.events_add('[]');
SELECT has_table('wsmfa', 'event_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM'), 'a batch makes next month''s partition when it is missing');
INSERT INTO wsmfa.event (at, outcome) VALUES ('2023-01-01 00:00+00', 'accepted'), ('2024-06-30 23:59:59+00', 'accepted');
SELECT is(wsmfa.event_partitions_drop('2025-07-31 23:59+00'), 0, '13 months back is June');
SELECT is((SELECT count(*)::integer FROM wsmfa.event WHERE at < '2024-01-01'), 0, 'older ones go out of the default');
SELECT is(wsmfa.event_partitions_drop('2025-08-01 00:00+00'), 1, 'a minute later it goes');
SELECT hasnt_table('wsmfa', 'event_2024_06', 'June');
SELECT has_table('wsmfa', 'event_2024_07', 'not July');
SELECT is(t.try('SELECT wsmfa.event_partitions_drop(now(), 0)'), 'P0001: events are kept for at least 1 month', 'at least one month is kept');

-- heartbeats
SELECT wsmfa.heartbeat('radius-1', '1.0', '2024-06-01 00:00+00', '2024-06-03 00:00+00', 'running', 3, '{"gateway": "open"}', '{"accepted": 5}', 20, 10);
SELECT wsmfa.heartbeat('radius-1', '1.1', '2024-06-02 00:00+00', '2024-06-04 00:00+00', 'running', 0, NULL, NULL, 25, 10);
SELECT results_eq('SELECT name, version, at, parked, breakers, counters FROM wsmfa.server', $$ VALUES ('radius-1', '1.1', timestamptz '2024-06-04 00:00+00', 0, '{}'::jsonb, '{}'::jsonb) $$, 'a row a server');
SELECT results_eq('SELECT failure_budget, failure_time FROM wsmfa.failure_policy', $$ VALUES (25, interval '240 h') $$, 'tells the views the budget');
SELECT is((SELECT keys FROM wsmfa.server), NULL, 'a server of before does not tell its keys');
SELECT wsmfa.heartbeat('radius-1', '1.2', '2024-06-02 00:00+00', '2024-06-04 00:00+00', 'running', 0, NULL, NULL, 25, 10, '{second,first}');
SELECT is((SELECT keys FROM wsmfa.server), '{second,first}', 'one of now does');
SELECT wsmfa.heartbeat('radius-1', '1.1', '2024-06-02 00:00+00', '2024-06-04 00:00+00', 'running', 0, NULL, NULL, 25, 10);
SELECT is((SELECT keys FROM wsmfa.server), NULL, 'until the one of before is back');
SELECT wsmfa.heartbeat('radius-2', '1.1', '2024-06-02 00:00+00', '2024-06-03 00:00+00', 'running', 0, NULL, NULL, 99, 9);
SELECT is((SELECT failure_budget FROM wsmfa.failure_policy), 25, 'the newest one does');
DELETE FROM wsmfa.server;
SELECT results_eq('SELECT failure_budget, failure_time FROM wsmfa.failure_policy', $$ VALUES (30, interval '720 h') $$, '30 in 30 days without any');

SELECT * FROM finish();
ROLLBACK;
