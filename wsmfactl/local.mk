# The administrator's command: one file a family of subcommands. Its pure parts are a library, so that tests link the same objects.
noinst_LTLIBRARIES += libwsmfa_ctl.la
libwsmfa_ctl_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(QRENCODE_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_ctl_la_SOURCES =
libwsmfa_ctl_la_SOURCES += wsmfactl/args.c
libwsmfa_ctl_la_SOURCES += wsmfactl/csv.c
libwsmfa_ctl_la_SOURCES += wsmfactl/page.c
libwsmfa_ctl_la_SOURCES += wsmfactl/password.c
libwsmfa_ctl_la_SOURCES += wsmfactl/qr.c
libwsmfa_ctl_la_SOURCES += wsmfactl/when.c

bin_PROGRAMS += wsmfactl/wsmfactl
wsmfactl_wsmfactl_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_builddir) $(PQ_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
wsmfactl_wsmfactl_CPPFLAGS += -DWSMFA_RADDBDIR='"$(WSMFA_FR_RADDBDIR)"'
wsmfactl_wsmfactl_LDADD = libwsmfa_ctl.la libwsmfa_core.la
wsmfactl_wsmfactl_LDADD += $(PQ_LIBS) $(JANSSON_LIBS) $(QRENCODE_LIBS) $(OATH_LIBS) $(CRYPTO_LIBS) -lpthread
wsmfactl_wsmfactl_SOURCES =
wsmfactl_wsmfactl_SOURCES += wsmfactl/account.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/admin.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/change.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/complete.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/copy.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/db.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/doctor.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/doctor_keys.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/doctor_raddb.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/events.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/import.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/journal.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/key.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/keyfile.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/main.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/method.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/metrics.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/out.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/people.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/progress.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/push.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/raddb.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/recovery.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/report.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/rotate.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/screen.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/setup.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/sms.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/status.c
wsmfactl_wsmfactl_SOURCES += wsmfactl/totp.c

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = wsmfactl/completion/wsmfactl

# Texts as lines of C: the command needs no file beside it.
CLEANFILES += wsmfactl/report_page.h wsmfactl/completion.h
wsmfactl/wsmfactl-report.$(OBJEXT): wsmfactl/report_page.h
wsmfactl/wsmfactl-complete.$(OBJEXT): wsmfactl/completion.h
wsmfactl/report_page.h: wsmfactl/report.html wsmfactl/lines
	$(AM_V_GEN)$(MKDIR_P) wsmfactl && $(SHELL) $(srcdir)/wsmfactl/lines ctl_report_page $(srcdir)/wsmfactl/report.html >$@
wsmfactl/completion.h: wsmfactl/completion/wsmfactl wsmfactl/lines
	$(AM_V_GEN)$(MKDIR_P) wsmfactl && $(SHELL) $(srcdir)/wsmfactl/lines ctl_completion $(srcdir)/wsmfactl/completion/wsmfactl >$@
