dnl WSMFA_FLAGS
dnl Flags for our own code: warnings, hardening, and the options --enable-werror, --enable-sanitizers and --enable-fuzzers.
AC_DEFUN([WSMFA_FLAGS], [
	AC_ARG_ENABLE([werror],
		[AS_HELP_STRING([--enable-werror], [warnings are errors])], [], [enable_werror=no])
	AC_ARG_ENABLE([sanitizers],
		[AS_HELP_STRING([--enable-sanitizers=LIST], [run-time checks of the compiler, e.g. address,undefined or thread])],
		[], [enable_sanitizers=no])
	AC_ARG_ENABLE([fuzzers],
		[AS_HELP_STRING([--enable-fuzzers], [build tests/fuzz too, and everything with coverage for it (needs CC=clang)])],
		[], [enable_fuzzers=no])
	AS_IF([test "x$enable_fuzzers" != xno], [
		AS_IF([test "x$enable_sanitizers" = xno], [enable_sanitizers=address,undefined])
		AS_VAR_APPEND([enable_sanitizers], [,fuzzer-no-link])
	])
	AM_CONDITIONAL([FUZZERS_ENABLED], [test "x$enable_fuzzers" != xno])

	wsmfa_cflags="-std=gnu11 -Wall -Wextra -Wconversion -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes"
	wsmfa_ldflags=
	wsmfa_hardening="-fstack-protector-strong"
	AS_CASE([$enable_sanitizers],
		[no | ''], [enable_sanitizers=no],
		[AS_IF([test "x$enable_sanitizers" = xyes], [enable_sanitizers=address,undefined])
		 wsmfa_cflags="$wsmfa_cflags -fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
		 wsmfa_ldflags="-fsanitize=$enable_sanitizers"])

	wsmfa_saved_cflags=$CFLAGS
	wsmfa_saved_ldflags=$LDFLAGS
	CFLAGS="$CFLAGS $wsmfa_cflags $wsmfa_hardening"
	LDFLAGS="$LDFLAGS $wsmfa_ldflags"
	AC_MSG_CHECKING([whether $CC takes our flags])
	AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		 AC_MSG_ERROR([$CC does not take: $wsmfa_cflags $wsmfa_hardening])])

	dnl glibc warns where there is no optimisation; the sanitizers check more than it does.
	AS_IF([test "x$enable_sanitizers" = xno], [
		AC_MSG_CHECKING([for _FORTIFY_SOURCE])
		CFLAGS="$CFLAGS -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]])],
			[AC_MSG_RESULT([yes])
			 wsmfa_hardening="$wsmfa_hardening -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"],
			[AC_MSG_RESULT([no])])
		CFLAGS="$wsmfa_saved_cflags"
		LDFLAGS="$wsmfa_saved_ldflags -Wl,-z,relro,-z,now"
		AC_MSG_CHECKING([for relro and immediate binding])
		AC_LINK_IFELSE([AC_LANG_PROGRAM()],
			[AC_MSG_RESULT([yes])
			 wsmfa_ldflags="$wsmfa_ldflags -Wl,-z,relro,-z,now"],
			[AC_MSG_RESULT([no])])
	])
	CFLAGS=$wsmfa_saved_cflags
	LDFLAGS=$wsmfa_saved_ldflags

	AS_IF([test "x$enable_werror" = xyes], [wsmfa_cflags="$wsmfa_cflags -Werror"])
	AC_SUBST([WSMFA_CFLAGS], ["$wsmfa_cflags $wsmfa_hardening"])
	AC_SUBST([WSMFA_LDFLAGS], ["$wsmfa_ldflags"])
	AC_SUBST([WSMFA_SANITIZERS], ["$enable_sanitizers"])
])
