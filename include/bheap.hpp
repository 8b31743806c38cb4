/* SPDX-License-Identifier: MIT */
/*
 * bheap.hpp - bounded heaps for C++17: a class that owns a heap, and a memory resource that lets
 *the containers of std::pmr live in one. All else is bheap.h, which this includes. (The namespace
 *is not named bheap, since that is the tag of bheap_t.) Such containers store addresses: in a
 *shared heap no other process can use them.
 *
 *	libbheap::resource budget(64 * 1024);
 *	std::pmr::vector<int> numbers(&budget);   // std::bad_alloc when it is spent
 */
#ifndef BHEAP_HPP
#define BHEAP_HPP

#if __cplusplus < 201703L
#error "bheap.hpp needs C++17 (-std=c++17); bheap.h serves C++11"
#endif

#include <cerrno>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <system_error>
#include <utility>

#include <bheap.h>

namespace libbheap
{

/* Destroys a heap and all its blocks; a shared heap is detached. */
struct deleter {
	void operator()(bheap_t *heap) const noexcept
	{
		bheap_destroy(heap);
	}
};

/* Owns a heap of any function: libbheap::heap cache(bheap_open(...)). */
using heap = std::unique_ptr<bheap_t, deleter>;

/* bheap_create(); throws std::bad_alloc (ENOMEM) or std::system_error (EINVAL). */
inline heap create(std::size_t size, unsigned flags = 0)
{
	heap made(bheap_create(size, flags));

	if (!made && errno == ENOMEM)
		throw std::bad_alloc();
	if (!made)
		throw std::system_error(errno, std::generic_category(), "bheap_create");
	return made;
}

/*
 * A heap as a memory resource: throws std::bad_alloc when it is spent; as safe for threads as the
 * heap. All memory ends with the heap, deallocated or not: an owning resource may be
 * destroyed with its containers abandoned, as std::pmr::monotonic_buffer_resource may.
 */
class resource : public std::pmr::memory_resource
{
      public:
	/* Owns a new private heap; throws as create(). */
	explicit resource(std::size_t size, unsigned flags = 0) : resource(create(size, flags))
	{
	}

	/* Takes a heap over; not an empty owner. */
	explicit resource(heap owned) noexcept : owned_(std::move(owned)), heap_(owned_.get())
	{
	}

	/* Borrows a heap, not null, that outlives the resource. */
	explicit resource(bheap_t *borrowed) noexcept : heap_(borrowed)
	{
	}

	resource(const resource &) = delete;
	resource &operator=(const resource &) = delete;

	/* For the functions of bheap.h. */
	bheap_t *get() const noexcept
	{
		return heap_;
	}

      private:
	void *do_allocate(std::size_t size, std::size_t alignment) override
	{
		void *block = alignment > BHEAP_ALIGNMENT
				      ? bheap_aligned_alloc(heap_, alignment, size)
				      : bheap_alloc(heap_, size);

		if (!block)
			throw std::bad_alloc();
		return block;
	}

	void do_deallocate(void *block, std::size_t, std::size_t) override
	{
		bheap_free(heap_, block); /* a wrong pointer is reported as a fault */
	}

	/* Resources of one heap are equal: either may free the blocks of the other. */
	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		const resource *same_kind = dynamic_cast<const resource *>(&other);

		return same_kind && same_kind->heap_ == heap_;
	}

	heap owned_;
	bheap_t *heap_;
};

} // namespace libbheap

#endif
