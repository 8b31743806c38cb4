/* SPDX-License-Identifier: MIT */
/*
 * records.c - see records.h.
 */
#include "records.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "running.h"

const char *const figure_names[FIGURES] = {
	[FIGURE_PARENT] = "parent",
	[FIGURE_ENDED] = "ended",
	[FIGURE_SIZE] = "size",
	[FIGURE_USED] = "used",
	[FIGURE_FREE] = "free",
	[FIGURE_LARGEST_FREE] = "largest_free",
	[FIGURE_LIVE_BLOCKS] = "live_blocks",
	[FIGURE_FREE_BLOCKS] = "free_blocks",
	[FIGURE_PEAK_USED] = "peak_used",
	[FIGURE_EXTENT] = "extent",
	[FIGURE_ALLOCATIONS] = "allocations",
	[FIGURE_FREES] = "frees",
	[FIGURE_FAILURES] = "failures",
	[FIGURE_FAULTS] = "faults",
	[FIGURE_LARGEST_HOLE] = "largest_hole",
	[FIGURE_LARGEST_REFUSED] = "largest_refused",
};

static const enum figure figure_of[ACCOUNT_FIGURES] = {
	[ACCOUNT_SIZE] = FIGURE_SIZE,
	[ACCOUNT_USED] = FIGURE_USED,
	[ACCOUNT_LARGEST_FREE] = FIGURE_LARGEST_FREE,
	[ACCOUNT_LIVE_BLOCKS] = FIGURE_LIVE_BLOCKS,
	[ACCOUNT_FREE_BLOCKS] = FIGURE_FREE_BLOCKS,
	[ACCOUNT_PEAK_USED] = FIGURE_PEAK_USED,
	[ACCOUNT_EXTENT] = FIGURE_EXTENT,
	[ACCOUNT_ALLOCATIONS] = FIGURE_ALLOCATIONS,
	[ACCOUNT_FREES] = FIGURE_FREES,
	[ACCOUNT_FAILURES] = FIGURE_FAILURES,
	[ACCOUNT_FAULTS] = FIGURE_FAULTS,
	[ACCOUNT_LARGEST_HOLE] = FIGURE_LARGEST_HOLE,
	[ACCOUNT_LARGEST_REFUSED] = FIGURE_LARGEST_REFUSED,
};
/* Those that are about the process come first. */
#define OF_HEAP FIGURE_SIZE

/* False for a slot that is empty, or was claimed a moment ago. */
static bool record_read(struct record *record, const struct table_slot *slot)
{
	enum table_state state = table_state(slot);

	if (state == TABLE_EMPTY || !slot->figures[ACCOUNT_SIZE])
		return false;
	/* A child that executed a program at once is that one. */
	if (state == TABLE_EXECUTES && slot->origin && !slot->figures[ACCOUNT_ALLOCATIONS])
		return false;
	*record = (struct record){
		.process = slot->process,
		.forked = slot->origin,
		.replaced = state == TABLE_REPLACED || state == TABLE_EXECUTES,
		.walked = slot->figures[ACCOUNT_WALKED],
		.snapshot_size = (size_t)slot->figures[ACCOUNT_SNAPSHOT],
		.resident = slot->resident,
	};
	snprintf(record->program, sizeof(record->program), "%.31s", slot->program);
	for (unsigned index = 0; index < ACCOUNT_FIGURES; index++)
		if (figure_of[index] >= OF_HEAP)
			record->figures[figure_of[index]] = slot->figures[index];
	record->figures[FIGURE_FREE] = record->figures[FIGURE_SIZE] - record->figures[FIGURE_USED];
	record->figures[FIGURE_PARENT] = (uint64_t)slot->parent;
	record->figures[FIGURE_ENDED] = state == TABLE_ENDED;
	return true;
}

/* In the sum of all processes, for it has not told its end. */
static bool may_count(const struct table_slot *slot)
{
	enum table_state state = table_state(slot);

	return state == TABLE_RUNNING || state == TABLE_EXECUTES;
}

/* It counts to the end, and nothing tells whether it was killed. */
static bool may_count_too_long(const struct table_slot *slot)
{
	return slot->figures[ACCOUNT_COUNTED] && may_count(slot) && handover_is_outside(slot);
}

void records_watch(void *arg)
{
	struct handover *handover = arg;
	size_t missed, slots = handover_count(handover, &missed);

	handover_watch(handover);
	for (size_t index = 0; index < slots; index++) {
		struct table_slot *slot = &handover->table->slots[index];
		uint64_t counted = slot->figures[ACCOUNT_COUNTED];

		if (!counted || !may_count(slot) || handover_may_live(slot))
			continue;
		slot->figures[ACCOUNT_COUNTED] = 0;
		__atomic_sub_fetch(&handover->table->used, (int64_t)counted, __ATOMIC_RELAXED);
	}
}

void records_read(struct records *records, const struct handover *handover)
{
	size_t slots;

	*records = (struct records){0};
	records->running = running_count(handover, &records->unsure);
	slots = handover_count(handover, &records->missed);
	records->list = calloc(slots + 1, sizeof(*records->list));
	if (!records->list)
		err(1, "%zu records", slots);
	for (size_t index = 0; index < slots; index++) {
		const struct table_slot *slot = &handover->table->slots[index];

		records->count += record_read(&records->list[records->count], slot);
		records->at_most |= may_count_too_long(slot);
	}
	/* Last, as a process that runs on counts its bytes here before it does so in its slot. */
	records->peak = __atomic_load_n(&handover->table->peak, __ATOMIC_RELAXED);
}

const struct record *records_find(const struct records *records, struct table_process process)
{
	for (size_t index = records->count; index-- > 0;)
		if (table_is_same(records->list[index].process, process))
			return &records->list[index];
	return NULL;
}

void records_release(struct records *records)
{
	free(records->list);
	*records = (struct records){0};
}
