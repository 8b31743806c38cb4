#!/bin/sh
# SPDX-License-Identifier: MIT
# gcc and its analyzer see what goes wrong with blocks and heaps, and nothing in what is right.
. "$srcdir/tests/users/common.sh"

echo 'int main(void) { return 0; }' >probe.c
for gcc in "$CC" gcc none; do
	test "$gcc" != none || skip "no gcc 11 or later"
	! $gcc -dM -E -x c /dev/null 2>/dev/null | grep -q __clang__ || continue
	$gcc -Werror -fanalyzer -c probe.c 2>/dev/null && break
done
test "$($gcc -dumpversion | cut -d . -f 1)" -ge 11 || skip "gcc before 11 knows no deallocators"
flags="-I$srcdir/include -Wall -Wextra"
data=$srcdir/tests/users

# Each function of misuse.c gets the warnings it names. By function: where in it a leak is reported
# is the compiler's business.
cat >functions.awk <<'END'
FNR == 1 { file++ }
file == 1 { if (/^[a-z].*\(/) { sub(/\(.*/, ""); name = $NF } of[FNR] = name }
file == 1 && /expect: / {
	sub(/.*expect: /, "")
	sub(/ \*\/.*/, "")
	for (n = split($0, names, " "); n; n--) print name, names[n] >"wanted"
}
file == 2 { print of[$1], $2 >"seen" }
END
LC_ALL=C $gcc $flags -O2 -fanalyzer -c "$data/misuse.c" -o misuse.o 2>err ||
	fail "misuse.c: $(cat err)"
sed -n 's/.*misuse\.c:\([0-9]*\):.*warning: .*\[-W\([a-z-]*\)=*[0-9]*\]$/\1 \2/p' err >lines
awk -f functions.awk "$data/misuse.c" lines
test "$(wc -l <wanted)" -ge 18 || fail "misuse.c has lost its expectations"
while read -r expected; do
	grep -qx "$expected" seen || fail "not warned of: $expected"
done <wanted

# None in what is right; json throws its heaps away whole.
for level in -O0 -O1 -O2; do
	for source in "$data/valid_use.c" "$srcdir/examples/hello.c" "$srcdir/examples/words.c"; do
		$gcc $flags $level -fanalyzer -Werror -c "$source" -o right.o || fail "$level: warned"
	done
	$gcc $flags $level -fanalyzer -Wno-analyzer-malloc-leak -Werror -c \
		"$srcdir/examples/json.c" -o right.o || fail "$level: warned"
done
