/* SPDX-License-Identifier: MIT */
/*
 * execution.c - see execution.h. Keeps: what a function does before the C library's own is
 * async-signal-safe, allocates nothing, and changes its own stack and the table only, for the child
 * of a vfork(2) has its parent's memory.
 */
#include "execution.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* Arguments of execl(3) that need no memory but the stack's. */
#define ARGUMENTS_FEW 64
/* Settings of an environment that can be changed for a program. */
#define SETTINGS_MOST 1000
/* Stands for a path that is too long, before its last part: there is no such file. */
#define FOLDER_UNKNOWN "/..."

/* Before glibc 2.34 a program may have no dlsym(): nothing is interposed. */
#if !__GLIBC_PREREQ(2, 34)
void execution_open(struct table *own, const char *variable)
{
	(void)own;
	(void)variable;
}
#else
static struct table *table; /* NULL: nothing is told */
static const char *table_variable;
static char table_setting[128]; /* its value */
static const char *library;     /* the path of this module, as LD_PRELOAD has it; or NULL */

typedef int execv_fn(const char *path, char *const *argv);
typedef int execve_fn(const char *path, char *const *argv, char *const *envp);
typedef int fexecve_fn(int fd, char *const *argv, char *const *envp);
typedef int execveat_fn(int folder, const char *path, char *const *argv, char *const *envp,
			int flags);
typedef int spawn_fn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
		     const posix_spawnattr_t *attributes, char *const *argv, char *const *envp);

/* With numbers of 32 bits. */
#ifdef SYS_getresuid32
#define GETRESUID SYS_getresuid32
#define GETRESGID SYS_getresgid32
#else
#define GETRESUID SYS_getresuid
#define GETRESGID SYS_getresgid
#endif

/* ---- the C library's own ---- */

enum function { EXECV, EXECVE, EXECVP, EXECVPE, FEXECVE, EXECVEAT, SPAWN, SPAWNP, FUNCTIONS };

static const char *const names[FUNCTIONS] = {
	"execv",   "execve",   "execvp",      "execvpe",
	"fexecve", "execveat", "posix_spawn", "posix_spawnp",
};
static void *nexts[FUNCTIONS];

static void *next_of(enum function function)
{
	void *found = __atomic_load_n(&nexts[function], __ATOMIC_RELAXED);

	if (!found) {
		found = dlsym(RTLD_NEXT, names[function]);
		__atomic_store_n(&nexts[function], found, __ATOMIC_RELAXED);
	}
	return found;
}

/* ---- the program's environment ---- */

static const char *value_of(char *const *envp, const char *name)
{
	size_t length = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return NULL;
}

void execution_open(struct table *own, const char *variable)
{
	const char *setting = value_of(environ, variable);

	table = own;
	table_variable = variable;
	snprintf(table_setting, sizeof(table_setting), "%s", setting ? setting : "");
}

/* Before a child of a vfork(2) asks. */
static void __attribute__((constructor(102))) executions_prepare(void)
{
	Dl_info own;

	for (unsigned function = 0; function < FUNCTIONS; function++)
		next_of((enum function)function);
	if (dladdr(&table, &own) && own.dli_fname)
		library = own.dli_fname;
}

/*
 * Not the numbers that another preloaded library pretends. True if the effective ones are the
 * same.
 */
static bool user_read(struct table_execution *execution)
{
	uid_t user, effective, saved;
	gid_t group, effective_group, saved_group;

	syscall(GETRESUID, &user, &effective, &saved);
	syscall(GETRESGID, &group, &effective_group, &saved_group);
	execution->user = user;
	execution->group = group;
	return user == effective && group == effective_group;
}

static enum table_lack lack_of(char *const *envp, bool is_trusted)
{
	const char *preloaded = value_of(envp, "LD_PRELOAD");
	const char *setting = value_of(envp, table_variable);

	if (!preloaded || (library && !strstr(preloaded, library)) || !setting)
		return TABLE_LACKS_SETTINGS;
	if (*table_setting && strcmp(setting, table_setting) != 0)
		return TABLE_LACKS_OWN_TABLE;
	if (!is_trusted)
		return TABLE_LACKS_TRUST;
	if (library && syscall(SYS_faccessat, AT_FDCWD, library, R_OK))
		return TABLE_LACKS_LIBRARY;
	return TABLE_LACKS_NOTHING;
}

/* ---- the program ---- */

struct program {
	int folder;       /* of a relative path, or the program itself if the path is empty */
	const char *path; /* or a name */
	bool searched;    /* in PATH, if it has no '/' */
};

/* True if it had room. */
static bool text_add(char *text, size_t *length, const char *more, size_t count)
{
	bool fits = *length + count < TABLE_PATH;

	if (fits)
		memcpy(text + *length, more, count);
	*length += fits ? count : 0;
	text[*length] = '\0';
	return fits;
}

/* What a descriptor, or AT_FDCWD, is open for. */
static size_t folder_read(char *text, int folder)
{
	char link[32] = "/proc/self/cwd";
	long length;

	if (folder != AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
	length = syscall(SYS_readlinkat, AT_FDCWD, link, text, TABLE_PATH - 1);
	return length > 0 ? (size_t)length : 0;
}

static bool path_write(char *text, const struct program *program)
{
	bool searched = program->searched && !strchr(program->path, '/');
	size_t length = searched || *program->path == '/' ? 0 : folder_read(text, program->folder);

	return (!length || !*program->path || text_add(text, &length, "/", 1)) &&
	       text_add(text, &length, program->path, strlen(program->path));
}

static void program_write(char *text, const struct program *program)
{
	const char *last = strrchr(program->path, '/');
	size_t length = 0;

	if (path_write(text, program))
		return;
	last = last ? last + 1 : program->path;
	text_add(text, &length, FOLDER_UNKNOWN "/", sizeof(FOLDER_UNKNOWN));
	text_add(text, &length, last, strnlen(last, TABLE_PATH - 1 - length));
}

/* ---- telling ---- */

struct note {
	struct table_slot *slot; /* NULL: nothing is told */
	enum table_state before;
	bool is_out_of_reach; /* the library */
};

/* True unless a program passes what is no address, which the system call then refuses. */
static bool is_readable(const void *address)
{
	return syscall(SYS_faccessat, AT_FDCWD, address, F_OK) == 0 || errno != EFAULT;
}

/* pid: as table_execute() has it. */
static struct note note_make(pid_t pid, const struct program *program, char *const *envp)
{
	struct note note = {.slot = NULL};
	struct table_execution *execution;
	int saved = errno;

	if (table && is_readable(program->path) && (!envp || is_readable(envp)))
		note.slot = table_execute(table, pid);
	if (!note.slot) {
		errno = saved;
		return note;
	}
	note.before = table_state(note.slot);
	execution = &note.slot->execution;
	execution->lack = lack_of(envp, user_read(execution));
	note.is_out_of_reach = execution->lack == TABLE_LACKS_LIBRARY;
	snprintf(execution->caller, sizeof(execution->caller), "%s", program_invocation_short_name);
	program_write(execution->path, program);
	table_state_set(note.slot, TABLE_EXECUTES);
	errno = saved;
	return note;
}

/* The call failed. */
static void note_take_back(const struct note *note)
{
	if (!note->slot)
		return;
	if (note->before == TABLE_EMPTY)
		table_execute_cancel(table, note->slot);
	else
		table_state_set(note->slot, note->before);
}

/*
 * The environment of a program that is executed. One that cannot load the library is not asked to,
 * if room has place for all others: the dynamic linker would complain on its standard error.
 */
static char *const *settings_for(const struct note *note, char *const *envp, char **room)
{
	const char *preloaded = note->is_out_of_reach ? value_of(envp, "LD_PRELOAD") : NULL;
	size_t count = 0;

	if (!preloaded || strcmp(preloaded, library) != 0)
		return envp;
	for (char *const *setting = envp; *setting; setting++) {
		if (*setting + sizeof("LD_PRELOAD") == preloaded)
			continue;
		if (count == SETTINGS_MOST)
			return envp;
		room[count++] = *setting;
	}
	room[count] = NULL;
	return room;
}

static struct note note_make_own(const char *path, bool searched, char *const *envp)
{
	return note_make(table ? getpid() : 0, &(struct program){AT_FDCWD, path, searched}, envp);
}

/* ---- exec ---- */

EXPORT int execve(const char *path, char *const *argv, char *const *envp)
{
	execve_fn *next = (execve_fn *)next_of(EXECVE);
	struct note note = note_make_own(path, false, envp);
	char *room[SETTINGS_MOST + 1];
	int result = next(path, argv, settings_for(&note, envp, room));

	note_take_back(&note);
	return result;
}

EXPORT int execvpe(const char *name, char *const *argv, char *const *envp)
{
	execve_fn *next = (execve_fn *)next_of(EXECVPE);
	struct note note = note_make_own(name, true, envp);
	char *room[SETTINGS_MOST + 1];
	int result = next(name, argv, settings_for(&note, envp, room));

	note_take_back(&note);
	return result;
}

EXPORT int execv(const char *path, char *const *argv)
{
	execv_fn *next = (execv_fn *)next_of(EXECV);
	struct note note = note_make_own(path, false, environ);
	char *room[SETTINGS_MOST + 1], *const *envp = settings_for(&note, environ, room);
	int result = envp == environ ? next(path, argv)
				     : ((execve_fn *)next_of(EXECVE))(path, argv, envp);

	note_take_back(&note);
	return result;
}

EXPORT int execvp(const char *name, char *const *argv)
{
	execv_fn *next = (execv_fn *)next_of(EXECVP);
	struct note note = note_make_own(name, true, environ);
	char *room[SETTINGS_MOST + 1], *const *envp = settings_for(&note, environ, room);
	int result = envp == environ ? next(name, argv)
				     : ((execve_fn *)next_of(EXECVPE))(name, argv, envp);

	note_take_back(&note);
	return result;
}

EXPORT int fexecve(int fd, char *const *argv, char *const *envp)
{
	fexecve_fn *next = (fexecve_fn *)next_of(FEXECVE);
	const struct program program = {fd, "", false};
	struct note note = note_make(table ? getpid() : 0, &program, envp);
	char *room[SETTINGS_MOST + 1];
	int result = next(fd, argv, settings_for(&note, envp, room));

	note_take_back(&note);
	return result;
}

EXPORT int execveat(int folder, const char *path, char *const *argv, char *const *envp, int flags)
{
	execveat_fn *next = (execveat_fn *)next_of(EXECVEAT);
	const struct program program = {folder, path, false};
	struct note note = note_make(table ? getpid() : 0, &program, envp);
	char *room[SETTINGS_MOST + 1];
	int result = next(folder, path, argv, settings_for(&note, envp, room), flags);

	note_take_back(&note);
	return result;
}

/* ---- exec with a list of arguments ---- */

/* The arguments as an array. */
struct list {
	char *few[ARGUMENTS_FEW];
	char **all;
	size_t size; /* of a mapping, or 0 */
};

/* With the NULL that ends them. */
static size_t arguments_count(const char *first, va_list *arguments)
{
	size_t count = 1;

	for (; first; count++)
		first = va_arg(*arguments, const char *);
	return count;
}

/* False with errno. */
static bool list_room(struct list *list, size_t count)
{
	list->all = list->few;
	list->size = 0;
	if (count <= ARGUMENTS_FEW)
		return true;
	list->size = count * sizeof(char *);
	list->all =
		mmap(NULL, list->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return list->all != MAP_FAILED;
}

/* There is room for all. */
static void list_fill(struct list *list, const char *first, va_list *arguments)
{
	size_t count = 0;

	for (; first; first = va_arg(*arguments, const char *))
		list->all[count++] = (char *)(uintptr_t)first;
	list->all[count] = NULL;
}

/* After a call that failed. */
static int list_release(const struct list *list, int result)
{
	int saved = errno;

	if (list->size)
		munmap(list->all, list->size);
	errno = saved;
	return result;
}

/* Reads them up to the NULL. False with errno. */
static bool list_make(struct list *list, const char *first, va_list *arguments)
{
	va_list counted;
	size_t count;

	va_copy(counted, *arguments);
	count = arguments_count(first, &counted);
	va_end(counted);
	if (!list_room(list, count))
		return false;
	list_fill(list, first, arguments);
	return true;
}

EXPORT int execl(const char *path, const char *first, ...)
{
	va_list arguments;
	struct list list;
	bool made;

	va_start(arguments, first);
	made = list_make(&list, first, &arguments);
	va_end(arguments);
	return made ? list_release(&list, execv(path, list.all)) : -1;
}

EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list arguments;
	struct list list;
	bool made;

	va_start(arguments, first);
	made = list_make(&list, first, &arguments);
	va_end(arguments);
	return made ? list_release(&list, execvp(name, list.all)) : -1;
}

/* The environment follows the NULL. */
EXPORT int execle(const char *path, const char *first, ...)
{
	char *const *envp = NULL;
	va_list arguments;
	struct list list;
	bool made;

	va_start(arguments, first);
	made = list_make(&list, first, &arguments);
	if (made)
		envp = va_arg(arguments, char *const *);
	va_end(arguments);
	return made ? list_release(&list, execve(path, list.all, envp)) : -1;
}

/* ---- posix_spawn ---- */

struct spawn {
	const posix_spawn_file_actions_t *actions;
	const posix_spawnattr_t *attributes;
	char *const *argv, *const *envp;
};

static int spawn_tell(enum function function, pid_t *child, const char *path,
		      const struct spawn *spawn)
{
	spawn_fn *next = (spawn_fn *)next_of(function);
	struct note note =
		note_make(0, &(struct program){AT_FDCWD, path, function == SPAWNP}, spawn->envp);
	char *room[SETTINGS_MOST + 1];
	pid_t own = 0;
	int error = next(&own, path, spawn->actions, spawn->attributes, spawn->argv,
			 settings_for(&note, spawn->envp, room));

	if (error)
		note_take_back(&note);
	else if (note.slot)
		table_execute_child(table, note.slot, own);
	if (!error && child)
		*child = own;
	return error;
}

EXPORT int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const *argv, char *const *envp)
{
	return spawn_tell(SPAWN, child, path, &(struct spawn){actions, attributes, argv, envp});
}

EXPORT int posix_spawnp(pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const *argv, char *const *envp)
{
	return spawn_tell(SPAWNP, child, name, &(struct spawn){actions, attributes, argv, envp});
}
#endif
