/* SPDX-License-Identifier: MIT */
/* The plan, from the tables of lib/dsl.lua and the graph. */
#include "lua/plan.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lua/json-write.h"
#include "lua/runner.h"
#include "lua/value.h"
#include "lua/workflow.h"

/* "function, line 12". */
static void write_function(lua_State *L, struct json_write *out)
{
	lua_Debug info;
	char text[64];

	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &info);
	snprintf(text, sizeof(text), "function, line %d", info.linedefined);
	json_write_text(out, text);
}

/* Each writes the value on the top. */

/* A condition is { check = … }; what JSON can't say is only said to be there. */
static void write_word(lua_State *L, struct json_write *out)
{
	CLEANUP(cleanup_json) json_t *value = NULL;
	const char *error;

	if (lua_type(L, -1) == LUA_TNUMBER && lua_isinteger(L, -1)) {
		json_write_integer(out, lua_tointeger(L, -1));
		return;
	}
	if (lua_type(L, -1) == LUA_TFUNCTION) {
		write_function(L, out);
		return;
	}
	if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "check") != LUA_TNIL) {
		write_word(L, out);
		lua_pop(L, 1);
		return;
	}
	if (lua_type(L, -1) == LUA_TNIL)
		lua_pop(L, 1); /* the field of the table */
	value = value_get(L, -1, &error);
	json_write_value(out, value ? value : json_true());
}

static void write_retries(lua_State *L, struct json_write *out)
{
	static const char *const fields[] = { "count", "strategy", "base", "cap", "retry_on", "never" };

	json_write_open(out, '{');
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		int type = lua_getfield(L, -1, fields[i]);

		if (type != LUA_TNIL) {
			json_write_key(out, fields[i]);
			if (type == LUA_TSTRING)
				json_write_text(out, lua_tostring(L, -1));
			else
				write_word(L, out);
		}
		lua_pop(L, 1);
	}
	json_write_close(out, '}');
}

/* Values may be secrets: names do. */
static void write_names(lua_State *L, struct json_write *out)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, -1);

	json_write_open(out, '[');
	for (lua_Integer i = 1; i <= count; i++) {
		const char *pair, *end;

		lua_rawgeti(L, -1, i);
		pair = lua_tostring(L, -1);
		end = pair ? strchr(pair, '=') : NULL;
		if (end)
			json_write_sized_text(out, pair, (size_t)(end - pair));
		lua_pop(L, 1);
	}
	json_write_close(out, ']');
}

static const struct {
	const char *field; /* of the task's table */
	const char *name;  /* in the plan; NULL: the same */
	void (*write)(lua_State *L, struct json_write *out);
} words[] = {
	{ "abort_if", NULL, write_word },
	{ "allow_failure", NULL, write_word },
	{ "always", NULL, write_word },
	{ "artifacts", NULL, write_word },
	{ "consumes", NULL, write_word },
	{ "env", NULL, write_names },
	{ "grace", "grace_ms", write_word },
	{ "idempotent", NULL, write_word },
	{ "priority", NULL, write_word },
	{ "retries", NULL, write_retries },
	{ "run_if", NULL, write_word },
	{ "sensitive", NULL, write_word },
	{ "tags", NULL, write_word },
	{ "timeout", "timeout_ms", write_word },
	{ "total_timeout", "total_timeout_ms", write_word },
	{ "undo", NULL, write_word },
	{ "user", NULL, write_word },
	{ "workdir", NULL, write_word },
};

static const char *const hooks[] = { "pre_hook", "post_hook", "on_success", "on_failure", "on_timeout",
	"on_retry", "on_complete" };

static void write_hooks(lua_State *L, struct json_write *out)
{
	bool first = true;

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		bool there = lua_getfield(L, -1, hooks[i]) != LUA_TNIL;

		lua_pop(L, 1);
		if (!there)
			continue;
		if (first) {
			json_write_key(out, "hooks");
			json_write_open(out, '[');
		}
		first = false;
		json_write_text(out, hooks[i]);
	}
	if (!first)
		json_write_close(out, ']');
}

/* The task's table is on the top. */
static void write_words(lua_State *L, struct json_write *out)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (lua_getfield(L, -1, words[i].field) != LUA_TNIL) {
			json_write_key(out, words[i].name ? words[i].name : words[i].field);
			words[i].write(L, out);
		}
		lua_pop(L, 1);
	}
	write_hooks(L, out);
}

static void write_member(struct json_write *out, const char *key, const char *text)
{
	json_write_key(out, key);
	json_write_text(out, text);
}

static void write_number(struct json_write *out, const char *key, int64_t number)
{
	json_write_key(out, key);
	json_write_integer(out, number);
}

static void write_tasks(struct json_write *out, const char *key, const struct workflow *workflow,
	const int *numbers, size_t count)
{
	json_write_key(out, key);
	json_write_open(out, '[');
	for (size_t i = 0; i < count; i++)
		json_write_text(out, workflow->tasks[numbers[i]].name);
	json_write_close(out, ']');
}

/* What a rollback does about it. Of a command nobody knows what it changes. */
static const char *rollback_of(const struct task *task)
{
	return task->undoes ? "undo" : task->command ? "nothing" : "images";
}

/* `order`: 0 for one that is left out. */
static void write_task(
	struct json_write *out, struct workflow *workflow, const struct task *task, int order, int level)
{
	lua_State *L = workflow->runner->vm.L;

	json_write_open(out, '{');
	write_member(out, "name", task->name);
	write_member(out, "description", task->description);
	write_tasks(out, "depends", workflow, task->depends, task->depends_count);
	write_number(out, "line", task->line);
	write_member(out, "command", task->command);
	if (workflow->rolls_back && !task->always)
		write_member(out, "rollback", rollback_of(task));
	if (task->after_failure_count)
		write_tasks(out, "next_if_fail", workflow, task->after_failure, task->after_failure_count);
	if (order) {
		write_number(out, "order", order);
		write_number(out, "level", level);
	} else {
		json_write_key(out, "selected");
		json_write_bool(out, false);
	}
	if (task->delegate) {
		json_write_key(out, "delegate_to");
		json_write_value(out, task->delegate);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
	write_words(L, out);
	lua_pop(L, 1);
	json_write_close(out, '}');
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

/* From the last task of the longest way back to its first, and told from the first. */
static void write_longest_way(struct json_write *out, const struct rehearsal *rehearsal)
{
	const struct workflow *workflow = rehearsal->workflow;
	CLEANUP(cleanup_free) int *way = calloc(workflow->count + 1, sizeof(*way));
	size_t first = workflow->count;
	int at = -1;

	if (!way) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < workflow->count; i++)
		if (workflow->tasks[i].selected && (at < 0 || rehearsal->level[i] > rehearsal->level[at]))
			at = (int)i;
	while (at >= 0) {
		const struct graph_node *node = &workflow->nodes[at];
		int before = -1;

		if (workflow->tasks[at].selected)
			way[--first] = at;
		for (size_t i = 0; i < node->depends_count && before < 0; i++)
			if (rehearsal->level[node->depends[i]] == rehearsal->level[at] - 1)
				before = node->depends[i];
		at = before;
	}
	write_tasks(out, "critical_path", workflow, way + first, workflow->count - first);
}

static void write_limits(struct json_write *out, const struct workflow *workflow)
{
	static const char *const policies[] = { [POLICY_STOP] = "stop",
		[POLICY_CONTINUE] = "continue",
		[POLICY_CANCEL] = "cancel",
		[POLICY_ROLLBACK] = "rollback" };

	json_write_key(out, "limits");
	json_write_open(out, '{');
	write_number(out, "max_parallel_tasks", workflow->max_parallel);
	write_number(out, "timeout_ms", workflow->timeout_ms);
	write_member(out, "on_failure", policies[workflow->policy]);
	json_write_close(out, '}');
}

int plan_write(struct workflow *workflow, struct json_write *out)
{
	CLEANUP(rehearsal_done) struct rehearsal rehearsal = { .workflow = workflow };

	if (rehearsal_run(&rehearsal) < 0)
		return -ENOMEM;
	write_member(out, "workflow", workflow->name);
	write_member(out, "stack", workflow->stack);
	write_member(out, "description", workflow->description);
	write_member(out, "version", workflow->version);
	json_write_key(out, "config");
	json_write_value(out, workflow->config);
	write_number(out, "lock_wait_ms", workflow->lock_wait_ms);
	write_limits(out, workflow);
	write_longest_way(out, &rehearsal);
	json_write_key(out, "tasks");
	json_write_open(out, '[');
	for (size_t i = 0; i < workflow->count; i++)
		write_task(out, workflow, &workflow->tasks[i],
			rehearsal.order[i] > 0 ? rehearsal.order[i] : 0, rehearsal.level[i]);
	json_write_close(out, ']');
	return out->failed ? -ENOMEM : 0;
}
