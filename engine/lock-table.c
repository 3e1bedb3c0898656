/* SPDX-License-Identifier: MIT */
/* What of locks is memory: set-up, the end of a turn, teardown. */
#include "engine/lock-table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/process.h"

void lock_turn_ends(struct lock_table *table)
{
	if (table)
		lock_bound_sync(table);
}

void lock_turn_ended(struct lock_table *table, int result)
{
	if (!table)
		return;
	lock_releases_settle(table, result);
	/* What was undone may be watched, and the other way round: see to that in the next turn. */
	if (result < 0)
		table->bound_changed = true;
}

static void table_freep(struct lock_table **table)
{
	lock_table_free(*table);
}

static int start(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = lock_rows_start(engine);
	if (r == 0)
		r = lock_rows_expire(engine);
	return r < 0 ? r : store_change_end(&change);
}

int lock_table_new(struct engine *engine)
{
	CLEANUP(table_freep) struct lock_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	table->engine = engine;
	process_boot_id(table->boot_id);
	lock_queues_init(table);
	lock_clock_init(table);
	lock_bound_init(table);
	engine->locks = table;
	table->next_expiry_ms = 1; /* not known yet: what is over by now goes at once */
	r = start(engine);
	if (r < 0)
		return r;
	table->bound_changed = true;
	lock_expiry_read(table);
	table = NULL; /* the engine has it */
	return 0;
}

void lock_table_free(struct lock_table *table)
{
	if (!table)
		return;
	lock_queues_done(table);
	lock_clock_done(table);
	lock_bound_done(table);
	table->engine->locks = NULL;
	free(table);
}
