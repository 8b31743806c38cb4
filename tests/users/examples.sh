#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples do their job on real files, and say what is wrong when they cannot.
. "$srcdir/tests/users/common.sh"
examples=./examples

# A program's output with its addresses made equal.
plain()
{
	sed 's/0x[0-9a-f]\{16\}/ADDRESS/g'
}

# Fails unless a command ends with a status and its standard error has a text in it.
expect_error()
{
	wanted=$1 text=$2
	shift 2
	status=0
	"$@" >out 2>err || status=$?
	test "$status" -eq "$wanted" || fail "$* ended with $status, not $wanted"
	grep -q -e "$text" err || fail "$* did not say '$text': $(cat err)"
}

# ---- hello ----

$examples/hello | plain >out
cat >wanted <<'END'
hello, world
No.     Status  Prev    t_Begin             t_End               t_Size
1       alloc   alloc   ADDRESS  ADDRESS  16
2       FREE    alloc   ADDRESS  ADDRESS  1008
3       alloc   FREE    ADDRESS  ADDRESS  16
4       FREE    alloc   ADDRESS  ADDRESS  3056
Total used:         32 bytes
Total free:         4064 bytes
Total size:         4096 bytes
Largest free block: 3056 bytes
END
diff -u wanted out || fail "hello printed something else"

# ---- each builds with what pkg-config prints and nothing else, as examples/Makefile has it ----

if command -v pkg-config >/dev/null; then
	mkdir alone
	cp "$srcdir"/examples/*.[ch] "$srcdir/examples/Makefile" alone
	MAKEFLAGS= MAKELEVEL= PKG_CONFIG_PATH=$build/pkgconfig \
		make -C alone CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS" >out 2>&1 || fail "$(cat out)"
	for source in alone/*.c; do
		name=$(basename "$source" .c)
		case $name in adapter_*) test -x "$examples/$name" || continue ;; esac
		test -x "alone/$name" || fail "$source was not built"
	done
	alone/hello | plain | diff -u wanted - || fail "hello built alone printed something else"
fi

# ---- leaks: by the line that allocated ----

line=$(grep -n 'value = tagged_alloc' "$srcdir/examples/leaks.c" | cut -d: -f1)
printf 'colour = blue\n%s: 100 bytes\n1 not freed\n' "leaks.c:$line" >wanted
$examples/leaks | sed 's,.*/leaks\.c:,leaks.c:,' | diff -u wanted - || fail "leaks found others"

# ---- words: against what sort(1) and uniq(1) count in the sources of the library ----

cat "$srcdir"/lib/*/*.[ch] "$srcdir/COPYING" >text
tr 'A-Z' 'a-z' <text | LC_ALL=C tr -c "a-z'\\200-\\377" '\n' | sed "s/^'*//; s/'*\$//" |
	sed '/^$/d' | LC_ALL=C sort | uniq -c | LC_ALL=C sort -k1,1nr -k2 |
	awk '{ printf "%8d  %s\n", $1, $2; total += $1 }
	     END { printf "%d words, %d different\n", total, NR >"wanted.head" }' >wanted.all
$examples/words -n 100 text >out
head -n 1 out | diff -u wanted.head - || fail "words counted something else"
sed 100q wanted.all >wanted
sed -n 2,101p out | diff -u wanted - || fail "words found other words most frequent"
different=$(cut -d ' ' -f 3 wanted.head)
$examples/words -n "$different" -s 1M text | sed -n "2,$((different + 1))p" | diff -u wanted.all - ||
	fail "words lost some"

# What stays in the heap are the words printed and nothing else.
$examples/words -n 7 text >out
test "$(grep -c ' *alloc  ' out)" -eq "$(grep -c '0x' out)" || fail "two free blocks are neighbours"
test "$(grep -c '^[0-9]* *alloc ' out)" -eq 7 || fail "words left more than 7 blocks"

expect_error 1 'words: missing: No such file or directory' $examples/words missing
expect_error 1 'words: \.: Is a directory' $examples/words .
expect_error 1 'the heap of 4096 bytes is spent after [1-9][0-9]* words' $examples/words -s 4K text
expect_error 1 'a heap of 0 bytes: Invalid argument' $examples/words -s 0 text
expect_error 2 'Usage: words' $examples/words
expect_error 2 'Usage: words' $examples/words -s 4X text
expect_error 2 'Usage: words' $examples/words -s 17179869184G text
if test -c /dev/full; then
	status=0
	$examples/words text >/dev/full 2>err || status=$?
	test $status -eq 1 || fail "words did not see that its output was lost"
fi
: >empty
$examples/words empty | grep -q '^0 words, 0 different$' || fail "words saw words in an empty file"

# ---- json ----

data=$srcdir/tests/users
$examples/json "$data/orders.json" >out 2>err
diff -u "$data/orders.out" out || fail "json printed another document"
grep -q 'orders.json: 37 values, [0-9]* of 1048576 bytes used' err || fail "json reported: $(cat err)"
$examples/json out 2>err | diff -u out - || fail "json changed what it had printed itself"

# A budget that is spent by one document, by its tree or by its text, leaves the others alone.
awk 'BEGIN { print "["; for (i = 0; i < 5000; i++) print i ","; print "null]" }' >large.json
expect_error 3 'large.json:[0-9]*:[0-9]*: the budget is spent: [1-9][0-9]* values, [0-9]* of 65536' \
	$examples/json -b 64K "$data/orders.json" large.json "$data/orders.json"
cat "$data/orders.out" "$data/orders.out" | diff -u - out || fail "the other documents suffered"
expect_error 3 'large.json: the budget is spent: 0 values' $examples/json -b 4K large.json
$examples/json -b 2M large.json >out 2>err || fail "2 MiB are not enough: $(cat err)"
test "$(wc -l <out)" -eq 5003 || fail "json lost elements"

expect_error 1 'json: missing: No such file or directory' $examples/json missing
expect_error 1 'json: \.: Is a directory' $examples/json .
expect_error 2 'Usage: json' $examples/json

# A budget is rounded up to whole pages, as the usage says.
grep -q 'whole pages' err || fail "json's usage: $(cat err)"
echo '[]' | $examples/json -b 1 /dev/stdin 2>err >out || fail "a page is too small for an empty list"
grep -q " of $(getconf PAGESIZE) bytes used" err || fail "json with a budget of 1 byte: $(cat err)"
expect_error 2 'Usage: json' $examples/json -b 0 out
expect_error 2 'Usage: json' $examples/json -b 1T out

# What is no JSON: the place and the reason.
while IFS='|' read -r text place; do
	printf "$text" >bad.json
	expect_error 1 "bad.json:$place" $examples/json bad.json
	test ! -s out || fail "json printed a part of '$text'"
done <<'END'
|1:1: a value is wanted
[1,]|1:4: a value is wanted
[1 2]|1:4: ',' or '\]' is wanted
{"a":1|1:7: ',' or '}' is wanted
{"a" 1}|1:6: ':' is wanted
{a:1}|1:2: a name in quotation marks is wanted
{"a":1,}|1:8: a name in quotation marks is wanted
"no end|1:8: a string does not end
"\\x"|1:3: an unknown escape
"\\u12g4"|1:6: an unknown escape
"\\u12|1:6: an unknown escape
"a\nb"|1:3: a control character
01|1:2: something follows
1.|1:3: not a number
-|1:2: not a number
2e+|1:4: not a number
nul|1:1: a value is wanted
true\n\n false|3:2: something follows
[1,\0002]|1:4: a value is wanted
"\000"|1:2: a control character
END
printf '[1,]' >bad.json
expect_error 3 'bad.json:1:4: a value is wanted' $examples/json -b 64K bad.json large.json bad.json

# The parser calls itself: the depth is bounded, not by the budget and not by the stack.
for opening in '[' '{"a":'; do
	awk -v opening="$opening" 'BEGIN { for (i = 0; i < 1000000; i++) printf "%s", opening }' >deep.json
	expect_error 1 'deep.json:1:[0-9]*: nested too deep: more than 500 levels' \
		$examples/json -b 16M deep.json
done
awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "[" }' >deep.json
expect_error 1 'deep.json:1:502: nested too deep' $examples/json deep.json
awk 'BEGIN { while (i++ < 500) printf "["; while (--i) printf "]" }' >deep_enough.json
$examples/json deep_enough.json >out 2>err || fail "500 levels are too deep: $(cat err)"
test "$(wc -l <out)" -eq 999 || fail "500 levels are not 999 lines"

# ---- sizes: with a suffix, small or large, or none ----

for size in 65536 64k 64K; do
	expect_error 1 ' of 65536 bytes used' $examples/json -b $size bad.json
	$examples/words -s $size empty | grep -q '^Total size:  *65536 bytes$' || fail "words -s $size"
done
expect_error 1 ' of 1073741824 bytes used' $examples/json -b 1g bad.json
for size in k 64kk 64k1 -64k ' 64k' 0x10 1.5M 99999999999999999999; do
	expect_error 2 'Usage: json' $examples/json -b "$size" out
	expect_error 2 'Usage: words' $examples/words -s "$size" text
done

# ---- all of it without a memory error; and no heap outlives its document ----

if have_valgrind; then
	documents=$(awk 'BEGIN { for (i = 0; i < 40; i++) printf "out " }')
	echo '[]' >out
	(ulimit -v 1000000 && $examples/json -b 256M $documents >/dev/null 2>err) || fail "$(cat err)"
	for run in "hello" "words -n 7 text" "words -s 8K text" "json $data/orders.json bad.json" \
		"json -b 64K large.json" "json deep.json" "json deep_enough.json"; do
		memcheck $examples/$run >out 2>err || fail "$run: $(cat err)"
	done
fi
