-- What is shipped: three regions and their dates, each at midnight in the region's own time zone; three services.
INSERT INTO wsmfa.region (code, name, time_zone, announce_from, enforce_from)
SELECT code, name, time_zone, announce AT TIME ZONE time_zone, enforce AT TIME ZONE time_zone
FROM (VALUES
	('EMEA', 'Europe, Middle East and Africa', 'Europe/Helsinki', timestamp '2024-02-01', timestamp '2024-04-22'),
	('AMER', 'The Americas', 'America/New_York', timestamp '2024-02-01', timestamp '2024-04-22'),
	('APAC', 'Asia and the Pacific', 'Asia/Singapore', timestamp '2024-02-01', timestamp '2024-07-31')
) AS shipped (code, name, time_zone, announce, enforce);

INSERT INTO wsmfa.service (code, name, requires_mfa_from) VALUES
	('elements', 'Elements', '2023-01-01 00:00:00+00'),
	('community', 'Community', NULL),
	('partner_portal', 'Partner portal', NULL);
