/* SPDX-License-Identifier: MIT */
/*
 * region.h - memory from the system: the only room that maps, protects, decommits and syncs pages,
 * and that sets the length of files and reserves their storage. Refuses to know blocks; sets errno.
 */
#ifndef BH_REGION_H
#define BH_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bh_region {
	char *start; /* NULL: the memory is the caller's */
	size_t size;
	int fd; /* of a shared region, else -1 */
};

size_t bh_region_page(void);

/*
 * Zero pages, committed as they are touched: front bytes, an inaccessible page, back bytes, an
 * inaccessible page. front and back are multiples of the page.
 */
int bh_region_map(struct bh_region *region, size_t front, size_t back);
int bh_region_unmap(struct bh_region *region);

/*
 * An address at which as many bytes are free, away from where the system maps what has no address
 * of its own; nothing is mapped. NULL with ENOMEM if the address space has no room for them; not
 * certain: then it may only be tried.
 */
char *bh_region_find(size_t size, bool certain);

/* Zero pages at this address; -1 with errno if the address is taken, or the system refuses. */
int bh_region_map_at(char *start, size_t size);

/* One zero page or more, outside any region; size is a multiple of the page. */
void *bh_region_pages(size_t size);
int bh_region_pages_free(void *pages, size_t size);

/*
 * A zero page that is zero again in the child of a fork, where the kernel can do that; NULL where
 * there is no memory.
 */
void *bh_region_wiped_page(void);

/* Maps size bytes, not 0, of a file that is at least as long; takes over region->fd. */
int bh_region_attach(struct bh_region *region, size_t size, bool read_only);

/* Sets the length of a file; allocates its blocks if asked. */
int bh_region_resize(int fd, size_t size, bool preallocate);

/* Storage for a part of a file, so that writing to it cannot fail. */
int bh_region_reserve(int fd, size_t offset, size_t size);

/*
 * As bh_region_reserve(), and where the file system cannot do that, nothing: false only if there is
 * no room. Keeps errno; no cancellation point.
 */
bool bh_region_reserve_if_can(int fd, uint64_t offset, uint64_t size);

/* Writes the pages of a shared region to its file. */
int bh_region_sync(const struct bh_region *region);

/* Makes whole pages inaccessible, or accessible again. */
int bh_region_protect(char *start, size_t size, bool accessible);

/*
 * Decommits the whole pages of a range of the region; how many bytes. Private pages read as zero
 * afterwards.
 */
size_t bh_region_decommit(const struct bh_region *region, char *start, size_t size);

#endif
