/* SPDX-License-Identifier: MIT */
/*
 * streams.c - see streams.h.
 */
#include "streams.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

/* ---- which there are ---- */

/* Without the recording itself, in whole chunks. */
static uint64_t resident_without(const struct table_slot *slot)
{
	uint64_t own = slot->figures[STREAM_LENGTH] + STREAM_UNITS_MOST * STREAM_UNIT;

	if (slot->figures[STREAM_LENGTH] < STREAM_UNIT)
		own = STREAM_UNIT;
	return slot->resident > own ? slot->resident - own : 0;
}

static bool summary_read(struct stream_summary *summary, const struct table_slot *slot,
			 uint32_t number)
{
	enum table_state state = table_state(slot);
	bool inherits = slot->origin && state != TABLE_EXECUTES;

	if (state == TABLE_EMPTY || (!slot->figures[STREAM_LENGTH] && !inherits))
		return false;
	*summary = (struct stream_summary){
		.slot = number,
		.process = slot->process,
		.peak = slot->figures[STREAM_PEAK],
		.resident = resident_without(slot),
		.threads = (uint32_t)slot->figures[STREAM_THREADS],
		.error = (int)slot->figures[STREAM_ERROR],
		.replaced = state == TABLE_REPLACED,
		.executes = state == TABLE_EXECUTES,
	};
	snprintf(summary->program, sizeof(summary->program), "%.31s", slot->program);
	return true;
}

/* True if the process recorded another program afterwards. */
static bool goes_on(const struct streams *streams, size_t index)
{
	const struct stream_summary *one = &streams->list[index];
	size_t next = index + 1;

	while (one->replaced && next < streams->count &&
	       !table_is_same(streams->list[next].process, one->process))
		next++;
	return one->replaced && next < streams->count;
}

static size_t processes_count(const struct streams *streams)
{
	size_t processes = 0;

	for (size_t index = 0; index < streams->count; index++)
		processes += !goes_on(streams, index);
	return processes;
}

void streams_find(struct streams *streams, const struct handover *handover)
{
	size_t slots;

	*streams = (struct streams){.count = 0};
	slots = handover_count(handover, &streams->missed);
	streams->list = calloc(slots + 1, sizeof(*streams->list));
	if (!streams->list)
		err(1, "%zu recordings", slots);
	for (size_t index = 0; index < slots; index++) {
		struct stream_summary *next = &streams->list[streams->count];

		if (!summary_read(next, &handover->table->slots[index], (uint32_t)index))
			continue;
		if (next->peak > streams->list[streams->best].peak)
			streams->best = streams->count;
		streams->count++;
	}
	streams->processes = processes_count(streams);
}

int streams_error(const struct handover *handover)
{
	size_t missed, slots = handover_count(handover, &missed);

	for (size_t index = 0; index < slots; index++)
		if (handover->table->slots[index].figures[STREAM_ERROR])
			return (int)handover->table->slots[index].figures[STREAM_ERROR];
	return 0;
}

bool streams_have(const struct handover *handover, struct table_process process)
{
	size_t missed, slots = handover_count(handover, &missed);

	for (size_t index = 0; index < slots; index++) {
		const struct table_slot *slot = &handover->table->slots[index];

		if (table_is_same(slot->process, process) && slot->figures[STREAM_LENGTH])
			return true;
	}
	return false;
}

void streams_release(struct streams *streams)
{
	free(streams->list);
	*streams = (struct streams){.count = 0};
}

/* ---- the lines of one ---- */

struct reading {
	const struct handover *handover;
	const char *(*line_take)(void *arg, const char *line);
	void *arg;
	char line[128];
	size_t length;
	char part[1 << 16];
};

/* The zeros between lines mean nothing, and do not count. */
static const char *byte_take(struct reading *reading, char byte)
{
	if (byte != '\n') {
		if (reading->length + 1 < sizeof(reading->line))
			reading->line[reading->length++] = byte;
		return NULL;
	}
	reading->line[reading->length] = '\0';
	reading->length = 0;
	return reading->line_take(reading->arg, reading->line);
}

/* Up to *left bytes of the text of a chunk. */
static const char *chunk_read(struct reading *reading, size_t at, size_t end, uint64_t *left)
{
	while (at < end && *left) {
		size_t wanted = end - at < sizeof(reading->part) ? end - at : sizeof(reading->part);
		size_t length = handover_read(reading->handover, reading->part, wanted, at);

		for (size_t index = 0; index < length && *left; index++) {
			const char *wrong = NULL;

			if (!reading->part[index])
				continue;
			(*left)--;
			wrong = byte_take(reading, reading->part[index]);
			if (wrong)
				return wrong;
		}
		if (!length)
			break;
		at += length;
	}
	return NULL;
}

/* A process's own lines. Each chunk lies behind the one before it. */
static const char *own_read(struct reading *reading, const struct table_slot *slot, uint64_t length)
{
	uint64_t unit = slot->figures[STREAM_FIRST], whole = length;
	const char *wrong = NULL;

	while (unit && length && !wrong) {
		struct stream_chunk chunk;
		size_t at = (size_t)(unit - 1) * STREAM_UNIT;

		if (handover_read(reading->handover, &chunk, sizeof(chunk), at) != sizeof(chunk) ||
		    chunk.units > STREAM_UNITS_MOST || (chunk.next && chunk.next <= unit))
			return "the recording is damaged";
		wrong = chunk_read(reading, at + sizeof(chunk), at + chunk.units * STREAM_UNIT,
				   &length);
		unit = chunk.next;
		progress_set(1 - (double)length / (double)whole);
	}
	return wrong;
}

/* The slots from which one was forked, the first one first: it is counted how deep they lie. */
static const char *slot_read(struct reading *reading, uint32_t number, uint64_t length,
			     unsigned depth)
{
	const struct table_slot *slot = &reading->handover->table->slots[number];
	uint32_t origin = slot->origin;
	const char *wrong = NULL;

	if (depth > reading->handover->slots_most || origin > reading->handover->slots_most)
		return "the recording is damaged";
	if (origin)
		wrong = slot_read(reading, origin - 1, slot->figures[STREAM_ORIGIN_LENGTH],
				  depth + 1);
	return wrong ? wrong : own_read(reading, slot, length);
}

const char *streams_read(const struct handover *handover, uint32_t slot,
			 const char *(*line_take)(void *arg, const char *line), void *arg)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	uint64_t length = handover->table->slots[slot].figures[STREAM_LENGTH];
	const char *wrong;

	if (!reading)
		err(1, "recording");
	reading->handover = handover;
	reading->line_take = line_take;
	reading->arg = arg;
	progress_begin("recording");
	wrong = slot_read(reading, slot, length, 0);
	progress_begin(NULL);
	free(reading);
	return wrong;
}
