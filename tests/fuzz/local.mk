# Fuzzers: `make fuzzers` in a folder configured with --enable-fuzzers makes each tests/fuzz/fuzz_x.c a program, which links
# the same libraries as the module. Adding one is adding a file, so they are not listed here.
FUZZ_LINK = $(LIBTOOL) --silent --tag=CC --mode=link $(CCLD) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer

FUZZ_LIBS = libwsmfa_ctl.la $(WSMFA_LIBS)

fuzzers: $(FUZZ_LIBS)
	@$(MKDIR_P) tests/fuzz
	@for source in $(srcdir)/tests/fuzz/*.c; do \
		program=tests/fuzz/$$(basename "$$source" .c); \
		for needed in "$$source" $(srcdir)/tests/fuzz/fuzz.h $(FUZZ_LIBS); do \
			if test ! -e "$$program" || test "$$needed" -nt "$$program"; then \
				echo "  FUZZ     $$program"; \
				$(COMPILE) -I$(top_srcdir) -c -o "$$program.o" "$$source" && \
				$(FUZZ_LINK) -o "$$program" "$$program.o" $(FUZZ_LIBS) $(WSMFA_EXTERNAL_LIBS) || exit 1; \
				break; \
			fi; \
		done; \
	done

# The programs only: in an in-tree build the sources lie beside them.
mostlyclean-local: clean-fuzzers
clean-fuzzers:
	@for source in $(srcdir)/tests/fuzz/*.c; do \
		program=tests/fuzz/$$(basename "$$source" .c); \
		rm -f "$$program" "$$program.o"; \
	done
.PHONY: fuzzers clean-fuzzers
