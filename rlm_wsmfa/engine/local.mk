# The event loop: parking, HTTP, notifications, timers.
noinst_LTLIBRARIES += libwsmfa_engine.la
libwsmfa_engine_la_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_engine_la_SOURCES =
