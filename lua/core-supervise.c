/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: processes that outlive the run on purpose, and signals for
 * processes that were found. */
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/process.h"
#include "lua/core.h"
#include "lua/leaf.h"
#include "lua/runner.h"
#include "lua/spawn.h"

static int push_errno(lua_State *L, const char *what, int error)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", what, strerror(error));
	return 2;
}

/* No sweep of a task may end it, in whose group it does not live either. */
static void keep(struct runner *runner, pid_t pid)
{
	struct left *left = reallocarray(runner->left, runner->left_count + 1, sizeof(*left));

	if (!left)
		return;
	runner->left = left;
	left[runner->left_count].pid = pid;
	if (process_start_time(pid, &left[runner->left_count].start) == 0)
		runner->left_count++;
}

/* This program again, without anything of the run: neither its environment, by which the daemon finds what
 * belongs to a run, nor its group, nor its folder. */
static int start(struct runner *runner, const char *folder, pid_t *ret_pid)
{
	char *const argv[] = { (char *)"sloth-runner", (char *)"--supervise", (char *)(uintptr_t)folder,
		NULL };
	const char *lang = environment_get((const char *const *)runner->environment.strings, "LANG");
	CLEANUP(cleanup_free) char *line = NULL;
	char *envp[] = { NULL, NULL, NULL };
	struct leaf *leaf = leaf_take(&runner->leaves);
	struct spawn wanted = { .file = "/proc/self/exe",
		.argv = argv,
		.envp = envp,
		.workdir = "/",
		.fds = { runner->null_fd, runner->null_fd, runner->null_fd },
		.cgroup = leaf ? leaf->folder : -1 };
	enum spawn_step step;
	int r;

	if (lang && asprintf(&line, "LANG=%s", lang) >= 0)
		envp[0] = line;
#ifdef SLOTH_TORTURE
	envp[envp[0] ? 1 : 0] = failpoint_variable();
#endif
	r = spawn(&wanted, ret_pid, &step);
	if (r == 0 && leaf)
		leaf_leave(leaf);
	if (leaf)
		leaf_give(&runner->leaves, leaf);
	return r;
}

/* supervise(folder) → the pid; or nil and a message. See lua/supervise.h. */
static int core_supervise(lua_State *L)
{
	struct runner *runner = runner_of(L);
	pid_t pid;
	int r = start(runner, luaL_checkstring(L, 1), &pid);

	if (r < 0)
		return push_errno(L, "a supervisor can't be started", -r);
	keep(runner, pid);
	lua_pushinteger(L, pid);
	return 1;
}

/* send_signal(pid, start, number) → true; false: it is gone; or nil and a message. The process is held before
 * it is looked at: its pid can't become another's meanwhile. */
static int core_send_signal(lua_State *L)
{
	pid_t pid = (pid_t)luaL_checkinteger(L, 1);
	uint64_t wanted = (uint64_t)luaL_checkinteger(L, 2), found;
	int number = (int)luaL_checkinteger(L, 3), error = 0;
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	bool there = fd >= 0 && process_start_time(pid, &found) == 0 && found == wanted;

	if (there && syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error && error != ESRCH) {
		lua_pushfstring(L, "process %d", (int)pid);
		return push_errno(L, lua_tostring(L, -1), error);
	}
	lua_pushboolean(L, there && !error);
	return 1;
}

const luaL_Reg core_supervision[] = {
	{ "send_signal", core_send_signal },
	{ "supervise", core_supervise },
	{ NULL, NULL },
};
