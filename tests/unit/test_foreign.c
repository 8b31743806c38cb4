/* SPDX-License-Identifier: MIT */
/*
 * test_foreign.c - a shared heap in a program that does not know of it: standard streams that are
 * closed, descriptors that it closes, threads that it cancels, handlers that jump, limits, and
 * files of others under a heap's name.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle/handle.h"

#define SIZE ((size_t)64 * 1024)

static const char *path;
static char shm_name[64];
static struct faults faults;

static void setup(void)
{
	path = path_make();
	snprintf(shm_name, sizeof(shm_name), "/bheap-foreign-%ju", (uintmax_t)getpid());
	faults_expect(&faults);
}

static void teardown(void)
{
	path_remove();
	bheap_unlink(shm_name);
}

/* ---- descriptors ---- */

static bheap_t *heap_by(int how)
{
	int fd;
	bheap_t *heap;

	if (how < 2)
		return bheap_open(how ? shm_name : path, SIZE, O_RDWR | O_CREAT, 0600, 0);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	heap = bheap_open_fd(fd, SIZE, 0);
	close(fd);
	return heap;
}

/* With all standard streams closed, opened anew and by another process's name for it. */
static int use_without_streams(void *arg)
{
	int how = *(int *)arg;

	for (int round = 0; round < 2; round++) {
		bheap_t *heap;

		for (int fd = 0; fd < 3; fd++)
			close(fd);
		heap = heap_by(how);
		if (!heap || heap->region.fd < 3)
			return 1;
		if (!(fcntl(heap->region.fd, F_GETFD) & FD_CLOEXEC))
			return 2;
		for (int fd = 0; fd < 3; fd++)
			if (write(fd, "hello\n", 6) != -1)
				return 3;
		if (!bheap_alloc(heap, 100) || bheap_check(heap, NULL) || bheap_close(heap))
			return 4;
	}
	return 0;
}

START_TEST(no_heap_has_a_standard_descriptor)
{
	struct child child;

	child_run(&child, use_without_streams, &_i);
	child_assert_exited(&child, 0);
}
END_TEST

/* closefrom(3): the heap's descriptor is gone, or is another file's. */
START_TEST(a_descriptor_that_the_program_closed)
{
	bheap_t *heap = path_heap(SIZE, 0);
	int fd = heap->region.fd, other = -1;

	ck_assert_int_eq(close(fd), 0);
	if (_i) {
		other = open("/dev/null", O_RDWR);
		ck_assert_int_eq(dup2(other, fd), fd);
		if (other != fd)
			close(other);
	}
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	errno = 0;
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(errno, 0);
	if (_i)
		ck_assert_int_eq(close(fd), 0);
	else
		ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	heap = path_heap(SIZE, 0);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- cancellation ---- */

static bool ended;

/* Cancelled already: the first cancellation point ends the thread. */
static void *end_when_cancelled(void *arg)
{
	bheap_t *heap = arg;
	int result;

	pthread_cancel(pthread_self());
	if (heap == NULL) {
		heap = bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0);
		result = bheap_sync(heap);
		result |= bheap_close(heap);
	} else {
		result = bheap_destroy(heap);
	}
	__atomic_store_n(&ended, result == 0, __ATOMIC_RELAXED);
	pthread_testcancel();
	return NULL;
}

START_TEST(no_call_ends_a_cancelled_thread)
{
	bheap_t *heap = _i ? path_heap(SIZE, 0) : NULL;
	size_t descriptors;
	pthread_t thread;
	void *result;

	descriptors_count();
	descriptors = descriptors_count() - (heap ? 1 : 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, end_when_cancelled, heap), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert(ended);
	ck_assert_uint_eq(descriptors_count(), descriptors);
}
END_TEST

static jmp_buf back;

static void handler_jumps(const struct bheap_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
	longjmp(back, 1);
}

START_TEST(a_handler_that_leaves_an_open)
{
	static const char text[8192] = "no heap";
	int state, fd = open(path, O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
	bheap_set_fault_handler(NULL, handler_jumps, NULL);
	if (!setjmp(back)) {
		ck_assert_ptr_null(_i ? bheap_open_fd(fd, 0, 0)
				      : bheap_open(path, 0, O_RDWR, 0, 0));
		ck_abort_msg("no report");
	}
	close(fd);
	ck_assert_int_eq(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state), 0);
	ck_assert_int_eq(state, PTHREAD_CANCEL_ENABLE);
}
END_TEST

/* ---- files ---- */

/* The usual way to make shared memory: open, ftruncate(), then map. */
START_TEST(an_object_that_has_its_length)
{
	int fd =
		_i ? shm_open(shm_name, O_RDWR | O_CREAT, 0600) : memfd_create("heap", MFD_CLOEXEC);
	struct stat status;
	bheap_t *heap;

	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	heap = bheap_open_fd(fd, _i ? SIZE : 0, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert_int_eq(status.st_size, SIZE);
	ck_assert_uint_eq(faults.count, 0);
	close(fd);
}
END_TEST

/* A file that begins with zeros is not empty: there is something in it. */
START_TEST(a_file_with_something_in_it)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	char byte = 0;

	ck_assert_int_eq(pwrite(fd, "x", 1, SIZE / 2), 1);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(EPROTO);
	ck_assert_int_eq(pread(fd, &byte, 1, SIZE / 2), 1);
	ck_assert_int_eq(byte, 'x');
	close(fd);
}
END_TEST

/* RLIMIT_FSIZE is met with an error, not with the signal that ends a program. */
static int make_beyond_the_limit(void *arg)
{
	struct rlimit limit = {*(rlim_t *)arg, RLIM_INFINITY};
	bool refused;

	if (setrlimit(RLIMIT_FSIZE, &limit))
		return 1;
	errno = 0;
	refused = !bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0) && errno == EFBIG &&
		  access(path, F_OK) != 0;
	/* What coverage counts is written at the end. */
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	return refused ? 0 : 2;
}

START_TEST(a_limit_on_the_size_of_files)
{
	static const rlim_t limits[] = {100, SIZE / 2, SIZE - 1};
	rlim_t limit = limits[_i];
	struct child child;

	child_run(&child, make_beyond_the_limit, &limit);
	child_assert_exited(&child, 0);
}
END_TEST

/*
 * In a folder for all, where the system protects from files that others prepared
 * (fs.protected_regular), a heap with O_CREAT is not opened in such a file either.
 */
START_TEST(a_file_that_another_user_prepared)
{
	static const char folder[] = "test-foreign.tmp";
	FILE *setting = fopen("/proc/sys/fs/protected_regular", "r");
	int level = 0, fd;
	char name[64];

	if (setting) {
		ck_assert_int_eq(fscanf(setting, "%d", &level), 1);
		fclose(setting);
	}
	if (geteuid() || !level)
		return;
	snprintf(name, sizeof(name), "%s/heap", folder);
	mkdir(folder, 0700);
	fd = open(name, O_RDWR | O_CREAT, 0666);
	ck_assert(fd >= 0 && fchown(fd, 65534, 65534) == 0 && chmod(folder, 01777) == 0);
	errno = 0;
	ck_assert_ptr_null(bheap_open(name, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(EACCES);
	close(fd);
	unlink(name);
	rmdir(folder);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("foreign", &tcase, 20);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, no_heap_has_a_standard_descriptor, 0, 3);
	tcase_add_loop_test(tcase, a_descriptor_that_the_program_closed, 0, 2);
	tcase_add_loop_test(tcase, no_call_ends_a_cancelled_thread, 0, 2);
	tcase_add_loop_test(tcase, a_handler_that_leaves_an_open, 0, 2);
	tcase_add_loop_test(tcase, an_object_that_has_its_length, 0, 2);
	tcase_add_test(tcase, a_file_with_something_in_it);
	tcase_add_loop_test(tcase, a_limit_on_the_size_of_files, 0, 3);
	tcase_add_test(tcase, a_file_that_another_user_prepared);
	return suite_run(suite);
}
