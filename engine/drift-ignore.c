/* SPDX-License-Identifier: MIT */
/* What people decide about drift: whom they mean, what they don't want to be told of, what they know. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/drift-internal.h"

/* A decision on its way. */
struct decision {
	struct engine *engine;
	struct caller *caller;
	struct fault *fault;
	struct stack stack;
	struct resource resource;
	const struct drift_target *target;
	struct store_change change;
};

static void decision_done(struct decision *decision)
{
	store_change_cancel(&decision->change);
	resource_done(&decision->resource);
}

/* Checks who asks for what, and begins the change. */
static int decision_begin(struct decision *decision, int64_t stack_id)
{
	int r = stack_get_for_change(
		decision->engine, decision->caller, stack_id, decision->fault, &decision->stack);

	if (r == 0)
		r = resource_get(decision->engine, decision->target->resource_id, &decision->resource);
	if (r == 0 && decision->resource.stack_id != stack_id)
		r = -ENOENT;
	if (r == -ENOENT)
		fault_default(decision->fault, ENOENT, "the resource is gone");
	return r < 0 ? r : store_change_begin(decision->engine->store, &decision->change);
}

static int decision_end(struct decision *decision, const char *event, json_t *more)
{
	json_auto_t *properties = json_pack("[s]", decision->target->property);
	int r;

	if (!*decision->target->property)
		json_array_clear(properties);
	r = drift_event(decision->engine, decision->caller, &decision->stack, &decision->resource, event,
		properties, more);
	if (r < 0)
		return r;
	drift_note(decision->engine, decision->stack.id, decision->resource.id);
	return store_change_end(&decision->change);
}

static int check_reason(const char *reason, struct fault *fault)
{
	if (strlen(reason) <= FINDING_TEXT_MAX && text_is_utf8(reason, strlen(reason)))
		return 0;
	return fault_set(fault, EINVAL, "the reason is a text of up to %d bytes", FINDING_TEXT_MAX);
}

/* Rules */

int drift_rules(
	struct engine *engine, int64_t stack_id, const char *type, const char *name, json_t **ret_rules)
{
	CLEANUP(query_endp)
	struct query *query =
		query_begin(engine->store, SQL_DRIFT_IGNORE_OF_RESOURCE, "iss", stack_id, type, name);
	json_t *rules = json_object();
	int64_t now = time_now_ms();
	int r;

	while ((r = query_step(query)) > 0)
		if (!query_int(query, 4) || query_int(query, 4) > now)
			json_object_set_new(rules, query_text(query, 2),
				json_pack("{s:s, s:I, s:I}", "reason", query_text(query, 3), "until",
					(json_int_t)query_int(query, 4), "uid",
					(json_int_t)query_int(query, 5)));
	if (r < 0) {
		json_decref(rules);
		return r;
	}
	*ret_rules = rules;
	return 0;
}

const json_t *drift_rule(const json_t *rules, const char *property)
{
	const json_t *rule = json_object_get(rules, property);

	return rule ? rule : json_object_get(rules, "");
}

int drift_ignored_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct drift_ignored *ignored), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_DRIFT_IGNORE_EACH, "i", stack_id);
	int r;

	while ((r = query_step(query)) > 0) {
		r = each(userdata, &(struct drift_ignored){ .type = query_text(query, 0),
					   .name = query_text(query, 1),
					   .property = query_text(query, 2),
					   .reason = query_text(query, 3),
					   .until_ms = query_int(query, 4),
					   .uid = query_int(query, 5),
					   .created_ms = query_int(query, 6) });
		if (r != 0)
			break;
	}
	return r;
}

/* One open finding, as the rules are now. */
static int apply_rule(struct engine *engine, const struct finding *finding, const json_t *rules)
{
	const json_t *rule = drift_rule(rules, finding->property);

	if (rule)
		return store_run(engine->store, SQL_FINDING_SET_STATUS, "issii", finding->id, "ignored",
			json_string_value(json_object_get(rule, "reason")),
			(int64_t)json_integer_value(json_object_get(rule, "until")),
			(int64_t)json_integer_value(json_object_get(rule, "uid")));
	if (strcmp(finding->status, "ignored") != 0 && !finding->lapsed)
		return 0;
	return store_run(engine->store, SQL_FINDING_SET_STATUS, "issii", finding->id, "pending", "",
		INT64_C(0), INT64_C(-1));
}

/* After the rules about a resource have changed. */
static int apply_rules(struct engine *engine, const struct resource *resource)
{
	json_auto_t *rules = NULL;
	struct finding *list = NULL;
	size_t count = 0;
	int r = drift_rules(engine, resource->stack_id, resource->type, resource->name, &rules);

	if (r == 0)
		r = finding_list(engine, resource->stack_id, resource->type, resource->name, &list, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = apply_rule(engine, &list[i], rules);
	finding_list_free(list, count);
	return r < 0 ? r : drift_settle(engine, resource);
}

static int check_rule(struct decision *decision, const char *reason, int64_t until_ms)
{
	int64_t count;
	int r = check_reason(reason, decision->fault);

	if (r == 0 && until_ms && until_ms <= time_now_ms())
		return fault_set(decision->fault, EINVAL,
			"until= names a time that is over: it is ignored until then, like until=14d or "
			"until=2030-01-31");
	if (r == 0)
		r = store_get_int(
			decision->engine->store, &count, SQL_DRIFT_IGNORE_COUNT, "i", decision->stack.id);
	if (r == 0 && count >= DRIFT_IGNORE_MAX)
		return fault_set(decision->fault, EDQUOT,
			"stack %s ignores %d things already, and that is the limit: unignore some",
			decision->stack.name, DRIFT_IGNORE_MAX);
	return r;
}

int drift_ignore(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, const char *reason, int64_t until_ms, struct fault *fault)
{
	CLEANUP(decision_done)
	struct decision decision = { .engine = engine, .caller = caller, .fault = fault, .target = target };
	char until[32] = "";
	int r = decision_begin(&decision, stack_id);

	if (r == 0)
		r = check_rule(&decision, reason, until_ms);
	if (r == 0)
		r = store_run(engine->store, SQL_DRIFT_IGNORE_SET, "issssiii", stack_id,
			decision.resource.type, decision.resource.name, target->property, reason, until_ms,
			caller ? (int64_t)caller->uid : INT64_C(0), time_now_ms());
	if (r == 0)
		r = apply_rules(engine, &decision.resource);
	if (until_ms)
		time_format(until_ms, until);
	return r < 0 ? r
		     : decision_end(&decision, "drift.ignored",
			       json_pack("{s:s, s:s}", "reason", reason, "until", until));
}

int drift_unignore(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, struct fault *fault)
{
	CLEANUP(decision_done)
	struct decision decision = { .engine = engine, .caller = caller, .fault = fault, .target = target };
	int r = decision_begin(&decision, stack_id);

	if (r == 0)
		r = store_run(engine->store, SQL_DRIFT_IGNORE_DELETE, "isss", stack_id,
			decision.resource.type, decision.resource.name, target->property);
	if (r == 0 && !store_changed_rows(engine->store))
		return fault_set(fault, ENOENT,
			"%s/%.200s%s%.200s is not ignored: `cat stacks/%s/drift` shows what is",
			decision.resource.type, decision.resource.name, *target->property ? "/" : "",
			target->property, decision.stack.name);
	if (r == 0)
		r = apply_rules(engine, &decision.resource);
	return r < 0 ? r : decision_end(&decision, "drift.unignored", NULL);
}

static bool is_about(const struct drift_target *target, const struct finding *finding)
{
	return !*target->property || !strcmp(target->property, finding->property);
}

bool drift_means(const struct drift_target *target, const struct finding *finding)
{
	return finding_counts(finding) && is_about(target, finding);
}

int drift_nothing(const struct stack *stack, const struct resource *resource,
	const struct drift_target *target, const struct finding *list, size_t count, struct fault *fault)
{
	const char *between = *target->property ? "/" : "";

	for (size_t i = 0; i < count; i++)
		if (is_about(target, &list[i]))
			return fault_set(fault, ENOENT,
				"what differs of %s/%.200s%s%.200s is ignored: unignore it first",
				resource->type, resource->name, between, target->property);
	return fault_set(fault, ENOENT,
		"nothing is found of %s/%.200s%s%.200s that differs: `echo detect > stacks/%s/drift` looks",
		resource->type, resource->name, between, target->property, stack->name);
}

int drift_acknowledge(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, const char *reason, struct fault *fault)
{
	CLEANUP(decision_done)
	struct decision decision = { .engine = engine, .caller = caller, .fault = fault, .target = target };
	struct finding *list = NULL;
	size_t count = 0, meant = 0;
	int r = check_reason(reason, fault);

	if (r == 0)
		r = decision_begin(&decision, stack_id);
	if (r == 0)
		r = finding_list(
			engine, stack_id, decision.resource.type, decision.resource.name, &list, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!drift_means(target, &list[i]))
			continue;
		meant++;
		r = store_run(engine->store, SQL_FINDING_SET_STATUS, "issii", list[i].id, "acknowledged",
			reason, INT64_C(0), caller ? (int64_t)caller->uid : INT64_C(0));
		if (r == 0)
			r = drift_calm(engine, &list[i]);
	}
	if (r == 0 && !meant)
		r = drift_nothing(&decision.stack, &decision.resource, target, list, count, fault);
	finding_list_free(list, count);
	return r < 0 ? r
		     : decision_end(&decision, "drift.acknowledged", json_pack("{s:s}", "reason", reason));
}

/* Whom a person means */

/* Names of properties of a resource. New reference. */
static json_t *known_properties(struct engine *engine, const struct resource *resource)
{
	json_t *names = json_object();
	json_auto_t *desired = json_loads(resource->desired, 0, NULL);
	json_auto_t *actual = json_loads(resource->actual, 0, NULL);
	struct finding *list = NULL;
	size_t count = 0;

	json_object_update_missing(names, desired);
	json_object_update_missing(names, actual);
	if (finding_list(engine, resource->stack_id, resource->type, resource->name, &list, &count) == 0)
		for (size_t i = 0; i < count; i++)
			json_object_set_new(names, list[i].property, json_true());
	finding_list_free(list, count);
	return names;
}

static int check_property(
	struct engine *engine, int64_t resource_id, const char *property, struct fault *fault)
{
	enum { CANDIDATES = 64 };
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *names = NULL;
	const char *list[CANDIDATES], *key, *nearest;
	json_t *value;
	size_t count = 0;
	int r = resource_get(engine, resource_id, &resource);

	if (r < 0)
		return r;
	names = known_properties(engine, &resource);
	if (*property && json_object_get(names, property) && strlen(property) <= FINDING_PROPERTY_MAX)
		return 0;
	json_object_foreach (names, key, value)
		if (count < CANDIDATES)
			list[count++] = key;
	nearest = text_nearest(property, list, count);
	return fault_set(fault, ENOENT, "%s/%.200s has no property \"%.200s\"%s%s%s", resource.type,
		resource.name, property, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
		nearest ? "\"?" : "");
}

int drift_find_target(struct engine *engine, int64_t stack_id, const char *name, struct fault *fault,
	struct drift_target *ret_target)
{
	const char *slash = strrchr(name, '/');
	CLEANUP(cleanup_free) char *stem = slash ? strndup(name, (size_t)(slash - name)) : NULL;
	struct fault whole = { 0 }, part = { 0 };
	int64_t id;
	int r = drift_find_resource(engine, stack_id, name, &whole, &id), r2 = -ENOENT;

	if (r == 0) {
		*ret_target = (struct drift_target){ .resource_id = id };
		return 0;
	}
	if (slash && !stem)
		return -ENOMEM;
	if (r == -ENOENT && stem)
		r2 = drift_find_resource(engine, stack_id, stem, &part, &id);
	if (r2 == 0)
		r2 = check_property(engine, id, slash + 1, &part);
	if (r2 < 0)
		return fault_set(fault, r2 == -ENOENT && !*part.text ? -r : -r2, "%s",
			*part.text && (r2 == -EINVAL || strstr(part.text, "property")) ? part.text
										       : whole.text);
	*ret_target = (struct drift_target){ .resource_id = id };
	snprintf(ret_target->property, sizeof(ret_target->property), "%s", slash + 1);
	return 0;
}
