# SPDX-License-Identifier: MIT
# What people who use the library touch: the examples, the headers, the debugger, the probes, and
# the reports of memcheck and AddressSanitizer.

%C%_scripts = \
	%D%/adapter_cjson.sh \
	%D%/adapter_duktape.sh \
	%D%/adapter_libxml2.sh \
	%D%/adapter_lua.sh \
	%D%/adapter_sqlite.sh \
	%D%/annotate.sh \
	%D%/attributes.sh \
	%D%/damages.sh \
	%D%/examples.sh \
	%D%/gdb.sh \
	%D%/header.sh \
	%D%/leaks.sh \
	%D%/probes.sh \
	%D%/races.sh \
	%D%/resource.sh \
	%D%/shared.sh \
	%D%/warnings.sh
dist_check_SCRIPTS += $(%C%_scripts)
TESTS += $(%C%_scripts)
EXTRA_DIST += \
	%D%/adapter.sh \
	%D%/allocator.cpp \
	%D%/check.hpp \
	%D%/adapter.inc \
	%D%/common.sh \
	%D%/container.cpp \
	%D%/cxx.sh \
	%D%/damages.c \
	%D%/damages.py \
	%D%/debuggee.c \
	%D%/valid_use.c \
	%D%/misuse.c \
	%D%/observed.c \
	%D%/orders.json \
	%D%/orders.out \
	%D%/pointer.cpp \
	%D%/races.c \
	%D%/resource.cpp \
	%D%/shared.cpp \
	%D%/typed.c \
	%D%/usable.c \
	%D%/annotate.c
AM_TESTS_ENVIRONMENT += CXX='$(CXX)' CXXFLAGS='$(CXXFLAGS)'; export CXX CXXFLAGS;

# What the scripts of adapters run beside the examples; each includes one.

if HAVE_CJSON
check_PROGRAMS += %D%/cjson_scopes
endif
%C%_cjson_scopes_SOURCES = %D%/cjson_scopes.c
%C%_cjson_scopes_CFLAGS = $(AM_CFLAGS) $(CJSON_CFLAGS)
%C%_cjson_scopes_LDADD = lib/libbheap.la $(CJSON_LIBS)

if HAVE_LIBXML2
check_PROGRAMS += %D%/libxml2_scopes
endif
%C%_libxml2_scopes_SOURCES = %D%/libxml2_scopes.c
%C%_libxml2_scopes_CFLAGS = $(AM_CFLAGS) $(LIBXML2_CFLAGS)
%C%_libxml2_scopes_LDADD = lib/libbheap.la $(LIBXML2_LIBS)

if HAVE_SQLITE
check_PROGRAMS += %D%/sqlite_sizes
endif
%C%_sqlite_sizes_SOURCES = %D%/sqlite_sizes.c
%C%_sqlite_sizes_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
%C%_sqlite_sizes_LDADD = lib/libbheap.la $(SQLITE_LIBS)
