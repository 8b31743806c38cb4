#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles a program against the installed library with pkg-config alone, shared and static, and
# runs it. "make installcheck" sets the variables; without them: what the system has installed.
#
#	LINKS     which of "shared static" to try (default both)
#	DESTDIR   the root below which the library was staged
#	EMULATOR  what runs programs of another architecture, such as qemu-aarch64
set -eu
srcdir=${srcdir:-$(dirname "$0")/..}
: "${CC:=cc}" "${PKG_CONFIG:=pkg-config}" "${READELF:=readelf}"
PKG_CONFIG_SYSROOT_DIR=${DESTDIR:-}
export PKG_CONFIG_SYSROOT_DIR

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check MODE LINKER-FLAG PKG-CONFIG-FLAG: compiles, runs; what it needs at run time is in needed.
check() {
	# shellcheck disable=SC2046,SC2086 # flags are lists of words
	$CC ${CPPFLAGS:-} ${CFLAGS:-} -Wall -Wextra -Werror "$srcdir/tests/installcheck.c" \
		-o "$work/$1" ${LDFLAGS:-} $2 $("$PKG_CONFIG" $3 --cflags --libs libbheap)
	# shellcheck disable=SC2086
	${EMULATOR:-} "$work/$1" >"$work/out"
	sed "s/^/$1: /" "$work/out"
	needed=$("$READELF" -d "$work/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
}

for link in ${LINKS:-shared static}; do
	case $link in
	shared)
		check shared '' ''
		case $needed in
		*libbheap.so.*) ;;
		*) echo "the shared program does not need libbheap.so: $needed"; exit 1 ;;
		esac
		;;
	static)
		check static -static --static
		[ -z "$needed" ] || { echo "the static program needs $needed"; exit 1; }
		;;
	esac
done
