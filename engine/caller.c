/* SPDX-License-Identifier: MIT */
/* Who asks, and what the permission bits say to that. */
#include "engine/caller.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void caller_done(struct caller *caller)
{
	free(caller->groups);
	caller->groups = NULL;
	caller->group_count = 0;
	caller->groups_known = false;
}

static void groups_fetch(struct caller *caller)
{
	if (caller->groups_known)
		return;
	caller->groups_known = true;
	if (caller->fetch_groups)
		caller->fetch_groups(caller);
}

int caller_copy(struct caller *caller, struct caller *ret_copy)
{
	struct caller copy;

	groups_fetch(caller);
	copy = *caller;
	copy.fetch_groups = NULL;
	copy.door = NULL;
	copy.groups = NULL;
	if (caller->group_count) {
		copy.groups = calloc(caller->group_count, sizeof(*copy.groups));
		if (!copy.groups)
			return -ENOMEM;
		memcpy(copy.groups, caller->groups, caller->group_count * sizeof(*copy.groups));
	}
	*ret_copy = copy;
	return 0;
}

bool caller_in_group(struct caller *caller, gid_t gid)
{
	if (caller->gid == gid)
		return true;
	groups_fetch(caller);
	for (size_t i = 0; i < caller->group_count; i++)
		if (caller->groups[i] == gid)
			return true;
	return false;
}

int caller_access(struct caller *caller, uid_t uid, gid_t gid, mode_t mode, int want)
{
	int bits;

	if (caller->uid == 0)
		return 0;
	if (caller->uid == uid)
		bits = (int)(mode >> 6);
	else if (caller_in_group(caller, gid))
		bits = (int)(mode >> 3);
	else
		bits = (int)mode;
	return (bits & want) == want ? 0 : -EACCES;
}

bool caller_owns(const struct caller *caller, uid_t uid)
{
	return caller->uid == 0 || caller->uid == uid;
}

/* Names that were looked up, by uid modulo the size. A name that changes while the daemon runs is no concern.
 */
static struct {
	bool known;
	uid_t uid;
	char name[64];
} users[256];

const char *caller_login(uid_t uid)
{
	size_t i = uid % (sizeof(users) / sizeof(users[0]));
	struct passwd user, *found = NULL;
	char text[4096];

	if (users[i].known && users[i].uid == uid)
		return users[i].name;
	if (getpwuid_r(uid, &user, text, sizeof(text), &found) == 0 && found)
		snprintf(users[i].name, sizeof(users[i].name), "%s", found->pw_name);
	else
		snprintf(users[i].name, sizeof(users[i].name), "%u", (unsigned)uid);
	users[i].known = true;
	users[i].uid = uid;
	return users[i].name;
}

const char *caller_user_name(uid_t uid, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "%s (uid %u)", caller_login(uid), (unsigned)uid);
	return ret_text;
}
