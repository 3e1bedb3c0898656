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
#include "engine/resource.h"

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

static int put(struct call *call, bool update)
{
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
			"a property has the value of a secret in it, and resources are told to everybody who "
			"may see the "
			"stack");
	if (r == 0 && image)
		r = call_image_add(call, draft.type, draft.name, image, &image_id);
	if (r == 0)
		r = resource_put(
			call->engine, &call->caller, call->run.stack_id, &draft, &call->fault, &result, &id);
	if (r == 0 && argument(call, "fixed"))
		r = drift_fixed_some(call->engine, &call->caller, id, argument(call, "fixed"));
	if (r == 0 && draft.applied)
		r = image_done(call->engine, call->run.id, draft.type, draft.name, draft.actual);
	if (r == 0)
		r = answer_id(call, id, &value);
	if (r < 0)
		return r;
	call->value = json_pack("{s:s, s:o, s:o}", "result", resource_result_name(result), "resource", value,
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

static int get_resource(struct call *call)
{
	int64_t id;
	int r = find(call, &id);

	if (r == 0)
		r = answer_id(call, id, &call->value);
	return none_or(call, r);
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
		json_string(stack_access(&managers->call->caller, &stack, MAY_READ) == 0 ? stack.name : ""));
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
	{ "resource.exists", resource_exists, false },
	{ "resource.delete", delete_resource, true },
	{ "resource.list", list_resources, false },
	{ "resource.managers", resource_managers, false },
	{ NULL },
};
