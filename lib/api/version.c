/* SPDX-License-Identifier: MIT */
/*
 * version.c - the version of the library as linked.
 */
#include "bheap.h"

const char *bheap_version(void)
{
	return BHEAP_VERSION_STRING;
}
