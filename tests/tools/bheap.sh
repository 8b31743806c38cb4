#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap: each subcommand on what it is for and on what it must refuse; what it refuses it leaves alone.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
make_heap=$PWD/tests/tools/make-heap
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
BHEAP_MALLOC_LIBRARY=$preload
BHEAP_RECORD_LIBRARY=$PWD/tools/.libs/bheap-record.so
export BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY
LC_ALL=C; export LC_ALL
PATH=/usr/local/bin:/usr/bin:/bin; export PATH # a folder that may not be searched would change messages
cd "$scratch" || exit 99

# figure FILE NAME: a number out of JSON
figure()
{
	sed -n "s/^ *\"$2\": *\([-0-9.e]*\),*\$/\1/p" "$1" | head -n 1
}

# heap_figure FILE KIND NAME: of one kind of heap, out of the JSON of "bheap size"
heap_figure()
{
	sed -n "/\"$2\":/,/}/s/^ *\"$3\":\([0-9]*\).*/\1/p" "$1"
}

# same_number WHAT ONE OTHER
same_number()
{
	[ -n "$2" ] && [ "$2" = "$3" ] || fail "$1: '$2' is not '$3'"
}

# ---- the program itself ----
expect 2 'Usage: bheap COMMAND' "$bheap"
expect 0 'repair .*make a heap whole' "$bheap" --help
expect 0 '^bheap [0-9]+\.[0-9]+\.[0-9]+$' "$bheap" --version
expect 2 "'frob' is no command" "$bheap" frob
"$bheap" help >all && "$bheap" --help | cmp -s all - || fail "help: other than --help"
for name in help --help -h; do
	"$bheap" help $name | cmp -s all - || fail "help $name: other than help"
done
expect 2 "'frob' is no command" "$bheap" help frob
expect 2 'one command is wanted' "$bheap" help show size
"$bheap" -h | cmp -s all - || fail "-h: other than --help"
for command in run size calls show check repair snapshot; do
	expect 0 "^Usage: bheap $command " "$bheap" $command --help
	"$bheap" $command --help >wanted && "$bheap" help $command | cmp -s wanted - || fail "help $command: other text"
	expect 2 "Try 'bheap $command --help'" "$bheap" $command --frob
	expect 2 "Try 'bheap $command --help'" "$bheap" $command
done
if [ -w /dev/full ]; then
	"$bheap" --help 2>err >/dev/full && fail "a full disk goes unnoticed"
	grep -q 'No space left' err || fail "a full disk is not named"
	printf 'a 1 100\nf 1\n' >short.trace
	"$bheap" size --trace=short.trace 2>err >/dev/full && fail "size: a full disk goes unnoticed"
	grep -q '^bheap: standard output: No space left' err || fail "size: a full disk is not named: $(cat err)"
fi

# ---- run ----
expect 0 'peak .*of the heap' "$bheap" run --size=64M sort /dev/null
expect 3 'ended with status 3' "$bheap" run sh -c 'exit 3'
expect 143 'was ended by signal 15 .Terminated' "$bheap" run sh -c 'kill -TERM $$'
grep -q 'its end was not recorded' out || fail "run: no word of the signal"
expect 159 'filter may lack system calls that libbheap-malloc.7. lists' "$bheap" run sh -c 'kill -SYS $$'
expect 0 'filter may lack system calls that libbheap-malloc.7. lists' "$bheap" calls sh -c 'kill -SYS $$'
expect 127 'no-such-program: No such file' "$bheap" run no-such-program
expect 126 'text: Permission denied' sh -c 'echo x >text; "$0" run ./text' "$bheap"
for size in 0 x 100G 1X ''; do
	expect 2 "is no size from 1 to 64G, nor .auto.$" "$bheap" run --size="$size" sort /dev/null
done
for option in report snapshot; do
	expect 1 '^bheap: no-such-dir/r: No such file' "$bheap" run --$option=no-such-dir/r touch touched
	[ -e touched ] && fail "run: the program ran although its $option could not be written"
	rm -f touched
done
BHEAP_MALLOC_LIBRARY=$scratch/none.so expect 1 'none.so: No such file' "$bheap" run touch touched
[ -e touched ] && fail "run: the program ran without its heap"
echo before >report
expect 127 'No such file' "$bheap" run --report=report no-such-program
[ "$(cat report)" = before ] || fail "run: a report of nothing took the place of another"
mkdir bare
expect 127 'No such file' "$bheap" run --report=bare/report --snapshot=bare/snap no-such-program
expect 1 'No such file' "$bheap" run --report=bare/report --snapshot=no-such-dir/snap true
[ -z "$(ls bare)" ] || { ls bare; fail "run: files of a program that did not run"; }

# What is ignored, as nohup has it, the program ignores too; else it ends by it.
(trap '' USR1; expect 0 'ended with status 0' "$bheap" run sh -c 'kill -USR1 $$'; exit $failures) || failures=$((failures + 1))
expect 138 'signal 10' "$bheap" run sh -c 'kill -USR1 $$'
# The end of a program is noticed even where SIGCHLD was ignored at the start.
if env --ignore-signal=CHLD true 2>/dev/null; then
	expect 3 'ended with status 3' env --ignore-signal=CHLD "$bheap" run sh -c 'exit 3'
fi

# Standard output is the program's alone.
[ "$("$bheap" run echo words 2>/dev/null)" = words ] || fail "run: the output is not the program's"

# What the report says: a program that makes a block of 3 MiB, and one for which that is too much.
"$bheap" run --size=8M --json --report=r.json dd if=/dev/zero of=/dev/null bs=3M count=1 2>/dev/null ||
	fail "run: dd fails"
is_json r.json
same_number "run: size" "$(figure r.json size)" 8388608
same_number "run: refusals" "$(figure r.json failures)" 0
same_number "run: status" "$(figure r.json status)" 0
peak=$(figure r.json peak_used)
[ "$peak" -gt 3145728 ] && [ "$peak" -lt 3500000 ] || fail "run: the peak is $peak"
grep -q '"ended":true' r.json || fail "run: dd ended, and the report does not say so"
"$bheap" run --size=2M --json --report=r.json dd if=/dev/zero of=/dev/null bs=3M count=1 2>/dev/null &&
	fail "run: 3 MiB in 2 MiB"
[ "$(figure r.json failures)" -gt 0 ] || fail "run: no refusal is told"
expect 134 'the budget is spent' "$bheap" run --abort --size=2M dd if=/dev/zero of=/dev/null bs=3M count=1

# Its blocks at the end, and when the heap was spent.
expect 0 'ended with status 0' "$bheap" run --snapshot=end.snap sort /dev/null
expect 0 'end.snap: a heap of 64.0 GiB' "$bheap" show end.snap
expect 134 'the budget is spent' "$bheap" run --abort --size=2M --snapshot=spent.snap \
	dd if=/dev/zero of=/dev/null bs=3M count=1
expect 0 ' 1 refused' "$bheap" show spent.snap
expect 0 'refused        3.00 MiB at most$' "$bheap" show spent.snap
expect 0 'last refused   3.00 MiB, with .* used$' "$bheap" show spent.snap
grep '.\{81\}' out && fail "show: a line of more than 80 columns"
"$bheap" show --json spent.snap >spent.json
[ "$(figure spent.json largest_refused)" -ge 3145728 ] || fail "show: the largest refusal is not told"
same_number "show: last refusal" "$(figure spent.json last_refused)" "$(figure spent.json largest_refused)"
expect 137 'killed.snap: sh left no snapshot' "$bheap" run --snapshot=killed.snap sh -c 'kill -KILL $$'
[ -e killed.snap ] && fail "run: a snapshot of nothing"

# What a library frees when it ends is freed, and a fault in that is one.
cat >keeper.c <<'END'
#include <stdlib.h>
static void *blocks[100];
void keeper_fill(void)
{
	for (int index = 0; index < 100; index++)
		blocks[index] = calloc(1, 3000);
}
static void __attribute__((destructor)) keeper_end(void)
{
	((volatile char *)blocks[0])[3008] = 1;
	for (int index = 0; index < 100; index++)
		free(blocks[index]);
}
END
cat >kept.c <<'END'
void keeper_fill(void);
int main(void)
{
	keeper_fill();
}
END
if ${CC:-cc} -w -shared -fPIC -o libkeeper.so keeper.c && ${CC:-cc} -o kept kept.c -L. -lkeeper; then
	LD_LIBRARY_PATH=$scratch expect 0 '^  live at the end  0 blocks' "$bheap" run ./kept
	LD_LIBRARY_PATH=$scratch expect 0 'refused, 1 fault$' "$bheap" run --guard ./kept
else
	fail "run: libkeeper.so cannot be built"
fi

# One that allocates nothing leaves a record too.
expect 0 "peak " "$bheap" run true

# The processes that a program starts have lines of their own.
expect 0 '^ +[0-9]+ +sort +[0-9.]+ [KM]iB' "$bheap" run sh -c 'sort /dev/null; exit 0'
mkdir left
TMPDIR=$scratch/left "$bheap" run --snapshot=left.snap sort /dev/null 2>/dev/null || fail "run: in a folder of its own"
TMPDIR=$scratch/left "$bheap" size sort /dev/null >/dev/null 2>&1 || fail "size: in a folder of its own"
[ -z "$(ls -A left)" ] || { ls -A left; fail "run or size: something is left in TMPDIR"; }

# ---- size ----
# Eight blocks of 4096 bytes, every other one freed, and one that fits in no hole: it needs room at
# the end: ten pages.
awk 'BEGIN { for (i = 0; i < 8; i++) print "a", i, 4096
	for (i = 0; i < 8; i += 2) print "f", i
	print "a 0 8192"; print "r 1 100"; print "m 2 4096 16" }' >trace
expect 0 '^trace: 15 operations$' "$bheap" size --trace=trace
grep -q '^  at the peak 32.0 KiB (32768 bytes) asked for; 8 blocks at most$' out || { cat out; fail "size: the peak"; }
grep -Eq '^init_heap[(][)], bheap_create[(][)] +40960 +40.0 KiB +25.0 % +45056 ' out || {
	cat out; fail "size: 10 pages are the answer"; }
gzip -k trace
expect 0 '' "$bheap" size --json --margin=100 --trace=trace.gz
is_json out
same_number "size: peak" "$(figure out peak_live)" 32768
same_number "size: smallest" "$(heap_figure out private smallest)" 40960
same_number "size: recommended" "$(heap_figure out private recommended)" 81920
awk '/"private"/ { kind = 1 } /"guarded"/ { kind = 2 } /"in_buffer"/ { kind = 3 }
	/"smallest"/ { gsub(/[^0-9]/, ""); size[kind] = $0 }
	END { exit !(size[2] > size[1] && size[3] > size[1]) }' out ||
	fail "size: guards and bookkeeping are for nothing"
expect 0 '' "$bheap" size --plot=plot.svg --output=answer --trace=trace
grep -q 'live bytes' plot.svg && grep -q '</svg>' plot.svg || fail "size: no plot"
! command -v xmllint >/dev/null || xmllint --noout plot.svg || fail "size: the plot is no XML"
grep -q recommended answer || fail "size: no answer in its file"

# A program: what is recommended suffices, and half of what just suffices does not.
expect 0 '' "$bheap" size --json --output=- --save=dd.trace.gz dd if=/dev/zero of=/dev/null bs=1M count=1
smallest=$(sed -n 's/.*"smallest": *\([0-9]*\).*/\1/p' out | head -n 1)
recommended=$(sed -n 's/.*"recommended": *\([0-9]*\).*/\1/p' out | head -n 1)
[ "$smallest" -gt 1048576 ] || fail "size: dd needs $smallest"
expect 0 'ended with status 0' "$bheap" run --size="$recommended" dd if=/dev/zero of=/dev/null bs=1M count=1
expect 1 'ended with status 1' "$bheap" run --size="$((smallest / 2))" dd if=/dev/zero of=/dev/null bs=1M count=1
expect 0 "smallest\":$smallest" "$bheap" size --json --trace=dd.trace.gz
expect 0 'another process, dd' "$bheap" size sh -c 'dd if=/dev/zero of=/dev/null bs=1K count=1; exec sort trace'

# What makes no sense.
printf 'a 1 10\na 1 10\n' >twice
printf 'a 1 10\nf 2\n' >unknown
printf 'hello\n' >words
printf 'a 1 99999999999999999999\n' >huge
printf 'a 1 100000000000\n' >large
: >empty
for file in twice:2 unknown:2 words:1 huge:1 empty:1; do
	expect 1 "^bheap: $file: " "$bheap" size --trace=${file%:*}
done
expect 0 '^standard input: 15 operations$' "$bheap" size --trace=- <trace.gz
expect 1 '^bheap: standard input:1: cannot read on: Bad file descriptor$' "$bheap" size --trace=- <&-
expect 1 'large: not even the largest heap suffices' "$bheap" size --trace=large
expect 1 '^bheap: no-such-trace: No such file' "$bheap" size --trace=no-such-trace
expect 1 'no-such-program: No such file' "$bheap" size no-such-program
expect 1 'true: nothing was recorded:$' "$bheap" size true
grep -q '^  it allocates nothing' out || { cat out; fail "size: no word of why nothing was recorded"; }
expect 2 "'-1' is no number of per cent" "$bheap" size --margin=-1 --trace=trace
expect 2 'not both' "$bheap" size --trace=trace sort
expect 2 "^bheap: size: --json of a program needs --output=FILE" "$bheap" size --json touch touched
[ -e touched ] && fail "size: the program ran although its output would be mixed with the answer"
expect 1 'no-such-dir/plot' "$bheap" size --plot=no-such-dir/plot --trace=trace
for option in output save plot; do
	expect 1 '^bheap: no-such-dir/file: No such file' "$bheap" size --$option=no-such-dir/file touch touched
	[ -e touched ] && fail "size: the program ran although its $option could not be written"
	rm -f touched
done
expect 1 'No such file' "$bheap" size --output=bare/answer --save=bare/trace --plot=bare/plot no-such-program
[ -z "$(ls bare)" ] || { ls bare; fail "size: files of a program that did not run"; }
echo before >answer
expect 1 'words' "$bheap" size --output=answer --trace=words
[ "$(cat answer)" = before ] || fail "size: no answer took the place of another"

# ---- show, check, snapshot on heaps whose content is known ----
"$make_heap" make heap 0 || exit 99
"$make_heap" make guarded guard || exit 99
cp heap heap.before
cp guarded guarded.before
expect 0 'used +30.3 KiB in 3 blocks' "$bheap" show heap
grep -Eq '^ +0 #+' out || fail "show: no map"
grep -Eqx '  to 1 KiB +1008 bytes  to 64 KiB +29.3 KiB' out || fail "show: not what lies in blocks of each size: $(cat out)"
expect 0 'used' "$bheap" show --color=always guarded
grep -q "$(printf '\033')" out || fail "show: no colours"
# Its rows fit the terminal. (Older versions of script(1) pass no window size on.)
for width in 22 40 77 200; do
	script -qec "stty cols $width && '$bheap' show --color=never heap; stty size" /dev/null </dev/null >out 2>/dev/null
	[ "$(tail -n 1 out | tr -dc '0-9 ' | sed 's/.* //')" = $width ] || continue
	longest=$(grep -E '^ *[0-9a-f]+ [.#1-9]+' out | tr -d '\r' | awk 'length > most { most = length } END { print most + 0 }')
	[ "$longest" -gt $((width / 3)) ] && [ "$longest" -le $width ] || {
		cat out; fail "show: rows of $longest columns on a terminal of $width"; }
done
expect 0 '^ +0 +1008 +1008  used +-' "$bheap" show --blocks heap
expect 0 '' "$bheap" show --json --blocks heap
is_json out
same_number "show: live blocks" "$(figure out live_blocks)" 3
same_number "show: used" "$(figure out used)" 31008
[ "$(grep -c '"offset"' out)" -eq "$(($(figure out live_blocks) + $(figure out free_blocks)))" ] ||
	fail "show: the blocks are not all there"
expect 0 '' "$bheap" show --svg=map.svg heap
grep -q '</svg>' map.svg || fail "show: no picture"
! command -v xmllint >/dev/null || xmllint --noout map.svg || fail "show: the picture is no XML"
expect 0 '^<svg ' "$bheap" show --svg=- --whole guarded
grep -q 'guards: ' out || fail "show: no guards in the picture"
expect 0 'heap: sound' "$bheap" check heap guarded
expect 0 'heap: sound, nothing was changed' "$bheap" repair heap
expect 0 '^bheap snapshot 1$' "$bheap" snapshot heap
expect 0 '' "$bheap" snapshot --output=one.snap heap
expect 0 'used +30.3 KiB in 3 blocks' "$bheap" show one.snap
expect 0 'live blocks +3 +3 +\+0' "$bheap" snapshot --compare one.snap heap
cmp heap heap.before || fail "looking at a heap changed it"
cmp guarded guarded.before || fail "looking at a heap changed it"

# One block freed, one allocated, one written to.
"$make_heap" change heap || exit 99
expect 1 'live blocks +3 +3 +\+0' "$bheap" snapshot --compare one.snap heap
grep -Eq '^- +3f0 +10000  freed|^~ +3f0 +5008  resized from 10000' out ||
	fail "snapshot: the freed block is not told"
grep -Eq '^[+~] +[0-9a-f]+ +5008  ' out || fail "snapshot: the new block is not told"
grep -Eq '^\* +0 +1008  other content' out || fail "snapshot: the changed block is not told"
expect 1 '^1 block with other content' "$bheap" snapshot -c -q one.snap heap
grep -q '^\*' out && fail "snapshot: -q is not quiet"

# Where only statistics differ, that is a difference, too, but one that is not asked for with --blocks.
sed 's/^peak_used .*/peak_used 99008/; s/^frees .*/frees 4711/' one.snap >peak.snap
expect 1 '^peak used  *[0-9]+  *99008 ' "$bheap" snapshot --compare one.snap peak.snap
expect 1 '^frees  ' "$bheap" snapshot --compare --quiet one.snap peak.snap
expect 0 '' "$bheap" snapshot --compare --blocks one.snap peak.snap
[ ! -s out ] || { cat out; fail "snapshot: --blocks prints statistics"; }
expect 1 '^1 block with other content' "$bheap" snapshot -cb one.snap heap
expect 2 'blocks goes with --compare' "$bheap" snapshot --blocks heap

# A symbolic link stays; what it leads to is written, there or not yet, and whole or not at all.
mkdir place
for start in before ''; do
	rm -f place/* chain
	for link in map.svg:show answer:size report:run trace:save snap:snapshot; do
		ln -s "real-${link%:*}" "place/${link%:*}"
		[ -z "$start" ] || echo $start >"place/real-${link%:*}"
	done
	ln -s place/map.svg chain
	expect 0 '' "$bheap" show --svg=chain heap
	expect 0 '' "$bheap" size --output=place/answer --trace=trace
	expect 0 '' "$bheap" size --save=place/trace dd if=/dev/zero of=/dev/null bs=1K count=1
	expect 0 '' "$bheap" run --report=place/report sort /dev/null
	expect 0 '' "$bheap" snapshot --output="$scratch/place/snap" heap
	for link in map.svg:svg answer:recommended trace:1024 report:ended snap:snapshot; do
		name=${link%:*}
		[ -L place/$name ] && [ "$(readlink place/$name)" = real-$name ] || fail "the link $name is no more"
		[ ! -L place/real-$name ] && grep -q "${link#*:}" place/real-$name || fail "nothing behind the link $name"
	done
	[ "$(ls place | wc -l)" -eq 10 ] && [ -L chain ] || { ls -l . place; fail "more or less than links and files"; }
done
ln -s loop loop
expect 1 '^bheap: loop: Too many levels' "$bheap" show --svg=loop heap
[ -L loop ] || fail "a link to itself was replaced"
if [ -e /proc/self/fd/1 ]; then
	"$bheap" show --svg=/proc/self/fd/1 heap >place/out && grep -q '</svg>' place/out || fail "no picture through /proc"
	# What is open already is written to where it stands: what others wrote and write to it stays.
	ln -s /proc/self/fd/1 place/stdout
	for name in place/stdout /proc/self/fd/1 /dev/fd/1; do
		(echo first; "$bheap" run --report=$name echo second 2>&1; echo last) >out
		grep -q 'echo ended with status 0' out && [ "$(sed -n '1,2p;$p' out | tr '\n' ' ')" = 'first second last ' ] || {
			cat out; fail "run: a report to $name and others on top of each other"; }
	done
	[ -L place/stdout ] || fail "a link to the standard output was replaced"
	expect 1 '/dev/fd/99: ' "$bheap" run --report=/dev/fd/99 touch touched
	[ -e touched ] && fail "run: the program ran although nothing is open"
fi
if [ -w /dev/full ]; then
	ln -s /dev/full full
	expect 1 'full: No space left' "$bheap" size --save=full dd if=/dev/zero of=/dev/null bs=1K count=1
	[ -L full ] || fail "a link to a device was replaced"
fi

# A copy that is cut short by a full disk says so.
mkdir full-disk
cat >small.sh <<'EOF'
mount -t tmpfs -o size=24k none full-disk && touch mounted || exit 1
TMPDIR=$PWD/full-disk "$@"
EOF
unshare -rm sh small.sh "$bheap" check heap >out 2>&1
[ ! -e mounted ] || grep -q 'heap: no copy to check: No space left' out || { cat out; fail "check: a full disk is not named"; }
# One that has no page left was a SIGBUS.
for command in "size" "size --callers" "calls"; do
	unshare -rm sh small.sh "$bheap" $command ls >out 2>&1
	[ ! -e mounted ] || grep -q '^bheap: TMPDIR: .*/full-disk: No space left' out || {
		cat out; fail "$command: a full disk is not named"; }
done

# What the command opens is not the program's: not as its standard output, should that be closed, and
# not under a number that it uses.
expect 0 'echo ended with status' "$bheap" run --report=- echo words
"$bheap" run --report=closed.report echo words >&- 2>/dev/null
grep -q words closed.report && fail "run: the program's output is in the report"
"$bheap" run --report=closed.report ls -l /proc/self/fd >fds
grep -q closed.report fds && fail "run: the program has the report open"
"$bheap" size --output=closed.answer --save=closed.trace sh -c 'echo words' >&- 2>/dev/null
[ -s closed.trace ] && [ -s closed.answer ] || fail "size: a closed output leaves nothing"
grep -q words closed.trace closed.answer && fail "size: the program's output is in the trace or the answer"
"$bheap" size --output=closed.answer ls -l /proc/self/fd >fds
grep -q closed.answer fds && fail "size: the program has the answer open"
echo mine >mine
expect 0 'most bytes|at the peak' "$bheap" size --json --output=- --save=numbers.trace sh -c '
	for number in 3 4 5 6 7 8 9; do eval "exec $number>>mine"; done
	count=0; while [ $count -lt 40000 ]; do count=$((count + 1)); done; echo at the peak'
expect 0 'at the peak' sh -c 'ulimit -n 50; exec "$0" size ls -d /' "$bheap"
grep -q 'cut short' out && fail "size: few numbers are too few"
[ "$(wc -c <mine)" -eq 5 ] || fail "size: a file of the program was written to"
[ "$(wc -l <numbers.trace)" -gt 30000 ] || fail "size: the trace ends when the program uses its number"

# A folder for temporary files that is relative, and a program that goes elsewhere.
mkdir relative
TMPDIR=relative expect 0 'ended with status 0' "$bheap" run env -C / ls -d /
grep -q 'its end was not recorded' out && fail "run: a program that goes elsewhere leaves no record"
TMPDIR=relative expect 0 'at the peak' "$bheap" size env -C / ls -d /
grep -q 'cut short' out && fail "size: a program that goes elsewhere is not recorded"
TMPDIR=nowhere expect 1 '^bheap: TMPDIR: nowhere: No such file' "$bheap" size true
TMPDIR=nowhere expect 0 'ended with status 0' "$bheap" run true

# A name with one slash is that of a shared memory object where a heap is read; a trace and what is written are files.
expect 1 "^bheap: /bheap-test-$$: No such file or directory$" "$bheap" size --trace=/bheap-test-$$
expect 1 "no such shared memory object" "$bheap" show /bheap-test-$$
if (umask 077; : >/bheap-test-$$) 2>/dev/null; then
	expect 0 '' "$bheap" snapshot --output=/bheap-test-$$ heap
	expect 0 'a heap of' "$bheap" show //bheap-test-$$
	rm -f /bheap-test-$$
fi
for command in check repair; do
	TMPDIR=nowhere expect 1 '^bheap: TMPDIR: nowhere: No such file' "$bheap" $command heap
	[ "$(wc -l <out)" -eq 1 ] || { cat out; fail "$command: more than one line for a bad TMPDIR"; }
done

# Names are bytes; JSON and XML are UTF-8.
odd=$(printf 'n\303\266\377\355\240\200"<\001')
cp heap "$odd"
expect 0 '' "$bheap" show --json "$odd"
is_json out
grep -q "$(printf 'n\303\266????')" out || fail "show: a name in JSON that is no UTF-8"
command -v iconv >/dev/null && { iconv -f UTF-8 -t UTF-8 out >/dev/null || fail "show: JSON that is no UTF-8"; }
expect 0 '' "$bheap" show --svg=odd.svg "$odd"
! command -v xmllint >/dev/null || xmllint --noout odd.svg || fail "show: a name breaks the picture"

# A shared memory name.
name=/bheap-test-$$
if "$make_heap" make $name 0; then
	expect 0 'a heap of' "$bheap" show $name
	expect 0 'sound' "$bheap" check $name
	rm -f /dev/shm$name
fi

# ---- heaps that are not whole ----
cp heap torn
"$make_heap" die torn || exit 99
cp torn torn.before
expect 1 'torn: a process died inside an operation' "$bheap" check torn
cmp torn torn.before || fail "check: changed what it found"
expect 0 'torn: repaired' "$bheap" repair torn
expect 0 'torn: sound' "$bheap" check torn

cp heap scribbled
"$make_heap" scribble scribbled || exit 99
cp scribbled scribbled.before
expect 1 'scribbled: the index of free blocks is damaged' "$bheap" check scribbled
cmp scribbled scribbled.before || fail "check: changed what it found"
expect 0 'scribbled: repaired' "$bheap" repair scribbled
expect 0 'scribbled: sound' "$bheap" check scribbled

"$make_heap" overflow guarded || exit 99
expect 1 'guarded: .*bytes past the block were overwritten' "$bheap" check guarded
cp guarded guarded.before
expect 1 'guarded: that cannot be repaired; nothing was changed' "$bheap" repair guarded
cmp guarded guarded.before || fail "repair: changed what it cannot repair"

# One that stands still inside it is not dead: the heap is checked when it has come out.
"$make_heap" stop heap &
worker=$!
until grep -q '^State:.T' /proc/$worker/status; do sleep 0.05; done
"$bheap" check heap >stopped.out 2>&1 &
checker=$!
until grep -q 'waiting for a process that is inside' stopped.out || ! kill -0 $checker 2>/dev/null; do
	sleep 0.05
done
kill -CONT $worker
wait $checker || { cat stopped.out; fail "check: a process that stands still is taken for dead"; }
grep -q 'heap: sound' stopped.out || fail "check: a heap with a process inside is not sound"
wait $worker || fail "the stopped process ended badly"

# One at work in it all the while: the locked heap is checked.
"$make_heap" work heap 4 &
worker=$!
sleep 0.3
expect 0 'heap: sound' "$bheap" check heap
expect 0 'a heap of' "$bheap" show heap
wait $worker

# ---- what is no heap ----
head -c 5000 heap >short
tr '\000' 'x' <heap.before >noise
cp noise noise.before
printf 'bheap snapshot 1\nsize x\n' >bad.snap
printf 'bheap snapshot 1\n0 16 16 -\n32 16 16 -\n' >gap.snap
mkdir folder
mkfifo fifo
: >hollow
truncate -s 8192 length
{ head -c 8 heap | tr '\001' '\000'; tail -c +9 heap; } >begun
for command in check repair; do
	expect 1 '^bheap: fifo: .*not a regular file' timeout 10 "$bheap" $command fifo
	expect 1 '^bheap: folder: .*not a regular file' "$bheap" $command folder
	expect 1 '^bheap: hollow: .*it is empty' "$bheap" $command hollow
	expect 1 '^bheap: begun: .*its creation was not finished' "$bheap" $command begun
done
[ -s hollow ] && fail "an empty file was made a heap"
for file in short noise hollow length begun folder no-such-file /no-such-name; do
	for command in show check repair snapshot; do
		expect 1 "^bheap: $file: " "$bheap" $command $file
		[ "$(wc -l <out)" -eq 1 ] || [ $command = repair ] || { cat out; fail "$command $file: more than one line"; }
	done
done
for command in show check repair snapshot; do
	expect 1 '^bheap: /no-such-name: no such shared memory object' "$bheap" $command /no-such-name
	expect 1 '^bheap: //no-such-name: No such file' "$bheap" $command //no-such-name
done
cmp noise noise.before || fail "what is no heap was changed"
printf 'bheap snapshot 1\n0 16 16 - -\n' >more.snap
printf 'bheap snapshot 1\nframes 3\n' >name.snap
printf 'bheap snapshot 1\nsize 16\n0 16 16 -5 0\n' >owner.snap
awk 'BEGIN { print "bheap snapshot 1"; for (at = 0; at < 600; at++) printf "%.0f %.0f 1 0 0\n", at * 2^36, 2^36 }' >vast.snap
for file in bad.snap:2 gap.snap:3 more.snap:2 name.snap:2 owner.snap:3 vast.snap:3; do
	expect 1 "^bheap: $file: not a line of a snapshot" "$bheap" show --svg=- ${file%:*}
done
# One that is cut short is none, wherever it was cut.
count=$(wc -c <one.snap)
while [ $((count -= 1)) -gt 17 ]; do
	head -c $count one.snap >cut.snap
	"$bheap" show cut.snap >out 2>&1 && { cat out; fail "show: a snapshot cut short after $count bytes"; break; }
done
expect 2 '^bheap: cut.snap:2: ' "$bheap" snapshot --compare one.snap cut.snap
sed '$d' end.snap >cut.snap
expect 1 '^bheap: cut.snap: the snapshot is cut short' "$bheap" show cut.snap
expect 2 'no-such-file' "$bheap" snapshot --compare one.snap no-such-file
expect 2 'takes two' "$bheap" snapshot --compare one.snap
expect 2 'quiet goes with --compare' "$bheap" snapshot --quiet heap
expect 2 "'pink' is not one of" "$bheap" show --color=pink heap
expect 1 'no-such-dir/map.svg' "$bheap" show --svg=no-such-dir/map.svg heap
if [ "$(id -u)" -ne 0 ]; then
	cp heap locked
	chmod 0 locked
	for command in show check repair snapshot; do
		expect 1 '^bheap: locked: Permission denied' "$bheap" $command locked
	done
fi
# ---- tables of large numbers ----
# A heap for one byte, and one of more than 10^10 bytes.
printf 'a 1 1\n' >tiny.trace
printf 'a 1 20000000000\n' >wide.trace
for file in tiny wide; do
	expect 0 '^bheap_create_in\(\) ' "$bheap" size --trace=$file.trace
	[ -z "$(awk 'length > 80' out)" ] || { cat out; fail "size: wider than 80 columns"; }
done
"$bheap" size --trace=tiny.trace | grep -q ' >999 % ' || fail "size: the overhead of a byte"
expect 1 'no such shared memory object' "$bheap" show /bheap-test-$$
[ -z "$(awk 'length > 80' out)" ] || { cat out; fail "show: a message wider than 80 columns"; }
for size in 2M x; do
	BHEAP_MALLOC_SIZE=$size BHEAP_MALLOC_ABORT=1 LD_PRELOAD=$preload dd if=/dev/zero of=/dev/null bs=3M count=1 >out 2>&1
	grep -q '^libbheap-malloc: ' out || { cat out; fail "size $size: no message"; }
	[ -z "$(awk 'length > 80' out)" ] || { cat out; fail "size $size: a message wider than 80 columns"; }
done

# ---- options that need another, and files that cannot be ----
expect 2 'size: --depth goes with --callers or --leaks' "$bheap" size --depth=3 true
expect 2 'check: a heap is not read from standard input' "$bheap" check -
expect 2 'repair: a heap is not read from standard input' "$bheap" repair heap -
expect 2 'show: a heap is not read from standard input' "$bheap" show -
expect 2 'snapshot: a heap is not read from standard input' "$bheap" snapshot -
expect 2 'snapshot: a heap is not read from standard input' "$bheap" snapshot --compare heap -

# ---- names with control characters, and with bytes that form no character ----
# ESC, a newline, CSI as one character and as one byte.
odd=$(printf 'a\033[31m\nXb\302\233c\233d')
cp "$(command -v sort)" "./$odd"
"$make_heap" make "./$odd.heap" 0 || exit 99
# harmless COMMAND...: the name is there, and does nothing to a terminal
harmless()
{
	"$@" </dev/null >out 2>&1
	grep -q 'a?\[31m' out || { cat -v out; fail "$*: no name"; }
	[ "$(tr -d '\n\040-\176' <out | wc -c)" -eq 0 ] || { cat -v out; fail "a name goes to the terminal as it is: $*"; }
	! grep -q '^X' out || { cat -v out; fail "a name breaks the line: $*"; }
}
harmless "$bheap" run "./$odd"
harmless "$bheap" run --processes sh -c '"$1"; exit 0' sh "./$odd"
harmless "$bheap" run sh -c 'env -i "$1"; exit 0' sh "./$odd"
harmless "$bheap" run env -i "./$odd"
harmless "$bheap" size sh -c 'env -i "$1"; exit 0' sh "./$odd"
harmless "$bheap" size "./$odd"
harmless "$bheap" calls "./$odd"
for command in check repair show snapshot 'size --trace' run; do
	harmless "$bheap" $command "./$odd.none"
done
for command in check repair show; do
	harmless "$bheap" $command "./$odd.heap"
done
harmless "$bheap" "$odd"
rm -f "./$odd" "./$odd.heap"

finish
