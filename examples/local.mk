# SPDX-License-Identifier: MIT
# Small finished programs: outside this tree each needs only "pkg-config --cflags --libs libbheap".

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
