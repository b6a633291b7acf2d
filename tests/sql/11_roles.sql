-- Who sees what: organization administrators through every view, function and aggregate; secrets nowhere.
BEGIN;
SELECT * FROM no_plan();

SELECT t.account('a-' || i, 'Alpha', services => '{elements,community}'), t.account('b-' || i, 'Beta') FROM generate_series(1, 3) i;
SELECT t.account('g-1', 'Gamma', 'APAC'), t.account('b-4', 'Beta');
SELECT t.totp(id), t.sms(id, '+358400000001') FROM wsmfa.account WHERE name IN ('a-1', 'b-1', 'b-2');
INSERT INTO wsmfa.authenticator (account_id, kind, confirmed_at, phone) SELECT id, 'sms', now(), '+358400000002' FROM wsmfa.account WHERE name IN ('a-2', 'b-3');
INSERT INTO wsmfa.organization_schedule SELECT id, '2024-01-01', now() + interval '50 days' FROM wsmfa.organization;
SELECT wsmfa.events_add(jsonb_agg(jsonb_build_object('account_id', id, 'account', name, 'outcome', 'accepted'))) FROM wsmfa.account;
SELECT wsmfa.events_add('[{"account": "nobody", "outcome": "failed_first_factor"}]');

CREATE ROLE t_alpha LOGIN IN ROLE wsmfa_org_admin;
CREATE ROLE t_both LOGIN IN ROLE wsmfa_org_admin;
CREATE ROLE t_unmapped LOGIN IN ROLE wsmfa_org_admin;
CREATE ROLE t_stranger LOGIN;
CREATE ROLE t_mapped_stranger LOGIN;
CREATE ROLE t_auditor LOGIN IN ROLE wsmfa_auditor;
CREATE ROLE t_admin LOGIN IN ROLE wsmfa_admin;
INSERT INTO wsmfa.organization_admin SELECT r, id FROM wsmfa.organization, (VALUES ('t_alpha', 'Alpha'), ('t_both', 'Alpha'), ('t_both', 'Gamma'), ('t_mapped_stranger', 'Alpha')) m (r, o) WHERE o = name;

-- what each of them sees of an organization, or of accounts: one number for each way in
CREATE TEMP TABLE way (name text, sql text);
INSERT INTO way SELECT v, format('SELECT string_agg(DISTINCT organization, '','' ORDER BY organization) FROM wsmfa.%s', v)
FROM unnest('{mfa_status,account_fact,org_compliance,upcoming_enforcement,weak_accounts,login_event}'::text[]) v;
INSERT INTO way VALUES
	('compliance_at', 'SELECT string_agg(DISTINCT organization, '','' ORDER BY organization) FROM wsmfa.compliance_at(now())'),
	('org_compliance_at', 'SELECT string_agg(DISTINCT organization, '','' ORDER BY organization) FROM wsmfa.org_compliance_at(now())');
CREATE FUNCTION pg_temp.sees(who text, way text) RETURNS text LANGUAGE sql AS $$ SELECT t.as_user($1, (SELECT w.sql FROM way w WHERE w.name = $2)) $$;
-- weak_accounts and upcoming_enforcement list only some
CREATE FUNCTION pg_temp.expected(way text, organizations text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE way WHEN 'weak_accounts' THEN nullif(concat_ws(',', CASE WHEN organizations ~ 'Alpha' THEN 'Alpha' END, CASE WHEN organizations ~ 'Beta' THEN 'Beta' END), '') ELSE organizations END $$;
SELECT is(pg_temp.sees('t_alpha', name), pg_temp.expected(name, 'Alpha'), 'Alpha''s administrator sees Alpha: ' || name) FROM way;
SELECT is(pg_temp.sees('t_both', name), pg_temp.expected(name, 'Alpha,Gamma'), 'with two organizations both: ' || name) FROM way;
SELECT is(pg_temp.sees('t_unmapped', name), NULL, 'with none nothing: ' || name) FROM way;
SELECT is(pg_temp.sees('t_auditor', name), pg_temp.expected(name, 'Alpha,Beta,Gamma'), 'an auditor all: ' || name) FROM way;
SELECT is(pg_temp.sees('t_admin', name), pg_temp.expected(name, 'Alpha,Beta,Gamma'), 'an administrator all: ' || name) FROM way;
SELECT matches(pg_temp.sees(who, name), '42501', format('%s may not at all: %s', who, name)) FROM way, unnest('{t_stranger,t_mapped_stranger,wsmfa_radius,wsmfa_push}'::text[]) who;

-- aggregates count only what is seen
SELECT is(t.as_user(who, 'SELECT sum(accounts) FROM wsmfa.region_compliance'), n::text, who || ' counts: region_compliance') FROM (VALUES ('t_alpha', 3), ('t_both', 4), ('t_unmapped', 0), ('t_auditor', 8)) v (who, n);
SELECT is(t.as_user(who, 'SELECT sum(accounts) FROM wsmfa.region_compliance_at(now())'), n::text, who || ' counts: region_compliance_at') FROM (VALUES ('t_alpha', 3), ('t_both', 4), ('t_unmapped', 0), ('t_auditor', 8)) v (who, n);
SELECT is(t.as_user(who, 'SELECT sum(enrolled) FROM wsmfa.method_usage'), n::text, who || ' counts: method_usage') FROM (VALUES ('t_alpha', 3), ('t_both', 3), ('t_unmapped', 0), ('t_auditor', 8)) v (who, n);
SELECT is(t.as_user(who, 'SELECT count(*) FROM wsmfa.login_event'), n::text, who || ' counts: login_event') FROM (VALUES ('t_alpha', 3), ('t_both', 4), ('t_unmapped', 0), ('t_auditor', 9)) v (who, n);
DELETE FROM wsmfa.organization_schedule;
SELECT is(t.as_user(who, 'SELECT count(*) FROM wsmfa.what_if(''EMEA'', now(), now(), now())'), n::text, who || ' counts: what_if') FROM (VALUES ('t_alpha', 3), ('t_both', 3), ('t_unmapped', 0), ('t_auditor', 7)) v (who, n);
SELECT is(t.as_user('t_alpha', 'SELECT reasons FROM wsmfa.weak_accounts WHERE account = ''a-1'''), '{never_used,no_recovery}', 'a phone shared with another organization is not told');
SELECT is(t.as_user('t_auditor', 'SELECT reasons FROM wsmfa.weak_accounts WHERE account = ''a-1'''), '{shared_phone,never_used,no_recovery}', 'an auditor hears of it');

SELECT is(t.as_user(who, 'SELECT string_agg(account, '','' ORDER BY account) FROM wsmfa.enrolled_since'), accounts, who || ' sees since when') FROM (VALUES ('t_alpha', 'a-1,a-2'), ('t_both', 'a-1,a-2'), ('t_unmapped', NULL), ('t_auditor', 'a-1,a-2,b-1,b-2,b-3')) v (who, accounts);
SELECT matches(t.as_user(who, 'SELECT count(*) FROM wsmfa.enrolled_since'), '42501', who || ' may not see since when') FROM unnest('{t_stranger,t_mapped_stranger,wsmfa_radius,wsmfa_push}'::text[]) who;

-- a function in the filter sees no row that is not its caller's
CREATE FUNCTION t.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF $1 ~ '^(b-|Beta)' THEN RAISE EXCEPTION 'leaked %', $1; END IF; RETURN true; END $$;
GRANT USAGE ON SCHEMA t TO PUBLIC;
GRANT EXECUTE ON FUNCTION t.leak TO PUBLIC;
SELECT doesnt_match(t.as_user('t_alpha', format('SELECT count(*) FROM wsmfa.%s WHERE t.leak(%s)', v, c)), 'ERROR', format('nothing leaks through %s.%s', v, c))
FROM (VALUES ('mfa_status', 'account'), ('mfa_status', 'organization'), ('account_fact', 'account'), ('enrolled_since', 'account'), ('upcoming_enforcement', 'account'), ('weak_accounts', 'account'), ('login_event', 'account'), ('org_compliance', 'organization'), ('compliance_at(now())', 'account')) x (v, c);
SELECT matches(t.as_user('t_auditor', format('SELECT count(*) FROM wsmfa.%s WHERE t.leak(%s)', v, c)), '^ERROR P0001: leaked ', format('control: it would notice in %s.%s', v, c))
FROM (VALUES ('mfa_status', 'account'), ('mfa_status', 'organization'), ('account_fact', 'account'), ('enrolled_since', 'account'), ('weak_accounts', 'account'), ('login_event', 'account'), ('org_compliance', 'organization'), ('compliance_at(now())', 'account')) x (v, c);

-- the rows are the session's user's, whatever role is set
SELECT is(t.as_user('t_alpha', $$ SELECT set_config('role', 'wsmfa_org_admin', true); $$), 'wsmfa_org_admin', 'an administrator sets the role it is a member of');
CREATE FUNCTION pg_temp.with_role() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	SET LOCAL SESSION AUTHORIZATION t_alpha;
	SET LOCAL ROLE wsmfa_org_admin;
	SELECT string_agg(DISTINCT organization, ',') INTO r FROM wsmfa.mfa_status;
	RESET ROLE;
	RESET SESSION AUTHORIZATION;
	RETURN r;
END $$;
SELECT is(pg_temp.with_role(), 'Alpha', 'and still sees its own');
SELECT matches(t.as_user('t_alpha', 'SELECT set_config(''role'', ''wsmfa_auditor'', true)'), '42501', 'no other role can be set');
SELECT matches(t.as_user('t_alpha', 'SELECT set_config(''role'', ''postgres'', true)'), '42501', 'nor the owner''s');

-- nobody's function is called on the way, where everybody may create in public: none is a better match than PostgreSQL's
CREATE FUNCTION t.trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
GRANT EXECUTE ON FUNCTION t.trap TO PUBLIC;
CREATE FUNCTION public.pg_has_role(name, text, text) RETURNS boolean LANGUAGE sql AS 'SELECT t.trap() IS NULL';
CREATE FUNCTION public.array_remove(text[], text) RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[t.trap()]';
CREATE FUNCTION public.numeric_trap(numeric, bigint) RETURNS numeric LANGUAGE sql AS 'SELECT length(t.trap())::numeric';
CREATE FUNCTION public.numeric_trap(numeric, integer) RETURNS numeric LANGUAGE sql AS 'SELECT length(t.trap())::numeric';
CREATE FUNCTION public.double_trap(double precision, integer) RETURNS double precision LANGUAGE sql AS 'SELECT length(t.trap())::double precision';
CREATE OPERATOR public.* (FUNCTION = public.numeric_trap, LEFTARG = numeric, RIGHTARG = bigint);
CREATE OPERATOR public./ (FUNCTION = public.numeric_trap, LEFTARG = numeric, RIGHTARG = bigint);
CREATE OPERATOR public./ (FUNCTION = public.numeric_trap, LEFTARG = numeric, RIGHTARG = integer);
CREATE OPERATOR public./ (FUNCTION = public.double_trap, LEFTARG = double precision, RIGHTARG = integer);
GRANT EXECUTE ON FUNCTION public.pg_has_role, public.array_remove, public.numeric_trap(numeric, bigint), public.numeric_trap(numeric, integer), public.double_trap TO PUBLIC;
SELECT matches(t.as_user('t_auditor', 'SELECT ' || x), 'trapped', 'control: a better match is taken: ' || x)
FROM unnest(ARRAY['array_remove(ARRAY[''a''::text], NULL)', '100.0 * 3::bigint', '1.0 / 3::bigint', '1.0 / 3', 'pg_has_role(session_user, ''wsmfa_admin'', ''MEMBER'')']) x;
SELECT doesnt_match(coalesce(t.as_user('t_auditor', format('SELECT string_agg(v::text, '','') FROM wsmfa.%s v', v)), ''), 'ERROR', 'nobody''s function is called by ' || v)
FROM unnest('{mfa_status,account_fact,org_compliance,region_compliance,method_usage,upcoming_enforcement,weak_accounts,login_event,enrolled_since,compliance_at(now()),org_compliance_at(now()),region_compliance_at(now()),"what_if(''EMEA'',now(),now(),now())"}'::text[]) v;
DROP OPERATOR public.* (numeric, bigint), public./ (numeric, bigint), public./ (numeric, integer), public./ (double precision, integer);
DROP FUNCTION public.pg_has_role, public.array_remove, public.numeric_trap(numeric, bigint), public.numeric_trap(numeric, integer), public.double_trap;

-- tables and functions that are not theirs
SELECT matches(t.as_user(who, format('SELECT count(*) FROM wsmfa.%I', c.relname)), '42501', format('%s does not read %s', who, c.relname))
FROM unnest('{t_alpha,wsmfa_radius,wsmfa_push}'::text[]) who, pg_class c WHERE c.relnamespace = 'wsmfa'::regnamespace AND c.relkind IN ('r', 'p') AND NOT (who = 't_alpha' AND c.relname IN ('region', 'service'));
SELECT matches(t.as_user('t_auditor', format('SELECT count(*) FROM wsmfa.%I', x)), '42501', 'an auditor does not read ' || x) FROM unnest('{account,authenticator,recovery_code,ticket,challenge,failure,sent,station_wait,event}'::text[]) x;
SELECT matches(t.as_user(who, q), '42501', who || ' may not: ' || q) FROM unnest('{t_alpha,t_auditor,wsmfa_push,wsmfa_radius}'::text[]) who, unnest(ARRAY[
	'UPDATE wsmfa.region SET enforce_from = ''infinity''', 'DELETE FROM wsmfa.audit', 'SELECT wsmfa.account_erase(''a-1'')', 'SELECT wsmfa.account_unlock(''a-1'')', 'SELECT count(*) FROM wsmfa.sweep()',
	'INSERT INTO wsmfa.organization_admin VALUES (''t_alpha'', 1)', 'SELECT wsmfa.event_partitions_drop(now())', 'CREATE TABLE wsmfa.mine ()']) q;
SELECT matches(t.as_user(who, q), '42501', who || ' may not: ' || q) FROM unnest('{t_alpha,t_auditor,t_admin,wsmfa_push,t_stranger}'::text[]) who, unnest(ARRAY[
	'SELECT password FROM wsmfa.login_load(''a-1'', '''', '''', '''', now())', 'SELECT password FROM wsmfa.login_load_many(ARRAY[''a-1''], ARRAY[''''], ARRAY[''''], ARRAY[''''], ARRAY[now()], 30)', 'SELECT count(*) FROM wsmfa.challenge_take(NULL, ''a-1'', '''', '''', '''', now(), NULL, NULL)',
	'SELECT wsmfa.events_add(''[]'')', 'SELECT wsmfa.push_report(1, ''approved'', now())']) q;
SELECT matches(t.as_user('t_admin', q), '42501', 'wsmfa_admin may not: ' || q) FROM unnest(ARRAY['DELETE FROM wsmfa.audit', 'UPDATE wsmfa.audit SET who = ''x''', 'INSERT INTO wsmfa.audit (what, table_name, key) VALUES (''insert'', ''x'', ''x'')',
	'DELETE FROM wsmfa.event', 'SELECT count(*) FROM wsmfa.challenge', 'DELETE FROM wsmfa.schema_version']) q;
SELECT is(t.as_user('t_admin', 'SELECT count(*) FROM wsmfa.account'), '8', 'an administrator reads accounts');
SELECT is(t.as_user('t_admin', 'INSERT INTO wsmfa.account (name, organization_id, region) SELECT ''new'', id, ''EMEA'' FROM wsmfa.organization WHERE name = ''Alpha'' RETURNING name'), 'new', 'and adds them');
SELECT doesnt_match(t.as_user('t_admin', 'SELECT nextval(''wsmfa.authenticator_id_seq'')'), 'ERROR', 'reserves an id to seal a key for');
-- a login through the functions' own role
SELECT is(t.as_user('wsmfa_radius', 'SELECT count(*) FROM wsmfa.login_load(''a-1'', ''192.0.2.1'', ''st'', ''elements'', now())'), '2', 'wsmfa_radius loads a login');
SELECT is(t.as_user('wsmfa_radius', 'SELECT wsmfa.schema_check()'), wsmfa.schema_check()::text, 'and asks for the schema');
-- the caller's search_path is nobody's way in: names of its own stand before PostgreSQL's
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
CREATE FUNCTION evil.pg_has_role(name, name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC;
CREATE TABLE evil.account (id integer);
SET LOCAL search_path = evil, pg_catalog, public, pg_temp;
SELECT is(lower('X') || pg_has_role('t_alpha', 'wsmfa_admin', 'MEMBER'), 'eviltrue', 'control: they do here');
SELECT is(t.as_user('wsmfa_radius', 'SELECT count(*) FROM wsmfa.login_load(''a-1'', ''192.0.2.1'', ''st'', ''elements'', now())'), '2', 'nothing changes for a login');
SELECT is(pg_temp.sees('t_alpha', name), pg_temp.expected(name, 'Alpha'), 'nor for Alpha''s administrator: ' || name) FROM way WHERE name <> 'upcoming_enforcement';
RESET search_path;

SELECT * FROM finish();
ROLLBACK;
