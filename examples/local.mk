# SPDX-License-Identifier: MIT
# Small finished programs: outside this tree each needs only "pkg-config --cflags --libs libbheap",
# an adapter also its library.

EXTRA_DIST += %D%/Makefile
noinst_PROGRAMS += %D%/hello %D%/leaks %D%/words %D%/json
%C%_hello_SOURCES = %D%/hello.c
%C%_hello_LDADD = lib/libbheap.la
%C%_leaks_SOURCES = %D%/leaks.c
%C%_leaks_LDADD = lib/libbheap.la
%C%_words_SOURCES = %D%/words.c %D%/size.h
%C%_words_LDADD = lib/libbheap.la
%C%_json_SOURCES = %D%/json.c %D%/size.h
%C%_json_LDADD = lib/libbheap.la

# Two programs that share a cache.
noinst_PROGRAMS += %D%/cache_put %D%/cache_get
%C%_cache_put_SOURCES = %D%/cache_put.c %D%/cache.h %D%/size.h
%C%_cache_put_LDADD = lib/libbheap.la
%C%_cache_get_SOURCES = %D%/cache_get.c %D%/cache.h
%C%_cache_get_LDADD = lib/libbheap.la

# Other libraries with their memory in a heap, each where it is found.
EXTRA_DIST += %D%/adapter.h %D%/heap_scope.h %D%/size.h

if HAVE_CJSON
noinst_PROGRAMS += %D%/adapter_cjson
endif
%C%_adapter_cjson_SOURCES = %D%/adapter_cjson.c %D%/adapter.h %D%/heap_scope.h %D%/size.h
%C%_adapter_cjson_CFLAGS = $(AM_CFLAGS) $(CJSON_CFLAGS)
%C%_adapter_cjson_LDADD = lib/libbheap.la $(CJSON_LIBS)

if HAVE_DUKTAPE
noinst_PROGRAMS += %D%/adapter_duktape
endif
%C%_adapter_duktape_SOURCES = %D%/adapter_duktape.c %D%/adapter.h %D%/size.h
%C%_adapter_duktape_CFLAGS = $(AM_CFLAGS) $(DUKTAPE_CFLAGS)
%C%_adapter_duktape_LDADD = lib/libbheap.la $(DUKTAPE_LIBS)

if HAVE_LIBXML2
noinst_PROGRAMS += %D%/adapter_libxml2
endif
%C%_adapter_libxml2_SOURCES = %D%/adapter_libxml2.c %D%/adapter.h %D%/heap_scope.h %D%/size.h
%C%_adapter_libxml2_CFLAGS = $(AM_CFLAGS) $(LIBXML2_CFLAGS)
%C%_adapter_libxml2_LDADD = lib/libbheap.la $(LIBXML2_LIBS)

if HAVE_LUA
noinst_PROGRAMS += %D%/adapter_lua
endif
%C%_adapter_lua_SOURCES = %D%/adapter_lua.c %D%/adapter.h %D%/size.h
%C%_adapter_lua_CFLAGS = $(AM_CFLAGS) $(LUA_CFLAGS)
%C%_adapter_lua_LDADD = lib/libbheap.la $(LUA_LIBS)

if HAVE_SQLITE
noinst_PROGRAMS += %D%/adapter_sqlite
endif
%C%_adapter_sqlite_SOURCES = %D%/adapter_sqlite.c %D%/adapter.h %D%/size.h
%C%_adapter_sqlite_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
%C%_adapter_sqlite_LDADD = lib/libbheap.la $(SQLITE_LIBS)
