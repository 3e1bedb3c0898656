/* SPDX-License-Identifier: MIT */
/* The command of a supervisor. */
#include "lua/supervise-command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"

enum { WORDS_MAX = 1024, SWEEPS_MAX = 500, SWEEP_US = 10000 };

static const char *text_of(const json_t *spec, const char *name)
{
	return json_string_value(json_object_get(spec, name));
}

/* In the child: everything until exec(2). What fails is told through the pipe. */
struct failure {
	int error;
	char step[32];
};

static void fail(int fd, const char *step)
{
	struct failure failure = { .error = errno };

	snprintf(failure.step, sizeof(failure.step), "%s", step);
	if (write(fd, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

static void set_environment(const json_t *spec, const struct passwd *user)
{
	const char *lang = getenv("LANG"), *name;
	CLEANUP(cleanup_free) char *kept = lang ? strdup(lang) : NULL;
	json_t *value;

	clearenv();
	setenv("HOME", user ? user->pw_dir : "/", 1);
	setenv("USER", user ? user->pw_name : "nobody", 1);
	setenv("LOGNAME", user ? user->pw_name : "nobody", 1);
	setenv("SHELL", user && *user->pw_shell ? user->pw_shell : "/bin/sh", 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LANG", kept ? kept : "C.UTF-8", 1);
	json_object_foreach ((json_t *)(uintptr_t)json_object_get(spec, "env"), name, value)
		if (json_is_string(value))
			setenv(name, json_string_value(value), 1);
}

static int become(const struct passwd *user)
{
	if (geteuid() != 0 && user->pw_uid == geteuid())
		return 0;
	if (initgroups(user->pw_name, user->pw_gid) < 0 ||
		setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0)
		return -1;
	return setresuid(user->pw_uid, user->pw_uid, user->pw_uid);
}

static void run(const json_t *spec, int log, const struct passwd *user, int fd)
{
	const char *argv[WORDS_MAX + 1] = { "/bin/sh", "-c", text_of(spec, "command"), NULL },
				     *folder = text_of(spec, "workdir");
	json_t *words = json_object_get(spec, "command");
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	for (size_t i = 0; json_is_array(words) && i < json_array_size(words) && i < WORDS_MAX; i++) {
		argv[i] = json_string_value(json_array_get(words, i));
		argv[i + 1] = NULL;
	}
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_environment(spec, user);
	if (text_of(spec, "user") && become(user) < 0)
		fail(fd, "its user");
	if (chdir(folder ? folder : "/") < 0)
		fail(fd, "its working directory");
	if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		fail(fd, "its output");
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	fail(fd, argv[0]);
}

int supervise_spawn(const json_t *spec, int log, pid_t *ret_pid, char *ret_text, size_t size)
{
	const char *name = text_of(spec, "user");
	struct passwd *user = name ? getpwnam(name) : getpwuid(geteuid());
	struct failure failure = { 0 };
	CLEANUP(cleanup_fd) int from = -1, to = -1;
	int ends[2];
	pid_t pid;
	ssize_t n;

	if (name && !user) {
		snprintf(ret_text, size, "there is no user '%s'", name);
		return -EINVAL;
	}
	if (pipe2(ends, O_CLOEXEC) < 0 || (from = ends[0], to = ends[1], pid = fork()) < 0) {
		snprintf(ret_text, size, "it can't be started: %s", strerror(errno));
		return -EAGAIN;
	}
	if (pid == 0)
		run(spec, log, user, to);
	close(take_fd(&to));
	while ((n = read(from, &failure, sizeof(failure))) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(failure)) {
		*ret_pid = pid;
		return 0;
	}
	waitpid(pid, NULL, 0);
	snprintf(ret_text, size, "it can't be started: %s: %s", failure.step, strerror(failure.error));
	return failure.error ? -failure.error : -EIO;
}

/* Sweeping. */

/* Our own children: nobody else takes their end, so that these numbers are nobody else's. What they have
 * started becomes ours then, for the next time. A number that was cut off at the end of the text is another
 * one. */
static int end_children(void)
{
	char path[64], text[16 << 10], *p, *end;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
	if (process_read_file(path, text, sizeof(text)) <= 0)
		return 0;
	for (p = text;; p = end) {
		pid_t pid = (pid_t)strtol(p, &end, 10);

		if (end == p || *end != ' ')
			return count;
		count++;
		kill(pid, SIGKILL);
	}
}

void supervise_sweep(void)
{
	for (int i = 0; i < SWEEPS_MAX; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (end_children() == 0)
			return;
		usleep(SWEEP_US);
	}
}
