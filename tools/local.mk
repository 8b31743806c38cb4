# SPDX-License-Identifier: MIT
# libbheap-malloc.so, any program's malloc in a bounded heap, and bheap, the program around it.

# The heap is compiled in: the interposer calls it directly and needs nothing but the C library, not
# even the unwinder, which lib/ wants for callbacks that are cancelled.
if SHARED_LIBRARIES
lib_LTLIBRARIES += %D%/libbheap-malloc.la
endif
# The parts that bheap-guard.la has, too, are compiled once: all but those that know of trails.
if SHARED_LIBRARIES
noinst_LTLIBRARIES += %D%/libmalloc-parts.la
endif
%C%_libmalloc_parts_la_SOURCES = \
	%D%/account.c %D%/account.h \
	%D%/budget.h \
	%D%/deepbind.c \
	%D%/execution.c %D%/execution.h %D%/execution_list.c \
	%D%/growth.c %D%/growth.h \
	%D%/inspect.c %D%/inspect.h \
	%D%/ledger.c %D%/ledger.h \
	%D%/pid_namespace.c %D%/pid_namespace.h \
	%D%/preload.c %D%/preload.h \
	%D%/setting.c %D%/setting.h \
	%D%/settled.c %D%/settled.h \
	%D%/size_text.c %D%/size_text.h \
	%D%/system.c \
	%D%/table.c %D%/table.h \
	$(lib_libbheap_core_la_SOURCES)
%C%_libmalloc_parts_la_CPPFLAGS = $(LIB_CPPFLAGS)
%C%_libmalloc_parts_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -fno-builtin -ffunction-sections
%C%_libmalloc_parts_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
malloc_sources = \
	%D%/budget.c \
	%D%/closed.c \
	%D%/malloc.c \
	%D%/telling.h \
	%D%/trail.h
%C%_libbheap_malloc_la_SOURCES = $(malloc_sources)
%C%_libbheap_malloc_la_CPPFLAGS = $(LIB_CPPFLAGS)
%C%_libbheap_malloc_la_CFLAGS = $(%C%_libmalloc_parts_la_CFLAGS)
%C%_libbheap_malloc_la_LIBADD = %D%/libmalloc-parts.la
%C%_libbheap_malloc_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
%C%_libbheap_malloc_la_LDFLAGS = -module -avoid-version -shared -no-undefined \
	-Wl,-z,nodelete -Wl,--version-script=$(srcdir)/%D%/libbheap-malloc.map -Wl,-z,defs -Wl,--gc-sections \
	$(CODE_COVERAGE_LIBS)
EXTRA_%C%_libbheap_malloc_la_DEPENDENCIES = $(srcdir)/%D%/libbheap-malloc.map
EXTRA_DIST += %D%/libbheap-malloc.map %D%/bheap-guard.map

# The recorder, which the benchmarks have, too.
recorder_sources = \
	%D%/callers.h \
	%D%/crowd.c %D%/crowd.h \
	%D%/execution.c %D%/execution.h %D%/execution_list.c \
	%D%/line.c %D%/line.h \
	%D%/pid_namespace.c %D%/pid_namespace.h \
	%D%/preload.c %D%/preload.h \
	%D%/record.c %D%/record.h \
	%D%/rlimit.c \
	%D%/setting.c %D%/setting.h \
	%D%/stream.c %D%/stream.h \
	%D%/table.c %D%/table.h \
	%D%/tally.h \
	%D%/unwind.h
if HAVE_CALLERS
recorder_sources += %D%/callers.c %D%/loaded.c %D%/loaded.h %D%/unwind.c
else
recorder_sources += %D%/callers_none.c
endif
# What unwinds stacks is linked in, and is not offered to the program.
recorder_ldflags = -static-libgcc -Wl,--exclude-libs,ALL

# libbheap-malloc once more, for "bheap run --guard --callers": it knows where blocks come from. What
# unwinds stacks is linked in; its map, which all of it is subject to, does not offer that.
if HAVE_CALLERS
if SHARED_LIBRARIES
pkglib_LTLIBRARIES += %D%/bheap-guard.la
endif
endif
%C%_bheap_guard_la_SOURCES = $(malloc_sources) \
	%D%/callers.c %D%/callers.h \
	%D%/loaded.c %D%/loaded.h \
	%D%/record.h \
	%D%/stream.c %D%/stream.h \
	%D%/telling.c %D%/telling.h \
	%D%/trail.c \
	%D%/unwind.c %D%/unwind.h
%C%_bheap_guard_la_CPPFLAGS = $(LIB_CPPFLAGS) -DBHEAP_TRAILS
%C%_bheap_guard_la_CFLAGS = $(%C%_libmalloc_parts_la_CFLAGS)
%C%_bheap_guard_la_LIBADD = %D%/libmalloc-parts.la
%C%_bheap_guard_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
%C%_bheap_guard_la_LDFLAGS = -module -avoid-version -shared -no-undefined \
	-Wl,-z,nodelete -Wl,--version-script=$(srcdir)/%D%/bheap-guard.map -Wl,-z,defs -Wl,--gc-sections \
	-static-libgcc $(CODE_COVERAGE_LIBS)
EXTRA_%C%_bheap_guard_la_DEPENDENCIES = $(srcdir)/%D%/bheap-guard.map

if HAVE_TOOLS
bin_PROGRAMS += %D%/bheap
%C%_bheap_SOURCES = \
	%D%/answers.c %D%/answers.h \
	%D%/attach.c %D%/attach.h \
	%D%/bands.c %D%/bands.h \
	%D%/bheap.c \
	%D%/borrow.c %D%/borrow.h \
	%D%/calls.c %D%/calls.h \
	%D%/cells.c %D%/cells.h \
	%D%/child.c %D%/child.h \
	%D%/cmd_calls.c \
	%D%/cmd_check.c \
	%D%/cmd_run.c \
	%D%/cmd_show.c \
	%D%/cmd_size.c \
	%D%/cmd_snapshot.c \
	%D%/command.h \
	%D%/fault_stacks.c %D%/fault_stacks.h \
	%D%/frame_text.c %D%/frame_text.h \
	%D%/glance.c %D%/glance.h \
	%D%/handover.c %D%/handover.h \
	%D%/holders.c %D%/holders.h \
	%D%/holdings.c %D%/holdings.h \
	%D%/image.c %D%/image.h \
	%D%/interval.c %D%/interval.h \
	%D%/live.c %D%/live.h \
	%D%/living.c %D%/living.h \
	%D%/living_caches.c %D%/living_caches.h \
	%D%/living_head.c %D%/living_head.h \
	%D%/locate.c %D%/locate.h \
	%D%/map_view.c %D%/map_view.h \
	%D%/others.c %D%/others.h \
	%D%/output.c %D%/output.h \
	%D%/outside.c %D%/outside.h \
	%D%/picture.c %D%/picture.h \
	%D%/pid_namespace.c %D%/pid_namespace.h \
	%D%/preload.c %D%/preload.h \
	%D%/place_text.c %D%/place_text.h \
	%D%/places.c %D%/places.h \
	%D%/plot.c %D%/plot.h \
	%D%/process.c %D%/process.h \
	%D%/progress.c %D%/progress.h \
	%D%/reason.c %D%/reason.h \
	%D%/recording.c %D%/recording.h \
	%D%/records.c %D%/records.h \
	%D%/remembered.c %D%/remembered.h \
	%D%/replay.c %D%/replay.h %D%/replayer.c \
	%D%/running.c %D%/running.h \
	%D%/sharers.c %D%/sharers.h \
	%D%/size_text.c %D%/size_text.h \
	%D%/source.h \
	%D%/stacks.c %D%/stacks.h \
	%D%/streams.c %D%/streams.h %D%/stream.h \
	%D%/sizing.c %D%/sizing.h \
	%D%/telling.h \
	%D%/memory.c %D%/memory.h \
	%D%/message.c \
	%D%/table.c %D%/table.h \
	%D%/tally.c %D%/tally.h \
	%D%/tally_text.c %D%/tally_text.h \
	%D%/trace.c %D%/trace.h \
	%D%/unreached.c %D%/unreached.h \
	%D%/summary.c %D%/summary.h \
	%D%/summary_others.c %D%/summary_others.h \
	%D%/svg.c %D%/svg.h \
	%D%/utf8.c %D%/utf8.h
if HAVE_CALLERS
%C%_bheap_SOURCES += %D%/source.c %D%/symbols.c %D%/symbols.h
else
%C%_bheap_SOURCES += %D%/source_none.c
endif
%C%_bheap_CPPFLAGS = $(AM_CPPFLAGS) $(ZLIB_CFLAGS) $(JSON_CFLAGS) $(LIBDW_CFLAGS) -I$(srcdir) \
	-DLIBDIR='"$(libdir)"' -DPKGLIBDIR='"$(pkglibdir)"'
%C%_bheap_LDADD = lib/libbheap.la $(ZLIB_LIBS) $(JSON_LIBS) $(LIBDW_LIBS)

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = %D%/completions/bheap

# The recorder of the benchmarks, which bheap preloads too.
if SHARED_LIBRARIES
pkglib_LTLIBRARIES += %D%/bheap-record.la
endif
%C%_bheap_record_la_SOURCES = $(recorder_sources)
%C%_bheap_record_la_LIBTOOLFLAGS = $(MODULE_LIBTOOLFLAGS)
%C%_bheap_record_la_LDFLAGS = -module -avoid-version -shared $(recorder_ldflags)
endif
