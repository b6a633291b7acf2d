dnl WSMFA_LIBRARY(VARIABLE, MODULES, DEBIAN-PACKAGE)
dnl Sets VARIABLE_CFLAGS (as system headers: their warnings are not ours) and VARIABLE_LIBS, or stops and names the package.
AC_DEFUN([WSMFA_LIBRARY], [
	PKG_CHECK_MODULES([$1], [$2], [
		$1_CFLAGS=`AS_ECHO(["$$1_CFLAGS"]) | sed 's/-I/-isystem /g'`
	], [
		AC_MSG_ERROR([library "$2" is missing: install the package $3])
	])
])
