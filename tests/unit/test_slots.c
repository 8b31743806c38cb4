/* SPDX-License-Identifier: MIT */
/*
 * test_slots.c - offsets, the root, allocation into a slot, and blocks of dead processes; on
 * private heaps and on shared ones.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/handle.h"
#include "handle/call.h"

#define KINDS 4

static bheap_t *heap;
static struct faults faults;

static void heap_share(size_t size, unsigned flags)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);

	heap = bheap_open_fd(fd, size, flags);
	close(fd);
	ck_assert_ptr_nonnull(heap);
}

static void heap_make(int kind)
{
	static const unsigned flags[KINDS] = {0, BHEAP_GUARD, 0, BHEAP_OWNED};

	if (kind >= 2) {
		heap_share(65536, flags[kind]);
		return;
	}
	heap = bheap_create(16384, flags[kind]);
	ck_assert_ptr_nonnull(heap);
}

static void setup(void)
{
	faults_expect(&faults);
}

static void teardown(void)
{
	if (!heap)
		return;
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	heap_empty(heap);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

static size_t live_blocks(void)
{
	struct bheap_stats stats;

	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	return stats.live_blocks;
}

/* ---- offsets ---- */

START_TEST(offsets_and_pointers)
{
	char *block, *next;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	next = bheap_alloc(heap, 100);
	ck_assert_uint_ne(bheap_offset(heap, block), 0);
	ck_assert_uint_eq(bheap_offset(heap, next) - bheap_offset(heap, block),
			  (size_t)(next - block));
	for (int at = 0; at < 100; at++)
		ck_assert_ptr_eq(bheap_pointer(heap, bheap_offset(heap, block + at)), block + at);
	ck_assert_uint_eq(bheap_offset(heap, NULL), 0);
	ck_assert_uint_eq(bheap_offset(heap, &block), 0);
	ck_assert_uint_eq(bheap_offset(NULL, block), 0);
	ck_assert_uint_eq(bheap_offset(heap, block - 1), 0);
	ck_assert_uint_eq(bheap_offset(heap, block + 70000), 0);
	ck_assert_ptr_null(bheap_pointer(heap, 0));
	ck_assert_ptr_null(bheap_pointer(heap, bheap_offset(heap, block) - 1));
	ck_assert_ptr_null(bheap_pointer(heap, 70000));
	ck_assert_ptr_null(bheap_pointer(heap, UINT64_MAX));
	ck_assert_ptr_null(bheap_pointer(NULL, 16));
}
END_TEST

/* The last byte of the heap has an offset, the next has none. */
START_TEST(offsets_at_the_end)
{
	struct bheap_stats stats;
	char *start;

	heap_make(_i);
	bheap_stats(heap, &stats);
	start = bheap_alloc(heap, 16);
	ck_assert_ptr_eq(bheap_pointer(heap, bheap_offset(heap, start + stats.size - 1)),
			 start + stats.size - 1);
	ck_assert_uint_eq(bheap_offset(heap, start + stats.size), 0);
}
END_TEST

/* ---- root ---- */

START_TEST(root)
{
	char *block;

	heap_make(_i);
	ck_assert_ptr_null(bheap_root(heap));
	block = bheap_alloc(heap, 100);
	ck_assert_int_eq(bheap_set_root(heap, block), 0);
	ck_assert_ptr_eq(bheap_root(heap), block);
	errno = 0;
	ck_assert_int_eq(bheap_set_root(heap, &block), -1);
	ck_assert_errno(EINVAL);
	ck_assert_ptr_eq(bheap_root(heap), block);
	ck_assert_int_eq(bheap_set_root(heap, NULL), 0);
	ck_assert_ptr_null(bheap_root(heap));
	errno = 0;
	ck_assert_int_eq(bheap_set_root(NULL, block), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_root(NULL));
	ck_assert_errno(EINVAL);
}
END_TEST

/* ---- slots ---- */

START_TEST(allocate_into_and_free_from)
{
	uint64_t *slots;
	void *block;

	heap_make(_i);
	slots = bheap_calloc(heap, 4, sizeof(*slots));
	block = bheap_alloc_into(heap, &slots[2], 100);
	ck_assert_ptr_nonnull(block);
	ck_assert_uint_eq(slots[2], bheap_offset(heap, block));
	ck_assert(bheap_owns(heap, block));
	ck_assert_uint_eq(live_blocks(), 2);
	ck_assert_int_eq(bheap_free_from(heap, &slots[2]), 0);
	ck_assert_uint_eq(slots[2], 0);
	ck_assert(!bheap_owns(heap, block));
	ck_assert_int_eq(bheap_free_from(heap, &slots[2]), 0); /* empty: nothing to do */
	ck_assert_uint_eq(live_blocks(), 1);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(no_room_leaves_the_slot)
{
	uint64_t *slot;

	heap_make(_i);
	slot = bheap_alloc(heap, 16);
	*slot = 77;
	errno = 0;
	ck_assert_ptr_null(bheap_alloc_into(heap, slot, 1 << 20));
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(*slot, 77);
}
END_TEST

static void slot_refused(uint64_t *slot)
{
	errno = 0;
	ck_assert_ptr_null(bheap_alloc_into(heap, slot, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_free_from(heap, slot), -1);
	ck_assert_errno(EINVAL);
}

/* A slot is a word inside a live block, and nowhere else. */
START_TEST(slots_elsewhere_are_refused)
{
	static uint64_t outside;
	uint64_t *slots, *freed;
	size_t live;

	heap_make(_i);
	slots = bheap_calloc(heap, 4, sizeof(*slots));
	freed = bheap_calloc(heap, 4, sizeof(*slots));
	heap_free(heap, freed);
	live = live_blocks();
	slot_refused(&outside);
	slot_refused(NULL);
	slot_refused((uint64_t *)(void *)((char *)slots + 4));
	slot_refused(freed);
	slot_refused(freed + 2);
	slot_refused((uint64_t *)(void *)((char *)slots + 70000 / 8 * 8));
	ck_assert_uint_eq(live_blocks(), live);
	errno = 0;
	ck_assert_ptr_null(bheap_alloc_into(NULL, slots, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_free_from(NULL, slots), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

/* The word must be the user's: with trailers none of theirs. */
START_TEST(a_slot_in_a_trailer_is_refused)
{
	uint64_t *slots;

	heap_make(_i ? 3 : 1);
	slots = bheap_calloc(heap, 4, sizeof(*slots));
	slot_refused(slots + 4);
	slot_refused(slots + 5);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, slots + 3, 16));
}
END_TEST

START_TEST(a_slot_with_something_else_in_it)
{
	uint64_t *slot;

	heap_make(_i);
	slot = bheap_calloc(heap, 1, sizeof(*slot));
	*slot = 12345;
	errno = 0;
	ck_assert_int_eq(bheap_free_from(heap, slot), -1);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_uint_eq(*slot, 12345);
	*slot = UINT64_MAX;
	ck_assert_int_eq(bheap_free_from(heap, slot), -1);
	ck_assert_uint_eq(faults.count, 2);
	*slot = 0;
}
END_TEST

/* A slot whose block is the one that holds it. */
START_TEST(a_slot_that_frees_its_own_block)
{
	uint64_t *slot;

	heap_make(_i);
	slot = bheap_calloc(heap, 1, sizeof(*slot));
	*slot = bheap_offset(heap, slot);
	ck_assert_int_eq(bheap_free_from(heap, slot), 0);
	ck_assert_uint_eq(live_blocks(), 0);
}
END_TEST

/* ---- the root ---- */

START_TEST(the_first_root_is_zero_bytes)
{
	static const char zeros[100];
	char *start, *other;

	heap_make(_i);
	other = bheap_alloc(heap, sizeof(zeros));
	memset(other, 'x', sizeof(zeros));
	ck_assert_int_eq(heap_free(heap, other), 0);
	start = bheap_root_alloc(heap, sizeof(zeros));
	ck_assert_ptr_nonnull(start);
	ck_assert_mem_eq(start, zeros, sizeof(zeros));
	ck_assert(bheap_owns(heap, start));
	ck_assert_ptr_eq(bheap_root(heap), start);
	ck_assert_uint_eq(live_blocks(), 1);
}
END_TEST

/* Whatever its size, and with no room at all. */
START_TEST(a_root_that_is_there_is_returned)
{
	char *start;

	heap_make(_i);
	start = bheap_root_alloc(heap, 100);
	start[0] = 'r';
	while (bheap_alloc(heap, 16))
		;
	ck_assert_ptr_eq(bheap_root_alloc(heap, 100), start);
	ck_assert_ptr_eq(bheap_root_alloc(heap, SIZE_MAX), start);
	ck_assert_int_eq(start[0], 'r');
	ck_assert_int_eq(bheap_set_root(heap, start + 1), 0);
	ck_assert_ptr_eq(bheap_root_alloc(heap, 1), start + 1);
}
END_TEST

START_TEST(a_root_that_cannot_be)
{
	static const size_t sizes[] = {SIZE_MAX, (size_t)1 << 30};

	heap_make(_i % 2 ? 3 : 0);
	errno = 0;
	ck_assert_ptr_null(bheap_root_alloc(heap, sizes[_i / 2]));
	ck_assert_errno(ENOMEM);
	ck_assert_ptr_null(bheap_root(heap));
	errno = 0;
	ck_assert_ptr_null(bheap_root_alloc(NULL, 1));
	ck_assert_errno(EINVAL);
	ck_assert_ptr_nonnull(bheap_root_alloc(heap, 1));
}
END_TEST

/* ---- owners ---- */

static int owner_find(const struct bheap_block *block, void *arg)
{
	if (block->used && block->address == arg)
		return block->owner;
	return 0;
}

static int allocate_some(void *arg)
{
	size_t count = *(size_t *)arg;

	while (count--)
		if (!bheap_alloc(heap, 100))
			return 1;
	return 0;
}

/* So many blocks of a process that is no more. */
static void dead_allocate(size_t count)
{
	struct child child;

	child_run(&child, allocate_some, &count);
	child_assert_exited(&child, 0);
}

START_TEST(blocks_remember_who_made_them)
{
	void *block;

	heap_make(3);
	block = bheap_alloc(heap, 100);
	ck_assert_int_eq(bheap_walk(heap, owner_find, block), getpid());
	block = bheap_realloc(heap, block, 3000);
	ck_assert_int_eq(bheap_walk(heap, owner_find, block), getpid());
	block = bheap_realloc(heap, block, 3);
	ck_assert_int_eq(bheap_walk(heap, owner_find, block), getpid());
}
END_TEST

START_TEST(blocks_of_the_dead_are_reclaimed)
{
	size_t count = (size_t)_i;
	void *mine;

	heap_make(3);
	mine = bheap_alloc(heap, 100);
	dead_allocate(count);
	ck_assert_uint_eq(live_blocks(), count + 1);
	ck_assert_int_eq(bheap_reclaim(heap), (int)count);
	ck_assert_uint_eq(live_blocks(), 1);
	ck_assert(bheap_owns(heap, mine));
	errno = 0;
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	ck_assert_int_ne(errno, ENOTSUP);
}
END_TEST

#define GROUPS 128

/*
 * Large, free, and of all small sizes: the free ones begin and end everywhere in words of the map.
 */
static int allocate_groups(void *arg)
{
	void *gone[GROUPS];

	(void)arg;
	for (size_t group = 0; group < GROUPS; group++) {
		void *large = bheap_alloc(heap, 3000), *small;

		gone[group] = bheap_alloc(heap, 900);
		small = bheap_alloc(heap, group * 16 + 16);
		if (!large || !gone[group] || !small)
			return 1;
	}
	for (size_t group = 0; group < GROUPS; group++)
		bheap_free(heap, gone[group]);
	return 0;
}

/* Each block that is taken back is merged with the free one after it. */
START_TEST(blocks_of_the_dead_beside_free_ones)
{
	struct child child;

	heap_share(1 << 20, BHEAP_OWNED);
	child_run(&child, allocate_groups, NULL);
	child_assert_exited(&child, 0);
	ck_assert_uint_eq(live_blocks(), 2 * GROUPS);
	ck_assert_int_eq(bheap_reclaim(heap), 2 * GROUPS);
	ck_assert_uint_eq(live_blocks(), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* Without pidfd_open(), which Valgrind may not know, a process lives until it is reaped. */
static bool is_reaped_to_be_dead(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	close(fd);
	return fd < 0 && is_watched();
}

START_TEST(blocks_of_the_living_are_not)
{
	int told[2], wait[2];
	siginfo_t info;
	char byte;
	pid_t pid;

	heap_make(3);
	ck_assert_int_eq(pipe(told) | pipe(wait), 0);
	pid = fork();
	if (!pid) {
		void *block = bheap_alloc(heap, 100);

		close(wait[1]);
		if (block && write(told[1], "x", 1) == 1 && read(wait[0], &byte, 1) == 0)
			child_exit(0);
		child_exit(1);
	}
	close(wait[0]);
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	ck_assert_uint_eq(live_blocks(), 1);
	/* Killed, not yet reaped: dead. */
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | (is_reaped_to_be_dead() ? 0 : WNOWAIT));
	ck_assert_int_eq(bheap_reclaim(heap), 1);
	waitpid(pid, NULL, 0);
	close(wait[1]);
	close(told[0]);
	close(told[1]);
}
END_TEST

static void *reclaim_cancelled(void *count)
{
	pthread_cancel(pthread_self());
	*(ssize_t *)count = bheap_reclaim(heap);
	pthread_testcancel();
	return NULL;
}

/* A thread that is to end asks about all processes first, and ends without the lock. */
START_TEST(reclaiming_is_no_cancellation_point)
{
	pthread_t thread;
	ssize_t count = -1;
	void *result;

	heap_make(3);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100)); /* a live process is asked about at length */
	dead_allocate(2);
	ck_assert_int_eq(pthread_create(&thread, NULL, reclaim_cancelled, &count), 0);
	pthread_join(thread, &result);
	ck_assert_int_eq(count, 2);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_uint_eq(live_blocks(), 1);
}
END_TEST

/*
 * Overflows by one byte into the slack: all are counted and reported, also where they are more than
 * one batch.
 */
static int allocate_and_overflow(void *arg)
{
	for (size_t count = *(size_t *)arg; count--;) {
		char *block = bheap_alloc(heap, 100);

		if (!block)
			return 1;
		memory_change(block + 100, 'x');
	}
	return 0;
}

START_TEST(more_faults_than_one_call_reports)
{
	size_t count = BH_REPORTS_MAX + 3;
	struct bheap_stats stats;
	struct child child;

	heap_make(3);
	bheap_set_fault_handler(heap, faults_record, &faults);
	child_run(&child, allocate_and_overflow, &count);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(bheap_reclaim(heap), (int)count);
	ck_assert_uint_eq(faults.count, count);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.faults, count);
	ck_assert_uint_eq(stats.live_blocks, 0);
}
END_TEST

/* The heap refuses this thread from now on, as it does in a walk. */
static void fault_refuse(const struct bheap_fault *fault, void *arg)
{
	faults_record(fault, arg);
	if (!bh_lock_is_walking(&heap->lock))
		bh_lock_walk(&heap->lock, true);
}

/* What was freed before a handler is counted; the rest is left to the next call. */
START_TEST(a_reclaim_that_is_cut_short)
{
	size_t count = BH_REPORTS_MAX + 3;
	struct child child;
	ssize_t first;

	heap_make(3);
	bheap_set_fault_handler(heap, fault_refuse, &faults);
	child_run(&child, allocate_and_overflow, &count);
	child_assert_exited(&child, 0);
	first = bheap_reclaim(heap);
	ck_assert_int_gt(first, 0);
	ck_assert_int_lt(first, (int)count);
	errno = 0;
	ck_assert_int_eq(bheap_reclaim(heap), -1);
	ck_assert_errno(EDEADLK);
	bh_lock_walk(&heap->lock, false);
	bheap_set_fault_handler(heap, faults_record, &faults);
	ck_assert_int_eq(first + bheap_reclaim(heap), (int)count);
	ck_assert_uint_eq(faults.count, count);
}
END_TEST

/*
 * Dead and not reaped: a signal would still reach him, but his descriptor, which is 0 here, tells.
 */
static int reclaim_with_descriptor_0(void *arg)
{
	siginfo_t info;
	pid_t pid;

	close(STDIN_FILENO);
	pid = fork();
	if (!pid)
		child_exit(allocate_some(arg));
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	return bheap_reclaim(heap) == (ssize_t) * (size_t *)arg && fcntl(0, F_GETFD) < 0 ? 0 : 1;
}

START_TEST(a_process_has_descriptor_0)
{
	size_t count = 3;
	struct child child;

	heap_make(3);
	if (is_reaped_to_be_dead())
		return;
	child_run(&child, reclaim_with_descriptor_0, &count);
	child_assert_exited(&child, 0);
}
END_TEST

/* Without a descriptor to spare a process is asked about by a signal. */
START_TEST(owners_are_told_apart_without_descriptors)
{
	size_t count = 3;
	struct rlimit none, before;
	void *mine;

	heap_make(3);
	mine = bheap_alloc(heap, 100);
	dead_allocate(count);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(bheap_reclaim(heap), (int)count);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(live_blocks(), 1);
	ck_assert(bheap_owns(heap, mine));
}
END_TEST

START_TEST(heaps_without_owners)
{
	heap_make(_i);
	errno = 0;
	ck_assert_int_eq(bheap_reclaim(heap), -1);
	ck_assert_errno(ENOTSUP);
	errno = 0;
	ck_assert_int_eq(bheap_reclaim(NULL), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

/*
 * By turns, each beyond a word of the map; then one table is gone, and a small block where it was.
 */
START_TEST(slots_of_two_tables)
{
	uint64_t *tables[2], *small;

	heap_make(_i);
	for (int table = 0; table < 2; table++)
		tables[table] = bheap_calloc(heap, 400, sizeof(uint64_t));
	for (int index = 0; index < 400; index += 9)
		for (int table = 0; table < 2; table++)
			ck_assert_ptr_eq(bheap_alloc_into(heap, &tables[table][index], 16),
					 bheap_pointer(heap, tables[table][index]));
	ck_assert_uint_eq(live_blocks(), 2 + 2 * 45);
	for (int index = 0; index < 400; index += 9)
		for (int table = 0; table < 2; table++)
			ck_assert_int_eq(bheap_free_from(heap, &tables[table][index]), 0);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, &tables[0][300], 16));
	heap_free(heap, tables[0]);
	ck_assert_ptr_null(bheap_alloc_into(heap, &tables[0][300], 16));
	ck_assert_errno(EINVAL);
	small = bheap_calloc(heap, 4, sizeof(*small));
	ck_assert_ptr_eq(small, tables[0]);
	ck_assert_ptr_null(bheap_alloc_into(heap, &tables[0][300], 16));
	ck_assert_errno(EINVAL);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, &tables[0][3], 16));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("slots", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, offsets_and_pointers, 0, KINDS);
	tcase_add_loop_test(tcase, offsets_at_the_end, 0, KINDS);
	tcase_add_loop_test(tcase, root, 0, KINDS);
	tcase_add_loop_test(tcase, allocate_into_and_free_from, 0, KINDS);
	tcase_add_loop_test(tcase, no_room_leaves_the_slot, 0, KINDS);
	tcase_add_loop_test(tcase, slots_elsewhere_are_refused, 0, KINDS);
	tcase_add_loop_test(tcase, a_slot_in_a_trailer_is_refused, 0, 2);
	tcase_add_loop_test(tcase, a_slot_with_something_else_in_it, 0, KINDS);
	tcase_add_loop_test(tcase, a_slot_that_frees_its_own_block, 0, KINDS);
	tcase_add_loop_test(tcase, the_first_root_is_zero_bytes, 0, KINDS);
	tcase_add_loop_test(tcase, a_root_that_is_there_is_returned, 0, KINDS);
	tcase_add_loop_test(tcase, a_root_that_cannot_be, 0, 4);
	tcase_add_test(tcase, blocks_remember_who_made_them);
	tcase_add_loop_test(tcase, blocks_of_the_dead_are_reclaimed, 0, 4);
	tcase_add_test(tcase, blocks_of_the_dead_beside_free_ones);
	tcase_add_test(tcase, blocks_of_the_living_are_not);
	tcase_add_test(tcase, reclaiming_is_no_cancellation_point);
	tcase_add_test(tcase, more_faults_than_one_call_reports);
	tcase_add_test(tcase, a_reclaim_that_is_cut_short);
	tcase_add_test(tcase, a_process_has_descriptor_0);
	tcase_add_test(tcase, owners_are_told_apart_without_descriptors);
	tcase_add_loop_test(tcase, heaps_without_owners, 0, 3);
	tcase_add_loop_test(tcase, slots_of_two_tables, 0, KINDS);
	return suite_run(suite);
}
