#!/bin/sh
# SPDX-License-Identifier: MIT
# The two programs that share a cache do, while they are killed and started again.
set -u
cache=cache-$$.heap
trap 'rm -f "$cache" cache-$$.*' EXIT
put=./examples/cache_put
get=./examples/cache_get

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# ---- one after the other ----

$put "$cache" answer 42 || fail "put"
[ "$($get "$cache" answer)" = 42 ] || fail "another program does not find what was put"
$put "$cache" answer 43 && $put "$cache" "" nothing && $put "$cache" empty "" || fail "put"
[ "$($get "$cache" answer)" = 43 ] || fail "a value was not replaced"
[ "$($get "$cache" "")" = nothing ] || fail "an empty key"
[ "$($get "$cache" empty)" = "" ] || fail "an empty value"
$get "$cache" question 2>cache-$$.err && fail "a key that was not put is there"
grep -q 'question: No such file' cache-$$.err || fail "get said: $(cat cache-$$.err)"
echo "no heap, but long enough to be one: $(seq 1000)" >cache-$$.text
$put cache-$$.text a b 2>cache-$$.err && fail "a text was taken for a cache"
grep -q 'it is not a heap' cache-$$.err || fail "put said: $(cat cache-$$.err)"
rm "$cache"

# ---- killed and restarted ----

# Every value tells its key, whatever was cut short; and nothing is in the heap but table and entries.
look() {
	$get "$cache" >cache-$$.out 2>cache-$$.err || fail "the cache is lost: $(cat cache-$$.err)"
	awk '$2 != $1 * $1 || length($3) != $1 % 1000 { print "FAIL: " $0; bad = 1 }
	     END { exit bad }' cache-$$.out >&2 || fail "a torn entry"
	awk '/entries/ && $4 == $1 + 1 { good = 1 } END { exit !good }' cache-$$.err ||
		fail "not an entry a block: $(cat cache-$$.err)"
}

# More lines than can be put before the programs are killed.
awk 'BEGIN {
	for (n = 0; n < 1000; n++) {
		text[n] = sprintf("%*s", n, "")
		gsub(/ /, "x", text[n])
	}
	srand(1)
	for (n = 0; n < 50000; n++) {
		key = int(rand() * 5000)
		print key, key * key, text[key % 1000]
	}
}' >cache-$$.lines

round=0
while [ $round -lt 20 ]; do
	round=$((round + 1))
	$put "$cache" <cache-$$.lines &
	first=$!
	tail -n $((round * 2000)) cache-$$.lines | $put "$cache" &
	second=$!
	sleep 0.0$((10 + round * 2))
	[ $((round % 3)) -eq 0 ] || look
	kill -KILL $first 2>/dev/null
	[ $((round % 3)) -eq 1 ] || look
	kill -KILL $second 2>/dev/null
	wait $first $second 2>/dev/null
	look
done
[ "$(wc -l <cache-$$.out)" -gt 1000 ] || fail "only $(wc -l <cache-$$.out) entries"
$get "$cache" 2>&1 >/dev/null
