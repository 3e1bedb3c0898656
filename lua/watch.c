/* SPDX-License-Identifier: MIT */
/* What is watched, and what came of it. */
#include "lua/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/fault.h"
#include "lua/detect.h"
#include "lua/places.h"
#include "lua/runner.h"
#include "lua/value.h"
#include "lua/who.h"

enum {
	THINGS_ROWS = 4096,
	SPOTS_MAX = 100,     /* of a resource */
	CHANGED_ROWS = 500,  /* of a frame */
	STUCK_SECONDS = 120, /* what is looked at may keep the loop so long */
	NICE = 5,
	COST = 8, /* one that takes a second of processor time is looked at every 8 seconds, at the most */
};

static const double POLL_SECONDS = 30, COST_MAX = 30;

/* One whose end is waited for. */
struct process {
	LIST_ENTRY(process) processes;
	struct thing *thing;
	int pidfd;
	ev_io ended;
};

/* A resource. */
struct thing {
	LIST_ENTRY(thing) things;
	TAILQ_ENTRY(thing) dirty_link;
	struct watch *watch;
	int64_t id, stack;
	json_t *wants; /* as its provider said it */
	json_t *by;    /* who changed it last, since it was told of; NULL: not known */
	struct spot **spots;
	size_t spot_count;
	bool dirty, mounts, polled;
	LIST_HEAD(, process) processes;
	ev_timer poll;
	double every;	 /* seconds, as its provider says; 0: it does not */
	double begun;	 /* its last look, in processor time */
	ev_tstamp ready; /* before that it is not looked at again */
};

struct watch {
	struct runner *runner;
	struct places places;
	struct who who;
	LIST_HEAD(, thing) things[THINGS_ROWS];
	TAILQ_HEAD(, thing) dirty;
	ev_timer again; /* something dirty is not ready */
	bool counts;	/* how many are watched has changed */
	bool everything;
	bool armed; /* the alarm(2) */
};

/* What has changed. */

static void touch(struct thing *thing)
{
	if (thing->dirty)
		return;
	thing->dirty = true;
	TAILQ_INSERT_TAIL(&thing->watch->dirty, thing, dirty_link);
}

static void clean(struct thing *thing)
{
	if (thing->dirty)
		TAILQ_REMOVE(&thing->watch->dirty, thing, dirty_link);
	thing->dirty = false;
}

static void send_changed(struct watch *watch, json_t *rows, bool all)
{
	link_send(&watch->runner->link,
		json_pack("{ss sb so}", "op", "changed", "all", all, "resources", rows));
}

static void wait_for(struct watch *watch, ev_tstamp seconds)
{
	ev_timer_stop(watch->runner->loop, &watch->again);
	ev_timer_set(&watch->again, seconds, 0);
	ev_timer_start(watch->runner->loop, &watch->again);
}

/* Tells of what is dirty, and may be looked at again. */
static void flush(struct watch *watch)
{
	ev_tstamp now = ev_now(watch->runner->loop), soonest = 0;
	json_t *rows = json_array();
	struct thing *thing, *next;

	if (!TAILQ_EMPTY(&watch->dirty))
		who_look(&watch->who);
	for (thing = TAILQ_FIRST(&watch->dirty); thing; thing = next) {
		next = TAILQ_NEXT(thing, dirty_link);
		if (thing->ready > now) {
			soonest = !soonest || thing->ready < soonest ? thing->ready : soonest;
			continue;
		}
		clean(thing);
		json_array_append_new(rows, json_pack("{sI sI so*}", "id", (json_int_t)thing->id, "stack",
						    (json_int_t)thing->stack, "by", thing->by));
		thing->by = NULL;
		if (json_array_size(rows) >= CHANGED_ROWS) {
			send_changed(watch, rows, false);
			rows = json_array();
		}
	}
	if (watch->everything || json_array_size(rows))
		send_changed(watch, json_incref(rows), watch->everything);
	json_decref(rows);
	watch->everything = false;
	if (soonest)
		wait_for(watch, soonest - now + 0.001);
}

static void again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	flush(timer->data);
}

/* What the kernel tells. */

static void spot_touched(struct spot *spot)
{
	touch(spot->userdata);
}

static void poll_set(struct thing *thing, double every);

static const char *thing_why(const struct thing *thing)
{
	for (size_t i = 0; i < thing->spot_count; i++)
		if (spot_why(thing->spots[i]))
			return spot_why(thing->spots[i]);
	return NULL;
}

/* Whether it has to be polled. */
static void thing_settle(struct thing *thing)
{
	bool deaf = thing_why(thing) != NULL;

	poll_set(thing, thing->every ? thing->every : deaf ? POLL_SECONDS : 0);
	thing->polled = deaf || thing->every;
	thing->watch->counts = true;
}

static void spot_settled(struct spot *spot)
{
	thing_settle(spot->userdata);
}

/* A process did something to it. */
static void spot_changed(void *userdata, struct spot *spot)
{
	struct thing *thing = spot->userdata;

	json_decref(thing->by);
	thing->by = json_incref(userdata);
}

static bool told(void *userdata, uint64_t folder, const char *name, json_t *by)
{
	return places_each(&((struct watch *)userdata)->places, folder, name, spot_changed, by);
}

static void folder_watched(void *userdata, uint64_t folder, int fd)
{
	who_mark(&((struct watch *)userdata)->who, folder, fd);
}

static void folder_left(void *userdata, uint64_t folder)
{
	who_forget(&((struct watch *)userdata)->who, folder);
}

static void mounted(void *userdata)
{
	struct watch *watch = userdata;
	struct thing *thing;

	for (size_t i = 0; i < THINGS_ROWS; i++)
		LIST_FOREACH (thing, &watch->things[i], things)
			if (thing->mounts)
				touch(thing);
}

static void overflow(void *userdata)
{
	struct watch *watch = userdata;

	watch->everything = true;
	places_again(&watch->places);
}

static void places_turn(void *userdata)
{
	flush(userdata);
}

static const struct places_callbacks places_callbacks = {
	.touched = spot_touched,
	.settled = spot_settled,
	.folder = folder_watched,
	.left = folder_left,
	.mounted = mounted,
	.overflow = overflow,
	.turn = places_turn,
};

/* Things. */

static struct thing *thing_find(struct watch *watch, int64_t id)
{
	struct thing *thing;

	LIST_FOREACH (thing, &watch->things[(uint64_t)id % THINGS_ROWS], things)
		if (thing->id == id)
			return thing;
	return NULL;
}

static void process_leave(struct process *process)
{
	ev_io_stop(process->thing->watch->runner->loop, &process->ended);
	LIST_REMOVE(process, processes);
	close(process->pidfd);
	free(process);
}

static void process_ended(struct ev_loop *loop, ev_io *io, int revents)
{
	struct process *process = io->data;
	struct thing *thing = process->thing;

	process_leave(process);
	/* What its provider says then is another process. */
	json_decref(thing->wants);
	thing->wants = NULL;
	touch(thing);
	flush(thing->watch);
}

static void poll_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct thing *thing = timer->data;

	for (size_t i = 0; i < thing->spot_count; i++)
		if (spot_why(thing->spots[i]))
			spot_again(&thing->watch->places, thing->spots[i]);
	touch(thing);
	flush(thing->watch);
}

/* Those that are polled are spread over the time. */
static void poll_set(struct thing *thing, double every)
{
	struct ev_loop *loop = thing->watch->runner->loop;

	if (ev_is_active(&thing->poll) && thing->poll.repeat == every)
		return;
	ev_timer_stop(loop, &thing->poll);
	if (!every)
		return;
	ev_timer_set(&thing->poll, every * (0.5 + (double)((uint64_t)thing->id * 2654435761U % 1024) / 2048),
		every);
	ev_timer_start(loop, &thing->poll);
}

static void thing_leave(struct thing *thing)
{
	for (size_t i = 0; i < thing->spot_count; i++)
		spot_free(&thing->watch->places, thing->spots[i]);
	free(thing->spots);
	thing->spots = NULL;
	thing->spot_count = 0;
	while (!LIST_EMPTY(&thing->processes))
		process_leave(LIST_FIRST(&thing->processes));
	thing->mounts = false;
	thing->every = 0;
	json_decref(thing->wants);
	json_decref(thing->by);
	thing->wants = thing->by = NULL;
}

static void thing_free(struct thing *thing)
{
	LIST_REMOVE(thing, things);
	clean(thing);
	thing_leave(thing);
	poll_set(thing, 0);
	thing->watch->counts = true;
	free(thing);
}

static struct thing *thing_get(struct watch *watch, int64_t id, int64_t stack)
{
	struct thing *thing = thing_find(watch, id);

	if (!thing) {
		thing = calloc(1, sizeof(*thing));
		if (!thing)
			return NULL;
		thing->watch = watch;
		thing->id = id;
		LIST_INIT(&thing->processes);
		ev_timer_init(&thing->poll, poll_over, 0, 0);
		thing->poll.data = thing;
		LIST_INSERT_HEAD(&watch->things[(uint64_t)id % THINGS_ROWS], thing, things);
	}
	thing->stack = stack;
	return thing;
}

static void want_path(struct thing *thing, const char *path)
{
	struct spot **spots = realloc(thing->spots, (thing->spot_count + 1) * sizeof(struct spot *));
	struct spot *spot;

	if (!spots)
		return;
	thing->spots = spots;
	spot = spot_new(&thing->watch->places, path, thing);
	if (spot)
		spots[thing->spot_count++] = spot;
	else
		thing->every = POLL_SECONDS;
}

/* One that can't be held, because it is somebody's whose processes are not shown, is polled. */
static void want_process(struct thing *thing, pid_t pid)
{
	struct process *process = calloc(1, sizeof(*process));

	if (process)
		process->pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (!process || process->pidfd < 0) {
		free(process);
		thing->every = POLL_SECONDS;
		return;
	}
	process->thing = thing;
	ev_io_init(&process->ended, process_ended, process->pidfd, EV_READ);
	process->ended.data = process;
	ev_io_start(thing->watch->runner->loop, &process->ended);
	LIST_INSERT_HEAD(&thing->processes, process, processes);
}

static void want(struct thing *thing, const json_t *one)
{
	const json_t *process = json_object_get(one, "process"), *poll = json_object_get(one, "poll");
	double every = json_number_value(poll);

	if (json_is_string(one))
		want_path(thing, json_string_value(one));
	if (json_is_true(json_object_get(one, "mounts")))
		thing->mounts = true;
	if (process)
		want_process(thing, (pid_t)json_integer_value(process));
	if (poll && (!thing->every || every < thing->every))
		thing->every = every < 1 ? 1 : every;
}

/* The way is watched before it is looked at: nothing falls in between. */
static void thing_watch(struct thing *thing, json_t *wants)
{
	json_t *one;
	size_t i;

	if (thing->wants && json_equal(thing->wants, wants))
		return;
	thing_leave(thing);
	thing->wants = json_incref(wants);
	json_array_foreach (wants, i, one)
		if (i < SPOTS_MAX)
			want(thing, one);
	if (i > SPOTS_MAX && !thing->every)
		thing->every = POLL_SECONDS; /* the rest is not heard of */
	thing_settle(thing);
}

/* Seconds of processor time, ours and of the commands that we ran: on a busy machine each look takes long. */
static double used(void)
{
	static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
	double seconds = 0;

	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
		struct rusage usage = { 0 };

		getrusage(whose[i], &usage);
		seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	}
	return seconds;
}

/* For lib/watching.lua. */

/* watch(id, stack, list): false: it is not to be watched (list is nil) */
static int core_watch_set(lua_State *L)
{
	struct watch *watch = runner_of(L)->watch;
	int64_t id = luaL_checkinteger(L, 1), stack = luaL_checkinteger(L, 2);
	const char *error = NULL;
	json_t *wants = lua_istable(L, 3) ? value_get(L, 3, &error) : NULL;
	struct thing *thing = wants ? thing_get(watch, id, stack) : thing_find(watch, id);

	if (thing && json_array_size(wants)) {
		clean(thing); /* what happened until now is looked at now */
		thing->begun = used();
		thing_watch(thing, wants);
	} else if (thing) {
		thing_free(thing);
	}
	lua_pushboolean(L, json_array_size(wants) > 0);
	json_decref(wants);
	return 1;
}

/* looked(id): it was looked at */
static int core_watch_looked(lua_State *L)
{
	struct watch *watch = runner_of(L)->watch;
	struct thing *thing = thing_find(watch, luaL_checkinteger(L, 1));
	double cost;

	if (!thing)
		return 0;
	cost = COST * (used() - thing->begun);
	thing->ready = ev_time() + (cost < COST_MAX ? cost : COST_MAX);
	return 0;
}

const luaL_Reg core_watch[] = {
	{ "watch", core_watch_set },
	{ "looked", core_watch_looked },
	{ NULL, NULL },
};

/* How much of each stack. */

static json_t *count_of(json_t *counts, int64_t stack)
{
	char key[24];
	json_t *count;

	snprintf(key, sizeof(key), "%lld", (long long)stack);
	count = json_object_get(counts, key);
	if (!count) {
		count = json_pack(
			"{sI si si ss}", "stack", (json_int_t)stack, "watched", 0, "polled", 0, "why", "");
		json_object_set_new(counts, key, count);
	}
	return count;
}

static void add_one(json_t *count, const char *key)
{
	json_object_set_new(count, key, json_integer(json_integer_value(json_object_get(count, key)) + 1));
}

static void count_thing(json_t *counts, const struct thing *thing)
{
	json_t *count = count_of(counts, thing->stack);
	const char *why = thing_why(thing);

	add_one(count, thing->polled ? "polled" : "watched");
	if (why && !*json_string_value(json_object_get(count, "why")))
		json_object_set_new(count, "why", value_text(why, strlen(why)));
}

static void send_counts(struct watch *watch)
{
	json_t *counts = json_object(), *list = json_array(), *count;
	struct thing *thing;
	const char *key;

	for (size_t i = 0; i < THINGS_ROWS; i++)
		LIST_FOREACH (thing, &watch->things[i], things)
			count_thing(counts, thing);
	json_object_foreach (counts, key, count)
		json_array_append(list, count);
	json_decref(counts);
	link_send(&watch->runner->link, json_pack("{ss so}", "op", "watching", "stacks", list));
	watch->counts = false;
}

void watch_turn(struct watch *watch, bool busy)
{
	/* What a provider computes may never come back to the loop: each turn of it begins anew. */
	if (busy || watch->armed)
		alarm(busy ? STUCK_SECONDS : 0);
	watch->armed = busy;
	if (!busy && watch->counts)
		send_counts(watch);
}

/* Frames. */

void watch_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct fault fault = { 0 };
	struct watch *watch = runner->begun ? NULL : calloc(1, sizeof(*watch));

	if (!watch)
		return;
	FAILPOINT("runner.watch");
	setpriority(PRIO_PROCESS, 0, NICE);
	prctl(PR_SET_NAME, "sloth-watcher");
	watch->runner = runner;
	TAILQ_INIT(&watch->dirty);
	who_init(&watch->who, runner->loop, told, watch);
	if (json_is_true(json_object_get(head, "exact")))
		who_be_exact(&watch->who);
	places_init(&watch->places, runner->loop, &places_callbacks, watch);
	ev_timer_init(&watch->again, again, 0, 0);
	watch->again.data = watch;
	runner->watch = watch;
	if (runner_prepare(runner, head, &fault) < 0 || detect_begin(runner) < 0)
		ev_break(runner->loop, EVBREAK_ALL);
}

void watch_forget_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	int64_t id = json_integer_value(json_object_get(head, "id"));
	int64_t stack = json_integer_value(json_object_get(head, "stack"));
	struct watch *watch = runner->watch;
	struct thing *thing = watch && id ? thing_find(watch, id) : NULL, *next;

	if (thing)
		thing_free(thing);
	for (size_t i = 0; watch && stack && i < THINGS_ROWS; i++)
		for (thing = LIST_FIRST(&watch->things[i]); thing; thing = next) {
			next = LIST_NEXT(thing, things);
			if (thing->stack == stack)
				thing_free(thing);
		}
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < THINGS_ROWS; i++)
		while (!LIST_EMPTY(&watch->things[i]))
			thing_free(LIST_FIRST(&watch->things[i]));
	ev_timer_stop(watch->runner->loop, &watch->again);
	places_done(&watch->places);
	who_done(&watch->who);
	free(watch);
}
