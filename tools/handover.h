/* SPDX-License-Identifier: MIT */
/*
 * handover.h - bheap's side of the table that it shares with programs (table.h): made before they
 * start, read when they have ended. Other users cannot get at it: it has no name, and its
 * descriptor is handed to the program alone.
 */
#ifndef TOOLS_HANDOVER_H
#define TOOLS_HANDOVER_H

#include <stdbool.h>
#include <stdio.h>

#include "child.h"
#include "table.h"

struct handover {
	int fd;
	struct table *table;
	char setting[128]; /* "NAME=VALUE", for the program's environment */
	size_t watched;    /* the slot that handover_watch() looks at next */
};

/*
 * The area is so large, and takes what is used of it: memory, or, if on_disk, room in TMPDIR. False
 * after a message.
 */
bool handover_open(struct handover *handover, const char *name, size_t area_size, bool on_disk);

/* Completes what is said of a child: it runs with the table. */
void handover_give(struct handover *handover, struct child *child);

/* The number of slots that can be read; *missed: of processes that found no slot. */
size_t handover_count(const struct handover *handover, size_t *missed);

/* True if the process of a slot has neither ended nor executed another program. */
bool handover_runs(const struct table_slot *slot);

/* True if it has not ended, also if it executed one that has not registered. */
bool handover_lives(const struct table_slot *slot);

/*
 * The number of processes that run still. *unsure: /proc tells nothing, and some of them were
 * forked, and have not registered: they may have ended.
 */
size_t handover_running(const struct handover *handover, bool *unsure);

/* What so many processes do: "run", or as is right. */
const char *handover_verb(size_t running, bool unsure);

/* To be called now and then while the program runs: notes what is resident. */
void handover_watch(void *handover);

/*
 * The program has ended: waits a while for children that have not registered yet. What the kernel
 * counted as resident is its own, if it was alone.
 */
void handover_end(struct handover *handover, const struct child_end *end);

/* Reads from the area; the bytes read. */
size_t handover_read(const struct handover *handover, void *into, size_t size, size_t offset);

void handover_close(struct handover *handover);

#endif
