# Configuration: goes to the server's folder (see install-data-local) and, as an example, to $(pkgdatadir)/raddb.
# A line for each file: raddb_files += raddb/mods-available/wsmfa
nobase_dist_pkgdata_DATA += $(raddb_files)
