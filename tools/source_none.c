/* SPDX-License-Identifier: MIT */
/*
 * source_none.c - see source.h: bheap without libdw.
 */
#include <stddef.h>

#include "source.h"

bool source_available(void)
{
	return false;
}

struct source *source_open(void)
{
	return NULL;
}

size_t source_find(struct source *source, const struct call_module *module, uint64_t address,
		   struct source_frame *frames)
{
	(void)source;
	(void)module;
	*frames = (struct source_frame){.offset = address};
	return 1;
}

void source_close(struct source *source)
{
	(void)source;
}
