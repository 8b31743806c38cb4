# SPDX-License-Identifier: MIT
# Tests of libbheap-malloc and of bheap: scripts, run in the build folder.

EXTRA_DIST += %D%/common.sh %D%/json_members.py
dist_check_SCRIPTS += %D%/family.sh %D%/programs.sh %D%/bheap.sh %D%/completion.sh %D%/processes.sh \
	%D%/hooks.sh %D%/limits.sh %D%/loading.sh %D%/running.sh %D%/calls.sh \
	%D%/sizing.sh %D%/json.sh %D%/executions.sh %D%/cached_faults.sh %D%/callers.sh %D%/fault_callers.sh \
	%D%/namespaces.sh %D%/hidden.sh %D%/allocators.sh
TESTS += %D%/programs.sh %D%/hooks.sh %D%/limits.sh %D%/loading.sh %D%/cached_faults.sh

check_PROGRAMS += %D%/lifetime
%C%_lifetime_SOURCES = %D%/lifetime.c
%C%_lifetime_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_lifetime_LDADD =

check_PROGRAMS += %D%/cached
%C%_cached_SOURCES = %D%/cached.c
%C%_cached_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_cached_LDADD =

check_PROGRAMS += %D%/limits
%C%_limits_SOURCES = %D%/limits.c
%C%_limits_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_limits_LDADD =

check_PROGRAMS += %D%/filter
%C%_filter_SOURCES = %D%/filter.c
%C%_filter_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_filter_LDADD =

check_PROGRAMS += %D%/unwinding
%C%_unwinding_SOURCES = %D%/unwinding.c tools/unwind.c tools/unwind.h
%C%_unwinding_LDADD =
TESTS += %D%/unwinding

check_PROGRAMS += %D%/lines
%C%_lines_SOURCES = %D%/lines.c tools/line.c tools/line.h
%C%_lines_LDADD =
TESTS += %D%/lines

check_PROGRAMS += %D%/trails
%C%_trails_SOURCES = %D%/trails.c tools/trail.c tools/trail.h tools/loaded.h tools/telling.h
%C%_trails_CPPFLAGS = $(LIB_CPPFLAGS) -DBHEAP_TRAILS
%C%_trails_LDADD =
TESTS += %D%/trails

check_PROGRAMS += %D%/telling
%C%_telling_SOURCES = %D%/telling.c tools/telling.c tools/telling.h tools/pid_namespace.c \
	tools/pid_namespace.h tools/record.h tools/setting.c \
	tools/setting.h tools/stream.c tools/stream.h tools/table.c tools/table.h
%C%_telling_LDADD =
TESTS += %D%/telling

if HAVE_CHECK
check_PROGRAMS += %D%/family
%C%_family_SOURCES = %D%/family.c
%C%_family_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_family_LDADD = $(CHECK_LIBS)
TESTS += %D%/family.sh
endif

if HAVE_TOOLS
check_PROGRAMS += %D%/ends
%C%_ends_SOURCES = %D%/ends.c
%C%_ends_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_ends_LDADD =

check_PROGRAMS += %D%/executes
%C%_executes_SOURCES = %D%/executes.c
%C%_executes_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_executes_LDADD =

check_PROGRAMS += %D%/counted
%C%_counted_SOURCES = %D%/counted.c
%C%_counted_CFLAGS = $(AM_CFLAGS) -fno-builtin -pthread
%C%_counted_LDADD =

check_PROGRAMS += %D%/make-heap
%C%_make_heap_SOURCES = %D%/make-heap.c
%C%_make_heap_LDADD = lib/libbheap.la

check_PROGRAMS += %D%/threads
%C%_threads_SOURCES = %D%/threads.c
%C%_threads_CFLAGS = $(AM_CFLAGS) -fno-builtin
%C%_threads_LDADD =
TESTS += %D%/bheap.sh %D%/completion.sh %D%/processes.sh %D%/sizing.sh %D%/callers.sh \
	%D%/running.sh %D%/calls.sh %D%/json.sh %D%/executions.sh %D%/fault_callers.sh \
	%D%/namespaces.sh %D%/hidden.sh %D%/allocators.sh
endif
