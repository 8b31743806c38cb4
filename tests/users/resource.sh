#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap.hpp works in C++17 and C++20.
. "$srcdir/tests/users/common.sh"

warnings="-Wall -Wextra -pedantic -Wconversion -Wnon-virtual-dtor -Werror"

echo '#include <memory_resource>' >probe.cpp
$CXX $CXXFLAGS -std=c++17 -c probe.cpp 2>probe.err || skip "no C++17 compiler with memory_resource"

for standard in c++17 c++20; do
	$CXX $CXXFLAGS -std=$standard -c probe.cpp 2>probe.err || continue
	$CXX $CXXFLAGS -std=$standard $warnings -I"$srcdir/include" -c \
		"$srcdir/tests/users/resource.cpp" -o resource.o || fail "$CXX -std=$standard: warnings"
	"$build/libtool" --quiet --tag=CXX --mode=link $CXX $CXXFLAGS $LDFLAGS resource.o \
		-o resource lib/libbheap.la || fail "$CXX -std=$standard: does not link"
	./resource || fail "$standard: $? checks failed"
	! have_valgrind || memcheck ./resource || fail "$standard: memory errors"
done

$CXX $CXXFLAGS -std=c++14 -fsyntax-only -I"$srcdir/include" -include bheap.hpp probe.cpp 2>probe.err &&
	fail "C++14 was taken"
grep -q 'needs C++17' probe.err || fail "C++14: unclear: $(cat probe.err)"
