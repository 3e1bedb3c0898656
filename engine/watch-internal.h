/* SPDX-License-Identifier: MIT */
#pragma once
/* What is watched, and by whom. Shared by watch.c (the processes), watch-stacks.c (which stacks, and what
 * became of them) and watch-rows.c (what a process is told, and tells). */
#include <stdbool.h>
#include <sys/queue.h>

#include "base/conn.h"
#include "engine/runner-internal.h"
#include "engine/watch.h"

/* A stack that is watched. */
struct watched {
	TAILQ_ENTRY(watched) stacks;
	struct watcher *by;
	int64_t id;
	bool all; /* all of its resources behind `after` are to be looked at */
	int64_t after;
	json_t *wanted;	       /* ids that are to be looked at → who changed it, or null */
	json_t *held;	       /* … when the run that changes them is over */
	ev_tstamp hold_until;  /* a run is at work: they wait until then; 0: nothing waits */
	ev_tstamp quiet_until; /* no event says how it is watched */
	json_t *told;	       /* how it is watched, as the process says; NULL: it said nothing yet */
};

/* The process of an owner. */
struct watcher {
	TAILQ_ENTRY(watcher) watchers;
	struct watches *of;
	int64_t id; /* of its process, below 0 */
	uid_t uid;
	TAILQ_HEAD(, watched) stacks;
	json_t *asked; /* id → {stack, read_ms, by, again}: what it is to look at, and has not told of */
	bool running;
	struct conn conn;
	char mark[RUNNER_MARK_SIZE];
	int pidfd;
	ev_timer again;	   /* it has ended: when the next one is started */
	unsigned failures; /* in a row */
	ev_tstamp since;   /* when it was started */
};

struct watches {
	struct runners *runners;
	struct engine *engine;
	TAILQ_HEAD(, watcher) watchers;
	json_t *stacks, *resources; /* sets of ids: they changed */
	bool everything;	    /* all stacks may have */
	unsigned failed_turns;
	ev_timer soon; /* what has changed is looked at */
	ev_timer hold; /* what waits for runs may go on */
};

/* watch.c */
struct watcher *watcher_get(struct watches *watches, uid_t uid); /* NULL: there are too many, or no memory */
void watcher_free(struct watcher *watcher);
/* Whether there is a process that can be told something: it may have been started by this. */
bool watcher_ready(struct watcher *watcher);
/* It is of no use any more: another one begins anew, later. */
void watcher_give_up(struct watcher *watcher, const char *why);
int watcher_send(struct watcher *watcher, json_t *head);

/* watch-stacks.c */
void watches_changed(struct watches *watches, const struct change *change);
void watches_look_at_changes(struct ev_loop *loop, ev_timer *timer, int revents);
struct watched *watched_find(struct watches *watches, int64_t stack_id);
void watched_free(struct watched *stack);
void watched_want(struct watched *stack, int64_t id, json_t *by);
/* The process has ended, or nobody knows what it missed. */
void watched_anew(struct watched *stack);
/* Whether its resources may be looked at now. */
bool watched_may_look(struct watched *stack);
bool watched_has_run(const struct watched *stack, int64_t run_id); /* 0: any */

/* watch-rows.c */
/* Tells the process what there is to tell, as long as little is under way. */
void watcher_pump(struct watcher *watcher);
void watcher_forget(struct watcher *watcher, int64_t stack_id, int64_t resource_id); /* one of them is 0 */
/* Frames. 0 or -errno: the process is of no use. */
int watcher_take_changed(struct watcher *watcher, const json_t *head);
int watcher_take_detected(struct watcher *watcher, const json_t *head);
int watcher_take_watching(struct watcher *watcher, const json_t *head);
