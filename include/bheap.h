/* SPDX-License-Identifier: MIT */
/*
 * bheap.h - bounded heaps: allocators that live inside one memory region of a size you choose.
 *
 * Units: every size is in bytes. Every block starts at a multiple of BHEAP_ALIGNMENT and takes a
 * whole number of granules of that many bytes; there is no header before it.
 * Threads: every function may be called from several threads at once, on one heap or on many,
 * unless the heap was made with BHEAP_UNLOCKED. None that locks a heap is async-signal-safe.
 * Fork: the child's private heaps are copies, usable at once; shared heaps stay shared.
 * Time: allocate, free and resize take bounded time, for any number of blocks; bheap(7) names the
 * exceptions.
 * Errors: on failure -1 or NULL, or 0 or false from a function that returns a number of bytes or a
 * truth value, with errno set and the heap unharmed. Any function may fail with EINVAL (heap is
 * NULL), EDEADLK (inside a callback on this heap) and, if it changes the heap, EROFS (attached
 * read-only); below only further causes are named.
 */
#ifndef BHEAP_H
#define BHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BHEAP_VERSION_MAJOR 0
#define BHEAP_VERSION_MINOR 2
#define BHEAP_VERSION_PATCH 0
#define BHEAP_VERSION_STRING "0.2.0"
#define BHEAP_VERSION_NUMBER                                                                       \
	(BHEAP_VERSION_MAJOR * 10000 + BHEAP_VERSION_MINOR * 100 + BHEAP_VERSION_PATCH)

/* What every block is aligned to, and the smallest block: one granule. A power of two. */
#define BHEAP_ALIGNMENT 16
/* The largest heap; one of exactly this size has a few pages less for blocks. */
#if SIZE_MAX > 0xffffffff
#define BHEAP_SIZE_MAX UINT64_C(68719476736) /* 64 GiB */
#else
#define BHEAP_SIZE_MAX 2147418112u /* 2 GiB less 64 KiB: no object is larger than PTRDIFF_MAX */
#endif
/* The smallest buffer bheap_create_in() accepts. */
#define BHEAP_BUFFER_MIN 1024

#if defined(__GNUC__)
#define BHEAP_API __attribute__((__visibility__("default")))
#define BHEAP_ATTRIBUTES(...) __attribute__((__VA_ARGS__))
#else
#define BHEAP_API
#define BHEAP_ATTRIBUTES(...)
#endif

/*
 * No function has the plain malloc attribute: it says that nothing else leads to the memory of a
 * block, but a caller's buffer, a callback of bheap_walk() and another process do; compilers would
 * drop stores.
 */

/*
 * The parameters whose product is the size of a block, for _FORTIFY_SOURCE and warnings. clang 15
 * to 22 conclude that the block can be read for ever, and read it after bheap_destroy() has
 * unmapped it.
 */
#if defined(__clang__) && __clang_major__ >= 15 && __clang_major__ <= 22
#define BHEAP_SIZED_BY(...)
#else
#define BHEAP_SIZED_BY(...) BHEAP_ATTRIBUTES(__alloc_size__(__VA_ARGS__))
#endif

/*
 * Which parameter of which function takes back what this one returns: gcc warns of any other way,
 * and its analyzer of leaks. This form of the malloc attribute says nothing about other pointers.
 * Programs that throw heaps away whole add -Wno-analyzer-malloc-leak to -fanalyzer.
 */
#if defined(__GNUC__) && __GNUC__ >= 11 && !defined(__clang__)
#define BHEAP_FREED_BY(function, parameter) __attribute__((__malloc__(function, parameter)))
#else
#define BHEAP_FREED_BY(function, parameter)
#endif

/* A parameter that is an address only: gcc does not warn when nothing was stored there yet. */
#if defined(__GNUC__) && __GNUC__ >= 11 && !defined(__clang__)
#define BHEAP_NOT_READ(parameter) __attribute__((__access__(__none__, parameter)))
#else
#define BHEAP_NOT_READ(parameter)
#endif

/* ---- the classic heap: one for the whole program ------------------------------------------- */

/*
 * Maps the default heap: size bytes, rounded up to whole pages, all of them for blocks.
 * 0; or -1 with errno EINVAL (size 0 or above BHEAP_SIZE_MAX), ENOMEM, or EALREADY (a heap
 * exists: once per program). A call that failed may be repeated.
 */
BHEAP_API int init_heap(size_t size);

/*
 * A block of at least size bytes; NULL with errno EINVAL (size 0, or no heap yet) or ENOMEM. The
 * compiler is not told of bfree(): it would warn of the very calls that bfree() is there to refuse.
 */
BHEAP_API void *balloc(size_t size) BHEAP_SIZED_BY(1);

/*
 * Frees a block and merges it with its free neighbours at once. 0; or -1 with errno EINVAL, the
 * heap unharmed, for NULL and for whatever is not the start of a live block. Never dereferences
 * ptr.
 */
BHEAP_API int bfree(void *ptr);

/* Prints every block of the default heap, then the totals, to standard output, and flushes it. */
BHEAP_API void disp_heap(void);

/* ---- heaps ----------------------------------------------------------------------------------- */

typedef struct bheap bheap_t;

/*
 * Frees a block and merges it with its free neighbours, at once unless the heap has BHEAP_CACHED;
 * NULL: 0, nothing happens. -1 with errno EINVAL if ptr is not a live block, which is then never
 * dereferenced. (Declared first, since attributes below name it.)
 */
BHEAP_API int bheap_free(bheap_t *heap, void *ptr);

enum bheap_flags {
	BHEAP_UNLOCKED = 1u << 0, /* no lock: the caller ensures one thread at a time */
	BHEAP_GUARD = 1u << 1, /* a canary after every block; freed memory filled; both checked */
	BHEAP_ABORT = 1u << 2, /* a fault aborts the program after it was reported */
	BHEAP_REALTIME = 1u << 3,    /* no search of a whole size class before ENOMEM */
	BHEAP_OWNED = 1u << 4,       /* shared heaps: blocks remember the process that made them */
	BHEAP_PREALLOCATE = 1u << 5, /* shared heaps: reserve the disk or memory blocks up front */
	BHEAP_CACHED = 1u << 6, /* private heaps: each thread keeps small freed blocks for itself */
};

/*
 * Destroys a heap and all its blocks; a buffer is the caller's again; a shared heap is detached,
 * its content remains. 0; or -1 with errno EINVAL for the default heap.
 */
BHEAP_API int bheap_destroy(bheap_t *heap);

/*
 * A private heap in a mapping of its own: size bytes for blocks, rounded up to whole pages,
 * between inaccessible pages. NULL with errno EINVAL (size 0 or too large, unknown flags) or
 * ENOMEM.
 */
BHEAP_API bheap_t *bheap_create(size_t size, unsigned flags)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_FREED_BY(bheap_destroy, 1);

/*
 * A heap in the caller's memory, bookkeeping included; makes no system call. The buffer may have
 * any alignment and must outlive the heap. NULL with errno EINVAL (NULL, below BHEAP_BUFFER_MIN,
 * too large, unknown flags).
 */
BHEAP_API bheap_t *bheap_create_in(void *buffer, size_t size, unsigned flags)
	BHEAP_ATTRIBUTES(__warn_unused_result__);

/*
 * The bytes that a buffer must have at least, whatever its alignment, for a heap of
 * bheap_create_in() with these flags in which a first block of size bytes finds room. 0 with errno
 * EINVAL (flags that bheap_create_in() refuses) or ENOMEM (larger than any heap).
 */
BHEAP_API size_t bheap_buffer_size(size_t size, unsigned flags);

/* The handle of the default heap, NULL before init_heap(). */
BHEAP_API bheap_t *bheap_default(void);

/* ---- blocks ---------------------------------------------------------------------------------- */

/*
 * A block of at least size bytes, aligned to BHEAP_ALIGNMENT; size 0 gives a block of one granule,
 * as malloc(0) does. NULL with errno ENOMEM (no room), ENOSPC (shared heaps: none on the disk),
 * EINVAL (heap NULL), EROFS (attached read-only).
 */
BHEAP_API void *bheap_alloc(bheap_t *heap, size_t size) BHEAP_ATTRIBUTES(__warn_unused_result__)
	BHEAP_SIZED_BY(2) BHEAP_FREED_BY(bheap_free, 2);

/*
 * A block for an array of count elements of size bytes, all zero; ENOMEM if the product overflows.
 */
BHEAP_API void *bheap_calloc(bheap_t *heap, size_t count, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_SIZED_BY(2, 3) BHEAP_FREED_BY(bheap_free, 2);

/*
 * Makes a block larger or smaller, in place whenever the neighbours allow. ptr NULL: as
 * bheap_alloc(). size 0: shrinks to one granule of no known content, frees nothing. NULL with errno
 * ENOMEM, ENOSPC or EINVAL (not a live block): the block is as it was.
 */
BHEAP_API void *bheap_realloc(bheap_t *heap, void *ptr, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_SIZED_BY(3) BHEAP_FREED_BY(bheap_free, 2);

/*
 * bheap_realloc() to an array of count elements of size bytes; ENOMEM if the product overflows.
 */
BHEAP_API void *bheap_reallocarray(bheap_t *heap, void *ptr, size_t count, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_SIZED_BY(3, 4) BHEAP_FREED_BY(bheap_free, 2);

/*
 * A block aligned to a power of two of any size; EINVAL for an alignment that is no power of two.
 */
BHEAP_API void *bheap_aligned_alloc(bheap_t *heap, size_t alignment, size_t size)
	BHEAP_ATTRIBUTES(__alloc_align__(2), __warn_unused_result__) BHEAP_SIZED_BY(3)
		BHEAP_FREED_BY(bheap_free, 2);

/*
 * bheap_realloc() with a result aligned to a power of two of any size, as bheap_aligned_alloc()
 * aligns: in place where the block is aligned and its neighbours allow. NULL with errno as
 * bheap_realloc(), and EINVAL for an alignment that is no power of two: the block is as it was.
 */
BHEAP_API void *bheap_aligned_realloc(bheap_t *heap, void *ptr, size_t alignment, size_t size)
	BHEAP_ATTRIBUTES(__alloc_align__(3), __warn_unused_result__) BHEAP_SIZED_BY(4)
		BHEAP_FREED_BY(bheap_free, 2);

/*
 * A block with a copy of a string; bheap_strndup(): of the first size bytes of one that is longer,
 * and '\0'. NULL with errno as bheap_alloc(), and EINVAL (string NULL).
 */
BHEAP_API char *bheap_strdup(bheap_t *heap, const char *string)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_FREED_BY(bheap_free, 2);
BHEAP_API char *bheap_strndup(bheap_t *heap, const char *string, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_FREED_BY(bheap_free, 2);

/*
 * Makes a block larger or smaller where it is, in bounded time, or fails: 0, or -1 with errno
 * ENOMEM (the memory after it is not free, or too little), ENOSPC (the disk is full) or EINVAL
 * (size 0, not a live block), and the block is as it was. Compilers go on to take the block for as
 * large as it was when ptr was returned: bheap_resize(3) tells how to use what was added.
 */
BHEAP_API int bheap_resize(bheap_t *heap, void *ptr, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__);

/*
 * How large a live block may be resized in place, without fail: the bytes beyond those asked for
 * may be used after bheap_realloc() to that size, not before. 0 with errno EINVAL for anything
 * else.
 */
BHEAP_API size_t bheap_usable_size(const bheap_t *heap, const void *ptr);

/*
 * Limits the bytes in use, of all processes where the heap is shared: a request that would take
 * bheap_stats' used above limit is refused with ENOMEM. A limit below what is in use takes nothing
 * away; 0 ends it. 0; or -1 with errno.
 */
BHEAP_API int bheap_set_limit(bheap_t *heap, size_t limit);

/* The limit, 0 if there is none (or, with errno EINVAL, no heap). Takes no lock. */
BHEAP_API size_t bheap_limit(const bheap_t *heap);

/* True if ptr is the start of a live block of this heap. Never dereferences ptr. */
BHEAP_API bool bheap_owns(const bheap_t *heap, const void *ptr) BHEAP_NOT_READ(2);

/* ---- looking at a heap ----------------------------------------------------------------------- */

struct bheap_stats {
	size_t size;              /* bytes for blocks */
	size_t used;              /* bytes in live blocks, rounded up to granules */
	size_t free;              /* size - used */
	size_t largest_free;      /* the largest free block: what one bheap_alloc() could get */
	size_t live_blocks;       /* allocated blocks */
	size_t free_blocks;       /* free blocks; no two are neighbours */
	size_t peak_used;         /* the largest value of used so far */
	uint64_t allocations;     /* blocks handed out */
	uint64_t frees;           /* blocks taken back */
	uint64_t failures;        /* requests refused for lack of room */
	uint64_t faults;          /* misuse and damage reported */
	uint64_t rebuilds;        /* times the index was rebuilt from the block map */
	uint64_t recoveries;      /* rebuilds after a death, or a fork, inside an operation */
	double fragmentation;     /* 1 - largest_free / free, 0 when nothing is free */
	uint64_t limit;           /* bytes that may be in use, 0 for all: bheap_set_limit() */
	uint64_t largest_refused; /* request, rounded up to granules, that there was no room for */
	uint64_t last_refused;    /* the latest of these, */
	uint64_t used_at_refusal; /* and the bytes in use when it was refused */
	uint64_t reserved[4];     /* zero; room for later versions */
};

/* To C++ the name of this function hides that of the structure, which -Wshadow warns of. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/* Fills in stats; takes time in proportion to the blocks. 0; or -1 with errno EINVAL (NULL). */
BHEAP_API int bheap_stats(const bheap_t *heap, struct bheap_stats *stats);

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/*
 * The bytes in use, as bheap_stats' used, in a time that does not depend on the live blocks. 0 with
 * errno EINVAL if heap is NULL.
 */
BHEAP_API size_t bheap_used(const bheap_t *heap);

struct bheap_block {
	const void *address; /* first byte */
	size_t size;         /* bytes the block takes, with what guards and owners add */
	size_t usable;       /* as bheap_usable_size() says; 0 for a free block */
	bool used;           /* allocated, or free */
	bool previous_used;  /* the same of the block before; true for the first */
	pid_t owner;         /* with BHEAP_OWNED the process that allocated it, else 0 */
};

/*
 * Called for each block in address order, the heap locked; not 0 ends the walk. It must not change
 * the heap.
 */
typedef int bheap_walk_fn(const struct bheap_block *block, void *arg);

/* Calls callback for every block. 0, or its result if not 0; -1 with errno EINVAL (NULL). */
BHEAP_API int bheap_walk(const bheap_t *heap, bheap_walk_fn *callback, void *arg);

/*
 * Prints every block and the totals, as disp_heap() does. 0; or -1 with errno EINVAL or of stdio.
 */
BHEAP_API int bheap_display(const bheap_t *heap, FILE *stream);

/*
 * Returns the whole pages inside free blocks to the system. The number of bytes; 0 for a caller's
 * buffer.
 */
BHEAP_API size_t bheap_trim(bheap_t *heap);

/*
 * Frees all blocks at once, in time that does not depend on their number, unless guards or tools
 * look at each; the root is no more, the statistics of the past, the limit and the handlers stay. A
 * heap that processes share only where no other is attached, and none was forked since it was
 * opened: else EBUSY. 0, or -1 with errno.
 */
BHEAP_API int bheap_reset(bheap_t *heap);

/* ---- faults ---------------------------------------------------------------------------------- */

enum bheap_fault_kind {
	BHEAP_FAULT_NONE,
	BHEAP_FAULT_NOT_A_BLOCK,   /* free or resize of a pointer outside the heap, misaligned or
				      interior */
	BHEAP_FAULT_DOUBLE_FREE,   /* free or resize of a pointer into a free block */
	BHEAP_FAULT_OVERFLOW,      /* BHEAP_GUARD or BHEAP_OWNED: bytes after a block overwritten */
	BHEAP_FAULT_DAMAGED_INDEX, /* a free block was written to; the index was rebuilt, nothing is
				      lost */
	BHEAP_FAULT_DAMAGED_MAP, /* the block map is not a tiling: the memory was scribbled over */
	BHEAP_FAULT_COUNT,       /* a counter disagrees with the map */
	BHEAP_FAULT_RECOVERED,   /* death or fork cut an operation off; the heap was rebuilt */
	BHEAP_FAULT_BAD_FILE, /* bheap_open(): not a heap, truncated, of another version, damaged;
				 bheap_check(): its head or lock was written over */
	BHEAP_FAULT_WRITTEN_FREE, /* BHEAP_GUARD, BHEAP_CACHED: freed memory was written to */
};

struct bheap_fault {
	enum bheap_fault_kind kind;
	const bheap_t *heap; /* NULL: a file is no heap */
	const void *address; /* the pointer or block concerned, or NULL */
	size_t size;         /* of the block it lies in, free ones merged; or 0 */
	char text[160];      /* one line, without newline */
};

/* Reports are made with no lock held: the handler may call any function of the library. */
typedef void bheap_fault_fn(const struct bheap_fault *fault, void *arg);

/*
 * Sets the function called for faults of one heap in this process; heap NULL: of all heaps without
 * a handler of their own. handler NULL: the default again, one line to standard error. A program
 * with BHEAP_ABORT=1 in its environment, or a heap with that flag, aborts after the report. 0; or
 * -1 with errno.
 */
BHEAP_API int bheap_set_fault_handler(bheap_t *heap, bheap_fault_fn *handler, void *arg);

struct bheap_refusal {
	bheap_t *heap;
	size_t size;      /* of the request */
	size_t alignment; /* of the block, BHEAP_ALIGNMENT at least */
	int error;        /* ENOMEM or ENOSPC: what the function will fail with */
};

/* True: try again, after it made room; false: refuse. Called with no lock held. */
typedef bool bheap_refusal_fn(const struct bheap_refusal *refusal, void *arg);

/*
 * Sets the function called before this process is refused a block of a heap for want of room, on
 * the disk, too, or by the limit; NULL: none. It is called again for a request as long as it
 * returns true and less is in use than before, or the limit is higher; else the request is tried
 * once more. Requests that it makes itself are refused without a call, and so are those larger than
 * the heap; bheap_resize() makes no call. 0; or -1 with errno.
 */
BHEAP_API int bheap_set_refusal_handler(bheap_t *heap, bheap_refusal_fn *handler, void *arg);

/*
 * Checks every invariant, reading only and trusting nothing (after a recovery, where one is due).
 * 0; or -1 with errno EUCLEAN and the first broken one in *fault (which may be NULL); or EBUSY if
 * another process keeps a shared heap's lock for 5 seconds. Takes time in proportion to the heap.
 */
BHEAP_API int bheap_check(const bheap_t *heap, struct bheap_fault *fault);

/* ---- heaps that processes share -------------------------------------------------------------- */

/*
 * Detaches: the handle must not be used any more, the heap remains. 0; or -1 with errno EINVAL for
 * a heap that is not shared.
 */
BHEAP_API int bheap_close(bheap_t *heap);

/*
 * Attaches to the heap in a file, and creates it first if there is none and oflag has O_CREAT. A
 * path with one slash, at its start ("/name"), is a POSIX shared memory name; any other is a file.
 * oflag: O_RDWR or O_RDONLY; O_CREAT, O_EXCL and O_CLOEXEC may be added, others are refused. size:
 * bytes of the file, 0 to accept any. NULL with errno of open(2), EINVAL (arguments, size
 * mismatch), EUCLEAN (damaged), EPROTO (not a heap, or of another layout), ENOSPC, EBUSY (in use in
 * another PID namespace, or locked by another process for half a minute). The fault handler is told
 * what is wrong with the file.
 */
BHEAP_API bheap_t *bheap_open(const char *path, size_t size, int oflag, mode_t mode, unsigned flags)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_FREED_BY(bheap_close, 1)
		BHEAP_FREED_BY(bheap_destroy, 1);

/*
 * bheap_open() for an open file descriptor (memfd_create(2)), which remains the caller's; in an
 * empty file a heap is created.
 */
BHEAP_API bheap_t *bheap_open_fd(int fd, size_t size, unsigned flags)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_FREED_BY(bheap_close, 1)
		BHEAP_FREED_BY(bheap_destroy, 1);

/* Removes the name; processes attached keep the heap until they detach. 0; or -1 with errno. */
BHEAP_API int bheap_unlink(const char *path);

/* Flushes the heap's file to disk, as msync(MS_SYNC) does. 0; or -1 with errno. */
BHEAP_API int bheap_sync(bheap_t *heap);

/*
 * A reference that means the same in every process: 0 for NULL and for addresses outside the heap.
 * The address of a reference: NULL for 0 and for one outside the heap. Neither sets errno, with a
 * heap that is NULL either.
 */
BHEAP_API uint64_t bheap_offset(const bheap_t *heap, const void *ptr) BHEAP_NOT_READ(2);
BHEAP_API void *bheap_pointer(const bheap_t *heap, uint64_t offset);

/* One reference that the heap keeps: the start of the data. NULL if none is set. */
BHEAP_API int bheap_set_root(bheap_t *heap, const void *ptr);
BHEAP_API void *bheap_root(const bheap_t *heap);

/*
 * The root; where none is set, a block of size bytes, all zero, that becomes the root in this call:
 * of many callers one makes it, and after a crash it is either the root or free. NULL with errno as
 * bheap_alloc().
 */
BHEAP_API void *bheap_root_alloc(bheap_t *heap, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__);

/*
 * Allocates and stores the block's offset (bheap_offset()) in *slot, a word inside a live block of
 * this heap; after a crash the block is either in the slot or free. NULL with errno as
 * bheap_alloc(), EINVAL for a slot elsewhere.
 */
BHEAP_API void *bheap_alloc_into(bheap_t *heap, uint64_t *slot, size_t size)
	BHEAP_ATTRIBUTES(__warn_unused_result__) BHEAP_SIZED_BY(3);

/*
 * Frees the block in *slot and makes the slot 0; after a crash it is either still in the slot or
 * free. A slot that is 0: 0, nothing happens. -1 with errno as bheap_free(), and EINVAL for a slot
 * elsewhere.
 */
BHEAP_API int bheap_free_from(bheap_t *heap, uint64_t *slot);

/*
 * Frees the blocks of processes that are dead (BHEAP_OWNED), except the one that the root leads
 * into. The number of blocks, or -1 with errno ENOTSUP.
 */
BHEAP_API ssize_t bheap_reclaim(bheap_t *heap);

/* ---- the library ----------------------------------------------------------------------------- */

/* The version of the library in use, such as "0.2.0". */
BHEAP_API const char *bheap_version(void);

#ifdef __cplusplus
}
#endif

#endif
