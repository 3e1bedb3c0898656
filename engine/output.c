/* SPDX-License-Identifier: MIT */
/* Outputs of a stack. */
#include "engine/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json-text.h"
#include "engine/event.h"
#include "engine/seal.h"
#include "engine/stack.h"
#include "engine/version.h"

enum { OUTPUT_JSON_FLAGS = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY };

static bool is_sealed(const char *value)
{
	return seal_is(value, strlen(value));
}

static const char *value_shown(const char *value)
{
	return is_sealed(value) ? "\"" SEAL_SHOWN "\"" : value;
}

int output_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct output *output), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_OUTPUT_EACH, "i", stack_id);
	struct output output = { .stack_id = stack_id };
	int r;

	while ((r = query_step(query)) > 0) {
		output.id = query_int(query, 0);
		snprintf(output.name, sizeof(output.name), "%s", query_text(query, 1));
		output.value = value_shown(query_text(query, 2));
		output.updated_ms = query_int(query, 3);
		r = each(userdata, &output);
		if (r != 0)
			break;
	}
	return r;
}

int output_find(struct engine *engine, int64_t stack_id, const char *name, int64_t *ret_id)
{
	return store_get_int(engine->store, ret_id, SQL_OUTPUT_FIND, "is", stack_id, name);
}

int output_get(struct engine *engine, int64_t id, char ret_name[NAME_SIZE], int64_t *ret_stack,
	json_t **ret_value, int64_t *ret_time_ms)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_OUTPUT_GET, "i", id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (ret_value) {
		json_t *value = json_loads(value_shown(query_text(query, 2)), JSON_DECODE_ANY, NULL);

		if (!value)
			return -EBADMSG;
		*ret_value = value;
	}
	if (ret_name)
		snprintf(ret_name, NAME_SIZE, "%s", query_text(query, 0));
	if (ret_stack)
		*ret_stack = query_int(query, 1);
	if (ret_time_ms)
		*ret_time_ms = query_int(query, 3);
	return 0;
}

/* A row as it is stored. */
struct row {
	int64_t stack_id;
	char name[NAME_SIZE];
	struct buffer value; /* JSON or sealed */
};

static int row_get(struct engine *engine, int64_t id, struct row *ret_row)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_OUTPUT_GET, "i", id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	snprintf(ret_row->name, sizeof(ret_row->name), "%s", query_text(query, 0));
	ret_row->stack_id = query_int(query, 1);
	return buffer_append_text(&ret_row->value, query_text(query, 2));
}

static const char *what_is(int64_t stack_id, const char *name, char ret_what[SEAL_WHAT_SIZE])
{
	snprintf(ret_what, SEAL_WHAT_SIZE, "output:%lld:%s", (long long)stack_id, name);
	return ret_what;
}

bool output_sensitive(struct engine *engine, int64_t id)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_OUTPUT_GET, "i", id);

	return query_step(query) > 0 && is_sealed(query_text(query, 2));
}

static int may_read(struct engine *engine, struct caller *caller, const struct row *row, struct fault *fault)
{
	struct stack stack;
	char owner[128];
	int r = stack_get(engine, row->stack_id, &stack);

	if (r < 0 || !caller || caller_owns(caller, stack.uid))
		return r;
	return fault_set(fault, EACCES,
		"output %s of stack %s is sensitive: only its owner, %s, and root read it", row->name,
		stack.name, caller_user_name(stack.uid, owner, sizeof(owner)));
}

int output_value(
	struct engine *engine, struct caller *caller, int64_t id, struct fault *fault, json_t **ret_value)
{
	CLEANUP(buffer_wipe) struct buffer plain = { 0 };
	struct row row = { 0 };
	char what[SEAL_WHAT_SIZE];
	json_t *value = NULL;
	int r = row_get(engine, id, &row);

	if (r == 0 && is_sealed(buffer_text(&row.value))) {
		r = may_read(engine, caller, &row, fault);
		if (r == 0)
			r = seal_open(engine, what_is(row.stack_id, row.name, what), buffer_text(&row.value),
				fault, &plain);
		if (r == 0)
			value = json_loadb(plain.data, plain.size, JSON_DECODE_ANY, NULL);
	} else if (r == 0) {
		value = json_loadb(row.value.data, row.value.size, JSON_DECODE_ANY, NULL);
	}
	buffer_done(&row.value);
	if (r < 0)
		return r;
	if (!value)
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

int output_note_read(struct engine *engine, struct caller *caller, int64_t id)
{
	struct row row = { 0 };
	struct stack stack;
	int r = row_get(engine, id, &row);
	bool sealed = r == 0 && is_sealed(buffer_text(&row.value));

	buffer_done(&row.value);
	if (!sealed)
		return r;
	r = stack_get(engine, row.stack_id, &stack);
	return r < 0 ? r
		     : event_add(engine, caller, "output.read", stack.id, stack.name,
			       caller ? caller->run_id : 0, json_pack("{s:s}", "name", row.name));
}

/* What every change of outputs has in common: may it be, and what is told of it. */
static int output_changed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const char *name, const char *type, int64_t id, unsigned aspects)
{
	int r = store_run(engine->store, SQL_STACK_TOUCH_OUTPUTS, "ii", stack->id, time_now_ms());

	if (r == 0)
		r = event_add(
			engine, caller, type, stack->id, stack->name, 0, json_pack("{ss}", "name", name));
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_OUTPUT, id, ASPECT_OUTPUTS);
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_OUTPUTS | aspects);
	return 0;
}

static int check_value(struct engine *engine, const char *name, const char *text, struct fault *fault)
{
	int r = name_check(name);

	if (r < 0)
		return fault_set(fault, -r,
			"%s: the name of an output is letters, digits, '.', '_' and '-', up to %d", name,
			NAME_MAX_LENGTH);
	if (!text)
		return fault_set(fault, EINVAL, "output %s: the value cannot be JSON", name);
	if ((int64_t)strlen(text) > engine->config.max_document_size)
		return fault_set(fault, EFBIG, "output %s: the value is over max_document_size", name);
	return 0;
}

/* The sealed text for a value. The same value again is the same text, so that it makes no new version. */
static int seal_value(struct engine *engine, int64_t stack_id, const char *name, const char *text,
	const char *before, struct fault *fault, char **ret_sealed)
{
	CLEANUP(buffer_wipe) struct buffer plain = { 0 };
	char what[SEAL_WHAT_SIZE];

	what_is(stack_id, name, what);
	if (is_sealed(before) && seal_open(engine, what, before, NULL, &plain) == 0 &&
		!strcmp(buffer_text(&plain), text)) {
		*ret_sealed = strdup(before);
		return *ret_sealed ? 0 : -ENOMEM;
	}
	return seal_make(engine, what, text, strlen(text), fault, ret_sealed);
}

/* In a change: `text` is what the row holds from now on. */
static int row_put(struct engine *engine, struct caller *caller, const struct stack *stack, const char *name,
	const char *text)
{
	int64_t id;
	bool known = output_find(engine, stack->id, name, &id) == 0;
	int r = store_get_int(
		engine->store, &id, SQL_OUTPUT_SET, "issi", stack->id, name, text, time_now_ms());

	if (r == 0)
		r = version_put(engine, caller, stack->id, VERSION_OUTPUT, name, text, strlen(text));
	if (r == 0)
		r = output_changed(engine, caller, stack, name, "output.set", id, known ? 0 : ASPECT_NAMES);
	return r;
}

static int value_store(struct engine *engine, struct caller *caller, const struct stack *stack,
	const char *name, const char *text, bool sensitive, struct fault *fault)
{
	CLEANUP(cleanup_free) char *sealed = NULL;
	struct row before = { 0 };
	int64_t id;
	int r = output_find(engine, stack->id, name, &id);

	if (r == 0)
		r = row_get(engine, id, &before);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && (sensitive || is_sealed(buffer_text(&before.value))))
		r = seal_value(engine, stack->id, name, text, buffer_text(&before.value), fault, &sealed);
	buffer_done(&before.value);
	return r < 0 ? r : row_put(engine, caller, stack, name, sealed ? sealed : text);
}

int output_set_as(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	json_t *value, bool sensitive, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *text = json_dumps(value, OUTPUT_JSON_FLAGS);
	struct stack stack;
	int r = check_value(engine, name, text, fault);

	if (r == 0)
		r = stack_get_for_change(engine, caller, stack_id, fault, &stack);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = value_store(engine, caller, &stack, name, text, sensitive, fault);
	return r < 0 ? r : store_change_end(&change);
}

int output_set(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	json_t *value, struct fault *fault)
{
	return output_set_as(engine, caller, stack_id, name, value, false, fault);
}

int output_make_sensitive(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	json_auto_t *value = NULL;
	struct row row = { 0 };
	int r = row_get(engine, id, &row);
	bool sealed = r == 0 && is_sealed(buffer_text(&row.value));

	if (r == 0)
		value = json_loadb(row.value.data, row.value.size, JSON_DECODE_ANY, NULL);
	buffer_done(&row.value);
	if (r < 0 || sealed)
		return r;
	return value ? output_set_as(engine, caller, row.stack_id, row.name, value, true, fault) : -EBADMSG;
}

int output_delete(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *name, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	int64_t id;
	int r;

	r = stack_get_for_change(engine, caller, stack_id, fault, &stack);
	if (r < 0)
		return r;
	r = output_find(engine, stack_id, name, &id);
	if (r < 0)
		return fault_set(fault, -r, "stack %s has no output %s", stack.name, name);
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_OUTPUT_DELETE, "i", id);
	if (r == 0)
		r = version_drop(engine, caller, stack_id, VERSION_OUTPUT, name);
	if (r == 0)
		r = output_changed(engine, caller, &stack, name, "output.deleted", id, ASPECT_NAMES);
	return r < 0 ? r : store_change_end(&change);
}

static int show_line(void *userdata, const struct output *output)
{
	json_auto_t *value = json_loads(output->value, JSON_DECODE_ANY, NULL);
	FILE *out = userdata;

	fprintf(out, "%s=", output->name);
	if (json_is_string(value))
		text_write_safe(out, json_string_value(value));
	else
		text_write_json(out, output->value);
	fputc('\n', out);
	return 0;
}

void output_show(struct engine *engine, int64_t stack_id, FILE *out)
{
	output_each(engine, stack_id, show_line, out);
}

struct json_list {
	FILE *out;
	bool more;
};

/* Names are of letters and digits, values are JSON and the rows come sorted: nothing is to be done. */
static int show_member(void *userdata, const struct output *output)
{
	struct json_list *list = userdata;

	fprintf(list->out, "%s\"%s\":%s", list->more ? "," : "", output->name, output->value);
	list->more = true;
	return 0;
}

void output_show_json(struct engine *engine, int64_t stack_id, FILE *out)
{
	struct json_list list = { .out = out };

	fputc('{', out);
	output_each(engine, stack_id, show_member, &list);
	fputs("}\n", out);
}

int output_restore(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	const char *stored, size_t size, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *text = strndup(stored, size);
	struct stack stack;
	int r = text ? stack_get_for_change(engine, caller, stack_id, fault, &stack) : -ENOMEM;

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = row_put(engine, caller, &stack, name, text);
	return r < 0 ? r : store_change_end(&change);
}

int output_show_raw(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault, FILE *out)
{
	json_auto_t *value = NULL;
	struct row row = { 0 };
	int r = row_get(engine, id, &row);
	/* A parser takes ten times as long, and what is read here may be large. */
	bool done = r == 0 && !is_sealed(buffer_text(&row.value)) &&
		    json_text_read(row.value.data, row.value.size, out);

	buffer_done(&row.value);
	if (done)
		fputc('\n', out);
	if (r < 0 || done)
		return r;
	r = output_value(engine, caller, id, fault, &value);
	if (r == 0)
		output_write_raw(value, out);
	return r;
}

void output_write_raw(const json_t *value, FILE *out)
{
	if (json_is_string(value))
		fwrite(json_string_value(value), 1, json_string_length(value), out);
	else
		json_dumpf(value, out, OUTPUT_JSON_FLAGS);
	fputc('\n', out);
}

int64_t output_time(struct engine *engine, int64_t stack_id)
{
	int64_t time = 0;

	store_get_int(engine->store, &time, SQL_STACK_OUTPUTS_TIME, "i", stack_id);
	return time;
}
