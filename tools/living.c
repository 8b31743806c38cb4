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

#include "living_caches.h"
#include "living_head.h"
#include "locate.h"

#define WORDS_AT_ONCE ((size_t)1 << 16)
#define TRIES 10
#define GRANULES_A_WORD 64

const char *living_find(struct living *living, const struct process *process, bool *denied)
{
	struct bheap_stats stats;
	const char *reason;
	bool changing;

	*living = (struct living){.process = process};
	reason = locate_find(living, denied);
	if (reason)
		return reason;
	if (living_stats(living, &stats, &changing))
		return NULL;
	if (!process_runs(process))
		return "the process has ended";
	return errno == ENOENT ? "it has allocated nothing yet"
			       : "its libbheap-malloc.so is of another version than this program";
}

/* ---- statistics ---- */

/* Bytes by which the heap may still grow: what is reserved behind the part that is mapped. */
static uint64_t ahead_size(struct head *head)
{
	unsigned shift = (unsigned)head_of_handle(head, "granule_shift") & 31;
	uint64_t end = head_of_handle(head, "core.bins.base") +
		       (head_of_handle(head, "core.end") << shift);
	uint64_t last = head_of_handle(head, "region.start") + head_of_handle(head, "region.size");

	if (!head_of_handle(head, "grows") || last < end)
		return 0;
	return (last - end) >> shift << shift;
}

static void head_stats(struct head *head, struct bheap_stats *stats)
{
	unsigned shift = (unsigned)head_of_handle(head, "granule_shift") & 31;
	uint64_t size = (head_of_handle(head, "core.bins.span") << shift) + ahead_size(head);

	*stats = (struct bheap_stats){
		.size = (size_t)size,
		.used = (size_t)(head_of_control(head, "control.used") << shift),
		.peak_used = (size_t)(head_of_control(head, "control.peak") << shift),
		.allocations = head_of_control(head, "control.allocations"),
		.frees = head_of_control(head, "control.frees"),
		.failures = head_of_control(head, "control.failures"),
		.faults = head_of_control(head, "control.faults") + head->root.faults,
		.rebuilds = head_of_control(head, "control.rebuilds"),
		.recoveries = head_of_control(head, "control.recoveries"),
		.limit = (size_t)head_of_handle(head, "budget.limit"),
		.largest_refused = head_of_handle(head, "refusals.largest") << shift,
		.last_refused = head_of_handle(head, "refusals.last") << shift,
		.used_at_refusal = head_of_handle(head, "refusals.used") << shift,
	};
	stats->free = stats->size - stats->used;
	if (stats->allocations >= stats->frees)
		stats->live_blocks = (size_t)(stats->allocations - stats->frees);
}

/*
 * False where no thread can have a cache; and where they are not sound, since the program wrote
 * over them: *doubtful then, and what they have counts as in use.
 */
static bool caches_take(struct head *head, bool listed, struct living_caches *caches,
			bool *doubtful)
{
	uint64_t flags = head_of_handle(head, "flags");
	bool read;

	*caches = (struct living_caches){.blocks = 0};
	if (!(flags & head_of_handle(head, "cached")) || head_of_handle(head, "annotated"))
		return false;
	read = living_caches_read(head->living, head->root.heap, listed, caches);
	*doubtful |= !read;
	return read;
}

/* Clamped: the caches are of another moment. Handed out by caches: of no counter of the heap. */
static void caches_discount(struct bheap_stats *stats, const struct living_caches *caches,
			    unsigned shift)
{
	uint64_t size = caches->granules << shift;

	if (size > stats->used)
		size = stats->used;
	stats->used -= (size_t)size;
	stats->free += (size_t)size;
	stats->allocations += caches->calls;
	stats->frees += caches->calls + caches->blocks;
	stats->live_blocks = 0;
	if (stats->allocations >= stats->frees)
		stats->live_blocks = (size_t)(stats->allocations - stats->frees);
}

/* *drift: by how many calls heap and caches may disagree; 0 if they are of one moment. */
static bool stats_read_once(const struct living *living, struct bheap_stats *stats, uint64_t *drift)
{
	struct living_caches caches;
	bool doubtful = false;
	struct head head;

	*drift = 0;
	if (!head_read(&head, living))
		return false;
	head_stats(&head, stats);
	if (!head.sound || !stats->size || stats->used > stats->size)
		return false;
	if (!caches_take(&head, false, &caches, &doubtful)) {
		*drift = doubtful ? UINT64_MAX : 0;
		return head.sound;
	}
	caches_discount(stats, &caches, (unsigned)head_of_handle(&head, "granule_shift") & 31);
	*drift = head_drift(&head);
	return head.sound;
}

/* Where no reading is of one moment, that one of which the least had changed at its end. */
bool living_stats(const struct living *living, struct bheap_stats *stats, bool *changing)
{
	uint64_t least = UINT64_MAX, drift = UINT64_MAX;
	struct bheap_stats one;
	bool good = true;

	for (unsigned try = 0; try < TRIES && good && least; try++) {
		good = stats_read_once(living, &one, &drift);
		if (good && drift <= least) {
			least = drift;
			*stats = one;
		}
	}
	*changing = least != 0;
	return good;
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
	uint64_t at = head_of_handle(head, "core.map.words");
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
		.shift = (unsigned)head_of_handle(head, "granule_shift") & 31,
		.first = head_of_handle(head, "first"),
		.end = head_of_handle(head, "core.end"),
		.trailer = head_of_handle(head, "trailers")
				   ? (unsigned)head_of_handle(head, "trailer_granules")
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

/* Free blocks that are neighbours now become one. */
static void blocks_merge(struct picture *picture)
{
	size_t count = 0;

	for (size_t index = 0; index < picture->count; index++) {
		const struct block block = picture->blocks[index];

		if (count && !block.used && !picture->blocks[count - 1].used)
			picture->blocks[count - 1].size += block.size;
		else
			picture->blocks[count++] = block;
	}
	picture->count = count;
}

/* A block that a cache has is free, if the map has one of its size there. */
static void cached_free(struct picture *picture, uint64_t offset, uint64_t size)
{
	size_t low = 0, high = picture->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (picture->blocks[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == picture->count || picture->blocks[low].offset != offset ||
	    picture->blocks[low].size != size || !picture->blocks[low].used)
		return;
	picture->blocks[low].used = false;
	picture->blocks[low].usable = 0;
	picture->cached += size;
	picture->cached_blocks++;
}

static void caches_apply(struct reading *reading, const struct living_caches *caches)
{
	struct picture *picture = reading->picture;

	for (size_t index = 0; index < caches->blocks; index++)
		cached_free(picture, (caches->list[index].block - reading->first) << reading->shift,
			    (uint64_t)caches->list[index].granules << reading->shift);
	blocks_merge(picture);
	picture->stats.allocations += caches->calls;
	picture->stats.frees += caches->calls + picture->cached_blocks;
}

/* True if the caches still have what they had. */
static bool caches_are_same(struct head *head, const struct living_caches *caches)
{
	struct living_caches again;
	bool doubtful = false, same;

	if (!caches_take(head, true, &again, &doubtful))
		return false;
	same = again.sum == caches->sum;
	living_caches_release(&again);
	return same;
}

/* Without a size, only what was ever in use. */
static void fragmentation_reckon(const struct head *head, struct picture *picture)
{
	if (!head->root.sized && head->root.start <= head->root.fresh)
		picture_reckon(picture, head->root.fresh - head->root.start);
}

/* The map right after the caches, before anything is made of either. */
static bool blocks_read(struct head *head, struct picture *picture, bool *same)
{
	struct reading reading = reading_begin(head, picture), again = reading_begin(head, NULL);
	struct living_caches caches;
	bool doubtful = false, cached, good;

	if (reading.end <= reading.first || !head->sound)
		return false;
	cached = caches_take(head, true, &caches, &doubtful);
	good = words_read(head, &reading);
	if (good) {
		block_end(&reading, reading.end);
		ahead_add(&reading, ahead_size(head));
		caches_apply(&reading, &caches);
		*same = !doubtful && (!cached || caches_are_same(head, &caches)) &&
			words_read(head, &again) && again.sum == reading.sum;
	}
	living_caches_release(&caches);
	return good;
}

/* *drift: as that of stats_read_once(). */
static bool picture_read_once(const struct living *living, struct picture *picture, uint64_t *drift)
{
	struct head head;
	bool same;

	if (!head_read(&head, living))
		return false;
	head_stats(&head, &picture->stats);
	if (!blocks_read(&head, picture, &same))
		return false;
	picture_total(picture);
	fragmentation_reckon(&head, picture);
	*drift = head_drift(&head);
	if (!*drift && !same)
		*drift = 1;
	return true;
}

bool living_picture(const struct living *living, struct picture *picture, bool *changing)
{
	uint64_t least = UINT64_MAX, drift = UINT64_MAX;
	bool good = true;

	for (unsigned try = 0; try < TRIES && good && least; try++) {
		struct picture one = {.name = picture->name};

		good = picture_read_once(living, &one, &drift);
		if (good && drift <= least) {
			picture_release(picture);
			*picture = one;
			least = drift;
		} else {
			picture_release(&one);
		}
	}
	*changing = least != 0;
	return good;
}
