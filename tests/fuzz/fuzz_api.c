/* SPDX-License-Identifier: MIT */
/*
 * fuzz_api.c - a fuzz target: bytes choose a heap of any kind and what is done with it, good use
 * and bad; the model (../model.h) is held against the heap after every step.
 */
#include "model.h"
#include "core/annotate.h"
#include "input.h"
#include "os/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS_MAX 400
#define BUFFER_SIZE (64 * 1024 + 16)

struct play {
	struct input input;
	struct model model;
	bheap_t *spare; /* another handle of a shared heap, or NULL */
	int fd;         /* of a shared heap, else -1 */
	size_t size;
};

static _Alignas(16) char buffer[BUFFER_SIZE];

/* Check ends a test by a jump; here there is none to jump to. Linked in its place (--wrap). */
_Noreturn void __wrap__ck_assert_failed(const char *file, int line, const char *expression,
					const char *format, ...);
_Noreturn void __wrap__ck_assert_failed(const char *file, int line, const char *expression,
					const char *format, ...)
{
	va_list rest;

	fprintf(stderr, "%s:%d: %s ", file, line, expression);
	va_start(rest, format);
	if (format)
		vfprintf(stderr, format, rest);
	va_end(rest);
	fputc('\n', stderr);
	abort();
}

/* ---- heaps ---- */

static size_t heap_size(struct play *play)
{
	static const size_t sizes[] = {1, 4096, 16 * 1024, 64 * 1024};
	uint8_t choice = input_byte(&play->input);

	return sizes[choice & 3] + (choice >> 2) * 16;
}

static bheap_t *heap_make(struct play *play)
{
	uint8_t choice = input_byte(&play->input);
	unsigned flags = 0;

	flags |= choice & 4 ? BHEAP_GUARD : 0;
	bh_settings.redzones = false; /* the model counts granules */
	flags |= choice & 8 ? BHEAP_REALTIME : 0;
	flags |= choice & 16 ? BHEAP_UNLOCKED : 0;
	play->size = heap_size(play);
	play->fd = -1;
	switch (choice & 3) {
	case 0: play->model.flags = flags; return bheap_create(play->size, flags);
	case 1:
		play->model.flags = flags;
		play->size = play->size < BHEAP_BUFFER_MIN ? BHEAP_BUFFER_MIN : play->size;
		play->size = play->size > BUFFER_SIZE - 15 ? BUFFER_SIZE - 15 : play->size;
		return bheap_create_in(buffer + (choice >> 5), play->size, flags);
	default:
		flags &= ~(unsigned)BHEAP_UNLOCKED;
		flags |= choice & 32 ? BHEAP_OWNED : 0;
		flags |= choice & 64 ? BHEAP_PREALLOCATE : 0;
		play->model.flags = flags;
		play->fd = memfd_create("heap", MFD_CLOEXEC);
		require(play->fd >= 0);
		return bheap_open_fd(play->fd, play->size, flags);
	}
}

/* ---- good use ---- */

static size_t request_size(struct play *play)
{
	uint16_t word = input_word(&play->input);

	switch (word & 3) {
	case 0: return word >> 2 & 255;
	case 1: return (size_t)(word >> 2 & 127) * 16;
	case 2: return word >> 2;
	default: return play->size / 64 * (word >> 2 & 63) + (word >> 8);
	}
}

static size_t entry_choose(struct play *play)
{
	return input_word(&play->input) % play->model.count;
}

static size_t alignment_choose(struct play *play)
{
	return (size_t)1 << (input_byte(&play->input) & 15);
}

static void array_allocate(struct play *play)
{
	size_t size = 1 + (input_byte(&play->input) & 31);

	model_calloc(&play->model, request_size(play) / size, size);
}

static void into_slot(struct play *play)
{
	size_t slot = entry_choose(play);

	if (play->model.live[slot].size >= sizeof(uint64_t))
		model_alloc_into(&play->model, slot, request_size(play));
}

static void out_of_slot(struct play *play)
{
	size_t slot = entry_choose(play), index = entry_choose(play);

	if (play->model.live[slot].size >= sizeof(uint64_t))
		model_free_from(&play->model, slot, index);
}

static void root_move(struct play *play)
{
	const struct entry *entry = &play->model.live[entry_choose(play)];

	require_equal(bheap_set_root(play->model.heap, entry->ptr), 0);
	require(bheap_root(play->model.heap) == entry->ptr);
	require_equal(bheap_set_root(play->model.heap, play), (uint64_t)-1);
	require(bheap_root(play->model.heap) == entry->ptr);
	require(bheap_root_alloc(play->model.heap, 1) == entry->ptr);
}

static void heap_print(struct play *play)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	require_equal(bheap_display(play->model.heap, nowhere), 0);
}

static int change_from_callback(const struct bheap_block *block, void *arg)
{
	bheap_t *heap = arg;

	errno = 0;
	require(!bheap_alloc(heap, 16));
	require_equal(errno, EDEADLK);
	if (block->used)
		require_equal(heap_free(heap, block->address), (uint64_t)-1);
	return 7;
}

static void refuse_in_callback(struct play *play)
{
	require_equal(bheap_walk(play->model.heap, change_from_callback, play->model.heap), 7);
}

/* ---- shared heaps ---- */

static void heap_reopen(struct play *play)
{
	bheap_t *heap;

	if (play->spare)
		require_equal(bheap_close(play->spare), 0);
	play->spare = NULL;
	model_detach(&play->model);
	require_equal(bheap_close(play->model.heap), 0);
	heap = bheap_open_fd(play->fd, 0, 0);
	require(heap);
	model_attach(&play->model, heap);
}

static void handle_change(struct play *play)
{
	bheap_t *other = play->spare;

	if (!other)
		other = bheap_open_fd(play->fd, play->size, 0);
	require(other);
	play->spare = play->model.heap;
	model_detach(&play->model);
	model_attach(&play->model, other);
}

static void heap_read_only(struct play *play)
{
	struct bheap_stats here, there;
	char path[40];
	bheap_t *heap;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", play->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	heap = bheap_open_fd(fd, 0, 0);
	require(heap);
	require_equal(bheap_check(heap, NULL), 0);
	require_equal(bheap_stats(heap, &there), 0);
	require_equal(bheap_stats(play->model.heap, &here), 0);
	require(!memcmp(&here, &there, sizeof(here)));
	require(!bheap_alloc(heap, 16));
	require_equal(errno, EROFS);
	require_equal(bheap_close(heap), 0);
	close(fd);
}

static void share(struct play *play, uint8_t choice)
{
	if (play->fd < 0)
		return;
	if (choice & 2)
		handle_change(play);
	else if (choice & 1)
		heap_reopen(play);
	else
		heap_read_only(play);
}

/* ---- misuse ---- */

static int wrong_free(struct model *model, const void *ptr)
{
	errno = 0;
	require_equal(heap_free(model->heap, ptr), (uint64_t)-1);
	require_equal(errno, EINVAL);
	model->expected++;
	return 0;
}

static void wrong_use(struct model *model, const void *ptr, size_t size)
{
	errno = 0;
	require(!bheap_realloc(model->heap, (void *)(uintptr_t)ptr, size));
	require_equal(errno, EINVAL);
	model->expected++;
	require_equal(bheap_usable_size(model->heap, ptr), 0);
	require(!bheap_owns(model->heap, ptr));
}

/* An address in the heap or near it, at any byte, that no block starts at. */
static void pointer_wrong(struct play *play)
{
	struct model *model = &play->model;
	size_t offset = (size_t)input_word(&play->input) << (input_byte(&play->input) & 7);
	const char *ptr = (const char *)bheap_pointer(model->heap, BHEAP_ALIGNMENT) - 4096 + offset;

	for (size_t index = 0; index < model->count; index++)
		if ((const char *)model->live[index].ptr == ptr)
			ptr++;
	wrong_free(model, ptr);
	wrong_use(model, ptr, offset);
}

static void free_twice(struct play *play)
{
	size_t index = entry_choose(play);
	const void *ptr = play->model.live[index].ptr;

	model_free(&play->model, index);
	wrong_free(&play->model, ptr);
	require_equal(play->model.faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
	require(play->model.faults.last.address == ptr);
	wrong_use(&play->model, ptr, 100);
}

static void request_wrong(struct play *play)
{
	struct model *model = &play->model;
	size_t size = SIZE_MAX >> (input_byte(&play->input) & 15);
	volatile size_t not_a_power = 24; /* or the compiler warns */

	require(!model_alloc(model, size));
	require(!model_aligned_alloc(model, alignment_choose(play), size));
	if (model->count)
		require(!model_realloc(model, entry_choose(play), size));
	require(!bheap_aligned_alloc(model->heap, not_a_power, 100));
	require_equal(errno, EINVAL);
	require(!bheap_alloc_into(model->heap, (uint64_t *)(void *)play, 16));
	require_equal(errno, EINVAL);
}

/* Bytes after a block that its owner must not even read. */
BH_UNCHECKED
static void bytes_invert(unsigned char *from, unsigned char *into, size_t length)
{
	bh_annotate_enter(true);
	for (size_t at = 0; at < length; at++)
		into[at] = (unsigned char)~((volatile unsigned char *)from)[at];
	bh_annotate_leave(true);
}

/* With guards an overflow is found by the check, then when the block is freed. */
static void overflow(struct play *play)
{
	struct model *model = &play->model;
	size_t index = entry_choose(play), length = 1 + (input_byte(&play->input) & 15);
	struct entry entry = model->live[index];
	size_t usable = bheap_usable_size(model->heap, entry.ptr);
	struct bheap_fault fault;
	unsigned char bytes[16];

	/* The checker tells of a damaged index first. */
	if (!(model->flags & BHEAP_GUARD) || model->damaged)
		return;
	bytes_invert(entry.ptr + usable, bytes, length);
	memory_scribble(entry.ptr + usable, bytes, length);
	require_equal(bheap_check(model->heap, &fault), (uint64_t)-1);
	require_equal(fault.kind, BHEAP_FAULT_OVERFLOW);
	require(fault.address == entry.ptr);
	model_free(model, index);
	model->expected++;
	require_equal(model->faults.last.kind, BHEAP_FAULT_OVERFLOW);
}

struct hole {
	unsigned skip;
	struct bheap_block block;
};

static int hole_find(const struct bheap_block *block, void *arg)
{
	struct hole *hole = arg;

	if (block->used)
		return 0;
	hole->block = *block;
	return !hole->skip--;
}

/* A write after free. From now on the heap may report and rebuild, and must lose nothing. */
static void free_block_write(struct play *play)
{
	struct hole hole = {.skip = input_byte(&play->input)};
	unsigned char bytes[16];

	bheap_walk(play->model.heap, hole_find, &hole);
	if (!hole.block.address)
		return;
	for (size_t at = 0; at < sizeof(bytes); at++)
		bytes[at] = input_byte(&play->input);
	memory_scribble((void *)(uintptr_t)hole.block.address, bytes, sizeof(bytes));
	play->model.damaged = true;
}

/* ---- the play ---- */

static void resize(struct play *play, uint8_t choice)
{
	size_t index = entry_choose(play), wanted = request_size(play);

	if (choice & 8)
		model_resize(&play->model, index, wanted);
	else if (choice & 16)
		model_aligned_realloc(&play->model, index, alignment_choose(play), wanted);
	else
		model_realloc(&play->model, index, wanted);
}

static void step_on_block(struct play *play, uint8_t choice)
{
	struct model *model = &play->model;

	switch (choice & 7) {
	case 0:
	case 1: model_free(model, entry_choose(play)); break;
	case 2:
	case 3: resize(play, choice); break;
	case 4: into_slot(play); break;
	case 5: out_of_slot(play); break;
	case 6: free_twice(play); break;
	default: (choice & 8 ? overflow : root_move)(play);
	}
}

static void step_on_heap(struct play *play, uint8_t choice)
{
	switch (choice & 7) {
	case 0: request_wrong(play); break;
	case 1: bheap_trim(play->model.heap); break;
	case 2: heap_print(play); break;
	case 3: refuse_in_callback(play); break;
	case 4:
		if (choice & 8 && !(choice & 16))
			free_block_write(play);
		break;
	case 5:
		if (choice & 8 && choice & 16)
			model_free_all(&play->model);
		else if (choice & 16 && !play->spare)
			model_reset(&play->model);
		break;
	case 6: share(play, choice >> 3); break;
	default: pointer_wrong(play);
	}
}

static void step(struct play *play)
{
	uint8_t choice = input_byte(&play->input);

	switch (choice >> 6) {
	case 0: model_alloc(&play->model, request_size(play)); break;
	case 1:
		if (choice & 1)
			array_allocate(play);
		else
			model_aligned_alloc(&play->model, alignment_choose(play),
					    request_size(play));
		break;
	case 2:
		if (play->model.count)
			step_on_block(play, choice);
		break;
	default: step_on_heap(play, choice);
	}
	model_verify(&play->model);
}

static void heap_end(struct play *play)
{
	model_verify_content(&play->model);
	model_free_all(&play->model);
	model_verify(&play->model);
	model_end(&play->model);
	if (play->spare)
		require_equal(bheap_close(play->spare), 0);
	require_equal(bheap_destroy(play->model.heap), 0);
	if (play->fd >= 0)
		close(play->fd);
}

static void fault_ignore(const struct bheap_fault *fault, void *arg)
{
	(void)arg;
	require(fault->kind != BHEAP_FAULT_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play play = {.input = {data, size}};
	bheap_t *heap;

	/* What is found when a heap is opened, before it has a handler. */
	bheap_set_fault_handler(NULL, fault_ignore, NULL);
	heap = heap_make(&play);
	if (!heap) {
		require(play.size < 4096 || errno != EINVAL);
		if (play.fd >= 0)
			close(play.fd);
		return 0;
	}
	model_begin(&play.model, heap, play.model.flags, 1);
	for (unsigned steps = 0; steps < STEPS_MAX && !input_ended(&play.input); steps++)
		step(&play);
	heap_end(&play);
	return 0;
}
