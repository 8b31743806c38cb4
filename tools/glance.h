/* SPDX-License-Identifier: MIT */
/*
 * glance.h - a running process for "bheap show": its heap, or, where its memory may not be read,
 * the record that it keeps under "bheap run".
 */
#ifndef TOOLS_GLANCE_H
#define TOOLS_GLANCE_H

#include <json-c/json.h>

#include "picture.h"
#include "process.h"

struct glance {
	struct process process;
	char name[64];      /* for people */
	const char *unread; /* NULL, or why there are no blocks: the figures may be old then */
	bool changing;      /* the blocks may be of different moments */
	uint64_t resident;  /* 0: not known */
};

/* False after a message. The picture has the name of the glance. */
bool glance_take(struct glance *glance, struct picture *picture, const char *number);

/* What the picture does not have: to be printed below the statistics, or among them. */
void glance_print(FILE *stream, const struct glance *glance);
void glance_json(struct json_object *object, const struct glance *glance);

#endif
