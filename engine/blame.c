/* SPDX-License-Identifier: MIT */
/* Since which version the attributes of a resource are as they are. */
#include "engine/blame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/version-show.h"
#include "engine/version.h"

enum { PATH_SIZE = 1024, PARTS_DEEP = 16 };

struct blame {
	struct engine *engine;
	struct fault *fault;
	json_t *now;   /* path → value: what is still to be traced further back */
	json_t *since; /* path → number of the version, for all */
	size_t size;   /* bytes read */
};

/* Objects as far as a comparison goes into them; all else is one value. */
static int flatten(json_t *value, const char *path, int depth, json_t *flat)
{
	char below[PATH_SIZE];
	const char *key;
	json_t *member;
	int r = 0;

	if (*path && (depth > PARTS_DEEP || !json_is_object(value) || !json_object_size(value)))
		return json_object_set(flat, path, value) < 0 ? -ENOMEM : 0;
	json_object_foreach (value, key, member) {
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key);
		r = r < 0 ? r : flatten(member, below, depth + 1, flat);
	}
	return r;
}

/* All of the item but what it is called. */
static int attributes(struct blame *blame, const struct version_item *item, json_t **ret_flat)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	json_auto_t *value = NULL, *flat = json_object();
	int r = version_item_read(blame->engine, item, blame->fault, &content);

	if (r < 0)
		return r;
	blame->size += content.size;
	value = json_loadb(buffer_text(&content), content.size, 0, NULL);
	json_object_del(value, "type");
	json_object_del(value, "name");
	r = value && flat ? flatten(value, "", 0, flat) : -EBADMSG;
	if (r == 0)
		*ret_flat = json_incref(flat);
	return r;
}

static int newest_number(void *userdata, const struct version *version)
{
	*(int64_t *)userdata = version->number;
	return 1;
}

/* Whether a version that is left shows that it was gone between the two. */
static int was_gone(struct blame *blame, const struct version_item *before, const struct version_item *item)
{
	int64_t number = 0;
	int r;

	if (before->to == item->from)
		return 0;
	r = version_each(blame->engine, item->stack_id, item->from, newest_number, &number);
	return r < 0 ? r : number >= before->to;
}

/* What was the same in the item before is as old as that; the rest is settled. */
static int step_back(struct blame *blame, const struct version_item *before)
{
	json_auto_t *then = NULL;
	const char *path;
	json_t *value;
	void *next;
	int r = attributes(blame, before, &then);

	if (r < 0)
		return r;
	json_object_foreach_safe(blame->now, next, path, value)
	{
		if (!json_equal(value, json_object_get(then, path)))
			json_object_del(blame->now, path);
		else if (json_object_set_new(blame->since, path, json_integer(before->from)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int trace(struct blame *blame, struct version_item *item)
{
	struct version_item before;
	int r = 0;

	for (int i = 0; i < BLAME_CHANGES_MAX && blame->size < BLAME_BYTES_MAX; i++) {
		if (!json_object_size(blame->now))
			break;
		r = version_item_before(blame->engine, item, &before);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		r = was_gone(blame, &before, item);
		if (r != 0)
			return r < 0 ? r : 0;
		r = step_back(blame, &before);
		if (r < 0)
			return r;
		*item = before;
	}
	return 0;
}

static int since_begin(struct blame *blame, const struct version_item *item)
{
	const char *path;
	json_t *value;
	int r = attributes(blame, item, &blame->now);

	blame->since = json_object();
	json_object_foreach (blame->now, path, value)
		if (r == 0 && json_object_set_new(blame->since, path, json_integer(item->from)) < 0)
			r = -ENOMEM;
	return r;
}

/* In the order of the item's own keys, which are sorted. */
static int list_make(struct blame *blame, int64_t stack_id, json_t *list)
{
	const char *path;
	json_t *number;

	json_object_foreach (blame->since, path, number) {
		struct version version = { .number = json_integer_value(number) };
		json_t *object;
		int r = version_trace(blame->engine, stack_id, version.number, &version);

		if (r < 0 && r != -ENOENT)
			return r;
		object = version_json(&version);
		json_object_del(object, "what");
		json_object_set_new(object, "attribute", json_string(path));
		if (json_array_append_new(list, object) < 0)
			return -ENOMEM;
	}
	return 0;
}

int resource_blame_json(
	struct engine *engine, const struct resource *resource, struct fault *fault, json_t **ret_list)
{
	json_auto_t *list = json_array();
	struct blame blame = { .engine = engine, .fault = fault };
	char name[VERSION_NAME_SIZE];
	struct version_item item;
	int r;

	snprintf(name, sizeof(name), "%s/%s", resource->type, resource->entry);
	r = version_item_find(engine, resource->stack_id, VERSION_RESOURCE, name, 0, &item);
	if (r == 0)
		r = since_begin(&blame, &item);
	if (r == 0)
		r = trace(&blame, &item);
	if (r == 0)
		r = list_make(&blame, resource->stack_id, list);
	json_decref(blame.now);
	json_decref(blame.since);
	if (r == 0)
		*ret_list = json_incref(list);
	return r;
}

int resource_blame_show(
	struct engine *engine, const struct resource *resource, struct fault *fault, FILE *out)
{
	json_auto_t *list = NULL;
	json_t *object;
	size_t i;
	int r = resource_blame_json(engine, resource, fault, &list);

	json_array_foreach (list, i, object) {
		version_write_origin(object, out);
		text_write_safe(out, json_string_value(json_object_get(object, "attribute")));
		version_write_run(object, out);
		fputc('\n', out);
	}
	return r;
}
