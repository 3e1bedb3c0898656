/* SPDX-License-Identifier: MIT */
/* How a command becomes a process: with a shell or without, which program, which environment. */
#include "lua/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
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

static int spawn_failed(int error, const char *program, const char *workdir, struct fault *fault)
{
	struct stat st;

	if (workdir && (stat(workdir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return fault_set(fault, -error, "the working directory %s does not exist", workdir);
	if (error == -ENOENT)
		return fault_set(fault, ENOENT, "%s: command not found", program);
	return fault_set(fault, -error, "%s: %s", program, strerror(-error));
}

int command_spawn(struct scope *scope, const struct command *command, const struct pipes *pipes,
	struct fault *fault, pid_t *ret_pid)
{
	struct runner *runner = scope->runner;
	CLEANUP(cleanup_free) char *copy = NULL, **words = NULL;
	CLEANUP(cleanup_free) const char **envp = NULL;
	char *shell[] = { "sh", "-c", (char *)command->text, NULL };
	char *const *argv = command->arguments;
	char file[4096];
	int r;

	if (!argv && command_is_simple(command->text)) {
		copy = strdup(command->text);
		argv = words = copy ? split_words(copy) : NULL;
		if (!words)
			return fault_set(fault, ENOMEM, "not enough memory");
	}
	envp = environment_make(
		&runner->environment, scope->env, command->env, scope->task, scope->try, scope->output);
	if (!envp)
		return fault_set(fault, ENOMEM, "not enough memory");
	if (argv) {
		r = find_program(argv[0], environment_get(envp, "PATH"), file, sizeof(file));
	} else {
		argv = shell;
		strcpy(file, "/bin/sh");
		r = 0;
	}
	if (r == 0)
		r = spawn(&(struct spawn){ .file = file,
				  .argv = argv,
				  .envp = (char *const *)envp,
				  .workdir = command->workdir,
				  .fds = { pipes->in[0] >= 0 ? pipes->in[0] : runner->null_fd, pipes->out[1],
					  pipes->err[1] },
				  .cgroup = -1 },
			ret_pid);
	return r < 0 ? spawn_failed(r, argv[0], command->workdir, fault) : 0;
}
