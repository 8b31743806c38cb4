/* SPDX-License-Identifier: MIT */
/*
 * glance.c - see glance.h.
 */
#include "glance.h"

#include <err.h>

#include "borrow.h"
#include "living.h"
#include "size_text.h"
#include "utf8.h"

/* The statistics of a record, without those of free blocks. */
static bool record_take(struct picture *picture, const struct process *process)
{
	const uint64_t *figures;
	struct record record;

	if (!borrow_record(&record, process))
		return false;
	figures = record.figures;
	picture->stats = (struct bheap_stats){
		.size = (size_t)figures[FIGURE_SIZE],
		.used = (size_t)figures[FIGURE_USED],
		.free = (size_t)figures[FIGURE_FREE],
		.peak_used = (size_t)figures[FIGURE_PEAK_USED],
		.live_blocks = (size_t)figures[FIGURE_LIVE_BLOCKS],
		.allocations = figures[FIGURE_ALLOCATIONS],
		.frees = figures[FIGURE_FREES],
		.failures = figures[FIGURE_FAILURES],
		.faults = figures[FIGURE_FAULTS],
	};
	return true;
}

/* NULL, or why neither heap nor record can be read. */
static const char *heap_take(struct glance *glance, struct picture *picture)
{
	struct living living;
	bool denied = false;
	const char *reason = living_find(&living, &glance->process, &denied);

	if (reason && denied && record_take(picture, &glance->process)) {
		glance->unread = reason;
		return NULL;
	}
	if (reason)
		return reason;
	if (living_picture(&living, picture, &glance->changing))
		return NULL;
	return process_runs(&glance->process) ? "its heap cannot be read: it is not sound"
					      : "the process has ended";
}

bool glance_take(struct glance *glance, struct picture *picture, const char *number)
{
	const char *reason;

	*glance = (struct glance){.name = ""};
	*picture = (struct picture){.name = NULL};
	reason = process_find(&glance->process, number);
	if (!reason)
		reason = heap_take(glance, picture);
	if (reason) {
		warnx("%s: %s", number, reason);
		picture_release(picture);
		return false;
	}
	glance->resident = process_resident(glance->process.pid);
	snprintf(glance->name, sizeof(glance->name), "process %ld (%s)", glance->process.pid,
		 glance->process.program);
	picture->name = glance->name;
	return true;
}

void glance_print(FILE *stream, const struct glance *glance)
{
	char text[SIZE_TEXT_MAX];

	if (glance->resident)
		fprintf(stream, "  %-14s %s resident\n", "process",
			size_print(text, glance->resident));
	if (glance->changing)
		fputs("  the heap changes all the time: the map mixes several moments\n", stream);
	if (glance->unread)
		fprintf(stream,
			"  these may be old: they are from the record that 'bheap run' shares, for its\n"
			"  memory may not be read (%s)\n",
			glance->unread);
}

void glance_json(struct json_object *object, const struct glance *glance)
{
	json_object_object_add(object, "process", json_object_new_int64(glance->process.pid));
	json_object_object_add(object, "program", utf8_json(glance->process.program));
	json_object_object_add(object, "resident",
			       glance->resident ? json_object_new_uint64(glance->resident) : NULL);
	json_object_object_add(object, "changing", json_object_new_boolean(glance->changing));
	json_object_object_add(object, "may_be_old",
			       json_object_new_boolean(glance->unread != NULL));
}
