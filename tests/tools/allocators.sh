#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that are linked with another allocator: bheap run, size and calls measure them as those without; or
# those with a malloc() of their own, not at all.
. "$srcdir/tests/tools/common.sh"

: "${CC:=cc}" "${CXX:=c++}"
case "$CC ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has a malloc() of its own"; exit 77 ;; esac
bheap=$PWD/tools/bheap
BHEAP_MALLOC_LIBRARY=$preload
BHEAP_RECORD_LIBRARY=$PWD/tools/.libs/bheap-record.so
export BHEAP_MALLOC_LIBRARY BHEAP_RECORD_LIBRARY
cd "$scratch" || exit 99

# As tcmalloc and mimalloc, it has the C library's names for its functions, too. Each block begins a page, and
# the one before may not be read: the C library's heads of blocks lie there.
cat >allocator.c <<'END'
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define AS(name) __attribute__((alias(#name)))
#define PAGE ((size_t)1 << 16)
#define PAGES 256

void *malloc(size_t size);
void free(void *block);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void *memalign(size_t alignment, size_t size);
size_t malloc_usable_size(void *block);
void *__libc_malloc(size_t size) AS(malloc);
void __libc_free(void *block) AS(free);
void *__libc_calloc(size_t count, size_t size) AS(calloc);
void *__libc_realloc(void *block, size_t size) AS(realloc);
void *__libc_memalign(size_t alignment, size_t size) AS(memalign);

static char *base;
static size_t used;
static size_t sizes[PAGES];

void *malloc(size_t size)
{
	size_t first = used + 1, pages = size / PAGE + 1;

	if (!base)
		base = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (size > PAGES * PAGE || first + pages > PAGES ||
	    mprotect(base + first * PAGE, pages * PAGE, PROT_READ | PROT_WRITE))
		return NULL;
	used = first + pages;
	sizes[first] = size;
	return base + first * PAGE;
}

void *memalign(size_t alignment, size_t size)
{
	return alignment <= PAGE ? malloc(size) : NULL;
}

void free(void *block)
{
	(void)block;
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size);
}

size_t malloc_usable_size(void *block)
{
	return block ? sizes[(size_t)((char *)block - base) / PAGE] : 0;
}

void *realloc(void *block, size_t size)
{
	void *other = malloc(size);
	size_t old = malloc_usable_size(block);

	return other && block ? memcpy(other, block, old < size ? old : size) : other;
}
END

cat >program.c <<'END'
#include <stdlib.h>
#include <string.h>

int main(void)
{
	char *volatile block = malloc(10000), *volatile other = calloc(10, 1000);

	if (!block || !other)
		return 3;
	memset(block, 1, 10000);
	block = realloc(block, 40960);
	if (!block || block[9999] != 1)
		return 4;
	free(other);
	free(block);
	return 0;
}
END

$CC -fPIC -shared -fno-builtin -o liballocator.so allocator.c || fail "the allocator was not built"
$CC -fno-builtin -o linked program.c -Wl,--no-as-needed ./liballocator.so || fail "the program was not linked"
./linked || { echo "the allocator does not work here"; exit 77; }

for command in run size calls; do
	expect 0 'peak +(59|49)\.|at the peak 49\.' "$bheap" $command ./linked
	! grep -E 'signal|[1-9][0-9]* faults|not measured' out || fail "$command: it is not measured as others are"
done

# Functions that a malloc() in the place of the library's leaves to it, as Valgrind's tools do, are not all that
# the program asks for.
own_malloc_write | sed 's/!malloc(100)/!malloc(100) || !reallocarray(0, 10, 10)/
1i void *reallocarray(void *block, unsigned long count, unsigned long size);' >own.c
$CC -fno-builtin -o own own.c || fail "the program with a malloc() of its own was not built"
for command in size calls; do
	expect 1 'it has a malloc\(\) of its own' "$bheap" $command ./own
done

# Its operators new and delete work on its own heap, and only delete calls free(), as those of jemalloc.
cat >libmimalloc.cpp <<'END'
#include <cstddef>
#include <cstdlib>
#include <new>

static char pool[1 << 22];
static std::size_t used;

extern "C" void *malloc(std::size_t size) noexcept
{
	void *block = pool + used;
	used += (size + 15) & ~std::size_t(15);
	return block;
}

extern "C" void free(void *) noexcept {}

void *operator new(std::size_t size)
{
	void *block = pool + used;
	used += (size + 15) & ~std::size_t(15);
	return block;
}

void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }
END

cat >program.cpp <<'END'
struct thing { char bytes[3000000]; };

int main()
{
	thing *volatile made = new thing;

	made->bytes[0] = 1;
	delete made;
	return 0;
}
END

if $CXX -fPIC -shared -fno-builtin -o libmimalloc-test.so libmimalloc.cpp 2>err &&
	$CXX -o operators program.cpp -Wl,--no-as-needed ./libmimalloc-test.so 2>err && ./operators &&
	ldd ./operators | grep -q 'libstdc++.so.6'; then
	for command in run size calls; do
		expect 0 '(peak +|at the peak )2\.[89][0-9]? MiB' "$bheap" $command ./operators
		! grep -E 'outside the heap$|signal|[1-9][0-9]* faults' out || fail "$command: new is not measured"
	done
	expect 0 '' "$bheap" run --report=report sh -c 'echo "$LD_PRELOAD"'
	! grep -q libstdc out || fail "a program without an allocator has libstdc++ preloaded"
else
	cat err
	echo "skipped: new and delete, for there is no C++"
fi
finish
