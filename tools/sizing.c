/* SPDX-License-Identifier: MIT */
/*
 * sizing.c - see sizing.h. Memory that the replayed blocks would hold is never written to, so a
 * heap of gigabytes costs little.
 */
#include "sizing.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "progress.h"

#define PAGE ((size_t)4096)
/* The number of progress steps of a replay. */
#define STRIDE 65536

/* ---- heaps to try ---- */

struct trial {
	bheap_t *heap;
	void *buffer;
	size_t size;
	void **blocks; /* by slot */
};

static bool trial_begin(struct trial *trial, const struct variant *variant,
			const struct trace *trace, size_t size)
{
	*trial = (struct trial){.size = size, .buffer = MAP_FAILED};
	if (variant->in_buffer) {
		trial->buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (trial->buffer != MAP_FAILED)
			trial->heap = bheap_create_in(trial->buffer, size, variant->flags);
	} else {
		trial->heap = bheap_create(size, variant->flags);
	}
	trial->blocks = calloc(trace->slot_count + 1, sizeof(*trial->blocks));
	return trial->heap && trial->blocks;
}

static void trial_end(struct trial *trial)
{
	free(trial->blocks);
	if (trial->heap)
		bheap_destroy(trial->heap);
	if (trial->buffer != MAP_FAILED)
		munmap(trial->buffer, trial->size);
}

/* False: no room. */
static bool op_replay(struct trial *trial, const struct trace_op *op)
{
	void **block = &trial->blocks[op->slot], *made;

	switch ((enum trace_kind)op->kind) {
	case TRACE_FREE:
		bheap_free(trial->heap, *block);
		*block = NULL;
		return true;
	case TRACE_ALLOC: made = bheap_alloc(trial->heap, op->size); break;
	case TRACE_ALIGNED:
		made = bheap_aligned_alloc(trial->heap, (size_t)1 << op->alignment_log2, op->size);
		break;
	case TRACE_RESIZE:
	default: made = bheap_realloc(trial->heap, *block, op->size); break;
	}
	if (made)
		*block = made;
	return made != NULL;
}

/* ---- the search ---- */

/* A search takes some twenty replays, and half of those that fail do so early. */
struct search {
	const struct variant *variant;
	const struct trace *trace;
	unsigned replays, replays_expected;
};

static void search_progress(const struct search *search, size_t op)
{
	double part = (double)op / (double)search->trace->op_count;

	progress_set((search->replays + part) / search->replays_expected);
}

static bool search_try(struct search *search, size_t size)
{
	const struct trace *trace = search->trace;
	struct trial trial;
	bool good = trial_begin(&trial, search->variant, trace, size);

	for (size_t op = 0; good && op < trace->op_count; op++) {
		good = op_replay(&trial, &trace->ops[op]);
		if (op % STRIDE == 0)
			search_progress(search, op);
	}
	trial_end(&trial);
	search->replays++;
	return good;
}

static size_t page_round(size_t size)
{
	return (size + PAGE - 1) & -PAGE;
}

/* The first of ever larger steps from a size on that suffices; *below: the last that does not. */
static size_t search_above(struct search *search, size_t size, size_t *below)
{
	size_t step = page_round(size / 64);

	for (size = page_round(size); size <= BHEAP_SIZE_MAX; size += step, step *= 2) {
		if (search_try(search, size))
			return size;
		*below = size;
	}
	return 0;
}

size_t sizing_smallest(const struct variant *variant, const struct trace *trace)
{
	struct search search = {.variant = variant, .trace = trace};
	size_t low = 0, high;

	for (size_t left = trace->peak_size / 64 / PAGE + 2; left; left /= 2)
		search.replays_expected++;
	search.replays_expected += 3;
	high = search_above(&search, trace->peak_size ? trace->peak_size : 1, &low);
	if (!low && high > PAGE)
		low = page_round(trace->peak_size / 2);
	while (high && high - low > PAGE) {
		size_t middle = page_round(low + (high - low) / 2);

		if (search_try(&search, middle))
			high = middle;
		else
			low = middle;
	}
	return high;
}

size_t sizing_confirm(const struct variant *variant, const struct trace *trace, size_t wish)
{
	struct search search = {.variant = variant, .trace = trace, .replays_expected = 1};
	size_t below;

	return search_above(&search, wish, &below);
}

/* ---- watching ---- */

/* The moment with most live bytes in each stretch of the trace. */
static bool moments_choose(const struct trace *trace, struct moment *moments, size_t count)
{
	size_t *sizes = calloc(trace->slot_count + 1, sizeof(*sizes)), live = 0, stretch = 0;
	bool begun = false;

	for (size_t op = 0; sizes && op < trace->op_count; op++) {
		const struct trace_op *one = &trace->ops[op];
		size_t size = one->kind == TRACE_FREE ? 0 : one->size;

		live += size - sizes[one->slot];
		sizes[one->slot] = size;
		if (!begun || live > moments[stretch].live)
			moments[stretch] = (struct moment){.op = op, .live = live};
		begun = true;
		if (op + 1 >= (stretch + 1) * trace->op_count / count) {
			stretch++;
			begun = false;
		}
	}
	free(sizes);
	return sizes != NULL;
}

static void moment_complete(struct moment *moment, const struct trial *trial)
{
	struct bheap_stats stats;

	bheap_stats(trial->heap, &stats);
	moment->used = stats.used;
	moment->largest_free = stats.largest_free;
}

bool sizing_watch(const struct variant *variant, const struct trace *trace, size_t size,
		  struct moment *moments, size_t count)
{
	struct trial trial;
	size_t next = 0;
	bool good = moments_choose(trace, moments, count);

	good = trial_begin(&trial, variant, trace, size) && good;
	for (size_t op = 0; good && op < trace->op_count; op++) {
		good = op_replay(&trial, &trace->ops[op]);
		if (next < count && op == moments[next].op) {
			moment_complete(&moments[next++], &trial);
			progress_set((double)next / (double)count);
		}
	}
	trial_end(&trial);
	return good;
}
