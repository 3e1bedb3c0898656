/* SPDX-License-Identifier: MIT */
/* Whom a lock stops, and whose fencing token is out of date. Asked before every change of a stack. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "engine/lock-table.h"
#include "engine/run.h"
#include "engine/stack.h"

/* `pid` is that process, or came from it. */
static bool is_process(pid_t pid, pid_t ancestor, uint64_t known_at)
{
	uint64_t start;

	return pid > 0 && ancestor > 0 && process_start_time(ancestor, &start) == 0 && start <= known_at &&
	       process_descends(pid, ancestor);
}

bool lock_row_is_process(const struct lock *row, const struct caller *caller)
{
	return is_process(caller->pid, row->pid, row->known_at) ||
	       is_process(caller->pid, row->opener, row->known_at);
}

bool lock_row_is_callers(const struct lock *row, const struct caller *caller)
{
	if (lock_is_users(row))
		return row->uid == caller->uid;
	if (lock_row_is_process(row, caller))
		return true;
	/* Where the kernel tells no pids (another pid namespace), the user has to do. */
	return lock_is_session(row) && !row->pid && !row->opener && row->uid == caller->uid;
}

static bool token_holds(const struct lock_rows *rows, int64_t token)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i].token == token)
			return true;
	return false;
}

static int stale_fault(const struct stack *stack, int64_t token, const char *whose, struct fault *fault)
{
	return fault_set(fault, ESTALE,
		"nothing was changed: %s holds the token %" PRId64
		" of stack %s, and that lock is gone (the newest token is %" PRId64 ")",
		whose, token, stack->name, stack->token);
}

/* "stacks/prod=7 locks/db=3": what `sloth with-lock` has locked; 0: not this stack. */
static int64_t token_of_list(const char *list, const char *stack)
{
	char start[NAME_SIZE + 16];
	const char *p;

	snprintf(start, sizeof(start), "stacks/%s=", stack);
	p = strstr(list, start);
	return p && (p == list || p[-1] == ' ') ? strtoll(p + strlen(start), NULL, 10) : 0;
}

/* What the environment says of the stack and the token; 0: nothing. Only the process itself is fooled by one
 * that lies. */
static int64_t token_of_environment(pid_t pid, const char *stack)
{
	char name[NAME_SIZE], token[32], list[LOCK_TARGETS_MAX * (NAME_SIZE + 32)];
	const struct process_variable variables[] = {
		{ "SLOTH_LOCKS", list, sizeof(list) },
		{ "SLOTH_LOCK_TOKEN", token, sizeof(token) },
		{ "SLOTH_STACK", name, sizeof(name) },
	};
	int64_t value;

	if (process_variables(pid, variables, sizeof(variables) / sizeof(variables[0])) < 0)
		return 0;
	value = token_of_list(list, stack);
	if (value)
		return value;
	return !strcmp(name, stack) && parse_int64(token, &value) == 0 ? value : 0;
}

struct searching {
	struct engine *engine;
	const struct caller *caller;
	const struct stack *stack;
	const struct lock_rows *rows;
	int64_t run_id, token; /* found */
};

/* Its tasks may have lost their environment, but not their parents. */
static int find_stale_run(void *userdata, const struct run *run)
{
	struct searching *searching = userdata;

	if (run->stack_id != searching->stack->id || !run->lock_token || run->pid <= 0 ||
		token_holds(searching->rows, run->lock_token) ||
		!process_descends(searching->caller->pid, run->pid))
		return 0;
	searching->run_id = run->id;
	searching->token = run->lock_token;
	return 1;
}

/* Processes of runs and of `sloth with-lock` change a stack under the token of their lock. */
static int fence(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct lock_rows *rows, struct fault *fault)
{
	struct searching searching = { engine, caller, stack, rows, 0, 0 };
	char whose[64];
	int64_t token;
	int r;

	if (caller->pid <= 0 || stack->token == 0)
		return 0;
	token = token_of_environment(caller->pid, stack->name);
	if (token && !token_holds(rows, token))
		return stale_fault(stack, token, "this process (SLOTH_LOCK_TOKEN)", fault);
	r = run_each_unfinished(engine, find_stale_run, &searching);
	if (r <= 0)
		return r;
	snprintf(whose, sizeof(whose), "run %" PRId64, searching.run_id);
	return stale_fault(stack, searching.token, whose, fault);
}

static int maintenance_fault(
	struct engine *engine, const struct stack *stack, const struct lock *lock, struct fault *fault)
{
	char user[128];

	if (lock->owner)
		return fault_set(fault, EBUSY,
			"stack %s is under maintenance: %s. Nothing runs on it until %s has undone the rest "
			"(sloth "
			"stack undo %s --run %" PRIu64 ") or released the lock (echo unlock > lock)",
			stack->name, lock->reason, caller_user_name(lock->uid, user, sizeof(user)),
			stack->name, lock->owner);
	return fault_set(fault, EBUSY,
		"stack %s is under maintenance by %s: \"%s\". Nothing runs on it until the lock is released: "
		"echo unlock > lock",
		stack->name, caller_user_name(lock->uid, user, sizeof(user)), lock->reason);
}

int lock_check_automation(struct engine *engine, int64_t stack_id, struct fault *fault)
{
	struct stack stack;
	struct lock lock;
	int r = lock_get(engine, lock_of_stack(stack_id), &lock);

	if (r <= 0 || lock.kind != LOCK_MAINTENANCE)
		return r;
	r = stack_get(engine, stack_id, &stack);
	return r < 0 ? r : maintenance_fault(engine, &stack, &lock, fault);
}

static int find_run_of(void *userdata, const struct run *run)
{
	const struct caller *caller = userdata;

	return run->pid > 0 && process_descends(caller->pid, run->pid);
}

/* Whether it is a workflow's doing, and no person's. */
static bool is_automation(struct engine *engine, struct caller *caller)
{
	char run[32] = "";

	if (caller->pid <= 0)
		return false;
	process_variables(caller->pid, &(struct process_variable){ "SLOTH_RUN", run, sizeof(run) }, 1);
	return run[0] || run_each_unfinished(engine, find_run_of, caller) > 0;
}

int lock_check(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct lock_object object;
	struct stack stack;
	int r;

	if (!caller || caller->run_id)
		return 0;
	r = lock_rows_get(engine, lock_of_stack(stack_id), &rows);
	if (r == 0)
		r = stack_get(engine, stack_id, &stack);
	if (r < 0)
		return fault_set(fault, -r, "the lock of the stack cannot be read: %s", strerror(-r));
	r = fence(engine, caller, &stack, &rows, fault);
	for (size_t i = 0; i < rows.count && r == 0; i++) {
		if (lock_row_is_callers(&rows.rows[i], caller)) {
			if (rows.rows[i].kind == LOCK_MAINTENANCE && is_automation(engine, caller))
				return maintenance_fault(engine, &stack, &rows.rows[i], fault);
			continue;
		}
		rows.rows[0] = rows.rows[i];
		r = lock_object_get(engine, lock_of_stack(stack_id), fault, &object);
		return r < 0 ? r : lock_busy_fault(engine, &object, &rows, fault);
	}
	return r;
}

bool lock_held_by(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t *ret_token)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };

	if (!caller || lock_rows_get(engine, lock_of_stack(stack_id), &rows) < 0)
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (rows.rows[i].kind == LOCK_SHARED || !lock_row_is_callers(&rows.rows[i], caller))
			continue;
		*ret_token = rows.rows[i].token;
		return true;
	}
	return false;
}
