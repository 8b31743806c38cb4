/* SPDX-License-Identifier: MIT */
/*
 * picture.h - a heap as it was at one moment: figures and blocks, taken from a heap file, a shared
 * memory name, or a snapshot file, and written to one. Offsets are from the first block. Refuses to
 * know how it is shown. Taking it changes nothing in the heap.
 */
#ifndef TOOLS_PICTURE_H
#define TOOLS_PICTURE_H

#include <bheap.h>
#include <stdio.h>

struct block {
	uint64_t offset;
	uint64_t size;
	uint64_t usable; /* less than size where there is a guard; 0 for a free block */
	bool used;
	pid_t owner;
	uint32_t checksum; /* of a used block's content */
};

struct picture {
	const char *name;
	struct bheap_stats stats;
	struct block *blocks;
	size_t count;
	uint64_t cached, cached_blocks; /* bytes and blocks in the caches of threads: free here */
	uint64_t in_use;                /* fragmentation is that of so many bytes; 0: of all */
};

/* False after a message. contents: checksums are wanted too. */
bool picture_load(struct picture *picture, const char *path, bool contents);

/* Reads a snapshot from its beginning; false after a message, which has the name. */
bool picture_read(struct picture *picture, const char *name, FILE *stream);

/* Writes it as a snapshot; errors are the stream's. */
void picture_write(const struct picture *picture, FILE *stream);

/* Room for one more block, after the last; ends the program where there is none. */
struct block *picture_add(struct picture *picture, size_t *room);

/* The statistics that follow from the blocks. */
void picture_total(struct picture *picture);

void picture_release(struct picture *picture);

/*
 * Fragmentation of the first bytes alone: of a heap without a size the rest is as large as a heap
 * can be.
 */
void picture_reckon(struct picture *picture, uint64_t in_use);

/* The end of the last used block: all memory after it is free. */
uint64_t picture_extent(const struct picture *picture);

#endif
