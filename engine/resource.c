/* SPDX-License-Identifier: MIT */
/* Resources: rows and types, finding and listing. */
#include "engine/resource.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const statuses[] = { "pending", "applied", "failed", "drifted", "unknown" };

const char *resource_status_known(const char *status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (!strcmp(statuses[i], status))
			return statuses[i];
	return NULL;
}

const char *resource_result_name(enum resource_result result)
{
	static const char *const names[] = {
		[RESOURCE_UNCHANGED] = "unchanged",
		[RESOURCE_CREATED] = "created",
		[RESOURCE_CHANGED] = "changed",
	};

	return names[result];
}

/* Names that are too long for a file are cut, and end in a hash of the whole: '~' is in no escaped name. */
void resource_entry_name(const char *name, char ret_entry[RESOURCE_ENTRY_SIZE])
{
	enum { HASH_BYTES = 16, CUT = RESOURCE_ENTRY_SIZE - 2 - 2 * HASH_BYTES - 1 };
	char whole[3 * RESOURCE_NAME_MAX + 1], hex[2 * HASH_BYTES + 1];
	unsigned char hash[HASH_BYTES];

	name_escape(name, whole, sizeof(whole) - 1);
	if (strlen(whole) < RESOURCE_ENTRY_SIZE) {
		memcpy(ret_entry, whole, strlen(whole) + 1);
		return;
	}
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)name, strlen(name), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	name_escape(name, ret_entry, CUT);
	strcat(strcat(ret_entry, "~"), hex);
}

/* The texts of a row, in the order of its columns from the fourth. */
static const char **resource_text(struct resource *resource, size_t i)
{
	const char **texts[] = { &resource->type, &resource->name, &resource->entry, &resource->module,
		&resource->desired, &resource->applied, &resource->actual, &resource->checksum,
		&resource->status, &resource->action, &resource->error };

	return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : NULL;
}

static void resource_load(struct query *query, struct resource *ret_resource)
{
	const char **text;

	*ret_resource = (struct resource){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.type_id = (unsigned)query_int(query, 2),
		.protect = query_int(query, 3) != 0,
		.created_ms = query_int(query, 15),
		.updated_ms = query_int(query, 16),
		.applied_ms = query_int(query, 17),
		.run_id = query_int(query, 18),
		.uid = query_int(query, 19),
		.settled = query_int(query, 20) != 0,
	};
	for (size_t i = 0; (text = resource_text(ret_resource, i)); i++)
		*text = query_text(query, 4 + (int)i);
}

void resource_done(struct resource *resource)
{
	buffer_done(&resource->memory);
}

/* Makes the texts the resource's own. */
static int resource_keep(struct resource *resource)
{
	const char **text, *p;
	int r = 0;

	for (size_t i = 0; r == 0 && (text = resource_text(resource, i)); i++)
		r = buffer_append(&resource->memory, *text, strlen(*text) + 1);
	if (r < 0) {
		resource_done(resource);
		return r;
	}
	p = resource->memory.data;
	for (size_t i = 0; (text = resource_text(resource, i)); i++) {
		*text = p;
		p += strlen(p) + 1;
	}
	return 0;
}

bool resource_is_trusted(const struct resource *resource, const struct stack *stack)
{
	return resource->uid == 0 || resource->uid == (int64_t)stack->uid;
}

int resource_get(struct engine *engine, int64_t id, struct resource *ret_resource)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_RESOURCE_GET, "i", id);
	struct resource resource;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	resource_load(query, &resource);
	r = resource_keep(&resource);
	if (r == 0)
		*ret_resource = resource;
	return r;
}

int resource_find(
	struct engine *engine, int64_t stack_id, const char *type, const char *name, int64_t *ret_id)
{
	return store_get_int(engine->store, ret_id, SQL_RESOURCE_FIND, "iss", stack_id, type, name);
}

int resource_find_entry(
	struct engine *engine, int64_t stack_id, unsigned type_id, const char *entry, int64_t *ret_id)
{
	return store_get_int(
		engine->store, ret_id, SQL_RESOURCE_FIND_ENTRY, "iis", stack_id, (int64_t)type_id, entry);
}

static int query_each(
	struct query *query, int (*each)(void *userdata, const struct resource *resource), void *userdata)
{
	struct resource resource;
	int r;

	while ((r = query_step(query)) > 0) {
		resource_load(query, &resource);
		r = each(userdata, &resource);
		if (r != 0)
			break;
	}
	return r;
}

int resource_each(struct engine *engine, int64_t stack_id, const char *type,
	int (*each)(void *userdata, const struct resource *resource), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_EACH, "is", stack_id, type ? type : "");

	return query_each(query, each, userdata);
}

int resource_manager_each(struct engine *engine, const char *type, const char *name,
	int (*each)(void *userdata, int64_t stack_id), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_MANAGERS, "ss", type, name);
	int r;

	while ((r = query_step(query)) > 0) {
		r = each(userdata, query_int(query, 0));
		if (r != 0)
			break;
	}
	return r;
}

int resource_count(struct engine *engine, int64_t stack_id, int64_t *ret_count)
{
	return store_get_int(engine->store, ret_count, SQL_RESOURCE_COUNT, "i", stack_id);
}

int resource_type_find(struct engine *engine, const char *name, unsigned *ret_id)
{
	int64_t id;
	int r = store_get_int(engine->store, &id, SQL_RESOURCE_TYPE_FIND, "s", name);

	if (r == 0)
		*ret_id = (unsigned)id;
	return r;
}

int resource_type_name(struct engine *engine, unsigned id, char ret_name[NAME_SIZE])
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_TYPE_NAME, "i", (int64_t)id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	snprintf(ret_name, NAME_SIZE, "%s", query_text(query, 0));
	return 0;
}

int resource_type_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, unsigned type_id, const char *name), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_TYPES, "i", stack_id);
	int r;

	while ((r = query_step(query)) > 0) {
		r = each(userdata, (unsigned)query_int(query, 0), query_text(query, 1));
		if (r != 0)
			break;
	}
	return r;
}

int resource_entry_each(struct engine *engine, int64_t stack_id, unsigned type_id,
	int (*each)(void *userdata, const char *entry, int64_t id), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query =
		query_begin(engine->store, SQL_RESOURCE_ENTRIES, "ii", stack_id, (int64_t)type_id);
	int r;

	while ((r = query_step(query)) > 0) {
		r = each(userdata, query_text(query, 1), query_int(query, 0));
		if (r != 0)
			break;
	}
	return r;
}

struct guards {
	FILE *out;
	int count;
};

static int guard_add(void *userdata, const struct resource *resource)
{
	enum { SHOWN = 5 };
	struct guards *guards = userdata;

	if (guards->count++ < SHOWN)
		fprintf(guards->out, "%s%s/%s", guards->count > 1 ? ", " : "", resource->type,
			resource->name);
	else if (guards->count == SHOWN + 1)
		fputs(" …", guards->out);
	return 0;
}

int resource_check_protected(
	struct engine *engine, int64_t stack_id, const char *stack, const char *what, struct fault *fault)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_PROTECTED, "i", stack_id);
	CLEANUP(buffer_done) struct buffer names = { 0 };
	struct guards guards = { .out = buffer_stream_open(&names) };
	int r, r2;

	if (!guards.out)
		return -ENOMEM;
	r = query_each(query, guard_add, &guards);
	r2 = buffer_stream_close(guards.out, &names);
	if (r < 0 || r2 < 0)
		return r < 0 ? r : r2;
	if (!guards.count)
		return 0;
	return fault_set(fault, EPERM,
		"stack %s can't be %s: it has %d protected resource%s (%.1000s). Write 0 to the file protect "
		"of "
		"each (stacks/%s/resources/TYPE/NAME/protect) first",
		stack, what, guards.count, guards.count == 1 ? "" : "s", buffer_text(&names), stack);
}
