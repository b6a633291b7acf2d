# Who sends an SMS or a push: one file a provider.
noinst_LTLIBRARIES += libwsmfa_provider.la
libwsmfa_provider_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_provider_la_SOURCES =
