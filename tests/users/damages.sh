#!/bin/sh
# SPDX-License-Identifier: MIT
# Of heaps that are damaged at random (damages.c), gdb's "bheap check" says what bheap_check() says:
# whether they are sound, and if not, the same fault of the same block.
. "$srcdir/tests/users/common.sh"

have_gdb || skip "no gdb with Python, or no programs of this machine"
test -e "$build/lib/.libs/libbheap.so" || skip "no shared library"
program_build damages
seed=${BHEAP_TEST_SEED:-1}

gdb_run damages -ex 'set style enabled off' -ex "source $srcdir/lib/libbheap-gdb.py" \
	-ex 'set breakpoint pending on' -ex 'break stop_here' -ex "run shared.heap $seed 80" \
	-ex "source $srcdir/tests/users/damages.py" >out 2>&1 || true
grep -q '^DIFFERENCES 0, EXIT 0$' out ||
	fail "seed $seed: gdb and bheap_check() differ: $(grep DIFFER out || cat out)"

# The damages are of many kinds, and some do no harm.
while read -r text; do
	grep -q "^SAID.*$text" out || fail "seed $seed: no damage was '$text': $(grep SAID out)"
done <<'END'
sound
used where no block starts
it is not the one that was closed
two free blocks are neighbours
a boundary tag differs from the map
the bytes in use are miscounted
the live blocks are miscounted
a bin has no free block of its size
the bin bits disagree with the bins
bytes past the block were overwritten
written to after free
END
