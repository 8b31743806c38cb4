/* SPDX-License-Identifier: MIT */
/*
 * others.c - see others.h.
 */
#include "others.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "size_text.h"

/* The processes that ran one program. */
struct others {
	const char *program;
	bool replaced; /* before they executed others */
	size_t count;
	uint64_t peak;
};

static int others_order(const void *one, const void *other)
{
	uint64_t left = ((const struct others *)one)->peak;
	uint64_t right = ((const struct others *)other)->peak;

	return (left < right) - (left > right);
}

static struct others *others_for(struct others *list, size_t *count,
				 const struct stream_summary *one)
{
	for (size_t index = 0; index < *count; index++)
		if (strcmp(list[index].program, one->program) == 0 &&
		    list[index].replaced == one->replaced)
			return &list[index];
	list[*count].program = one->program;
	list[*count].replaced = one->replaced;
	return &list[(*count)++];
}

/* By program, those of the highest peak first; their number. */
static size_t others_make(struct others *list, const struct streams *streams, bool all)
{
	size_t count = 0;

	for (size_t index = 0; index < streams->count; index++) {
		const struct stream_summary *one = &streams->list[index];
		struct others *others;

		if (index == streams->best && !all)
			continue;
		others = others_for(list, &count, one);
		others->count++;
		others->peak = one->peak > others->peak ? one->peak : others->peak;
	}
	if (count)
		qsort(list, count, sizeof(*list), others_order);
	return count;
}

/* Processes that executed other programs afterwards. */
static void replaced_print(const struct others *others)
{
	char peak[SIZE_TEXT_MAX];

	if (others->count == 1)
		warnx("a process was %s at first, with a peak of %s", others->program,
		      size_print(peak, others->peak));
	else
		warnx("%zu processes were %s at first, with peaks of %s at most", others->count,
		      others->program, size_print(peak, others->peak));
}

/* all: the one that is sized may be among them. */
static void others_print(const struct others *others, bool all)
{
	char peak[SIZE_TEXT_MAX];

	if (others->replaced)
		replaced_print(others);
	else if (others->count == 1)
		warnx("%s process, %s, with a peak of %s", all ? "a" : "another", others->program,
		      size_print(peak, others->peak));
	else
		warnx("%zu %sprocesses, %s, with peaks of %s at most", others->count,
		      all ? "" : "other ", others->program, size_print(peak, others->peak));
}

#define OTHERS_MOST 5 /* lines about them */

void others_tell(const struct streams *streams, bool all)
{
	struct others *list = calloc(streams->count + 1, sizeof(*list));
	size_t count = list ? others_make(list, streams, all) : 0, rest = 0;

	for (size_t index = 0; index < count; index++)
		if (index < OTHERS_MOST)
			others_print(&list[index], all);
		else
			rest += list[index].count;
	if (rest)
		warnx("%zu process%s of other programs had lower peaks", rest,
		      rest == 1 ? "" : "es");
	if (streams->missed)
		warnx("%zu more processes were not recorded: there is no room", streams->missed);
	free(list);
}
