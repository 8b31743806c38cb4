/* SPDX-License-Identifier: MIT */
/*
 * family.c - the malloc family as a program sees it, to be run with libbheap-malloc.so preloaded
 * (family.sh does): what each function promises, threads, fork, and misuse. Compiled with
 * -fno-builtin, so that every call is made.
 */
#include <bheap.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void free_sized(void *ptr, size_t size) __attribute__((weak));
void free_aligned_sized(void *ptr, size_t alignment, size_t size) __attribute__((weak));

#define THREADS 4
#define ROUNDS 20000
#define SLOTS 64

/* Arguments that make no sense, which the compiler may not see: it would warn. */
static volatile size_t huge = SIZE_MAX, three = 3;

static bool is_zero(const char *bytes, size_t size)
{
	for (size_t at = 0; at < size; at++)
		if (bytes[at])
			return false;
	return true;
}

static bool is_aligned(const void *block, size_t alignment)
{
	return (uintptr_t)block % alignment == 0;
}

static char pattern_at(size_t at)
{
	return (char)(at * 7);
}

static bool is_pattern(const char *bytes, size_t size)
{
	for (size_t at = 0; at < size; at++)
		if (bytes[at] != pattern_at(at))
			return false;
	return true;
}

/* Standard error goes to a file of its own while work() runs; its content comes back. */
static const char *stderr_of(void (*work)(void))
{
	static char text[1024];
	char path[] = "family-stderr-XXXXXX";
	int saved = dup(STDERR_FILENO), fd = mkstemp(path);
	ssize_t length;

	ck_assert_int_ge(fd, 0);
	unlink(path);
	dup2(fd, STDERR_FILENO);
	work();
	dup2(saved, STDERR_FILENO);
	length = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	close(fd);
	close(saved);
	return text;
}

START_TEST(test_every_function_comes_from_the_library)
{
	static const char *const names[] = {"malloc",
					    "free",
					    "calloc",
					    "realloc",
					    "reallocarray",
					    "aligned_alloc",
					    "posix_memalign",
					    "memalign",
					    "valloc",
					    "pvalloc",
					    "malloc_usable_size",
					    "free_sized",
					    "free_aligned_sized"};

	for (size_t index = 0; index < sizeof(names) / sizeof(*names); index++) {
		Dl_info info;
		void *function = dlsym(RTLD_DEFAULT, names[index]);

		ck_assert_msg(function && dladdr(function, &info), "%s is not there", names[index]);
		ck_assert_msg(strstr(info.dli_fname, "libbheap-malloc.so"), "%s is from %s",
			      names[index], info.dli_fname);
	}
	/* The heap inside is not for others to call. */
	ck_assert_ptr_null(dlsym(RTLD_DEFAULT, "bheap_alloc"));
	ck_assert_ptr_null(dlsym(RTLD_DEFAULT, "init_heap"));
}
END_TEST

START_TEST(test_malloc_gives_distinct_blocks)
{
	char *one = malloc(0), *other = malloc(0), *large = malloc(1 << 20);

	ck_assert(one && other && large && one != other);
	ck_assert(is_aligned(one, 16) && is_aligned(large, 16));
	ck_assert_uint_ge(malloc_usable_size(large), 1 << 20);
	ck_assert_uint_eq(malloc_usable_size(NULL), 0);
	memset(large, 1, malloc_usable_size(large));
	errno = 77;
	free(one);
	free(other);
	free(large);
	free(NULL);
	ck_assert_int_eq(errno, 77);
}
END_TEST

START_TEST(test_requests_too_large_are_refused)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, PTRDIFF_MAX, SIZE_MAX / 2 + 1,
				       (size_t)BHEAP_SIZE_MAX};
	char *block = malloc(100);

	for (size_t index = 0; index < sizeof(sizes) / sizeof(*sizes); index++) {
		errno = 0;
		ck_assert_ptr_null(malloc(sizes[index]));
		ck_assert_int_eq(errno, ENOMEM);
		errno = 0;
		ck_assert_ptr_null(realloc(block, sizes[index]));
		ck_assert_int_eq(errno, ENOMEM);
		errno = 0;
		ck_assert_ptr_null(aligned_alloc(64, sizes[index]));
		ck_assert_int_eq(errno, ENOMEM);
	}
	ck_assert_ptr_null(calloc(huge / 2, 3));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(reallocarray(block, huge / 2, 3));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(pvalloc(huge - 5));
	ck_assert_int_eq(errno, ENOMEM);
	free(block);
}
END_TEST

START_TEST(test_calloc_clears_used_and_fresh_memory)
{
	static const size_t sizes[] = {1, 15, 16, 17, 100, 4096, 70000, 3 << 20};

	for (int round = 0; round < 3; round++) {
		for (size_t index = 0; index < sizeof(sizes) / sizeof(*sizes); index++) {
			char *block = calloc(sizes[index], 1), *next;

			ck_assert_ptr_nonnull(block);
			ck_assert(is_zero(block, sizes[index]));
			memset(block, 0xee, sizes[index]);
			next = malloc(sizes[index]);
			memset(next, 0xdd, sizes[index]);
			free(block);
			/* Two free neighbours, and the fresh memory after them. */
			free(next);
			block = calloc(1, 2 * sizes[index] + 5000);
			ck_assert_ptr_nonnull(block);
			ck_assert(is_zero(block, 2 * sizes[index] + 5000));
			free(block);
		}
	}
}
END_TEST

START_TEST(test_calloc_clears_what_realloc_grew_into)
{
	static const size_t sizes[] = {1 << 14, 1 << 18, 1 << 22, 1 << 24};

	for (size_t index = 0; index < sizeof(sizes) / sizeof(*sizes); index++) {
		char *block = realloc(malloc(100), sizes[index]);

		ck_assert_ptr_nonnull(block);
		memset(block, 0xcc, sizes[index]);
		free(realloc(block, 100));
		block = calloc(2, sizes[index]);
		ck_assert_ptr_nonnull(block);
		ck_assert(is_zero(block, 2 * sizes[index]));
		free(block);
	}
}
END_TEST

/* What came along to the cache with another block is handed out, written to and given back, too. */
static void *thread_dirties_small_blocks(void *unused)
{
	enum { COUNT = 300, SIZE = 64 };
	static char *blocks[COUNT];

	free(malloc(SIZE)); /* the cache begins */
	for (int index = 0; index < COUNT; index++)
		blocks[index] = malloc(SIZE);
	for (int index = 0; index < COUNT; index++) {
		memset(blocks[index], 0xbb, SIZE);
		free(blocks[index]);
	}
	return unused;
}

START_TEST(test_calloc_clears_what_the_cache_held)
{
	enum { SIZE = 1 << 20 };
	pthread_t thread;
	char *block;

	ck_assert_int_eq(pthread_create(&thread, NULL, thread_dirties_small_blocks, NULL), 0);
	pthread_join(thread, NULL);
	block = calloc(SIZE, 1);
	ck_assert_ptr_nonnull(block);
	ck_assert(is_zero(block, SIZE));
	free(block);
}
END_TEST

START_TEST(test_realloc_keeps_the_content)
{
	char *block = NULL, *barrier[64];
	size_t size = 1;

	for (int step = 0; step < 40; step++) {
		size_t larger = size + size / 2 + 1;
		char *moved = realloc(block, larger);

		ck_assert_ptr_nonnull(moved);
		ck_assert(!block || is_pattern(moved, size));
		for (size_t at = 0; at < larger; at++)
			moved[at] = pattern_at(at);
		block = moved;
		size = larger;
		barrier[step] = malloc(16);
		if (size > 1 << 22)
			size = 10;
	}
	block = realloc(block, 3);
	ck_assert(is_pattern(block, 3));
	ck_assert_ptr_null(realloc(block, 0));
	for (int step = 0; step < 40; step++)
		free(barrier[step]);
}
END_TEST

/* Once it lies behind all others. What it grows into need not be mapped yet. */
START_TEST(test_realloc_grows_the_last_block_where_it_is)
{
	size_t size = 1 << 20;
	char *block = malloc(size);
	unsigned moves = 0;

	for (; size < 64 << 20; size *= 2) {
		char *grown;

		memset(block + size / 2, 1, size / 2);
		grown = realloc(block, 2 * size);
		ck_assert_ptr_nonnull(grown);
		ck_assert_int_eq(grown[size - 1], 1);
		moves += grown != block;
		block = grown;
	}
	ck_assert_uint_le(moves, 1);
	free(block);
}
END_TEST

START_TEST(test_alignments)
{
	void *block = NULL;

	for (size_t alignment = 1; alignment <= (size_t)1 << 22; alignment <<= 1) {
		block = aligned_alloc(alignment, 100);
		ck_assert(block && is_aligned(block, alignment));
		memset(block, 1, 100);
		free(block);
		block = memalign(alignment, 1);
		ck_assert(block && is_aligned(block, alignment));
		free(block);
		if (alignment < sizeof(void *))
			continue;
		ck_assert_int_eq(posix_memalign(&block, alignment, 300), 0);
		ck_assert(block && is_aligned(block, alignment));
		free(block);
	}
	block = memalign(16 * three, 10);
	ck_assert(block && is_aligned(block, 64));
	free(block);
	block = valloc(1);
	ck_assert(block && is_aligned(block, (size_t)getpagesize()));
	free(block);
	block = pvalloc(1);
	ck_assert(block && is_aligned(block, (size_t)getpagesize()));
	ck_assert_uint_ge(malloc_usable_size(block), (size_t)getpagesize());
	free(block);
}
END_TEST

START_TEST(test_bad_alignments_are_refused)
{
	void *block = &block;

	errno = 0;
	ck_assert_ptr_null(aligned_alloc(three - 3, 10));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(aligned_alloc(16 * three, 10));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(posix_memalign(&block, 4, 10), EINVAL);
	ck_assert_int_eq(posix_memalign(&block, 8 * three, 10), EINVAL);
	errno = 7;
	ck_assert_int_eq(posix_memalign(&block, 16, PTRDIFF_MAX), ENOMEM);
	ck_assert_int_eq(errno, 7);
	ck_assert_ptr_eq(block, &block);
	ck_assert_ptr_null(memalign(huge - 1, 10));
}
END_TEST

START_TEST(test_sized_frees)
{
	ck_assert(free_sized && free_aligned_sized);
	free_sized(malloc(77), 77);
	free_sized(NULL, 77);
	free_aligned_sized(aligned_alloc(128, 256), 128, 256);
}
END_TEST

/* ---- misuse ---- */

static void *misused;

static void free_misused(void)
{
	free(misused);
}

static void realloc_misused(void)
{
	errno = 0;
	ck_assert_ptr_null(realloc(misused, 100));
	ck_assert_int_eq(errno, EINVAL);
}

START_TEST(test_foreign_pointers_are_reported_and_not_followed)
{
	char on_stack[64];
	char *block = malloc(64);
	void *const foreign[] = {on_stack,   (void *)16, (void *)(uintptr_t)-64,
				 block + 16, block + 1,  (void *)(uintptr_t)free_misused};

	memset(block, 0x5a, 64);
	for (size_t index = 0; index < sizeof(foreign) / sizeof(*foreign); index++) {
		misused = foreign[index];
		ck_assert_ptr_nonnull(strstr(stderr_of(free_misused), "not the start of a block"));
		ck_assert_ptr_nonnull(
			strstr(stderr_of(realloc_misused), "not the start of a block"));
	}
	for (int at = 0; at < 64; at++)
		ck_assert_int_eq(block[at], 0x5a);
	free(block);
}
END_TEST

START_TEST(test_double_frees_are_reported)
{
	static const size_t sizes[] = {16, 24, 40, 200, 1000, 5000, 1 << 20};

	for (size_t index = 0; index < sizeof(sizes) / sizeof(*sizes); index++) {
		misused = malloc(sizes[index]);
		free(misused);
		ck_assert_msg(strstr(stderr_of(free_misused), "free already"), "of %zu bytes",
			      sizes[index]);
		ck_assert_msg(strstr(stderr_of(realloc_misused), "free already"), "of %zu bytes",
			      sizes[index]);
	}
}
END_TEST

/*
 * The cache knows its blocks by a mark in their first bytes. A number of the program's own is never
 * taken for one: not even what tells of the block, as where it lies.
 */
static void free_what_bears_its_address(void)
{
	for (uintptr_t bits = 0; bits < 16; bits++) {
		uintptr_t *block = malloc(40);

		block[0] = (uintptr_t)block ^ bits;
		block[1] = (uintptr_t)block ^ bits;
		free(block);
	}
}

START_TEST(test_no_content_is_a_double_free)
{
	ck_assert_str_eq(stderr_of(free_what_bears_its_address), "");
}
END_TEST

/* Blocks that were in the cache, went to the heap, and come back without being written to. */
static void free_untouched(void)
{
	enum { COUNT = 500 };
	static void *blocks[COUNT];

	for (int round = 0; round < 2; round++) {
		for (int index = 0; index < COUNT; index++)
			blocks[index] = malloc(48);
		for (int index = 0; index < COUNT; index++)
			free(blocks[index]);
	}
}

START_TEST(test_untouched_blocks_are_no_double_free)
{
	ck_assert_str_eq(stderr_of(free_untouched), "");
}
END_TEST

/* The process's random bytes are the stack protector's canary and the pointer guard. */
static bool is_secret(uint64_t word, const uint64_t *random)
{
	return (word | 0xff) == (random[0] | 0xff) || (word | 1) == (random[1] | 1);
}

START_TEST(test_freed_blocks_tell_no_secret)
{
	uint64_t random[2];

	memcpy(random, (const void *)getauxval(AT_RANDOM), sizeof(random));
	for (size_t size = 16; size <= 1024; size += 16) {
		void *first = malloc(size), *second = malloc(size);
		const volatile uint64_t *volatile freed = first;

		free(second);
		free(first);
		for (size_t index = 0; index < size / sizeof(*freed); index++) {
			ck_assert(!is_secret(freed[index], random));
			ck_assert(!is_secret(freed[index] ^ (uintptr_t)freed, random));
		}
	}
}
END_TEST

static void *thread_free(void *block)
{
	free(block);
	return NULL;
}

/* Blocks that another thread freed and, as long as it lives, may keep for itself. */
static void *thread_free_and_wait(void *gate)
{
	free(misused);
	pthread_barrier_wait(gate);
	pthread_barrier_wait(gate);
	return NULL;
}

START_TEST(test_double_frees_across_threads_are_reported)
{
	pthread_barrier_t gate;
	pthread_t thread;

	misused = malloc(100);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_free, misused), 0);
	pthread_join(thread, NULL);
	ck_assert_ptr_nonnull(strstr(stderr_of(free_misused), "free already"));

	misused = malloc(100);
	pthread_barrier_init(&gate, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_free_and_wait, &gate), 0);
	pthread_barrier_wait(&gate);
	ck_assert_ptr_nonnull(strstr(stderr_of(free_misused), "free already"));
	pthread_barrier_wait(&gate);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&gate);
}
END_TEST

/* ---- pages ---- */

static size_t resident_size(void)
{
	FILE *stream = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (!stream || fscanf(stream, "%*u %zu", &pages) != 1)
		pages = 0;
	if (stream)
		fclose(stream);
	return pages * (size_t)getpagesize();
}

#define LARGE ((size_t)48 << 20)

START_TEST(test_large_blocks_give_their_pages_back)
{
	size_t before = resident_size();
	char *block;

	if (!before)
		return; /* no /proc */
	block = malloc(LARGE);
	memset(block, 1, LARGE);
	ck_assert_uint_ge(resident_size(), before + LARGE);
	free(block);
	ck_assert_uint_lt(resident_size(), before + LARGE / 4);
	block = calloc(LARGE, 1);
	ck_assert(is_zero(block, LARGE));
	free(block);
}
END_TEST

START_TEST(test_untouched_memory_of_calloc_is_not_resident)
{
	size_t before = resident_size();
	char *block;

	if (!before || getenv("BHEAP_MALLOC_GUARD"))
		return;
	block = calloc(3, LARGE / 2);
	ck_assert_ptr_nonnull(block);
	ck_assert_uint_lt(resident_size(), before + LARGE / 4);
	ck_assert(is_zero(block, LARGE));
	free(block);
}
END_TEST

START_TEST(test_many_freed_blocks_give_their_pages_back)
{
	enum { COUNT = 300000, SIZE = 400 };
	static char *blocks[COUNT];
	size_t before = resident_size();

	if (!before)
		return;
	before += sizeof(blocks);
	for (int index = 0; index < COUNT; index++) {
		blocks[index] = malloc(SIZE);
		memset(blocks[index], 1, SIZE);
	}
	ck_assert_uint_ge(resident_size(), before + (size_t)COUNT * SIZE / 2);
	for (int index = 0; index < COUNT; index++)
		free(blocks[index]);
	ck_assert_uint_lt(resident_size(), before + (size_t)COUNT * SIZE * 3 / 4);
}
END_TEST

/* As awk appends to a string: what one turn gave back the next one takes, a little more of it. */
START_TEST(test_a_text_that_grows_by_new_blocks_keeps_its_pages)
{
	enum { TURNS = 20000, GROWTH = 60 };
	struct rusage before, after;
	char *text;

	if (getenv("BHEAP_MALLOC_GUARD"))
		return; /* each freed byte is written to */
	text = malloc(1);
	getrusage(RUSAGE_SELF, &before);
	for (size_t turn = 1; turn < TURNS; turn++) {
		char *longer = malloc(turn * GROWTH);

		memset(longer, 1, turn * GROWTH);
		free(text);
		text = longer;
	}
	getrusage(RUSAGE_SELF, &after);
	free(text);
	ck_assert_int_lt(after.ru_minflt - before.ru_minflt, TURNS);
}
END_TEST

/* Blocks of 2 to 10 MiB, one at random replaced: as much is in use all the time. */
START_TEST(test_large_blocks_that_are_replaced_keep_their_pages)
{
	enum { LIVE = 20, TURNS = 600, LEAST = 2 << 20, SPREAD = 8 << 20 };
	char *blocks[LIVE] = {NULL};
	struct rusage before, after;
	uint64_t random = 1;
	size_t touched = 0;

	if (getenv("BHEAP_MALLOC_GUARD"))
		return; /* pages of freed blocks are closed */
	getrusage(RUSAGE_SELF, &before);
	for (int turn = 0; turn < TURNS; turn++) {
		size_t index, size;
		char *block;

		random = random * 6364136223846793005u + 1442695040888963407u;
		index = (size_t)(random >> 33) % LIVE;
		size = LEAST + (size_t)(random >> 40) % SPREAD;
		block = malloc(size);
		memset(block, 1, size);
		free(blocks[index]);
		blocks[index] = block;
		touched += size;
	}
	getrusage(RUSAGE_SELF, &after);
	for (int index = 0; index < LIVE; index++)
		free(blocks[index]);
	/* A third and more when each 64 MiB freed meant a trim; now less than a tenth. */
	ck_assert_uint_lt((size_t)(after.ru_minflt - before.ru_minflt),
			  touched / (size_t)getpagesize() / 4);
}
END_TEST

/* ---- threads and fork ---- */

static void slot_turn(unsigned char *slots[SLOTS], unsigned *seed)
{
	unsigned slot = (unsigned)rand_r(seed) % SLOTS;
	size_t size = (size_t)rand_r(seed) % (rand_r(seed) % 16 ? 300 : 20000) + 1;

	if (slots[slot]) {
		if (slots[slot][0] != (unsigned char)slot)
			ck_abort_msg("a block was written to by another");
		free(slots[slot]);
	}
	slots[slot] = rand_r(seed) % 4 ? malloc(size) : calloc(1, size);
	if (!slots[slot])
		ck_abort_msg("no room");
	memset(slots[slot], (int)slot, size);
}

static void *thread_work(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	unsigned char *slots[SLOTS] = {NULL};

	for (int round = 0; round < ROUNDS; round++)
		slot_turn(slots, &seed);
	for (int slot = 0; slot < SLOTS; slot++)
		free(slots[slot]);
	return malloc(32); /* freed by another thread */
}

static void threads_run(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t index = 0; index < THREADS; index++)
		ck_assert_int_eq(
			pthread_create(&threads[index], NULL, thread_work, (void *)(index + 1)), 0);
	for (int index = 0; index < THREADS; index++) {
		void *result;

		pthread_join(threads[index], &result);
		free(result);
	}
}

START_TEST(test_threads)
{
	threads_run();
	threads_run();
}
END_TEST

/* A thread that waits for the heap while another has it sleeps: not where it may be cancelled. */
START_TEST(test_no_call_is_a_cancellation_point)
{
	pthread_t threads[THREADS];

	for (uintptr_t index = 0; index < THREADS; index++)
		ck_assert_int_eq(pthread_create(&threads[index], NULL, thread_work, (void *)index),
				 0);
	for (int index = 0; index < THREADS; index++)
		pthread_cancel(threads[index]);
	for (int index = 0; index < THREADS; index++) {
		void *result;

		pthread_join(threads[index], &result);
		ck_assert_ptr_ne(result, PTHREAD_CANCELED);
		free(result);
	}
}
END_TEST

static void *thread_allocate_until(void *arg)
{
	unsigned seed = 5;
	unsigned char *slots[SLOTS] = {NULL};
	bool *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		slot_turn(slots, &seed);
	for (int slot = 0; slot < SLOTS; slot++)
		free(slots[slot]);
	return NULL;
}

/* In a child forked while other threads allocate: a free heap, and threads again. */
static void child_work(void)
{
	alarm(20);
	thread_work((void *)3);
	threads_run();
	_exit(0);
}

START_TEST(test_fork_while_threads_allocate)
{
	pthread_t threads[2];
	bool stop = false;

	for (int index = 0; index < 2; index++)
		ck_assert_int_eq(
			pthread_create(&threads[index], NULL, thread_allocate_until, &stop), 0);
	for (int round = 0; round < 20; round++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			child_work();
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_msg(status == 0, "the child ended with status %#x", (unsigned)status);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int index = 0; index < 2; index++)
		pthread_join(threads[index], NULL);
}
END_TEST

/* Freed and made by a destructor of thread-specific data, after the library's own. */
static void late_destructor(void *block)
{
	free(block);
	free(malloc(48));
}

static void *thread_with_late_work(void *key)
{
	pthread_setspecific(*(pthread_key_t *)key, malloc(48));
	for (int index = 0; index < 100; index++)
		free(malloc(48));
	return NULL;
}

START_TEST(test_thread_exit)
{
	pthread_key_t key;
	void *steady = malloc(1);

	ck_assert_int_eq(pthread_key_create(&key, late_destructor), 0);
	for (int index = 0; index < 200; index++) {
		pthread_t thread;

		ck_assert_int_eq(pthread_create(&thread, NULL, thread_with_late_work, &key), 0);
		pthread_join(thread, NULL);
	}
	free(steady);
	pthread_key_delete(key);
}
END_TEST

START_TEST(test_dlopen)
{
	void *library = dlopen("libm.so.6", RTLD_NOW);

	ck_assert_ptr_nonnull(library);
	ck_assert_ptr_nonnull(dlsym(library, "cos"));
	dlclose(library);
	ck_assert_ptr_null(dlopen("no-such-library.so", RTLD_NOW));
	ck_assert_ptr_nonnull(dlerror());
}
END_TEST

static Suite *family_suite(void)
{
	Suite *suite = suite_create("family");
	TCase *calls = tcase_create("calls"), *misuse = tcase_create("misuse"),
	      *pages = tcase_create("pages"), *processes = tcase_create("processes");

	tcase_add_test(calls, test_every_function_comes_from_the_library);
	tcase_add_test(calls, test_malloc_gives_distinct_blocks);
	tcase_add_test(calls, test_requests_too_large_are_refused);
	tcase_add_test(calls, test_calloc_clears_used_and_fresh_memory);
	tcase_add_test(calls, test_calloc_clears_what_realloc_grew_into);
	tcase_add_test(calls, test_calloc_clears_what_the_cache_held);
	tcase_add_test(calls, test_realloc_keeps_the_content);
	tcase_add_test(calls, test_realloc_grows_the_last_block_where_it_is);
	tcase_add_test(calls, test_alignments);
	tcase_add_test(calls, test_bad_alignments_are_refused);
	tcase_add_test(calls, test_sized_frees);
	tcase_add_test(misuse, test_foreign_pointers_are_reported_and_not_followed);
	tcase_add_test(misuse, test_double_frees_are_reported);
	tcase_add_test(misuse, test_no_content_is_a_double_free);
	tcase_add_test(misuse, test_untouched_blocks_are_no_double_free);
	tcase_add_test(misuse, test_double_frees_across_threads_are_reported);
	tcase_add_test(misuse, test_freed_blocks_tell_no_secret);
	tcase_add_test(pages, test_large_blocks_give_their_pages_back);
	tcase_add_test(pages, test_untouched_memory_of_calloc_is_not_resident);
	tcase_add_test(pages, test_many_freed_blocks_give_their_pages_back);
	tcase_add_test(pages, test_a_text_that_grows_by_new_blocks_keeps_its_pages);
	tcase_add_test(pages, test_large_blocks_that_are_replaced_keep_their_pages);
	tcase_set_timeout(pages, 60);
	tcase_set_timeout(processes, 120);
	tcase_add_test(processes, test_threads);
	tcase_add_test(processes, test_no_call_is_a_cancellation_point);
	tcase_add_test(processes, test_fork_while_threads_allocate);
	tcase_add_test(processes, test_thread_exit);
	tcase_add_test(processes, test_dlopen);
	suite_add_tcase(suite, calls);
	suite_add_tcase(suite, misuse);
	suite_add_tcase(suite, pages);
	suite_add_tcase(suite, processes);
	return suite;
}

static pthread_key_t late_key;

static void *thread_work_late(void *arg)
{
	pthread_setspecific(late_key, malloc(48));
	return thread_work(arg);
}

/*
 * For family.sh, which looks at what is live in the end: threads that leave small blocks to the
 * cache, and free some when their cache is gone.
 */
static int threads_end(int count)
{
	if (pthread_key_create(&late_key, late_destructor))
		return EXIT_FAILURE;
	while (count--) {
		pthread_t thread;
		void *last;

		if (pthread_create(&thread, NULL, thread_work_late, NULL) ||
		    pthread_join(thread, &last))
			return EXIT_FAILURE;
		free(last);
	}
	return EXIT_SUCCESS;
}

/* For family.sh too: a thread that wants one block of each small size. */
static void *each_size_once(void *unused)
{
	static void *blocks[64];

	for (size_t i = 0; i < 64; i++)
		blocks[i] = malloc((i + 1) * 16);
	for (size_t i = 0; i < 64; i++)
		free(blocks[i]);
	return unused;
}

static int sizes_once(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, each_size_once, NULL) || pthread_join(thread, NULL);
}

#define KEPT_EACH 352 /* which leaves the bins as full as they may be */

static char *many[4][KEPT_EACH];
static pthread_barrier_t freed;

static void *many_free(void *unused)
{
	for (int row = 0; row < 4; row++)
		for (int index = 0; index < KEPT_EACH; index++)
			free(many[row][index]);
	pthread_barrier_wait(&freed);
	for (;;)
		pause();
	return unused;
}

/* And: what a thread keeps that is still there in the end, of more than it may, of four sizes. */
static int thread_keeps(void)
{
	static const size_t sizes[] = {16, 64, 256, 1024};
	pthread_t thread;

	for (int row = 0; row < 4; row++)
		for (int index = 0; index < KEPT_EACH; index++)
			many[row][index] = malloc(sizes[row]);
	pthread_barrier_init(&freed, NULL, 2);
	if (pthread_create(&thread, NULL, many_free, NULL))
		return EXIT_FAILURE;
	pthread_barrier_wait(&freed);
	return EXIT_SUCCESS;
}

/*
 * And: a double free of a block of each size: of a small one the cache tells, of a large one the
 * heap.
 */
static int faults_make(int count, char **sizes)
{
	for (int index = 0; index < count; index++) {
		misused = malloc((size_t)atoi(sizes[index]));
		free(misused);
		free_misused();
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	SRunner *runner;
	int failed;

	if (argc == 2 && strcmp(argv[1], "sizes") == 0)
		return sizes_once();
	if (argc == 2 && strcmp(argv[1], "keeps") == 0)
		return thread_keeps();
	if (argc > 2 && strcmp(argv[1], "faults") == 0)
		return faults_make(argc - 2, argv + 2);
	if (argc == 3 && strcmp(argv[1], "threads") == 0)
		return threads_end(atoi(argv[2]));
	runner = srunner_create(family_suite());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
