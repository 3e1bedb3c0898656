/* SPDX-License-Identifier: MIT */
/* stacks/ and what is in a stack. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/export.h"
#include "engine/folder.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/stack.h"
#include "fs/nodes/events.h"
#include "fs/nodes/locks.h"
#include "fs/nodes/state.h"
#include "fs/scratch.h"
#include "fs/nodes/versions.h"

static int stack_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	struct stack stack;
	int r = name_check(name) == 0 ? stack_find(folder->engine, name, &stack) : -ENOENT;

	if (r == 0)
		*ret_id = stack.id;
	return r;
}

static int emit_stack(void *userdata, const struct stack *stack)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, stack->name, stack->id);
}

static int stack_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return stack_each(folder->engine, "", emit_stack, &(struct emitter){ emit, userdata });
}

static int stack_make(struct view *folder, const char *name, mode_t mode, int64_t *ret_id)
{
	struct stack stack;
	int r = folder_make_stack(folder->engine, folder->caller, name, mode & 0777, folder->fault, &stack);

	if (r == 0)
		*ret_id = stack.id;
	return r;
}

static int stack_remove_node(struct view *view)
{
	return stack_destroy(view->engine, view->caller, view->id, view->fault);
}

static int stack_rename_node(struct view *view, const char *name)
{
	return stack_rename(view->engine, view->caller, view->id, name, view->fault);
}

static int stack_chmod_node(struct view *view, mode_t mode)
{
	return stack_chmod(view->engine, view->caller, view->id, mode, view->fault);
}

static int stack_chown_node(struct view *view, uid_t uid, gid_t gid)
{
	return stack_chown(view->engine, view->caller, view->id, uid, gid, view->fault);
}

/* clang-format off */
static const struct entry stacks_entries[] = {
	{ .help = "a stack", .kind = KIND_DIRECTORY, .mode = 07777, .subject = SUBJECT_STACK,
	  .aspects = ASPECT_META | ASPECT_NAMES, .directory = &stack_directory, .object = object_stack,
	  .find = stack_find_node, .each = stack_each_node, .make = stack_make, .remove = stack_remove_node,
	  .rename = stack_rename_node, .chmod = stack_chmod_node, .chown = stack_chown_node },
};
/* clang-format on */

const struct directory stacks_directory = DIRECTORY(stacks_entries);

/* In a stack. */

static int status_show(struct view *view, FILE *out)
{
	struct stack stack;
	int r = stack_get(view->engine, view->id, &stack);

	if (r == 0)
		fprintf(out, "%s\n", stack_status_name(stack.status));
	return r;
}

/* Texts: which one stands behind a row is said by its place in this table. */
struct text_row {
	const char *name;
	enum stack_text which;
};

static const struct text_row text_rows[] = {
	{ "description", STACK_DESCRIPTION },
	{ "version", STACK_VERSION },
	{ "config.yaml", STACK_CONFIG },
	{ "values.yaml", STACK_VALUES },
	{ "workflow", STACK_WORKFLOW },
};

static enum stack_text text_of(const struct view *view)
{
	const char *name = node_entry(view->node)->name;

	for (size_t i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++)
		if (!strcmp(text_rows[i].name, name))
			return text_rows[i].which;
	return STACK_DESCRIPTION;
}

static int text_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	enum stack_text which = text_of(view);
	int r = stack_text(view->engine, view->id, which, &text, NULL);

	if (r < 0)
		return r;
	fwrite(buffer_text(&text), 1, text.size, out);
	if ((which == STACK_DESCRIPTION || which == STACK_VERSION) && text.size &&
		text.data[text.size - 1] != '\n')
		fputc('\n', out);
	return 0;
}

static int64_t text_stamp(struct view *view)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t stamp = 0;

	stack_text(view->engine, view->id, text_of(view), &text, &stamp);
	return stamp;
}

static int text_set(struct view *view, const char *text, size_t size)
{
	return stack_set_text(view->engine, view->caller, view->id, text_of(view), text, size, view->fault);
}

static int time_show(struct view *view, FILE *out)
{
	bool created = !strcmp(node_entry(view->node)->name, "created");
	struct stack stack;
	char text[32];
	int r = stack_get(view->engine, view->id, &stack);

	if (r == 0)
		fprintf(out, "%s\n", time_format(created ? stack.created_ms : stack.updated_ms, text));
	return r;
}

static int outputs_show(struct view *view, FILE *out)
{
	output_show(view->engine, view->id, out);
	return 0;
}

static int outputs_json_show(struct view *view, FILE *out)
{
	output_show_json(view->engine, view->id, out);
	return 0;
}

static int64_t outputs_stamp(struct view *view)
{
	return output_time(view->engine, view->id);
}

static int resources_json_show(struct view *view, FILE *out)
{
	return resource_write_list(view->engine, view->id, out);
}

static int export_show(struct view *view, FILE *out)
{
	return stack_export(view->engine, view->caller, view->id, out);
}

static int export_commit(struct view *view, const char *content, size_t size)
{
	return stack_import(view->engine, view->caller, view->id, content, size, view->fault);
}

/* clang-format off */
static const struct entry stack_entries[] = {
	{ .name = "status", .help = "created, running, completed or failed", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_STATUS | ASPECT_META, .object = object_stack,
	  .show = status_show },
	{ .name = "status.json", .help = "the stack in one JSON object", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_ALL, .object = object_stack, .show = stack_status_json_show },
	{ .name = "description", .help = "one line for people", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META, .object = object_stack, .stamp = text_stamp,
	  .show = text_show, .write = text_set },
	{ .name = "version", .help = "the version of what is deployed", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META, .object = object_stack, .stamp = text_stamp,
	  .show = text_show, .write = text_set },
	{ .name = "created", .help = "when it was made", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_STACK,
	  .aspects = ASPECT_META, .object = object_stack, .show = time_show },
	{ .name = "updated", .help = "when it changed last", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_ALL, .object = object_stack, .show = time_show },
	{ .name = "config.yaml", .help = "settings of this stack", .kind = KIND_DOCUMENT, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_DOCUMENTS | ASPECT_META, .unlinkable = true,
	  .object = object_stack, .stamp = text_stamp, .show = text_show, .commit = text_set },
	{ .name = "values.yaml", .help = "the values that its workflows see", .kind = KIND_DOCUMENT, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_DOCUMENTS | ASPECT_META, .unlinkable = true,
	  .object = object_stack, .stamp = text_stamp, .show = text_show, .commit = text_set },
	{ .name = "workflow", .help = "the workflow that ran here last", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_DOCUMENTS | ASPECT_META, .object = object_stack,
	  .stamp = text_stamp, .show = text_show },
	{ .name = "outputs", .help = "key=value lines", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_STACK,
	  .aspects = ASPECT_OUTPUTS | ASPECT_META, .object = object_stack, .stamp = outputs_stamp,
	  .show = outputs_show },
	{ .name = "outputs.json", .help = "the outputs as one JSON object", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_OUTPUTS | ASPECT_META, .object = object_stack,
	  .stamp = outputs_stamp, .show = outputs_json_show },
	{ .name = "outputs.d", .help = "one raw value a file", .kind = KIND_DIRECTORY, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_OUTPUTS, .directory = &outputs_directory,
	  .object = object_stack },
	{ .name = "resources", .help = "what its workflows look after: a folder a type", .kind = KIND_DIRECTORY,
	  .mode = 0777, .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_RESOURCES,
	  .directory = &resources_directory, .object = object_stack },
	{ .name = "resources.json", .help = "all resources in one JSON list", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_RESOURCES | ASPECT_META, .object = object_stack,
	  .show = resources_json_show },
	{ .name = "export.json", .help = "the whole stack in one document", .kind = KIND_DOCUMENT, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_ALL, .fleeting = true, .object = object_stack,
	  .show = export_show, .commit = export_commit },
	{ .name = "lock", .help = "who holds the stack and who waits; commands", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_LOCK, .fleeting = true, .waits = true, .lockable = true,
	  .object = object_stack, .stamp = lock_node_stamp, .show = lock_node_show,
	  .write = lock_node_write, .remove = lock_node_remove },
	{ .name = "lock.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_LOCK, .object = object_stack, .stamp = lock_node_stamp,
	  .show = lock_node_show_json },
	{ .name = "depends", .help = "what it stands on, in which versions, and how that is; commands",
	  .kind = KIND_CONTROL, .mode = 0666, .fleeting = true, .subject = SUBJECT_STACK, .aspects = ASPECT_DEPS,
	  .object = object_stack, .show = depends_show, .write = depends_write },
	{ .name = "depends.json", .help = "the same as JSON, with the dependents", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .subject = SUBJECT_STACK, .aspects = ASPECT_DEPS, .object = object_stack,
	  .show = depends_json_show },
	{ .name = "deps", .help = "links to the stacks that it stands on", .kind = KIND_DIRECTORY, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_DEPS, .directory = &deps_directory,
	  .object = object_stack },
	{ .name = "dependents", .help = "links to the stacks that stand on it", .kind = KIND_DIRECTORY, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_DEPS, .directory = &dependents_directory,
	  .object = object_stack },
	{ .name = "tags", .help = "its tags: touch adds one, rm removes it", .kind = KIND_DIRECTORY, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_TAGS, .directory = &stack_tags_directory,
	  .object = object_stack },
	{ .name = "state", .help = "the stack's keys and values", .kind = KIND_DIRECTORY, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_STATE, .directory = &stack_state_directory,
	  .object = object_stack },
	{ .name = "state.ctl", .help = "commands for the keys: incr, cas, list", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META, .object = object_stack_ctl, .show = state_ctl_show, .write = state_ctl_write },
	{ .name = "snapshots", .help = "its versions, and which are kept on purpose", .kind = KIND_DIRECTORY,
	  .mode = 0777, .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_VERSIONS,
	  .directory = &snapshots_directory, .object = object_versions },
	{ .name = "at", .help = "at/TIME: the version of that time", .kind = KIND_DIRECTORY, .mode = 0555,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META, .directory = &at_directory,
	  .object = object_versions },
	{ .name = "history", .help = "its versions, the newest first", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_VERSIONS, .object = object_stack,
	  .show = history_show },
	{ .name = "history.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_VERSIONS, .object = object_stack,
	  .show = history_json_show },
	{ .name = "blame", .help = "which version, who and when, for each thing that it has", .kind = KIND_TEXT,
	  .mode = 0444, .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_VERSIONS,
	  .object = object_stack, .show = blame_show },
	{ .name = "blame.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_VERSIONS, .object = object_stack,
	  .show = blame_json_show },
	{ .name = "validate", .help = "reading does the checks that come before a run", .kind = KIND_WAIT, .mode = 0444,
	  .subject = SUBJECT_STACK, .object = object_stack, .ask = validate_ask },
	{ .name = "validate.json", .help = "the same as JSON", .kind = KIND_WAIT, .mode = 0444,
	  .subject = SUBJECT_STACK, .object = object_stack, .ask = validate_ask },
	{ .name = "coverage", .help = "what of its folders is looked after: reading looks", .kind = KIND_WAIT,
	  .mode = 0444, .subject = SUBJECT_STACK, .object = object_stack, .ask = coverage_ask },
	{ .name = "coverage.json", .help = "the same as JSON", .kind = KIND_WAIT, .mode = 0444,
	  .subject = SUBJECT_STACK, .object = object_stack, .ask = coverage_ask },
	{ .name = "metrics", .help = "what its workflows have measured; commands", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_STACK, .fleeting = true, .object = object_stack, .show = metrics_show,
	  .write = metrics_write },
	{ .name = "metrics.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_STACK, .object = object_stack, .show = metrics_show },
	{ .name = "activity", .help = "this stack's events", .kind = KIND_STREAM, .mode = 0444,
	  .aspects = ASPECT_EVENTS, .subject = SUBJECT_STACK, .object = object_stack, .stream = &activity_stream },
	{ .name = "activity.json", .help = "the same, a JSON object a line", .kind = KIND_STREAM, .mode = 0444,
	  .aspects = ASPECT_EVENTS, .subject = SUBJECT_STACK, .object = object_stack,
	  .stream = &activity_json_stream },
	{ .name = "runs", .help = "its runs; writing a workflow here runs it", .kind = KIND_DIRECTORY, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META, .directory = &stack_runs_directory,
	  .object = object_stack },
	{ .name = "drift", .help = "how its resources differ from what is asked for; commands", .kind = KIND_CONTROL,
	  .mode = 0666, .fleeting = true, .waits = true, .subject = SUBJECT_STACK,
	  .aspects = ASPECT_META | ASPECT_DRIFT | ASPECT_RESOURCES, .object = object_stack,
	  .show = drift_node_show, .write = drift_node_write },
	{ .name = "drift.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_DRIFT | ASPECT_RESOURCES,
	  .object = object_stack, .show = drift_json_node_show },
	{ .name = "drift.d", .help = "a file for each resource that differs", .kind = KIND_DIRECTORY, .mode = 0555,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_DRIFT, .directory = &drift_directory,
	  .object = object_stack },
	{ .name = "drift.history", .help = "drift that is over, the latest first", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_DRIFT, .object = object_stack,
	  .show = drift_history_node_show },
	{ .name = "drift.history.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META | ASPECT_DRIFT, .object = object_stack,
	  .show = drift_history_json_node_show },
};
/* clang-format on */

const struct directory stack_directory = {
	.entries = stack_entries,
	.count = sizeof(stack_entries) / sizeof(stack_entries[0]),
	.scratch = true,
};

/* outputs.d/ */

static int output_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	return name_check(name) == 0 ? output_find(folder->engine, folder->id, name, ret_id) : -ENOENT;
}

static int emit_output(void *userdata, const struct output *output)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, output->name, output->id);
}

static int output_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return output_each(folder->engine, folder->id, emit_output, &(struct emitter){ emit, userdata });
}

static int output_show_node(struct view *view, FILE *out)
{
	return output_show_raw(view->engine, view->caller, view->id, view->fault, out);
}

static int output_opened(struct view *view, bool reads)
{
	int r = 0;

	if (!output_sensitive(view->engine, view->id))
		return 0;
	if (reads)
		r = output_note_read(view->engine, view->caller, view->id);
	return r < 0 ? r : 1;
}

static int sensitive_get(struct view *view, FILE *out)
{
	if (!output_sensitive(view->engine, view->id))
		return -ENODATA;
	fputc('1', out);
	return 0;
}

static int sensitive_set(struct view *view, const char *value, size_t size)
{
	if (!value || strcmp(value, "1") != 0)
		return fault_set(view->fault, EPERM,
			"user.sloth.sensitive is 1: an output that is sensitive stays so until it is "
			"removed");
	return output_make_sensitive(view->engine, view->caller, view->id, view->fault);
}

static const struct attribute output_attributes[] = {
	{ "sensitive", sensitive_get, sensitive_set },
	{ NULL },
};

/* What people and scripts write is text: the newline that echo adds is not part of it. */
static int text_value(const char *text, size_t size, struct fault *fault, json_t **ret_value)
{
	if (size && text[size - 1] == '\n')
		size--;
	return kv_value_parse(text, size, "string", fault, ret_value);
}

static int output_commit(struct view *view, const char *content, size_t size)
{
	json_auto_t *value = NULL;
	char name[NAME_SIZE];
	int64_t stack_id;
	int r;

	r = text_value(content, size, view->fault, &value);
	if (r == 0)
		r = output_get(view->engine, view->id, name, &stack_id, NULL, NULL);
	return r < 0 ? r : output_set(view->engine, view->caller, stack_id, name, value, view->fault);
}

static int output_put(
	struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id)
{
	struct scratch *draft = scratch_find(folder->tree->scratch, node_number(folder->node), name);
	json_auto_t *value = NULL;
	bool sensitive;
	int r;

	r = text_value(content, size, folder->fault, &value);
	if (r < 0)
		return r;
	/* It was marked before it had a content: then it is never stored in the clear. */
	sensitive = draft && json_object_get(draft->options, "sensitive");
	r = output_set_as(folder->engine, folder->caller, folder->id, name, value, sensitive, folder->fault);
	return r < 0 ? r : output_find(folder->engine, folder->id, name, ret_id);
}

static int output_remove(struct view *view)
{
	char name[NAME_SIZE];
	int64_t stack_id;
	int r = output_get(view->engine, view->id, name, &stack_id, NULL, NULL);

	return r < 0 ? r : output_delete(view->engine, view->caller, stack_id, name, view->fault);
}

/* clang-format off */
static const struct entry outputs_entries[] = {
	{ .help = "one output", .kind = KIND_DOCUMENT, .mode = 0666, .subject = SUBJECT_OUTPUT,
	  .aspects = ASPECT_OUTPUTS | ASPECT_META, .object = object_output, .show = output_show_node,
	  .opened = output_opened, .commit = output_commit, .remove = output_remove,
	  .attributes = output_attributes, .find = output_find_node, .each = output_each_node,
	  .put = output_put },
};
/* clang-format on */

const struct directory outputs_directory = DIRECTORY(outputs_entries);
