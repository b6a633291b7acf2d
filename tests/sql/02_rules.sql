-- The rules: stages and scope to the microsecond, the decision's word for every combination.
BEGIN;
SELECT * FROM no_plan();

CREATE FUNCTION pg_temp.us(timestamptz, integer) RETURNS timestamptz LANGUAGE sql AS $$ SELECT $1 + $2 * interval '1 microsecond' $$;

-- stage_at
SELECT is(wsmfa.stage_at(r.code, NULL, pg_temp.us(r.announce_from, -1)), 'observe', r.code || ' before announce_from') FROM wsmfa.region r;
SELECT is(wsmfa.stage_at(r.code, NULL, r.announce_from), 'announce', r.code || ' at announce_from') FROM wsmfa.region r;
SELECT is(wsmfa.stage_at(r.code, NULL, pg_temp.us(r.enforce_from, -1)), 'announce', r.code || ' before enforce_from') FROM wsmfa.region r;
SELECT is(wsmfa.stage_at(r.code, NULL, r.enforce_from), 'enforce', r.code || ' at enforce_from') FROM wsmfa.region r;
SELECT is(wsmfa.stage_at('APAC', NULL, '2024-07-30 15:59:59.999999+00'), 'announce', 'APAC, Singapore, the last microsecond');
SELECT is(wsmfa.stage_at('APAC', NULL, '2024-07-30 16:00:00+00'), 'enforce', 'APAC, Singapore, midnight');
SELECT is(wsmfa.stage_at('AMER', NULL, '2024-04-22 03:59:59.999999+00'), 'announce', 'AMER, New York in summer time');
SELECT is(wsmfa.stage_at('AMER', NULL, '2024-04-22 04:00:00+00'), 'enforce', 'AMER, New York in summer time, midnight');
SELECT is(wsmfa.stage_at('NOWHERE', NULL, '1999-01-01 00:00+00'), 'enforce', 'an unknown region is enforce');
SELECT is(wsmfa.stage_at(NULL, NULL, '1999-01-01 00:00+00'), 'enforce', 'no region is enforce');
SELECT is(wsmfa.stage_at('EMEA', NULL, NULL), 'enforce', 'no time is enforce');
SELECT is(wsmfa.stage_at('EMEA', -1, '1999-01-01 00:00+00'), 'observe', 'an unknown organization has the region''s schedule');

INSERT INTO wsmfa.organization (id, name) VALUES (1001, 'early'), (1002, 'late'), (1003, 'never'), (1004, 'at once'), (1005, 'plain');
INSERT INTO wsmfa.organization_schedule VALUES (1001, '2023-06-01 00:00+00', '2023-07-01 00:00+00'), (1002, '2030-06-01 00:00+00', '2030-07-01 00:00+00'),
	(1003, 'infinity', 'infinity'), (1004, '-infinity', '-infinity');
SELECT is(wsmfa.stage_at('EMEA', 1001, '2023-05-31 23:59:59.999999+00'), 'observe', 'earlier schedule: observe');
SELECT is(wsmfa.stage_at('EMEA', 1001, '2023-06-01 00:00+00'), 'announce', 'earlier schedule: announce');
SELECT is(wsmfa.stage_at('EMEA', 1001, '2023-07-01 00:00+00'), 'enforce', 'earlier schedule: enforce while the region observes');
SELECT is(wsmfa.stage_at('EMEA', 1002, '2030-05-31 23:59:59.999999+00'), 'observe', 'later schedule: observe while the region enforces');
SELECT is(wsmfa.stage_at('EMEA', 1002, '2030-07-01 00:00+00'), 'enforce', 'later schedule: enforce');
SELECT is(wsmfa.stage_at('EMEA', 1003, '2999-01-01 00:00+00'), 'observe', 'infinity: never');
SELECT is(wsmfa.stage_at('EMEA', 1004, '1901-01-01 00:00+00'), 'enforce', '-infinity: always');
SELECT is(wsmfa.stage_at('EMEA', 1005, '2024-04-21 21:00+00'), 'enforce', 'without one the region''s');
SELECT is(wsmfa.stage_at('NOWHERE', 1002, '1999-01-01 00:00+00'), 'enforce', 'an unknown region is enforce even so');
UPDATE wsmfa.region SET announce_from = '2020-01-01 00:00+00', enforce_from = '2020-01-01 00:00+00' WHERE code = 'APAC';
SELECT is(wsmfa.stage_at('APAC', NULL, '2019-12-31 23:59:59.999999+00'), 'observe', 'no announcement at all: observe until');
SELECT is(wsmfa.stage_at('APAC', NULL, '2020-01-01 00:00+00'), 'enforce', 'then enforce');
SELECT is(wsmfa.stage_of(NULL, '2030-01-01', '2020-01-01'), 'enforce', 'half a schedule is enforce');
SELECT is(wsmfa.stage_of('2010-01-01', NULL, '2009-01-01'), 'enforce', 'the other half too');

-- in_scope_at
UPDATE wsmfa.service SET requires_mfa_from = '2024-05-01 00:00+00' WHERE code = 'community';
UPDATE wsmfa.service SET requires_mfa_from = 'infinity' WHERE code = 'partner_portal';
CREATE TEMP TABLE a AS SELECT t.account('none', services => '{}') AS none, t.account('one', services => '{community}') AS one,
	t.account('many', services => '{community,partner_portal,elements}') AS many, t.account('never', services => '{partner_portal}') AS never;
SELECT is((wsmfa.in_scope_at(one, NULL, '2024-04-30 23:59:59.999999+00')).in_scope, false, 'before requires_mfa_from') FROM a;
SELECT is((wsmfa.in_scope_at(one, NULL, '2024-05-01 00:00+00')).in_scope, true, 'at requires_mfa_from') FROM a;
SELECT is((wsmfa.in_scope_at(none, NULL, '2024-05-01 00:00+00')).in_scope, false, 'no service') FROM a;
SELECT is((wsmfa.in_scope_at(never, NULL, '2999-05-01 00:00+00')).in_scope, false, 'a service that never requires it') FROM a;
SELECT is((wsmfa.in_scope_at(many, NULL, '2023-01-01 00:00+00')).in_scope, true, 'one of several services is enough') FROM a;
SELECT is((wsmfa.in_scope_at(many, 'partner_portal', '2023-01-01 00:00+00')).in_scope, true, 'on every service') FROM a;
SELECT is((wsmfa.in_scope_at(none, 'elements', '2023-01-01 00:00+00')).in_scope, true, 'the login''s service counts') FROM a;
SELECT is((wsmfa.in_scope_at(none, 'partner_portal', '2024-01-01 00:00+00')).in_scope, false, 'the login''s service does not require it') FROM a;
SELECT is((wsmfa.in_scope_at(none, 'nope', '2023-01-01 00:00+00')).in_scope, true, 'an unknown service requires it') FROM a;
SELECT is((wsmfa.in_scope_at(none, '', '2023-01-01 00:00+00')).in_scope, true, 'so does an empty one') FROM a;
SELECT is((wsmfa.in_scope_at(one, NULL, '2024-06-01 00:00+00')).since, '2024-05-01 00:00+00', 'since when: the service''s date') FROM a;
SELECT is((wsmfa.in_scope_at(many, NULL, '2024-06-01 00:00+00')).since, '2024-01-03 00:00+00', 'since when: since it uses the service, the earliest') FROM a;
SELECT is((wsmfa.in_scope_at(none, 'elements', '2024-06-01 00:00+00')).since, '2024-01-02 00:00+00', 'since when: the account''s creation') FROM a;
SELECT is((wsmfa.in_scope_at(none, 'nope', '2024-06-01 00:00+00')).since, '2024-01-02 00:00+00', 'since when, unknown service: the same') FROM a;
SELECT is((wsmfa.in_scope_at(one, NULL, '2024-04-01 00:00+00')).since, NULL, 'not in scope: since never') FROM a;
SELECT is((wsmfa.in_scope_at(many, 'elements', '2024-06-01 00:00+00')).since, '2024-01-03 00:00+00', 'its own service is not counted twice') FROM a;

-- the decision's word: the table of the design, every row of it
CREATE TEMP TABLE word (disabled boolean, locked boolean, enrolled boolean, usable boolean, in_scope boolean, stage text, exempt boolean, word text);
INSERT INTO word SELECT d, l, e, u, i, s, x, NULL FROM unnest('{t,f}'::boolean[]) d, unnest('{t,f}'::boolean[]) l, unnest('{t,f}'::boolean[]) e,
	unnest('{t,f}'::boolean[]) u, unnest('{t,f}'::boolean[]) i, unnest('{observe,announce,enforce,other}'::text[]) s, unnest('{t,f}'::boolean[]) x;
UPDATE word SET word = 'deny' WHERE disabled OR locked;
UPDATE word SET word = 'challenge' WHERE word IS NULL AND enrolled AND usable;
UPDATE word SET word = 'deny' WHERE word IS NULL AND enrolled;
UPDATE word SET word = 'accept' WHERE word IS NULL AND NOT in_scope;
UPDATE word SET word = 'accept' WHERE word IS NULL AND stage = 'observe';
UPDATE word SET word = 'accept_with_banner' WHERE word IS NULL AND stage = 'announce';
UPDATE word SET word = 'accept_with_banner' WHERE word IS NULL AND exempt;
UPDATE word SET word = 'enroll' WHERE word IS NULL;
SELECT is((SELECT count(*)::integer FROM word), 256, 'every combination');
SELECT is_empty($$ SELECT * FROM word WHERE word <> wsmfa.decision_word(disabled, locked, enrolled, usable, in_scope, stage, exempt) $$,
	'the decision''s word follows the table');
SELECT is_empty($$ SELECT * FROM (SELECT d, l, e, u, i, s, wsmfa.decision_word(d, l, e, u, i, s, x) AS w FROM unnest('{f,NULL}'::boolean[]) d,
	unnest('{f,NULL}'::boolean[]) l, unnest('{f,NULL}'::boolean[]) e, unnest('{f,NULL}'::boolean[]) u, unnest('{t,NULL}'::boolean[]) i,
	unnest('{enforce,other,NULL}'::text[]) s, unnest('{f,NULL}'::boolean[]) x) n
	WHERE w <> CASE WHEN d IS NULL OR l IS NULL OR e IS NULL THEN 'deny' ELSE 'enroll' END $$, 'what is not known lets nobody in');
SELECT is(wsmfa.decision_word(NULL, false, false, false, false, 'observe', true), 'deny', 'disabled: not known');
SELECT is(wsmfa.decision_word(false, NULL, false, false, false, 'observe', true), 'deny', 'locked: not known');
SELECT is(wsmfa.decision_word(false, false, NULL, false, false, 'observe', true), 'deny', 'enrolled: not known');
SELECT is(wsmfa.decision_word(false, false, true, NULL, false, 'observe', true), 'deny', 'usable: not known');
SELECT is(wsmfa.decision_word(false, false, false, false, NULL, 'enforce', NULL), 'enroll', 'scope and exemption: not known');
SELECT is(wsmfa.decision_word(false, false, false, false, NULL, NULL, false), 'enroll', 'scope and stage: not known');

-- small ones
SELECT is(wsmfa.days_left('2024-06-04 00:00+00', '2024-06-01 00:00+00'), 3, 'whole days');
SELECT is(wsmfa.days_left('2024-06-04 00:00+00', '2024-06-01 00:00:00.000001+00'), 2, 'a microsecond less');
SELECT is(wsmfa.days_left('2024-06-04 00:00+00', '2024-06-03 23:59+00'), 0, 'today');
SELECT is(wsmfa.days_left('2024-06-04 00:00+00', '2024-06-04 00:00+00'), NULL, 'past');
SELECT is(wsmfa.days_left('infinity', '2024-06-04 00:00+00'), NULL, 'never');
SELECT is(wsmfa.days_left('294000-01-01 00:00+00', '4700-01-01 00:00+00 BC'), 109097569, 'as far as it goes');
SELECT is(wsmfa.kind_bits(NULL), -1, 'no policy: all kinds');
SELECT is(wsmfa.kind_bits('{}'), 0, 'a policy that allows none');
SELECT is(wsmfa.kind_bits('{sms,fido2}'), 4 + 32, 'bits are 1 << kind');
SELECT is(wsmfa.kinds_of(2 + 4 + 8 + 16 + 32), '{fido2,push,totp,sms,recovery}', 'strongest first');
SELECT is(wsmfa.kinds_of(wsmfa.kind_bits(ARRAY[k])), ARRAY[k], k || ' there and back') FROM unnest('{fido2,push,totp,sms,recovery}'::text[]) k;
SELECT is(wsmfa.fold('ÄLICE@Example.ORG'), 'Älice@example.org', 'ASCII is folded, nothing else');

SELECT * FROM finish();
ROLLBACK;
