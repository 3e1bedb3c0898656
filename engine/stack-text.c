/* SPDX-License-Identifier: MIT */
/* The texts of a stack: one row each, with what is checked and told when it is written. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/stack.h"
#include "engine/version.h"
#include "engine/yaml.h"

static int check_line(
	struct engine *engine, const char *name, const char *text, size_t size, struct fault *fault)
{
	if (!text_is_utf8(text, size))
		return fault_set(fault, EINVAL, "%s is no UTF-8 text", name);
	if (!text_is_line(text, size))
		return fault_set(fault, EINVAL, "%s is one line of text, without control characters", name);
	return 0;
}

static int check_config(
	struct engine *engine, const char *name, const char *text, size_t size, struct fault *fault)
{
	struct config config = engine->config;

	return config_parse_stack(&config, name, text, size, fault);
}

static int check_values(
	struct engine *engine, const char *name, const char *text, size_t size, struct fault *fault)
{
	json_auto_t *value = NULL;
	int r = yaml_parse(name, text, size, fault, &value);

	if (r < 0)
		return r;
	if (!json_is_object(value) && !json_is_null(value))
		return fault_set(fault, EINVAL, "%s:1: values are lines of \"name: value\"", name);
	return 0;
}

static const struct row {
	const char *column, *name; /* in the database, and in messages */
	bool line;		   /* the newline at the end is cut */
	int (*check)(
		struct engine *engine, const char *name, const char *text, size_t size, struct fault *fault);
	const char *event; /* NULL: the run tells of it */
	unsigned aspect;
} rows[STACK_TEXT_COUNT] = {
	[STACK_DESCRIPTION] = { "description", "description", true, check_line, "stack.updated",
		ASPECT_META },
	[STACK_VERSION] = { "version", "version", true, check_line, "stack.updated", ASPECT_META },
	[STACK_CONFIG] = { "config", "config.yaml", false, check_config, "config.changed", ASPECT_DOCUMENTS },
	[STACK_VALUES] = { "values", "values.yaml", false, check_values, "values.changed", ASPECT_DOCUMENTS },
	[STACK_WORKFLOW] = { "workflow", "workflow", false, NULL, NULL, ASPECT_DOCUMENTS },
};

static int text_get(
	struct engine *engine, int64_t id, const struct row *row, struct buffer *ret_text, int64_t *ret_time)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_STACK_TEXT, "is", id, row->column);
	const void *data;
	size_t size;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	data = query_blob(query, 0, &size);
	r = buffer_truncate(ret_text, 0);
	if (r == 0)
		r = buffer_append(ret_text, data, size);
	if (r == 0 && ret_time)
		*ret_time = query_int(query, 1);
	return r;
}

int stack_text(struct engine *engine, int64_t id, enum stack_text which, struct buffer *ret_text,
	int64_t *ret_time_ms)
{
	struct stack stack;
	int r = text_get(engine, id, &rows[which], ret_text, ret_time_ms);

	if (r != -ENOENT)
		return r;
	/* Never written: empty since the stack is there. */
	r = stack_get(engine, id, &stack);
	if (r == 0)
		r = buffer_truncate(ret_text, 0);
	if (r == 0 && ret_time_ms)
		*ret_time_ms = stack.created_ms;
	return r;
}

static int text_check(
	struct engine *engine, const struct row *row, const char *text, size_t size, struct fault *fault)
{
	if ((int64_t)size > engine->config.max_document_size)
		return fault_set(fault, EFBIG, "%s: %zu bytes are over max_document_size (%" PRId64 ")",
			row->name, size, engine->config.max_document_size);
	return row->check ? row->check(engine, row->name, text, size, fault) : 0;
}

static int text_put(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct row *row, const char *text, size_t size)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t now = time_now_ms();
	int r;

	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(
			engine->store, SQL_STACK_SET_TEXT, "isbi", stack->id, row->column, text, size, now);
	if (r == 0)
		r = version_put(engine, caller, stack->id, VERSION_TEXT, row->column, text, size);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_TOUCH, "ii", stack->id, now);
	if (r == 0 && row->event)
		r = event_add(engine, caller, row->event, stack->id, stack->name, 0,
			row->line ? json_pack("{ss%}", row->name, text, size)
				  : json_pack("{sI}", "size", (json_int_t)size));
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, stack->id, row->aspect);
	return r;
}

int stack_set_text(struct engine *engine, struct caller *caller, int64_t id, enum stack_text which,
	const char *text, size_t size, struct fault *fault)
{
	const struct row *row = &rows[which];
	struct stack stack;
	int r;

	r = stack_get_for_change(engine, caller, id, fault, &stack);
	if (r < 0)
		return r;
	if (row->line && size > 0 && text[size - 1] == '\n')
		size--;
	r = text_check(engine, row, text, size, fault);
	return r < 0 ? r : text_put(engine, caller, &stack, row, text, size);
}

int stack_keep_workflow(
	struct engine *engine, struct caller *caller, int64_t id, const char *text, size_t size)
{
	struct stack stack;
	int r = stack_get(engine, id, &stack);

	return r < 0 ? r : text_put(engine, caller, &stack, &rows[STACK_WORKFLOW], text, size);
}

int stack_remove_text(
	struct engine *engine, struct caller *caller, int64_t id, enum stack_text which, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	const struct row *row = &rows[which];
	struct stack stack;
	int r = stack_get_for_change(engine, caller, id, fault, &stack);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_REMOVE_TEXT, "is", id, row->column);
	if (r == 0)
		r = version_drop(engine, caller, id, VERSION_TEXT, row->column);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_TOUCH, "ii", id, time_now_ms());
	if (r == 0 && row->event)
		r = event_add(engine, caller, row->event, id, stack.name, 0,
			row->line ? json_pack("{ss}", row->name, "") : json_pack("{si}", "size", 0));
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, id, row->aspect);
	return r;
}

int stack_text_parse(const char *name, enum stack_text *ret_which)
{
	for (enum stack_text i = 0; i < STACK_TEXT_COUNT; i++)
		if (!strcmp(rows[i].column, name)) {
			*ret_which = i;
			return 0;
		}
	return -EINVAL;
}

int stack_put_texts(struct engine *engine, struct caller *caller, int64_t id)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_STACK_TEXT_EACH, "i", id);
	int r;

	while ((r = query_step(query)) > 0) {
		size_t size;
		const void *text = query_blob(query, 1, &size);

		r = version_put(engine, caller, id, VERSION_TEXT, query_text(query, 0), text, size);
		if (r < 0)
			break;
	}
	return r;
}

int stack_config(struct engine *engine, int64_t id, struct config *ret_config)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct config config = engine->config;
	int r = text_get(engine, id, &rows[STACK_CONFIG], &text, NULL);

	if (r == 0)
		r = config_parse_stack(&config, rows[STACK_CONFIG].name, buffer_text(&text), text.size, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_config = config;
	return 0;
}
