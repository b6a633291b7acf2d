-- What the compliance bench fills a database with: accounts and events, psql variables with their numbers.
-- Apart from the bench, which measures. Without triggers and foreign keys: what they would do is done here.
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO wsmfa.organization (name, allowed_methods) SELECT 'Organization ' || i, CASE WHEN i % 50 = 0 THEN '{totp,push}'::text[] END FROM generate_series(1, greatest(:accounts / 1000, 2)) i;
INSERT INTO wsmfa.organization (name) VALUES ('Ten thousand');
INSERT INTO wsmfa.organization_schedule SELECT id, '2024-03-01', '2030-01-01' FROM wsmfa.organization WHERE id % 20 = 0;
-- ten thousand accounts of one organization lie apart from each other
INSERT INTO wsmfa.account (name, organization_id, region, password, phone, created_at, disabled_at)
SELECT 'person' || i, CASE WHEN i % greatest(:accounts / 10000, 1) = 0 THEN (SELECT id FROM wsmfa.organization WHERE name = 'Ten thousand') ELSE 1 + hashint8(i) & 1048575 END,
	(ARRAY['EMEA', 'AMER', 'APAC'])[1 + i % 3], '{ssha256}' || md5(i::text), '+35840' || i, '2023-06-01', CASE WHEN i % 97 = 0 THEN timestamptz '2024-01-01' END FROM generate_series(1, :accounts) i;
UPDATE wsmfa.account SET organization_id = 1 + organization_id % greatest(:accounts / 1000, 2) WHERE organization_id NOT IN (SELECT id FROM wsmfa.organization);
INSERT INTO wsmfa.account_service SELECT id, CASE id % 5 WHEN 0 THEN 'community' ELSE 'elements' END, '2023-06-01' FROM wsmfa.account;
INSERT INTO wsmfa.account_service SELECT id, 'partner_portal', '2023-06-01' FROM wsmfa.account WHERE id % 4 = 0;
INSERT INTO wsmfa.authenticator (account_id, kind, created_at, confirmed_at, last_used_at, disabled_at, sealed, algorithm, digits, period, last_step, last_failure_at)
SELECT id, 'totp', '2023-07-01', '2023-07-01', now() - (id % 90) * interval '1 day', CASE WHEN id % 50 = 1 THEN timestamptz '2024-01-01' END, decode(repeat(md5(id::text), 2), 'hex') || '\x0102030405060708090a', 'sha1', 6, 30, 5, CASE WHEN id % 100 = 3 THEN now() END
FROM wsmfa.account WHERE id % 10 < 6;
INSERT INTO wsmfa.authenticator (account_id, kind, created_at, confirmed_at, last_used_at, phone) SELECT id, 'sms', '2023-07-01', '2023-07-01', now() - (id % 60) * interval '1 day', '+35850' || id FROM wsmfa.account WHERE id % 10 IN (2, 6, 7);
INSERT INTO wsmfa.authenticator (account_id, kind, created_at, confirmed_at, provider, device) SELECT id, 'push', '2023-07-01', '2023-07-01', 'local', 'device ' || id FROM wsmfa.account WHERE id % 10 = 3;
INSERT INTO wsmfa.authenticator (account_id, kind, created_at, confirmed_at, salt, iterations) SELECT id, 'recovery', '2023-07-01', '2023-07-01', decode(md5(id::text), 'hex'), 20000 FROM wsmfa.account WHERE id % 10 < 2;
INSERT INTO wsmfa.recovery_code SELECT id, sha256(decode(md5(id::text || i), 'hex')) FROM wsmfa.authenticator, generate_series(1, 2) i WHERE kind = 'recovery';
INSERT INTO wsmfa.failure (account_id, authenticator_id, at) SELECT account_id, id, now() - i * interval '1 h' FROM wsmfa.authenticator, generate_series(1, 8) i WHERE last_failure_at IS NOT NULL;
INSERT INTO wsmfa.exemption (account_id, until, reason) SELECT id, now() + interval '30 days', 'x' FROM wsmfa.account WHERE id % 20 = 9;
INSERT INTO wsmfa.station_wait SELECT id, 'st', 10, 1, now() + interval '1 h', now() FROM wsmfa.account WHERE id % 50 = 4;
INSERT INTO wsmfa.account_seen SELECT id, now() - (id % 90) * interval '1 day', CASE WHEN id % 10 < 6 THEN now() - (id % 90) * interval '1 day' END FROM wsmfa.account WHERE id % 10 < 9;
SELECT wsmfa.event_partitions(now() - interval '12 months', 12) \g /dev/null
INSERT INTO wsmfa.event (at, account_id, organization_id, account, client, station, service, region, stage, decision, method, outcome, reason)
SELECT now() - (i::double precision / :events) * interval '365 days', 1 + (i * 7919) % :accounts, 1 + i % greatest(:accounts / 1000, 2), 'person' || 1 + (i * 7919) % :accounts, '192.0.2.' || i % 200, '02-00-00-' || i % 100000, 'elements', 'EMEA', 'enforce', 'challenge', 'totp',
	CASE i % 20 WHEN 0 THEN 'failed_second_factor' ELSE 'accepted' END, 'proven' FROM generate_series(1::bigint, :events) i;
RESET session_replication_role;
VACUUM ANALYZE;
SELECT setval(pg_get_serial_sequence('wsmfa.' || t, 'id'), (SELECT max(id) FROM wsmfa.account) * 2) FROM unnest('{account,authenticator}'::text[]) t \g /dev/null
CHECKPOINT;
