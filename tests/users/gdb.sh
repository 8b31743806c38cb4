#!/bin/sh
# SPDX-License-Identifier: MIT
# GDB's commands show the same tables as the library, in a running program and in its core file,
# of libraries and programs that are stripped as those of packages are; find damage; and say what is
# wrong when they cannot work. (damages.sh compares what they find.)
. "$srcdir/tests/users/common.sh"

have_gdb || skip "no gdb with Python, or no programs of this machine"
library=$build/lib/.libs/libbheap.so
test -e "$library" || skip "no shared library"
helper=$srcdir/lib/libbheap-gdb.py
program_build debuggee

# As packages have them. The name of a file is that of the real one: GDB looks for it.
name=$(. "$build/lib/libbheap.la" && echo "${library_names%% *}")
mkdir stripped
cp "$library" "stripped/$name"
cp "$build/tools/.libs/libbheap-malloc.so" stripped/
strip --remove-section=.comment --remove-section=.note --strip-unneeded stripped/*
ln -s "$name" stripped/libbheap.so.0
export LD_LIBRARY_PATH="$room/stripped"
program=.libs/debuggee
test -e $program || program=debuggee

# Runs the commands of a file in gdb, whose other arguments follow; each one's output is marked.
observe()
{
	commands=$1
	shift
	set -- -nx -batch -ex "set style enabled off" -ex "source $helper" "$@"
	while read -r command; do
		set -- "$@" -ex "echo \\nBEGIN $command\\n" -ex "$command" -ex "echo \\nEND\\n"
	done <"$commands"
	gdb "$@" >out 2>&1 || true
}

output_of()
{
	awk -v begin="BEGIN $1" '$0 == begin { on = 1; next } $0 == "END" { on = 0 } on && NF' out
}

expect()
{
	output_of "$1" | grep -q -e "$2" || fail "'$1' did not say '$2' but: $(output_of "$1"; cat out)"
}

# The commands that look, and what they are to say of the heaps that debuggee.c made.
cat >look <<'END'
bheap display
bheap display guarded
bheap display in_buffer
bheap display shared
bheap check
bheap check guarded
bheap check in_buffer
bheap check shared
bheap block classic[2]
bheap block classic[2]+5
bheap block classic[3]+100
bheap block block shared
bheap block block
bheap block
bheap display nothing
bheap display 1
bheap display &classic
help bheap
help bheap check
bheap check malloc
END
all_is_well()
{
	output_of 'bheap display' | diff -u classic.table - || fail "$1: another table: $(cat out)"
	expect 'bheap check' '^the default heap: no fault$'
	for heap in guarded in_buffer shared; do
		output_of "bheap display $heap" | diff -u $heap.table - || fail "$1: another table"
		expect "bheap check $heap" "^$heap: no fault$"
	done
	expect 'bheap block classic[2]' '^block:    0x[0-9a-f]*, 208 bytes, alloc$'
	expect 'bheap block classic[2]' '^previous: 0x[0-9a-f]*, 112 bytes, FREE$'
	expect 'bheap block classic[2]' '^next:     0x[0-9a-f]*, 7856 bytes, FREE$'
	expect 'bheap block classic[2]+5' '5 bytes after its start'
	expect 'bheap block classic[3]+100' '^next:     none$'
	expect 'bheap block block shared' '1008 bytes, alloc'
	expect 'bheap block block shared' '^previous: none$'
	expect 'bheap block block' 'is not in the default heap; if it is in another'
	expect 'bheap block' 'Usage: bheap block ADDRESS'
	expect 'bheap display nothing' 'No symbol "nothing"'
	expect 'bheap display 1' '1 is not a heap'
	expect 'bheap display &classic' 'is not a heap'
	expect 'help bheap' 'bheap display \[HEAP\]'
	output_of 'help bheap' | sed '/^List of/,$d' | grep '.\{81\}' && fail "$1: help bheap is wider than 80 columns"
	expect 'help bheap check' 'every broken invariant'
	expect 'bheap check malloc' 'malloc is not a heap'
}

# ---- a running program, and its core file ----

rm -f shared.heap
cp look live
echo 'generate-core-file core' >>live
observe live -ex 'set breakpoint pending on' -ex 'break stop_here' -ex 'run shared.heap' $program
all_is_well live
test -s core || fail "no core file: $(cat out)"
observe look $program core
all_is_well core

# ---- the heap of libbheap-malloc.so, in a program and its core file ----

cat >look <<'END'
bheap check malloc
bheap check
bheap block malloced malloc
bheap block malloced+1000 malloc
bheap block malloced
END
malloc_is_well()
{
	expect 'bheap check malloc' '^the heap of libbheap-malloc.so: no fault$'
	expect 'bheap check' '^the default heap: no fault$'
	expect 'bheap block malloced malloc' '^block:    0x[0-9a-f]*, 1008 bytes, alloc$'
	expect 'bheap block malloced+1000 malloc' '1000 bytes after its start'
	expect 'bheap block malloced' 'is not in the default heap'
}
cp look live
echo 'generate-core-file malloc.core' >>live
preload="env LD_PRELOAD=$room/stripped/libbheap-malloc.so BHEAP_MALLOC_SIZE=1M"
rm -f shared.heap
observe live -ex "set exec-wrapper $preload" -ex 'break stop_here' -ex 'run shared.heap' $program
malloc_is_well
observe look $program malloc.core
malloc_is_well
echo 'bheap check' >check
observe check -ex "set exec-wrapper $preload" -ex 'catch syscall exit_group' -ex 'run .' /bin/ls
expect 'bheap check' '^the heap of libbheap-malloc.so: no fault$'

# ---- a static program without symbols ----

if test -e "$build/lib/.libs/libbheap.a"; then
	program_build debuggee -static -Wl,--gc-sections -o static
	strip static
	rm -f shared.heap
	observe check -ex 'catch syscall exit_group' -ex 'run shared.heap' ./static
	expect 'bheap check' '^the default heap: no fault$'
fi

# ---- what cannot be ----

echo 'bheap display' >display
observe display $program
expect 'bheap display' 'start the program, or load a core file'
observe display -ex 'catch syscall exit_group' -ex run /bin/true
expect 'bheap display' 'libbheap is not in this program'
observe display -ex 'break main' -ex 'run shared.heap' $program
expect 'bheap display' 'There is no default heap: init_heap() was not called'
echo 'bheap display shared' >display
rm -f shared.heap
observe display $program core
expect 'bheap display shared' 'A shared heap is a mapped file'
objcopy --remove-section=.note.bheap "$library" ./libbheap.so.0
observe display -ex 'set environment LD_LIBRARY_PATH .' -ex 'break stop_here' \
	-ex 'run shared.heap' $program
expect 'bheap display shared' 'libbheap is not in this program, or is without its note'
rm libbheap.so.0

# ---- GDB finds the helper by the name it is installed under ----

mkdir -p "auto-load$room/stripped"
cp "$helper" "auto-load$room/stripped/$name-gdb.py"
rm -f shared.heap
gdb -nx -batch -iex "add-auto-load-safe-path $room/auto-load" \
	-iex "add-auto-load-scripts-directory $room/auto-load" \
	-ex 'break stop_here' -ex 'run shared.heap' -ex 'bheap check' $program >out 2>&1 || true
grep -q '^the default heap: no fault$' out || fail "not loaded: $(cat out)"

# ---- damage, by the names that the debug information of the library has ----

readelf -S "$library" | grep -q '\.debug_info' || exit 0
export LD_LIBRARY_PATH="$build/lib/.libs"

cat >damage <<'END'
set var *(int *)freed = 3
bheap check in_buffer
set var guarded_block[44] = 3
bheap check guarded
print $bheap_faults
set var shared.core.control.used += 2
set var shared.core.map.words[0].used |= 1ULL << 63
bheap check shared
print $bheap_faults
set var in_buffer.core.control.top += 1
set var in_buffer.core.control.frees += 1
set var in_buffer.core.map.words[in_buffer.core.end / 64 - 1].used = 0
bheap check in_buffer
bheap check
END
rm -f shared.heap
observe damage -ex 'break stop_here' -ex 'run shared.heap' $program
expect 'bheap check in_buffer' 'a bin has no free block of its size'
expect 'bheap check guarded' '0x[0-9a-f]* (40 bytes): bytes past the block were overwritten'
expect 'print $bheap_faults' ' = 1$'
expect 'bheap check shared' 'used where no block starts'
expect 'bheap check shared' 'the bytes in use are miscounted (1040, by the map 1008)'
expect 'bheap check shared' 'shared: 2 faults'
expect 'bheap check in_buffer' 'the top is not the last free block'
expect 'bheap check in_buffer' 'the live blocks are miscounted (0, by the map 1)'
expect 'bheap check in_buffer' 'a boundary tag differs from the map'
expect 'bheap check' 'the default heap: no fault'
