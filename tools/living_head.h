/* SPDX-License-Identifier: MIT */
/*
 * living_head.h - the handle of the heap in a process that runs, its control block, and what the
 * library keeps beside it: read at one moment, and looked up by the names of the fields.
 */
#ifndef TOOLS_LIVING_HEAD_H
#define TOOLS_LIVING_HEAD_H

#include "living.h"

#define HANDLE_SIZE 256 /* of a handle, all fields lie in its first bytes */
#define CONTROL_SIZE 80

/* A handle and its control block, as they were a moment ago. */
struct head {
	const struct living *living;
	struct root {
		uintptr_t heap;
		_Alignas(8) uint64_t faults, sized;
		uintptr_t fresh, start;
	} root; /* the beginning of struct budget */
	char handle[HANDLE_SIZE], control[CONTROL_SIZE];
	bool sound; /* each field that was looked for is there */
};

/* NULL where the library has no such field: it is of another version. */
const struct living_field *living_field(const struct living *living, const char *name);

/* A number, or a constant; *sound is false, and the number 0, where there is none, or no room. */
uint64_t living_number(const struct living *living, const char *from, size_t room, const char *name,
		       bool *sound);

/* False with errno, ENOENT if there is no heap yet. */
bool head_read(struct head *head, const struct living *living);

/* How many calls the heap has counted since, and one more; 0 if no counter is another. */
uint64_t head_drift(struct head *head);

/* Fields; 0, and head->sound is false, where there is none. */
uint64_t head_of_handle(struct head *head, const char *name);
uint64_t head_of_control(struct head *head, const char *name);

#endif
