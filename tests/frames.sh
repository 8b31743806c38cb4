#!/bin/sh
# SPDX-License-Identifier: MIT
# The fast paths of bheap_alloc() and bheap_free() have no stack frame: neither function pushes a register,
# moves the stack pointer or calls a function (it jumps to what it cannot do itself). As gcc compiles them
# they do not use the stack at all.
set -eu
: "${OBJDUMP:=objdump}"
library=lib/.libs/libbheap.so

skip() {
	echo "$1"
	exit 77
}

# variable NAME: its value in the makefile
variable() {
	sed -n "s/^$1 = //p" Makefile
}

[ -e "$library" ] || skip "no shared library was built"
command -v "$OBJDUMP" >/dev/null || skip "no $OBJDUMP"
"$OBJDUMP" -f "$library" | grep -q 'architecture: i386:x86-64' || skip "not built for x86-64"
case " $(variable CFLAGS) $(variable CODE_COVERAGE_CFLAGS) " in
*-fsanitize* | *coverage*) skip "built with a sanitizer or for coverage" ;;
*" -O2 "* | *" -O3 "*) ;;
*) skip "not built with -O2 or -O3" ;;
esac
if grep -q '^#define BH_ASSERTIONS 1' config.h; then skip "built with assertions"; fi

# The instructions of a function, what the compiler moved away as cold excepted: jumps lead there.
instructions() {
	"$OBJDUMP" -d --no-show-raw-insn "$library" |
		awk -v name="$1" '/^[0-9a-f]+ </ { inside = $2 ~ "^<" name "(@.*)?>:$"; next } inside && NF'
}

# Clang spills the operands of probes to the red zone, below the stack pointer, which takes no frame.
frame='[[:space:]](push|pop|call|enter)|,%rsp$'
${CC:-cc} --version | grep -q clang || frame="$frame|%rsp"

# Held where it was measured: gcc 16 saves one register in bheap_free().
case $(${CC:-cc} -dumpversion) in
12 | 12.* | 14.0.*) ;;
*) skip "held for gcc 12 and clang 14 alone" ;;
esac

failed=0
for function in bheap_alloc bheap_free; do
	code=$(instructions "$function")
	# The function is there at all.
	[ "$(echo "$code" | wc -l)" -ge 40 ] || { echo "$function: no instructions could be read"; exit 1; }
	if echo "$code" | grep -E "$frame"; then
		echo "... $function() has a stack frame"
		failed=1
	fi
done
exit $failed
