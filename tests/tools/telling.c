/* SPDX-License-Identifier: MIT */
/*
 * telling.c - tools/telling.c in an area with little room: when lines about stacks no longer fit,
 * faults are told still, up to their number; parent and child of a fork tell each their own.
 */
#include "tools/telling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/stream.h"

#define AREA_SIZE ((size_t)32 << 20)
#define LINES 600000

static struct table *table;
static const char *area;
static int checks;

static void check(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++checks, what);
}

static bool area_make(void)
{
	size_t size = (size_t)table_area_offset(TABLE_SLOTS_LEAST) + AREA_SIZE;
	int fd = memfd_create("telling", 0);
	char setting[128];
	struct stat status;
	char *mapped;

	if (fd < 0 || ftruncate(fd, (off_t)size) || fstat(fd, &status))
		return false;
	mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return false;
	table = (struct table *)(void *)mapped;
	table->slots_most = TABLE_SLOTS_LEAST;
	area = mapped + table_area_offset(TABLE_SLOTS_LEAST);
	snprintf(setting, sizeof(setting), "%d:%ld:%ju:%ju", fd, (long)getpid(),
		 (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return setenv("BHEAP_TRAIL_TABLE", setting, 1) == 0;
}

/* Lines of the area that begin so. */
static size_t lines_count(const char *begin)
{
	size_t count = 0, length = strlen(begin);

	for (size_t at = 0; at + length < AREA_SIZE; at++)
		count += memcmp(area + at, begin, length) == 0 &&
			 (at == 0 || area[at - 1] == '\n' || at % STREAM_UNIT == 8);
	return count;
}

static void stacks_tell(void)
{
	for (unsigned number = 1; number <= LINES; number++)
		record_line(0, "n %u 0 %060u\n", number, number); /* a long one */
}

static void faults_tell(unsigned count)
{
	struct telling_fault fault = {.kind = 3, .address = 4096, .known = TELLING_AT_END};

	while (count--)
		telling_fault(&fault);
}

static size_t faults_of(unsigned slot)
{
	char begin[32];

	snprintf(begin, sizeof(begin), "g %u ", slot);
	return lines_count(begin);
}

int main(void)
{
	size_t told;
	pid_t child;

	if (!area_make()) {
		puts("1..0 # SKIP no memory to share");
		return 0;
	}
	check(telling_open(), "the table is there");
	faults_tell(1);
	stacks_tell();
	told = lines_count("n ");
	check(told > LINES / 20 && told < LINES, "some of the stacks fit, and not all");
	check(faults_of(0) == 1, "a fault before the area was full");
	fflush(stdout); /* memcheck flushes what a child has when it ends */
	child = fork();
	if (child == 0) {
		telling_fork();
		stacks_tell();
		faults_tell(5);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	faults_tell(2 * TELLING_FAULTS);
	told = lines_count("n ");
	stacks_tell();
	check(lines_count("n ") == told, "no stack takes the room of faults");
	check(faults_of(1) == 5, "the faults of the child");
	check(faults_of(0) == TELLING_FAULTS, "faults after the area was full");
	check(table->slots[0].figures[STREAM_PEAK] == TELLING_FAULTS, "faults are counted");
	check(!table->slots[0].figures[STREAM_ERROR], "there was room for each");
	printf("# %zu stacks of %d\n1..%d\n", told, LINES, checks);
	return 0;
}
