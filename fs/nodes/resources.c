/* SPDX-License-Identifier: MIT */
/* stacks/S/resources/: folders of types, and what is in a resource. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/blame.h"
#include "engine/resource.h"
#include "fs/nodes/nodes.h"

int object_resource(struct view *view, struct object *ret_object)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	struct view stack_view = *view;
	int r = resource_get(view->engine, view->id, &resource);

	if (r < 0)
		return r;
	stack_view.id = resource.stack_id;
	r = object_stack(&stack_view, ret_object);
	if (r == 0)
		ret_object->mtime_ms = resource.updated_ms;
	return r;
}

/* Types: their folders are of a stack and a type. */

static int object_type(struct view *view, struct object *ret_object)
{
	struct view stack_view = *view;

	stack_view.id = node_packed_id(view->id);
	return object_stack(&stack_view, ret_object);
}

static int stop_at_first(void *userdata, const char *entry, int64_t id)
{
	return 1;
}

static int type_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	unsigned type;
	int r = name_check(name) == 0 ? resource_type_find(folder->engine, name, &type) : -ENOENT;

	if (r == 0)
		r = resource_entry_each(folder->engine, folder->id, type, stop_at_first, NULL);
	if (r <= 0)
		return r < 0 ? r : -ENOENT; /* a type of other stacks */
	*ret_id = node_pack(folder->id, type);
	return 0;
}

struct resource_emitter {
	node_emit *emit;
	void *userdata;
	int64_t stack_id;
};

static int emit_type(void *userdata, unsigned type, const char *name)
{
	struct resource_emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, name, node_pack(emitter->stack_id, type));
}

static int type_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	struct resource_emitter emitter = { emit, userdata, folder->id };

	return resource_type_each(folder->engine, folder->id, emit_type, &emitter);
}

static int resource_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	return resource_find_entry(
		folder->engine, node_packed_id(folder->id), node_packed_part(folder->id), name, ret_id);
}

static int resource_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return resource_entry_each(
		folder->engine, node_packed_id(folder->id), node_packed_part(folder->id), emit, userdata);
}

static int resource_remove_node(struct view *view)
{
	return resource_delete(view->engine, view->caller, view->id, view->fault);
}

/* Files: one function for each shape, with the part of the resource that is meant by the file's name. */

static const char *part_text(const struct resource *resource, const char *file)
{
	const struct {
		const char *file, *text;
	} parts[] = {
		{ "status", resource->status },
		{ "action", resource->action },
		{ "module", resource->module },
		{ "error", resource->error },
		{ "checksum", resource->checksum },
		{ "desired.json", resource->desired },
		{ "applied.json", resource->applied },
		{ "actual.json", resource->actual },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(parts[i].file, file))
			return parts[i].text;
	return "";
}

static int text_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(view->engine, view->id, &resource);
	const char *text = r == 0 ? part_text(&resource, node_entry(view->node)->name) : "";
	size_t size = strlen(text);

	if (size)
		fprintf(out, "%s%s", text, text[size - 1] == '\n' ? "" : "\n");
	return r;
}

static int state_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *value = NULL;
	const char *text;
	int r = resource_get(view->engine, view->id, &resource);

	if (r < 0)
		return r;
	text = part_text(&resource, node_entry(view->node)->name);
	value = *text ? json_loads(text, 0, NULL) : json_null();
	return value ? show_json(out, value) : -EBADMSG;
}

static int json_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *value = NULL;
	FILE *line = buffer_stream_open(&text);
	int r = line ? resource_get(view->engine, view->id, &resource) : -ENOMEM;

	if (r == 0)
		resource_write_json(view->engine, &resource, true, line);
	if (line && buffer_stream_close(line, &text) < 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	value = json_loadb(buffer_text(&text), text.size, 0, NULL);
	return value ? show_json(out, value) : -EBADMSG;
}

static int time_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	const char *file = node_entry(view->node)->name;
	int r = resource_get(view->engine, view->id, &resource);
	int64_t ms = !strcmp(file, "created")	? resource.created_ms
		     : !strcmp(file, "updated") ? resource.updated_ms
						: resource.applied_ms;
	char text[32];

	if (r == 0 && ms)
		fprintf(out, "%s\n", time_format(ms, text));
	return r;
}

static int edge_line(void *userdata, const struct resource_edge *edge)
{
	FILE *out = userdata;

	fprintf(out, "%s/", edge->type);
	text_write_safe(out, edge->name);
	fprintf(out, " %s%s\n", edge->is_explicit ? "explicit" : "implicit", edge->known ? "" : " missing");
	return 0;
}

static int needs_show(struct view *view, FILE *out)
{
	return resource_dependency_each(view->engine, view->id, edge_line, out);
}

static int needed_by_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(view->engine, view->id, &resource);

	return r < 0 ? r : resource_dependent_each(view->engine, &resource, edge_line, out);
}

static int blame_lines_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(view->engine, view->id, &resource);

	return r < 0 ? r : resource_blame_show(view->engine, &resource, view->fault, out);
}

static int blame_list_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *list = NULL;
	int r = resource_get(view->engine, view->id, &resource);

	if (r == 0)
		r = resource_blame_json(view->engine, &resource, view->fault, &list);
	return r < 0 ? r : show_json(out, list);
}

static int protect_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(view->engine, view->id, &resource);

	if (r == 0)
		fprintf(out, "%d\n", resource.protect);
	return r;
}

/* Changes what the draft says of the resource behind the view. */
static int resource_change(struct view *view, struct resource_draft *draft)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	enum resource_result result;
	int64_t id;
	int r = resource_get(view->engine, view->id, &resource);

	if (r < 0)
		return r;
	draft->type = resource.type;
	draft->name = resource.name;
	draft->update = true;
	return resource_put(view->engine, view->caller, resource.stack_id, draft, view->fault, &result, &id);
}

static int protect_write(struct view *view, const char *line, size_t size)
{
	struct resource_draft draft = { 0 };

	if (size && line[size - 1] == '\n')
		size--;
	draft.protect = size == 1 && line[0] == '1';
	if (size != 1 || (line[0] != '0' && line[0] != '1'))
		return fault_set(view->fault, EINVAL,
			"protect is 1 (neither the resource nor its stack can be destroyed) or 0");
	return resource_change(view, &draft);
}

static int desired_commit(struct view *view, const char *content, size_t size)
{
	json_error_t error;
	json_auto_t *value = json_loadb(content, size, JSON_REJECT_DUPLICATES, &error);
	struct resource_draft draft = { .properties = value, .protect = -1 };

	if (!value)
		return fault_set(
			view->fault, EINVAL, "desired.json:%d:%d: %s", error.line, error.column, error.text);
	return resource_change(view, &draft);
}

/* clang-format off */
static const struct entry types_entries[] = {
	{ .help = "resources of one type", .kind = KIND_DIRECTORY, .mode = 0777, .fleeting = true,
	  .directory = &resource_type_directory, .object = object_type, .find = type_find_node,
	  .each = type_each_node },
};

static const struct entry type_entries[] = {
	{ .help = "a resource", .kind = KIND_DIRECTORY, .mode = 0777, .subject = SUBJECT_RESOURCE,
	  .aspects = ASPECT_RESOURCES, .directory = &resource_directory, .object = object_resource,
	  .find = resource_find_node, .each = resource_each_node, .remove = resource_remove_node },
};

#define RESOURCE_FILE(file, words)                                                                           \
	.name = file, .help = words, .mode = 0444, .subject = SUBJECT_RESOURCE, .aspects = ASPECT_RESOURCES,  \
	.object = object_resource

static const struct entry resource_entries[] = {
	{ RESOURCE_FILE("status", "pending, applied, failed, drifted or unknown"), .kind = KIND_TEXT,
	  .show = text_show },
	{ RESOURCE_FILE("status.json", "the resource in one JSON object"), .kind = KIND_TEXT, .fleeting = true,
	  .show = json_show },
	{ .name = "desired.json", .help = "the properties that are asked for", .kind = KIND_DOCUMENT, .mode = 0666,
	  .subject = SUBJECT_RESOURCE, .aspects = ASPECT_RESOURCES, .object = object_resource, .show = state_show,
	  .commit = desired_commit },
	{ RESOURCE_FILE("applied.json", "the properties that were brought about last"), .kind = KIND_TEXT,
	  .show = state_show },
	{ RESOURCE_FILE("actual.json", "the properties that were seen last"), .kind = KIND_TEXT,
	  .show = state_show },
	{ RESOURCE_FILE("checksum", "SHA-256 of what is desired"), .kind = KIND_TEXT, .show = text_show },
	{ RESOURCE_FILE("depends", "what it depends on, a line each"), .kind = KIND_TEXT, .fleeting = true,
	  .show = needs_show },
	{ RESOURCE_FILE("dependents", "what depends on it, a line each"), .kind = KIND_TEXT, .fleeting = true,
	  .show = needed_by_show },
	{ .name = "protect", .help = "1: it can't be destroyed", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_RESOURCE, .aspects = ASPECT_RESOURCES, .object = object_resource,
	  .show = protect_show, .write = protect_write },
	{ RESOURCE_FILE("blame", "which version, who and when, for each desired attribute"), .kind = KIND_TEXT,
	  .fleeting = true, .show = blame_lines_show },
	{ RESOURCE_FILE("blame.json", "the same as JSON"), .kind = KIND_TEXT, .fleeting = true,
	  .show = blame_list_show },
	{ RESOURCE_FILE("module", "the module that looks after it"), .kind = KIND_TEXT, .show = text_show },
	{ RESOURCE_FILE("action", "create or update: what made it as it is desired"), .kind = KIND_TEXT,
	  .show = text_show },
	{ RESOURCE_FILE("error", "why it failed"), .kind = KIND_TEXT, .show = text_show },
	{ RESOURCE_FILE("created", "when it was registered"), .kind = KIND_TEXT, .show = time_show },
	{ RESOURCE_FILE("updated", "when it changed last"), .kind = KIND_TEXT, .show = time_show },
	{ RESOURCE_FILE("last_applied", "when it was brought about last"), .kind = KIND_TEXT, .show = time_show },
};
/* clang-format on */

const struct directory resources_directory = DIRECTORY(types_entries);
const struct directory resource_type_directory = DIRECTORY(type_entries);
const struct directory resource_directory = DIRECTORY(resource_entries);
