/* SPDX-License-Identifier: MIT */
/* Which stacks are looked at, and when; and the runs. */
#include "engine/auto-fixer.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/auto-fix.h"
#include "engine/detect.h"
#include "engine/spawner.h"

enum {
	LOOK_MS = 500,	       /* changes of a stack that come together are looked at once */
	LONGEST_MS = 60000,    /* the clock may be set: nobody sleeps longer at once */
	STACKS_AT_ONCE = 20,   /* in one callback; and between two of them: */
	REASON_RESOURCES = 10, /* that the reason of a run names */
};
static const double pause_seconds = 0.02, breath_seconds = 5; /* while there is no memory */

struct auto_fixer {
	struct runners *runners;
	struct engine *engine;
	ev_timer timer;
	json_t *stacks; /* id → when it is looked at again; INT64_MAX: when its lock or its runs change */
};

/* The sleep until the first one is due. */
static void sleep_on(struct auto_fixer *fixer, double least_seconds)
{
	int64_t now = time_now_ms(), first = INT64_MAX;
	const char *id;
	json_t *due;
	double seconds;

	ev_timer_stop(fixer->engine->loop, &fixer->timer);
	json_object_foreach (fixer->stacks, id, due)
		if (json_integer_value(due) < first)
			first = json_integer_value(due);
	if (first == INT64_MAX)
		return;
	first = first < now ? now : first > now + LONGEST_MS ? now + LONGEST_MS : first;
	seconds = (double)(first - now) / 1000;
	ev_timer_set(&fixer->timer, seconds < least_seconds ? least_seconds : seconds, 0);
	ev_timer_start(fixer->engine->loop, &fixer->timer);
}

static const char *id_text(int64_t id, char ret_text[24])
{
	snprintf(ret_text, 24, "%" PRId64, id);
	return ret_text;
}

static int mark(struct auto_fixer *fixer, int64_t stack_id, int64_t due_ms)
{
	char id[24];

	return json_object_set_new(fixer->stacks, id_text(stack_id, id), json_integer((json_int_t)due_ms));
}

void auto_fixer_note(struct auto_fixer *fixer, const struct change *change)
{
	const unsigned always = ASPECT_DRIFT | ASPECT_DOCUMENTS | ASPECT_META,
		       waiting = ASPECT_LOCK | ASPECT_STATUS;
	int64_t due = time_now_ms() + LOOK_MS;
	const json_t *known;
	char id[24];

	if (!fixer || change->subject != SUBJECT_STACK)
		return;
	known = json_object_get(fixer->stacks, id_text(change->id, id));
	if (!(change->aspects & (always | (known ? waiting : 0))) ||
		(known && json_integer_value(known) <= due))
		return;
	mark(fixer, change->id, due);
	sleep_on(fixer, 0);
}

/* The run */

static int write_reason(const struct auto_fix *fix, struct buffer *ret_text)
{
	FILE *out = buffer_stream_open(ret_text);
	size_t count = json_object_size(fix->due), i = 0;
	const char *label;
	json_t *properties;

	if (!out)
		return -ENOMEM;
	fprintf(out, "automatic fix of %zu resource%s (auto_fix: %s)", count, count == 1 ? "" : "s",
		fix->severity);
	json_object_foreach (fix->due, label, properties)
		if (i++ < REASON_RESOURCES) {
			fputs(i == 1 ? ": " : ", ", out);
			text_write_safe(out, label);
		}
	if (count > REASON_RESOURCES)
		fprintf(out, " and %zu more", count - REASON_RESOURCES);
	return buffer_stream_close(out, ret_text);
}

/* Where somebody takes the lock in the same moment, the run waits for it like others. */
static int submit(struct auto_fixer *fixer, const struct stack *stack, const struct auto_fix *fix)
{
	struct caller owner = { .uid = stack->uid, .gid = SPAWN_LOGIN, .umask = 022, .groups_known = true };
	CLEANUP(buffer_done) struct buffer reason = { 0 };
	struct fault fault = { 0 };
	int64_t run_id = 0;
	int r = write_reason(fix, &reason);

	if (r == 0)
		r = drift_fix_chosen(
			fixer->runners, &owner, stack->id, fix->due, buffer_text(&reason), &fault, &run_id);
	if (r < 0) {
		fault_default(&fault, -r, "%s", strerror(-r));
		log_error("stack %s: drift can't be fixed: %s", stack->name, fault.text);
	}
	if (r == 0 && buffer_append(&reason, "\n", 1) == 0)
		log_append(fixer->engine, run_id,
			&(struct log_origin){ .stream = "log", .time_ms = time_now_ms() }, reason.data,
			reason.size);
	return auto_fix_begun(
		fixer->engine, stack, run_id, fix->due, time_now_ms(), r < 0 ? fault.text : NULL);
}

/* Does what is to be done: when the stack is looked at again; 0: when something of it changes. */
static int64_t look(struct auto_fixer *fixer, int64_t stack_id)
{
	CLEANUP(auto_fix_done) struct auto_fix fix = { 0 };
	bool goes_on = false, blocked = false;
	struct stack stack = { .id = stack_id };
	int r = stack_get(fixer->engine, stack_id, &stack);

	if (r == 0)
		r = auto_fix_tell(fixer->engine, &stack, time_now_ms(), &goes_on);
	if (r == 0)
		r = auto_fix_look(fixer->engine, &stack, time_now_ms(), &fix);
	if (r == 0 && json_object_size(fix.due))
		r = auto_fix_is_blocked(fixer->engine, stack_id, &blocked);
	if (r == 0 && json_object_size(fix.due) && !blocked) {
		r = submit(fixer, &stack, &fix);
		goes_on = true;
	}
	if (r < 0 && r != -ENOENT) {
		log_error("stack %" PRId64 ": automatic fixes: %s", stack_id, strerror(-r));
		return time_now_ms() + LONGEST_MS;
	}
	if (r < 0)
		return 0; /* it is gone */
	if (goes_on || blocked)
		return INT64_MAX;
	return fix.next_ms == INT64_MAX ? 0 : fix.next_ms;
}

/* One that is due now; 0: none. */
static int64_t next_stack(struct auto_fixer *fixer)
{
	int64_t now = time_now_ms(), stack_id = 0;
	const char *id;
	json_t *due;

	json_object_foreach (fixer->stacks, id, due)
		if (json_integer_value(due) <= now && parse_int64(id, &stack_id) == 0)
			return stack_id;
	return 0;
}

static void look_around(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct auto_fixer *fixer = timer->data;
	double pause = pause_seconds;
	int64_t stack_id, again;
	char id[24];

	for (int i = 0; i < STACKS_AT_ONCE && (stack_id = next_stack(fixer)); i++) {
		again = look(fixer, stack_id);
		if (again && mark(fixer, stack_id, again) < 0) {
			pause = breath_seconds;
			break;
		}
		if (!again)
			json_object_del(fixer->stacks, id_text(stack_id, id));
	}
	sleep_on(fixer, pause);
}

/* What a former daemon left. */
static int recall(struct auto_fixer *fixer)
{
	CLEANUP(query_endp) struct query *query = query_begin(fixer->engine->store, SQL_AUTO_FIX_STACKS, "");
	int r;

	while ((r = query_step(query)) > 0)
		mark(fixer, query_int(query, 0), time_now_ms() + LOOK_MS);
	return r;
}

int auto_fixer_new(struct runners *runners, struct auto_fixer **ret_fixer)
{
	struct auto_fixer *fixer = calloc(1, sizeof(*fixer));
	int r;

	if (!fixer)
		return -ENOMEM;
	fixer->runners = runners;
	fixer->engine = runners_engine(runners);
	fixer->stacks = json_object();
	ev_timer_init(&fixer->timer, look_around, 0, 0);
	fixer->timer.data = fixer;
	r = fixer->stacks ? recall(fixer) : -ENOMEM;
	if (r < 0) {
		auto_fixer_free(fixer);
		return r;
	}
	sleep_on(fixer, 0);
	fixer->engine->fixer = fixer;
	*ret_fixer = fixer;
	return 0;
}

void auto_fixer_free(struct auto_fixer *fixer)
{
	if (!fixer)
		return;
	ev_timer_stop(fixer->engine->loop, &fixer->timer);
	if (fixer->engine->fixer == fixer)
		fixer->engine->fixer = NULL;
	json_decref(fixer->stacks);
	free(fixer);
}
