/* SPDX-License-Identifier: MIT */
/*
 * test_exhaustive.c - all sequences of up to N operations on tiny heaps, each step held against a
 * model: which block has which granule, what lies in it, and every invariant; after a rebuild too.
 * The same through the block functions, which go the fast path first. Environment:
 * BHEAP_TEST_OPERATIONS sets N.
 */
#include "box.h"

#include <stdlib.h>

#include "core/verify.h"
#include "handle/handle.h"
#include "core/alloc.h"
#include "core/free.h"
#include "core/resize.h"
#include "core/rebuild.h"

#define SIZES 4
#define OPERATIONS_MAX 12
#define SPAN_MAX 200

struct world {
	const char *name;
	size_t span;
	unsigned shift;                      /* of the bins */
	enum { PLAIN, REALTIME, FAST } kind; /* FAST: by the block functions */
	uint32_t sizes[SIZES];               /* in granules */
	size_t alignment;
};

/*
 * The smallest heaps with the coarsest and the finest bins, and blocks across the words of the map.
 */
static const struct world worlds[] = {
	{"12 granules, bins of powers of two", 12, 0, PLAIN, {1, 2, 3, 5}, 64},
	{"12 granules, coarse bins", 12, 1, PLAIN, {1, 2, 4, 7}, 32},
	{"12 granules, exact bins", 12, 5, PLAIN, {1, 2, 3, 6}, 64},
	{"12 granules, real-time", 12, 0, REALTIME, {1, 2, 3, 5}, 64},
	{"130 granules, exact bins", 130, 5, PLAIN, {1, 33, 62, 64}, 1024},
	{"130 granules, large bins", 130, 2, PLAIN, {1, 17, 40, 65}, 512},
	{"12 granules, fast path", 12, 5, FAST, {1, 2, 3, 6}, 64},
	{"130 granules, fast path", 130, 5, FAST, {1, 17, 40, 63}, 512},
};

#define WORLDS ((int)(sizeof(worlds) / sizeof(*worlds)))

struct block {
	uint32_t start, granules;
	unsigned char mark; /* what its bytes are */
};

/* One state, to come back to. */
struct state {
	struct bh_core core;
	struct block live[OPERATIONS_MAX];
	unsigned count;
	char region[8192];
};

static const struct world *world;
static struct box box;
static bheap_t handle;   /* of the box's heap while a block function works */
static struct state now; /* all but the region, which is the box's */
static struct state saved[OPERATIONS_MAX];
static uint64_t states;
static unsigned depth_max;
static unsigned char next_mark;
static char trail[OPERATIONS_MAX * 24]; /* the operations so far, for the reader of a failure */

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("not so: %s, after%s", #condition, trail);                    \
	} while (0)

/* ---- states ---- */

static void state_save(struct state *state)
{
	*state = (struct state){.core = box.core, .count = now.count};
	memcpy(state->live, now.live, sizeof(now.live));
	memcpy(state->region, box.region, box.size);
}

static void state_restore(const struct state *state)
{
	box.core = state->core;
	now.count = state->count;
	memcpy(now.live, state->live, sizeof(now.live));
	memcpy(box.region, state->region, box.size);
}

/* ---- the model ---- */

static void block_mark(struct block *block)
{
	block->mark = ++next_mark ? next_mark : ++next_mark;
	memset(bh_core_address(&box.core, block->start), block->mark, bh_bytes(block->granules));
}

static void marks_check(const struct block *block)
{
	const unsigned char *bytes = bh_core_address(&box.core, block->start);

	for (size_t index = 0; index < bh_bytes(block->granules); index++)
		expect(bytes[index] == block->mark);
}

/* The block of each granule: 0 none, else its number from 1 on. No two have the same. */
static void owners_note(unsigned char *owners)
{
	memset(owners, 0, SPAN_MAX + 2);
	for (unsigned index = 0; index < now.count; index++)
		for (uint32_t at = 0; at < now.live[index].granules; at++) {
			expect(now.live[index].start + at < box.core.end);
			expect(!owners[now.live[index].start + at]);
			owners[now.live[index].start + at] = (unsigned char)(index + 1);
		}
}

/* The largest run of granules in no block; for an alignment, from the first that has it. */
static uint32_t largest_run(size_t alignment)
{
	unsigned char owners[SPAN_MAX + 2];
	uint32_t run = 0, largest = 0;

	owners_note(owners);
	for (uint32_t granule = BH_FIRST; granule < box.core.end; granule++) {
		bool aligned = (uintptr_t)bh_core_address(&box.core, granule) % alignment == 0;

		run = owners[granule] ? 0 : run || aligned ? run + 1 : 0;
		if (run > largest)
			largest = run;
	}
	return largest;
}

/* The blocks of the map are those of the model, and none is missing. */
static void map_compare(void)
{
	unsigned char owners[SPAN_MAX + 2];
	unsigned used = 0;

	owners_note(owners);
	for (uint32_t block = BH_FIRST, next; block < box.core.end; block = next) {
		next = bh_map_next(&box.core.map, block);
		if (!bh_map_is_used(&box.core.map, block)) {
			expect(!owners[block]);
			continue;
		}
		used++;
		expect(owners[block]);
		expect(now.live[owners[block] - 1].start == block);
		expect(now.live[owners[block] - 1].granules == next - block);
	}
	expect(used == now.count);
}

static void state_verify(void)
{
	struct bh_verify_finding finding = {0};

	states++;
	if (!bh_verify_map(&box.core, &finding) || !bh_verify_derived(&box.core, &finding))
		ck_abort_msg("%s, after%s", finding.detail, trail);
	expect(!box.core.bins.damaged);
	map_compare();
	for (unsigned index = 0; index < now.count; index++)
		marks_check(&now.live[index]);
}

/* What a rebuild makes of this state is this state again. */
static void rebuild_verify(void)
{
	struct bh_verify_finding finding = {0};

	bh_rebuild(&box.core);
	expect(bh_verify_map(&box.core, &finding) && bh_verify_derived(&box.core, &finding));
	map_compare();
}

/* ---- the operations ---- */

static void block_add(uint32_t start, uint32_t granules)
{
	now.live[now.count] = (struct block){.start = start, .granules = granules};
	block_mark(&now.live[now.count++]);
}

static uint32_t fast_allocate(uint32_t granules)
{
	void *ptr;

	handle.core = box.core;
	ptr = bheap_alloc(&handle, bh_bytes(granules));
	box.core = handle.core;
	return ptr ? bh_core_find(&box.core, ptr) : 0;
}

static void allocate(uint32_t granules)
{
	uint32_t run = largest_run(BH_GRANULE);
	uint32_t block =
		world->kind == FAST ? fast_allocate(granules) : bh_alloc_block(&box.core, granules);

	if (block)
		block_add(block, granules);
	else
		expect(run < (world->kind == REALTIME ? 2 * granules : granules));
}

static void allocate_aligned(uint32_t granules)
{
	uint32_t block = bh_alloc_aligned(&box.core, world->alignment, granules);

	if (block) {
		expect((uintptr_t)bh_core_address(&box.core, block) % world->alignment == 0);
		block_add(block, granules);
	} else if (world->kind != REALTIME) {
		expect(largest_run(world->alignment) < granules);
	}
}

static bool fast_release(uint32_t block)
{
	int result;

	handle.core = box.core;
	result = bheap_free(&handle, bh_core_address(&box.core, block));
	box.core = handle.core;
	return result == 0;
}

static void release(unsigned index)
{
	uint32_t block = now.live[index].start;

	expect(world->kind == FAST ? fast_release(block)
				   : bh_free_block(&box.core, block) == BH_DONE);
	now.live[index] = now.live[--now.count];
}

/* Room for a block where it is, up to the next that somebody has. */
static uint32_t room_in_place(const struct block *block)
{
	unsigned char owners[SPAN_MAX + 2];
	uint32_t end = block->start + block->granules;

	owners_note(owners);
	while (end < box.core.end && !owners[end])
		end++;
	return end - block->start;
}

/* In place; else down over the free block before it. */
static bool box_resize(const struct block *block, uint32_t *start, uint32_t granules)
{
	bool in_place = granules <= room_in_place(block);
	enum bh_core_status status = bh_resize_in_place(&box.core, *start, granules);

	expect(status == (in_place ? BH_DONE : BH_NO_ROOM));
	if (status == BH_NO_ROOM)
		status = bh_resize_slide(&box.core, start, granules, bh_bytes(block->granules));
	return status == BH_DONE;
}

/* In place; else by a copy; else down over the free block before it. */
static bool fast_resize(const struct block *block, uint32_t *start, uint32_t granules)
{
	bool in_place = granules <= room_in_place(block);
	uint32_t run = largest_run(BH_GRANULE);
	void *ptr = bh_core_address(&box.core, *start), *moved;

	handle.core = box.core;
	moved = bheap_realloc(&handle, ptr, bh_bytes(granules));
	box.core = handle.core;
	expect((moved == ptr) == in_place);
	expect(moved || run < granules);
	*start = moved ? bh_core_find(&box.core, moved) : *start;
	return moved;
}

/* The content comes along. */
static void resize(unsigned index, uint32_t granules)
{
	struct block *block = &now.live[index];
	uint32_t kept = block->granules < granules ? block->granules : granules;
	uint32_t start = block->start;

	if (world->kind == FAST ? fast_resize(block, &start, granules)
				: box_resize(block, &start, granules)) {
		struct block moved = {.start = start, .granules = kept, .mark = block->mark};

		marks_check(&moved);
		block->start = start;
		block->granules = granules;
		block_mark(block);
	}
}

/* ---- all of them ---- */

static void sequences_try(unsigned depth);

static void step(unsigned depth, const char *name, void (*operation)(unsigned, uint32_t),
		 unsigned index, uint32_t granules)
{
	size_t length = strlen(trail);

	snprintf(trail + length, sizeof(trail) - length, " %s(%u,%u)", name, index, granules);
	operation(index, granules);
	state_verify();
	sequences_try(depth + 1);
	trail[length] = '\0';
	state_restore(&saved[depth]);
}

static void do_allocate(unsigned index, uint32_t granules)
{
	(void)index;
	allocate(granules);
}

static void do_allocate_aligned(unsigned index, uint32_t granules)
{
	(void)index;
	allocate_aligned(granules);
}

static void do_release(unsigned index, uint32_t granules)
{
	(void)granules;
	release(index);
}

static void sequences_try(unsigned depth)
{
	if (depth == depth_max) {
		rebuild_verify();
		return;
	}
	state_save(&saved[depth]);
	for (int size = 0; size < SIZES; size++)
		step(depth, "allocate", do_allocate, 0, world->sizes[size]);
	step(depth, "aligned", do_allocate_aligned, 0, world->sizes[0]);
	step(depth, "aligned", do_allocate_aligned, 0, world->sizes[2]);
	for (unsigned index = 0; index < saved[depth].count; index++) {
		step(depth, "free", do_release, index, 0);
		for (int size = 0; size < SIZES; size++)
			if (world->sizes[size] != saved[depth].live[index].granules)
				step(depth, "resize", resize, index, world->sizes[size]);
	}
}

START_TEST(all_sequences)
{
	world = &worlds[_i];
	depth_max = (unsigned)environment_number("BHEAP_TEST_OPERATIONS", is_watched() ? 3 : 5);
	ck_assert_uint_le(depth_max, OPERATIONS_MAX);
	box_make(&box, world->span, world->shift);
	ck_assert_int_eq(bh_handle_init(&handle, BHEAP_UNLOCKED, BH_LOCK_NONE, NULL), 0);
	handle.annotated = false;
	handle.skip_lock = BH_SKIP_LOCK_ALWAYS;
	box.core.realtime = world->kind == REALTIME;
	box.core.slides = world->kind == FAST;
	ck_assert_uint_le(box.size, sizeof(now.region));
	sequences_try(0);
	printf("# %s: all sequences of up to %u operations, %ju states\n", world->name, depth_max,
	       (uintmax_t)states);
	fflush(stdout);
	ck_assert_uint_gt(states, 100);
	box_end(&box);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("exhaustive", &tcase, 3600);

	tcase_add_loop_test(tcase, all_sequences, 0, WORLDS);
	return suite_run(suite);
}
