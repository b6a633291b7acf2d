# make check: a line for each test program, test_x made from test_x.c, and for each script. All speak TAP.
# A program reads files below $WSMFA_SRCDIR and writes only below the current folder.
if TESTS_ENABLED
check_PROGRAMS += tests/unit/test_answer
check_PROGRAMS += tests/unit/test_append
check_PROGRAMS += tests/unit/test_build
check_PROGRAMS += tests/unit/test_code
check_PROGRAMS += tests/unit/test_codec
check_PROGRAMS += tests/unit/test_delay
check_PROGRAMS += tests/unit/test_mac
check_PROGRAMS += tests/unit/test_name
check_PROGRAMS += tests/unit/test_seal
check_PROGRAMS += tests/unit/test_totp
check_PROGRAMS += tests/unit/test_types
check_PROGRAMS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c
tests_unit_test_engine_SOURCES += tests/unit/fake_db.c
tests_unit_test_engine_SOURCES += tests/unit/fake_db.h
tests_unit_test_engine_SOURCES += tests/unit/fake_host.c
tests_unit_test_engine_SOURCES += tests/unit/fake_host.h
endif

dist_check_SCRIPTS += tests/unit/core_purity
dist_check_SCRIPTS += tests/unit/count_results
dist_check_SCRIPTS += tests/unit/exported_symbols
dist_check_SCRIPTS += tests/unit/files_listed
