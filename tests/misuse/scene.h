/* SPDX-License-Identifier: MIT */
/*
 * scene.h - where a misuse takes place: a heap of some kind, blocks whose content is known, a
 * second heap, and the honest work that must go well afterwards. Knows the public header alone.
 */
#ifndef TEST_SCENE_H
#define TEST_SCENE_H

#include "support.h"

#define SCENE_SIZE ((size_t)64 * 1024)
#define SCENE_BLOCKS 64

enum place {
	PLACE_PLAIN,
	PLACE_GUARDED,
	PLACE_CLASSIC,  /* the default heap, by its own functions */
	PLACE_THREADED, /* not known to have one thread: another way through the library */
	PLACE_BUFFER,   /* guarded, unlocked */
	PLACES
};

struct live {
	unsigned char *ptr;
	size_t size;
	uint64_t seed;
	bool harmed; /* its content was written over by the misuse */
};

struct scene {
	bheap_t *heap, *other;
	enum place place;
	bool guarded;
	struct faults faults;
	unsigned seen;               /* a bit for each kind of fault heard of */
	struct bheap_fault overflow; /* the last of that kind */
	struct live live[SCENE_BLOCKS];
};

const char *place_name(int place);

void scene_begin(struct scene *scene, int place);

/* Blocks whose content is known, and an end to them. */
unsigned char *scene_keep(struct scene *scene, size_t size);
void scene_release(struct scene *scene, const void *ptr);
struct live *scene_live(struct scene *scene, const void *ptr);

/* The heap's own way to free: bfree() for the default heap. */
int scene_free(struct scene *scene, const void *ptr);

/* Bytes that a block for so many takes. */
size_t scene_taken(const struct scene *scene, size_t size);

/* Much use of the heap, in which damage must show. */
void scene_work(struct scene *scene);

/* Every block kept is as it was; freed, the heap is one free block, and the checker content. */
void scene_end(struct scene *scene);

/*
 * A scene without misuse, as an unchecked fixture. Valgrind translates code when it runs first:
 * what has run before the tests is not translated in the child of each of them.
 */
void scene_rehearse(void);

#endif
