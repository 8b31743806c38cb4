#!/bin/sh
# SPDX-License-Identifier: MIT
# The malloc family, in each mode of libbheap-malloc, and what its settings do.
. "$srcdir/tests/tools/common.sh"

family=$PWD/tests/tools/family
lifetime=$PWD/tests/tools/lifetime
map=$(cd "$srcdir" && pwd)/tools/libbheap-malloc.map
cd "$scratch" || exit 99

# It exports the family and nothing else, and needs nothing but the C library.
if command -v readelf >/dev/null; then
	readelf --wide --dyn-syms "$preload" | awk '$5 != "LOCAL" && $7 ~ /^[0-9]+$/ { print $8 }' | sort >exported
	sed -n 's/^\t\([A-Za-z_]*\);$/\1/p' "$map" | sort >wanted
	grep -q execve exported || sed -i '/exec\|spawn/d' wanted # before glibc 2.34
	cmp wanted exported || { diff wanted exported; fail "it exports others than it should"; }
	readelf --wide --dynamic "$preload" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -v -e '^libc\.' -e '^ld-linux' && fail "it needs other libraries"
fi

# family_in NAME=VALUE...: the whole family test in this mode
family_in()
{
	echo "== $*"
	env LD_PRELOAD="$preload" "$@" "$family" || fail "the family with $*"
}

family_in BHEAP_MALLOC_SIZE=
family_in BHEAP_MALLOC_SIZE=256M
# The records are no points where a thread is cancelled.
mkdir cancelled
env LD_PRELOAD="$preload" BHEAP_MALLOC_REPORT=cancelled CK_RUN_CASE=processes timeout 60 "$family" >out 2>&1 ||
	{ cat out; fail "with records"; }
family_in BHEAP_MALLOC_CACHE=0
family_in BHEAP_MALLOC_GUARD=1
family_in BHEAP_GUARD=1 BHEAP_MALLOC_GUARD=0
env LD_PRELOAD="$preload" BHEAP_MALLOC_TRIM=0 CK_RUN_CASE=pages "$family" >out 2>&1 &&
	fail "BHEAP_MALLOC_TRIM=0 gives pages back"

# Valgrind replaces some of the family: all blocks must then be Valgrind's.
cat >replaced.c <<'END'
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
void free_sized(void *ptr, size_t size) __attribute__((weak));
void free_aligned_sized(void *ptr, size_t alignment, size_t size) __attribute__((weak));
int main(void)
{
	char *volatile block = realloc(reallocarray(NULL, 10, 10), 200);
	memset(block, 1, 200);
	free(reallocarray(block, 30, 10));
	free(pvalloc(1));
	free_sized(malloc(77), 77);
	free_aligned_sized(aligned_alloc(64, 128), 64, 128);
	return 0;
}
END
if command -v valgrind >/dev/null && ${CC:=cc} -w -D_GNU_SOURCE -fno-builtin -o replaced replaced.c &&
	valgrind -q --error-exitcode=9 sh -c : 2>/dev/null; then
	LD_PRELOAD=$preload valgrind -q --error-exitcode=9 ./replaced >out 2>&1
	got=$?
	if grep -q 'debuginfo reader\|reading debug info' out; then
		echo "skipped: valgrind cannot read the debug information"
	else
		[ $got -eq 0 ] && [ ! -s out ] || { cat out; fail "under Valgrind: status $got"; }
	fi
fi

# From before the constructors until after the destructors; a report of the end is written in between.
mkdir lives
for setting in BHEAP_MALLOC_CACHE=1 BHEAP_MALLOC_CACHE=0 BHEAP_MALLOC_GUARD=1 BHEAP_MALLOC_REPORT="$scratch/lives"; do
	for turn in 1 2 3 4 5; do
		out=$(env LD_PRELOAD="$preload" "$setting" "$lifetime" 2>&1) && [ -z "$out" ] ||
			fail "early and late calls with $setting: status $?, '$out'"
	done
done
[ "$(ls lives | wc -l)" -ge 5 ] || fail "no records of early and late calls"
LD_PRELOAD=$preload BHEAP_MALLOC_SIZE=0 "$lifetime" 2>/dev/null
[ $? -eq 2 ] || fail "the size is not heeded before constructors"

# A size that is none is refused before the program begins.
for size in 0 -1 K 1T 65G 12Q 1.5M 99999999999999999999 'M1'; do
	out=$(LD_PRELOAD=$preload BHEAP_MALLOC_SIZE=$size "$family" 2>&1)
	[ $? -eq 2 ] || fail "size '$size' was taken"
	case $out in
	*"BHEAP_MALLOC_SIZE: '$size' is no size"*) ;;
	*) fail "size '$size': message '$out'" ;;
	esac
done
for size in 67108864 64m 65536K 1g 64MiB; do
	LD_PRELOAD=$preload BHEAP_MALLOC_SIZE=$size env true || fail "size '$size' was refused"
done

# A spent budget is ENOMEM, or a report and the end.
out=$(LD_PRELOAD=$preload BHEAP_MALLOC_SIZE=1M dd if=/dev/zero of=/dev/null bs=2M count=1 2>&1) &&
	fail "dd has 2 MiB of 1 MiB"
case $out in
*memory*exhausted*|*annot\ allocate*) ;;
*) fail "dd without memory says '$out'" ;;
esac
# A shell of its own, so that it is that one which says that it was aborted.
out=$(sh -c "LD_PRELOAD='$preload' BHEAP_MALLOC_SIZE=1M BHEAP_MALLOC_ABORT=1 \
	dd if=/dev/zero of=/dev/null bs=2M count=1" 2>&1)
[ $? -eq 134 ] || fail "a spent budget did not abort"
case $out in
*"the budget is spent: "*" bytes refused;"*"  of 1048576 bytes "*) ;;
*) fail "no report of the spent budget: '$out'" ;;
esac

# recorded FIELD CACHE WORK...: what the record of some work of the family says, with or without caches
recorded()
{
	field=$1 cache=$2
	shift 2
	mkdir records
	LD_PRELOAD=$preload BHEAP_MALLOC_CACHE=$cache BHEAP_MALLOC_REPORT=$scratch/records "$family" "$@" || fail "$*"
	sed -n "s/^$field //p" records/*
	rm -r records
}

# Threads that end leave nothing in their caches.
few=$(recorded live_blocks 1 threads 2) many=$(recorded live_blocks 1 threads 40)
[ -n "$few" ] && [ "$many" -le $((few + 8)) ] || fail "threads that ended keep blocks: $few, then $many"

# The record has no block that a cache has, and counts each call, as without caches.
for figure in live_blocks used allocations frees; do
	for work in keeps "threads 2"; do
		cached=$(recorded $figure 1 $work) uncached=$(recorded $figure 0 $work)
		[ "$cached" = "$uncached" ] || fail "$work: $figure is $cached, $uncached without caches"
	done
done

# What is asked for once is not fetched in stock: these are 64 blocks of 33280 bytes in all.
for cache in 0 1; do
	peak=$(recorded peak_used $cache sizes)
	[ -n "$peak" ] && [ "$peak" -le $((33280 + 4096)) ] || fail "a stock of each size: $peak bytes (cache $cache)"
done

# The record counts what the caches find, too.
faults=$(recorded faults 1 faults 40 4000 2>/dev/null)
[ "$faults" = 2 ] || fail "the record tells of $faults faults, not of 2"

# A fault is reported, and the end if asked: one that the cache sees, and one that the heap does.
for size in 40 4000; do
	out=$(LD_PRELOAD=$preload "$family" faults $size 2>&1) || fail "a double free of $size bytes: status $?"
	abort=$(sh -c "LD_PRELOAD='$preload' BHEAP_ABORT=1 '$family' faults $size" 2>&1)
	[ $? -eq 134 ] || fail "a double free of $size bytes did not abort"
	for said in "$out" "$abort"; do
		case $said in
		"bheap: 0x"*": the block is free already"*) ;;
		*) fail "a double free of $size bytes: '$said'" ;;
		esac
	done
done

# A limited address space: the default size gives way, one asked for does not.
(ulimit -v 4000000; LD_PRELOAD=$preload env true) || fail "no heap in a limited address space"
out=$( (ulimit -v 4000000; LD_PRELOAD=$preload BHEAP_MALLOC_SIZE=32G env true) 2>&1)
[ $? -eq 2 ] || fail "a size that does not fit was taken"
case $out in
*"no heap of 34359738368 bytes: ENOMEM"*) ;;
*) fail "a size that does not fit: '$out'" ;;
esac
finish
