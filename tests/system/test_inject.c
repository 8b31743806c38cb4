/* SPDX-License-Identifier: MIT */
/*
 * test_inject.c - each system call that the library makes fails in turn, the first time, the second
 * time, and so on: the error is told, no mapping, descriptor or file is left, and a second try
 * succeeds.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/growing.h"
#include "wraps.h"

#define SIZE (64 * 1024)
#define MIB ((size_t)1 << 20)

/* An errno that each may have, and that nothing else here has; 0: no such call fails here. */
static const int errors[WRAPS] = {
	[WRAP_MMAP] = ENOMEM,
	[WRAP_MUNMAP] = ENOMEM,
	[WRAP_MPROTECT] = ENOMEM,
	[WRAP_MADVISE] = EIO,
	[WRAP_MSYNC] = EIO,
	[WRAP_FTRUNCATE] = EIO,
	[WRAP_FALLOCATE] = ENOSPC,
	[WRAP_POSIX_FALLOCATE] = ENOSPC,
	[WRAP_OPEN] = EMFILE,
	[WRAP_SHM_OPEN] = ENFILE,
	[WRAP_CLOSE] = EIO,
	[WRAP_UNLINK] = EROFS,
	[WRAP_SHM_UNLINK] = EROFS,
	[WRAP_FCNTL] = ENOLCK,
	[WRAP_FSTAT] = EOVERFLOW,
	[WRAP_PREAD] = EIO,
	[WRAP_PWRITE] = EDQUOT,
	[WRAP_SYSCALL] = ENOSYS,
	[WRAP_TGKILL] = EPERM,
	/* those of pthread.h return theirs */
	[WRAP_MUTEX_INIT] = EAGAIN,
	[WRAP_ATTR_INIT] = ENOMEM,
	[WRAP_ATTR_TYPE] = EINVAL,
	[WRAP_ATTR_SHARED] = ENOTSUP,
	[WRAP_ATTR_ROBUST] = ENOTSUP,
	[WRAP_SPIN_INIT] = EAGAIN,
};

/* The one call that fails. */
static struct {
	bool armed, fired;
	bool is_short; /* a read or write does half of it instead of failing */
	enum wrap function;
	unsigned left; /* calls that still succeed */
} failure;

static unsigned seen[WRAPS];

/* Which are off while a tool watches. */
static bool is_of_caches(enum wrap function)
{
	return function == WRAP_SYSCALL || function == WRAP_TGKILL;
}

static bool returns_error(enum wrap function)
{
	return function == WRAP_POSIX_FALLOCATE ||
	       (function >= WRAP_MUTEX_INIT && function <= WRAP_SPIN_INIT);
}

/* A mapping or descriptor ends although its end fails, or it would be a leak of ours. */
static bool ends_something(enum wrap function)
{
	return function == WRAP_MUNMAP || function == WRAP_CLOSE;
}

struct wrap_answer wrap_answer(const struct wrap_call *call)
{
	struct wrap_answer answer = {.kind = WRAP_INSTEAD, .result = -1};

	if (!failure.armed)
		return (struct wrap_answer){.kind = WRAP_REAL};
	seen[call->function]++;
	if (call->function != failure.function || failure.fired || failure.left--)
		return (struct wrap_answer){.kind = WRAP_REAL};
	failure.fired = true;
	answer.error = errors[call->function];
	if (returns_error(call->function))
		answer.result = answer.error;
	if (ends_something(call->function))
		answer.kind = WRAP_AFTER;
	if (failure.is_short)
		answer.kind = WRAP_HALF;
	return answer;
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

/* Attached, used by one call, and detached. */
static bool file_used(int (*use)(bheap_t *heap))
{
	bheap_t *heap = bheap_open(path, 0, O_RDWR, 0, 0);
	int error;

	if (!heap)
		return false;
	error = use(heap) ? errno : 0;
	if (!use_and_end(heap) && !error)
		return false;
	errno = error;
	return !error;
}

static bool file_synced(void)
{
	return file_used(bheap_sync);
}

/* A descriptor that cannot be looked at may be another file's. */
static bool file_reset(void)
{
	bool done = file_used(bheap_reset);

	errno = errno == EBADF ? errors[WRAP_FSTAT] : errno;
	return done;
}

/* All of it in one block. */
static bool file_filled(void)
{
	bheap_t *heap = bheap_open(path, 0, O_RDWR, 0, 0);
	struct bheap_stats stats;
	void *block;
	int error;

	if (!heap)
		return false;
	require(bheap_stats(heap, &stats) == 0);
	block = bheap_alloc(heap, stats.largest_free);
	error = block ? 0 : errno;
	require(!block || bheap_free(heap, block) == 0);
	if (!use_and_end(heap) && !error)
		return false;
	errno = error;
	return block;
}

/* Nothing given back is no error; then errno is not looked at. */
static bool private_heap_trimmed(void)
{
	bheap_t *heap = bheap_create(SIZE, 0);
	size_t trimmed;

	if (!heap)
		return false;
	trimmed = bheap_trim(heap);
	require(trimmed || failure.fired);
	errno = errors[WRAP_MADVISE];
	return use_and_end(heap) && trimmed;
}

static void *cache_some(void *heap)
{
	void *blocks[16];

	for (int index = 0; index < 16; index++)
		require((blocks[index] = bheap_alloc(heap, 100)));
	for (int index = 0; index < 16; index++)
		require(bheap_free(heap, blocks[index]) == 0);
	return heap;
}

/* A thread takes over what another one had. All that it asks of the system it can do without. */
static bool cached_heap(void)
{
	bheap_t *heap = bheap_create(SIZE, BHEAP_CACHED);
	struct bheap_stats stats;
	pthread_t thread;

	if (!heap)
		return false;
	for (int count = 0; count < 2; count++) {
		require(pthread_create(&thread, NULL, cache_some, heap) == 0);
		pthread_join(thread, NULL);
	}
	require(bheap_stats(heap, &stats) == 0 && !stats.used && stats.largest_free == stats.size);
	return use_and_end(heap);
}

/* ---- before and after ---- */

static void no_file(void)
{
	bheap_unlink(path);
	bheap_unlink(shm_name);
}

/* The stack of a thread that ended is kept for the next one. */
static void stack_present(void)
{
	threads_begin();
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
	{"a file filled", file_present, file_filled, false},
	{"a file synced", file_present, file_synced, false},
	{"a file reset", file_present, file_reset, false},
	{"a private heap trimmed", no_file, private_heap_trimmed, false},
	{"a heap with caches", stack_present, cached_heap, false},
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

#define FSTATS_OF_OPEN 2 /* the next is that of a close */

/* A name that was made is gone, or is a whole heap: its unlink was what failed. */
static void no_name_is_left(const struct scenario *scenario, enum wrap call, unsigned number,
			    const char *what)
{
	bool ends = call == WRAP_UNLINK || call == WRAP_SHM_UNLINK || call == WRAP_MUNMAP ||
		    call == WRAP_CLOSE || (call == WRAP_FSTAT && number == FSTATS_OF_OPEN);

	if (scenario->makes_name && !ends)
		ck_assert_msg(access(path, F_OK) == -1, "%s: %s: the file is left", scenario->name,
			      what);
}

/*
 * What may be missed without harm: what caches are helped by, an open lock that cannot be released
 * is released when the descriptor is closed, half of an empty file is all of it, and a file that
 * cannot be looked at has storage by chance.
 */
static bool may_succeed(const struct scenario *scenario, unsigned number)
{
	return failure.function == WRAP_FCNTL || is_of_caches(failure.function) ||
	       (failure.function == WRAP_FSTAT && number >= FSTATS_OF_OPEN &&
		scenario->prepare == file_present) ||
	       (failure.function == WRAP_PREAD && failure.is_short &&
		scenario->prepare != file_present);
}

/* The n-th of these calls fails; false when there were not so many. */
static bool failure_try(const struct scenario *scenario, enum wrap call, unsigned number,
			bool is_short)
{
	size_t mappings, descriptors;
	char what[64];
	bool good;
	int error;

	scenario->prepare();
	mappings = mappings_count();
	descriptors = descriptors_count();
	snprintf(what, sizeof(what), "%s %s, call %u", wrap_name(call),
		 is_short ? "cut short" : "failing", number + 1);
	failure.function = call;
	failure.left = number;
	failure.is_short = is_short;
	failure.fired = false;
	failure.armed = true;
	errno = 0;
	good = scenario->run();
	error = errno;
	failure.armed = false;
	nothing_is_left(scenario, mappings, descriptors, what);
	if (!failure.fired) {
		ck_assert_msg(good, "%s: fails by itself: %s", scenario->name,
			      strerrorname_np(error));
		return false;
	}
	if (!good || !may_succeed(scenario, number)) {
		ck_assert_msg(!good, "%s: %s: no report", scenario->name, what);
		if (!is_short)
			ck_assert_msg(error == errors[call], "%s: %s: errno is %s, not %s",
				      scenario->name, what, error ? strerrorname_np(error) : "0",
				      strerrorname_np(errors[call]));
		no_name_is_left(scenario, call, number, what);
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

	for (enum wrap call = 0; call < WRAPS; call++)
		for (unsigned number = 0;
		     errors[call] && failure_try(scenario, call, number, false); number++)
			failures++;
	for (unsigned number = 0; failure_try(scenario, WRAP_PREAD, number, true); number++)
		failures++;
	for (unsigned number = 0; failure_try(scenario, WRAP_PWRITE, number, true); number++)
		failures++;
	printf("# %s: %u failures\n", scenario->name, failures);
	fflush(stdout);
	ck_assert_uint_gt(failures, 0);
}
END_TEST

/* None of the stand-ins is idle: else the library has another way to the system. */
START_TEST(each_call_is_made)
{
	failure.function = WRAPS;
	failure.armed = true;
	for (int index = 0; index < SCENARIOS; index++) {
		scenarios[index].prepare();
		ck_assert(scenarios[index].run());
	}
	failure.armed = false;
	for (enum wrap call = 0; call < WRAPS; call++)
		ck_assert_msg(!errors[call] || seen[call] > 0 ||
				      (is_watched() && is_of_caches(call)),
			      "%s() was not called", wrap_name(call));
}
END_TEST

/* ---- heaps that grow: what fails may be done without ---- */

static bool growing_heap(bool reserved)
{
	bheap_t *heap = bh_growing_create(8 * MIB, 0, reserved);
	void *block;

	if (!heap)
		return false;
	/* Under tools all of it is mapped at once. */
	for (unsigned step = 0; step < 3 && heap->grows; step++)
		require(bh_growing_extend(heap, BHEAP_ALIGNMENT, 2 * MIB) || failure.fired);
	block = bheap_alloc(heap, MIB / 2);
	require(block && bheap_free(heap, block) == 0);
	bh_growing_shorten(heap);
	return use_and_end(heap);
}

START_TEST(a_growing_heap)
{
	static const enum wrap calls[] = {WRAP_MMAP, WRAP_SPIN_INIT};
	enum wrap call = calls[_i % 2];
	bool made, fails = false;
	size_t mappings;

	ck_assert(growing_heap(_i / 2));
	mappings = mappings_count();
	failure.function = call;
	failure.is_short = false;
	for (unsigned number = 0;; number++) {
		failure.left = number;
		failure.fired = false;
		failure.armed = true;
		made = growing_heap(_i / 2);
		failure.armed = false;
		ck_assert_uint_eq(mappings_count(), mappings);
		if (!failure.fired)
			break;
		if (!made)
			ck_assert_errno(errors[call]);
		fails |= !made;
	}
	ck_assert(made);
	ck_assert(fails || is_watched());
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("inject", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_call_fails_in_turn, 0, SCENARIOS);
	tcase_add_test(tcase, each_call_is_made);
	tcase_add_loop_test(tcase, a_growing_heap, 0, 4);
	return suite_run(suite);
}
