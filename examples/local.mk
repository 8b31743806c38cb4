# SPDX-License-Identifier: MIT
# Small finished programs: outside this tree each needs only "pkg-config --cflags --libs libbheap".

EXTRA_DIST += %D%/Makefile
noinst_PROGRAMS += %D%/hello %D%/words %D%/json
%C%_hello_SOURCES = %D%/hello.c
%C%_hello_LDADD = lib/libbheap.la
%C%_words_SOURCES = %D%/words.c
%C%_words_LDADD = lib/libbheap.la
%C%_json_SOURCES = %D%/json.c
%C%_json_LDADD = lib/libbheap.la
