/* SPDX-License-Identifier: MIT */
/*
 * probe.h - static probes (USDT, provider bheap) for bpftrace, SystemTap, perf and gdb: a nop each
 * when no tool listens, and nothing at all where <sys/sdt.h> is absent. A heap is known by its
 * handle. A block resized where it is makes no probe; one that moves is an alloc and a free.
 *
 *	bpftrace -e 'usdt:/usr/lib/x86_64-linux-gnu/libbheap.so.0:bheap:alloc
 *		{ @sizes[arg0] = hist(arg2); }' -p PID
 */
#ifndef BH_PROBE_H
#define BH_PROBE_H

#include <stddef.h>

#include "bheap.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#if defined(HAVE_SYS_SDT_H)
#include <sys/sdt.h>
#else
#define DTRACE_PROBE1(provider, name, one) ((void)(one))
#define DTRACE_PROBE2(provider, name, one, two) ((void)(one), (void)(two))
#define DTRACE_PROBE3(provider, name, one, two, three) ((void)(one), (void)(two), (void)(three))
#define DTRACE_PROBE4(provider, name, one, two, three, four)                                       \
	((void)(one), (void)(two), (void)(three), (void)(four))
#endif

/* A block was handed out for so many bytes. */
static inline void bh_probe_alloc(const void *heap, const void *block, size_t size)
{
	DTRACE_PROBE3(bheap, alloc, heap, block, size);
}

/* A block was taken back. */
static inline void bh_probe_free(const void *heap, const void *block)
{
	DTRACE_PROBE2(bheap, free, heap, block);
}

/* All blocks are taken back at once; those of which bh_probe_free() was told are not among them. */
static inline void bh_probe_reset(const void *heap)
{
	DTRACE_PROBE1(bheap, reset, heap);
}

/* There was no room for so many bytes; when a block was to be resized it may move down yet. */
static inline void bh_probe_fail(const void *heap, size_t size)
{
	DTRACE_PROBE2(bheap, fail, heap, size);
}

/* A fault is reported: its kind (enum bheap_fault_kind), the address, the line of text. */
static inline void bh_probe_fault(const struct bheap_fault *fault)
{
	DTRACE_PROBE4(bheap, fault, fault->heap, fault->kind, fault->address, fault->text);
}

/* The index of free blocks was rebuilt from the block map. */
static inline void bh_probe_rebuild(const void *heap)
{
	DTRACE_PROBE1(bheap, rebuild, heap);
}

#endif
