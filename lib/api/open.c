/* SPDX-License-Identifier: MIT */
/*
 * open.c - bheap_open() and its kin: arguments, names, the open lock, and the reports afterwards.
 * Keeps: an opener holds the open lock, so that no process sees an incomplete heap.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "api/attach.h"
#include "api/create.h"
#include "handle/enter.h"
#include "os/file.h"

/* ---- opening ---- */

enum outcome { OPENED, FAILED, GONE };

/*
 * Of the open lock, which a process that may only read can keep for ever. The holder of the attach
 * lock stays unnamed: this process has the open lock then.
 */
static void holder_name(struct bh_attach_opening *opening)
{
	int pid = bh_file_open_lock_holder(opening->fd);

	if (pid > 0)
		snprintf(opening->reason, sizeof(opening->reason), "process %d has a lock on it",
			 pid);
	opening->why = pid > 0 ? opening->reason : "another process has a lock on it";
	errno = EBUSY;
}

/*
 * One try, under the open lock. GONE: the name was removed meanwhile, so this is no longer the file
 * it means.
 */
static enum outcome opening_try(struct bh_attach_opening *opening)
{
	bool named, opened = false;
	off_t file_size;

	if (bh_file_lock_open(opening->fd, opening->writable)) {
		if (errno == EBUSY)
			holder_name(opening);
		return FAILED;
	}
	if (opening->writable && bh_file_is_sole_opener(opening->fd, &opening->sole))
		return FAILED;
	file_size = bh_file_size(opening->fd, &named);
	if (file_size < 0 && errno == EPROTO)
		opening->why = "it is not a regular file";
	if (file_size >= 0 && !named && opening->named)
		return GONE;
	if (file_size >= 0)
		opened = bh_attach(opening, (uint64_t)file_size);
	/* A reader takes no attach lock: it neither locks nor recovers the heap. */
	if (opened && opening->writable && bh_file_lock_attach(opening->fd)) {
		if (errno == EBUSY)
			holder_name(opening);
		bh_attach_undo(opening);
		opened = false;
	}
	return opened ? OPENED : FAILED;
}

static void fault_report(const struct bh_fault_sink *sink, enum bheap_fault_kind kind,
			 const bheap_t *heap, const char *detail)
{
	struct bheap_fault fault;

	bh_fault_describe(&fault, kind, heap, NULL, 0, detail, NULL);
	bh_fault_report(sink, &fault);
}

/* With no lock held any more. */
static bheap_t *opening_report(const struct bh_attach_opening *opening)
{
	bheap_t *heap = opening->heap;
	const struct bh_fault_sink sink = {.aborts = opening->flags & BHEAP_ABORT};

	if (!heap && opening->why)
		fault_report(&sink, BHEAP_FAULT_BAD_FILE, NULL, opening->why);
	if (opening->recovered)
		fault_report(&sink, BHEAP_FAULT_RECOVERED, heap, "at its opening");
	if (opening->rebuilt)
		fault_report(&sink, BHEAP_FAULT_DAMAGED_INDEX, heap,
			     "found when it was opened; rebuilt, nothing is lost");
	return heap;
}

static void opening_fail(const struct bh_attach_opening *opening, const char *path)
{
	int saved = errno;

	/* The open lock is still held: a waiting opener finds the name gone and begins anew. */
	if (opening->created)
		bh_file_unlink_own(opening->fd, path);
	bh_file_close_unlocked(opening->fd);
	errno = saved;
}

static bool flags_are_good(unsigned flags)
{
	return !(flags & ~(unsigned)(BH_HEAD_FLAGS | BH_FLAGS_OF_HANDLE));
}

static bool oflag_is_good(int oflag, size_t size)
{
	int access = oflag & O_ACCMODE;

	if (oflag & ~(O_ACCMODE | O_CREAT | O_EXCL | O_CLOEXEC))
		return false;
	if (oflag & O_CREAT)
		return access == O_RDWR && size;
	return access == O_RDWR || access == O_RDONLY;
}

/* A failure at once leaves no heap and nothing to report. */
static void open_by_name(struct bh_attach_opening *opening, const char *path, int oflag,
			 mode_t mode)
{
	enum outcome outcome;
	struct bh_attach_opening first = *opening;

	first.named = true;
	do {
		*opening = first;
		opening->creates = oflag & O_CREAT;
		opening->writable = (oflag & O_ACCMODE) == O_RDWR;
		opening->fd = bh_file_open(path, oflag, mode, &opening->created);
		if (opening->fd < 0)
			return;
		outcome = opening_try(opening);
		if (outcome == GONE) {
			first.named = !bh_file_is_at(opening->fd, path);
			bh_file_close_unlocked(opening->fd);
		}
	} while (outcome == GONE);
	if (outcome == FAILED)
		opening_fail(opening, path);
	else
		bh_file_unlock_open(opening->fd);
}

static void open_by_descriptor(struct bh_attach_opening *opening, int fd)
{
	opening->creates = true;
	opening->fd = bh_file_reopen(fd, &opening->writable);
	if (opening->fd < 0)
		return;
	if (opening_try(opening) == OPENED)
		bh_file_unlock_open(opening->fd);
	else
		opening_fail(opening, NULL);
}

/*
 * The system calls are cancellation points: a thread must not end with the open lock held. A fault
 * handler, which may leave with longjmp(), is called when cancellation is again as it was.
 */
bheap_t *bheap_open(const char *path, size_t size, int oflag, mode_t mode, unsigned flags)
{
	struct bh_attach_opening opening = {.size = size, .flags = flags};
	int state;

	if (!path || size > BHEAP_SIZE_MAX || !flags_are_good(flags) ||
	    !oflag_is_good(oflag, size)) {
		errno = EINVAL;
		return NULL;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	open_by_name(&opening, path, oflag, mode);
	pthread_setcancelstate(state, NULL);
	return opening_report(&opening);
}

bheap_t *bheap_open_fd(int fd, size_t size, unsigned flags)
{
	struct bh_attach_opening opening = {.size = size, .flags = flags};
	int state;

	if (size > BHEAP_SIZE_MAX || !flags_are_good(flags)) {
		errno = EINVAL;
		return NULL;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	open_by_descriptor(&opening, fd);
	pthread_setcancelstate(state, NULL);
	return opening_report(&opening);
}

/* ---- while it is open ---- */

static bool is_shared(const bheap_t *heap)
{
	if (heap && heap->shared)
		return true;
	errno = EINVAL;
	return false;
}

int bheap_close(bheap_t *heap)
{
	return is_shared(heap) ? bh_destroy(heap) : -1;
}

int bheap_unlink(const char *path)
{
	if (path)
		return bh_file_unlink(path);
	errno = EINVAL;
	return -1;
}

int bheap_sync(bheap_t *heap)
{
	struct bh_call call;
	int result, state;

	if (!is_shared(heap))
		return -1;
	if (bh_enter_to_rest(&call, heap))
		bh_leave_at_rest(&call);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	result = bh_region_sync(&heap->region);
	pthread_setcancelstate(state, NULL);
	return result;
}
