#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that another program executes, and that no library can be preloaded into: bheap run, size and calls
# name them, with the reason, and pass the figures of none as theirs. A process that executes counts once.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
program=$PWD/tests/tools/executes filter=$PWD/tests/tools/filter
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
grep -q execveat "$preload" || { echo "executions are not seen with this C library"; exit 77; }
# Where another user can load them, too.
chmod 755 "$scratch"
mkdir "$scratch/closed"
cp "$program" "$PWD/tests/tools/ends" "$scratch" || exit 99
cp "$preload" "$PWD/tools/.libs/bheap-record.so" "$scratch/closed" || exit 99
BHEAP_MALLOC_LIBRARY=$scratch/closed/libbheap-malloc.so BHEAP_RECORD_LIBRARY=$scratch/closed/bheap-record.so
export BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY
LC_ALL=C; export LC_ALL
cd "$scratch" || exit 99
program=$scratch/executes
PATH=$scratch:$PATH; export PATH

: "${CC:=cc}"
echo 'int main(int count, char **words) { return count == 2 && *words[1] == 102 ? 5 : 0; }' >plain.c
$CC -w -o plain plain.c || exit 77
"$program" here execv "$scratch/plain" || { echo "nothing is executed"; exit 99; }
# The program has the malloc() of this test's library; a static one none.
$CC -w -static -o static plain.c 2>/dev/null && ./static || { rm -f static; echo "skipped: no static programs"; }

functions='execve execv execvp execvpe execl execlp execle many fexecve descriptor execveat posix_spawn posix_spawnp'

# told LINE REASON WHAT: both are in the report "out", one after the other
told() { grep -A1 "$1" out | grep -Fq "  $2" || { cat out; fail "$3: no word of '$1', '$2'"; }; }
untold() { ! grep -E 'which was not measured' out || { cat out; fail "$1: of a program that was measured"; }; }

# ---- what was preloaded into is not told of, and what fails changes nothing ----
for function in $functions; do
	for where in here fork vfork last; do
		"$bheap" run "$program" $where $function "$scratch/plain" f >out 2>&1
		case $where$function in
		*posix*) untold "$where $function" ;;
		last*) untold "$where $function" ;;
		*many) is "the status of $where $function" $? 0; untold "$where $function" ;;
		*) is "the status of $where $function" $? 5; untold "$where $function" ;;
		esac
		"$bheap" run "$program" $where $function no/such/program f >out 2>&1
		is "the status of $where $function that fails" $? 0
		untold "$where $function that fails"
		grep -q 'its end was not recorded' out && { cat out; fail "$where $function fails: the end is not told"; }
	done
done
"$bheap" run "$program" here nowhere "$scratch/plain" >out 2>&1
is "the status where a path or an environment is no address" $? 0
# A process that executed another program: whose figures these are.
"$bheap" run sh -c ': a shell; exec "$0" f' "$scratch/plain" >out 2>&1
grep -q '^  the statistics are of plain, which it executed$' out || { cat out; fail "a shell that executed another program"; }
grep -q '^bheap: 1 former program, with a heap of its own:$' out || { cat out; fail "the shell is not told as a former program"; }
"$bheap" run sh -c '"$0"; : a shell; exec "$0" f' "$scratch/plain" >out 2>&1
grep -q '^bheap: 2 other processes and former programs, each with a heap of its own:$' out || { cat out; fail "a process and a former program"; }
"$bheap" run "$scratch/plain" f >out 2>&1
grep 'which it executed' out && fail "a program that executed none"
[ "$("$bheap" run --report=r "$program" here many /bin/echo end | wc -w)" -eq 101 ] || fail "execl() of a hundred arguments"
[ "$("$bheap" run --report=r "$program" here execle /bin/echo end)" = end ] || fail "execle() and its arguments"
[ "$("$bheap" run --report=r "$program" vfork execlp echo end)" = end ] || fail "execlp() and its arguments"
"$bheap" run sh -c 'i=0; while [ $i -lt 30 ]; do "$0" here posix_spawn "$1"; i=$((i + 1)); done' "$program" "$scratch/plain" >out 2>&1
untold "many that are spawned"
"$bheap" size sh -c 'i=0; while [ $i -lt 30 ]; do "$0" here posix_spawn "$1"; i=$((i + 1)); done' "$program" "$scratch/plain" >out 2>&1
untold "size: many that are spawned"

"$bheap" run "$bheap" run --report=inner "$scratch/plain" f >out 2>&1
told '^bheap: bheap executed plain, which was not measured:$' 'it was executed by another bheap, whose summary has it' "bheap below bheap"

# ---- without LD_PRELOAD ----
without='it was executed without LD_PRELOAD or other variables that bheap sets'
"$bheap" run "$program" here empty "$scratch/plain" f >out 2>&1
is "the status of a program without environment" $? 5
told '^  it executed plain, which was not measured:$' "$without" "run, here"
grep -q '^  the statistics are of executes, as it was before that$' out || { cat out; fail "run: whose figures are these?"; }
grep -q 'its end was not recorded' out && { cat out; fail "run: a process that executes tells its end"; }
for where in fork vfork; do
	for command in run size calls; do
		"$bheap" $command "$program" $where empty "$scratch/plain" >out 2>&1
		told "^bheap: executes executed plain, which was not measured:$" "$without" "$command, $where"
	done
done
"$bheap" run sh -c 'env -i /bin/true; env -i /bin/true; env -u LD_PRELOAD true; exit 0' >out 2>&1
told '^bheap: env executed true (2 times), which was not measured:$' "$without" "env -i"
for command in size calls; do
	"$bheap" $command "$program" here empty "$scratch/plain" >out 2>&1
	is "the status of $command" $? 0
	told '^bheap: executes executed plain, which was not measured:$' "$without" $command
	grep -q '^bheap: the answer is of executes, as it was before it executed another program$' out || {
		cat out; fail "$command: whose figures are these?"; }
done
# It runs on, and is not forgotten.
"$bheap" run sh -c '"$0" here empty /bin/sleep 4 >/dev/null 2>&1 & sleep 1; exit 0' "$program" >out 2>&1
grep -q '^bheap: 1 process runs on: ' out || { cat out; fail "a program that was not measured, and runs on"; }

# ---- static ones ----
if [ -x static ]; then
	reason='it is statically linked, so that no library can be preloaded'
	for function in $functions; do
		for where in here fork vfork last; do
			"$bheap" run --processes "$program" $where $function "$scratch/static" g >out 2>&1
			told "executed static, which was not measured:$" "$reason" "run, $where $function"
			case $where$function in
			*posix* | fork* | vfork*) grep -q '^bheap: executes executed' out ;;
			*) grep -q '^  it executed' out && grep -q '^  the statistics are of executes, ' out ;;
			esac || { cat out; fail "$where $function: of which process?"; }
		done
		"$bheap" size "$program" vfork $function "$scratch/static" g >out 2>&1
		told '^bheap: executes executed static, which was not measured:$' "$reason" "size, $function"
	done
	# By a name, and by a path below the present folder.
	for path in static ./static; do
		"$bheap" run env $path >out 2>&1
		told '^  it executed static, which was not measured:$' "$reason" "run env $path"
	done
	mkdir below && ln static below/other
	"$bheap" run sh -c 'cd below; ./other; ./other; exit 0' >out 2>&1
	told '^bheap: sh executed other (2 times), which was not measured:$' "$reason" "below another folder"
	"$bheap" run --json --report=r.json sh -c 'static; static; exec env static' 2>&1
	grep -q '"program":"static"' r.json && grep -q '"executed_by":"sh"' r.json && grep -q '"times":2' r.json &&
		grep -q '"own_process":true' r.json && grep -q '"reason":"it is statically linked' r.json || {
		cat r.json; fail "JSON has no word of a static program"; }
	"$bheap" size --json --output=r.json env static 2>/dev/null
	grep -q '"reason": *"it is statically linked' r.json || { cat r.json; fail "JSON of size has no word of it"; }
	"$bheap" calls --json --output=r.json env static 2>/dev/null
	grep -q '"reason": *"it is statically linked' r.json || { cat r.json; fail "JSON of calls has no word of it"; }
	printf '#!%s\n' "$scratch/static" >script; chmod +x script
	"$bheap" run sh -c './script; exit 0' >out 2>&1
	told '^bheap: sh executed script, which was not measured:$' "$reason" "a script of a static program"
	# A path that is too long for the table.
	long=$scratch
	for part in 1 2 3 4; do long=$long/ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff$part; done
	mkdir -p "$long" && cp static "$long"
	"$bheap" run "$program" vfork execve "$long/static" >out 2>&1
	told '^bheap: executes executed static, which was not measured:$' 'it could not load the library, or was ended' "a long path"
fi

# ---- of another class: not asked to load the library, about which the dynamic linker would complain ----
if [ "$(od -An -tu1 -j4 -N1 plain)" -eq 2 ] && $CC -w -m32 -o small plain.c 2>/dev/null && ./small; then
	reason='it is a program of 32 bits; the library has 64 (what it executes is left out)'
	printf '#!%s/small\n' "$scratch" >smaller; printf '#! ./smaller x\n' >smallest; chmod +x smaller smallest
	# quiet WHAT: the dynamic linker is
	quiet() { ! grep 'ld\.so' out || fail "$1: the dynamic linker complains"; }
	for function in $functions; do
		for where in here vfork; do
			"$bheap" run "$program" $where $function "$scratch/small" f >out 2>&1
			quiet "$where $function"
			told "executed small, which was not measured:$" "$reason" "$where $function"
		done
	done
	for name in small smaller smallest; do
		for command in run size calls; do
			"$bheap" $command ./$name >out 2>&1
			quiet "$command, the first program"
			grep -Fqx "  $reason" out || { cat out; fail "$command $name: no reason"; }
			"$bheap" $command $name >out 2>&1
			quiet "$command, a name"
			"$bheap" $command sh -c '"$0"; exec env "$0"' $name >out 2>&1
			quiet "$command sh"
			told " env executed $name, which was not \|^  it executed $name, which was" "$reason" "$command sh $name"
		done
	done
	# What else is preloaded remains, also where it was put around the library.
	"$bheap" run "$program" here execve /usr/bin/env >out 2>&1
	grep -q "^LD_PRELOAD=$BHEAP_MALLOC_LIBRARY$" out || { cat out; fail "a program of the library's class has no LD_PRELOAD"; }
	cat >tells.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void) { const char *list = getenv("LD_PRELOAD"); return printf("list: %s.\n", list ? list : "none") < 0; }
END
	$CC -w -m32 -o tells tells.c || fail "tells.c does not build"
	# listed WANTED LIST COMMAND...: what LD_PRELOAD is to ./tells, where it is LIST to bheap
	listed()
	{
		wanted=$1 list=$2
		shift 2
		is "LD_PRELOAD, $*" "$(LD_PRELOAD=$list "$bheap" run --report=r "$@" 2>/dev/null)" "list: $wanted."
	}
	listed '' '' ./tells
	listed none '' sh -c './tells; exit 0'
	for list in /no/a.so /no/a.so:/no/b.so; do
		listed $list $list ./tells
		listed $list $list sh -c './tells; exit 0'
	done
	listed '/no/a.so:/no/c.so' '' sh -c 'LD_PRELOAD="/no/a.so:$LD_PRELOAD:/no/c.so"; ./tells; exit 0'
	listed '/no/a.so' '' sh -c 'LD_PRELOAD="/no/a.so $LD_PRELOAD"; ./tells; exit 0'
else
	echo "skipped: programs of 32 bits"
fi

# ---- other reasons ----
own_malloc_write >own.c
if $CC -w -fno-builtin -o own own.c; then
	"$bheap" run sh -c './own; exit 0' >out 2>&1
	told '^bheap: sh executed own, which was not measured:$' 'it has a malloc() of its own' "run"
	"$bheap" run env ./own >out 2>&1
	grep -q '^  it has a malloc() of its own$' out || { cat out; fail "run env: a malloc() of its own"; }
	"$bheap" size sh -c './own; exit 0' >out 2>&1
	told '^bheap: sh executed own, which was not measured:$' 'it has a malloc() of its own' "size"
fi
# Another user, who may not read the library, and the programs of whom are other users'.
chmod 700 closed
if [ "$(id -u)" -eq 0 ] && "$scratch/ends" uid exec "$scratch/plain" 2>/dev/null; then
	"$bheap" run "$scratch/ends" +1x1000 uid exec "$scratch/plain" >out 2>&1
	told '^  it executed plain, which was not measured:$' 'the library is not in its root directory, or its user may not read it' \
		"another user"
	grep 'ld\.so' out && fail "another user: the dynamic linker complains"
	"$bheap" run "$scratch/ends" uid exec /bin/sh -c 'exec "$1"' - "$scratch/plain" >out 2>&1
	grep 'ld\.so' out && fail "another user's shell: the dynamic linker complains"
	chmod 755 closed
	for steps in 'close uid' 'uid close'; do
		"$bheap" run "$scratch/ends" +1x1000 $steps exec "$scratch/plain" >out 2>&1
		told '^  it executed plain, which was not measured:$' "the descriptor of bheap's memory was closed" "$steps"
	done
	"$bheap" run "$scratch/ends" close exec "$scratch/plain" >out 2>&1
	untold "closed descriptors"
	"$bheap" run "$scratch/ends" uid exec "$scratch/plain" >out 2>&1
	untold "another user who may read the library"
	cp plain raised && chown 1 raised && chmod 4755 raised
	"$bheap" run "$scratch/ends" uid exec "$scratch/raised" >out 2>&1
	told '^  it executed raised, which was not measured:$' 'it is set-user-ID, or gains privileges' "a set-user-ID program"
else
	echo "skipped: other users, for want of privileges"
fi
chmod 755 closed

# ---- what a program takes from itself before it executes another one ----
for kind in exec-errno exec-kill; do
	"$filter" $kind true || { echo "skipped: $kind"; continue; }
	out=$("$bheap" run --report=r "$filter" $kind echo end 2>&1)
	is "the status with the filter $kind" $? 0
	is "the output with the filter $kind" "$out" end
	mv r out; untold "the filter $kind"
done
if "$filter" landlock true; then
	for command in 'run --report=r' 'size --output=r'; do
		out=$("$bheap" $command "$filter" landlock echo end 2>&1 | grep -v '^bheap: \|^  ')
		is "the output of a program that may not read the library ($command)" "$out" end
	done
	"$bheap" run "$filter" landlock echo end >out 2>&1
	told '^  it executed echo, which was not measured:$' 'the library is not in its root directory, or its user may not read it' \
		"a program that may not read the library"
else
	echo "skipped: no rules of Landlock"
fi

# ---- other libraries that replace these functions ----
cat >shim.c <<'END'
#include <dlfcn.h>
#include <unistd.h>
int execve(const char *path, char *const *argv, char *const *envp)
{
	int (*next)(const char *, char *const *, char *const *) = dlsym((void *)-1L, "execve");
	write(2, "seen\n", 5);
	return next(path, argv, envp);
}
int execvp(const char *name, char *const *argv) { return execve(name, argv, environ); }
END
if $CC -w -D_GNU_SOURCE -shared -fPIC -o shim.so shim.c 2>/dev/null; then
	for function in execve execvp; do
		LD_PRELOAD=$scratch/shim.so "$bheap" run "$program" here $function "$scratch/plain" f >out 2>&1
		is "the status below another library" $? 5
		grep -q '^seen$' out || { cat out; fail "another library's $function() is not called"; }
		untold "another library's $function"
		LD_PRELOAD=$scratch/shim.so "$bheap" run "$program" vfork $function no/such/program f >out 2>&1
		untold "another library's $function that fails"
	done
fi

# ---- a process that executes counts once ----
for command in size calls; do
	for case in execv:2 execve:2 posix_spawn:3; do
		"$bheap" $command "$program" grown ${case%:*} "$scratch/ends" +3x300000 >out 2>&1
		grep -q "^  of ${case#*:} processes the one" out || { cat out; fail "$command, ${case%:*}: not ${case#*:} processes"; }
	done
done
"$bheap" size "$program" grown execv "$scratch/ends" +3x300000 >out 2>&1
grep -q '^bheap: a process was executes at first, with a peak of ' out || { cat out; fail "what it was before"; }
grep -q '^ends\.' out || { cat out; fail "the larger one of two programs of a process"; }
"$bheap" size "$program" grown execv "$scratch/ends" +1x10 >out 2>&1
grep -q '^executes\.' out || { cat out; fail "the larger one of two programs of a process, the first"; }

[ -z "$("$bheap" run "$program" here empty "$scratch/plain" 2>&1 | awk 'length > 80')" ] || fail "more than 80 columns"
finish
