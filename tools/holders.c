/* SPDX-License-Identifier: MIT */
/*
 * holders.c - see holders.h. The folded stacks are those of the peak, or, if only those of the end
 * are asked for, of the end.
 */
#include "holders.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "frame_text.h"
#include "place_text.h"
#include "size_text.h"

#define PLACES_SHOWN 10

bool holders_wanted(const struct holders *holders)
{
	return holders->at_peak || holders->at_end || holders->folded.path;
}

/* ---- finding them ---- */

/* "outermost;...;innermost BYTES" */
static void stack_fold(FILE *stream, const struct holding *holding, struct stacks *stacks)
{
	stacks_resolve(stacks, holding->stack);
	for (size_t left = stacks->count; left; left--) {
		frame_fold(stream, &stacks->frames[left - 1]);
		fputs(left > 1 ? ";" : "", stream);
	}
	fprintf(stream, " %" PRIu64 "\n", holding->bytes);
}

static bool all_fold(struct holders *holders, const struct holdings *holdings)
{
	for (size_t index = 0; index < holdings->count; index++)
		if (holdings->list[index].bytes)
			stack_fold(holders->folded.stream, &holdings->list[index],
				   &holders->stacks);
	return output_keep(&holders->folded);
}

/* After so many operations; fold: this is the moment of the folded stacks. */
static bool moment_find(struct holders *holders, struct places *places, const struct trace *trace,
			size_t op_count, bool fold)
{
	struct holdings holdings;
	bool good = true;

	holdings_make(&holdings, trace, holders->stacks.calls, op_count);
	places_make(places, &holdings, &holders->stacks, holders->depth);
	if (fold && holders->folded.path)
		good = all_fold(holders, &holdings);
	holdings_release(&holdings);
	return good;
}

bool holders_find(struct holders *holders, const struct trace *trace, const struct calls *calls)
{
	bool fold_end = holders->at_end && !holders->at_peak, good = true;

	stacks_open(&holders->stacks, calls);
	if (!fold_end)
		good = moment_find(holders, &holders->peak, trace, holdings_peak(trace), true);
	if (holders->at_end &&
	    !moment_find(holders, &holders->end, trace, trace->op_count, fold_end))
		good = false;
	return good;
}

void holders_band(struct holders *holders, const struct trace *trace, const struct moment *moments,
		  size_t count)
{
	if (holders->at_peak)
		bands_make(&holders->bands, trace, &holders->stacks, &holders->peak, moments,
			   count);
}

void holders_release(struct holders *holders)
{
	bands_release(&holders->bands);
	places_release(&holders->peak);
	places_release(&holders->end);
	if (holders->stacks.calls)
		stacks_close(&holders->stacks);
}

/* ---- telling them ---- */

static size_t shown_count(const struct places *places)
{
	return places->count < PLACES_SHOWN ? places->count : PLACES_SHOWN;
}

static void place_print(FILE *stream, const struct place *place, size_t number, uint64_t whole)
{
	char size[SIZE_TEXT_MAX];

	fprintf(stream, "\n%3zu. %s in %" PRIu64 " block%s, %.1f %%", number,
		size_print(size, place->bytes), place->blocks, plural(place->blocks),
		whole ? 100.0 * (double)place->bytes / (double)whole : 0);
	if (!strstr(size, "byte"))
		fprintf(stream, " (%" PRIu64 " bytes)", place->bytes);
	fputc('\n', stream);
	place_calls_print(stream, place);
}

static void moment_print(FILE *stream, const struct places *places, const char *moment)
{
	char size[SIZE_TEXT_MAX];
	size_t shown = shown_count(places);

	fprintf(stream, "\nAt the %s: %s in %" PRIu64 " block%s", moment,
		size_print(size, places->bytes), places->blocks, plural(places->blocks));
	if (shown < places->count)
		fprintf(stream, "; of %zu places these hold most", places->count);
	fputs(shown ? ":\n" : ".\n", stream);
	for (size_t index = 0; index < shown; index++)
		place_print(stream, &places->list[index], index + 1, places->bytes);
}

void holders_print(FILE *stream, const struct holders *holders)
{
	if (holders->at_peak)
		moment_print(stream, &holders->peak, "peak");
	if (holders->at_end)
		moment_print(stream, &holders->end, "end");
}

static struct json_object *place_json(const struct place *place)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "bytes", json_object_new_uint64(place->bytes));
	json_object_object_add(object, "blocks", json_object_new_uint64(place->blocks));
	json_object_object_add(object, "calls", place_calls_json(place));
	return object;
}

static struct json_object *moment_json(const struct places *places)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();

	for (size_t index = 0; index < shown_count(places); index++)
		json_object_array_add(list, place_json(&places->list[index]));
	json_object_object_add(object, "bytes", json_object_new_uint64(places->bytes));
	json_object_object_add(object, "blocks", json_object_new_uint64(places->blocks));
	json_object_object_add(object, "place_count", json_object_new_uint64(places->count));
	json_object_object_add(object, "places", list);
	return object;
}

void holders_json(struct json_object *object, const struct holders *holders)
{
	if (holders->at_peak)
		json_object_object_add(object, "callers", moment_json(&holders->peak));
	if (holders->at_end)
		json_object_object_add(object, "leaks", moment_json(&holders->end));
}
