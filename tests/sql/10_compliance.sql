-- The compliance views: that they say what a login would get, and that their sums add up.
BEGIN;
SELECT * FROM no_plan();

-- one account for each row of the decision table
CREATE FUNCTION pg_temp.totp_of(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT t.totp(id) FROM wsmfa.account WHERE account.name = $1 $$;
SELECT t.account(n, 'Rows', r, s) FROM (VALUES ('disabled', 'EMEA', '{elements}'::text[]), ('locked', 'EMEA', '{elements}'), ('challenge', 'EMEA', '{elements,community}'), ('unusable', 'EMEA', '{elements}'),
	('notinscope', 'EMEA', '{community}'), ('observe', 'AMER', '{elements}'), ('announce', 'APAC', '{elements}'), ('exempt', 'EMEA', '{elements}'), ('enroll', 'EMEA', '{elements}'),
	('fido', 'EMEA', '{elements}'), ('forbidden', 'EMEA', '{elements}'), ('recoveryonly', 'EMEA', '{elements}'), ('rescued', 'EMEA', '{elements}'), ('none', 'EMEA', '{}')) v (n, r, s);
UPDATE wsmfa.region SET announce_from = '2024-07-01 00:00+00', enforce_from = '2024-08-01 00:00+00' WHERE code = 'AMER';
SELECT pg_temp.totp_of(n) FROM unnest('{disabled,locked,challenge,unusable,forbidden,rescued}'::text[]) n;
UPDATE wsmfa.account SET disabled_at = t.t0() WHERE name = 'disabled';
INSERT INTO wsmfa.station_wait SELECT id, s, 10, 1, u, t.t0() FROM wsmfa.account, (VALUES ('a', t.t0('-1 s')), ('b', t.t0('10 min')), ('c', t.t0('5 min'))) w (s, u) WHERE name = 'locked';
UPDATE wsmfa.authenticator SET disabled_at = t.t0() WHERE account_id IN (SELECT id FROM wsmfa.account WHERE name IN ('unusable', 'rescued'));
SELECT t.recovery(id) FROM wsmfa.account WHERE name IN ('recoveryonly', 'rescued');
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, t.t0('1 h'), 'x' FROM wsmfa.account WHERE name = 'exempt';
INSERT INTO wsmfa.authenticator (account_id, kind, confirmed_at) SELECT id, 'fido2', '2024-01-04' FROM wsmfa.account WHERE name = 'fido';
INSERT INTO wsmfa.organization (name, allowed_methods) VALUES ('Strict', '{push}');
UPDATE wsmfa.account SET organization_id = (SELECT id FROM wsmfa.organization WHERE name = 'Strict') WHERE name = 'forbidden';
SELECT results_eq($$ SELECT account, in_scope, stage, methods, strongest, enrolled, exempt_until, locked_until, compliant, next_login FROM wsmfa.compliance_at(t.t0()) ORDER BY account $$, $$ VALUES
	('announce', true, 'announce', '{}'::text[], NULL, false, NULL::timestamptz, NULL::timestamptz, false, 'accept_with_banner'),
	('challenge', true, 'enforce', '{totp}', 'totp', true, NULL, NULL, true, 'challenge'),
	('disabled', true, 'enforce', '{totp}', 'totp', true, NULL, NULL, true, 'deny'),
	('enroll', true, 'enforce', '{}', NULL, false, NULL, NULL, false, 'enroll'),
	('exempt', true, 'enforce', '{}', NULL, false, t.t0('1 h'), NULL, false, 'accept_with_banner'),
	('fido', true, 'enforce', '{fido2}', 'fido2', true, NULL, NULL, false, 'deny'),
	('forbidden', true, 'enforce', '{totp}', 'totp', true, NULL, NULL, false, 'deny'),
	('locked', true, 'enforce', '{totp}', 'totp', true, NULL, t.t0('10 min'), true, 'deny'),
	('none', false, 'enforce', '{}', NULL, false, NULL, NULL, true, 'accept'),
	('notinscope', false, 'enforce', '{}', NULL, false, NULL, NULL, true, 'accept'),
	('observe', true, 'observe', '{}', NULL, false, NULL, NULL, false, 'accept'),
	('recoveryonly', true, 'enforce', '{recovery}', 'recovery', false, NULL, NULL, false, 'enroll'),
	('rescued', true, 'enforce', '{recovery}', 'recovery', true, NULL, NULL, true, 'challenge'),
	('unusable', true, 'enforce', '{}', NULL, true, NULL, NULL, false, 'deny') $$, 'a row of the decision table each');
SELECT results_eq($$ SELECT next_login, exempt_until, compliant FROM wsmfa.compliance_at(t.t0('1 h')) WHERE account = 'exempt' $$, $$ VALUES ('enroll', NULL::timestamptz, false) $$, 'an exemption ends at its end');
SELECT results_eq($$ SELECT next_login, locked_until FROM wsmfa.compliance_at(t.t0('10 min')) WHERE account = 'locked' $$, $$ VALUES ('challenge', NULL::timestamptz) $$, 'a wait too');
SELECT results_eq($$ SELECT c.stage, c.next_login, c.days_left FROM wsmfa.region r, LATERAL wsmfa.compliance_at(r.enforce_from - interval '1 us') c WHERE account = 'announce' AND r.code = 'APAC' $$, $$ VALUES ('announce', 'accept_with_banner', 0) $$, 'the microsecond before');
SELECT results_eq($$ SELECT c.stage, c.next_login, c.days_left FROM wsmfa.region r, LATERAL wsmfa.compliance_at(r.enforce_from) c WHERE account = 'announce' AND r.code = 'APAC' $$, $$ VALUES ('enforce', 'enroll', NULL::integer) $$, 'enforcement');
SELECT results_eq($$ SELECT organization, region, services, announce_from, enforce_from, days_left FROM wsmfa.compliance_at('2024-07-30 15:59+00') WHERE account = 'announce' $$,
	$$ SELECT 'Rows', code, '{elements}'::text[], announce_from, enforce_from, 0 FROM wsmfa.region WHERE code = 'APAC' $$, 'what stands beside it');
SELECT is((SELECT services FROM wsmfa.mfa_status WHERE account = 'challenge'), '{community,elements}', 'services in order');
SELECT set_eq('SELECT * FROM wsmfa.mfa_status', 'SELECT * FROM wsmfa.compliance_at(statement_timestamp())', 'mfa_status is compliance_at of now');
INSERT INTO wsmfa.organization_schedule SELECT organization_id, '2020-01-01', 'infinity' FROM wsmfa.account WHERE name = 'enroll';
SELECT results_eq($$ SELECT stage, days_left, next_login FROM wsmfa.compliance_at(t.t0()) WHERE account = 'enroll' $$, $$ VALUES ('announce', NULL::integer, 'accept_with_banner') $$, 'an organization''s own schedule');
DELETE FROM wsmfa.organization_schedule;
-- last seen
UPDATE wsmfa.authenticator SET last_used_at = '2024-05-02 00:00+00' WHERE account_id = (SELECT id FROM wsmfa.account WHERE name = 'challenge');
INSERT INTO wsmfa.account_seen SELECT id, '2024-05-01 00:00+00', '2024-04-01 00:00+00' FROM wsmfa.account WHERE name IN ('challenge', 'notinscope');
SELECT results_eq($$ SELECT account, last_login, last_mfa_login FROM wsmfa.mfa_status WHERE last_login IS NOT NULL ORDER BY account $$,
	$$ VALUES ('challenge', timestamptz '2024-05-02 00:00+00', timestamptz '2024-05-02 00:00+00'), ('notinscope', '2024-05-01 00:00+00', '2024-04-01 00:00+00') $$, 'the newest of events and authenticators');

-- who will be stopped
SELECT t.account('exempt beyond', 'Rows', 'APAC'), t.account('exempt until', 'Rows', 'APAC'), t.account('later in scope', 'Rows', 'APAC', '{community}'), t.account('not in scope', 'Rows', 'APAC', '{partner_portal}'),
	t.account('ready', 'Rows', 'APAC'), t.account('gone', 'Rows', 'APAC');
UPDATE wsmfa.region SET announce_from = '2024-02-01', enforce_from = date_trunc('hour', now()) + interval '36 h' WHERE code = 'APAC';
UPDATE wsmfa.region SET enforce_from = date_trunc('hour', now()) + interval '12 h' WHERE code = 'AMER';
UPDATE wsmfa.service SET requires_mfa_from = now() + interval '1 h' WHERE code = 'community';
UPDATE wsmfa.account SET disabled_at = now() WHERE name = 'gone';
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, enforce_from + CASE name WHEN 'exempt beyond' THEN interval '1 us' ELSE '0' END, 'x' FROM wsmfa.account a JOIN (SELECT code, enforce_from FROM wsmfa.region) r ON code = region WHERE name ~ '^exempt ';
SELECT pg_temp.totp_of('ready');
-- into scope after the date: where it is to come, where it is past, where it never comes, and ready for it
UPDATE wsmfa.service SET requires_mfa_from = date_trunc('hour', now()) + interval '60 h' WHERE code = 'partner_portal';
INSERT INTO wsmfa.region VALUES ('NEVER', 'Never', 'UTC', '2024-01-01', 'infinity');
SELECT t.account('portal past', 'Rows', 'EMEA', '{partner_portal}'), t.account('portal ready', 'Rows', 'EMEA', '{partner_portal}'), t.account('portal never', 'Rows', 'NEVER', '{partner_portal}'), t.account('portal exempt', 'Rows', 'EMEA', '{partner_portal}');
SELECT pg_temp.totp_of('portal ready');
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, now() + interval '100 h', 'x' FROM wsmfa.account WHERE name = 'portal exempt';
SELECT results_eq('SELECT account, organization, region, enforce_from > now(), days_left FROM wsmfa.upcoming_enforcement', $$ VALUES
	('notinscope', 'Rows', 'EMEA', true, 0), ('observe', 'Rows', 'AMER', true, 0), ('announce', 'Rows', 'APAC', true, 1), ('exempt until', 'Rows', 'APAC', true, 1), ('later in scope', 'Rows', 'APAC', true, 1), ('not in scope', 'Rows', 'APAC', true, 2), ('portal past', 'Rows', 'EMEA', true, 2) $$, 'upcoming_enforcement, soonest first');
SELECT set_eq($$ SELECT account FROM wsmfa.upcoming_enforcement $$, $$ SELECT c.account FROM (SELECT enforce_from FROM wsmfa.region UNION SELECT requires_mfa_from FROM wsmfa.service) d (at), LATERAL wsmfa.compliance_at(d.at) c LEFT JOIN wsmfa.compliance_at(d.at - interval '1 us') b ON b.account = c.account
	WHERE d.at > now() AND isfinite(d.at) AND c.next_login IN ('deny', 'enroll') AND b.next_login NOT IN ('deny', 'enroll') AND c.disabled_at IS NULL $$, 'the same whom a login at that time would stop, and one before would not');
UPDATE wsmfa.service SET requires_mfa_from = NULL WHERE code = 'partner_portal';
DELETE FROM wsmfa.account WHERE region = 'NEVER';
DELETE FROM wsmfa.region WHERE code = 'NEVER';
SELECT set_eq($$ SELECT account, stage, next_login, proposed_stage, proposed_next_login FROM wsmfa.what_if('AMER', t.t0('-1 h'), t.t0(), t.t0()) $$, $$ VALUES ('observe', 'observe', 'accept', 'enforce', 'enroll') $$, 'what if');
SELECT is((SELECT stage FROM wsmfa.compliance_at(t.t0()) WHERE account = 'observe'), 'observe', 'changes nothing');

-- Random accounts: next_login is what the decision table makes of login_load, at random times. The table is written again
-- here, from its text; the login's own is core/decision.c, held against this view by a test of the layer server.
DELETE FROM wsmfa.account;
DELETE FROM wsmfa.organization;
SELECT setseed(0.4711);
INSERT INTO wsmfa.organization (name, allowed_methods) SELECT 'org ' || i, CASE WHEN i % 3 = 0 THEN (SELECT array_agg(k) FROM unnest('{fido2,push,totp,sms,recovery}'::text[]) k WHERE random() + 0 * i < 0.5) END FROM generate_series(1, 30) i;
UPDATE wsmfa.organization SET allowed_methods = '{}' WHERE name = 'org 30';
INSERT INTO wsmfa.organization_schedule SELECT id, m, m + random() * interval '90 days' FROM (SELECT id, t.t0() + (random() - 0.5) * interval '200 days' AS m FROM wsmfa.organization WHERE random() < 0.4) o;
UPDATE wsmfa.region SET announce_from = '2024-02-01', enforce_from = CASE code WHEN 'EMEA' THEN t.t0('-20 days') WHEN 'AMER' THEN t.t0('40 days') ELSE t.t0('10 days') END;
UPDATE wsmfa.region SET announce_from = t.t0('5 days') WHERE code = 'APAC';
UPDATE wsmfa.service SET requires_mfa_from = t.t0() WHERE code = 'partner_portal';
UPDATE wsmfa.service SET requires_mfa_from = NULL WHERE code = 'community';
INSERT INTO wsmfa.account (name, organization_id, region, disabled_at, created_at) SELECT 'person ' || i, (SELECT id FROM wsmfa.organization ORDER BY name OFFSET i % 30 LIMIT 1), (ARRAY['EMEA', 'AMER', 'APAC'])[1 + i % 3], CASE WHEN random() < 0.05 THEN t.t0() END, '2024-01-01'
FROM generate_series(1, 1000) i;
INSERT INTO wsmfa.account_service SELECT id, s, '2024-01-01' FROM wsmfa.account, unnest('{elements,community,partner_portal}'::text[]) s WHERE random() + 0 * id < 0.4;
INSERT INTO wsmfa.authenticator (account_id, kind, confirmed_at, disabled_at, removed_at, sealed, algorithm, digits, period, provider, device, phone, salt, iterations, last_used_at)
SELECT id, k, CASE WHEN random() < 0.9 THEN t.t0('-90 days') END, CASE WHEN random() < 0.15 THEN t.t0() END, CASE WHEN random() < 0.1 THEN t.t0() END,
	CASE k WHEN 'totp' THEN '\x01'::bytea END, CASE k WHEN 'totp' THEN 'sha1' END, CASE k WHEN 'totp' THEN 6 END, CASE k WHEN 'totp' THEN 30 END, CASE k WHEN 'push' THEN 'local' END, CASE k WHEN 'push' THEN 'd' END,
	CASE k WHEN 'sms' THEN '+35840' || (id % 300 + 1000) END, CASE k WHEN 'recovery' THEN decode(repeat('00', 16), 'hex') END, CASE k WHEN 'recovery' THEN 1000 END, CASE WHEN random() < 0.6 THEN now() - random() * interval '60 days' END
FROM wsmfa.account, unnest('{fido2,push,totp,sms,recovery}'::text[]) k WHERE random() + 0 * id < CASE k WHEN 'fido2' THEN 0.05 ELSE 0.25 END;
INSERT INTO wsmfa.recovery_code SELECT x.id, t.h(x.id || ' ' || i), CASE WHEN random() < 0.6 THEN now() END FROM wsmfa.authenticator x, generate_series(1, 2) i WHERE kind = 'recovery';
INSERT INTO wsmfa.failure (account_id, authenticator_id, at) SELECT account_id, x.id, t.t0() + (random() - 0.8) * interval '40 days' FROM wsmfa.authenticator x, generate_series(1, 6) i WHERE x.id % 4 = 0;
UPDATE wsmfa.authenticator x SET last_failure_at = (SELECT max(at) FROM wsmfa.failure f WHERE f.authenticator_id = x.id);
SELECT wsmfa.heartbeat('radius', '1', now(), now(), 'running', 0, '{}', '{}', 4, 20);
INSERT INTO wsmfa.exemption (account_id, until, reason, revoked_at) SELECT id, t.t0() + (random() - 0.5) * interval '100 days', 'x', CASE WHEN random() < 0.2 THEN now() END FROM wsmfa.account, generate_series(1, 2) i WHERE random() + 0 * id < 0.3;
INSERT INTO wsmfa.station_wait SELECT id, 'st-1', 10, 1, t.t0() + (random() - 0.5) * interval '60 days', t.t0() FROM wsmfa.account WHERE random() < 0.1;

ANALYZE;

CREATE FUNCTION pg_temp.decide(p_account text, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	enrolled boolean := false;
	usable boolean := false;
BEGIN
	FOR r IN SELECT l.* FROM wsmfa.login_load(p_account, '192.0.2.1', 'st-1', coalesce((SELECT s.service FROM wsmfa.account_service s JOIN wsmfa.account c ON c.id = s.account_id WHERE c.name = p_account LIMIT 1), 'community'), p_at, 20) l LOOP
		IF r.auth_id IS NOT NULL AND r.auth_kind <> 'recovery' THEN
			enrolled := true;
		END IF;
		IF r.auth_id IS NOT NULL AND r.auth_disabled_at IS NULL AND r.auth_failures < 4 AND r.auth_kind <> 'fido2' AND (r.auth_kind <> 'recovery' OR r.auth_codes_left > 0)
			AND (r.allowed_kinds >> array_position('{recovery,sms,totp,push,fido2}'::text[], r.auth_kind)) & 1 = 1
		THEN
			usable := true;
		END IF;
	END LOOP;
	IF r.disabled_at IS NOT NULL OR r.locked_until > p_at THEN RETURN 'deny'; END IF;
	IF enrolled AND usable THEN RETURN 'challenge'; END IF;
	IF enrolled THEN RETURN 'deny'; END IF;
	IF NOT r.in_scope OR r.stage = 'observe' THEN RETURN 'accept'; END IF;
	IF r.stage = 'announce' OR r.exempt_until > p_at THEN RETURN 'accept_with_banner'; END IF;
	RETURN 'enroll';
END $$;
CREATE TEMP TABLE moment AS SELECT t.t0() + (random() - 0.5) * interval '120 days' AS at FROM generate_series(1, 8) UNION SELECT enforce_from FROM wsmfa.region UNION SELECT t.t0();
CREATE TEMP TABLE said AS SELECT m.at, c.account, c.next_login FROM moment m, LATERAL wsmfa.compliance_at(m.at) c;
SELECT is((SELECT count(*)::integer FROM said), 12000, 'a thousand accounts at twelve times');
SELECT ok((SELECT count(*) FROM said WHERE next_login = w) > 100, 'of all kinds: ' || w) FROM unnest('{deny,challenge,accept,accept_with_banner,enroll}'::text[]) w;
SELECT is_empty($$ SELECT * FROM (SELECT s.*, pg_temp.decide(account, at) AS login FROM said s) d WHERE login <> next_login $$, 'next_login is what a login at that time would get');
CREATE TEMP TABLE disabled AS SELECT id, disabled_at FROM wsmfa.authenticator WHERE disabled_at IS NOT NULL;
UPDATE wsmfa.authenticator SET disabled_at = NULL WHERE disabled_at IS NOT NULL;
SELECT isnt_empty($$ SELECT * FROM (SELECT s.*, pg_temp.decide(account, at) AS login FROM said s WHERE at = t.t0()) d WHERE login <> next_login $$, 'control: the comparison notices a change');
UPDATE wsmfa.authenticator x SET disabled_at = d.disabled_at FROM disabled d WHERE d.id = x.id;

-- sums: figures that are counted another way
CREATE FUNCTION pg_temp.figures(at timestamptz, by text) RETURNS TABLE (name text, accounts bigint, in_scope bigint, enrolled bigint, compliant bigint, percent numeric, sms_only bigint, exempt bigint)
LANGUAGE sql AS $$
	SELECT CASE by WHEN 'region' THEN c.region ELSE c.organization END, sum(1), sum(i), sum(CASE WHEN c.enrolled THEN i ELSE 0 END), sum(CASE WHEN c.compliant THEN i ELSE 0 END),
		floor(1000 * sum(CASE WHEN c.compliant THEN i ELSE 0 END)::numeric / nullif(sum(i), 0)) / 10,
		sum(CASE WHEN array_remove(c.methods, 'recovery') = '{sms}' THEN i ELSE 0 END), sum(CASE WHEN c.exempt_until IS NOT NULL THEN i ELSE 0 END)
	FROM wsmfa.compliance_at(at) c, LATERAL (SELECT CASE WHEN c.in_scope THEN 1 ELSE 0 END AS i) x WHERE c.disabled_at IS NULL GROUP BY 1 $$;
SELECT set_eq(format('SELECT organization, accounts, in_scope, enrolled, compliant, percent, sms_only, exempt FROM wsmfa.org_compliance_at(%L)', at), format('SELECT * FROM pg_temp.figures(%L, ''organization'')', at), 'org_compliance at ' || at) FROM moment;
SELECT set_eq(format('SELECT region, accounts, in_scope, enrolled, compliant, percent, sms_only, exempt FROM wsmfa.region_compliance_at(%L)', at), format('SELECT * FROM pg_temp.figures(%L, ''region'')', at), 'region_compliance at ' || at) FROM moment;
SELECT ok(bool_and(in_scope > 0 AND enrolled BETWEEN 1 AND in_scope AND compliant BETWEEN 1 AND enrolled AND sms_only > 0 AND exempt > 0), 'control: no figure is empty') FROM wsmfa.region_compliance_at(t.t0());
SELECT set_eq('SELECT * FROM wsmfa.org_compliance', 'SELECT * FROM wsmfa.org_compliance_at(statement_timestamp())', 'org_compliance is of now');
SELECT set_eq('SELECT * FROM wsmfa.region_compliance', 'SELECT * FROM wsmfa.region_compliance_at(statement_timestamp())', 'region_compliance is of now');
SELECT results_eq('SELECT region, enforce_from, days_left FROM wsmfa.region_compliance_at(t.t0()) ORDER BY region', $$ VALUES ('AMER', t.t0('40 days'), 40), ('APAC', t.t0('10 days'), 10), ('EMEA', t.t0('-20 days'), NULL) $$, 'a region''s date');
DELETE FROM wsmfa.organization_schedule;
SELECT results_eq('SELECT DISTINCT enforce_from, days_left FROM wsmfa.org_compliance_at(t.t0()) WHERE organization IN (SELECT organization FROM wsmfa.account_fact WHERE region = ''APAC'')', $$ VALUES (t.t0('10 days'), 10) $$, 'an organization''s next date');
SELECT is((SELECT count(*)::integer FROM wsmfa.org_compliance_at(t.t0('50 days')) WHERE days_left IS NOT NULL), 0, 'when all are past, the latest');

-- methods and weak accounts, counted another way
CREATE TEMP VIEW live AS SELECT x.*, a.name FROM wsmfa.authenticator x JOIN wsmfa.account a ON a.id = x.account_id WHERE x.confirmed_at IS NOT NULL AND x.removed_at IS NULL AND x.disabled_at IS NULL AND a.disabled_at IS NULL;
SELECT results_eq('SELECT method, enrolled, used_30d, sole FROM wsmfa.method_usage', $$
	SELECT k, (SELECT count(DISTINCT account_id) FROM live WHERE kind = k), (SELECT count(DISTINCT account_id) FROM live WHERE kind = k AND last_used_at > now() - interval '30 days'),
		(SELECT count(DISTINCT account_id) FROM live l WHERE kind = k AND NOT EXISTS (SELECT FROM live o WHERE o.account_id = l.account_id AND o.kind NOT IN (k, 'recovery')))
	FROM unnest('{fido2,push,totp,sms,recovery}'::text[]) WITH ORDINALITY u (k, n) ORDER BY n $$, 'method_usage');
SELECT ok(bool_and(enrolled > 10 AND used_30d BETWEEN 1 AND enrolled - 1 AND sole BETWEEN 1 AND enrolled - 1), 'control: no figure is empty or all') FROM wsmfa.method_usage;
SELECT set_eq('SELECT account, unnest(reasons) FROM wsmfa.weak_accounts', $$
	WITH e AS (SELECT DISTINCT x.account_id, a.name FROM wsmfa.authenticator x JOIN wsmfa.account a ON a.id = x.account_id WHERE x.confirmed_at IS NOT NULL AND x.removed_at IS NULL AND x.kind <> 'recovery' AND a.disabled_at IS NULL)
	SELECT name, 'sms_only' FROM e WHERE EXISTS (SELECT FROM live l WHERE l.account_id = e.account_id AND l.kind = 'sms') AND NOT EXISTS (SELECT FROM live l WHERE l.account_id = e.account_id AND l.kind NOT IN ('sms', 'recovery'))
	UNION ALL SELECT name, 'shared_phone' FROM e WHERE EXISTS (SELECT FROM live l JOIN wsmfa.authenticator o USING (phone) WHERE l.account_id = e.account_id AND o.account_id <> e.account_id AND o.confirmed_at IS NOT NULL AND o.removed_at IS NULL AND o.disabled_at IS NULL)
	UNION ALL SELECT name, 'never_used' FROM e WHERE NOT EXISTS (SELECT FROM wsmfa.authenticator l WHERE l.account_id = e.account_id AND l.removed_at IS NULL AND l.kind <> 'recovery' AND l.last_used_at IS NOT NULL)
	UNION ALL SELECT name, 'no_recovery' FROM e WHERE NOT EXISTS (SELECT FROM live l JOIN wsmfa.recovery_code c ON c.authenticator_id = l.id WHERE l.account_id = e.account_id AND c.used_at IS NULL) $$, 'weak_accounts');
SELECT ok(count(*) > 20, 'control: there are some: ' || r) FROM unnest('{sms_only,shared_phone,never_used,no_recovery}'::text[]) r LEFT JOIN wsmfa.weak_accounts w ON r = ANY (w.reasons) GROUP BY r;

SELECT * FROM finish();
ROLLBACK;
