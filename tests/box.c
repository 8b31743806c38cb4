/* SPDX-License-Identifier: MIT */
/*
 * box.c - heaps without handles for white-box tests.
 */
#include "box.h"

#include <sys/mman.h>

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
	struct bh_finding finding = {0};

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
