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

struct scene {
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
	/* Bytes over a good file, or over zeros, from the front on. */
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
	struct scene *scene = arg;

	require(block->size && block->size % BHEAP_ALIGNMENT == 0);
	require(block->usable <= block->size);
	if (block->used && scene->count < BLOCKS_MAX)
		scene->held[scene->count++] =
			(struct held){(unsigned char *)(uintptr_t)block->address, block->usable, 0};
	return 0;
}

static void heap_look(struct scene *scene)
{
	bheap_t *heap = scene->heap;
	const char *root = bheap_root(heap);
	struct bheap_stats stats;
	struct bheap_fault fault;

	if (bheap_check(heap, &fault))
		require(errno == EUCLEAN && fault.kind == BHEAP_FAULT_OVERFLOW);
	require(bheap_stats(heap, &stats) == 0);
	require(stats.used + stats.free == stats.size);
	scene->count = 0;
	require(bheap_walk(heap, block_note, scene) == 0);
	require(bheap_display(heap, scene->nowhere) == 0);
	for (unsigned index = 0; index < scene->count; index++) {
		const struct held *held = &scene->held[index];

		require(bheap_owns(heap, held->ptr) && !bheap_owns(heap, held->ptr + 1));
		require(bheap_usable_size(heap, held->ptr) == held->size);
	}
	if (root)
		require(bheap_pointer(heap, bheap_offset(heap, root)) == root);
}

static void read_only_use(struct scene *scene)
{
	uint64_t slot = 1;

	heap_look(scene);
	require(!bheap_alloc(scene->heap, 1) && errno == EROFS);
	require(bheap_free_from(scene->heap, &slot) == -1 && errno == EROFS);
	require(bheap_trim(scene->heap) == 0 && errno == EROFS);
	for (unsigned index = 0; index < scene->count; index++)
		require(bheap_free(scene->heap, scene->held[index].ptr) == -1 && errno == EROFS);
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

static void block_add(struct scene *scene, void *ptr)
{
	struct held *held = &scene->held[scene->count];

	if (!ptr) {
		require(errno == ENOMEM);
		return;
	}
	require(scene->count < BLOCKS_MAX && (uintptr_t)ptr % BHEAP_ALIGNMENT == 0);
	*held = (struct held){.ptr = ptr, .size = bheap_usable_size(scene->heap, ptr)};
	held_fill(held, random_next(&scene->random));
	scene->count++;
}

static void block_remove(struct scene *scene, unsigned index)
{
	held_verify(&scene->held[index], scene->held[index].size);
	require(bheap_free(scene->heap, scene->held[index].ptr) == 0);
	scene->held[index] = scene->held[--scene->count];
}

static void block_resize(struct scene *scene, unsigned index, size_t size)
{
	struct held *held = &scene->held[index];
	void *ptr = bheap_realloc(scene->heap, held->ptr, size);

	if (ptr) {
		held->ptr = ptr;
		held_verify(held, held->size < size ? held->size : size);
		held->size = bheap_usable_size(scene->heap, ptr);
		held_fill(held, held->tag + 1u);
	}
}

static size_t size_choose(struct scene *scene)
{
	uint64_t choice = random_next(&scene->random);

	return choice & 7 ? choice >> 3 & 255 : choice >> 3 & 8191;
}

static void step(struct scene *scene)
{
	uint64_t choice = random_next(&scene->random) % 8;
	unsigned index = scene->count ? (unsigned)(random_next(&scene->random) % scene->count) : 0;
	size_t size = size_choose(scene);

	if (choice < 3 && scene->count < BLOCKS_MAX)
		block_add(scene, bheap_alloc(scene->heap, size));
	else if (choice == 3 && scene->count < BLOCKS_MAX)
		block_add(scene, bheap_aligned_alloc(scene->heap, 32u << (size & 3), size));
	else if (choice < 6 && scene->count)
		block_remove(scene, index);
	else if (scene->count)
		block_resize(scene, index, size);
}

static void heap_use(struct scene *scene)
{
	struct bheap_fault fault;

	for (unsigned index = 0; index < scene->count; index++)
		held_fill(&scene->held[index], index);
	for (unsigned steps = 0; steps < STEPS; steps++)
		step(scene);
	bheap_trim(scene->heap);
	if (bheap_check(scene->heap, &fault))
		require(fault.kind == BHEAP_FAULT_OVERFLOW);
	while (scene->count > BLOCKS_MAX / 2)
		block_remove(scene, scene->count - 1);
	bheap_reclaim(scene->heap);
}

/* ---- opening ---- */

static int file_reopen(int fd, int oflag)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, oflag | O_CLOEXEC);
}

static bool scene_open(struct scene *scene, int fd, size_t size)
{
	errno = 0;
	scene->heap = bheap_open_fd(fd, size, 0);
	if (!scene->heap)
		require(errno == EPROTO || errno == EUCLEAN || errno == EINVAL || errno == EROFS ||
			errno == EBADF);
	return scene->heap;
}

static void play(int fd, size_t size, uint8_t seed)
{
	static struct scene scene;
	int read_only = file_reopen(fd, O_RDONLY);

	if (!scene.nowhere)
		scene.nowhere = fopen("/dev/null", "we");
	scene.random = seed;
	if (scene_open(&scene, read_only, 0)) {
		read_only_use(&scene);
		require(bheap_close(scene.heap) == 0);
	}
	close(read_only);
	if (!scene_open(&scene, fd, size))
		return;
	heap_look(&scene);
	heap_use(&scene);
	require(bheap_close(scene.heap) == 0);
	require(scene_open(&scene, fd, 0));
	heap_look(&scene);
	require(bheap_close(scene.heap) == 0);
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
