/* SPDX-License-Identifier: MIT */
/* NAME.sloth in runs/ and stacks/S/runs/: a workflow that is written there runs. And the links NAME, latest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/runner.h"
#include "engine/yaml.h"
#include "fs/nodes/nodes.h"

/* What was set on a file before its close, as extended attributes. */
struct option {
	TAILQ_ENTRY(option) options;
	int64_t stack_id; /* the folder: a stack's or (0) that of all */
	uid_t uid;
	char file[NAME_SIZE + 8];
	char name[16];
	json_t *value;
};

enum { OPTIONS_MAX = 256 };

static void option_free(struct tree *tree, struct option *option)
{
	TAILQ_REMOVE(&tree->options, option, options);
	json_decref(option->value);
	free(option);
}

void workflow_options_free(struct tree *tree)
{
	struct option *option;

	while ((option = TAILQ_FIRST(&tree->options)))
		option_free(tree, option);
}

static struct option *option_find(
	struct tree *tree, uid_t uid, int64_t stack_id, const char *file, const char *name)
{
	struct option *option;

	TAILQ_FOREACH (option, &tree->options, options)
		if (option->uid == uid && option->stack_id == stack_id && !strcmp(option->file, file) &&
			!strcmp(option->name, name))
			return option;
	return NULL;
}

/* Gives the option away and forgets it. */
static json_t *option_take(struct view *view, int64_t stack_id, const char *file, const char *name)
{
	struct option *option = option_find(view->tree, view->caller->uid, stack_id, file, name);
	json_t *value;

	if (!option)
		return NULL;
	value = TAKE(option->value);
	option_free(view->tree, option);
	return value;
}

static const char *const suffixes[] = { ".sloth", ".lua", ".yaml", ".yml" };

/* Bytes of the name before the suffix; 0: no workflow's name. */
static size_t stem_size(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t m = strlen(suffixes[i]);

		if (n > m && !strcmp(name + n - m, suffixes[i]))
			return n - m;
	}
	return 0;
}

bool workflow_takes(const char *name)
{
	return name_check(name) == 0 && stem_size(name) > 0;
}

static int check_json_object(
	struct view *view, const char *option, const char *value, size_t size, json_t **ret_value)
{
	json_auto_t *parsed = NULL;
	int r = yaml_parse(option, value, size, view->fault, &parsed); /* JSON is YAML */

	if (r < 0)
		return r;
	if (!json_is_object(parsed))
		return fault_set(
			view->fault, EINVAL, "user.sloth.%s must be a table of names and values", option);
	*ret_value = TAKE(parsed);
	return 0;
}

static int check_stack_name(
	struct view *view, const char *option, const char *value, size_t size, json_t **ret_value)
{
	json_auto_t *name = json_stringn(value, size);

	if (!name || !text_is_utf8(value, size) || name_check(json_string_value(name)) < 0)
		return fault_set(view->fault, EINVAL, "user.sloth.stack is no valid name of a stack");
	*ret_value = TAKE(name);
	return 0;
}

static const struct {
	const char *name;
	int (*check)(
		struct view *view, const char *option, const char *value, size_t size, json_t **ret_value);
} option_rows[] = {
	{ "values", check_json_object },
	{ "options", check_json_object },
	{ "stack", check_stack_name },
};

static int store_option(
	struct view *view, int64_t stack_id, const char *file, const char *name, json_t *value)
{
	struct option *option = option_find(view->tree, view->caller->uid, stack_id, file, name), *other;
	size_t count = 0;

	if (option && json_is_object(value) && json_is_object(option->value)) {
		/* Said again: over what was said before. */
		return json_object_update_recursive(option->value, value) == 0 ? 0 : -ENOMEM;
	}
	if (option) {
		json_decref(option->value);
		option->value = json_incref(value);
		return 0;
	}
	TAILQ_FOREACH (other, &view->tree->options, options)
		count++;
	if (count >= OPTIONS_MAX)
		option_free(view->tree, TAILQ_FIRST(&view->tree->options));
	option = calloc(1, sizeof(*option));
	if (!option)
		return -ENOMEM;
	option->stack_id = stack_id;
	option->uid = view->caller->uid;
	snprintf(option->file, sizeof(option->file), "%s", file);
	snprintf(option->name, sizeof(option->name), "%s", name);
	option->value = json_incref(value);
	TAILQ_INSERT_TAIL(&view->tree->options, option, options);
	return 0;
}

int workflow_set_option(
	struct view *view, const char *file, const char *option, const char *value, size_t size)
{
	json_auto_t *parsed = NULL;
	struct workflow_file known;
	int64_t stack_id = view->id;
	int r;

	if (!file) {
		r = workflow_file_get(view->engine, view->id, &known);
		if (r < 0)
			return r;
		file = known.name;
		stack_id = known.stack_id;
	}
	for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++) {
		if (strcmp(option_rows[i].name, option))
			continue;
		r = option_rows[i].check(view, option, value, size, &parsed);
		return r < 0 ? r : store_option(view, stack_id, file, option, parsed);
	}
	return fault_set(view->fault, ENOTSUP,
		"user.sloth.%s is unknown; a workflow has user.sloth.values, user.sloth.stack and "
		"user.sloth.options",
		option);
}

void workflow_forget_options(struct view *view, const char *file)
{
	struct workflow_file known;
	int64_t stack_id = view->id;

	if (!file) {
		if (workflow_file_get(view->engine, view->id, &known) < 0)
			return;
		file = known.name;
		stack_id = known.stack_id;
	}
	for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++)
		json_decref(option_take(view, stack_id, file, option_rows[i].name));
}

static void submitted(void *userdata, int result, const struct fault *fault)
{
	struct request *request = userdata;

	if (fault && result < 0)
		request->fault = *fault;
	request_finish(request, result);
}

static void submission_taken_back(struct request *request)
{
	runner_forget(request->tree->runners, request->started_run);
}

/* The stack that was asked for: one that is missing is made when the workflow has been loaded. */
static int check_stack_option(struct view *view, const json_t *name, int64_t *stack_id)
{
	struct stack stack;
	int r;

	if (!name)
		return 0;
	if (*stack_id)
		return fault_set(view->fault, EINVAL, "user.sloth.stack is for the folder runs/ only");
	r = stack_find(view->engine, json_string_value(name), &stack);
	if (r == 0)
		*stack_id = stack.id;
	return r == -ENOENT ? 0 : r;
}

/* `folder_id`: the stack whose runs/ this is, 0: that of all. *ret_file: the file's own id. */
static int submit(struct view *view, const char *file, int64_t folder_id, const char *content, size_t size,
	int64_t *ret_file)
{
	json_auto_t *values = option_take(view, folder_id, file, "values");
	json_auto_t *options = option_take(view, folder_id, file, "options");
	json_auto_t *stack = option_take(view, folder_id, file, "stack");
	struct submission submission = { .file = file,
		.stack_id = folder_id,
		.text = content,
		.size = size,
		.values = values,
		.options = options,
		.loaded = submitted,
		.userdata = view->request };
	struct workflow_file known;
	int64_t run_id = 0;
	int r;

	if (size == 0)
		return 0;
	if (!view->tree->runners)
		return fault_set(view->fault, ENOTSUP, "nothing can be run here");
	submission.stack = json_string_value(stack);
	r = check_stack_option(view, stack, &submission.stack_id);
	if (r < 0)
		return r;
	r = runner_submit(view->tree->runners, view->caller, &submission, view->fault, &run_id);
	view->request->started_run = run_id;
	if (run_id && workflow_file_set(view->engine, folder_id, file, run_id) == 0 &&
		workflow_file_find(view->engine, folder_id, file, &known) == 0)
		*ret_file = known.id;
	return r < 0 ? r : request_later(view->request, submission_taken_back, NULL);
}

int workflow_put(struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id)
{
	return submit(folder, name, folder->id, content, size, ret_id);
}

int workflow_commit(struct view *view, const char *content, size_t size)
{
	struct workflow_file file;
	int64_t id;
	int r = workflow_file_get(view->engine, view->id, &file);

	return r < 0 ? r : submit(view, file.name, file.stack_id, content, size, &id);
}

static bool file_visible(struct view *folder, const struct workflow_file *file)
{
	struct run run;

	if (folder->id || !file->run_id || run_get(folder->engine, file->run_id, &run) < 0)
		return true; /* in a stack's own folder, who sees the folder sees its files */
	return run_visible(folder, &run);
}

int workflow_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct workflow_file file;
	int r;

	if (!workflow_takes(name))
		return -ENOENT;
	/* Found even when the caller may not see it: the name is taken, as in every shared folder. */
	r = workflow_file_find(folder->engine, folder->id, name, &file);
	if (r == 0)
		*ret_id = file.id;
	return r;
}

struct workflow_emitter {
	struct view *folder;
	node_emit *emit;
	void *userdata;
	bool stems;
};

static int emit_file(void *userdata, const struct workflow_file *file)
{
	struct workflow_emitter *emitter = userdata;
	char name[NAME_SIZE + 8];

	if (!file_visible(emitter->folder, file))
		return 0;
	snprintf(name, sizeof(name), "%.*s",
		(int)(emitter->stems ? stem_size(file->name) : strlen(file->name)), file->name);
	return emitter->emit(emitter->userdata, name, file->id);
}

int workflow_each(struct view *folder, node_emit *emit, void *userdata)
{
	struct workflow_emitter emitter = { folder, emit, userdata, false };

	return workflow_file_each(folder->engine, folder->id, emit_file, &emitter);
}

int workflow_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct workflow_file file;
	int r = workflow_file_get(view->engine, view->id, &file);

	if (r == 0 && file.run_id)
		r = run_text(view->engine, file.run_id, RUN_WORKFLOW, &text);
	if (r == 0)
		fwrite(buffer_text(&text), 1, text.size, out);
	return r == -ENOENT ? 0 : r;
}

int64_t workflow_stamp(struct view *view)
{
	struct workflow_file file;

	return workflow_file_get(view->engine, view->id, &file) == 0 ? file.updated_ms : 0;
}

int workflow_remove(struct view *view)
{
	return workflow_file_delete(view->engine, view->id);
}

/* The link NAME: the newest run of NAME.sloth (or .lua, .yaml). Of two files of one stem, the one that ran
 * last. */
static int newest_of_stem(struct view *folder, const char *stem, struct workflow_file *ret_file)
{
	struct workflow_file file;
	bool found = false;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char name[NAME_SIZE + 16];

		snprintf(name, sizeof(name), "%s%s", stem, suffixes[i]);
		if (workflow_file_find(folder->engine, folder->id, name, &file) == 0 && file.run_id &&
			(!found || file.run_id > ret_file->run_id)) {
			*ret_file = file;
			found = true;
		}
	}
	return found ? 0 : -ENOENT;
}

int workflow_link_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct workflow_file file;
	int r = name_check(name) == 0 ? newest_of_stem(folder, name, &file) : -ENOENT;

	if (r == 0 && !file_visible(folder, &file))
		r = -ENOENT;
	if (r == 0)
		*ret_id = file.id;
	return r;
}

static int emit_stem(void *userdata, const struct workflow_file *file)
{
	struct workflow_emitter *emitter = userdata;
	struct workflow_file newest;
	char stem[NAME_SIZE + 8];

	snprintf(stem, sizeof(stem), "%.*s", (int)stem_size(file->name), file->name);
	if (newest_of_stem(emitter->folder, stem, &newest) < 0 || newest.id != file->id)
		return 0;
	return emit_file(userdata, file);
}

int workflow_link_each(struct view *folder, node_emit *emit, void *userdata)
{
	struct workflow_emitter emitter = { folder, emit, userdata, true };

	return workflow_file_each(folder->engine, folder->id, emit_stem, &emitter);
}

int workflow_link_show(struct view *view, FILE *out)
{
	struct workflow_file file;
	int r = workflow_file_get(view->engine, view->id, &file);

	if (r == 0)
		fprintf(out, "%lld", (long long)file.run_id);
	return r;
}
