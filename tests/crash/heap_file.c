/* SPDX-License-Identifier: MIT */
/*
 * heap_file.c - a memory file for most operations; for those that make a heap by name a shared
 * memory object, which comes and goes with its name.
 */
#include "heap_file.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle/intent.h"
#include "handle/shared.h"

struct heap_file heap_file;

static struct expect expect_before;
static unsigned char before[EXPECT_SIZE], last[EXPECT_SIZE];
static size_t size_before, size_last;

/* The file as it is now; NULL while it is empty or not there. */
static unsigned char *memory;
static size_t size;

static void *memory_map(size_t length, int fd)
{
	void *start = mmap(NULL, length, PROT_READ | PROT_WRITE,
			   fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (start == MAP_FAILED)
		err(1, "mmap");
	return start;
}

void heap_file_make(void)
{
	heap_file.fd = memfd_create("killpoints", MFD_CLOEXEC);
	if (heap_file.fd < 0)
		err(1, "memfd_create");
	heap_file.expect = memory_map(sizeof(*heap_file.expect), -1);
}

static void view_of(int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		err(1, "fstat");
	if (memory)
		munmap(memory, size);
	size = (size_t)status.st_size;
	memory = size ? memory_map(size, fd) : NULL;
}

void heap_file_look(bool by_name)
{
	int fd = by_name ? shm_open(heap_file.expect->name, O_RDWR, 0) : heap_file.fd;

	if (fd >= 0)
		view_of(fd);
	if (by_name && fd >= 0)
		close(fd);
}

static void file_resize(size_t length)
{
	if (ftruncate(heap_file.fd, (off_t)length))
		err(1, "ftruncate");
	view_of(heap_file.fd);
}

void heap_file_set(const struct operation *operation, unsigned flags)
{
	struct bheap_stats stats = {0};
	bheap_t *heap = NULL;

	expect_clear(heap_file.expect, flags);
	heap_file.expect->fd = heap_file.fd;
	snprintf(heap_file.expect->name, sizeof(heap_file.expect->name), "/bheap-crash-%d",
		 (int)getpid());
	file_resize(0);
	if (!(operation->traits & MAKES)) {
		heap = bheap_open_fd(heap_file.fd, EXPECT_SIZE, flags);
		if (!heap)
			err(1, "bheap_open_fd");
	}
	operation->prepare(heap_file.expect, heap);
	if (heap && (bheap_stats(heap, &stats) || bheap_close(heap)))
		err(1, "the expect");
	heap_file.expect->recoveries = stats.recoveries;
	heap_file_look(false);
	heap_file_keep();
}

void heap_file_keep(void)
{
	expect_before = *heap_file.expect;
	expect_before.phase = BEFORE;
	size_before = size;
	if (size)
		memcpy(before, memory, size);
}

void heap_file_reset(void)
{
	*heap_file.expect = expect_before;
	if (shm_unlink(heap_file.expect->name) && errno != ENOENT)
		err(1, "shm_unlink");
	/* An empty file is made so: what was in it must not come back. */
	if (!size_before || size != size_before)
		file_resize(0);
	if (size != size_before)
		file_resize(size_before);
	if (size)
		memcpy(memory, before, size);
	size_last = ~(size_t)0;
	heap_file_changed();
}

bool heap_file_changed(void)
{
	if (size == size_last && (!size || memcmp(last, memory, size) == 0))
		return false;
	size_last = size;
	if (size)
		memcpy(last, memory, size);
	return true;
}

static unsigned lock_word(void)
{
	const struct bh_shared *head = (const void *)memory;

	return head ? *(const volatile unsigned *)&head->mutex : 0;
}

bool heap_file_is_locked(void)
{
	return lock_word() & FUTEX_TID_MASK;
}

bool heap_file_is_awaited(void)
{
	return lock_word() & FUTEX_WAITERS;
}

bool heap_file_is_orphaned(void)
{
	return lock_word() & FUTEX_OWNER_DIED;
}
