/* SPDX-License-Identifier: MIT */
/* Set-up, teardown, and the end of a turn. */
#include "engine/engine.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/audit.h"
#include "engine/auto-fixer.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/backup.h"
#include "engine/backup-restore.h"
#include "engine/clock.h"
#include "engine/collect.h"
#include "engine/content.h"
#include "engine/event-archive.h"
#include "engine/figures.h"
#include "engine/keyring.h"
#include "engine/kv.h"
#include "engine/deps-graph.h"
#include "engine/deps-rank.h"
#include "engine/lock.h"
#include "engine/quota.h"
#include "engine/version.h"

enum { CHANGES_AT_START = 64, CHANGES_LOOKED_BACK = 16 };

static void engine_freep(struct engine **engine)
{
	engine_free(*engine);
}

static int home_set(struct engine *engine, const char *home, struct fault *fault)
{
	size_t n = strlen(home);

	if (n >= sizeof(engine->home) - strlen("/sloth.db"))
		return fault_set(fault, ENAMETOOLONG, "%s: too long for the name of a home", home);
	memcpy(engine->home, home, n + 1);
	if (mkdir(home, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, errno, "%s: cannot be created: %s", home, strerror(errno));
	return 0;
}

static int store_at_home(struct engine *engine, struct fault *fault)
{
	CLEANUP(cleanup_free) char *path = NULL;

	if (asprintf(&path, "%s/sloth.db", engine->home) < 0) {
		path = NULL;
		return fault_set(fault, ENOMEM, "out of memory");
	}
	backup_restore_resume(engine->home);
	return store_open_guarded(path, backup_before_upgrade, fault, &engine->store);
}

int engine_new(const char *home, struct ev_loop *loop, struct fault *fault, struct engine **ret_engine)
{
	CLEANUP(engine_freep) struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	json_set_alloc_funcs(memory_get, free);
	if (!engine || sodium_init() < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	engine->loop = loop;
	engine->changes = calloc(CHANGES_AT_START, sizeof(*engine->changes));
	engine->contents = content_coder_new();
	engine->versions = version_table_new();
	if (!engine->changes || !engine->contents || !engine->versions ||
		quota_table_new(&engine->quotas) < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	engine->change_capacity = CHANGES_AT_START;
	config_init(&engine->config);
	r = config_load(&engine->config, fault);
	if (r == 0)
		r = home_set(engine, home, fault);
	if (r == 0)
		r = store_at_home(engine, fault);
	if (r == 0)
		r = keyring_new(engine, &engine->keys);
	if (r < 0)
		return r;
	r = clock_init(engine);
	if (r < 0)
		return fault_set(fault, -r, "%s: the clock cannot be stored: %s", home, strerror(-r));
	if (event_archiving_new(engine) < 0 || audit_new(engine) < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	r = lock_table_new(engine);
	if (r == 0)
		r = kv_expiry_new(engine, &engine->kv_expiry);
	if (r == 0)
		r = engine_turn_end(engine);
	if (r < 0)
		return fault_set(fault, -r, "%s: the locks of the last daemon cannot be released: %s", home,
			strerror(-r));
	r = version_baseline(engine);
	if (r == 0)
		r = engine_turn_end(engine);
	if (r < 0)
		return fault_set(fault, -r, "%s: the first versions of its stacks cannot be made: %s", home,
			strerror(-r));
	engine->collector = collector_new(engine);
	if (!engine->collector)
		return fault_set(fault, ENOMEM, "out of memory");
	*ret_engine = TAKE(engine);
	return 0;
}

/* A database that was prepared takes the place of this one before anybody else can open it. */
static void database_close(struct engine *engine)
{
	CLEANUP(cleanup_fd) int lock = -1;
	struct fault fault = { 0 };

	if (!engine->restoring) {
		store_close(engine->store);
		return;
	}
	lock = store_take_lock(engine->store);
	if (backup_restore_swap(engine->home, &fault) < 0)
		log_error("nothing was restored: %s", fault.text);
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	kv_expiry_free(engine->kv_expiry);
	audit_free(engine->audit);
	event_archiving_free(engine->archiving);
	lock_table_free(engine->locks);
	if (engine->store)
		store_turn_end(engine->store);
	keyring_free(engine->keys);
	figures_forget(engine);
	collector_free(engine->collector);
	database_close(engine);
	content_coder_free(engine->contents);
	version_table_free(engine->versions);
	deps_graph_free(engine->deps_graph);
	deps_ranks_free(engine);
	quota_table_free(engine->quotas);
	free(engine->changes);
	free(engine);
}

static bool changes_grow(struct engine *engine)
{
	struct change *changes;

	if (engine->change_count < engine->change_capacity)
		return true;
	changes = realloc(engine->changes, 2 * engine->change_capacity * sizeof(*changes));
	if (!changes)
		return false;
	engine->changes = changes;
	engine->change_capacity *= 2;
	return true;
}

void engine_note(struct engine *engine, enum subject subject, int64_t id, unsigned aspects)
{
	size_t first =
		engine->change_count > CHANGES_LOOKED_BACK ? engine->change_count - CHANGES_LOOKED_BACK : 0;

	engine->patient = false;
	if (subject == SUBJECT_STACK && (aspects & (ASPECT_META | ASPECT_DEPS | ASPECT_NAMES)))
		engine->stacks_generation++;
	if (aspects & (ASPECT_STATUS | ASPECT_NAMES))
		engine->figure_counts.known = false;
	for (size_t i = first; i < engine->change_count; i++)
		if (engine->changes[i].subject == subject && engine->changes[i].id == id) {
			engine->changes[i].aspects |= aspects;
			return;
		}
	if (!changes_grow(engine)) {
		/* Without memory for more, everything may have changed. */
		engine->changes[0] = (struct change){ SUBJECT_SYSTEM, 0, ASPECT_ALL };
		return;
	}
	engine->changes[engine->change_count++] = (struct change){ subject, id, aspects };
}

/* Also after a failed commit: somebody may have kept what was undone now. */
static void changes_tell(struct engine *engine)
{
	size_t count = engine->change_count;

	for (size_t i = 0; i < count; i++) {
		struct change change = engine->changes[i];

		if (engine->changed)
			engine->changed(engine->userdata, &change);
		auto_fixer_note(engine->fixer, &change);
		if (engine->resources_changed)
			engine->resources_changed(engine->watches, &change);
	}
	/* What the listener noted meanwhile is for the next turn. */
	engine->change_count -= count;
	memmove(engine->changes, engine->changes + count, engine->change_count * sizeof(*engine->changes));
}

int engine_turn_end(struct engine *engine)
{
	bool dirty;
	int r;

	if (engine->turn_ends)
		engine->turn_ends(engine->turn_userdata);
	lock_turn_ends(engine->locks);
	dirty = store_turn_dirty(engine->store);
	r = store_turn_end(engine->store);
	engine->patient = false;
	if (r < 0) {
		engine->failed_turns++;
		engine->turn_error = r;
	} else if (dirty) {
		engine->turn_error = 0;
	}
	lock_turn_ended(engine->locks, r);
	keyring_turn_ended(engine->keys, r);
	changes_tell(engine);
	return r;
}
