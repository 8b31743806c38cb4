# SPDX-License-Identifier: MIT
# What the tests of examples/adapter_*.c share. Each gets input that fits, that is too large and that
# is malformed, and every budget from nothing to enough.
. "$srcdir/tests/users/common.sh"

# adapter NAME PACKAGE: the program under test, or the end of the test.
adapter()
{
	program=./examples/adapter_$1
	test -x "$program" || skip "examples/adapter_$1 is not built: configure did not find what Debian has in $2"
}

# expect STATUS BUDGET INPUT TEXT...: the program ends so, says each TEXT, and frees all it had.
expect()
{
	wanted=$1 budget=$2 input=$3
	shift 3
	status=0
	$program -b "$budget" "$input" >out 2>err || status=$?
	test "$status" -eq "$wanted" || fail "$input in $budget ended with $status, not $wanted: $(cat err)"
	for text; do
		grep -q -e "$text" err || fail "$input in $budget did not say '$text': $(cat err)"
	done
	grep -q 'requests refused, 0 blocks left$' err || fail "$input in $budget left blocks: $(cat err)"
}

# expect_output LINE: of the run before.
expect_output()
{
	echo "$1" | diff -u - out || fail "$input in $budget printed something else"
}

# sweep INPUT STEP LAST: budgets that grow. The program is refused, or does all that it does in the last.
sweep()
{
	budget=$2 refused=0 done=0
	$program -b "$3" "$1" >wanted 2>err || fail "$1 in $3: $(cat err)"
	while test "$budget" -le "$3"; do
		status=0
		$program -b "$budget" "$1" >out 2>err || status=$?
		case $status in
		0)
			done=$((done + 1))
			diff -u wanted out || fail "$1 in $budget is not all done: $(cat err)"
			;;
		3) refused=$((refused + 1)) ;;
		*) fail "$1 in $budget ended with $status: $(cat err)" ;;
		esac
		grep -q ', 0 blocks left$' err || fail "$1 in $budget left blocks: $(cat err)"
		budget=$((budget + $2))
	done
	test "$refused" -gt 10 && test "$done" -gt 0 ||
		fail "$1 was refused in $refused budgets, done in $done"
}

# What all say of their arguments and of files that cannot be read.
expect_usage()
{
	for arguments in '-t' '-b' '-b 0' '-b 64x' '-x' 'a b'; do
		status=0
		$program $arguments >out 2>err || status=$?
		test "$status" -eq 2 && grep -q '^Usage: adapter_' err || fail "$arguments: $status, $(cat err)"
	done
	expect 1 64k missing 'missing: No such file or directory'
	expect 3 64k /dev/zero '/dev/zero: needs more than the budget of 65536 bytes'
	: | $program >out 2>err || grep -q 'malformed input' err || fail "empty input: $(cat err)"
}

# is_clean INPUT BUDGET: no memory error, and nothing lost.
is_clean()
{
	have_valgrind || return 0
	memcheck $program -b "$2" "$1" >out 2>err || fail "$1 under memcheck: $(cat err)"
}
