/* SPDX-License-Identifier: MIT */
/*
 * replayer.c - the process that replays a trace (replay.h). Its malloc(3) is the one under test, so
 * it allocates nothing of its own there.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "replay.h"

/* False: no room. */
static bool op_replay(void **blocks, const struct trace_op *op)
{
	void **block = &blocks[op->slot], *made;

	switch ((enum trace_kind)op->kind) {
	case TRACE_FREE:
		free(*block);
		*block = NULL;
		return true;
	case TRACE_ALLOC: made = malloc(op->size); break;
	case TRACE_ALIGNED: made = memalign((size_t)1 << op->alignment_log2, op->size); break;
	case TRACE_RESIZE:
	default: made = realloc(*block, op->size); break;
	}
	if (made)
		*block = made;
	return made != NULL;
}

/* blocks: by slot. */
static bool trace_replay(void **blocks)
{
	static struct trace_op ops[REPLAY_BATCH];
	size_t size, count;

	do {
		size = replay_read(STDIN_FILENO, ops, sizeof(ops));
		count = size / sizeof(*ops);
		for (size_t op = 0; op < count; op++)
			if (!op_replay(blocks, &ops[op]))
				return false;
	} while (size == sizeof(ops));
	return true;
}

/* ---- the other threads ---- */

/* The largest block that a thread keeps, more than it keeps of one size, and all threads' share of
 * the heap. */
#define KEPT_SIZE 1024
#define KEPT_COUNT 256
#define KEPT_SHARE 64

static pthread_barrier_t kept;

/*
 * Keeps as much as the library lets a thread keep: in the program any may, at any time. No more
 * than that is requested, since a refused request empties the caches of all threads, and waits for
 * each.
 */
static void *thread_keep(void *heap_size)
{
	static void *blocks[KEPT_COUNT];
	size_t share = *(const size_t *)heap_size / KEPT_SHARE;

	for (size_t size = 16; size <= KEPT_SIZE; size += 16) {
		size_t fitting = share / size + 1;
		size_t count = share == 0 || fitting > KEPT_COUNT ? KEPT_COUNT : fitting;

		for (size_t index = 0; index < count; index++)
			blocks[index] = malloc(size);
		for (size_t index = 0; index < count; index++)
			free(blocks[index]);
	}
	pthread_barrier_wait(&kept);
	for (;;)
		pause();
	return heap_size;
}

/* One after the other, as they share the array. False if the system has no more threads. */
static bool threads_begin(uint32_t count, size_t *heap_size)
{
	pthread_attr_t attributes;
	pthread_t thread;
	bool good = count == 0 || (pthread_attr_init(&attributes) == 0 &&
				   pthread_barrier_init(&kept, NULL, 2) == 0);

	while (good && count--) {
		pthread_attr_setstacksize(&attributes, (size_t)128 << 10);
		good = pthread_create(&thread, &attributes, thread_keep, heap_size) == 0;
		if (good)
			pthread_barrier_wait(&kept);
	}
	return good;
}

/* ---- the whole ---- */

/* Where it could not be preloaded the loader goes on without it. */
static bool library_is_there(const char *path)
{
	Dl_info info;
	void *found = dlsym(RTLD_DEFAULT, "malloc");

	return found && dladdr(found, &info) && strcmp(info.dli_fname, path) == 0;
}

/* Not by malloc(3), whose heap is the program's alone. */
static void **blocks_make(uint32_t slot_count)
{
	void *blocks = mmap(NULL, ((size_t)slot_count + 1) * sizeof(void *), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return blocks == MAP_FAILED ? NULL : blocks;
}

bool replay_is_asked(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], REPLAY_ARGUMENT) == 0 &&
	       isfdtype(STDIN_FILENO, S_IFSOCK) == 1;
}

int replay_serve(void)
{
	static struct replay_request request;
	struct replay_answer answer = {.good = false};
	void **blocks;

	if (replay_read(STDIN_FILENO, &request, sizeof(request)) != sizeof(request) ||
	    !library_is_there(request.library))
		return STATUS_FAILED;
	blocks = blocks_make(request.slot_count);
	/* Threads that do not begin, or have no room, are as a request that is refused. */
	if (blocks &&
	    threads_begin(request.threads > 1 ? request.threads - 1 : 0, &request.heap_size))
		answer.good = trace_replay(blocks);
	if (write(STDIN_FILENO, &answer, sizeof(answer)) != sizeof(answer))
		return STATUS_FAILED;
	return STATUS_OK;
}
