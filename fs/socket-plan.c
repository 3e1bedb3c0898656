/* SPDX-License-Identifier: MIT */
/* The operation `plan`: what a workflow would do, without a run, a file or a stack that comes of it. In the
 * tree, a workflow is saved for that: workflows/NAME.sloth.d/plan. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/plan.h"
#include "engine/yaml.h"
#include "fs/nodes/nodes.h"
#include "fs/socket-internal.h"

static void show_json_body(const json_t *plan, FILE *out)
{
	show_json(out, plan);
}

static const struct {
	const char *name;
	void (*show)(const json_t *plan, FILE *out);
} formats[] = {
	{ "text", plan_show },
	{ "json", show_json_body },
	{ "dot", plan_show_dot },
};

enum { FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

static size_t format_of(struct op *op)
{
	const char *name = json_string_value(json_object_get(op->head, "format"));
	size_t i = 0;

	while (i < FORMAT_COUNT && strcmp(formats[i].name, name ? name : "text") != 0)
		i++;
	return i;
}

static void planned(void *userdata, const json_t *plan, const struct fault *fault)
{
	struct op *op = userdata;
	FILE *out = plan ? buffer_stream_open(&op->body) : NULL;

	if (fault)
		op->request.fault = *fault;
	if (out)
		formats[format_of(op)].show(plan, out);
	if (out && buffer_stream_close(out, &op->body) < 0)
		out = NULL;
	request_finish(&op->request, out ? 0 : fault ? -fault->code : -ENOMEM);
}

static void taken_back(struct request *request)
{
	plan_cancel(request->pending);
}

/* A list of documents, each over those before it. */
static int read_values(struct op *op, json_t **ret_values)
{
	const json_t *list = json_object_get(op->head, "values"), *text;
	json_auto_t *values = json_object();
	size_t i;

	json_array_foreach (list, i, text) {
		json_auto_t *one = NULL;
		int r = json_is_string(text) ? yaml_parse("values", json_string_value(text),
						       json_string_length(text), &op->request.fault, &one)
					     : -EINVAL;

		if (r == 0 && !json_is_object(one))
			r = fault_set(
				&op->request.fault, EINVAL, "values must be a table of names and values");
		if (r < 0)
			return r;
		json_object_update_recursive(values, one);
	}
	*ret_values = TAKE(values);
	return 0;
}

static int check_words(struct op *op, const char *file, const char *stack, size_t size)
{
	struct tree *tree = op->request.tree;
	struct fault *fault = &op->request.fault;

	if (!tree->runners)
		return -ENOTSUP;
	if (!workflow_takes(file))
		return fault_set(fault, EINVAL,
			"\"%.140s\" is no workflow's name: NAME.sloth, .lua or .yaml; letters, digits, '.', "
			"'_' and '-'",
			file);
	if (stack && name_check(stack) < 0)
		return fault_set(fault, EINVAL, "\"%.140s\" is no name of a stack", stack);
	if ((int64_t)size > tree->engine->config.max_document_size)
		return fault_set(fault, EFBIG, "the workflow is larger than max_document_size");
	if (format_of(op) == FORMAT_COUNT)
		return fault_set(fault, EINVAL, "\"format\" is text, json or dot");
	return 0;
}

ssize_t do_plan(struct op *op, const struct frame *frame)
{
	const char *stack = json_string_value(json_object_get(op->head, "stack")), *file;
	json_auto_t *values = NULL;
	struct planning *planning;
	int r = op_text(op, "file", &file);

	if (r == 0)
		r = check_words(op, file, stack, frame->body_size);
	if (r == 0)
		r = read_values(op, &values);
	if (r == 0)
		r = plan_start(op->request.tree->runners,
			&(struct plan_order){ .caller = &op->request.caller,
				.file = file,
				.text = frame->body,
				.size = frame->body_size,
				.stack = stack,
				.values = values,
				.options = json_object_get(op->head, "options"),
				.done = planned,
				.userdata = op },
			&op->request.fault, &planning);
	return r < 0 ? r : request_later(&op->request, taken_back, planning);
}
