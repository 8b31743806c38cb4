/* SPDX-License-Identifier: MIT */
/*
 * test_start.c - heaps in files that many start with at once, that are half made, full of wrong
 * bits, not permitted, or on a full disk: one whole heap or a clear refusal, never a signal.
 */
#include "support.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "handle/intent.h"
#include "handle/shared.h"

#define SIZE ((size_t)64 * 1024)
#define SKIPPED 77

static const char *path;
static struct faults faults;

static void setup(void)
{
	path = path_make();
	faults_expect(&faults);
}

static bheap_t *make(unsigned flags)
{
	return path_heap(SIZE, flags);
}

static void make_and_close(unsigned flags)
{
	ck_assert_int_eq(bheap_close(make(flags)), 0);
}

/* The file's bytes; the caller frees them. */
static char *file_read(size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat status;
	char *bytes;

	ck_assert_int_eq(fstat(fd, &status), 0);
	*size = (size_t)status.st_size;
	bytes = malloc(*size + 1);
	ck_assert_int_eq(pread(fd, bytes, *size, 0), status.st_size);
	close(fd);
	return bytes;
}

static void file_write(const void *bytes, size_t size, off_t at)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
	close(fd);
}

#define head_set(field, value)                                                                     \
	do {                                                                                       \
		struct bh_shared head_;                                                            \
                                                                                                   \
		head_.field = (value);                                                             \
		file_write(&head_.field, sizeof(head_.field), offsetof(struct bh_shared, field));  \
	} while (0)

/* It is refused, to read and to write, and is not touched. */
static void refused(int error, const char *why)
{
	static const int access[] = {O_RDWR, O_RDONLY};

	for (unsigned index = 0; index < 2; index++) {
		size_t before_size, after_size;
		char *before = file_read(&before_size), *after;

		faults_expect(&faults);
		ck_assert_ptr_null(bheap_open(path, index * SIZE, access[index], 0, 0));
		ck_assert_errno(error);
		ck_assert_uint_eq(faults.count, 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_BAD_FILE);
		ck_assert_msg(strstr(faults.last.text, why) != NULL, "%s", faults.last.text);
		after = file_read(&after_size);
		ck_assert_uint_eq(before_size, after_size);
		ck_assert_mem_eq(before, after, after_size);
		free(before);
		free(after);
	}
}

/* ---- files that are no heaps, or not any more ---- */

/*
 * A file that is no heap yet is left alone by a process that may not create one, whose flags do not
 * become its own.
 */
START_TEST(who_only_attaches_makes_nothing)
{
	file_write("", 0, 0);
	refused(EPROTO, "it is empty");
	make_and_close(BHEAP_GUARD);
	head_set(magic, BH_SHARED_CREATING);
	refused(EPROTO, "its creation was not finished");
	make_and_close(0);
}
END_TEST

/* Opens whatever is there and, if it is taken for a heap, uses it. */
static int open_and_use(void *arg)
{
	bheap_t *heap = bheap_open(path, 0, O_RDWR, 0, 0);
	void *block;

	(void)arg;
	alarm(20);
	faults_expect(&faults);
	if (!heap)
		return errno != EPROTO && errno != EUCLEAN && errno != EINVAL;
	block = bheap_alloc(heap, 500);
	if (block)
		memset(block, 1, 500);
	bheap_root(heap);
	if (bheap_free(heap, block) || bheap_check(heap, NULL))
		return 2;
	return bheap_close(heap) ? 3 : 0;
}

/*
 * Bits of the bookkeeping are turned at random: a refusal or a heap, never a crash and never a
 * hang.
 */
START_TEST(any_bit_may_be_wrong)
{
	uint64_t random = 4711, rounds = is_watched() ? 40 : 400;
	size_t size, bookkeeping;
	bheap_t *heap = make(0);
	char *good;

	for (unsigned index = 0; index < 40; index++)
		bheap_set_root(heap, bheap_alloc(heap, 100 + index * 10));
	bookkeeping = (size_t)((char *)bheap_root(heap) - heap->region.start) % 4096 + 4096;
	ck_assert_int_eq(bheap_close(heap), 0);
	good = file_read(&size);
	for (uint64_t round = 0; round < rounds; round++) {
		struct child child;
		size_t at =
			random_below(&random, round % 2 ? sizeof(struct bh_shared) : bookkeeping);
		char bad = (char)(good[at] ^ 1 << random_below(&random, 8));

		file_write(good, size, 0);
		file_write(&bad, 1, (off_t)at);
		child_run(&child, open_and_use, NULL);
		if (!WIFEXITED(child.status) || WEXITSTATUS(child.status))
			fprintf(stderr, "byte %zu\n", at);
		child_assert_exited(&child, 0);
	}
	free(good);
}
END_TEST

/* ---- many at once ---- */

enum { STARTERS = 12 };

struct start {
	int go; /* a pipe that is closed when all are there */
	int oflag;
	unsigned made, existed;
};

/* Each opens and leaves a block; exit code 0, or 1 for EEXIST. */
static int starter_run(const struct start *start)
{
	char byte;
	bheap_t *heap;

	alarm(20);
	if (read(start->go, &byte, 1))
		return 9;
	heap = bheap_open(path, SIZE, O_RDWR | O_CREAT | start->oflag, 0600, BHEAP_GUARD);
	if (!heap)
		return errno == EEXIST ? 1 : 2;
	return bheap_alloc(heap, 100) && bheap_check(heap, NULL) == 0 ? 0 : 3;
}

static void start_at_once(struct start *start)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	start->go = ends[0];
	for (unsigned index = 0; index < STARTERS; index++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid) {
			close(ends[1]);
			child_exit(starter_run(start));
		}
	}
	close(ends[0]);
	close(ends[1]);
	for (unsigned index = 0; index < STARTERS; index++) {
		int status;

		wait(&status);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		start->made += !WEXITSTATUS(status);
		start->existed += WEXITSTATUS(status) == 1;
	}
}

START_TEST(many_start_at_once_and_get_one_heap)
{
	for (unsigned round = 0; round < (is_watched() ? 2 : 20); round++) {
		struct start start = {.oflag = 0};
		struct bheap_stats stats;
		bheap_t *heap;

		path_remove();
		start_at_once(&start);
		ck_assert_uint_eq(start.made, STARTERS);
		heap = bheap_open(path, 0, O_RDWR, 0, BHEAP_GUARD);
		ck_assert_int_eq(bheap_stats(heap, &stats), 0);
		ck_assert_uint_eq(stats.live_blocks, STARTERS);
		ck_assert_int_eq(bheap_close(heap), 0);
	}
}
END_TEST

START_TEST(one_of_many_makes_it_exclusively)
{
	struct start start = {.oflag = O_EXCL};

	start_at_once(&start);
	ck_assert_uint_eq(start.made, 1);
	ck_assert_uint_eq(start.existed, STARTERS - 1);
}
END_TEST

/* Names come and go while others open: none gets an error, nor a heap that is not whole. */
static int come_and_go(void *arg)
{
	(void)arg;
	alarm(20);
	for (unsigned round = 0; round < 200; round++) {
		bheap_t *heap = bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0);

		if (!heap || !bheap_alloc(heap, 100) || bheap_check(heap, NULL))
			return 1;
		if (round % 2 && bheap_unlink(path) && errno != ENOENT)
			return 2;
		bheap_close(heap);
	}
	return 0;
}

START_TEST(names_come_and_go)
{
	pid_t pids[4];

	for (unsigned index = 0; index < 4; index++) {
		pids[index] = fork();
		if (!pids[index])
			child_exit(come_and_go(NULL));
	}
	for (unsigned index = 0; index < 4; index++) {
		int status;

		ck_assert_int_eq(waitpid(pids[index], &status, 0), pids[index]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

/* Holds the open lock, with a file half made. */
static void make_for_ever(int told)
{
	const struct bh_shared head = {.magic = BH_SHARED_CREATING, .size = SIZE};
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (bh_file_lock_open(fd, true) || !bh_file_write(fd, &head, sizeof(head)) ||
	    write(told, "", 1) != 1)
		child_exit(1);
	for (;;)
		pause();
}

static void wait_at_the_gate(void)
{
	bheap_t *heap;

	signal(SIGALRM, SIG_DFL);
	alarm(20);
	heap = bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, BHEAP_GUARD);
	child_exit(heap && bheap_check(heap, NULL) == 0 ? 0 : 1);
}

START_TEST(who_waits_for_a_maker_that_dies)
{
	pid_t maker, waiting[3];
	int ends[2], status;
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	maker = fork();
	if (!maker)
		make_for_ever(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	for (unsigned index = 0; index < 3; index++) {
		waiting[index] = fork();
		if (!waiting[index])
			wait_at_the_gate();
	}
	usleep(20 * 1000);
	for (unsigned index = 0; index < 3; index++)
		ck_assert_int_eq(waitpid(waiting[index], &status, WNOHANG), 0);
	kill(maker, SIGKILL);
	for (unsigned index = 0; index < 3; index++) {
		ck_assert_int_eq(waitpid(waiting[index], &status, 0), waiting[index]);
		ck_assert_int_eq(status, 0);
	}
	waitpid(maker, NULL, 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- permissions ---- */

static char shm_name[40];

/* As a user other than root. */
static int open_as_another_user(void *arg)
{
	int oflag = *(int *)arg;
	bheap_t *heap;

	if (geteuid() == 0 && setresuid(65534, 65534, 65534))
		return SKIPPED;
	faults_expect(&faults);
	heap = bheap_open(shm_name, 0, oflag, 0, 0);
	if (!heap)
		return errno == EACCES ? 1 : 2;
	return bheap_root(heap) ? 0 : 3;
}

START_TEST(permissions)
{
	int writes = O_RDWR, reads = O_RDONLY;
	bheap_t *heap;
	struct child child;

	snprintf(shm_name, sizeof(shm_name), "/bheap-test-%d", (int)getpid());
	shm_unlink(shm_name);
	heap = bheap_open(shm_name, SIZE, O_RDWR | O_CREAT, 0600, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(bheap_set_root(heap, bheap_alloc(heap, 16)), 0);
	chmod("/dev/shm", 01777);
	ck_assert_int_eq(fchmod(heap->region.fd, geteuid() ? 0400 : 0644), 0);
	child_run(&child, open_as_another_user, &writes);
	child_assert_exited(&child, 1);
	child_run(&child, open_as_another_user, &reads);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(fchmod(heap->region.fd, 0), 0);
	child_run(&child, open_as_another_user, &reads);
	child_assert_exited(&child, 1);
	ck_assert_int_eq(bheap_unlink(shm_name), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- a full disk ---- */

#define DISK_SIZE ((size_t)512 * 1024)

/* A disk of our own, in a namespace of our own; false where that is not allowed. */
static bool disk_mount(void)
{
	char options[40];

	snprintf(options, sizeof(options), "size=%zu", DISK_SIZE);
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		return false;
	return mount("disk", "/dev/shm", "tmpfs", 0, options) == 0;
}

static bool refused_for_space(size_t size, unsigned flags)
{
	return !bheap_open("/full", size, O_RDWR | O_CREAT, 0600, flags) && errno == ENOSPC &&
	       access("/dev/shm/full", F_OK) == -1;
}

/* Takes all that is left of the disk. */
static int disk_fill(void)
{
	int fd = open("/dev/shm/rest", O_RDWR | O_CREAT, 0600);

	while (write(fd, "", 1) == 1)
		lseek(fd, 4095, SEEK_CUR);
	return fd;
}

static int on_a_full_disk(void *arg)
{
	bheap_t *heap;
	void *block;
	int fd;

	(void)arg;
	if (!disk_mount())
		return SKIPPED;
	if (!refused_for_space(4 * DISK_SIZE, BHEAP_PREALLOCATE))
		return 1;
	/* What was promised can be written to, and is not given back. */
	heap = bheap_open("/whole", DISK_SIZE / 2, O_RDWR | O_CREAT, 0600, BHEAP_PREALLOCATE);
	if (!heap || bheap_trim(heap))
		return 2;
	fd = disk_fill();
	block = bheap_alloc(heap, DISK_SIZE / 3);
	memset(block, 1, DISK_SIZE / 3);
	if (bheap_free(heap, block) || bheap_check(heap, NULL))
		return 3;
	/* Not a page is left: no heap can be made, and none is left half made. */
	if (!refused_for_space(DISK_SIZE / 2, 0))
		return 4;
	/* With a page or a few it is made, whole, or it is not. */
	for (off_t pages = 1; pages < 8; pages++) {
		if (ftruncate(fd, lseek(fd, 0, SEEK_END) - 4096))
			return 5;
		heap = bheap_open("/full", DISK_SIZE * 16, O_RDWR | O_CREAT, 0600, 0);
		if (heap ? bheap_check(heap, NULL) || bheap_unlink("/full") || bheap_close(heap)
			 : errno != ENOSPC || access("/dev/shm/full", F_OK) == 0)
			return 6;
	}
	return 0;
}

static bheap_t *large_heap(void)
{
	return bheap_open("/large", 8 * DISK_SIZE, O_RDWR | O_CREAT, 0600, 0);
}

static void *refused_alloc(bheap_t *heap, size_t size)
{
	void *block;

	errno = 0;
	block = bheap_alloc(heap, size);
	require(block || errno == ENOSPC);
	return block;
}

/* Blocks that fill the heap as far as there is a disk, each written to in full. */
static void blocks_fill(bheap_t *heap, size_t size)
{
	void *block;

	while ((block = refused_alloc(heap, size)) != NULL)
		memset(block, 0x5a, size);
}

/*
 * A heap larger than the disk: what was handed out can be written to, all else is refused, and
 * others go on, or begin.
 */
static int in_a_heap_that_outgrows_the_disk(void *arg)
{
	void *first, *last;
	bheap_t *heap, *other;

	(void)arg;
	if (!disk_mount())
		return SKIPPED;
	heap = large_heap();
	first = bheap_alloc(heap, 100000);
	memset(first, 1, 100000);
	last = bheap_alloc(heap, 64);
	require(first && last && !refused_alloc(heap, DISK_SIZE));
	require(!bheap_realloc(heap, last, DISK_SIZE) && errno == ENOSPC);
	require(bheap_resize(heap, last, DISK_SIZE) == -1 && errno == ENOSPC);
	require(!bheap_aligned_realloc(heap, last, 4096, DISK_SIZE) && errno == ENOSPC);
	require(!bheap_aligned_alloc(heap, 4096, DISK_SIZE) && errno == ENOSPC);
	require(!bheap_root_alloc(heap, DISK_SIZE) && errno == ENOSPC);
	require(!bheap_alloc_into(heap, last, DISK_SIZE) && errno == ENOSPC);
	require(!bheap_alloc(heap, 8 * DISK_SIZE) && errno == ENOMEM);
	require(bheap_trim(heap) > 0);
	disk_fill();
	blocks_fill(heap, 5000);
	blocks_fill(heap, 100);
	require(bheap_free(heap, first) == 0 && bheap_check(heap, NULL) == 0);
	other = bheap_open("/large", 0, O_RDWR, 0, 0);
	require(other && bheap_alloc(other, 90000) ==
				 bh_core_pointer(&other->core, bheap_offset(heap, first)));
	require(bheap_close(other) == 0 && bheap_close(heap) == 0);
	heap = large_heap();
	require(heap && bheap_check(heap, NULL) == 0);
	require(truncate("/dev/shm/rest", 0) == 0 && bheap_alloc(heap, 50000));
	return 0;
}

/* Free blocks whose pages went back to a disk that is full now. */
static int in_a_trimmed_heap(void *arg)
{
	void *holes[4];
	bheap_t *heap;
	char *bytes;
	int fd;

	(void)arg;
	if (!disk_mount())
		return SKIPPED;
	heap = large_heap();
	for (unsigned count = 0; count < 4; count++) {
		holes[count] = bheap_alloc(heap, 60000);
		memset(holes[count], 1, 60000);
		require(bheap_alloc(heap, 64));
	}
	for (unsigned count = 0; count < 4; count++)
		require(bheap_free(heap, holes[count]) == 0);
	require(bheap_trim(heap) > 4 * 50000);
	fd = disk_fill();
	require(!refused_alloc(heap, 60000) && !refused_alloc(heap, 10000));
	require(!bheap_aligned_alloc(heap, 4096, 8192) && errno == ENOSPC);
	blocks_fill(heap, 1);
	require(bheap_check(heap, NULL) == 0);
	/* The trimmed pages are none that an opening needs. */
	require(bheap_close(heap) == 0 && (heap = large_heap()) != NULL);
	require(ftruncate(fd, 0) == 0);
	bytes = bheap_alloc(heap, 50000);
	require(bytes && disk_fill() >= 0);
	memset(bytes, 2, 50000);
	return bheap_check(heap, NULL);
}

/* Storage is gone that blocks need, as in a copy without zeros: no one dies of it. */
static int in_a_file_with_holes(void *arg)
{
	bheap_t *heap;
	int fd;

	(void)arg;
	if (!disk_mount())
		return SKIPPED;
	heap = large_heap();
	require(bheap_alloc(heap, DISK_SIZE / 2) && bheap_alloc(heap, 64));
	require(bheap_close(heap) == 0);
	fd = open("/dev/shm/large", O_RDWR);
	require(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, DISK_SIZE / 2, 8192) ==
		0);
	disk_fill();
	for (unsigned tries = 0; tries < 2; tries++)
		require(!bheap_open("/large", 0, O_RDWR, 0, 0) && errno == ENOSPC);
	heap = bheap_open("/large", 0, O_RDONLY, 0, 0);
	require(heap && bheap_check(heap, NULL) == 0 && bheap_close(heap) == 0);
	require(truncate("/dev/shm/rest", 0) == 0);
	heap = large_heap();
	return !heap || bheap_check(heap, NULL);
}

typedef int disk_test(void *arg);
static disk_test *const disk_tests[] = {on_a_full_disk, in_a_heap_that_outgrows_the_disk,
					in_a_trimmed_heap, in_a_file_with_holes};

START_TEST(a_full_disk)
{
	struct child child;

	child_run(&child, disk_tests[_i], NULL);
	if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != SKIPPED)
		child_assert_exited(&child, 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("start", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_test(tcase, who_only_attaches_makes_nothing);
	tcase_add_test(tcase, any_bit_may_be_wrong);
	tcase_add_test(tcase, many_start_at_once_and_get_one_heap);
	tcase_add_test(tcase, one_of_many_makes_it_exclusively);
	tcase_add_test(tcase, names_come_and_go);
	tcase_add_test(tcase, who_waits_for_a_maker_that_dies);
	tcase_add_test(tcase, permissions);
	tcase_add_loop_test(tcase, a_full_disk, 0, 4);
	return suite_run(suite);
}
