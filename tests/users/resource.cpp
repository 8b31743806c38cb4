/* SPDX-License-Identifier: MIT */
/*
 * resource.cpp - containers of std::pmr in heaps: they fit, they fail at the budget with
 * std::bad_alloc, they leave nothing behind. Ends with the number of checks that failed.
 */
#include "check.hpp"

#include <string>
#include <unordered_map>
#include <vector>

static void test_vector()
{
	libbheap::resource budget(64 * 1024);
	std::pmr::vector<int> numbers(&budget);

	check(fails<std::bad_alloc>("bad_alloc",
				    [&] {
					    for (int number = 0; number < 1000000; number++)
						    numbers.push_back(number);
				    }),
	      "a vector stops at the budget");
	/* Without exceptions it was a child that was refused. */
	for (int number = 0; !has_exceptions && number < 8192; number++)
		numbers.push_back(number);
	check(numbers.size() > 64 * 1024 / sizeof(int) / 4, "... but has got a good part of it");
	for (std::size_t index = 0; index < numbers.size(); index++)
		check(numbers[index] == static_cast<int>(index), "... and keeps what it has");
	check(bheap_owns(budget.get(), numbers.data()), "its elements lie in the heap");
	check(stats_of(budget.get()).failures == has_exceptions, "one request was refused");
	std::pmr::vector<int>(&budget).swap(numbers); /* shrink_to_fit() need not */
	check(stats_of(budget.get()).live_blocks == 0, "an empty vector leaves nothing");
}

static void test_string()
{
	libbheap::resource budget(4096, BHEAP_GUARD);
	{
		std::pmr::string text("a string that is too long for the object itself", &budget);
		std::pmr::vector<std::pmr::string> lines(&budget);

		text += text;
		lines.push_back(text);
		lines.emplace_back("another one that is too long for the object itself");
		check(lines[0] == text && bheap_owns(budget.get(), lines[1].data()),
		      "the strings of a vector lie in its heap");
		check(fails<std::bad_alloc>("bad_alloc", [&] { text.append(8192, 'x'); }),
		      "a string stops");
	}
	check(stats_of(budget.get()).live_blocks == 0, "strings leave nothing");
	check(stats_of(budget.get()).faults == 0, "strings keep to their blocks");
}

static void test_map()
{
	libbheap::heap heap = libbheap::create(1 << 20, BHEAP_UNLOCKED);
	libbheap::resource budget(heap.get());
	{
		std::pmr::unordered_map<int, std::pmr::string> squares(&budget);

		for (int number = 0; number < 2000; number++)
			squares.emplace(number, std::to_string(number * number) + " is the square");
		for (int number = 0; number < 2000; number += 2)
			squares.erase(number);
		check(squares.size() == 1000 && squares.at(1999) == "3996001 is the square",
		      "a map finds what it was given");
		check(stats_of(heap.get()).live_blocks > 1000, "its nodes lie in the heap");
	}
	check(stats_of(heap.get()).live_blocks == 0, "a map leaves nothing");
	check(stats_of(heap.get()).largest_free == 1 << 20, "... and all is in one piece again");
}

static void test_alignment()
{
	struct alignas(128) line {
		char bytes[128];
	};
	libbheap::resource budget(16384);
	std::pmr::vector<line> lines(5, &budget);
	volatile std::size_t largest = SIZE_MAX;
	void *byte = budget.allocate(1, 1), *page = budget.allocate(10, 4096);

	check(reinterpret_cast<std::uintptr_t>(lines.data()) % 128 == 0, "aligned to 128");
	check(reinterpret_cast<std::uintptr_t>(page) % 4096 == 0, "aligned to 4096");
	check(byte != budget.allocate(0), "no bytes are a block too");
	budget.deallocate(byte, 1, 1);
	budget.deallocate(page, 10, 4096);
	check(fails<std::bad_alloc>("bad_alloc",
				    [&] { static_cast<void>(budget.allocate(largest)); }),
	      "the largest size is refused");
}

/* A foreign resource that knows no other, and asks whether it is known. */
class stranger : public std::pmr::memory_resource
{
	void *do_allocate(std::size_t size, std::size_t alignment) override
	{
		return std::pmr::new_delete_resource()->allocate(size, alignment);
	}

	void do_deallocate(void *block, std::size_t size, std::size_t alignment) override
	{
		std::pmr::new_delete_resource()->deallocate(block, size, alignment);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		return this == &other || other.is_equal(*this);
	}
};

/* One that hands all requests on is as good as the one it hands them to. */
class forwarder : public std::pmr::memory_resource
{
      public:
	explicit forwarder(std::pmr::memory_resource *to) : to_(to)
	{
	}

      private:
	void *do_allocate(std::size_t size, std::size_t alignment) override
	{
		return to_->allocate(size, alignment);
	}

	void do_deallocate(void *block, std::size_t size, std::size_t alignment) override
	{
		to_->deallocate(block, size, alignment);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		return this == &other || to_->is_equal(other);
	}

	std::pmr::memory_resource *to_;
};

static void test_equality()
{
	libbheap::heap heap = libbheap::create(4096), elsewhere = libbheap::create(4096);
	libbheap::resource one(heap.get()), two(heap.get()), other(elsewhere.get());
	stranger strange;
	forwarder forwards(&one);

	check(one == two && two == one && one == one, "resources of one heap are equal");
	check(one != other && other != two, "resources of two heaps are not");
	check(one != strange && strange != one, "one that asks back is not equal");
	check(one == two && one != other, "... and asking has left nothing behind");
	check(one == forwards && two == forwards && forwards == two,
	      "one that forwards to an equal one is equal");
	check(other != forwards && forwards != other, "... and to no other");
}

static void test_owner()
{
	static char buffer[2048];
	libbheap::heap heap(bheap_create_in(buffer, sizeof(buffer), 0));
	libbheap::resource owner(libbheap::create(4096)), one(heap.get()), other(heap.get());
	std::pmr::memory_resource &system = *std::pmr::new_delete_resource();

	check(one == other && one == one, "resources of one heap are equal");
	check(one != owner && one != system && system != one, "others are not");
	other.deallocate(one.allocate(100), 100);
	check(stats_of(heap.get()).live_blocks == 0, "one frees what the other allocated");
	check(fails<std::system_error>("bheap_create",
				       [] { libbheap::resource none(std::size_t{0}); }),
	      "a heap of size 0 is an error");
	check(fails<std::system_error>("bheap_create", [] { libbheap::create(4096, ~0u); }),
	      "unknown flags are, too");

	heap.reset();
	check(!heap, "an owner can be emptied");
}

int main()
{
	test_vector();
	test_string();
	test_map();
	test_alignment();
	test_equality();
	test_owner();
	return result();
}
