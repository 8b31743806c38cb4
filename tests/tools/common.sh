# SPDX-License-Identifier: MIT
# common.sh - what the scripts of this folder share; each reads it first. They run in the build folder.

preload=$PWD/tools/.libs/libbheap-malloc.so
failures=0

[ -e "$preload" ] || { echo "no $preload: shared libraries are not built"; exit 77; }

# Whatever is preloaded already (a sanitizer, a checker) sees every malloc() first: nothing to test.
[ -z "${LD_PRELOAD-}" ] || { echo "LD_PRELOAD is set"; exit 77; }
unset BHEAP_MALLOC_SIZE BHEAP_MALLOC_ABORT BHEAP_MALLOC_GUARD BHEAP_MALLOC_CACHE \
	BHEAP_MALLOC_REPORT BHEAP_ABORT

scratch=$(mktemp -d "${TMPDIR:-/tmp}/bheap-test-XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT

fail()
{
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# expect STATUS PATTERN COMMAND...: it ends so, and standard output and error together match
expect()
{
	status=$1 pattern=$2
	shift 2
	"$@" >out 2>&1
	got=$?
	[ $got -eq "$status" ] || { cat out; fail "$*: status $got, not $status"; }
	[ -z "$pattern" ] || grep -Eq -e "$pattern" out || { cat out; fail "$*: no line with '$pattern'"; }
}

# is WHAT FOUND WANTED
is()
{
	[ "$2" = "$3" ] || fail "$1: '$2', not '$3'"
}

# is_json FILE: where there is a parser, it takes it; json.tool would print it as well, which takes far longer
is_json()
{
	[ -n "${json_parser-}" ] || json_parser=$(/usr/bin/env python3 -c 'print("yes")' 2>/dev/null || echo no)
	[ "$json_parser" = no ] ||
		/usr/bin/env python3 -c 'import json, sys; json.load(open(sys.argv[1], encoding="utf-8"))' "$1" ||
		{ cat "$1"; fail "$1 is no JSON"; }
}

# line FILE NAME: that of a remark "LINE NAME"
line()
{
	sed -n "/LINE $2 /=; /LINE $2\$/=" "$1"
}

finish()
{
	[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
	exit 0
}

# own_malloc_write: the source of a program with a malloc() of its own
own_malloc_write()
{
	cat <<'END'
static char pool[1 << 20];
static unsigned long used;
void *malloc(unsigned long size) { void *block = pool + used; used += (size + 15) & ~15ul; return block; }
void free(void *block) { (void)block; }
void *calloc(unsigned long count, unsigned long size) { return malloc(count * size); }
void *realloc(void *block, unsigned long size) { (void)block; return malloc(size); }
int main(void) { return !malloc(100); }
END
}
