/* SPDX-License-Identifier: MIT */
/*
 * chart.c - draws row by row as the walk comes by, so that it needs no memory. Shows the heap up to
 * its last used block, for the rest is one free block; all of it where nothing is used.
 */
#include "api/chart.h"

#include "api/walk.h"

#define COLUMNS 64
#define ROWS_MAX 32

struct chart {
	FILE *stream;
	const char *start;
	size_t extent;        /* bytes shown */
	size_t cell_size;     /* a power of two */
	size_t row;           /* where the row under way begins */
	size_t used[COLUMNS]; /* bytes of its cells */
};

static int extent_find(const struct bheap_block *block, void *arg)
{
	struct chart *chart = arg;

	if (block->used)
		chart->extent = (size_t)((const char *)block->address - chart->start) + block->size;
	return 0;
}

static size_t cell_size_for(size_t extent)
{
	size_t size = BH_GRANULE;

	BH_ASSERT(extent);
	while ((extent - 1) / size >= (size_t)COLUMNS * ROWS_MAX)
		size *= 2;
	return size;
}

static char cell_character(size_t used, size_t size)
{
	size_t tenths = used * 10 / size;

	if (!used)
		return '.';
	return used == size ? '#' : (char)('0' + (tenths ? tenths : 1));
}

static int row_print(struct chart *chart)
{
	size_t begin = chart->row, at = begin;
	char line[COLUMNS + 1];
	unsigned cell;

	for (cell = 0; cell < COLUMNS && at < chart->extent; cell++) {
		size_t rest = chart->extent - at;
		size_t size = rest < chart->cell_size ? rest : chart->cell_size;

		line[cell] = cell_character(chart->used[cell], size);
		chart->used[cell] = 0;
		at += size;
	}
	line[cell] = '\0';
	chart->row += COLUMNS * chart->cell_size;
	return fprintf(chart->stream, "%12zx %s\n", begin, line) < 0;
}

static int block_draw(const struct bheap_block *block, void *arg)
{
	struct chart *chart = arg;
	size_t at = (size_t)((const char *)block->address - chart->start);
	size_t end = at + block->size;

	while (block->used && at < end) {
		size_t cell = (at - chart->row) / chart->cell_size;
		size_t next = chart->row + (cell + 1) * chart->cell_size;

		if (cell >= COLUMNS) {
			if (row_print(chart))
				return -1;
			continue;
		}
		next = next < end ? next : end;
		chart->used[cell] += next - at;
		at = next;
	}
	return 0;
}

static int legend_print(const struct chart *chart, size_t size)
{
	if (fprintf(chart->stream,
		    "one character is %zu bytes: '.' free, '1' to '9' tenths in use, '#' full\n",
		    chart->cell_size) < 0)
		return -1;
	return chart->extent < size && fprintf(chart->stream, "%12zx and on: %zu bytes free\n",
					       chart->extent, size - chart->extent) < 0;
}

int bh_chart_print(const bheap_t *heap, FILE *stream)
{
	struct chart chart = {.stream = stream, .start = bh_core_start(&heap->core)};
	size_t size = bh_core_size(&heap->core);

	bh_walk_blocks(heap, extent_find, &chart);
	if (!chart.extent)
		chart.extent = size;
	chart.cell_size = cell_size_for(chart.extent);
	if (bh_walk_blocks(heap, block_draw, &chart))
		return -1;
	while (chart.row < chart.extent)
		if (row_print(&chart))
			return -1;
	return legend_print(&chart, size);
}
