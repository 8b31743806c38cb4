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

# Not under the sanitizers, which Valgrind cannot run.
have_valgrind()
{
	case "$CC $CFLAGS" in *-fsanitize=*) false ;; *) command -v valgrind >/dev/null ;; esac
}

# Runs a program of the build under memcheck; it ends with 99 if there is an error or a leak.
memcheck()
{
	"$build/libtool" --quiet --mode=execute valgrind --quiet --error-exitcode=99 \
		--leak-check=full "$@"
}
