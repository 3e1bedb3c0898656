/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What Sloth knows and promises, without FUSE, Lua or a terminal. One thread (the daemon's), one loop.
 *
 * The engine owns the store, the configuration and everything that lives in memory only (lock queues, session
 * locks). Whoever shows its things listens for changes, so that caches elsewhere can be dropped before the
 * reply to a change leaves.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "engine/config.h"
#include "engine/store/store.h"

struct lock_table;
struct content_coder;
struct version_table;
struct collector;
struct kv_expiry;
struct keyring;
struct auto_fixer;
struct watches;
struct quota_table;
struct fair;

/* What a change was about; files of the tree name the aspects that they show. */
enum aspect {
	ASPECT_META = 1 << 0,	   /* name, owner, mode, description, version, existence */
	ASPECT_STATUS = 1 << 1,	   /* status, run count, last run */
	ASPECT_DOCUMENTS = 1 << 2, /* config, values, workflow */
	ASPECT_OUTPUTS = 1 << 3,
	ASPECT_LOCK = 1 << 4,
	ASPECT_STATE = 1 << 5, /* keys and values */
	ASPECT_EVENTS = 1 << 6,
	ASPECT_LOG = 1 << 7,
	ASPECT_TASKS = 1 << 8,
	ASPECT_PLAN = 1 << 9,
	ASPECT_NAMES = 1 << 10, /* entries came or went: what directories list */
	ASPECT_TAGS = 1 << 11,
	ASPECT_DEPS = 1 << 12, /* dependencies, in both directions */
	ASPECT_RESOURCES = 1 << 13,
	ASPECT_VERSIONS = 1 << 14,
	ASPECT_DRIFT = 1 << 15,	 /* findings */
	ASPECT_WISHES = 1 << 16, /* what somebody asks for of a resource, and whether it was brought about */
	ASPECT_ALL = (1 << 17) - 1,
};

enum subject {
	SUBJECT_SYSTEM,
	SUBJECT_STACK,
	SUBJECT_RUN,
	SUBJECT_TASK,
	SUBJECT_OUTPUT,
	SUBJECT_KEY,
	SUBJECT_FILE,
	SUBJECT_TAG, /* of one stack */
	SUBJECT_DEP, /* of one stack on another */
	SUBJECT_RESOURCE,
	SUBJECT_LOCK, /* a named one */
	SUBJECT_SECRET,
	SUBJECT_VERSION,
	SUBJECT_SAVED /* a saved workflow */
};

struct change {
	enum subject subject;
	int64_t id; /* of the stack, run, …; 0 for SUBJECT_SYSTEM */
	unsigned aspects;
};

/* A place in the chain of events: behind this event. id 0: its beginning. */
struct event_place {
	int64_t id, line_end, json_end;
	unsigned char hash[32];
};

struct engine {
	struct store *store;
	struct ev_loop *loop;
	struct config config;
	struct lock_table *locks;
	struct content_coder *contents;
	struct version_table *versions;
	struct collector *collector; /* of old versions */
	struct kv_expiry *kv_expiry;
	/* The namespace whose time was set last; kv-change.c's. */
	struct kv_touch {
		int64_t namespace_id, ms;
		uint64_t undo_count; /* the store's, at that moment */
	} kv_touched;
	/* The scope whose keys were counted last; kv-change.c's. */
	struct kv_counted {
		bool known;
		int64_t stack_id, namespace_id, count;
		uint64_t undo_count;
	} kv_counted;
	/* Where events.json of a run ends, of those that changed lately; transition.c's. */
	struct transition_end {
		int64_t run_id, end;
		uint64_t undo_count; /* the store's, at that moment */
	} transition_ends[16];
	int64_t clock_base_ms; /* see clock.h */
	struct keyring *keys;
	struct quota_table *quotas; /* see quota.h */
	struct fair *fair;	  /* among whose frames those of runs are; NULL: they are done as they come */
	struct fault kv_refusal;  /* why a key could not be made: kv_explain()'s */
	struct auto_fixer *fixer; /* see auto-fixer.h; NULL: there is none */
	/* Where the events end, from which the next one goes on, and what the newest archive ends with;
	 * event.c's. Out of date when the store has undone something. */
	struct event_tail {
		bool known;
		uint64_t undo_count; /* the store's, when this was read */
		struct event_place end, base;
	} event_tail;
	struct event_archiving *archiving; /* event-archive.c's: what is being archived */
	struct audit *audit;		   /* audit.c's: who waits for the chain to be verified */
	char home[4096];		   /* the folder that the database stands in */
	bool restoring; /* at its end, what backup_restore_prepare() made takes the database's place */

	/* Nobody waits for what was changed in this turn: its end may come a little later, with more. Set by
	 * who changes something for a runner, undone by every other change and by turn_reply(). */
	bool patient;

	struct deps_graph *deps_graph; /* see deps-graph.h; NULL: not loaded */
	struct deps_ranks *deps_ranks; /* see deps-rank.h; NULL: none */
	int64_t stacks_generation;     /* rises when something that it is made of may have changed */

	/* How many stacks and runs there are of each status; figures.c's. Forgotten with whatever changes
	 * one. */
	struct figure_counts {
		bool known;
		uint64_t undo_count;   /* the store's, when this was read */
		json_t *stacks, *runs; /* objects: how many of each word; NULL: not counted yet */
	} figure_counts;

	unsigned failed_turns; /* turns whose commit failed, since the start */
	int turn_error;	       /* -errno of the last turn that changed something; 0: it is on disk */
	gid_t folder_gid;      /* of the top folders, see folder.h */
	bool folder_gid_known;

	/* The changes of this turn, delivered by engine_turn_end() after the commit. */
	struct change *changes;
	size_t change_count, change_capacity;
	void (*changed)(void *userdata, const struct change *change);
	void *userdata;
	/* The same for who watches what stacks look after; NULL: nobody. It notes nothing. */
	void (*resources_changed)(struct watches *watches, const struct change *change);
	struct watches *watches; /* watch.h; NULL: nothing is watched */
	/* Called by engine_turn_end() before the commit: what has to go with the turn, whoever ends it. NULL:
	 * none. */
	void (*turn_ends)(void *userdata);
	void *turn_userdata;
	/* Ends a run that lost its lock: see lock_force(). NULL: nothing can be run. */
	void (*end_run)(void *userdata, int64_t run_id, const char *why);
	void *end_userdata;
	/* How many descriptors of a process are the lock's file, through a mount; -1 where that can't be
	 * known. NULL: nobody knows. */
	int (*opened)(void *userdata, pid_t pid, int64_t stack_id, int64_t name_id);
	void *open_userdata;
};

/* Opens the store in `home`/sloth.db, loads the configuration, drops session locks of a former daemon and
 * starts the expiry timer of durable ones. The loop is borrowed. */
int engine_new(const char *home, struct ev_loop *loop, struct fault *fault, struct engine **ret_engine);
void engine_free(struct engine *engine);

/* Notes a change of this turn; same ones are merged. */
void engine_note(struct engine *engine, enum subject subject, int64_t id, unsigned aspects);

/* Commits the turn, and tells the listener. 0 or -errno, see store_turn_end(). */
int engine_turn_end(struct engine *engine);
