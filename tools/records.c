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
	const char *setting = secure_getenv("TMPDIR");
	const char *parent = setting && *setting ? setting : "/tmp";
	char *whole = realpath(parent, NULL); /* a program may go elsewhere */
	char *path = NULL;

	if (whole && asprintf(&path, "%s/bheap-XXXXXX", whole) < 0)
		path = NULL;
	free(whole);
	if (path && mkdtemp(path))
		return path;
	warn("%s", path ? path : parent);
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

/* Calls visit with the path of each file in the folder; name is its last part. */
static void folder_visit(const char *folder,
			 void (*visit)(const char *path, const char *name, void *), void *arg)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	char *path;

	while (entries && (entry = readdir(entries))) {
		if (entry->d_name[0] == '.' || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		visit(path, entry->d_name, arg);
		free(path);
	}
	if (entries)
		closedir(entries);
}

static void file_read(const char *path, const char *name, void *records)
{
	char *end;
	struct record record = {.pid = strtol(name, &end, 10)};

	if (record.pid > 0 && !*end && record_read(&record, path))
		record_add(records, &record);
}

void records_read(struct records *records, const char *folder)
{
	*records = (struct records){0};
	folder_visit(folder, file_read, records);
	if (records->count)
		qsort(records->list, records->count, sizeof(*records->list), record_order);
}

static void file_remove(const char *path, const char *name, void *unused)
{
	(void)name;
	(void)unused;
	unlink(path);
}

void records_folder_remove(const char *folder)
{
	folder_visit(folder, file_remove, NULL);
	rmdir(folder);
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
