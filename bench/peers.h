/* SPDX-License-Identifier: MIT */
/*
 * peers.h - the allocators that libbheap is measured beside.
 *
 * glibc's malloc is called as it is. The others come out of shared libraries that are loaded at run
 * time and kept to themselves, so that all live side by side in one process.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "allocator.h"

#define PEERS_MAX 16

extern const struct allocator allocator_glibc;

/* The first is always glibc's. */
struct peers {
	struct allocator all[PEERS_MAX];
	size_t count;
};

/*
 * Call first in main(): starts the program again with more room for thread-local data of libraries
 * loaded late, without which the dynamic linker refuses jemalloc, and with what the peers are to
 * know.
 */
void peers_restart(char **argv);

/* Loads all that configure found; says on standard error which could not be loaded, and why. */
void peers_load(struct peers *peers);

/*
 * Adds a shared library with malloc, free, realloc and posix_memalign. 0; or -1 after saying why.
 */
int peers_add_library(struct peers *peers, const char *name, const char *path, const char *prefix);

/* Adds a module that defines bench_allocator, as boost.cc does. 0; or -1 after saying why. */
int peers_add_module(struct peers *peers, const char *path);

#endif
