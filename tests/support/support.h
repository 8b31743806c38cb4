/* SPDX-License-Identifier: MIT */
/*
 * support.h - what the Check programs share: the runner, patterns, recorded faults, children whose
 * output is kept, and counts of what the process holds. Refuses to know the library's inside.
 */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bheap.h"

/* Runs a suite through TAP, each test in a child of its own, and frees it; main()'s result. */
int suite_run(Suite *suite);

/* A suite of one case; seconds: of each of its tests, more than Check's own limit. */
Suite *suite_of(const char *name, TCase **tcase, double seconds);

/* Asserts that a call failed with this errno. */
#define ck_assert_errno(expected)                                                                  \
	ck_assert_str_eq(strerrorname_np(errno), strerrorname_np(expected))

/* For what is asserted very often: Check's own assertions make a system call each. */
#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("not so: %s", #condition);                                    \
	} while (0)

#define require_equal(got, expected)                                                               \
	do {                                                                                       \
		uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                 \
                                                                                                   \
		if (got_ != expected_)                                                             \
			ck_abort_msg("%s is %ju, not %s, %ju", #got, (uintmax_t)got_, #expected,   \
				     (uintmax_t)expected_);                                        \
	} while (0)

/*
 * bheap_free() and bfree(), of which the compiler does not know that they take a block back: it
 * would warn of all that these tests do with pointers.
 */
int heap_free(bheap_t *heap, const void *ptr);
int classic_free(const void *ptr);

/* ---- numbers ---- */

/* 2 to a power; where no size_t is as large, the largest power that one can say. */
#define SIZE_2_TO(bits)                                                                            \
	((size_t)(UINT64_C(1) << (bits) <= SIZE_MAX ? UINT64_C(1) << (bits) : SIZE_MAX / 2 + 1))

/* The next of a fixed sequence: the same on every machine. */
uint64_t random_next(uint64_t *state);

/* Below limit, which is not 0. */
size_t random_below(uint64_t *state, size_t limit);

/* A decimal environment variable, or what is used without it. */
uint64_t environment_number(const char *name, uint64_t otherwise);

/* ---- content ---- */

void pattern_fill(void *start, size_t size, uint64_t seed);
bool pattern_holds(const void *start, size_t size, uint64_t seed);

/* ---- faults ---- */

struct faults {
	unsigned count;
	struct bheap_fault last;
};

/* A bheap_fault_fn; arg is a struct faults. */
void faults_record(const struct bheap_fault *fault, void *arg);

/* Faults of all heaps are recorded from now on, and none so far. */
void faults_expect(struct faults *faults);

/* Frees every block of a heap, of any process. */
void heap_empty(bheap_t *heap);

/* ---- children ---- */

struct child {
	int status; /* of waitpid() */
	char out[8192];
	char err[2048];
};

/* Runs body in a child, which exits with what it returns, and keeps what it prints. */
void child_run(struct child *child, int (*body)(void *arg), void *arg);

/* _exit() for a child: nothing is flushed, but what it reached of the library is counted. */
_Noreturn void child_exit(int code);

/* Asserts that it ended this way, and shows what it said if not. */
void child_assert_exited(const struct child *child, int code);
void child_assert_killed(const struct child *child, int signal);

/* Asserts that this, and no more, went to standard error. */
void child_assert_said(const struct child *child, const char *text);

/*
 * For a process that ends before its threads do, and for a child, which is without them: what a
 * thread alone knew of is lost, which memcheck would count as a leak.
 */
void leaks_ignore(void);

/* ---- the process ---- */

/* From now on this process is not known to have one thread. */
void threads_begin(void);

/*
 * How many there are, to see that none is left; always 0 mappings under tools, which make their
 * own.
 */
size_t mappings_count(void);
size_t descriptors_count(void);

/* The protection of the mapping that holds an address, such as "rw-p"; "" when none does. */
const char *protection_of(const void *address);

/* Calls with so many frames of half a KiB between. */
void call_from_depth(unsigned depth, void (*call)(void));

/* Some nanoseconds for each turn. */
void pause_for(size_t turns);

/* From now on a system call fails in all threads; false where that cannot be had. */
bool system_call_refuse(int number, unsigned error);

/* Whether Valgrind or a sanitizer watches this process, and slows it. */
bool is_watched(void);

/* Whether the thread sanitizer is here, whose own locks a child of _Fork() may find taken. */
bool is_thread_sanitized(void);

/*
 * Whether this runs under qemu's emulation of a process, which knows no robust mutexes, no seccomp
 * and no MADV_REMOVE, has too little room for the largest heap, and adds a word of its own when a
 * signal kills.
 */
bool is_emulated(void);

/* The errors that memcheck has found in this process; 0 without it. */
unsigned watched_errors(void);

/*
 * A path in the current folder that no other test uses, and where nothing is; removed by
 * path_remove().
 */
const char *path_make(void);
void path_remove(void);

/* The heap in that file, made if there is none. */
bheap_t *path_heap(size_t size, unsigned flags);

/* The same, to be read only. */
bheap_t *path_heap_read_only(void);

/* Writes where only the library may: free blocks and trailers. */
void memory_scribble(void *at, const void *bytes, size_t size);

/*
 * Makes a byte there another than it was: this one, or, if a seal happens to have it, its opposite.
 */
void memory_change(void *at, unsigned char byte);

#endif
