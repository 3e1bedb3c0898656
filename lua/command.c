/* SPDX-License-Identifier: MIT */
/* How a command becomes a process: with a shell or without, which program, which environment. */
#include "lua/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lua/account.h"
#include "lua/environment.h"
#include "lua/runner.h"
#include "lua/scope.h"
#include "lua/spawn.h"

/* What the shell itself does, or does differently from the program of that name. */
static const char *const shell_words[] = { ".", ":", "alias", "bg", "break", "builtin", "case", "cd",
	"command", "continue", "do", "done", "elif", "else", "esac", "eval", "exec", "exit", "export", "fc",
	"fg", "fi", "for", "function", "getopts", "hash", "if", "in", "jobs", "let", "local", "read",
	"readonly", "return", "select", "set", "shift", "source", "then", "time", "times", "trap", "type",
	"typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while" };

bool command_is_simple(const char *text)
{
	size_t size;

	if (strpbrk(text, "|&;<>()$`\\\"'*?[]#~=%!{}\n\r"))
		return false;
	text += strspn(text, " \t");
	size = strcspn(text, " \t");
	if (size == 0)
		return false;
	for (size_t i = 0; i < sizeof(shell_words) / sizeof(shell_words[0]); i++)
		if (strlen(shell_words[i]) == size && !strncmp(shell_words[i], text, size))
			return false;
	/* echo's options are another matter in every shell. */
	return !(size == 4 && !strncmp(text, "echo", 4) && strstr(text, " -"));
}

/* The words of a simple command; the pointers are into `copy`, the array is malloc'ed. */
static char **split_words(char *copy)
{
	char **words = malloc((strlen(copy) / 2 + 2) * sizeof(*words)), *rest;
	size_t count = 0;

	if (!words)
		return NULL;
	for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	words[count] = NULL;
	return words;
}

/* The last program that was found: workflows call the same few again and again, along a PATH that may be
 * long. */
static struct {
	char name[64], path[1024], file[512];
} found;

static bool was_found(const char *name, const char *path, char *ret_file, size_t size)
{
	if (!path || strcmp(found.name, name) != 0 || strcmp(found.path, path) != 0 ||
		access(found.file, X_OK) < 0)
		return false;
	return (size_t)snprintf(ret_file, size, "%s", found.file) < size;
}

static void keep_found(const char *name, const char *path, const char *file)
{
	if (strlen(name) >= sizeof(found.name) || strlen(path) >= sizeof(found.path) ||
		strlen(file) >= sizeof(found.file))
		return;
	strcpy(found.name, name);
	strcpy(found.path, path);
	strcpy(found.file, file);
}

/* Where a program is, as execvp(3) looks for it. 0, -ENOENT, -EACCES, -ENAMETOOLONG. */
static int find_program(const char *name, const char *path, char *ret_file, size_t size)
{
	const char *all = path;
	int r = -ENOENT;

	if (strchr(name, '/'))
		return (size_t)snprintf(ret_file, size, "%s", name) < size ? 0 : -ENAMETOOLONG;
	if (was_found(name, path, ret_file, size))
		return 0;
	while (path && *path) {
		size_t n = strcspn(path, ":");
		struct stat st;

		if ((size_t)snprintf(ret_file, size, "%.*s/%s", n ? (int)n : 1, n ? path : ".", name) <
				size &&
			stat(ret_file, &st) == 0 && S_ISREG(st.st_mode)) {
			if (access(ret_file, X_OK) == 0) {
				keep_found(name, all, ret_file);
				return 0;
			}
			r = -EACCES;
		}
		path += n + (path[n] == ':');
	}
	return r;
}

void cleanup_pipes(struct pipes *pipes)
{
	int *ends[] = { pipes->in, pipes->out, pipes->err };

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 2; j++)
			if (ends[i][j] >= 0)
				close(ends[i][j]);
}

int pipes_open(struct pipes *pipes, bool input)
{
	if (pipe2(pipes->out, O_CLOEXEC) < 0 || pipe2(pipes->err, O_CLOEXEC) < 0 ||
		(input && pipe2(pipes->in, O_CLOEXEC) < 0))
		return -errno;
	fcntl(pipes->out[0], F_SETFL, O_NONBLOCK);
	fcntl(pipes->err[0], F_SETFL, O_NONBLOCK);
	if (input)
		fcntl(pipes->in[1], F_SETFL, O_NONBLOCK);
	return 0;
}

static int spawn_failed(enum spawn_step step, int error, const char *program, const char *workdir,
	const struct account *account, struct fault *fault)
{
	struct stat st;

	if (step == SPAWN_USER)
		return fault_set(
			fault, -error, "can't become user '%s': %s", account->name, strerror(-error));
	if (step == SPAWN_WORKDIR && account && error == -EACCES)
		return fault_set(fault, EACCES, "user '%s' may not enter the working directory %s",
			account->name, workdir);
	if (step == SPAWN_WORKDIR && (stat(workdir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return fault_set(fault, -error, "the working directory %s does not exist", workdir);
	if (step == SPAWN_WORKDIR)
		return fault_set(fault, -error, "the working directory %s: %s", workdir, strerror(-error));
	if (error == -ENOENT)
		return fault_set(fault, ENOENT, "%s: command not found", program);
	return fault_set(fault, -error, "%s: %s", program, strerror(-error));
}

/* What login(1) would set for the user that a command runs as: four lines in one piece of memory. */
static const char **account_environment(const struct account *account)
{
	const char *const lines[][2] = { { "HOME", account->home }, { "USER", account->name },
		{ "LOGNAME", account->name }, { "SHELL", account->shell } };
	enum { LINES = sizeof(lines) / sizeof(lines[0]) };
	size_t size = 0;
	const char **strings;
	char *text;

	for (int i = 0; i < LINES; i++)
		size += strlen(lines[i][0]) + strlen(lines[i][1]) + 2;
	strings = malloc((LINES + 1) * sizeof(*strings) + size);
	if (!strings)
		return NULL;
	text = (char *)(strings + LINES + 1);
	for (int i = 0; i < LINES; i++) {
		strings[i] = text;
		text += sprintf(text, "%s=%s", lines[i][0], lines[i][1]) + 1;
	}
	strings[LINES] = NULL;
	return strings;
}

/* Its own directory must be of use to the user that a task runs as: only root's runs come here. That user has
 * been in it, maybe: links on the way are not followed. */
static void open_way(struct runner *runner, const char *workdir, const struct account *account)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	CLEANUP(cleanup_fd) int base = -1;
	CLEANUP(cleanup_fd) int fd = -1;
	size_t length = strlen(runner->workdir);
	struct stat st;

	if (!workdir || strncmp(workdir, runner->workdir, length) != 0 || workdir[length] != '/')
		return;
	base = open(runner->workdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base >= 0 && fstat(base, &st) == 0 && !(st.st_mode & S_IXOTH))
		fchmod(base, (st.st_mode & 07777) | S_IXOTH);
	if (base >= 0)
		fd = (int)syscall(SYS_openat2, base, workdir + length + 1, &how, sizeof(how));
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
		fchown(fd, account->rights.uid, account->rights.gid) < 0)
		log_warning("%s: %s", workdir, strerror(errno));
}

/* The file for its outputs, which stands in a folder of ours. */
static void open_output(const char *output, const struct account *account)
{
	CLEANUP(cleanup_fd) int fd = open(output, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fchown(fd, account->rights.uid, account->rights.gid) < 0)
		log_warning("%s: %s", output, strerror(errno));
}

static int run_program(struct scope *scope, const struct command *command, struct spawn *wanted,
	const struct account *account, struct fault *fault, pid_t *ret_pid)
{
	char *shell[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command->text, NULL };
	const char *program = wanted->argv ? wanted->argv[0] : "/bin/sh";
	char file[4096] = "/bin/sh";
	enum spawn_step step = SPAWN_PROGRAM;
	int r = 0;

	if (account)
		open_way(scope->runner, wanted->workdir, account);
	if (account && scope->output)
		open_output(scope->output, account);
	wanted->file = file;
	if (wanted->argv)
		r = find_program(program, environment_get((const char *const *)wanted->envp, "PATH"), file,
			sizeof(file));
	else
		wanted->argv = shell;
	if (r == 0)
		r = spawn(wanted, ret_pid, &step);
	if (r == -ENOEXEC && command->text && wanted->argv != shell) {
		/* A script that does not say by what: the shell's business after all. */
		wanted->argv = shell;
		strcpy(file, "/bin/sh");
		r = spawn(wanted, ret_pid, &step);
	}
	return r < 0 ? spawn_failed(step, r, program, wanted->workdir, account, fault) : 0;
}

int command_spawn(struct scope *scope, const struct command *command, const struct pipes *pipes,
	struct fault *fault, pid_t *ret_pid)
{
	struct runner *runner = scope->runner;
	const char *user = command->user ? command->user : scope->user;
	const struct account *account = NULL;
	CLEANUP(cleanup_free) char *copy = NULL, **words = NULL;
	CLEANUP(cleanup_free) const char **envp = NULL, **login = NULL;
	struct spawn wanted = { .argv = command->arguments,
		.workdir = command->workdir,
		.fds = { pipes->in[0] >= 0 ? pipes->in[0] : runner->null_fd, pipes->out[1], pipes->err[1] },
		.cgroup = -1 };
	int r = user ? account_find(user, &account, fault) : 0;

	if (r < 0)
		return r;
	if (!wanted.argv && command_is_simple(command->text)) {
		copy = strdup(command->text);
		wanted.argv = words = copy ? split_words(copy) : NULL;
		if (!words)
			return fault_set(fault, ENOMEM, "not enough memory");
	}
	if (account) {
		wanted.user = &account->rights;
		login = account_environment(account);
	}
	envp = environment_make(&runner->environment,
		(const char *const *const[]){ (const char *const *)login, scope->env, command->env }, 3,
		scope->task, scope->try, scope->output);
	if (!envp || (account && !login))
		return fault_set(fault, ENOMEM, "not enough memory");
	wanted.envp = (char *const *)envp;
	scope_take_leaf(scope);
	if (scope->leaf)
		wanted.cgroup = scope->leaf->folder;
	return run_program(scope, command, &wanted, account, fault, ret_pid);
}
