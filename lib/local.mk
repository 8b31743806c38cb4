# SPDX-License-Identifier: MIT
# The library: compiled once, into a convenience library that the white-box tests link too.

noinst_LTLIBRARIES += %D%/libbheap-core.la
%C%_libbheap_core_la_SOURCES = \
	%D%/annotate.h \
	%D%/api.c \
	%D%/api.h \
	%D%/attach.c %D%/attach.h \
	%D%/bins.c %D%/bins.h \
	%D%/block.h \
	%D%/chart.c %D%/chart.h \
	%D%/check.c %D%/check.h \
	%D%/classic.c \
	%D%/fast.h \
	%D%/fault.c %D%/fault.h \
	%D%/fill.c %D%/fill.h \
	%D%/file.c %D%/file.h \
	%D%/granule.h \
	%D%/handle.c %D%/handle.h \
	%D%/heap.c %D%/heap.h \
	%D%/layout.c %D%/layout.h \
	%D%/lock.c %D%/lock.h \
	%D%/make.c \
	%D%/map.c %D%/map.h \
	%D%/open.c \
	%D%/probe.h \
	%D%/realloc.c \
	%D%/rebuild.c \
	%D%/resize.c \
	%D%/region.c %D%/region.h \
	%D%/shared.c %D%/shared.h \
	%D%/show.c %D%/show.h \
	%D%/slots.c \
	%D%/stats.c \
	%D%/trailer.c %D%/trailer.h \
	%D%/walk.c %D%/walk.h
# A visitor may end its thread, or throw: the lock is released on the way.
%C%_libbheap_core_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -fexceptions

lib_LTLIBRARIES += %D%/libbheap.la
%C%_libbheap_la_SOURCES =
%C%_libbheap_la_LIBADD = %D%/libbheap-core.la
%C%_libbheap_la_LDFLAGS = -version-info $(BHEAP_VERSION_INFO) -no-undefined \
	-Wl,--version-script=$(srcdir)/%D%/libbheap.map -Wl,-z,defs $(CODE_COVERAGE_LIBS)
EXTRA_%C%_libbheap_la_DEPENDENCIES = $(srcdir)/%D%/libbheap.map
EXTRA_DIST += %D%/libbheap.map

# Where GDB looks when it loads the shared library: beside its name, under its own folder.
gdbdir = $(datadir)/gdb/auto-load$(libdir)
EXTRA_DIST += %D%/libbheap-gdb.py
install-data-local: %D%/libbheap.la
	@. ./%D%/libbheap.la; for name in $$library_names; do \
		$(MKDIR_P) "$(DESTDIR)$(gdbdir)" && \
		$(INSTALL_DATA) $(srcdir)/%D%/libbheap-gdb.py "$(DESTDIR)$(gdbdir)/$$name-gdb.py"; exit; \
	done
uninstall-local:
	rm -f "$(DESTDIR)$(gdbdir)"/libbheap.so.*-gdb.py
