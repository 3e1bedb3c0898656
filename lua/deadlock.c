/* SPDX-License-Identifier: MIT */
/* When all wait for each other, nobody ever goes on: those that own a task are told so. */
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "lua/runner.h"
#include "lua/scheduler.h"
#include "lua/scope.h"
#include "lua/workflow.h"

enum {
	LISTED = 20,	  /* kinds of waiters in the message */
	LOOKED_AT = 5000, /* fibers: the rest is counted */
};

struct waiters {
	char *texts[LISTED];
	size_t counts[LISTED], kinds, others;
};

/* "deploy", "a mutex (deploy.sloth:12)": what is said of one. */
static int describe(lua_State *L)
{
	const struct fiber *fiber = lua_touserdata(L, 1);
	const char *task = fiber->scope->task ? fiber->scope->task : "the workflow";
	bool first = TAILQ_FIRST(&fiber->scope->fibers) == fiber;

	vm_where(fiber->parked);
	lua_xmove(fiber->parked, L, 1);
	lua_pushfstring(L, "%s%s waits for %s (%s)", first ? "" : "a goroutine of ", task, fiber->waits_for,
		lua_tostring(L, -1));
	return 1;
}

static void waiters_add(struct waiters *waiters, const char *text)
{
	size_t i = 0;

	while (i < waiters->kinds && strcmp(waiters->texts[i], text) != 0)
		i++;
	if (i == LISTED || (i == waiters->kinds && !(waiters->texts[i] = strdup(text)))) {
		waiters->others++;
		return;
	}
	waiters->kinds += i == waiters->kinds;
	waiters->counts[i]++;
}

static void waiters_look(struct waiters *waiters, struct vm *vm, const struct fiber *fiber)
{
	lua_pushcfunction(vm->L, describe);
	lua_pushlightuserdata(vm->L, (void *)fiber);
	if (vm_call(vm, 1, 1) == LUA_OK)
		waiters_add(waiters, lua_tostring(vm->L, -1));
	else
		waiters->others++;
	lua_pop(vm->L, 1);
}

static void waiters_write(struct waiters *waiters, FILE *out)
{
	fprintf(out, "all goroutines wait for each other: ");
	for (size_t i = 0; i < waiters->kinds; i++) {
		fprintf(out, "%s%s", i ? "; " : "", waiters->texts[i]);
		if (waiters->counts[i] > 1)
			fprintf(out, ", and %zu more like it", waiters->counts[i] - 1);
		free(waiters->texts[i]);
	}
	if (waiters->others)
		fprintf(out, "; and %zu others", waiters->others);
}

static char *list_waiters(struct runner *runner)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);
	struct waiters waiters = { 0 };
	struct scope *scope;
	struct fiber *fiber;
	size_t number = 0;

	if (!out)
		return NULL;
	LIST_FOREACH (scope, &runner->scopes, link)
		TAILQ_FOREACH (fiber, &scope->fibers, link)
			if (number++ < LOOKED_AT)
				waiters_look(&waiters, &runner->vm, fiber);
			else
				waiters.others++;
	waiters_write(&waiters, out);
	return buffer_stream_close(out, &text) < 0 ? NULL : strdup(text.data);
}

/* A task that is about to end, or whose command runs, will go on by itself. */
static bool anything_goes_on(const struct runner *runner)
{
	const struct scope *scope;

	LIST_FOREACH (scope, &runner->scopes, link)
		if (scope->reason || (TAILQ_EMPTY(&scope->fibers) && !LIST_EMPTY(&scope->execs)))
			return true;
	return runner->workflow && workflow_may_start(runner->workflow);
}

bool sched_break_deadlock(struct sched *sched)
{
	struct runner *runner = runner_of(sched->L);
	struct scope *scope;
	struct fiber *fiber;
	char *text;

	if (!sched->count || sched->blocked_count < sched->count || !TAILQ_EMPTY(&sched->ready))
		return false;
	if (anything_goes_on(runner))
		return false;
	text = list_waiters(runner);
	free(sched->deadlock);
	sched->deadlock = text;
	LIST_FOREACH (scope, &runner->scopes, link) {
		fiber = TAILQ_FIRST(&scope->fibers);
		if (fiber)
			fiber_interrupt(fiber, text ? text : "all goroutines wait for each other");
	}
	return true;
}
