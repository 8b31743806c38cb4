#!/bin/sh
# SPDX-License-Identifier: MIT
# What --json prints is JSON, and each member is in bheap(1) with its type, and nothing else is: runs that reach
# every member, in every type, and all cases in which one is absent.
. "$srcdir/tests/tools/common.sh"

: "${CC:=cc}"
case "$CC ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has a malloc() of its own"; exit 77 ;; esac
srcdir=$(cd "$srcdir" && pwd) || exit 99
bheap=$PWD/tools/bheap
program=$PWD/tests/tools/ends
filter=$PWD/tests/tools/filter
make_heap=$PWD/tests/tools/make-heap
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
[ -r /proc/self/stat ] || { echo "/proc is not mounted"; exit 77; }
python3 -c '' 2>/dev/null || { echo "no python3"; exit 77; }
export BHEAP_MALLOC_LIBRARY="$preload" BHEAP_RECORD_LIBRARY="$PWD/tools/.libs/bheap-record.so" \
	BHEAP_GUARD_LIBRARY="$PWD/tools/.libs/bheap-guard.so" LC_ALL=C XDG_STATE_HOME="$scratch/state"
unset DEBUGINFOD_URLS
cd "$scratch" || exit 99
started= count=0
trap 'for pid in $started; do kill -KILL $pid; done 2>/dev/null; rm -rf "$scratch"' EXIT

"$bheap" size --callers true >out 2>&1
grep -q 'built without libdw' out && { echo "bheap is built without libdw"; exit 77; }
"$filter" deny true || { echo "no filter of system calls"; exit 77; }

cat >program.c <<'END'
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APART __attribute__((noinline, noipa))

void *volatile kept[8];
static volatile int zero;

static inline __attribute__((always_inline)) char *cell_make(size_t size)
{
	return malloc(size);
}

APART char *thing_make(size_t size)
{
	char *thing = cell_make(size);

	zero = 0;
	return thing;
}

static void *late_end(void *arg)
{
	usleep(500000);
	_exit(0);
	return arg;
}

/* Its first thread ends: then no resident memory is told. */
static void threads_run(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, late_end, NULL);
	pthread_exit(NULL);
}

/* More calls than a stack has room for: the outermost belongs to no file. */
APART void deep_make(int depth)
{
	if (depth)
		deep_make(depth - 1);
	else
		kept[3] = thing_make(100000);
	zero = depth;
}

/* Faults of each kind that there is something else to tell of. */
static void faults_make(void)
{
	char *thing = thing_make(24);

	thing[24] ^= 1;
	kept[0] = realloc(thing, 300);
	thing = thing_make(100);
	free(thing);
	free(thing);
	free((void *)&kept);
	thing = thing_make(40);
	thing[40] ^= 1;
	kept[1] = thing;
}

int main(int argc, char **argv)
{
	kept[2] = thing_make(1000);
	if (argc > 1 && !strcmp(argv[1], "faults"))
		faults_make();
	else if (argc > 1 && !strcmp(argv[1], "threads"))
		threads_run();
	else if (argc > 1 && !strcmp(argv[1], "stop"))
		raise(SIGSTOP);
	else if (argc > 1)
		deep_make(600);
	return 0;
}
END
cat >plain.c <<'END'
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) { usleep(argc > 1 ? 300000 : 0); return !malloc(100) + !argv; }
END
$CC -g -O1 -w -pthread program.c -o program || { echo "no compiler"; exit 77; }
$CC -w -static -o static plain.c 2>/dev/null && ./static || { echo "no static programs"; exit 77; }
cp program stripped && strip -s stripped || { echo "no strip"; exit 77; }

# stopped COMMAND...: starts it, waits until it has stopped itself by signal 19; its number is $pid
stopped()
{
	"$@" 2>/dev/null &
	pid=$!
	started="$started $pid"
	is_stopped
}
is_stopped()
{
	until grep -q '^State:.[TZ]' /proc/$pid/status 2>/dev/null; do
		kill -0 $pid 2>/dev/null || { fail "the program has ended"; break; }
		sleep 0.05
	done
}

# ---- run ----
"$bheap" run --json --report=run.plain.json "$program" +100x1000 fork +10x10
"$bheap" run --json --report=run.killed.json "$program" +100x1000 9
"$bheap" run --json --report=run.unreached.json sh -c './static; ./static; exec env ./static'
"$bheap" run --json --report=run.nothing.json ./static
for size in first second; do
	"$bheap" run --json --size=auto --report=run.$size.json "$program" +10x10000
done
# What is known of it is too little.
printf 'bheap size 1\nneeded 4096\nruns 1\nprogram ends\n' >small
for file in state/bheap/*; do cp small "$file"; done
"$bheap" run --json --size=auto --report=run.refused.json "$program" +10x10000 2>/dev/null
BHEAP_MALLOC_SIZE=32M "$bheap" run --json --report=run.settings.json "$program" +1x1
"$bheap" run --json --guard --callers --report=run.faults.json ./program faults 2>/dev/null
"$bheap" run --json --guard --callers --report=run.stripped.json ./stripped faults 2>/dev/null
"$bheap" run --json --every=0.1 --report=run.every.json "$program" +10x10 sleep
"$bheap" run --json --every=0.1 --report=run.none.json ./static sleep
"$bheap" run --json --every=0.1 --report=run.threads.json ./program threads

# ---- size, calls ----
"$bheap" size --json --output=size.runs.json --run=3 --callers --leaks --save=trace ./program 2>/dev/null
"$bheap" size --json --output=size.stripped.json --callers ./stripped 2>/dev/null
"$bheap" size --json --output=size.deep.json --callers ./program deep 2>/dev/null
"$bheap" size --json --output=size.resident.json "$program" +100x1000 sleep 2>/dev/null
"$bheap" size --json --output=size.unreached.json sh -c './static; :' 2>/dev/null
"$bheap" size --json --trace=trace >size.trace.json
BHEAP_MALLOC_LIBRARY=$scratch/none "$bheap" size --json --trace=trace >size.none.json 2>/dev/null
"$bheap" calls --json --output=calls.plain.json sh -c './static; :' 2>/dev/null

# ---- show ----
"$make_heap" make ./heap 0 && "$make_heap" make ./owned owned || fail "no heaps"
"$bheap" show --json --blocks ./heap >show.heap.json
"$bheap" show --json --blocks ./owned >show.owned.json
"$bheap" snapshot -o heap.snap ./owned
"$bheap" show --json --blocks heap.snap >show.snapshot.json
stopped env LD_PRELOAD="$preload" "$program" +100x1000 19
"$bheap" show --json --blocks $pid >show.process.json
kill -KILL $pid
"$bheap" run sh -c '"$0" +100x10000 19 & echo $! >number; wait' "$program" 2>/dev/null &
started="$started $!"
until [ -s number ]; do sleep 0.05; done
pid=$(cat number)
started="$started $pid"
is_stopped
"$filter" deny "$bheap" show --json $pid >show.old.json
kill -KILL $pid

# ---- hostile names, and large numbers ----
# same FILE EXPRESSION WANTED: what Python makes of the object in a file
same()
{
	is "$1: $2" "$(python3 -c '
import json, sys
d = json.loads(open(sys.argv[1], "rb").read().decode())
print(ascii(eval(sys.argv[2])))' "$1" "$2")" "$3"
}

# A name of less than 255 bytes, and one that is cut inside a character where there is room for 15 or 31 bytes.
zeros=$(printf '%0200d' 0)
odd=$(printf 'a"b\\c\nd\377\303\266\303\033\177\355\240\200')$zeros
odd_shown="a\"b\\\\c\\nd?\\xf6?\\x1b\\x7f???"
umlauts=$(printf '\303\266%.0s' $(seq 100))
for name in "$odd" "$umlauts"; do
	count=$((count + 1))
	ln static "$name" && mkdir "folder.$name" && cp program "folder.$name/$name" || fail "no files of odd names"
	BHEAP_ABORT="$name" "$bheap" run --json --report=run.odd$count.json "./folder.$name/$name"
	"$bheap" run --json --report=run.odd_static$count.json sh -c '"$0"; exec "$0"' "./$name"
	"$bheap" run --json --guard --callers --report=run.odd_faults$count.json "./folder.$name/$name" faults 2>/dev/null
	"$bheap" size --json --callers --output=size.odd$count.json "./folder.$name/$name" 2>/dev/null
	"$bheap" calls --json --output=calls.odd$count.json "./folder.$name/$name" 2>/dev/null
	cp trace "$name.trace"
	"$bheap" size --json --trace="$name.trace" >size.odd_trace$count.json
	"$make_heap" make "./$name.heap" 0 && "$bheap" show --json --blocks "./$name.heap" >show.odd$count.json
	stopped env LD_PRELOAD="$preload" "./folder.$name/$name" stop
	"$bheap" show --json $pid >show.odd_process$count.json
	kill -KILL $pid
done
same show.odd1.json 'd["name"]' "'./$odd_shown$zeros.heap'"
same show.odd_process1.json 'd["program"]' "'${odd_shown%?}'"
same show.odd_process2.json 'd["program"]' "'$(printf '\\xf6%.0s' 1 2 3 4 5 6 7)?'"
same run.odd1.json 'd["program"]' "'./folder.$odd_shown$zeros/$odd_shown$zeros'"
same run.odd1.json 'd["heap"]["program"]' "'$odd_shown$(printf '%015d' 0)'"
same run.odd1.json 'd["environment"]["BHEAP_ABORT"]' "'$odd_shown$zeros'"
same run.odd_static1.json 'd["not_measured"][0]["program"]' "'$odd_shown$zeros'"
same size.odd_trace1.json 'd["name"]' "'$odd_shown$zeros'"
same size.odd1.json 'd["callers"]["places"][0]["calls"][0]["module"]' "'$odd_shown$zeros'"

long=$(printf './%.0s' $(seq 1500))static
"$bheap" run --json --report=run.long.json env "$long"
"$bheap" run --json --report=run.longer.json "$long"
same run.long.json 'd["not_measured"][0]["path"]' "'/.../static'"
same run.longer.json 'd["program"]' "'$long'"

# A number that a fraction of 53 bits does not hold, and the largest.
sed 's/^allocations .*/allocations 9007199254740993/; s/^frees .*/frees 18446744073709551615/' heap.snap >large.snap
"$bheap" show --json large.snap >show.large.json
same show.large.json 'd["allocations"], d["frees"]' '(9007199254740993, 18446744073709551615)'

python3 "$srcdir/tests/tools/json_members.py" "$srcdir/man/bheap.1" ./*.*.json || fail "JSON and its page differ"

finish
