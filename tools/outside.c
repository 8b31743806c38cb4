/* SPDX-License-Identifier: MIT */
/*
 * outside.c - see outside.h.
 */
#include "outside.h"

#include "size_text.h"

/* Of the heap: all that blocks ever reached, its map, and what was written down of it. */
static uint64_t heap_own(const struct record *record)
{
	uint64_t extent = record->figures[FIGURE_EXTENT];

	return extent + extent / 64 + record->snapshot_size;
}

void outside_print(FILE *stream, const struct record *record)
{
	uint64_t own = record ? heap_own(record) : 0;
	uint64_t resident = record ? record->resident : 0;
	char outside[SIZE_TEXT_MAX];

	if (resident > own)
		fprintf(stream, "  %-16s at least %s resident: code, mappings of its own\n",
			"outside the heap", size_print(outside, resident - own));
}
