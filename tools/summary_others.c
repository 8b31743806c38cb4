/* SPDX-License-Identifier: MIT */
/*
 * summary_others.c - see summary_others.h.
 */
#include "summary_others.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "size_text.h"
#include "utf8.h"

#define ROWS_MOST 12

/* A process, or all that ran one program. */
struct row {
	char program[32];
	size_t count, replaced, untold; /* the figures of these may be old */
	long pid;
	uint64_t largest, sum, refused, faults;
};

static void row_add(struct row *row, const struct record *record)
{
	uint64_t peak = record->figures[FIGURE_PEAK_USED];

	memcpy(row->program, record->program, sizeof(row->program));
	row->pid = record->process.pid;
	row->count++;
	row->replaced += record->replaced;
	row->untold += !record->replaced && !record->figures[FIGURE_ENDED];
	row->largest = peak > row->largest ? peak : row->largest;
	row->sum += peak;
	row->refused += record->figures[FIGURE_FAILURES];
	row->faults += record->figures[FIGURE_FAULTS];
}

static int row_order(const void *one, const void *other)
{
	const struct row *left = one, *right = other;

	if (left->largest != right->largest)
		return left->largest < right->largest ? 1 : -1;
	return strcmp(left->program, right->program);
}

static struct row *row_for(struct row *rows, size_t *count, const struct record *record, bool each)
{
	for (size_t index = 0; index < *count && !each; index++)
		if (strcmp(rows[index].program, record->program) == 0)
			return &rows[index];
	return &rows[(*count)++];
}

/* Of all but the program itself; their number. */
static size_t rows_make(const struct summary *summary, struct row *rows)
{
	const struct records *records = &summary->records;
	const struct record *own = records_find(records, handover_process(&summary->end));
	size_t count = 0;

	for (size_t index = 0; index < records->count; index++)
		if (&records->list[index] != own)
			row_add(row_for(rows, &count, &records->list[index], summary->each),
				&records->list[index]);
	/* Of each process the order tells more. */
	if (count && !summary->each)
		qsort(rows, count, sizeof(*rows), row_order);
	return count;
}

static char mark_of(const struct row *row)
{
	return row->untold || row->replaced ? '*' : ' ';
}

static void row_print(FILE *stream, const struct row *row, bool each)
{
	char largest[SIZE_TEXT_MAX], sum[SIZE_TEXT_MAX], program[UTF8_TEXT_MAX];

	utf8_text(program, row->program);
	if (each)
		fprintf(stream, "  %9ld  %-20.20s %12s%c %9" PRIu64 " %7" PRIu64 "\n", row->pid,
			program, size_print(largest, row->largest), mark_of(row), row->refused,
			row->faults);
	else
		fprintf(stream, "  %9zu  %-20.20s %12s%c %12s %9" PRIu64 " %7" PRIu64 "\n",
			row->count, program, size_print(largest, row->largest), mark_of(row),
			size_print(sum, row->sum), row->refused, row->faults);
}

/* Of so many heaps some are of what a process was before it executed another program. */
static const char *heaps_name(size_t heaps, size_t replaced)
{
	if (!replaced)
		return heaps == 1 ? "other process, with" : "other processes, each with";
	if (replaced < heaps)
		return "other processes and former programs, each with";
	return heaps == 1 ? "former program, with" : "former programs, each with";
}

static void heading_print(FILE *stream, size_t heaps, size_t replaced, bool each)
{
	fprintf(stream, "bheap: %zu %s a heap of its own:\n", heaps, heaps_name(heaps, replaced));
	if (each)
		fprintf(stream, "  %9s  %-20s %12s  %9s %7s\n", "process", "program", "peak",
			"refused", "faults");
	else
		fprintf(stream, "  %9s  %-20s %12s  %12s %9s %7s\n", "processes", "program",
			"largest peak", "sum of peaks", "refused", "faults");
}

static void rest_print(FILE *stream, const struct row *rows, size_t first, size_t count)
{
	size_t processes = 0;

	for (size_t index = first; index < count; index++)
		processes += rows[index].count;
	if (processes)
		fprintf(stream, "  %9zu  of %zu other program%s: --processes lists them\n",
			processes, count - first, plural(count - first));
}

static void marks_explain(FILE *stream, const struct row *rows, size_t count)
{
	size_t replaced = 0, untold = 0;

	for (size_t index = 0; index < count; index++) {
		replaced += rows[index].replaced;
		untold += rows[index].untold;
	}
	if (untold)
		fputs("  * may be old: its end was not recorded (a signal), or it runs on\n",
		      stream);
	if (replaced)
		fputs("  * may be old: executed another program\n", stream);
}

static void rows_print(FILE *stream, const struct summary *summary, const struct row *rows,
		       size_t count)
{
	size_t shown = summary->each || count <= ROWS_MOST ? count : ROWS_MOST;
	size_t heaps = 0, replaced = 0;

	for (size_t index = 0; index < count; index++) {
		heaps += rows[index].count;
		replaced += rows[index].replaced;
	}
	heading_print(stream, heaps, replaced, summary->each);
	for (size_t index = 0; index < shown; index++)
		row_print(stream, &rows[index], summary->each);
	rest_print(stream, rows, shown, count);
	marks_explain(stream, rows, shown);
}

static struct row *rows_room(const struct summary *summary)
{
	struct row *rows = calloc(summary->records.count + 1, sizeof(*rows));

	if (!rows)
		err(1, "%zu records", summary->records.count);
	return rows;
}

bool summary_others_print(FILE *stream, const struct summary *summary)
{
	struct row *rows = rows_room(summary);
	size_t count = rows_make(summary, rows);

	if (count)
		rows_print(stream, summary, rows, count);
	free(rows);
	return count != 0;
}
