# SPDX-License-Identifier: MIT
# Benchmarks; README.md beside this file tells what each does. BENCH_TRACES: traces, or folders of
# traces, to measure on besides the made-up ones.

BENCH_TRACES = $(wildcard $(srcdir)/%D%/traces)
BENCH_FLAGS =

dist_check_SCRIPTS += %D%/checks.sh
TESTS += %D%/checks.sh
EXTRA_DIST += %D%/README.md %D%/chart.gp %D%/chart.svg %D%/instructions.sh

# make soak: whether heaps wear out; SOAK_FLAGS for longer.
noinst_PROGRAMS += %D%/soak
%C%_soak_SOURCES = %D%/soak.c %D%/random.h
%C%_soak_LDADD = lib/libbheap.la -lm
EXTRA_DIST += %D%/soak.gp

SOAK_FLAGS =
.PHONY: soak
soak: %D%/soak
	%D%/soak $(SOAK_FLAGS) > %D%/soak.tsv
	if command -v gnuplot > /dev/null; then \
		gnuplot -e "tsv='%D%/soak.tsv'; svg='%D%/soak.svg'" $(srcdir)/%D%/soak.gp; fi
CLEANFILES += %D%/soak.tsv %D%/soak.svg

if HAVE_ZLIB
noinst_PROGRAMS += %D%/replay %D%/compare %D%/steps %D%/creation %D%/threads

bench_common = tools/memory.c tools/memory.h %D%/sample.c %D%/sample.h
bench_traces = $(bench_common) %D%/random.h %D%/synthetic.c %D%/synthetic.h tools/tally.h tools/trace.c tools/trace.h
bench_replays = $(bench_traces) %D%/allocator.c %D%/allocator.h

%C%_replay_SOURCES = %D%/replay.c %D%/checked.c %D%/checked.h $(bench_replays)
%C%_replay_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS)
%C%_replay_LDADD = lib/libbheap.la $(ZLIB_LIBS) -lm

%C%_compare_SOURCES = %D%/compare.c %D%/peers.c %D%/peers.h %D%/report.c %D%/report.h \
	$(bench_replays)
%C%_compare_CPPFLAGS = $(AM_CPPFLAGS) $(PEERS_CPPFLAGS)
%C%_compare_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS)
%C%_compare_LDADD = lib/libbheap.la $(ZLIB_LIBS) -lm
%C%_compare_DEPENDENCIES = lib/libbheap.la

%C%_steps_SOURCES = %D%/steps.c %D%/stepper.c %D%/stepper.h $(bench_traces)
%C%_steps_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS)
%C%_steps_LDADD = lib/libbheap.la $(ZLIB_LIBS) -lm

%C%_creation_SOURCES = %D%/creation.c $(bench_common)
%C%_creation_LDADD = lib/libbheap.la

%C%_threads_SOURCES = %D%/threads.c %D%/peers.c %D%/peers.h $(bench_replays)
%C%_threads_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS)
%C%_threads_LDADD = lib/libbheap.la $(ZLIB_LIBS) -lm

# Modules that compare loads; an -rpath makes libtool build a shared object that is not installed.
bench_module = -module -avoid-version -rpath $(abs_builddir)

# The recorder: the script record preloads it.
noinst_LTLIBRARIES += %D%/record.la
%C%_record_la_SOURCES = $(recorder_sources)
%C%_record_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
%C%_record_la_LDFLAGS = $(bench_module) $(recorder_ldflags)

if HAVE_PEER_BOOST
noinst_LTLIBRARIES += %D%/boost.la
%C%_boost_la_SOURCES = %D%/boost.cc %D%/allocator.h tools/trace.h
%C%_boost_la_CPPFLAGS = $(AM_CPPFLAGS) -DNDEBUG
%C%_boost_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
%C%_boost_la_LDFLAGS = $(bench_module)
%C%_compare_CPPFLAGS += -DPEER_BOOST='"$(abs_top_builddir)/%D%/.libs/boost.so"'
%C%_compare_DEPENDENCIES += %D%/boost.la
endif

if HAVE_PEER_MEMKIND
noinst_LTLIBRARIES += %D%/memkind.la
%C%_memkind_la_SOURCES = %D%/memkind.c %D%/allocator.h tools/trace.h
%C%_memkind_la_LIBADD = -lmemkind
%C%_memkind_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
%C%_memkind_la_LDFLAGS = $(bench_module)
%C%_compare_CPPFLAGS += -DPEER_MEMKIND='"$(abs_top_builddir)/%D%/.libs/memkind.so"'
%C%_compare_DEPENDENCIES += %D%/memkind.la
endif

# The traces by name: folders stand for what is in them.
bench_traces_find = find $(BENCH_TRACES) -type f ! -name '*.md' | LC_ALL=C sort

bench: %D%/compare$(EXEEXT) %D%/threads$(EXEEXT)
	%D%/compare$(EXEEXT) $(BENCH_FLAGS) --tsv=%D%/results.tsv \
		$$(test -z "$(BENCH_TRACES)" || $(bench_traces_find))
	@test -z "$(GNUPLOT)" || { \
		$(GNUPLOT) -e "tsv='%D%/results.tsv'; svg='%D%/results.svg'" $(srcdir)/%D%/chart.gp && \
		echo "The figures are in %D%/results.tsv, a chart of them in %D%/results.svg."; }
	%D%/threads$(EXEEXT)

bench-instructions: %D%/steps$(EXEEXT) %D%/creation$(EXEEXT) %D%/replay$(EXEEXT)
	%D%/steps$(EXEEXT) $$(test -z "$(BENCH_TRACES)" || $(bench_traces_find))
	%D%/creation$(EXEEXT)
	@if test -n "$(CALLGRIND)"; then \
		LIBTOOL='$(LIBTOOL)' CALLGRIND='$(CALLGRIND)' $(SHELL) $(srcdir)/%D%/instructions.sh \
			%D%/replay$(EXEEXT) \
			$$(test -z "$(BENCH_TRACES)" || $(bench_traces_find)); \
	else \
		echo 'valgrind is missing: no counts by callgrind'; \
	fi
else
bench bench-instructions:
	@echo 'The benchmarks need zlib (zlib1g-dev).' >&2; exit 1
endif

# Processor time and memory of real programs, beside other allocators.
dist_noinst_SCRIPTS += %D%/programs.py
if SHARED_LIBRARIES
bench-programs: tools/libbheap-malloc.la
	$(srcdir)/%D%/programs.py $(BENCH_FLAGS) tools/.libs/libbheap-malloc.so
else
bench-programs:
	@echo 'The programs need libbheap-malloc.so, and shared libraries are not built.' >&2; exit 1
endif

CLEANFILES += %D%/results.tsv %D%/results.svg
.PHONY: bench bench-instructions bench-programs
