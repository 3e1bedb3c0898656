/* SPDX-License-Identifier: MIT */
/* What a try owns, and how it ends. */
#include "lua/scope.h"

#include <signal.h>
#include <stdlib.h>

#include "lua/exec.h"
#include "lua/leaf.h"
#include "lua/runner.h"
#include "lua/scheduler.h"
#include "lua/sweep.h"

static const ev_tstamp LOOK = 0.005; /* seconds between looks at dying processes */

static bool scope_is_empty(const struct scope *scope)
{
	return TAILQ_EMPTY(&scope->fibers) && LIST_EMPTY(&scope->execs);
}

/* Whether processes are left that have to go; they are told so. */
static bool scope_sweep(struct scope *scope, int signal)
{
	return scope->sweep && sweep(scope, signal) > 0;
}

static void scope_give_leaf(struct scope *scope)
{
	if (scope->leaf)
		leaf_give(&scope->runner->leaves, scope->leaf);
	scope->leaf = NULL;
}

void scope_take_leaf(struct scope *scope)
{
	if (!scope->has_run)
		scope->leaf = leaf_take(&scope->runner->leaves);
	scope->has_run = true;
}

void scope_check(struct scope *scope)
{
	void (*ended)(struct scope *) = scope->ended;

	if (!scope->reason || !ended || scope->checking || !scope_is_empty(scope))
		return;
	if (scope_sweep(scope, scope->killed ? SIGKILL : 0)) {
		if (!ev_is_active(&scope->look)) {
			ev_timer_set(&scope->look, LOOK, LOOK);
			ev_timer_start(scope->runner->loop, &scope->look);
		}
		return;
	}
	ev_timer_stop(scope->runner->loop, &scope->grace);
	ev_timer_stop(scope->runner->loop, &scope->look);
	if (!scope->sweep)
		sweep_leave(scope);
	scope_give_leaf(scope);
	scope->ended = NULL;
	ended(scope);
}

static void scope_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	scope_check(timer->data);
}

static void scope_kill(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct scope *scope = timer->data;
	struct exec *exec;
	struct fiber *fiber, *next;

	scope->killed = true;
	scope->checking = true;
	/* The one that runs, where it can't yield, stays: the end is raised in it. */
	for (fiber = TAILQ_FIRST(&scope->fibers); fiber; fiber = next) {
		next = TAILQ_NEXT(fiber, link);
		fiber_kill(fiber);
	}
	LIST_FOREACH (exec, &scope->execs, link)
		exec_signal(exec, SIGKILL);
	scope->checking = false;
	scope_sweep(scope, SIGKILL);
	scope_check(scope);
}

void scope_init(struct scope *scope, struct runner *runner, const char *task, int try, void *userdata)
{
	*scope = (struct scope){ .runner = runner, .task = task, .try = try, .userdata = userdata };
	TAILQ_INIT(&scope->fibers);
	LIST_INIT(&scope->execs);
	LIST_INIT(&scope->reports.open);
	ev_init(&scope->grace, scope_kill);
	ev_init(&scope->look, scope_look);
	scope->grace.data = scope->look.data = scope;
	LIST_INSERT_HEAD(&runner->scopes, scope, link);
}

void scope_done(struct scope *scope)
{
	struct fiber *fiber;
	struct exec *exec;

	if (!scope->runner)
		return;
	while ((fiber = TAILQ_FIRST(&scope->fibers)))
		fiber_kill(fiber);
	while ((exec = LIST_FIRST(&scope->execs)))
		exec_free(exec);
	ev_timer_stop(scope->runner->loop, &scope->grace);
	ev_timer_stop(scope->runner->loop, &scope->look);
	reports_done(&scope->reports);
	scope_give_leaf(scope);
	LIST_REMOVE(scope, link);
	free(scope->groups);
	scope->groups = NULL;
	scope->runner = NULL;
}

static void scope_set_grace(struct scope *scope, int64_t grace_ms)
{
	struct ev_loop *loop = scope->runner->loop;
	ev_tstamp grace = (ev_tstamp)grace_ms / 1000;

	if (ev_is_active(&scope->grace) && ev_timer_remaining(loop, &scope->grace) <= grace)
		return;
	ev_timer_stop(loop, &scope->grace);
	ev_timer_set(&scope->grace, grace, 0);
	ev_timer_start(loop, &scope->grace);
}

void scope_end(struct scope *scope, const char *reason, bool sweep_too, int64_t grace_ms,
	void (*ended)(struct scope *))
{
	struct fiber *fiber;
	struct exec *exec;
	bool again = scope->reason && scope->sweep >= sweep_too;

	scope->ended = ended;
	scope->sweep |= sweep_too;
	if (!again) {
		scope->reason = reason;
		scope->checking = true;
		TAILQ_FOREACH (fiber, &scope->fibers, link)
			fiber_interrupt(fiber, reason);
		LIST_FOREACH (exec, &scope->execs, link)
			exec_signal(exec, SIGTERM);
		/* The rest, which is in no process group of ours any more. */
		scope_sweep(scope, SIGTERM);
		scope->checking = false;
	}
	if (!scope->killed)
		scope_set_grace(scope, grace_ms);
	scope_check(scope);
}

void scope_add_group(struct scope *scope, pid_t group)
{
	pid_t *groups = realloc(scope->groups, (scope->group_count + 1) * sizeof(*groups));

	if (!groups)
		return; /* the environment still marks them */
	scope->groups = groups;
	groups[scope->group_count++] = group;
}
