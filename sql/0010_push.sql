-- Push: who waits for it, who answers it, how it ends.

CREATE FUNCTION wsmfa.push_wait(p_at timestamptz, p_challenge_id bigint, p_waiter bigint)
RETURNS TABLE (status text, outcome text, reason text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1
AS $$
#variable_conflict use_column
DECLARE
	q wsmfa.challenge;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	status := 'gone';
	SELECT c.* INTO q FROM wsmfa.challenge c WHERE c.id = p_challenge_id AND c.kind = 'push' FOR UPDATE;
	IF FOUND AND q.settled_at IS NOT NULL THEN
		status := 'repeat'; -- challenge_take let this packet through as one
		outcome := q.outcome;
		reason := q.reason;
	ELSIF FOUND THEN
		UPDATE wsmfa.challenge c SET waiter = p_waiter WHERE c.id = p_challenge_id;
		status := CASE q.push_state WHEN 'approved' THEN 'right' WHEN 'denied' THEN 'denied' WHEN 'failed' THEN 'failed'
			WHEN 'pending' THEN CASE WHEN p_at < q.code_expires_at THEN 'pending' ELSE 'expired' END ELSE 'expired' END;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION wsmfa.push_wait IS 'Makes a parked request the newest that waits for a push. Status pending: not answered yet. Anything else but repeat or gone: answered, to be settled now by push_settle; only that lets anybody in.';

CREATE FUNCTION wsmfa.push_settle(p_at timestamptz, p_client text, p_station text, p_service text, p_challenge_id bigint,
	p_waiter bigint, p_give_up boolean,
	p_lock_after integer, p_failure_budget integer, p_failure_days integer, p_push_max integer,
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
	a wsmfa.account;
	q wsmfa.challenge;
	x wsmfa.authenticator;
	n record;
BEGIN
	PERFORM wsmfa.commit_durably();
	status := 'gone';
	first := false;
	disabled := false;
	codes_left := 0;

	-- the account is locked before the question, as everywhere
	SELECT c.* INTO a FROM wsmfa.account c
	WHERE c.id = (SELECT o.account_id FROM wsmfa.challenge o WHERE o.id = p_challenge_id AND o.kind = 'push') FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN NEXT;
		RETURN;
	END IF;
	SELECT c.* INTO q FROM wsmfa.challenge c WHERE c.id = p_challenge_id AND c.kind = 'push' AND c.account_id = a.id FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NEXT;
		RETURN;
	END IF;
	authenticator_id := q.authenticator_id;
	IF q.settled_at IS NOT NULL THEN
		status := CASE WHEN q.settled_by = p_waiter THEN 'repeat' ELSE 'superseded' END;
		outcome := q.outcome;
		reason := q.reason;
		next_id := q.next_id;
		next_status := q.next_status;
		RETURN NEXT;
		RETURN;
	ELSIF q.waiter IS DISTINCT FROM p_waiter THEN
		status := 'superseded';
		RETURN NEXT;
		RETURN;
	END IF;

	<<judge>>
	BEGIN
		IF q.push_state = 'pending' THEN
			IF NOT p_give_up AND p_at < q.code_expires_at THEN
				status := 'pending';
			ELSE
				status := 'expired';
			END IF;
			EXIT judge;
		ELSIF q.push_state = 'void' THEN
			status := 'expired';
			EXIT judge;
		ELSIF q.push_state = 'failed' THEN
			status := 'failed';
			EXIT judge;
		ELSIF q.push_state = 'denied' THEN
			SELECT f.locked_until, f.disabled INTO locked_until, disabled
			FROM wsmfa.failure_add(p_at, a.id, q.client, q.station, ARRAY[q.authenticator_id], NULL, p_lock_after,
				p_failure_budget, p_failure_days) f;
			status := 'denied';
			EXIT judge;
		END IF;

		-- approved
		EXIT judge WHEN a.disabled_at IS NOT NULL OR q.push_state <> 'approved';
		IF q.push_at >= q.code_expires_at THEN
			status := 'expired';
			EXIT judge;
		END IF;
		SELECT w.locked_until INTO locked_until FROM wsmfa.station_wait w
		WHERE w.account_id = a.id AND w.station = wsmfa.station_key(q.client, q.station) AND w.locked_until > p_at;
		IF FOUND THEN
			status := 'locked';
			EXIT judge;
		END IF;
		SELECT c.* INTO x FROM wsmfa.authenticator c
		WHERE c.id = q.authenticator_id AND c.account_id = a.id AND c.kind = 'push' AND c.confirmed_at IS NOT NULL
			AND c.disabled_at IS NULL AND c.removed_at IS NULL
		FOR NO KEY UPDATE;
		EXIT judge WHEN NOT FOUND;
		IF wsmfa.failures_of(a.id, x.id, x.last_failure_at, p_at, p_failure_days) >= p_failure_budget THEN
			status := 'exhausted';
			EXIT judge;
		END IF;
		UPDATE wsmfa.authenticator c SET last_used_at = p_at, consecutive = 0 WHERE c.id = x.id;
		DELETE FROM wsmfa.station_wait w WHERE w.account_id = a.id AND w.station = wsmfa.station_key(q.client, q.station);
		status := 'right';
	END judge;

	IF status <> 'pending' THEN
		first := true;
		outcome := CASE status WHEN 'right' THEN 'accepted' WHEN 'expired' THEN 'expired' WHEN 'failed' THEN 'error'
			ELSE 'denied' END;
		reason := CASE status WHEN 'right' THEN 'approved' WHEN 'denied' THEN 'suspicious' WHEN 'expired' THEN 'timeout'
			WHEN 'failed' THEN 'provider_down' WHEN 'locked' THEN 'locked'
			ELSE CASE WHEN a.disabled_at IS NULL THEN 'no_usable_method' ELSE 'disabled' END END;
		IF p_next_kind IS NOT NULL AND status IN ('expired', 'failed') AND a.disabled_at IS NULL THEN
			UPDATE wsmfa.challenge c SET push_state = 'void' WHERE c.id = q.id AND c.push_state = 'pending';
			SELECT o.* INTO n FROM wsmfa.question_open(p_at, a.id, p_client, p_station, p_service, p_next_kind,
				p_next_state_hash, p_next_login, p_next_attempt, p_next_expires_at, p_next_authenticator_id,
				coalesce(p_next_keep_code, false), p_next_code_mac, p_next_code_expires_at, p_next_number, p_next_phone,
				p_next_provider, p_next_digest, p_next_waiter, p_next_sealed, coalesce(p_next_shows_banner, false), p_push_max,
				p_sms_max, p_sms_number_max, p_sms_organization_max, p_sms_total_max, q.id) o;
			next_id := n.challenge_id;
			next_status := n.status;
		END IF;
		UPDATE wsmfa.challenge c SET settled_at = p_at, settled_as = push_settle.status, settled_by = p_waiter,
			outcome = push_settle.outcome, reason = push_settle.reason, next_id = push_settle.next_id,
			next_status = push_settle.next_status,
			push_state = CASE WHEN c.push_state IN ('pending', 'approved') AND push_settle.status <> 'right' THEN 'void' ELSE c.push_state END
		WHERE c.id = q.id;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION wsmfa.push_settle IS 'Settles a push by what its row says, for the newest waiter and once. Status: right, denied, failed, expired, pending, superseded, repeat, locked, exhausted, gone. p_give_up ends a pending one: a later approval is void. The next question is opened after expired and failed.';

CREATE FUNCTION wsmfa.push_report(p_challenge_id bigint, p_state text, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_sent_id bigint;
BEGIN
	IF p_state IS NULL OR p_state NOT IN ('approved', 'denied', 'failed') THEN
		RAISE EXCEPTION 'a push ends as approved, denied or failed, not as %', p_state;
	END IF;
	UPDATE wsmfa.challenge c SET push_state = p_state, push_at = p_at
	WHERE c.id = p_challenge_id AND c.kind = 'push' AND c.push_state = 'pending' AND c.settled_at IS NULL
		AND (p_at < c.code_expires_at OR p_state <> 'approved')
	RETURNING c.sent_id INTO v_sent_id;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	IF p_state <> 'failed' THEN
		UPDATE wsmfa.sent s SET answered = true WHERE s.id = v_sent_id;
	END IF;
	PERFORM pg_notify('wsmfa_answer', p_challenge_id::text);
	RETURN true;
END
$$;
COMMENT ON FUNCTION wsmfa.push_report IS 'The engine tells how a provider''s push ended: approved, denied or failed. False: it was over already, or too late. Wakes whoever listens on wsmfa_answer.';

CREATE FUNCTION wsmfa.answer_push(challenge_id bigint, approve boolean, number text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_at timestamptz := statement_timestamp();
	v_answer text;
	v_result text;
	q wsmfa.challenge;
BEGIN
	IF approve IS NULL THEN
		RAISE EXCEPTION 'approve or deny: null is no answer' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT c.* INTO q FROM wsmfa.challenge c WHERE c.id = answer_push.challenge_id AND c.kind = 'push' FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no push %', challenge_id USING ERRCODE = 'no_data_found';
	ELSIF q.push_state IN ('approved', 'denied') THEN
		RAISE EXCEPTION 'push % was answered already: %', challenge_id, q.push_state USING ERRCODE = 'object_not_in_prerequisite_state';
	ELSIF q.push_state <> 'pending' OR q.settled_at IS NOT NULL THEN
		RAISE EXCEPTION 'push % is over: its login has ended', challenge_id USING ERRCODE = 'object_not_in_prerequisite_state';
	ELSIF v_at >= q.code_expires_at THEN
		RAISE EXCEPTION 'push % has expired', challenge_id USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;

	v_answer := CASE WHEN approve THEN 'approved' ELSE 'denied' END;
	v_result := v_answer;
	IF approve AND q.number <> '' THEN
		IF nullif(btrim(number), '') IS NULL THEN
			RAISE EXCEPTION 'push % needs the number that the prompt shows', challenge_id USING ERRCODE = 'invalid_parameter_value';
		ELSIF btrim(number) <> q.number THEN
			-- an error would undo the count: this one is an answer
			v_result := 'wrong_number';
			IF q.wrong_numbers + 1 < 3 THEN
				UPDATE wsmfa.challenge c SET wrong_numbers = c.wrong_numbers + 1 WHERE c.id = q.id;
				RAISE WARNING 'push %: that is not the number that the prompt shows', challenge_id;
				RETURN v_result;
			END IF;
			v_answer := 'denied';
			RAISE WARNING 'push %: the third wrong number denies it', challenge_id;
		END IF;
	END IF;
	UPDATE wsmfa.challenge c SET push_state = v_answer, push_at = v_at WHERE c.id = q.id;
	UPDATE wsmfa.sent s SET answered = true WHERE s.id = q.sent_id;
	PERFORM pg_notify('wsmfa_answer', q.id::text);
	RETURN v_result;
END
$$;
COMMENT ON FUNCTION wsmfa.answer_push IS 'Answers a pending push. An approval needs the number where one was shown. Returns approved, denied or wrong_number (which approves nothing; the third one denies); anything else is an error that says why.';

CREATE FUNCTION wsmfa.push_answered(p_ids bigint[]) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT i.id FROM unnest($1) AS i(id)
	WHERE NOT EXISTS (SELECT FROM wsmfa.challenge c WHERE c.id = i.id AND c.push_state = 'pending' AND c.settled_at IS NULL)
$$;
COMMENT ON FUNCTION wsmfa.push_answered IS 'Which of these pushes are no longer pending: the catch-up after a lost LISTEN.';

CREATE VIEW wsmfa.push_pending WITH (security_barrier) AS
	SELECT c.id, a.name AS account, c.client, c.opened_at, c.code_expires_at AS expires_at, c.provider, x.device,
		c.number <> '' AS needs_number
	FROM wsmfa.challenge c JOIN wsmfa.account a ON a.id = c.account_id
		LEFT JOIN wsmfa.authenticator x ON x.id = c.authenticator_id
	WHERE c.kind = 'push' AND c.push_state = 'pending' AND c.settled_at IS NULL AND c.code_expires_at > statement_timestamp()
		AND c.expires_at > statement_timestamp() - interval '1 day';
COMMENT ON VIEW wsmfa.push_pending IS 'Pushes that wait for an answer by answer_push(id, ...). The number to match is not shown here: it is on the prompt.';

GRANT EXECUTE ON FUNCTION wsmfa.push_wait, wsmfa.push_settle, wsmfa.push_report, wsmfa.push_answered TO wsmfa_radius;
GRANT EXECUTE ON FUNCTION wsmfa.answer_push TO wsmfa_push, wsmfa_admin;
GRANT SELECT ON wsmfa.push_pending TO wsmfa_push, wsmfa_admin, wsmfa_auditor;
