/* SPDX-License-Identifier: MIT */
/* What a stack stands on, and who stands on it: the links in deps/ and dependents/, and the file depends. */
#include "engine/deps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/stack.h"
#include "fs/nodes/nodes.h"

int depends_show(struct view *view, FILE *out)
{
	return deps_show(view->engine, view->caller, view->id, out);
}

int depends_json_show(struct view *view, FILE *out)
{
	json_auto_t *value = NULL;
	struct stack stack;
	int r = stack_get(view->engine, view->id, &stack);

	if (r < 0)
		return r;
	value = deps_json(view->engine, view->caller, &stack);
	return value ? show_json(out, value) : -ENOMEM;
}

int depends_write(struct view *view, const char *line, size_t size)
{
	return deps_command(view->engine, view->caller, view->id, line, size, view->fault);
}

static int dep_object(struct view *view, struct object *ret_object)
{
	struct view of = *view;
	struct dep dep;
	int r = deps_get(view->engine, NULL, view->id, &dep);

	if (r < 0)
		return r;
	of.id = dep.stack_id;
	r = object_stack(&of, ret_object);
	ret_object->mtime_ms = dep.created_ms;
	return r;
}

/* deps/ */

static int dep_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	struct dep dep;
	int r = deps_find(folder->engine, NULL, folder->id, name, &dep);

	if (r == 0)
		*ret_id = dep.id;
	return r;
}

static int emit_dep(void *userdata, const struct dep *dep)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, dep->on, dep->id);
}

static int dep_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return deps_each(folder->engine, NULL, folder->id, emit_dep, &(struct emitter){ emit, userdata });
}

/* A link to a stack, whatever way it takes: what counts is the name at its end, and that the link is called
 * alike. */
static int dep_link(struct view *folder, const char *name, const char *target, int64_t *ret_id)
{
	size_t end = strlen(target), start, size = strlen(name);

	while (end && target[end - 1] == '/')
		end--;
	for (start = end; start && target[start - 1] != '/'; start--)
		;
	if (end - start != size || memcmp(target + start, name, size) != 0)
		return fault_set(folder->fault, EINVAL,
			"a dependency is a link to a stack, and is called like it: ln -s ../../%.*s deps/",
			(int)(end - start), target + start);
	return deps_set(folder->engine, folder->caller, folder->id, name, NULL, folder->fault, ret_id);
}

static int dep_remove_node(struct view *view)
{
	struct dep dep;
	int r = deps_get(view->engine, NULL, view->id, &dep);

	return r < 0 ? r : deps_remove(view->engine, view->caller, dep.stack_id, dep.on, view->fault);
}

static int dep_show_node(struct view *view, FILE *out)
{
	struct dep dep;
	int r = deps_get(view->engine, NULL, view->id, &dep);

	if (r == 0)
		fprintf(out, "../../%s", dep.on);
	return r;
}

/* Fleeting: the names follow those of other stacks. */
/* clang-format off */
static const struct entry deps_entries[] = {
	{ .help = "a link to a stack that it stands on", .kind = KIND_LINK, .mode = 0777, .subject = SUBJECT_DEP,
	  .aspects = ASPECT_DEPS, .fleeting = true, .object = dep_object, .show = dep_show_node,
	  .find = dep_find_node, .each = dep_each_node, .link = dep_link, .remove = dep_remove_node },
};
/* clang-format on */

const struct directory deps_directory = DIRECTORY(deps_entries);

/* dependents/ */

static int dependent_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct dep dep;
	int r = deps_dependent_find(folder->engine, folder->caller, folder->id, name, &dep);

	if (r == 0)
		*ret_id = dep.id;
	return r;
}

static int emit_dependent(void *userdata, const struct dep *dep)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, dep->stack, dep->id);
}

static int dependent_each(struct view *folder, node_emit *emit, void *userdata)
{
	return deps_dependents_each(folder->engine, folder->caller, folder->id, emit_dependent,
		&(struct emitter){ emit, userdata });
}

static int dependent_remove(struct view *view)
{
	return deps_release(view->engine, view->caller, view->id, view->fault);
}

static int dependent_show(struct view *view, FILE *out)
{
	struct dep dep;
	int r = deps_get(view->engine, NULL, view->id, &dep);

	if (r == 0)
		fprintf(out, "../../%s", dep.stack);
	return r;
}

/* clang-format off */
static const struct entry dependents_entries[] = {
	{ .help = "a link to a stack that stands on it; rm lets that one go", .kind = KIND_LINK, .mode = 0777,
	  .subject = SUBJECT_DEP, .aspects = ASPECT_DEPS, .fleeting = true, .object = dep_object,
	  .show = dependent_show, .find = dependent_find, .each = dependent_each, .remove = dependent_remove },
};
/* clang-format on */

const struct directory dependents_directory = DIRECTORY(dependents_entries);
