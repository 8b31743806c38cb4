#!/bin/sh
# SPDX-License-Identifier: MIT
# bheap run --guard --callers: where the block of each fault was allocated, freed, and the fault found.
. "$srcdir/tests/tools/common.sh"

: "${CC:=cc}" "${CXX:=c++}"
case "$CC ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has a malloc() of its own"; exit 77 ;; esac
bheap=$PWD/tools/bheap
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
export BHEAP_GUARD_LIBRARY="$PWD/tools/.libs/bheap-guard.so" BHEAP_MALLOC_LIBRARY="$preload"
unset DEBUGINFOD_URLS
cd "$scratch" || exit 99

# What it needs is said in one line, and nothing is run.
for options in --callers "--callers --abort" -c; do
	# shellcheck disable=SC2086 # several words
	expect 2 '^bheap: run: ' "$bheap" run $options touch ran
	is "lines of $options without --guard" "$(wc -l <out)" 1
	grep -q 'needs --guard' out || { cat out; fail "$options: --guard is not named"; }
	awk 'length > 80' out | grep . && fail "$options: more than 80 columns"
	[ -e ran ] && fail "$options: the program was run"
done

"$bheap" run --guard --callers true >out 2>&1
if [ $? -eq 2 ] && grep -q 'built without libdw' out; then
	[ "$(wc -l <out)" -eq 1 ] || { cat out; echo "FAILED: more than a line without libdw"; exit 1; }
	echo "bheap is built without libdw"
	exit 77
fi

cat >program.c <<'END'
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline, noipa))

void *volatile kept[64];
static volatile int zero;

APART char *thing_make(size_t size)
{
	char *thing = malloc(size); /* LINE make */

	zero = 0;
	return thing;
}

APART void thing_free(void *thing)
{
	free(thing); /* LINE free */
	zero = 0;
}

/* It changes the byte: what is written there is a hash, which may have the value already. */
APART void overflow(size_t size)
{
	char *thing = thing_make(size); /* LINE overflow */

	thing[size] ^= 1;
	thing_free(thing); /* LINE overflow_freed */
	zero = 0;
}

APART void resized(void)
{
	char *thing = thing_make(24); /* LINE resized_made */

	thing[24] ^= 1;
	kept[0] = realloc(thing, 300); /* LINE resized */
	zero = 0;
}

APART void never_freed(void)
{
	char *thing = calloc(8, 9); /* LINE never */

	thing[72] ^= 1;
	kept[1] = thing;
}

APART void late_write(void)
{
	char *thing = thing_make(40); /* LINE late_made */

	thing_free(thing); /* LINE late_freed */
	thing[3] ^= 1;
	kept[2] = thing_make(40); /* LINE late_found */
	zero = 0;
}

APART void two_frees(void)
{
	char *thing = thing_make(56); /* LINE twice_made */

	thing_free(thing); /* LINE first_free */
	thing_free(thing); /* LINE second_free */
	zero = 0;
}

APART void wrong_pointer(void)
{
	char *thing = thing_make(100); /* LINE inner */

	thing_free(thing + 16); /* LINE inner_free */
	thing_free((void *)&kept); /* LINE outer_free */
	kept[3] = thing;
}

/* A write to what lies in the middle of a free block; then a new one in front of it. */
APART void merged(void)
{
	char *things[4];

	for (int i = 0; i < 4; i++)
		things[i] = i == 2 ? memalign(16, 208) : thing_make(200); /* LINE merged */
	kept[4] = thing_make(8);
	for (int i = 0; i < 4; i++)
		thing_free(things[i]); /* LINE merged_free */
	things[2][100] ^= 1;
	kept[5] = thing_make(150);
}

/* The address has had another block. */
APART void anew(void)
{
	char *thing = thing_make(120), *next;

	thing_free(thing);
	next = aligned_alloc(16, 120); /* LINE anew */
	next[120] ^= thing == next;
	thing_free(next); /* LINE anew_freed */
	zero = 0;
}

APART void *thread_work(void *arg)
{
	size_t size = (size_t)arg;
	char *thing;

	for (size_t i = 0; i < 20000; i++)
		free(malloc(i % 50 * 8 + 40));
	if (size < 1000)
		thing = malloc(size); /* LINE thread24 */
	else
		thing = calloc(1, size); /* LINE thread1024 */
	thing[size] ^= 1;
	free(thing); /* LINE thread_freed */
	return NULL;
}

APART void threads_run(void)
{
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, thread_work, (void *)(24 + 1000 * i));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* The block is the parent's. */
APART void forks(pid_t (*fork_by)(void))
{
	char *thing = thing_make(88); /* LINE forked */

	kept[6] = thing_make(1);
	if (fork_by() == 0) {
		thing_free(thing); /* LINE forked_free */
		thing_free(thing); /* LINE forked_again */
		_exit(0);
	}
	wait(NULL);
}

APART void forks_late(void)
{
	overflow(24);
	forks(fork);
	zero = 0;
}

APART void many(void)
{
	for (int i = 0; i < 1500; i++)
		overflow(24);
}

/* It has no descriptor, no root, and no way to tell. */
APART void gone(void)
{
	if (chdir("/") || chroot("/proc"))
		zero = 1;
	for (int fd = 0; fd < 4096; fd++)
		close(fd);
	overflow(24); /* LINE gone */
	raise(SIGKILL);
}

static void handler(int number)
{
	kept[7] = malloc((size_t)number);
	free(kept[7]);
}

APART void handled(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	overflow(24); /* LINE handled */
	zero = 0;
}

/* Of a large block, whose pages are closed when it is freed; it ends the program. */
APART void closed(void)
{
	char *thing = thing_make(1000000); /* LINE closed_made */

	thing_free(thing); /* LINE closed_freed */
	kept[8] = thing_make(8);
	zero = 1;
	zero = thing[500001]; /* LINE closed_read */
	zero = 2;
}

APART void *closed_in_thread(void *unused)
{
	closed(); /* LINE closed_thread */
	return unused;
}

APART void closed_by_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, closed_in_thread, NULL);
	pthread_join(thread, NULL);
}

static void own_handler(int number)
{
	_exit(number == SIGSEGV ? 7 : 8);
}

APART void closed_with_handler(void)
{
	signal(SIGSEGV, own_handler);
	closed();
}

/* In no block, or by no access: as without guards. */
APART void sent(void)
{
	kept[8] = thing_make(200000);
	raise(SIGSEGV);
}

APART void nowhere(void)
{
	kept[8] = thing_make(200000);
	zero = *(char *volatile *)&kept[9] == NULL ? *(volatile char *)kept[9] : 1;
}

int main(int argc, char **argv)
{
	switch (argv[1][0]) {
	case 'c': closed(); break;
	case 'C': closed_by_thread(); break;
	case 'h': closed_with_handler(); break;
	case 'N': nowhere(); break;
	case 'S': sent(); break;
	case 'o': overflow(24); break;
	case 'r': resized(); break;
	case 'n': never_freed(); break;
	case 'l': late_write(); break;
	case 't': two_frees(); break;
	case 'w': wrong_pointer(); break;
	case 'm': merged(); break;
	case 'a': anew(); break;
	case 'T': threads_run(); break;
	case 'f': forks(fork); break;
	case 'F': forks(_Fork); break;
	case 'p': forks_late(); break;
	case 'M': many(); break;
	case 'g': gone(); break;
	case 's': handled(); break;
	}
	return argc == 0;
}
END
cat >program.cpp <<'END'
#include <memory>

struct shelf {
	char *items;
	__attribute__((noinline)) shelf() : items(new char[48]) // LINE new
	{
	}
	__attribute__((noinline)) ~shelf()
	{
		delete[] items; // LINE delete
		items = nullptr;
	}
};

shelf *volatile kept;

int main(int argc, char **)
{
	kept = new shelf;
	kept->items[48] ^= static_cast<char>(argc);
	delete kept; // LINE owner
	return argc == 0;
}
END

$CC -g -O2 -fno-builtin -w -pthread program.c -o program || { echo "no compiler"; exit 77; }

# faults FILE: a line each, "FAULT|SIZE|allocated FUNCTION LINE ...|freed at ...|found at ..."
faults()
{
	awk '/^bheap: 0x[0-9a-f]*: / { if (held) print held; sub(/^bheap: 0x[0-9a-f]*: /, ""); held = $0; next }
	     /^  block 0x/ { held = held "|" $4 "|allocated"; if (/not recorded/) held = held " not recorded"; next }
	     /^  block: not recorded/ { held = held "|not recorded"; next }
	     /^  in process / { held = held "|child"; next }
	     /^  (freed|resized|found) |^  [0-9]+ more / { sub(/^  /, ""); held = held "|" $0; next }
	     held && /^     / { line = $NF; sub(/.*:/, "", line); held = held " " $1 " " line; next }
	     { if (held) print held; held = "" }' "$1"
}

# told WHAT OPTION... PROGRAM...: the faults are in list, the status in got.
told()
{
	what=$1
	shift
	: >report
	timeout 120 "$bheap" run --guard --callers --report=report "$@" >err 2>&1
	got=$?
	faults report >list
	awk 'length > 80' report | grep . && fail "$what: lines of more than 80 columns"
	grep -q '^  failures ' report || { cat err report; fail "$what: no summary"; }
}

# has WHAT LINE: it is one of the faults
has()
{
	grep -qxF "$2" list || { cat report list; fail "$1: no line '$2'"; }
}

at()
{
	line program.c "$1"
}

# The call in main().
begin()
{
	echo "main $(sed -n "/^	case '$1': /=" program.c)"
}

make="thing_make $(at make)" free="thing_free $(at free)" here="freed at, where this was found $free"
over="bytes past the block were overwritten" late="written to after free"
twice="the block is free already" none="not the start of a block" end="found when the program ended"

told overflow ./program o
has overflow "$over|24|allocated $make overflow $(at overflow) $(begin o)|$here overflow $(at overflow_freed) $(begin o)"
is "the number of faults" "$(wc -l <list)" 1
told resize ./program r
has resize "$over|24|allocated $make resized $(at resized_made) $(begin r)|resized at, where this was found resized $(at resized) $(begin r)"
told "never freed" ./program n
has "never freed" "$over|72|allocated never_freed $(at never) $(begin n)|$end"
told "written after free" ./program l
has "written after free" "$late|40|allocated $make late_write $(at late_made) $(begin l)|freed at $free late_write $(at late_freed) $(begin l)|found at $make late_write $(at late_found) $(begin l)"
told "double free" ./program t
has "double free" "$twice|56|allocated $make two_frees $(at twice_made) $(begin t)|freed at $free two_frees $(at first_free) $(begin t)|found at $free two_frees $(at second_free) $(begin t)"
told "wrong pointer" ./program w
has "a pointer into a block" "$none|100|allocated $make wrong_pointer $(at inner) $(begin w)|found at $free wrong_pointer $(at inner_free) $(begin w)"
has "a pointer to no block" "$none|not recorded|found at $free wrong_pointer $(at outer_free) $(begin w)"
read="accessed after free|1000000|allocated $make closed $(at closed_made)"
told "a closed page" ./program c
is "the status of an access to a closed page" $got 139
has "a closed page" "$read $(begin c)|freed at $free closed $(at closed_freed) $(begin c)|found at closed $(at closed_read) $(begin c)"
is "a closed page: the number of faults" "$(wc -l <list)" 1
grep -q '^  failures  *0 requests refused, 1 fault$' report || { cat report; fail "a closed page: it is not counted"; }
told "a closed page, in a thread" ./program C
is "the status of an access to a closed page, in a thread" $got 139
grep -Fq "$read closed_in_thread $(at closed_thread)" list && grep -Fq "found at closed $(at closed_read) closed_in_thread $(at closed_thread)" list ||
	{ cat report; fail "a closed page, in a thread"; }
told "a closed page and a snapshot" --snapshot=closed.snap ./program c
is "the status with a snapshot" $got 139
[ -s closed.snap ] && [ "$(wc -l <list)" -eq 1 ] || { cat report; fail "a closed page and a snapshot"; }
for case in h:7 N:139 S:139; do
	told "SIGSEGV, $case" ./program ${case%:*}
	is "the status of SIGSEGV, $case" $got ${case#*:}
	is "SIGSEGV, $case: the number of faults" "$(wc -l <list)" 0
done
"$bheap" run --guard ./program c >out 2>&1
is "the status without --callers" $? 139
grep -Eq '^bheap: 0x[0-9a-f]+: accessed after free$' out || { cat out; fail "a closed page without --callers"; }
told merged ./program m
has merged "$late|208|allocated merged $(at merged) $(begin m)|freed at $free merged $(at merged_free) $(begin m)|$end"
told anew ./program a
has "an address with two blocks" "$over|120|allocated anew $(at anew) $(begin a)|$here anew $(at anew_freed) $(begin a)"
told "a signal handler" ./program s
has "a signal handler" "$over|24|allocated $make overflow $(at overflow) handled $(at handled) $(begin s)|$here overflow $(at overflow_freed) handled $(at handled) $(begin s)"

told threads ./program T
for size in 24 1024; do
	grep -q "^$over|$size|allocated thread_work $(at thread$size) .*|freed at, where this was found thread_work $(at thread_freed) " list ||
		{ cat report list; fail "no fault of a thread with $size bytes"; }
done

for how in f F; do
	told "forked child" ./program $how
	has "forked child" "$twice|child|88|allocated $make forks $(at forked) $(begin $how)|freed at $free forks $(at forked_free) $(begin $how)|found at $free forks $(at forked_again) $(begin $how)"
	is "the faults of parent and child" "$(wc -l <list)" 1
done

# A fault of the parent is not the child's, too.
told "a fault before a fork" ./program p
is "faults before and after a fork" "$(cut -d '|' -f 1,2 list)" "$over|24
$twice|child"

# A fault that comes again and again is told once, with its number; those that were not told are counted.
told many ./program M
is "many faults" "$(cut -d '|' -f 1,2,5 list)" "$over|24|999 more faults of this kind with the same calls"
grep -qx 'bheap: of 500 more faults no calls were recorded' report || { cat report; fail "many faults: not all are counted"; }

told "a program that closed all" ./program g
is "its status" "$got" 137
has "a program that closed all" "$over|24|allocated $make overflow $(at overflow) gone $(at gone) $(begin g)|$here overflow $(at overflow_freed) gone $(at gone) $(begin g)"

# Where files may have 50 to 100 MB, so has what is shared.
(failures=0
	ulimit -f 100000 && told "a limit of files" ./program o
	is "the faults in a limit of files" "$(cut -d '|' -f 1,2 list)" "$over|24"
	[ "$failures" -eq 0 ]) || fail "a limit of files"

# Aborted at the first fault.
told abort --abort ./program t
is "the status of an aborted program" "$got" 134
is "the faults of an aborted program" "$(cut -d '|' -f 1 list)" "$twice"

# JSON has the same.
if command -v python3 >/dev/null; then
	"$bheap" run --guard --callers --json --report=json ./program t >err 2>&1
	is JSON "$(python3 -c '
import json
d = json.load(open("json"))["faults"]
f = d[0]
at = lambda calls: " ".join("%s %d" % (c["function"], c["line"]) for c in f[calls][:2])
print(len(d), f["fault"], f["size"], f["times"], f["freed"], f["resized"], f["at_end"], f["block"] == f["address"])
print(at("allocated_at"), at("freed_at"), at("found_at"))')" "1 $twice 56 1 True False False True
$make two_frees $(at twice_made) $free two_frees $(at first_free) $free two_frees $(at second_free)"
fi

# A program without symbols: module and offset.
cp program stripped && strip -s stripped
told stripped ./stripped o
is "a stripped program" "$(sed -n '/allocated at/,/^  freed/p' report | grep -c '^ *?  *stripped+0x[0-9a-f]*$' | sed 's/^[3-9]$/three or more/')" "three or more"
if command -v addr2line >/dev/null; then
	offset=$(sed -n '/allocated at/,/^  freed/s/^ *?  *stripped+\(0x[0-9a-f]*\)$/\1/p' report | head -n 1)
	is "its offset" "$(addr2line -e program "$offset" | sed 's/.*:\([0-9]*\).*/\1/')" "$(at make)"
fi

if $CXX -g -O2 -fno-optimize-sibling-calls program.cpp -o cxx 2>err && ./cxx; then
	told C++ ./cxx
	grep -q "^$over|48|allocated .*shelf::shelf() $(line program.cpp new) .*main .*|freed at, where this was found .*shelf::~shelf() $(line program.cpp delete) main $(line program.cpp owner)" list ||
		{ cat report list; fail "C++: not told"; }
fi

# A program without faults has nothing of this.
told "no fault" sh -c 'exit 3'
is "its status" "$got" 3
is "its faults" "$(wc -l <list)" 0
finish
