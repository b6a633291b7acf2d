# The pure part: no I/O, no clock, no host. It gets the include paths of liboath and OpenSSL and no others.
noinst_LTLIBRARIES += libwsmfa_core.la
libwsmfa_core_la_CPPFLAGS = $(AM_CPPFLAGS) $(OATH_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_core_la_SOURCES =
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/decision.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/decision.h
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/effects.h
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/flow.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/flow.h
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/flow_ask.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/flow_enroll.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/flow_inner.h
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/text.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/text.h
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/codec.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/seal.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/secret.c
libwsmfa_core_la_SOURCES += rlm_wsmfa/core/types.c
