-- Roles and the schema's door. Roles belong to the cluster: they are only made where they are missing, and never changed,
-- so that twenty databases may be migrated at once.
DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY ARRAY['wsmfa_radius', 'wsmfa_push', 'wsmfa_admin', 'wsmfa_auditor', 'wsmfa_org_admin'] LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = r);
		BEGIN
			EXECUTE format('CREATE ROLE %I %s', r, CASE r WHEN 'wsmfa_radius' THEN 'LOGIN' ELSE 'NOLOGIN' END);
		EXCEPTION
			WHEN duplicate_object OR unique_violation THEN
				NULL; -- somebody else made it just now
			WHEN insufficient_privilege THEN
				RAISE EXCEPTION 'the role % is missing and % may not create roles: let somebody who may do it first', r, current_user;
		END;
	END LOOP;
END
$$;

-- Nobody executes what was not granted. Per-schema defaults can't take away, so this is for all schemas of this database.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

REVOKE ALL ON SCHEMA wsmfa FROM PUBLIC;
GRANT USAGE ON SCHEMA wsmfa TO wsmfa_radius, wsmfa_push, wsmfa_admin, wsmfa_auditor, wsmfa_org_admin;

COMMENT ON SCHEMA wsmfa IS 'Multi-factor authentication of RADIUS logins: accounts, authenticators, schedules, open questions, events.';
COMMENT ON TABLE wsmfa.schema_version IS 'Migrations that were applied, written by sql/migrate.';
COMMENT ON COLUMN wsmfa.schema_version.checksum IS 'SHA-256 of the file as it was applied: an edited one is refused.';

CREATE FUNCTION wsmfa.schema_check() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT max(id) FROM wsmfa.schema_version $$;
COMMENT ON FUNCTION wsmfa.schema_check IS 'Number of the newest migration applied: a program refuses a schema it does not know.';
GRANT EXECUTE ON FUNCTION wsmfa.schema_check TO wsmfa_radius, wsmfa_push, wsmfa_admin, wsmfa_auditor, wsmfa_org_admin;
GRANT SELECT ON wsmfa.schema_version TO wsmfa_admin, wsmfa_auditor;
