#!/bin/sh
# SPDX-License-Identifier: MIT
# The headers are clean in every language they serve, with every compiler here.
. "$srcdir/tests/users/common.sh"

warnings="-Wall -Wextra -pedantic -Wconversion -Wredundant-decls -Wundef -Werror"

# Twice, after a program's own macros; every macro of the header used.
cat >program.c <<'END'
#define malloc(size) broken(size)
#define free(ptr) broken(ptr)
#include <bheap.h>
#include <bheap.h>
#undef malloc
#undef free

#if BHEAP_VERSION_NUMBER != \
	BHEAP_VERSION_MAJOR * 10000 + BHEAP_VERSION_MINOR * 100 + BHEAP_VERSION_PATCH
#error "the version cannot be compared by the preprocessor"
#endif

static char buffer[BHEAP_BUFFER_MIN + BHEAP_ALIGNMENT];

int main(void)
{
	bheap_t *heap = bheap_create_in(buffer, sizeof(buffer), BHEAP_UNLOCKED | BHEAP_GUARD);
	void *block = bheap_alloc(heap, 10);
	struct bheap_stats stats;
	uint64_t limit = BHEAP_SIZE_MAX;
	const char *version = BHEAP_VERSION_STRING;

	return !block || bheap_stats(heap, &stats) || stats.size > limit || !*version ||
	       bheap_free(heap, block) || bheap_destroy(heap);
}
END
cp program.c program.cpp

# compiler, standard, source: 1 if it does not know the standard.
compile()
{
	echo >empty."${3##*.}"
	$1 -std="$2" -fsyntax-only empty."${3##*.}" 2>err || return 1
	$1 -std="$2" $warnings -I"$srcdir/include" -c "$3" -o program.o || fail "$1 -std=$2: not clean"
	echo "$1 -std=$2: clean"
}

done=0
for compiler in "$CC" gcc clang; do
	$compiler --version >/dev/null 2>&1 || continue
	for standard in c99 c11 c17 c2x gnu11; do
		compile "$compiler" $standard program.c && done=$((done + 1))
	done
done
test $done -ge 3 || fail "only $done C compilers and standards were tried"
warnings="$warnings -Wshadow"
for compiler in "$CXX" g++ clang++; do
	$compiler --version >/dev/null 2>&1 || continue
	for standard in c++11 c++14 c++17 c++20; do
		compile "$compiler" $standard program.cpp || true
	done
done

# What is declared in C++ is what the library has.
if $CXX $CXXFLAGS $LDFLAGS -fsyntax-only program.cpp -I"$srcdir/include" 2>err; then
	$CXX $CXXFLAGS -I"$srcdir/include" -c program.cpp -o program.o
	"$build/libtool" --quiet --tag=CXX --mode=link $CXX $CXXFLAGS $LDFLAGS program.o -o program \
		lib/libbheap.la || fail "C++ does not link"
	./program || fail "the C++ program failed"
fi
