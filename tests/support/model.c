/* SPDX-License-Identifier: MIT */
/*
 * model.c - the reference model. A refused request must have been impossible: no free block could
 * have held it. REALTIME heaps may refuse what only a search of the request's size class would
 * find.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRAILER_SIZE BHEAP_ALIGNMENT

void model_begin(struct model *model, bheap_t *heap, unsigned flags, uint64_t seed)
{
	require(heap);
	*model = (struct model){.heap = heap, .flags = flags, .random = seed};
	require_equal(bheap_set_fault_handler(heap, faults_record, &model->faults), 0);
	model_verify(model);
}

void model_end(struct model *model)
{
	free(model->live);
	model->live = NULL;
}

static bool has_trailers(const struct model *model)
{
	return model->flags & (BHEAP_GUARD | BHEAP_OWNED);
}

static size_t rounded(size_t size)
{
	return size ? (size + BHEAP_ALIGNMENT - 1) / BHEAP_ALIGNMENT * BHEAP_ALIGNMENT
		    : BHEAP_ALIGNMENT;
}

size_t model_block_size(const struct model *model, size_t size)
{
	return rounded(size) + (has_trailers(model) ? TRAILER_SIZE : 0);
}

size_t model_usable(const struct model *model, size_t size)
{
	return has_trailers(model) && size ? size : rounded(size);
}

/* ---- the table of blocks ---- */

/* The first entry at or above an address. */
static size_t entry_find(const struct model *model, const unsigned char *ptr)
{
	size_t low = 0, high = model->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->live[middle].ptr < ptr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void entry_insert(struct model *model, struct entry entry)
{
	size_t index = entry_find(model, entry.ptr);

	if (model->count == model->capacity) {
		model->capacity = model->capacity ? model->capacity * 2 : 64;
		model->live = realloc(model->live, model->capacity * sizeof(entry));
		require(model->live);
	}
	memmove(&model->live[index + 1], &model->live[index],
		(model->count - index) * sizeof(entry));
	model->live[index] = entry;
	model->count++;
}

static struct entry entry_remove(struct model *model, size_t index)
{
	struct entry entry = model->live[index];

	model->count--;
	memmove(&model->live[index], &model->live[index + 1],
		(model->count - index) * sizeof(entry));
	return entry;
}

/* A new block: aligned, and clear of its neighbours. It is filled. */
static void block_accept(struct model *model, void *ptr, size_t size, size_t alignment)
{
	struct entry entry = {ptr, size, random_next(&model->random)};
	size_t index = entry_find(model, ptr);

	require_equal((uintptr_t)ptr % BHEAP_ALIGNMENT, 0);
	require_equal((uintptr_t)ptr % alignment, 0);
	if (index < model->count)
		require(entry.ptr + model_block_size(model, size) <= model->live[index].ptr);
	if (index)
		require(entry.ptr >= model->live[index - 1].ptr +
					     model_block_size(model, model->live[index - 1].size));
	pattern_fill(ptr, size, entry.seed);
	entry_insert(model, entry);
	require(bheap_owns(model->heap, ptr));
	require(bheap_pointer(model->heap, bheap_offset(model->heap, ptr)) == ptr);
}

/* ---- refusals ---- */

struct need {
	size_t size, alignment;
	bool found;
};

static int free_block_tries(const struct bheap_block *block, void *arg)
{
	struct need *need = arg;
	size_t skip = (size_t)(-(uintptr_t)block->address & (need->alignment - 1));

	if (!block->used && block->size >= need->size && block->size - need->size >= skip)
		need->found = true;
	return need->found;
}

static void refusal_accept(struct model *model, size_t alignment, size_t size)
{
	struct need need = {model_block_size(model, size), alignment, false};

	require_equal(errno, ENOMEM);
	model->failures++;
	if (size > SIZE_MAX / 4 || model->damaged)
		return;
	if (model->flags & BHEAP_REALTIME)
		need.size = 2 * (need.size + alignment);
	bheap_walk(model->heap, free_block_tries, &need);
	if (need.found)
		ck_abort_msg("%zu bytes aligned to %zu were refused though they fit", size,
			     alignment);
}

/* ---- the operations ---- */

bool model_alloc(struct model *model, size_t size)
{
	void *ptr = bheap_alloc(model->heap, size);

	if (ptr)
		block_accept(model, ptr, size, 1);
	else
		refusal_accept(model, BHEAP_ALIGNMENT, size);
	return ptr;
}

bool model_calloc(struct model *model, size_t count, size_t size)
{
	unsigned char *ptr = bheap_calloc(model->heap, count, size);

	if (!ptr) {
		refusal_accept(model, BHEAP_ALIGNMENT, count * size);
		return false;
	}
	for (size_t index = 0; index < count * size; index++)
		require_equal(ptr[index], 0);
	block_accept(model, ptr, count * size, 1);
	return true;
}

bool model_strdup(struct model *model, const char *string)
{
	char *ptr = bheap_strdup(model->heap, string);
	size_t size = strlen(string) + 1;

	if (!ptr) {
		refusal_accept(model, BHEAP_ALIGNMENT, size);
		return false;
	}
	require(strcmp(ptr, string) == 0);
	block_accept(model, ptr, size, 1);
	return true;
}

bool model_aligned_alloc(struct model *model, size_t alignment, size_t size)
{
	void *ptr = bheap_aligned_alloc(model->heap, alignment, size);

	if (ptr)
		block_accept(model, ptr, size, alignment);
	else
		refusal_accept(model, alignment < BHEAP_ALIGNMENT ? BHEAP_ALIGNMENT : alignment,
			       size);
	return ptr;
}

static bool resize_accept(struct model *model, size_t index, void *ptr, size_t alignment,
			  size_t size)
{
	struct entry old = model->live[index];
	size_t kept = old.size < size ? old.size : size;

	if (!ptr) {
		refusal_accept(model, alignment, size);
		require(pattern_holds(old.ptr, old.size, old.seed));
		return false;
	}
	entry_remove(model, index);
	require(pattern_holds(ptr, kept, old.seed));
	block_accept(model, ptr, size, alignment);
	return true;
}

bool model_realloc(struct model *model, size_t index, size_t size)
{
	void *ptr = bheap_realloc(model->heap, model->live[index].ptr, size);

	return resize_accept(model, index, ptr, BHEAP_ALIGNMENT, size);
}

bool model_reallocarray(struct model *model, size_t index, size_t count, size_t size)
{
	void *ptr = bheap_reallocarray(model->heap, model->live[index].ptr, count, size);

	return resize_accept(model, index, ptr, BHEAP_ALIGNMENT, count * size);
}

bool model_aligned_realloc(struct model *model, size_t index, size_t alignment, size_t size)
{
	void *ptr = bheap_aligned_realloc(model->heap, model->live[index].ptr, alignment, size);

	return resize_accept(model, index, ptr,
			     alignment < BHEAP_ALIGNMENT ? BHEAP_ALIGNMENT : alignment, size);
}

/* A free block: how large it is if it is the one looked for. */
static int free_block_measure(const struct bheap_block *block, void *arg)
{
	struct bheap_block *wanted = arg;

	if (block->used || block->address != wanted->address)
		return 0;
	wanted->size = block->size;
	return 1;
}

/* The most that a block may become where it is. */
static size_t room_in_place(const struct model *model, const struct entry *entry)
{
	size_t have = model_block_size(model, entry->size);
	struct bheap_block next = {.address = entry->ptr + have};

	bheap_walk(model->heap, free_block_measure, &next);
	return have + next.size - (has_trailers(model) ? TRAILER_SIZE : 0);
}

bool model_resize(struct model *model, size_t index, size_t size)
{
	struct entry old = model->live[index];
	size_t room = room_in_place(model, &old);

	if (bheap_resize(model->heap, old.ptr, size) == 0) {
		require(size && size <= room);
		return resize_accept(model, index, bheap_realloc(model->heap, old.ptr, size),
				     BHEAP_ALIGNMENT, size);
	}
	require_equal(errno, size ? ENOMEM : EINVAL);
	require(!size || size > room || model->damaged);
	require(pattern_holds(old.ptr, old.size, old.seed));
	return false;
}

void model_free(struct model *model, size_t index)
{
	struct entry entry = entry_remove(model, index);

	require(pattern_holds(entry.ptr, entry.size, entry.seed));
	require_equal(bheap_free(model->heap, entry.ptr), 0);
	require(!bheap_owns(model->heap, entry.ptr));
}

void model_free_all(struct model *model)
{
	while (model->count)
		model_free(model, random_below(&model->random, model->count));
}

void model_reset(struct model *model)
{
	for (size_t index = 0; index < model->count; index++) {
		const struct entry *entry = &model->live[index];

		require(pattern_holds(entry->ptr, entry->size, entry->seed));
	}
	require_equal(bheap_reset(model->heap), 0);
	for (size_t index = 0; index < model->count; index++)
		require(!bheap_owns(model->heap, model->live[index].ptr));
	model->count = 0;
	require(!bheap_root(model->heap));
}

/* The slot's block is filled again, as if nothing had been there. */
static uint64_t *slot_of(struct model *model, size_t index)
{
	require(model->live[index].size >= sizeof(uint64_t));
	return (uint64_t *)(void *)model->live[index].ptr;
}

static void slot_refill(const struct entry *entry)
{
	pattern_fill(entry->ptr, entry->size, entry->seed);
}

bool model_alloc_into(struct model *model, size_t slot_index, size_t size)
{
	struct entry owner = model->live[slot_index];
	uint64_t *slot = slot_of(model, slot_index);
	void *ptr = bheap_alloc_into(model->heap, slot, size);

	if (ptr) {
		require_equal(*slot, bheap_offset(model->heap, ptr));
		slot_refill(&owner);
		block_accept(model, ptr, size, 1);
	} else {
		require(pattern_holds(owner.ptr, owner.size, owner.seed));
		refusal_accept(model, BHEAP_ALIGNMENT, size);
	}
	return ptr;
}

void model_free_from(struct model *model, size_t slot_index, size_t index)
{
	struct entry owner = model->live[slot_index];
	uint64_t *slot = slot_of(model, slot_index);
	struct entry entry = entry_remove(model, index);

	require(pattern_holds(entry.ptr, entry.size, entry.seed));
	*slot = bheap_offset(model->heap, entry.ptr);
	require_equal(bheap_free_from(model->heap, slot), 0);
	require(!bheap_owns(model->heap, entry.ptr));
	if (index == slot_index)
		return;
	require_equal(*slot, 0);
	slot_refill(&owner);
}

/* ---- handles ---- */

void model_detach(struct model *model)
{
	for (size_t index = 0; index < model->count; index++) {
		struct entry *entry = &model->live[index];

		entry->ptr = (unsigned char *)(uintptr_t)bheap_offset(model->heap, entry->ptr);
	}
}

void model_attach(struct model *model, bheap_t *heap)
{
	model->heap = heap;
	require_equal(bheap_set_fault_handler(heap, faults_record, &model->faults), 0);
	for (size_t index = 0; index < model->count; index++) {
		struct entry *entry = &model->live[index];

		entry->ptr = bheap_pointer(heap, (uintptr_t)entry->ptr);
		require(entry->ptr);
	}
}

/* ---- what the heap says ---- */

struct survey {
	const struct model *model;
	size_t index;     /* of the next live entry */
	const char *next; /* where the next block must start */
	bool previous_used;
	struct bheap_stats stats; /* what they should be */
};

static void survey_used(struct survey *survey, const struct bheap_block *block)
{
	const struct model *model = survey->model;
	const struct entry *entry = &model->live[survey->index];

	require(survey->index < model->count);
	require(block->address == entry->ptr);
	require_equal(block->size, model_block_size(model, entry->size));
	require_equal(block->usable, model_usable(model, entry->size));
	survey->index++;
	survey->stats.used += block->size;
	survey->stats.live_blocks++;
}

static void survey_free(struct survey *survey, const struct bheap_block *block)
{
	require(survey->previous_used || !survey->next);
	require_equal(block->usable, 0);
	survey->stats.free += block->size;
	survey->stats.free_blocks++;
	if (survey->stats.largest_free < block->size)
		survey->stats.largest_free = block->size;
}

static int block_survey(const struct bheap_block *block, void *arg)
{
	struct survey *survey = arg;

	if (survey->next)
		require(block->address == survey->next);
	require_equal(block->previous_used, survey->previous_used);
	if (block->used)
		survey_used(survey, block);
	else
		survey_free(survey, block);
	survey->previous_used = block->used;
	survey->next = (const char *)block->address + block->size;
	return 0;
}

void model_verify(const struct model *model)
{
	struct survey survey = {.model = model, .previous_used = true};
	const struct bheap_stats *expected = &survey.stats;
	struct bheap_fault fault;
	struct bheap_stats stats;

	if (bheap_check(model->heap, &fault) &&
	    !(model->damaged &&
	      (fault.kind == BHEAP_FAULT_DAMAGED_INDEX || fault.kind == BHEAP_FAULT_WRITTEN_FREE)))
		ck_abort_msg("%s", fault.text);
	require_equal(bheap_walk(model->heap, block_survey, &survey), 0);
	require_equal(survey.index, model->count);
	require_equal(bheap_stats(model->heap, &stats), 0);
	require_equal(stats.used, expected->used);
	require_equal(bheap_used(model->heap), expected->used);
	require_equal(stats.free, expected->free);
	require_equal(stats.size, expected->used + expected->free);
	require_equal(stats.largest_free, expected->largest_free);
	require_equal(stats.live_blocks, model->count);
	require_equal(stats.free_blocks, expected->free_blocks);
	require(stats.peak_used >= stats.used);
	require_equal(stats.allocations - stats.frees, model->count);
	require_equal(stats.failures, model->failures);
	if (model->damaged)
		return;
	require_equal(stats.faults, model->expected);
	require_equal(model->faults.count, model->expected);
	require_equal(stats.rebuilds, 0);
}

void model_verify_content(const struct model *model)
{
	model_verify(model);
	for (size_t index = 0; index < model->count; index++)
		require(pattern_holds(model->live[index].ptr, model->live[index].size,
				      model->live[index].seed));
}
