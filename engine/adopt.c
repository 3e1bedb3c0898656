/* SPDX-License-Identifier: MIT */
/* The workflow that adopts things. */
#include "engine/adopt.h"

#include <errno.h>

#include "base/cleanup.h"
#include "engine/drift-internal.h"
#include "engine/lock.h"

/* A dry run takes no lock. */
static const char only_looks[] = ":config({ require_lock = false, create_snapshot = false })";

static const char command[] =
	"\tcommand = function(this)\n"
	"\t\tlocal ok, message, res = resource.adopt(types, selector, options)\n"
	"\t\tif not res or not res.resources then\n"
	"\t\t\treturn false, message\n"
	"\t\tend\n"
	"\t\tlocal told = { dry_run = options.dry_run or false, notes = res.notes, resources = {} }\n"
	"\t\tfor i, one in ipairs(res.resources) do\n"
	"\t\t\ttold.resources[i] = { type = one.type, name = one.name, result = one.result, reason = "
	"one.reason }\n"
	"\t\tend\n"
	"\t\tfs.write(\"adopted.json\", json.encode(told))\n"
	"\t\tfs.write(\"adopted.sloth\", resource.declarations(res.resources, this.stack))\n"
	"\t\tfor _, note in ipairs(res.notes) do\n"
	"\t\t\tprint(note)\n"
	"\t\tend\n"
	"\t\treturn true, res.message, { changed = res.changed, refused = not ok and res.message or nil }\n"
	"\tend,\n"
	"})\n"
	"\n"
	"task(\"all\", {\n"
	"\tdescription = \"Nothing is left out\",\n"
	"\tdepends_on = { \"adopt\" },\n"
	"\tcommand = function(this, params, deps)\n"
	"\t\treturn not deps.adopt.refused, deps.adopt.refused\n"
	"\tend,\n"
	"})\n";

static void write_options(const json_t *options, FILE *out)
{
	const char *between = "", *name;
	json_t *value;

	fputs("local options = { ", out);
	json_object_foreach ((json_t *)options, name, value) {
		fprintf(out, "%s[", between);
		drift_write_string(name, out);
		fputs("] = ", out);
		if (json_is_string(value))
			drift_write_string(json_string_value(value), out);
		else
			fputs(json_is_true(value) ? "true" : "false", out);
		between = ", ";
	}
	fputs(*between ? " }\n" : "}\n", out);
}

/* By hand it could be written just so. */
static int write_workflow(const struct adopt_order *order, struct buffer *ret_text)
{
	FILE *out = buffer_stream_open(ret_text);

	if (!out)
		return -ENOMEM;
	fprintf(out,
		"-- What is there is taken under management, as it is.\nworkflow.define(\"adopt\")%s\n\n",
		json_is_true(json_object_get(order->options, "dry_run")) ? only_looks : "");
	fputs("local types, selector = ", out);
	drift_write_string(order->types, out);
	fputs(", ", out);
	drift_write_string(order->selector, out);
	fputc('\n', out);
	write_options(order->options, out);
	fputs("\ntask(\"adopt\", {\n\tartifacts = { \"adopted.json\", \"adopted.sloth\" },\n", out);
	fputs(command, out);
	return buffer_stream_close(out, ret_text) < 0 ? -ENOMEM : 0;
}

int adopt_start(struct runners *runners, struct caller *caller, int64_t stack_id,
	const struct adopt_order *order, struct fault *fault, int64_t *ret_run)
{
	struct engine *engine = runners_engine(runners);
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct stack stack;
	int r = stack_get(engine, stack_id, &stack);

	if (r == 0)
		r = stack_may_write(caller, &stack, fault);
	if (r == 0)
		r = lock_check(engine, caller, stack.id, fault);
	if (r == 0)
		r = write_workflow(order, &text);
	if (r < 0)
		return r;
	return runner_submit(runners, caller,
		&(struct submission){ .file = ADOPT_FILE,
			.stack_id = stack_id,
			.text = buffer_text(&text),
			.size = text.size },
		fault, ret_run);
}
