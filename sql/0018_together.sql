-- What nearly every login does, for all logins of one moment in one statement and one commit. PostgreSQL spends more on getting a
-- statement ready, on the way to it and back, and on a commit than on one login's few rows.
--
-- Each of these does no more than the function of one login does in its plainest case, and says for whom it did so, as their
-- number n in the arrays, from 1. Whoever is not among them has to be asked for alone. They wait for nobody: a row that another
-- transaction holds is passed by, so that no login waits for a stranger's. Rows come in no order.
--
-- They are called with the settings that the module makes on its connections (rlm_wsmfa/store/pg_conn.c): joins as they are written,
-- by indexes. As settings of the functions they would cost a sixth of a call.

-- In a form that PostgreSQL makes a part of the statement that reads it. The number of an authenticator that may be enrolled is the
-- only thing in it that is not the same if it is read again.
CREATE FUNCTION wsmfa.accounts_at(p_accounts text[], p_clients text[], p_stations text[], p_services text[], p_ats timestamptz[],
	p_failure_days integer)
RETURNS TABLE (n integer,
	account_id bigint, name text, organization_id bigint, allowed_kinds integer, region text, language text, phone text,
	password text, preferred text, created_at timestamptz, disabled_at timestamptz, locked_until timestamptz, failures integer,
	in_scope boolean, in_scope_from timestamptz, stage text, announce_from timestamptz, enforce_from timestamptz,
	enforce_on text, exempt_until timestamptz, banner_shown_at timestamptz, ticket_hash bytea, spare_authenticator_id bigint,
	auth_id bigint, auth_kind text, auth_label text, auth_confirmed_at timestamptz, auth_disabled_at timestamptz,
	auth_failures integer, auth_sealed bytea, auth_algorithm text, auth_digits smallint, auth_period smallint,
	auth_last_step bigint, auth_drift integer, auth_provider text, auth_device text, auth_phone text, auth_salt bytea,
	auth_iterations integer, auth_codes_left integer)
LANGUAGE sql STABLE ROWS 20
AS $$
	SELECT u.n::integer, c.id, c.name, c.organization_id,
		CASE WHEN o.allowed_methods IS NULL THEN -1 ELSE wsmfa.kind_bits(o.allowed_methods) END,
		c.region, c.language, c.phone, c.password, c.preferred, c.created_at, c.disabled_at,
		(SELECT w.locked_until FROM wsmfa.station_wait w WHERE w.account_id = c.id
			AND w.station = wsmfa.station_key(u.client, u.station) AND w.locked_until > u.at),
		CASE WHEN c.last_failure_at IS NULL THEN 0 ELSE wsmfa.failures_of(c.id, NULL, c.last_failure_at, u.at, p_failure_days) END,
		i.in_scope, i.since, wsmfa.stage_of(coalesce(s.announce_from, r.announce_from), coalesce(s.enforce_from, r.enforce_from), u.at),
		coalesce(s.announce_from, r.announce_from), coalesce(s.enforce_from, r.enforce_from),
		CASE WHEN isfinite(coalesce(s.enforce_from, r.enforce_from))
			THEN to_char(coalesce(s.enforce_from, r.enforce_from) AT TIME ZONE r.time_zone, 'YYYY-MM-DD') ELSE '' END,
		CASE WHEN i.in_scope AND i.spare IS NOT NULL THEN (SELECT max(e.until) FROM wsmfa.exemption e
			WHERE e.account_id = c.id AND e.revoked_at IS NULL) END,
		c.banner_shown_at,
		CASE WHEN i.in_scope AND i.spare IS NOT NULL THEN wsmfa.ticket_of(c.id, u.at) END, i.spare,
		x.id, x.kind, x.label, x.confirmed_at, x.disabled_at,
		CASE WHEN x.last_failure_at IS NULL THEN 0 ELSE wsmfa.failures_of(c.id, x.id, x.last_failure_at, u.at, p_failure_days) END,
		x.sealed, x.algorithm, x.digits, x.period, x.last_step, x.drift, x.provider, x.device, x.phone, x.salt, x.iterations,
		CASE WHEN x.kind = 'recovery' THEN wsmfa.codes_left(x.id) ELSE 0 END
	FROM unnest(p_accounts, p_clients, p_stations, p_services, p_ats) WITH ORDINALITY u (account, client, station, service, at, n)
		JOIN wsmfa.account c ON c.name = u.account
		JOIN wsmfa.organization o ON o.id = c.organization_id
		JOIN wsmfa.region r ON r.code = c.region
		LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = c.organization_id
		CROSS JOIN LATERAL (
			SELECT k.in_scope, k.since, CASE WHEN NOT EXISTS (SELECT FROM wsmfa.authenticator y WHERE y.account_id = c.id
				AND y.kind <> 'recovery' AND y.confirmed_at IS NOT NULL AND y.removed_at IS NULL)
				THEN nextval('wsmfa.authenticator_id_seq') END AS spare
			FROM wsmfa.in_scope_at(c.id, coalesce(u.service, ''), u.at) k
			OFFSET 0
		) i
		LEFT JOIN wsmfa.authenticator x ON x.account_id = c.id AND x.confirmed_at IS NOT NULL AND x.removed_at IS NULL
$$;
COMMENT ON FUNCTION wsmfa.accounts_at IS 'What login_load says of accounts, each at its time: n is the place in the arrays. Who has no row is not known.';

CREATE FUNCTION wsmfa.login_load_many(p_accounts text[], p_clients text[], p_stations text[], p_services text[], p_ats timestamptz[],
	p_failure_days integer)
RETURNS TABLE (n integer,
	account_id bigint, name text, organization_id bigint, allowed_kinds integer, region text, language text, phone text,
	password text, preferred text, created_at timestamptz, disabled_at timestamptz, locked_until timestamptz, failures integer,
	in_scope boolean, in_scope_from timestamptz, stage text, announce_from timestamptz, enforce_from timestamptz,
	enforce_on text, exempt_until timestamptz, banner_shown_at timestamptz, ticket_hash bytea, spare_authenticator_id bigint,
	auth_id bigint, auth_kind text, auth_label text, auth_confirmed_at timestamptz, auth_disabled_at timestamptz,
	auth_failures integer, auth_sealed bytea, auth_algorithm text, auth_digits smallint, auth_period smallint,
	auth_last_step bigint, auth_drift integer, auth_provider text, auth_device text, auth_phone text, auth_salt bytea,
	auth_iterations integer, auth_codes_left integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 20
AS $$
DECLARE
	v_ignored text;
BEGIN
	-- a sequence writes WAL now and then; nothing is lost with it, so this need not wait for the disk
	v_ignored := set_config('synchronous_commit', 'off', true);
	RETURN QUERY
	SELECT l.* FROM wsmfa.accounts_at(p_accounts, p_clients, p_stations, p_services, p_ats, p_failure_days) l;
END
$$;
COMMENT ON FUNCTION wsmfa.login_load_many IS 'login_load for all logins of one moment. Who has no row is not known.';

CREATE FUNCTION wsmfa.challenge_open_many(p_ats timestamptz[], p_account_ids bigint[], p_clients text[], p_stations text[],
	p_services text[], p_state_hashes bytea[], p_logins bytea[], p_attempts integer[], p_expire_ats timestamptz[],
	p_authenticator_ids bigint[], p_digests bytea[])
RETURNS TABLE (n integer, challenge_id bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 20
AS $$
#variable_conflict use_column
DECLARE
	v_old bigint[];
	v_ignored text;
BEGIN
	v_ignored := set_config('synchronous_commit', 'off', true);
	SELECT array_agg(h.id) INTO v_old FROM (SELECT o.id FROM wsmfa.challenge o WHERE o.account_id = ANY (p_account_ids)
		AND o.expires_at < p_ats[1] - interval '1 hour' AND coalesce(o.code_expires_at, o.expires_at) < p_ats[1] - interval '1 hour'
		FOR UPDATE SKIP LOCKED) h;
	IF v_old IS NOT NULL THEN
		DELETE FROM wsmfa.challenge c WHERE c.id = ANY (v_old);
	END IF;
	RETURN QUERY
	WITH opened AS (
		SELECT u.*, nextval('wsmfa.challenge_id_seq') AS id
		FROM unnest(p_ats, p_account_ids, p_clients, p_stations, p_services, p_state_hashes, p_logins, p_attempts, p_expire_ats,
			p_authenticator_ids, p_digests) WITH ORDINALITY
			u (at, account_id, client, station, service, state_hash, login, attempt, expires_at, authenticator_id, digest, n)
			JOIN wsmfa.account a ON a.id = u.account_id
		WHERE a.disabled_at IS NULL
	), added AS (
		INSERT INTO wsmfa.challenge (id, account_id, kind, state_hash, client, station, service, login, attempt, opened_at, expires_at,
			digest, authenticator_id)
		SELECT o.id, o.account_id, 'totp', o.state_hash, o.client, o.station, o.service, o.login, o.attempt, o.at, o.expires_at,
			o.digest, nullif(o.authenticator_id, 0)
		FROM opened o
	)
	SELECT o.n::integer, o.id FROM opened o;
END
$$;
COMMENT ON FUNCTION wsmfa.challenge_open_many IS 'challenge_open of questions for a TOTP code, for which nothing is sent, for all logins of one moment.';

CREATE FUNCTION wsmfa.challenge_take_many(p_state_hashes bytea[], p_accounts text[], p_clients text[], p_stations text[],
	p_services text[], p_ats timestamptz[], p_answer_macs bytea[], p_digests bytea[], p_failure_days integer)
RETURNS TABLE (n integer, status text, question_id bigint, question_kind text, question_login bytea, question_attempt integer,
	question_opened_at timestamptz, question_expires_at timestamptz, question_authenticator_id bigint, question_code_mac bytea,
	question_code_expires_at timestamptz, question_number text, question_provider text, question_sealed bytea,
	question_push_state text,
	account_id bigint, name text, organization_id bigint, allowed_kinds integer, region text, language text, phone text,
	password text, preferred text, created_at timestamptz, disabled_at timestamptz, locked_until timestamptz, failures integer,
	in_scope boolean, in_scope_from timestamptz, stage text, announce_from timestamptz, enforce_from timestamptz,
	enforce_on text, exempt_until timestamptz, banner_shown_at timestamptz, ticket_hash bytea, spare_authenticator_id bigint,
	auth_id bigint, auth_kind text, auth_label text, auth_confirmed_at timestamptz, auth_disabled_at timestamptz,
	auth_failures integer, auth_sealed bytea, auth_algorithm text, auth_digits smallint, auth_period smallint,
	auth_last_step bigint, auth_drift integer, auth_provider text, auth_device text, auth_phone text, auth_salt bytea,
	auth_iterations integer, auth_codes_left integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 20
AS $$
#variable_conflict use_column
DECLARE
	v_open bigint[];
	v_ignored text;
BEGIN
	v_ignored := set_config('synchronous_commit', 'off', true);
	SELECT array_agg(h.id) INTO v_open FROM (SELECT q.id FROM wsmfa.challenge q WHERE q.state_hash = ANY (p_state_hashes)
		AND q.answered_at IS NULL FOR UPDATE SKIP LOCKED) h;
	RETURN QUERY
	WITH taken AS (
		UPDATE wsmfa.challenge q SET answered_at = u.at, answer_mac = u.answer_mac, answer_digest = u.digest
		FROM unnest(p_state_hashes, p_accounts, p_clients, p_stations, p_ats, p_answer_macs, p_digests) WITH ORDINALITY
			u (state_hash, account, client, station, at, answer_mac, digest, n)
			JOIN wsmfa.account a ON a.name = u.account
		WHERE q.id = ANY (v_open) AND q.state_hash = u.state_hash AND q.account_id = a.id AND q.client = u.client
			AND (q.station = '' OR u.station = '' OR q.station = u.station) AND q.answered_at IS NULL AND u.at < q.expires_at
		RETURNING u.n, u.at, q.id, q.kind, q.login, q.attempt, q.opened_at, q.expires_at, q.authenticator_id, q.code_mac,
			q.code_expires_at, q.number, q.provider, q.sealed, q.push_state
	), l AS MATERIALIZED (
		SELECT l.* FROM wsmfa.accounts_at(p_accounts, p_clients, p_stations, p_services, p_ats, p_failure_days) l
	)
	SELECT t.n::integer, 'taken', t.id, t.kind, t.login, t.attempt, t.opened_at, t.expires_at, t.authenticator_id, t.code_mac,
		t.code_expires_at, t.number, t.provider, t.sealed, t.push_state,
		l.account_id, l.name, l.organization_id, l.allowed_kinds, l.region, l.language, l.phone, l.password, l.preferred,
		l.created_at, l.disabled_at, l.locked_until, l.failures, l.in_scope, l.in_scope_from, l.stage, l.announce_from,
		l.enforce_from, l.enforce_on, l.exempt_until, l.banner_shown_at,
		-- who has been asked for a ticket may give it, though no longer in scope
		coalesce(l.ticket_hash, CASE WHEN t.kind = 'enroll_ticket' AND l.spare_authenticator_id IS NOT NULL
			THEN wsmfa.ticket_of(l.account_id, t.at) END),
		l.spare_authenticator_id, l.auth_id, l.auth_kind, l.auth_label, l.auth_confirmed_at, l.auth_disabled_at,
		l.auth_failures, l.auth_sealed, l.auth_algorithm, l.auth_digits, l.auth_period, l.auth_last_step, l.auth_drift,
		l.auth_provider, l.auth_device, l.auth_phone, l.auth_salt, l.auth_iterations, l.auth_codes_left
	FROM taken t
		JOIN l ON l.n = t.n;
END
$$;
COMMENT ON FUNCTION wsmfa.challenge_take_many IS 'challenge_take of questions that are open, for all logins of one moment: those taken, with their accounts.';

CREATE FUNCTION wsmfa.challenge_settle_many(p_ats timestamptz[], p_account_ids bigint[], p_clients text[], p_stations text[],
	p_challenge_ids bigint[], p_authenticator_ids bigint[], p_steps bigint[], p_drifts integer[], p_failure_days integer)
RETURNS TABLE (n integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 20
AS $$
#variable_conflict use_column
DECLARE
	v_accounts bigint[];
	v_authenticators bigint[];
	v_challenges bigint[];
	v_settled integer[];
BEGIN
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM wsmfa.commit_durably();
	END IF;
	-- In the order of sql/0008_open.sql: the accounts, the questions, the authenticators. What is judged is read after it is held.
	SELECT array_agg(h.id) INTO v_accounts FROM (SELECT a.id FROM wsmfa.account a WHERE a.id = ANY (p_account_ids)
		AND a.disabled_at IS NULL FOR NO KEY UPDATE SKIP LOCKED) h;
	IF p_challenge_ids <> array_fill(0::bigint, ARRAY[cardinality(p_challenge_ids)]) THEN
		SELECT array_agg(h.id) INTO v_challenges FROM (SELECT q.id FROM wsmfa.challenge q WHERE q.id = ANY (p_challenge_ids)
			FOR UPDATE SKIP LOCKED) h;
	END IF;
	SELECT array_agg(h.id) INTO v_authenticators FROM (SELECT x.id FROM wsmfa.authenticator x
		WHERE x.id = ANY (p_authenticator_ids) FOR NO KEY UPDATE SKIP LOCKED) h;
	WITH settled AS (
		UPDATE wsmfa.authenticator x SET last_used_at = u.at, consecutive = 0, last_step = u.step, drift = u.drift
		FROM unnest(p_ats, p_account_ids, p_clients, p_stations, p_challenge_ids, p_authenticator_ids, p_steps, p_drifts)
			WITH ORDINALITY u (at, account_id, client, station, challenge_id, authenticator_id, step, drift, n)
		WHERE x.id = ANY (v_authenticators) AND x.id = u.authenticator_id AND x.account_id = u.account_id AND u.account_id = ANY (v_accounts)
			AND x.kind = 'totp' AND x.confirmed_at IS NOT NULL AND x.disabled_at IS NULL AND x.removed_at IS NULL
			AND x.last_step < u.step
			AND (x.last_failure_at IS NULL OR x.last_failure_at <= u.at - make_interval(hours => 24 * p_failure_days))
			AND NOT EXISTS (SELECT FROM wsmfa.station_wait w WHERE w.account_id = u.account_id
				AND w.station = wsmfa.station_key(u.client, u.station))
			AND (u.challenge_id = 0 OR EXISTS (SELECT FROM wsmfa.challenge q WHERE q.id = u.challenge_id
				AND q.id = ANY (v_challenges) AND q.account_id = u.account_id AND q.kind = 'totp'
				AND q.answered_at IS NOT NULL AND q.settled_at IS NULL))
		RETURNING u.n
	)
	SELECT array_agg(s.n::integer) INTO v_settled FROM settled s;
	IF v_challenges IS NOT NULL THEN
		UPDATE wsmfa.challenge q SET settled_at = p_ats[s.n], settled_as = 'right', outcome = 'accepted', reason = 'proven'
		FROM unnest(v_settled) s (n) WHERE q.id = ANY (v_challenges) AND q.id = p_challenge_ids[s.n];
	END IF;
	RETURN QUERY SELECT unnest(v_settled);
END
$$;
COMMENT ON FUNCTION wsmfa.challenge_settle_many IS 'challenge_settle of right TOTP codes of those who have not failed lately and are accepted with them, for all logins of one moment, in one durable commit: those settled so.';

-- A batch of events joins small arrays to large tables, and its plan may be as old as the table was empty.
ALTER FUNCTION wsmfa.events_add(jsonb) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION wsmfa.events_add(jsonb) SET jit = off;
ALTER FUNCTION wsmfa.events_add(jsonb) SET enable_seqscan = off;
ALTER FUNCTION wsmfa.events_add(jsonb) SET enable_hashjoin = off;
ALTER FUNCTION wsmfa.events_add(jsonb) SET enable_mergejoin = off;

GRANT EXECUTE ON FUNCTION wsmfa.login_load_many, wsmfa.challenge_open_many, wsmfa.challenge_take_many, wsmfa.challenge_settle_many
	TO wsmfa_radius;
