/* SPDX-License-Identifier: MIT */
/* What a process reports about resources becomes findings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/drift-internal.h"
#include "engine/drift-report.h"
#include "engine/resource-internal.h"
#include "engine/run.h"
#include "engine/resource-secret.h"

enum { TOUCH_MS = 60000 };

/* All rows. */
struct whole {
	int64_t open;	 /* findings of the stack, as long as they are known */
	bool open_known; /* they were counted, which is done when one is to be added */
	bool resolved;	 /* some are history now */
};

/* One row on its way. */
struct taking {
	struct engine *engine;
	struct whole *whole;
	struct caller *caller;
	const struct stack *stack;
	struct resource resource;
	struct finding *open; /* findings, as they were */
	size_t open_count;
	json_t *rules;
	json_t *seen;			  /* set of properties */
	json_t *detected, *resolved;	  /* lists of properties, for events */
	json_t *flapping;		  /* … those that began to come and go too often */
	char *by;			  /* who changed it: JSON, "": not known */
	const char *worst;		  /* severity of those that are detected */
	bool changed, unapplied, touched; /* causes that count; something was written */
	int64_t now_ms;
};

static void taking_done(struct taking *taking)
{
	resource_done(&taking->resource);
	free(taking->by);
	finding_list_free(taking->open, taking->open_count);
	json_decref(taking->rules);
	json_decref(taking->seen);
	json_decref(taking->detected);
	json_decref(taking->resolved);
	json_decref(taking->flapping);
}

static struct finding *find_open(struct taking *taking, const char *property)
{
	for (size_t i = 0; i < taking->open_count; i++)
		if (!strcmp(taking->open[i].property, property))
			return &taking->open[i];
	return NULL;
}

/* It is drift, and nobody was told yet. */
static void add_detected(struct taking *taking, const struct drift_detail *detail)
{
	json_array_append_new(taking->detected, json_string(detail->property));
	if (!taking->worst || drift_severity(detail->severity) > drift_severity(taking->worst))
		taking->worst = detail->severity;
}

/* 1: there is room for one more; 0: there is none. */
static int has_room(struct taking *taking)
{
	struct whole *whole = taking->whole;
	int r = 0;

	if (json_object_size(taking->seen) > FINDING_RESOURCE_MAX)
		return 0;
	if (!whole->open_known)
		r = store_get_int(
			taking->engine->store, &whole->open, SQL_FINDING_OPEN, "i", taking->stack->id);
	if (r < 0)
		return r;
	whole->open_known = true;
	return whole->open < FINDING_OPEN_MAX;
}

static int open_finding(struct taking *taking, const struct drift_detail *detail, const json_t *rule)
{
	const struct resource *resource = &taking->resource;
	struct store *store = taking->engine->store;
	struct drift_past past = { 0 };
	bool flaps = false;
	int64_t id;
	int r = drift_past(taking->engine, resource, detail->property, &past);

	/* What is ignored may come and go as it likes, and so may wishes. */
	if (r == 0 && !rule && !strcmp(detail->cause, "changed"))
		r = drift_begins_to_flap(
			taking->engine, resource, detail->property, &past, taking->now_ms, &flaps);
	if (r < 0)
		return r;
	if (!rule)
		add_detected(taking, detail);
	if (flaps)
		json_array_append_new(taking->flapping, json_string(detail->property));
	taking->touched = true;
	taking->whole->open++;
	return store_insert(store, &id, SQL_FINDING_ADD, "issssssssssssiiiiiis", resource->stack_id,
		resource->type, resource->name, detail->property, detail->kind, detail->severity,
		detail->expected, detail->actual, detail->cause, detail->impact, detail->fix,
		rule ? "ignored" : "pending", rule ? json_string_value(json_object_get(rule, "reason")) : "",
		rule ? (int64_t)json_integer_value(json_object_get(rule, "until")) : 0,
		rule ? (int64_t)json_integer_value(json_object_get(rule, "uid")) : INT64_C(-1),
		taking->now_ms, past.times + 1, flaps ? taking->now_ms : past.flapping_ms, past.calm_ms,
		strcmp(detail->cause, "changed") ? "" : taking->by);
}

static bool is_same(const struct finding *finding, const struct drift_detail *detail)
{
	return !strcmp(finding->kind, detail->kind) && !strcmp(finding->severity, detail->severity) &&
	       !strcmp(finding->expected, detail->expected) && !strcmp(finding->actual, detail->actual) &&
	       !strcmp(finding->cause, detail->cause) && !strcmp(finding->impact, detail->impact) &&
	       !strcmp(finding->fix, detail->fix);
}

static int touch_finding(
	struct taking *taking, const struct finding *finding, const struct drift_detail *detail)
{
	struct store *store = taking->engine->store;
	int64_t age = taking->now_ms - finding->last_seen_ms;
	int r = 0;

	if (finding->lapsed) {
		add_detected(taking, detail);
		r = store_run(store, SQL_FINDING_SET_STATUS, "issii", finding->id, "pending", "", INT64_C(0),
			INT64_C(-1));
	}
	if (r < 0 || (!finding->lapsed && is_same(finding, detail) && age >= 0 && age < TOUCH_MS))
		return r;
	taking->touched = true;
	return store_run(store, SQL_FINDING_SET, "isssssssis", finding->id, detail->kind, detail->severity,
		detail->expected, detail->actual, detail->cause, detail->impact, detail->fix, taking->now_ms,
		is_same(finding, detail) ? finding->changed_by : taking->by);
}

static int take_detail(struct taking *taking, const json_t *row)
{
	CLEANUP(drift_detail_done) struct drift_detail detail = { 0 };
	struct finding *known;
	const json_t *rule;
	int r = drift_detail_parse(row, &detail);

	if (r < 0)
		return r;
	json_object_set_new(taking->seen, detail.property, json_true());
	known = find_open(taking, detail.property);
	rule = drift_rule(taking->rules, detail.property);
	if (!rule)
		*(!strcmp(detail.cause, "changed") ? &taking->changed : &taking->unapplied) = true;
	if (known)
		return touch_finding(taking, known, &detail);
	r = has_room(taking);
	return r <= 0 ? r : open_finding(taking, &detail, rule);
}

/* What was open and is not in the report any more. */
static int resolve_others(struct taking *taking)
{
	const char *how = taking->caller && taking->caller->run_id ? "fixed" : "by_itself";
	int r = 0;

	for (size_t i = 0; r == 0 && i < taking->open_count; i++) {
		const struct finding *finding = &taking->open[i];

		if (json_object_get(taking->seen, finding->property))
			continue;
		json_array_append_new(taking->resolved, json_string(finding->property));
		r = drift_resolve(taking->engine, taking->caller, finding, how);
		taking->whole->resolved = true;
		taking->whole->open--;
	}
	return r;
}

/* Of what is seen, the properties that are asked for: with nothing found, that is what was brought about.
 * What is asked for and can't be seen (how it is done, say) stays as it was brought about. malloc'ed. */
static char *applied_text(const struct resource *resource, const json_t *actual)
{
	json_auto_t *desired = json_loads(resource->desired, 0, NULL);
	json_auto_t *before = json_loads(resource->applied, 0, NULL);
	json_auto_t *applied = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (desired, key, value)
		if (json_object_get(actual, key))
			json_object_set(applied, key, json_object_get(actual, key));
		else if (json_object_get(before, key))
			json_object_set(applied, key, json_object_get(before, key));
	return json_dumps(applied, RESOURCE_JSON_FLAGS);
}

/* The resource's own row. */
static int see_resource(struct taking *taking, const struct drift_report *report)
{
	const struct resource *resource = &taking->resource;
	CLEANUP(cleanup_free)
	char *applied = *report->seen && !json_object_size(taking->seen)
				? applied_text(resource, report->actual)
				: NULL;
	struct drift_sight sight = {
		.status = taking->changed     ? "drifted"
			  : taking->unapplied ? "pending"
					      : "applied",
		.error = "",
		.actual = report->seen,
		.applied = applied,
		.settled = applied && report->settled,
	};

	/* What a run could not bring about stays so until it is there. */
	if (!strcmp(sight.status, "pending") && !strcmp(resource->status, "failed")) {
		sight.status = NULL;
		sight.error = NULL;
	}
	return drift_see(taking->engine, resource, &sight);
}

static int tell(struct taking *taking)
{
	const bool fixed = taking->caller && taking->caller->run_id;
	int r = 0;

	if (json_array_size(taking->detected))
		r = drift_event(taking->engine, taking->caller, taking->stack, &taking->resource,
			"drift.detected", taking->detected,
			json_pack("{s:s, s:o*}", "severity", taking->worst, "changed_by",
				json_loads(taking->by, 0, NULL)));
	if (r == 0 && json_array_size(taking->resolved))
		r = drift_event(taking->engine, taking->caller, taking->stack, &taking->resource,
			fixed ? "drift.fixed" : "drift.resolved", taking->resolved, NULL);
	if (r == 0 && json_array_size(taking->flapping))
		r = drift_event(taking->engine, taking->caller, taking->stack, &taking->resource,
			"drift.flapping", taking->flapping, NULL);
	if (r == 0 && (taking->touched || json_array_size(taking->resolved)))
		drift_note(taking->engine, taking->stack->id, taking->resource.id);
	return r;
}

static int take_known(struct taking *taking, const struct drift_report *report)
{
	const struct resource *resource = &taking->resource;
	json_t *row;
	size_t i;
	int r = finding_list(taking->engine, resource->stack_id, resource->type, resource->name,
		&taking->open, &taking->open_count);

	taking->seen = json_object();
	taking->detected = json_array();
	taking->resolved = json_array();
	taking->flapping = json_array();
	if (r == 0 && json_array_size(report->findings))
		r = drift_rules(
			taking->engine, resource->stack_id, resource->type, resource->name, &taking->rules);
	json_array_foreach ((json_t *)report->findings, i, row)
		if (r == 0)
			r = take_detail(taking, row);
	if (r == 0)
		r = resolve_others(taking);
	if (r == 0)
		r = see_resource(taking, report);
	return r < 0 ? r : tell(taking);
}

/* What can't be looked at is no drift, and what was found before is not over. */
static int take_unknown(struct taking *taking, const struct drift_report *report)
{
	const char *why = report->error ? report->error : "it can't be read";
	json_auto_t *said =
		json_sprintf("%s%s", report->wrong ? "what its provider reports is no report: " : "", why);
	CLEANUP(cleanup_free) char *error = drift_report_text(said);
	const struct resource *resource = &taking->resource;
	int r;

	if (!error)
		return -ENOMEM;
	if (!strcmp(resource->status, "unknown") && !strcmp(resource->error, error))
		return 0;
	r = drift_see(taking->engine, resource, &(struct drift_sight){ .status = "unknown", .error = error });
	return r < 0 ? r
		     : drift_event(taking->engine, taking->caller, taking->stack, resource, "drift.unknown",
			       NULL, json_pack("{s:s}", "error", error));
}

/* A run has said that it is about to change it, and has not said more: what it was in between is no drift. */
static bool is_being_changed(struct taking *taking)
{
	const struct resource *resource = &taking->resource;
	struct run run;

	return !strcmp(resource->status, "pending") && resource->run_id &&
	       (!taking->caller || taking->caller->run_id != resource->run_id) &&
	       run_get(taking->engine, resource->run_id, &run) == 0 && !run_status_final(run.status);
}

/* Nothing of the report tells what nobody is told. */
static int guard_secrets(
	struct taking *taking, const json_t *row, struct drift_report *report, json_t **ret_seen)
{
	int r = resource_secret_guard(taking->engine, &taking->resource, (json_t *)(uintptr_t)row, ret_seen);

	if (r < 0)
		return r;
	drift_report_done(report);
	r = drift_report_parse(row, report);
	report->settled = false;
	return r;
}

static int take_row(struct taking *taking, const json_t *row)
{
	CLEANUP(drift_report_done) struct drift_report report = { 0 };
	json_auto_t *seen = NULL;
	int r = drift_report_parse(row, &report);
	int64_t id;

	if (r < 0)
		return r;
	r = resource_find(taking->engine, taking->stack->id, report.type, report.name, &id);
	if (r == 0)
		r = resource_get(taking->engine, id, &taking->resource);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if ((report.id && report.id != id) ||
		(report.read_ms && report.read_ms < taking->resource.updated_ms) || is_being_changed(taking))
		return 0;
	if (resource_is_secret(&taking->resource))
		r = guard_secrets(taking, row, &report, &seen);
	if (r < 0)
		return r;
	taking->by = drift_report_changer(report.by);
	if (!taking->by)
		return -ENOMEM;
	r = !strcmp(report.state, "unknown") ? take_unknown(taking, &report) : take_known(taking, &report);
	if (r == 0 && seen && !strcmp(report.state, "in_sync"))
		r = resource_secret_put(taking->engine, id, 0, NULL, NULL, seen, &(struct fault){ 0 });
	return r;
}

static int note_time(struct engine *engine, int64_t stack_id, int64_t now_ms)
{
	int64_t before_ms;
	int r = store_get_int(engine->store, &before_ms, SQL_STACK_DRIFT_TIME, "i", stack_id);

	if (r < 0 || (now_ms - before_ms < TOUCH_MS && now_ms >= before_ms))
		return r;
	engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_DRIFT);
	return store_run(engine->store, SQL_STACK_SET_DRIFT_TIME, "ii", stack_id, now_ms);
}

int drift_take(struct engine *engine, struct caller *caller, int64_t stack_id, const json_t *rows)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t now_ms = time_now_ms();
	struct whole whole = { 0 };
	struct stack stack;
	const json_t *row;
	size_t i;
	int r = json_is_array(rows) ? stack_get(engine, stack_id, &stack) : -EINVAL;

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	json_array_foreach ((json_t *)rows, i, row) {
		CLEANUP(taking_done)
		struct taking taking = {
			.engine = engine, .whole = &whole, .caller = caller, .stack = &stack, .now_ms = now_ms
		};

		if (r == 0)
			r = take_row(&taking, row);
	}
	if (r == 0 && whole.resolved)
		r = drift_trim(engine, stack_id);
	FAILPOINT("drift.taken");
	if (r == 0)
		r = note_time(engine, stack_id, now_ms);
	return r < 0 ? r : store_change_end(&change);
}
