-- What administrators do, and the trace it leaves.
BEGIN;
SELECT * FROM no_plan();
CREATE ROLE t_admin LOGIN IN ROLE wsmfa_admin;
CREATE FUNCTION pg_temp.last() RETURNS wsmfa.audit LANGUAGE sql AS $$ SELECT a FROM wsmfa.audit a ORDER BY id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.audited() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM wsmfa.audit $$;

-- audit
SELECT is(t.as_user('t_admin', 'UPDATE wsmfa.region SET enforce_from = ''2025-01-01 00:00+00'' WHERE code = ''APAC'' RETURNING code'), 'APAC', 'an administrator moves a date');
SELECT results_eq('SELECT who, what, table_name, key, before ->> ''enforce_from'', after, account_id FROM pg_temp.last()', $$ VALUES ('t_admin', 'update', 'region', 'APAC', '2024-07-30T21:45:00+05:45', '{"enforce_from": "2025-01-01T05:45:00+05:45"}'::jsonb, NULL::bigint) $$, 'who, what, before and after');
SELECT is(t.as_user('t_admin', 'UPDATE wsmfa.region SET enforce_from = enforce_from WHERE code = ''APAC'' RETURNING code'), 'APAC', 'a change that changes nothing');
SELECT is(pg_temp.audited(), 1::bigint, 'leaves nothing');
SELECT is(t.as_user('t_admin', 'INSERT INTO wsmfa.service (code, name) VALUES (''vpn'', ''VPN'') RETURNING code'), 'vpn', 'a new service');
SELECT results_eq('SELECT what, key, before, after FROM pg_temp.last()', $$ VALUES ('insert', 'vpn', NULL::jsonb, '{"code": "vpn", "name": "VPN", "requires_mfa_from": null}'::jsonb) $$, 'as it is');
DELETE FROM wsmfa.service WHERE code = 'vpn';
SELECT results_eq('SELECT who, what, key, after FROM pg_temp.last()', $$ VALUES ('postgres', 'delete', 'vpn', NULL::jsonb) $$, 'as it was');
CREATE TEMP TABLE a AS SELECT t.account('alice', phone => '+358401234567') AS alice, t.account('bob') AS bob;
UPDATE wsmfa.account SET password = '{clear}geheim' WHERE name = 'alice';
SELECT results_eq('SELECT key, after, account_id FROM pg_temp.last()', $$ SELECT 'alice', '{"password": "changed"}'::jsonb, alice FROM a $$, 'a password is only said to have changed');
UPDATE wsmfa.account SET password = '{clear}anders' WHERE name = 'alice';
SELECT results_eq('SELECT before, after FROM pg_temp.last()', $$ VALUES ('{"password": "set"}'::jsonb, '{"password": "changed"}'::jsonb) $$, 'from one to another');
UPDATE wsmfa.account SET banner_shown_at = now(), last_failure_at = now() WHERE name = 'alice';
CREATE TEMP TABLE n AS SELECT pg_temp.audited() AS n;
CREATE TEMP TABLE x AS SELECT t.totp(alice) AS totp, t.recovery(alice) AS recovery FROM a;
SELECT is((SELECT count(*)::integer FROM wsmfa.audit WHERE table_name = 'authenticator' AND what = 'insert' AND account_id = (SELECT alice FROM a)), 2, 'authenticators');
SELECT t.settle(alice, t.taken(alice, 'totp', 's'), 'right', 'totp', ARRAY[totp], step => 5) FROM a, x;
SELECT t.settle(alice, t.taken(alice, 'totp', 's2'), 'wrong', 'totp', ARRAY[totp], guess => 'g') FROM a, x;
SELECT is(pg_temp.audited(), n + 3, 'what a login changes leaves no trace here') FROM n;
UPDATE wsmfa.authenticator SET disabled_at = now() WHERE id = (SELECT totp FROM x);
SELECT results_eq('SELECT what, (after ->> ''disabled_at'') IS NOT NULL FROM pg_temp.last()', $$ VALUES ('update', true) $$, 'disabling one does');
UPDATE wsmfa.authenticator SET sealed = '\x77' WHERE id = (SELECT totp FROM x);
SELECT results_eq('SELECT before, after FROM pg_temp.last()', $$ VALUES ('{"sealed": "set"}'::jsonb, '{"sealed": "changed"}'::jsonb) $$, 'a key is only said to have changed');
-- recovery codes let in like authenticators
SELECT is(t.as_user('t_admin', format('INSERT INTO wsmfa.recovery_code (authenticator_id, hash) VALUES (%1$s, %2$L), (%1$s, %3$L) RETURNING authenticator_id', recovery, t.h('sneaked'), t.h('in'))), recovery::text, 'an administrator adds codes') FROM x;
SELECT results_eq('SELECT who, what, table_name, key, after, account_id FROM pg_temp.last()', $$ SELECT 't_admin', 'insert', 'recovery_code', recovery::text, '{"codes": 2}'::jsonb, alice FROM a, x $$, 'one row says how many');
CREATE TEMP TABLE n2 AS SELECT pg_temp.audited() AS n;
UPDATE wsmfa.recovery_code SET used_at = now() WHERE hash = t.h('sneaked');
SELECT is(pg_temp.audited(), n, 'a login that uses one up leaves none') FROM n2;
UPDATE wsmfa.recovery_code SET used_at = NULL WHERE hash = t.h('sneaked');
SELECT results_eq('SELECT what, after FROM pg_temp.last()', $$ VALUES ('update', '{"codes": 1}'::jsonb) $$, 'who makes one good again does');
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT bob, '2030-01-01', 'travel' FROM a;
SELECT results_eq('SELECT what, table_name, after ->> ''reason'', account_id FROM pg_temp.last()', $$ SELECT 'insert', 'exemption', 'travel', bob FROM a $$, 'exemptions');
INSERT INTO wsmfa.organization_schedule SELECT id, '2024-01-01', '2025-01-01' FROM wsmfa.organization;
SELECT is((pg_temp.last()).table_name, 'organization_schedule', 'schedules of organizations');
UPDATE wsmfa.organization SET allowed_methods = '{push}';
SELECT is((pg_temp.last()).after, '{"allowed_methods": ["push"]}', 'policies');
INSERT INTO wsmfa.organization_admin SELECT 't_admin', id FROM wsmfa.organization;
SELECT matches((pg_temp.last()).key, '^t_admin/[0-9]+$', 'administrators');
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) SELECT bob, t.h('ticket'), now() FROM a;
SELECT is((pg_temp.last()).after ->> 'hash', 'set', 'tickets, without their hash');
INSERT INTO wsmfa.account_service SELECT bob, 'community' FROM a;
SELECT matches((pg_temp.last()).key, '^[0-9]+/community$', 'services of accounts');
SELECT is_empty($$ SELECT * FROM wsmfa.audit WHERE before::text || after::text ~ 'geheim|anders|01ab|5a5a|clear' OR after::text ~ 'geheim|anders|01ab|5a5a|clear' $$, 'never a secret');
SELECT isnt_empty($$ SELECT * FROM wsmfa.audit WHERE after::text ~ '358401234567' $$, 'control: other values are there');

-- unlock
INSERT INTO wsmfa.station_wait SELECT alice, 'st', 12, 3, now() + interval '1 h', now() FROM a;
INSERT INTO wsmfa.failure (account_id, authenticator_id, at) SELECT alice, totp, now() FROM a, x, generate_series(1, 40);
INSERT INTO wsmfa.failure (account_id, at) SELECT alice, now() FROM a;
UPDATE wsmfa.authenticator SET consecutive = 100, last_failure_at = now(), disabled_at = now(), disabled_reason = 'failures' WHERE id = (SELECT totp FROM x);
UPDATE wsmfa.authenticator SET disabled_at = now(), disabled_reason = 'lost' WHERE id = (SELECT recovery FROM x);
SELECT is(t.as_user('t_admin', 'SELECT wsmfa.account_unlock(''Alice'')'), 'true', 'unlock');
SELECT is((SELECT count(*)::integer FROM wsmfa.station_wait) + (SELECT count(*)::integer FROM wsmfa.failure), 0, 'ends waits and gives a fresh budget');
SELECT results_eq('SELECT disabled_reason, consecutive, last_failure_at FROM wsmfa.authenticator ORDER BY id', $$ VALUES (NULL, 0, NULL::timestamptz), ('lost', 0, NULL) $$, 'enables what failures disabled, and nothing else');
SELECT results_eq('SELECT who, what, key FROM pg_temp.last()', $$ VALUES ('t_admin', 'unlock', 'alice') $$, 'and says so');
SELECT is(wsmfa.account_unlock('nobody'), false, 'of an unknown account');

-- who gives a fresh budget leaves a trace, by the function or by hand
UPDATE wsmfa.authenticator SET consecutive = 30, last_failure_at = now(), disabled_at = NULL, disabled_reason = NULL WHERE id = (SELECT totp FROM x);
INSERT INTO wsmfa.failure (account_id, authenticator_id, at) SELECT alice, totp, now() FROM a, x, generate_series(1, 30);
INSERT INTO wsmfa.failure (account_id, at) SELECT alice, now() FROM a;
SELECT is(t.as_user('t_admin', format('SELECT wsmfa.authenticator_enable(%s, %s)', bob, totp)), 'false', 'enabling another''s finds none') FROM a, x;
SELECT is(t.as_user('t_admin', format('SELECT wsmfa.authenticator_enable(%s, %s)', alice, totp)), 'true', 'enabling one that is enabled') FROM a, x;
SELECT results_eq('SELECT consecutive, last_failure_at FROM wsmfa.authenticator WHERE id = (SELECT totp FROM x)', $$ VALUES (0, NULL::timestamptz) $$, 'gives it a fresh budget');
SELECT results_eq('SELECT count(*)::integer, bool_and(authenticator_id IS NULL) FROM wsmfa.failure', $$ VALUES (1, true) $$, 'and nothing else');
SELECT results_eq('SELECT who, what, table_name, key, account_id FROM pg_temp.last()', $$ SELECT 't_admin', 'unlock', 'authenticator', totp::text, alice FROM a, x $$, 'and says so');
SELECT matches(t.as_user('t_admin', 'DELETE FROM wsmfa.' || f), '42501', 'an administrator does not delete by hand: ' || f) FROM unnest('{failure,station_wait,audit,event}'::text[]) f;
UPDATE wsmfa.authenticator SET last_failure_at = now() WHERE id = (SELECT totp FROM x);
CREATE TEMP TABLE n3 AS SELECT pg_temp.audited() AS n;
UPDATE wsmfa.authenticator SET last_failure_at = now() + interval '1 s' WHERE id = (SELECT totp FROM x);
UPDATE wsmfa.account SET last_failure_at = now() WHERE name = 'alice';
SELECT is(pg_temp.audited(), n, 'control: a failure is no change') FROM n3;
SELECT is(t.as_user('t_admin', format('UPDATE wsmfa.authenticator SET last_failure_at = NULL WHERE id = %s RETURNING id', totp)), totp::text, 'by hand') FROM x;
SELECT results_eq('SELECT who, what, table_name, key, before ? ''last_failure_at'', after, account_id FROM pg_temp.last()', $$ SELECT 't_admin', 'update', 'authenticator', totp::text, true, '{"last_failure_at": null}'::jsonb, alice FROM a, x $$, 'it is told too');
UPDATE wsmfa.account SET last_failure_at = NULL WHERE name = 'alice';
SELECT results_eq('SELECT table_name, key, account_id FROM pg_temp.last()', $$ SELECT 'account', 'alice', alice FROM a $$, 'the account''s own as well');
SELECT is(t.as_user('t_admin', format('DELETE FROM wsmfa.recovery_code WHERE hash = %L RETURNING authenticator_id', t.h('sneaked'))), recovery::text, 'an administrator takes a code away') FROM x;
SELECT results_eq('SELECT who, what, table_name, key, before, account_id FROM pg_temp.last()', $$ SELECT 't_admin', 'delete', 'recovery_code', recovery::text, '{"codes": 1}'::jsonb, alice FROM a, x $$, 'that is told');

-- deleting leaves what was, whole, but for secrets
CREATE TEMP TABLE kept AS SELECT t.account('carol') AS carol;
CREATE TEMP TABLE kept_x AS SELECT t.totp(carol) AS totp, t.recovery(carol) AS recovery FROM kept;
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT carol, '2030-01-01', 'travel' FROM kept;
INSERT INTO wsmfa.region VALUES ('MARS', 'Mars', 'UTC', '2030-01-01', '2031-01-01');
SELECT doesnt_match(t.as_user('t_admin', s), 'ERROR', 'an administrator: ' || left(s, 40)) FROM kept, kept_x, unnest(ARRAY[format('DELETE FROM wsmfa.authenticator WHERE id = %s RETURNING 1', kept_x.totp), format('DELETE FROM wsmfa.authenticator WHERE id = %s RETURNING 1', kept_x.recovery),
	format('UPDATE wsmfa.exemption SET until = ''2031-01-01'' WHERE account_id = %s RETURNING 1', carol), format('DELETE FROM wsmfa.exemption WHERE account_id = %s RETURNING 1', carol), 'DELETE FROM wsmfa.organization_schedule RETURNING 1', 'DELETE FROM wsmfa.region WHERE code = ''MARS'' RETURNING 1']) s;
SELECT set_eq($$ SELECT table_name, what, coalesce(before ->> 'kind', before ->> 'until', before ->> 'code', before ->> 'announce_from'), after ->> 'until' FROM wsmfa.audit WHERE who = 't_admin' AND (account_id = (SELECT carol FROM kept) OR table_name = 'organization_schedule' OR key = 'MARS') $$,
	$$ VALUES ('authenticator', 'delete', 'totp', NULL), ('authenticator', 'delete', 'recovery', NULL), ('exemption', 'update', '2030-01-01T00:00:00+05:45', '2031-01-01T00:00:00+05:45'), ('exemption', 'delete', '2031-01-01T00:00:00+05:45', NULL),
		('organization_schedule', 'delete', '2024-01-01T00:00:00+05:45', NULL), ('region', 'delete', 'MARS', NULL) $$, 'who deleted what, and what it was');

-- erase
SELECT wsmfa.events_add(jsonb_build_array(jsonb_build_object('at', 1717405200000000, 'account_id', alice, 'account', 'alice', 'station', 'st', 'outcome', 'accepted', 'method', 'totp'), jsonb_build_object('at', 1717405200000000, 'account', 'alice', 'station', 'st', 'outcome', 'denied'))) FROM a;
SELECT t.open(alice, 'sms', 'sms', code => 'c') FROM a;
SELECT is(t.as_user('t_admin', 'SELECT wsmfa.account_erase(''ALICE'')'), 'true', 'erase');
SELECT wsmfa.events_add(jsonb_build_array(jsonb_build_object('at', 1717405200000000, 'account_id', alice, 'account', 'alice', 'station', 'st', 'outcome', 'expired'))) FROM a;
SELECT is((SELECT count(*)::integer FROM wsmfa.account WHERE name = 'alice') + (SELECT count(*)::integer FROM wsmfa.challenge) + (SELECT count(*)::integer FROM wsmfa.sent) + (SELECT count(*)::integer FROM wsmfa.account_seen), 0, 'removes a person');
SELECT results_eq('SELECT account, calling_station, organization, outcome, method FROM wsmfa.login_event ORDER BY outcome', $$ VALUES (NULL, NULL, 'Acme', 'accepted', 'totp'), (NULL, NULL, NULL, 'denied', NULL), (NULL, NULL, NULL, 'expired', NULL) $$, 'counts stay, and no name comes after');
SELECT is_empty($$ SELECT * FROM wsmfa.audit WHERE key ~ 'alice' OR before::text ~ 'alice|358401234567' OR after::text ~ 'alice|358401234567' $$, 'no name is left in the audit');
SELECT results_eq('SELECT who, what, key FROM pg_temp.last()', $$ VALUES ('t_admin', 'erase', 'erased') $$, 'that it happened is');
SELECT is((SELECT count(*)::integer FROM wsmfa.audit WHERE key = 'bob' AND what = 'insert'), 1, 'control: others are');
SELECT is(wsmfa.account_erase('alice'), false, 'of an unknown account');

-- sweep
INSERT INTO wsmfa.failure (account_id, at) SELECT bob, t.t0() - d FROM a, unnest('{366 days 1 us,366 days}'::interval[]) d;
INSERT INTO wsmfa.station_wait SELECT bob, d::text, 1, 0, NULL, t.t0() - d FROM a, unnest('{30 days 1 us,30 days}'::interval[]) d;
INSERT INTO wsmfa.sent (at, channel) SELECT t.t0() - d, 'sms' FROM unnest('{7 days 1 us,7 days}'::interval[]) d;
INSERT INTO wsmfa.account_seen SELECT x FROM (SELECT 987654 UNION ALL SELECT bob FROM a) s (x);
SELECT wsmfa.heartbeat(d::text, '1', now(), t.t0() - d, 'running', 0, NULL, NULL, 30, 30) FROM unnest('{30 days 1 us,30 days}'::interval[]) d;
SELECT t.open(bob, 'totp', 'q' || d, t.t0('-120 s') - d) FROM a, unnest('{1 h}'::interval[]) d;
SELECT t.open(bob, 'totp', 'old', t.t0('-120 s -1 h -1 us')) FROM a;
INSERT INTO wsmfa.event (at, outcome) VALUES (t.t0('-14 months'), 'accepted'), (t.t0(), 'accepted');
SELECT results_eq('SELECT * FROM wsmfa.sweep(t.t0())', $$ VALUES ('challenge', 1::bigint), ('failure', 1), ('station_wait', 1), ('sent', 1), ('account_seen', 1), ('server', 1), ('event partitions made', 4), ('event partitions dropped', 0) $$, 'sweep prunes what no rule looks at');
SELECT results_eq('SELECT rows FROM wsmfa.sweep(t.t0())', $$ VALUES (0::bigint), (0), (0), (0), (0), (0), (0), (0) $$, 'once');
SELECT is((SELECT count(*)::integer FROM wsmfa.event), 4, 'and events beyond their time');
SELECT is((SELECT count(*)::integer FROM wsmfa.failure) + (SELECT count(*)::integer FROM wsmfa.station_wait) + (SELECT count(*)::integer FROM wsmfa.sent) + (SELECT count(*)::integer FROM wsmfa.server) + (SELECT count(*)::integer FROM wsmfa.challenge), 5, 'the rest stays');
SELECT doesnt_match(t.as_user('t_admin', 'SELECT count(*) FROM wsmfa.sweep()'), 'ERROR', 'an administrator may');

SELECT * FROM finish();
ROLLBACK;
