/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - the functions in the symbol table of a program or library, by address: libdw reads
 * the table, but looks for an address from its beginning each time.
 */
#ifndef TOOLS_SYMBOLS_H
#define TOOLS_SYMBOLS_H

#include <elfutils/libdwfl.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t start, end;
	const char *name;
	unsigned rank; /* of several names at one address the lowest is shown */
};

struct symbols {
	struct symbol *list; /* by address */
	size_t count;
};

/* The names are valid as long as dwfl's session. */
void symbols_read(struct symbols *symbols, Dwfl_Module *dwfl);

/* The name of the function that an address lies in, or NULL. */
const char *symbols_find(const struct symbols *symbols, uint64_t address);

void symbols_release(struct symbols *symbols);

#endif
