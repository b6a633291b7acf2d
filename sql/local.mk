# Schema: goes to $(pkgdatadir)/sql. A line for each file: nobase_dist_pkgdata_DATA += sql/..., programs _SCRIPTS += sql/migrate
