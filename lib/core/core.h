/* SPDX-License-Identifier: MIT */
/*
 * core.h - a process's view of one heap: where its map, bins and granules lie. Turns addresses into
 * granules and back. Refuses to know locks, errno and the operating system.
 */
#ifndef BH_CORE_H
#define BH_CORE_H

#include "core/layout.h"

/*
 * Asked before free granules from ... to - 1 are handed out and cut from the rest, which begins at
 * to: whether they, and the first granule of the rest, may be written to.
 */
struct bh_core;
typedef bool bh_core_prepare_fn(struct bh_core *core, uint32_t from, uint32_t to);

/* Pointers and limits, constant for the life of the handle. */
struct bh_core {
	struct bh_bins bins;
	struct bh_map map;
	struct bh_control *control;
	uint32_t end;  /* one past the last user granule: a used sentinel */
	bool realtime; /* never search a whole bin */
	bool slides;   /* a resize may move a block down over itself: no process shares the heap */
	bh_core_prepare_fn *prepare; /* NULL: they may always be */
};

enum bh_core_status {
	BH_DONE,
	BH_NO_ROOM,
	BH_DAMAGED, /* a free block was overwritten; nothing was changed: rebuild and retry */
};

/* Points the view at a region of this layout, which begins at a multiple of a granule. */
void bh_core_view(struct bh_core *core, char *region, const struct bh_layout *layout);

/* Makes one free block of a region whose bookkeeping is zero. */
void bh_core_format(struct bh_core *core);

/* Sets the used sentinels around the granules, and the start of the first block. */
void bh_core_set_sentinels(struct bh_core *core);

/* Of a user granule, or of the end. */
static inline void *bh_core_address(const struct bh_core *core, uint32_t granule)
{
	BH_ASSERT(granule - BH_FIRST <= core->bins.span);
	return core->bins.base + bh_bytes(granule);
}

static inline char *bh_core_start(const struct bh_core *core)
{
	return bh_core_address(core, BH_FIRST);
}

static inline size_t bh_core_size(const struct bh_core *core)
{
	return bh_bytes(core->bins.span);
}

/* A reference that is valid wherever the heap is mapped: bytes from granule 0; 0 is none. */
static inline uint64_t bh_core_offset(const struct bh_core *core, const void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)bh_core_start(core);

	return offset < bh_core_size(core) ? offset + bh_bytes(BH_FIRST) : 0;
}

static inline void *bh_core_pointer(const struct bh_core *core, uint64_t offset)
{
	if (offset - bh_bytes(BH_FIRST) >= bh_core_size(core))
		return NULL;
	return core->bins.base + offset;
}

/* The granule that starts at an address, or 0. */
static inline uint32_t bh_core_granule(const struct bh_core *core, const void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)core->bins.base;
	/* Rotated, so that a misaligned address is out of range too. */
	uintptr_t granule =
		offset >> BH_GRANULE_SHIFT | offset << (BH_WORD_BITS - BH_GRANULE_SHIFT);

	return BH_LIKELY(granule - BH_FIRST < core->bins.span) ? (uint32_t)granule : 0;
}

/* The allocated block that starts at an address, or 0. Does not read the memory there. */
static inline uint32_t bh_core_find(const struct bh_core *core, const void *address)
{
	uint32_t granule = bh_core_granule(core, address);

	return BH_LIKELY(granule && bh_map_is_live(&core->map, granule)) ? granule : 0;
}

/*
 * Start of the block that holds a granule. The top, which may be most of the heap, is found at
 * once; any other block in one step for each KiB of it before the granule.
 */
static inline uint32_t bh_core_block_at(const struct bh_core *core, uint32_t granule)
{
	uint32_t top = core->control->top;

	BH_ASSERT(granule - BH_FIRST < core->bins.span);
	return granule >= top && top >= BH_FIRST && bh_map_is_start(&core->map, top)
		       ? top
		       : bh_map_block_at(&core->map, granule);
}

/* For assertions: true if a free block starts at a granule, which must be a user granule. */
static inline bool bh_core_is_free(const struct bh_core *core, uint32_t granule)
{
	BH_ASSERT(granule - BH_FIRST < core->bins.span);
	return bh_map_is_free(&core->map, granule);
}

/*
 * For assertions: true if an allocated block starts at a granule, which must be a user granule or
 * the end, where the sentinel counts as one.
 */
static inline bool bh_core_is_live(const struct bh_core *core, uint32_t granule)
{
	BH_ASSERT(granule - BH_FIRST <= core->bins.span);
	return bh_map_is_live(&core->map, granule);
}

static inline bool bh_core_prepare(struct bh_core *core, uint32_t from, uint32_t to)
{
	return BH_LIKELY(!core->prepare) || core->prepare(core, from, to);
}

static inline uint32_t bh_core_granules(const struct bh_core *core, uint32_t block)
{
	return bh_map_next(&core->map, block) - block;
}

#endif
