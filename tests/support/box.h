/* SPDX-License-Identifier: MIT */
/*
 * box.h - for white-box tests: a heap without its handle, of a chosen number of granules and bin
 * fineness, in memory of its own. Blocks are granule indexes; the first is BH_FIRST.
 */
#ifndef TEST_BOX_H
#define TEST_BOX_H

#include "support.h"

#include "core/core.h"

struct box {
	struct bh_core core;
	struct bh_layout layout;
	char *region;
	size_t size; /* of the region */
};

/* An empty heap; its memory is committed as it is touched. */
void box_make(struct box *box, size_t granules, unsigned shift);
void box_end(struct box *box);

/* Asserts that every invariant holds. */
void box_check(const struct box *box);

/* Granules of the block that starts here, or 0 when none does. */
uint32_t box_block_granules(const struct box *box, uint32_t block);

/*
 * Asserts what blocks there are, in order: sizes in granules, of free ones negative; ends with 0.
 */
void box_expect(const struct box *box, const int *blocks);
#define box_expect_blocks(box, ...) box_expect(box, (const int[]){__VA_ARGS__, 0})

/* A block of so many granules, or 0; checked. */
uint32_t box_alloc(struct box *box, size_t granules);
void box_free(struct box *box, uint32_t block);

/* Allocates blocks of these sizes, in order from the start; a 0 ends them. */
void box_alloc_row(struct box *box, const size_t *sizes, uint32_t *blocks);

/*
 * Seven blocks: free ones of that size, of one bin, between used ones of 5 granules, and no room
 * elsewhere for those. The first granule of the free one in the middle is written over with the
 * byte; with 1 its size is consistent and wrong, and its links lead to heads.
 */
void box_damage_row(struct box *box, uint32_t blocks[7], uint32_t granules, unsigned char byte);

/* After a call that met damage: rebuilt, the heap is sound, and so many granules are in use. */
void box_rebuild_damaged(struct box *box, uint32_t used);

#endif
