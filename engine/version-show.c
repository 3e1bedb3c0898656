/* SPDX-License-Identifier: MIT */
/* Versions as text and as JSON. */
#include "engine/version-show.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/seal.h"
#include "engine/snapshot.h"
#include "engine/yaml.h"

enum { JSON_PRETTY = JSON_SORT_KEYS | JSON_INDENT(2) | JSON_ENCODE_ANY };

static bool is_sealed(const struct buffer *content)
{
	return seal_is(buffer_text(content), content->size);
}

/* How the contents of a kind are to be read. */
enum form { FORM_TEXT, FORM_LINE, FORM_YAML, FORM_JSON, FORM_VALUE };

static enum form item_form(const struct version_item *item)
{
	static const enum form forms[VERSION_KIND_COUNT] = {
		[VERSION_META] = FORM_JSON,
		[VERSION_OUTPUT] = FORM_VALUE,
		[VERSION_DEP] = FORM_LINE,
		[VERSION_TAG] = FORM_TEXT,
		[VERSION_STATE] = FORM_VALUE,
		[VERSION_RESOURCE] = FORM_JSON,
	};

	if (item->kind != VERSION_TEXT)
		return forms[item->kind];
	if (!strcmp(item->name, "config") || !strcmp(item->name, "values"))
		return FORM_YAML;
	return !strcmp(item->name, "workflow") ? FORM_TEXT : FORM_LINE;
}

/* What is damaged in its sense, though its hash fits, is shown as it stands. */
static json_t *content_json(const struct version_item *item, const struct buffer *content)
{
	enum form form = item_form(item);
	json_t *value = NULL;

	if (is_sealed(content))
		return json_string(SEAL_SHOWN);
	if (form == FORM_JSON || form == FORM_VALUE)
		value = json_loadb(buffer_text(content), content->size, JSON_DECODE_ANY, NULL);
	else if (form == FORM_YAML)
		yaml_parse(item->name, buffer_text(content), content->size, NULL, &value);
	return value ? value : json_stringn(buffer_text(content), content->size);
}

int version_item_value(
	struct engine *engine, const struct version_item *item, struct fault *fault, json_t **ret_value)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	json_t *value;
	int r = version_item_read(engine, item, fault, &content);

	if (r < 0)
		return r;
	value = content_json(item, &content);
	if (!value)
		return -ENOMEM;
	*ret_value = value;
	return 0;
}

/* A string bare, all else as JSON, and a newline. */
static void value_write(const json_t *value, int flags, FILE *out)
{
	if (json_is_string(value))
		fwrite(json_string_value(value), 1, json_string_length(value), out);
	else
		json_dumpf(value, out, flags);
	fputc('\n', out);
}

int version_item_show(struct engine *engine, const struct version_item *item, struct fault *fault, FILE *out)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	enum form form = item_form(item);
	json_auto_t *value = NULL;
	int r = version_item_read(engine, item, fault, &content);

	if (r < 0)
		return r;
	if (form == FORM_JSON || form == FORM_VALUE || is_sealed(&content)) {
		value = content_json(item, &content);
		value_write(value,
			form == FORM_JSON ? JSON_PRETTY : JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY,
			out);
		return value ? 0 : -ENOMEM;
	}
	fwrite(buffer_text(&content), 1, content.size, out);
	if (form == FORM_LINE && content.size)
		fputc('\n', out);
	return 0;
}

/* Collects items of one kind into an object. */
struct gathering {
	struct engine *engine;
	struct fault *fault;
	json_t *object;
};

static int gather(void *userdata, const struct version_item *item)
{
	struct gathering *gathering = userdata;
	json_t *value;
	int r = version_item_value(gathering->engine, item, gathering->fault, &value);

	return r < 0 ? r : json_object_set_new(gathering->object, item->name, value) < 0 ? -ENOMEM : 0;
}

int version_outputs_json(
	struct engine *engine, int64_t stack_id, int64_t number, struct fault *fault, json_t **ret_value)
{
	json_auto_t *object = json_object();
	struct gathering gathering = { engine, fault, object };
	int r = version_item_each(engine, stack_id, number, VERSION_OUTPUT, NULL, gather, &gathering);

	if (r == 0)
		*ret_value = TAKE(object);
	return r;
}

static void show_value(const json_t *value, FILE *out)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (json_is_string(value))
		text_write_safe(out, json_string_value(value));
	else if ((text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY)))
		text_write_json(out, text);
}

int version_show_outputs(
	struct engine *engine, int64_t stack_id, int64_t number, struct fault *fault, FILE *out)
{
	json_auto_t *object = NULL;
	const char *name;
	json_t *value;
	int r = version_outputs_json(engine, stack_id, number, fault, &object);

	if (r < 0)
		return r;
	json_object_foreach (object, name, value) {
		fprintf(out, "%s=", name);
		show_value(value, out);
		fputc('\n', out);
	}
	return 0;
}

/* What a version is kept for: its description, its names. */
static int kept_json(struct engine *engine, int64_t version_id, json_t *object)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_SNAPSHOT_GET, "i", version_id);
	CLEANUP(buffer_done) struct buffer names = { 0 };
	json_t *list = json_array();
	int r = query_step(query);

	if (r > 0 && !query_null(query, 9)) {
		json_object_set_new(object, "trigger", json_string(query_text(query, 9)));
		json_object_set_new(object, "description", json_string(query_text(query, 10)));
		json_object_set_new(object, "creator", json_string(query_text(query, 11)));
		json_object_set_new(object, "tags", json_string(query_text(query, 12)));
	}
	if (r >= 0)
		r = snapshot_names(engine, version_id, &names);
	for (char *save = NULL, *name = names.size ? strtok_r(names.data, " ", &save) : NULL; name;
		name = strtok_r(NULL, " ", &save))
		json_array_append_new(list, json_string(name));
	json_object_set_new(object, "names", list);
	return r;
}

json_t *version_json(const struct version *version)
{
	char time[32];

	return json_pack("{s:I, s:s, s:s, s:i, s:o, s:s}", "version", (json_int_t)version->number, "time",
		time_format(version->time_ms, time), "user", caller_login(version->uid), "uid",
		(int)version->uid, "run", version->run_id ? json_integer(version->run_id) : json_null(),
		"what", version->what);
}

struct listing {
	struct engine *engine;
	json_t *list;
};

static int history_add(void *userdata, const struct version *version)
{
	struct listing *listing = userdata;
	json_auto_t *object = version_json(version);
	int r = object ? kept_json(listing->engine, version->id, object) : -ENOMEM;

	if (r < 0 || json_array_append(listing->list, object) < 0)
		return r < 0 ? r : -ENOMEM;
	return json_array_size(listing->list) >= HISTORY_MAX ? 1 : 0;
}

int version_history_json(struct engine *engine, int64_t stack_id, json_t **ret_list)
{
	json_auto_t *list = json_array();
	struct listing listing = { engine, list };
	int r = list ? version_each(engine, stack_id, INT64_MAX, history_add, &listing) : -ENOMEM;

	if (r < 0)
		return r;
	*ret_list = TAKE(list);
	return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void version_write_run(const json_t *object, FILE *out)
{
	if (json_is_integer(json_object_get(object, "run")))
		fprintf(out, "  run %" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(object, "run")));
}

void version_write_origin(const json_t *object, FILE *out)
{
	fprintf(out, "v%-6" JSON_INTEGER_FORMAT " %s  %s  ",
		json_integer_value(json_object_get(object, "version")), text_of(object, "time"),
		text_of(object, "user"));
}

void version_write_name(const char *kind, const char *name, FILE *out)
{
	CLEANUP(cleanup_free)
	char *readable = strcmp(kind, version_kind_name(VERSION_RESOURCE)) ? NULL : name_readable(name);

	text_write_safe(out, readable ? readable : name);
}

/* "resource file/%2Fetc%2Fmotd": other things have names without anything encoded. */
static void show_what(const char *what, FILE *out)
{
	static const char prefix[] = "resource ";
	size_t n = sizeof(prefix) - 1;

	if (strncmp(what, prefix, n) != 0)
		n = 0;
	fwrite(what, 1, n, out);
	version_write_name(n ? version_kind_name(VERSION_RESOURCE) : "", what + n, out);
}

static void show_names(const json_t *object, FILE *out)
{
	size_t i;
	json_t *name;

	json_array_foreach (json_object_get(object, "names"), i, name)
		fprintf(out, "%s%s", i ? ", " : "  (", json_string_value(name));
	if (json_array_size(json_object_get(object, "names")))
		fputc(')', out);
}

static void show_version(const json_t *object, FILE *out)
{
	fprintf(out, "v%" JSON_INTEGER_FORMAT "  %s  %s  ",
		json_integer_value(json_object_get(object, "version")), text_of(object, "time"),
		text_of(object, "user"));
	show_what(text_of(object, "what"), out);
	version_write_run(object, out);
	if (*text_of(object, "trigger")) {
		fprintf(out, "  [%s", text_of(object, "trigger"));
		if (*text_of(object, "description"))
			fputs(": ", out);
		text_write_safe(out, text_of(object, "description"));
		fputc(']', out);
	}
	show_names(object, out);
	fputc('\n', out);
}

int version_show_history(struct engine *engine, int64_t stack_id, FILE *out)
{
	json_auto_t *list = NULL;
	json_t *object;
	size_t i;
	int r = version_history_json(engine, stack_id, &list);

	if (r < 0)
		return r;
	json_array_foreach (list, i, object)
		show_version(object, out);
	return 0;
}

static int blame_add(void *userdata, const struct version_item *item)
{
	struct listing *listing = userdata;
	struct version version = { .number = item->from };
	json_auto_t *object = NULL;
	int r = version_trace(listing->engine, item->stack_id, item->from, &version);

	if (r < 0 && r != -ENOENT)
		return r;
	object = version_json(&version);
	json_object_del(object, "what");
	json_object_set_new(object, "kind", json_string(version_kind_name(item->kind)));
	json_object_set_new(object, "name", json_string(item->name));
	return json_array_append(listing->list, object) < 0 ? -ENOMEM : 0;
}

int version_blame_json(struct engine *engine, int64_t stack_id, json_t **ret_list)
{
	json_auto_t *list = json_array();
	struct listing listing = { engine, list };
	int64_t number;
	int r = version_last(engine, stack_id, &number);

	for (enum version_kind kind = 0; r == 0 && kind < VERSION_KIND_COUNT; kind++)
		r = version_item_each(engine, stack_id, number, kind, NULL, blame_add, &listing);
	if (r == 0)
		*ret_list = TAKE(list);
	return r;
}

int version_show_blame(struct engine *engine, int64_t stack_id, FILE *out)
{
	json_auto_t *list = NULL;
	json_t *object;
	size_t i;
	int r = version_blame_json(engine, stack_id, &list);

	if (r < 0)
		return r;
	json_array_foreach (list, i, object) {
		version_write_origin(object, out);
		fprintf(out, "%s ", text_of(object, "kind"));
		version_write_name(text_of(object, "kind"), text_of(object, "name"), out);
		version_write_run(object, out);
		fputc('\n', out);
	}
	return 0;
}

static int snapshot_add(void *userdata, const struct snapshot *snapshot)
{
	return history_add(userdata, &snapshot->version) < 0 ? -ENOMEM : 0;
}

int snapshot_list_json(struct engine *engine, int64_t stack_id, json_t **ret_list)
{
	json_auto_t *list = json_array();
	struct listing listing = { engine, list };
	int r = list ? snapshot_each(engine, stack_id, snapshot_add, &listing) : -ENOMEM;

	if (r == 0)
		*ret_list = TAKE(list);
	return r;
}

int snapshot_show_list(struct engine *engine, int64_t stack_id, FILE *out)
{
	json_auto_t *list = NULL;
	json_t *object;
	size_t i;
	int r = snapshot_list_json(engine, stack_id, &list);

	if (r < 0)
		return r;
	json_array_foreach (list, i, object) {
		const char *creator = text_of(object, "creator");

		fprintf(out, "v%" JSON_INTEGER_FORMAT "  %s  ",
			json_integer_value(json_object_get(object, "version")), text_of(object, "time"));
		text_write_safe(out, *creator ? creator : text_of(object, "user"));
		fprintf(out, "  %s", text_of(object, "trigger"));
		if (*text_of(object, "tags"))
			fprintf(out, "  [%s]", text_of(object, "tags"));
		if (*text_of(object, "description"))
			fputs("  ", out);
		text_write_safe(out, text_of(object, "description"));
		show_names(object, out);
		fputc('\n', out);
	}
	return 0;
}
