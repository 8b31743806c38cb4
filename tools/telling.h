/* SPDX-License-Identifier: MIT */
/*
 * telling.h - the lines of bheap-guard.so: what record.h offers, into the area that bheap shares
 * (stream.h), and the faults among them. The area has an end: its last part is for faults alone.
 * STREAM_PEAK counts the faults. Allocates nothing.
 */
#ifndef TOOLS_TELLING_H
#define TOOLS_TELLING_H

#include <stdbool.h>

#include "record.h"

/* Bytes of the area, for all processes: each that asks for memory takes 64 KiB or more. */
#define TELLING_AREA (sizeof(void *) > 4 ? (size_t)1 << 30 : (size_t)1 << 26)

/* Of one process. */
#define TELLING_FAULTS 1000

/* A kind of fault beside those of bheap.h: an access to a page that is closed. */
#define TELLING_ACCESSED 100

/* What is known of the block at a fault. */
enum telling_known {
	TELLING_ALLOCATED = 1, /* which it is */
	TELLING_FREED = 2,     /* and that it is free, or is being freed */
	TELLING_RESIZED = 4,   /* by realloc(3) */
	TELLING_AT_END = 8,    /* no call of the program has found the fault */
};

struct telling_fault {
	unsigned kind; /* enum bheap_fault_kind */
	uintptr_t address;
	uint64_t size; /* of what lies at the address, or 0 */
	uintptr_t block;
	uint64_t block_size;       /* as it was asked for */
	uint32_t made, freed, now; /* stacks, or 0 */
	unsigned known;
};

/* What bheap reads it by: the process comes first. */
#define TELLING_LINE "g %u %u %jx %jx %jx %jx %u %u %u %u\n"

#pragma GCC visibility push(hidden)

/* False: bheap does not want to be told. Once. */
bool telling_open(void);

/* The program's name is known now. */
void telling_name(void);

/* With the lock, in a process that was just forked. */
void telling_fork(void);

/* Takes the lock; false if it does not come, after a while. */
bool telling_lock_soon(void);

/* With the lock. */
void telling_fault(const struct telling_fault *fault);

#pragma GCC visibility pop

#endif
