/* SPDX-License-Identifier: MIT */
/* Starting a process: clone3(2) with CLONE_VM and CLONE_VFORK. */
#include "lua/spawn.h"
#include "base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 64 << 10, FILES_MAX = 65536 };

struct child {
	const struct spawn *spawn;
	bool handlers; /* ours are still its own */
	bool placed;   /* it is in its cgroup */
	int error;     /* written by the child, in our memory */
	enum spawn_step step;
};

/* In the child, whose memory is ours: nothing here may allocate, lock, or leave a trace but `error`. The raw
 * calls go around what the C library would do for other threads. The sanitizer would take the frames that
 * never return for damage. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

IN_CHILD static int call_result(long result)
{
	return result < 0 ? -errno : 0;
}

IN_CHILD static int become(const struct spawn_user *user)
{
	int r = call_result(syscall(SYS_setgroups, user->group_count, user->groups));

	if (r == 0)
		r = call_result(syscall(SYS_setresgid, user->gid, user->gid, user->gid));
	return r < 0 ? r : call_result(syscall(SYS_setresuid, user->uid, user->uid, user->uid));
}

/* A descriptor that is in its place already keeps its flag otherwise. */
IN_CHILD static int move_fd(int from, int to)
{
	if (from == to)
		return call_result(fcntl(to, F_SETFD, 0));
	return call_result(dup2(from, to));
}

IN_CHILD static int join_cgroup(int folder)
{
	int fd = openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : call_result(write(fd, "0", 1));

	close(fd);
	return r;
}

/* exec(2) resets what is handled, but not before it is too late for a handler that would run in our memory;
 * and it never resets what is ignored. */
IN_CHILD static void reset_signals(bool handlers)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };

	if (handlers)
		for (int i = 1; i < NSIG; i++)
			sigaction(i, &standard, NULL);
	sigaction(SIGPIPE, &standard, NULL);
}

static struct rlimit files; /* as programs shall have it; 0: as ours */

void spawn_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MAX ||
		limit.rlim_cur == limit.rlim_max)
		return;
	files = limit;
	limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		files.rlim_cur = 0;
}

IN_CHILD static int prepare(struct child *child)
{
	const struct spawn *spawn = child->spawn;
	sigset_t none;
	int r = 0;

	if (spawn->cgroup >= 0 && !child->placed)
		r = join_cgroup(spawn->cgroup);
	if (r == 0)
		r = call_result(setpgid(0, 0));
	for (int i = 0; i < 3 && r == 0; i++)
		r = move_fd(spawn->fds[i], i);
	if (r == 0 && spawn->user) {
		child->step = SPAWN_USER;
		r = become(spawn->user);
	}
	/* With the user's rights. */
	if (r == 0 && spawn->workdir) {
		child->step = SPAWN_WORKDIR;
		r = call_result(chdir(spawn->workdir));
	}
	if (files.rlim_cur)
		syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, NULL);
	reset_signals(child->handlers);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return r;
}

IN_CHILD static int run(void *argument)
{
	struct child *child = argument;
	const struct spawn *spawn = child->spawn;
	int r = prepare(child);

	if (r == 0) {
		child->step = SPAWN_PROGRAM;
		r = call_result(execve(spawn->file, spawn->argv, spawn->envp));
	}
	child->error = -r;
	_exit(127);
}

#if defined(__x86_64__)
/* The child begins in `run` on the stack that `args` names. */
static long clone_into(struct clone_args *args, struct child *child)
{
	register int (*entry)(void *) __asm__("r12") = run;
	register void *argument __asm__("r13") = child;
	long result = SYS_clone3;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(result)
			 : "D"(args), "S"(sizeof(*args)), "r"(entry), "r"(argument)
			 : "rcx", "r11", "memory", "cc");
	return result;
}
#else
static long clone_into(struct clone_args *args, struct child *child)
{
	return -ENOSYS;
}
#endif

static char stack[STACK_SIZE] __attribute__((aligned(64)));

/* -ENOSYS: the kernel, or what guards it, has no clone3. */
static long clone_new(const struct spawn *spawn, struct child *child)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND |
			 (spawn->cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
		.cgroup = spawn->cgroup >= 0 ? (uint64_t)spawn->cgroup : 0,
	};

	child->handlers = false;
	child->placed = spawn->cgroup >= 0;
	return clone_into(&args, child);
}

static long clone_old(struct child *child)
{
	int pid;

	child->handlers = true;
	child->placed = false;
	pid = clone(run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, child);
	return pid < 0 ? -errno : pid;
}

int spawn(const struct spawn *spawn, pid_t *ret_pid, enum spawn_step *ret_step)
{
	static bool old;
	struct child child = { .spawn = spawn };
	sigset_t all, before;
	long pid = -ENOSYS;

	/* A handler that ran in the child would run in our memory. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!old)
		pid = clone_new(spawn, &child);
	if (pid == -ENOSYS || (pid == -EPERM && !old)) {
		old = true;
		pid = clone_old(&child);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	FAILPOINT("runner.spawned");
	/* The kernel closed our memory to debuggers when a part of it took another user's rights. */
	if (spawn->user)
		prctl(PR_SET_DUMPABLE, 1);
	*ret_step = child.step;
	if (pid < 0)
		return (int)pid;
	if (child.error) {
		/* It has ended, and nobody else knows of it. */
		while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -child.error;
	}
	*ret_pid = (pid_t)pid;
	return 0;
}
