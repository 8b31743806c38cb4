/* SPDX-License-Identifier: MIT */
/*
 * test_images.c - heap files stored in images/: every build opens those of its word size and byte
 * order, finds sound what they hold, and works in them; it refuses the others and says why. Of
 * amd64 one is plain, one has guards and owners, one was left by a process that was killed inside
 * an allocation; a plain one each was made on i386 and on s390x. After a wanted change of the
 * format, with a new BH_SHARED_VERSION, in the build folder of each:
 * BHEAP_TEST_IMAGES=../tests/crash/images CK_FORK=no tests/crash/test_images
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#include "handle/handle.h"

#include "stepper.h"

#define HEAP_SIZE ((size_t)1 << 16) /* whole pages on every machine */
#define PARTS 12

struct root {
	uint64_t parts[PARTS]; /* offsets; part I has part_size(I) bytes of pattern I + 1 */
	uint64_t slot;
};

static const struct image {
	const char *name;
	unsigned flags;
	bool killed;
	unsigned bits;
	bool low_first; /* the byte order */
} images[] = {
	{"plain", 0, false, 64, true},
	{"guarded", BHEAP_GUARD | BHEAP_OWNED, false, 64, true},
	{"killed", 0, true, 64, true},
	{"plain-i386", 0, false, 32, true},
	{"plain-s390x", 0, false, 64, false},
};
#define BITS (8 * (unsigned)sizeof(void *))
#define LOW_FIRST (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

#define IMAGES ((int)(sizeof(images) / sizeof(*images)))

static size_t part_size(unsigned index)
{
	return 1 + index * index * 7;
}

/* ---- making them ---- */

/* A third of the parts is freed again, so that bins, victim and top have something to hold. */
static bheap_t *image_fill(const struct image *image, const char *path)
{
	bheap_t *heap = bheap_open(path, HEAP_SIZE, O_RDWR | O_CREAT | O_EXCL, 0644, image->flags);
	struct root *root = bheap_calloc(heap, 1, sizeof(*root));

	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(bheap_set_root(heap, root), 0);
	for (unsigned index = 0; index < PARTS; index++) {
		void *part = bheap_alloc_into(heap, &root->parts[index], part_size(index));

		ck_assert_ptr_nonnull(part);
		pattern_fill(part, part_size(index), index + 1);
	}
	for (unsigned index = 0; index < PARTS; index += 3)
		ck_assert_int_eq(bheap_free_from(heap, &root->parts[index]), 0);
	return heap;
}

static void slot_allocate(void *arg)
{
	bheap_t *heap = arg;
	struct root *root = bheap_root(heap);

	raise(SIGSTOP);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, &root->slot, 700));
}

/* Killed once the block is allocated and before anyone has it. */
static void image_kill(bheap_t *heap)
{
	const struct bh_control *control = heap->core.control;
	struct stepper stepper;

	ck_assert_ptr_null(stepper_refusal());
	stepper_start(&stepper, slot_allocate, heap);
	while (!control->pending || !bh_map_is_live(&heap->core.map, control->pending))
		ck_assert(stepper_step(&stepper));
	stepper_kill(&stepper);
}

/* Zeros at the end are not stored: nothing was ever allocated there. */
static void image_trim(const char *path)
{
	char bytes[HEAP_SIZE];
	int fd = open(path, O_RDWR);
	size_t size = HEAP_SIZE;

	ck_assert_int_eq(pread(fd, bytes, size, 0), HEAP_SIZE);
	while (!bytes[size - 1])
		size--;
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void image_make(const struct image *image, const char *folder)
{
	char path[4096];
	bheap_t *heap;

	snprintf(path, sizeof(path), "%s/%s.heap", folder, image->name);
	unlink(path);
	heap = image_fill(image, path);
	if (image->killed)
		image_kill(heap);
	ck_assert_int_eq(bheap_close(heap), 0);
	image_trim(path);
}

/* ---- opening them ---- */

/* A copy of full length in the current folder; its path. */
static const char *image_copy(const struct image *image)
{
	const char *srcdir = getenv("srcdir"), *copy = path_make();
	char path[4096], bytes[HEAP_SIZE];
	int from, to = open(copy, O_RDWR | O_CREAT | O_EXCL, 0600);
	ssize_t length;

	snprintf(path, sizeof(path), "%s/tests/crash/images/%s.heap", srcdir ? srcdir : ".",
		 image->name);
	from = open(path, O_RDONLY);
	ck_assert_msg(from >= 0, "no %s", path);
	length = read(from, bytes, sizeof(bytes));
	ck_assert_int_gt(length, 0);
	ck_assert_int_eq(write(to, bytes, (size_t)length), length);
	ck_assert_int_eq(ftruncate(to, HEAP_SIZE), 0);
	close(from);
	close(to);
	return copy;
}

static void root_expect(bheap_t *heap)
{
	const struct root *root = bheap_root(heap);

	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(root->slot, 0);
	for (unsigned index = 0; index < PARTS; index++) {
		const void *part = bheap_pointer(heap, root->parts[index]);

		if (index % 3 == 0)
			ck_assert_uint_eq(root->parts[index], 0);
		else
			ck_assert(pattern_holds(part, part_size(index), index + 1));
	}
}

/* Filled to the last byte and emptied, it is one free block. */
static void heap_use(bheap_t *heap)
{
	struct bheap_stats stats;

	for (size_t size = 20000; size; size /= 2)
		while (bheap_alloc(heap, size))
			;
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	root_expect(heap);
	heap_empty(heap);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.largest_free, stats.size);
}

static void guard_expect(bheap_t *heap, struct faults *faults)
{
	struct root *root = bheap_root(heap);
	char *part = bheap_pointer(heap, root->parts[1]);

	ck_assert_uint_eq(bheap_usable_size(heap, part), part_size(1));
	memory_scribble(part + part_size(1), "", 1);
	ck_assert_int_eq(bheap_free_from(heap, &root->parts[1]), 0);
	ck_assert_uint_eq(faults->count, 1);
	ck_assert_int_eq(faults->last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, &root->parts[1], part_size(1)));
	pattern_fill(bheap_pointer(heap, root->parts[1]), part_size(1), 2);
}

static bool is_of_this_kind(const struct image *image)
{
	return image->bits == BITS && image->low_first == LOW_FIRST;
}

static void image_use(const struct image *image, const char *path)
{
	struct bheap_stats stats;
	struct faults faults;
	bheap_t *heap;

	faults_expect(&faults);
	heap = bheap_open(path, 0, O_RDWR, 0, image->flags);
	ck_assert_msg(heap != NULL, "%s: %s", image->name, faults.last.text);
	ck_assert_uint_eq(faults.count, image->killed);
	if (image->killed)
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_RECOVERED);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 1 + PARTS - (PARTS + 2) / 3);
	root_expect(heap);
	if (image->flags & BHEAP_GUARD)
		guard_expect(heap, &faults);
	heap_use(heap);
	ck_assert_int_eq(bheap_close(heap), 0);
}

/* Also by a read-only open; the byte order is told first, for by it all else is read. */
static void image_refuse(const struct image *image, const char *path)
{
	static const int oflags[] = {O_RDWR, O_RDONLY};
	struct faults faults;
	char text[160];

	if (image->low_first != LOW_FIRST)
		snprintf(text, sizeof(text),
			 "bheap: not a usable heap file: its bytes are in the "
			 "order of another machine");
	else
		snprintf(text, sizeof(text),
			 "bheap: not a usable heap file: a %u-bit program created "
			 "it; this is %u-bit",
			 image->bits, BITS);
	for (int index = 0; index < 2; index++) {
		faults_expect(&faults);
		ck_assert_ptr_null(bheap_open(path, 0, oflags[index], 0, 0));
		ck_assert_errno(EPROTO);
		ck_assert_uint_eq(faults.count, 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_BAD_FILE);
		ck_assert_str_eq(faults.last.text, text);
	}
}

START_TEST(image_is_used_or_refused)
{
	const char *path = image_copy(&images[_i]);

	if (is_of_this_kind(&images[_i]))
		image_use(&images[_i], path);
	else
		image_refuse(&images[_i], path);
	path_remove();
}
END_TEST

START_TEST(images_make)
{
	if (is_of_this_kind(&images[_i]))
		image_make(&images[_i], getenv("BHEAP_TEST_IMAGES"));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("images", &tcase, 30);

	if (getenv("BHEAP_TEST_IMAGES"))
		tcase_add_loop_test(tcase, images_make, 0, IMAGES);
	else
		tcase_add_loop_test(tcase, image_is_used_or_refused, 0, IMAGES);
	return suite_run(suite);
}
