#!/bin/sh
# SPDX-License-Identifier: MIT
# memcheck and AddressSanitizer report every misuse of annotate.c, each in its own function, and
# nothing else there; of valid use they report nothing. On every kind of private heap.
. "$srcdir/tests/users/common.sh"
unset BHEAP_REDZONE

kinds="default mapped static malloced guarded"
is_plain || skip "needs programs of this machine, without other sanitizers"

# build NAME FLAGS...: annotate.c, linked to the plain shared library as its users' programs are.
build()
{
	program=$1
	shift
	# shellcheck disable=SC2086 # flags are lists of words
	"$build/libtool" --quiet --tag=CC --mode=link $CC ${CPPFLAGS:-} -I"$srcdir/include" $CFLAGS \
		-w -g -O1 -fno-omit-frame-pointer "$@" "$srcdir/tests/users/annotate.c" ${LDFLAGS:-} \
		-o "$program" lib/libbheap.la
}

run()
{
	"$build/libtool" --quiet --mode=execute "$@"
}

# The function of annotate.c on top of each report, and the kind of report.
cat >memcheck.awk <<'END'
sub(/^==[0-9]+== /, "") {
	if (match($0, /Invalid (read|write)|Conditional jump|definitely lost/))
		kind = substr($0, RSTART, RLENGTH)
	else if (/^ *$/)
		kind = ""
	else if (kind && match($0, /: [a-z_]+ \(annotate\.c:/)) {
		name = substr($0, RSTART + 2, RLENGTH - 15)
		if (name !~ /^(allocate|take|give|block_between)$/) {
			print name, kind
			kind = ""
		}
	}
}
END
# How far behind which block the byte too far is, and where the block was allocated.
cat >named.awk <<'END'
/write_one_byte_too_far/ && !beside { seen = 1 }
seen && match($0, /is [0-9]+ bytes after a block of size [0-9]+/) {
	split(substr($0, RSTART, RLENGTH), word, " ")
	beside = word[2] " " word[9]
	seen = 0
}
beside && !done && match($0, /: block_between /) { print beside, "block_between"; done = 1 }
END
cat >asan.awk <<'END'
match($0, /^(READ|WRITE) of size/) { kind = substr($0, 1, RLENGTH - 8); sub(/ $/, "", kind) }
kind && /^ *#0 / { print $4, kind; kind = "" }
END

# verify TOOL KIND: what it reported is what it must, no more and no less.
verify()
{
	run ./plain "$1" "$2" | sort >expected
	test "$(wc -l <expected)" -ge 10 || fail "annotate.c has lost its expectations"
	awk -f "$1.awk" err | sort | uniq >reported
	diff expected reported || fail "$1, $2 heap: reports differ (< expected, > seen): $(head -n 100 err)"
}

build ./plain || fail "annotate.c does not build"
tools=

# Valgrind gives up on what it cannot read of clang's debug information: that is no failure of ours.
valgrind_can_read()
{
	! run valgrind --quiet ./plain valid mapped 2>&1 | grep -q 'Valgrind: debuginfo reader'
}

if have_valgrind && valgrind_can_read; then
	tools="$tools memcheck"
	for kind in $kinds; do
		run valgrind --quiet --leak-check=full --error-exitcode=99 ./plain misuses "$kind" \
			2>err && fail "memcheck, $kind heap: no error"
		verify memcheck "$kind"
		awk -f named.awk err >named
		test "$(cat named)" = "0 64 block_between" || fail "memcheck, $kind heap: a byte too far: $(cat named err)"
		run valgrind --quiet --leak-check=full --error-exitcode=99 ./plain valid "$kind" \
			>out 2>&1 || fail "memcheck, $kind heap: valid use ended with $?: $(cat out)"
		test ! -s out || fail "memcheck, $kind heap: of valid use it says: $(cat out)"
	done
fi

ASAN_OPTIONS=halt_on_error=0:detect_leaks=0
export ASAN_OPTIONS
if build ./sanitized -fsanitize=address -fsanitize-recover=address 2>out &&
	run ./sanitized asan mapped >/dev/null 2>&1; then
	tools="$tools AddressSanitizer"
	for kind in $kinds; do
		run ./sanitized misuses "$kind" 2>err || true
		verify asan "$kind"
		run ./sanitized valid "$kind" >out 2>&1 ||
			fail "AddressSanitizer, $kind heap: valid use ended with $?: $(cat out)"
		test ! -s out || fail "AddressSanitizer, $kind heap: of valid use it says: $(cat out)"
	done
fi

test "$tools" || skip "neither valgrind nor AddressSanitizer works here"
echo "reports of:$tools"
