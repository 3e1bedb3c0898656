/* SPDX-License-Identifier: MIT */
/* What resources need of one another: what a workflow says, what the properties show, and cycles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/resource-internal.h"

enum { HINT_MAX = 256, PATH_SHOWN_MAX = 32 };

/* A set of "TYPE/NAME" keeps each but once; jansson sorts it when asked to. */
static int set_add(json_t *set, const char *type, const char *name)
{
	char key[NAME_SIZE + 1 + RESOURCE_NAME_MAX + 1];

	snprintf(key, sizeof(key), "%s/%s", type, name);
	return json_object_set_new(set, key, json_true()) < 0 ? -ENOMEM : 0;
}

static int key_split(const char *key, char ret_type[NAME_SIZE], const char **ret_name)
{
	const char *slash = strchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) : NAME_SIZE;

	if (n >= NAME_SIZE || !slash[1] || strlen(slash + 1) > RESOURCE_NAME_MAX)
		return -EINVAL;
	memcpy(ret_type, key, n);
	ret_type[n] = '\0';
	if (name_check(ret_type) < 0)
		return -EINVAL;
	*ret_name = slash + 1;
	return 0;
}

int resource_reference(
	const json_t *reference, struct fault *fault, char ret_type[NAME_SIZE], const char **ret_name)
{
	const char *type = json_string_value(json_object_get(reference, "type")),
		   *name = json_string_value(json_object_get(reference, "name")),
		   *text = json_string_value(reference);

	if (text && key_split(text, ret_type, ret_name) == 0)
		return 0;
	if (type && name && name_check(type) == 0 && *name && strlen(name) <= RESOURCE_NAME_MAX) {
		memcpy(ret_type, type, strlen(type) + 1);
		*ret_name = name;
		return 0;
	}
	return fault_set(fault, EINVAL,
		"%s%.200s%sa dependency is \"TYPE/NAME\", like \"package/nginx\", or has a type and a name",
		text ? "\"" : "", text ? text : "", text ? "\": " : "");
}

int resource_dependency_set(const json_t *list, struct fault *fault, json_t **ret_set)
{
	json_auto_t *set = json_object();
	char type[NAME_SIZE];
	const char *name;
	json_t *item;
	size_t i;
	int r = set ? 0 : -ENOMEM;

	if (!json_is_array(list) && json_object_size(list) > 0)
		return fault_set(fault, EINVAL, "dependencies must be a list");
	if (json_array_size(list) > RESOURCE_DEPENDENCY_MAX)
		return fault_set(
			fault, EFBIG, "a resource has up to %d dependencies", RESOURCE_DEPENDENCY_MAX);
	json_array_foreach (list, i, item) {
		r = r < 0 ? r : resource_reference(item, fault, type, &name);
		r = r < 0 ? r : set_add(set, type, name);
	}
	if (r == 0)
		*ret_set = json_incref(set);
	return r;
}

int resource_dependency_get(struct engine *engine, int64_t id, json_t **ret_set)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_RESOURCE_NEEDS, "i", id);
	json_auto_t *set = json_object();
	int r;

	if (!set)
		return -ENOMEM;
	while ((r = query_step(query)) > 0) {
		r = set_add(set, query_text(query, 0), query_text(query, 1));
		if (r < 0)
			return r;
	}
	if (r == 0)
		*ret_set = json_incref(set);
	return r;
}

static int needs_put(struct engine *engine, const struct resource *resource, json_t *set, const char *kind)
{
	char type[NAME_SIZE];
	const char *key, *name;
	json_t *value;

	json_object_foreach (set, key, value) {
		int r = key_split(key, type, &name);

		r = r < 0 ? r
			  : store_run(engine->store, SQL_RESOURCE_NEEDS_ADD, "isssi", resource->id, type,
				    name, kind, resource->stack_id);
		if (r < 0)
			return r;
	}
	return 0;
}

int resource_dependency_put(
	struct engine *engine, const struct resource *resource, json_t *explicit_set, json_t *hints)
{
	int r = store_run(engine->store, SQL_RESOURCE_NEEDS_CLEAR, "i", resource->id);

	if (r == 0)
		r = needs_put(engine, resource, explicit_set, "explicit");
	return r < 0 ? r : needs_put(engine, resource, hints, "implicit");
}

/* The folders above an absolute path, as far as they are resources. */
static int hint_folders(json_t *set, const char *path)
{
	char folder[RESOURCE_NAME_MAX + 1];
	int r = 0;

	if (*path != '/' || strlen(path) > RESOURCE_NAME_MAX)
		return 0;
	snprintf(folder, sizeof(folder), "%s", path);
	for (char *slash; r == 0 && (slash = strrchr(folder, '/')) && slash > folder &&
			  json_object_size(set) < HINT_MAX;) {
		*slash = '\0';
		r = set_add(set, "directory", folder);
	}
	return r;
}

/* A text that is TYPE/NAME means that resource. */
static int hint_values(json_t *set, const json_t *value)
{
	char type[NAME_SIZE];
	const char *key, *name;
	json_t *item;
	size_t i;
	int r = 0;

	if (json_object_size(set) >= HINT_MAX)
		return 0;
	if (json_is_string(value) && key_split(json_string_value(value), type, &name) == 0)
		return set_add(set, type, name);
	json_array_foreach (value, i, item)
		r = r < 0 ? r : hint_values(set, item);
	json_object_foreach ((json_t *)value, key, item)
		r = r < 0 ? r : hint_values(set, item);
	return r;
}

/* Properties whose value names a resource of some type. */
static const struct {
	const char *property, *type;
} owners[] = {
	{ "owner", "user" },
	{ "user", "user" },
	{ "group", "group" },
};

json_t *resource_hints(const char *type, const char *name, const json_t *properties)
{
	json_auto_t *set = json_object();
	const char *path = json_string_value(json_object_get(properties, "path"));
	char self[NAME_SIZE + 1 + RESOURCE_NAME_MAX + 1];
	int r = set ? hint_folders(set, path ? path : name) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(owners) / sizeof(owners[0]); i++) {
		const char *value = json_string_value(json_object_get(properties, owners[i].property));

		if (value && *value && strlen(value) <= RESOURCE_NAME_MAX)
			r = set_add(set, owners[i].type, value);
	}
	if (r == 0)
		r = hint_values(set, properties);
	if (r < 0)
		return NULL;
	snprintf(self, sizeof(self), "%s/%s", type, name);
	json_object_del(set, self);
	return json_incref(set);
}

static int edge_each(
	struct query *query, int (*each)(void *userdata, const struct resource_edge *edge), void *userdata)
{
	int r;

	while ((r = query_step(query)) > 0) {
		struct resource_edge edge = { query_text(query, 0), query_text(query, 1),
			query_int(query, 2) != 0, query_int(query, 3) != 0 };

		r = each(userdata, &edge);
		if (r != 0)
			break;
	}
	return r;
}

int resource_dependency_each(struct engine *engine, int64_t id,
	int (*each)(void *userdata, const struct resource_edge *edge), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_DEPENDENCIES, "i", id);

	return edge_each(query, each, userdata);
}

int resource_dependent_each(struct engine *engine, const struct resource *resource,
	int (*each)(void *userdata, const struct resource_edge *edge), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_DEPENDENTS, "iss", resource->stack_id,
		resource->type, resource->name);

	return edge_each(query, each, userdata);
}

/* What TYPE/NAME of the stack needs by its workflow's word; an empty set where it is not registered. */
static int needs_of(struct engine *engine, int64_t stack_id, const char *key, json_t **ret_set)
{
	char type[NAME_SIZE];
	const char *name;
	int64_t id;
	int r = key_split(key, type, &name);

	if (r == 0)
		r = resource_find(engine, stack_id, type, name, &id);
	if (r == 0)
		return resource_dependency_get(engine, id, ret_set);
	*ret_set = r == -ENOENT ? json_object() : NULL;
	return r == -ENOENT && *ret_set ? 0 : r;
}

/* Puts what is new into the queue, and where it came from. */
static int search_add(json_t *queue, json_t *came, json_t *set, const char *from)
{
	const char *key;
	json_t *value;

	json_object_foreach (set, key, value) {
		if (json_object_get(came, key))
			continue;
		if (json_object_set_new(came, key, json_string(from)) < 0 ||
			json_array_append_new(queue, json_string(key)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Breadth first from what is needed, until `self` is reached: `came` says from where each was. The machine's
 * own stack would not hold a chain of a hundred thousand. */
static int search(struct engine *engine, int64_t stack_id, const char *self, json_t *first, json_t *came)
{
	json_auto_t *queue = json_array();
	int r = search_add(queue, came, first, self);

	for (size_t at = 0; r == 0 && at < json_array_size(queue); at++) {
		const char *from = json_string_value(json_array_get(queue, at));
		json_auto_t *needs = NULL;

		if (!strcmp(from, self))
			return 1;
		r = needs_of(engine, stack_id, from, &needs);
		if (r == 0)
			r = search_add(queue, came, needs, from);
	}
	return r;
}

/* Backwards from `self` to itself. */
static int cycle_fault(const char *self, json_t *came, struct fault *fault)
{
	const char *path[PATH_SHOWN_MAX], *at = self;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	size_t count = 0;

	do {
		at = json_string_value(json_object_get(came, at));
		path[count++] = at;
	} while (strcmp(at, self) && count < PATH_SHOWN_MAX);
	if (strcmp(at, self)) {
		buffer_append_text(&text, self);
		buffer_append_text(&text, " → … → ");
	}
	for (size_t i = count; i > 0; i--) {
		buffer_append_text(&text, path[i - 1]);
		buffer_append_text(&text, " → ");
	}
	return fault_set(fault, ELOOP, "resources can't depend on one another in a circle: %.1500s%.300s",
		buffer_text(&text), self);
}

int resource_check_cycle(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	json_t *explicit_set, struct fault *fault)
{
	json_auto_t *came = json_object();
	char self[NAME_SIZE + 1 + RESOURCE_NAME_MAX + 1];
	int64_t needed;
	int r;

	snprintf(self, sizeof(self), "%s/%s", type, name);
	if (!json_object_size(explicit_set))
		return 0;
	if (!json_object_get(explicit_set, self)) {
		/* What nobody needs closes no circle: so it is for almost all that are registered. */
		r = store_get_int(engine->store, &needed, SQL_RESOURCE_NEEDED, "iss", stack_id, type, name);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	r = search(engine, stack_id, self, explicit_set, came);
	return r <= 0 ? r : cycle_fault(self, came, fault);
}
