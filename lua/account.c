/* SPDX-License-Identifier: MIT */
/* Users that commands run as. */
#include "lua/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* The last one: tasks ask for the same again and again, and a directory service may be slow. */
static struct account known;

static void account_done(struct account *account)
{
	free(account->name);
	free(account->home);
	free(account->shell);
	free((void *)(uintptr_t)account->rights.groups);
	*account = (struct account){ 0 };
}

static int fill_groups(struct account *account)
{
	gid_t *groups;
	int count = 0, r;

	getgrouplist(account->name, account->rights.gid, NULL, &count);
	account->rights.groups = groups = calloc((size_t)count + 1, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	r = getgrouplist(account->name, account->rights.gid, groups, &count);
	account->rights.group_count = (size_t)count;
	return r < 0 ? -EAGAIN : 0;
}

static int fill(struct account *account, const struct passwd *user)
{
	account_done(account);
	*account = (struct account){ .name = strdup(user->pw_name),
		.home = strdup(user->pw_dir),
		.shell = strdup(*user->pw_shell ? user->pw_shell : "/bin/sh"),
		.rights = { .uid = user->pw_uid, .gid = user->pw_gid } };
	return account->name && account->home && account->shell ? fill_groups(account) : -ENOMEM;
}

static const struct passwd *look_up(const char *name)
{
	const struct passwd *user = getpwnam(name);
	int64_t number;

	if (user || parse_int64(name, &number) < 0 || number < 0 || number >= UINT32_MAX)
		return user;
	return getpwuid((uid_t)number);
}

int account_find(const char *name, const struct account **ret_account, struct fault *fault)
{
	const struct passwd *user;
	int r;

	if (known.name && !strcmp(known.name, name)) {
		*ret_account = &known;
		return 0;
	}
	user = look_up(name);
	if (!user)
		return fault_set(fault, EINVAL, "user '%s': there is no such user here", name);
	if (user->pw_uid == geteuid()) {
		*ret_account = NULL;
		return 0;
	}
	if (geteuid() != 0)
		return fault_set(fault, EPERM,
			"user '%s': only root's runs may become another user, and this one is of uid %d",
			name, (int)geteuid());
	r = fill(&known, user);
	if (r < 0) {
		account_done(&known);
		return fault_set(fault, -r, "user '%s': %s", name, strerror(-r));
	}
	*ret_account = &known;
	return 0;
}
