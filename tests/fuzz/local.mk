# Fuzzers, built with --enable-fuzzers only: two lines for each, fuzz_x made from fuzz_x.c:
# noinst_PROGRAMS += tests/fuzz/fuzz_x
# tests_fuzz_fuzz_x_LDFLAGS = $(FUZZ_LINK)
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
if FUZZERS_ENABLED
endif
