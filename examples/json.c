/* SPDX-License-Identifier: MIT */
/*
 * json.c - prints JSON documents (RFC 8259) indented. It parses each document in a heap of its own:
 * one budget covers the text and the tree. A document that exceeds the budget is refused; this does
 * not affect the next document. No node is ever freed: the heap is destroyed as a whole.
 *
 *	cc json.c -o json $(pkg-config --cflags --libs libbheap)
 *	./json -b 64k small.json huge.json
 */
#define _POSIX_C_SOURCE 200809L

#include "size.h"

#include <bheap.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The parser and the printer call themselves; a heap's budget does not bound the stack. */
#define DEPTH_MAX 500

enum kind { SCALAR, ARRAY, OBJECT };

/* Bytes of the document, as they are there. */
struct slice {
	const char *text;
	size_t length;
};

struct value {
	enum kind kind;
	struct slice name;   /* in an object; with its quotation marks */
	struct slice scalar; /* a string, with its quotation marks, a number or a word */
	struct value *first; /* in an array or object */
	struct value *next;  /* in what this one is in */
};

struct document {
	const char *path;
	bheap_t *heap;
	char *text; /* a NUL follows it, which ends every token */
	const char *end;
	const char *at;
	const char *line; /* where the current one starts */
	size_t line_number;
	size_t values;
	unsigned depth;
	const char *error; /* the first one; NULL: none so far */
};

/* Ends the parse: nothing can be wrong in a text that is at its end. */
static void *fail(struct document *document, const char *error)
{
	if (!document->error)
		document->error = error;
	return NULL;
}

static const char spent[] = "the budget is spent";

/* ---- the text ---- */

/* Reads a whole file into one block: it grows where it is, for nothing is behind it yet. */
static int text_read(struct document *document, FILE *file)
{
	size_t room = 0, length = 0, count;

	do {
		char *text;

		room = room ? 2 * room : 4096;
		text = bheap_realloc(document->heap, document->text, room);
		if (!text) {
			fail(document, spent);
			return -1;
		}
		document->text = text;
		count = fread(text + length, 1, room - length - 1, file);
		length += count;
	} while (length == room - 1);
	if (ferror(file)) {
		fail(document, strerror(errno));
		return -1;
	}
	/* Down to what it needs, which cannot fail: the rest is for the tree. */
	document->text = bheap_realloc(document->heap, document->text, length + 1);
	document->text[length] = '\0';
	document->end = document->text + length;
	document->at = document->line = document->text;
	document->line_number = 1;
	return 0;
}

static void space_skip(struct document *document)
{
	for (;; document->at++) {
		if (*document->at == '\n') {
			document->line = document->at + 1;
			document->line_number++;
		} else if (!*document->at || !strchr(" \t\r", *document->at)) {
			return;
		}
	}
}

/* Steps over a character if it is the next one. */
static int token_accept(struct document *document, char wanted)
{
	space_skip(document);
	if (*document->at != wanted || document->at == document->end)
		return 0;
	document->at++;
	return 1;
}

/* ---- scalars: checked, and left as they are; each function returns what is wrong, or NULL ---- */

/* Behind a backslash. */
static int escape_skip(struct document *document)
{
	int digits = *document->at == 'u' ? 4 : 0;

	if (!*document->at || !strchr("\"\\/bfnrtu", *document->at))
		return 0;
	for (document->at++; digits; digits--, document->at++)
		if (!isxdigit((unsigned char)*document->at))
			return 0;
	return 1;
}

/* Behind the opening quotation mark. */
static const char *string_skip(struct document *document)
{
	while (*document->at != '"') {
		if (document->at == document->end)
			return "a string does not end";
		if ((unsigned char)*document->at < ' ')
			return "a control character in a string";
		if (*document->at++ == '\\' && !escape_skip(document))
			return "an unknown escape in a string";
	}
	document->at++;
	return NULL;
}

static int digits_skip(struct document *document)
{
	const char *first = document->at;

	while (isdigit((unsigned char)*document->at))
		document->at++;
	return document->at > first;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][-+]?[0-9]+)? */
static const char *number_skip(struct document *document)
{
	document->at += *document->at == '-';
	if (*document->at == '0')
		document->at++;
	else if (!digits_skip(document))
		return "not a number";
	if (*document->at == '.' && (document->at++, !digits_skip(document)))
		return "not a number";
	if (*document->at != 'e' && *document->at != 'E')
		return NULL;
	document->at++;
	document->at += *document->at == '+' || *document->at == '-';
	return digits_skip(document) ? NULL : "not a number";
}

static const char *word_skip(struct document *document)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t index = 0; index < 3; index++) {
		size_t length = strlen(words[index]);

		if (strncmp(document->at, words[index], length) == 0) {
			document->at += length;
			return NULL;
		}
	}
	return "a value is wanted";
}

/* A string, number or word. */
static const char *scalar_read(struct document *document, struct slice *scalar)
{
	const char *error;

	scalar->text = document->at;
	if (token_accept(document, '"'))
		error = string_skip(document);
	else if (*document->at == '-' || isdigit((unsigned char)*document->at))
		error = number_skip(document);
	else
		error = word_skip(document);
	scalar->length = (size_t)(document->at - scalar->text);
	return error;
}

/* ---- values ---- */

static struct value *value_make(struct document *document, enum kind kind)
{
	struct value *value = bheap_calloc(document->heap, 1, sizeof(*value));

	if (!value)
		return fail(document, spent);
	value->kind = kind;
	document->values++;
	return value;
}

static struct value *value_parse(struct document *document);

static struct value *member_parse(struct document *document)
{
	struct slice name;
	struct value *value;
	const char *error;

	space_skip(document);
	if (*document->at != '"')
		return fail(document, "a name in quotation marks is wanted");
	error = scalar_read(document, &name);
	if (error)
		return fail(document, error);
	if (!token_accept(document, ':'))
		return fail(document, "':' is wanted");
	value = value_parse(document);
	if (value)
		value->name = name;
	return value;
}

/* Behind the opening bracket or brace. */
static struct value *list_parse(struct document *document, enum kind kind)
{
	char close = kind == OBJECT ? '}' : ']';
	struct value *list = value_make(document, kind), **link;

	if (!list || token_accept(document, close))
		return list;
	if (++document->depth > DEPTH_MAX)
		return fail(document, "nested too deep: more than 500 levels");
	link = &list->first;
	do {
		*link = kind == OBJECT ? member_parse(document) : value_parse(document);
		if (!*link)
			return NULL;
		link = &(*link)->next;
	} while (token_accept(document, ','));
	document->depth--;
	if (!token_accept(document, close))
		return fail(document,
			    kind == OBJECT ? "',' or '}' is wanted" : "',' or ']' is wanted");
	return list;
}

static struct value *value_parse(struct document *document)
{
	struct value *value;
	const char *error;

	if (token_accept(document, '['))
		return list_parse(document, ARRAY);
	if (token_accept(document, '{'))
		return list_parse(document, OBJECT);
	value = value_make(document, SCALAR);
	if (!value)
		return NULL;
	error = scalar_read(document, &value->scalar);
	return error ? fail(document, error) : value;
}

static struct value *document_parse(struct document *document, FILE *file)
{
	struct value *value;

	if (text_read(document, file))
		return NULL;
	value = value_parse(document);
	if (!value)
		return NULL;
	space_skip(document);
	if (document->at != document->end)
		return fail(document, "something follows the document");
	return value;
}

/* ---- printing ---- */

static void slice_print(struct slice slice)
{
	fwrite(slice.text, 1, slice.length, stdout);
}

static void value_print(const struct value *value, int indent)
{
	const char *brackets = value->kind == OBJECT ? "{}" : "[]";

	if (value->kind == SCALAR) {
		slice_print(value->scalar);
		return;
	}
	putchar(brackets[0]);
	for (const struct value *member = value->first; member; member = member->next) {
		printf("\n%*s", indent + 2, "");
		if (value->kind == OBJECT) {
			slice_print(member->name);
			printf(": ");
		}
		value_print(member, indent + 2);
		if (member->next)
			putchar(',');
	}
	if (value->first)
		printf("\n%*s", indent, "");
	putchar(brackets[1]);
}

/* ---- the command ---- */

/* One line: what was wrong and where, or what the document took; and how much of the budget. */
static void document_report(const struct document *document)
{
	struct bheap_stats stats;

	fprintf(stderr, "json: %s:", document->path);
	if (document->error && document->line)
		fprintf(stderr, "%zu:%td:", document->line_number,
			document->at - document->line + 1);
	fprintf(stderr, " %s%s%zu values", document->error ? document->error : "",
		document->error ? ": " : "", document->values);
	if (bheap_stats(document->heap, &stats) == 0)
		fprintf(stderr, ", %zu of %zu bytes used, %zu free in one piece", stats.used,
			stats.size, stats.largest_free);
	putc('\n', stderr);
}

/* A heap for one document, from its first byte to its last. Returns the exit status. */
static int document_process(const char *path, FILE *file, size_t budget)
{
	struct document document = {.path = path, .heap = bheap_create(budget, BHEAP_UNLOCKED)};
	struct value *value;

	if (!document.heap) {
		fprintf(stderr, "json: a budget of %zu bytes: %s\n", budget, strerror(errno));
		return 1;
	}
	value = document_parse(&document, file);
	if (value) {
		value_print(value, 0);
		putchar('\n');
	}
	document_report(&document);
	bheap_destroy(document.heap);
	return value ? 0 : document.error == spent ? 3 : 1;
}

static int file_process(const char *path, size_t budget)
{
	FILE *file = fopen(path, "r");
	int status;

	if (!file) {
		fprintf(stderr, "json: %s: %s\n", path, strerror(errno));
		return 1;
	}
	status = document_process(path, file, budget);
	fclose(file);
	return status;
}

int main(int argc, char **argv)
{
	size_t budget = (size_t)1 << 20;
	int option, worst = 0;

	while ((option = getopt(argc, argv, "b:")) != -1)
		if (option != 'b' || !size_parse(optarg, &budget))
			budget = 0;
	if (!budget || optind == argc) {
		fputs("Usage: json [-b BUDGET] FILE...\n"
		      "Prints JSON documents indented. BUDGET bounds the memory of each, in bytes,\n"
		      "or with a suffix k, M or G (1M), rounded up to whole pages.\n"
		      "Ends with 1 if a document is malformed, with 3 if one spends its budget.\n",
		      stderr);
		return 2;
	}
	for (; optind < argc; optind++) {
		int status = file_process(argv[optind], budget);

		worst = status > worst ? status : worst;
	}
	if (fflush(stdout) || ferror(stdout)) {
		fputs("json: cannot write the result\n", stderr);
		return 1;
	}
	return worst;
}
