#!/bin/sh
# SPDX-License-Identifier: MIT
# A write into a freed block, which a thread's cache may hold, and a second free after it: malloc()
# returns nothing but blocks of the heap, each of them once, and the second free is reported.
. "$srcdir/tests/tools/common.sh"

cached=$PWD/tests/tools/cached

# run ARGUMENT...: in the library, what it reports in the file err, which cannot grow without end
run()
{
	(ulimit -f 200; exec timeout 60 env LD_PRELOAD="$preload" "$cached" "$@") 2>"$scratch/err"
}

for place in "" thread; do
	for cache in 1 0; do
		BHEAP_MALLOC_CACHE=$cache; export BHEAP_MALLOC_CACHE
		run forge $place || fail "forge $place, cache $cache: status $?: malloc() returned what is no block of its heap"
		run double $place || fail "double $place, cache $cache: status $?"
		grep -Eq '^bheap: 0x.* (the block is free already|or freed twice)' "$scratch/err" || {
			head -n 3 "$scratch/err"; fail "double $place, cache $cache: not reported"; }
	done
done
finish
