/* SPDX-License-Identifier: MIT */
/* What there is, in numbers. */
#include "engine/figures.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/lock-table.h"
#include "engine/run.h"
#include "engine/stack.h"

/* Rows of (word, count), over the words that are there anyway. */
static int count_words(struct engine *engine, enum statement statement, json_t *counts)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, statement, "");
	int r;

	while ((r = query_step(query)) > 0)
		if (json_object_set_new(counts, query_text(query, 0), json_integer(query_int(query, 1))) < 0)
			return -ENOMEM;
	return r;
}

/* Those that count nothing are shown, too: a series that comes and goes can't be added up. */
static json_t *zeros(const char *(*name_of)(int number), int count)
{
	json_t *counts = json_object();

	for (int i = 0; i < count; i++)
		json_object_set_new(counts, name_of(i), json_integer(0));
	return counts;
}

static const char *stack_word(int number)
{
	return stack_status_name((enum stack_status)number);
}

static const char *run_word(int number)
{
	return run_status_name((enum run_status)number);
}

static const char *lock_word(int number)
{
	static const char *const kinds[] = { "shared", "session", "durable", "maintenance", "run" };

	return kinds[number];
}

static int64_t file_size(struct engine *engine, const char *suffix)
{
	CLEANUP(cleanup_free) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/sloth.db%s", engine->home, suffix) < 0 || stat(path, &st) < 0)
		return 0;
	return (int64_t)st.st_size;
}

static int64_t count_waiters(struct engine *engine)
{
	struct lock_wait *wait;
	int64_t count = 0;

	TAILQ_FOREACH (wait, &engine->locks->waits, entry)
		count++;
	return count;
}

/* Of 100,000 runs this takes 10 ms, and ls -l of the root asks for it: so it is kept until one changes. */
static int count_all(struct engine *engine)
{
	struct figure_counts *counts = &engine->figure_counts;
	json_auto_t *stacks = NULL, *runs = NULL;
	int r;

	if (counts->known && counts->undo_count == store_undo_count(engine->store))
		return 0;
	stacks = zeros(stack_word, STACK_FAILED + 1);
	runs = zeros(run_word, RUN_STATUS_COUNT);
	r = count_words(engine, SQL_FIGURE_STACKS, stacks);
	if (r == 0)
		r = count_words(engine, SQL_FIGURE_RUNS, runs);
	if (r < 0)
		return r;
	figures_forget(engine);
	*counts = (struct figure_counts){ true, store_undo_count(engine->store), json_incref(stacks),
		json_incref(runs) };
	return 0;
}

void figures_forget(struct engine *engine)
{
	json_decref(engine->figure_counts.stacks);
	json_decref(engine->figure_counts.runs);
	engine->figure_counts = (struct figure_counts){ 0 };
}

int figures_get(struct engine *engine, struct figures *ret_figures)
{
	struct figures figures = {
		.locks = zeros(lock_word, 5),
		.waiters = count_waiters(engine),
		.commits = (int64_t)store_commit_count(engine->store),
		.failed_commits = engine->failed_turns,
		.database_bytes = file_size(engine, ""),
		.wal_bytes = file_size(engine, "-wal"),
	};
	struct event_place base = { 0 }, end = { 0 };
	int r = event_places(engine, &base, &end);

	figures.events = end.id;
	figures.archived = base.id;
	if (r == 0)
		r = count_all(engine);
	figures.stacks = json_incref(engine->figure_counts.stacks);
	figures.runs = json_incref(engine->figure_counts.runs);
	if (r == 0)
		r = count_words(engine, SQL_FIGURE_LOCKS, figures.locks);
	if (r < 0) {
		figures_done(&figures);
		return r;
	}
	*ret_figures = figures;
	return 0;
}

void figures_done(struct figures *figures)
{
	json_decref(figures->stacks);
	json_decref(figures->runs);
	json_decref(figures->locks);
	*figures = (struct figures){ 0 };
}
