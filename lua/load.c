/* SPDX-License-Identifier: MIT */
/* From the text of a workflow to its tasks. */
#include "lua/load.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "engine/yaml.h"
#include "lua/runner.h"
#include "lua/value.h"
#include "lua/workflow.h"

enum { SHOWN_EDGES = 8 }; /* of a circle, with their lines */

/* Fields of the table at -1. */

static char *text_field(lua_State *L, const char *name)
{
	const char *text;
	char *copy;

	lua_getfield(L, -1, name);
	text = lua_tostring(L, -1);
	copy = text ? strdup(text) : NULL;
	if (text && !copy)
		luaL_error(L, "not enough memory");
	lua_pop(L, 1);
	return copy;
}

static int64_t integer_field(lua_State *L, const char *name, int64_t otherwise)
{
	int64_t value;

	lua_getfield(L, -1, name);
	value = luaL_optinteger(L, -1, otherwise);
	lua_pop(L, 1);
	return value;
}

static bool flag_field(lua_State *L, const char *name)
{
	bool flag;

	lua_getfield(L, -1, name);
	flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

static json_t *json_field(lua_State *L, const char *name)
{
	const char *error;
	json_t *json = NULL;

	if (lua_getfield(L, -1, name) != LUA_TNIL) {
		json = value_get(L, -1, &error);
		if (!json)
			luaL_error(L, "%s: %s", name, error);
	}
	lua_pop(L, 1);
	return json;
}

/* A list of numbers of tasks, from 1 there and from 0 here. */
static int *numbers_field(lua_State *L, const char *name, size_t *ret_count)
{
	int *numbers = NULL;
	size_t count;

	lua_getfield(L, -1, name);
	count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
	if (count) {
		numbers = calloc(count, sizeof(*numbers));
		if (!numbers)
			luaL_error(L, "not enough memory");
	}
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		numbers[i] = (int)lua_tointeger(L, -1) - 1;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	*ret_count = count;
	return numbers;
}

static void task_read(lua_State *L, struct task *task)
{
	task->name = text_field(L, "name");
	task->description = text_field(L, "description");
	task->command = text_field(L, "command_text");
	task->where = text_field(L, "where");
	task->line = (int)integer_field(L, "line", 0);
	task->priority = (int)integer_field(L, "priority", 0);
	task->timeout_ms = integer_field(L, "timeout", 0);
	task->total_timeout_ms = integer_field(L, "total_timeout", 0);
	task->grace_ms = integer_field(L, "grace", 10000);
	task->always = flag_field(L, "always");
	task->allow_failure = flag_field(L, "allow_failure");
	task->sensitive = flag_field(L, "sensitive");
	task->undoes = lua_getfield(L, -1, "undo") != LUA_TNIL;
	lua_pop(L, 1);
	task->tags = json_field(L, "tags");
	task->delegate = json_field(L, "delegate_said");
	task->depends = numbers_field(L, "depends", &task->depends_count);
	task->after_failure = numbers_field(L, "after_failure", &task->after_failure_count);
	lua_pushvalue(L, -1);
	task->spec = luaL_ref(L, LUA_REGISTRYINDEX);
}

static enum policy policy_read(lua_State *L)
{
	static const char *const names[] = { "stop", "continue", "cancel", "rollback", NULL };
	int policy;

	lua_getfield(L, -1, "policy");
	policy = luaL_checkoption(L, -1, "stop", names);
	lua_pop(L, 1);
	return (enum policy)policy;
}

/* The table of lib/flow.lua is on the top. */
static void workflow_read(lua_State *L, struct workflow *workflow)
{
	size_t count;

	workflow->name = text_field(L, "name");
	workflow->description = text_field(L, "description");
	workflow->version = text_field(L, "version");
	workflow->stack = text_field(L, "stack");
	workflow->config = json_field(L, "config");
	workflow->imports = json_field(L, "imports");
	workflow->timeout_ms = integer_field(L, "timeout", 0);
	workflow->lock_wait_ms = integer_field(L, "lock_timeout", 0);
	workflow->max_parallel = (int)integer_field(L, "max_parallel_tasks", 0);
	workflow->policy = policy_read(L);
	workflow->rolls_back = workflow->policy == POLICY_ROLLBACK;
	lua_getfield(L, -1, "tasks");
	count = (size_t)lua_rawlen(L, -1);
	workflow->tasks = calloc(count + 1, sizeof(*workflow->tasks));
	if (!workflow->tasks)
		luaL_error(L, "not enough memory");
	for (size_t i = 0; i < count; i++) {
		task_init(&workflow->tasks[i], workflow, (int)i);
		workflow->count = i + 1;
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		task_read(L, &workflow->tasks[i]);
		lua_pop(L, 1);
		if (workflow->tasks[i].sensitive &&
			link_hush(&workflow->runner->link, workflow->tasks[i].name) < 0)
			luaL_error(L, "not enough memory");
	}
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	workflow->table = luaL_ref(L, LUA_REGISTRYINDEX);
}

struct source {
	struct workflow *workflow;
	const char *text;
	size_t size;
	json_t *value, *marks; /* of a document */
	const char *problem;   /* with it */
};

/* What the text has defined becomes the workflow's. */
static void take_definitions(lua_State *L, struct workflow *workflow)
{
	struct runner *runner = runner_of(L);

	vm_push_library(L, "flow");
	lua_getfield(L, -1, "finish");
	lua_pushstring(L, runner->file);
	value_push(L, runner->options);
	lua_call(L, 2, 1);
	workflow_read(L, workflow);
}

/* YAML: parsed already, so that nothing of it is lost by an error. */
static int load_document(lua_State *L)
{
	struct source *source = lua_touserdata(L, 1);
	struct runner *runner = runner_of(L);

	vm_keep_source(L, source->text, source->size, runner->file);
	if (source->problem) {
		lua_pushstring(L, source->problem);
		return lua_error(L);
	}
	vm_push_library(L, "document");
	lua_getfield(L, -1, "read");
	lua_pushstring(L, runner->file);
	value_push(L, source->value);
	value_push(L, source->marks);
	lua_call(L, 3, 0);
	take_definitions(L, source->workflow);
	return 0;
}

static int load_text(lua_State *L)
{
	struct source *source = lua_touserdata(L, 1);
	struct runner *runner = runner_of(L);

	lua_pushfstring(L, "@%s", runner->file);
	if (vm_load(L, source->text, source->size, lua_tostring(L, -1)) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	take_definitions(L, source->workflow);
	return 0;
}

/* Where the dependency of one task on another is written. */
static const char *edge_where(lua_State *L, const struct task *task, const struct task *on)
{
	const char *where = NULL;

	lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
	lua_getfield(L, -1, "edges");
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, on->name);
		where = lua_tostring(L, -1); /* the table holds it */
		lua_pop(L, 1);
	}
	lua_pop(L, 2);
	return where ? where : "?";
}

/* The lines of the workflow that say so. */
static void print_lines(FILE *out, struct workflow *workflow, const int *path, int length)
{
	lua_State *L = workflow->runner->vm.L;

	for (int i = 0; i < length && i < SHOWN_EDGES; i++) {
		const struct task *task = &workflow->tasks[path[i]],
				  *on = &workflow->tasks[path[(i + 1) % length]];

		lua_pushcfunction(L, vm_show_line);
		lua_pushstring(L, edge_where(L, task, on));
		lua_pushstring(L, on->name);
		if (vm_call(&workflow->runner->vm, 2, 1) == LUA_OK)
			fputs(lua_tostring(L, -1), out);
		lua_pop(L, 1);
	}
}

/* How much of a long one is told: its beginning and its end. */
enum { CIRCLE_FIRST = 8, CIRCLE_LAST = 4 };

static int refuse_cycle(struct workflow *workflow, const int *path, int length, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);

	if (!out)
		return fault_set(fault, ENOMEM, "not enough memory");
	fprintf(out, "the tasks wait for each other in a circle: %s", workflow->tasks[path[0]].name);
	for (int i = 0; i < length; i++) {
		if (i == CIRCLE_FIRST && length > CIRCLE_FIRST + CIRCLE_LAST) {
			i = length - CIRCLE_LAST;
			fprintf(out, " → … and %d more …", i - CIRCLE_FIRST);
		}

		const struct task *task = &workflow->tasks[path[i]],
				  *on = &workflow->tasks[path[(i + 1) % length]];

		fprintf(out, " → %s (%s)", on->name, edge_where(workflow->runner->vm.L, task, on));
	}
	fprintf(out, "; remove one of these dependencies");
	print_lines(out, workflow, path, length);
	if (buffer_stream_close(out, &text) < 0)
		return fault_set(fault, ENOMEM, "not enough memory");
	return fault_set(fault, ELOOP, "%s", text.data);
}

/* One array of numbers for both kinds of dependencies. */
static int task_merge_depends(struct task *task, struct graph_node *node)
{
	size_t count = task->depends_count + task->after_failure_count;
	int *all = realloc(task->depends, (count + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	task->depends = all;
	for (size_t i = 0; i < task->after_failure_count; i++)
		all[task->depends_count + i] = task->after_failure[i];
	*node = (struct graph_node){ .depends = all, .depends_count = count, .priority = task->priority };
	return 0;
}

/* Who waits for whom, the other way round. */
static int index_dependents(struct workflow *workflow)
{
	size_t edges = 0;
	int *start;

	for (size_t i = 0; i < workflow->count; i++)
		edges += workflow->nodes[i].depends_count;
	workflow->dependents = calloc(edges + 1, sizeof(int));
	workflow->dependents_start = start = calloc(workflow->count + 2, sizeof(int));
	if (!workflow->dependents || !start)
		return -ENOMEM;
	/* Counted one place further on, summed up, and moved back while they are filled in. */
	for (size_t i = 0; i < workflow->count; i++)
		for (size_t j = 0; j < workflow->nodes[i].depends_count; j++)
			start[workflow->nodes[i].depends[j] + 2]++;
	for (size_t i = 2; i < workflow->count + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < workflow->count; i++)
		for (size_t j = 0; j < workflow->nodes[i].depends_count; j++)
			workflow->dependents[start[workflow->nodes[i].depends[j] + 1]++] = (int)i;
	return 0;
}

static int check_graph(struct workflow *workflow, struct fault *fault)
{
	CLEANUP(cleanup_free) int *path = calloc(workflow->count + 1, sizeof(*path));
	int length;

	workflow->nodes = calloc(workflow->count + 1, sizeof(*workflow->nodes));
	workflow->rank = calloc(workflow->count + 1, sizeof(*workflow->rank));
	if (!path || !workflow->nodes || !workflow->rank)
		return fault_set(fault, ENOMEM, "not enough memory");
	for (size_t i = 0; i < workflow->count; i++)
		if (task_merge_depends(&workflow->tasks[i], &workflow->nodes[i]) < 0)
			return fault_set(fault, ENOMEM, "not enough memory");
	length = graph_find_cycle(workflow->nodes, workflow->count, path);
	if (length > 0)
		return refuse_cycle(workflow, path, length, fault);
	if (length < 0 || index_dependents(workflow) < 0 ||
		graph_rank(workflow->nodes, workflow->count, workflow->rank) < 0 ||
		graph_queue_init(&workflow->ready, workflow->rank, workflow->count) < 0 ||
		graph_queue_init(&workflow->urgent, workflow->rank, workflow->count) < 0)
		return fault_set(fault, ENOMEM, "not enough memory");
	return 0;
}

static void limit_parallel(struct workflow *workflow)
{
	int limit = workflow->runner->parallel_limit;

	if (!workflow->max_parallel)
		workflow->max_parallel = 2 * process_cpus();
	if (limit > 0 && workflow->max_parallel > limit)
		workflow->max_parallel = limit;
}

static bool is_yaml(const char *file)
{
	const char *end = strrchr(file, '.');

	return end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml"));
}

static int load_refused(struct vm *vm, struct fault *fault)
{
	const char *message = lua_tostring(vm->L, -1);

	return fault_set(
		fault, EINVAL, "%s", message ? message : "the workflow raised an error that is no text");
}

static int load_yaml(struct source *source, struct fault *fault)
{
	struct vm *vm = &source->workflow->runner->vm;
	CLEANUP(cleanup_json) json_t *value = NULL;
	CLEANUP(cleanup_json) json_t *marks = NULL;
	struct fault problem = { 0 };

	if (yaml_parse_marks(
		    source->workflow->runner->file, source->text, source->size, &problem, &value, &marks) < 0)
		source->problem = problem.text;
	source->value = value;
	source->marks = marks;
	lua_pushcfunction(vm->L, load_document);
	lua_pushlightuserdata(vm->L, source);
	return vm_call(vm, 1, 0) == LUA_OK ? 0 : load_refused(vm, fault);
}

static int load_lua(struct source *source, struct fault *fault)
{
	struct vm *vm = &source->workflow->runner->vm;

	lua_pushcfunction(vm->L, load_text);
	lua_pushlightuserdata(vm->L, source);
	return vm_call(vm, 1, 0) == LUA_OK ? 0 : load_refused(vm, fault);
}

int workflow_load(struct workflow *workflow, const char *text, size_t size, struct fault *fault)
{
	struct source source = { .workflow = workflow, .text = text, .size = size };
	lua_State *L = workflow->runner->vm.L;
	int r;

	/* Nearly all that loading makes is kept; where memory is short, it is collected all the same. */
	lua_gc(L, LUA_GCSTOP);
	r = is_yaml(workflow->runner->file) ? load_yaml(&source, fault) : load_lua(&source, fault);
	lua_gc(L, LUA_GCRESTART);
	if (r < 0)
		return r;
	r = check_graph(workflow, fault);
	if (r < 0)
		return r;
	if (workflow_select(workflow) < 0)
		return fault_set(fault, ENOMEM, "not enough memory");
	limit_parallel(workflow);
	return 0;
}
