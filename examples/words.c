/* SPDX-License-Identifier: MIT */
/*
 * words.c - counts the words of a file in a hash table that lies in the classic heap, prints the
 * most frequent words, frees all others, and prints the table of blocks that are then in the heap.
 *
 *	cc words.c -o words $(pkg-config --cflags --libs libbheap)
 *	./words -n 5 -s 64k book.txt
 *
 * A word is a run of letters, bytes of UTF-8 sequences and inner apostrophes; A counts as a.
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

struct word {
	struct word *next; /* in the same bucket */
	unsigned long count;
	size_t hash;
	char text[];
};

struct table {
	struct word **buckets;
	size_t buckets_count; /* a power of two */
	size_t words_count;
	unsigned long total;
};

/* The word being read. */
struct buffer {
	char *text;
	size_t length, room;
};

/* ---- the table ---- */

static struct word **buckets_make(size_t count)
{
	struct word **buckets = balloc(count * sizeof(*buckets));

	for (size_t index = 0; buckets && index < count; index++)
		buckets[index] = NULL;
	return buckets;
}

/* Twice the buckets. The old array goes back to the heap, for words to fill its place. */
static int table_grow(struct table *table)
{
	size_t count = table->buckets_count ? 2 * table->buckets_count : 64;
	struct word **buckets = buckets_make(count);

	if (!buckets)
		return -1;
	for (size_t index = 0; index < table->buckets_count; index++) {
		struct word *word = table->buckets[index];

		while (word) {
			struct word *next = word->next,
				    **bucket = &buckets[word->hash & (count - 1)];

			word->next = *bucket;
			*bucket = word;
			word = next;
		}
	}
	if (table->buckets)
		bfree(table->buckets);
	table->buckets = buckets;
	table->buckets_count = count;
	return 0;
}

/* FNV-1a. */
static size_t text_hash(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 32);
}

/* Counts one more of a word; -1 if the heap has no room for a new one. */
static int table_count(struct table *table, const char *text)
{
	size_t hash = text_hash(text);
	struct word *word, **bucket;

	if (table->words_count == table->buckets_count && table_grow(table))
		return -1;
	bucket = &table->buckets[hash & (table->buckets_count - 1)];
	for (word = *bucket; word; word = word->next)
		if (word->hash == hash && strcmp(word->text, text) == 0)
			break;
	if (!word) {
		word = balloc(sizeof(*word) + strlen(text) + 1);
		if (!word)
			return -1;
		word->next = *bucket;
		word->count = 0;
		word->hash = hash;
		strcpy(word->text, text);
		*bucket = word;
		table->words_count++;
	}
	word->count++;
	table->total++;
	return 0;
}

/* ---- the words of a file ---- */

/* Adds a byte; there is always room for the NUL behind it. */
static int buffer_add(struct buffer *buffer, int byte)
{
	if (buffer->length + 2 > buffer->room) {
		size_t room = buffer->room ? 2 * buffer->room : 32;
		char *text = balloc(room);

		if (!text)
			return -1;
		if (buffer->text) {
			memcpy(text, buffer->text, buffer->length);
			bfree(buffer->text);
		}
		buffer->text = text;
		buffer->room = room;
	}
	buffer->text[buffer->length++] = (char)byte;
	return 0;
}

/* The word in the buffer is at its end: an apostrophe there is a quotation mark. */
static int buffer_end(struct buffer *buffer, struct table *table)
{
	while (buffer->length && buffer->text[buffer->length - 1] == '\'')
		buffer->length--;
	if (!buffer->length)
		return 0;
	buffer->text[buffer->length] = '\0';
	buffer->length = 0;
	return table_count(table, buffer->text);
}

/* Counts a file's words; -1 if the heap is spent. The caller asks ferror(). */
static int words_read(FILE *file, struct table *table)
{
	struct buffer buffer = {0};
	int byte, failed = 0;

	while (!failed && (byte = getc(file)) != EOF) {
		if (isalpha(byte) || byte >= 0x80 || (byte == '\'' && buffer.length))
			failed = buffer_add(&buffer, tolower(byte));
		else
			failed = buffer_end(&buffer, table);
	}
	if (!failed)
		failed = buffer_end(&buffer, table);
	if (buffer.text)
		bfree(buffer.text);
	return failed;
}

/* ---- the most frequent ---- */

/* More frequent first, then by the alphabet. */
static int words_compare(const void *left, const void *right)
{
	const struct word *const *one = left, *const *other = right;

	if ((*one)->count != (*other)->count)
		return (*one)->count < (*other)->count ? 1 : -1;
	return strcmp((*one)->text, (*other)->text);
}

/* All words in an array of their own, sorted; the buckets are freed. */
static struct word **words_sort(struct table *table)
{
	struct word **words = balloc((table->words_count + 1) * sizeof(struct word *));
	size_t count = 0;

	if (!words)
		return NULL;
	for (size_t index = 0; index < table->buckets_count; index++)
		for (struct word *word = table->buckets[index]; word; word = word->next)
			words[count++] = word;
	if (table->buckets)
		bfree(table->buckets);
	table->buckets = NULL;
	qsort(words, count, sizeof(struct word *), words_compare);
	return words;
}

static int words_print(struct table *table, size_t wanted)
{
	struct word **words = words_sort(table);

	if (!words)
		return -1;
	if (wanted > table->words_count)
		wanted = table->words_count;
	printf("%lu words, %zu different\n", table->total, table->words_count);
	for (size_t index = 0; index < table->words_count; index++) {
		if (index < wanted)
			printf("%8lu  %s\n", words[index]->count, words[index]->text);
		else
			bfree(words[index]);
	}
	bfree(words);
	printf("\nThe heap with these %zu words left in it:\n", wanted);
	disp_heap();
	return 0;
}

/* ---- the command ---- */

static int usage(void)
{
	fputs("Usage: words [-n COUNT] [-s HEAP_SIZE] FILE\n"
	      "Counts the words of FILE and prints the COUNT most frequent (10) and the heap.\n"
	      "HEAP_SIZE is in bytes (4M), or with a suffix k, M or G.\n",
	      stderr);
	return 2;
}

/* The errno of a file that failed, or 0. */
static int words_of_file(const char *path, size_t wanted, size_t heap_size)
{
	struct table table = {0};
	FILE *file = fopen(path, "r");
	int spent;

	if (!file) {
		fprintf(stderr, "words: %s: %s\n", path, strerror(errno));
		return 1;
	}
	errno = 0;
	spent = words_read(file, &table);
	if (ferror(file)) {
		fprintf(stderr, "words: %s: %s\n", path, strerror(errno));
		fclose(file);
		return 1;
	}
	fclose(file);
	if (spent || words_print(&table, wanted)) {
		fprintf(stderr,
			"words: %s: the heap of %zu bytes is spent after %lu words, %zu different; "
			"give it more with -s\n",
			path, heap_size, table.total, table.words_count);
		return 1;
	}
	if (ferror(stdout)) {
		fputs("words: cannot write the result\n", stderr);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t heap_size = (size_t)4 << 20, wanted = 10;
	int option;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n' && size_parse(optarg, &wanted))
			continue;
		if (option == 's' && size_parse(optarg, &heap_size))
			continue;
		return usage();
	}
	if (optind + 1 != argc)
		return usage();
	if (init_heap(heap_size)) {
		fprintf(stderr, "words: a heap of %zu bytes: %s\n", heap_size, strerror(errno));
		return 1;
	}
	return words_of_file(argv[optind], wanted, heap_size);
}
