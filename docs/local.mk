# Documentation, with its folders, so that links between documents hold where it is installed too.
# A line for each file: nobase_dist_doc_DATA += docs/...; what holds it against the code: dist_check_SCRIPTS += tests/docs/...
nobase_dist_doc_DATA =
nobase_dist_doc_DATA += docs/design.md
nobase_dist_doc_DATA += docs/providers.md
nobase_dist_doc_DATA += docs/texts.md
nobase_dist_doc_DATA += NEWS.md
nobase_dist_doc_DATA += SECURITY.md

dist_check_SCRIPTS += tests/docs/design
dist_check_SCRIPTS += tests/docs/providers
dist_check_SCRIPTS += tests/docs/texts
