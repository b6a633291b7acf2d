-- What a packet reads: the account with all that the rules need, and the question that it answers.

CREATE FUNCTION wsmfa.failures_of(p_account_id bigint, p_authenticator_id bigint, p_last_failure_at timestamptz, p_at timestamptz,
	p_days integer) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_from timestamptz := p_at - make_interval(hours => 24 * p_days);
BEGIN
	IF p_last_failure_at IS NULL OR p_last_failure_at <= v_from THEN
		RETURN 0;
	ELSIF p_authenticator_id IS NULL THEN
		RETURN (SELECT count(*) FROM wsmfa.failure f WHERE f.account_id = p_account_id AND f.authenticator_id IS NULL AND f.at > v_from);
	ELSE
		RETURN (SELECT count(*) FROM wsmfa.failure f WHERE f.authenticator_id = p_authenticator_id AND f.at > v_from);
	END IF;
END
$$;
COMMENT ON FUNCTION wsmfa.failures_of IS 'Counted failures of an authenticator, or of the account itself, in the days before that time. Reads nothing unless the newest one is recent.';

CREATE FUNCTION wsmfa.login_load(p_account text, p_client text, p_station text, p_service text, p_at timestamptz,
	p_failure_days integer DEFAULT 30)
RETURNS TABLE (
	account_id bigint, name text, organization_id bigint, allowed_kinds integer, region text, language text, phone text,
	password text, preferred text, created_at timestamptz, disabled_at timestamptz, locked_until timestamptz, failures integer,
	in_scope boolean, in_scope_from timestamptz, stage text, announce_from timestamptz, enforce_from timestamptz,
	enforce_on text, exempt_until timestamptz, banner_shown_at timestamptz, ticket_hash bytea, spare_authenticator_id bigint,
	auth_id bigint, auth_kind text, auth_label text, auth_confirmed_at timestamptz, auth_disabled_at timestamptz,
	auth_failures integer, auth_sealed bytea, auth_algorithm text, auth_digits smallint, auth_period smallint,
	auth_last_step bigint, auth_drift integer, auth_provider text, auth_device text, auth_phone text, auth_salt bytea,
	auth_iterations integer, auth_codes_left integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 2
AS $$
#variable_conflict use_column
DECLARE
	a record;
	b record;
	v_failures integer := 0;
	v_ticket bytea;
	v_spare bigint;
BEGIN
	-- several small statements: one large one takes three times as long, most of it to get ready
	SELECT c.id, c.name, c.organization_id, o.allowed_methods, c.region, c.language, c.phone, c.password, c.preferred, c.created_at,
		c.disabled_at, c.last_failure_at, c.banner_shown_at, coalesce(s.announce_from, r.announce_from) AS announce_from,
		coalesce(s.enforce_from, r.enforce_from) AS enforce_from, r.time_zone
	INTO a
	FROM wsmfa.account c
		JOIN wsmfa.organization o ON o.id = c.organization_id
		JOIN wsmfa.region r ON r.code = c.region
		LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = c.organization_id
	WHERE c.name = p_account;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT i.in_scope, i.since,
		(SELECT w.locked_until FROM wsmfa.station_wait w WHERE w.account_id = a.id
			AND w.station = wsmfa.station_key(p_client, p_station) AND w.locked_until > p_at) AS locked_until,
		(SELECT max(e.until) FROM wsmfa.exemption e WHERE e.account_id = a.id AND e.revoked_at IS NULL) AS exempt_until,
		EXISTS (SELECT FROM wsmfa.authenticator x WHERE x.account_id = a.id AND x.kind <> 'recovery'
			AND x.confirmed_at IS NOT NULL AND x.removed_at IS NULL) AS enrolled
	INTO b
	FROM wsmfa.in_scope_at(a.id, coalesce(p_service, ''), p_at) i;
	IF a.last_failure_at IS NOT NULL THEN
		v_failures := wsmfa.failures_of(a.id, NULL, a.last_failure_at, p_at, p_failure_days);
	END IF;

	IF NOT b.enrolled THEN
		SELECT t.hash INTO v_ticket FROM wsmfa.ticket t
		WHERE t.account_id = a.id AND t.used_at IS NULL AND t.expires_at > p_at ORDER BY t.created_at DESC, t.id DESC LIMIT 1;
		-- a sequence writes WAL now and then; nothing is lost with it, so this packet need not wait for the disk
		PERFORM set_config('synchronous_commit', 'off', true);
		v_spare := nextval('wsmfa.authenticator_id_seq');
	END IF;

	RETURN QUERY
	SELECT a.id, a.name, a.organization_id, wsmfa.kind_bits(a.allowed_methods), a.region, a.language, a.phone, a.password,
		a.preferred, a.created_at, a.disabled_at, b.locked_until, v_failures, b.in_scope, b.since,
		wsmfa.stage_of(a.announce_from, a.enforce_from, p_at), a.announce_from, a.enforce_from,
		CASE WHEN isfinite(a.enforce_from) THEN to_char(a.enforce_from AT TIME ZONE a.time_zone, 'YYYY-MM-DD') ELSE '' END,
		b.exempt_until, a.banner_shown_at, v_ticket, v_spare,
		x.id, x.kind, x.label, x.confirmed_at, x.disabled_at,
		CASE WHEN x.last_failure_at IS NULL THEN 0
			ELSE wsmfa.failures_of(a.id, x.id, x.last_failure_at, p_at, p_failure_days) END,
		x.sealed, x.algorithm, x.digits, x.period, x.last_step, x.drift, x.provider, x.device, x.phone, x.salt, x.iterations,
		CASE WHEN x.kind = 'recovery' THEN (SELECT count(*)::integer FROM wsmfa.recovery_code k
			WHERE k.authenticator_id = x.id AND k.used_at IS NULL) ELSE 0 END
	FROM (SELECT) one LEFT JOIN wsmfa.authenticator x
		ON x.account_id = a.id AND x.confirmed_at IS NOT NULL AND x.removed_at IS NULL
	ORDER BY x.id;
END
$$;
COMMENT ON FUNCTION wsmfa.login_load IS 'An account, its stage, schedule and password, and its confirmed authenticators, a row each (one row with nulls for none). No row: unknown account.';

CREATE FUNCTION wsmfa.challenge_take(p_state_hash bytea, p_account text, p_client text, p_station text, p_service text, p_at timestamptz,
	p_answer_mac bytea, p_digest bytea, p_failure_days integer DEFAULT 30)
RETURNS TABLE (
	status text, question_id bigint, question_kind text, question_login bytea, question_attempt integer,
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
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 2
AS $$
#variable_conflict use_column
DECLARE
	q wsmfa.challenge;
	v_status text;
BEGIN
	-- writes only the unlogged table; should a page of another be tidied on the way, that need not be waited for either
	PERFORM set_config('synchronous_commit', 'off', true);

	SELECT c.* INTO q FROM wsmfa.challenge c WHERE c.state_hash = p_state_hash;
	IF NOT FOUND THEN
		v_status := 'unknown';
	ELSIF NOT EXISTS (SELECT FROM wsmfa.account a WHERE a.name = p_account AND a.id = q.account_id)
		OR q.client IS DISTINCT FROM p_client OR (q.station <> '' AND p_station <> '' AND q.station <> p_station)
	THEN
		v_status := 'foreign';
	ELSE
		IF q.answered_at IS NULL AND p_at >= q.expires_at THEN
			v_status := 'expired';
		ELSIF q.answered_at IS NULL THEN
			UPDATE wsmfa.challenge c SET answered_at = p_at, answer_mac = p_answer_mac, answer_digest = p_digest
			WHERE c.id = q.id AND c.state_hash = p_state_hash AND c.answered_at IS NULL
			RETURNING c.* INTO q;
			IF FOUND THEN
				v_status := 'taken';
			ELSE -- another packet was quicker
				SELECT c.* INTO q FROM wsmfa.challenge c WHERE c.state_hash = p_state_hash;
			END IF;
		END IF;
		IF v_status IS NULL AND q.answer_mac = p_answer_mac AND q.client = p_client AND q.station = p_station
			AND (p_at - q.answered_at BETWEEN interval '-10 s' AND interval '10 s'
				OR (q.kind = 'push' AND q.push_state = 'pending' AND q.settled_at IS NULL AND p_at < q.code_expires_at
					AND q.answer_digest = p_digest))
		THEN
			v_status := 'repeat';
		END IF;
		v_status := coalesce(v_status, 'spent');
	END IF;

	IF v_status IN ('unknown', 'foreign') THEN
		q := NULL; -- nothing of it is for this packet
	END IF;
	RETURN QUERY
	SELECT v_status, q.id, q.kind, q.login, q.attempt, q.opened_at, q.expires_at, q.authenticator_id, q.code_mac, q.code_expires_at,
		q.number, q.provider, q.sealed, q.push_state, l.*
	FROM (SELECT) one LEFT JOIN wsmfa.login_load(p_account, p_client, p_station, p_service, p_at, p_failure_days) l ON true;
END
$$;
COMMENT ON FUNCTION wsmfa.challenge_take IS 'Takes the question with this SHA-256 of a State, if it is open and bound to this account, client and station, and loads the account as login_load does. Status: taken, repeat, spent, expired, foreign (not consumed) or unknown. Never waits for the disk.';

GRANT EXECUTE ON FUNCTION wsmfa.login_load, wsmfa.challenge_take TO wsmfa_radius;
