/* SPDX-License-Identifier: MIT */
/*
 * test_open.c - heaps in files: made, found again, attached twice; what is refused and with which
 * errno, with nothing left over; files that are wrong in each way there is; read-only
 * attachments.
 */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle/intent.h"
#include "handle/handle.h"
#include "handle/shared.h"

#define SIZE (64 * 1024)

static const char *path;
static struct faults faults;
static size_t mappings, descriptors;

static void setup(void)
{
	bheap_t *heap;

	path = path_make();
	faults_expect(&faults);
	/* What a first call makes for good (stdio, the loader) is not counted as a leak. */
	heap = bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0);
	bheap_close(heap);
	path_remove();
	mappings_count();
	descriptors_count();
	mappings = mappings_count();
	descriptors = descriptors_count();
}

/* Every test ends with all it opened closed. */
static void teardown(void)
{
	ck_assert_uint_eq(mappings_count(), mappings);
	ck_assert_uint_eq(descriptors_count(), descriptors);
	path_remove();
}

static bheap_t *heap_make(unsigned flags)
{
	return path_heap(SIZE, flags);
}

static bheap_t *heap_attach(int oflag)
{
	bheap_t *heap = bheap_open(path, 0, oflag, 0, 0);

	ck_assert_msg(heap, "%s", strerrorname_np(errno));
	return heap;
}

static off_t file_size(void)
{
	struct stat status;

	return stat(path, &status) ? -1 : status.st_size;
}

/* ---- making and finding ---- */

START_TEST(content_outlives_the_handle)
{
	bheap_t *heap = heap_make(_i ? BHEAP_GUARD : 0);
	struct bheap_stats stats;
	char *text = bheap_alloc(heap, 100);

	ck_assert_ptr_nonnull(text);
	strcpy(text, "still here");
	ck_assert_int_eq(bheap_set_root(heap, text), 0);
	ck_assert_int_eq(bheap_sync(heap), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(file_size(), SIZE);
	heap = heap_attach(O_RDWR);
	text = bheap_root(heap);
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, "still here");
	ck_assert_uint_eq(bheap_usable_size(heap, text), _i ? 100 : 112);
	bheap_stats(heap, &stats);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert_uint_eq(stats.allocations, 1);
	ck_assert_int_eq(heap_free(heap, text), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
	ck_assert_int_eq(file_size(), SIZE);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(sizes_are_of_the_file)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	bheap_t *heap = bheap_open(path, SIZE - 1, O_RDWR | O_CREAT, 0600, 0);
	struct bheap_stats stats;

	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(file_size(), SIZE);
	bheap_stats(heap, &stats);
	ck_assert_uint_gt(stats.size, SIZE * 9 / 10);
	ck_assert_uint_lt(stats.size, SIZE);
	bheap_close(heap);
	heap = bheap_open(path, SIZE - page / 2, O_RDWR, 0, 0);
	ck_assert_ptr_nonnull(heap);
	bheap_close(heap);
}
END_TEST

/* Valgrind gives a program an address space of its own, which may be too small for the largest. */
static bool has_room_for(size_t size)
{
	void *pages =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return pages != MAP_FAILED && munmap(pages, size) == 0;
}

static void almost_all_use(int fd, size_t size)
{
	bheap_t *heap = bheap_open_fd(fd, size, 0);
	void *block;

	ck_assert_ptr_nonnull(heap);
	block = bheap_alloc(heap, size / 100 * 98);
	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
}

/* Sparse: pages never written to take no memory. */
START_TEST(the_largest_size)
{
	int fd;

	if (is_emulated()) /* it has no room for it */
		return;
	fd = memfd_create("heap", MFD_CLOEXEC);
	if (!is_watched() || has_room_for(BHEAP_SIZE_MAX))
		almost_all_use(fd, BHEAP_SIZE_MAX);
	else
		almost_all_use(fd, BHEAP_SIZE_MAX / 16);
	ck_assert_ptr_null(bheap_open_fd(fd, BHEAP_SIZE_MAX + 1, 0));
	ck_assert_errno(EINVAL);
	close(fd);
}
END_TEST

START_TEST(size_mismatch)
{
	static const size_t sizes[] = {SIZE + 1, SIZE / 2, 1};

	bheap_close(heap_make(0));
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, sizes[_i], O_RDWR, 0, 0));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, sizes[_i], O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(file_size(), SIZE);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(flags_belong_to_the_heap)
{
	bheap_t *heap;

	bheap_close(heap_make(BHEAP_GUARD));
	heap = heap_attach(O_RDWR); /* not asked for, had all the same */
	ck_assert_uint_eq(bheap_usable_size(heap, bheap_alloc(heap, 5)), 5);
	bheap_close(heap);
	heap = bheap_open(path, 0, O_RDWR, 0, BHEAP_GUARD | BHEAP_REALTIME);
	ck_assert_ptr_nonnull(heap);
	bheap_close(heap);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, BHEAP_OWNED));
	ck_assert_errno(EINVAL);
}
END_TEST

START_TEST(create_and_exclusive)
{
	bheap_close(heap_make(0));
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT | O_EXCL, 0600, 0));
	ck_assert_errno(EEXIST);
	ck_assert_int_eq(bheap_unlink(path), 0);
	ck_assert_int_eq(bheap_unlink(path), -1);
	ck_assert_errno(ENOENT);
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR, 0600, 0));
	ck_assert_errno(ENOENT);
	bheap_close(bheap_open(path, SIZE, O_RDWR | O_CREAT | O_EXCL, 0640, 0));
	ck_assert_int_eq(file_size(), SIZE);
}
END_TEST

START_TEST(wrong_arguments)
{
	const struct {
		const char *path;
		size_t size;
		int oflag;
		unsigned flags;
	} rows[] = {
		{NULL, SIZE, O_RDWR | O_CREAT, 0},
		{path, 0, O_RDWR | O_CREAT, 0},
		{path, BHEAP_SIZE_MAX + 1, O_RDWR | O_CREAT, 0},
		{path, SIZE_MAX, O_RDWR | O_CREAT, 0},
		{path, SIZE, O_RDONLY | O_CREAT, 0},
		{path, SIZE, O_WRONLY, 0},
		{path, SIZE, O_WRONLY | O_CREAT, 0},
		{path, SIZE, O_RDWR | O_CREAT | O_TRUNC, 0},
		{path, SIZE, O_RDWR | O_CREAT | O_APPEND, 0},
		{path, SIZE, O_RDWR | O_CREAT, BHEAP_UNLOCKED},
		{path, SIZE, O_RDWR | O_CREAT, 1u << 30},
	};

	errno = 0;
	ck_assert_ptr_null(
		bheap_open(rows[_i].path, rows[_i].size, rows[_i].oflag, 0600, rows[_i].flags));
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(file_size(), -1);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(functions_for_shared_heaps_alone)
{
	bheap_t *heap = bheap_create(4096, 0);

	ck_assert_int_eq(bheap_close(heap), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_sync(heap), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_close(NULL), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_sync(NULL), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_unlink(NULL), -1);
	ck_assert_errno(EINVAL);
	bheap_destroy(heap);
}
END_TEST

/* ---- two attachments ---- */

START_TEST(two_attachments_are_one_heap)
{
	bheap_t *first = heap_make(0), *second = heap_attach(O_RDWR);
	char *block = bheap_alloc(first, 100), *same;
	uint64_t offset = bheap_offset(first, block);

	ck_assert_ptr_nonnull(block);
	strcpy(block, "seen by both");
	same = bheap_pointer(second, offset);
	ck_assert_ptr_ne(same, block);
	ck_assert_str_eq(same, "seen by both");
	ck_assert(bheap_owns(second, same));
	ck_assert(!bheap_owns(second, block));
	ck_assert_int_eq(heap_free(second, block), -1); /* of another attachment */
	ck_assert_int_eq(heap_free(second, same), 0);
	ck_assert(!bheap_owns(first, block));
	same = bheap_alloc(second, 100);
	ck_assert_uint_eq(bheap_offset(second, same), offset);
	ck_assert_int_eq(bheap_close(second), 0);
	ck_assert(bheap_owns(first, block));
	ck_assert_int_eq(bheap_check(first, NULL), 0);
	ck_assert_int_eq(bheap_close(first), 0);
}
END_TEST

START_TEST(an_unlinked_heap_is_kept_by_who_has_it)
{
	bheap_t *old = heap_make(0), *new;
	void *block = bheap_alloc(old, 100);

	ck_assert_int_eq(bheap_unlink(path), 0);
	new = heap_make(0);
	ck_assert(bheap_owns(old, block));
	ck_assert(!bheap_owns(new, bheap_pointer(new, bheap_offset(old, block))));
	ck_assert_int_eq(bheap_close(old), 0);
	ck_assert_int_eq(bheap_close(new), 0);
}
END_TEST

/* ---- descriptors ---- */

START_TEST(a_descriptor_stays_the_callers)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *first = bheap_open_fd(fd, SIZE, 0), *second = bheap_open_fd(fd, 0, 0);
	char *block = bheap_alloc(first, 100);

	ck_assert_ptr_nonnull(second);
	ck_assert(bheap_owns(second, bheap_pointer(second, bheap_offset(first, block))));
	ck_assert_int_eq(bheap_close(first), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	close(fd);
	ck_assert_uint_eq(bheap_usable_size(second, bheap_alloc(second, 16)), 16);
	ck_assert_int_eq(bheap_destroy(second), 0);
}
END_TEST

/* It leads there again and again: no reason to wait for another file. */
START_TEST(a_path_to_a_file_without_a_name)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *heap = bheap_open_fd(fd, SIZE, 0), *same;
	char link[40];

	ck_assert_ptr_nonnull(heap);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	same = bheap_open(link, 0, O_RDWR, 0, 0);
	ck_assert_ptr_nonnull(same);
	ck_assert_uint_eq(bheap_offset(same, bheap_alloc(same, 100)), BHEAP_ALIGNMENT);
	ck_assert(bheap_owns(heap, bheap_pointer(heap, BHEAP_ALIGNMENT)));
	ck_assert_int_eq(bheap_close(same), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	close(fd);
}
END_TEST

START_TEST(descriptors_that_will_not_do)
{
	int fd = memfd_create("heap", MFD_CLOEXEC), writer = open(path, O_WRONLY | O_CREAT, 0600);
	int ends[2];

	ck_assert_ptr_null(bheap_open_fd(-1, SIZE, 0));
	ck_assert_errno(EBADF);
	errno = 0;
	ck_assert_ptr_null(bheap_open_fd(fd, 0, 0)); /* empty: how large shall it be? */
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_open_fd(fd, SIZE, BHEAP_UNLOCKED));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_open_fd(fd, BHEAP_SIZE_MAX + 1, 0));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_open_fd(writer, SIZE, 0));
	ck_assert_errno(EACCES);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(pipe(ends), 0);
	errno = 0;
	ck_assert_ptr_null(bheap_open_fd(ends[0], SIZE, 0));
	ck_assert_errno(EPROTO);
	ck_assert_str_eq(faults.last.text,
			 "bheap: not a usable heap file: it is not a regular file");
	close(ends[0]);
	close(ends[1]);
	close(writer);
	close(fd);
}
END_TEST

START_TEST(a_name_of_shared_memory)
{
	char name[64];
	bheap_t *heap;

	snprintf(name, sizeof(name), "/bheap-test-%ju", (uintmax_t)getpid());
	heap = bheap_open(name, SIZE, O_RDWR | O_CREAT, 0600, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(bheap_unlink(name), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_ptr_null(bheap_open(name, 0, O_RDWR, 0, 0));
	ck_assert_errno(ENOENT);
}
END_TEST

/* ---- read-only ---- */

#define refused(failed)                                                                            \
	do {                                                                                       \
		errno = 0;                                                                         \
		ck_assert(failed);                                                                 \
		ck_assert_errno(EROFS);                                                            \
	} while (0)

START_TEST(reading_changes_nothing)
{
	bheap_t *heap = heap_make(0), *reader = heap_attach(O_RDONLY);
	char *block = bheap_alloc(heap, 100);
	void *seen = bheap_pointer(reader, bheap_offset(heap, block));
	volatile size_t overflowing = SIZE_MAX;
	struct bheap_stats stats;

	strcpy(block, "read me");
	bheap_set_root(heap, block);
	ck_assert_str_eq(protection_of(seen), "r--s");
	ck_assert_str_eq(seen, "read me");
	ck_assert_ptr_eq(bheap_root(reader), seen);
	ck_assert(bheap_owns(reader, seen));
	ck_assert_uint_eq(bheap_usable_size(reader, seen), 112);
	ck_assert_int_eq(bheap_stats(reader, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert_uint_eq(stats.used, 112);
	ck_assert_int_eq(bheap_check(reader, NULL), 0);
	refused(!bheap_alloc(reader, 16));
	refused(!bheap_calloc(reader, 1, 16));
	refused(!bheap_calloc(reader, overflowing, 2));
	refused(!bheap_aligned_alloc(reader, 64, 16));
	refused(!bheap_realloc(reader, seen, 16));
	refused(!bheap_realloc(reader, NULL, 16));
	refused(heap_free(reader, seen) == -1);
	refused(heap_free(reader, &stats) == -1);
	refused(bheap_trim(reader) == 0);
	refused(bheap_set_root(reader, NULL) == -1);
	refused(!bheap_alloc_into(reader, seen, 16));
	refused(!bheap_root_alloc(reader, 16));
	refused(bheap_free_from(reader, seen) == -1);
	refused(bheap_reclaim(reader) == -1);
	ck_assert_int_eq(bheap_set_fault_handler(reader, NULL, NULL), 0);
	ck_assert_int_eq(heap_free(reader, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(bheap_close(reader), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_to)
{
	bheap_t *reader;
	int fd;

	bheap_close(heap_make(0));
	ck_assert_int_eq(chmod(path, 0400), 0);
	fd = open(path, O_RDONLY);
	reader = bheap_open_fd(fd, 0, 0);
	ck_assert_ptr_nonnull(reader);
	ck_assert_int_eq(bheap_check(reader, NULL), 0);
	ck_assert_int_eq(bheap_close(reader), 0);
	close(fd);
	if (!geteuid()) /* may write anything */
		return;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EACCES);
}
END_TEST

START_TEST(nothing_to_read)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	close(fd);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDONLY, 0, 0));
	ck_assert_errno(EPROTO);
	ck_assert_int_eq(file_size(), 0);
	ck_assert_str_eq(faults.last.text, "bheap: not a usable heap file: it is empty");
}
END_TEST

/* ---- files that are wrong ---- */

static void file_poke(size_t offset, const void *bytes, size_t size)
{
	int fd = open(path, O_RDWR);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, size, (off_t)offset), (ssize_t)size);
	close(fd);
}

#define HEAD(field) offsetof(struct bh_shared, field)
#define POKE(field, type, value) file_poke(HEAD(field), &(type){value}, sizeof(type))

static void other_magic(void)
{
	file_poke(0, "#!/bin/sh\n", 10);
}

static void zero_magic(void)
{
	POKE(magic, uint64_t, 0);
}

static void other_version(void)
{
	POKE(version, uint32_t, BH_SHARED_VERSION + 1);
}

static void other_head_size(void)
{
	POKE(head_size, uint32_t, sizeof(struct bh_shared) + 8);
}

static void unknown_flags(void)
{
	POKE(flags, uint32_t, UINT32_C(1) << 30);
}

static void other_words(void)
{
	POKE(word_size, uint16_t, 12 - sizeof(void *));
}

static void other_words_and_version(void)
{
	other_version();
	other_words();
}

/* As a machine with the other byte order would have written the head: the first two fields of it.
 */
static void other_order(void)
{
	POKE(magic, uint64_t, __builtin_bswap64(BH_SHARED_MAGIC));
	POKE(version, uint32_t, __builtin_bswap32(BH_SHARED_VERSION));
}

static void other_order_unfinished(void)
{
	POKE(magic, uint64_t, __builtin_bswap64(BH_SHARED_CREATING));
}

static void other_granules(void)
{
	POKE(granule_size, uint16_t, 8);
}

static void cut(void)
{
	ck_assert_int_eq(truncate(path, SIZE - 1), 0);
}

static void cut_in_half(void)
{
	ck_assert_int_eq(truncate(path, SIZE / 2), 0);
}

static void cut_to_the_head(void)
{
	ck_assert_int_eq(truncate(path, sizeof(struct bh_shared)), 0);
}

static void cut_in_the_head(void)
{
	ck_assert_int_eq(truncate(path, sizeof(struct bh_shared) - 1), 0);
}

static void cut_to_a_byte(void)
{
	ck_assert_int_eq(truncate(path, 1), 0);
}

static void too_long(void)
{
	ck_assert_int_eq(truncate(path, SIZE + 4096), 0);
}

static void no_whole_pages(void)
{
	POKE(size, uint64_t, SIZE - 8);
	ck_assert_int_eq(truncate(path, SIZE - 8), 0);
}

static void size_of_nothing(void)
{
	POKE(size, uint64_t, 0);
}

static void size_beyond_all(void)
{
	POKE(size, uint64_t, UINT64_MAX - 4095);
}

static void a_page_too_large(void)
{
	POKE(size, uint64_t, BHEAP_SIZE_MAX + 4096);
	ck_assert_int_eq(truncate(path, (off_t)BHEAP_SIZE_MAX + 4096), 0);
}

/* Where the map is, as any open of a heap of this size finds it. */
static size_t map_offset(void)
{
	struct bh_layout layout;

	ck_assert(bh_layout_for_size(&layout, SIZE, sizeof(struct bh_shared)));
	return layout.map;
}

static void no_sentinel(void)
{
	file_poke(map_offset(), &(uint64_t){0}, 8);
}

static void used_without_a_start(void)
{
	file_poke(map_offset() + 8, &(uint64_t){UINT64_MAX}, 8);
}

static void zeroed_map(void)
{
	static const char zeroes[1024];

	file_poke(map_offset(), zeroes, sizeof(zeroes));
}

#if UINTPTR_MAX > 0xffffffff
#define OTHER_WORDS "a 32-bit program created it; this is 64-bit"
#else
#define OTHER_WORDS "a 64-bit program created it; this is 32-bit"
#endif

static const struct {
	void (*make)(void);
	int error;
	const char *why;
} bad_files[] = {
	{other_magic, EPROTO, "it is not a heap"},
	{zero_magic, EPROTO, "it is not a heap"},
	{other_order, EPROTO, "its bytes are in the order of another machine"},
	{other_order_unfinished, EPROTO, "its bytes are in the order of another machine"},
	{other_version, EPROTO, "its layout is version 2, not 1 as here"},
	{other_words_and_version, EPROTO, "its layout is version 2, not 1 as here"},
	{other_words, EPROTO, OTHER_WORDS},
	{other_granules, EPROTO, "its granules are of another size"},
	{other_head_size, EPROTO, "its head is of another size"},
	{unknown_flags, EPROTO, "it has flags that this library does not know"},
	{cut, EUCLEAN, "it was truncated"},
	{cut_in_half, EUCLEAN, "it was truncated"},
	{cut_to_the_head, EUCLEAN, "it was truncated"},
	{cut_in_the_head, EPROTO, "it is too short for a heap"},
	{cut_to_a_byte, EPROTO, "it is too short for a heap"},
	{too_long, EUCLEAN, "its length is not the one it was made with"},
	{no_whole_pages, EPROTO, "its size is no multiple of the page size here"},
	{size_of_nothing, EUCLEAN, "its length is not the one it was made with"},
	{size_beyond_all, EUCLEAN, "it was truncated"},
	{a_page_too_large, EUCLEAN, "its length is not the one it was made with"},
	{no_sentinel, EUCLEAN, "a sentinel is missing"},
	{used_without_a_start, EUCLEAN, "used where no block starts"},
	{zeroed_map, EUCLEAN, "a sentinel is missing"},
};

#define BAD_FILES ((int)(sizeof(bad_files) / sizeof(*bad_files)))

/* Refused with this errno and reason, and left as it is; O_CREAT makes no difference. */
START_TEST(a_wrong_file_is_refused)
{
	static const int oflags[] = {O_RDWR, O_RDWR | O_CREAT, O_RDONLY};
	char text[160];
	off_t size;

	bheap_close(heap_make(0));
	bad_files[_i].make();
	size = file_size();
	snprintf(text, sizeof(text), "bheap: not a usable heap file: %s", bad_files[_i].why);
	for (unsigned index = 0; index < 3; index++) {
		errno = 0;
		ck_assert_ptr_null(bheap_open(path, oflags[index] & O_CREAT ? SIZE : 0,
					      oflags[index], 0600, 0));
		ck_assert_str_eq(faults.last.text, text);
		ck_assert_str_eq(strerrorname_np(errno), strerrorname_np(bad_files[_i].error));
		ck_assert_uint_eq(faults.count, index + 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_BAD_FILE);
		ck_assert_ptr_null(faults.last.heap);
		ck_assert_uint_eq(mappings_count(), mappings);
		ck_assert_uint_eq(descriptors_count(), descriptors);
	}
	ck_assert_int_eq(file_size(), size);
}
END_TEST

/* A creator that died: an open that may create begins anew; another is told. */
START_TEST(a_half_made_heap)
{
	bheap_t *heap;

	bheap_close(heap_make(0));
	POKE(magic, uint64_t, BH_SHARED_CREATING);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, _i ? O_RDWR : O_RDONLY, 0, 0));
	ck_assert_errno(EPROTO);
	ck_assert_str_eq(faults.last.text,
			 "bheap: not a usable heap file: its creation was not finished");
	heap = heap_make(0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(file_size(), SIZE);
}
END_TEST

START_TEST(folders_and_devices_are_refused)
{
	static const struct {
		const char *path;
		int error;
	} rows[] = {{".", EISDIR}, {"/dev/null", EPROTO}, {"./no/such/heap", ENOENT}, {"", ENOENT}};

	errno = 0;
	ck_assert_ptr_null(bheap_open(rows[_i].path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_str_eq(strerrorname_np(errno), strerrorname_np(rows[_i].error));
}
END_TEST

/* Damage of what is derived alone is rebuilt by the first process that attaches, and reported once.
 */
START_TEST(a_damaged_index_is_rebuilt)
{
	struct bheap_stats stats;
	bheap_t *heap = heap_make(0);
	char *blocks[10];

	for (int index = 0; index < 10; index++)
		blocks[index] = bheap_alloc(heap, 50);
	for (int index = 0; index < 10; index += 2)
		heap_free(heap, blocks[index]);
	memset(blocks[4], 0x41, 16);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = heap_attach(O_RDWR);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_INDEX);
	ck_assert_ptr_eq(faults.last.heap, heap);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.rebuilds, 1);
	ck_assert_uint_eq(stats.faults, 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	for (int index = 0; index < 5; index++)
		ck_assert_ptr_nonnull(bheap_alloc(heap, 50));
	ck_assert_int_eq(bheap_close(heap), 0);
	bheap_close(heap_attach(O_RDWR));
	ck_assert_uint_eq(faults.count, 1);
}
END_TEST

/* A death inside an operation, found by the next process when none is attached. */
START_TEST(a_death_is_found_at_open)
{
	struct bheap_stats stats;
	bheap_t *heap = heap_make(0);

	ck_assert_ptr_nonnull(bheap_alloc(heap, 50));
	ck_assert_int_eq(bheap_close(heap), 0);
	POKE(inside, uint32_t, 1);
	heap = heap_attach(O_RDWR);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_RECOVERED);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.recoveries, 1);
	ck_assert_uint_eq(stats.faults, 1);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* Detaches without the last call that a close by the last user is: the file stays as it is. */
static void heap_abandon(bheap_t *heap)
{
	heap->shared->attached++;
	ck_assert_int_eq(bheap_close(heap), 0);
}

/*
 * An intent that no process has: pages of a file that a crash of the system left of different
 * times. Who attaches first forgets it, or the next death would free a live block for it.
 */
START_TEST(a_stale_intent_is_forgotten)
{
	bheap_t *heap = heap_make(0);
	char *block = bheap_alloc(heap, 50);
	uint64_t offset = bheap_offset(heap, block);

	heap->core.control->pending = (uint32_t)(offset / BHEAP_ALIGNMENT);
	heap->shared->slot = offset;
	heap->shared->resizing = 1;
	heap_abandon(heap);
	heap = heap_attach(O_RDWR);
	ck_assert_uint_eq(heap->core.control->pending, 0);
	ck_assert_uint_eq(heap->shared->slot, 0);
	ck_assert_uint_eq(heap->shared->resizing, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	POKE(inside, uint32_t, 1);
	heap = heap_attach(O_RDWR);
	ck_assert(bheap_owns(heap, bheap_pointer(heap, offset)));
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* What a maker that died left says how large the heap was to be: not what no heap can be. */
START_TEST(a_making_of_no_size)
{
	static const uint64_t sizes[] = {0, BHEAP_SIZE_MAX + 1, UINT64_MAX};
	bheap_t *heap;
	int fd;

	bheap_close(heap_make(0));
	POKE(magic, uint64_t, BH_SHARED_CREATING);
	POKE(size, uint64_t, sizes[_i]);
	fd = open(path, O_RDWR);
	errno = 0;
	ck_assert_ptr_null(bheap_open_fd(fd, 0, 0));
	ck_assert_errno(EINVAL);
	close(fd);
	ck_assert_int_eq(file_size(), SIZE);
	heap = bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_close(heap);
}
END_TEST

/* The heap as the next process finds it when this one died inside. */
static bheap_t *heap_after_death(bheap_t *heap)
{
	heap_abandon(heap);
	POKE(inside, uint32_t, 1);
	return heap_attach(O_RDWR);
}

/* A pending block is freed after a death, unless the slot that it was for has it. */
START_TEST(a_pending_block_is_in_its_slot_or_free)
{
	bheap_t *heap = heap_make(0);
	uint64_t *slots = bheap_calloc(heap, 3, sizeof(*slots));
	uint64_t base = bheap_offset(heap, slots), offset;

	offset = bheap_offset(heap, bheap_alloc(heap, 50));
	slots[0] = offset;
	slots[1] = base;
	heap->core.control->pending = (uint32_t)(offset / BHEAP_ALIGNMENT);
	heap->shared->slot = _i < 3 ? base + (uint64_t)_i * sizeof(*slots) : 0;
	heap = heap_after_death(heap);
	ck_assert_int_eq(bheap_owns(heap, bheap_pointer(heap, offset)), _i == 0);
	ck_assert(bheap_owns(heap, bheap_pointer(heap, base)));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* A pending block is freed after a death, unless it is the root that it was to be. */
START_TEST(a_pending_block_is_the_root_or_free)
{
	bheap_t *heap = heap_make(0);
	uint64_t other = bheap_offset(heap, bheap_alloc(heap, 50));
	uint64_t offset = bheap_offset(heap, bheap_alloc(heap, 50));
	const uint64_t roots[] = {offset, other, 0};

	heap->core.control->root = roots[_i];
	heap->core.control->pending = (uint32_t)(offset / BHEAP_ALIGNMENT);
	heap->shared->slot = BH_SHARED_SLOT_ROOT;
	heap = heap_after_death(heap);
	ck_assert_int_eq(bheap_owns(heap, bheap_pointer(heap, offset)), _i == 0);
	ck_assert(bheap_owns(heap, bheap_pointer(heap, other)));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* What is no block of the heap is not freed for it, whatever the slot is said to be. */
START_TEST(a_wild_intent_frees_nothing)
{
	static const uint32_t pending[] = {0, 2, 1000, SIZE / 16 + 100, UINT32_MAX};
	static const uint64_t slots[] = {0, 3, 8, UINT64_MAX, UINT64_MAX - 7};
	bheap_t *heap = heap_make(0);
	char *block = bheap_alloc(heap, 50);
	uint64_t offset = bheap_offset(heap, block);

	heap->core.control->pending = pending[_i];
	heap->shared->slot = slots[_i];
	heap = heap_after_death(heap);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_RECOVERED);
	ck_assert(bheap_owns(heap, bheap_pointer(heap, offset)));
	ck_assert_uint_eq(heap->core.control->pending, 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- abort ---- */

static int open_wrong_file(void *arg)
{
	bheap_t *heap;

	bheap_set_fault_handler(NULL, NULL, NULL);
	heap = bheap_open(path, 0, O_RDWR, 0, *(unsigned *)arg);
	return heap ? 1 : 0;
}

START_TEST(a_wrong_file_may_abort)
{
	unsigned flags = _i ? BHEAP_ABORT : 0;
	struct child child;

	bheap_close(heap_make(0));
	other_magic();
	child_run(&child, open_wrong_file, &flags);
	if (_i)
		child_assert_killed(&child, SIGABRT);
	else
		child_assert_exited(&child, 0);
	child_assert_said(&child, "bheap: not a usable heap file: it is not a heap\n");
}
END_TEST

/* ---- no room ---- */

/* Files may not grow beyond half the heap in this process. */
static int make_beyond_the_limit(void *arg)
{
	struct rlimit limit = {SIZE / 2, SIZE / 2};

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	if (bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, *(unsigned *)arg) || errno != EFBIG)
		return 1;
	return file_size() == -1 ? 0 : 2; /* a file that could not be made a heap is removed */
}

START_TEST(a_file_that_may_not_grow)
{
	unsigned flags = _i ? BHEAP_PREALLOCATE : 0;
	struct child child;

	child_run(&child, make_beyond_the_limit, &flags);
	child_assert_exited(&child, 0);
	bheap_close(heap_make(0));
}
END_TEST

/* The largest size is none too many: it is the file that may not grow so. */
static int make_the_largest(void *arg)
{
	struct rlimit limit = {SIZE / 2, SIZE / 2};
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	(void)arg;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	errno = 0;
	if (bheap_open_fd(fd, BHEAP_SIZE_MAX, 0) || errno != EFBIG)
		return 1;
	errno = 0;
	if (bheap_open(path, BHEAP_SIZE_MAX, O_RDWR | O_CREAT, 0600, 0) || errno != EFBIG)
		return 2;
	errno = 0;
	if (bheap_open_fd(fd, BHEAP_SIZE_MAX + 1, 0) || errno != EINVAL)
		return 3;
	errno = 0;
	return bheap_open(path, BHEAP_SIZE_MAX + 1, O_RDWR | O_CREAT, 0600, 0) || errno != EINVAL
		       ? 4
		       : 0;
}

START_TEST(a_file_that_may_not_grow_so_far)
{
	struct child child;

	child_run(&child, make_the_largest, NULL);
	child_assert_exited(&child, 0);
}
END_TEST

/* Standard input is closed in some services. */
static int use_descriptor_0(void *arg)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	bheap_t *heap;
	char *block;

	close(STDIN_FILENO);
	heap = arg ? bheap_open_fd(fd, SIZE, 0) : bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0);
	if (!heap || heap->region.fd < 3)
		return 1;
	block = bheap_alloc(heap, SIZE / 2);
	if (!block)
		return 2;
	memset(block, 7, SIZE / 2);
	/* The pages leave the file too: what is read there again is zero. */
	if (heap_free(heap, block) || !bheap_trim(heap) || block[SIZE / 4])
		return is_emulated() ? 0 : 3;
	fd = heap->region.fd;
	return bheap_close(heap) == 0 && fcntl(fd, F_GETFD) < 0 ? 0 : 4;
}

START_TEST(a_heap_on_descriptor_0)
{
	struct child child;

	child_run(&child, use_descriptor_0, _i ? &child : NULL);
	child_assert_exited(&child, 0);
}
END_TEST

/* A file made as descriptor 0 that cannot become a heap is gone again. */
static int make_in_vain_as_descriptor_0(void *arg)
{
	struct rlimit limit = {SIZE / 2, SIZE / 2};

	(void)arg;
	close(STDIN_FILENO);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	errno = 0;
	if (bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0) || errno != EFBIG)
		return 1;
	return access(path, F_OK) ? 0 : 2;
}

START_TEST(a_failed_making_on_descriptor_0)
{
	struct child child;

	child_run(&child, make_in_vain_as_descriptor_0, NULL);
	child_assert_exited(&child, 0);
}
END_TEST

START_TEST(preallocated_blocks)
{
	struct stat status;
	bheap_t *heap = heap_make(BHEAP_PREALLOCATE);

	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_ge(status.st_blocks * 512, SIZE);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

static void making_tests_add(TCase *tcase)
{
	tcase_add_loop_test(tcase, content_outlives_the_handle, 0, 2);
	tcase_add_test(tcase, sizes_are_of_the_file);
	tcase_add_test(tcase, the_largest_size);
	tcase_add_test(tcase, a_path_to_a_file_without_a_name);
	tcase_add_loop_test(tcase, size_mismatch, 0, 3);
	tcase_add_test(tcase, flags_belong_to_the_heap);
	tcase_add_test(tcase, create_and_exclusive);
	tcase_add_loop_test(tcase, wrong_arguments, 0, 11);
	tcase_add_test(tcase, functions_for_shared_heaps_alone);
	tcase_add_test(tcase, two_attachments_are_one_heap);
	tcase_add_test(tcase, an_unlinked_heap_is_kept_by_who_has_it);
	tcase_add_test(tcase, a_descriptor_stays_the_callers);
	tcase_add_test(tcase, descriptors_that_will_not_do);
	tcase_add_test(tcase, a_name_of_shared_memory);
	tcase_add_loop_test(tcase, a_file_that_may_not_grow, 0, 2);
	tcase_add_test(tcase, a_file_that_may_not_grow_so_far);
	tcase_add_loop_test(tcase, a_heap_on_descriptor_0, 0, 2);
	tcase_add_test(tcase, a_failed_making_on_descriptor_0);
	tcase_add_test(tcase, preallocated_blocks);
}

static void reading_tests_add(TCase *tcase)
{
	tcase_add_test(tcase, reading_changes_nothing);
	tcase_add_test(tcase, a_file_that_cannot_be_written_to);
	tcase_add_test(tcase, nothing_to_read);
	tcase_add_loop_test(tcase, a_wrong_file_is_refused, 0, BAD_FILES);
	tcase_add_loop_test(tcase, a_half_made_heap, 0, 2);
	tcase_add_loop_test(tcase, folders_and_devices_are_refused, 0, 4);
	tcase_add_test(tcase, a_damaged_index_is_rebuilt);
	tcase_add_test(tcase, a_death_is_found_at_open);
	tcase_add_test(tcase, a_stale_intent_is_forgotten);
	tcase_add_loop_test(tcase, a_making_of_no_size, 0, 3);
	tcase_add_loop_test(tcase, a_pending_block_is_in_its_slot_or_free, 0, 4);
	tcase_add_loop_test(tcase, a_pending_block_is_the_root_or_free, 0, 3);
	tcase_add_loop_test(tcase, a_wild_intent_frees_nothing, 0, 5);
	tcase_add_loop_test(tcase, a_wrong_file_may_abort, 0, 2);
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("open", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	making_tests_add(tcase);
	reading_tests_add(tcase);
	return suite_run(suite);
}
