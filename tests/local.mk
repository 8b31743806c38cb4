# SPDX-License-Identifier: MIT
# Check programs, one for each room, run through TAP; scripts (.sh) run by the plain driver.

TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; export srcdir;

TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/lib $(CHECK_CFLAGS)
TEST_LIBS = lib/libbheap-core.la $(CHECK_LIBS)
