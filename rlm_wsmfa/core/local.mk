# The pure part: no I/O, no clock, no host. It gets the include paths of liboath and OpenSSL and no others.
noinst_LTLIBRARIES += libwsmfa_core.la
libwsmfa_core_la_CPPFLAGS = $(AM_CPPFLAGS) $(OATH_CFLAGS) $(CRYPTO_CFLAGS)
libwsmfa_core_la_SOURCES =
