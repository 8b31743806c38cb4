/* SPDX-License-Identifier: MIT */
/*
 * test_random.c - long random sequences on every kind of heap, held against the model, with misuse
 * in between that must be refused without effect. Environment: BHEAP_TEST_SEED replays a failure,
 * BHEAP_TEST_STEPS makes the sequences longer.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS 6000
#define SIZE_LIMIT (256 * 1024)

/* Or mapped in a process that has had a second thread. */
enum place { MAPPED, THREADED, BUFFER, SHARED };

struct kind {
	const char *name;
	enum place place;
	size_t size;
	unsigned flags;
};

static const struct kind kinds[] = {
	{"private", MAPPED, 64 * 1024, 0},
	{"private, with threads", THREADED, 64 * 1024, 0},
	{"private, one page", MAPPED, 4096, 0},
	{"private, unlocked", MAPPED, 256 * 1024, BHEAP_UNLOCKED},
	{"private, guarded", MAPPED, 64 * 1024, BHEAP_GUARD},
	{"private, guarded, large blocks", MAPPED, 4 * 1024 * 1024, BHEAP_GUARD},
	{"private, guarded, large blocks, real-time", MAPPED, 2 * 1024 * 1024,
	 BHEAP_GUARD | BHEAP_REALTIME | BHEAP_UNLOCKED},
	{"private, real-time", MAPPED, 64 * 1024, BHEAP_REALTIME | BHEAP_UNLOCKED},
	{"private, guarded, real-time", MAPPED, 16 * 1024, BHEAP_GUARD | BHEAP_REALTIME},
	{"smallest buffer", BUFFER, BHEAP_BUFFER_MIN, 0},
	{"buffer", BUFFER, 5000, BHEAP_UNLOCKED},
	{"buffer, guarded", BUFFER, 20000, BHEAP_GUARD | BHEAP_UNLOCKED},
	{"buffer, real-time", BUFFER, 100000, BHEAP_REALTIME},
	{"shared", SHARED, 64 * 1024, 0},
	{"shared, guarded", SHARED, 64 * 1024, BHEAP_GUARD},
	{"shared, owned", SHARED, 64 * 1024, BHEAP_OWNED},
	{"shared, owned, guarded, real-time", SHARED, 32 * 1024,
	 BHEAP_OWNED | BHEAP_GUARD | BHEAP_REALTIME},
};

#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))

static uint64_t seed;

/* ---- heaps ---- */

/* One byte off, so that the buffer has no alignment. */
static _Alignas(16) char buffer[1 + SIZE_LIMIT];

static bheap_t *heap_make(const struct kind *kind)
{
	bheap_t *heap;
	int fd;

	switch (kind->place) {
	case THREADED: threads_begin(); return bheap_create(kind->size, kind->flags);
	case MAPPED: return bheap_create(kind->size, kind->flags);
	case BUFFER: return bheap_create_in(buffer + 1, kind->size, kind->flags);
	default:
		fd = memfd_create("heap", MFD_CLOEXEC);
		heap = bheap_open_fd(fd, kind->size, kind->flags);
		close(fd);
		return heap;
	}
}

/* ---- misuse ---- */

static void refuse_free(struct model *model, const void *ptr)
{
	errno = 0;
	require_equal(heap_free(model->heap, ptr), -1);
	ck_assert_errno(EINVAL);
	model->expected++;
}

static void refuse_realloc(struct model *model, const void *ptr)
{
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(model->heap, (void *)(uintptr_t)ptr,
					 random_below(&model->random, 200)));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_resize(model->heap, (void *)(uintptr_t)ptr, 16), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_realloc(model->heap, (void *)(uintptr_t)ptr, 64, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_reallocarray(model->heap, (void *)(uintptr_t)ptr, 16, 4));
	ck_assert_errno(EINVAL);
	model->expected += 4;
}

static void refuse_question(struct model *model, const void *ptr)
{
	errno = 0;
	ck_assert_uint_eq(bheap_usable_size(model->heap, ptr), 0);
	ck_assert_errno(EINVAL);
	ck_assert(!bheap_owns(model->heap, ptr));
}

/* A pointer that is no live block of the heap. */
static const void *pointer_wrong(struct model *model, const void *other)
{
	static const char elsewhere = 1;
	const unsigned char *inside = other;
	const struct entry *entry;

	if (model->count) {
		entry = &model->live[random_below(&model->random, model->count)];
		inside = entry->ptr + 1 +
			 random_below(&model->random, model_block_size(model, entry->size) - 1);
	}
	switch (random_below(&model->random, 6)) {
	case 0: return inside;
	case 1: return &elsewhere;
	case 2: return other;
	case 3: return (const void *)(uintptr_t)random_next(&model->random);
	case 4: return (const void *)UINTPTR_MAX;
	default: return (const void *)8;
	}
}

static void request_impossible(struct model *model)
{
	static const size_t sizes[] = {SIZE_MAX,     SIZE_MAX - 15,           SIZE_MAX - 16,
				       SIZE_MAX / 2, (size_t)UINT32_MAX << 4, SIZE_2_TO(36) + 16};
	size_t size = sizes[random_below(&model->random, sizeof(sizes) / sizeof(*sizes))];
	volatile size_t count = SIZE_MAX / 8; /* or the compiler warns */

	ck_assert(!model_alloc(model, size));
	ck_assert(!model_aligned_alloc(model, 64, size));
	if (model->count)
		ck_assert(!model_realloc(model, random_below(&model->random, model->count), size));
	errno = 0;
	ck_assert_ptr_null(bheap_calloc(model->heap, count, 9 + size % 8));
	ck_assert_errno(ENOMEM);
	errno = 0;
	ck_assert_ptr_null(bheap_reallocarray(model->heap, NULL, count, 9 + size % 8));
	ck_assert_errno(ENOMEM);
	model->failures += 2;
}

static void misuse(struct model *model, const void *other)
{
	const void *wrong = pointer_wrong(model, other);

	switch (random_below(&model->random, 5)) {
	case 0: refuse_free(model, wrong); break;
	case 1: refuse_realloc(model, wrong); break;
	case 2: refuse_question(model, wrong); break;
	case 3: request_impossible(model); break;
	default:
		errno = 0;
		ck_assert_ptr_null(bheap_aligned_alloc(
			model->heap,
			(size_t[]){0, 3, 24, SIZE_MAX}[random_below(&model->random, 4)], 100));
		ck_assert_errno(EINVAL);
	}
}

/* Twice the same block: the second time it is free, or inside a larger free block. */
static void free_twice(struct model *model, size_t index)
{
	const void *ptr = model->live[index].ptr;

	model_free(model, index);
	refuse_free(model, ptr);
	require_equal(model->faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
	ck_assert_ptr_eq(model->faults.last.address, ptr);
	refuse_realloc(model, ptr);
	refuse_question(model, ptr);
}

/* ---- the mix ---- */

static size_t size_random(struct model *model, size_t heap_size)
{
	switch (random_below(&model->random, 10)) {
	case 0: return random_below(&model->random, heap_size / 4);
	case 1:
	case 2:
	case 3: return random_below(&model->random, 2048);
	default: return random_below(&model->random, 200);
	}
}

static void copy(struct model *model, size_t length)
{
	static char string[SIZE_LIMIT + 1];

	memset(string, 'x', length);
	string[length] = '\0';
	model_strdup(model, string);
}

static void allocate(struct model *model, size_t heap_size)
{
	size_t size = size_random(model, heap_size);

	switch (random_below(&model->random, 9)) {
	case 8: copy(model, size < SIZE_LIMIT ? size : SIZE_LIMIT); break;
	case 0: model_calloc(model, 1 + size / 16, 16); break;
	case 1:
		model_aligned_alloc(model, (size_t)1 << random_below(&model->random, 13), size);
		break;
	default: model_alloc(model, size);
	}
}

static void resize(struct model *model, size_t index, size_t size)
{
	switch (random_below(&model->random, 7)) {
	case 0: model_resize(model, index, size); break;
	case 6: model_reallocarray(model, index, 1 + size / 16, 16); break;
	case 1:
		model_aligned_realloc(model, index, (size_t)1 << random_below(&model->random, 13),
				      size);
		break;
	default: model_realloc(model, index, size);
	}
}

/* Grows towards a full heap and shrinks towards an empty one by turns. */
static void step(struct model *model, size_t heap_size, unsigned number, const void *other)
{
	bool grows = number / 1000 % 2 == 0;
	uint64_t choice = random_below(&model->random, 100);
	size_t index = model->count ? random_below(&model->random, model->count) : 0;

	if (choice < 5)
		misuse(model, other);
	else if (choice < (grows ? 60 : 35) || !model->count)
		allocate(model, heap_size);
	else if (choice < 75)
		resize(model, index, size_random(model, heap_size));
	else if (choice < 98)
		model_free(model, index);
	else if (choice < 99)
		free_twice(model, index);
	else if (random_below(&model->random, 20))
		bheap_trim(model->heap);
	else
		model_reset(model);
}

START_TEST(random_operations)
{
	const struct kind *kind = &kinds[_i];
	unsigned steps =
		(unsigned)environment_number("BHEAP_TEST_STEPS", is_watched() ? 600 : STEPS);
	bheap_t *other_heap = bheap_create(4096, 0);
	void *other = bheap_alloc(other_heap, 100);
	struct bheap_stats stats;
	struct model model;

	printf("# %s: BHEAP_TEST_SEED=%ju\n", kind->name, (uintmax_t)seed);
	fflush(stdout);
	model_begin(&model, heap_make(kind), kind->flags, seed + (unsigned)_i);
	bheap_stats(model.heap, &stats);
	for (unsigned number = 0; number < steps; number++) {
		step(&model, stats.size, number, other);
		if (number % 64)
			model_verify(&model);
		else
			model_verify_content(&model);
	}
	model_verify_content(&model);
	model_free_all(&model);
	model_verify(&model);
	bheap_stats(model.heap, &stats);
	ck_assert_uint_eq(stats.largest_free, stats.size);
	model_end(&model);
	ck_assert_int_eq(bheap_destroy(model.heap), 0);
	ck_assert_int_eq(bheap_destroy(other_heap), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("random", &tcase, 600);

	seed = environment_number("BHEAP_TEST_SEED", 1);
	tcase_add_loop_test(tcase, random_operations, 0, KINDS);
	return suite_run(suite);
}
