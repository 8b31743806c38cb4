/* SPDX-License-Identifier: MIT */
/*
 * box.c - heaps without handles for white-box tests.
 */
#include "box.h"

#include <sys/mman.h>

#include "core/alloc.h"
#include "core/free.h"
#include "core/rebuild.h"
#include "core/verify.h"

void box_make(struct box *box, size_t granules, unsigned shift)
{
	bh_layout_for_granules(&box->layout, granules, 0, shift, BH_GRANULE, 0);
	box->size = box->layout.size;
	box->region = mmap(NULL, box->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert(box->region != MAP_FAILED);
	bh_core_view(&box->core, box->region, &box->layout);
	bh_core_format(&box->core);
}

void box_end(struct box *box)
{
	munmap(box->region, box->size);
}

void box_check(const struct box *box)
{
	struct bh_verify_finding finding = {0};

	if (!bh_verify_map(&box->core, &finding) || !bh_verify_derived(&box->core, &finding))
		ck_abort_msg("granule %u: %s", finding.granule, finding.detail);
}

uint32_t box_block_granules(const struct box *box, uint32_t block)
{
	return bh_map_is_start(&box->core.map, block) ? bh_map_next(&box->core.map, block) - block
						      : 0;
}

void box_expect(const struct box *box, const int *blocks)
{
	uint32_t block = BH_FIRST;

	for (; *blocks; blocks++) {
		int granules = (int)box_block_granules(box, block);

		ck_assert_int_eq(bh_map_is_used(&box->core.map, block) ? granules : -granules,
				 *blocks);
		block += (uint32_t)granules;
	}
	ck_assert_uint_eq(block, box->core.end);
	box_check(box);
}

uint32_t box_alloc(struct box *box, size_t granules)
{
	uint32_t block = bh_alloc_block(&box->core, granules);

	if (block) {
		require(bh_map_is_used(&box->core.map, block));
		require_equal(box_block_granules(box, block), granules);
	}
	box_check(box);
	return block;
}

void box_free(struct box *box, uint32_t block)
{
	require_equal(bh_free_block(&box->core, block), BH_DONE);
	box_check(box);
}

void box_alloc_row(struct box *box, const size_t *sizes, uint32_t *blocks)
{
	for (; *sizes; sizes++)
		*blocks++ = box_alloc(box, *sizes);
}

void box_damage_row(struct box *box, uint32_t blocks[7], uint32_t granules, unsigned char byte)
{
	struct bh_bin_node *node;

	for (int index = 0; index < 7; index++)
		blocks[index] = box_alloc(box, index % 2 ? granules : 5);
	box_alloc(box, 1);
	while (bh_alloc_block(&box->core, 5))
		;
	for (int index = 1; index < 7; index += 2)
		box_free(box, blocks[index]);
	node = bh_bin_node(&box->core.bins, blocks[3]);
	memset(node, byte, BH_GRANULE);
	if (byte == 1) {
		node->granules = granules - 1;
		node->check = ~(granules - 1);
	}
}

void box_rebuild_damaged(struct box *box, uint32_t used)
{
	struct bh_verify_finding finding;

	ck_assert_uint_ne(box->core.bins.damaged, 0);
	ck_assert(bh_verify_map(&box->core, &finding));
	bh_rebuild(&box->core);
	box_check(box);
	ck_assert_uint_eq(box->core.bins.damaged, 0);
	ck_assert_uint_eq(box->core.control->used, used);
	ck_assert_uint_eq(box->core.control->rebuilds, 1);
}
