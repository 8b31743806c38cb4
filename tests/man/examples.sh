#!/bin/sh
# SPDX-License-Identifier: MIT
# Every program in a page compiles without warning, runs, and prints what its page says.
# Addresses and the width of columns may differ. One that misuses its heap on purpose, marked MISUSE
# in its page, is stopped by a sanitizer instead when the compiler flags ask for AddressSanitizer.
srcdir=${srcdir:-.}
tools=$srcdir/tests/man
work=tests/man/examples.dir
[ -n "$CC" ] && [ -x ./libtool ] || { echo "no compiler or no libtool script is given"; exit 77; }
rm -rf "$work"
mkdir -p "$work"
failed=0
count=0
complain() { echo "$*"; failed=1; }

# What is compared of a program's output.
comparable() { sed -e 's/0x[0-9a-f]\{1,\}/ADDRESS/g' -e 's/[[:space:]]\{1,\}/ /g' "$1"; }

build() {
	# CC, CPPFLAGS, CFLAGS and LDFLAGS are lists of words.
	# shellcheck disable=SC2086
	./libtool --silent --tag=CC --mode=link $CC $CPPFLAGS -I"$srcdir/include" $CFLAGS \
		-std=c11 -Wall -Wextra -Werror $LDFLAGS -no-install -o "$work/$1" "$work/$1.c" \
		lib/libbheap.la
}

# The undefined behaviour sanitizer knows sizes from the header's attributes, and may be the first.
misused='AddressSanitizer: use-after-poison|runtime error: store to address .* insufficient space'

is_sanitized() { case "$CC $CFLAGS" in *-fsanitize=*address*) true ;; *) false ;; esac; }

run() { (cd "$work" && exec $EMULATOR "./$1") >"$work/$1.out" 2>"$work/$1.err"; }

try() {
	awk -v block=SRC -v name="$2.c" -f "$tools/c-text.awk" "$1" >"$work/$2.c" || return 1
	build "$2" || return 1
	if is_sanitized && grep -q "MISUSE ($2.c)" "$1"; then
		! run "$2" && grep -E "$misused" "$work/$2.err"
		return
	fi
	run "$2" || {
		echo "exit status $?"
		cat "$work/$2.out" "$work/$2.err"
		return 1
	}
	grep -q "OUT BEGIN ($2.c)" "$1" || return 0
	awk -v block=OUT -v name="$2.c" -f "$tools/c-text.awk" "$1" >"$work/$2.said"
	comparable "$work/$2.said" >"$work/$2.want"
	comparable "$work/$2.out" >"$work/$2.have"
	diff -u "$work/$2.want" "$work/$2.have"
}

for page in "$srcdir"/man/*.3 "$srcdir"/man/bheap.7 "$srcdir"/man/bheap_adapters.7; do
	grep -q '^\.so ' "$page" && continue
	programs=$(sed -n 's/^\.\\" SRC BEGIN (\(.*\)\.c)$/\1/p' "$page")
	[ -n "$programs" ] || complain "${page##*/}: no example"
	for program in $programs; do
		count=$((count + 1))
		try "$page" "$program" || complain "${page##*/}: the example $program.c fails"
	done
done

[ $failed -eq 0 ] && rm -rf "$work"
echo "$count examples"
exit $failed
