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

# CC, CPPFLAGS, CFLAGS and the like are lists of words.
# shellcheck disable=SC2086
build() {
	case $1 in
	*.c) set -- "$1" CC "$CC $CFLAGS" c11 ;;
	*.cpp) set -- "$1" CXX "$CXX $CXXFLAGS" c++17 ;;
	esac
	./libtool --silent --tag=$2 --mode=link $3 $CPPFLAGS -I"$srcdir/include" -std=$4 \
		-Wall -Wextra -Werror $LDFLAGS -no-install -o "$work/${1%.*}" "$work/$1" lib/libbheap.la
}

# Programs in C++ need a compiler, which the library does not.
knows_cpp() {
	echo '#include <memory_resource>' >"$work/probe.cpp"
	# shellcheck disable=SC2086
	$CXX $CXXFLAGS -std=c++17 -fsyntax-only "$work/probe.cpp" 2>/dev/null
}

# The undefined behaviour sanitizer knows sizes from the header's attributes, and may be the first.
misused='AddressSanitizer: use-after-poison|runtime error: store to address .* insufficient space'

is_sanitized() { case "$CC $CFLAGS" in *-fsanitize=*address*) true ;; *) false ;; esac; }

run() { (cd "$work" && exec $EMULATOR "./$1") >"$work/$1.out" 2>"$work/$1.err"; }

try() {
	name=${2%.*}
	awk -v block=SRC -v name="$2" -f "$tools/c-text.awk" "$1" >"$work/$2" || return 1
	build "$2" || return 1
	if is_sanitized && grep -q "MISUSE ($2)" "$1"; then
		! run "$name" && grep -E "$misused" "$work/$name.err"
		return
	fi
	run "$name" || {
		echo "exit status $?"
		cat "$work/$name.out" "$work/$name.err"
		return 1
	}
	grep -q "OUT BEGIN ($2)" "$1" || return 0
	awk -v block=OUT -v name="$2" -f "$tools/c-text.awk" "$1" >"$work/$name.said"
	comparable "$work/$name.said" >"$work/$name.want"
	comparable "$work/$name.out" >"$work/$name.have"
	diff -u "$work/$name.want" "$work/$name.have"
}

for page in "$srcdir"/man/*.3 "$srcdir"/man/bheap.7 "$srcdir"/man/bheap_adapters.7; do
	grep -q '^\.so ' "$page" && continue
	programs=$(sed -n 's/^\.\\" SRC BEGIN (\(.*\))$/\1/p' "$page")
	[ -n "$programs" ] || complain "${page##*/}: no example"
	for program in $programs; do
		case $program in *.cpp) knows_cpp || continue ;; esac
		count=$((count + 1))
		try "$page" "$program" || complain "${page##*/}: the example $program fails"
	done
done

[ $failed -eq 0 ] && rm -rf "$work"
echo "$count examples"
exit $failed
