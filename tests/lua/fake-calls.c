/* SPDX-License-Identifier: MIT */
/* What the fake daemon answers: a stack in memory. */
#include "tests/lua/fake-calls.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *kv, *outputs, *resources;

static json_t *state_call(const char *fn, json_t *call)
{
	const char *key = json_string_value(json_object_get(call, "key"));
	json_t *value = json_object_get(kv, key ? key : "");

	if (!strcmp(fn, "state.set"))
		json_object_set(kv, key, json_object_get(call, "value"));
	else if (!strcmp(fn, "state.exists"))
		return json_boolean(value);
	else if (!strcmp(fn, "state.get"))
		return value ? json_incref(value) : json_null();
	else if (!strcmp(fn, "state.get_all"))
		return json_incref(kv);
	else if (!strcmp(fn, "state.increment")) {
		value = json_integer(
			json_integer_value(value) + json_integer_value(json_object_get(call, "delta")));
		json_object_set(kv, key, value);
		return value;
	} else
		return NULL;
	return json_true();
}

/* Every lock is free, but the one called "taken". */
static json_t *lock_call(const char *fn, json_t *call)
{
	const char *name = json_string_value(json_object_get(call, "name"));
	bool taken = name && !strcmp(name, "taken");

	if (!strcmp(fn, "lock.try"))
		return taken ? json_false() : json_integer(1);
	if (!strcmp(fn, "lock.acquire"))
		return taken ? NULL : json_integer(1);
	return json_boolean(!taken);
}

static json_t *stack_call(const char *fn, json_t *call)
{
	const char *name = json_string_value(json_object_get(call, "name"));

	if (!strcmp(fn, "stack.set_output"))
		return json_object_set(outputs, name, json_object_get(call, "value")), json_true();
	if (!strcmp(fn, "stack.get_output") && name && !json_object_get(outputs, name))
		return json_null();
	if (!strcmp(fn, "stack.get_output"))
		return json_incref(name ? json_object_get(outputs, name) : outputs);
	if (!strcmp(fn, "stack.info"))
		return json_pack("{si ss ss ss ss}", "id", 7, "name", "prod", "status", "running", "version",
			"v1", "description", "");
	return NULL;
}

/* What has "theirs" in its name is another stack's. */
static json_t *managers_call(json_t *call)
{
	json_t *value = json_object(), *label;
	size_t i;

	json_array_foreach (json_object_get(call, "resources"), i, label) {
		const char *text = json_string_value(label);

		if (json_object_get(resources, text))
			json_object_set_new(value, text, json_pack("[s]", "prod"));
		else if (strstr(text, "theirs"))
			json_object_set_new(value, text, json_pack("[ss]", "web", ""));
	}
	return value;
}

/* All of a type, at once. */
static json_t *resource_list(const char *type)
{
	json_t *list = json_array(), *resource;
	const char *key;

	json_object_foreach (resources, key, resource)
		if (!type || !strcmp(type, json_string_value(json_object_get(resource, "type"))))
			json_array_append(list, resource);
	return json_pack("{so}", "list", list);
}

/* Registering merges what is said into what was. */
static json_t *resource_call(const char *fn, json_t *call)
{
	char *key = NULL;
	json_t *resource, *member;
	const char *name;

	if (!strcmp(fn, "resource.managers"))
		return managers_call(call);
	if (!strcmp(fn, "resource.list"))
		return resource_list(json_string_value(json_object_get(call, "type")));
	if (asprintf(&key, "%s/%s", json_string_value(json_object_get(call, "type")),
		    json_string_value(json_object_get(call, "name"))) < 0)
		abort();
	resource = json_object_get(resources, key);
	if (!strcmp(fn, "resource.exists")) {
		free(key);
		return json_boolean(resource);
	}
	if (!strcmp(fn, "resource.delete")) {
		bool there = json_object_del(resources, key) == 0;

		free(key);
		return json_boolean(there);
	}
	if (strcmp(fn, "resource.get") != 0) {
		if (!resource)
			json_object_set_new(resources, key, resource = json_object());
		json_object_foreach (call, name, member)
			if (!json_is_null(member) || !strcmp(name, "error"))
				json_object_set(resource, name, member);
		resource = json_pack("{ss sO}", "result", "changed", "resource", resource);
		free(key);
		return resource;
	}
	free(key);
	return resource ? json_incref(resource) : json_null();
}

static json_t *secret_call(json_t *call)
{
	const char *name = json_string_value(json_object_get(call, "name"));

	if (!strcmp(name, "word"))
		return json_pack("{ss}", "text", "hunter22");
	return !strcmp(name, "bytes") ? json_pack("{ss}", "base64", "AP8K") : NULL;
}

json_t *fake_call(const char *fn, json_t *call)
{
	if (!strncmp(fn, "state.", 6))
		return state_call(fn, call);
	if (!strncmp(fn, "lock.", 5))
		return lock_call(fn, call);
	if (!strcmp(fn, "event.add"))
		return json_true();
	if (!strncmp(fn, "resource.", 9))
		return resource_call(fn, call);
	if (!strcmp(fn, "image.add") || !strcmp(fn, "image.part") || !strcmp(fn, "image.done"))
		return json_integer(1);
	return strcmp(fn, "secret.get") ? stack_call(fn, call) : secret_call(call);
}

json_t *fake_resources(void)
{
	return resources;
}

void fake_calls_init(void)
{
	kv = json_object();
	outputs = json_object();
	resources = json_object();
}

void fake_calls_done(void)
{
	json_decref(kv);
	json_decref(outputs);
	json_decref(resources);
}
