/* SPDX-License-Identifier: MIT */
/* Which stacks are watched, and what has changed of them. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "engine/detect-internal.h"
#include "engine/stack.h"
#include "engine/watch-internal.h"

static const ev_tstamp SOON = 0.05; /* seconds: what changes together is looked at together */
static const ev_tstamp FAILED = 5;  /* … after a turn that could not be stored */

static void later(struct watches *watches, ev_tstamp seconds)
{
	struct ev_loop *loop = watches->engine->loop;

	if (ev_is_active(&watches->soon))
		return;
	ev_timer_set(&watches->soon, seconds, 0);
	ev_timer_start(loop, &watches->soon);
}

static void add_id(json_t *set, int64_t id)
{
	char text[24];

	json_object_set_new(set, detect_id_text(id, text), json_null());
}

/* Nothing is read here: the turn is just over. */
void watches_changed(struct watches *watches, const struct change *change)
{
	const unsigned of_stack = ASPECT_META | ASPECT_DOCUMENTS | ASPECT_NAMES;

	if (watches->engine->failed_turns != watches->failed_turns) {
		watches->failed_turns = watches->engine->failed_turns;
		watches->everything = true;
		later(watches, FAILED);
	} else if (change->subject == SUBJECT_SYSTEM && change->aspects == ASPECT_ALL) {
		watches->everything = true;
		later(watches, SOON);
	} else if (change->subject == SUBJECT_STACK && (change->aspects & of_stack)) {
		add_id(watches->stacks, change->id);
		later(watches, SOON);
	} else if (change->subject == SUBJECT_RESOURCE && (change->aspects & ASPECT_WISHES)) {
		add_id(watches->resources, change->id);
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

static void watched_new(struct watcher *watcher, int64_t stack_id)
{
	struct watched *stack = calloc(1, sizeof(*stack));

	if (!stack)
		return;
	stack->by = watcher;
	stack->id = stack_id;
	stack->wanted = json_object();
	stack->held = json_object();
	TAILQ_INSERT_TAIL(&watcher->stacks, stack, stacks);
	watched_anew(stack);
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

	json_object_set(stack->wanted, detect_id_text(id, text), by ? by : json_null());
}

static bool is_wanted(struct engine *engine, int64_t stack_id, uid_t *ret_uid)
{
	struct config config;
	struct stack stack;
	int64_t count;

	if (stack_get(engine, stack_id, &stack) < 0 || resource_count(engine, stack_id, &count) < 0 ||
		!count || stack_config(engine, stack_id, &config) < 0 || !config.watch)
		return false;
	*ret_uid = stack.uid;
	return true;
}

/* Its owner, its configuration, whether it is there at all. The one that is watched then; NULL: none. */
static struct watched *refresh(struct watches *watches, int64_t stack_id)
{
	struct watched *stack = watched_find(watches, stack_id);
	struct watcher *watcher;
	uid_t uid = 0;
	bool wanted = is_wanted(watches->engine, stack_id, &uid);

	if (stack && wanted && stack->by->uid == uid)
		return stack;
	if (stack)
		watched_leave(stack);
	watcher = wanted ? watcher_get(watches, uid) : NULL;
	if (!watcher)
		return NULL;
	watched_new(watcher, stack_id);
	return watched_find(watches, stack_id);
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
		json_object_update_missing(stack->wanted, stack->held);
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
	add_id(((struct watches *)userdata)->stacks, stack->id);
	return 0;
}

static void look_everywhere(struct watches *watches)
{
	struct watcher *watcher;
	struct watched *stack;

	watches->everything = false;
	stack_each(watches->engine, "", refresh_each, watches);
	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		TAILQ_FOREACH (stack, &watcher->stacks, stacks) {
			add_id(watches->stacks, stack->id); /* also those that are gone */
			watched_anew(stack);
		}
}

static void forget_resource(struct watches *watches, int64_t id)
{
	struct watcher *watcher;

	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		watcher_forget(watcher, 0, id);
}

static void resource_has_changed(struct watches *watches, int64_t id)
{
	struct watched *stack;
	int64_t stack_id;
	int r = store_get_int(watches->engine->store, &stack_id, SQL_RESOURCE_STACK, "i", id);

	if (r < 0) {
		forget_resource(watches, id);
		return;
	}
	stack = watched_find(watches, stack_id);
	if (!stack)
		stack = refresh(watches, stack_id); /* all of it then */
	else
		watched_want(stack, id, NULL);
}

void watches_look_at_changes(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watches *watches = timer->data;
	json_t *stacks = watches->stacks, *resources = watches->resources, *none;
	struct watcher *watcher;
	const char *id;

	if (watches->everything)
		look_everywhere(watches);
	watches->stacks = json_object();
	watches->resources = json_object();
	json_object_foreach (stacks, id, none)
		refresh(watches, strtoll(id, NULL, 10));
	json_object_foreach (resources, id, none)
		resource_has_changed(watches, strtoll(id, NULL, 10));
	json_decref(stacks);
	json_decref(resources);
	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		watcher_pump(watcher);
}
