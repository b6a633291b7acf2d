-- What logins leave behind: events by month, when accounts were last seen, the servers' heartbeats.

CREATE TABLE wsmfa.event (
	at timestamptz NOT NULL,
	account_id bigint,
	organization_id bigint,
	account text,
	client text,
	station text,
	service text,
	region text,
	stage text,
	decision text,
	method text,
	outcome text NOT NULL,
	reason text,
	count integer NOT NULL DEFAULT 1,
	CONSTRAINT event_count_check CHECK (count > 0)
) PARTITION BY RANGE (at);
CREATE INDEX event_at_idx ON wsmfa.event (at);
CREATE INDEX event_account_idx ON wsmfa.event (account_id, at);
CREATE INDEX event_first_factor_idx ON wsmfa.event (account, at) WHERE outcome = 'failed_first_factor';
COMMENT ON TABLE wsmfa.event IS 'How logins ended, a partition a month (UTC). event_partitions() makes and drops them; event_default takes what has none.';
COMMENT ON COLUMN wsmfa.event.account_id IS 'No foreign key: an event outlives its account. Null when the name is unknown.';
COMMENT ON COLUMN wsmfa.event.organization_id IS 'The account''s at that time.';
COMMENT ON COLUMN wsmfa.event.count IS 'Wrong passwords are one event an account, client and minute; at is the first.';

CREATE TABLE wsmfa.event_default PARTITION OF wsmfa.event DEFAULT;
COMMENT ON TABLE wsmfa.event_default IS 'Events of months without a partition: an insert never fails for want of one.';

CREATE TABLE wsmfa.account_seen (
	account_id bigint CONSTRAINT account_seen_pkey PRIMARY KEY,
	last_login timestamptz,
	last_mfa_login timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE wsmfa.account_seen IS 'Newest Access-Accept of an account, from its events, so that no view has to search them. No foreign key: a batch of events must not fail because an account was deleted; a trigger cleans up.';

CREATE TABLE wsmfa.server (
	name text CONSTRAINT server_pkey PRIMARY KEY,
	version text NOT NULL,
	started_at timestamptz NOT NULL,
	at timestamptz NOT NULL,
	engine text NOT NULL,
	parked integer NOT NULL,
	breakers jsonb NOT NULL,
	counters jsonb NOT NULL,
	failure_budget integer NOT NULL,
	failure_days integer NOT NULL,
	CONSTRAINT server_failure_budget_check CHECK (failure_budget > 0),
	CONSTRAINT server_failure_days_check CHECK (failure_days BETWEEN 1 AND 3650)
) WITH (fillfactor = 50);
COMMENT ON TABLE wsmfa.server IS 'Heartbeats of RADIUS servers, a row each: what doctor and metrics read. The newest one tells the views the failure budget.';
COMMENT ON COLUMN wsmfa.server.breakers IS 'Object: provider to closed, open or probing.';
COMMENT ON COLUMN wsmfa.server.counters IS 'Object: name to number since started_at.';

CREATE FUNCTION wsmfa.account_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM wsmfa.challenge WHERE account_id = OLD.id;
	DELETE FROM wsmfa.account_seen WHERE account_id = OLD.id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION wsmfa.account_deleted IS 'Trigger: what hangs on an account without a foreign key goes with it.';
CREATE TRIGGER account_deleted AFTER DELETE ON wsmfa.account FOR EACH ROW EXECUTE FUNCTION wsmfa.account_deleted();

CREATE FUNCTION wsmfa.event_partitions(p_at timestamptz, p_ahead integer DEFAULT 3) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_month timestamp := date_trunc('month', p_at AT TIME ZONE 'UTC');
	v_from timestamptz;
	v_to timestamptz;
	v_name text;
	v_made integer := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.event_partitions', 0));
	FOR i IN 0 .. p_ahead LOOP
		v_from := (v_month + make_interval(months => i)) AT TIME ZONE 'UTC';
		v_to := (v_month + make_interval(months => i + 1)) AT TIME ZONE 'UTC';
		v_name := 'event_' || to_char(v_month + make_interval(months => i), 'YYYY_MM');
		CONTINUE WHEN to_regclass('wsmfa.' || v_name) IS NOT NULL;
		EXECUTE format('CREATE TABLE wsmfa.%I (LIKE wsmfa.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
		EXECUTE format('COMMENT ON TABLE wsmfa.%I IS %L', v_name, 'Events of one month.');
		-- the default partition may hold events of this month already: they move, or it could not be attached
		EXECUTE format('WITH moved AS (DELETE FROM wsmfa.event_default WHERE at >= %L AND at < %L RETURNING *)
			INSERT INTO wsmfa.%I SELECT * FROM moved', v_from, v_to, v_name);
		EXECUTE format('ALTER TABLE wsmfa.event ATTACH PARTITION wsmfa.%I FOR VALUES FROM (%L) TO (%L)', v_name, v_from, v_to);
		v_made := v_made + 1;
	END LOOP;
	RETURN v_made;
END
$$;
COMMENT ON FUNCTION wsmfa.event_partitions IS 'Makes the partition of that time''s month and of p_ahead more. Returns how many were missing.';

CREATE FUNCTION wsmfa.event_partitions_drop(p_at timestamptz, p_months integer DEFAULT 13) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_oldest timestamp := date_trunc('month', p_at AT TIME ZONE 'UTC') - make_interval(months => p_months);
	v_name name;
	v_dropped integer := 0;
BEGIN
	IF p_months IS NULL OR p_months < 1 THEN
		RAISE EXCEPTION 'events are kept for at least 1 month';
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.event_partitions', 0));
	FOR v_name IN
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'wsmfa.event'::regclass AND c.relname ~ '^event_[0-9]{4}_[0-9]{2}$'
			AND c.relname < 'event_' || to_char(v_oldest, 'YYYY_MM')
	LOOP
		EXECUTE format('DROP TABLE wsmfa.%I', v_name);
		v_dropped := v_dropped + 1;
	END LOOP;
	DELETE FROM wsmfa.event_default WHERE at < v_oldest AT TIME ZONE 'UTC';
	RETURN v_dropped;
END
$$;
COMMENT ON FUNCTION wsmfa.event_partitions_drop IS 'Drops whole months that are more than p_months before that time''s month. Returns how many.';

CREATE FUNCTION wsmfa.events_add(p_events jsonb) RETURNS bigint
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

	IF p_events @> '[{"outcome": "failed_first_factor"}]' THEN
		-- two servers' batches add to the same rows: one after the other, or they would make two rows, or wait for each other
		PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.events_add', 0));
	END IF;
	WITH e AS (
		SELECT coalesce(timestamptz 'epoch' + x.at * interval '1 microsecond', v_now) AS at, nullif(x.account_id, 0) AS account_id,
			x.account, x.client, x.station, x.service, x.region, x.stage, x.decision, x.method, x.outcome, x.reason, x.count
		FROM jsonb_to_recordset(p_events) AS x(at bigint, account_id bigint, account text, client text, station text, service text,
			region text, stage text, decision text, method text, outcome text, reason text, count integer)
	), wrong AS (
		SELECT min(e.at) AS at, min(e.account_id) AS account_id, e.account, e.client, min(e.station) AS station,
			min(e.service) AS service, min(e.region) AS region, min(e.reason) AS reason, date_trunc('minute', e.at) AS minute,
			sum(greatest(e.count, 1))::integer AS count
		FROM e WHERE e.outcome = 'failed_first_factor'
		GROUP BY e.account, e.client, date_trunc('minute', e.at)
	), again AS (
		UPDATE wsmfa.event v SET count = v.count + w.count
		FROM wrong w
		WHERE v.outcome = 'failed_first_factor' AND v.account = w.account AND v.client = w.client
			AND v.at >= w.minute AND v.at < w.minute + interval '1 minute'
		RETURNING w.account, w.client, w.minute
	), fresh AS (
		SELECT e.at, e.account_id, e.account, e.client, e.station, e.service, e.region, e.stage, e.decision, e.method, e.outcome,
			e.reason, e.count
		FROM e WHERE e.outcome IS DISTINCT FROM 'failed_first_factor'
		UNION ALL
		SELECT w.at, w.account_id, w.account, w.client, w.station, w.service, w.region, NULL, NULL, NULL, 'failed_first_factor',
			w.reason, w.count
		FROM wrong w
		WHERE NOT EXISTS (SELECT FROM again a WHERE a.account = w.account AND a.client = w.client AND a.minute = w.minute)
	), added AS (
		INSERT INTO wsmfa.event (at, account_id, organization_id, account, client, station, service, region, stage, decision,
			method, outcome, reason, count)
		SELECT f.at, f.account_id, a.organization_id, nullif(left(f.account, 253), ''), nullif(left(f.client, 64), ''),
			nullif(left(f.station, 253), ''), nullif(left(f.service, 32), ''), nullif(left(f.region, 32), ''),
			nullif(left(f.stage, 32), ''), nullif(left(f.decision, 32), ''), nullif(left(f.method, 32), ''),
			coalesce(nullif(left(f.outcome, 32), ''), 'error'), nullif(left(f.reason, 32), ''), greatest(f.count, 1)
		FROM fresh f LEFT JOIN wsmfa.account a ON a.id = f.account_id
		RETURNING 1
	), seen AS (
		INSERT INTO wsmfa.account_seen AS s (account_id, last_login, last_mfa_login)
		SELECT e.account_id, max(e.at), max(e.at) FILTER (WHERE e.method IN ('fido2', 'push', 'totp', 'sms', 'recovery'))
		FROM e JOIN wsmfa.account a ON a.id = e.account_id
		WHERE e.outcome = 'accepted'
		GROUP BY e.account_id
		ORDER BY e.account_id -- two servers' batches lock rows in one order
		ON CONFLICT (account_id) DO UPDATE SET last_login = greatest(s.last_login, excluded.last_login),
			last_mfa_login = greatest(s.last_mfa_login, excluded.last_mfa_login)
	)
	SELECT count(*) INTO v_count FROM added;
	RETURN v_count;
END
$$;
COMMENT ON FUNCTION wsmfa.events_add IS 'Writes a batch of events, an array of objects: at (microseconds since 1970), account_id, account, client, station, service, region, stage, decision, method, outcome, reason, count. Wrong passwords add to the event of their account, client and minute. Makes next month''s partition when it is missing.';

CREATE FUNCTION wsmfa.heartbeat(p_name text, p_version text, p_started_at timestamptz, p_at timestamptz, p_engine text,
	p_parked integer, p_breakers jsonb, p_counters jsonb, p_failure_budget integer, p_failure_days integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO wsmfa.server AS s (name, version, started_at, at, engine, parked, breakers, counters, failure_budget, failure_days)
	VALUES (left(p_name, 200), left(p_version, 64), p_started_at, p_at, left(p_engine, 64), p_parked, coalesce(p_breakers, '{}'),
		coalesce(p_counters, '{}'), p_failure_budget, p_failure_days)
	ON CONFLICT (name) DO UPDATE SET version = excluded.version, started_at = excluded.started_at, at = excluded.at,
		engine = excluded.engine, parked = excluded.parked, breakers = excluded.breakers, counters = excluded.counters,
		failure_budget = excluded.failure_budget, failure_days = excluded.failure_days;
END
$$;
COMMENT ON FUNCTION wsmfa.heartbeat IS 'A RADIUS server tells that it lives, and how: engine''s state, parked requests, breakers, counters, its failure budget.';

DO $$ BEGIN PERFORM wsmfa.event_partitions(statement_timestamp()); END $$;

GRANT EXECUTE ON FUNCTION wsmfa.events_add, wsmfa.heartbeat TO wsmfa_radius;
