dnl WSMFA_FREERADIUS
dnl Finds the server, a complete set of its headers and its folders. A module loads only into the version it was built for.
dnl Sets WSMFA_FR_VERSION, WSMFA_FR_HEADERS, WSMFA_FR_CPPFLAGS, WSMFA_FR_LIBDIR, WSMFA_FR_RADDBDIR.

dnl The headers that Debian's libfreeradius-dev lacks and this module needs.
m4_define([wsmfa_fr_needed], [autoconf.h build.h features.h radpaths.h radiusd.h modules.h automask.h clients.h connection.h log.h process.h tmpl.h xlat.h])

dnl WSMFA_FR_VALUE(NAME, HEADER): the string that the headers define NAME as.
m4_define([WSMFA_FR_VALUE], [`sed -n 's/^#@<:@ 	@:>@*define@<:@ 	@:>@*$1@<:@ 	@:>@*"\(.*\)".*/\1/p' "$WSMFA_FR_HEADERS/freeradius/$2" | sed 1q`])

AC_DEFUN([WSMFA_FREERADIUS], [
	AC_ARG_WITH([freeradius-headers],
		[AS_HELP_STRING([--with-freeradius-headers=DIR],
			[folder that holds freeradius/radiusd.h and all others, e.g. as build-aux/freeradius-headers makes it])])
	AC_ARG_WITH([freeradius],
		[AS_HELP_STRING([--with-freeradius=PROGRAM], [the server (default: freeradius or radiusd in PATH or sbin)])])
	AC_ARG_WITH([freeradius-libdir],
		[AS_HELP_STRING([--with-freeradius-libdir=DIR], [where the server looks for modules (default: as its headers say)])])
	AC_ARG_WITH([raddbdir],
		[AS_HELP_STRING([--with-raddbdir=DIR], [the server's configuration (default: as its headers say)])])

	dnl Headers: what was given, else the script's folder, else the installed ones if nothing is missing.
	WSMFA_FR_HEADERS=
	AC_MSG_CHECKING([for a complete set of FreeRADIUS headers])
	AS_CASE([$with_freeradius_headers],
		[yes], [AC_MSG_ERROR([--with-freeradius-headers wants a folder])],
		[no | ''], [wsmfa_fr_candidates="/usr/include /usr/local/include $PWD/freeradius-headers"],
		[/*], [wsmfa_fr_candidates=$with_freeradius_headers],
		[wsmfa_fr_candidates=$PWD/$with_freeradius_headers])
	wsmfa_fr_lacks=
	for wsmfa_fr_dir in $wsmfa_fr_candidates; do
		wsmfa_fr_missing=
		for wsmfa_fr_header in wsmfa_fr_needed; do
			AS_IF([test ! -f "$wsmfa_fr_dir/freeradius/$wsmfa_fr_header"],
				[AS_VAR_APPEND([wsmfa_fr_missing], [" $wsmfa_fr_header"])])
		done
		AS_IF([test "x$wsmfa_fr_missing" = x], [
			WSMFA_FR_HEADERS=$wsmfa_fr_dir
			break
		])
		AS_IF([test -f "$wsmfa_fr_dir/freeradius/radiusd.h" || test "x$wsmfa_fr_dir" = "x$with_freeradius_headers"],
			[AS_VAR_APPEND([wsmfa_fr_lacks], ["$wsmfa_fr_dir/freeradius lacks$wsmfa_fr_missing. "])])
	done
	AC_MSG_RESULT([${WSMFA_FR_HEADERS:-no}])
	AS_IF([test "x$WSMFA_FR_HEADERS" = x && test ! -f /usr/include/freeradius/radiusd.h && test "x$with_freeradius_headers" = x],
		[AC_MSG_ERROR([there are no FreeRADIUS headers: install the package libfreeradius-dev, then run
  $srcdir/build-aux/freeradius-headers])])
	AS_IF([test "x$WSMFA_FR_HEADERS" = x],
		[AC_MSG_ERROR([no complete set of FreeRADIUS headers. ${wsmfa_fr_lacks}Make one here with
  $srcdir/build-aux/freeradius-headers
or name one with --with-freeradius-headers=DIR])])

	WSMFA_FR_VERSION=WSMFA_FR_VALUE([RADIUSD_VERSION_STRING], [features.h])
	AS_IF([test "x$WSMFA_FR_VERSION" = x], [WSMFA_FR_VERSION=WSMFA_FR_VALUE([RADIUSD_VERSION_STRING], [autoconf.h])])

	AS_CASE([$with_freeradius],
		[no], [],
		[yes | ''], [AC_PATH_PROGS([FREERADIUS], [freeradius radiusd], [], [$PATH:/usr/sbin:/usr/local/sbin])
			AS_IF([test "x$FREERADIUS" = x],
				[AC_MSG_ERROR([the server is missing: install the package freeradius, or name it with --with-freeradius=PROGRAM])])],
		[FREERADIUS=$with_freeradius])
	AC_SUBST([FREERADIUS])
	AS_IF([test "x$FREERADIUS" != x], [
		AC_MSG_CHECKING([whether $FREERADIUS fits its headers])
		wsmfa_fr_server=`"$FREERADIUS" -v 2>/dev/null | sed -n 's/.*FreeRADIUS Version \(@<:@0-9.@:>@*\).*/\1/p' | sed 1q`
		AS_IF([test "x$wsmfa_fr_server" != "x$WSMFA_FR_VERSION"], [
			AC_MSG_RESULT([no])
			AC_MSG_ERROR([the server $FREERADIUS is version ${wsmfa_fr_server:-unknown}, the headers in $WSMFA_FR_HEADERS are version ${WSMFA_FR_VERSION:-unknown}.
A module loads only into the version it was built for: install freeradius and libfreeradius-dev of one version,
run $srcdir/build-aux/freeradius-headers again, or name other headers with --with-freeradius-headers=DIR])
		])
		AC_MSG_RESULT([yes, $WSMFA_FR_VERSION])
	])
	AS_CASE([$WSMFA_FR_VERSION], [3.2.*], [],
		[AC_MSG_ERROR([FreeRADIUS 3.2 is needed, this is $WSMFA_FR_VERSION])])

	AS_IF([test "x$WSMFA_FR_HEADERS" = x/usr/include], [wsmfa_fr_isystem=], [wsmfa_fr_isystem="-isystem $WSMFA_FR_HEADERS"])
	WSMFA_FR_CPPFLAGS="$wsmfa_fr_isystem -include freeradius/autoconf.h -include freeradius/build.h -include freeradius/features.h -include freeradius/radpaths.h"
	AC_SUBST([WSMFA_FR_CPPFLAGS])
	AC_SUBST([WSMFA_FR_HEADERS])
	AC_SUBST([WSMFA_FR_VERSION])

	AC_MSG_CHECKING([whether a module compiles with these headers])
	wsmfa_fr_saved_cppflags=$CPPFLAGS
	CPPFLAGS="$CPPFLAGS $WSMFA_FR_CPPFLAGS $TALLOC_CFLAGS $CRYPTO_CFLAGS"
	AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
		#include <freeradius/radiusd.h>
		#include <freeradius/modules.h>
		#include <freeradius/connection.h>
		extern module_t rlm_x;
		module_t rlm_x = { .magic = RLM_MODULE_INIT, .name = "x" };]])],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		 AC_MSG_ERROR([the headers in $WSMFA_FR_HEADERS do not compile, see config.log; they need the packages libtalloc-dev, libssl-dev and libpcre3-dev (libpcre2-dev from Debian 13 on)])])
	CPPFLAGS=$wsmfa_fr_saved_cppflags

	AS_IF([test "x$with_freeradius_libdir" != x], [WSMFA_FR_LIBDIR=$with_freeradius_libdir],
		[WSMFA_FR_LIBDIR=WSMFA_FR_VALUE([LIBDIR], [radpaths.h])])
	AS_IF([test "x$with_raddbdir" != x], [WSMFA_FR_RADDBDIR=$with_raddbdir],
		[WSMFA_FR_RADDBDIR=WSMFA_FR_VALUE([RADDBDIR], [radpaths.h])])
	AC_SUBST([WSMFA_FR_LIBDIR])
	AC_SUBST([WSMFA_FR_RADDBDIR])
])
