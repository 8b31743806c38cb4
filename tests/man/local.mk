# SPDX-License-Identifier: MIT
# The checks that hold the manual pages.
man_checks = \
	%D%/adapters.sh \
	%D%/examples.sh \
	%D%/groff.sh \
	%D%/lint.sh \
	%D%/prototypes.sh \
	%D%/symbols.sh
TESTS += $(man_checks)
EXTRA_DIST += $(man_checks) \
	%D%/c-declarations.awk \
	%D%/c-text.awk \
	%D%/synopsis.awk

# What examples.sh compiles with.
AM_TESTS_ENVIRONMENT += CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)'; \
	export CC CPPFLAGS CFLAGS LDFLAGS;
