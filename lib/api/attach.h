/* SPDX-License-Identifier: MIT */
/*
 * attach.h - a file becomes a heap, or is found to be one, for the holder of the open lock. Refuses
 * a wrong file before it is mapped, or after its map was read; knows no names.
 */
#ifndef BH_ATTACH_H
#define BH_ATTACH_H

#include "handle/handle.h"
#include "handle/head.h"

#define BH_FLAGS_OF_HANDLE (BHEAP_ABORT | BHEAP_REALTIME)

/* One bheap_open() under way. */
struct bh_attach_opening {
	int fd;
	size_t size; /* wanted; 0: whatever is there */
	unsigned flags;
	bool creates; /* a file that is no heap yet becomes one */
	bool writable;
	bool named;   /* by path: the file must keep its name */
	bool created; /* by us: removed again on failure */
	bool sole;    /* no other writer is attached */
	bool recovered;
	bool rebuilt;
	const char *why; /* what is wrong with the file */
	char reason[80]; /* the same where it has numbers in it */
	bheap_t *heap;
};

/* Makes the handle, and the heap if need be; false with errno, and why. */
bool bh_attach(struct bh_attach_opening *opening, uint64_t file_size);

/* Takes it back; the file stays, and errno. */
void bh_attach_undo(struct bh_attach_opening *opening);

/* Unmaps a shared heap and its handle; the heap stays. */
int bh_attach_detach(bheap_t *heap);

#endif
