#!/bin/sh
# SPDX-License-Identifier: MIT
# Processes of several PID namespaces that have the same numbers: bheap run and size tell each with its own
# figures, as what it is, also where /proc is not mounted.
. "$srcdir/tests/tools/common.sh"

bheap=$PWD/tools/bheap
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
unshare -Urpfm true 2>/dev/null || { echo "namespaces of processes are not allowed"; exit 77; }
BHEAP_MALLOC_LIBRARY=$preload BHEAP_RECORD_LIBRARY=$PWD/tools/.libs/bheap-record.so
export BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY
LC_ALL=C ends=$PWD/tests/tools/ends here=$scratch; export LC_ALL ends here
cd "$scratch" || exit 99
mkfifo begun goes

# The peaks of programs in the report r.json, in order; the shells' are smaller.
peaks() { sed -n 's/^ *"peak_used":\([0-9]\{7,\}\),*$/\1/p' r.json | sort -n | tr '\n' ' '; }
# count PATTERN: lines of the report "out"
count() { grep -Ec "$1" out; }

# ---- two namespaces at one time, in which the processes 1, 2 ... are a shell and what it executes ----
cat >hidden.sh <<'END'
mount -t tmpfs none /proc
exec "$@"
END
cat >first.sh <<'END'
"$ends" +1x3000000
: >$here/begun
read line <$here/goes
"$ends" +1x4000000
exec "$ends" +1x5000000
END
cat >second.sh <<'END'
"$ends" +1x6000000
exec "$ends" +1x7000000
END
cat >both.sh <<'END'
unshare -Urpfm "$@" $here/first.sh &
read line <$here/begun
unshare -Urpfm "$@" $here/second.sh
: >$here/goes
wait
END
for case in 8:sh '8:chroot / sh' '10:sh hidden.sh sh' '10:sh hidden.sh chroot / sh'; do # of mount, too
	how=${case#*:}
	timeout 60 "$bheap" run --json --report=r.json sh both.sh $how >out 2>&1 || { cat out; fail "run, $how: status $?"; }
	is "$how: the peaks" "$(peaks)" '3000000 4000000 5000000 6000000 7000000 '
	timeout 60 "$bheap" run --processes sh both.sh $how >out 2>&1 || { cat out; fail "run, $how: status $?"; }
	is "$how: programs of the processes 1" "$(count '^ +1 +ends +[0-9.]+ MiB  ')" 2
	is "$how: other programs" "$(count '^ +[23456] +ends +[0-9.]+ MiB  ')" 3
	timeout 60 "$bheap" size sh both.sh $how >out 2>&1 || { cat out; fail "size, $how: status $?"; }
	grep -q "^  of ${case%%:*} processes the one that needed most\$" out || { cat out; fail "size, $how: how many processes?"; }
	grep -q '(7000000 bytes)' out && grep -q '^bheap: 4 other processes, ends, with peaks of 5.72 MiB at most$' out ||
		{ cat out; fail "size, $how: not what there was"; }
done

# ---- a program that is spawned into a namespace ----
timeout 60 "$bheap" run --processes unshare -Urp "$ends" spawn "$ends" +1x3000000 sleep >out 2>&1
is "a program that is spawned into a namespace" "$(count '^ +1 +ends +2[.]86 MiB')" 1
grep 'not measured' out && fail "a program that is spawned into a namespace is said not to be measured"

# ---- a process that is killed in a namespace: bheap cannot see when ----
cat >killed.sh <<'END'
"$ends" +1x3000000 9
sleep 1
"$ends" +1x4000000
:
END
timeout 60 "$bheap" run sh -c 'unshare -Urpfm sh killed.sh; :' >out 2>&1
grep -Eq '^  all processes +at most 6\.[67][0-9] MiB in use at one time$' out || { cat out; fail "a process that is killed in a namespace"; }
timeout 60 "$bheap" run sh killed.sh >out 2>&1
grep -Eq '^  all processes +3\.8[0-9] MiB in use at one time$' out || { cat out; fail "a process that is killed"; }

# ---- a process of a namespace with the number of the program itself ----
# Its number is chosen where the kernel lets a namespace's root do that.
cat >same.sh <<'END'
echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid && "$ends" +1x9000000
exit 0
END
cat >own.sh <<'END'
unshare -Urpf --mount-proc sh same.sh $$ 2>unshared
exit 0
END
"$bheap" run --json --report=r.json sh own.sh
if [ -s unshared ]; then
	echo "skipped: a number that is chosen: $(cat unshared)"
else
	is "the program with the number of the first" "$(peaks)" '9000000 '
	sed -n '/"heap"/,/}/p' r.json >heap
	grep -q '"program":"sh"' heap || { cat heap; fail "the figures of the first program"; }
	"$bheap" size sh -c 'unshare -Urpf --mount-proc sh same.sh $$; "$0" +1x100; exit 0' "$ends" >out 2>&1
	grep -q '(9000000 bytes)' out || { cat out; fail "size: the program with the number of the first"; }
fi

# ---- what runs on, and what was not measured, by its own number ----
"$bheap" run sh -c 'unshare -Urpf --kill-child sh -c "env -i /bin/sleep 3" >/dev/null 2>&1 & sleep 1; exit 0' >out 2>&1
grep -q '^bheap: 1 process runs on: ' out && fail "unshare is not told as one that runs on"
grep -q ' run on: ' out || { cat out; fail "what runs on in a namespace"; }
finish
