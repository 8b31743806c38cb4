/* SPDX-License-Identifier: MIT */
/*
 * source.h - functions, files and lines of addresses in programs and libraries, by elfutils' libdw;
 * source_none.c is there where bheap is built without it. Refuses to know stacks.
 */
#ifndef TOOLS_SOURCE_H
#define TOOLS_SOURCE_H

#include "calls.h"

/* One function at an address. Of what is not known there is NULL or 0. */
struct source_frame {
	const char *function; /* C++ names are demangled */
	const char *file;
	int line;
	const char *module; /* the name of its file, without folders */
	uint64_t offset;    /* in the file, as addr2line(1) takes it; or the address itself */
	bool inlined;       /* into the next one */
	bool library;       /* part of the C++ library */
};

#define SOURCE_INLINED_MOST 64

struct source; /* what was opened and found */

bool source_available(void);

/* NULL: there is no memory. */
struct source *source_open(void);

/*
 * The functions of which a return address is part, innermost first; one or more of them, up to
 * SOURCE_INLINED_MOST. module may be NULL. The names are valid until source_close().
 */
size_t source_find(struct source *source, const struct call_module *module, uint64_t address,
		   struct source_frame *frames);

void source_close(struct source *source);

#endif
