/* SPDX-License-Identifier: MIT */
/*
 * records.c - see records.h.
 */
#include "records.h"

#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
};

char *records_folder_make(void)
{
	const char *parent = secure_getenv("TMPDIR");
	char *path;

	if (asprintf(&path, "%s/bheap-XXXXXX", parent && *parent ? parent : "/tmp") < 0)
		return NULL;
	if (mkdtemp(path))
		return path;
	warn("%s", path);
	free(path);
	return NULL;
}

static void line_parse(struct record *record, const char *line, unsigned *seen)
{
	for (unsigned index = 0; index < FIGURES; index++) {
		size_t length = strlen(figure_names[index]);

		if (strncmp(line, figure_names[index], length) == 0 && line[length] == ' ') {
			record->figures[index] = strtoumax(line + length + 1, NULL, 10);
			*seen |= 1u << index;
			return;
		}
	}
	if (strncmp(line, "program ", 8) == 0)
		snprintf(record->program, sizeof(record->program), "%.*s",
			 (int)strcspn(line + 8, "\n"), line + 8);
}

/* False for what is no whole record. */
static bool record_read(struct record *record, const char *path)
{
	char line[128];
	unsigned seen = 0;
	FILE *stream = fopen(path, "re");

	if (!stream)
		return false;
	while (fgets(line, sizeof(line), stream))
		line_parse(record, line, &seen);
	fclose(stream);
	return seen == (1u << FIGURES) - 1;
}

static void record_add(struct records *records, const struct record *record)
{
	struct record *list = reallocarray(records->list, records->count + 1, sizeof(*list));

	if (!list)
		err(1, "records");
	records->list = list;
	list[records->count++] = *record;
}

static int record_order(const void *one, const void *other)
{
	long left = ((const struct record *)one)->pid, right = ((const struct record *)other)->pid;

	return (left > right) - (left < right);
}

void records_take(struct records *records, const char *folder)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;

	*records = (struct records){0};
	while (entries && (entry = readdir(entries))) {
		struct record record = {.pid = strtol(entry->d_name, NULL, 10)};
		char *path;

		if (record.pid <= 0 || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		if (record_read(&record, path))
			record_add(records, &record);
		unlink(path);
		free(path);
	}
	if (entries)
		closedir(entries);
	rmdir(folder);
	if (records->count)
		qsort(records->list, records->count, sizeof(*records->list), record_order);
}

const struct record *records_find(const struct records *records, long pid)
{
	for (size_t index = 0; index < records->count; index++)
		if (records->list[index].pid == pid)
			return &records->list[index];
	return NULL;
}

void records_release(struct records *records)
{
	free(records->list);
	*records = (struct records){0};
}
