/* SPDX-License-Identifier: MIT */
/*
 * bheap.hpp - bounded heaps for C++17 and later: an owner of heaps, allocators and a memory
 * resource for containers, a deleter for std::unique_ptr. All else is bheap.h, which this includes.
 * The page bheap.hpp(3) has examples. (The namespace is not named bheap, the tag of bheap_t.)
 *
 *	libbheap::heap heap = libbheap::create(64 * 1024);
 *	std::vector<int, libbheap::allocator<int>> numbers(heap.get()); // std::bad_alloc when spent
 *
 * Containers that several processes use need shared_allocator, whose pointers are offsets. Those of
 * resource (std::pmr) and of allocator store addresses, which mean nothing in another process.
 *
 * Works with -fno-rtti and -fno-exceptions. Where a function would throw, a file compiled without
 * exceptions prints the reason and aborts. Compile all files of a program alike: of an inline
 * function the linker keeps one copy.
 */
#ifndef BHEAP_HPP
#define BHEAP_HPP

#if __cplusplus < 201703L
#error "bheap.hpp needs C++17 (-std=c++17); bheap.h serves C++11"
#endif

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>
#if __has_include(<memory_resource>)
#include <memory_resource>
#endif
#if defined(__cpp_impl_three_way_comparison) && __has_include(<compare>)
#include <compare>
#endif

#include <bheap.h>

/* One copy of each variable below in a program, also where its libraries hide their symbols. */
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

namespace libbheap
{

/* ---- failures ------------------------------------------------------------------------------ */

namespace detail
{

[[noreturn]] inline void abort_with(const char *reason) noexcept
{
	std::fprintf(stderr, "libbheap: %s\n", reason);
	std::abort();
}

/* Throws Exception(arguments...), or aborts where nothing can be thrown. */
#ifdef __cpp_exceptions
template <typename Exception, typename... Arguments>
[[noreturn]] void fail(const char *, Arguments &&...arguments)
{
	throw Exception(std::forward<Arguments>(arguments)...);
}
#else
template <typename Exception, typename... Arguments>
[[noreturn]] void fail(const char *reason, Arguments &&...) noexcept
{
	abort_with(reason);
}
#endif

/* The address, a number or a pointer, of which the compiler forgets where it is from. */
template <typename Address> Address hidden(Address address) noexcept
{
#ifdef __GNUC__
	__asm__("" : "+r"(address));
#endif
	return address;
}

/*
 * A block; std::bad_alloc if there is none. Hidden, since gcc 16 warns of ways to free it that the
 * code of the standard library has, and does not take here (-Wmismatched-new-delete).
 */
inline void *allocate(bheap_t *in, std::size_t size, std::size_t alignment)
{
	void *block = alignment > BHEAP_ALIGNMENT ? bheap_aligned_alloc(in, alignment, size)
						  : bheap_alloc(in, size);

	if (!block)
		fail<std::bad_alloc>("std::bad_alloc: a heap refused a block");
	return hidden(block);
}

/* A block for an array; std::bad_array_new_length if the number of its bytes overflows. */
template <typename T> void *allocate_array(bheap_t *in, std::size_t count)
{
	if (count > SIZE_MAX / sizeof(T))
		fail<std::bad_array_new_length>("std::bad_array_new_length: an array is too long");
	return allocate(in, count * sizeof(T), alignof(T));
}

/* An allocator without a heap: not to be called, only to be named. */
template <typename T> constexpr bool has_heap = !std::is_same_v<T, T>;

/* A block that is freed unless it was taken: its constructor may throw. */
class block
{
      public:
	block(bheap_t *in, void *start) noexcept : heap_(in), start_(start)
	{
	}

	block(const block &) = delete;
	block &operator=(const block &) = delete;

	~block()
	{
		bheap_free(heap_, start_);
	}

	void *start() const noexcept
	{
		return start_;
	}

	void take() noexcept
	{
		start_ = nullptr;
	}

      private:
	bheap_t *heap_;
	void *start_;
};

} // namespace detail

/* ---- heaps --------------------------------------------------------------------------------- */

/* Destroys a heap and all its blocks; a shared heap is detached. */
struct heap_deleter {
	void operator()(bheap_t *owned) const noexcept
	{
		bheap_destroy(owned);
	}
};

/* Owns a heap of any function: libbheap::heap cache(bheap_open(...)). */
using heap = std::unique_ptr<bheap_t, heap_deleter>;

/* bheap_create(); throws std::bad_alloc (ENOMEM) or std::system_error (EINVAL). */
inline heap create(std::size_t size, unsigned flags = 0)
{
	heap made(bheap_create(size, flags));

	if (!made && errno == ENOMEM)
		detail::fail<std::bad_alloc>("std::bad_alloc: no memory for a heap");
	if (!made)
		detail::fail<std::system_error>("bheap_create: wrong size or flags", errno,
						std::generic_category(), "bheap_create");
	return made;
}

/* ---- containers and objects in a heap of this process -------------------------------------- */

/*
 * The allocator of a container in a heap, which is not null and outlives the container:
 *
 *	std::map<int, int, std::less<int>, libbheap::allocator<std::pair<const int, int>>>
 * map(heap);
 *
 * Throws std::bad_alloc when the heap is spent; as safe for threads as the heap. Assignment leaves
 * a container in its heap, so that none outlives its heap or spends another budget unseen: between
 * heaps it copies or moves the elements. Exchanging containers exchanges their heaps, in constant
 * time. A copy of a container lies in the heap of the original. In a shared heap such a container
 * is for this process alone.
 */
template <typename T> class allocator
{
      public:
	using value_type = T;
	using propagate_on_container_copy_assignment = std::false_type;
	using propagate_on_container_move_assignment = std::false_type;
	using propagate_on_container_swap = std::true_type;
	using is_always_equal = std::false_type;

	allocator(bheap_t *in) noexcept : heap_(in)
	{
	}

	/* Declared, since the strings of libstdc++ 16 do not compile without it in clang (C++20).
	 */
	allocator() noexcept : heap_(nullptr)
	{
		static_assert(detail::has_heap<T>,
			      "a container is constructed with its heap: std::vector<int, "
			      "libbheap::allocator<int>> numbers(heap)");
	}

	template <typename Other>
	allocator(const allocator<Other> &other) noexcept : heap_(other.get())
	{
	}

	[[nodiscard]] T *allocate(std::size_t count)
	{
		return static_cast<T *>(detail::allocate_array<T>(heap_, count));
	}

	/* A wrong pointer is reported as a fault. */
	void deallocate(T *start, std::size_t) noexcept
	{
		bheap_free(heap_, start);
	}

	/* For the functions of bheap.h. */
	bheap_t *get() const noexcept
	{
		return heap_;
	}

      private:
	bheap_t *heap_;
};

/* Equal allocators free each other's blocks: those of one handle. */
template <typename T, typename Other>
bool operator==(const allocator<T> &left, const allocator<Other> &right) noexcept
{
	return left.get() == right.get();
}

template <typename T, typename Other>
bool operator!=(const allocator<T> &left, const allocator<Other> &right) noexcept
{
	return !(left == right);
}

/*
 * Destroys an object that is a block of a heap, and frees the block. A pointer to a base class with
 * a virtual destructor will do.
 */
template <typename T> class deleter
{
      public:
	explicit deleter(bheap_t *in = nullptr) noexcept : heap_(in)
	{
	}

	template <typename Derived,
		  std::enable_if_t<
			  std::is_convertible_v<Derived *, T *> &&
				  (std::is_same_v<std::remove_cv_t<Derived>, std::remove_cv_t<T>> ||
				   std::has_virtual_destructor_v<T>),
			  int> = 0>
	deleter(const deleter<Derived> &other) noexcept : heap_(other.get())
	{
	}

	void operator()(T *object) const noexcept
	{
		const volatile void *start = object;

		/* The block starts where the object of the derived class does. */
		if constexpr (std::is_polymorphic_v<T>)
			start = dynamic_cast<const volatile void *>(object);
		object->~T();
		bheap_free(heap_, const_cast<void *>(start));
	}

	bheap_t *get() const noexcept
	{
		return heap_;
	}

      private:
	bheap_t *heap_;
};

/* The same for an array: it knows the number of elements. */
template <typename T> class deleter<T[]>
{
      public:
	explicit deleter(bheap_t *in = nullptr, std::size_t count = 0) noexcept
	    : heap_(in), count_(count)
	{
	}

	void operator()(T *start) const noexcept
	{
		for (std::size_t index = count_; index > 0; index--)
			start[index - 1].~T();
		bheap_free(heap_, const_cast<std::remove_cv_t<T> *>(start));
	}

	bheap_t *get() const noexcept
	{
		return heap_;
	}

	std::size_t size() const noexcept
	{
		return count_;
	}

      private:
	bheap_t *heap_;
	std::size_t count_;
};

template <typename T> using unique_ptr = std::unique_ptr<T, deleter<T>>;

/* An object in a block of its own. Throws std::bad_alloc, and what the constructor throws. */
template <typename T, typename... Arguments>
std::enable_if_t<!std::is_array_v<T>, unique_ptr<T>> make_unique(bheap_t *in,
								 Arguments &&...arguments)
{
	detail::block block(in, detail::allocate(in, sizeof(T), alignof(T)));
	T *object = ::new (block.start()) T(std::forward<Arguments>(arguments)...);

	block.take();
	return unique_ptr<T>(object, deleter<T>(in));
}

/* make_unique<T[]>(heap, count): an array of count elements, each T(). */
template <typename T>
std::enable_if_t<std::is_array_v<T> && std::extent_v<T> == 0, unique_ptr<T>>
make_unique(bheap_t *in, std::size_t count)
{
	using Element = std::remove_extent_t<T>;
	detail::block block(in, detail::allocate_array<Element>(in, count));
	Element *start = static_cast<Element *>(block.start());

	std::uninitialized_value_construct_n(start, count);
	block.take();
	return unique_ptr<T>(start, deleter<T>(in, count));
}

/* ---- std::pmr ------------------------------------------------------------------------------ */

#ifdef __cpp_lib_memory_resource

namespace detail
{

/* The resource that asks another one for equality in this thread, and its heap. */
struct question {
	const std::pmr::memory_resource *asked_by;
	const bheap_t *heap;
};

inline thread_local question asking{nullptr, nullptr};

} // namespace detail

/*
 * A heap as a memory resource: throws std::bad_alloc when it is spent; as safe for threads as the
 * heap. All memory ends with the heap, deallocated or not: an owning resource may be destroyed with
 * its containers abandoned, as std::pmr::monotonic_buffer_resource may.
 *
 * WARNING: std::pmr is wrong for what processes share. A container of std::pmr keeps the addresses
 * of its resource and of its memory, and the resource that of its table of functions: none of them
 * holds in another process. Over a shared heap a resource serves this process alone, and a
 * container that another process finds there crashes it. No check can tell the one use from the
 * other. For containers that processes share: shared_allocator.
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
		return detail::allocate(heap_, size, alignment);
	}

	void do_deallocate(void *block, std::size_t, std::size_t) override
	{
		bheap_free(heap_, block); /* a wrong pointer is reported as a fault */
	}

	/*
	 * Resources of one heap are equal: either may free the blocks of the other. The class of
	 * the other one is not known, and -fno-rtti has no dynamic_cast. So this one asks back: a
	 * resource of this class finds that it is asked by one of its own class.
	 */
	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		const detail::question before = detail::asking;
		bool equal;

		if (this == &other)
			return true;
		if (before.asked_by == &other)
			return before.heap == heap_;
		if (before.asked_by == this) /* a foreign one that asks back, too */
			return false;
		detail::asking = {this, heap_};
		equal = other.is_equal(*this);
		detail::asking = before;
		return equal;
	}

	heap owned_;
	bheap_t *heap_;
};

#endif /* __cpp_lib_memory_resource */

/* ---- containers in heaps that processes share ---------------------------------------------- */

/*
 * A pointer that stores how far away its target is, so that it leads there in every process if both
 * lie in one heap. Use it as a T *; get() is the T *. Not for atomic access.
 *
 * The distance is kept with its highest bit inverted, so that 0, and so zeroed memory, is null, and
 * a pointer may lead to itself and to each byte around it. The one distance lost is 2^63, half of
 * all addresses away, where no object of the program lies. It has 64 bits on every machine: of 32
 * bits all distances are in use.
 */
template <typename T> class offset_ptr
{
	struct no_object;

	template <typename Other, typename = void> struct is_cast : std::false_type {
	};
	template <typename Other>
	struct is_cast<Other, std::void_t<decltype(static_cast<T *>(std::declval<Other *>()))>>
	    : std::true_type {
	};

      public:
	using element_type = T;
	using value_type = std::remove_cv_t<T>;
	using difference_type = std::ptrdiff_t;
	using pointer = offset_ptr;
	using reference = std::add_lvalue_reference_t<T>;
	using iterator_category = std::random_access_iterator_tag;
#ifdef __cpp_lib_ranges
	using iterator_concept = std::contiguous_iterator_tag;
#endif
	template <typename Other> using rebind = offset_ptr<Other>;

	offset_ptr(T *target = nullptr) noexcept
	{
		code_ = encode(target);
	}

	offset_ptr(const offset_ptr &other) noexcept
	{
		code_ = encode(other.get());
	}

	/*
	 * What a T * converts from, this does; what static_cast makes a T * of, it makes this of.
	 */
	template <typename Other, std::enable_if_t<std::is_convertible_v<Other *, T *>, int> = 0>
	offset_ptr(const offset_ptr<Other> &other) noexcept
	{
		code_ = encode(other.get());
	}

	template <typename Other,
		  std::enable_if_t<!std::is_convertible_v<Other *, T *> && is_cast<Other>::value,
				   int> = 0>
	explicit offset_ptr(const offset_ptr<Other> &other) noexcept
	{
		code_ = encode(static_cast<T *>(other.get()));
	}

	~offset_ptr() = default;

	offset_ptr &operator=(const offset_ptr &other) noexcept
	{
		code_ = encode(other.get());
		return *this;
	}

	static offset_ptr
	pointer_to(std::conditional_t<std::is_void_v<T>, no_object, T> &target) noexcept
	{
		return offset_ptr(std::addressof(target));
	}

	/*
	 * Addresses are hidden on the way in and out. Else the compiler sees that a number is added
	 * to the address of this pointer, and concludes that what is read and written there is a
	 * part of this pointer (gcc 14 with -O2 does).
	 */
	T *get() const noexcept
	{
		std::uintptr_t distance = static_cast<std::uintptr_t>(code_ ^ highest_bit);

		return detail::hidden(code_ ? reinterpret_cast<T *>(here() + distance) : nullptr);
	}

	explicit operator bool() const noexcept
	{
		return code_ != 0;
	}

	T *operator->() const noexcept
	{
		return get();
	}

	reference operator*() const noexcept
	{
		return *get();
	}

	reference operator[](difference_type index) const noexcept
	{
		return get()[index];
	}

	offset_ptr &operator+=(difference_type count) noexcept
	{
		code_ = encode(get() + count);
		return *this;
	}

	offset_ptr &operator-=(difference_type count) noexcept
	{
		code_ = encode(get() - count);
		return *this;
	}

	offset_ptr &operator++() noexcept
	{
		return *this += 1;
	}

	offset_ptr &operator--() noexcept
	{
		return *this -= 1;
	}

	offset_ptr operator++(int) noexcept
	{
		T *before = get();

		*this += 1;
		return before;
	}

	offset_ptr operator--(int) noexcept
	{
		T *before = get();

		*this -= 1;
		return before;
	}

	friend offset_ptr operator+(const offset_ptr &start, difference_type count) noexcept
	{
		return start.get() + count;
	}

	friend offset_ptr operator+(difference_type count, const offset_ptr &start) noexcept
	{
		return start.get() + count;
	}

	friend offset_ptr operator-(const offset_ptr &start, difference_type count) noexcept
	{
		return start.get() - count;
	}

	friend difference_type operator-(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return left.get() - right.get();
	}

	/* Compared are addresses, so that the order is total. */
	friend bool operator==(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return left.get() == right.get();
	}

#ifdef __cpp_lib_three_way_comparison
	friend std::strong_ordering operator<=>(const offset_ptr &left,
						const offset_ptr &right) noexcept
	{
		return address_of(left.get()) <=> address_of(right.get());
	}
#else
	friend bool operator!=(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return !(left == right);
	}

	friend bool operator<(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return address_of(left.get()) < address_of(right.get());
	}

	friend bool operator>(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return right < left;
	}

	friend bool operator<=(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return !(right < left);
	}

	friend bool operator>=(const offset_ptr &left, const offset_ptr &right) noexcept
	{
		return !(left < right);
	}
#endif

      private:
	static constexpr std::uint64_t highest_bit = std::uint64_t{1} << 63;

	static std::uintptr_t address_of(const volatile void *target) noexcept
	{
		return reinterpret_cast<std::uintptr_t>(target);
	}

	std::uintptr_t here() const noexcept
	{
		return address_of(this);
	}

	std::uint64_t encode(T *target) const noexcept
	{
		return target ? (std::uint64_t{address_of(detail::hidden(target))} - here()) ^
					highest_bit
			      : 0;
	}

	/* 0: null. It has a value before encode() takes the address: gcc 16 warns without -O. */
	std::uint64_t code_ = 0;
};

namespace detail
{

/* A node of a container that links by raw pointers, whatever pointer its allocator has: libstdc++.
 */
template <typename T, typename = void> struct links_next : std::false_type {
};
template <typename T>
struct links_next<T, std::void_t<decltype(T::_M_next)>> : std::is_pointer<decltype(T::_M_next)> {
};
template <typename T, typename = void> struct links_nxt : std::false_type {
};
template <typename T>
struct links_nxt<T, std::void_t<decltype(T::_M_nxt)>> : std::is_pointer<decltype(T::_M_nxt)> {
};

/* Elements that are or have addresses, as far as can be told. */
template <typename T>
constexpr bool has_addresses = std::is_pointer_v<T> || std::is_polymorphic_v<T> ||
			       links_next<T>::value || links_nxt<T>::value;

/*
 * A handle of this process, by the address of its first block, which no other handle has at the
 * time. Slots are never removed, so that looking for one takes no lock, in a child of fork()
 * either.
 */
struct slot {
	static constexpr std::uintptr_t empty = 0, reserved = 1;

	std::atomic<std::uintptr_t> base{reserved};
	bheap_t *handle = nullptr; /* valid while base is an address */
	slot *next = nullptr;
};

inline std::atomic<slot *> slots{nullptr};

/* An empty slot, now reserved, or null. */
inline slot *slot_reuse() noexcept
{
	for (slot *each = slots.load(std::memory_order_acquire); each; each = each->next) {
		std::uintptr_t expected = slot::empty;

		if (each->base.compare_exchange_strong(expected, slot::reserved,
						       std::memory_order_acq_rel))
			return each;
	}
	return nullptr;
}

/* A new slot, reserved. It stays until the program ends. */
inline slot *slot_add()
{
	slot *added = new (std::nothrow) slot;

	if (!added)
		fail<std::bad_alloc>("std::bad_alloc: no memory for an attachment");
	added->next = slots.load(std::memory_order_relaxed);
	while (!slots.compare_exchange_weak(added->next, added, std::memory_order_acq_rel,
					    std::memory_order_relaxed))
		continue;
	return added;
}

/* The handle of the heap whose first block is at base, or null. */
inline bheap_t *slot_find(const void *base) noexcept
{
	std::uintptr_t wanted = reinterpret_cast<std::uintptr_t>(base);

	for (slot *each = slots.load(std::memory_order_acquire); each; each = each->next)
		if (each->base.load(std::memory_order_acquire) == wanted)
			return each->handle;
	return nullptr;
}

extern "C" inline int bheap_hpp_first_block(const struct bheap_block *seen, void *base)
{
	*static_cast<const void **>(base) = seen->address;
	return 1;
}

} // namespace detail

/*
 * Makes a heap known to the shared_allocators of this process, from its constructor to its
 * destructor: before the first call that allocates or frees through a container, as long as one may
 * follow. (To read a container takes none.) Any number of heaps, and of handles of one heap, may be
 * attached; any thread may do so at any time, and a child of fork() inherits them.
 */
class attachment
{
      public:
	/* Takes over the handle; throws std::system_error (an empty owner, a damaged heap). */
	explicit attachment(heap owned) : attachment(owned.get())
	{
		owned_ = std::move(owned);
	}

	/* Borrows a handle, which is closed after the attachment ends. Throws likewise. */
	explicit attachment(bheap_t *borrowed)
	{
		if (bheap_walk(borrowed, detail::bheap_hpp_first_block, &base_) != 1)
			detail::fail<std::system_error>(
				"a heap cannot be attached: none, or damaged", errno,
				std::generic_category(), "libbheap::attachment");
		slot_ = detail::slot_reuse();
		if (!slot_)
			slot_ = detail::slot_add();
		slot_->handle = borrowed;
		slot_->base.store(reinterpret_cast<std::uintptr_t>(base_),
				  std::memory_order_release);
	}

	attachment(const attachment &) = delete;
	attachment &operator=(const attachment &) = delete;

	~attachment()
	{
		slot_->base.store(detail::slot::empty, std::memory_order_release);
	}

	/* For the functions of bheap.h. */
	bheap_t *get() const noexcept
	{
		return slot_->handle;
	}

	/* The address of the first block, which names the heap to its allocators. */
	const void *base() const noexcept
	{
		return base_;
	}

      private:
	heap owned_;
	const void *base_ = nullptr;
	detail::slot *slot_ = nullptr;
};

/*
 * The allocator of a container that lies, itself and its elements, in a shared heap, where
 * processes use it that have the heap at different addresses. For containers that store no address
 * but by the allocator's pointer type: those of Boost.Container, and std::vector, std::deque and
 * std::string of libstdc++; bheap.hpp(3) tells which others. Elements must do without addresses,
 * too (raw pointers, virtual functions).
 *
 * It stores where the heap begins, as an offset_ptr, and finds the handle of this process by that:
 * std::logic_error if there is no attachment of the heap, and from deallocate(), which destructors
 * call, a message and an abort. std::bad_alloc when the heap is spent. A heap that is attached
 * twice lies at two addresses: reach all containers through one handle. No assignment or exchange
 * makes a container leave its heap, which alone other processes know; exchange only containers of
 * one heap.
 */
template <typename T> class shared_allocator
{
      public:
	using value_type = T;
	using pointer = offset_ptr<T>;
	using const_pointer = offset_ptr<const T>;
	using void_pointer = offset_ptr<void>;
	using const_void_pointer = offset_ptr<const void>;
	using difference_type = std::ptrdiff_t;
	using size_type = std::size_t;
	using propagate_on_container_copy_assignment = std::false_type;
	using propagate_on_container_move_assignment = std::false_type;
	using propagate_on_container_swap = std::false_type;
	using is_always_equal = std::false_type;

	shared_allocator(const attachment &where) noexcept : base_(where.base())
	{
	}

	/* Declared as that of allocator is. */
	shared_allocator() noexcept
	{
		static_assert(detail::has_heap<T>,
			      "a container is constructed with its heap: std::vector<int, "
			      "libbheap::shared_allocator<int>> numbers(attachment)");
	}

	template <typename Other>
	shared_allocator(const shared_allocator<Other> &other) noexcept : base_(other.base())
	{
#ifdef __GLIBCXX__
		static_assert(
			!(std::is_same_v<Other, bool> && std::is_same_v<T, unsigned long>),
			"std::vector<bool> stores addresses, and an address means nothing in another process: "
			"use that of Boost.Container");
#endif
	}

	[[nodiscard]] pointer allocate(size_type count)
	{
		static_assert(
			!detail::has_addresses<T>,
			"an address means nothing in another process: instead of pointers use "
			"libbheap::offset_ptr, instead of this container that of Boost.Container, "
			"and no virtual functions");
		bheap_t *from = get();

		if (!from)
			detail::fail<std::logic_error>(not_attached, not_attached);
		return static_cast<T *>(detail::allocate_array<T>(from, count));
	}

	/* A wrong pointer is reported as a fault. */
	void deallocate(const pointer &start, size_type) noexcept
	{
		bheap_t *from = get();

		if (!from)
			detail::abort_with(not_attached);
		bheap_free(from, start.get());
	}

	/* The handle of this process, for the functions of bheap.h; null: none is attached. */
	bheap_t *get() const noexcept
	{
		return detail::slot_find(base_.get());
	}

	const void *base() const noexcept
	{
		return base_.get();
	}

      private:
	static constexpr const char *not_attached =
		"libbheap::shared_allocator: this process has no libbheap::attachment of the heap";

	offset_ptr<const void> base_;
};

/* Equal allocators free each other's blocks: those of one handle. */
template <typename T, typename Other>
bool operator==(const shared_allocator<T> &left, const shared_allocator<Other> &right) noexcept
{
	return left.base() == right.base();
}

template <typename T, typename Other>
bool operator!=(const shared_allocator<T> &left, const shared_allocator<Other> &right) noexcept
{
	return !(left == right);
}

} // namespace libbheap

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
