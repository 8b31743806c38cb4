/* SPDX-License-Identifier: MIT */
/*
 * test_shared.c - one heap seen by many: by two handles of one process, read-only while others
 * write, after a fork, from other containers; what its file holds.
 */
#include "support.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/intent.h"
#include "handle/handle.h"
#include "handle/shared.h"

#define SIZE ((size_t)256 * 1024)

static const char *path;
static struct faults faults;

static void setup(void)
{
	path = path_make();
	faults_expect(&faults);
}

static bheap_t *open_as(int oflag, unsigned flags)
{
	bheap_t *heap = bheap_open(path, oflag & O_CREAT ? SIZE : 0, oflag, 0600, flags);

	ck_assert_ptr_nonnull(heap);
	return heap;
}

static bheap_t *make(unsigned flags)
{
	return path_heap(SIZE, flags);
}

static int block_alloc_from_callback(const struct bheap_block *block, void *arg)
{
	(void)block;
	return bheap_alloc(arg, 16) ? 1 : errno;
}

START_TEST(the_holder_is_refused_by_any_handle)
{
	bheap_t *one = make(0), *two = open_as(O_RDWR, 0);

	ck_assert_int_eq(bheap_walk(one, block_alloc_from_callback, one), EDEADLK);
	ck_assert_int_eq(bheap_walk(one, block_alloc_from_callback, two), EDEADLK);
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

/*
 * A process that died may have left tags that lag the map: a reader can neither repair nor trust
 * them.
 */
START_TEST(read_only_with_stale_tags)
{
	bheap_t *heap = make(0), *seen = NULL;
	size_t walked = 0;
	struct bheap_stats stats;

	bheap_set_root(heap, bheap_alloc(heap, 40000));
	for (uint32_t word = 0; word <= heap->core.end >> 6; word++)
		if (!heap->core.map.words[word].start)
			heap->core.map.words[word].used = 0;
	seen = open_as(O_RDONLY, 0);
	ck_assert_uint_eq(bheap_usable_size(seen, bheap_root(seen)), 40000);
	ck_assert_int_eq(bheap_walk(seen, block_add, &walked), 0);
	ck_assert_uint_eq(walked, bheap_stats(seen, &stats) ? 0 : stats.size);
	ck_assert_int_eq(bheap_close(seen), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- the file ---- */

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

/* Between operations nothing is pending that a recovery would roll back. */
START_TEST(no_intent_is_left)
{
	bheap_t *heap = make(BHEAP_GUARD);
	const struct bh_shared *head = heap->shared;
	uint64_t *slot = bheap_alloc(heap, 64);

	*slot = 0;
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, slot, 100));
	ck_assert_ptr_nonnull(bheap_realloc(heap, bheap_pointer(heap, *slot), 90));
	ck_assert_uint_eq(head->resizing, 0);
	ck_assert_int_eq(bheap_free_from(heap, slot), 0);
	ck_assert_uint_eq(head->inside, 0);
	ck_assert_uint_eq(head->resizing, 0);
	ck_assert_uint_eq(head->slot, 0);
	ck_assert_uint_eq(heap->core.control->pending, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- owners ---- */

static int make_root(void *arg)
{
	void *root = bheap_alloc(arg, 100), *more = bheap_alloc(arg, 100);

	return !root || !more || bheap_set_root(arg, (char *)root + 64);
}

/* Where the data starts is the heap's own: it outlives its creator. */
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

static pid_t leave_blocks(bheap_t *heap, unsigned count)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		for (unsigned index = 0; index < count; index++)
			if (!bheap_alloc(heap, 100))
				child_exit(1);
		child_exit(0);
	}
	return pid;
}

/* As a damaged file may have it: a root is looked at no closer than it is in the heap. */
START_TEST(a_root_that_leads_elsewhere)
{
	static const uint64_t roots[] = {UINT64_C(1) << 35, 8, SIZE, UINT64_MAX};
	bheap_t *heap = make(BHEAP_OWNED);
	pid_t pid = leave_blocks(heap, 3);

	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	for (size_t index = 0; index < sizeof(roots) / sizeof(*roots); index++) {
		heap->core.control->root = roots[index];
		ck_assert_ptr_null(bheap_root(heap));
		ck_assert_int_eq(bheap_reclaim(heap), index ? 0 : 3);
	}
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* Another container's process numbers mean nothing here. */
START_TEST(owners_of_another_namespace)
{
	bheap_t *heap = make(_i ? BHEAP_OWNED : 0);
	uint32_t space = heap->shared->pid_namespace;

	ck_assert_uint_ne(space, 0);
	heap->shared->pid_namespace = space + 1;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EBUSY);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(bheap_close(open_as(O_RDONLY, 0)), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = open_as(O_RDWR, 0);
	ck_assert_uint_eq(heap->shared->pid_namespace, space);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* Number 1 of another namespace, with a handle from before. */
static int use_from_elsewhere(bheap_t *heap, void *block)
{
	errno = 0;
	if (bheap_alloc(heap, 100) || errno != EBUSY)
		return 1;
	errno = 0;
	if (bheap_free(heap, block) != -1 || errno != EBUSY)
		return 2;
	errno = 0;
	if (bheap_reclaim(heap) != -1 || errno != EBUSY)
		return 3;
	return bheap_close(heap) ? 4 : 0;
}

#define SKIPPED 77

static int move_elsewhere(void *arg)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID))
		return SKIPPED;
	pid = fork();
	if (!pid)
		child_exit(use_from_elsewhere(arg, bheap_root(arg)));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 9;
	/* This process stays where it was. */
	if (!bheap_alloc(arg, 100))
		return 8;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 7;
}

START_TEST(a_child_in_another_namespace)
{
	bheap_t *heap = make(BHEAP_OWNED);
	struct child child;
	void *block = bheap_alloc(heap, 100);

	ck_assert_int_eq(bheap_set_root(heap, block), 0);
	child_run(&child, move_elsewhere, heap);
	if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != SKIPPED)
		child_assert_exited(&child, 0);
	ck_assert(bheap_owns(heap, block));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("shared", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_test(tcase, the_holder_is_refused_by_any_handle);
	tcase_add_test(tcase, read_only_while_others_write);
	tcase_add_test(tcase, read_only_with_stale_tags);
	tcase_add_test(tcase, sync_writes_the_file);
	tcase_add_test(tcase, what_was_reserved_stays_reserved);
	tcase_add_test(tcase, after_a_fork);
	tcase_add_test(tcase, the_root_has_no_owner);
	tcase_add_test(tcase, a_root_that_leads_elsewhere);
	tcase_add_test(tcase, no_intent_is_left);
	tcase_add_loop_test(tcase, owners_of_another_namespace, 0, 2);
	tcase_add_test(tcase, a_child_in_another_namespace);
	return suite_run(suite);
}
