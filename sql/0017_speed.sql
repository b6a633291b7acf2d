-- The same rules at less cost. What nearly every login does is one statement each, since PostgreSQL spends more on getting a
-- statement ready than on running it; what few logins need is in functions of their own.

-- A login updates authenticator, and PostgreSQL gets every CHECK of a table ready anew in each statement that updates it, whatever
-- the columns. So all but the two that a login could break are a trigger on the columns that it does not touch. Names and error are
-- those of a CHECK.
CREATE FUNCTION wsmfa.authenticator_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_broken text := CASE
		WHEN NEW.disabled_reason IS NOT NULL AND NEW.disabled_at IS NULL THEN 'disabled_reason'
		WHEN NEW.kind NOT IN ('fido2', 'push', 'totp', 'sms', 'recovery') THEN 'kind'
		WHEN octet_length(NEW.label) > 64 OR NEW.label ~ '[[:cntrl:]]' THEN 'label'
		WHEN NOT CASE NEW.kind WHEN 'push' THEN NEW.provider IS NOT NULL AND octet_length(NEW.provider) BETWEEN 1 AND 64
				AND NEW.device IS NOT NULL AND octet_length(NEW.device) BETWEEN 1 AND 128 AND NEW.device !~ '[[:cntrl:]]'
			ELSE NEW.provider IS NULL AND NEW.device IS NULL END THEN 'push'
		WHEN NOT CASE NEW.kind WHEN 'recovery' THEN NEW.salt IS NOT NULL AND octet_length(NEW.salt) = 16
				AND NEW.iterations IS NOT NULL AND NEW.iterations BETWEEN 1000 AND 1000000
			ELSE NEW.salt IS NULL AND NEW.iterations IS NULL END THEN 'recovery'
		WHEN NOT CASE NEW.kind WHEN 'sms' THEN NEW.phone IS NOT NULL AND NEW.phone ~ '^\+[1-9][0-9]{4,14}$'
			ELSE NEW.phone IS NULL END THEN 'sms'
		WHEN NOT CASE NEW.kind WHEN 'totp' THEN NEW.sealed IS NOT NULL AND octet_length(NEW.sealed) BETWEEN 1 AND 192
				AND NEW.algorithm IS NOT NULL AND NEW.algorithm IN ('sha1', 'sha256', 'sha512')
				AND NEW.digits IS NOT NULL AND NEW.digits IN (6, 8) AND NEW.period IS NOT NULL AND NEW.period BETWEEN 15 AND 60
			ELSE NEW.sealed IS NULL AND NEW.algorithm IS NULL AND NEW.digits IS NULL AND NEW.period IS NULL END THEN 'totp'
		END;
BEGIN
	IF v_broken IS NOT NULL THEN
		v_broken := 'authenticator_' || v_broken || '_check';
		RAISE EXCEPTION 'new row for relation "authenticator" violates check constraint "%"', v_broken
			USING ERRCODE = 'check_violation', CONSTRAINT = v_broken, SCHEMA = 'wsmfa', TABLE = 'authenticator';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION wsmfa.authenticator_check IS 'Trigger: what an authenticator of each kind holds and what not.';
CREATE TRIGGER authenticator_check BEFORE INSERT OR UPDATE OF kind, label, disabled_reason, disabled_at, sealed, algorithm, digits,
	period, provider, device, phone, salt, iterations ON wsmfa.authenticator
	FOR EACH ROW EXECUTE FUNCTION wsmfa.authenticator_check();
ALTER TABLE wsmfa.authenticator DROP CONSTRAINT authenticator_kind_check, DROP CONSTRAINT authenticator_label_check,
	DROP CONSTRAINT authenticator_totp_check, DROP CONSTRAINT authenticator_push_check, DROP CONSTRAINT authenticator_sms_check,
	DROP CONSTRAINT authenticator_recovery_check, DROP CONSTRAINT authenticator_disabled_reason_check;

CREATE FUNCTION wsmfa.foreign_service_since(account_id bigint, service text, at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT greatest(s.requires_mfa_from, coalesce(a.created_at, '-infinity'))
		FROM (SELECT) one LEFT JOIN wsmfa.service s ON s.code = foreign_service_since.service
			LEFT JOIN wsmfa.account a ON a.id = foreign_service_since.account_id
		WHERE s.code IS NULL OR s.requires_mfa_from <= foreign_service_since.at);
END
$$;
COMMENT ON FUNCTION wsmfa.foreign_service_since IS 'Since when a login to a service that is not the account''s own puts it in scope at that time; null: it does not. An unknown service requires MFA.';

CREATE OR REPLACE FUNCTION wsmfa.in_scope_at(account_id bigint, service text, at timestamptz)
RETURNS TABLE (in_scope boolean, since timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
	SELECT i.since IS NOT NULL, i.since
	FROM (
		SELECT least(min(greatest(s.requires_mfa_from, x.since)) FILTER (WHERE s.requires_mfa_from <= $3),
			CASE WHEN $2 IS NOT NULL AND bool_or(x.service = $2) IS NOT TRUE THEN wsmfa.foreign_service_since($1, $2, $3) END) AS since
		FROM wsmfa.account_service x JOIN wsmfa.service s ON s.code = x.service
		WHERE x.account_id = $1
		OFFSET 0
	) i
$$;
GRANT EXECUTE ON FUNCTION wsmfa.foreign_service_since TO wsmfa_admin; -- who may call in_scope_at, of which it is a part

CREATE FUNCTION wsmfa.codes_left(p_authenticator_id bigint) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT count(*) FROM wsmfa.recovery_code k WHERE k.authenticator_id = p_authenticator_id AND k.used_at IS NULL);
END
$$;
COMMENT ON FUNCTION wsmfa.codes_left IS 'Recovery codes of a set that are not used.';

CREATE FUNCTION wsmfa.ticket_of(p_account_id bigint, p_at timestamptz) RETURNS bytea
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT t.hash FROM wsmfa.ticket t WHERE t.account_id = p_account_id AND t.used_at IS NULL AND t.expires_at > p_at
		ORDER BY t.created_at DESC, t.id DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION wsmfa.ticket_of IS 'The hash of an account''s newest valid ticket.';

CREATE OR REPLACE FUNCTION wsmfa.login_load(p_account text, p_client text, p_station text, p_service text, p_at timestamptz,
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
#variable_conflict use_variable
DECLARE
	v_last_failure_at timestamptz;
	v_kinds text[];
	v_zone text;
	v_ignored text;
	v_enrolled boolean; -- null: there is nothing but what counts for nothing
BEGIN
	-- Narrow statements: in one that joins all this, PostgreSQL gets every column ready at every level, at each call.
	SELECT c.id, c.name, c.organization_id, c.region, c.language, c.phone, c.password, c.preferred, c.created_at, c.disabled_at,
		c.last_failure_at, c.banner_shown_at
	INTO account_id, name, organization_id, region, language, phone, password, preferred, created_at, disabled_at,
		v_last_failure_at, banner_shown_at
	FROM wsmfa.account c WHERE c.name = p_account;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT o.allowed_methods, r.time_zone, coalesce(s.announce_from, r.announce_from), coalesce(s.enforce_from, r.enforce_from)
	INTO STRICT v_kinds, v_zone, announce_from, enforce_from
	FROM wsmfa.region r
		JOIN wsmfa.organization o ON o.id = organization_id
		LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = o.id
	WHERE r.code = region;
	SELECT i.in_scope, i.since,
		(SELECT w.locked_until FROM wsmfa.station_wait w WHERE w.account_id = login_load.account_id
			AND w.station = wsmfa.station_key(p_client, p_station) AND w.locked_until > p_at),
		(SELECT bool_or(x.kind <> 'recovery') FROM wsmfa.authenticator x
			WHERE x.account_id = login_load.account_id AND x.confirmed_at IS NOT NULL AND x.removed_at IS NULL)
	INTO in_scope, in_scope_from, locked_until, v_enrolled
	FROM wsmfa.in_scope_at(account_id, coalesce(p_service, ''), p_at) i;
	IF v_enrolled IS NOT TRUE THEN
		IF in_scope THEN
			ticket_hash := wsmfa.ticket_of(account_id, p_at);
			exempt_until := (SELECT max(e.until) FROM wsmfa.exemption e
				WHERE e.account_id = login_load.account_id AND e.revoked_at IS NULL);
		END IF;
		-- a sequence writes WAL now and then; nothing is lost with it, so this packet need not wait for the disk
		v_ignored := set_config('synchronous_commit', 'off', true);
		spare_authenticator_id := nextval('wsmfa.authenticator_id_seq');
	END IF;
	allowed_kinds := CASE WHEN v_kinds IS NULL THEN -1 ELSE wsmfa.kind_bits(v_kinds) END;
	failures := CASE WHEN v_last_failure_at IS NULL THEN 0
		ELSE wsmfa.failures_of(account_id, NULL, v_last_failure_at, p_at, p_failure_days) END;
	stage := wsmfa.stage_of(announce_from, enforce_from, p_at);
	enforce_on := CASE WHEN isfinite(enforce_from) THEN to_char(enforce_from AT TIME ZONE v_zone, 'YYYY-MM-DD') ELSE '' END;

	IF v_enrolled IS NULL THEN
		auth_failures := 0;
		auth_codes_left := 0;
		RETURN NEXT;
		RETURN;
	END IF;
	RETURN QUERY
	SELECT account_id, name, organization_id, allowed_kinds, region, language, phone, password, preferred, created_at, disabled_at,
		locked_until, failures, in_scope, in_scope_from, stage, announce_from, enforce_from, enforce_on, exempt_until,
		banner_shown_at, ticket_hash, spare_authenticator_id, x.id, x.kind, x.label, x.confirmed_at, x.disabled_at,
		CASE WHEN x.last_failure_at IS NULL THEN 0
			ELSE wsmfa.failures_of(account_id, x.id, x.last_failure_at, p_at, p_failure_days) END,
		x.sealed, x.algorithm, x.digits, x.period, x.last_step, x.drift, x.provider, x.device, x.phone, x.salt, x.iterations,
		CASE WHEN x.kind = 'recovery' THEN wsmfa.codes_left(x.id) ELSE 0 END
	FROM wsmfa.authenticator x
	WHERE x.account_id = login_load.account_id AND x.confirmed_at IS NOT NULL AND x.removed_at IS NULL
	ORDER BY x.id;
END
$$;
COMMENT ON FUNCTION wsmfa.login_load IS 'An account, its stage, schedule and password, and its confirmed authenticators, a row each (one row with nulls for none). No row: unknown account. Exemption and ticket of who is in scope and not enrolled only: nobody else needs them.';

CREATE OR REPLACE FUNCTION wsmfa.challenge_take(p_state_hash bytea, p_account text, p_client text, p_station text, p_service text, p_at timestamptz,
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
	v_ignored text;
BEGIN
	-- writes only the unlogged table; should a page of another be tidied on the way, that need not be waited for either
	v_ignored := set_config('synchronous_commit', 'off', true);

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
		q.number, q.provider, q.sealed, q.push_state,
		l.account_id, l.name, l.organization_id, l.allowed_kinds, l.region, l.language, l.phone, l.password, l.preferred, l.created_at,
		l.disabled_at, l.locked_until, l.failures, l.in_scope, l.in_scope_from, l.stage, l.announce_from, l.enforce_from, l.enforce_on,
		l.exempt_until, l.banner_shown_at,
		-- who has been asked for a ticket may give it, though no longer in scope
		coalesce(l.ticket_hash, CASE WHEN q.kind = 'enroll_ticket' AND l.spare_authenticator_id IS NOT NULL
			THEN wsmfa.ticket_of(q.account_id, p_at) END),
		l.spare_authenticator_id, l.auth_id, l.auth_kind, l.auth_label, l.auth_confirmed_at, l.auth_disabled_at, l.auth_failures,
		l.auth_sealed, l.auth_algorithm, l.auth_digits, l.auth_period, l.auth_last_step, l.auth_drift, l.auth_provider, l.auth_device,
		l.auth_phone, l.auth_salt, l.auth_iterations, l.auth_codes_left
	FROM (SELECT) one LEFT JOIN wsmfa.login_load(p_account, p_client, p_station, p_service, p_at, p_failure_days) l ON true;
END
$$;

CREATE OR REPLACE FUNCTION wsmfa.challenge_settle(p_at timestamptz, p_account_id bigint, p_client text, p_station text, p_service text,
	p_challenge_id bigint, p_verdict text, p_kind text, p_authenticators bigint[], p_step bigint, p_drift integer, p_guess_mac bytea,
	p_guess_may_be_sent boolean, p_recovery_hash bytea, p_ticket_hash bytea, p_enroll boolean, p_sealed bytea, p_phone text,
	p_outcome text, p_reason text,
	p_lock_after integer, p_failure_budget integer, p_failure_days integer, p_max_attempts integer, p_push_max integer,
	p_sms_max integer, p_sms_number_max integer, p_sms_organization_max integer, p_sms_total_max integer,
	p_next_kind text DEFAULT NULL, p_next_state_hash bytea DEFAULT NULL, p_next_login bytea DEFAULT NULL,
	p_next_attempt integer DEFAULT NULL, p_next_expires_at timestamptz DEFAULT NULL, p_next_authenticator_id bigint DEFAULT NULL,
	p_next_keep_code boolean DEFAULT false, p_next_code_mac bytea DEFAULT NULL, p_next_code_expires_at timestamptz DEFAULT NULL,
	p_next_number text DEFAULT NULL, p_next_phone text DEFAULT NULL, p_next_provider text DEFAULT NULL,
	p_next_digest bytea DEFAULT NULL, p_next_waiter bigint DEFAULT NULL, p_next_sealed bytea DEFAULT NULL,
	p_next_shows_banner boolean DEFAULT false)
RETURNS TABLE (status text, outcome text, reason text, first boolean, locked_until timestamptz, disabled boolean, next_id bigint,
	next_status text, codes_left integer, authenticator_id bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1
AS $$
#variable_conflict use_column
DECLARE
	a record;
	q wsmfa.challenge;
	x wsmfa.authenticator;
	n record;
	v_tried bigint[] := coalesce(p_authenticators, '{}');
	v_verdict text := p_verdict;
	v_sent_code boolean := false;
BEGIN
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM wsmfa.commit_durably();
	END IF;
	status := 'gone';
	outcome := p_outcome;
	reason := p_reason;
	first := false;
	disabled := false;
	codes_left := 0;

	SELECT c.disabled_at, c.last_failure_at INTO a FROM wsmfa.account c WHERE c.id = p_account_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN NEXT;
		RETURN;
	END IF;
	IF coalesce(p_challenge_id, 0) <> 0 THEN
		SELECT c.* INTO q FROM wsmfa.challenge c WHERE c.id = p_challenge_id AND c.account_id = p_account_id FOR UPDATE;
		IF NOT FOUND OR (q.answered_at IS NULL AND v_verdict <> 'aside') THEN
			RETURN NEXT;
			RETURN;
		ELSIF q.settled_at IS NOT NULL THEN
			status := 'repeat';
			outcome := q.outcome;
			reason := q.reason;
			next_id := q.next_id;
			next_status := q.next_status;
			RETURN NEXT;
			RETURN;
		END IF;
	END IF;
	first := true;

	-- Nearly all answers are the right code of somebody who has not failed lately: its step is burnt by one statement, which holds
	-- only where nothing below could say otherwise.
	IF p_verdict = 'right' AND p_kind = 'totp' AND p_recovery_hash IS NULL AND p_ticket_hash IS NULL AND p_enroll IS NOT TRUE
		AND a.disabled_at IS NULL AND (q.id IS NULL OR q.kind = 'totp')
	THEN
		UPDATE wsmfa.authenticator c SET last_used_at = p_at, consecutive = 0, last_step = p_step, drift = coalesce(p_drift, 0)
		WHERE c.id = p_authenticators[1] AND c.account_id = p_account_id AND c.kind = 'totp' AND c.confirmed_at IS NOT NULL
			AND c.disabled_at IS NULL AND c.removed_at IS NULL AND c.last_step < p_step
			AND (c.last_failure_at IS NULL OR c.last_failure_at <= p_at - make_interval(hours => 24 * p_failure_days))
			AND NOT EXISTS (SELECT FROM wsmfa.station_wait w WHERE w.account_id = p_account_id
				AND w.station = wsmfa.station_key(p_client, p_station))
		RETURNING c.id INTO authenticator_id;
		IF FOUND THEN
			status := 'right';
			IF q.id IS NOT NULL THEN
				UPDATE wsmfa.challenge c SET settled_at = p_at, settled_as = 'right', outcome = p_outcome, reason = p_reason
				WHERE c.id = q.id;
			END IF;
			RETURN NEXT;
			RETURN;
		END IF;
	END IF;

	<<judge>>
	BEGIN
		EXIT judge WHEN a.disabled_at IS NOT NULL;
		IF v_verdict = 'aside' THEN
			status := 'aside';
			EXIT judge;
		END IF;

		SELECT w.locked_until INTO locked_until FROM wsmfa.station_wait w
		WHERE w.account_id = p_account_id AND w.station = wsmfa.station_key(p_client, p_station) AND w.locked_until > p_at;
		IF FOUND THEN
			status := 'locked';
			EXIT judge;
		END IF;

		IF v_verdict = 'wrong' AND p_guess_may_be_sent THEN
			-- append mode: the guess may be the code that was sent to this client and station
			SELECT c.* INTO q FROM wsmfa.challenge c
			WHERE c.account_id = p_account_id AND c.client = p_client AND c.station = p_station AND c.state_hash IS NULL
				AND c.kind = 'sms' AND c.settled_at IS NULL AND c.code_expires_at > p_at
			ORDER BY c.id DESC LIMIT 1 FOR UPDATE;
			IF FOUND THEN
				v_sent_code := true;
				IF q.code_mac = p_guess_mac AND q.authenticator_id IS NOT NULL THEN
					v_verdict := 'right';
				ELSIF q.authenticator_id IS NOT NULL THEN
					v_tried := v_tried || q.authenticator_id;
				END IF;
			END IF;
		END IF;

		IF v_verdict = 'right' AND p_recovery_hash IS NOT NULL AND NOT EXISTS (SELECT FROM wsmfa.recovery_code k
			WHERE k.authenticator_id = v_tried[1] AND k.hash = p_recovery_hash)
		THEN
			v_verdict := 'wrong'; -- whether a recovery code is right is known only here
		END IF;

		IF v_verdict = 'right' THEN
			IF p_ticket_hash IS NOT NULL OR p_enroll THEN
				IF wsmfa.failures_of(p_account_id, NULL, a.last_failure_at, p_at, p_failure_days) >= p_failure_budget THEN
					status := 'exhausted';
					EXIT judge;
				END IF;
			END IF;

			IF p_ticket_hash IS NOT NULL THEN
				UPDATE wsmfa.ticket t SET used_at = p_at
				WHERE t.account_id = p_account_id AND t.hash = p_ticket_hash AND t.used_at IS NULL AND t.expires_at > p_at;
				EXIT judge WHEN NOT FOUND;

			ELSIF p_enroll THEN
				EXIT judge WHEN q.id IS NULL OR q.authenticator_id IS NULL OR q.kind NOT IN ('enroll_totp', 'enroll_sms');
				IF EXISTS (SELECT FROM wsmfa.authenticator c WHERE c.account_id = p_account_id AND c.kind <> 'recovery'
					AND c.confirmed_at IS NOT NULL AND c.removed_at IS NULL)
				THEN
					status := 'enrolled';
					EXIT judge;
				END IF;
				IF q.kind = 'enroll_sms' THEN
					EXIT judge WHEN q.code_mac IS NULL OR q.code_expires_at <= p_at;
					IF q.code_used_at IS NOT NULL THEN
						status := 'replayed';
						EXIT judge;
					END IF;
					INSERT INTO wsmfa.authenticator (id, account_id, kind, label, created_at, confirmed_at, last_used_at, phone)
					VALUES (q.authenticator_id, p_account_id, 'sms', 'enrolled at login', p_at, p_at, p_at,
						coalesce(nullif(p_phone, ''), nullif(q.phone, '')));
				ELSE
					INSERT INTO wsmfa.authenticator (id, account_id, kind, label, created_at, confirmed_at, last_used_at, sealed,
						algorithm, digits, period, last_step, drift)
					VALUES (q.authenticator_id, p_account_id, 'totp', 'enrolled at login', p_at, p_at, p_at,
						coalesce(p_sealed, q.sealed), 'sha1', 6, 30, p_step, coalesce(p_drift, 0));
				END IF;
				authenticator_id := q.authenticator_id;

			ELSE
				SELECT c.* INTO x FROM wsmfa.authenticator c
				WHERE c.id = CASE WHEN v_sent_code THEN q.authenticator_id ELSE v_tried[1] END AND c.account_id = p_account_id
					AND c.kind = CASE WHEN v_sent_code THEN 'sms' ELSE p_kind END AND c.confirmed_at IS NOT NULL
					AND c.disabled_at IS NULL AND c.removed_at IS NULL
				FOR NO KEY UPDATE;
				EXIT judge WHEN NOT FOUND;
				authenticator_id := x.id;
				IF wsmfa.failures_of(p_account_id, x.id, x.last_failure_at, p_at, p_failure_days) >= p_failure_budget THEN
					status := 'exhausted';
					EXIT judge;
				END IF;
				CASE x.kind
				WHEN 'totp' THEN
					IF p_step <= x.last_step THEN
						status := 'replayed';
						EXIT judge;
					END IF;
				WHEN 'sms' THEN
					EXIT judge WHEN q.id IS NULL OR q.kind <> 'sms' OR q.code_mac IS NULL OR q.code_expires_at <= p_at;
					IF q.code_used_at IS NOT NULL THEN
						status := 'replayed';
						EXIT judge;
					END IF;
				WHEN 'recovery' THEN
					UPDATE wsmfa.recovery_code k SET used_at = p_at
					WHERE k.authenticator_id = x.id AND k.hash = p_recovery_hash AND k.used_at IS NULL;
					IF NOT FOUND THEN
						status := 'replayed';
						EXIT judge;
					END IF;
					SELECT count(*) INTO codes_left FROM wsmfa.recovery_code k WHERE k.authenticator_id = x.id AND k.used_at IS NULL;
				ELSE
					EXIT judge; -- a push is settled by push_settle
				END CASE;
				UPDATE wsmfa.authenticator c SET last_used_at = p_at, consecutive = 0,
					last_step = CASE WHEN c.kind = 'totp' THEN p_step ELSE c.last_step END,
					drift = CASE WHEN c.kind = 'totp' THEN coalesce(p_drift, 0) ELSE c.drift END
				WHERE c.id = x.id;
			END IF;

			IF p_kind IN ('sms', 'enroll_sms') OR v_sent_code THEN
				-- the code is used up, in whatever question it stands
				UPDATE wsmfa.challenge c SET code_used_at = p_at WHERE c.account_id = p_account_id AND c.code_mac = q.code_mac;
			END IF;
			DELETE FROM wsmfa.station_wait w
			WHERE w.account_id = p_account_id AND w.station = wsmfa.station_key(p_client, p_station);
			status := 'right';

		ELSIF v_verdict = 'wrong' THEN
			SELECT f.status, f.locked_until, f.disabled INTO status, locked_until, disabled
			FROM wsmfa.failure_add(p_at, p_account_id, p_client, p_station, v_tried, p_guess_mac, p_lock_after, p_failure_budget,
				p_failure_days) f;
			IF v_sent_code THEN
				UPDATE wsmfa.challenge c SET wrong_codes = c.wrong_codes + 1,
					settled_at = CASE WHEN c.wrong_codes + 1 >= p_max_attempts THEN p_at END,
					settled_as = CASE WHEN c.wrong_codes + 1 >= p_max_attempts THEN 'wrong' END
				WHERE c.id = q.id;
			END IF;
		END IF;
	END judge;

	IF status IN ('gone', 'replayed', 'locked', 'exhausted', 'enrolled') OR v_verdict <> p_verdict THEN
		outcome := CASE status WHEN 'right' THEN 'accepted' WHEN 'replayed' THEN 'failed_second_factor'
			WHEN 'wrong' THEN 'failed_second_factor' ELSE 'denied' END;
		reason := CASE status WHEN 'right' THEN 'proven' WHEN 'replayed' THEN 'replayed_code' WHEN 'locked' THEN 'locked'
			WHEN 'wrong' THEN 'wrong_code'
			WHEN 'enrolled' THEN 'enrolled_elsewhere' WHEN 'exhausted' THEN 'no_usable_method'
			ELSE CASE WHEN a.disabled_at IS NULL THEN 'no_usable_method' ELSE 'disabled' END END;
	END IF;

	-- a push that is given up is not pending any more: the next one may be a push again
	IF q.kind = 'push' AND q.push_state = 'pending' AND NOT (status = 'aside' AND p_next_kind = 'push' AND p_next_keep_code) THEN
		UPDATE wsmfa.challenge c SET push_state = 'void' WHERE c.id = q.id;
	END IF;
	IF p_next_kind IS NOT NULL AND (status = 'aside' OR (status = 'wrong' AND locked_until IS NULL AND NOT disabled)
		OR (status = 'right' AND p_kind = 'enroll_ticket'))
	THEN
		SELECT o.* INTO n FROM wsmfa.question_open(p_at, p_account_id, p_client, p_station, p_service, p_next_kind,
			p_next_state_hash, p_next_login, p_next_attempt, p_next_expires_at, p_next_authenticator_id,
			coalesce(p_next_keep_code, false), p_next_code_mac, p_next_code_expires_at, p_next_number, p_next_phone,
			p_next_provider, p_next_digest, p_next_waiter, p_next_sealed, coalesce(p_next_shows_banner, false), p_push_max,
			p_sms_max, p_sms_number_max, p_sms_organization_max, p_sms_total_max, p_challenge_id) o;
		next_id := n.challenge_id;
		next_status := n.status;
	END IF;

	IF q.id IS NOT NULL AND next_id = q.id THEN
		-- a push that goes on keeps its row, now with a new State; the spent one stays known for a repeat
		INSERT INTO wsmfa.challenge (account_id, kind, state_hash, client, station, service, login, attempt, opened_at, expires_at,
			authenticator_id, code_expires_at, number, provider, push_state, answered_at, answer_mac, answer_digest, settled_at,
			settled_as, outcome, reason, next_id, next_status)
		VALUES (q.account_id, q.kind, q.state_hash, q.client, q.station, q.service, q.login, q.attempt, q.opened_at, q.expires_at,
			q.authenticator_id, q.code_expires_at, q.number, q.provider, 'void', q.answered_at, q.answer_mac, q.answer_digest, p_at,
			status, challenge_settle.outcome, challenge_settle.reason, challenge_settle.next_id, challenge_settle.next_status);
	ELSIF q.id IS NOT NULL AND (NOT v_sent_code OR status = 'right') THEN
		UPDATE wsmfa.challenge c SET settled_at = p_at, settled_as = status, outcome = challenge_settle.outcome,
			reason = challenge_settle.reason, next_id = challenge_settle.next_id, next_status = challenge_settle.next_status
		WHERE c.id = q.id;
	END IF;
	RETURN NEXT;
END
$$;
