/* SPDX-License-Identifier: MIT */
/* Rolling back. */
#include "lua/rollback.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "lua/runner.h"
#include "lua/task-after.h"
#include "lua/value.h"
#include "lua/workflow.h"

enum {
	RESTORE_GRACE_MS = 10000,
	FAILURES_MAX = 256 << 10, /* bytes of why undos failed, all together: it is told in one frame */
};

struct rollback {
	struct task **order; /* the one that was done last comes first */
	size_t count, at;
	int cancels;			       /* that the run had when this began */
	json_t *undone, *failed, *left, *none; /* names; failed: of sentences */
	json_int_t version;		       /* that the stack has become, 0: it was not restored */
	char *error;			       /* of the restore */
};

void rollback_free(struct rollback *rollback)
{
	if (!rollback)
		return;
	free(rollback->order);
	json_decref(rollback->undone);
	json_decref(rollback->failed);
	json_decref(rollback->left);
	json_decref(rollback->none);
	free(rollback->error);
	free(rollback);
}

static bool succeeded(const struct rollback *rollback)
{
	return rollback->version && !json_object_size(rollback->failed) && !json_array_size(rollback->left);
}

const char *rollback_status(const struct rollback *rollback)
{
	return succeeded(rollback) ? "rolled_back" : "rollback_failed";
}

json_t *rollback_result(const struct rollback *rollback)
{
	if (!rollback)
		return NULL;
	return json_pack("{sO sO sO sO so ss?}", "undone", rollback->undone, "failed", rollback->failed,
		"left", rollback->left, "not_undone", rollback->none, "version",
		rollback->version ? json_integer(rollback->version) : json_null(), "error", rollback->error);
}

static void print_names(FILE *out, const char *what, const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		fprintf(out, "%s%s", i ? ", " : what, json_string_value(name));
}

char *rollback_text(const struct rollback *rollback)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *name;
	json_t *why;

	if (!out)
		return NULL;
	fputs(succeeded(rollback) ? "rolled back" : "the rollback failed", out);
	json_object_foreach (rollback->failed, name, why)
		fprintf(out, "; undo of %s: %s", name, json_string_value(why));
	print_names(out, "; left as they are: ", rollback->left);
	print_names(out, "; not undone, because they have no undo: ", rollback->none);
	if (rollback->version)
		fprintf(out, "; the stack is as before, as v%lld", (long long)rollback->version);
	else
		fprintf(out, "; the stack was not restored%s%s", rollback->error ? ": " : "",
			rollback->error ? rollback->error : "");
	return fclose(out) == 0 ? text : NULL;
}

static void say(struct workflow *workflow, const char *text)
{
	link_log(&workflow->runner->link, NULL, 0, "log", text, strlen(text));
}

static void __attribute__((format(printf, 2, 3))) sayf(struct workflow *workflow, const char *format, ...)
{
	CLEANUP(cleanup_free) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		say(workflow, text);
}

/* The stack goes back. */

static void finish(struct workflow *workflow)
{
	CLEANUP(cleanup_free) char *text = rollback_text(workflow->rollback);

	if (text)
		sayf(workflow, "%s\n", text);
	workflow_rolled_back(workflow, text);
}

void rollback_scope_ended(struct scope *scope)
{
	struct workflow *workflow = scope->userdata;

	scope_done(scope);
	finish(workflow);
}

static void restore_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct workflow *workflow = userdata;
	struct rollback *rollback = workflow->rollback;

	if (status == LUA_OK && results > 0 && lua_isinteger(L, -1))
		rollback->version = (json_int_t)lua_tointeger(L, -1);
	else
		rollback->error =
			strdup(lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "it was ended");
	scope_end(&workflow->scope, "the rollback has ended", false, RESTORE_GRACE_MS, rollback_scope_ended);
}

static int start_restore(lua_State *L)
{
	struct workflow *workflow = lua_touserdata(L, 1);

	vm_push_library(L, "task");
	lua_getfield(L, -1, "restore");
	if (!fiber_start(&workflow->runner->sched, &workflow->scope, L, 0, restore_done, workflow))
		return luaL_error(L, "not enough memory");
	return 0;
}

static void restore(struct workflow *workflow)
{
	struct vm *vm = &workflow->runner->vm;

	FAILPOINT("runner.restore");
	scope_init(&workflow->scope, workflow->runner, NULL, 0, workflow);
	workflow->scope.workdir = workflow->runner->workdir;
	lua_pushcfunction(vm->L, start_restore);
	lua_pushlightuserdata(vm->L, workflow);
	if (vm_call(vm, 1, 0) == LUA_OK)
		return;
	workflow->rollback->error = strdup(lua_tostring(vm->L, -1));
	lua_pop(vm->L, 1);
	scope_done(&workflow->scope);
	finish(workflow);
}

/* Undo. */

static void note_failed(struct rollback *rollback, const struct task *task)
{
	const char *text = task->undo_error ? task->undo_error : "failed";

	if (task->sensitive)
		text = "it is a sensitive task: what went wrong is not told";
	json_object_set_new(
		rollback->failed, task->name, value_brief(text, FAILURES_MAX / (rollback->count + 1)));
}

static bool is_stopped(const struct workflow *workflow)
{
	return workflow->cancels > workflow->rollback->cancels || workflow->runner->abandoned;
}

/* True: one is under way. */
static bool undo_next(struct workflow *workflow)
{
	struct rollback *rollback = workflow->rollback;
	struct task *task = rollback->order[rollback->at++];

	/* What undoes a task counts on all that it has done; one that failed has its images. */
	task->by_images = !(task->undoes && task->status == TASK_SUCCESS);
	if (task->by_images && !task->has_images) {
		if (task->status != TASK_SUCCESS)
			return false;
		json_array_append_new(rollback->none, json_string(task->name));
		sayf(workflow, "task %s has no undo: what it did stays\n", task->name);
	} else if (is_stopped(workflow)) {
		json_array_append_new(rollback->left, json_string(task->name));
	} else if (task_undo_start(task) == 0) {
		FAILPOINT("runner.undo");
		return true;
	} else {
		note_failed(rollback, task);
	}
	return false;
}

static void go_on(struct workflow *workflow)
{
	struct rollback *rollback = workflow->rollback;

	while (rollback->at < rollback->count)
		if (undo_next(workflow))
			return;
	if (json_object_size(rollback->failed) || json_array_size(rollback->left) || is_stopped(workflow))
		finish(workflow); /* what is left is still the stack's */
	else
		restore(workflow);
}

void rollback_task_undone(struct workflow *workflow, struct task *task)
{
	struct rollback *rollback = workflow->rollback;

	FAILPOINT("runner.undone");
	if (task->undo_error)
		note_failed(rollback, task);
	else
		json_array_append_new(rollback->undone, json_string(task->name));
	go_on(workflow);
}

static int by_end(const void *a, const void *b)
{
	const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;

	return x->done_order > y->done_order ? -1 : x->done_order < y->done_order;
}

void rollback_begin(struct workflow *workflow)
{
	struct rollback *rollback = calloc(1, sizeof(*rollback));
	size_t done = 0;

	if (rollback)
		rollback->order = calloc(workflow->count + 1, sizeof(struct task *));
	if (!rollback || !rollback->order) {
		rollback_free(rollback);
		workflow_rolled_back(workflow, "the rollback failed: not enough memory");
		return;
	}
	workflow->rollback = rollback;
	ev_timer_stop(workflow->runner->loop, &workflow->timeout);
	rollback->cancels = workflow->cancels;
	rollback->undone = json_array();
	rollback->failed = json_object();
	rollback->left = json_array();
	rollback->none = json_array();
	for (size_t i = 0; i < workflow->count; i++) {
		struct task *task = &workflow->tasks[i];

		if (task->try > 0 && (task->status == TASK_SUCCESS || task->has_images))
			rollback->order[rollback->count++] = task;
		done += task->try > 0 && task->status == TASK_SUCCESS;
	}
	qsort(rollback->order, rollback->count, sizeof(struct task *), by_end);
	FAILPOINT("runner.rollback");
	link_send(&workflow->runner->link, json_pack("{ss}", "op", "rollback"));
	sayf(workflow, "rolling back: %zu task%s done\n", done, done == 1 ? " was" : "s were");
	go_on(workflow);
}
