/* SPDX-License-Identifier: MIT */
/*
 * test_errors.c - a table of every function of bheap.h, on heaps made with every flag, with every
 * cause of failure: its result, its errno, and errno left alone on success. The table is held
 * against the header and against the section ERRORS of the manual pages, both ways.
 */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wraps.h"

#define SIZE ((size_t)64 * 1024)
#define STRANGE 12345 /* no errno of any system */
#define ELSEWHERE ((size_t)1 << 20)

/* ---- the system ---- */

static struct {
	bool no_mapping, no_namespace, no_room, no_sync, no_random, no_lock, no_file_lock;
} system_is;

static struct wrap_answer fails(bool now, intptr_t result, int error)
{
	return (struct wrap_answer){now ? WRAP_INSTEAD : WRAP_REAL, result, error};
}

struct wrap_answer wrap_answer(const struct wrap_call *call)
{
	switch (call->function) {
	case WRAP_MMAP: return fails(system_is.no_mapping, -1, ENOMEM);
	case WRAP_STAT: return fails(system_is.no_namespace, -1, ENOENT);
	case WRAP_FCNTL:
		return fails(system_is.no_file_lock && call->command == F_OFD_SETLK, -1, EAGAIN);
	case WRAP_NAP: return fails(system_is.no_file_lock, 0, 0); /* time passes at once */
	case WRAP_FALLOCATE: return fails(system_is.no_room, -1, ENOSPC);
	case WRAP_MUTEX_TRYLOCK: return fails(system_is.no_lock, EBUSY, 0);
	case WRAP_MUTEX_TIMEDLOCK: return fails(system_is.no_lock, ETIMEDOUT, 0);
	case WRAP_POSIX_FALLOCATE: return fails(system_is.no_room, ENOSPC, 0);
	case WRAP_GETRANDOM: return fails(system_is.no_random, -1, ENOSYS);
	case WRAP_MSYNC: return fails(system_is.no_sync, -1, EIO);
	default: return fails(false, 0, 0);
	}
}

/* ---- heaps ---- */

enum how {
	NONE = 0,
	CREATED = 1,
	IN_BUFFER = 2,
	DEFAULT = 4,
	OPENED = 8,
	BY_DESCRIPTOR = 16,
	READER = 32,
	PRIVATE = CREATED | IN_BUFFER | DEFAULT,
	SHARED = OPENED | BY_DESCRIPTOR,
	WRITABLE = PRIVATE | SHARED,
	ALL = WRITABLE | READER,
	ALL_BUT_DEFAULT = CREATED | IN_BUFFER | SHARED | READER,
};

#define FLAGS_PRIVATE (BHEAP_UNLOCKED | BHEAP_GUARD | BHEAP_ABORT | BHEAP_REALTIME)
#define FLAGS_CACHED (BHEAP_CACHED | BHEAP_ABORT)
#define FLAGS_SHARED (BHEAP_GUARD | BHEAP_ABORT | BHEAP_REALTIME | BHEAP_OWNED | BHEAP_PREALLOCATE)

static const struct kind {
	unsigned how; /* enum how */
	unsigned flags;
} kinds[] = {
	{CREATED, 0},
	{CREATED, BHEAP_UNLOCKED},
	{CREATED, BHEAP_GUARD},
	{CREATED, BHEAP_ABORT},
	{CREATED, BHEAP_REALTIME},
	{CREATED, FLAGS_PRIVATE},
	{CREATED, BHEAP_CACHED},
	{CREATED, FLAGS_CACHED},
	{IN_BUFFER, 0},
	{IN_BUFFER, BHEAP_UNLOCKED},
	{IN_BUFFER, BHEAP_GUARD},
	{IN_BUFFER, BHEAP_ABORT},
	{IN_BUFFER, BHEAP_REALTIME},
	{IN_BUFFER, FLAGS_PRIVATE},
	{IN_BUFFER, BHEAP_CACHED},
	{DEFAULT, 0},
	{OPENED, 0},
	{OPENED, BHEAP_GUARD},
	{OPENED, BHEAP_ABORT},
	{OPENED, BHEAP_REALTIME},
	{OPENED, BHEAP_OWNED},
	{OPENED, BHEAP_PREALLOCATE},
	{OPENED, FLAGS_SHARED},
	{BY_DESCRIPTOR, 0},
	{BY_DESCRIPTOR, FLAGS_SHARED},
	{READER, 0},
	{READER, BHEAP_ABORT},
	{READER, BHEAP_REALTIME},
	{READER, BHEAP_OWNED},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static const char *path;
static bheap_t *heap;
static char *volatile block; /* live, 64 bytes, zero; the root */
static char *volatile freed; /* a block that was freed, between live ones */
static char *volatile last;  /* live, and the top after it */
static FILE *output;         /* written to before */
static struct faults faults;
static char buffer[SIZE];

static bheap_t *heap_by_descriptor(unsigned flags)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *made = bheap_open_fd(fd, SIZE, flags);

	close(fd);
	return made;
}

static bheap_t *heap_create(const struct kind *kind)
{
	bheap_t *made = NULL;

	errno = STRANGE;
	switch (kind->how) {
	case CREATED: made = bheap_create(SIZE, kind->flags); break;
	case IN_BUFFER: made = bheap_create_in(buffer, sizeof(buffer), kind->flags); break;
	case DEFAULT: made = init_heap(SIZE) ? NULL : bheap_default(); break;
	case BY_DESCRIPTOR: return heap_by_descriptor(kind->flags);
	case OPENED: return path_heap(SIZE, kind->flags);
	default: return path_heap(SIZE, kind->flags & BHEAP_OWNED);
	}
	ck_assert_int_eq(errno, STRANGE);
	return made;
}

static void heap_make(const struct kind *kind)
{
	path_remove();
	heap = heap_create(kind);
	ck_assert_ptr_nonnull(heap);
	block = bheap_calloc(heap, 8, 8);
	freed = bheap_alloc(heap, 100);
	last = bheap_alloc(heap, 100);
	ck_assert(block && freed && last);
	ck_assert_int_eq(bheap_set_root(heap, block), 0);
	ck_assert_int_eq(heap_free(heap, freed), 0);
	if (kind->how != READER)
		return;
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = bheap_open(path, 0, O_RDONLY, 0, kind->flags & ~(unsigned)BHEAP_OWNED);
	ck_assert_ptr_nonnull(heap);
	block = bheap_root(heap);
	freed = block + 16;
}

/* ---- calls: each returns what its function did ---- */

/* Ends a heap that a call has made. */
static intptr_t ended(bheap_t *made)
{
	int saved = errno;

	if (made)
		ck_assert_int_eq(bheap_destroy(made), 0);
	errno = saved;
	return made != NULL;
}

/* The heap of the row has ended, if the call succeeded. */
static intptr_t gone(int result)
{
	heap = result ? heap : NULL;
	return result;
}

/* The compiler knows too much of blocks, and would warn. */
static void *any(void *pointer)
{
	void *volatile hidden = pointer;

	return hidden;
}

static uint64_t *slot_at(size_t offset)
{
	return (uint64_t *)((uintptr_t)block + offset);
}

#define CALL(name, expression)                                                                     \
	static intptr_t name(void)                                                                 \
	{                                                                                          \
		return (intptr_t)(expression);                                                     \
	}

/* The default heap. */
CALL(init_heap_good, init_heap(SIZE))
CALL(init_heap_none, init_heap(0))
CALL(init_heap_huge, init_heap((size_t)BHEAP_SIZE_MAX + 1))
CALL(balloc_good, balloc(100))
CALL(balloc_none, balloc(0))
CALL(balloc_huge, balloc(2 * SIZE))
CALL(bfree_good, classic_free(block))
CALL(bfree_null, bfree(NULL))
CALL(bfree_inside, classic_free(block + 16))
CALL(bfree_freed, classic_free(freed))
CALL(disp_heap_good, (disp_heap(), 0))
CALL(default_good, (bheap_default(), 1))

/* Private heaps made and ended. */
CALL(create_good, ended(bheap_create(SIZE, 0)))
CALL(create_guarded, ended(bheap_create(SIZE, BHEAP_GUARD)))
CALL(create_none, ended(bheap_create(0, 0)))
CALL(create_huge, ended(bheap_create((size_t)BHEAP_SIZE_MAX + 1, 0)))
CALL(create_in_good, ended(bheap_create_in(buffer, SIZE, 0)))
CALL(create_in_null, ended(bheap_create_in(NULL, SIZE, 0)))
CALL(create_in_small, ended(bheap_create_in(buffer, BHEAP_BUFFER_MIN - 1, 0)))
CALL(create_in_huge, ended(bheap_create_in(any(buffer), (size_t)BHEAP_SIZE_MAX + 1, 0)))
CALL(destroy, gone(bheap_destroy(heap)))

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const unsigned flags_not_private[] = {BHEAP_OWNED,
					     BHEAP_PREALLOCATE,
					     BHEAP_CACHED | BHEAP_UNLOCKED,
					     BHEAP_CACHED | BHEAP_GUARD,
					     BHEAP_CACHED | BHEAP_REALTIME,
					     1u << 7,
					     1u << 31};
static const unsigned flags_not_shared[] = {BHEAP_UNLOCKED, BHEAP_CACHED, 1u << 7, 1u << 31};

/* Tries each flag; the errno is that of the last, or of the first that was not refused so. */
static intptr_t flags_try(bheap_t *(*make)(unsigned flags), const unsigned *flags, size_t count)
{
	intptr_t made = 0;

	do {
		errno = STRANGE;
		made = ended(make(flags[--count]));
	} while (count && !made && errno == EINVAL);
	return made;
}

static bheap_t *create_with(unsigned flags)
{
	return bheap_create(SIZE, flags);
}

static bheap_t *create_in_with(unsigned flags)
{
	return bheap_create_in(buffer, SIZE, flags);
}

static bheap_t *open_with(unsigned flags)
{
	return bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, flags);
}

CALL(create_flags, flags_try(create_with, flags_not_private, COUNT(flags_not_private)))
CALL(create_in_flags, flags_try(create_in_with, flags_not_private, COUNT(flags_not_private)))

static intptr_t buffer_size_flags(void)
{
	size_t bytes = 0;

	for (size_t index = 0; index < COUNT(flags_not_private) && !bytes; index++) {
		errno = STRANGE;
		bytes = bheap_buffer_size(SIZE, flags_not_private[index]);
		if (!bytes && errno != EINVAL)
			break;
	}
	return (intptr_t)bytes;
}

CALL(open_flags, flags_try(open_with, flags_not_shared, COUNT(flags_not_shared)))
CALL(open_fd_flags, flags_try(heap_by_descriptor, flags_not_shared, COUNT(flags_not_shared)))

CALL(buffer_size_good, bheap_buffer_size(SIZE, BHEAP_GUARD))
CALL(buffer_size_of_none, bheap_buffer_size(0, 0))
CALL(buffer_size_huge, bheap_buffer_size((size_t)BHEAP_SIZE_MAX, 0))

/* Blocks. */
static volatile size_t largest = SIZE_MAX; /* volatile, as any() */

CALL(alloc_good, bheap_alloc(heap, 100))
CALL(alloc_none, bheap_alloc(heap, 0))
CALL(alloc_large, bheap_alloc(heap, 2 * SIZE))
CALL(alloc_huge, bheap_alloc(heap, largest / 2))
CALL(calloc_good, bheap_calloc(heap, 10, 10))
CALL(calloc_large, bheap_calloc(heap, SIZE, 2))
CALL(calloc_overflow, bheap_calloc(heap, largest / 8, 16))
CALL(realloc_larger, bheap_realloc(heap, block, 1000))
CALL(realloc_smaller, bheap_realloc(heap, block, 0))
CALL(realloc_null, bheap_realloc(heap, NULL, 10))
CALL(realloc_large, bheap_realloc(heap, block, 2 * SIZE))
CALL(realloc_inside, bheap_realloc(heap, any(block + 16), 10))
CALL(realloc_freed, bheap_realloc(heap, any(freed), 10))
CALL(reallocarray_larger, bheap_reallocarray(heap, block, 10, 100))
CALL(reallocarray_smaller, bheap_reallocarray(heap, block, 10, 0))
CALL(reallocarray_null, bheap_reallocarray(heap, NULL, 2, 5))
CALL(reallocarray_large, bheap_reallocarray(heap, block, SIZE, 2))
CALL(reallocarray_overflow, bheap_reallocarray(heap, block, largest / 8, 16))
CALL(reallocarray_inside, bheap_reallocarray(heap, any(block + 16), 2, 5))
CALL(reallocarray_freed, bheap_reallocarray(heap, any(freed), 2, 5))
CALL(reallocarray_inside_overflow, bheap_reallocarray(heap, any(block + 16), largest / 8, 16))
static const char *const volatile no_string; /* volatile, as any() */
static const char *string_of(size_t length)
{
	static char string[2 * SIZE];

	memset(string, 'x', length);
	string[length] = '\0';
	return string;
}

CALL(strdup_good, bheap_strdup(heap, "text"))
CALL(strdup_none, bheap_strdup(heap, no_string))
CALL(strdup_large, bheap_strdup(heap, string_of(SIZE)))
CALL(strndup_good, bheap_strndup(heap, "text", 2))
CALL(strndup_unbounded, bheap_strndup(heap, "text", largest))
CALL(strndup_none, bheap_strndup(heap, no_string, 0))
CALL(strndup_large, bheap_strndup(heap, string_of(SIZE + 1), SIZE))
CALL(aligned_good, bheap_aligned_alloc(heap, 256, 100))
CALL(aligned_zero, bheap_aligned_alloc(heap, largest + 1, 100))
CALL(aligned_three, bheap_aligned_alloc(heap, largest & 3, 100))
CALL(aligned_large, bheap_aligned_alloc(heap, 256, 2 * SIZE))
CALL(free_good, heap_free(heap, block))
CALL(free_null, heap_free(heap, NULL))
CALL(free_inside, heap_free(heap, block + 16))
CALL(free_freed, heap_free(heap, freed))
CALL(free_elsewhere, heap_free(heap, &heap))
CALL(usable_good, bheap_usable_size(heap, block))
CALL(usable_null, bheap_usable_size(heap, NULL))
CALL(usable_freed, bheap_usable_size(heap, freed))
CALL(owns_good, bheap_owns(heap, block))
CALL(owns_null, !bheap_owns(heap, NULL))
CALL(owns_freed, !bheap_owns(heap, freed))

CALL(resize_larger, bheap_resize(heap, block, 70))
CALL(resize_smaller, bheap_resize(heap, block, 1))
CALL(resize_null, bheap_resize(heap, NULL, 10))
CALL(resize_none, bheap_resize(heap, block, 0))
CALL(resize_large, bheap_resize(heap, block, 2 * SIZE))
CALL(resize_inside, bheap_resize(heap, any(block + 16), 10))
CALL(resize_freed, bheap_resize(heap, any(freed), 10))
CALL(aligned_realloc_good, bheap_aligned_realloc(heap, block, 256, 1000))
CALL(aligned_realloc_null, bheap_aligned_realloc(heap, NULL, 256, 10))
CALL(aligned_realloc_three, bheap_aligned_realloc(heap, block, largest & 3, 100))
CALL(aligned_realloc_large, bheap_aligned_realloc(heap, block, 256, 2 * SIZE))
CALL(aligned_realloc_inside, bheap_aligned_realloc(heap, any(block + 16), 256, 10))
CALL(aligned_realloc_freed, bheap_aligned_realloc(heap, any(freed), 256, 10))

/* Limits and refusals. */
static bool refuse(const struct bheap_refusal *refusal, void *arg)
{
	(void)arg;
	return refusal->size == 0;
}

CALL(set_limit_good, bheap_set_limit(heap, SIZE))
CALL(limit_none, !bheap_limit(heap))
CALL(limit_of_nothing, bheap_limit(heap))
CALL(refusal_good, bheap_set_refusal_handler(heap, refuse, NULL))

/* Looks. */
static int visit(const struct bheap_block *visited, void *arg)
{
	(void)arg;
	return visited->size == 0;
}

static struct bheap_stats stats;

static intptr_t display_to_full(void)
{
	FILE *full = fopen("/dev/full", "we");
	int result, error;

	ck_assert_ptr_nonnull(full);
	errno = STRANGE;
	result = bheap_display(heap, full);
	error = errno;
	fclose(full);
	errno = error;
	return result;
}

static intptr_t check_damaged(void)
{
	memory_scribble(freed, "written after free", 16);
	errno = STRANGE;
	return bheap_check(heap, NULL);
}

/* Of a shared heap what lies in its file before its bookkeeping; mended again. */
static intptr_t check_written(size_t at)
{
	struct bheap_stats room;
	char *head = bheap_pointer(heap, BHEAP_ALIGNMENT), old[8];
	intptr_t result;
	int error;

	ck_assert_int_eq(bheap_stats(heap, &room), 0);
	head -= SIZE - room.size; /* or up to a granule too far */
	head += -(uintptr_t)head & ((size_t)sysconf(_SC_PAGESIZE) - 1);
	memcpy(old, head + at, sizeof(old));
	memory_scribble(head + at, "written!", sizeof(old));
	errno = STRANGE;
	result = bheap_check(heap, NULL);
	error = errno;
	memory_scribble(head + at, old, sizeof(old));
	errno = error;
	return result;
}

CALL(check_head, check_written(16))
CALL(stats_good, bheap_stats(heap, &stats))
CALL(used_good, bheap_used(heap))
CALL(stats_null, bheap_stats(heap, NULL))
CALL(walk_good, bheap_walk(heap, visit, NULL))
CALL(walk_null, bheap_walk(heap, NULL, NULL))
CALL(display_good, bheap_display(heap, output))
CALL(display_null, bheap_display(heap, NULL))
CALL(trim_good, (bheap_trim(heap), 1))
CALL(trim_bad, bheap_trim(heap))
CALL(handler_good, bheap_set_fault_handler(heap, faults_record, &faults))
CALL(check_good, bheap_check(heap, NULL))
CALL(version_good, bheap_version())

/* Shared heaps. */

/* A file of this size: of a heap of SIZE, or a text. */
static void file_make(bool is_heap, size_t size)
{
	int fd;

	if (is_heap)
		ended(path_heap(SIZE, 0));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert(fd >= 0 && (is_heap || write(fd, "text", 4) == 4));
	ck_assert(!ftruncate(fd, (off_t)size) && !close(fd));
	errno = STRANGE;
}

static intptr_t open_it(size_t size, int oflag, unsigned flags)
{
	return ended(bheap_open(path, size, oflag, 0600, flags));
}

static intptr_t open_truncated(void)
{
	file_make(true, SIZE / 2);
	return open_it(0, O_RDWR, 0);
}

static intptr_t open_text(void)
{
	file_make(false, SIZE);
	return open_it(0, O_RDWR, 0);
}

static intptr_t open_limited(void)
{
	struct rlimit before, limited;
	intptr_t result;
	int error;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limited = (struct rlimit){SIZE / 2, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limited), 0);
	errno = STRANGE;
	result = open_it(SIZE, O_RDWR | O_CREAT, 0);
	error = errno;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	errno = error;
	return result;
}

static intptr_t open_fd_and_close(int fd, size_t size)
{
	intptr_t result;
	int error;

	ck_assert_int_ge(fd, 0);
	errno = STRANGE;
	result = ended(bheap_open_fd(fd, size, 0));
	error = errno;
	close(fd);
	errno = error;
	return result;
}

static intptr_t open_fd_to_write(void)
{
	file_make(true, SIZE);
	return open_fd_and_close(open(path, O_WRONLY | O_CLOEXEC), 0);
}

static intptr_t open_fd_text(void)
{
	file_make(false, SIZE);
	return open_fd_and_close(open(path, O_RDWR | O_CLOEXEC), 0);
}

static intptr_t open_fd_truncated(void)
{
	file_make(true, SIZE / 2);
	return open_fd_and_close(open(path, O_RDWR | O_CLOEXEC), 0);
}

/* Memory by descriptor alone has no disk that could be full. */
static intptr_t open_fd_of_a_disk(void)
{
	return open_fd_and_close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), SIZE);
}

/* A new heap needs a size. */
static intptr_t open_fd_empty(void)
{
	return open_fd_and_close(memfd_create("empty", MFD_CLOEXEC), 0);
}

/* A call while the system is as it seldom is. */
static intptr_t while_so(bool *system, intptr_t (*call)(void))
{
	intptr_t result;

	*system = true;
	result = call();
	*system = false;
	return result;
}

/* On a disk without room for what was not handed out yet. */
static intptr_t when_full(intptr_t (*call)(void))
{
	bheap_trim(heap);
	errno = STRANGE;
	return while_so(&system_is.no_room, call);
}

static intptr_t root_alloc_half(void)
{
	ck_assert_int_eq(bheap_set_root(heap, NULL), 0);
	errno = STRANGE;
	return (intptr_t)bheap_root_alloc(heap, SIZE / 2);
}

CALL(alloc_half, bheap_alloc(heap, SIZE / 2))
CALL(calloc_half, bheap_calloc(heap, SIZE / 2, 1))
CALL(realloc_half, bheap_realloc(heap, block, SIZE / 2))
CALL(reallocarray_half, bheap_reallocarray(heap, block, SIZE / 2, 1))
CALL(strdup_half, bheap_strdup(heap, string_of(SIZE / 2)))
CALL(strndup_half, bheap_strndup(heap, string_of(SIZE), SIZE / 2))
CALL(aligned_half, bheap_aligned_alloc(heap, 256, SIZE / 2))
CALL(aligned_realloc_half, bheap_aligned_realloc(heap, block, 256, SIZE / 2))
CALL(into_half, bheap_alloc_into(heap, slot_at(0), SIZE / 2))
CALL(alloc_when_full, when_full(alloc_half))
CALL(calloc_when_full, when_full(calloc_half))
CALL(realloc_when_full, when_full(realloc_half))
CALL(reallocarray_when_full, when_full(reallocarray_half))
CALL(strdup_when_full, when_full(strdup_half))
CALL(strndup_when_full, when_full(strndup_half))
CALL(aligned_when_full, when_full(aligned_half))
CALL(aligned_realloc_when_full, when_full(aligned_realloc_half))
CALL(resize_half, bheap_resize(heap, last, SIZE / 2))
CALL(resize_when_full, when_full(resize_half))
CALL(root_alloc_when_full, when_full(root_alloc_half))
CALL(into_when_full, when_full(into_half))
CALL(check_when_locked, while_so(&system_is.no_lock, check_good))

CALL(open_new, open_it(SIZE, O_RDWR | O_CREAT, 0))
CALL(open_again, open_it(0, O_RDWR, 0))
CALL(open_to_read, open_it(0, O_RDONLY, 0))
CALL(open_nowhere, ended(bheap_open(NULL, SIZE, O_RDWR, 0, 0)))
CALL(open_to_write, open_it(SIZE, O_WRONLY, 0))
CALL(open_truncating, open_it(SIZE, O_RDWR | O_TRUNC, 0))
CALL(open_read_create, open_it(SIZE, O_RDONLY | O_CREAT, 0))
CALL(open_new_none, open_it(0, O_RDWR | O_CREAT, 0))
CALL(open_huge, open_it((size_t)BHEAP_SIZE_MAX + 1, O_RDWR | O_CREAT, 0))
CALL(open_other_size, open_it(2 * SIZE, O_RDWR, 0))
CALL(open_other_flag, open_it(0, O_RDWR, BHEAP_GUARD))
CALL(open_exclusively, open_it(SIZE, O_RDWR | O_CREAT | O_EXCL, 0))
CALL(open_other_namespace, while_so(&system_is.no_namespace, open_again))
CALL(open_locked, while_so(&system_is.no_file_lock, open_again))
CALL(open_no_room, while_so(&system_is.no_room, open_new))
CALL(open_no_mapping, while_so(&system_is.no_mapping, open_new))
/* With a second handle, whose end is not looked at. */
static intptr_t reset_with_another(void)
{
	bheap_t *other = bheap_open(path, 0, O_RDWR, 0, 0);
	intptr_t result;
	int error;

	ck_assert_ptr_nonnull(other);
	errno = STRANGE;
	result = bheap_reset(heap);
	error = errno;
	ended(other);
	errno = error;
	return result;
}

/* The child has ended, but how should one know? */
static intptr_t reset_after_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	errno = STRANGE;
	return bheap_reset(heap);
}

/* Of the heap's file, which its name leads to. */
static void descriptors_close(void)
{
	struct stat named, opened;

	ck_assert_int_eq(stat(path, &named), 0);
	for (int fd = 3; fd < 100; fd++)
		if (!fstat(fd, &opened) && opened.st_dev == named.st_dev &&
		    opened.st_ino == named.st_ino)
			close(fd);
	errno = STRANGE;
}

CALL(reset_good, bheap_reset(heap))
CALL(reset_locked, while_so(&system_is.no_file_lock, reset_good))
CALL(reset_without_descriptor, (descriptors_close(), bheap_reset(heap)))
CALL(open_fd_good, ended(heap_by_descriptor(0)))
CALL(open_fd_bad, ended(bheap_open_fd(-1, SIZE, 0)))
CALL(open_fd_huge, ended(bheap_open_fd(-1, (size_t)BHEAP_SIZE_MAX + 1, 0)))
CALL(open_fd_no_room, while_so(&system_is.no_room, open_fd_of_a_disk))
CALL(create_no_random, while_so(&system_is.no_random, create_guarded))
CALL(create_no_mapping, while_so(&system_is.no_mapping, create_good))
CALL(init_no_mapping, while_so(&system_is.no_mapping, init_heap_good))
CALL(close_heap, gone(bheap_close(heap)))
CALL(unlink_good, bheap_unlink(path))
CALL(unlink_null, bheap_unlink(NULL))
CALL(unlink_shm, bheap_unlink("/bheap-test-no-such-name"))
CALL(sync_good, bheap_sync(heap))
CALL(sync_no_disk, while_so(&system_is.no_sync, sync_good))

/* Offsets, the root, slots, owners. */
static intptr_t root_alloc_large(void)
{
	ck_assert_int_eq(bheap_set_root(heap, NULL), 0);
	errno = STRANGE;
	return (intptr_t)bheap_root_alloc(heap, 2 * SIZE);
}

static intptr_t root_alloc_new(void)
{
	ck_assert_int_eq(bheap_set_root(heap, NULL), 0);
	errno = STRANGE;
	return (intptr_t)bheap_root_alloc(heap, 10);
}

static intptr_t free_from_full(void)
{
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, slot_at(0), 10));
	errno = STRANGE;
	return bheap_free_from(heap, slot_at(0));
}

static intptr_t free_from_wrong(void)
{
	*slot_at(0) = bheap_offset(heap, block) + 16;
	return bheap_free_from(heap, slot_at(0));
}

static int allocate(void *arg)
{
	return bheap_alloc(arg, 100) ? 0 : 1;
}

/* A block of a process that has ended. */
static intptr_t reclaim_dead(void)
{
	struct child child;

	child_run(&child, allocate, heap);
	child_assert_exited(&child, 0);
	errno = STRANGE;
	return bheap_reclaim(heap) == 1 ? 1 : -1;
}

CALL(offset_good, bheap_offset(heap, block))
CALL(offset_none, !bheap_offset(heap, &heap))
CALL(pointer_good, bheap_pointer(heap, BHEAP_ALIGNMENT))
CALL(pointer_none, !bheap_pointer(heap, ELSEWHERE))
CALL(set_root_good, bheap_set_root(heap, block))
CALL(set_root_null, bheap_set_root(heap, NULL))
CALL(set_root_elsewhere, bheap_set_root(heap, &heap))
CALL(root_good, bheap_root(heap))
CALL(root_alloc_good, bheap_root_alloc(heap, 10))
CALL(into_good, bheap_alloc_into(heap, slot_at(0), 10))
CALL(into_null, bheap_alloc_into(heap, NULL, 10))
CALL(into_misaligned, bheap_alloc_into(heap, slot_at(4), 10))
CALL(into_freed, bheap_alloc_into(heap, any(freed), 10))
CALL(into_large, bheap_alloc_into(heap, slot_at(0), 2 * SIZE))
CALL(free_from_good, bheap_free_from(heap, slot_at(0)))
CALL(free_from_null, bheap_free_from(heap, NULL))
CALL(free_from_misaligned, bheap_free_from(heap, slot_at(4)))
CALL(reclaim, bheap_reclaim(heap))

/* ---- the tables ---- */

/* Functions, by what they return on failure; SYSTEM: success may change errno. */
enum { SYSTEM = 1 };
static const struct function {
	const char *name;
	intptr_t failure;
	unsigned properties;
} functions[] = {
	{"init_heap", -1, 0},
	{"balloc", 0, 0},
	{"bfree", -1, 0},
	{"disp_heap", -1, 0},
	{"bheap_default", 0, 0},
	{"bheap_create", 0, 0},
	{"bheap_create_in", 0, 0},
	{"bheap_buffer_size", 0, 0},
	{"bheap_destroy", -1, 0},
	{"bheap_alloc", 0, 0},
	{"bheap_calloc", 0, 0},
	{"bheap_realloc", 0, 0},
	{"bheap_reallocarray", 0, 0},
	{"bheap_strdup", 0, 0},
	{"bheap_strndup", 0, 0},
	{"bheap_aligned_alloc", 0, 0},
	{"bheap_resize", -1, 0},
	{"bheap_aligned_realloc", 0, 0},
	{"bheap_set_limit", -1, 0},
	{"bheap_limit", 0, 0},
	{"bheap_set_refusal_handler", -1, 0},
	{"bheap_free", -1, 0},
	{"bheap_usable_size", 0, 0},
	{"bheap_owns", 0, 0},
	{"bheap_stats", -1, 0},
	{"bheap_used", 0, 0},
	{"bheap_walk", -1, 0},
	{"bheap_display", -1, 0},
	{"bheap_trim", 0, 0},
	{"bheap_reset", -1, 0},
	{"bheap_set_fault_handler", -1, 0},
	{"bheap_check", -1, 0},
	{"bheap_open", 0, SYSTEM},
	{"bheap_open_fd", 0, SYSTEM},
	{"bheap_close", -1, 0},
	{"bheap_unlink", -1, 0},
	{"bheap_sync", -1, 0},
	{"bheap_offset", 0, 0},
	{"bheap_pointer", 0, 0},
	{"bheap_set_root", -1, 0},
	{"bheap_root", 0, 0},
	{"bheap_root_alloc", 0, 0},
	{"bheap_alloc_into", 0, 0},
	{"bheap_free_from", -1, 0},
	{"bheap_reclaim", -1, 0},
	{"bheap_version", 0, 0},
};
#define FUNCTIONS (sizeof(functions) / sizeof(*functions))

/*
 * REPORTS: a fault, which aborts in heaps that are to. INSIDE: called by a callback of
 * bheap_walk(), and by what writes to the stream of bheap_display().
 */
enum { REPORTS = 1, INSIDE = 2 };
static const struct row {
	const char *function;
	int error; /* 0: it succeeds */
	unsigned on;
	intptr_t (*call)(void);
	unsigned properties;
	unsigned needs, excludes; /* flags of the heap */
} rows[] = {
#define GOOD(function, on, call)                                                                   \
	{                                                                                          \
		function, 0, on, call, 0, 0, 0                                                     \
	}
#define BAD(function, error, on, call)                                                             \
	{                                                                                          \
		function, error, on, call, 0, 0, 0                                                 \
	}
#define FAULT(function, error, on, call)                                                           \
	{                                                                                          \
		function, error, on, call, REPORTS, 0, 0                                           \
	}
#define IN_WALK(function, error, on, call)                                                         \
	{                                                                                          \
		function, error, on, call, INSIDE, 0, 0                                            \
	}
	GOOD("init_heap", NONE, init_heap_good),
	BAD("init_heap", EINVAL, NONE, init_heap_none),
	BAD("init_heap", EINVAL, NONE, init_heap_huge),
	BAD("init_heap", ENOMEM, NONE, init_no_mapping),
	BAD("init_heap", EALREADY, DEFAULT, init_heap_good),
	GOOD("balloc", DEFAULT, balloc_good),
	BAD("balloc", EINVAL, DEFAULT, balloc_none),
	BAD("balloc", EINVAL, NONE, balloc_good),
	BAD("balloc", ENOMEM, DEFAULT, balloc_huge),
	IN_WALK("balloc", EDEADLK, DEFAULT, balloc_good),
	GOOD("bfree", DEFAULT, bfree_good),
	BAD("bfree", EINVAL, DEFAULT, bfree_null),
	FAULT("bfree", EINVAL, DEFAULT, bfree_inside),
	FAULT("bfree", EINVAL, DEFAULT, bfree_freed),
	BAD("bfree", EINVAL, NONE, bfree_good),
	IN_WALK("bfree", EDEADLK, DEFAULT, bfree_good),
	GOOD("disp_heap", NONE, disp_heap_good),
	GOOD("disp_heap", DEFAULT, disp_heap_good),
	GOOD("bheap_default", NONE, default_good),
	GOOD("bheap_default", DEFAULT, default_good),

	GOOD("bheap_create", NONE, create_good),
	GOOD("bheap_create", NONE, create_no_random),
	BAD("bheap_create", EINVAL, NONE, create_none),
	BAD("bheap_create", EINVAL, NONE, create_huge),
	BAD("bheap_create", EINVAL, NONE, create_flags),
	BAD("bheap_create", ENOMEM, NONE, create_no_mapping),
	GOOD("bheap_create_in", NONE, create_in_good),
	BAD("bheap_create_in", EINVAL, NONE, create_in_null),
	BAD("bheap_create_in", EINVAL, NONE, create_in_small),
	BAD("bheap_create_in", EINVAL, NONE, create_in_huge),
	BAD("bheap_create_in", EINVAL, NONE, create_in_flags),
	GOOD("bheap_buffer_size", NONE, buffer_size_good),
	GOOD("bheap_buffer_size", NONE, buffer_size_of_none),
	BAD("bheap_buffer_size", EINVAL, NONE, buffer_size_flags),
	BAD("bheap_buffer_size", ENOMEM, NONE, buffer_size_huge),
	GOOD("bheap_destroy", ALL_BUT_DEFAULT, destroy),
	BAD("bheap_destroy", EINVAL, NONE, destroy),
	BAD("bheap_destroy", EINVAL, DEFAULT, destroy),
	IN_WALK("bheap_destroy", EDEADLK, ALL_BUT_DEFAULT, destroy),

	GOOD("bheap_alloc", WRITABLE, alloc_good),
	GOOD("bheap_alloc", WRITABLE, alloc_none),
	BAD("bheap_alloc", EINVAL, NONE, alloc_good),
	BAD("bheap_alloc", ENOMEM, WRITABLE, alloc_large),
	BAD("bheap_alloc", ENOMEM, WRITABLE, alloc_huge),
	{"bheap_alloc", ENOSPC, OPENED, alloc_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_alloc", EROFS, READER, alloc_good),
	IN_WALK("bheap_alloc", EDEADLK, WRITABLE, alloc_good),
	GOOD("bheap_calloc", WRITABLE, calloc_good),
	BAD("bheap_calloc", EINVAL, NONE, calloc_good),
	BAD("bheap_calloc", ENOMEM, WRITABLE, calloc_large),
	BAD("bheap_calloc", ENOMEM, WRITABLE, calloc_overflow),
	{"bheap_calloc", ENOSPC, OPENED, calloc_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_calloc", EROFS, READER, calloc_good),
	IN_WALK("bheap_calloc", EDEADLK, WRITABLE, calloc_good),
	GOOD("bheap_realloc", WRITABLE, realloc_larger),
	GOOD("bheap_realloc", WRITABLE, realloc_smaller),
	GOOD("bheap_realloc", WRITABLE, realloc_null),
	BAD("bheap_realloc", EINVAL, NONE, realloc_larger),
	BAD("bheap_realloc", EINVAL, NONE, realloc_null),
	FAULT("bheap_realloc", EINVAL, WRITABLE, realloc_inside),
	FAULT("bheap_realloc", EINVAL, WRITABLE, realloc_freed),
	BAD("bheap_realloc", ENOMEM, WRITABLE, realloc_large),
	{"bheap_realloc", ENOSPC, OPENED, realloc_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_realloc", EROFS, READER, realloc_larger),
	BAD("bheap_realloc", EROFS, READER, realloc_null),
	IN_WALK("bheap_realloc", EDEADLK, WRITABLE, realloc_larger),
	GOOD("bheap_reallocarray", WRITABLE, reallocarray_larger),
	GOOD("bheap_reallocarray", WRITABLE, reallocarray_smaller),
	GOOD("bheap_reallocarray", WRITABLE, reallocarray_null),
	BAD("bheap_reallocarray", EINVAL, NONE, reallocarray_larger),
	BAD("bheap_reallocarray", EINVAL, NONE, reallocarray_null),
	BAD("bheap_reallocarray", EINVAL, NONE, reallocarray_overflow),
	FAULT("bheap_reallocarray", EINVAL, WRITABLE, reallocarray_inside),
	FAULT("bheap_reallocarray", EINVAL, WRITABLE, reallocarray_freed),
	FAULT("bheap_reallocarray", EINVAL, WRITABLE, reallocarray_inside_overflow),
	BAD("bheap_reallocarray", ENOMEM, WRITABLE, reallocarray_large),
	BAD("bheap_reallocarray", ENOMEM, WRITABLE, reallocarray_overflow),
	{"bheap_reallocarray", ENOSPC, OPENED, reallocarray_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_reallocarray", EROFS, READER, reallocarray_larger),
	BAD("bheap_reallocarray", EROFS, READER, reallocarray_overflow),
	IN_WALK("bheap_reallocarray", EDEADLK, WRITABLE, reallocarray_larger),
	GOOD("bheap_strdup", WRITABLE, strdup_good),
	BAD("bheap_strdup", EINVAL, NONE, strdup_good),
	BAD("bheap_strdup", EINVAL, ALL, strdup_none),
	BAD("bheap_strdup", ENOMEM, WRITABLE, strdup_large),
	{"bheap_strdup", ENOSPC, OPENED, strdup_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_strdup", EROFS, READER, strdup_good),
	IN_WALK("bheap_strdup", EDEADLK, WRITABLE, strdup_good),
	GOOD("bheap_strndup", WRITABLE, strndup_good),
	GOOD("bheap_strndup", WRITABLE, strndup_unbounded),
	BAD("bheap_strndup", EINVAL, NONE, strndup_good),
	BAD("bheap_strndup", EINVAL, ALL, strndup_none),
	BAD("bheap_strndup", ENOMEM, WRITABLE, strndup_large),
	{"bheap_strndup", ENOSPC, OPENED, strndup_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_strndup", EROFS, READER, strndup_good),
	IN_WALK("bheap_strndup", EDEADLK, WRITABLE, strndup_good),
	GOOD("bheap_aligned_alloc", WRITABLE, aligned_good),
	BAD("bheap_aligned_alloc", EINVAL, NONE, aligned_good),
	BAD("bheap_aligned_alloc", EINVAL, ALL, aligned_zero),
	BAD("bheap_aligned_alloc", EINVAL, ALL, aligned_three),
	BAD("bheap_aligned_alloc", ENOMEM, WRITABLE, aligned_large),
	{"bheap_aligned_alloc", ENOSPC, OPENED, aligned_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_aligned_alloc", EROFS, READER, aligned_good),
	IN_WALK("bheap_aligned_alloc", EDEADLK, WRITABLE, aligned_good),
	GOOD("bheap_resize", WRITABLE, resize_larger),
	GOOD("bheap_resize", WRITABLE, resize_smaller),
	BAD("bheap_resize", EINVAL, NONE, resize_larger),
	BAD("bheap_resize", EINVAL, WRITABLE, resize_null),
	BAD("bheap_resize", EINVAL, WRITABLE, resize_none),
	FAULT("bheap_resize", EINVAL, WRITABLE, resize_inside),
	FAULT("bheap_resize", EINVAL, WRITABLE, resize_freed),
	BAD("bheap_resize", ENOMEM, WRITABLE, resize_large),
	{"bheap_resize", ENOSPC, OPENED, resize_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_resize", EROFS, READER, resize_larger),
	IN_WALK("bheap_resize", EDEADLK, WRITABLE, resize_larger),
	GOOD("bheap_aligned_realloc", WRITABLE, aligned_realloc_good),
	GOOD("bheap_aligned_realloc", WRITABLE, aligned_realloc_null),
	BAD("bheap_aligned_realloc", EINVAL, NONE, aligned_realloc_good),
	BAD("bheap_aligned_realloc", EINVAL, WRITABLE, aligned_realloc_three),
	FAULT("bheap_aligned_realloc", EINVAL, WRITABLE, aligned_realloc_inside),
	FAULT("bheap_aligned_realloc", EINVAL, WRITABLE, aligned_realloc_freed),
	BAD("bheap_aligned_realloc", ENOMEM, WRITABLE, aligned_realloc_large),
	{"bheap_aligned_realloc", ENOSPC, OPENED, aligned_realloc_when_full, 0, 0,
	 BHEAP_PREALLOCATE},
	BAD("bheap_aligned_realloc", EROFS, READER, aligned_realloc_good),
	IN_WALK("bheap_aligned_realloc", EDEADLK, WRITABLE, aligned_realloc_good),
	GOOD("bheap_set_limit", WRITABLE, set_limit_good),
	BAD("bheap_set_limit", EINVAL, NONE, set_limit_good),
	BAD("bheap_set_limit", EROFS, READER, set_limit_good),
	IN_WALK("bheap_set_limit", EDEADLK, WRITABLE, set_limit_good),
	GOOD("bheap_limit", ALL, limit_none),
	BAD("bheap_limit", EINVAL, NONE, limit_of_nothing),
	IN_WALK("bheap_limit", 0, ALL, limit_none),
	GOOD("bheap_set_refusal_handler", ALL, refusal_good),
	BAD("bheap_set_refusal_handler", EINVAL, NONE, refusal_good),
	IN_WALK("bheap_set_refusal_handler", EDEADLK, ALL, refusal_good),
	GOOD("bheap_free", WRITABLE, free_good),
	GOOD("bheap_free", WRITABLE, free_null),
	BAD("bheap_free", EINVAL, NONE, free_null),
	FAULT("bheap_free", EINVAL, WRITABLE, free_inside),
	FAULT("bheap_free", EINVAL, WRITABLE, free_freed),
	FAULT("bheap_free", EINVAL, WRITABLE, free_elsewhere),
	BAD("bheap_free", EROFS, READER, free_good),
	IN_WALK("bheap_free", EDEADLK, WRITABLE, free_good),
	GOOD("bheap_usable_size", ALL, usable_good),
	BAD("bheap_usable_size", EINVAL, NONE, usable_good),
	BAD("bheap_usable_size", EINVAL, ALL, usable_null),
	BAD("bheap_usable_size", EINVAL, ALL, usable_freed),
	IN_WALK("bheap_usable_size", EDEADLK, ALL, usable_good),
	GOOD("bheap_owns", ALL, owns_good),
	GOOD("bheap_owns", ALL, owns_null),
	GOOD("bheap_owns", ALL, owns_freed),
	BAD("bheap_owns", EINVAL, NONE, owns_good),
	IN_WALK("bheap_owns", EDEADLK, ALL, owns_good),

	GOOD("bheap_stats", ALL, stats_good),
	BAD("bheap_stats", EINVAL, NONE, stats_good),
	BAD("bheap_stats", EINVAL, ALL, stats_null),
	IN_WALK("bheap_stats", EDEADLK, ALL, stats_good),
	GOOD("bheap_used", ALL, used_good),
	BAD("bheap_used", EINVAL, NONE, used_good),
	IN_WALK("bheap_used", EDEADLK, ALL, used_good),
	GOOD("bheap_walk", ALL, walk_good),
	BAD("bheap_walk", EINVAL, NONE, walk_good),
	BAD("bheap_walk", EINVAL, ALL, walk_null),
	IN_WALK("bheap_walk", EDEADLK, ALL, walk_good),
	GOOD("bheap_display", ALL, display_good),
	BAD("bheap_display", EINVAL, NONE, display_good),
	BAD("bheap_display", EINVAL, ALL, display_null),
	BAD("bheap_display", ENOSPC, ALL, display_to_full),
	IN_WALK("bheap_display", EDEADLK, ALL, display_good),
	GOOD("bheap_trim", WRITABLE, trim_good),
	BAD("bheap_trim", EINVAL, NONE, trim_bad),
	BAD("bheap_trim", EROFS, READER, trim_bad),
	IN_WALK("bheap_trim", EDEADLK, WRITABLE, trim_bad),
	GOOD("bheap_reset", WRITABLE, reset_good),
	BAD("bheap_reset", EINVAL, NONE, reset_good),
	BAD("bheap_reset", EROFS, READER, reset_good),
	BAD("bheap_reset", EBUSY, OPENED, reset_with_another),
	BAD("bheap_reset", EBUSY, OPENED, reset_after_fork),
	BAD("bheap_reset", EBUSY, OPENED, reset_locked),
	BAD("bheap_reset", EBADF, OPENED, reset_without_descriptor),
	IN_WALK("bheap_reset", EDEADLK, WRITABLE, reset_good),
	GOOD("bheap_set_fault_handler", ALL, handler_good),
	GOOD("bheap_set_fault_handler", NONE, handler_good),
	IN_WALK("bheap_set_fault_handler", EDEADLK, ALL, handler_good),
	GOOD("bheap_check", ALL, check_good),
	BAD("bheap_check", EINVAL, NONE, check_good),
	BAD("bheap_check", EUCLEAN, WRITABLE, check_damaged),
	BAD("bheap_check", EUCLEAN, SHARED, check_head),
	BAD("bheap_check", EBUSY, SHARED, check_when_locked),
	IN_WALK("bheap_check", EDEADLK, ALL, check_good),
	GOOD("bheap_version", NONE, version_good),

	GOOD("bheap_open", NONE, open_new),
	GOOD("bheap_open", OPENED, open_new),
	GOOD("bheap_open", OPENED, open_again),
	GOOD("bheap_open", OPENED, open_to_read),
	BAD("bheap_open", EINVAL, NONE, open_nowhere),
	BAD("bheap_open", EINVAL, NONE, open_to_write),
	BAD("bheap_open", EINVAL, NONE, open_truncating),
	BAD("bheap_open", EINVAL, NONE, open_read_create),
	BAD("bheap_open", EINVAL, NONE, open_new_none),
	BAD("bheap_open", EINVAL, NONE, open_huge),
	BAD("bheap_open", EINVAL, NONE, open_flags),
	BAD("bheap_open", EINVAL, OPENED, open_other_size),
	{"bheap_open", EINVAL, OPENED, open_other_flag, 0, 0, BHEAP_GUARD},
	BAD("bheap_open", EBUSY, OPENED, open_other_namespace),
	BAD("bheap_open", EBUSY, OPENED, open_locked),
	BAD("bheap_open", EFBIG, NONE, open_limited),
	BAD("bheap_open", ENOSPC, NONE, open_no_room),
	BAD("bheap_open", EPROTO, NONE, open_text),
	BAD("bheap_open", EUCLEAN, NONE, open_truncated),
	BAD("bheap_open", ENOENT, NONE, open_again),
	BAD("bheap_open", EEXIST, OPENED, open_exclusively),
	BAD("bheap_open", ENOMEM, NONE, open_no_mapping),
	GOOD("bheap_open_fd", NONE, open_fd_good),
	BAD("bheap_open_fd", EACCES, NONE, open_fd_to_write),
	BAD("bheap_open_fd", EINVAL, NONE, open_fd_empty),
	BAD("bheap_open_fd", EINVAL, NONE, open_fd_huge),
	BAD("bheap_open_fd", EINVAL, NONE, open_fd_flags),
	BAD("bheap_open_fd", ENOSPC, NONE, open_fd_no_room),
	BAD("bheap_open_fd", EPROTO, NONE, open_fd_text),
	BAD("bheap_open_fd", EUCLEAN, NONE, open_fd_truncated),
	BAD("bheap_open_fd", EBADF, NONE, open_fd_bad),
	GOOD("bheap_close", SHARED | READER, close_heap),
	BAD("bheap_close", EINVAL, NONE, close_heap),
	BAD("bheap_close", EINVAL, PRIVATE, close_heap),
	IN_WALK("bheap_close", EDEADLK, SHARED | READER, close_heap),
	GOOD("bheap_unlink", OPENED, unlink_good),
	BAD("bheap_unlink", EINVAL, NONE, unlink_null),
	BAD("bheap_unlink", ENOENT, NONE, unlink_good),
	BAD("bheap_unlink", ENOENT, NONE, unlink_shm),
	GOOD("bheap_sync", SHARED | READER, sync_good),
	IN_WALK("bheap_sync", 0, SHARED | READER, sync_good),
	BAD("bheap_sync", EINVAL, NONE, sync_good),
	BAD("bheap_sync", EINVAL, PRIVATE, sync_good),
	BAD("bheap_sync", EIO, SHARED, sync_no_disk),

	GOOD("bheap_offset", ALL, offset_good),
	GOOD("bheap_offset", ALL, offset_none),
	GOOD("bheap_offset", NONE, offset_none),
	IN_WALK("bheap_offset", 0, ALL, offset_good),
	GOOD("bheap_pointer", ALL, pointer_good),
	GOOD("bheap_pointer", ALL, pointer_none),
	GOOD("bheap_pointer", NONE, pointer_none),
	IN_WALK("bheap_pointer", 0, ALL, pointer_good),
	GOOD("bheap_set_root", WRITABLE, set_root_good),
	GOOD("bheap_set_root", WRITABLE, set_root_null),
	BAD("bheap_set_root", EINVAL, NONE, set_root_good),
	BAD("bheap_set_root", EINVAL, WRITABLE, set_root_elsewhere),
	BAD("bheap_set_root", EROFS, READER, set_root_good),
	IN_WALK("bheap_set_root", EDEADLK, WRITABLE, set_root_good),
	GOOD("bheap_root", ALL, root_good),
	BAD("bheap_root", EINVAL, NONE, root_good),
	IN_WALK("bheap_root", 0, ALL, root_good),
	GOOD("bheap_root_alloc", WRITABLE, root_alloc_good),
	GOOD("bheap_root_alloc", WRITABLE, root_alloc_new),
	BAD("bheap_root_alloc", EINVAL, NONE, root_alloc_good),
	BAD("bheap_root_alloc", ENOMEM, WRITABLE, root_alloc_large),
	{"bheap_root_alloc", ENOSPC, OPENED, root_alloc_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_root_alloc", EROFS, READER, root_alloc_good),
	IN_WALK("bheap_root_alloc", EDEADLK, WRITABLE, root_alloc_good),
	GOOD("bheap_alloc_into", WRITABLE, into_good),
	BAD("bheap_alloc_into", EINVAL, NONE, into_good),
	BAD("bheap_alloc_into", EINVAL, WRITABLE, into_null),
	BAD("bheap_alloc_into", EINVAL, WRITABLE, into_misaligned),
	BAD("bheap_alloc_into", EINVAL, WRITABLE, into_freed),
	BAD("bheap_alloc_into", ENOMEM, WRITABLE, into_large),
	{"bheap_alloc_into", ENOSPC, OPENED, into_when_full, 0, 0, BHEAP_PREALLOCATE},
	BAD("bheap_alloc_into", EROFS, READER, into_good),
	IN_WALK("bheap_alloc_into", EDEADLK, WRITABLE, into_good),
	GOOD("bheap_free_from", WRITABLE, free_from_good),
	GOOD("bheap_free_from", WRITABLE, free_from_full),
	BAD("bheap_free_from", EINVAL, NONE, free_from_good),
	BAD("bheap_free_from", EINVAL, WRITABLE, free_from_null),
	BAD("bheap_free_from", EINVAL, WRITABLE, free_from_misaligned),
	FAULT("bheap_free_from", EINVAL, WRITABLE, free_from_wrong),
	BAD("bheap_free_from", EROFS, READER, free_from_good),
	IN_WALK("bheap_free_from", EDEADLK, WRITABLE, free_from_good),
	{"bheap_reclaim", 0, SHARED, reclaim, 0, BHEAP_OWNED, 0},
	{"bheap_reclaim", 0, SHARED, reclaim_dead, 0, BHEAP_OWNED, 0},
	BAD("bheap_reclaim", EINVAL, NONE, reclaim),
	{"bheap_reclaim", ENOTSUP, WRITABLE, reclaim, 0, 0, BHEAP_OWNED},
	BAD("bheap_reclaim", EROFS, READER, reclaim),
	{"bheap_reclaim", EDEADLK, SHARED, reclaim, INSIDE, BHEAP_OWNED, 0},
};
#define ROWS ((int)(sizeof(rows) / sizeof(*rows)))

static const struct function *function_of(const char *name)
{
	for (size_t index = 0; index < FUNCTIONS; index++)
		if (!strcmp(functions[index].name, name))
			return &functions[index];
	ck_abort_msg("%s() is in no table", name);
	return NULL;
}

/* ---- each row ---- */

struct outcome {
	const struct row *row;
	intptr_t result;
	int error;
};

static void outcome_take(struct outcome *outcome)
{
	errno = STRANGE;
	outcome->result = outcome->row->call();
	outcome->error = errno;
}

static int outcome_take_inside(const struct bheap_block *visited, void *arg)
{
	(void)visited;
	outcome_take(arg);
	return 1;
}

static ssize_t outcome_take_in_stream(void *outcome, const char *bytes, size_t count)
{
	(void)bytes;
	outcome_take(outcome);
	return (ssize_t)count;
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	if (error == STRANGE)
		return "as before";
	if (error == ENOTSUP)
		return "ENOTSUP"; /* on Linux the number of another, too */
	return name ? name : "no errno";
}

static void outcome_verify(const struct outcome *outcome, const char *where)
{
	const struct row *row = outcome->row;
	const struct function *function = function_of(row->function);
	int expected = row->error ? row->error : STRANGE;

	ck_assert_msg((outcome->result == function->failure) == (row->error != 0),
		      "%s(), expected %s, %s: the result is %jd, errno %s", row->function,
		      row->error ? error_name(row->error) : "to succeed", where,
		      (intmax_t)outcome->result, error_name(outcome->error));
	if (row->error || !(function->properties & SYSTEM))
		ck_assert_msg(outcome->error == expected, "%s(), %s: errno is %s, not %s",
			      row->function, where, error_name(outcome->error),
			      error_name(expected));
}

static void row_try(const struct row *row, const char *where)
{
	struct outcome outcome = {.row = row};

	if (row->properties & INSIDE)
		ck_assert_int_eq(bheap_walk(heap, outcome_take_inside, &outcome), 1);
	else
		outcome_take(&outcome);
	outcome_verify(&outcome, where);
}

static void row_try_in_stream(const struct row *row, const char *where)
{
	const cookie_io_functions_t calls = {.write = outcome_take_in_stream};
	struct outcome outcome = {.row = row};
	FILE *stream = fopencookie(&outcome, "w", calls);

	ck_assert_ptr_nonnull(stream);
	ck_assert_int_eq(bheap_display(heap, stream), 0);
	ck_assert_int_eq(fclose(stream), 0);
	outcome_verify(&outcome, where);
}

static void row_try_on(const struct row *row, const struct kind *kind)
{
	char where[64];

	heap_make(kind);
	snprintf(where, sizeof(where), "kind %u, flags 0x%x", kind->how, kind->flags);
	row_try(row, where);
	if (row->properties & INSIDE)
		row_try_in_stream(row, where);
	if (heap && kind->how != DEFAULT)
		ck_assert_int_eq(bheap_destroy(heap), 0);
	heap = NULL;
}

static bool kind_suits(const struct row *row, const struct kind *kind)
{
	unsigned excludes = row->excludes | (row->properties & REPORTS ? BHEAP_ABORT : 0);

	return row->on & kind->how && (kind->flags & row->needs) == row->needs &&
	       !(kind->flags & excludes);
}

START_TEST(result_and_errno_are_those_of_the_table)
{
	const struct row *row = &rows[_i];
	unsigned tried = 0;

	leaks_ignore(); /* blocks end with their heap */
	if (row->on == NONE) {
		row_try(row, "without a heap");
		return;
	}
	for (size_t index = 0; index < KINDS; index++) {
		if (!kind_suits(row, &kinds[index]))
			continue;
		row_try_on(row, &kinds[index]);
		tried++;
	}
	ck_assert_uint_gt(tried, 0);
}
END_TEST

static int allocate_keeping_errno(void *arg)
{
	errno = STRANGE;
	return bheap_alloc(arg, 100) && errno == STRANGE ? 0 : 1;
}

/* Without /proc the child of a fork asks for its namespace in vain. */
START_TEST(errno_is_kept_in_a_child_without_a_namespace)
{
	struct child child;

	system_is.no_namespace = true;
	heap = path_heap(SIZE, 0);
	child_run(&child, allocate_keeping_errno, heap);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- the table, the header and the pages ---- */

static FILE *source_open(const char *folder, const char *name, const char *suffix)
{
	const char *root = getenv("srcdir");
	char file[512];
	FILE *source;

	snprintf(file, sizeof(file), "%s/%s/%s%s", root ? root : ".", folder, name, suffix);
	source = fopen(file, "re");
	ck_assert_msg(source, "%s: %s", file, strerrorname_np(errno));
	return source;
}

/* The name before the parenthesis of a declaration, or NULL. */
static const char *declared_name(char *line)
{
	char *end = strchr(line, '('), *name;

	if (strncmp(line, "BHEAP_API ", 10) != 0 || !end)
		return NULL;
	*end = '\0';
	for (name = end; name[-1] != ' ' && name[-1] != '*'; name--)
		;
	return name;
}

static bool has_good_row(const char *function)
{
	for (int index = 0; index < ROWS; index++)
		if (!strcmp(rows[index].function, function) && !rows[index].error)
			return true;
	return false;
}

START_TEST(every_function_has_rows)
{
	FILE *header = source_open("include", "bheap", ".h");
	size_t found = 0;
	char line[256];

	while (fgets(line, sizeof(line), header)) {
		const char *name = declared_name(line);

		if (!name)
			continue;
		function_of(name);
		ck_assert_msg(has_good_row(name), "%s() never succeeds here", name);
		found++;
	}
	fclose(header);
	ck_assert_uint_eq(found, FUNCTIONS);
}
END_TEST

#define ERRORS_MAX 16

/* The section ERRORS of a page. */
struct page {
	char name[64]; /* of the page that this one stands for, by .so, or its own */
	char errors[ERRORS_MAX][16];
	size_t count;
	bool more; /* it may also fail with the errors of others */
};

static void page_read_lines(struct page *page, FILE *source)
{
	bool inside = false, tagged = false;
	char line[512];

	while (fgets(line, sizeof(line), source)) {
		if (!strncmp(line, ".SH ", 4))
			inside = !strncmp(line, ".SH ERRORS", 10);
		sscanf(line, ".so man3/%63[a-z_]", page->name);
		ck_assert_uint_lt(page->count, ERRORS_MAX);
		if (inside && tagged &&
		    sscanf(line, ".B %15[A-Z0-9]", page->errors[page->count]) == 1)
			page->count++;
		page->more |= inside && strstr(line, "also fail with the errors of");
		tagged = !strncmp(line, ".TP", 3);
	}
}

static void page_read(struct page *page, const char *function)
{
	char name[sizeof(page->name)];

	*page = (struct page){.count = 0};
	snprintf(page->name, sizeof(page->name), "%s", function);
	do {
		FILE *source;

		memcpy(name, page->name, sizeof(name));
		source = source_open("man", name, ".3");
		page_read_lines(page, source);
		fclose(source);
	} while (strcmp(name, page->name) != 0);
}

static bool page_lists(const struct page *page, const char *error)
{
	for (size_t index = 0; index < page->count; index++)
		if (!strcmp(page->errors[index], error))
			return true;
	return false;
}

START_TEST(a_page_lists_every_errno)
{
	for (int index = 0; index < ROWS; index++) {
		const char *error = error_name(rows[index].error);
		struct page page;

		if (!rows[index].error)
			continue;
		page_read(&page, rows[index].function);
		ck_assert_msg(page.more || page_lists(&page, error),
			      "%s() fails with %s, which man/%s.3 does not list",
			      rows[index].function, error, page.name);
	}
}
END_TEST

/* How many rows of the functions of this page fail so; of: the page of each row. */
static unsigned page_rows(const struct page *page, const char *error, const struct page of[ROWS])
{
	unsigned count = 0;

	for (int index = 0; index < ROWS; index++)
		count += !strcmp(error_name(rows[index].error), error) &&
			 !strcmp(of[index].name, page->name);
	return count;
}

static unsigned page_times(const struct page *page, const char *error)
{
	unsigned count = 0;

	for (size_t index = 0; index < page->count; index++)
		count += !strcmp(page->errors[index], error);
	return count;
}

START_TEST(every_errno_that_a_page_lists_is_seen)
{
	static struct page of[ROWS];
	size_t listed = 0;

	for (int index = 0; index < ROWS; index++)
		page_read(&of[index], rows[index].function);
	for (size_t index = 0; index < FUNCTIONS; index++) {
		struct page page;

		page_read(&page, functions[index].name);
		for (size_t error = 0; error < page.count; error++)
			ck_assert_msg(page_rows(&page, page.errors[error], of) >=
					      page_times(&page, page.errors[error]),
				      "man/%s.3 lists %s, which no row provokes, or too few",
				      page.name, page.errors[error]);
		listed += page.count;
	}
	ck_assert_uint_gt(listed, 50); /* the pages were read at all */
}
END_TEST

static void setup(void)
{
	path = path_make();
	faults_expect(&faults);
	output = fopen("/dev/null", "we");
	ck_assert_ptr_nonnull(output);
	ck_assert_ptr_nonnull(freopen("/dev/null", "we", stdout));
	/* The first output of a stream makes system calls, which may fail. */
	ck_assert(fputs("\n", output) >= 0 && !fflush(output) && puts("") >= 0 && !fflush(stdout));
}

static void teardown(void)
{
	fclose(output);
	path_remove();
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("errors", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, result_and_errno_are_those_of_the_table, 0, ROWS);
	tcase_add_test(tcase, errno_is_kept_in_a_child_without_a_namespace);
	tcase_add_test(tcase, every_function_has_rows);
	tcase_add_test(tcase, a_page_lists_every_errno);
	tcase_add_test(tcase, every_errno_that_a_page_lists_is_seen);
	return suite_run(suite);
}
