# The way of a login: carries out the flow's plans over store and engine. Knows no host.
noinst_LTLIBRARIES += libwsmfa_login.la
libwsmfa_login_la_CPPFLAGS = $(AM_CPPFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_login_la_SOURCES =
libwsmfa_login_la_SOURCES += rlm_wsmfa/login/visit.c
libwsmfa_login_la_SOURCES += rlm_wsmfa/login/visit.h
libwsmfa_login_la_SOURCES += rlm_wsmfa/login/visit_inner.h
libwsmfa_login_la_SOURCES += rlm_wsmfa/login/visit_open.c
libwsmfa_login_la_SOURCES += rlm_wsmfa/login/visit_push.c
libwsmfa_login_la_SOURCES += rlm_wsmfa/login/visit_reply.c
