/* SPDX-License-Identifier: MIT */
/* Calls of runs about resources. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/calls-image.h"
#include "engine/calls.h"
#include "engine/drift.h"
#include "engine/image.h"
#include "engine/resource-secret.h"
#include "engine/resource.h"
#include "engine/seal.h"

static int answer_resource(struct call *call, const struct resource *resource, json_t **ret_value)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);
	json_t *value;

	if (!out)
		return -ENOMEM;
	resource_write_json(call->engine, resource, true, out);
	if (buffer_stream_close(out, &text) < 0)
		return -ENOMEM;
	value = json_loadb(buffer_text(&text), text.size, 0, NULL);
	if (!value)
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

static int answer_id(struct call *call, int64_t id, json_t **ret_value)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(call->engine, id, &resource);

	return r < 0 ? r : answer_resource(call, &resource, ret_value);
}

static int need_names(struct call *call, const char **ret_type, const char **ret_name)
{
	int r = call_need_text(call, "type", ret_type);

	return r < 0 ? r : call_need_text(call, "name", ret_name);
}

/* An argument that is not there, or null, says nothing. */
static json_t *argument(struct call *call, const char *key)
{
	json_t *value = json_object_get(call->args, key);

	return json_is_null(value) ? NULL : value;
}

/* Values that nobody is told. */
struct secrets {
	json_t *values;	 /* that are asked for: property → value; owned */
	json_t *applied; /* … and were brought about; owned */
	json_t *names;	 /* set of properties; owned */
	json_t *became;	 /* what there is now, with them; owned */
};

static void secrets_done(struct secrets *secrets)
{
	json_decref(secrets->values);
	json_decref(secrets->applied);
	json_decref(secrets->names);
	json_decref(secrets->became);
}

static bool is_shown(const json_t *value)
{
	return json_is_string(value) && !strcmp(json_string_value(value), SEAL_SHOWN);
}

static void take_value(json_t *properties, const char *name, json_t *values)
{
	json_t *value = json_object_get(properties, name);

	if (value && !json_is_null(value) && !is_shown(value))
		json_object_set(values, name, value);
}

/* Properties that the workflow has named. */
static int take_named(struct call *call, json_t *properties, json_t *values)
{
	const json_t *list = argument(call, "sensitive"), *name;
	size_t i;

	if (list && !json_is_array(list))
		return fault_set(&call->fault, EINVAL, "\"sensitive\" must be a list of properties");
	json_array_foreach (list, i, name) {
		if (!json_is_string(name))
			return fault_set(&call->fault, EINVAL, "\"sensitive\" must be a list of properties");
		take_value(properties, json_string_value(name), values);
	}
	return 0;
}

static json_t *object_or_new(json_t *value)
{
	return json_is_object(value) ? json_incref(value) : json_object();
}

/* What the frame has of them: see runner_mask_frame(). What was sealed before stays so, whoever says it anew
 * and does not know that it is. A fix says nothing of properties. */
static int secrets_take(
	struct call *call, const struct resource_draft *draft, int64_t id, struct secrets *secrets)
{
	json_auto_t *before = NULL;
	const char *name;
	json_t *value;
	int r = 0;

	secrets->values = object_or_new(argument(call, "sealed"));
	secrets->applied = object_or_new(argument(call, "sealed_applied"));
	if (draft->properties)
		r = take_named(call, draft->properties, secrets->values);
	if (r == 0 && id)
		r = resource_secret_names(call->engine, id, &before);
	if (r < 0)
		return r;
	json_object_foreach (draft->properties ? before : NULL, name, value)
		take_value(draft->properties, name, secrets->values);
	secrets->names = draft->properties ? json_copy(secrets->values) : object_or_new(before);
	json_object_foreach (secrets->names, name, value) {
		json_t *applied = json_object_get(draft->applied, name);

		if (strlen(name) > SECRET_PROPERTY_MAX)
			return fault_set(&call->fault, EINVAL,
				"the name of a sensitive property has up to %d bytes", SECRET_PROPERTY_MAX);
		if (applied && !is_shown(applied))
			json_object_set(secrets->applied, name, applied);
		else if (draft->properties && !draft->applied && draft->status &&
			 !strcmp(draft->status, "applied"))
			json_object_set(secrets->applied, name, value);
	}
	secrets->became = json_copy(draft->actual);
	json_object_update(secrets->became, argument(call, "sealed_actual"));
	resource_secret_hide(secrets->names, draft->properties);
	resource_secret_hide(secrets->names, draft->applied);
	resource_secret_hide(secrets->names, draft->actual);
	return 0;
}

/* What the resource is, and its secrets beside it. */
static int put_all(struct call *call, struct resource_draft *draft, struct secrets *secrets,
	enum resource_result *ret_result, int64_t *ret_id)
{
	int64_t id = 0;
	int r = resource_find(call->engine, call->run.stack_id, draft->type, draft->name, &id);

	if (r == 0 || r == -ENOENT)
		r = secrets_take(call, draft, id, secrets);
	if (r == 0 && json_object_size(secrets->names))
		draft->settled = false; /* a glance knows the states alone */
	if (r == 0 && id && json_object_size(secrets->values))
		r = resource_secret_differs(
			call->engine, id, call->caller.uid, secrets->values, &draft->renewed);
	if (r == 0)
		r = resource_put(call->engine, &call->caller, call->run.stack_id, draft, &call->fault,
			ret_result, ret_id);
	if (r == 0)
		r = resource_secret_put(call->engine, *ret_id, call->caller.uid, draft->properties,
			secrets->values, secrets->applied, &call->fault);
	if (r == 0 && draft->renewed && *ret_result == RESOURCE_UNCHANGED)
		*ret_result = RESOURCE_CHANGED;
	return r;
}

/* Two stacks that adopt the same thing at once: the one that is asked first has it. */
static int check_sole(void *userdata, int64_t stack_id)
{
	struct call *call = userdata;
	struct stack stack;
	int r = stack_id == call->run.stack_id ? -ENOENT : stack_get(call->engine, stack_id, &stack);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return fault_set(&call->fault, EEXIST, "the stack %s manages it",
		stack_access(&call->caller, &stack, MAY_READ | MAY_EXECUTE) == 0
			? stack.name
			: "one that you may not read");
}

static int put(struct call *call, bool update)
{
	CLEANUP(secrets_done) struct secrets secrets = { 0 };
	json_auto_t *row = NULL;
	json_t *protect = argument(call, "protect"), *image = argument(call, "image"), *value = NULL;
	struct resource_draft draft = {
		.module = json_string_value(argument(call, "module")),
		.properties = argument(call, "properties"),
		.dependencies = argument(call, "dependencies"),
		.protect = protect ? json_is_true(protect) : -1,
		.status = json_string_value(argument(call, "status")),
		.error = json_string_value(argument(call, "error")),
		.actual = argument(call, "actual"),
		.applied = argument(call, "applied"),
		.update = update,
		.settled = json_is_true(argument(call, "settled")),
	};
	enum resource_result result = RESOURCE_UNCHANGED;
	int64_t id = 0, image_id = 0;
	int r = need_names(call, &draft.type, &draft.name);

	if (r == 0)
		r = call_may_change(call);
	if (r == 0 && json_is_true(argument(call, "masked")))
		return fault_set(&call->fault, ENOTSUP,
			"its name or what it depends on has the value of a secret in it, and these are told "
			"to "
			"everybody who may see the stack");
	if (r == 0 && json_is_true(argument(call, "sole")))
		r = resource_manager_each(call->engine, draft.type, draft.name, check_sole, call);
	if (r == 0 && image)
		r = call_image_row(call, draft.type, draft.name, &row);
	if (r == 0)
		r = put_all(call, &draft, &secrets, &result, &id);
	/* What it was is nobody's business then, either. */
	if (r == 0 && image && json_object_size(secrets.names))
		json_object_set_new(image, "private", json_true());
	if (r == 0 && image)
		r = call_image_add(call, draft.type, draft.name, image, row, &image_id);
	if (r == 0 && argument(call, "fixed"))
		r = drift_fixed_some(call->engine, &call->caller, id, argument(call, "fixed"));
	if (r == 0 && draft.applied)
		r = image_done(call->engine, call->run.id, draft.type, draft.name, secrets.became);
	if (r == 0 && !json_is_true(argument(call, "quiet")))
		r = answer_id(call, id, &value);
	if (r < 0)
		return r;
	call->idempotent = true;
	call->value = json_pack("{s:s, s:o*, s:o}", "result", resource_result_name(result), "resource", value,
		"image", image_id ? json_integer((json_int_t)image_id) : json_null());
	return call->value ? 0 : -ENOMEM;
}

static int resource_register(struct call *call)
{
	return put(call, false);
}

static int resource_update(struct call *call)
{
	return put(call, true);
}

/* 0, or -ENOENT. */
static int find(struct call *call, int64_t *ret_id)
{
	const char *type, *name;
	struct stack stack;
	int r = need_names(call, &type, &name);

	if (r == 0)
		r = call_stack(call, &stack);
	return r < 0 ? r : resource_find(call->engine, stack.id, type, name, ret_id);
}

/* A resource that is not there is an answer; a stack that is not there has a sentence. */
static int none_or(const struct call *call, int r)
{
	return r == -ENOENT && !*call->fault.text ? 0 : r;
}

/* The values themselves, which the run may not tell from now on. */
static int unseal(struct call *call, int64_t id)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *desired = NULL, *applied = NULL, *names = NULL;
	json_t *list = json_array(), *value;
	const char *name;
	int r = resource_get(call->engine, id, &resource);

	json_object_set_new(call->value, "sensitive", list);
	if (r < 0 || !resource_is_secret(&resource))
		return r;
	r = resource_secret_open(
		call->engine, &resource, call->caller.uid, &call->fault, &desired, &applied, &names);
	if (r == -EBADMSG)
		return -EUCLEAN; /* this one value, and not the store */
	if (r < 0)
		return r;
	json_object_foreach (names, name, value) {
		json_array_append_new(list, json_string(name));
		if (r == 0)
			r = runner_hand_json(call->runner, json_object_get(desired, name), &call->fault);
		if (r == 0 && json_object_get(applied, name))
			r = runner_hand_json(call->runner, json_object_get(applied, name), &call->fault);
	}
	json_object_set(call->value, "properties", desired);
	json_object_set(call->value, "applied", applied);
	return r;
}

static int get_resource(struct call *call)
{
	int64_t id;
	int r = find(call, &id);

	if (r == 0)
		r = answer_id(call, id, &call->value);
	if (r == 0 && json_is_true(argument(call, "unsealed")) && !call_text(call, "stack"))
		r = unseal(call, id);
	return none_or(call, r);
}

/* Which of the properties would be sealed. */
static int sealed_properties(struct call *call)
{
	CLEANUP(secrets_done) struct secrets secrets = { 0 };
	struct resource_draft draft = { .properties = argument(call, "properties") };
	json_t *list = json_array(), *value;
	const char *key;
	int64_t id = 0;
	int r = need_names(call, &draft.type, &draft.name);

	call->value = list;
	if (r == 0)
		r = resource_find(call->engine, call->run.stack_id, draft.type, draft.name, &id);
	if (r == 0 || r == -ENOENT)
		r = secrets_take(call, &draft, id, &secrets);
	json_object_foreach (secrets.names, key, value)
		json_array_append_new(list, json_string(key));
	return r;
}

static int resource_exists(struct call *call)
{
	int64_t id;
	int r = find(call, &id);

	call->value = json_boolean(r == 0);
	return none_or(call, r);
}

static int delete_resource(struct call *call)
{
	const char *type, *name;
	int64_t id;
	int r = need_names(call, &type, &name);

	if (r == 0)
		r = call_may_change(call);
	if (r < 0)
		return r;
	r = resource_find(call->engine, call->run.stack_id, type, name, &id);
	call->value = json_boolean(r == 0);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : resource_delete(call->engine, &call->caller, id, &call->fault);
}

/* A list comes in pieces: an answer must fit into a frame, and waits in the store until it is taken. */
enum { LIST_BYTES = 1 << 20 };

struct listing {
	struct call *call;
	const char *status; /* NULL: all */
	json_t *list;
	json_int_t skip; /* that the caller has already */
	size_t bytes;
};

static int list_one(void *userdata, const struct resource *resource)
{
	struct listing *listing = userdata;
	json_t *value;
	int r;

	if ((listing->status && strcmp(listing->status, resource->status)) || listing->skip-- > 0)
		return 0;
	if (listing->bytes > LIST_BYTES)
		return 1;
	r = answer_resource(listing->call, resource, &value);
	if (r < 0)
		return r;
	listing->bytes += strlen(resource->desired) + strlen(resource->applied) + strlen(resource->actual) +
			  strlen(resource->name);
	return json_array_append_new(listing->list, value);
}

static int list_resources(struct call *call)
{
	json_auto_t *list = json_array();
	struct listing listing = { .call = call,
		.status = json_string_value(argument(call, "status")),
		.list = list,
		.skip = json_integer_value(argument(call, "skip")) };
	struct stack stack;
	int r = call_stack(call, &stack);

	if (r == 0 && listing.status && !resource_status_known(listing.status))
		return fault_set(&call->fault, EINVAL,
			"\"%.100s\" is no status; there are " RESOURCE_STATUSES, listing.status);
	if (r == 0)
		r = resource_each(call->engine, stack.id, json_string_value(argument(call, "type")), list_one,
			&listing);
	if (r < 0)
		return r;
	call->value = json_pack("{s:O, s:b}", "list", list, "more", r > 0);
	return call->value ? 0 : -ENOMEM;
}

/* Who looks after things. */

struct managers {
	struct call *call;
	json_t *list; /* names of stacks; "" for one that the caller may not read */
};

static int add_manager(void *userdata, int64_t stack_id)
{
	struct managers *managers = userdata;
	struct stack stack;
	int r = stack_get(managers->call->engine, stack_id, &stack);

	if (r < 0)
		return r;
	return json_array_append_new(managers->list,
		json_string(stack_access(&managers->call->caller, &stack, MAY_READ | MAY_EXECUTE) == 0
				    ? stack.name
				    : ""));
}

/* "TYPE/NAME" */
static int add_managers(struct call *call, const char *label, json_t *found)
{
	const char *slash = strchr(label, '/');
	CLEANUP(cleanup_free) char *type = slash ? strndup(label, (size_t)(slash - label)) : NULL;
	json_auto_t *list = json_array();
	int r;

	if (!slash)
		return fault_set(&call->fault, EINVAL, "\"%.200s\" is not TYPE/NAME", label);
	r = type && list ? resource_manager_each(call->engine, type, slash + 1, add_manager,
				   &(struct managers){ call, list })
			 : -ENOMEM;
	if (r == 0 && json_array_size(list))
		r = json_object_set(found, label, list);
	return r;
}

static int resource_managers(struct call *call)
{
	enum { LABELS_MAX = 1000 };
	const json_t *labels = argument(call, "resources"), *label;
	json_auto_t *found = json_object();
	size_t i;
	int r = found ? 0 : -ENOMEM;

	if (json_array_size(labels) > LABELS_MAX)
		return fault_set(&call->fault, EINVAL, "%d resources at once, and no more", LABELS_MAX);
	json_array_foreach (labels, i, label)
		if (r == 0)
			r = add_managers(call, json_is_string(label) ? json_string_value(label) : "", found);
	if (r == 0)
		call->value = json_incref(found);
	return r;
}

const struct call_row resource_calls[] = {
	{ "resource.register", resource_register, true },
	{ "resource.update", resource_update, true },
	{ "resource.get", get_resource, false },
	{ "resource.sealed", sealed_properties, false },
	{ "resource.exists", resource_exists, false },
	{ "resource.delete", delete_resource, true },
	{ "resource.list", list_resources, false },
	{ "resource.managers", resource_managers, false },
	{ NULL },
};
