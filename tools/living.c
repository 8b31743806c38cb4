/* SPDX-License-Identifier: MIT */
/*
 * living.c - see living.h. The block map is a tiling after each store to it, so that what was read
 * is one, too; it is of one moment if it reads the same twice, and the counters do.
 */
#include "living.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "locate.h"

#define HANDLE_SIZE 256 /* of a handle, all fields lie in its first bytes */
#define CONTROL_SIZE 80
#define WORDS_AT_ONCE ((size_t)1 << 16)
#define TRIES 10
#define GRANULES_A_WORD 64

const char *living_find(struct living *living, const struct process *process, bool *denied)
{
	struct bheap_stats stats;
	const char *reason;

	*living = (struct living){.process = process};
	reason = locate_find(living, denied);
	if (reason)
		return reason;
	if (living_stats(living, &stats))
		return NULL;
	if (!process_runs(process))
		return "the process has ended";
	return errno == ENOENT ? "it has allocated nothing yet"
			       : "its libbheap-malloc.so is of another version than this program";
}

/* ---- fields ---- */

/* A handle and its control block, as they were a moment ago. */
struct head {
	const struct living *living;
	uint64_t faults;
	char handle[HANDLE_SIZE], control[CONTROL_SIZE];
	bool sound; /* each field that was looked for is there */
};

/* Zero, and not sound, where there is no such field. */
static uint64_t number_take(struct head *head, const char *from, size_t room, const char *name)
{
	const struct living *living = head->living;
	uint64_t wide = 0;
	uint32_t word;

	for (size_t index = 0; index < living->field_count; index++) {
		const struct living_field *field = &living->fields[index];

		if (strncmp(field->name, name, sizeof(field->name)) != 0)
			continue;
		if (!field->size)
			return field->offset;
		if ((size_t)field->offset + field->size > room)
			break;
		switch (field->size) {
		case 1: return (unsigned char)from[field->offset];
		case 4: memcpy(&word, from + field->offset, sizeof(word)); return word;
		case 8: memcpy(&wide, from + field->offset, sizeof(wide)); return wide;
		default: break;
		}
	}
	head->sound = false;
	return 0;
}

static uint64_t of_handle(struct head *head, const char *name)
{
	return number_take(head, head->handle, HANDLE_SIZE, name);
}

static uint64_t of_control(struct head *head, const char *name)
{
	return number_take(head, head->control, CONTROL_SIZE, name);
}

static bool root_read(const struct living *living, uintptr_t *handle, uint64_t *faults)
{
	union {
		uintptr_t handle;
		uint64_t words[2];
	} root;

	if (!process_read(living->process->pid, living->root, &root, sizeof(root)))
		return false;
	*handle = root.handle;
	*faults = root.words[1];
	return true;
}

/* False with errno, ENOENT if there is no heap yet. */
static bool head_read(struct head *head, const struct living *living)
{
	long pid = living->process->pid;
	uintptr_t handle;

	*head = (struct head){.living = living, .sound = true};
	if (!root_read(living, &handle, &head->faults))
		return false;
	errno = ENOENT;
	if (!handle || !process_read(pid, handle, head->handle, sizeof(head->handle)) ||
	    !process_read(pid, of_handle(head, "core.control"), head->control,
			  sizeof(head->control)))
		return false;
	errno = EINVAL;
	return head->sound;
}

/* ---- statistics ---- */

/* Bytes by which the heap may still grow: what is reserved behind the part that is mapped. */
static uint64_t ahead_size(struct head *head)
{
	unsigned shift = (unsigned)of_handle(head, "granule_shift") & 31;
	uint64_t end = of_handle(head, "core.bins.base") + (of_handle(head, "core.end") << shift);
	uint64_t last = of_handle(head, "region.start") + of_handle(head, "region.size");

	if (!of_handle(head, "grows") || last < end)
		return 0;
	return (last - end) >> shift << shift;
}

static void head_stats(struct head *head, struct bheap_stats *stats)
{
	unsigned shift = (unsigned)of_handle(head, "granule_shift") & 31;
	uint64_t size = (of_handle(head, "core.bins.span") << shift) + ahead_size(head);

	*stats = (struct bheap_stats){
		.size = (size_t)size,
		.used = (size_t)(of_control(head, "control.used") << shift),
		.peak_used = (size_t)(of_control(head, "control.peak") << shift),
		.allocations = of_control(head, "control.allocations"),
		.frees = of_control(head, "control.frees"),
		.failures = of_control(head, "control.failures"),
		.faults = of_control(head, "control.faults") + head->faults,
		.rebuilds = of_control(head, "control.rebuilds"),
		.recoveries = of_control(head, "control.recoveries"),
		.limit = (size_t)of_handle(head, "budget.limit"),
		.largest_refused = of_handle(head, "refusals.largest") << shift,
		.last_refused = of_handle(head, "refusals.last") << shift,
		.used_at_refusal = of_handle(head, "refusals.used") << shift,
	};
	stats->free = stats->size - stats->used;
	if (stats->allocations >= stats->frees)
		stats->live_blocks = (size_t)(stats->allocations - stats->frees);
}

bool living_stats(const struct living *living, struct bheap_stats *stats)
{
	struct head head;

	if (!head_read(&head, living))
		return false;
	head_stats(&head, stats);
	return head.sound && stats->size && stats->used <= stats->size;
}

/* ---- blocks ---- */

struct word {
	uint64_t start, used;
};

struct reading {
	struct picture *picture;
	size_t room;
	unsigned shift;
	uint64_t first, end, at; /* granules; at: where the block that was met last starts */
	bool used;
	unsigned trailer; /* granules */
	uLong sum;
};

/* The block that was met last ends here. */
static void block_end(struct reading *reading, uint64_t granule)
{
	uint64_t granules = granule - reading->at;

	*picture_add(reading->picture, &reading->room) = (struct block){
		.offset = (reading->at - reading->first) << reading->shift,
		.size = granules << reading->shift,
		.usable = reading->used && granules > reading->trailer
				  ? (granules - reading->trailer) << reading->shift
				  : 0,
		.used = reading->used,
	};
}

static void word_take(struct reading *reading, uint64_t index, struct word word)
{
	while (word.start) {
		unsigned bit = (unsigned)__builtin_ctzll(word.start);
		uint64_t granule = index * GRANULES_A_WORD + bit;

		word.start &= word.start - 1;
		if (granule <= reading->first || granule >= reading->end) {
			if (granule == reading->first)
				reading->used = word.used >> bit & 1;
			continue;
		}
		block_end(reading, granule);
		reading->at = granule;
		reading->used = word.used >> bit & 1;
	}
}

/* Each word of the map; without a picture only their sum. */
static bool words_read(struct head *head, struct reading *reading)
{
	uint64_t at = of_handle(head, "core.map.words");
	uint64_t count = reading->end / GRANULES_A_WORD + 1;
	struct word *words = malloc(WORDS_AT_ONCE * sizeof(*words));
	bool good = words != NULL;

	reading->sum = crc32(0, NULL, 0);
	for (uint64_t index = 0; good && index < count; index += WORDS_AT_ONCE) {
		size_t part =
			count - index < WORDS_AT_ONCE ? (size_t)(count - index) : WORDS_AT_ONCE;

		good = process_read(head->living->process->pid, at + index * sizeof(*words), words,
				    part * sizeof(*words));
		if (!good)
			break;
		reading->sum = crc32_z(reading->sum, (const void *)words, part * sizeof(*words));
		for (size_t one = 0; reading->picture && one < part; one++)
			word_take(reading, index + one, words[one]);
	}
	free(words);
	return good;
}

static struct reading reading_begin(struct head *head, struct picture *picture)
{
	struct reading reading = {
		.picture = picture,
		.shift = (unsigned)of_handle(head, "granule_shift") & 31,
		.first = of_handle(head, "first"),
		.end = of_handle(head, "core.end"),
		.trailer = of_handle(head, "trailers")
				   ? (unsigned)of_handle(head, "trailer_granules")
				   : 0,
	};

	reading.at = reading.first;
	return reading;
}

/* What the heap may grow by belongs to its last block, if that is free, or is one. */
static void ahead_add(struct reading *reading, uint64_t size)
{
	struct picture *picture = reading->picture;
	struct block *last = &picture->blocks[picture->count - 1];

	if (size && last->used)
		*picture_add(picture, &reading->room) =
			(struct block){.offset = last->offset + last->size, .size = size};
	else if (size)
		last->size += size;
}

static bool picture_read_once(const struct living *living, struct picture *picture, bool *changing)
{
	struct head head, after;
	struct reading reading, again;

	if (!head_read(&head, living))
		return false;
	head_stats(&head, &picture->stats);
	reading = reading_begin(&head, picture);
	again = reading_begin(&head, NULL);
	if (reading.end <= reading.first || !head.sound || !words_read(&head, &reading))
		return false;
	block_end(&reading, reading.end);
	ahead_add(&reading, ahead_size(&head));
	picture_total(picture);
	*changing = !words_read(&head, &again) || !head_read(&after, living) ||
		    again.sum != reading.sum ||
		    memcmp(head.control, after.control, CONTROL_SIZE) != 0;
	return true;
}

bool living_picture(const struct living *living, struct picture *picture, bool *changing)
{
	bool good = false;

	*changing = true;
	for (unsigned try = 0; try < TRIES && *changing; try++) {
		picture_release(picture);
		good = picture_read_once(living, picture, changing);
	}
	return good;
}
