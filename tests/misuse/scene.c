/* SPDX-License-Identifier: MIT */
/*
 * scene.c - scenes, and the honest work in them.
 */
#include "scene.h"

static char buffer[SCENE_SIZE + 1];

const char *place_name(int place)
{
	static const char *const names[] = {
		[PLACE_PLAIN] = "plain",
		[PLACE_GUARDED] = "guarded",
		[PLACE_CLASSIC] = "classic",
		[PLACE_THREADED] = "threaded",
		[PLACE_BUFFER] = "buffer, guarded",
	};

	return names[place];
}

static bheap_t *heap_make(enum place place)
{
	switch (place) {
	case PLACE_GUARDED: return bheap_create(SCENE_SIZE, BHEAP_GUARD);
	case PLACE_CLASSIC: return init_heap(SCENE_SIZE) ? NULL : bheap_default();
	case PLACE_BUFFER:
		return bheap_create_in(buffer + 1, SCENE_SIZE, BHEAP_GUARD | BHEAP_UNLOCKED);
	case PLACE_THREADED: threads_begin(); return bheap_create(SCENE_SIZE, 0);
	default: return bheap_create(SCENE_SIZE, 0);
	}
}

static void fault_record(const struct bheap_fault *fault, void *arg)
{
	struct scene *scene = arg;

	faults_record(fault, &scene->faults);
	scene->seen |= 1u << fault->kind;
	if (fault->kind == BHEAP_FAULT_OVERFLOW)
		scene->overflow = *fault;
}

void scene_begin(struct scene *scene, int place)
{
	*scene = (struct scene){.place = (enum place)place,
				.guarded = place == PLACE_GUARDED || place == PLACE_BUFFER};
	scene->heap = heap_make(scene->place);
	scene->other = bheap_create(4096, 0);
	ck_assert(scene->heap && scene->other);
	bheap_set_fault_handler(NULL, fault_record, scene);
}

/* ---- blocks ---- */

struct live *scene_live(struct scene *scene, const void *ptr)
{
	for (int index = 0; index < SCENE_BLOCKS; index++)
		if (scene->live[index].ptr == ptr)
			return &scene->live[index];
	ck_abort_msg("no such block");
}

unsigned char *scene_keep(struct scene *scene, size_t size)
{
	struct live *live = scene_live(scene, NULL);

	live->ptr = scene->place == PLACE_CLASSIC ? balloc(size) : bheap_alloc(scene->heap, size);
	ck_assert_ptr_nonnull(live->ptr);
	live->size = size;
	live->seed = (uint64_t)(live - scene->live) * 0x123456789abcdefu + size;
	live->harmed = false;
	pattern_fill(live->ptr, size, live->seed);
	return live->ptr;
}

int scene_free(struct scene *scene, const void *ptr)
{
	return scene->place == PLACE_CLASSIC ? classic_free(ptr) : heap_free(scene->heap, ptr);
}

void scene_release(struct scene *scene, const void *ptr)
{
	struct live *live = scene_live(scene, ptr);

	ck_assert(live->harmed || pattern_holds(live->ptr, live->size, live->seed));
	ck_assert_int_eq(scene_free(scene, ptr), 0);
	*live = (struct live){0};
}

size_t scene_taken(const struct scene *scene, size_t size)
{
	return ((size ? size : 1) + 15) / 16 * 16 + (scene->guarded ? 16 : 0);
}

/* ---- honest work ---- */

/* Every size of free block is taken and given back, in an order that makes many. */
static void sizes_use(struct scene *scene)
{
	unsigned char *blocks[80];
	size_t count = 0;

	for (size_t size = 1; count < 80; size += 7 + count / 2, count++) {
		blocks[count] = bheap_alloc(scene->heap, size);
		if (!blocks[count])
			break;
		pattern_fill(blocks[count], size, count);
	}
	ck_assert_uint_ge(count, 20);
	for (size_t start = 0; start < 2; start++)
		for (size_t index = start, size; index < count; index += 2) {
			size = bheap_usable_size(scene->heap, blocks[index]);
			require(size);
			require(!scene_free(scene, blocks[index]));
		}
}

/* Small blocks until there is no room, then a large one that moves, then all given back. */
static void heap_fill(struct scene *scene)
{
	static unsigned char *blocks[SCENE_SIZE / 16];
	/* A quarter as many where each takes long: under memcheck a hundred times as long. */
	const size_t size = is_watched() ? 128 : 32;
	size_t count = 0;

	while ((blocks[count] = bheap_alloc(scene->heap, size))) {
		pattern_fill(blocks[count], size, count);
		count++;
	}
	ck_assert_errno(ENOMEM);
	ck_assert_uint_ge(count, 100);
	for (size_t index = 0; index < count; index++)
		require(pattern_holds(blocks[index], size, index));
	for (size_t index = 0; index < count; index += 2)
		require(!scene_free(scene, blocks[index]));
	for (size_t index = 1; index < count; index += 2) {
		require(pattern_holds(blocks[index], size, index));
		blocks[index] = bheap_realloc(scene->heap, blocks[index],
					      index % 4 == 1 ? size * 2 : size / 4);
		if (blocks[index])
			require(!scene_free(scene, blocks[index]));
	}
}

void scene_work(struct scene *scene)
{
	sizes_use(scene);
	heap_fill(scene);
	sizes_use(scene);
}

void scene_end(struct scene *scene)
{
	struct bheap_fault fault;
	struct bheap_stats stats;

	for (int index = 0; index < SCENE_BLOCKS; index++)
		if (scene->live[index].ptr)
			scene_release(scene, scene->live[index].ptr);
	ck_assert_msg(!bheap_check(scene->heap, &fault), "%s", fault.text);
	heap_empty(scene->heap);
	ck_assert_msg(!bheap_check(scene->heap, &fault), "%s", fault.text);
	ck_assert_int_eq(bheap_stats(scene->heap, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 0);
	ck_assert_uint_eq(stats.largest_free, stats.size);
	ck_assert_uint_eq(stats.faults, scene->faults.count);
	ck_assert_int_eq(bheap_check(scene->other, NULL), 0);
	ck_assert_int_eq(bheap_destroy(scene->other), 0);
	ck_assert_int_eq(bheap_destroy(scene->heap), scene->place == PLACE_CLASSIC ? -1 : 0);
}

void scene_rehearse(void)
{
	static const int places[] = {PLACE_PLAIN, PLACE_GUARDED, PLACE_BUFFER};

	for (size_t index = 0; is_watched() && index < 3; index++) {
		struct scene scene;

		scene_begin(&scene, places[index]);
		scene_keep(&scene, 100);
		require(scene_free(&scene, &scene) == -1);
		scene_work(&scene);
		scene_end(&scene);
	}
	bheap_set_fault_handler(NULL, NULL, NULL);
}
