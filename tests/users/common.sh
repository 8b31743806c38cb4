# SPDX-License-Identifier: MIT
# What the scripts of this folder share. They run in the top build folder and write into a folder
# of their own, in which ./examples and ./lib are those of the build.

set -eu
build=$(pwd)
srcdir=$(cd "$srcdir" && pwd)
room=$build/tests/users/$(basename "$0" .sh).dir
rm -rf "$room"
mkdir -p "$room"
trap 'rm -rf "$room"' EXIT
cd "$room"
ln -s "$build/examples" "$build/lib" .

fail()
{
	echo "FAIL: $*" >&2
	exit 1
}

skip()
{
	echo "SKIP: $*" >&2
	exit 77
}

# Valgrind and the debugger want a program of this machine, without the sanitizers.
is_plain()
{
	case "$CC $CFLAGS" in *-fsanitize=*) return 1 ;; esac
	test "$(sed -n 's/^build_triplet = //p' "$build/Makefile")" = \
		"$(sed -n 's/^host_triplet = //p' "$build/Makefile")"
}

have_valgrind()
{
	is_plain && command -v valgrind >/dev/null
}

# Runs a program of the build under memcheck: fails if there is an error or a leak, whatever the
# program itself ends with.
memcheck()
{
	"$build/libtool" --quiet --mode=execute valgrind --quiet --error-exitcode=99 \
		--leak-check=full "$@" || test $? -ne 99
}

# gdb with Python, and leave to run programs.
have_gdb()
{
	is_plain && command -v gdb >/dev/null &&
		gdb -nx -batch -ex 'python print("yes")' 2>/dev/null | grep -qx yes &&
		gdb -nx -batch -ex run -ex 'print $_exitcode' --args /bin/true 2>/dev/null | grep -q '= 0$'
}

# program_build NAME OPTIONS...: NAME.c, linked as its users' programs are.
program_build()
{
	source=$1
	shift
	"$build/libtool" --quiet --tag=CC --mode=link $CC $CPPFLAGS -I"$srcdir/include" -g -O1 $CFLAGS \
		"$srcdir/tests/users/$source.c" $LDFLAGS -o "$source" "$@" lib/libbheap.la ||
		fail "$source.c does not build"
}

# A program of the build in gdb.
gdb_run()
{
	program=$1
	shift
	"$build/libtool" --quiet --mode=execute gdb -nx -batch "$@" "$program"
}
