/* SPDX-License-Identifier: MIT */
/*
 * cells.c - see cells.h.
 */
#include "cells.h"

#include <err.h>
#include <stdlib.h>

const char *const kind_names[KINDS] = {
	[KIND_FREE] = "free",       [KIND_SMALL] = "to 64 bytes", [KIND_MEDIUM] = "to 1 KiB",
	[KIND_LARGE] = "to 64 KiB", [KIND_HUGE] = "larger",       [KIND_GUARD] = "guards",
};

static enum kind block_kind(const struct block *block)
{
	if (!block->used)
		return KIND_FREE;
	return block->size <= 64      ? KIND_SMALL
	       : block->size <= 1024  ? KIND_MEDIUM
	       : block->size <= 65536 ? KIND_LARGE
				      : KIND_HUGE;
}

/* Adds so many bytes of a kind from an offset on, up to where the cells end. */
static void span_add(struct cells *cells, enum kind kind, uint64_t offset, uint64_t size)
{
	uint64_t end = offset + size < cells->covered ? offset + size : cells->covered;

	while (offset < end) {
		uint64_t cell = offset / cells->cell_size, next = (cell + 1) * cells->cell_size;
		uint64_t part = (next < end ? next : end) - offset;

		cells->list[cell].bytes[kind] += (uint32_t)part;
		cells->totals[kind] += part;
		offset += part;
	}
}

void cells_make(struct cells *cells, const struct picture *picture, size_t count_max, bool whole)
{
	uint64_t covered = whole ? picture->stats.size : picture_extent(picture);

	if (!covered)
		covered = picture->stats.size;
	*cells = (struct cells){.cell_size = BHEAP_ALIGNMENT, .covered = covered};
	while ((covered - 1) / cells->cell_size >= count_max)
		cells->cell_size *= 2;
	cells->count = (size_t)((covered - 1) / cells->cell_size) + 1;
	cells->list = calloc(cells->count, sizeof(*cells->list));
	if (!cells->list)
		err(1, "%zu cells", cells->count);
	for (size_t index = 0; index < picture->count; index++) {
		const struct block *block = &picture->blocks[index];
		uint64_t own = block->used ? block->usable : block->size;

		/* Less than a granule unused at the end is the block's rounding, not a guard. */
		if (block->size - own < BHEAP_ALIGNMENT)
			own = block->size;
		span_add(cells, block_kind(block), block->offset, own);
		span_add(cells, KIND_GUARD, block->offset + own, block->size - own);
	}
}

void cells_release(struct cells *cells)
{
	free(cells->list);
	*cells = (struct cells){0};
}

uint64_t cell_used(const struct cell *cell)
{
	uint64_t used = 0;

	for (unsigned kind = KIND_FREE + 1; kind < KINDS; kind++)
		used += cell->bytes[kind];
	return used;
}

enum kind cell_kind(const struct cell *cell)
{
	enum kind most = KIND_FREE;
	uint32_t bytes = 0;

	for (unsigned kind = KIND_FREE + 1; kind < KINDS; kind++) {
		if (cell->bytes[kind] > bytes) {
			bytes = cell->bytes[kind];
			most = kind;
		}
	}
	return most;
}
