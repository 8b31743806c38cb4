#!/bin/sh
# SPDX-License-Identifier: MIT
# Beside another preloaded library, whose functions allocate: those of its names that malloc() needs are not
# called by it, or it ends with a line that says so; it never hangs in silence. And filters of system calls.
. "$srcdir/tests/tools/common.sh"

: "${CC:=cc}"
case "$CC ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has functions of these names"; exit 77 ;; esac
lifetime=$PWD/tests/tools/lifetime
bheap=$PWD/tools/bheap
recorder=$PWD/tools/.libs/bheap-record.so
filter=$PWD/tests/tools/filter
cd "$scratch" || exit 99

cat >hooks.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

static void allocate(void)
{
	char *volatile block = malloc(100);

	if (block)
		memset(block, 1, 100);
	free(block);
}

/* The function of this name behind the hook. */
#define NEXT(name) ((__typeof(name) *)(allocate(), dlsym(RTLD_NEXT, #name)))

int open(const char *path, int flags, ...);
int close(int fd);
ssize_t read(int fd, void *buffer, size_t size);
ssize_t write(int fd, const void *buffer, size_t size);
ssize_t getrandom(void *buffer, size_t size, unsigned flags);
pid_t getpid(void);

#ifdef LOCKS
static __thread int inside;

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	int result = ((int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_trylock"))(mutex);

	if (!result && !inside) {
		inside = 1;
		allocate();
		inside = 0;
	}
	return result;
}
#else
void *mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
	return NEXT(mmap)(start, size, protection, flags, fd, offset);
}

int munmap(void *start, size_t size)
{
	return NEXT(munmap)(start, size);
}

int mprotect(void *start, size_t size, int protection)
{
	return NEXT(mprotect)(start, size, protection);
}

int madvise(void *start, size_t size, int advice)
{
	return NEXT(madvise)(start, size, advice);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	unsigned mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, unsigned);
	va_end(arguments);
	return NEXT(open)(path, flags, mode);
}

int close(int fd)
{
	return NEXT(close)(fd);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	return NEXT(read)(fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
	return NEXT(write)(fd, buffer, size);
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
	return NEXT(getrandom)(buffer, size, flags);
}

pid_t getpid(void)
{
	return NEXT(getpid)();
}

char *secure_getenv(const char *name)
{
	return NEXT(secure_getenv)(name);
}

#if defined(__x86_64__) && __GLIBC_PREREQ(2, 33)
int fstat(int fd, struct stat *status)
{
	return NEXT(fstat)(fd, status);
}
#endif
#endif
END

# A first block before and after the constructors; threads; blocks large enough to be mapped and given back.
cat >program.c <<'END'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *run(void *unused)
{
	for (size_t size = 10; size < 10000000; size += size / 3) {
		void *block = malloc(size);

		if (!block)
			return block;
		memset(block, 1, size);
		block = realloc(block, size * 2);
		free(block);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;

	free((malloc)(10));
	free((malloc)(50000000));
	return pthread_create(&thread, NULL, run, NULL) || !run(&thread) || pthread_join(thread, NULL);
}
END
$CC -O1 -fno-builtin -o program program.c -pthread && $CC -O1 -fPIC -shared -o hooks.so hooks.c -ldl &&
	$CC -O1 -fPIC -shared -DLOCKS -o locks.so hooks.c -ldl || fail "the programs were not built"

# hooked LIBRARY PROGRAM SETTING...: its status; it may hang
hooked()
{
	library=$1 program=$2
	shift 2
	timeout -s KILL 60 env "$@" LD_PRELOAD="$PWD/$library:$preload" "$program"
}

mkdir records
for program in ./program "$lifetime"; do
	for setting in BHEAP_MALLOC_CACHE=1 BHEAP_MALLOC_CACHE=0 BHEAP_MALLOC_GUARD=1 BHEAP_MALLOC_REPORT="$PWD/records" \
		BHEAP_MALLOC_SIZE=200M; do
		out=$(hooked hooks.so "$program" "$setting" 2>&1) && [ -z "$out" ] ||
			fail "$program with hooks and $setting: status $?, $out"
	done
done
[ -n "$(ls records)" ] || fail "no records beside hooks"
# In the table of "bheap run", too, as below fakeroot.
if [ -x "$bheap" ]; then
	BHEAP_MALLOC_LIBRARY=$preload LD_PRELOAD=$PWD/hooks.so timeout -s KILL 60 "$bheap" run ./program >out 2>&1
	[ $? -eq 0 ] && grep -q '^  live at the end ' out || { cat out; fail "bheap run beside hooks"; }
fi

# The recorder beside the same hooks, and in a program that is linked with a malloc() of its own, whose
# malloc_usable_size() knows no other blocks.
cat >own.c <<'END'
#include <stddef.h>
#include <stdlib.h>

static char room[1 << 20];
static size_t used;

void *malloc(size_t size)
{
	used += (size + 15) / 16 * 16;
	return used <= sizeof(room) ? room + used - (size + 15) / 16 * 16 : NULL;
}

void free(void *block)
{
	if (block && ((char *)block < room || (char *)block >= room + sizeof(room)))
		abort();
}

size_t malloc_usable_size(void *block)
{
	free(block);
	return 0;
}
END
cat >owned.c <<'END'
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
	void *block = (malloc)(1000);
	size_t usable = malloc_usable_size(block);

	free(block);
	return usable < 1000;
}
END
mkdir recorded
if [ -e "$recorder" ]; then
	$CC -O1 -fno-builtin -fPIC -shared -o libown.so own.c &&
		$CC -O1 -fno-builtin -o owned owned.c -Wl,--no-as-needed -L. -lown -Wl,-rpath,"$PWD" || fail "own.c does not build"
	for run in "$PWD/hooks.so ./program" " ./owned"; do
		rm -f recorded/*
		timeout -s KILL 60 env BENCH_RECORD="$PWD/recorded" LD_PRELOAD="${run%% *} $recorder" \
			"${run#* }" >out 2>&1 || fail "recorder with $run: status $?, $(cat out)"
		grep -q '^a ' recorded/* || fail "recorder with $run: nothing was recorded"
	done
fi

# Inside the lock: no silence.
out=$(sh -c "timeout -s KILL 60 env LD_PRELOAD='$PWD/locks.so:$preload' ./program" 2>&1)
status=$?
case $status:$out in
134:*"malloc() or free() was called inside of either"*) ;;
*) fail "malloc() inside malloc(): status $status, $out" ;;
esac

# A thread that is to be cancelled writes the record of the end, or of a spent budget: no cancellation point.
cat >cancelled.c <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void *last(void *unused)
{
	pthread_cancel(pthread_self());
	free((malloc)(2000000));
	exit(3);
	return unused;
}

static void aborted(int signal)
{
	_exit(signal == SIGABRT ? 5 : 6);
}

int main(void)
{
	pthread_t thread;

	signal(SIGABRT, aborted);
	free((malloc)(10));
	if (pthread_create(&thread, NULL, last, NULL) || pthread_join(thread, NULL))
		return 4;
	free((malloc)(1000));
	return 7;
}
END
$CC -O1 -fno-builtin -o cancelled cancelled.c -pthread || fail "the program with a cancelled thread was not built"
mkdir last
for case in 100M:3 1M:5; do
	timeout -s KILL 20 env LD_PRELOAD="$preload" BHEAP_MALLOC_SIZE=${case%:*} BHEAP_MALLOC_ABORT=1 \
		BHEAP_MALLOC_REPORT="$PWD/last" BHEAP_MALLOC_SNAPSHOT=1 ./cancelled 2>out
	status=$?
	[ $status -eq ${case#*:} ] || fail "a cancelled thread in a report: status $status, not ${case#*:}: $(cat out)"
done
[ "$(ls last | grep -c snapshot)" -eq 2 ] || fail "a cancelled thread leaves no snapshot"

# What malloc() calls of the system: libbheap-malloc(7).
filtered()
{
	out=$(timeout -s KILL 60 env LD_PRELOAD="$preload" BHEAP_MALLOC_TRIM="$2" "$filter" "$1" 2>&1)
	status=$?
	[ $status -eq 77 ] && { echo "skipped: $1: $out"; return; }
	[ $status -eq 0 ] || fail "a filter ($1, BHEAP_MALLOC_TRIM=$2): status $status, $out"
}
filtered errno 1
filtered kill 1
filtered kill-madvise 0
finish
