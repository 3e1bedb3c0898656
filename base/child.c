/* SPDX-License-Identifier: MIT */
/* Programs started with a clean state of signals. */
#include "base/child.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

int child_spawn(const char *program, const char *const *argv, const posix_spawn_file_actions_t *actions,
	int flags, pid_t *ret_pid)
{
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r = posix_spawnattr_init(&attributes);

	if (r)
		return -r;
	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setflags(
		&attributes, (short)(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
	r = r ? r : posix_spawnattr_setsigmask(&attributes, &none);
	r = r ? r : posix_spawnattr_setsigdefault(&attributes, &all);
	r = r ? r : posix_spawn(ret_pid, program, actions, &attributes, (char **)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attributes);
	return -r;
}
