#!/bin/sh
# SPDX-License-Identifier: MIT
# The first program in README.md compiles and prints what README.md says it does, addresses apart.
# It frees a block twice: AddressSanitizer would stop it there.
srcdir=${srcdir:-.}
readme=$srcdir/README.md
: "${CC:=cc}"
case $CFLAGS in *-fsanitize=*address*) echo "AddressSanitizer"; exit 77 ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```c$/ { on = 1; next } on && /^```$/ { exit } on' "$readme" >"$work/tour.c"
awk '/^\$ cc tour.c/ { on = 1; next } on && /^```$/ { exit } on' "$readme" >"$work/promised"
if [ ! -s "$work/tour.c" ] || [ ! -s "$work/promised" ]; then
	echo "README.md: no program, or no output"
	exit 1
fi

# shellcheck disable=SC2086 # flags are lists of words
./libtool --silent --tag=CC --mode=link $CC $CFLAGS -w -I"$srcdir/include" "$work/tour.c" \
	-no-install -o "$work/tour" $LDFLAGS lib/libbheap.la || exit 1
$EMULATOR "$work/tour" >"$work/out" 2>&1 || { echo "the program fails"; cat "$work/out"; exit 1; }

without_addresses() { sed 's/0x[0-9a-f]*/0x/g' "$1"; }
without_addresses "$work/promised" >"$work/expected"
without_addresses "$work/out" | diff "$work/expected" - ||
	{ echo "README.md promises the lines marked <, the program prints those marked >"; exit 1; }
