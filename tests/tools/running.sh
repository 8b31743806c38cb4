#!/bin/sh
# SPDX-License-Identifier: MIT
# A look at what runs: bheap show PID has the heap as it is, in a process of each kind, or says in a line why
# not; bheap run --every prints what is in use now.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
program=$PWD/tests/tools/ends
filter=$PWD/tests/tools/filter
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
[ -r /proc/self/stat ] || { echo "/proc is not mounted"; exit 77; }
BHEAP_MALLOC_LIBRARY=$preload
export BHEAP_MALLOC_LIBRARY
LC_ALL=C; export LC_ALL
folder=$PWD
cd "$scratch" || exit 99
started=
trap 'for pid in $started; do kill -KILL $pid; done 2>/dev/null; rm -rf "$scratch"' EXIT

# stopped COMMAND...: starts it, waits until it has stopped itself by signal 19; its number is $pid
stopped()
{
	"$@" 2>stopped.err &
	pid=$!
	started="$started $pid"
	is_stopped $pid
}
is_stopped()
{
	until grep -q '^State:.[TZ]' /proc/$1/status 2>/dev/null; do
		kill -0 $1 2>/dev/null || { cat stopped.err; fail "the program has ended"; break; }
		sleep 0.05
	done
}

# expect STATUS PATTERN COMMAND...: it ends so, and standard output and error together match
expect()
{
	status=$1 pattern=$2
	shift 2
	"$@" >out 2>&1
	got=$?
	[ $got -eq "$status" ] || { cat out; fail "$*: status $got, not $status"; }
	grep -Eq -e "$pattern" out || { cat out; fail "$*: no line with '$pattern'"; }
	[ $status -eq 0 ] || [ "$(wc -l <out)" -eq 1 ] || { cat out; fail "$*: more than a line"; }
}

figure()
{
	sed -n "s/^ *\"$2\": *\([-0-9.a-z]*\),*\$/\1/p" "$1" | head -n 1
}

# ---- the heap of a process ----
# The same steps lead to the same heap: in the snapshot at their end, and in the process that stands there.
steps='+100x1000 +3x300000 +30x24 holes +7x70'
for setting in CACHE=0 SIZE=8M GUARD=1; do
	env BHEAP_MALLOC_$setting BHEAP_MALLOC_CACHE=0 "$bheap" run --snapshot=end.snap "$program" $steps _exit 2>/dev/null
	"$bheap" show --json --blocks end.snap >wanted
	stopped env LD_PRELOAD="$preload" BHEAP_MALLOC_$setting BHEAP_MALLOC_CACHE=0 "$program" $steps 19
	"$bheap" show --json --blocks $pid >found || fail "$setting: show $pid: status $?"
	is_json found
	for name in size used free largest_free live_blocks free_blocks peak_used extent allocations frees failures faults; do
		[ "$(figure wanted $name)" = "$(figure found $name)" ] ||
			fail "$setting: $name is $(figure found $name), not $(figure wanted $name)"
	done
	[ "$(figure found changing)$(figure found may_be_old)$(figure found process)" = "falsefalse$pid" ] || {
		cat found; fail "$setting: of which process, and when?"; }
	for name in offset size used; do
		for file in wanted found; do
			sed -n '/"blocks"/,$p' $file | sed -n "s/^ *\"$name\": *\([0-9a-z]*\),*\$/\1/p" >$file.$name
		done
		[ -s wanted.$name ] && cmp -s wanted.$name found.$name || fail "$setting: the blocks have another $name"
	done
	expect 0 "^process $pid \(ends\): a heap of " "$bheap" show $pid
	grep -Eq '^  process +[0-9.]+ [KM]iB resident$' out && grep -Eq '^ +0 [.0-9#]+' out || { cat out; fail "show: what is resident, or the map"; }
	awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "show PID: more than 80 columns"
	expect 0 '^<svg ' "$bheap" show --svg=- $pid
	kill -CONT $pid
	wait $pid || fail "a process that was looked at does not go on"
	expect 1 "^bheap: $pid: No such process$" "$bheap" show $pid
done
# What the caches of threads keep is free, as it is to the process itself at its end; and the part that was in use
# is fragmented, or, where a size was given, the heap.
steps='+300x40 +200x500 +10x3000 +60x200 free +20x40 +7x500 +1000x300 holes'
for setting in TRIM=1 SIZE=8M; do
	env BHEAP_MALLOC_$setting "$bheap" run --json --report=wanted "$program" $steps
	stopped env LD_PRELOAD="$preload" BHEAP_MALLOC_$setting "$program" $steps 19
	"$bheap" show --json --blocks $pid >found || fail "caches, $setting: show $pid: status $?"
	is_json found
	sed -n '/"heap"/,$p' wanted >heap
	for name in used free free_blocks live_blocks allocations frees fragmentation; do
		[ "$(figure heap $name | cut -c -12)" = "$(figure found $name | cut -c -12)" ] ||
			fail "caches, $setting: $name is $(figure found $name), not $(figure heap $name)"
	done
	[ "$(grep -c '"used":false' found)" -eq "$(figure found free_blocks)" ] || fail "caches, $setting: blocks that are cached are listed"
	expect 0 '^  cached +[1-9][.0-9]* KiB in [1-9][0-9]+ freed blocks, kept by threads$' "$bheap" show $pid
	case $setting in
	SIZE*) wanted='^  fragmentation +[0-9.]+ %$' ;;
	*) wanted='^  fragmentation +[0-9.]+ % of the memory in use: no size was given$' ;;
	esac
	grep -Eq "$wanted" out || { cat out; fail "caches, $setting: fragmentation of what?"; }
	awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "caches, $setting: more than 80 columns"
	kill -KILL $pid
done
# Threads at work: no more than they can have, and no less than the half of their places; while figures
# change, with what passes between the looks at them.
LD_PRELOAD=$preload "$folder/tests/tools/threads" busy 100 &
pid=$!
started="$started $pid"
count=0
while [ $((count += 1)) -le 100 ]; do # until they have begun
	"$bheap" show --json $pid >found 2>/dev/null && [ "$(figure found live_blocks)" -ge 1800 ] && break
	sleep 0.1
done
count=0
while [ $((count += 1)) -le 15 ]; do
	"$bheap" show --json $pid >found || fail "threads at work: show $pid: status $?"
	is_json found
	between=0
	if grep -q '"changing":true' found; then between=1000; fi
	[ "$(figure found live_blocks)" -le $((2650 + between)) ] && [ "$(figure found live_blocks)" -ge $((1800 - between)) ] &&
		[ "$(figure found used)" -le $((1600000 + between * 300)) ] &&
		[ "$(figure found used)" -ge $((800000 - between * 300)) ] && [ "$(figure found cached)" -le 1310720 ] || { cat found; fail "threads at work: not what they have"; }
done
kill -KILL $pid

# Refused requests, and a fault that only the library knows of.
stopped env LD_PRELOAD="$preload" BHEAP_MALLOC_SIZE=1M "$program" +1x100 free twice try=3000000 19
expect 0 ' 1 refused$' "$bheap" show $pid
grep -q '^  refused  *2.86 MiB at most$' out && grep -q ' 1 fault,' out || { cat out; fail "show PID: refusals and faults"; }
kill -KILL $pid

# ---- processes with no heap to be seen ----
LD_PRELOAD=$preload "$program" +1x100 headless &
pid=$!
until grep -q '^State:.*Z' /proc/$pid/status 2>/dev/null; do sleep 0.05; done
expect 1 "^bheap: $pid: its first thread has ended; the kernel no longer shows its memory$" "$bheap" show $pid
kill -KILL $pid
"$bheap" run sh -c '"$0" +1x1000 headless & sleep 1' "$program" 2>out
grep -q '^bheap: 1 process \(may run\|runs\) on' out || { cat out; fail "a process whose first thread has ended does not run on"; }
stopped "$program" +1x100 19
expect 1 "^bheap: $pid: it does not run on libbheap-malloc.so$" "$bheap" show $pid
sh -c '(until grep -q "^State:.T" /proc/$$/status; do sleep 0.05; done) & echo $! >zombie; exec "$0" 19' "$program" &
started="$started $!"
is_stopped $!
zombie=$(cat zombie)
is_stopped "$zombie"
expect 1 "^bheap: $zombie: the process has ended; its parent has not waited for it" "$bheap" show "$zombie"
expect 1 '^bheap: 0: No such process$' "$bheap" show 0
expect 1 '^bheap: 99999999999999999999: No such process$' "$bheap" show 99999999999999999999
# A file whose name is a number.
stopped env LD_PRELOAD="$preload" "$program" +1x10 19
mv end.snap $pid
expect 0 "^process $pid " "$bheap" show $pid
expect 0 "^\./$pid: a heap" "$bheap" show ./$pid
kill -KILL $pid
stopped env LD_PRELOAD="$preload" "$program" 19
expect 0 '^  used  *0 bytes in 0 blocks' "$bheap" show $pid
kill -KILL $pid
# Where the kernel refuses.
stopped env LD_PRELOAD="$preload" "$program" +1x10 19
cp "$folder/tools/.libs/bheap" "$program" . 2>/dev/null && cp "$folder"/lib/.libs/libbheap.so.* . 2>/dev/null
chmod 755 .
if [ "$(id -u)" -eq 0 ] && LD_LIBRARY_PATH=. ./ends uid exec ./bheap --version >/dev/null 2>&1; then
	LD_LIBRARY_PATH=. expect 1 "^bheap: $pid: Permission denied$" ./ends uid exec ./bheap show $pid
else
	echo "skipped: another user's process, for want of privileges"
fi
if unshare -rm sh -c 'mount -t tmpfs none /proc' 2>/dev/null; then
	expect 1 "^bheap: $pid: /proc is not mounted" unshare -rm sh -c 'mount -t tmpfs none /proc; exec "$0" show $1' "$bheap" $pid
fi
kill -KILL $pid
# Processes come and go meanwhile: one answer, or one line.
count=0
while [ $((count += 1)) -le 40 ]; do
	LD_PRELOAD=$preload "$program" +2000x100 free &
	"$bheap" show $! >out 2>err
	got=$?
	[ $got -le 1 ] && [ "$(wc -l <err)" -eq $got ] || { cat out err; fail "a process that ends: status $got"; }
	wait $!
done

# ---- where its memory may not be read: the record that bheap run shares with it ----
if "$filter" deny true; then
	BHEAP_MALLOC_CACHE=0 "$bheap" run sh -c '"$0" +100x10000 19 & echo $! >number; wait' "$program" 2>run.err &
	started="$started $!"
	until [ -s number ]; do sleep 0.05; done
	pid=$(cat number)
	started="$started $pid"
	is_stopped $pid
	expect 0 '^  used +97[0-9] KiB in 1[0-9][0-9] blocks, ' "$filter" deny "$bheap" show $pid
	grep -q '^  these may be old: ' out || { cat out; fail "a record: not marked"; }
	awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "a record: more than 80 columns"
	"$filter" deny "$bheap" show --json $pid >found || fail "a record: no JSON"
	is_json found
	[ "$(figure found may_be_old)$(figure found largest_free)" = truenull ] || { cat found; fail "a record: not marked in JSON"; }
	expect 1 "^bheap: $pid: its blocks may not be read: Operation not permitted$" "$filter" deny "$bheap" show --blocks $pid
	expect 0 '^ +0 [0-9#]+' "$bheap" show $pid
	kill -KILL $pid
	stopped env LD_PRELOAD="$preload" "$program" +1x10 19
	expect 1 "^bheap: $pid: Operation not permitted$" "$filter" deny "$bheap" show $pid
	kill -KILL $pid
fi

# ---- a line every so often ----
for time in 1x 0 -1s 0x5 25h '' . 1e3 50ms; do
	expect 2 "^bheap: --every: '$time' is no time from 0.1s to 24h" "$bheap" run --every="$time" touch touched || break
done
[ -e touched ] && fail "--every: the program ran"
# watched LINES COMMAND...: runs until so many lines are in the file "lines", then lets the program go on, which
# has stopped itself.
watched()
{
	wanted=$1
	shift
	rm -f number
	: >lines
	"$@" 2>lines &
	runs=$!
	until [ -s number ] && [ "$(wc -l <lines)" -ge "$wanted" ]; do
		kill -0 $runs 2>/dev/null || { cat lines; fail "$*: no lines"; return; }
		sleep 0.05
	done
	kill -CONT "$(cat number)"
	wait $runs || fail "$*: status $?"
}
becoming='echo $$ >number; exec "$@"'
# What was freed and is in use again is known, although the record is old.
watched 5 "$bheap" run --every=200ms sh -c "$becoming" - "$program" +100x10000 free +50x10000 19
grep -Eq '^bheap:  *[0-9.]* s  *4[89][0-9] KiB   *[5-9][0-9]  *9[789][0-9] KiB  *[0-9.]* MiB  *1$' lines || {
	cat lines; fail "--every: no line as it should be"; }
[ "$(grep -c 'in use  *blocks' lines)" -eq 1 ] && grep -q '^bheap: .* ended with status 0' lines || { cat lines; fail "--every: one heading, and the summary"; }
awk 'length > 80 { print; bad = 1 } END { exit bad }' lines || fail "--every: more than 80 columns"
watched 5 "$bheap" run --every=0.1 --json "$program" +50x10000 fork exec sh -c "$becoming" - "$program" +50x10000 19
sed '/^{$/,$d' lines | tail -n 1 >sample
is_json sample
grep -q '"processes":2,"used":10[0-9]\{5\},"live_blocks":[12][0-9][0-9],"peak_used":.*"may_be_old":false' sample || {
	cat sample; fail "--every: of two processes in JSON"; }
sed -n '/^{$/,$p' lines >summary
is_json summary
# What four threads keep is no part of what is in use: in the middle one of the samples, for threads begin
# and end late on a busy machine.
"$bheap" run --every=0.2s --json "$folder/tests/tools/threads" busy 3 2>lines
sed '/^{$/,$d' lines | sed -n '/"live_blocks":[1-9]/p' | tail -n +2 >samples
[ "$(wc -l <samples)" -ge 5 ] || { cat lines; fail "--every: threads at work: no lines"; }
sed 's/.*"used":\([0-9]*\),"live_blocks":\([0-9]*\),.*"may_be_old":false,"changing":\([a-z]*\)}$/\1 \2 \3/' samples |
	sort -n -k 2 | awk '{ line[NR] = $0 } END { print line[int((NR + 1) / 2)] }' | awk '{ b = $3 == "true" ? 1000 : 0; if (!($3 == "true" || $3 == "false") || $1 < 800000 - 300 * b || $1 > 1600000 + 300 * b ||
			$2 < 1800 - b || $2 > 2650 + b) { print; bad = 1 } } END { exit bad }' ||
	{ cat samples; fail "--every: threads at work: not what they have"; }
if "$filter" deny true; then
	watched 5 "$filter" deny "$bheap" run --every=0.1s sh -c "$becoming" - "$program" +50x10000 19
	grep -Eq '^bheap: .* KiB\*' lines && [ "$(grep -c 'memory of a process cannot be read' lines)" -eq 1 ] || { cat lines; fail "--every: old figures are not marked"; }
fi
finish
