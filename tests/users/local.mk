# SPDX-License-Identifier: MIT
# What people who use the library touch: the examples, the headers, the debugger, the probes.

%C%_scripts = %D%/examples.sh
dist_check_SCRIPTS += $(%C%_scripts)
TESTS += $(%C%_scripts)
EXTRA_DIST += %D%/common.sh %D%/orders.json %D%/orders.out
AM_TESTS_ENVIRONMENT += CC='$(CC)'; CFLAGS='$(CFLAGS)'; LDFLAGS='$(LDFLAGS)'; export CC CFLAGS LDFLAGS;
