/* SPDX-License-Identifier: MIT */
/*
 * constants.c - the values that programs are compiled with: a part of the interface that neither
 * the linker nor libabigail sees, for no function has their types. Compiling it is the test.
 */
#include "bheap.h"

_Static_assert(BHEAP_ALIGNMENT == 16, "");
_Static_assert(BHEAP_BUFFER_MIN == 1024, "");
_Static_assert(BHEAP_SIZE_MAX == (sizeof(void *) == 8 ? UINT64_C(1) << 36 : 0x7fff0000), "");

_Static_assert(BHEAP_UNLOCKED == 1, "");
_Static_assert(BHEAP_GUARD == 2, "");
_Static_assert(BHEAP_ABORT == 4, "");
_Static_assert(BHEAP_REALTIME == 8, "");
_Static_assert(BHEAP_OWNED == 16, "");
_Static_assert(BHEAP_PREALLOCATE == 32, "");
