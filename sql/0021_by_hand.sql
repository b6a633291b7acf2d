-- What an administrator finds who knows the public names only: row 0 of the rules and every Access-Accept among the events, and days
-- of grace that begin with an account's creation when that is set.

CREATE FUNCTION wsmfa.events_once(p_events jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH e AS MATERIALIZED (
		SELECT v.n, v.event, (v.event ->> 'account_id')::bigint AS account_id, v.event ->> 'outcome' AS outcome,
			coalesce(left(v.event ->> 'client', 64), '') AS client, coalesce(left(v.event ->> 'station', 253), '') AS station,
			timestamptz 'epoch' + (v.event ->> 'at')::bigint * interval '1 microsecond' AS at,
			coalesce((v.event ->> 'again')::boolean, false) AS again
		FROM jsonb_array_elements(p_events) WITH ORDINALITY v (event, n)
	)
	SELECT coalesce(jsonb_agg(e.event ORDER BY e.n), '[]') FROM e
	WHERE NOT e.again OR NOT (
		EXISTS (SELECT FROM wsmfa.event w WHERE w.account_id = e.account_id AND w.outcome = e.outcome
			AND coalesce(w.client, '') = e.client AND (coalesce(w.station, '') IN ('', e.station) OR e.station = '')
			AND w.at BETWEEN e.at - interval '10 s' AND e.at + interval '10 s')
		OR EXISTS (SELECT FROM e o WHERE o.account_id = e.account_id AND o.outcome = e.outcome
			AND o.client = e.client AND (o.station IN ('', e.station) OR e.station = '')
			AND o.at BETWEEN e.at - interval '10 s' AND e.at + interval '10 s' AND (NOT o.again OR o.n < e.n)))
$$;
COMMENT ON FUNCTION wsmfa.events_once IS 'A batch of events without those of an answer that was settled before (again), where the event of then is in the batch or written. An answer is a repeat for 10 s, by clocks that may differ, and of its client and, where both tell it, station.';

CREATE OR REPLACE FUNCTION wsmfa.events_add(p_events jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
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
	IF p_events @> '[{"again": true}]' THEN
		p_events := wsmfa.events_once(p_events);
	END IF;
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
			min(e.station) AS station, min(e.service) AS service, min(e.region) AS region, min(e.decision) AS decision,
			min(e.reason) AS reason,
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
		SELECT w.at, w.account_id, w.organization_id, w.account, w.client, w.station, w.service, w.region, NULL, w.decision, NULL,
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
COMMENT ON FUNCTION wsmfa.events_add IS 'Writes a batch of events, an array of objects: at (microseconds since 1970), account_id, account, client, station, service, region, stage, decision, method, outcome, reason, count, again (true: only where events_once() finds no other). Of an account that is no more, neither name nor station is written. Wrong passwords add to the event of their account, client and minute. Makes next month''s partition when it is missing.';

CREATE FUNCTION wsmfa.account_created() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE wsmfa.account_service x SET since = NEW.created_at
	WHERE x.account_id = NEW.id AND x.since BETWEEN OLD.created_at AND OLD.created_at + interval '1 minute';
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION wsmfa.account_created IS 'Trigger: who sets when an account was created, sets it for the services that it was created with, those of the first minute.';
CREATE TRIGGER account_created AFTER UPDATE OF created_at ON wsmfa.account
	FOR EACH ROW WHEN (OLD.created_at IS DISTINCT FROM NEW.created_at) EXECUTE FUNCTION wsmfa.account_created();
