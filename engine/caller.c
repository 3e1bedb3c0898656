/* SPDX-License-Identifier: MIT */
/* Who asks, and what the permission bits say to that. */
#include "engine/caller.h"

#include <errno.h>
#include <grp.h>
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

bool caller_may_give(struct caller *caller, uid_t uid, gid_t gid, uid_t new_uid, gid_t new_gid)
{
	if (caller->uid == 0)
		return true;
	return caller_owns(caller, uid) && new_uid == uid &&
	       (new_gid == gid || caller_in_group(caller, new_gid));
}

bool caller_owns(const struct caller *caller, uid_t uid)
{
	return caller->uid == 0 || caller->uid == uid;
}

/* Names that were looked up, by id modulo the size. A name that changes while the daemon runs is no concern.
 */
struct login {
	bool known;
	unsigned id;
	char name[64];
};
enum { LOGINS = 256 };
static struct login users[LOGINS], groups[LOGINS];

/* Remembers the name, or the number where there is none. */
static const char *login_keep(struct login *login, unsigned id, const char *name)
{
	if (name)
		snprintf(login->name, sizeof(login->name), "%s", name);
	else
		snprintf(login->name, sizeof(login->name), "%u", id);
	login->known = true;
	login->id = id;
	return login->name;
}

const char *caller_login(uid_t uid)
{
	struct login *login = &users[uid % LOGINS];
	struct passwd user, *found = NULL;
	char text[4096];

	if (login->known && login->id == uid)
		return login->name;
	if (getpwuid_r(uid, &user, text, sizeof(text), &found) != 0)
		found = NULL;
	return login_keep(login, uid, found ? found->pw_name : NULL);
}

const char *caller_group(gid_t gid)
{
	struct login *login = &groups[gid % LOGINS];
	struct group group, *found = NULL;
	char text[16384];

	if (login->known && login->id == gid)
		return login->name;
	if (getgrgid_r(gid, &group, text, sizeof(text), &found) != 0)
		found = NULL;
	return login_keep(login, gid, found ? found->gr_name : NULL);
}

const char *caller_user_name(uid_t uid, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "%s (uid %u)", caller_login(uid), (unsigned)uid);
	return ret_text;
}
