# SPDX-License-Identifier: MIT
# BHEAP_WRAPS: what the linker knows those functions by that have an off_t or a time_t in them, for
# the tests that wrap them. Where a long has 64 bits that is their own name; else it depends on the
# sizes of the two types. tests/system/wraps.c says the same to the compiler.
AC_DEFUN([BHEAP_WRAPS], [
AC_CHECK_SIZEOF([long])
AC_CHECK_SIZEOF([time_t])
WRAP_OFF= WRAP_STAT=stat WRAP_FSTAT=fstat WRAP_FCNTL=fcntl WRAP_TIMEDLOCK=pthread_mutex_timedlock
AS_IF([test "$ac_cv_sizeof_long" = 4],
	[WRAP_OFF=64 WRAP_STAT=stat64 WRAP_FSTAT=fstat64 WRAP_FCNTL=fcntl64])
AS_IF([test "$ac_cv_sizeof_long$ac_cv_sizeof_time_t" = 48],
	[WRAP_STAT=__stat64_time64 WRAP_FSTAT=__fstat64_time64 WRAP_FCNTL=__fcntl_time64
	WRAP_TIMEDLOCK=__pthread_mutex_timedlock64])
AC_SUBST([WRAP_OFF])
AC_SUBST([WRAP_STAT])
AC_SUBST([WRAP_FSTAT])
AC_SUBST([WRAP_FCNTL])
AC_SUBST([WRAP_TIMEDLOCK])
])
