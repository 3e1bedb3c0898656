/* SPDX-License-Identifier: MIT */
/* What a process reports about resources becomes findings. The process is the stack owner's: what it says is
 * checked like everything that a user writes. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/drift-internal.h"
#include "engine/resource-internal.h"

enum { TOUCH_MS = 60000 };

/* Whose words the columns take. */
static const char *const states[] = { "in_sync", "drifted", "unapplied", "unknown", NULL };
static const char *const kinds[] = { "configuration", "resource", "state", "dependency", NULL };
static const char *const severities[] = { "low", "medium", "high", "critical", NULL };
static const char *const causes[] = { "changed", "unapplied", NULL };

/* A row of a report. Borrowed from it. */
struct report {
	int64_t id, read_ms;
	const char *type, *name, *state, *error;
	const json_t *actual, *findings;
};

/* What a row says of one property. */
struct detail {
	const char *property, *kind, *severity, *cause;
	char *expected, *actual, *impact, *fix;
};

/* One row on its way. */
struct taking {
	struct engine *engine;
	struct caller *caller;
	const struct stack *stack;
	struct resource resource;
	struct finding *open; /* findings, as they were */
	size_t open_count;
	json_t *rules;
	json_t *seen;			  /* set of properties */
	json_t *detected, *resolved;	  /* lists of properties, for events */
	size_t worst;			  /* place in severities, of those that are detected */
	bool changed, unapplied, touched; /* causes that count; something was written */
	int64_t now_ms;
};

static void taking_done(struct taking *taking)
{
	resource_done(&taking->resource);
	finding_list_free(taking->open, taking->open_count);
	json_decref(taking->rules);
	json_decref(taking->seen);
	json_decref(taking->detected);
	json_decref(taking->resolved);
}

static void detail_done(struct detail *detail)
{
	free(detail->expected);
	free(detail->actual);
	free(detail->impact);
	free(detail->fix);
}

/* The word as it stands in the list; NULL: it is not in it. */
static const char *one_of(const char *const *words, const json_t *value)
{
	const char *text = json_string_value(value);

	for (; text && *words; words++)
		if (!strcmp(*words, text))
			return *words;
	return NULL;
}

static size_t place_of(const char *const *words, const char *word)
{
	size_t i = 0;

	while (strcmp(words[i], word))
		i++;
	return i;
}

static int parse_report(const json_t *row, struct report *ret_report)
{
	struct report report = {
		.id = json_integer_value(json_object_get(row, "id")),
		.read_ms = json_integer_value(json_object_get(row, "read_ms")),
		.type = json_string_value(json_object_get(row, "type")),
		.name = json_string_value(json_object_get(row, "name")),
		.state = one_of(states, json_object_get(row, "state")),
		.error = json_string_value(json_object_get(row, "error")),
		.actual = json_object_get(row, "actual"),
		.findings = json_object_get(row, "findings"),
	};
	size_t count = json_array_size(report.findings);

	if (!report.type || !report.name || !report.state)
		return -EINVAL;
	/* A language whose empty table may be either sends an empty list. */
	if (json_is_array(report.actual) && !json_array_size(report.actual))
		report.actual = NULL;
	if (report.actual && !json_is_object(report.actual) && !json_is_null(report.actual))
		return -EINVAL;
	if (strcmp(report.state, "unknown") && !strcmp(report.state, "in_sync") != (count == 0))
		return -EINVAL;
	*ret_report = report;
	return 0;
}

/* A text of at most so many bytes, cut where a character ends. malloc'ed. */
static char *cut_text(const json_t *value)
{
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	size_t size = strlen(text);

	if (size > FINDING_TEXT_MAX)
		for (size = FINDING_TEXT_MAX; size > 0 && (text[size] & 0xc0) == 0x80; size--)
			;
	return strndup(text, size);
}

/* As JSON; what is too long, by its size and hash. malloc'ed. */
static char *value_text(json_t *value)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1], *text, *brief;

	text = value ? json_dumps(value, RESOURCE_JSON_FLAGS) : strdup("null");
	if (!text || strlen(text) <= FINDING_VALUE_MAX)
		return text;
	crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	if (asprintf(&brief, "{\"sha256\":\"%s\",\"size\":%zu}", hex, strlen(text)) < 0)
		brief = NULL;
	free(text);
	return brief;
}

/* 0, -EINVAL, -ENOMEM. detail_done() in any case. */
static int parse_detail(const json_t *row, struct detail *detail)
{
	detail->property = json_string_value(json_object_get(row, "property"));
	detail->kind = one_of(kinds, json_object_get(row, "kind"));
	detail->severity = one_of(severities, json_object_get(row, "severity"));
	detail->cause = one_of(causes, json_object_get(row, "cause"));
	if (!detail->property || strlen(detail->property) > FINDING_PROPERTY_MAX || !detail->kind ||
		!detail->severity || !detail->cause)
		return -EINVAL;
	detail->expected = value_text(json_object_get(row, "expected"));
	detail->actual = value_text(json_object_get(row, "actual"));
	detail->impact = cut_text(json_object_get(row, "impact"));
	detail->fix = cut_text(json_object_get(row, "fix"));
	return detail->expected && detail->actual && detail->impact && detail->fix ? 0 : -ENOMEM;
}

static struct finding *find_open(struct taking *taking, const char *property)
{
	for (size_t i = 0; i < taking->open_count; i++)
		if (!strcmp(taking->open[i].property, property))
			return &taking->open[i];
	return NULL;
}

/* It is drift, and nobody was told yet. */
static void add_detected(struct taking *taking, const struct detail *detail)
{
	size_t place = place_of(severities, detail->severity);

	json_array_append_new(taking->detected, json_string(detail->property));
	if (place > taking->worst)
		taking->worst = place;
}

static int open_finding(struct taking *taking, const struct detail *detail, const json_t *rule)
{
	const struct resource *resource = &taking->resource;
	struct store *store = taking->engine->store;
	int64_t times = 0, id;
	int r = store_get_int(store, &times, SQL_FINDING_TIMES, "isss", resource->stack_id, resource->type,
		resource->name, detail->property);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!rule)
		add_detected(taking, detail);
	taking->touched = true;
	return store_insert(store, &id, SQL_FINDING_ADD, "issssssssssssiiii", resource->stack_id,
		resource->type, resource->name, detail->property, detail->kind, detail->severity,
		detail->expected, detail->actual, detail->cause, detail->impact, detail->fix,
		rule ? "ignored" : "pending", rule ? json_string_value(json_object_get(rule, "reason")) : "",
		rule ? (int64_t)json_integer_value(json_object_get(rule, "until")) : 0,
		rule ? (int64_t)json_integer_value(json_object_get(rule, "uid")) : INT64_C(-1),
		taking->now_ms, times + 1);
}

static bool is_same(const struct finding *finding, const struct detail *detail)
{
	return !strcmp(finding->kind, detail->kind) && !strcmp(finding->severity, detail->severity) &&
	       !strcmp(finding->expected, detail->expected) && !strcmp(finding->actual, detail->actual) &&
	       !strcmp(finding->cause, detail->cause) && !strcmp(finding->impact, detail->impact) &&
	       !strcmp(finding->fix, detail->fix);
}

static int touch_finding(struct taking *taking, const struct finding *finding, const struct detail *detail)
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
	return store_run(store, SQL_FINDING_SET, "isssssssi", finding->id, detail->kind, detail->severity,
		detail->expected, detail->actual, detail->cause, detail->impact, detail->fix, taking->now_ms);
}

static int take_detail(struct taking *taking, const json_t *row)
{
	CLEANUP(detail_done) struct detail detail = { 0 };
	struct finding *known;
	const json_t *rule;
	int r = parse_detail(row, &detail);

	if (r < 0)
		return r;
	if (json_object_get(taking->seen, detail.property))
		return -EINVAL;
	json_object_set_new(taking->seen, detail.property, json_true());
	known = find_open(taking, detail.property);
	rule = drift_rule(taking->rules, detail.property);
	if (!rule)
		*(!strcmp(detail.cause, "changed") ? &taking->changed : &taking->unapplied) = true;
	if (known)
		return touch_finding(taking, known, &detail);
	return json_object_size(taking->seen) > FINDING_RESOURCE_MAX ? 0
								     : open_finding(taking, &detail, rule);
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
	}
	return r;
}

/* Of what is seen, the properties that are asked for: with nothing found, that is what was brought about.
 * malloc'ed. */
static char *applied_text(const struct resource *resource, const json_t *actual)
{
	json_auto_t *desired = json_loads(resource->desired, 0, NULL);
	json_auto_t *applied = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (desired, key, value)
		if (json_object_get(actual, key))
			json_object_set(applied, key, json_object_get(actual, key));
	return json_dumps(applied, RESOURCE_JSON_FLAGS);
}

/* The resource's own row. */
static int see_resource(struct taking *taking, const struct report *report)
{
	const struct resource *resource = &taking->resource;
	bool known = json_is_object(report->actual);
	CLEANUP(cleanup_free)
	char *actual = known ? json_dumps(report->actual, RESOURCE_JSON_FLAGS) : strdup("");
	CLEANUP(cleanup_free)
	char *applied =
		known && !json_object_size(taking->seen) ? applied_text(resource, report->actual) : NULL;
	struct drift_sight sight = {
		.status = taking->changed     ? "drifted"
			  : taking->unapplied ? "pending"
					      : "applied",
		.error = "",
		.actual = actual,
		.applied = applied,
	};

	if (!actual)
		return -ENOMEM;
	if (strlen(actual) > RESOURCE_STATE_MAX)
		return -EINVAL;
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
			json_pack("{s:s}", "severity", severities[taking->worst]));
	if (r == 0 && json_array_size(taking->resolved))
		r = drift_event(taking->engine, taking->caller, taking->stack, &taking->resource,
			fixed ? "drift.fixed" : "drift.resolved", taking->resolved, NULL);
	if (r == 0 && json_array_size(taking->resolved))
		r = drift_trim(taking->engine, taking->stack->id);
	if (r == 0 && (taking->touched || json_array_size(taking->resolved)))
		drift_note(taking->engine, taking->stack->id, taking->resource.id);
	return r;
}

static int take_known(struct taking *taking, const struct report *report)
{
	const struct resource *resource = &taking->resource;
	json_t *row;
	size_t i;
	int r = finding_list(taking->engine, resource->stack_id, resource->type, resource->name,
		&taking->open, &taking->open_count);

	taking->seen = json_object();
	taking->detected = json_array();
	taking->resolved = json_array();
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
static int take_unknown(struct taking *taking, const struct report *report)
{
	json_auto_t *said = json_string(report->error ? report->error : "it can't be read");
	CLEANUP(cleanup_free) char *error = cut_text(said);
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

static int take_row(struct taking *taking, const json_t *row)
{
	struct report report;
	int r = parse_report(row, &report);
	int64_t id;

	if (r < 0)
		return r;
	r = resource_find(taking->engine, taking->stack->id, report.type, report.name, &id);
	if (r == 0)
		r = resource_get(taking->engine, id, &taking->resource);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if ((report.id && report.id != id) ||
		(report.read_ms && report.read_ms < taking->resource.updated_ms))
		return 0;
	return !strcmp(report.state, "unknown") ? take_unknown(taking, &report) : take_known(taking, &report);
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
	struct stack stack;
	const json_t *row;
	size_t i;
	int r = json_is_array(rows) ? stack_get(engine, stack_id, &stack) : -EINVAL;

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	json_array_foreach ((json_t *)rows, i, row) {
		CLEANUP(taking_done)
		struct taking taking = {
			.engine = engine, .caller = caller, .stack = &stack, .now_ms = now_ms
		};

		if (r == 0)
			r = take_row(&taking, row);
	}
	if (r == 0)
		r = note_time(engine, stack_id, now_ms);
	return r < 0 ? r : store_change_end(&change);
}
