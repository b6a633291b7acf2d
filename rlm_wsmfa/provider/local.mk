# Who sends an SMS or a push: one file a provider.
noinst_LTLIBRARIES += libwsmfa_provider.la
libwsmfa_provider_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_provider_la_SOURCES =
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/out.c
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/provider.c
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/push_local.c
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/settings.c
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/sms_file.c
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/backends.h
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/out.h
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/provider.h
libwsmfa_provider_la_SOURCES += rlm_wsmfa/provider/settings.h
