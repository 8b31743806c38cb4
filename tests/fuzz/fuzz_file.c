/* SPDX-License-Identifier: MIT */
/*
 * fuzz_file.c - a fuzz target: arbitrary bytes as a heap's file, or a good file changed here and
 * there, is opened and used. What opens must check, hold what is put into it, and reopen as it was
 * left; what does not must be refused with a reason. Nothing may crash, hang or reach outside.
 */
#include "api/attach.h"
#include "input.h"
#include "handle/intent.h"
#include "handle/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX (64 * 1024)
#define BLOCKS_MAX 1500
#define STEPS 150

#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__,            \
				#condition, strerrorname_np(errno));                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct held {
	unsigned char *ptr;
	size_t size;
	unsigned char tag;
};

struct run {
	bheap_t *heap;
	FILE *nowhere;
	uint64_t random;
	unsigned count;
	struct held held[BLOCKS_MAX];
};

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void fault_ignore(const struct bheap_fault *fault, void *arg)
{
	(void)arg;
	require(fault->kind != BHEAP_FAULT_NONE && *fault->text);
}

/* ---- the file ---- */

/* A heap with blocks, bins of all sorts, a victim and a top. */
static void heap_populate(bheap_t *heap)
{
	void *blocks[48];

	for (unsigned index = 0; index < 48; index++)
		blocks[index] = bheap_alloc(heap, 16 + index % 7 * 24 + index % 11 / 10 * 1200);
	for (unsigned index = 0; index < 48; index += 1 + index % 3)
		if (blocks[index])
			bheap_free(heap, blocks[index]);
	blocks[0] = bheap_alloc(heap, 40);
	bheap_set_root(heap, blocks[0]);
}

struct image {
	unsigned char bytes[FILE_MAX];
	size_t size;
	struct bh_layout layout;
};

static void image_from_heap(struct image *image, size_t size, unsigned flags)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	bheap_t *heap = bheap_open_fd(fd, size, flags);

	require(heap);
	heap_populate(heap);
	require(bheap_close(heap) == 0);
	image->size = size;
	require(pread(fd, image->bytes, size, 0) == (ssize_t)size);
	close(fd);
	require(bh_layout_for_size(&image->layout, size, sizeof(struct bh_shared)));
}

static const struct image *image_of(uint8_t kind)
{
	static const size_t sizes[] = {4096, 8192, 16384, 65536};
	static struct image images[16];
	struct image *image = &images[kind & 15];

	if (!image->size)
		image_from_heap(image, sizes[kind & 3],
				(kind & 4 ? BHEAP_OWNED : 0) | (kind & 8 ? BHEAP_GUARD : 0));
	return image;
}

/* The part of the file that a change is for: from *start, so many bytes. */
static size_t section_find(const struct image *image, uint8_t choice, size_t *start)
{
	const struct bh_layout *layout = &image->layout;
	size_t middle = layout->map + (layout->granules - layout->map) / 2;
	const size_t sections[6][2] = {
		{0, layout->control},
		{layout->control, layout->heads},
		{layout->heads, layout->map},
		{middle, layout->granules},
		{layout->map, layout->granules},
		{layout->granules, layout->size},
	};
	const size_t *section = sections[choice % 6];

	*start = section[0];
	return section[1] - section[0];
}

static void store(unsigned char *at, size_t room, uint64_t value, size_t size)
{
	memcpy(at, &value, size < room ? size : room);
}

/* One change: where, what kind, and of which value. */
static void image_change(struct image *image, struct input *input)
{
	uint8_t where = input_byte(input), kind = where / 6 % 8;
	size_t start, size = section_find(image, where, &start);
	size_t offset = input_word(input) % size;
	uint16_t value = input_word(input);
	unsigned char *at = image->bytes + start + offset;
	size_t room = size - offset;

	switch (kind) {
	case 0: *at = (unsigned char)value; break;
	case 1: *at ^= (unsigned char)(1 << (value & 7)); break;
	case 2: store(at, room, value, 4); break;
	case 3: store(at, room, ~(uint64_t)value, 4); break;
	case 4: store(at, room, (uint64_t)1 << (value & 63), 8); break;
	case 5: memset(at, value >> 8, value % 64 < room ? value % 64 : room); break;
	case 6: memset(at, value & 1 ? 0xff : 0, room); break;
	default: image->size = value & 1 ? value : value / 4096 * 4096u;
	}
}

static void image_make(struct image *image, struct input *input)
{
	uint8_t choice = input_byte(input);

	*image = *image_of(choice & 15);
	if (choice & 16) {
		while (!input_ended(input))
			image_change(image, input);
		return;
	}
	/* Bytes over a good file, or over zeros, from the start on. */
	if (choice & 32)
		memset(image->bytes, 0, image->size);
	memcpy(image->bytes, input->at, input->left < image->size ? input->left : image->size);
	if (choice & 64)
		image->size = input->left < image->size ? input->left : image->size;
}

static int file_make(const struct image *image)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);

	require(fd >= 0);
	require(pwrite(fd, image->bytes, image->size, 0) == (ssize_t)image->size);
	return fd;
}

/* ---- looking ---- */

static int block_note(const struct bheap_block *block, void *arg)
{
	struct run *run = arg;

	require(block->size && block->size % BHEAP_ALIGNMENT == 0);
	require(block->usable <= block->size);
	if (block->used && run->count < BLOCKS_MAX)
		run->held[run->count++] =
			(struct held){(unsigned char *)(uintptr_t)block->address, block->usable, 0};
	return 0;
}

/* A reader attaches to a heap whose map has another sum than it had when it was closed. */
static void heap_look(struct run *run, bool reads)
{
	bheap_t *heap = run->heap;
	const char *root = bheap_root(heap);
	struct bheap_stats stats;
	struct bheap_fault fault;

	if (bheap_check(heap, &fault))
		require(errno == EUCLEAN && (fault.kind == BHEAP_FAULT_OVERFLOW ||
					     (reads && fault.kind == BHEAP_FAULT_DAMAGED_MAP)));
	require(bheap_stats(heap, &stats) == 0);
	require(stats.used + stats.free == stats.size);
	run->count = 0;
	require(bheap_walk(heap, block_note, run) == 0);
	require(bheap_display(heap, run->nowhere) == 0);
	for (unsigned index = 0; index < run->count; index++) {
		const struct held *held = &run->held[index];

		require(bheap_owns(heap, held->ptr) && !bheap_owns(heap, held->ptr + 1));
		require(bheap_usable_size(heap, held->ptr) == held->size);
	}
	if (root)
		require(bheap_pointer(heap, bheap_offset(heap, root)) == root);
}

static void read_only_use(struct run *run)
{
	uint64_t slot = 1;

	heap_look(run, true);
	require(!bheap_alloc(run->heap, 1) && errno == EROFS);
	require(bheap_free_from(run->heap, &slot) == -1 && errno == EROFS);
	require(bheap_trim(run->heap) == 0 && errno == EROFS);
	for (unsigned index = 0; index < run->count; index++)
		require(bheap_free(run->heap, run->held[index].ptr) == -1 && errno == EROFS);
}

/* ---- use ---- */

static void held_fill(struct held *held, uint64_t tag)
{
	held->tag = (unsigned char)tag;
	memset(held->ptr, held->tag, held->size);
}

static void held_verify(const struct held *held, size_t size)
{
	for (size_t index = 0; index < size; index++)
		require(held->ptr[index] == held->tag);
}

static void block_add(struct run *run, void *ptr)
{
	struct held *held = &run->held[run->count];

	if (!ptr) {
		require(errno == ENOMEM);
		return;
	}
	require(run->count < BLOCKS_MAX && (uintptr_t)ptr % BHEAP_ALIGNMENT == 0);
	*held = (struct held){.ptr = ptr, .size = bheap_usable_size(run->heap, ptr)};
	held_fill(held, random_next(&run->random));
	run->count++;
}

static void block_remove(struct run *run, unsigned index)
{
	held_verify(&run->held[index], run->held[index].size);
	require(bheap_free(run->heap, run->held[index].ptr) == 0);
	run->held[index] = run->held[--run->count];
}

static void block_resize(struct run *run, unsigned index, size_t size)
{
	struct held *held = &run->held[index];
	void *ptr = bheap_realloc(run->heap, held->ptr, size);

	if (ptr) {
		held->ptr = ptr;
		held_verify(held, held->size < size ? held->size : size);
		held->size = bheap_usable_size(run->heap, ptr);
		held_fill(held, held->tag + 1u);
	}
}

static size_t size_choose(struct run *run)
{
	uint64_t choice = random_next(&run->random);

	return choice & 7 ? choice >> 3 & 255 : choice >> 3 & 8191;
}

static void step(struct run *run)
{
	uint64_t choice = random_next(&run->random) % 8;
	unsigned index = run->count ? (unsigned)(random_next(&run->random) % run->count) : 0;
	size_t size = size_choose(run);

	if (choice < 3 && run->count < BLOCKS_MAX)
		block_add(run, bheap_alloc(run->heap, size));
	else if (choice == 3 && run->count < BLOCKS_MAX)
		block_add(run, bheap_aligned_alloc(run->heap, 32u << (size & 3), size));
	else if (choice < 6 && run->count)
		block_remove(run, index);
	else if (run->count)
		block_resize(run, index, size);
}

static void heap_use(struct run *run)
{
	struct bheap_fault fault;

	for (unsigned index = 0; index < run->count; index++)
		held_fill(&run->held[index], index);
	for (unsigned steps = 0; steps < STEPS; steps++)
		step(run);
	bheap_trim(run->heap);
	if (bheap_check(run->heap, &fault))
		require(fault.kind == BHEAP_FAULT_OVERFLOW);
	while (run->count > BLOCKS_MAX / 2)
		block_remove(run, run->count - 1);
	bheap_reclaim(run->heap);
}

/* ---- opening ---- */

static int file_reopen(int fd, int oflag)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, oflag | O_CLOEXEC);
}

static bool run_open(struct run *run, int fd, size_t size)
{
	errno = 0;
	run->heap = bheap_open_fd(fd, size, 0);
	if (!run->heap)
		require(errno == EPROTO || errno == EUCLEAN || errno == EINVAL || errno == EROFS ||
			errno == EBADF);
	return run->heap;
}

static void play(int fd, size_t size, uint8_t seed)
{
	static struct run run;
	int read_only = file_reopen(fd, O_RDONLY);

	if (!run.nowhere)
		run.nowhere = fopen("/dev/null", "we");
	run.random = seed;
	if (run_open(&run, read_only, 0)) {
		read_only_use(&run);
		require(bheap_close(run.heap) == 0);
	}
	close(read_only);
	if (!run_open(&run, fd, size))
		return;
	heap_look(&run, false);
	heap_use(&run);
	require(bheap_close(run.heap) == 0);
	require(run_open(&run, fd, 0));
	heap_look(&run, false);
	require(bheap_close(run.heap) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	static struct image image;
	uint8_t seed = input_byte(&input);
	int fd;

	bheap_set_fault_handler(NULL, fault_ignore, NULL);
	image_make(&image, &input);
	fd = file_make(&image);
	/* What was half made is made anew of this size, not of one it says. */
	play(fd, 16384, seed);
	play(fd, image.size, seed);
	close(fd);
	return 0;
}
