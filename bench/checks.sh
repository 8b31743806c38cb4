#!/bin/sh
# SPDX-License-Identifier: MIT
# Traces: good ones replay with their content intact, each fault of a bad one is named with its line,
# and what record has recorded is a good one.
work=bench/checks.dir
[ -x bench/replay ] || { echo "the benchmarks were not built: zlib is missing"; exit 77; }
rm -rf "$work"
mkdir -p "$work"
failed=0
complain() { echo "$*"; failed=1; }

# expect STATUS TEXT LINES: a trace of these lines ends replay so, with this text in its output.
expect() {
	printf '%b' "$3" >"$work/trace.txt"
	$EMULATOR bench/replay --check "$work/trace.txt" >"$work/out" 2>&1
	status=$?
	[ $status -eq "$1" ] || complain "'$3': exit status $status instead of $1"
	grep -qF "$2" "$work/out" || complain "'$3': no '$2' in: $(cat "$work/out")"
}

expect 0 'all well' 'a 0 48\nm 1 4096 100\nr 0 5000\nr 0 0\nf 0\na 0 0\nf 1'
expect 2 'trace.txt:2: an operation begins with' 'a 0 48\nx 1 2\n'
expect 2 'trace.txt:2: the ID is not that of a live block' 'a 0 48\nf 1\n'
expect 2 'trace.txt:3: the ID is not that of a live block' 'a 0 48\nf 0\nr 0 1\n'
expect 2 'trace.txt:2: the ID is in use already' 'a 0 48\na 0 1\n'
expect 2 'trace.txt:1: a size was expected' 'a 0\n'
expect 2 'trace.txt:1: a size was expected' 'a 0 99999999999999999999\n'
expect 2 'trace.txt:1: the size is too large' 'a 0 18446744073709551615\n'
expect 2 'trace.txt:1: the ID is too large' 'a 4294967297 5\n'
expect 2 'trace.txt:1: an ID was expected' 'f -1\n'
expect 2 'trace.txt:1: an alignment' 'm 0 24 100\n'
expect 2 'trace.txt:1: there is more on the line' 'f 0 0\n'
expect 2 'trace.txt:1: the trace is empty' ''

printf 'a 0 100000\n' >"$work/large.txt"
$EMULATOR bench/replay --region=8192 "$work/large.txt" >"$work/out" 2>&1
[ $? -eq 1 ] || complain 'a region that is too small does not fail'
grep -q 'operation 1 of 1: no room for 100000 bytes' "$work/out" || complain 'nor is it explained'

for flags in unlocked guard realtime unlocked,guard; do
	$EMULATOR bench/replay --check --made-up --flags=$flags >"$work/out" 2>&1 ||
		complain "made-up traces, $flags: $(cat "$work/out")"
	[ "$(grep -c 'all well' "$work/out")" -eq 6 ] || complain "not all six were checked, $flags"
done

# The module cannot be preloaded into a program of another machine, nor beside a sanitizer's malloc;
# configured with --disable-shared there is none.
if [ -z "$EMULATOR" ] && [ -e bench/.libs/record.so ] && ! case "$CFLAGS" in *-fsanitize=*) true ;; *) false ;; esac; then
	bench/record -o "$work/bash.gz" bash -c 'for ((i = 0; i < 999; i++)); do a[i]=$i$i; done' ||
		complain 'record failed'
	$EMULATOR bench/replay --check "$work/bash.gz" >"$work/out" 2>&1 || complain "$(cat "$work/out")"
	[ "$(gzip -dc "$work/bash.gz" | wc -l)" -gt 999 ] || complain 'record left something out'
fi

[ $failed -eq 1 ] || rm -rf "$work"
exit $failed
