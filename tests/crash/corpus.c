/* SPDX-License-Identifier: MIT */
/*
 * corpus.c - the operations. Scenes are built of blocks that stay, of holes between them, and of
 * the free rest behind them (the top), or of a heap filled up where that is in the way.
 */
#include "corpus.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Sizes below and above what the bins of a heap of SCENE_SIZE tell apart to the granule. */
enum { TINY = 48, SMALL = 240, LARGE = 1104, HUGE = 2208 };

/* ---- scenery ---- */

static size_t trailer(const struct scene *scene)
{
	return scene_block_size(scene, 1) - BHEAP_ALIGNMENT;
}

/* A wall: neighbours of a hole that are never free. */
static void wall(struct scene *scene, bheap_t *heap)
{
	scene_put(scene, heap, 32);
}

/* Memory that becomes a hole when it is freed; walled in. */
static void *hole_begin(struct scene *scene, bheap_t *heap, size_t size)
{
	void *hole;

	wall(scene, heap);
	hole = bheap_alloc(heap, size);
	if (!hole)
		errx(1, "no room for a hole");
	wall(scene, heap);
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

static uint64_t hole(struct scene *scene, bheap_t *heap, size_t size)
{
	return hole_end(heap, hole_begin(scene, heap, size));
}

/* Takes all that is free but the holes made later. */
static void fill_up(struct scene *scene, bheap_t *heap)
{
	struct bheap_stats stats;

	while (bheap_stats(heap, &stats) == 0 && stats.largest_free > trailer(scene))
		scene_put(scene, heap, stats.largest_free - trailer(scene));
}

/*
 * A hole begun by a split, whose rest is the designated victim; returns the block in front of it.
 */
static struct known *victim(struct scene *scene, bheap_t *heap, size_t front, size_t rest)
{
	hole(scene, heap, scene_block_size(scene, front) + rest - trailer(scene));
	return scene_put(scene, heap, front);
}

static struct known *known_last(struct scene *scene)
{
	return &scene->blocks[scene->count - 1];
}

static void *address(struct scene *scene, bheap_t *heap, unsigned index)
{
	return bheap_pointer(heap, scene->blocks[index].offset);
}

static void tell(struct scene *scene, bheap_t *heap, const void *block)
{
	scene->result = bheap_offset(heap, block);
}

static void expect_alloc(struct scene *scene, size_t size, uint64_t at)
{
	scene->gain = scene_block_size(scene, size);
	scene->expected = at;
}

static uint64_t behind(const struct known *known)
{
	return known->offset + known->size;
}

/* ---- allocate ---- */

static void tiny_run(struct scene *scene, bheap_t *heap)
{
	tell(scene, heap, bheap_alloc(heap, TINY));
}

static void large_run(struct scene *scene, bheap_t *heap)
{
	tell(scene, heap, bheap_alloc(heap, LARGE));
}

static void exact_prepare(struct scene *scene, bheap_t *heap)
{
	expect_alloc(scene, TINY, hole(scene, heap, TINY));
}

static void exact_large_prepare(struct scene *scene, bheap_t *heap)
{
	expect_alloc(scene, LARGE, hole(scene, heap, LARGE));
}

static void split_prepare(struct scene *scene, bheap_t *heap)
{
	expect_alloc(scene, TINY, hole(scene, heap, SMALL));
}

/* A second split: the rest of the first leaves the place of the victim for a bin. */
static void split_again_prepare(struct scene *scene, bheap_t *heap)
{
	victim(scene, heap, 64, 16 + trailer(scene));
	expect_alloc(scene, TINY, hole(scene, heap, SMALL));
}

static void split_large_prepare(struct scene *scene, bheap_t *heap)
{
	expect_alloc(scene, LARGE, hole(scene, heap, HUGE));
}

/*
 * A wall behind which a block of TINY ends where word 2 of the map begins: there the tag of what
 * begins in word 1 has a bit.
 */
static void wall_before_word(struct scene *scene, bheap_t *heap)
{
	size_t word = (size_t)2 * 64 * BHEAP_ALIGNMENT;

	wall(scene, heap);
	scene_put(scene, heap,
		  word - scene_block_size(scene, TINY) - (size_t)behind(known_last(scene)) -
			  trailer(scene));
}

static void split_tag_prepare(struct scene *scene, bheap_t *heap)
{
	void *hole;

	wall_before_word(scene, heap);
	hole = bheap_alloc(heap, 2 * HUGE);
	wall(scene, heap);
	expect_alloc(scene, TINY, hole_end(heap, hole));
}

static void victim_prepare(struct scene *scene, bheap_t *heap)
{
	const struct known *front = victim(scene, heap, 64, 192);

	expect_alloc(scene, TINY, behind(front));
}

static void victim_whole_prepare(struct scene *scene, bheap_t *heap)
{
	const struct known *front = victim(scene, heap, 64, scene_block_size(scene, TINY));

	expect_alloc(scene, TINY, behind(front));
}

static void top_prepare(struct scene *scene, bheap_t *heap)
{
	wall(scene, heap);
	expect_alloc(scene, TINY, behind(known_last(scene)));
}

static void top_large_prepare(struct scene *scene, bheap_t *heap)
{
	wall(scene, heap);
	expect_alloc(scene, LARGE, behind(known_last(scene)));
}

static void top_whole_prepare(struct scene *scene, bheap_t *heap)
{
	struct bheap_stats stats;

	wall(scene, heap);
	if (bheap_stats(heap, &stats) == 0)
		scene_put(scene, heap,
			  stats.largest_free - scene_block_size(scene, TINY) - trailer(scene));
	expect_alloc(scene, TINY, behind(known_last(scene)));
}

static void no_room_prepare(struct scene *scene, bheap_t *heap)
{
	void *hole = hole_begin(scene, heap, TINY);

	fill_up(scene, heap);
	bheap_free(heap, hole);
}

/* One block in a class fits, behind more smaller ones than a bounded probe looks at. */
static void search_prepare(struct scene *scene, bheap_t *heap)
{
	void *holes[12];

	holes[0] = hole_begin(scene, heap, LARGE);
	for (unsigned index = 1; index < COUNT(holes); index++)
		holes[index] = hole_begin(scene, heap, LARGE - BHEAP_ALIGNMENT);
	fill_up(scene, heap);
	expect_alloc(scene, LARGE, hole_end(heap, holes[0]));
	for (unsigned index = 1; index < COUNT(holes); index++)
		hole_end(heap, holes[index]);
}

static void calloc_run(struct scene *scene, bheap_t *heap)
{
	tell(scene, heap, bheap_calloc(heap, TINY / 16, 16));
}

static void realloc_null_run(struct scene *scene, bheap_t *heap)
{
	tell(scene, heap, bheap_realloc(heap, NULL, TINY));
}

/* ---- aligned ---- */

enum { ALIGNMENT = 512 };

static void aligned_run(struct scene *scene, bheap_t *heap)
{
	tell(scene, heap, bheap_aligned_alloc(heap, ALIGNMENT, TINY));
}

/* Offsets count from a granule that is not aligned in memory itself. */
static uint64_t aligned_behind(bheap_t *heap, uint64_t offset)
{
	uintptr_t at = (uintptr_t)bheap_pointer(heap, offset);

	return offset + (-at & (ALIGNMENT - 1));
}

static void aligned_hole_prepare(struct scene *scene, bheap_t *heap)
{
	expect_alloc(scene, TINY, aligned_behind(heap, hole(scene, heap, HUGE)));
}

static void aligned_top_prepare(struct scene *scene, bheap_t *heap)
{
	wall(scene, heap);
	expect_alloc(scene, TINY, aligned_behind(heap, behind(known_last(scene))));
}

static void aligned_victim_prepare(struct scene *scene, bheap_t *heap)
{
	const struct known *front = victim(scene, heap, 64, LARGE);

	expect_alloc(scene, TINY, aligned_behind(heap, behind(front)));
}

/* The only place is a hole of just the size, at just the address: with and without a rest. */
static void aligned_place(struct scene *scene, bheap_t *heap, size_t size)
{
	void *place;

	wall(scene, heap);
	place = bheap_aligned_alloc(heap, ALIGNMENT, size);
	wall(scene, heap);
	fill_up(scene, heap);
	expect_alloc(scene, TINY, hole_end(heap, place));
}

static void aligned_exact_prepare(struct scene *scene, bheap_t *heap)
{
	aligned_place(scene, heap, TINY);
}

static void aligned_rest_prepare(struct scene *scene, bheap_t *heap)
{
	aligned_place(scene, heap, TINY + 64);
}

/* ---- free ---- */

/* Frees the last known block. */
static void free_run(struct scene *scene, bheap_t *heap)
{
	unsigned last = scene->count - 1;

	if (bheap_free(heap, address(scene, heap, last)) == 0)
		scene->result = scene->blocks[last].offset;
}

static void expect_free(struct scene *scene)
{
	known_last(scene)->fate = MAY_GO;
	scene->expected = known_last(scene)->offset;
}

/* A block to free with memory in front of and behind it that is free, or not. */
static void free_between(struct scene *scene, bheap_t *heap, bool left, bool right)
{
	void *front, *middle, *back;

	wall(scene, heap);
	front = bheap_alloc(heap, SMALL);
	middle = bheap_alloc(heap, TINY);
	back = bheap_alloc(heap, SMALL);
	wall(scene, heap);
	if (left)
		bheap_free(heap, front);
	else
		scene_adopt(scene, heap, front, SMALL);
	if (right)
		bheap_free(heap, back);
	else
		scene_adopt(scene, heap, back, SMALL);
	scene_adopt(scene, heap, middle, TINY);
	expect_free(scene);
}

static void free_none_prepare(struct scene *scene, bheap_t *heap)
{
	free_between(scene, heap, false, false);
}

static void free_left_prepare(struct scene *scene, bheap_t *heap)
{
	free_between(scene, heap, true, false);
}

static void free_right_prepare(struct scene *scene, bheap_t *heap)
{
	free_between(scene, heap, false, true);
}

/* The block behind is the only one that starts in its word. */
static void free_right_tag_prepare(struct scene *scene, bheap_t *heap)
{
	void *middle, *back;

	wall_before_word(scene, heap);
	middle = bheap_alloc(heap, TINY);
	back = bheap_alloc(heap, 2 * HUGE);
	wall(scene, heap);
	bheap_free(heap, back);
	scene_adopt(scene, heap, middle, TINY);
	expect_free(scene);
}

static void free_both_prepare(struct scene *scene, bheap_t *heap)
{
	free_between(scene, heap, true, true);
}

static void free_top_prepare(struct scene *scene, bheap_t *heap)
{
	wall(scene, heap);
	scene_put(scene, heap, TINY);
	expect_free(scene);
}

static void free_left_top_prepare(struct scene *scene, bheap_t *heap)
{
	void *front;

	wall(scene, heap);
	front = bheap_alloc(heap, SMALL);
	scene_put(scene, heap, TINY);
	bheap_free(heap, front);
	expect_free(scene);
}

/* The block in front of the victim, and the one behind it. */
static void free_victim_right_prepare(struct scene *scene, bheap_t *heap)
{
	victim(scene, heap, 64, 192);
	expect_free(scene);
}

static void free_victim_left_prepare(struct scene *scene, bheap_t *heap)
{
	void *whole, *last;

	wall(scene, heap);
	whole = bheap_alloc(heap, SMALL);
	last = bheap_alloc(heap, TINY);
	wall(scene, heap);
	bheap_free(heap, whole);
	scene_put(scene, heap, 64);
	scene_adopt(scene, heap, last, TINY);
	expect_free(scene);
}

/* Far from its neighbours: the map is searched beyond the words at hand. */
static void free_far_prepare(struct scene *scene, bheap_t *heap)
{
	void *front, *middle, *back;

	wall(scene, heap);
	front = bheap_alloc(heap, (size_t)12 * 1024);
	middle = bheap_alloc(heap, (size_t)8 * 1024);
	back = bheap_alloc(heap, (size_t)12 * 1024);
	wall(scene, heap);
	bheap_free(heap, front);
	bheap_free(heap, back);
	scene_adopt(scene, heap, middle, (size_t)8 * 1024);
	expect_free(scene);
}

/* ---- resize ---- */

/* Resizes the last known block to the difference of its sizes. */
static void resize_to(struct scene *scene, bheap_t *heap, size_t size)
{
	tell(scene, heap, bheap_realloc(heap, address(scene, heap, scene->count - 1), size));
}

static void to_tiny_run(struct scene *scene, bheap_t *heap)
{
	resize_to(scene, heap, TINY);
}

static void to_small_run(struct scene *scene, bheap_t *heap)
{
	resize_to(scene, heap, SMALL);
}

static void expect_resize(struct scene *scene, size_t size)
{
	struct known *known = known_last(scene);

	known->fate = MAY_CHANGE;
	known->new_size = scene_block_size(scene, size);
	if (known->content > size)
		known->content = size;
	scene->expected = known->offset;
}

/* A block of one size with room or none behind it. */
static void resize_before(struct scene *scene, bheap_t *heap, size_t size, size_t room)
{
	void *block, *back;

	wall(scene, heap);
	block = bheap_alloc(heap, size);
	back = room ? bheap_alloc(heap, room) : NULL;
	wall(scene, heap);
	bheap_free(heap, back);
	scene_adopt(scene, heap, block, size);
}

static void shrink_used_prepare(struct scene *scene, bheap_t *heap)
{
	resize_before(scene, heap, SMALL, 0);
	expect_resize(scene, TINY);
}

static void shrink_free_prepare(struct scene *scene, bheap_t *heap)
{
	resize_before(scene, heap, SMALL, 64);
	expect_resize(scene, TINY);
}

static void shrink_top_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put(scene, heap, SMALL);
	expect_resize(scene, TINY);
}

static void shrink_victim_prepare(struct scene *scene, bheap_t *heap)
{
	victim(scene, heap, SMALL, 64);
	expect_resize(scene, TINY);
}

static void same_prepare(struct scene *scene, bheap_t *heap)
{
	resize_before(scene, heap, SMALL - 1, 64);
	expect_resize(scene, SMALL);
}

static void grow_exact_prepare(struct scene *scene, bheap_t *heap)
{
	resize_before(scene, heap, TINY, SMALL - TINY - trailer(scene));
	expect_resize(scene, SMALL);
}

static void grow_rest_prepare(struct scene *scene, bheap_t *heap)
{
	resize_before(scene, heap, TINY, SMALL);
	expect_resize(scene, SMALL);
}

static void grow_top_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put(scene, heap, TINY);
	expect_resize(scene, SMALL);
}

static void grow_victim_prepare(struct scene *scene, bheap_t *heap)
{
	victim(scene, heap, TINY, SMALL);
	expect_resize(scene, SMALL);
}

static void move_prepare(struct scene *scene, bheap_t *heap)
{
	resize_before(scene, heap, TINY, 0);
	expect_resize(scene, SMALL);
	known_last(scene)->fate = MAY_MOVE;
	scene->gain = known_last(scene)->new_size;
	scene->expected += known_last(scene)->size + scene_block_size(scene, 32);
}

static void move_no_room_prepare(struct scene *scene, bheap_t *heap)
{
	void *block = hole_begin(scene, heap, TINY);

	fill_up(scene, heap);
	scene_adopt(scene, heap, block, TINY);
}

/* ---- slots and root ---- */

static void into_run(struct scene *scene, bheap_t *heap)
{
	tell(scene, heap, bheap_alloc_into(heap, bheap_pointer(heap, scene->slot), TINY));
}

static void from_run(struct scene *scene, bheap_t *heap)
{
	uint64_t *slot = bheap_pointer(heap, scene->slot);
	uint64_t offset = *slot;

	if (bheap_free_from(heap, slot) == 0 && !*slot)
		scene->result = offset;
}

static void into_top_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	top_prepare(scene, heap);
}

static void into_exact_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	exact_prepare(scene, heap);
}

static void into_split_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	split_prepare(scene, heap);
}

static void into_victim_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	victim_prepare(scene, heap);
}

static void into_no_room_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	fill_up(scene, heap);
}

static void slot_set(struct scene *scene, bheap_t *heap)
{
	uint64_t *slot = bheap_pointer(heap, scene->slot);

	*slot = known_last(scene)->offset;
}

static void from_none_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	free_none_prepare(scene, heap);
	slot_set(scene, heap);
}

static void from_both_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	free_both_prepare(scene, heap);
	slot_set(scene, heap);
}

static void from_top_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	free_top_prepare(scene, heap);
	slot_set(scene, heap);
}

static void from_victim_prepare(struct scene *scene, bheap_t *heap)
{
	scene_put_slot(scene, heap);
	free_victim_right_prepare(scene, heap);
	slot_set(scene, heap);
}

static void root_prepare(struct scene *scene, bheap_t *heap)
{
	wall(scene, heap);
	wall(scene, heap);
	bheap_set_root(heap, address(scene, heap, 0));
	scene->root = scene->blocks[0].offset;
	scene->new_root = scene->expected = scene->blocks[1].offset;
}

static void root_run(struct scene *scene, bheap_t *heap)
{
	bheap_set_root(heap, address(scene, heap, 1));
	tell(scene, heap, bheap_root(heap));
}

/* ---- owners ---- */

/* Blocks of a process that has ended, between blocks of one that has not. */
static void reclaim_prepare(struct scene *scene, bheap_t *heap)
{
	enum { DEAD = 4 };
	void *holes[DEAD];
	pid_t pid;

	for (unsigned index = 0; index < DEAD; index++) {
		holes[index] = bheap_alloc(heap, TINY);
		if (index % 2)
			wall(scene, heap);
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
	scene->dead = DEAD;
	scene->expected = DEAD;
	scene->gain = scene_block_size(scene, TINY);
}

static void reclaim_run(struct scene *scene, bheap_t *heap)
{
	scene->result = (uint64_t)bheap_reclaim(heap);
}

/* ---- what only looks, and what gives pages back ---- */

static void look_run(struct scene *scene, bheap_t *heap)
{
	struct bheap_stats stats;

	if (bheap_stats(heap, &stats) == 0 && bheap_owns(heap, address(scene, heap, 0)) &&
	    bheap_usable_size(heap, address(scene, heap, 0)))
		scene->result = scene->blocks[0].offset;
}

static void look_prepare(struct scene *scene, bheap_t *heap)
{
	hole(scene, heap, TINY);
	scene->expected = scene->blocks[0].offset;
}

static void trim_prepare(struct scene *scene, bheap_t *heap)
{
	hole(scene, heap, (size_t)20 * 1024);
	scene->expected = 1;
}

static void trim_run(struct scene *scene, bheap_t *heap)
{
	scene->result = bheap_trim(heap) > 0;
}

/* ---- rebuild ---- */

/* A free block was written to: whoever meets it makes the index anew. */
static void heal_prepare(struct scene *scene, bheap_t *heap)
{
	void *tiny = hole_begin(scene, heap, TINY), *small = hole_begin(scene, heap, SMALL);

	hole_end(heap, small);
	expect_alloc(scene, TINY, hole_end(heap, tiny));
	memset(bheap_pointer(heap, scene->expected), 0xee, TINY);
	scene->scribbled = TINY;
}

static void heal_free_prepare(struct scene *scene, bheap_t *heap)
{
	free_both_prepare(scene, heap);
	memset((char *)bheap_pointer(heap, known_last(scene)->offset) -
		       scene_block_size(scene, SMALL),
	       0xee, 16);
	scene->scribbled = SMALL;
}

/* ---- open and close ---- */

static void open_prepare(struct scene *scene, bheap_t *heap)
{
	hole(scene, heap, TINY);
	scene->expected = 1;
}

static void make_prepare(struct scene *scene, bheap_t *heap)
{
	(void)heap;
	scene->expected = 1;
}

static void make_run(struct scene *scene, bheap_t *heap)
{
	scene->result = bheap_open_fd(scene->fd, SCENE_SIZE, scene->flags) != NULL;
	(void)heap;
}

static void make_named_run(struct scene *scene, bheap_t *heap)
{
	scene->result =
		bheap_open(scene->name, SCENE_SIZE, O_RDWR | O_CREAT, 0600, scene->flags) != NULL;
	(void)heap;
}

static void open_run(struct scene *scene, bheap_t *heap)
{
	scene->result = bheap_open_fd(scene->fd, 0, 0) != NULL;
	(void)heap;
}

static void close_run(struct scene *scene, bheap_t *heap)
{
	scene->result = bheap_close(heap) == 0;
}

/* ---- recover ---- */

static void recover_run(struct scene *scene, bheap_t *heap)
{
	scene->result = bheap_check(heap, NULL) == 0 ? scene->expected : ~scene->expected;
}

static void recover_open_run(struct scene *scene, bheap_t *heap)
{
	heap = bheap_open_fd(scene->fd, 0, 0);
	scene->result = heap ? scene->expected : ~scene->expected;
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
	{"reclaim", reclaim_prepare, reclaim_run, 0, BHEAP_OWNED},
	{"stats, owns, usable_size", look_prepare, look_run, 0, 0},
	{"trim", trim_prepare, trim_run, 0, 0},
	{"rebuild on alloc", heal_prepare, tiny_run, HEALS, 0},
	{"rebuild on free", heal_free_prepare, free_run, HEALS, 0},
	{"make", make_prepare, make_run, OPENS | MAKES, 0},
	{"make by name", make_prepare, make_named_run, OPENS | MAKES | NAMED, 0},
	{"open", open_prepare, open_run, OPENS, 0},
	{"close", open_prepare, close_run, 0, 0},
};
const unsigned corpus_count = COUNT(corpus);
