/* SPDX-License-Identifier: MIT */
/*
 * damages.c - heaps of each kind, damaged at random again and again, and each time mended: after
 * each damage what bheap_check() says stands in verdict, and the program comes by stop_here(). Its
 * arguments: a file for the shared heaps, a seed, and the number of damages of each heap.
 */
#define _GNU_SOURCE /* memmem() */
#include <bheap.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLE_SIZE                                                                                \
	256 /* BH_HANDLE_ROOM, sizeof(struct bh_shared): what is before the control block */
#define HEAD_SIZE 192
#define SIZE_MAX_HERE ((size_t)128 * 1024)
#define BLOCKS 400
#define STEPS 1500

/* What the debugger reads. */
bheap_t *heap;
char verdict[256];

static _Alignas(16) char buffer[SIZE_MAX_HERE];
static char sound[SIZE_MAX_HERE];

/* The region as this program sees it, and what of it may be damaged. */
static char *region;
static size_t region_size, damage_begin, granules_begin;

static uint64_t state;

static size_t random_below(size_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state % limit);
}

__attribute__((noinline)) void stop_here(void)
{
	__asm__ volatile("" ::: "memory");
}

static void expect(int condition)
{
	if (!condition)
		abort();
}

/* ---- a heap with free blocks of many sizes ---- */

static size_t size_random(void)
{
	size_t limit = random_below(12) ? 200 : region_size / 8;

	return 1 + random_below(limit);
}

static void heap_fill(bheap_t *made)
{
	static void *blocks[BLOCKS];

	memset(blocks, 0, sizeof(blocks));
	for (size_t step = 0; step < STEPS; step++) {
		void **block = &blocks[random_below(BLOCKS)];

		if (*block) {
			expect(!bheap_free(made, *block));
			*block = NULL;
		} else {
			*block = bheap_alloc(made, size_random());
		}
	}
}

/* Where the first block is, by a text in it. */
static void granules_find(bheap_t *made)
{
	static const char text[] = "here is the first block";
	char *block = bheap_alloc(made, sizeof(text)), *found;

	expect(block != NULL);
	memcpy(block, text, sizeof(text));
	found = memmem(region, region_size, text, sizeof(text));
	expect(found != NULL);
	granules_begin = (size_t)(found - region);
}

static void heap_in_buffer(size_t size, unsigned flags)
{
	region = buffer;
	region_size = size;
	damage_begin = HANDLE_SIZE;
	memset(buffer, 0, sizeof(buffer));
	heap = bheap_create_in(buffer, size, flags);
	expect(heap != NULL);
	granules_find(heap);
	heap_fill(heap);
}

static void heap_in_file(const char *path, size_t size, unsigned flags, int read_only)
{
	int fd;

	unlink(path);
	heap = bheap_open(path, size, O_RDWR | O_CREAT, 0600, flags);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect(heap && fd >= 0);
	region_size = (size_t)lseek(fd, 0, SEEK_END);
	expect(region_size <= SIZE_MAX_HERE);
	region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(region != MAP_FAILED && !close(fd));
	damage_begin = HEAD_SIZE;
	granules_find(heap);
	heap_fill(heap);
	if (!read_only)
		return;
	expect(!bheap_close(heap));
	heap = bheap_open(path, 0, O_RDONLY, 0, 0);
	expect(heap != NULL);
}

/* ---- damages ---- */

struct place {
	size_t left; /* blocks until it is found */
	struct bheap_block block;
};

static int place_find(const struct bheap_block *block, void *arg)
{
	struct place *place = arg;

	place->block = *block;
	return !place->left--;
}

/* One of the blocks: of a free one the granule of its links, of a live one that of its trailer. */
static size_t place_in_block(void)
{
	size_t left = random_below(BLOCKS), begin;
	struct place place = {.left = left};

	while (!bheap_walk(heap, place_find, &place))
		place.left = left = random_below(left + 1);
	begin = granules_begin + (size_t)bheap_offset(heap, place.block.address) - BHEAP_ALIGNMENT;
	return place.block.used ? begin + place.block.size - BHEAP_ALIGNMENT : begin;
}

static size_t place_random(void)
{
	switch (random_below(8)) {
	case 0: return damage_begin + random_below(region_size - damage_begin - 16);
	case 1:
	case 2:
	case 3: return place_in_block();
	case 4:
		return damage_begin +
		       random_below(96); /* the control block and the first bin bits */
	default: return damage_begin + random_below(granules_begin - damage_begin - 16);
	}
}

/* A bit, a byte, a small number, a word, or what was elsewhere. */
static void damage(size_t at, size_t from)
{
	uint32_t small = (uint32_t)random_below(region_size / 16);

	switch (random_below(6)) {
	case 0: region[at + random_below(16)] ^= (char)(1 << random_below(8)); break;
	case 1: region[at + random_below(16)] = (char)random_below(256); break;
	case 2: memcpy(region + (at & ~(size_t)3), &small, sizeof(small)); break;
	case 3: memset(region + (at & ~(size_t)7), random_below(2) ? 0xff : 0, 8); break;
	case 4: memcpy(region + (at & ~(size_t)3), region + (from & ~(size_t)3), 4); break;
	default: memcpy(region + (at & ~(size_t)15), region + (from & ~(size_t)15), 16); break;
	}
}

/* What the debugger is to say now. */
static void verdict_take(void)
{
	struct bheap_fault fault;

	*verdict = '\0';
	if (bheap_check(heap, &fault))
		memcpy(verdict, fault.text, sizeof(fault.text));
	stop_here();
}

static void damages_make(unsigned long count)
{
	memcpy(sound, region, region_size);
	while (count--) {
		/* First, for a damaged heap cannot be walked. */
		size_t at[] = {place_random(), place_random(), place_random(), place_random()};

		damage(at[0], at[1]);
		if (!random_below(4))
			damage(at[2], at[3]);
		verdict_take();
		memcpy(region + damage_begin, sound + damage_begin, region_size - damage_begin);
		expect(!bheap_check(heap, NULL));
	}
}

/*
 * In a mapping of its own: pages that were given back, of which one is written to, and inaccessible
 * ones.
 */
static void heap_trimmed(void)
{
	char *block, *large;

	heap = bheap_create((size_t)1 << 20, BHEAP_GUARD);
	expect(heap != NULL);
	region_size = 80000;
	heap_fill(heap);
	block = bheap_alloc(heap, 50000);
	large = bheap_alloc(heap, (size_t)300 << 10);
	expect(block && large && bheap_alloc(heap, 1));
	expect(!bheap_free(heap, large));
	verdict_take();
	expect(!bheap_free(heap, block) && bheap_trim(heap));
	verdict_take();
	((volatile char *)block)[20000] = 1;
	verdict_take();
	expect(*verdict && !bheap_destroy(heap));
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {2048, 20000, SIZE_MAX_HERE};
	unsigned long count;

	if (argc != 4)
		return 2;
	state = strtoul(argv[2], NULL, 10) * 2654435761U + 1;
	count = strtoul(argv[3], NULL, 10);
	for (size_t index = 0; index < 6; index++) {
		heap_in_buffer(sizes[index / 2], index % 2 ? BHEAP_GUARD : 0);
		damages_make(count);
		expect(!bheap_destroy(heap));
	}
	for (int read_only = 0; read_only < 2; read_only++) {
		heap_in_file(argv[1], 40000, read_only ? 0 : BHEAP_OWNED, read_only);
		damages_make(count);
		expect(!bheap_close(heap) && !munmap(region, region_size));
	}
	heap_trimmed();
	return 0;
}
