/* SPDX-License-Identifier: MIT */
/*
 * lines.c - tools/line.c beside printf(3): addresses and numbers of every length.
 */
#include "tools/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int wrong;

static void same(const struct line *line, const char *wanted)
{
	char text[LINE_SIZE + 1] = "";
	size_t length = line_write(text, line);

	if (length >= LINE_SIZE || length != strlen(wanted) || strcmp(text, wanted) != 0) {
		printf("# '%.*s', not '%s'\n", (int)length, text, wanted);
		wrong++;
	}
}

static void compare(uintptr_t address, size_t size, uint32_t callers)
{
	char wanted[2 * LINE_SIZE], end[16] = "";
	uintptr_t old = address ^ address >> 1;

	if (callers)
		snprintf(end, sizeof(end), " %" PRIu32, callers);
	snprintf(wanted, sizeof(wanted), "a %#" PRIxPTR " %zu%s\n", address, size, end);
	same(&(struct line){'a', 0, address, 0, size, callers}, wanted);
	snprintf(wanted, sizeof(wanted), "m %#" PRIxPTR " %zu %zu%s\n", address, (size_t)4096, size,
		 end);
	same(&(struct line){'m', 0, address, 4096, size, callers}, wanted);
	snprintf(wanted, sizeof(wanted), "r %#" PRIxPTR " %#" PRIxPTR " %zu%s\n", old, address,
		 size, end);
	same(&(struct line){'r', old, address, 0, size, callers}, wanted);
	snprintf(wanted, sizeof(wanted), "f %#" PRIxPTR "\n", address);
	same(&(struct line){.letter = 'f', .block = address}, wanted);
}

int main(void)
{
	for (uintptr_t address = UINTPTR_MAX; address; address /= 3) {
		compare(address, address, (uint32_t)address);
		compare(address, address / 10 * 10, UINT32_MAX);
		compare(address, 0, 0);
	}
	printf("1..1\n%sok 1 - as printf() writes\n", wrong ? "not " : "");
	return 0;
}
