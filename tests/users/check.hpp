/* SPDX-License-Identifier: MIT */
/*
 * check.hpp - what the C++ programs of this folder share: checks that are counted, the statistics
 * of a heap that is whole, and failures, which are exceptions or, without these, aborts.
 */
#ifndef CHECK_HPP
#define CHECK_HPP

#include <bheap.hpp>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/wait.h>
#include <unistd.h>

inline int failures;

#ifdef __cpp_exceptions
inline constexpr bool has_exceptions = true;
#else
inline constexpr bool has_exceptions = false;
#endif

inline void check(bool good, const char *what)
{
	if (!good)
		std::printf("FAIL: %s\n", what);
	failures += !good;
}

inline int result()
{
	return failures > 90 ? 90 : failures;
}

inline struct bheap_stats stats_of(const bheap_t *heap)
{
	struct bheap_stats stats;

	check(bheap_stats(heap, &stats) == 0 && bheap_check(heap, nullptr) == 0,
	      "the heap is whole");
	return stats;
}

/* All that was allocated was freed, in one piece, and nothing was misused. */
inline bool is_empty(const bheap_t *heap)
{
	struct bheap_stats stats = stats_of(heap);

	return stats.live_blocks == 0 && stats.largest_free == stats.size && stats.faults == 0;
}

inline bool is_aligned(const volatile void *start, std::uintptr_t alignment)
{
	return reinterpret_cast<std::uintptr_t>(start) % alignment == 0;
}

/* True if function aborts in a process of its own, after a line to standard error with text in it.
 */
template <typename Function> bool aborts(const char *text, Function function)
{
	char said[1000] = "";
	std::size_t length = 0;
	int ends[2], status = 0;
	pid_t child;

	if (pipe(ends) || (std::fflush(stdout), child = fork()) == -1)
		return false;
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		function();
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t part; (part = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0;)
		length += static_cast<std::size_t>(part);
	close(ends[0]);
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGABRT && std::strstr(said, "libbheap: ") &&
	       std::strstr(said, text);
}

/* True if function throws an Exception; without exceptions, if it aborts and says text. */
#ifdef __cpp_exceptions
template <typename Exception, typename Function> bool fails(const char *, Function function)
{
	try {
		function();
	} catch (const Exception &) {
		return true;
	}
	return false;
}
#else
template <typename Exception, typename Function> bool fails(const char *text, Function function)
{
	return aborts(text, function);
}
#endif

#endif
