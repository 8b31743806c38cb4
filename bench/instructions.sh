#!/bin/sh
# SPDX-License-Identifier: MIT
#
# instructions.sh REPLAY [TRACE]... - instructions of a call, by callgrind, on the made-up traces and
# those named. CALLGRIND: the valgrind to run; LIBTOOL: how to run a program of the build tree.
set -eu

replay=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Lines of callgrind_annotate: "  COUNT (PERCENT)  * FILE:FUNCTION" under its callers,
# "  COUNT (PERCENT)  < FILE:CALLER (CALLSx)"; callers come first. Of a function with two names, callgrind
# knows one.
calls_print() {
	awk -v trace="$1" '
		function number(text) { gsub(/,/, "", text); return text + 0 }
		$0 ~ / < / && match($0, /\([0-9,]+x\)/) { calls += number(substr($0, RSTART + 1, RLENGTH - 3)) }
		$0 ~ / \* / {
			name = $0
			sub(/.* \* [^:]*:/, "", name)
			sub(/ .*/, "", name)
			sub(/^bh_block_/, "bheap_", name)
			if (name ~ /^bheap_(alloc|free|realloc)$/ && calls > 0)
				printf "%-16s %-16s %10d %10.1f\n", trace, name, calls, number($1) / calls
			seen[name]
		}
		/^ *$/ { calls = 0 }
		END {
			if (!("bheap_alloc" in seen && "bheap_free" in seen)) {
				print "instructions.sh: no calls were counted" >"/dev/stderr"
				exit 1
			}
		}'
}

trace_count() {
	name=$1
	shift
	$LIBTOOL --quiet --mode=execute "$CALLGRIND" --quiet --tool=callgrind \
		--callgrind-out-file="$folder/out" "$replay" --speed --rounds=1 "$@" >/dev/null
	callgrind_annotate --inclusive=yes --tree=caller --threshold=100 "$folder/out" |
		calls_print "$name"
}

printf '\nInstructions of a call by callgrind, BHEAP_UNLOCKED\n'
printf '%-16s %-16s %10s %10s\n' trace function calls mean
for trace; do
	trace_count "$(basename "${trace%%.*}")" --flags=unlocked "$trace"
done
trace_count 'made up' --flags=unlocked --made-up
