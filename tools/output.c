/* SPDX-License-Identifier: MIT */
/*
 * output.c - see output.h.
 */
#include "output.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t mode_of_new_files(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* ---- symbolic links ---- */

#define LINKS_MAX 40 /* as the kernel has it */

/*
 * True for a symbolic link of a file system; the links that /proc has for open files do not count.
 */
static bool is_link(const char *path)
{
	struct stat status, process;

	return lstat(path, &status) == 0 && S_ISLNK(status.st_mode) &&
	       (stat("/proc/self", &process) || process.st_dev != status.st_dev);
}

/* The target of a link, relative to the link's folder; malloc()ed, or NULL. */
static char *link_target(const char *path)
{
	const char *slash = strrchr(path, '/');
	char target[PATH_MAX], *whole;
	ssize_t length = readlink(path, target, sizeof(target));
	int folder;

	if (length < 0)
		return NULL;
	folder = *target == '/' || !slash ? 0 : (int)(slash + 1 - path);
	return asprintf(&whole, "%.*s%.*s", folder, path, (int)length, target) < 0 ? NULL : whole;
}

/* The file that a path leads to, whether it is there or not; malloc()ed, or NULL with errno. */
static char *path_behind_links(const char *path)
{
	char *place = strdup(path);

	for (int links = 0; place && is_link(place); links++) {
		char *next = links < LINKS_MAX ? link_target(place) : NULL;

		if (links == LINKS_MAX)
			errno = ELOOP;
		free(place);
		place = next;
	}
	return place;
}

/* ---- the draft ---- */

static bool draft_open(struct output *output, const struct stat *before)
{
	int fd;

	if (asprintf(&output->draft, "%s.XXXXXX", output->place) < 0) {
		output->draft = NULL;
		return false;
	}
	fd = mkostemp(output->draft, O_CLOEXEC);
	if (fd < 0) {
		free(output->draft);
		output->draft = NULL;
		return false;
	}
	if (fchmod(fd, before ? before->st_mode & 0777 : mode_of_new_files()) == 0)
		output->stream = fdopen(fd, "w");
	if (output->stream)
		return true;
	close(fd);
	output_drop(output);
	return false;
}

/*
 * True for a path that exists and cannot be replaced: not a regular file, or reachable through
 * /proc only.
 */
static bool is_written_as_it_is(const struct stat *before, const char *place)
{
	struct stat status;

	return !S_ISREG(before->st_mode) || lstat(place, &status) || !S_ISREG(status.st_mode);
}

/* The number of the open file that a path leads to, as /dev/stdout does; -1 if it leads to none. */
static int descriptor_behind(const char *place)
{
	int number, length = 0;

	if (sscanf(place, "/proc/self/fd/%d%n", &number, &length) < 1)
		sscanf(place, "/dev/fd/%d%n", &number, &length);
	return length && !place[length] ? number : -1;
}

/*
 * Other programs write to it, too: a new open file description would start at offset 0 and truncate
 * what is there.
 */
static bool descriptor_open(struct output *output, int number)
{
	int fd = fcntl(number, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		output->stream = fdopen(fd, "w");
	if (fd >= 0 && !output->stream)
		close(fd);
	return output->stream;
}

static bool place_open(struct output *output)
{
	struct stat before;
	bool there = stat(output->path, &before) == 0;
	int number;

	/* A link that the kernel does not follow is not followed here. */
	if (!there && errno != ENOENT)
		return false;
	output->place = path_behind_links(output->path);
	if (!output->place)
		return false;
	number = descriptor_behind(output->place);
	if (number >= 0)
		return descriptor_open(output, number);
	if (!there || !is_written_as_it_is(&before, output->place))
		return draft_open(output, there ? &before : NULL);
	output->stream = fopen(output->path, "we");
	return output->stream;
}

bool output_open(struct output *output, const char *path)
{
	*output = (struct output){.path = path};
	if (!path)
		return true;
	if (strcmp(path, "-") == 0) {
		output->stream = stdout;
		return true;
	}
	if (place_open(output))
		return true;
	warn("%s", path);
	output_drop(output);
	return false;
}

bool output_keep(struct output *output)
{
	bool kept = fflush(output->stream) == 0 && !ferror(output->stream);
	bool standard = output->stream == stdout;

	if (!standard && fclose(output->stream))
		kept = false;
	if (kept && output->draft)
		kept = rename(output->draft, output->place) == 0;
	if (!kept)
		warn("%s", standard ? "standard output" : output->path);
	if (!kept && output->draft)
		unlink(output->draft);
	free(output->draft);
	free(output->place);
	*output = (struct output){0};
	return kept;
}

void output_drop(struct output *output)
{
	if (output->stream && output->stream != stdout)
		fclose(output->stream);
	if (output->draft)
		unlink(output->draft);
	free(output->draft);
	free(output->place);
	*output = (struct output){0};
}
