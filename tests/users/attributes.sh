#!/bin/sh
# SPDX-License-Identifier: MIT
# The attributes of bheap.h are true: programs that do what the pages allow do it with every compiler
# found, at every level of optimisation, with and without -flto, and with every _FORTIFY_SOURCE.
. "$srcdir/tests/users/common.sh"

case "$CC $CFLAGS" in *-fsanitize=*) skip "a sanitizer knows more than these programs expect" ;; esac
library=$build/lib/.libs/libbheap.so
test -f "$library" || library=$build/lib/.libs/libbheap.a
LD_LIBRARY_PATH=$build/lib/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
EMULATOR=${EMULATOR-}
include=$srcdir/include data=$srcdir/tests/users
# gcc 11 says that it takes level 3 for 2.
warnings="-Wall -Wextra -Werror -Wno-cpp"
export LD_LIBRARY_PATH EMULATOR include data warnings

# The compilers by name, each once: $CC, and what else is installed under the usual names.
compilers()
{
	echo "$CC $CPPFLAGS $CFLAGS $LDFLAGS"
	seen=" $(readlink -f "$(command -v "${CC%% *}")") "
	for name in gcc clang $(seq -f gcc-%g 11 30) $(seq -f clang-%g 11 30); do
		file=$(readlink -f "$(command -v "$name")") && test "$file" || continue
		case $seen in *" $file "*) continue ;; esac
		seen="$seen$file "
		echo "$name"
	done
}

# True if a compiler with its flags makes programs for this library that run here.
works()
{
	echo 'int main(void) { return bheap_version() == NULL; }' >probe.c
	"$@" -include "$include/bheap.h" probe.c -o probe "$library" -pthread 2>probe.err &&
		$EMULATOR ./probe 2>>probe.err
}

# The library itself for -flto, so that the optimiser sees it and the program as one.
whole_library()
{
	folder=$1
	shift
	mkdir "$folder"
	find "$srcdir/lib" -name '*.c' | xargs -P "$(nproc)" -I '{}' sh -c \
		'"$@" -c "{}" -o "$0/$(basename "{}").o"' "$folder" "$@" -g0 -w -O2 -flto -fexceptions \
		-DHAVE_CONFIG_H -D_GNU_SOURCE -I"$build" -I"$include" -I"$srcdir/lib" &&
		echo "$folder"/*.o >"$folder.objects"
}

# Every way to make the programs with a compiler, one a line: program, name, objects, the command.
# Debug information takes a quarter of the time and changes no code.
ways()
{
	number=$1 lto=
	shift
	! works "$@" -O2 -flto || lto=-flto
	for program in observed usable; do
		echo "$program $number-$program-0 $library $* -O0"
		for level in 1 2 3; do
			for fortify in 0 1 2 3; do
				checks="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$fortify"
				name=$number-$program-$level-$fortify
				echo "$program $name $library $* -O$level $checks"
				case $lto$fortify in -flto[03])
					echo "$program $name$lto $library $* -O$level $lto $checks" ;;
				esac
			done
		done
	done
	test "$lto" && whole_library "$number" "$@" || return 0
	for program in observed typed usable; do
		echo "$program $number-$program-whole @$number.objects $* -O2 -flto" \
			"-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
	done
}

# Silent when all is well.
cat >way <<'END'
program=$1 name=$2 objects=$3
shift 3
"$@" -g0 $warnings -std=gnu11 -I"$include" "$data/$program.c" -o "$name" "$objects" -pthread \
	>"$name.out" 2>&1 && $EMULATOR "./$name" >>"$name.out" 2>&1 && exit 0
echo "FAIL: $program, $objects, $*:" >&2
cat "$name.out" >&2
exit 1
END

compilers >found
number=0
while read -r compiler; do
	number=$((number + 1))
	# A compiler with its flags is a list of words.
	# shellcheck disable=SC2086
	if works $compiler; then
		ways $number $compiler >>ways
		echo "$compiler: $(grep -c " $number-" ways) programs"
	else
		echo "$compiler: makes no programs for this library"
	fi
done <found
test "$(grep -c '^observed 1-' ways)" -ge 13 || fail "the compiler of the library was not tried"
xargs -P "$(nproc)" -L 1 sh way <ways || fail "the attributes are not true"
