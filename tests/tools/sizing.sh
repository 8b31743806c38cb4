#!/bin/sh
# SPDX-License-Identifier: MIT
# What "bheap size" recommends is granted by "bheap run", again and again; several runs; --size=auto.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
threads=$PWD/tests/tools/threads
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
BHEAP_MALLOC_LIBRARY=$preload
BHEAP_RECORD_LIBRARY=$PWD/tools/.libs/bheap-record.so
export BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY
LC_ALL=C; export LC_ALL
PATH=/usr/local/bin:/usr/bin:/bin; export PATH # a folder that may not be searched would change messages
cd "$scratch" || exit 99
XDG_STATE_HOME=$scratch/state; export XDG_STATE_HOME

# heap_figure FILE KIND NAME: of one kind of heap, out of the JSON of "bheap size"
heap_figure()
{
	sed -n "/\"$2\":/,/}/s/^ *\"$3\":\([0-9]*\).*/\1/p" "$1"
}

# refusals FILE: of all processes, out of the JSON of "bheap run"; nothing if there is no figure
refusals()
{
	sed -n 's/^ *"failures":\([0-9]*\).*/\1/p' "$1" | awk '{ sum += $1 } END { if (NR) print sum }'
}

# granted COMMAND...: what is recommended for it suffices, with other environments and outputs, too
granted()
{
	"$bheap" size --json --output=answer "$@" >words.out 2>err ||
		{ cat err; fail "size $*: status $?"; return; }
	size=$(heap_figure answer run recommended)
	more=
	for try in 1 2 3 4; do
		more=$more$(printf '%0500d' "$try")
		MORE=$more "$bheap" run --json --report=report --size="$size" "$@" 2>/dev/null | cat >/dev/null
		[ "$(refusals report)" = 0 ] || fail "run $*: refused $(refusals report) with $size bytes, try $try"
	done
	"$bheap" run --json --report=report --guard --size="$(heap_figure answer guarded recommended)" "$@" >/dev/null 2>&1
	[ "$(refusals report)" = 0 ] || fail "run --guard $*: refused $(refusals report)"
}

# there NAME...: each can be run (and where a program has a malloc() of its own there is nothing to see)
there()
{
	for name; do
		command -v "$name" >/dev/null || { echo "no $name: not tried"; return 1; }
	done
}

awk 'BEGIN { for (i = 0; i < 8000; i++) print i * 7919 % 8009 }' >words
echo 'int main(void) { return 0; }' >small.c

# ---- what is recommended is granted ----
granted sort words
granted sort --parallel=4 -S 1M words
granted awk '{ seen[$1] = $1 $1 } END { for (key in seen) print key, seen[key] }' words
granted find /usr/share -name '*.so'
granted sh -c 'sort words | head -n 3; ls /'
granted "$threads"
# The process of the highest peak is not the one that needs most.
granted sh -c 'dd if=/dev/zero of=/dev/null bs=9M count=1; exec "$0" holes' "$threads"
grep -Eq '"name":"threads\.' answer || { cat answer; fail "size: not the process that needs most"; }
/usr/bin/env python3 -c '' 2>/dev/null && {
	granted /usr/bin/env python3 -c 'import json, re; d = {str(i): i for i in range(5000)}; json.dumps(d); set(d)'
	granted /usr/bin/env python3 -c 'import threading
def work(): x = [str(i) * 50 for i in range(2000)]
t = [threading.Thread(target=work) for i in range(6)]
[i.start() for i in t]
[i.join() for i in t]'; }
there perl && granted perl -e 'my %h; $h{$_} = $_ x 9 for 1 .. 5000; print join ",", keys %h'
there git && git init -q repository 2>/dev/null && {
	cp words small.c repository
	git -C repository add . && git -C repository -c user.name=a -c user.email=a commit -qm a
	granted git -C repository log -p; }
there sqlite3 && granted sqlite3 :memory: 'create table t(a, b); with recursive c(x) as (select 1 union all
	select x + 1 from c where x < 5000) insert into t select x, hex(randomblob(20)) from c; select count(*) from t order by b'
there gcc && granted gcc -O1 -o small small.c

# ---- the replay in the library ----
"$bheap" size --json --output=answer --save=threads.trace "$threads" || fail "size: threads"
grep -qx 't 5' threads.trace || { head -n 1 threads.trace; fail "size: a trace of five threads does not say so"; }
[ "$(grep -c '^[am]' threads.trace)" -gt 100000 ] && # blocks that are never freed: of the threads themselves
	[ "$(grep -c '^[am]' threads.trace)" -le "$(($(grep -c '^f' threads.trace) + 10))" ] || {
	cut -c1 threads.trace | sort | uniq -c; fail "size: frees are missing in the trace of threads"; }
"$bheap" size --json --trace=threads.trace >again
[ "$(heap_figure again run smallest)" = "$(heap_figure answer run smallest)" ] || fail "size: the trace alone gives another size"
expect 0 "^'bheap run --size=$(($(heap_figure answer run recommended) / 1024))K' grants what this run" \
	"$bheap" size --trace=threads.trace
[ -z "$(awk 'length > 80' out)" ] || { cat out; fail "size: wider than 80 columns"; }
"$bheap" size --save=turns.trace "$threads" turns >/dev/null || fail "size: threads that take turns"
grep -qx 't 2' turns.trace || { grep t turns.trace; fail "size: threads that have ended are counted"; }
# Hundreds of threads, whose caches are filled in a small heap without a request that is refused.
printf 't 300\na 1 5000\na 2 100\nf 1\n' >many.trace
expect 0 "^bheap run --size" timeout 120 "$bheap" size --trace=many.trace
printf 't x\na 1 100\n' >bad.trace
expect 1 "^bheap: bad.trace:1: a number of threads was expected" "$bheap" size --trace=bad.trace
BHEAP_MALLOC_LIBRARY=$scratch/none.so expect 0 "^bheap: no size is given for 'bheap run'" "$bheap" size --trace=threads.trace
grep -q '^bheap run' out && { cat out; fail "size: a size for 'bheap run' without the library"; }
grep -q '^init_heap()' out || { cat out; fail "size: nothing but the size for 'bheap run'"; }
expect 2 "'--replay' is no command" "$bheap" --replay
touch empty.so
BHEAP_MALLOC_LIBRARY=$scratch/empty.so expect 0 'empty.so: cannot be preloaded' "$bheap" size --trace=threads.trace
expect 0 '' "$bheap" size --json --margin=0 --trace=threads.trace
for kind in run private guarded in_buffer; do
	[ "$(heap_figure out $kind smallest)" = "$(heap_figure out $kind recommended)" ] || {
		cat out; fail "size --margin=0: more is recommended than suffices"; }
done
# A margin beyond the largest heap is cut there, and the answer says so.
echo 'a 1 12000000000' >large.trace # or on 32 bits:
"$bheap" size --trace=large.trace >out 2>&1 || echo 'a 1 1000000000' >large.trace
expect 0 '^No heap is larger than .*, so the margin is smaller\.$' "$bheap" size --margin=1000 --trace=large.trace
awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "size --margin=1000: more than 80 columns"
expect 0 '' "$bheap" size --json --margin=1000 --trace=large.trace
[ "$(heap_figure out private recommended)" -gt "$(heap_figure out private smallest)" ] || {
	cat out; fail "size --margin=1000: nothing more is recommended"; }
"$bheap" size --trace=threads.trace 2>&1 | grep 'No heap' && fail "size: a margin that is not cut"

# ---- several runs ----
cat >growing <<'SCRIPT'
count=$(($(cat count) + 1))
echo $count >count
exec dd if=/dev/zero of=/dev/null bs=${count}M count=1
SCRIPT
echo 0 >count
expect 0 '^3 runs: .* from 1\.[0-9]* MiB to 3\.[0-9]* MiB' "$bheap" size --run=3 --save=largest.trace sh growing
grep -q '^  of 3 runs the one that needed most' out || { cat out; fail "size --run: which run is it?"; }
[ "$(cat count)" -eq 3 ] || fail "size --run=3: $(cat count) runs"
[ -z "$(awk 'length > 80' out)" ] || { cat out; fail "size --run: wider than 80 columns"; }
grep -Eq '^[am] .* 3[12][0-9]{5}$' largest.trace || fail "size --run --save: not the trace of the run that needs most"
echo 0 >count
"$bheap" size --json --run=2 --output=answer sh growing 2>/dev/null
[ "$(heap_figure answer run smallest_of_runs)" -lt 2000000 ] && [ "$(heap_figure answer run smallest)" -gt 2097152 ] || {
	cat answer; fail "size --run --json: not the smallest of one run and of all"; }
grep -q '"runs":2' answer || { cat answer; fail "size --run --json: no number of runs"; }
rm count
for runs in 0 -1 x 1x 1001 ''; do
	expect 2 "^bheap: --run: '$runs' is no number of runs from 1 to 1000$" "$bheap" size --run="$runs" sh growing
done
[ -e count ] && fail "size --run: the program ran for a bad number"
expect 2 'run is for a program; a trace is of one run' "$bheap" size --run=2 --trace=largest.trace
expect 1 'no-such-program: No such file' "$bheap" size --run=3 no-such-program
[ "$(grep -c . out)" -eq 1 ] || { cat out; fail "size --run: a program that does not exist is told of more than once"; }

# ---- --size=auto ----
expect 0 '--size=auto +no size, as no earlier run is known; next: [0-9.]+ [KM]iB$' "$bheap" run --size=auto sort words
grep -q '64.0 GiB, for no size was given' out || { cat out; fail "run --size=auto: the first run has a size"; }
for earlier in '1 earlier run' '2 earlier runs'; do
	expect 0 "--size=auto +[0-9.]+ [KM]iB, from $earlier; next: [0-9.]+ [KM]iB$" "$bheap" run --size=auto sort words
	grep -q ' 0 requests refused' out || { cat out; fail "run --size=auto: what it needed before does not suffice"; }
done
[ -z "$(awk 'length > 80' out)" ] || { cat out; fail "run --size=auto: wider than 80 columns"; }
cat state/bheap/* >kept
grep -q words kept && { cat kept; fail "run --size=auto: arguments are kept"; }
[ "$(ls -ld state/bheap | cut -c1-10)" = drwx------ ] || fail "run --size=auto: others may look at what is kept"
for other in "sort -r words" "--guard sort words" "--no-cache sort words"; do
	expect 0 'no earlier run is known' "$bheap" run --size=auto $other
done
BHEAP_MALLOC_GUARD=1 expect 0 'no earlier run is known' "$bheap" run --size=auto sort words
mkdir elsewhere && cp words elsewhere
expect 0 'no earlier run is known' sh -c 'cd elsewhere && exec "$@"' sh "$bheap" run --size=auto sort words
echo 0 >count
expect 0 'no earlier run is known; next: 1' "$bheap" run --size=auto sh growing
expect 1 '1\.[0-9]* MiB, from 1 earlier run; was too small, next: no size$' "$bheap" run --size=auto sh growing
expect 0 'no earlier run is known; next: 3' "$bheap" run --size=auto sh growing
expect 7 'from 1 earlier run|no earlier run' "$bheap" run --size=auto sh -c 'exit 7'
"$bheap" run --size=auto --json --report=report sort words >/dev/null
grep -A 2 '"auto"' report | grep -Eq '"granted":[0-9]+' || { cat report; fail "run --size=auto --json: not what was granted"; }
BHEAP_MALLOC_SIZE=4K expect 0 'no earlier run is known' "$bheap" run --size=auto sort -n words
expect 0 'heap +64.0 MiB' "$bheap" run --size=auto --size=64M sort words
for file in state/bheap/*; do echo nonsense >"$file"; done
expect 0 'no earlier run is known' "$bheap" run --size=auto sort words
touch plain
XDG_STATE_HOME=$scratch/plain expect 1 '^bheap: --size=auto: .*/plain/bheap: Not a directory' "$bheap" run --size=auto touch touched
XDG_STATE_HOME= HOME= expect 1 '^bheap: --size=auto: neither XDG_STATE_HOME nor HOME' "$bheap" run --size=auto touch touched
[ -e touched ] && fail "run --size=auto: the program ran although nothing can be kept"
XDG_STATE_HOME= HOME=$scratch/home expect 0 'no earlier run is known' "$bheap" run --size=auto sort words
[ "$(ls home/.local/state/bheap | grep -c .)" -eq 1 ] || fail "run --size=auto: nothing is kept below HOME"

# ---- a server that Ctrl-C ends ----
# Not ignored, as it is in what a script leaves in the background.
expect 130 '^  peak ' setsid --wait env --default-signal=INT "$bheap" run sh -c 'sort words >/dev/null; kill -INT 0'
expect 0 'at the peak' setsid --wait env --default-signal=INT "$bheap" size sh -c 'sort words >/dev/null; kill -INT 0'
finish
