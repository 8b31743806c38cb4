/* SPDX-License-Identifier: MIT */
/*
 * test_inject.c - each system call that the library makes fails in turn, the first time, the second
 * time, and so on: the error is told, no mapping, descriptor or file is left, and a second try
 * succeeds. The linker's --wrap puts the functions below between the library and the C library.
 */
#include "wraps.h"

#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (64 * 1024)

enum call {
	MMAP,
	MUNMAP,
	MPROTECT,
	MADVISE,
	MSYNC,
	FTRUNCATE,
	FALLOCATE,
	OPEN,
	SHM_OPEN,
	CLOSE,
	UNLINK,
	SHM_UNLINK,
	FCNTL,
	FSTAT,
	PREAD,
	PWRITE,
	MUTEX_INIT,
	ATTR_INIT,
	ATTR_TYPE,
	ATTR_SHARED,
	ATTR_ROBUST,
	CALLS
};

static const char *const names[CALLS] = {
	"mmap",
	"munmap",
	"mprotect",
	"madvise",
	"msync",
	"ftruncate",
	"posix_fallocate",
	"open",
	"shm_open",
	"close",
	"unlink",
	"shm_unlink",
	"fcntl",
	"fstat",
	"pread",
	"pwrite",
	"pthread_mutex_init",
	"pthread_mutexattr_init",
	"pthread_mutexattr_settype",
	"pthread_mutexattr_setpshared",
	"pthread_mutexattr_setrobust",
};

/* An errno that each may have, and that nothing else here has. */
static const int errors[CALLS] = {
	[MMAP] = ENOMEM,      [MUNMAP] = ENOMEM,       [MPROTECT] = ENOMEM,
	[MADVISE] = EIO,      [MSYNC] = EIO,           [FTRUNCATE] = EIO,
	[FALLOCATE] = ENOSPC, [OPEN] = EMFILE,         [SHM_OPEN] = ENFILE,
	[CLOSE] = EIO,        [UNLINK] = EROFS,        [SHM_UNLINK] = EROFS,
	[FCNTL] = ENOLCK,     [FSTAT] = EOVERFLOW,     [PREAD] = EIO,
	[PWRITE] = EDQUOT,    [MUTEX_INIT] = EAGAIN,   [ATTR_INIT] = ENOMEM,
	[ATTR_TYPE] = EINVAL, [ATTR_SHARED] = ENOTSUP, [ATTR_ROBUST] = ENOTSUP,
};

static struct {
	bool armed, fired;
	bool is_short; /* a read or write does half of it instead of failing */
	enum call call;
	unsigned left; /* calls that still succeed */
} plan;

static unsigned seen[CALLS];

static bool fails(enum call call)
{
	if (!plan.armed)
		return false;
	seen[call]++;
	if (call != plan.call || plan.fired || plan.left--)
		return false;
	plan.fired = true;
	errno = errors[call];
	return true;
}

/* ---- what stands in for the system ---- */

/* Declares the real function and its stand-in, whose result is failure when its turn has come. */
#define STAND_IN(call, result, name, parameters, arguments, failure)                               \
	result __real_##name parameters;                                                           \
	result __wrap_##name parameters;                                                           \
	result __wrap_##name parameters                                                            \
	{                                                                                          \
		return fails(call) ? (failure) : __real_##name arguments;                          \
	}

/* The same for what ends something: that happens all the same, or it would be a leak of ours. */
#define STAND_IN_OF_END(call, name, parameters, arguments)                                         \
	int __real_##name parameters;                                                              \
	int __wrap_##name parameters;                                                              \
	int __wrap_##name parameters                                                               \
	{                                                                                          \
		int result = __real_##name arguments;                                              \
                                                                                                   \
		return fails(call) ? -1 : result;                                                  \
	}

STAND_IN(MMAP, void *, mmap, (void *at, size_t size, int prot, int flags, int fd, off_t offset),
	 (at, size, prot, flags, fd, offset), MAP_FAILED)
STAND_IN_OF_END(MUNMAP, munmap, (void *start, size_t size), (start, size))
STAND_IN(MPROTECT, int, mprotect, (void *start, size_t size, int prot), (start, size, prot), -1)
STAND_IN(MADVISE, int, madvise, (void *start, size_t size, int advice), (start, size, advice), -1)
STAND_IN(MSYNC, int, msync, (void *start, size_t size, int flags), (start, size, flags), -1)
STAND_IN(FTRUNCATE, int, ftruncate, (int fd, off_t size), (fd, size), -1)
STAND_IN(FALLOCATE, int, posix_fallocate, (int fd, off_t from, off_t size), (fd, from, size),
	 errors[FALLOCATE])
STAND_IN(SHM_OPEN, int, shm_open, (const char *name, int oflag, mode_t mode), (name, oflag, mode),
	 -1)
STAND_IN_OF_END(CLOSE, close, (int fd), (fd))
STAND_IN(UNLINK, int, unlink, (const char *name), (name), -1)
STAND_IN(SHM_UNLINK, int, shm_unlink, (const char *name), (name), -1)
STAND_IN(FSTAT, int, fstat, (int fd, struct stat *status), (fd, status), -1)
STAND_IN(PREAD, ssize_t, pread, (int fd, void *into, size_t size, off_t at), (fd, into, size, at),
	 plan.is_short ? __real_pread(fd, into, size / 2, at) : -1)
STAND_IN(PWRITE, ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at),
	 (fd, from, size, at), plan.is_short ? __real_pwrite(fd, from, size / 2, at) : -1)
STAND_IN(MUTEX_INIT, int, pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a),
	 (m, a), errors[MUTEX_INIT])
STAND_IN(ATTR_INIT, int, pthread_mutexattr_init, (pthread_mutexattr_t * a), (a), errors[ATTR_INIT])
STAND_IN(ATTR_TYPE, int, pthread_mutexattr_settype, (pthread_mutexattr_t * a, int type), (a, type),
	 errors[ATTR_TYPE])
STAND_IN(ATTR_SHARED, int, pthread_mutexattr_setpshared, (pthread_mutexattr_t * a, int shared),
	 (a, shared), errors[ATTR_SHARED])
STAND_IN(ATTR_ROBUST, int, pthread_mutexattr_setrobust, (pthread_mutexattr_t * a, int robust),
	 (a, robust), errors[ATTR_ROBUST])

int __real_open(const char *name, int oflag, ...);
int __wrap_open(const char *name, int oflag, ...);
int __wrap_open(const char *name, int oflag, ...)
{
	mode_t mode = 0;
	va_list rest;

	va_start(rest, oflag);
	if (oflag & O_CREAT)
		mode = va_arg(rest, mode_t);
	va_end(rest);
	return fails(OPEN) ? -1 : __real_open(name, oflag, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list rest;
	void *arg;

	va_start(rest, command);
	arg = va_arg(rest, void *);
	va_end(rest);
	return fails(FCNTL) ? -1 : __real_fcntl(fd, command, arg);
}

/* ---- what the library is asked to do meanwhile ---- */

static const char *path;
static char shm_name[64];
static struct faults faults;

/* A heap, used; false, with errno, when it could not be had or ended. */
static bool use_and_end(bheap_t *heap)
{
	void *block;

	if (!heap)
		return false;
	block = bheap_alloc(heap, 100);
	require(block || errno == EROFS);
	require(!block || bheap_free(heap, block) == 0);
	require(bheap_check(heap, NULL) == 0);
	return bheap_destroy(heap) == 0;
}

static bool private_heap(void)
{
	return use_and_end(bheap_create(SIZE, 0));
}

static bool buffer_heap(void)
{
	static char buffer[SIZE];

	return use_and_end(bheap_create_in(buffer, SIZE, 0));
}

static bool new_file(void)
{
	return use_and_end(bheap_open(path, SIZE, O_RDWR | O_CREAT | O_EXCL, 0600, 0)) &&
	       bheap_unlink(path) == 0;
}

static bool new_file_preallocated(void)
{
	return use_and_end(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, BHEAP_PREALLOCATE)) &&
	       bheap_unlink(path) == 0;
}

static bool file_that_is_there(void)
{
	return use_and_end(bheap_open(path, 0, O_RDWR, 0, 0));
}

static bool file_to_read(void)
{
	return use_and_end(bheap_open(path, 0, O_RDONLY, 0, 0));
}

static bool shared_memory(void)
{
	return use_and_end(bheap_open(shm_name, SIZE, O_RDWR | O_CREAT, 0600, BHEAP_GUARD)) &&
	       bheap_unlink(shm_name) == 0;
}

static int memory_fd;

static bool new_descriptor(void)
{
	return use_and_end(bheap_open_fd(memory_fd, SIZE, 0));
}

static bool file_synced(void)
{
	bheap_t *heap = bheap_open(path, 0, O_RDWR, 0, 0);
	int error;

	if (!heap)
		return false;
	error = bheap_sync(heap) ? errno : 0;
	if (!use_and_end(heap) && !error)
		return false;
	errno = error;
	return !error;
}

/* Nothing given back is no error; then errno is not looked at. */
static bool private_heap_trimmed(void)
{
	bheap_t *heap = bheap_create(SIZE, 0);
	size_t trimmed;

	if (!heap)
		return false;
	trimmed = bheap_trim(heap);
	require(trimmed || plan.fired);
	errno = errors[MADVISE];
	return use_and_end(heap) && trimmed;
}

/* ---- before and after ---- */

static void no_file(void)
{
	bheap_unlink(path);
	bheap_unlink(shm_name);
}

static void file_present(void)
{
	bheap_t *heap = bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0);

	ck_assert_ptr_nonnull(heap);
	bheap_close(heap);
}

static void empty_descriptor(void)
{
	ck_assert_int_eq(ftruncate(memory_fd, 0), 0);
}

static const struct scenario {
	const char *name;
	void (*prepare)(void);
	bool (*run)(void);
	bool makes_name; /* it must not be there after a failure */
} scenarios[] = {
	{"a private heap", no_file, private_heap, false},
	{"a heap in a buffer", no_file, buffer_heap, false},
	{"a new file", no_file, new_file, true},
	{"a new file, preallocated", no_file, new_file_preallocated, true},
	{"a file that is there", file_present, file_that_is_there, false},
	{"a file to read", file_present, file_to_read, false},
	{"shared memory", no_file, shared_memory, true},
	{"a descriptor", empty_descriptor, new_descriptor, false},
	{"a file synced", file_present, file_synced, false},
	{"a private heap trimmed", no_file, private_heap_trimmed, false},
};

#define SCENARIOS ((int)(sizeof(scenarios) / sizeof(*scenarios)))

static void setup(void)
{
	path = path_make();
	snprintf(shm_name, sizeof(shm_name), "/bheap-inject-%ju", (uintmax_t)getpid());
	memory_fd = memfd_create("heap", MFD_CLOEXEC);
	faults_expect(&faults);
	mappings_count(); /* stdio's buffers are there from now on */
	descriptors_count();
}

static void teardown(void)
{
	no_file();
	close(memory_fd);
}

/* ---- the failures ---- */

static void nothing_is_left(const struct scenario *scenario, size_t mappings, size_t descriptors,
			    const char *what)
{
	ck_assert_msg(mappings_count() == mappings, "%s: %s: a mapping is left", scenario->name,
		      what);
	ck_assert_msg(descriptors_count() == descriptors, "%s: %s: a descriptor is left",
		      scenario->name, what);
}

/* A name that was made is gone, or is a whole heap: its unlink was what failed. */
static void no_name_is_left(const struct scenario *scenario, enum call call, const char *what)
{
	bool ends = call == UNLINK || call == SHM_UNLINK || call == MUNMAP || call == CLOSE;

	if (scenario->makes_name && !ends)
		ck_assert_msg(access(path, F_OK) == -1, "%s: %s: the file is left", scenario->name,
			      what);
}

/*
 * What may be missed without harm: a gate that cannot be left is left when the descriptor is
 * closed, and half of an empty file is all of it.
 */
static bool may_succeed(const struct scenario *scenario)
{
	return plan.call == FCNTL ||
	       (plan.call == PREAD && plan.is_short && scenario->prepare != file_present);
}

/* The n-th of these calls fails; false when there were not so many. */
static bool failure_try(const struct scenario *scenario, enum call call, unsigned number,
			bool is_short)
{
	size_t mappings, descriptors;
	char what[64];
	bool good;
	int error;

	scenario->prepare();
	mappings = mappings_count();
	descriptors = descriptors_count();
	snprintf(what, sizeof(what), "%s %s, call %u", names[call],
		 is_short ? "cut short" : "failing", number + 1);
	plan.call = call;
	plan.left = number;
	plan.is_short = is_short;
	plan.fired = false;
	plan.armed = true;
	errno = 0;
	good = scenario->run();
	error = errno;
	plan.armed = false;
	nothing_is_left(scenario, mappings, descriptors, what);
	if (!plan.fired) {
		ck_assert_msg(good, "%s: fails by itself: %s", scenario->name,
			      strerrorname_np(error));
		return false;
	}
	if (!good || !may_succeed(scenario)) {
		ck_assert_msg(!good, "%s: %s: nobody is told", scenario->name, what);
		if (!is_short)
			ck_assert_msg(error == errors[call], "%s: %s: errno is %s, not %s",
				      scenario->name, what, error ? strerrorname_np(error) : "0",
				      strerrorname_np(errors[call]));
		no_name_is_left(scenario, call, what);
	}
	scenario->prepare();
	ck_assert_msg(scenario->run(), "%s: %s: a second try fails: %s", scenario->name, what,
		      strerrorname_np(errno));
	return true;
}

START_TEST(each_call_fails_in_turn)
{
	const struct scenario *scenario = &scenarios[_i];
	unsigned failures = 0;

	for (enum call call = 0; call < CALLS; call++)
		for (unsigned number = 0; failure_try(scenario, call, number, false); number++)
			failures++;
	for (unsigned number = 0; failure_try(scenario, PREAD, number, true); number++)
		failures++;
	for (unsigned number = 0; failure_try(scenario, PWRITE, number, true); number++)
		failures++;
	printf("# %s: %u failures\n", scenario->name, failures);
	fflush(stdout);
	ck_assert_uint_gt(failures, 0);
}
END_TEST

/* None of the stand-ins is idle: else the library has another way to the system. */
START_TEST(each_call_is_made)
{
	plan.call = CALLS;
	plan.armed = true;
	for (int index = 0; index < SCENARIOS; index++) {
		scenarios[index].prepare();
		ck_assert(scenarios[index].run());
	}
	plan.armed = false;
	for (int call = 0; call < CALLS; call++)
		ck_assert_msg(seen[call] > 0, "%s() was not called", names[call]);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("inject", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_call_fails_in_turn, 0, SCENARIOS);
	tcase_add_test(tcase, each_call_is_made);
	return suite_run(suite);
}
