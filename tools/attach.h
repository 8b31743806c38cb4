/* SPDX-License-Identifier: MIT */
/*
 * attach.h - heaps in files and shared memory, attached to or copied, and their faults told to
 * people, after the path.
 */
#ifndef TOOLS_ATTACH_H
#define TOOLS_ATTACH_H

#include <bheap.h>

#define FAULTS_KEPT 8

/* The message of the library, or of the system, about a heap. */
struct fault_log {
	struct bheap_fault faults[FAULTS_KEPT]; /* kind BHEAP_FAULT_NONE: an error of the system */
	unsigned count;                         /* those beyond FAULTS_KEPT are counted only */
};

/* NULL, with the reason in the log, when there is no heap or it cannot be used. */
bheap_t *heap_attach(const char *path, int oflag, struct fault_log *log);

/* Attaches to a private copy of the heap, which may be changed. */
bheap_t *heap_attach_copy(int fd, struct fault_log *log);

/*
 * Copies a heap's file as it is; the descriptor of the nameless copy, or -1 after a message.
 * *at_rest tells that no process that can write was attached meanwhile: what is in the copy is what
 * is in the heap. Without that the copy may hold an operation half done, however often it is made:
 * the process inside may be waiting for a processor, or be stopped.
 */
int heap_copy(const char *path, bool *at_rest);

void fault_log_add(struct fault_log *log, const struct bheap_fault *fault);

/* A line for each to standard error. */
void fault_log_tell(const struct fault_log *log, const char *path);

#endif
