# SPDX-License-Identifier: MIT
# The library: compiled once, into a convenience library that the white-box tests link too.

# What includes the rooms of the library names them with their folder.
LIB_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(top_srcdir)/lib

noinst_LTLIBRARIES += %D%/libbheap-core.la
%C%_libbheap_core_la_SOURCES = \
	%D%/api/attach.c \
	%D%/api/attach.h \
	%D%/api/block.c \
	%D%/api/block.h \
	%D%/api/blocks.c \
	%D%/api/blocks.h \
	%D%/api/batch.c \
	%D%/api/batch.h \
	%D%/api/cached.c \
	%D%/api/cached.h \
	%D%/api/chart.c \
	%D%/api/chart.h \
	%D%/api/check.c \
	%D%/api/classic.c \
	%D%/api/create.c \
	%D%/api/create.h \
	%D%/api/growing.c \
	%D%/api/growing.h \
	%D%/api/guarded.c \
	%D%/api/guarded.h \
	%D%/api/handler.c \
	%D%/api/in_place.c \
	%D%/api/in_place.h \
	%D%/api/limit.c \
	%D%/api/open.c \
	%D%/api/owners.c \
	%D%/api/realloc.c \
	%D%/api/refusal.c \
	%D%/api/refusal.h \
	%D%/api/request.c \
	%D%/api/request.h \
	%D%/api/reset.c \
	%D%/api/root.c \
	%D%/api/root.h \
	%D%/api/show.c \
	%D%/api/show.h \
	%D%/api/slots.c \
	%D%/api/slots.h \
	%D%/api/stats.c \
	%D%/api/strings.c \
	%D%/api/sweep.c \
	%D%/api/sweep.h \
	%D%/api/trim.c \
	%D%/api/version.c \
	%D%/api/walk.c \
	%D%/api/walk.h \
	%D%/core/alloc.c \
	%D%/core/alloc.h \
	%D%/core/annotate.h \
	%D%/core/assert.h \
	%D%/core/bins.c \
	%D%/core/bins.h \
	%D%/core/control.h \
	%D%/core/core.c \
	%D%/core/core.h \
	%D%/core/free.c \
	%D%/core/free.h \
	%D%/core/granule.h \
	%D%/core/growth.c \
	%D%/core/growth.h \
	%D%/core/index.h \
	%D%/core/layout.c \
	%D%/core/layout.h \
	%D%/core/map.c \
	%D%/core/map.h \
	%D%/core/probe.h \
	%D%/core/rebuild.c \
	%D%/core/rebuild.h \
	%D%/core/reset.c \
	%D%/core/reset.h \
	%D%/core/resize.c \
	%D%/core/resize.h \
	%D%/core/sip.h \
	%D%/core/trailer.c \
	%D%/core/trailer.h \
	%D%/core/verify.c \
	%D%/core/verify.h \
	%D%/handle/budget.h \
	%D%/handle/caches.c \
	%D%/handle/caches.h \
	%D%/handle/call.c \
	%D%/handle/call.h \
	%D%/handle/damage.c \
	%D%/handle/damage.h \
	%D%/handle/enter.c \
	%D%/handle/enter.h \
	%D%/handle/fill.c \
	%D%/handle/fill.h \
	%D%/handle/handle.c \
	%D%/handle/handle.h \
	%D%/handle/head.c \
	%D%/handle/head.h \
	%D%/handle/intent.c \
	%D%/handle/intent.h \
	%D%/handle/marks.c \
	%D%/handle/marks.h \
	%D%/handle/pages.c \
	%D%/handle/pages.h \
	%D%/handle/note.h \
	%D%/handle/pattern.c \
	%D%/handle/pattern.h \
	%D%/handle/recover.c \
	%D%/handle/recover.h \
	%D%/handle/rest.c \
	%D%/handle/rest.h \
	%D%/handle/shared.h \
	%D%/handle/storage.c \
	%D%/handle/storage.h \
	%D%/os/barrier.c \
	%D%/os/barrier.h \
	%D%/os/fault.c \
	%D%/os/fault.h \
	%D%/os/file.c \
	%D%/os/file.h \
	%D%/os/fork.c \
	%D%/os/fork.h \
	%D%/os/lock.c \
	%D%/os/lock.h \
	%D%/os/region.c \
	%D%/os/region.h \
	%D%/os/secret.c \
	%D%/os/secret.h \
	%D%/os/setting.c \
	%D%/os/setting.h \
	%D%/os/jump.c \
	%D%/os/jump.h \
	%D%/os/thread.c \
	%D%/os/thread.h \
	%D%/os/wait.c \
	%D%/os/wait.h
%C%_libbheap_core_la_CPPFLAGS = $(LIB_CPPFLAGS)
# A walk callback may end its thread, or throw: the lock is released on the way.
%C%_libbheap_core_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -fexceptions

lib_LTLIBRARIES += %D%/libbheap.la
%C%_libbheap_la_SOURCES =
%C%_libbheap_la_LIBADD = %D%/libbheap-core.la
%C%_libbheap_la_LDFLAGS = -version-info $(BHEAP_VERSION_INFO) -no-undefined \
	-Wl,-z,nodelete -Wl,--version-script=$(srcdir)/%D%/libbheap.map -Wl,-z,defs $(CODE_COVERAGE_LIBS)
EXTRA_%C%_libbheap_la_DEPENDENCIES = $(srcdir)/%D%/libbheap.map
EXTRA_DIST += %D%/libbheap.map

# Where GDB looks when it loads a shared library: beside its name, under its own folder. A program that
# libbheap-malloc.so is preloaded to may have no other.
gdbdir = $(datadir)/gdb/auto-load$(libdir)
EXTRA_DIST += %D%/libbheap-gdb.py
install-data-local: %D%/libbheap.la
	@. ./%D%/libbheap.la; for name in $${library_names%% *} $${library_names:+libbheap-malloc.so}; do \
		$(MKDIR_P) "$(DESTDIR)$(gdbdir)" && \
		$(INSTALL_DATA) $(srcdir)/%D%/libbheap-gdb.py "$(DESTDIR)$(gdbdir)/$$name-gdb.py" || exit 1; \
	done
uninstall-local:
	rm -f "$(DESTDIR)$(gdbdir)"/libbheap.so.*-gdb.py "$(DESTDIR)$(gdbdir)"/libbheap-malloc.so-gdb.py
# Folders that only an installation makes; those that hold other files stay.
uninstall-hook:
	@rmdir "$(DESTDIR)$(pkglibdir)" 2>/dev/null || :
	@cd "$(DESTDIR)$(datadir)" 2>/dev/null && rmdir -p "gdb/auto-load$(libdir)" 2>/dev/null || :
