/* SPDX-License-Identifier: MIT */
/*
 * borrow.c - see borrow.h. The setting is in the environment that the program began with; the file
 * is open in the process, or else in bheap.
 */
#include "borrow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME "BHEAP_MALLOC_TABLE="

static FILE *file_of(const struct process *process, const char *name)
{
	int fd = process_open(process->pid, name);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !stream)
		close(fd);
	return stream;
}

/* malloc()ed, or NULL. */
static char *setting_of(const struct process *process)
{
	FILE *stream = file_of(process, "environ");
	char *entry = NULL, *setting = NULL;
	size_t room = 0;

	while (stream && !setting && getdelim(&entry, &room, '\0', stream) > 0)
		if (strncmp(entry, NAME, strlen(NAME)) == 0)
			setting = strdup(entry + strlen(NAME));
	free(entry);
	if (stream)
		fclose(stream);
	return setting;
}

/* The number that the process itself has: in a container it is another. */
static long number_of(const struct process *process)
{
	FILE *stream = file_of(process, "status");
	long number = process->pid;
	char line[256];

	while (stream && fgets(line, sizeof(line), stream)) {
		char *last = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;

		if (last)
			number = strtol(last, NULL, 10);
	}
	if (stream)
		fclose(stream);
	return number;
}

/* In the process, where its parent left the descriptor open; else in bheap. */
static void table_find(struct table_view *view, const struct process *process, const char *setting)
{
	const char *pid = strchr(setting, ':'), *file = pid ? strchr(pid + 1, ':') : NULL;
	char *own;

	if (!file)
		return;
	if (asprintf(&own, "%.*s:%ld%s", (int)(pid - setting), setting, process->pid, file) < 0)
		return;
	table_attach(view, own);
	free(own);
	if (!view->table)
		table_attach(view, setting);
}

static void table_leave(const struct table_view *view)
{
	if (view->area)
		munmap(view->area, view->area_size);
	munmap(view->table, sizeof(*view->table));
}

bool borrow_record(struct record *record, const struct process *process)
{
	struct table_view view = {.table = NULL};
	char *setting = setting_of(process);
	const struct record *found;
	struct records records;

	if (setting)
		table_find(&view, process, setting);
	free(setting);
	if (!view.table)
		return false;
	records_read(&records, &(struct handover){.fd = -1, .table = view.table});
	found = records_find(&records, number_of(process));
	if (found)
		*record = *found;
	records_release(&records);
	table_leave(&view);
	return found != NULL;
}
