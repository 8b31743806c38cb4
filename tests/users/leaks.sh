#!/bin/sh
# SPDX-License-Identifier: MIT
# Memcheck answers to the program of bheap(7), "Finding leaks", as the page says.
. "$srcdir/tests/users/common.sh"

have_valgrind || skip "no valgrind"
page=$srcdir/man/bheap.7
awk -v block=SRC -v name=lost.c -f "$srcdir/tests/man/c-text.awk" "$page" >lost.c
"$build/libtool" --quiet --tag=CC --mode=link $CC $CPPFLAGS -I"$srcdir/include" $CFLAGS -g -O0 lost.c \
	$LDFLAGS -o lost lib/libbheap.la || fail "lost.c does not build"

# The command of the page, with the program that libtool has a script for.
command=$(sed -n 's/^\(valgrind .*\) \.\/lost$/\1/p' "$page" | sed 's/\\-/-/g')
test "$command" || fail "the page has no such command"
status=0
"$build/libtool" --quiet --mode=execute $command ./lost >out 2>err || status=$?
grep -q 'debuginfo reader\|reading debug info' err && skip "valgrind cannot read the debug information"
test $status -eq 0 || fail "lost ended with $status: $(cat out err)"

# Lines without process numbers and addresses.
plain()
{
	sed 's/^==[0-9]*== //; s/0x[0-9A-F]*/ADDRESS/'
}

sed -n '/^\.\\" ANSWER BEGIN/,/^\.\\" ANSWER END/p' "$page" | grep -v '^\.' | plain >answer
test "$(wc -l <answer)" -eq 3 || fail "the page has another answer: $(cat answer)"
plain <err >said
while IFS= read -r line; do
	grep -qxF -e "$line" said || fail "memcheck did not say '$line': $(cat err)"
done <answer
