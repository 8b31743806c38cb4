/* SPDX-License-Identifier: MIT */
/*
 * remembered.c - see remembered.h.
 */
#include "remembered.h"

#include <bheap.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "size_text.h"

#define PAGE ((uint64_t)4096)
#define MARGIN_LEAST ((uint64_t)16 << 10)
#define MARGIN_SHARE 10

/* ---- the name of the file ---- */

/* FNV-1a. The NUL counts: it ends a part. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

/* Settings of libbheap-malloc by which it needs more or less. */
static uint64_t settings_hash(uint64_t hash)
{
	static const char *const names[] = {"BHEAP_MALLOC_GUARD", "BHEAP_GUARD",
					    "BHEAP_MALLOC_CACHE"};

	for (size_t index = 0; index < sizeof(names) / sizeof(*names); index++) {
		const char *value = getenv(names[index]);

		hash = hash_add(hash, value ? value : "");
	}
	return hash;
}

/* A program is the same under each path that leads to it; one found by PATH has its name. */
static uint64_t command_hash(char **argv, const char *options)
{
	char path[PATH_MAX], folder[PATH_MAX];
	uint64_t hash = settings_hash(hash_add(UINT64_C(0xcbf29ce484222325), options));

	hash = hash_add(hash, getcwd(folder, sizeof(folder)) ? folder : "");
	hash = hash_add(hash, strchr(argv[0], '/') && realpath(argv[0], path) ? path : argv[0]);
	for (char **argument = argv + 1; *argument; argument++)
		hash = hash_add(hash, *argument);
	return hash;
}

/* "" where the environment names none. To be freed. */
static char *folder_name(void)
{
	const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
	char *name = NULL;
	int length = 0;

	if (state && *state == '/')
		length = asprintf(&name, "%s/bheap", state);
	else if (home && *home == '/')
		length = asprintf(&name, "%s/.local/state/bheap", home);
	else
		name = calloc(1, 1);
	if (length < 0 || !name)
		err(1, "--size=auto");
	return name;
}

/* Makes a folder, and those that it lies in. */
static bool folder_make(char *name)
{
	for (size_t at = 1; name[at]; at++) {
		if (name[at] != '/')
			continue;
		name[at] = '\0';
		mkdir(name, 0700);
		name[at] = '/';
	}
	return (mkdir(name, 0700) == 0 || errno == EEXIST) && access(name, W_OK | X_OK) == 0;
}

/* ---- reading and keeping ---- */

static void file_read(struct remembered *remembered)
{
	FILE *stream = fopen(remembered->path, "re");
	uint64_t needed, runs;

	if (!stream)
		return;
	if (fscanf(stream, "bheap size 1\nneeded %" SCNu64 "\nruns %" SCNu64 "\n", &needed,
		   &runs) == 2 &&
	    needed && needed <= BHEAP_SIZE_MAX) {
		remembered->needed = needed;
		remembered->runs = runs;
	}
	fclose(stream);
}

bool remembered_find(struct remembered *remembered, char **argv, const char *options)
{
	const char *slash = strrchr(argv[0], '/');
	char *folder = folder_name();
	bool good = *folder && folder_make(folder);

	*remembered = (struct remembered){.name = slash ? slash + 1 : argv[0]};
	if (!*folder)
		warnx("--size=auto: neither XDG_STATE_HOME nor HOME is the path of a folder");
	else if (!good)
		warn("--size=auto: %s", folder);
	else if (asprintf(&remembered->path, "%s/%016" PRIx64, folder,
			  command_hash(argv, options)) < 0)
		err(1, "--size=auto");
	free(folder);
	if (good)
		file_read(remembered);
	remembered->runs_before = remembered->runs;
	remembered->granted = remembered_size(remembered);
	return good;
}

size_t remembered_size(const struct remembered *remembered)
{
	uint64_t margin = remembered->needed / MARGIN_SHARE, size;

	if (!remembered->runs)
		return 0;
	size = remembered->needed + (margin > MARGIN_LEAST ? margin : MARGIN_LEAST);
	size = (size + PAGE - 1) & -PAGE;
	return size < BHEAP_SIZE_MAX ? (size_t)size : BHEAP_SIZE_MAX;
}

static void file_write(const struct remembered *remembered)
{
	struct output output;

	if (!output_open(&output, remembered->path))
		return;
	fprintf(output.stream, "bheap size 1\nneeded %" PRIu64 "\nruns %" PRIu64 "\nprogram %s\n",
		remembered->needed, remembered->runs, remembered->name);
	output_keep(&output);
	output_drop(&output);
}

/* Another run may have ended meanwhile. */
void remembered_keep(struct remembered *remembered, uint64_t needed, bool refused)
{
	remembered->refused = refused;
	if (refused) {
		unlink(remembered->path);
		remembered->needed = remembered->runs = 0;
		return;
	}
	if (!needed)
		return;
	file_read(remembered);
	if (needed > remembered->needed)
		remembered->needed = needed;
	remembered->runs++;
	file_write(remembered);
}

/* ---- telling ---- */

void remembered_print(FILE *stream, const struct remembered *remembered)
{
	char granted[SIZE_TEXT_MAX], next[SIZE_TEXT_MAX];

	fprintf(stream, "  %-16s ", "--size=auto");
	if (remembered->granted)
		fprintf(stream, "%s, from %" PRIu64 " earlier run%s",
			size_print(granted, remembered->granted), remembered->runs_before,
			plural(remembered->runs_before));
	else
		fputs("no size, as no earlier run is known", stream);
	if (remembered->runs)
		fprintf(stream, "; next: %s\n", size_print(next, remembered_size(remembered)));
	else
		fputs(remembered->refused ? "; was too small, next: no size\n" : "\n", stream);
}

static struct json_object *size_json(size_t size)
{
	return size ? json_object_new_uint64(size) : NULL;
}

struct json_object *remembered_json(const struct remembered *remembered)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "granted", size_json(remembered->granted));
	json_object_object_add(object, "earlier_runs",
			       json_object_new_uint64(remembered->runs_before));
	json_object_object_add(object, "next", size_json(remembered_size(remembered)));
	return object;
}

void remembered_release(struct remembered *remembered)
{
	free(remembered->path);
	*remembered = (struct remembered){.path = NULL};
}
