/* SPDX-License-Identifier: MIT */
/*
 * test_trailer.c - the granule after the user's bytes: any byte changed in slack or seal is seen,
 * and no trailer is good for another block, size or heap.
 */
#include "box.h"

#include <sys/mman.h>
#include <unistd.h>

#include "handle/intent.h"
#include "core/alloc.h"
#include "handle/recover.h"
#include "handle/handle.h"

#define KEY UINT64_C(0x123456789abcdef0)

static struct box box;
static uint32_t block;
static unsigned char *bytes;

static void setup(void)
{
	box_make(&box, 1000, BH_BIN_SHIFT_MAX);
	block = bh_alloc_block(&box.core, 5);
	bytes = bh_core_address(&box.core, block);
}

static void teardown(void)
{
	box_end(&box);
}

static void seal(size_t size, uint32_t owner)
{
	bh_trailer_write(&box.core, KEY, block, 5, size, owner);
}

static bool is_intact(void)
{
	return bh_trailer_is_intact(&box.core, KEY, block, 5);
}

START_TEST(sizes_and_owners_are_kept)
{
	for (size_t size = 1; size <= 64; size++) {
		memset(bytes, 0x77, 80);
		seal(size, (uint32_t)size * 1000);
		ck_assert(is_intact());
		ck_assert_uint_eq(bh_trailer_usable(&box.core, KEY, block, 5), size);
		ck_assert_uint_eq(bh_trailer_owner(&box.core, KEY, block, 5), size * 1000);
		for (size_t index = 0; index < size; index++)
			ck_assert_uint_eq(bytes[index], 0x77);
	}
}
END_TEST

START_TEST(every_byte_behind_is_guarded)
{
	static const unsigned char changes[] = {0x01, 0x80, 0xff, 0xb5};
	size_t size = (size_t)_i;

	for (size_t at = size; at < 80; at++)
		for (int change = 0; change < 4; change++) {
			seal(size, 42);
			bytes[at] ^= changes[change];
			require(!is_intact());
			bytes[at] ^= changes[change];
			require(is_intact());
		}
}
END_TEST

START_TEST(the_users_bytes_are_his)
{
	seal(50, 0);
	for (size_t at = 0; at < 50; at++)
		bytes[at] ^= 0xff;
	ck_assert(is_intact());
}
END_TEST

/* What cannot be trusted is not: all of the room, and no owner. */
START_TEST(a_broken_trailer_says_nothing)
{
	seal(10, 42);
	bytes[79] ^= 1;
	ck_assert_uint_eq(bh_trailer_usable(&box.core, KEY, block, 5), 64);
	ck_assert_uint_eq(bh_trailer_owner(&box.core, KEY, block, 5), 0);
	bytes[79] ^= 1;
	bytes[20] ^= 1; /* slack alone */
	ck_assert(!is_intact());
	ck_assert_uint_eq(bh_trailer_usable(&box.core, KEY, block, 5), 10);
	ck_assert_uint_eq(bh_trailer_owner(&box.core, KEY, block, 5), 42);
}
END_TEST

START_TEST(no_trailer_is_good_elsewhere)
{
	uint32_t other = bh_alloc_block(&box.core, 5);
	unsigned char *copy = bh_core_address(&box.core, other);

	seal(40, 42);
	memcpy(copy, bytes, 80);
	ck_assert(!bh_trailer_is_intact(&box.core, KEY, other, 5));
	ck_assert(!bh_trailer_is_intact(&box.core, KEY + 1, block, 5));
	ck_assert(!bh_trailer_is_intact(&box.core, KEY, block, 6));
	ck_assert(!bh_trailer_is_intact(&box.core, KEY, block, 4));
	ck_assert(!bh_trailer_is_intact(&box.core, KEY, block, 1));
	ck_assert(is_intact());
}
END_TEST

/* A seal that is good, for more slack than the block has. */
START_TEST(slack_is_no_longer_than_the_block)
{
	uint32_t other = bh_alloc_block(&box.core, 6);
	unsigned char *start = bh_core_address(&box.core, other);

	bh_trailer_write(&box.core, KEY, other, 5, 0, 7);
	ck_assert(bh_trailer_is_intact(&box.core, KEY, other, 5));
	bh_trailer_write(&box.core, KEY, other, 6, 15, 7); /* 65 bytes */
	memcpy(start + 64, start + 80, BH_GRANULE);
	ck_assert(!bh_trailer_is_intact(&box.core, KEY, other, 5));
	ck_assert_uint_eq(bh_trailer_usable(&box.core, KEY, other, 5), 64);
	ck_assert_uint_eq(bh_trailer_owner(&box.core, KEY, other, 5), 0);
}
END_TEST

/*
 * A death between two stores may leave a live block of one granule, where a trailer would have no
 * room: a recovery seals every other block anew, and leaves that one's bytes alone.
 */
START_TEST(a_block_without_room_for_one)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *heap =
		_i ? bheap_open_fd(fd, 65536, BHEAP_GUARD) : bheap_create(65536, BHEAP_GUARD);
	char *previous = bheap_alloc(heap, 40), *next;
	struct faults faults;
	uint32_t single;

	close(fd);
	faults_expect(&faults);
	single = bh_alloc_block(&heap->core, 1);
	next = bheap_alloc(heap, 40);
	bh_annotate_open(bh_core_address(&heap->core, single), BH_GRANULE);
	memset(bh_core_address(&heap->core, single), 0x77, BH_GRANULE);
	memory_change(previous + 40, 'x');
	if (_i)
		heap->shared->resizing = single;
	bh_annotate_enter(true); /* as inside a call */
	bh_recover(heap);
	bh_annotate_leave(true);
	for (size_t index = 0; index < BH_GRANULE; index++)
		ck_assert_int_eq(((char *)bh_core_address(&heap->core, single))[index], 0x77);
	ck_assert_uint_eq(bheap_usable_size(heap, previous), _i ? 40 : 48);
	ck_assert_int_eq(heap_free(heap, previous), 0);
	ck_assert_uint_eq(faults.count, _i ? 1 : 0);
	ck_assert_int_eq(heap_free(heap, next), 0);
	ck_assert_uint_eq(faults.count, _i ? 1 : 0);
	bheap_destroy(heap);
}
END_TEST

/* Of a heap in a buffer, where the bookkeeping lies: found by the checker, and at the next free. */
START_TEST(written_in_front_of_the_first_block)
{
	static char buffer[4096];
	bheap_t *heap = bheap_create_in(buffer + 3, 4000, BHEAP_GUARD);
	char *first = bheap_alloc(heap, 40);
	struct bheap_fault fault;
	struct faults faults;

	faults_expect(&faults);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	memory_change(first - 1 - _i, 0);
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_null(fault.address);
	ck_assert_str_eq(fault.text, "bheap: bytes past the block were overwritten: those in front "
				     "of the first block");
	if (_i % 2)
		ck_assert_ptr_eq(bheap_realloc(heap, first, 60), first);
	else
		ck_assert_int_eq(heap_free(heap, first), 0);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_str_eq(faults.last.text, fault.text);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	heap_empty(heap);
	ck_assert_uint_eq(faults.count, 1);
	bheap_destroy(heap);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("trailer", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, sizes_and_owners_are_kept);
	tcase_add_loop_test(tcase, every_byte_behind_is_guarded, 1, 65);
	tcase_add_test(tcase, the_users_bytes_are_his);
	tcase_add_test(tcase, a_broken_trailer_says_nothing);
	tcase_add_test(tcase, no_trailer_is_good_elsewhere);
	tcase_add_test(tcase, slack_is_no_longer_than_the_block);
	tcase_add_loop_test(tcase, a_block_without_room_for_one, 0, 2);
	tcase_add_loop_test(tcase, written_in_front_of_the_first_block, 0, 16);
	return suite_run(suite);
}
