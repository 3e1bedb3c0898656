/* SPDX-License-Identifier: MIT */
/*
 * Would this wait ever end? Not when whoever is in the way waits, over however many others, for what the
 * asker holds. Asked once, when somebody begins to wait: a circle is closed by the last who joins it.
 *
 * Who is the same as a holder: for a durable lock, who asks for durable ones as the same user, or is the
 * process that locked; for a session lock, that process and those of its children that have its file; for a
 * run's, the same part of the run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "engine/lock-table.h"

enum { PATH_MAX_STEPS = 32 };

/* Who asks, now or for a while already. */
struct asker {
	struct caller *caller;
	const pid_t *line; /* his process, its parent … */
	size_t line_count;
	const struct lock_draft *drafts;
	size_t count;
};

struct step {
	struct lock_target target; /* is what the one before wants, */
	struct lock row;	   /* it is held by this one, */
	bool queued;		   /* or rather wanted before him, */
	struct lock_wait *wait;	   /* who waits for the next; NULL: the asker himself */
};

struct search {
	struct lock_table *table;
	struct asker asker;
	struct step steps[PATH_MAX_STEPS];
	size_t depth;
};

static int opened(struct engine *engine, pid_t pid, struct lock_target target)
{
	if (pid <= 0 || !engine->opened)
		return 0;
	return engine->opened(engine->open_userdata, pid, target.stack_id, target.name_id);
}

/* Whether it has a descriptor of the lock's holder, beside the one that it may wait with. */
static bool inherits(struct engine *engine, const struct lock *row, const struct asker *asker)
{
	int own = 0;

	for (size_t i = 0; i < asker->count; i++)
		own |= lock_target_same(asker->drafts[i].lock.target, row->target);
	return opened(engine, asker->caller->pid, row->target) > own;
}

/* /proc is asked only about those who may be it: there may be many that wait. */
static bool is_process(const struct lock *row, const struct asker *asker)
{
	for (size_t i = 0; i < asker->line_count; i++)
		if (asker->line[i] == row->pid || asker->line[i] == row->opener)
			return lock_row_is_process(row, asker->caller);
	return false;
}

/* A child that closed the lock's file does not keep its parent's lock; and one of a parent that has it
 * through the socket is what the parent waits for. */
static bool session_holds(struct engine *engine, const struct lock *row, const struct asker *asker)
{
	const struct caller *caller = asker->caller;

	if (caller->pid > 0 && (caller->pid == row->pid || caller->pid == row->opener))
		return true;
	return is_process(row, asker) &&
	       (inherits(engine, row, asker) || (opened(engine, row->pid, row->target) <= 0 &&
							opened(engine, row->opener, row->target) <= 0));
}

static bool holds(struct engine *engine, const struct lock *row, const struct asker *asker)
{
	const struct lock *lock = &asker->drafts[0].lock;

	if (lock_is_users(row))
		return row->uid == lock->uid && (lock_is_users(lock) || is_process(row, asker));
	if (row->kind == LOCK_RUN && lock->kind == LOCK_RUN)
		return row->owner == lock->owner && (!*row->part || !strcmp(row->part, lock->part));
	if (row->kind == LOCK_RUN)
		return !*row->part && is_process(row, asker);
	return session_holds(engine, row, asker);
}

/* What a conversion gives up before it waits is no obstacle, and threads of one process may share files. */
static bool asker_holds(struct search *search, const struct lock *row)
{
	const struct lock *lock = &search->asker.drafts[0].lock;

	if (lock_is_session(row) && lock_is_session(lock) &&
		(row->owner == lock->owner || (search->depth == 1 && search->asker.caller->pid == row->pid)))
		return false;
	return holds(search->table->engine, row, &search->asker);
}

static bool blocked(
	struct search *search, const struct lock_draft *drafts, size_t count, const struct lock_wait *self);

/* A run that has not begun: nobody is held up by it, and its wait has an end. */
static bool is_submitted(const struct lock_draft *draft)
{
	return draft->lock.kind == LOCK_RUN && !*draft->lock.part;
}

static bool wants_only(const struct lock_wait *wait, struct lock_target target)
{
	return wait->count == 1 && lock_target_same(wait->drafts[0].lock.target, target);
}

/* The holder of the step's row waits himself, somewhere. */
static bool holder_blocked(struct search *search, struct step *step)
{
	struct lock_wait *wait;

	TAILQ_FOREACH (wait, &search->table->waits, entry) {
		struct asker other = { &wait->caller, wait->line, wait->line_count, wait->drafts,
			wait->count };

		/* The crowd that waits for the same thing is cheap to pass by. */
		if (wait->seen || is_submitted(wait->drafts) || wants_only(wait, step->target) ||
			!holds(search->table->engine, &step->row, &other))
			continue;
		wait->seen = true;
		step->wait = wait;
		if (blocked(search, wait->drafts, wait->count, wait))
			return true;
	}
	return false;
}

static bool row_blocks(struct search *search, struct lock_target target, const struct lock *row)
{
	struct step *step = &search->steps[search->depth];

	*step = (struct step){ .target = target, .row = *row };
	search->depth++;
	if (asker_holds(search, row) || holder_blocked(search, step))
		return true;
	search->depth--;
	return false;
}

/* Those who stand before `self` in the queue; all, where it is not in there yet. */
static bool queue_blocks(struct search *search, struct lock_target target, const struct lock_wait *self)
{
	const struct lock_queue *queue = lock_queue_get(search->table, target);
	struct lock_place *place;

	if (!queue)
		return false;
	TAILQ_FOREACH (place, &queue->places, entry) {
		struct step *step = &search->steps[search->depth];
		struct lock_wait *wait = place->wait;

		if (wait == self)
			return false;
		if (wait->seen || wants_only(wait, target))
			continue;
		wait->seen = true;
		*step = (struct step){
			.target = target, .row = place->draft->lock, .queued = true, .wait = wait
		};
		search->depth++;
		if (blocked(search, wait->drafts, wait->count, wait))
			return true;
		search->depth--;
	}
	return false;
}

static bool blocked(
	struct search *search, const struct lock_draft *drafts, size_t count, const struct lock_wait *self)
{
	/* Longer circles are left to wait=. */
	if (search->depth >= PATH_MAX_STEPS - 1)
		return false;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
		struct lock_target target = drafts[i].lock.target;

		if (lock_rows_get(search->table->engine, target, &rows) < 0)
			continue;
		for (size_t k = 0; k < rows.count; k++)
			if (!lock_row_is_mine(&rows.rows[k], &drafts[i].lock) &&
				!lock_compatible(&rows.rows[k], &drafts[i].lock) &&
				row_blocks(search, target, &rows.rows[k]))
				return true;
		if (queue_blocks(search, target, self))
			return true;
	}
	return false;
}

static void write_who(const struct lock *lock, FILE *out)
{
	char user[128];

	if (lock->kind == LOCK_RUN)
		fprintf(out, "run %" PRIu64 "%s%s of ", lock->owner, *lock->part ? " in " : "", lock->part);
	fputs(caller_user_name(lock->uid, user, sizeof(user)), out);
	if (lock->pid)
		fprintf(out, ", pid %d", (int)lock->pid);
}

static void write_steps(struct search *search, FILE *out)
{
	struct engine *engine = search->table->engine;
	char label[LOCK_LABEL_MAX];

	for (size_t i = 0; i < search->depth; i++) {
		const struct step *step = &search->steps[i];
		struct lock_object object;
		bool last = i == search->depth - 1;

		if (lock_object_get(engine, step->target, NULL, &object) < 0)
			continue;
		fprintf(out, "%s%s, which ", i ? "; he waits for " : "", lock_object_label(&object, label));
		if (last && search->depth == 1) {
			fputs("you hold yourself", out);
			continue;
		}
		fputs(last ? "you hold" : step->queued ? "is wanted before by " : "is held by ", out);
		if (!last)
			write_who(step->queued ? &step->wait->drafts[0].lock : &step->row, out);
	}
}

static int deadlock_fault(struct search *search, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);

	if (!out)
		return fault_set(fault, EDEADLK, "this wait would never end");
	fputs("this wait would never end: you want ", out);
	write_steps(search, out);
	fputs(". Release what you hold first, or take all you need at once: "
	      "echo 'acquire stacks/A locks/B wait=60s' > locks/ctl",
		out);
	if (buffer_stream_close(out, &text) < 0)
		return fault_set(fault, EDEADLK, "this wait would never end");
	return fault_set(fault, EDEADLK, "%s", buffer_text(&text));
}

int lock_deadlock_check(struct lock_table *table, struct caller *caller, const struct lock_draft *drafts,
	size_t count, struct fault *fault)
{
	struct caller nobody = { .uid = drafts[0].lock.uid };
	pid_t line[LOCK_LINE_OF_PIDS];
	struct search search = { .table = table,
		.asker = { caller ? caller : &nobody, line, 0, drafts, count } };
	struct lock_wait *wait;

	if (is_submitted(drafts))
		return 0;
	if (caller)
		search.asker.line_count = process_line(caller->pid, line, LOCK_LINE_OF_PIDS);
	TAILQ_FOREACH (wait, &table->waits, entry)
		wait->seen = false;
	return blocked(&search, drafts, count, NULL) ? deadlock_fault(&search, fault) : 0;
}
