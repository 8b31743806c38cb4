/* SPDX-License-Identifier: MIT */
/*
 * show.c - the table of blocks and the totals, for people. Reads only, and holds the heap locked
 * meanwhile, so that the table is one moment's picture.
 */
#include "api/show.h"

#include "api/cached.h"
#include "api/chart.h"
#include "api/walk.h"
#include "os/setting.h"

#include <errno.h>
#include <inttypes.h>

struct table {
	FILE *stream;
	uint64_t rows;
	size_t used, free, largest_free;
};

static const char *status_text(bool used)
{
	return used ? "alloc" : "FREE";
}

static void total_add(struct table *table, const struct bheap_block *block)
{
	size_t *total = block->used ? &table->used : &table->free;

	*total += block->size;
	if (!block->used && block->size > table->largest_free)
		table->largest_free = block->size;
}

static int row_print(const struct bheap_block *block, void *arg)
{
	struct table *table = arg;
	uintptr_t begin = (uintptr_t)block->address;

	total_add(table, block);
	table->rows++;
	return fprintf(table->stream,
		       "%-8" PRIu64 "%-8s%-8s0x%016" PRIxPTR "  0x%016" PRIxPTR "  %zu\n",
		       table->rows, status_text(block->used), status_text(block->previous_used),
		       begin, begin + block->size - 1, block->size) < 0;
}

static int totals_print(const struct table *table)
{
	return fprintf(table->stream,
		       "Total used:         %zu bytes\n"
		       "Total free:         %zu bytes\n"
		       "Total size:         %zu bytes\n"
		       "Largest free block: %zu bytes\n",
		       table->used, table->free, table->used + table->free,
		       table->largest_free) < 0;
}

static int limit_print(const bheap_t *heap, FILE *stream)
{
	uint64_t limit = bh_handle_limit(heap);

	return limit && fprintf(stream, "Limit:              %" PRIu64 " bytes\n", limit) < 0;
}

static int table_show(const bheap_t *heap, FILE *stream, bool charted)
{
	struct table table = {.stream = stream};
	struct bh_call call;
	int failed;

	if (!bh_cached_enter_to_walk(&call, heap))
		return -1;
	/* Output is a cancellation point. */
	pthread_cleanup_push(bh_walk_cancelled, &call);
	failed = fprintf(stream, "%-8s%-8s%-8s%-20s%-20s%s\n", "No.", "Status", "Prev", "t_Begin",
			 "t_End", "t_Size") < 0 ||
		 bh_walk_blocks(heap, row_print, &table) || totals_print(&table) ||
		 limit_print(heap, stream) || (charted && bh_chart_print(heap, stream)) ||
		 fflush(stream);
	pthread_cleanup_pop(1);
	return failed ? -1 : 0;
}

int bh_show(const bheap_t *heap, FILE *stream)
{
	return table_show(heap, stream, false);
}

int bh_show_charted(const bheap_t *heap, FILE *stream)
{
	return table_show(heap, stream, true);
}

bool bh_show_wants_chart(void)
{
	return bh_settings.charts;
}

int bheap_display(const bheap_t *heap, FILE *stream)
{
	if (!stream) {
		errno = EINVAL;
		return -1;
	}
	return bh_show(heap, stream);
}
