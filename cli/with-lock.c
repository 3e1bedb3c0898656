/* SPDX-License-Identifier: MIT */
/* with-lock: runs a command while stacks or named locks are locked for it, and no longer. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"

enum { LOCKS_MAX = 64, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

const struct option with_lock_options[] = {
	{ "reason", 'r', "TEXT", "why; others will read it" },
	{ "operation", 0, "NAME", "what is being done" },
	{ "wait", 'w', "TIME", "wait up to this time for another holder (not at all)" },
	{ "shared", 's', NULL, "beside others who share it" },
	{ NULL },
};

const char with_lock_more[] =
	"LOCKS are stacks or named locks (locks/NAME) with commas between them: all are locked, or none. The "
	"locks\n"
	"end with this process, however it ends; then the command is sent SIGTERM. The command has\n"
	"SLOTH_LOCK_TOKEN (of the first), SLOTH_STACK and SLOTH_LOCKS in its environment: what it changes "
	"when the\n"
	"lock was taken away meanwhile is refused. The exit status is the command's: 127 when it is not "
	"found, 126\n"
	"when it can't be executed.";

/* "prod,locks/db" as paths of the tree. */
static int paths_of(struct command *command, const char *text, json_t **ret_paths)
{
	CLEANUP(cleanup_free) char *copy = strdup(text);
	json_auto_t *paths = json_array();
	char *rest = copy;

	if (!copy || !paths)
		return -ENOMEM;
	for (char *word; (word = strsep(&rest, ","));) {
		const char *name = strncmp(word, "locks/", 6) && strncmp(word, "stacks/", 7)
					   ? word
					   : strchr(word, '/') + 1;
		char path[NAME_SIZE + 16];

		if (name_check(name) < 0)
			return fault_set(&command->fault, EINVAL,
				"\"%s\": what is locked is a stack, or locks/NAME, with commas between "
				"several",
				word);
		snprintf(path, sizeof(path), "%s/%s", !strncmp(word, "locks/", 6) ? "locks" : "stacks", name);
		json_array_append_new(paths, json_string(path));
	}
	if (json_array_size(paths) > LOCKS_MAX)
		return fault_set(&command->fault, EINVAL, "at most %d are locked at once", LOCKS_MAX);
	*ret_paths = json_incref(paths);
	return 0;
}

/* The lock belongs to an open file of our connection: it goes when we do. */
static int lock(struct command *command, json_t *paths)
{
	int64_t handle, wait_ms = -1;
	const char *reason = command_option(command, "reason");
	const char *operation = command_option(command, "operation");
	int r = command_duration(command, "wait", &wait_ms);

	if (r < 0)
		return r;
	if (!command_client(command))
		return -command->fault.code;
	r = client_file_open(
		&command->client, "/locks/ctl", json_pack("[s]", "read"), &command->fault, &handle);
	if (r < 0)
		return r;
	return client_call(&command->client, "flock",
		json_pack("{s:I, s:s, s:b, s:O, s:s, s:s, s:I}", "handle", (json_int_t)handle, "lock",
			command_flag(command, "shared") ? "shared" : "exclusive", "nonblock", wait_ms <= 0,
			"paths", paths, "reason", reason ? reason : "", "operation",
			operation ? operation : "with-lock", "wait_ms",
			(json_int_t)(wait_ms > 0 ? wait_ms : 0)),
		NULL, 0, &command->fault, NULL);
}

static int token_of(struct command *command, const char *path, int64_t *ret_token)
{
	CLEANUP(cleanup_free) char *file = NULL;
	json_auto_t *value = NULL;
	int r;

	if (asprintf(&file, "/%s%s", path, !strncmp(path, "stacks/", 7) ? "/lock.json" : ".json") < 0) {
		file = NULL;
		return -ENOMEM;
	}
	r = tree_json(command, file, &value);
	if (r == 0)
		*ret_token = json_integer_value(json_object_get(value, "token"));
	return r;
}

/* SLOTH_LOCKS="stacks/prod=7 locks/db=3"; of the first also SLOTH_LOCK_TOKEN and, if it is a stack,
 * SLOTH_STACK. */
static int set_environment(struct command *command, const json_t *paths)
{
	CLEANUP(buffer_done) struct buffer all = { 0 };
	json_t *path;
	size_t i;

	json_array_foreach (paths, i, path) {
		const char *name = json_string_value(path);
		char text[NAME_SIZE + 64], number[32];
		int64_t token = 0;
		int r = token_of(command, name, &token);

		snprintf(number, sizeof(number), "%lld", (long long)token);
		snprintf(text, sizeof(text), "%s%s=%s", i ? " " : "", name, number);
		r = r < 0 ? r : buffer_append_text(&all, text);
		if (r < 0)
			return r;
		if (i > 0)
			continue;
		setenv("SLOTH_LOCK_TOKEN", number, 1);
		if (!strncmp(name, "stacks/", 7))
			setenv("SLOTH_STACK", name + 7, 1);
		else
			unsetenv("SLOTH_STACK");
	}
	setenv("SLOTH_LOCKS", buffer_text(&all), 1);
	return 0;
}

static pid_t child; /* for the signal's handler */

static void pass_on(int number)
{
	if (child > 0)
		kill(child, number);
}

/* What a terminal sends reaches the command by itself. */
static void handle_signals(void)
{
	static const int passed[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
	struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		sigaction(passed[i], &action, NULL);
}

static void become(char **words, pid_t parent)
{
	int error;

	/* Killed ourselves, the lock is gone: the command shall not go on as if it had it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(128 + SIGTERM);
	execvp(words[0], words);
	error = errno;
	fprintf(stderr, "sloth: %s: %s\n", words[0], strerror(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Until the command ends. The daemon's end is told, because the lock goes with it. */
static int wait_for_command(struct command *command, int *ret_status)
{
	CLEANUP(cleanup_fd) int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
		{ .fd = command->client.fd, .events = POLLIN } };

	while (pidfd >= 0 && !(fds[0].revents & POLLIN)) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].fd >= 0 && fds[1].revents) {
			print_warning("the daemon is gone, and the lock with it: changes by the command are "
				      "refused");
			fds[1].fd = -1;
			fds[1].revents = 0;
		}
	}
	while (waitpid(child, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* As if it were the command: also of the signal that killed it. */
static int exit_like(int status)
{
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	signal(WTERMSIG(status), SIG_DFL);
	prctl(PR_SET_DUMPABLE, 0); /* one core is enough */
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int with_lock_run(struct command *command)
{
	json_auto_t *paths = NULL;
	pid_t self = getpid();
	int status = 0, r = paths_of(command, command->operands[0], &paths);

	r = r < 0 ? r : lock(command, paths);
	r = r < 0 ? r : set_environment(command, paths);
	if (r < 0)
		return r;
	fflush(NULL);
	child = fork();
	if (child == 0)
		become(command->operands + 1, self);
	if (child < 0)
		return fault_set(&command->fault, errno, "the command can't be started: %s", strerror(errno));
	handle_signals();
	r = wait_for_command(command, &status);
	client_close(&command->client);
	return r < 0 ? r : exit_like(status);
}
