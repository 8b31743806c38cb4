/* SPDX-License-Identifier: MIT */
/*
 * stream.h - where a process's recording lies in the area behind the table (table.h): in chunks,
 * one after the other, of lines and of zeros that mean nothing. The recording of a fork(2)'s child
 * begins with its parent's as it was at the fork. Keeps: a process writes to its own slot and
 * chunks only. Allocates nothing.
 */
#ifndef TOOLS_STREAM_H
#define TOOLS_STREAM_H

#include <stdbool.h>

#include "table.h"

enum stream_figure {
	STREAM_LENGTH,        /* bytes of its own lines */
	STREAM_ORIGIN_LENGTH, /* of the origin's own lines, at the fork */
	STREAM_FIRST,         /* 1 + the unit where its first chunk begins; 0: none */
	STREAM_LIVE,          /* bytes in live blocks, as malloc_usable_size(3) has it */
	STREAM_PEAK,
	STREAM_ERROR,   /* errno, when no more could be recorded */
	STREAM_THREADS, /* that lived at one time, at most; in its origin, too */
};

/* Chunks begin at multiples of this, and take one or more. */
#define STREAM_UNIT ((size_t)64 << 10)
#define STREAM_UNITS_MOST 16

struct stream_chunk {
	uint32_t next; /* 1 + the unit where the next one begins; 0: this is the last */
	uint32_t units;
	char text[];
};

#pragma GCC visibility push(hidden)

struct stream {
	struct table_view view;
	struct table_slot *slot;    /* NULL: nothing is recorded */
	struct stream_chunk *chunk; /* the last, or NULL */
};

/* Begins the recording of this program; false if there is no table or no slot. */
bool stream_open(struct stream *stream, const char *setting);

/* In the child of a fork: begins its own; false if there is no slot. */
bool stream_fork(struct stream *stream);

/* The next stretch to write lines to; false when there is no room, which the slot then tells. */
bool stream_move(struct stream *stream, char **window, size_t *size);

/* The process has so many bytes of addresses from now on. */
void stream_limit(struct stream *stream, uint64_t addresses);

/* So many bytes were written; and blocks made, of size bytes more, or less; by so many threads. */
void stream_note(struct stream *stream, size_t length, int64_t size, uint32_t threads);

#pragma GCC visibility pop

#endif
