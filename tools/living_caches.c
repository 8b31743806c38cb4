/* SPDX-License-Identifier: MIT */
/*
 * living_caches.c - see living_caches.h. Of each cache, by sizes, one past the last place in use is
 * a number that its owner stores at once: it is of some moment, and never outside of the places.
 */
#include "living_caches.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "living_head.h"

#define FRONT_MOST 1024               /* bytes of struct bh_caches */
#define SLOTS_MOST 256                /* caches */
#define SIZES_MOST 64                 /* granules */
#define STRIDE_MOST ((size_t)1 << 15) /* bytes of a cache */

struct caches_view {
	const struct living *living;
	uint64_t first; /* address of the first cache */
	size_t used, stride, places;
	unsigned sizes;
	uint16_t at[SIZES_MOST + 2];
	bool listed, sound;
	char *cache; /* the one that is looked at */
};

static uint64_t number(struct caches_view *view, const char *from, size_t room, const char *name)
{
	return living_number(view->living, from, room, name, &view->sound);
}

/* A field that is an array of numbers of 16 bits, as many as there is room for; how many. */
static size_t numbers_take(struct caches_view *view, const char *from, size_t room,
			   const char *name, uint16_t *into)
{
	const struct living_field *field = living_field(view->living, name);

	if (!field || (size_t)field->offset + field->size > room ||
	    field->size > sizeof(view->at)) {
		view->sound = false;
		return 0;
	}
	memcpy(into, from + field->offset, field->size);
	return field->size / sizeof(*into);
}

/* True if the places of each size follow those of the one before, all within a cache. */
static bool places_are_sound(const struct caches_view *view)
{
	for (unsigned granules = 0; granules <= view->sizes; granules++)
		if (view->at[granules] > view->at[granules + 1])
			return false;
	return view->places + view->at[view->sizes + 1] * sizeof(uint32_t) <= view->stride;
}

static uint64_t aligned(uint64_t address, uint64_t line)
{
	return (address + line - 1) & ~(line - 1);
}

static bool front_read(struct caches_view *view, uint64_t handle)
{
	uint64_t line = number(view, NULL, 0, "caches_line"), start;
	size_t size = (size_t)number(view, NULL, 0, "caches_size"), count;
	char front[FRONT_MOST];

	start = aligned(handle + number(view, NULL, 0, "caches"), line);
	if (!view->sound || !line || size > sizeof(front) ||
	    !process_read(view->living->process->pid, start, front, size))
		return false;
	view->first = aligned(start + size, line);
	view->used = (size_t)number(view, front, size, "caches.used");
	view->stride = (size_t)number(view, front, size, "caches.stride");
	view->places = (size_t)number(view, front, size, "cache_places");
	count = numbers_take(view, front, size, "caches.at", view->at);
	if (!view->sound || count < 2 || number(view, front, size, "caches.slots") < view->used)
		return false;
	view->sizes = (unsigned)count - 2;
	return view->used <= SLOTS_MOST && view->stride <= STRIDE_MOST && places_are_sound(view);
}

/* ---- a cache ---- */

static void block_add(struct caches_view *view, struct living_caches *caches, unsigned at,
		      unsigned granules)
{
	uint32_t block;

	memcpy(&block, view->cache + view->places + at * sizeof(block), sizeof(block));
	caches->list[caches->blocks].block = block;
	caches->list[caches->blocks].granules = granules;
}

static void cache_count(struct caches_view *view, struct living_caches *caches,
			const uint16_t *tops)
{
	for (unsigned granules = 1; granules <= view->sizes; granules++)
		for (unsigned at = view->at[granules];
		     at < tops[granules] && at < view->at[granules + 1]; at++) {
			if (view->listed)
				block_add(view, caches, at, granules);
			caches->blocks++;
			caches->granules += granules;
		}
}

static bool cache_read(struct caches_view *view, struct living_caches *caches, size_t slot)
{
	size_t room = view->listed ? view->stride : view->places;
	uint16_t tops[SIZES_MOST + 2];

	if (!process_read(view->living->process->pid, view->first + slot * view->stride,
			  view->cache, room))
		return false;
	caches->calls += number(view, view->cache, room, "cache.pops") -
			 number(view, view->cache, room, "cache.fills");
	if (numbers_take(view, view->cache, room, "cache.tops", tops) <= view->sizes)
		return false;
	cache_count(view, caches, tops);
	caches->sum = crc32_z(caches->sum, (const void *)view->cache, room);
	return view->sound;
}

bool living_caches_read(const struct living *living, uint64_t handle, bool listed,
			struct living_caches *caches)
{
	struct caches_view view = {.living = living, .listed = listed, .sound = true};
	bool good;

	*caches = (struct living_caches){.blocks = 0};
	if (!front_read(&view, handle))
		return false;
	view.cache = malloc(view.stride);
	if (listed)
		caches->list =
			calloc(view.used * view.at[view.sizes + 1] + 1, sizeof(*caches->list));
	if (!view.cache || (listed && !caches->list))
		err(1, "%zu caches", view.used);
	good = true;
	for (size_t slot = 0; good && slot < view.used; slot++)
		good = cache_read(&view, caches, slot);
	free(view.cache);
	if (!good)
		living_caches_release(caches);
	return good;
}

void living_caches_release(struct living_caches *caches)
{
	free(caches->list);
	*caches = (struct living_caches){.blocks = 0};
}
