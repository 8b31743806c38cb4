/* SPDX-License-Identifier: MIT */
/*
 * record.c - a module to preload: writes down what a program asks of malloc(3), for "bheap size"
 * and for the script bench/record.
 *
 * Calls go on to glibc's own functions. There is one line each, with addresses in place of block
 * numbers. For bheap, which sets BHEAP_RECORD_TABLE, each process is recorded, the children of
 * fork(2) with the blocks that they began with (stream.h); nothing is said on standard error. For
 * the script the lines are left in a file in the folder BENCH_RECORD. With BENCH_PROCESS, a process
 * ID, only that process is recorded, in the file "program", and when it executes another program
 * that one's traffic replaces what there was; without it each process is, in a file NAME.PID. A
 * forked child is not recorded. The file is written through a shared mapping, so that it is whole
 * when the program is killed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callers.h"
#include "crowd.h"
#include "execution.h"
#include "line.h"
#include "record.h"
#include "setting.h"
#include "stream.h"
#include "tally.h"

#define WINDOW_SIZE (1 << 20)
#define FILE_NUMBER 100 /* or the next that is free; a limit may be lower */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

/* All under the lock. Nothing here allocates, but what a program puts in the place of mmap() may.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* How often this thread is in a function of ours: what is allocated then is not recorded. */
static __thread unsigned inside __attribute__((tls_model("initial-exec")));
static bool is_called; /* so, at least once */
static enum { UNOPENED, OPEN, STOPPED } state;
static int file = -1;
static struct stat identity; /* of the file, for the program may close all it did not open */
static off_t file_size;
static char *window;
static size_t window_used, window_size;
static struct stream stream; /* for bheap */
static char *generation;     /* 0 in the child of a fork */
static bool with_kinds;      /* what calls are counted as is told, too: tally.h */

/* Finds the file to record to; false if this process is not to be recorded. */
static bool path_make(char *path, size_t size)
{
	const char *folder = setting_find("BENCH_RECORD"), *process = setting_find("BENCH_PROCESS");
	if (folder == NULL || (process != NULL && atol(process) != (long)getpid()))
		return false;
	if (process != NULL)
		snprintf(path, size, "%s/program", folder);
	else
		snprintf(path, size, "%s/%s.%ld", folder, program_invocation_short_name,
			 (long)getpid());
	return true;
}

/*
 * Under a number that programs do not choose, if it may be; not one of a standard stream that is
 * closed.
 */
static bool file_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return false;
	file = fcntl(fd, F_DUPFD_CLOEXEC, FILE_NUMBER);
	if (file < 0)
		file = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return file >= 0 && fstat(file, &identity) == 0;
}

/* True if the descriptor still refers to the file. */
static bool file_is_own(void)
{
	struct stat now;
	return fstat(file, &now) == 0 && now.st_dev == identity.st_dev &&
	       now.st_ino == identity.st_ino;
}

/* The next stretch of the file; the line that did not fit in the last one begins it. */
static bool file_window_move(void)
{
	if (window != NULL)
		munmap(window, WINDOW_SIZE);
	window_size = WINDOW_SIZE;
	window = MAP_FAILED;
	if (file_is_own() && ftruncate(file, file_size + WINDOW_SIZE) == 0)
		window = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file,
			      file_size);
	file_size += WINDOW_SIZE;
	return window != MAP_FAILED;
}

static bool window_move(void)
{
	window_used = 0;
	return stream.slot != NULL ? stream_move(&stream, &window, &window_size)
				   : file_window_move();
}

static void recording_stop(const char *why)
{
	static const char text[] = "record: the recording is cut short: ";
	state = STOPPED;
	if (why != NULL && stream.slot == NULL &&
	    write(STDERR_FILENO, text, sizeof(text) - 1) > 0 &&
	    write(STDERR_FILENO, why, strlen(why)) > 0)
		(void)!write(STDERR_FILENO, "\n", 1);
}

/* Parent and child would write over one another. */
static void child_begin(void)
{
	if (generation != NULL)
		*generation = 1;
	window_used = window_size;
	crowd_fork();
	if (stream.slot == NULL || !stream_fork(&stream))
		state = STOPPED;
}

static void recording_begin(void)
{
	const char *table = setting_find("BHEAP_RECORD_TABLE");
	char path[4096];
	state = STOPPED;
	generation = table_generation();
	if (table != NULL) {
		with_kinds = setting_find(TALLY_VARIABLE) != NULL;
		state = stream_open(&stream, table) ? OPEN : STOPPED;
		execution_open(&stream.view, "BHEAP_RECORD_TABLE");
		return;
	}
	if (!path_make(path, sizeof(path)))
		return;
	state = OPEN;
	if (!file_open(path) || !window_move())
		recording_stop("cannot write to the folder of BENCH_RECORD");
}

static bool recording_ready(void)
{
	if (state == UNOPENED)
		recording_begin();
	if (state == OPEN && generation != NULL && *generation == 0)
		child_begin(); /* by _Fork(3), which calls no handlers */
	if (state == OPEN && window_used + LINE_SIZE > window_size && !window_move())
		recording_stop("no room for the file");
	return state == OPEN;
}

/* A line of so many bytes stands there. */
static void line_count(int64_t size, size_t length)
{
	window_used += length;
	if (stream.slot != NULL)
		stream_note(&stream, length, size, crowd_most());
}

void record_line(int64_t size, const char *format, ...)
{
	if (!recording_ready())
		return;
	va_list args;
	va_start(args, format);
	int length = vsnprintf(window + window_used, LINE_SIZE, format, args);
	va_end(args);
	line_count(size, (size_t)length);
}

static void call_write(int64_t size, struct line line)
{
	if (recording_ready())
		line_count(size, line_write(window + window_used, &line));
}

void record_lock(void)
{
	pthread_mutex_lock(&lock);
	inside++;
}

void record_unlock(void)
{
	inside--;
	pthread_mutex_unlock(&lock);
}

/* Before the line of a call that this does not tell. The lock is held. */
static void kind_write(enum tally_kind kind)
{
	if (recording_ready() && with_kinds)
		record_line(0, "k %u\n", kind);
}

/* A request for which there was no room. The lock is held. */
static void failure_write(enum tally_kind kind)
{
	if (recording_ready() && stream.slot != NULL)
		record_line(0, "x %u\n", kind);
}

/* A call that is refused before glibc is asked. */
static void refusal_write(enum tally_kind kind)
{
	if (inside)
		return;
	record_lock();
	if (with_kinds)
		failure_write(kind);
	record_unlock();
}

/*
 * Of the library whose blocks they are: glibc also where another malloc() is linked, unless that
 * one's library has functions of glibc's own names, as tcmalloc and mimalloc do.
 */
static size_t (*usable_size)(void *block);

/* The linker allocates meanwhile: not for the program. */
static void usable_size_find(void)
{
	void *library = NULL;
	Dl_info info;

	inside++;
	if (dladdr((void *)(uintptr_t)__libc_malloc, &info) != 0)
		library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (library != NULL)
		usable_size = (size_t(*)(void *))dlsym(library, "malloc_usable_size");
	inside--;
}

/* 0 until this module is initialised. */
size_t malloc_usable_size(void *block)
{
	return usable_size != NULL ? usable_size(block) : 0;
}

/* What a block takes of glibc's heap. */
static int64_t size_of(void *block)
{
	return (int64_t)malloc_usable_size(block);
}

static void *alloc_write(void *block, size_t size, enum tally_kind kind, uint32_t callers)
{
	if (inside) {
		is_called = true;
		return block;
	}
	int error = errno;
	crowd_join();
	record_lock();
	if (block == NULL)
		failure_write(kind);
	else if (kind != TALLY_MALLOC)
		kind_write(kind);
	if (block != NULL)
		call_write(size_of(block),
			   (struct line){'a', 0, (uintptr_t)block, 0, size, callers});
	record_unlock();
	errno = error;
	return block;
}

/* glibc grants the next power of two; it refuses an alignment that has none. */
static size_t power_from(size_t alignment)
{
	size_t power = 1;
	while (power < alignment)
		power *= 2;
	return power;
}

static void *aligned_make(size_t alignment, size_t size, uint32_t callers)
{
	void *block = __libc_memalign(alignment, size);
	if (inside)
		return block;
	int error = errno;
	crowd_join();
	record_lock();
	if (block == NULL)
		failure_write(TALLY_ALIGNED);
	else
		call_write(size_of(block), (struct line){'m', 0, (uintptr_t)block,
							 power_from(alignment), size, callers});
	record_unlock();
	errno = error;
	return block;
}

/* The lock is held throughout: the old address may be given out again before this returns. */
static void *block_resize(void *block, size_t size, uint32_t callers)
{
	if (inside)
		return __libc_realloc(block, size);
	if (block == NULL)
		return alloc_write(__libc_malloc(size), size, TALLY_REALLOC_NULL, callers);
	crowd_join();
	record_lock();
	uintptr_t old = (uintptr_t)block;
	int64_t before = size_of(block);
	void *moved = __libc_realloc(block, size);
	int error = errno;
	if (moved != NULL)
		call_write(size_of(moved) - before,
			   (struct line){'r', old, (uintptr_t)moved, 0, size, callers});
	else if (size != 0)
		failure_write(TALLY_REALLOC);
	else {
		kind_write(TALLY_REALLOC_ZERO);
		call_write(-before, (struct line){.letter = 'f', .block = old});
	}
	record_unlock();
	errno = error;
	return moved;
}

static bool callers_are_wanted(void)
{
	if (inside)
		return false;
	inside++;
	bool wanted = callers_wanted();
	inside--;
	return wanted;
}

static uint32_t callers_take(struct unwind_frame caller)
{
	inside++;
	uint32_t callers = callers_find(caller);
	inside--;
	return callers;
}

/* In a function that the program calls: who called it. */
#define CALLERS()                                                                                  \
	(callers_are_wanted() ? callers_take(unwind_caller(__builtin_frame_address(0),             \
							   __builtin_return_address(0)))           \
			      : 0)

void *malloc(size_t size)
{
	uint32_t callers = CALLERS();
	return alloc_write(__libc_malloc(size), size, TALLY_MALLOC, callers);
}

void *calloc(size_t count, size_t size)
{
	uint32_t callers = CALLERS();
	return alloc_write(__libc_calloc(count, size), count * size, TALLY_CALLOC, callers);
}

/* Written down before the address can be given out again. */
void free(void *block)
{
	if (inside) {
		__libc_free(block);
		return;
	}
	int error = errno;
	crowd_join();
	record_lock();
	if (block != NULL)
		call_write(-size_of(block),
			   (struct line){.letter = 'f', .block = (uintptr_t)block});
	else if (recording_ready() && with_kinds)
		record_line(0, "z\n");
	record_unlock();
	__libc_free(block);
	errno = error;
}

void *realloc(void *block, size_t size)
{
	return block_resize(block, size, CALLERS());
}

void *reallocarray(void *block, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total)) {
		refusal_write(TALLY_REALLOC);
		errno = ENOMEM;
		return NULL;
	}
	return block_resize(block, total, CALLERS());
}

void *memalign(size_t alignment, size_t size)
{
	return aligned_make(alignment, size, CALLERS());
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return aligned_make(alignment, size, CALLERS());
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	if (alignment % sizeof(void *) != 0 || alignment == 0 ||
	    (alignment & (alignment - 1)) != 0) {
		refusal_write(TALLY_ALIGNED);
		return EINVAL;
	}
	int error = errno;
	void *found = aligned_make(alignment, size, CALLERS());
	errno = error;
	if (found == NULL)
		return ENOMEM;
	*block = found;
	return 0;
}

void *valloc(size_t size)
{
	return aligned_make((size_t)sysconf(_SC_PAGESIZE), size, CALLERS());
}

void *pvalloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole;
	if (__builtin_add_overflow(size, page - 1, &whole)) {
		refusal_write(TALLY_ALIGNED);
		errno = ENOMEM;
		return NULL;
	}
	return aligned_make(page, whole & -page, CALLERS());
}

/* Not of a child of vfork(2), which has this one's memory and not its addresses alone. */
void record_limit(uint64_t addresses)
{
	int error = errno;

	if (inside)
		return;
	record_lock();
	if (stream.slot != NULL && stream.slot->process.pid == getpid())
		stream_limit(&stream, addresses);
	record_unlock();
	errno = error;
}

static void fork_prepare(void)
{
	record_lock();
	table_fork_prepare(&stream.view);
}

static void fork_parent(void)
{
	table_fork_parent(&stream.view);
	record_unlock();
}

static void fork_child(void)
{
	if (state == OPEN)
		child_begin();
	table_fork_child(&stream.view);
	record_unlock();
}

/*
 * The program's malloc(3) may be another one, as Valgrind's tools put theirs in its place: what
 * would be recorded then is the few calls that they leave.
 */
static bool is_replaced(void)
{
	void *(*volatile ask)(size_t size) = malloc; /* no compiler knows what it does */
	void (*volatile give)(void *block) = free;

	inside++;
	give(ask(1));
	inside--;
	return !is_called;
}

__attribute__((constructor)) static void module_begin(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
	usable_size_find();
	crowd_begin();
	bool replaced = is_replaced();
	record_lock();
	if (state == UNOPENED && replaced)
		state = STOPPED;
	if (state == UNOPENED)
		recording_begin();
	setting_end(); /* no later call begins */
	if (stream.slot != NULL)
		table_name(stream.slot);
	record_unlock();
}
