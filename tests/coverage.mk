# SPDX-License-Identifier: MIT
# What the tests of the library reach of it. What only memcheck or AddressSanitizer reaches (annotate.h)
# has tests of its own (users/annotate.sh). Every object is built with -fno-exceptions: with -fexceptions
# each call has an edge for what it might throw, and the branches behind it have other numbers than in an
# object without, where they would be counted, and missed, a second time. A branch of an inline function
# is one branch, however many files have a copy of it, and is reached when a test reaches it in any; those
# that are woven into each caller (BH_ALWAYS_INLINE) are functions here, or each caller's would count.
# An assertion has a branch that is never taken: it counts as a line alone.

GCOVR = gcovr
COVERAGE_LINES = 100
COVERAGE_BRANCHES = 98
# Without those that go the same ways very often.
COVERAGE_TESTS = $(filter-out %/test_exhaustive %/test_random,$(unit_tests) $(contract_tests) $(system_tests)) \
	$(shared_tests) $(fuzz_targets)
COVERAGE_REPORT = $(GCOVR) --root $(srcdir) --object-directory . --filter $(srcdir)/lib/ \
	--exclude '.*/annotate\.h' --exclude-unreachable-branches --exclude-throw-branches \
	--exclude-branches-by-pattern '\s*BH_ASSERT\(' .

.PHONY: check-coverage
check-coverage:
	@case '$(CODE_COVERAGE_ENABLED) $(CFLAGS) ' in 'yes '*' -fno-exceptions '*) ;; *) \
		echo "configure with --enable-code-coverage CFLAGS='-O0 -fno-exceptions'" >&2; exit 1 ;; esac
	find . -name '*.gcda' -exec rm -f {} +
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(COVERAGE_TESTS)'
	$(COVERAGE_REPORT) --branches
	$(COVERAGE_REPORT) --print-summary \
		--fail-under-line $(COVERAGE_LINES) --fail-under-branch $(COVERAGE_BRANCHES)

# For children that end without exit() (support.c).
if CODE_COVERAGE_ENABLED
AM_LDFLAGS = -Wl,-u,__gcov_dump
endif

EXTRA_DIST += %D%/mutate.py
