/* SPDX-License-Identifier: MIT */
/*
 * usable.c - _FORTIFY_SOURCE and the sizes of blocks: all that bheap_usable_size() says may be used
 * after bheap_realloc() to that size, which never fails and never moves; a byte more than was asked
 * for aborts the program where the compiler can know.
 */
#define _GNU_SOURCE
#include <bheap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536

static unsigned failures;

#define EXPECT(condition, name)                                                                    \
	((condition) ? (void)0 : (void)(failures++, printf("%s: %s\n", (name), #condition)))

/* A size that the optimiser does not know. */
static size_t unknown(size_t size)
{
	volatile size_t same = size;

	return same;
}

static void *got(void *ptr)
{
	if (ptr)
		return ptr;
	perror("no block, heap or memory");
	exit(2);
}

/* ---- bytes beyond the request ---- */

static void use_all(bheap_t *heap, char *block, size_t asked, const char *name)
{
	size_t usable = bheap_usable_size(heap, block);
	char *resized = bheap_realloc(heap, block, usable);

	EXPECT(usable >= asked, name);
	EXPECT(resized == block, name);
	if (resized)
		memset(resized, 'x', usable);
	EXPECT(bheap_usable_size(heap, block) == usable, name);
	EXPECT(bheap_check(heap, NULL) == 0, name);
}

#define USE(call, asked) use_all(heap, got(call), asked, name)

/* Inlined, so that the sizes are constants where use_all() is, too. */
static inline void use_sizes(bheap_t *heap, const char *name)
{
	USE(bheap_alloc(heap, 100), 100);
	USE(bheap_alloc(heap, 0), 16);
	USE(bheap_alloc(heap, unknown(50)), 50);
	USE(bheap_calloc(heap, 10, 10), 100);
	USE(bheap_calloc(heap, unknown(3), unknown(7)), 21);
	USE(bheap_calloc(heap, 0, 8), 16);
	USE(bheap_aligned_alloc(heap, 256, 100), 100);
	USE(bheap_aligned_alloc(heap, 64, unknown(0)), 16);
	USE(bheap_realloc(heap, NULL, 100), 100);
	USE(bheap_realloc(heap, bheap_alloc(heap, 10), 100), 100);
	USE(bheap_realloc(heap, bheap_alloc(heap, 100), 10), 10);
	USE(bheap_realloc(heap, bheap_alloc(heap, 100), 0), 16);
	USE(bheap_reallocarray(heap, NULL, 25, 4), 100);
	USE(bheap_reallocarray(heap, bheap_alloc(heap, 10), unknown(5), unknown(20)), 100);
	USE(bheap_strdup(heap, "abcdefghijklmnopqrstuvwx"), 25);
	USE(bheap_strndup(heap, "abcdefghijklmnopqrstuvwx", 8), 9);
	USE(bheap_alloc_into(heap, got(bheap_alloc(heap, 8)), 100), 100);
	USE(bheap_alloc_into(heap, got(bheap_alloc(heap, 8)), unknown(100)), 100);
}

/* What bheap_walk() says of a block is the same. */
static int walk_usable(const struct bheap_block *block, void *arg)
{
	if (block->used)
		*(size_t *)arg = block->usable;
	return 0;
}

static void use_walked(bheap_t *heap, const char *name)
{
	char *last = got(bheap_alloc(heap, 5000));
	size_t usable = 0;

	EXPECT(bheap_walk(heap, walk_usable, &usable) == 0, name);
	EXPECT(usable == bheap_usable_size(heap, last), name);
	last = got(bheap_realloc(heap, last, usable));
	memset(last, 'x', usable);
}

static void use_private(unsigned flags, const char *name)
{
	bheap_t *heap = got(bheap_create(SIZE, flags));

	use_sizes(heap, name);
	use_walked(heap, name);
	bheap_destroy(heap);
}

static void use_in(void *buffer, unsigned flags, const char *name)
{
	bheap_t *heap = got(bheap_create_in(buffer, SIZE, flags));

	use_sizes(heap, name);
	use_walked(heap, name);
	bheap_destroy(heap);
}

static void use_buffers(void)
{
	static unsigned char buffer[SIZE + 1];
	unsigned char automatic[SIZE];
	bheap_t *outer = got(bheap_create(2 * SIZE, 0));

	use_in(buffer, 0, "static buffer");
	use_in(buffer + 1, BHEAP_GUARD, "guarded, at an odd address");
	use_in(automatic, BHEAP_UNLOCKED, "automatic buffer");
	use_in(got(bheap_alloc(outer, SIZE)), 0, "block of a heap");
	bheap_destroy(outer);
}

static void use_shared(unsigned flags, const char *name)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *heap = got(bheap_open_fd(fd, 2 * SIZE, flags));

	use_sizes(heap, name);
	use_walked(heap, name);
	bheap_close(heap);
	close(fd);
}

static void use_classic(void)
{
	bheap_t *heap;
	const char *name = "classic heap";

	if (init_heap(SIZE))
		got(NULL);
	heap = bheap_default();
	USE(balloc(100), 100);
	USE(balloc(unknown(100)), 100);
	use_walked(heap, name);
}

/* ---- what is told ---- */

/* Whether a process that writes one byte more than the block has is ended for it. */
#define IS_TOLD(call, asked)                                                                       \
	({                                                                                         \
		pid_t child = fork();                                                              \
		int status = -1;                                                                   \
                                                                                                   \
		if (child == 0) {                                                                  \
			char *block = call;                                                        \
                                                                                                   \
			if (!freopen("/dev/null", "w", stderr) || !block)                          \
				_exit(1);                                                          \
			memset(block, 1, unknown(asked) + 1);                                      \
			_exit(0);                                                                  \
		}                                                                                  \
		waitpid(child, &status, 0);                                                        \
		WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;                                \
	})

#if defined(__OPTIMIZE__) && !(defined(__clang__) && __clang_major__ >= 15 && __clang_major__ <= 22)
#define LEVEL __USE_FORTIFY_LEVEL
#else
#define LEVEL 0
#endif

static void overflows(bheap_t *heap)
{
	const char *name = "an overflow is not told";

	if (LEVEL < 1)
		return;
	EXPECT(IS_TOLD(balloc(10), 10), name);
	EXPECT(IS_TOLD(bheap_alloc(heap, 10), 10), name);
	EXPECT(IS_TOLD(bheap_alloc(heap, 0), 0), name);
	EXPECT(IS_TOLD(bheap_calloc(heap, 5, 2), 10), name);
	EXPECT(IS_TOLD(bheap_realloc(heap, NULL, 10), 10), name);
	EXPECT(IS_TOLD(bheap_reallocarray(heap, NULL, 5, 2), 10), name);
	EXPECT(IS_TOLD(bheap_aligned_alloc(heap, 64, 10), 10), name);
	EXPECT(IS_TOLD(bheap_alloc_into(heap, bheap_alloc(heap, 8), 10), 10), name);
	if (LEVEL < 3)
		return;
	EXPECT(IS_TOLD(balloc(unknown(10)), 10), name);
	EXPECT(IS_TOLD(bheap_alloc(heap, unknown(10)), 10), name);
	EXPECT(IS_TOLD(bheap_calloc(heap, unknown(5), unknown(2)), 10), name);
	EXPECT(IS_TOLD(bheap_realloc(heap, NULL, unknown(10)), 10), name);
	EXPECT(IS_TOLD(bheap_reallocarray(heap, NULL, unknown(5), unknown(2)), 10), name);
	EXPECT(IS_TOLD(bheap_aligned_alloc(heap, 64, unknown(10)), 10), name);
	EXPECT(IS_TOLD(bheap_alloc_into(heap, bheap_alloc(heap, 8), unknown(10)), 10), name);
}

int main(void)
{
	bheap_t *heap = got(bheap_create(SIZE, 0));

	use_private(0, "private heap");
	use_private(BHEAP_GUARD, "guarded heap");
	use_buffers();
	use_shared(0, "shared heap");
	use_shared(BHEAP_OWNED, "shared heap of owners");
	use_shared(BHEAP_GUARD, "guarded shared heap");
	use_classic();
	overflows(heap);
	bheap_destroy(heap);
	return failures != 0;
}
