#!/bin/sh
# SPDX-License-Identifier: MIT
# Limits of the system meet no more of the heap than is in use: mlockall(2), RLIMIT_AS, RLIMIT_DATA, core
# files; and a write that runs off it ends the program.
. "$srcdir/tests/tools/common.sh"

limits=$PWD/tests/tools/limits
bheap=$PWD/tools/bheap
program=$PWD/tests/tools/ends
export BHEAP_RECORD_LIBRARY="$PWD/tools/.libs/bheap-record.so"
export BHEAP_MALLOC_LIBRARY="$preload"
cd "$scratch" || exit 99
ran=0

# limits_in KIND SIZE STATUS: the program with a heap of this size, after one with the C library's malloc()
limits_in()
{
	timeout 120 "$limits" "$1" >out 2>&1
	got=$?
	[ $got -eq 77 ] && { echo "skipped: $1"; return; }
	[ $got -eq $3 ] || fail "$1 with the C library: status $got: $(cat out)"
	timeout 120 env LD_PRELOAD="$preload" BHEAP_MALLOC_SIZE="$2" "$limits" "$1" >out 2>&1
	got=$?
	[ $got -eq $3 ] || fail "$1 with BHEAP_MALLOC_SIZE=$2: status $got: $(cat out)"
	ran=$((ran + 1))
}

# A sanitizer maps terabytes.
case "${CC-} ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has no limits"; exit 77 ;; esac
ulimit -c 0
for size in '' 1G; do
	for kind in little root address data write; do
		limits_in $kind "$size" 0
	done
	limits_in core "$size" 134
done

# A core file holds what was written to, where the system leaves one here at all.
if (ulimit -c unlimited) 2>/dev/null; then
	for library in '' "$preload"; do
		(ulimit -c unlimited; LD_PRELOAD=$library "$limits" core) >/dev/null 2>&1
		for file in core*; do
			[ -e "$file" ] || { echo "skipped: no core file"; continue; }
			size=$(wc -c <"$file")
			[ "$size" -le 67108864 ] || fail "a core file of $size bytes"
			rm -f "$file"
		done
	done
fi

# The same real program, with as much address space, does the same.
if command -v xz >/dev/null; then
	head -c 100000 "$preload" >file
	for space in 40000 110000 150000 250000; do
		(ulimit -v $space; xz -6 -T1 -c file) >plain.xz 2>/dev/null
		wanted=$?
		(ulimit -v $((space + space / 50 + 4000)); LD_PRELOAD=$preload xz -6 -T1 -c file) >own.xz 2>err
		got=$?
		[ $got -eq 0 ] || [ $wanted -ne 0 ] || fail "xz in $space KiB: $(cat err)"
	done
fi

# A recording leaves the program most of a limited address space.
for command in size 'size --leaks'; do
	[ -x "$bheap" ] || continue # it was not built
	"$bheap" $command --json --output=answer sh -c 'ulimit -v 300000; exec "$@"' sh "$program" +100x1000000 >out 2>&1
	grep -q '"peak_live": *100000000\>' answer || { cat out; fail "$command: where address space is limited"; }
	"$bheap" $command sh -c 'ulimit -v 150000; "$@"; :' sh "$program" +2000000x16 >out 2>&1
	grep -A1 '^bheap: the recording of .* is cut short:$' out | grep -q '^  too little address space' ||
		{ cat out; fail "$command: a recording that is too large for the address space"; }
done
# Also of one that the program sets itself; what it does not get is said.
for function in 1 2 3 4; do
	[ -x "$bheap" ] || continue
	"$bheap" size --json --output=answer "$limits" i$function >out 2>&1
	is "status of a limit of its own, by function $function" $? 0
	grep -q '"failures": *1\>' answer || { cat out answer; fail "size: one request was refused"; }
	"$bheap" size "$limits" i$function | grep -q '^  requests refused for lack of memory: 1; ' || fail "size: a refusal is not told"
done
if [ -x "$bheap" ]; then
	"$bheap" size "$limits" v >answer 2>out || { cat out; fail "a limit of a child of vfork()"; }
	grep -q ' 10000[0-9] blocks at most' answer || { cat answer out; fail "a limit of a child of vfork() cuts its parent's recording"; }
fi
# What bheap shares with a program takes a part of a limited address space; its table is full sooner then, and
# what is missing is said. A program that limits itself has the whole table.
if [ -x "$bheap" ]; then
	for space in 20000 50000 1000000; do
		(ulimit -v $space; "$bheap" run "$program" +100x1000) >out 2>&1
		is "status, in $space KiB" $? 0
		grep -q '^  live at the end  *100 blocks,' out || { cat out; fail "run in $space KiB of address space"; }
		(ulimit -v $space; "$bheap" size --json --output=answer "$program" +100x1000) >out 2>&1
		grep -q '"peak_live": *100000\>' answer || { cat out; fail "size in $space KiB of address space"; }
		(ulimit -v $space; "$bheap" calls --json --output=answer "$program" +100x1000) >out 2>&1
		grep -q '"malloc"' answer || { cat out; fail "calls in $space KiB of address space"; }
	done
	# An eighth of 12 MB: some 3000 processes, but not 4000.
	(ulimit -v 12000; "$bheap" run sh -c 'i=0; while [ $i -lt 4000 ]; do (:); i=$((i + 1)); done') >out 2>&1
	is "status with a full table" $? 0
	missed=$(sed -n 's/^bheap: \([0-9]*\) more processes .*$/\1/p' out)
	[ "${missed:-0}" -gt 500 ] && [ "$missed" -lt 1500 ] || { cat out; fail "a full table: $missed processes are missing"; }
fi
[ $ran -gt 0 ] || exit 77
finish
