/* SPDX-License-Identifier: MIT */
/*
 * test_shared.c - one heap seen by many: at different addresses, read-only, through descriptors,
 * after a fork and after its name is gone; references, the root, slots and owners.
 */
#include "../support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared.h"

#define SIZE ((size_t)256 * 1024)

static const char *path;
static struct faults faults;

static void setup(void)
{
	path = path_make();
	path_remove();
	faults_expect(&faults);
}

static void teardown(void)
{
	path_remove();
}

static bheap_t *open_as(int oflag, unsigned flags)
{
	bheap_t *heap = bheap_open(path, oflag & O_CREAT ? SIZE : 0, oflag, 0600, flags);

	ck_assert_ptr_nonnull(heap);
	return heap;
}

static bheap_t *make(unsigned flags)
{
	return open_as(O_RDWR | O_CREAT, flags);
}

/* ---- references ---- */

START_TEST(one_heap_at_two_addresses)
{
	bheap_t *one = make(0), *two = open_as(O_RDWR, 0);
	void *block = bheap_alloc(one, 300), *same;
	uint64_t offset = bheap_offset(one, block);

	same = bheap_pointer(two, offset);
	ck_assert_ptr_ne(block, same);
	ck_assert_uint_eq(bheap_offset(two, same), offset);
	ck_assert_uint_eq(bheap_offset(two, block), 0);
	pattern_fill(block, 300, 7);
	ck_assert(pattern_holds(same, 300, 7));
	ck_assert(bheap_owns(two, same));
	ck_assert(!bheap_owns(two, block));
	ck_assert_int_eq(bheap_free(two, same), 0);
	ck_assert(!bheap_owns(one, block));
	ck_assert_int_eq(bheap_close(one), 0);
	ck_assert_int_eq(bheap_check(two, NULL), 0);
	ck_assert_int_eq(bheap_close(two), 0);
}
END_TEST

START_TEST(references)
{
	bheap_t *heap = make(0);
	char *block = bheap_alloc(heap, 64);
	int local;

	ck_assert_uint_eq(bheap_offset(heap, NULL), 0);
	ck_assert_uint_eq(bheap_offset(heap, &local), 0);
	ck_assert_uint_eq(bheap_offset(heap, block + 5), bheap_offset(heap, block) + 5);
	ck_assert_ptr_null(bheap_pointer(heap, 0));
	ck_assert_ptr_null(bheap_pointer(heap, SIZE * 2));
	ck_assert_ptr_null(bheap_root(heap));
	ck_assert_int_eq(bheap_set_root(heap, &local), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_set_root(heap, block), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = open_as(O_RDONLY, 0);
	ck_assert_uint_eq(bheap_offset(heap, bheap_root(heap)), BHEAP_ALIGNMENT);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = open_as(O_RDWR, 0);
	ck_assert_int_eq(bheap_set_root(heap, NULL), 0);
	ck_assert_ptr_null(bheap_root(heap));
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

static int block_alloc_from_visitor(const struct bheap_block *block, void *arg)
{
	(void)block;
	return bheap_alloc(arg, 16) ? 1 : errno;
}

START_TEST(the_holder_is_refused_by_any_handle)
{
	bheap_t *one = make(0), *two = open_as(O_RDWR, 0);

	ck_assert_int_eq(bheap_walk(one, block_alloc_from_visitor, one), EDEADLK);
	ck_assert_int_eq(bheap_walk(one, block_alloc_from_visitor, two), EDEADLK);
	ck_assert_ptr_nonnull(bheap_alloc(two, 16));
	ck_assert_int_eq(bheap_close(two), 0);
	ck_assert_int_eq(bheap_close(one), 0);
}
END_TEST

/* ---- read-only ---- */

static int block_add(const struct bheap_block *block, void *arg)
{
	*(size_t *)arg += block->size;
	return 0;
}

START_TEST(read_only)
{
	bheap_t *heap = make(0), *seen;
	void *block = bheap_alloc(heap, 100);
	uint64_t slot = 0, offset = bheap_offset(heap, block);
	struct bheap_stats stats;
	size_t walked = 0;
	FILE *sink = fopen("/dev/null", "w");

	bheap_set_root(heap, block);
	seen = open_as(O_RDONLY, 0);
	block = bheap_root(seen);
	ck_assert_uint_eq(bheap_offset(seen, block), offset);
	ck_assert(bheap_owns(seen, block));
	ck_assert_uint_eq(bheap_usable_size(seen, block), 112);
	ck_assert_int_eq(bheap_stats(seen, &stats), 0);
	ck_assert_uint_eq(stats.used, 112);
	ck_assert_int_eq(bheap_walk(seen, block_add, &walked), 0);
	ck_assert_uint_eq(walked, stats.size);
	ck_assert_int_eq(bheap_check(seen, NULL), 0);
	ck_assert_int_eq(bheap_display(seen, sink), 0);
	fclose(sink);

	ck_assert_ptr_null(bheap_alloc(seen, 16));
	ck_assert_errno(EROFS);
	ck_assert_ptr_null(bheap_calloc(seen, 1, 16));
	ck_assert_errno(EROFS);
	ck_assert_ptr_null(bheap_aligned_alloc(seen, 64, 16));
	ck_assert_errno(EROFS);
	ck_assert_ptr_null(bheap_realloc(seen, block, 16));
	ck_assert_errno(EROFS);
	ck_assert_int_eq(bheap_set_root(seen, NULL), -1);
	ck_assert_errno(EROFS);
	ck_assert_ptr_null(bheap_alloc_into(seen, &slot, 16));
	ck_assert_errno(EROFS);
	ck_assert_int_eq(bheap_free_from(seen, &slot), -1);
	ck_assert_errno(EROFS);
	ck_assert_int_eq(bheap_reclaim(seen), -1);
	ck_assert_errno(EROFS);
	ck_assert_uint_eq(bheap_trim(seen), 0);
	ck_assert_int_eq(bheap_free(seen, block), -1);
	ck_assert_errno(EROFS);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(seen), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

static void write_for_ever(bheap_t *heap)
{
	void *blocks[64] = {0};
	uint64_t random = 1;

	for (;;) {
		uint64_t index = random_below(&random, 64);

		if (blocks[index])
			bheap_free(heap, blocks[index]);
		blocks[index] = bheap_alloc(heap, 1 + random_below(&random, 3000));
	}
}

/* A reader takes no lock: what it sees is a tiling all the same, whatever writers do meanwhile. */
START_TEST(read_only_while_others_write)
{
	bheap_t *heap = make(0), *seen;
	void *block = bheap_alloc(heap, 40000);
	pid_t writers[3];

	bheap_set_root(heap, block);
	for (unsigned index = 0; index < 3; index++) {
		writers[index] = fork();
		if (!writers[index])
			write_for_ever(heap);
	}
	for (unsigned round = 0; round < (is_watched() ? 50 : 2000); round++) {
		struct bheap_stats stats;
		struct bheap_fault fault;
		size_t walked = 0;

		seen = open_as(O_RDONLY, 0);
		ck_assert_msg(bheap_check(seen, &fault) == 0, "%s", fault.text);
		ck_assert_int_eq(bheap_walk(seen, block_add, &walked), 0);
		ck_assert_uint_eq(walked, bheap_stats(seen, &stats) ? 0 : stats.size);
		ck_assert_uint_eq(bheap_usable_size(seen, bheap_root(seen)), 40000);
		ck_assert_int_eq(bheap_close(seen), 0);
	}
	for (unsigned index = 0; index < 3; index++) {
		kill(writers[index], SIGKILL);
		waitpid(writers[index], NULL, 0);
	}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* Who died may have left the summary behind the map: a reader cannot repair it, nor may it trust it. */
START_TEST(read_only_with_a_stale_summary)
{
	bheap_t *heap = make(0), *seen = NULL;
	size_t walked = 0;
	struct bheap_stats stats;

	bheap_set_root(heap, bheap_alloc(heap, 40000));
	for (unsigned level = 0; level < BH_MAP_LEVELS && heap->heap.map.summary[level]; level++)
		*heap->heap.map.summary[level] = 0;
	seen = open_as(O_RDONLY, 0);
	ck_assert_uint_eq(bheap_usable_size(seen, bheap_root(seen)), 40000);
	ck_assert_int_eq(bheap_walk(seen, block_add, &walked), 0);
	ck_assert_uint_eq(walked, bheap_stats(seen, &stats) ? 0 : stats.size);
	ck_assert_int_eq(bheap_close(seen), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- descriptors and names ---- */

START_TEST(by_descriptor)
{
	int fd = memfd_create("heap", MFD_CLOEXEC), reader;
	size_t descriptors = descriptors_count(), mappings = mappings_count();
	char link[40];
	bheap_t *heap = bheap_open_fd(fd, SIZE, 0), *seen;

	ck_assert_ptr_nonnull(heap);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	reader = open(link, O_RDONLY);
	seen = bheap_open_fd(reader, 0, 0);
	ck_assert_ptr_nonnull(seen);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	ck_assert_ptr_null(bheap_alloc(seen, 16));
	ck_assert_errno(EROFS);
	ck_assert_int_eq(bheap_close(seen), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0); /* ends the handle, not the heap */
	close(reader);
	ck_assert_uint_eq(descriptors_count(), descriptors);
	ck_assert_uint_eq(mappings_count(), mappings);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	heap = bheap_open_fd(fd, 0, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(bheap_close(heap), 0);

	close(fd);
	ck_assert_ptr_null(bheap_open_fd(fd, SIZE, 0));
	ck_assert_errno(EBADF);
	ck_assert_ptr_null(bheap_open_fd(-1, SIZE, 0));
	ck_assert_errno(EBADF);
	fd = open("/dev/null", O_WRONLY);
	ck_assert_ptr_null(bheap_open_fd(fd, SIZE, 0));
	ck_assert_errno(EACCES);
	close(fd);
}
END_TEST

START_TEST(close_is_for_shared_heaps)
{
	bheap_t *heap = bheap_create(4096, 0);
	int (*volatile wrongly)(bheap_t *) = bheap_close; /* the compiler would see it */

	ck_assert_int_eq(wrongly(NULL), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(wrongly(heap), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_sync(heap), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_destroy(heap), 0);
	ck_assert_int_eq(bheap_unlink(NULL), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_unlink(path), -1);
	ck_assert_errno(ENOENT);
}
END_TEST

START_TEST(unlinked_while_attached)
{
	bheap_t *one = make(0), *two = open_as(O_RDWR, 0), *other;
	void *block = bheap_alloc(one, 100);

	ck_assert_int_eq(bheap_unlink(path), 0);
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(ENOENT);
	other = make(0);
	ck_assert(bheap_owns(two, bheap_pointer(two, bheap_offset(one, block))));
	ck_assert(!bheap_owns(other, bheap_pointer(other, bheap_offset(one, block))));
	ck_assert_int_eq(bheap_close(other), 0);
	ck_assert_int_eq(bheap_close(one), 0);
	ck_assert_int_eq(bheap_check(two, NULL), 0);
	ck_assert_int_eq(bheap_close(two), 0);
}
END_TEST

START_TEST(sync_writes_the_file)
{
	bheap_t *heap = make(0);
	char *block = bheap_alloc(heap, 4096), *seen[4096];
	int fd = open(path, O_RDONLY);

	pattern_fill(block, 4096, 3);
	ck_assert_int_eq(bheap_sync(heap), 0);
	ck_assert_int_eq(pread(fd, seen, 4096, block - heap->region.start), 4096);
	ck_assert(pattern_holds(seen, 4096, 3));
	close(fd);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

START_TEST(what_was_reserved_stays_reserved)
{
	bheap_t *heap = make(BHEAP_PREALLOCATE);
	struct stat status;

	ck_assert_int_eq(fstat(heap->region.fd, &status), 0);
	ck_assert_uint_ge((uint64_t)status.st_blocks * 512, SIZE);
	ck_assert_uint_eq(bheap_trim(heap), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	path_remove();
	heap = make(0);
	ck_assert_int_eq(bheap_free(heap, memset(bheap_alloc(heap, SIZE / 2), 1, SIZE / 2)), 0);
	ck_assert_uint_ge(bheap_trim(heap), SIZE / 4);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- fork ---- */

struct pair {
	bheap_t *shared, *own;
	void *in_shared, *in_own;
};

static int child_of_a_fork(void *arg)
{
	struct pair *pair = arg;

	if (bheap_free(pair->shared, pair->in_shared) || bheap_free(pair->own, pair->in_own))
		return 1;
	pair->in_shared = bheap_alloc(pair->shared, 500);
	pattern_fill(pair->in_shared, 500, 9);
	if (bheap_set_root(pair->shared, pair->in_shared))
		return 2;
	return bheap_check(pair->own, NULL) || bheap_close(pair->shared) ? 3 : 0;
}

START_TEST(after_a_fork)
{
	struct pair pair = {.shared = make(0), .own = bheap_create(SIZE, 0)};
	struct child child;

	pair.in_shared = bheap_alloc(pair.shared, 100);
	pair.in_own = bheap_alloc(pair.own, 100);
	child_run(&child, child_of_a_fork, &pair);
	child_assert_exited(&child, 0);
	/* The shared heap has changed, and the child's closing did not end the parent's handle. */
	ck_assert(pattern_holds(bheap_root(pair.shared), 500, 9));
	ck_assert_int_eq(bheap_free(pair.shared, bheap_root(pair.shared)), 0);
	/* The private one has not. */
	ck_assert_int_eq(bheap_free(pair.own, pair.in_own), 0);
	ck_assert_int_eq(bheap_check(pair.shared, NULL), 0);
	ck_assert_int_eq(bheap_check(pair.own, NULL), 0);
	ck_assert_int_eq(bheap_close(pair.shared), 0);
	ck_assert_int_eq(bheap_destroy(pair.own), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- slots ---- */

START_TEST(slots_hold_blocks)
{
	bheap_t *heap = make(0), *other = open_as(O_RDWR, 0);
	uint64_t *slots = bheap_calloc(heap, 4, sizeof(*slots));
	void *block = bheap_alloc_into(heap, &slots[1], 200);

	ck_assert_ptr_nonnull(block);
	ck_assert_uint_eq(slots[1], bheap_offset(heap, block));
	ck_assert_ptr_null(bheap_alloc_into(heap, &slots[2], SIZE * 2));
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(slots[2], 0);
	ck_assert_int_eq(bheap_free_from(other, bheap_pointer(other, bheap_offset(heap, &slots[1]))), 0);
	ck_assert_uint_eq(slots[1], 0);
	ck_assert(!bheap_owns(heap, block));
	/* Nothing to free is no error; what is no block is a fault. */
	ck_assert_int_eq(bheap_free_from(heap, &slots[1]), 0);
	ck_assert_uint_eq(faults.count, 0);
	slots[3] = bheap_offset(heap, slots) + 8;
	ck_assert_int_eq(bheap_free_from(heap, &slots[3]), -1);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(slots[3], bheap_offset(heap, slots) + 8);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_NOT_A_BLOCK);
	ck_assert_int_eq(bheap_close(other), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

static void slot_refused(bheap_t *heap, uint64_t *slot)
{
	ck_assert_ptr_null(bheap_alloc_into(heap, slot, 16));
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_free_from(heap, slot), -1);
	ck_assert_errno(EINVAL);
}

START_TEST(slots_elsewhere)
{
	bheap_t *heap = make(BHEAP_GUARD);
	char *block = bheap_alloc(heap, 40);
	uint64_t local = 0;

	slot_refused(heap, NULL);
	slot_refused(heap, &local);
	slot_refused(heap, (void *)(block + 4));
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, (void *)(block + 32), 16));
	slot_refused(heap, (void *)(block + 40)); /* slack, and behind it the guard */
	slot_refused(heap, (void *)(block + 48));
	slot_refused(heap, (void *)(block + 4096)); /* free memory */
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- owners ---- */

static int block_owner(const struct bheap_block *block, void *arg)
{
	pid_t *owner = arg;

	if (block->used && !*owner)
		*owner = block->owner;
	return 0;
}

static pid_t leave_blocks(bheap_t *heap, unsigned count)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		for (unsigned index = 0; index < count; index++)
			if (!bheap_alloc(heap, 100))
				_exit(1);
		_exit(0);
	}
	return pid;
}

START_TEST(owners)
{
	bheap_t *heap = make(BHEAP_OWNED);
	struct bheap_stats stats;
	pid_t owner = 0, pid;
	siginfo_t ended;
	void *ours = bheap_alloc(heap, 100);

	ck_assert_int_eq(bheap_walk(heap, block_owner, &owner), 0);
	ck_assert_int_eq(owner, getpid());
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	pid = leave_blocks(heap, 7);
	/* Dead is dead, even if nobody has asked how it ended. */
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(bheap_reclaim(heap), 7);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	ck_assert(bheap_owns(heap, ours));
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert_int_eq(bheap_close(heap), 0);
	path_remove();
	heap = make(0);
	ck_assert_int_eq(bheap_reclaim(heap), -1);
	ck_assert_errno(ENOTSUP);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

static int make_root(void *arg)
{
	void *root = bheap_alloc(arg, 100), *more = bheap_alloc(arg, 100);

	return !root || !more || bheap_set_root(arg, (char *)root + 64);
}

/* Where the data starts is the heap's own: it outlives who made it. */
START_TEST(the_root_has_no_owner)
{
	bheap_t *heap = make(BHEAP_OWNED | BHEAP_GUARD);
	struct child child;

	child_run(&child, make_root, heap);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(bheap_reclaim(heap), 1);
	ck_assert(bheap_owns(heap, (char *)bheap_root(heap) - 64));
	bheap_set_root(heap, NULL);
	ck_assert_int_eq(bheap_reclaim(heap), 1);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* As a damaged file may have it: a root is looked at no closer than it is in the heap. */
START_TEST(a_root_that_leads_elsewhere)
{
	static const uint64_t roots[] = {UINT64_C(1) << 35, 8, SIZE, UINT64_MAX};
	bheap_t *heap = make(BHEAP_OWNED);
	pid_t pid = leave_blocks(heap, 3);

	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	for (size_t index = 0; index < sizeof(roots) / sizeof(*roots); index++) {
		heap->heap.control->root = roots[index];
		ck_assert_ptr_null(bheap_root(heap));
		ck_assert_int_eq(bheap_reclaim(heap), index ? 0 : 3);
	}
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* Another container's process numbers mean nothing here. */
START_TEST(owners_of_another_namespace)
{
	bheap_t *heap = make(BHEAP_OWNED);
	uint32_t space = heap->shared->space;

	ck_assert_uint_ne(space, 0);
	heap->shared->space = space + 1;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EBUSY);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(bheap_close(open_as(O_RDONLY, 0)), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = open_as(O_RDWR, 0);
	ck_assert_uint_eq(heap->shared->space, space);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("shared", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, one_heap_at_two_addresses);
	tcase_add_test(tcase, references);
	tcase_add_test(tcase, the_holder_is_refused_by_any_handle);
	tcase_add_test(tcase, read_only);
	tcase_add_test(tcase, read_only_while_others_write);
	tcase_add_test(tcase, read_only_with_a_stale_summary);
	tcase_add_test(tcase, by_descriptor);
	tcase_add_test(tcase, close_is_for_shared_heaps);
	tcase_add_test(tcase, unlinked_while_attached);
	tcase_add_test(tcase, sync_writes_the_file);
	tcase_add_test(tcase, what_was_reserved_stays_reserved);
	tcase_add_test(tcase, after_a_fork);
	tcase_add_test(tcase, slots_hold_blocks);
	tcase_add_test(tcase, slots_elsewhere);
	tcase_add_test(tcase, owners);
	tcase_add_test(tcase, the_root_has_no_owner);
	tcase_add_test(tcase, a_root_that_leads_elsewhere);
	tcase_add_test(tcase, owners_of_another_namespace);
	return suite_run(suite);
}
