# Schema: goes to $(pkgdatadir)/sql. A line for each file: nobase_dist_pkgdata_DATA += sql/..., programs _SCRIPTS += sql/migrate
nobase_dist_pkgdata_SCRIPTS += sql/migrate
nobase_dist_pkgdata_DATA += sql/0001_roles.sql
nobase_dist_pkgdata_DATA += sql/0002_directory.sql
nobase_dist_pkgdata_DATA += sql/0003_factors.sql
nobase_dist_pkgdata_DATA += sql/0004_challenge.sql
nobase_dist_pkgdata_DATA += sql/0005_event.sql
nobase_dist_pkgdata_DATA += sql/0006_rules.sql
nobase_dist_pkgdata_DATA += sql/0007_login.sql
nobase_dist_pkgdata_DATA += sql/0008_open.sql
nobase_dist_pkgdata_DATA += sql/0009_settle.sql
nobase_dist_pkgdata_DATA += sql/0010_push.sql
nobase_dist_pkgdata_DATA += sql/0011_seed.sql
nobase_dist_pkgdata_DATA += sql/0012_compliance.sql
nobase_dist_pkgdata_DATA += sql/0013_admin.sql
nobase_dist_pkgdata_DATA += sql/0014_sees_all.sql
nobase_dist_pkgdata_DATA += sql/0015_administration.sql
nobase_dist_pkgdata_DATA += sql/0016_oversight.sql
