/* SPDX-License-Identifier: MIT */
/*
 * sharers.c - see sharers.h.
 */
#include "sharers.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "process.h"

/* A file, as the kernel names it in lists of mappings. */
struct mapped_file {
	char device[16];
	unsigned long long inode;
};

/* A line of a list of mappings. */
struct mapping {
	unsigned long start;
	struct mapped_file file;
};

static FILE *maps_open(long pid)
{
	int fd = process_open(pid, "maps");
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "re");

	if (fd >= 0 && !maps)
		close(fd);
	return maps;
}

/* True if a line was read that tells of a file. */
static bool mapping_parse(struct mapping *mapping, const char *line)
{
	return sscanf(line, "%lx-%*x %*s %*x %15s %llu", &mapping->start, mapping->file.device,
		      &mapping->file.inode) == 3 &&
	       mapping->file.inode;
}

static bool is_same(const struct mapped_file *one, const struct mapped_file *other)
{
	return one->inode == other->inode && strcmp(one->device, other->device) == 0;
}

/* The first mapping in a list that is at an address or, if that is NULL, of a file. */
static bool mapping_find(struct mapping *mapping, FILE *maps, const void *address,
			 const struct mapped_file *file)
{
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	while (!found && getline(&line, &room, maps) > 0)
		found = mapping_parse(mapping, line) &&
			(address ? mapping->start == (uintptr_t)address
				 : is_same(&mapping->file, file));
	free(line);
	fclose(maps);
	return found;
}

/* What is mapped at an address of this process. */
static bool file_find(struct mapped_file *file, const void *address)
{
	FILE *maps = maps_open(getpid());
	struct mapping mapping;
	bool found = maps && mapping_find(&mapping, maps, address, NULL);

	if (found)
		*file = mapping.file;
	return found;
}

/* As far as errno of a file below /proc tells: there is no folder where processes are hidden. */
static bool has_ended(pid_t pid)
{
	return (errno == ENOENT || errno == ESRCH) && kill(pid, 0) && errno == ESRCH;
}

static bool shares(const struct mapped_file *file, pid_t pid, bool *hidden)
{
	FILE *maps = maps_open(pid);
	struct mapping mapping;

	if (!maps)
		*hidden |= !has_ended(pid);
	return maps && mapping_find(&mapping, maps, NULL, file);
}

/* True if /proc is mounted so that it does not show all processes to all users. */
static bool proc_hides(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	bool hides = !mounts;
	char *line = NULL;
	size_t room = 0;

	while (mounts && getline(&line, &room, mounts) > 0)
		hides |= strstr(line, " /proc ") && strstr(line, "hidepid=");
	free(line);
	if (mounts)
		fclose(mounts);
	return hides;
}

static void list_add(struct sharers *sharers, pid_t pid)
{
	sharers->list = memory_resize(sharers->list, (sharers->count + 1) * sizeof(*sharers->list));
	sharers->list[sharers->count++] = pid;
}

bool sharers_find(struct sharers *sharers, const void *address)
{
	struct mapped_file file;
	const struct dirent *entry;
	DIR *processes;

	*sharers = (struct sharers){.hidden = proc_hides()};
	if (!file_find(&file, address))
		return false;
	processes = opendir("/proc");
	while (processes && (entry = readdir(processes))) {
		pid_t pid = process_is_number(entry->d_name) ? atoi(entry->d_name) : 0;

		if (pid && pid != getpid() && shares(&file, pid, &sharers->hidden))
			list_add(sharers, pid);
	}
	if (processes)
		closedir(processes);
	return true;
}

bool sharers_have(const struct sharers *sharers, pid_t pid)
{
	for (size_t index = 0; index < sharers->count; index++)
		if (sharers->list[index] == pid)
			return true;
	return false;
}

void sharers_release(struct sharers *sharers)
{
	free(sharers->list);
}

bool sharers_see(pid_t pid)
{
	FILE *maps = maps_open(pid);

	if (!maps)
		return has_ended(pid);
	fclose(maps);
	return true;
}
