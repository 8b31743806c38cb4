/* SPDX-License-Identifier: MIT */
/*
 * picture.c - see picture.h. A snapshot file is text: a first line, a line "name value" for each
 * figure, and a line for each block: offset, size, usable, owner and checksum, '-' for a free one.
 * The size comes first: it tells whether all blocks are there.
 */
#include "picture.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "attach.h"

static const char first_line[] = "bheap snapshot 1\n";

struct stat_field {
	const char *name;
	size_t offset, size; /* of a size_t or a uint64_t */
};
#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct bheap_stats, name), sizeof(((struct bheap_stats *)0)->name) \
	}

/* Those from a walk are made anew when a snapshot is read; the size must then be the one told. */
static const struct stat_field counters[] = {
	FIELD(size),     FIELD(peak_used),       FIELD(allocations),  FIELD(frees),
	FIELD(failures), FIELD(faults),          FIELD(rebuilds),     FIELD(recoveries),
	FIELD(limit),    FIELD(largest_refused), FIELD(last_refused), FIELD(used_at_refusal),
};
#define COUNTERS (sizeof(counters) / sizeof(*counters))
#define COUNTERS_ALWAYS (COUNTERS - 4) /* the last ones are told if not 0: older readers fail */

static uint64_t counter_get(const struct bheap_stats *stats, size_t index)
{
	const char *field = (const char *)stats + counters[index].offset;

	return counters[index].size == sizeof(size_t) ? *(const size_t *)(const void *)field
						      : *(const uint64_t *)(const void *)field;
}

static void counter_set(struct bheap_stats *stats, size_t index, uint64_t value)
{
	char *field = (char *)stats + counters[index].offset;

	if (counters[index].size == sizeof(size_t))
		*(size_t *)(void *)field = value < SIZE_MAX ? (size_t)value : SIZE_MAX;
	else
		*(uint64_t *)(void *)field = value;
}

/* ---- built up ---- */

struct taking {
	struct picture *picture;
	const char *start;
	size_t room;
	bool contents;
};

struct block *picture_add(struct picture *picture, size_t *room)
{
	if (picture->count == *room) {
		*room = *room * 2 + 1024;
		picture->blocks = reallocarray(picture->blocks, *room, sizeof(*picture->blocks));
		if (!picture->blocks)
			err(1, "%zu blocks", *room);
	}
	return &picture->blocks[picture->count++];
}

void picture_total(struct picture *picture)
{
	struct bheap_stats *stats = &picture->stats;

	stats->size = stats->used = stats->free = stats->largest_free = 0;
	stats->live_blocks = stats->free_blocks = 0;
	for (size_t index = 0; index < picture->count; index++) {
		const struct block *block = &picture->blocks[index];

		stats->size += (size_t)block->size;
		*(block->used ? &stats->used : &stats->free) += (size_t)block->size;
		*(block->used ? &stats->live_blocks : &stats->free_blocks) += 1;
		if (!block->used && block->size > stats->largest_free)
			stats->largest_free = (size_t)block->size;
	}
	stats->fragmentation = 0;
	if (stats->free)
		stats->fragmentation = 1.0 - (double)stats->largest_free / (double)stats->free;
}

void picture_reckon(struct picture *picture, uint64_t in_use)
{
	uint64_t all = 0, largest = 0;

	picture->in_use = in_use;
	for (size_t index = 0; index < picture->count; index++) {
		const struct block *block = &picture->blocks[index];
		uint64_t part;

		if (block->used || block->offset >= in_use)
			continue;
		part = in_use - block->offset;
		part = block->size < part ? block->size : part;
		all += part;
		largest = part > largest ? part : largest;
	}
	picture->stats.fragmentation = all ? 1.0 - (double)largest / (double)all : 0;
}

/* ---- from a heap ---- */

static int block_take(const struct bheap_block *seen, void *arg)
{
	struct taking *taking = arg;
	struct block *block = picture_add(taking->picture, &taking->room);

	if (!taking->start)
		taking->start = seen->address;
	*block = (struct block){
		.offset = (uint64_t)((const char *)seen->address - taking->start),
		.size = seen->size,
		.usable = seen->usable,
		.used = seen->used,
		.owner = seen->owner,
	};
	if (seen->used && taking->contents)
		block->checksum = (uint32_t)crc32_z(0, seen->address, seen->usable);
	return 0;
}

static bool heap_take(struct picture *picture, const char *path, bool contents)
{
	struct taking taking = {.picture = picture, .contents = contents};
	struct fault_log log = {.count = 0};
	bheap_t *heap = heap_attach(path, O_RDONLY, &log);
	bool taken;

	if (!heap) {
		fault_log_tell(&log, path);
		return false;
	}
	taken = bheap_walk(heap, block_take, &taking) == 0 &&
		bheap_stats(heap, &picture->stats) == 0;
	if (!taken)
		warn("%s", path);
	bheap_close(heap);
	/* The heap may be at work between the two calls: the blocks are what counts. */
	picture_total(picture);
	return taken;
}

/* ---- from a snapshot ---- */

static bool block_parse(struct picture *picture, const char *line, size_t *room, uint64_t *at)
{
	struct block block = {0};
	int length = 0, fields = sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %n",
					&block.offset, &block.size, &block.usable, &length);
	char end = 0;

	if (fields < 3 || block.offset != *at || !block.size || block.usable > block.size ||
	    block.size > BHEAP_SIZE_MAX - *at)
		return false;
	block.used = strcmp(line + length, "-\n") != 0;
	if (block.used &&
	    (sscanf(line + length, "%d %" SCNx32 "%c", &block.owner, &block.checksum, &end) != 3 ||
	     end != '\n' || block.owner < 0))
		return false;
	*picture_add(picture, room) = block;
	*at += block.size;
	return true;
}

static bool counter_parse(struct picture *picture, const char *line)
{
	char name[32], end;
	uint64_t value;

	if (sscanf(line, "%31s %" SCNu64 "%c", name, &value, &end) != 3 || end != '\n')
		return false;
	for (size_t index = 0; index < COUNTERS; index++) {
		if (strcmp(name, counters[index].name) == 0) {
			counter_set(&picture->stats, index, value);
			return true;
		}
	}
	return false;
}

static bool snapshot_read(struct picture *picture, const char *path, FILE *stream)
{
	size_t room = 0, number = 1, size;
	uint64_t at = 0;
	char line[160];

	while (fgets(line, sizeof(line), stream)) {
		number++;
		if (!counter_parse(picture, line) && !block_parse(picture, line, &room, &at)) {
			warnx("%s:%zu: not a line of a snapshot", path, number);
			return false;
		}
	}
	size = picture->stats.size;
	picture_total(picture);
	if (picture->count && picture->stats.size == size)
		return true;
	if (picture->count)
		warnx("%s: the snapshot is cut short:\n  blocks of %zu bytes, and a heap of %zu",
		      path, picture->stats.size, size);
	else
		warnx("%s: the snapshot has no blocks", path);
	return false;
}

static bool first_line_read(FILE *stream)
{
	char line[sizeof(first_line)] = "";

	return fgets(line, sizeof(line), stream) && strcmp(line, first_line) == 0;
}

/* The stream after the first line if the path is that of a snapshot, else NULL. */
static FILE *snapshot_open(const char *path)
{
	bool is_name = path[0] == '/' && path[1] && !strchr(path + 1, '/');
	FILE *stream = is_name ? NULL : fopen(path, "re");

	if (stream && first_line_read(stream))
		return stream;
	if (stream)
		fclose(stream);
	return NULL;
}

bool picture_read(struct picture *picture, const char *name, FILE *stream)
{
	*picture = (struct picture){.name = name};
	if (first_line_read(stream) && snapshot_read(picture, name, stream))
		return true;
	picture_release(picture);
	return false;
}

/* ---- the whole ---- */

bool picture_load(struct picture *picture, const char *path, bool contents)
{
	FILE *stream = snapshot_open(path);
	bool loaded;

	*picture = (struct picture){.name = path};
	loaded = stream ? snapshot_read(picture, path, stream) : heap_take(picture, path, contents);
	if (stream)
		fclose(stream);
	if (!loaded)
		picture_release(picture);
	return loaded;
}

void picture_write(const struct picture *picture, FILE *stream)
{
	struct bheap_stats stats = picture->stats;

	fputs(first_line, stream);
	for (size_t index = 0; index < COUNTERS; index++)
		if (index < COUNTERS_ALWAYS || counter_get(&stats, index))
			fprintf(stream, "%s %" PRIu64 "\n", counters[index].name,
				counter_get(&stats, index));
	for (size_t index = 0; index < picture->count; index++) {
		const struct block *block = &picture->blocks[index];

		fprintf(stream, "%" PRIu64 " %" PRIu64 " %" PRIu64, block->offset, block->size,
			block->usable);
		if (block->used)
			fprintf(stream, " %ld %08" PRIx32 "\n", (long)block->owner,
				block->checksum);
		else
			fputs(" -\n", stream);
	}
}

void picture_release(struct picture *picture)
{
	free(picture->blocks);
	*picture = (struct picture){0};
}

uint64_t picture_extent(const struct picture *picture)
{
	size_t index = picture->count;

	while (index && !picture->blocks[index - 1].used)
		index--;
	return index ? picture->blocks[index - 1].offset + picture->blocks[index - 1].size : 0;
}
