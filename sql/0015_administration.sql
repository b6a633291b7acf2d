-- What administrators ask, so that nothing of anybody else's is called on the way; and two traces that were missing.

-- These are part of the query that calls them and can't have a search_path of their own. So they name pg_catalog, or cast to what
-- an operator matches exactly: where everybody may create in public, somebody else's better match would be taken otherwise.
CREATE OR REPLACE FUNCTION wsmfa.kinds_of(bits integer) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT pg_catalog.array_remove(ARRAY[CASE WHEN $1 & 32 <> 0 THEN 'fido2' END, CASE WHEN $1 & 16 <> 0 THEN 'push' END,
		CASE WHEN $1 & 8 <> 0 THEN 'totp' END, CASE WHEN $1 & 4 <> 0 THEN 'sms' END, CASE WHEN $1 & 2 <> 0 THEN 'recovery' END], NULL)
$$;

CREATE OR REPLACE FUNCTION wsmfa.days_left(enforce_from timestamptz, at timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE WHEN isfinite($1) AND isfinite($2) AND $1 > $2
		THEN least(floor((extract(epoch FROM $1) - extract(epoch FROM $2))::double precision / 86400::double precision),
			2147483647)::integer END
$$;

CREATE OR REPLACE FUNCTION wsmfa.org_compliance_at(at timestamptz)
RETURNS TABLE (organization text, accounts bigint, in_scope bigint, enrolled bigint, compliant bigint, percent numeric,
	sms_only bigint, exempt bigint, enforce_from timestamptz, days_left integer)
LANGUAGE sql STABLE
AS $$
	SELECT f.organization, count(*) FILTER (WHERE f.disabled_at IS NULL), count(*) FILTER (WHERE d.counts),
		count(*) FILTER (WHERE d.counts AND f.enrolled), count(*) FILTER (WHERE d.counts AND d.compliant),
		trunc(100.0 * (count(*) FILTER (WHERE d.counts AND d.compliant))::numeric
			/ nullif((count(*) FILTER (WHERE d.counts))::numeric, 0::numeric), 1),
		count(*) FILTER (WHERE d.counts AND f.bits & ~2 = 4), count(*) FILTER (WHERE d.counts AND f.exempt_until > $1),
		coalesce(min(f.enforce_from) FILTER (WHERE f.enforce_from > $1), max(f.enforce_from)),
		wsmfa.days_left(coalesce(min(f.enforce_from) FILTER (WHERE f.enforce_from > $1), max(f.enforce_from)), $1)
	FROM wsmfa.account_fact f CROSS JOIN LATERAL (
		SELECT f.disabled_at IS NULL AND coalesce(f.requires_mfa_from <= $1, false) AS counts,
			f.enrolled AND coalesce(f.usable_from <= $1, false) AS compliant) d
	GROUP BY f.organization
$$;

-- Bounds of partitions are written as text: in a form that reads the same whatever DateStyle and TimeZone say.
ALTER FUNCTION wsmfa.event_partitions(timestamptz, integer) SET timezone = 'UTC';
ALTER FUNCTION wsmfa.event_partitions(timestamptz, integer) SET datestyle = 'ISO';

CREATE VIEW wsmfa.enrolled_since WITH (security_barrier) AS
	SELECT a.name AS account, min(x.confirmed_at) AS enrolled_at
	FROM wsmfa.account a JOIN wsmfa.authenticator x ON x.account_id = a.id
	WHERE x.kind <> 'recovery' AND x.confirmed_at IS NOT NULL AND x.removed_at IS NULL AND ((SELECT wsmfa.sees_all())
		OR a.organization_id IN (SELECT m.organization_id FROM wsmfa.organization_admin m WHERE m.role = session_user))
	GROUP BY a.id;
COMMENT ON VIEW wsmfa.enrolled_since IS 'Enrolled accounts and since when: the curve of the report. What was removed since is not in it.';
GRANT SELECT ON wsmfa.enrolled_since TO wsmfa_admin, wsmfa_auditor, wsmfa_org_admin;

-- Recovery codes let in like any authenticator: whoever adds some, or makes a used one good again, leaves a trace. A login uses
-- one up and leaves an event.
CREATE FUNCTION wsmfa.audit_codes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO wsmfa.audit (what, table_name, key, account_id, after)
	SELECT lower(TG_OP), TG_TABLE_NAME, f.authenticator_id::text, x.account_id, jsonb_build_object('codes', count(*))
	FROM fresh f JOIN wsmfa.authenticator x ON x.id = f.authenticator_id
	WHERE f.used_at IS NULL
	GROUP BY f.authenticator_id, x.account_id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION wsmfa.audit_codes IS 'Trigger: leaves a row in audit for recovery codes that are good from now on, with their number.';
CREATE TRIGGER audit_insert AFTER INSERT ON wsmfa.recovery_code REFERENCING NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION wsmfa.audit_codes();
CREATE TRIGGER audit_update AFTER UPDATE ON wsmfa.recovery_code REFERENCING NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION wsmfa.audit_codes();
