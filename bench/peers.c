/* SPDX-License-Identifier: MIT */
/*
 * peers.c - the allocators that libbheap is measured beside.
 */
#include "peers.h"

#include <bheap.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/memory.h"

/* The functions that a library exports in place of malloc(3). */
struct library {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
	void *(*realloc)(void *block, size_t size);
	int (*posix_memalign)(void **block, size_t alignment, size_t size);
};

/* posix_memalign() refuses alignments below that of a pointer. */
static size_t alignment_at_least_pointer(size_t alignment)
{
	return alignment < sizeof(void *) ? sizeof(void *) : alignment;
}

/* ---- glibc ---------------------------------------------------------------------------------- */

static void *glibc_open(const struct allocator *allocator, void *region, size_t size)
{
	(void)region;
	(void)size;
	return (void *)(uintptr_t)
		allocator; /* anything but NULL: there is no heap to hand around */
}

static void glibc_close(void *heap)
{
	(void)heap;
}

static void *glibc_alloc(void *heap, size_t size)
{
	(void)heap;
	return malloc(size);
}

static void *glibc_align(void *heap, size_t alignment, size_t size)
{
	(void)heap;
	void *block;
	return posix_memalign(&block, alignment_at_least_pointer(alignment), size) == 0 ? block
											: NULL;
}

static void *glibc_resize(void *heap, void *block, size_t size)
{
	(void)heap;
	return realloc(block, size);
}

static void glibc_release(void *heap, void *block)
{
	(void)heap;
	free(block);
}

const struct allocator allocator_glibc = {
	.name = "glibc",
	.open = glibc_open,
	.close = glibc_close,
	.alloc = glibc_alloc,
	.align = glibc_align,
	.resize = glibc_resize,
	.release = glibc_release,
};

/* ---- shared libraries that stand in for malloc(3) ------------------------------------------- */

static void *library_open(const struct allocator *allocator, void *region, size_t size)
{
	(void)region;
	(void)size;
	return (void *)(uintptr_t)allocator->library;
}

static void *library_alloc(void *heap, size_t size)
{
	const struct library *library = heap;
	return library->malloc(size);
}

static void *library_align(void *heap, size_t alignment, size_t size)
{
	const struct library *library = heap;
	void *block;
	alignment = alignment_at_least_pointer(alignment);
	return library->posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

static void *library_resize(void *heap, void *block, size_t size)
{
	const struct library *library = heap;
	return library->realloc(block, size);
}

static void library_release(void *heap, void *block)
{
	const struct library *library = heap;
	library->free(block);
}

/* A function of a loaded library; NULL after saying that it lacks it. */
static void *symbol_find(void *handle, const char *path, const char *prefix, const char *name)
{
	char symbol[64];
	snprintf(symbol, sizeof(symbol), "%s%s", prefix, name);
	void *address = dlsym(handle, symbol);
	if (address == NULL)
		fprintf(stderr, "%s: no %s()\n", path, symbol);
	return address;
}

void peers_restart(char **argv)
{
	/* Memory that tcmalloc takes from sbrk(2) would come to lie inside glibc's heap. */
	setenv("TCMALLOC_SKIP_SBRK", "1", 0);
	/* Set already by the user, or by us a moment ago. */
	if (setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=16384", 0) != 0 ||
	    getenv("BENCH_RESTARTED") != NULL || setenv("BENCH_RESTARTED", "1", 0) != 0)
		return;
	execv("/proc/self/exe", argv); /* where it fails, jemalloc is left out, and said to be */
}

static struct allocator *peers_next(struct peers *peers)
{
	if (peers->count == PEERS_MAX) {
		fprintf(stderr, "more than %d allocators\n", PEERS_MAX);
		exit(2);
	}
	return &peers->all[peers->count];
}

int peers_add_library(struct peers *peers, const char *name, const char *path, const char *prefix)
{
	/* Local and bound deep: its malloc is not to become ours, nor ours to become its. */
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (handle == NULL) {
		fprintf(stderr, "%s is left out: %s\n", name, dlerror());
		return -1;
	}
	struct library found = {
		.malloc = (void *(*)(size_t))symbol_find(handle, path, prefix, "malloc"),
		.free = (void (*)(void *))symbol_find(handle, path, prefix, "free"),
		.realloc = (void *(*)(void *, size_t))symbol_find(handle, path, prefix, "realloc"),
		.posix_memalign = (int (*)(void **, size_t, size_t))symbol_find(
			handle, path, prefix, "posix_memalign"),
	};
	if (!found.malloc || !found.free || !found.realloc || !found.posix_memalign)
		return -1;
	*peers_next(peers) = (struct allocator){
		.name = name,
		.library = memory_copy(&found, sizeof(found)),
		.open = library_open,
		.close = glibc_close,
		.alloc = library_alloc,
		.align = library_align,
		.resize = library_resize,
		.release = library_release,
	};
	peers->count++;
	return 0;
}

/* ---- modules of ours that hold a bounded allocator ------------------------------------------ */

int peers_add_module(struct peers *peers, const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		fprintf(stderr, "a module is left out: %s\n", dlerror());
		return -1;
	}
	const struct allocator *allocator = symbol_find(handle, path, "", "bench_allocator");
	if (allocator == NULL)
		return -1;
	*peers_next(peers) = *allocator;
	peers->count++;
	return 0;
}

static void bheap_add(struct peers *peers, const char *name, unsigned flags)
{
	struct allocator *allocator = peers_next(peers);
	*allocator = allocator_bheap;
	allocator->name = name;
	allocator->flags = flags;
	peers->count++;
}

/* The peers that configure found; entries without a path were not found. */
#ifndef PEER_JEMALLOC
#define PEER_JEMALLOC NULL
#endif
#ifndef PEER_MIMALLOC
#define PEER_MIMALLOC NULL
#endif
#ifndef PEER_TCMALLOC
#define PEER_TCMALLOC NULL
#endif
#ifndef PEER_BOOST
#define PEER_BOOST NULL
#endif
#ifndef PEER_MEMKIND
#define PEER_MEMKIND NULL
#endif

void peers_load(struct peers *peers)
{
	static const struct {
		const char *name, *path, *prefix;
	} libraries[] = {
		{"jemalloc", PEER_JEMALLOC, ""},
		{"mimalloc", PEER_MIMALLOC, "mi_"},
		{"tcmalloc", PEER_TCMALLOC, "tc_"},
	};
	static const char *const modules[] = {PEER_BOOST, PEER_MEMKIND};
	peers->all[0] = allocator_glibc;
	peers->count = 1;
	bheap_add(peers, "bheap", BHEAP_UNLOCKED);
	bheap_add(peers, "bheap-lock", 0);
	bheap_add(peers, "bheap-cached", BHEAP_CACHED);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (libraries[i].path != NULL)
			peers_add_library(peers, libraries[i].name, libraries[i].path,
					  libraries[i].prefix);
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (modules[i] != NULL)
			peers_add_module(peers, modules[i]);
}
