/* SPDX-License-Identifier: MIT */
/*
 * note.h - the ELF note .note.bheap: where the fields lie that gdb's commands and "bheap show PID"
 * read. It is part of each program and library that this library is linked into, and strip(1)
 * leaves it, so that lib/libbheap-gdb.py and tools/living.c need no debug information. Defines
 * data: enter.c alone includes it.
 */
#ifndef BH_NOTE_H
#define BH_NOTE_H

#include "handle/caches.h"
#include "handle/fill.h"
#include "handle/marks.h"
#include "handle/pattern.h"

/* A field of a structure, or, of size 0, a constant. The commands look for it by its name. */
struct bh_note_field {
	char name[24];
	uint16_t offset;
	uint16_t size;
};

/* FIELD(prefix of the name, structure, field), VALUE(name, constant) */
#define BH_NOTE_FIELDS(FIELD, VALUE)                                                               \
	FIELD("", struct bheap, core.bins.base)                                                    \
	FIELD("", struct bheap, core.bins.heads)                                                   \
	FIELD("", struct bheap, core.bins.count)                                                   \
	FIELD("", struct bheap, core.bins.exact_limit)                                             \
	FIELD("", struct bheap, core.bins.span)                                                    \
	FIELD("", struct bheap, core.bins.shift)                                                   \
	FIELD("", struct bheap, core.map.words)                                                    \
	FIELD("", struct bheap, core.control)                                                      \
	FIELD("", struct bheap, core.end)                                                          \
	FIELD("", struct bheap, flags)                                                             \
	FIELD("", struct bheap, annotated)                                                         \
	FIELD("", struct bheap, trailers)                                                          \
	FIELD("", struct bheap, read_only)                                                         \
	FIELD("", struct bheap, key)                                                               \
	FIELD("", struct bheap, filled)                                                            \
	FIELD("", struct bheap, shared)                                                            \
	FIELD("", struct bheap, region.start)                                                      \
	FIELD("", struct bheap, region.size)                                                       \
	FIELD("", struct bheap, grows)                                                             \
	FIELD("", struct bheap, refusals.largest)                                                  \
	FIELD("", struct bheap, refusals.last)                                                     \
	FIELD("", struct bheap, refusals.used)                                                     \
	FIELD("", struct bheap, budget.limit)                                                      \
	FIELD("control.", struct bh_control, top)                                                  \
	FIELD("control.", struct bh_control, victim)                                               \
	FIELD("control.", struct bh_control, victim_granules)                                      \
	FIELD("control.", struct bh_control, used)                                                 \
	FIELD("control.", struct bh_control, peak)                                                 \
	FIELD("control.", struct bh_control, allocations)                                          \
	FIELD("control.", struct bh_control, frees)                                                \
	FIELD("control.", struct bh_control, failures)                                             \
	FIELD("control.", struct bh_control, faults)                                               \
	FIELD("control.", struct bh_control, rebuilds)                                             \
	FIELD("control.", struct bh_control, recoveries)                                           \
	FIELD("control.", struct bh_control, bits.summary)                                         \
	FIELD("control.", struct bh_control, bits.words)                                           \
	FIELD("shared.", struct bh_shared, inside)                                                 \
	FIELD("shared.", struct bh_shared, map_sum)                                                \
	FIELD("shared.", struct bh_shared, budget.limit)                                           \
	FIELD("caches.", struct bh_caches, at)                                                     \
	FIELD("caches.", struct bh_caches, slots)                                                  \
	FIELD("caches.", struct bh_caches, stride)                                                 \
	FIELD("caches.", struct bh_caches, used)                                                   \
	FIELD("cache.", struct bh_cache, fills)                                                    \
	FIELD("cache.", struct bh_cache, pops)                                                     \
	FIELD("cache.", struct bh_cache, tops)                                                     \
	FIELD("word.", struct bh_map_word, start)                                                  \
	FIELD("word.", struct bh_map_word, used)                                                   \
	FIELD("node.", struct bh_bin_node, links.next)                                             \
	FIELD("node.", struct bh_bin_node, links.previous)                                         \
	FIELD("node.", struct bh_bin_node, granules)                                               \
	FIELD("node.", struct bh_bin_node, check)                                                  \
	FIELD("trailer.", struct bh_trailer, seal)                                                 \
	FIELD("trailer.", struct bh_trailer, owner)                                                \
	FIELD("trailer.", struct bh_trailer, slack_size)                                           \
	VALUE("granule_shift", BH_GRANULE_SHIFT)                                                   \
	VALUE("first", BH_FIRST)                                                                   \
	VALUE("trailer_granules", BH_TRAILER_GRANULES)                                             \
	VALUE("slack_byte", BH_TRAILER_SLACK_BYTE)                                                 \
	VALUE("fill_byte", BH_FILL_BYTE)                                                           \
	VALUE("cached", BHEAP_CACHED)                                                              \
	VALUE("caches", BH_HANDLE_ROOM)                                                            \
	VALUE("caches_line", BH_CACHE_LINE)                                                        \
	VALUE("caches_size", sizeof(struct bh_caches))                                             \
	VALUE("cache_places", offsetof(struct bh_cache, places))                                   \
	VALUE("unit_shift", BH_MARKS_UNIT_SHIFT)                                                   \
	VALUE("inside", BH_INSIDE)                                                                 \
	VALUE("at_rest", BH_AT_REST)

#define BH_NOTE_ONE(...) +1
#define BH_NOTE_COUNT (0 BH_NOTE_FIELDS(BH_NOTE_ONE, BH_NOTE_ONE))
#define BH_NOTE_FIELD(prefix, type, field)                                                         \
	{prefix #field, offsetof(type, field), sizeof(((type *)0)->field)},
#define BH_NOTE_VALUE(name, value) {name, value, 0},

#define BH_NOTE_OWNER "bheap"
#define BH_NOTE_TYPE 1 /* of the layout of this note */

struct bh_note {
	uint32_t owner_size; /* the three words that every ELF note begins with */
	uint32_t size;
	uint32_t type;
	char owner[8]; /* padded to words */
	struct bh_note_field fields[BH_NOTE_COUNT];
};

/* Aligned as notes are; a compiler aligns as large an array to more. */
static const struct bh_note bh_note
	__attribute__((used, section(".note.bheap"), aligned(sizeof(uint32_t)))) = {
		.owner_size = sizeof(BH_NOTE_OWNER),
		.size = sizeof(struct bh_note_field[BH_NOTE_COUNT]),
		.type = BH_NOTE_TYPE,
		.owner = BH_NOTE_OWNER,
		.fields = {BH_NOTE_FIELDS(BH_NOTE_FIELD, BH_NOTE_VALUE)},
};

#endif
