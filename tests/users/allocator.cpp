/* SPDX-License-Identifier: MIT */
/*
 * allocator.cpp - containers with libbheap::allocator and objects of libbheap::make_unique(): they
 * lie in their heap, fail at its budget, and leave nothing. Ends with the number of checks that
 * failed.
 */
#include "check.hpp"

#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

template <typename T> using vector = std::vector<T, libbheap::allocator<T>>;
using string = std::basic_string<char, std::char_traits<char>, libbheap::allocator<char>>;
template <typename K, typename V>
using map = std::map<K, V, std::less<K>, libbheap::allocator<std::pair<const K, V>>>;

static const char *const text = "a string that is too long for the object itself";

static void test_sequences()
{
	libbheap::heap heap = libbheap::create(1 << 20);
	{
		vector<int> numbers(heap.get());
		std::deque<int, libbheap::allocator<int>> queue(heap.get());
		std::list<int, libbheap::allocator<int>> list(heap.get());
		std::forward_list<int, libbheap::allocator<int>> chain(heap.get());
		long sum = 0;

		for (int number = 0; number < 1000; number++) {
			numbers.push_back(number);
			queue.push_front(number);
			list.push_back(number);
			chain.push_front(number);
		}
		for (int number : numbers)
			sum += number + queue[static_cast<std::size_t>(999 - number)];
		for (int number : list)
			sum += number;
		for (int number : chain)
			sum += number;
		check(sum == 4L * 999 * 1000 / 2, "sequences keep what they are given");
		check(bheap_owns(heap.get(), numbers.data()), "a vector lies in its heap");
		check(bheap_offset(heap.get(), &queue.front()) &&
			      bheap_offset(heap.get(), &list.front()) &&
			      bheap_offset(heap.get(), &chain.front()),
		      "so do a deque and lists");
		check(stats_of(heap.get()).live_blocks > 2000, "each node of a list is a block");
	}
	check(is_empty(heap.get()), "sequences leave nothing");
}

static void test_maps()
{
	libbheap::heap heap = libbheap::create(1 << 20, BHEAP_GUARD);
	libbheap::allocator<char> in(heap.get());
	{
		map<int, string> squares(in);
		std::set<string, std::less<string>, libbheap::allocator<string>> words(in);
		std::unordered_map<int, int, std::hash<int>, std::equal_to<int>,
				   libbheap::allocator<std::pair<const int, int>>>
			cubes(in);

		for (int number = 0; number < 500; number++) {
			squares.emplace(number, string(text, in));
			words.emplace(std::to_string(number).c_str(), in);
			cubes[number] = number * number * number;
		}
		for (int number = 0; number < 500; number += 2)
			squares.erase(number);
		check(squares.size() == 250 && squares.at(499) == text, "a map finds a string");
		check(words.size() == 500 && words.count(string("499", in)) == 1, "a set, too");
		check(cubes.at(499) == 499 * 499 * 499, "an unordered map, too");
		check(bheap_owns(heap.get(), squares.at(1).data()), "strings lie in the heap");
	}
	check(is_empty(heap.get()), "maps leave nothing");
}

static void test_refusal()
{
	libbheap::heap heap = libbheap::create(65536);
	libbheap::allocator<int> in(heap.get());
	vector<int> numbers(in);
	volatile std::size_t most = SIZE_MAX;

	check(fails<std::bad_alloc>("bad_alloc", [&] { numbers.resize(65536); }),
	      "a vector is refused more than the budget");
	check(numbers.empty(), "... and is as it was");
	check(fails<std::bad_array_new_length>("bad_array_new_length",
					       [&] { (void)in.allocate(most / sizeof(int) + 1); }),
	      "a number of elements without a size is refused");
	check(fails<std::bad_alloc>("bad_alloc", [&] { (void)in.allocate(most / sizeof(int)); }),
	      "the largest number of elements is refused");
	check(fails<std::bad_alloc>("bad_alloc",
				    [] { vector<int>(1, libbheap::allocator<int>(nullptr)); }),
	      "no handle has no room");
	numbers.resize(16384);
	check(stats_of(heap.get()).free == 0, "all of a heap can be used");
}

static void test_alignment()
{
	struct alignas(256) line {
		char bytes[256];
	};
	libbheap::heap heap = libbheap::create(65536);
	{
		auto byte =
			libbheap::make_unique<char>(heap.get()); /* no block is aligned by chance */
		vector<line> lines(7, heap.get());
		std::list<line, libbheap::allocator<line>> list(3, line(), heap.get());
		auto single = libbheap::make_unique<line>(heap.get());

		check(is_aligned(lines.data(), 256), "elements are aligned to 256");
		for (const line &each : list)
			check(is_aligned(&each, 256), "nodes are aligned to 256");
		check(is_aligned(single.get(), 256), "an object is aligned to 256");
	}
	check(is_empty(heap.get()), "aligned blocks leave nothing");
}

/* Between heaps, elements are copied or moved; an exchange exchanges the heaps. */
static void test_propagation()
{
	libbheap::heap small = libbheap::create(4096), large = libbheap::create(65536);
	{
		vector<string> one(small.get()), two(large.get());
		const string *elements;

		two.push_back(string(text, large.get()));
		elements = two.data();
		one = two;
		check(one.get_allocator().get() == small.get() && one[0] == text &&
			      bheap_owns(small.get(), one.data()),
		      "a copy lies in the heap of the container that is assigned to");
		one = std::move(two);
		check(one.get_allocator().get() == small.get() && one.data() != elements &&
			      bheap_owns(small.get(), one.data()) && one[0] == text,
		      "so does what is moved");
		two.assign(1, string(text, large.get()));
		elements = two.data();
		one.swap(two);
		check(one.get_allocator().get() == large.get() && one.data() == elements &&
			      two.get_allocator().get() == small.get(),
		      "an exchange exchanges heaps and moves no element");

		vector<string> copy(one), taken(std::move(one));
		check(copy.get_allocator().get() == large.get() && taken.data() == elements,
		      "a copy lies in the heap of its original; to move a container is free");
	}
	check(libbheap::allocator<int>(small.get()) == libbheap::allocator<char>(small.get()) &&
		      libbheap::allocator<int>(small.get()) !=
			      libbheap::allocator<int>(large.get()),
	      "allocators of one heap are equal");
	check(is_empty(small.get()) && is_empty(large.get()), "all goes back to its own heap");
}

static int living;

struct counted {
	explicit counted(int start = 7) : value(start)
	{
#ifdef __cpp_exceptions
		if (start == 13 || living == 100)
			throw start;
#endif
		living++;
	}

	counted(const counted &) = delete;

	virtual ~counted()
	{
		living--;
	}

	int value;
};

struct padding {
	virtual ~padding() = default;
	long words[5] = {};
};

/* Here a pointer to counted is not a pointer to the block. */
struct derived : padding, counted {
	derived() : counted(8)
	{
	}
};

static void test_unique()
{
	libbheap::heap heap = libbheap::create(65536, BHEAP_GUARD);
	{
		auto one = libbheap::make_unique<counted>(heap.get(), 42);
		libbheap::unique_ptr<const counted> constant =
			libbheap::make_unique<counted>(heap.get());
		libbheap::unique_ptr<counted> base = libbheap::make_unique<derived>(heap.get());
		auto numbers = libbheap::make_unique<int[]>(heap.get(), 1000);
		auto objects = libbheap::make_unique<counted[]>(heap.get(), 10);
		libbheap::unique_ptr<counted> none;
		int sum = 0;

		for (std::size_t index = 0; index < numbers.get_deleter().size(); index++)
			sum += numbers[index];
		check(one->value == 42 && constant->value == 7 && base->value == 8 && sum == 0,
		      "objects are as they were constructed, and ints are 0");
		check(!bheap_owns(heap.get(), base.get()), "... also one inside its block");
		check(living == 13 && objects[9].value == 7, "each is constructed once");
		check(stats_of(heap.get()).live_blocks == 5, "each is one block");
		none = std::move(one);
		none.reset();
		check(living == 12 && stats_of(heap.get()).live_blocks == 4,
		      "reset() frees a block");
	}
	check(living == 0 && is_empty(heap.get()), "all are destroyed and freed");
	check(fails<std::bad_alloc>("bad_alloc",
				    [&] { libbheap::make_unique<char[]>(heap.get(), 65537); }),
	      "an array that is too large is refused");
#ifdef __cpp_exceptions
	check(fails<int>("", [&] { libbheap::make_unique<counted>(heap.get(), 13); }) &&
		      fails<int>("", [&] { libbheap::make_unique<counted[]>(heap.get(), 200); }),
	      "what a constructor throws arrives");
	check(living == 0 && stats_of(heap.get()).live_blocks == 0, "... and frees the block");
#endif
}

static void test_shared_ptr()
{
	libbheap::heap heap = libbheap::create(65536);
	std::weak_ptr<counted> weak;
	{
		std::shared_ptr<counted> one =
			std::allocate_shared<counted>(libbheap::allocator<counted>(heap.get()), 42);
		std::shared_ptr<counted> two(libbheap::make_unique<counted>(heap.get()));

		weak = one;
		check(bheap_offset(heap.get(), one.get()) && one->value == 42 && two->value == 7,
		      "shared objects lie in the heap");
		check(stats_of(heap.get()).live_blocks == 2,
		      "... with their counters, if allocated so");
	}
	check(living == 0 && stats_of(heap.get()).live_blocks == 1,
	      "a weak pointer keeps the counters");
	weak.reset();
	check(is_empty(heap.get()), "... and no longer");
}

/* A pointer that is no block of the heap is reported, and the heap stays whole. */
static void test_wrong_pointer()
{
	static int faults;
	libbheap::heap heap = libbheap::create(4096);
	libbheap::allocator<int> in(heap.get());
	int local = 0, *volatile block = in.allocate(4);
	int *volatile outside = &local; /* volatile: g++ warns of what it sees */

	faults = 0;
	bheap_set_fault_handler(
		heap.get(), [](const struct bheap_fault *, void *) { faults++; }, nullptr);
	in.deallocate(outside, 1);
	in.deallocate(block, 4);
	in.deallocate(block, 4);
	check(faults == 2 && stats_of(heap.get()).live_blocks == 0, "wrong pointers are reported");
}

int main()
{
	test_sequences();
	test_maps();
	test_refusal();
	test_alignment();
	test_propagation();
	test_unique();
	test_shared_ptr();
	test_wrong_pointer();
	return result();
}
