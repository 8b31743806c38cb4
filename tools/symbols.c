/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - see symbols.h. A symbol without a size tells nothing of what lies behind it.
 */
#include "symbols.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Names that people call first, and with few underscores. */
static unsigned rank_of(const GElf_Sym *symbol, const char *name)
{
	unsigned local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL ? 100 : 0;

	return local + (unsigned)strspn(name, "_") + (strncmp(name, "__GI_", 5) == 0 ? 50 : 0);
}

static int symbol_order(const void *one, const void *other)
{
	const struct symbol *left = one, *right = other;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void symbol_take(struct symbols *symbols, Dwfl_Module *dwfl, int number)
{
	GElf_Sym symbol;
	GElf_Addr address;
	const char *name =
		dwfl_module_getsym_info(dwfl, number, &symbol, &address, NULL, NULL, NULL);
	int type = name ? GELF_ST_TYPE(symbol.st_info) : STT_NOTYPE;

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || !symbol.st_size || !*name ||
	    symbol.st_shndx == SHN_UNDEF)
		return;
	symbols->list[symbols->count++] =
		(struct symbol){address, address + symbol.st_size, name, rank_of(&symbol, name)};
}

void symbols_read(struct symbols *symbols, Dwfl_Module *dwfl)
{
	int count = dwfl_module_getsymtab(dwfl);

	*symbols = (struct symbols){0};
	if (count <= 0)
		return;
	symbols->list = memory_zero((size_t)count, sizeof(*symbols->list));
	for (int number = 0; number < count; number++)
		symbol_take(symbols, dwfl, number);
	qsort(symbols->list, symbols->count, sizeof(*symbols->list), symbol_order);
}

const char *symbols_find(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->list[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address >= symbols->list[low - 1].end)
		return NULL;
	for (low--; low && symbols->list[low - 1].start == symbols->list[low].start &&
		    address < symbols->list[low - 1].end;)
		low--;
	return symbols->list[low].name;
}

void symbols_release(struct symbols *symbols)
{
	free(symbols->list);
	*symbols = (struct symbols){0};
}
