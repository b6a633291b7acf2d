# What a login needs from PostgreSQL, and the fake that stands for it in tests.
noinst_LTLIBRARIES += libwsmfa_store.la
libwsmfa_store_la_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_store_la_SOURCES =
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/store_mem.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/store_mem_open.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/store_mem_settle.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/store_mem_setup.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_breaker.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_batch.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_conn.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_load.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_settle.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_statements.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/pg_value.c
libwsmfa_store_la_SOURCES += rlm_wsmfa/store/store_pg.c
