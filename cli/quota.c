/* SPDX-License-Identifier: MIT */
/* quota: what users have, and what they may have; the tree's file of that name. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/table.h"

const struct option quota_options[] = {
	{ "user", 'u', "USER", "of this user, by name or number; of others for root only" },
	{ NULL },
};

/* What is a number of bytes. */
static bool is_size(const char *name)
{
	return !strcmp(name, "storage") || !strcmp(name, "open_size");
}

static const char *amount(const char *name, int64_t number, char ret_text[32])
{
	if (is_size(name))
		return print_size(number, ret_text);
	snprintf(ret_text, 32, "%lld", (long long)number);
	return ret_text;
}

static int add_row(struct table *table, const char *user, const char *name, const json_t *quota)
{
	const json_t *limit = json_object_get(quota, "limit");
	int64_t used = json_integer_value(json_object_get(quota, "used")), most = json_integer_value(limit);
	char used_text[32], limit_text[32] = "", share[32] = "";

	if (json_is_integer(limit)) {
		amount(name, most, limit_text);
		snprintf(share, sizeof(share), "%.0f%%", most ? 100.0 * (double)used / (double)most : 100.0);
	}
	return table_row(
		table, (const char *[]){ user, name, amount(name, used, used_text), limit_text, share });
}

/* Of one user everything, of several what each of them has. */
static int show_table(const json_t *users)
{
	static const struct column columns[] = {
		{ "USER" },
		{ "QUOTA" },
		{ "USED", .right = true },
		{ "LIMIT", .right = true },
		{ "USE%", .right = true },
		{ NULL },
	};
	bool several = json_array_size(users) > 1;
	struct table *table = table_new(columns);
	const json_t *user, *quota;
	const char *name;
	size_t i;
	int r = table ? 0 : -ENOMEM;

	json_array_foreach (users, i, user)
		json_object_foreach (json_object_get(user, "quotas"), name, quota)
			if (r == 0 && (!several || json_integer_value(json_object_get(quota, "used"))))
				r = add_row(table, print_text(user, "user"), name, quota);
	if (r == 0)
		r = table_print(table);
	table_free(table);
	return r;
}

static int uid_of(struct command *command, const char *name, uid_t *ret_uid)
{
	const struct passwd *user = getpwnam(name);
	char *end;
	unsigned long number;

	if (user) {
		*ret_uid = user->pw_uid;
		return 0;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (name[0] < '0' || name[0] > '9' || *end || errno || number >= UINT32_MAX)
		return fault_set(&command->fault, ENOENT, "there is no user \"%s\"", name);
	*ret_uid = (uid_t)number;
	return 0;
}

/* Leaves this user alone in the list. */
static int keep_user(struct command *command, json_t *users, const char *name)
{
	uid_t uid = 0;
	int r = uid_of(command, name, &uid);

	for (size_t i = json_array_size(users); r == 0 && i > 0; i--)
		if (json_integer_value(json_object_get(json_array_get(users, i - 1), "uid")) != uid)
			json_array_remove(users, i - 1);
	if (r == 0 && json_array_size(users) == 0 && geteuid() != 0 && geteuid() != uid)
		return fault_set(&command->fault, EACCES,
			"nothing of %s is shown to you: who has how much is for himself and for root", name);
	return r;
}

int quota_run(struct command *command)
{
	const char *name = command_option(command, "user");
	json_auto_t *value = NULL;
	json_t *users;
	int r = tree_json(command, "/quota.json", &value);

	if (r < 0)
		return r;
	users = json_object_get(value, "users");
	if (name)
		r = keep_user(command, users, name);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, TAKE(value));
	if (json_array_size(users) > 0)
		return show_table(users);
	printf("%s has nothing.\n", name ? name : "Nobody");
	return 0;
}
