# SPDX-License-Identifier: MIT
# What a release promises: its symbols, its binary interface, its version, that it works installed.

%C%_checks = %D%/symbols.sh %D%/version.sh tests/readme.sh tests/documents.sh
TESTS += $(%C%_checks)
EXTRA_DIST += $(%C%_checks) %D%/abi.sh %D%/libbheap.abi tests/installcheck.sh tests/installcheck.c
AM_TESTS_ENVIRONMENT += NM='$(NM)' CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)'; \
	export NM CC CFLAGS LDFLAGS;
check_LTLIBRARIES += %D%/libconstants.la
%C%_libconstants_la_SOURCES = %D%/constants.c

# Against the interface last released; "make abi-update" records the present one as released.
abi-check abi-update: lib/libbheap.la
	$(AM_V_at)srcdir='$(srcdir)' $(SHELL) $(srcdir)/%D%/abi.sh $(@:abi-%=%)

installcheck-local:
	$(AM_V_at)srcdir='$(srcdir)' DESTDIR='$(DESTDIR)' LINKS='$(INSTALLED_LINKS)' \
		PKG_CONFIG='$(PKG_CONFIG)' PKG_CONFIG_PATH='$(DESTDIR)$(pkgconfigdir)' \
		LD_LIBRARY_PATH='$(DESTDIR)$(libdir)' CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' \
		CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' $(SHELL) $(srcdir)/tests/installcheck.sh

.PHONY: abi-check abi-update installcheck-local
