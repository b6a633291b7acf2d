-- What the tables refuse, each limit with a value that just fits.
BEGIN;
SELECT * FROM no_plan();

SELECT t.account('first', 'Acme');
-- runs with the constraint that stopped it, or null
CREATE FUNCTION pg_temp.stopped(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c text;
BEGIN
	BEGIN
		EXECUTE sql;
		RAISE EXCEPTION 'went through' USING ERRCODE = 'ZZ000';
	EXCEPTION WHEN SQLSTATE 'ZZ000' THEN RETURN NULL;
		WHEN OTHERS THEN GET STACKED DIAGNOSTICS c = CONSTRAINT_NAME; RETURN coalesce(nullif(c, ''), SQLERRM);
	END;
END $$;
CREATE FUNCTION pg_temp.acc(cols text, vals text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.stopped(format('INSERT INTO wsmfa.account (organization_id, region, %s) SELECT organization_id, region, %s FROM wsmfa.account WHERE name = %L',
		cols, vals, 'first')) $$;
CREATE FUNCTION pg_temp.auth(cols text, vals text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.stopped(format('INSERT INTO wsmfa.authenticator (account_id, %s) SELECT id, %s FROM wsmfa.account WHERE name = %L', cols, vals, 'first')) $$;

-- names
INSERT INTO wsmfa.account (name, organization_id, region) SELECT 'Ålice.SMITH@Example', organization_id, region FROM wsmfa.account;
SELECT is((SELECT name FROM wsmfa.account WHERE name LIKE '%smith%'), 'Ålice.smith@example', 'names are stored folded');
SELECT is(pg_temp.acc('name', '''ÅLICE.smith@EXAMPLE'''), 'account_name_key', 'two names that differ by ASCII case are one');
SELECT is(pg_temp.acc('name', '''ålice.smith@EXAMPLE'''), NULL, 'by other letters they are two');
UPDATE wsmfa.account SET name = 'FIRST' WHERE name = 'first';
SELECT is((SELECT count(*)::integer FROM wsmfa.account WHERE name = 'first'), 1, 'an update folds too');
SELECT is(pg_temp.acc('name', 'repeat(''a'', 253)'), NULL, '253 octets fit');
SELECT is(pg_temp.acc('name', 'repeat(''a'', 254)'), 'account_name_check', '254 do not');
SELECT is(pg_temp.acc('name', 'repeat(''ä'', 127)'), 'account_name_check', 'octets, not characters');
SELECT is(pg_temp.acc('name', ''''''), 'account_name_check', 'no name');
SELECT is(pg_temp.acc('name', 'E''a\nb'''), 'account_name_check', 'a newline in a name');
SELECT is(pg_temp.acc('name', 'E''a\x7fb'''), 'account_name_check', 'a control character in a name');
SELECT is(pg_temp.acc('name', quote_literal($q$a \'"%{x}$q$)), NULL, 'quotes and the like are a name''s own affair');
-- columns of an account
SELECT is(pg_temp.acc('name, password', '''x'', ''secret'''), 'account_password_check', 'a password without a header');
SELECT is(pg_temp.acc('name, password', '''x'', ''{clear}secret'''), NULL, 'with one');
SELECT is(pg_temp.acc('name, password', '''x'', ''{clear}'' || repeat(''x'', 505)'), NULL, '512 octets of password');
SELECT is(pg_temp.acc('name, password', '''x'', ''{clear}'' || repeat(''x'', 506)'), 'account_password_check', '513');
SELECT is(pg_temp.acc('name, phone', '''x'', ' || quote_literal(p)), 'account_phone_check', 'phone ' || p)
FROM unnest('{0401234567,+0401234567,"+358 401",+1234567890123456,+,"",+35840x,358401234567}'::text[]) p;
SELECT is(pg_temp.acc('name, phone', '''x'', ' || quote_literal(p)), NULL, 'phone ' || p) FROM unnest('{+358401234567,+123456789012345}'::text[]) p;
SELECT is(pg_temp.acc('name, preferred', '''x'', ' || quote_literal(k)), 'account_preferred_check', 'a preference can''t be ' || k) FROM unnest('{sms,recovery,none}'::text[]) k;
SELECT is(pg_temp.acc('name, preferred', '''x'', ' || quote_literal(k)), NULL, 'it can be ' || k) FROM unnest('{totp,push,fido2}'::text[]) k;
SELECT is(pg_temp.acc('name, language', '''x'', ' || quote_literal(l)), 'account_language_check', 'language ' || l) FROM unnest('{EN,english,e,pt_BR,"",pt-Brazil}'::text[]) l;
SELECT is(pg_temp.acc('name, language', '''x'', ' || quote_literal(l)), NULL, 'language ' || l) FROM unnest('{en,fi,pt-BR,zh-Hant}'::text[]) l;
SELECT is(pg_temp.stopped('UPDATE wsmfa.account SET region = ''NOPE'''), 'account_region_fkey', 'an unknown region');
SELECT is(pg_temp.stopped('UPDATE wsmfa.account SET region = NULL'), 'null value in column "region" of relation "account" violates not-null constraint', 'no region');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.account_service SELECT id, ''nope'' FROM wsmfa.account'), 'account_service_service_fkey', 'an unknown service');
-- regions, services, organizations
SELECT is(pg_temp.stopped('UPDATE wsmfa.region SET time_zone = ' || quote_literal(z)), 'region_time_zone_check', 'time zone ' || z) FROM unnest('{Mars/Olympus,NOWHERE5,""}'::text[]) z;
SELECT is(pg_temp.stopped('UPDATE wsmfa.region SET time_zone = ''Pacific/Auckland'''), NULL, 'a time zone that is one');
SELECT is(pg_temp.stopped('UPDATE wsmfa.region SET announce_from = enforce_from + interval ''1 microsecond'''), 'region_schedule_check', 'enforce before announce');
SELECT is(pg_temp.stopped('UPDATE wsmfa.region SET announce_from = enforce_from'), NULL, 'both at once');
SELECT is(pg_temp.stopped('UPDATE wsmfa.region SET announce_from = NULL'), 'null value in column "announce_from" of relation "region" violates not-null constraint', 'no announce_from');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.organization_schedule SELECT id, ''2024-01-02'', ''2024-01-01'' FROM wsmfa.organization'), 'organization_schedule_check', 'enforce before announce, of an organization');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.service (code, name) VALUES (repeat(''x'', 32), ''y'')'), NULL, 'codes of 32 octets');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.service (code, name) VALUES (repeat(''x'', 33), ''y'')'), 'service_code_check', 'of 33');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.region SELECT repeat(''x'', 33), name, time_zone, announce_from, enforce_from FROM wsmfa.region'), 'region_code_check', 'of a region too');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.service (code, name) VALUES (''x'', ''Elements'')'), NULL, 'names need not be unique');
SELECT is(pg_temp.stopped('UPDATE wsmfa.organization SET allowed_methods = ''{totp,smoke}'''), 'organization_allowed_methods_check', 'an unknown method');
SELECT is(pg_temp.stopped('UPDATE wsmfa.organization SET allowed_methods = ''{totp,NULL}'''), 'organization_allowed_methods_check', 'null as a method');
SELECT is(pg_temp.stopped('UPDATE wsmfa.organization SET allowed_methods = ''{}'''), NULL, 'none allowed');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, ''infinity'', ''x'' FROM wsmfa.account'), 'exemption_until_check', 'an exemption for ever');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, ''2030-01-01'', '''' FROM wsmfa.account'), 'exemption_reason_check', 'one without a reason');
-- authenticators
SELECT is(pg_temp.auth('kind', '''smoke'''), 'authenticator_kind_check', 'an unknown kind');
SELECT is(pg_temp.auth('kind, sealed, algorithm, digits, period', '''totp'', ''\x01'', ''sha1'', 6, 30'), NULL, 'totp');
SELECT is(pg_temp.auth('kind, sealed, algorithm, digits, period', '''totp'', ' || v), 'authenticator_totp_check', 'totp with ' || v)
FROM unnest(ARRAY['NULL, ''sha1'', 6, 30', '''\x'', ''sha1'', 6, 30', '''\x01'', ''md5'', 6, 30', '''\x01'', NULL, 6, 30', '''\x01'', ''sha1'', 7, 30',
	'''\x01'', ''sha1'', NULL, 30', '''\x01'', ''sha1'', 6, 14', '''\x01'', ''sha1'', 6, 61', '''\x01'', ''sha1'', 6, NULL',
	'decode(repeat(''00'', 193), ''hex''), ''sha1'', 6, 30']) v;
SELECT is(pg_temp.auth('kind, sealed, algorithm, digits, period', '''totp'', ' || v), NULL, 'totp with ' || v)
FROM unnest(ARRAY['''\x01'', ''sha512'', 8, 15', '''\x01'', ''sha256'', 6, 60', 'decode(repeat(''00'', 192), ''hex''), ''sha1'', 6, 30']) v;
SELECT is(pg_temp.auth('kind, phone', '''sms'', ''+358401234567'''), NULL, 'sms');
SELECT is(pg_temp.auth('kind', '''sms'''), 'authenticator_sms_check', 'sms without a number');
SELECT is(pg_temp.auth('kind, phone', '''sms'', ''0401234567'''), 'authenticator_sms_check', 'sms with a national number');
SELECT is(pg_temp.auth('kind, provider, device', '''push'', ''local'', ''d'''), NULL, 'push');
SELECT is(pg_temp.auth('kind, provider', '''push'', ''local'''), 'authenticator_push_check', 'push without a device');
SELECT is(pg_temp.auth('kind, device', '''push'', ''d'''), 'authenticator_push_check', 'push without a provider');
SELECT is(pg_temp.auth('kind, salt, iterations', '''recovery'', decode(repeat(''00'', 16), ''hex''), 20000'), NULL, 'recovery');
SELECT is(pg_temp.auth('kind, salt, iterations', '''recovery'', decode(repeat(''00'', 15), ''hex''), 20000'), 'authenticator_recovery_check', 'recovery with a short salt');
SELECT is(pg_temp.auth('kind, iterations', '''recovery'', 20000'), 'authenticator_recovery_check', 'without salt');
SELECT is(pg_temp.auth('kind, salt, iterations', '''recovery'', decode(repeat(''00'', 16), ''hex''), 999'), 'authenticator_recovery_check', 'with too few rounds');
SELECT is(pg_temp.auth('kind', '''fido2'''), NULL, 'fido2');
SELECT is(pg_temp.auth('kind, phone', '''fido2'', ''+358401234567'''), 'authenticator_sms_check', 'a number where none belongs');
SELECT is(pg_temp.auth('kind, disabled_reason', '''fido2'', ''lost'''), 'authenticator_disabled_reason_check', 'a reason for what is enabled');
SELECT t.recovery(id) FROM wsmfa.account WHERE name = 'first';
SELECT is(pg_temp.auth('kind, salt, iterations', '''recovery'', decode(repeat(''00'', 16), ''hex''), 20000'), 'authenticator_recovery_key', 'two sets of recovery codes');
UPDATE wsmfa.authenticator SET removed_at = now() WHERE kind = 'recovery';
SELECT is(pg_temp.auth('kind, salt, iterations', '''recovery'', decode(repeat(''00'', 16), ''hex''), 20000'), NULL, 'a new set after the old one is removed');
SELECT t.totp(id) FROM wsmfa.account, generate_series(1, 32) WHERE name = 'first';
SELECT is(pg_temp.auth('kind', '''fido2'''), 'authenticator_limit', 'a 33rd authenticator');
UPDATE wsmfa.authenticator SET removed_at = now() WHERE id = (SELECT max(id) FROM wsmfa.authenticator);
SELECT is(pg_temp.auth('kind', '''fido2'''), NULL, 'in place of a removed one');
SELECT t.totp(id) FROM wsmfa.account WHERE name = 'first';
SELECT is(pg_temp.stopped('UPDATE wsmfa.authenticator SET removed_at = NULL WHERE removed_at IS NOT NULL'), 'authenticator_limit', 'and back again');
SELECT is(pg_temp.stopped('INSERT INTO wsmfa.ticket (account_id, hash, expires_at) SELECT id, ''\x00'', now() FROM wsmfa.account'), 'ticket_hash_check', 'a ticket''s hash is SHA-256');

-- when an account was created
INSERT INTO wsmfa.account (name, organization_id, region) SELECT 'aged', min(id), 'EMEA' FROM wsmfa.organization;
INSERT INTO wsmfa.account_service (account_id, service, since) SELECT id, s, created_at + d FROM wsmfa.account, (VALUES ('elements', interval '0'), ('community', '1 min'), ('partner_portal', '61 s')) v (s, d) WHERE name = 'aged';
UPDATE wsmfa.account SET created_at = '2024-01-01 00:00+00' WHERE name = 'aged';
SELECT results_eq($$ SELECT service, since = '2024-01-01 00:00+00' FROM wsmfa.account_service WHERE account_id = (SELECT id FROM wsmfa.account WHERE name = 'aged') ORDER BY 1 $$,
	$$ VALUES ('community', true), ('elements', true), ('partner_portal', false) $$, 'what it was created with has the age that it is given, what came later has its own');
DELETE FROM wsmfa.account WHERE name = 'aged';

-- what goes with an account
SELECT t.open((SELECT id FROM wsmfa.account WHERE name = 'first'), 'totp', 'gone with it');
INSERT INTO wsmfa.account_seen SELECT id FROM wsmfa.account WHERE name = 'first';
DELETE FROM wsmfa.account WHERE name = 'first';
SELECT is((SELECT count(*)::integer FROM wsmfa.challenge), 0, 'a deleted account''s questions are gone');
SELECT is((SELECT count(*)::integer FROM wsmfa.account_seen), 0, 'and when it was seen');
SELECT is((SELECT count(*)::integer FROM wsmfa.authenticator), 0, 'and its authenticators');

SELECT * FROM finish();
ROLLBACK;
