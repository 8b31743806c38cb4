#!/bin/sh
# SPDX-License-Identifier: MIT
# abi.sh check|update: compares the binary interface of the built library with the one released,
# or records it as released. Any difference fails: CONTRIBUTING.md tells what to do about it.
set -eu
srcdir=${srcdir:-.}
baseline=$srcdir/tests/abi/libbheap.abi
library=lib/.libs/libbheap.so

case $(uname -m) in
x86_64) ;;
*) echo "abi-check: the recorded interface is that of x86_64; not compared here"; exit 0 ;;
esac

# dump FILE: what is reachable through include/, without paths and line numbers.
dump() {
	command -v abidw >/dev/null || { echo "abi-check: abidw is missing (abigail-tools)"; exit 1; }
	abidw --headers-dir "$srcdir/include" --drop-private-types --exported-interfaces-only \
		--no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash \
		"$library" | sed "s,path='[^']*/lib/,path='lib/," >"$1"
	grep -q "<function-decl name='bheap_create'" "$1" ||
		{ echo "abi-check: $library has no debugging information"; exit 1; }
}

case $1 in
update)
	dump "$baseline"
	;;
check)
	current=$(mktemp)
	trap 'rm -f "$current"' EXIT
	dump "$current"
	abidiff --harmless "$baseline" "$current" && echo "abi-check: as released"
	;;
esac
