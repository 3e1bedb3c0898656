/* SPDX-License-Identifier: MIT */
/* Maintenance after a rollback that failed. */
#include "engine/maintenance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/image.h"
#include "engine/lock-table.h"
#include "engine/run-undo.h"

struct left {
	FILE *out;
	size_t count;
};

static int name_image(void *userdata, const struct image *image)
{
	struct left *left = userdata;

	fprintf(left->out, "%s%s/%s", left->count++ ? ", " : "", image->type, image->name);
	return 0;
}

/* What is left of a run: its tasks, or the things that they changed. */
static int write_left(struct engine *engine, int64_t run_id, struct buffer *ret_text)
{
	struct left left = { .out = buffer_stream_open(ret_text) };
	CLEANUP(buffer_done) struct buffer tasks = { 0 };
	int r;

	if (!left.out)
		return -ENOMEM;
	r = image_each_standing(engine, run_id, NULL, INT64_MAX, name_image, &left);
	if (r == 0 && !left.count && run_not_undone(engine, run_id, &tasks) == 0)
		fputs(buffer_text(&tasks), left.out);
	return buffer_stream_close(left.out, ret_text) < 0 ? -ENOMEM : r;
}

/* Cut where it is too long, between characters. */
static void make_reason(int64_t run_id, const char *left, char ret_reason[LOCK_WORD_MAX])
{
	int size = snprintf(ret_reason, LOCK_WORD_MAX, "the rollback of run %" PRId64 " failed%s%s", run_id,
		*left ? "; left: " : "", left);

	if (size < LOCK_WORD_MAX)
		return;
	size = LOCK_WORD_MAX - (int)sizeof("…");
	while (size > 0 && ((unsigned char)ret_reason[size] & 0xc0) == 0x80)
		size--;
	memcpy(ret_reason + size, "…", sizeof("…"));
}

static int take(struct engine *engine, const struct stack *stack, int64_t run_id, const char *left)
{
	CLEANUP(cleanup_free) struct lock_draft *drafts = NULL;
	struct lock_target target = lock_of_stack(stack->id);
	struct lock_request request = { .kind = LOCK_MAINTENANCE,
		.owner = (uint64_t)run_id,
		.by = "maintenance",
		.operation = "rollback" };
	struct fault fault = { 0 };
	int64_t token;
	size_t count;
	int r;

	make_reason(run_id, left, request.reason);
	r = lock_drafts_make(engine, NULL, &target, 1, &request, &fault, &drafts, &count);
	if (r < 0)
		return r;
	drafts[0].lock.uid = stack->uid;
	r = lock_try(engine, NULL, drafts, count, true, &fault, &token);
	return r == -EBUSY ? 0 : r; /* whoever has it sees what became of the run */
}

int maintenance_begin(struct engine *engine, const struct run *run, enum run_status status)
{
	CLEANUP(buffer_done) struct buffer left = { 0 };
	int64_t of = status == RUN_ROLLBACK_FAILED ? run->id : 0;
	struct stack stack;
	struct run other;
	int r = 0;

	if (!of && status != RUN_SUCCESS && run->started_ms) {
		of = run_undo_of(engine, run->id);
		if (of && (run_get(engine, of, &other) < 0 || other.status != RUN_ROLLBACK_FAILED ||
				  other.stack_id != run->stack_id))
			of = 0;
	}
	if (!of || !run->stack_id)
		return 0;
	r = stack_get(engine, run->stack_id, &stack);
	if (r == 0)
		r = write_left(engine, of, &left);
	return r == -ENOENT ? 0 : r < 0 ? r : take(engine, &stack, of, buffer_text(&left));
}

int maintenance_lift(struct engine *engine, struct caller *caller, int64_t run_id, const struct stack *stack,
	struct fault *fault)
{
	int64_t of = run_undo_of(engine, run_id);
	struct lock lock;

	if (!of || lock_get(engine, lock_of_stack(stack->id), &lock) != 1 || lock.kind != LOCK_MAINTENANCE ||
		(int64_t)lock.owner != of || !caller_owns(caller, lock.uid))
		return 0;
	return lock_release(engine, caller, lock_of_stack(stack->id), lock.token, fault);
}
