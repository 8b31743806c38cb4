/* SPDX-License-Identifier: MIT */
/*
 * pointer.cpp - libbheap::offset_ptr: what it can do of all that a pointer can, where it may lie
 * and lead to. Ends with the number of checks that failed.
 */
#include "check.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <numeric>
#include <type_traits>

template <typename T> using pointer = libbheap::offset_ptr<T>;

struct base {
	int first = 1;
};

struct other_base {
	int second = 2;
};

struct derived : base, other_base {
};

struct stranger;

/* ---- types ---- */

using traits = std::pointer_traits<pointer<int>>;
static_assert(std::is_same_v<traits::element_type, int>);
static_assert(std::is_same_v<traits::difference_type, std::ptrdiff_t>);
static_assert(std::is_same_v<traits::rebind<const long>, pointer<const long>>);
static_assert(std::is_same_v<std::pointer_traits<pointer<void>>::rebind<int>, pointer<int>>);
static_assert(std::is_same_v<std::iterator_traits<pointer<const int>>::value_type, int>);

static_assert(std::is_nothrow_default_constructible_v<pointer<int>>);
static_assert(std::is_nothrow_copy_constructible_v<pointer<int>>);
static_assert(std::is_convertible_v<int *, pointer<int>>);
static_assert(std::is_convertible_v<std::nullptr_t, pointer<int>>);
static_assert(!std::is_convertible_v<pointer<int>, int *>);
static_assert(!std::is_convertible_v<pointer<int>, bool>);
static_assert(std::is_constructible_v<bool, pointer<int>>);

/* What is true of T * is true of offset_ptr<T>. */
template <typename From, typename To>
constexpr bool converts_alike =
	std::is_convertible_v<From *, To *> == std::is_convertible_v<pointer<From>, pointer<To>>;
static_assert(converts_alike<int, const int> && converts_alike<const int, int>);
static_assert(converts_alike<int, void> && converts_alike<void, int>);
static_assert(converts_alike<derived, base> && converts_alike<base, derived>);
static_assert(converts_alike<const int, void> && converts_alike<int, long>);
static_assert(std::is_constructible_v<pointer<derived>, pointer<base>>);
static_assert(std::is_constructible_v<pointer<int>, pointer<void>>);
static_assert(!std::is_constructible_v<pointer<int>, pointer<long>>);
static_assert(!std::is_constructible_v<pointer<int>, pointer<const int>>);
static_assert(sizeof(pointer<stranger>) == 8, "of a type that is not complete, too");

#ifdef __cpp_lib_ranges
static_assert(std::contiguous_iterator<pointer<int>>);
static_assert(std::contiguous_iterator<pointer<const int>>);
static_assert(std::sized_sentinel_for<pointer<const int>, pointer<int>>);
#endif

/* ---- values ---- */

static void test_null()
{
	alignas(8) unsigned char zeros[sizeof(pointer<int>)] = {};
	pointer<int> null, none = nullptr, *zero = reinterpret_cast<pointer<int> *>(zeros);

	check(!null && null == nullptr && null.get() == nullptr && none == null, "null is null");
	check(zero->get() == nullptr && !*zero, "zeroed memory is null");
	none = *zero;
	null = none;
	check(null.operator->() == nullptr && !(null != nullptr), "a copy of null is null");
	check(pointer<void>(null) == nullptr && static_cast<pointer<int>>(pointer<void>()) == null,
	      "null of another type is null");
}

/* Each byte of the pointer itself and around it can be the target. */
static void test_near()
{
	struct {
		char before[16];
		pointer<char> ptr;
		char after[16];
	} place = {};
	char *start = reinterpret_cast<char *>(&place);

	for (std::size_t offset = 0; offset < sizeof(place); offset++) {
		place.ptr = start + offset;
		check(place.ptr && place.ptr.get() == start + offset, "a target near by is found");
	}
	check(pointer<pointer<char>>(&place.ptr)->get() == start + sizeof(place) - 1,
	      "a pointer to a pointer");

	pointer<void> itself;
	itself = &itself;
	check(itself.get() == &itself && itself != nullptr, "a pointer may lead to itself");
}

/* Targets at the ends of what there is of addresses; they are not read. */
static void test_far()
{
	const std::uintptr_t ends[] = {1, 16, UINTPTR_MAX / 2 - 15, UINTPTR_MAX - 15};
	static pointer<char> fixed;
	pointer<char> local;

	for (std::uintptr_t end : ends) {
		char *target = reinterpret_cast<char *>(end);

		local = target;
		fixed = local;
		check(local.get() == target && fixed.get() == target && fixed, "a far target");
	}
	/* Where addresses have 32 bits every distance is in use. */
	for (int bit = 0; bit < 32; bit++) {
		auto here = reinterpret_cast<std::uintptr_t>(&local);
		char *target = reinterpret_cast<char *>(here ^ (std::uintptr_t{1} << bit));

		local = target;
		check(local.get() == target, "a target at each power of two away");
	}
}

/* The same bytes at another place lead from there: that is the purpose. */
static void test_moved()
{
	struct shared {
		pointer<int> ptr;
		int value;
	} one, two;

	one.value = 1;
	two.value = 2;
	one.ptr = &one.value;
	std::memcpy(static_cast<void *>(&two.ptr), &one.ptr, sizeof(one.ptr));
	check(*two.ptr == 2 && *one.ptr == 1, "it leads as far from where its bytes are");
	two = one;
	check(two.ptr.get() == &one.value, "a copy leads to the same target");
}

/* ---- arithmetic and conversion ---- */

static void test_iterator()
{
	int values[10] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
	pointer<int> start(values), end = start + 10, each = start;
	pointer<const int> constant = start;

	check(end - start == 10 && start < end && end > start && start <= start && end >= start,
	      "distance and order");
	check(constant == start && start == values && constant - start == 0 && end != constant,
	      "compared with others");
	check(*each++ == 3 && *each == 1 && *++each == 4 && *each-- == 4 && *--each == 3, "steps");
	check((each += 5)[0] == 9 && *(each -= 1) == 5 && each[-1] == 1 && *(2 + each) == 2 &&
		      *(each - 4) == 3,
	      "moves");
	std::sort(start, end);
	check(std::is_sorted(values, values + 10) && constant[9] == 9, "sorted through it");
	check(std::accumulate(start, end, 0) == 39, "sum");
}

static void test_conversion()
{
	derived object;
	const derived constant;
	pointer<derived> from(&object);
	pointer<base> first = from;
	pointer<other_base> second = from;
	pointer<const other_base> other = &constant;
	pointer<void> anything = second;

	check(first->first == 1 && second->second == 2 && other->second == 2, "to base classes");
	check(static_cast<const void *>(second.get()) != from.get(), "... which lie elsewhere");
	check(static_cast<pointer<derived>>(second) == from, "and back");
	check(static_cast<pointer<other_base>>(anything)->second == 2, "through void and back");
	second = pointer<derived>();
	check(second == nullptr, "null of a derived class is null");
	check(pointer<int>::pointer_to(object.first).get() == &object.first, "pointer_to()");
	check(std::pointer_traits<pointer<derived>>::pointer_to(object) == from,
	      "... of the traits");
#ifdef __cpp_lib_to_address
	check(std::to_address(from) == &object, "to_address()");
#endif
}

int main()
{
	test_null();
	test_near();
	test_far();
	test_moved();
	test_iterator();
	test_conversion();
	return result();
}
