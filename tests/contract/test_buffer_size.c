/* SPDX-License-Identifier: MIT */
/*
 * test_buffer_size.c - bheap_buffer_size() as bheap_buffer_size(3) has it: a buffer of so many
 * bytes or more holds the block at every address, and one of a granule less does not, for each
 * combination of flags.
 */
#include "support.h"

#include <sys/mman.h>

#define MIB ((size_t)1 << 20)
#define LARGEST 10000 /* each size up to this */
#define BUFFER_LARGEST 26000
#define ROOMS_LARGEST 16000 /* in which LARGEST has room */
#define ADDRESSES 16

/* Every combination that bheap_create_in() accepts. */
static const unsigned flags_plain[] = {BHEAP_UNLOCKED, BHEAP_GUARD, BHEAP_ABORT, BHEAP_REALTIME};
#define PLAIN 16
#define COMBINATIONS (PLAIN + 2)

static struct faults faults;
static char buffer[BUFFER_LARGEST + ADDRESSES] __attribute__((aligned(16)));

static unsigned flags_of(int index)
{
	unsigned flags = 0;

	if (index >= PLAIN)
		return index > PLAIN ? BHEAP_CACHED | BHEAP_ABORT : BHEAP_CACHED;
	for (unsigned bit = 0; bit < 4; bit++)
		flags |= index >> bit & 1 ? flags_plain[bit] : 0;
	return flags;
}

/* Every size of those that lay out a buffer in their own way; of the other flags some. */
static size_t step_of(int index)
{
	bool same = index > PLAIN ||
		    (index < PLAIN && flags_of(index) & (BHEAP_UNLOCKED | BHEAP_ABORT));

	if (is_watched() || is_emulated())
		return 37;
	return same ? 7 : 1;
}

static void setup(void)
{
	faults_expect(&faults);
}

/* Whether the first block of a heap in so many bytes at an address may have this size. */
static bool is_enough(char *at, size_t bytes, size_t size, unsigned flags)
{
	bheap_t *heap = bheap_create_in(at, bytes, flags);
	bool fits = heap && bheap_alloc(heap, size);

	if (heap)
		require_equal(bheap_destroy(heap), 0);
	return fits;
}

/* At an address: the size suffices, and no smaller one. */
static void size_verify(char *at, size_t size, unsigned flags)
{
	size_t bytes = bheap_buffer_size(size, flags);

	require(bytes >= BHEAP_BUFFER_MIN);
	require(is_enough(at, bytes, size, flags));
	require(!is_enough(at, bytes - BHEAP_ALIGNMENT, size, flags));
}

/* Sizes up to LARGEST: at one address, and those that differ most from others at each of them. */
START_TEST(each_small_size)
{
	unsigned flags = flags_of(_i);
	size_t step = step_of(_i);

	for (size_t size = 1; size <= LARGEST; size += step) {
		size_verify(buffer + size % ADDRESSES, size, flags);
		if (size % 16 > 1 && step == 1)
			continue;
		for (size_t address = 0; address < ADDRESSES; address++)
			size_verify(buffer + address, size, flags);
	}
	require_equal(bheap_buffer_size(0, flags), bheap_buffer_size(1, flags));
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* The largest first block that each buffer has room for, at the worst address. */
static void rooms_measure(size_t *rooms, unsigned flags)
{
	struct bheap_stats stats;
	bheap_t *heap;

	for (size_t bytes = BHEAP_BUFFER_MIN; bytes <= ROOMS_LARGEST; bytes++) {
		rooms[bytes] = SIZE_MAX;
		for (size_t address = 0; address < 2; address++) {
			size_t room = 0;

			heap = bheap_create_in(buffer + address, bytes, flags);
			if (heap) {
				require_equal(bheap_stats(heap, &stats), 0);
				room = stats.size - (flags & BHEAP_GUARD ? 16 : 0);
				require_equal(bheap_destroy(heap), 0);
			}
			rooms[bytes] = room < rooms[bytes] ? room : rooms[bytes];
		}
	}
}

/*
 * Against all buffers: the number is the least from which on all have the room. At a few sizes some
 * smaller buffer has it, too.
 */
START_TEST(each_larger_buffer)
{
	static size_t rooms[ROOMS_LARGEST + 1];
	unsigned flags = flags_of(_i);
	size_t bytes = ROOMS_LARGEST;

	if (step_of(_i) > 1)
		return;
	rooms_measure(rooms, flags);
	require(rooms[bytes] > LARGEST);
	for (size_t size = LARGEST; size; size--) {
		while (bytes > BHEAP_BUFFER_MIN && rooms[bytes - 1] >= size)
			bytes--;
		require_equal(bheap_buffer_size(size, flags), bytes);
	}
}
END_TEST

/* Address space for the largest buffers, of which only the bookkeeping is touched. */
static char *space_make(size_t bytes)
{
	char *space = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(space, MAP_FAILED);
	return space;
}

static void size_verify_in(char *space, size_t size, unsigned flags)
{
	size_t bytes = bheap_buffer_size(size, flags);

	size_verify(space + size % ADDRESSES, size, flags);
	require(is_enough(space, bytes + 1, size, flags));
	require(is_enough(space + 15, bytes + size % 4099, size, flags));
}

/* From a number of bytes on, and with some less. */
static void buffers_verify(char *space, size_t border, unsigned flags)
{
	struct bheap_stats stats;
	bheap_t *heap = bheap_create_in(space, border, flags);
	size_t size;

	require(heap);
	require_equal(bheap_stats(heap, &stats), 0);
	require_equal(bheap_destroy(heap), 0);
	size = stats.size - (flags & BHEAP_GUARD ? 16 : 0);
	for (size_t around = 0; around <= 8192; around += 16)
		size_verify(space, size - 4096 + around, flags);
}

/* Where caches change to fewer and larger ones, and a larger buffer may have more for blocks. */
START_TEST(each_size_at_borders)
{
	char *space = space_make(34 * MIB);

	buffers_verify(space, 4 * MIB, flags_of(_i));
	buffers_verify(space, 32 * MIB, flags_of(_i));
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(munmap(space, 34 * MIB), 0);
}
END_TEST

/* Near where bins become finer, and caches more or larger: powers of two, and MiB. */
START_TEST(sizes_near_borders)
{
	unsigned flags = flags_of(_i);
	size_t step = step_of(_i);
	char *space = space_make(70 * MIB);

	for (size_t border = MIB / 4; border <= 64 * MIB; border *= 2) {
		for (size_t below = 0; below < border / 20; below += step * (border / 999 + 16))
			size_verify_in(space, border - below, flags);
	}
	for (size_t border = MIB / 2; border < 10 * MIB; border += MIB / 2) {
		for (size_t below = 0; below < 160 * 1024; below += step * 4080)
			size_verify_in(space, border - below, flags);
	}
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(munmap(space, 70 * MIB), 0);
}
END_TEST

/* Several blocks, one after the other: the last granule is reached, and not passed. */
START_TEST(a_sum_of_sizes)
{
	unsigned flags = flags_of(_i);
	uint64_t random = (uint64_t)_i;

	for (unsigned round = 0; round < 2000 / step_of(_i); round++) {
		size_t count = 1 + random_below(&random, 30), sizes[30], sum = 0;
		bheap_t *heap;

		for (size_t index = 0; index < count; index++) {
			sizes[index] = 1 + random_below(&random, index % 3 ? 100 : 1500);
			sum += (sizes[index] + 15) / 16 * 16;
			sum += flags & BHEAP_GUARD && index ? 16 : 0;
		}
		require(bheap_buffer_size(sum, flags) <= BUFFER_LARGEST);
		heap = bheap_create_in(buffer + round % 16, bheap_buffer_size(sum, flags), flags);
		for (size_t index = 0; index < count; index++)
			require(bheap_alloc(heap, sizes[index]));
		require_equal(bheap_destroy(heap), 0);
	}
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(large_sizes)
{
	const size_t most = sizeof(size_t) > 4 ? 2048 * MIB : 512 * MIB;
	char *space = space_make(most + most / 16);
	unsigned flags = flags_of(_i);
	uint64_t random = (uint64_t)_i;

	for (size_t size = MIB; size <= most; size *= 2) {
		size_verify_in(space, size, flags);
		size_verify_in(space, size / 2 + 1 + random_below(&random, size / 2), flags);
	}
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(munmap(space, most + most / 16), 0);
}
END_TEST

/* Up to a size, found by halving, there is a buffer; above there is none. */
START_TEST(sizes_that_no_heap_has)
{
	unsigned flags = flags_of(_i);
	size_t fits = 1, refused = SIZE_MAX;

	while (refused - fits > 1) {
		size_t size = fits + (refused - fits) / 2;

		errno = 0;
		if (bheap_buffer_size(size, flags))
			fits = size;
		else
			refused = size;
		ck_assert_errno(fits == size ? 0 : ENOMEM);
	}
	/* With one granule more, bookkeeping may grow and blocks not. */
	ck_assert_uint_ge(bheap_buffer_size(fits, flags), BHEAP_SIZE_MAX - 2 * BHEAP_ALIGNMENT);
	ck_assert_uint_le(bheap_buffer_size(fits, flags), BHEAP_SIZE_MAX);
	for (size_t below = 0; below < 40; below++) {
		errno = 0;
		ck_assert_uint_eq(bheap_buffer_size(SIZE_MAX - below, flags), 0);
		ck_assert_errno(ENOMEM);
	}
}
END_TEST

/* Whatever bheap_create_in() accepts or refuses, of all bits and of both halves of an unsigned. */
START_TEST(flags_as_create_in)
{
	for (unsigned bits = 0; bits < 512; bits++) {
		unsigned flags = bits < 256 ? bits : bits << 23;
		bheap_t *heap = bheap_create_in(buffer, sizeof(buffer), flags);
		size_t bytes;

		errno = 0;
		bytes = bheap_buffer_size(100, flags);
		ck_assert_int_eq(bytes != 0, heap != NULL);
		ck_assert_errno(heap ? 0 : EINVAL);
		if (heap)
			ck_assert_int_eq(bheap_destroy(heap), 0);
		errno = 0;
		ck_assert_uint_eq(bheap_buffer_size(SIZE_MAX, flags), 0);
		ck_assert_errno(heap ? ENOMEM : EINVAL);
	}
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("buffer_size", &tcase, 300);

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, each_small_size, 0, COMBINATIONS);
	tcase_add_loop_test(tcase, each_larger_buffer, 0, COMBINATIONS);
	/* The flags that put something else before the blocks. */
	tcase_add_loop_test(tcase, each_size_at_borders, PLAIN, PLAIN + 1);
	tcase_add_loop_test(tcase, sizes_near_borders, 0, COMBINATIONS);
	/* Caches keep blocks between others: not with them. */
	tcase_add_loop_test(tcase, a_sum_of_sizes, 0, PLAIN);
	tcase_add_loop_test(tcase, large_sizes, 0, COMBINATIONS);
	tcase_add_loop_test(tcase, sizes_that_no_heap_has, 0, COMBINATIONS);
	tcase_add_test(tcase, flags_as_create_in);
	return suite_run(suite);
}
