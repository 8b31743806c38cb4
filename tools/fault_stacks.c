/* SPDX-License-Identifier: MIT */
/*
 * fault_stacks.c - see fault_stacks.h. A child of fork(2) begins with what its parent told, whose
 * faults are not its own. Faults of one kind with the same stacks are told once.
 */
#include "fault_stacks.h"

#include <bheap.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "place_text.h"
#include "size_text.h"
#include "streams.h"
#include "telling.h"
#include "utf8.h"

/* Functions of a stack at most. */
#define DEPTH 16

/* A stack: of what is not known no functions. */
struct fault_stack {
	uint32_t number;
	struct place place;
};

struct fault {
	struct telling_fault told;
	size_t more; /* of the same kind, with the same stacks */
	struct fault_stack made, freed, now;
};

struct fault_process {
	uint32_t slot;
	struct table_process process;
	char program[32];
	struct fault *list;
	size_t count, room;
	size_t told;
	struct calls calls;
	struct stacks stacks;
};

static const char *const kind_texts[] = {
	[BHEAP_FAULT_NOT_A_BLOCK] = "not the start of a block",
	[BHEAP_FAULT_DOUBLE_FREE] = "the block is free already",
	[BHEAP_FAULT_OVERFLOW] = "bytes past the block were overwritten",
	[BHEAP_FAULT_DAMAGED_INDEX] = "the index is damaged",
	[BHEAP_FAULT_DAMAGED_MAP] = "the block map is damaged",
	[BHEAP_FAULT_WRITTEN_FREE] = "written to after free",
	[TELLING_ACCESSED] = "accessed after free",
};

static const char *kind_text(unsigned kind)
{
	const char *text =
		kind < sizeof(kind_texts) / sizeof(*kind_texts) ? kind_texts[kind] : NULL;

	return text ? text : "a fault";
}

/* ---- reading ---- */

/* True if the stacks that there must be are known. */
static bool is_whole(const struct telling_fault *told)
{
	return (!(told->known & TELLING_ALLOCATED) || told->made) &&
	       (!(told->known & TELLING_FREED) || told->freed) &&
	       ((told->known & TELLING_AT_END) || told->now);
}

static bool is_same(const struct telling_fault *one, const struct telling_fault *other)
{
	return is_whole(one) && one->kind == other->kind && one->known == other->known &&
	       one->made == other->made && one->freed == other->freed && one->now == other->now;
}

static void fault_add(struct fault_process *process, const struct telling_fault *told)
{
	process->told++;
	for (size_t index = 0; index < process->count; index++)
		if (is_same(&process->list[index].told, told)) {
			process->list[index].more++;
			return;
		}
	if (process->count == process->room) {
		process->room = process->room * 2 + 16;
		process->list = memory_resize(process->list, process->room * sizeof(struct fault));
	}
	process->list[process->count++] = (struct fault){.told = *told};
}

static bool fault_parse(const char *line, uint32_t *slot, struct telling_fault *told)
{
	uintmax_t address, size, block, block_size;
	int count = sscanf(line, TELLING_LINE, slot, &told->kind, &address, &size, &block,
			   &block_size, &told->made, &told->freed, &told->now, &told->known);

	told->address = (uintptr_t)address;
	told->size = size;
	told->block = (uintptr_t)block;
	told->block_size = block_size;
	return count == 10;
}

static const char *line_take(void *arg, const char *line)
{
	struct fault_process *process = arg;
	struct telling_fault told = {0};
	uint32_t slot;
	bool is_call;

	if (line[0] != 'g')
		return calls_line(&process->calls, line, &is_call);
	if (!fault_parse(line, &slot, &told))
		return "the recording is damaged";
	if (slot == process->slot)
		fault_add(process, &told);
	return NULL;
}

/* Of a stack that there was no room to tell of no call is known. */
static void stack_find(struct fault_stack *stack, struct fault_process *process, uint32_t number)
{
	stack->number = number;
	if (calls_node(&process->calls, number))
		place_find(&stack->place, &process->stacks, number, DEPTH);
}

static void process_find(struct fault_process *process)
{
	stacks_open(&process->stacks, &process->calls);
	for (size_t index = 0; index < process->count; index++) {
		struct fault *fault = &process->list[index];

		stack_find(&fault->made, process, fault->told.made);
		stack_find(&fault->freed, process, fault->told.freed);
		stack_find(&fault->now, process, fault->told.now);
	}
}

static void process_release(struct fault_process *process)
{
	for (size_t index = 0; index < process->count; index++) {
		place_release(&process->list[index].made.place);
		place_release(&process->list[index].freed.place);
		place_release(&process->list[index].now.place);
	}
	if (process->stacks.calls)
		stacks_close(&process->stacks);
	calls_release(&process->calls);
	free(process->list);
}

/* What follows a line that is damaged is not read. */
static bool process_read(struct fault_process *process, const struct handover *handover,
			 const struct stream_summary *summary)
{
	*process = (struct fault_process){.slot = summary->slot, .process = summary->process};
	memcpy(process->program, summary->program, sizeof(process->program));
	streams_read(handover, summary->slot, line_take, process);
	if (process->count)
		process_find(process);
	else
		process_release(process);
	return process->count;
}

void fault_stacks_read(struct fault_stacks *faults, const struct handover *handover,
		       struct table_process own)
{
	struct streams streams;

	*faults = (struct fault_stacks){.own = own};
	streams_find(&streams, handover);
	faults->processes = memory_zero(streams.count + 1, sizeof(*faults->processes));
	for (size_t index = 0; index < streams.count; index++) {
		struct fault_process *next = &faults->processes[faults->count];

		/* What it counts is faults, here, of its parent, too. */
		if (!streams.list[index].peak ||
		    !process_read(next, handover, &streams.list[index]))
			continue;
		faults->told += next->told;
		faults->count++;
	}
	streams_release(&streams);
}

void fault_stacks_release(struct fault_stacks *faults)
{
	for (size_t index = 0; index < faults->count; index++)
		process_release(&faults->processes[index]);
	free(faults->processes);
	*faults = (struct fault_stacks){0};
}

/* ---- text ---- */

static void stack_print(FILE *stream, const char *what, const struct fault_stack *stack)
{
	fprintf(stream, "  %s%s\n", what, stack->place.count ? "" : ": not recorded");
	place_calls_print(stream, &stack->place);
}

static void block_print(FILE *stream, const struct fault *fault)
{
	char what[96];

	if (!(fault->told.known & TELLING_ALLOCATED)) {
		fputs("  block: not recorded\n", stream);
		return;
	}
	snprintf(what, sizeof(what), "block 0x%" PRIxPTR " of %" PRIu64 " byte%s, allocated at",
		 fault->told.block, fault->told.block_size, plural(fault->told.block_size));
	stack_print(stream, what, &fault->made);
}

/* The call that found a write past the end is most often that which frees the block. */
static void rest_print(FILE *stream, const struct fault *fault)
{
	unsigned known = fault->told.known;
	bool at_once = (known & TELLING_FREED) && fault->freed.number &&
		       fault->freed.number == fault->now.number;
	const char *what = known & TELLING_RESIZED ? "resized" : "freed";
	char text[48];

	snprintf(text, sizeof(text), "%s at%s", what, at_once ? ", where this was found" : "");
	if (known & TELLING_FREED)
		stack_print(stream, text, &fault->freed);
	if (at_once)
		return;
	if (fault->told.known & TELLING_AT_END)
		fputs("  found when the program ended\n", stream);
	else
		stack_print(stream, "found at", &fault->now);
}

static void fault_print(FILE *stream, const struct fault_stacks *faults,
			const struct fault_process *process, const struct fault *fault)
{
	char program[UTF8_TEXT_MAX];

	fprintf(stream, "bheap: 0x%" PRIxPTR ": %s\n", fault->told.address,
		kind_text(fault->told.kind));
	if (!table_is_same(process->process, faults->own))
		fprintf(stream, "  in process %ld (%s)\n", (long)process->process.pid,
			utf8_text(program, process->program));
	block_print(stream, fault);
	rest_print(stream, fault);
	if (fault->more)
		fprintf(stream, "  %zu more fault%s of this kind with the same calls\n",
			fault->more, plural(fault->more));
}

void fault_stacks_print(FILE *stream, const struct fault_stacks *faults, uint64_t counted)
{
	for (size_t process = 0; process < faults->count; process++)
		for (size_t index = 0; index < faults->processes[process].count; index++)
			fault_print(stream, faults, &faults->processes[process],
				    &faults->processes[process].list[index]);
	if (counted > faults->told)
		fprintf(stream, "bheap: of %" PRIu64 " more fault%s no calls were recorded\n",
			counted - faults->told, plural(counted - faults->told));
}

/* ---- as JSON ---- */

static void stack_add(struct json_object *object, const char *name, const struct fault_stack *stack)
{
	json_object_object_add(object, name,
			       stack->place.count ? place_calls_json(&stack->place) : NULL);
}

static struct json_object *fault_json(const struct fault_process *process,
				      const struct fault *fault)
{
	struct json_object *object = json_object_new_object();
	bool is_known = fault->told.known & TELLING_ALLOCATED;

	json_object_object_add(object, "process", json_object_new_int64(process->process.pid));
	json_object_object_add(object, "program", utf8_json(process->program));
	json_object_object_add(object, "fault",
			       json_object_new_string(kind_text(fault->told.kind)));
	json_object_object_add(object, "address", json_object_new_uint64(fault->told.address));
	json_object_object_add(object, "times", json_object_new_uint64(fault->more + 1));
	json_object_object_add(object, "block",
			       is_known ? json_object_new_uint64(fault->told.block) : NULL);
	json_object_object_add(object, "size",
			       is_known ? json_object_new_uint64(fault->told.block_size) : NULL);
	json_object_object_add(object, "freed",
			       json_object_new_boolean(fault->told.known & TELLING_FREED));
	json_object_object_add(object, "resized",
			       json_object_new_boolean(fault->told.known & TELLING_RESIZED));
	json_object_object_add(object, "at_end",
			       json_object_new_boolean(fault->told.known & TELLING_AT_END));
	stack_add(object, "allocated_at", &fault->made);
	stack_add(object, "freed_at", &fault->freed);
	stack_add(object, "found_at", &fault->now);
	return object;
}

struct json_object *fault_stacks_json(const struct fault_stacks *faults)
{
	struct json_object *list = json_object_new_array();

	for (size_t process = 0; process < faults->count; process++)
		for (size_t index = 0; index < faults->processes[process].count; index++)
			json_object_array_add(list,
					      fault_json(&faults->processes[process],
							 &faults->processes[process].list[index]));
	return list;
}
