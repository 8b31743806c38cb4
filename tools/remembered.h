/* SPDX-License-Identifier: MIT */
/*
 * remembered.h - what earlier runs of a command needed, for "bheap run --size=auto": a small file
 * for each command in the user's state folder. A command is a program with its arguments, in a
 * folder; of these the file has a hash only. Refuses to know how runs are made.
 */
#ifndef TOOLS_REMEMBERED_H
#define TOOLS_REMEMBERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

struct remembered {
	char *path;           /* of the file */
	const char *name;     /* of the program, for people */
	uint64_t needed;      /* bytes, at most, in those runs */
	uint64_t runs;        /* 0: none is known of */
	uint64_t runs_before; /* this one */
	size_t granted;       /* to this run; 0: no size */
	bool refused;         /* requests of this run */
};

/*
 * Reads what is known of a command; options: what makes it need more or less. False after a message
 * where nothing could be kept.
 */
bool remembered_find(struct remembered *remembered, char **argv, const char *options);

/* The size that the next run is granted: with a margin; 0: none, for no run is known of. */
size_t remembered_size(const struct remembered *remembered);

/*
 * Keeps what this run needed, too. If requests were refused all is forgotten: what would have
 * sufficed is not known.
 */
void remembered_keep(struct remembered *remembered, uint64_t needed, bool refused);

/* A line about what was granted and what will be. */
void remembered_print(FILE *stream, const struct remembered *remembered);
struct json_object *remembered_json(const struct remembered *remembered);

void remembered_release(struct remembered *remembered);

#endif
