/* SPDX-License-Identifier: MIT */
/*
 * live.h - the blocks that are live in a recording: the number of each, by its address. Ends the
 * program when memory runs out.
 */
#ifndef TOOLS_LIVE_H
#define TOOLS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live {
	uintptr_t address; /* 0: none */
	uint32_t slot;
};

/* Zero at first. */
struct live_table {
	struct live *entries;
	unsigned room_log2; /* of entries; valid if that is not NULL */
	size_t used;
};

/* Adds a block at an address, not 0, where there is none. */
void live_add(struct live_table *table, uintptr_t address, uint32_t slot);

/* Takes the block at an address out; false if there is none. */
bool live_remove(struct live_table *table, uintptr_t address, uint32_t *slot);

void live_release(struct live_table *table);

#endif
