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
		for size in 48 240; do
			what="$size bytes, $place, cache $cache"
			run forge $size $place || fail "forge $what: status $?: malloc() returned what is no block of its heap"
			grep -Eq '^bheap: .* (written to after free|the index is damaged)' "$scratch/err" || {
				head -n 3 "$scratch/err"; fail "forge $what: not reported"; }
			run double $size $place || fail "double $what: status $?"
			grep -Eq '^bheap: 0x.* (the block is free already|or freed twice)' "$scratch/err" || {
				head -n 3 "$scratch/err"; fail "double $what: not reported"; }
		done
	done
done
finish
