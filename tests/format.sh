#!/bin/sh
# SPDX-License-Identifier: MIT
# The C and C++ sources are as clang-format 14 makes them by .clang-format; other versions differ.
set -eu
srcdir=${srcdir:-.}
for program in clang-format-14 clang-format none; do
	if command -v "$program" >/dev/null && "$program" --version | grep -q 'version 14[.]'; then break; fi
done
[ "$program" != none ] || { echo "no clang-format 14"; exit 77; }

sources=$(find "$srcdir/lib" "$srcdir/include" "$srcdir/tools" "$srcdir/bench" "$srcdir/examples" "$srcdir/tests" \
	-name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp')
[ "$(echo "$sources" | wc -l)" -gt 150 ]
# shellcheck disable=SC2086 # a list of words
"$program" --style=file --dry-run -Werror $sources
