-- What administrators rely on: that an erased name stays erased, that each change leaves a trace, which keys the servers hold, and
-- that nobody waits long for housekeeping.

-- An event may be written after its account was erased: servers keep batches back while the database is away. Erasing and writing
-- exclude each other, or a batch that began before could end after.
CREATE INDEX event_unknown_idx ON wsmfa.event (account) WHERE account_id IS NULL;

CREATE OR REPLACE FUNCTION wsmfa.events_add(p_events jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_now timestamptz := statement_timestamp();
	v_lock_timeout text := current_setting('lock_timeout');
	v_count bigint;
BEGIN
	IF to_regclass('wsmfa.event_' || to_char(date_trunc('month', v_now AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM')) IS NULL THEN
		-- somebody who reads events for long holds a lock that this would wait for: events must not, they go to the default
		BEGIN
			PERFORM set_config('lock_timeout', '200ms', true);
			PERFORM wsmfa.event_partitions(v_now);
		EXCEPTION WHEN lock_not_available OR deadlock_detected OR duplicate_table THEN
			NULL;
		END;
		PERFORM set_config('lock_timeout', v_lock_timeout, true);
	END IF;

	PERFORM pg_advisory_xact_lock_shared(hashtextextended('wsmfa.account_erase', 0));
	IF p_events @> '[{"outcome": "failed_first_factor"}]' THEN
		-- two servers' batches add to the same rows: one after the other, or they would make two rows, or wait for each other
		PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.events_add', 0));
	END IF;
	WITH e AS (
		SELECT coalesce(timestamptz 'epoch' + x.at * interval '1 microsecond', v_now) AS at, a.id AS account_id, a.organization_id,
			CASE WHEN a.id IS NOT NULL OR coalesce(x.account_id, 0) = 0 THEN x.account END AS account, x.client,
			CASE WHEN a.id IS NOT NULL OR coalesce(x.account_id, 0) = 0 THEN x.station END AS station,
			x.service, x.region, x.stage, x.decision, x.method, x.outcome, x.reason, x.count
		FROM jsonb_to_recordset(p_events) AS x(at bigint, account_id bigint, account text, client text, station text, service text,
			region text, stage text, decision text, method text, outcome text, reason text, count integer)
			LEFT JOIN wsmfa.account a ON a.id = x.account_id
	), wrong AS (
		SELECT min(e.at) AS at, min(e.account_id) AS account_id, min(e.organization_id) AS organization_id, e.account, e.client,
			min(e.station) AS station, min(e.service) AS service, min(e.region) AS region, min(e.reason) AS reason,
			date_trunc('minute', e.at) AS minute, sum(greatest(e.count, 1))::integer AS count
		FROM e WHERE e.outcome = 'failed_first_factor'
		GROUP BY e.account, e.client, date_trunc('minute', e.at)
	), again AS (
		UPDATE wsmfa.event v SET count = v.count + w.count
		FROM wrong w
		WHERE v.outcome = 'failed_first_factor' AND v.account = w.account AND v.client = w.client
			AND v.at >= w.minute AND v.at < w.minute + interval '1 minute'
		RETURNING w.account, w.client, w.minute
	), fresh AS (
		SELECT e.at, e.account_id, e.organization_id, e.account, e.client, e.station, e.service, e.region, e.stage, e.decision,
			e.method, e.outcome, e.reason, e.count
		FROM e WHERE e.outcome IS DISTINCT FROM 'failed_first_factor'
		UNION ALL
		SELECT w.at, w.account_id, w.organization_id, w.account, w.client, w.station, w.service, w.region, NULL, NULL, NULL,
			'failed_first_factor', w.reason, w.count
		FROM wrong w
		WHERE NOT EXISTS (SELECT FROM again a WHERE a.account = w.account AND a.client = w.client AND a.minute = w.minute)
	), added AS (
		INSERT INTO wsmfa.event (at, account_id, organization_id, account, client, station, service, region, stage, decision,
			method, outcome, reason, count)
		SELECT f.at, f.account_id, f.organization_id, nullif(left(f.account, 253), ''), nullif(left(f.client, 64), ''),
			nullif(left(f.station, 253), ''), nullif(left(f.service, 32), ''), nullif(left(f.region, 32), ''),
			nullif(left(f.stage, 32), ''), nullif(left(f.decision, 32), ''), nullif(left(f.method, 32), ''),
			coalesce(nullif(left(f.outcome, 32), ''), 'error'), nullif(left(f.reason, 32), ''), greatest(f.count, 1)
		FROM fresh f
		RETURNING 1
	), seen AS (
		INSERT INTO wsmfa.account_seen AS s (account_id, last_login, last_mfa_login)
		SELECT e.account_id, max(e.at), max(e.at) FILTER (WHERE e.method IN ('fido2', 'push', 'totp', 'sms', 'recovery'))
		FROM e
		WHERE e.outcome = 'accepted' AND e.account_id IS NOT NULL
		GROUP BY e.account_id
		ORDER BY e.account_id -- two servers' batches lock rows in one order
		ON CONFLICT (account_id) DO UPDATE SET last_login = greatest(s.last_login, excluded.last_login),
			last_mfa_login = greatest(s.last_mfa_login, excluded.last_mfa_login)
	)
	SELECT count(*) INTO v_count FROM added;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION wsmfa.events_add IS 'Writes a batch of events, an array of objects: at (microseconds since 1970), account_id, account, client, station, service, region, stage, decision, method, outcome, reason, count. Of an account that is no more, neither name nor station is written. Wrong passwords add to the event of their account, client and minute. Makes next month''s partition when it is missing.';

CREATE OR REPLACE FUNCTION wsmfa.account_erase(account text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
	v_name text := wsmfa.fold(account_erase.account);
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.account_erase', 0));
	SELECT a.id INTO v_id FROM wsmfa.account a WHERE a.name = v_name FOR UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	DELETE FROM wsmfa.sent s WHERE s.account_id = v_id;
	DELETE FROM wsmfa.account a WHERE a.id = v_id;
	UPDATE wsmfa.event e SET account = NULL, account_id = NULL, station = NULL WHERE e.account_id = v_id;
	UPDATE wsmfa.event e SET account = NULL, station = NULL WHERE e.account = v_name AND e.account_id IS NULL;
	UPDATE wsmfa.audit u SET key = 'erased', before = NULL, after = NULL WHERE u.account_id = v_id;
	INSERT INTO wsmfa.audit (what, table_name, key, account_id) VALUES ('erase', 'account', 'erased', v_id);
	RETURN true;
END
$$;

-- Which keys a server holds: key rotate waits for them, doctor compares. What a server of an older version holds is not known.
ALTER TABLE wsmfa.server ADD COLUMN keys text[];
COMMENT ON COLUMN wsmfa.server.keys IS 'Ids of the keys in its key file, the one that seals first; never a key. Null: it does not tell.';
DROP FUNCTION wsmfa.heartbeat(text, text, timestamptz, timestamptz, text, integer, jsonb, jsonb, integer, integer);
CREATE FUNCTION wsmfa.heartbeat(p_name text, p_version text, p_started_at timestamptz, p_at timestamptz, p_engine text,
	p_parked integer, p_breakers jsonb, p_counters jsonb, p_failure_budget integer, p_failure_days integer,
	p_keys text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO wsmfa.server AS s (name, version, started_at, at, engine, parked, breakers, counters, failure_budget, failure_days,
		keys)
	VALUES (left(p_name, 200), left(p_version, 64), p_started_at, p_at, left(p_engine, 64), p_parked, coalesce(p_breakers, '{}'),
		coalesce(p_counters, '{}'), p_failure_budget, p_failure_days, p_keys)
	ON CONFLICT (name) DO UPDATE SET version = excluded.version, started_at = excluded.started_at, at = excluded.at,
		engine = excluded.engine, parked = excluded.parked, breakers = excluded.breakers, counters = excluded.counters,
		failure_budget = excluded.failure_budget, failure_days = excluded.failure_days, keys = excluded.keys;
END
$$;
COMMENT ON FUNCTION wsmfa.heartbeat IS 'A RADIUS server tells that it lives, and how: engine''s state, parked requests, breakers, counters, its failure budget, the ids of its keys.';
GRANT EXECUTE ON FUNCTION wsmfa.heartbeat TO wsmfa_radius;

-- A fresh failure budget lets somebody guess again, so who gives one leaves a trace: by a function that does, or by hand.
CREATE FUNCTION wsmfa.authenticator_enable(account_id bigint, authenticator_id bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE wsmfa.authenticator x SET disabled_at = NULL, disabled_reason = NULL, consecutive = 0, last_failure_at = NULL
	WHERE x.account_id = $1 AND x.id = $2 AND x.removed_at IS NULL;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	DELETE FROM wsmfa.failure f WHERE f.account_id = $1 AND f.authenticator_id = $2;
	INSERT INTO wsmfa.audit (what, table_name, key, account_id) VALUES ('unlock', 'authenticator', $2::text, $1);
	RETURN true;
END
$$;
COMMENT ON FUNCTION wsmfa.authenticator_enable IS 'Enables an authenticator of an account and gives it a fresh failure budget. False: it has no such one.';
REVOKE DELETE ON wsmfa.failure, wsmfa.station_wait FROM wsmfa_admin;
GRANT EXECUTE ON FUNCTION wsmfa.authenticator_enable TO wsmfa_admin;

CREATE FUNCTION wsmfa.audit_budget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_row jsonb := to_jsonb(NEW);
BEGIN
	INSERT INTO wsmfa.audit (what, table_name, key, account_id, before, after)
	VALUES ('update', TG_TABLE_NAME, v_row ->> TG_ARGV[0], (v_row ->> TG_ARGV[1])::bigint,
		jsonb_build_object('last_failure_at', OLD.last_failure_at), jsonb_build_object('last_failure_at', NULL));
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION wsmfa.audit_budget IS 'Trigger: leaves a row in audit when failures no longer count. Its arguments are the columns of the key and of the account''s id.';
CREATE TRIGGER audit_budget AFTER UPDATE OF last_failure_at ON wsmfa.authenticator FOR EACH ROW
	WHEN (OLD.last_failure_at IS NOT NULL AND NEW.last_failure_at IS NULL) EXECUTE FUNCTION wsmfa.audit_budget('id', 'account_id');
CREATE TRIGGER audit_budget AFTER UPDATE OF last_failure_at ON wsmfa.account FOR EACH ROW
	WHEN (OLD.last_failure_at IS NOT NULL AND NEW.last_failure_at IS NULL) EXECUTE FUNCTION wsmfa.audit_budget('name', 'id');

CREATE FUNCTION wsmfa.audit_codes_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO wsmfa.audit (what, table_name, key, account_id, before)
	SELECT 'delete', TG_TABLE_NAME, g.authenticator_id::text, x.account_id, jsonb_build_object('codes', count(*))
	FROM gone g JOIN wsmfa.authenticator x ON x.id = g.authenticator_id
	WHERE g.used_at IS NULL
	GROUP BY g.authenticator_id, x.account_id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION wsmfa.audit_codes_gone IS 'Trigger: leaves a row in audit for good recovery codes that were deleted, with their number. Those that go with their authenticator have its row.';
CREATE TRIGGER audit_delete AFTER DELETE ON wsmfa.recovery_code REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION wsmfa.audit_codes_gone();

-- Who comes into scope after the region's date is stopped then.
CREATE OR REPLACE VIEW wsmfa.upcoming_enforcement AS
	SELECT f.account, f.organization, f.region, s.stopped_from AS enforce_from,
		wsmfa.days_left(s.stopped_from, statement_timestamp()) AS days_left
	FROM wsmfa.account_fact f CROSS JOIN LATERAL (SELECT greatest(f.enforce_from, f.requires_mfa_from) AS stopped_from) s
	WHERE s.stopped_from > statement_timestamp() AND isfinite(s.stopped_from) AND f.requires_mfa_from IS NOT NULL
		AND f.disabled_at IS NULL AND NOT (f.enrolled AND coalesce(f.usable_from <= s.stopped_from, false))
		AND (f.enrolled OR coalesce(f.exempt_until <= s.stopped_from, true))
	ORDER BY s.stopped_from, f.organization, f.account;
COMMENT ON VIEW wsmfa.upcoming_enforcement IS 'Who would be stopped on the day, soonest first: in scope then, without a usable authenticator, not exempt.';
COMMENT ON COLUMN wsmfa.upcoming_enforcement.enforce_from IS 'From when on it would be stopped: the date of its schedule, or the one from which a service of it requires MFA where that is later.';

COMMENT ON COLUMN wsmfa.mfa_status.next_login IS 'deny, challenge, accept, accept_with_banner or enroll: the decision for a login to one of its own services, from a client that can be challenged and may enrol. Where enroll stands, the server may still refuse: when the days of grace are over or a ticket is asked for (enroll_grace and enroll_ticket are settings of the server, which SQL does not know), or when wrong tickets and proofs have used up the account''s failure budget.';

-- Dropping a month waits for everybody who reads events, and meanwhile nobody can write any. So it waits for a second only.
CREATE OR REPLACE FUNCTION wsmfa.sweep(p_at timestamptz DEFAULT statement_timestamp(), p_event_months integer DEFAULT 13)
RETURNS TABLE (what text, rows bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	n bigint;
	v_lock_timeout text := current_setting('lock_timeout');
BEGIN
	DELETE FROM wsmfa.challenge c WHERE c.id IN (SELECT o.id FROM wsmfa.challenge o WHERE o.expires_at < p_at - interval '1 hour'
		AND coalesce(o.code_expires_at, o.expires_at) < p_at - interval '1 hour' FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT 'challenge'::text, n;
	DELETE FROM wsmfa.failure f WHERE f.at < p_at - interval '366 days'; -- no budget looks further back
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT 'failure'::text, n;
	DELETE FROM wsmfa.station_wait w WHERE w.at < p_at - interval '30 days' AND coalesce(w.locked_until < p_at, true);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT 'station_wait'::text, n;
	DELETE FROM wsmfa.sent s WHERE s.at < p_at - interval '7 days';
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT 'sent'::text, n;
	DELETE FROM wsmfa.account_seen s WHERE NOT EXISTS (SELECT FROM wsmfa.account a WHERE a.id = s.account_id);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT 'account_seen'::text, n;
	DELETE FROM wsmfa.server s WHERE s.at < p_at - interval '30 days';
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT 'server'::text, n;
	PERFORM set_config('lock_timeout', '1s', true);
	BEGIN
		n := wsmfa.event_partitions(p_at);
	EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
		n := NULL;
	END;
	RETURN QUERY SELECT 'event partitions made'::text, n;
	BEGIN
		n := wsmfa.event_partitions_drop(p_at, p_event_months);
	EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
		n := NULL;
	END;
	RETURN QUERY SELECT 'event partitions dropped'::text, n;
	PERFORM set_config('lock_timeout', v_lock_timeout, true);
END
$$;
COMMENT ON FUNCTION wsmfa.sweep IS 'Housekeeping, for cron, pg_cron or wsmfactl sweep: prunes what no rule looks at any more, makes event partitions ahead and drops those older than p_event_months. Returns what it did; rows is null where somebody held the events for longer than a second, and the next run does it.';
