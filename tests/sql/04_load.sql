-- login_load: what a first packet gets to know.
BEGIN;
SELECT * FROM no_plan();

CREATE FUNCTION pg_temp.load(account text, at timestamptz DEFAULT t.t0(), station text DEFAULT 'st-1', service text DEFAULT 'elements')
RETURNS SETOF record LANGUAGE sql AS $$ SELECT * FROM wsmfa.login_load($1, '192.0.2.1', $3, $4, $2) $$;
CREATE TEMP TABLE a AS SELECT t.account('alice', phone => '+358401234567') AS alice, t.account('bob', services => '{community}') AS bob,
	t.account('carol', 'Apac Ltd', 'APAC') AS carol;
CREATE TEMP TABLE x AS SELECT t.totp(alice) AS totp, t.totp(alice, NULL) AS unconfirmed, t.sms(alice) AS sms, t.push(alice) AS push,
	t.recovery(alice) AS recovery, t.totp(alice) AS removed FROM a;
UPDATE wsmfa.authenticator SET removed_at = now() WHERE id = (SELECT removed FROM x);
UPDATE wsmfa.authenticator SET disabled_at = '2024-05-01 00:00+00' WHERE id = (SELECT sms FROM x);
UPDATE wsmfa.recovery_code SET used_at = now() WHERE hash IN (t.h('code 1'), t.h('code 2'));
UPDATE wsmfa.account SET password = '{clear}geheim', preferred = 'push', language = 'fi', banner_shown_at = '2024-05-05 00:00+00' WHERE name = 'alice';
UPDATE wsmfa.organization SET allowed_methods = '{totp,push}' WHERE name = 'Acme';
CREATE TEMP VIEW v AS SELECT * FROM wsmfa.login_load('alice', '192.0.2.1', 'st-1', 'elements', t.t0());

SELECT is((SELECT count(*)::integer FROM wsmfa.login_load('nobody', '192.0.2.1', 'st-1', 'elements', t.t0())), 0, 'an unknown account has no row');
SELECT is((SELECT count(*)::integer FROM wsmfa.login_load('ALICE', '192.0.2.1', 'st-1', 'elements', t.t0())), 0, 'the caller folds the name');
SELECT results_eq('SELECT auth_id FROM v', 'SELECT unnest(ARRAY[totp, sms, push, recovery]) FROM x', 'confirmed ones that are not removed, by id');
SELECT results_eq('SELECT auth_kind, auth_disabled_at IS NOT NULL, auth_codes_left FROM v', $$ VALUES ('totp', false, 0), ('sms', true, 0), ('push', false, 0), ('recovery', false, 8) $$,
	'a disabled one is loaded as such; codes left are counted');
SELECT results_eq('SELECT DISTINCT account_id, name, allowed_kinds, region, language, phone, password, preferred, banner_shown_at FROM v',
	$$ SELECT alice, 'alice'::text, 8 + 16, 'EMEA'::text, 'fi', '+358401234567', '{clear}geheim', 'push', timestamptz '2024-05-05 00:00+00' FROM a $$, 'the account');
SELECT results_eq('SELECT DISTINCT in_scope, in_scope_from, stage, announce_from, enforce_from, enforce_on, exempt_until FROM v',
	$$ SELECT true, timestamptz '2024-01-03 00:00+00', 'enforce', announce_from, enforce_from, '2024-04-22', NULL::timestamptz FROM wsmfa.region WHERE code = 'EMEA' $$, 'scope, stage, schedule');
SELECT results_eq('SELECT auth_sealed, auth_algorithm, auth_digits, auth_period, auth_last_step, auth_drift FROM v WHERE auth_kind = ''totp''',
	$$ VALUES ('\x01ab'::bytea, 'sha1', 6::smallint, 30::smallint, -1::bigint, 0) $$, 'columns of totp');
SELECT results_eq('SELECT auth_provider, auth_device FROM v WHERE auth_kind = ''push''', $$ VALUES ('local', 'phone-1') $$, 'of push');
SELECT results_eq('SELECT octet_length(auth_salt), auth_iterations FROM v WHERE auth_kind = ''recovery''', 'VALUES (16, 20000)', 'of recovery');
SELECT is((SELECT count(DISTINCT spare_authenticator_id)::integer FROM v), 0, 'an enrolled account needs no spare id');

-- without authenticators: one row
CREATE TEMP VIEW b AS SELECT * FROM wsmfa.login_load('bob', '192.0.2.1', 'st-1', 'community', t.t0());
SELECT results_eq('SELECT auth_id, auth_kind, in_scope, in_scope_from, allowed_kinds FROM b',
	$$ VALUES (NULL::bigint, NULL::text, false, NULL::timestamptz, 24) $$, 'an account without authenticators is one row');
SELECT isnt((SELECT spare_authenticator_id FROM b), NULL, 'with an id reserved for an enrolment');
SELECT isnt((SELECT spare_authenticator_id FROM b), (SELECT spare_authenticator_id FROM b), 'never the same one twice');
SELECT t.recovery(bob) FROM a;
SELECT isnt((SELECT spare_authenticator_id FROM b), NULL, 'recovery codes are no enrolment');
SELECT t.totp(bob, NULL) FROM a;
SELECT isnt((SELECT spare_authenticator_id FROM b), NULL, 'nor is what was never confirmed');
UPDATE wsmfa.authenticator SET confirmed_at = now(), disabled_at = now() WHERE account_id = (SELECT bob FROM a) AND kind = 'totp';
SELECT is((SELECT max(spare_authenticator_id) FROM b), NULL, 'a disabled one is');
SELECT is((SELECT in_scope FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'nope', t.t0())), true, 'an unknown service requires MFA');
SELECT results_eq($$ SELECT stage, enforce_on FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'elements', t.t0()) $$, $$ VALUES ('announce', '2024-07-31') $$,
	'the date is of the region''s time zone');
INSERT INTO wsmfa.organization_schedule SELECT organization_id, '2024-06-03 09:00+00', 'infinity' FROM wsmfa.account WHERE name = 'carol';
SELECT results_eq($$ SELECT stage, enforce_from, enforce_on FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'elements', t.t0()) $$,
	$$ VALUES ('announce', timestamptz 'infinity', '') $$, 'an organization''s own schedule stands; never has no date');
SELECT is((SELECT stage FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'elements', t.t0('-1 us'))), 'observe', 'to the microsecond');
SELECT is((SELECT l.stage FROM wsmfa.login_load(c.name, '192.0.2.1', 'st-1', 'elements', m) l LIMIT 1), wsmfa.stage_at(c.region, c.organization_id, m),
	format('stage_at says the same: %s at %s', c.name, m))
FROM wsmfa.account c, unnest(ARRAY['2020-01-01 00:00+00', '2024-04-21 20:59:59.999999+00', '2024-04-21 21:00+00', '2030-01-01 00:00+00']::timestamptz[]) m;

-- waits are of the station
INSERT INTO wsmfa.station_wait VALUES ((SELECT alice FROM a), 'st-1', 10, 1, t.t0('1 min'), t.t0()), ((SELECT alice FROM a), 'client:192.0.2.1', 10, 1, t.t0('2 min'), t.t0());
SELECT is((SELECT max(locked_until) FROM v), t.t0('1 min'), 'the station waits');
SELECT is((SELECT max(locked_until) FROM wsmfa.login_load('alice', '192.0.2.1', 'st-2', 'elements', t.t0())), NULL, 'another does not');
SELECT is((SELECT max(locked_until) FROM wsmfa.login_load('alice', '192.0.2.1', '', 'elements', t.t0())), t.t0('2 min'), 'without a station the client waits');
SELECT is((SELECT max(locked_until) FROM wsmfa.login_load('alice', '192.0.2.2', '', 'elements', t.t0())), NULL, 'another client does not');
SELECT is((SELECT max(locked_until) FROM wsmfa.login_load('alice', '192.0.2.1', 'st-1', 'elements', t.t0('59.999999 s'))), t.t0('1 min'), 'until its last microsecond');
SELECT is((SELECT max(locked_until) FROM wsmfa.login_load('alice', '192.0.2.1', 'st-1', 'elements', t.t0('1 min'))), NULL, 'then it is over');

-- exemptions: the latest that is not revoked
INSERT INTO wsmfa.exemption (account_id, until, reason, revoked_at) SELECT alice, m, 'x', r FROM a,
	(VALUES ('2024-07-01 00:00+00'::timestamptz, NULL::timestamptz), ('2024-08-01 00:00+00', NULL), ('2024-09-01 00:00+00', now())) e (m, r);
INSERT INTO wsmfa.exemption (account_id, until, reason, revoked_at) SELECT carol, until, reason, revoked_at FROM a, wsmfa.exemption;
SELECT is((SELECT exempt_until FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'elements', t.t0())), '2024-08-01 00:00+00', 'exempt until');
SELECT is((SELECT max(exempt_until) FROM v), NULL, 'an enrolled account needs none');

-- tickets: the newest that is neither used nor expired, for who is not enrolled
INSERT INTO wsmfa.ticket (account_id, hash, created_at, expires_at, used_at) SELECT carol, t.h(h), c, e, u FROM a, (VALUES
	('old', t.t0('-3 h'), t.t0('1 h'), NULL::timestamptz), ('newest', t.t0('-2 h'), t.t0('1 us'), NULL), ('used', t.t0('-1 h'), t.t0('1 h'), now()),
	('expired', t.t0('-1 h'), t.t0(), NULL)) k (h, c, e, u);
SELECT is((SELECT ticket_hash FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'elements', t.t0())), t.h('newest'), 'the newest valid ticket');
SELECT is((SELECT ticket_hash FROM wsmfa.login_load('carol', '192.0.2.1', 'st-1', 'elements', t.t0('1 us'))), t.h('old'), 'until it expires');
INSERT INTO wsmfa.ticket (account_id, hash, expires_at) SELECT alice, t.h('x'), t.t0('1 h') FROM a;
SELECT is((SELECT max(ticket_hash) FROM (SELECT encode(ticket_hash, 'hex') AS ticket_hash FROM v) y), NULL, 'an enrolled account gets none');

-- failures in the budget's days
INSERT INTO wsmfa.failure (account_id, authenticator_id, at) SELECT alice, totp, m FROM a, x, unnest(ARRAY[t.t0('-720 h'), t.t0('-720 h') + interval '1 us', t.t0('-1 h')]) m;
INSERT INTO wsmfa.failure (account_id, at) SELECT alice, m FROM a, unnest(ARRAY[t.t0('-721 h'), t.t0('-719 h')]) m;
SELECT results_eq('SELECT auth_kind, auth_failures, failures FROM v', $$ VALUES ('totp', 0, 0), ('sms', 0, 0), ('push', 0, 0), ('recovery', 0, 0) $$,
	'not looked at unless the newest one is recent');
UPDATE wsmfa.authenticator SET last_failure_at = t.t0('-1 h') WHERE id = (SELECT totp FROM x);
UPDATE wsmfa.account SET last_failure_at = t.t0('-719 h') WHERE name = 'alice';
SELECT results_eq('SELECT auth_kind, auth_failures, failures FROM v', $$ VALUES ('totp', 2, 1), ('sms', 0, 1), ('push', 0, 1), ('recovery', 0, 1) $$,
	'30 times 24 hours back, the first microsecond outside');
SELECT is((SELECT auth_failures FROM wsmfa.login_load('alice', '192.0.2.1', 'st-1', 'elements', t.t0(), 1) LIMIT 1), 1, 'or as many days as the server is set to');

SELECT * FROM finish();
ROLLBACK;
