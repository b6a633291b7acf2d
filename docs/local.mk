# Documentation, with its folders, so that links between documents hold where it is installed too.
# A line for each file: nobase_dist_doc_DATA += docs/...; what holds it against the code: dist_check_SCRIPTS += tests/docs/...
nobase_dist_doc_DATA =
nobase_dist_doc_DATA += docs/benchmarks.md
nobase_dist_doc_DATA += docs/benchmarks/growth.json
nobase_dist_doc_DATA += docs/benchmarks/login.json
nobase_dist_doc_DATA += docs/benchmarks/login.svg
nobase_dist_doc_DATA += docs/benchmarks/parked.json
nobase_dist_doc_DATA += docs/clients/README.md
nobase_dist_doc_DATA += docs/clients/cisco-asa.md
nobase_dist_doc_DATA += docs/clients/cisco-ios.md
nobase_dist_doc_DATA += docs/clients/fortigate.md
nobase_dist_doc_DATA += docs/clients/globalprotect.md
nobase_dist_doc_DATA += docs/clients/junos.md
nobase_dist_doc_DATA += docs/clients/netscaler.md
nobase_dist_doc_DATA += docs/clients/ocserv.md
nobase_dist_doc_DATA += docs/clients/openvpn.md
nobase_dist_doc_DATA += docs/clients/pam_radius.md
nobase_dist_doc_DATA += docs/clients/strongswan.md
nobase_dist_doc_DATA += docs/clients/wifi-eap.md
nobase_dist_doc_DATA += docs/compliance.md
nobase_dist_doc_DATA += docs/design.md
nobase_dist_doc_DATA += docs/migrate.md
nobase_dist_doc_DATA += docs/operate.md
nobase_dist_doc_DATA += docs/providers.md
nobase_dist_doc_DATA += docs/texts.md
nobase_dist_doc_DATA += docs/threat-model.md
nobase_dist_doc_DATA += NEWS.md
nobase_dist_doc_DATA += SECURITY.md

dist_man_MANS =
dist_man_MANS += docs/man/rlm_wsmfa.5
dist_man_MANS += docs/man/wsmfactl.8

dist_check_SCRIPTS += tests/docs/clients
dist_check_SCRIPTS += tests/docs/commands
dist_check_SCRIPTS += tests/docs/design
dist_check_SCRIPTS += tests/docs/links
dist_check_SCRIPTS += tests/docs/log_lines
dist_check_SCRIPTS += tests/docs/manual
dist_check_SCRIPTS += tests/docs/packaging
dist_check_SCRIPTS += tests/docs/providers
dist_check_SCRIPTS += tests/docs/settings
dist_check_SCRIPTS += tests/docs/texts
dist_check_SCRIPTS += tests/docs/threats
