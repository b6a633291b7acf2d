# The administrator's command: one file a family of subcommands. Its pure parts are a library, so that tests link the same objects.
noinst_LTLIBRARIES += libwsmfa_ctl.la
libwsmfa_ctl_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(QRENCODE_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_ctl_la_SOURCES =
libwsmfa_ctl_la_SOURCES += wsmfactl/args.c
libwsmfa_ctl_la_SOURCES += wsmfactl/csv.c
libwsmfa_ctl_la_SOURCES += wsmfactl/password.c
libwsmfa_ctl_la_SOURCES += wsmfactl/qr.c
libwsmfa_ctl_la_SOURCES += wsmfactl/when.c

bin_PROGRAMS += wsmfactl/wsmfactl
wsmfactl_wsmfactl_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(PQ_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
wsmfactl_wsmfactl_LDADD = libwsmfa_ctl.la libwsmfa_core.la
wsmfactl_wsmfactl_LDADD += $(PQ_LIBS) $(JANSSON_LIBS) $(QRENCODE_LIBS) $(OATH_LIBS) $(CRYPTO_LIBS) -lpthread
wsmfactl_wsmfactl_SOURCES =
wsmfactl_wsmfactl_SOURCES += wsmfactl/wsmfactl.c
