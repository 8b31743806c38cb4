#!/bin/sh
# SPDX-License-Identifier: MIT
# man(1), and so groff, shows every page and alias by its name, warns about nothing, and needs no more than
# 80 columns.
srcdir=${srcdir:-.}
command -v groff >/dev/null || { echo "groff is not installed"; exit 77; }
man --warnings --version >/dev/null 2>&1 || { echo "man-db is not installed"; exit 77; }

tree=tests/man/groff.dir
rm -rf "$tree"
for page in "$srcdir"/man/*.[1-9]; do
	section=${page##*.}
	mkdir -p "$tree/man$section"
	cp "$page" "$tree/man$section/"
done

failed=0
for page in "$tree"/man*/*; do
	name=${page##*/}
	warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man -M "$PWD/$tree" --warnings \
		-E UTF-8 "${name##*.}" "${name%.*}" 2>&1 >"$tree/output")
	if [ -n "$warnings" ] || ! [ -s "$tree/output" ]; then
		echo "$name: ${warnings:-man shows nothing}"
		failed=1
	fi
	if LC_ALL=C.UTF-8 grep '.\{81\}' "$tree/output"; then
		echo "$name: wider than 80 columns"
		failed=1
	fi
done
rm -rf "$tree"
exit $failed
