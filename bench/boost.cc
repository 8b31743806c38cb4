/* SPDX-License-Identifier: MIT */
/*
 * boost.cc - a module for compare: Boost.Interprocess, a managed buffer without a lock.
 *
 * Blocks come from the segment manager (red-black tree, best fit), as its users get theirs.
 */
#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <cstring>
#include <new>

extern "C" {
#include "allocator.h"
extern const struct allocator bench_allocator;
}

namespace ipc = boost::interprocess;
using buffer =
	ipc::basic_managed_external_buffer<char, ipc::rbtree_best_fit<ipc::null_mutex_family>,
					   ipc::iset_index>;

static void *buffer_open(const struct allocator *, void *region, size_t size)
{
	try {
		return new buffer(ipc::create_only, region, size);
	} catch (const std::exception &) {
		return nullptr;
	}
}

static void buffer_close(void *heap)
{
	delete static_cast<buffer *>(heap);
}

static void *buffer_alloc(void *heap, size_t size)
{
	return static_cast<buffer *>(heap)->allocate(size, std::nothrow);
}

static void *buffer_align(void *heap, size_t alignment, size_t size)
{
	return static_cast<buffer *>(heap)->allocate_aligned(size, alignment, std::nothrow);
}

static void buffer_release(void *heap, void *block)
{
	static_cast<buffer *>(heap)->deallocate(block);
}

/* In place when it can be done, else to a new block, as realloc(3) does. */
static void *buffer_resize(void *heap, void *block, size_t size)
{
	auto manager = static_cast<buffer *>(heap)->get_segment_manager();
	char *reuse = static_cast<char *>(block);
	size_t old_size = manager->size(block);
	size_t received = size;
	if (size < old_size) {
		manager->allocation_command<char>(ipc::try_shrink_in_place |
							  ipc::nothrow_allocation,
						  old_size, received, reuse);
		return block;
	}
	if (size == old_size)
		return block;
	char *moved = manager->allocation_command<char>(ipc::expand_fwd | ipc::allocate_new |
								ipc::nothrow_allocation,
							size, received, reuse);
	if (moved == nullptr || moved == block)
		return moved;
	std::memcpy(moved, block, old_size);
	manager->deallocate(block);
	return moved;
}

const struct allocator bench_allocator = {
	"Boost",
	true,
	0,
	0,
	nullptr,
	buffer_open,
	buffer_close,
	buffer_alloc,
	buffer_align,
	buffer_resize,
	buffer_release,
};
