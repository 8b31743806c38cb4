/* SPDX-License-Identifier: MIT */
/*
 * places.c - see places.h. Two frames are the same if what is known of them is: a function may have
 * several return addresses in a line, and in one without debug information only its name counts.
 */
#include "places.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "progress.h"

static bool text_equal(const char *one, const char *other)
{
	return one == other || (one && other && strcmp(one, other) == 0);
}

static bool frame_equal(const struct source_frame *one, const struct source_frame *other)
{
	return text_equal(one->function, other->function) && text_equal(one->file, other->file) &&
	       one->line == other->line && (one->function || one->offset == other->offset) &&
	       text_equal(one->module, other->module);
}

/* Of the stack that was resolved last. */
static void frames_take(struct place *place, const struct stacks *stacks, size_t depth)
{
	place->frames = memory_zero(depth, sizeof(*place->frames));
	for (size_t index = 0; index < stacks->count; index++) {
		const struct source_frame *frame = &stacks->frames[index];

		if (place->count && frame_equal(frame, &place->frames[place->count - 1]))
			continue;
		if (frame->library && index + 1 < stacks->count && frame[1].library)
			continue;
		place->deeper = place->count == depth;
		if (place->deeper)
			break;
		place->frames[place->count++] = *frame;
	}
}

static void frame_key(FILE *stream, const struct source_frame *frame)
{
	fprintf(stream, "%s\n%s\n%d\n%s\n", frame->function ? frame->function : "",
		frame->file ? frame->file : "", frame->line, frame->module ? frame->module : "");
	if (!frame->function)
		fprintf(stream, "%" PRIx64 "\n", frame->offset);
}

static char *key_make(const struct place *place)
{
	char *key = NULL;
	size_t size;
	FILE *stream = open_memstream(&key, &size);

	if (!stream)
		err(1, "callers");
	for (size_t index = 0; index < place->count; index++)
		frame_key(stream, &place->frames[index]);
	if (fclose(stream))
		err(1, "callers");
	return key;
}

void place_find(struct place *place, struct stacks *stacks, uint32_t stack, size_t depth)
{
	*place = (struct place){.bytes = 0};
	stacks_resolve(stacks, stack);
	frames_take(place, stacks, depth);
	place->key = key_make(place);
}

void place_release(struct place *place)
{
	free(place->frames);
	free(place->key);
}

/* ---- all of them ---- */

static int key_order(const void *one, const void *other)
{
	return strcmp(((const struct place *)one)->key, ((const struct place *)other)->key);
}

static int bytes_order(const void *one, const void *other)
{
	const struct place *left = one, *right = other;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	if (left->blocks != right->blocks)
		return left->blocks < right->blocks ? 1 : -1;
	return strcmp(left->key, right->key);
}

static void same_join(struct places *places)
{
	size_t kept = 0;

	qsort(places->list, places->count, sizeof(*places->list), key_order);
	for (size_t index = 0; index < places->count; index++) {
		struct place *place = &places->list[index], *last = &places->list[kept - !!kept];

		if (!kept || strcmp(last->key, place->key) != 0) {
			places->list[kept++] = *place;
			continue;
		}
		last->bytes += place->bytes;
		last->blocks += place->blocks;
		place_release(place);
	}
	places->count = kept;
}

void places_make(struct places *places, const struct holdings *holdings, struct stacks *stacks,
		 size_t depth)
{
	*places = (struct places){
		.list = memory_zero(holdings->count + 1, sizeof(*places->list)),
		.depth = depth,
		.bytes = holdings->bytes,
		.blocks = holdings->blocks,
	};
	progress_begin("callers");
	for (; places->count < holdings->count; places->count++) {
		const struct holding *holding = &holdings->list[places->count];
		struct place *place = &places->list[places->count];

		place_find(place, stacks, holding->stack, depth);
		place->bytes = holding->bytes;
		place->blocks = holding->blocks;
		progress_set((double)places->count / (double)holdings->count);
	}
	progress_begin(NULL);
	same_join(places);
	qsort(places->list, places->count, sizeof(*places->list), bytes_order);
}

size_t places_find(const struct places *places, size_t count, struct stacks *stacks, uint32_t stack)
{
	struct place place;
	size_t index = 0;

	place_find(&place, stacks, stack, places->depth);
	while (index < count && strcmp(places->list[index].key, place.key) != 0)
		index++;
	place_release(&place);
	return index;
}

void places_release(struct places *places)
{
	for (size_t index = 0; index < places->count; index++)
		place_release(&places->list[index]);
	free(places->list);
	*places = (struct places){0};
}
