/* SPDX-License-Identifier: MIT */
/*
 * living_head.c - see living_head.h.
 */
#include "living_head.h"

#include <errno.h>
#include <string.h>

const struct living_field *living_field(const struct living *living, const char *name)
{
	for (size_t index = 0; index < living->field_count; index++)
		if (strncmp(living->fields[index].name, name, sizeof(living->fields->name)) == 0)
			return &living->fields[index];
	return NULL;
}

uint64_t living_number(const struct living *living, const char *from, size_t room, const char *name,
		       bool *sound)
{
	const struct living_field *field = living_field(living, name);
	uint64_t wide = 0;
	uint32_t word;

	if (field && !field->size)
		return field->offset;
	if (field && (size_t)field->offset + field->size <= room)
		switch (field->size) {
		case 1: return (unsigned char)from[field->offset];
		case 4: memcpy(&word, from + field->offset, sizeof(word)); return word;
		case 8: memcpy(&wide, from + field->offset, sizeof(wide)); return wide;
		default: break;
		}
	*sound = false;
	return 0;
}

uint64_t head_of_handle(struct head *head, const char *name)
{
	return living_number(head->living, head->handle, HANDLE_SIZE, name, &head->sound);
}

uint64_t head_of_control(struct head *head, const char *name)
{
	return living_number(head->living, head->control, CONTROL_SIZE, name, &head->sound);
}

static bool root_read(struct head *head)
{
	return process_read(head->living->process->pid, head->living->root, &head->root,
			    sizeof(head->root));
}

bool head_read(struct head *head, const struct living *living)
{
	long pid = living->process->pid;

	*head = (struct head){.living = living, .sound = true};
	if (!root_read(head))
		return false;
	errno = ENOENT;
	if (!head->root.heap ||
	    !process_read(pid, head->root.heap, head->handle, sizeof(head->handle)) ||
	    !process_read(pid, head_of_handle(head, "core.control"), head->control,
			  sizeof(head->control)))
		return false;
	errno = EINVAL;
	return head->sound;
}

/* Wraps around, as each counter does. */
static uint64_t counted(struct head *head)
{
	return head_of_control(head, "control.allocations") +
	       head_of_control(head, "control.frees");
}

uint64_t head_drift(struct head *head)
{
	struct head after;

	if (!head_read(&after, head->living))
		return UINT64_MAX;
	if (memcmp(head->control, after.control, CONTROL_SIZE) == 0)
		return 0;
	return counted(&after) - counted(head) + 1;
}
