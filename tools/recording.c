/* SPDX-License-Identifier: MIT */
/*
 * recording.c - see recording.h. The recorder is record.c; what it writes has addresses, which
 * become block numbers here. tsearch(3) keeps the live blocks by address.
 */
#include "recording.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "child.h"
#include "records.h"
#include "size_text.h"

struct live {
	uintptr_t address;
	uint32_t slot;
};

/* A raw recording on its way to a trace. */
struct conversion {
	struct trace *trace;
	void *tree;      /* of struct live, by address */
	uint32_t *spare; /* slots that may be used again */
	size_t spare_count, spare_room;
	uint32_t slot_count;
};

static int live_order(const void *one, const void *other)
{
	uintptr_t left = ((const struct live *)one)->address;
	uintptr_t right = ((const struct live *)other)->address;

	return (left > right) - (left < right);
}

/* ---- slots ---- */

static uint32_t slot_take(struct conversion *conversion)
{
	return conversion->spare_count ? conversion->spare[--conversion->spare_count]
				       : conversion->slot_count++;
}

static void slot_return(struct conversion *conversion, uint32_t slot)
{
	if (conversion->spare_count == conversion->spare_room) {
		conversion->spare_room = conversion->spare_room * 2 + 1024;
		conversion->spare = reallocarray(conversion->spare, conversion->spare_room,
						 sizeof(*conversion->spare));
		if (!conversion->spare)
			err(1, "recording");
	}
	conversion->spare[conversion->spare_count++] = slot;
}

/* Takes the block at an address off the tree; false if there is none. */
static bool live_remove(struct conversion *conversion, uintptr_t address, uint32_t *slot)
{
	struct live key = {.address = address}, *live;
	struct live **found = tfind(&key, &conversion->tree, live_order);

	if (!found)
		return false;
	live = *found;
	*slot = live->slot;
	tdelete(&key, &conversion->tree, live_order);
	free(live);
	return true;
}

static void live_add(struct conversion *conversion, uintptr_t address, uint32_t slot)
{
	struct live *live = malloc(sizeof(*live));

	if (!live)
		err(1, "recording");
	*live = (struct live){address, slot};
	if (!tsearch(live, &conversion->tree, live_order))
		err(1, "recording");
}

/* ---- operations ---- */

/* Returns what is wrong with it, as trace_append() does, or NULL. */
static const char *block_free(struct conversion *conversion, uintptr_t address)
{
	struct trace_op op = {.kind = TRACE_FREE};

	/* Of a block from before the recording nothing is known. */
	if (!live_remove(conversion, address, &op.slot))
		return NULL;
	slot_return(conversion, op.slot);
	return trace_append(conversion->trace, op);
}

static const char *block_make(struct conversion *conversion, uintptr_t address, struct trace_op op)
{
	const char *wrong = block_free(conversion, address); /* if its free was missed */

	if (wrong)
		return wrong;
	op.slot = slot_take(conversion);
	live_add(conversion, address, op.slot);
	return trace_append(conversion->trace, op);
}

static const char *block_resize(struct conversion *conversion, uintptr_t old, uintptr_t address,
				size_t size)
{
	struct trace_op op = {.kind = TRACE_RESIZE, .size = size};

	if (!live_remove(conversion, old, &op.slot))
		return block_make(conversion, address,
				  (struct trace_op){.kind = TRACE_ALLOC, .size = size});
	live_add(conversion, address, op.slot);
	return trace_append(conversion->trace, op);
}

/* Of 0, which is none: that of the largest. */
static uint8_t alignment_log2(size_t alignment)
{
	return (uint8_t)__builtin_ctzll(alignment | (SIZE_MAX ^ SIZE_MAX >> 1));
}

static const char *line_convert(struct conversion *conversion, const char *line)
{
	uint64_t numbers[3] = {0};
	char *rest = (char *)(uintptr_t)line + 1;

	for (unsigned index = 0; index < 3; index++)
		numbers[index] = strtoull(rest, &rest, 0);
	switch (line[0]) {
	case 'a':
		return block_make(
			conversion, (uintptr_t)numbers[0],
			(struct trace_op){.kind = TRACE_ALLOC, .size = (size_t)numbers[1]});
	case 'm':
		return block_make(
			conversion, (uintptr_t)numbers[0],
			(struct trace_op){.kind = TRACE_ALIGNED,
					  .alignment_log2 = alignment_log2((size_t)numbers[1]),
					  .size = (size_t)numbers[2]});
	case 'r':
		return block_resize(conversion, (uintptr_t)numbers[0], (uintptr_t)numbers[1],
				    (size_t)numbers[2]);
	case 'f': return block_free(conversion, (uintptr_t)numbers[0]);
	default: return "not an operation";
	}
}

/* The bytes of a raw recording are lines, and zeros that mean nothing. */
static bool stream_convert(struct conversion *conversion, FILE *stream, const char *path)
{
	char line[128];
	size_t length = 0;
	int byte;

	while ((byte = getc_unlocked(stream)) != EOF) {
		const char *wrong = NULL;

		if (byte == '\n') {
			line[length] = '\0';
			wrong = line_convert(conversion, line);
			length = 0;
		} else if (byte && length + 1 < sizeof(line)) {
			line[length++] = (char)byte;
		}
		if (wrong) {
			warnx("%s: %s: '%s'", path, wrong, line);
			return false;
		}
	}
	return true;
}

static bool raw_load(struct trace *trace, const char *path, const char *name)
{
	struct conversion conversion = {.trace = trace};
	FILE *stream = fopen(path, "re");
	bool loaded;

	if (!stream) {
		warn("%s", path);
		return false;
	}
	trace_begin(trace, name);
	loaded = stream_convert(&conversion, stream, path);
	fclose(stream);
	tdestroy(conversion.tree, free);
	free(conversion.spare);
	if (!loaded)
		trace_release(trace);
	return loaded;
}

/* ---- recordings ---- */

static void other_tell(const struct trace *trace)
{
	char peak[SIZE_TEXT_MAX];

	warnx("another process, %s, needed less: %s at the peak", trace->name,
	      size_print(peak, trace->peak_size));
}

/* Keeps the one of two traces that needed more. */
static void trace_prefer(struct trace *best, struct trace *other)
{
	struct trace less = *other;

	if (other->peak_size > best->peak_size || !best->op_count) {
		less = *best;
		*best = *other;
	}
	if (less.op_count)
		other_tell(&less);
	trace_release(&less);
}

/* Loads what is in the folder, and removes all of it. */
static bool folder_take(struct trace *best, const char *folder)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	bool good = true;

	*best = (struct trace){0};
	while (entries && (entry = readdir(entries))) {
		struct trace trace;
		char *path;

		if (entry->d_name[0] == '.' || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		if (good && (good = raw_load(&trace, path, entry->d_name)))
			trace_prefer(best, &trace);
		unlink(path);
		free(path);
	}
	if (entries)
		closedir(entries);
	rmdir(folder);
	return good;
}

bool recording_make(struct trace *trace, char **argv)
{
	const char *library = child_library("BHEAP_RECORD_LIBRARY", PKGLIBDIR "/bheap-record.so");
	char *folder = library ? records_folder_make() : NULL, *setting;
	struct child_end end;
	bool good;

	if (!folder || asprintf(&setting, "BENCH_RECORD=%s", folder) < 0)
		return false;
	child_run(&(struct child){(char *[]){setting, (char[]){"BENCH_FOLLOW=1"}, NULL}, library},
		  argv, &end);
	good = folder_take(trace, folder);
	if (end.ran && end.signal)
		warnx("%s was ended by signal %d (%s)", argv[0], end.signal, strsignal(end.signal));
	else if (end.ran && end.status)
		warnx("%s ended with status %d", argv[0], end.status);
	if (end.ran && good && !trace->op_count)
		warnx("%s: nothing was recorded: it allocates nothing, takes no preloaded library, "
		      "or has a malloc() of its own",
		      argv[0]);
	free(setting);
	free(folder);
	return end.ran && good && trace->op_count;
}

/* ---- saving ---- */

static int op_save(gzFile file, const struct trace_op *op)
{
	switch ((enum trace_kind)op->kind) {
	case TRACE_ALLOC: return gzprintf(file, "a %" PRIu32 " %zu\n", op->slot, op->size);
	case TRACE_ALIGNED:
		return gzprintf(file, "m %" PRIu32 " %zu %zu\n", op->slot,
				(size_t)1 << op->alignment_log2, op->size);
	case TRACE_RESIZE: return gzprintf(file, "r %" PRIu32 " %zu\n", op->slot, op->size);
	case TRACE_FREE:
	default: return gzprintf(file, "f %" PRIu32 "\n", op->slot);
	}
}

/* To a descriptor, which stays open. */
static bool ops_save(int fd, const char *mode, const struct trace *trace)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	gzFile file = own < 0 ? NULL : gzdopen(own, mode);
	bool good = file != NULL;

	for (size_t op = 0; good && op < trace->op_count; op++)
		good = op_save(file, &trace->ops[op]) > 0;
	if (file && gzclose(file) != Z_OK)
		good = false;
	else if (!file && own >= 0)
		close(own);
	return good;
}

bool recording_save(const struct trace *trace, struct output *output)
{
	size_t length = strlen(output->path);
	bool compressed = length > 3 && strcmp(output->path + length - 3, ".gz") == 0;

	if (ops_save(fileno(output->stream), compressed ? "wb" : "wbT", trace))
		return output_keep(output);
	warn("%s", output->path);
	output_drop(output);
	return false;
}
