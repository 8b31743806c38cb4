# SPDX-License-Identifier: MIT
# What the tests of the library reach of it: configure with --enable-code-coverage CFLAGS=-O0. What
# only memcheck or AddressSanitizer reaches (annotate.h) has tests of its own (test_annotate.sh). With
# -fexceptions each call has an edge for what it might throw: not counted, for the library throws nothing.

GCOVR = gcovr
COVERAGE_LINES = 99
COVERAGE_BRANCHES = 97
COVERAGE_TESTS = $(unit_tests) $(shared_tests) $(fuzz_targets) tests/test_threads
COVERAGE_REPORT = $(GCOVR) --root $(srcdir) --object-directory . --filter $(srcdir)/lib/ \
	--exclude '.*/annotate\.h' --exclude-unreachable-branches --exclude-throw-branches .

.PHONY: check-coverage
check-coverage:
	@test '$(CODE_COVERAGE_ENABLED)' = yes || \
		{ echo 'configure with --enable-code-coverage CFLAGS=-O0' >&2; exit 1; }
	find . -name '*.gcda' -exec rm -f {} +
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(COVERAGE_TESTS)'
	$(COVERAGE_REPORT) --branches
	$(COVERAGE_REPORT) --print-summary \
		--fail-under-line $(COVERAGE_LINES) --fail-under-branch $(COVERAGE_BRANCHES)

# For children that end without exit() (support.c).
if CODE_COVERAGE_ENABLED
AM_LDFLAGS = -Wl,-u,__gcov_dump
endif

EXTRA_DIST += %D%/mutate.py
