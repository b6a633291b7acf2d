# The load generator. `make` builds it, so that it can't rot; only tests/bench/run runs it.
noinst_PROGRAMS += tests/bench/radload
tests_bench_radload_CPPFLAGS = $(AM_CPPFLAGS) $(CRYPTO_CFLAGS)
tests_bench_radload_LDADD = libwsmfa_core.la $(OATH_LIBS) $(CRYPTO_LIBS)
tests_bench_radload_SOURCES =
tests_bench_radload_SOURCES += tests/bench/load.c
tests_bench_radload_SOURCES += tests/bench/load.h
tests_bench_radload_SOURCES += tests/bench/packet.c
tests_bench_radload_SOURCES += tests/bench/packet.h
tests_bench_radload_SOURCES += tests/bench/person.c
tests_bench_radload_SOURCES += tests/bench/person.h
tests_bench_radload_SOURCES += tests/bench/radload.c
