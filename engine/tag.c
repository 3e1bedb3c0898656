/* SPDX-License-Identifier: MIT */
/* Tags of stacks. */
#include "engine/tag.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "engine/stack.h"
#include "engine/version.h"

static void tag_load(struct query *query, void *ret)
{
	struct tag *ret_tag = ret;

	*ret_tag = (struct tag){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.word_id = query_int(query, 2),
		.created_ms = query_int(query, 5),
	};
	snprintf(ret_tag->name, sizeof(ret_tag->name), "%s", query_text(query, 3));
	snprintf(ret_tag->stack, sizeof(ret_tag->stack), "%s", query_text(query, 4));
}

static int tags_of(struct query *query, int (*each)(void *userdata, const struct tag *tag), void *userdata)
{
	struct tag tag;
	int r;

	while ((r = query_step(query)) > 0) {
		tag_load(query, &tag);
		r = each(userdata, &tag);
		if (r != 0)
			break;
	}
	query_end(query);
	return r;
}

int tag_get(struct engine *engine, int64_t id, struct tag *ret_tag)
{
	return query_one(query_begin(engine->store, SQL_TAG_GET, "i", id), tag_load, ret_tag);
}

int tag_find(struct engine *engine, int64_t stack_id, const char *name, struct tag *ret_tag)
{
	return query_one(query_begin(engine->store, SQL_TAG_FIND, "is", stack_id, name), tag_load, ret_tag);
}

int tag_each(struct engine *engine, int64_t stack_id, int (*each)(void *userdata, const struct tag *tag),
	void *userdata)
{
	return tags_of(query_begin(engine->store, SQL_TAG_OF_STACK, "i", stack_id), each, userdata);
}

int tag_bearer_find(
	struct engine *engine, struct caller *caller, int64_t word_id, const char *stack, struct tag *ret_tag)
{
	struct tag tag;
	int r = query_one(
		query_begin(engine->store, SQL_TAG_FIND_BEARER, "is", word_id, stack), tag_load, &tag);

	if (r == 0 && !stack_visible(engine, caller, tag.stack_id))
		r = -ENOENT;
	if (r == 0)
		*ret_tag = tag;
	return r;
}

struct bearers {
	struct engine *engine;
	struct caller *caller;
	int (*each)(void *userdata, const struct tag *tag);
	void *userdata;
};

static int bearer_show(void *userdata, const struct tag *tag)
{
	const struct bearers *bearers = userdata;

	return stack_visible(bearers->engine, bearers->caller, tag->stack_id)
		       ? bearers->each(bearers->userdata, tag)
		       : 0;
}

int tag_bearer_each(struct engine *engine, struct caller *caller, int64_t word_id,
	int (*each)(void *userdata, const struct tag *tag), void *userdata)
{
	return tags_of(query_begin(engine->store, SQL_TAG_BEARERS, "i", word_id), bearer_show,
		&(struct bearers){ engine, caller, each, userdata });
}

/* Rows are a word with the owner, group and mode of stacks that bear it, each such combination once: whether
 * the caller sees one of them. */
static bool sees_word(struct query *query, struct caller *caller)
{
	return !caller || caller_access(caller, (uid_t)query_int(query, 2), (gid_t)query_int(query, 3),
				  (mode_t)query_int(query, 4), MAY_READ | MAY_EXECUTE) == 0;
}

int tag_word_find(struct engine *engine, struct caller *caller, const char *name, int64_t *ret_word_id)
{
	CLEANUP(query_endp) struct query *query = NULL;
	int r;

	if (folder_pass(engine, caller, "stacks", NULL) < 0)
		return -ENOENT;
	query = query_begin(engine->store, SQL_TAG_WORD_FIND, "s", name);
	while ((r = query_step(query)) > 0)
		if (sees_word(query, caller)) {
			*ret_word_id = query_int(query, 0);
			return 0;
		}
	return r < 0 ? r : -ENOENT;
}

int tag_word_each(struct engine *engine, struct caller *caller,
	int (*each)(void *userdata, const char *name, int64_t word_id), void *userdata)
{
	CLEANUP(query_endp) struct query *query = NULL;
	int64_t last = 0;
	int r;

	if (folder_pass(engine, caller, "stacks", NULL) < 0)
		return 0;
	query = query_begin(engine->store, SQL_TAG_WORDS, "");
	while ((r = query_step(query)) > 0) {
		if (query_int(query, 0) == last || !sees_word(query, caller))
			continue;
		last = query_int(query, 0);
		r = each(userdata, query_text(query, 1), last);
		if (r != 0)
			break;
	}
	return r;
}

int tag_word_time(struct engine *engine, int64_t word_id, int64_t *ret_time_ms)
{
	int64_t time_ms;
	int r = store_get_int(engine->store, &time_ms, SQL_TAG_WORD_TIME, "i", word_id);

	if (r == 0 && time_ms == 0)
		r = -ENOENT;
	if (r == 0)
		*ret_time_ms = time_ms;
	return r;
}

/* What every change has in common: the stack's time, the event, who shows it. */
static int tag_changed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct tag *tag, const char *type)
{
	int r = store_run(engine->store, SQL_STACK_TOUCH, "ii", stack->id, time_now_ms());

	if (r == 0)
		r = event_add(
			engine, caller, type, stack->id, stack->name, 0, json_pack("{ss}", "tag", tag->name));
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_TAG, tag->id, ASPECT_TAGS);
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_TAGS | ASPECT_NAMES);
	return 0;
}

static int check_new(struct engine *engine, const struct stack *stack, const char *name, struct fault *fault)
{
	int64_t count;
	int r = name_check(name);

	if (r < 0)
		return fault_set(fault, -r,
			"\"%.200s\" is no tag: letters, digits, '.', '_' and '-', up to %d, a letter or "
			"digit first",
			name, NAME_MAX_LENGTH);
	r = store_get_int(engine->store, &count, SQL_TAG_COUNT, "i", stack->id);
	if (r == 0 && count >= TAGS_MAX)
		return fault_set(fault, EDQUOT, "stack %s has %d tags, and that is the limit: remove some",
			stack->name, TAGS_MAX);
	return r;
}

int tag_add(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	struct fault *fault, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	struct tag tag;
	int64_t word_id, id;
	int r;

	r = stack_get_for_change(engine, caller, stack_id, fault, &stack);
	if (r < 0)
		return r;
	if (tag_find(engine, stack_id, name, &tag) == 0) {
		*ret_id = tag.id;
		return 0;
	}
	r = check_new(engine, &stack, name, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_get_int(engine->store, &word_id, SQL_TAG_WORD_ADD, "s", name);
	if (r == 0)
		r = store_insert(engine->store, &id, SQL_TAG_ADD, "iii", stack_id, word_id, time_now_ms());
	if (r == 0)
		r = tag_get(engine, id, &tag);
	if (r == 0)
		r = version_put(engine, caller, stack_id, VERSION_TAG, name, "", 0);
	if (r == 0)
		r = tag_changed(engine, caller, &stack, &tag, "tag.added");
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		*ret_id = id;
	return r;
}

int tag_remove(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *name, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	struct tag tag;
	int r;

	r = stack_get_for_change(engine, caller, stack_id, fault, &stack);
	if (r < 0)
		return r;
	r = tag_find(engine, stack_id, name, &tag);
	if (r < 0)
		return fault_set(fault, -r, "stack %s has no tag %.128s", stack.name, name);
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_TAG_DELETE, "i", tag.id);
	if (r == 0)
		r = store_run(engine->store, SQL_TAG_WORDS_SWEEP, "i", tag.word_id);
	if (r == 0)
		r = version_drop(engine, caller, stack_id, VERSION_TAG, name);
	if (r == 0)
		r = tag_changed(engine, caller, &stack, &tag, "tag.removed");
	return r < 0 ? r : store_change_end(&change);
}

static int note_tag(void *userdata, const struct tag *tag)
{
	engine_note(userdata, SUBJECT_TAG, tag->id, ASPECT_TAGS);
	return 0;
}

int tag_forget_stack(struct engine *engine, int64_t stack_id)
{
	int r = tag_each(engine, stack_id, note_tag, engine);

	if (r == 0)
		r = store_run(engine->store, SQL_TAG_WORDS_FORGET, "i", stack_id);
	return r;
}
