#!/bin/sh
# SPDX-License-Identifier: MIT
# Processes that bheap may not look at, for /proc is mounted with hidepid=2, or for they cannot be traced: those
# that run on are told, or that they may; those that have ended are not.
. "$srcdir/tests/tools/common.sh"

[ -x "$PWD/tools/bheap" ] || { echo "bheap is not built"; exit 77; }
# Of a user without privileges, who can read what is in the scratch folder.
cp tools/.libs/bheap "$scratch/bheap" 2>/dev/null || { echo "bheap is linked statically"; exit 77; }
cp lib/.libs/libbheap.so.* tests/tools/ends "$preload" tools/.libs/bheap-record.so "$scratch" || exit 99
cd "$scratch" || exit 99
chmod 755 . && mkdir files && chmod 777 files
LD_LIBRARY_PATH=$scratch BHEAP_MALLOC_LIBRARY=$scratch/libbheap-malloc.so
BHEAP_RECORD_LIBRARY=$scratch/bheap-record.so TMPDIR=$scratch/files
export LD_LIBRARY_PATH BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY TMPDIR
LC_ALL=C; export LC_ALL
as=
if [ "$(id -u)" -eq 0 ]; then
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	$as "$scratch/bheap" --version >out 2>&1 || { cat out; echo "no other user, for want of privileges"; exit 77; }
fi
# Where a program with this flag cannot be looked at.
$as "$scratch/ends" secret || { echo "all processes can be looked at"; exit 77; }

# tells PATTERN STEPS...: of a program that does this, bheap run and size, where $within is entered
tells()
{
	pattern=$1
	shift
	for command in run size; do
		$within $as "$scratch/bheap" $command "$scratch/ends" +1x1000 "$@" >out 2>&1
		if [ "$pattern" ]; then
			grep -Eq "^bheap: (of these processes )?$pattern on: " out || { cat out; fail "$command, $within: $*"; }
		else
			grep ' on: what' out && fail "$command, $within: $*"
		fi
	done
}
all()
{
	# Before it has registered, after that, and one that has ended.
	tells '1 (process )?may run' secret late=4000 background sleep
	tells '1 (process )?runs' background secret +1x100000 sleep
	tells '' secret killed background
	tells '' secret killed background exec /bin/true
	tells '1 (process )?(runs|may run)' background secret exec /bin/sleep 3
}
within=
all
cat >hide.sh <<'END'
mount -t proc -o hidepid=2 proc /proc && exec "$@"
END
within="unshare -pfm --kill-child sh $scratch/hide.sh"
if [ "$(id -u)" -eq 0 ] && $within true 2>out; then all; else echo "skipped: hidepid: $(cat out)"; fi
finish
