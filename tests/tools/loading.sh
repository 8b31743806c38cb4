#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that open objects at run time: with RTLD_DEEPBIND, by the RUNPATH of the object that asks, and
# into a namespace of their own.
. "$srcdir/tests/tools/common.sh"

: "${CC:=cc}"
case "$CC ${CFLAGS:-}" in *-fsanitize=*) echo "a sanitizer has a dlopen() of its own"; exit 77 ;; esac
case $(uname -m) in ppc64*) echo "dlopen() is the C library's there"; exit 77 ;; esac
cd "$scratch" || exit 99

cat >plugin.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *plugin_make(void);
void plugin_end(char *block);
int plugin_read(const char *path);

char *plugin_make(void)
{
	return strcpy(malloc(200), "plugin's");
}

void plugin_end(char *block)
{
	free(block);
}

/* The C library's own functions allocate by the name malloc, the object frees. */
int plugin_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL, *copy;
	size_t size = 0;

	if (!file || getline(&line, &size, file) < 0)
		return 1;
	copy = strdup(line);
	free(copy);
	free(line);
	return fclose(file);
}
END

cat >program.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library_open(char kind)
{
	switch (kind) {
	case 'd': return dlopen("libplugin.so", RTLD_NOW | RTLD_DEEPBIND);
	case 'm': return dlmopen(LM_ID_BASE, "libplugin.so", RTLD_NOW | RTLD_DEEPBIND);
	case 'n': return dlmopen(LM_ID_NEWLM, "libplugin.so", RTLD_NOW | RTLD_DEEPBIND);
	default: return dlopen("libplugin.so", RTLD_NOW);
	}
}

int main(int argc, char **argv)
{
	void *library = library_open(argv[argc - 1][0]);
	char *(*make)(void), *block;
	void (*end)(char *);
	int (*read)(const char *);

	if (!library) {
		puts(dlerror());
		return 1;
	}
	*(void **)&make = dlsym(library, "plugin_make");
	*(void **)&end = dlsym(library, "plugin_end");
	*(void **)&read = dlsym(library, "plugin_read");
	block = make();
	if (argv[argc - 1][0] == 'n') {
		end(block);
		return read(argv[0]);
	}
	block = realloc(block, 5000);
	if (!block || strcmp(block, "plugin's"))
		return 2;
	free(block);
	end(strdup("the program's"));
	return read(argv[0]);
}
END

# An object of the program's own folder, found by no other way.
mkdir -p app/lib
$CC -fPIC -shared -o app/lib/libplugin.so plugin.c && $CC -o app/program program.c -ldl \
	'-Wl,-rpath,$ORIGIN/lib' -Wl,--enable-new-dtags || fail "the program was not built"

for kind in plain deepbind m-base new-namespace; do
	out=$(app/program $kind 2>&1) || { echo "skipped: $kind without the library: status $?, $out"; continue; }
	out=$(LD_PRELOAD=$preload app/program $kind 2>&1) || fail "$kind: status $?, $out"
	[ -z "$out" ] || fail "$kind: $out"
done
finish
