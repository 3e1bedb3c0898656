/* SPDX-License-Identifier: MIT */
/* Undoing a whole run. */
#include "engine/run-undo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/drift-internal.h"
#include "engine/image.h"
#include "engine/stack.h"
#include "engine/undo.h"

enum { NAMED_MAX = 5, TASK_NAME_MAX = 100 };

int64_t run_undo_of(struct engine *engine, int64_t run_id)
{
	json_auto_t *options = run_options(engine, run_id, "options");

	return json_integer_value(json_object_get(options, "undo_of"));
}

/* Whether it may be done. */

/* "file/etc/motd by run 9, …" */
struct naming {
	FILE *out;
	size_t count;
};

static void write_between(struct naming *naming)
{
	if (naming->count++)
		fputs(", ", naming->out);
}

static int name_later(void *userdata, const char *type, const char *name, int64_t run_id)
{
	struct naming *naming = userdata;

	if (naming->count == NAMED_MAX) {
		fputs(", …", naming->out);
		return 1;
	}
	write_between(naming);
	fprintf(naming->out, "%s/%.200s by run %" PRId64, type, name, run_id);
	return 0;
}

static int name_final(void *userdata, const struct image *image)
{
	struct naming *naming = userdata;

	if (!*image->reason)
		return 0;
	if (naming->count == NAMED_MAX) {
		fputs(", …", naming->out);
		return 1;
	}
	write_between(naming);
	fprintf(naming->out, "%s/%.200s (%.200s)", image->type, image->name, image->reason);
	return 0;
}

static int check_later(struct engine *engine, const struct run *run, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct naming naming = { .out = buffer_stream_open(&text) };
	int r;

	if (!naming.out)
		return -ENOMEM;
	r = image_each_later(engine, run->id, run->stack_id, name_later, &naming);
	if (buffer_stream_close(naming.out, &text) < 0)
		return -ENOMEM;
	if (r < 0 || !naming.count)
		return r;
	return fault_set(fault, ESTALE,
		"later runs have changed what run %" PRId64 " did: %s. Undo those first, or force it (they "
		"are then left as they are where they can't be told from somebody else's work)",
		run->id, buffer_text(&text));
}

static int check_final(struct engine *engine, const struct run *run, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct naming naming = { .out = buffer_stream_open(&text) };
	int r;

	if (!naming.out)
		return -ENOMEM;
	r = image_each_standing(engine, run->id, NULL, INT64_MAX, name_final, &naming);
	if (buffer_stream_close(naming.out, &text) < 0)
		return -ENOMEM;
	if (r < 0 || !naming.count)
		return r;
	return fault_set(fault, ENOTSUP,
		"run %" PRId64 " can't be undone whole: %s. By force the rest is put back", run->id,
		buffer_text(&text));
}

static int check_run(struct engine *engine, struct caller *caller, const struct run *run, struct fault *fault)
{
	char user[128];
	struct stack stack;
	int r;

	if (!run_status_final(run->status))
		return fault_set(fault, EBUSY, "run %" PRId64 " is %s: cancel it, or wait for its end",
			run->id, run_status_name(run->status));
	if (!run->stack_id || stack_get(engine, run->stack_id, &stack) < 0)
		return fault_set(fault, ENOENT, "the stack of run %" PRId64 " is gone", run->id);
	r = stack_may_write(caller, &stack, fault);
	if (r == 0 && caller->uid != run->uid)
		return fault_set(fault, EPERM,
			"run %" PRId64 " was started by %s: what it changed is put back with the rights of "
			"that user, by nobody else",
			run->id, caller_user_name(run->uid, user, sizeof(user)));
	return r;
}

/* The workflow. */

/* Changes that follow one another, by one task. */
struct writing {
	FILE *out;
	const struct run_undo *undo;
	char task[NAME_SIZE];
	int64_t first, last; /* of the group: the newest, and the oldest so far */
	size_t changes;	     /* in it */
	size_t tasks, all;
};

static void write_group(struct writing *writing)
{
	if (!writing->changes)
		return;
	fprintf(writing->out, "\ntask(\"undo-%zu\", {\n\tdescription = ", ++writing->tasks);
	drift_write_string(*writing->task ? writing->task : "hooks of the workflow", writing->out);
	fprintf(writing->out,
		",\n\tcommand = function() return resource.undo_run(%" PRId64 ", { from = %" PRId64
		", to = %" PRId64 "%s }) end,\n})\n",
		writing->undo->run_id, writing->first, writing->last,
		writing->undo->force ? ", force = true" : "");
	writing->changes = 0;
}

static int write_change(void *userdata, const struct image *image)
{
	struct writing *writing = userdata;

	if (writing->changes && strcmp(writing->task, image->task) != 0)
		write_group(writing);
	if (!writing->changes) {
		snprintf(writing->task, sizeof(writing->task), "%s", image->task);
		writing->first = image->id;
	}
	writing->last = image->id;
	writing->changes++;
	writing->all++;
	return 0;
}

static void write_stack(struct writing *writing)
{
	const char *between = "";

	fputs("\n-- When all of that is as it was.\ntask(\"stack\", {\n\tdescription = \"the stack as it "
	      "was\",\n"
	      "\tdepends_on = { ",
		writing->out);
	for (size_t i = 1; i <= writing->tasks; i++, between = ", ")
		fprintf(writing->out, "%s\"undo-%zu\"", between, i);
	fprintf(writing->out, " },\n\tcommand = function() return stack.undo_run(%" PRId64 "%s) end,\n})\n",
		writing->undo->run_id, writing->undo->force ? ", { force = true }" : "");
}

static int write_workflow(
	struct engine *engine, const struct run_undo *undo, const struct run *run, struct buffer *ret_text)
{
	struct writing writing = { .out = buffer_stream_open(ret_text), .undo = undo };
	int r;

	if (!writing.out)
		return -ENOMEM;
	fprintf(writing.out,
		"-- What run %" PRId64 " (%s) changed, taken back: the last change first.\n"
		"workflow.define(\"run-undo\"):config({ on_failure = \"continue\", max_parallel_tasks = 1 "
		"})\n",
		run->id, run->file);
	r = image_each_standing(engine, run->id, NULL, INT64_MAX, write_change, &writing);
	write_group(&writing);
	write_stack(&writing);
	return buffer_stream_close(writing.out, ret_text) < 0 ? -ENOMEM : r;
}

/* Whether there is anything. */
static int count_one(void *userdata, const struct image *image)
{
	size_t *counts = userdata;

	counts[0]++;
	counts[1] += strcmp(image->state, "undone") != 0;
	return 0;
}

static int check_left(struct engine *engine, const struct run *run, struct fault *fault)
{
	size_t counts[2] = { 0 };
	int64_t of_stack = 0;
	int r = image_each(engine, run->id, count_one, counts);

	/* An undo that was cut short may have put back the things, and not the stack. */
	if (r == 0 && counts[0] && !counts[1])
		r = undo_stack_left(engine, run, &of_stack);
	if (r == 0 && run->status == RUN_ROLLED_BACK)
		return fault_set(fault, ENOENT, "run %" PRId64 " was rolled back already", run->id);
	if (r == 0 && counts[0] && !counts[1] && !of_stack)
		return fault_set(fault, ENOENT, "run %" PRId64 " was undone already", run->id);
	return r;
}

int run_undo(struct runners *runners, struct caller *caller, const struct run_undo *undo, struct fault *fault,
	void (*loaded)(void *userdata, int result, const struct fault *fault), void *userdata,
	int64_t *ret_run)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *options = json_pack("{s:I}", "undo_of", (json_int_t)undo->run_id);
	struct engine *engine = runners_engine(runners);
	struct run run;
	int r = run_get(engine, undo->run_id, &run);

	if (r == 0)
		r = check_run(engine, caller, &run, fault);
	if (r == 0)
		r = check_left(engine, &run, fault);
	if (r == 0 && !undo->force)
		r = check_later(engine, &run, fault);
	if (r == 0 && !undo->force)
		r = check_final(engine, &run, fault);
	if (r == 0)
		r = undo_stack_check(engine, &run, undo->force, fault);
	if (r < 0 || undo->dry)
		return r;
	r = write_workflow(engine, undo, &run, &text);
	return r < 0 ? r
		     : runner_submit(runners, caller,
			       &(struct submission){ .file = RUN_UNDO_FILE,
				       .stack_id = run.stack_id,
				       .text = buffer_text(&text),
				       .size = text.size,
				       .options = options,
				       .loaded = loaded,
				       .userdata = userdata },
			       fault, ret_run);
}
