-- Who sees every organization is asked in PostgreSQL's own words. Where an administrator of one may make a function and set a
-- search_path, a pg_has_role of its own would have answered, and shown the others.
ALTER FUNCTION wsmfa.sees_all() SET search_path = pg_catalog, pg_temp;
