# SPDX-License-Identifier: MIT
#
# BHEAP_CHECK_ADAPTERS
# --------------------
# The libraries that examples/adapter_*.c give a heap. Everything is optional: an example whose library
# is not found is not built, and its test is skipped.
# Sets HAVE_NAME (conditionals), NAME_CFLAGS and NAME_LIBS.

# BHEAP_ADAPTER(NAME, MODULE, VERSION)
# ------------------------------------
AC_DEFUN([BHEAP_ADAPTER], [
	PKG_CHECK_MODULES([$1], [$2 >= $3], [have_$1=yes], [have_$1=no])
])

AC_DEFUN([BHEAP_CHECK_ADAPTERS], [
	BHEAP_ADAPTER([CJSON], [libcjson], [1.7.13])
	BHEAP_ADAPTER([DUKTAPE], [duktape], [2.2])
	BHEAP_ADAPTER([LIBXML2], [libxml-2.0], [2.9])
	BHEAP_ADAPTER([LUA], [lua5.4], [5.4])
	BHEAP_ADAPTER([SQLITE], [sqlite3], [3.38])

	AM_CONDITIONAL([HAVE_CJSON], [test "$have_CJSON" = yes])
	AM_CONDITIONAL([HAVE_DUKTAPE], [test "$have_DUKTAPE" = yes])
	AM_CONDITIONAL([HAVE_LIBXML2], [test "$have_LIBXML2" = yes])
	AM_CONDITIONAL([HAVE_LUA], [test "$have_LUA" = yes])
	AM_CONDITIONAL([HAVE_SQLITE], [test "$have_SQLITE" = yes])
])
