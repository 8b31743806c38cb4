/* SPDX-License-Identifier: MIT */
/*
 * fixture.c - the fixture of a misuse, and the valid use in it.
 */
#include "fixture.h"

static char buffer[FIXTURE_SIZE + 1];

const char *place_name(int place)
{
	static const char *const names[] = {
		[PLACE_PLAIN] = "plain",
		[PLACE_GUARDED] = "guarded",
		[PLACE_CLASSIC] = "classic",
		[PLACE_THREADED] = "threaded",
		[PLACE_BUFFER] = "buffer, guarded",
	};

	return names[place];
}

static bheap_t *heap_make(enum place place)
{
	switch (place) {
	case PLACE_GUARDED: return bheap_create(FIXTURE_SIZE, BHEAP_GUARD);
	case PLACE_CLASSIC: return init_heap(FIXTURE_SIZE) ? NULL : bheap_default();
	case PLACE_BUFFER:
		return bheap_create_in(buffer + 1, FIXTURE_SIZE, BHEAP_GUARD | BHEAP_UNLOCKED);
	case PLACE_THREADED: threads_begin(); return bheap_create(FIXTURE_SIZE, 0);
	default: return bheap_create(FIXTURE_SIZE, 0);
	}
}

static void fault_record(const struct bheap_fault *fault, void *arg)
{
	struct fixture *fixture = arg;

	faults_record(fault, &fixture->faults);
	fixture->seen |= 1u << fault->kind;
	if (fault->kind == BHEAP_FAULT_OVERFLOW)
		fixture->overflow = *fault;
}

void fixture_begin(struct fixture *fixture, int place)
{
	*fixture = (struct fixture){.place = (enum place)place,
				    .guarded = place == PLACE_GUARDED || place == PLACE_BUFFER};
	fixture->heap = heap_make(fixture->place);
	fixture->other = bheap_create(4096, 0);
	ck_assert(fixture->heap && fixture->other);
	bheap_set_fault_handler(NULL, fault_record, fixture);
}

/* ---- blocks ---- */

struct live *fixture_live(struct fixture *fixture, const void *ptr)
{
	for (int index = 0; index < FIXTURE_BLOCKS; index++)
		if (fixture->live[index].ptr == ptr)
			return &fixture->live[index];
	ck_abort_msg("no such block");
}

unsigned char *fixture_keep(struct fixture *fixture, size_t size)
{
	struct live *live = fixture_live(fixture, NULL);

	live->ptr =
		fixture->place == PLACE_CLASSIC ? balloc(size) : bheap_alloc(fixture->heap, size);
	ck_assert_ptr_nonnull(live->ptr);
	live->size = size;
	live->seed = (uint64_t)(live - fixture->live) * 0x123456789abcdefu + size;
	live->harmed = false;
	pattern_fill(live->ptr, size, live->seed);
	return live->ptr;
}

int fixture_free(struct fixture *fixture, const void *ptr)
{
	return fixture->place == PLACE_CLASSIC ? classic_free(ptr) : heap_free(fixture->heap, ptr);
}

void fixture_release(struct fixture *fixture, const void *ptr)
{
	struct live *live = fixture_live(fixture, ptr);

	ck_assert(live->harmed || pattern_holds(live->ptr, live->size, live->seed));
	ck_assert_int_eq(fixture_free(fixture, ptr), 0);
	*live = (struct live){0};
}

size_t fixture_taken(const struct fixture *fixture, size_t size)
{
	return ((size ? size : 1) + 15) / 16 * 16 + (fixture->guarded ? 16 : 0);
}

/* ---- valid use ---- */

/* Every size of free block is taken and given back, in an order that makes many. */
static void sizes_use(struct fixture *fixture)
{
	unsigned char *blocks[80];
	size_t count = 0;

	for (size_t size = 1; count < 80; size += 7 + count / 2, count++) {
		blocks[count] = bheap_alloc(fixture->heap, size);
		if (!blocks[count])
			break;
		pattern_fill(blocks[count], size, count);
	}
	ck_assert_uint_ge(count, 20);
	for (size_t start = 0; start < 2; start++)
		for (size_t index = start, size; index < count; index += 2) {
			size = bheap_usable_size(fixture->heap, blocks[index]);
			require(size);
			require(!fixture_free(fixture, blocks[index]));
		}
}

/* Small blocks until there is no room, then a large one that moves, then all given back. */
static void heap_fill(struct fixture *fixture)
{
	static unsigned char *blocks[FIXTURE_SIZE / 16];
	/* A quarter as many where each takes long: under memcheck a hundred times as long. */
	const size_t size = is_watched() ? 128 : 32;
	size_t count = 0;

	while ((blocks[count] = bheap_alloc(fixture->heap, size))) {
		pattern_fill(blocks[count], size, count);
		count++;
	}
	ck_assert_errno(ENOMEM);
	ck_assert_uint_ge(count, 100);
	for (size_t index = 0; index < count; index++)
		require(pattern_holds(blocks[index], size, index));
	for (size_t index = 0; index < count; index += 2)
		require(!fixture_free(fixture, blocks[index]));
	for (size_t index = 1; index < count; index += 2) {
		require(pattern_holds(blocks[index], size, index));
		blocks[index] = bheap_realloc(fixture->heap, blocks[index],
					      index % 4 == 1 ? size * 2 : size / 4);
		if (blocks[index])
			require(!fixture_free(fixture, blocks[index]));
	}
}

void fixture_work(struct fixture *fixture)
{
	sizes_use(fixture);
	heap_fill(fixture);
	sizes_use(fixture);
}

void fixture_end(struct fixture *fixture)
{
	struct bheap_fault fault;
	struct bheap_stats stats;

	for (int index = 0; index < FIXTURE_BLOCKS; index++)
		if (fixture->live[index].ptr)
			fixture_release(fixture, fixture->live[index].ptr);
	ck_assert_msg(!bheap_check(fixture->heap, &fault), "%s", fault.text);
	heap_empty(fixture->heap);
	ck_assert_msg(!bheap_check(fixture->heap, &fault), "%s", fault.text);
	ck_assert_int_eq(bheap_stats(fixture->heap, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 0);
	ck_assert_uint_eq(stats.largest_free, stats.size);
	ck_assert_uint_eq(stats.faults, fixture->faults.count);
	ck_assert_int_eq(bheap_check(fixture->other, NULL), 0);
	ck_assert_int_eq(bheap_destroy(fixture->other), 0);
	ck_assert_int_eq(bheap_destroy(fixture->heap), fixture->place == PLACE_CLASSIC ? -1 : 0);
}

void fixture_rehearse(void)
{
	static const int places[] = {PLACE_PLAIN, PLACE_GUARDED, PLACE_BUFFER};

	for (size_t index = 0; is_watched() && index < 3; index++) {
		struct fixture fixture;

		fixture_begin(&fixture, places[index]);
		fixture_keep(&fixture, 100);
		require(fixture_free(&fixture, &fixture) == -1);
		fixture_work(&fixture);
		fixture_end(&fixture);
	}
	bheap_set_fault_handler(NULL, NULL, NULL);
}
