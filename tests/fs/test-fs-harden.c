/* SPDX-License-Identifier: MIT */
/* What the daemon and its jobs give up is gone, in them and in what they execute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/harden.h"

static int refused_calls(void)
{
	if (unshare(0) == 0 || errno != EPERM)
		return 1;
	if (syscall(SYS_bpf, 0, NULL, 0) == 0 || errno != EPERM)
		return 2;
	if (mknod("/tmp/sloth-no-device", S_IFCHR, 0) == 0 || errno != EPERM)
		return 3;
	return 0;
}

static int limits(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 4;
	return 0;
}

static int given_up(int (*harden)(void))
{
	if (harden() < 0)
		return 10;
	/* Again, as after an execve(2). */
	if (harden() < 0)
		return 11;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 12;
	return refused_calls();
}

static int job(void)
{
	int r = given_up(harden_job);

	return r ? r : limits();
}

static int daemon_of_root(void)
{
	int r = given_up(harden_daemon);

	if (r == 0 && prctl(PR_CAPBSET_READ, 16 /* CAP_SYS_MODULE */, 0, 0, 0) != 0)
		r = 13;
	if (r == 0 && prctl(PR_CAPBSET_READ, 21 /* CAP_SYS_ADMIN, to mount */, 0, 0, 0) != 1)
		r = 14;
	return r ? r : limits();
}

/* He needs a setuid program to mount. */
static int daemon_of_user(void)
{
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 20;
	if (harden_daemon() < 0)
		return 21;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
		return 22;
	return limits();
}

static int nothing(void)
{
	return refused_calls();
}

/* In a process of its own: what is given up does not come back. */
static int status_of(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_jobs(void **state)
{
	assert_int_equal(status_of(job), 0);
}

static void test_daemons(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(status_of(daemon_of_root), 0);
	assert_int_equal(status_of(daemon_of_user), 0);
}

/* Without it the same calls are not refused. */
static void test_this_can_fail(void **state)
{
	assert_int_not_equal(status_of(nothing), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_daemons),
		cmocka_unit_test(test_this_can_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
