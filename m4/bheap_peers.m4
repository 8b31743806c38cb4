# SPDX-License-Identifier: MIT
#
# BHEAP_CHECK_PEERS
# -----------------
# The allocators the benchmarks can measure beside, and the tools they use. Everything is optional:
# without a peer its column is missing.
# Sets HAVE_PEER_BOOST, HAVE_PEER_MEMKIND (conditionals), PEERS_CPPFLAGS, GNUPLOT, CALLGRIND (empty when missing).

# BHEAP_PEER_LIBRARY(LIBRARY, MACRO, FUNCTION)
# --------------------------------------------
# Defines MACRO in PEERS_CPPFLAGS as the name by which the dynamic linker knows -lLIBRARY, that is
# what a program linked with it says it needs.
AC_DEFUN([BHEAP_PEER_LIBRARY], [
	AC_CACHE_CHECK([for the shared library of -l$1], [bheap_cv_peer_$1], [
		bheap_cv_peer_$1=no
		bheap_peer_LIBS=$LIBS
		LIBS="-Wl,--no-as-needed -l$1 $LIBS"
		AC_LINK_IFELSE([AC_LANG_CALL([], [$3])], [
			bheap_cv_peer_$1=`$READELF -d conftest$EXEEXT 2>&AS_MESSAGE_LOG_FD |
				tr '@<:@@:>@' '  ' | $AWK '/NEEDED/ && / lib$1/ { print $NF }'`
			test -n "$bheap_cv_peer_$1" || bheap_cv_peer_$1=no
		])
		LIBS=$bheap_peer_LIBS
	])
	AS_IF([test "$bheap_cv_peer_$1" != no],
		[PEERS_CPPFLAGS="$PEERS_CPPFLAGS -D$2='\"$bheap_cv_peer_$1\"'"])
])

# BHEAP_PEER_HEADERS
# ------------------
# Those that are measured through modules of ours, which are compiled with their headers.
AC_DEFUN([BHEAP_PEER_HEADERS], [
	AC_CHECK_HEADER([memkind.h], [bheap_memkind=$bheap_cv_peer_memkind], [bheap_memkind=no])

	AC_LANG_PUSH([C++])
	AC_CHECK_HEADER([boost/interprocess/managed_external_buffer.hpp],
		[bheap_boost=yes], [bheap_boost=no])
	AC_LANG_POP([C++])
])

AC_DEFUN([BHEAP_CHECK_PEERS], [
	AC_REQUIRE([AC_PROG_CXX])
	AC_CHECK_TOOL([READELF], [readelf], [:])
	AC_CHECK_PROG([GNUPLOT], [gnuplot], [gnuplot])
	AC_CHECK_PROG([CALLGRIND], [valgrind], [valgrind])
	PEERS_CPPFLAGS=

	BHEAP_PEER_LIBRARY([jemalloc], [PEER_JEMALLOC], [mallctl])
	BHEAP_PEER_LIBRARY([mimalloc], [PEER_MIMALLOC], [mi_malloc])
	BHEAP_PEER_LIBRARY([tcmalloc_minimal], [PEER_TCMALLOC], [tc_malloc])
	BHEAP_PEER_LIBRARY([memkind], [PEER_MEMKIND_LIBRARY], [memkind_create_fixed])
	BHEAP_PEER_HEADERS

	AC_SUBST([PEERS_CPPFLAGS])
	AM_CONDITIONAL([HAVE_PEER_BOOST], [test "$bheap_boost" = yes])
	AM_CONDITIONAL([HAVE_PEER_MEMKIND], [test "$bheap_memkind" != no])
])
