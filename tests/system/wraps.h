/* SPDX-License-Identifier: MIT */
/*
 * wraps.h - the layer between the library and the system: by the linker's --wrap (WRAPS in
 * local.mk) each of these calls goes to wraps.c, which asks the test program for the answer.
 */
#ifndef TEST_WRAPS_H
#define TEST_WRAPS_H

#include <stdint.h>

enum wrap {
	WRAP_MMAP,
	WRAP_MUNMAP,
	WRAP_MPROTECT,
	WRAP_MADVISE,
	WRAP_MSYNC,
	WRAP_FTRUNCATE,
	WRAP_FALLOCATE,
	WRAP_POSIX_FALLOCATE,
	WRAP_OPEN,
	WRAP_SHM_OPEN,
	WRAP_CLOSE,
	WRAP_UNLINK,
	WRAP_SHM_UNLINK,
	WRAP_FCNTL,
	WRAP_STAT,
	WRAP_FSTAT,
	WRAP_PREAD,
	WRAP_PWRITE,
	WRAP_KILL,
	WRAP_POLL,
	WRAP_GETAUXVAL,
	WRAP_GETRANDOM,
	WRAP_SYSCALL,
	WRAP_TGKILL,
	WRAP_MUTEX_INIT,
	WRAP_MUTEX_TRYLOCK,
	WRAP_MUTEX_TIMEDLOCK,
	WRAP_ATTR_INIT,
	WRAP_ATTR_TYPE,
	WRAP_ATTR_SHARED,
	WRAP_ATTR_ROBUST,
	WRAP_SPIN_INIT,
	WRAP_NAP,
	WRAP_ATFORK,
	WRAPS
};

/* What the answer may depend on; 0 where the function has no such argument. */
struct wrap_call {
	enum wrap function;
	int fd;
	unsigned long command; /* of fcntl(), madvise(); flags of an open; the type of getauxval();
				* the number of a system call */
	void *argument;        /* the third of fcntl(); the status of stat() */
	const char *name;
};

struct wrap_answer {
	enum {
		WRAP_REAL,    /* that of the system */
		WRAP_HALF,    /* that of the system for half of the bytes of pread() or pwrite() */
		WRAP_INSTEAD, /* the system is not asked */
		WRAP_AFTER    /* the system is asked first, and its answer is dropped */
	} kind;
	intptr_t result;
	int error; /* the value for errno, or 0, which leaves it */
};

/* Each program of this folder has one. It is asked before main(), too: the library watches forks.
 */
struct wrap_answer wrap_answer(const struct wrap_call *call);

const char *wrap_name(enum wrap function);

#endif
