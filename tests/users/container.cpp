/* SPDX-License-Identifier: MIT */
/*
 * container.cpp - one container of the standard library, KIND, with libbheap::shared_allocator:
 * made and filled through one handle of a heap, which is closed, and used through another, at
 * another address. A container that keeps an address of the first crashes or loses its elements.
 */
#include "check.hpp"

#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fcntl.h>

template <typename T> using in = libbheap::shared_allocator<T>;
using pair = std::pair<const int, int>;

using vector = std::vector<int, in<int>>;
using deque = std::deque<int, in<int>>;
using list = std::list<int, in<int>>;
using forward_list = std::forward_list<int, in<int>>;
using set = std::set<int, std::less<int>, in<int>>;
using map = std::map<int, int, std::less<int>, in<pair>>;
using unordered_set = std::unordered_set<int, std::hash<int>, std::equal_to<int>, in<int>>;
using unordered_map = std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, in<pair>>;
using string = std::basic_string<char, std::char_traits<char>, in<char>>;
using vector_bool = std::vector<bool, in<bool>>;

/* What can never be shared: elements that are or have addresses. */
struct shape {
	virtual ~shape() = default;
	virtual double area() const
	{
		return 0;
	}
};
using addresses = std::vector<int *, in<int *>>;
using shapes = std::vector<shape, in<shape>>;

/* ---- one way to add for all ---- */

template <typename C, typename... Kinds> constexpr bool is_any = (std::is_same_v<C, Kinds> || ...);

template <typename C> void add(C &to, int number)
{
	if constexpr (is_any<C, map, unordered_map>)
		to.emplace(number, number & 1);
	else if constexpr (is_any<C, set, unordered_set>)
		to.insert(number);
	else if constexpr (is_any<C, forward_list>)
		to.push_front(number & 1);
	else if constexpr (is_any<C, addresses, shapes>)
		to.emplace_back();
	else
		to.push_back(static_cast<typename C::value_type>(number & 1));
}

inline int value(int element)
{
	return element & 1;
}

inline int value(const pair &element)
{
	return element.second;
}

inline int value(const void *)
{
	return 0;
}

inline int value(const shape &)
{
	return 0;
}

/* Of numbers from 0 on, half are odd. */
template <typename C> bool has(const C &container, int count)
{
	int seen = 0, odd = 0;

	for (const auto &element : container) {
		odd += value(element);
		seen++;
	}
	return seen == count && odd == count / 2;
}

/* ---- through two handles ---- */

static void make(bheap_t *heap)
{
	libbheap::attachment attached(heap);
	KIND *made = libbheap::make_unique<KIND>(heap, KIND::allocator_type(attached)).release();

	for (int number = 0; number < 6; number++)
		add(*made, number);
	check(bheap_set_root(heap, made) == 0 && has(*made, 6), "it has what it was given");
}

static void use(bheap_t *heap)
{
	libbheap::attachment attached(heap);
	KIND *found = static_cast<KIND *>(bheap_root(heap));

	check(has(*found, 6), "it has its elements at the other address");
	for (int number = 6; number < 1000; number++)
		add(*found, number);
	check(has(*found, 1000), "it grows there");
	{
		KIND copy(*found), taken(std::move(copy));

		check(has(taken, 1000), "it can be copied and moved");
		*found = std::move(taken);
		check(has(*found, 1000), "and assigned");
	}
	bheap_set_root(heap, nullptr);
	libbheap::unique_ptr<KIND>(found, libbheap::deleter<KIND>(heap));
	check(is_empty(heap), "it leaves nothing");
}

int main()
{
	libbheap::heap one, two;

	bheap_unlink("container.heap");
	one.reset(bheap_open("container.heap", 1 << 20, O_RDWR | O_CREAT, 0600, 0));
	two.reset(bheap_open("container.heap", 0, O_RDWR, 0, 0));
	bheap_unlink("container.heap");
	check(one && two, "the heap can be opened twice");
	make(one.get());
	one.reset();
	use(two.get());
	return result();
}
