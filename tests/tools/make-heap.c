/* SPDX-License-Identifier: MIT */
/*
 * make-heap.c - heaps for the tests of bheap: made, changed, damaged in one way each, worked in.
 *
 *   make-heap make PATH 0|guard|owned  blocks of 1000, 10000 and 20000 bytes
 *   make-heap change PATH           the first written to, the second freed, one of 5000 allocated
 *   make-heap die PATH              a process dies inside an operation (it holds the lock)
 *   make-heap stop PATH             stops inside an operation, and ends it when continued
 *   make-heap scribble PATH         a free block is written to
 *   make-heap overflow PATH         the byte after the first block is written to
 *   make-heap work PATH SECONDS     allocates and frees
 */
#include <bheap.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAP_SIZE (1 << 20)
#define PARTS 3

struct root {
	uint64_t parts[PARTS];
};

static bheap_t *heap;

static void *part(int index)
{
	struct root *root = bheap_root(heap);

	return root ? bheap_pointer(heap, root->parts[index]) : NULL;
}

static int heap_make(const char *path, unsigned flags)
{
	struct root *root;

	heap = bheap_open(path, HEAP_SIZE, O_RDWR | O_CREAT | O_EXCL, 0600, flags);
	if (!heap)
		return 1;
	/* The root is the first block, and large enough to be written past its words. */
	root = bheap_alloc(heap, 1000);
	memset(root, 0, 1000);
	root->parts[0] = bheap_offset(heap, root);
	root->parts[1] = bheap_offset(heap, bheap_alloc(heap, 10000));
	root->parts[2] = bheap_offset(heap, bheap_alloc(heap, 20000));
	if (bheap_set_root(heap, root))
		return 1;
	memset(part(1), 1, 10000);
	memset(part(2), 2, 20000);
	return bheap_close(heap);
}

static unsigned flags_of(const char *kind)
{
	if (strcmp(kind, "guard") == 0)
		return BHEAP_GUARD;
	return strcmp(kind, "owned") == 0 ? BHEAP_OWNED : 0;
}

static int heap_change(void)
{
	char *first = part(0);
	void *made;

	first[500] ^= 1;
	if (bheap_free(heap, part(1)))
		return 1;
	made = bheap_alloc(heap, 5000);
	return made ? 0 : 1;
}

static int visit_and_die(const struct bheap_block *block, void *arg)
{
	(void)block;
	(void)arg;
	raise(SIGKILL);
	return 0;
}

static int visit_and_stop(const struct bheap_block *block, void *arg)
{
	(void)block;
	(void)arg;
	return raise(SIGSTOP) ? -1 : 1;
}

static int heap_die(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(bheap_walk(heap, visit_and_die, NULL));
	/* Without a close, which would recover. */
	_exit(waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? 0 : 1);
}

static int block_scribble(const struct bheap_block *block, void *arg)
{
	(void)arg;
	/* One between used blocks is in a bin, and has links. */
	if (block->used || block->size > HEAP_SIZE / 4)
		return 0;
	memset((void *)(uintptr_t)block->address, 0x5a, block->size);
	return 1;
}

static int heap_work(const char *seconds)
{
	time_t end = time(NULL) + atoi(seconds);
	void *blocks[16] = {NULL};
	unsigned seed = 1;

	while (time(NULL) < end) {
		int slot = rand_r(&seed) % 16;

		bheap_free(heap, blocks[slot]);
		blocks[slot] = bheap_alloc(heap, (size_t)rand_r(&seed) % 9000);
		if (blocks[slot])
			memset(blocks[slot], slot, 1);
	}
	for (int slot = 0; slot < 16; slot++)
		bheap_free(heap, blocks[slot]);
	return 0;
}

static int heap_treat(const char *how, const char *argument)
{
	if (strcmp(how, "change") == 0)
		return heap_change();
	if (strcmp(how, "die") == 0)
		return heap_die();
	if (strcmp(how, "stop") == 0)
		return bheap_walk(heap, visit_and_stop, NULL) == 1 ? 0 : 1;
	if (strcmp(how, "scribble") == 0)
		return bheap_walk(heap, block_scribble, NULL) == 1 ? 0 : 1;
	if (strcmp(how, "overflow") == 0) {
		((char *)part(0))[1000] = 1;
		return 0;
	}
	if (strcmp(how, "work") == 0 && argument)
		return heap_work(argument);
	return 2;
}

int main(int argc, char **argv)
{
	int result;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "make") == 0 && argc == 4)
		return heap_make(argv[2], flags_of(argv[3]));
	heap = bheap_open(argv[2], 0, O_RDWR, 0, 0);
	if (!heap)
		return 1;
	result = heap_treat(argv[1], argv[3]);
	return bheap_close(heap) || result;
}
