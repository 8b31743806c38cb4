/* SPDX-License-Identifier: MIT */
/*
 * test_damage.c - free memory that was written to, met on the fast path, in long bins, by a
 * slide; a map that was written to as well; a handler that uses the heap, or that the heap refuses
 * after it; and memory that is damaged again as soon as it is rebuilt: two pages of the heap are
 * one. A call fails there, with a report, and live blocks stay whole.
 */
#include "support.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "box.h"

#include "core/alloc.h"
#include "core/free.h"
#include "core/rebuild.h"
#include "handle/handle.h"

static const unsigned char damage[] = "written";
static struct faults faults;

static void setup(void)
{
	faults_expect(&faults);
}

static void faults_were(unsigned count)
{
	ck_assert_uint_eq(faults.count, count);
	if (count)
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_INDEX);
	faults.count = 0;
}

static bheap_t *heap_of(size_t size, unsigned flags)
{
	bheap_t *heap = bheap_create(size, flags);

	ck_assert_ptr_nonnull(heap);
	return heap;
}

/* A write after free, over the links. */
static void block_free_and_damage(bheap_t *heap, void *block)
{
	ck_assert_int_eq(heap_free(heap, block), 0);
	memory_scribble(block, damage, sizeof(damage));
}

/* ---- the fast path ---- */

/*
 * A link to itself, to another granule, and far beyond the end, as next and as previous; without a
 * lock and with it.
 */
START_TEST(a_larger_block_to_cut_from)
{
	static const uint32_t links[][2] = {{0, 1}, {0, 0xffffffff}, {1, 0}, {0xffffffff, 0}};
	bheap_t *heap = heap_of(65536, _i < 4 ? BHEAP_UNLOCKED : 0);
	char *block = bheap_alloc(heap, 80), *next = bheap_alloc(heap, 80), *cut;

	ck_assert_int_eq(heap_free(heap, block), 0);
	memory_scribble(block, links[_i % 4], sizeof(links[_i % 4]));
	if (_i >= 4)
		threads_begin();
	cut = bheap_alloc(heap, 48);
	ck_assert_ptr_eq(cut, block);
	faults_were(1);
	ck_assert_ptr_eq(bheap_alloc(heap, 32), block + 48);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, next), 0);
	faults_were(0);
	bheap_destroy(heap);
}
END_TEST

/* The fast path of a free meets damage; without a lock and with it. */
START_TEST(a_neighbour_to_merge_with)
{
	bheap_t *heap = heap_of(65536, _i ? 0 : BHEAP_UNLOCKED);
	char *previous = bheap_alloc(heap, 80), *block = bheap_alloc(heap, 80), *next;

	next = bheap_alloc(heap, 80);
	ck_assert_int_eq(heap_free(heap, previous), 0);
	memory_scribble(previous, &(uint32_t){1}, sizeof(uint32_t));
	if (_i)
		threads_begin();
	ck_assert_int_eq(heap_free(heap, block), 0);
	faults_were(1);
	ck_assert(!bheap_owns(heap, block));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, next), 0);
	faults_were(0);
	bheap_destroy(heap);
}
END_TEST

/*
 * A link into the middle of a live block, whose content looks like what is wanted: that block is
 * named.
 */
START_TEST(a_link_into_a_live_block)
{
	bheap_t *heap = heap_of(65536, BHEAP_UNLOCKED);
	char *live = bheap_alloc(heap, 6000), *block = bheap_alloc(heap, 135 * 16);
	uint32_t inside = (uint32_t)(bheap_offset(heap, live) / 16) + 200;
	struct bh_bin_node node = {.granules = 133, .check = ~UINT32_C(133)};

	memcpy(live + 200 * 16, &node, sizeof(node));
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	ck_assert_int_eq(heap_free(heap, block), 0);
	memory_scribble(block, &inside, sizeof(inside));
	ck_assert_ptr_eq(bheap_alloc(heap, 133 * 16), block);
	faults_were(1);
	ck_assert_ptr_eq(faults.last.address, live);
	ck_assert_uint_eq(faults.last.size, 6000);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, live), 0);
	bheap_destroy(heap);
}
END_TEST

/* ---- long bins ---- */

#define CLASS 128 /* granules: 128 to 131 share a bin */

/* A bin of CLASS: eight that are too small for a request of CLASS + 2, one that fits, one more. */
static void bin_fill(struct box *box, uint32_t blocks[10])
{
	box_make(box, 4096, BH_BIN_SHIFT_MAX);
	ck_assert_uint_eq(bh_bin_of(&box->core.bins, CLASS), bh_bin_of(&box->core.bins, CLASS + 3));
	for (int index = 0; index < 10; index++) {
		blocks[index] = bh_alloc_block(&box->core, index < 2 ? CLASS + 3 : CLASS);
		ck_assert_uint_ne(bh_alloc_block(&box->core, 1), 0);
	}
	ck_assert_uint_ne(bh_alloc_block(&box->core, box->core.end - box->core.control->top), 0);
	for (int index = 0; index < 10; index++)
		ck_assert_int_eq(bh_free_block(&box->core, blocks[index]), BH_DONE);
}

/* A block that fits is found, but not what follows it: the list is not to be trusted. */
START_TEST(a_link_behind_the_block_that_fits)
{
	struct box box;
	uint32_t blocks[10];

	bin_fill(&box, blocks);
	bh_bin_node(&box.core.bins, blocks[0])->links.previous = blocks[5];
	ck_assert_uint_eq(bh_alloc_block(&box.core, CLASS + 2), 0);
	ck_assert_uint_eq(box.core.bins.damaged, blocks[1]);
	bh_rebuild(&box.core);
	box_check(&box);
	ck_assert_uint_ne(bh_alloc_block(&box.core, CLASS + 2), 0);
	box_check(&box);
	box_end(&box);
}
END_TEST

/*
 * A link into a live block, or to one, whose owner's bytes look like a free block of the size asked
 * for.
 */
START_TEST(a_block_that_is_none)
{
	struct box box;
	uint32_t blocks[10], forged;
	struct bh_bin_node *node;

	bin_fill(&box, blocks);
	forged = box.core.end - 1000;
	if (_i) {
		forged = bh_core_block_at(&box.core, forged);
		bh_map_set_start(&box.core.map, forged + CLASS + 2, forged, box.core.end);
		bh_map_set_used(&box.core.map, forged + CLASS + 2);
	}
	ck_assert_int_eq(bh_map_is_live(&box.core.map, forged), _i);
	node = bh_bin_node(&box.core.bins, forged);
	*node = (struct bh_bin_node){{0, blocks[9]}, CLASS + 2, ~(uint32_t)(CLASS + 2)};
	bh_bin_node(&box.core.bins, blocks[9])->links.next = forged;
	ck_assert_uint_eq(bh_alloc_block(&box.core, CLASS + 2), 0);
	ck_assert_uint_ne(box.core.bins.damaged, 0);
	bh_rebuild(&box.core);
	box_check(&box);
	ck_assert_uint_eq(node->granules, CLASS + 2);
	ck_assert_uint_ne(bh_alloc_block(&box.core, CLASS + 2), 0);
	box_end(&box);
}
END_TEST

START_TEST(the_size_of_a_block_to_align_in)
{
	struct box box;
	uint32_t blocks[10], used;

	bin_fill(&box, blocks);
	used = box.core.control->used;
	bh_bin_node(&box.core.bins, blocks[9])->check = CLASS;
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 64, CLASS - 30), 0);
	ck_assert_uint_eq(box.core.bins.damaged, blocks[9]);
	ck_assert_uint_eq(box.core.control->used, used);
	bh_rebuild(&box.core);
	box_check(&box);
	ck_assert_uint_ne(bh_alloc_aligned(&box.core, 64, CLASS - 30), 0);
	box_check(&box);
	box_end(&box);
}
END_TEST

/* ---- a slide ---- */

/*
 * The free block before it is too small for a search to look at: the slide is the first to see it.
 */
START_TEST(the_block_in_front_of_a_slide)
{
	static const unsigned flags[] = {0, BHEAP_UNLOCKED, BHEAP_GUARD};
	bheap_t *heap = heap_of(65536, flags[_i]);
	char *previous = bheap_alloc(heap, 3000), *block = bheap_alloc(heap, 30000);

	while (bheap_alloc(heap, 512))
		;
	block_free_and_damage(heap, previous);
	pattern_fill(block, 30000, 5);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 32000), previous);
	faults_were(1);
	ck_assert(pattern_holds(previous, 30000, 5));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_destroy(heap);
}
END_TEST

/* ---- the map too ---- */

/* The index is not made anew from a map that is damaged, or that the counters disagree with. */
static void map_damage(const bheap_t *heap, bool counters)
{
	if (counters)
		heap->core.control->used ^= 1;
	else
		heap->core.map.words[0].used ^= bh_map_bit(BH_FIRST + 1);
}

static void maps_were_damaged(unsigned count)
{
	ck_assert_uint_eq(faults.count, count);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_MAP);
	ck_assert_str_eq(faults.last.text, "bheap: the block map is damaged: "
					   "the index, too, which was not rebuilt");
	faults.count = 0;
}

START_TEST(an_allocation_needs_a_sound_map)
{
	static const size_t alignments[] = {16, 64};
	bheap_t *heap = heap_of(65536, BHEAP_UNLOCKED);
	char *live = bheap_alloc(heap, 64), *block = bheap_alloc(heap, 3000), *next;
	size_t alignment = alignments[_i / 2];

	next = bheap_alloc(heap, 16);
	block_free_and_damage(heap, block);
	map_damage(heap, _i % 2);
	for (int call = 0; call < 2; call++) {
		errno = 0;
		ck_assert_ptr_null(bheap_aligned_alloc(heap, alignment, 2900));
		ck_assert_errno(ENOMEM);
		maps_were_damaged(1);
	}
	map_damage(heap, _i % 2);
	ck_assert_ptr_nonnull(bheap_aligned_alloc(heap, alignment, 2900));
	faults_were(1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, live), 0);
	ck_assert_int_eq(heap_free(heap, next), 0);
	bheap_destroy(heap);
}
END_TEST

/* It goes by the map alone, and counts again. */
START_TEST(a_free_needs_no_counters)
{
	bheap_t *heap = heap_of(65536, BHEAP_UNLOCKED);
	char *previous = bheap_alloc(heap, 80), *block = bheap_alloc(heap, 80);

	ck_assert_ptr_nonnull(bheap_alloc(heap, 80));
	block_free_and_damage(heap, previous);
	map_damage(heap, true);
	ck_assert_int_eq(heap_free(heap, block), 0);
	maps_were_damaged(1);
	ck_assert(!bheap_owns(heap, block));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 160), previous);
	faults_were(0);
	bheap_destroy(heap);
}
END_TEST

/* What it cannot grow into it moves away from. */
START_TEST(a_realloc_needs_no_counters)
{
	bheap_t *heap = heap_of(65536, BHEAP_UNLOCKED);
	char *block = bheap_alloc(heap, 80), *next = bheap_alloc(heap, 80), *moved;

	ck_assert_ptr_nonnull(bheap_alloc(heap, 80));
	block_free_and_damage(heap, next);
	pattern_fill(block, 80, 3);
	map_damage(heap, true);
	moved = bheap_realloc(heap, block, 128);
	ck_assert_ptr_nonnull(moved);
	ck_assert_ptr_ne(moved, block);
	ck_assert(pattern_holds(moved, 80, 3));
	maps_were_damaged(2);
	ck_assert(!bheap_owns(heap, block));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_destroy(heap);
}
END_TEST

START_TEST(a_slide_needs_a_sound_map)
{
	bheap_t *heap = heap_of(65536, BHEAP_UNLOCKED);
	char *previous = bheap_alloc(heap, 3000), *block = bheap_alloc(heap, 30000);

	while (bheap_alloc(heap, 512))
		;
	block_free_and_damage(heap, previous);
	pattern_fill(block, 30000, 5);
	map_damage(heap, true);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, block, 32000));
	ck_assert_errno(ENOMEM);
	maps_were_damaged(1);
	ck_assert(pattern_holds(block, 30000, 5));
	map_damage(heap, true);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 32000), previous);
	faults_were(1);
	ck_assert(pattern_holds(previous, 30000, 5));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_destroy(heap);
}
END_TEST

/* ---- a trailer ---- */

/* A live block without room for one, as a map that was written to may have it. */
START_TEST(a_block_too_small_for_its_trailer)
{
	bheap_t *heap = heap_of(65536, BHEAP_GUARD);
	char *previous = bheap_alloc(heap, 40), *block, *next;
	uint32_t small = bh_alloc_block(&heap->core, 1);

	block = bh_core_address(&heap->core, small);
	next = bheap_alloc(heap, 40);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_eq(faults.last.address, block);
	ck_assert_uint_eq(faults.last.size, 0);
	/* No trailer was written over the neighbours. */
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, previous), 0);
	ck_assert_int_eq(heap_free(heap, next), 0);
	ck_assert_uint_eq(faults.count, 1);
	bheap_destroy(heap);
}
END_TEST

/* Other processes would see a slide half done: there is none, when a fault was met, too. */
START_TEST(no_slide_where_heaps_are_shared)
{
	bheap_t *heap;
	char *previous, *block;

	path_make();
	heap = path_heap(65536, BHEAP_OWNED);
	previous = bheap_alloc(heap, 3000);
	block = bheap_alloc(heap, 30000);
	while (bheap_alloc(heap, 512))
		;
	ck_assert_int_eq(heap_free(heap, previous), 0);
	pattern_fill(block, 30000, 5);
	memory_change(block + 30000, 'x');
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, block, 32000));
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert(bheap_owns(heap, block));
	ck_assert(pattern_holds(block, 30000, 5));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	path_remove();
}
END_TEST

/* ---- a handler meanwhile ---- */

static bheap_t *handled;
static void *handled_block;

/* The heap refuses this thread from now on, as it does in a walk. */
static void handler_refuse(const struct bheap_fault *fault, void *arg)
{
	faults_record(fault, arg);
	bh_lock_walk(&handled->lock, true);
}

static void refusal_end(bheap_t *heap)
{
	if (bh_lock_is_walking(&heap->lock))
		bh_lock_walk(&heap->lock, false);
}

static void handler_free(const struct bheap_fault *fault, void *arg)
{
	faults_record(fault, arg);
	ck_assert_int_eq(heap_free(handled, handled_block), 0);
}

/* It is another block then, at the same address. */
static void handler_replace(const struct bheap_fault *fault, void *arg)
{
	handler_free(fault, arg);
	ck_assert_ptr_eq(bheap_alloc(handled, 48), handled_block);
}

static bheap_fault_fn *const handlers[] = {handler_refuse, handler_free, handler_replace};

/* A block that a handler has freed is never returned, nor one that cannot be asked about. */
START_TEST(an_allocation_asks_after_its_report)
{
	bheap_t *heap = handled = heap_of(65536, BHEAP_GUARD);

	handled_block = bheap_alloc(heap, 48);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 48));
	block_free_and_damage(heap, handled_block);
	bheap_set_fault_handler(heap, handlers[_i], &faults);
	errno = 0;
	ck_assert_ptr_null(bheap_alloc(heap, 48));
	ck_assert_errno(ENOMEM);
	faults_were(1);
	refusal_end(heap);
	ck_assert_int_eq(bheap_owns(heap, handled_block), _i != 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_destroy(heap);
}
END_TEST

START_TEST(a_realloc_asks_after_its_report)
{
	bheap_t *heap = handled = heap_of(65536, BHEAP_GUARD);

	handled_block = bheap_alloc(heap, 40);
	memory_change((char *)handled_block + 40, 'x');
	bheap_set_fault_handler(heap, handlers[_i], &faults);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, handled_block, 48));
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	refusal_end(heap);
	ck_assert_int_eq(bheap_owns(heap, handled_block), _i != 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_destroy(heap);
}
END_TEST

/* ---- damage that comes back ---- */

#define HEAP_SIZE (16 * 4096)
#define BLOCK 64
#define BLOCKS 1024 /* more than there is room for */

/*
 * A heap of blocks of 64 bytes, two pages of which are the same memory. first, in one of them, and
 * second, in the other, lie in the same bytes and are free: no two links of theirs can be right.
 */
struct twins {
	char *start;
	bheap_t *heap;
	char *blocks[BLOCKS];
	int count, first, second;
};

static char *page_share(char *at, int fd)
{
	return mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
}

/* One that both neighbours of belong to the page too. */
static int block_within(const struct twins *twins, const char *page)
{
	int index = 0;

	while (twins->blocks[index] < page + 2 * BLOCK)
		index++;
	return index;
}

static void twins_make(struct twins *twins)
{
	int fd = memfd_create("twins", MFD_CLOEXEC);

	*twins = (struct twins){0};
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	twins->start =
		mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(twins->start != MAP_FAILED);
	twins->heap = bheap_create_in(twins->start, HEAP_SIZE, BHEAP_UNLOCKED);
	ck_assert(page_share(twins->start + 8 * 4096, fd) != MAP_FAILED);
	ck_assert(page_share(twins->start + 9 * 4096, fd) != MAP_FAILED);
	close(fd);
	while ((twins->blocks[twins->count] = bheap_alloc(twins->heap, BLOCK)))
		twins->count++;
	twins->first = block_within(twins, twins->start + 8 * 4096);
	twins->second = block_within(twins, twins->start + 9 * 4096);
	ck_assert_ptr_eq(twins->blocks[twins->first] + 4096, twins->blocks[twins->second]);
	ck_assert_int_eq(heap_free(twins->heap, twins->blocks[twins->first]), 0);
	ck_assert_int_eq(heap_free(twins->heap, twins->blocks[twins->second]), 0);
	faults_were(0);
}

/*
 * With memory of its own again, as it was, the heap is sound, where the two free blocks are one, or
 * needs one more rebuild.
 */
static void twins_part(const struct twins *twins, int check)
{
	char *page = twins->start + 8 * 4096, content[4096];

	memcpy(content, page, sizeof(content));
	ck_assert(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		       -1, 0) == page);
	memcpy(page, content, sizeof(content));
	ck_assert_int_eq(bheap_check(twins->heap, NULL), check);
	faults.count = 0;
	while (bheap_alloc(twins->heap, BLOCK))
		;
	ck_assert_int_eq(bheap_check(twins->heap, NULL), 0);
	bheap_destroy(twins->heap);
	munmap(twins->start, HEAP_SIZE);
}

/* Every call rebuilds three times, reports each, and goes by the map then. */
START_TEST(an_allocation_needs_no_index)
{
	struct twins twins;
	uint64_t *slot;
	char *block;

	twins_make(&twins);
	slot = (uint64_t *)(void *)twins.blocks[0];
	*slot = 5;
	block = bheap_alloc_into(twins.heap, slot, BLOCK);
	ck_assert_ptr_nonnull(block);
	faults_were(3);
	ck_assert(block == twins.blocks[twins.first] || block == twins.blocks[twins.second]);
	ck_assert_uint_eq(*slot, bheap_offset(twins.heap, block));
	ck_assert(bheap_owns(twins.heap, block));
	twins_part(&twins, 0);
}
END_TEST

START_TEST(a_free_needs_no_index)
{
	struct bheap_stats before, after;
	struct twins twins;
	char *block;

	twins_make(&twins);
	block = twins.blocks[twins.first + 1];
	bheap_stats(twins.heap, &before);
	ck_assert_int_eq(heap_free(twins.heap, block), 0);
	faults_were(3);
	bheap_stats(twins.heap, &after);
	ck_assert_uint_eq(after.live_blocks, before.live_blocks - 1);
	ck_assert_uint_eq(after.used, before.used - BLOCK);
	ck_assert_uint_eq(after.frees, before.frees + 1);
	ck_assert(!bheap_owns(twins.heap, block));
	twins_part(&twins, 0);
}
END_TEST

START_TEST(a_free_from_a_slot_needs_no_index)
{
	struct twins twins;
	uint64_t *slot;
	char *block;

	twins_make(&twins);
	block = twins.blocks[twins.first + 1];
	slot = (uint64_t *)(void *)twins.blocks[0];
	*slot = bheap_offset(twins.heap, block);
	ck_assert_int_eq(bheap_free_from(twins.heap, slot), 0);
	faults_were(3);
	ck_assert_uint_eq(*slot, 0);
	ck_assert(!bheap_owns(twins.heap, block));
	twins_part(&twins, 0);
}
END_TEST

/* It moves, and the old place, beside the damage, is freed. */
START_TEST(a_realloc_moves_away)
{
	struct twins twins;
	char *block, *moved;

	twins_make(&twins);
	ck_assert_int_eq(heap_free(twins.heap, twins.blocks[twins.count - 1]), 0);
	ck_assert_int_eq(heap_free(twins.heap, twins.blocks[twins.count - 2]), 0);
	block = twins.blocks[twins.first - 1];
	pattern_fill(block, BLOCK, 7);
	moved = bheap_realloc(twins.heap, block, 2 * BLOCK);
	ck_assert_ptr_eq(moved, twins.blocks[twins.count - 2]);
	ck_assert(pattern_holds(moved, BLOCK, 7));
	faults_were(6);
	ck_assert(!bheap_owns(twins.heap, block));
	twins_part(&twins, 0);
}
END_TEST

START_TEST(a_slide_gives_up)
{
	struct twins twins;
	char *block;

	twins_make(&twins);
	block = twins.blocks[twins.first + 1];
	pattern_fill(block, BLOCK, 9);
	ck_assert_ptr_null(bheap_realloc(twins.heap, block, 2 * BLOCK));
	ck_assert_errno(ENOMEM);
	faults_were(3);
	ck_assert(bheap_owns(twins.heap, block));
	ck_assert(pattern_holds(block, BLOCK, 9));
	twins_part(&twins, -1);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("damage", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, a_larger_block_to_cut_from, 0, 8);
	tcase_add_test(tcase, a_link_into_a_live_block);
	tcase_add_loop_test(tcase, a_neighbour_to_merge_with, 0, 2);
	tcase_add_test(tcase, a_link_behind_the_block_that_fits);
	tcase_add_loop_test(tcase, a_block_that_is_none, 0, 2);
	tcase_add_test(tcase, the_size_of_a_block_to_align_in);
	tcase_add_loop_test(tcase, the_block_in_front_of_a_slide, 0, 3);
	tcase_add_loop_test(tcase, an_allocation_needs_a_sound_map, 0, 4);
	tcase_add_test(tcase, a_free_needs_no_counters);
	tcase_add_test(tcase, a_realloc_needs_no_counters);
	tcase_add_test(tcase, a_slide_needs_a_sound_map);
	tcase_add_test(tcase, a_block_too_small_for_its_trailer);
	tcase_add_test(tcase, no_slide_where_heaps_are_shared);
	tcase_add_loop_test(tcase, an_allocation_asks_after_its_report, 0, 3);
	tcase_add_loop_test(tcase, a_realloc_asks_after_its_report, 0, 3);
	if (!is_watched()) { /* the tools know nothing of memory in two places */
		tcase_add_test(tcase, an_allocation_needs_no_index);
		tcase_add_test(tcase, a_free_needs_no_index);
		tcase_add_test(tcase, a_free_from_a_slot_needs_no_index);
		tcase_add_test(tcase, a_realloc_moves_away);
		tcase_add_test(tcase, a_slide_gives_up);
	}
	return suite_run(suite);
}
