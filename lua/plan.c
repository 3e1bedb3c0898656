/* SPDX-License-Identifier: MIT */
/* The plan, from the tables of lib/dsl.lua and the graph. */
#include "lua/plan.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lua/runner.h"
#include "lua/value.h"
#include "lua/workflow.h"

static json_t *text_json(const char *text)
{
	return text ? value_text(text, strlen(text)) : json_null();
}

/* "function, line 12". */
static json_t *function_json(lua_State *L)
{
	lua_Debug info;

	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &info);
	return json_sprintf("function, line %d", info.linedefined);
}

/* The value on the top: a condition is { check = … }; what JSON can't say is only said to be there. */
static json_t *word_json(lua_State *L)
{
	const char *error;
	json_t *value;

	if (lua_type(L, -1) == LUA_TFUNCTION)
		return function_json(L);
	if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "check") != LUA_TNIL) {
		value = word_json(L);
		lua_pop(L, 1);
		return value;
	}
	if (lua_type(L, -1) == LUA_TNIL)
		lua_pop(L, 1); /* the field of the table */
	value = value_get(L, -1, &error);
	return value ? value : json_true();
}

static json_t *retries_json(lua_State *L)
{
	json_t *retries = word_json(L);

	json_object_del(retries, "said"); /* lib/flow.lua's own */
	return retries;
}

/* Values may be secrets: names do. */
static json_t *names_json(lua_State *L)
{
	json_t *list = json_array();
	lua_Integer count = (lua_Integer)lua_rawlen(L, -1);

	for (lua_Integer i = 1; i <= count; i++) {
		const char *pair, *end;

		lua_rawgeti(L, -1, i);
		pair = lua_tostring(L, -1);
		end = pair ? strchr(pair, '=') : NULL;
		if (end)
			json_array_append_new(list, value_text(pair, (size_t)(end - pair)));
		lua_pop(L, 1);
	}
	return list;
}

static const struct {
	const char *field; /* of the task's table */
	const char *name;  /* in the plan; NULL: the same */
	json_t *(*get)(lua_State *L);
} words[] = {
	{ "abort_if", NULL, word_json },
	{ "allow_failure", NULL, word_json },
	{ "always", NULL, word_json },
	{ "artifacts", NULL, word_json },
	{ "consumes", NULL, word_json },
	{ "env", NULL, names_json },
	{ "grace", "grace_ms", word_json },
	{ "idempotent", NULL, word_json },
	{ "priority", NULL, word_json },
	{ "retries", NULL, retries_json },
	{ "run_if", NULL, word_json },
	{ "sensitive", NULL, word_json },
	{ "tags", NULL, word_json },
	{ "timeout", "timeout_ms", word_json },
	{ "total_timeout", "total_timeout_ms", word_json },
	{ "undo", NULL, word_json },
	{ "user", NULL, word_json },
	{ "workdir", NULL, word_json },
};

static const char *const hooks[] = { "pre_hook", "post_hook", "on_success", "on_failure", "on_timeout",
	"on_retry", "on_complete" };

/* The task's table is on the top. */
static void add_words(lua_State *L, json_t *row)
{
	json_t *list = NULL;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (lua_getfield(L, -1, words[i].field) != LUA_TNIL)
			json_object_set_new(
				row, words[i].name ? words[i].name : words[i].field, words[i].get(L));
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (lua_getfield(L, -1, hooks[i]) != LUA_TNIL) {
			list = list ? list : json_array();
			json_array_append_new(list, json_string(hooks[i]));
		}
		lua_pop(L, 1);
	}
	if (list)
		json_object_set_new(row, "hooks", list);
}

static json_t *task_names(const struct workflow *workflow, const int *numbers, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(workflow->tasks[numbers[i]].name));
	return list;
}

static json_t *task_json(struct workflow *workflow, const struct task *task, int order, int level)
{
	lua_State *L = workflow->runner->vm.L;
	json_t *row =
		json_pack("{ss so so si so}", "name", task->name, "description", text_json(task->description),
			"depends", task_names(workflow, task->depends, task->depends_count), "line",
			task->line, "command", text_json(task->command));

	if (!row)
		return NULL;
	if (task->after_failure_count)
		json_object_set_new(row, "next_if_fail",
			task_names(workflow, task->after_failure, task->after_failure_count));
	if (order) {
		json_object_set_new(row, "order", json_integer(order));
		json_object_set_new(row, "level", json_integer(level));
	} else {
		json_object_set_new(row, "selected", json_false());
	}
	if (task->delegate)
		json_object_set(row, "delegate_to", task->delegate);
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
	add_words(L, row);
	lua_pop(L, 1);
	return row;
}

/* As if one task ran at a time and all went well; what runs after a failure comes where it would then. What
 * runs in any case is last. */
struct rehearsal {
	const struct workflow *workflow;
	struct graph_queue ready;
	size_t *waiting;
	int *order, *level;
	int last;
};

static void rehearse(struct rehearsal *rehearsal, bool always)
{
	const struct workflow *workflow = rehearsal->workflow;
	int number;

	for (size_t i = 0; i < workflow->count; i++)
		if (!rehearsal->waiting[i] && !rehearsal->order[i] && workflow->tasks[i].always == always)
			graph_queue_push(&rehearsal->ready, (int)i);
	while ((number = graph_queue_pop(&rehearsal->ready)) >= 0) {
		int end = workflow->dependents_start[number + 1];

		rehearsal->order[number] = workflow->tasks[number].selected ? ++rehearsal->last : -1;
		for (int i = workflow->dependents_start[number]; i < end; i++) {
			int next = workflow->dependents[i];

			if (--rehearsal->waiting[next] == 0 && workflow->tasks[next].always == always)
				graph_queue_push(&rehearsal->ready, next);
		}
	}
}

static int rehearsal_run(struct rehearsal *rehearsal)
{
	const struct workflow *workflow = rehearsal->workflow;
	size_t count = workflow->count;

	rehearsal->waiting = calloc(count + 1, sizeof(*rehearsal->waiting));
	rehearsal->order = calloc(count + 1, sizeof(*rehearsal->order));
	rehearsal->level = calloc(count + 1, sizeof(*rehearsal->level));
	if (!rehearsal->waiting || !rehearsal->order || !rehearsal->level ||
		graph_queue_init(&rehearsal->ready, workflow->rank, count) < 0 ||
		graph_levels(workflow->nodes, count, rehearsal->level) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		rehearsal->waiting[i] = workflow->nodes[i].depends_count;
	rehearse(rehearsal, false);
	rehearse(rehearsal, true);
	return 0;
}

static void rehearsal_done(struct rehearsal *rehearsal)
{
	graph_queue_done(&rehearsal->ready);
	free(rehearsal->waiting);
	free(rehearsal->order);
	free(rehearsal->level);
}

/* From the last task of the longest way back to its first. */
static json_t *longest_way(const struct rehearsal *rehearsal)
{
	const struct workflow *workflow = rehearsal->workflow;
	json_t *list = json_array();
	int at = -1;

	for (size_t i = 0; i < workflow->count; i++)
		if (workflow->tasks[i].selected && (at < 0 || rehearsal->level[i] > rehearsal->level[at]))
			at = (int)i;
	while (at >= 0) {
		const struct graph_node *node = &workflow->nodes[at];
		int before = -1;

		if (workflow->tasks[at].selected)
			json_array_insert_new(list, 0, json_string(workflow->tasks[at].name));
		for (size_t i = 0; i < node->depends_count && before < 0; i++)
			if (rehearsal->level[node->depends[i]] == rehearsal->level[at] - 1)
				before = node->depends[i];
		at = before;
	}
	return list;
}

static json_t *limits_json(const struct workflow *workflow)
{
	static const char *const policies[] = { [POLICY_STOP] = "stop",
		[POLICY_CONTINUE] = "continue",
		[POLICY_CANCEL] = "cancel",
		[POLICY_ROLLBACK] = "rollback" };
	const char *policy = (size_t)workflow->policy < sizeof(policies) / sizeof(policies[0])
				     ? policies[workflow->policy]
				     : NULL;

	return json_pack("{si sI ss*}", "max_parallel_tasks", workflow->max_parallel, "timeout_ms",
		(json_int_t)workflow->timeout_ms, "on_failure", policy);
}

json_t *plan_json(struct workflow *workflow)
{
	CLEANUP(rehearsal_done) struct rehearsal rehearsal = { .workflow = workflow };
	json_t *tasks;

	if (rehearsal_run(&rehearsal) < 0)
		return NULL;
	tasks = json_array();
	for (size_t i = 0; i < workflow->count; i++)
		json_array_append_new(
			tasks, task_json(workflow, &workflow->tasks[i],
				       rehearsal.order[i] > 0 ? rehearsal.order[i] : 0, rehearsal.level[i]));
	return json_pack("{so so so so sO? sI so so so}", "workflow", text_json(workflow->name), "stack",
		text_json(workflow->stack), "description", text_json(workflow->description), "version",
		text_json(workflow->version), "config", workflow->config, "lock_wait_ms",
		(json_int_t)workflow->lock_wait_ms, "limits", limits_json(workflow), "critical_path",
		longest_way(&rehearsal), "tasks", tasks);
}
