/* SPDX-License-Identifier: MIT */
/*
 * budget.c - see budget.h. Nothing here allocates: it runs inside the program's malloc().
 */
#include "budget.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "growth.h"
#include "inspect.h"
#include "setting.h"
#include "size_text.h"
#include "trail.h"

#define STATUS_BAD_SETTING 2

/* glibc's mmap() threshold, and what it grows to at most: blocks above it are never kept. */
#define LARGE_LEAST ((size_t)128 << 10)
#define LARGE_MOST ((size_t)32 << 20)
/* A trim walks all blocks, and decommitted pages cost a fault each when they are used again. */
#define TRIM_LEAST ((size_t)64 << 20)
#define TRIM_MOST ((size_t)1 << 30)
/* Looks are cheaper. */
#define LOOK_AT ((size_t)8 << 20)

/* Number of looks at a taken lock before a nap, and the length of the nap in nanoseconds. */
#define LOOKS 4
#define NAP 100000

/* In a section of its own, by which gdb's commands, and "bheap show PID", find the heap. */
_Static_assert(offsetof(struct budget, heap) == 0, "the section begins with the heap");
_Static_assert(offsetof(struct budget, faults) == 8, "behind it living.c finds the faults");
_Static_assert(offsetof(struct budget, sized) == 16, "and whether a size was given");
_Static_assert(offsetof(struct budget, fresh) == 24, "and what was in use: to here");
_Static_assert(offsetof(struct budget, start) == 24 + sizeof(void *), "from here");
struct budget budget __attribute__((section(".bheap.malloc"))) = {
	.mark = (const char *)UINTPTR_MAX,
	.large = SIZE_MAX,
	.trim_at = SIZE_MAX,
	.freed_limit = SIZE_MAX,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* One line to standard error, without stdio's buffers. */
static void __attribute__((format(printf, 1, 2))) line_write(const char *format, ...)
{
	char line[256];
	va_list arguments;
	int length, state;
	ssize_t done;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	done = write(STDERR_FILENO, line, (size_t)length);
	(void)done;
	pthread_setcancelstate(state, &state);
}

/* ---- the lock ---- */

static unsigned lock_turns(void)
{
	return __atomic_load_n(&budget.turns, __ATOMIC_RELAXED);
}

/* False when another thread takes the lock again and again. */
static bool lock_look(void)
{
	unsigned first = lock_turns();

	for (unsigned looks = 0; looks < LOOKS && lock_turns() - first <= looks; looks++) {
		sched_yield();
		if (!pthread_mutex_trylock(&budget.lock))
			return true;
	}
	return false;
}

/* The C library notes the owner in each mutex; there is no other way to ask. */
static bool lock_is_own(void)
{
	return __atomic_load_n(&budget.lock.__data.__owner, __ATOMIC_RELAXED) == (int)gettid();
}

static _Noreturn void recursion_report(void)
{
	line_write("libbheap-malloc: malloc() or free() was called inside of either:\n"
		   "  by a signal handler, or by a function of another preloaded library");
	abort();
}

/*
 * Not asleep in the mutex: the holder would have to wake this thread, and with every turn
 * the heap would move to another processor. A run of turns is slept through, and then this thread
 * has one.
 */
void budget_wait(void)
{
	static const struct timespec nap = {.tv_nsec = NAP};
	int state;

	/* malloc() is no point where a thread is cancelled; a nap would be one. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while (!lock_look()) {
		if (lock_is_own())
			recursion_report();
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	pthread_setcancelstate(state, &state);
}

/* ---- settings ---- */

/* The size asked for, or 0: none was. */
static size_t setting_size(void)
{
	const char *value = setting_find("BHEAP_MALLOC_SIZE");
	size_t size;

	if (!value || !*value)
		return 0;
	if (size_parse(value, &size))
		return size;
	line_write(
		"libbheap-malloc: BHEAP_MALLOC_SIZE: '%.60s' is no size from 1 to " SIZE_TEXT_LARGEST
		"\n  (bytes, or with K, M or G)",
		value);
	_Exit(STATUS_BAD_SETTING);
}

/* ---- faults ---- */

/* Outside: a handler of SIGABRT may want to allocate. */
static void __attribute__((noreturn)) fault_abort(void)
{
	bool locked = budget_enter();

	account_abort();
	budget_leave(locked);
	abort();
}

/* Called by the library inside budget_enter(): whoever reads the line may want to allocate. */
static void fault_report(const struct bheap_fault *fault, void *arg)
{
	bool locked = !__libc_single_threaded;

	(void)arg;
	trail_fault(fault, false);
	budget_leave(locked);
	line_write("%s", fault->text);
	if (budget.fault_aborts)
		fault_abort();
	budget_enter();
}

void budget_report_free(const void *ptr)
{
	int saved = errno;

	__atomic_fetch_add(&budget.faults, 1, __ATOMIC_RELAXED);
	line_write("bheap: %p: the block is free already", ptr);
	if (budget.fault_aborts)
		fault_abort();
	errno = saved;
}

void budget_report_access(const struct bheap_fault *fault)
{
	__atomic_fetch_add(&budget.faults, 1, __ATOMIC_RELAXED);
	account_fault();
	line_write("%s", fault->text);
}

static void fault_tell(const struct bheap_fault *fault)
{
	trail_fault(fault, true);
	line_write("%s", fault->text);
}

bool budget_inspect(void)
{
	size_t found = budget.guarded ? inspect_heap(budget.heap, budget.fresh, fault_tell) : 0;

	budget.faults += found;
	if (found > INSPECT_MOST)
		line_write("bheap: and %zu fault%s more", found - INSPECT_MOST,
			   found - INSPECT_MOST == 1 ? "" : "s");
	return found && budget.fault_aborts;
}

/* ---- pages ---- */

/*
 * A size that comes again may come a little larger: a text that grows by a new block each time.
 */
void budget_keep(size_t size)
{
	budget.large = size < LARGE_MOST / 5 * 4 ? size + size / 4 : LARGE_MOST;
}

static void pages_give_back(void *block, size_t usable)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)block + page - 1) & -page;
	uintptr_t last = ((uintptr_t)block + usable) & -page;
	int saved = errno;

	madvise((void *)first, last - first, MADV_DONTNEED);
	errno = saved;
}

int budget_release_large(void *block, size_t usable)
{
	int result;

	pages_give_back(block, usable);
	budget_freed(usable);
	result = bheap_free(budget.heap, block);
	growth_shorten(budget.heap);
	return result;
}

/*
 * Trims less often where little is found. Memory that was never in use is trimmed, too, and does
 * not count.
 */
void budget_trim(void)
{
	const char *end = growth_end(budget.heap);
	size_t untouched = end > budget.fresh ? (size_t)(end - budget.fresh) : 0;

	budget.freed_before = 0;
	budget.used_most = growth_used(budget.heap);
	if (bheap_trim(budget.heap) > untouched + TRIM_LEAST / 2)
		budget.trim_at = TRIM_LEAST;
	else if (budget.trim_at < TRIM_MOST)
		budget.trim_at *= 2;
	growth_shorten(budget.heap);
}

static size_t freed_limit(void)
{
	if (account_is_wanted())
		return ACCOUNT_FREED;
	return budget.trim_at == SIZE_MAX ? SIZE_MAX : LOOK_AT;
}

/*
 * Free blocks that others soon lie in again cost page faults for nothing if they are trimmed
 * (doc/decisions.md, "libbheap-malloc: when it trims"). So they are when a third of what was in use
 * is no longer, or, by budget_touch(), when blocks reach where none was before.
 */
static void pages_look(void)
{
	size_t used = growth_used(budget.heap);

	if (budget.trim_at == SIZE_MAX)
		return;
	if (budget.used_most < used)
		budget.used_most = used;
	growth_cut(budget.heap, budget.fresh);
	if (budget.freed_before > budget.trim_at && used < budget.used_most / 3 * 2)
		budget_trim();
}

void budget_freed_much(void)
{
	budget.freed_before += budget.freed;
	budget.freed = 0;
	if (account_is_wanted())
		account_note();
	pages_look();
	budget.freed_limit = freed_limit();
}

void *budget_refuse(size_t size)
{
	struct bheap_stats stats;
	bool locked = budget_enter(), ends = budget.aborts && size <= PTRDIFF_MAX;

	growth_refused(budget.heap);
	if (budget.refusals++ == 0 && !ends)
		account_refusal();
	if (ends)
		account_abort();
	if (ends)
		bheap_stats(budget.heap, &stats);
	budget_leave(locked);
	if (ends) {
		line_write("libbheap-malloc: the budget is spent: %zu bytes refused;\n"
			   "  of %zu bytes %zu are used, the largest free block has %zu",
			   size, stats.size, stats.used, stats.largest_free);
		abort();
	}
	errno = ENOMEM;
	return NULL;
}

/* ---- making ---- */

static bheap_t *heap_create(size_t size, unsigned flags)
{
	bheap_t *heap = growth_create(&size, flags);

	if (heap)
		return heap;
	line_write("libbheap-malloc: no heap of %zu bytes: %s", size, strerrorname_np(errno));
	_Exit(STATUS_BAD_SETTING);
}

/* Of the one block of a heap that nothing was taken from. */
static int bounds_note(const struct bheap_block *block, void *unused)
{
	(void)unused;
	budget.start = budget.fresh = block->address;
	return 1;
}

static bheap_t *heap_set_up(void)
{
	unsigned flags = BHEAP_UNLOCKED;
	bheap_t *heap;
	size_t size;

	/* As the heap will be: the library guards each that BHEAP_GUARD tells it to. */
	budget.guarded =
		setting_is_on("BHEAP_MALLOC_GUARD", false) || setting_is_on("BHEAP_GUARD", false);
	budget.aborts = setting_is_on("BHEAP_MALLOC_ABORT", false);
	budget.fault_aborts = setting_is_on("BHEAP_ABORT", false);
	if (budget.guarded)
		flags |= BHEAP_GUARD;
	else if (setting_is_on("BHEAP_MALLOC_CACHE", true))
		flags |= BHEAP_CACHED;
	if (setting_is_on("BHEAP_MALLOC_TRIM", true)) {
		budget.large = LARGE_LEAST;
		budget.trim_at = TRIM_LEAST;
	}
	size = setting_size();
	budget.sized = size != 0;
	heap = heap_create(size, flags);
	bheap_set_fault_handler(heap, fault_report, NULL);
	bheap_walk(heap, bounds_note, NULL);
	account_open();
	trail_open(budget.start);
	budget.freed_limit = freed_limit();
	if (account_is_wanted())
		budget.mark = NULL;
	setting_end();
	return heap;
}

bheap_t *budget_make(void)
{
	int saved = errno, state;
	bheap_t *heap;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (pthread_mutex_trylock(&budget.lock))
		budget_wait();
	heap = budget.heap;
	if (!heap) {
		heap = heap_set_up();
		__atomic_store_n(&budget.heap, heap, __ATOMIC_RELEASE);
		if (bh_handle_is_cached(heap))
			__atomic_store_n(&budget.cached, heap, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&budget.lock);
	pthread_setcancelstate(state, &state);
	errno = saved;
	return heap;
}

/* ---- fork and start of the process ---- */

static void fork_prepare(void)
{
	budget_wait();
	account_fork_prepare();
}

static void fork_done(void)
{
	account_fork_parent();
	pthread_mutex_unlock(&budget.lock);
}

static void fork_child(void)
{
	account_fork_child();
	pthread_mutex_unlock(&budget.lock);
}

/* Registered as early as can be, so that the handlers of others run while the heap is open. */
static void __attribute__((constructor(101))) process_start(void)
{
	trail_start();
	pthread_atfork(fork_prepare, fork_done, fork_child);
	/* Before the program may have a filter of system calls. */
	budget_heap();
}
