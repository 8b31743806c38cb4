#!/bin/sh
# SPDX-License-Identifier: MIT
# The declarations in the pages are those of bheap.h: prototypes, types and constants.
srcdir=${srcdir:-.}
header=$srcdir/include/bheap.h
tools=$srcdir/tests/man
work=tests/man/prototypes.dir
rm -rf "$work"
mkdir -p "$work"
failed=0

compare() {
	sort "$work/header" -o "$work/header"
	sort "$work/pages" -o "$work/pages"
	[ -s "$work/header" ] || { echo "bheap.h: no $1 found"; failed=1; }
	diff -u "$work/header" "$work/pages" && return
	echo "$1 of bheap.h (-) and of the pages (+) differ"
	failed=1
}

awk -v want=prototypes -f "$tools/c-declarations.awk" "$header" >"$work/header"
for page in "$srcdir"/man/*.3; do
	awk -f "$tools/synopsis.awk" "$page"
done | awk -v want=prototypes -v all=1 -f "$tools/c-declarations.awk" >"$work/pages"
compare prototypes

awk -v want=types -f "$tools/c-declarations.awk" "$header" >"$work/header"
for page in "$srcdir"/man/*.3; do
	awk -f "$tools/c-text.awk" "$page"
done | awk -v want=types -f "$tools/c-declarations.awk" >"$work/pages"
compare types

# Constants: those that the header defines, without what only declares attributes, and the settings
# that the library looks for in the environment.
words() { grep -oh 'BHEAP_[A-Z_]*[A-Z]' "$@" | sort -u; }
{
	sed -n 's/^\(#define \|	\)\(BHEAP_[A-Z_]*\).*/\2/p' "$header" |
		grep -vx 'BHEAP_\(H\|API\|ATTRIBUTES\|FREED_BY\|NOT_READ\|SIZED_BY\)'
	cat "$srcdir"/lib/*/*.c | grep -oE 'is_(on|off)\("BHEAP_[A-Z_]*' | sed 's/.*"//'
} | sort -u >"$work/header"
words "$srcdir"/man/*.3 "$srcdir/man/bheap.7" >"$work/pages"
compare constants

rm -rf "$work"
exit $failed
