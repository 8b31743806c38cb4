#!/bin/sh
# SPDX-License-Identifier: MIT
# The code in bheap_adapters(7) is that of the examples, which are compiled and tested; lines may be
# broken elsewhere. "PART BEGIN (FILE KIND)" in the page is what lies in examples/FILE between two
# comments with the word KIND.
srcdir=${srcdir:-.}
page=$srcdir/man/bheap_adapters.7
work=tests/man/adapters.dir
rm -rf "$work"
mkdir -p "$work"
failed=0
complain() { echo "$*"; failed=1; }

# A statement a line, without white space.
statements() { tr -d ' \t\n' | tr ';' '\n'; }

# part FILE KIND: of an example.
part() {
	awk -v kind="$2" '
		$0 == "/* ---- end of the " kind " ---- */" { inside = 0 }
		inside
		$0 == "/* ---- " kind " ---- */" { inside = 1 }' "$srcdir/examples/$1"
}

sed -n 's/^\.\\" PART BEGIN (\(.*\))$/\1/p' "$page" >"$work/parts"
while read -r file kind; do
	part "$file" "$kind" | statements >"$work/example"
	awk -v block=PART -v name="$file $kind" -f "$srcdir/tests/man/c-text.awk" "$page" | statements >"$work/page"
	[ -s "$work/example" ] || complain "examples/$file has no part that is called $kind"
	diff -u "$work/example" "$work/page" || complain "examples/$file (-) and ${page##*/} (+) differ"
done <"$work/parts"

# All of them are there.
for file in "$srcdir"/examples/adapter_*.c "$srcdir/examples/heap_scope.h"; do
	grep -qx "${file##*/} adapter" "$work/parts" || complain "${page##*/} has no code of ${file##*/}"
done

[ $failed -eq 0 ] && rm -rf "$work"
exit $failed
