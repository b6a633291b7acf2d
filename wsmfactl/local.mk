# The administrator's command: one file a family of subcommands.
bin_PROGRAMS += wsmfactl/wsmfactl
wsmfactl_wsmfactl_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS) $(JANSSON_CFLAGS) $(QRENCODE_CFLAGS) $(OATH_CFLAGS) $(CRYPTO_CFLAGS)
wsmfactl_wsmfactl_LDADD = libwsmfa_store.la libwsmfa_core.la $(PQ_LIBS) $(JANSSON_LIBS) $(QRENCODE_LIBS) $(OATH_LIBS) $(CRYPTO_LIBS)
wsmfactl_wsmfactl_SOURCES =
wsmfactl_wsmfactl_SOURCES += wsmfactl/wsmfactl.c
