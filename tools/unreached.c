/* SPDX-License-Identifier: MIT */
/*
 * unreached.c - see unreached.h.
 */
#include "unreached.h"

#include <err.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"
#include "size_text.h"
#include "utf8.h"

#define PROGRAMS_MOST 12 /* that are told of */

static const char unknown[] = "it could not load the library, or was ended before it began";

/* Of a root that is another, or without settings, the program's file need not be looked at. */
static const char *reason_of(const struct table_execution *execution, const char *path)
{
	switch ((enum table_lack)execution->lack) {
	case TABLE_LACKS_SETTINGS:
		return "it was executed without LD_PRELOAD or other variables that bheap sets";
	case TABLE_LACKS_OWN_TABLE: return "it was executed by another bheap, whose summary has it";
	case TABLE_LACKS_LIBRARY:
		return "the library is not in its root directory, or its user may not read it";
	case TABLE_LACKS_TRUST:
		return "it runs with other rights than its user's: nothing is preloaded";
	case TABLE_LACKS_TABLE:
		return "the descriptor of bheap's memory was closed, and its user may not open it";
	case TABLE_LACKS_NOTHING:
	default: return reason_find_for(path, execution->user, execution->group);
	}
}

static void program_count(struct unreached *unreached, const struct unreached_program *program)
{
	for (size_t index = 0; index < unreached->count; index++) {
		struct unreached_program *known = &unreached->list[index];

		if (strcmp(known->caller, program->caller) == 0 &&
		    strcmp(known->path, program->path) == 0 &&
		    strcmp(known->reason, program->reason) == 0 && known->own == program->own &&
		    known->registered == program->registered) {
			known->count++;
			return;
		}
	}
	unreached->list[unreached->count++] = *program;
}

/* One that runs, for no reason that is known, may be about to register. */
static const char *reason_for(const struct table_slot *slot,
			      const struct unreached_program *program)
{
	const char *reason;

	if (program->registered)
		return reason_find_for(program->path, slot->execution.user, slot->execution.group);
	reason = reason_of(&slot->execution, program->path);
	return reason || handover_lives(slot) ? reason : unknown;
}

static bool may_be_unreached(const struct table_slot *slot, unsigned figure)
{
	enum table_state state = table_state(slot);

	if (state == TABLE_EXECUTES)
		return slot->process.pid != 0;
	return state != TABLE_EMPTY && !slot->origin && *slot->execution.path &&
	       !slot->figures[figure];
}

static void slot_read(struct unreached *unreached, const struct table_slot *slot,
		      struct table_process own, unsigned figure)
{
	struct unreached_program program = {
		.count = 1,
		.own = table_is_same(slot->process, own),
		.registered = table_state(slot) != TABLE_EXECUTES,
	};

	if (!may_be_unreached(slot, figure))
		return;
	snprintf(program.caller, sizeof(program.caller), "%.31s", slot->execution.caller);
	snprintf(program.path, sizeof(program.path), "%.255s", slot->execution.path);
	program.reason = reason_for(slot, &program);
	if (program.reason)
		program_count(unreached, &program);
}

void unreached_find(struct unreached *unreached, const struct handover *handover,
		    struct table_process own, unsigned figure)
{
	size_t missed, slots = handover_count(handover, &missed);

	*unreached = (struct unreached){.count = 0};
	unreached->list = calloc(slots + 1, sizeof(*unreached->list));
	if (!unreached->list)
		err(1, "%zu programs", slots);
	for (size_t index = 0; index < slots; index++)
		slot_read(unreached, &handover->table->slots[index], own, figure);
}

const struct unreached_program *unreached_own(const struct unreached *unreached, bool registered)
{
	for (size_t index = unreached->count; index-- > 0;)
		if (unreached->list[index].own && unreached->list[index].registered == registered)
			return &unreached->list[index];
	return NULL;
}

const char *unreached_name(const struct unreached_program *program)
{
	const char *last = strrchr(program->path, '/');

	if (!*program->path)
		return "a file that it had open";
	return last && last[1] ? last + 1 : program->path;
}

static void program_print(FILE *stream, const struct unreached_program *program, const char *verb)
{
	char times[32] = "", caller[UTF8_TEXT_MAX], name[UTF8_TEXT_MAX];

	if (program->count > 1)
		snprintf(times, sizeof(times), " (%zu times)", program->count);
	fprintf(stream, "bheap: %s executed %s%s, which was not %s:\n  %s\n",
		utf8_text(caller, program->caller), utf8_text(name, unreached_name(program)), times,
		verb, program->reason);
}

void unreached_print(FILE *stream, const struct unreached *unreached, const char *verb,
		     bool with_own)
{
	size_t printed = 0, rest = 0;

	for (size_t index = 0; index < unreached->count; index++) {
		const struct unreached_program *program = &unreached->list[index];

		if (program->own && !with_own)
			continue;
		if (printed++ < PROGRAMS_MOST)
			program_print(stream, program, verb);
		else
			rest++;
	}
	if (rest)
		fprintf(stream, "bheap: %zu more program%s %s not %s\n", rest, plural(rest),
			rest == 1 ? "was" : "were", verb);
}

struct json_object *unreached_json(const struct unreached *unreached)
{
	struct json_object *array = json_object_new_array();

	for (size_t index = 0; index < unreached->count; index++) {
		const struct unreached_program *program = &unreached->list[index];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "program", utf8_json(unreached_name(program)));
		json_object_object_add(object, "path", utf8_json(program->path));
		json_object_object_add(object, "executed_by", utf8_json(program->caller));
		json_object_object_add(object, "times", json_object_new_uint64(program->count));
		json_object_object_add(object, "own_process",
				       json_object_new_boolean(program->own));
		json_object_object_add(object, "reason", utf8_json(program->reason));
		json_object_array_add(array, object);
	}
	return array;
}

void unreached_release(struct unreached *unreached)
{
	free(unreached->list);
	*unreached = (struct unreached){.count = 0};
}
