#!/bin/sh
# SPDX-License-Identifier: MIT
# "make uninstall" removes the folders that the installation made, and none that holds another file.
set -u
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bheap-test-XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT

# Standing for what is installed: empty folders, since a test links and installs nothing.
uninstall()
{
	mkdir -p "$scratch/b" "$scratch/l/libbheap" "$scratch/d/gdb/auto-load/l"
	"${MAKE:-make}" -s uninstall DESTDIR="$scratch" bindir=/b libdir=/l datadir=/d >"$scratch/out" 2>&1 || {
		cat "$scratch/out"
		exit 1
	}
}

uninstall
for folder in l/libbheap d/gdb; do
	[ ! -e "$scratch/$folder" ] || { echo "$folder is left"; exit 1; }
done
mkdir -p "$scratch/l/libbheap" "$scratch/d/gdb/auto-load/other"
touch "$scratch/l/libbheap/other"
uninstall
[ -e "$scratch/l/libbheap/other" ] && [ -e "$scratch/d/gdb/auto-load/other" ] && [ ! -e "$scratch/d/gdb/auto-load/l" ] ||
	{ echo "what others have there is gone, or the empty folder is left"; exit 1; }
