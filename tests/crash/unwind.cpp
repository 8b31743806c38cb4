// SPDX-License-Identifier: MIT
//
// unwind.cpp - a callback that throws: the exception passes through the library, the lock does not
// stay.
//
#include <bheap.h>

#include <cstdio>
#include <stdexcept>

static int callback_throws(const bheap_block *, void *)
{
	throw std::runtime_error("out of a callback");
}

int main()
{
	bheap_t *heap = bheap_create(65536, 0);
	void *block = bheap_alloc(heap, 100);
	bool caught = false;

	std::puts("1..1");
	try {
		bheap_walk(heap, callback_throws, nullptr);
	} catch (const std::runtime_error &) {
		caught = true;
	}
	bool good = caught && bheap_free(heap, block) == 0 && bheap_check(heap, nullptr) == 0;
	std::printf("%sok 1 - a heap can be used after a callback threw\n", good ? "" : "not ");
	return bheap_destroy(heap) || !good;
}
