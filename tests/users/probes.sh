#!/bin/sh
# SPDX-License-Identifier: MIT
# The probes are in the library where the system has <sys/sdt.h>, and fire as they should.
. "$srcdir/tests/users/common.sh"

grep -q '^#define HAVE_SYS_SDT_H 1' "$build/config.h" || skip "no <sys/sdt.h>"
command -v readelf >/dev/null || skip "no readelf"
test -e lib/.libs/libbheap.so || skip "no shared library"

readelf -n lib/.libs/libbheap.so >notes
sed -n '/Provider: bheap/{n;s/ *Name: //p;}' notes | LC_ALL=C sort -u >seen
printf '%s\n' alloc fail fault free rebuild reset >wanted
diff -u wanted seen || fail "other probes than these"

have_gdb || skip "the probes are there; no gdb to watch them"
program_build debuggee
cat >script <<'END'
set breakpoint pending on
set height 0
set style enabled off
break -probe-stap bheap:alloc
commands
silent
printf "EVENT alloc %d %d\n", $_probe_arg0 == in_buffer, $_probe_arg2
continue
end
break -probe-stap bheap:free
commands
silent
printf "EVENT free %d %d\n", $_probe_arg0 == in_buffer, $_probe_arg1 == freed
continue
end
break -probe-stap bheap:fail
commands
silent
printf "EVENT fail %d %d\n", $_probe_arg0 == guarded, $_probe_arg1
continue
end
break -probe-stap bheap:fault
commands
silent
printf "EVENT fault %d %s\n", $_probe_arg0 == in_buffer, (char *)$_probe_arg3
continue
end
break -probe-stap bheap:rebuild
commands
silent
printf "EVENT rebuild %d\n", $_probe_arg0 == in_buffer
continue
end
break -probe-stap bheap:reset
commands
silent
printf "EVENT reset %d\n", $_probe_arg0 == in_buffer
continue
end
run shared.heap
END
gdb_run debuggee -x script >out 2>err || fail "gdb: $(cat out err)"
sed -n 's/^EVENT //p' out | sed 's/0x[0-9a-f]*/ADDRESS/' >seen
cat >wanted <<'END'
alloc 0 16
alloc 0 112
alloc 0 208
alloc 0 304
free 0 0
free 0 0
fail 1 1048576
alloc 1 64
reset 1
alloc 1 160
alloc 1 32
free 1 1
fault 1 bheap: ADDRESS: the block is free already
rebuild 1
alloc 1 160
fault 1 bheap: ADDRESS: the index is damaged: a write to a free block; rebuilt
free 1 1
alloc 0 1000
alloc 0 40
END
diff -u wanted seen || fail "the probes told of other events: $(cat out err)"
