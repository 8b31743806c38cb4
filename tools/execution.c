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
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"
#include "setting.h"

#define EXPORT __attribute__((visibility("default")))
/* Stands for a path that is too long, before its last part: there is no such file. */
#define FOLDER_UNKNOWN "/..."

/* Before glibc 2.34 a program may have no dlsym(): nothing is interposed. */
#if !__GLIBC_PREREQ(2, 34)
void execution_open(const struct table_view *own, const char *variable)
{
	(void)own;
	(void)variable;
}
#else
static const struct table_view *view; /* NULL: nothing is told */
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

/*
 * Only calls that programs make as they begin, where the machine has them: a filter that lets a
 * program execute others allows them, too. Numbers of users have 32 bits.
 */
#ifdef SYS_getuid32
#define GETUID SYS_getuid32
#define GETEUID SYS_geteuid32
#define GETGID SYS_getgid32
#define GETEGID SYS_getegid32
#else
#define GETUID SYS_getuid
#define GETEUID SYS_geteuid
#define GETGID SYS_getgid
#define GETEGID SYS_getegid
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

void execution_open(const struct table_view *own, const char *variable)
{
	const char *setting = setting_find(variable);

	view = own->table ? own : NULL;
	table_variable = variable;
	snprintf(table_setting, sizeof(table_setting), "%s", setting ? setting : "");
}

/* Before a child of a vfork(2) asks. */
static void __attribute__((constructor(102))) executions_prepare(void)
{
	Dl_info own;

	for (unsigned function = 0; function < FUNCTIONS; function++)
		next_of((enum function)function);
	if (dladdr(&view, &own) && own.dli_fname)
		library = own.dli_fname;
}

/*
 * Not the numbers that another preloaded library pretends. True if the effective ones are the
 * same.
 */
static bool user_read(struct table_execution *execution)
{
	execution->user = (uint32_t)syscall(GETUID);
	execution->group = (uint32_t)syscall(GETGID);
	return execution->user == (uint32_t)syscall(GETEUID) &&
	       execution->group == (uint32_t)syscall(GETEGID);
}

/*
 * True if the dynamic linker of the program will not open the library. access(2) alone does not
 * know of Landlock's rules, and open(2) not that a program has fewer capabilities; a filter may
 * refuse either, with any error. Descriptors may be exhausted here.
 */
static bool library_is_out_of_reach(void)
{
	long fd = syscall(SYS_openat, AT_FDCWD, library, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno != EMFILE && errno != ENFILE;
	syscall(SYS_close, fd);
	return preload_access(library, R_OK) && errno == EACCES;
}

static enum table_lack lack_of(char *const *envp, bool is_trusted)
{
	const char *preloaded = preload_setting(envp, "LD_PRELOAD");
	const char *setting = preload_setting(envp, table_variable);

	if (!preloaded || (library && !strstr(preloaded, library)) || !setting)
		return TABLE_LACKS_SETTINGS;
	if (*table_setting && strcmp(setting, table_setting) != 0)
		return TABLE_LACKS_OWN_TABLE;
	if (!is_trusted)
		return TABLE_LACKS_TRUST;
	if (library && library_is_out_of_reach())
		return TABLE_LACKS_LIBRARY;
	if (!table_is_handed_down(setting))
		return TABLE_LACKS_TABLE;
	return TABLE_LACKS_NOTHING;
}

/* ---- the program ---- */

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

static bool path_write(char *text, const struct preload_program *program)
{
	bool searched = program->searched && !strchr(program->path, '/');
	size_t length = searched || *program->path == '/' ? 0 : folder_read(text, program->folder);

	return (!length || !*program->path || text_add(text, &length, "/", 1)) &&
	       text_add(text, &length, program->path, strlen(program->path));
}

static void program_write(char *text, const struct preload_program *program)
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
	bool is_out_of_reach; /* the library, or of another class */
};

/* True unless a program passes what is no address, which the system call then refuses. */
static bool is_readable(const void *address)
{
	return preload_access(address, F_OK) == 0 || errno != EFAULT;
}

/* pid: as table_execute() has it. */
static struct note note_make(pid_t pid, const struct preload_program *program, char *const *envp)
{
	struct note note = {.slot = NULL};
	struct table_execution *execution;
	int saved = errno;

	if (view && is_readable(program->path) && (!envp || is_readable(envp)))
		note.slot = table_execute(view, pid);
	if (!note.slot) {
		errno = saved;
		return note;
	}
	note.before = table_state(note.slot);
	execution = &note.slot->execution;
	execution->lack = lack_of(envp, user_read(execution));
	note.is_out_of_reach =
		execution->lack == TABLE_LACKS_LIBRARY || preload_is_foreign(program);
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
		table_execute_cancel(view, note->slot);
	else
		table_state_set(note->slot, note->before);
}

/* The environment of a program that is executed. */
static char *const *settings_for(const struct note *note, char *const *envp,
				 struct preload_room *room)
{
	return note->is_out_of_reach && library ? preload_without(envp, library, room) : envp;
}

static struct note note_make_own(const char *path, bool searched, char *const *envp)
{
	return note_make(view ? getpid() : 0, &(struct preload_program){AT_FDCWD, path, searched},
			 envp);
}

/* ---- exec ---- */

EXPORT int execve(const char *path, char *const *argv, char *const *envp)
{
	execve_fn *next = (execve_fn *)next_of(EXECVE);
	struct note note = note_make_own(path, false, envp);
	struct preload_room room;
	int result = next(path, argv, settings_for(&note, envp, &room));

	note_take_back(&note);
	return result;
}

EXPORT int execvpe(const char *name, char *const *argv, char *const *envp)
{
	execve_fn *next = (execve_fn *)next_of(EXECVPE);
	struct note note = note_make_own(name, true, envp);
	struct preload_room room;
	int result = next(name, argv, settings_for(&note, envp, &room));

	note_take_back(&note);
	return result;
}

EXPORT int execv(const char *path, char *const *argv)
{
	execv_fn *next = (execv_fn *)next_of(EXECV);
	struct note note = note_make_own(path, false, environ);
	struct preload_room room;
	char *const *envp = settings_for(&note, environ, &room);
	int result = envp == environ ? next(path, argv)
				     : ((execve_fn *)next_of(EXECVE))(path, argv, envp);

	note_take_back(&note);
	return result;
}

EXPORT int execvp(const char *name, char *const *argv)
{
	execv_fn *next = (execv_fn *)next_of(EXECVP);
	struct note note = note_make_own(name, true, environ);
	struct preload_room room;
	char *const *envp = settings_for(&note, environ, &room);
	int result = envp == environ ? next(name, argv)
				     : ((execve_fn *)next_of(EXECVPE))(name, argv, envp);

	note_take_back(&note);
	return result;
}

EXPORT int fexecve(int fd, char *const *argv, char *const *envp)
{
	fexecve_fn *next = (fexecve_fn *)next_of(FEXECVE);
	const struct preload_program program = {fd, "", false};
	struct note note = note_make(view ? getpid() : 0, &program, envp);
	struct preload_room room;
	int result = next(fd, argv, settings_for(&note, envp, &room));

	note_take_back(&note);
	return result;
}

EXPORT int execveat(int folder, const char *path, char *const *argv, char *const *envp, int flags)
{
	execveat_fn *next = (execveat_fn *)next_of(EXECVEAT);
	const struct preload_program program = {folder, path, false};
	struct note note = note_make(view ? getpid() : 0, &program, envp);
	struct preload_room room;
	int result = next(folder, path, argv, settings_for(&note, envp, &room), flags);

	note_take_back(&note);
	return result;
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
	struct note note = note_make(
		0, &(struct preload_program){AT_FDCWD, path, function == SPAWNP}, spawn->envp);
	struct preload_room room;
	pid_t own = 0;
	int error = next(&own, path, spawn->actions, spawn->attributes, spawn->argv,
			 settings_for(&note, spawn->envp, &room));

	if (error)
		note_take_back(&note);
	else if (note.slot)
		table_execute_child(view, note.slot, own);
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
