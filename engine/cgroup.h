/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A cgroup (cgroups(7), version 2) for each run, below the one that the daemon lives in:
 *
 *     …/sloth/run-42-1f0c…/            the runner
 *     …/sloth/run-42-1f0c…/task-0/     the commands of one try (lua/leaf.h)
 *
 * The name has the run's mark, so that no two daemons mean the same. Where no groups can be made, the paths
 * are "". A group with the extended attribute user.sloth.left has what a successful task left running on
 * purpose.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_PATH_SIZE = 512 };

/* Where this process may make groups: made if missing; "" : nowhere. */
void cgroup_base(char ret_path[CGROUP_PATH_SIZE]);

/* Makes the group, and gives it to a user who shall make others in it. 0 or -errno. */
int cgroup_make(const char *path, uid_t uid, gid_t gid);

/* SIGKILL to all of its tasks; what was left on purpose stays. 0, or -errno: there is no such group. */
int cgroup_kill_tasks(const char *path);

/* Whether nobody has lived in it for a minute: a new one is empty, too. */
bool cgroup_is_deserted(const char *path);

/* Removes what is empty of it. 0; -EBUSY: something lives in it. */
int cgroup_remove(const char *path);

/* Each run's group below the base. */
void cgroup_each(
	const char *base, void (*each)(void *userdata, const char *path, int64_t run_id), void *userdata);
