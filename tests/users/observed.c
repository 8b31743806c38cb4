/* SPDX-License-Identifier: MIT */
/*
 * observed.c - blocks are memory that others see too: the buffer of the heap, another block around
 * it, a second mapping, a callback. Each check stores through one way and looks through another, or
 * compares two addresses; an attribute of bheap.h that is not true lets the optimiser break it. No
 * check frees its block or gives it to a function: the optimiser would have to expect its memory to
 * be used.
 */
#define _GNU_SOURCE
#include <bheap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096

static unsigned failures;

#define EXPECT(condition, name)                                                                    \
	((condition) ? (void)0 : (void)(failures++, printf("%s: %s\n", (name), #condition)))

static void *got(void *ptr)
{
	if (ptr)
		return ptr;
	perror("no block, heap or memory");
	exit(2);
}

/* got() for blocks, which it does not see. */
#define GOT(block) ((block) ? (void)0 : (void)got(NULL))

/* ---- the places of a heap in the caller's memory ------------------------------------------- */

static bheap_t *outer_heap(void)
{
	static bheap_t *heap;

	if (!heap)
		heap = got(bheap_create(1 << 20, 0));
	return heap;
}

#define IN_STATIC(name) static unsigned char name[SIZE]
#define IN_AUTOMATIC(name) unsigned char name[SIZE]
#define IN_BLOCK(name)                                                                             \
	unsigned char *name = bheap_alloc(outer_heap(), SIZE);                                     \
	GOT(name)
#define IN_LIBC(name)                                                                              \
	unsigned char *name = malloc(SIZE);                                                        \
	GOT(name)

/* ---- the functions that hand out blocks ---- */

#define BY_ALLOC(heap, size) bheap_alloc(heap, size)
#define BY_CALLOC(heap, size) bheap_calloc(heap, 1, size)
#define BY_REALLOC(heap, size) bheap_realloc(heap, NULL, size)
#define BY_RESIZE(heap, size) bheap_realloc(heap, bheap_alloc(heap, 1), size)
#define BY_ALIGNED(heap, size) bheap_aligned_alloc(heap, 16, size)
#define BY_INTO(heap, size) bheap_alloc_into(heap, bheap_alloc(heap, sizeof(uint64_t)), size)

/* A store through a block is in the buffer that the heap lies in, and the other way round. */
static void in_buffer(const unsigned char *buffer, const char *name)
{
	EXPECT(memmem(buffer, SIZE, "through a block", 15), name);
}

static void store_elsewhere(unsigned char *buffer)
{
	char *found = memmem(buffer, SIZE, "through a block", 15);

	if (found)
		memcpy(found, "past the block!", 15);
}

#define STORE_CHECK(place, way)                                                                    \
	static void store_##place##_##way(void)                                                    \
	{                                                                                          \
		IN_##place(buffer);                                                                \
		bheap_t *heap = got(bheap_create_in(buffer, SIZE, 0));                             \
		char *block = BY_##way(heap, 16);                                                  \
                                                                                                   \
		GOT(block);                                                                        \
		memcpy(block, "through a block", 16);                                              \
		in_buffer(buffer, __func__);                                                       \
		store_elsewhere(buffer);                                                           \
		EXPECT(block[0] == 'p' && block[5] == 't', __func__);                              \
		bheap_destroy(heap);                                                               \
	}

/* A block is where it is in its buffer; two neighbours are neighbours, of size 0 too. */
static size_t first_block(unsigned char *buffer)
{
	bheap_t *heap = got(bheap_create_in(buffer, SIZE, 0));
	unsigned char *block = got(bheap_alloc(heap, 16));

	bheap_destroy(heap);
	return (size_t)(block - buffer);
}

#define ADDRESS_CHECK(place, way)                                                                  \
	static void address_##place##_##way(void)                                                  \
	{                                                                                          \
		IN_##place(buffer);                                                                \
		size_t first = first_block(buffer);                                                \
		bheap_t *heap = got(bheap_create_in(buffer, SIZE, 0));                             \
		unsigned char *a = BY_##way(heap, 16), *b = BY_##way(heap, 16);                    \
                                                                                                   \
		GOT(a);                                                                            \
		GOT(b);                                                                            \
		EXPECT(a == buffer + first, __func__);                                             \
		EXPECT(a > buffer && a < buffer + SIZE, __func__);                                 \
		EXPECT(a + 16 == b, __func__);                                                     \
		EXPECT(b - 16 == buffer + first, __func__);                                        \
		bheap_destroy(heap);                                                               \
	}

#define IN_EACH_PLACE(check, way)                                                                  \
	check(STATIC, way) check(AUTOMATIC, way) check(BLOCK, way) check(LIBC, way)

IN_EACH_PLACE(STORE_CHECK, ALLOC)
IN_EACH_PLACE(STORE_CHECK, CALLOC)
IN_EACH_PLACE(STORE_CHECK, REALLOC)
IN_EACH_PLACE(STORE_CHECK, RESIZE)
IN_EACH_PLACE(STORE_CHECK, ALIGNED)
IN_EACH_PLACE(STORE_CHECK, INTO)
IN_EACH_PLACE(ADDRESS_CHECK, ALLOC)
IN_EACH_PLACE(ADDRESS_CHECK, CALLOC)
IN_EACH_PLACE(ADDRESS_CHECK, REALLOC)
IN_EACH_PLACE(ADDRESS_CHECK, ALIGNED)

static void in_caller_memory(void)
{
#define CALL_STORE_CHECK(place, way) store_##place##_##way();
#define CALL_ADDRESS_CHECK(place, way) address_##place##_##way();
	IN_EACH_PLACE(CALL_STORE_CHECK, ALLOC)
	IN_EACH_PLACE(CALL_STORE_CHECK, CALLOC)
	IN_EACH_PLACE(CALL_STORE_CHECK, REALLOC)
	IN_EACH_PLACE(CALL_STORE_CHECK, RESIZE)
	IN_EACH_PLACE(CALL_STORE_CHECK, ALIGNED)
	IN_EACH_PLACE(CALL_STORE_CHECK, INTO)
	IN_EACH_PLACE(CALL_ADDRESS_CHECK, ALLOC)
	IN_EACH_PLACE(CALL_ADDRESS_CHECK, CALLOC)
	IN_EACH_PLACE(CALL_ADDRESS_CHECK, REALLOC)
	IN_EACH_PLACE(CALL_ADDRESS_CHECK, ALIGNED)
}

/* A heap within a block of a heap within a buffer: three names for the same bytes. */
static void heaps_in_heaps(void)
{
	static unsigned char buffer[4 * SIZE];
	bheap_t *outer = got(bheap_create_in(buffer, sizeof(buffer), 0));
	unsigned char *around = bheap_alloc(outer, SIZE);
	bheap_t *inner = got(bheap_create_in(around, SIZE, 0));
	char *block = bheap_alloc(inner, 16), *next = bheap_alloc(inner, 0);

	GOT(block);
	GOT(next);
	memcpy(block, "through a block", 16);
	in_buffer(around, __func__);
	EXPECT(memmem(buffer, sizeof(buffer), "through a block", 15), __func__);
	EXPECT((unsigned char *)block > around && (unsigned char *)next < around + SIZE, __func__);
	EXPECT(block + 16 == next, __func__);
	bheap_destroy(inner);
	bheap_destroy(outer);
}

/* ---- heaps of the other kinds: the callback of bheap_walk(), references, a second mapping --- */

struct search {
	char *found;
};

static int search_block(const struct bheap_block *block, void *arg)
{
	struct search *search = arg;

	if (block->used && block->usable >= 16 &&
	    memcmp(block->address, "through a block", 16) == 0)
		search->found = (char *)block->address;
	return 0;
}

/* The block with that text; the optimiser sees nothing but that it comes from somewhere. */
static char *text_find(const bheap_t *heap)
{
	struct search search = {NULL};

	bheap_walk(heap, search_block, &search);
	return search.found;
}

#define WALK_CHECK(kind, call)                                                                     \
	static void walk_##kind(bheap_t *heap)                                                     \
	{                                                                                          \
		char *a = call, *b = call, *other;                                                 \
                                                                                                   \
		GOT(a);                                                                            \
		GOT(b);                                                                            \
		EXPECT(a + 16 == b, __func__);                                                     \
		EXPECT(b - a == 16, __func__);                                                     \
		memcpy(a, "through a block", 16);                                                  \
		other = text_find(heap);                                                           \
		EXPECT(other, __func__);                                                           \
		if (!other)                                                                        \
			return;                                                                    \
		a[0] = 'a';                                                                        \
		*other = 'o';                                                                      \
		EXPECT(a[0] == 'o', __func__);                                                     \
		EXPECT(a == other, __func__);                                                      \
	}

WALK_CHECK(classic, balloc(16))
WALK_CHECK(alloc, bheap_alloc(heap, 16))
WALK_CHECK(calloc, bheap_calloc(heap, 2, 8))
WALK_CHECK(realloc, bheap_realloc(heap, NULL, 16))
WALK_CHECK(reallocarray, bheap_reallocarray(heap, NULL, 2, 8))
WALK_CHECK(strdup, bheap_strdup(heap, "a string"))
WALK_CHECK(strndup, bheap_strndup(heap, "a string", 1))
WALK_CHECK(aligned, bheap_aligned_alloc(heap, 16, 16))
/* Blocks of size 0 are neighbours as others are. */
static void zero_sizes(bheap_t *heap)
{
	char *a = bheap_alloc(heap, 0), *b = bheap_calloc(heap, 0, 10);
	char *c = bheap_aligned_alloc(heap, 16, 0), *d = bheap_realloc(heap, NULL, 0);

	GOT(a);
	GOT(b);
	GOT(c);
	GOT(d);
	EXPECT(a != b && b != c && c != d, __func__);
	EXPECT(a + 16 == b && b + 16 == c && c + 16 == d, __func__);
}

/* What is no power of two is refused, whatever the attribute says of the result. */
static void alignments(bheap_t *heap)
{
	static const volatile size_t wrong[] = {0, 3, 24, SIZE_MAX};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		EXPECT(!bheap_aligned_alloc(heap, wrong[i], 16), __func__);
}

static void in_heap(void (*check)(bheap_t *heap), unsigned flags)
{
	bheap_t *heap = got(bheap_create(SIZE, flags));

	check(heap);
	bheap_destroy(heap);
}

/* In memory that a file stands for: a second handle maps it elsewhere, and the file can be read. */
#define SHARED_CHECK(way)                                                                          \
	static void shared_##way(void)                                                             \
	{                                                                                          \
		static char copy[16 * SIZE];                                                       \
		int fd = memfd_create("heap", MFD_CLOEXEC);                                        \
		bheap_t *heap = got(bheap_open_fd(fd, sizeof(copy), 0));                           \
		bheap_t *again = got(bheap_open_fd(fd, 0, 0));                                     \
		char *block = BY_##way(heap, 16), *other;                                          \
                                                                                                   \
		GOT(block);                                                                        \
		memcpy(block, "through a block", 16);                                              \
		bheap_sync(heap);                                                                  \
		EXPECT(pread(fd, copy, sizeof(copy), 0) == (ssize_t)sizeof(copy), __func__);       \
		EXPECT(memmem(copy, sizeof(copy), "through a block", 15), __func__);               \
		other = text_find(again);                                                          \
		EXPECT(other, __func__);                                                           \
		if (other)                                                                         \
			memcpy(other, "past the block!", 15);                                      \
		EXPECT(block[0] == 'p', __func__);                                                 \
		bheap_close(again);                                                                \
		bheap_close(heap);                                                                 \
		close(fd);                                                                         \
	}

SHARED_CHECK(ALLOC)
SHARED_CHECK(CALLOC)
SHARED_CHECK(REALLOC)
SHARED_CHECK(RESIZE)
SHARED_CHECK(ALIGNED)
SHARED_CHECK(INTO)

static void in_other_heaps(void)
{
	if (init_heap(SIZE))
		got(NULL);
	walk_classic(bheap_default());
	in_heap(walk_alloc, 0);
	in_heap(walk_alloc, BHEAP_UNLOCKED);
	in_heap(walk_calloc, 0);
	in_heap(walk_realloc, 0);
	in_heap(walk_reallocarray, 0);
	in_heap(walk_strdup, 0);
	in_heap(walk_strndup, 0);
	in_heap(walk_aligned, 0);
	in_heap(zero_sizes, 0);
	in_heap(alignments, 0);
	shared_ALLOC();
	shared_CALLOC();
	shared_REALLOC();
	shared_RESIZE();
	shared_ALIGNED();
	shared_INTO();
}

/* ---- blocks of a heap that has ended -------------------------------------------------------- */

#define LIVES 100

/* Memory that is no longer mapped may not be read ahead of the condition that forbids it. */
static int sum_while_alive(bheap_t *heap, const int *alive)
{
	char *block = bheap_alloc(heap, 64);
	int sum = 0;

	GOT(block);
	memcpy(block, "through a block", 16);
	bheap_destroy(heap);
	for (int i = 0; i < LIVES; i++)
		if (alive[i])
			sum += *block;
	return sum;
}

static void after_the_end(void)
{
	static const int dead[LIVES];
	const int *volatile alive = dead; /* the optimiser is not to know */

	EXPECT(sum_while_alive(got(bheap_create(SIZE, 0)), alive) == 0, __func__);
}

int main(void)
{
	in_caller_memory();
	heaps_in_heaps();
	in_other_heaps();
	after_the_end();
	return failures != 0;
}
