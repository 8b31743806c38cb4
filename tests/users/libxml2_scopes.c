/* SPDX-License-Identifier: MIT */
/*
 * libxml2_scopes.c - nothing that libxml2 keeps is in the heap of a document: not its globals, not
 * a thread's last error. Heaps of documents are destroyed, and others made, again and again.
 */
int example_main(int argc, char **argv);
#define main example_main
#include "../../examples/adapter_libxml2.c"
#undef main

#include <libxml/xpath.h>
#include <pthread.h>

#include "adapter.inc"

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* bheap_walk() ends at the first block in use. */
static int is_used(const struct bheap_block *block, void *arg)
{
	(void)arg;
	return block->used;
}

static void document_check(const char *text, bool good)
{
	xmlParserCtxt *parser = xmlNewParserCtxt();
	xmlDoc *document = text_parse(parser, text, strlen(text));

	check(!document == !good, text);
	if (document) {
		xmlXPathContext *path = xmlXPathNewContext(document);

		xmlXPathFreeObject(xmlXPathEval((const xmlChar *)"//b[last()]", path));
		xmlXPathFreeContext(path);
	}
	xmlFreeDoc(document);
	xmlFreeParserCtxt(parser);
}

/* A heap for each document. */
static void *work(void *arg)
{
	struct heap_scope scope;

	for (int round = 0; round < 200; round++) {
		bheap_t *heap = bheap_create((size_t)1 << 20, 0);

		heap_scope_enter(&scope, heap);
		document_check("<a><b c='&lt;'>text</b><b/></a>", true);
		document_check("<a><b></a>", false);
		xml_heap_leave();
		check(bheap_walk(heap, is_used, NULL) == 0, "a block is left in a document's heap");
		bheap_destroy(heap);
	}
	return arg;
}

int main(void)
{
	bheap_t *base = bheap_create((size_t)1 << 20, 0);
	pthread_t thread[2];

	bheap_set_fault_handler(NULL, fault_count, NULL);
	check(xml_heap_init(base) == 0, "init");
	xmlSetGenericErrorFunc(NULL, message_ignore);
	work(NULL);
	for (int index = 0; index < 2; index++)
		check(pthread_create(&thread[index], NULL, work, NULL) == 0, "thread");
	for (int index = 0; index < 2; index++)
		pthread_join(thread[index], NULL);
	xmlCleanupParser();
	check(bheap_walk(base, is_used, NULL) == 0, "a block is left in the base");
	bheap_destroy(base);
	check(faults == 0, "faults");
	return 0;
}
