/* SPDX-License-Identifier: MIT */
/*
 * test_storage.c - what of a heap's file has storage: all that live blocks and the library write
 * to, whatever was allocated, freed, resized, trimmed and copied.
 */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle/storage.h"

#define SIZE ((size_t)4 << 20)
#define PAGE bh_region_page()

static bheap_t *heap;
static int fd;
static struct faults faults;

/* Where there is a limit, even if a distant one; its blocks take what they say. */
static int file_make(void)
{
	char name[64];
	int file;

	snprintf(name, sizeof(name), "/bheap-storage-%ju", (uintmax_t)getpid());
	file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(file, 0);
	shm_unlink(name);
	return file;
}

static void setup(void)
{
	faults_expect(&faults);
	fd = file_make();
	heap = bheap_open_fd(fd, SIZE, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_ptr_nonnull(heap->core.prepare);
}

static void teardown(void)
{
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	close(fd);
}

static uint64_t place_of(const void *address)
{
	return (uint64_t)((const char *)address - heap->region.start);
}

static blkcnt_t storage_size(void)
{
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	return status.st_blocks * 512;
}

/* What has storage takes no more when it is given some; what has not has it afterwards. */
static bool has_storage(uint64_t begin, uint64_t end)
{
	blkcnt_t before = storage_size();

	require(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(end - begin)) == 0);
	return storage_size() == before;
}

static bool block_has_storage(const void *block, size_t size)
{
	return has_storage(place_of(block), place_of(block) + size);
}

static void hole_make(uint64_t begin, uint64_t end)
{
	ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin,
				   (off_t)(end - begin)),
			 0);
}

/* Every block, and the first granule of every free one. */
static int part_verify(const struct bheap_block *block, void *arg)
{
	(void)arg;
	require(block_has_storage(block->address, block->used ? block->size : BH_GRANULE));
	return 0;
}

static void all_verify(void)
{
	require(bheap_walk(heap, part_verify, NULL) == 0);
}

/* ---- from the top ---- */

START_TEST(nothing_is_written_yet)
{
	all_verify();
	ck_assert_int_lt(storage_size(), SIZE / 8);
	ck_assert_uint_eq(heap->shared->holes, 0);
}
END_TEST

START_TEST(a_block_from_the_top)
{
	char *block = bheap_alloc(heap, SIZE / 2);

	ck_assert(block_has_storage(block, SIZE / 2));
	ck_assert_uint_le(heap->shared->reserved, place_of(block) + SIZE / 2 + 2 * PAGE);
	all_verify();
}
END_TEST

START_TEST(small_blocks_come_in_steps)
{
	uint64_t reserved, steps = 0;

	for (unsigned count = 0; count < 10000; count++) {
		reserved = heap->shared->reserved;
		ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
		steps += heap->shared->reserved != reserved;
	}
	all_verify();
	ck_assert_uint_le(steps, 6);
	ck_assert_uint_ge(steps, 2);
}
END_TEST

START_TEST(the_last_granule)
{
	while (bheap_alloc(heap, 1000))
		;
	ck_assert_errno(ENOMEM);
	while (bheap_alloc(heap, 1))
		;
	ck_assert_uint_eq(heap->shared->reserved, SIZE);
	all_verify();
}
END_TEST

START_TEST(an_aligned_block_after_a_gap)
{
	char *block = bheap_aligned_alloc(heap, (size_t)1 << 20, 100000);

	ck_assert(block_has_storage(block, 100000));
	ck_assert(has_storage(0, place_of(block)));
	all_verify();
}
END_TEST

START_TEST(a_block_that_grows_in_place)
{
	char *block = bheap_alloc(heap, 100);

	ck_assert_ptr_eq(bheap_realloc(heap, block, SIZE / 2), block);
	ck_assert(block_has_storage(block, SIZE / 2));
	all_verify();
}
END_TEST

/* ---- after a trim ---- */

/* A free block of so many bytes in front of a live one, with no page behind its first. */
static void *trimmed_make(size_t size)
{
	void *block = bheap_alloc(heap, size);
	blkcnt_t before;

	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_free(heap, block), 0);
	before = storage_size();
	ck_assert_uint_gt(bheap_trim(heap), 0);
	ck_assert_uint_eq(heap->shared->holes, 1);
	ck_assert_int_le(storage_size(), before - (blkcnt_t)(size - 2 * PAGE));
	return block;
}

START_TEST(a_trimmed_block_handed_out_whole)
{
	void *block = trimmed_make(1 << 20);

	ck_assert_ptr_eq(bheap_alloc(heap, 1 << 20), block);
	ck_assert(block_has_storage(block, 1 << 20));
	all_verify();
}
END_TEST

START_TEST(parts_of_a_trimmed_block)
{
	static const size_t sizes[] = {16, 1000, 5000, 100000, 4096, 8192, 30};

	trimmed_make(1 << 20);
	for (unsigned count = 0; count < 100; count++) {
		ck_assert_ptr_nonnull(bheap_alloc(heap, sizes[count % 7]));
		all_verify();
	}
}
END_TEST

/* The rest begins with a page. */
START_TEST(a_cut_between_two_pages)
{
	uint64_t place = place_of(trimmed_make(1 << 20));

	ck_assert_ptr_nonnull(bheap_alloc(heap, 3 * PAGE - (size_t)place % PAGE));
	all_verify();
	ck_assert_uint_eq(place_of(bheap_alloc(heap, 5000)) % PAGE, 0);
}
END_TEST

START_TEST(growth_into_a_trimmed_block)
{
	char *block = bheap_alloc(heap, 100);

	trimmed_make(1 << 20);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 500000), block);
	ck_assert(block_has_storage(block, 500000));
	all_verify();
}
END_TEST

START_TEST(an_aligned_block_inside_a_trimmed_one)
{
	char *block;

	trimmed_make(1 << 20);
	block = bheap_aligned_alloc(heap, 1 << 18, 100000);
	ck_assert(block_has_storage(block, 100000));
	all_verify();
}
END_TEST

START_TEST(the_top_is_trimmed)
{
	void *block = bheap_alloc(heap, 1 << 20);
	uint64_t reserved = heap->shared->reserved;

	ck_assert_int_eq(bheap_free(heap, block), 0);
	ck_assert_uint_gt(bheap_trim(heap), 0);
	ck_assert_uint_lt(heap->shared->reserved, reserved);
	ck_assert_uint_eq(heap->shared->holes, 0);
	all_verify();
	ck_assert_ptr_eq(bheap_alloc(heap, 1 << 20), block);
	all_verify();
}
END_TEST

static size_t size_at_random(void)
{
	unsigned random = (unsigned)rand();

	return random % 8 ? random % 3000 : random % 300000;
}

/* A trim now and then; every block has storage after each step. */
START_TEST(random_operations)
{
	void *blocks[64] = {0};

	srand((unsigned)_i + 1);
	for (unsigned step = 0; step < 2000; step++) {
		unsigned at = (unsigned)rand() % 64;

		if (rand() % 50 == 0)
			bheap_trim(heap);
		if (rand() % 3 == 0 && blocks[at]) {
			void *moved = bheap_realloc(heap, blocks[at], 1 + size_at_random());

			blocks[at] = moved ? moved : blocks[at];
		} else if (blocks[at]) {
			require(bheap_free(heap, blocks[at]) == 0);
			blocks[at] = NULL;
		} else {
			blocks[at] = bheap_aligned_alloc(heap, (size_t)16 << rand() % 10,
							 size_at_random());
		}
		if (step % 10 == 0)
			all_verify();
	}
	all_verify();
}
END_TEST

/* ---- another process, or a copy ---- */

static void close_and_open(void)
{
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = bheap_open_fd(fd, 0, 0);
	ck_assert_ptr_nonnull(heap);
}

/* As a copy is that leaves out zeros. */
START_TEST(a_file_with_holes)
{
	char *block = bheap_alloc(heap, 1 << 20);
	uint64_t begin = place_of(block) + PAGE - place_of(block) % PAGE;

	memset(block, 0, 1 << 20);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	hole_make(begin, begin + 10 * PAGE);
	close_and_open();
	all_verify();
	ck_assert_uint_eq(heap->shared->holes, 0);
}
END_TEST

/* What was trimmed stays away; what is not known to have storage is not taken for it. */
START_TEST(a_trimmed_heap_is_opened)
{
	void *block = trimmed_make(1 << 20);
	uint64_t place = place_of(block);
	blkcnt_t before = storage_size();

	heap->shared->reserved = 0;
	close_and_open();
	ck_assert_int_eq(storage_size(), before);
	all_verify();
	ck_assert_uint_eq(heap->shared->holes, 1);
	ck_assert_uint_gt(heap->shared->reserved, place + (1 << 20));
}
END_TEST

START_TEST(a_trimmed_heap_with_holes_in_blocks)
{
	char *block = bheap_alloc(heap, 1 << 20);
	uint64_t begin = place_of(block) + PAGE - place_of(block) % PAGE;

	memset(block, 0, 1 << 20);
	trimmed_make(1 << 20);
	hole_make(begin, begin + 10 * PAGE);
	close_and_open();
	all_verify();
	ck_assert_uint_eq(heap->shared->holes, 1);
}
END_TEST

START_TEST(the_last_block_ends_the_heap)
{
	while (bheap_alloc(heap, 1 << 18))
		;
	while (bheap_alloc(heap, 16))
		;
	heap->shared->reserved = 0;
	close_and_open();
	ck_assert_uint_eq(heap->shared->reserved, SIZE);
	all_verify();
}
END_TEST

START_TEST(all_is_promised)
{
	int other = file_make();
	bheap_t *whole = bheap_open_fd(other, SIZE, BHEAP_PREALLOCATE);

	ck_assert_uint_eq(whole->shared->reserved, SIZE);
	ck_assert_int_eq(bheap_close(whole), 0);
	close(other);
}
END_TEST

/* A program that closes descriptors it did not open has another file under the number, or none. */
START_TEST(the_descriptor_is_gone)
{
	int own = heap->region.fd, other = memfd_create("stranger", MFD_CLOEXEC);
	struct stat status;

	ck_assert_int_eq(_i ? dup2(other, own) : close(own), _i ? own : 0);
	errno = 0;
	ck_assert_ptr_nonnull(bheap_alloc(heap, SIZE / 2));
	ck_assert_errno(0);
	ck_assert_int_eq(fstat(other, &status), 0);
	ck_assert_int_eq(status.st_blocks, 0);
	close(other);
	close(own);
}
END_TEST

/* Where nothing is ever refused a large block takes no memory before it is written to. */
START_TEST(memory_without_a_limit)
{
	int other = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *sparse = bheap_open_fd(other, SIZE, 0);
	struct stat status;
	void *block = bheap_alloc(sparse, SIZE / 2);

	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(fstat(other, &status), 0);
	ck_assert_int_lt(status.st_blocks * 512, SIZE / 8);
	ck_assert_int_eq(bheap_free(sparse, block), 0);
	ck_assert_int_eq(bheap_close(sparse), 0);
	close(other);
}
END_TEST

/* Under qemu pages cannot be taken out of a file. */
static void trim_tests_add(TCase *tcase)
{
	tcase_add_test(tcase, a_trimmed_block_handed_out_whole);
	tcase_add_test(tcase, parts_of_a_trimmed_block);
	tcase_add_test(tcase, a_cut_between_two_pages);
	tcase_add_test(tcase, growth_into_a_trimmed_block);
	tcase_add_test(tcase, an_aligned_block_inside_a_trimmed_one);
	tcase_add_test(tcase, a_trimmed_heap_is_opened);
	tcase_add_test(tcase, a_trimmed_heap_with_holes_in_blocks);
	tcase_add_test(tcase, the_top_is_trimmed);
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("storage", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nothing_is_written_yet);
	tcase_add_test(tcase, a_block_from_the_top);
	tcase_add_test(tcase, small_blocks_come_in_steps);
	tcase_add_test(tcase, the_last_granule);
	tcase_add_test(tcase, an_aligned_block_after_a_gap);
	tcase_add_test(tcase, a_block_that_grows_in_place);
	tcase_add_loop_test(tcase, random_operations, 0, 10);
	tcase_add_test(tcase, a_file_with_holes);
	tcase_add_test(tcase, the_last_block_ends_the_heap);
	tcase_add_test(tcase, all_is_promised);
	tcase_add_loop_test(tcase, the_descriptor_is_gone, 0, 2);
	tcase_add_test(tcase, memory_without_a_limit);
	if (!is_emulated())
		trim_tests_add(tcase);
	return suite_run(suite);
}
