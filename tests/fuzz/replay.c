/* SPDX-License-Identifier: MIT */
/*
 * replay.c - a main() for a fuzz target: replays the files named on the command line, or the seeds
 * that come with the target, and tells in TAP. An input that fails ends it by a signal.
 */
#include "input.h"

#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned replayed;

/* In memory of its very size, so that a read past its end is seen. */
static void file_replay(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes;
	size_t size;

	if (!file || fseek(file, 0, SEEK_END))
		err(1, "%s", path);
	size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(size);
	if ((size && !bytes) || fread(bytes, 1, size, file) != size)
		err(1, "%s", path);
	fclose(file);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	printf("ok %u - %s\n", ++replayed, path);
}

static int entry_is_file(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

static void folder_replay(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, entry_is_file, alphasort);

	if (count < 0)
		err(1, "%s", folder);
	for (int index = 0; index < count; index++) {
		char *path;

		if (asprintf(&path, "%s/%s", folder, entries[index]->d_name) < 0)
			err(1, "%s", folder);
		file_replay(path);
		free(path);
		free(entries[index]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char *folder;

	for (int index = 1; index < argc; index++)
		file_replay(argv[index]);
	if (argc == 1) {
		if (asprintf(&folder, "%s/tests/fuzz/" CORPUS, srcdir ? srcdir : ".") < 0)
			err(1, CORPUS);
		folder_replay(folder);
		free(folder);
	}
	printf("1..%u\n", replayed);
	return !replayed;
}
