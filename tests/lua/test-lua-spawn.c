/* SPDX-License-Identifier: MIT */
/* What a started process is given, and what its start may fail with. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lua/spawn.h"

static const char *const environment[] = { "PATH=/usr/bin:/bin", "WORD=given", NULL };

/* Runs a script; its output, and its status as of wait(2). */
static int run(const char *script, const struct spawn *like, char *ret_output, size_t size)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	struct spawn wanted = *like;
	CLEANUP(cleanup_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t done = 0;
	ssize_t n;
	enum spawn_step step;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	wanted.file = "/bin/sh";
	wanted.argv = argv;
	wanted.envp = (char *const *)(uintptr_t)environment;
	wanted.fds[0] = null;
	wanted.fds[1] = wanted.fds[2] = fds[1];
	assert_int_equal(spawn(&wanted, &pid, &step), 0);
	close(fds[1]);
	while (done < size - 1 && (n = read(fds[0], ret_output + done, size - 1 - done)) > 0)
		done += (size_t)n;
	ret_output[done] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void handler(int signal)
{
}

static void test_process(void **state)
{
	char output[4096];
	struct spawn plain = { .cgroup = -1, .workdir = "/usr/bin" };
	int status;

	/* As the spawner leaves them to a runner, whatever those who run this test ignore. */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	/* Ours are handled, ignored and blocked; its are not. What started this test may ignore some, too. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGTERM, handler);
	signal(SIGPIPE, SIG_IGN);
	status = run("echo $WORD; pwd; cat /proc/self/status | grep -E 'Sig(Blk|Ign|Cgt)'; "
		     "read -r pid rest </proc/self/stat; set -- $rest; [ \"$4\" = $$ ] && echo leads; ls "
		     "/proc/self/fd | wc -l",
		&plain, output, sizeof(output));
	assert_int_equal(status, 0);
	/* ls(1) opens the folder itself. */
	assert_string_equal(output, "given\n/usr/bin\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
				    "SigCgt:\t0000000000000000\nleads\n4\n");
	status = run("kill -PIPE $$", &plain, output, sizeof(output));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void test_refusals(void **state)
{
	char *const argv[] = { (char *)"x", NULL };
	const gid_t no_groups[] = { 65534 };
	const struct spawn_user other = { 65534, 65534, no_groups, 1 };
	struct spawn wanted = {
		.file = "/nowhere/x", .argv = argv, .envp = argv + 1, .fds = { 0, 1, 2 }, .cgroup = -1
	};
	enum spawn_step step;
	pid_t pid = 7;

	assert_int_equal(spawn(&wanted, &pid, &step), -ENOENT);
	wanted.file = "/etc/passwd";
	assert_int_equal(spawn(&wanted, &pid, &step), -EACCES);
	wanted.file = "/bin/true";
	assert_int_equal(step, SPAWN_PROGRAM);
	wanted.workdir = "/nowhere";
	assert_int_equal(spawn(&wanted, &pid, &step), -ENOENT);
	assert_int_equal(step, SPAWN_WORKDIR);
	wanted.workdir = NULL;
	wanted.fds[2] = 999;
	assert_int_equal(spawn(&wanted, &pid, &step), -EBADF);
	wanted.fds[2] = 2;
	if (geteuid() != 0) {
		wanted.user = &other;
		assert_int_equal(spawn(&wanted, &pid, &step), -EPERM);
	}
	assert_int_equal(pid, 7);
	/* Those that could not be are not left as zombies. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_user(void **state)
{
	const gid_t groups[] = { 7, 9 };
	const struct spawn_user user = { 65534, 65533, groups, 2 };
	struct spawn wanted = { .cgroup = -1, .user = &user };
	char output[256];

	if (geteuid() != 0)
		skip();
	assert_int_equal(run("id -u; id -g; id -G", &wanted, output, sizeof(output)), 0);
	assert_string_equal(output, "65534\n65533\n65533 7 9\n");
	assert_int_equal(geteuid(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_user),
	};

	close_range(3, ~0U, 0);
	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
