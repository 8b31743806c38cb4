#!/bin/sh
# SPDX-License-Identifier: MIT
# Helgrind and DRD find no race in the library, and those of the program in its blocks.
. "$srcdir/tests/users/common.sh"

have_valgrind || skip "no valgrind"
"$build/libtool" --quiet --tag=CC --mode=link $CC $CPPFLAGS -I"$srcdir/include" $CFLAGS -g -pthread \
	"$srcdir/tests/users/races.c" $LDFLAGS -o races lib/libbheap.la || fail "races.c does not build"

# run TOOL ARGUMENT...: the status, 99 if there was an error
run()
{
	tool=$1
	shift
	status=0
	"$build/libtool" --quiet --mode=execute valgrind --quiet --tool="$tool" --error-exitcode=99 ./races "$@" \
		>out 2>&1 || status=$?
	! grep -q 'debuginfo reader\|reading debug info' out || skip "valgrind cannot read the debug information"
}

for tool in helgrind drd; do
	for heap in plain cached; do
		run $tool $heap
		test $status -eq 0 || fail "$tool, $heap heap: $(head -40 out)"
		run $tool $heap race
		test $status -eq 99 || fail "$tool does not see a race in a $heap heap: status $status"
	done
done
