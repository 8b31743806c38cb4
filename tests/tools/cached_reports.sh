#!/bin/sh
# SPDX-License-Identifier: MIT
# A second free of a block that was overwritten in between, while a thread's cache holds it, is reported.
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
		run double $place || fail "double $place, cache $cache: status $?"
		grep -Eq '^bheap: 0x.* (the block is free already|or it was freed twice)' "$scratch/err" || {
			head -n 3 "$scratch/err"; fail "double $place, cache $cache: not reported"; }
	done
done
finish
