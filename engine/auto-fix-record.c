/* SPDX-License-Identifier: MIT */
/* What was fixed without anybody asking: told when it begins and when it is over, and remembered for how long
 * the next one waits. */
#include "engine/auto-fix.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/finding.h"
#include "engine/run.h"

enum { NAMED_MAX = 50 /* resources that an event names */ };

static const int64_t day_ms = 86400000, kept_ms = 2 * 86400000;

bool auto_fix_is_run(struct engine *engine, int64_t run_id)
{
	int64_t id;

	return run_id && store_get_int(engine->store, &id, SQL_AUTO_FIX_OF_RUN, "i", run_id) == 0;
}

int auto_fix_forget(struct engine *engine, int64_t stack_id, const char *type, const char *name)
{
	return store_run(engine->store, SQL_AUTO_FIX_FORGET, "iss", stack_id, type, name);
}

/* One more fix of a resource: the first again after a day without any. */
static int count_try(struct engine *engine, int64_t stack_id, const char *label, int64_t now_ms)
{
	size_t size = strcspn(label, "/");
	CLEANUP(cleanup_free) char *type = strndup(label, size);

	if (!type || !label[size])
		return type ? -EINVAL : -ENOMEM;
	return store_run(engine->store, SQL_AUTO_FIX_TRY, "issii", stack_id, type, label + size + 1, now_ms,
		now_ms - day_ms);
}

static json_t *names_of(const json_t *due)
{
	json_t *list = json_array(), *properties;
	const char *label;

	json_object_foreach ((json_t *)due, label, properties)
		if (json_array_size(list) < NAMED_MAX)
			json_array_append_new(list, json_string(label));
	return list;
}

int auto_fix_begun(struct engine *engine, const struct stack *stack, int64_t run_id, const json_t *due,
	int64_t now_ms, const char *error)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *text = json_dumps(due, JSON_COMPACT);
	const char *label;
	json_t *properties;
	int r = text ? store_change_begin(engine->store, &change) : -ENOMEM;

	if (r == 0)
		r = store_run(engine->store, SQL_AUTO_FIX_ADD, "iiiis", stack->id, run_id, now_ms,
			run_id ? INT64_C(0) : now_ms, text);
	json_object_foreach ((json_t *)due, label, properties)
		if (r == 0)
			r = count_try(engine, stack->id, label, now_ms);
	if (r == 0)
		r = store_run(engine->store, SQL_AUTO_FIX_TRIM, "ii", stack->id, now_ms - kept_ms);
	if (r == 0)
		r = event_add(engine, NULL, "drift.auto_fix", stack->id, stack->name, run_id,
			json_pack("{s:o, s:I, s:s*}", "resources", names_of(due), "count",
				(json_int_t)json_object_size(due), "error", error));
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_DRIFT);
	return store_change_end(&change);
}

/* Whether one of the properties differs still. */
static int is_left(struct engine *engine, int64_t stack_id, const char *label, const json_t *properties)
{
	size_t size = strcspn(label, "/");
	CLEANUP(cleanup_free) char *type = strndup(label, size);
	const char *property;
	json_t *value;

	if (!type || !label[size])
		return type ? 0 : -ENOMEM;
	json_object_foreach ((json_t *)properties, property, value) {
		CLEANUP(finding_done) struct finding finding = { 0 };
		int r = finding_find(engine, stack_id, type, label + size + 1, property, &finding);

		if (r == 0 && finding_counts(&finding))
			return 1;
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

struct outcome {
	json_t *fixed, *left; /* lists of names */
	json_int_t fixed_count, left_count;
};

static int find_outcome(struct engine *engine, int64_t stack_id, const json_t *due, struct outcome *outcome)
{
	const char *label;
	json_t *properties;

	outcome->fixed = json_array();
	outcome->left = json_array();
	json_object_foreach ((json_t *)due, label, properties) {
		int left = is_left(engine, stack_id, label, properties);
		json_t *list = left ? outcome->left : outcome->fixed;

		if (left < 0)
			return left;
		*(left ? &outcome->left_count : &outcome->fixed_count) += 1;
		if (json_array_size(list) < NAMED_MAX)
			json_array_append_new(list, json_string(label));
	}
	return 0;
}

static int tell_end(struct engine *engine, const struct stack *stack, int64_t run_id, const char *status,
	const json_t *due, int64_t now_ms)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct outcome outcome = { 0 };
	int r = find_outcome(engine, stack->id, due, &outcome);
	json_t *data = json_pack("{s:s, s:o, s:o, s:I, s:I}", "status", status, "fixed", outcome.fixed,
		"left", outcome.left, "fixed_count", outcome.fixed_count, "left_count", outcome.left_count);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_AUTO_FIX_TOLD, "ii", run_id, now_ms);
	if (r < 0)
		json_decref(data);
	else
		r = event_add(engine, NULL, "drift.auto_fix_ended", stack->id, stack->name, run_id, data);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_DRIFT);
	return store_change_end(&change);
}

/* A run of the stack that was not told of, the next after another: 1, or 0 when there is none. */
static int next_untold(
	struct engine *engine, int64_t stack_id, int64_t after, int64_t *ret_run, json_t **ret_due)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_AUTO_FIX_UNTOLD, "ii", stack_id, after);
	int r = query_step(query);

	if (r <= 0)
		return r;
	*ret_run = query_int(query, 0);
	*ret_due = json_loads(query_text(query, 1), 0, NULL);
	return *ret_due ? 1 : -EBADMSG;
}

int auto_fix_tell(struct engine *engine, const struct stack *stack, int64_t now_ms, bool *ret_goes_on)
{
	int64_t run_id = 0;
	struct run run;
	int r = 1;

	*ret_goes_on = false;
	while (r > 0) {
		json_auto_t *due = NULL;

		r = next_untold(engine, stack->id, run_id, &run_id, &due);
		if (r <= 0)
			break;
		r = run_get(engine, run_id, &run);
		if (r == 0 && !run_status_final(run.status)) {
			*ret_goes_on = true;
			r = 1;
		} else if (r == 0 || r == -ENOENT) {
			r = tell_end(engine, stack, run_id, r == 0 ? run_status_name(run.status) : "deleted",
				due, now_ms);
			r = r < 0 ? r : 1;
		}
	}
	return r;
}
