-- The schema as a whole: comments, names, search paths, privileges.
BEGIN;
SELECT * FROM no_plan();

SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'wsmfa'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
		AND obj_description(c.oid, 'pg_class') IS NULL $$, 'every table and view has a comment');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'wsmfa'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL $$,
	'every function has a comment');
SELECT is_empty($$
	SELECT c.conrelid::regclass, c.conname FROM pg_constraint c WHERE c.connamespace = 'wsmfa'::regnamespace AND c.contype <> 'n'
		AND c.conname !~ ('^' || (SELECT relname FROM pg_class WHERE oid = c.conrelid) || '_')
		AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.conrelid) $$, 'every constraint is named after its table');
SELECT is_empty($$
	SELECT c.conrelid::regclass, c.conname FROM pg_constraint c WHERE c.connamespace = 'wsmfa'::regnamespace AND c.conname ~ '[0-9]$' $$,
	'no constraint has a name that PostgreSQL made up');
SELECT is_empty($$
	SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'wsmfa'::regnamespace AND a.attidentity = 'a' $$, 'identity columns are BY DEFAULT');
SELECT is_empty($$
	SELECT c.conrelid::regclass, c.conname FROM pg_constraint c WHERE c.connamespace = 'wsmfa'::regnamespace AND c.contype = 'f'
		AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1]) $$,
	'every foreign key has an index');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'wsmfa'::regnamespace AND p.prosecdef
		AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false) $$,
	'every definer function pins its search_path');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace = 'wsmfa'::regnamespace AND l.lanname = 'plpgsql'
		AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false) $$,
	'so does every other PL/pgSQL function');
SELECT is_empty($$
	SELECT p.oid::regprocedure, a.grantee::regrole FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
	WHERE p.pronamespace = 'wsmfa'::regnamespace AND a.grantee = 0 $$, 'PUBLIC may execute nothing');
SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'wsmfa'::regnamespace AND a.grantee = 0 $$,
	'PUBLIC may read nothing');
CREATE FUNCTION wsmfa.made_later() RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT is(t.as_user('wsmfa_admin', 'SELECT wsmfa.made_later()'), 'ERROR 42501: permission denied for function made_later',
	'nor what is made later: default privileges');
DROP FUNCTION wsmfa.made_later();

-- Who may do what, role by object. Whatever is not here is not granted.
CREATE TEMP TABLE granted (role text, object text, privileges text);
INSERT INTO granted
SELECT a.grantee::regrole::text, c.relname, string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type)
FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'wsmfa'::regnamespace AND a.grantee <> c.relowner GROUP BY 1, 2
UNION ALL
SELECT a.grantee::regrole::text, p.proname || '()', string_agg(a.privilege_type, ' ')
FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace = 'wsmfa'::regnamespace AND a.grantee <> p.proowner GROUP BY 1, 2;

SELECT set_eq($$ SELECT object, privileges FROM granted WHERE role = 'wsmfa_radius' $$, $$ VALUES
	('schema_check()', 'EXECUTE'), ('login_load()', 'EXECUTE'), ('challenge_take()', 'EXECUTE'), ('challenge_open()', 'EXECUTE'),
	('challenge_settle()', 'EXECUTE'), ('push_wait()', 'EXECUTE'), ('push_settle()', 'EXECUTE'), ('push_report()', 'EXECUTE'),
	('push_answered()', 'EXECUTE'), ('events_add()', 'EXECUTE'), ('heartbeat()', 'EXECUTE'), ('login_load_many()', 'EXECUTE'),
	('challenge_open_many()', 'EXECUTE'), ('challenge_take_many()', 'EXECUTE'), ('challenge_settle_many()', 'EXECUTE') $$,
	'wsmfa_radius executes the login functions and nothing else');
SELECT set_eq($$ SELECT object, privileges FROM granted WHERE role = 'wsmfa_push' $$, $$ VALUES
	('schema_check()', 'EXECUTE'), ('answer_push()', 'EXECUTE'), ('push_pending', 'SELECT') $$, 'wsmfa_push answers pushes');
SELECT set_eq($$ SELECT object, privileges FROM granted WHERE role = 'wsmfa_org_admin' $$, $$ VALUES
	('schema_check()', 'EXECUTE'), ('fold()', 'EXECUTE'), ('stage_of()', 'EXECUTE'), ('kind_bits()', 'EXECUTE'),
	('kind_strength()', 'EXECUTE'), ('kinds_of()', 'EXECUTE'), ('decision_word()', 'EXECUTE'), ('days_left()', 'EXECUTE'),
	('sees_all()', 'EXECUTE'), ('compliance_at()', 'EXECUTE'), ('org_compliance_at()', 'EXECUTE'),
	('region_compliance_at()', 'EXECUTE'), ('what_if()', 'EXECUTE'),
	('account_fact', 'SELECT'), ('mfa_status', 'SELECT'), ('org_compliance', 'SELECT'),
	('region_compliance', 'SELECT'), ('method_usage', 'SELECT'), ('upcoming_enforcement', 'SELECT'), ('weak_accounts', 'SELECT'),
	('login_event', 'SELECT'), ('enrolled_since', 'SELECT'), ('region', 'SELECT'), ('service', 'SELECT') $$, 'wsmfa_org_admin reads the views');
SELECT set_eq($$ SELECT object, privileges FROM granted WHERE role = 'wsmfa_auditor' $$, $$
	SELECT object, privileges FROM granted WHERE role = 'wsmfa_org_admin' UNION ALL VALUES
	('schema_version', 'SELECT'), ('push_pending', 'SELECT'), ('audit', 'SELECT'), ('server', 'SELECT'), ('organization', 'SELECT'),
	('organization_schedule', 'SELECT'), ('organization_admin', 'SELECT') $$, 'wsmfa_auditor reads the views of all, and the traces');
SELECT set_eq($$ SELECT object, privileges FROM granted WHERE role = 'wsmfa_admin' AND privileges <> 'SELECT' $$, $$
	SELECT object, privileges FROM granted WHERE role = 'wsmfa_org_admin' AND privileges = 'EXECUTE' UNION ALL VALUES
	('region', 'DELETE INSERT SELECT UPDATE'), ('service', 'DELETE INSERT SELECT UPDATE'),
	('organization', 'DELETE INSERT SELECT UPDATE'), ('organization_schedule', 'DELETE INSERT SELECT UPDATE'),
	('organization_admin', 'DELETE INSERT SELECT UPDATE'), ('account', 'DELETE INSERT SELECT UPDATE'),
	('account_service', 'DELETE INSERT SELECT UPDATE'), ('exemption', 'DELETE INSERT SELECT UPDATE'),
	('authenticator', 'DELETE INSERT SELECT UPDATE'), ('recovery_code', 'DELETE INSERT SELECT UPDATE'),
	('ticket', 'DELETE INSERT SELECT UPDATE'), ('organization_id_seq', 'USAGE'), ('account_id_seq', 'USAGE'),
	('authenticator_id_seq', 'USAGE'), ('answer_push()', 'EXECUTE'), ('stage_at()', 'EXECUTE'), ('in_scope_at()', 'EXECUTE'), ('foreign_service_since()', 'EXECUTE'),
	('account_unlock()', 'EXECUTE'), ('authenticator_enable()', 'EXECUTE'), ('account_erase()', 'EXECUTE'), ('sweep()', 'EXECUTE'), ('event_partitions()', 'EXECUTE'),
	('event_partitions_drop()', 'EXECUTE') $$, 'wsmfa_admin keeps the directory');
SELECT set_eq($$ SELECT object FROM granted WHERE role = 'wsmfa_admin' AND privileges = 'SELECT' $$, $$
	SELECT object FROM granted WHERE role IN ('wsmfa_auditor', 'wsmfa_org_admin') AND privileges = 'SELECT'
		AND object NOT IN ('region', 'service', 'organization', 'organization_schedule', 'organization_admin') UNION VALUES
	('sent'), ('event'), ('account_seen'), ('failure'), ('station_wait') $$, 'and reads the rest, but no open question');
SELECT is_empty($$ SELECT * FROM granted WHERE role NOT IN ('wsmfa_radius', 'wsmfa_push', 'wsmfa_admin', 'wsmfa_auditor', 'wsmfa_org_admin') $$,
	'nobody else has anything');
SELECT is_empty($$
	SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'wsmfa'::regnamespace AND c.relkind IN ('v', 'm')
		AND a.attname IN ('password', 'sealed', 'hash', 'salt', 'code_mac', 'state_hash', 'guess_mac', 'number') $$,
	'no view has a column of a secret');
SELECT is((SELECT array_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^wsmfa_' AND rolcanlogin), '{wsmfa_radius}',
	'of the roles only wsmfa_radius may log in');
SELECT is_empty($$ SELECT rolname FROM pg_roles WHERE rolname ~ '^wsmfa_' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls) $$,
	'none has a right of its own');

-- INTERFACE: fixed names
SELECT has_column('wsmfa', x.t, x.c, x.t || '.' || x.c) FROM (VALUES
	('region', 'code name time_zone announce_from enforce_from'), ('service', 'code name requires_mfa_from'),
	('organization', 'id name allowed_methods'), ('organization_schedule', 'organization_id announce_from enforce_from'),
	('account', 'id name organization_id region password phone created_at disabled_at'), ('account_service', 'account_id service'),
	('authenticator', 'id account_id kind label created_at confirmed_at last_used_at disabled_at'),
	('challenge', 'id account_id kind opened_at expires_at'),
	('mfa_status', 'account organization region services in_scope stage announce_from enforce_from days_left methods strongest enrolled exempt_until locked_until last_login last_mfa_login compliant next_login'),
	('org_compliance', 'organization accounts in_scope enrolled compliant percent sms_only exempt enforce_from days_left'),
	('region_compliance', 'region accounts in_scope enrolled compliant percent sms_only exempt enforce_from days_left'),
	('method_usage', 'method enrolled used_30d sole'), ('upcoming_enforcement', 'account organization region enforce_from days_left'),
	('weak_accounts', 'account organization reasons'),
	('login_event', 'at account organization client calling_station service region stage decision method outcome reason')
) AS v (t, columns) CROSS JOIN LATERAL (SELECT v.t, c FROM unnest(string_to_array(v.columns, ' ')) c) x;
SELECT is((SELECT relpersistence::text FROM pg_class WHERE oid = 'wsmfa.challenge'::regclass), 'u', 'challenge is unlogged');
SELECT is_empty($$ SELECT conname FROM pg_constraint WHERE 'wsmfa.challenge'::regclass IN (conrelid, confrelid) AND contype = 'f' $$,
	'and has no foreign key');

-- what is shipped
SELECT results_eq($$ SELECT code, (announce_from AT TIME ZONE time_zone)::text, (enforce_from AT TIME ZONE time_zone)::text
	FROM wsmfa.region ORDER BY code $$, $$ VALUES
	('AMER', '2024-02-01 00:00:00', '2024-04-22 00:00:00'), ('APAC', '2024-02-01 00:00:00', '2024-07-31 00:00:00'),
	('EMEA', '2024-02-01 00:00:00', '2024-04-22 00:00:00') $$, 'regions with their dates, midnight in their own time zones');
SELECT results_eq($$ SELECT code, requires_mfa_from IS NOT NULL FROM wsmfa.service ORDER BY code $$, $$ VALUES
	('community', false), ('elements', true), ('partner_portal', false) $$, 'services');
SELECT is(wsmfa.schema_check(), (SELECT max(id) FROM wsmfa.schema_version), 'schema_check tells the newest migration');

SELECT * FROM finish();
ROLLBACK;
