/* SPDX-License-Identifier: MIT */
/*
 * output.c - see output.h.
 */
#include "output.h"

#include <err.h>
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

static bool draft_open(struct output *output, const struct stat *before)
{
	int fd;

	if (asprintf(&output->draft, "%s.XXXXXX", output->path) < 0) {
		output->draft = NULL;
		return false;
	}
	fd = mkstemp(output->draft);
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

bool output_open(struct output *output, const char *path)
{
	struct stat before;
	bool there, opened;

	*output = (struct output){.path = path};
	if (strcmp(path, "-") == 0) {
		output->stream = stdout;
		return true;
	}
	there = stat(path, &before) == 0;
	if (there && !S_ISREG(before.st_mode))
		opened = (output->stream = fopen(path, "we")) != NULL;
	else
		opened = draft_open(output, there ? &before : NULL);
	if (!opened)
		warn("%s", path);
	return opened;
}

bool output_keep(struct output *output)
{
	bool kept = fflush(output->stream) == 0 && !ferror(output->stream);
	bool standard = output->stream == stdout;

	if (!standard && fclose(output->stream))
		kept = false;
	if (kept && output->draft)
		kept = rename(output->draft, output->path) == 0;
	if (!kept)
		warn("%s", standard ? "standard output" : output->path);
	if (!kept && output->draft)
		unlink(output->draft);
	free(output->draft);
	return kept;
}

void output_drop(struct output *output)
{
	if (output->stream && output->stream != stdout)
		fclose(output->stream);
	if (output->draft)
		unlink(output->draft);
	free(output->draft);
	*output = (struct output){0};
}
