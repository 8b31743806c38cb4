/* SPDX-License-Identifier: MIT */
/*
 * corpus.c - the operations. Heaps are built of blocks that stay, of holes between them, and of
 * the free rest after them (the top), or of a heap filled up where that is in the way.
 */
#include "corpus.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Sizes below and above what the bins of a heap of EXPECT_SIZE tell apart to the granule. */
enum { TINY = 48, SMALL = 240, LARGE = 1104, HUGE = 2208 };

/* ---- scenery ---- */

static size_t trailer(const struct expect *expect)
{
	return expect_block_size(expect, 1) - BHEAP_ALIGNMENT;
}

/* A wall: neighbours of a hole that are never free. */
static void wall(struct expect *expect, bheap_t *heap)
{
	expect_put(expect, heap, 32);
}

/* Memory that becomes a hole when it is freed; walled in. */
static void *hole_begin(struct expect *expect, bheap_t *heap, size_t size)
{
	void *hole;

	wall(expect, heap);
	hole = bheap_alloc(heap, size);
	if (!hole)
		errx(1, "no room for a hole");
	wall(expect, heap);
	return hole;
}

/* Ends a hole's life as a block; where it is. */
static uint64_t hole_end(bheap_t *heap, void *hole)
{
	uint64_t offset = bheap_offset(heap, hole);

	if (bheap_free(heap, hole))
		err(1, "a hole");
	return offset;
}

static uint64_t hole(struct expect *expect, bheap_t *heap, size_t size)
{
	return hole_end(heap, hole_begin(expect, heap, size));
}

/* Takes all that is free but the holes made later. */
static void fill_up(struct expect *expect, bheap_t *heap)
{
	struct bheap_stats stats;

	while (bheap_stats(heap, &stats) == 0 && stats.largest_free > trailer(expect))
		expect_put(expect, heap, stats.largest_free - trailer(expect));
}

/*
 * A hole begun by a split, whose rest is the designated victim; returns the block before it.
 */
static struct known *victim(struct expect *expect, bheap_t *heap, size_t first, size_t rest)
{
	hole(expect, heap, expect_block_size(expect, first) + rest - trailer(expect));
	return expect_put(expect, heap, first);
}

static struct known *known_last(struct expect *expect)
{
	return &expect->blocks[expect->count - 1];
}

static void *address(struct expect *expect, bheap_t *heap, unsigned index)
{
	return bheap_pointer(heap, expect->blocks[index].offset);
}

static void tell(struct expect *expect, bheap_t *heap, const void *block)
{
	expect->result = bheap_offset(heap, block);
}

static void expect_alloc(struct expect *expect, size_t size, uint64_t at)
{
	expect->gain = expect_block_size(expect, size);
	expect->expected = at;
}

static uint64_t end_of(const struct known *known)
{
	return known->offset + known->size;
}

/* ---- allocate ---- */

static void tiny_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_alloc(heap, TINY));
}

static void large_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_alloc(heap, LARGE));
}

static void exact_prepare(struct expect *expect, bheap_t *heap)
{
	expect_alloc(expect, TINY, hole(expect, heap, TINY));
}

static void exact_large_prepare(struct expect *expect, bheap_t *heap)
{
	expect_alloc(expect, LARGE, hole(expect, heap, LARGE));
}

static void split_prepare(struct expect *expect, bheap_t *heap)
{
	expect_alloc(expect, TINY, hole(expect, heap, SMALL));
}

/* A second split: the rest of the first leaves the place of the victim for a bin. */
static void split_again_prepare(struct expect *expect, bheap_t *heap)
{
	victim(expect, heap, 64, 16 + trailer(expect));
	expect_alloc(expect, TINY, hole(expect, heap, SMALL));
}

static void split_large_prepare(struct expect *expect, bheap_t *heap)
{
	expect_alloc(expect, LARGE, hole(expect, heap, HUGE));
}

/*
 * A wall after which a block of TINY ends where word 2 of the map begins: there the tag of what
 * begins in word 1 has a bit.
 */
static void wall_before_word(struct expect *expect, bheap_t *heap)
{
	size_t word = (size_t)2 * 64 * BHEAP_ALIGNMENT;

	wall(expect, heap);
	expect_put(expect, heap,
		   word - expect_block_size(expect, TINY) - (size_t)end_of(known_last(expect)) -
			   trailer(expect));
}

static void split_tag_prepare(struct expect *expect, bheap_t *heap)
{
	void *hole;

	wall_before_word(expect, heap);
	hole = bheap_alloc(heap, 2 * HUGE);
	wall(expect, heap);
	expect_alloc(expect, TINY, hole_end(heap, hole));
}

static void victim_prepare(struct expect *expect, bheap_t *heap)
{
	const struct known *first = victim(expect, heap, 64, 192);

	expect_alloc(expect, TINY, end_of(first));
}

static void victim_whole_prepare(struct expect *expect, bheap_t *heap)
{
	const struct known *first = victim(expect, heap, 64, expect_block_size(expect, TINY));

	expect_alloc(expect, TINY, end_of(first));
}

static void top_prepare(struct expect *expect, bheap_t *heap)
{
	wall(expect, heap);
	expect_alloc(expect, TINY, end_of(known_last(expect)));
}

static void top_large_prepare(struct expect *expect, bheap_t *heap)
{
	wall(expect, heap);
	expect_alloc(expect, LARGE, end_of(known_last(expect)));
}

static void top_whole_prepare(struct expect *expect, bheap_t *heap)
{
	struct bheap_stats stats;

	wall(expect, heap);
	if (bheap_stats(heap, &stats) == 0)
		expect_put(expect, heap,
			   stats.largest_free - expect_block_size(expect, TINY) - trailer(expect));
	expect_alloc(expect, TINY, end_of(known_last(expect)));
}

static void no_room_prepare(struct expect *expect, bheap_t *heap)
{
	void *hole = hole_begin(expect, heap, TINY);

	fill_up(expect, heap);
	bheap_free(heap, hole);
}

/* One block in a class fits, after more smaller ones than a bounded probe looks at. */
static void search_prepare(struct expect *expect, bheap_t *heap)
{
	void *holes[12];

	holes[0] = hole_begin(expect, heap, LARGE);
	for (unsigned index = 1; index < COUNT(holes); index++)
		holes[index] = hole_begin(expect, heap, LARGE - BHEAP_ALIGNMENT);
	fill_up(expect, heap);
	expect_alloc(expect, LARGE, hole_end(heap, holes[0]));
	for (unsigned index = 1; index < COUNT(holes); index++)
		hole_end(heap, holes[index]);
}

static void calloc_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_calloc(heap, TINY / 16, 16));
}

/* A string of TINY bytes, its end included. */
static void strdup_run(struct expect *expect, bheap_t *heap)
{
	char string[TINY];

	memset(string, 'x', TINY - 1);
	string[TINY - 1] = '\0';
	tell(expect, heap, bheap_strdup(heap, string));
}

static void realloc_null_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_realloc(heap, NULL, TINY));
}

/* ---- aligned ---- */

enum { ALIGNMENT = 512 };

static void aligned_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_aligned_alloc(heap, ALIGNMENT, TINY));
}

/* Offsets count from a granule that is not aligned in memory itself. */
static uint64_t aligned_after(bheap_t *heap, uint64_t offset)
{
	uintptr_t at = (uintptr_t)bheap_pointer(heap, offset);

	return offset + (-at & (ALIGNMENT - 1));
}

static void aligned_hole_prepare(struct expect *expect, bheap_t *heap)
{
	expect_alloc(expect, TINY, aligned_after(heap, hole(expect, heap, HUGE)));
}

static void aligned_top_prepare(struct expect *expect, bheap_t *heap)
{
	wall(expect, heap);
	expect_alloc(expect, TINY, aligned_after(heap, end_of(known_last(expect))));
}

static void aligned_victim_prepare(struct expect *expect, bheap_t *heap)
{
	const struct known *first = victim(expect, heap, 64, LARGE);

	expect_alloc(expect, TINY, aligned_after(heap, end_of(first)));
}

/* The only place is a hole of just the size, at just the address: with and without a rest. */
static void aligned_place(struct expect *expect, bheap_t *heap, size_t size)
{
	void *place;

	wall(expect, heap);
	place = bheap_aligned_alloc(heap, ALIGNMENT, size);
	wall(expect, heap);
	fill_up(expect, heap);
	expect_alloc(expect, TINY, hole_end(heap, place));
}

static void aligned_exact_prepare(struct expect *expect, bheap_t *heap)
{
	aligned_place(expect, heap, TINY);
}

static void aligned_rest_prepare(struct expect *expect, bheap_t *heap)
{
	aligned_place(expect, heap, TINY + 64);
}

/* ---- free ---- */

/* Frees the last known block. */
static void free_run(struct expect *expect, bheap_t *heap)
{
	unsigned last = expect->count - 1;

	if (bheap_free(heap, address(expect, heap, last)) == 0)
		expect->result = expect->blocks[last].offset;
}

static void expect_free(struct expect *expect)
{
	known_last(expect)->fate = MAY_GO;
	expect->expected = known_last(expect)->offset;
}

/* A block to free, with memory before and after it that is free, or not. */
static void free_between(struct expect *expect, bheap_t *heap, bool left, bool right)
{
	void *first, *middle, *last;

	wall(expect, heap);
	first = bheap_alloc(heap, SMALL);
	middle = bheap_alloc(heap, TINY);
	last = bheap_alloc(heap, SMALL);
	wall(expect, heap);
	if (left)
		bheap_free(heap, first);
	else
		expect_adopt(expect, heap, first, SMALL);
	if (right)
		bheap_free(heap, last);
	else
		expect_adopt(expect, heap, last, SMALL);
	expect_adopt(expect, heap, middle, TINY);
	expect_free(expect);
}

static void free_none_prepare(struct expect *expect, bheap_t *heap)
{
	free_between(expect, heap, false, false);
}

static void free_left_prepare(struct expect *expect, bheap_t *heap)
{
	free_between(expect, heap, true, false);
}

static void free_right_prepare(struct expect *expect, bheap_t *heap)
{
	free_between(expect, heap, false, true);
}

/* The next block is the only one that starts in its word. */
static void free_right_tag_prepare(struct expect *expect, bheap_t *heap)
{
	void *middle, *last;

	wall_before_word(expect, heap);
	middle = bheap_alloc(heap, TINY);
	last = bheap_alloc(heap, 2 * HUGE);
	wall(expect, heap);
	bheap_free(heap, last);
	expect_adopt(expect, heap, middle, TINY);
	expect_free(expect);
}

static void free_both_prepare(struct expect *expect, bheap_t *heap)
{
	free_between(expect, heap, true, true);
}

static void free_top_prepare(struct expect *expect, bheap_t *heap)
{
	wall(expect, heap);
	expect_put(expect, heap, TINY);
	expect_free(expect);
}

static void free_left_top_prepare(struct expect *expect, bheap_t *heap)
{
	void *first;

	wall(expect, heap);
	first = bheap_alloc(heap, SMALL);
	expect_put(expect, heap, TINY);
	bheap_free(heap, first);
	expect_free(expect);
}

/* The block before the victim, and the one after it. */
static void free_victim_right_prepare(struct expect *expect, bheap_t *heap)
{
	victim(expect, heap, 64, 192);
	expect_free(expect);
}

static void free_victim_left_prepare(struct expect *expect, bheap_t *heap)
{
	void *whole, *last;

	wall(expect, heap);
	whole = bheap_alloc(heap, SMALL);
	last = bheap_alloc(heap, TINY);
	wall(expect, heap);
	bheap_free(heap, whole);
	expect_put(expect, heap, 64);
	expect_adopt(expect, heap, last, TINY);
	expect_free(expect);
}

/* Far from its neighbours: the map is searched beyond the words at hand. */
static void free_far_prepare(struct expect *expect, bheap_t *heap)
{
	void *first, *middle, *last;

	wall(expect, heap);
	first = bheap_alloc(heap, (size_t)12 * 1024);
	middle = bheap_alloc(heap, (size_t)8 * 1024);
	last = bheap_alloc(heap, (size_t)12 * 1024);
	wall(expect, heap);
	bheap_free(heap, first);
	bheap_free(heap, last);
	expect_adopt(expect, heap, middle, (size_t)8 * 1024);
	expect_free(expect);
}

/* ---- resize ---- */

/* Resizes the last known block to the difference of its sizes. */
static void resize_to(struct expect *expect, bheap_t *heap, size_t size)
{
	tell(expect, heap, bheap_realloc(heap, address(expect, heap, expect->count - 1), size));
}

static void to_tiny_run(struct expect *expect, bheap_t *heap)
{
	resize_to(expect, heap, TINY);
}

/* The same in place, or not at all. */
static void in_place_to_small_run(struct expect *expect, bheap_t *heap)
{
	void *block = address(expect, heap, expect->count - 1);

	tell(expect, heap, bheap_resize(heap, block, SMALL) ? NULL : block);
}

static void to_small_run(struct expect *expect, bheap_t *heap)
{
	resize_to(expect, heap, SMALL);
}

static void expect_resize(struct expect *expect, size_t size)
{
	struct known *known = known_last(expect);

	known->fate = MAY_CHANGE;
	known->new_size = expect_block_size(expect, size);
	if (known->content > size)
		known->content = size;
	expect->expected = known->offset;
}

/* A block of one size with room or none after it. */
static void resize_before(struct expect *expect, bheap_t *heap, size_t size, size_t room)
{
	void *block, *last;

	wall(expect, heap);
	block = bheap_alloc(heap, size);
	last = room ? bheap_alloc(heap, room) : NULL;
	wall(expect, heap);
	bheap_free(heap, last);
	expect_adopt(expect, heap, block, size);
}

static void shrink_used_prepare(struct expect *expect, bheap_t *heap)
{
	resize_before(expect, heap, SMALL, 0);
	expect_resize(expect, TINY);
}

static void shrink_free_prepare(struct expect *expect, bheap_t *heap)
{
	resize_before(expect, heap, SMALL, 64);
	expect_resize(expect, TINY);
}

static void shrink_top_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put(expect, heap, SMALL);
	expect_resize(expect, TINY);
}

static void shrink_victim_prepare(struct expect *expect, bheap_t *heap)
{
	victim(expect, heap, SMALL, 64);
	expect_resize(expect, TINY);
}

static void same_prepare(struct expect *expect, bheap_t *heap)
{
	resize_before(expect, heap, SMALL - 1, 64);
	expect_resize(expect, SMALL);
}

static void grow_exact_prepare(struct expect *expect, bheap_t *heap)
{
	resize_before(expect, heap, TINY, SMALL - TINY - trailer(expect));
	expect_resize(expect, SMALL);
}

static void grow_rest_prepare(struct expect *expect, bheap_t *heap)
{
	resize_before(expect, heap, TINY, SMALL);
	expect_resize(expect, SMALL);
}

static void grow_top_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put(expect, heap, TINY);
	expect_resize(expect, SMALL);
}

static void grow_victim_prepare(struct expect *expect, bheap_t *heap)
{
	victim(expect, heap, TINY, SMALL);
	expect_resize(expect, SMALL);
}

static void move_prepare(struct expect *expect, bheap_t *heap)
{
	resize_before(expect, heap, TINY, 0);
	expect_resize(expect, SMALL);
	known_last(expect)->fate = MAY_MOVE;
	expect->gain = known_last(expect)->new_size;
	expect->expected += known_last(expect)->size + expect_block_size(expect, 32);
}

/* To an address that is aligned, from one that is not. */
static void move_aligned_prepare(struct expect *expect, bheap_t *heap)
{
	move_prepare(expect, heap);
	expect->expected = aligned_after(heap, expect->expected);
}

static void move_aligned_run(struct expect *expect, bheap_t *heap)
{
	void *block = address(expect, heap, expect->count - 1);

	tell(expect, heap, bheap_aligned_realloc(heap, block, ALIGNMENT, SMALL));
}

static void move_no_room_prepare(struct expect *expect, bheap_t *heap)
{
	void *block = hole_begin(expect, heap, TINY);

	fill_up(expect, heap);
	expect_adopt(expect, heap, block, TINY);
}

/* ---- slots and root ---- */

static void into_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_alloc_into(heap, bheap_pointer(heap, expect->slot), TINY));
}

static void from_run(struct expect *expect, bheap_t *heap)
{
	uint64_t *slot = bheap_pointer(heap, expect->slot);
	uint64_t offset = *slot;

	if (bheap_free_from(heap, slot) == 0 && !*slot)
		expect->result = offset;
}

static void into_top_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	top_prepare(expect, heap);
}

static void into_exact_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	exact_prepare(expect, heap);
}

static void into_split_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	split_prepare(expect, heap);
}

static void into_victim_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	victim_prepare(expect, heap);
}

static void into_no_room_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	fill_up(expect, heap);
}

static void slot_set(struct expect *expect, bheap_t *heap)
{
	uint64_t *slot = bheap_pointer(heap, expect->slot);

	*slot = known_last(expect)->offset;
}

static void from_none_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	free_none_prepare(expect, heap);
	slot_set(expect, heap);
}

static void from_both_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	free_both_prepare(expect, heap);
	slot_set(expect, heap);
}

static void from_top_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	free_top_prepare(expect, heap);
	slot_set(expect, heap);
}

static void from_victim_prepare(struct expect *expect, bheap_t *heap)
{
	expect_put_slot(expect, heap);
	free_victim_right_prepare(expect, heap);
	slot_set(expect, heap);
}

static void root_prepare(struct expect *expect, bheap_t *heap)
{
	wall(expect, heap);
	wall(expect, heap);
	bheap_set_root(heap, address(expect, heap, 0));
	expect->root = expect->blocks[0].offset;
	expect->new_root = expect->expected = expect->blocks[1].offset;
}

static void root_run(struct expect *expect, bheap_t *heap)
{
	bheap_set_root(heap, address(expect, heap, 1));
	tell(expect, heap, bheap_root(heap));
}

static void root_alloc_prepare(struct expect *expect, bheap_t *heap)
{
	exact_prepare(expect, heap);
	expect->new_root = expect->expected;
	expect->root_is_slot = true;
}

static void root_alloc_run(struct expect *expect, bheap_t *heap)
{
	tell(expect, heap, bheap_root_alloc(heap, TINY));
}

/* ---- owners ---- */

/* Blocks of a process that has ended, between blocks of one that has not. */
static void reclaim_prepare(struct expect *expect, bheap_t *heap)
{
	enum { DEAD = 4 };
	void *holes[DEAD];
	pid_t pid;

	for (unsigned index = 0; index < DEAD; index++) {
		holes[index] = bheap_alloc(heap, TINY);
		if (index % 2)
			wall(expect, heap);
	}
	for (unsigned index = 0; index < DEAD; index++)
		bheap_free(heap, holes[index]);
	pid = fork();
	if (!pid) {
		for (unsigned index = 0; index < DEAD; index++)
			if (!bheap_alloc(heap, TINY))
				_exit(1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	expect->dead = DEAD;
	expect->expected = DEAD;
	expect->gain = expect_block_size(expect, TINY);
}

static void reclaim_run(struct expect *expect, bheap_t *heap)
{
	expect->result = (uint64_t)bheap_reclaim(heap);
}

/* ---- all at once ---- */

/* Blocks near and far, with holes, a victim and the top between and behind them; and a root. */
static void reset_prepare(struct expect *expect, bheap_t *heap)
{
	free_far_prepare(expect, heap);
	victim(expect, heap, 64, 192);
	resize_before(expect, heap, LARGE, SMALL);
	bheap_set_root(heap, address(expect, heap, 0));
	expect->root = expect->blocks[0].offset;
	for (unsigned index = 0; index < expect->count; index++)
		expect->blocks[index].fate = MAY_GO;
	expect->all_or_none = true;
	expect->expected = 1;
}

/* Up to the end of the heap. */
static void reset_full_prepare(struct expect *expect, bheap_t *heap)
{
	reset_prepare(expect, heap);
	fill_up(expect, heap);
	for (unsigned index = 0; index < expect->count; index++)
		expect->blocks[index].fate = MAY_GO;
}

static void reset_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_reset(heap) == 0;
}

/* ---- what only looks, and what gives pages back ---- */

static void look_run(struct expect *expect, bheap_t *heap)
{
	struct bheap_stats stats;

	if (bheap_stats(heap, &stats) == 0 && bheap_owns(heap, address(expect, heap, 0)) &&
	    bheap_usable_size(heap, address(expect, heap, 0)))
		expect->result = expect->blocks[0].offset;
}

static void look_prepare(struct expect *expect, bheap_t *heap)
{
	hole(expect, heap, TINY);
	expect->expected = expect->blocks[0].offset;
}

static void trim_prepare(struct expect *expect, bheap_t *heap)
{
	hole(expect, heap, (size_t)20 * 1024);
	expect->expected = 1;
}

static void trim_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_trim(heap) > 0;
}

/* ---- rebuild ---- */

/* A free block was written to: the call that meets it rebuilds the index. */
static void rebuild_prepare(struct expect *expect, bheap_t *heap)
{
	void *tiny = hole_begin(expect, heap, TINY), *small = hole_begin(expect, heap, SMALL);

	hole_end(heap, small);
	expect_alloc(expect, TINY, hole_end(heap, tiny));
	memset(bheap_pointer(heap, expect->expected), 0xee, TINY);
	expect->scribbled = TINY;
}

static void rebuild_free_prepare(struct expect *expect, bheap_t *heap)
{
	free_both_prepare(expect, heap);
	memset((char *)bheap_pointer(heap, known_last(expect)->offset) -
		       expect_block_size(expect, SMALL),
	       0xee, 16);
	expect->scribbled = SMALL;
}

/* ---- open and close ---- */

static void open_prepare(struct expect *expect, bheap_t *heap)
{
	hole(expect, heap, TINY);
	expect->expected = 1;
}

static void make_prepare(struct expect *expect, bheap_t *heap)
{
	(void)heap;
	expect->expected = 1;
}

static void make_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_open_fd(expect->fd, EXPECT_SIZE, expect->flags) != NULL;
	(void)heap;
}

static void make_named_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_open(expect->name, EXPECT_SIZE, O_RDWR | O_CREAT, 0600,
				    expect->flags) != NULL;
	(void)heap;
}

static void open_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_open_fd(expect->fd, 0, 0) != NULL;
	(void)heap;
}

static void close_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_close(heap) == 0;
}

/* ---- recover ---- */

static void recover_run(struct expect *expect, bheap_t *heap)
{
	expect->result = bheap_check(heap, NULL) == 0 ? expect->expected : ~expect->expected;
}

static void recover_open_run(struct expect *expect, bheap_t *heap)
{
	heap = bheap_open_fd(expect->fd, 0, 0);
	expect->result = heap ? expect->expected : ~expect->expected;
}

const struct operation recovery_by_lock = {"recovery by lock", NULL, recover_run, 0, 0};
const struct operation recovery_by_open = {"recovery by open", NULL, recover_open_run, OPENS, 0};

const struct operation corpus[] = {
	{"alloc exact", exact_prepare, tiny_run, AWAITED, 0},
	{"alloc exact, large", exact_large_prepare, large_run, 0, 0},
	{"alloc split", split_prepare, tiny_run, RECOVERED, 0},
	{"alloc split, old victim binned", split_again_prepare, tiny_run, 0, 0},
	{"alloc split, first start of a word", split_tag_prepare, tiny_run, 0, 0},
	{"alloc split, large", split_large_prepare, large_run, 0, 0},
	{"alloc victim", victim_prepare, tiny_run, 0, 0},
	{"alloc victim, whole", victim_whole_prepare, tiny_run, 0, 0},
	{"alloc top", top_prepare, tiny_run, 0, 0},
	{"alloc top, large", top_large_prepare, large_run, 0, 0},
	{"alloc top, whole", top_whole_prepare, tiny_run, 0, 0},
	{"alloc by search of a class", search_prepare, large_run, RECOVERED, 0},
	{"alloc, no room", no_room_prepare, large_run, 0, 0},
	{"calloc", split_prepare, calloc_run, 0, 0},
	{"strdup", split_prepare, strdup_run, 0, 0},
	{"realloc of NULL", split_prepare, realloc_null_run, 0, 0},
	{"aligned from a hole", aligned_hole_prepare, aligned_run, RECOVERED, 0},
	{"aligned from the top", aligned_top_prepare, aligned_run, 0, 0},
	{"aligned from the victim", aligned_victim_prepare, aligned_run, 0, 0},
	{"aligned by search, exact", aligned_exact_prepare, aligned_run, 0, 0},
	{"aligned by search, rest", aligned_rest_prepare, aligned_run, 0, 0},
	{"free, merge none", free_none_prepare, free_run, 0, 0},
	{"free, merge left", free_left_prepare, free_run, 0, 0},
	{"free, merge right, last start of a word", free_right_tag_prepare, free_run, 0, 0},
	{"free, merge right", free_right_prepare, free_run, 0, 0},
	{"free, merge both", free_both_prepare, free_run, RECOVERED | AWAITED, 0},
	{"free, merge both, far", free_far_prepare, free_run, 0, 0},
	{"free, merge top", free_top_prepare, free_run, 0, 0},
	{"free, merge left and top", free_left_top_prepare, free_run, 0, 0},
	{"free, merge victim left", free_victim_left_prepare, free_run, 0, 0},
	{"free, merge victim right", free_victim_right_prepare, free_run, 0, 0},
	{"shrink", shrink_used_prepare, to_tiny_run, 0, 0},
	{"shrink, merge right", shrink_free_prepare, to_tiny_run, 0, 0},
	{"shrink, merge top", shrink_top_prepare, to_tiny_run, 0, 0},
	{"shrink, merge victim", shrink_victim_prepare, to_tiny_run, 0, 0},
	{"resize to the same", same_prepare, to_small_run, 0, 0},
	{"grow exact", grow_exact_prepare, to_small_run, 0, 0},
	{"grow with rest", grow_rest_prepare, to_small_run, RECOVERED, 0},
	{"grow into the top", grow_top_prepare, to_small_run, 0, 0},
	{"grow into the victim", grow_victim_prepare, to_small_run, 0, 0},
	{"realloc by moving", move_prepare, to_small_run, 0, 0},
	{"realloc, no room", move_no_room_prepare, to_small_run, 0, 0},
	{"resize, grow with rest", grow_rest_prepare, in_place_to_small_run, 0, 0},
	{"resize, no room", move_no_room_prepare, in_place_to_small_run, 0, 0},
	{"aligned_realloc by moving", move_aligned_prepare, move_aligned_run, 0, 0},
	{"alloc_into, exact", into_exact_prepare, into_run, 0, 0},
	{"alloc_into, split", into_split_prepare, into_run, RECOVERED | CLOSELY | AWAITED, 0},
	{"alloc_into, victim", into_victim_prepare, into_run, 0, 0},
	{"alloc_into, top", into_top_prepare, into_run, 0, 0},
	{"alloc_into, no room", into_no_room_prepare, into_run, 0, 0},
	{"free_from, merge none", from_none_prepare, from_run, 0, 0},
	{"free_from, merge both", from_both_prepare, from_run, RECOVERED | AWAITED, 0},
	{"free_from, merge top", from_top_prepare, from_run, 0, 0},
	{"free_from, merge victim", from_victim_prepare, from_run, 0, 0},
	{"set_root", root_prepare, root_run, 0, 0},
	{"root_alloc", root_alloc_prepare, root_alloc_run, RECOVERED | AWAITED, 0},
	{"reclaim", reclaim_prepare, reclaim_run, 0, BHEAP_OWNED},
	{"reset", reset_prepare, reset_run, SOLE | RECOVERED, 0},
	{"reset of a full heap", reset_full_prepare, reset_run, SOLE, 0},
	{"stats, owns, usable_size", look_prepare, look_run, 0, 0},
	{"trim", trim_prepare, trim_run, 0, 0},
	{"rebuild on alloc", rebuild_prepare, tiny_run, REBUILDS, 0},
	{"rebuild on free", rebuild_free_prepare, free_run, REBUILDS, 0},
	{"make", make_prepare, make_run, OPENS | MAKES, 0},
	{"make by name", make_prepare, make_named_run, OPENS | MAKES | NAMED, 0},
	{"open", open_prepare, open_run, OPENS, 0},
	{"close", open_prepare, close_run, 0, 0},
};
const unsigned corpus_count = COUNT(corpus);
