/* SPDX-License-Identifier: MIT */
/* What differs between two versions. */
#include "engine/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/run.h"
#include "engine/version-show.h"

enum { PATH_SIZE = 1024, PARTS_DEEP = 16 };

struct comparison {
	struct engine *engine;
	struct fault *fault;
	int64_t stack_id, from, to;
	json_t *changes;
};

/* Takes the references to the values; NULL: none. */
static int change_add(struct comparison *comparison, const char *op, const char *kind, const char *name,
	const char *attribute, json_t *from, json_t *to)
{
	json_t *change = json_pack("{s:s, s:s, s:s}", "op", op, "kind", kind, "name", name);

	if (attribute)
		json_object_set_new(change, "attribute", json_string(attribute));
	if (from || attribute)
		json_object_set_new(change, "from", from ? from : json_null());
	if (to || attribute)
		json_object_set_new(change, "to", to ? to : json_null());
	return json_array_append_new(comparison->changes, change) < 0 ? -ENOMEM : 0;
}

static int parts_compare(struct comparison *comparison, const char *kind, const char *name, const char *path,
	int depth, json_t *from, json_t *to);

/* One member: a part of its own, or nothing when it is the same. */
static int member_compare(struct comparison *comparison, const char *kind, const char *name, const char *path,
	const char *key, int depth, json_t *from, json_t *to)
{
	char below[PATH_SIZE];

	if (from && to && json_equal(from, to))
		return 0;
	snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key);
	return parts_compare(comparison, kind, name, below, depth + 1, from, to);
}

/* The members of objects that differ, in the order of their keys: first those that were there, then new ones.
 */
static int parts_compare(struct comparison *comparison, const char *kind, const char *name, const char *path,
	int depth, json_t *from, json_t *to)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (depth > PARTS_DEEP || !json_is_object(from) || !json_is_object(to))
		return change_add(
			comparison, "~", kind, name, *path ? path : NULL, json_incref(from), json_incref(to));
	json_object_foreach (from, key, value)
		if (r == 0)
			r = member_compare(
				comparison, kind, name, path, key, depth, value, json_object_get(to, key));
	json_object_foreach (to, key, value)
		if (r == 0 && !json_object_get(from, key))
			r = member_compare(comparison, kind, name, path, key, depth, NULL, value);
	return r;
}

/* The tasks of the run that brought a workflow, by name; NULL: not known. */
static json_t *tasks_of(struct comparison *comparison, const struct version_item *item)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *plan = NULL;
	struct version version;
	json_t *tasks, *task;
	size_t i;

	if (version_trace(comparison->engine, item->stack_id, item->from, &version) < 0 || !version.run_id ||
		run_text(comparison->engine, version.run_id, RUN_PLAN, &text) < 0)
		return NULL;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	if (!json_is_array(json_object_get(plan, "tasks")))
		return NULL;
	tasks = json_object();
	json_array_foreach (json_object_get(plan, "tasks"), i, task) {
		json_t *copy = json_copy(task);

		if (json_is_string(json_object_get(task, "name")))
			json_object_set(tasks, json_string_value(json_object_get(task, "name")), copy);
		json_object_del(copy, "name");
		json_object_del(copy, "line"); /* where it stands is no part of what it does */
		json_decref(copy);
	}
	return tasks;
}

static int tasks_compare(struct comparison *comparison, json_t *from, json_t *to)
{
	const char *name;
	json_t *task;
	int r = 0;

	json_object_foreach (from, name, task) {
		json_t *now = json_object_get(to, name);

		if (r == 0 && !now)
			r = change_add(comparison, "-", "task", name, NULL, NULL, NULL);
		else if (r == 0 && !json_equal(task, now))
			r = parts_compare(comparison, "task", name, "", 0, task, now);
	}
	json_object_foreach (to, name, task)
		if (r == 0 && !json_object_get(from, name))
			r = change_add(comparison, "+", "task", name, NULL, NULL, NULL);
	return r;
}

/* A text as long as a workflow is not shown whole: only that it is another. */
static int workflow_compare(
	struct comparison *comparison, const struct version_item *from, const struct version_item *to)
{
	json_auto_t *before = from ? tasks_of(comparison, from) : json_object();
	json_auto_t *after = to ? tasks_of(comparison, to) : json_object();
	int r = change_add(comparison, !from ? "+" : !to ? "-" : "~", "text", "workflow", NULL, NULL, NULL);

	return r == 0 && before && after ? tasks_compare(comparison, before, after) : r;
}

static int item_value(struct comparison *comparison, const struct version_item *item, json_t **ret_value)
{
	return item ? version_item_value(comparison->engine, item, comparison->fault, ret_value) : 0;
}

static int items_compare(
	struct comparison *comparison, const struct version_item *from, const struct version_item *to)
{
	const struct version_item *item = from ? from : to;
	const char *kind = version_kind_name(item->kind);
	json_auto_t *before = NULL, *after = NULL;
	int r;

	if (from && to && from->content_id == to->content_id)
		return 0;
	if (item->kind == VERSION_TEXT && !strcmp(item->name, "workflow"))
		return workflow_compare(comparison, from, to);
	r = item_value(comparison, from, &before);
	if (r == 0)
		r = item_value(comparison, to, &after);
	if (r < 0)
		return r;
	if (from && to)
		return parts_compare(comparison, kind, item->name, "", 0, before, after);
	return change_add(comparison, from ? "-" : "+", kind, item->name, NULL, json_incref(before),
		json_incref(after));
}

static int compare_one(void *userdata, enum version_kind kind, const char *name)
{
	struct comparison *comparison = userdata;
	struct version_item from, to;
	int r, r2;

	r = version_item_find(comparison->engine, comparison->stack_id, kind, name, comparison->from, &from);
	r2 = version_item_find(comparison->engine, comparison->stack_id, kind, name, comparison->to, &to);
	if ((r < 0 && r != -ENOENT) || (r2 < 0 && r2 != -ENOENT))
		return r < 0 && r != -ENOENT ? r : r2;
	if (r < 0 && r2 < 0)
		return 0;
	return items_compare(comparison, r == 0 ? &from : NULL, r2 == 0 ? &to : NULL);
}

int version_compare(struct engine *engine, int64_t stack_id, int64_t from, int64_t to, struct fault *fault,
	json_t **ret_changes)
{
	json_auto_t *changes = json_array();
	struct comparison comparison = { engine, fault, stack_id, from, to, changes };
	int r = changes ? version_changed_each(engine, stack_id, from < to ? from : to, from < to ? to : from,
				  compare_one, &comparison)
			: -ENOMEM;

	if (r == 0)
		*ret_changes = TAKE(changes);
	return r;
}

static void value_show(const json_t *value, FILE *out)
{
	if (json_is_string(value))
		text_write_safe(out, json_string_value(value));
	else if (value && !json_is_null(value))
		json_dumpf(value, out, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
	else
		fputs("none", out);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* What is worth a place on the line of a thing that came or went. */
static bool is_short(const json_t *value)
{
	return value && !json_is_object(value) && (!json_is_string(value) || json_string_length(value) > 0);
}

void compare_show(const json_t *changes, FILE *out)
{
	json_t *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		const json_t *from = json_object_get(change, "from"), *to = json_object_get(change, "to");
		bool text = !strcmp(text_of(change, "kind"), "text");

		fprintf(out, "%s %s%s", text_of(change, "op"), text ? "" : text_of(change, "kind"),
			text ? "" : " ");
		version_write_name(text_of(change, "kind"), text_of(change, "name"), out);
		if (*text_of(change, "attribute")) {
			fputs(": ", out);
			text_write_safe(out, text_of(change, "attribute"));
		}
		if (from && to) {
			fputs(": ", out);
			value_show(from, out);
			fputs(" -> ", out);
			value_show(to, out);
		} else if (is_short(from ? from : to)) {
			fputs(": ", out);
			value_show(from ? from : to, out);
		}
		fputc('\n', out);
	}
}
