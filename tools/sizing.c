/* SPDX-License-Identifier: MIT */
/*
 * sizing.c - see sizing.h. Memory that the replayed blocks would hold is never written to, so a
 * heap of gigabytes costs little. A replay takes seconds if there are millions of operations, so
 * few are made: blocks are placed in the same way in each heap that is large enough, and where the
 * last one ended in a heap with room to spare is, mostly to the page, what suffices.
 */
#include "sizing.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "progress.h"
#include "replay.h"

#define PAGE SIZING_PAGE
/* The number of progress steps of a replay. */
#define STRIDE 65536
/* Replays that a search mostly takes. */
#define REPLAYS_EXPECTED 3

static const char *library_path;

bool sizing_set_library(const char *path)
{
	const struct trace nothing = {.op_count = 0};
	const struct replay replay = {.library = path};

	library_path = path;
	return replay_run(&replay, &nothing);
}

/* ---- heaps to try ---- */

struct trial {
	bheap_t *heap;
	void *buffer;
	size_t size;
	void **blocks;       /* by slot */
	const char *start;   /* of the first block */
	const char *end;     /* of the last one at most */
	size_t trailer_size; /* what a block has behind it */
};

static int start_note(const struct bheap_block *block, void *trial)
{
	((struct trial *)trial)->start = block->address;
	return 1;
}

static bool trial_begin(struct trial *trial, const struct variant *variant,
			const struct trace *trace, size_t size)
{
	*trial = (struct trial){.size = size, .buffer = MAP_FAILED};
	if (variant->flags & BHEAP_GUARD)
		trial->trailer_size = BHEAP_ALIGNMENT;
	if (variant->in_buffer) {
		trial->buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (trial->buffer != MAP_FAILED)
			trial->heap = bheap_create_in(trial->buffer, size, variant->flags);
	} else {
		trial->heap = bheap_create(size, variant->flags);
	}
	trial->blocks = calloc((size_t)trace->slot_count + 1, sizeof(*trial->blocks));
	if (!trial->heap || !trial->blocks)
		return false;
	bheap_walk(trial->heap, start_note, trial);
	trial->end = trial->start;
	return true;
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
	void **block = &trial->blocks[op->slot];
	char *made;

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
	if (!made)
		return false;
	*block = made;
	if (made + op->size > trial->end)
		trial->end = made + op->size;
	return true;
}

/* What the heap held up to the last block, with what its size has beside blocks. */
static size_t trial_extent(const struct trial *trial)
{
	size_t size = (size_t)(trial->end - trial->start), front = 0;

	if (trial->buffer != MAP_FAILED) {
		struct bheap_stats stats;

		bheap_stats(trial->heap, &stats);
		front = (trial->size - stats.size) * size / stats.size + PAGE;
	}
	return size + trial->trailer_size + front;
}

/* ---- one replay ---- */

struct search {
	const struct variant *variant;
	const struct trace *trace;
	size_t extent; /* of the last replay here that succeeded */
	unsigned replays;
};

static void search_progress(void *arg, size_t op)
{
	const struct search *search = arg;
	double part = (double)op / (double)search->trace->op_count;

	progress_set((search->replays + part) / REPLAYS_EXPECTED);
}

static bool search_try_here(struct search *search, size_t size)
{
	const struct trace *trace = search->trace;
	struct trial trial;
	bool good = trial_begin(&trial, search->variant, trace, size);

	for (size_t op = 0; good && op < trace->op_count; op++) {
		good = op_replay(&trial, &trace->ops[op]);
		if (op % STRIDE == 0)
			search_progress(search, op);
	}
	if (good)
		search->extent = trial_extent(&trial);
	trial_end(&trial);
	return good;
}

static bool search_try_in_library(struct search *search, size_t size)
{
	const struct replay replay = {
		.library = library_path, .size = size, .progress = search_progress, .arg = search};

	return replay_run(&replay, search->trace);
}

static bool search_try(struct search *search, size_t size)
{
	bool good = search->variant->in_library ? search_try_in_library(search, size)
						: search_try_here(search, size);

	search->replays++;
	return good;
}

/* ---- the search ---- */

static size_t page_round(size_t size)
{
	return (size + PAGE - 1) & -PAGE;
}

/* The first of ever larger steps from a size on that suffices; *below: the last that does not. */
static size_t search_above(struct search *search, size_t size, size_t step, size_t *below)
{
	for (size = page_round(size); size <= BHEAP_SIZE_MAX; size += step, step *= 2) {
		if (search_try(search, size))
			return size;
		*below = size;
	}
	return 0;
}

/*
 * The last of ever larger steps down from a size that suffices; *below, at first a size that cannot
 * suffice: the one that does not.
 */
static size_t search_below(struct search *search, size_t size, size_t *below)
{
	for (size_t step = PAGE; size > *below + PAGE; step *= 2) {
		size_t next = size - *below > step ? size - step : *below + PAGE;

		if (!search_try(search, next)) {
			*below = next;
			break;
		}
		size = next;
	}
	return size;
}

/* A size with room to spare. */
static size_t size_generous(const struct trace *trace)
{
	uint64_t room = ((uint64_t)trace->peak_size + (uint64_t)trace->peak_blocks * 32) / 2 * 3;

	return room < BHEAP_SIZE_MAX ? page_round((size_t)room + 1) : BHEAP_SIZE_MAX;
}

/*
 * Where the last block ends in a heap with room to spare; the peak where none can be had. The
 * library's caches are full in such a heap, and drained before a request is refused, so a heap
 * without caches tells more.
 */
static size_t extent_find(struct search *search)
{
	static const struct variant plain = {.in_library = false};
	struct search here = *search;
	size_t peak = search->trace->peak_size, size = size_generous(search->trace);
	bool found;

	if (search->variant->in_library)
		here.variant = &plain;
	found = peak <= BHEAP_SIZE_MAX &&
		(search_try(&here, size) ||
		 (size < BHEAP_SIZE_MAX / 4 && search_try(&here, size * 4)));
	search->replays = here.replays;
	return found ? here.extent : peak | !peak;
}

size_t sizing_smallest(const struct variant *variant, const struct trace *trace)
{
	struct search search = {.variant = variant, .trace = trace};
	size_t extent = page_round(extent_find(&search)), peak = page_round(trace->peak_size);
	size_t low = peak > PAGE ? peak - PAGE : 0, high;

	high = search_above(&search, extent, PAGE, &low);
	if (high == extent)
		high = search_below(&search, high, &low);
	while (high && high - low > PAGE) {
		size_t middle = page_round(low + (high - low) / 2);

		if (search_try(&search, middle))
			high = middle;
		else
			low = middle;
	}
	return high;
}

bool sizing_suffices(const struct variant *variant, const struct trace *trace, size_t size)
{
	struct search search = {.variant = variant, .trace = trace};

	return search_try(&search, size);
}

size_t sizing_confirm(const struct variant *variant, const struct trace *trace, size_t wish)
{
	struct search search = {.variant = variant, .trace = trace};
	size_t below;

	return search_above(&search, wish, page_round(wish / 64), &below);
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
