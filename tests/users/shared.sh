#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap.hpp for several processes: containers in a shared heap, at two addresses. Those of
# Boost.Container where it is found.
. "$srcdir/tests/users/common.sh"
. "$srcdir/tests/users/cxx.sh"

cxx_knows "$CXX" c++17 || skip "no C++17 compiler with memory_resource"

# The usual optimisation once: it is what would take wrong pointers for others.
cxx_compilers >compilers
cxx_try "$CXX" c++17 shared
! have_valgrind || memcheck ./shared || fail "memory errors"
while read -r compiler; do
	! cxx_knows "$compiler" c++20 ||
		cxx_try "$compiler" c++20 shared -O0 -g0 -D_GLIBCXX_ASSERTIONS -fno-rtti -fno-exceptions
done <compilers

# kind OPTIONS...: 0 if that container of the standard library works, 1 if it does not compile. One
# that compiles and does not work would be a trap.
kind()
{
	kind=$1
	shift
	cxx_build "$CXX" c++17 container -O1 -g0 -DKIND="$kind" 2>err || return 1
	./container || fail "std::$kind compiles, and does not work: $?"
	echo "std::$kind works"
}

for each in vector deque; do
	kind $each || fail "std::$each: $(cat err)"
done
for each in list forward_list set map unordered_set unordered_map string vector_bool; do
	kind $each || echo "std::$each does not compile"
done

# refuse KIND: it does not compile, and the compiler says why.
refuse()
{
	! kind "$1" || fail "$1 can be shared"
	grep -q 'an address means nothing in another process' err || fail "$1: unclear: $(cat err)"
}

refuse addresses
refuse shapes
if echo '#include <vector>' | $CXX -E -dM -x c++ - | grep -q '__GLIBCXX__'; then
	refuse vector_bool
fi
