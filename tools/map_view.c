/* SPDX-License-Identifier: MIT */
/*
 * map_view.c - see map_view.h.
 */
#include "map_view.h"

#include <inttypes.h>

#include "cells.h"
#include "size_text.h"
#include "svg.h"

/* ---- as text ---- */

#define ROWS_MAX 32

/* Terminal colours of the kinds. */
static const char *const escapes[KINDS] = {
	[KIND_FREE] = "\033[2m",   [KIND_SMALL] = "\033[36m", [KIND_MEDIUM] = "\033[32m",
	[KIND_LARGE] = "\033[33m", [KIND_HUGE] = "\033[35m",  [KIND_GUARD] = "\033[31m",
};

/* '.' free, '1' to '9' tenths in use, '#' full. */
static char cell_character(const struct cell *cell)
{
	uint64_t used = cell_used(cell), all = used + cell->bytes[KIND_FREE];
	uint64_t tenths = used * 10 / all;

	if (!used)
		return '.';
	return used == all ? '#' : (char)('0' + (tenths ? tenths : 1));
}

static void row_print(const struct cells *cells, size_t first, unsigned columns, FILE *stream,
		      bool colours)
{
	enum kind last = KINDS;

	fprintf(stream, "%12" PRIx64 " ", first * cells->cell_size);
	for (size_t cell = first; cell < cells->count && cell < first + columns; cell++) {
		enum kind kind = cell_kind(&cells->list[cell]);

		if (colours && kind != last)
			fprintf(stream, "\033[0m%s", escapes[kind]);
		last = kind;
		fputc(cell_character(&cells->list[cell]), stream);
	}
	fputs(colours ? "\033[0m\n" : "\n", stream);
}

#define TOTALS_IN_ROW 3

/* Bytes in live blocks of each kind, three in a row, in the colours of the map. */
static void totals_print(const struct cells *cells, FILE *stream, bool colours)
{
	unsigned column = 0;

	for (unsigned kind = KIND_FREE + 1; kind < KINDS; kind++) {
		char size[SIZE_TEXT_MAX];

		if (!cells->totals[kind])
			continue;
		fprintf(stream, "%s  %s%-11s%s %10s", column == TOTALS_IN_ROW ? "\n" : "",
			colours ? escapes[kind] : "", kind_names[kind], colours ? "\033[0m" : "",
			size_print(size, cells->totals[kind]));
		column = column % TOTALS_IN_ROW + 1;
	}
	if (column)
		fputc('\n', stream);
}

static void legend_print(const struct cells *cells, const struct picture *picture, FILE *stream,
			 bool colours)
{
	char text[SIZE_TEXT_MAX];

	fprintf(stream, "one character is %s: '.' free, '1' to '9' tenths in use, '#' full\n",
		size_print(text, cells->cell_size));
	totals_print(cells, stream, colours);
	if (cells->covered < picture->stats.size)
		fprintf(stream, "%12" PRIx64 " and on: %s free\n", cells->covered,
			size_print(text, picture->stats.size - cells->covered));
}

void map_print(const struct picture *picture, FILE *stream, unsigned columns, bool whole,
	       bool colours)
{
	struct cells cells;

	cells_make(&cells, picture, (size_t)columns * ROWS_MAX, whole);
	for (size_t first = 0; first < cells.count; first += columns)
		row_print(&cells, first, columns, stream, colours);
	legend_print(&cells, picture, stream, colours);
	cells_release(&cells);
}

/* ---- as SVG ---- */

#define DRAWN_COLUMNS 256
#define DRAWN_ROWS 64
#define CELL_WIDTH 4.0
#define ROW_HEIGHT 12.0
#define ROW_GAP 2.0
#define LEFT 100.0
#define TOP 84.0

static const char *const colours[KINDS] = {
	[KIND_FREE] = "#e8e8e8",  [KIND_SMALL] = "#0072b2", [KIND_MEDIUM] = "#009e73",
	[KIND_LARGE] = "#e69f00", [KIND_HUGE] = "#8a4fa3",  [KIND_GUARD] = "#d55e00",
};

/* Cells that look the same are drawn as one: their kind, and the fill in quarters. */
static unsigned cell_look(const struct cell *cell)
{
	uint64_t used = cell_used(cell), all = used + cell->bytes[KIND_FREE];

	return cell_kind(cell) * 8u + (unsigned)((used * 4 + all - 1) / all);
}

static void run_draw(FILE *stream, size_t column, size_t length, double y, unsigned look)
{
	double x = LEFT + CELL_WIDTH * (double)column, width = CELL_WIDTH * (double)length;
	double fill = look % 8 / 4.0;

	svg_rect(stream, x, y, width, ROW_HEIGHT, colours[KIND_FREE], 1);
	if (look / 8 != KIND_FREE)
		svg_rect(stream, x, y, width, ROW_HEIGHT, colours[look / 8], 0.25 + 0.75 * fill);
}

static void row_draw(const struct cells *cells, size_t first, double y, FILE *stream)
{
	size_t end = first + DRAWN_COLUMNS < cells->count ? first + DRAWN_COLUMNS : cells->count;
	size_t begin = first;
	char label[32];

	snprintf(label, sizeof(label), "%" PRIx64, first * cells->cell_size);
	svg_text(stream, LEFT - 8, y + ROW_HEIGHT - 2, ANCHOR_END, 11, label);
	for (size_t cell = first + 1; cell <= end; cell++) {
		unsigned look = cell_look(&cells->list[begin]);

		if (cell < end && cell_look(&cells->list[cell]) == look)
			continue;
		run_draw(stream, begin - first, cell - begin, y, look);
		begin = cell;
	}
}

static void legend_draw(const struct cells *cells, FILE *stream)
{
	double x = LEFT;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		char size[SIZE_TEXT_MAX], text[64];

		if (!cells->totals[kind])
			continue;
		svg_rect(stream, x, TOP - 30, 12, 12, colours[kind], 1);
		snprintf(text, sizeof(text), "%s: %s", kind_names[kind],
			 size_print(size, cells->totals[kind]));
		svg_text(stream, x + 17, TOP - 20, ANCHOR_START, 12, text);
		x += 172;
	}
}

static void heading_draw(const struct cells *cells, const struct picture *picture, FILE *stream)
{
	const struct bheap_stats *stats = &picture->stats;
	char size[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX], largest[SIZE_TEXT_MAX], cell[SIZE_TEXT_MAX];
	char line[256];

	snprintf(line, sizeof(line), "%.200s", picture->name);
	svg_text(stream, LEFT, 22, ANCHOR_START, 16, line);
	snprintf(
		line, sizeof(line),
		"%s, %s used in %zu block%s, largest free block %s, fragmentation %.1f %%; a column is %s",
		size_print(size, stats->size), size_print(used, stats->used), stats->live_blocks,
		plural(stats->live_blocks), size_print(largest, stats->largest_free),
		100 * stats->fragmentation, size_print(cell, cells->cell_size));
	svg_text(stream, LEFT, 42, ANCHOR_START, 12, line);
}

void map_draw(const struct picture *picture, FILE *stream, bool whole)
{
	struct cells cells;
	double rows, y = TOP;
	char rest[SIZE_TEXT_MAX], line[64];

	cells_make(&cells, picture, (size_t)DRAWN_COLUMNS * DRAWN_ROWS, whole);
	rows = (double)((cells.count - 1) / DRAWN_COLUMNS + 1);
	svg_begin(stream, LEFT + DRAWN_COLUMNS * CELL_WIDTH + 24,
		  TOP + rows * (ROW_HEIGHT + ROW_GAP) + 30, picture->name);
	heading_draw(&cells, picture, stream);
	legend_draw(&cells, stream);
	for (size_t first = 0; first < cells.count; first += DRAWN_COLUMNS) {
		row_draw(&cells, first, y, stream);
		y += ROW_HEIGHT + ROW_GAP;
	}
	if (cells.covered < picture->stats.size) {
		snprintf(line, sizeof(line), "after it %s free",
			 size_print(rest, picture->stats.size - cells.covered));
		svg_text(stream, LEFT, y + 14, ANCHOR_START, 12, line);
	}
	svg_end(stream);
	cells_release(&cells);
}
