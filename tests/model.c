/* SPDX-License-Identifier: MIT */
/*
 * model.c - the reference model. A refused request must have been impossible: no free block could
 * have held it. REALTIME heaps may refuse what only a search of the request's size class would find.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRAILER_SIZE BHEAP_ALIGNMENT

void model_begin(struct model *model, bheap_t *heap, unsigned flags, uint64_t seed)
{
	ck_assert_ptr_nonnull(heap);
	*model = (struct model){.heap = heap, .flags = flags, .random = seed};
	ck_assert_int_eq(bheap_set_fault_handler(heap, faults_record, &model->faults), 0);
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
		ck_assert_ptr_nonnull(model->live);
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

	ck_assert_uint_eq((uintptr_t)ptr % BHEAP_ALIGNMENT, 0);
	ck_assert_uint_eq((uintptr_t)ptr % alignment, 0);
	if (index < model->count)
		ck_assert(entry.ptr + model_block_size(model, size) <= model->live[index].ptr);
	if (index)
		ck_assert(entry.ptr >= model->live[index - 1].ptr +
					       model_block_size(model, model->live[index - 1].size));
	pattern_fill(ptr, size, entry.seed);
	entry_insert(model, entry);
	ck_assert(bheap_owns(model->heap, ptr));
	ck_assert_ptr_eq(bheap_pointer(model->heap, bheap_offset(model->heap, ptr)), ptr);
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

	ck_assert_errno(ENOMEM);
	model->failures++;
	if (size > SIZE_MAX / 4)
		return;
	if (model->flags & BHEAP_REALTIME)
		need.size = 2 * (need.size + alignment);
	bheap_walk(model->heap, free_block_tries, &need);
	ck_assert_msg(!need.found, "%zu bytes aligned to %zu were refused though they fit", size,
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
		ck_assert_uint_eq(ptr[index], 0);
	block_accept(model, ptr, count * size, 1);
	return true;
}

bool model_aligned_alloc(struct model *model, size_t alignment, size_t size)
{
	void *ptr = bheap_aligned_alloc(model->heap, alignment, size);

	if (ptr)
		block_accept(model, ptr, size, alignment);
	else
		refusal_accept(model, alignment < BHEAP_ALIGNMENT ? BHEAP_ALIGNMENT : alignment, size);
	return ptr;
}

bool model_realloc(struct model *model, size_t index, size_t size)
{
	struct entry old = model->live[index];
	size_t kept = old.size < size ? old.size : size;
	unsigned char *ptr = bheap_realloc(model->heap, old.ptr, size);

	if (!ptr) {
		refusal_accept(model, BHEAP_ALIGNMENT, size);
		ck_assert(pattern_holds(old.ptr, old.size, old.seed));
		return false;
	}
	entry_remove(model, index);
	ck_assert_msg(pattern_holds(ptr, kept, old.seed), "realloc lost content");
	block_accept(model, ptr, size, 1);
	return true;
}

void model_free(struct model *model, size_t index)
{
	struct entry entry = entry_remove(model, index);

	ck_assert_msg(pattern_holds(entry.ptr, entry.size, entry.seed), "a block lost its content");
	ck_assert_int_eq(bheap_free(model->heap, entry.ptr), 0);
	ck_assert(!bheap_owns(model->heap, entry.ptr));
}

void model_free_all(struct model *model)
{
	while (model->count)
		model_free(model, random_below(&model->random, model->count));
}

/* ---- what the heap says ---- */

struct survey {
	const struct model *model;
	size_t index;              /* of the next live entry */
	const char *next;          /* where the next block must start */
	bool previous_used;
	struct bheap_stats stats;  /* what they should be */
};

static void survey_used(struct survey *survey, const struct bheap_block *block)
{
	const struct model *model = survey->model;
	const struct entry *entry = &model->live[survey->index];

	ck_assert_uint_lt(survey->index, model->count);
	ck_assert_ptr_eq(block->address, entry->ptr);
	ck_assert_uint_eq(block->size, model_block_size(model, entry->size));
	ck_assert_uint_eq(block->usable, model_usable(model, entry->size));
	survey->index++;
	survey->stats.used += block->size;
	survey->stats.live_blocks++;
}

static void survey_free(struct survey *survey, const struct bheap_block *block)
{
	ck_assert_msg(survey->previous_used || !survey->next, "two free blocks are neighbours");
	ck_assert_uint_eq(block->usable, 0);
	survey->stats.free += block->size;
	survey->stats.free_blocks++;
	if (survey->stats.largest_free < block->size)
		survey->stats.largest_free = block->size;
}

static int block_survey(const struct bheap_block *block, void *arg)
{
	struct survey *survey = arg;

	if (survey->next)
		ck_assert_ptr_eq(block->address, survey->next);
	ck_assert_int_eq(block->previous_used, survey->previous_used);
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

	ck_assert_msg(bheap_check(model->heap, &fault) == 0, "%s", fault.text);
	ck_assert_int_eq(bheap_walk(model->heap, block_survey, &survey), 0);
	ck_assert_uint_eq(survey.index, model->count);
	ck_assert_int_eq(bheap_stats(model->heap, &stats), 0);
	ck_assert_uint_eq(stats.used, expected->used);
	ck_assert_uint_eq(stats.free, expected->free);
	ck_assert_uint_eq(stats.size, expected->used + expected->free);
	ck_assert_uint_eq(stats.largest_free, expected->largest_free);
	ck_assert_uint_eq(stats.live_blocks, model->count);
	ck_assert_uint_eq(stats.free_blocks, expected->free_blocks);
	ck_assert_uint_ge(stats.peak_used, stats.used);
	ck_assert_uint_eq(stats.allocations - stats.frees, model->count);
	ck_assert_uint_eq(stats.failures, model->failures);
	ck_assert_uint_eq(stats.faults, model->expected);
	ck_assert_uint_eq(model->faults.count, model->expected);
	ck_assert_uint_eq(stats.rebuilds, 0);
}

void model_verify_content(const struct model *model)
{
	model_verify(model);
	for (size_t index = 0; index < model->count; index++)
		ck_assert_msg(pattern_holds(model->live[index].ptr, model->live[index].size,
					    model->live[index].seed),
			      "block %zu lost its content", index);
}
