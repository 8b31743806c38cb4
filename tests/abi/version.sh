#!/bin/sh
# SPDX-License-Identifier: MIT
# The version is written in include/bheap.h; what must be written elsewhere too is the same.
srcdir=${srcdir:-.}
failed=0

macro() { sed -n "s/^#define BHEAP_VERSION_$1 \"\{0,1\}\([0-9.]*\)\"\{0,1\}\$/\1/p" "$srcdir/include/bheap.h"; }

version=$(macro STRING)
# expect WHAT FOUND
expect() {
	[ "$2" = "$version" ] && return
	echo "$1 has version '$2', include/bheap.h '$version'"
	failed=1
}

[ -n "$version" ] || { echo "include/bheap.h: no version found"; exit 1; }
expect "BHEAP_VERSION_MAJOR, MINOR and PATCH" "$(macro MAJOR).$(macro MINOR).$(macro PATCH)"
expect NEWS.md "$(sed -n 's/^## \([0-9.]*\).*/\1/p' "$srcdir/NEWS.md" | head -n 1)"
expect debian/changelog "$(sed -n '1s/^libbheap (\(.*\)-[^-]*) .*/\1/p' "$srcdir/debian/changelog")"
expect pkgconfig/libbheap.pc "$(sed -n 's/^Version: //p' pkgconfig/libbheap.pc)"
exit $failed
