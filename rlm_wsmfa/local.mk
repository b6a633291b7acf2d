# The module: the glue, the only files that see the host, and the libraries it is glued to.
wsmfamoduledir = $(WSMFA_FR_LIBDIR)
wsmfamodule_LTLIBRARIES = rlm_wsmfa.la
rlm_wsmfa_la_CPPFLAGS = $(AM_CPPFLAGS) $(WSMFA_FR_CPPFLAGS) $(TALLOC_CFLAGS) $(PQ_CFLAGS) $(OATH_CFLAGS) $(CRYPTO_CFLAGS)
rlm_wsmfa_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -export-symbols-regex '^rlm_wsmfa$$'
rlm_wsmfa_la_LIBADD = $(WSMFA_LIBS) $(WSMFA_EXTERNAL_LIBS)
rlm_wsmfa_la_SOURCES =
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa.h
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_auth.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_client.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_conf.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_gate.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_park.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_request.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_site.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_store.c
rlm_wsmfa_la_SOURCES += rlm_wsmfa/rlm_wsmfa_watch.c
