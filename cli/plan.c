/* SPDX-License-Identifier: MIT */
/* Plans of workflows, from the daemon; pictures of them are made here. */
#include "cli/plan.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/deps.h"
#include "cli/input.h"
#include "cli/print.h"
#include "cli/values.h"

/* --values FILE …, then what --set gives. */
static int values_list(struct command *command, json_t **ret_list)
{
	CLEANUP(cleanup_free) char *assigned = NULL;
	json_auto_t *list = json_array();
	const char *file;
	int position = 0, r = values_set_text(command, &assigned);

	while (r == 0 && (file = command_next(command, "values", &position))) {
		CLEANUP(buffer_done) struct buffer content = { 0 };

		r = input_read(command, file, &content);
		if (r == 0 &&
			json_array_append_new(list, json_stringn(buffer_text(&content), content.size)) < 0)
			r = fault_set(&command->fault, EINVAL, "%s: is no UTF-8 text", file);
	}
	if (r == 0 && assigned)
		json_array_append_new(list, json_string(assigned));
	if (r == 0)
		*ret_list = TAKE(list);
	return r;
}

int plan_ask(struct command *command, const char *name, const struct buffer *workflow, const json_t *options,
	const char *format, struct buffer *ret_plan)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	json_t *values;
	int r = values_list(command, &values);

	if (r < 0)
		return r;
	if (!command_client(command)) {
		json_decref(values);
		return -command->fault.code;
	}
	r = client_call(&command->client, "plan",
		json_pack("{ss ss* so sO* ss}", "file", name, "stack", command_option(command, "stack"),
			"values", values, "options", options, "format", format),
		buffer_text(workflow), workflow->size, &command->fault, &answer);
	return r < 0 ? r : buffer_append(ret_plan, buffer_text(&answer.body), answer.body.size);
}

static int as_it_is(struct command *command, const char *dot, struct buffer *ret_picture)
{
	return buffer_append_text(ret_picture, dot);
}

static int as_svg(struct command *command, const char *dot, struct buffer *ret_picture)
{
	return graphviz_render(dot, "svg", &command->fault, ret_picture);
}

static const struct {
	const char *name, *asked; /* what the daemon is asked for */
	int (*draw)(struct command *command, const char *text, struct buffer *ret_picture);
} formats[] = {
	{ "text", "text", as_it_is },
	{ "json", "json", as_it_is },
	{ "dot", "dot", as_it_is },
	{ "svg", "dot", as_svg },
};

int plan_print(struct command *command, const char *name, const struct buffer *workflow,
	const json_t *options, const char *format)
{
	CLEANUP(buffer_done) struct buffer plan = { 0 };
	CLEANUP(buffer_done) struct buffer drawn = { 0 };
	size_t i = 0, count = sizeof(formats) / sizeof(formats[0]);
	int r;

	if (!format && command->format == FORMAT_YAML) {
		r = plan_ask(command, name, workflow, options, "json", &plan);
		return r < 0 ? r : print_value(command, json_loadb(plan.data, plan.size, 0, NULL));
	}
	if (!format)
		format = command->format == FORMAT_JSON ? "json" : "text";
	while (i < count && strcmp(formats[i].name, format) != 0)
		i++;
	if (i == count)
		return fault_set(
			&command->fault, EINVAL, "--format %s: it must be text, json, dot or svg", format);
	r = plan_ask(command, name, workflow, options, formats[i].asked, &plan);
	if (r == 0)
		r = formats[i].draw(command, buffer_text(&plan), &drawn);
	if (r == 0)
		fwrite(buffer_text(&drawn), 1, drawn.size, stdout);
	return r;
}
