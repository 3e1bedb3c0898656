/* SPDX-License-Identifier: MIT */
/* Starting and stopping processes. */
#include "bench/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { SERVERS_MAX = 8, START_WAIT_MS = 10000 };

static struct server {
	pid_t pid;
	char *mount;
} servers[SERVERS_MAX];
static unsigned server_count;

pid_t process_start_to(const char *const argv[], const char *output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&actions);
	r = posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (r == 0 && strcmp(output, "/dev/null") != 0)
		r = posix_spawn_file_actions_adddup2(&actions, 1, 2);
	if (r == 0)
		r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		die("%s: %s", argv[0], strerror(r));
	return pid;
}

pid_t process_start(const char *const argv[])
{
	return process_start_to(argv, "/dev/null");
}

void process_wait(pid_t pid)
{
	int status;

	if (waitpid(pid ? pid : -1, &status, 0) < 0)
		die("waitpid: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		die("a process failed (status %d)", status);
}

static bool is_mounted(const char *mount, dev_t outside)
{
	struct stat st;

	return stat(mount, &st) == 0 && st.st_dev != outside;
}

static void wait_for_mount(const struct bench *bench, struct server *server, const char *log)
{
	struct stat st;
	char text[2048];

	if (stat(bench->directory, &st) < 0)
		die("%s: %s", bench->directory, strerror(errno));
	for (int i = 0; i < START_WAIT_MS; i++) {
		if (is_mounted(server->mount, st.st_dev))
			return;
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
			server->pid = 0;
			break;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	file_read(log, text, sizeof(text));
	skip("nothing can be mounted here: %s", text);
}

static const char *server_start(const struct bench *bench, const char *const argv[], char *mount)
{
	struct server *server = &servers[server_count];
	char *log = text_of("%s.log", mount);

	if (server_count == SERVERS_MAX)
		die("too many servers");
	server->mount = mount;
	server->pid = process_start_to(argv, log);
	server_count++;
	wait_for_mount(bench, server, log);
	free(log);
	return mount;
}

static char *make_folder(const struct bench *bench, const char *name)
{
	char *path = text_of("%s/%s", bench->directory, name);

	if (mkdir(path, 0755) < 0)
		die("%s: %s", path, strerror(errno));
	return path;
}

const char *server_sloth_at(const struct bench *bench, const char *home, const char *name)
{
	char *mount = make_folder(bench, name);
	const char *argv[] = { bench->slothd, "--mount", mount, NULL };

	if (setenv("SLOTH_HOME", home, 1) < 0)
		die("out of memory");
	return server_start(bench, argv, mount);
}

const char *server_sloth(const struct bench *bench)
{
	char *home = make_folder(bench, "home");
	const char *mount = server_sloth_at(bench, home, "sloth");

	free(home);
	return mount;
}

const char *server_hello(const struct bench *bench, const char *kind, const char *path, const char *content)
{
	char *mount = make_folder(bench, kind);
	const char *argv[] = { bench->hello_fs, kind, path, content, mount, NULL };

	return server_start(bench, argv, mount);
}

static void server_stop(struct server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGTERM);
		waitpid(server->pid, NULL, 0);
	}
	/* One that was killed leaves its mount behind. */
	if (geteuid() == 0)
		umount2(server->mount, MNT_DETACH | UMOUNT_NOFOLLOW);
	free(server->mount);
}

void server_stop_all(void)
{
	while (server_count)
		server_stop(&servers[--server_count]);
}
