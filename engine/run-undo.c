/* SPDX-License-Identifier: MIT */
/* Undoing a whole run. */
#include "engine/run-undo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/drift-internal.h"
#include "engine/earlier.h"
#include "engine/image.h"
#include "engine/stack.h"
#include "engine/task-undo.h"
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
	json_t *own; /* tasks that say themselves how they are undone: a set */
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

	if (!*image->reason || json_object_get(naming->own, image->task))
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

static int check_final(struct engine *engine, const struct run *run, json_t *own, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct naming naming = { .out = buffer_stream_open(&text), .own = own };
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

/* A change, or a task that says itself how it is undone (image 0). */
struct step {
	int64_t time_ms, image;
	char task[NAME_SIZE];
};

/* Changes that follow one another, by one task. */
struct writing {
	FILE *out;
	const struct run_undo *undo;
	json_t *own; /* tasks that say it themselves: a set */
	struct step *steps;
	size_t count;
	char task[NAME_SIZE];
	int64_t first, last; /* of the group: the newest, and the oldest so far */
	size_t changes;	     /* in it */
	size_t tasks;
};

static int step_add(struct writing *writing, int64_t time_ms, int64_t image, const char *task)
{
	struct step *steps = realloc(writing->steps, (writing->count + 1) * sizeof(*steps));

	if (!steps)
		return -ENOMEM;
	writing->steps = steps;
	steps[writing->count] = (struct step){ .time_ms = time_ms, .image = image };
	snprintf(steps[writing->count++].task, sizeof(steps->task), "%s", task);
	return 0;
}

/* The last one first. A task ends after its last change. */
static int by_time(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms > y->time_ms ? -1 : 1;
	if (!x->image || !y->image)
		return x->image ? 1 : y->image ? -1 : 0;
	return x->image > y->image ? -1 : x->image < y->image;
}

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

static void write_own(struct writing *writing, const struct step *step)
{
	write_group(writing);
	fprintf(writing->out, "\nearlier:undo(\"undo-%zu\", ", ++writing->tasks);
	drift_write_string(step->task, writing->out);
	fputs(")\n", writing->out);
}

static void write_step(struct writing *writing, const struct step *step)
{
	if (!step->image) {
		write_own(writing, step);
		return;
	}
	if (writing->changes && strcmp(writing->task, step->task) != 0)
		write_group(writing);
	if (!writing->changes) {
		snprintf(writing->task, sizeof(writing->task), "%s", step->task);
		writing->first = step->image;
	}
	writing->last = step->image;
	writing->changes++;
}

static int add_change(void *userdata, const struct image *image)
{
	struct writing *writing = userdata;

	return json_object_get(writing->own, image->task)
		       ? 0
		       : step_add(writing, image->time_ms, image->id, image->task);
}

static int add_own(void *userdata, const struct task *task, bool undone)
{
	struct writing *writing = userdata;

	return undone ? 0 : step_add(writing, task->finished_ms, 0, task->name);
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

static int write_workflow(struct engine *engine, const struct run_undo *undo, const struct run *run,
	json_t *own, bool earlier, const char *path, struct buffer *ret_text)
{
	struct writing writing = { .out = buffer_stream_open(ret_text), .undo = undo, .own = own };
	int r;

	if (!writing.out)
		return -ENOMEM;
	fprintf(writing.out,
		"-- What run %" PRId64 " (%s) changed, taken back: the last change first.\n"
		"local workflow, task, resource, stack = workflow, task, resource, stack\n"
		"workflow.define(\"run-undo\"):config({ on_failure = \"continue\", max_parallel_tasks = 1 "
		"})\n",
		run->id, run->file);
	if (earlier)
		earlier_write(run->id, path, writing.out);
	r = image_each_standing(engine, run->id, NULL, INT64_MAX, add_change, &writing);
	if (r == 0)
		r = task_undo_each(engine, run->id, add_own, &writing);
	if (writing.count)
		qsort(writing.steps, writing.count, sizeof(*writing.steps), by_time);
	for (size_t i = 0; r == 0 && i < writing.count; i++)
		write_step(&writing, &writing.steps[i]);
	write_group(&writing);
	write_stack(&writing);
	free(writing.steps);
	return buffer_stream_close(writing.out, ret_text) < 0 ? -ENOMEM : r;
}

/* Tasks that say how they are undone: all of them, and whether that was done. */
static int add_name(void *userdata, const struct task *task, bool undone)
{
	return json_object_set_new(userdata, task->name, json_boolean(undone)) < 0 ? -ENOMEM : 0;
}

/* Whether there is anything. */
static int count_one(void *userdata, const struct image *image)
{
	size_t *counts = userdata;

	counts[0]++;
	counts[1] += strcmp(image->state, "undone") != 0;
	return 0;
}

static int check_left(struct engine *engine, const struct run *run, json_t *own, struct fault *fault)
{
	size_t counts[2] = { 0 };
	int64_t of_stack = 0;
	int r = image_each(engine, run->id, count_one, counts);
	const char *name;
	json_t *undone;

	json_object_foreach (own, name, undone) {
		counts[0]++;
		counts[1] += json_is_false(undone);
	}

	/* An undo that was cut short may have put back the things, and not the stack. */
	if (r == 0 && counts[0] && !counts[1])
		r = undo_stack_left(engine, run, &of_stack);
	if (r == 0 && run->status == RUN_ROLLED_BACK)
		return fault_set(fault, ENOENT, "run %" PRId64 " was rolled back already", run->id);
	if (r == 0 && counts[0] && !counts[1] && !of_stack)
		return fault_set(fault, ENOENT, "run %" PRId64 " was undone already", run->id);
	return r;
}

static int is_defined(void *userdata, const struct image *image)
{
	return earlier_defines(image->type);
}

int run_undo(struct runners *runners, struct caller *caller, const struct run_undo *undo, struct fault *fault,
	void (*loaded)(void *userdata, int result, const struct fault *fault), void *userdata,
	int64_t *ret_run)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *options = json_pack("{s:I}", "undo_of", (json_int_t)undo->run_id);
	json_auto_t *own = json_object();
	bool earlier;
	json_auto_t *imports = NULL;
	json_auto_t *values = NULL;
	struct engine *engine = runners_engine(runners);
	struct run run;
	int r = run_get(engine, undo->run_id, &run);

	if (r == 0)
		r = check_run(engine, caller, &run, fault);
	if (r == 0)
		r = task_undo_each(engine, run.id, add_name, own);
	if (r == 0)
		r = check_left(engine, &run, own, fault);
	if (r == 0 && !undo->force)
		r = check_later(engine, &run, fault);
	if (r == 0 && !undo->force)
		r = check_final(engine, &run, own, fault);
	if (r == 0)
		r = undo_stack_check(engine, &run, undo->force, fault);
	if (r < 0 || undo->dry)
		return r;
	r = json_object_size(own) ? 1
				  : image_each_standing(engine, run.id, NULL, INT64_MAX, is_defined, NULL);
	earlier = r > 0;
	if (earlier)
		r = earlier_read(engine, run.id, &values, &imports, &path);
	if (r == 0)
		r = write_workflow(engine, undo, &run, own, earlier, path, &text);
	return r < 0 ? r
		     : runner_submit(runners, caller,
			       &(struct submission){ .file = RUN_UNDO_FILE,
				       .stack_id = run.stack_id,
				       .text = buffer_text(&text),
				       .size = text.size,
				       .values = values,
				       .options = options,
				       .imports = imports,
				       .loaded = loaded,
				       .userdata = userdata },
			       fault, ret_run);
}
