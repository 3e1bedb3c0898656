/* SPDX-License-Identifier: MIT */
/* Calls of runs about before-images. */
#include "engine/calls-image.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/image.h"
#include "engine/resource-secret.h"
#include "engine/resource.h"
#include "engine/seal.h"

enum {
	DEPTH_MAX = 32, /* of what a provider calls its image */
	LIST_MAX = 100, /* images in one answer */
	BASE64 = sodium_base64_VARIANT_ORIGINAL,
};

static json_t *argument(const json_t *args, const char *key)
{
	json_t *value = json_object_get(args, key);

	return json_is_null(value) ? NULL : value;
}

/* Parts. */

/* How much the run keeps so far: it is asked for once. */
static int count_bytes(struct call *call, size_t size)
{
	struct runner *runner = call->runner;
	int64_t most = call->engine->config.max_run_images, sum = 0;
	int r = runner->image_bytes ? 0 : image_sum(call->engine, call->run.id, &sum);

	if (r < 0)
		return r;
	runner->image_bytes += sum;
	if (runner->image_bytes + (int64_t)size > most)
		return fault_set(&call->fault, EDQUOT,
			"what run %" PRId64 " keeps to undo its changes would have more than max_run_images, "
			"%" PRId64 " bytes",
			call->run.id, most);
	runner->image_bytes += (int64_t)size;
	return 0;
}

static int keep_part(struct call *call, const json_t *base64, bool is_private, int64_t *ret_id)
{
	CLEANUP(buffer_done) struct buffer bytes = { 0 };
	size_t length = json_string_length(base64);
	int r = buffer_reserve(&bytes, length + 1);

	if (r < 0)
		return r;
	if (sodium_base642bin((unsigned char *)bytes.data, length + 1, json_string_value(base64), length,
		    NULL, &bytes.size, NULL, BASE64) < 0)
		return fault_set(&call->fault, EINVAL, "that is no base64");
	r = count_bytes(call, bytes.size);
	return r < 0 ? r
		     : image_part_add(call->engine, call->run.id, bytes.data, bytes.size, is_private,
			       &call->fault, ret_id);
}

/* Every "base64" becomes a part. */
static int take_out(struct call *call, json_t *value, bool is_private, int depth)
{
	json_t *base64 = json_object_get(value, "base64"), *item;
	const char *key;
	int64_t id;
	size_t i;
	int r = depth > DEPTH_MAX ? fault_set(&call->fault, EINVAL, "it is nested too deep") : 0;

	if (r == 0 && json_is_string(base64)) {
		r = keep_part(call, base64, is_private, &id);
		if (r == 0)
			r = json_object_set_new(value, "parts", json_pack("[I]", (json_int_t)id));
		if (r == 0)
			json_object_del(value, "base64");
	}
	json_object_foreach (value, key, item)
		if (r == 0)
			r = take_out(call, item, is_private, depth + 1);
	json_array_foreach (value, i, item)
		if (r == 0)
			r = take_out(call, item, is_private, depth + 1);
	return r;
}

static int add_part(struct call *call)
{
	json_t *base64 = argument(call->args, "base64");
	int64_t id = 0;
	int r = json_is_string(base64) ? call_may_change(call)
				       : fault_set(&call->fault, EINVAL, "base64 must be a text");

	if (r == 0)
		r = keep_part(call, base64,
			json_is_true(argument(call->args, "private")) || runner_has_secrets(call->runner),
			&id);
	if (r == 0)
		call->value = json_integer((json_int_t)id);
	return r;
}

/* Images. */

/* What is sealed of it, where its values are this user's to open: an image with such a row is sealed, too. */
static void add_secrets(struct call *call, const struct resource *resource, json_t *row)
{
	json_auto_t *desired = NULL, *applied = NULL, *names = NULL;
	json_auto_t *values = json_object();
	json_auto_t *values_applied = json_object();
	struct fault fault = { 0 };
	const char *name;
	json_t *one;

	if (!resource_is_secret(resource) || resource_secret_open(call->engine, resource, call->caller.uid,
						     &fault, &desired, &applied, &names) < 0)
		return;
	json_object_foreach (names, name, one) {
		json_object_set(values, name, json_object_get(desired, name));
		one = json_object_get(applied, name);
		if (!json_is_string(one) || strcmp(json_string_value(one), SEAL_SHOWN) != 0)
			json_object_set(values_applied, name, one);
	}
	json_object_set_new(
		row, "secrets", json_pack("{s:O, s:O}", "desired", values, "applied", values_applied));
}

int call_image_row(struct call *call, const char *type, const char *name, json_t **ret_row)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int64_t id;
	int r = resource_find(call->engine, call->run.stack_id, type, name, &id);

	if (r == 0)
		r = resource_get(call->engine, id, &resource);
	if (r == -ENOENT) {
		*ret_row = json_null();
		return 0;
	}
	if (r < 0)
		return r;
	*ret_row =
		json_pack("{s:s, s:s, s:o?, s:I}", "status", resource.status, "checksum", resource.checksum,
			"applied", *resource.applied ? json_loads(resource.applied, 0, NULL) : NULL,
			"applied_ms", (json_int_t)resource.applied_ms);
	if (!*ret_row)
		return -ENOMEM;
	add_secrets(call, &resource, *ret_row);
	return 0;
}

int call_image_add(struct call *call, const char *type, const char *name, const json_t *given, json_t *row,
	int64_t *ret_id)
{
	json_auto_t *args = json_deep_copy(given);
	bool is_private = json_is_true(argument(args, "private")) || runner_has_secrets(call->runner) ||
			  json_object_get(row, "secrets");
	struct image_draft draft = {
		.task = call->task,
		.type = type,
		.name = name,
		.desired = argument(args, "desired"),
		.was = argument(args, "was"),
		.image = argument(args, "image"),
		.row = row,
		.undoes = json_integer_value(argument(args, "undoes")),
		.is_private = is_private,
	};
	json_auto_t *reason = NULL;
	struct fault why = { 0 };
	int r;

	if (!json_is_object(args))
		return fault_set(&call->fault, EINVAL, "an image is an object");
	/* It is shown to everybody who sees the run. */
	reason = json_object_get(args, "reason")
			 ? runner_masked(call->runner, json_object_get(args, "reason"))
			 : NULL;
	draft.reason = json_string_value(reason);
	r = count_bytes(call, json_dumpb(args, NULL, 0, JSON_COMPACT));
	if (r == 0 && draft.image)
		r = take_out(call, draft.image, is_private, 0);
	if (r == -EDQUOT || r == -ENOKEY) {
		/* It is changed all the same, and can't be put back. */
		why = call->fault;
		call->fault = (struct fault){ 0 };
		draft.reason = why.text;
		draft.image = NULL;
		r = 0;
	}
	return r < 0 ? r : image_add(call->engine, call->run.id, &draft, &call->fault, ret_id);
}

static int need_thing(struct call *call, const char **ret_type, const char **ret_name)
{
	int r = call_need_text(call, "type", ret_type);

	return r < 0 ? r : call_need_text(call, "name", ret_name);
}

static int add(struct call *call)
{
	const char *type, *name;
	json_auto_t *row = NULL;
	int64_t id = 0;
	int r = need_thing(call, &type, &name);

	if (r == 0)
		r = call_may_change(call);
	if (r == 0)
		r = call_image_row(call, type, name, &row);
	if (r == 0)
		r = call_image_add(call, type, name, argument(call->args, "image"), row, &id);
	if (r == 0)
		call->value = json_integer((json_int_t)id);
	return r;
}

static int done(struct call *call)
{
	const char *type, *name;
	int r = need_thing(call, &type, &name);

	call->value = json_true();
	return r < 0 ? r : image_done(call->engine, call->run.id, type, name, argument(call->args, "became"));
}

int call_own_run(struct call *call, int64_t id, struct run *ret_run)
{
	int r = run_get(call->engine, id, ret_run);

	if (r == -ENOENT || (r == 0 && ret_run->stack_id != call->run.stack_id))
		return fault_set(&call->fault, ENOENT, "stack %s has no run %" PRId64, call->run.stack, id);
	if (r == 0 && ret_run->uid != call->run.uid)
		return fault_set(&call->fault, EACCES,
			"run %" PRId64 " was somebody else's: what it kept is for who started it", id);
	return r;
}

static int run_of(struct call *call, int64_t *ret_id)
{
	json_t *id = argument(call->args, "run");
	struct run run;

	*ret_id = id ? json_integer_value(id) : call->run.id;
	return call_own_run(call, *ret_id, &run);
}

static int list_one(void *userdata, const struct image *image)
{
	json_t *list = userdata;

	if (json_array_size(list) == LIST_MAX)
		return 1;
	return json_array_append_new(
		list, json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)image->id, "task",
			      image->task, "type", image->type, "name", image->name, "state", image->state,
			      "reason", image->reason));
}

static int list(struct call *call)
{
	json_t *before = argument(call->args, "before");
	json_auto_t *images = json_array();
	int64_t run_id;
	int r = run_of(call, &run_id);

	if (r == 0)
		r = image_each_standing(call->engine, run_id, call_text(call, "of"),
			before ? json_integer_value(before) : INT64_MAX, list_one, images);
	if (r < 0)
		return r;
	call->value = json_pack("{s:O, s:b}", "list", images, "more", r > 0);
	return call->value ? 0 : -ENOMEM;
}

struct getting {
	struct call *call;
	json_t *value;
};

static int get_one(void *userdata, const struct image *image, json_t *data)
{
	struct getting *getting = userdata;
	struct run run;
	int r = call_own_run(getting->call, image->run_id, &run);

	if (r < 0)
		return r;
	getting->value = json_deep_copy(data);
	json_object_del(getting->value, "row");
	json_object_set_new(getting->value, "id", json_integer((json_int_t)image->id));
	json_object_set_new(getting->value, "run", json_integer((json_int_t)image->run_id));
	json_object_set_new(getting->value, "type", json_string(image->type));
	json_object_set_new(getting->value, "name", json_string(image->name));
	json_object_set_new(getting->value, "state", json_string(image->state));
	json_object_set_new(getting->value, "reason", json_string(image->reason));
	json_object_set_new(getting->value, "private", json_boolean(image->sealed));
	return getting->value ? 0 : -ENOMEM;
}

static int need_id(struct call *call, int64_t *ret_id)
{
	json_t *id = argument(call->args, "id");

	*ret_id = json_integer_value(id);
	return json_is_integer(id) ? 0
				   : fault_set(&call->fault, EINVAL, "the argument \"id\" must be a number");
}

/* What is damaged is this one, and not the store: asking again would be of no use. */
static int damaged(struct call *call, int r)
{
	return r == -EBADMSG ? fault_default(&call->fault, EUCLEAN, "what was kept is damaged") : r;
}

static int get(struct call *call)
{
	struct getting getting = { .call = call };
	int64_t id;
	int r = need_id(call, &id);

	if (r == 0)
		r = image_get(call->engine, id, &call->fault, get_one, &getting);
	if (r == -ENOENT)
		return fault_default(&call->fault, ENOENT, "there is no image %" PRId64, id);
	call->value = getting.value;
	return damaged(call, r);
}

static int read_part(struct call *call)
{
	CLEANUP(buffer_done) struct buffer bytes = { 0 };
	CLEANUP(cleanup_free) char *text = NULL;
	int64_t id, run_id;
	size_t room;
	int r = need_id(call, &id);

	if (r == 0)
		r = run_of(call, &run_id);
	if (r == 0)
		r = image_part_read(call->engine, run_id, id, &call->fault, &bytes);
	if (r == -ENOENT)
		return fault_default(&call->fault, ENOENT, "there is no part %" PRId64, id);
	if (r < 0)
		return damaged(call, r);
	room = sodium_base64_encoded_len(bytes.size, BASE64);
	text = malloc(room);
	if (!text)
		return -ENOMEM;
	sodium_bin2base64(text, room, (const unsigned char *)buffer_text(&bytes), bytes.size, BASE64);
	call->value = json_string(text);
	return call->value ? 0 : -ENOMEM;
}

static int check_owner(void *userdata, const struct image *image, json_t *data)
{
	struct run run;

	return call_own_run(userdata, image->run_id, &run);
}

static int mark(struct call *call)
{
	const char *state;
	json_t *given = argument(call->args, "error");
	json_auto_t *error = given ? runner_masked(call->runner, given) : NULL;
	int64_t id;
	int r = need_id(call, &id);

	if (r == 0)
		r = call_need_text(call, "state", &state);
	if (r == 0 && strcmp(state, "undone") != 0 && strcmp(state, "failed") != 0)
		r = fault_set(&call->fault, EINVAL, "an image becomes \"undone\" or \"failed\"");
	if (r == 0)
		r = image_get(call->engine, id, &call->fault, check_owner, call);
	if (r == 0)
		r = image_set_state(call->engine, id, state, json_string_value(error));
	call->value = json_true();
	return damaged(call, r);
}

const struct call_row image_calls[] = {
	{ "image.part", add_part, true },
	{ "image.add", add, true },
	{ "image.done", done, true },
	{ "image.list", list, false },
	{ "image.get", get, false },
	{ "image.read", read_part, false },
	{ "image.mark", mark, true },
	{ NULL },
};
