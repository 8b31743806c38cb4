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

#include "pid_namespace.h"

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

/* As the process itself has it: in a container it has another number. */
static struct table_process own_of(const struct process *process)
{
	char folder[32];
	int32_t number;

	snprintf(folder, sizeof(folder), "%ld", process->pid);
	number = pid_namespace_number(folder);
	return (struct table_process){number ? number : (int32_t)process->pid,
				      pid_namespace_of(folder)};
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
	munmap(view->table, table_size(view->slots_most));
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
	records_read(
		&records,
		&(struct handover){.fd = -1, .table = view.table, .slots_most = view.slots_most});
	found = records_find(&records, own_of(process));
	if (found)
		*record = *found;
	records_release(&records);
	table_leave(&view);
	return found != NULL;
}
