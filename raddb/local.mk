# Configuration: goes to the server's folder (see install-data-local) and, as an example, to $(pkgdatadir)/raddb.
# A line for each file: raddb_files += raddb/mods-available/wsmfa
raddb_files += raddb/dictionary.wsmfa
raddb_files += raddb/mods-available/wsmfa
raddb_files += raddb/mods-available/wsmfa-eap
raddb_files += raddb/mods-config/wsmfa/clients-wsmfa.conf
raddb_files += raddb/mods-config/wsmfa/proxy-wsmfa.conf
raddb_files += raddb/mods-config/wsmfa/sms-kannel.conf
raddb_files += raddb/mods-config/wsmfa/sms-vonage.conf
raddb_files += raddb/mods-config/wsmfa/texts-en.conf
raddb_files += raddb/mods-config/wsmfa/texts-fi.conf
raddb_files += raddb/sites-available/wsmfa
raddb_files += raddb/sites-available/wsmfa-eap
nobase_dist_pkgdata_DATA += $(raddb_files)
