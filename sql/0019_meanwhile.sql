-- What changed while a request waited: the organization's policy, and whether what was to be sent could be.

CREATE FUNCTION wsmfa.question_unsent(p_account_id bigint, p_challenge_id bigint, p_instead bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE wsmfa.challenge c SET next_id = $3, next_status = 'unsent' WHERE c.account_id = $1 AND c.next_id = $2
$$;
COMMENT ON FUNCTION wsmfa.question_unsent IS 'A question that follows an answer could not be put, since what it needs did not get to the phone: a repeat of that answer is led to what was asked instead, null for nothing.';

DROP FUNCTION wsmfa.challenge_open(timestamptz, bigint, text, text, text, text, bytea, bytea, integer, timestamptz, bigint, boolean, bytea,
	timestamptz, text, text, text, bytea, bigint, bytea, boolean, integer, integer, integer, integer, integer);
CREATE FUNCTION wsmfa.challenge_open(p_at timestamptz, p_account_id bigint, p_client text, p_station text, p_service text,
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
		p_expires_at, p_authenticator_id, coalesce(p_keep_code, false), p_code_mac, p_code_expires_at, p_number, p_phone,
		p_provider, p_digest, p_waiter, p_sealed, coalesce(p_shows_banner, false), p_push_max, p_sms_max, p_sms_number_max,
		p_sms_organization_max, p_sms_total_max,
		CASE WHEN p_keep_code THEN (SELECT max(c.id) FROM wsmfa.challenge c WHERE c.account_id = p_account_id AND c.login = p_login) END) o;
	IF p_instead_of IS NOT NULL THEN
		PERFORM wsmfa.question_unsent(p_account_id, p_instead_of, challenge_id);
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION wsmfa.challenge_open IS 'Opens a question. Status: opened, reused (the SMS of an identical packet within 10 s stands), joined (the same login''s push is pending), busy (another login''s is), push_limit, sms_limit, refused. Waits for the disk only if something goes to a phone. p_instead_of: the question that could not be put, since what it needs could not be sent.';
GRANT EXECUTE ON FUNCTION wsmfa.challenge_open TO wsmfa_radius;

CREATE OR REPLACE FUNCTION wsmfa.push_settle(p_at timestamptz, p_client text, p_station text, p_service text, p_challenge_id bigint,
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
		-- the policy of now: it may have changed, or the account its organization, while the phone rang
		EXIT judge WHEN NOT EXISTS (SELECT FROM wsmfa.organization o WHERE o.id = a.organization_id
			AND (o.allowed_methods IS NULL OR 'push' = ANY (o.allowed_methods)));
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
		IF q.answered_at IS NULL THEN
			PERFORM wsmfa.question_unsent(a.id, q.id, next_id);
		END IF;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION wsmfa.push_settle IS 'Settles a push by what its row says, for the newest waiter and once. Status: right, denied, failed, expired, pending, superseded, repeat, locked, exhausted, gone. p_give_up ends a pending one: a later approval is void. The next question is opened after expired and failed.';
