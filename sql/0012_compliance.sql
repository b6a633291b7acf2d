-- The administrator's picture. Facts without a time, then what they mean at a time, then sums of it.
--
-- Who sees what: each filters by session_user in its own WHERE, and the views are security barriers. compliance_at is a plain
-- function over account_fact, so that it is inlined and a filter on account or organization reaches an index;
-- region_compliance_at reads the tables as a whole.

-- Compiling these views takes longer than running them, and no login gains by it either. For sessions that begin from now on.
DO $$
BEGIN
	EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
	NULL; -- slower, not wrong
END
$$;

CREATE FUNCTION wsmfa.sees_all() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT pg_has_role(session_user, 'wsmfa_admin', 'MEMBER') OR pg_has_role(session_user, 'wsmfa_auditor', 'MEMBER')
		OR pg_has_role(session_user, (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'wsmfa'), 'MEMBER')
$$;
COMMENT ON FUNCTION wsmfa.sees_all IS 'Does the session''s user see every organization: administrators, auditors, the owner. Others see those of organization_admin.';

CREATE VIEW wsmfa.failure_policy AS
	SELECT coalesce(s.failure_budget, 30) AS failure_budget, make_interval(hours => 24 * coalesce(s.failure_days, 30)) AS failure_time
	FROM (SELECT) one LEFT JOIN (SELECT v.failure_budget, v.failure_days FROM wsmfa.server v
		WHERE v.at = (SELECT max(w.at) FROM wsmfa.server w) LIMIT 1) s ON true;
COMMENT ON VIEW wsmfa.failure_policy IS 'The failure budget as the newest heartbeat told it, else 30 in 30 days.';

CREATE VIEW wsmfa.authenticator_fact AS
	SELECT x.account_id, x.id AS authenticator_id, x.kind,
		CASE WHEN x.disabled_at IS NOT NULL OR x.kind = 'fido2' OR (x.kind = 'recovery' AND NOT EXISTS (SELECT FROM wsmfa.recovery_code c
				WHERE c.authenticator_id = x.id AND c.used_at IS NULL)) THEN NULL
			WHEN x.last_failure_at IS NULL THEN '-infinity'
			ELSE coalesce((SELECT f.at FROM wsmfa.failure f WHERE f.authenticator_id = x.id ORDER BY f.at DESC
				OFFSET (SELECT p.failure_budget FROM wsmfa.failure_policy p) - 1 LIMIT 1)
				+ (SELECT p.failure_time FROM wsmfa.failure_policy p), '-infinity')
		END AS usable_from
	FROM wsmfa.authenticator x
	WHERE x.confirmed_at IS NOT NULL AND x.removed_at IS NULL;
COMMENT ON VIEW wsmfa.authenticator_fact IS 'Confirmed authenticators and from when on each is usable: null for never (disabled, no code left, fido2, which no login can ask yet), a time for one whose failure budget is used up until then.';

CREATE VIEW wsmfa.account_factor AS
	SELECT x.account_id, bit_or(1 << wsmfa.kind_strength(x.kind)) FILTER (WHERE x.disabled_at IS NULL) AS bits,
		bool_or(x.kind <> 'recovery') AS enrolled,
		bit_or(1 << wsmfa.kind_strength(x.kind)) FILTER (WHERE x.disabled_at IS NULL AND x.last_failure_at IS NULL
			AND x.kind IN ('totp', 'push', 'sms')) AS plain_bits,
		max(x.last_used_at) AS last_used_at
	FROM wsmfa.authenticator x
	WHERE x.confirmed_at IS NOT NULL AND x.removed_at IS NULL
	GROUP BY x.account_id;
COMMENT ON VIEW wsmfa.account_factor IS 'Confirmed authenticators of each account that has any, as one row.';
COMMENT ON COLUMN wsmfa.account_factor.bits IS 'Kinds of the enabled ones, 1 << kind.';
COMMENT ON COLUMN wsmfa.account_factor.plain_bits IS 'Kinds of those that are usable without a look at failures or recovery codes: for most accounts that is enough.';

CREATE FUNCTION wsmfa.kinds_of(bits integer) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT array_remove(ARRAY[CASE WHEN $1 & 32 <> 0 THEN 'fido2' END, CASE WHEN $1 & 16 <> 0 THEN 'push' END,
		CASE WHEN $1 & 8 <> 0 THEN 'totp' END, CASE WHEN $1 & 4 <> 0 THEN 'sms' END, CASE WHEN $1 & 2 <> 0 THEN 'recovery' END], NULL)
$$;
COMMENT ON FUNCTION wsmfa.kinds_of IS 'Kinds of authenticator from bits 1 << kind, strongest first.';

CREATE VIEW wsmfa.account_fact WITH (security_barrier) AS
	SELECT a.id AS account_id, a.name AS account, a.organization_id, o.name AS organization, a.region,
		ARRAY(SELECT u.service FROM wsmfa.account_service u WHERE u.account_id = a.id ORDER BY u.service) AS services,
		(SELECT min(v.requires_mfa_from) FROM wsmfa.account_service u JOIN wsmfa.service v ON v.code = u.service
			WHERE u.account_id = a.id) AS requires_mfa_from,
		s.organization_id IS NOT NULL AS own_schedule, coalesce(s.announce_from, r.announce_from) AS announce_from,
		coalesce(s.enforce_from, r.enforce_from) AS enforce_from,
		coalesce(x.bits, 0) AS bits, coalesce(x.enrolled, false) AS enrolled,
		CASE WHEN x.account_id IS NULL THEN NULL
			WHEN x.plain_bits & wsmfa.kind_bits(o.allowed_methods) <> 0 THEN '-infinity'
			ELSE (SELECT min(f.usable_from) FROM wsmfa.authenticator_fact f
				WHERE f.account_id = a.id AND (o.allowed_methods IS NULL OR f.kind = ANY (o.allowed_methods))) END AS usable_from,
		(SELECT max(e.until) FROM wsmfa.exemption e WHERE e.account_id = a.id AND e.revoked_at IS NULL) AS exempt_until,
		(SELECT max(w.locked_until) FROM wsmfa.station_wait w WHERE w.account_id = a.id) AS locked_until,
		greatest(n.last_login, x.last_used_at) AS last_login, greatest(n.last_mfa_login, x.last_used_at) AS last_mfa_login,
		a.created_at, a.disabled_at
	FROM wsmfa.account a
		JOIN wsmfa.organization o ON o.id = a.organization_id
		JOIN wsmfa.region r ON r.code = a.region
		LEFT JOIN wsmfa.organization_schedule s ON s.organization_id = a.organization_id
		LEFT JOIN wsmfa.account_seen n ON n.account_id = a.id
		-- OFFSET 0 keeps it from being pulled up: inside, the filter on one account reaches the index
		LEFT JOIN LATERAL (SELECT * FROM wsmfa.account_factor v WHERE v.account_id = a.id OFFSET 0) x ON true
	WHERE (SELECT wsmfa.sees_all())
		OR a.organization_id IN (SELECT m.organization_id FROM wsmfa.organization_admin m WHERE m.role = session_user);
COMMENT ON VIEW wsmfa.account_fact IS 'What is known of an account without asking the time.';
COMMENT ON COLUMN wsmfa.account_fact.usable_from IS 'From when on it has a usable authenticator of a kind that its organization allows; null: never.';

CREATE FUNCTION wsmfa.compliance_at(at timestamptz)
RETURNS TABLE (account text, organization text, region text, services text[], in_scope boolean, stage text, announce_from timestamptz,
	enforce_from timestamptz, days_left integer, methods text[], strongest text, enrolled boolean, exempt_until timestamptz,
	locked_until timestamptz, last_login timestamptz, last_mfa_login timestamptz, compliant boolean, next_login text,
	disabled_at timestamptz)
LANGUAGE sql STABLE
AS $$
	SELECT f.account, f.organization, f.region, f.services, d.in_scope, d.stage, f.announce_from, f.enforce_from,
		wsmfa.days_left(f.enforce_from, $1), wsmfa.kinds_of(f.bits), (wsmfa.kinds_of(f.bits))[1], f.enrolled,
		CASE WHEN d.exempt THEN f.exempt_until END, CASE WHEN d.locked THEN f.locked_until END, f.last_login, f.last_mfa_login,
		NOT d.in_scope OR (f.enrolled AND d.usable),
		wsmfa.decision_word(f.disabled_at IS NOT NULL, d.locked, f.enrolled, d.usable, d.in_scope, d.stage, d.exempt), f.disabled_at
	FROM wsmfa.account_fact f CROSS JOIN LATERAL (
		SELECT coalesce(f.requires_mfa_from <= $1, false) AS in_scope, wsmfa.stage_of(f.announce_from, f.enforce_from, $1) AS stage,
			coalesce(f.usable_from <= $1, false) AS usable, coalesce(f.exempt_until > $1, false) AS exempt,
			coalesce(f.locked_until > $1, false) AS locked) d
$$;
COMMENT ON FUNCTION wsmfa.compliance_at IS 'mfa_status as it would be at another time: the schedule, exemptions, waits and budgets of then, the authenticators of now.';

CREATE VIEW wsmfa.mfa_status AS SELECT * FROM wsmfa.compliance_at(statement_timestamp());
COMMENT ON VIEW wsmfa.mfa_status IS 'A row an account: who is in scope, in which stage, enrolled with what, and what its next login leads to.';
COMMENT ON COLUMN wsmfa.mfa_status.in_scope IS 'Uses a service that requires MFA.';
COMMENT ON COLUMN wsmfa.mfa_status.days_left IS 'Whole days until enforce_from; null when it is past.';
COMMENT ON COLUMN wsmfa.mfa_status.methods IS 'Kinds of its confirmed, enabled authenticators, strongest first.';
COMMENT ON COLUMN wsmfa.mfa_status.enrolled IS 'Has ever confirmed an authenticator, other than recovery codes, that was not removed; a disabled one counts.';
COMMENT ON COLUMN wsmfa.mfa_status.exempt_until IS 'Of an exemption that is valid now.';
COMMENT ON COLUMN wsmfa.mfa_status.locked_until IS 'The longest wait after failures at any calling station; null when none runs.';
COMMENT ON COLUMN wsmfa.mfa_status.compliant IS 'Not in scope, or enrolled with a usable authenticator. An exemption does not make compliant.';
COMMENT ON COLUMN wsmfa.mfa_status.next_login IS 'deny, challenge, accept, accept_with_banner or enroll: the decision for a login to one of its own services, from a client that can be challenged and may enrol.';

CREATE FUNCTION wsmfa.org_compliance_at(at timestamptz)
RETURNS TABLE (organization text, accounts bigint, in_scope bigint, enrolled bigint, compliant bigint, percent numeric,
	sms_only bigint, exempt bigint, enforce_from timestamptz, days_left integer)
LANGUAGE sql STABLE
AS $$
	SELECT f.organization, count(*) FILTER (WHERE f.disabled_at IS NULL), count(*) FILTER (WHERE d.counts),
		count(*) FILTER (WHERE d.counts AND f.enrolled), count(*) FILTER (WHERE d.counts AND d.compliant),
		trunc(100.0 * count(*) FILTER (WHERE d.counts AND d.compliant) / nullif(count(*) FILTER (WHERE d.counts), 0), 1),
		count(*) FILTER (WHERE d.counts AND f.bits & ~2 = 4), count(*) FILTER (WHERE d.counts AND f.exempt_until > $1),
		coalesce(min(f.enforce_from) FILTER (WHERE f.enforce_from > $1), max(f.enforce_from)),
		wsmfa.days_left(coalesce(min(f.enforce_from) FILTER (WHERE f.enforce_from > $1), max(f.enforce_from)), $1)
	FROM wsmfa.account_fact f CROSS JOIN LATERAL (
		SELECT f.disabled_at IS NULL AND coalesce(f.requires_mfa_from <= $1, false) AS counts,
			f.enrolled AND coalesce(f.usable_from <= $1, false) AS compliant) d
	GROUP BY f.organization
$$;
COMMENT ON FUNCTION wsmfa.org_compliance_at IS 'org_compliance as it would be at another time.';

CREATE VIEW wsmfa.org_compliance AS SELECT * FROM wsmfa.org_compliance_at(statement_timestamp());
COMMENT ON VIEW wsmfa.org_compliance IS 'A row an organization with accounts. All but accounts count accounts in scope; disabled accounts are left out.';
COMMENT ON COLUMN wsmfa.org_compliance.percent IS 'Compliant ones of those in scope, rounded down; null when none is in scope.';
COMMENT ON COLUMN wsmfa.org_compliance.sms_only IS 'Their only method, recovery codes aside, is SMS.';
COMMENT ON COLUMN wsmfa.org_compliance.enforce_from IS 'The next date of any of its accounts, else the latest past one.';

CREATE FUNCTION wsmfa.region_compliance_at(at timestamptz)
RETURNS TABLE (region text, accounts bigint, in_scope bigint, enrolled bigint, compliant bigint, percent numeric,
	sms_only bigint, exempt bigint, enforce_from timestamptz, days_left integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- in the order of accounts all the way: twice as fast as hash tables of a million, and without their memory
SET enable_hashjoin = off SET enable_sort = off SET jit = off
AS $$
	SELECT r.code, coalesce(c.accounts, 0), coalesce(c.in_scope, 0), coalesce(c.enrolled, 0), coalesce(c.compliant, 0),
		trunc(100.0 * c.compliant / nullif(c.in_scope, 0), 1), coalesce(c.sms_only, 0), coalesce(c.exempt, 0), r.enforce_from,
		wsmfa.days_left(r.enforce_from, $1)
	FROM wsmfa.region r LEFT JOIN (
		SELECT f.region, count(*) AS accounts, count(*) FILTER (WHERE f.in_scope) AS in_scope,
			count(*) FILTER (WHERE f.in_scope AND f.enrolled) AS enrolled,
			count(*) FILTER (WHERE f.in_scope AND f.enrolled AND f.usable_from <= $1) AS compliant,
			count(*) FILTER (WHERE f.in_scope AND f.bits & ~2 = 4) AS sms_only,
			count(*) FILTER (WHERE f.in_scope AND f.exempt) AS exempt
		FROM (
			SELECT a.region, u.account_id IS NOT NULL AS in_scope, x.bits, x.enrolled,
				CASE WHEN x.account_id IS NULL THEN NULL
					WHEN x.plain_bits & wsmfa.kind_bits(o.allowed_methods) <> 0 THEN '-infinity'
					ELSE (SELECT min(f.usable_from) FROM wsmfa.authenticator_fact f
						WHERE f.account_id = a.id AND (o.allowed_methods IS NULL OR f.kind = ANY (o.allowed_methods))) END AS usable_from,
				e.account_id IS NOT NULL AS exempt
			FROM wsmfa.account a
				JOIN wsmfa.organization o ON o.id = a.organization_id
				LEFT JOIN wsmfa.account_factor x ON x.account_id = a.id
				LEFT JOIN (SELECT DISTINCT v.account_id FROM wsmfa.account_service v
					WHERE v.service = ANY (ARRAY(SELECT s.code FROM wsmfa.service s WHERE s.requires_mfa_from <= $1))) u ON u.account_id = a.id
				LEFT JOIN (SELECT DISTINCT v.account_id FROM wsmfa.exemption v WHERE v.revoked_at IS NULL AND v.until > $1) e
					ON e.account_id = a.id
			WHERE a.disabled_at IS NULL AND ((SELECT wsmfa.sees_all())
				OR a.organization_id IN (SELECT m.organization_id FROM wsmfa.organization_admin m WHERE m.role = session_user))
			OFFSET 0
		) f GROUP BY f.region
	) c ON c.region = r.code
$$;
COMMENT ON FUNCTION wsmfa.region_compliance_at IS 'region_compliance as it would be at another time. Reads the tables as a whole, which is quicker for very many accounts than a look at each; a test holds it against compliance_at.';

CREATE VIEW wsmfa.region_compliance AS SELECT * FROM wsmfa.region_compliance_at(statement_timestamp());
COMMENT ON VIEW wsmfa.region_compliance IS 'A row a region. All but accounts count accounts in scope; disabled accounts are left out.';
COMMENT ON COLUMN wsmfa.region_compliance.percent IS 'Compliant ones of those in scope, rounded down; null when none is in scope.';
COMMENT ON COLUMN wsmfa.region_compliance.enforce_from IS 'The region''s own; organizations with a schedule of their own have another.';

CREATE VIEW wsmfa.method_usage WITH (security_barrier) AS
	SELECT k.kind AS method, count(x.account_id) AS enrolled,
		count(x.account_id) FILTER (WHERE x.last_used_at > statement_timestamp() - interval '30 days') AS used_30d,
		count(x.account_id) FILTER (WHERE x.all_bits & ~2 & ~x.bit = 0) AS sole
	FROM unnest('{fido2,push,totp,sms,recovery}'::text[]) WITH ORDINALITY AS k (kind, strength) LEFT JOIN (
		SELECT v.account_id, v.kind, v.bit, v.last_used_at, bit_or(v.bit) OVER (PARTITION BY v.account_id) AS all_bits
		FROM (
			SELECT c.account_id, c.kind, 1 << wsmfa.kind_strength(c.kind) AS bit, max(c.last_used_at) AS last_used_at
			FROM wsmfa.authenticator c JOIN wsmfa.account a ON a.id = c.account_id
			WHERE c.confirmed_at IS NOT NULL AND c.removed_at IS NULL AND c.disabled_at IS NULL AND a.disabled_at IS NULL
				AND ((SELECT wsmfa.sees_all())
					OR a.organization_id IN (SELECT m.organization_id FROM wsmfa.organization_admin m WHERE m.role = session_user))
			GROUP BY c.account_id, c.kind
		) v
	) x ON x.kind = k.kind
	GROUP BY k.kind, k.strength ORDER BY k.strength;
COMMENT ON VIEW wsmfa.method_usage IS 'A row a method, strongest first: accounts that have it (confirmed, enabled), that used it in 30 days, that have no other but recovery codes.';

CREATE VIEW wsmfa.upcoming_enforcement AS
	SELECT f.account, f.organization, f.region, f.enforce_from, wsmfa.days_left(f.enforce_from, statement_timestamp()) AS days_left
	FROM wsmfa.account_fact f
	WHERE f.enforce_from > statement_timestamp() AND f.disabled_at IS NULL AND f.requires_mfa_from <= f.enforce_from
		AND NOT (f.enrolled AND coalesce(f.usable_from <= f.enforce_from, false))
		AND (f.enrolled OR coalesce(f.exempt_until <= f.enforce_from, true))
	ORDER BY f.enforce_from, f.organization, f.account;
COMMENT ON VIEW wsmfa.upcoming_enforcement IS 'Who would be stopped on the day, soonest first: in scope then, without a usable authenticator, not exempt.';

CREATE VIEW wsmfa.weak_accounts WITH (security_barrier) AS
	SELECT a.name AS account, o.name AS organization, w.reasons
	FROM wsmfa.account a JOIN wsmfa.organization o ON o.id = a.organization_id
		CROSS JOIN LATERAL (SELECT * FROM wsmfa.account_factor v WHERE v.account_id = a.id OFFSET 0) x
		CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
			CASE WHEN x.bits & ~2 = 4 THEN 'sms_only' END,
			CASE WHEN x.bits & 4 <> 0 AND EXISTS (
				SELECT FROM wsmfa.authenticator s JOIN wsmfa.authenticator t ON t.phone = s.phone AND t.account_id <> s.account_id
					JOIN wsmfa.account b ON b.id = t.account_id
				WHERE s.account_id = a.id AND s.kind = 'sms' AND s.confirmed_at IS NOT NULL AND s.removed_at IS NULL
					AND s.disabled_at IS NULL AND t.kind = 'sms' AND t.confirmed_at IS NOT NULL AND t.removed_at IS NULL
					AND t.disabled_at IS NULL AND (b.organization_id = a.organization_id OR (SELECT wsmfa.sees_all()))
			) THEN 'shared_phone' END,
			CASE WHEN NOT EXISTS (SELECT FROM wsmfa.authenticator s WHERE s.account_id = a.id AND s.kind <> 'recovery'
				AND s.removed_at IS NULL AND s.last_used_at IS NOT NULL) THEN 'never_used' END,
			CASE WHEN x.bits & 2 = 0 OR x.bits IS NULL OR NOT EXISTS (SELECT FROM wsmfa.authenticator s
				JOIN wsmfa.recovery_code c ON c.authenticator_id = s.id
				WHERE s.account_id = a.id AND s.kind = 'recovery' AND s.confirmed_at IS NOT NULL AND s.removed_at IS NULL
					AND s.disabled_at IS NULL AND c.used_at IS NULL) THEN 'no_recovery' END], NULL) AS reasons) w
	WHERE a.disabled_at IS NULL AND x.enrolled AND w.reasons <> '{}'
		AND ((SELECT wsmfa.sees_all())
			OR a.organization_id IN (SELECT m.organization_id FROM wsmfa.organization_admin m WHERE m.role = session_user));
COMMENT ON VIEW wsmfa.weak_accounts IS 'Enrolled accounts that deserve a look: sms_only, shared_phone (another account''s SMS go to the same number), never_used, no_recovery (no recovery code left).';

CREATE VIEW wsmfa.login_event WITH (security_barrier) AS
	SELECT e.at, e.account, o.name AS organization, e.client, e.station AS calling_station, e.service, e.region, e.stage, e.decision,
		e.method, e.outcome, e.reason, e.count
	FROM wsmfa.event e LEFT JOIN wsmfa.organization o ON o.id = e.organization_id
	WHERE (SELECT wsmfa.sees_all())
		OR e.organization_id IN (SELECT m.organization_id FROM wsmfa.organization_admin m WHERE m.role = session_user);
COMMENT ON VIEW wsmfa.login_event IS 'How each login ended. Logins with a name that no account has belong to no organization.';
COMMENT ON COLUMN wsmfa.login_event.count IS 'Wrong passwords are one event an account and minute: how many.';

CREATE FUNCTION wsmfa.what_if(region text, announce_from timestamptz, enforce_from timestamptz, at timestamptz)
RETURNS TABLE (account text, organization text, in_scope boolean, enrolled boolean, stage text, next_login text, proposed_stage text,
	proposed_next_login text)
LANGUAGE sql STABLE
AS $$
	SELECT f.account, f.organization, d.in_scope, f.enrolled, wsmfa.stage_of(f.announce_from, f.enforce_from, $4),
		wsmfa.decision_word(f.disabled_at IS NOT NULL, d.locked, f.enrolled, d.usable, d.in_scope,
			wsmfa.stage_of(f.announce_from, f.enforce_from, $4), d.exempt),
		wsmfa.stage_of($2, $3, $4),
		wsmfa.decision_word(f.disabled_at IS NOT NULL, d.locked, f.enrolled, d.usable, d.in_scope, wsmfa.stage_of($2, $3, $4), d.exempt)
	FROM wsmfa.account_fact f CROSS JOIN LATERAL (
		SELECT coalesce(f.requires_mfa_from <= $4, false) AS in_scope, coalesce(f.usable_from <= $4, false) AS usable,
			coalesce(f.exempt_until > $4, false) AS exempt, coalesce(f.locked_until > $4, false) AS locked) d
	WHERE f.region = $1 AND NOT f.own_schedule
$$;
COMMENT ON FUNCTION wsmfa.what_if IS 'What a proposed schedule of a region would do at a time, an account a row beside what stands. Organizations with their own schedule are not touched by it, and not shown. Changes nothing.';

GRANT SELECT ON wsmfa.account_fact, wsmfa.mfa_status, wsmfa.org_compliance, wsmfa.region_compliance,
	wsmfa.method_usage, wsmfa.upcoming_enforcement, wsmfa.weak_accounts, wsmfa.login_event, wsmfa.region, wsmfa.service
	TO wsmfa_admin, wsmfa_auditor, wsmfa_org_admin;
GRANT EXECUTE ON FUNCTION wsmfa.fold, wsmfa.stage_of, wsmfa.kind_bits, wsmfa.kind_strength, wsmfa.kinds_of, wsmfa.decision_word,
	wsmfa.days_left, wsmfa.sees_all, wsmfa.compliance_at, wsmfa.org_compliance_at, wsmfa.region_compliance_at,
	wsmfa.what_if TO wsmfa_admin, wsmfa_auditor, wsmfa_org_admin;
