/* SPDX-License-Identifier: MIT */
/*
 * source.c - see source.h. Each module has a session of its own, for what was mapped at one place
 * at two times; a file that is not the one that ran, by its build ID, is not read. C++ names are
 * demangled by the C++ library, if this machine has it.
 */
#include "source.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "memory.h"
#include "symbols.h"

typedef char *demangle_fn(const char *name, char *buffer, size_t *size, int *status);

struct opened {
	const struct call_module *module;
	Dwfl *session; /* NULL: it cannot be read */
	Dwfl_Module *dwfl;
	struct symbols symbols;
};

struct source {
	struct opened *list;
	size_t count;
	void *library;
	demangle_fn *demangle;
	char **names; /* to free */
	size_t name_count;
};

bool source_available(void)
{
	return true;
}

struct source *source_open(void)
{
	struct source *source = memory_zero(1, sizeof(*source));

	source->library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
	if (source->library)
		source->demangle =
			(demangle_fn *)(uintptr_t)dlsym(source->library, "__cxa_demangle");
	return source;
}

void source_close(struct source *source)
{
	for (size_t index = 0; index < source->count; index++) {
		symbols_release(&source->list[index].symbols);
		if (source->list[index].session)
			dwfl_end(source->list[index].session);
	}
	for (size_t index = 0; index < source->name_count; index++)
		free(source->names[index]);
	if (source->library)
		dlclose(source->library);
	free(source->names);
	free(source->list);
	free(source);
}

/* ---- modules ---- */

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static bool file_is_the_one(const struct call_module *module)
{
	struct stat status;

	return stat(module->path, &status) == 0 && status.st_ino == module->file[0] &&
	       (uint64_t)status.st_size == module->file[1] &&
	       (uint64_t)status.st_mtime == module->file[2];
}

static bool is_the_one(Dwfl_Module *dwfl, const struct call_module *module)
{
	const unsigned char *id;
	GElf_Addr place, bias;
	int size;

	if (!dwfl_module_getelf(dwfl, &bias))
		return false;
	size = dwfl_module_build_id(dwfl, &id, &place);
	if (size > CALLS_ID_MOST)
		size = CALLS_ID_MOST;
	if (size <= 0 || !module->id_size)
		return size <= 0 && !module->id_size && file_is_the_one(module);
	return (size_t)size == module->id_size && memcmp(id, module->id, module->id_size) == 0;
}

static void module_open(struct opened *opened, const struct call_module *module)
{
	*opened = (struct opened){.module = module};
	if (!module->path || module->path[0] != '/')
		return;
	opened->session = dwfl_begin(&callbacks);
	if (!opened->session)
		return;
	dwfl_report_begin(opened->session);
	opened->dwfl = dwfl_report_elf(opened->session, module->path, module->path, -1,
				       module->bias, true);
	dwfl_report_end(opened->session, NULL, NULL);
	if (opened->dwfl && is_the_one(opened->dwfl, module)) {
		symbols_read(&opened->symbols, opened->dwfl);
		return;
	}
	dwfl_end(opened->session);
	opened->session = NULL;
}

static const struct opened *module_find(struct source *source, const struct call_module *module)
{
	for (size_t index = 0; index < source->count; index++)
		if (source->list[index].module == module)
			return &source->list[index];
	source->list = memory_resize(source->list, (source->count + 1) * sizeof(*source->list));
	module_open(&source->list[source->count], module);
	return &source->list[source->count++];
}

/* ---- names ---- */

static const char *name_show(struct source *source, const char *name)
{
	char *shown = NULL;
	int status = 0;

	if (!name || strncmp(name, "_Z", 2) != 0 || !source->demangle)
		return name;
	shown = source->demangle(name, NULL, NULL, &status);
	if (!shown)
		return name;
	source->names =
		memory_resize(source->names, (source->name_count + 1) * sizeof(*source->names));
	source->names[source->name_count++] = shown;
	return shown;
}

/* True for a function of the C++ library, by its name as linkers know it. */
static bool is_library(const char *name)
{
	static const char *const begins[] = {"_ZSt", "_ZN9__gnu_cxx", "_ZNK9__gnu_cxx"};
	size_t prefix = strncmp(name, "_ZNK", 4) == 0 ? 4 : strncmp(name, "_ZN", 3) == 0 ? 3 : 0;

	for (size_t index = 0; index < sizeof(begins) / sizeof(*begins); index++)
		if (strncmp(name, begins[index], strlen(begins[index])) == 0)
			return true;
	return prefix && name[prefix] == 'S' && name[prefix + 1] && /* an abbreviation */
	       strchr("tabsiod", name[prefix + 1]);
}

/* name: as linkers know it, or NULL. */
static void frame_name(struct source *source, struct source_frame *frame, const char *name)
{
	frame->library = name && is_library(name);
	frame->function = name_show(source, name);
}

/* Only C++ has other names for linkers that say more. */
static void die_name(struct source *source, struct source_frame *frame, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		name = dwarf_formstring(&attribute);
	if (!name || strncmp(name, "_Z", 2) != 0)
		name = dwarf_diename(die);
	frame_name(source, frame, name);
}

/* ---- addresses ---- */

/* Of which no more is known. */
static struct source_frame frame_begin(const struct call_module *module, uint64_t address)
{
	const char *name = module ? module->path : NULL, *slash = name ? strrchr(name, '/') : NULL;

	return (struct source_frame){
		.module = slash ? slash + 1 : name,
		.offset = module ? address - module->bias : address,
	};
}

/*
 * The compilation unit of an address. Clang writes no table of addresses, by which libdw finds it:
 * then each unit is asked.
 */
static Dwarf_Die *unit_find(Dwfl_Module *dwfl, uint64_t address, Dwarf_Addr *bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(dwfl, address, bias);

	if (unit)
		return unit;
	while ((unit = dwfl_module_nextcu(dwfl, unit, bias)))
		if (dwarf_haspc(unit, address - *bias) > 0)
			return unit;
	return NULL;
}

static void line_find(struct source_frame *frame, Dwarf_Die *unit, uint64_t place)
{
	Dwarf_Line *line = unit ? dwarf_getsrc_die(unit, place) : NULL;

	if (!line || dwarf_lineno(line, &frame->line) || !frame->line)
		frame->line = 0;
	frame->file = frame->line ? dwarf_linesrc(line, NULL, NULL) : NULL;
}

/* Where an inlined function was called. */
static void call_find(struct source_frame *frame, Dwarf_Die *inlined, Dwarf_Die *unit)
{
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Word file = 0, line = 0;
	size_t count;

	frame->file = NULL;
	frame->line = 0;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) ||
	    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) ||
	    dwarf_getsrcfiles(unit, &files, &count) || file >= count)
		return;
	frame->file = dwarf_filesrc(files, (size_t)file, NULL, NULL);
	frame->line = (int)line;
}

/* The scopes as they lie in one another, where dwarf_getscopes() leaves for the definition. */
static int scopes_find(Dwarf_Die *unit, uint64_t place, Dwarf_Die **scopes)
{
	Dwarf_Die *found = NULL, innermost;
	int count = unit ? dwarf_getscopes(unit, place, &found) : 0;

	if (count <= 0)
		return 0;
	innermost = found[0];
	free(found);
	count = dwarf_getscopes_die(&innermost, scopes);
	return count > 0 ? count : 0;
}

static bool is_function(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram;
}

/* By debug information; 0: there is none. frames[0] has the line. */
static size_t functions_find(struct source *source, Dwarf_Die *unit, uint64_t place,
			     struct source_frame *frames)
{
	Dwarf_Die *scopes = NULL;
	int scope_count = scopes_find(unit, place, &scopes);
	size_t count = 0;

	for (int index = 0; index < scope_count && count < SOURCE_INLINED_MOST; index++) {
		int tag = dwarf_tag(&scopes[index]);

		if (!is_function(tag))
			continue;
		die_name(source, &frames[count], &scopes[index]);
		frames[count++].inlined = tag == DW_TAG_inlined_subroutine;
		if (tag == DW_TAG_subprogram || count == SOURCE_INLINED_MOST)
			break;
		frames[count] = frames[count - 1];
		call_find(&frames[count], &scopes[index], unit);
	}
	free(scopes);
	return count;
}

/* The call lies before its return address. */
size_t source_find(struct source *source, const struct call_module *module, uint64_t address,
		   struct source_frame *frames)
{
	const struct opened *opened = module ? module_find(source, module) : NULL;
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit;
	size_t count;

	frames[0] = frame_begin(module, --address);
	if (!opened || !opened->session)
		return 1;
	unit = unit_find(opened->dwfl, address, &bias);
	line_find(&frames[0], unit, address - bias);
	count = functions_find(source, unit, address - bias, frames);
	if (count && frames[count - 1].function)
		return count;
	count += !count;
	frame_name(source, &frames[count - 1], symbols_find(&opened->symbols, address));
	return count;
}
