/* SPDX-License-Identifier: MIT */
/*
 * adapter_libxml2.c - counts the elements of an XML document, which libxml2 parses in a heap of its
 * own. The hooks of libxml2 have no context argument: heap_scope.h keeps the current heap of each
 * thread. Data that libxml2 keeps until the program ends lies in another heap.
 *
 *	cc adapter_libxml2.c -o adapter_libxml2 $(pkg-config --cflags --libs libbheap libxml-2.0)
 *	./adapter_libxml2 -b 256k orders.xml
 */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"
#include "heap_scope.h"

#include <limits.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlmemory.h>

/* ---- adapter ---- */
static char *xml_heap_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = heap_scope_alloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

/* Call first, outside all scopes: libxml2's globals lie in the base. */
static int xml_heap_init(bheap_t *base)
{
	heap_scope_base = base;
	if (xmlMemSetup(heap_scope_free, heap_scope_alloc, heap_scope_realloc, xml_heap_strdup))
		return -1;
	xmlInitParser();
	return 0;
}

/* Frees the thread's last error, which lies in the current heap. */
static void xml_heap_leave(void)
{
	xmlResetLastError();
	heap_scope_leave();
}
/* ---- end of the adapter ---- */

static size_t elements_count(const xmlNode *node)
{
	size_t count = 0;

	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			count += 1 + elements_count(node->children);
	return count;
}

/* libxml2 prints some errors though it is told not to, those of memory among them. */
static void message_ignore(void *arg, const char *format, ...)
{
	(void)arg;
	(void)format;
}

/*
 * Without XML_PARSE_HUGE: libxml2's own limits bound the depth, and so the stack. NULL without an
 * error: too large for an int.
 */
static xmlDoc *text_parse(xmlParserCtxt *parser, const char *text, size_t length)
{
	if (length > INT_MAX)
		return NULL;
	return xmlCtxtReadMemory(parser, text, (int)length, NULL, NULL,
				 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

/* A request refused in the scope counts, whatever libxml2 made of it. */
static int error_tell(const struct job *job, xmlParserCtxt *parser)
{
	const xmlError *error = parser ? xmlCtxtGetLastError(parser) : NULL;

	if (heap_scope->refused || !error || error->code == XML_ERR_NO_MEMORY)
		return job_too_large(job);
	return job_malformed(job, (size_t)error->line, error->message ? error->message : "?");
}

static int document_process(const struct job *job)
{
	xmlParserCtxt *parser = xmlNewParserCtxt();
	xmlDoc *document = parser ? text_parse(parser, job->text, job->length) : NULL;
	int status = 0;

	if (!document || heap_scope->refused)
		status = error_tell(job, parser);
	else
		printf("%zu elements\n", elements_count(document->children));
	xmlFreeDoc(document);
	xmlFreeParserCtxt(parser);
	return status;
}

static void heap_go_on(const struct job *job)
{
	static const char text[] = "<next/>";
	xmlParserCtxt *parser = xmlNewParserCtxt();
	xmlDoc *document = parser ? text_parse(parser, text, sizeof(text) - 1) : NULL;

	fprintf(stderr, "%s: the next document in this heap: %s\n", job->program,
		document ? "done" : "refused");
	xmlFreeDoc(document);
	xmlFreeParserCtxt(parser);
}

static int job_do(const struct job *job)
{
	struct heap_scope scope;
	int status;

	heap_scope_enter(&scope, job->heap);
	status = document_process(job);
	xmlResetLastError();
	if (status)
		heap_go_on(job);
	xml_heap_leave();
	return status;
}

int main(int argc, char **argv)
{
	struct job job = {.program = "adapter_libxml2"};
	int status = job_begin(&job, argc, argv);
	bheap_t *base;

	if (status)
		return status;
	base = bheap_create((size_t)1 << 20, 0);
	if (!base || xml_heap_init(base))
		return job_failed(&job, "libxml2");
	xmlSetGenericErrorFunc(NULL, message_ignore);
	status = job_read(&job);
	status = job_end(&job, status ? status : job_do(&job));
	xmlCleanupParser();
	bheap_destroy(base);
	return status;
}
