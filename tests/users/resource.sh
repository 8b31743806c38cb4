#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap.hpp for one process: the memory resource, the allocator, the deleter, the pointer; from C++17
# on, with each compiler here, with and without RTTI and exceptions.
. "$srcdir/tests/users/common.sh"
. "$srcdir/tests/users/cxx.sh"

cxx_knows "$CXX" c++17 || skip "no C++17 compiler with memory_resource"

for program in resource allocator pointer; do
	cxx_matrix $program
	! have_valgrind || memcheck ./$program || fail "$program: memory errors"
done
echo "$cxx_tried programs"

# libc++ had no memory resource before its version 16: then the rest is there.
if is_plain && clang++ $CXXFLAGS -stdlib=libc++ -std=c++17 -include vector probe.cpp -o probe 2>probe.err; then
	for program in allocator pointer; do
		cxx_try "clang++ -stdlib=libc++" c++17 $program -g0
	done
fi

# A container without a heap does not compile, and the message tells what is missing.
cat >none.cpp <<'END'
#include <bheap.hpp>
#include <vector>
std::vector<int, libbheap::ALLOCATOR<int>> none;
END
for allocator in allocator shared_allocator; do
	! $CXX $CXXFLAGS -std=c++17 -I"$srcdir/include" -DALLOCATOR=$allocator -c none.cpp 2>probe.err ||
		fail "a container has a $allocator of no heap"
	grep -q 'is constructed with its heap' probe.err || fail "unclear: $(cat probe.err)"
done

$CXX $CXXFLAGS -std=c++14 -fsyntax-only -I"$srcdir/include" -include bheap.hpp probe.cpp 2>probe.err &&
	fail "C++14 was taken"
grep -q 'needs C++17' probe.err || fail "C++14: unclear: $(cat probe.err)"
