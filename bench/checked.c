/* SPDX-License-Identifier: MIT */
/*
 * checked.c - the replay that checks content, alignment, usable sizes and the heap's invariants.
 *
 * A block is filled with one 64-bit word that depends on its slot and on the operation that filled
 * it, so that bytes of any other block, or of an earlier life of this one, are seen.
 */
#include "checked.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"

#define HEAP_CHECKS 64 /* bheap_check() runs about this often in a trace */

struct live_block {
	unsigned char *start; /* NULL: not live */
	size_t size;
	uint64_t word;
};

struct checked {
	const struct trace *trace;
	bheap_t *heap;
	struct live_block *blocks; /* by slot */
	size_t op;                 /* index of the operation at hand */
};

__attribute__((format(printf, 2, 3))) static int checked_fail(const struct checked *run,
							      const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: operation %zu: ", run->trace->name, run->op + 1);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -1;
}

static uint64_t word_make(uint32_t slot, size_t op)
{
	uint64_t word = ((uint64_t)slot << 32 ^ op) + UINT64_C(0x9e3779b97f4a7c15);
	word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return word ^ word >> 29;
}

static void block_fill(const struct live_block *block)
{
	size_t done = 0;
	for (; done + sizeof(block->word) <= block->size; done += sizeof(block->word))
		memcpy(block->start + done, &block->word, sizeof(block->word));
	memcpy(block->start + done, &block->word, block->size - done);
}

/* True if the first size bytes at start repeat the word: each 8 equal the 8 before. */
static bool pattern_holds(const unsigned char *start, size_t size, uint64_t word)
{
	size_t head = size < sizeof(word) ? size : sizeof(word);
	return memcmp(start, &word, head) == 0 && memcmp(start, start + head, size - head) == 0;
}

static int block_check(const struct checked *run, const struct live_block *block)
{
	if (!pattern_holds(block->start, block->size, block->word))
		return checked_fail(run, "the content of the block at %p, %zu bytes, has changed",
				    (void *)block->start, block->size);
	return 0;
}

/* Takes in a block that an operation gave: kept_size bytes of it are to hold the word before. */
static int block_take(struct checked *run, const struct trace_op *op, void *start, size_t kept_size)
{
	struct live_block *block = &run->blocks[op->slot];
	size_t alignment = BHEAP_ALIGNMENT;
	if (op->kind == TRACE_ALIGNED && (size_t)1 << op->alignment_log2 > alignment)
		alignment = (size_t)1 << op->alignment_log2;

	if (start == NULL)
		return checked_fail(run, "no block of %ju bytes: %s", (uintmax_t)op->size,
				    strerror(errno));
	if ((uintptr_t)start % alignment != 0)
		return checked_fail(run, "%p is not aligned to %zu", start, alignment);
	if (bheap_usable_size(run->heap, start) < op->size)
		return checked_fail(run, "the block at %p is smaller than %ju bytes", start,
				    (uintmax_t)op->size);
	if (kept_size > 0 && !pattern_holds(start, kept_size, block->word))
		return checked_fail(run, "resize to %ju bytes lost content: %p",
				    (uintmax_t)op->size, start);
	*block = (struct live_block){start, op->size, word_make(op->slot, run->op)};
	block_fill(block);
	return 0;
}

static int block_free(struct checked *run, struct live_block *block)
{
	if (block_check(run, block) != 0)
		return -1;
	if (bheap_free(run->heap, block->start) != 0)
		return checked_fail(run, "bheap_free(%p): %s", (void *)block->start,
				    strerror(errno));
	block->start = NULL;
	return 0;
}

static int block_resize(struct checked *run, const struct trace_op *op)
{
	struct live_block *block = &run->blocks[op->slot];
	if (block_check(run, block) != 0)
		return -1;
	size_t kept_size = block->size < op->size ? block->size : op->size;
	return block_take(run, op, bheap_realloc(run->heap, block->start, op->size), kept_size);
}

static int op_run(struct checked *run, const struct trace_op *op)
{
	switch ((enum trace_kind)op->kind) {
	case TRACE_FREE: return block_free(run, &run->blocks[op->slot]);
	case TRACE_RESIZE: return block_resize(run, op);
	case TRACE_ALLOC: return block_take(run, op, bheap_alloc(run->heap, op->size), 0);
	case TRACE_ALIGNED:
		return block_take(
			run, op,
			bheap_aligned_alloc(run->heap, (size_t)1 << op->alignment_log2, op->size),
			0);
	}
	return checked_fail(run, "unknown kind %d", op->kind);
}

static int heap_check(const struct checked *run)
{
	struct bheap_fault fault;
	if (bheap_check(run->heap, &fault) != 0)
		return checked_fail(run, "bheap_check(): %s", fault.text);
	return 0;
}

/* Frees what the traced program leaked; nothing may be left then. */
static int heap_empty(struct checked *run)
{
	for (uint32_t slot = 0; slot < run->trace->slot_count; slot++)
		if (run->blocks[slot].start != NULL && block_free(run, &run->blocks[slot]) != 0)
			return -1;

	struct bheap_stats stats;
	if (bheap_stats(run->heap, &stats) != 0)
		return checked_fail(run, "bheap_stats(): %s", strerror(errno));
	if (stats.used != 0 || stats.live_blocks != 0 || stats.free_blocks != 1)
		return checked_fail(run,
				    "all freed, yet %zu bytes in %zu blocks used, %zu free blocks",
				    stats.used, stats.live_blocks, stats.free_blocks);
	return heap_check(run);
}

int checked_replay(const struct trace *trace, bheap_t *heap)
{
	struct checked run = {.trace = trace, .heap = heap};
	size_t check_every = trace->op_count / HEAP_CHECKS + 1;
	int result = 0;

	run.blocks = memory_zero(trace->slot_count, sizeof(*run.blocks));
	for (; result == 0 && run.op < trace->op_count; run.op++) {
		result = op_run(&run, &trace->ops[run.op]);
		if (result == 0 && run.op % check_every == 0)
			result = heap_check(&run);
	}
	if (result == 0)
		result = heap_empty(&run);
	free(run.blocks);
	return result;
}
