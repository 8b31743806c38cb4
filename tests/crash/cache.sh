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
$put "$cache" -s "an option's name" && [ "$($get "$cache" -s)" = "an option's name" ] || fail "-s as a key"
$get "$cache" question 2>cache-$$.err && fail "a key that was not put is there"
grep -q 'question: No such file' cache-$$.err || fail "get said: $(cat cache-$$.err)"
echo "no heap, but long enough to be one: $(seq 1000)" >cache-$$.text
$put cache-$$.text a b 2>cache-$$.err && fail "a text was taken for a cache"
grep -q 'it is not a heap' cache-$$.err || fail "put said: $(cat cache-$$.err)"
rm "$cache"

# ---- where there is no cache ----

$get "$cache" answer 2>cache-$$.err && fail "a cache that is not there was read"
grep -q "cache_get: $cache: No such file" cache-$$.err || fail "get said: $(cat cache-$$.err)"
[ ! -e "$cache" ] || fail "get made a file"
: >cache-$$.empty
$get cache-$$.empty 2>cache-$$.err && fail "an empty file was read"
grep -q 'empty: No data available' cache-$$.err || fail "get said: $(cat cache-$$.err)"
[ ! -s cache-$$.empty ] || fail "get made a cache of an empty file"
$put cache-$$.empty answer 42 || fail "put makes no cache of an empty file"

# ---- what can never fit ----

for size in 63k 64x 0 -1; do
	$put -s "$size" "$cache" answer 42 2>cache-$$.err
	[ $? -eq 2 ] && grep -q 'Usage: cache_put' cache-$$.err || fail "put accepted the size $size"
	[ ! -e "$cache" ] || fail "put made a file of $size"
done

# filler SIZE: as many bytes, without a newline.
filler() {
	head -c "$1" /dev/zero | tr '\0' x
}

seq -f '%g value' 100 | $put -s 64k "$cache" || fail "put"
[ "$(wc -c <"$cache")" -eq 65536 ] || fail "-s 64k made a cache of $(wc -c <"$cache") bytes"
{ printf 'large '; filler 65536; printf '\nlast value\n'; } | $put "$cache" 2>cache-$$.err &&
	fail "an entry as large as the cache was put"
most=$(sed -n 's/^cache_put: an entry of [0-9]* bytes: the cache has room for \([0-9]*\)$/\1/p' cache-$$.err)
[ "${most:-0}" -gt 32768 ] || fail "put said: $(cat cache-$$.err)"
[ "$($get "$cache" 2>/dev/null | wc -l)" -eq 101 ] || fail "entries were evicted for one that cannot fit"
[ "$($get "$cache" last)" = value ] || fail "the line after one that is too long was not put"

# To the byte: 16 are the entry's head, and its key has 5.
{ printf 'large '; filler $((most - 20)); } | $put "$cache" 2>cache-$$.err && fail "one byte too many was put"
[ "$($get "$cache" 2>/dev/null | wc -l)" -eq 101 ] || fail "entries were evicted for one byte too many"
{ printf 'large '; filler $((most - 21)); } | $put "$cache" || fail "the largest entry was not put"
[ "$($get "$cache" large | wc -c)" -eq $((most - 20)) ] || fail "the largest entry is not whole"
[ "$($get "$cache" 2>/dev/null | wc -l)" -eq 1 ] || fail "the largest entry is not alone"
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

# It is there before anyone looks.
$put "$cache" 1 '1 x' || fail "put"
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
