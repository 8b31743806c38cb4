#!/bin/sh
# SPDX-License-Identifier: MIT
# Who holds the memory: bheap size --callers, --leaks, --folded, by programs whose lines are known.
. "$srcdir/tests/tools/common.sh"

: "${CC:=cc}" "${CXX:=c++}"
case "$CC ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has a malloc() of its own"; exit 77 ;; esac
bheap=$PWD/tools/bheap
lifetime=$PWD/tests/tools/lifetime
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
export BHEAP_RECORD_LIBRARY="$PWD/tools/.libs/bheap-record.so"
unset DEBUGINFOD_URLS
cd "$scratch" || exit 99

"$bheap" size --callers true >out 2>&1
if [ $? -eq 2 ] && grep -q 'built without libdw' out; then
	[ "$(wc -l <out)" -eq 1 ] || { cat out; echo "FAILED: more than a line without libdw"; exit 1; }
	echo "bheap is built without libdw"
	exit 77
fi

cat >program.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline, noipa))
#define ALWAYS static inline __attribute__((always_inline))

void *volatile kept[4096];
static volatile int zero;

ALWAYS void *cell_make(size_t size)
{
	return malloc(size); /* LINE cell */
}

APART void table_make(int count)
{
	for (int i = 0; i < count; i++)
		kept[i] = cell_make(1000); /* LINE table */
}

APART void family_call(void)
{
	void *block;

	kept[0] = malloc(10001);           /* LINE malloc */
	kept[1] = calloc(10002, 1);        /* LINE calloc */
	kept[2] = realloc(malloc(1), 10003); /* LINE realloc */
	kept[3] = reallocarray(NULL, 1, 10004); /* LINE reallocarray */
	kept[4] = memalign(64, 10005);     /* LINE memalign */
	kept[5] = aligned_alloc(64, 10006); /* LINE aligned_alloc */
	zero = posix_memalign(&block, 64, 10007); /* LINE posix_memalign */
	kept[6] = block;
	kept[7] = valloc(10008);           /* LINE valloc */
}

APART void deep_make(int depth, size_t size)
{
	char room[depth % 7 * 100 + 16];

	memset(room, depth, sizeof(room));
	kept[room[1]] = room[1] < 1 ? malloc(size) : kept[0]; /* LINE deep */
	if (depth > 0)
		deep_make(depth - 1, size);
	zero = room[2];
}

APART void *thread_work(void *arg)
{
	long number = (long)arg;

	for (int i = 0; i < 50; i++)
		kept[number * 50 + i] = malloc(2000); /* LINE thread */
	return NULL;
}

APART void threads_run(void)
{
	pthread_t threads[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread_work, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

APART void child_make(void)
{
	kept[1000] = malloc(300000); /* LINE child */
}

APART void forks(void)
{
	table_make(100);
	if (fork() == 0) {
		child_make();
		exit(0);
	}
	wait(NULL);
}

static int segments_see(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)info;
	(void)arg;
	kept[size % 4096] = malloc(10);
	free(kept[size % 4096]);
	return 0;
}

APART void *loader_ask(void *arg)
{
	while (zero == 0)
		dl_iterate_phdr(segments_see, arg);
	return arg;
}

/* The loader's lock may be held by a thread that the child does not have. */
APART void forks_of_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, loader_ask, NULL);
	for (int i = 0; i < 200; i++) {
		if (fork() == 0) {
			deep_make(i % 50, 400000); /* LINE orphan */
			_exit(0);
		}
		wait(NULL);
	}
	zero = 1;
	pthread_join(thread, NULL);
}

/* Both lie at one address, if they fit there. */
APART void modules_use(const char *one, const char *other)
{
	const char *names[] = {one, other};

	for (int i = 0; i < 2; i++) {
		void *module = dlopen(names[i], RTLD_NOW);
		void *(*make)(void) = (void *(*)(void))dlsym(module, "plugin_make");

		kept[i] = make(); /* LINE modules */
		dlclose(module);
	}
}

APART void late_make(int from)
{
	for (int i = 0; i < 300; i++)
		kept[from + i] = malloc(1000);
}

/* What is called last holds nothing at the peak. */
APART void phases(void)
{
	table_make(400);
	late_make(1000);
	for (int i = 0; i < 400; i++)
		free(kept[i]);
	late_make(2000);
}

/* The working directory lies outside of the root, and the program's own file, too. */
APART void outside_make(void)
{
	zero = chroot("/proc");
	kept[0] = malloc(600000);
}

static int rounds(void)
{
	for (int i = 0; i < 3; i++) {
		kept[0] = malloc(500); /* LINE leak */
		kept[1] = malloc(5000000); /* LINE freed */
		free(kept[1]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argv[1];

	if (!strcmp(what, "inline"))
		table_make(1000);
	else if (!strcmp(what, "family"))
		family_call();
	else if (!strcmp(what, "deep"))
		deep_make(100, 100);
	else if (!strcmp(what, "threads"))
		threads_run();
	else if (!strcmp(what, "fork"))
		forks();
	else if (!strcmp(what, "orphans"))
		forks_of_thread();
	else if (!strcmp(what, "outside"))
		outside_make();
	else if (!strcmp(what, "modules"))
		modules_use(argv[2], argv[3]);
	else if (!strcmp(what, "phases"))
		phases();
	else if (!strcmp(what, "leaks"))
		zero = rounds();
	return argc == 0;
}
END
cat >plugin.c <<'END'
#include <stdlib.h>

static void *NAME(size_t size)
{
	void *volatile made = malloc(size);

	return made;
}

void *plugin_make(void)
{
	void *volatile made = NAME(SIZE);

	return made;
}
END
cat >program.cpp <<'END'
#include <vector>
#include <string>
#include <cstring>

namespace store {
template <typename T> struct shelf {
	std::vector<T> items;
	__attribute__((noinline)) void fill(std::size_t count)
	{
		items.reserve(count); // LINE reserve
	}
};
}

store::shelf<long> numbers;
char *volatile text;

int main(int argc, char **)
{
	numbers.fill(50000);
	text = new char[1234]; // LINE new
	try {
		throw std::string("an exception goes through all this");
	} catch (const std::string &) {
	}
	return argc == 0;
}
END

# The line of a call in main().
call()
{
	sed -n "/^		.*$1;/=" program.c
}

$CC -g -O2 -pthread -Wno-vla program.c -o program -ldl || { echo "no compiler"; exit 77; }
$CC -g -O2 -shared -fPIC -DNAME=apple_make -DSIZE=70000 plugin.c -o one.so || exit 99
$CC -g -O2 -shared -fPIC -DNAME=berry_make -DSIZE=80000 plugin.c -o other.so || exit 99

# places FILE: the answer's places, a line for each: "BYTES BLOCKS FUNCTION LINE FUNCTION LINE ...".
places()
{
	awk '/^At the end/ { print "end" }
	     /^ *[0-9]+\. / { if (held) print held; held = ""
		for (i = 1; i <= NF; i++) {
			if ($i == "in") blocks = $(i + 1)
			if ($i ~ /^bytes/) bytes = $(i - 1)
		}
		sub(/\(/, "", bytes); held = bytes " " blocks; next }
	     /^$/ { if (held) print held; held = "" }
	     held { line = $NF; sub(/.*:/, "", line); held = held " " $1 " " line }
	     END { if (held) print held }' "$1"
}

# told OPTION... -- PROGRAM...: runs bheap size; the answer is in out, the places in list.
told()
{
	timeout 120 "$bheap" size -o out "$@" 2>err || { status=$?; cat err; fail "size $*: status $status"; }
	places out >list
	awk 'length > 80' out | grep . && fail "size $*: lines of more than 80 columns"
}

# Inlined functions, and the line of the call in each.
told --callers --folded=folded ./program inline
is "an inlined function" "$(head -n 1 list)" \
	"1000000 1000 cell_make $(line program.c cell) table_make $(line program.c table) main $(call 'table_make(1000)')"
grep -q 'cell_make (inlined) ' out || fail "cell_make is not said to be inlined"
is "the folded stack" "$(grep -c '^main;table_make;cell_make 1000000$' folded)" 1
peak=$(sed -n 's/.* (\([0-9]*\) bytes) asked for.*/\1/p' out)
is "the sum of folded stacks" "$(awk '{ sum += $NF } END { print sum }' folded)" "$peak"

# Each function of the family, by its own line.
told --callers ./program family
for name in malloc:10001 calloc:10002 realloc:10003 reallocarray:10004 memalign:10005 aligned_alloc:10006 \
	posix_memalign:10007 valloc:10008; do
	grep -q "^${name#*:} 1 family_call $(line program.c "${name%:*}") main" list ||
		{ cat list; fail "${name%:*} is not told"; }
done

# A call from before the C library knows the environment.
told --callers "$lifetime"
grep -q ' before_constructors ' out || { cat out; fail "an early call is not told"; }

# Frames of many sizes, which nothing but a frame pointer tells.
told --callers --depth=1 ./program deep
grep -q "^100 1 deep_make $(line program.c deep) \.\.\. \.\.\.\$" list ||
	{ cat list; fail "deep calls are not told"; }
told --callers --folded=folded ./program deep
is "the deepest call" "$(grep ' 100$' folded | grep -o 'deep_make' | wc -l)" 101
told --callers --depth=512 ./program deep
grep -q "^100 1 deep_make $(line program.c deep) .* main [0-9]*\$" list ||
	{ cat list; fail "deep calls do not end in main"; }

told --callers ./program threads
grep -q "^400000 200 thread_work $(line program.c thread) " list || { cat list; fail "threads are not told"; }

# A child has its parent's stacks, too.
told --callers ./program fork
is "the child's block" "$(sed -n 1p list | cut -d ' ' -f 1-4)" "300000 1 child_make $(line program.c child)"
is "its parent's blocks" "$(sed -n 2p list | cut -d ' ' -f 1-4)" "100000 100 cell_make $(line program.c cell)"

# A child of a process with threads waits for none of them.
told --callers ./program orphans
is "a child of a process with threads" "$(sed -n 1p list | cut -d ' ' -f 1-4)" "400000 1 deep_make $(line program.c deep)"

# Nothing that asks where a module lies allocates. (Who may not change the root learns less.)
told --callers ./program outside
is "a program in another root" "$(sed -n 1p list | cut -d ' ' -f 1,2)" "600000 1"

# Two modules that were at one place, one after the other, and are gone.
told --callers ./program modules ./one.so ./other.so
is "a module" "$(sed -n 1p list | cut -d ' ' -f 1-3)" "80000 1 berry_make"
is "another one" "$(sed -n 2p list | cut -d ' ' -f 1-3)" "70000 1 apple_make"

# What is live at the end, to the byte, beside the peak.
told --callers --leaks --folded=folded ./program leaks
is "the peak" "$(head -n 1 list)" "5000000 1 rounds $(line program.c freed) main $(call 'zero = rounds()')"
sed '1,/^end/d' list >leaks
is "the leaks" "$(cat leaks)" "1500 3 rounds $(line program.c leak) main $(call 'zero = rounds()')"
is "the folded stacks are the peak's" "$(grep -c '^main;rounds 5000000$' folded)" 1
told --leaks --folded=folded ./program leaks
grep -q '^At the peak' out && fail "--leaks tells of the peak"
# A compiler may have made several calls of one.
is "the folded stacks are the end's" "$(awk '{ sum[$1] += $2 } END { for (stack in sum) print stack, sum[stack] }' folded)" \
	"main;rounds 1500"

# JSON has the same.
told --callers --leaks -j ./program leaks
if command -v python3 >/dev/null; then
	is "JSON" "$(python3 -c '
import json
d = json.load(open("out"))
p = d["callers"]["places"][0]
l = d["leaks"]
c = l["places"][0]["calls"][0]
print(p["bytes"], p["blocks"], l["bytes"], l["blocks"], l["place_count"], c["function"], c["line"],
      c["file"].split("/")[-1], c["module"])')" \
		"5000000 1 1500 3 1 rounds $(line program.c leak) program.c program"
fi

# The plot has a band for each place, one upon the other, and a legend. bands FILE: of each band the most
# bytes up to its upper end, and those at the last moment, in kilobytes.
cat >bands.py <<'END'
import json, re, sys
heap = json.load(open("out"))["heaps"]["private"]
for path in re.findall('<path fill="#[0-9a-f]*" d="([^"]*)"/>', open(sys.argv[1]).read())[1:]:
    heights = [410 - float(y) for y in re.findall(r" ([0-9.]+)", path)]
    kilobytes = [round(h / 340 * 1.05 * heap["recommended"] / 1000 / 5) * 5 for h in heights]
    print(max(kilobytes), kilobytes[-2])
END
told --callers --depth=1 -j --plot=bands.svg ./program phases
grep -q '>1\. cell_make<' bands.svg && grep -q '>2\. late_make<' bands.svg && grep -q '>others<' bands.svg &&
	grep -q '>391 KiB<' bands.svg && grep -q '>293 KiB<' bands.svg || { cat bands.svg; fail "the plot has no legend"; }
if command -v python3 >/dev/null; then
	is "the bands" "$(python3 bands.py bands.svg | tr '\n' ' ')" "700 600 700 600 400 0 "
fi
! command -v xmllint >/dev/null || xmllint --noout bands.svg || fail "the plot with bands is no XML"
told --callers --plot=bands.svg ./program phases
grep -q '>391 KiB, from table_make<' bands.svg || { cat bands.svg; fail "the legend has no callers"; }
is "bands of calls that differ" "$(grep -c '[.] late_make<' bands.svg)" 1
told --leaks --plot=bands.svg ./program phases
grep -q 'cell_make\|others' bands.svg && fail "the plot has bands without --callers"

# A program without symbols: module and offset, which addr2line(1) takes.
cp program stripped && strip -s stripped
told --callers ./stripped inline
grep -q '__libc_start' out && { cat out; fail "a stripped program: what calls main() is in a stack"; }
is "a stripped program" "$(sed -n 1p list | cut -d ' ' -f 1-3)" "1000000 1000 ?"
if command -v addr2line >/dev/null; then
	offset=$(sed -n 's/^ *?  *stripped+\(0x[0-9a-f]*\)$/\1/p' out | head -n 1)
	is "its offset" "$(addr2line -e program "$offset" | sed 's/.*:\([0-9]*\).*/\1/')" "$(line program.c cell)"
fi
# A file that is not the one that ran is not read; with a build ID, and without one.
sed 's/cell_make/dead_make/; s/table_make/wrong_make/' program.c >wrong.c
cat >replace.sh <<'END'
./replaced inline
mv wrong replaced
END
for id in sha1 none; do
	$CC -g -O2 -pthread -Wl,--build-id=$id program.c -o replaced -ldl || exit 99
	$CC -g -O2 -pthread -Wl,--build-id=$id wrong.c -o wrong -ldl || exit 99
	told --callers ./replaced inline
	is "a program with build ID: $id" "$(sed -n 1p list | cut -d ' ' -f 1-4)" \
		"1000000 1000 cell_make $(line program.c cell)"
	told --callers sh replace.sh
	grep -q '^ *? *replaced+0x' out && ! grep -q wrong_make out || { cat out; fail "a replaced program is read"; }
done

# C++: names as they are written.
if $CXX -g -O2 program.cpp -o cxx 2>err && ./cxx; then
	told --callers --folded=folded --plot=bands.svg ./cxx
	grep -q '>1[.] store::shelf&lt;long&gt;::fill(...)<' bands.svg ||
		{ cat bands.svg; fail "the legend of C++ is not XML"; }
	grep -Eq '^main;store::shelf<long>::fill\(unsigned (long|int)\);.* [24]00000$' folded ||
		{ cat folded; fail "a member of a template is not told"; }
	grep -Eq "^ +store::shelf<long>::fill\(unsigned (long|int)\) .*:$(line program.cpp reserve)\$" out ||
		{ cat out; fail "a member's line is not told"; }
	is "functions of the C++ library in a place" "$(sed -n '/^  1\. /,/^$/p' out | grep -c '^ *std::')" 1
	told --callers ./cxx
	is "a block of new" "$(grep -c "^1234 1 .*main $(line program.cpp new)\$" list)" 1
fi

# misused WORDS OPTION...: one line with these words, status 2, and nothing is run.
misused()
{
	words=$1
	shift
	rm -f ran
	"$bheap" size "$@" >out 2>err
	is "status of size $*" $? 2
	[ -s out ] && fail "size $*: an answer"
	grep -q "$words" err || { cat err; fail "size $*: says nothing of '$words'"; }
	[ -e ran ] && fail "size $*: the program was run"
}
echo 'a 0 100' >trace
misused 'a trace has no callers' --callers --trace=trace
misused 'a trace has no callers' --folded=folded --trace=trace
misused "'0' is no number from 1" --depth=0 --callers touch ran
misused "'x' is no number from 1" --depth=x --callers touch ran
"$bheap" size --callers --folded=/nowhere/folded touch ran 2>err && fail "a folder that is not there"
[ -e ran ] && fail "the program was run without a file for the stacks"
is "lines of a bad --folded" "$(wc -l <err)" 1

finish
