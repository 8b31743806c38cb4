/* SPDX-License-Identifier: MIT */
/*
 * sharers.c - see sharers.h.
 */
#include "sharers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

/* A line of a list of mappings. */
struct mapping {
	unsigned long start;
	struct sharers file;
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

static bool is_same(const struct sharers *one, const struct sharers *other)
{
	return one->inode == other->inode && strcmp(one->device, other->device) == 0;
}

/* The first mapping of a process that is at an address or, if that is NULL, of a file. */
static bool mapping_find(struct mapping *mapping, long pid, const void *address,
			 const struct sharers *file)
{
	FILE *maps = maps_open(pid);
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	while (maps && !found && getline(&line, &room, maps) > 0)
		found = mapping_parse(mapping, line) &&
			(address ? mapping->start == (uintptr_t)address
				 : is_same(&mapping->file, file));
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

bool sharers_find(struct sharers *sharers, const void *address)
{
	struct mapping mapping;
	bool found = mapping_find(&mapping, getpid(), address, NULL);

	if (found)
		*sharers = mapping.file;
	return found;
}

static bool shares(const struct sharers *sharers, long pid)
{
	struct mapping mapping;

	return mapping_find(&mapping, pid, NULL, sharers);
}

size_t sharers_count(const struct sharers *sharers)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	while (processes && (entry = readdir(processes))) {
		long pid = process_is_number(entry->d_name) ? atol(entry->d_name) : 0;

		count += pid && pid != getpid() && shares(sharers, pid);
	}
	if (processes)
		closedir(processes);
	return count;
}

bool sharers_see(pid_t pid)
{
	FILE *maps = maps_open(pid);

	if (!maps)
		return errno == ENOENT || errno == ESRCH;
	fclose(maps);
	return true;
}
