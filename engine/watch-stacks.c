/* SPDX-License-Identifier: MIT */
/* Which stacks are watched, and what has changed of them. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "engine/detect-internal.h"
#include "engine/stack.h"
#include "engine/watch-internal.h"

static const ev_tstamp SOON = 0.05; /* seconds: what changes together is looked at together */
static const ev_tstamp FAILED = 5;  /* … after a turn that could not be stored, or a look that failed */

static void later(struct watches *watches, ev_tstamp seconds)
{
	struct ev_loop *loop = watches->engine->loop;

	if (ev_is_active(&watches->soon))
		return;
	ev_timer_set(&watches->soon, seconds, 0);
	ev_timer_start(loop, &watches->soon);
}

static int add_id(json_t *set, int64_t id)
{
	char text[24];

	return json_object_set_new(set, detect_id_text(id, text), json_null()) < 0 ? -ENOMEM : 0;
}

/* What has changed is not known any more: all of it is looked at. */
static void lose_track(struct watches *watches)
{
	watches->everything = true;
	later(watches, FAILED);
}

/* Nothing is read here: the turn is just over. */
void watches_changed(struct watches *watches, const struct change *change)
{
	const unsigned of_stack = ASPECT_META | ASPECT_DOCUMENTS | ASPECT_NAMES;

	if (watches->engine->failed_turns != watches->failed_turns) {
		watches->failed_turns = watches->engine->failed_turns;
		lose_track(watches);
	} else if (change->subject == SUBJECT_SYSTEM && change->aspects == ASPECT_ALL) {
		watches->everything = true;
		later(watches, SOON);
	} else if (change->subject == SUBJECT_STACK && (change->aspects & of_stack)) {
		if (add_id(watches->stacks, change->id) < 0)
			lose_track(watches);
		later(watches, SOON);
	} else if (change->subject == SUBJECT_RESOURCE && (change->aspects & ASPECT_WISHES)) {
		if (add_id(watches->resources, change->id) < 0)
			lose_track(watches);
		later(watches, SOON);
	} else if (change->subject == SUBJECT_RUN && (change->aspects & ASPECT_STATUS) &&
		   !TAILQ_EMPTY(&watches->watchers)) {
		later(watches, SOON); /* what waits for its end may go on */
	}
}

/* Stacks. */

struct watched *watched_find(struct watches *watches, int64_t stack_id)
{
	struct watcher *watcher;
	struct watched *stack;

	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		TAILQ_FOREACH (stack, &watcher->stacks, stacks)
			if (stack->id == stack_id)
				return stack;
	return NULL;
}

void watched_free(struct watched *stack)
{
	TAILQ_REMOVE(&stack->by->stacks, stack, stacks);
	json_decref(stack->wanted);
	json_decref(stack->held);
	json_decref(stack->told);
	free(stack);
}

void watched_anew(struct watched *stack)
{
	stack->all = true;
	stack->after = 0;
	json_object_clear(stack->wanted);
	json_object_clear(stack->held);
	json_decref(stack->told);
	stack->told = NULL;
	engine_note(stack->by->of->engine, SUBJECT_STACK, stack->id, ASPECT_DRIFT);
}

static int watched_new(struct watcher *watcher, int64_t stack_id)
{
	struct watched *stack = calloc(1, sizeof(*stack));

	if (!stack)
		return -ENOMEM;
	stack->by = watcher;
	stack->id = stack_id;
	stack->wanted = json_object();
	stack->held = json_object();
	TAILQ_INSERT_TAIL(&watcher->stacks, stack, stacks);
	if (!stack->wanted || !stack->held) {
		watched_free(stack);
		return -ENOMEM;
	}
	watched_anew(stack);
	return 0;
}

/* It is watched no more. */
static void watched_leave(struct watched *stack)
{
	struct watcher *watcher = stack->by;

	watcher_forget(watcher, stack->id, 0);
	engine_note(watcher->of->engine, SUBJECT_STACK, stack->id, ASPECT_DRIFT);
	watched_free(stack);
	if (TAILQ_EMPTY(&watcher->stacks))
		watcher_free(watcher);
}

void watched_want(struct watched *stack, int64_t id, json_t *by)
{
	char text[24];

	if (json_object_set(stack->wanted, detect_id_text(id, text), by ? by : json_null()) < 0) {
		stack->all = true;
		stack->after = 0;
	}
}

/* What is no reason to watch no more. */
static bool may_pass(int error)
{
	return error == -ENOMEM || error == -EIO;
}

/* 1, 0, or -errno: nobody knows. A configuration that says nonsense asks for nothing. */
static int is_wanted(struct engine *engine, int64_t stack_id, uid_t *ret_uid)
{
	struct config config;
	struct stack stack;
	int64_t count = 0;
	int r = stack_get(engine, stack_id, &stack);

	if (r == 0)
		r = resource_count(engine, stack_id, &count);
	if (r == 0 && count)
		r = stack_config(engine, stack_id, &config);
	if (r < 0)
		return may_pass(r) ? r : 0;
	*ret_uid = stack.uid;
	return count && config.watch;
}

/* Its owner, its configuration, whether it is there at all. */
static int refresh(struct watches *watches, int64_t stack_id)
{
	struct watched *stack = watched_find(watches, stack_id);
	struct watcher *watcher;
	uid_t uid = 0;
	int wanted = is_wanted(watches->engine, stack_id, &uid);

	if (wanted < 0 || (stack && wanted && stack->by->uid == uid))
		return wanted;
	if (stack)
		watched_leave(stack);
	watcher = wanted ? watcher_get(watches, uid) : NULL;
	return watcher ? watched_new(watcher, stack_id) : 0;
}

/* Runs. */

bool watched_has_run(const struct watched *stack, int64_t run_id)
{
	const struct runner *runner;

	TAILQ_FOREACH (runner, &stack->by->of->runners->list, runners)
		if (runner->stack_id == stack->id && (!run_id || runner->run_id == run_id) &&
			(runner->state == RUNNER_RUNNING || runner->state == RUNNER_AWAY))
			return true;
	return false;
}

bool watched_may_look(struct watched *stack)
{
	struct watches *watches = stack->by->of;
	struct ev_loop *loop = watches->engine->loop;

	if (!watched_has_run(stack, 0)) {
		stack->all |= json_object_update_missing(stack->wanted, stack->held) < 0;
		json_object_clear(stack->held);
		stack->hold_until = 0;
		return true;
	}
	if (!stack->all && json_object_size(stack->wanted) == 0) {
		stack->hold_until = 0; /* what comes next waits as long */
		return false;
	}
	if (!stack->hold_until)
		stack->hold_until = ev_now(loop) + WATCH_HOLD_SECONDS;
	if (stack->hold_until <= ev_now(loop))
		return true;
	if (!ev_is_active(&watches->hold)) {
		ev_timer_set(&watches->hold, stack->hold_until - ev_now(loop) + 0.1, 0);
		ev_timer_start(loop, &watches->hold);
	}
	return false;
}

/* Changes. */

static int refresh_each(void *userdata, const struct stack *stack)
{
	return add_id(((struct watches *)userdata)->stacks, stack->id);
}

static int look_everywhere(struct watches *watches)
{
	int r = stack_each(watches->engine, "", refresh_each, watches);
	struct watcher *watcher;
	struct watched *stack;

	watches->everything = false;
	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		TAILQ_FOREACH (stack, &watcher->stacks, stacks) {
			if (r == 0)
				r = add_id(watches->stacks, stack->id); /* also those that are gone */
			watched_anew(stack);
		}
	return r;
}

static void forget_resource(struct watches *watches, int64_t id)
{
	struct watcher *watcher;

	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		watcher_forget(watcher, 0, id);
}

static int resource_has_changed(struct watches *watches, int64_t id)
{
	struct watched *stack;
	int64_t stack_id;
	int r = store_get_int(watches->engine->store, &stack_id, SQL_RESOURCE_STACK, "i", id);

	if (r < 0 && !may_pass(r))
		forget_resource(watches, id);
	if (r < 0)
		return r;
	stack = watched_find(watches, stack_id);
	if (!stack)
		return refresh(watches, stack_id); /* all of it then */
	watched_want(stack, id, NULL);
	return 0;
}

void watches_look_at_changes(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watches *watches = timer->data;
	uint64_t failures = memory_failures();
	struct watcher *watcher;
	const char *id;
	json_t *none;
	int r = 0;

	if (watches->everything)
		r = look_everywhere(watches);
	json_object_foreach (watches->stacks, id, none)
		if (!may_pass(r))
			r = refresh(watches, strtoll(id, NULL, 10));
	json_object_foreach (watches->resources, id, none)
		if (!may_pass(r))
			r = resource_has_changed(watches, strtoll(id, NULL, 10));
	json_object_clear(watches->stacks);
	json_object_clear(watches->resources);
	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		watcher_pump(watcher);
	if (may_pass(r) || failures != memory_failures())
		lose_track(watches);
}
