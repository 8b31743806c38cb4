/* SPDX-License-Identifier: MIT */
/*
 * model.h - a reference model of one heap: what its blocks are, what they hold, and what its
 * figures must say. Knows the public contract alone. Every function asserts that the heap agrees.
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "support.h"

struct entry {
	unsigned char *ptr;
	size_t size;   /* asked for */
	uint64_t seed; /* of its content */
};

struct model {
	bheap_t *heap;
	unsigned flags;     /* that the heap was made with */
	struct entry *live; /* in address order */
	size_t count, capacity;
	uint64_t random;
	uint64_t failures; /* requests that were refused for want of room */
	struct faults faults;
	unsigned expected; /* how many faults should have been heard of */
	bool damaged; /* free blocks were written to: reports, rebuilds and refusals may come */
};

/* A model of an empty heap, whose faults it records from now on. */
void model_begin(struct model *model, bheap_t *heap, unsigned flags, uint64_t seed);
void model_end(struct model *model);

/* Bytes a block of this request takes, and those its owner may use. */
size_t model_block_size(const struct model *model, size_t size);
size_t model_usable(const struct model *model, size_t size);

/* The operations; those that allocate tell whether they got a block. */
bool model_alloc(struct model *model, size_t size);
bool model_calloc(struct model *model, size_t count, size_t size);
bool model_strdup(struct model *model, const char *string);
bool model_aligned_alloc(struct model *model, size_t alignment, size_t size);
bool model_realloc(struct model *model, size_t index, size_t size);
bool model_reallocarray(struct model *model, size_t index, size_t count, size_t size);
bool model_aligned_realloc(struct model *model, size_t index, size_t alignment, size_t size);
bool model_resize(struct model *model, size_t index, size_t size);
void model_free(struct model *model, size_t index);
void model_free_all(struct model *model);

/* All blocks at once; of a shared heap, by its only handle. */
void model_reset(struct model *model);

/*
 * By way of a slot at the start of a block, of 8 bytes or more; it may be the block itself that
 * goes.
 */
bool model_alloc_into(struct model *model, size_t slot_index, size_t size);
void model_free_from(struct model *model, size_t slot_index, size_t index);

/*
 * From one handle of a shared heap to another: before the first may go, and once the other is
 * there.
 */
void model_detach(struct model *model);
void model_attach(struct model *model, bheap_t *heap);

/* Blocks, totals and checker; with content too. */
void model_verify(const struct model *model);
void model_verify_content(const struct model *model);

#endif
