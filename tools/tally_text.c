/* SPDX-License-Identifier: MIT */
/*
 * tally_text.c - see tally_text.h.
 */
#include "tally_text.h"

#include <inttypes.h>

#define BAR_LENGTH 28

static const struct {
	const char *title, *name; /* for people, and in JSON */
} kinds[TALLY_KINDS] = {
	[TALLY_MALLOC] = {"malloc()", "malloc"},
	[TALLY_CALLOC] = {"calloc()", "calloc"},
	[TALLY_ALIGNED] = {"aligned allocation", "aligned"},
	[TALLY_REALLOC] = {"realloc() in place", "realloc_in_place"},
	[TALLY_REALLOC_MOVED] = {"realloc() that moved", "realloc_moved"},
	[TALLY_REALLOC_NULL] = {"realloc() of NULL", "realloc_null"},
	[TALLY_REALLOC_ZERO] = {"realloc() to 0 bytes", "realloc_zero"},
	[TALLY_FREE] = {"free()", "free"},
	[TALLY_FREE_NULL] = {"free() of NULL", "free_null"},
};

/* ---- for people ---- */

static void row_print(FILE *stream, const char *title, const struct tally_row *row)
{
	fprintf(stream, "  %-20s %12" PRIu64 " %10" PRIu64 " %16" PRIu64 " %16" PRIu64 "\n", title,
		row->calls, row->failed, row->allocated, row->freed);
}

static void kinds_print(FILE *stream, const struct tally *tally)
{
	struct tally_row sum = tally_sum(tally);

	fprintf(stream, "  %-20s %12s %10s %16s %16s\n", "function", "calls", "failed",
		"bytes allocated", "bytes freed");
	for (unsigned kind = 0; kind < TALLY_KINDS; kind++)
		if (tally->rows[kind].calls)
			row_print(stream, kinds[kind].title, &tally->rows[kind]);
	row_print(stream, "all", &sum);
}

static uint64_t size_least(unsigned index)
{
	return index ? tally_size_most(index - 1) + 1 : 0;
}

static void size_print_row(FILE *stream, unsigned index, uint64_t requests, uint64_t all,
			   uint64_t most)
{
	static const char bar[BAR_LENGTH + 1] = "############################";
	double part = all ? (double)requests / (double)all : 0;
	int length = most ? (int)((double)requests / (double)most * BAR_LENGTH + 0.5) : 0;

	if (index)
		fprintf(stream, "  %11" PRIu64 " to %-11" PRIu64, size_least(index),
			tally_size_most(index));
	else
		fprintf(stream, "  %11s    %-11s", "0", "");
	fprintf(stream, "%12" PRIu64 " %5.1f %%%s%.*s\n", requests, 100 * part, length ? "  " : "",
		length, bar);
}

static void sizes_print(FILE *stream, const struct tally *tally)
{
	unsigned first = TALLY_SIZES, last = 0;
	uint64_t all = 0, most = 0;

	for (unsigned index = 0; index < TALLY_SIZES; index++) {
		uint64_t requests = tally->sizes[index];

		if (!requests)
			continue;
		first = first < index ? first : index;
		last = index;
		all += requests;
		most = requests > most ? requests : most;
	}
	fprintf(stream, "\n  %-26s%12s\n", "bytes asked for", "requests");
	for (unsigned index = first; index <= last; index++)
		size_print_row(stream, index, tally->sizes[index], all, most);
}

void tally_print(FILE *stream, const struct tally *tally)
{
	kinds_print(stream, tally);
	sizes_print(stream, tally);
}

/* ---- as JSON ---- */

static struct json_object *row_json(const struct tally_row *row)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "calls", json_object_new_uint64(row->calls));
	json_object_object_add(object, "failed", json_object_new_uint64(row->failed));
	json_object_object_add(object, "allocated", json_object_new_uint64(row->allocated));
	json_object_object_add(object, "freed", json_object_new_uint64(row->freed));
	return object;
}

static struct json_object *sizes_json(const struct tally *tally)
{
	struct json_object *sizes = json_object_new_array();

	for (unsigned index = 0; index < TALLY_SIZES; index++) {
		struct json_object *size;

		if (!tally->sizes[index])
			continue;
		size = json_object_new_object();
		json_object_object_add(size, "least", json_object_new_uint64(size_least(index)));
		json_object_object_add(size, "most",
				       json_object_new_uint64(tally_size_most(index)));
		json_object_object_add(size, "requests",
				       json_object_new_uint64(tally->sizes[index]));
		json_object_array_add(sizes, size);
	}
	return sizes;
}

void tally_json(struct json_object *object, const struct tally *tally)
{
	struct json_object *functions = json_object_new_object();
	struct tally_row sum = tally_sum(tally);

	for (unsigned kind = 0; kind < TALLY_KINDS; kind++)
		json_object_object_add(functions, kinds[kind].name, row_json(&tally->rows[kind]));
	json_object_object_add(object, "functions", functions);
	json_object_object_add(object, "all", row_json(&sum));
	json_object_object_add(object, "sizes", sizes_json(tally));
}
