#!/bin/sh
# SPDX-License-Identifier: MIT
# "environment.sh TEST": runs a test, or skips it, with the reason, on a machine that lacks what the test
# takes for granted. The table is by need; a test that is in no row needs none of them.
test=$1
name=${test#./}

skip() {
	case $test in
	*.sh) echo "$1"; exit 77 ;;
	*) echo "1..0 # SKIP $1"; exit 0 ;;
	esac
}

# Shared heaps ask the kernel for the namespace of processes; others look at mappings and descriptors.
case ${name##*tests/} in
contract/test_classic | contract/test_create | contract/test_handler | contract/test_offsets | \
	contract/test_random | contract/test_threads | unit/test_file | unit/test_foreign | \
	unit/test_check | unit/test_lock | unit/test_open | unit/test_region | unit/test_secret | unit/test_slots | \
	unit/test_storage | \
	unit/test_trailer | unit/test_walk | system/* | crash/* | fuzz/* | man/examples.sh | tools/* | users/*)
	[ -r /proc/self/maps ] || skip "/proc is not mounted"
	;;
esac

# Names of shared memory.
case ${name##*tests/} in
unit/test_file | unit/test_foreign | unit/test_open | unit/test_storage | system/* | crash/* | man/examples.sh | \
	tools/bheap.sh | users/*)
	probe=/dev/shm/bheap-test-$$
	(: >"$probe") 2>/dev/null || skip "nothing can be made in /dev/shm"
	rm -f "$probe"
	;;
esac

# Scripts compile programs and keep what they print.
case $name in
*.sh)
	folder=${TMPDIR:-/tmp}
	room=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print $4 }')
	[ "${room:-0}" -ge 32768 ] || skip "$folder has room for ${room:-0} KiB, 32768 are needed"
	;;
esac

exec "$@"
