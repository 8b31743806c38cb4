#!/bin/sh
# SPDX-License-Identifier: MIT
# Four lists of what the library exports are one: the header, the version script, the shared
# library itself and the symbols file of the Debian package. What else the static library defines
# for the linker has our prefix, or AddressSanitizer's before it, or is the compiler's own (i386 calls
# __x86.get_pc_thunk... to learn where it is).
srcdir=${srcdir:-.}
: "${NM:=nm}"
header=$srcdir/include/bheap.h
map=$srcdir/lib/libbheap.map
symbols=$srcdir/debian/libbheap0.symbols
library=lib/.libs/libbheap.so
archive=lib/.libs/libbheap.a
failed=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each list has a "name@VERSION" a line; the header knows no versions.
sed -n 's/^BHEAP_API [^(]*[ *]\([a-z_0-9]*\)(.*/\1/p' "$header" | sort >"$work/header"
awk '/^[A-Z].* \{$/ { version = $1 } /local:|^}/ { exported = 0 } /global:/ { exported = 1; next }
	exported { sub(/;/, "", $1); print $1 "@" version }' "$map" | sort >"$work/map"
sed -n 's/^ \([a-z].*@[^ ]*\) .*/\1/p' "$symbols" | sort >"$work/symbols"
sed 's/@.*//' "$work/map" | sort >"$work/map-names"

# compare LIST NAME: against the version script, which the linker obeys.
compare() {
	[ -s "$work/$2" ] && diff "$work/$1" "$work/$2" >"$work/diff" && return
	echo "$3 and $map list other symbols (< the version script has, > $3 has):"
	cat "$work/diff"
	failed=1
}

compare map-names header "$header"
compare map symbols "$symbols"
if [ -e "$library" ]; then
	$NM -D --defined-only --with-symbol-versions "$library" |
		awk '$2 != "A" { sub(/@@/, "@", $3); print $3 }' | sort >"$work/library"
	compare map library "$library"
fi
if [ -e "$archive" ]; then
	if $NM -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort -u |
		grep -vxFf "$work/map-names" | grep -vE '^((__odr_asan\.)?bh_|__x86\.get_pc_thunk\.|_\.stapsdt\.base$|DW\.ref\.__gcc_personality_v0$)'; then
		echo "$archive defines the names above: neither exported nor bh_..."
		failed=1
	fi
fi
exit $failed
