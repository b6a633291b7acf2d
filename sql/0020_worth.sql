-- An answer is worth what was proven in its own login, and a login comes to an end.

CREATE OR REPLACE FUNCTION wsmfa.question_unsent(p_account_id bigint, p_challenge_id bigint, p_instead bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE wsmfa.challenge c SET next_id = $3, next_status = 'unsent' WHERE c.account_id = $1 AND c.next_id = $2;
	-- an identical first packet does not wait for a code that nobody got
	UPDATE wsmfa.challenge c SET digest = NULL WHERE c.account_id = $1 AND c.id = $2;
$$;

CREATE FUNCTION wsmfa.login_ends(p_account_id bigint, p_login bytea, p_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN least(p_at, (SELECT min(c.opened_at) + interval '1 hour' FROM wsmfa.challenge c
		WHERE c.account_id = p_account_id AND c.login = p_login));
END
$$;
COMMENT ON FUNCTION wsmfa.login_ends IS 'Until when a login''s next question may be answered: that time, and at most an hour after its first question. What costs no attempt must not keep a password good for ever.';

CREATE OR REPLACE FUNCTION wsmfa.challenge_open(p_at timestamptz, p_account_id bigint, p_client text, p_station text, p_service text,
	p_kind text, p_state_hash bytea, p_login bytea, p_attempt integer, p_expires_at timestamptz, p_authenticator_id bigint,
	p_keep_code boolean, p_code_mac bytea, p_code_expires_at timestamptz, p_number text, p_phone text, p_provider text,
	p_digest bytea, p_waiter bigint, p_sealed bytea, p_shows_banner boolean,
	p_push_max integer, p_sms_max integer, p_sms_number_max integer, p_sms_organization_max integer, p_sms_total_max integer,
	p_instead_of bigint DEFAULT NULL)
RETURNS TABLE (status text, challenge_id bigint, number text, expires_at timestamptz, code_expires_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1
AS $$
#variable_conflict use_column
BEGIN
	IF p_kind = 'push' OR p_code_mac IS NOT NULL THEN
		PERFORM wsmfa.commit_durably();
	ELSE
		PERFORM set_config('synchronous_commit', 'off', true);
	END IF;
	SELECT o.status, o.challenge_id, o.number, o.expires_at, o.code_expires_at
	INTO status, challenge_id, number, expires_at, code_expires_at
	FROM wsmfa.question_open(p_at, p_account_id, p_client, p_station, p_service, p_kind, p_state_hash, p_login, p_attempt,
		wsmfa.login_ends(p_account_id, p_login, p_expires_at), p_authenticator_id, coalesce(p_keep_code, false), p_code_mac, p_code_expires_at, p_number, p_phone,
		p_provider, p_digest, p_waiter, p_sealed, coalesce(p_shows_banner, false), p_push_max, p_sms_max, p_sms_number_max,
		p_sms_organization_max, p_sms_total_max,
		CASE WHEN p_keep_code THEN (SELECT max(c.id) FROM wsmfa.challenge c WHERE c.account_id = p_account_id AND c.login = p_login) END) o;
	IF p_instead_of IS NOT NULL THEN
		PERFORM wsmfa.question_unsent(p_account_id, p_instead_of, challenge_id);
	END IF;
	RETURN NEXT;
END
$$;

DROP FUNCTION wsmfa.challenge_settle;
CREATE FUNCTION wsmfa.challenge_settle(p_at timestamptz, p_account_id bigint, p_client text, p_station text, p_service text,
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
	p_next_shows_banner boolean DEFAULT false, p_needs_ticket boolean DEFAULT false)
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
				AND c.kind = 'sms' AND c.code_expires_at > p_at
				AND (c.settled_at IS NULL OR (c.code_used_at IS NOT NULL AND c.code_mac = p_guess_mac))
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
				EXIT judge WHEN p_needs_ticket AND NOT EXISTS (SELECT FROM wsmfa.challenge t WHERE t.account_id = p_account_id
					AND t.login = q.login AND t.kind = 'enroll_ticket' AND t.settled_as = 'right');
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
			p_next_state_hash, p_next_login, p_next_attempt, wsmfa.login_ends(p_account_id, q.login, p_next_expires_at),
			p_next_authenticator_id,
			coalesce(p_next_keep_code, false), p_next_code_mac, p_next_code_expires_at, p_next_number, p_next_phone,
			p_next_provider, p_next_digest, p_next_waiter, p_next_sealed, coalesce(p_next_shows_banner, false), p_push_max,
			p_sms_max, p_sms_number_max, p_sms_organization_max, p_sms_total_max, p_challenge_id) o;
		next_id := n.challenge_id;
		next_status := n.status;
		IF next_id IS NULL AND status = 'right' THEN
			UPDATE wsmfa.ticket t SET used_at = NULL WHERE t.account_id = p_account_id AND t.hash = p_ticket_hash;
		END IF;
	END IF;
	IF q.id IS NOT NULL AND q.answered_at IS NULL AND NOT v_sent_code THEN
		PERFORM wsmfa.question_unsent(p_account_id, q.id, next_id);
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
COMMENT ON FUNCTION wsmfa.challenge_settle IS 'Settles an answer once, in one durable transaction. p_verdict: right, wrong, aside. Status: right, wrong, aside, replayed, locked, exhausted, repeat, enrolled, gone. The next question is opened after aside, after wrong unless a wait began or an authenticator was disabled, and after a right ticket, which is used up only if it could be opened. p_needs_ticket: an enrolment counts only behind a right ticket of the same login. Aside of a question that nobody has answered: what it needs could not be sent, and there is no other way.';
GRANT EXECUTE ON FUNCTION wsmfa.challenge_settle TO wsmfa_radius;
