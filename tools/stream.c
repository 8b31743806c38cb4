/* SPDX-License-Identifier: MIT */
/*
 * stream.c - see stream.h.
 */
#include "stream.h"

#include <errno.h>

/* What a process that does little takes is small. */
static uint32_t units_wanted(const struct stream *stream)
{
	return stream->chunk ? STREAM_UNITS_MOST : 1;
}

/* A child that executes a program and recorded nothing of its own tells nothing. */
static int slot_tells_nothing(struct table *table, struct table_slot *slot)
{
	(void)table;
	return slot->origin && !slot->figures[STREAM_LENGTH];
}

bool stream_open(struct stream *stream, const char *setting)
{
	table_attach(&stream->view, setting);
	if (stream->view.table && stream->view.area)
		stream->slot = table_claim(&stream->view, NULL, slot_tells_nothing);
	return stream->slot;
}

/*
 * A parent that recorded nothing of its own is passed over: its slot is another's when it executes
 * a program.
 */
bool stream_fork(struct stream *stream)
{
	struct table_slot *slots = stream->view.table->slots, *parent = stream->slot;
	const struct table_slot *origin = parent;
	uint64_t length = parent->figures[STREAM_LENGTH], live = parent->figures[STREAM_LIVE];

	if (!length && parent->origin) {
		origin = &slots[(parent->origin - 1) % stream->view.slots_most];
		length = parent->figures[STREAM_ORIGIN_LENGTH];
	}
	stream->slot = table_claim(&stream->view, origin, slot_tells_nothing);
	stream->chunk = NULL;
	if (!stream->slot)
		return false;
	stream->slot->figures[STREAM_LIVE] = stream->slot->figures[STREAM_PEAK] = live;
	stream->slot->figures[STREAM_ORIGIN_LENGTH] = length;
	stream->slot->figures[STREAM_THREADS] = parent->figures[STREAM_THREADS];
	return true;
}

bool stream_move(struct stream *stream, char **window, size_t *size)
{
	uint32_t units = units_wanted(stream);
	uint32_t unit = __atomic_fetch_add(&stream->view.table->area_used, units, __ATOMIC_RELAXED);
	struct stream_chunk *chunk =
		(struct stream_chunk *)(void *)(stream->view.area + unit * STREAM_UNIT);

	if (!table_area_open(&stream->view, unit * STREAM_UNIT, units * STREAM_UNIT)) {
		stream->slot->figures[STREAM_ERROR] = (uint64_t)errno;
		return false;
	}
	chunk->units = units;
	if (stream->chunk)
		stream->chunk->next = unit + 1;
	else
		stream->slot->figures[STREAM_FIRST] = unit + 1;
	stream->chunk = chunk;
	*window = chunk->text;
	*size = units * STREAM_UNIT - sizeof(*chunk);
	return true;
}

/* What is written to stays. */
void stream_limit(struct stream *stream, uint64_t addresses)
{
	const struct stream_chunk *chunk = stream->chunk;
	size_t kept = 0;

	if (chunk)
		kept = (size_t)((const char *)chunk - stream->view.area) +
		       chunk->units * STREAM_UNIT;
	table_area_limit(&stream->view, addresses, kept);
}

/* The length last: a line that it counts is whole. */
void stream_note(struct stream *stream, size_t length, int64_t size, uint32_t threads)
{
	uint64_t *figures = stream->slot->figures;
	int64_t live = (int64_t)figures[STREAM_LIVE] + size;

	/* Less than nothing: a block from before the recording. */
	figures[STREAM_LIVE] = live > 0 ? (uint64_t)live : 0;
	if (figures[STREAM_LIVE] > figures[STREAM_PEAK])
		figures[STREAM_PEAK] = figures[STREAM_LIVE];
	figures[STREAM_THREADS] = threads;
	__atomic_store_n(&figures[STREAM_LENGTH], figures[STREAM_LENGTH] + length,
			 __ATOMIC_RELEASE);
}
