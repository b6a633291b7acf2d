# What a login needs from PostgreSQL, and the fake that stands for it in tests.
noinst_LTLIBRARIES += libwsmfa_store.la
libwsmfa_store_la_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_store_la_SOURCES =
