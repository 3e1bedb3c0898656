/* SPDX-License-Identifier: MIT */
/* Items of versions become live again. */
#include "engine/restore-items.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/deps.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/stack.h"
#include "engine/tag.h"

struct item {
	struct engine *engine;
	struct caller *caller;
	const struct stack *stack;
	const char *name;
	const struct buffer *content; /* NULL: to be removed */
	struct fault *fault;
};

static int user_id(const char *name, uid_t *ret_uid)
{
	struct passwd user, *found = NULL;
	int64_t number;
	char text[4096];

	if (parse_int64(name, &number) == 0) {
		*ret_uid = (uid_t)number;
		return 0;
	}
	if (getpwnam_r(name, &user, text, sizeof(text), &found) != 0 || !found)
		return -ENOENT;
	*ret_uid = user.pw_uid;
	return 0;
}

static int group_id(const char *name, gid_t *ret_gid)
{
	struct group group, *found = NULL;
	int64_t number;
	char text[16384];

	if (parse_int64(name, &number) == 0) {
		*ret_gid = (gid_t)number;
		return 0;
	}
	if (getgrnam_r(name, &group, text, sizeof(text), &found) != 0 || !found)
		return -ENOENT;
	*ret_gid = group.gr_gid;
	return 0;
}

/* Owner, group and mode; the name stays, and so the version becomes another than the old where it differs. */
static int meta_restore(struct item *item)
{
	json_auto_t *meta =
		item->content ? json_loadb(item->content->data, item->content->size, 0, NULL) : NULL;
	const char *owner, *group, *mode, *name;
	uid_t uid;
	gid_t gid;
	int r;

	if (json_unpack(meta, "{s:s, s:s, s:s, s:s}", "owner", &owner, "group", &group, "mode", &mode, "name",
		    &name) < 0)
		return -EBADMSG;
	if (strcmp(name, item->stack->name) != 0)
		return fault_set(item->fault, EINVAL,
			"the stack was called %s then; a name is given back by mv, not by restoring meta",
			name);
	if (user_id(owner, &uid) < 0 || group_id(group, &gid) < 0)
		return fault_set(
			item->fault, EINVAL, "there is no user %s or no group %s any more", owner, group);
	r = stack_chmod(
		item->engine, item->caller, item->stack->id, (mode_t)strtol(mode, NULL, 8), item->fault);
	if (r == 0 && (uid != item->stack->uid || gid != item->stack->gid))
		r = stack_chown(item->engine, item->caller, item->stack->id, uid, gid, item->fault);
	return r;
}

static int text_restore(struct item *item)
{
	enum stack_text which;

	if (stack_text_parse(item->name, &which) < 0)
		return -EBADMSG;
	if (!item->content)
		return stack_remove_text(item->engine, item->caller, item->stack->id, which, item->fault);
	return stack_set_text(item->engine, item->caller, item->stack->id, which, buffer_text(item->content),
		item->content->size, item->fault);
}

static int output_restore_item(struct item *item)
{
	if (!item->content)
		return output_delete(item->engine, item->caller, item->stack->id, item->name, item->fault);
	return output_restore(item->engine, item->caller, item->stack->id, item->name,
		buffer_text(item->content), item->content->size, item->fault);
}

static int tag_restore(struct item *item)
{
	int64_t id;

	if (!item->content)
		return tag_remove(item->engine, item->caller, item->stack->id, item->name, item->fault);
	return tag_add(item->engine, item->caller, item->stack->id, item->name, item->fault, &id);
}

static int dep_restore(struct item *item)
{
	if (!item->content)
		return deps_remove(item->engine, item->caller, item->stack->id, item->name, item->fault);
	return deps_restore(item->engine, item->caller, item->stack->id, item->name,
		buffer_text(item->content), item->fault);
}

static int key_restore(struct item *item)
{
	struct kv_scope scope = { .stack_id = item->stack->id, .caller = item->caller };
	json_auto_t *value = NULL;

	/* A key that expires is not part of a version: it may be there all the same. */
	if (!item->content)
		return kv_delete(item->engine, scope, item->name);
	value = json_loadb(buffer_text(item->content), item->content->size, JSON_DECODE_ANY, NULL);
	return value ? kv_set(item->engine, scope, item->name, value, 0) : -EBADMSG;
}

/* Items are named by type and entry; the content of one that was has the name itself. */
static int resource_remove(struct item *item)
{
	const char *slash = strchr(item->name, '/');
	char type[NAME_SIZE];
	unsigned type_id;
	int64_t id;
	int r;

	if (!slash || slash - item->name >= NAME_SIZE)
		return -EBADMSG;
	snprintf(type, sizeof(type), "%.*s", (int)(slash - item->name), item->name);
	r = resource_type_find(item->engine, type, &type_id);
	if (r == 0)
		r = resource_find_entry(item->engine, item->stack->id, type_id, slash + 1, &id);
	return r < 0 ? r : resource_delete(item->engine, item->caller, id, item->fault);
}

static int resource_restore(struct item *item)
{
	json_auto_t *value = NULL;
	struct resource_draft draft = { 0 };
	enum resource_result result;
	int protect;
	int64_t id;

	if (!item->content)
		return resource_remove(item);
	value = json_loadb(buffer_text(item->content), item->content->size, 0, NULL);
	if (json_unpack(value, "{s:s, s:s, s:s, s:o, s:o, s:b}", "type", &draft.type, "name", &draft.name,
		    "module", &draft.module, "properties", &draft.properties, "dependencies",
		    &draft.dependencies, "protect", &protect) < 0)
		return -EBADMSG;
	draft.protect = protect;
	/* Whose it was is no part of a version. */
	draft.whose = item->stack->mode & (S_IWGRP | S_IWOTH) ? RESOURCE_FOUND : RESOURCE_ASKED;
	return resource_put(item->engine, item->caller, item->stack->id, &draft, item->fault, &result, &id);
}

static int (*const restorers[VERSION_KIND_COUNT])(struct item *item) = {
	[VERSION_META] = meta_restore,
	[VERSION_TEXT] = text_restore,
	[VERSION_OUTPUT] = output_restore_item,
	[VERSION_TAG] = tag_restore,
	[VERSION_DEP] = dep_restore,
	[VERSION_STATE] = key_restore,
	[VERSION_RESOURCE] = resource_restore,
};

int restore_item(struct engine *engine, struct caller *caller, const struct stack *stack,
	enum version_kind kind, const char *name, const struct buffer *content, struct fault *fault)
{
	struct item item = { engine, caller, stack, name, content, fault };

	return restorers[kind](&item);
}
