/* SPDX-License-Identifier: MIT */
/*
 * shared.cpp - containers with libbheap::shared_allocator in a heap that two processes have at
 * different addresses: "shared" makes them, runs "shared read ADDRESS" and "shared write ADDRESS",
 * and looks at what these left. Ends with the number of checks that failed.
 */
#include "check.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <thread>
#include <vector>

#include <fcntl.h>

#if __has_include(<boost/container/flat_map.hpp>)
#include <boost/container/deque.hpp>
#include <boost/container/flat_map.hpp>
#include <boost/container/list.hpp>
#include <boost/container/map.hpp>
#include <boost/container/scoped_allocator.hpp>
#include <boost/container/set.hpp>
#include <boost/container/slist.hpp>
#include <boost/container/string.hpp>
#include <boost/container/vector.hpp>
#define HAVE_BOOST
#endif

template <typename T> using in = libbheap::shared_allocator<T>;

static const char *const path = "shared.heap";
static const char *const text = "a string that is too long for the object itself";

static bheap_t *open_heap(int oflag = O_RDWR | O_CREAT)
{
	return bheap_open(path, oflag & O_CREAT ? 1 << 20 : 0, oflag, 0600, 0);
}

/* ---- what lies in the heap ---- */

struct alignas(64) line {
	char bytes[64];
};

struct standard {
	std::vector<int, in<int>> numbers;
	std::deque<long, in<long>> queue;
	std::vector<std::vector<short, in<short>>, in<std::vector<short, in<short>>>> rows;
	std::vector<line, in<line>> lines;
	libbheap::offset_ptr<standard> self;

	explicit standard(const libbheap::attachment &heap)
	    : numbers(heap), queue(heap), rows(heap), lines(heap), self(this)
	{
	}

	/* Content that tells the round that wrote it. */
	void write(int round)
	{
		numbers.clear();
		queue.clear();
		for (int number = 0; number < 1000 * round; number++) {
			numbers.push_back(number * round);
			queue.push_front(number * round);
		}
		while (queue.size() > 500)
			queue.pop_back();
		rows.emplace_back(std::size_t{10}, short(round), numbers.get_allocator());
		lines.resize(std::size_t(3 * round));
	}

	void verify(int round) const
	{
		long sum = 0, wanted = 500L * round * (1000 * round - 1);

		for (int number : numbers)
			sum += number;
		check(sum == wanted * round, "a vector has its numbers");
		check(queue.size() == 500 && queue[0] == (1000L * round - 1) * round &&
			      queue[499] == queue[0] - 499 * round,
		      "a deque has its numbers");
		check(rows.size() == std::size_t(round) && rows.back().size() == 10 &&
			      rows.back()[9] == round && rows[0][0] == 1,
		      "a vector has its vectors");
		check(lines.size() == std::size_t(3 * round) && is_aligned(lines.data(), 64),
		      "elements are aligned");
		check(self.get() == this, "a pointer to the object leads to it");
	}
};

#ifdef HAVE_BOOST
namespace bc = boost::container;

using string = bc::basic_string<char, std::char_traits<char>, in<char>>;
template <typename T> using passed_on = bc::scoped_allocator_adaptor<in<T>>;

struct boosts {
	bc::vector<string, passed_on<string>> words;
	bc::deque<int, in<int>> queue;
	bc::list<string, in<string>> list;
	bc::slist<int, in<int>> chain;
	bc::map<int, string, std::less<int>, passed_on<std::pair<const int, string>>> names;
	bc::set<long, std::less<long>, in<long>> set;
	bc::flat_map<int, int, std::less<int>, in<std::pair<int, int>>> squares;
	string title;

	explicit boosts(const libbheap::attachment &heap)
	    : words(in<string>(heap)), queue(in<int>(heap)), list(in<string>(heap)),
	      chain(in<int>(heap)), names(in<std::pair<const int, string>>(heap)),
	      set(in<long>(heap)), squares(in<std::pair<int, int>>(heap)), title(in<char>(heap))
	{
	}

	void write(int round)
	{
		title.assign(text);
		title += char('0' + round);
		words.emplace_back(text);
		list.push_front(title);
		list.sort();
		queue.push_front(round);
		chain.push_front(round);
		for (int number = 0; number < 300; number++) {
			names[number * round] = title;
			set.insert(-number * round);
			squares[number * round] = number * number * round * round;
		}
		names.erase(round * 299);
		squares.erase(round * 299);
	}

	void verify(int round) const
	{
		int before = -1;

		check(title.size() == std::strlen(text) + 1 && title.back() == '0' + round,
		      "a string has its text");
		check(words.size() == std::size_t(round) && words.back() == text &&
			      words[0] == text,
		      "a vector has its strings");
		check(list.size() == std::size_t(round) && list.back() == title, "a list, too");
		check(queue.size() == std::size_t(round) && queue.front() == round &&
			      queue.back() == 1 && chain.front() == round,
		      "a deque and a chain have their numbers");
		for (const auto &each : names) {
			check(each.first > before, "a map is in order");
			before = each.first;
		}
		check(names.at(298 * round) == title && !names.count(299 * round),
		      "a map has its strings");
		check(set.count(-299 * round) == 1 && !set.count(1), "a set has its numbers");
		check(squares.at(298 * round) == 298 * 298 * round * round,
		      "a flat map has its squares");
	}
};
#else
struct boosts {
	explicit boosts(const libbheap::attachment &)
	{
	}

	void write(int)
	{
	}

	void verify(int) const
	{
	}
};
#endif

struct everything : standard, boosts {
	explicit everything(const libbheap::attachment &heap) : standard(heap), boosts(heap)
	{
	}

	void write(int round)
	{
		standard::write(round);
		boosts::write(round);
	}

	void verify(int round) const
	{
		standard::verify(round);
		boosts::verify(round);
	}
};

static everything *root_of(bheap_t *heap)
{
	return static_cast<everything *>(bheap_root(heap));
}

/* ---- two processes ---- */

/* Ends with what the program ended with. */
static int run(const char *program, const char *what, const void *address)
{
	char text_of_address[32];
	int status = 0;
	pid_t child;

	std::snprintf(text_of_address, sizeof(text_of_address), "%p", address);
	std::fflush(stdout);
	child = fork();
	if (child == 0) {
		execl(program, program, what, text_of_address, static_cast<char *>(nullptr));
		_exit(99);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* Opened at another address than the one told: if need be beside a mapping that lies there. */
static libbheap::heap open_elsewhere(int oflag, const char *address)
{
	libbheap::heap first(open_heap(oflag)), second;
	void *other = nullptr;

	std::sscanf(address, "%p", &other);
	if (bheap_root(first.get()) == other) {
		second.reset(open_heap(oflag));
		std::swap(first, second);
	}
	check(first && bheap_root(first.get()) != other, "the addresses differ");
	return first;
}

/* To read takes no attachment, nor the permission to write. */
static int reader(const char *address)
{
	libbheap::heap heap = open_elsewhere(O_RDONLY, address);

	root_of(heap.get())->verify(1);
	{
		libbheap::attachment attached(heap.get());

		check(fails<std::bad_alloc>("bad_alloc",
					    [&] { (void)in<int>(attached).allocate(1); }),
		      "a heap attached read-only hands out nothing");
	}
	return result();
}

static int writer(const char *address)
{
	libbheap::attachment heap(open_elsewhere(O_RDWR, address));
	everything *root = root_of(heap.get());

	root->verify(1);
	root->write(2);
	root->verify(2);
	return result();
}

static void test_processes(const char *program)
{
	libbheap::attachment heap{libbheap::heap(open_heap())};
	everything *root = libbheap::make_unique<everything>(heap.get(), heap).release();

	check(is_aligned(root, alignof(everything)) && bheap_set_root(heap.get(), root) == 0,
	      "a root");
	root->write(1);
	root->verify(1);
	check(run(program, "read", root) == 0, "another process reads");
	check(run(program, "write", root) == 0, "another process writes");
	root->verify(2);
	root->write(3);
	root->verify(3);
	bheap_set_root(heap.get(), nullptr);
	libbheap::unique_ptr<everything>(root, libbheap::deleter<everything>(heap.get()));
	check(is_empty(heap.get()), "the containers leave nothing");
}

/* ---- handles of one process ---- */

using vector = std::vector<int, in<int>>;

/* What was written through one handle is read, freed and written through another. */
static void test_two_handles()
{
	libbheap::attachment one{libbheap::heap(open_heap())}, two{libbheap::heap(open_heap())};
	vector *numbers = libbheap::make_unique<vector>(one.get(), one).release(), *seen;

	numbers->assign(100, 7);
	bheap_set_root(one.get(), numbers);
	seen = static_cast<vector *>(bheap_root(two.get()));
	check(seen != numbers && in<int>(one) != in<int>(two), "two handles, two addresses");
	check(numbers->get_allocator() == in<int>(one) && seen->get_allocator() == in<int>(two) &&
		      seen->get_allocator().get() == two.get(),
	      "an allocator knows the handle that it is reached through");
	seen->resize(1000, 8);
	check(numbers->size() == 1000 && (*numbers)[99] == 7 && (*numbers)[999] == 8,
	      "one sees what was written through the other");
	bheap_set_root(one.get(), nullptr);
	libbheap::unique_ptr<vector>(seen, libbheap::deleter<vector>(two.get()));
	check(is_empty(one.get()), "one frees what was allocated through the other");
}

/* Assignment leaves each container in its heap. */
static void test_two_heaps()
{
	libbheap::attachment shared{libbheap::heap(open_heap())}, own{libbheap::create(1 << 20)};
	{
		vector one(shared), two(own);

		one.assign(1000, 3);
		two = one;
		check(two == one && two.get_allocator() == in<int>(own) &&
			      bheap_owns(own.get(), two.data()),
		      "a copy lies in the other heap");
		two.push_back(4);
		one = std::move(two);
		check(one.size() == 1001 && bheap_owns(shared.get(), one.data()),
		      "so does what is moved");

		vector copy(one), taken(std::move(one));
		check(copy.get_allocator() == in<int>(shared) && taken.size() == 1001,
		      "a copy lies in the heap of its original");
		check(fails<std::bad_alloc>("bad_alloc", [&] { copy.resize(1 << 20); }),
		      "a vector is refused more than the heap");
		check(copy.size() == 1001 && copy[1000] == 4, "... and is as it was");
		check(fails<std::bad_array_new_length>(
			      "bad_array_new_length",
			      [&] { (void)in<line>(own).allocate(SIZE_MAX / 2); }),
		      "a number of elements without a size is refused");
	}
	check(is_empty(shared.get()) && is_empty(own.get()), "all goes back to its own heap");
}

static void test_attachment()
{
	libbheap::heap heap(open_heap());
	vector *numbers;
	const char *missing = "no libbheap::attachment of the heap";
	{
		libbheap::attachment one(heap.get());
		{
			libbheap::attachment again(heap.get());
		}
		numbers = libbheap::make_unique<vector>(heap.get(), one).release();
		numbers->assign(10, 1);
	}
	check((*numbers)[9] == 1, "a container can be read without an attachment");
	check(fails<std::logic_error>(missing, [&] { numbers->resize(10000); }),
	      "without an attachment nothing is allocated");
	check(aborts(missing, [&] { numbers->~vector(); }), "... and to free aborts");
	{
		libbheap::attachment one(heap.get());

		libbheap::unique_ptr<vector>(numbers, libbheap::deleter<vector>(heap.get()));
	}
	check(is_empty(heap.get()), "attached again, it is freed");
	check(fails<std::system_error>("cannot be attached",
				       [] { libbheap::attachment none{libbheap::heap()}; }),
	      "no heap is no heap to attach");
}

static std::size_t slots()
{
	std::size_t count = 0;

	for (auto *each = libbheap::detail::slots.load(); each; each = each->next)
		count++;
	return count;
}

/* A child of fork() has its parent's attachments. */
static void test_fork()
{
	libbheap::attachment heap{libbheap::heap(open_heap())};
	vector *numbers = libbheap::make_unique<vector>(heap.get(), heap).release();
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		numbers->assign(5000, 9);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child && status == 0, "a child allocates");
	check(numbers->size() == 5000 && numbers->back() == 9, "the parent sees it");
	libbheap::unique_ptr<vector>(numbers, libbheap::deleter<vector>(heap.get()));
	check(is_empty(heap.get()), "and frees it");
}

/* Threads fill and empty vectors in one heap while others attach and detach other heaps. */
static void test_threads()
{
	libbheap::attachment heap{libbheap::heap(open_heap())};
	std::atomic<int> wrong{0};
	std::vector<std::thread> threads;

	for (int thread = 0; thread < 2; thread++) {
		threads.emplace_back([&, thread] {
			for (int round = 0; round < 300; round++) {
				vector numbers(heap);

				for (int number = 0; number < 50; number++)
					numbers.push_back(number ^ thread);
				wrong += numbers[49] != (49 ^ thread);
			}
		});
		threads.emplace_back([&, thread] {
			for (int round = 0; round < 300; round++) {
				libbheap::attachment own{libbheap::create(4096)};
				vector numbers(std::size_t{10}, thread, own);

				wrong += !bheap_owns(own.get(), numbers.data());
			}
		});
	}
	for (std::thread &thread : threads)
		thread.join();
	check(wrong == 0, "each allocator finds its own heap");
	check(is_empty(heap.get()) && slots() < 10, "nothing is left, and slots are used again");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return argv[1][0] == 'r' ? reader(argv[2]) : writer(argv[2]);
	bheap_unlink(path);
	test_processes(argv[0]);
	test_two_handles();
	test_two_heaps();
	test_attachment();
	test_fork();
	test_threads();
	bheap_unlink(path);
	return result();
}
