/* SPDX-License-Identifier: MIT */
/*
 * deepbind.c - dlopen(3) and dlmopen(3) without RTLD_DEEPBIND, by which an object would find the C
 * library's malloc() and free() before those of this library. Keeps: the C library's function is
 * jumped to, not called, for it looks at its return address: the RUNPATH and the namespace of the
 * object that calls are used. Where no compiler makes such a jump nothing is interposed.
 */
#include <dlfcn.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* Where a compiler knows no such statement, gcc makes the jump when it optimises. */
#if defined(__has_attribute) && __has_attribute(musttail)
#define RETURN_BY_JUMP __attribute__((musttail)) return
#else
#define RETURN_BY_JUMP return
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define OPTIMISED __attribute__((optimize("O2")))
#else
#define OPTIMISED
#endif

typedef void *dlopen_fn(const char *file, int mode);
typedef void *dlmopen_fn(Lmid_t space, const char *file, int mode);

/* Before glibc 2.34 in a library of its own, which a program that calls dlopen() has. */
#pragma weak dlsym

/* On 64-bit PowerPC a call through a pointer is never a jump. */
#ifndef __powerpc64__
/* Asked for once, by each thread that comes first. */
static void *next_find(void **next, const char *name)
{
	void *found = __atomic_load_n(next, __ATOMIC_RELAXED);

	if (!found && dlsym) {
		found = dlsym(RTLD_NEXT, name);
		__atomic_store_n(next, found, __ATOMIC_RELAXED);
	}
	return found;
}

OPTIMISED EXPORT void *dlopen(const char *file, int mode)
{
	static void *next;
	dlopen_fn *function = (dlopen_fn *)next_find(&next, "dlopen");

	if (!function)
		return NULL;
	RETURN_BY_JUMP function(file, mode & ~RTLD_DEEPBIND);
}

/* Another namespace has a C library of its own, and not this library. */
OPTIMISED EXPORT void *dlmopen(Lmid_t space, const char *file, int mode)
{
	static void *next;
	dlmopen_fn *function = (dlmopen_fn *)next_find(&next, "dlmopen");

	if (!function)
		return NULL;
	RETURN_BY_JUMP function(space, file, space == LM_ID_BASE ? mode & ~RTLD_DEEPBIND : mode);
}
#endif
