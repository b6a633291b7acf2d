-- Opening a question. What goes to a phone is counted, under locks that make the count exact, before it is sent.
--
-- Order of locks everywhere: the account's row, the question, authenticators by id, then the advisory locks of the SMS limits
-- in the order number, organization, all. challenge_take and answer_push lock a question and no account.

CREATE FUNCTION wsmfa.sms_within_limits(p_at timestamptz, p_account_id bigint, p_organization_id bigint, p_phone text, p_sms_max integer,
	p_sms_number_max integer, p_sms_organization_max integer, p_sms_total_max integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_hour timestamptz := p_at - interval '1 hour';
BEGIN
	IF (SELECT count(*) FROM wsmfa.sent s WHERE s.account_id = p_account_id AND s.channel = 'sms' AND s.at > v_hour) >= p_sms_max THEN
		RETURN false; -- the caller holds the account's lock
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.sms.number ' || p_phone, 0));
	IF (SELECT count(*) FROM wsmfa.sent s WHERE s.phone = p_phone AND s.channel = 'sms' AND s.at > p_at - interval '24 hours')
		>= p_sms_number_max
	THEN
		RETURN false;
	END IF;
	IF p_sms_organization_max > 0 THEN
		PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.sms.organization ' || p_organization_id, 0));
		IF (SELECT count(*) FROM wsmfa.sent s WHERE s.organization_id = p_organization_id AND s.channel = 'sms' AND s.at > v_hour)
			>= p_sms_organization_max
		THEN
			RETURN false;
		END IF;
	END IF;
	IF p_sms_total_max > 0 THEN
		PERFORM pg_advisory_xact_lock(hashtextextended('wsmfa.sms.all', 0));
		IF (SELECT count(*) FROM wsmfa.sent s WHERE s.channel = 'sms' AND s.at > v_hour) >= p_sms_total_max THEN
			RETURN false;
		END IF;
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION wsmfa.sms_within_limits IS 'May one more SMS go out: of the account and of the organization and of all in an hour, of the number in a day; 0 for the last two parameters is no limit. Exact under concurrency: keeps locks until the transaction ends.';

CREATE FUNCTION wsmfa.question_open(p_at timestamptz, p_account_id bigint, p_client text, p_station text, p_service text,
	p_kind text, p_state_hash bytea, p_login bytea, p_attempt integer, p_expires_at timestamptz, p_authenticator_id bigint,
	p_keep_code boolean, p_code_mac bytea, p_code_expires_at timestamptz, p_number text, p_phone text, p_provider text,
	p_digest bytea, p_waiter bigint, p_sealed bytea, p_shows_banner boolean,
	p_push_max integer, p_sms_max integer, p_sms_number_max integer, p_sms_organization_max integer, p_sms_total_max integer,
	p_before bigint,
	OUT status text, OUT challenge_id bigint, OUT number text, OUT expires_at timestamptz, OUT code_expires_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_sms boolean := p_kind IN ('sms', 'enroll_sms') AND p_code_mac IS NOT NULL AND NOT p_keep_code;
	v_push boolean := p_kind = 'push' AND NOT p_keep_code;
	v_organization_id bigint;
	v_sent_id bigint;
	b wsmfa.challenge; -- the question before, or the one that is reused or joined
BEGIN
	status := 'refused';
	IF v_sms OR v_push THEN
		SELECT a.organization_id INTO v_organization_id FROM wsmfa.account a
		WHERE a.id = p_account_id AND a.disabled_at IS NULL FOR NO KEY UPDATE;
	ELSE
		PERFORM 1 FROM wsmfa.account a WHERE a.id = p_account_id AND a.disabled_at IS NULL;
	END IF;
	IF NOT FOUND THEN
		RETURN;
	END IF;

	IF p_keep_code THEN
		SELECT c.* INTO b FROM wsmfa.challenge c WHERE c.id = p_before AND c.account_id = p_account_id;
		IF NOT FOUND THEN
			RETURN;
		END IF;
		IF p_kind = 'push' THEN
			-- a push that is on its way keeps its row, since phone and engine know its id: the row is asked anew
			UPDATE wsmfa.challenge c SET state_hash = p_state_hash, attempt = p_attempt, expires_at = p_expires_at, answered_at = NULL,
				answer_mac = NULL, answer_digest = NULL, waiter = coalesce(nullif(p_waiter, 0), c.waiter)
			WHERE c.id = b.id AND c.kind = 'push' AND c.push_state IN ('pending', 'approved') AND c.settled_at IS NULL
			RETURNING 'opened', c.id, c.number, c.expires_at, c.code_expires_at
			INTO status, challenge_id, number, expires_at, code_expires_at;
			status := coalesce(status, 'refused');
			RETURN;
		END IF;
	END IF;

	IF v_push THEN
		SELECT c.* INTO b FROM wsmfa.challenge c
		WHERE c.account_id = p_account_id AND c.kind = 'push' AND c.settled_at IS NULL AND c.push_state IN ('pending', 'approved')
			AND c.code_expires_at > p_at
			AND (c.push_state = 'pending' OR (c.digest = p_digest AND c.client = p_client AND c.station = p_station))
		ORDER BY c.id DESC LIMIT 1 FOR UPDATE;
		IF FOUND THEN
			IF p_station <> '' AND b.digest = p_digest AND b.client = p_client AND b.station = p_station
				AND (b.answered_at IS NULL OR p_state_hash IS NULL)
			THEN
				UPDATE wsmfa.challenge c SET state_hash = coalesce(p_state_hash, c.state_hash), waiter = coalesce(nullif(p_waiter, 0), c.waiter)
				WHERE c.id = b.id;
				status := 'joined';
				challenge_id := b.id;
				number := b.number;
				expires_at := b.expires_at;
				code_expires_at := b.code_expires_at;
			ELSE
				status := 'busy';
			END IF;
			RETURN;
		END IF;
		IF (SELECT count(*) FROM wsmfa.sent s WHERE s.account_id = p_account_id AND s.channel = 'push' AND NOT s.answered
			AND s.at > p_at - interval '1 hour') >= p_push_max
		THEN
			status := 'push_limit';
			RETURN;
		END IF;
	ELSIF v_sms THEN
		SELECT c.* INTO b FROM wsmfa.challenge c
		WHERE c.account_id = p_account_id AND c.kind = p_kind AND c.digest = p_digest AND c.client = p_client AND c.station = p_station
			AND p_at - c.opened_at BETWEEN interval '-10 s' AND interval '10 s' AND c.code_mac IS NOT NULL
			AND c.code_used_at IS NULL AND c.code_expires_at > p_at AND c.phone = p_phone
			AND (c.state_hash IS NULL) = (p_state_hash IS NULL) AND (p_state_hash IS NOT NULL OR c.settled_at IS NULL)
		ORDER BY c.id DESC LIMIT 1;
		IF FOUND THEN
			status := 'reused';
			-- the newest packet holds the question; one that is answered already is asked anew, with its code
			UPDATE wsmfa.challenge c SET state_hash = p_state_hash WHERE c.id = b.id AND c.answered_at IS NULL AND c.settled_at IS NULL;
			IF FOUND THEN
				challenge_id := b.id;
				number := '';
				expires_at := b.expires_at;
				code_expires_at := b.code_expires_at;
				RETURN;
			END IF;
		ELSIF NOT wsmfa.sms_within_limits(p_at, p_account_id, v_organization_id, p_phone, p_sms_max, p_sms_number_max,
			p_sms_organization_max, p_sms_total_max)
		THEN
			status := 'sms_limit';
			RETURN;
		END IF;
	END IF;

	IF p_state_hash IS NULL AND p_kind = 'sms' THEN -- one code sent in append mode at a time
		DELETE FROM wsmfa.challenge c WHERE c.account_id = p_account_id AND c.client = p_client AND c.station = p_station
			AND c.state_hash IS NULL AND c.kind = 'sms';
	END IF;
	DELETE FROM wsmfa.challenge c WHERE c.id IN (SELECT o.id FROM wsmfa.challenge o WHERE o.account_id = p_account_id
		AND o.expires_at < p_at - interval '1 hour' AND coalesce(o.code_expires_at, o.expires_at) < p_at - interval '1 hour'
		FOR UPDATE SKIP LOCKED);

	challenge_id := nextval('wsmfa.challenge_id_seq');
	IF v_push OR (v_sms AND status <> 'reused') THEN
		INSERT INTO wsmfa.sent AS s (at, account_id, organization_id, channel, phone, challenge_id)
		VALUES (p_at, p_account_id, v_organization_id, CASE WHEN v_sms THEN 'sms' ELSE 'push' END,
			CASE WHEN v_sms THEN p_phone END, challenge_id)
		RETURNING s.id INTO v_sent_id;
	END IF;
	IF p_shows_banner THEN
		UPDATE wsmfa.account a SET banner_shown_at = p_at WHERE a.id = p_account_id;
	END IF;

	-- b is all null unless its code is kept or reused
	INSERT INTO wsmfa.challenge (id, account_id, kind, state_hash, client, station, service, login, attempt, opened_at, expires_at,
		digest, authenticator_id, code_mac, code_expires_at, number, phone, provider, sealed, sent_id, waiter, push_state)
	VALUES (challenge_id, p_account_id, p_kind, p_state_hash, p_client, p_station, p_service,
		CASE WHEN p_keep_code THEN b.login ELSE p_login END, p_attempt, p_at, p_expires_at, p_digest,
		coalesce(CASE WHEN p_keep_code THEN b.authenticator_id END, nullif(p_authenticator_id, 0)),
		coalesce(b.code_mac, p_code_mac), CASE WHEN b.code_mac IS NULL THEN p_code_expires_at ELSE b.code_expires_at END,
		coalesce(nullif(b.number, ''), p_number, ''), coalesce(nullif(b.phone, ''), p_phone, ''),
		coalesce(nullif(b.provider, ''), p_provider, ''), coalesce(b.sealed, p_sealed), coalesce(b.sent_id, v_sent_id),
		nullif(p_waiter, 0), CASE WHEN p_kind = 'push' THEN 'pending' END);
	IF status <> 'reused' THEN
		status := 'opened';
	END IF;
	number := coalesce(nullif(b.number, ''), p_number, '');
	expires_at := p_expires_at;
	code_expires_at := CASE WHEN b.code_mac IS NULL THEN p_code_expires_at ELSE b.code_expires_at END;
END
$$;
COMMENT ON FUNCTION wsmfa.question_open IS 'Opens a question, for challenge_open and for what is opened after an answer. p_before: the question whose code is kept.';

CREATE FUNCTION wsmfa.challenge_open(p_at timestamptz, p_account_id bigint, p_client text, p_station text, p_service text,
	p_kind text, p_state_hash bytea, p_login bytea, p_attempt integer, p_expires_at timestamptz, p_authenticator_id bigint,
	p_keep_code boolean, p_code_mac bytea, p_code_expires_at timestamptz, p_number text, p_phone text, p_provider text,
	p_digest bytea, p_waiter bigint, p_sealed bytea, p_shows_banner boolean,
	p_push_max integer, p_sms_max integer, p_sms_number_max integer, p_sms_organization_max integer, p_sms_total_max integer)
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
	RETURN QUERY SELECT o.status, o.challenge_id, o.number, o.expires_at, o.code_expires_at
	FROM wsmfa.question_open(p_at, p_account_id, p_client, p_station, p_service, p_kind, p_state_hash, p_login, p_attempt,
		p_expires_at, p_authenticator_id, coalesce(p_keep_code, false), p_code_mac, p_code_expires_at, p_number, p_phone,
		p_provider, p_digest, p_waiter, p_sealed, coalesce(p_shows_banner, false), p_push_max, p_sms_max, p_sms_number_max,
		p_sms_organization_max, p_sms_total_max,
		CASE WHEN p_keep_code THEN (SELECT max(c.id) FROM wsmfa.challenge c WHERE c.account_id = p_account_id AND c.login = p_login) END) o;
END
$$;
COMMENT ON FUNCTION wsmfa.challenge_open IS 'Opens a question. Status: opened, reused (the SMS of an identical packet within 10 s stands), joined (the same login''s push is pending), busy (another login''s is), push_limit, sms_limit, refused. Waits for the disk only if something goes to a phone.';

CREATE FUNCTION wsmfa.commit_durably() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM set_config('synchronous_commit', 'on', true);
	END IF;
END
$$;
COMMENT ON FUNCTION wsmfa.commit_durably IS 'This transaction is on disk before its caller hears of it, whatever the session''s setting.';

GRANT EXECUTE ON FUNCTION wsmfa.challenge_open TO wsmfa_radius;
