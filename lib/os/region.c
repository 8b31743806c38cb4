/* SPDX-License-Identifier: MIT */
/*
 * region.c - the system calls behind regions. Keeps: a region that could not be mapped completely
 * leaves nothing mapped.
 */
#include "os/region.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/assert.h"

size_t bh_region_page(void)
{
	return (size_t)getpagesize(); /* a load, where sysconf() is a hundred instructions */
}

int bh_region_map(struct bh_region *region, size_t front, size_t back)
{
	size_t page = bh_region_page(), size = front + page + back + page;
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int saved;

	BH_ASSERT(front % page == 0 && back % page == 0 && size > front && size > back);
	if (start == MAP_FAILED)
		return -1;
	if (mprotect(start + front, page, PROT_NONE) ||
	    mprotect(start + size - page, page, PROT_NONE)) {
		saved = errno;
		munmap(start, size);
		errno = saved;
		return -1;
	}
	*region = (struct bh_region){.start = start, .size = size, .fd = -1};
	return 0;
}

/* The kernel's choice, or the address asked for where that is free; NULL: no room. */
static char *room_look(char *start, size_t size)
{
	char *found =
		mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (found == MAP_FAILED)
		return NULL;
	munmap(found, size);
	return found;
}

/*
 * The system maps downwards from the stack, or upwards from a third of the address space: at three
 * quarters of such an address neither comes by.
 */
char *bh_region_find(size_t size, bool certain)
{
	size_t page = bh_region_page();
	char *other = room_look(NULL, size), *wanted;

	/* EAGAIN: what is mapped would be locked, and that is too much; the addresses are there. */
	if (!other && (!certain || errno == EAGAIN))
		other = room_look(NULL, size = page);
	if (!other)
		return NULL;
	wanted = (char *)(((uintptr_t)other - (uintptr_t)other / 4) & ~(uintptr_t)(page - 1));
	return room_look(wanted, size) == wanted ? wanted : other;
}

int bh_region_map_at(char *start, size_t size)
{
	char *found = mmap(start, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	BH_ASSERT(start && size && size % bh_region_page() == 0);
	if (found == start)
		return 0;
	if (found != MAP_FAILED)
		munmap(found, size);
	errno = ENOMEM;
	return -1;
}

int bh_region_unmap(struct bh_region *region)
{
	return region->start ? munmap(region->start, region->size) : 0;
}

void *bh_region_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	BH_ASSERT(size && size % bh_region_page() == 0);
	return pages == MAP_FAILED ? NULL : pages;
}

int bh_region_pages_free(void *pages, size_t size)
{
	return munmap(pages, size);
}

void *bh_region_wiped_page(void)
{
	size_t size = bh_region_page();
	void *page = bh_region_pages(size);

	if (page)
		madvise(page, size, MADV_WIPEONFORK);
	return page;
}

int bh_region_attach(struct bh_region *region, size_t size, bool read_only)
{
	int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	char *start = mmap(NULL, size, protection, MAP_SHARED, region->fd, 0);

	BH_ASSERT(size);
	if (start == MAP_FAILED)
		return -1;
	region->start = start;
	region->size = size;
	return 0;
}

int bh_region_reserve(int fd, size_t offset, size_t size)
{
	int error;

	do {
		error = posix_fallocate(fd, (off_t)offset, (off_t)size);
	} while (error == EINTR);
	if (error)
		errno = error;
	return error ? -1 : 0;
}

/* At once, a millisecond or less: a signal that comes meanwhile undoes it. */
#define RESERVED_AT_ONCE ((uint64_t)4 << 20)

static bool has_room_for(int fd, uint64_t offset, uint64_t size)
{
	int result;

	do {
		result = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
	} while (result && errno == EINTR);
	return !result || (errno != ENOSPC && errno != EDQUOT);
}

bool bh_region_reserve_if_can(int fd, uint64_t offset, uint64_t size)
{
	int saved = errno, state;
	bool room = true;

	BH_ASSERT(size);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	for (uint64_t part; size && room; offset += part, size -= part) {
		part = size < RESERVED_AT_ONCE ? size : RESERVED_AT_ONCE;
		room = has_room_for(fd, offset, part);
	}
	pthread_setcancelstate(state, NULL);
	errno = saved;
	return room;
}

int bh_region_resize(int fd, size_t size, bool preallocate)
{
	if (ftruncate(fd, (off_t)size))
		return -1;
	return preallocate ? bh_region_reserve(fd, 0, size) : 0;
}

int bh_region_sync(const struct bh_region *region)
{
	BH_ASSERT(region->start && region->fd >= 0);
	return msync(region->start, region->size, MS_SYNC);
}

int bh_region_protect(char *start, size_t size, bool accessible)
{
	return mprotect(start, size, accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

size_t bh_region_decommit(const struct bh_region *region, char *start, size_t size)
{
	uintptr_t page = bh_region_page();
	uintptr_t first = ((uintptr_t)start + page - 1) & ~(page - 1);
	uintptr_t last = ((uintptr_t)start + size) & ~(page - 1);

	if (!region->start || last <= first)
		return 0;
	BH_ASSERT(first >= (uintptr_t)region->start);
	BH_ASSERT(last <= (uintptr_t)region->start + region->size);
	/*
	 * A shared page is dropped from its file too, or the bytes would only leave this process.
	 */
	if (madvise((char *)first, last - first, region->fd < 0 ? MADV_DONTNEED : MADV_REMOVE))
		return 0;
	return last - first;
}
