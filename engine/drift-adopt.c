/* SPDX-License-Identifier: MIT */
/* Adopting drift: what was seen becomes what is asked for. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/drift-internal.h"
#include "engine/seal.h"

struct adoption {
	struct engine *engine;
	struct caller *caller;
	struct fault *fault;
	const struct drift_target *target;
	struct resource resource;
	json_t *desired, *applied, *actual;
	json_t *properties; /* that are adopted, a list */
	struct finding *list;
	size_t count;
};

static void adoption_done(struct adoption *adoption)
{
	resource_done(&adoption->resource);
	finding_list_free(adoption->list, adoption->count);
	json_decref(adoption->desired);
	json_decref(adoption->applied);
	json_decref(adoption->actual);
	json_decref(adoption->properties);
}

static int load(struct adoption *adoption)
{
	struct resource *resource = &adoption->resource;
	int r = resource_get(adoption->engine, adoption->target->resource_id, resource);

	if (r == -ENOENT)
		return fault_set(adoption->fault, ENOENT, "the resource is gone");
	if (r < 0)
		return r;
	adoption->desired = json_loads(resource->desired, 0, NULL);
	adoption->actual = json_loads(resource->actual, 0, NULL);
	adoption->applied = *resource->applied ? json_loads(resource->applied, 0, NULL) : json_object();
	adoption->properties = json_array();
	if (!adoption->desired || !adoption->applied)
		return -EBADMSG;
	return finding_list(adoption->engine, resource->stack_id, resource->type, resource->name,
		&adoption->list, &adoption->count);
}

/* The thing as a whole: it may be there or not. */
static int take_whole(struct adoption *adoption)
{
	const char *ensure = json_string_value(json_object_get(adoption->actual, "ensure"));

	if (!ensure || (strcmp(ensure, "present") && strcmp(ensure, "absent")))
		return fault_set(adoption->fault, EINVAL,
			"%s/%.200s: something else stands in its place, and can't be what is asked for: take "
			"it away, or fix it",
			adoption->resource.type, adoption->resource.name);
	json_object_set_new(adoption->desired, "ensure", json_string(ensure));
	json_object_set_new(adoption->applied, "ensure", json_string(ensure));
	return 0;
}

static int take_property(struct adoption *adoption, const char *property)
{
	json_t *seen = json_object_get(adoption->actual, property);
	json_t *asked = json_object_get(adoption->desired, property);

	if (json_is_string(asked) && !strcmp(json_string_value(asked), SEAL_SHOWN))
		return fault_set(adoption->fault, EINVAL,
			"%s/%.200s: \"%.200s\" is sensitive: what it was changed to is kept nowhere, and "
			"can't be what is "
			"asked for. A workflow says what it shall be",
			adoption->resource.type, adoption->resource.name, property);
	if (!asked)
		return fault_set(adoption->fault, EINVAL,
			"%s/%.200s: \"%.200s\" is nothing that can be asked for: adopt other properties as "
			"NAME/PROPERTY, or ignore this one",
			adoption->resource.type, adoption->resource.name, property);
	/* What is not there is not asked for. */
	if (!seen || json_is_null(seen)) {
		json_object_del(adoption->desired, property);
		json_object_del(adoption->applied, property);
		return 0;
	}
	json_object_set(adoption->desired, property, seen);
	json_object_set(adoption->applied, property, seen);
	return 0;
}

static int take_findings(struct adoption *adoption)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < adoption->count; i++) {
		const struct finding *finding = &adoption->list[i];

		if (!drift_means(adoption->target, finding))
			continue;
		json_array_append_new(adoption->properties, json_string(finding->property));
		r = *finding->property ? take_property(adoption, finding->property) : take_whole(adoption);
		if (r == 0)
			r = drift_resolve(adoption->engine, adoption->caller, finding, "adopted");
	}
	return r;
}

/* What is asked for now, as if a workflow had said it and brought it about. */
static int put(struct adoption *adoption)
{
	const struct resource_draft draft = {
		.type = adoption->resource.type,
		.name = adoption->resource.name,
		.properties = adoption->desired,
		.applied = adoption->applied,
		.protect = -1,
		.status = "drifted", /* for drift_settle(), which sees what is left */
		.update = true,
		.whose = RESOURCE_ADDED,
	};
	CLEANUP(resource_done) struct resource now = { 0 };
	enum resource_result result;
	int64_t id;
	int r = resource_put(adoption->engine, adoption->caller, adoption->resource.stack_id, &draft,
		adoption->fault, &result, &id);

	if (r == 0)
		r = resource_get(adoption->engine, id, &now);
	return r < 0 ? r : drift_settle(adoption->engine, &now);
}

int drift_adopt(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(adoption_done)
	struct adoption adoption = { .engine = engine, .caller = caller, .fault = fault, .target = target };
	struct stack stack;
	int r = stack_get_for_change(engine, caller, stack_id, fault, &stack);

	if (r == 0)
		r = load(&adoption);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = take_findings(&adoption);
	if (r == 0 && !json_array_size(adoption.properties))
		return drift_nothing(
			&stack, &adoption.resource, target, adoption.list, adoption.count, fault);
	if (r == 0)
		r = put(&adoption);
	if (r == 0)
		r = drift_trim(engine, stack_id);
	if (r == 0)
		r = drift_event(engine, caller, &stack, &adoption.resource, "drift.adopted",
			adoption.properties, NULL);
	if (r < 0)
		return r;
	drift_note(engine, stack_id, adoption.resource.id);
	return store_change_end(&change);
}
