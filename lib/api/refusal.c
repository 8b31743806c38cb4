/* SPDX-License-Identifier: MIT */
/*
 * refusal.c - the refusal handler of a heap: called with no lock held, and as long as less is in
 * use after each call, or the limit is higher. A thread inside a handler calls none.
 */
#include "api/refusal.h"

#include <errno.h>

#include "api/cached.h"
#include "os/jump.h"

/*
 * Frame of the call that runs a handler in this thread, or NULL. Initial exec: memory that the
 * dynamic linker would have to allocate may be this library's to allocate.
 */
static __thread const char *handler_frame __attribute__((tls_model("initial-exec")));

/* What a handler can change, and the handler. */
struct room {
	uint64_t used;
	uint64_t limit;
	bheap_refusal_fn *handler;
	void *arg;
};

int bheap_set_refusal_handler(bheap_t *heap, bheap_refusal_fn *handler, void *arg)
{
	struct bh_call call;

	if (!bh_enter(&call, heap))
		return -1;
	__atomic_store_n(&heap->refusal_handler, handler, __ATOMIC_RELAXED);
	heap->refusal_arg = arg;
	bh_leave(&call);
	return 0;
}

static void room_read(const bheap_t *heap, struct room *room)
{
	uint64_t size = bh_core_size(&heap->core);

	room->used = heap->core.control->used;
	room->limit = bh_handle_limit(heap);
	if (!room->limit || room->limit > size)
		room->limit = size;
	room->handler = heap->refusal_handler;
	room->arg = heap->refusal_arg;
}

static bool room_look(bheap_t *heap, struct room *room)
{
	struct bh_call call;
	bool entered = bh_enter(&call, heap);

	if (entered) {
		if (!bh_handle_ahead(heap))
			bh_cached_settle(&call);
		room_read(heap, room);
		bh_leave(&call);
	}
	return entered;
}

/*
 * False if a handler that was not left lies above this frame. A handler that was left is known by
 * handler_left(), or where the C library does not tell, if it lies below.
 */
static bool handler_may_run(const char *frame)
{
	return frame >= handler_frame;
}

static void handler_left(void *arg)
{
	(void)arg;
	handler_frame = NULL;
}

static bool handler_run(const struct bheap_refusal *refusal, const struct room *room)
{
	struct bh_jump_watch watch;
	bool again;

	handler_frame = __builtin_frame_address(0);
	bh_jump_watch(&watch, handler_left, NULL);
	again = room->handler(refusal, room->arg);
	bh_jump_unwatch(&watch);
	handler_frame = NULL;
	return again;
}

static bool handler_ask(bheap_t *heap, struct bh_refusal_tries *tries,
			const struct bheap_refusal *refusal)
{
	struct room before, after;

	if (!room_look(heap, &before) || !before.handler || !handler_run(refusal, &before) ||
	    !room_look(heap, &after))
		return false;
	tries->last = after.used >= before.used && after.limit <= before.limit;
	return true;
}

BH_COLD
bool bh_refusal_retry(bheap_t *heap, struct bh_refusal_tries *tries, size_t alignment, size_t size)
{
	int error = errno;
	const struct bheap_refusal refusal = {heap, size, alignment, error};
	bool again;

	if ((error != ENOMEM && error != ENOSPC) || !bh_handle_has_refusal_handler(heap) ||
	    tries->last || size > bh_handle_size(heap) ||
	    !handler_may_run(__builtin_frame_address(0)))
		return false;
	again = handler_ask(heap, tries, &refusal);
	errno = again ? tries->before : error;
	return again;
}
