/* SPDX-License-Identifier: MIT */
/*
 * test_check.c - bheap_check() of shared heaps that are written over while it looks, or before:
 * what an opening would refuse is told, a lock that is gone is not waited for, and nothing crashes.
 * tests/unit/test_verify.c has the damage of the map and of what is derived from it.
 */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "handle/handle.h"

#define SIZE ((size_t)256 * 1024)
#define WORDS (sizeof(struct bh_shared) / sizeof(uint64_t))

static bheap_t *heap;
static int fd;
static struct faults faults;

static void heap_make(unsigned flags)
{
	heap = bheap_open_fd(fd, SIZE, flags);
	ck_assert_ptr_nonnull(heap);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
}

static void setup(void)
{
	faults_expect(&faults);
	fd = memfd_create("heap", MFD_CLOEXEC);
}

/* The heap stays as the test left it: its process ends. */
static void teardown(void)
{
	close(fd);
}

static pid_t child_start(int (*body)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		child_exit(body());
	return pid;
}

static int child_wait(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* ---- the head ---- */

static int check_in_child(void)
{
	errno = 0;
	if (bheap_check(heap, NULL) == 0)
		return 0;
	return errno == EUCLEAN || errno == EBUSY ? 1 : 2;
}

static int open_in_child(void)
{
	return !bheap_open_fd(fd, 0, 0);
}

/* Whatever word of the head is written over: what opening refuses the checker tells. */
START_TEST(words_of_the_head)
{
	static const uint64_t values[] = {0, UINT64_MAX, UINT64_C(0x2164656761616d64), 1};
	uint64_t *word = (uint64_t *)(void *)heap->shared + _i / 4, old = *word;
	bool of_lock = (size_t)_i / 4 * 8 >= offsetof(struct bh_shared, mutex);
	int checked;

	if (of_lock && is_thread_sanitized()) /* it follows the mutex on its own */
		return;
	memory_scribble(word, &values[_i % 4], sizeof(*word));
	checked = child_wait(child_start(check_in_child));
	ck_assert_int_le(checked, 1);
	if (!of_lock)
		ck_assert_int_ge(checked, child_wait(child_start(open_in_child)));
	memory_scribble(word, &old, sizeof(*word));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(the_kind_of_the_lock)
{
	static const char zeros[64];
	struct bheap_fault fault;

	memory_scribble(&heap->shared->mutex, zeros, sizeof(heap->shared->mutex));
	errno = 0;
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(fault.text, "its lock was written over"));
	ck_assert_ptr_eq(fault.heap, heap);
}
END_TEST

/* What opening looks at once, a check of an open heap looks at as long as it is open. */
START_TEST(fields_of_the_head)
{
	static const struct {
		size_t offset;
		uint8_t change;
	} fields[] = {{offsetof(struct bh_shared, key), 0xff},
		      {offsetof(struct bh_shared, size), 0xff},
		      {offsetof(struct bh_shared, flags), BHEAP_OWNED},
		      {offsetof(struct bh_shared, pid_namespace), 0xff}};
	char *byte = (char *)heap->shared + fields[_i].offset, old = *byte;
	char changed = (char)(old ^ fields[_i].change);
	struct bheap_fault fault;

	memory_scribble(byte, &changed, 1);
	errno = 0;
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(fault.text, "its head was written over"));
	memory_scribble(byte, &old, 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* ---- a lock that is not to be had ---- */

static int pause_in_walk(const struct bheap_block *block, void *arg)
{
	(void)block;
	require(write(*(int *)arg, "", 1) == 1);
	pause();
	return 0;
}

/* Another process stays inside; when it is dead all goes on. */
START_TEST(a_holder_that_stays)
{
	struct timespec begin, end;
	int ready[2];
	char byte;
	pid_t pid;

	/* The thread sanitizer does not know that a wait with a limit may get a dead one's lock. */
	if (is_emulated() || is_thread_sanitized())
		return;
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		bheap_walk(bheap_open_fd(fd, 0, 0), pause_in_walk, &ready[1]);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	errno = 0;
	ck_assert_int_eq(bheap_check(heap, NULL), -1);
	ck_assert_errno(EBUSY);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_int_ge(end.tv_sec - begin.tv_sec, 4);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_RECOVERED);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

/* ---- a wild writer ---- */

static const unsigned looks = 20000;

static int look_often(void)
{
	struct bheap_fault fault;

	for (unsigned look = 0; look < looks; look++)
		if (bheap_check(heap, &fault) && errno != EUCLEAN)
			return 1;
	return 0;
}

static bool is_running(pid_t pid)
{
	siginfo_t ended = {0};

	require(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
	return !ended.si_pid;
}

/* Words of the bookkeeping, each for a moment; the head stays. */
static void bookkeeping_scribble(pid_t checker, uint64_t seed)
{
	char *begin = (char *)heap->core.control, *end = bh_core_start(&heap->core);
	size_t words = (size_t)(end - begin) / sizeof(uint64_t);

	while (is_running(checker)) {
		volatile uint64_t *word = (uint64_t *)(void *)begin + random_below(&seed, words);
		uint64_t old = *word;

		*word = random_below(&seed, 2) ? 0 : random_next(&seed);
		for (volatile unsigned wait = 0; wait < 20; wait++)
			;
		*word = old;
	}
}

START_TEST(a_wild_writer)
{
	static const unsigned flags[] = {0, BHEAP_GUARD, BHEAP_OWNED};
	void *blocks[200];
	pid_t pid;

	bheap_close(heap);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	heap_make(flags[_i]);
	for (unsigned count = 0; count < 200; count++)
		blocks[count] = bheap_alloc(heap, 100 + count * 5);
	for (unsigned count = 0; count < 200; count += 2)
		ck_assert_int_eq(bheap_free(heap, blocks[count]), 0);
	pid = child_start(look_often);
	bookkeeping_scribble(pid, 1 + (uint64_t)_i);
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

static void setup_plain(void)
{
	setup();
	heap_make(0);
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("check", &tcase, 120);

	tcase_add_checked_fixture(tcase, setup_plain, teardown);
	tcase_add_loop_test(tcase, words_of_the_head, 0, (int)(4 * WORDS));
	tcase_add_test(tcase, the_kind_of_the_lock);
	tcase_add_loop_test(tcase, fields_of_the_head, 0, 4);
	tcase_add_test(tcase, a_holder_that_stays);
	tcase_add_loop_test(tcase, a_wild_writer, 0, 3);
	return suite_run(suite);
}
