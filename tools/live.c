/* SPDX-License-Identifier: MIT */
/*
 * live.c - see live.h. Open addressing with linear probing: an entry lies at its home or behind it,
 * with no empty one in between. At most half of the entries are used.
 */
#include "live.h"

#include <err.h>
#include <stdlib.h>

#define ROOM_LOG2_LEAST 12

static size_t mask(const struct live_table *table)
{
	return ((size_t)1 << table->room_log2) - 1;
}

/* Addresses are multiples of 16, mostly; the product's upper bits depend on all of them. */
static size_t home(const struct live_table *table, uintptr_t address)
{
	uint64_t product = (uint64_t)address * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(product >> (64 - table->room_log2));
}

/* Where a block is, or would be. */
static size_t place(const struct live_table *table, uintptr_t address)
{
	size_t index = home(table, address);

	while (table->entries[index].address && table->entries[index].address != address)
		index = (index + 1) & mask(table);
	return index;
}

static void room_make(struct live_table *table, unsigned room_log2)
{
	table->room_log2 = room_log2;
	table->used = 0;
	table->entries = calloc((size_t)1 << room_log2, sizeof(*table->entries));
	if (!table->entries)
		err(1, "recording");
}

static void room_double(struct live_table *table)
{
	const struct live_table before = *table;

	room_make(table, before.entries ? before.room_log2 + 1 : ROOM_LOG2_LEAST);
	for (size_t index = 0; before.entries && index <= mask(&before); index++)
		if (before.entries[index].address)
			live_add(table, before.entries[index].address, before.entries[index].slot);
	free(before.entries);
}

void live_add(struct live_table *table, uintptr_t address, uint32_t slot)
{
	if (!table->entries || table->used > mask(table) / 2)
		room_double(table);
	table->entries[place(table, address)] = (struct live){address, slot};
	table->used++;
}

/* What lies behind a gap moves into it, unless its home lies between the two. */
static void gap_close(struct live_table *table, size_t gap)
{
	size_t index = gap;

	for (;;) {
		struct live *entry = &table->entries[index = (index + 1) & mask(table)];

		if (!entry->address)
			break;
		if (((index - home(table, entry->address)) & mask(table)) <
		    ((index - gap) & mask(table)))
			continue;
		table->entries[gap] = *entry;
		gap = index;
	}
	table->entries[gap].address = 0;
}

bool live_remove(struct live_table *table, uintptr_t address, uint32_t *slot)
{
	size_t index = table->entries ? place(table, address) : 0;

	if (!table->entries || !address || !table->entries[index].address)
		return false;
	*slot = table->entries[index].slot;
	table->used--;
	gap_close(table, index);
	return true;
}

void live_release(struct live_table *table)
{
	free(table->entries);
	*table = (struct live_table){.entries = NULL};
}
