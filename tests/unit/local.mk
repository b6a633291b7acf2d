# make check: a line for each test program, test_x made from test_x.c, and for each script. All speak TAP.
# A program reads files below $WSMFA_SRCDIR and writes only below the current folder.
if TESTS_ENABLED
check_PROGRAMS += tests/unit/test_answer
check_PROGRAMS += tests/unit/test_append
check_PROGRAMS += tests/unit/test_budget
check_PROGRAMS += tests/unit/test_build
check_PROGRAMS += tests/unit/test_code
check_PROGRAMS += tests/unit/test_codec
check_PROGRAMS += tests/unit/test_ctl_csv
check_PROGRAMS += tests/unit/test_ctl_pure
check_PROGRAMS += tests/unit/test_decision
check_PROGRAMS += tests/unit/test_delay
check_PROGRAMS += tests/unit/test_dialogues
check_PROGRAMS += tests/unit/test_engine
check_PROGRAMS += tests/unit/test_engine_db
check_PROGRAMS += tests/unit/test_engine_events
check_PROGRAMS += tests/unit/test_engine_load
check_PROGRAMS += tests/unit/test_engine_parts
check_PROGRAMS += tests/unit/test_engine_radius
check_PROGRAMS += tests/unit/test_flow_again
check_PROGRAMS += tests/unit/test_flow_banner
check_PROGRAMS += tests/unit/test_flow_choice
check_PROGRAMS += tests/unit/test_flow_enroll
check_PROGRAMS += tests/unit/test_flow_enroll_meanwhile
check_PROGRAMS += tests/unit/test_flow_enroll_sms
check_PROGRAMS += tests/unit/test_flow_enroll_ticket
check_PROGRAMS += tests/unit/test_flow_faults
check_PROGRAMS += tests/unit/test_flow_limits
check_PROGRAMS += tests/unit/test_flow_push
check_PROGRAMS += tests/unit/test_flow_push_faults
check_PROGRAMS += tests/unit/test_flow_push_once
check_PROGRAMS += tests/unit/test_flow_push_silent
check_PROGRAMS += tests/unit/test_flow_secrets
check_PROGRAMS += tests/unit/test_flow_sms
check_PROGRAMS += tests/unit/test_flow_table
check_PROGRAMS += tests/unit/test_flow_takeover
check_PROGRAMS += tests/unit/test_http
check_PROGRAMS += tests/unit/test_mac
check_PROGRAMS += tests/unit/test_name
check_PROGRAMS += tests/unit/test_provider_out
check_PROGRAMS += tests/unit/test_provider_settings
check_PROGRAMS += tests/unit/test_seal
check_PROGRAMS += tests/unit/test_steps_answers
check_PROGRAMS += tests/unit/test_steps_push
check_PROGRAMS += tests/unit/test_steps_sms
check_PROGRAMS += tests/unit/test_store_batch
check_PROGRAMS += tests/unit/test_store_conn
check_PROGRAMS += tests/unit/test_store_contract
check_PROGRAMS += tests/unit/test_store_mem
check_PROGRAMS += tests/unit/test_store_pg
check_PROGRAMS += tests/unit/test_store_phones
check_PROGRAMS += tests/unit/test_text
check_PROGRAMS += tests/unit/test_totp
check_PROGRAMS += tests/unit/test_types
check_PROGRAMS += tests/unit/test_wire_engine
check_PROGRAMS += tests/unit/test_wire_push
check_PROGRAMS += tests/unit/test_wire_sms

# What several programs stand in.
LOGIN_WORLD = tests/unit/login_people.c
LOGIN_WORLD += tests/unit/login_world.c
LOGIN_WORLD += tests/unit/login_world.h
STEPS_WORLD = tests/unit/steps_world.c
STEPS_WORLD += tests/unit/steps_world.h
STORE_WORLD = tests/unit/store_scenario.h
STORE_WORLD += tests/unit/store_world.c
STORE_WORLD += tests/unit/store_world.h
WIRE_WORLD = tests/unit/fake_db.c
WIRE_WORLD += tests/unit/fake_db.h
WIRE_WORLD += tests/unit/fake_provider.c
WIRE_WORLD += tests/unit/fake_provider.h
WIRE_WORLD += tests/unit/wire_world.c
WIRE_WORLD += tests/unit/wire_world.h

# Programs of more than their own file. The scenarios of the store run on PostgreSQL too: tests/sql/store.t.
tests_unit_test_budget_SOURCES = tests/unit/test_budget.c
tests_unit_test_budget_SOURCES += tests/unit/shipped.c
tests_unit_test_budget_SOURCES += tests/unit/shipped.h
tests_unit_test_budget_SOURCES += $(LOGIN_WORLD)
tests_unit_test_decision_SOURCES = tests/unit/test_decision.c
tests_unit_test_decision_SOURCES += tests/unit/decision_line.c
tests_unit_test_decision_SOURCES += tests/unit/decision_line.h
tests_unit_test_dialogues_SOURCES = tests/unit/test_dialogues.c
tests_unit_test_dialogues_SOURCES += tests/unit/shipped.c
tests_unit_test_dialogues_SOURCES += tests/unit/shipped.h
tests_unit_test_dialogues_SOURCES += $(LOGIN_WORLD)
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c
tests_unit_test_engine_SOURCES += tests/unit/fake_db.c
tests_unit_test_engine_SOURCES += tests/unit/fake_db.h
tests_unit_test_engine_SOURCES += tests/unit/fake_host.c
tests_unit_test_engine_SOURCES += tests/unit/fake_host.h
tests_unit_test_engine_load_SOURCES = tests/unit/test_engine_load.c
tests_unit_test_engine_load_SOURCES += tests/unit/fake_db.c
tests_unit_test_engine_load_SOURCES += tests/unit/fake_db.h
tests_unit_test_engine_load_SOURCES += tests/unit/fake_host.c
tests_unit_test_engine_load_SOURCES += tests/unit/fake_host.h
tests_unit_test_flow_again_SOURCES = tests/unit/test_flow_again.c $(LOGIN_WORLD)
tests_unit_test_flow_banner_SOURCES = tests/unit/test_flow_banner.c $(LOGIN_WORLD)
tests_unit_test_flow_choice_SOURCES = tests/unit/test_flow_choice.c $(LOGIN_WORLD)
tests_unit_test_flow_enroll_SOURCES = tests/unit/test_flow_enroll.c $(LOGIN_WORLD)
tests_unit_test_flow_enroll_meanwhile_SOURCES = tests/unit/test_flow_enroll_meanwhile.c $(LOGIN_WORLD)
tests_unit_test_flow_enroll_sms_SOURCES = tests/unit/test_flow_enroll_sms.c $(LOGIN_WORLD)
tests_unit_test_flow_enroll_ticket_SOURCES = tests/unit/test_flow_enroll_ticket.c $(LOGIN_WORLD)
tests_unit_test_flow_faults_SOURCES = tests/unit/test_flow_faults.c $(LOGIN_WORLD)
tests_unit_test_flow_limits_SOURCES = tests/unit/test_flow_limits.c $(LOGIN_WORLD)
tests_unit_test_flow_push_SOURCES = tests/unit/test_flow_push.c $(LOGIN_WORLD)
tests_unit_test_flow_push_faults_SOURCES = tests/unit/test_flow_push_faults.c $(LOGIN_WORLD)
tests_unit_test_flow_push_once_SOURCES = tests/unit/test_flow_push_once.c $(LOGIN_WORLD)
tests_unit_test_flow_push_silent_SOURCES = tests/unit/test_flow_push_silent.c $(LOGIN_WORLD)
tests_unit_test_flow_secrets_SOURCES = tests/unit/test_flow_secrets.c $(LOGIN_WORLD)
tests_unit_test_flow_sms_SOURCES = tests/unit/test_flow_sms.c $(LOGIN_WORLD)
tests_unit_test_flow_table_SOURCES = tests/unit/test_flow_table.c $(LOGIN_WORLD)
tests_unit_test_flow_takeover_SOURCES = tests/unit/test_flow_takeover.c $(LOGIN_WORLD)
tests_unit_test_http_SOURCES = tests/unit/test_http.c
tests_unit_test_http_SOURCES += tests/unit/fake_provider.c
tests_unit_test_http_SOURCES += tests/unit/fake_provider.h
tests_unit_test_provider_settings_SOURCES = tests/unit/test_provider_settings.c $(STEPS_WORLD)
tests_unit_test_steps_answers_SOURCES = tests/unit/test_steps_answers.c $(STEPS_WORLD)
tests_unit_test_steps_push_SOURCES = tests/unit/test_steps_push.c $(STEPS_WORLD)
tests_unit_test_steps_sms_SOURCES = tests/unit/test_steps_sms.c $(STEPS_WORLD)
tests_unit_test_store_batch_SOURCES = tests/unit/test_store_batch.c
tests_unit_test_store_conn_SOURCES = tests/unit/test_store_conn.c
tests_unit_test_store_conn_SOURCES += tests/unit/fake_pg.c
tests_unit_test_store_conn_SOURCES += tests/unit/fake_pg.h
tests_unit_test_store_contract_SOURCES = tests/unit/test_store_contract.c $(STORE_WORLD)
tests_unit_test_store_mem_SOURCES = tests/unit/test_store_mem.c $(STORE_WORLD)
tests_unit_test_store_pg_SOURCES = tests/unit/test_store_pg.c
tests_unit_test_store_pg_SOURCES += tests/unit/fake_pg.c
tests_unit_test_store_pg_SOURCES += tests/unit/fake_pg.h
tests_unit_test_store_phones_SOURCES = tests/unit/test_store_phones.c $(STORE_WORLD)
tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_SOURCES += tests/unit/shipped.c
tests_unit_test_text_SOURCES += tests/unit/shipped.h
tests_unit_test_wire_engine_SOURCES = tests/unit/test_wire_engine.c $(WIRE_WORLD)
tests_unit_test_wire_push_SOURCES = tests/unit/test_wire_push.c $(WIRE_WORLD)
tests_unit_test_wire_sms_SOURCES = tests/unit/test_wire_sms.c $(WIRE_WORLD)

# Programs that see or link more than the module's parts.
tests_unit_test_budget_LDADD = $(LDADD) -lm
tests_unit_test_ctl_csv_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_test_ctl_csv_LDADD = libwsmfa_ctl.la $(LDADD)
tests_unit_test_ctl_pure_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_test_ctl_pure_LDADD = libwsmfa_ctl.la $(LDADD) $(QRENCODE_LIBS)
tests_unit_test_store_batch_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_test_store_conn_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_test_store_contract_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_test_store_mem_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_test_store_pg_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_test_store_phones_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
endif

dist_check_SCRIPTS += tests/unit/configure_refuses
dist_check_SCRIPTS += tests/unit/core_purity
dist_check_SCRIPTS += tests/unit/count_results
dist_check_SCRIPTS += tests/unit/exported_symbols
dist_check_SCRIPTS += tests/unit/files_listed

# These need a PostgreSQL: tests/sql/engine.t and store.t make and run them.
if TESTS_ENABLED
EXTRA_PROGRAMS = tests/unit/engine_pg tests/unit/together_pg
tests_unit_engine_pg_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_engine_pg_SOURCES = tests/unit/engine_pg.c
tests_unit_engine_pg_SOURCES += tests/unit/fake_host.c
tests_unit_engine_pg_SOURCES += tests/unit/fake_host.h
tests_unit_together_pg_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
tests_unit_together_pg_SOURCES = tests/unit/together_pg.c
endif

# decide speaks no TAP: the property test against SQL runs it.
noinst_PROGRAMS += tests/unit/decide
tests_unit_decide_SOURCES = tests/unit/decide.c
tests_unit_decide_SOURCES += tests/unit/decision_line.c
tests_unit_decide_SOURCES += tests/unit/decision_line.h
