#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap calls: its counts are those of a program that counts its own calls, to the byte, in text and in JSON.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
counted=$PWD/tests/tools/counted
ends=$PWD/tests/tools/ends
lifetime=$PWD/tests/tools/lifetime
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
BHEAP_RECORD_LIBRARY=$PWD/tools/.libs/bheap-record.so
export BHEAP_RECORD_LIBRARY
LC_ALL=C; export LC_ALL
cd "$scratch" || exit 99

# counts FILE: out of JSON, lines as the program prints them
counts()
{
	tr -d ' ",:\n' <"$1" | sed 's/.*functions{//; s/}[^}]*}all{.*sizes\[{/}&/; s/}all{[^}]*}sizes\[/}/; s/\].*//; s/}/\n/g' |
		sed -n 's/^{*\([a-z_]*\){*calls\([0-9]*\)failed\([0-9]*\)allocated\([0-9]*\)freed\([0-9]*\)$/\1 \2 \3 \4 \5/p
			s/^{*least[0-9]*most\([0-9]*\)requests\([0-9]*\)$/size \1 \2/p'
}

expect 0 'peak 1 byte asked for; 1 block at most' "$bheap" calls "$ends" +1x1 _exit

# What it allocates to start is that of a run without steps.
"$bheap" calls --json --output=none.json "$counted" 0 >/dev/null 2>err || { cat err; fail "calls: without steps"; }
for steps in 1 20000; do
	"$bheap" calls --json --output=some.json "$counted" $steps >own 2>err || { cat err; fail "calls: $steps steps"; }
	is_json some.json
	[ ! -s err ] || { cat err; fail "calls: something is said"; }
	counts none.json >none
	counts some.json | awk '
		{ key = $1 == "size" ? $1 " " $2 : $1; from = $1 == "size" ? 3 : 2 }
		FILENAME == "none" { for (at = from; at <= NF; at++) base[key, at] = $at; next }
		{ printf "%s", key; for (at = from; at <= NF; at++) printf " %d", $at - base[key, at]; print "" }' none - >found
	grep -v ' 0$' own | grep size >wanted.sizes
	grep size found | grep -v ' 0$' >found.sizes
	cmp -s wanted.sizes found.sizes || { diff wanted.sizes found.sizes; fail "calls: requests by size, $steps steps"; }
	grep -v size own >wanted.kinds
	grep -v size found | grep -v '^all' >found.kinds
	[ "$(wc -l <wanted.kinds)" -eq 9 ] && cmp -s wanted.kinds found.kinds || {
		diff wanted.kinds found.kinds; fail "calls: of each function, $steps steps"; }
done
[ "$(awk '$2 == 0 || ($3 == 0 && /^(malloc|calloc|aligned|realloc_in)/)' own | grep -vc size)" -eq 0 ] || { cat own; fail "a kind of calls was not made"; }

# For people: the same numbers, on standard error, and the program's output is its own.
"$bheap" calls "$ends" +10x1000 +30x17 free _exit 2>out >words || { cat out; fail "calls: status $?"; }
[ ! -s words ] || { cat words; fail "calls: something on standard output"; }
for line in '  malloc()  *40  *0  *10510  *0' '  free()  *40  *0  *0  *10510' '  all  *80  *0  *10510  *10510' \
	'  *17 to 32  *30  *75.0 %  ############################' '  *513 to 1024  *10  *25.0 %  #########'; do
	grep -q "^$line\$" out || { cat out; fail "calls: no line '$line'"; }
done
grep -q '^  at the peak 10.3 KiB asked for; 40 blocks at most$' out && grep -q '^  at the end 0 bytes in 0 blocks$' out || { cat out; fail "calls: the peak"; }
"$bheap" calls --output=- "$ends" +1000000x1 >out 2>/dev/null
"$bheap" calls "$counted" 100 2>>out >/dev/null
"$bheap" calls sh -c '"$0" +100x1000 9; exit 0' "$ends" >>out 2>&1
awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "calls: more than 80 columns"
grep -q '^  of 2 processes the one that needed most$' out || { cat out; fail "calls: of which process?"; }
# Killed in the midst: all that it did.
"$bheap" calls --json --output=some.json "$ends" +100x1000 +30x3000 9 2>err
counts some.json | grep -q '^malloc 130 0 190000 0$' || { cat some.json; fail "calls: of a program that is killed"; }

# From before the C library knows the environment on.
"$bheap" calls --json --output=some.json "$lifetime" 2>err || { cat err; fail "calls: of a program that allocates early: status $?"; }
[ "$(counts some.json | awk '/^malloc/ { print ($2 >= 8) }')" = 1 ] || { cat some.json; fail "calls: early calls are not counted"; }

# What cannot be.
for file in no-such-dir/file; do
	"$bheap" calls --output=$file touch touched 2>err
	[ $? -eq 1 ] && grep -q "^bheap: $file: No such file" err && [ ! -e touched ] || { cat err; fail "calls: no place for the answer"; }
done
"$bheap" calls 2>err
[ $? -eq 2 ] && grep -q '^bheap: calls: which program?' err || { cat err; fail "calls: of nothing"; }
"$bheap" calls true 2>err
[ $? -eq 1 ] && grep -q '^bheap: true: nothing was recorded:' err || { cat err; fail "calls: of a program without calls"; }
finish
