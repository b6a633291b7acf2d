-- The rules, once: the stage, being in scope, what is usable, the decision's word. Time is an argument in all of them.

CREATE FUNCTION wsmfa.stage_of(announce_from timestamptz, enforce_from timestamptz, at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN $3 < $1 AND $3 < $2 THEN 'observe' WHEN $3 < $2 AND $3 >= $1 THEN 'announce' ELSE 'enforce' END $$;
COMMENT ON FUNCTION wsmfa.stage_of IS 'The stage of a schedule at a time: observe, announce from announce_from on, enforce from enforce_from on. What is unknown is enforce.';

CREATE FUNCTION wsmfa.stage_at(region text, organization_id bigint, at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT coalesce((
		SELECT wsmfa.stage_of(coalesce(s.announce_from, r.announce_from), coalesce(s.enforce_from, r.enforce_from), $3)
		FROM wsmfa.region r LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = $2
		WHERE r.code = $1), 'enforce')
$$;
COMMENT ON FUNCTION wsmfa.stage_at IS 'The stage of a region, or of an organization that has a schedule of its own, at a time. An unknown region is enforce. Organization null: the region''s.';

-- A table, and so part of the query that calls it: as a single row it would be planned anew at each login.
CREATE FUNCTION wsmfa.in_scope_at(account_id bigint, service text, at timestamptz)
RETURNS TABLE (in_scope boolean, since timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
	SELECT i.since IS NOT NULL, i.since
	FROM (
		SELECT least(
			(SELECT min(greatest(s.requires_mfa_from, x.since)) FROM wsmfa.account_service x JOIN wsmfa.service s ON s.code = x.service
				WHERE x.account_id = $1 AND s.requires_mfa_from <= $3),
			CASE WHEN $2 IS NOT NULL AND NOT EXISTS (SELECT FROM wsmfa.account_service x WHERE x.account_id = $1 AND x.service = $2)
				THEN (SELECT greatest(s.requires_mfa_from, coalesce(a.created_at, '-infinity'))
					FROM (SELECT) one LEFT JOIN wsmfa.service s ON s.code = $2 LEFT JOIN wsmfa.account a ON a.id = $1
					WHERE s.code IS NULL OR s.requires_mfa_from <= $3) END) AS since
		OFFSET 0
	) i
$$;
COMMENT ON FUNCTION wsmfa.in_scope_at IS 'Is the account in scope at that time, by its own services or by the one it logs in to (null: its own only), and since when. An unknown service requires MFA.';

CREATE FUNCTION wsmfa.kind_bits(kinds text[]) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE WHEN $1 IS NULL THEN -1 ELSE
		CASE WHEN 'recovery' = ANY ($1) THEN 2 ELSE 0 END | CASE WHEN 'sms' = ANY ($1) THEN 4 ELSE 0 END
		| CASE WHEN 'totp' = ANY ($1) THEN 8 ELSE 0 END | CASE WHEN 'push' = ANY ($1) THEN 16 ELSE 0 END
		| CASE WHEN 'fido2' = ANY ($1) THEN 32 ELSE 0 END END
$$;
COMMENT ON FUNCTION wsmfa.kind_bits IS 'Kinds of authenticator as bits 1 << kind: recovery 1, sms 2, totp 3, push 4, fido2 5. Null, no policy, is all ones.';

CREATE FUNCTION wsmfa.kind_strength(kind text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE $1 WHEN 'recovery' THEN 1 WHEN 'sms' THEN 2 WHEN 'totp' THEN 3 WHEN 'push' THEN 4 WHEN 'fido2' THEN 5 ELSE 0 END $$;
COMMENT ON FUNCTION wsmfa.kind_strength IS 'fido2 5, push 4, totp 3, sms 2, recovery 1: the greater, the stronger.';

CREATE FUNCTION wsmfa.decision_word(disabled boolean, locked boolean, enrolled boolean, usable boolean, in_scope boolean, stage text,
	exempt boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE
		WHEN $1 IS NOT FALSE OR $2 IS NOT FALSE THEN 'deny'
		WHEN $3 AND $4 THEN 'challenge'
		WHEN $3 IS NOT FALSE THEN 'deny'
		WHEN $5 IS FALSE THEN 'accept'
		WHEN $6 = 'observe' THEN 'accept'
		WHEN $6 = 'announce' THEN 'accept_with_banner'
		WHEN $7 THEN 'accept_with_banner'
		ELSE 'enroll'
	END
$$;
COMMENT ON FUNCTION wsmfa.decision_word IS 'The decision table for a client that can be challenged and may enrol; first match wins. The login decides by core/decision.c, and a test holds the two together.';

CREATE FUNCTION wsmfa.days_left(enforce_from timestamptz, at timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE WHEN isfinite($1) AND isfinite($2) AND $1 > $2
		THEN least(floor((extract(epoch FROM $1) - extract(epoch FROM $2)) / 86400), 2147483647)::integer END
$$;
COMMENT ON FUNCTION wsmfa.days_left IS 'Whole days of 24 hours until then; null when it is past, or never.';

CREATE FUNCTION wsmfa.station_key(client text, station text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN $2 <> '' THEN $2 ELSE 'client:' || coalesce($1, '') END $$;
COMMENT ON FUNCTION wsmfa.station_key IS 'What waits after failures: the calling station, or the RADIUS client where the packet names none.';
