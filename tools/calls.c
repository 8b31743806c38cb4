/* SPDX-License-Identifier: MIT */
/*
 * calls.c - see calls.h. An address belongs to the first module there that was not gone when its
 * node was told of.
 */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define NODE_MAX (UINT32_C(1) << 27)
#define PATH_MOST 8192

/* Makes room for so many, zeroed; returns the new room. */
static size_t room_make(void **array, size_t room, size_t wanted, size_t size)
{
	size_t next = wanted * 2 + 1024;

	if (wanted <= room)
		return room;
	*array = memory_resize(*array, next * size);
	memset((char *)*array + room * size, 0, (next - room) * size);
	return next;
}

/* ---- lines ---- */

/* Numbers of a line, in this base; true if there are so many. */
static bool numbers_take(const char **text, int base, uint64_t *numbers, unsigned count)
{
	for (unsigned index = 0; index < count; index++) {
		char *rest;

		numbers[index] = strtoull(*text, &rest, base);
		if (rest == *text)
			return false;
		*text = rest;
	}
	return true;
}

static bool node_take(struct calls *calls, const char *text)
{
	uint64_t numbers[2], address;
	void *nodes = calls->nodes;

	if (!numbers_take(&text, 10, numbers, 2) || !numbers_take(&text, 16, &address, 1) ||
	    !numbers[0] || numbers[0] >= NODE_MAX || numbers[1] >= NODE_MAX)
		return false;
	calls->node_room =
		room_make(&nodes, calls->node_room, (size_t)numbers[0] + 1, sizeof(*calls->nodes));
	calls->nodes = nodes;
	calls->nodes[numbers[0]] = (struct call_node){(uint32_t)numbers[1], address, calls->moment};
	return true;
}

static bool module_begin(struct calls *calls, const char *text)
{
	uint64_t number, places[3];
	void *modules = calls->modules;

	if (!numbers_take(&text, 10, &number, 1) || !numbers_take(&text, 16, places, 3) ||
	    number > UINT32_MAX)
		return false;
	calls->module_room = room_make(&modules, calls->module_room, calls->module_count + 1,
				       sizeof(*calls->modules));
	calls->modules = modules;
	calls->modules[calls->module_count++] = (struct call_module){
		.number = (uint32_t)number,
		.bias = places[0],
		.start = places[1],
		.end = places[2],
		.gone = UINT64_MAX,
	};
	return true;
}

/* The one of this number that was seen last; *text is what follows the number. */
static struct call_module *module_named(struct calls *calls, const char **text)
{
	uint64_t number;

	if (!numbers_take(text, 10, &number, 1))
		return NULL;
	for (size_t left = calls->module_count; left; left--)
		if (calls->modules[left - 1].number == number)
			return &calls->modules[left - 1];
	return NULL;
}

static size_t bytes_take(const char *text, unsigned char *bytes, size_t most)
{
	size_t count = 0;

	while (*text == ' ')
		text++;
	for (; count < most && text[0] && text[1]; text += 2) {
		char digits[3] = {text[0], text[1], '\0'};

		bytes[count++] = (unsigned char)strtoul(digits, NULL, 16);
	}
	return count;
}

static bool id_take(struct calls *calls, const char *text)
{
	struct call_module *module = module_named(calls, &text);

	if (module)
		module->id_size = bytes_take(text, module->id, sizeof(module->id));
	return module;
}

static bool file_take(struct calls *calls, const char *text)
{
	struct call_module *module = module_named(calls, &text);

	return module && numbers_take(&text, 16, module->file, 3);
}

static bool path_take(struct calls *calls, const char *text)
{
	struct call_module *module = module_named(calls, &text);
	unsigned char part[64];
	size_t length = module && module->path ? strlen(module->path) : 0, added;

	if (!module || length > PATH_MOST)
		return false;
	added = bytes_take(text, part, sizeof(part));
	module->path = memory_resize(module->path, length + added + 1);
	memcpy(module->path + length, part, added);
	module->path[length + added] = '\0';
	return true;
}

/* Of each that is not gone; those that stay are told anew. */
static bool modules_end(struct calls *calls)
{
	for (size_t index = 0; index < calls->module_count; index++)
		if (calls->modules[index].gone == UINT64_MAX)
			calls->modules[index].gone = calls->moment;
	return true;
}

const char *calls_line(struct calls *calls, const char *line, bool *is_one)
{
	bool good = true;

	*is_one = true;
	calls->moment++;
	switch (line[0]) {
	case 'n': good = node_take(calls, line + 1); break;
	case 'o': good = module_begin(calls, line + 1); break;
	case 'i': good = id_take(calls, line + 1); break;
	case 's': good = file_take(calls, line + 1); break;
	case 'p': good = path_take(calls, line + 1); break;
	case 'c': good = modules_end(calls); break;
	default: *is_one = false;
	}
	return good ? NULL : "the recording is damaged";
}

/* ---- what they told ---- */

void calls_note(struct calls *calls, size_t op, uint32_t stack)
{
	void *stacks = calls->stacks;

	calls->stack_room = room_make(&stacks, calls->stack_room, op + 1, sizeof(*calls->stacks));
	calls->stacks = stacks;
	calls->stacks[op] = stack;
}

const struct call_node *calls_node(const struct calls *calls, uint32_t number)
{
	return number < calls->node_room && calls->nodes[number].address ? &calls->nodes[number]
									 : NULL;
}

const struct call_module *calls_module(const struct calls *calls, const struct call_node *node)
{
	for (size_t index = 0; index < calls->module_count; index++) {
		const struct call_module *module = &calls->modules[index];

		if (node->address > module->start && node->address <= module->end &&
		    module->gone > node->moment)
			return module;
	}
	return NULL;
}

void calls_release(struct calls *calls)
{
	for (size_t index = 0; index < calls->module_count; index++)
		free(calls->modules[index].path);
	free(calls->nodes);
	free(calls->modules);
	free(calls->stacks);
	*calls = (struct calls){0};
}
