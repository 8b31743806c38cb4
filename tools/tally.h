/* SPDX-License-Identifier: MIT */
/*
 * tally.h - how often a recorded program called each function of malloc(3)'s family, and for how
 * many bytes. The numbers of the kinds are those in the recorder's lines.
 */
#ifndef TOOLS_TALLY_H
#define TOOLS_TALLY_H

#include <stddef.h>
#include <stdint.h>

/* With this variable the recorder tells kinds, wrong requests and free(NULL), too. */
#define TALLY_VARIABLE "BHEAP_RECORD_KINDS"

enum tally_kind {
	TALLY_MALLOC,
	TALLY_CALLOC,
	TALLY_ALIGNED, /* aligned_alloc(), posix_memalign(), memalign(), valloc(), pvalloc() */
	TALLY_REALLOC, /* that left the block where it was */
	TALLY_REALLOC_MOVED,
	TALLY_REALLOC_NULL, /* of no block: as malloc() */
	TALLY_REALLOC_ZERO, /* to 0 bytes: as free() */
	TALLY_FREE,
	TALLY_FREE_NULL,
	TALLY_KINDS,
};

struct tally_row {
	uint64_t calls; /* with those that failed */
	uint64_t failed;
	uint64_t allocated; /* bytes asked for, of realloc() those more than before */
	uint64_t freed;     /* bytes that had been asked for, of realloc() those less than before */
};

/* Classes of requests: of 0 bytes, of up to 16, and of up to each power of two above. */
#define TALLY_SIZES 62

struct tally {
	struct tally_row rows[TALLY_KINDS];
	uint64_t sizes[TALLY_SIZES]; /* requests that did not fail, by class */
};

/* A call after which a block of before bytes has after bytes; 0 where there is none. */
void tally_count(struct tally *tally, enum tally_kind kind, uint64_t before, uint64_t after);

/* A number that is no kind counts nothing. */
void tally_fail(struct tally *tally, uint64_t kind);

/* The largest size of a class. */
uint64_t tally_size_most(unsigned index);

struct tally_row tally_sum(const struct tally *tally);

#endif
