/* SPDX-License-Identifier: MIT */
/*
 * cjson_scopes.c - the current heap of examples/heap_scope.h: scopes nest, objects are freed in
 * their own heap whatever the current one is, threads do not meet, and a wrong free is refused.
 */
int example_main(int argc, char **argv);
#define main example_main
#include "../../examples/adapter_cjson.c"
#undef main

#include <pthread.h>

#include "adapter.inc"

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static size_t blocks_of(bheap_t *heap)
{
	struct bheap_stats stats;

	bheap_stats(heap, &stats);
	return stats.live_blocks;
}

static cJSON *parse(const char *text)
{
	const char *end;

	return cjson_heap_parse(text, strlen(text) + 1, &end);
}

/* The outer document is deleted while the inner heap is current. */
static void nested(bheap_t *one, bheap_t *other)
{
	struct heap_scope outer, inner;
	cJSON *first, *second;

	heap_scope_enter(&outer, one);
	first = parse("{\"a\": [1, 2, 3]}");
	heap_scope_enter(&inner, other);
	second = parse("[\"text\"]");
	check(blocks_of(one) && blocks_of(other), "a document is in no heap");
	cJSON_Delete(first);
	check(!blocks_of(one) && blocks_of(other), "the outer document was not freed in its heap");
	cJSON_Delete(second);
	check(!blocks_of(other), "the inner document was not freed");
	heap_scope_leave();
	first = parse("[0]");
	check(heap_scope == &outer && blocks_of(one), "the outer scope is not current again");
	cJSON_Delete(first);
	heap_scope_leave();
	check(!heap_scope, "a scope is current after the last was left");
}

/* Refused requests count in the scope in which they were made. */
static void refused(bheap_t *one, bheap_t *other)
{
	struct heap_scope outer, inner;
	static char text[100002];

	memset(text, '1', sizeof(text) - 1);
	text[0] = text[sizeof(text) - 2] = '"';
	heap_scope_enter(&outer, one);
	heap_scope_enter(&inner, other);
	check(!parse(text) && inner.refused > 100000, "no refusal is noted");
	check(!parse("[1,") && !inner.refused, "a malformed document counts as a refusal");
	heap_scope_leave();
	check(!outer.refused, "the refusal is noted in the outer scope");
	check(!parse("{") && !outer.refused, "malformed");
	heap_scope_leave();
}

/* Outside all scopes no heap is known: nothing is allocated, and the base refuses what it is given.
 */
static void outside(bheap_t *heap, bheap_t *base)
{
	struct heap_scope scope;
	cJSON *document;
	size_t blocks;

	heap_scope_enter(&scope, heap);
	document = parse("{\"a\": [1, 2, 3]}");
	heap_scope_leave();
	check(!cJSON_CreateNull(), "memory outside all scopes");
	blocks = blocks_of(heap);
	heap_scope_base = base;
	heap_scope_free(document);
	check(faults == 1 && blocks_of(heap) == blocks,
	      "a free outside all scopes was not refused");
	heap_scope_enter(&scope, heap);
	cJSON_Delete(document);
	heap_scope_leave();
	heap_scope_base = NULL;
}

/* Each thread has a heap; the last document of each is deleted by another thread. */
struct worker {
	bheap_t *heap;
	cJSON *left;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct heap_scope scope;

	heap_scope_enter(&scope, worker->heap);
	for (int round = 0; round < 2000; round++) {
		cJSON_Delete(worker->left);
		worker->left = parse("{\"a\": [1, 2, {\"b\": null}], \"c\": \"text\"}");
		check(worker->left != NULL, "a thread was refused");
	}
	heap_scope_leave();
	return NULL;
}

static void threads(bheap_t *one, bheap_t *other)
{
	struct worker workers[2] = {{.heap = one}, {.heap = other}};
	struct heap_scope scope;
	pthread_t thread[2];

	for (int index = 0; index < 2; index++)
		check(pthread_create(&thread[index], NULL, work, &workers[index]) == 0, "thread");
	for (int index = 0; index < 2; index++) {
		pthread_join(thread[index], NULL);
		heap_scope_enter(&scope, workers[index].heap);
		cJSON_Delete(workers[index].left);
		heap_scope_leave();
	}
}

int main(void)
{
	bheap_t *one = bheap_create(65536, 0), *other = bheap_create(65536, 0);
	bheap_t *base = bheap_create(65536, 0);

	bheap_set_fault_handler(NULL, fault_count, NULL);
	cjson_heap_init();
	nested(one, other);
	refused(one, other);
	check(faults == 0, "faults");
	outside(one, base);
	threads(one, other);
	check(faults == 1, "faults");
	check(!blocks_of(one) && !blocks_of(other) && !blocks_of(base), "blocks are left");
	bheap_destroy(one);
	bheap_destroy(other);
	bheap_destroy(base);
	return 0;
}
