/* SPDX-License-Identifier: MIT */
/* Drift: what its files share, the sum of a stack, and what becomes of findings when resources change. */
#include "engine/drift.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/auto-fix.h"
#include "engine/drift-internal.h"
#include "engine/event.h"

enum { PROPERTIES_SHOWN_MAX = 50, NAMESAKES_SHOWN_MAX = 5 };

void drift_note(struct engine *engine, int64_t stack_id, int64_t resource_id)
{
	engine_note(engine, SUBJECT_RESOURCE, resource_id, ASPECT_RESOURCES | ASPECT_DRIFT);
	engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_RESOURCES | ASPECT_DRIFT);
}

static const char *or_else(const char *text, const char *other)
{
	return text ? text : other;
}

int drift_see(struct engine *engine, const struct resource *resource, const struct drift_sight *sight)
{
	const char *status = or_else(sight->status, resource->status);
	const char *error = or_else(sight->error, resource->error);
	const char *actual = or_else(sight->actual, resource->actual);
	const char *applied = or_else(sight->applied, resource->applied);
	bool renewed = strcmp(applied, resource->applied) != 0;
	int64_t now = time_now_ms();
	int r;

	if (!renewed && sight->settled == resource->settled && !strcmp(status, resource->status) &&
		!strcmp(error, resource->error) && !strcmp(actual, resource->actual))
		return 0;
	r = store_run(engine->store, SQL_RESOURCE_SEEN, "issssiii", resource->id, applied, actual, status,
		error, renewed ? now : resource->applied_ms, now, (int64_t)sight->settled);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_TOUCH, "ii", resource->stack_id, now);
	if (r == 0)
		drift_note(engine, resource->stack_id, resource->id);
	return r;
}

struct causes {
	bool changed, unapplied;
};

static int add_cause(void *userdata, const struct finding *finding)
{
	struct causes *causes = userdata;

	if (finding_counts(finding))
		*(!strcmp(finding->cause, "changed") ? &causes->changed : &causes->unapplied) = true;
	return 0;
}

int drift_settle(struct engine *engine, const struct resource *resource)
{
	struct causes causes = { 0 };
	int r = finding_each(engine, resource->stack_id, resource->type, resource->name, add_cause, &causes);

	if (r < 0 || (strcmp(resource->status, "drifted") && strcmp(resource->status, "applied")))
		return r;
	return drift_see(engine, resource,
		&(struct drift_sight){ .status = causes.changed	    ? "drifted"
						 : causes.unapplied ? "pending"
								    : "applied" });
}

int drift_resolve(
	struct engine *engine, struct caller *caller, const struct finding *finding, const char *how)
{
	int64_t run_id = caller ? caller->run_id : 0;
	bool by_somebody = !strcmp(how, "fixed") || !strcmp(how, "adopted");

	int r = store_run(engine->store, SQL_FINDING_RESOLVE, "isiii", finding->id, how, time_now_ms(),
		by_somebody ? run_id : 0, caller && by_somebody ? (int64_t)caller->uid : finding->uid);

	return r < 0 || !by_somebody || auto_fix_is_run(engine, run_id) ? r : drift_calm(engine, finding);
}

int drift_trim(struct engine *engine, int64_t stack_id)
{
	return store_run(engine->store, SQL_FINDING_TRIM, "ii", stack_id, (int64_t)FINDING_HISTORY_MAX);
}

int drift_event(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource, const char *what, const json_t *properties, json_t *more)
{
	json_t *data = more ? more : json_object(), *shown = json_array(), *property;
	size_t i;

	json_array_foreach ((json_t *)properties, i, property)
		if (i < PROPERTIES_SHOWN_MAX)
			json_array_append(shown, property);
	json_object_set_new(data, "type", json_string(resource->type));
	json_object_set_new(data, "name", json_string(resource->name));
	json_object_set_new(data, "properties", shown);
	return event_add(engine, caller, what, stack->id, stack->name, caller ? caller->run_id : 0, data);
}

/* Ends all open findings of a resource; *ret_properties (new reference) are theirs. */
static int resolve_all(struct engine *engine, struct caller *caller, const struct resource *resource,
	const char *how, json_t **ret_properties)
{
	struct finding *list = NULL;
	json_t *properties = json_array();
	size_t count = 0;
	int r = finding_list(engine, resource->stack_id, resource->type, resource->name, &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		json_array_append_new(properties, json_string(list[i].property));
		r = drift_resolve(engine, caller, &list[i], how);
	}
	finding_list_free(list, count);
	if (r == 0 && count) {
		r = drift_trim(engine, resource->stack_id);
		drift_note(engine, resource->stack_id, resource->id);
	}
	if (r < 0)
		json_decref(properties);
	else
		*ret_properties = properties;
	return r;
}

int drift_fixed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource)
{
	json_auto_t *properties = NULL;
	int r = resolve_all(engine, caller, resource, "fixed", &properties);

	return r < 0 || !json_array_size(properties)
		       ? r
		       : drift_event(engine, caller, stack, resource, "drift.fixed", properties, NULL);
}

static bool is_in(const json_t *list, const char *word)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, one)
		if (json_is_string(one) && !strcmp(json_string_value(one), word))
			return true;
	return false;
}

int drift_fixed_some(
	struct engine *engine, struct caller *caller, int64_t resource_id, const json_t *properties)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *fixed = json_array();
	struct finding *list = NULL;
	struct stack stack;
	size_t count = 0;
	int r = resource_get(engine, resource_id, &resource);

	if (r == 0)
		r = stack_get(engine, resource.stack_id, &stack);
	if (r == 0)
		r = finding_list(engine, stack.id, resource.type, resource.name, &list, &count);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (is_in(properties, list[i].property)) {
			json_array_append_new(fixed, json_string(list[i].property));
			r = drift_resolve(engine, caller, &list[i], "fixed");
		}
	finding_list_free(list, count);
	if (r == 0)
		r = drift_settle(engine, &resource);
	if (r == 0 && json_array_size(fixed)) {
		r = drift_trim(engine, stack.id);
		drift_note(engine, stack.id, resource.id);
		if (r == 0)
			r = drift_event(engine, caller, &stack, &resource, "drift.fixed", fixed, NULL);
	}
	return r < 0 ? r : store_change_end(&change);
}

int drift_removed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource)
{
	json_auto_t *properties = NULL;
	int r = resolve_all(engine, caller, resource, "removed", &properties);

	if (r == 0)
		r = auto_fix_forget(engine, stack->id, resource->type, resource->name);
	return r < 0 ? r
		     : store_run(engine->store, SQL_DRIFT_IGNORE_FORGET, "iss", stack->id, resource->type,
			       resource->name);
}

/* By the status of each. */
static int count_statuses(struct engine *engine, int64_t stack_id, struct drift_summary *summary)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_STATUSES, "i", stack_id);
	const struct {
		const char *status;
		int64_t *count;
	} rows[] = {
		{ "applied", &summary->in_sync },
		{ "drifted", &summary->drifted },
		{ "pending", &summary->unapplied },
		{ "failed", &summary->unapplied },
		{ "unknown", &summary->unknown },
	};
	int r;

	while ((r = query_step(query)) > 0) {
		summary->total += query_int(query, 1);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (!strcmp(rows[i].status, query_text(query, 0)))
				*rows[i].count += query_int(query, 1);
		if (!strcmp("failed", query_text(query, 0)))
			summary->failed = query_int(query, 1);
	}
	return r;
}

/* Those that are drift again since a rule has ended: the next look will say so in their rows. */
static int count_lapsed(struct engine *engine, int64_t stack_id, struct drift_summary *summary)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_FINDING_LAPSED, "ii", stack_id, time_now_ms());
	int r;

	while ((r = query_step(query)) > 0) {
		CLEANUP(resource_done) struct resource resource = { 0 };
		int64_t id;

		if (resource_find(engine, stack_id, query_text(query, 0), query_text(query, 1), &id) < 0 ||
			resource_get(engine, id, &resource) < 0 || strcmp(resource.status, "applied"))
			continue;
		summary->in_sync--;
		*(query_int(query, 2) ? &summary->drifted : &summary->unapplied) += 1;
	}
	return r;
}

/* Those that have drifted, and that a run has tried to bring about since. */
static int count_undone(struct engine *engine, int64_t stack_id, struct drift_summary *summary)
{
	int64_t count = 0;
	int r = store_get_int(engine->store, &count, SQL_FINDING_UNDONE, "ii", stack_id, time_now_ms());

	summary->drifted += count;
	summary->unapplied -= count;
	return r;
}

int drift_summarise(struct engine *engine, int64_t stack_id, struct drift_summary *ret_summary)
{
	struct drift_summary summary = { 0 };
	int r = store_get_int(engine->store, &summary.checked_ms, SQL_STACK_DRIFT_TIME, "i", stack_id);

	if (r == 0)
		r = count_statuses(engine, stack_id, &summary);
	if (r == 0)
		r = count_lapsed(engine, stack_id, &summary);
	if (r == 0)
		r = count_undone(engine, stack_id, &summary);
	if (r == 0) {
		CLEANUP(query_endp)
		struct query *query =
			query_begin(engine->store, SQL_FINDING_COUNT, "ii", stack_id, time_now_ms());

		r = query_step(query);
		if (r > 0) {
			summary.ignored = query_int(query, 1);
			summary.findings = query_int(query, 0) - summary.ignored;
		}
	}
	if (r < 0)
		return r;
	*ret_summary = summary;
	return 0;
}

/* 0: none has this name; 1: *ret_id; -EINVAL: several. */
static int find_named(
	struct engine *engine, int64_t stack_id, const char *name, struct fault *fault, int64_t *ret_id)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_NAMED, "is", stack_id, name);
	char types[NAMESAKES_SHOWN_MAX * (NAME_SIZE + 2)] = "";
	int64_t id = 0;
	int count = 0, r;

	while ((r = query_step(query)) > 0 && count < NAMESAKES_SHOWN_MAX) {
		id = query_int(query, 0);
		snprintf(types + strlen(types), sizeof(types) - strlen(types), "%s%s", count++ ? ", " : "",
			query_text(query, 1));
	}
	if (r < 0)
		return r;
	if (count > 1)
		return fault_set(fault, EINVAL,
			"\"%.200s\" is the name of more than one resource: say TYPE/NAME (types: %s)", name,
			types);
	if (count)
		*ret_id = id;
	return count;
}

int drift_find_resource(
	struct engine *engine, int64_t stack_id, const char *name, struct fault *fault, int64_t *ret_id)
{
	const char *slash = strchr(name, '/');
	char type[NAME_SIZE];
	struct stack stack;
	int r = find_named(engine, stack_id, name, fault, ret_id);

	if (r != 0)
		return r < 0 ? r : 0;
	if (slash && slash > name && (size_t)(slash - name) < sizeof(type)) {
		snprintf(type, sizeof(type), "%.*s", (int)(slash - name), name);
		r = resource_find(engine, stack_id, type, slash + 1, ret_id);
		if (r != -ENOENT)
			return r;
	}
	r = stack_get(engine, stack_id, &stack);
	return r < 0 ? r
		     : fault_set(fault, ENOENT,
			       "stack %s has no resource \"%.200s\": `cat stacks/%s/resources.json` shows "
			       "all",
			       stack.name, name, stack.name);
}
