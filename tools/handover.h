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
	uint32_t slots_most;
	char setting[128]; /* "NAME=VALUE", for the program's environment */
	size_t watched;    /* the slot that handover_watch() looks at next */
	int locked_fd;     /* what the program gets, or 0: until it has ended */
	bool is_locked;    /* there was one */
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

/* The process that was started, as slots have it. */
struct table_process handover_process(const struct child_end *end);

/* The number of a slot's process as bheap sees it; 0: it has ended, or that is not known. */
long handover_number(const struct table_slot *slot);

/* True if the process of a slot has neither ended nor executed another program. */
bool handover_runs(const struct table_slot *slot);

/* True if it has not ended, also if it executed one that has not registered. */
bool handover_lives(const struct table_slot *slot);

/* The same, but true if it takes a search to know: one of another namespace. */
bool handover_may_live(const struct table_slot *slot);

/* True if its number is one of another PID namespace. */
bool handover_is_outside(const struct table_slot *slot);

/* Children that were forked and have not registered. */
size_t handover_forks(const struct handover *handover);

enum handover_held {
	HANDOVER_HELD_NOT, /* no process has the table open or mapped, but bheap */
	HANDOVER_HELD,
	HANDOVER_HELD_UNKNOWN,
};

enum handover_held handover_held(const struct handover *handover);

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
