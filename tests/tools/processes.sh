#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap run and bheap size, of programs that fork, drop privileges, or end without telling: nothing that
# they needed is left out, and what may be old is marked.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
program=$PWD/tests/tools/ends
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
# Where another user and another root can load them, too.
chmod 755 "$scratch"
cp "$program" "$preload" "$PWD/tools/.libs/bheap-record.so" "$scratch" || exit 99
BHEAP_MALLOC_LIBRARY=$scratch/libbheap-malloc.so BHEAP_RECORD_LIBRARY=$scratch/bheap-record.so
program=$scratch/ends
export BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY
LC_ALL=C; export LC_ALL
cd "$scratch" || exit 99
# Only where it can be done, and the other user gets at the files of this test.
drops=
if [ "$(id -u)" -eq 0 ] && "$program" root && "$program" uid exec "$program" +1x1 2>/dev/null; then
	drops='uid root'
else
	echo "skipped: setuid() and chroot(), for want of privileges"
fi

# heap_figure NAME: of the program's own heap; all_figures NAME: of all processes, one a line
heap_figure()
{
	sed -n '/"heap"/,/}/s/^ *"'"$1"'": *\([-0-9.a-z"_]*\),*$/\1/p' r.json | head -n 1
}
all_figures()
{
	sed -n 's/^ *"'"$1"'": *\([-0-9.a-z"_]*\),*$/\1/p' r.json
}

# ran STATUS STEP...: runs the program, with the report in r.json
ran()
{
	wanted=$1
	shift
	"$bheap" run --json --report=r.json "$program" "$@" >out 2>&1
	got=$?
	[ $got -eq "$wanted" ] || { cat out; fail "$*: status $got, not $wanted"; }
	[ ! -s out ] || { cat out; fail "$*: something is said to the program's user"; }
}

# is WHAT ONE OTHER
is()
{
	[ "$2" = "$3" ] || { cat r.json; fail "$1: '$2', not '$3'"; }
}

# ---- run ----
# A program that never allocates has a heap, too, which is told however it ends. If it executes another
# program, the statistics are not its own.
ran 137 9
is "a program that never allocates and is killed" \
	"$(heap_figure program) $(heap_figure peak_used) $(heap_figure allocations) $(heap_figure ended)" '"ends" 0 0 false'
"$bheap" run "$program" exec sleep 0 2>out
grep -q '^  the statistics are of sleep, which it executed$' out ||
	{ cat out; fail "a program that never allocates and executes another: whose statistics are these?"; }
# Without a size, free memory is that of the part that was used: holes of 2000 bytes, nearly all of it.
"$bheap" run --no-cache "$program" +4000x2000 holes 2>out
grep -Eq '^  fragmentation +(9[0-9]|100)\.[0-9] %: 3\.[78][0-9] MiB of 3\.[789][0-9] MiB free ' out ||
	{ cat out; fail "holes: the fragmentation of what is in use is not told"; }
grep -q '^  heap .*, for no size was given$' out && ! grep -q 'of the heap' out || { cat out; fail "of which heap?"; }
"$bheap" run --no-cache --size=64M "$program" +4000x2000 holes 2>out
grep -Eq '^  fragmentation +[56]\.[0-9] %: 3\.[78][0-9] MiB of 60\.[0-9] MiB free ' out ||
	{ cat out; fail "holes: the fragmentation of a heap of that size is not told"; }
grep -q '^  peak .*of the heap' out || { cat out; fail "how much of the heap was used is not told"; }
# A canary lies behind the last block, and is in use.
"$bheap" run --guard "$program" +1x100 >out 2>&1
grep -Eq '^  fragmentation +0\.0 %: 0 bytes of 0 bytes free ' out ||
	{ cat out; fail "one block: the fragmentation with guards is not told"; }

# Shared memory is a file with a length, and there may be a limit to that: a message, not a signal.
(ulimit -f 100 && expect 1 '^bheap: no memory to share: File too large$' "$bheap" run "$program" && [ $failures -eq 0 ]) ||
	fail "no message where files are limited"

# A table that the program has before it starts needs no name, privilege or descriptor.
for way in close $drops; do
	ran 0 +1x1000 $way +50x100000
	is "allocations after $way" "$(heap_figure allocations)" 51
	is "the end after $way" "$(heap_figure ended)" true
	ran 0 +1x1000 fork $way +50x100000
	is "allocations of a child after $way" "$(all_figures allocations | sort -n | tail -n 1)" 50
	is "live blocks of a child after $way" "$(all_figures live_blocks | sort -n | tail -n 1)" 51
done
# What a cache handed out before the fork is the parent's; what is in it is freed.
ran 0 +40x100 free +40x100 free fork +50x100000
is "allocations of a child whose parent had cached blocks" "$(all_figures allocations | sort -n | head -n 1)" 50
ran 137 +40x100 free +40x100 free fork +50x100000 9
is "live blocks of a killed child whose parent had cached blocks" "$(all_figures live_blocks | sort -n | tail -n 1)" 50
if [ -n "$drops" ]; then
	ran 0 +1x1000 close root uid +50x100000 fork +50x100000
	is "allocations after all" "$(heap_figure allocations)" 51
	ran 0 +1x1000 uid exec "$program" +50x100000
	is "allocations of another user's program" "$(heap_figure allocations)" 50
fi
# A descriptor that was closed, as Python does for what it starts, is opened anew.
ran 0 close exec "$program" +50x100000
is "allocations of a program without the descriptor" "$(heap_figure allocations)" 50

# How large a request was refused: of the parent another one than of its child, which counts for itself.
"$bheap" run --size=1M "$program" +1x4096000 2>out
grep -q '^  failures  *1 request refused, of 3.91 MiB, 0 faults$' out || { cat out; fail "one refused request"; }
"$bheap" run --size=1M "$program" +1x2048000 +2x4096000 +1x1024000 2>out
grep -q '^  failures  *3 requests refused, of 3.91 MiB at most, 0 faults$' out || { cat out; fail "refused requests"; }
# More than the statistics hold is not told as their largest number.
"$bheap" run "$program" +1x100000000000000 2>out
grep -q '^  heap  *2.00 GiB' out || grep -q '^  failures  *1 request refused, of 64 GiB or more, 0 faults$' out ||
	{ cat out; fail "one refused request of 91 TiB"; }
"$bheap" run "$program" +2x100000000000000 2>out
grep -q '^  heap  *2.00 GiB' out || grep -q '^  failures  *2 requests refused, some of 64 GiB or more, 0 faults$' out ||
	{ cat out; fail "refused requests of 91 TiB"; }
for way in fork clone; do
	"$bheap" run --size=1M --json --report=r.json "$program" +1x4096000 $way +1x100 +1x2048000 _exit
	is "refused before $way" "$(heap_figure largest_refused)" 4096000
	is "refused after $way" "$(all_figures largest_refused | sort -n | head -n 1)" 2048000
done

# Each way to end tells the last figures, but for signals and system calls.
for way in _exit _Exit quick_exit; do
	ran 0 +100x1000 +30x3000 $way
	is "allocations before $way" "$(heap_figure allocations)" 130
	is "the end by $way" "$(heap_figure ended)" true
done
# Where caches are not emptied at the end, what they have is free all the same, in the snapshot too.
steps='+300x40 +200x500 +10x3000 +60x200 free +20x40 +7x500 +1000x300 holes'
"$bheap" run --json --report=wanted --snapshot=wanted.snap "$program" $steps
for way in _exit:0 quick_exit:0 15:143; do
	"$bheap" run --json --report=found --snapshot=found.snap "$program" $steps ${way%:*}
	is "the status of ${way%:*} with caches" $? ${way#*:}
	for name in used free largest_free largest_hole live_blocks free_blocks fragmentation; do
		is "$name before ${way%:*} with caches" "$(sed -n "s/^ *\"$name\"://p" found)" "$(sed -n "s/^ *\"$name\"://p" wanted)"
	done
	sed -n '/^0 /,$p' wanted.snap >wanted.blocks
	sed -n '/^0 /,$p' found.snap >found.blocks
	cmp -s wanted.blocks found.blocks || { diff wanted.blocks found.blocks; fail "${way%:*}: other blocks in the snapshot"; }
done
for way in 9:137 15:143 abort:134 exit_group:0; do
	ran ${way#*:} +100x1000 +30x3000 ${way%:*}
	is "the end by $way" "$(heap_figure ended)" false
	used=$(heap_figure used)
	[ "$used" -ge $((190000 - 4096)) ] && [ "$used" -le 195000 ] || fail "old figures before $way: $used bytes of 190000"
	is "free blocks before $way" "$(heap_figure largest_free)" null
	"$bheap" run "$program" +100x1000 ${way%:*} 2>&1 | grep -q 'may be old' || fail "$way: old figures are not marked"
done
# What was freed counts, too: of 2 MB all but 64 KiB.
ran 137 +1000x2000 free 9
[ "$(heap_figure used)" -le 65536 ] || fail "what was freed before the end is not known"
"$bheap" run sh -c '"$0" +1x1000 9; exit 0' "$program" 2>&1 | grep -q '\* may be old: its end was not recorded' ||
	fail "old figures of another process are not marked"
# A child that was made without fork()'s handlers has figures of its own, but for its first block, however it
# ends.
for way in _exit:0 9:137 +0x1:0; do
	ran ${way#*:} +10x100000 clone +20x100000 ${way%:*}
	is "allocations of the parent of a clone(), ${way%:*}" "$(heap_figure allocations)" 10
	is "allocations of a clone(), ${way%:*}" "$(all_figures allocations | sort -n | tail -n 1)" 19
	is "live blocks of a clone(), ${way%:*}" "$(all_figures live_blocks | sort -n | tail -n 1)" 30
done
# The child of a vfork() is in the memory of its parent, which has not ended.
ran 0 +10x1000 vfork +10x100000
is "allocations after a vfork()" "$(heap_figure allocations)" 20

# The blocks at the end are there in each case but one.
for way in _exit:0 quick_exit:0 15:143 11:139 abort:134; do
	"$bheap" run --snapshot=s.snap "$program" +30x3000 close ${drops:+root uid} +1x500 ${way%:*} >out 2>&1
	is "the status of $way" $? ${way#*:}
	"$bheap" show s.snap | grep -q ' in 31 blocks' || { cat out; fail "$way: no snapshot of the end"; }
	rm -f s.snap
done
"$bheap" run --snapshot=s.snap "$program" +30x3000 9 2>&1 | grep -q 's.snap: .* left no snapshot' ||
	fail "a snapshot of what was killed"
[ -e s.snap ] && fail "a snapshot of nothing"

# The file of a recording is as large as files may be.
(ulimit -f 200000 && peak=$("$bheap" size --json --output=- "$program" +10x1000 2>&1 | sed -n 's/^ *"peak_live": *\([0-9]*\),*$/\1/p') &&
	[ "$peak" = 10000 ]) || fail "size: where files have a limit"
(ulimit -f 1000; "$bheap" size "$program" +10x1000 2>&1) | grep -q '^bheap: TMPDIR: .*: File too large' || fail "size: where files have too low a limit"

# What runs on is not waited for, and it is said.
"$bheap" run sh -c '"$0" +1x1000 sleep & sleep 1' "$program" 2>out
grep -q '^bheap: 1 process runs on: ' out || { cat out; fail "a process that runs on is not told of"; }
grep -q 'daemon .* foreground' out || { cat out; fail "run: no advice on daemons"; }
"$bheap" size sh -c '"$0" +1x1000000 sleep & sleep 1' "$program" >out 2>&1
grep -q '^bheap: of these processes 1 runs on: ' out && grep -q ' (1000000 bytes)' out || { cat out; fail "size: a process that runs on"; }
grep -q 'daemon .* foreground' out || { cat out; fail "size: no advice on daemons"; }
"$bheap" run sh -c '"$0" +1x1000; "$0" 9; exit 0' "$program" 2>&1 | grep 'on: what' && fail "a process that has ended runs on"

# So is a child that goes on in the background before it has registered: once, and twice, as daemon() does it.
for steps in background 'background background'; do
	ran 0 late=300 $steps +1x1000000 sleep
	is "who runs on after $steps" "$(sed -n 's/^ *"running": *\([0-9]*\),*$/\1/p' r.json)" 1
	grep -q '"forked": *true' r.json || { cat r.json; fail "$steps: the child is not told of"; }
	"$bheap" run "$program" late=300 $steps +1x1000000 sleep >out 2>&1
	grep -q '^bheap: 1 process runs on: ' out || { cat out; fail "run: $steps"; }
	"$bheap" size "$program" +1x100 late=300 $steps +1x1000000 sleep >out 2>&1
	grep -q '^bheap: of these processes 1 runs on: ' out || { cat out; fail "size: $steps"; }
done
# Of one that allocates while the statistics are read, all processes have no less than it has itself.
for turn in 1 2 3; do
	ran 0 background +5000x20000 sleep
	sed -n 's/^ *"peak_\(used\|of_all\)": *\([0-9]*\),*$/\1 \2/p' r.json | awk '
		$1 == "of_all" { all = $2 } $1 == "used" && $2 > most { most = $2 } END { exit !(all >= most) }' || {
		cat r.json; fail "run: the peak of all processes is less than that of one"; }
done
# One that has not registered when bheap has waited a second runs on if it is there, and not if it was killed.
"$bheap" run "$program" +1x100 late=10000 background sleep >out 2>&1
grep -q '^bheap: 1 process runs on: ' out || { cat out; fail "run: a child that takes ten seconds to begin"; }
"$bheap" size "$program" +1x100 late=10000 background sleep >out 2>&1
grep -q '^bheap: of these processes 1 runs on: ' out || { cat out; fail "size: a child that takes ten seconds to begin"; }
"$bheap" run "$program" +1x100 killed background 2>&1 | grep ' on: what' && fail "run: a child that was killed at once runs on"
"$bheap" size "$program" +1x100 killed background 2>&1 | grep ' on: what' && fail "size: a child that was killed at once runs on"
# In a namespace of its own a process has the number of another one.
if unshare -pf --mount-proc true 2>/dev/null; then
	for command in run size; do
		"$bheap" $command unshare -pf --mount-proc sh -c 'for i in 1 2 3 4 5; do "$0" +1x1000 9; done; :' "$program" >out 2>&1
		grep ' on: what' out && fail "$command: a process of another namespace that has ended runs on"
	done
	"$bheap" run unshare -pf --mount-proc sh -c '"$0" +1x1000 sleep & exit 0' "$program" >out 2>&1
	grep ' on: what' out && fail "a process of a namespace that has ended runs on"
else
	echo "skipped: namespaces of processes"
fi
# A fork() that is refused makes nothing to wait for.
if "$program" ${drops:+uid} refused; then
	"$bheap" run "$program" ${drops:+uid} refused 2>&1 | grep ' on: what' && fail "run: what was not forked runs on"
	"$bheap" size "$program" +1x100 ${drops:+uid} refused 2>&1 | grep ' on: what' &&
		fail "size: what was not forked runs on"
else
	echo "skipped: a fork() that is refused"
fi

# Many processes: by program, the result last, and on request each.
# Processor time and resident memory are of all.
"$bheap" run "$program" +1x1000 2>&1 | grep -q '^  process  ' || fail "the times of one process"
"$bheap" run sh -c '"$0" +1x1000; exit 3' "$program" 2>&1 | grep -q '^  processes  ' || fail "the times of two processes"
"$bheap" run sh -c 'for i in 1 2 3 4 5 6 7; do "$0" +${i}0x10000; done; exit 3' "$program" 2>out
grep -Eq '^ +7  ends +68[0-9] KiB  +2\.[67][0-9] MiB +0 +0$' out || { cat out; fail "processes are not summed up"; }
[ "$(grep -n 'sh ended with status 3' out | cut -d: -f1)" -gt "$(grep -n '  ends ' out | cut -d: -f1)" ] ||
	fail "the result is not last"
grep -Eq 'all processes .* 6[89][0-9] KiB in use at one time' out || { cat out; fail "one after the other, and all at one time"; }
"$bheap" run --processes sh -c 'for i in 1 2 3 4 5 6 7; do "$0" +${i}0x10000; done; exit 3' "$program" 2>out
[ "$(grep -Ec '^ +[0-9]+  ends +[0-9.]+ KiB ' out)" -eq 7 ] || { cat out; fail "not each process has a line"; }
"$bheap" run sh -c '"$0" +10x100000 fork +10x100000; exit 0' "$program" 2>&1 | grep -q 'all processes .* 2\.8[0-9] MiB in use' ||
	fail "a process and its child at one time"
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do ln -s "$program" p$n; done
"$bheap" run sh -c 'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do ./p$n +1x1000; done; exit 0' 2>out
grep -q '^ *3  of 3 other programs: --processes lists them' out || { cat out; fail "more than a screen"; }
# A child that only executes another program is that one.
"$bheap" run --processes sh -c 'true; env true; exit 0' 2>out
grep -Eq '  (sh|dash|bash) ' out && { cat out; fail "a shell's child that executes at once has a line"; }

# ---- guards: what nobody frees, or is handed out, is looked at in the end ----
# guarded STATUS FAULTS STEP...
guarded()
{
	wanted=$1 faults=$2
	shift 2
	"$bheap" run --guard --json --report=r.json "$program" "$@" >out 2>&1
	got=$?
	[ $got -eq "$wanted" ] || { cat out; fail "guarded, $*: status $got, not $wanted"; }
	is "guarded, $*: faults" "$(heap_figure faults)" "$faults"
	[ "$(wc -l <out)" -eq "$faults" ] || { cat out; fail "guarded, $*: not $faults lines"; }
}
guarded 0 0 +3x100 +1x20 free +1x50
for way in _exit _Exit quick_exit vfork +0x1; do
	guarded 0 1 +3x100 overflow $way
	grep -q '(100 bytes): bytes past the block were overwritten' out || { cat out; fail "an overflow of a live block, $way"; }
done
guarded 0 2 +1x20 overflow +2x100 late
grep -q '(20 bytes): bytes past' out && grep -q 'written to after free' out || { cat out; fail "two kinds of faults"; }
guarded 143 0 +1x20 overflow 15
"$bheap" run --guard "$program" $(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do echo +1x100 overflow; done) >out 2>&1
[ "$(grep -c 'bytes past' out)" -eq 20 ] && grep -q '^bheap: and 3 faults more$' out && grep -q ' 23 faults' out || {
	cat out; fail "many faults at the end"; }
"$bheap" run --guard --abort "$program" +1x100 overflow >out 2>&1
is "the status after a fault with --abort" $? 134
grep -q ' 1 fault$' out || { cat out; fail "--abort: no figures"; }
"$bheap" run --guard --abort "$program" +1x100 overflow free +1000x1000 >out 2>&1
grep -q 'blocks  *1 allocated' out || { cat out; fail "--abort: the program goes on after a fault"; }
grep -q 'may be old' out && { cat out; fail "--abort: old figures of a fault"; }
for size in 100 5000; do
	"$bheap" run --abort --snapshot=s.snap "$program" +3x$size free twice >out 2>&1
	is "the status after a double free with --abort" $? 134
	! grep -q 'may be old' out && grep -q ' 1 fault$' out && "$bheap" show s.snap | grep -q ' 1 fault,' || {
		cat out; fail "--abort: a double free of $size bytes"; }
done
LD_PRELOAD=$preload BHEAP_MALLOC_GUARD=1 "$program" +1x100 overflow 2>&1 | grep -q 'bytes past' || fail "a guarded heap without bheap"

# ---- size ----
# sized SIZE STEP...: the process that needs most asks for so many bytes, and nothing is said beside.
sized()
{
	wanted=$1
	shift
	"$bheap" size --json --output=s.json "$program" "$@" >out 2>&1
	got=$(sed -n 's/^ *"peak_live": *\([0-9]*\),*$/\1/p' s.json)
	[ "$got" = "$wanted" ] || { cat out s.json; fail "size, $*: $got bytes, not $wanted"; }
	! grep -v '^bheap: .* \(with a peak of \|with peaks of \|was ended by signal\)' out || fail "size, $*: something is said to the program's user"
}
for way in close $drops; do
	sized 5001000 +1x1000 $way +50x100000
	sized 5001000 +1x1000 fork $way +50x100000
	sized 25001000 +1x1000 fork $way +50x100000 fork +200x100000
done
[ -z "$drops" ] || sized 5000000 +1x1000 uid exec "$program" +50x100000
sized 5000000 close exec "$program" +50x100000
sized 3000000 +10x100000 clone +20x100000
for way in _exit _Exit quick_exit abort exit_group 9 15; do
	sized 190000 +100x1000 +30x3000 $way
done
sized 1010000 +10x1000 vfork +10x100000
# A child frees what its parent made, and has what it made later itself.
sized 3000000 +10x100000 fork free +10x300000
sized 2000000 +10x100000 free fork +10x200000
# Whoever executes after a fork passes its parent's blocks on to its own children only.
sized 2100000 +1x100000 fork fork +10x200000
"$bheap" size --output=answer sh -c '"$0" +1x5000000; "$0" +1x10; exit 0' "$program" 2>out
grep -q '^ends\.[0-9]*: 1 operation$' answer && grep -q '  of 3 processes the one that needed most' answer || {
	cat answer out; fail "size: of several processes not the largest"; }
# A trace that is long is in many parts, and a child's begins with its parent's.
"$bheap" size --json --save=long.trace --output=s.json "$program" $(i=0; while [ $i -lt 40 ]; do echo +5000x16; i=$((i + 1)); done) \
	fork +70000x16 >out 2>&1
grep -q '"operations":270000' s.json || { cat out s.json; fail "size: a long recording"; }
[ "$(grep -c '^a' long.trace)" -eq 270000 ] || fail "size: a long recording, kept"

# ---- memory that is not malloc()'s ----
# Of a program that maps 50 MiB, and has 2 MiB of blocks.
cat >mapper.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int count)
{
	size_t size = 50 << 20, blocks = count > 1 ? 200000 : 0;
	char *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *block = memset(malloc(2 << 20), 1, 2 << 20);
	while (blocks--)
		free(malloc(1000));
	memset(mapped, 1, size);
	puts("ready");
	fflush(stdout);
	pause();
	return block[0];
}
END
# outside_of COMMAND...: with output in the file "seen", of the mapper that is ended then
outside_of()
{
	mkfifo ready
	"$@" >ready 2>err &
	runs=$!
	exec 3<ready
	read -r line <&3
	[ "$line" = ready ] || { cat err; fail "$*: no mapper"; }
	kill -TERM $runs
	cat <&3 >seen
	exec 3<&-
	wait $runs
	cat err >>seen
	rm ready
}
if ${CC:-cc} -w -o mapper mapper.c 2>/dev/null; then
	outside_of "$bheap" run ./mapper
	grep -Eq '^  outside the heap at least 5[0-4](\.[0-9]*)? MiB resident: ' seen || { cat seen; fail "run: what is resident outside the heap"; }
	for blocks in '' many; do
		outside_of "$bheap" size ./mapper $blocks
		grep -Eq '^  at least 5[0-4](\.[0-9]*)? MiB more resident outside these blocks: ' seen || {
			cat seen; fail "size $blocks: what is resident outside the blocks"; }
	done
	awk 'length > 80 { print; bad = 1 } END { exit bad }' seen || fail "outside: more than 80 columns"
	outside_of "$bheap" size --json --output=s.json ./mapper
	resident=$(sed -n 's/^ *"peak_resident": *\([0-9]*\),*$/\1/p' s.json)
	[ "$resident" -gt 54000000 ] && [ "$resident" -lt 60000000 ] || { cat s.json; fail "size: what is resident in JSON"; }
fi

# ---- programs that are not reached: why ----
own_malloc_write >own.c
echo 'int main(void) { void *volatile block = __builtin_malloc(100); return !block; }' >plain.c
echo 'void _start(void) { __asm__ volatile("int $0x80" : : "a"(1), "b"(0)); }' >small.c

# why PATTERN FILE...: run and size give this reason, if the compiler made the file
why()
{
	[ -x "./$2" ] || { echo "skipped: no program to be had: $2"; return; }
	"$bheap" run ./$2 2>&1 | grep -Fq "  $1" || { "$bheap" run ./$2; fail "run $2: no word of '$1'"; }
	"$bheap" size ./$2 2>&1 | grep -A1 -E "$2(: nothing was| itself was not) recorded:$" | grep -Fq "  $1" || {
		"$bheap" size ./$2; fail "size $2: no word of '$1'"; }
}
: "${CC:=cc}"
$CC -w -fno-builtin -o own own.c 2>/dev/null
$CC -w -static -o static plain.c 2>/dev/null
$CC -w -static-pie -o static-pie plain.c 2>/dev/null
$CC -w -o plain plain.c || exit 99
if [ "$(od -An -tu1 -j4 -N1 plain)" -eq 2 ]; then # of 64 bits itself
	$CC -w -m32 -nostdlib -ffreestanding -static -o small small.c 2>/dev/null && ./small || rm -f small
fi
ASAN_OPTIONS=detect_leaks=0; export ASAN_OPTIONS # whose report is wide
for sanitizer in address thread; do
	$CC -w -fsanitize=$sanitizer -o $sanitizer plain.c 2>/dev/null && ./$sanitizer 2>/dev/null || rm -f $sanitizer
done
why 'it has a malloc() of its own' own
why 'it is statically linked' static
why 'it is statically linked' static-pie
why 'it is a program of 32 bits; the library has 64' small
why 'it is built with AddressSanitizer, which has a malloc() of its own' address
why 'it is built with ThreadSanitizer, which has a malloc() of its own' thread
[ ! -x static ] || { printf '#!%s\n' "$scratch/static" >script; chmod +x script; why 'it is statically linked' script; }
if [ -n "$drops" ]; then
	cp "$(command -v id)" raised-id && cp plain raised && chown 65534 raised raised-id && chmod 4755 raised raised-id
fi
if [ -x raised-id ] && [ "$(./raised-id -u)" = 65534 ]; then # not on a file system without such programs
	why 'it is set-user-ID, or gains privileges otherwise' raised
fi
"$bheap" run ./plain 2>&1 | grep '  it ' && fail "a reason where there is none"
head -c 3000 plain >torn
chmod +x torn
"$bheap" run ./torn >/dev/null 2>&1
[ $? -le 139 ] || fail "a program that is torn"

# Settings of the environment that hold are told of.
BHEAP_MALLOC_SIZE=32M BHEAP_MALLOC_CACHE=0 "$bheap" run --size=16M ./plain 2>&1 | grep -q '^  environment  *BHEAP_MALLOC_CACHE=0$' ||
	fail "settings of the environment hold in silence"
BHEAP_MALLOC_SIZE=32M BHEAP_MALLOC_GUARD= "$bheap" run ./plain 2>out
grep -q '^  environment  *BHEAP_MALLOC_SIZE=32M$' out || { cat out; fail "the size of the environment is not told"; }
BHEAP_MALLOC_SIZE=32M "$bheap" run --json --report=r.json ./plain
is "the size of the environment in JSON" "$(sed -n 's/^ *"BHEAP_MALLOC_SIZE":"\(.*\)",*$/\1/p' r.json)" 32M
"$bheap" run ./plain 2>&1 | grep -q environment && fail "settings that there are not"

# ---- 80 columns ----
for command in '' run size calls show check repair snapshot; do
	"$bheap" $command --help | awk 'length > 80 { print; bad = 1 } END { exit bad }' || fail "$command --help: more than 80 columns"
done
"$bheap" run --size=60G sh -c '"$0" +1000x100000 free; "$0" +10x10 9; exit 0' "$program" 2>out
"$bheap" run --snapshot=s.snap --processes "$program" +10x100000 fork +1x10 >>out 2>&1
"$bheap" show s.snap >>out
for file in own static small address thread script raised; do
	[ ! -x ./$file ] || "$bheap" size ./$file 2>&1 | grep '^bheap: \|^  ' >>out
	[ ! -x ./$file ] || "$bheap" run ./$file 2>&1 | grep '^bheap: \|^  ' >>out
done
"$bheap" size "$program" +1000x100000 fork +1x16 >>out 2>&1
awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "more than 80 columns"
grep -E '(^|[^0-9.])1 (blocks|faults|requests|processes|operations|allocations|frees)' out && fail "one, and its plural"

finish
