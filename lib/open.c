/* SPDX-License-Identifier: MIT */
/*
 * open.c - heaps in files: made, attached to, detached from. Keeps: whoever opens holds the gate,
 * so that nobody sees a heap half made; a file that is merely wrong is refused before it is mapped,
 * or after its map was read; the first to attach after a death makes the heap whole.
 */
#include <errno.h>
#include <fcntl.h>

#include "api.h"
#include "check.h"
#include "file.h"
#include "shared.h"

#define FLAGS_OF_HEAP (BHEAP_GUARD | BHEAP_OWNED)
#define FLAGS_OF_HANDLE (BHEAP_ABORT | BHEAP_REALTIME)

/* One bheap_open() under way. */
struct opening {
	int fd;
	size_t size;          /* wanted; 0: whatever is there */
	unsigned flags;
	bool writable;
	bool named;           /* by path: the file must keep its name */
	bool created;         /* by us: removed again on failure */
	bool alone;           /* nobody else is attached */
	bool recovered;
	bool rebuilt;
	const char *why;      /* what is wrong with the file */
	bheap_t *heap;
};

static bool refuse(struct opening *opening, int error, const char *why)
{
	opening->why = why;
	errno = error;
	return false;
}

static struct bh_shared *head_of(const struct bh_region *region)
{
	return (struct bh_shared *)(void *)region->start;
}

static size_t handle_size(void)
{
	return bh_round_up(sizeof(bheap_t), bh_region_page());
}

/* ---- the handle ---- */

/* Maps the file and makes the handle that looks at it; on failure nothing is left. */
static bool handle_make(struct opening *opening, size_t size, unsigned heap_flags)
{
	struct bh_region region = {.fd = opening->fd};
	struct bh_layout layout;
	bheap_t *heap;

	if (!bh_layout_for_size(&layout, size, sizeof(struct bh_shared)))
		return refuse(opening, EINVAL, NULL);
	heap = bh_region_pages(handle_size());
	if (!heap)
		return false;
	if (bh_region_attach(&region, size, !opening->writable)) {
		int saved = errno;

		bh_region_pages_free(heap, handle_size());
		errno = saved;
		return false;
	}
	bh_heap_view(&heap->heap, region.start, &layout);
	heap->region = region;
	heap->shared = head_of(&region);
	heap->read_only = !opening->writable;
	bh_handle_init(heap, heap_flags | (opening->flags & FLAGS_OF_HANDLE),
		       opening->writable ? BH_LOCK_SHARED : BH_LOCK_NONE, &heap->shared->mutex);
	heap->annotated = false; /* the tools cannot know of blocks that other processes made */
	opening->heap = heap;
	return true;
}

static void handle_drop(struct opening *opening)
{
	bheap_t *heap = opening->heap;

	bh_region_unmap(&heap->region);
	bh_region_pages_free(heap, handle_size());
	opening->heap = NULL;
}

int bh_shared_detach(bheap_t *heap)
{
	struct bh_region region = heap->region;
	int result;

	bh_handle_end(heap);
	result = bh_region_pages_free(heap, handle_size());
	if (bh_region_unmap(&region) || bh_file_close(region.fd))
		result = -1;
	return result;
}

/* ---- a new heap ---- */

static bool head_write(const struct opening *opening, size_t size)
{
	const struct bh_shared head = {
		.magic = BH_SHARED_MAKING,
		.version = BH_SHARED_VERSION,
		.word_size = sizeof(void *),
		.granule_size = BH_GRANULE,
		.head_size = sizeof(head),
		.flags = opening->flags & FLAGS_OF_HEAP,
		.size = size,
	};

	return bh_file_write(opening->fd, &head, sizeof(head));
}

static bool heap_format(struct opening *opening)
{
	bheap_t *heap = opening->heap;
	struct bh_shared *head = heap->shared;
	int error = bh_lock_init_shared(&head->mutex);

	if (error) {
		handle_drop(opening);
		errno = error;
		return false;
	}
	head->key = heap->key;
	bh_heap_format(&heap->heap);
	bh_map_store(&head->magic, BH_SHARED_MAGIC); /* the last store: now it is a heap */
	return true;
}

/* What a maker that died left, or an empty file, becomes a heap. */
static bool heap_make(struct opening *opening, size_t size)
{
	int saved;

	if (!size || size > BHEAP_SIZE_MAX)
		return refuse(opening, EINVAL, NULL);
	size = bh_round_up(size, bh_region_page());
	if (bh_region_resize(opening->fd, 0, false) == 0 && head_write(opening, size) &&
	    bh_region_resize(opening->fd, size, opening->flags & BHEAP_PREALLOCATE) == 0 &&
	    handle_make(opening, size, opening->flags & FLAGS_OF_HEAP) && heap_format(opening))
		return true;
	saved = errno;
	bh_region_resize(opening->fd, 0, false);
	errno = saved;
	return false;
}

/* ---- a heap that is there ---- */

static bool head_verify(struct opening *opening, const struct bh_shared *head, size_t file_size)
{
	if (head->magic != BH_SHARED_MAGIC)
		return refuse(opening, EPROTO,
			      head->magic == BH_SHARED_MAKING ? "its making was not finished"
							      : "it is not a heap");
	if (head->version != BH_SHARED_VERSION || head->head_size != sizeof(*head) ||
	    head->flags & ~(unsigned)FLAGS_OF_HEAP)
		return refuse(opening, EPROTO, "its layout is of another version");
	if (head->word_size != sizeof(void *) || head->granule_size != BH_GRANULE)
		return refuse(opening, EPROTO, "its words or granules are of another size");
	if (file_size < head->size)
		return refuse(opening, EUCLEAN, "it was truncated");
	if (file_size > head->size || head->size % bh_region_page() ||
	    head->size > bh_round_up(BHEAP_SIZE_MAX, bh_region_page()))
		return refuse(opening, EUCLEAN, "its length is not the one it was made with");
	if ((opening->size && bh_round_up(opening->size, bh_region_page()) != head->size) ||
	    opening->flags & FLAGS_OF_HEAP & ~head->flags)
		return refuse(opening, EINVAL, NULL);
	return true;
}

/* The first to attach: what the last users left is made whole, and the mutex is as new. */
static bool heap_revive(struct opening *opening)
{
	bheap_t *heap = opening->heap;
	struct bh_finding finding;
	int error = bh_lock_init_shared(&heap->shared->mutex);

	if (error) {
		errno = error;
		return false;
	}
	if (heap->shared->inside) {
		bh_recover(heap);
		bh_shared_commit(heap);
		opening->recovered = true;
	} else if (!bh_check_derived(&heap->heap, &finding)) {
		bh_heap_rebuild(&heap->heap);
		opening->rebuilt = true;
	}
	return true;
}

static bool heap_attach(struct opening *opening, const struct bh_shared *head)
{
	struct bh_finding finding;
	bheap_t *heap;

	if (!handle_make(opening, head->size, head->flags))
		return false;
	heap = opening->heap;
	heap->key = head->key;
	if (opening->alone || !opening->writable) {
		/* With others at work the map is theirs to vouch for, and need not hold still. */
		if (!bh_check_map_unlocked(&heap->heap, &finding)) {
			refuse(opening, EUCLEAN, finding.detail);
			handle_drop(opening);
			errno = EUCLEAN;
			return false;
		}
	}
	if (opening->alone && !heap_revive(opening)) {
		int saved = errno;

		handle_drop(opening);
		errno = saved;
		return false;
	}
	return true;
}

/* ---- opening ---- */

/* With the gate held. */
static bool heap_find_or_make(struct opening *opening, size_t file_size)
{
	struct bh_shared head = {0};
	bool whole = bh_file_read(opening->fd, &head, sizeof(head));

	if (opening->alone && (!file_size || (file_size >= sizeof(head.magic) &&
					      head.magic == BH_SHARED_MAKING)))
		return heap_make(opening, opening->size ? opening->size : head.size);
	if (!whole)
		return refuse(opening, EPROTO, "it is too short for a heap");
	return head_verify(opening, &head, file_size) && heap_attach(opening, &head);
}

enum outcome { OPENED, FAILED, GONE };

/* Through the gate. GONE: the name was removed meanwhile, so this is no longer the file it means. */
static enum outcome opening_try(struct opening *opening)
{
	bool named, opened = false;
	off_t file_size;

	if (bh_file_gate_enter(opening->fd, opening->writable))
		return FAILED;
	opening->alone = opening->writable && bh_file_is_alone(opening->fd);
	file_size = bh_file_size(opening->fd, &named);
	if (file_size < 0 && errno == EPROTO)
		opening->why = "it is not a regular file";
	if (file_size >= 0 && !named && opening->named)
		return GONE;
	if (file_size >= 0)
		opened = heap_find_or_make(opening, (size_t)file_size);
	if (opened && bh_file_stay(opening->fd)) {
		handle_drop(opening);
		opened = false;
	}
	return opened ? OPENED : FAILED;
}

static void fault_report(const struct bh_fault_sink *sink, enum bheap_fault_kind kind,
			 const bheap_t *heap, const char *detail)
{
	struct bheap_fault fault;

	bh_fault_describe(&fault, kind, heap, NULL, 0, detail);
	bh_fault_report(sink, &fault);
}

/* With no lock held any more. */
static bheap_t *opening_report(const struct opening *opening)
{
	bheap_t *heap = opening->heap;
	const struct bh_fault_sink none = {.aborts = opening->flags & BHEAP_ABORT};

	if (!heap && opening->why)
		fault_report(&none, BHEAP_FAULT_BAD_FILE, NULL, opening->why);
	if (opening->recovered)
		fault_report(&heap->faults, BHEAP_FAULT_RECOVERED, heap, "found when it was opened");
	if (opening->rebuilt)
		fault_report(&heap->faults, BHEAP_FAULT_DAMAGED_INDEX, heap,
			     "found when it was opened; rebuilt, nothing is lost");
	return heap;
}

static void opening_fail(const struct opening *opening, const char *path)
{
	int saved = errno;

	/* Still behind the gate: whoever waits there finds the name gone and begins anew. */
	if (opening->created)
		bh_file_unlink(path);
	bh_file_close(opening->fd);
	errno = saved;
}

static bool flags_are_good(unsigned flags)
{
	return !(flags & ~(unsigned)(FLAGS_OF_HEAP | FLAGS_OF_HANDLE | BHEAP_PREALLOCATE));
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

bheap_t *bheap_open(const char *path, size_t size, int oflag, mode_t mode, unsigned flags)
{
	enum outcome outcome;
	struct opening opening;

	if (!path || size > BHEAP_SIZE_MAX || !flags_are_good(flags) ||
	    !oflag_is_good(oflag, size)) {
		errno = EINVAL;
		return NULL;
	}
	do {
		opening = (struct opening){.size = size, .flags = flags, .named = true};
		opening.writable = (oflag & O_ACCMODE) == O_RDWR;
		opening.fd = bh_file_open(path, oflag, mode, &opening.created);
		if (opening.fd < 0)
			return NULL;
		outcome = opening_try(&opening);
		if (outcome == GONE)
			bh_file_close(opening.fd);
	} while (outcome == GONE);
	if (outcome == FAILED)
		opening_fail(&opening, path);
	else
		bh_file_gate_leave(opening.fd);
	return opening_report(&opening);
}

bheap_t *bheap_open_fd(int fd, size_t size, unsigned flags)
{
	struct opening opening = {.size = size, .flags = flags};

	if (size > BHEAP_SIZE_MAX || !flags_are_good(flags)) {
		errno = EINVAL;
		return NULL;
	}
	opening.fd = bh_file_reopen(fd, &opening.writable);
	if (opening.fd < 0)
		return NULL;
	if (opening_try(&opening) == OPENED)
		bh_file_gate_leave(opening.fd);
	else
		opening_fail(&opening, NULL);
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
	return is_shared(heap) ? bh_end(heap) : -1;
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
	return is_shared(heap) ? bh_region_sync(&heap->region) : -1;
}
