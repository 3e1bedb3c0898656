/* SPDX-License-Identifier: MIT */
/* A stack from one document: what the document has is set, what it does not have goes, by the functions that
 * everybody else uses, too. */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/clock.h"
#include "engine/deps.h"
#include "engine/event.h"
#include "engine/export-internal.h"
#include "engine/export.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/tag.h"
#include "engine/version.h"

struct import {
	struct engine *engine;
	struct caller *caller;
	struct fault *fault;
	struct stack stack;
	json_t *document; /* what shall be */
	json_t *now;	  /* what is: an export */
};

static int wrong(struct import *import, const char *where, const char *what)
{
	return fault_set(import->fault, EINVAL, "the document's %.200s %s", where, what);
}

/* Members of objects: what type they must have, and whether they may be missing. */
struct member {
	const char *name; /* NULL ends a table */
	json_type type;	  /* JSON_TRUE: true or false; JSON_NULL: anything */
	bool needed;
};

static bool has_type(const json_t *value, json_type type)
{
	return type == JSON_NULL || json_typeof(value) == type ||
	       (type == JSON_TRUE && json_is_boolean(value));
}

static int check_members(
	struct import *import, const char *where, const json_t *object, const struct member *members)
{
	const struct member *member;
	char place[256];
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return wrong(import, where, "must be an object");
	json_object_foreach ((json_t *)object, key, value) {
		for (member = members; member->name && strcmp(member->name, key); member++)
			;
		snprintf(place, sizeof(place), "%s%s%.100s", where, *where ? "." : "", key);
		if (!member->name)
			return wrong(import, place, "is nothing that this version of Sloth knows");
		if (!has_type(value, member->type))
			return wrong(import, place, "has the wrong type");
	}
	for (member = members; member->name; member++) {
		snprintf(place, sizeof(place), "%s%s%s", where, *where ? "." : "", member->name);
		if (member->needed && !json_object_get(object, member->name))
			return wrong(import, place, "is missing");
	}
	return 0;
}

/* Texts. */

static int text_bytes(struct import *import, const char *name, struct buffer *ret_text)
{
	const json_t *plain = json_object_get(import->document, name), *coded;
	char key[64];
	size_t size;
	int r;

	if (plain)
		return buffer_append(ret_text, json_string_value(plain), json_string_length(plain));
	snprintf(key, sizeof(key), "%s" EXPORT_BASE64, name);
	coded = json_object_get(import->document, key);
	if (!coded)
		return 0;
	r = buffer_reserve(ret_text, json_string_length(coded) + 1);
	if (r < 0)
		return r;
	if (sodium_base642bin((unsigned char *)ret_text->data, ret_text->capacity, json_string_value(coded),
		    json_string_length(coded), "\n", &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return wrong(import, key, "is no base64");
	ret_text->size = size;
	ret_text->data[size] = '\0';
	return 0;
}

static int import_texts(struct import *import)
{
	int r = 0;

	for (const struct export_text *row = export_texts; r == 0 && row->name; row++) {
		CLEANUP(buffer_done) struct buffer text = { 0 };
		CLEANUP(buffer_done) struct buffer now = { 0 };

		r = text_bytes(import, row->name, &text);
		if (r == 0)
			r = stack_text(import->engine, import->stack.id, row->which, &now, NULL);
		if (r < 0 ||
			(text.size == now.size && !memcmp(buffer_text(&text), buffer_text(&now), now.size)))
			continue;
		r = stack_set_text(import->engine, import->caller, import->stack.id, row->which,
			buffer_text(&text), text.size, import->fault);
	}
	return r;
}

static bool list_has(const json_t *list, const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_equal(item, value))
			return true;
	return false;
}

/* The document has the names of sensitive outputs, and not their values. As a set, because there may be as
 * many as there are outputs. */
static int left_out(struct import *import, json_t *ret_set)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(import->document, "sensitive"), i, name) {
		if (!json_is_string(name))
			return wrong(import, "sensitive", "must be names of outputs");
		if (json_object_set_new(ret_set, json_string_value(name), json_true()) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int import_outputs(struct import *import)
{
	json_t *wanted = json_object_get(import->document, "outputs"),
	       *now = json_object_get(import->now, "outputs"), *value;
	json_auto_t *sensitive = json_object();
	const char *name;
	int r = sensitive ? left_out(import, sensitive) : -ENOMEM;

	json_object_foreach (now, name, value)
		if (r == 0 && !json_object_get(wanted, name))
			r = output_delete(
				import->engine, import->caller, import->stack.id, name, import->fault);
	json_object_foreach (wanted, name, value)
		if (r == 0 && !json_object_get(sensitive, name) &&
			!json_equal(value, json_object_get(now, name)))
			r = output_set(
				import->engine, import->caller, import->stack.id, name, value, import->fault);
	return r;
}

/* Lists are looked through for each of their items: none is longer than a stack may have them. */
static int list_fits(struct import *import, const char *name, const json_t *list, size_t limit)
{
	if (json_array_size(list) > limit)
		return fault_set(import->fault, EDQUOT, "the document has %zu %s, and the limit is %zu",
			json_array_size(list), name, limit);
	return 0;
}

static int import_tags(struct import *import)
{
	json_t *wanted = json_object_get(import->document, "tags"),
	       *now = json_object_get(import->now, "tags"), *tag;
	int64_t id;
	size_t i;
	int r = list_fits(import, "tags", wanted, TAGS_MAX);

	json_array_foreach (now, i, tag)
		if (r == 0 && !list_has(wanted, tag))
			r = tag_remove(import->engine, import->caller, import->stack.id,
				json_string_value(tag), import->fault);
	json_array_foreach (wanted, i, tag) {
		if (r == 0 && !json_is_string(tag))
			r = wrong(import, "tags", "must be texts");
		if (r == 0 && !list_has(now, tag))
			r = tag_add(import->engine, import->caller, import->stack.id, json_string_value(tag),
				import->fault, &id);
	}
	return r;
}

/* The item of a list of objects whose member is the same as that of `like`. */
static json_t *find_named(const json_t *list, const json_t *like)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_equal(json_object_get(item, "name"), json_object_get(like, "name")))
			return item;
	return NULL;
}

static int import_depends(struct import *import)
{
	static const struct member members[] = { { "name", JSON_STRING, true }, { "requires", JSON_STRING },
		{ 0 } };
	json_t *wanted = json_object_get(import->document, "depends"),
	       *now = json_object_get(import->now, "depends"), *dep;
	int64_t id;
	size_t i;
	int r = list_fits(import, "dependencies", wanted, DEPS_MAX);

	json_array_foreach (wanted, i, dep)
		r = r < 0 ? r : check_members(import, "depends", dep, members);
	json_array_foreach (now, i, dep)
		if (r == 0 && !find_named(wanted, dep))
			r = deps_remove(import->engine, import->caller, import->stack.id,
				json_string_value(json_object_get(dep, "name")), import->fault);
	json_array_foreach (wanted, i, dep) {
		const char *requires = json_string_value(json_object_get(dep, "requires"));

		if (r == 0 && !json_equal(dep, find_named(now, dep)))
			r = deps_set(import->engine, import->caller, import->stack.id,
				json_string_value(json_object_get(dep, "name")), requires ? requires : "",
				import->fault, &id);
	}
	return r;
}

/* Keys. */

/* kv_set() counts a ttl from its own now: the moment is set after it, to the millisecond. */
static int key_expires(struct import *import, struct kv_scope scope, const char *name, int64_t expires_ms)
{
	struct kv kv;
	int r = kv_find(import->engine, scope, name, &kv, NULL);

	return r < 0 ? r
		     : store_run(import->engine->store, SQL_KV_SET_EXPIRY, "iii", kv.id, expires_ms,
			       kv.updated_ms);
}

static int import_key(struct import *import, struct kv_scope scope, const char *name, const json_t *key)
{
	static const struct member members[] = { { "value", JSON_NULL, true }, { "expires_ms", JSON_INTEGER },
		{ 0 } };
	json_t *value = json_object_get(key, "value"), *expires = json_object_get(key, "expires_ms");
	int64_t ms = json_integer_value(expires), left = ms - clock_now_ms(import->engine);
	int r = kv_name_check(name, import->fault);

	if (r == 0)
		r = check_members(import, "state", key, members);
	if (r < 0)
		return r;
	if (json_is_null(value))
		return wrong(import, "state", "has a key without a value");
	if (expires && left <= 0)
		return 0; /* its time was over on the way */
	r = kv_set(import->engine, scope, name, value, expires ? left : 0);
	if (r < 0)
		return fault_default(
			import->fault, -r, "the key %.200s can't be set: %s", name, strerror(-r));
	return expires ? key_expires(import, scope, name, ms) : 0;
}

static int import_state(struct import *import)
{
	struct kv_scope scope = { .stack_id = import->stack.id, .caller = import->caller };
	json_t *wanted = json_object_get(import->document, "state"),
	       *now = json_object_get(import->now, "state"), *key;
	const char *name;
	int r = 0;

	json_object_foreach (now, name, key)
		if (r == 0 && !json_object_get(wanted, name))
			r = kv_delete(import->engine, scope, name);
	json_object_foreach (wanted, name, key)
		if (r == 0 && !json_equal(key, json_object_get(now, name)))
			r = import_key(import, scope, name, key);
	return r;
}

/* Resources. */

static int put_resource(struct import *import, const json_t *from, json_t *needs, bool only_needs)
{
	const json_t *protect = json_object_get(from, "protect");
	struct resource_draft draft = {
		.type = json_string_value(json_object_get(from, "type")),
		.name = json_string_value(json_object_get(from, "name")),
		.dependencies = needs,
		.protect = -1,
	};
	json_auto_t *none = json_object();
	enum resource_result result;
	int64_t id;

	if (!only_needs) {
		draft.protect = json_is_true(protect);
		draft.module = json_string_value(json_object_get(from, "module"));
		draft.properties = json_object_get(from, "properties");
		draft.properties = draft.properties ? draft.properties : none;
		draft.status = json_string_value(json_object_get(from, "status"));
		draft.error = json_string_value(json_object_get(from, "error"));
		draft.applied = json_object_get(from, "applied");
		draft.actual = json_object_get(from, "actual");
		draft.applied_ms = json_integer_value(json_object_get(from, "last_applied_ms"));
	}
	return resource_put(
		import->engine, import->caller, import->stack.id, &draft, import->fault, &result, &id);
}

static int check_resources(struct import *import, const json_t *list, json_t *ret_known)
{
	static const struct member members[] = {
		{ "type", JSON_STRING, true },
		{ "name", JSON_STRING, true },
		{ "module", JSON_STRING },
		{ "properties", JSON_OBJECT },
		{ "dependencies", JSON_ARRAY },
		{ "protect", JSON_TRUE },
		{ "status", JSON_STRING },
		{ "error", JSON_STRING },
		{ "applied", JSON_NULL },
		{ "actual", JSON_NULL },
		{ "last_applied_ms", JSON_INTEGER },
		{ 0 },
	};
	json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach (list, i, item) {
		json_auto_t *key = NULL;

		r = check_members(import, "resources", item, members);
		if (r < 0)
			return r;
		key = json_sprintf("%s/%s", json_string_value(json_object_get(item, "type")),
			json_string_value(json_object_get(item, "name")));
		if (json_object_get(ret_known, json_string_value(key)))
			return fault_set(import->fault, EINVAL, "the document has the resource %.1200s twice",
				json_string_value(key));
		if (json_object_set(ret_known, json_string_value(key), item) < 0)
			return -ENOMEM;
	}
	return r;
}

/* What is there and shall not be goes; what shall be otherwise is loosened first, so that dependencies of now
 * and of then make no circles with one another. */
static int drop_resources(struct import *import, const json_t *wanted)
{
	json_t *now = json_object_get(import->now, "resources"), *item;
	json_auto_t *none = json_array();
	size_t i;
	int r = 0;

	json_array_foreach (now, i, item) {
		const char *type = json_string_value(json_object_get(item, "type")),
			   *name = json_string_value(json_object_get(item, "name"));
		json_auto_t *key = json_sprintf("%s/%s", type, name);
		const json_t *then = json_object_get(wanted, json_string_value(key));
		int64_t id;

		if (then && !json_equal(json_object_get(then, "dependencies"),
				    json_object_get(item, "dependencies")))
			r = put_resource(import, item, none, true);
		if (!then)
			r = resource_find(import->engine, import->stack.id, type, name, &id);
		if (!then && r == 0)
			r = resource_delete(import->engine, import->caller, id, import->fault);
		if (r < 0)
			return r;
	}
	return 0;
}

static int import_resources(struct import *import)
{
	json_t *list = json_object_get(import->document, "resources"), *item, *needs;
	json_auto_t *wanted = json_object(), *none = json_array();
	size_t i;
	int r = check_resources(import, list, wanted);

	if (r == 0)
		r = drop_resources(import, wanted);
	json_array_foreach (list, i, item) {
		needs = json_object_get(item, "dependencies");
		r = r < 0 ? r : put_resource(import, item, needs ? needs : none, false);
	}
	return r;
}

/* Only the owner and root change a mode; for others, the stack keeps its own. */
static int import_mode(struct import *import)
{
	const char *text = json_string_value(json_object_get(import->document, "mode"));
	char *end;
	unsigned long mode;

	if (!text || (import->caller && !caller_owns(import->caller, import->stack.uid)))
		return 0;
	mode = strtoul(text, &end, 8);
	if (!*text || *end || mode > 07777 || *text == '-')
		return wrong(import, "mode", "is no mode, like \"0755\"");
	if (mode == import->stack.mode)
		return 0;
	return stack_chmod(import->engine, import->caller, import->stack.id, (mode_t)mode, import->fault);
}

/* The mode last: it may be one that lets nobody write. */
static int (*const steps[])(struct import *import) = { import_texts, import_outputs, import_tags,
	import_depends, import_state, import_resources, import_mode };

static int import_check(struct import *import)
{
	static const struct member members[] = {
		{ "format", JSON_STRING, true },
		{ "format_version", JSON_INTEGER, true },
		{ "replace", JSON_TRUE },
		{ "name", JSON_STRING },
		{ "mode", JSON_STRING },
		{ "description", JSON_STRING },
		{ "version", JSON_STRING },
		{ "config", JSON_STRING },
		{ "values", JSON_STRING },
		{ "workflow", JSON_STRING },
		{ "workflow" EXPORT_BASE64, JSON_STRING },
		{ "outputs", JSON_OBJECT },
		{ "sensitive", JSON_ARRAY },
		{ "tags", JSON_ARRAY },
		{ "depends", JSON_ARRAY },
		{ "state", JSON_OBJECT },
		{ "resources", JSON_ARRAY },
		{ 0 },
	};
	const char *format = json_string_value(json_object_get(import->document, "format"));
	json_int_t version = json_integer_value(json_object_get(import->document, "format_version"));

	if (!format || strcmp(format, EXPORT_FORMAT))
		return fault_set(import->fault, EINVAL,
			"this is no exported stack: its \"format\" must be \"" EXPORT_FORMAT "\"");
	if (version != EXPORT_VERSION)
		return fault_set(import->fault, EINVAL,
			"the document has format_version %lld; this version of Sloth reads %d",
			(long long)version, EXPORT_VERSION);
	return check_members(import, "", import->document, members);
}

/* An export of an empty stack has nothing in it but its name and mode. */
static bool is_empty(const json_t *value)
{
	const char *key;
	json_t *part;

	json_object_foreach ((json_t *)value, key, part) {
		bool fixed = !strcmp(key, "name") || !strcmp(key, "mode") || !strcmp(key, "format");

		if (json_array_size(part) || json_object_size(part) || (!fixed && json_string_length(part)))
			return false;
	}
	return true;
}

static int import_begin(struct import *import)
{
	char what[NAME_SIZE + 32];
	const char *name = json_string_value(json_object_get(import->document, "name"));
	int r;

	if (!is_empty(import->now) && !json_is_true(json_object_get(import->document, "replace")))
		return fault_set(import->fault, ENOTEMPTY,
			"stack %s is not empty: import under another name, or replace what it has "
			"(\"replace\": "
			"true in the document; --force)",
			import->stack.name);
	snprintf(what, sizeof(what), "imported%s%.*s", name ? " from " : "", NAME_MAX_LENGTH,
		name ? name : "");
	r = version_begin(import->engine, import->caller, import->stack.id, what, NULL);
	return r < 0 ? r
		     : event_add(import->engine, import->caller, "stack.imported", import->stack.id,
			       import->stack.name, import->caller ? import->caller->run_id : 0,
			       json_pack("{s:s}", "from", name ? name : ""));
}

/* What the stack is now, in the same form. */
static int import_load(struct import *import)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);
	int r, r2;

	if (!out)
		return -ENOMEM;
	r = stack_export(import->engine, import->caller, import->stack.id, out);
	r2 = buffer_stream_close(out, &text);
	if (r < 0 || r2 < 0)
		return r < 0 ? r : r2;
	import->now = json_loadb(buffer_text(&text), text.size, 0, NULL);
	return import->now ? 0 : -EBADMSG;
}

static int import_run(struct import *import)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = import_load(import);

	if (r == 0)
		r = store_change_begin(import->engine->store, &change);
	if (r == 0)
		r = import_begin(import);
	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = steps[i](import);
	if (r == 0)
		r = store_change_end(&change);
	json_decref(import->now);
	return r;
}

int stack_import(struct engine *engine, struct caller *caller, int64_t stack_id, const char *text,
	size_t size, struct fault *fault)
{
	struct import import = { .engine = engine, .caller = caller, .fault = fault };
	json_auto_t *document = NULL;
	json_error_t error;
	int r = stack_get(engine, stack_id, &import.stack);

	if (r < 0)
		return fault_set(fault, -r, "the stack is gone");
	r = stack_may_change(engine, caller, &import.stack, fault);
	if (r < 0)
		return r;
	document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!document)
		return fault_set(
			fault, EINVAL, "export.json:%d:%d: %s", error.line, error.column, error.text);
	import.document = document;
	r = import_check(&import);
	return r < 0 ? r : import_run(&import);
}
