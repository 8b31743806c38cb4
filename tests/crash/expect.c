/* SPDX-License-Identifier: MIT */
/*
 * expect.c - puts blocks with known content into a heap, and finds them again.
 */
#include "expect.h"

#include <err.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static unsigned char content_byte(const struct known *known, size_t index)
{
	return (unsigned char)(known->seed * 37u + index * 11u + (index >> 8) + 1u);
}

static void content_write(const struct known *known, unsigned char *bytes)
{
	for (size_t index = known->skip; index < known->content; index++)
		bytes[index] = content_byte(known, index);
}

static bool content_is_intact(const struct known *known, const unsigned char *bytes)
{
	for (size_t index = known->skip; index < known->content; index++)
		if (bytes[index] != content_byte(known, index))
			return false;
	return true;
}

/* ---- what is expected ---- */

void expect_clear(struct expect *expect, unsigned flags)
{
	memset(expect, 0, sizeof(*expect));
	expect->flags = flags;
}

size_t expect_block_size(const struct expect *expect, size_t size)
{
	size_t granules = (size + BHEAP_ALIGNMENT - 1) / BHEAP_ALIGNMENT;

	if (!granules)
		granules = 1;
	if (expect->flags & (BHEAP_GUARD | BHEAP_OWNED))
		granules++;
	return granules * BHEAP_ALIGNMENT;
}

struct known *expect_adopt(struct expect *expect, bheap_t *heap, void *block, size_t size)
{
	struct known *known = &expect->blocks[expect->count];

	if (!block || expect->count == EXPECT_BLOCKS)
		errx(1, "the expect needs a larger heap");
	*known = (struct known){
		.offset = bheap_offset(heap, block),
		.size = expect_block_size(expect, size),
		.content = size,
		.seed = (unsigned char)++expect->count,
	};
	known->new_size = known->size;
	content_write(known, block);
	return known;
}

struct known *expect_put(struct expect *expect, bheap_t *heap, size_t size)
{
	return expect_adopt(expect, heap, bheap_alloc(heap, size), size);
}

struct known *expect_put_slot(struct expect *expect, bheap_t *heap)
{
	struct known *known = expect_put(expect, heap, 4 * EXPECT_SLOT_ROOM);

	known->skip = EXPECT_SLOT_ROOM;
	expect->slot = known->offset;
	memset(bheap_pointer(heap, known->offset), 0, EXPECT_SLOT_ROOM);
	return known;
}

/* ---- finding it again ---- */

/* One look at a heap. */
struct look {
	struct expect *expect;
	bheap_t *heap;
	uint64_t next; /* where the next block must be */
	size_t used;
	unsigned extra; /* blocks that no record has */
	uint64_t extra_offset;
	size_t extra_size;
	unsigned live;
	uint64_t offsets[EXPECT_BLOCKS + 1];
};

bool expect_fail(struct expect *expect, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!expect->verdict[0])
		vsnprintf(expect->verdict, sizeof(expect->verdict), format, arguments);
	va_end(arguments);
	return false;
}

static struct known *known_at(struct expect *expect, uint64_t offset)
{
	for (unsigned index = 0; index < expect->count; index++)
		if (expect->blocks[index].offset == offset)
			return &expect->blocks[index];
	return NULL;
}

static bool known_is_right(struct expect *expect, const struct known *known, const void *address,
			   size_t size)
{
	bool may_change = known->fate == MAY_CHANGE || known->fate == MAY_MOVE;

	if (size != known->size && !(may_change && size == known->new_size))
		return expect_fail(expect, "block %#llx has %zu bytes, not %zu",
				   (unsigned long long)known->offset, size, known->size);
	if (!content_is_intact(known, address))
		return expect_fail(expect, "the content of block %#llx is torn",
				   (unsigned long long)known->offset);
	return true;
}

static int block_look(const struct bheap_block *block, void *arg)
{
	struct look *look = arg;
	struct expect *expect = look->expect;
	uint64_t offset = bheap_offset(look->heap, block->address);
	struct known *known = known_at(expect, offset);

	if (look->next && offset != look->next)
		expect_fail(expect, "a block begins at %#llx, not where the last one ends",
			    (unsigned long long)offset);
	look->next = offset + block->size;
	if (!block->used)
		return 0;
	look->used += block->size;
	if (look->live <= EXPECT_BLOCKS)
		look->offsets[look->live++] = offset;
	if (known) {
		known->seen = known_is_right(expect, known, block->address, block->size);
	} else {
		look->extra++;
		look->extra_offset = offset;
		look->extra_size = block->size;
	}
	return 0;
}

/* A block that moved is at its new place, whole, if it is not at its old one. */
static bool known_has_moved(const struct look *look, const struct known *known)
{
	return look->extra == 1 && look->extra_size == known->new_size &&
	       content_is_intact(known, bheap_pointer(look->heap, look->extra_offset));
}

static void known_verify(struct look *look)
{
	struct expect *expect = look->expect;

	for (unsigned index = 0; index < expect->count; index++) {
		const struct known *known = &expect->blocks[index];

		if (known->seen || known->fate == MAY_GO ||
		    (known->fate == MAY_MOVE && known_has_moved(look, known)))
			continue;
		expect_fail(expect, "block %#llx is lost", (unsigned long long)known->offset);
	}
}

/* With a slot no block is lost: the one in flight is in the slot, or free. */
static void slot_verify(struct look *look)
{
	struct expect *expect = look->expect;
	const uint64_t *slot = bheap_pointer(look->heap, expect->slot);
	const struct known *known = known_at(expect, *slot);
	bool taken =
		*slot && (known ? known->seen : look->extra == 1 && look->extra_offset == *slot);

	if (*slot && !taken)
		expect_fail(expect, "the slot holds %#llx, which is no live block",
			    (unsigned long long)*slot);
	if (!*slot && look->extra)
		expect_fail(expect, "a block is in no slot, and not free");
	for (unsigned index = 0; index < expect->count; index++)
		if (expect->blocks[index].fate == MAY_GO && expect->blocks[index].seen &&
		    expect->blocks[index].offset != *slot)
			expect_fail(expect, "the block was taken out of the slot, and not freed");
}

static void extra_verify(struct look *look)
{
	struct expect *expect = look->expect;

	if (look->extra > (expect->dead ? expect->dead : 1) ||
	    (look->extra && look->extra_size != expect->gain))
		expect_fail(
			expect,
			"%u unknown blocks, the last of %zu bytes; at most one of %zu may be lost",
			look->extra, look->extra_size, expect->gain);
	if (expect->slot)
		slot_verify(look);
}

/* Blocks that go together went together, and the root with them. */
static void together_verify(const struct look *look)
{
	struct expect *expect = look->expect;
	uint64_t root = bheap_offset(look->heap, bheap_root(look->heap));

	if (!expect->all_or_none)
		return;
	if (look->live && look->live != expect->count)
		expect_fail(expect, "%u of %u blocks are left", look->live, expect->count);
	if (root != (look->live ? expect->root : 0))
		expect_fail(expect, "the root and the blocks did not go together");
}

static void figures_verify(const struct look *look)
{
	struct expect *expect = look->expect;
	struct bheap_stats stats;

	if (bheap_stats(look->heap, &stats))
		expect_fail(expect, "no statistics");
	else if (stats.used != look->used || stats.free != stats.size - stats.used ||
		 stats.live_blocks != stats.allocations - stats.frees)
		expect_fail(expect, "the statistics do not add up");
	else if (stats.recoveries < expect->recoveries + expect->heard ||
		 stats.recoveries > expect->recoveries + expect->heard + expect->unheard)
		expect_fail(expect, "%llu recoveries, and the fault handler heard of %u",
			    (unsigned long long)(stats.recoveries - expect->recoveries),
			    expect->heard);
}

static void root_verify(const struct look *look)
{
	struct expect *expect = look->expect;
	uint64_t root = bheap_offset(look->heap, bheap_root(look->heap));

	if (root != expect->root && root != expect->new_root)
		expect_fail(expect, "the root leads elsewhere");
	if (expect->root_is_slot && look->extra != (root ? 1 : 0))
		expect_fail(expect, "the root and its block do not come together");
	if (expect->root_is_slot && root && look->extra_offset != root)
		expect_fail(expect, "the root is no live block");
}

/* What is whole can be used: blocks are had, keep their content, and are taken back. */
static void heap_use(struct expect *expect, bheap_t *heap)
{
	static const size_t sizes[] = {17, 400, 48, 1500, 16, 640};
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	unsigned char *blocks[COUNT];

	for (unsigned index = 0; index < COUNT; index++) {
		blocks[index] = bheap_alloc(heap, sizes[index]);
		if (blocks[index])
			memset(blocks[index], (int)index + 1, sizes[index]);
	}
	for (unsigned index = 0; index < COUNT; index++) {
		if (blocks[index] &&
		    (blocks[index][0] != index + 1 || blocks[index][sizes[index] - 1] != index + 1))
			expect_fail(expect, "a block overlaps another");
		if (bheap_free(heap, blocks[index]))
			expect_fail(expect, "a new block could not be freed");
	}
}

static void all_free(struct expect *expect, bheap_t *heap, const struct look *look)
{
	struct bheap_stats stats;

	for (unsigned index = 0; index < look->live; index++) {
		void *block = bheap_pointer(heap, look->offsets[index]);

		if (bheap_owns(heap, block) && bheap_free(heap, block))
			expect_fail(expect, "a live block could not be freed");
	}
	if (bheap_stats(heap, &stats) || stats.used || stats.free_blocks != 1 ||
	    stats.largest_free != stats.size)
		expect_fail(expect, "with all freed not all is free");
}

static void check_run(struct expect *expect, bheap_t *heap, const char *when)
{
	struct bheap_fault fault;

	if (bheap_check(heap, &fault))
		expect_fail(expect, "%s: %s", when, fault.text);
}

/*
 * What the dead had comes back; what the living have stays. Who waits for the lock gets it while
 * its last holder is still dying: he is dead a moment later.
 */
static void reclaim_verify(struct expect *expect, bheap_t *heap, unsigned extra)
{
	ssize_t count = 0;

	if (!(expect->flags & BHEAP_OWNED))
		return;
	/* The block of the root stays. */
	if (expect->root_is_slot && bheap_root(heap))
		extra--;
	for (unsigned tries = 0; count < (ssize_t)extra && tries < 1000; tries++) {
		count += bheap_reclaim(heap);
		if (count < (ssize_t)extra)
			usleep(1000);
	}
	if (count != (ssize_t)extra || bheap_reclaim(heap) != 0)
		expect_fail(expect, "%zd blocks reclaimed, not %u", count, extra);
	check_run(expect, heap, "after bheap_reclaim()");
}

static void fault_hear(const struct bheap_fault *fault, void *arg)
{
	struct expect *expect = arg;

	if (fault->kind == BHEAP_FAULT_RECOVERED)
		expect->heard++;
	else if (fault->kind != BHEAP_FAULT_DAMAGED_INDEX || !expect->scribbled)
		expect_fail(expect, "fault: %s", fault->text);
}

void expect_listen(struct expect *expect)
{
	expect->verdict[0] = '\0';
	expect->heard = 0;
	for (unsigned index = 0; index < expect->count; index++)
		expect->blocks[index].seen = false;
	bheap_set_fault_handler(NULL, fault_hear, expect);
}

/*
 * A free block that was written to before the operation is met, and no more harm, by an allocation.
 */
static void scribble_meet(struct expect *expect, bheap_t *heap)
{
	void *block = expect->scribbled ? bheap_alloc(heap, expect->scribbled) : NULL;

	if (block && bheap_free(heap, block))
		expect_fail(expect, "a block could not be freed");
}

void expect_verify(struct expect *expect, bheap_t *heap)
{
	struct look look = {.expect = expect, .heap = heap};

	scribble_meet(expect, heap);
	check_run(expect, heap, "after the death");
	if (bheap_walk(heap, block_look, &look))
		expect_fail(expect, "the walk failed");
	known_verify(&look);
	extra_verify(&look);
	together_verify(&look);
	figures_verify(&look);
	root_verify(&look);
	reclaim_verify(expect, heap, look.extra);
	heap_use(expect, heap);
	check_run(expect, heap, "after use");
	all_free(expect, heap, &look);
	check_run(expect, heap, "at the end");
}
